"""Masks, which say what counts: made, and combined, also in graphs; they know no layer."""

from __future__ import annotations

from typing import Any

import numpy

from minpy.array import as_ndarray, ndarray
from minpy.numpy.elementwise import add, multiply
from minpy.numpy.shaping import expand_dims

__all__ = ["both", "causal_mask", "either", "padding_mask", "sliding_window_mask"]


def causal_mask(queries: int, keys: int) -> numpy.ndarray:
    """Return which keys each query may see if none may be later than itself.

    Returns
    -------
    numpy.ndarray
        bool, of shape (queries, keys).

    Examples
    --------
    >>> from minpy.layers.functions.masks import causal_mask
    >>> causal_mask(2, 3).astype(int)
    array([[1, 0, 0],
           [1, 1, 0]])
    """
    return numpy.arange(queries)[:, None] >= numpy.arange(keys)


def sliding_window_mask(queries: int, keys: int, width: int) -> numpy.ndarray:
    """Return which keys are less than `width` places away from each query.

    Returns
    -------
    numpy.ndarray
        bool, of shape (queries, keys).
    """
    return abs(numpy.arange(queries)[:, None] - numpy.arange(keys)) < width


def padding_mask(query_mask: Any, key_mask: Any) -> Any:
    """Return which pairs of a query and a key both count: of (batch, queries), (batch, keys)."""
    of_queries = None if query_mask is None else expand_dims(as_ndarray(query_mask), -1)
    of_keys = None if key_mask is None else expand_dims(as_ndarray(key_mask), -2)
    return both(of_queries, of_keys)


def both(a: Any, b: Any) -> Any:
    """Return where two masks hold; None holds everywhere.

    In numbers, since a graph of MXNet's has no logical and.
    """
    if a is None or b is None:
        return b if a is None else a
    if isinstance(a, numpy.ndarray) and isinstance(b, numpy.ndarray):
        return a & b
    return multiply(_as_numbers(a), _as_numbers(b)) != 0


def either(a: Any, b: Any) -> Any:
    """Return where one of two masks holds, or both; None holds everywhere."""
    if a is None or b is None:
        return None
    return add(_as_numbers(a), _as_numbers(b)) != 0


def _as_numbers(mask: Any) -> ndarray:
    mask = as_ndarray(mask)
    return mask if mask.dtype == numpy.float32 else mask.astype("float32")
