"""Counting by number and by interval: derivatives in the weights.

What falls into which bin is constant; so is where the edges lie.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy

from minpy.array import as_ndarray, is_tracked, ndarray, read_value
from minpy.autograd.rules import defjvp, defvjp
from minpy.numpy.function import Function, composition
from minpy.numpy.indexing import take
from minpy.numpy.reductions import sum
from minpy.numpy.shaping import reshape

__all__ = ["bincount", "histogram", "histogram2d", "histogramdd"]


def _bincount_kernel(x: Any, /, weights: Any = None, minlength: int = 0) -> numpy.ndarray:
    return numpy.bincount(x, weights, minlength)


bincount = Function("bincount", _bincount_kernel, arrays=2, doc=numpy.bincount.__doc__)
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


@composition("histogram", arrays=0)
def histogram(
    a: Any, bins: Any = 10, range: Any = None, density: bool | None = None, weights: Any = None
) -> tuple[ndarray, ndarray]:
    """Count values by intervals, as `numpy.histogram`; its derivative is the one in the weights."""
    values = numpy.ravel(_value(a))
    edges = numpy.histogram_bin_edges(values, _value(bins), range)
    if weights is None or not (type(weights) is ndarray and is_tracked(weights)):
        counts, edges = numpy.histogram(values, edges, None, density, _value(weights))
        return as_ndarray(counts), as_ndarray(edges)
    if weights.shape != numpy.shape(_value(a)):
        raise ValueError("weights should have the same shape as a.")
    at, inside = _intervals(values, edges)
    counts = bincount(at[inside], weights.ravel()[inside], len(edges) - 1)
    if density:
        counts = counts / numpy.diff(edges).astype(counts.dtype) / sum(counts)
    return counts, as_ndarray(edges)


def _intervals(values: numpy.ndarray, edges: numpy.ndarray) -> tuple[numpy.ndarray, numpy.ndarray]:
    """Return the interval that each value falls into, and whether it falls into one."""
    at = numpy.searchsorted(edges, values, "right") - 1
    at[values == edges[-1]] = len(edges) - 2  # the last interval is closed
    return at, (at >= 0) & (at < len(edges) - 1)


@composition("histogramdd", arrays=0)
def histogramdd(
    sample: Any, bins: Any = 10, range: Any = None, density: bool | None = None, weights: Any = None
) -> tuple[ndarray, list[ndarray]]:
    """Count points by boxes, as `numpy.histogramdd`; its derivative is the one in the weights."""
    points = numpy.atleast_2d(_value(sample)) if hasattr(sample, "shape") else None
    points = numpy.stack([_value(c) for c in sample], axis=1) if points is None else points
    bins = [_value(b) for b in bins] if isinstance(bins, list | tuple) else _value(bins)
    counts, edges = numpy.histogramdd(points, bins, range, density)
    if not (type(weights) is ndarray and is_tracked(weights)):
        counts, edges = numpy.histogramdd(points, bins, range, density, _value(weights))
        return as_ndarray(counts), [as_ndarray(e) for e in edges]
    places = [_intervals(points[:, k], edge) for k, edge in enumerate(edges)]
    inside = numpy.logical_and.reduce([ok for _, ok in places])
    flat = numpy.ravel_multi_index([at[inside] for at, _ in places], counts.shape)
    total = reshape(bincount(flat, weights[inside], counts.size), counts.shape)
    if density:
        volumes = functools.reduce(numpy.multiply.outer, [numpy.diff(edge) for edge in edges])
        total = total / volumes.astype(total.dtype) / sum(total)
    return total, [as_ndarray(edge) for edge in edges]


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
