"""A value that derivatives take as a constant."""

from __future__ import annotations

from typing import Any

import numpy

from minpy.array import as_ndarray, ndarray
from minpy.autograd.rules import defjvp, defvjp
from minpy.primitives import Primitive

__all__ = ["stop_gradient"]

_stop_gradient = Primitive(
    "stop_gradient", numpy.copy, arrays=1, mxnet=lambda F, x: F("BlockGrad", x)
)
defvjp(_stop_gradient, None)
defjvp(_stop_gradient, None)


def stop_gradient(x: Any) -> ndarray:
    """Return a copy of an array that derivatives take as a constant.

    Examples
    --------
    >>> import minpy, minpy.numpy as np
    >>> from minpy.layers.functions import stop_gradient
    >>> float(minpy.grad(lambda x: x * stop_gradient(x))(3.0))
    3.0
    """
    return _stop_gradient(as_ndarray(x))
