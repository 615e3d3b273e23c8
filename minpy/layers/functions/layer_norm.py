"""Normalisation of each row by its own statistics: layer, root mean square, and unit length.

It must not know layers, nor which axes of an array make a row.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy

from minpy import runtime
from minpy.array import as_ndarray, ndarray
from minpy.autograd.rules import defvjp_argnums
from minpy.errors import ShapeError
from minpy.host_operator import HostOperator
from minpy.layers.functions.composition import (
    differentiate_forward_as,
    differentiate_reverse_as,
)
from minpy.layers.functions.operands import array_of_floats, refuse_unsupported
from minpy.numpy.shaping import reshape, transpose
from minpy.primitives import Primitive, registry

__all__ = ["layer_norm", "rms_norm", "unit_norm"]


# --- kernels --------------------------------------------------------------------------------------


@functools.cache
def _compiled() -> Any:
    """Return the module of compiled loops, None where numba can't be used."""
    try:
        from minpy.layers.functions import row_kernels
    except Exception:  # without it everything works, in NumPy's steps
        return None
    return row_kernels


# Two cores of a Zen 5, rows of 128 float32 (compiled loop, NumPy; ms): 2048 rows forward 0.030
# 0.24, 8192 rows 0.12 0.94; backward 0.076 0.8, 0.31 3.1. Loading the loops takes half a second.
_WORTH_LOADING = 20_000


def compiled_loops(x: numpy.ndarray, *others: numpy.ndarray) -> Any:
    """Return the module of compiled loops, None where they don't fit operands or don't pay."""
    if x.size < _WORTH_LOADING or x.dtype.char not in "fd":
        return None
    if any(a.dtype != x.dtype for a in others):
        return None
    return _compiled()


def _rows(x: numpy.ndarray) -> numpy.ndarray:
    return numpy.ascontiguousarray(x).reshape(-1, x.shape[-1])


def _wide(x: numpy.ndarray) -> numpy.ndarray:
    """Return an array in what sums are made in: not float16."""
    return x.astype(numpy.promote_types(x.dtype, numpy.float32), copy=False)


def _statistics(x: numpy.ndarray, eps: float, centred: bool) -> tuple[numpy.ndarray, Any]:
    """Return the rows less their means, and what they are to be multiplied by."""
    count = x.dtype.type(x.shape[-1])
    off = x - x.sum(-1, keepdims=True) / count if centred else x
    var = numpy.einsum("ij,ij->i", off, off)[:, None] / count
    return off, 1 / numpy.sqrt(var + x.dtype.type(eps))


def _normalise_into(
    x: numpy.ndarray,
    gamma: numpy.ndarray,
    beta: numpy.ndarray,
    eps: float,
    centred: bool,
    out: numpy.ndarray,
) -> None:
    loops = compiled_loops(x, gamma, beta)
    if loops is not None:
        contiguous = numpy.ascontiguousarray
        loops.normalise(x, contiguous(gamma), contiguous(beta), x.dtype.type(eps), centred, out)
        return
    off, scale = _statistics(_wide(x), eps, centred)
    out[...] = off * scale * gamma + beta


def _normalise(
    x: numpy.ndarray, gamma: numpy.ndarray, beta: numpy.ndarray, eps: float, centred: bool
) -> numpy.ndarray:
    rows = _rows(x)
    out = numpy.empty_like(rows)
    _normalise_into(rows, gamma, beta, eps, centred, out)
    return out.reshape(x.shape)


def _gradients_into(
    g: numpy.ndarray,
    x: numpy.ndarray,
    gamma: numpy.ndarray,
    eps: float,
    centred: bool,
    found: tuple[numpy.ndarray, numpy.ndarray, numpy.ndarray],
) -> None:
    loops = compiled_loops(x, g, gamma)
    if loops is not None:
        gamma = numpy.ascontiguousarray(gamma)
        loops.gradients(g, x, gamma, x.dtype.type(eps), centred, *found)
        return
    of_x, of_gamma, of_beta = found
    back = _wide(g)
    off, scale = _statistics(_wide(x), eps, centred)
    normal = off * scale
    of_beta[...] = back.sum(0)
    of_gamma[...] = numpy.einsum("ij,ij->j", back, normal)
    back = back * gamma
    along = numpy.einsum("ij,ij->i", back, normal)[:, None] / back.dtype.type(x.shape[1])
    if centred:
        back -= back.mean(-1, keepdims=True)
    normal *= along
    back -= normal
    of_x[...] = back * scale


def _gradients(
    g: numpy.ndarray, x: numpy.ndarray, gamma: numpy.ndarray, eps: float, centred: bool
) -> tuple[numpy.ndarray, numpy.ndarray, numpy.ndarray]:
    rows = _rows(x)
    of_x = numpy.empty_like(rows)
    of_gamma, of_beta = numpy.empty((2, *gamma.shape), gamma.dtype)
    _gradients_into(_rows(g), rows, gamma, eps, centred, (of_x, of_gamma, of_beta))
    return of_x.reshape(x.shape), of_gamma, of_beta


