"""The table of operations on arrays: which ONNX nodes each primitive of `minpy.numpy` becomes.

A function takes the graph, the recorded result (a tuple where there are several) and the
operation's arguments, and returns the name of the tensor. Those of layers are in
`layer_operators`.
"""

from __future__ import annotations

import math
import string
from collections.abc import Callable
from typing import Any

import numpy

from minpy.exporting.batch_axis import Extent
from minpy.exporting.graph import Graph, NotExportable
from minpy.exporting.recording import Constant, Value

__all__ = ["OPERATORS", "becomes", "dtype_of", "is_array", "shape_of"]

OPERATORS: dict[str, Callable[..., Any]] = {}

_INT64, _BOOL = numpy.dtype("int64"), numpy.dtype("bool")


def becomes(*names: str) -> Callable[[Callable], Callable]:
    """Register a function as what turns these operations into nodes."""

    def register(function: Callable) -> Callable:
        OPERATORS.update(dict.fromkeys(names, function))
        return function

    return register


def is_array(operand: Any) -> bool:
    """Say whether an operand is a recorded array."""
    return isinstance(operand, Value | Constant)


def shape_of(operand: Any) -> tuple[Any, ...]:
    """Return the shape of an operand, in which lengths may depend on the batch."""
    return operand.shape if is_array(operand) else numpy.shape(operand)


def dtype_of(operand: Any) -> Any:
    """Return the element type of an operand."""
    return operand.dtype if is_array(operand) else numpy.asarray(operand).dtype


def _common(*operands: Any) -> numpy.dtype:
    """Return the dtype that operands are compared in, in which a plain number has no say."""
    weigh = [numpy.zeros(1, o.dtype) if is_array(o) and o.shape else
             numpy.zeros((), o.dtype) if is_array(o) else
             0 if isinstance(o, Extent) else o for o in operands]  # fmt: skip
    return numpy.result_type(*weigh)


def _axis(axis: Any, ndim: int) -> int:
    return int(axis) % ndim


def _axes(axis: Any, ndim: int) -> list[int]:
    if axis is None:
        return list(range(ndim))
    return [_axis(a, ndim) for a in (axis if isinstance(axis, tuple | list) else (axis,))]


def _length(n: Any, what: str) -> int:
    if isinstance(n, Extent):
        raise NotExportable(f"{what} along the batch")
    return int(n)


# --- one element at a time ------------------------------------------------------------------------

_UNARY = {
    "absolute": "Abs", "fabs": "Abs", "negative": "Neg", "exp": "Exp", "log": "Log",
    "sqrt": "Sqrt", "sin": "Sin", "cos": "Cos", "tan": "Tan", "arcsin": "Asin", "arccos": "Acos",
    "arctan": "Atan", "sinh": "Sinh", "cosh": "Cosh", "tanh": "Tanh", "arcsinh": "Asinh",
    "arccosh": "Acosh", "arctanh": "Atanh", "floor": "Floor", "ceil": "Ceil", "rint": "Round",
    "sign": "Sign", "reciprocal": "Reciprocal", "sigmoid": "Sigmoid", "relu": "Relu",
    "softplus": "Softplus", "softsign": "Softsign", "positive": "Identity", "copy": "Identity",
    "conjugate": "Identity", "stop_gradient": "Identity", "as_in_context": "Identity",
}  # fmt: skip


def _unary(kind: str) -> Callable[..., str]:
    def emit(g: Graph, out: Value, x: Any) -> str:
        return g.op(kind, g.tensor(x, out.dtype))

    return emit


OPERATORS.update({name: _unary(kind) for name, kind in _UNARY.items()})

# Operation → what is computed, of the operand, the graph and a function that makes constants.
_WRITTEN_OUT: dict[str, Callable[..., str]] = {
    "square": lambda g, x, c: g.op("Mul", x, x),
    "exp2": lambda g, x, c: g.op("Pow", c(2.0), x),
    "expm1": lambda g, x, c: g.op("Sub", g.op("Exp", x), c(1.0)),
    "log1p": lambda g, x, c: g.op("Log", g.op("Add", x, c(1.0))),
    "log2": lambda g, x, c: g.op("Mul", g.op("Log", x), c(1 / math.log(2))),
    "log10": lambda g, x, c: g.op("Mul", g.op("Log", x), c(1 / math.log(10))),
    "cbrt": lambda g, x, c: g.op("Mul", g.op("Sign", x), g.op("Pow", g.op("Abs", x), c(1 / 3))),
    "trunc": lambda g, x, c: g.op("Mul", g.op("Sign", x), g.op("Floor", g.op("Abs", x))),
    "deg2rad": lambda g, x, c: g.op("Mul", x, c(math.pi / 180)),
    "rad2deg": lambda g, x, c: g.op("Mul", x, c(180 / math.pi)),
    "hard_sigmoid": lambda g, x, c: g.op("HardSigmoid", x, alpha=1 / 6, beta=0.5),
    "normal_cdf": lambda g, x, c: _normal_cdf(g, x, c),
    "gelu": lambda g, x, c: g.op("Mul", x, _normal_cdf(g, x, c)),
}
for _name, _same in {"fix": "trunc", "radians": "deg2rad", "degrees": "rad2deg"}.items():
    _WRITTEN_OUT[_name] = _WRITTEN_OUT[_same]


