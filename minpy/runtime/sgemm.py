"""Products of float32 matrices by oneDNN, where that is faster than NumPy's BLAS.

It must not know of operations or policies.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from ctypes import CFUNCTYPE, c_char, c_float, c_int, c_int64, c_void_p
from typing import Any

import numpy

from minpy.runtime import onednn
from minpy.runtime.openmp import forked

__all__ = ["WORTH_A_CALL", "product"]

# Multiplications from which a call, 4 µs above its arithmetic, is the faster way. One core of a
# Zen 5, µs:      4×512×512   32×64×64   32×512×512   128×64×64   512×784×512
#   OpenBLAS          102         4.6         225         12.4        3800
#   oneDNN             25         6.3          81         10.5        1920
WORTH_A_CALL = 300_000
_FLOAT = numpy.dtype("float32")


@functools.cache
def _function() -> Callable[..., int] | None:
    library = onednn.library()
    if library is None:
        return None
    kind = CFUNCTYPE(
        c_int, c_char, c_char, c_int64, c_int64, c_int64, c_float, c_void_p, c_int64, c_void_p,
        c_int64, c_float, c_void_p, c_int64,
    )  # fmt: skip
    return kind(library.sgemm)


def product(x: Any, y: Any) -> numpy.ndarray | None:
    """Return the product of a matrix, or a stack of them, and a matrix; None: NumPy is to make it.

    Parameters
    ----------
    x, y
        Arrays; of shape (..., m, k) and (k, n), float32 and large, for there to be a result.
    """
    if not (type(x) is type(y) is numpy.ndarray and y.ndim == 2):
        return None
    if x.ndim > 2 and x.flags.c_contiguous and x.size:
        found = product(x.reshape(-1, x.shape[-1]), y)
        return None if found is None else found.reshape(*x.shape[:-1], y.shape[1])
    if x.ndim != 2:
        return None
    (m, k), (inner, n) = x.shape, y.shape
    if m * k * n < WORTH_A_CALL or k != inner or x.dtype != _FLOAT or y.dtype != _FLOAT:
        return None
    left, right = _lies(x), _lies(y)
    if left is None or right is None or forked():
        return None
    function = _function()
    if function is None:
        return None
    out = numpy.empty((m, n), _FLOAT)
    status = function(
        left[0], right[0], m, n, k, 1.0, x.ctypes.data, left[1], y.ctypes.data, right[1], 0.0,
        out.ctypes.data, n,
    )  # fmt: skip
    return None if status else out


def _lies(x: numpy.ndarray) -> tuple[bytes, int] | None:
    """Return whether a matrix lies turned round, and how far apart its rows or columns are."""
    rows, columns = x.strides
    if columns == 4 and rows % 4 == 0 and rows >= 4 * x.shape[1]:
        return b"N", rows // 4
    if rows == 4 and columns % 4 == 0 and columns >= 4 * x.shape[0]:
        return b"T", columns // 4
    return None
