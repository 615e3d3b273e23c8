"""Images sampled between their pixels, as a loop: one pass where NumPy takes thirty.

Importing this module imports numba, which compiles the loop once a machine and keeps the machine
code on disk. It must not know about layers or operations.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy

__all__ = ["MODES", "sample"]

# The numbers that the loop knows the fill modes by.
MODES = {"constant": 0, "nearest": 1, "wrap": 2, "reflect": 3}


@numba.njit(inline="always")
def _inside(index: Any, size: Any, mode: Any) -> Any:
    if mode == 2:
        return index % size
    if mode == 3:
        around = index % (2 * size)
        return min(around, 2 * size - 1 - around)
    return min(max(index, 0), size - 1)


@numba.njit(
    "void(float32[:, :, :, ::1], float32[:, ::1], float32[:, ::1], int64, boolean, float32, "
    "float32[:, :, ::1])",
    cache=True,
    nogil=True,
    error_model="numpy",
)
def sample(x: Any, rows: Any, columns: Any, mode: Any, between: Any, fill: Any, out: Any) -> None:
    """Fill `out`, of shape (batch, channels, places), with images at places of theirs.

    Parameters
    ----------
    x
        Of shape (batch, channels, height, width).
    rows, columns
        Of shape (batch, places).
    mode
        Of `MODES`.
    between
        Whether to take the four pixels around a place, or the nearest one.
    fill
        What lies beyond the edges, in the constant mode.
    """
    batch, channels, height, width = x.shape
    one = numba.float32(1)
    for b in range(batch):
        for p in range(rows.shape[1]):
            row, column = rows[b, p], columns[b, p]
            top = numpy.floor(row) if between else numpy.rint(row)
            left = numpy.floor(column) if between else numpy.rint(column)
            below = row - top if between else numba.float32(0)
            right = column - left if between else numba.float32(0)
            above, before = one - below, one - right
            r0, c0 = int(top), int(left)
            r1, c1 = r0 + 1, c0 + 1
            if mode == 0:
                if r0 < 0 or r0 >= height:
                    above = numba.float32(0)
                if r1 < 0 or r1 >= height:
                    below = numba.float32(0)
                if c0 < 0 or c0 >= width:
                    before = numba.float32(0)
                if c1 < 0 or c1 >= width:
                    right = numba.float32(0)
            r0, r1 = _inside(r0, height, mode), _inside(r1, height, mode)
            c0, c1 = _inside(c0, width, mode), _inside(c1, width, mode)
            rest = fill * (one - (above + below) * (before + right))
            for c in range(channels):
                image = x[b, c]
                out[b, c, p] = (
                    above * (before * image[r0, c0] + right * image[r0, c1])
                    + below * (before * image[r1, c0] + right * image[r1, c1])
                    + rest
                )
