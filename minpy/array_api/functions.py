"""Functions of the standard: NumPy's under its names, and those that NumPy 1.26 doesn't have."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy

import minpy.numpy as np
from minpy.array import as_ndarray, ndarray
from minpy.array_api.dtypes import result_type

# The standard's name → NumPy's.
_RENAMED = {
    "acos": "arccos",
    "acosh": "arccosh",
    "asin": "arcsin",
    "asinh": "arcsinh",
    "atan": "arctan",
    "atan2": "arctan2",
    "atanh": "arctanh",
    "bitwise_invert": "invert",
    "bitwise_left_shift": "left_shift",
    "bitwise_right_shift": "right_shift",
    "concat": "concatenate",
    "permute_dims": "transpose",
    "pow": "power",
}
_SAME = """
    abs add all any argmax argmin bitwise_and bitwise_or bitwise_xor broadcast_arrays
    broadcast_to conj copysign cos cosh divide equal exp expand_dims expm1 flip floor_divide
    greater greater_equal hypot imag isfinite isinf isnan less less_equal log log10 log1p log2
    logaddexp logical_and logical_not logical_or logical_xor matmul max maximum mean min minimum
    moveaxis multiply negative not_equal positive real remainder repeat roll
    sign signbit sin sinh sqrt square squeeze stack subtract tan tanh tensordot tile where
"""
_CONSTANTS = "e inf nan newaxis pi"
_WRITTEN = """
    argsort ceil clip cumulative_sum floor matrix_transpose nonzero prod reshape round
    searchsorted sort std sum take trunc unique_all unique_counts unique_inverse unique_values
    unstack var vecdot
"""

__all__ = [*_RENAMED, *_SAME.split(), *_CONSTANTS.split(), *_WRITTEN.split()]

for _name in (*_SAME.split(), *_CONSTANTS.split()):
    globals()[_name] = getattr(np, _name)
for _name, _theirs in _RENAMED.items():
    globals()[_name] = getattr(np, _theirs)


# Functions of two operands, which promote arrays without axes like others.
_PROMOTING = """
    add atan2 bitwise_and bitwise_left_shift bitwise_or bitwise_right_shift bitwise_xor copysign
    divide floor_divide hypot logaddexp maximum minimum multiply pow remainder subtract
"""


def _promoting(name: str, function: Any) -> Any:
    def promoted(x1: ndarray, x2: ndarray, /) -> ndarray:
        if isinstance(x1, ndarray) and isinstance(x2, ndarray) and x1.dtype != x2.dtype:
            dtype = result_type(x1, x2)
            x1, x2 = x1.astype(dtype, copy=False), x2.astype(dtype, copy=False)
        return function(x1, x2)

    promoted.__name__ = promoted.__qualname__ = name
    promoted.__doc__ = f"As `minpy.numpy.{function.name}`, with the standard's promotion."
    return promoted


for _name in _PROMOTING.split():
    globals()[_name] = _promoting(_name, globals()[_name])


def _rounding(name: str) -> Any:
    function = getattr(np, name)

    def rounded(x: ndarray, /) -> ndarray:
        return x.copy() if x.dtype.kind in "iu" else function(x)

    rounded.__name__ = rounded.__qualname__ = name
    rounded.__doc__ = f"Return ``{name}`` of each element; integers keep their dtype."
    return rounded


ceil, floor, trunc, round = (_rounding(n) for n in ("ceil", "floor", "trunc", "round"))


def clip(x: ndarray, /, min: Any = None, max: Any = None) -> ndarray:
    """Limit values to an interval; the dtype stays."""
    if min is None and max is None:
        return x.copy()
    return np.clip(x, min, max).astype(x.dtype, copy=False)


# --- order ---


def argsort(
    x: ndarray, /, *, axis: int = -1, descending: bool = False, stable: bool = True
) -> ndarray:
    """Return the numbers of the elements in order."""
    if not descending:
        return np.argsort(x, axis=axis, kind="stable")
    # Backwards twice, so that equal elements keep their order.
    last = x.shape[axis] - 1 if x.ndim else 0
    numbers = np.flip(np.argsort(np.flip(x, axis), axis=axis, kind="stable"), axis)
    return last - numbers


def sort(
    x: ndarray, /, *, axis: int = -1, descending: bool = False, stable: bool = True
) -> ndarray:
    """Return a sorted copy."""
    made = np.sort(x, axis=axis, kind="stable")
    return np.flip(made, axis) if descending else made


def searchsorted(
    x1: ndarray, x2: ndarray, /, *, side: str = "left", sorter: ndarray | None = None
) -> ndarray:
    """Return where elements belong in a sorted array."""
    return np.searchsorted(x1, x2, side=side, sorter=sorter)


def nonzero(x: ndarray, /) -> tuple[ndarray, ...]:
    """Return where elements aren't zero, an array an axis."""
    if not x.ndim:
        raise ValueError("nonzero: expected an array with at least one axis")
    return np.nonzero(x)


# --- sets: without an order of equal nan ---


class _All(NamedTuple):
    values: ndarray
    indices: ndarray
    inverse_indices: ndarray
    counts: ndarray


