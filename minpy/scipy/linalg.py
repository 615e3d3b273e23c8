"""``scipy.linalg``: matrix functions and equations of special structure, with derivatives.

It must not know general linear algebra, which is ``minpy.numpy.linalg``.

Sources of the rules: M. Giles, "An extended collection of matrix derivative results" (2008);
N. Higham, "Functions of Matrices" (2008), chapters 3 and 6.
"""

from __future__ import annotations

from typing import Any

import numpy

from minpy.array import as_ndarray, ndarray
from minpy.autograd.rules import defjvp, defvjp
from minpy.numpy.broadcasting import unbroadcast
from minpy.numpy.creation import zeros
from minpy.numpy.elementwise import conjugate, real
from minpy.numpy.function import Function
from minpy.numpy.linalg import cholesky as lower_cholesky
from minpy.numpy.products import matmul
from minpy.numpy.reductions import sum
from minpy.numpy.shaping import concatenate, stack, swapaxes, tril, triu
from minpy.scipy.kernels import Kernel, reach

__all__ = [
    "cho_factor",
    "cho_solve",
    "cholesky",
    "expm",
    "solve_banded",
    "solve_sylvester",
    "solve_triangular",
    "sqrtm",
]

__getattr__, __dir__ = reach("linalg", __all__)


def _function(name: str, arrays: int, kernel: Any = None) -> Function:
    made = kernel or Kernel(f"linalg.{name}", arrays)
    return Function(f"scipy.linalg.{name}", made, arrays=arrays, doc=f"As `scipy.linalg.{name}`.")


def _t(x: Any) -> Any:
    return swapaxes(x, -1, -2)


def _of_kind(g: Any, x: ndarray) -> Any:
    """Return the real part where the argument was real."""
    return real(g) if g.dtype.kind == "c" and x.dtype.kind != "c" else g


# --- triangular matrices --------------------------------------------------------------------------


def _triangular_kernel(a: Any, b: Any, lower: bool, unit: bool, check: bool = True) -> Any:
    kernel = Kernel("linalg.solve_triangular", 2)
    return kernel(a, b, lower=lower, unit_diagonal=unit, check_finite=check)


_triangular = _function("solve_triangular", 2, _triangular_kernel)


def _triangle(x: Any, lower: bool, unit: bool) -> Any:
    """Keep the part of a matrix that is read."""
    below = -1 if unit else 0
    return tril(x, below) if lower else triu(x, -below)


def _triangular_vjp_a(ans: Any, a: ndarray, b: Any, lower: bool, unit: bool, check: bool) -> Any:
    vector = ans.ndim == a.ndim - 1

    def vjp(g: Any) -> Any:
        back = _triangular(_t(a), g, not lower, unit, check)
        pairs = back[..., :, None] * ans[..., None, :] if vector else matmul(back, _t(ans))
        return _of_kind(_triangle(-pairs, lower, unit), a)

    return vjp


def _triangular_vjp_b(ans: Any, a: Any, b: ndarray, lower: bool, unit: bool, check: bool) -> Any:
    def vjp(g: Any) -> Any:
        back = _triangular(_t(as_ndarray(a)), g, not lower, unit, check)
        return unbroadcast(back, b.shape, b.dtype)

    return vjp


def _triangular_jvp_a(
    t: Any, ans: Any, a: Any, b: Any, lower: bool, unit: bool, check: bool
) -> Any:
    return _triangular(a, -matmul(_triangle(t, lower, unit), ans), lower, unit, check)


defvjp(_triangular, _triangular_vjp_a, _triangular_vjp_b)
defjvp(_triangular, _triangular_jvp_a, lambda t, ans, a, b, *rest: _triangular(a, t, *rest))


def solve_triangular(
    a: Any,
    b: Any,
    trans: int | str = 0,
    lower: bool = False,
    unit_diagonal: bool = False,
    overwrite_b: bool = False,
    check_finite: bool = True,
) -> ndarray:
    """Solve a system with a triangular matrix, as `scipy.linalg.solve_triangular`.

    Parameters
    ----------
    a
        Of shape (n, n); the triangle that isn't read has derivative zero.
    b
        Of shape (n,) or (n, k).
    trans
        0 or 'N' for a x = b, 1 or 'T' for aᵀ x = b, 2 or 'C' for aᴴ x = b.
    lower, unit_diagonal, check_finite
        As in SciPy. `overwrite_b` is taken, and nothing is overwritten.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.scipy.linalg import solve_triangular
    >>> solve_triangular(np.array([[2., 1.], [0., 4.]]), np.array([4., 8.]))
    array([1., 2.])
    """
    a, b = as_ndarray(a), as_ndarray(b)
    if trans not in _TRANSPOSED:
        raise ValueError(f"solve_triangular: expected trans 0, 1, 2, 'N', 'T' or 'C', got {trans}")
    if _TRANSPOSED[trans]:
        a, lower = _TRANSPOSED[trans](a), not lower
    return _triangular(a, b, bool(lower), bool(unit_diagonal), bool(check_finite))


