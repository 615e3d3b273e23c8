"""The methods of a ufunc as one operation after the other: what is differentiated takes this way.

It must not know which ufunc it is given, only that it takes two arrays (`applied_at`: or one).
"""

from __future__ import annotations

from typing import Any

import numpy

from minpy.array import as_ndarray, ndarray
from minpy.primitives import registry

__all__ = ["accumulated", "applied_at", "reduced", "reduced_between"]


def _rows(array: ndarray, axis: int) -> list[ndarray]:
    """Return the parts of an array along an axis."""
    moved = registry["moveaxis"](array, axis, 0)
    return [moved[i] for i in range(moved.shape[0])]


def _one_axis(array: ndarray, axis: int) -> int:
    if not -array.ndim <= axis < array.ndim:
        raise numpy.AxisError(axis, array.ndim)
    return axis % array.ndim


def accumulated(operation: Any, array: ndarray, axis: int) -> ndarray:
    """Return all partial results along an axis, as `numpy.ufunc.accumulate`."""
    axis = _one_axis(array, axis)
    found: list[ndarray] = []
    for row in _rows(array, axis):
        found.append(operation(found[-1], row) if found else row)
    return registry["stack"](*found, axis=axis) if found else array


def _folded(operation: Any, rows: list[ndarray], initial: Any) -> ndarray:
    total = initial
    for row in rows:
        total = row if total is None else operation(total, row)
    if total is None:
        raise ValueError(
            f"zero-size array to reduction operation {operation.name} which has no identity"
        )
    return as_ndarray(total)


def reduced(operation: Any, array: ndarray, axis: Any, keepdims: bool, initial: Any) -> ndarray:
    """Return the result along axes, as `numpy.ufunc.reduce`."""
    if axis is None:
        axes = tuple(range(array.ndim))
    else:
        axes = tuple(_one_axis(array, k) for k in (axis if isinstance(axis, tuple) else (axis,)))
    if initial is None:
        initial = operation.identity
    order = [*axes, *[k for k in range(array.ndim) if k not in axes]]
    moved = registry["transpose"](array, tuple(order))
    rest = moved.shape[len(axes) :]
    count = int(numpy.prod(moved.shape[: len(axes)], dtype=int))
    rows = _rows(registry["reshape"](moved, (count, *rest)), 0)
    if not rows and initial is not None:
        rows = [as_ndarray(numpy.full(rest, initial, array.dtype))]
        initial = None
    result = _folded(operation, rows, initial)
    if keepdims:
        shape = tuple(1 if k in axes else n for k, n in enumerate(array.shape))
        result = registry["reshape"](result, shape)
    return result


def reduced_between(operation: Any, array: ndarray, indices: Any, axis: int) -> ndarray:
    """Return the results between indices, as `numpy.ufunc.reduceat`."""
    axis = _one_axis(array, axis)
    rows = _rows(array, axis)
    starts = [int(i) for i in numpy.asarray(indices).ravel()]
    for start in starts:
        if not 0 <= start < len(rows):
            raise IndexError(
                f"index {start} out-of-bounds in {operation.name}.reduceat [0, {len(rows)})"
            )
    ends = [*starts[1:], len(rows)]
    parts = [
        _folded(operation, rows[a:b] if a < b else [rows[a]], None)
        for a, b in zip(starts, ends, strict=True)
    ]
    return registry["stack"](*parts, axis=axis)


def applied_at(operation: Any, array: ndarray, index: Any, b: Any) -> ndarray:
    """Return an array with an operation applied at indices, as often as each is named.

    Places that are named once are done together; those that are named again, in another round, in
    the order in which they are named.
    """
    places = numpy.arange(array.size).reshape(array.shape)[index]
    shape = places.shape
    places = places.ravel()
    order = numpy.argsort(places, kind="stable")
    ranked = places[order]
    first = numpy.searchsorted(ranked, ranked)
    turn = numpy.empty(places.size, int)
    turn[order] = numpy.arange(places.size) - first
    flat = registry["reshape"](array, (array.size,))
    if b is not None:
        operand = registry["broadcast_to"](as_ndarray(b), shape)
        operand = registry["reshape"](operand, (places.size,))
    getitem, updated = registry["getitem"], registry["updated"]
    for k in range(int(turn.max(initial=-1)) + 1):
        now = numpy.nonzero(turn == k)[0]
        at = places[now]
        old = getitem(flat, at)
        new = operation(old) if b is None else operation(old, getitem(operand, now))
        flat = updated(flat, new, getitem, (at,), {})
    return registry["reshape"](flat, array.shape)
