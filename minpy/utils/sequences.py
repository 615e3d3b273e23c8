"""Sequences of unequal length as one array; knows nothing of what they mean."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy

__all__ = ["pad_sequences"]

_SIDES = ("pre", "post")


def pad_sequences(
    sequences: Sequence[Any],
    maxlen: int | None = None,
    dtype: Any = "int32",
    padding: str = "pre",
    truncating: str = "pre",
    value: Any = 0.0,
) -> numpy.ndarray:
    """Return sequences as the rows of an array, filled up or cut to one length.

    Parameters
    ----------
    sequences
        Lists or arrays; the entries of all have one shape.
    maxlen
        Number of entries in a row; that of the longest sequence if not given.
    dtype
        Of the result.
    padding, truncating
        ``'pre'`` or ``'post'``: where values are added, and where they are taken away.
    value
        What is added.

    Returns
    -------
    numpy.ndarray
        Of shape ``(len(sequences), maxlen, *shape of an entry)``.

    Raises
    ------
    ValueError
        If a sequence is none, or its entries have another shape.

    Examples
    --------
    >>> pad_sequences([[1, 2, 3], [4]])
    array([[1, 2, 3],
           [0, 0, 4]], dtype=int32)
    >>> pad_sequences([[1, 2, 3], [4]], maxlen=2, padding='post')
    array([[2, 3],
           [4, 0]], dtype=int32)
    """
    for name, side in (("padding", padding), ("truncating", truncating)):
        if side not in _SIDES:
            raise ValueError(f"pad_sequences: expected {name}='pre' or 'post', got {side!r}")
    for number, sequence in enumerate(sequences):
        if not hasattr(sequence, "__len__") or isinstance(sequence, str):
            raise ValueError(
                f"pad_sequences: expected a list of lists or arrays, entry {number} is {sequence!r}"
            )
    rows = [numpy.asarray(s) for s in sequences]
    if maxlen is None:
        maxlen = max((len(r) for r in rows), default=0)
    entry = next((r.shape[1:] for r in rows if len(r)), ())
    text = numpy.dtype(dtype).kind in "US"
    if isinstance(value, str) and not (text or numpy.dtype(dtype) == object):
        raise ValueError(
            f"pad_sequences: value {value!r} is text and dtype {dtype} is not; use dtype=object"
        )
    padded = numpy.full((len(rows), maxlen, *entry), value, dtype)
    for number, row in enumerate(rows):
        if not len(row):
            continue
        if row.shape[1:] != entry:
            raise ValueError(
                f"pad_sequences: expected entries of shape {entry}, those of sequence {number} "
                f"have shape {row.shape[1:]}"
            )
        kept = row[:maxlen] if truncating == "post" else row[max(len(row) - maxlen, 0) :]
        start = 0 if padding == "post" else maxlen - len(kept)
        padded[number, start : start + len(kept)] = kept
    return padded
