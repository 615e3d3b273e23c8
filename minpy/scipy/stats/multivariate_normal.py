"""The normal distribution of vectors, as ``scipy.stats.multivariate_normal``.

The distribution function comes from SciPy, to the precision that its integration has; its
derivatives are normal densities times distribution functions of fewer dimensions (R. L. Plackett,
"A reduction formula for normal multivariate integrals", 1954).
"""

from __future__ import annotations

import math
from typing import Any

import numpy

from minpy.array import as_ndarray, ndarray
from minpy.autograd.rules import defvjp_argnums
from minpy.numpy.creation import eye
from minpy.numpy.elementwise import exp, greater, isinf, log, where
from minpy.numpy.function import Function
from minpy.numpy.linalg import LinAlgError, cholesky, solve
from minpy.numpy.products import matmul
from minpy.numpy.reductions import sum
from minpy.numpy.shaping import diag, diagonal, reshape, stack, transpose
from minpy.scipy.kernels import reach, scipy_module

__all__ = ["cdf", "entropy", "logcdf", "logpdf", "pdf"]

__getattr__, __dir__ = reach("stats.multivariate_normal", __all__)

_LOG_2PI = math.log(2 * math.pi)


def _log_density(dev: Any, cov: Any) -> ndarray:
    """Return the logarithm of the normal density of rows of deviations from the mean."""
    try:
        root = cholesky(cov)
    except LinAlgError:
        raise LinAlgError(
            "multivariate_normal: the covariance must be positive definite; allow_singular=True "
            "takes a semidefinite one"
        ) from None
    scaled = solve(root, transpose(dev))
    log_det = 2.0 * sum(log(diagonal(root)))
    return -0.5 * (dev.shape[-1] * _LOG_2PI + log_det + sum(scaled * scaled, 0))


# --- the distribution function --------------------------------------------------------------------


def _cdf_kernel(dev: Any, cov: Any, **precision: Any) -> numpy.ndarray:
    if dev.shape[-1] == 1:
        made = scipy_module("special", "stats.multivariate_normal.cdf")
        return made.ndtr(dev[:, 0] / numpy.sqrt(cov[0, 0]))
    made = scipy_module("stats", "stats.multivariate_normal.cdf")
    value = made.multivariate_normal.cdf(dev, cov=cov, allow_singular=True, **precision)
    return numpy.reshape(value, dev.shape[:1])


_cdf = Function("stats.multivariate_normal.cdf", _cdf_kernel, arrays=2)


def _below(dev: Any, cov: Any, precision: dict) -> Any:
    return _cdf(dev, cov, **precision) if dev.shape[-1] else 1.0


def _density_and_rest(dev: Any, cov: Any, given: list[int], precision: dict) -> Any:
    """Return the density of some components times the probability that the others lie below."""
    rest = [k for k in range(dev.shape[-1]) if k not in given]
    own = cov[numpy.ix_(given, given)]
    across = cov[numpy.ix_(given, rest)]
    at = dev[:, given]
    # Density is zero at infinity, whatever the others do.
    far = isinf(at).any(-1)
    at = where(far[:, None], 0.0, at)
    slopes = solve(own, across)
    moved = dev[:, rest] - matmul(at, slopes)
    left = cov[numpy.ix_(rest, rest)] - matmul(transpose(across), slopes)
    value = exp(_log_density(at, own)) * _below(moved, left, precision)
    return where(far, 0.0, value)


def _cdf_vjp(argnums: tuple, ans: Any, args: tuple, kwargs: dict) -> Any:
    dev, cov = as_ndarray(args[0]), as_ndarray(args[1])
    d = dev.shape[-1]

    def slopes() -> Any:
        return stack([_density_and_rest(dev, cov, [i], kwargs) for i in range(d)], axis=-1)

    def curvature() -> Any:
        """Return second derivatives in the deviations, of shape (points, d, d)."""
        pairs: dict[tuple[int, int], Any] = {}
        for i in range(d):
            for j in range(i):
                pairs[i, j] = pairs[j, i] = _density_and_rest(dev, cov, [i, j], kwargs)
        first = slopes()
        for i in range(d):
            at = where(isinf(dev[:, i]), 0.0, dev[:, i])
            own = -at * first[:, i]
            for j in range(d):
                if j != i:
                    own = own - cov[i, j] * pairs[i, j]
            pairs[i, i] = own / cov[i, i]
        return stack([stack([pairs[i, j] for j in range(d)], axis=-1) for i in range(d)], axis=-2)

    def vjp(g: Any) -> Any:
        made = {
            0: lambda: g[:, None] * slopes(),
            1: lambda: 0.5 * sum(g[:, None, None] * curvature(), 0),
        }
        return [made[n]() for n in argnums]

    return vjp


