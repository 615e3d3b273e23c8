"""Keras' operations on arrays that NumPy has not, or with other arguments."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy

import minpy.numpy as np
from minpy.array import as_ndarray, ndarray
from minpy.errors import ShapeError
from minpy.layers.functions import stop_gradient as _stop_gradient
from minpy.layers.symbolic import KerasTensor
from minpy.numpy.indexing import scatter_add
from minpy.ops.operation import operation

__all__ = [
    "cast",
    "convert_to_numpy",
    "convert_to_tensor",
    "divide_no_nan",
    "dtype",
    "erf",
    "erfc",
    "erfinv",
    "get_item",
    "in_top_k",
    "is_tensor",
    "logsumexp",
    "moments",
    "multi_hot",
    "nan_to_num",
    "norm",
    "normalize",
    "one_hot",
    "rsqrt",
    "saturate_cast",
    "scatter",
    "scatter_update",
    "shape",
    "slice",
    "slice_update",
    "stop_gradient",
    "top_k",
    "unstack",
    "view",
]


builtin_slice = slice  # before the function of this name


# --- kinds and conversions ------------------------------------------------------------------------


def convert_to_tensor(x: Any, dtype: Any = None, sparse: Any = None, ragged: Any = None) -> Any:
    """Return an array of minpy's; symbolic tensors as they are.

    Parameters
    ----------
    x
        An array, a weight, nested lists of numbers.
    dtype
        Element type; that of `x`, or the default one for Python's floats, if not given.
    sparse, ragged
        Must be None or False: arrays are dense.
    """
    if sparse or ragged:
        raise ValueError("convert_to_tensor: arrays are dense; leave sparse and ragged away")
    if isinstance(x, KerasTensor):
        return x if dtype is None else cast(x, dtype)
    found = as_ndarray(x)
    return found if dtype is None else cast(found, dtype)


def convert_to_numpy(x: Any) -> numpy.ndarray:
    """Return NumPy's array of the same numbers."""
    return numpy.asarray(x)


def is_tensor(x: Any) -> bool:
    """Say whether something is an array of minpy's, or symbolic."""
    return isinstance(x, ndarray | KerasTensor)


def shape(x: Any) -> tuple[int | None, ...]:
    """Return the length of each axis, None where a symbolic tensor's isn't known."""
    return tuple(x.shape if hasattr(x, "shape") else numpy.shape(x))


def dtype(x: Any) -> str:
    """Return the name of the element type."""
    return numpy.dtype(as_ndarray(x).dtype if not hasattr(x, "dtype") else x.dtype).name


def cast(x: Any, dtype: Any) -> Any:
    """Return an array with another element type.

    Examples
    --------
    >>> from minpy import ops
    >>> ops.cast([1, 2], 'float32')
    array([1., 2.])
    """
    return (x if isinstance(x, KerasTensor) else as_ndarray(x)).astype(dtype)


@operation
def view(x: Any, dtype: Any = None) -> Any:
    """Return the numbers that an array's bytes are in another element type.

    Parameters
    ----------
    x
        An array; its last axis grows or shrinks with the size of the type.
    dtype
        The type; that of `x` if not given.

    Examples
    --------
    >>> from minpy import ops
    >>> ops.view(ops.array([1.0], dtype='float32'), 'int32')
    array([1065353216], dtype=int32)
    """
    x = as_ndarray(x)
    wanted = x.dtype if dtype is None else numpy.dtype(dtype)
    return x if wanted == x.dtype else as_ndarray(numpy.ascontiguousarray(x).view(wanted))


@operation
def saturate_cast(x: Any, dtype: Any) -> Any:
    """Return an array with another element type, cut to what that can hold."""
    wanted = numpy.dtype(dtype)
    limits = numpy.iinfo(wanted) if wanted.kind in "iu" else numpy.finfo(wanted)
    x = as_ndarray(x)
    if x.dtype.kind in "iu":
        own = numpy.iinfo(x.dtype)
        low, high = max(int(limits.min), own.min), min(int(limits.max), own.max)
    else:
        low, high = float(limits.min), float(limits.max)
        while wanted.kind in "iu" and int(numpy.asarray(high, x.dtype)) > limits.max:
            high = float(numpy.nextafter(x.dtype.type(high), x.dtype.type(0)))
    return np.clip(x, low, high).astype(wanted)


@operation
def stop_gradient(variable: Any) -> Any:
    """Return an array that derivatives take as a constant."""
    return _stop_gradient(variable)


# --- elements -------------------------------------------------------------------------------------


def rsqrt(x: Any) -> Any:
    """Return one over the square root."""
    return 1.0 / np.sqrt(x)


@operation
def erf(x: Any) -> Any:
    """Return the error function."""
    from minpy.scipy.special import erf as function

    return function(x)


