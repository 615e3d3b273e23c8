"""Counting by number and by interval: derivatives in the weights, and in where the edges lie.

What falls into which bin is constant.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy

from minpy.array import as_ndarray, is_tracked, ndarray, read_value
from minpy.autograd.rules import defjvp, defvjp
from minpy.numpy.creation import linspace
from minpy.numpy.fallback import plain
from minpy.numpy.function import Function, composition
from minpy.numpy.indexing import take
from minpy.numpy.reductions import sum
from minpy.numpy.shaping import atleast_2d, reshape, transpose
from minpy.primitives import registry

__all__ = ["bincount", "histogram", "histogram2d", "histogram_bin_edges", "histogramdd"]


def _bincount_kernel(x: Any, /, weights: Any = None, minlength: int = 0) -> numpy.ndarray:
    return numpy.bincount(x, weights, minlength)


class _Bincount(Function):
    """Takes a list without elements for one of integers."""

    def _arrays(self, args: tuple) -> tuple:
        if isinstance(args[0], list | tuple) and not args[0]:
            args = (numpy.zeros(0, numpy.intp), *args[1:])
        return super()._arrays(args)


bincount = _Bincount("bincount", _bincount_kernel, arrays=2, doc=numpy.bincount.__doc__)
defvjp(
    bincount,
    lambda ans, x, weights, minlength=0: lambda g: take(g, x).astype(weights.dtype),
    argnums=[1],
)
defjvp(
    bincount,
    lambda t, ans, x, weights, minlength=0: bincount(x, t, minlength),
    argnums=[1],
)


@composition("histogram_bin_edges", arrays=0)
def histogram_bin_edges(a: Any, bins: Any = 10, range: Any = None, weights: Any = None) -> ndarray:
    """Return the edges of bins, as `numpy.histogram_bin_edges`.

    Between the smallest and the largest value, or the ends of the range, they are evenly spaced:
    that is their derivative, for a number of bins that is constant.
    """
    values, ends = _value(a), plain(range)
    edges = numpy.histogram_bin_edges(values, _value(bins), ends, _value(weights))
    if not isinstance(bins, str) and numpy.ndim(_value(bins)) == 1:
        return as_ndarray(bins)
    if range is not None:
        first, last = range
    elif numpy.size(values):
        first, last = registry["min"](as_ndarray(a)), registry["max"](as_ndarray(a))
    else:
        return as_ndarray(edges)
    if _value(first) == _value(last):
        first, last = first - 0.5, last + 0.5
    return linspace(first, last, len(edges))


@composition("histogram", arrays=0)
def histogram(
    a: Any, bins: Any = 10, range: Any = None, density: bool | None = None, weights: Any = None
) -> tuple[ndarray, ndarray]:
    """Count values by intervals, as `numpy.histogram`.

    Derivatives are those in the weights, and in the edges: of a density, the counts have one too.
    """
    values = numpy.ravel(_value(a))
    edges = histogram_bin_edges(a, bins, range)
    places = numpy.histogram_bin_edges(values, _value(bins), plain(range))
    if not (type(weights) is ndarray and is_tracked(weights)):
        counts = as_ndarray(numpy.histogram(values, places, None, False, _value(weights))[0])
    elif weights.shape != numpy.shape(_value(a)):
        raise ValueError("weights should have the same shape as a.")
    else:
        at, inside = _intervals(values, places)
        counts = bincount(at[inside], weights.ravel()[inside], len(places) - 1)
    return (counts / _diff(edges) / sum(counts) if density else counts), edges


def _diff(edges: ndarray) -> ndarray:
    return edges[1:] - edges[:-1]


def _intervals(values: numpy.ndarray, edges: numpy.ndarray) -> tuple[numpy.ndarray, numpy.ndarray]:
    """Return the interval that each value falls into, and whether it falls into one."""
    at = numpy.searchsorted(edges, values, "right") - 1
    at[values == edges[-1]] = len(edges) - 2  # the last interval is closed
    return at, (at >= 0) & (at < len(edges) - 1)


@composition("histogramdd", arrays=0)
def histogramdd(
    sample: Any, bins: Any = 10, range: Any = None, density: bool | None = None, weights: Any = None
) -> tuple[ndarray, list[ndarray]]:
    """Count points by boxes, as `numpy.histogramdd`; derivatives are those of `histogram`."""
    if hasattr(sample, "shape"):
        columns = list(transpose(atleast_2d(sample)))
    else:
        columns = [as_ndarray(column) for column in sample]
    points = numpy.stack([_value(column) for column in columns], axis=1)
    fixed = [_value(b) for b in bins] if isinstance(bins, list | tuple) else _value(bins)
    counts, places = numpy.histogramdd(points, fixed, plain(range), False, _value(weights))
    each = [bins] * len(places) if numpy.ndim(fixed) == 0 else bins
    ranges = [None] * len(places) if range is None else range
    edges = [histogram_bin_edges(*of) for of in zip(columns, each, ranges, strict=True)]
    total = as_ndarray(counts)
    if type(weights) is ndarray and is_tracked(weights):
        found = [_intervals(points[:, k], place) for k, place in enumerate(places)]
        inside = numpy.logical_and.reduce([ok for _, ok in found])
        flat = numpy.ravel_multi_index([at[inside] for at, _ in found], counts.shape)
        total = reshape(bincount(flat, weights[inside], counts.size), counts.shape)
    if density:
        volumes = functools.reduce(registry["multiply"].outer, [_diff(edge) for edge in edges])
        total = total / volumes / sum(total)
    return total, edges


@composition("histogram2d", arrays=0)
def histogram2d(
    x: Any,
    y: Any,
    bins: Any = 10,
    range: Any = None,
    density: bool | None = None,
    weights: Any = None,
) -> tuple[ndarray, ndarray, ndarray]:
    """Count pairs by rectangles, as `numpy.histogram2d`; as `histogramdd`."""
    if not isinstance(bins, int) and len(bins) not in (1, 2):
        bins = [_value(bins)] * 2
    counts, edges = histogramdd([x, y], bins, range, density, weights)
    return counts, *edges


def _value(a: Any) -> Any:
    return read_value(a) if type(a) is ndarray else a
