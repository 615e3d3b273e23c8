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
from minpy.config import settings
from minpy.inplace import overwrite
from minpy.numpy import mxnet_kernels as mx
from minpy.numpy.broadcasting import unbroadcast_f
from minpy.numpy.function import Function, Ufunc
from minpy.primitives import Primitive, registry

# --- how rows become primitives -------------------------------------------------------------------

_names: list[str] = []


def _ufunc(name: str, mxnet: Any = None, **options: Any) -> Primitive:
    kind = Ufunc if isinstance(getattr(numpy, name), numpy.ufunc) else Function
    made = kind(name, mxnet=mxnet, **options)
    globals()[name] = made
    _names.append(name)
    return made


def _unary(name: str, of_x: Any = None, of_ans: Any = None, mxnet: str | None = None) -> Primitive:
    """Make a primitive of a derivative given as a function of x or of the result.

    A rule keeps alive only the one that it needs.
    """
    op = _ufunc(name, mx.unary(mxnet) if mxnet else None)
    if of_ans is not None:
        defvjp(op, lambda ans, x, **kw: lambda g: g * of_ans(ans))
        defjvp(op, lambda g, ans, x, **kw: g * of_ans(ans))
    else:
        defvjp(op, lambda ans, x, **kw: lambda g: g * of_x(x))
        defjvp(op, lambda g, ans, x, **kw: g * of_x(x))
    return op


def _linear_unary(name: str, vjp: Callable[[Any], Any], mxnet: Any = None) -> Primitive:
    op = _ufunc(name, mxnet)
    defvjp(op, lambda ans, x, **kw: vjp)
    def_linear(op)
    return op


# --- no derivative by nature: piecewise constant, or of booleans and integers -------------------


def _constant(name: str, mxnet: Any = None) -> Primitive:
    return _ufunc(name, mxnet, differentiable=False)


def _mx_sign(F: Any, x: Any, **kwargs: Any) -> Any:
    made = mx.unary("_npi_sign")(F, x, **kwargs)  # of nan it is 0
    return F("_npi_where", F("_npi_equal", x, x), made, x)


sign = _constant("sign", _mx_sign)
floor = _constant("floor", mx.unary("_npi_floor"))
ceil = _constant("ceil", mx.unary("_npi_ceil"))
trunc = _constant("trunc", mx.unary("_npi_trunc"))
rint = _constant("rint")  # MXNet rounds halves away from zero
fix = _constant("fix", mx.unary("_npi_fix"))
isnan = _constant("isnan", mx.unary("_npi_isnan"))
isinf = _constant("isinf", mx.unary("_npi_isinf"))
isfinite = _constant("isfinite", mx.unary("_npi_isfinite"))
isnat = _constant("isnat")
signbit = _constant("signbit")
isposinf = _constant("isposinf", mx.unary("_npi_isposinf"))
isneginf = _constant("isneginf", mx.unary("_npi_isneginf"))
iscomplex = _constant("iscomplex")
isreal = _constant("isreal")
logical_not = _constant("logical_not", mx.logical_not)
invert = _constant("invert", mx.inverted)
spacing = _constant("spacing")
floor_divide = _constant("floor_divide")
equal = _constant("equal", mx.comparison("_npi_equal"))
not_equal = _constant("not_equal", mx.comparison("_npi_not_equal"))
less = _constant("less", mx.comparison("_npi_less", reflected="_npi_greater_scalar"))
less_equal = _constant(
    "less_equal", mx.comparison("_npi_less_equal", reflected="_npi_greater_equal_scalar")
)
greater = _constant("greater", mx.comparison("_npi_greater", reflected="_npi_less_scalar"))
greater_equal = _constant(
    "greater_equal", mx.comparison("_npi_greater_equal", reflected="_npi_less_equal_scalar")
)
logical_and = _constant("logical_and", mx.logical("_npi_bitwise_and", True))
logical_or = _constant("logical_or", mx.logical("_npi_bitwise_or", True))
logical_xor = _constant("logical_xor", mx.logical("_npi_bitwise_xor", True))
bitwise_and = _constant("bitwise_and", mx.logical("_npi_bitwise_and", False))
bitwise_or = _constant("bitwise_or", mx.logical("_npi_bitwise_or", False))
bitwise_xor = _constant("bitwise_xor", mx.logical("_npi_bitwise_xor", False))
left_shift = _constant("left_shift")
right_shift = _constant("right_shift")
gcd = _constant("gcd")
lcm = _constant("lcm")
nextafter = _constant("nextafter")
heaviside = _constant("heaviside")
isclose = _constant("isclose")

