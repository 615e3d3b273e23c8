"""Reductions along axes, and running ones: sums, products, extremes, moments; with and without nan.

It must not know about indexing, sorting or products of arrays.
"""

from __future__ import annotations

from typing import Any

import numpy

from minpy import runtime
from minpy.array import as_ndarray, ndarray, numpy_value, read_value
from minpy.autograd.rules import def_linear, defjvp, defvjp
from minpy.numpy import mxnet_kernels as mx
from minpy.numpy.broadcasting import broadcast_to
from minpy.numpy.elementwise import (
    astype,
    conjugate,
    equal,
    maximum,
    multiply,
    ones_like,
    real,
    where,
)
from minpy.numpy.function import Composition, Function, composition
from minpy.numpy.shaping import concatenate, flip, moveaxis, reshape, transpose

__all__ = [
    "all",
    "alltrue",
    "amax",
    "amin",
    "any",
    "argmax",
    "argmin",
    "average",
    "count_nonzero",
    "cumprod",
    "cumproduct",
    "cumsum",
    "max",
    "mean",
    "min",
    "nanargmax",
    "nanargmin",
    "nancumprod",
    "nancumsum",
    "nanmax",
    "nanmean",
    "nanmin",
    "nanprod",
    "nanstd",
    "nansum",
    "nanvar",
    "prod",
    "product",
    "ptp",
    "sometrue",
    "std",
    "sum",
    "var",
]

# --- axes and masks -------------------------------------------------------------------------------


def _axes(axis: Any, ndim: int) -> tuple[int, ...]:
    if axis is None:
        return tuple(range(ndim))
    axes = axis if isinstance(axis, tuple | list) else (axis,)
    return tuple(a % ndim for a in axes) if ndim else ()


def _kept(shape: tuple[int, ...], axis: Any) -> tuple[int, ...]:
    """Return the shape of a reduction over `axis` with the axes kept as 1."""
    gone = _axes(axis, len(shape))
    return tuple(1 if i in gone else n for i, n in enumerate(shape))


def _spread(g: Any, shape: tuple[int, ...], axis: Any) -> Any:
    """Repeat a reduction's gradient along the axes that it reduced."""
    return broadcast_to(reshape(g, _kept(shape, axis)), shape)


def _count(shape: tuple[int, ...], axis: Any, mask: Any = True) -> Any:
    """Return how many elements each result is made of, an array of ``_kept`` shape under a mask."""
    if mask is True:
        return int(numpy.prod([shape[a] for a in _axes(axis, len(shape))], dtype=int))
    counted = numpy.broadcast_to(_plain(mask), shape)
    return numpy.count_nonzero(counted, axis=_axes(axis, len(shape)), keepdims=True)


def _plain(mask: Any) -> Any:
    return read_value(mask) if type(mask) is ndarray else mask


def _masked(x: Any, mask: Any, otherwise: float) -> Any:
    return x if mask is True else where(mask, x, otherwise)


def _as(g: Any, dtype: numpy.dtype) -> Any:
    """Give a gradient the dtype of its argument."""
    if g.dtype == dtype:
        return g
    return astype(real(g) if g.dtype.kind == "c" and dtype.kind != "c" else g, dtype)


# --- sums and means -------------------------------------------------------------------------------

sum = Function("sum", arrays=1, mxnet=mx.reduction("_np_sum"))
_mean_kernel = mx.reduction("_npi_mean", empty=False)


def _mx_mean(F: Any, x: Any, axis: Any = None, keepdims: bool = False, **options: Any) -> Any:
    ndim = len(x.shape)
    last = not isinstance(axis, tuple | list) and axis in (-1, ndim - 1) and axis is not None
    if not (F.symbolic and last and ndim > 1 and not options and x.dtype == numpy.float32):
        return _mean_kernel(F, x, axis=axis, keepdims=keepdims, **options)
    # A product with ones runs on oneDNN, and so does its derivative; the reduction is scalar code:
    # 3.7 ms for 128 rows of 8192, and as much again on the way back.
    count = x.shape[-1]
    if not count:
        return _mean_kernel(F, x, axis=axis, keepdims=keepdims)
    ones = F("_ones", shape=(1, count), dtype="float32")
    total = F("FullyConnected", x, ones, num_hidden=1, no_bias=True, flatten=False)
    found = F("_mul_scalar", total, scalar=repr(1.0 / count))
    return found if keepdims else F("_np_reshape", found, newshape=x.shape[:-1])


