"""Shapes: reshaping, moving axes, joining, splitting, repeating; no arithmetic on elements."""

from __future__ import annotations

from typing import Any

import numpy

from minpy import runtime
from minpy.array import as_ndarray, ndarray
from minpy.autograd.rules import def_linear, defjvp_argnums, defvjp, defvjp_argnums
from minpy.primitives import Primitive, registry

# --- views ----------------------------------------------------------------------------------------


def _mx_reshape(F: Any, x: Any, newshape: Any, order: str = "C") -> Any:
    if order != "C":
        raise runtime.Unsupported("MXNet reshapes in C order only")
    shape = (newshape,) if isinstance(newshape, int) else tuple(newshape)
    if any(n < -1 for n in shape):
        raise ValueError("can only specify one unknown dimension")
    return F("_np_reshape", x, newshape=shape)


reshape = Primitive("reshape", numpy.reshape, arrays=1, is_view=True, mxnet=_mx_reshape)
defvjp(reshape, lambda ans, x, newshape, order="C": _reshape_vjp(x.shape, order))
def_linear(reshape)


def _reshape_vjp(shape: tuple[int, ...], order: str) -> Any:
    if order == "C":
        return lambda g: reshape(g, shape)
    return lambda g: reshape(g, shape, order=order)


ravel = Primitive(
    "ravel",
    numpy.ravel,
    arrays=1,
    is_view=True,
    mxnet=lambda F, x, order="C": _mx_reshape(F, x, (-1,), order),
)
defvjp(ravel, lambda ans, x, order="C": _reshape_vjp(x.shape, order))
def_linear(ravel)

transpose = Primitive(
    "transpose",
    numpy.transpose,
    arrays=1,
    is_view=True,
    mxnet=lambda F, x, axes=None: (
        F.transposed(x) if axes is None else F("_np_transpose", x, axes=axes)
    ),
)


def _transpose_vjp(ans: Any, x: ndarray, axes: Any = None) -> Any:
    if axes is None:
        return lambda g: transpose(g)
    back = tuple(int(i) for i in numpy.argsort([a % x.ndim for a in axes]))
    return lambda g: transpose(g, back)


defvjp(transpose, _transpose_vjp)
def_linear(transpose)

swapaxes = Primitive(
    "swapaxes",
    numpy.swapaxes,
    arrays=1,
    is_view=True,
    mxnet=lambda F, x, axis1, axis2: F("_npi_swapaxes", x, dim1=axis1, dim2=axis2),
)
defvjp(swapaxes, lambda ans, x, axis1, axis2: lambda g: swapaxes(g, axis1, axis2))
def_linear(swapaxes)

moveaxis = Primitive("moveaxis", numpy.moveaxis, arrays=1, is_view=True)
defvjp(moveaxis, lambda ans, x, source, destination: lambda g: moveaxis(g, destination, source))
def_linear(moveaxis)

rollaxis = Primitive("rollaxis", numpy.rollaxis, arrays=1, is_view=True)


def _rollaxis_vjp(ans: Any, x: ndarray, axis: int, start: int = 0) -> Any:
    order = list(range(x.ndim))
    order = list(numpy.rollaxis(numpy.empty([2 + i for i in order]), axis, start).shape)
    back = tuple(int(i) for i in numpy.argsort(order))
    return lambda g: transpose(g, back)


defvjp(rollaxis, _rollaxis_vjp)
def_linear(rollaxis)

for _name in ("squeeze", "expand_dims"):
    _op = Primitive(_name, getattr(numpy, _name), arrays=1, is_view=True)
    globals()[_name] = _op
    defvjp(_op, lambda ans, x, axis=None: _reshape_vjp(x.shape, "C"))
    def_linear(_op)
squeeze: Primitive
expand_dims: Primitive


def _one_axis(axis: Any) -> int:
    if isinstance(axis, int):
        return axis
    if len(axis) == 1:
        return axis[0]
    raise runtime.Unsupported("MXNet adds one axis at a time")


expand_dims.mxnet = lambda F, x, axis: F("expand_dims", x, axis=_one_axis(axis))
squeeze.mxnet = lambda F, x, axis=None: F("_npi_squeeze", x, axis=axis)

flip = Primitive("flip", numpy.flip, arrays=1, is_view=True)
defvjp(flip, lambda ans, x, axis=None: lambda g: flip(g, axis))
def_linear(flip)
fliplr = Primitive("fliplr", numpy.fliplr, arrays=1, is_view=True)
flipud = Primitive("flipud", numpy.flipud, arrays=1, is_view=True)
defvjp(fliplr, lambda ans, x: lambda g: fliplr(g))
defvjp(flipud, lambda ans, x: lambda g: flipud(g))
rot90 = Primitive("rot90", numpy.rot90, arrays=1, is_view=True)
defvjp(rot90, lambda ans, x, k=1, axes=(0, 1): lambda g: rot90(g, -k, axes))
roll = Primitive("roll", numpy.roll, arrays=1)
defvjp(
    roll,
    lambda ans, x, shift, axis=None: (
        lambda g: roll(g, tuple(-s for s in shift) if isinstance(shift, tuple) else -shift, axis)
    ),
)
for _op in (fliplr, flipud, rot90, roll):
    def_linear(_op)