class _Counts(NamedTuple):
    values: ndarray
    counts: ndarray


class _Inverse(NamedTuple):
    values: ndarray
    inverse_indices: ndarray


def unique_all(x: ndarray, /) -> _All:
    """Return the distinct elements, where each is first, which one each element is, and counts."""
    values, indices, inverse, counts = np.unique(
        x, return_index=True, return_inverse=True, return_counts=True, equal_nan=False
    )
    return _All(values, indices, np.reshape(inverse, x.shape), counts)


def unique_counts(x: ndarray, /) -> _Counts:
    """Return the distinct elements and how often each occurs."""
    return _Counts(*np.unique(x, return_counts=True, equal_nan=False))


def unique_inverse(x: ndarray, /) -> _Inverse:
    """Return the distinct elements and which one each element is."""
    values, inverse = np.unique(x, return_inverse=True, equal_nan=False)
    return _Inverse(values, np.reshape(inverse, x.shape))


def unique_values(x: ndarray, /) -> ndarray:
    """Return the distinct elements."""
    return np.unique(x, equal_nan=False)


# --- sums ---


def _sum_dtype(x: ndarray, dtype: Any) -> Any:
    if dtype is not None:
        return dtype
    if x.dtype.kind == "u":
        return numpy.promote_types(x.dtype, "uint64")
    return numpy.dtype("int64") if x.dtype.kind == "i" else None


def sum(x: ndarray, /, *, axis: Any = None, dtype: Any = None, keepdims: bool = False) -> ndarray:
    """Return the sum along axes."""
    return np.sum(x, axis=axis, dtype=_sum_dtype(x, dtype), keepdims=keepdims)


def prod(x: ndarray, /, *, axis: Any = None, dtype: Any = None, keepdims: bool = False) -> ndarray:
    """Return the product along axes."""
    return np.prod(x, axis=axis, dtype=_sum_dtype(x, dtype), keepdims=keepdims)


def cumulative_sum(
    x: ndarray, /, *, axis: int | None = None, dtype: Any = None, include_initial: bool = False
) -> ndarray:
    """Return running sums, from zero on if `include_initial`."""
    if axis is None:
        if x.ndim != 1:
            raise ValueError(f"cumulative_sum: expected an axis for an array of shape {x.shape}")
        axis = 0
    made = np.cumsum(x, axis=axis, dtype=_sum_dtype(x, dtype))
    if not include_initial:
        return made
    shape = tuple(1 if i == axis % x.ndim else n for i, n in enumerate(x.shape))
    return np.concatenate([np.zeros(shape, made.dtype), made], axis=axis)


def std(
    x: ndarray, /, *, axis: Any = None, correction: float = 0.0, keepdims: bool = False
) -> ndarray:
    """Return the standard deviation along axes."""
    return np.std(x, axis=axis, ddof=correction, keepdims=keepdims)


def var(
    x: ndarray, /, *, axis: Any = None, correction: float = 0.0, keepdims: bool = False
) -> ndarray:
    """Return the variance along axes."""
    return np.var(x, axis=axis, ddof=correction, keepdims=keepdims)


# --- shapes and products ---


def reshape(x: ndarray, /, shape: tuple[int, ...], *, copy: bool | None = None) -> ndarray:
    """Return an array with another shape."""
    made = np.reshape(x.copy() if copy else x, shape)
    if copy is False and made.size and not np.shares_memory(made, x):
        raise ValueError(f"reshape: shape {shape} needs a copy; leave copy=False out")
    return made


def take(x: ndarray, indices: ndarray, /, *, axis: int | None = None) -> ndarray:
    """Return elements along an axis by number."""
    if axis is None and x.ndim != 1:
        raise ValueError(f"take: expected an axis for an array of shape {x.shape}")
    return np.take(x, indices, axis=0 if axis is None else axis)


def unstack(x: ndarray, /, *, axis: int = 0) -> tuple[ndarray, ...]:
    """Return the slices along an axis."""
    if not x.ndim:
        raise ValueError("unstack: expected an array with at least one axis")
    return tuple(np.moveaxis(x, axis, 0))


def matrix_transpose(x: ndarray, /) -> ndarray:
    """Return a view with the last two axes swapped."""
    if x.ndim < 2:
        raise ValueError(f"matrix_transpose: expected at least two axes, got shape {x.shape}")
    return np.swapaxes(x, -1, -2)


def vecdot(x1: ndarray, x2: ndarray, /, *, axis: int = -1) -> ndarray:
    """Return dot products along an axis, the first operand conjugated."""
    x1, x2 = as_ndarray(x1), as_ndarray(x2)
    if x1.shape[axis] != x2.shape[axis]:
        raise ValueError(f"vecdot: the axes have lengths {x1.shape[axis]} and {x2.shape[axis]}")
    x1, x2 = np.moveaxis(x1, axis, -1), np.moveaxis(x2, axis, -1)
    dtype = result_type(x1, x2)
    x1, x2 = np.conj(x1.astype(dtype, copy=False)), x2.astype(dtype, copy=False)
    return np.matmul(x1[..., None, :], x2[..., None])[..., 0, 0]
