"""The Bessel function of order zero, and the window made of it; other windows are constant.

It must not know ``minpy.scipy``, which has the other Bessel functions.
"""

from __future__ import annotations

import math
from typing import Any

import numpy

from minpy.array import as_ndarray, ndarray, read_value
from minpy.autograd.rules import defjvp, defvjp
from minpy.numpy.elementwise import exp, sqrt
from minpy.numpy.function import Function, composition
from minpy.numpy.reductions import mean
from minpy.numpy.shaping import expand_dims

__all__ = ["i0", "kaiser"]

i0 = Function("i0", arrays=1)


def _di0(x: Any) -> ndarray:
    """Return I1(x), the mean of exp(x cos θ) cos θ over a circle (DLMF 10.32.3).

    The trapezoidal rule on a circle converges faster than any power: its error is about
    exp(-n²/2x), or smaller.
    """
    value = numpy.abs(read_value(x))
    largest = float(numpy.max(value, initial=0.0, where=numpy.isfinite(value)))
    n = 48 + int(9 * math.sqrt(largest))
    cosines = numpy.cos((numpy.arange(n) + 0.5) * (2 * math.pi / n)).astype(x.dtype)
    return mean(exp(expand_dims(x, -1) * cosines) * cosines, -1)


defvjp(i0, lambda ans, x: lambda g: g * _di0(x))
defjvp(i0, lambda t, ans, x: t * _di0(as_ndarray(x)))


@composition("kaiser", arrays=0)
def kaiser(M: Any, beta: Any) -> ndarray:
    """Return the Kaiser window, as `numpy.kaiser`; its derivative is the one in `beta`."""
    beta = as_ndarray(beta)
    if M == 1:
        return as_ndarray(numpy.ones(1, beta.dtype))
    n = numpy.arange(0, M)
    alpha = (M - 1) / 2.0
    shape = sqrt(as_ndarray((1.0 - ((n - alpha) / alpha) ** 2.0).astype(beta.dtype)))
    return i0(beta * shape) / i0(beta)
