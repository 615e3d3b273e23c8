"""Memory that begins on a cache line; knows nothing of what lies in it."""

from __future__ import annotations

from typing import Any

import numpy

__all__ = ["ALIGNMENT", "aligned_full"]

# oneDNN reads whole cache lines, and vector loads that cross one cost double.
ALIGNMENT = 64


def aligned_full(size: int, dtype: Any, value: float = 0.0) -> numpy.ndarray:
    """Return a 1-D array of one number that begins on a cache line.

    Examples
    --------
    >>> aligned_full(3, 'float32').ctypes.data % ALIGNMENT
    0
    """
    itemsize = numpy.dtype(dtype).itemsize
    raw = numpy.zeros(size * itemsize + ALIGNMENT, numpy.uint8)  # none until it is written to
    start = -raw.ctypes.data % ALIGNMENT
    made = raw[start : start + size * itemsize].view(dtype)
    if value:
        made[...] = value
    return made
