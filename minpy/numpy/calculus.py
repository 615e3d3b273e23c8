"""Differences, integrals and interpolation along an axis of samples.

It must not know about derivatives of programs: those are in `minpy.autograd`.
"""

from __future__ import annotations

from typing import Any

import numpy

from minpy.array import as_ndarray, is_tracked, ndarray, read_value
from minpy.config import settings
from minpy.numpy.broadcasting import broadcast_to
from minpy.numpy.elementwise import not_equal, subtract, where
from minpy.numpy.function import composition
from minpy.numpy.indexing import take
from minpy.numpy.reductions import sum
from minpy.numpy.shaping import concatenate, moveaxis, ravel, reshape

__all__ = ["diff", "ediff1d", "gradient", "interp", "polyval", "trapz", "unwrap"]


def _along(axis: int, ndim: int, part: Any) -> tuple:
    """Return the index that takes a part along one axis."""
    return (*[slice(None)] * (axis % ndim), part)


@composition("diff", arrays=1)
def diff(a: Any, n: int = 1, axis: int = -1, prepend: Any = None, append: Any = None) -> Any:
    """Return the n-th differences along an axis, as `numpy.diff`."""
    a = as_ndarray(a)
    if n == 0:
        return a
    if n < 0:
        raise ValueError(f"order must be non-negative but got {n!r}")
    if a.ndim == 0:
        raise ValueError("diff requires input that is at least one dimensional")
    ends = [end if end is None else _end(end, a.shape, axis) for end in (prepend, append)]
    parts = [part for part in (ends[0], a, ends[1]) if part is not None]
    a = concatenate(parts, axis) if len(parts) > 1 else a
    difference = not_equal if a.dtype == bool else subtract
    for _ in range(n):
        later, earlier = _along(axis, a.ndim, slice(1, None)), _along(axis, a.ndim, slice(-1))
        a = difference(a[later], a[earlier])
    return a


def _end(value: Any, shape: tuple[int, ...], axis: int) -> Any:
    value = as_ndarray(value)
    if value.ndim:
        return value
    axis %= len(shape)
    return broadcast_to(value, tuple(1 if i == axis else n for i, n in enumerate(shape)))


@composition("ediff1d", arrays=1)
def ediff1d(ary: Any, to_end: Any = None, to_begin: Any = None) -> Any:
    """Return the differences of consecutive elements, as `numpy.ediff1d`."""
    flat = ravel(as_ndarray(ary))
    begin, end = (None if v is None else ravel(as_ndarray(v)) for v in (to_begin, to_end))
    parts = [part for part in (begin, flat[1:] - flat[:-1], end) if part is not None]
    return concatenate(parts) if len(parts) > 1 else parts[0]


@composition("trapz", arrays=2)
def trapz(y: Any, x: Any = None, dx: float = 1.0, axis: int = -1) -> Any:
    """Integrate by the trapezoidal rule, as `numpy.trapz`."""
    y = as_ndarray(y)
    if x is not None:
        x = as_ndarray(x)
        dx = diff(x, axis=0 if x.ndim == 1 else axis)
        if x.ndim == 1:
            dx = reshape(dx, tuple(-1 if i == axis % y.ndim else 1 for i in range(y.ndim)))
    later, earlier = _along(axis, y.ndim, slice(1, None)), _along(axis, y.ndim, slice(-1))
    return sum(dx * (y[later] + y[earlier]) / 2.0, axis)


@composition("gradient", arrays=1)
def gradient(f: Any, *varargs: Any, axis: Any = None, edge_order: int = 1) -> Any:
    """Return central differences inside and one-sided ones at the ends, as `numpy.gradient`.

    Along each axis it is a product with a banded matrix, which NumPy is asked for; under a
    derivative with respect to the spacing or the coordinates, NumPy's formulas.
    """
    f = as_ndarray(f)
    axes = tuple(range(f.ndim)) if axis is None else tuple(numpy.atleast_1d(axis) % f.ndim)
    spacing = list(varargs) or [1.0]
    if len(spacing) == 1 and len(axes) > 1 and not as_ndarray(spacing[0]).ndim:
        spacing = spacing * len(axes)
    if len(spacing) != len(axes):
        raise TypeError("invalid number of arguments")
    results = [_differentiated(f, s, a, edge_order) for s, a in zip(spacing, axes, strict=True)]
    return results[0] if len(results) == 1 else results


