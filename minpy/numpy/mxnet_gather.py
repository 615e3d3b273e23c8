"""MXNet kernels that only move elements: by the places that NumPy's function takes them from.

Whatever rearranges an array does the same to an array of places, and NumPy works that one out when
the kernel is called: in a graph once, while it is traced. What is left for MXNet is `take`, whose
derivative is right, repeated places included.

It must not know any operation by name, nor its derivative.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy

from minpy import runtime

__all__ = ["constant", "gathered", "rearranging", "shape_of", "taken", "taken_along", "taken_at"]

_MOST = 2**31 - 1


def constant(F: Any, value: numpy.ndarray, like: Any) -> Any:
    """Return an array as an operand of MXNet's, where `like` lies; in a graph, as a constant."""
    if F.symbolic:
        return F.scratch(numpy.ascontiguousarray(value))
    device = like.context
    nd = runtime.borrow(numpy.ascontiguousarray(value))
    if device.device_type == "cpu" and device.device_id == 0:
        return nd
    return runtime.copy_to(nd, device.device_type, device.device_id)


def shape_of(function: Callable[..., Any], shape: tuple[int, ...], *args: Any, **kwargs: Any):
    """Return the shape of what a function that moves elements returns."""
    return function(numpy.broadcast_to(numpy.int8(0), shape), *args, **kwargs).shape


def gathered(F: Any, x: Any, places: numpy.ndarray) -> Any:
    """Return the elements of `x` at places in its flattened form, in the shape of `places`."""
    if not places.size or not math.prod(x.shape):
        raise runtime.Unsupported("MXNet takes from no empty arrays, and nothing")
    if not x.shape:
        return F("_npi_broadcast_to", x, shape=places.shape)
    flat = F("_np_reshape", x, newshape=(-1,)) if len(x.shape) > 1 else x
    where = constant(F, places.astype("int32").reshape(-1), x)
    out = F("take", flat, where, axis=0, mode="clip")
    return out if places.ndim == 1 else F("_np_reshape", out, newshape=places.shape)


def rearranging(function: Callable[..., Any]) -> Callable[..., Any]:
    """Make the kernel of a function that moves elements, and computes nothing.

    Parameters
    ----------
    function
        NumPy's, ``function(x, *args, **kwargs)``.
    """

    def kernel(F: Any, x: Any, *args: Any, **kwargs: Any) -> Any:
        size = math.prod(x.shape)
        if size > _MOST:
            raise runtime.Unsupported("an array has more places than 32 bits count")
        places = numpy.arange(size, dtype="int32").reshape(x.shape)
        return gathered(F, x, function(places, *args, **kwargs))

    return kernel


def taken(F: Any, x: Any, numbers: Any, axis: int | None, mode: str) -> Any:
    """Return slices along an axis, by whole numbers that only the run of a graph knows.

    Parameters
    ----------
    numbers
        An operand of an integer dtype, which may count from the end; `mode` is as in `numpy.take`.
    """
    kind = numpy.dtype(numbers.dtype).kind
    if not math.prod(x.shape) or not math.prod(numbers.shape) or kind not in "iu" or not x.shape:
        raise runtime.Unsupported("MXNet takes by integers, neither nothing nor from nothing")
    shape = x.shape
    if axis is None:
        x, shape, axis = F("_np_reshape", x, newshape=(-1,)), (math.prod(shape),), 0
    if not -len(shape) <= axis < len(shape):
        raise runtime.Unsupported("left to NumPy, which raises the right error")
    axis %= len(shape)
    if mode == "raise" and kind == "i":  # there MXNet doesn't count from the end
        negative = F("Cast", F("_npi_less_scalar", numbers, scalar=0.0), dtype=_name(numbers))
        length = F("_npi_multiply_scalar", negative, scalar=float(shape[axis]), is_int=True)
        at = F("_npi_add", numbers, length)
    else:
        at = numbers
    out = F("take", x, at, axis=axis, mode=mode)
    if numbers.shape:
        return out
    return F("_np_reshape", out, newshape=(*shape[:axis], *shape[axis + 1 :]))


