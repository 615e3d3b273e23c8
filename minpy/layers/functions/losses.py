"""Losses as functions of scores and labels; knows no model, no reduction by name and no metric.

Labels are class numbers or, a number for each class, one-hot vectors or probabilities. Scores are
logits, any real numbers: the logarithm of their softmax or sigmoid is computed in one go, so that
logits of ±10,000 give a finite loss and finite derivatives.
"""

from __future__ import annotations

import math
from typing import Any

import numpy

from minpy.array import as_ndarray, is_tracked, ndarray, numpy_value
from minpy.autograd.rules import def_linear, defjvp, defvjp
from minpy.errors import ShapeError
from minpy.layers.functions.activations import relu, sigmoid
from minpy.layers.functions.operands import array_of_floats, is_float32, refuse_unsupported
from minpy.layers.functions.probabilities import log_softmax_op, softmax_op
from minpy.primitives import Primitive, registry

__all__ = [
    "binary_cross_entropy",
    "l2_loss",
    "softmax_cross_entropy",
    "softmax_loss",
    "svm_loss",
]


# --- one element of each row, and its transpose ---------------------------------------------------


def _pick(x: numpy.ndarray, labels: numpy.ndarray) -> numpy.ndarray:
    try:
        return x[numpy.arange(len(labels)), labels]
    except IndexError:
        raise ValueError(
            f"expected class numbers from 0 to {x.shape[1] - 1}, below the number of the model's "
            f"outputs, got {labels.min()} to {labels.max()}"
        ) from None


def _place(g: numpy.ndarray, labels: numpy.ndarray, classes: int) -> numpy.ndarray:
    out = numpy.zeros((len(labels), classes), g.dtype)
    out[numpy.arange(len(labels)), labels] = g
    return out


def _mx_pick(F: Any, x: Any, labels: Any) -> Any:
    refuse_unsupported(x)
    return F("pick", x, labels, axis=-1)


def _mx_one_hot(F: Any, labels: Any, classes: int, dtype: Any) -> Any:
    return F("one_hot", labels, depth=classes, dtype=numpy.dtype(dtype).name)


def _mx_place(F: Any, g: Any, labels: Any, classes: int) -> Any:
    refuse_unsupported(g)
    return F("broadcast_mul", _mx_one_hot(F, labels, classes, g.dtype), F("expand_dims", g, axis=1))


# pick(x, labels): the element of each row that its label says.
pick = Primitive("pick", _pick, arrays=2, mxnet=_mx_pick)
# place(g, labels, classes): rows of zeros but for the element that the label says.
place = Primitive("place", _place, arrays=2, mxnet=_mx_place)
defvjp(pick, lambda ans, x, labels: lambda g: place(g, labels, x.shape[1]), None)
defvjp(place, lambda ans, g, labels, classes: lambda h: pick(h, labels), None)
pick.class_numbers = 1
def_linear(pick)
def_linear(place)


# --- cross-entropy of a softmax with class numbers ------------------------------------------------


def _cross_entropy(x: numpy.ndarray, labels: numpy.ndarray) -> numpy.ndarray:
    top = x.max(1, keepdims=True)
    shifted = x - top
    right = _pick(shifted, labels)
    numpy.exp(shifted, out=shifted)
    return numpy.log(shifted.sum(1)) - right


def _mx_cross_entropy(F: Any, x: Any, labels: Any) -> Any:
    refuse_unsupported(x)
    return F("negative", F("pick", F("log_softmax", x, axis=-1), labels, axis=-1))


def _cross_entropy_gradient(
    g: numpy.ndarray, p: numpy.ndarray, labels: numpy.ndarray
) -> numpy.ndarray:
    out = p * g[:, None]
    out[numpy.arange(len(labels)), labels] -= g
    return out


def _mx_cross_entropy_gradient(F: Any, g: Any, p: Any, labels: Any) -> Any:
    refuse_unsupported(g, p)
    off = F("elemwise_sub", p, _mx_one_hot(F, labels, p.shape[1], p.dtype))
    return F("broadcast_mul", off, F("expand_dims", g, axis=1))


