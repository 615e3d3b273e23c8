"""Entry point for installers that still ask for a setup.py; all metadata is in pyproject.toml."""

from setuptools import setup

setup()
