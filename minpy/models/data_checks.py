"""What can be said of data before a model trains on it, and why a loss turned NaN.

Reads the data and the model's settings; changes neither.
"""

from __future__ import annotations

import warnings
from collections.abc import Collection
from typing import Any

import numpy

from minpy.data import ArrayBatches, Batch, Source
from minpy.data.finite import found_in_arrays, found_in_batch

__all__ = ["check_counts", "check_frequency", "check_targets", "look_through", "tell_of_nan"]

_WITHOUT_NAN = (
    "a loss that is NaN makes all weights NaN: leave those samples out, or replace the numbers "
    "(numpy.nan_to_num)"
)


def check_counts(**given: tuple[Any, int]) -> None:
    """Raise `ValueError` unless arguments are whole numbers from a lowest on, or None.

    Examples
    --------
    >>> check_counts(epochs=(2.5, 0))
    Traceback (most recent call last):
    ...
    ValueError: epochs: expected a whole number from 0 on, got 2.5
    """
    for name, (value, lowest) in given.items():
        if value is None and lowest:
            continue
        whole = isinstance(value, int | numpy.integer) and not isinstance(value, bool)
        if not whole or value < lowest:
            raise ValueError(f"{name}: expected a whole number from {lowest} on, got {value!r}")


def check_frequency(given: Any) -> None:
    """Raise `ValueError` unless something says after which epochs to validate."""
    several = isinstance(given, Collection) and not isinstance(given, str)
    for value in given if several else [given]:
        whole = isinstance(value, int | numpy.integer) and not isinstance(value, bool)
        if not whole or value < 1:
            raise ValueError(
                "validation_freq: expected a number of epochs from 1 on, or a list of epochs, "
                f"counted from 1, got {given!r}"
            )


def check_targets(model: Any, data: Source, what: str) -> None:
    """Raise `ValueError` if there is nothing to compare with."""
    needed = model._loss is not None and not model._own_steps["train_step"]
    if needed and data.first().y is None:
        raise ValueError(f"{what}: expected targets, got y=None")


def look_through(model: Any, data: Source, validation: Source | None) -> bool:
    """Say what can be known of the data before the first step; return whether it has NaN.

    Raises
    ------
    ValueError
        If a loss can't be trained on the targets: numbers of classes that there aren't.
    """
    told_of_nan = False
    own = model._own_steps["train_step"]
    if not model._buffers.blocks and not own:
        warnings.warn(
            f"{model.name}: no weight of the model trains, so fit changes nothing; add layers "
            "with weights, or set trainable = True",
            stacklevel=3,
        )
    for source, what in ((data, ""), (validation, "validation_data: ")):
        if not isinstance(source, ArrayBatches):
            continue
        if model._loss is not None and source.y is not None and not own:
            names, shapes = model._outputs_known()
            model._loss.check(names)
            try:
                model._loss.check_targets(names or ["output"], shapes, source.y)
            except ValueError as error:
                raise ValueError(f"{what}{error}") from None
        found = found_in_arrays(source)
        if found:
            told_of_nan = True
            warnings.warn(f"{what}{found}; {_WITHOUT_NAN}", stacklevel=3)
    return told_of_nan


def tell_of_nan(model: Any, batch: Batch) -> None:
    """Say what a loss that is NaN comes from."""
    found = found_in_batch(batch)
    why = (
        f"in this batch {found}; {_WITHOUT_NAN}"
        if found
        else "the batch is finite, so the weights have grown beyond measure: lower the "
        "learning rate, clip gradients (clipnorm=1.0), scale the inputs, or start from other "
        "weights"
    )
    warnings.warn(
        f"{model.name}: the loss is NaN in step {model._optimizer.batches + 1}; {why}. "
        "callbacks.TerminateOnNaN() ends the training there",
        stacklevel=4,
    )
