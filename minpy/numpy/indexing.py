"""Indexing: reading by any index NumPy has, writing, and the scatter that transposes reading.

It must not know about arithmetic, nor how a write is bound to an array: that is `minpy.inplace`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy

from minpy import runtime
from minpy.array import as_ndarray, is_tracked, ndarray, numpy_value, read_value, wrap
from minpy.autograd.rules import def_linear, defjvp, defvjp
from minpy.errors import DifferentiationError
from minpy.inplace import assign, is_free, overwrite
from minpy.numpy import mxnet_gather
from minpy.numpy import mxnet_kernels as mx
from minpy.numpy.broadcasting import broadcast_arrays, broadcast_to, unbroadcast_f
from minpy.numpy.elementwise import where, zeros_like
from minpy.numpy.function import Function
from minpy.policy import state as policy_state
from minpy.primitives import Primitive, registry

__all__ = [
    "argwhere",
    "choose",
    "compress",
    "copyto",
    "extract",
    "fill_diagonal",
    "flatnonzero",
    "nonzero",
    "place",
    "put",
    "put_along_axis",
    "putmask",
    "select",
    "take",
    "take_along_axis",
]


def _plain(value: Any) -> Any:
    return read_value(value) if type(value) is ndarray else value


def _size(shape: tuple[int, ...]) -> int:
    return int(numpy.prod(shape, dtype=int))


# --- slices, as MXNet's operators take them -------------------------------------------------------


class _Slices:
    """An index of slices and integers, written out for the axes that it names.

    Attributes
    ----------
    begin, end, step
        One number an axis; None as an end means to before the first element.
    gone
        The axes that an integer picks one element of.
    lengths
        How many elements are picked along each axis.
    """

    def __init__(self, index: Any, shape: tuple[int, ...]) -> None:
        parts = index if isinstance(index, tuple) else (index,)
        if any(
            isinstance(p, bool) or not (p is Ellipsis or isinstance(p, slice | int)) for p in parts
        ):
            raise runtime.Unsupported("MXNet indexes by slices and integers only")
        if Ellipsis in parts:
            at = parts.index(Ellipsis)
            fill = len(shape) - (len(parts) - 1)
            parts = (*parts[:at], *[slice(None)] * fill, *parts[at + 1 :])
        if len(parts) > len(shape) or not parts or Ellipsis in parts:
            raise runtime.Unsupported("left to NumPy, which raises the right error")
        self.begin, self.end, self.step, self.gone, self.lengths = [], [], [], [], []
        for axis, (part, length) in enumerate(zip(parts, shape, strict=False)):
            if not isinstance(part, slice):
                if not -length <= part < length:
                    raise runtime.Unsupported("left to NumPy, which raises the right error")
                part = slice(part % length, part % length + 1)
                self.gone.append(axis)
            a, b, s = part.indices(length)
            count = len(range(a, b, s))
            if count == 0:
                raise runtime.Unsupported("MXNet has no empty slices")
            self.begin.append(a)
            self.end.append(None if b < 0 else b)
            self.step.append(s)
            self.lengths.append(count)

    def attributes(self) -> dict[str, str]:
        """Return begin, end and step as MXNet parses them."""
        return {name: _tuple(getattr(self, name)) for name in ("begin", "end", "step")}


def _tuple(values: Sequence[Any]) -> str:
    return "(" + ", ".join(str(v) for v in values) + ("," if len(values) == 1 else "") + ")"


# --- reading --------------------------------------------------------------------------------------


def _mx_getitem(F: Any, x: Any, index: Any) -> Any:
    parts = index if isinstance(index, tuple) else (index,)
    arrays = [p for p in parts if isinstance(p, numpy.ndarray | numpy.bool_ | bool)]
    if arrays:
        return _mx_indexed_by_arrays(F, x, parts, arrays)
    plain = tuple(p for p in parts if p is not None)
    added = len(plain) < len(parts)
    if not added:
        slices = _Slices(index, x.shape)
    elif all(p is Ellipsis for p in plain):  # nothing but new axes
        return F("_np_reshape", x, newshape=mxnet_gather.shape_of(_read, x.shape, index))
    else:
        slices = _Slices(plain, x.shape)
    out = F("_npi_slice", x, **slices.attributes())
    if added:
        return F("_np_reshape", out, newshape=mxnet_gather.shape_of(_read, x.shape, index))
    return F("_np_squeeze", out, axis=_tuple(slices.gone)) if slices.gone else out


def _read(x: Any, index: Any) -> Any:
    return x[index]


def _mx_indexed_by_arrays(F: Any, x: Any, parts: tuple, arrays: list[Any]) -> Any:
    """Read by arrays of integers or booleans: rows of the first axis, or any elements."""
    numbers = parts[0]
    if len(parts) == 1 and isinstance(numbers, numpy.ndarray) and numbers.dtype.kind in "iu":
        length = x.shape[0] if x.shape else 0
        if (
            numbers.size
            and -length <= numbers.min()
            and numbers.max() < length
            and 0 not in x.shape
        ):
            at = mxnet_gather.constant(F, (numbers % length).astype("int32").reshape(-1), x)
            out = F("take", x, at, axis=0, mode="clip")
            return F("_np_reshape", out, newshape=(*numbers.shape, *x.shape[1:]))
    return _mx_anywhere(F, x, parts)


_mx_anywhere = mxnet_gather.rearranging(_read)

getitem = Primitive("getitem", lambda x, index: x[index], arrays=1, is_view=True, mxnet=_mx_getitem)


# getitem_at(x, *numbers): x[numbers], by arrays of integers that a graph gets anew at each run.
getitem_at = Primitive(
    "getitem_at",
    lambda x, *numbers: x[numbers],
    mxnet=lambda F, x, *numbers: mxnet_gather.taken_at(F, x, numbers),
)


def is_traced(index: Any) -> bool:
    """Say whether an index has arrays whose numbers must not be read: a graph is being traced."""
    parts = (index,) if type(index) is ndarray else index
    traced = [part for part in parts if type(part) is ndarray and _refuses_reading(part)]
    # The shape of what a mask picks depends on the data: it has to be read.
    return bool(traced) and all(part.dtype.kind in "iu" for part in traced)


def _refuses_reading(array: ndarray) -> bool:
    return array._box is not None and hasattr(array._box, "refuse") and is_tracked(array)


def getitem_by_traced(x: ndarray, index: Any) -> Any:
    """Read by arrays of integers along one axis, or along all of the first axes.

    Returns
    -------
    ndarray or None
        None for other indices.
    """
    parts = index if type(index) is tuple else (index,)
    at = [i for i, part in enumerate(parts) if not (type(part) is slice and part == slice(None))]
    if len(at) == 1:
        return take(x, parts[at[0]], axis=at[0])
    arrays = [p for p in parts if isinstance(p, ndarray | numpy.ndarray | list)]
    if len(arrays) < len(parts):
        return None
    numbers = [as_ndarray(a) for a in arrays]
    return getitem_at(x, *numbers) if all(n.dtype.kind in "iu" for n in numbers) else None


def _scatter_add(g: numpy.ndarray, index: Any, shape: tuple[int, ...]) -> numpy.ndarray:
    out = numpy.zeros(shape, g.dtype)
    if _may_repeat(index):
        numpy.add.at(out, index, g)
    else:
        out[index] = g
    return out


def _may_repeat(index: Any) -> bool:
    """Say whether an index may name an element twice: arrays of integers can."""
    parts = index if isinstance(index, tuple) else (index,)
    return any(isinstance(p, numpy.ndarray) and p.dtype != bool for p in parts)


# scatter_add(g, index, shape): zeros of `shape` with `g` added at `index`; getitem's transpose.
scatter_add = Primitive("scatter_add", _scatter_add, arrays=1)


def _getitem_vjp(ans: Any, x: ndarray, index: Any) -> Callable[[Any], Any]:
    shape = x.shape
    return lambda g: scatter_add(g, index, shape)


def _getitem_at_vjp(ans: Any, x: ndarray, *numbers: Any) -> Callable[[Any], Any]:
    shape, index = x.shape, tuple(numpy.array(_plain(n)) for n in numbers)
    return lambda g: scatter_add(g, index, shape)


defvjp(getitem_at, _getitem_at_vjp)
def_linear(getitem_at)
defvjp(getitem, _getitem_vjp)
def_linear(getitem)
defvjp(scatter_add, lambda ans, g, index, shape: lambda h: getitem(h, index))
def_linear(scatter_add)

# --- writing --------------------------------------------------------------------------------------


def _updated(
    base: numpy.ndarray, value: Any, operation: Primitive, args: tuple, kwargs: dict
) -> numpy.ndarray:
    new = base.copy(order="K")
    if operation is getitem:
        new[args[0]] = value
        return new
    part = operation.kernel(new, *args, **kwargs)
    if numpy.may_share_memory(part, new):
        part[...] = value
    else:  # the copy lies otherwise in memory than the base did, and no view can be had of it
        places = numpy.arange(new.size).reshape(new.shape)
        flat = new.ravel()
        flat[operation.kernel(places, *args, **kwargs)] = value
        new = flat.reshape(new.shape)
    return new


def _mx_updated(F: Any, base: Any, value: Any, operation: Primitive, args: tuple, kwargs: dict):
    if not base.shape:
        raise runtime.Unsupported("MXNet's results of writing have one axis at least")
    if F.symbolic or operation is not getitem or not isinstance(args[0], slice | tuple | int):
        return _mx_updated_anywhere(F, base, value, operation, args, kwargs)
    slices = _Slices(args[0], base.shape)
    if any(s < 0 for s in slices.step):
        raise runtime.Unsupported("MXNet writes to slices with positive steps only")
    if isinstance(value, bool | int | float):
        return F("_npi_slice_assign_scalar", base, scalar=float(value), **slices.attributes())
    full = (*slices.lengths, *base.shape[len(slices.lengths) :])
    seen = tuple(n for axis, n in enumerate(full) if axis not in slices.gone)
    if value.dtype != base.dtype or len(value.shape) > len(seen):
        raise runtime.Unsupported("MXNet writes values of the array's own dtype and shape")
    value = F("_np_reshape", F("_npi_broadcast_to", value, shape=seen), newshape=full)
    return F("_npi_slice_assign", base, value, **slices.attributes())


def _mx_updated_anywhere(
    F: Any, base: Any, value: Any, operation: Primitive, args: tuple, kwargs: dict
) -> Any:
    """Choose each element from the base or, by the last writer's place there, from the value."""
    mx.require_floats("a write", base)
    places = numpy.arange(_size(base.shape), dtype="int64").reshape(base.shape)
    part = numpy.asarray(operation.kernel(places, *args, **kwargs))
    if not part.size:
        raise runtime.Unsupported("left to NumPy: nothing is written")
    if not isinstance(value, mx.NUMBER):
        mx.require_floats("a write", base, value)
        ours = numpy.arange(_size(value.shape)).reshape(value.shape)
    else:
        value = constant_of(F, value, base)
        ours = numpy.zeros((), int)
    while ours.ndim > part.ndim and ours.shape[0] == 1:
        ours = ours[0]
    source = numpy.zeros(base.shape, "int32")
    written = numpy.zeros(base.shape, bool)
    source.reshape(-1)[part.ravel()] = numpy.broadcast_to(ours, part.shape).ravel()
    written.reshape(-1)[part.ravel()] = True
    new = mxnet_gather.gathered(F, value, source)
    return F("_npi_where", mxnet_gather.constant(F, written, base), new, base)


