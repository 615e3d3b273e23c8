"""The Poisson distribution, as ``scipy.stats.poisson``.

The derivatives are those in the parameters, and of the mass in its value as a real number.
"""

from __future__ import annotations

import math
from typing import Any

from minpy.array import as_ndarray, ndarray
from minpy.numpy.elementwise import (
    equal,
    exp,
    floor,
    greater_equal,
    isnan,
    less,
    log,
    not_equal,
    where,
)
from minpy.scipy import special
from minpy.scipy.kernels import reach

__all__ = ["cdf", "logcdf", "logpmf", "logsf", "pmf", "sf"]

__getattr__, __dir__ = reach("stats.poisson", __all__)

_INF = math.inf


def _log(p: Any) -> Any:
    """Return log p; -inf with derivative zero where p is."""
    none = equal(p, 0)
    return where(none, -_INF, log(where(none, 1.0, p)))


def logpmf(k: Any, mu: Any, loc: Any = 0.0) -> ndarray:
    """Return the logarithm of the probability of `k`; -inf where it is no whole number."""
    k = as_ndarray(k) - loc
    outside = less(k, 0) | not_equal(floor(k), k)
    inside = where(outside, 1.0, k)
    value = special.xlogy(inside, mu) - special.gammaln(inside + 1.0) - mu
    return _allowed(where(outside, -_INF, value), k, mu)


def pmf(k: Any, mu: Any, loc: Any = 0.0) -> ndarray:
    """Return the probability of `k`."""
    return exp(logpmf(k, mu, loc))


def cdf(k: Any, mu: Any, loc: Any = 0.0) -> ndarray:
    """Return the probability of `k` or less."""
    return _tail(special.gammaincc, 0.0, 1.0, k, mu, loc)


def sf(k: Any, mu: Any, loc: Any = 0.0) -> ndarray:
    """Return the probability of more than `k`."""
    return _tail(special.gammainc, 1.0, 0.0, k, mu, loc)


def logcdf(k: Any, mu: Any, loc: Any = 0.0) -> ndarray:
    """Return the logarithm of `cdf`."""
    return _log(cdf(k, mu, loc))


def logsf(k: Any, mu: Any, loc: Any = 0.0) -> ndarray:
    """Return the logarithm of `sf`."""
    return _log(sf(k, mu, loc))


def _tail(of: Any, left: float, right: float, k: Any, mu: Any, loc: Any) -> ndarray:
    k = floor(as_ndarray(k) - loc)
    under, over = less(k, 0), k == _INF
    value = of(where(under | over, 0.0, k) + 1.0, mu)
    return _allowed(where(under, left, where(over, right, value)), k, mu)


def _allowed(value: Any, k: Any, mu: Any) -> ndarray:
    return where(greater_equal(mu, 0), where(isnan(k), math.nan, value), math.nan)
