"""Dropout: a random part of an array set to zero; the randomness itself is `minpy.random`'s."""

from __future__ import annotations

from typing import Any

from minpy import random
from minpy.array import ndarray
from minpy.errors import ShapeError
from minpy.layers.functions.operands import array_of_floats

__all__ = ["dropout"]

_MODES = {"train": True, True: True, "test": False, False: False}


def dropout(
    x: Any,
    prob: float,
    mode: str | bool = "train",
    seed: int | None = None,
    noise_shape: tuple[int | None, ...] | None = None,
) -> ndarray:
    """Set each element to zero with probability `prob`, and scale up the rest (inverted dropout).

    Parameters
    ----------
    x
        Float array of any shape.
    prob
        The fraction that is dropped, from 0 to 1: Keras' ``rate``.
    mode
        ``'train'`` (or True); ``'test'`` (or False) returns `x` as it is.
    seed
        Drop the same elements at each call with this seed. By default they follow from the scope
        of `minpy.random` in force, or from the global seed.
    noise_shape
        Where a length is 1, what is dropped at one place along that axis is dropped at all; None
        stands for the length of `x`.

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
    if isinstance(prob, bool) or not 0 <= prob <= 1:
        raise ValueError(f"dropout: expected a probability from 0 to 1, got {prob!r}")
    x = array_of_floats(x, "dropout")
    if not _MODES[mode] or prob == 0:
        return x
    if prob == 1:
        return x * 0.0
    shape = x.shape if noise_shape is None else shape_of_noise("dropout", x.shape, noise_shape)
    return x * random.dropout_mask(shape, prob, x.dtype, seed, x.context)


def shape_of_noise(
    by: str, shape: tuple[int, ...], told: tuple[int | None, ...]
) -> tuple[int, ...]:
    """Return the shape of random numbers that broadcasts to an array's.

    Raises
    ------
    ShapeError
        If it doesn't.
    """
    found = tuple(n if t is None else t for n, t in zip(shape, told, strict=False))
    if len(told) != len(shape) or any(f not in (1, n) for f, n in zip(found, shape, strict=True)):
        raise ShapeError(
            f"{by}: expected a noise_shape that broadcasts to {shape}, with 1, None or the length "
            f"for each of its axes, got {tuple(told)}"
        )
    return found
