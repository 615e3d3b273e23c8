"""NumPy's element types, constants and the classes that describe them, as they are."""

from __future__ import annotations

import numpy

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