def constant_of(F: Any, number: Any, like: Any) -> Any:
    """Return a number as an array of one element, of the dtype of `like`."""
    return mxnet_gather.constant(F, numpy.full(1, number, numpy.dtype(like.dtype)), like)


# updated(base, value, operation, args, kwargs): a copy of `base` in which the part that
# ``operation(base, *args, **kwargs)`` returns is `value`. Linear in both.
updated = Primitive("updated", _updated, arrays=2, mxnet=_mx_updated)


def _written_last(shape: tuple[int, ...], operation: Primitive, args: tuple) -> Any:
    """Return which elements of the value survive, where an index names an element twice."""
    if operation is not getitem or not _may_repeat(args[0]):
        return None
    places = numpy.arange(_size(shape)).reshape(shape)[args[0]]
    order = numpy.arange(places.size)
    writer = numpy.full(_size(shape), -1)
    writer[places.ravel()] = order
    last = (writer[places.ravel()] == order).reshape(places.shape)
    return None if last.all() else last


def _value_vjp(ans, base, value, operation, args, kwargs):
    last = _written_last(base.shape, operation, args)

    def vjp(g: Any) -> Any:
        part = operation(g, *args, **kwargs)
        if operation is registry["imag"]:  # the gradient of y in x + iy, by HIPS' convention
            part = -part
        return part if last is None else where(last, part, 0.0)

    return unbroadcast_f(value, vjp)


