"""Turns weights of classes into weights of samples."""

from __future__ import annotations

from typing import Any

import numpy

from minpy.config import settings
from minpy.data.arrays import as_numpy

__all__ = ["class_weights"]


def class_weights(y: Any, weights: dict[int, float], given: Any = None) -> numpy.ndarray:
    """Turn weights of classes into weights of samples, times those that were given.

    Raises
    ------
    ValueError
        If a class has no weight.
    """
    labels = as_numpy(y, "y")
    if labels.ndim > 1 and labels.shape[-1] > 1:
        labels = labels.argmax(-1)
    labels = labels.reshape(-1).astype(int)
    missing = sorted(set(labels.tolist()) - set(weights))
    if missing:
        raise ValueError(f"class_weight: no weight for the classes {missing}")
    table = numpy.zeros(max(max(weights), int(labels.max())) + 1, settings.float_dtype)
    for label, weight in weights.items():
        table[label] = weight
    found = table[labels]
    return found if given is None else found * numpy.asarray(given, found.dtype)
