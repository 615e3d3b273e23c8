"""Probabilities of logits along an axis: softmax, its logarithm, and sparsemax."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy

from minpy.array import ndarray
from minpy.autograd.rules import defjvp, defvjp
from minpy.host_operator import HostOperator
from minpy.layers.functions.operands import as_float, is_float32, refuse_unsupported
from minpy.numpy.elementwise import exp
from minpy.numpy.shaping import reshape, swapaxes, transpose
from minpy.primitives import Primitive, registry

__all__ = ["log_softmax", "softmax", "sparsemax"]


def _softmax(x: numpy.ndarray, axis: int) -> numpy.ndarray:
    out = x - x.max(axis, keepdims=True)
    numpy.exp(out, out=out)
    out /= out.sum(axis, keepdims=True)
    return out


def _log_softmax(x: numpy.ndarray, axis: int) -> numpy.ndarray:
    out = x - x.max(axis, keepdims=True)
    out -= numpy.log(numpy.exp(out).sum(axis, keepdims=True))
    return out


def _mx(op: str) -> Callable[..., Any]:
    def kernel(F: Any, x: Any, axis: int) -> Any:
        refuse_unsupported(x)
        return F(op, x, axis=axis)

    return kernel


# Measured on two cores of a Zen 5, float32 (oneDNN, NumPy; ms); along another axis than the last
# oneDNN isn't used:
#   (128, 10) 0.026 0.011   (1024, 100) 0.05 0.14   (1024, 1000) 0.19 0.86
#   (64, 10, 32, 32) along axis 1: 3.1 0.47
def _on_onednn(x: Any, axis: int) -> bool:
    return is_float32(x) and x.size >= 10_000 and axis % x.ndim == x.ndim - 1


softmax_op = Primitive(
    "softmax",
    _softmax,
    arrays=1,
    mxnet=_mx("softmax"),
    faster_on_mxnet=_on_onednn,
)
log_softmax_op = Primitive(
    "log_softmax",
    _log_softmax,
    arrays=1,
    mxnet=_mx("log_softmax"),
    faster_on_mxnet=_on_onednn,
)


def _sparsemax(x: numpy.ndarray) -> numpy.ndarray:
    ordered = -numpy.sort(-x, axis=-1)
    sums = numpy.cumsum(ordered, axis=-1)
    rank = numpy.arange(1, x.shape[-1] + 1, dtype=x.dtype)
    count = (ordered * rank + 1 > sums).sum(-1, keepdims=True)
    level = (numpy.take_along_axis(sums, count - 1, -1) - 1) / count.astype(x.dtype)
    return numpy.maximum(x - level, 0)


def _sparsemax_back(gradients: list, inputs: list, results: list, found: list) -> None:
    inside = results[0] > 0
    mean = (gradients[0] * inside).sum(-1, keepdims=True) / inside.sum(-1, keepdims=True)
    found[0][...] = (gradients[0] - mean) * inside


def _sparsemax_on_host(inputs: list, results: list) -> None:
    results[0][...] = _sparsemax(inputs[0])


_sparsemax_node = HostOperator(
    "sparsemax", _sparsemax_on_host, _sparsemax_back, lambda shapes: shapes[:1], uses_results=True
)


def _mx_sparsemax(F: Any, x: Any) -> Any:
    refuse_unsupported(x)
    return _sparsemax_node(F, x)


# sparsemax(x), along the last axis. Its Jacobian, diag(s) - s sᵀ / sum(s) for the support s of the
# result as zeros and ones, is symmetric, and constant around each point.
sparsemax_op = Primitive(
    "sparsemax", _sparsemax, arrays=1, mxnet=_mx_sparsemax, faster_on_mxnet=False
)


def _on_support(g: Any, ans: Any) -> Any:
    inside = (ans > 0).astype(ans.dtype)
    mean = _total(g * inside, -1) / _total(inside, -1)
    return (g - mean) * inside


defvjp(sparsemax_op, lambda ans, x: lambda g: _on_support(g, ans))
defjvp(sparsemax_op, lambda g, ans, x: _on_support(g, ans))


def _total(x: Any, axis: int) -> Any:
    return registry["sum"](x, axis, keepdims=True)


# The Jacobian of softmax, diag(p) - p pᵀ, is symmetric; that of log_softmax is 1 - 1 pᵀ.
defvjp(softmax_op, lambda ans, x, axis: lambda g: ans * (g - _total(g * ans, axis)))
defjvp(softmax_op, lambda g, ans, x, axis: ans * (g - _total(g * ans, axis)))
defvjp(log_softmax_op, lambda ans, x, axis: lambda g: g - exp(ans) * _total(g, axis))
defjvp(log_softmax_op, lambda g, ans, x, axis: g - _total(g * exp(ans), axis))


def _checked_axis(by: str, x: ndarray, axis: int) -> int:
    if x.ndim == 0 or not -x.ndim <= axis < x.ndim:
        raise ValueError(f"{by}: axis {axis} is no axis of an array of shape {x.shape}")
    return axis


def _along(operation: Primitive, by: str, x: ndarray, axis: Any) -> ndarray:
    """Return what an operation gives along one axis, or along several as if they were one."""
    if not isinstance(axis, list | tuple):
        return operation(x, _checked_axis(by, x, axis))
    if not axis:
        raise ValueError(f"{by}: expected an axis or several, got {axis!r}")
    axes = sorted({_checked_axis(by, x, a) % x.ndim for a in axis})
    if len(axes) == 1:
        return operation(x, axes[0])
    order = (*(a for a in range(x.ndim) if a not in axes), *axes)
    turned = transpose(x, order)
    rows = reshape(turned, (*turned.shape[: x.ndim - len(axes)], -1))
    out = reshape(operation(rows, -1), turned.shape)
    return transpose(out, tuple(sorted(range(x.ndim), key=order.__getitem__)))


def softmax(x: Any, axis: int | tuple[int, ...] = -1) -> ndarray:
    """Return ``exp(x) / sum(exp(x))`` along an axis, for any x without overflow.

    Parameters
    ----------
    x
        Logits, of any shape.
    axis
        Along which the results sum to 1; several axes together if it is a tuple.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers.functions import softmax
    >>> softmax(np.array([[0., 0.], [1000., 0.]]))
    array([[0.5, 0.5],
           [1. , 0. ]])
    """
    return _along(softmax_op, "softmax", as_float(x), axis)


def log_softmax(x: Any, axis: int | tuple[int, ...] = -1) -> ndarray:
    """Return the logarithm of `softmax`, of the same arguments, computed without it.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers.functions import log_softmax
    >>> log_softmax(np.array([[0., 1000.]]))
    array([[-1000.,     0.]])
    """
    return _along(log_softmax_op, "log_softmax", as_float(x), axis)


def sparsemax(x: Any, axis: int = -1) -> ndarray:
    """Return the nearest probabilities to x along an axis, many of them exactly 0.

    Parameters
    ----------
    x
        Logits, of any shape.
    axis
        Along which the results sum to 1.

    Notes
    -----
    Martins and Astudillo, "From softmax to sparsemax", 2016, algorithm 1.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers.functions import sparsemax
    >>> sparsemax(np.array([1., 0.9, -1.]))
    array([0.55, 0.45, 0.  ])
    """
    x = as_float(x)
    axis = _checked_axis("sparsemax", x, axis) % x.ndim
    if axis == x.ndim - 1:
        return sparsemax_op(x)
    return swapaxes(sparsemax_op(swapaxes(x, axis, -1)), axis, -1)