defvjp(
    updated,
    lambda ans, base, value, operation, args, kwargs: (
        lambda g: updated(g, 0.0, operation, args, kwargs)
    ),
    _value_vjp,
)
defjvp(
    updated,
    lambda t, ans, base, value, operation, args, kwargs: updated(t, 0.0, operation, args, kwargs),
    lambda t, ans, base, value, operation, args, kwargs: updated(
        zeros_like(ans), t, operation, args, kwargs
    ),
)

# --- take -----------------------------------------------------------------------------------------


_mx_taken_anywhere = mxnet_gather.rearranging(numpy.take)


def _mx_take(F: Any, x: Any, indices: Any, axis: int | None = None, mode: str = "raise") -> Any:
    if hasattr(indices, "handle") or hasattr(indices, "symbol"):
        return mxnet_gather.taken(F, x, indices, axis, mode)
    return _mx_taken_anywhere(F, x, indices, axis=axis, mode=mode)


take = Function("take", arrays=2, mxnet=_mx_take)


def _take_vjp(ans: Any, x: ndarray, indices: Any, axis: int | None = None, mode: str = "raise"):
    shape = x.shape
    if not shape:  # any number is its one element's
        return registry["sum"]

    def back(g: Any) -> Any:
        # Worked out here and not above: a forward pass that is never gone back costs less.
        length = _size(shape) if axis is None else shape[axis]
        at = numpy.asarray(_plain(indices))
        at = numpy.clip(at, 0, length - 1) if mode == "clip" else at % max(length, 1)
        if axis is None:
            index = numpy.unravel_index(at, shape)
        else:
            index = (slice(None),) * (axis % len(shape)) + (at,)
        return scatter_add(g, index, shape)

    return back


