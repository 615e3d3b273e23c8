"""Losses of classes and probabilities. Each returns one value a sample.

Predictions are probabilities unless ``from_logits=True``. Logits are the better choice: their
cross-entropy is exact, while probabilities are kept 1e-7 away from 0 and 1, as in Keras.
"""

from __future__ import annotations

from typing import Any

import numpy

import minpy.numpy as np
from minpy.array import as_ndarray, is_tracked, ndarray, numpy_value
from minpy.config import epsilon
from minpy.errors import ShapeError
from minpy.layers.functions.activations import sigmoid
from minpy.layers.functions.losses import cross_entropy, pick, sigmoid_cross_entropy
from minpy.layers.functions.probabilities import log_softmax, softmax
from minpy.losses.loss import loss_class, prepare
from minpy.losses.stable import clip

__all__ = [
    "BinaryCrossentropy",
    "BinaryFocalCrossentropy",
    "CategoricalCrossentropy",
    "CategoricalFocalCrossentropy",
    "CategoricalGeneralizedCrossEntropy",
    "KLDivergence",
    "Poisson",
    "SparseCategoricalCrossentropy",
    "binary_crossentropy",
    "binary_focal_crossentropy",
    "categorical_crossentropy",
    "categorical_focal_crossentropy",
    "categorical_generalized_cross_entropy",
    "crossentropy",
    "kl_divergence",
    "poisson",
    "sparse_categorical_crossentropy",
]


# --- pieces ---------------------------------------------------------------------------------------


def _log_probabilities(y_pred: ndarray, from_logits: bool, axis: int) -> ndarray:
    if from_logits:
        return log_softmax(y_pred, axis)
    return np.log(_probabilities(y_pred, axis))


def _probabilities(y_pred: ndarray, axis: int) -> ndarray:
    """Make predictions add up to one, and keep them away from 0 and 1."""
    total = np.sum(y_pred, axis=axis, keepdims=True)
    return clip(y_pred / total, epsilon(), 1.0 - epsilon())


def _smooth(y_true: ndarray, label_smoothing: float, classes: int) -> ndarray:
    if not label_smoothing:
        return y_true
    return y_true * (1.0 - label_smoothing) + label_smoothing / classes


def _several_classes(name: str, shape: tuple[int, ...], axis: int) -> None:
    if not shape or shape[axis] == 1:
        raise ShapeError(
            f"{name}: expected y_pred of shape (batch, classes) with two classes or more, got "
            f"{shape}; for one output a sample use 'binary_crossentropy'"
        )


# --- classes --------------------------------------------------------------------------------------