_TRANSPOSED: dict[int | str, Any] = {
    **dict.fromkeys((0, "N"), None),
    **dict.fromkeys((1, "T"), _t),
    **dict.fromkeys((2, "C"), lambda a: conjugate(_t(a))),
}


def cholesky(
    a: Any, lower: bool = False, overwrite_a: bool = False, check_finite: bool = True
) -> ndarray:
    """Return a triangular root of a positive definite matrix, as `scipy.linalg.cholesky`."""
    a = as_ndarray(a)
    if check_finite and not numpy.isfinite(a.asnumpy()).all():
        raise ValueError("array must not contain infs or NaNs")
    if lower:
        return lower_cholesky(a)
    return conjugate(_t(lower_cholesky(conjugate(_t(a)))))  # reads the other triangle


def cho_factor(
    a: Any, lower: bool = False, overwrite_a: bool = False, check_finite: bool = True
) -> tuple[ndarray, bool]:
    """Return what `cho_solve` takes, as `scipy.linalg.cho_factor`; the other triangle is zero."""
    return cholesky(a, lower, overwrite_a, check_finite), lower


def cho_solve(
    c_and_lower: tuple[Any, bool], b: Any, overwrite_b: bool = False, check_finite: bool = True
) -> ndarray:
    """Solve a system whose matrix's Cholesky factor is known, as `scipy.linalg.cho_solve`.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.scipy.linalg import cho_factor, cho_solve
    >>> cho_solve(cho_factor(np.array([[4., 2.], [2., 2.]])), np.array([2., 0.]))
    array([ 1., -1.])
    """
    c, lower = c_and_lower
    first, second = ("N", "C") if lower else ("C", "N")
    half = solve_triangular(c, b, first, lower, check_finite=check_finite)
    return solve_triangular(c, half, second, lower, check_finite=check_finite)


# --- matrix functions and equations ---------------------------------------------------------------


def _sylvester_kernel(a: Any, b: Any, q: Any) -> Any:
    # SciPy 1.17 gives something else for a real matrix beside a complex one.
    kind = numpy.result_type(a, b, q)
    return Kernel("linalg.solve_sylvester", 3)(*[numpy.asarray(m, kind) for m in (a, b, q)])


solve_sylvester = _function("solve_sylvester", 3, _sylvester_kernel)
defvjp(
    solve_sylvester,
    lambda ans, a, b, q: lambda g: _of_kind(-matmul(_back(a, b, g), _t(ans)), a),
    lambda ans, a, b, q: lambda g: _of_kind(-matmul(_t(ans), _back(a, b, g)), b),
    lambda ans, a, b, q: lambda g: _of_kind(_back(a, b, g), q),
)
defjvp(
    solve_sylvester,
    lambda t, ans, a, b, q: solve_sylvester(a, b, -matmul(t, ans)),
    lambda t, ans, a, b, q: solve_sylvester(a, b, -matmul(ans, t)),
    lambda t, ans, a, b, q: solve_sylvester(a, b, t),
)


def _back(a: Any, b: Any, g: Any) -> Any:
    return solve_sylvester(_t(as_ndarray(a)), _t(as_ndarray(b)), g)


def _sqrtm_kernel(a: Any, **kwargs: Any) -> numpy.ndarray:
    root = numpy.asarray(Kernel("linalg.sqrtm", 1)(a, **kwargs))
    if root.dtype.kind == "c":
        return root.astype(numpy.result_type(a.dtype, "complex64"), copy=False)
    return root.astype(a.dtype, copy=False)


# X² = A, so X dX + dX X = dA.
sqrtm = _function("sqrtm", 1, _sqrtm_kernel)
defvjp(sqrtm, lambda ans, a: lambda g: _of_kind(_back(ans, ans, g), a))
defjvp(sqrtm, lambda t, ans, a: solve_sylvester(ans, ans, t + ans * 0))

