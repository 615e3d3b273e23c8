"""Linear algebra: ``numpy.linalg`` with derivatives, on stacks of matrices as NumPy takes them.

It must not know how matrix products are computed. What isn't here by name is NumPy's own function,
by the fall-back.

Sources of the rules: M. Giles, "An extended collection of matrix derivative results for forward and
reverse mode algorithmic differentiation" (2008); I. Murray, "Differentiation of the Cholesky
decomposition" (2016); J. Townsend, "Differentiating the singular value decomposition" (2016);
S. Walter and L. Lehmann, "Algorithmic differentiation of linear algebra functions" (2010).

Functions that read one triangle of a symmetric matrix (`cholesky`, `eigh`) are differentiated as
functions of the symmetric matrix: their gradients are symmetric. Where eigenvalues or singular
values coincide, vectors have no derivative: the part between those of one value counts as zero.
`eig` is differentiated as LAPACK scales its vectors: of length one, their largest element real.
"""

from __future__ import annotations

import builtins
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy
from numpy.linalg import LinAlgError

from minpy.array import as_ndarray, ndarray
from minpy.autograd.rules import defjvp, defvjp, defvjp_argnums
from minpy.errors import NoDerivativeError
from minpy.numpy.broadcasting import unbroadcast
from minpy.numpy.elementwise import absolute, conjugate, equal, imag, not_equal, real, sqrt, where
from minpy.numpy.fallback import reach
from minpy.numpy.function import Function, composition
from minpy.numpy.products import dot, matmul
from minpy.numpy.reductions import any, argmax, max, min, sum
from minpy.numpy.shaping import (
    concatenate,
    diagonal,
    moveaxis,
    reshape,
    stack,
    swapaxes,
    transpose,
    tril,
    triu,
)

__all__ = [
    "LinAlgError",
    "cholesky",
    "cond",
    "det",
    "eig",
    "eigh",
    "eigvals",
    "eigvalsh",
    "inv",
    "lstsq",
    "matrix_power",
    "multi_dot",
    "norm",
    "pinv",
    "qr",
    "slogdet",
    "solve",
    "svd",
    "tensorinv",
    "tensorsolve",
]

__getattr__, __dir__ = reach("numpy.linalg", __all__)


class EigResult(NamedTuple):
    """What `eig` returns."""

    eigenvalues: ndarray
    eigenvectors: ndarray


class EighResult(NamedTuple):
    """What `eigh` returns."""

    eigenvalues: ndarray
    eigenvectors: ndarray


class SVDResult(NamedTuple):
    """What `svd` returns."""

    U: ndarray
    S: ndarray
    Vh: ndarray


class QRResult(NamedTuple):
    """What `qr` returns."""

    Q: ndarray
    R: ndarray


class SlogdetResult(NamedTuple):
    """What `slogdet` returns."""

    sign: ndarray
    logabsdet: ndarray


def _function(name: str, **options: Any) -> Function:
    kernel = getattr(numpy.linalg, name)
    return Function(f"linalg.{name}", kernel, doc=kernel.__doc__, **options)


def _t(x: Any) -> Any:
    """Transpose matrices."""
    return swapaxes(x, -1, -2)


def _h(x: Any) -> Any:
    """Transpose and conjugate matrices."""
    return conjugate(_t(x)) if x.dtype.kind == "c" else _t(x)


def _column(x: Any) -> Any:
    return x[..., :, None]


def _row(x: Any) -> Any:
    return x[..., None, :]


def _scalars(x: Any) -> Any:
    return x[..., None, None]


def _as_matrix_of(values: Any) -> Any:
    """Return diagonal matrices."""
    return _column(values) * numpy.eye(values.shape[-1], dtype=values.dtype)


def _symmetric(x: Any) -> Any:
    return (x + _h(x)) * 0.5


def _conjugated(g: Any) -> Any:
    if isinstance(g, tuple | list):
        return type(g)(_conjugated(part) for part in g)
    return conjugate(g) if g is not None and g.dtype.kind == "c" else g


