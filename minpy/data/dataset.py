"""Lazy data sets: elements from arrays or generators, transformed step by step; knows no model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice
from typing import Any

import numpy

from minpy.autograd.containers import flatten
from minpy.data.prefetch import prefetched

__all__ = ["Dataset"]


class Dataset:
    """A lazy iterable over elements, nested tuples and dicts of NumPy arrays.

    Parameters
    ----------
    make
        ``make(epoch, seed)`` gives a new iterator over the elements.
    cardinality
        Number of elements, None where it isn't known.

    Examples
    --------
    >>> from minpy.data import Dataset
    >>> [batch.tolist() for batch in Dataset.from_arrays([1, 2, 3]).map(lambda x: 2 * x).batch(2)]
    [[2, 4], [6]]
    """

    def __init__(
        self, make: Callable[[int, int], Iterator[Any]], cardinality: int | None = None
    ) -> None:
        self._make = make
        self._cardinality = cardinality
        self._epoch = 0
        self._seed = 0

    @classmethod
    def from_arrays(cls, arrays: Any) -> Dataset:
        """Return the rows of arrays that nest in tuples and dicts."""
        leaves, rebuild = flatten(arrays) if isinstance(arrays, tuple | dict) else ([arrays], None)
        leaves = [numpy.asarray(leaf) for leaf in leaves]
        shapes = [leaf.shape for leaf in leaves]
        if not leaves or any(not s for s in shapes) or len({s[0] for s in shapes}) > 1:
            raise ValueError(
                f"from_arrays: got shapes {shapes}; give arrays with the same number of rows"
            )

        def make(epoch: int, seed: int) -> Iterator[Any]:
            for i in range(shapes[0][0]):
                rows = [leaf[i] for leaf in leaves]
                yield rebuild(rows) if rebuild else rows[0]

        return cls(make, shapes[0][0])

    from_tensor_slices = from_arrays

    @classmethod
    def from_generator(cls, generator: Callable[[], Iterable[Any]]) -> Dataset:
        """Return what a function's iterable yields; the function is called anew each time."""
        if not callable(generator):
            raise TypeError(
                f"from_generator: got a {type(generator).__name__}, which can be read once; "
                "give the function that makes it"
            )
        return cls(lambda epoch, seed: iter(generator()))

    @classmethod
    def from_hdf5(cls, path: str, *names: str) -> Dataset:
        """Return the rows of a file's data sets, each read when it is asked for."""
        import h5py

        with h5py.File(path, "r") as file:
            missing = [name for name in names if name not in file]
            if not names or missing:
                raise ValueError(f"from_hdf5: asked for {names}; {path} has {sorted(file)}")
            rows = {name: len(file[name]) for name in names}
        if len(set(rows.values())) > 1:
            raise ValueError(f"from_hdf5: rows are {rows}; give data sets of the same length")

        def make(epoch: int, seed: int) -> Iterator[Any]:
            with h5py.File(path, "r") as file:
                for i in range(rows[names[0]]):
                    row = tuple(file[name][i] for name in names)
                    yield row if len(row) > 1 else row[0]

        return cls(make, rows[names[0]])

    def set_epoch(self, epoch: int, seed: int = 0) -> None:
        """Set what the orders of `shuffle` are a function of; ``fit`` does so each epoch."""
        self._epoch, self._seed = epoch, seed

    def cardinality(self) -> int | None:
        """Return the number of elements, None where it isn't known."""
        return self._cardinality

    def __iter__(self) -> Iterator[Any]:
        return self._make(self._epoch, self._seed)

    def _then(
        self, change: Callable[[Iterator[Any]], Iterator[Any]], cardinality: int | None = None
    ) -> Dataset:
        return Dataset(lambda epoch, seed: change(self._make(epoch, seed)), cardinality)

    def map(self, function: Callable[..., Any]) -> Dataset:
        """Apply a function to each element; a tuple's parts are its arguments."""
        return self._then(
            lambda items: (_call("map", function, i, x) for i, x in enumerate(items)),
            self._cardinality,
        )

    def filter(self, function: Callable[..., bool]) -> Dataset:
        """Keep the elements that a function is true for."""
        return self._then(
            lambda items: (x for i, x in enumerate(items) if _call("filter", function, i, x))
        )

    def batch(self, batch_size: int, drop_remainder: bool = False) -> Dataset:
        """Stack elements along a new first axis."""
        size, n = _count("batch_size", batch_size, 1), self._cardinality

        def change(items: Iterator[Any]) -> Iterator[Any]:
            while group := list(islice(items, size)):
                if len(group) == size or not drop_remainder:
                    yield _stack(group)

        return self._then(
            change, n if n is None else n // size if drop_remainder else -(-n // size)
        )

    def shuffle(self, buffer_size: int | None = None) -> Dataset:
        """Draw from a buffer, of all elements if no size is given, by seed and epoch."""
        if buffer_size is not None:
            _count("buffer_size", buffer_size, 1)

        def make(epoch: int, seed: int) -> Iterator[Any]:
            draw, items = numpy.random.default_rng([seed, epoch]), self._make(epoch, seed)
            held = list(islice(items, buffer_size))
            for item in items:
                i = int(draw.integers(len(held)))
                chosen, held[i] = held[i], item
                yield chosen
            for i in draw.permutation(len(held)):
                yield held[i]

        return Dataset(make, self._cardinality)

    def unbatch(self) -> Dataset:
        """Give the rows of each element."""
        return self._then(
            lambda items: chain.from_iterable(Dataset.from_arrays(item) for item in items)
        )

    def concatenate(self, other: Dataset) -> Dataset:
        """Give another data set's elements after these."""
        known = self._cardinality is not None and other._cardinality is not None
        return Dataset(
            lambda epoch, seed: chain(self._make(epoch, seed), other._make(epoch, seed)),
            self._cardinality + other._cardinality if known else None,
        )

    @classmethod
    def zip(cls, *datasets: Dataset) -> Dataset:
        """Give tuples of one element of each, until the shortest ends."""
        if not datasets:
            raise ValueError("zip: got no data set; give one or more")
        sizes = [data._cardinality for data in datasets]
        return cls(
            lambda epoch, seed: zip(*(d._make(epoch, seed) for d in datasets), strict=False),
            None if None in sizes else min(sizes),
        )

    def enumerate(self, start: int = 0) -> Dataset:
        """Give pairs of a number and an element."""
        return self._then(lambda items: enumerate(items, start), self._cardinality)

    def take(self, count: int) -> Dataset:
        """Keep the first elements."""
        n = self._cardinality
        count = _count("count", count, 0)
        return self._then(lambda items: islice(items, count), n if n is None else min(n, count))

    def skip(self, count: int) -> Dataset:
        """Leave the first elements out."""
        n = self._cardinality
        count = _count("count", count, 0)
        return self._then(
            lambda items: islice(items, count, None), n if n is None else max(n - count, 0)
        )

    def shard(self, num: int, index: int) -> Dataset:
        """Keep every `num`-th element, from number `index` on."""
        n = self._cardinality
        if not 0 <= index < _count("num", num, 1):
            raise ValueError(f"shard: index is {index}; give one from 0 to {num - 1}")
        return self._then(
            lambda items: islice(items, index, None, num),
            n if n is None else len(range(index, n, num)),
        )

    def repeat(self, count: int) -> Dataset:
        """Go through the elements several times, shuffled as once."""
        n = self._cardinality
        count = _count("count", count, 0)
        return Dataset(
            lambda epoch, seed: chain.from_iterable(self._make(epoch, seed) for _ in range(count)),
            n if n is None else n * count,
        )

    def prefetch(self, buffer_size: int = 2) -> Dataset:
        """Make the next elements on a thread of their own."""
        size = _count("buffer_size", buffer_size, 1)

        def change(items: Iterator[Any]) -> Iterator[Any]:
            def ahead(take: Callable[[], Any]) -> Iterator[Any]:
                take()
                for item in items:
                    yield item
                    take()

            return prefetched(ahead, [object() for _ in range(size + 1)])

        return self._then(change, self._cardinality)


def _count(name: str, value: int, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int | numpy.integer) or value < least:
        raise ValueError(f"{name}: got {value!r}; give a whole number, {least} or more")
    return int(value)


def _call(what: str, function: Callable[..., Any], number: int, item: Any) -> Any:
    try:
        return function(*item) if isinstance(item, tuple) else function(item)
    except Exception as error:
        error.add_note(f"in {what}, at element {number}") if hasattr(error, "add_note") else None
        raise


def _stack(group: list[Any]) -> Any:
    first = group[0]
    if isinstance(first, tuple):
        return tuple(_stack(list(part)) for part in zip(*group, strict=True))
    if isinstance(first, dict):
        return {key: _stack([item[key] for item in group]) for key in first}
    shapes = {numpy.shape(item) for item in group}
    if len(shapes) > 1:
        raise ValueError(f"batch: elements have shapes {sorted(shapes)}; map them to one shape")
    return numpy.stack(group)