defvjp_argnums(_cdf, _cdf_vjp)


def logpdf(x: Any, mean: Any = None, cov: Any = 1.0, allow_singular: bool = False) -> ndarray:
    """Return the logarithm of the density.

    Parameters
    ----------
    x
        Points, of shape (..., d).
    mean
        Of shape (d,); zero by default.
    cov
        The covariance, of shape (d, d), its diagonal, or one number. Derivatives are those of
        a function of a symmetric matrix.
    allow_singular
        Whether the covariance may be semidefinite. Then the density is the one on the subspace
        that it spans, -inf elsewhere, and derivatives are those within the subspace.

    Examples
    --------
    >>> import minpy, minpy.numpy as np
    >>> from minpy.scipy.stats import multivariate_normal
    >>> minpy.grad(multivariate_normal.logpdf)(np.array([1., 2.]), np.zeros(2), np.eye(2))
    array([-1., -2.])
    """
    dev, cov, shape = _standard(x, mean, cov)
    if not allow_singular:
        return reshape(_log_density(dev, cov), shape)
    values, vectors = numpy.linalg.eigh(cov.asnumpy())
    # SciPy's cut: 1e3 eps in single precision, 1e6 eps in double.
    eps = numpy.finfo(values.dtype).eps * (1e3 if values.dtype == "float32" else 1e6)
    tiny = eps * numpy.abs(values).max()
    if values.min() < -tiny:
        raise ValueError("multivariate_normal: the covariance must be positive semidefinite")
    span, null = vectors[:, values > tiny], vectors[:, values <= tiny]
    inside = _log_density(matmul(dev, span), matmul(span.T, matmul(cov, span)))
    away = matmul(dev, null)
    outside = greater(sum(away * away, -1), tiny)
    return reshape(where(outside, -math.inf, inside), shape)


def pdf(x: Any, mean: Any = None, cov: Any = 1.0, allow_singular: bool = False) -> ndarray:
    """Return the density; arguments as of `logpdf`."""
    return exp(logpdf(x, mean, cov, allow_singular))


def cdf(x: Any, mean: Any = None, cov: Any = 1.0, **precision: Any) -> ndarray:
    """Return the probability that no component is larger than the one of `x`.

    Parameters
    ----------
    x, mean, cov
        As of `logpdf`.
    precision
        `maxpts`, `abseps` and `releps` of `scipy.stats.multivariate_normal.cdf`. One and two
        dimensions are exact; from three on the integration is by random points.
    """
    dev, cov, shape = _standard(x, mean, cov)
    return reshape(_cdf(dev, cov, **precision), shape)


def logcdf(x: Any, mean: Any = None, cov: Any = 1.0, **precision: Any) -> ndarray:
    """Return the logarithm of `cdf`."""
    return log(cdf(x, mean, cov, **precision))


def entropy(mean: Any = None, cov: Any = 1.0) -> ndarray:
    """Return the differential entropy."""
    _, cov, _ = _standard(numpy.zeros(1) if mean is None else mean, mean, cov)
    root = cholesky(cov)
    return 0.5 * cov.shape[0] * (_LOG_2PI + 1.0) + sum(log(diagonal(root)))


def _standard(x: Any, mean: Any, cov: Any) -> tuple[ndarray, ndarray, tuple[int, ...]]:
    """Return rows of deviations, the covariance as a matrix, and the shape of the result."""
    x, cov = as_ndarray(x), as_ndarray(cov)
    mean = None if mean is None else as_ndarray(mean)
    d = mean.size if mean is not None else (cov.shape[0] if cov.ndim else 1)
    if cov.ndim == 0:
        cov = cov * eye(d, dtype=cov.dtype if cov.dtype.kind == "f" else None)
    elif cov.ndim == 1:
        cov = diag(cov)
    if cov.shape != (d, d):
        raise ValueError(
            f"multivariate_normal: expected a covariance of shape ({d}, {d}) for a mean of "
            f"{d} components, got {cov.shape}"
        )
    if x.dtype.kind != "f":
        x = x * 1.0
    if d == 1 and (x.ndim == 0 or x.shape[-1] != 1):
        x = x[..., None]  # numbers, not vectors
    if x.ndim == 0 or x.shape[-1] not in (d, 1):
        raise ValueError(
            f"multivariate_normal: expected points of {d} components, got shape {x.shape}"
        )
    shape = x.shape[:-1]
    dev = x - (numpy.zeros(d, x.dtype) if mean is None else reshape(mean, (d,)))
    return reshape(dev, (-1, dev.shape[-1])), cov, shape
