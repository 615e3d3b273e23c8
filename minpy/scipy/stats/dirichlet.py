"""The Dirichlet distribution, as ``scipy.stats.dirichlet``."""

from __future__ import annotations

from typing import Any

import numpy

from minpy.array import as_ndarray, ndarray
from minpy.numpy.elementwise import exp
from minpy.numpy.reductions import sum
from minpy.numpy.shaping import concatenate, reshape
from minpy.scipy import special
from minpy.scipy.kernels import reach

__all__ = ["logpdf", "pdf"]

__getattr__, __dir__ = reach("stats.dirichlet", __all__)


def logpdf(x: Any, alpha: Any) -> ndarray:
    """Return the logarithm of the density.

    Parameters
    ----------
    x
        Proportions that sum to one, along the first axis, of which the last may be left out.
    alpha
        Concentrations, of shape (K,).
    """
    x, alpha = as_ndarray(x), as_ndarray(alpha)
    k = alpha.shape[0]
    if x.shape[0] == k - 1:
        x = concatenate([x, 1.0 - sum(x, 0, keepdims=True)])
    _check(x, alpha)
    shaped = reshape(alpha, (k,) + (1,) * (x.ndim - 1))
    return (
        sum(special.xlogy(shaped - 1.0, x), 0)
        - sum(special.gammaln(alpha))
        + special.gammaln(sum(alpha))
    )


def pdf(x: Any, alpha: Any) -> ndarray:
    """Return the density; arguments as of `logpdf`."""
    return exp(logpdf(x, alpha))


def _check(x: ndarray, alpha: ndarray) -> None:
    if alpha.ndim != 1 or not (alpha.asnumpy() > 0).all():
        raise ValueError("dirichlet: expected a vector of positive alpha")
    if x.shape[0] != alpha.shape[0]:
        raise ValueError(
            f"dirichlet: expected {alpha.shape[0]} proportions for as many alpha, or one "
            f"fewer, got shape {x.shape}"
        )
    values = x.asnumpy()
    rounding = 1e-9 if values.dtype == "float64" else 1e-5
    if (values < 0).any() or (numpy.abs(values.sum(0) - 1.0) > rounding).any():
        raise ValueError(
            "dirichlet: expected proportions that aren't negative and sum to one, got sum "
            f"{values.sum(0)}; normalise them, x / x.sum(0)"
        )