def _as_convention(rule: Callable[..., Any]) -> Callable[[Any], Any]:
    """Turn a rule for the usual gradient of complex numbers into one for HIPS' convention."""
    return lambda g: _conjugated(rule(_conjugated(g)))


# --- inverses and systems of equations ------------------------------------------------------------

inv = _function("inv", arrays=1)
defvjp(inv, lambda ans, a: lambda g: -matmul(matmul(_t(ans), g), _t(ans)))
defjvp(inv, lambda t, ans, a: -matmul(matmul(ans, t), ans))

solve = _function("solve", arrays=2)


def _as_columns(a: Any, b: Any) -> Callable[[Any], Any]:
    """Return what makes columns of the vectors that `solve` takes, and leaves matrices alone."""
    return _column if b.ndim == a.ndim - 1 else lambda x: x


def _solve_vjp_a(ans: Any, a: ndarray, b: Any) -> Any:
    columns = _as_columns(a, b)

    def vjp(g: Any) -> Any:
        back = columns(solve(_t(a), g))
        return unbroadcast(-matmul(back, _t(columns(ans))), a.shape, a.dtype)

    return vjp


def _solve_vjp_b(ans: Any, a: Any, b: ndarray) -> Any:
    return lambda g: unbroadcast(solve(_t(as_ndarray(a)), g), b.shape, b.dtype)


def _solve_jvp_a(t: Any, ans: Any, a: Any, b: Any) -> Any:
    columns = _as_columns(a, b)
    moved = solve(a, -matmul(t, columns(ans)))
    return moved[..., 0] if columns is _column else moved


defvjp(solve, _solve_vjp_a, _solve_vjp_b)
defjvp(solve, _solve_jvp_a, lambda t, ans, a, b: solve(a, t))

_pinv = _function("pinv", arrays=1)


def _pinv_vjp(ans: Any, a: ndarray, **kwargs: Any) -> Any:
    # The derivative of a pseudo-inverse of constant rank: Golub and Pereyra (1973), eq. 4.12.
    p, g_of = ans, numpy.eye

    def vjp(g: Any) -> Any:
        rows, columns = a.shape[-2:]
        outside = g_of(rows, dtype=a.dtype) - matmul(a, p)
        null = g_of(columns, dtype=a.dtype) - matmul(p, a)
        return (
            -matmul(matmul(_h(p), g), _h(p))
            + matmul(matmul(matmul(outside, _h(g)), p), _h(p))
            + matmul(matmul(matmul(_h(p), p), _h(g)), null)
        )

    return _as_convention(vjp)


defvjp(_pinv, _pinv_vjp)


def pinv(a: Any, rcond: Any = 1e-15, hermitian: bool = False) -> ndarray:
    """Return the Moore-Penrose pseudo-inverse, as `numpy.linalg.pinv`."""
    return _pinv(as_ndarray(a), rcond=rcond, hermitian=hermitian)


_lstsq = Function("linalg.lstsq", lambda *args: tuple(numpy.linalg.lstsq(*args)), arrays=2)


def _lstsq_vjp(argnums: tuple, ans: tuple, args: tuple, kwargs: dict) -> Any:
    # x = A⁺b of constant rank, with the derivative of the pseudo-inverse as above; the residual is
    # at right angles to A.
    a, b = as_ndarray(args[0]), as_ndarray(args[1])
    rcond = args[2] if len(args) > 2 else None
    columns = _as_columns(a, b)
    x, r = columns(ans[0]), columns(b) - matmul(a, columns(ans[0]))
    if rcond is None or rcond == "warn" or rcond == -1:
        rcond = numpy.finfo(a.dtype).eps * (1 if rcond is not None else builtins.max(a.shape))

    def vjp(g: tuple) -> Any:
        gx, p = columns(g[0]), pinv(a, rcond)
        back = matmul(_h(p), gx)
        null = gx - matmul(p, matmul(a, gx))
        to_a = (
            matmul(r, matmul(matmul(_h(gx), p), _h(p)))
            + matmul(matmul(_h(p), x), _h(null))
            - matmul(back, _h(x))
        )
        to_b = back
        if ans[1].size:
            change = r * (2.0 * g[1])
            to_a, to_b = to_a - matmul(change, _h(x)), to_b + change
        u, _, vh = _svd(a, full_matrices=False)
        to_a = to_a + matmul(u * _row(g[3]), vh)
        to_b = to_b[..., 0] if columns is _column else to_b
        return [(to_a, to_b)[n] for n in argnums]

    return _as_convention(vjp)