def _normal_cdf(g: Graph, x: str, c: Callable[[float], str]) -> str:
    erf = g.op("Erf", g.op("Mul", x, c(math.sqrt(0.5))))
    return g.op("Mul", g.op("Add", erf, c(1.0)), c(0.5))


def _written_out(formula: Callable[..., str]) -> Callable[..., str]:
    def emit(g: Graph, out: Value, x: Any) -> str:
        return formula(g, g.tensor(x, out.dtype), lambda n: g.constant(n, out.dtype))

    return emit


OPERATORS.update({name: _written_out(formula) for name, formula in _WRITTEN_OUT.items()})


@becomes("elu")
def _elu(g: Graph, out: Value, x: Any, alpha: float) -> str:
    return g.op("Elu", g.tensor(x, out.dtype), alpha=float(alpha))


@becomes("leaky_relu")
def _leaky_relu(g: Graph, out: Value, x: Any, slope: float) -> str:
    return g.op("LeakyRelu", g.tensor(x, out.dtype), alpha=float(slope))


@becomes("round")
def _round(g: Graph, out: Value, x: Any, decimals: int = 0) -> str:
    scale = g.constant(10.0**decimals, out.dtype)
    found = g.tensor(x, out.dtype)
    if not decimals:
        return g.op("Round", found)
    return g.op("Div", g.op("Round", g.op("Mul", found, scale)), scale)


_BINARY = {
    "add": "Add", "subtract": "Sub", "multiply": "Mul", "true_divide": "Div", "power": "Pow",
    "float_power": "Pow", "maximum": "Max", "minimum": "Min", "fmax": "Max", "fmin": "Min",
}  # fmt: skip
# What is computed of two operands of the result's dtype.
_PAIRS: dict[str, Callable[..., str]] = {
    "fmod": lambda g, x, y: g.op("Mod", x, y, fmod=1),
    "floor_divide": lambda g, x, y: g.op("Floor", g.op("Div", x, y)),
    "remainder": lambda g, x, y: g.op("Sub", x, g.op("Mul", g.op("Floor", g.op("Div", x, y)), y)),
    "hypot": lambda g, x, y: g.op("Sqrt", g.op("Add", g.op("Mul", x, x), g.op("Mul", y, y))),
    "logaddexp": lambda g, x, y: g.op(
        "Add",
        g.op("Max", x, y),
        g.op("Softplus", g.op("Neg", g.op("Abs", g.op("Sub", x, y)))),
    ),
}


def _arctan2(g: Graph, y: str, x: str, constant: Callable[[float], str]) -> str:
    """Return the angle by that of a quotient, which knows half of the circle."""
    zero = constant(0.0)
    upright = g.op("Equal", x, zero)
    angle = g.op("Atan", g.op("Div", y, g.op("Where", upright, constant(1.0), x)))
    turn = g.op("Where", g.op("Less", y, zero), constant(-math.pi), constant(math.pi))
    turned = g.op("Add", angle, g.op("Where", g.op("Less", x, zero), turn, zero))
    return g.op("Where", upright, g.op("Mul", g.op("Sign", y), constant(math.pi / 2)), turned)


@becomes("arctan2")
def _angle(g: Graph, out: Value, y: Any, x: Any) -> str:
    given = g.tensor(y, out.dtype), g.tensor(x, out.dtype)
    return _arctan2(g, *given, lambda n: g.constant(n, out.dtype))


def _binary(kind: str) -> Callable[..., str]:
    def emit(g: Graph, out: Value, x: Any, y: Any) -> str:
        if out.dtype == _BOOL:  # of sums, products, maxima and minima of bools
            logical = {"Add": "Or", "Max": "Or", "Mul": "And", "Min": "And"}.get(kind)
            if logical is None:
                raise NotExportable("bools")
            return g.op(logical, g.tensor(x, _BOOL), g.tensor(y, _BOOL))
        return g.op(kind, g.tensor(x, out.dtype), g.tensor(y, out.dtype))

    return emit


def _pair(name: str, formula: Callable[..., str]) -> Callable[..., str]:
    def emit(g: Graph, out: Value, x: Any, y: Any) -> str:
        given = g.tensor(x, out.dtype), g.tensor(y, out.dtype)
        if out.dtype.kind != "f":
            if name == "remainder":
                return g.op("Mod", *given)  # with the divisor's sign, as NumPy's
            if name != "fmod":  # by way of floats, which divide as NumPy's integers do
                wide = [g.cast(t, out.dtype, "float64") for t in given]
                return g.cast(formula(g, *wide), "float64", out.dtype)
        return formula(g, *given)

    return emit


