"""Batch normalisation, with batch or running statistics, and its derivatives to any order.

It must not know where running statistics are kept: they come as arguments and go as results.
"""

from __future__ import annotations

import math
from typing import Any

import numpy

from minpy import runtime
from minpy.array import as_ndarray, is_tracked, ndarray, numpy_value
from minpy.autograd.rules import defvjp_argnums
from minpy.errors import ShapeError
from minpy.layers.functions.composition import (
    differentiate_forward_as,
    differentiate_reverse_as,
)
from minpy.layers.functions.operands import (
    array_of_floats,
    is_float32,
    refuse_unsupported,
    training,
)
from minpy.primitives import Primitive, registry

__all__ = ["batchnorm"]


# --- NumPy kernels --------------------------------------------------------------------------------


def _wide(dtype: numpy.dtype) -> numpy.dtype:
    """Return what sums are made in: not float16."""
    return numpy.promote_types(dtype, numpy.float32)


def _by_channel(x: numpy.ndarray, axis: int, dtype: numpy.dtype) -> numpy.ndarray:
    """Return an array as (outer, channels, inner)."""
    shape = x.shape
    outer, inner = math.prod(shape[:axis]), math.prod(shape[axis + 1 :])
    return numpy.asarray(x, dtype).reshape(outer, shape[axis], inner)


def _channel_sum(x: numpy.ndarray) -> numpy.ndarray:
    return x.sum(2).sum(0) if x.shape[2] > 1 else x[:, :, 0].sum(0)


def _channel_product(x: numpy.ndarray, y: numpy.ndarray) -> numpy.ndarray:
    return numpy.einsum("icj,icj->c", x, y)


def _across(values: numpy.ndarray, dtype: numpy.dtype) -> numpy.ndarray:
    return values.astype(dtype, copy=False)[:, None]


def _batch_norm(
    x: numpy.ndarray, gamma: numpy.ndarray, beta: numpy.ndarray, eps: float, axis: int
) -> tuple[numpy.ndarray, numpy.ndarray, numpy.ndarray]:
    dtype = _wide(x.dtype)
    x3 = _by_channel(x, axis, dtype)
    count = x3.shape[0] * x3.shape[2]
    mean = _channel_sum(x3) / dtype.type(count)
    out = x3 - mean[:, None]
    var = _channel_product(out, out) / dtype.type(count)
    out *= _across(gamma / numpy.sqrt(var + dtype.type(eps)), dtype)
    out += _across(beta, dtype)
    return out.reshape(x.shape).astype(x.dtype, copy=False), mean, var


def _batch_norm_gradients(
    g: numpy.ndarray,
    x: numpy.ndarray,
    gamma: numpy.ndarray,
    mean: numpy.ndarray,
    var: numpy.ndarray,
    eps: float,
    axis: int,
) -> tuple[numpy.ndarray, numpy.ndarray, numpy.ndarray]:
    dtype = _wide(x.dtype)
    g3 = _by_channel(g, axis, dtype)
    count = dtype.type(g3.shape[0] * g3.shape[2])
    inverse = 1 / numpy.sqrt(var + dtype.type(eps))
    out = _by_channel(x, axis, dtype) - _across(mean, dtype)
    out *= _across(inverse, dtype)
    of_beta = _channel_sum(g3)
    of_gamma = _channel_product(g3, out)
    out *= _across(-of_gamma / count, dtype)
    out += g3
    out -= _across(of_beta / count, dtype)
    out *= _across(gamma * inverse, dtype)
    return (
        out.reshape(x.shape).astype(x.dtype, copy=False),
        of_gamma.astype(gamma.dtype, copy=False),
        of_beta.astype(gamma.dtype, copy=False),
    )