# --- unary ----------------------------------------------------------------------------------------

_LN2 = float(numpy.log(2.0))
_LN10 = float(numpy.log(10.0))
_DEGREES = float(180.0 / numpy.pi)

positive = _linear_unary("positive", lambda g: g, mx.unary("_np_copy"))
negative = _linear_unary("negative", lambda g: -g, mx.unary("_npi_negative"))
# MXNet's own operators for these know π to single precision.
for _name, _factor in (
    ("deg2rad", 1 / _DEGREES),
    ("radians", 1 / _DEGREES),
    ("rad2deg", _DEGREES),
    ("degrees", _DEGREES),
):
    _linear_unary(_name, lambda g, _factor=_factor: g * _factor, mx.scaling(_factor))

exp = _unary("exp", of_ans=lambda ans: ans, mxnet="_npi_exp")
exp2 = _unary("exp2", of_ans=lambda ans: ans * _LN2)
exp2.mxnet = mx.exp2
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


def _other_leg(x: ndarray) -> ndarray:
    """Return the root of 1 - x², of complex x beyond 1 on the side of the cut that arcsin is on."""
    return cos(arcsin(x)) if x.dtype.kind == "c" else sqrt(1 - x * x)


arcsin = _unary("arcsin", of_x=lambda x: 1 / _other_leg(x), mxnet="_npi_arcsin")
arccos = _unary("arccos", of_x=lambda x: -1 / _other_leg(x), mxnet="_npi_arccos")
arctan = _unary("arctan", of_x=lambda x: 1 / (1 + x * x), mxnet="_npi_arctan")
sinh = _unary("sinh", of_x=lambda x: cosh(x), mxnet="_npi_sinh")
cosh = _unary("cosh", of_x=lambda x: sinh(x), mxnet="_npi_cosh")
tanh = _unary("tanh", of_ans=lambda ans: 1 - ans * ans)
tanh.mxnet = mx.tanh
arcsinh = _unary("arcsinh", of_x=lambda x: 1 / sqrt(x * x + 1), mxnet="_npi_arcsinh")
arccosh = _unary(  # two roots: the branch that complex numbers want
    "arccosh", of_x=lambda x: 1 / (sqrt(x - 1) * sqrt(x + 1)), mxnet="_npi_arccosh"
)
arctanh = _unary("arctanh", of_x=lambda x: 1 / (1 - x * x), mxnet="_npi_arctanh")


def _absolute_vjp(ans: Any, x: ndarray, **kw: Any) -> Callable[[Any], Any]:
    if x.dtype.kind == "c":
        return lambda g: g * conjugate(x) / _replace_zero(ans, 1.0)
    return lambda g: g * sign(x)


def _absolute_jvp(g: Any, ans: Any, x: ndarray, **kw: Any) -> Any:
    if x.dtype.kind == "c":
        return real(g * conjugate(x)) / _replace_zero(ans, 1.0)
    return g * sign(x)


absolute = _ufunc("absolute", mx.unary("_npi_absolute"))
defvjp(absolute, _absolute_vjp)
defjvp(absolute, _absolute_jvp)
fabs = _ufunc("fabs", mx.unary("_npi_absolute"))
defvjp(fabs, _absolute_vjp)
defjvp(fabs, _absolute_jvp)

# Complex: HIPS autograd's convention, a gradient is the conjugate of the usual one.
conjugate = _linear_unary("conjugate", lambda g: conjugate(g))
real = Function("real", is_view=True, arrays=1)
imag = Function("imag", is_view=True, arrays=1)
angle = Function("angle", arrays=1)
real_if_close = Function("real_if_close", is_view=True, arrays=1)


def _as_kind_of(x: ndarray, g: Any) -> Any:
    """Give a real gradient the complex dtype of its argument."""
    return g + 0j if x.dtype.kind == "c" else g


defvjp(real, lambda ans, x: lambda g: _as_kind_of(x, g))
def_linear(real)
defvjp(imag, lambda ans, x: lambda g: g * -1j if x.dtype.kind == "c" else g * 0.0)
def_linear(imag)


def _dangle(x: Any, deg: bool) -> Any:
    """Return the derivative of the angle: zero for real numbers, and at the origin."""
    if x.dtype.kind != "c":
        return zeros_like(x)
    size = _replace_zero(absolute(x), 1.0)
    return conjugate(x * 1j) * ((_DEGREES if deg else 1.0) / (size * size))


