"""What there is to say of the runtime, for people: versions, engine, threads, devices."""

from __future__ import annotations

import os

from minpy.runtime import loading
from minpy.runtime.loading import (
    BUILD,
    CHOSEN,
    IMPORTED_BEFORE,
    SYNCHRONOUS,
    available,
    num_gpus,
    usable_cores,
)

__all__ = ["report"]


def report() -> dict[str, str]:
    """Describe the runtime: versions, engine, threads, oneDNN, devices, and what failed."""
    facts = {"minpy runtime": "NumPy kernels only"}
    if not available():
        facts["mxnet"] = f"not in use: {loading.why_not}"
        return facts
    features = loading.mx.runtime.Features()

    def has(name: str) -> bool:
        return name in features and features.is_enabled(name)

    facts["minpy runtime"] = f"mxnet, {BUILD} build"
    facts["mxnet"] = loading.mx.__version__
    engine = os.environ.get("MXNET_ENGINE_TYPE", "ThreadedEnginePerDevice (mxnet's default)")
    facts["engine"] = engine + _origin("MXNET_ENGINE_TYPE")
    facts["OpenMP threads"] = os.environ.get("OMP_NUM_THREADS", "mxnet's default") + _origin(
        "OMP_NUM_THREADS"
    )
    facts["usable cores"] = str(usable_cores())
    facts["oneDNN"] = "yes" if has("MKLDNN") else "no"
    facts["CUDA"] = "yes" if has("CUDA") else "no (CPU build)"
    facts["GPUs"] = str(num_gpus())
    if IMPORTED_BEFORE and not SYNCHRONOUS:
        facts["not set up"] = (
            "mxnet was imported before minpy, so its engine is as it was; "
            "import minpy first for the faster one"
        )
    return facts


def _origin(variable: str) -> str:
    if variable in CHOSEN:
        return " (set by minpy)"
    return " (set by you)" if variable in os.environ else ""