OPERATORS.update({name: _binary(kind) for name, kind in _BINARY.items()})
OPERATORS.update({name: _pair(name, formula) for name, formula in _PAIRS.items()})

_COMPARISONS = {
    "equal": "Equal",
    "not_equal": "Equal",
    "greater": "Greater",
    "greater_equal": "GreaterOrEqual",
    "less": "Less",
    "less_equal": "LessOrEqual",
}


def _comparison(name: str, kind: str) -> Callable[..., str]:
    def emit(g: Graph, out: Value, x: Any, y: Any) -> str:
        dtype = _common(x, y)
        if dtype == _BOOL and kind != "Equal":
            dtype = numpy.dtype("int32")
        found = g.op(kind, g.tensor(x, dtype), g.tensor(y, dtype))
        return g.op("Not", found) if name == "not_equal" else found

    return emit


OPERATORS.update({name: _comparison(name, kind) for name, kind in _COMPARISONS.items()})


def _logical(name: str, kind: str) -> Callable[..., str]:
    def emit(g: Graph, out: Value, x: Any, y: Any) -> str:
        if out.dtype != _BOOL:
            return g.op(f"Bitwise{kind}", g.tensor(x, out.dtype), g.tensor(y, out.dtype))
        return g.op(kind, g.tensor(x, _BOOL), g.tensor(y, _BOOL))

    return emit


for _kind in ("And", "Or", "Xor"):
    for _prefix in ("logical_", "bitwise_"):
        OPERATORS[_prefix + _kind.lower()] = _logical(_prefix + _kind.lower(), _kind)


@becomes("logical_not", "invert")
def _not(g: Graph, out: Value, x: Any) -> str:
    if out.dtype != _BOOL:
        return g.op("BitwiseNot", g.tensor(x, out.dtype))
    return g.op("Not", g.tensor(x, _BOOL))


@becomes("isnan")
def _isnan(g: Graph, out: Value, x: Any) -> str:
    return g.op("IsNaN", g.tensor(x))


@becomes("isinf")
def _isinf(g: Graph, out: Value, x: Any) -> str:
    return g.op("IsInf", g.tensor(x))


@becomes("isposinf")
def _isposinf(g: Graph, out: Value, x: Any) -> str:
    return g.op("IsInf", g.tensor(x), detect_negative=0)


@becomes("isneginf")
def _isneginf(g: Graph, out: Value, x: Any) -> str:
    return g.op("IsInf", g.tensor(x), detect_positive=0)


@becomes("isfinite")
def _isfinite(g: Graph, out: Value, x: Any) -> str:
    found = g.tensor(x)
    return g.op("Not", g.op("Or", g.op("IsNaN", found), g.op("IsInf", found)))


@becomes("astype", "view")
def _astype(g: Graph, out: Value, x: Any, dtype: Any) -> str:
    return g.tensor(x, out.dtype)


@becomes("where")
def _where(g: Graph, out: Value, condition: Any, x: Any, y: Any) -> str:
    return g.op("Where", g.tensor(condition, _BOOL), g.tensor(x, out.dtype), g.tensor(y, out.dtype))


@becomes("clip")
def _clip(g: Graph, out: Value, x: Any, low: Any = None, high: Any = None) -> str:
    found = g.tensor(x, out.dtype)
    for kind, bound in (("Max", low), ("Min", high)):
        if bound is not None:
            found = g.op(kind, found, g.tensor(bound, out.dtype))
    return found


@becomes("nan_to_num")
def _nan_to_num(
    g: Graph, out: Value, x: Any, copy: bool = True, nan: Any = 0.0, posinf: Any = None,
    neginf: Any = None,
) -> str:  # fmt: skip
    limits = numpy.finfo(out.dtype)
    found = g.tensor(x, out.dtype)
    low, high = (
        (limits.min if neginf is None else neginf),
        (limits.max if posinf is None else posinf),
    )
    infinite = g.op("IsInf", found)
    positive = g.op("Greater", found, g.constant(0, out.dtype))
    ends = g.op("Where", positive, g.tensor(high, out.dtype), g.tensor(low, out.dtype))
    finite = g.op("Where", infinite, ends, found)
    return g.op("Where", g.op("IsNaN", found), g.tensor(nan, out.dtype), finite)


def _filled(value: int) -> Callable[..., str]:
    def emit(g: Graph, out: Value, x: Any, **told: Any) -> str:
        return g.op("Expand", g.constant(value, out.dtype), g.lengths(out.shape))

    return emit


OPERATORS["zeros_like"], OPERATORS["ones_like"] = _filled(0), _filled(1)


# --- reductions -----------------------------------------------------------------------------------


