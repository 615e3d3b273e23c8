"""Dropout: a random part of an array set to zero; the randomness itself is `minpy.random`'s."""

from __future__ import annotations

from typing import Any

from minpy import random
from minpy.array import ndarray
from minpy.layers.functions.operands import array_of_floats

__all__ = ["dropout"]

_MODES = {"train": True, True: True, "test": False, False: False}


def dropout(x: Any, prob: float, mode: str | bool = "train", seed: int | None = None) -> ndarray:
    """Set each element to zero with probability `prob`, and scale up the rest (inverted dropout).

    Parameters
    ----------
    x
        Float array of any shape.
    prob
        The fraction that is dropped, from 0 to below 1: Keras' ``rate``.
    mode
        ``'train'`` (or True); ``'test'`` (or False) returns `x` as it is.
    seed
        Drop the same elements at each call with this seed. By default they follow from the scope
        of `minpy.random` in force, or from the global seed.

    Returns
    -------
    ndarray
        ``x / (1 - prob)`` where it is kept, so the expected value is `x`.

    Notes
    -----
    Srivastava et al., "Dropout", 2014. minpy 0.3.4 dropped the same fraction, but scaled at test
    time, by ``1 - prob``, instead of in training; a network trained there gives the same
    predictions here if the weights after the dropout are multiplied by ``1 - prob``.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers.functions import dropout
    >>> sorted(set(dropout(np.ones(100), 0.75, seed=0).tolist()))
    [0.0, 4.0]
    >>> dropout(np.ones(2), 0.75, mode='test')
    array([1., 1.])
    """
    if not isinstance(mode, str | bool) or mode not in _MODES:
        raise ValueError(f"dropout: expected mode 'train' or 'test', got {mode!r}")
    if isinstance(prob, bool) or not 0 <= prob < 1:
        raise ValueError(f"dropout: expected a probability from 0 to below 1, got {prob!r}")
    x = array_of_floats(x, "dropout")
    if not _MODES[mode] or prob == 0:
        return x
    return x * random.dropout_mask(x.shape, prob, x.dtype, seed, x.context)
