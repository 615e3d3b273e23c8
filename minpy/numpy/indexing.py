"""Indexing as primitives: reading by any index NumPy has, and the scatter that transposes it."""

from __future__ import annotations

from typing import Any

import numpy

from minpy import runtime
from minpy.array import ndarray
from minpy.autograd.rules import def_linear, defvjp
from minpy.primitives import Primitive

__all__ = ["getitem", "scatter_add", "take", "take_along_axis"]


def _mx_getitem(F: Any, x: Any, index: Any) -> Any:
    """Slices and integers with steps of either sign; other indices are NumPy's."""
    parts = index if isinstance(index, tuple) else (index,)
    if any(p is not Ellipsis and not isinstance(p, slice | int) for p in parts) or F.symbolic:
        raise runtime.Unsupported("MXNet has no such index")
    if any(isinstance(p, bool) for p in parts):
        raise runtime.Unsupported("MXNet has no boolean index")
    if Ellipsis in parts:
        at = parts.index(Ellipsis)
        fill = len(x.shape) - (len(parts) - 1)
        parts = (*parts[:at], *[slice(None)] * fill, *parts[at + 1 :])
    if len(parts) > len(x.shape) or not parts:
        raise runtime.Unsupported("left to NumPy, which raises the right error")
    begin, end, step, gone = [], [], [], []
    for axis, (part, length) in enumerate(zip(parts, x.shape, strict=False)):
        if isinstance(part, slice):
            a, b, s = part.indices(length)
            if len(range(a, b, s)) == 0:
                raise runtime.Unsupported("an empty slice")
            begin.append(a)
            end.append("None" if b < 0 else b)
            step.append(s)
        else:
            if not -length <= part < length:
                raise runtime.Unsupported("left to NumPy, which raises the right error")
            part %= length
            begin.append(part)
            end.append(part + 1)
            step.append(1)
            gone.append(axis)
    out = F(
        "_npi_slice",
        x,
        begin=_tuple(begin),
        end=_tuple(end),
        step=_tuple(step),
    )
    if gone:
        out = F("_npi_squeeze", out, axis=_tuple(gone))
    return out


def _tuple(values: list) -> str:
    return "(" + ", ".join(str(v) for v in values) + ("," if len(values) == 1 else "") + ")"


getitem = Primitive("getitem", lambda x, index: x[index], arrays=1, is_view=True, mxnet=_mx_getitem)


def _scatter_add(g: numpy.ndarray, index: Any, shape: tuple[int, ...]) -> numpy.ndarray:
    out = numpy.zeros(shape, g.dtype)
    if _is_basic(index):
        out[index] = g
    else:
        numpy.add.at(out, index, g)
    return out


def _is_basic(index: Any) -> bool:
    """Say whether an index names each element at most once by its form."""
    parts = index if isinstance(index, tuple) else (index,)
    return all(
        p is None
        or p is Ellipsis
        or isinstance(p, slice | int | numpy.integer | bool | numpy.bool_)
        or (isinstance(p, numpy.ndarray) and p.dtype == bool)
        for p in parts
    )


# scatter_add(g, index, shape): zeros of `shape` with `g` added at `index`; getitem's transpose.
scatter_add = Primitive("scatter_add", _scatter_add, arrays=1)
defvjp(getitem, lambda ans, x, index: _scatter_vjp(x, index))
def_linear(getitem)
defvjp(scatter_add, lambda ans, g, index, shape: lambda h: getitem(h, index))
def_linear(scatter_add)


def _scatter_vjp(x: ndarray, index: Any) -> Any:
    shape = x.shape
    return lambda g: scatter_add(g, index, shape)


def _mx_take(F: Any, x: Any, indices: Any, axis: int | None = None, mode: str = "raise") -> Any:
    if axis is None or mode == "raise" or not hasattr(indices, "handle"):
        raise runtime.Unsupported("MXNet's take doesn't check its indices")
    return F("take", x, indices, axis=axis, mode=mode)


take = Primitive("take", numpy.take, arrays=2, mxnet=_mx_take)


def _take_vjp(ans: Any, x: ndarray, indices: Any, axis: int | None = None, mode: str = "raise"):
    shape = x.shape
    where = numpy.asarray(indices)
    length = int(numpy.prod(shape)) if axis is None else shape[axis]
    where = numpy.clip(where, 0, length - 1) if mode == "clip" else where % length
    if axis is None:
        places = numpy.unravel_index(where, shape)
        return lambda g: scatter_add(g, places, shape)
    index = (slice(None),) * (axis % len(shape)) + (where,)
    return lambda g: scatter_add(g, index, shape)


defvjp(take, _take_vjp)
def_linear(take)

take_along_axis = Primitive("take_along_axis", numpy.take_along_axis, arrays=2)


def _along_axis(indices: Any, axis: int | None, ndim: int) -> tuple:
    """Return the index that ``take_along_axis`` stands for."""
    where = numpy.asarray(indices)
    grid = numpy.ix_(*[numpy.arange(n) for n in where.shape])
    return tuple(where if i == axis % ndim else g for i, g in enumerate(grid))


def _take_along_axis_vjp(ans: Any, x: ndarray, indices: Any, axis: int | None) -> Any:
    shape = x.shape
    if axis is None:
        return lambda g: scatter_add(g, numpy.unravel_index(numpy.asarray(indices), shape), shape)
    where = numpy.asarray(indices)
    if all(n == m or i == axis % x.ndim for i, (n, m) in enumerate(zip(where.shape, shape))):
        index = _along_axis(where, axis, x.ndim)
        return lambda g: scatter_add(g, index, shape)
    full = list(shape)
    full[axis % x.ndim] = where.shape[axis % x.ndim]
    index = _along_axis(numpy.broadcast_to(where, full), axis, x.ndim)
    return lambda g: scatter_add(g, index, shape)


defvjp(take_along_axis, _take_along_axis_vjp)
def_linear(take_along_axis)
