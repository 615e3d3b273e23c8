"""Counting by number and by interval: derivatives in the weights.

What falls into which bin is constant; so is where the edges lie.
"""

from __future__ import annotations

from typing import Any

import numpy

from minpy.array import as_ndarray, is_tracked, ndarray, read_value
from minpy.autograd.rules import defjvp, defvjp
from minpy.numpy.function import Function, composition
from minpy.numpy.indexing import take
from minpy.numpy.reductions import sum

__all__ = ["bincount", "histogram"]


def _bincount_kernel(x: Any, weights: Any = None, minlength: int = 0) -> numpy.ndarray:
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
    at = numpy.searchsorted(edges, values, "right") - 1
    at[values == edges[-1]] = len(edges) - 2  # the last interval is closed
    inside = (at >= 0) & (at < len(edges) - 1)
    counts = bincount(at[inside], weights.ravel()[inside], len(edges) - 1)
    if density:
        counts = counts / numpy.diff(edges).astype(counts.dtype) / sum(counts)
    return counts, as_ndarray(edges)


def _value(a: Any) -> Any:
    return read_value(a) if type(a) is ndarray else a
