"""Scaled dot-product attention, under a mask that says what may attend to what; no weights.

It must not know layers, nor how queries, keys and values are made.
"""

from __future__ import annotations

import math
from typing import Any

from minpy.array import ndarray
from minpy.errors import ShapeError
from minpy.layers.functions.contraction import batch_product
from minpy.layers.functions.dropout import dropout
from minpy.layers.functions.masks import both, causal_mask
from minpy.layers.functions.operands import floats
from minpy.layers.functions.probabilities import softmax
from minpy.numpy.elementwise import where
from minpy.numpy.shaping import reshape

__all__ = ["dot_product_attention"]

# What a score is set to where nothing may be attended to: its exponential is 0, and it is finite.
_NEVER = {"float16": -3e4}


def masked_softmax(scores: ndarray, mask: Any, may_be_empty: bool = True) -> ndarray:
    """Return softmax along the last axis over the places where a mask holds, 0 elsewhere.

    Parameters
    ----------
    scores
        Float array.
    mask
        bool, of a shape that broadcasts to that of `scores`; None for everywhere.
    may_be_empty
        Whether it may hold nowhere in a row; such a row is 0.
    """
    if mask is None:
        return softmax(scores)
    kept = where(mask, scores, _NEVER.get(scores.dtype.name, -1e9))
    weights = softmax(kept)
    return where(mask, weights, 0.0) if may_be_empty else weights


def dot_product_attention(
    query: Any,
    key: Any,
    value: Any,
    mask: Any = None,
    scale: float | None = None,
    causal: bool = False,
    rate: float = 0.0,
    seed: int | None = None,
    may_be_empty: bool = True,
) -> tuple[ndarray, ndarray]:
    """Return the values' means, weighted by how well their keys fit each query.

    Parameters
    ----------
    query
        Of shape (…, queries, depth), with any number of axes in front; or of shape
        (…, groups, queries, depth), where the groups share keys and values.
    key, value
        Of shape (…, keys, depth) and (…, keys, width).
    mask
        bool, broadcasts to (…, queries, keys): which keys a query may attend to. Where it allows
        none, the result is 0.
    scale
        What the products are multiplied by; ``1 / sqrt(depth)`` if not given.
    causal
        Whether a query sees no key that is later than itself.
    rate
        The fraction of the weights that dropout sets to 0.
    seed
        Of that dropout; see `dropout`.
    may_be_empty
        False promises that `mask` allows each query a key.

    Returns
    -------
    out, weights
        Of shape (…, queries, width) and (…, queries, keys); the weights before dropout.

    Notes
    -----
    Vaswani et al., "Attention is all you need", 2017, equation 1.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers.functions import dot_product_attention
    >>> value = np.array([[1.], [2.]])
    >>> out, weights = dot_product_attention(np.array([[9., 0.]]), 9 * np.eye(2), value)
    >>> out
    array([[1.]])
    """
    query, key, value = floats("dot_product_attention", query=query, key=key, value=value)
    groups = query.shape[-3:-2] if query.ndim == key.ndim + 1 else ()
    if key.ndim < 2 or query.ndim != key.ndim + len(groups) or value.ndim != key.ndim:
        raise ShapeError(
            "dot_product_attention: expected query (…, queries, depth), key (…, keys, depth) and "
            f"value (…, keys, width), got {query.shape}, {key.shape}, {value.shape}"
        )
    (queries, depth), (*outer, keys, _), width = query.shape[-2:], key.shape, value.shape[-1]
    shared = query.shape == (*outer, *groups, queries, key.shape[-1])
    if not shared or value.shape != (*outer, keys, width):
        raise ShapeError(
            f"dot_product_attention: query {query.shape}, key {key.shape} and value {value.shape} "
            "don't fit: expected equal axes in front, equal depth of query and key, and as many "
            "values as keys"
        )
    n, rows = math.prod(outer), math.prod(groups) * queries
    scaled = query * (1.0 / math.sqrt(depth) if scale is None else float(scale))
    scores = batch_product(
        reshape(scaled, (n, rows, depth)), reshape(key, (n, keys, depth)), False, True
    )
    may_be_empty = may_be_empty and mask is not None
    if causal:
        mask = both(causal_mask(queries, keys), mask)
    if mask is not None and (groups or mask.ndim > 2):
        scores = reshape(scores, (*outer, *groups, queries, keys))
    weights = masked_softmax(scores, mask, may_be_empty)
    dropped = dropout(weights, rate, "train", seed) if rate else weights
    out = batch_product(
        reshape(dropped, (n, rows, keys)), reshape(value, (n, keys, width)), False, False
    )
    return (
        reshape(out, (*outer, *groups, queries, width)),
        reshape(weights, (*outer, *groups, queries, keys)),
    )
