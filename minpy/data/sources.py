"""Which source fits what was given to ``fit``, ``evaluate`` or ``predict``."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from typing import Any

import numpy

from minpy.data.arrays import ArrayBatches
from minpy.data.source import Casting, Source, check_class_weight, class_weights
from minpy.data.streams import (
    IterableBatches,
    MXNetBatches,
    PyDataset,
    SequenceBatches,
    is_mxnet_iterator,
)

__all__ = ["refuse_stream", "source_of"]


def source_of(
    x: Any,
    y: Any = None,
    sample_weight: Any = None,
    *,
    batch_size: int | None = None,
    shuffle: bool = False,
    seed: int = 0,
    keep_integers: bool = False,
    class_weight: dict[int, float] | None = None,
) -> Source:
    """Return the batches of data of any kind.

    Parameters
    ----------
    x
        Arrays, and lists, tuples and dicts of them; or a data set that yields batches with their
        targets: a generator, an iterable (a PyTorch ``DataLoader``, a `Dataset`), a `PyDataset`,
        an iterator of MXNet's.
    y, sample_weight
        With arrays only.
    batch_size
        Samples a batch of arrays; 32 if not given. Data sets make their batches themselves.
    shuffle, seed
        Whether arrays and `PyDataset` come in another order each epoch, and what it depends on.
    keep_integers
        Whether integer inputs stay integers.
    class_weight
        Class number → weight of its samples.

    Raises
    ------
    ValueError
        If targets or weights come with a data set that has its own.
    """
    if class_weight is not None:
        check_class_weight(class_weight)
    casting = Casting(keep_integers, class_weight)
    streams = is_mxnet_iterator(x) or isinstance(x, PyDataset | Iterator) or _yields_batches(x)
    if not streams:
        if class_weight is not None:
            sample_weight = class_weights(y, class_weight, sample_weight)
        size = 32 if batch_size is None else batch_size
        return ArrayBatches(x, y, sample_weight, size, shuffle, seed, keep_integers)
    kind = type(x).__name__
    for name, given in (("y", y), ("sample_weight", sample_weight)):
        if given is not None:
            raise ValueError(f"{name}: a {kind} yields it with x, (x, y); don't give it beside")
    if batch_size is not None:
        warnings.warn(
            f"batch_size: a {kind} makes its batches itself, so {batch_size} isn't used",
            stacklevel=4,
        )
    if is_mxnet_iterator(x):
        return MXNetBatches(x, casting)
    if isinstance(x, PyDataset) or _has_numbers(x):
        made: Source = SequenceBatches(x, casting, shuffle)
    else:
        made = IterableBatches(x, casting)
    made.seed = seed
    return made


def refuse_stream(x: Any) -> None:
    """Raise `ValueError` if samples can't be taken off the end of something."""
    if is_mxnet_iterator(x) or isinstance(x, PyDataset | Iterator) or _yields_batches(x):
        raise ValueError(
            f"validation_split: expected arrays, got a {type(x).__name__}, which has no end to "
            "take samples off; give validation_data"
        )


def _yields_batches(x: Any) -> bool:
    """Say whether something is a data set and no array, and no list, tuple or dict of them."""
    if x is None or isinstance(x, list | tuple | dict | numpy.ndarray) or hasattr(x, "shape"):
        return False
    return isinstance(x, Iterable) or _has_numbers(x)


def _has_numbers(x: Any) -> bool:
    """Say whether a data set gives its batches by number: what Keras calls a ``Sequence``."""
    return hasattr(x, "__getitem__") and hasattr(x, "__len__") and not hasattr(x, "__iter__")
