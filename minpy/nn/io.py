"""``minpy.nn.io`` of minpy 0.3.4: batches of arrays, and MXNet's iterators by their names.

`minpy.data` is what `fit` reads. MXNet's iterators (``CSVIter``, ``MNISTIter``, …) are reached as
``minpy.nn.io.CSVIter``; a solver takes them, and ``mxnet.io.NDArrayIter``, as they are.
"""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Iterator
from typing import Any

import numpy

import minpy.numpy as np
from minpy import runtime
from minpy.array import as_ndarray, ndarray

__all__ = ["DataBatch", "DataIter", "NDArrayIter", "load_data_labels", "save_data_labels"]


class DataBatch:
    """A batch: lists of data arrays and label arrays, and how many samples only fill it up."""

    def __init__(
        self, data: list[Any], label: list[Any], pad: int | None = None, index: Any = None
    ) -> None:
        self.data, self.label, self.pad, self.index = data, label, pad, index

    def __repr__(self) -> str:
        shapes = [tuple(a.shape) for a in self.data], [tuple(a.shape) for a in self.label]
        return f"<DataBatch data {shapes[0]}, labels {shapes[1]}, pad {self.pad or 0}>"


class DataIter:
    """What goes over data in batches; a subclass says how by `iter_next` and the getters."""

    def __init__(self) -> None:
        self.batch_size = 0

    def __iter__(self) -> Iterator[DataBatch]:
        return self

    def __next__(self) -> DataBatch:
        return self.next()

    def reset(self) -> None:
        """Start again."""

    def next(self) -> DataBatch:
        """Return the next batch; raises `StopIteration` at the end."""
        if not self.iter_next():
            raise StopIteration
        return DataBatch(self.getdata(), self.getlabel(), self.getpad(), self.getindex())

    def iter_next(self) -> bool:
        """Go to the next batch; return whether there is one."""
        raise NotImplementedError(f"{type(self).__name__} has no iter_next()")

    def getdata(self) -> list[Any]:
        """Return the data of the batch."""
        raise NotImplementedError(f"{type(self).__name__} has no getdata()")

    def getlabel(self) -> list[Any]:
        """Return the labels of the batch."""
        return []

    def getindex(self) -> Any:
        """Return the number of the batch."""
        return None

    def getpad(self) -> int:
        """Return how many samples at the end of the batch only fill it up."""
        return 0


def _named(data: Any, default: str) -> list[tuple[str, Any]]:
    """Return (name, array) of an array, a list of them, or a dict."""
    if data is None:
        return []
    if _is_array(data):
        data = [data]
    if isinstance(data, list | tuple):
        several = len(data) > 1
        data = {f"_{i}_{default}" if several else default: a for i, a in enumerate(data)}
    if not isinstance(data, dict):
        raise TypeError(
            f"NDArrayIter: expected an array, a list of arrays or a dict of them, got "
            f"{type(data).__name__}"
        )
    for name, array in data.items():
        if not _is_array(array):
            raise TypeError(
                f"NDArrayIter: expected {name} to be an array, got {type(array).__name__}"
            )
    return list(data.items())


def _is_array(value: Any) -> bool:
    return isinstance(value, numpy.ndarray | ndarray) or runtime.is_ndarray(value)


