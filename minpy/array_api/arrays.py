"""Making arrays as the standard does; no arithmetic."""

from __future__ import annotations

from typing import Any

import numpy

import minpy.numpy as np
from minpy.array import ndarray
from minpy.array_api.devices import context_of, created

__all__ = [
    "arange",
    "asarray",
    "empty",
    "empty_like",
    "eye",
    "from_dlpack",
    "full",
    "full_like",
    "linspace",
    "meshgrid",
    "ones",
    "ones_like",
    "tril",
    "triu",
    "zeros",
    "zeros_like",
]

empty, ones, zeros = created(np.empty), created(np.ones), created(np.zeros)


@created
def arange(start: Any, /, stop: Any = None, step: Any = 1, *, dtype: Any = None) -> ndarray:
    """Return evenly spaced numbers from a half-open interval."""
    if stop is None:
        start, stop = 0, start
    return np.arange(start, stop, step, dtype=dtype)


@created
def eye(n_rows: int, n_cols: int | None = None, /, *, k: int = 0, dtype: Any = None) -> ndarray:
    """Return a matrix with ones on a diagonal."""
    return np.eye(n_rows, n_cols, k, dtype=dtype)


@created
def empty_like(x: ndarray, /, *, dtype: Any = None) -> ndarray:
    """Return an array of the shape of another, with any numbers."""
    return np.empty_like(x, dtype=dtype)


@created
def full_like(x: ndarray, /, fill_value: Any, *, dtype: Any = None) -> ndarray:
    """Return an array of the shape of another, of one number."""
    return np.full_like(x, fill_value, dtype=dtype)


@created
def ones_like(x: ndarray, /, *, dtype: Any = None) -> ndarray:
    """Return an array of the shape of another, of ones."""
    return np.ones_like(x) if dtype is None else np.ones_like(x, dtype=dtype)


@created
def zeros_like(x: ndarray, /, *, dtype: Any = None) -> ndarray:
    """Return an array of the shape of another, of zeros."""
    return np.zeros_like(x) if dtype is None else np.zeros_like(x, dtype=dtype)


def asarray(
    obj: Any, /, *, dtype: Any = None, device: Any = None, copy: bool | None = None
) -> ndarray:
    """Return an array of numbers, lists, or what other libraries have for one.

    Raises
    ------
    ValueError
        If `copy` is False and the memory can't be shared.
    """
    own = isinstance(obj, ndarray)
    shares = own or isinstance(obj, numpy.ndarray) or hasattr(obj, "__dlpack__")
    changes = dtype is not None and (not hasattr(obj, "dtype") or obj.dtype != dtype)
    if copy is False and (not shares or changes):
        raise ValueError("asarray: the memory can't be shared; leave copy=False out")
    made = np.asarray(obj, dtype=dtype)
    if device is not None:
        made = made.as_in_context(context_of(device))
    return made.copy() if copy else made


def from_dlpack(x: Any, /, *, device: Any = None, copy: bool | None = None) -> ndarray:
    """Return an array over the memory of an object with ``__dlpack__``."""
    made = np.from_dlpack(x)
    if device is not None:
        made = made.as_in_context(context_of(device))
    return made.copy() if copy else made


@created
def full(shape: Any, fill_value: Any, *, dtype: Any = None) -> ndarray:
    """Return an array of one number."""
    return np.full(shape, fill_value, dtype=dtype)


@created
def linspace(
    start: Any, stop: Any, /, num: int, *, dtype: Any = None, endpoint: bool = True
) -> ndarray:
    """Return evenly spaced numbers."""
    return np.linspace(start, stop, num, dtype=dtype, endpoint=endpoint)


def meshgrid(*arrays: ndarray, indexing: str = "xy") -> list[ndarray]:
    """Return the coordinates of a grid."""
    return list(np.meshgrid(*arrays, indexing=indexing))


def tril(x: ndarray, /, *, k: int = 0) -> ndarray:
    """Return the lower triangles of matrices."""
    return np.tril(x, k)


def triu(x: ndarray, /, *, k: int = 0) -> ndarray:
    """Return the upper triangles of matrices."""
    return np.triu(x, k)
