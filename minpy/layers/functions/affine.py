"""The affine map of a batch, ``x @ w + b``, and the matrix product that its derivatives need."""

from __future__ import annotations

import math
from typing import Any

import numpy

from minpy.array import as_ndarray, ndarray
from minpy.autograd.rules import def_linear, defjvp, defvjp
from minpy.errors import ShapeError
from minpy.layers.functions.operands import (
    array_of_floats,
    floats,
    is_float32,
    refuse_unsupported,
    training,
)
from minpy.primitives import Primitive, registry
from minpy.runtime import sgemm

__all__ = ["affine", "flatten", "linear"]


# --- which kernel ---------------------------------------------------------------------------------

# Measured on two cores of a Zen 5 with float32: NumPy's OpenBLAS takes 8.1 ps a multiplication of a
# large product, oneDNN's FullyConnected 4.0. A call of the latter costs 25 µs more, and it wants
# ``a @ b.T``: an operand that lies the other way round is transposed first, 0.25 ns an element.
#   product (n, k, m)    NumPy  oneDNN ms      transposed
#   32, 784, 512          0.16    0.18         second operand
#   128, 512, 512         0.33    0.27         second operand
#   128, 1600, 128        0.31    0.19         both
#   1024, 1024, 1024      8.66    4.46         second operand
_GAIN, _CALL, _TRANSPOSITION = 4.1e-12, 25e-6, 0.25e-9
# Operands of fewer elements have no product that is worth a call of anything but NumPy's.
_FEW = int(sgemm.WORTH_A_CALL ** (2 / 3))


def _worth_it(x: Any, y: Any, transpose_x: bool, transpose_y: bool) -> bool:
    if not (is_float32(x) and is_float32(y)):
        return False
    rows, inner = x.shape[::-1] if transpose_x else x.shape
    columns = y.shape[0] if transpose_y else y.shape[1]
    moved = (rows * inner if transpose_x else 0) + (0 if transpose_y else inner * columns)
    if transpose_y and _lies_by_columns(y):  # as kernels of layers do
        moved += inner * columns
    return _GAIN * rows * inner * columns > _CALL + _TRANSPOSITION * moved


def _lies_by_columns(x: Any) -> bool:
    """Say whether the columns of an array that no derivative follows lie one after the other."""
    return type(x) is ndarray and x._box is None and x._np is not None and x._np.flags.fnc


# --- the product ----------------------------------------------------------------------------------


def _product(
    x: numpy.ndarray, y: numpy.ndarray, transpose_x: bool, transpose_y: bool
) -> numpy.ndarray:
    return numpy.dot(x.T if transpose_x else x, y.T if transpose_y else y)


def _mx_product(F: Any, x: Any, y: Any, transpose_x: bool, transpose_y: bool) -> Any:
    refuse_unsupported(x, y)
    columns = y.shape[0 if transpose_y else 1]
    if transpose_x:
        x = F.transposed(x)
    if not transpose_y:
        y = F.transposed(y)
    with training(F):
        return F("FullyConnected", x, y, num_hidden=columns, no_bias=True, flatten=False)


# product(x, y, transpose_x, transpose_y): the product of two matrices, each as it is or transposed.
product = Primitive(
    "matrix_product",
    _product,
    arrays=2,
    mxnet=_mx_product,
    faster_on_mxnet=_worth_it,
    faster_from=_FEW,
)
product.fast = lambda x, y, tx, ty: sgemm.product(x.T if tx else x, y.T if ty else y)
defvjp(
    product,
    lambda ans, x, y, tx, ty: (
        lambda g: product(y, g, ty, True) if tx else product(g, y, False, not ty)
    ),
    lambda ans, x, y, tx, ty: (
        lambda g: product(g, x, True, tx) if ty else product(x, g, not tx, False)
    ),
)
def_linear(product, 0, 1)


# --- the affine map -------------------------------------------------------------------------------


def _affine(x: numpy.ndarray, w: numpy.ndarray, b: numpy.ndarray | None) -> numpy.ndarray:
    out = numpy.dot(x, w)
    if b is not None:
        out += b
    return out


