"""The transpose of broadcasting: sums a gradient back to the shape that its argument had."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy

from minpy.array import ndarray
from minpy.autograd.rules import def_linear, defvjp
from minpy.primitives import Primitive, registry

__all__ = ["broadcast_to", "unbroadcast", "unbroadcast_f"]

_ndarray = numpy.ndarray

broadcast_to = Primitive(
    "broadcast_to",
    numpy.broadcast_to,
    arrays=1,
    mxnet=lambda F, x, shape: F("_np_broadcast_to", x, shape=tuple(shape)),
)


def unbroadcast(x: ndarray, shape: tuple[int, ...], dtype: numpy.dtype) -> ndarray:
    """Sum an array over the axes along which broadcasting repeated it, and give it a dtype.

    Parameters
    ----------
    x
        A gradient, of the shape after broadcasting.
    shape, dtype
        What the argument had before.
    """
    value = x._np
    if value is not None and value.shape == shape and value.dtype is dtype:
        return x
    given = x.shape
    if given != shape:
        extra = len(given) - len(shape)
        if extra > 0:
            x = registry["sum"](x, tuple(range(extra)))
        repeated = tuple(
            i for i, (n, m) in enumerate(zip(x.shape, shape, strict=False)) if m == 1 and n != 1
        )
        if repeated:
            x = registry["sum"](x, repeated, keepdims=True)
        if x.shape != shape:  # a gradient smaller than the argument: a constant along an axis
            x = broadcast_to(x, shape)
    if x.dtype != dtype:
        if x.dtype.kind == "c" and dtype.kind != "c":
            x = registry["real"](x)
        x = registry["astype"](x, dtype)
    return x


def unbroadcast_f(target: ndarray, vjp: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return ``vjp`` followed by the sum back to the shape and dtype of `target`."""
    value = target._np
    if value is not None:
        shape, dtype = value.shape, value.dtype
    else:
        shape, dtype = target.shape, target.dtype
    return lambda g: unbroadcast(vjp(g), shape, dtype)


defvjp(
    broadcast_to,
    lambda ans, x, shape: unbroadcast_f(x, lambda g: g),
)
def_linear(broadcast_to)