# cross_entropy(x, labels): -log(softmax(x)[label]) for each row. With 1,000 rows of 1,000 float32
# classes oneDNN takes 0.21 ms and NumPy 0.88; with 128 of 10, 0.06 and 0.01.
cross_entropy = Primitive(
    "softmax_cross_entropy",
    _cross_entropy,
    arrays=2,
    mxnet=_mx_cross_entropy,
    faster_on_mxnet=lambda x, labels: is_float32(x) and x.size >= 20_000,
)
cross_entropy.class_numbers = 1
# cross_entropy_gradient(g, p, labels): g (p - one-hot), a row for each g; linear in p by itself
# but for the constant.
cross_entropy_gradient = Primitive(
    "softmax_cross_entropy_gradient",
    _cross_entropy_gradient,
    arrays=3,
    mxnet=_mx_cross_entropy_gradient,
)


def _column(g: Any) -> Any:
    return registry["reshape"](g, (-1, 1))


defvjp(
    cross_entropy,
    lambda ans, x, labels: lambda g: cross_entropy_gradient(g, softmax_op(x, -1), labels),
    None,
)
defjvp(
    cross_entropy,
    lambda t, ans, x, labels: registry["sum"](softmax_op(x, -1) * t, 1) - pick(t, labels),
    None,
)
defvjp(
    cross_entropy_gradient,
    lambda ans, g, p, labels: lambda h: registry["sum"](h * p, 1) - pick(h, labels),
    lambda ans, g, p, labels: lambda h: h * _column(g),
    None,
)
defjvp(
    cross_entropy_gradient,
    lambda t, ans, g, p, labels: cross_entropy_gradient(t, p, labels),
    lambda t, ans, g, p, labels: t * _column(g),
    None,
)


# --- cross-entropy of a sigmoid -------------------------------------------------------------------


def _sigmoid_cross_entropy(x: numpy.ndarray, y: numpy.ndarray) -> numpy.ndarray:
    return numpy.maximum(x, 0) - x * y + numpy.log1p(numpy.exp(-numpy.abs(x)))


def _mx_sigmoid_cross_entropy(F: Any, x: Any, y: Any) -> Any:
    refuse_unsupported(x, y)
    rest = F("log1p", F("exp", F("negative", F("abs", x))))
    return F("elemwise_add", F("elemwise_sub", F("relu", x), F("elemwise_mul", x, y)), rest)


# -y log(sigmoid(x)) - (1 - y) log(1 - sigmoid(x)), element by element.
sigmoid_cross_entropy = Primitive(
    "sigmoid_cross_entropy", _sigmoid_cross_entropy, arrays=2, mxnet=_mx_sigmoid_cross_entropy
)
defvjp(
    sigmoid_cross_entropy,
    lambda ans, x, y: lambda g: g * (sigmoid(x) - y),
    lambda ans, x, y: lambda g: -g * x,
)
defjvp(
    sigmoid_cross_entropy,
    lambda t, ans, x, y: t * (sigmoid(x) - y),
    lambda t, ans, x, y: -t * x,
)


# --- labels ---------------------------------------------------------------------------------------


def _class_numbers(by: str, labels: ndarray, x: ndarray) -> ndarray | None:
    """Return labels as class numbers, one a row of scores; None where they are a number a class.

    Raises
    ------
    ShapeError
        If they are neither.
    ValueError
        If there is no such class. (Labels that a graph is given later aren't checked here.)
    """
    classes = x.shape[-1]
    if labels.shape == x.shape and (classes > 1 or labels.dtype.kind == "f"):
        return None
    if labels.shape not in (x.shape[:-1], (*x.shape[:-1], 1)):
        raise ShapeError(
            f"{by}: expected labels of shape {x.shape[:-1]} (class numbers) or {x.shape} (a number "
            f"a class) for scores of shape {x.shape}, got {labels.shape}"
        )
    labels = registry["reshape"](labels, x.shape[:-1])
    if not is_tracked(labels):
        values = numpy_value(labels)
        if labels.dtype.kind == "f" and (values != numpy.floor(values)).any():
            raise ValueError(
                f"{by}: expected whole class numbers, got {labels.dtype} with fractions"
            )
        if values.size and (values.min() < 0 or values.max() >= classes):
            raise ValueError(
                f"{by}: expected class numbers from 0 to {classes - 1} for scores of shape "
                f"{x.shape}, got {values.min():g} to {values.max():g}"
            )
    if labels.dtype.kind not in "iu":
        labels = registry["astype"](labels, numpy.int64)
    return labels