def _normalize(
    x: numpy.ndarray,
    gamma: numpy.ndarray,
    beta: numpy.ndarray,
    mean: numpy.ndarray,
    var: numpy.ndarray,
    eps: float,
    axis: int,
) -> numpy.ndarray:
    dtype = _wide(x.dtype)
    scale = gamma / numpy.sqrt(var + dtype.type(eps))
    out = _by_channel(x, axis, dtype) - _across(mean, dtype)
    out *= _across(scale, dtype)
    out += _across(beta, dtype)
    return out.reshape(x.shape).astype(x.dtype, copy=False)


# --- MXNet kernels: oneDNN ------------------------------------------------------------------------


def _told(eps: float, axis: int, use_global_stats: bool) -> dict[str, Any]:
    # The moving averages are ours; its own, which it writes to, are thrown away.
    return {
        "eps": eps,
        "momentum": 0.0,
        "fix_gamma": False,
        "use_global_stats": use_global_stats,
        "axis": axis,
    }


def _mx_batch_norm(F: Any, x: Any, gamma: Any, beta: Any, eps: float, axis: int) -> Any:
    refuse_unsupported(x, gamma, beta)
    if F.symbolic:  # in a graph the averages that BatchNorm writes to have to be variables
        channels, dtype = x.shape[axis], gamma.dtype
        averages = (
            F.scratch(numpy.zeros(channels, dtype)),
            F.scratch(numpy.ones(channels, dtype)),
        )
    else:
        averages = F("zeros_like", gamma), F("ones_like", gamma)
    with training(F):
        y, mean, inverse = F(
            "BatchNorm", x, gamma, beta, *averages, output_mean_var=True, **_told(eps, axis, False)
        )
    # What it calls the variance is 1 / sqrt(variance + eps).
    var = F("_minus_scalar", F("reciprocal", F("square", inverse)), scalar=eps)
    return y, mean, F("_maximum_scalar", var, scalar=0.0)


def _mx_batch_norm_gradients(
    F: Any, g: Any, x: Any, gamma: Any, mean: Any, var: Any, eps: float, axis: int
) -> Any:
    if F.symbolic:
        raise runtime.Unsupported("a gradient of BatchNorm can't be part of a graph")
    refuse_unsupported(g, x, gamma, mean, var)
    inverse = F("rsqrt", F("_plus_scalar", var, scalar=eps))
    averages = F("zeros_like", gamma), F("ones_like", gamma)
    out = F.empty(x.shape, x), F.empty(gamma.shape, x), F.empty(gamma.shape, x)
    with training(F):
        F.into(
            "_backward_BatchNorm",
            [g, mean, inverse, x, gamma, gamma, *averages],
            out,
            output_mean_var=True,
            **_told(eps, axis, False),
        )
    return out


def _mx_normalize(
    F: Any, x: Any, gamma: Any, beta: Any, mean: Any, var: Any, eps: float, axis: int
) -> Any:
    refuse_unsupported(x, gamma, beta, mean, var)
    if F.symbolic and not (mean.is_variable and var.is_variable):
        raise runtime.Unsupported(
            "in a graph MXNet's BatchNorm needs variables for the averages that it reads"
        )
    return F("BatchNorm", x, gamma, beta, mean, var, **_told(eps, axis, True))


# --- the same in simple operations ----------------------------------------------------------------


def _shapes(x: Any, axis: int) -> tuple[tuple[int, ...], tuple[int, ...], int]:
    """Return the summed axes, the shape of a channel's number beside `x`, and the count."""
    others = tuple(i for i in range(x.ndim) if i != axis)
    along = tuple(n if i == axis else 1 for i, n in enumerate(x.shape))
    return others, along, math.prod(x.shape[i] for i in others)


def _composed_batch_norm(x: Any, gamma: Any, beta: Any, eps: float, axis: int) -> tuple:
    others, _, _ = _shapes(x, axis)
    mean, var = registry["mean"](x, others), registry["var"](x, others)
    return _composed_normalize(x, gamma, beta, mean, var, eps, axis), mean, var


