"""What ``python -m minpy info`` prints: versions, engine, devices, policy, what isn't set up."""

from __future__ import annotations

import os
import platform
from importlib import metadata

import numpy

from minpy import config, context, mixed_precision, policy, runtime
from minpy.graph.native.blas import openblas_core
from minpy.runtime import onednn

__all__ = ["collect", "main"]

_PACKAGES = ("h5py", "tqdm", "tensorboardX", "numba", "onednn-cpu-gomp", "mpi4py")


def collect() -> dict[str, str]:
    """Return the facts, name → value."""
    from minpy import __version__

    facts = {
        "minpy": __version__,
        "Python": f"{platform.python_version()} on {platform.system()} {platform.machine()}",
        "numpy": numpy.__version__,
    }
    facts["NumPy's OpenBLAS"] = _openblas_core()
    facts.update(runtime.report())
    for package in _PACKAGES:
        try:
            facts[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            facts[package] = "not installed"
    facts["oneDNN of compiled steps"] = _onednn()
    facts["policy"] = policy.current_policy()
    facts["context"] = repr(context.current_context())
    facts["default dtype"] = config.default_dtype().name
    return facts


def _openblas_core() -> str:
    """Say for which processor NumPy multiplies matrices."""
    told = os.environ.get("OPENBLAS_CORETYPE")
    core = openblas_core() or "none, or it doesn't say"
    return f"{core} (OPENBLAS_CORETYPE={told})" if told else core


def _onednn() -> str:
    """Say which oneDNN compiled steps run on, and whether it has bfloat16 here."""
    library = onednn.library()
    if library is None:
        return "none: steps are MXNet's graphs"
    reason = mixed_precision.why_unavailable()
    return f"{library.version}, {'bfloat16' if reason is None else 'no bfloat16: ' + reason}"


def main() -> int:
    """Print the facts, one a line."""
    facts = collect()
    width = max(map(len, facts))
    for name, value in facts.items():
        print(f"{name:<{width}}  {value}")
    return 0
