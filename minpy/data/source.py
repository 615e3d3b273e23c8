"""Where a training loop gets its batches: what all kinds of data sets offer, and how they cast."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy

from minpy.array import ndarray, numpy_value
from minpy.autograd.containers import flatten, leaves_with_paths, register_container
from minpy.config import settings
from minpy.data.batch import Batch

__all__ = [
    "Casting",
    "Source",
    "as_numpy",
    "check_class_weight",
    "class_weights",
    "converted",
    "tidy",
]


class Source:
    """A data set as batches.

    Attributes
    ----------
    steps
        Batches an epoch, None where only the end of the data tells.
    samples
        Samples an epoch, None where only the end of the data tells.
    seed
        What the order of a shuffled data set is a function of, with the epoch's number.
    once
        Whether it is used up by being read, as a generator is.
    """

    steps: int | None = None
    samples: int | None = None
    seed: int = 0
    limit: int | None = None  # batches that will be asked for in all
    endless: bool = False
    once: bool = False
    _first_names: list[str] | None = None

    def _like_the_first(self, batch: Batch, number: int) -> Batch:
        """Return the batch; raise ValueError if it holds other things than the first did."""
        names = batch.layout.names
        if self._first_names is None:
            self._first_names = names
        elif names != self._first_names:
            raise ValueError(
                f"batch {number} of the data set: expected {_listed(self._first_names)}, as in "
                f"the batches before, got {_listed(names)}; let every batch hold the same things"
            )
        return batch

    def check_ends(self, steps: int | None, argument: str) -> None:
        """Raise ValueError if batches without end are to be read to their end."""
        if self.endless and steps is None:
            raise ValueError(f"the data set repeats without end; give {argument}")

    def skip(self, count: int) -> None:
        """Leave out what a training that this one goes on from has used up, a generator's."""

    def close(self) -> None:
        """End what runs in the background."""

    def first(self) -> Batch:
        """Return the first batch, without using it up."""
        raise NotImplementedError

    def batches(self, epoch: int = 0, start: int = 0) -> Iterator[Batch]:
        """Give an epoch's batches in turn, from number `start` on."""
        raise NotImplementedError


@dataclass(frozen=True)
class Casting:
    """The dtypes that batches have.

    Parameters
    ----------
    keep_integers
        Whether integer inputs stay integers (indices into a table) or become floats.
    class_weight
        Class number → weight of its samples, for data that come in batches.
    """

    keep_integers: bool = False
    class_weight: dict[int, float] | None = None

    def input(self, dtype: numpy.dtype) -> numpy.dtype:
        """Return the dtype that inputs of a dtype get."""
        if self.keep_integers and dtype.kind in "iu" and dtype != numpy.uint8:
            return dtype
        return settings.complex_dtype if dtype.kind == "c" else settings.float_dtype

    def target(self, dtype: numpy.dtype) -> numpy.dtype:
        """Return the dtype that targets and sample weights of a dtype get."""
        return settings.float_dtype if dtype.kind == "f" else dtype

    def batch(self, x: Any, y: Any = None, sample_weight: Any = None) -> Batch:
        """Return the batch of what a data set gave."""
        if self.class_weight is not None:
            sample_weight = class_weights(y, self.class_weight, sample_weight)
        made = Batch.of(
            tidy(x, "x"),
            None if y is None else tidy(y, "y"),
            None if sample_weight is None else tidy(sample_weight, "sample_weight"),
        )
        inputs = made.layout.inputs
        leaves = []
        for i, leaf in enumerate(made.leaves):
            name = made.layout.names[i]
            if leaf.ndim == 0:
                raise ValueError(f"{name}: expected samples along an axis, got a number")
            if leaf.shape[0] != made.size:
                raise ValueError(
                    f"expected as many targets and weights as samples: {made.layout.names[0]} has "
                    f"{made.size}, {name} has {leaf.shape[0]}"
                    + ("; put single samples into batches, .batch(32)" if leaf.ndim == 1 else "")
                )
            dtype = self.input(leaf.dtype) if i < inputs else self.target(leaf.dtype)
            leaves.append(numpy.ascontiguousarray(leaf, dtype))
        return Batch(leaves, made.layout)


_NUMBER_CLASSES = (
    "; number the classes first, for example with numpy.unique(labels, return_inverse=True)[1]"
)
_NUMBER_TEXT = (
    "; turn text into numbers first, with the layers StringLookup or TextVectorization, and "
    "columns of several kinds column by column"
)