def _composed_normalize(
    x: Any, gamma: Any, beta: Any, mean: Any, var: Any, eps: float, axis: int
) -> Any:
    _, along, _ = _shapes(x, axis)
    reshape = registry["reshape"]
    scale = gamma / registry["sqrt"](var + eps)
    return (x - reshape(mean, along)) * reshape(scale, along) + reshape(beta, along)


def _composed_gradients(
    g: Any, x: Any, gamma: Any, mean: Any, var: Any, eps: float, axis: int
) -> tuple:
    others, along, count = _shapes(x, axis)
    reshape, total = registry["reshape"], registry["sum"]
    inverse = 1 / registry["sqrt"](var + eps)
    normal = (x - reshape(mean, along)) * reshape(inverse, along)
    of_beta = total(g, others)
    of_gamma = total(g * normal, others)
    centred = g - reshape(of_beta, along) / count - normal * (reshape(of_gamma, along) / count)
    return centred * reshape(gamma * inverse, along), of_gamma, of_beta


# --- primitives -----------------------------------------------------------------------------------

# Measured on two cores of a Zen 5, float32, channels in axis 1 (oneDNN, NumPy; ms):
#   input               forward       backward
#   (128, 512)          0.25  0.05    0.37  0.07
#   (32, 64, 8, 8)      0.22  0.13    0.31  0.18
#   (32, 32, 26, 26)    0.69  0.53    0.79  0.83
#   (128, 16, 32, 32)   1.9   3.3     1.9   3.7
_MANY = 1_000_000


def _on_onednn(at: int) -> Any:
    def faster(*args: Any) -> bool:
        x, axis = args[at], args[-1]
        return x.size >= _MANY and axis == 1 and x.ndim == 4 and is_float32(x)

    return faster


# batch_norm(x, gamma, beta, eps, axis): (normalised, mean of the batch, variance of the batch).
batch_norm = Primitive(
    "batch_norm", _batch_norm, arrays=3, mxnet=_mx_batch_norm, faster_on_mxnet=_on_onednn(0)
)
# batch_norm_gradients(g, x, gamma, mean, var, eps, axis): of x, gamma and beta.
batch_norm_gradients = Primitive(
    "batch_norm_gradients",
    _batch_norm_gradients,
    arrays=5,
    mxnet=_mx_batch_norm_gradients,
    faster_on_mxnet=_on_onednn(1),
)
# normalize(x, gamma, beta, mean, var, eps, axis): with given statistics.
normalize = Primitive(
    "normalize", _normalize, arrays=5, mxnet=_mx_normalize, faster_on_mxnet=_on_onednn(0)
)


def _is_zero(g: Any) -> bool:
    """Say whether a gradient is a plain zero: nobody used that result."""
    return not is_tracked(g) and not numpy_value(g).any()


def _batch_norm_vjp(argnums: tuple, ans: Any, args: tuple, kwargs: dict) -> Any:
    x, gamma, _, eps, axis = args
    _, mean, var = ans

    def vjp(gs: tuple) -> tuple:
        g, of_mean, of_var = gs
        found = list(batch_norm_gradients(g, x, gamma, mean, var, eps, axis))
        if 0 in argnums:
            _, along, count = _shapes(x, axis)
            reshape = registry["reshape"]
            if not _is_zero(of_mean):
                found[0] = found[0] + reshape(of_mean, along) / count
            if not _is_zero(of_var):
                off = x - reshape(mean, along)
                found[0] = found[0] + off * (reshape(of_var, along) * (2 / count))
        return tuple(found[i] for i in argnums)

    return vjp


defvjp_argnums(batch_norm, _batch_norm_vjp)
differentiate_forward_as(batch_norm, _composed_batch_norm)
differentiate_reverse_as(batch_norm_gradients, _composed_gradients)
differentiate_forward_as(batch_norm_gradients, _composed_gradients)
differentiate_reverse_as(normalize, _composed_normalize)
differentiate_forward_as(normalize, _composed_normalize)


# --- public function ------------------------------------------------------------------------------

