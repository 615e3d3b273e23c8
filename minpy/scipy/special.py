"""``scipy.special``: special functions, each with its derivative in one row.

It must not know about distributions. Sources of the rules: NIST Digital Library of Mathematical
Functions, chapters 5 to 10; the section stands beside the row. An argument without a rule (the
order of a Bessel function) raises an error when it is differentiated.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy

from minpy.array import as_ndarray, ndarray, read_value
from minpy.autograd.rules import defjvp, defvjp
from minpy.errors import NoDerivativeError
from minpy.numpy import mxnet_kernels as mx
from minpy.numpy.broadcasting import broadcast_arrays, unbroadcast_f
from minpy.numpy.elementwise import (
    cos,
    equal,
    exp,
    isinf,
    less,
    log,
    log1p,
    sign,
    sin,
    where,
)
from minpy.numpy.function import Function, Ufunc
from minpy.numpy.reductions import sum
from minpy.numpy.shaping import expand_dims
from minpy.runtime import Unsupported
from minpy.scipy.kernels import Kernel, reach

_names: list[str] = []
__getattr__, __dir__ = reach("special", _names)

_ROOT_PI = math.sqrt(math.pi)
_ROOT_2PI = math.sqrt(2 * math.pi)

# --- how rows become primitives -------------------------------------------------------------------


def _single_or_double(kernel: Callable[..., Any]) -> Callable[..., Any]:
    """Return an MXNet kernel that leaves half precision to SciPy, which computes in another."""

    def checked(F: Any, x: Any, **options: Any) -> Any:
        if numpy.dtype(getattr(x, "dtype", "object")) == numpy.float16:
            raise Unsupported("half precision is SciPy's")
        return kernel(F, x, **options)

    return checked


def _row(name: str, *derivatives: Callable[..., Any] | None, mxnet: str | None = None) -> Ufunc:
    """Make a primitive of partial derivatives ``f(ans, *args)``, one an argument; None: no rule."""
    made = Ufunc(
        f"special.{name}",
        kernel=Kernel(f"special.{name}", len(derivatives)),
        mxnet=_single_or_double(mx.unary(mxnet)) if mxnet else None,
    )
    for number, partial in enumerate(derivatives):
        if partial is None:
            continue

        def vjp(ans: Any, *args: Any, number: int = number, partial: Any = partial) -> Any:
            return unbroadcast_f(args[number], lambda g: g * partial(ans, *args))

        def jvp(g: Any, ans: Any, *args: Any, partial: Any = partial) -> Any:
            return g * partial(ans, *args)

        defvjp(made, vjp, argnums=[number])
        defjvp(made, jvp, argnums=[number])
    globals()[name] = made
    _names.append(name)
    return made


def _same_as(name: str, other: Ufunc) -> Ufunc:
    globals()[name] = other
    _names.append(name)
    return other


# --- error functions (7.2, 7.10) and the normal distribution --------------------------------------

erf = _row("erf", lambda ans, x: 2 / _ROOT_PI * exp(-x * x), mxnet="erf")
erfc = _row("erfc", lambda ans, x: -2 / _ROOT_PI * exp(-x * x))
expm1 = _row("expm1", lambda ans, x: exp(x))
exp2 = _row("exp2", lambda ans, x: ans * math.log(2))
exp10 = _row("exp10", lambda ans, x: ans * math.log(10))
cbrt = _row("cbrt", lambda ans, x: ans / (3 * x))
erfcx = _row("erfcx", lambda ans, x: 2 * x * ans - 2 / _ROOT_PI)
dawsn = _row("dawsn", lambda ans, x: 1 - 2 * x * ans)
erfinv = _row("erfinv", lambda ans, y: _ROOT_PI / 2 * exp(ans * ans), mxnet="erfinv")
erfcinv = _row("erfcinv", lambda ans, y: -_ROOT_PI / 2 * exp(ans * ans))
ndtr = _row("ndtr", lambda ans, x: exp(-0.5 * x * x) / _ROOT_2PI)
ndtri = _row("ndtri", lambda ans, y: _ROOT_2PI * exp(0.5 * ans * ans))
log_ndtr = _row("log_ndtr", lambda ans, x: exp(-0.5 * x * x - ans) / _ROOT_2PI)

# --- gamma and its relatives (5.2, 5.9, 5.12, 5.15) -----------------------------------------------

psi = _row("psi", lambda ans, x: polygamma(1, x))
digamma = _same_as("digamma", psi)
gamma = _row("gamma", lambda ans, x: ans * psi(x), mxnet="gamma")
gammaln = _row("gammaln", lambda ans, x: psi(x))
loggamma = _row("loggamma", lambda ans, x: psi(x))


def _drgamma(ans: Any, x: Any) -> Any:
    # By reflection (5.5.3) on the left, where psi has poles and the derivative has none.
    left = less(x.real, 0.5)
    y, z = where(left, x, 0.0), where(left, 1.0, x)
    reflected = gamma(1 - y) * (cos(math.pi * y) - psi(1 - y) * sin(math.pi * y) / math.pi)
    return where(left, reflected, -psi(z) * rgamma(z))


rgamma = _row("rgamma", _drgamma)
gammasgn = Ufunc(
    "special.gammasgn", kernel=Kernel("special.gammasgn", 1), arrays=1, differentiable=False
)
_names.append("gammasgn")
zeta = _row("zeta", None, lambda ans, x, q: -x * zeta(x + 1, q))  # Hurwitz: 25.11.17
beta = _row(
    "beta",
    lambda ans, a, b: ans * (psi(a) - psi(a + b)),
    lambda ans, a, b: ans * (psi(b) - psi(a + b)),
)
betaln = _row(
    "betaln",
    lambda ans, a, b: psi(a) - psi(a + b),
    lambda ans, a, b: psi(b) - psi(a + b),
)
binom = _row(
    "binom",
    lambda ans, n, k: ans * (psi(n + 1) - psi(n - k + 1)),
    lambda ans, n, k: ans * (psi(n - k + 1) - psi(k + 1)),
)

# --- incomplete integrals (8.2, 8.17) -------------------------------------------------------------


def _dgammainc(a: Any, x: Any) -> Any:
    return exp(xlogy(a - 1, x) - x - gammaln(a))


def _dbetainc(a: Any, b: Any, x: Any) -> Any:
    return exp(xlogy(a - 1, x) + xlog1py(b - 1, -x) - betaln(a, b))


_MOST_TERMS = 1e6


def _terms(first: Any, *others: Any) -> tuple[Any, ...]:
    """Return arrays with an axis more at the end, for the terms of a series."""
    return tuple(expand_dims(as_ndarray(v, weak=False), -1) for v in (first, *others))


def _number_of_terms(count: Any) -> numpy.ndarray:
    finite = numpy.where(numpy.isfinite(count), count, 0.0)
    return numpy.arange(1 + int(numpy.clip(numpy.max(finite, initial=0.0), 0.0, _MOST_TERMS)))


def _dgammainc_da(a: Any, x: Any) -> Any:
    """Return the derivative of P(a, x) in a, from its series of positive terms (8.7.1)."""
    a, x = _terms(a, x)
    size = numpy.maximum(read_value(x), 1.0)
    k = _number_of_terms(numpy.maximum(size - read_value(a), 0.0) + 10.0 * numpy.sqrt(size) + 60.0)
    none = equal(x, 0)
    log_x = log(where(none, 1.0, x))
    term = exp((a + k) * log_x - x - gammaln(a + k + 1))
    return where(none, 0.0, term * (log_x - psi(a + k + 1))).sum(-1)


def _dbetainc_shapes(a: Any, b: Any, x: Any) -> tuple[Any, Any]:
    """Return the derivatives of I(x; a, b) in a and b where x is small (8.17.8)."""
    a, b, x = _terms(a, b, x)
    # The terms fall as x^k in the end, and like a bell curve of this width before.
    rest = 1.0 - read_value(x)
    count = 50.0 / rest + 10.0 * numpy.sqrt(numpy.abs(read_value(a)) / rest) + 50.0
    if numpy.any(count > _MOST_TERMS):
        raise NoDerivativeError(
            f"betainc: its derivative in a shape takes a series of {numpy.max(count):.0f} terms, "
            f"and {_MOST_TERMS:.0f} at most are summed; the shapes are too far apart"
        )
    k = _number_of_terms(count)
    none = equal(x, 0)
    x = where(none, 0.5, x)
    log_x, log_y = log(x), log1p(-x)
    term = exp(gammaln(a + b + k) - gammaln(a + k + 1) - gammaln(b) + (a + k) * log_x + b * log_y)
    to_a = term * (log_x + psi(a + b + k) - psi(a + k + 1))
    to_b = term * (log_y + psi(a + b + k) - psi(b))
    return where(none, 0.0, to_a).sum(-1), where(none, 0.0, to_b).sum(-1)


def _dbetainc_d(which: int, a: Any, b: Any, x: Any) -> Any:
    """Return the derivative of I(x; a, b) in one shape; near 1, from I(x; a, b) + I(1-x; b, a)."""
    a, b, x = (as_ndarray(v, weak=False) for v in (a, b, x))
    small = x * (a + b + 2) <= a + 1
    below = _dbetainc_shapes(a, b, where(small, x, 0.0))[which]
    above = _dbetainc_shapes(b, a, where(small, 0.0, 1 - x))[1 - which]
    return where(small, below, -above)


gammainc = _row(
    "gammainc", lambda ans, a, x: _dgammainc_da(a, x), lambda ans, a, x: _dgammainc(a, x)
)
gammaincc = _row(
    "gammaincc", lambda ans, a, x: -_dgammainc_da(a, x), lambda ans, a, x: -_dgammainc(a, x)
)
# Inverse functions: dx/da = -(∂P/∂a) / (∂P/∂x).
gammaincinv = _row(
    "gammaincinv",
    lambda ans, a, y: -_dgammainc_da(a, ans) / _dgammainc(a, ans),
    lambda ans, a, y: 1 / _dgammainc(a, ans),
)
gammainccinv = _row(
    "gammainccinv",
    lambda ans, a, y: -_dgammainc_da(a, ans) / _dgammainc(a, ans),
    lambda ans, a, y: -1 / _dgammainc(a, ans),
)
betainc = _row(
    "betainc",
    lambda ans, a, b, x: _dbetainc_d(0, a, b, x),
    lambda ans, a, b, x: _dbetainc_d(1, a, b, x),
    lambda ans, a, b, x: _dbetainc(a, b, x),
)
betaincc = _row(
    "betaincc",
    lambda ans, a, b, x: -_dbetainc_d(0, a, b, x),
    lambda ans, a, b, x: -_dbetainc_d(1, a, b, x),
    lambda ans, a, b, x: -_dbetainc(a, b, x),
)
betaincinv = _row(
    "betaincinv",
    lambda ans, a, b, y: -_dbetainc_d(0, a, b, ans) / _dbetainc(a, b, ans),
    lambda ans, a, b, y: -_dbetainc_d(1, a, b, ans) / _dbetainc(a, b, ans),
    lambda ans, a, b, y: 1 / _dbetainc(a, b, ans),
)
exp1 = _row("exp1", lambda ans, x: -exp(-x) / x)
expi = _row("expi", lambda ans, x: exp(x) / x)


def _dstdtr_df(df: Any, t: Any) -> Any:
    """Return the derivative of Student's t distribution function in its degrees of freedom.

    Its tail is half of I(df / (df + t²); df / 2, 1 / 2), the rest that of t² / (df + t²).
    """
    df, t = as_ndarray(df, weak=False), as_ndarray(t, weak=False)
    # From the middle, or from the tail: each where what it is of is not 1 by rounding.
    square, half = t * t, 0.5 * df
    none, near = equal(t, 0), square < df
    whole = df + square
    y = where(near & ~none, square / whole, 0.5)
    from_middle = 0.5 * _dbetainc_d(1, 0.5, half, y)
    from_middle = from_middle - _dbetainc(0.5, half, y) * square / (whole * whole)
    x = where(near, 0.5, df / whole)
    from_tail = 0.5 * _dbetainc_d(0, half, 0.5, x)
    from_tail = from_tail + _dbetainc(half, 0.5, x) * square / (whole * whole)
    return 0.5 * sign(t) * where(near, from_middle, -from_tail)


stdtr = _row(  # Student's t distribution
    "stdtr",
    lambda ans, df, t: _dstdtr_df(df, t),
    lambda ans, df, t: exp(
        -0.5 * (df + 1) * log1p(t * t / df) - betaln(0.5 * df, 0.5) - 0.5 * log(df)
    ),
)

# --- Bessel functions (10.6, 10.29) ---------------------------------------------------------------

j0 = _row("j0", lambda ans, x: -j1(x))
j1 = _row("j1", lambda ans, x: (j0(x) - jv(2, x)) / 2)
y0 = _row("y0", lambda ans, x: -y1(x))
y1 = _row("y1", lambda ans, x: (y0(x) - yv(2, x)) / 2)
i0 = _row("i0", lambda ans, x: i1(x))
i1 = _row("i1", lambda ans, x: (i0(x) + iv(2, x)) / 2)
k0 = _row("k0", lambda ans, x: -k1(x))
k1 = _row("k1", lambda ans, x: -(k0(x) + kv(2, x)) / 2)
jv = _row("jv", None, lambda ans, v, x: (jv(v - 1, x) - jv(v + 1, x)) / 2)
yv = _row("yv", None, lambda ans, v, x: (yv(v - 1, x) - yv(v + 1, x)) / 2)
iv = _row("iv", None, lambda ans, v, x: (iv(v - 1, x) + iv(v + 1, x)) / 2)
kv = _row("kv", None, lambda ans, v, x: -(kv(v - 1, x) + kv(v + 1, x)) / 2)
jn = _same_as("jn", jv)
yn = _row("yn", None, lambda ans, n, x: (yv(n - 1, x) - yv(n + 1, x)) / 2)
kn = _row("kn", None, lambda ans, n, x: -(kv(n - 1, x) + kv(n + 1, x)) / 2)
# Scaled by exp(-|x|); of the kinds K, by exp(x).
i0e = _row("i0e", lambda ans, x: i1e(x) - sign(x) * ans)
i1e = _row("i1e", lambda ans, x: (i0e(x) + ive(2, x)) / 2 - sign(x) * ans)
ive = _row("ive", None, lambda ans, v, x: (ive(v - 1, x) + ive(v + 1, x)) / 2 - sign(x) * ans)
k0e = _row("k0e", lambda ans, x: ans - k1e(x))
k1e = _row("k1e", lambda ans, x: ans - (k0e(x) + kve(2, x)) / 2)
kve = _row("kve", None, lambda ans, v, x: ans - (kve(v - 1, x) + kve(v + 1, x)) / 2)

# --- logistic functions, entropies ----------------------------------------------------------------

expit = _row("expit", lambda ans, x: ans * expit(-x), mxnet="sigmoid")
log_expit = _row("log_expit", lambda ans, x: expit(-x))
logit = _row("logit", lambda ans, x: 1 / (x * (1 - x)))


def _ratio(x: Any, y: Any) -> Any:
    """Return x / y, zero where x is: there x log y is constant in y."""
    none = equal(x, 0)
    return where(none, 0.0, x / where(none, 1.0, y))


xlogy = _row("xlogy", lambda ans, x, y: log(y), lambda ans, x, y: _ratio(x, y))
xlog1py = _row("xlog1py", lambda ans, x, y: log1p(y), lambda ans, x, y: _ratio(x, 1 + y))
entr = _row("entr", lambda ans, x: -log(x) - 1)
rel_entr = _row("rel_entr", lambda ans, x, y: log(x / y) + 1, lambda ans, x, y: -x / y)
kl_div = _row("kl_div", lambda ans, x, y: log(x / y), lambda ans, x, y: 1 - x / y)

# --- of other forms -------------------------------------------------------------------------------

polygamma = Function(
    "special.polygamma",
    Kernel("special.polygamma", 2),
    parameters=("n", "x"),
    arrays=2,
    doc="As `scipy.special.polygamma`.",
)
defvjp(
    polygamma,
    lambda ans, n, x: unbroadcast_f(x, lambda g: g * polygamma(as_ndarray(n) + 1, x)),
    argnums=[1],
)
defjvp(polygamma, lambda g, ans, n, x: g * polygamma(as_ndarray(n) + 1, x), argnums=[1])

multigammaln = Function(
    "special.multigammaln",
    Kernel("special.multigammaln", 1),
    parameters=("a", "d"),
    arrays=1,
    doc="As `scipy.special.multigammaln`.",
)


def _dmultigammaln(a: Any, d: int) -> Any:
    return sum(psi(expand_dims(a, -1) - numpy.arange(d) / 2.0), -1)


defvjp(multigammaln, lambda ans, a, d: unbroadcast_f(a, lambda g: g * _dmultigammaln(a, d)))
defjvp(multigammaln, lambda g, ans, a, d: g * _dmultigammaln(a, d))


def _logsumexp_kernel(
    a: Any, b: Any = None, axis: Any = None, keepdims: bool = False
) -> tuple[Any, Any]:
    kernel = Kernel("special.logsumexp", 1)
    if numpy.iscomplexobj(a) or numpy.iscomplexobj(b):  # the phase is in the logarithm
        value = kernel(a, axis=axis, b=b, keepdims=keepdims)
        return value, numpy.ones_like(value.real)
    value, sgn = kernel(a, axis=axis, b=b, keepdims=keepdims, return_sign=True)
    if numpy.ndim(a) == 0:  # of which SciPy makes a vector
        return numpy.reshape(value, ()), numpy.reshape(sgn, ())
    return value, sgn


_logsumexp = Function("special.logsumexp", _logsumexp_kernel, arrays=2)


def _weights(ans: tuple, a: Any, b: Any, axis: Any, keepdims: bool) -> Any:
    """Return exp(a - ans) with the sign of the sum: shares where that is infinite."""
    value, sgn = ans
    if not keepdims and value.ndim != a.ndim:
        axes = range(a.ndim) if axis is None else axis
        axes = tuple(k % a.ndim for k in (axes if isinstance(axes, tuple | range) else (axes,)))
        value, sgn = expand_dims(value, axes), expand_dims(sgn, axes)
    infinite = isinf(value)
    finite = exp(where(infinite, 0.0, a - where(infinite, 0.0, value)))
    tops = equal(a, value) * (value.real > 0)
    count = sum(tops, axis, keepdims=True)
    shares = tops / where(equal(count, 0), 1, count)
    return where(infinite, shares.astype(finite.dtype), finite) * sgn


def _logsumexp_vjp(factor: Callable[..., Any], which: int) -> Any:
    def rule(
        ans: tuple, a: Any, b: Any = None, axis: Any = None, keepdims: bool = False
    ) -> Callable[[Any], Any]:
        target = (a, b)[which]

        def vjp(g: tuple) -> Any:
            up = g[0]
            if not keepdims and up.ndim != a.ndim:
                axes = range(a.ndim) if axis is None else axis
                axes = axes if isinstance(axes, tuple | range) else (axes,)
                up = expand_dims(up, tuple(k % a.ndim for k in axes))
            return up * factor(_weights(ans, a, b, axis, keepdims), b)

        return unbroadcast_f(target, vjp)

    return rule


defvjp(
    _logsumexp,
    _logsumexp_vjp(lambda w, b: w if b is None else w * b, 0),
    _logsumexp_vjp(lambda w, b: w, 1),
)


def logsumexp(
    a: Any, axis: Any = None, b: Any = None, keepdims: bool = False, return_sign: bool = False
) -> Any:
    """Return the logarithm of a sum of exponentials, as `scipy.special.logsumexp`.

    Its derivative is the softmax; where the result is infinite, equal shares of the largest
    elements, and zero where all are -inf.

    Examples
    --------
    >>> import minpy, minpy.numpy as np
    >>> from minpy.scipy.special import logsumexp
    >>> minpy.grad(logsumexp)(np.array([1000., 1000.]))
    array([0.5, 0.5])
    """
    a = as_ndarray(a)
    if a.dtype.kind not in "fc":
        a = a * 1.0
    if b is not None:
        b = as_ndarray(b)
        b = b if b.dtype.kind in "fc" else b.astype(a.real.dtype)
        a, b = broadcast_arrays(a, b)
    value, sgn = _logsumexp(a, b, axis=axis, keepdims=keepdims)
    if return_sign:
        return (value.real, exp(value.imag * 1j)) if value.dtype.kind == "c" else (value, sgn)
    if b is None or value.dtype.kind == "c":
        return value
    return where(less(sgn, 0), math.nan, value)


def softmax(x: Any, axis: Any = None) -> ndarray:
    """Return exponentials divided by their sum, as `scipy.special.softmax`."""
    return exp(log_softmax(x, axis))


def log_softmax(x: Any, axis: Any = None) -> ndarray:
    """Return the logarithm of the softmax, as `scipy.special.log_softmax`."""
    x = as_ndarray(x)
    return x - logsumexp(x, axis, keepdims=True)


__all__ = [
    *_names,
    "log_softmax",
    "logsumexp",
    "multigammaln",
    "polygamma",
    "softmax",
]
