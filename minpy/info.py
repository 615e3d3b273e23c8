"""What ``python -m minpy info`` prints: versions, engine, devices, policy, what isn't set up."""

from __future__ import annotations

import platform
from importlib import metadata

import numpy

from minpy import config, context, policy, runtime

__all__ = ["collect", "main"]

_PACKAGES = ("h5py", "tqdm", "tensorboardX", "numba", "mpi4py")


def collect() -> dict[str, str]:
    """Return the facts, name → value."""
    from minpy import __version__

    facts = {
        "minpy": __version__,
        "Python": f"{platform.python_version()} on {platform.system()} {platform.machine()}",
        "numpy": numpy.__version__,
    }
    facts.update(runtime.report())
    for package in _PACKAGES:
        try:
            facts[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            facts[package] = "not installed"
    facts["policy"] = policy.current_policy()
    facts["context"] = repr(context.current_context())
    facts["default dtype"] = config.default_dtype().name
    return facts


def main() -> int:
    """Print the facts, one a line."""
    facts = collect()
    width = max(map(len, facts))
    for name, value in facts.items():
        print(f"{name:<{width}}  {value}")
    return 0