def _fast_affine(x: numpy.ndarray, w: numpy.ndarray, b: numpy.ndarray | None) -> Any:
    out = sgemm.product(x, w)
    if out is not None and b is not None:
        out += b
    return out


def _mx_affine(F: Any, x: Any, w: Any, b: Any) -> Any:
    refuse_unsupported(x, w, b)
    units = w.shape[1]
    given = (x, F.transposed(w)) if b is None else (x, F.transposed(w), b)
    with training(F):
        return F("FullyConnected", *given, num_hidden=units, no_bias=b is None, flatten=False)


_affine_map = Primitive(
    "affine",
    _affine,
    arrays=3,
    mxnet=_mx_affine,
    faster_on_mxnet=lambda x, w, b: _worth_it(x, w, False, False),
    faster_from=_FEW,
)
_affine_map.fast = _fast_affine


def _by_weights(ans: Any, x: Any, w: Any, b: Any) -> Any:
    if _lies_by_columns(w):  # and so will its gradient, where it is wanted
        return lambda g: registry["transpose"](product(g, x, True, False))
    return lambda g: product(x, g, True, False)


defvjp(
    _affine_map,
    lambda ans, x, w, b: lambda g: product(g, w, False, True),
    _by_weights,
    lambda ans, x, w, b: lambda g: registry["sum"](g, 0),
)
defjvp(
    _affine_map,
    lambda t, ans, x, w, b: product(t, w, False, False),
    lambda t, ans, x, w, b: product(x, t, False, False),
    lambda t, ans, x, w, b: registry["broadcast_to"](t, ans.shape),
)


def affine(x: Any, w: Any, b: Any = None) -> ndarray:
    """Return ``x @ w + b`` for a batch of samples.

    Parameters
    ----------
    x
        Samples, of shape (batch, …); what a sample has of axes is flattened to its features.
        Integers are taken as floats.
    w
        Weights, of shape (features, units).
    b
        Biases, of shape (units,), or None.

    Returns
    -------
    ndarray
        Of shape (batch, units).

    Raises
    ------
    ShapeError
        If the shapes don't fit.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers.functions import affine
    >>> affine(np.ones((2, 3)), np.ones((3, 1)), np.array([0.5]))
    array([[3.5],
           [3.5]])
    >>> affine(np.ones((2, 2, 3)), np.ones((6, 1))).shape
    (2, 1)
    """
    x, w = as_ndarray(x), array_of_floats(w, "affine", "w")
    if x.dtype.kind in "iub":
        x = registry["astype"](x, w.dtype)
    x, w, b = floats("affine", x=x, w=w, b=b)
    if w.ndim != 2:
        raise ShapeError(f"affine: expected weights of shape (features, units), got {w.shape}")
    if x.ndim < 2:
        raise ShapeError(
            f"affine: expected samples of shape (batch, {w.shape[0]}), got {x.shape}; "
            "a single sample needs a batch axis, x[None, :]"
        )
    features = math.prod(x.shape[1:])
    if features != w.shape[0]:
        flat = "" if x.ndim == 2 else f", {features} features a sample"
        raise ShapeError(
            f"affine: expected samples with {w.shape[0]} features for weights of shape {w.shape}, "
            f"got x of shape {x.shape}{flat}"
        )
    if b is not None and b.shape != (w.shape[1],):
        raise ShapeError(f"affine: expected biases of shape ({w.shape[1]},), got {b.shape}")
    if x.ndim > 2:
        x = registry["reshape"](x, (x.shape[0], features))
    return _affine_map(x, w, b)


def flatten(x: Any) -> ndarray:
    """Return the samples of a batch as vectors: shape (batch, …) becomes (batch, features).

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers.functions import flatten
    >>> flatten(np.zeros((5, 3, 4))).shape
    (5, 12)
    """
    x = as_ndarray(x)
    if x.ndim == 0:
        raise ShapeError("flatten: expected an array of shape (batch, …), got a single number")
    return registry["reshape"](x, (x.shape[0], math.prod(x.shape[1:])))


def linear(x: Any) -> ndarray:
    """Return `x`: the activation that does nothing."""
    return as_ndarray(x)
