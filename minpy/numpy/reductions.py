"""Reductions along axes, and cumulative ones; knows nothing of indexing or products."""

from __future__ import annotations

from typing import Any

import numpy

from minpy import runtime
from minpy.array import ndarray
from minpy.autograd.rules import def_linear, defjvp, defvjp
from minpy.numpy.broadcasting import broadcast_to
from minpy.numpy.elementwise import exp, log, where
from minpy.primitives import Primitive, registry


def _axes(axis: Any, ndim: int) -> tuple[int, ...]:
    if axis is None:
        return tuple(range(ndim))
    axes = axis if isinstance(axis, tuple | list) else (axis,)
    return tuple(a % ndim for a in axes) if ndim else ()


def _kept(shape: tuple[int, ...], axis: Any) -> tuple[int, ...]:
    """Return the shape of a reduction over `axis` with the axes kept as 1."""
    gone = _axes(axis, len(shape))
    return tuple(1 if i in gone else n for i, n in enumerate(shape))


def _count(shape: tuple[int, ...], axis: Any) -> int:
    return int(numpy.prod([shape[a] for a in _axes(axis, len(shape))], dtype=int))


def _spread(g: Any, shape: tuple[int, ...], axis: Any) -> Any:
    """Repeat a reduction's gradient along the axes that it summed."""
    return broadcast_to(registry["reshape"](g, _kept(shape, axis)), shape)


def _mx_reduction(op: str) -> Any:
    def kernel(F: Any, x: Any, axis: Any = None, dtype: Any = None, keepdims: Any = False, **kw):
        if kw or dtype is not None:
            raise runtime.Unsupported(f"{op} takes no {', '.join(kw) or 'dtype'}")
        if axis is not None and not isinstance(axis, int):
            axis = tuple(axis)
        return F(op, x, axis=axis, keepdims=bool(keepdims))

    return kernel


sum = Primitive("sum", numpy.sum, arrays=1, mxnet=_mx_reduction("_np_sum"))
defvjp(sum, lambda ans, x, axis=None, dtype=None, **kw: _sum_vjp(x, axis, 1.0))
def_linear(sum)


def _sum_vjp(x: ndarray, axis: Any, scale: float) -> Any:
    shape, dtype = x.shape, x.dtype

    def vjp(g: Any) -> Any:
        if scale != 1.0:
            g = g * scale
        spread = _spread(g, shape, axis)
        return spread if spread.dtype == dtype else registry["astype"](spread, dtype)

    return vjp


mean = Primitive("mean", numpy.mean, arrays=1, mxnet=_mx_reduction("_npi_mean"))
defvjp(
    mean,
    lambda ans, x, axis=None, dtype=None, **kw: _sum_vjp(
        x, axis, 1.0 / (_count(x.shape, axis) or 1)
    ),
)
def_linear(mean)


def _others(x: ndarray, axis: Any) -> Any:
    """Return, for each element, the product of the others that are reduced with it."""
    axes = _axes(axis, x.ndim)
    rest = tuple(i for i in range(x.ndim) if i not in axes)
    order = rest + axes
    moved = registry["transpose"](x, order)
    flat = registry["reshape"](moved, (*[x.shape[i] for i in rest], -1))
    one = registry["ones_like"](flat[..., :1])
    before = registry["concatenate"]([one, registry["cumprod"](flat[..., :-1], axis=-1)], axis=-1)
    after = registry["flip"](
        registry["concatenate"](
            [one, registry["cumprod"](registry["flip"](flat[..., 1:], -1), axis=-1)], axis=-1
        ),
        -1,
    )
    product = registry["reshape"](before * after, moved.shape)
    return registry["transpose"](product, tuple(numpy.argsort(order)))


prod = Primitive("prod", numpy.prod, arrays=1, mxnet=_mx_reduction("_np_prod"))


def _prod_rule(x: ndarray, axis: Any) -> Any:
    # With a zero or two among the factors the quotient ans / x would be wrong.
    return _others(x, axis)


defvjp(
    prod,
    lambda ans, x, axis=None, dtype=None, **kw: (
        lambda g: _spread(g, x.shape, axis) * _prod_rule(x, axis)
    ),
)
defjvp(
    prod,
    lambda t, ans, x, axis=None, dtype=None, keepdims=False, **kw: sum(
        t * _prod_rule(x, axis), axis, keepdims=keepdims
    ),
)


