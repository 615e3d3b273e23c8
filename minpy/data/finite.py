"""Looks for NaN and infinity in what a model is to be trained on; knows no model."""

from __future__ import annotations

import numpy

from minpy.autograd.containers import leaves_with_paths
from minpy.data.arrays import ArrayBatches
from minpy.data.batch import Batch

__all__ = ["found_in_arrays", "found_in_batch"]

# Larger arrays, which may be part of a file, are looked at a batch at a time if the loss turns NaN:
# to look through as much as this takes 30 ms.
_LARGEST = 2**28


def found_in_arrays(data: ArrayBatches) -> str | None:
    """Say in which array, and which samples, a number isn't finite; None if all are.

    Examples
    --------
    >>> found_in_arrays(ArrayBatches(numpy.array([[1., 2.], [numpy.nan, 3.]])))
    'x has NaN or infinity in 1 of 2 samples, first in sample 1'
    """
    for what in ("x", "y", "sample_weight"):
        part = getattr(data, what)
        for path, leaf in leaves_with_paths(part) if part is not None else []:
            if type(leaf) is numpy.ndarray and leaf.nbytes <= _LARGEST:
                told = _found(what + path, leaf)
                if told:
                    return told
    return None


def found_in_batch(batch: Batch) -> str | None:
    """Say the same of one batch."""
    for name, leaf in zip(batch.layout.names, batch.leaves, strict=True):
        told = _found(name, leaf)
        if told:
            return told
    return None


def _found(name: str, array: numpy.ndarray) -> str | None:
    if array.dtype.kind not in "fc" or not array.size:
        return None
    # One pass at the speed of the memory, without a temporary: a square that isn't finite makes the
    # sum so. A sum may overflow by itself too, and then each number is looked at.
    flat = array.reshape(-1) if array.flags.c_contiguous else array.ravel(order="K")
    with numpy.errstate(all="ignore"):
        if array.dtype.kind == "f" and numpy.isfinite(numpy.dot(flat, flat)):
            return None
    wrong = ~numpy.isfinite(array).reshape(array.shape[0], -1).all(1)
    if not wrong.any():
        return None
    return (
        f"{name} has NaN or infinity in {int(wrong.sum())} of {len(wrong)} samples, first in "
        f"sample {int(wrong.argmax())}"
    )
