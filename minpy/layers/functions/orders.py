"""The images of a batch in an order that is drawn; it must not know about layers."""

from __future__ import annotations

import numpy

from minpy.autograd.rules import defjvp, defvjp
from minpy.primitives import Primitive

__all__ = ["in_order"]


def _put(g: numpy.ndarray, order: numpy.ndarray) -> numpy.ndarray:
    out = numpy.zeros_like(g)
    numpy.add.at(out, order.astype("int64"), g)
    return out


# The images of a batch in another order, which is drawn: numbers of a float dtype, as all draws.
in_order = Primitive(
    "images_in_order",
    lambda x, order: x[order.astype("int64")],
    arrays=2,
    mxnet=lambda F, x, order: F("take", x, order, axis=0),
)
_back_in_order = Primitive("images_back_in_order", _put, arrays=2)
defvjp(in_order, lambda ans, x, order: lambda g: _back_in_order(g, order), None)
defjvp(in_order, lambda t, ans, x, order: in_order(t, order), None)
defvjp(_back_in_order, lambda ans, g, order: lambda h: in_order(h, order), None)
defjvp(_back_in_order, lambda t, ans, g, order: _back_in_order(t, order), None)