def _forward_on_host(inputs: list, results: list, eps: float, centred: bool) -> None:
    x, gamma, beta = inputs
    _normalise_into(_rows(x), gamma, beta, eps, centred, results[0].reshape(-1, x.shape[-1]))


def _backward_on_host(
    gradients: list, inputs: list, results: list, found: list, eps: float, centred: bool
) -> None:
    x, gamma, _ = inputs
    of_x, of_gamma, of_beta = (
        numpy.empty_like(a) if f is None else f for a, f in zip(inputs, found, strict=True)
    )
    into = of_x.reshape(-1, x.shape[-1]), of_gamma, of_beta
    _gradients_into(_rows(gradients[0]), _rows(x), gamma, eps, centred, into)


_on_host = HostOperator(
    "row_norm", _forward_on_host, _backward_on_host, lambda shapes, **attrs: [shapes[0]]
)


def _mx_normalise(F: Any, x: Any, gamma: Any, beta: Any, eps: float, centred: bool) -> Any:
    refuse_unsupported(x, gamma, beta)
    if F.symbolic and runtime.synchronous():
        return _on_host(F, x, gamma, beta, eps=float(eps), centred=bool(centred))
    if centred:
        return F("LayerNorm", x, gamma, beta, axis=-1, eps=eps)
    square = F("mean", F("square", x), axis=-1, keepdims=True)
    scale = F("rsqrt", F("_plus_scalar", square, scalar=eps))
    return F("broadcast_add", F("broadcast_mul", F("broadcast_mul", x, scale), gamma), beta)


# --- the same in simple operations ----------------------------------------------------------------


def _composed_statistics(x: Any, eps: float, centred: bool) -> tuple[Any, Any]:
    mean = registry["mean"]
    off = x - mean(x, -1, keepdims=True) if centred else x
    return off, 1 / registry["sqrt"](mean(off * off, -1, keepdims=True) + eps)


def _composed(x: Any, gamma: Any, beta: Any, eps: float, centred: bool) -> Any:
    off, scale = _composed_statistics(x, eps, centred)
    return off * scale * gamma + beta


def _composed_gradients(g: Any, x: Any, gamma: Any, eps: float, centred: bool) -> tuple:
    mean, total = registry["mean"], registry["sum"]
    off, scale = _composed_statistics(x, eps, centred)
    normal = off * scale
    outer = tuple(range(x.ndim - 1))
    scaled = g * gamma
    back = scaled - normal * mean(scaled * normal, -1, keepdims=True)
    if centred:
        back = back - mean(scaled, -1, keepdims=True)
    return back * scale, total(g * normal, outer), total(g, outer)


# --- primitives -----------------------------------------------------------------------------------

# row_norm(x, gamma, beta, eps, centred): rows along the last axis.
row_norm = Primitive("row_norm", _normalise, arrays=3, mxnet=_mx_normalise, faster_on_mxnet=False)
# row_norm_gradients(g, x, gamma, eps, centred): of x, gamma and beta.
row_norm_gradients = Primitive("row_norm_gradients", _gradients, arrays=3)


def differentiate_normalization(
    norm: Primitive, gradients: Primitive, composed: Any, composed_gradients: Any
) -> None:
    """Give ``norm(x, gamma, beta, *settings)`` its derivatives, of any order.

    Parameters
    ----------
    norm, gradients
        The second is ``gradients(g, x, gamma, *settings)``: of x, gamma and beta.
    composed, composed_gradients
        The same functions, composed of others.
    """

    def rule(argnums: tuple, ans: Any, args: tuple, kwargs: dict) -> Any:
        x, gamma, _, *settings = args

        def vjp(g: Any) -> tuple:
            found = gradients(g, x, gamma, *settings)
            return tuple(found[i] for i in argnums)

        return vjp

    defvjp_argnums(norm, rule)
    differentiate_forward_as(norm, composed)
    differentiate_reverse_as(gradients, composed_gradients)
    differentiate_forward_as(gradients, composed_gradients)


differentiate_normalization(row_norm, row_norm_gradients, _composed, _composed_gradients)


# --- public functions -----------------------------------------------------------------------------


def layer_norm(
    x: Any, gamma: Any = None, beta: Any = None, axis: Any = -1, eps: float = 1e-3
) -> ndarray:
    """Normalise each sample along axes to mean 0 and variance 1, then scale and shift it.

    Parameters
    ----------
    x
        Float array.
    gamma, beta
        Scale and shift, with the lengths of `x` along `axis`; None for 1 and 0.
    axis
        One axis or several.
    eps
        Added to the variance.

    Returns
    -------
    ndarray
        Of the shape of `x`.

    Notes
    -----
    Ba, Kiros and Hinton, "Layer normalization", 2016, equation 3.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers.functions import layer_norm
    >>> layer_norm(np.array([[1., 3.], [10., 30.]]), eps=0.)
    array([[-1.,  1.],
           [-1.,  1.]])
    """
    return _by_rows("layer_norm", x, gamma, beta, axis, eps, True)


