"""Losses of numbers: how far predictions are from targets. Each returns one value a sample."""

from __future__ import annotations

import math
from typing import Any

import minpy.numpy as np
from minpy.array import ndarray
from minpy.config import epsilon
from minpy.layers.functions.activations import softplus
from minpy.losses.loss import loss_class, prepare
from minpy.losses.stable import normalize

__all__ = [
    "CosineSimilarity",
    "Huber",
    "LogCosh",
    "MeanAbsoluteError",
    "MeanAbsolutePercentageError",
    "MeanSquaredError",
    "MeanSquaredLogarithmicError",
    "cosine_similarity",
    "huber",
    "log_cosh",
    "mean_absolute_error",
    "mean_absolute_percentage_error",
    "mean_squared_error",
    "mean_squared_logarithmic_error",
]


def mean_squared_error(y_true: Any, y_pred: Any) -> ndarray:
    """Mean of ``(y_true - y_pred)²`` over the last axis.

    Parameters
    ----------
    y_true, y_pred
        Targets and predictions of one shape.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> mean_squared_error(np.array([[0., 2.]]), np.array([[1., 1.]]))
    array([1.])
    """
    y_true, y_pred = prepare("mean_squared_error", y_true, y_pred)
    return np.mean(np.square(y_pred - y_true), axis=-1)


def mean_absolute_error(y_true: Any, y_pred: Any) -> ndarray:
    """Mean of ``|y_true - y_pred|`` over the last axis.

    Parameters
    ----------
    y_true, y_pred
        Targets and predictions of one shape.
    """
    y_true, y_pred = prepare("mean_absolute_error", y_true, y_pred)
    return np.mean(np.absolute(y_pred - y_true), axis=-1)


def mean_absolute_percentage_error(y_true: Any, y_pred: Any) -> ndarray:
    """Mean of ``100 · |y_true - y_pred| / |y_true|`` over the last axis.

    Parameters
    ----------
    y_true, y_pred
        Targets and predictions of one shape; a target of zero counts as 1e-7.
    """
    y_true, y_pred = prepare("mean_absolute_percentage_error", y_true, y_pred)
    error = np.absolute((y_true - y_pred) / np.maximum(np.absolute(y_true), epsilon()))
    return 100.0 * np.mean(error, axis=-1)


def mean_squared_logarithmic_error(y_true: Any, y_pred: Any) -> ndarray:
    """Mean of ``(log(1 + y_true) - log(1 + y_pred))²`` over the last axis.

    Parameters
    ----------
    y_true, y_pred
        Targets and predictions of one shape; values below 1e-7 count as 1e-7.
    """
    y_true, y_pred = prepare("mean_squared_logarithmic_error", y_true, y_pred)
    predicted = np.log(np.maximum(y_pred, epsilon()) + 1.0)
    wanted = np.log(np.maximum(y_true, epsilon()) + 1.0)
    return np.mean(np.square(predicted - wanted), axis=-1)


def huber(y_true: Any, y_pred: Any, delta: float = 1.0) -> ndarray:
    """Half the square of small errors, a straight line for large ones.

    Parameters
    ----------
    y_true, y_pred
        Targets and predictions of one shape.
    delta
        Where the line begins.

    Notes
    -----
    Huber, 1964. ``e²/2`` up to delta, ``delta · |e| - delta²/2`` beyond; the mean over the last
    axis.
    """
    y_true, y_pred = prepare("huber", y_true, y_pred)
    error = np.absolute(y_pred - y_true)
    near = np.minimum(error, delta)
    # With n = min(e, delta), both pieces are n · (e - n/2).
    return np.mean(near * (error - 0.5 * near), axis=-1)


def log_cosh(y_true: Any, y_pred: Any) -> ndarray:
    """Mean of ``log(cosh(y_pred - y_true))`` over the last axis: like Huber's, but smooth.

    Parameters
    ----------
    y_true, y_pred
        Targets and predictions of one shape.
    """
    y_true, y_pred = prepare("log_cosh", y_true, y_pred)
    error = y_pred - y_true
    return np.mean(error + softplus(-2.0 * error) - math.log(2.0), axis=-1)


def cosine_similarity(y_true: Any, y_pred: Any, axis: int = -1) -> ndarray:
    """Minus the cosine of the angle between targets and predictions: -1 is the same direction.

    Parameters
    ----------
    y_true, y_pred
        Targets and predictions of one shape.
    axis
        Along which the vectors lie.
    """
    y_true, y_pred = prepare("cosine_similarity", y_true, y_pred)
    return -np.sum(normalize(y_true, axis) * normalize(y_pred, axis), axis=axis)


MeanSquaredError = loss_class(mean_squared_error, "MeanSquaredError")
MeanAbsoluteError = loss_class(mean_absolute_error, "MeanAbsoluteError")
MeanAbsolutePercentageError = loss_class(
    mean_absolute_percentage_error, "MeanAbsolutePercentageError"
)
MeanSquaredLogarithmicError = loss_class(
    mean_squared_logarithmic_error, "MeanSquaredLogarithmicError"
)
Huber = loss_class(huber, "Huber", "huber_loss")
LogCosh = loss_class(log_cosh, "LogCosh")
CosineSimilarity = loss_class(cosine_similarity, "CosineSimilarity")