@operation
def erfc(x: Any) -> Any:
    """Return one minus the error function."""
    from minpy.scipy.special import erfc as function

    return function(x)


@operation
def erfinv(x: Any) -> Any:
    """Return the inverse of the error function."""
    from minpy.scipy.special import erfinv as function

    return function(x)


@operation
def divide_no_nan(x1: Any, x2: Any) -> Any:
    """Return a quotient, 0 where the divisor is 0.

    Examples
    --------
    >>> from minpy import ops
    >>> ops.divide_no_nan([1., 2.], [0., 4.])
    array([0. , 0.5])
    """
    x1, x2 = as_ndarray(x1), as_ndarray(x2)
    none = x2 == 0
    quotient = x1 / np.where(none, np.ones_like(x2), x2)
    return np.where(none, np.zeros_like(quotient), quotient)


@operation
def nan_to_num(x: Any, nan: float = 0.0, posinf: Any = None, neginf: Any = None) -> Any:
    """Return an array with numbers in the places of NaN and the infinities."""
    return np.nan_to_num(x, nan=nan, posinf=posinf, neginf=neginf)


# --- along axes -----------------------------------------------------------------------------------


@operation
def logsumexp(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Return the logarithm of the sum of exponentials, without overflow."""
    from minpy.scipy.special import logsumexp as function

    return function(as_ndarray(x), axis=axis, keepdims=keepdims)


def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    """Return a vector's or a matrix' norm; as NumPy's ``linalg.norm``."""
    return np.linalg.norm(x, ord, axis, keepdims)


@operation
def moments(x: Any, axes: Any, keepdims: bool = False, synchronized: bool = False) -> Any:
    """Return mean and variance; `synchronized` is for replicas, and there are none."""
    axes = tuple(axes) if isinstance(axes, list | tuple) else axes
    return np.mean(x, axes, keepdims=keepdims), np.var(x, axes, keepdims=keepdims)


@operation
def normalize(x: Any, axis: Any = -1, order: float = 2, epsilon: float | None = None) -> Any:
    """Return an array divided by its norm along an axis, or by epsilon where that is larger.

    Examples
    --------
    >>> from minpy import ops
    >>> ops.normalize([[3., 4.]])
    array([[0.6, 0.8]])
    """
    if not isinstance(order, int | float) or order < 1:
        raise ValueError(f"normalize: expected order from 1, got {order!r}")
    x = as_ndarray(x)
    length = np.sum(np.absolute(x) ** order, axis, keepdims=True) ** (1.0 / order)
    return x / np.maximum(length, 1e-7 if epsilon is None else epsilon)


@operation
def top_k(x: Any, k: int, sorted: bool = True) -> Any:
    """Return the k largest numbers of each row, and their places; the largest first.

    Examples
    --------
    >>> from minpy import ops
    >>> values, places = ops.top_k([1., 5., 3.], 2)
    >>> values, places
    (array([5., 3.]), array([1, 2], dtype=int32))
    """
    x = as_ndarray(x)
    if not 0 <= k <= x.shape[-1]:
        raise ValueError(f"top_k: expected k from 0 to {x.shape[-1]}, got {k!r}")
    places = np.argsort(-x, -1, kind="stable")[..., :k]
    return np.take_along_axis(x, places, -1), places.astype("int32")


@operation
def in_top_k(targets: Any, predictions: Any, k: int) -> Any:
    """Say for each row whether its target is among the classes with the k largest numbers."""
    targets, predictions = as_ndarray(targets), as_ndarray(predictions)
    own = np.take_along_axis(predictions, targets.astype("int64")[:, None], -1)
    return np.sum((predictions > own).astype("int32"), -1) < k


# --- classes --------------------------------------------------------------------------------------


@operation
def one_hot(
    x: Any, num_classes: int, axis: int = -1, dtype: Any = None, sparse: bool = False
) -> Any:
    """Return numbers of classes as ones among zeros, along a new axis.

    Examples
    --------
    >>> from minpy import ops
    >>> ops.one_hot([2, 0], 3)
    array([[0., 0., 1.],
           [1., 0., 0.]])
    """
    if sparse:
        raise ValueError("one_hot: arrays are dense; leave sparse away")
    x = as_ndarray(x)
    # Compared as floats, which graphs have: numbers of classes are exact in them.
    whole = x if x.dtype.kind in "iu" else x.astype("int64")
    made = np.expand_dims(whole.astype("float32"), -1) == np.arange(num_classes, dtype="float32")
    made = made.astype(_float(dtype))
    return made if axis in (-1, x.ndim) else np.moveaxis(made, -1, axis)


@operation
def multi_hot(
    inputs: Any,
    num_classes: int | None = None,
    axis: int = -1,
    dtype: Any = None,
    sparse: bool = False,
) -> Any:
    """Return one where a class is among those along an axis, and zero elsewhere."""
    if sparse:
        raise ValueError("multi_hot: arrays are dense; leave sparse away")
    if num_classes is None:
        raise ValueError("multi_hot: expected num_classes, how many there are")
    inputs = as_ndarray(inputs)
    across = 1 if inputs.ndim > 1 else 0
    return np.max(one_hot(inputs, num_classes, axis, dtype), axis=across)


# --- parts ----------------------------------------------------------------------------------------


def get_item(x: Any, key: Any) -> Any:
    """Return ``x[key]``."""
    return x[key]


def unstack(x: Any, num: int | None = None, axis: int = 0) -> list[Any]:
    """Return the parts along an axis, without it."""
    count = shape(x)[axis] if num is None else num
    if count is None:
        raise ValueError(f"unstack: the length of axis {axis} isn't known; say num")
    before = (builtin_slice(None),) * (axis % len(shape(x)))
    return [x[(*before, i)] for i in range(count)]


def _box(x: Any, start: Any, lengths: Sequence[int]) -> tuple:
    begins = [operator.index(int(i)) for i in start]
    if len(begins) != len(lengths) or len(begins) != len(shape(x)):
        raise ShapeError(
            f"expected one start and one length for each axis of {shape(x)}, got {begins} and "
            f"{tuple(lengths)}"
        )
    return tuple(
        builtin_slice(b, None if n == -1 else b + n) for b, n in zip(begins, lengths, strict=True)
    )


def slice(inputs: Any, start_indices: Any, shape: Any) -> Any:
    """Return the part of an array that begins at some place and has a shape.

    Examples
    --------
    >>> from minpy import ops
    >>> ops.slice([[1, 2, 3], [4, 5, 6]], (0, 1), (2, 2))
    array([[2, 3],
           [5, 6]])
    """
    x = inputs if isinstance(inputs, KerasTensor) else as_ndarray(inputs)
    return x[_box(x, start_indices, tuple(shape))]


@operation
def slice_update(inputs: Any, start_indices: Any, updates: Any) -> Any:
    """Return an array with the part that begins at some place replaced."""
    x, new = as_ndarray(inputs), as_ndarray(updates)
    places = numpy.arange(x.size).reshape(x.shape)[_box(x, start_indices, new.shape)]
    return _placed(x, places.ravel(), new)


@operation
def scatter(indices: Any, values: Any, shape: Any) -> Any:
    """Return zeros, with values added at the places that indices name.

    Examples
    --------
    >>> from minpy import ops
    >>> ops.scatter([[0], [2], [2]], [1., 2., 3.], (4,))
    array([1., 0., 5., 0.])
    """
    values, found = as_ndarray(values), numpy.asarray(indices).astype(numpy.int64)
    if found.ndim != 2 or found.shape[1] > len(shape):
        raise ShapeError(
            f"scatter: expected indices (count, axes) for {tuple(shape)}, got {found.shape}"
        )
    return scatter_add(values, tuple(found.T), tuple(shape))


@operation
def scatter_update(inputs: Any, indices: Any, updates: Any, reduction: str | None = None) -> Any:
    """Return an array with numbers, or parts, at named places replaced or changed.

    Parameters
    ----------
    inputs
        The array.
    indices
        Of shape (count, axes): places, or parts if there are fewer than the array has axes.
    updates
        One for each place.
    reduction
        ``None`` replaces, the last one counts; ``'add'`` adds them all.
    """
    x, new = as_ndarray(inputs), as_ndarray(updates)
    found = numpy.asarray(indices).astype(numpy.int64)
    if found.ndim != 2 or found.shape[1] > x.ndim:
        raise ShapeError(
            f"scatter_update: expected indices (count, axes) for {x.shape}, got {found.shape}"
        )
    if reduction not in (None, "add"):
        raise ValueError(f"scatter_update: expected reduction None or 'add', got {reduction!r}")
    numbers = numpy.arange(x.size).reshape(x.shape)[tuple(found.T)]
    places = numbers.ravel()
    new = np.reshape(np.broadcast_to(new, numbers.shape), (-1,))
    if reduction == "add":
        return x + scatter_add(new, (places,), (x.size,)).reshape(x.shape).astype(x.dtype)
    _, last = numpy.unique(places[::-1], return_index=True)
    last = len(places) - 1 - last
    return _placed(x, places[last], new[last])


def _placed(x: Any, places: numpy.ndarray, new: Any) -> Any:
    """Return an array with numbers at places of the flat array, each named once, replaced."""
    source = numpy.arange(x.size)
    source[places] = x.size + numpy.arange(len(places))
    both = np.concatenate([np.reshape(x, (-1,)), np.reshape(new, (-1,)).astype(x.dtype)])
    return np.reshape(np.take(both, source), x.shape)


def _float(dtype: Any) -> Any:
    from minpy.config import settings

    return settings.float_dtype if dtype is None else numpy.dtype(dtype)
