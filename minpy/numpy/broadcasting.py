"""The transpose of broadcasting: sums a gradient back to the shape that its argument had."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy

from minpy.array import as_ndarray, ndarray, read_value
from minpy.autograd.rules import def_linear, defvjp
from minpy.numpy.function import Function
from minpy.primitives import registry

__all__ = ["broadcast_arrays", "broadcast_shapes", "broadcast_to"]


def _mx_broadcast_to(F: Any, array: Any, shape: Any, subok: bool = False) -> Any:
    return F("_npi_broadcast_to", array, shape=tuple(shape))


broadcast_to = Function(
    "broadcast_to",
    lambda array, shape, subok=False: numpy.broadcast_to(array, shape),
    arrays=1,
    is_view=True,
    mxnet=_mx_broadcast_to,
    doc=numpy.broadcast_to.__doc__,
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
        elif extra < 0:  # what was written into a part had axes of length 1 before the part's own
            x = registry["reshape"](x, (1,) * -extra + given)
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


def _spread(array: numpy.ndarray, shape: Any) -> numpy.ndarray:
    view = numpy.broadcast_to(array, shape)
    if array.flags._writeable_no_warn:  # as NumPy asks, of what may be such a view itself
        view.flags.writeable = True
    return view


# What `broadcast_arrays` makes: a view whose elements share memory, and may be written to.
spread = Function("spread", _spread, arrays=1, is_view=True, mxnet=_mx_broadcast_to)

for _operation in (broadcast_to, spread):
    defvjp(_operation, lambda ans, array, shape, subok=False: unbroadcast_f(array, lambda g: g))
    def_linear(_operation)


def broadcast_shapes(*shapes: Any) -> tuple[int, ...]:
    """Return the shape that shapes broadcast to, as `numpy.broadcast_shapes`."""
    return numpy.broadcast_shapes(*[_shape(s) for s in shapes])


def broadcast_arrays(*args: Any, subok: bool = False) -> list[Any]:
    """Broadcast arrays against each other, as `numpy.broadcast_arrays`; the results are views.

    Writing to them is deprecated, as it is in NumPy: an element stands in several places.
    """
    arrays = [as_ndarray(a) for a in args]
    shape = numpy.broadcast_shapes(*[a.shape for a in arrays])
    if all(a.shape == shape for a in arrays):
        return arrays
    views = [spread(a, shape) for a in arrays]
    for view in views:
        memory = view._np
        if memory is not None and memory.flags._writeable_no_warn:
            memory.flags._warn_on_write = True  # NumPy's own mark, and its own warning
    return views


def _shape(shape: Any) -> Any:
    return tuple(read_value(shape).tolist()) if type(shape) is ndarray else shape
