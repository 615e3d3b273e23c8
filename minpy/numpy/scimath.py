"""Functions that go on into the complex numbers: what ``numpy.emath`` has, with derivatives.

Where an element lies outside of what the real function takes, the whole array becomes complex.
"""

from __future__ import annotations

from typing import Any

import numpy

from minpy.array import as_ndarray, ndarray, read_value
from minpy.numpy import elementwise as e
from minpy.numpy.function import composition

__all__: list[str] = []  # reached by their path, as in NumPy


def _widened(x: Any, outside: Any) -> ndarray:
    x = as_ndarray(x)
    value = read_value(x)
    if value.dtype.kind == "c" or not numpy.any(outside(value)):
        return x
    return e.astype(x, numpy.result_type(value.dtype, numpy.complex64))


def _below_zero(value: numpy.ndarray) -> Any:
    return value < 0


def _beyond_one(value: numpy.ndarray) -> Any:
    return abs(value) > 1


def _of_one(name: str, outside: Any) -> None:
    kernel = getattr(numpy.emath, name)

    @composition(f"lib.scimath.{name}", kernel, arrays=1)
    def widened(x: Any) -> ndarray:
        return getattr(e, name)(_widened(x, outside))

    widened.__doc__ = f"As `numpy.emath.{name}`."


for _name in ("sqrt", "log", "log2", "log10"):
    _of_one(_name, _below_zero)
for _name in ("arccos", "arcsin", "arctanh"):
    _of_one(_name, _beyond_one)


@composition("lib.scimath.logn", numpy.emath.logn, arrays=2)
def logn(n: Any, x: Any) -> ndarray:
    """Return the logarithm to base `n`, as `numpy.emath.logn`."""
    return e.log(_widened(x, _below_zero)) / e.log(_widened(n, _below_zero))


@composition("lib.scimath.power", numpy.emath.power, arrays=2)
def power(x: Any, p: Any) -> ndarray:
    """Raise to a power, as `numpy.emath.power`."""
    x, p = _widened(x, _below_zero), as_ndarray(p)
    if p.dtype.kind in "iu" and numpy.any(read_value(p) < 0):
        p = p * 1.0
    return e.power(x, p)
