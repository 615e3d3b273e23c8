"""Batches of generators, iterables and sequences: what yields them itself; knows no model."""

from __future__ import annotations

import inspect
import itertools
import math
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, suppress
from typing import Any

import numpy

from minpy.data.batch import Batch
from minpy.data.prefetch import prefetched
from minpy.data.source import Casting, Source

__all__ = [
    "IterableBatches",
    "MXNetBatches",
    "PyDataset",
    "SequenceBatches",
    "is_mxnet_iterator",
    "pack_x_y_sample_weight",
    "ran_out",
    "unpack_x_y_sample_weight",
]

# Batches that may be ready beside the one in use.
_AHEAD = 2


def unpack_x_y_sample_weight(item: Any, where: str = "data") -> tuple[Any, Any, Any]:
    """Return x, y and sample weights of what a data set yielded, None for what it didn't.

    Examples
    --------
    >>> from minpy.data import unpack_x_y_sample_weight
    >>> unpack_x_y_sample_weight((1, 2))
    (1, 2, None)
    """
    if item is None:
        raise ValueError(f"{where}: expected x, (x, y) or (x, y, sample_weight), got None")
    if isinstance(item, tuple):
        if not 1 <= len(item) <= 3:
            raise ValueError(
                f"{where}: expected x, (x, y) or (x, y, sample_weight), got a tuple of {len(item)}"
            )
        return (*item, *[None] * (3 - len(item)))
    # What PyTorch's DataLoader gives is a list of x and y, and of weights.
    if isinstance(item, list) and len(item) <= 3 and all(_holds_arrays(a) for a in item):
        return (*item, *[None] * (3 - len(item)))
    return item, None, None


def _holds_arrays(part: Any) -> bool:
    """Say whether something is an array, or is made of arrays and no numbers."""
    if isinstance(part, Mapping | list | tuple):
        inside = part.values() if isinstance(part, Mapping) else part
        return bool(inside) and all(_holds_arrays(a) for a in inside)
    return getattr(part, "ndim", 0) > 0


def pack_x_y_sample_weight(x: Any, y: Any = None, sample_weight: Any = None) -> Any:
    """Return what a data set yields for x, y and sample weights: x alone if there is no y.

    Examples
    --------
    >>> from minpy.data.streams import pack_x_y_sample_weight
    >>> pack_x_y_sample_weight(1, 2)
    (1, 2)
    """
    if y is None and sample_weight is None:
        return (x,) if isinstance(x, tuple | list) else x
    return (x, y) if sample_weight is None else (x, y, sample_weight)


def _read(casting: Casting, item: Any, number: int) -> Batch:
    """Return the batch of what a data set gave; what is wrong with it is said with its number."""
    where = f"batch {number} of the data set"
    parts = unpack_x_y_sample_weight(item, where)
    try:
        return casting.batch(*parts)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{where}: {error}") from None


