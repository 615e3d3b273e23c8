"""The standard's linear algebra: NumPy's on the last two axes, results by name."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy

import minpy.numpy as np
from minpy.array import ndarray
from minpy.array_api import functions
from minpy.array_api.functions import matrix_transpose

_SAME = "det eigvalsh inv matrix_power"
_OF_NUMPY = "matmul tensordot"

__all__ = [
    *_SAME.split(),
    *_OF_NUMPY.split(),
    *["cholesky", "cross", "diagonal", "eigh", "matrix_norm", "matrix_rank", "matrix_transpose"],
    *["outer", "pinv", "qr", "slogdet", "solve", "svd", "svdvals", "trace", "vecdot"],
    "vector_norm",
]

for _name in _SAME.split():
    globals()[_name] = getattr(np.linalg, _name)
for _name in _OF_NUMPY.split():
    globals()[_name] = getattr(np, _name)


vecdot = functions.vecdot


class _Eigh(NamedTuple):
    eigenvalues: ndarray
    eigenvectors: ndarray


class _Qr(NamedTuple):
    Q: ndarray
    R: ndarray


class _Slogdet(NamedTuple):
    sign: ndarray
    logabsdet: ndarray


class _Svd(NamedTuple):
    U: ndarray
    S: ndarray
    Vh: ndarray


def cholesky(x: ndarray, /, *, upper: bool = False) -> ndarray:
    """Return the triangular factor of positive definite matrices."""
    lower = np.linalg.cholesky(x)
    return np.conj(matrix_transpose(lower)) if upper else lower


def cross(x1: ndarray, x2: ndarray, /, *, axis: int = -1) -> ndarray:
    """Return the cross products of vectors of three elements."""
    if x1.shape[axis] != 3 or x2.shape[axis] != 3:
        raise ValueError(f"cross: expected axes of length 3, got {x1.shape} and {x2.shape}")
    return np.cross(x1, x2, axis=axis)


def diagonal(x: ndarray, /, *, offset: int = 0) -> ndarray:
    """Return the diagonals of matrices."""
    return np.diagonal(x, offset, -2, -1)


def eigh(x: ndarray, /) -> _Eigh:
    """Return the eigenvalues and eigenvectors of Hermitian matrices."""
    return _Eigh(*np.linalg.eigh(x))


def matrix_norm(x: ndarray, /, *, keepdims: bool = False, ord: Any = "fro") -> ndarray:
    """Return norms of matrices."""
    return np.linalg.norm(x, ord, (-2, -1), keepdims)


def matrix_rank(x: ndarray, /, *, rtol: Any = None) -> ndarray:
    """Return how many singular values exceed `rtol` times the largest."""
    if x.ndim < 2:
        raise np.linalg.LinAlgError("matrix_rank: expected at least two axes")
    values = svdvals(x)
    if rtol is None:
        rtol = max(x.shape[-2:]) * numpy.finfo(values.dtype).eps
    limit = np.max(values, axis=-1, keepdims=True) * np.asarray(rtol)[..., None]
    return np.count_nonzero(values > limit, axis=-1)


def outer(x1: ndarray, x2: ndarray, /) -> ndarray:
    """Return the outer product of two vectors."""
    if x1.ndim != 1 or x2.ndim != 1:
        raise ValueError(f"outer: expected two vectors, got shapes {x1.shape} and {x2.shape}")
    return np.outer(x1, x2)


def pinv(x: ndarray, /, *, rtol: Any = None) -> ndarray:
    """Return the pseudo-inverse."""
    if rtol is None:
        rtol = max(x.shape[-2:]) * numpy.finfo(x.dtype).eps
    return np.linalg.pinv(x, rtol)


def qr(x: ndarray, /, *, mode: str = "reduced") -> _Qr:
    """Return an orthonormal factor and a triangular one."""
    return _Qr(*np.linalg.qr(x, mode))


def slogdet(x: ndarray, /) -> _Slogdet:
    """Return the sign and the logarithm of the size of determinants."""
    return _Slogdet(*np.linalg.slogdet(x))


def solve(x1: ndarray, x2: ndarray, /) -> ndarray:
    """Solve linear systems; `x2` is a vector only if it has one axis."""
    vector = x2.ndim == 1
    x2 = x2[:, None] if vector else x2
    batch = numpy.broadcast_shapes(x1.shape[:-2], x2.shape[:-2])
    made = np.linalg.solve(x1, np.broadcast_to(x2, (*batch, *x2.shape[-2:])))
    return made[..., 0] if vector else made


def svd(x: ndarray, /, *, full_matrices: bool = True) -> _Svd:
    """Return the singular value decomposition."""
    return _Svd(*np.linalg.svd(x, full_matrices))


def svdvals(x: ndarray, /) -> ndarray:
    """Return the singular values."""
    return np.linalg.svd(x, compute_uv=False)


def trace(x: ndarray, /, *, offset: int = 0, dtype: Any = None) -> ndarray:
    """Return the sums along the diagonals of matrices."""
    if dtype is None and x.dtype.kind in "iu":
        dtype = "int64" if x.dtype.kind == "i" else "uint64"
    return np.trace(x, offset, -2, -1, dtype)


def vector_norm(
    x: ndarray, /, *, axis: Any = None, keepdims: bool = False, ord: Any = 2
) -> ndarray:
    """Return norms of vectors along axes, which are taken together."""
    axes = tuple(range(x.ndim)) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    axes = tuple(a % x.ndim for a in axes) if x.ndim else ()
    rest = [i for i in range(x.ndim) if i not in axes]
    flat = np.reshape(np.transpose(x, (*rest, *axes)), (*[x.shape[i] for i in rest], -1))
    if 0 in x.shape:
        flat = np.zeros((*[x.shape[i] for i in rest], 0), x.dtype)
    made = np.linalg.norm(flat, ord, -1)
    if not keepdims:
        return made
    return np.reshape(made, tuple(1 if i in axes else n for i, n in enumerate(x.shape)))
