"""Lazy data sets: elements from arrays, files or generators, step by step; knows no model."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, count, islice
from typing import Any

import numpy

from minpy.config import image_data_format
from minpy.data.readers import csv_columns, hdf5_lengths, hdf5_rows, image_files, image_reader
from minpy.data.stages import ahead, branched, called, mapped, shuffled
from minpy.data.structure import stack
from minpy.data.tables import ArrayRows, ImageRows, Table

__all__ = ["Dataset"]


class Dataset:
    """A lazy iterable over elements: arrays, and nested tuples and dicts of them.

    Each method returns a new data set and changes nothing; an element is made when it is asked
    for. A data set can be read any number of times, and ``fit``, ``evaluate`` and ``predict``
    take one whose elements are batches: ``x``, ``(x, y)`` or ``(x, y, sample_weight)``.

    Parameters
    ----------
    make : callable
        ``make(epoch, seed)`` gives a new iterator over the elements.
    cardinality : int, optional
        Number of elements, ``math.inf`` if they don't end, None where it isn't known.

    Attributes
    ----------
    class_names : list of str or None
        What the labels of `from_image_folder` stand for.
    file_paths : list of str or None
        Of the images of `from_image_folder`, sorted; of a chain that begins with it None.

    Notes
    -----
    The order of the elements is a function of the epoch and the seed that `set_epoch` was given,
    so that reading twice gives one order, and a training that goes on from a backup sees what the
    uninterrupted one would have seen. Each `shuffle` of a chain, each pass of `repeat` and each
    part of `zip` and `concatenate` has a stream of random numbers of its own.

    Rows of arrays and image files are passed on by number as far as `shuffle`, `take`, `skip`,
    `shard`, `filter` and `repeat`, so that a full shuffle holds numbers only, and `batch` after
    them gathers a whole batch of arrays at once. Put `map` after `batch` where the function can
    take a batch.

    Examples
    --------
    >>> from minpy.data import Dataset
    >>> [batch.tolist() for batch in Dataset.from_arrays([1, 2, 3]).map(lambda x: 2 * x).batch(2)]
    [[2, 4], [6]]
    """

    def __init__(
        self, make: Callable[[int, int], Iterator[Any]], cardinality: float | None = None
    ) -> None:
        if not callable(make):
            raise TypeError(f"make: got a {type(make).__name__}; give a function of epoch and seed")
        self._make = make
        self._cardinality = cardinality
        self._why_unknown = "it was made without a cardinality"
        self._table: Table | None = None  # where `_make` gives numbers of rows
        self._shuffles = 0  # in the chain so far
        self._epoch = 0
        self._seed = 0
        self.class_names: list[str] | None = None
        self.file_paths: list[str] | None = None

    # --- where elements come from -------------------------------------------------------------

    @classmethod
    def from_arrays(cls, arrays: Any) -> Dataset:
        """Return the rows of arrays that nest in tuples and dicts.

        Parameters
        ----------
        arrays : array_like, tuple or dict
            Arrays of numbers or strings, with the same number of rows. They are read where they
            are: what is written to them later is seen.

        Returns
        -------
        Dataset
            Elements nested as the arrays; that of an array of shape ``(n, ...)`` has ``(...)``.

        Raises
        ------
        ValueError
            If the arrays have no rows, or different numbers of them.

        Examples
        --------
        >>> import numpy
        >>> data = Dataset.from_arrays((numpy.ones((4, 3)), [0, 1, 0, 1]))
        >>> x, y = next(iter(data.batch(2)))
        >>> x.shape, y.tolist()
        ((2, 3), [0, 1])
        """
        return cls._of(ArrayRows(arrays))

    from_tensor_slices = from_arrays

    @classmethod
    def _of(cls, table: Table) -> Dataset:
        made = cls(lambda epoch, seed: iter(range(len(table))), len(table))
        made._table = table
        return made

    @classmethod
    def from_generator(
        cls, generator: Callable[[], Iterable[Any]], cardinality: float | None = None
    ) -> Dataset:
        """Return what a function's iterable yields; the function is called anew each time.

        Parameters
        ----------
        generator : callable
            Takes nothing, returns an iterable: a generator function, for example.
        cardinality : int, optional
            How many elements it yields, if you know.

        Raises
        ------
        TypeError
            If given a generator itself, which can be read once.

        Examples
        --------
        >>> list(Dataset.from_generator(lambda: (i * i for i in range(4))))
        [0, 1, 4, 9]
        """
        if not callable(generator):
            raise TypeError(
                f"from_generator: got a {type(generator).__name__}, which can be read once; "
                "give the function that makes it"
            )
        made = cls(lambda epoch, seed: iter(generator()), cardinality)
        made._why_unknown = (
            "from_generator can't know how many elements its function yields (give cardinality=)"
        )
        return made

    @classmethod
    def from_csv(
        cls,
        path: str | os.PathLike[str],
        label: str | int | None = None,
        columns: Sequence[str | int] | None = None,
        header: bool = True,
        delimiter: str = ",",
        as_dict: bool | None = None,
    ) -> Dataset:
        r"""Return the rows of a table of text, which is read into memory.

        Parameters
        ----------
        path : str or path
            A CSV file in UTF-8.
        label : str or int, optional
            The column with the targets.
        columns : sequence of str or int, optional
            The columns with the inputs, in the order wanted; all but the label if not given.
        header : bool
            Whether the first line has the columns' names; without them they go by number, from 0.
        delimiter : str
            What stands between entries.
        as_dict : bool, optional
            Whether inputs are a dict with a number or string a column, or one float32 vector.
            By default a dict only if one of the columns has strings.

        Returns
        -------
        Dataset
            Elements ``inputs``, or ``(inputs, label)``. Numbers are float32, and NaN where an
            entry is empty; a column with anything else is one of strings.

        Raises
        ------
        ValueError
            If the file has no rows or not these columns, a line has too many or too few entries,
            or a vector is asked for of strings.

        Examples
        --------
        >>> import pathlib, tempfile
        >>> folder = tempfile.TemporaryDirectory()
        >>> path = pathlib.Path(folder.name) / 'irises.csv'
        >>> _ = path.write_text('length,width,kind\n5.5,3.5,setosa\n6.5,3,versicolor\n')
        >>> ((x, y),) = Dataset.from_csv(path, label='kind').batch(2)
        >>> x.tolist(), y.tolist()
        ([[5.5, 3.5], [6.5, 3.0]], ['setosa', 'versicolor'])
        >>> folder.cleanup()
        """
        asked = columns if columns is None or label is None else [*columns, label]
        found = csv_columns(path, asked, header, delimiter)
        if label is not None and label not in found:
            raise ValueError(f"from_csv: label is {label!r}; {path} has the columns {list(found)}")
        inputs = {name: column for name, column in found.items() if name != label}
        if not inputs:
            raise ValueError(f"from_csv: no columns are left for the inputs, beside {label!r}")
        texts = [name for name, column in inputs.items() if column.dtype.kind == "U"]
        if as_dict is False and texts:
            raise ValueError(
                f"from_csv: a vector can't hold the columns {texts}, which have strings; "
                "leave them out of columns=, or give as_dict=True"
            )
        if as_dict is None:
            as_dict = bool(texts)
        made = inputs if as_dict else numpy.stack(list(inputs.values()), 1)
        return cls.from_arrays(made if label is None else (made, found[label]))

    @classmethod
    def from_image_folder(
        cls,
        path: str | os.PathLike[str],
        size: int | tuple[int, int],
        data_format: str | None = None,
        color_mode: str = "rgb",
        interpolation: str = "bilinear",
        dtype: Any = "float32",
        class_names: Sequence[str] | None = None,
        labels: Sequence[int] | str | None = "inferred",
        resize: Callable[[numpy.ndarray, int, int], numpy.ndarray] | None = None,
        follow_links: bool = False,
    ) -> Dataset:
        """Return the images of a folder that has a folder a class, each read when it is asked for.

        Parameters
        ----------
        path : str or path
            Has ``<class>/<image>``; folders in a class's folder are searched too.
        size : int or (int, int)
            Height and width that images are resized to.
        data_format : {'channels_first', 'channels_last'}, optional
            `minpy.config.image_data_format` if not given.
        color_mode : {'rgb', 'rgba', 'grayscale'}
            What images are converted to: 3, 4 or 1 channels.
        interpolation : {'bilinear', 'nearest', 'bicubic', 'box', 'hamming', 'lanczos'}
            How they are resized.
        dtype : dtype
            Of the pixels, which are 0 to 255: float32, or uint8 for a quarter of the memory.
        class_names : sequence of str, optional
            The folders to read, in the order of their labels; all, sorted, if not given.
        labels : 'inferred', sequence of int, or None
            Numbers of the folders; one for each image, in the order of their sorted paths; or none.
            With the last two images needn't lie in folders.
        resize : callable, optional
            ``resize(pixels, height, width)`` brings an array (height, width, channels) of uint8
            from 0 to 255 to a size, instead of Pillow with `interpolation`.
        follow_links : bool
            Whether folders that links name are searched too, inside those of the classes.

        Returns
        -------
        Dataset
            Elements ``(image, label)``, or images alone without labels: an array of shape
            ``(channels, height, width)`` or ``(height, width, channels)`` and the number of the
            class, int64. They come class by class: shuffle them. `class_names` has the names.

        Raises
        ------
        ModuleNotFoundError
            If there is no Pillow.
        ValueError
            If there are no images, or, when it is read, if a file is none.

        Examples
        --------
        >>> import os, tempfile, numpy
        >>> from PIL import Image
        >>> folder = tempfile.TemporaryDirectory()
        >>> for name, grey in (('night', 0), ('day', 255)):
        ...     os.mkdir(os.path.join(folder.name, name))
        ...     image = Image.fromarray(numpy.full((8, 6, 3), grey, numpy.uint8))
        ...     image.save(os.path.join(folder.name, name, 'a.png'))
        >>> data = Dataset.from_image_folder(folder.name, (4, 3), 'channels_first')
        >>> data.class_names, [(image.shape, image.mean(), int(y)) for image, y in data]
        (['day', 'night'], [((3, 4, 3), 255.0, 0), ((3, 4, 3), 0.0, 1)])
        >>> folder.cleanup()
        """
        read = image_reader(
            size, data_format or image_data_format(), color_mode, interpolation, dtype, resize
        )
        paths, numbers, names = image_files(path, class_names, labels, follow_links)
        made = cls._of(ImageRows(paths, numbers, read))
        made.class_names = names
        made.file_paths = paths
        return made

    @classmethod
    def from_hdf5(
        cls, path: str | os.PathLike[str], *names: str, rows_per_read: int | None = None
    ) -> Dataset:
        """Return the rows of data sets in an HDF5 file, of which parts are read at once.

        Parameters
        ----------
        path : str or path
            The file; it is open while it is read.
        *names : str
            Data sets with the same number of rows, ``'group/name'`` for those in groups.
        rows_per_read : int, optional
            Rows read at once; about 4 MB in whole chunks of the file if not given.

        Returns
        -------
        Dataset
            A row of the data set if there is one name, else a tuple of rows. For files larger than
            the memory, give `shuffle` a buffer size.

        Raises
        ------
        ModuleNotFoundError
            If there is no h5py.
        ValueError
            If the file hasn't these data sets, or they have different numbers of rows.

        Examples
        --------
        >>> import h5py, os, tempfile
        >>> folder = tempfile.TemporaryDirectory()
        >>> path = os.path.join(folder.name, 'rows.h5')
        >>> with h5py.File(path, 'w') as file:
        ...     file['x'], file['y'] = [[1, 2], [3, 4]], [0, 1]
        >>> [(x.tolist(), int(y)) for x, y in Dataset.from_hdf5(path, 'x', 'y')]
        [([1, 2], 0), ([3, 4], 1)]
        >>> folder.cleanup()
        """
        if rows_per_read is not None:
            rows_per_read = _whole("rows_per_read", rows_per_read, 1)
        rows = hdf5_lengths(path, names)
        return cls(lambda epoch, seed: hdf5_rows(path, names, rows_per_read), rows)

    # --- reading ------------------------------------------------------------------------------

    def set_epoch(self, epoch: int, seed: int = 0) -> None:
        """Set what the orders of `shuffle` are a function of; ``fit`` does so before each epoch.

        Parameters
        ----------
        epoch : int
            Number of the epoch, from 0.
        seed : int
            Any number from 0.

        Examples
        --------
        >>> data = Dataset.from_arrays(list(range(100))).shuffle()
        >>> first = list(data)
        >>> data.set_epoch(1)
        >>> first == list(data), sorted(first) == sorted(data)
        (False, True)
        """
        self._epoch, self._seed = _whole("epoch", epoch, 0), _whole("seed", seed, 0)

    def cardinality(self) -> float | None:
        """Return the number of elements, ``math.inf`` if they don't end, None if it isn't known.

        Examples
        --------
        >>> data = Dataset.from_arrays([1, 2, 3])
        >>> data.cardinality(), data.repeat().cardinality(), data.filter(bool).cardinality()
        (3, inf, None)
        """
        return self._cardinality

    def __len__(self) -> int:
        if self._cardinality is None:
            raise TypeError(f"the data set has no length: {self._why_unknown}")
        if self._cardinality == math.inf:
            raise TypeError(
                "the data set has no length: repeat() makes it endless; take(n) of it, or give fit "
                "steps_per_epoch"
            )
        return int(self._cardinality)

    def __bool__(self) -> bool:
        return True  # and not whether it has a length

    def __iter__(self) -> Iterator[Any]:
        return self._elements(self._epoch, self._seed)

    def _elements(self, epoch: int, seed: int) -> Iterator[Any]:
        items = self._make(epoch, seed)
        return items if self._table is None else map(self._table.row, items)

    # --- elements changed ---------------------------------------------------------------------

    def _then(
        self,
        change: Callable[[Iterator[Any]], Iterator[Any]],
        cardinality: float | None,
        why_unknown: str | None = None,
    ) -> Dataset:
        """Return a data set of other elements."""
        made = Dataset(lambda epoch, seed: change(self._elements(epoch, seed)), cardinality)
        made._why_unknown = why_unknown or self._why_unknown
        made._shuffles = self._shuffles
        made.class_names = self.class_names
        return made

    def _chosen(
        self,
        make: Callable[[int, int], Iterator[Any]],
        cardinality: float | None,
        why_unknown: str | None = None,
    ) -> Dataset:
        """Return a data set of some of these elements, in any order; `make` is over `_make`."""
        made = Dataset(make, cardinality)
        made._why_unknown = why_unknown or self._why_unknown
        made._shuffles = self._shuffles
        made._table = self._table
        made.class_names = self.class_names
        return made

    def map(self, function: Callable[..., Any], num_parallel_calls: int | None = None) -> Dataset:
        """Apply a function to each element; a tuple's parts are its arguments.

        Parameters
        ----------
        function : callable
            Takes an element and returns another, of any structure; minpy's arrays in it become
            NumPy's.
        num_parallel_calls : int, optional
            Threads that call it; elements stay in order. Worth it for functions that wait for
            files or spend their time in NumPy and Pillow, which let other threads run.

        Raises
        ------
        Exception
            When read: what the function raised, with the number of the element. On Python 3.10,
            where errors take no notes, a RuntimeError with it, caused by that error.

        Examples
        --------
        >>> data = Dataset.from_arrays(([1, 2], [10, 20]))
        >>> [int(n) for n in data.map(lambda x, y: x + y, num_parallel_calls=2)]
        [11, 22]
        """
        _function("map", function)
        workers = 1
        if num_parallel_calls is not None:
            workers = _whole("num_parallel_calls", num_parallel_calls, 1)
        return self._then(lambda items: mapped(function, items, workers), self._cardinality)

    def enumerate(self, start: int = 0) -> Dataset:
        """Give pairs of a number and an element.

        Examples
        --------
        >>> list(Dataset.from_generator(lambda: 'ab').enumerate(start=5))
        [(5, 'a'), (6, 'b')]
        """
        return self._then(lambda items: enumerate(items, start), self._cardinality)

    def batch(self, batch_size: int, drop_remainder: bool = False) -> Dataset:
        """Stack elements along a new first axis.

        Parameters
        ----------
        batch_size : int
            Elements a batch.
        drop_remainder : bool
            Whether to leave out a last batch with fewer.

        Raises
        ------
        ValueError
            When read: if elements differ in structure or shape; it names them.

        Examples
        --------
        >>> data = Dataset.from_arrays({'a': [1, 2, 3]})
        >>> list(data.batch(2))
        [{'a': array([1, 2])}, {'a': array([3])}]
        >>> len(data.batch(2, drop_remainder=True))
        1
        """
        size, n = _whole("batch_size", batch_size, 1), self._cardinality
        if n is not None and n != math.inf:
            n = n // size if drop_remainder else -(-n // size)
        table = self._table

        def groups(items: Iterator[Any]) -> Iterator[list[Any]]:
            while group := list(islice(items, size)):
                if len(group) == size or not drop_remainder:
                    yield group

        if table is not None:
            made = self._then(iter, n)
            made._make = lambda epoch, seed: map(table.gather, groups(self._make(epoch, seed)))
            return made
        return self._then(
            lambda items: (stack(group, i * size) for i, group in enumerate(groups(items))), n
        )

    def unbatch(self) -> Dataset:
        """Give the rows of each element.

        Examples
        --------
        >>> [int(n) for n in Dataset.from_arrays([[1, 2], [3, 4]]).unbatch()]
        [1, 2, 3, 4]
        """

        def rows(item: Any) -> Iterator[Any]:
            table = ArrayRows(item)
            return map(table.row, range(len(table)))

        return self._then(
            lambda items: chain.from_iterable(map(rows, items)),
            math.inf if self._cardinality == math.inf else None,
            "unbatch can't know how many rows its elements have",
        )

    def prefetch(self, buffer_size: int = 2) -> Dataset:
        """Make the next elements on a thread of their own; ``fit`` does so by itself.

        Parameters
        ----------
        buffer_size : int
            Elements that may be ready.

        Examples
        --------
        >>> [int(n) for n in Dataset.from_arrays([1, 2, 3]).prefetch()]
        [1, 2, 3]
        """
        size = _whole("buffer_size", buffer_size, 1)
        return self._then(lambda items: ahead(items, size), self._cardinality)

    def cache(self) -> Dataset:
        """Keep the elements in memory, once they have been read to their end.

        What comes before is worked out once, as in epoch 0 and with seed 0, whichever epoch it is
        read in first: shuffle, and augment at random, after it. The elements are handed out
        again, so don't write to them.

        Raises
        ------
        ValueError
            If the elements don't end.

        Examples
        --------
        >>> calls = []
        >>> data = Dataset.from_arrays([1, 2]).map(lambda n: calls.append(n) or 10 * n).cache()
        >>> sum(data) + sum(data), len(calls)
        (60, 2)
        """
        if self._cardinality == math.inf:
            raise ValueError("cache: the data set is endless; repeat after it")
        kept: list[list[Any]] = []  # all the elements, once they are there

        def make(epoch: int, seed: int) -> Iterator[Any]:
            if kept:
                yield from kept[0]
                return
            read = []
            for item in self._elements(0, 0):
                read.append(item)
                yield item
            kept[:] = [read]

        made = self._then(iter, self._cardinality)
        made._make = make
        return made

    # --- elements chosen ----------------------------------------------------------------------

    def filter(self, function: Callable[..., bool]) -> Dataset:
        """Keep the elements that a function is true for; a tuple's parts are its arguments.

        Parameters
        ----------
        function : callable
            Takes an element and says whether to keep it. Its errors are told as by `map`.

        Examples
        --------
        >>> [int(n) for n in Dataset.from_arrays([1, 2, 3, 4]).filter(lambda n: n % 2 == 0)]
        [2, 4]
        """
        _function("filter", function)
        table = self._table

        def make(epoch: int, seed: int) -> Iterator[Any]:
            for number, item in enumerate(self._make(epoch, seed)):
                element = item if table is None else table.row(item)
                if called("filter", function, number, element):
                    yield item

        return self._chosen(
            make,
            math.inf if self._cardinality == math.inf else None,
            "filter can't know how many elements it keeps",
        )

    def shuffle(
        self,
        buffer_size: int | None = None,
        seed: int | None = None,
        reshuffle_each_iteration: bool = True,
    ) -> Dataset:
        """Draw elements from a buffer, in an order that is a function of epoch and seed.

        Parameters
        ----------
        buffer_size : int, optional
            Elements that are drawn from; all of them if not given, which is the only order that
            is wholly random.
        seed : int, optional
            Its own; that of `set_epoch` if not given.
        reshuffle_each_iteration : bool
            Whether the order changes from epoch to epoch.

        Raises
        ------
        ValueError
            If a buffer of all elements is asked for where they don't end.

        Examples
        --------
        >>> data = Dataset.from_arrays(list(range(6))).shuffle(seed=1)
        >>> order = [int(n) for n in data]
        >>> sorted(order), order == [int(n) for n in data]
        ([0, 1, 2, 3, 4, 5], True)
        """
        if buffer_size is not None:
            buffer_size = _whole("buffer_size", buffer_size, 1)
        elif self._cardinality == math.inf:
            raise ValueError(
                "shuffle: the data set is endless; give a buffer_size, or repeat after"
            )
        own = None if seed is None else _whole("seed", seed, 0)
        stage = self._shuffles

        def make(epoch: int, seed: int) -> Iterator[Any]:
            key = [
                seed if own is None else own,
                epoch if reshuffle_each_iteration else 0,
                stage,
            ]
            return shuffled(self._make(epoch, seed), numpy.random.default_rng(key), buffer_size)

        made = self._chosen(make, self._cardinality)
        made._shuffles += 1
        return made

    def take(self, count: int) -> Dataset:
        """Keep the first elements.

        Examples
        --------
        >>> [int(n) for n in Dataset.from_arrays([1, 2, 3]).take(2)]
        [1, 2]
        """
        n, kept = self._cardinality, _whole("count", count, 0)
        return self._chosen(
            lambda epoch, seed: islice(self._make(epoch, seed), kept),
            n if n is None else min(n, kept),
        )

    def skip(self, count: int) -> Dataset:
        """Leave the first elements out.

        Examples
        --------
        >>> [int(n) for n in Dataset.from_arrays([1, 2, 3]).skip(2)]
        [3]
        """
        n, left = self._cardinality, _whole("count", count, 0)
        return self._chosen(
            lambda epoch, seed: islice(self._make(epoch, seed), left, None),
            n if n is None else max(n - left, 0),
        )

    def shard(self, num: int, index: int) -> Dataset:
        """Keep every `num`-th element, from number `index` on.

        Parameters
        ----------
        num : int
            Number of parts.
        index : int
            Which of them, from 0.

        Examples
        --------
        >>> [int(n) for n in Dataset.from_arrays([0, 1, 2, 3, 4]).shard(2, 1)]
        [1, 3]
        """
        n, parts = self._cardinality, _whole("num", num, 1)
        first = _whole("index", index, 0)
        if first >= parts:
            raise ValueError(f"shard: index is {index}; give one from 0 to {num - 1}")
        if n is not None and n != math.inf:
            n = len(range(first, int(n), parts))
        return self._chosen(
            lambda epoch, seed: islice(self._make(epoch, seed), first, None, parts), n
        )

    def repeat(self, count: int | None = None) -> Dataset:
        """Go through the elements several times, each time shuffled anew.

        Parameters
        ----------
        count : int, optional
            How often; without end if not given.

        Examples
        --------
        >>> [int(n) for n in Dataset.from_arrays([1, 2]).repeat(2)]
        [1, 2, 1, 2]
        >>> [int(n) for n in Dataset.from_arrays([1, 2]).repeat().take(5)]
        [1, 2, 1, 2, 1]
        """
        n = self._cardinality
        if count is not None:
            count = _whole("count", count, 0)
            n = 0 if count == 0 else n if n is None else n * count
        elif n != 0:
            n = math.inf

        def make(epoch: int, seed: int) -> Iterator[Any]:
            for number in _numbers(count):
                empty = True
                for item in self._make(branched(epoch, number), seed):
                    empty = False
                    yield item
                if empty:  # there is no end to passes through nothing
                    return

        return self._chosen(make, n)

    # --- several data sets --------------------------------------------------------------------

    def concatenate(self, other: Dataset) -> Dataset:
        """Give another data set's elements after these.

        Examples
        --------
        >>> a, b = Dataset.from_arrays([1, 2]), Dataset.from_arrays([3])
        >>> [int(n) for n in a.concatenate(b)]
        [1, 2, 3]
        """
        _data_sets("concatenate", (other,))
        sizes = (self._cardinality, other._cardinality)
        made = self._then(iter, None if None in sizes else sum(sizes))  # type: ignore[arg-type]
        made._make = lambda epoch, seed: chain(
            self._elements(epoch, seed), other._elements(epoch, branched(seed, 1))
        )
        made._shuffles = max(self._shuffles, other._shuffles)
        if sizes[0] is not None:
            made._why_unknown = other._why_unknown
        return made

    @classmethod
    def zip(cls, *datasets: Dataset) -> Dataset:
        """Give tuples of one element of each, until the shortest ends.

        Parts that are shuffled have orders of their own; shuffle after zipping to keep pairs.

        Examples
        --------
        >>> a, b = Dataset.from_arrays([1, 2, 3]), Dataset.from_arrays(['x', 'y'])
        >>> [(int(n), str(s)) for n, s in Dataset.zip(a, b)]
        [(1, 'x'), (2, 'y')]
        """
        if not datasets:
            raise ValueError("zip: got no data set; give one or more")
        _data_sets("zip", datasets)
        sizes = [data._cardinality for data in datasets]

        def make(epoch: int, seed: int) -> Iterator[Any]:
            parts = [data._elements(epoch, branched(seed, i)) for i, data in enumerate(datasets)]
            return zip(*parts, strict=False)

        made = cls(make, None if None in sizes else min(sizes))  # type: ignore[type-var]
        made._shuffles = max(data._shuffles for data in datasets)
        for data in datasets:
            if data._cardinality is None:
                made._why_unknown = data._why_unknown
        return made


def _numbers(n: int | None) -> Iterable[int]:
    return count() if n is None else range(n)


def _whole(name: str, value: Any, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int | numpy.integer) or value < least:
        raise ValueError(f"{name}: got {value!r}; give a whole number, {least} or more")
    return int(value)


def _function(what: str, function: Any) -> None:
    if not callable(function):
        raise TypeError(f"{what}: got a {type(function).__name__}; give a function of an element")


def _data_sets(what: str, given: Sequence[Any]) -> None:
    for data in given:
        if not isinstance(data, Dataset):
            raise TypeError(
                f"{what}: got a {type(data).__name__}; make it a data set, for example with "
                "Dataset.from_arrays"
            )
