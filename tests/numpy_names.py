"""The public names of NumPy 1.26, which the tests and the page of NumPy's names go over."""

from __future__ import annotations

import types
from typing import Any

import numpy

MODULES = ["", "linalg", "fft", "random", "polynomial", "ma"]
POLYNOMIALS = ["polynomial", "chebyshev", "legendre", "hermite", "hermite_e", "laguerre"]
MODULES += [f"polynomial.{name}" for name in POLYNOMIALS]


def module_of(package: Any, path: str) -> Any:
    """Return what a path with dots leads to from a package."""
    for part in filter(None, path.split(".")):
        package = getattr(package, part)
    return package


def public_names(module: Any) -> list[str]:
    """Return the names that a module of NumPy's means to be used, sorted."""
    names = getattr(module, "__all__", None) or dir(module)
    return sorted({n for n in names if not n.startswith("_")})


def functions() -> list[str]:
    """Return the paths of NumPy's public functions, ``'linalg.norm'``."""
    found = []
    for module in MODULES:
        theirs = module_of(numpy, module)
        for name in public_names(theirs):
            value = getattr(theirs, name)
            if callable(value) and not isinstance(value, type | types.ModuleType):
                found.append(f"{module}.{name}".lstrip("."))
    return found
