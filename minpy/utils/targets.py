"""Labels and features made ready for a loss: ``keras.utils``' functions of arrays."""

from __future__ import annotations

from typing import Any

import numpy

__all__ = ["normalize", "to_categorical"]


def to_categorical(x: Any, num_classes: int | None = None) -> numpy.ndarray:
    """Return class labels as rows with a one in the label's place.

    Parameters
    ----------
    x
        Integers from 0, of any shape; a last axis of length one is dropped.
    num_classes
        Length of the rows; the largest label plus one if not given.

    Returns
    -------
    numpy.ndarray
        Of shape ``(*x.shape, num_classes)``, float32.

    Raises
    ------
    ValueError
        If a label is no integer, negative, or `num_classes` or more.

    Examples
    --------
    >>> to_categorical([2, 0])
    array([[0., 0., 1.],
           [1., 0., 0.]], dtype=float32)
    """
    labels = numpy.asarray(x)
    if labels.dtype.kind not in "biu":
        whole = labels.dtype.kind == "f" and numpy.array_equal(labels, numpy.trunc(labels))
        if not whole:
            raise ValueError(
                f"to_categorical: expected integers, got {labels.dtype}; number the classes first, "
                "for example with numpy.unique(labels, return_inverse=True)"
            )
    labels = labels.astype(numpy.int64)
    if labels.ndim > 1 and labels.shape[-1] == 1:
        labels = labels[..., 0]
    if num_classes is None:
        num_classes = int(labels.max()) + 1 if labels.size else 0
    wrong = labels[(labels < 0) | (labels >= num_classes)]
    if wrong.size:
        raise ValueError(
            f"to_categorical: expected labels from 0 to {num_classes - 1}, got {wrong.flat[0]}"
        )
    rows = numpy.zeros((*labels.shape, num_classes), numpy.float32)
    numpy.put_along_axis(rows, labels[..., None], 1.0, axis=-1)
    return rows


def normalize(x: Any, axis: int = -1, order: float = 2) -> numpy.ndarray:
    """Return an array whose vectors along an axis have length one; zeros stay zeros.

    Parameters
    ----------
    x
        Numbers, of any shape.
    axis
        Along which the vectors lie.
    order
        Of the norm, as in ``numpy.linalg.norm``.

    Examples
    --------
    >>> normalize([[3., 4.]])
    array([[0.6, 0.8]])
    """
    x = numpy.asarray(x)
    lengths = numpy.atleast_1d(numpy.linalg.norm(x, order, axis, keepdims=True))
    return x / numpy.where(lengths == 0, 1, lengths)