expm = _function("expm", 1)


def _expm_derivative(a: Any, t: Any) -> Any:
    """Return the derivative of the exponential in a direction: a block of a larger exponential."""
    n = a.shape[-1]
    none = zeros(a.shape, dtype=a.dtype)
    upper = concatenate([a, t], axis=-1)
    whole = concatenate([upper, concatenate([none, a], axis=-1)], axis=-2)
    return expm(whole)[..., :n, n:]


defvjp(expm, lambda ans, a: lambda g: _expm_derivative(_t(a), g))
defjvp(expm, lambda t, ans, a: _expm_derivative(as_ndarray(a), t))

# --- band matrices --------------------------------------------------------------------------------


def _banded_kernel(ab: Any, b: Any, l_and_u: tuple[int, int], check: bool = True) -> Any:
    return Kernel("linalg.solve_banded", 2)(l_and_u, ab, b, check_finite=check)


_banded = _function("solve_banded", 2, _banded_kernel)


def _shifted(row: Any, k: int) -> Any:
    """Move the elements of a vector k places on, with zeros behind them."""
    n = row.shape[0]
    gap = zeros((min(abs(k), n),), dtype=row.dtype)
    if k >= 0:
        return concatenate([gap, row[: n - min(k, n)]])
    return concatenate([row[min(-k, n) :], gap])


def _banded_transpose(ab: Any, below: int, above: int) -> Any:
    """Return the transpose of a band matrix, of `above` diagonals below and `below` above."""
    return stack([_shifted(ab[above + k], k) for k in range(below, -above - 1, -1)])


def _banded_product(ab: Any, x: Any, below: int, above: int) -> Any:
    """Multiply a band matrix with vectors: the diagonal k below the main one moves things by k."""
    total: Any = None
    for k in range(-above, below + 1):
        part = ab[above + k] * x if x.ndim == 1 else ab[above + k][:, None] * x
        moved = (
            _shifted(part, k)
            if x.ndim == 1
            else stack([_shifted(part[:, j], k) for j in range(x.shape[1])], axis=1)
        )
        total = moved if total is None else total + moved
    return total


def _banded_vjp_ab(ans: Any, ab: ndarray, b: Any, l_and_u: tuple, check: bool = True) -> Any:
    below, above = l_and_u

    def vjp(g: Any) -> Any:
        back = _banded(_banded_transpose(ab, below, above), g, (above, below), check)
        x, s = (v if v.ndim == 2 else v[:, None] for v in (ans, back))
        rows = []
        for k in range(-above, below + 1):
            columns = [_shifted(s[:, j], -k) * x[:, j] for j in range(x.shape[1])]
            rows.append(-sum(stack(columns), 0))
        return _of_kind(stack(rows), ab)

    return vjp


def _banded_vjp_b(ans: Any, ab: Any, b: ndarray, l_and_u: tuple, check: bool = True) -> Any:
    below, above = l_and_u

    def vjp(g: Any) -> Any:
        flipped = _banded_transpose(as_ndarray(ab), below, above)
        return _of_kind(_banded(flipped, g, (above, below), check), b)

    return vjp


defvjp(_banded, _banded_vjp_ab, _banded_vjp_b)
defjvp(
    _banded,
    lambda t, ans, ab, b, l_and_u, check=True: _banded(
        ab, -_banded_product(t, ans, *l_and_u), l_and_u, check
    ),
    lambda t, ans, ab, b, l_and_u, check=True: _banded(ab, t, l_and_u, check),
)


def solve_banded(
    l_and_u: tuple[int, int],
    ab: Any,
    b: Any,
    overwrite_ab: bool = False,
    overwrite_b: bool = False,
    check_finite: bool = True,
) -> ndarray:
    """Solve a system with a band matrix, as `scipy.linalg.solve_banded`.

    Parameters
    ----------
    l_and_u
        The number of diagonals below and above the main one.
    ab
        The diagonals, of shape (below + above + 1, n), the topmost first; elements outside of the
        matrix have derivative zero.
    b
        Of shape (n,) or (n, k).

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.scipy.linalg import solve_banded
    >>> solve_banded((0, 1), np.array([[0., 1.], [2., 4.]]), np.array([4., 8.]))
    array([1., 2.])
    """
    below, above = l_and_u
    return _banded(as_ndarray(ab), as_ndarray(b), (int(below), int(above)), bool(check_finite))