diagonal = Primitive("diagonal", numpy.diagonal, arrays=1)


def _diagonal_vjp(ans: Any, x: ndarray, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    shape = x.shape
    a, b = axis1 % x.ndim, axis2 % x.ndim
    length = ans.shape[-1]
    rows, columns = numpy.arange(length) + max(-offset, 0), numpy.arange(length) + max(offset, 0)

    def vjp(g: Any) -> Any:
        rest = [i for i in range(len(shape)) if i not in (a, b)]
        lead = tuple(slice(None) for _ in rest)
        moved = registry["scatter_add"](
            g, (*lead, rows, columns), tuple(shape[i] for i in [*rest, a, b])
        )
        return transpose(moved, tuple(int(i) for i in numpy.argsort([*rest, a, b])))

    return vjp


defvjp(diagonal, _diagonal_vjp)
def_linear(diagonal)


def trace(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1, dtype: Any = None) -> Any:
    """Return the sum along a diagonal, as `numpy.trace`."""
    return registry["sum"](diagonal(as_ndarray(a), offset, axis1, axis2), -1, dtype=dtype)


for _name in ("triu", "tril"):
    _op = Primitive(_name, getattr(numpy, _name), arrays=1)
    globals()[_name] = _op
    defvjp(_op, lambda ans, x, k=0, _op=_op: lambda g: _op(g, k))
    def_linear(_op)

diag = Primitive("diag", numpy.diag, arrays=1)


def _diag_vjp(ans: Any, x: ndarray, k: int = 0) -> Any:
    shape = x.shape
    if len(shape) == 1:
        return lambda g: diag(g, k)
    rows = numpy.arange(ans.shape[0]) + max(-k, 0)
    columns = numpy.arange(ans.shape[0]) + max(k, 0)
    return lambda g: registry["scatter_add"](g, (rows, columns), shape)


defvjp(diag, _diag_vjp)
def_linear(diag)

# --- joining --------------------------------------------------------------------------------------


def _concatenate_kernel(*arrays: Any, axis: Any = 0, **kwargs: Any) -> numpy.ndarray:
    return numpy.concatenate(arrays, axis=axis, **kwargs)


def _mx_concatenate(F: Any, *arrays: Any, axis: Any = 0, **kwargs: Any) -> Any:
    if kwargs:
        raise runtime.Unsupported("MXNet's concatenate takes no dtype")
    return F(
        "_npi_concatenate", *arrays, num_args=len(arrays), dim="None" if axis is None else axis
    )


_concatenate = Primitive("_concatenate", _concatenate_kernel, mxnet=_mx_concatenate)


def _concatenate_vjp(argnums: tuple, ans: Any, args: tuple, kwargs: dict) -> Any:
    axis = kwargs.get("axis", 0)
    shapes = [numpy.shape(a) if not isinstance(a, ndarray) else a.shape for a in args]
    lengths = [int(numpy.prod(s)) if axis is None else s[axis] for s in shapes]
    starts = numpy.concatenate([[0], numpy.cumsum(lengths)]).astype(int).tolist()
    at = 0 if axis is None else axis % ans.ndim
    dtypes = [getattr(a, "dtype", None) for a in args]

    def one(i: int, g: Any) -> Any:
        part = g[(slice(None),) * at + (slice(starts[i], starts[i + 1]),)]
        if part.dtype != dtypes[i]:
            part = registry["astype"](part, dtypes[i])
        return reshape(part, shapes[i]) if axis is None else part

    return lambda g: tuple(one(i, g) for i in argnums)


defvjp_argnums(_concatenate, _concatenate_vjp)


def _joined_jvp(operation: Primitive) -> Any:
    def jvp(argnums: tuple, tangents: tuple, ans: Any, args: tuple, kwargs: dict) -> Any:
        given = [registry["zeros_like"](a) for a in args]
        for i, t in zip(argnums, tangents, strict=True):
            given[i] = t
        return operation(*given, **kwargs)

    return jvp


defjvp_argnums(_concatenate, _joined_jvp(_concatenate))


def _several(arrays: Any, by: str) -> list[Any]:
    if isinstance(arrays, ndarray) or not hasattr(arrays, "__iter__"):
        arrays = list(arrays)
    made = [as_ndarray(a) for a in arrays]
    if not made:
        raise ValueError(f"{by}: need at least one array")
    return made


def _finish(result: Any, out: Any) -> Any:
    if out is None:
        return result
    from minpy.inplace import overwrite

    return overwrite(out, result)


def concatenate(arrays: Any, axis: int | None = 0, out: Any = None, **kwargs: Any) -> Any:
    """Join arrays along an existing axis, as `numpy.concatenate`."""
    kwargs = {k: v for k, v in kwargs.items() if not (k == "dtype" and v is None)}
    return _finish(_concatenate(*_several(arrays, "concatenate"), axis=axis, **kwargs), out)


def _stack_kernel(*arrays: Any, axis: int = 0) -> numpy.ndarray:
    return numpy.stack(arrays, axis=axis)


_stack = Primitive(
    "stack",
    _stack_kernel,
    mxnet=lambda F, *arrays, axis=0: F("_npi_stack", *arrays, axis=axis, num_args=len(arrays)),
)


def _stack_vjp(argnums: tuple, ans: Any, args: tuple, kwargs: dict) -> Any:
    lead = (slice(None),) * (kwargs.get("axis", 0) % ans.ndim)
    dtypes = [getattr(a, "dtype", None) for a in args]

    def one(i: int, g: Any) -> Any:
        part = g[(*lead, i)]
        return part if part.dtype == dtypes[i] else registry["astype"](part, dtypes[i])

    return lambda g: tuple(one(i, g) for i in argnums)


defvjp_argnums(_stack, _stack_vjp)
defjvp_argnums(_stack, _joined_jvp(_stack))


def stack(arrays: Any, axis: int = 0, out: Any = None) -> Any:
    """Join arrays of one shape along a new axis, as `numpy.stack`."""
    return _finish(_stack(*_several(arrays, "stack"), axis=axis), out)


def _at_least(ndim: int, a: Any) -> Any:
    a = as_ndarray(a)
    if a.ndim >= ndim:
        return a
    if ndim == 1:
        return reshape(a, (1,))
    if ndim == 2:
        return reshape(a, (1, 1)) if a.ndim == 0 else a[None, :]
    shape = {0: (1, 1, 1), 1: (1, *a.shape, 1), 2: (*a.shape, 1)}[a.ndim]
    return reshape(a, shape)


def atleast_1d(*arrays: Any) -> Any:
    """Return arrays with at least one axis, as `numpy.atleast_1d`."""
    made = [_at_least(1, a) for a in arrays]
    return made[0] if len(made) == 1 else made


def atleast_2d(*arrays: Any) -> Any:
    """Return arrays with at least two axes, as `numpy.atleast_2d`."""
    made = [_at_least(2, a) for a in arrays]
    return made[0] if len(made) == 1 else made


def atleast_3d(*arrays: Any) -> Any:
    """Return arrays with at least three axes, as `numpy.atleast_3d`."""
    made = [_at_least(3, a) for a in arrays]
    return made[0] if len(made) == 1 else made


def vstack(arrays: Any) -> Any:
    """Join arrays by rows, as `numpy.vstack`."""
    return concatenate([_at_least(2, a) for a in arrays], 0)


row_stack = vstack


def hstack(arrays: Any) -> Any:
    """Join arrays by columns, as `numpy.hstack`."""
    made = [_at_least(1, a) for a in arrays]
    return concatenate(made, 0 if made and made[0].ndim == 1 else 1)


def dstack(arrays: Any) -> Any:
    """Join arrays along the third axis, as `numpy.dstack`."""
    return concatenate([_at_least(3, a) for a in arrays], 2)


def column_stack(arrays: Any) -> Any:
    """Join 1-D arrays as columns, as `numpy.column_stack`."""
    made = [as_ndarray(a) for a in arrays]
    return concatenate([a if a.ndim > 1 else reshape(a, (-1, 1)) for a in made], 1)


def append(arr: Any, values: Any, axis: int | None = None) -> Any:
    """Join `values` to the end of `arr`, as `numpy.append`."""
    arr, values = as_ndarray(arr), as_ndarray(values)
    if axis is None:
        return concatenate([ravel(arr), ravel(values)])
    return concatenate([arr, values], axis)


# --- splitting ------------------------------------------------------------------------------------


def array_split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Any]:
    """Split an array into views, unequal where it doesn't divide, as `numpy.array_split`."""
    ary = as_ndarray(ary)
    length = ary.shape[axis]
    if hasattr(indices_or_sections, "__len__"):
        cuts = [0, *[int(i) for i in indices_or_sections], length]
    else:
        sections = int(indices_or_sections)
        if sections <= 0:
            raise ValueError("number sections must be larger than 0.")
        each, extra = divmod(length, sections)
        sizes = [each + 1] * extra + [each] * (sections - extra)
        cuts = [0, *numpy.cumsum(sizes).tolist()]
    lead = (slice(None),) * (axis % ary.ndim)
    return [ary[(*lead, slice(a, b))] for a, b in zip(cuts[:-1], cuts[1:], strict=True)]


