"""NumPy's element types, constants and the classes that describe them, as they are.

The classes of dtypes, which are in ``numpy.dtypes``, are reached here too.
"""

from __future__ import annotations

from typing import Any

import numpy
import numpy.dtypes

_TYPES = """
    bool_ byte cdouble cfloat clongdouble complex64 complex128 complexfloating csingle datetime64
    double flexible float16 float32 float64 floating generic half inexact int8 int16 int32 int64
    int_ intc integer intp longdouble longlong number short signedinteger single timedelta64 ubyte
    uint uint8 uint16 uint32 uint64 uintc uintp ulonglong unsignedinteger ushort
"""
_CONSTANTS = "e euler_gamma inf nan newaxis pi"
_CLASSES = "dtype errstate finfo iinfo"

__all__ = f"{_TYPES} {_CONSTANTS} {_CLASSES}".split()

globals().update((name, getattr(numpy, name)) for name in __all__)


def __getattr__(name: str) -> Any:
    if name not in numpy.dtypes.__all__:
        raise AttributeError(f"module 'minpy.numpy.dtypes' has no attribute {name!r}")
    return getattr(numpy.dtypes, name)