defvjp_argnums(_lstsq, _lstsq_vjp)


def lstsq(a: Any, b: Any, rcond: Any = "warn") -> tuple:
    """Return the least-squares solution of a system, as `numpy.linalg.lstsq`.

    Where the rank of `a` is deficient, the derivative is the one at constant rank.
    """
    return _lstsq(as_ndarray(a), as_ndarray(b), rcond)


@composition("linalg.tensorinv", numpy.linalg.tensorinv, arrays=1)
def tensorinv(a: Any, ind: int = 2) -> ndarray:
    """Return the inverse of a tensor as of a linear map, as `numpy.linalg.tensorinv`."""
    a = as_ndarray(a)
    if ind <= 0:
        raise ValueError("Invalid ind argument.")
    shape = a.shape[ind:] + a.shape[:ind]
    rows = math.prod(a.shape[ind:])
    return reshape(inv(reshape(a, (rows, -1))), shape)


@composition("linalg.tensorsolve", numpy.linalg.tensorsolve, arrays=2)
def tensorsolve(a: Any, b: Any, axes: Any = None) -> ndarray:
    """Solve a tensor equation for x, as `numpy.linalg.tensorsolve`."""
    a, b = as_ndarray(a), as_ndarray(b)
    if axes is not None:
        order = [k for k in range(a.ndim) if k not in axes]
        a = transpose(a, (*order, *axes))
    unknown = a.shape[b.ndim :]
    size = math.prod(unknown)
    if size**2 != a.size:
        raise LinAlgError(
            "Input arrays must satisfy the requirement "
            "prod(a.shape[b.ndim:]) == prod(a.shape[:b.ndim])"
        )
    return reshape(solve(reshape(a, (size, size)), reshape(b, (size,))), unknown)


# --- determinants ---------------------------------------------------------------------------------

det = _function("det", arrays=1)


def _cofactors(ans: Any, a: ndarray) -> Any:
    """Return the derivative of the determinant: by its inverse, or minors where there is none."""
    if not bool(any(equal(ans, 0))):
        return _scalars(ans) * _t(inv(a))
    n = a.shape[-1]
    others = numpy.array([[k for k in range(n) if k != i] for i in range(n)], int).reshape(n, -1)
    signs = 1.0 - 2.0 * (numpy.arange(n) % 2)
    rows = []
    for i in range(n):
        minors = a[..., others[i][None, :, None], others[:, None, :]]
        rows.append(det(minors) * (signs * signs[i]).astype(real(a).dtype))
    return stack(rows, axis=-2)


defvjp(det, lambda ans, a: lambda g: _scalars(g) * _cofactors(ans, a))
defjvp(det, lambda t, ans, a: sum(_cofactors(ans, a) * t, (-2, -1)))

_slogdet = Function("linalg.slogdet", lambda a: tuple(numpy.linalg.slogdet(a)), arrays=1)


def _slogdet_vjp(ans: Any, a: ndarray) -> Any:
    # d log det = tr(A⁻¹ dA): its real part moves the logarithm, its imaginary part turns the sign.
    def vjp(g: Any) -> Any:
        sign = ans[0]
        if a.dtype.kind != "c":
            return _scalars(g[1]) * _t(inv(a))
        turn = real(conjugate(g[0]) * sign * 1j)
        return _h(inv(a)) * _scalars(g[1] + turn * 1j)

    return vjp if a.dtype.kind != "c" else _as_convention(vjp)


defvjp(_slogdet, _slogdet_vjp)


def slogdet(a: Any) -> SlogdetResult:
    """Return sign and logarithm of the determinant, as `numpy.linalg.slogdet`."""
    return SlogdetResult(*_slogdet(as_ndarray(a)))


