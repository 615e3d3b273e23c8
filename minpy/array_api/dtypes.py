"""Dtypes of the standard, and the questions about them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy

import minpy.numpy as np
from minpy.array import ndarray

_BY_KIND = {
    "bool": ("bool",),
    "signed integer": ("int8", "int16", "int32", "int64"),
    "unsigned integer": ("uint8", "uint16", "uint32", "uint64"),
    "real floating": ("float32", "float64"),
    "complex floating": ("complex64", "complex128"),
}
_BY_KIND["integral"] = _BY_KIND["signed integer"] + _BY_KIND["unsigned integer"]
_BY_KIND["numeric"] = (
    _BY_KIND["integral"] + _BY_KIND["real floating"] + _BY_KIND["complex floating"]
)
_NAMES = _BY_KIND["bool"] + _BY_KIND["numeric"]

__all__ = [*_NAMES, "astype", "can_cast", "finfo", "iinfo", "isdtype", "result_type"]

_GROUP_OF = {"b": "bool", "i": "integral", "u": "integral", "f": "inexact", "c": "inexact"}

globals().update((name, numpy.dtype(name)) for name in _NAMES)


def astype(x: ndarray, dtype: Any, /, *, copy: bool = True, device: Any = None) -> ndarray:
    """Return an array with another element type."""
    if x.dtype.kind == "c" and numpy.dtype(dtype).kind in "iuf":
        raise TypeError(f"astype: a complex array has no {numpy.dtype(dtype)}; take real(x)")
    made = x.astype(dtype, copy=copy)
    return made if device is None else made.to_device(device)


def can_cast(from_: Any, to: Any, /) -> bool:
    """Say whether promotion may turn one dtype into another."""
    dtype = from_.dtype if isinstance(from_, ndarray) else numpy.dtype(from_)
    target = numpy.dtype(to)
    # The standard promotes integers to integers, and floats and complex numbers to each other.
    return _GROUP_OF[dtype.kind] == _GROUP_OF[target.kind] and numpy.can_cast(dtype, target)


class _FloatLimits(NamedTuple):
    bits: int
    eps: float
    max: float
    min: float
    smallest_normal: float
    dtype: numpy.dtype


def finfo(type: Any, /) -> _FloatLimits:
    """Return the limits of a floating-point dtype, as Python's numbers."""
    found = numpy.finfo(type.dtype if isinstance(type, ndarray) else type)
    limits = (found.eps, found.max, found.min, found.smallest_normal)
    return _FloatLimits(found.bits, *map(float, limits), found.dtype)


def iinfo(type: Any, /) -> numpy.iinfo:
    """Return the limits of an integer dtype."""
    return numpy.iinfo(type.dtype if isinstance(type, ndarray) else type)


def isdtype(dtype: Any, kind: Any) -> bool:
    """Say whether a dtype is another, of a kind, or one of several of them.

    Raises
    ------
    ValueError
        If there is no such kind.
    """
    if isinstance(kind, tuple):
        return any(isdtype(dtype, k) for k in kind)
    if isinstance(kind, str):
        if kind not in _BY_KIND:
            raise ValueError(f"isdtype: expected one of {', '.join(_BY_KIND)}, got {kind!r}")
        return numpy.dtype(dtype).name in _BY_KIND[kind]
    return numpy.dtype(dtype) == numpy.dtype(kind)


def result_type(*arrays_and_dtypes: Any) -> numpy.dtype:
    """Return the dtype that arrays and dtypes are promoted to, arrays without axes too."""
    given = [a.dtype if isinstance(a, ndarray) else a for a in arrays_and_dtypes]
    return np.result_type(*given)