def _listed(names: list[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else names[0]


def as_numpy(value: Any, what: str) -> Any:
    """Return an array of numbers: NumPy's own, or a data set in a file, which is read by parts."""
    if type(value) is ndarray:
        return numpy_value(value)
    if callable(value) and not hasattr(value, "__array__"):
        raise TypeError(
            f"{what}: expected arrays or batches, got a function; call it if it returns them"
        )
    array = value if isinstance(value, numpy.ndarray) or _in_file(value) else converted(value, what)
    if array.dtype.kind not in "biufc":
        hint = ""
        if array.dtype.kind in "USO":
            hint = _NUMBER_TEXT if what.startswith("x") else _NUMBER_CLASSES
        raise TypeError(f"{what}: expected an array of numbers, got dtype {array.dtype}{hint}")
    return array


def _in_file(value: Any) -> bool:
    h5py = sys.modules.get("h5py")
    return h5py is not None and isinstance(value, h5py.Dataset)


def converted(value: Any, what: str) -> numpy.ndarray:
    """Return anything that holds an array as a NumPy array, without looking at its dtype."""
    # PyTorch's tensors, pandas' frames and MXNet's arrays each have a way of their own.
    for name in ("detach", "to_numpy", "asnumpy"):
        method = getattr(value, name, None)
        if callable(method):
            value = _of_frame(value) if name == "to_numpy" else method()
            if name == "detach":
                value = value.cpu().numpy()
            break
    try:
        return numpy.asarray(value)
    except ValueError as error:
        raise ValueError(f"{what}: {error}; samples must have equal shapes") from None


def _of_frame(frame: Any) -> numpy.ndarray:
    """Return a frame's or column's array; floats where it has several kinds of numbers."""
    array = frame.to_numpy()
    if array.dtype != object or not hasattr(frame, "dtypes"):
        return array
    kinds = [frame.dtype] if frame.ndim == 1 else list(frame.dtypes)
    if any(kind.kind not in "biuf" for kind in kinds):
        return array
    return frame.to_numpy(dtype=settings.float_dtype, na_value=numpy.nan)


class _Nothing:
    """In the place of an input that is None: a container without arrays, None when it is filled."""


register_container(_Nothing, lambda nothing: [], lambda nothing, parts: None)


def tidy(data: Any, what: str) -> Any:
    """Turn what was given for x or y into arrays in their containers.

    None among several inputs stays None in each batch: an input may be optional.
    """
    given = [part for part in data if part is not None] if isinstance(data, list) else []
    if isinstance(data, list) and data and not (given and hasattr(given[0], "shape")):
        return as_numpy(data, what)  # a list of numbers, not of inputs
    leaves, unflatten = flatten(data)
    paths = [path for path, _ in leaves_with_paths(data)]
    optional = what == "x" and any(leaf is not None for leaf in leaves)
    return unflatten(
        [
            _Nothing() if leaf is None and optional else as_numpy(leaf, f"{what}{path}")
            for path, leaf in zip(paths, leaves, strict=True)
        ]
    )


def check_class_weight(weights: Any) -> None:
    """Raise an error unless these are numbers by class number."""
    if not isinstance(weights, Mapping):
        raise TypeError(
            "class_weight: expected a dict, class number → weight, got a "
            f"{type(weights).__name__}; of a list make dict(enumerate(weights))"
        )
    for label, weight in weights.items():
        if not isinstance(label, int | numpy.integer):
            raise ValueError(
                f"class_weight: expected class numbers, got {label!r}; targets are numbered "
                "classes, and their weights go by the same numbers"
            )
        if not isinstance(weight, int | float | numpy.number) or not numpy.isfinite(weight):
            raise ValueError(
                f"class_weight: expected a finite number for class {label}, got {weight!r}"
            )


def class_weights(y: Any, weights: dict[int, float], given: Any = None) -> numpy.ndarray:
    """Turn weights of classes into weights of samples, times those that were given.

    A class without a weight counts 1, as in Keras.
    """
    check_class_weight(weights)
    several = y.values() if isinstance(y, Mapping) else y if isinstance(y, list | tuple) else ()
    several = [part for part in several if hasattr(part, "shape")]
    if len(several) > 1:
        raise ValueError(
            "class_weight: expected the targets of one output, got those of "
            f"{len(several)}; give sample_weight, an array for each output"
        )
    labels = as_numpy(several[0] if several else y, "y")
    if labels.ndim > 1 and labels.shape[-1] > 1:
        labels = labels.argmax(-1)
    labels = labels.reshape(-1).astype(int)
    found = numpy.ones(labels.shape, settings.float_dtype)
    for label, weight in weights.items():
        found[labels == label] = weight
    return found if given is None else found * numpy.asarray(given, found.dtype)
