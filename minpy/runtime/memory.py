"""Arrays that NumPy and MXNet share, in both directions without a copy where that can be.

It must not know operators, nor arrays of minpy's.
"""

from __future__ import annotations

import contextlib
import ctypes
import sys
from typing import Any

import numpy

from minpy.runtime import loading
from minpy.runtime.loading import SYNCHRONOUS, library

__all__ = [
    "Memory",
    "Unsupported",
    "address",
    "borrow",
    "copy_to",
    "is_ndarray",
    "numpy_shapes",
    "supports",
    "view",
]


class Unsupported(Exception):
    """An MXNet kernel can't take these arguments; the NumPy kernel has to."""


_DTYPE_NAMES = ("float32", "float64", "float16", "uint8", "int32", "int8", "int64", "bool")
_DTYPES = {numpy.dtype(name): code for code, name in enumerate(_DTYPE_NAMES)}
_TYPESTRS = {code: dtype.str for dtype, code in _DTYPES.items()}


def supports(dtype: numpy.dtype) -> bool:
    """Say whether MXNet has arrays of this dtype."""
    return dtype in _DTYPES


def is_ndarray(value: Any) -> bool:
    """Say whether a value is an array of MXNet's (never imports mxnet)."""
    mx = sys.modules.get("mxnet")
    return mx is not None and isinstance(value, mx.nd.NDArray)


def borrow(array: numpy.ndarray) -> Any:
    """Return an NDArray on the CPU over the memory of `array`, without a copy where it can be.

    An array that is not contiguous, or that MXNet can't address in place, is copied.

    Raises
    ------
    Unsupported
        If MXNet has no such dtype.
    """
    if array.dtype not in _DTYPES:
        raise Unsupported(f"MXNet has no dtype {array.dtype}")
    mx = library()
    if not array.flags.c_contiguous:
        array = numpy.ascontiguousarray(array)
    if array.ndim == 0 or array.size == 0:
        with numpy_shapes():
            return mx.nd.from_numpy(array.view(), zero_copy=True)
    # from_numpy locks the array it is given against writing: give it a view of its own.
    return mx.nd.from_numpy(array.view(), zero_copy=True)


class Memory:
    """Keeps an NDArray alive for the NumPy array that lies on its memory."""

    __slots__ = ("__array_interface__", "owner")

    def __init__(self, owner: Any, interface: dict[str, Any]) -> None:
        self.owner = owner
        self.__array_interface__ = interface


def view(nd: Any) -> numpy.ndarray:
    """Return a NumPy array over the memory of an NDArray on the CPU, without a copy."""
    if not SYNCHRONOUS:
        nd.wait_to_read()
    lib = loading.lib
    pointer, code = ctypes.c_void_p(), ctypes.c_int()
    lib.MXNDArrayGetDType(nd.handle, ctypes.byref(code))
    shape = nd.shape
    if code.value not in _TYPESTRS:  # bfloat16 has no NumPy dtype
        return nd.astype("float32").asnumpy()
    if 0 in shape:
        return numpy.empty(shape, _TYPESTRS[code.value])
    lib.MXNDArrayGetData(nd.handle, ctypes.byref(pointer))
    interface = {
        "shape": shape,
        "typestr": _TYPESTRS[code.value],
        "data": (pointer.value, False),
        "version": 3,
    }
    return numpy.asarray(Memory(nd, interface))


def address(nd: Any) -> int:
    """Return where the memory of an NDArray on the CPU begins (naive engine)."""
    pointer = ctypes.c_void_p()
    loading.lib.MXNDArrayGetData(nd.handle, ctypes.byref(pointer))
    return pointer.value


def copy_to(nd: Any, device_type: str, device_id: int) -> Any:
    """Copy an NDArray to a device."""
    mx = library()
    context = mx.Context(device_type, device_id)
    shape = nd.shape
    if not shape or 0 in shape:
        with numpy_shapes():
            return nd.as_in_context(context)
    return nd.as_in_context(context)


@contextlib.contextmanager
def numpy_shapes():
    """Let MXNet take shapes with no axes or no elements as NumPy means them, in this thread."""
    mx = library()
    before = mx.util.set_np_shape(True)
    try:
        yield
    finally:
        mx.util.set_np_shape(before)
