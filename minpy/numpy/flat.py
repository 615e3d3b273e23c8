"""``ndarray.flat``: the elements of an array in C order, written one after the other as NumPy does.

It must not know any operation's rule, nor the class that it becomes an attribute of.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy
from numpy.lib.stride_tricks import as_strided

from minpy.array import as_ndarray, holds_arrays, is_tracked, ndarray, numpy_value
from minpy.inplace import assign, is_free, plain_index
from minpy.numpy import indexing, shaping
from minpy.numpy.creation import _copy

__all__ = ["Flat"]


class Flat:
    """The elements of an array in C order: to go through once, to read by index and to write to.

    Attributes
    ----------
    base
        The array.
    """

    __hash__ = None  # type: ignore[assignment]

    def __init__(self, base: ndarray) -> None:
        self.base, self._next = base, 0

    @property
    def index(self) -> int:
        """The number of the next element."""
        return self._next

    @property
    def coords(self) -> tuple[int, ...]:
        """The index of the next element in the array."""
        return tuple(int(i) for i in numpy.unravel_index(self.index, self.base.shape))

    def copy(self) -> ndarray:
        """Return the elements as an array of their own."""
        return self.base.flatten()

    def __iter__(self) -> Iterator[ndarray]:
        return self

    def __next__(self) -> ndarray:
        if self.index >= self.base.size:
            raise StopIteration
        element = self.base[self.coords]
        self._next += 1
        return element

    def __len__(self) -> int:
        return self.base.size

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> numpy.ndarray:
        return numpy.array(shaping.ravel(self.base), dtype)

    def __minpy_array__(self) -> ndarray:
        return _copy(shaping.ravel(self.base))

    def __getitem__(self, index: Any) -> ndarray:
        return shaping.ravel(self.base)[index].copy()

    def __delitem__(self, index: Any) -> None:
        raise TypeError("Cannot delete iterator elements")

    def __setitem__(self, index: Any, value: Any) -> None:
        base, index = self.base, plain_index(index, keep=True)
        if isinstance(value, Flat):  # NumPy takes the memory itself where that lies in C order
            value = shaping.ravel(value.base)
        elif isinstance(value, list | tuple) and holds_arrays(value):
            value = as_ndarray(value)
        follows = type(value) is ndarray and is_tracked(value)
        if not follows and is_free(base):
            base._np.flat[index] = numpy_value(value) if type(value) is ndarray else value
            return
        if isinstance(value, list | tuple):
            value = numpy.asarray(value)
        places = numpy.arange(base.size).flat[index]
        if numpy.ndim(places) == 0 and numpy.size(value) != 1:
            raise ValueError("Error setting single item of array.")
        if not isinstance(value, ndarray | numpy.ndarray):
            assign(base, numpy.unravel_index(places, base.shape), value)
        elif type(value) is ndarray and _overlap(numpy_value(base), numpy_value(value)):
            taken = _taken(numpy_value(base), index, numpy_value(value))
            both = shaping.concatenate([shaping.ravel(base), shaping.ravel(value)])
            assign(base, Ellipsis, both[taken])
        elif value.size:
            indexing.put(base, places, value)

    def fill(self, value: Any) -> None:
        """Do ``array.flat = value``, for which NumPy copies what isn't laid out like the array."""
        columns = type(value) is ndarray and numpy_value(self.base).flags.f_contiguous
        if columns and not numpy_value(value).flags.f_contiguous:
            value = value.copy()
        self[:] = value


def _overlap(target: numpy.ndarray, value: numpy.ndarray) -> bool:
    """Say whether writing one array into another changes what is yet to be read."""
    return target.dtype == value.dtype and numpy.may_share_memory(target, value)


def _taken(target: numpy.ndarray, index: Any, value: numpy.ndarray) -> numpy.ndarray:
    """Return which element of both arrays, end to end, each of `target` is a copy of at last.

    NumPy writes to ``flat`` one element after the other, and reads what it has written. It does so
    here, on numbers that lie in memory as the elements do.
    """
    size = target.itemsize
    spans = [_span(a) for a in (target, value)]
    low = min(start for start, _ in spans)
    memory = numpy.full((max(stop for _, stop in spans) - low) // size, -1)
    mine, theirs = (
        as_strided(
            memory[(a.__array_interface__["data"][0] - low) // size :],
            a.shape,
            [step // size * memory.itemsize for step in a.strides],
        )
        for a in (target, value)
    )
    mine[...] = numpy.arange(target.size).reshape(target.shape)
    others = theirs < 0
    theirs[others] = (target.size + numpy.arange(value.size).reshape(value.shape))[others]
    mine.flat[index] = theirs
    return mine.copy()


def _span(a: numpy.ndarray) -> tuple[int, int]:
    """Return the first address of an array's elements, and the one after the last."""
    start = a.__array_interface__["data"][0]
    reach = [step * (n - 1) for step, n in zip(a.strides, a.shape, strict=True)]
    behind = sum(r for r in reach if r > 0)
    return start + sum(r for r in reach if r < 0), start + behind + a.itemsize