def _scores(by: str, x: Any) -> ndarray:
    x = array_of_floats(x, by)
    if x.ndim < 2 or x.shape[-1] == 0:
        raise ShapeError(f"{by}: expected scores of shape (batch, classes), got {x.shape}")
    return x


def _rows(x: ndarray) -> ndarray:
    if x.ndim == 2:
        return x
    return registry["reshape"](x, (math.prod(x.shape[:-1]), x.shape[-1]))


def _like(by: str, labels: ndarray, x: ndarray) -> ndarray:
    """Return labels with the shape (but for a last axis of 1) and the dtype of the scores."""
    if labels.shape != x.shape:
        if (*labels.shape, 1) != x.shape and labels.shape != (*x.shape, 1):
            raise ShapeError(
                f"{by}: expected labels of shape {x.shape} like the scores, got {labels.shape}"
            )
        labels = registry["reshape"](labels, x.shape)
    return labels if labels.dtype == x.dtype else registry["astype"](labels, x.dtype)


# --- public functions -----------------------------------------------------------------------------


def softmax_cross_entropy(logits: Any, labels: Any) -> ndarray:
    """Return the cross-entropy between labels and the softmax of logits, one value a sample.

    Parameters
    ----------
    logits
        Scores, of shape (batch, classes) or (batch, …, classes).
    labels
        Class numbers, of shape (batch, …) or (batch, …, 1), or probabilities (one-hot vectors among
        them), of the shape of `logits`.

    Returns
    -------
    ndarray
        Of shape (batch, …).

    Raises
    ------
    ShapeError
        If the shapes don't fit.
    ValueError
        If a label is no class number.

    Notes
    -----
    minpy 0.3.4 has a function of this name on probabilities, which returns the mean.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers.functions import softmax_cross_entropy
    >>> softmax_cross_entropy(np.array([[0., 0.], [0., 1e4]]), np.array([0, 1]))
    array([0.6931472, 0.       ])
    """
    x, labels = _scores("softmax_cross_entropy", logits), as_ndarray(labels)
    numbers = _class_numbers("softmax_cross_entropy", labels, x)
    if numbers is None:
        if labels.dtype != x.dtype:
            labels = registry["astype"](labels, x.dtype)
        return -registry["sum"](labels * log_softmax_op(x, -1), -1)
    if x.ndim == 2:
        return cross_entropy(x, numbers)
    flat = cross_entropy(_rows(x), registry["reshape"](numbers, (-1,)))
    return registry["reshape"](flat, x.shape[:-1])


def softmax_loss(x: Any, label: Any) -> ndarray:
    """Return the mean over the batch of the cross-entropy between labels and the softmax of scores.

    Parameters
    ----------
    x
        Scores, of shape (batch, classes).
    label
        Class numbers, of shape (batch,), or one-hot vectors or probabilities, of the shape of `x`.

    Returns
    -------
    ndarray
        A single number.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers.functions import softmax_loss
    >>> softmax_loss(np.zeros((2, 10)), np.array([3, 4]))
    array(2.3025851)
    """
    return registry["mean"](softmax_cross_entropy(x, label))


