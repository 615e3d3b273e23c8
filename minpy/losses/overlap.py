"""Losses of segmentation: how little two masks overlap."""

from __future__ import annotations

from typing import Any

import minpy.numpy as np
from minpy.array import ndarray
from minpy.config import epsilon
from minpy.losses.loss import loss_class, prepare

__all__ = ["Dice", "Tversky", "dice", "tversky"]


def _axis(axis: Any) -> Any:
    return tuple(axis) if isinstance(axis, list) else axis


def dice(y_true: Any, y_pred: Any, axis: Any = None) -> ndarray:
    """One minus Dice's coefficient, ``2 |A ∩ B| / (|A| + |B|)``.

    Parameters
    ----------
    y_true, y_pred
        Masks of one shape, with values from 0 to 1.
    axis
        Axes of one mask; None takes the whole batch as one.
    """
    y_true, y_pred = prepare("dice", y_true, y_pred)
    axis = _axis(axis)
    common = np.sum(y_true * y_pred, axis=axis)
    total = np.sum(y_true, axis=axis) + np.sum(y_pred, axis=axis)
    return 1.0 - 2.0 * common / (total + epsilon())


def tversky(
    y_true: Any, y_pred: Any, alpha: float = 0.5, beta: float = 0.5, axis: Any = None
) -> ndarray:
    """One minus Tversky's index, in which misses and false alarms have their own weights.

    Parameters
    ----------
    y_true, y_pred
        Masks of one shape, with values from 0 to 1.
    alpha
        Weight of what is in the target only.
    beta
        Weight of what is in the prediction only.
    axis
        Axes of one mask; None takes the whole batch as one.

    Notes
    -----
    Salehi et al., 2017. Keras' weights: its `alpha` is that of the targets' part.
    """
    y_true, y_pred = prepare("tversky", y_true, y_pred)
    axis = _axis(axis)
    common = np.sum(y_true * y_pred, axis=axis)
    missed = np.sum(y_true * (1.0 - y_pred), axis=axis)
    alarms = np.sum(y_pred * (1.0 - y_true), axis=axis)
    return 1.0 - common / (common + alpha * missed + beta * alarms + epsilon())


Dice = loss_class(dice, "Dice", axis_last=True)
Tversky = loss_class(tversky, "Tversky", axis_last=True)
