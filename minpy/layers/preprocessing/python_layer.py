"""The base of layers that work on strings and tables, in Python and NumPy; knows none of them."""

from __future__ import annotations

from typing import Any

import numpy

from minpy.array import as_ndarray
from minpy.layers.layer import Layer
from minpy.layers.symbolic import is_symbolic

__all__ = ["PythonLayer", "as_result", "counted", "numpy_encoded"]


class PythonLayer(Layer):
    """A layer that is called on data before a model sees it: no graph has strings or tables."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.built = True

    def __call__(self, inputs: Any, **kwargs: Any) -> Any:
        """Compute the output for arrays or lists."""
        if is_symbolic([inputs]):
            raise TypeError(
                f"{type(self).__name__} {self.name!r}: it works on data, not inside a model; call "
                "it on the data first, and give the model what it returns"
            )
        kwargs.pop("training", None)
        return self.call(inputs, **kwargs)

    def _check_dense(self, sparse: Any) -> None:
        if sparse:
            raise ValueError(
                f"{type(self).__name__}: there are no sparse or ragged arrays here, leave sparse "
                "and ragged away"
            )


def numpy_encoded(numbers: numpy.ndarray, mode: str, depth: int, dtype: Any) -> numpy.ndarray:
    """Return category numbers as `minpy.layers.preprocessing.category_encoding.encoded` does.

    Negative numbers count nothing: they are no category.
    """
    if numbers.ndim == 0:
        numbers = numbers.reshape(1)
    if mode == "one_hot":
        if numbers.ndim > 1 and numbers.shape[-1] == 1:
            numbers = numbers[..., 0]
        return (numbers[..., None] == numpy.arange(depth)).astype(dtype)
    across = 1 if numbers.ndim > 1 else 0
    rows = numpy.moveaxis(numbers, across, -1)
    flat = rows.reshape(-1, rows.shape[-1])
    counts = counted(
        flat.ravel(), numpy.repeat(numpy.arange(len(flat)), flat.shape[-1]), len(flat), depth
    )
    counts = counts.reshape(*rows.shape[:-1], depth)
    return (counts > 0 if mode == "multi_hot" else counts).astype(dtype)


def counted(
    numbers: numpy.ndarray, samples: numpy.ndarray, count: int, depth: int
) -> numpy.ndarray:
    """Return how often each of `depth` numbers occurs in each of `count` samples."""
    inside = (numbers >= 0) & (numbers < depth)
    places = samples[inside] * depth + numbers[inside]
    return numpy.bincount(places, minlength=count * depth).reshape(count, depth)


def as_result(values: numpy.ndarray) -> Any:
    """Return numbers as minpy's array, and strings as NumPy's."""
    return values if values.dtype.kind in "OUS" else as_ndarray(values)