defvjp(angle, lambda ans, x, deg=False: lambda g: g * _dangle(x, deg))
defjvp(angle, lambda g, ans, x, deg=False: real(g * _dangle(x, deg)))
defvjp(real_if_close, lambda ans, x, tol=100: lambda g: _as_kind_of(x, g))
defjvp(
    real_if_close,
    lambda g, ans, x, tol=100: real(g) if ans.dtype.kind != "c" else g,
)

# --- binary ---------------------------------------------------------------------------------------


def _replace_zero(x: Any, value: float) -> Any:
    return where(x == 0, value, x)


def _share(x: Any, ans: Any, y: Any) -> Any:
    """Return 1 where x is the result, 1/2 where both are: the documented subgradient at ties."""
    return equal(x, ans) / (1.0 + equal(x, y))


def _dpower_dx(ans: Any, x: Any, y: Any) -> Any:
    if not isinstance(y, ndarray | numpy.ndarray):
        return y * power(x, y - 1) if y != 0 else zeros_like(ans)
    return y * power(x, where(y == 0, 1, y - 1))


def _dpower_dy(ans: Any, x: Any, y: Any) -> Any:
    return log(_replace_zero(x, 1.0)) * ans


add = _ufunc("add", mx.binary("_npi_add"))
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

subtract = _ufunc("subtract", mx.binary("_npi_subtract", reflected="_npi_rsubtract_scalar"))
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

multiply = _ufunc("multiply", mx.binary("_npi_multiply"))
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
    "true_divide", mx.binary("_npi_true_divide", reflected="_npi_rtrue_divide_scalar")
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

power = _ufunc("power", mx.binary("_npi_power", reflected="_npi_rpower_scalar"))
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
remainder = _ufunc("remainder")  # MXNet gives 0 for a divisor of 0
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

maximum = _ufunc("maximum", mx.binary("_npi_maximum"))
minimum = _ufunc("minimum", mx.binary("_npi_minimum"))
fmax = _ufunc("fmax")
fmin = _ufunc("fmin")
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


# At the origin, where they have a kink or a jump, the derivatives of these two are zero.
arctan2 = _binary(
    "arctan2",
    lambda ans, x, y: y / _replace_zero(x * x + y * y, 1.0),
    lambda ans, x, y: -x / _replace_zero(x * x + y * y, 1.0),
    mx.binary("_npi_arctan2", scalar=""),
)
hypot = _binary(
    "hypot",
    lambda ans, x, y: x / _replace_zero(ans, 1.0),
    lambda ans, x, y: y / _replace_zero(ans, 1.0),
    mx.binary("_npi_hypot"),
)
logaddexp = _binary(
    "logaddexp",
    lambda ans, x, y: exp(x - _finite(ans)),
    lambda ans, x, y: exp(y - _finite(ans)),
)


def _mx_logaddexp(F: Any, x: Any, y: Any, **options: Any) -> Any:
    if options or isinstance(x, mx.NUMBER) or isinstance(y, mx.NUMBER):
        raise runtime.Unsupported("left to NumPy")
    mx.require_floats("logaddexp", x, y)
    # Less the larger one, which counts as a constant: the two slopes are then right at ties too.
    largest = F("BlockGrad", F("_npi_maximum", x, y))
    largest = F("_npi_where", F("_npi_isfinite", largest), largest, F("zeros_like", largest))
    parts = [F("_npi_exp", F("_npi_subtract", operand, largest)) for operand in (x, y)]
    return F("_npi_add", F("_npi_log", F("_npi_add", *parts)), largest)


logaddexp.mxnet = _mx_logaddexp
logaddexp2 = _binary(
    "logaddexp2",
    lambda ans, x, y: exp2(x - _finite(ans)),
    lambda ans, x, y: exp2(y - _finite(ans)),
)
copysign = _binary(
    "copysign",
    lambda ans, x, y: sign(x) * copysign(ones_like(ans), y),
    lambda ans, x, y: zeros_like(ans),
)


def _finite(ans: Any) -> Any:
    """Replace minus infinity, the logarithm of zero plus zero: the derivatives there are zero."""
    return where(ans == -numpy.inf, 0.0, ans)


ldexp = _binary("ldexp", lambda ans, x, i: ldexp(ones_like(x), i), lambda ans, x, i: None)
ldexp.vjp_rules.pop(1)  # the exponent is an integer
ldexp.jvp_rules.pop(1)

# --- two results ----------------------------------------------------------------------------------

modf = _ufunc("modf")
defvjp(modf, lambda ans, x, **kw: lambda g: g[0])
defjvp(modf, lambda g, ans, x, **kw: (g, zeros_like(g)))

