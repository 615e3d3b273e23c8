"""Attention of several heads in one operation: forward, and its gradients to any order.

Arrays have the axes (batch, queries or keys, heads, depth), as projections make them. It must not
know layers, dropout, or how masks come about.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy

from minpy import runtime
from minpy.array import is_tracked, ndarray, numpy_value
from minpy.autograd.rules import defvjp_argnums
from minpy.errors import ShapeError
from minpy.host_operator import HostOperator
from minpy.layers.functions.composition import differentiate_forward_as, differentiate_reverse_as
from minpy.layers.functions.contraction import batch_product
from minpy.layers.functions.operands import floats
from minpy.numpy.elementwise import multiply, where
from minpy.numpy.shaping import reshape, transpose
from minpy.primitives import Primitive, registry

__all__ = ["heads_attention"]


# --- kernels --------------------------------------------------------------------------------------


@functools.cache
def _compiled() -> Any:
    """Return the module of compiled kernels, None where numba can't be used."""
    try:
        import numba

        if numba.config.DISABLE_JIT:
            return None
        from minpy.layers.functions import attention_kernels
    except Exception:  # without it everything works, in NumPy's steps
        return None
    return attention_kernels


# Multiplications from which it pays to load the kernels, which takes half a second.
_WORTH_LOADING = 1_000_000


def _kernels(q: numpy.ndarray, k: numpy.ndarray, v: numpy.ndarray) -> Any:
    batch, queries, heads, depth = q.shape
    work = batch * heads * queries * k.shape[1] * (depth + v.shape[3])
    if work < _WORTH_LOADING or any(a.dtype != numpy.float32 for a in (q, k, v)):
        return None
    return _compiled()


def _stacks(*arrays: numpy.ndarray) -> list[numpy.ndarray]:
    """Return arrays with the heads in front of what is counted, in what sums are made in."""
    wide = numpy.promote_types(arrays[0].dtype, numpy.float32)
    return [a.swapaxes(1, 2).astype(wide, copy=False) for a in arrays]


def _attend_into(
    q: numpy.ndarray,
    k: numpy.ndarray,
    v: numpy.ndarray,
    mask: numpy.ndarray | None,
    factor: float,
    out: numpy.ndarray,
    weights: numpy.ndarray | None,
) -> None:
    kernels = _kernels(q, k, v)
    if kernels is not None:
        q, k, v = map(numpy.ascontiguousarray, (q, k, v))
        mask = None if mask is None else numpy.ascontiguousarray(mask, "float32")
        kernels.attend(q, k, v, mask, factor, out, weights)
        return
    q, k, v = _stacks(q, k, v)
    scores = numpy.matmul(q, k.swapaxes(2, 3)) * q.dtype.type(factor)
    if mask is not None:
        scores = numpy.where(mask != 0, scores, q.dtype.type(-3e38))
    scores -= scores.max(-1, keepdims=True)
    numpy.exp(scores, out=scores)
    if mask is not None:
        scores *= mask != 0
    total = scores.sum(-1, keepdims=True)
    scores /= numpy.where(total == 0, 1, total)
    if weights is not None:
        weights[...] = scores
    out[...] = numpy.matmul(scores, v).swapaxes(1, 2)


def _attend(
    q: numpy.ndarray,
    k: numpy.ndarray,
    v: numpy.ndarray,
    mask: numpy.ndarray | None,
    factor: float,
) -> tuple[numpy.ndarray, numpy.ndarray]:
    (batch, queries, heads, _), keys = q.shape, k.shape[1]
    out = numpy.empty((batch, queries, heads, v.shape[3]), q.dtype)
    weights = numpy.empty((batch, heads, queries, keys), q.dtype)
    _attend_into(q, k, v, mask, factor, out, weights)
    return out, weights


def _gradients_into(
    g: numpy.ndarray,
    q: numpy.ndarray,
    k: numpy.ndarray,
    v: numpy.ndarray,
    weights: numpy.ndarray,
    factor: float,
    found: tuple[numpy.ndarray, ...],
) -> None:
    kernels = _kernels(q, k, v)
    if kernels is not None and g.dtype == weights.dtype == numpy.float32:
        g, q, k, v, weights = map(numpy.ascontiguousarray, (g, q, k, v, weights))
        kernels.attend_back(g, q, k, v, weights, factor, found)
        return
    g, q, k, v = _stacks(g, q, k, v)
    weights = weights.astype(g.dtype, copy=False)
    scores = numpy.matmul(g, v.swapaxes(2, 3))
    scores -= numpy.einsum("bhts,bhts->bht", scores, weights)[..., None]
    scores *= weights
    scores *= g.dtype.type(factor)
    found[0][...] = numpy.matmul(scores, k).swapaxes(1, 2)
    found[1][...] = numpy.matmul(scores.swapaxes(2, 3), q).swapaxes(1, 2)
    found[2][...] = numpy.matmul(weights.swapaxes(2, 3), g).swapaxes(1, 2)