def _reduction(kind: str) -> Callable[..., str]:
    def emit(
        g: Graph, out: Value, x: Any, axis: Any = None, dtype: Any = None, *,
        keepdims: Any = False,
    ) -> str:  # fmt: skip
        axes = _axes(axis, len(shape_of(x)))
        counts = out.dtype == _BOOL  # of minima and maxima of bools
        found = g.tensor(x, numpy.dtype("int32") if counts else out.dtype)
        if axes:
            told = g.constant(axes, "int64")
            found = g.op(kind, found, told, keepdims=int(keepdims is True))
        return g.cast(found, numpy.dtype("int32"), out.dtype) if counts else found

    return emit


for _name, _kind in {
    "sum": "ReduceSum",
    "mean": "ReduceMean",
    "max": "ReduceMax",
    "min": "ReduceMin",
    "prod": "ReduceProd",
}.items():
    OPERATORS[_name] = _reduction(_kind)


def _truth(kind: str) -> Callable[..., str]:
    def emit(g: Graph, out: Value, x: Any, axis: Any = None, *, keepdims: Any = False) -> str:
        axes = _axes(axis, len(shape_of(x)))
        found = g.cast(g.tensor(x, _BOOL), _BOOL, "int32")
        if axes:
            told = g.constant(axes, "int64")
            found = g.op(kind, found, told, keepdims=int(keepdims is True))
        return g.cast(found, "int32", _BOOL)

    return emit


OPERATORS["all"], OPERATORS["any"] = _truth("ReduceMin"), _truth("ReduceMax")


@becomes("var")
def _var(
    g: Graph, out: Value, x: Any, axis: Any = None, dtype: Any = None, *, ddof: int = 0,
    keepdims: Any = False,
) -> str:  # fmt: skip
    shape = shape_of(x)
    axes = _axes(axis, len(shape))
    told, found = g.constant(axes, "int64"), g.tensor(x, out.dtype)
    off = g.op("Sub", found, g.op("ReduceMean", found, told, keepdims=1))
    mean = g.op("ReduceMean", g.op("Mul", off, off), told, keepdims=int(keepdims is True))
    if ddof:
        count = math.prod(_length(shape[a], "a variance with ddof") for a in axes)
        mean = g.op("Mul", mean, g.constant(count / (count - ddof), out.dtype))
    return mean


@becomes("std")
def _std(g: Graph, out: Value, x: Any, *args: Any, **told: Any) -> str:
    return g.op("Sqrt", _var(g, out, x, *args, **told))


@becomes("mean_of_rows")
def _mean_of_rows(g: Graph, out: Value, x: Any) -> str:
    return g.op("ReduceMean", g.tensor(x), g.constant([1], "int64"), keepdims=0)


def _extreme(kind: str) -> Callable[..., str]:
    def emit(g: Graph, out: Value, x: Any, axis: Any = None, *, keepdims: Any = False) -> str:
        found = g.tensor(x)
        if axis is None:
            found, axis = g.op("Reshape", found, g.constant([-1], "int64")), 0
        made = g.op(kind, found, axis=int(axis), keepdims=int(keepdims is True))
        return g.cast(made, _INT64, out.dtype)

    return emit


OPERATORS["argmax"], OPERATORS["argmin"] = _extreme("ArgMax"), _extreme("ArgMin")


@becomes("cumsum")
def _cumsum(g: Graph, out: Value, x: Any, axis: Any = None, dtype: Any = None) -> str:
    found = g.tensor(x, out.dtype)
    if axis is None:
        found, axis = g.op("Reshape", found, g.constant([-1], "int64")), 0
    return g.op("CumSum", found, g.constant(int(axis), "int64"))


def _sorted(
    g: Graph, x: Any, axis: Any, dtype: Any = None, largest: bool = False
) -> tuple[str, str]:
    axis = _axis(axis, len(shape_of(x)))
    count = _length(shape_of(x)[axis], "an order")
    told = {"axis": axis, "largest": int(largest), "sorted": 1}
    return g.op("TopK", g.tensor(x, dtype), g.constant([count], "int64"), outputs=2, **told)


@becomes("sort")
def _sort(g: Graph, out: Value, x: Any, axis: Any = -1, kind: Any = None) -> str:
    return _sorted(g, x, axis, out.dtype)[0]


@becomes("argsort")
def _argsort(g: Graph, out: Value, x: Any, axis: Any = -1, kind: Any = None, **told: Any) -> str:
    return g.cast(_sorted(g, x, axis)[1], _INT64, out.dtype)


# --- shapes ---------------------------------------------------------------------------------------


@becomes("reshape", "ravel", "squeeze", "expand_dims")
def _reshape(g: Graph, out: Value, x: Any, *args: Any, **told: Any) -> str:
    order = told.get("order", next((a for a in args if isinstance(a, str)), "C"))
    found = g.tensor(x)
    if order == "C" or len(shape_of(x)) < 2 > len(out.shape):
        return g.reshaped(found, out.shape)
    turned = g.transposed(found, range(len(shape_of(x)))[::-1])
    turned = g.reshaped(turned, out.shape[::-1])
    return g.transposed(turned, range(len(out.shape))[::-1])


