"""Element-by-element functions: NumPy's ufuncs as primitives, each with its derivative in one row.

It must not know about reductions, shapes or indexing beyond broadcasting.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy

from minpy import runtime
from minpy.array import ndarray
from minpy.autograd.rules import def_linear, defjvp, defvjp
from minpy.numpy.broadcasting import unbroadcast_f
from minpy.primitives import Primitive

# --- MXNet kernels of a shape ---------------------------------------------------------------------


def _mx_unary(op: str) -> Callable[..., Any]:
    def kernel(F: Any, x: Any, **kwargs: Any) -> Any:
        if kwargs:
            raise runtime.Unsupported(f"{op} takes no {', '.join(kwargs)}")
        return F(op, x)

    return kernel


def _mx_binary(op: str, scalar: str | None = None, reflected: str | None = None):
    """Two arrays, or an array and a Python number on either side."""
    scalar = scalar or f"{op}_scalar"
    reflected = reflected or scalar

    def kernel(F: Any, x: Any, y: Any, **kwargs: Any) -> Any:
        if kwargs:
            raise runtime.Unsupported(f"{op} takes no {', '.join(kwargs)}")
        for name, array, number in ((scalar, x, y), (reflected, y, x)):
            if isinstance(number, bool | int | float | numpy.generic):
                if isinstance(array, bool | int | float | numpy.generic):
                    raise runtime.Unsupported("two scalars")
                whole = isinstance(number, bool | int | numpy.integer | numpy.bool_)
                return F(name, array, scalar=float(number), is_int=whole)
        return F(op, x, y)

    return kernel


# --- how rows become primitives -------------------------------------------------------------------

_names: list[str] = []


def _ufunc(name: str, mxnet: Any = None, **options: Any) -> Primitive:
    made = Primitive(name, getattr(numpy, name), mxnet=mxnet, **options)
    globals()[name] = made
    _names.append(name)
    return made


def _unary(name: str, of_x: Any = None, of_ans: Any = None, mxnet: str | None = None) -> Primitive:
    """Make a primitive of a derivative given as a function of x or of the result.

    A rule keeps alive only the one that it needs.
    """
    op = _ufunc(name, _mx_unary(mxnet) if mxnet else None)
    if of_ans is not None:
        defvjp(op, lambda ans, x, **kw: lambda g: g * of_ans(ans))
        defjvp(op, lambda g, ans, x, **kw: g * of_ans(ans))
    else:
        defvjp(op, lambda ans, x, **kw: lambda g: g * of_x(x))
        defjvp(op, lambda g, ans, x, **kw: g * of_x(x))
    return op


def _linear_unary(name: str, vjp: Callable[[Any], Any], mxnet: str | None = None) -> Primitive:
    op = _ufunc(name, _mx_unary(mxnet) if mxnet else None)
    defvjp(op, lambda ans, x, **kw: vjp)
    def_linear(op)
    return op


# --- unary ----------------------------------------------------------------------------------------

_LN2 = float(numpy.log(2.0))
_LN10 = float(numpy.log(10.0))
_DEGREES = float(180.0 / numpy.pi)

positive = _linear_unary("positive", lambda g: g)
negative = _linear_unary("negative", lambda g: -g, mxnet="_npi_negative")
deg2rad = _linear_unary("deg2rad", lambda g: g * (1 / _DEGREES), mxnet="_npi_deg2rad")
radians = _linear_unary("radians", lambda g: g * (1 / _DEGREES), mxnet="_npi_radians")
rad2deg = _linear_unary("rad2deg", lambda g: g * _DEGREES, mxnet="_npi_rad2deg")
degrees = _linear_unary("degrees", lambda g: g * _DEGREES, mxnet="_npi_degrees")

exp = _unary("exp", of_ans=lambda ans: ans, mxnet="_npi_exp")
exp2 = _unary("exp2", of_ans=lambda ans: ans * _LN2)
expm1 = _unary("expm1", of_ans=lambda ans: ans + 1, mxnet="_npi_expm1")
log = _unary("log", of_x=lambda x: 1 / x, mxnet="_npi_log")
log2 = _unary("log2", of_x=lambda x: 1 / (x * _LN2), mxnet="_npi_log2")
log10 = _unary("log10", of_x=lambda x: 1 / (x * _LN10), mxnet="_npi_log10")
log1p = _unary("log1p", of_x=lambda x: 1 / (x + 1), mxnet="_npi_log1p")
sqrt = _unary("sqrt", of_ans=lambda ans: 0.5 / ans, mxnet="_npi_sqrt")
cbrt = _unary("cbrt", of_ans=lambda ans: 1 / (3 * ans * ans), mxnet="_npi_cbrt")
square = _unary("square", of_x=lambda x: 2 * x, mxnet="_npi_square")
reciprocal = _unary("reciprocal", of_ans=lambda ans: -ans * ans, mxnet="_npi_reciprocal")
sin = _unary("sin", of_x=lambda x: cos(x), mxnet="_npi_sin")
cos = _unary("cos", of_x=lambda x: -sin(x), mxnet="_npi_cos")
tan = _unary("tan", of_ans=lambda ans: 1 + ans * ans, mxnet="_npi_tan")
arcsin = _unary("arcsin", of_x=lambda x: 1 / sqrt(1 - x * x), mxnet="_npi_arcsin")
arccos = _unary("arccos", of_x=lambda x: -1 / sqrt(1 - x * x), mxnet="_npi_arccos")
arctan = _unary("arctan", of_x=lambda x: 1 / (1 + x * x), mxnet="_npi_arctan")
sinh = _unary("sinh", of_x=lambda x: cosh(x), mxnet="_npi_sinh")
cosh = _unary("cosh", of_x=lambda x: sinh(x), mxnet="_npi_cosh")
tanh = _unary("tanh", of_ans=lambda ans: 1 - ans * ans, mxnet="_npi_tanh")
arcsinh = _unary("arcsinh", of_x=lambda x: 1 / sqrt(x * x + 1), mxnet="_npi_arcsinh")
arccosh = _unary("arccosh", of_x=lambda x: 1 / sqrt(x * x - 1), mxnet="_npi_arccosh")
arctanh = _unary("arctanh", of_x=lambda x: 1 / (1 - x * x), mxnet="_npi_arctanh")


def _absolute_vjp(ans: Any, x: ndarray, **kw: Any) -> Callable[[Any], Any]:
    if x.dtype.kind == "c":
        return lambda g: g * conjugate(x) / _replace_zero(ans, 1.0)
    return lambda g: g * sign(x)


def _absolute_jvp(g: Any, ans: Any, x: ndarray, **kw: Any) -> Any:
    if x.dtype.kind == "c":
        return real(g * conjugate(x)) / _replace_zero(ans, 1.0)
    return g * sign(x)


absolute = _ufunc("absolute", _mx_unary("_npi_absolute"))
defvjp(absolute, _absolute_vjp)
defjvp(absolute, _absolute_jvp)
fabs = _ufunc("fabs", _mx_unary("_npi_absolute"))
defvjp(fabs, _absolute_vjp)
defjvp(fabs, _absolute_jvp)

# Complex: HIPS autograd's convention, a gradient is the conjugate of the usual one.
conjugate = _linear_unary("conjugate", lambda g: conjugate(g))
real = Primitive("real", numpy.real, is_view=True)
imag = Primitive("imag", numpy.imag, is_view=True)
angle = Primitive("angle", numpy.angle, arrays=1)
real_if_close = Primitive("real_if_close", numpy.real_if_close, arrays=1)


def _as_kind_of(x: ndarray, g: Any) -> Any:
    """Give a real gradient the complex dtype of its argument."""
    return g + 0j if x.dtype.kind == "c" else g


defvjp(real, lambda ans, x: lambda g: _as_kind_of(x, g))
def_linear(real)
defvjp(imag, lambda ans, x: lambda g: g * -1j if x.dtype.kind == "c" else g * 0.0)
def_linear(imag)
defvjp(
    angle,
    lambda ans, x, deg=False: (
        lambda g: g * conjugate(x * 1j) / absolute(x) ** 2 if x.dtype.kind == "c" else g * 0.0
    ),
)
defjvp(
    angle,
    lambda g, ans, x, deg=False: (
        real(g * conjugate(x * 1j) / absolute(x) ** 2) if x.dtype.kind == "c" else g * 0.0
    ),
)
defvjp(real_if_close, lambda ans, x, tol=100: lambda g: _as_kind_of(x, g))

# --- binary ---------------------------------------------------------------------------------------


def _replace_zero(x: Any, value: float) -> Any:
    return where(x == 0, value, x)


def _share(x: Any, ans: Any, y: Any) -> Any:
    """Return 1 where x is the result, 1/2 where both are: the documented subgradient at ties."""
    return (x == ans) / (1.0 + (x == y))


def _dpower_dx(ans: Any, x: Any, y: Any) -> Any:
    if not isinstance(y, ndarray | numpy.ndarray):
        return y * power(x, y - 1) if y != 0 else zeros_like(ans)
    return y * power(x, where(y == 0, 1, y - 1))


def _dpower_dy(ans: Any, x: Any, y: Any) -> Any:
    return log(_replace_zero(x, 1.0)) * ans


add = _ufunc("add", _mx_binary("_npi_add"))
defvjp(
    add,
    lambda ans, x, y, **kw: unbroadcast_f(x, lambda g: g),
    lambda ans, x, y, **kw: unbroadcast_f(y, lambda g: g),
)
defjvp(
    add,
    lambda g, ans, x, y, **kw: _broadcast(g, ans),
    lambda g, ans, x, y, **kw: _broadcast(g, ans),
)

subtract = _ufunc("subtract", _mx_binary("_npi_subtract", reflected="_npi_rsubtract_scalar"))
defvjp(
    subtract,
    lambda ans, x, y, **kw: unbroadcast_f(x, lambda g: g),
    lambda ans, x, y, **kw: unbroadcast_f(y, lambda g: -g),
)
defjvp(
    subtract,
    lambda g, ans, x, y, **kw: _broadcast(g, ans),
    lambda g, ans, x, y, **kw: _broadcast(-g, ans),
)

multiply = _ufunc("multiply", _mx_binary("_npi_multiply"))
defvjp(
    multiply,
    lambda ans, x, y, **kw: unbroadcast_f(x, lambda g: g * y),
    lambda ans, x, y, **kw: unbroadcast_f(y, lambda g: g * x),
)
defjvp(
    multiply,
    lambda g, ans, x, y, **kw: g * y,
    lambda g, ans, x, y, **kw: x * g,
)

true_divide = _ufunc(
    "true_divide", _mx_binary("_npi_true_divide", reflected="_npi_rtrue_divide_scalar")
)
defvjp(
    true_divide,
    lambda ans, x, y, **kw: unbroadcast_f(x, lambda g: g / y),
    lambda ans, x, y, **kw: unbroadcast_f(y, lambda g: -g * ans / y),
)
defjvp(
    true_divide,
    lambda g, ans, x, y, **kw: g / y,
    lambda g, ans, x, y, **kw: -g * ans / y,
)
divide = true_divide

power = _ufunc("power", _mx_binary("_npi_power", reflected="_npi_rpower_scalar"))
float_power = _ufunc("float_power")
for _op in (power, float_power):
    defvjp(
        _op,
        lambda ans, x, y, **kw: unbroadcast_f(x, lambda g: g * _dpower_dx(ans, x, y)),
        lambda ans, x, y, **kw: unbroadcast_f(y, lambda g: g * _dpower_dy(ans, x, y)),
    )
    defjvp(
        _op,
        lambda g, ans, x, y, **kw: g * _dpower_dx(ans, x, y),
        lambda g, ans, x, y, **kw: g * _dpower_dy(ans, x, y),
    )

# The remainder takes the sign of the divisor (mod) or of the dividend (fmod).
remainder = _ufunc("remainder", _mx_binary("_npi_mod", reflected="_npi_rmod_scalar"))
fmod = _ufunc("fmod")
mod = remainder
for _op, _quotient in (
    (remainder, lambda x, y: floor(x / y)),
    (fmod, lambda x, y: trunc(x / y)),
):
    defvjp(
        _op,
        lambda ans, x, y, **kw: unbroadcast_f(x, lambda g: g),
        lambda ans, x, y, _q=_quotient, **kw: unbroadcast_f(y, lambda g: -g * _q(x, y)),
    )
    defjvp(
        _op,
        lambda g, ans, x, y, **kw: _broadcast(g, ans),
        lambda g, ans, x, y, _q=_quotient, **kw: -g * _q(x, y),
    )

maximum = _ufunc("maximum", _mx_binary("_npi_maximum"))
minimum = _ufunc("minimum", _mx_binary("_npi_minimum"))
fmax = _ufunc("fmax", _mx_binary("_npi_fmax"))
fmin = _ufunc("fmin", _mx_binary("_npi_fmin"))
for _op in (maximum, minimum, fmax, fmin):
    defvjp(
        _op,
        lambda ans, x, y, **kw: unbroadcast_f(x, lambda g: g * _share(x, ans, y)),
        lambda ans, x, y, **kw: unbroadcast_f(y, lambda g: g * _share(y, ans, x)),
    )
    defjvp(
        _op,
        lambda g, ans, x, y, **kw: g * _share(x, ans, y),
        lambda g, ans, x, y, **kw: g * _share(y, ans, x),
    )


def _binary(name: str, dx: Any, dy: Any, mxnet: Any = None) -> Primitive:
    """Make a primitive of its two partial derivatives as functions of (ans, x, y)."""
    op = _ufunc(name, mxnet)
    defvjp(
        op,
        lambda ans, x, y, **kw: unbroadcast_f(x, lambda g: g * dx(ans, x, y)),
        lambda ans, x, y, **kw: unbroadcast_f(y, lambda g: g * dy(ans, x, y)),
    )
    defjvp(
        op,
        lambda g, ans, x, y, **kw: g * dx(ans, x, y),
        lambda g, ans, x, y, **kw: g * dy(ans, x, y),
    )
    return op


arctan2 = _binary(
    "arctan2",
    lambda ans, x, y: y / (x * x + y * y),
    lambda ans, x, y: -x / (x * x + y * y),
    _mx_binary("_npi_arctan2", reflected="_npi_rarctan2_scalar"),
)
hypot = _binary(
    "hypot",
    lambda ans, x, y: x / _replace_zero(ans, 1.0),
    lambda ans, x, y: y / _replace_zero(ans, 1.0),
    _mx_binary("_npi_hypot"),
)
logaddexp = _binary("logaddexp", lambda ans, x, y: exp(x - ans), lambda ans, x, y: exp(y - ans))
logaddexp2 = _binary("logaddexp2", lambda ans, x, y: exp2(x - ans), lambda ans, x, y: exp2(y - ans))
copysign = _binary(
    "copysign",
    lambda ans, x, y: sign(x) * copysign(ones_like(ans), y),
    lambda ans, x, y: zeros_like(ans),
    _mx_binary("_npi_copysign", reflected="_npi_rcopysign_scalar"),
)


def _broadcast(g: Any, ans: Any) -> Any:
    """Repeat a tangent to the shape of the result."""
    return g if g.shape == ans.shape else add(g, zeros_like(ans))


# --- no derivative by nature: piecewise constant, or of booleans and integers ------------------------

_CONSTANT = {
    "sign": "_npi_sign",
    "floor": "_npi_floor",
    "ceil": "_npi_ceil",
    "trunc": "_npi_trunc",
    "rint": "_npi_rint",
    "fix": "_npi_fix",
    "isnan": "_npi_isnan",
    "isinf": "_npi_isinf",
    "isfinite": "_npi_isfinite",
    "signbit": None,
    "isposinf": "_npi_isposinf",
    "isneginf": "_npi_isneginf",
    "iscomplex": None,
    "isreal": None,
    "logical_not": "_npi_logical_not",
    "invert": "_npi_bitwise_not",
    "spacing": None,
    "floor_divide": None,
    "equal": "_npi_equal",
    "not_equal": "_npi_not_equal",
    "less": "_npi_less",
    "less_equal": "_npi_less_equal",
    "greater": "_npi_greater",
    "greater_equal": "_npi_greater_equal",
    "logical_and": "_npi_logical_and",
    "logical_or": "_npi_logical_or",
    "logical_xor": "_npi_logical_xor",
    "bitwise_and": "_npi_bitwise_and",
    "bitwise_or": "_npi_bitwise_or",
    "bitwise_xor": "_npi_bitwise_xor",
    "left_shift": None,
    "right_shift": None,
    "gcd": None,
    "lcm": "_npi_lcm",
    "nextafter": None,
    "heaviside": None,
    "isclose": None,
}
_MIRRORED = {
    "less": "_npi_greater_scalar",
    "less_equal": "_npi_greater_equal_scalar",
    "greater": "_npi_less_scalar",
    "greater_equal": "_npi_less_equal_scalar",
}
_UNARY_CONSTANTS = frozenset(list(_CONSTANT)[: list(_CONSTANT).index("spacing")])

for _name, _op_name in _CONSTANT.items():
    _kernel = None
    if _op_name is not None:
        _kernel = (
            _mx_unary(_op_name)
            if _name in _UNARY_CONSTANTS
            else _mx_binary(_op_name, reflected=_MIRRORED.get(_name))
        )
    _ufunc(_name, _kernel, differentiable=False)

sign: Primitive
floor: Primitive
trunc: Primitive

# --- where, and the constants that rules need -------------------------------------------------------


def _mx_where(F: Any, condition: Any, x: Any, y: Any) -> Any:
    plain = bool | int | float | numpy.generic
    if isinstance(condition, plain):
        raise runtime.Unsupported("a scalar condition")
    if isinstance(x, plain) and isinstance(y, plain):
        raise runtime.Unsupported("two scalars")
    if isinstance(x, plain):
        return F("_npi_where_lscalar", condition, y, scalar=float(x))
    if isinstance(y, plain):
        return F("_npi_where_rscalar", condition, x, scalar=float(y))
    return F("_npi_where", condition, x, y)


_where = Primitive("where", numpy.where, mxnet=_mx_where)
defvjp(
    _where,
    None,
    lambda ans, c, x, y: unbroadcast_f(x, lambda g: _where(c, g, 0.0)),
    lambda ans, c, x, y: unbroadcast_f(y, lambda g: _where(c, 0.0, g)),
)
defjvp(
    _where,
    None,
    lambda g, ans, c, x, y: _broadcast(_where(c, g, 0.0), ans),
    lambda g, ans, c, x, y: _broadcast(_where(c, 0.0, g), ans),
)


def where(condition: Any, x: Any = None, y: Any = None) -> Any:
    """Take elements from `x` where `condition` holds and from `y` elsewhere, as `numpy.where`.

    With a condition alone, return the indices where it holds, as `numpy.nonzero`.
    """
    from minpy.primitives import registry

    if x is None and y is None:
        return registry["nonzero"](condition)
    if x is None or y is None:
        raise ValueError("where: expected both x and y, or neither")
    return _where(condition, x, y)


zeros_like = Primitive(
    "zeros_like", numpy.zeros_like, arrays=1, mxnet=_mx_unary("zeros_like"), differentiable=False
)
ones_like = Primitive(
    "ones_like", numpy.ones_like, arrays=1, mxnet=_mx_unary("ones_like"), differentiable=False
)


def _astype(x: numpy.ndarray, dtype: Any, copy: bool = True, **kwargs: Any) -> numpy.ndarray:
    return x.astype(dtype, copy=copy, **kwargs)


def _mx_astype(F: Any, x: Any, dtype: Any, copy: bool = True, **kwargs: Any) -> Any:
    if kwargs or not runtime.supports(numpy.dtype(dtype)):
        raise runtime.Unsupported(f"MXNet has no dtype {dtype}")
    return F("Cast", x, dtype=numpy.dtype(dtype).name)


astype = Primitive("astype", _astype, arrays=1, mxnet=_mx_astype)


def _astype_vjp(ans: ndarray, x: ndarray, dtype: Any, copy: bool = True, **kw: Any) -> Any:
    if ans.dtype.kind not in "fc":
        return lambda g: None
    return unbroadcast_f(x, lambda g: g)


defvjp(astype, _astype_vjp)
defjvp(
    astype,
    lambda g, ans, x, dtype, copy=True, **kw: (
        astype(g, dtype) if numpy.dtype(dtype).kind in "fc" else None
    ),
)

# NumPy's other names for the same functions.
abs = absolute
conj = conjugate
bitwise_not = globals()["invert"]

__all__ = sorted(
    {*_names, "abs", "angle", "bitwise_not", "conj", "divide", "imag", "mod", "ones_like"}
    | {"real", "real_if_close", "where", "zeros_like"}
)