def split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Any]:
    """Split an array into equal views, as `numpy.split`."""
    ary = as_ndarray(ary)
    if not hasattr(indices_or_sections, "__len__") and ary.shape[axis] % indices_or_sections:
        raise ValueError("array split does not result in an equal division")
    return array_split(ary, indices_or_sections, axis)


def hsplit(ary: Any, indices_or_sections: Any) -> list[Any]:
    """Split by columns, as `numpy.hsplit`."""
    ary = as_ndarray(ary)
    if ary.ndim == 0:
        raise ValueError("hsplit only works on arrays of 1 or more dimensions")
    return split(ary, indices_or_sections, 1 if ary.ndim > 1 else 0)


def vsplit(ary: Any, indices_or_sections: Any) -> list[Any]:
    """Split by rows, as `numpy.vsplit`."""
    ary = as_ndarray(ary)
    if ary.ndim < 2:
        raise ValueError("vsplit only works on arrays of 2 or more dimensions")
    return split(ary, indices_or_sections, 0)


def dsplit(ary: Any, indices_or_sections: Any) -> list[Any]:
    """Split along the third axis, as `numpy.dsplit`."""
    ary = as_ndarray(ary)
    if ary.ndim < 3:
        raise ValueError("dsplit only works on arrays of 3 or more dimensions")
    return split(ary, indices_or_sections, 2)


