"""Padding in NumPy's modes that compute what they put around an array, with derivatives.

It must not know how elements are copied, nor any derivative rule: what follows from the steps
that are made here, axis by axis and in NumPy's order, is the derivative.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable
from typing import Any

import numpy

from minpy.array import as_ndarray, is_tracked, ndarray
from minpy.numpy.broadcasting import broadcast_to
from minpy.numpy.creation import linspace
from minpy.numpy.elementwise import astype, round
from minpy.numpy.fallback import arrays_in, plain
from minpy.numpy.function import composition
from minpy.numpy.reductions import max, mean, min
from minpy.numpy.shaping import concatenate, copies_only, flip, moveaxis, pad_widths, squeeze
from minpy.numpy.shaping import pad as pad_by_copying
from minpy.numpy.statistics import median

__all__ = ["pad"]


def _pad_kernel(array: Any, pad_width: Any, mode: Any = "constant", **kwargs: Any) -> Any:
    return numpy.pad(array, pad_width, mode, **kwargs)


@composition("pad", _pad_kernel, arrays=1)
def pad(array: Any, pad_width: Any, mode: Any = "constant", **kwargs: Any) -> Any:
    """Put elements around an array, as `numpy.pad`; gradients flow in every mode.

    Parameters
    ----------
    array
        What is padded.
    pad_width
        How many elements: a number, ``(before, after)``, or such a pair for each axis.
    mode
        What is put there: ``'constant'``, ``'edge'``, ``'empty'``, ``'linear_ramp'``,
        ``'maximum'``, ``'mean'``, ``'median'``, ``'minimum'``, ``'reflect'``, ``'symmetric'``,
        ``'wrap'``, or a function ``(vector, widths, axis, options)`` that writes into a vector
        which has zeros at both ends.
    kwargs
        As the mode takes them: ``constant_values``, ``end_values``, ``stat_length`` (of a pair of
        which each axis may have its own, too), ``reflect_type``; and what a function likes.
        Gradients reach the first two.

    Returns
    -------
    ndarray
        As many elements longer along each axis as `pad_width` says.

    Examples
    --------
    >>> import minpy
    >>> import minpy.numpy as np
    >>> np.pad(np.array([1.0, 4.0]), (1, 2), "linear_ramp")
    array([0., 1., 4., 2., 0.])
    >>> minpy.grad(lambda x: np.pad(x, 2, "mean")[0])(np.array([1.0, 4.0]))
    array([0.5, 0.5])
    """
    array = as_ndarray(array)
    pad_width = plain(pad_width)
    if callable(mode):
        return _written_by(mode, array, pad_width, kwargs)
    follows = any(is_tracked(a) for a in arrays_in(kwargs))
    varied = mode == "constant" and not numpy.isscalar(kwargs.get("constant_values", 0))
    if copies_only(mode, kwargs) and not varied:
        return pad_by_copying(array, pad_width, mode, **kwargs)
    # NumPy says what is wrong, if anything is, of an array that is as empty as this one.
    blank = numpy.zeros([n and 1 for n in array.shape], array.dtype)
    with numpy.errstate(all="ignore"):
        numpy.pad(blank, pad_width, mode, **({} if follows else plain(kwargs)))
    widths = pad_widths(pad_width, array.ndim)
    if array.size == 0 and mode != "constant":
        return pad_by_copying(array, pad_width, "empty")
    if mode in ("reflect", "symmetric"):
        return _reflected(array, widths, skip=int(mode == "reflect"))
    option, make, *given = _MADE[mode]
    pairs = _pairs(kwargs.get(option, None if option == "stat_length" else 0), array.ndim)
    for axis, (ends, values) in enumerate(zip(widths, pairs, strict=True)):
        array = _extended(array, axis, ends, make, values, *given)
    return array


def _pairs(values: Any, ndim: int) -> Any:
    """Return a pair of values for each axis."""
    if any(is_tracked(a) for a in arrays_in(values)):
        return broadcast_to(as_ndarray(values), (ndim, 2))
    values = numpy.asarray(plain(values))
    return numpy.broadcast_to(values, (ndim, 2)).tolist()


def _extended(
    a: ndarray, axis: int, ends: tuple[int, int], make: Callable[..., ndarray], *given: Any
) -> ndarray:
    """Put before an array (side 0) and behind it (side 1) what is made for a side and a width."""
    parts = [[make(a, axis, side, n, *given)] if n else [] for side, n in enumerate(ends)]
    return concatenate([*parts[0], a, *parts[1]], axis) if any(parts) else a


def _outermost(a: ndarray, axis: int, side: int, count: int, skip: int = 0) -> ndarray:
    """Return so many elements at a side, after some that are skipped."""
    start = a.shape[axis] - skip - count if side else skip
    return a[(slice(None),) * axis + (slice(start, start + count),)]


def _repeated(value: ndarray, axis: int, width: int) -> ndarray:
    return broadcast_to(value, (*value.shape[:axis], width, *value.shape[axis + 1 :]))


def _constant(a: ndarray, axis: int, side: int, width: int, values: Any) -> ndarray:
    value = astype(as_ndarray(values[side]), a.dtype)
    return broadcast_to(value, (*a.shape[:axis], width, *a.shape[axis + 1 :]))


def _ramp(a: ndarray, axis: int, side: int, width: int, values: Any) -> ndarray:
    edge = squeeze(_outermost(a, axis, side, 1), axis)
    ramp = linspace(values[side], edge, width, False, dtype=a.dtype, axis=axis)
    return flip(ramp, axis) if side else ramp


def _result(
    a: ndarray, axis: int, side: int, width: int, lengths: Any, statistic: Callable[..., Any]
) -> ndarray:
    n, length = a.shape[axis], lengths[side]
    part = _outermost(a, axis, side, n if length is None else int(builtins.min(n, length)))
    found = statistic(part, axis=axis, keepdims=True)
    if found.dtype != a.dtype:
        found = astype(round(found) if a.dtype.kind in "iu" else found, a.dtype)
    return _repeated(found, axis, width)


def _reflection(a: ndarray, axis: int, side: int, width: int, skip: int) -> ndarray:
    image = flip(_outermost(a, axis, side, width, skip), axis)
    return 2 * _outermost(a, axis, side, 1) - image


def _reflected(a: ndarray, widths: Any, skip: int) -> ndarray:
    for axis, ends in enumerate(widths):
        if a.shape[axis] == 1:
            a = pad_by_copying(a, [(0, 0)] * axis + [ends] + [(0, 0)] * (a.ndim - axis - 1), "edge")
            continue
        while any(ends):  # a mirror shows no more than there is, and later the first image, too
            shown = tuple(builtins.min(n, a.shape[axis] - skip) for n in ends)
            a = _extended(a, axis, shown, _reflection, skip)
            ends = tuple(n - m for n, m in zip(ends, shown, strict=True))
    return a


def _written_by(function: Callable[..., Any], a: ndarray, pad_width: Any, options: dict) -> ndarray:
    padded = pad_by_copying(a, pad_width)
    for axis, ends in enumerate(pad_widths(pad_width, a.ndim)):
        rows = moveaxis(padded, axis, -1)
        for place in numpy.ndindex(rows.shape[:-1]):
            function(rows[(*place, Ellipsis)], ends, axis, options)
    return padded


# What a mode puts at a side: the option that tells more, and who makes it of that.
_MADE = {
    "constant": ("constant_values", _constant),
    "linear_ramp": ("end_values", _ramp),
    "maximum": ("stat_length", _result, max),
    "mean": ("stat_length", _result, mean),
    "median": ("stat_length", _result, median),
    "minimum": ("stat_length", _result, min),
}
