"""Parts of an array: which indices pick views, and sums of several parts."""

from __future__ import annotations

from typing import Any

import numpy

__all__ = ["is_view_of_slices", "scattered"]


def is_view_of_slices(index: Any) -> bool:
    """Say whether an index picks a view: it has no arrays, lists or bools in it."""
    parts = index if isinstance(index, tuple) else (index,)
    return all(
        part is None or part is Ellipsis or isinstance(part, slice) or type(part) is int
        for part in parts
    )


def scattered(*given: numpy.ndarray, indices: list[Any], shape: tuple[int, ...]) -> numpy.ndarray:
    """Return zeros with arrays added at several places: NumPy's kernel of ``scatter_several``."""
    out = numpy.zeros(shape, given[0].dtype)
    for g, index in zip(given, indices, strict=True):
        out[index] += g
    return out
