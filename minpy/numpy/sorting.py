"""Sorting, searching and sets: derivatives go where the elements came from.

It must not know about arithmetic on elements.
"""

from __future__ import annotations

from typing import Any

import numpy

from minpy import runtime
from minpy.array import as_ndarray, is_tracked, ndarray, read_value
from minpy.autograd.rules import defjvp, defvjp
from minpy.numpy import mxnet_kernels as mx
from minpy.numpy.function import Function
from minpy.numpy.indexing import take, take_along_axis
from minpy.numpy.mxnet_gather import taken_along
from minpy.numpy.shaping import ravel, reshape

__all__ = [
    "argpartition",
    "argsort",
    "msort",
    "partition",
    "searchsorted",
    "sort",
    "unique",
]


def _mx_order(F: Any, a: Any, axis: Any = -1, kind: Any = None, order: Any = None) -> Any:
    """Return the numbers along an axis of the elements in order, nan last."""
    mx.require_floats("argsort", a)
    if axis is None or kind is not None or order is not None or 0 in a.shape or not a.shape:
        raise runtime.Unsupported("MXNet sorts along one axis, with no choice of the algorithm")
    if not -len(a.shape) <= axis < len(a.shape):
        raise runtime.Unsupported("left to NumPy, which raises the right error")
    zeros = F("zeros_like", a)
    last = F("_npi_add_scalar", zeros, scalar="inf", is_int=False)
    keys = F("_npi_where", F("_npi_isnan", a), last, a)
    return F("argsort", keys, axis=axis, is_ascend=True, dtype="int64")


def _mx_sort(F: Any, a: Any, axis: Any = -1, kind: Any = None, order: Any = None) -> Any:
    numbers = _mx_order(F, a, axis, kind, order)
    return taken_along(F, a, numbers, axis, tuple(a.shape))


argsort = Function("argsort", arrays=1, mxnet=_mx_order, differentiable=False)
argpartition = Function("argpartition", arrays=1, differentiable=False)
searchsorted = Function("searchsorted", arrays=2, differentiable=False)


def _origin(ans: ndarray, x: ndarray, axis: int) -> numpy.ndarray:
    """Return the indices along an axis at which ``x`` has the elements of its rearrangement."""
    from_x = numpy.argsort(read_value(x), axis, kind="stable")
    from_ans = numpy.argsort(read_value(ans), axis, kind="stable")
    rank = numpy.argsort(from_ans, axis, kind="stable")
    return numpy.take_along_axis(from_x, rank, axis)


def _rearranging(name: str, mxnet: Any = None) -> Function:
    """Make ``sort`` or ``partition``: equal elements keep their order in the derivative."""
    made = Function(name, arrays=1, mxnet=mxnet)

    def flattened(x: Any, axis: int | None) -> tuple[Any, int]:
        return (reshape(x, (-1,)), 0) if axis is None else (x, axis)

    def vjp(ans: Any, x: ndarray, *args: Any, axis: int | None = -1, **kwargs: Any) -> Any:
        flat, along = flattened(x, axis)
        index: list[numpy.ndarray] = []

        def back(g: Any) -> Any:
            # Worked out here and not above: a forward pass that is never gone back costs less.
            if not index:
                index.append(numpy.argsort(_origin(ans, flat, along), along))
            return reshape(take_along_axis(g, index[0], along), x.shape)

        return back

    def jvp(t: Any, ans: Any, x: ndarray, *args: Any, axis: int | None = -1, **kwargs: Any) -> Any:
        flat, along = flattened(x, axis)
        return take_along_axis(flattened(t, axis)[0], _origin(ans, flat, along), along)

    defvjp(made, vjp)
    defjvp(made, jvp)
    return made


_sort = _rearranging("sort", _mx_sort)
_partition = _rearranging("partition")


def _refuse_fields(order: Any) -> None:
    if order is not None:
        raise ValueError("Cannot specify order when the array has no fields.")


def sort(a: Any, axis: int | None = -1, kind: Any = None, order: Any = None) -> Any:
    """Return a sorted copy, as `numpy.sort`."""
    _refuse_fields(order)
    options = {} if type(axis) is int and axis == -1 else {"axis": axis}
    if kind is not None:
        options["kind"] = kind
    return _sort(a, **options)


def msort(a: Any) -> Any:
    """Return a copy sorted along the first axis, as `numpy.msort`."""
    return sort(a, axis=0)


def partition(
    a: Any, kth: Any, axis: int | None = -1, kind: str = "introselect", order: Any = None
) -> Any:
    """Return a copy with the kth element in its sorted place, as `numpy.partition`."""
    _refuse_fields(order)
    return _partition(as_ndarray(a), kth, axis=axis, kind=kind)


_unique = Function("unique", arrays=1)


def unique(
    ar: Any,
    return_index: bool = False,
    return_inverse: bool = False,
    return_counts: bool = False,
    axis: int | None = None,
    *,
    equal_nan: bool = True,
) -> Any:
    """Return the sorted distinct elements, as `numpy.unique`.

    Each is the first of those that are equal to it, and gets the whole derivative.
    """
    ar = as_ndarray(ar)
    asked = {
        "return_index": return_index,
        "return_inverse": return_inverse,
        "return_counts": return_counts,
        "axis": axis,
        "equal_nan": equal_nan,
    }
    if not is_tracked(ar):
        return _unique(ar, **asked)
    asked["return_index"] = True
    _, index, *others = numpy.unique(read_value(ar), **asked)
    values = take(ravel(ar) if axis is None else ar, index, axis=0 if axis is None else axis)
    found = [values, *([as_ndarray(index)] if return_index else []), *map(as_ndarray, others)]
    return found[0] if len(found) == 1 else tuple(found)
