"""Activation functions of each element by itself; no weights in them.

A row of the table is a function: its kernels, and its derivative.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy

from minpy.array import as_ndarray, ndarray
from minpy.autograd.rules import defjvp, defvjp
from minpy.layers.functions.composition import (
    differentiate_forward_as,
    differentiate_reverse_as,
)
from minpy.layers.functions.operands import (
    as_float,
    is_float32,
    refuse_all_but_float32,
    refuse_unsupported,
)
from minpy.numpy.elementwise import exp, multiply, tanh, where
from minpy.primitives import Primitive

__all__ = [
    "elu",
    "exponential",
    "gelu",
    "hard_sigmoid",
    "leaky_relu",
    "relu",
    "selu",
    "sigmoid",
    "silu",
    "softplus",
    "softsign",
    "swish",
    "tanh",
]

# Measured on two cores of a Zen 5, float32, 2.8 million elements (oneDNN, NumPy; ms):
#   relu 0.14 0.78   sigmoid 0.33 1.5   tanh 0.34 0.47   elu 0.31 9   gelu 0.47 60
# A call of an MXNet operator takes 27 µs, in which NumPy does 65,000 elements of sigmoid, 2,000 of
# gelu and 8,000 of elu. relu runs on oneDNN in a graph only: it turns NaN into 0.


def _from(size: int) -> Callable[..., bool]:
    return lambda x, *rest: is_float32(x) and x.size >= size


def _quiet(kernel: Callable[..., Any]) -> Callable[..., Any]:
    """Let a kernel overflow to infinity on the way to a finite result, without a warning."""

    def run(*args: Any) -> Any:
        with numpy.errstate(over="ignore"):
            return kernel(*args)

    return run


# --- NumPy kernels --------------------------------------------------------------------------------


def _relu(x: numpy.ndarray) -> numpy.ndarray:
    return numpy.maximum(x, 0)


@_quiet
def _sigmoid(x: numpy.ndarray) -> numpy.ndarray:
    # exp(-x) keeps its relative precision where the result is tiny; 1 - exp(x) would not.
    out = numpy.asarray(numpy.exp(numpy.negative(x)))
    out += 1
    return numpy.reciprocal(out, out=out)


def _softplus(x: numpy.ndarray) -> numpy.ndarray:
    return numpy.maximum(x, 0) + numpy.log1p(numpy.exp(-numpy.abs(x)))


def _softsign(x: numpy.ndarray) -> numpy.ndarray:
    return x / (1 + numpy.abs(x))


def _elu(x: numpy.ndarray, alpha: float) -> numpy.ndarray:
    return numpy.where(x > 0, x, alpha * numpy.expm1(numpy.minimum(x, 0)))


def _leaky_relu(x: numpy.ndarray, slope: float) -> numpy.ndarray:
    return numpy.where(x > 0, x, slope * x)


def _hard_sigmoid(x: numpy.ndarray) -> numpy.ndarray:
    return numpy.clip(x * (1 / 6) + 0.5, 0, 1)


# exp(z²) erfc(z) (1 + 2 z) for z >= 0 as a polynomial in (z - 3.75) / (z + 3.75): interpolated at
# the Chebyshev points to a relative error of 4e-15, in double precision.
_ERFCX = (
    1.2375126308378264,
    -0.14024059858550575,
    0.0035854154857627857,
    0.08227673848704045,
    -0.10880393015433062,
    0.09230432122771155,
    -0.05869339838397541,
    0.02836227674782648,
    -0.009746581262494456,
    0.0017556295487634313,
    0.0002937218341919264,
    -0.00029016639136143893,
    5.162479200942778e-05,
    2.241015775977701e-05,
    -1.1397625287921655e-05,
    -1.0084713725546233e-06,
    1.6939254478276176e-06,
    -2.7685663849700945e-08,
    -2.1321360409864602e-07,
    8.512559451761331e-09,
    1.7312209083118933e-08,
)


def _normal_cdf(x: numpy.ndarray) -> numpy.ndarray:
    dtype = numpy.promote_types(x.dtype, numpy.float32)
    z = numpy.abs(x).astype(dtype, copy=False) * dtype.type(math.sqrt(0.5))
    u = 1 - 7.5 / (z + 3.75)
    out = numpy.full_like(u, _ERFCX[-1])
    for coefficient in _ERFCX[-2::-1]:
        out *= u
        out += dtype.type(coefficient)
    out *= numpy.exp(-z * z) * 0.5
    out /= 1 + 2 * z
    return numpy.where(x > 0, 1 - out, out).astype(x.dtype, copy=False)


def _gelu(x: numpy.ndarray) -> numpy.ndarray:
    return x * _normal_cdf(x)


def _gelu_gradient(g: numpy.ndarray, x: numpy.ndarray) -> numpy.ndarray:
    density = numpy.exp(x * x * x.dtype.type(-0.5))
    density *= x.dtype.type(1 / math.sqrt(2 * math.pi))
    density *= x
    density += _normal_cdf(x)
    return g * density


# --- MXNet kernels --------------------------------------------------------------------------------


def _mx(op: str, **attrs: Any) -> Callable[..., Any]:
    def kernel(F: Any, x: Any) -> Any:
        refuse_unsupported(x)
        return F(op, x, **attrs)

    return kernel


def _mx_leaky(kind: str) -> Callable[..., Any]:
    def kernel(F: Any, x: Any, *slope: float) -> Any:
        refuse_all_but_float32(x)
        told = {"slope": slope[0]} if slope else {}
        return F("LeakyReLU", x, act_type=kind, **told)

    return kernel


def _mx_hard_sigmoid(F: Any, x: Any) -> Any:
    refuse_all_but_float32(x)
    return F("hard_sigmoid", x, alpha=1 / 6, beta=0.5)


def _mx_relu(F: Any, x: Any) -> Any:
    refuse_unsupported(x)
    if not F.symbolic:
        return F("relu", x)
    made = F("Activation", x, act_type="relu")
    made.relu_of = x
    return made


def _mx_softplus(F: Any, x: Any) -> Any:
    # oneDNN's is off by 2e-6, and negative where x is.
    refuse_unsupported(x)
    rest = F("log1p", F("exp", F("negative", F("abs", x))))
    return F("elemwise_add", F("relu", x), rest)


def _mx_normal_cdf(F: Any, x: Any) -> Any:
    refuse_unsupported(x)
    e = F("erf", F("_mul_scalar", x, scalar=math.sqrt(0.5)))
    return F("_mul_scalar", F("_plus_scalar", e, scalar=1.0), scalar=0.5)


# --- the table ------------------------------------------------------------------------------------


def _activation(
    name: str,
    kernel: Callable[..., Any],
    derivative: Callable[..., Any],
    mxnet: Callable[..., Any],
    faster_on_mxnet: Any = False,
) -> Primitive:
    """Make a primitive of its kernels and its derivative, a function of result and input."""
    op = Primitive(name, kernel, arrays=1, mxnet=mxnet, faster_on_mxnet=faster_on_mxnet)
    defvjp(op, lambda ans, x, *args: lambda g: g * derivative(ans, x, *args))
    defjvp(op, lambda g, ans, x, *args: g * derivative(ans, x, *args))
    return op


_relu_op = _activation("relu", _relu, lambda ans, x: ans > 0, _mx_relu)
_sigmoid_op = _activation(
    "sigmoid",
    _sigmoid,
    lambda ans, x: ans * (1 - ans),
    _mx("Activation", act_type="sigmoid"),
    _from(65_000),
)
_softplus_op = _activation("softplus", _softplus, lambda ans, x: _sigmoid_op(x), _mx_softplus)
_softsign_op = _activation(
    "softsign",
    _softsign,
    lambda ans, x: (1 - abs(ans)) ** 2,
    _mx("Activation", act_type="softsign"),
)
_elu_op = _activation(
    "elu",
    _elu,
    lambda ans, x, alpha: where(x > 0, 1.0, ans + alpha),
    _mx_leaky("elu"),
    _from(8_000),
)
_leaky_relu_op = _activation(
    "leaky_relu",
    _leaky_relu,
    lambda ans, x, slope: where(x > 0, 1.0, slope),
    _mx_leaky("leaky"),
    _from(65_000),
)
_hard_sigmoid_op = _activation(
    "hard_sigmoid",
    _hard_sigmoid,
    lambda ans, x: ((ans > 0) & (ans < 1)) * (1 / 6),
    _mx_hard_sigmoid,
)
# The distribution function of the normal distribution, and its density.
_normal_cdf_op = _activation(
    "normal_cdf", _normal_cdf, lambda ans, x: _normal_density(x), _mx_normal_cdf, _from(2_000)
)
_gelu_op = Primitive("gelu", _gelu, arrays=1, mxnet=_mx_leaky("gelu"), faster_on_mxnet=_from(2_000))
# gelu_gradient(g, x): g times the derivative at x, for which oneDNN has a kernel.
_gelu_gradient_op = Primitive("gelu_gradient", _gelu_gradient, arrays=2)
defvjp(_gelu_op, lambda ans, x: lambda g: _gelu_gradient_op(g, x))
defjvp(_gelu_op, lambda t, ans, x: _gelu_gradient_op(t, x))


def _normal_density(x: Any) -> Any:
    return exp(x * x * -0.5) * (1 / math.sqrt(2 * math.pi))


def _composed_gelu_gradient(g: Any, x: Any) -> Any:
    return g * (_normal_cdf_op(x) + x * _normal_density(x))


differentiate_reverse_as(_gelu_gradient_op, _composed_gelu_gradient)
differentiate_forward_as(_gelu_gradient_op, _composed_gelu_gradient)


# --- public functions -----------------------------------------------------------------------------


def relu(x: Any) -> ndarray:
    """Return ``max(x, 0)``; its derivative at 0 is 0.

    Notes
    -----
    NaN stays NaN, but for a compiled graph on the CPU: oneDNN's relu, five times as fast as any
    other there, makes it 0.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers.functions import relu
    >>> relu(np.array([-1., 2.]))
    array([0., 2.])
    """
    return _relu_op(as_ndarray(x))


def sigmoid(x: Any) -> ndarray:
    """Return ``1 / (1 + exp(-x))``.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers.functions import sigmoid
    >>> sigmoid(np.array([-1000., 0., 1000.]))
    array([0. , 0.5, 1. ])
    """
    return _sigmoid_op(as_float(x))


def softplus(x: Any) -> ndarray:
    """Return ``log(1 + exp(x))``, for any x without overflow.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers.functions import softplus
    >>> softplus(np.array([0., 1000.]))
    array([6.931472e-01, 1.000000e+03])
    """
    return _softplus_op(as_float(x))


def softsign(x: Any) -> ndarray:
    """Return ``x / (1 + abs(x))``.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers.functions import softsign
    >>> softsign(np.array([-1., 3.]))
    array([-0.5 ,  0.75])
    """
    return _softsign_op(as_float(x))


def elu(x: Any, alpha: float = 1.0) -> ndarray:
    """Return x where it is positive, else ``alpha * (exp(x) - 1)`` (Clevert et al., 2015).

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers.functions import elu
    >>> elu(np.array([-1000., 2.]))
    array([-1.,  2.])
    """
    return _elu_op(as_float(x), float(alpha))


def selu(x: Any) -> ndarray:
    """Return a scaled elu that keeps mean 0 and variance 1 (Klambauer et al., 2017).

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers.functions import selu
    >>> selu(np.array([0., -1000.]))
    array([ 0.       , -1.7580993])
    """
    return elu(x, 1.6732632423543772) * 1.0507009873554805


def leaky_relu(x: Any, negative_slope: float = 0.2) -> ndarray:
    """Return x where it is positive, else ``negative_slope * x``.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers.functions import leaky_relu
    >>> leaky_relu(np.array([-1., 2.]))
    array([-0.2,  2. ])
    """
    return _leaky_relu_op(as_float(x), float(negative_slope))


def gelu(x: Any, approximate: bool = False) -> ndarray:
    """Return ``x * P(X <= x)`` for a standard normal X (Hendrycks and Gimpel, 2016).

    Parameters
    ----------
    x
        Array of any shape.
    approximate
        Use the authors' approximation by tanh.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers.functions import gelu
    >>> gelu(np.array([-1., 0., 1.]))
    array([-0.15865525,  0.        ,  0.8413447 ])
    """
    x = as_float(x)
    if not approximate:
        return _gelu_op(x)
    return x * 0.5 * (1 + tanh((x + x * x * x * 0.044715) * math.sqrt(2 / math.pi)))


def silu(x: Any) -> ndarray:
    """Return ``x * sigmoid(x)``, also called swish.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers.functions import silu
    >>> silu(np.array([-1e4, 0., 1e4]))
    array([   -0.,     0., 10000.])
    """
    x = as_float(x)
    return multiply(x, _sigmoid_op(x))


swish = silu


def hard_sigmoid(x: Any) -> ndarray:
    """Return ``x / 6 + 0.5``, limited to [0, 1]: Keras 3's piecewise linear sigmoid.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers.functions import hard_sigmoid
    >>> hard_sigmoid(np.array([-4., 0., 1.5]))
    array([0.  , 0.5 , 0.75])
    """
    return _hard_sigmoid_op(as_float(x))


def exponential(x: Any) -> ndarray:
    """Return ``exp(x)``."""
    return exp(as_ndarray(x))
