"""Keras' operations on matrices and sets of vectors that NumPy hasn't; know no layer.

Source of the rule of `lu_factor`: M. Seeger et al., "Auto-differentiating linear algebra" (2017),
and the identity dL = L · lower(L⁻¹ P dA U⁻¹), dU = upper(L⁻¹ P dA U⁻¹) · U.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy

import minpy.numpy as np
from minpy.array import as_ndarray, ndarray, read_value
from minpy.autograd.rules import defjvp, defvjp
from minpy.errors import ShapeError
from minpy.layers.functions import stop_gradient
from minpy.numpy.function import Function
from minpy.ops.operation import operation

__all__ = ["cdist", "cholesky_inverse", "lu_factor"]


def _square(x: Any, who: str) -> ndarray:
    x = as_ndarray(x)
    if x.ndim < 2 or x.shape[-1] != x.shape[-2]:
        raise ShapeError(f"{who}: expected square matrices (…, n, n), got shape {x.shape}")
    return x if x.dtype.kind in "fc" else x.astype("float32")


# --- factors --------------------------------------------------------------------------------------


def _lu_kernel(x: numpy.ndarray) -> numpy.ndarray:
    """Return both triangles, and below them the row that each row was exchanged with."""
    packed = numpy.empty((*x.shape[:-2], x.shape[-2] + 1, x.shape[-1]), x.dtype)
    eliminated = _elimination()
    for index in numpy.ndindex(x.shape[:-2]):
        packed[index][:-1], packed[index][-1] = eliminated(x[index])
    return packed


def _elimination() -> Callable[[numpy.ndarray], tuple[numpy.ndarray, numpy.ndarray]]:
    """Return LAPACK's factorization, which NumPy hasn't, or else the one written here."""
    try:
        from scipy.linalg.lapack import get_lapack_funcs
    except ImportError:
        return _eliminated
    return lambda a: get_lapack_funcs("getrf", (a,))(a)[:2]


def _eliminated(x: numpy.ndarray) -> tuple[numpy.ndarray, numpy.ndarray]:
    """Return factors and pivots by elimination: Golub and Van Loan, algorithm 3.4.1."""
    a, n = x.copy(), len(x)
    pivots = numpy.zeros(n, numpy.int64)
    for k in range(n):
        pivots[k] = pivot = k + int(numpy.argmax(numpy.abs(a[k:, k])))
        a[[k, pivot]] = a[[pivot, k]]
        if a[k, k] != 0:
            a[k + 1 :, k] /= a[k, k]
            a[k + 1 :, k + 1 :] -= numpy.outer(a[k + 1 :, k], a[k, k + 1 :])
    return a, pivots


_lu = Function("ops.lu_factor", _lu_kernel, arrays=1, doc="Factors of a matrix and their pivots.")


def _t(x: Any) -> Any:
    return np.swapaxes(x, -1, -2)


def _factors(packed: Any) -> tuple[Any, Any, Any]:
    """Return L, U and the order of the rows as an index array."""
    both = packed[..., :-1, :]
    n = both.shape[-1]
    exchanged = read_value(packed)[..., -1, :].real.astype(numpy.int64)
    order = numpy.tile(numpy.arange(n), (*exchanged.shape[:-1], 1))
    for index in numpy.ndindex(exchanged.shape[:-1]):
        for k, pivot in enumerate(exchanged[index]):
            order[index][[k, pivot]] = order[index][[pivot, k]]
    return np.tril(both, -1) + np.eye(n, dtype=both.dtype), np.triu(both), order


def _rows(x: Any, order: numpy.ndarray) -> Any:
    return np.take_along_axis(x, order[..., None], -2)


def _lu_vjp(ans: Any, x: Any) -> Any:
    def vjp(g: Any) -> Any:
        lower, upper, order = _factors(ans)
        g = g[..., :-1, :]
        inner = np.tril(np.matmul(_t(lower), np.tril(g, -1)), -1)
        inner = inner + np.triu(np.matmul(np.triu(g), _t(upper)))
        back = np.linalg.solve(_t(lower), inner)
        back = _t(np.linalg.solve(upper, _t(back)))
        return _rows(back, numpy.argsort(order, -1))

    return vjp


def _lu_jvp(t: Any, ans: Any, x: Any) -> Any:
    lower, upper, order = _factors(ans)
    inner = np.linalg.solve(lower, _rows(t, order))
    inner = _t(np.linalg.solve(_t(upper), _t(inner)))
    both = np.matmul(lower, np.tril(inner, -1)) + np.matmul(np.triu(inner), upper)
    return np.concatenate([both, np.zeros_like(both[..., :1, :])], axis=-2)


defvjp(_lu, _lu_vjp)
defjvp(_lu, _lu_jvp)


@operation
def lu_factor(x: Any) -> tuple[Any, Any]:
    """Return a matrix' triangular factors, in one matrix, and the rows that were exchanged.

    Parameters
    ----------
    x
        Matrices, of shape (…, n, n).

    Returns
    -------
    factors, pivots
        ``factors`` (…, n, n) has U in its upper triangle and L, whose diagonal is one, below it;
        row ``i`` was exchanged with row ``pivots[..., i]``, for each ``i`` in order.

    Examples
    --------
    >>> from minpy import ops
    >>> ops.lu_factor([[1., 2.], [4., 4.]])
    (array([[4.  , 4.  ],
           [0.25, 1.  ]]), array([1, 1], dtype=int32))
    """
    packed = _lu(_square(x, "lu_factor"))
    return packed[..., :-1, :], stop_gradient(np.real(packed[..., -1, :])).astype("int32")


@operation
def cholesky_inverse(x: Any, upper: bool = False) -> Any:
    """Return the inverse of a positive definite matrix, of its Cholesky factor.

    Parameters
    ----------
    x
        The triangular factor, of shape (…, n, n); the other triangle isn't read.
    upper
        Whether it is the upper one, whose square is ``xᵀ x``, and not ``x xᵀ``.

    Examples
    --------
    >>> from minpy import ops
    >>> ops.cholesky_inverse([[2., 0.], [1., 1.]])
    array([[ 0.5, -0.5],
           [-0.5,  1. ]])
    """
    x = _square(x, "cholesky_inverse")
    inverse = np.linalg.inv(np.triu(x) if upper else np.tril(x))
    first, second = (inverse, _t(inverse)) if upper else (_t(inverse), inverse)
    return np.matmul(first, second)


# --- distances ------------------------------------------------------------------------------------


@operation
def cdist(x: Any, y: Any) -> Any:
    """Return the Euclidean distance of each vector of one set from each of another.

    Parameters
    ----------
    x, y
        Of shape (…, m, d) and (…, n, d).

    Returns
    -------
    array
        Of shape (…, m, n). The derivative at distance zero is zero.

    Examples
    --------
    >>> from minpy import ops
    >>> ops.cdist([[0., 0.], [3., 4.]], [[0., 0.]])
    array([[0.],
           [5.]])
    """
    x, y = as_ndarray(x), as_ndarray(y)
    if x.ndim < 2 or y.ndim < 2 or x.shape[-1] != y.shape[-1]:
        raise ShapeError(
            f"cdist: expected sets (…, m, d) and (…, n, d) of vectors, got {x.shape} and {y.shape}"
        )
    squares = np.sum(np.square(np.expand_dims(x, -2) - np.expand_dims(y, -3)), -1)
    apart = squares > 0
    return np.where(apart, np.sqrt(np.where(apart, squares, 1.0)), 0.0).astype(squares.dtype)