_MODES = {"train": True, True: True, "test": False, False: False}


def batchnorm(
    x: Any,
    gamma: Any,
    beta: Any,
    mode: str | bool = "train",
    eps: float = 1e-5,
    momentum: float = 0.9,
    running_mean: Any = None,
    running_var: Any = None,
    axis: int = 1,
) -> tuple[ndarray, ndarray, ndarray]:
    """Normalise each feature or channel to mean 0 and variance 1, then scale and shift it.

    Parameters
    ----------
    x
        Float array of shape (batch, features), or (batch, channels, …).
    gamma, beta
        Scale and shift, of shape (channels,); None for 1 and 0.
    mode
        ``'train'`` (or True) normalises by the mean and the variance of the batch, ``'test'`` (or
        False) by the running ones.
    eps
        Added to the variance.
    momentum
        How much of the running statistics stays in a training step.
    running_mean, running_var
        Of shape (channels,); in training None starts them at 0.
    axis
        Which axis of `x` counts channels.

    Returns
    -------
    out, running_mean, running_var
        The normalised array, and the running statistics after this step: in training ``momentum *
        running + (1 - momentum) * batch``, with the variance of the batch uncorrected (divided by
        the count) as in Keras and minpy 0.3.4; else as they were given. Nothing is written to.

    Notes
    -----
    Ioffe and Szegedy, "Batch normalization", 2015, algorithms 1 and 2.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers.functions import batchnorm
    >>> x = np.array([[1., 10.], [3., 10.]])
    >>> out, mean, var = batchnorm(x, np.ones(2), np.zeros(2), eps=1e-5)
    >>> out
    array([[-0.999995,  0.      ],
           [ 0.999995,  0.      ]])
    >>> mean
    array([0.2, 1. ])
    """
    if not isinstance(mode, str | bool) or mode not in _MODES:
        raise ValueError(f"batchnorm: expected mode 'train' or 'test', got {mode!r}")
    x = array_of_floats(x, "batchnorm")
    if x.ndim < 2:
        raise ShapeError(f"batchnorm: expected x of shape (batch, channels, …), got {x.shape}")
    if not -x.ndim <= axis < x.ndim:
        raise ShapeError(f"batchnorm: axis {axis} is no axis of an input of shape {x.shape}")
    if not _MODES[mode] and (running_mean is None or running_var is None):
        raise ValueError("batchnorm: mode 'test' needs running_mean and running_var")
    axis %= x.ndim
    channels = x.shape[axis]
    statistic = _wide(x.dtype)
    given = {
        "gamma": (gamma, 1.0, x.dtype),
        "beta": (beta, 0.0, x.dtype),
        "running_mean": (running_mean, 0.0, statistic),
        "running_var": (running_var, 0.0, statistic),
    }
    gamma, beta, running_mean, running_var = (
        _of_channels(name, value, channels, start, dtype)
        for name, (value, start, dtype) in given.items()
    )
    if not _MODES[mode]:
        out = normalize(x, gamma, beta, running_mean, running_var, eps, axis)
        return out, running_mean, running_var
    if x.size == 0:
        raise ShapeError(f"batchnorm: a batch without elements has no mean, got shape {x.shape}")
    out, mean, var = batch_norm(x, gamma, beta, eps, axis)
    kept, new = float(momentum), 1.0 - float(momentum)
    return out, running_mean * kept + mean * new, running_var * kept + var * new


def _of_channels(name: str, value: Any, channels: int, start: float, dtype: numpy.dtype) -> Any:
    """Return a number a channel, in a dtype."""
    if value is None:
        return as_ndarray(numpy.full(channels, start, dtype))
    value = array_of_floats(value, "batchnorm", name)
    if value.shape != (channels,):
        raise ShapeError(
            f"batchnorm: expected {name} of shape ({channels},), a number a channel, "
            f"got {value.shape}"
        )
    return value if value.dtype == dtype else registry["astype"](value, dtype)