class IterableBatches(Source):
    """Batches of a generator, which is used up, or of an iterable, which begins anew each epoch.

    A thread asks for the next batches while a step runs.

    Parameters
    ----------
    data
        Yields ``x``, ``(x, y)`` or ``(x, y, sample_weight)``, a batch at a time.
    casting
        The dtypes that batches get.
    """

    def __init__(self, data: Iterable[Any], casting: Casting) -> None:
        self._data = data
        self._casting = casting
        self.once = isinstance(data, Iterator)
        self._waiting: list[Any] = []  # looked at, and not used yet
        # Of a generator one can tell whether anybody has begun to read it.
        self._fresh = inspect.isgenerator(data) and (
            inspect.getgeneratorstate(data) == inspect.GEN_CREATED
        )
        self._skipped = 0
        self._running: Iterator[Batch] | None = None
        with suppress(TypeError, AttributeError, NotImplementedError):
            self.steps = len(data)  # type: ignore[arg-type]
        # A data set of ours says so; others have no such method, or mean something else by it.
        cardinality = getattr(data, "cardinality", None)
        self.endless = callable(cardinality) and cardinality() == math.inf

    def first(self) -> Batch:
        """Return the first batch, without using it up."""
        if not self._waiting:
            iterator = iter(self._data)
            try:
                item = next(iterator)
            except StopIteration:
                raise ValueError(
                    "the data set is empty: it ended before its first batch"
                    + ("; a generator can be used once" if self.once else "")
                ) from None
            if not self.once:
                return self._batch(item, 0)
            self._waiting.append(item)
        return self._batch(self._waiting[0], 0)

    def _batch(self, item: Any, number: int) -> Batch:
        return self._like_the_first(_read(self._casting, item, number), number)

    def _items(self) -> Iterator[Any]:
        while self._waiting:
            yield self._waiting.pop(0)
        # Not `yield from`: that would close the caller's generator with this one.
        for item in self._data:  # noqa: UP028
            yield item

    def batches(self, epoch: int = 0, start: int = 0) -> Iterator[Batch]:
        """Give an epoch's batches in turn, from number `start` on.

        Those of a generator go on where the last epoch stopped.
        """
        if self.once:
            if self._running is None:
                self._running = self._ahead(self._skipped)
            return _kept_open(self._running)
        if hasattr(self._data, "set_epoch"):  # a data set of ours shuffles by seed and epoch
            self._data.set_epoch(epoch, self.seed)
        return self._ahead(start)

    def skip(self, count: int) -> None:
        """Leave out the first batches of a generator that nobody has begun to read before."""
        if self._fresh:
            self._skipped = count

    def close(self) -> None:
        """End the thread that asks a generator for its next batches."""
        if self._running is not None:
            self._running.close()  # type: ignore[attr-defined]

    def _ahead(self, start: int) -> Iterator[Batch]:
        def make(take: Callable[[], Any]) -> Iterator[Batch]:
            items = self._items()
            # A generator's items that nobody will ask for are left to its next user.
            if self.once and self.limit is not None:
                items = itertools.islice(items, self.limit)
            for number, item in enumerate(items):
                if number >= start:
                    take()  # one of a fixed number of turns
                    yield self._batch(item, number)

        return prefetched(make, [object() for _ in range(_AHEAD + 1)])


def _kept_open(batches: Iterator[Batch]) -> Iterator[Batch]:
    """Give a generator's batches without closing it with the epoch."""
    yield from iter(lambda: next(batches, None), None)


class PyDataset:
    """A data set by number: subclasses say how many batches there are, and make each.

    Keras' ``PyDataset`` (and ``Sequence``). ``__getitem__`` runs on worker threads, in any order.

    Parameters
    ----------
    workers
        Threads that make batches; 1 makes each when the step before it begins.
    use_multiprocessing
        Accepted and not used: batches are made on threads.
    max_queue_size
        Batches that may be ready or in the making.

    Examples
    --------
    >>> import numpy
    >>> from minpy.data import PyDataset
    >>> from minpy.layers import Dense
    >>> from minpy.models import Sequential
    >>> class Ramps(PyDataset):
    ...     def __len__(self):
    ...         return 3
    ...     def __getitem__(self, index):
    ...         x = numpy.full((4, 2), float(index))
    ...         return x, x.sum(1, keepdims=True)
    >>> model = Sequential([Dense(1)])
    >>> model.compile('sgd', 'mse')
    >>> len(model.fit(Ramps(workers=2), epochs=2, verbose=0).history['loss'])
    2
    """

    def __init__(
        self, workers: int = 1, use_multiprocessing: bool = False, max_queue_size: int = 10
    ) -> None:
        self.workers = workers
        self.use_multiprocessing = use_multiprocessing
        self.max_queue_size = max_queue_size

    @property
    def num_batches(self) -> int | None:
        """Batches an epoch, None for as many as one asks for."""
        return None

    def __getitem__(self, index: int) -> Any:
        """Return batch `index`: ``x``, ``(x, y)`` or ``(x, y, sample_weight)``."""
        raise NotImplementedError(f"{type(self).__name__} has no __getitem__(index)")

    def on_epoch_begin(self) -> None:
        """Is called before each epoch."""

    def on_epoch_end(self) -> None:
        """Is called after each epoch."""


