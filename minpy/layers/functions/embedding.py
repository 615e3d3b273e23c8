"""Rows of a table looked up by number; it must not know about layers or masks."""

from __future__ import annotations

from typing import Any

import numpy

from minpy.array import as_ndarray, ndarray
from minpy.autograd.rules import def_linear, defvjp
from minpy.errors import ShapeError
from minpy.layers.functions.operands import array_of_floats, refuse_unsupported
from minpy.primitives import Primitive

__all__ = ["embedding"]


# --- NumPy kernels --------------------------------------------------------------------------------


def _rows(table: numpy.ndarray, ids: numpy.ndarray) -> numpy.ndarray:
    numbers = ids.astype("int64") if ids.dtype.kind == "f" else ids
    if numbers.size:
        low, high = numbers.min(), numbers.max()
        if low < 0 or high >= table.shape[0]:
            raise IndexError(
                f"embedding: expected numbers from 0 to {table.shape[0] - 1} for a table of "
                f"{table.shape[0]} rows, got {low} to {high}"
            )
    return table[numbers]


def _add_rows(g: numpy.ndarray, ids: numpy.ndarray, rows: int) -> numpy.ndarray:
    """Return a table to each row of which the gradients of its uses are added."""
    width = g.shape[-1]
    out = numpy.zeros((rows, width), g.dtype)
    numbers = ids.astype("int64", copy=False).ravel()
    if not numbers.size or not width:
        return out
    # Equal numbers side by side, so that each row is written once: ufunc.at takes longer.
    order = numpy.argsort(numbers, kind="stable")
    ordered = numbers[order]
    starts = numpy.flatnonzero(numpy.r_[True, ordered[1:] != ordered[:-1]])
    out[ordered[starts]] = numpy.add.reduceat(g.reshape(-1, width)[order], starts, axis=0)
    return out


# --- MXNet kernels --------------------------------------------------------------------------------


def _mx_rows(F: Any, table: Any, ids: Any) -> Any:
    refuse_unsupported(table)
    rows, width = table.shape
    return F(
        "Embedding",
        ids,
        table,
        input_dim=rows,
        output_dim=width,
        dtype=numpy.dtype(table.dtype).name,
    )


# embedding(table, ids): integers, or floats that are whole numbers.
_look_up = Primitive("embedding", _rows, arrays=2, mxnet=_mx_rows)
# MXNet clips numbers that are out of range: whoever runs a graph checks those that it is given.
_look_up.class_numbers = 1
_look_up.class_axis = 0

_add_up = Primitive("embedding_gradient", _add_rows, arrays=2)
defvjp(_look_up, lambda ans, table, ids: lambda g: _add_up(g, ids, table.shape[0]), argnums=[0])
defvjp(_add_up, lambda ans, g, ids, rows: lambda h: _look_up(h, ids), argnums=[0])
def_linear(_look_up, 0)
def_linear(_add_up, 0)


def embedding(ids: Any, table: Any) -> ndarray:
    """Return the rows of a table that have the numbers `ids`.

    Parameters
    ----------
    ids
        Whole numbers from 0 to below the number of rows, of any shape and of an integer or a float
        dtype. Float32 holds whole numbers up to 2**24 exactly.
    table
        Of shape (rows, width).

    Returns
    -------
    ndarray
        Of the shape of `ids` with ``width`` behind it.

    Raises
    ------
    IndexError
        If a number is out of range.
    ShapeError
        If the table is no matrix.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers.functions import embedding
    >>> embedding(np.array([2, 0]), np.array([[1., 2.], [3., 4.], [5., 6.]]))
    array([[5., 6.],
           [1., 2.]])
    """
    ids, table = as_ndarray(ids), array_of_floats(table, "embedding", "table")
    if table.ndim != 2:
        raise ShapeError(f"embedding: expected a table of shape (rows, width), got {table.shape}")
    if ids.dtype.kind not in "iuf":
        raise TypeError(f"embedding: expected whole numbers as ids, got dtype {ids.dtype}")
    return _look_up(table, ids)