mean = Function("mean", arrays=1, mxnet=_mx_mean)


def _sum_vjp(ans, x, axis=None, dtype=None, keepdims=False, initial=0, where=True):
    shape, own = x.shape, x.dtype
    return lambda g: _as(_masked(_spread(g, shape, axis), where, 0.0), own)


def _sum_jvp(t, ans, x, axis=None, dtype=None, keepdims=False, initial=0, where=True):
    return sum(_masked(t, where, 0.0), axis, dtype=dtype, keepdims=keepdims)


def _mean_vjp(ans, x, axis=None, dtype=None, keepdims=False, where=True):
    shape, own = x.shape, x.dtype

    def vjp(g: Any) -> Any:
        count = _count(shape, axis, where)
        if where is True:  # the small gradient is divided, not the large one
            return _as(_spread(g / numpy.maximum(count, 1).item(), shape, axis), own)
        share = _masked(_spread(g, shape, axis), where, 0.0) / numpy.maximum(count, 1).astype(own)
        return _as(share, own)

    return vjp


def _mean_jvp(t, ans, x, axis=None, dtype=None, keepdims=False, where=True):
    return mean(t, axis, dtype=dtype, keepdims=keepdims, where=where)


defvjp(sum, _sum_vjp)
defjvp(sum, _sum_jvp)
defvjp(mean, _mean_vjp)
defjvp(mean, _mean_jvp)


@composition("average", arrays=1)
def average(
    a: Any, axis: Any = None, weights: Any = None, returned: bool = False, keepdims: bool = False
) -> Any:
    """Return the weighted mean, as `numpy.average`; gradients reach the weights too."""
    a = as_ndarray(a)
    if weights is None:
        result = mean(a, axis, keepdims=keepdims)
        total = result.dtype.type(a.size / result.size if result.size else 0)
        return (result, broadcast_to(as_ndarray(total), result.shape)) if returned else result
    weights = as_ndarray(weights)
    if weights.shape != a.shape:
        if axis is None:
            raise TypeError("Axis must be specified when shapes of a and weights differ.")
        if weights.ndim != 1:
            raise TypeError("1D weights expected when shapes of a and weights differ.")
        if weights.shape[0] != a.shape[axis]:
            raise ValueError("Length of weights not compatible with specified axis.")
        spread = [1] * a.ndim
        spread[axis] = -1
        weights = broadcast_to(reshape(weights, tuple(spread)), a.shape)
    total = sum(weights, axis, keepdims=keepdims)
    if (numpy_value(total) == 0).any():
        raise ZeroDivisionError("Weights sum to zero, can't be normalized")
    result = sum(multiply(a, weights), axis, keepdims=keepdims) / total
    return (result, broadcast_to(total, result.shape)) if returned else result


# --- products -------------------------------------------------------------------------------------

prod = Function("prod", arrays=1, mxnet=mx.reduction("_np_prod", empty=False))


def _others(x: ndarray, axis: Any) -> Any:
    """Return, for each element, the product of the others that are reduced with it.

    It is made of the products before and after the element, so zeros do no harm.
    """
    axes = _axes(axis, x.ndim)
    rest = tuple(i for i in range(x.ndim) if i not in axes)
    order = rest + axes
    moved = transpose(x, order)
    count = _count(x.shape, axis)
    if count == 0:
        return x
    flat = reshape(moved, (*[x.shape[i] for i in rest], count))
    one = ones_like(flat[..., :1])
    before = concatenate([one, cumprod(flat[..., :-1], axis=-1)], axis=-1)
    after = concatenate([one, cumprod(flip(flat, -1)[..., :-1], axis=-1)], axis=-1)
    product = reshape(before * flip(after, -1), moved.shape)
    return transpose(product, tuple(int(i) for i in numpy.argsort(order)))


def _prod_slope(x: ndarray, axis: Any, initial: Any, mask: Any) -> Any:
    slope = _masked(_others(_masked(x, mask, 1.0), axis), mask, 0.0)
    return slope if type(initial) is int and initial == 1 else slope * initial


