"""Losses that ask for a margin between the true class and the others. One value a sample."""

from __future__ import annotations

from typing import Any

import minpy.numpy as np
from minpy.array import ndarray
from minpy.losses.loss import loss_class, prepare

__all__ = [
    "CategoricalHinge",
    "Hinge",
    "SquaredHinge",
    "categorical_hinge",
    "hinge",
    "squared_hinge",
]


def _signs(y_true: ndarray) -> ndarray:
    """Turn targets 0 and 1 into -1 and 1; those that are -1 and 1 already stay."""
    binary = np.max(np.absolute(y_true * (y_true - 1.0))) == 0
    return np.where(binary, 2.0 * y_true - 1.0, y_true)


def hinge(y_true: Any, y_pred: Any) -> ndarray:
    """Mean of ``max(1 - y_true · y_pred, 0)`` over the last axis.

    Parameters
    ----------
    y_true
        -1 and 1; 0 and 1 are taken for them.
    y_pred
        Predictions of the same shape.
    """
    y_true, y_pred = prepare("hinge", y_true, y_pred)
    return np.mean(np.maximum(1.0 - _signs(y_true) * y_pred, 0.0), axis=-1)


def squared_hinge(y_true: Any, y_pred: Any) -> ndarray:
    """Mean of ``max(1 - y_true · y_pred, 0)²`` over the last axis.

    Parameters
    ----------
    y_true
        -1 and 1; 0 and 1 are taken for them.
    y_pred
        Predictions of the same shape.
    """
    y_true, y_pred = prepare("squared_hinge", y_true, y_pred)
    return np.mean(np.square(np.maximum(1.0 - _signs(y_true) * y_pred, 0.0)), axis=-1)


def categorical_hinge(y_true: Any, y_pred: Any) -> ndarray:
    """``max(1 + best wrong - right, 0)`` of one-hot rows.

    Parameters
    ----------
    y_true
        One-hot rows, ``(batch, …, classes)``.
    y_pred
        Predictions of the same shape.
    """
    y_true, y_pred = prepare("categorical_hinge", y_true, y_pred)
    right = np.sum(y_true * y_pred, axis=-1)
    wrong = np.max((1.0 - y_true) * y_pred, axis=-1)
    return np.maximum(wrong - right + 1.0, 0.0)


Hinge = loss_class(hinge, "Hinge")
SquaredHinge = loss_class(squared_hinge, "SquaredHinge")
CategoricalHinge = loss_class(categorical_hinge, "CategoricalHinge")