class NDArrayIter(DataIter):
    """Batches of arrays in memory.

    Parameters
    ----------
    data, label
        An array, a list of arrays, or a dict of them; the first axis is the samples.
    batch_size
        Samples a batch.
    shuffle
        Whether to shuffle the samples, once.
    last_batch_handle
        What to do where `batch_size` doesn't divide the number of samples. ``'pad'``: fill the last
        batch up with the first samples. ``'discard'``: leave the rest out. ``'roll_over'``: fill
        it up, and begin the next epoch after those samples.

    Raises
    ------
    ValueError
        If the arrays have different lengths, or there are fewer samples than a batch has.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> batches = NDArrayIter(np.arange(5.), batch_size=2)
    >>> [batch.data[0].tolist() for batch in batches]
    [[0.0, 1.0], [2.0, 3.0], [4.0, 0.0]]
    >>> NDArrayIter(np.arange(5.), batch_size=2, last_batch_handle='discard').getnumiterations()
    2
    """

    def __init__(
        self,
        data: Any,
        label: Any = None,
        batch_size: int = 1,
        shuffle: bool = False,
        last_batch_handle: str = "pad",
    ) -> None:
        super().__init__()
        if last_batch_handle not in ("pad", "discard", "roll_over"):
            raise ValueError(
                "NDArrayIter: expected last_batch_handle 'pad', 'discard' or 'roll_over', got "
                f"{last_batch_handle!r}"
            )
        self.data, self.label = _named(data, "data"), _named(label, "softmax_label")
        if not self.data:
            raise ValueError("NDArrayIter: there is no data")
        lengths = {name: len(a) for name, a in [*self.data, *self.label]}
        if len(set(lengths.values())) > 1:
            raise ValueError(f"NDArrayIter: expected arrays of one length, got {lengths}")
        samples = next(iter(lengths.values()))
        if shuffle:
            order = np.random.permutation(samples).asnumpy()
            self.data = [(k, _rows(a, order)) for k, a in self.data]
            self.label = [(k, _rows(a, order)) for k, a in self.label]
        if last_batch_handle == "discard":
            samples -= samples % batch_size
            self.data = [(k, a[:samples]) for k, a in self.data]
            self.label = [(k, a[:samples]) for k, a in self.label]
        if not 0 < batch_size <= samples:
            raise ValueError(
                f"NDArrayIter: expected a batch size from 1 to the {samples} samples, got "
                f"{batch_size}"
            )
        self.num_data, self.batch_size = samples, batch_size
        self.last_batch_handle = last_batch_handle
        self.cursor = -batch_size

    @property
    def data_list(self) -> list[Any]:
        """All arrays, data first."""
        return [a for _, a in [*self.data, *self.label]]

    @property
    def num_source(self) -> int:
        """How many arrays there are."""
        return len(self.data) + len(self.label)

    @property
    def provide_data(self) -> list[tuple[str, tuple[int, ...]]]:
        """Names and batch shapes of the data."""
        return [(k, (self.batch_size, *a.shape[1:])) for k, a in self.data]

    @property
    def provide_label(self) -> list[tuple[str, tuple[int, ...]]]:
        """Names and batch shapes of the labels."""
        return [(k, (self.batch_size, *a.shape[1:])) for k, a in self.label]

    def hard_reset(self) -> None:
        """Start at the first sample."""
        self.cursor = -self.batch_size

    def reset(self) -> None:
        """Start again; after a batch that was rolled over, behind its samples."""
        if self.last_batch_handle == "roll_over" and self.cursor > self.num_data:
            self.cursor = (self.cursor % self.num_data) % self.batch_size - self.batch_size
        else:
            self.cursor = -self.batch_size

    def iter_next(self) -> bool:
        """Go to the next batch; return whether there is one."""
        self.cursor += self.batch_size
        return self.cursor < self.num_data

    def getdata(self) -> list[Any]:
        """Return the data of the batch."""
        return [self._batch(a) for _, a in self.data]

    def getlabel(self) -> list[Any]:
        """Return the labels of the batch."""
        return [self._batch(a) for _, a in self.label]

    def _batch(self, array: Any) -> ndarray:
        if not 0 <= self.cursor < self.num_data:
            raise ValueError("NDArrayIter: it is at its end; call reset()")
        end = self.cursor + self.batch_size
        if end <= self.num_data:
            return as_ndarray(array[self.cursor : end])
        rest, first = array[self.cursor :], array[: end - self.num_data]
        return np.concatenate([as_ndarray(rest), as_ndarray(first)])

    def getpad(self) -> int:
        """Return how many samples at the end of the batch only fill it up."""
        over = self.cursor + self.batch_size - self.num_data
        return over if self.last_batch_handle == "pad" and over > 0 else 0

    def getindex(self) -> int:
        """Return the number of the batch."""
        return self.cursor // self.batch_size

    def getsubiter(self, num_samples: int) -> NDArrayIter:
        """Return an iterator over some of the samples, drawn without repetition."""
        chosen = np.random.permutation(self.num_data).asnumpy()[:num_samples]
        return NDArrayIter(
            {k: _rows(a, chosen) for k, a in self.data},
            {k: _rows(a, chosen) for k, a in self.label} or None,
            min(self.batch_size, len(chosen)),
        )

    def getnumiterations(self) -> int:
        """Return the number of batches an epoch."""
        return -(-self.num_data // self.batch_size)


def _rows(array: Any, order: numpy.ndarray) -> Any:
    """Return rows of an array of NumPy's, minpy's or MXNet's, in an order."""
    if isinstance(array, numpy.ndarray):
        return array[order]
    return as_ndarray(array)[order]


# --- files ----------------------------------------------------------------------------------------


def save_data_labels(data_vec: Any, label_vec: Any, file_name: Any) -> None:
    """Write data and labels to one file, without pickle.

    Parameters
    ----------
    data_vec, label_vec
        Arrays of any dtype but object.
    file_name
        Where to.
    """
    with open(file_name, "wb") as file:
        numpy.savez(file, data=numpy.asarray(data_vec), labels=numpy.asarray(label_vec))


class _ArraysOnly(pickle.Unpickler):
    """Reads the files of minpy 0.3.4, which are pickles, and makes nothing but arrays of them."""

    _ALLOWED = (
        ("numpy", "ndarray"),
        ("numpy", "dtype"),
        ("numpy.core.multiarray", "_reconstruct"),
        ("numpy._core.multiarray", "_reconstruct"),
        ("numpy.core.numeric", "_frombuffer"),
        ("numpy._core.numeric", "_frombuffer"),
        ("_codecs", "encode"),
    )

    def find_class(self, module: str, name: str) -> Any:
        """Return a class that arrays need; refuse any other."""
        if (module, name) in self._ALLOWED:
            return super().find_class(module, name)
        raise ValueError(f"the file holds {module}.{name}; only NumPy arrays are read from it")


def load_data_labels(file_name: Any) -> tuple[numpy.ndarray, numpy.ndarray]:
    """Read data and labels that `save_data_labels` wrote, here or in minpy 0.3.4.

    Raises
    ------
    ValueError
        If the file holds something else.
    """
    with open(file_name, "rb") as file:
        if zipfile.is_zipfile(file):
            file.seek(0)
            found = dict(numpy.load(file, allow_pickle=False))
        else:
            file.seek(0)
            try:
                found = _ArraysOnly(file, encoding="latin1").load()
            except (pickle.UnpicklingError, EOFError, AttributeError) as error:
                raise ValueError(f"{file_name}: not a file of data and labels: {error}") from None
    if not isinstance(found, dict) or not {"data", "labels"} <= set(found):
        raise ValueError(f"{file_name}: expected 'data' and 'labels' in the file")
    return found["data"], found["labels"]


def __getattr__(name: str) -> Any:
    if name.endswith("Iter") and runtime.available():
        found = getattr(runtime.library().io, name, None)
        if found is not None:
            return found
    raise AttributeError(f"module 'minpy.nn.io' has no attribute {name!r}")