def _prod_vjp(ans, x, axis=None, dtype=None, keepdims=False, initial=1, where=True):
    shape = x.shape
    return lambda g: _as(_spread(g, shape, axis) * _prod_slope(x, axis, initial, where), x.dtype)


def _prod_jvp(t, ans, x, axis=None, dtype=None, keepdims=False, initial=1, where=True):
    return sum(t * _prod_slope(x, axis, initial, where), axis, dtype=dtype, keepdims=keepdims)


defvjp(prod, _prod_vjp)
defjvp(prod, _prod_jvp)

# --- extremes -------------------------------------------------------------------------------------


def _hits(ans: Any, x: ndarray, axis: Any, mask: Any) -> Any:
    """Return the weight of each element in an extreme: ties share the gradient equally."""
    hit = equal(x, reshape(ans, _kept(x.shape, axis))).astype(ans.dtype)
    if mask is not True:
        hit = hit * numpy.broadcast_to(_plain(mask), x.shape)
    return hit / maximum(sum(hit, axis, keepdims=True), 1)


def _extreme(name: str, op: str | None = None) -> Function:
    made = Function(name, arrays=1, mxnet=mx.reduction(op, empty=False) if op else None)

    def vjp(ans, x, axis=None, keepdims=False, initial=None, where=True):
        shape = x.shape
        return lambda g: _spread(g, shape, axis) * _hits(ans, x, axis, where)

    def jvp(t, ans, x, axis=None, keepdims=False, initial=None, where=True):
        return sum(t * _hits(ans, x, axis, where), axis, keepdims=keepdims)

    defvjp(made, vjp)
    defjvp(made, jvp)
    return made


max = _extreme("max", "_np_max")
min = _extreme("min", "_np_min")
nanmax = _extreme("nanmax")
nanmin = _extreme("nanmin")
amax, amin = max, min