# --- decompositions -------------------------------------------------------------------------------

cholesky = _function("cholesky", arrays=1)


def _cholesky_vjp(ans: Any, a: ndarray) -> Any:
    def vjp(g: Any) -> Any:
        inner = tril(matmul(_h(ans), g))
        inner = inner - _as_matrix_of(diagonal(inner, 0, -1, -2)) * 0.5
        back = inv(ans)
        return _symmetric(matmul(matmul(_h(back), inner), back))

    return _as_convention(vjp)


defvjp(cholesky, _cholesky_vjp)


def _gaps(values: Any) -> Any:
    """Return 1 / (values[j] - values[i]) at [i, j], and zero where they coincide."""
    apart = _row(values) - _column(values)
    same = equal(apart, 0)
    return where(same, 0.0, 1.0 / where(same, 1.0, apart))


_eigh = Function("linalg.eigh", lambda a, UPLO="L": tuple(numpy.linalg.eigh(a, UPLO)), arrays=1)
eigvalsh = _function("eigvalsh", arrays=1)


def _eigh_vjp(ans: Any, a: ndarray, UPLO: str = "L") -> Any:
    w, v = ans

    def vjp(g: Any) -> Any:
        middle = _as_matrix_of(g[0]) + matmul(_h(v), g[1]) * _gaps(w)
        return _symmetric(matmul(matmul(v, middle), _h(v)))

    return _as_convention(vjp)


def _eigvalsh_vjp(ans: Any, a: ndarray, UPLO: str = "L") -> Any:
    def vjp(g: Any) -> Any:
        _, v = _eigh(a, UPLO=UPLO)
        return _symmetric(matmul(v * _row(g), _h(v)))

    return _as_convention(vjp)


defvjp(_eigh, _eigh_vjp)
defvjp(eigvalsh, _eigvalsh_vjp)


def eigh(a: Any, UPLO: str = "L") -> EighResult:
    """Return eigenvalues and -vectors of symmetric matrices, as `numpy.linalg.eigh`."""
    return EighResult(*_eigh(as_ndarray(a), UPLO=UPLO))


_eig = Function("linalg.eig", lambda a: tuple(numpy.linalg.eig(a)), arrays=1)
eigvals = _function("eigvals", arrays=1)


def _eig_vjp(ans: Any, a: ndarray) -> Any:
    # C. Boeddeker et al., "On the computation of complex-valued gradients" (2017), eq. 4.77, and
    # how the scaling of the vectors turns with them.
    w, v = ans
    largest = argmax(absolute(v), -2)[..., None, :]
    at = equal(largest, numpy.arange(a.shape[-1])[:, None]).astype(real(v).dtype)

    def vjp(g: Any) -> Any:
        inner = matmul(_h(v), g[1])
        own = diagonal(inner, 0, -1, -2)
        middle = inner - matmul(_h(v), v) * _row(real(own))
        if v.dtype.kind == "c":
            turn = imag(own) / real(sum(v * at, -2))
            middle = middle - _h(matmul(_t(at), v)) * _row(turn * 1j)
        gaps = _gaps(w)
        middle = middle * (conjugate(gaps) if gaps.dtype.kind == "c" else gaps)
        back = _h(v)
        total = matmul(solve(back, middle + _as_matrix_of(g[0])), back)
        return total if a.dtype.kind == "c" else real(total)

    return _as_convention(vjp)


def _eigvals_vjp(ans: Any, a: ndarray) -> Any:
    def vjp(g: Any) -> Any:
        _, v = _eig(a)
        back = _h(v)
        total = matmul(solve(back, _as_matrix_of(g)), back)
        return total if a.dtype.kind == "c" else real(total)

    return _as_convention(vjp)


defvjp(_eig, _eig_vjp)
defvjp(eigvals, _eigvals_vjp)


def eig(a: Any) -> EigResult:
    """Return eigenvalues and right eigenvectors of square matrices, as `numpy.linalg.eig`."""
    return EigResult(*_eig(as_ndarray(a)))