def _permutation(name: str) -> Callable[..., str]:
    def emit(g: Graph, out: Value, x: Any, *args: Any, **told: Any) -> str:
        ndim = len(shape_of(x))
        # Axes of unlike lengths tell where each went.
        trial = numpy.broadcast_to(numpy.zeros(()), tuple(range(1, ndim + 1)))
        moved = getattr(numpy, name)(trial, *args, **told)
        return g.transposed(g.tensor(x), [n - 1 for n in moved.shape])

    return emit


for _name in ("transpose", "swapaxes", "moveaxis", "rollaxis"):
    OPERATORS[_name] = _permutation(_name)


@becomes("broadcast_to", "spread")
def _broadcast_to(g: Graph, out: Value, x: Any, *args: Any, **told: Any) -> str:
    given = shape_of(x)
    lead = len(out.shape) - len(given)
    # Where the operand has the batch already, its length needs no second source.
    lengths = [
        1 if axis >= lead and given[axis - lead] == n else n for axis, n in enumerate(out.shape)
    ]
    return g.op("Expand", g.tensor(x), g.lengths(lengths))


def _flip(axes: Callable[[Any, int], list[int]]) -> Callable[..., str]:
    def emit(g: Graph, out: Value, x: Any, axis: Any = None) -> str:
        found = g.tensor(x)
        for a in axes(axis, len(shape_of(x))):
            found = g.slice(found, a, -1, -(2**62), -1)
        return found

    return emit


OPERATORS["flip"] = _flip(_axes)
OPERATORS["fliplr"] = _flip(lambda axis, ndim: [1])
OPERATORS["flipud"] = _flip(lambda axis, ndim: [0])


@becomes("roll")
def _roll(g: Graph, out: Value, x: Any, shift: Any, axis: Any = None) -> str:
    if axis is None:
        raise NotExportable("rolling over all axes at once")
    axes = _axes(axis, len(out.shape))
    found = g.tensor(x)
    for a, by in zip(axes, numpy.broadcast_to(shift, len(axes)), strict=True):
        by = int(by) % _length(out.shape[a], "rolling")
        if by:
            parts = (g.slice(found, a, -by, 2**62), g.slice(found, a, 0, -by))
            found = g.op("Concat", *parts, axis=a)
    return found


@becomes("tile")
def _tile(g: Graph, out: Value, x: Any, reps: Any) -> str:
    times = list(reps) if isinstance(reps, tuple | list | numpy.ndarray) else [reps]
    given = list(shape_of(x))
    found = g.tensor(x)
    if len(times) > len(given):
        found = g.reshaped(found, [1] * (len(times) - len(given)) + given)
    times = [1] * (len(given) - len(times)) + times
    return g.op("Tile", found, g.lengths(times))


@becomes("repeat")
def _repeat(g: Graph, out: Value, x: Any, repeats: Any, axis: Any = None) -> str:
    found, shape = g.tensor(x), shape_of(x)
    if axis is None:
        raise NotExportable("repeating over all axes at once")
    axis = _axis(axis, len(shape))
    if numpy.ndim(repeats) == 0:  # side by side on an axis of their own
        split = [*shape[: axis + 1], 1, *shape[axis + 1 :]]
        ones = [1] * len(split)
        ones[axis + 1] = int(repeats)
        wide = g.op("Expand", g.reshaped(found, split), g.lengths(ones))
        return g.reshaped(wide, out.shape)
    places = numpy.repeat(numpy.arange(_length(shape[axis], "repeating")), repeats)
    return g.op("Gather", found, g.constant(places, "int64"), axis=axis)


@becomes("_concatenate")
def _concatenate(g: Graph, out: Value, *arrays: Any, axis: Any = 0, **told: Any) -> str:
    given = [g.tensor(a, out.dtype) for a in arrays]
    if axis is None:
        given, axis = [g.op("Reshape", a, g.constant([-1], "int64")) for a in given], 0
    return given[0] if len(given) == 1 else g.op("Concat", *given, axis=int(axis))


@becomes("stack")
def _stack(g: Graph, out: Value, *arrays: Any, axis: int = 0, **told: Any) -> str:
    at = _axis(axis, len(out.shape))
    where = g.constant([at], "int64")
    given = [g.op("Unsqueeze", g.tensor(a, out.dtype), where) for a in arrays]
    return given[0] if len(given) == 1 else g.op("Concat", *given, axis=at)


def _triangle(name: str) -> Callable[..., str]:
    def emit(g: Graph, out: Value, x: Any, k: int = 0) -> str:
        rows = [_length(n, "a triangle") for n in out.shape[-2:]]
        inside = getattr(numpy, name)(numpy.ones(rows, bool), k)
        zero = g.constant(0, out.dtype)
        return g.op("Where", g.constant(inside), g.tensor(x, out.dtype), zero)

    return emit


OPERATORS["tril"], OPERATORS["triu"] = _triangle("tril"), _triangle("triu")


