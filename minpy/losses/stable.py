"""Functions that stay finite for logits of any size; knows no loss."""

from __future__ import annotations

from typing import Any

import minpy.numpy as np
from minpy.array import ndarray

__all__ = ["clip", "log_softmax", "normalize", "softplus"]


def clip(x: ndarray, low: float, high: float) -> ndarray:
    """Limit values to an interval; beyond it the derivative is zero."""
    return np.minimum(np.maximum(x, low), high)


def softplus(x: ndarray) -> ndarray:
    """Return ``log(1 + exp(x))``."""
    return np.maximum(x, 0.0) + np.log1p(np.exp(-np.absolute(x)))


def log_softmax(x: ndarray, axis: int = -1) -> ndarray:
    """Return the logarithm of the softmax."""
    shifted = x - np.max(x, axis=axis, keepdims=True)
    return shifted - np.log(np.sum(np.exp(shifted), axis=axis, keepdims=True))


def normalize(x: ndarray, axis: Any = -1) -> ndarray:
    """Divide vectors by their length; those of (nearly) no length stay as they are, not NaN."""
    squared = np.sum(np.square(x), axis=axis, keepdims=True)
    return x / np.sqrt(np.maximum(squared, 1e-12))