# --- repeating and padding ------------------------------------------------------------------------

tile = Primitive("tile", numpy.tile, arrays=1)


def _tile_vjp(ans: Any, x: ndarray, reps: Any) -> Any:
    times = (reps,) if isinstance(reps, int | numpy.integer) else tuple(reps)
    ndim = max(len(times), x.ndim)
    times = (1,) * (ndim - len(times)) + times
    shape = (1,) * (ndim - x.ndim) + x.shape
    split_up = tuple(n for pair in zip(times, shape, strict=True) for n in pair)
    return lambda g: reshape(
        registry["sum"](reshape(g, split_up), tuple(range(0, 2 * ndim, 2))), x.shape
    )


defvjp(tile, _tile_vjp)
def_linear(tile)

repeat = Primitive("repeat", numpy.repeat, arrays=1)


def _repeat_vjp(ans: Any, x: ndarray, repeats: Any, axis: int | None = None) -> Any:
    length = x.size if axis is None else x.shape[axis]
    source = numpy.repeat(numpy.arange(length), numpy.asarray(repeats))
    shape = x.shape
    if axis is None:
        return lambda g: reshape(registry["scatter_add"](g, source, (length,)), shape)
    index = (slice(None),) * (axis % x.ndim) + (source,)
    return lambda g: registry["scatter_add"](g, index, shape)


defvjp(repeat, _repeat_vjp)
def_linear(repeat)


pad = Primitive("pad", numpy.pad, arrays=1)


def _pad_vjp(ans: Any, x: ndarray, pad_width: Any, mode: Any = "constant", **kwargs: Any) -> Any:
    width = numpy.broadcast_to(numpy.asarray(pad_width), (x.ndim, 2)).tolist()
    shape = x.shape
    if mode == "constant":
        inside = tuple(slice(a, a + n) for (a, _), n in zip(width, shape, strict=True))
        return lambda g: g[inside]
    if mode not in ("edge", "reflect", "symmetric", "wrap"):
        from minpy.errors import NoDerivativeError

        raise NoDerivativeError(
            f"pad has no derivative for mode {mode!r}; there is one for constant, edge, reflect, "
            "symmetric and wrap"
        )
    # Every element of the result is a copy of one of x: read off which.
    source = numpy.pad(numpy.arange(x.size).reshape(shape), pad_width, mode, **kwargs)
    return lambda g: reshape(registry["scatter_add"](g, source, (int(numpy.prod(shape)),)), shape)


defvjp(pad, _pad_vjp)


def _pad_jvp(t: Any, ans: Any, x: Any, pad_width: Any, mode: Any = "constant", **kwargs: Any):
    kwargs.pop("constant_values", None)
    return pad(t, pad_width, mode, **kwargs)


pad.jvp_rules[0] = _pad_jvp

# --- sorting --------------------------------------------------------------------------------------


def sort(a: Any, axis: int | None = -1, kind: Any = None, order: Any = None) -> Any:
    """Return a sorted copy, as `numpy.sort`."""
    a = as_ndarray(a)
    if axis is None:
        a, axis = ravel(a), -1
    return registry["take_along_axis"](a, registry["argsort"](a, axis, kind or "stable"), axis)


argsort = Primitive("argsort", numpy.argsort, arrays=1, differentiable=False)
nonzero = Primitive("nonzero", numpy.nonzero, arrays=1, differentiable=False)