def _svd_kernel(a: Any, full_matrices: bool = True, hermitian: bool = False) -> tuple:
    return tuple(numpy.linalg.svd(a, full_matrices, True, hermitian))


_svd = Function("linalg.svd", _svd_kernel, arrays=1)
_svdvals = Function(
    "linalg.svdvals",
    lambda a, hermitian=False: numpy.linalg.svd(a, compute_uv=False, hermitian=hermitian),
    arrays=1,
)


def _svd_vjp(ans: Any, a: ndarray, full_matrices: bool = True, hermitian: bool = False) -> Any:
    rows, columns = a.shape[-2:]
    if full_matrices and rows != columns:
        raise NoDerivativeError(
            "svd with full_matrices=True has no derivative for matrices that aren't square (the "
            "additional vectors are arbitrary); use full_matrices=False"
        )
    u, s, vh = ans
    v = _h(vh)

    def vjp(g: Any) -> Any:
        gu, gs, gv = g[0], g[1], _h(g[2])
        gaps = _gaps(s * s)
        left, right = matmul(_h(u), gu), matmul(_h(v), gv)
        middle = (left - _h(left)) * gaps * _row(s) + _column(s) * ((right - _h(right)) * gaps)
        middle = middle + _as_matrix_of(gs)
        if a.dtype.kind == "c":
            # The phase of a pair of vectors is free; a gauge in which u carries all of it.
            turn = imag(diagonal(left, 0, -1, -2)) / s
            middle = middle + _as_matrix_of(turn * 1j)
        total = matmul(matmul(u, middle), vh)
        if rows > len_s:
            part = gu - matmul(u, left)
            total = total + matmul(part / _row(s), vh)
        if columns > len_s:
            part = gv - matmul(v, right)
            total = total + matmul(u, _h(part / _row(s)))
        return total

    len_s = s.shape[-1]
    return _as_convention(vjp)


def _svdvals_vjp(ans: Any, a: ndarray, hermitian: bool = False) -> Any:
    def vjp(g: Any) -> Any:
        u, _, vh = _svd(a, full_matrices=False)
        return matmul(u * _row(g), vh)

    return _as_convention(vjp)


defvjp(_svd, _svd_vjp)
defvjp(_svdvals, _svdvals_vjp)


def svd(
    a: Any, full_matrices: bool = True, compute_uv: bool = True, hermitian: bool = False
) -> Any:
    """Return the singular value decomposition, as `numpy.linalg.svd`."""
    a = as_ndarray(a)
    if not compute_uv:
        return _svdvals(a, hermitian=hermitian)
    return SVDResult(*_svd(a, full_matrices=full_matrices, hermitian=hermitian))


def _qr_kernel(a: Any, mode: str = "reduced") -> Any:
    made = numpy.linalg.qr(a, mode)
    return tuple(made) if isinstance(made, tuple) else made


_qr = Function("linalg.qr", _qr_kernel, arrays=1)


def _tall_qr_vjp(q: Any, r: Any, gq: Any, gr: Any) -> Any:
    m = matmul(r, _h(gr)) - matmul(_h(gq), q)
    # The lower triangle, mirrored to the upper one.
    mirrored = tril(m, -1) + _h(tril(m, -1)) + _as_matrix_of(real(diagonal(m, 0, -1, -2)))
    return _h(solve(r, _h(gq + matmul(q, mirrored))))


def _qr_vjp(ans: Any, a: ndarray, mode: str = "reduced") -> Any:
    rows, columns = a.shape[-2:]
    if mode != "reduced" and (mode != "complete" or rows > columns):
        raise NoDerivativeError(
            f"qr has no derivative for mode {mode!r} of matrices with {rows} rows and {columns} "
            "columns; use mode 'reduced' or 'r'"
        )
    q, r = ans

    def vjp(g: Any) -> Any:
        gq, gr = g
        if rows >= columns:
            return _tall_qr_vjp(q, r, gq, gr)
        # The columns beyond the square part are r's own: a = q [u, v].
        gv, rest = gr[..., rows:], a[..., rows:]
        square = _tall_qr_vjp(q, r[..., :rows], gq + matmul(rest, _h(gv)), triu(gr[..., :rows]))
        return concatenate([square, matmul(q, gv)], axis=-1)

    return _as_convention(vjp)