class SequenceBatches(Source):
    """Batches of anything with a length and batches by number.

    Parameters
    ----------
    data
        Has ``__len__`` (or ``num_batches``) and ``__getitem__``, and may have ``workers``,
        ``max_queue_size``, ``on_epoch_begin`` and ``on_epoch_end``.
    casting
        The dtypes that batches get.
    shuffle
        Whether the batches come in another order each epoch.
    """

    def __init__(self, data: Any, casting: Casting, shuffle: bool = False) -> None:
        self._data = data
        self._casting = casting
        self._shuffle = shuffle
        try:
            self.steps = len(data)
        except (TypeError, NotImplementedError):
            self.steps = getattr(data, "num_batches", None)
        if self.steps == 0:
            raise ValueError("the data set is empty: it has no batches")

    def first(self) -> Batch:
        """Return the first batch, without using it up."""
        return self._make(0)

    def _make(self, index: int) -> Batch:
        return self._like_the_first(_read(self._casting, self._data[index], index), index)

    def batches(self, epoch: int = 0, start: int = 0) -> Iterator[Batch]:
        """Give an epoch's batches in turn, from number `start` on."""
        begin = getattr(self._data, "on_epoch_begin", None)
        if begin is not None:
            begin()
        order: Iterable[int] = itertools.count(start)
        if self.steps is not None:
            order = range(start, self.steps)
            if self._shuffle:
                key = numpy.random.SeedSequence([self.seed, epoch])
                generator = numpy.random.Generator(numpy.random.Philox(key))
                order = generator.permutation(self.steps)[start:].tolist()
        workers = max(1, getattr(self._data, "workers", 1))
        waiting = max(workers, min(getattr(self._data, "max_queue_size", 10), 2 * workers))
        with ThreadPoolExecutor(workers, "minpy-batches") as pool:
            asked: list[Future] = []
            numbers = iter(order)
            try:
                for index in itertools.islice(numbers, waiting):
                    asked.append(pool.submit(self._make, index))
                while asked:
                    batch = asked.pop(0).result()
                    for index in itertools.islice(numbers, 1):
                        asked.append(pool.submit(self._make, index))
                    yield batch
            except GeneratorExit:  # as many as were wanted
                pass
            finally:
                for future in asked:
                    future.cancel()
        end = getattr(self._data, "on_epoch_end", None)
        if end is not None:
            end()


class MXNetBatches(Source):
    """Batches of one of MXNet's own iterators (``NDArrayIter``, ``ImageRecordIter``, …).

    Parameters
    ----------
    data
        A ``DataIter``.
    casting
        The dtypes that batches get.
    """

    def __init__(self, data: Any, casting: Casting) -> None:
        self._data = data
        self._casting = casting

    def first(self) -> Batch:
        """Return the first batch, without using it up."""
        with closing(self.batches()) as batches:
            for batch in batches:
                return batch
        raise ValueError("the data set is empty: the iterator ended before its first batch")

    def batches(self, epoch: int = 0, start: int = 0) -> Iterator[Batch]:
        """Give an epoch's batches in turn, from number `start` on, without their padding.

        MXNet fills its batches by itself, on threads of its own; they are read on this one.
        """
        self._data.reset()
        for number, given in enumerate(self._data):
            if number < start:
                continue
            x, y = (
                [a.asnumpy()[: a.shape[0] - (given.pad or 0)] for a in arrays or ()]
                for arrays in (given.data, given.label)
            )
            yield self._casting.batch(_alone(x), _alone(y) if y else None)


def _alone(arrays: list[Any]) -> Any:
    return arrays[0] if len(arrays) == 1 else arrays


def is_mxnet_iterator(data: Any) -> bool:
    """Say whether something is a data iterator of MXNet's, without importing it."""
    mx = sys.modules.get("mxnet")
    return mx is not None and isinstance(data, mx.io.DataIter)


def ran_out(asked: int, given: int, consequence: str, stacklevel: int = 3) -> None:
    """Warn that there were fewer batches than asked for, and say what follows from it."""
    warnings.warn(
        f"the data ended after {given} of {asked} batches, so {consequence}", stacklevel=stacklevel
    )
