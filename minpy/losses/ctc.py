"""The loss of sequences whose labels aren't aligned with their steps."""

from __future__ import annotations

from typing import Any

import numpy

from minpy.array import as_ndarray, is_tracked, ndarray, numpy_value
from minpy.config import settings
from minpy.errors import ShapeError
from minpy.layers.functions.ctc import ctc as ctc_op
from minpy.layers.functions.ctc import fitting
from minpy.losses.loss import loss_class

__all__ = ["CTC", "ctc"]


def ctc(y_true: Any, y_pred: Any) -> ndarray:
    """Connectionist temporal classification: minus the log likelihood of labels without alignment.

    Parameters
    ----------
    y_true
        Class numbers from 1 on, rows that end in zeros, ``(batch, symbols)``.
    y_pred
        Logits, ``(batch, steps, classes)``; class 0 is the blank.

    Raises
    ------
    ShapeError
        If the shapes don't fit.
    ValueError
        If a label is no class, has a zero before its end, or is too long for the steps. `fit` looks
        at all labels that are arrays before its first step; in a compiled step they aren't looked
        at, and one that is too long counts nothing.

    Notes
    -----
    Graves et al., 2006.

    Examples
    --------
    One step, one symbol: the cross-entropy of that symbol.

    >>> import minpy.numpy as np
    >>> ctc(np.array([[1]]), np.array([[[0., 0.]]]))
    array([0.693])
    """
    y_true, y_pred = as_ndarray(y_true), as_ndarray(y_pred)
    if y_pred.ndim != 3 or y_true.ndim != 2 or len(y_true) != len(y_pred):
        raise ShapeError(
            "ctc: expected labels of shape (batch, symbols) and logits of shape (batch, steps, "
            f"classes), got {y_true.shape} and {y_pred.shape}"
        )
    if y_pred.dtype.kind != "f":
        y_pred = y_pred.astype(settings.float_dtype)
    if not is_tracked(y_true):
        _check(numpy_value(y_true), *y_pred.shape[1:])
    if y_true.dtype != y_pred.dtype:  # MXNet's operator takes labels of the logits' dtype
        y_true = y_true.astype(y_pred.dtype)
    return ctc_op(y_pred, y_true)


def _check(labels: numpy.ndarray, steps: int, classes: int) -> None:
    if not labels.size:
        return
    if labels.min() < 0 or labels.max() >= classes:
        raise ValueError(
            f"ctc: expected labels from 1 to {classes - 1}, filled up with 0, got "
            f"{labels.min():g} to {labels.max():g}"
        )
    if ((labels[:, 1:] != 0) & (labels[:, :-1] == 0)).any():
        raise ValueError("ctc: expected zeros at the end of labels only; 0 is the blank")
    needed = fitting(labels)
    if needed.max() > steps:
        raise ValueError(
            f"ctc: label {int(needed.argmax())} needs {needed.max()} steps (one a symbol, and a "
            f"blank between equal ones), the logits have {steps}"
        )


def _check_targets(y_true: numpy.ndarray, shape: tuple | None) -> None:
    if shape is not None and len(shape) == 3 and y_true.ndim == 2 and None not in shape[1:]:
        _check(y_true, *shape[1:])


ctc.check_targets = _check_targets  # type: ignore[attr-defined]

CTC = loss_class(ctc, "CTC")