defvjp(take, _take_vjp)
def_linear(take)


def _mx_take_along_axis(F: Any, arr: Any, indices: Any, axis: int | None) -> Any:
    if not (hasattr(indices, "handle") or hasattr(indices, "symbol")):
        raise runtime.Unsupported("left to NumPy")
    if numpy.dtype(indices.dtype).kind not in "iu":
        raise runtime.Unsupported("left to NumPy, which raises the right error")
    if axis is None:
        return mxnet_gather.taken(F, arr, indices, None, "raise")
    return mxnet_gather.taken_along(F, arr, indices, axis, tuple(indices.shape))


take_along_axis = Function("take_along_axis", arrays=2, mxnet=_mx_take_along_axis)


def _along_axis(indices: numpy.ndarray, axis: int, shape: tuple[int, ...]) -> tuple:
    """Return the index that `indices` along an axis of an array of that shape stand for."""
    axis %= len(shape)
    full = tuple(indices.shape[i] if i == axis else n for i, n in enumerate(shape))
    at = numpy.broadcast_to(indices, full)
    grid = numpy.ix_(*[numpy.arange(n) for n in full])
    return tuple(at if i == axis else g for i, g in enumerate(grid))


def _take_along_axis_vjp(ans: Any, x: ndarray, indices: Any, axis: int | None) -> Any:
    shape, at = x.shape, numpy.array(_plain(indices))
    index = numpy.unravel_index(at, shape) if axis is None else _along_axis(at, axis, shape)
    return lambda g: scatter_add(g, index, shape)