defvjp(_qr, _qr_vjp)


def qr(a: Any, mode: str = "reduced") -> Any:
    """Return the QR decomposition, as `numpy.linalg.qr`."""
    a = as_ndarray(a)
    if mode == "r":
        return _qr(a)[1]
    made = _qr(a, mode=mode)
    return QRResult(*made) if mode in ("reduced", "complete") else made


# --- powers, chains and norms ---------------------------------------------------------------------


def _matrix_power(a: Any, n: int) -> numpy.ndarray:
    power = numpy.linalg.matrix_power(a, n)
    return power.copy() if power is a else power


@composition("linalg.matrix_power", _matrix_power, arrays=1)
def matrix_power(a: Any, n: int) -> ndarray:
    """Raise square matrices to an integer power by repeated squaring, as NumPy does."""
    a = as_ndarray(a)
    if a.ndim < 2 or a.shape[-1] != a.shape[-2]:
        raise LinAlgError("Last 2 dimensions of the array must be square")
    n = n.__index__()
    if n == 0:
        return a * 0 + numpy.eye(a.shape[-1], dtype=a.dtype)
    power = inv(a) if n < 0 else a
    n = -n if n < 0 else n
    result: Any = None
    while n:
        n, bit = divmod(n, 2)
        if bit:
            result = power if result is None else matmul(result, power)
        if n:
            power = matmul(power, power)
    return result


@composition("linalg.multi_dot", numpy.linalg.multi_dot, arrays=0)
def multi_dot(arrays: Any) -> ndarray:
    """Multiply a chain of matrices in the cheapest order, as `numpy.linalg.multi_dot`."""
    arrays = [as_ndarray(a) for a in arrays]
    if len(arrays) < 2:
        raise ValueError("Expecting at least two arrays.")
    if len(arrays) == 2:
        return dot(*arrays)
    first, last = arrays[0].ndim == 1, arrays[-1].ndim == 1
    arrays[0] = arrays[0][None, :] if first else arrays[0]
    arrays[-1] = arrays[-1][:, None] if last else arrays[-1]
    for a in arrays:
        if a.ndim != 2:
            raise LinAlgError(f"{a.ndim}-dimensional array given. Array must be two-dimensional")
    split = _cheapest([a.shape[0] for a in arrays] + [arrays[-1].shape[1]])

    def product(i: int, j: int) -> Any:
        if i == j:
            return arrays[i]
        return dot(product(i, split[i][j]), product(split[i][j] + 1, j))

    result = product(0, len(arrays) - 1)
    return reshape(result, result.shape[first : 2 - last]) if first or last else result


def _cheapest(lengths: list[int]) -> list[list[int]]:
    """Return where to split each part of a matrix chain (Cormen et al., section 15.2)."""
    count = len(lengths) - 1
    cost = [[0] * count for _ in range(count)]
    split = [[0] * count for _ in range(count)]
    for span in range(1, count):
        for i in range(count - span):
            j = i + span
            found = [
                (cost[i][k] + cost[k + 1][j] + lengths[i] * lengths[k + 1] * lengths[j + 1], k)
                for k in range(i, j)
            ]
            cost[i][j], split[i][j] = sorted(found)[0]
    return split


def _root(squares: Any) -> Any:
    """Return the square root, with derivative zero at zero."""
    none = equal(squares, 0)
    return where(none, 0.0, sqrt(where(none, 1.0, squares)))


def _euclidean(x: Any, axis: Any, keepdims: bool) -> Any:
    squares = real(x * conjugate(x)) if x.dtype.kind == "c" else x * x
    return _root(sum(squares, axis, keepdims=keepdims))


def _p_norm(x: Any, p: float, axis: Any, keepdims: bool) -> Any:
    total = sum(absolute(x) ** p, axis, keepdims=keepdims)
    none = equal(total, 0)
    return where(none, 0.0, where(none, 1.0, total) ** (1.0 / p))


