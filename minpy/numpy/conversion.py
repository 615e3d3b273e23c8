"""Functions that return their argument in another form: its layout, order or ends."""

from __future__ import annotations

from typing import Any

import numpy

from minpy.array import as_ndarray, ndarray, read_value
from minpy.numpy.creation import _copy
from minpy.numpy.function import composition
from minpy.numpy.indexing import take
from minpy.numpy.shaping import ravel

__all__ = [
    "asarray_chkfinite",
    "asfarray",
    "asfortranarray",
    "fastCopyAndTranspose",
    "require",
    "sort_complex",
    "trim_zeros",
]


@composition("asfortranarray", arrays=0, is_view=True)
def asfortranarray(a: Any, dtype: Any = None, *, like: Any = None) -> ndarray:
    """Return an array laid out by columns, as `numpy.asfortranarray`."""
    return _laid_out(as_ndarray(a, dtype), "F")


def _laid_out(a: ndarray, requirements: Any) -> ndarray:
    """Return an array that is being differentiated, or the copy that NumPy would make of it."""
    value = a._np  # only how it lies: no number is read
    laid = value if value is None else numpy.require(value, None, requirements)
    if laid is None or numpy.may_share_memory(laid, value):
        return a
    return _copy(a, order="F" if laid.flags.fnc else "C")


@composition("fastCopyAndTranspose", arrays=0)
def fastCopyAndTranspose(a: Any) -> ndarray:
    """Return a copy of the transpose, as `numpy.fastCopyAndTranspose`: an old name."""
    return as_ndarray(a).T.copy()


@composition("require", arrays=0, is_view=True)
def require(a: Any, dtype: Any = None, requirements: Any = None, *, like: Any = None) -> ndarray:
    """Return an array that has a layout, as `numpy.require`."""
    return _laid_out(as_ndarray(a, dtype), requirements)


@composition("asarray_chkfinite", arrays=0, is_view=True)
def asarray_chkfinite(a: Any, dtype: Any = None, order: Any = None) -> ndarray:
    """Return an array without infinities and nan, or raise, as `numpy.asarray_chkfinite`."""
    a = as_ndarray(a, dtype)
    if a.dtype.kind in "fc" and not numpy.isfinite(read_value(a)).all():
        raise ValueError("array must not contain infs or NaNs")
    return a


@composition("asfarray", arrays=0, is_view=True)
def asfarray(a: Any, dtype: Any = None) -> ndarray:
    """Return an array of floats, as `numpy.asfarray`."""
    a = as_ndarray(a)
    return a if dtype is None or not numpy.issubdtype(dtype, numpy.inexact) else a.astype(dtype)


@composition("sort_complex", arrays=0)
def sort_complex(a: Any) -> ndarray:
    """Sort by real, then by imaginary parts, as `numpy.sort_complex`."""
    a = as_ndarray(a)
    order = numpy.argsort(read_value(a), kind="stable")
    flat = ravel(a)
    rows = numpy.arange(flat.size).reshape(a.shape)
    made = take(flat, numpy.take_along_axis(rows, order, -1))
    return made if made.dtype.kind == "c" else made + 0j


@composition("trim_zeros", arrays=0, is_view=True)
def trim_zeros(filt: Any, trim: str = "fb") -> ndarray:
    """Cut zeros off the ends of a vector, as `numpy.trim_zeros`."""
    filt = as_ndarray(filt)
    places = numpy.nonzero(read_value(filt))[0]
    if not len(places):
        return filt[:0]
    first = int(places[0]) if "F" in trim.upper() else 0
    last = int(places[-1]) + 1 if "B" in trim.upper() else filt.shape[0]
    return filt[first:last]
