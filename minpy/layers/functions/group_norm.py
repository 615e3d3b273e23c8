"""Group normalisation: groups of each sample's channels by their own statistics.

It must not know layers.
"""

from __future__ import annotations

import math
from typing import Any

import numpy

from minpy import runtime
from minpy.array import ndarray
from minpy.errors import ShapeError
from minpy.host_operator import HostOperator
from minpy.layers.functions.layer_norm import (
    back_from_the_end,
    compiled_loops,
    differentiate_normalization,
    to_the_end,
    vector_or,
)
from minpy.layers.functions.operands import array_of_floats, refuse_unsupported
from minpy.numpy.shaping import reshape
from minpy.primitives import Primitive, registry

__all__ = ["group_norm"]


# --- kernels: of (samples, channels, places) ------------------------------------------------------


def _wide(x: numpy.ndarray) -> numpy.ndarray:
    return x.astype(numpy.promote_types(x.dtype, numpy.float32), copy=False)


def _statistics(x: numpy.ndarray, groups: int, eps: float) -> tuple[numpy.ndarray, numpy.ndarray]:
    """Return the normalised numbers, and what they were multiplied by: one a sample and channel."""
    samples, channels, _ = x.shape
    rows = _wide(x).reshape(samples * groups, -1)
    count = rows.dtype.type(rows.shape[1])
    off = rows - rows.sum(1, keepdims=True) / count
    var = numpy.einsum("ij,ij->i", off, off)[:, None] / count
    scale = 1 / numpy.sqrt(var + rows.dtype.type(eps))
    off *= scale
    return off.reshape(x.shape), scale.reshape(samples, groups).repeat(channels // groups, 1)


def _normalise_into(
    x: numpy.ndarray,
    gamma: numpy.ndarray,
    beta: numpy.ndarray,
    groups: int,
    eps: float,
    out: numpy.ndarray,
) -> None:
    loops = compiled_loops(x, gamma, beta)
    if loops is not None:
        contiguous = numpy.ascontiguousarray
        gamma, beta = contiguous(gamma), contiguous(beta)
        loops.normalise_groups(x, gamma, beta, groups, x.dtype.type(eps), out)
        return
    normal, _ = _statistics(x, groups, eps)
    out[...] = normal * gamma[:, None] + beta[:, None]


def _gradients_into(
    g: numpy.ndarray,
    x: numpy.ndarray,
    gamma: numpy.ndarray,
    groups: int,
    eps: float,
    found: tuple[numpy.ndarray, numpy.ndarray, numpy.ndarray],
) -> None:
    loops = compiled_loops(x, g, gamma)
    if loops is not None:
        gamma = numpy.ascontiguousarray(gamma)
        loops.gradients_of_groups(g, x, gamma, groups, x.dtype.type(eps), *found)
        return
    of_x, of_gamma, of_beta = found
    normal, scale = _statistics(x, groups, eps)
    back = _wide(g)
    of_beta[...] = back.sum((0, 2))
    of_gamma[...] = numpy.einsum("ncs,ncs->c", back, normal)
    back = back * gamma[:, None]
    rows, along = (a.reshape(len(x) * groups, -1) for a in (back, normal))
    inner = numpy.einsum("ij,ij->i", rows, along)[:, None] / rows.dtype.type(rows.shape[1])
    rows = rows - rows.mean(1, keepdims=True) - along * inner
    of_x[...] = rows.reshape(x.shape) * scale[:, :, None]


def _normalise(
    x: numpy.ndarray, gamma: numpy.ndarray, beta: numpy.ndarray, groups: int, eps: float
) -> numpy.ndarray:
    x = numpy.ascontiguousarray(x)
    out = numpy.empty_like(x)
    _normalise_into(x, gamma, beta, groups, eps, out)
    return out


def _gradients(
    g: numpy.ndarray, x: numpy.ndarray, gamma: numpy.ndarray, groups: int, eps: float
) -> tuple[numpy.ndarray, numpy.ndarray, numpy.ndarray]:
    x, g = numpy.ascontiguousarray(x), numpy.ascontiguousarray(g)
    found = numpy.empty_like(x), *numpy.empty((2, *gamma.shape), gamma.dtype)
    _gradients_into(g, x, gamma, groups, eps, found)
    return found


def _forward_on_host(inputs: list, results: list, groups: int, eps: float) -> None:
    x, gamma, beta = inputs
    _normalise_into(x, gamma, beta, groups, eps, results[0])


def _backward_on_host(
    gradients: list, inputs: list, results: list, found: list, groups: int, eps: float
) -> None:
    x, gamma, _ = inputs
    into = tuple(
        numpy.empty_like(a) if f is None else f for a, f in zip(inputs, found, strict=True)
    )
    _gradients_into(gradients[0], x, gamma, groups, eps, into)


_on_host = HostOperator(
    "group_norm", _forward_on_host, _backward_on_host, lambda shapes, **attrs: [shapes[0]]
)


def _mx_normalise(F: Any, x: Any, gamma: Any, beta: Any, groups: int, eps: float) -> Any:
    refuse_unsupported(x, gamma, beta)
    if F.symbolic and runtime.synchronous():
        return _on_host(F, x, gamma, beta, groups=groups, eps=eps)
    return F("GroupNorm", x, gamma, beta, num_groups=groups, eps=eps)


# --- the same in simple operations ----------------------------------------------------------------


def _composed_statistics(x: Any, groups: int, eps: float) -> tuple[Any, Any]:
    mean = registry["mean"]
    rows = reshape(x, (x.shape[0], groups, x.shape[1] // groups * x.shape[2]))
    off = rows - mean(rows, -1, keepdims=True)
    return off, 1 / registry["sqrt"](mean(off * off, -1, keepdims=True) + eps)


def _composed(x: Any, gamma: Any, beta: Any, groups: int, eps: float) -> Any:
    off, scale = _composed_statistics(x, groups, eps)
    return reshape(off * scale, x.shape) * reshape(gamma, (-1, 1)) + reshape(beta, (-1, 1))


def _composed_gradients(g: Any, x: Any, gamma: Any, groups: int, eps: float) -> tuple:
    mean, total = registry["mean"], registry["sum"]
    off, scale = _composed_statistics(x, groups, eps)
    normal = off * scale
    flat = reshape(normal, x.shape)
    scaled = reshape(g * reshape(gamma, (-1, 1)), off.shape)
    back = scaled - mean(scaled, -1, keepdims=True)
    back = back - normal * mean(scaled * normal, -1, keepdims=True)
    return reshape(back * scale, x.shape), total(g * flat, (0, 2)), total(g, (0, 2))


# --- primitives -----------------------------------------------------------------------------------

# group_norm(x, gamma, beta, groups, eps), of (samples, channels, places).
_group_norm = Primitive(
    "group_norm", _normalise, arrays=3, mxnet=_mx_normalise, faster_on_mxnet=False
)
# group_norm_gradients(g, x, gamma, groups, eps): of x, gamma and beta.
_group_norm_gradients = Primitive("group_norm_gradients", _gradients, arrays=3)


differentiate_normalization(_group_norm, _group_norm_gradients, _composed, _composed_gradients)


def group_norm(
    x: Any, groups: int, gamma: Any = None, beta: Any = None, axis: int = 1, eps: float = 1e-3
) -> ndarray:
    """Normalise groups of each sample's channels to mean 0 and variance 1; scale, shift channels.

    Parameters
    ----------
    x
        Float array of shape (batch, …) with an axis of channels.
    groups
        Number of groups; divides that of channels.
    gamma, beta
        Scale and shift, of shape (channels,); None for 1 and 0.
    axis
        Which axis counts channels.
    eps
        Added to the variance.

    Notes
    -----
    Wu and He, "Group normalization", 2018, equations 1 to 3 and 7.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers.functions import group_norm
    >>> group_norm(np.array([[1., 3., 10., 30.]]), 2, eps=0.)
    array([[-1.,  1., -1.,  1.]])
    """
    x = array_of_floats(x, "group_norm")
    if x.ndim < 2 or not -x.ndim < axis < x.ndim or axis == 0:
        raise ShapeError(f"group_norm: axis {axis} counts no channels of an input of {x.shape}")
    axis %= x.ndim
    channels = x.shape[axis]
    if groups < 1 or channels % groups:
        raise ShapeError(
            f"group_norm: expected groups that divide {channels} channels evenly, got {groups}"
        )
    if x.size == 0:
        raise ShapeError(f"group_norm: groups without elements have no mean, got shape {x.shape}")
    gamma = vector_or("group_norm", "gamma", gamma, 1.0, (channels,), x.dtype)
    beta = vector_or("group_norm", "beta", beta, 0.0, (channels,), x.dtype)
    others = tuple(a for a in range(1, x.ndim) if a != axis)
    moved = x if axis == 1 else to_the_end(x, others)
    before = moved.shape
    rows = reshape(moved, (x.shape[0], channels, math.prod(before[2:])))
    out = _group_norm(rows, gamma, beta, groups, float(eps))
    out = reshape(out, before)
    return out if axis == 1 else back_from_the_end(out, others)