_VECTOR_NORMS = {
    None: _euclidean,
    2: _euclidean,
    1: lambda x, axis, keep: sum(absolute(x), axis, keepdims=keep),
    0: lambda x, axis, keep: sum(not_equal(x, 0).astype(real(x).dtype), axis, keepdims=keep),
    numpy.inf: lambda x, axis, keep: max(absolute(x), axis, keepdims=keep),
    -numpy.inf: lambda x, axis, keep: min(absolute(x), axis, keepdims=keep),
}


def _of_singular_values(reduce: Callable[..., Any]) -> Callable[..., Any]:
    def norm(x: Any, axes: tuple[int, int], keep: bool) -> Any:
        values = svd(moveaxis(x, axes, (-2, -1)), compute_uv=False)
        return _kept_as_one(reduce(values, -1), axes, keep)

    return norm


def _kept_as_one(value: Any, axes: tuple[int, int], keep: bool) -> Any:
    """Put two axes of length one where a matrix norm has reduced them."""
    if not keep:
        return value
    shape = list(value.shape)
    for axis in sorted(axes):
        shape.insert(axis, 1)
    return reshape(value, tuple(shape))


def _of_sums(along: int, reduce: Callable[..., Any]) -> Callable[..., Any]:
    """Make the norm that is an extreme of the sums over rows (along 1) or columns (along 0)."""

    def norm(x: Any, axes: tuple[int, int], keep: bool) -> Any:
        sums = sum(absolute(x), axes[along], keepdims=True)
        value = reduce(sums, axes[1 - along], keepdims=True)
        return value if keep else value.squeeze(axes)

    return norm


_MATRIX_NORMS = {
    None: _euclidean,
    "fro": _euclidean,
    "f": _euclidean,
    "nuc": _of_singular_values(sum),
    2: _of_singular_values(max),
    -2: _of_singular_values(min),
    1: _of_sums(0, max),
    -1: _of_sums(0, min),
    numpy.inf: _of_sums(1, max),
    -numpy.inf: _of_sums(1, min),
}


@composition("linalg.norm", numpy.linalg.norm, arrays=1)
def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> ndarray:
    """Return a vector or matrix norm, as `numpy.linalg.norm`; its derivative at zero is zero."""
    x = as_ndarray(x)
    if x.dtype.kind not in "fc":
        x = x * 1.0
    if axis is None and (
        ord is None or (ord in ("f", "fro") and x.ndim == 2) or (ord == 2 and x.ndim == 1)
    ):
        return _euclidean(x, None, keepdims)
    axes = tuple(range(x.ndim)) if axis is None else axis
    axes = tuple(axes) if isinstance(axes, tuple | list) else (axes,)
    axes = tuple(a % x.ndim for a in axes)
    if len(axes) == 1:
        if ord in _VECTOR_NORMS:
            return _VECTOR_NORMS[ord](x, axes[0], keepdims)
        if isinstance(ord, str):
            raise ValueError(f"Invalid norm order '{ord}' for vectors")
        return _p_norm(x, ord, axes[0], keepdims)
    if len(axes) != 2:
        raise ValueError("Improper number of dimensions to norm.")
    if axes[0] == axes[1]:
        raise ValueError("Duplicate axes given.")
    if ord not in _MATRIX_NORMS:
        raise ValueError("Invalid norm order for matrices.")
    return _MATRIX_NORMS[ord](x, axes, keepdims)


@composition("linalg.cond", numpy.linalg.cond, arrays=1)
def cond(x: Any, p: Any = None) -> ndarray:
    """Return the condition number of matrices, as `numpy.linalg.cond`."""
    x = as_ndarray(x)
    if x.size == 0 and 0 in x.shape[-2:]:
        raise LinAlgError("cond is not defined on empty arrays")
    if p in (None, 2, -2):
        s = svd(x, compute_uv=False)
        return s[..., -1] / s[..., 0] if p == -2 else s[..., 0] / s[..., -1]
    return norm(x, p, axis=(-2, -1)) * norm(inv(x), p, axis=(-2, -1))