frexp = _ufunc("frexp")
defvjp(frexp, lambda ans, x, **kw: lambda g: ldexp(g[0], -ans[1]))
defjvp(frexp, lambda g, ans, x, **kw: (ldexp(g, -ans[1]), None))

divmod = _ufunc("divmod")
defvjp(
    divmod,
    lambda ans, x, y, **kw: unbroadcast_f(x, lambda g: g[1]),
    lambda ans, x, y, **kw: unbroadcast_f(y, lambda g: -g[1] * ans[0]),
)
defjvp(
    divmod,
    lambda g, ans, x, y, **kw: (zeros_like(ans[0]), _broadcast(g, ans[1])),
    lambda g, ans, x, y, **kw: (zeros_like(ans[0]), -g * ans[0]),
)

# --- between bounds, and from one range of numbers to another -----------------------------------


def _clip_kernel(a: Any, a_min: Any, a_max: Any, **kwargs: Any) -> Any:
    return numpy.clip(a, a_min, a_max, **kwargs)


def _mx_clip(F: Any, a: Any, a_min: Any, a_max: Any, **kwargs: Any) -> Any:
    mx.require_floats("clip", a)
    if kwargs or not all(isinstance(bound, int | float) for bound in (a_min, a_max)):
        raise runtime.Unsupported("MXNet clips between two Python numbers")
    if not a_min <= a_max or not (mx.keeps_dtype(a, a_min) and mx.keeps_dtype(a, a_max)):
        raise runtime.Unsupported(f"MXNet doesn't clip between {a_min!r} and {a_max!r} as NumPy")
    return F("clip", a, a_min=repr(float(a_min)), a_max=repr(float(a_max)))


def _inside(a: Any, a_min: Any, a_max: Any) -> Any:
    """Return 1 where clip leaves the element as it is, the bounds included."""
    inside = ones_like(a)
    if a_min is not None:
        inside = inside * greater_equal(a, a_min)
    return inside if a_max is None else inside * less_equal(a, a_max)


def _clipped_below(a: Any, a_min: Any, a_max: Any) -> Any:
    return less(a, a_min) if a_max is None else less(a, a_min) * less_equal(a_min, a_max)


def _clipped_above(a: Any, a_min: Any, a_max: Any) -> Any:
    # Where the bounds cross, NumPy's result is the upper one.
    over = greater(a, a_max)
    return over if a_min is None else logical_or(over, greater(a_min, a_max))


_clip = Function("clip", _clip_kernel, mxnet=_mx_clip, arrays=3, doc=numpy.clip.__doc__)
_CLIP_SLOPES = (_inside, _clipped_below, _clipped_above)
defvjp(
    _clip,
    *[
        lambda ans, a, lo, hi, _i=i, _slope=slope, **kw: unbroadcast_f(
            (a, lo, hi)[_i], lambda g: g * _slope(a, lo, hi)
        )
        for i, slope in enumerate(_CLIP_SLOPES)
    ],
)
defjvp(
    _clip,
    *[
        lambda g, ans, a, lo, hi, _slope=slope, **kw: _broadcast(g * _slope(a, lo, hi), ans)
        for slope in _CLIP_SLOPES
    ],
)


def clip(a: Any, a_min: Any, a_max: Any, out: Any = None, **kwargs: Any) -> Any:
    """Limit values to an interval, as `numpy.clip`.

    The derivative is one from bound to bound, the bounds included, and zero outside.
    """
    given = kwargs if out is None else {**kwargs, "out": out}
    return _clip(a, a_min, a_max, **given)


round = Function("round", numpy.round, arrays=1, differentiable=False)
around = round_ = round

sinc = Function("sinc", arrays=1)


def _dsinc(x: Any) -> Any:
    """Return (cos(πx) - sinc(x)) / x, and 0 at x = 0."""
    away = _replace_zero(x, 1.0)
    return where(x == 0, 0.0, (cos(numpy.pi * away) - sinc(away)) / away)


defvjp(sinc, lambda ans, x: lambda g: g * _dsinc(x))
defjvp(sinc, lambda g, ans, x: g * _dsinc(x))


def _nan_to_num_kernel(x: Any, nan: float = 0.0, posinf: Any = None, neginf: Any = None) -> Any:
    return numpy.nan_to_num(x, nan=nan, posinf=posinf, neginf=neginf)


