"""Data that a layer is adapted to: arrays or iterables of batches; knows no layer."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy

from minpy.array import ndarray, numpy_value

__all__ = ["as_numpy", "as_text", "batches_of"]


def as_numpy(x: Any) -> numpy.ndarray:
    """Return anything array-like as NumPy's."""
    return numpy_value(x) if type(x) is ndarray else numpy.asarray(x)


def as_text(x: Any, encoding: str, by: str) -> numpy.ndarray:
    """Return strings, or bytes, as an array of objects that are all ``str``.

    Raises
    ------
    TypeError
        If something else is among them.
    """
    given = as_numpy(x)
    if given.dtype.kind == "U":
        return given.astype(object)
    if given.dtype.kind == "S":
        return numpy.char.decode(given, encoding).astype(object)
    out = numpy.empty(given.shape, object)
    for place, value in numpy.ndenumerate(given):
        if isinstance(value, bytes):
            value = value.decode(encoding)
        if not isinstance(value, str):
            raise TypeError(f"{by}: expected strings, got {value!r} of {type(value).__name__}")
        out[place] = value
    return out


def _is_batch(item: Any) -> bool:
    inputs = item[0] if isinstance(item, tuple) and item else item
    return hasattr(inputs, "__array__") and numpy.ndim(inputs) > 0


def batches_of(data: Any, by: str, steps: int | None = None) -> Iterator[Any]:
    """Give the batches of what ``adapt`` was called with: an array is one, an iterable has many.

    Parameters
    ----------
    data
        An array, a list of numbers or strings, or an iterable of batches; of a batch that is a
        tuple (inputs, targets) the inputs are taken.
    by
        Who asks, for messages.
    steps
        How many batches to take; all if not given.

    Raises
    ------
    ValueError
        If there is no batch at all.
    """
    is_list = isinstance(data, list | tuple)
    one = hasattr(data, "__array__") or (is_list and not any(map(_is_batch, data)))
    given: Iterator[Any] = iter([data]) if one else iter(data)
    empty = True
    for batch in itertools.islice(given, steps):
        inputs = batch[0] if isinstance(batch, tuple) and not one and batch else batch
        if numpy.size(inputs) == 0:
            continue
        empty = False
        yield inputs
    if empty:
        raise ValueError(f"{by}: adapt was given no data")
