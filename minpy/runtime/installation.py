"""Which mxnet is installed, and the CUDA libraries that it needs; imports neither."""

from __future__ import annotations

import contextlib
import ctypes
import glob
import importlib.util
import os
import sys

__all__ = ["find_build", "load_cuda"]


def find_build() -> str | None:
    """Say which mxnet is installed: 'cpu', 'gpu', or None where there is none."""
    try:
        spec = importlib.util.find_spec("mxnet")
    except (ImportError, ValueError):
        return None
    if spec is None or not spec.submodule_search_locations:
        return None
    for folder in spec.submodule_search_locations:
        # By name, without glob: site-packages is long, and each import of minpy comes by here.
        beside = os.path.dirname(folder)
        with contextlib.suppress(OSError):
            for name in os.listdir(beside):
                record = os.path.join(beside, name, "RECORD")
                is_cuda = name.startswith("mxnet_cu") and os.path.exists(record)
                if is_cuda and _is_library_of(folder, record):
                    return "gpu"
    return "cpu"


def _is_library_of(folder: str, record: str) -> bool:
    """Say whether a package's libmxnet.so is the one that lies there.

    The CPU and the CUDA package write the same file; the one that was unpacked last has won.
    """
    try:
        size = os.path.getsize(os.path.join(folder, "libmxnet.so"))
        with open(record, encoding="utf-8") as lines:
            for line in lines:
                if line.startswith("mxnet/libmxnet.so,"):
                    return line.rstrip().endswith(f",{size}")
    except OSError:
        return False
    return True  # a build of one's own without a record of its files


# What the CUDA 11 build is linked to, each after those it needs itself. Wheels put these libraries
# where the dynamic loader doesn't look.
_CUDA_LIBRARIES = (
    "libcudart.so.11.0",
    "libcublasLt.so.11",
    "libcublas.so.11",
    "libcufft.so.10",
    "libcurand.so.10",
    "libcusparse.so.11",
    "libcusolver.so.11",
    "libnvrtc.so.11.2",
    "libnvToolsExt.so.1",
    "libcudnn.so.8",
    "libnccl.so.2",
)


def load_cuda() -> None:
    """Load the CUDA libraries that the ``nvidia-*`` wheels brought, so that mxnet finds them."""
    for folder in sys.path:
        for library_name in _CUDA_LIBRARIES:
            for path in glob.glob(os.path.join(folder, "nvidia", "*", "lib", library_name)):
                with contextlib.suppress(OSError):
                    ctypes.CDLL(path, mode=ctypes.RTLD_GLOBAL)
