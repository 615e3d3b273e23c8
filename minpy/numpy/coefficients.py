"""Polynomials as vectors of coefficients, highest power first: NumPy's older functions.

It must not know ``numpy.polynomial``, whose coefficients are in the other order.
"""

from __future__ import annotations

from typing import Any

import numpy

from minpy.array import as_ndarray, ndarray, read_value
from minpy.errors import NoDerivativeError
from minpy.numpy.creation import vander
from minpy.numpy.elementwise import sqrt
from minpy.numpy.function import composition
from minpy.numpy.linalg import eigvals, lstsq
from minpy.numpy.products import convolve
from minpy.numpy.reductions import sum
from minpy.numpy.shaping import atleast_1d, concatenate, stack, transpose

__all__ = [
    "poly",
    "polyadd",
    "polyder",
    "polydiv",
    "polyfit",
    "polyint",
    "polymul",
    "polysub",
    "roots",
]


def _coefficients(p: Any) -> ndarray:
    return atleast_1d(as_ndarray(p))


def _zeros(count: int, like: ndarray) -> numpy.ndarray:
    return numpy.zeros(count, like.dtype)


def _aligned(a1: Any, a2: Any) -> tuple[ndarray, ndarray]:
    """Return two polynomials with as many coefficients each."""
    a1, a2 = _coefficients(a1), _coefficients(a2)
    missing = a2.shape[0] - a1.shape[0]
    if missing > 0:
        a1 = concatenate([_zeros(missing, a1), a1])
    elif missing < 0:
        a2 = concatenate([_zeros(-missing, a2), a2])
    return a1, a2


@composition("polyadd", arrays=0)
def polyadd(a1: Any, a2: Any) -> ndarray:
    """Add polynomials, as `numpy.polyadd`."""
    a1, a2 = _aligned(a1, a2)
    return a1 + a2


@composition("polysub", arrays=0)
def polysub(a1: Any, a2: Any) -> ndarray:
    """Subtract polynomials, as `numpy.polysub`."""
    a1, a2 = _aligned(a1, a2)
    return a1 - a2


@composition("polymul", arrays=0)
def polymul(a1: Any, a2: Any) -> ndarray:
    """Multiply polynomials, as `numpy.polymul`."""
    return convolve(_coefficients(a1), _coefficients(a2))


@composition("polydiv", arrays=0)
def polydiv(u: Any, v: Any) -> tuple[ndarray, ndarray]:
    """Return quotient and remainder of polynomials, as `numpy.polydiv`, by synthetic division."""
    u, v = _coefficients(u) + 0.0, _coefficients(v) + 0.0
    n = v.shape[0] - 1
    quotient = []
    rest = u
    for _ in range(u.shape[0] - n):
        factor = rest[0] / v[0]
        quotient.append(factor)
        rest = concatenate([rest[1 : n + 1] - factor * v[1:], rest[n + 1 :]])
    made = stack(quotient) if quotient else as_ndarray(_zeros(1, u))
    if rest.shape[0] == 0:
        rest = as_ndarray(_zeros(1, u))
    # NumPy drops leading coefficients that are zero but for rounding.
    values = read_value(rest)
    start = 0
    while start < values.size - 1 and numpy.allclose(values[start], 0, rtol=1e-14):
        start += 1
    return made, rest[start:]


@composition("polyder", arrays=0)
def polyder(p: Any, m: int = 1) -> ndarray:
    """Return the m-th derivative of a polynomial, as `numpy.polyder`."""
    m = int(m)
    if m < 0:
        raise ValueError("Order of derivative must be positive (see polyint)")
    p = _coefficients(p)
    for _ in range(m):
        p = p[:-1] * numpy.arange(p.shape[0] - 1, 0, -1)
    return p


@composition("polyint", arrays=0)
def polyint(p: Any, m: int = 1, k: Any = None) -> ndarray:
    """Return the m-th antiderivative of a polynomial, as `numpy.polyint`."""
    m = int(m)
    if m < 0:
        raise ValueError("Order of integral must be positive (see polyder)")
    p = _coefficients(p)
    k = _coefficients(numpy.zeros(max(m, 1), p.dtype) if k is None else k)
    if k.shape[0] == 1 and m > 1:
        k = k * numpy.ones(m, p.dtype)
    if k.shape[0] < m:
        raise ValueError("k must be a scalar or a rank-1 array of length 1 or >m.")
    for i in range(m):
        p = concatenate([p / numpy.arange(p.shape[0], 0, -1), k[i : i + 1]])
    return p


@composition("poly", arrays=0)
def poly(seq_of_zeros: Any) -> ndarray:
    """Return the polynomial with given roots, or a matrix's characteristic one, as `numpy.poly`."""
    roots_ = _coefficients(seq_of_zeros)
    if roots_.ndim == 2 and roots_.shape[0] == roots_.shape[1] and roots_.shape[0]:
        roots_ = eigvals(roots_)
    elif roots_.ndim != 1:
        raise ValueError("input must be 1d or non-empty square 2d array.")
    if roots_.shape[0] == 0:
        return as_ndarray(1.0)
    one = numpy.ones(1, roots_.dtype)
    made: Any = one
    for i in range(roots_.shape[0]):
        made = convolve(as_ndarray(made), concatenate([one, -roots_[i : i + 1]]))
    if made.dtype.kind == "c":
        values = numpy.sort(read_value(roots_))
        if numpy.all(values == numpy.sort(values.conjugate())):
            made = made.real
    return made


@composition("roots", arrays=0)
def roots(p: Any) -> ndarray:
    """Return the roots of a polynomial, as `numpy.roots`: eigenvalues of its companion matrix."""
    p = _coefficients(p)
    if p.ndim != 1:
        raise ValueError("Input must be a rank-1 array.")
    places = numpy.nonzero(read_value(p))[0]
    if not len(places):
        return as_ndarray(numpy.zeros(0, p.dtype))
    trailing = p.shape[0] - places[-1] - 1
    p = p[int(places[0]) : int(places[-1]) + 1]
    n = p.shape[0] - 1
    if n:
        below = numpy.eye(n, dtype=p.dtype)[: n - 1]
        companion = concatenate([(-p[1:] / p[0])[None, :], below])
        found = eigvals(companion)
    else:
        found = as_ndarray(numpy.zeros(0, p.dtype))
    return concatenate([found, numpy.zeros(trailing, found.dtype)]) if trailing else found


@composition("polyfit", arrays=0)
def polyfit(
    x: Any,
    y: Any,
    deg: int,
    rcond: float | None = None,
    full: bool = False,
    w: Any = None,
    cov: bool | str = False,
) -> ndarray:
    """Fit a polynomial by least squares, as `numpy.polyfit`."""
    if full or cov:
        raise NoDerivativeError(
            "polyfit has no derivative with full=True or cov=True; the coefficients alone have one"
        )
    x, y = as_ndarray(x) + 0.0, as_ndarray(y) + 0.0
    if x.ndim != 1 or y.ndim not in (1, 2) or x.shape[0] != y.shape[0] or not x.shape[0]:
        raise TypeError("expected x and y to have same length")
    if rcond is None:
        rcond = x.shape[0] * numpy.finfo(x.dtype).eps
    left, right = vander(x, int(deg) + 1), y
    if w is not None:
        w = as_ndarray(w) + 0.0
        left = left * w[:, None]
        right = right * (w[:, None] if right.ndim == 2 else w)
    scale = sqrt(sum(left * left, 0))
    found = lstsq(left / scale, right, rcond)[0]
    return transpose(transpose(found) / scale)
