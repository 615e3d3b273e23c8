"""Arrays as batches: checks, shuffles, gathers and casts them; knows no model.

Which sample comes when is a function of (seed, epoch), so that a resumed run sees the order that
the uninterrupted one would have seen.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy

from minpy.autograd.containers import flatten, leaves_with_paths
from minpy.data.batch import Batch, Layout
from minpy.data.prefetch import prefetched
from minpy.data.source import Casting, Source, tidy

__all__ = ["ArrayBatches"]

# A batch of fewer bytes is gathered sooner than another thread can be told to, which takes a core
# from the step: one of 100 kB takes 10 µs here and as much there, one of 400 kB 0.02 ms, while the
# thread made a step of 7.3 ms 7.5; one of 1.6 MB took up to 0.1 ms (float64: 0.24) off each step.
_WORTH_A_THREAD = 1_000_000
# Batches that may be ready beside the one in use.
_AHEAD = 2


class _Column:
    """One array of a data set, and the dtype that its batches have."""

    def __init__(self, array: Any, dtype: numpy.dtype) -> None:
        self.array = array
        self.dtype = dtype
        in_memory = isinstance(array, numpy.ndarray)
        # Rows that lie side by side can be used where they are, and single ones taken at once.
        self.usable = in_memory and array.dtype == dtype and array.flags.c_contiguous
        self.in_memory = in_memory

    def buffer(self, rows: int) -> numpy.ndarray:
        """Return memory for the rows of a batch."""
        return numpy.empty((rows, *self.array.shape[1:]), self.dtype)

    def gather(self, rows: Any, out: numpy.ndarray) -> None:
        """Copy rows, a slice or their numbers, into a buffer."""
        if isinstance(rows, slice):
            numpy.copyto(out, self.array[rows], casting="unsafe")
        elif self.usable:
            # The mode that doesn't check rows writes straight to `out`; they are all right.
            self.array.take(rows, 0, out, "clip")
        elif self.in_memory:
            numpy.copyto(out, self.array[rows], casting="unsafe")
        else:  # files are read from front to back
            order = numpy.argsort(rows)
            out[order] = self.array[rows[order]]


class ArrayBatches(Source):
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
    ahead
        How many batches a thread of its own gathers ahead of the step; 0 gathers each when it is
        asked for. By default the size of a batch decides.

    Notes
    -----
    Arrays are read where they are, memory-mapped ones and h5py data sets too, a batch at a time:
    what the caller changes meanwhile is seen by the batches that come after. A batch is valid
    until the next one is asked for, which may lie in the same memory.

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
        ahead: int | None = None,
    ) -> None:
        if not isinstance(batch_size, int | numpy.integer) or batch_size <= 0:
            raise ValueError(f"batch_size: expected a positive integer, got {batch_size!r}")
        self.x = tidy(x, "x")
        self.y = None if y is None else tidy(y, "y")
        self.sample_weight = None if sample_weight is None else tidy(sample_weight, "sample_weight")
        self.batch_size = int(batch_size)
        self.shuffle = bool(shuffle)
        self.seed = seed
        self.keep_integers = keep_integers
        self.ahead = ahead
        self.samples: int = self._count()
        self.steps: int = -(-self.samples // self.batch_size)
        self.layout = Layout(self.x, self.y, self.sample_weight)

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
        return self.steps

    def order(self, epoch: int) -> numpy.ndarray | None:
        """Return the order of the samples in an epoch, None for their own."""
        if not self.shuffle:
            return None
        key = numpy.random.SeedSequence([self.seed, epoch])
        return numpy.random.Generator(numpy.random.Philox(key)).permutation(self.samples)

    def batches(self, epoch: int = 0, start: int = 0) -> Iterator[Batch]:
        """Give an epoch's batches in turn, from number `start` on."""
        columns = self._columns()
        order = self.order(epoch)
        if order is None and all(column.usable for column in columns):
            return self._in_place(columns, start)
        size = min(self.batch_size, self.samples)

        def make(take: Callable[[], list[numpy.ndarray]]) -> Iterator[Batch]:
            return self._gathered(columns, order, start, take)

        ahead = self.ahead
        if ahead is None:
            bytes_a_batch = sum(
                size * math.prod(c.array.shape[1:]) * c.dtype.itemsize for c in columns
            )
            quick = bytes_a_batch < _WORTH_A_THREAD and all(c.in_memory for c in columns)
            ahead = 0 if quick else _AHEAD
        slots = [[column.buffer(size) for column in columns] for _ in range(ahead + 1)]
        return prefetched(make, slots) if ahead else make(lambda: slots[0])

    def first(self) -> Batch:
        """Return the first samples as a batch of its own."""
        columns = self._columns()
        rows = slice(0, min(self.batch_size, self.samples))
        buffers = [column.buffer(rows.stop) for column in columns]
        for column, buffer in zip(columns, buffers, strict=True):
            column.gather(rows, buffer)
        return Batch(buffers, self.layout)

    def _columns(self) -> list[_Column]:
        leaves = [
            (part, leaf)
            for part, data in enumerate((self.x, self.y, self.sample_weight))
            if data is not None
            for leaf in flatten(data)[0]
        ]
        cast = Casting(self.keep_integers)
        return [
            _Column(leaf, cast.target(leaf.dtype) if part else cast.input(leaf.dtype))
            for part, leaf in leaves
        ]

    def _in_place(self, columns: list[_Column], start: int) -> Iterator[Batch]:
        for first in range(start * self.batch_size, self.samples, self.batch_size):
            rows = slice(first, min(first + self.batch_size, self.samples))
            yield Batch([column.array[rows] for column in columns], self.layout)

    def _gathered(
        self,
        columns: list[_Column],
        order: numpy.ndarray | None,
        start: int,
        take: Callable[[], list[numpy.ndarray]],
    ) -> Iterator[Batch]:
        signatures: dict[int, tuple] = {}
        for first in range(start * self.batch_size, self.samples, self.batch_size):
            last = min(first + self.batch_size, self.samples)
            rows: Any = slice(first, last) if order is None else order[first:last]
            buffers = take()
            if last - first < buffers[0].shape[0]:
                buffers = [buffer[: last - first] for buffer in buffers]
            for column, buffer in zip(columns, buffers, strict=True):
                column.gather(rows, buffer)
            batch = Batch(buffers, self.layout, signatures.get(last - first))
            signatures[last - first] = batch.signature
            yield batch