def _differentiated(f: ndarray, spacing: Any, axis: int, edge_order: int) -> Any:
    length = f.shape[axis]
    value = read_value(spacing) if type(spacing) is ndarray else spacing
    rule = numpy.gradient(numpy.eye(length), value, axis=0, edge_order=edge_order)
    if type(spacing) is ndarray and is_tracked(spacing):
        if spacing.ndim:
            return _by_coordinates(f, spacing, axis, edge_order)
        return _differentiated(f, 1.0, axis, edge_order) / spacing
    places, weights = _bands(rule.astype(f.dtype if f.dtype.kind == "f" else "float64"))
    total: Any = None
    for place, weight in zip(places, weights, strict=True):
        shape = [1] * f.ndim
        shape[axis] = length
        part = take(f, place, axis=axis) * weight.reshape(shape)
        total = part if total is None else total + part
    return total


def _by_coordinates(f: ndarray, x: ndarray, axis: int, edge_order: int) -> ndarray:
    """Differentiate the parabola through each element and its neighbours, as NumPy does."""
    f = moveaxis(f, axis, -1)
    steps = x[1:] - x[:-1]
    before, after = steps[:-1], steps[1:]
    both = before + after
    left, middle, right = f[..., :-2], f[..., 1:-1], f[..., 2:]
    inside = (
        right * (before / (after * both))
        + middle * ((after - before) / (before * after))
        - left * (after / (before * both))
    )
    if edge_order == 1:
        first = (f[..., 1:2] - f[..., :1]) / steps[:1]
        last = (f[..., -1:] - f[..., -2:-1]) / steps[-1:]
    else:
        h, k = steps[:1], steps[1:2]
        first = f[..., 1:2] * ((h + k) / (h * k)) - f[..., :1] * ((2 * h + k) / (h * (h + k)))
        first = first - f[..., 2:3] * (h / (k * (h + k)))
        h, k = steps[-2:-1], steps[-1:]
        last = f[..., -3:-2] * (k / (h * (h + k))) - f[..., -2:-1] * ((h + k) / (h * k))
        last = last + f[..., -1:] * ((2 * k + h) / (k * (h + k)))
    return moveaxis(concatenate([first, inside, last], -1), -1, axis)


def _bands(matrix: numpy.ndarray) -> tuple[numpy.ndarray, numpy.ndarray]:
    """Write a matrix with few entries a row as places and weights, one of each per entry."""
    most = int((matrix != 0).sum(1).max(initial=1))
    places = numpy.argsort(matrix == 0, axis=1, kind="stable")[:, :most]
    return places.T, numpy.take_along_axis(matrix, places, 1).T


@composition("interp", arrays=3)
def interp(
    x: Any, xp: Any, fp: Any, left: Any = None, right: Any = None, period: Any = None
) -> Any:
    """Interpolate linearly between samples, as `numpy.interp`; gradients reach all three arrays."""
    x, xp, fp = (_in_floats(as_ndarray(a)) for a in (x, xp, fp))
    if period is not None:
        period = abs(period)
        x, xp = x % period, xp % period
        order = numpy.argsort(read_value(xp), kind="stable")
        xp, fp = xp[order], fp[order]
        xp = concatenate([xp[-1:] - period, xp, xp[:1] + period])
        fp = concatenate([fp[-1:], fp, fp[:1]])
        left = right = None
    count = xp.size
    at = numpy.searchsorted(read_value(xp), read_value(x), side="right")
    lower = numpy.clip(at - 1, 0, max(count - 2, 0))
    upper = numpy.minimum(lower + 1, count - 1)
    low, high, start, end = fp[lower], fp[upper], xp[lower], xp[upper]
    width = end - start
    inside = low + (high - low) * ((x - start) / where(width == 0, 1.0, width))
    value = where(at >= count, fp[-1], inside)
    value = where(x < xp[0], fp[0] if left is None else left, value)
    return value if right is None else where(x > xp[-1], right, value)


def _in_floats(x: ndarray) -> ndarray:
    """Give integers the default float dtype, and all what NumPy computes in if that is double."""
    if x.dtype.kind == "c":
        return x if settings.narrows else x.astype(settings.complex_dtype)
    return x if settings.narrows and x.dtype.kind == "f" else x.astype(settings.float_dtype)


@composition("unwrap", arrays=1)
def unwrap(p: Any, discont: Any = None, axis: int = -1, *, period: float = 2 * numpy.pi) -> Any:
    """Undo jumps by a period, as `numpy.unwrap`; the correction is constant."""
    p = as_ndarray(p)
    value = read_value(p)
    return p + (numpy.unwrap(value, discont, axis, period=period) - value).astype(p.dtype)


@composition("polyval", arrays=2)
def polyval(p: Any, x: Any) -> Any:
    """Evaluate a polynomial by Horner's rule, as `numpy.polyval`; gradients reach p and x."""
    p, x = as_ndarray(p), as_ndarray(x)
    total = x * 0
    for coefficient in p:
        total = total * x + coefficient
    return total
