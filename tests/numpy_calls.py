"""A table of calls of NumPy functions, which several test files run in their own ways."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy

_rng = numpy.random.default_rng(7)


def normal(*shape: int) -> numpy.ndarray:
    """Numbers around zero, no two alike in all of the table, none close to zero or to 1."""
    count = int(numpy.prod(shape, dtype=int))
    x = numpy.linspace(0.2, 2.0, max(count, 1)) + _rng.uniform(0.01, 0.05, max(count, 1))
    x = _rng.permutation(x)[:count] * _rng.choice([-1.0, 1.0], count)
    return x.reshape(shape)


def positive(*shape: int) -> numpy.ndarray:
    return numpy.asarray(numpy.abs(normal(*shape)))


def inside(*shape: int) -> numpy.ndarray:
    """Numbers between -1 and 1."""
    return numpy.asarray(normal(*shape) * 0.45)


def above(*shape: int) -> numpy.ndarray:
    """Numbers greater than 1."""
    return numpy.asarray(positive(*shape) + 1.0)


def integers(*shape: int, low: int = 1, high: int = 9) -> numpy.ndarray:
    return _rng.integers(low, high, shape)


def booleans(*shape: int) -> numpy.ndarray:
    flags = _rng.random(shape) < 0.5
    return flags


def with_nan(*shape: int) -> numpy.ndarray:
    x = normal(*shape)
    x.flat[1] = numpy.nan
    x.flat[-1] = numpy.nan
    return x


def spd(*shape: int) -> numpy.ndarray:
    """Symmetric positive definite matrices."""
    x = normal(*shape)
    return x @ numpy.swapaxes(x, -1, -2) + shape[-1] * numpy.eye(shape[-1])


def well(*shape: int) -> numpy.ndarray:
    """Matrices that are well conditioned."""
    return normal(*shape) + 3.0 * numpy.eye(shape[-2], shape[-1])


@dataclass(frozen=True)
class Call:
    """One call.

    Attributes
    ----------
    path
        Name below ``numpy``.
    args, kwargs
        Its arguments, NumPy arrays for arrays.
    smooth
        The numbers of the arguments that it has a derivative in, there.
    symmetric
        Whether the derivative is one of the symmetric part of the argument.
    """

    path: str
    args: tuple
    kwargs: dict[str, Any] = field(default_factory=dict)
    smooth: tuple[int, ...] = ()
    symmetric: bool = False

    def __str__(self) -> str:
        shown = [_short(a) for a in self.args]
        shown += [f"{k}={_short(v)}" for k, v in self.kwargs.items()]
        return f"{self.path}({','.join(shown)})"

    def function_of(self, module: Any) -> Callable[..., Any]:
        for part in self.path.split("."):
            module = getattr(module, part)
        return module


def _short(value: Any) -> str:
    if isinstance(value, numpy.ndarray):
        return f"{value.dtype.char}{'x'.join(map(str, value.shape))}"
    if isinstance(value, list | tuple) and any(isinstance(v, numpy.ndarray) for v in value):
        return "[" + ";".join(_short(v) for v in value) + "]"
    if callable(value):  # not its repr, which has an address: workers must name tests alike
        return value.__name__
    return str(value).replace(" ", "")


def call(
    path: str, *args: Any, smooth: Any = "all", symmetric: bool = False, **kwargs: Any
) -> Call:
    if smooth == "all":
        smooth = tuple(
            i for i, a in enumerate(args) if isinstance(a, numpy.ndarray) and a.dtype.kind == "f"
        )
    return Call(path, args, kwargs, tuple(smooth), symmetric)


def constant(path: str, *args: Any, **kwargs: Any) -> Call:
    """A call whose result has no derivative."""
    return Call(path, args, kwargs)


_SHAPES = [(3,), (2, 3), (), (2, 1, 3)]

CALLS: list[Call] = []

# --- element by element ---
for _name in [
    "positive",
    "negative",
    "deg2rad",
    "radians",
    "rad2deg",
    "degrees",
    "exp",
    "exp2",
    "expm1",
    "cbrt",
    "square",
    "reciprocal",
    "sin",
    "cos",
    "tan",
    "arctan",
    "sinh",
    "cosh",
    "tanh",
    "arcsinh",
    "absolute",
    "fabs",
    "abs",
    "conjugate",
    "conj",
    "real",
    "sinc",
    "nan_to_num",
    "real_if_close",
]:
    CALLS += [call(_name, normal(*s)) for s in _SHAPES]
for _name in ["log", "log2", "log10", "log1p", "sqrt"]:
    CALLS += [call(_name, positive(*s)) for s in _SHAPES]
for _name in ["arcsin", "arccos", "arctanh"]:
    CALLS += [call(_name, inside(*s)) for s in _SHAPES]
CALLS += [call("arccosh", above(*s)) for s in _SHAPES]
CALLS += [call("imag", normal(3), smooth=()), call("angle", normal(3), smooth=())]
_PAIRS = [((3,), (3,)), ((2, 3), (3,)), ((), (2, 3)), ((2, 1, 3), (4, 1)), ((1,), (3, 2))]
for _name in [
    "add",
    "subtract",
    "multiply",
    "true_divide",
    "divide",
    "arctan2",
    "hypot",
    "logaddexp",
    "logaddexp2",
    "maximum",
    "minimum",
    "fmax",
    "fmin",
    "copysign",
]:
    _which = (0,) if _name == "copysign" else "all"
    CALLS += [call(_name, normal(*a), normal(*b), smooth=_which) for a, b in _PAIRS]
for _name in ("power", "float_power"):
    CALLS += [call(_name, positive(*a), normal(*b)) for a, b in _PAIRS]
CALLS += [call("power", normal(3), n) for n in (0, 1, 2, 3, -2)]
CALLS += [call("power", positive(3), 0.5), call("power", 2.0, normal(3))]
CALLS += [call("power", positive(2, 3), integers(3))]
for _name in ["remainder", "mod", "fmod", "divmod"]:
    CALLS += [call(_name, numpy.asarray(normal(*a) * 3.1), normal(*b)) for a, b in _PAIRS]
for _name in ["add", "subtract", "multiply", "true_divide", "maximum", "arctan2", "remainder"]:
    CALLS += [call(_name, normal(2, 3), 1.25), call(_name, -1.25, normal(2, 3))]
CALLS += [
    call("ldexp", normal(3), integers(3)),
    call("modf", normal(2, 3)),
    call("frexp", normal(2, 3)),
    call("clip", normal(2, 3), -0.5, 0.5),
    call("clip", normal(2, 3), None, 0.5),
    call("clip", normal(2, 3), -0.5, None),
    call("clip", normal(2, 3), normal(3) - 1.0, normal(3) + 1.5),
    call("where", booleans(2, 3), normal(3), normal(2, 1)),
    call("where", booleans(2, 3), normal(2, 3), 0.0),
    call("add", normal(2, 3), normal(2, 3), where=booleans(2, 3), out=normal(2, 3), smooth=(0, 1)),
    call("log", normal(2, 3), where=numpy.zeros((2, 3), bool), out=normal(2, 3), smooth=(0,)),
    call("sqrt", normal(2, 3), out=numpy.zeros((2, 3)), where=False, smooth=(0,)),
]
for _name in [
    "sign",
    "floor",
    "ceil",
    "trunc",
    "rint",
    "fix",
    "isnan",
    "isinf",
    "isfinite",
    "signbit",
    "isposinf",
    "isneginf",
]:
    CALLS += [constant(_name, numpy.asarray(normal(*s) * 2)) for s in _SHAPES]
for _name in ["iscomplex", "isreal", "logical_not", "spacing"]:
    CALLS += [constant(_name, normal(2, 3))]
for _name in [
    "equal",
    "not_equal",
    "less",
    "less_equal",
    "greater",
    "greater_equal",
    "logical_and",
    "logical_or",
    "logical_xor",
    "floor_divide",
    "nextafter",
    "heaviside",
    "isclose",
]:
    CALLS += [constant(_name, normal(*a), normal(*b)) for a, b in _PAIRS]
for _name in [
    "less",
    "less_equal",
    "greater",
    "greater_equal",
    "equal",
    "not_equal",
    "floor_divide",
]:
    CALLS += [constant(_name, normal(3), 0.5), constant(_name, 0.5, normal(3))]
for _name in [
    "bitwise_and",
    "bitwise_or",
    "bitwise_xor",
    "left_shift",
    "right_shift",
    "gcd",
    "lcm",
]:
    CALLS += [constant(_name, integers(2, 3), integers(3)), constant(_name, integers(3), 2)]
for _name in ["add", "subtract", "multiply", "floor_divide", "remainder", "power", "maximum"]:
    CALLS += [constant(_name, integers(2, 3), integers(3)), constant(_name, integers(3), 2)]
for _name in ["true_divide", "arctan2", "hypot", "logaddexp"]:
    CALLS += [constant(_name, integers(2, 3), integers(3)), constant(_name, integers(3), 2)]
for _name in [
    "exp",
    "sin",
    "sqrt",
    "log",
    "absolute",
    "negative",
    "square",
    "reciprocal",
    "floor",
    "sign",
    "cbrt",
]:
    CALLS += [constant(_name, integers(2, 3))]
CALLS += [
    constant("invert", integers(3)),
    constant("invert", booleans(3)),
    constant("bitwise_not", integers(3)),
    constant("round", normal(2, 3), 1),
    constant("around", normal(3)),
    constant("zeros_like", normal(2, 3)),
    constant("ones_like", integers(2, 3)),
    constant("full_like", normal(2, 3), 2.0),
    constant("empty_like", numpy.zeros((0, 3))),
]

# --- reductions ---
_AXES: list[dict[str, Any]] = [
    {},
    {"axis": 0},
    {"axis": -1, "keepdims": True},
    {"axis": (0, 2)},
    {"axis": (), "keepdims": False},
]
for _name in ["sum", "mean", "prod", "max", "min", "amax", "amin", "var", "std"]:
    _reduced = [k for k in _AXES if not (k.get("axis") == () and _name in ("var", "std"))]
    CALLS += [call(_name, normal(2, 3, 4), **k) for k in _reduced]
    if _name not in ("var", "std"):
        CALLS += [call(_name, numpy.asarray(0.7))]
_mask = booleans(2, 3)
_mask[0] = True
CALLS += [
    call("sum", normal(2, 3), axis=1, where=_mask),
    call("sum", normal(2, 3), initial=5.0),
    call("sum", normal(2, 3), 0, "float32", smooth=()),
    call("sum", normal(2, 3), dtype="complex128", smooth=()),
    call("mean", normal(2, 3), where=_mask),
    call("mean", normal(2, 3), axis=0, where=_mask),
    call("prod", normal(2, 3), axis=0, where=_mask, initial=2.0),
    call("max", normal(2, 3), axis=0, where=_mask, initial=-5.0),
    call("min", normal(2, 3), where=_mask, initial=5.0),
    call("var", normal(2, 3), where=_mask),
    call("var", normal(4, 3), axis=0, ddof=1),
    call("std", normal(4, 3), axis=0, ddof=1, keepdims=True),
    call("std", normal(4, 3), where=numpy.ones((4, 3), bool)),
    call("prod", numpy.array([0.0, 1.5, -2.0])),
    call("prod", numpy.array([0.0, 1.5, 0.0])),
    call("sum", numpy.zeros((0, 3)), axis=0),
    call("sum", numpy.zeros((0, 3))),
    call("prod", numpy.zeros((2, 0)), axis=1),
    call("average", normal(2, 3)),
    call("average", normal(2, 3), 1, positive(3)),
    call("average", normal(2, 3), weights=positive(2, 3), smooth=(0,)),
    call("average", normal(2, 3), 0, positive(2), True),
    call("ptp", normal(2, 3)),
    call("ptp", normal(2, 3), axis=1, keepdims=True),
]
for _name in ["cumsum", "cumprod"]:
    CALLS += [call(_name, normal(2, 3), **k) for k in ({}, {"axis": 0}, {"axis": -1})]
CALLS += [
    call("cumprod", numpy.array([1.5, 0.0, 2.0, 0.0])),
    call("cumsum", normal(4), dtype=float),
]
for _name in ["nansum", "nanprod", "nanmean", "nanmax", "nanmin", "nanvar", "nanstd"]:
    CALLS += [
        call(_name, with_nan(3, 4), **k) for k in ({}, {"axis": 0}, {"axis": 1, "keepdims": True})
    ]
for _name in ["nancumsum", "nancumprod"]:
    CALLS += [call(_name, with_nan(2, 3), axis=1), call(_name, with_nan(2, 3))]
for _name in ["any", "all", "argmax", "argmin", "nanargmax", "nanargmin", "count_nonzero"]:
    CALLS += [constant(_name, normal(2, 3), **k) for k in ({}, {"axis": 1})]

# --- order statistics ---
for _name in ["median", "nanmedian"]:
    CALLS += [call(_name, normal(3, 4), **k) for k in ({}, {"axis": 0}, {"axis": (0, 1)})]
CALLS += [
    call("median", normal(5, 2), axis=0, keepdims=True),
    call("nanmedian", with_nan(3, 4), axis=0),
]
for _method in ("linear", "lower", "higher", "midpoint", "nearest", "hazen", "median_unbiased"):
    CALLS.append(call("quantile", normal(5), 0.3, method=_method))
CALLS += [
    call("quantile", normal(5, 3), numpy.array([0.1, 0.5]), axis=0, smooth=(0,)),
    call("percentile", normal(5, 3), 30.0, axis=1, keepdims=True),
    call("nanquantile", with_nan(5, 3), [0.25, 0.75], axis=0),
    call("nanpercentile", with_nan(5, 3), 40.0),
    call("sort", normal(3, 4)),
    call("sort", normal(3, 4), axis=0),
    call("sort", normal(3, 4), axis=None),
    call("partition", normal(7), 3),
    call("partition", normal(3, 5), 2, axis=1),
    call("msort", normal(4, 2)),
    call("unique", normal(4)),
    call("unique", normal(2, 2), return_inverse=True, return_counts=True),
    constant("unique", numpy.array([0.5, -1.0, 0.5, 2.0])),
    constant("unique", integers(2, 4), axis=1, return_index=True),
    call("cov", normal(3, 5)),
    call("cov", normal(3, 5), normal(2, 5)),
    call("cov", normal(5, 3), rowvar=False, ddof=0),
    call("cov", normal(3, 5), aweights=positive(5), smooth=(0,)),
    call("cov", normal(3, 5), fweights=integers(5), smooth=(0,)),
    call("corrcoef", normal(3, 5)),
    constant("argsort", normal(3, 4)),
    constant("argsort", normal(3, 4), axis=0, kind="stable"),
    constant("argpartition", normal(7), 3),
    constant("searchsorted", numpy.arange(5.0), normal(3)),
    constant("searchsorted", numpy.arange(5.0), normal(3), side="right"),
    constant("digitize", normal(4), numpy.array([-1.0, 0.0, 1.0])),
    constant("lexsort", (normal(4), normal(4))),
]

# --- shapes ---
CALLS += [
    call("reshape", normal(2, 3), (3, 2)),
    call("reshape", normal(2, 3), -1),
    call("reshape", normal(2, 3), (3, -1), order="F"),
    call("ravel", normal(2, 3)),
    call("ravel", normal(2, 3), order="F"),
    call("transpose", normal(2, 3, 4)),
    call("transpose", normal(2, 3, 4), (1, -1, 0)),
    call("swapaxes", normal(2, 3, 4), 0, 2),
    call("moveaxis", normal(2, 3, 4), 0, -1),
    call("moveaxis", normal(2, 3, 4), [0, 1], [-1, 0]),
    call("rollaxis", normal(2, 3, 4), 2),
    call("rollaxis", normal(2, 3, 4), 1, 3),
    call("squeeze", normal(1, 3, 1)),
    call("squeeze", normal(1, 3, 1), axis=0),
    call("expand_dims", normal(2, 3), 1),
    call("expand_dims", normal(2, 3), (0, -1)),
    call("flip", normal(2, 3)),
    call("flip", normal(2, 3), axis=1),
    call("fliplr", normal(2, 3)),
    call("flipud", normal(2, 3)),
    call("rot90", normal(2, 3)),
    call("rot90", normal(2, 3, 2), 3, (0, 2)),
    call("roll", normal(2, 3), 1),
    call("roll", normal(2, 3), (1, 2), axis=(0, 1)),
    call("diagonal", normal(3, 4)),
    call("diagonal", normal(2, 3, 4), 1, 2, 0),
    call("diagonal", normal(3, 4), offset=-1),
    call("trace", normal(3, 4)),
    call("trace", normal(3, 4, 2), 1, 0, 1),
    call("diag", normal(3)),
    call("diag", normal(3), k=-1),
    call("diag", normal(3, 4), 1),
    call("diagflat", normal(2, 2), 1),
    call("triu", normal(3, 4)),
    call("tril", normal(2, 3, 4), -1),
    call("broadcast_to", normal(3, 1), (2, 3, 4)),
    call("concatenate", [normal(2, 3), normal(1, 3)], smooth=(0,)),
    call("concatenate", [normal(2, 3), normal(2, 1)], axis=-1, smooth=(0,)),
    call("concatenate", [normal(2, 3), normal(2)], axis=None, smooth=(0,)),
    call("stack", [normal(2, 3), normal(2, 3)], axis=1, smooth=(0,)),
    call("vstack", [normal(3), normal(2, 3)], smooth=(0,)),
    call("row_stack", [normal(3), normal(3)], smooth=(0,)),
    call("hstack", [normal(2, 3), normal(2, 1)], smooth=(0,)),
    call("dstack", [normal(2, 3), normal(2, 3)], smooth=(0,)),
    call("column_stack", [normal(2), normal(2, 3)], smooth=(0,)),
    call("block", [[normal(2, 2), normal(2, 1)], [normal(1, 3)]], smooth=(0,)),
    call("append", normal(2, 3), normal(1, 3), axis=0),
    call("append", normal(2, 3), normal(2)),
    call("atleast_1d", numpy.asarray(0.3)),
    call("atleast_2d", normal(3)),
    call("atleast_3d", normal(2, 3)),
    call("array_split", normal(7), 3),
    call("split", normal(6, 2), [1, 4]),
    call("split", normal(2, 6), 3, axis=1),
    call("hsplit", normal(2, 4), 2),
    call("vsplit", normal(4, 2), 2),
    call("dsplit", normal(1, 2, 4), 2),
    call("tile", normal(2, 3), 2),
    call("tile", normal(3), (2, 1, 2)),
    call("repeat", normal(2, 3), 2),
    call("repeat", normal(2, 3), [1, 2], axis=0),
    call("delete", normal(5), 1),
    call("delete", normal(3, 4), [0, 2], axis=1),
    call("insert", normal(5), [1, 3], normal(2), smooth=(0, 2)),
    call("insert", normal(2, 3), 1, normal(2), axis=1, smooth=(0, 2)),
    call("insert", normal(2, 3), 1, 9.0, axis=0),
    call("resize", normal(2, 3), (3, 4)),
    call("pad", normal(2, 3), 1),
    call("pad", normal(2, 3), ((1, 2), (0, 1)), constant_values=4.0),
    *[call("pad", normal(4), (2, 1), mode=m) for m in ("edge", "reflect", "symmetric", "wrap")],
    constant("shape", normal(2, 3)),
    constant("size", normal(2, 3), 1),
    constant("ndim", normal(2, 3)),
]

# --- indexing ---
CALLS += [
    call("take", normal(2, 3), numpy.array([2, 0, 2]), axis=1, smooth=(0,)),
    call("take", normal(2, 3), numpy.array([[5, 0], [1, -1]]), smooth=(0,)),
    call("take", normal(4), [7, -9], mode="clip"),
    call("take", normal(4), [7, -9], mode="wrap"),
    call("take_along_axis", normal(2, 3), numpy.array([[0], [2]]), 1, smooth=(0,)),
    call("take_along_axis", normal(2, 3), numpy.array([[1, 0, 1]]), 0, smooth=(0,)),
    call("take_along_axis", normal(6), numpy.array([1, 1, 5]), None, smooth=(0,)),
    call("compress", [True, False, True], normal(3, 2), axis=0, smooth=(1,)),
    call("extract", numpy.array([True, False, True]), normal(3), smooth=(1,)),
    call("choose", numpy.array([0, 1, 0]), [normal(3), normal(3)], smooth=(1,)),
    call("choose", numpy.array([3, -1]), [normal(2), normal(2)], mode="wrap", smooth=(1,)),
    call(
        "select",
        [numpy.array([True, False, False]), numpy.array([True, True, False])],
        [normal(3), normal(3)],
        0.5,
        smooth=(1,),
    ),
    constant("nonzero", numpy.array([0.0, 1.0, 2.0])),
    constant("flatnonzero", numpy.array([[0.0, 1.0], [2.0, 0.0]])),
    constant("argwhere", numpy.array([[0.0, 1.0], [2.0, 0.0]])),
    constant("where", numpy.array([True, False, True])),
]

# --- products ---
_DOTS = [((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 2)), ((2, 3), (3, 4)), ((), (2, 3)), ((2, 3), ())]
CALLS += [call("dot", normal(*a), normal(*b)) for a, b in _DOTS]
CALLS += [
    call("dot", normal(2, 2, 3), normal(3)),
    call("dot", normal(3), normal(2, 3, 2)),
    call("dot", normal(2, 3), normal(2, 3, 2)),
    call("dot", normal(2, 2, 3), normal(2, 3, 2)),
]
_MATMULS = [((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 2)), ((2, 3), (3, 4)), ((5, 2, 3), (3, 2))]
_MATMULS += [
    ((4, 1, 2, 3), (5, 3, 2)),
    ((3,), (2, 3, 4)),
    ((2, 4, 3), (3,)),
    ((1, 2, 3), (4, 3, 1)),
]
CALLS += [call("matmul", normal(*a), normal(*b)) for a, b in _MATMULS]
CALLS += [
    call("tensordot", normal(2, 3, 4), normal(4, 3, 2), axes=1),
    call("tensordot", normal(2, 3, 4), normal(3, 4, 2)),
    call("tensordot", normal(2, 3, 4), normal(4, 3, 2), axes=([1, 2], [1, 0])),
    call("tensordot", normal(2, 3, 4), normal(4, 3, 2), axes=([2, 0], [0, -1])),
    call("tensordot", normal(2, 3), normal(2, 2), axes=0),
    call("tensordot", normal(2, 3), normal(3, 2), axes=(1, 0)),
    call("inner", normal(2, 3), normal(4, 3)),
    call("inner", normal(3), normal(3)),
    call("outer", normal(2, 2), normal(3)),
    call("vdot", normal(2, 3), normal(2, 3)),
    call("kron", normal(2, 3), normal(2, 2)),
    call("kron", normal(3), normal(2, 2)),
    call("cross", normal(4, 3), normal(4, 3)),
    call("cross", normal(4, 2), normal(4, 3)),
    call("cross", normal(2), normal(2)),
    call("cross", normal(3, 4), normal(3, 4), axis=0),
]
for _mode in ("full", "same", "valid"):
    CALLS += [call("convolve", normal(a), normal(b), _mode) for a, b in ((5, 3), (2, 6), (4, 4))]
    CALLS += [call("correlate", normal(a), normal(b), _mode) for a, b in ((5, 3), (2, 6), (4, 5))]
for _subscripts, _shapes in {
    "ij,jk->ik": [(2, 3), (3, 4)],
    "ij,jk": [(2, 3), (3, 4)],
    "ii": [(3, 3)],
    "ii->i": [(3, 3)],
    "ij->": [(2, 3)],
    "ij->j": [(2, 3)],
    "...ij,...jk->...ik": [(4, 2, 3), (3, 2)],
    "i...,i...": [(2, 3), (2, 3)],
    "ij,jk,kl->il": [(2, 3), (3, 2), (2, 4)],
    "iij,j->i": [(2, 2, 3), (3,)],
    "i,j->ij": [(2,), (3,)],
    "bij,bjk->ki": [(2, 3, 4), (2, 4, 2)],
}.items():
    _operands = [normal(*s) for s in _shapes]
    CALLS.append(call("einsum", _subscripts, *_operands))
CALLS.append(
    call("einsum", "ij,jk,kl->il", normal(2, 3), normal(3, 2), normal(2, 4), optimize=True)
)
CALLS.append(call("einsum", normal(2, 3), [0, 1], normal(3), [1], [0], smooth=(0, 2)))

# --- differences and interpolation ---
CALLS += [
    call("diff", normal(5)),
    call("diff", normal(3, 4), n=2, axis=0),
    call("diff", normal(4), prepend=0.0, append=normal(2), smooth=(0,)),
    call("ediff1d", normal(2, 3)),
    call("ediff1d", normal(4), 5.0, numpy.array([1.0, 2.0]), smooth=(0,)),
    call("trapz", normal(5)),
    call("trapz", normal(2, 5), normal(5)),
    call("trapz", normal(3, 2), dx=0.5, axis=0),
    call("gradient", normal(5)),
    call("gradient", normal(4, 5), 2.0),
    call("gradient", normal(5), numpy.array([0.0, 1.0, 1.5, 3.0, 4.0]), edge_order=2, smooth=(0,)),
    call("gradient", normal(4, 5), axis=1),
    call("interp", inside(4), numpy.array([-1.0, 0.05, 1.0]), normal(3)),
    call("interp", normal(4) * 3.0, numpy.array([-1.0, 0.05, 1.0]), normal(3)),
    call("interp", normal(4) * 3.0, numpy.array([0.1, 0.9, 2.0]), normal(3), period=2.5),
    call("interp", normal(4) * 3.0, numpy.array([-1.0, 0.1, 2.0]), normal(3), left=0.0, right=1.0),
    call("unwrap", numpy.array([0.1, 0.4, 6.5, 6.8])),
    call("polyval", normal(3), normal(2, 2)),
    call("vander", normal(3), 4),
    call("vander", normal(3), increasing=True),
]

# --- linear algebra ---
CALLS += [
    call("linalg.inv", well(3, 3)),
    call("linalg.inv", well(2, 3, 3)),
    call("linalg.pinv", normal(4, 3)),
    call("linalg.pinv", normal(2, 3)),
    call("linalg.solve", well(3, 3), normal(3)),
    call("linalg.solve", well(3, 3), normal(3, 2)),
    call("linalg.solve", well(2, 3, 3), normal(2, 3)),
    call("linalg.solve", well(2, 3, 3), normal(1, 3, 2)),
    call("linalg.det", well(3, 3)),
    call("linalg.det", well(2, 3, 3)),
    call("linalg.slogdet", well(2, 3, 3)),
    call("linalg.cholesky", spd(3, 3), symmetric=True),
    call("linalg.cholesky", spd(2, 3, 3), symmetric=True),
    call("linalg.eigh", spd(3, 3), symmetric=True),
    call("linalg.eigh", spd(2, 3, 3), UPLO="U", symmetric=True),
    call("linalg.eigvalsh", spd(2, 3, 3), symmetric=True),
    call("linalg.svd", normal(3, 3)),
    call("linalg.svd", normal(4, 3), full_matrices=False),
    call("linalg.svd", normal(2, 2, 4), full_matrices=False),
    call("linalg.svd", normal(3, 4), compute_uv=False),
    call("linalg.qr", well(3, 3)),
    call("linalg.qr", well(2, 4, 3)),
    call("linalg.qr", well(2, 4)),
    call("linalg.qr", well(4, 3), "r"),
    *[call("linalg.matrix_power", well(3, 3), n) for n in (0, 1, 2, 3, 5, -2)],
    call("linalg.multi_dot", [normal(2, 5), normal(5, 1), normal(1, 4)], smooth=(0,)),
    call("linalg.multi_dot", [normal(3), normal(3, 2), normal(2, 4), normal(4)], smooth=(0,)),
    call("linalg.norm", normal(3)),
    call("linalg.norm", normal(2, 3)),
    call("linalg.norm", normal(2, 3, 4)),
    *[call("linalg.norm", normal(4), o) for o in (1, 2, 3, 0.5, numpy.inf, -numpy.inf)],
    constant("linalg.norm", normal(4), 0),
    *[
        call("linalg.norm", normal(3, 3), o)
        for o in ("fro", "nuc", 1, -1, 2, -2, numpy.inf, -numpy.inf)
    ],
    call("linalg.norm", normal(2, 3, 4), axis=1),
    call("linalg.norm", normal(2, 3, 4), 1, axis=(0, 2), keepdims=True),
    call("linalg.norm", normal(2, 3, 4), "nuc", axis=(2, 0), keepdims=True),
    call("linalg.norm", normal(2, 3), 2, axis=0, keepdims=True),
]

# --- by the fall-back ---
CALLS += [
    constant("fft.fft", normal(4)),
    constant("fft.fftfreq", 4, 0.5),
    constant("linalg.matrix_rank", normal(3, 2)),
    constant("linalg.cond", well(3, 3)),
    constant("linalg.eig", numpy.diag([1.0, 2.0])),
    constant("histogram", normal(6), 3),
    constant("bincount", integers(6)),
    constant("isin", integers(4), [1, 2, 3]),
    constant("union1d", integers(3), integers(3)),
    constant("array_equal", normal(3), normal(3)),
    constant("allclose", normal(3), normal(3)),
    constant("hanning", 5),
    constant("tril_indices", 3),
    constant("unravel_index", numpy.array([1, 5]), (2, 3)),
    constant("ravel_multi_index", (numpy.array([0, 1]), numpy.array([2, 1])), (2, 3)),
    constant("piecewise", normal(4), [True, False, True, False], [1.0, 2.0]),
    constant("polyfit", numpy.arange(4.0), normal(4), 1),
    constant("apply_along_axis", numpy.sum, 0, normal(2, 3)),
    constant("packbits", booleans(9)),
    constant("array_str", normal(2)),
    constant("result_type", normal(2), integers(2)),
    constant("iscomplexobj", normal(2)),
    constant("polynomial.polynomial.polyval", 2.0, normal(3)),
    constant("lib.stride_tricks.sliding_window_view", normal(5), 2),
]
