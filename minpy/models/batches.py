"""Arrays as batches: checks, splits, shuffles and casts them; knows no model.

Which sample comes when is a function of (seed, epoch), so that a resumed run sees the order that
the uninterrupted one would have seen.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy

from minpy.array import ndarray, numpy_value
from minpy.autograd.containers import flatten, leaves_with_paths, map_leaves
from minpy.config import settings

__all__ = ["ArrayBatches", "class_weights", "split_validation"]


def _as_numpy(value: Any, what: str) -> numpy.ndarray:
    if type(value) is ndarray:
        return numpy_value(value)
    array = value if isinstance(value, numpy.ndarray) else _convert(value, what)
    if array.dtype.kind not in "biufc":
        hint = ""
        if array.dtype.kind in "USO":
            hint = (
                "; number the classes first, for example with "
                "numpy.unique(labels, return_inverse=True)[1]"
            )
        raise TypeError(f"{what}: expected an array of numbers, got dtype {array.dtype}{hint}")
    return array


def _convert(value: Any, what: str) -> numpy.ndarray:
    try:
        return numpy.asarray(value)
    except ValueError as error:
        raise ValueError(f"{what}: {error}; samples must have equal shapes") from None


def _tidy(data: Any, what: str) -> Any:
    """Turn what was given for x or y into NumPy arrays in their containers."""
    if isinstance(data, list) and data and not hasattr(data[0], "shape"):
        return _as_numpy(data, what)  # a list of numbers, not of inputs
    leaves, unflatten = flatten(data)
    paths = [path for path, _ in leaves_with_paths(data)]
    return unflatten(
        [_as_numpy(leaf, f"{what}{path}") for path, leaf in zip(paths, leaves, strict=True)]
    )


class ArrayBatches:
    """Batches of arrays that have the samples along their first axis.

    Parameters
    ----------
    x
        An array, or lists and dicts of them.
    y
        Targets of the same length, or None.
    sample_weight
        A weight a sample, or None.
    batch_size
        Samples a batch; the last one may be smaller.
    shuffle
        Whether the order changes from epoch to epoch.
    seed
        What the order is a function of, with the epoch's number.
    keep_integers
        Whether integer inputs stay integers (indices into a table) or become floats.

    Raises
    ------
    ValueError
        If there are no samples, or the arrays have different numbers of them.
    TypeError
        If something is not an array of numbers.
    """

    def __init__(
        self,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        batch_size: int = 32,
        shuffle: bool = False,
        seed: int = 0,
        keep_integers: bool = False,
    ) -> None:
        if not isinstance(batch_size, int | numpy.integer) or batch_size <= 0:
            raise ValueError(f"batch_size: expected a positive integer, got {batch_size!r}")
        self.x = _tidy(x, "x")
        self.y = None if y is None else _tidy(y, "y")
        self.sample_weight = (
            None if sample_weight is None else _tidy(sample_weight, "sample_weight")
        )
        self.batch_size = int(batch_size)
        self.shuffle = bool(shuffle)
        self.seed = seed
        self.keep_integers = keep_integers
        self.samples = self._count()

    def _count(self) -> int:
        counts = {}
        for what in ("x", "y", "sample_weight"):
            data = getattr(self, what)
            for path, leaf in leaves_with_paths(data) if data is not None else []:
                if leaf.ndim == 0:
                    raise ValueError(f"{what}{path}: expected samples along an axis, got a number")
                counts[f"{what}{path}"] = leaf.shape[0]
        if len(set(counts.values())) > 1:
            told = ", ".join(f"{name} has {n}" for name, n in counts.items())
            raise ValueError(f"expected as many targets and weights as samples: {told}")
        samples = next(iter(counts.values()), 0)
        if samples == 0:
            raise ValueError("the data set is empty: x has no samples")
        return samples

    def __len__(self) -> int:
        return -(-self.samples // self.batch_size)

    def order(self, epoch: int) -> numpy.ndarray | None:
        """Return the order of the samples in an epoch, None for their own."""
        if not self.shuffle:
            return None
        key = numpy.random.SeedSequence([self.seed, epoch])
        return numpy.random.Generator(numpy.random.Philox(key)).permutation(self.samples)

    def batches(self, epoch: int = 0, start: int = 0) -> Iterator[tuple[Any, Any, Any]]:
        """Give ``(x, y, sample_weight)`` batch by batch, from batch `start` on."""
        order = self.order(epoch)
        for first in range(start * self.batch_size, self.samples, self.batch_size):
            rows: Any = slice(first, min(first + self.batch_size, self.samples))
            if order is not None:
                rows = order[rows]
            yield (
                map_leaves(lambda a, rows=rows: self._input(a[rows]), self.x),
                None if self.y is None else map_leaves(lambda a, r=rows: _target(a[r]), self.y),
                None
                if self.sample_weight is None
                else map_leaves(lambda a, r=rows: _target(a[r]), self.sample_weight),
            )

    def _input(self, batch: numpy.ndarray) -> numpy.ndarray:
        if self.keep_integers and batch.dtype.kind in "iu" and batch.dtype != numpy.uint8:
            return batch
        return numpy.ascontiguousarray(batch, _float_for(batch))


def _float_for(batch: numpy.ndarray) -> numpy.dtype:
    return settings.complex_dtype if batch.dtype.kind == "c" else settings.float_dtype


def _target(batch: numpy.ndarray) -> numpy.ndarray:
    if batch.dtype.kind == "f" and batch.dtype != settings.float_dtype:
        return batch.astype(settings.float_dtype)
    return batch


def split_validation(x: Any, y: Any, sample_weight: Any, share: float) -> tuple[tuple, tuple]:
    """Take the last part of the samples for validation, before any shuffling, as Keras does.

    Returns
    -------
    train, validation
        Each ``(x, y, sample_weight)``.
    """
    if not 0 < share < 1:
        raise ValueError(f"validation_split: expected a number between 0 and 1, got {share!r}")
    x = _tidy(x, "x")
    count = flatten(x)[0][0].shape[0]
    cut = int(count * (1 - share))
    if cut == 0 or cut == count:
        raise ValueError(
            f"validation_split={share} leaves no samples for "
            f"{'training' if cut == 0 else 'validation'} out of {count}"
        )

    def part(rows: slice) -> tuple:
        def take(data: Any, what: str) -> Any:
            return None if data is None else map_leaves(lambda a: a[rows], _tidy(data, what))

        return take(x, "x"), take(y, "y"), take(sample_weight, "sample_weight")

    return part(slice(0, cut)), part(slice(cut, None))


def class_weights(y: Any, weights: dict[int, float], given: Any = None) -> numpy.ndarray:
    """Turn weights of classes into weights of samples, times those that were given.

    Raises
    ------
    ValueError
        If a class has no weight.
    """
    labels = _as_numpy(y, "y")
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
