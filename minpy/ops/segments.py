"""Reductions of parts that have the same number; know no layer.

Parts are sorted by their number and combined in pairs, halving their count each time: as many steps
as the longest segment's length has binary digits, each of them an operation with derivatives.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy

import minpy.numpy as np
from minpy.array import as_ndarray
from minpy.errors import ShapeError
from minpy.numpy.indexing import scatter_add
from minpy.ops.operation import operation

__all__ = ["segment_max", "segment_min", "segment_prod", "segment_sum"]


def _segments(
    data: Any, segment_ids: Any, num_segments: int | None, who: str
) -> tuple[Any, numpy.ndarray, int]:
    """Return the parts whose number is that of a segment, their numbers, and how many there are."""
    data = as_ndarray(data)
    numbers = numpy.asarray(segment_ids).astype(numpy.int64)
    if not data.ndim:
        raise ShapeError(f"{who}: expected parts along a first axis, got one number")
    if numbers.shape != data.shape[:1]:
        raise ShapeError(
            f"{who}: expected one number for each of {data.shape[0]} parts, got {numbers.shape}"
        )
    count = int(numbers.max(initial=-1)) + 1 if num_segments is None else int(num_segments)
    inside = (numbers >= 0) & (numbers < count)
    if not inside.all():
        data, numbers = np.take(data, numpy.flatnonzero(inside), axis=0), numbers[inside]
    return data, numbers, count


@operation
def segment_sum(
    data: Any, segment_ids: Any, num_segments: int | None = None, sorted: bool = False
) -> Any:
    """Return the sums of the parts along the first axis that have the same number.

    Parameters
    ----------
    data
        Of shape (parts, …).
    segment_ids
        A number for each part, of shape (parts,); parts with numbers below 0 or from
        `num_segments` on are left out.
    num_segments
        How many there are; as many as the largest number says if not given.
    sorted
        Whether the numbers ascend; nothing depends on it.

    Examples
    --------
    >>> from minpy import ops
    >>> ops.segment_sum([1., 2., 3.], [0, 2, 0], 3)
    array([4., 0., 2.])
    """
    data, numbers, count = _segments(data, segment_ids, num_segments, "segment_sum")
    return scatter_add(data, (numbers,), (count, *data.shape[1:]))


def _combined(
    data: Any, numbers: numpy.ndarray, count: int, combine: Callable[..., Any], neutral: Any
) -> Any:
    order = numpy.argsort(numbers, kind="stable")
    numbers = numbers[order]
    # A part that changes nothing follows the others: the partner of those that have none.
    edge = np.full((1, *data.shape[1:]), neutral, dtype=data.dtype)
    data = np.concatenate([np.take(data, order, axis=0), edge])
    while len(numbers) and (numbers[1:] == numbers[:-1]).any():
        starts = numpy.searchsorted(numbers, numbers)  # where each one's segment begins
        first = numpy.flatnonzero((numpy.arange(len(numbers)) - starts) % 2 == 0)
        paired = numpy.append(numbers, -1)[first + 1] == numbers[first]
        second = numpy.where(paired, first + 1, len(numbers))
        data = combine(np.take(data, first, axis=0), np.take(data, second, axis=0))
        data, numbers = np.concatenate([data, edge]), numbers[first]
    places = numpy.full(count, len(numbers))
    places[numbers] = numpy.arange(len(numbers))
    return np.take(data, places, axis=0)


def _limit(dtype: Any, sign: int) -> Any:
    """Return what every number of a type is at least (-1) or at most (1)."""
    if dtype.kind == "f":
        return sign * numpy.inf
    if dtype.kind == "b":
        return sign > 0
    limits = numpy.iinfo(dtype)
    return limits.max if sign > 0 else limits.min


@operation
def segment_max(
    data: Any, segment_ids: Any, num_segments: int | None = None, sorted: bool = False
) -> Any:
    """Return the largest of the parts that have the same number; arguments as of `segment_sum`.

    A segment without parts has -inf, or the least number of its type.

    Examples
    --------
    >>> from minpy import ops
    >>> ops.segment_max([1., 2., 3.], [0, 1, 0])
    array([3., 2.])
    """
    data, numbers, count = _segments(data, segment_ids, num_segments, "segment_max")
    return _combined(data, numbers, count, np.maximum, _limit(data.dtype, -1))


@operation
def segment_min(
    data: Any, segment_ids: Any, num_segments: int | None = None, sorted: bool = False
) -> Any:
    """Return the smallest of the parts that have the same number; arguments as of `segment_sum`.

    A segment without parts has inf, or the largest number of its type.

    Examples
    --------
    >>> from minpy import ops
    >>> ops.segment_min([1., 2., 3.], [0, 1, 0])
    array([1., 2.])
    """
    data, numbers, count = _segments(data, segment_ids, num_segments, "segment_min")
    return _combined(data, numbers, count, np.minimum, _limit(data.dtype, 1))


@operation
def segment_prod(
    data: Any, segment_ids: Any, num_segments: int | None = None, sorted: bool = False
) -> Any:
    """Return the product of the parts that have the same number; arguments as of `segment_sum`.

    A segment without parts has 1.

    Examples
    --------
    >>> from minpy import ops
    >>> ops.segment_prod([1., 2., 3.], [0, 1, 0])
    array([3., 2.])
    """
    data, numbers, count = _segments(data, segment_ids, num_segments, "segment_prod")
    return _combined(data, numbers, count, np.multiply, 1)