@becomes("diagonal")
def _diagonal(g: Graph, out: Value, x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> str:
    shape = shape_of(x)
    axes = [_axis(a, len(shape)) for a in (axis1, axis2)]
    rows, columns = (_length(shape[a], "a diagonal") for a in axes)
    others = [a for a in range(len(shape)) if a not in axes]
    moved = g.transposed(g.tensor(x), [*others, *axes])
    flat = g.reshaped(moved, [*(shape[a] for a in others), rows * columns])
    places = numpy.diagonal(numpy.arange(rows * columns).reshape(rows, columns), offset)
    return g.op("Gather", flat, g.constant(places, "int64"), axis=len(others))


@becomes("rot90")
def _rot90(g: Graph, out: Value, x: Any, k: int = 1, axes: Any = (0, 1)) -> str:
    first, second = (_axis(a, len(out.shape)) for a in axes)
    order = list(range(len(out.shape)))
    order[first], order[second] = second, first
    found, back = g.tensor(x), (-1, -(2**62), -1)
    if k % 4 == 2:
        return g.slice(g.slice(found, first, *back), second, *back)
    if k % 4 == 1:
        return g.transposed(g.slice(found, second, *back), order)
    return g.slice(g.transposed(found, order), second, *back) if k % 4 else found


@becomes("diff")
def _diff(g: Graph, out: Value, x: Any, n: int = 1, axis: int = -1) -> str:
    found = g.tensor(x)
    for _ in range(n):
        later, sooner = (g.slice(found, axis, *ends) for ends in ((1, 2**62), (0, -1)))
        found = g.op("Sub", later, sooner)
    return found


def _padded(g: Graph, out: Value, x: Any, widths: Any, mode: str, value: Any = 0) -> str:
    widths = [(int(a), int(b)) for a, b in widths]
    pads = [a for a, _ in widths] + [b for _, b in widths]
    found = g.tensor(x, out.dtype)
    if not any(pads):
        return found
    more = (g.constant(value, out.dtype),) if mode == "constant" else ()
    return g.op("Pad", found, g.constant(pads, "int64"), *more, mode=mode)


@becomes("pad", "pad_by_copying")
def _pad(g: Graph, out: Value, x: Any, pad_width: Any, mode: str = "constant", **told: Any) -> str:
    widths = numpy.broadcast_to(numpy.asarray(pad_width), (len(out.shape), 2))
    if mode == "constant":
        value = told.get("constant_values", 0)
        if numpy.ndim(value) == 0:
            return _padded(g, out, x, widths, mode, value)
    if mode in ("edge", "wrap", "symmetric", "reflect") and not told:
        # By places: each element beyond an edge is one of those inside.
        found = g.tensor(x, out.dtype)
        for axis, ends in enumerate(widths):
            if any(ends):
                count = _length(shape_of(x)[axis], "padding")
                places = numpy.pad(numpy.arange(count), [tuple(ends)], mode)
                found = g.op("Gather", found, g.constant(places, "int64"), axis=axis)
        return found
    raise NotExportable(f"padding in mode {mode!r} with {told}")


@becomes("zero_padded")
def _zero_padded(g: Graph, out: Value, x: Any, pads: Any) -> str:
    widths = [(0, 0)] * (len(out.shape) - len(pads)) + list(pads)
    return _padded(g, out, x, widths, "constant")


# --- elements by number ---------------------------------------------------------------------------


@becomes("take")
def _take(g: Graph, out: Value, x: Any, indices: Any, axis: Any = None, mode: str = "raise") -> str:
    found = g.tensor(x)
    if axis is None:
        found, axis, lengths = g.op("Reshape", found, g.constant([-1], "int64")), 0, None
        if all(isinstance(n, int) for n in shape_of(x)):
            lengths = math.prod(shape_of(x))
    else:
        axis = _axis(axis, len(shape_of(x)))
        lengths = shape_of(x)[axis]
    at = g.tensor(indices, _INT64)
    if mode == "clip":
        last = g.tensor(_length(lengths, "taking with mode='clip'") - 1, _INT64)
        at = g.op("Min", g.op("Max", at, g.constant(0, "int64")), last)
    elif mode == "wrap":
        at = g.op("Mod", at, g.tensor(_length(lengths, "taking with mode='wrap'"), _INT64))
    return g.op("Gather", found, at, axis=axis)


@becomes("embedding")
def _embedding(g: Graph, out: Value, table: Any, ids: Any) -> str:
    return g.op("Gather", g.tensor(table), g.tensor(ids, _INT64), axis=0)


@becomes("images_in_order")
def _in_order(g: Graph, out: Value, x: Any, order: Any) -> str:
    return g.op("Gather", g.tensor(x), g.tensor(order, _INT64), axis=0)


@becomes("take_along_axis")
def _take_along_axis(g: Graph, out: Value, x: Any, indices: Any, axis: Any) -> str:
    axis = _axis(axis, len(out.shape))
    at, found = g.tensor(indices, _INT64), g.tensor(x)
    for a, (n, m) in enumerate(zip(shape_of(indices), shape_of(x), strict=True)):
        if a != axis and n != m:
            raise NotExportable("indices that broadcast")
    return g.op("GatherElements", found, at, axis=axis)


@becomes("getitem_at")
def _getitem_at(g: Graph, out: Value, x: Any, *numbers: Any) -> str:
    if len(numbers) == 1:
        return g.op("Gather", g.tensor(x), g.tensor(numbers[0], _INT64), axis=0)
    lead = len(out.shape) - (len(shape_of(x)) - len(numbers))
    full = g.lengths(out.shape[:lead])
    last = g.constant([-1], "int64")
    columns = [g.op("Unsqueeze", g.op("Expand", g.tensor(n, _INT64), full), last) for n in numbers]
    return g.op("GatherND", g.tensor(x), g.op("Concat", *columns, axis=-1))


@becomes("getitem")
def _getitem(g: Graph, out: Value, x: Any, index: Any) -> str:
    shape = shape_of(x)
    parts = list(index) if isinstance(index, tuple) else [index]
    named = sum(p is not None and p is not Ellipsis for p in parts)
    if any(isinstance(p, numpy.ndarray) and p.dtype == _BOOL for p in parts):
        raise NotExportable("an index of bools")
    at = next((i for i, p in enumerate(parts) if p is Ellipsis), len(parts))
    fill = [slice(None)] * (len(shape) - named)
    parts = parts[:at] + fill + parts[at + 1 :]
    arrays = [p for p in parts if isinstance(p, numpy.ndarray | list)]
    found, axis = g.tensor(x), 0
    spans: list[tuple[int, Any, Any, int]] = []
    gathers: list[tuple[int, Any]] = []
    for part in parts:
        if part is None:
            continue
        n = shape[axis]
        if isinstance(part, slice):
            spans += _span(axis, part, n)
        elif isinstance(part, numpy.ndarray | list):
            gathers.append((axis, numpy.asarray(part)))
        elif isinstance(part, Extent):
            raise NotExportable("an element of a number that depends on the batch")
        else:
            spans.append((axis, int(part), int(part) + 1 or 2**62, 1))
        axis += 1
    if spans:
        axes, starts, stops, steps = zip(*spans, strict=True)
        told = [g.constant(v, "int64") for v in (starts, stops, axes, steps)]
        found = g.op("Slice", found, *told)
    if len(arrays) > 1:
        return _gathered_by_several(g, out, found, parts, gathers)
    for axis, numbers in gathers:
        if any(isinstance(p, int | numpy.integer) for p in parts):
            raise NotExportable("an index of arrays beside numbers")
        found = g.op("Gather", found, g.constant(numbers, "int64"), axis=axis)
    if any(not isinstance(p, slice | numpy.ndarray | list) for p in parts):
        found = g.reshaped(found, out.shape)
    return found


def _gathered_by_several(g: Graph, out: Value, x: str, parts: list, gathers: list) -> str:
    first = [i for i, _ in gathers]
    if (
        first != list(range(len(first)))
        or len(parts) < len(first)
        or None in [p for p in parts if not isinstance(p, numpy.ndarray)]
    ):
        raise NotExportable("an index of several arrays behind other axes")
    if any(isinstance(p, int | numpy.integer) for p in parts):
        raise NotExportable("an index of arrays beside numbers")
    numbers = numpy.stack(numpy.broadcast_arrays(*[n for _, n in gathers]), -1)
    return g.op("GatherND", x, g.constant(numbers, "int64"))


def _span(axis: int, part: slice, n: Any) -> list[tuple[int, Any, Any, int]]:
    if part == slice(None):
        return []
    step = 1 if part.step is None else int(part.step)
    if isinstance(n, int):
        start, stop, step = part.indices(n)
        return [(axis, start, -(2**62) if stop < 0 else stop, step)]
    ends = [part.start, part.stop]
    if any(isinstance(e, Extent) for e in ends):
        # All of the samples, written out.
        if (ends[0] in (None, 0)) and ends[1] == n and step == 1:
            return []
        raise NotExportable("a part of the batch that depends on its size")
    default = (0, 2**62) if step > 0 else (-1, -(2**62))
    start, stop = (d if e is None else int(e) for e, d in zip(ends, default, strict=True))
    return [(axis, start, stop, step)]


@becomes("updated")
def _updated(
    g: Graph, out: Value, base: Any, value: Any, operation: Any, args: Any, kwargs: Any
) -> str:
    """Choose each element from the base or from the value that is written."""
    shape = [1 if isinstance(n, Extent) else n for n in out.shape]
    if operation.name != "getitem":
        raise NotExportable(f"writing through {operation.name}")
    index = args[0] if isinstance(args[0], tuple) else (args[0],)
    index = tuple(_whole(p) for p in index)
    written = numpy.zeros(shape, bool)
    written[index] = True
    part = numpy.zeros(shape)[index]
    if numpy.ndim(value) == 0 and not (is_array(value) and shape_of(value)):
        ours = g.tensor(value, out.dtype)
    else:
        # The value lies over the whole array by the places that it is written to.
        if part.ndim != len(shape) or any(n is None for n in index):
            raise NotExportable("writing an array to a place of fewer axes")
        places = [
            numpy.arange(n)[p] if isinstance(p, slice) else None
            for n, p in zip(shape, [*index, *[slice(None)] * (len(shape) - len(index))],
                            strict=True)
        ]  # fmt: skip
        if any(p is None for p in places):
            raise NotExportable("writing an array by an index of arrays")
        ours = g.tensor(value, out.dtype)
        lead = len(shape) - len(shape_of(value))
        for axis, (n, p) in enumerate(zip(shape, places, strict=True)):
            if axis < lead or shape_of(value)[axis - lead] == 1 or len(p) == n:
                continue
            source = numpy.zeros(n, "int64")
            source[p] = numpy.arange(len(p))
            ours = g.op("Gather", ours, g.constant(source), axis=axis - lead)
    return g.op("Where", g.constant(written), ours, g.tensor(base, out.dtype))


def _whole(part: Any) -> Any:
    if isinstance(part, slice) and any(
        isinstance(e, Extent) for e in (part.start, part.stop, part.step)
    ):
        if part.start in (None, 0) and part.step in (None, 1):
            return slice(None)
        raise NotExportable("writing to a part of the batch that depends on its size")
    return part


# --- products -------------------------------------------------------------------------------------


@becomes("matmul")
def _matrix_product_of_stacks(g: Graph, out: Value, x: Any, y: Any) -> str:
    return g.op("MatMul", g.tensor(x, out.dtype), g.tensor(y, out.dtype))


@becomes("dot")
def _dot(g: Graph, out: Value, x: Any, y: Any) -> str:
    ranks = len(shape_of(x)), len(shape_of(y))
    given = g.tensor(x, out.dtype), g.tensor(y, out.dtype)
    if 0 in ranks:
        return g.op("Mul", *given)
    if ranks[1] > 2:
        raise NotExportable("dot with more than two axes on the right")
    return g.op("MatMul", *given)


@becomes("affine")
def _affine(g: Graph, out: Value, x: Any, w: Any, b: Any) -> str:
    found = g.op("MatMul", g.tensor(x, out.dtype), g.tensor(w, out.dtype))
    return found if b is None else g.op("Add", found, g.tensor(b, out.dtype))


@becomes("matrix_product", "batch_product")
def _product(g: Graph, out: Value, x: Any, y: Any, turn_x: bool, turn_y: bool) -> str:
    given = []
    for operand, turned in ((x, turn_x), (y, turn_y)):
        ndim = len(shape_of(operand))
        axes = list(range(ndim))
        if turned:
            axes[-2:] = axes[:-3:-1]
        given.append(g.transposed(g.tensor(operand, out.dtype), axes))
    return g.op("MatMul", *given)


@becomes("short_time.spectrum")
def _spectrum(g: Graph, out: Value, x: Any, matrix: Any) -> str:
    return g.op("MatMul", g.tensor(x, out.dtype), g.tensor(matrix, out.dtype))


@becomes("outer")
def _outer(g: Graph, out: Value, x: Any, y: Any) -> str:
    column, row = (g.constant(shape, "int64") for shape in ((-1, 1), (1, -1)))
    left = g.op("Reshape", g.tensor(x, out.dtype), column)
    return g.op("Mul", left, g.op("Reshape", g.tensor(y, out.dtype), row))


@becomes("tensordot")
def _tensordot(g: Graph, out: Value, x: Any, y: Any, axes: Any = 2) -> str:
    ndims = len(shape_of(x)), len(shape_of(y))
    if isinstance(axes, int | numpy.integer):
        pairs = list(range(ndims[0] - int(axes), ndims[0])), list(range(int(axes)))
    else:
        pairs = tuple(_axes(a, n) for a, n in zip(axes, ndims, strict=True))
    letters = iter(string.ascii_letters)
    left = [next(letters) for _ in range(ndims[0])]
    right = [next(letters) for _ in range(ndims[1])]
    for a, b in zip(*pairs, strict=True):
        right[b] = left[a]
    kept = [c for i, c in enumerate(left) if i not in pairs[0]]
    kept += [c for i, c in enumerate(right) if i not in pairs[1]]
    equation = f"{''.join(left)},{''.join(right)}->{''.join(kept)}"
    return g.op("Einsum", g.tensor(x, out.dtype), g.tensor(y, out.dtype), equation=equation)


@becomes("inner")
def _inner(g: Graph, out: Value, x: Any, y: Any) -> str:
    return _tensordot(g, out, x, y, ((-1,), (-1,)))


@becomes("einsum")
def _einsum(g: Graph, out: Value, *operands: Any, subscripts: str, **told: Any) -> str:
    given = [g.tensor(o, out.dtype) for o in operands]
    return g.op("Einsum", *given, equation=subscripts.replace(" ", ""))