def _extreme(name: str, op: str) -> Primitive:
    made = Primitive(name, getattr(numpy, name), arrays=1, mxnet=_mx_reduction(op))

    def share(ans: Any, x: ndarray, axis: Any) -> Any:
        """Return the weight of each element: ties share the gradient equally."""
        hit = x == registry["reshape"](ans, _kept(x.shape, axis))
        return hit / sum(hit, axis, keepdims=True)

    defvjp(
        made,
        lambda ans, x, axis=None, **kw: lambda g: _spread(g, x.shape, axis) * share(ans, x, axis),
    )
    defjvp(
        made,
        lambda t, ans, x, axis=None, keepdims=False, **kw: sum(
            t * share(ans, x, axis), axis, keepdims=keepdims
        ),
    )
    return made


max = _extreme("max", "_np_max")
min = _extreme("min", "_np_min")
amax, amin = max, min

_var = Primitive("var", numpy.var, arrays=1)
_std = Primitive("std", numpy.std, arrays=1)


def _deviation(x: ndarray, axis: Any) -> Any:
    return x - mean(x, axis, keepdims=True)


def _var_vjp(ans, x, axis=None, dtype=None, out=None, ddof=0, **kw):
    scale = 2.0 / (_count(x.shape, axis) - ddof)
    return lambda g: _spread(g * scale, x.shape, axis) * registry["conjugate"](_deviation(x, axis))


def _std_vjp(ans, x, axis=None, dtype=None, out=None, ddof=0, **kw):
    scale = 1.0 / (_count(x.shape, axis) - ddof)

    def vjp(g: Any) -> Any:
        # The standard deviation of equal numbers has a kink; its subgradient is zero.
        over = where(ans == 0, 0.0, g * scale / where(ans == 0, 1.0, ans))
        return _spread(over, x.shape, axis) * registry["conjugate"](_deviation(x, axis))

    return vjp


defvjp(_var, _var_vjp)
defvjp(_std, _std_vjp)
var, std = _var, _std

cumsum = Primitive("cumsum", numpy.cumsum, arrays=1)


def _cumsum_vjp(ans: Any, x: ndarray, axis: int | None = None, dtype: Any = None) -> Any:
    shape = x.shape

    def vjp(g: Any) -> Any:
        if axis is None:
            return registry["reshape"](
                registry["flip"](cumsum(registry["flip"](g, 0), 0), 0), shape
            )
        return registry["flip"](cumsum(registry["flip"](g, axis), axis), axis)

    return vjp


defvjp(cumsum, _cumsum_vjp)
def_linear(cumsum)

cumprod = Primitive("cumprod", numpy.cumprod, arrays=1)


def _cumprod_vjp(ans: Any, x: ndarray, axis: int | None = None, dtype: Any = None) -> Any:
    def vjp(g: Any) -> Any:
        reshape = registry["reshape"]
        flat = reshape(x, (-1,)) if axis is None else registry["moveaxis"](x, axis, 0)
        h = reshape(g, (-1,)) if axis is None else registry["moveaxis"](g, axis, 0)
        # Each partial product is a product: the sum of its gradients, exact with zeros too.
        total = registry["zeros_like"](flat)
        for i in range(flat.shape[0]):
            head = flat[: i + 1]
            part = _others(head, 0) * h[i]
            pad = registry["zeros_like"](flat[i + 1 :])
            total = total + registry["concatenate"]([part, pad], axis=0)
        if axis is None:
            return reshape(total, x.shape)
        return registry["moveaxis"](total, 0, axis)

    return vjp


defvjp(cumprod, _cumprod_vjp)

for _name in ("any", "all", "argmax", "argmin", "count_nonzero"):
    globals()[_name] = Primitive(_name, getattr(numpy, _name), arrays=1, differentiable=False)


def logsumexp(x: ndarray, axis: Any = None, keepdims: bool = False) -> ndarray:
    """Return ``log(sum(exp(x)))`` along axes, without overflow."""
    top = max(x, axis, keepdims=True)
    top = where(registry["isfinite"](top), top, 0.0)
    out = log(sum(exp(x - top), axis, keepdims=True)) + top
    return (
        out
        if keepdims
        else registry["reshape"](
            out, tuple(n for i, n in enumerate(x.shape) if i not in _axes(axis, x.ndim))
        )
    )