def _gradients(
    g: numpy.ndarray,
    q: numpy.ndarray,
    k: numpy.ndarray,
    v: numpy.ndarray,
    weights: numpy.ndarray,
    factor: float,
) -> tuple[numpy.ndarray, ...]:
    found = tuple(numpy.empty(a.shape, a.dtype) for a in (q, k, v))
    _gradients_into(g, q, k, v, weights, factor, found)
    return found


def _forward_on_host(inputs: list, results: list, factor: float) -> None:
    q, k, v, *mask = inputs
    _attend_into(q, k, v, mask[0] if mask else None, factor, *results)


def _backward_on_host(
    gradients: list, inputs: list, results: list, found: list, factor: float
) -> None:
    q, k, v = inputs[:3]
    into = tuple(
        numpy.empty_like(a) if f is None else f for a, f in zip((q, k, v), found[:3], strict=True)
    )
    _gradients_into(gradients[0], q, k, v, results[1], factor, into)
    for of_mask in found[3:]:
        if of_mask is not None:
            of_mask[...] = 0


def _shapes(shapes: list, factor: float) -> list[tuple[int, ...]]:
    (batch, queries, heads, _), keys, width = shapes[0], shapes[1][1], shapes[2][3]
    return [(batch, queries, heads, width), (batch, heads, queries, keys)]


_on_host = HostOperator(
    "heads_attention",
    _forward_on_host,
    _backward_on_host,
    _shapes,
    results=2,
    uses_results=True,
    kept=1,
)


def _mx_attend(F: Any, q: Any, k: Any, v: Any, mask: Any, factor: float) -> Any:
    arrays = (q, k, v) if mask is None else (q, k, v, mask)
    if not F.symbolic or not runtime.synchronous():
        raise runtime.Unsupported("heads are attended to on the host")
    if any(numpy.dtype(a.dtype) != numpy.float32 for a in arrays):
        raise runtime.Unsupported("heads are attended to in float32")
    return _on_host(F, *arrays, factor=float(factor))


# --- the same in simple operations ----------------------------------------------------------------


def _stack(x: Any) -> Any:
    """Return an array as a stack of matrices, one a sample and head."""
    x = transpose(x, (0, 2, 1, 3))
    return reshape(x, (x.shape[0] * x.shape[1], *x.shape[2:]))


def _unstack(x: Any, batch: int, heads: int) -> Any:
    return transpose(reshape(x, (batch, heads, *x.shape[1:])), (0, 2, 1, 3))


def _composed(q: Any, k: Any, v: Any, mask: Any, factor: float) -> tuple[Any, Any]:
    batch, queries, heads, _ = q.shape
    scores = batch_product(_stack(q) * factor, _stack(k), False, True)
    scores = reshape(scores, (batch, heads, queries, k.shape[1]))
    if mask is not None:
        scores = where(mask != 0, scores, -1e9)
    weights = registry["softmax"](scores, -1)
    if mask is not None:
        weights = where(mask != 0, weights, 0.0)
    stacked = reshape(weights, (batch * heads, queries, k.shape[1]))
    return _unstack(batch_product(stacked, _stack(v), False, False), batch, heads), weights


def _composed_gradients(g: Any, q: Any, k: Any, v: Any, weights: Any, factor: float) -> tuple:
    batch, _, heads, _ = q.shape
    g, q, k, v = map(_stack, (g, q, k, v))
    used = reshape(weights, (-1, *weights.shape[2:]))
    back = reshape(batch_product(g, v, False, True), weights.shape)
    scores = _stack_scores(back, weights) * factor
    found = (
        batch_product(scores, k, False, False),
        batch_product(scores, q, True, False),
        batch_product(used, g, True, False),
    )
    return tuple(_unstack(x, batch, heads) for x in found)


# --- primitives -----------------------------------------------------------------------------------