def taken_along(F: Any, x: Any, numbers: Any, axis: int, seen: tuple[int, ...]) -> Any:
    """Return the elements along an axis, with numbers of their own for each of the others.

    Parameters
    ----------
    numbers
        An operand of an integer dtype and of the shape of `x` but for the axis.
    seen
        Its shape.
    """
    ndim = len(x.shape)
    if not -ndim <= axis < ndim or len(seen) != ndim:
        raise runtime.Unsupported("left to NumPy, which raises the right error")
    axis %= ndim
    rest = [i for i in range(ndim) if i != axis]
    if any(x.shape[i] != seen[i] for i in rest) or not math.prod(seen) or not math.prod(x.shape):
        raise runtime.Unsupported("MXNet broadcasts no indices, and takes from no empty array")
    order = (*rest, axis)
    back = tuple(int(i) for i in numpy.argsort(order))
    length, count = x.shape[axis], seen[axis]
    rows = math.prod(x.shape[i] for i in rest)
    if rows * length > _MOST:
        raise runtime.Unsupported("an array has more places than 32 bits count")
    values = F("_np_reshape", F("_np_transpose", x, axes=order), newshape=(-1,))
    at = F("_np_reshape", F("_np_transpose", numbers, axes=order), newshape=(rows, count))
    starts = constant(F, numpy.arange(rows, dtype="int64")[:, None] * length, x)
    at = F("_npi_add", _checked(F, at, length, rows * length), starts)
    out = F("take", values, at, axis=0, mode="raise")
    out = F("_np_reshape", out, newshape=(*[x.shape[i] for i in rest], count))
    return F("_np_transpose", out, axes=back)


def taken_at(F: Any, x: Any, numbers: tuple) -> Any:
    """Return the elements at as many numbers as there are arrays of them, one for an axis each.

    Parameters
    ----------
    numbers
        Operands of integer dtypes, of shapes that broadcast; for the first axes of `x`.
    """
    shape, given = tuple(x.shape), len(numbers)
    if given > len(shape) or any(numpy.dtype(n.dtype).kind not in "iu" for n in numbers):
        raise runtime.Unsupported("left to NumPy, which raises the right error")
    seen = numpy.broadcast_shapes(*[n.shape for n in numbers])
    size = math.prod(shape[:given])
    if not math.prod(seen) or not math.prod(shape) or not seen or size > _MOST:
        raise runtime.Unsupported("MXNet takes neither nothing nor from nothing")
    at = None
    for axis, n in enumerate(numbers):
        place = _checked(F, n, shape[axis], size)
        step = math.prod(shape[axis + 1 : given])
        place = F("_npi_multiply_scalar", place, scalar=float(step), is_int=True)
        at = place if at is None else F("_npi_add", at, place)
    rows = F("_np_reshape", x, newshape=(-1, *shape[given:]))
    out = F("take", rows, F("_np_reshape", at, newshape=(-1,)), axis=0, mode="raise")
    return F("_np_reshape", out, newshape=(*seen, *shape[given:]))


def _checked(F: Any, numbers: Any, length: int, size: int) -> Any:
    """Return numbers from 0 on, which may have counted from the end.

    MXNet's `take` checks the sum of all axes' numbers, which may be right where one number is not:
    a number that is out of range becomes one that is out of range for all of `size`.
    """
    at = F("Cast", numbers, dtype="int64")
    below = F("Cast", F("_npi_less_scalar", at, scalar=0.0), dtype="int64")
    at = F("_npi_add", at, F("_npi_multiply_scalar", below, scalar=float(length), is_int=True))
    low = F("Cast", F("_npi_less_scalar", at, scalar=0.0), dtype="int64")
    high = F("Cast", F("_npi_greater_equal_scalar", at, scalar=float(length)), dtype="int64")
    # Added where too high and taken off where too low: what other axes add can't bring it back.
    far = F("_npi_subtract", high, low)
    return F("_npi_add", at, F("_npi_multiply_scalar", far, scalar=float(4 * size), is_int=True))


def _name(x: Any) -> str:
    return numpy.dtype(x.dtype).name
