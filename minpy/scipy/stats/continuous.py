"""Distributions of one real number: what is common to them. It must know none by name."""

from __future__ import annotations

import math
from typing import Any

from minpy.array import as_ndarray, ndarray
from minpy.numpy.elementwise import equal, exp, greater, isnan, less, log, log1p, logical_and, where

__all__ = ["Continuous"]

_INF = math.inf


def _log(p: Any, rest: Any) -> Any:
    """Return log p, by 1 - p where that is the smaller; where p is lost to rounding, -inf."""
    small, none = less(p, 0.5), equal(p, 0)
    of_p = log(where(small & ~none, p, 1.0))
    return where(none, -_INF, where(small, of_p, log1p(-where(small, 0.5, rest))))


class Continuous:
    """A family of distributions of real numbers, of any location and scale.

    Subclasses have shape parameters, in SciPy's order, and functions of a standardised value that
    lies inside of the support.
    """

    shapes: tuple[str, ...] = ()
    lower, upper = -_INF, _INF  # the support
    middle = 0.5  # a value inside of it

    def log_density(self, z: Any, *shapes: Any) -> Any:
        """Return the logarithm of the density."""
        raise NotImplementedError

    def below(self, z: Any, *shapes: Any) -> Any:
        """Return the probability of a smaller value."""
        raise NotImplementedError

    def above(self, z: Any, *shapes: Any) -> Any:
        """Return the probability of a larger value."""
        raise NotImplementedError

    def log_below(self, z: Any, *shapes: Any) -> Any:
        """Return the logarithm of the probability of a smaller value."""
        return _log(self.below(z, *shapes), self.above(z, *shapes))

    def log_above(self, z: Any, *shapes: Any) -> Any:
        """Return the logarithm of the probability of a larger value."""
        return _log(self.above(z, *shapes), self.below(z, *shapes))

    # --- SciPy's functions ------------------------------------------------------------------------

    def logpdf(self, x: Any, *args: Any, **kwargs: Any) -> ndarray:
        """Return the logarithm of the density.

        Parameters
        ----------
        x
            Values.
        args, kwargs
            The shape parameters, then `loc` (0 by default) and `scale` (1), by position or name;
            all broadcast against each other.
        """
        return self._evaluate("logpdf", self.log_density, -_INF, -_INF, x, args, kwargs)

    def pdf(self, x: Any, *args: Any, **kwargs: Any) -> ndarray:
        """Return the density; arguments as of `logpdf`."""
        return exp(self.logpdf(x, *args, **kwargs))

    def cdf(self, x: Any, *args: Any, **kwargs: Any) -> ndarray:
        """Return the probability of a smaller value; arguments as of `logpdf`."""
        return self._evaluate("cdf", self.below, 0.0, 1.0, x, args, kwargs)

    def logcdf(self, x: Any, *args: Any, **kwargs: Any) -> ndarray:
        """Return the logarithm of `cdf`; arguments as of `logpdf`."""
        return self._evaluate("logcdf", self.log_below, -_INF, 0.0, x, args, kwargs)

    def sf(self, x: Any, *args: Any, **kwargs: Any) -> ndarray:
        """Return the probability of a larger value; arguments as of `logpdf`."""
        return self._evaluate("sf", self.above, 1.0, 0.0, x, args, kwargs)

    def logsf(self, x: Any, *args: Any, **kwargs: Any) -> ndarray:
        """Return the logarithm of `sf`; arguments as of `logpdf`."""
        return self._evaluate("logsf", self.log_above, 0.0, -_INF, x, args, kwargs)

    def _evaluate(
        self, name: str, of: Any, left: float, right: float, x: Any, args: tuple, kwargs: dict
    ) -> ndarray:
        """Standardise, evaluate inside of the support, and put in the values for outside of it."""
        x = as_ndarray(x)
        shapes, loc, scale = self._parameters(args, kwargs)
        z = (x - loc) / scale
        allowed = greater(scale, 0)
        for shape in shapes:
            allowed = logical_and(allowed, greater(shape, 0))
        under, over = self._outside(z, name)
        inside = where(under | over, self.middle, z)
        value = of(inside, *shapes)
        if name == "logpdf":
            value = value - log(scale)
        value = where(under, left, where(over, right, value))
        return where(allowed, where(isnan(z), math.nan, value), math.nan)

    def _outside(self, z: Any, name: str) -> tuple[Any, Any]:
        if name == "logpdf":  # the ends belong to the support
            return less(z, self.lower) | (z == -_INF), greater(z, self.upper) | (z == _INF)
        return z <= self.lower, z >= self.upper

    def _parameters(self, args: tuple, kwargs: dict) -> tuple[list[Any], Any, Any]:
        order = (*self.shapes, "loc", "scale")
        what = f"{type(self).__name__} distribution"
        if len(args) > len(order):
            raise TypeError(f"{what}: expected x and at most {', '.join(order)}, got {len(args)}")
        given = dict(zip(order, args, strict=False))
        for key, value in kwargs.items():
            if key not in order or key in given:
                why = "given twice" if key in given else f"unknown; it takes {', '.join(order)}"
                raise TypeError(f"{what}: argument {key!r} is {why}")
            given[key] = value
        absent = [s for s in self.shapes if s not in given]
        if absent:
            raise TypeError(f"{what}: no value for the shape parameter {absent[0]!r}")
        return [given[s] for s in self.shapes], given.get("loc", 0.0), given.get("scale", 1.0)
