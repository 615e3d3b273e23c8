"""Arrays over the memory of others, by strides: what ``numpy.lib.stride_tricks`` has."""

from __future__ import annotations

from typing import Any

import numpy

from minpy.array import as_ndarray, ndarray
from minpy.numpy.function import composition
from minpy.numpy.indexing import take
from minpy.numpy.shaping import ravel

__all__: list[str] = []  # reached by their path, as in NumPy


@composition(
    "lib.stride_tricks.sliding_window_view",
    numpy.lib.stride_tricks.sliding_window_view,
    arrays=1,
    is_view=True,
)
def sliding_window_view(
    x: Any,
    window_shape: Any,
    axis: Any = None,
    *,
    subok: bool = False,
    writeable: bool = False,
) -> ndarray:
    """Return all windows of an array, as `numpy.lib.stride_tricks.sliding_window_view`."""
    if writeable:
        raise ValueError(
            "sliding_window_view: windows of an array that is being differentiated share no memory "
            "to write to; leave writeable out"
        )
    x = as_ndarray(x)
    places = numpy.arange(x.size).reshape(x.shape)
    places = numpy.lib.stride_tricks.sliding_window_view(places, window_shape, axis)
    return take(ravel(x), places)