def svm_loss(x: Any, label: Any, margin: float = 1.0) -> ndarray:
    """Return the multiclass hinge loss, summed over classes and averaged over the batch.

    Parameters
    ----------
    x
        Scores, of shape (batch, classes).
    label
        Class numbers, of shape (batch,), or one-hot vectors, of the shape of `x`.
    margin
        By how much the right class has to win.

    Notes
    -----
    Weston and Watkins, "Support vector machines for multi-class pattern recognition", 1999:
    the sum over wrong classes j of ``max(0, x[j] - x[label] + margin)``.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers.functions import svm_loss
    >>> svm_loss(np.array([[3., 1., 2.5]]), np.array([0]))
    array(0.5)
    """
    x, label = _scores("svm_loss", x), as_ndarray(label)
    if margin < 0:
        raise ValueError(f"svm_loss: expected a margin from 0, got {margin!r}")
    numbers = _class_numbers("svm_loss", label, x)
    if numbers is None:
        values = numpy_value(label)
        if not ((values == 0) | (values == 1)).all() or not (values.sum(-1) == 1).all():
            raise ValueError("svm_loss: expected class numbers or one-hot vectors as labels")
        numbers = as_ndarray(values.argmax(-1))
    rows = _rows(x)
    if not rows.shape[0]:
        raise ShapeError(f"svm_loss: a batch without samples has no mean, got shape {x.shape}")
    right = pick(rows, registry["reshape"](numbers, (-1,)))
    # The right class itself is off by the margin exactly.
    over = registry["sum"](relu(rows - _column(right) + margin), 1) - margin
    return registry["mean"](over)


def l2_loss(x: Any, label: Any) -> ndarray:
    """Return the squared error, summed over each sample and averaged over the batch.

    Parameters
    ----------
    x
        Predictions, of shape (batch, …).
    label
        Targets of the same shape; or class numbers, integers of shape (batch,), which stand for
        one-hot vectors.

    Returns
    -------
    ndarray
        A single number, ``sum((x - label)**2) / batch``: the sum over a sample, as in minpy 0.3.4,
        not its mean.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers.functions import l2_loss
    >>> l2_loss(np.array([[1., 2.], [3., 4.]]), np.array([[1., 0.], [0., 4.]]))
    array(6.5)
    """
    x, label = array_of_floats(x, "l2_loss"), as_ndarray(label)
    if x.ndim == 0 or x.shape[0] == 0:
        raise ShapeError(f"l2_loss: expected predictions of shape (batch, …), got {x.shape}")
    if x.ndim == 2 and x.shape[1] > 1 and label.ndim == 1 and label.dtype.kind in "iu":
        numbers = _class_numbers("l2_loss", label, x)
        label = place(as_ndarray(numpy.ones(x.shape[0], x.dtype)), numbers, x.shape[1])
    off = x - _like("l2_loss", label, x)
    return registry["sum"](off * off) / x.shape[0]


def binary_cross_entropy(logits: Any, labels: Any) -> ndarray:
    """Return the cross-entropy between labels and the sigmoid of logits, element by element.

    Parameters
    ----------
    logits
        Scores, of any shape.
    labels
        0 and 1, or probabilities between them, of the same shape (but for a last axis of 1).

    Returns
    -------
    ndarray
        Of the shape of `logits`.

    Raises
    ------
    ShapeError
        If the shapes differ.
    ValueError
        If a label lies outside [0, 1].

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers.functions import binary_cross_entropy
    >>> binary_cross_entropy(np.array([0., -1e4, 1e4]), np.array([1., 0., 0.]))
    array([6.931472e-01, 0.000000e+00, 1.000000e+04])
    """
    x, labels = array_of_floats(logits, "binary_cross_entropy", "logits"), as_ndarray(labels)
    if not is_tracked(labels):
        values = numpy_value(labels)
        if values.size and not (values.min() >= 0 and values.max() <= 1):
            raise ValueError(
                "binary_cross_entropy: expected labels from 0 to 1, "
                f"got {values.min():g} to {values.max():g}"
            )
    return sigmoid_cross_entropy(x, _like("binary_cross_entropy", labels, x))