defvjp(take_along_axis, _take_along_axis_vjp)
def_linear(take_along_axis)


def compress(condition: Any, a: Any, axis: int | None = None, out: Any = None) -> Any:
    """Return the slices along an axis where a condition holds, as `numpy.compress`."""
    keep = numpy.asarray(_plain(condition))
    if keep.ndim != 1:
        raise ValueError("condition must be a 1-d array")
    return take(as_ndarray(a), numpy.flatnonzero(keep), axis=axis, out=out)


def extract(condition: Any, arr: Any) -> Any:
    """Return the elements where a condition holds, as `numpy.extract`."""
    places = numpy.flatnonzero(numpy.asarray(_plain(condition)))
    return take(as_ndarray(arr), places)


def choose(a: Any, choices: Any, out: Any = None, mode: str = "raise") -> Any:
    """Pick each element from one of several arrays, as `numpy.choose`."""
    chosen = [as_ndarray(c) for c in choices]
    which = numpy.asarray(_plain(a))
    plain = all(c._np is not None and not is_tracked(c) for c in chosen)
    if out is None and plain and policy_state.name in ("auto", "only_numpy"):
        return wrap(numpy.asarray(numpy.choose(which, [c._np for c in chosen], mode=mode)))
    if not numpy.can_cast(which.dtype, numpy.intp, "safe"):
        raise TypeError(f"choose: expected indices, got an array of {which.dtype}")
    if mode not in ("raise", "wrap", "clip"):
        raise ValueError(f"choose: expected mode 'raise', 'wrap' or 'clip', got {mode!r}")
    if mode == "raise" and which.size and not (which.min() >= 0 and which.max() < len(chosen)):
        raise ValueError("invalid entry in choice array")
    dtype = numpy.result_type(*[numpy_value(c) for c in chosen])
    chosen = [c if c.dtype == dtype else c.astype(dtype) for c in chosen]
    which = which % len(chosen) if mode == "wrap" else numpy.clip(which, 0, len(chosen) - 1)
    which, *chosen = broadcast_arrays(which, *chosen)
    result = take_along_axis(registry["stack"](*chosen), read_value(which)[None], 0)[0]
    if out is None:
        return result
    if numpy.shape(out) != result.shape:
        raise TypeError("choose: invalid shape for output array.")
    return overwrite(out, result, "unsafe", "choose")


def select(condlist: Sequence[Any], choicelist: Sequence[Any], default: Any = 0) -> Any:
    """Pick each element by the first condition that holds, as `numpy.select`."""
    if len(condlist) != len(choicelist):
        raise ValueError("list of cases must be same length as list of conditions")
    if not len(condlist):
        raise ValueError("select with an empty condition list is not possible")
    conditions = [as_ndarray(c) for c in condlist]
    if any(c.dtype != bool for c in conditions):
        raise TypeError("select: each condition must be an array of booleans")
    chosen = as_ndarray(default)
    for condition, choice in zip(reversed(conditions), reversed(choicelist), strict=True):
        chosen = where(condition, as_ndarray(choice), chosen)
    return chosen


# --- writing, by functions ------------------------------------------------------------------------


def _written_by_numpy(name: str, target: Any, *args: Any, **kwargs: Any) -> bool:
    """Let NumPy's function write where the memory is free; say whether it did."""
    tracked = any(type(a) is ndarray and is_tracked(a) for a in (*args, *kwargs.values()))
    if type(target) is not ndarray and tracked:
        raise DifferentiationError(
            f"{name}: a NumPy array can't hold the history of an array that is being "
            "differentiated; make the target a minpy array"
        )
    if type(target) is ndarray and (tracked or not is_free(target)):
        return False
    plain = {k: _plain(v) for k, v in kwargs.items()}
    getattr(numpy, name)(_plain(target), *[_plain(a) for a in args], **plain)
    return True


