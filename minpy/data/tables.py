"""Rows that can be asked for by number, one or a batch at once; must not know in what order.

A data set of such rows passes their numbers from step to step, and looks at the rows themselves
only where a step needs them.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy

from minpy.array import ndarray, numpy_value
from minpy.data.source import converted
from minpy.data.structure import opened, stack

__all__ = ["ArrayRows", "ImageRows", "Table"]


class Table(Protocol):
    """What has rows by number."""

    def __len__(self) -> int: ...

    def row(self, number: int) -> Any:
        """Return one row."""

    def gather(self, numbers: list[int]) -> Any:
        """Return rows stacked along a new first axis."""


class ArrayRows:
    """The rows of arrays that nest in tuples and dicts.

    Parameters
    ----------
    arrays
        Arrays with the same number of rows, or one. They are read where they are.

    Raises
    ------
    ValueError
        If there is no array, one has no rows, or the numbers of rows differ.

    Examples
    --------
    >>> rows = ArrayRows({'a': [1, 2, 3], 'b': ['x', 'y', 'z']})
    >>> rows.gather([2, 0])
    {'a': array([3, 1]), 'b': array(['z', 'x'], dtype='<U1')}
    """

    def __init__(self, arrays: Any) -> None:
        leaves, paths, self._rebuild = opened(arrays)
        self._leaves = [
            numpy_value(leaf) if type(leaf) is ndarray else converted(leaf, f"from_arrays{path}")
            for leaf, path in zip(leaves, paths, strict=True)
        ]
        shapes = [leaf.shape for leaf in self._leaves]
        if not shapes or any(not s for s in shapes) or len({s[0] for s in shapes}) > 1:
            told = ", ".join(
                f"{p}: {s}" if p else f"{s}" for p, s in zip(paths, shapes, strict=True)
            )
            raise ValueError(
                f"from_arrays: got shapes {told or 'of nothing'}; give arrays with the same number "
                "of rows"
            )

    def __len__(self) -> int:
        return self._leaves[0].shape[0]

    def row(self, number: int) -> Any:
        """Return one row, a view of each array."""
        return self._rebuild([leaf[number] for leaf in self._leaves])

    def gather(self, numbers: list[int]) -> Any:
        """Return rows, a new array for each array."""
        index = numpy.array(numbers)
        # `take` is faster, but copies the whole of an array whose rows don't lie side by side.
        return self._rebuild(
            [
                leaf.take(index, 0) if leaf.flags.c_contiguous else leaf[index]
                for leaf in self._leaves
            ]
        )


class ImageRows:
    """Image files and their labels, each file read when its row is asked for.

    Parameters
    ----------
    paths
        Of the files.
    labels
        A number a file, or None: rows are images alone.
    read
        ``read(path)`` gives an image as an array; all have one shape.
    """

    def __init__(self, paths: list[str], labels: numpy.ndarray | None, read: Any) -> None:
        self._paths, self._labels, self._read = paths, labels, read

    def __len__(self) -> int:
        return len(self._paths)

    def row(self, number: int) -> Any:
        """Return an image and its label."""
        image = self._read(self._paths[number])
        return image if self._labels is None else (image, self._labels[number])

    def gather(self, numbers: list[int]) -> Any:
        """Return images and labels."""
        return stack([self.row(number) for number in numbers])