# heads_attention(q, k, v, mask, factor): (result, weights); the weights are for the gradient only.
_heads_attention = Primitive(
    "heads_attention", _attend, arrays=4, mxnet=_mx_attend, faster_on_mxnet=False
)
# heads_attention_gradients(g, q, k, v, weights, factor): of q, k and v.
_heads_attention_gradients = Primitive("heads_attention_gradients", _gradients, arrays=5)


def _is_zero(g: Any) -> bool:
    """Say whether a gradient is a plain zero: nobody used that result."""
    return not is_tracked(g) and not numpy_value(g).any()


def _stack_scores(g: Any, weights: Any) -> Any:
    """Return the scores' gradients for the weights', as a stack of matrices."""
    g, used = (reshape(a, (-1, *weights.shape[2:])) for a in (g, weights))
    return multiply(g - registry["sum"](g * used, -1, keepdims=True), used)


def _vjp(argnums: tuple, ans: Any, args: tuple, kwargs: dict) -> Any:
    q, k, v, _, factor = args

    def vjp(gs: tuple) -> tuple:
        if set(argnums) <= {3}:
            return (None,) * len(argnums)
        found = list(_heads_attention_gradients(gs[0], q, k, v, ans[1], factor))
        if not _is_zero(gs[1]):  # in a derivative of this rule, which uses the weights
            scores = _stack_scores(gs[1], ans[1]) * factor
            batch, _, heads, _ = q.shape
            for i, (other, turned) in enumerate(((k, False), (q, True))):
                more = batch_product(scores, _stack(other), turned, False)
                found[i] = found[i] + _unstack(more, batch, heads)
        return tuple(None if i == 3 else found[i] for i in argnums)

    return vjp


defvjp_argnums(_heads_attention, _vjp)
differentiate_forward_as(_heads_attention, _composed)
differentiate_reverse_as(_heads_attention_gradients, _composed_gradients)
differentiate_forward_as(_heads_attention_gradients, _composed_gradients)


def heads_attention(
    q: Any, k: Any, v: Any, mask: Any = None, scale: float | None = None
) -> ndarray:
    """Return what each head of queries takes of the values, in one operation.

    Parameters
    ----------
    q
        Queries, of shape (batch, queries, heads, depth).
    k, v
        Keys and values, of shape (batch, keys, heads, depth) and (batch, keys, heads, width).
    mask
        Which keys a query sees, of a shape that broadcasts to (batch, heads, queries, keys), of
        four axes. A query that sees none gets zeros.
    scale
        What the products of queries and keys are multiplied by; ``1 / sqrt(depth)`` if not given.

    Returns
    -------
    ndarray
        Of shape (batch, queries, heads, width).

    Notes
    -----
    Vaswani et al., "Attention is all you need", 2017, section 3.2.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers.functions import heads_attention
    >>> heads_attention(np.ones((2, 3, 4, 5)), np.ones((2, 6, 4, 5)), np.ones((2, 6, 4, 7))).shape
    (2, 3, 4, 7)
    """
    q, k, v = floats("heads_attention", q=q, k=k, v=v)
    if q.ndim != 4 or k.ndim != 4 or v.ndim != 4:
        raise ShapeError(
            "heads_attention: expected arrays of shape (batch, queries or keys, heads, depth), "
            f"got {q.shape}, {k.shape}, {v.shape}"
        )
    batch, queries, heads, depth = q.shape
    keys = k.shape[1]
    if k.shape != (batch, keys, heads, depth) or v.shape[:3] != k.shape[:3]:
        raise ShapeError(
            f"heads_attention: queries {q.shape}, keys {k.shape} and values {v.shape} don't fit"
        )
    if mask is not None:
        full = (batch, heads, queries, keys)
        if len(mask.shape) != 4 or any(
            m not in (1, n) for m, n in zip(mask.shape, full, strict=True)
        ):
            raise ShapeError(
                f"heads_attention: expected a mask that broadcasts to {full}, got {mask.shape}"
            )
        if isinstance(mask, numpy.ndarray) or mask.dtype != q.dtype:
            mask = mask.astype(q.dtype)
        if mask.shape[3] != keys:
            mask = mask * numpy.ones((1, 1, 1, keys), q.dtype)
    factor = 1.0 / math.sqrt(depth) if scale is None else float(scale)
    return _heads_attention(q, k, v, mask, factor)[0]