def _repeated(values: Any, count: int, dtype: numpy.dtype) -> Any:
    """Return the first `count` values of an array that is started over where it ends."""
    flat = registry["ravel"](as_ndarray(values, None if type(values) is ndarray else dtype))
    return flat if flat.size == count else flat[numpy.arange(count) % max(flat.size, 1)]


def put(a: Any, ind: Any, v: Any, mode: str = "raise") -> None:
    """Set elements by place in the flattened array, as `numpy.put`; gradients flow through."""
    if _written_by_numpy("put", a, ind, v, mode=mode):
        return
    at = numpy.asarray(_plain(ind)).ravel()
    if mode == "clip":
        at = numpy.clip(at, 0, a.size - 1)
    elif mode == "wrap":
        at = at % a.size
    elif at.size and not (-a.size <= at.min() and at.max() < a.size):
        raise IndexError(f"index out of bounds for an array of size {a.size}")
    if at.size:
        assign(a, numpy.unravel_index(at % a.size, a.shape), _repeated(v, at.size, a.dtype))


def putmask(a: Any, mask: Any, values: Any) -> None:
    """Set elements where a mask holds, each to the value at its own place, as `numpy.putmask`."""
    if _written_by_numpy("putmask", a, mask, values):
        return
    at = numpy.flatnonzero(numpy.asarray(_plain(mask)))
    if at.size:
        found = _repeated(values, a.size, a.dtype)[at]
        assign(a, numpy.unravel_index(at, a.shape), found)


def place(arr: Any, mask: Any, vals: Any) -> None:
    """Set the elements where a mask holds to the values one after the other, as `numpy.place`."""
    if _written_by_numpy("place", arr, mask, vals):
        return
    at = numpy.flatnonzero(numpy.asarray(_plain(mask)))
    if at.size:
        assign(arr, numpy.unravel_index(at, arr.shape), _repeated(vals, at.size, arr.dtype))


def copyto(dst: Any, src: Any, casting: str = "same_kind", where: Any = True) -> None:
    """Write one array into another, as `numpy.copyto`; gradients flow through."""
    if _written_by_numpy("copyto", dst, src, casting=casting, where=where):
        return
    src = as_ndarray(src)
    if not numpy.can_cast(src.dtype, dst.dtype, casting):
        raise TypeError(
            f"Cannot cast array data from {src.dtype!r} to {dst.dtype!r} according to the rule "
            f"{casting!r}"
        )
    if where is True:
        assign(dst, Ellipsis, src)
    else:
        mask = numpy.broadcast_to(_plain(where), dst.shape)
        assign(dst, mask, broadcast_to(src, dst.shape)[mask])


def fill_diagonal(a: Any, val: Any, wrap: bool = False) -> None:
    """Set the main diagonal, as `numpy.fill_diagonal`; gradients flow through."""
    if _written_by_numpy("fill_diagonal", a, val, wrap=wrap):
        return
    marks = numpy.zeros(a.shape, bool)
    numpy.fill_diagonal(marks, True, wrap=wrap)
    place(a, marks, val)


def put_along_axis(arr: Any, indices: Any, values: Any, axis: int | None) -> None:
    """Set elements along an axis by index, as `numpy.put_along_axis`; gradients flow through."""
    if _written_by_numpy("put_along_axis", arr, indices, values, axis=axis):
        return
    at = numpy.array(_plain(indices))
    if axis is None:
        assign(arr, numpy.unravel_index(at, arr.shape), values)
    else:
        assign(arr, _along_axis(at, axis, arr.shape), values)


# --- where there is something ---------------------------------------------------------------------

nonzero = Function("nonzero", arrays=1, differentiable=False)
flatnonzero = Function("flatnonzero", arrays=1, differentiable=False)
argwhere = Function("argwhere", arrays=1, differentiable=False)
