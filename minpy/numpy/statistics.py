"""Order statistics and covariances: medians, quantiles, cov, corrcoef; with and without nan.

It must not know how sums or products are computed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy

from minpy.array import as_ndarray, is_tracked, ndarray, read_value
from minpy.errors import NoDerivativeError
from minpy.numpy.elementwise import clip, conjugate, real, sqrt
from minpy.numpy.function import Composition, composition
from minpy.numpy.indexing import take_along_axis
from minpy.numpy.products import dot
from minpy.numpy.reductions import average, mean
from minpy.numpy.shaping import atleast_2d, concatenate, diag, moveaxis, reshape, stack, transpose

__all__ = [
    "corrcoef",
    "cov",
    "median",
    "nanmedian",
    "nanpercentile",
    "nanquantile",
    "percentile",
    "quantile",
]


def _ranks(length: numpy.ndarray, width: int, q: numpy.ndarray, method: str, skip: bool) -> Any:
    """Return where among the sorted elements of each row a quantile lies, as a number from 0.

    Every method of NumPy's interpolates between two neighbours, so the quantile of 0, 1, 2, …
    tells which and how.

    Parameters
    ----------
    length
        How many elements of each row are numbers; the others are nan and sorted last.
    width
        The length of the rows.
    q
        The quantiles, of one axis.
    skip
        Whether nan is left out; otherwise a row with one has the rank of a nan.
    """
    ranks = numpy.full((*length.shape, q.size), width - 1.0)
    for n in numpy.unique(length):
        if n and (skip or n == width):
            ranks[length == n] = numpy.quantile(numpy.arange(float(n)), q, method=method)
    return ranks


def _between(low: ndarray, high: ndarray, share: numpy.ndarray) -> ndarray:
    return low + (high - low) * share


def _middle(low: ndarray, high: ndarray, share: numpy.ndarray) -> ndarray:
    """Return what NumPy takes for a median: also two infinities have a middle."""
    return mean(stack([low, high]), 0)


def _interpolated(
    a: ndarray,
    q: numpy.ndarray,
    axis: Any,
    method: str,
    keepdims: bool,
    skip: bool,
    interpolate: Callable[..., ndarray] = _between,
) -> ndarray:
    """Compute quantiles by picking and interpolating elements, which have derivatives."""
    axes = range(a.ndim) if axis is None else numpy.atleast_1d(axis).tolist()
    axes = [i % a.ndim for i in axes]
    rest = [i for i in range(a.ndim) if i not in axes]
    lengths = tuple(a.shape[i] for i in rest)
    rows = reshape(transpose(a, (*rest, *axes)), (*lengths, -1))
    values = read_value(rows)
    order = numpy.argsort(values, -1, kind="stable")
    found = values.shape[-1] - numpy.isnan(values).sum(-1)
    ranks = _ranks(found, values.shape[-1], q.ravel(), method, skip)
    below = numpy.floor(ranks).astype(int)
    above = numpy.ceil(ranks).astype(int)
    low = take_along_axis(rows, numpy.take_along_axis(order, below, -1), -1)
    high = take_along_axis(rows, numpy.take_along_axis(order, above, -1), -1)
    share = (ranks - below).astype(values.dtype)
    result = moveaxis(interpolate(low, high, share), -1, 0)
    kept = tuple(1 if i in axes else n for i, n in enumerate(a.shape)) if keepdims else lengths
    return reshape(result, q.shape + kept)


def _quantile_function(name: str, scale: float, skip: bool) -> Composition:
    def compute(
        a: Any,
        q: Any,
        axis: Any = None,
        overwrite_input: bool = False,
        method: str = "linear",
        keepdims: bool = False,
    ) -> Any:
        if type(q) is ndarray and is_tracked(q):
            raise NoDerivativeError(f"{name} has no derivative with respect to q")
        q = numpy.asarray(read_value(q) if type(q) is ndarray else q, "float64") / scale
        return _interpolated(as_ndarray(a), q, axis, method, keepdims, skip)

    compute.__doc__ = (
        f"Return quantiles along axes, as `numpy.{name}`; equal elements keep their order in the "
        "derivative."
    )
    return Composition(name, compute, arrays=2)


quantile = _quantile_function("quantile", 1.0, skip=False)
percentile = _quantile_function("percentile", 100.0, skip=False)
nanquantile = _quantile_function("nanquantile", 1.0, skip=True)
nanpercentile = _quantile_function("nanpercentile", 100.0, skip=True)


def _median_function(name: str, skip: bool) -> Composition:
    def compute(
        a: Any, axis: Any = None, overwrite_input: bool = False, keepdims: bool = False
    ) -> Any:
        half = numpy.asarray(0.5)
        return _interpolated(as_ndarray(a), half, axis, "linear", keepdims, skip, _middle)

    compute.__doc__ = f"Return the median along axes, as `numpy.{name}`."
    return Composition(name, compute, arrays=1)


median = _median_function("median", skip=False)
nanmedian = _median_function("nanmedian", skip=True)


@composition("cov", arrays=2)
def cov(
    m: Any,
    y: Any = None,
    rowvar: bool = True,
    bias: bool = False,
    ddof: int | None = None,
    fweights: Any = None,
    aweights: Any = None,
    *,
    dtype: Any = None,
) -> Any:
    """Return the covariance matrix of variables, as `numpy.cov`."""
    if ddof is not None and ddof != int(ddof):
        raise ValueError("ddof must be integer")
    x = _variables(m, rowvar, dtype)
    if y is not None:
        x = concatenate([x, _variables(y, rowvar, dtype)], axis=0)
    weights = 1.0
    for given in (fweights, aweights):
        if given is not None:
            weights = as_ndarray(given) * weights
    ddof = int(bias is False or bias == 0) if ddof is None else ddof
    if fweights is None and aweights is None:
        apart = x - reshape(average(x, axis=1), (-1, 1))
        return _scaled(dot(apart, conjugate(transpose(apart))), max(x.shape[1] - ddof, 0))
    mean, total = average(x, axis=1, weights=weights, returned=True)
    apart = x - reshape(mean, (-1, 1))
    freedom = total[0]
    if ddof and aweights is None:
        freedom = freedom - ddof
    elif ddof:
        freedom = freedom - ddof * (weights * as_ndarray(aweights)).sum() / total[0]
    return _scaled(dot(apart, conjugate(transpose(apart * weights))), freedom)


def _variables(m: Any, rowvar: bool, dtype: Any) -> Any:
    x = as_ndarray(m, dtype)
    if x.ndim > 2:
        raise ValueError("m has more than 2 dimensions")
    if x.dtype.kind not in "fc":
        x = x * 1.0
    x = atleast_2d(x)
    return x if rowvar or x.shape[0] == 1 else transpose(x)


def _scaled(product: Any, freedom: Any) -> Any:
    return (product / freedom).squeeze()


@composition("corrcoef", arrays=2)
def corrcoef(x: Any, y: Any = None, rowvar: bool = True, *, dtype: Any = None) -> Any:
    """Return the matrix of correlation coefficients of variables, as `numpy.corrcoef`."""
    c = cov(x, y, rowvar, dtype=dtype)
    if c.ndim == 0:
        return c / c
    spread = sqrt(real(diag(c)))
    c = c / spread[:, None] / spread[None, :]
    return clip(c, -1.0, 1.0) if c.dtype.kind != "c" else c