def categorical_crossentropy(
    y_true: Any,
    y_pred: Any,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> ndarray:
    """Cross-entropy of one-hot rows, or of distributions over classes.

    Parameters
    ----------
    y_true
        Rows of probabilities, ``(batch, …, classes)``.
    y_pred
        Predictions of the same shape.
    from_logits
        Whether the predictions are logits rather than probabilities.
    label_smoothing
        How much of the targets is spread over all classes, 0 to 1.
    axis
        The classes' axis.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> categorical_crossentropy(np.array([[0., 1.]]), np.array([[0.5, 0.5]]))
    array([0.693])
    """
    y_true, y_pred = prepare("categorical_crossentropy", y_true, y_pred)
    _several_classes("categorical_crossentropy", y_pred.shape, axis)
    y_true = _smooth(y_true, label_smoothing, y_pred.shape[axis])
    return -np.sum(y_true * _log_probabilities(y_pred, from_logits, axis), axis=axis)


def sparse_categorical_crossentropy(
    y_true: Any,
    y_pred: Any,
    from_logits: bool = False,
    ignore_class: int | None = None,
    axis: int = -1,
) -> Any:
    """Cross-entropy of integer labels.

    Parameters
    ----------
    y_true
        Labels from 0 to classes - 1, ``(batch, …)`` or ``(batch, …, 1)``.
    y_pred
        Predictions, ``(batch, …, classes)``.
    from_logits
        Whether the predictions are logits rather than probabilities.
    ignore_class
        A label that doesn't count.
    axis
        The classes' axis.

    Returns
    -------
    ndarray
        A value for each label; with `ignore_class` a pair of these and of which of them count.

    Raises
    ------
    ShapeError
        If the shapes don't fit.
    ValueError
        If a label is no class.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> sparse_categorical_crossentropy(np.array([1]), np.array([[0.5, 0.5]]))
    array([0.693])
    """
    y_true, y_pred = as_ndarray(y_true), as_ndarray(y_pred)
    _several_classes("sparse_categorical_crossentropy", y_pred.shape, axis)
    axis = axis % y_pred.ndim
    if axis != y_pred.ndim - 1:
        y_pred = np.moveaxis(y_pred, axis, -1)
    rest, classes = y_pred.shape[:-1], y_pred.shape[-1]
    if y_true.shape != rest and y_true.shape != (*rest, 1):
        raise ShapeError(_label_advice(y_true.shape, y_pred.shape, rest))
    labels = y_true if y_true.ndim == 1 else np.reshape(y_true, (-1,))
    counts = None
    if ignore_class is not None:
        # In floats, which graphs compare; exact for 16 million classes.
        labels = labels.astype(numpy.float32)
        counts = labels != float(ignore_class)
        labels = np.where(counts, labels, 0.0)
    _check_labels(labels, classes)
    if labels.dtype.kind not in "iu":
        labels = labels.astype(numpy.int64)
    rows = y_pred if y_pred.ndim == 2 else np.reshape(y_pred, (-1, classes))
    if from_logits:
        losses = cross_entropy(rows, labels)
    else:
        p = pick(rows, labels) / np.sum(rows, axis=-1)
        losses = -np.log(clip(p, epsilon(), 1.0 - epsilon()))
    if counts is not None:
        losses = np.where(counts, losses, 0.0)
    if len(rest) != 1:
        losses = np.reshape(losses, rest)
        counts = None if counts is None else np.reshape(counts, rest)
    return losses if counts is None else (losses, counts)


def _label_advice(true: tuple, predicted: tuple, rest: tuple) -> str:
    text = (
        f"sparse_categorical_crossentropy: expected labels of shape {rest}, one for each "
        f"prediction of {predicted}, got {true}"
    )
    if true == predicted:
        return f"{text}; for one-hot rows use 'categorical_crossentropy'"
    return text


def _check_labels(
    y_true: ndarray, classes: int, name: str = "sparse_categorical_crossentropy"
) -> None:
    if is_tracked(y_true) or not y_true.size:
        return
    labels = numpy_value(y_true)
    low, high = labels.min(), labels.max()
    if not (low >= 0 and high < classes):
        raise ValueError(
            f"{name}: expected labels from 0 to {classes - 1}, as the "
            f"model has {classes} outputs, got labels from {low} to {high}"
        )


def categorical_generalized_cross_entropy(y_true: Any, y_pred: Any, q: float = 0.5) -> ndarray:
    """Cross-entropy that goes over into the absolute error, for labels of which some are wrong.

    Parameters
    ----------
    y_true
        Labels from 0 to classes - 1, ``(batch, …)`` or ``(batch, …, 1)``.
    y_pred
        Probabilities, ``(batch, …, classes)``.
    q
        Above 0, where it is the cross-entropy, and below 1, the absolute error.

    Notes
    -----
    Zhang and Sabuncu, 2018, equation 6: ``(1 - p ^ q) / q``.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> categorical_generalized_cross_entropy(np.array([1]), np.array([[0.75, 0.25]]))
    array([1.])
    """
    y_true, y_pred = as_ndarray(y_true), as_ndarray(y_pred)
    if not 0 < q < 1:
        raise ValueError(f"categorical_generalized_cross_entropy: expected q in (0, 1), got {q!r}")
    _several_classes("categorical_generalized_cross_entropy", y_pred.shape, -1)
    rest, classes = y_pred.shape[:-1], y_pred.shape[-1]
    if y_true.shape != rest and y_true.shape != (*rest, 1):
        raise ShapeError(
            "categorical_generalized_cross_entropy: expected labels of shape "
            f"{rest}, one for each prediction of {y_pred.shape}, got {y_true.shape}"
        )
    _check_labels(y_true, classes, "categorical_generalized_cross_entropy")
    labels = np.reshape(y_true, (-1,))
    if labels.dtype.kind not in "iu":
        labels = labels.astype(numpy.int64)
    p = pick(np.reshape(y_pred, (-1, classes)), labels)
    # The derivative of a power below one is infinite at zero.
    losses = (1.0 - np.power(np.maximum(p, epsilon()), q)) / q
    return np.reshape(losses, rest)


def categorical_focal_crossentropy(
    y_true: Any,
    y_pred: Any,
    alpha: Any = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> ndarray:
    """Cross-entropy in which easy samples count little.

    Parameters
    ----------
    y_true
        Rows of probabilities, ``(batch, …, classes)``.
    y_pred
        Predictions of the same shape.
    alpha
        A factor, or one for each class.
    gamma
        How little: a class's term is multiplied by ``(1 - p)^gamma``.
    from_logits
        Whether the predictions are logits rather than probabilities.
    label_smoothing
        How much of the targets is spread over all classes, 0 to 1.
    axis
        The classes' axis.

    Notes
    -----
    Lin et al., 2017, equation 5.
    """
    y_true, y_pred = prepare("categorical_focal_crossentropy", y_true, y_pred)
    _several_classes("categorical_focal_crossentropy", y_pred.shape, axis)
    y_true = _smooth(y_true, label_smoothing, y_pred.shape[axis])
    if from_logits:
        y_pred = softmax(y_pred, axis)
    p = _probabilities(y_pred, axis)
    if not isinstance(alpha, int | float):
        alpha = numpy.asarray(alpha, y_pred.dtype)
    return -np.sum(alpha * (1.0 - p) ** gamma * y_true * np.log(p), axis=axis)


# --- two classes ----------------------------------------------------------------------------------


def _binary(y_true: ndarray, y_pred: ndarray, from_logits: bool) -> ndarray:
    if from_logits:
        return sigmoid_cross_entropy(y_pred, y_true)
    p = clip(y_pred, epsilon(), 1.0 - epsilon())
    return -(y_true * np.log(p) + (1.0 - y_true) * np.log(1.0 - p))


def binary_crossentropy(
    y_true: Any,
    y_pred: Any,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> ndarray:
    """Cross-entropy of yes and no, the mean over the last axis.

    Parameters
    ----------
    y_true
        0, 1 or probabilities between.
    y_pred
        Predictions of the same shape.
    from_logits
        Whether the predictions are logits rather than probabilities.
    label_smoothing
        How far targets are moved towards one half, 0 to 1.
    axis
        Over which the mean is taken.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> binary_crossentropy(np.array([[1., 0.]]), np.array([[0.5, 0.5]]))
    array([0.693])
    """
    y_true, y_pred = prepare("binary_crossentropy", y_true, y_pred)
    y_true = _smooth(y_true, label_smoothing, 2)
    return np.mean(_binary(y_true, y_pred, from_logits), axis=axis)


def binary_focal_crossentropy(
    y_true: Any,
    y_pred: Any,
    apply_class_balancing: bool = False,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> ndarray:
    """Cross-entropy of yes and no in which easy samples count little.

    Parameters
    ----------
    y_true
        0, 1 or probabilities between.
    y_pred
        Predictions of the same shape.
    apply_class_balancing
        Whether yes is weighted by `alpha` and no by ``1 - alpha``.
    alpha
        See `apply_class_balancing`.
    gamma
        How little: a term is multiplied by ``(1 - p)^gamma``, p the probability of what is true.
    from_logits
        Whether the predictions are logits rather than probabilities.
    label_smoothing
        How far targets are moved towards one half, 0 to 1.
    axis
        Over which the mean is taken.

    Notes
    -----
    Lin et al., 2017, equations 4 and 5.
    """
    y_true, y_pred = prepare("binary_focal_crossentropy", y_true, y_pred)
    y_true = _smooth(y_true, label_smoothing, 2)
    if from_logits:
        y_pred = sigmoid(y_pred)
    true = y_true * y_pred + (1.0 - y_true) * (1.0 - y_pred)
    losses = (1.0 - true) ** gamma * _binary(y_true, y_pred, False)
    if apply_class_balancing:
        losses = losses * (y_true * alpha + (1.0 - y_true) * (1.0 - alpha))
    return np.mean(losses, axis=axis)


# --- distributions --------------------------------------------------------------------------------


def kl_divergence(y_true: Any, y_pred: Any) -> ndarray:
    """Kullback-Leibler divergence, ``Σ y_true · log(y_true / y_pred)`` over the last axis.

    Parameters
    ----------
    y_true, y_pred
        Probabilities of one shape, kept between 1e-7 and 1.
    """
    y_true, y_pred = prepare("kl_divergence", y_true, y_pred)
    y_true, y_pred = clip(y_true, epsilon(), 1.0), clip(y_pred, epsilon(), 1.0)
    return np.sum(y_true * np.log(y_true / y_pred), axis=-1)


def poisson(y_true: Any, y_pred: Any) -> ndarray:
    """Negative log-likelihood of counts, the mean of ``y_pred - y_true · log(y_pred)``.

    Parameters
    ----------
    y_true
        Counts.
    y_pred
        Expected counts, of the same shape; 1e-7 is added inside the logarithm.
    """
    y_true, y_pred = prepare("poisson", y_true, y_pred)
    return np.mean(y_pred - y_true * np.log(y_pred + epsilon()), axis=-1)


# --- targets that no model could be trained on ----------------------------------------------------


def _check_classes(
    y_true: numpy.ndarray,
    shape: tuple | None,
    *,
    axis: int = -1,
    ignore_class: int | None = None,
    **_options: Any,
) -> None:
    """Raise `ValueError` unless all labels are numbers of classes that there are."""
    if shape is not None and y_true.ndim == len(shape) and y_true.shape[-1] != 1:
        return  # one-hot rows, which the loss itself refuses
    labels = y_true if ignore_class is None else y_true[y_true != ignore_class]
    if not labels.size:
        return
    if labels.dtype.kind == "f" and not (labels == numpy.floor(labels)).all():
        raise ValueError(
            "y: expected class numbers, got numbers with fractions, or NaN; for targets that are "
            "no classes use a loss like 'mse'"
        )
    low, high = labels.min(), labels.max()
    classes = None if shape is None else shape[axis]
    if low < 0 or (classes is not None and high >= classes):
        known = "from 0 on" if classes is None else f"from 0 to {classes - 1}"
        why = "" if classes is None else f", as the model has {classes} outputs"
        raise ValueError(
            f"y: expected class numbers {known}{why}, got {low:g} to {high:g}; number the classes "
            "from 0 (numpy.unique(y, return_inverse=True)[1]), and give the last layer as many "
            "units as there are classes"
        )


def _check_shares(y_true: numpy.ndarray, shape: tuple | None, **_options: Any) -> None:
    """Raise `ValueError` unless all targets are 0, 1 or between."""
    if not y_true.size or y_true.dtype.kind not in "iuf":
        return
    # Past NaN, which is found elsewhere.
    low, high = numpy.fmin.reduce(y_true, axis=None), numpy.fmax.reduce(y_true, axis=None)
    if low < 0 or high > 1:
        raise ValueError(
            f"y: the loss expects targets from 0 to 1, got {low:g} to {high:g}; for several "
            "classes use 'sparse_categorical_crossentropy', scale other numbers or use 'mse'"
        )


sparse_categorical_crossentropy.check_targets = _check_classes
categorical_generalized_cross_entropy.check_targets = _check_classes
binary_crossentropy.check_targets = binary_focal_crossentropy.check_targets = _check_shares


CategoricalCrossentropy = loss_class(categorical_crossentropy, "CategoricalCrossentropy")
SparseCategoricalCrossentropy = loss_class(
    sparse_categorical_crossentropy, "SparseCategoricalCrossentropy"
)
CategoricalGeneralizedCrossEntropy = loss_class(
    categorical_generalized_cross_entropy, "CategoricalGeneralizedCrossEntropy"
)
CategoricalFocalCrossentropy = loss_class(
    categorical_focal_crossentropy, "CategoricalFocalCrossentropy"
)
BinaryCrossentropy = loss_class(binary_crossentropy, "BinaryCrossentropy")
BinaryFocalCrossentropy = loss_class(binary_focal_crossentropy, "BinaryFocalCrossentropy")
KLDivergence = loss_class(kl_divergence, "KLDivergence")
Poisson = loss_class(poisson, "Poisson")


# --- 'crossentropy' -------------------------------------------------------------------------------


def _by_shape(true: tuple[int | None, ...], predicted: tuple[int | None, ...]) -> Any:
    """Return the function that 'crossentropy' means for targets and predictions of these shapes."""
    if len(predicted) < 2 or predicted[-1] == 1:
        return binary_crossentropy
    if len(true) < len(predicted) or true[-1] == 1:
        return sparse_categorical_crossentropy
    return categorical_crossentropy


def crossentropy(y_true: Any, y_pred: Any) -> Any:
    """Cross-entropy of probabilities: binary, categorical or sparse, as the shapes say.

    Binary for one output a sample, sparse for labels, categorical for one-hot rows: what
    ``compile`` understands by ``'crossentropy'`` and ``'ce'``.

    Parameters
    ----------
    y_true, y_pred
        As of the function that is meant.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> crossentropy(np.array([1]), np.array([[0.25, 0.75]]))
    array([0.288])
    """
    y_true, y_pred = as_ndarray(y_true), as_ndarray(y_pred)
    return _by_shape(y_true.shape, y_pred.shape)(y_true, y_pred)


def _check_by_shape(y_true: numpy.ndarray, shape: tuple | None) -> None:
    if shape is not None:
        check = getattr(_by_shape(y_true.shape, shape), "check_targets", None)
        if check is not None:
            check(y_true, shape)


crossentropy.check_targets = _check_by_shape