def rms_norm(x: Any, gamma: Any = None, axis: Any = -1, eps: float = 1e-6) -> ndarray:
    """Divide each sample by the root of the mean of its squares along axes, then scale it.

    Parameters
    ----------
    x
        Float array.
    gamma
        Scale, with the lengths of `x` along `axis`; None for 1.
    axis
        One axis or several.
    eps
        Added to the mean of the squares.

    Notes
    -----
    Zhang and Sennrich, "Root mean square layer normalization", 2019, equation 4.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers.functions import rms_norm
    >>> rms_norm(np.array([[3., 4., 0., 0.]]), eps=0.)
    array([[1.2, 1.6, 0. , 0. ]])
    """
    return _by_rows("rms_norm", x, gamma, None, axis, eps, False)


def unit_norm(x: Any, axis: Any = -1) -> ndarray:
    """Divide each sample by its length along axes: the root of the sum of its squares.

    Parameters
    ----------
    x
        Float array; a sample of zeros stays zeros.
    axis
        One axis or several.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers.functions import unit_norm
    >>> unit_norm(np.array([[3., 4.], [0., 0.]]))
    array([[0.6, 0.8],
           [0. , 0. ]])
    """
    x = array_of_floats(x, "unit_norm")
    lengths = tuple(x.shape[a] for a in checked_axes("unit_norm", axis, x.ndim))
    count = math.prod(lengths)
    # The root of the mean is that of the sum over √n; what is added is below rounding.
    share = as_ndarray(numpy.full(lengths, 1 / math.sqrt(max(count, 1)), x.dtype))
    tiny = 1e-24 if x.dtype != numpy.float16 else 1e-12
    return _by_rows("unit_norm", x, share, None, axis, tiny / max(count, 1), False)


def checked_axes(by: str, axis: Any, ndim: int) -> tuple[int, ...]:
    """Return axes counted from the front, in ascending order.

    Raises
    ------
    ShapeError
        If one is no axis of an array with `ndim` of them, or is named twice.
    """
    axes = (axis,) if isinstance(axis, int) else tuple(axis)
    if not axes or any(not -ndim <= a < ndim for a in axes):
        raise ShapeError(f"{by}: expected axes of an input with {ndim} axes, got {axis}")
    found = tuple(sorted(a % ndim for a in axes))
    if len(set(found)) != len(found):
        raise ShapeError(f"{by}: axis {axis} names one axis twice")
    return found


def _by_rows(
    by: str, x: Any, gamma: Any, beta: Any, axis: Any, eps: float, centred: bool
) -> ndarray:
    x = array_of_floats(x, by)
    axes = checked_axes(by, axis, x.ndim)
    lengths = tuple(x.shape[a] for a in axes)
    count = math.prod(lengths)
    if count == 0:
        raise ShapeError(f"{by}: rows without elements have no mean, got shape {x.shape}")
    gamma = vector_or(by, "gamma", gamma, 1.0, lengths, x.dtype)
    beta = vector_or(by, "beta", beta, 0.0, lengths, x.dtype)
    last = tuple(range(x.ndim - len(axes), x.ndim))
    moved = x if axes == last else to_the_end(x, axes)
    before = moved.shape
    if len(axes) > 1:
        moved = reshape(moved, (*before[: last[0]], count))
    out = row_norm(moved, gamma, beta, float(eps), centred)
    if len(axes) > 1:
        out = reshape(out, before)
    return out if axes == last else back_from_the_end(out, axes)


def _order(ndim: int, axes: tuple[int, ...]) -> tuple[int, ...]:
    return (*(a for a in range(ndim) if a not in axes), *axes)


def to_the_end(x: Any, axes: tuple[int, ...]) -> Any:
    """Return an array with some axes behind the others."""
    # Not moveaxis: transpose can be part of a graph.
    return transpose(x, _order(x.ndim, axes))


def back_from_the_end(x: Any, axes: tuple[int, ...]) -> Any:
    """Return an array with its last axes where they were."""
    order = _order(x.ndim, axes)
    return transpose(x, tuple(sorted(range(x.ndim), key=order.__getitem__)))


def vector_or(
    by: str, name: str, value: Any, start: float, lengths: tuple[int, ...], dtype: numpy.dtype
) -> ndarray:
    """Return a scale or shift of checked shape as a vector, made of one number if not given."""
    count = math.prod(lengths)
    if value is None:
        return as_ndarray(numpy.full(count, start, dtype))
    value = array_of_floats(value, by, name)
    if value.shape != lengths:
        raise ShapeError(f"{by}: expected {name} of shape {lengths}, got {value.shape}")
    if len(lengths) != 1:
        value = reshape(value, (count,))
    return value if value.dtype == dtype else registry["astype"](value, dtype)