@composition("ptp", arrays=1)
def ptp(a: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Return the range of values along an axis, as `numpy.ptp`."""
    a = as_ndarray(a)
    return max(a, axis, keepdims=keepdims) - min(a, axis, keepdims=keepdims)


# --- spread ---------------------------------------------------------------------------------------


def _mx_var(
    F: Any,
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    ddof: Any = 0,
    keepdims: Any = False,
    **options: Any,
) -> Any:
    if options or dtype is not None or 0 in a.shape or not a.shape:
        raise runtime.Unsupported("left to NumPy")
    mx.require_floats("var", a)
    axes = _axes(axis, len(a.shape))
    freedom = _count(a.shape, axis) - ddof
    if freedom <= 0 or not axes:
        raise runtime.Unsupported("left to NumPy, which warns")
    apart = F("_npi_subtract", a, F("_npi_mean", a, axis=axes, keepdims=True))
    mean_square = F("_npi_mean", F("_npi_square", apart), axis=axes, keepdims=bool(keepdims))
    if not ddof:
        return mean_square
    share = _count(a.shape, axis) / freedom
    return F("_npi_multiply_scalar", mean_square, scalar=repr(share), is_int=False)


def _mx_std(F: Any, a: Any, *args: Any, **kwargs: Any) -> Any:
    var = _mx_var(F, a, *args, **kwargs)
    # One is added where it is zero, and taken off again: the slope there is zero, not nan.
    name = numpy.dtype(a.dtype).name
    zero = F("Cast", F("_npi_equal_scalar", var, scalar=0.0), dtype=name)
    return F("_npi_subtract", F("_npi_sqrt", F("_npi_add", var, zero)), zero)


var = Function("var", arrays=1, mxnet=_mx_var)
std = Function("std", arrays=1, mxnet=_mx_std)


def _deviation(x: ndarray, axis: Any, ddof: Any, mask: Any) -> Any:
    """Return the distance of each element to the mean, over the number of degrees of freedom."""
    apart = _masked(x - mean(x, axis, keepdims=True, where=mask), mask, 0.0)
    freedom = _count(x.shape, axis, mask) - ddof
    return apart / (freedom if mask is True else freedom.astype(x.dtype))


def _over(g: Any, ans: Any) -> Any:
    """Return g / ans, and zero where ans is: the subgradient of a norm at the origin."""
    return where(ans == 0, 0.0, g / where(ans == 0, 1.0, ans))


def _var_vjp(ans, x, axis=None, dtype=None, ddof=0, keepdims=False, where=True):
    shape = x.shape
    return lambda g: _as(
        _spread(2.0 * g, shape, axis) * conjugate(_deviation(x, axis, ddof, where)), x.dtype
    )


def _var_jvp(t, ans, x, axis=None, dtype=None, ddof=0, keepdims=False, where=True):
    slope = conjugate(_deviation(x, axis, ddof, where))
    return 2.0 * real(sum(t * slope, axis, dtype=dtype, keepdims=keepdims))


def _std_vjp(ans, x, axis=None, dtype=None, ddof=0, keepdims=False, where=True):
    shape = x.shape
    return lambda g: _as(
        _spread(_over(g, ans), shape, axis) * conjugate(_deviation(x, axis, ddof, where)), x.dtype
    )


def _std_jvp(t, ans, x, axis=None, dtype=None, ddof=0, keepdims=False, where=True):
    slope = conjugate(_deviation(x, axis, ddof, where))
    return _over(real(sum(t * slope, axis, dtype=dtype, keepdims=keepdims)), ans)


defvjp(var, _var_vjp)
defjvp(var, _var_jvp)
defvjp(std, _std_vjp)
defjvp(std, _std_jvp)

# --- running sums and products --------------------------------------------------------------------


def _mx_cumsum(F: Any, a: Any, axis: Any = None, dtype: Any = None) -> Any:
    mx.require_floats("cumsum", a)
    if dtype is not None or 0 in a.shape or not a.shape:
        raise runtime.Unsupported("left to NumPy")
    return F("_np_cumsum", a, axis=axis)


cumsum = Function("cumsum", arrays=1, mxnet=_mx_cumsum)
cumprod = Function("cumprod", arrays=1)


def _backwards_cumsum(g: Any, axis: int) -> Any:
    return flip(cumsum(flip(g, axis), axis), axis)


def _cumsum_vjp(ans: Any, x: ndarray, axis: int | None = None, dtype: Any = None) -> Any:
    shape, own = x.shape, x.dtype
    if axis is None or not shape:
        return lambda g: _as(reshape(_backwards_cumsum(g, 0), shape), own)
    return lambda g: _as(_backwards_cumsum(g, axis), own)


defvjp(cumsum, _cumsum_vjp)
def_linear(cumsum)


def _partial_derivatives(x: Any) -> Any:
    """Return d cumprod(x)[j] / d x[i] for an array of one axis first, as an array [i, j, ...].

    It is the product of all elements up to j but for i, written out without a division, so that
    zeros do no harm.
    """
    count = x.shape[0]
    places = numpy.arange(count)
    # element [i, k]: x[k], and 1 in the place of x[i]
    apart = (count, count) + (1,) * (x.ndim - 1)
    rows = where(numpy.eye(count, dtype=bool).reshape(apart), 1.0, x[None])
    reached = (places[:, None] <= places).reshape(apart)
    return where(reached, cumprod(rows, axis=1), 0.0)


def _cumprod_vjp(ans: Any, x: ndarray, axis: int | None = None, dtype: Any = None) -> Any:
    def vjp(g: Any) -> Any:
        first, back = _axis_first(x, axis)
        h, _ = _axis_first(g, axis)
        return _as(back(sum(_partial_derivatives(first) * h[None], 1)), x.dtype)

    return vjp


def _cumprod_jvp(t: Any, ans: Any, x: ndarray, axis: int | None = None, dtype: Any = None) -> Any:
    first, _ = _axis_first(x, axis)
    tangent, _ = _axis_first(t, axis)
    pushed = sum(_partial_derivatives(first) * reshape(tangent, _second_axis(tangent.shape)), 0)
    pushed = pushed if axis is None else moveaxis(pushed, 0, axis)
    return pushed if dtype is None else astype(pushed, dtype)


def _second_axis(shape: tuple[int, ...]) -> tuple[int, ...]:
    return (shape[0], 1, *shape[1:])


def _axis_first(x: Any, axis: int | None) -> Any:
    """Return an array with an axis moved to the front, and how to move it back."""
    if axis is None:
        return reshape(x, (-1,)), lambda y: reshape(y, x.shape)
    return moveaxis(x, axis, 0), lambda y: moveaxis(y, 0, axis)


defvjp(cumprod, _cumprod_vjp)
defjvp(cumprod, _cumprod_jvp)

# --- without nan ----------------------------------------------------------------------------------


def _numbers(a: Any) -> Any:
    """Return where an array holds numbers, True where it holds nothing else."""
    if a.dtype.kind not in "fc":
        return True
    missing = numpy.isnan(read_value(a))
    return ~missing if missing.any() else True


def _without_nan(name: str, neutral: float, ordinary: Any) -> Composition:
    """Make ``nansum`` of ``sum`` and the like: nan counts as the neutral element."""

    def reduce(a: Any, *args: Any, **kwargs: Any) -> Any:
        a = as_ndarray(a)
        return ordinary(_masked(a, _numbers(a), neutral), *args, **kwargs)

    reduce.__doc__ = f"As `minpy.numpy.{ordinary.name}`, where nan counts as {neutral:g}."
    return Composition(name, reduce, arrays=1)


nansum = _without_nan("nansum", 0.0, sum)
nanprod = _without_nan("nanprod", 1.0, prod)
nancumsum = _without_nan("nancumsum", 0.0, cumsum)
nancumprod = _without_nan("nancumprod", 1.0, cumprod)


def _moment_of_numbers(name: str, rules: tuple[Any, Any]) -> Function:
    """Make ``nanmean`` of ``mean`` and the like: the same rules under the mask of the numbers."""
    made = Function(name, arrays=1)
    vjp, jvp = rules

    def masked(x: Any, kwargs: dict) -> dict:
        mask, own = kwargs.pop("where", True), _numbers(x)
        mask = own if mask is True else _plain(mask) & own
        return {**kwargs, "where": mask}

    def clean(x: Any) -> Any:
        return _masked(x, _numbers(x), 0.0)

    defvjp(made, lambda ans, x, *a, **kw: vjp(ans, clean(x), *a, **masked(x, kw)))
    defjvp(made, lambda t, ans, x, *a, **kw: jvp(t, ans, clean(x), *a, **masked(x, kw)))
    return made


nanmean = _moment_of_numbers("nanmean", (_mean_vjp, _mean_jvp))
nanvar = _moment_of_numbers("nanvar", (_var_vjp, _var_jvp))
nanstd = _moment_of_numbers("nanstd", (_std_vjp, _std_jvp))

# --- no derivative by nature ----------------------------------------------------------------------


def _constant(name: str, mxnet: Any = None) -> Function:
    return Function(name, arrays=1, mxnet=mxnet, differentiable=False)


def _mx_arg(op: str) -> Any:
    """Make the kernel of the place of an extreme."""

    def kernel(F: Any, a: Any, axis: Any = None, keepdims: Any = False, **options: Any) -> Any:
        mx.require_floats(op, a)
        if options or 0 in a.shape or not a.shape:
            raise runtime.Unsupported("left to NumPy")
        return F(op, a, axis=axis, keepdims=bool(keepdims))

    return kernel


def _mx_logic(op: str) -> Any:
    """Make the kernel of ``any`` or ``all``."""

    def kernel(F: Any, a: Any, axis: Any = None, keepdims: Any = False, **options: Any) -> Any:
        if options or 0 in a.shape or not a.shape:
            raise runtime.Unsupported("left to NumPy")
        if numpy.dtype(a.dtype) != bool:
            mx.require_floats(op, a)
        return F(op, a, axis=axis, keepdims=bool(keepdims))

    return kernel


any = _constant("any", _mx_logic("_np_any"))
all = _constant("all", _mx_logic("_np_all"))
argmax = _constant("argmax", _mx_arg("_npi_argmax"))
argmin = _constant("argmin", _mx_arg("_npi_argmin"))
nanargmax = _constant("nanargmax")
nanargmin = _constant("nanargmin")
_count_nonzero = _constant("count_nonzero")


def count_nonzero(a: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    """Count the elements that aren't zero, as `numpy.count_nonzero`; a Python number of all."""
    counted = _count_nonzero(a, axis=axis, keepdims=keepdims)
    return int(counted) if axis is None and not keepdims and type(counted) is ndarray else counted


# NumPy's old names for the same functions.
alltrue, sometrue = all, any
product, cumproduct = prod, cumprod