def _mx_nan_to_num(F: Any, x: Any, nan: float = 0.0, posinf: Any = None, neginf: Any = None) -> Any:
    mx.require_floats("nan_to_num", x)
    limits = numpy.finfo(numpy.dtype(x.dtype))
    made = x
    for test, number in (
        ("_npi_isnan", nan),
        ("_npi_isposinf", limits.max if posinf is None else posinf),
        ("_npi_isneginf", limits.min if neginf is None else neginf),
    ):
        # The test is of the argument, so no replacement is replaced.
        filled = F("_npi_add_scalar", F("zeros_like", x), scalar=repr(float(number)), is_int=False)
        made = F("_npi_where", F(test, x), filled, made)
    return made


_nan_to_num = Function(
    "nan_to_num",
    _nan_to_num_kernel,
    arrays=1,
    mxnet=_mx_nan_to_num,
    doc=numpy.nan_to_num.__doc__,
)
# Not a product: where x isn't finite its own tangent may be nan.
defvjp(_nan_to_num, lambda ans, x, *a, **kw: lambda g: where(isfinite(x), g, 0.0))
defjvp(_nan_to_num, lambda g, ans, x, *a, **kw: where(isfinite(x), g, 0.0))


def nan_to_num(
    x: Any, copy: bool = True, nan: float = 0.0, posinf: Any = None, neginf: Any = None
) -> Any:
    """Replace nan and infinities by numbers, as `numpy.nan_to_num`; their derivative is zero."""
    result = _nan_to_num(x, nan=nan, posinf=posinf, neginf=neginf)
    return result if copy or type(x) is not ndarray else overwrite(x, result)


def _broadcast(g: Any, ans: Any) -> Any:
    """Repeat a tangent to the shape of the result."""
    return g if g.shape == ans.shape else add(g, zeros_like(ans))


# --- where, and the constants that rules need ---------------------------------------------------


def _mx_where(F: Any, condition: Any, x: Any, y: Any) -> Any:
    if isinstance(condition, mx.NUMBER):
        raise runtime.Unsupported("MXNet takes no number as a condition")
    if isinstance(x, mx.NUMBER) and isinstance(y, mx.NUMBER):
        return _mx_one_of_two(F, condition, x, y)
    # Its operators for scalars have a wrong derivative.
    if isinstance(x, mx.NUMBER):
        x = _mx_filled(F, y, x)
    elif isinstance(y, mx.NUMBER):
        y = _mx_filled(F, x, y)
    else:
        mx.require_floats("where", x, y)
    return F("_npi_where", condition, x, y)


def _mx_one_of_two(F: Any, condition: Any, x: Any, y: Any) -> Any:
    """Choose between two numbers."""
    dtype = numpy.result_type(x, y)
    if dtype.kind != "f" or any(isinstance(n, numpy.generic) for n in (x, y)):
        raise runtime.Unsupported("MXNet chooses between Python's floats only")
    zeros = F("zeros_like", F("Cast", condition, dtype=settings.float_dtype.name))
    filled = [F("_npi_add_scalar", zeros, scalar=repr(float(n)), is_int=False) for n in (x, y)]
    return F("_npi_where", condition, *filled)


def _mx_filled(F: Any, like: Any, number: Any) -> Any:
    """Return an array of one number with the shape and dtype of another."""
    mx.require_floats("where", like)
    if not mx.keeps_dtype(like, number):
        raise runtime.Unsupported("the number decides about the dtype")
    return F("_npi_add_scalar", F("zeros_like", like), scalar=repr(float(number)), is_int=False)


_where = Function("where", mxnet=_mx_where, arrays=3)
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


def where(condition: Any, x: Any = None, y: Any = None, /) -> Any:
    """Take elements from `x` where `condition` holds and from `y` elsewhere, as `numpy.where`.

    With a condition alone, return the indices where it holds, as `numpy.nonzero`.
    """
    if x is None and y is None:
        return registry["nonzero"](condition)
    if x is None or y is None:
        raise ValueError("where: expected both x and y, or neither")
    return _where(condition, x, y)


zeros_like = Function("zeros_like", arrays=1, mxnet=mx.unary("zeros_like"), differentiable=False)
ones_like = Function("ones_like", arrays=1, mxnet=mx.unary("ones_like"), differentiable=False)


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
bitwise_not = invert

__all__ = [
    *_names,
    "abs",
    "angle",
    "around",
    "bitwise_not",
    "clip",
    "conj",
    "divide",
    "imag",
    "mod",
    "nan_to_num",
    "ones_like",
    "real",
    "real_if_close",
    "round",
    "round_",
    "sinc",
    "where",
    "zeros_like",
]
