"""Shapes: reshaping, moving axes, joining, splitting, repeating; no arithmetic on elements."""

from __future__ import annotations

import itertools
import math
import operator
from typing import Any

import numpy

from minpy import runtime
from minpy.array import as_ndarray, ndarray, numpy_value, read_value
from minpy.autograd.rules import def_linear, defjvp, defjvp_argnums, defvjp, defvjp_argnums
from minpy.errors import NoDerivativeError
from minpy.inplace import overwrite
from minpy.numpy import mxnet_kernels as mx
from minpy.numpy.elementwise import astype, zeros_like
from minpy.numpy.function import Function, composition
from minpy.numpy.indexing import scatter_add
from minpy.numpy.mxnet_gather import constant, gathered, rearranging, shape_of
from minpy.primitives import Primitive, registry

__all__ = [
    "append",
    "array_split",
    "atleast_1d",
    "atleast_2d",
    "atleast_3d",
    "block",
    "column_stack",
    "concatenate",
    "delete",
    "diag",
    "diagflat",
    "diagonal",
    "dsplit",
    "dstack",
    "expand_dims",
    "flip",
    "fliplr",
    "flipud",
    "hsplit",
    "hstack",
    "insert",
    "moveaxis",
    "ndim",
    "ravel",
    "repeat",
    "reshape",
    "resize",
    "roll",
    "rollaxis",
    "rot90",
    "row_stack",
    "shape",
    "size",
    "split",
    "squeeze",
    "stack",
    "swapaxes",
    "tile",
    "trace",
    "transpose",
    "tril",
    "triu",
    "vsplit",
    "vstack",
]

# --- views ----------------------------------------------------------------------------------------


def _mx_reshape(F: Any, x: Any, newshape: Any, order: str = "C") -> Any:
    if order != "C":
        raise runtime.Unsupported("MXNet reshapes in C order only")
    shape = (newshape,) if isinstance(newshape, int | numpy.integer) else tuple(newshape)
    shape = tuple(max(n, -1) for n in shape)  # any negative length is unknown; MXNet's -2 is not
    return F("_np_reshape", x, newshape=shape)


def _order(x: ndarray, order: str, by: str) -> str:
    """Return C or F for the orders that stand for how the array lies in memory."""
    if order in ("C", "F"):
        return order
    flags = numpy_value(x).flags
    if order == "K" and not (flags.c_contiguous or flags.f_contiguous):
        raise NoDerivativeError(
            f"{by} in memory order (order='K') has no derivative for an array that is not "
            "contiguous; use order='C' or 'F'"
        )
    return "F" if flags.fnc else "C"


def _reshape_vjp(shape: tuple[int, ...], order: str = "C") -> Any:
    if order == "C":
        return lambda g: reshape(g, shape)
    return lambda g: reshape(g, shape, order=order)


reshape = Function("reshape", arrays=1, is_view=True, mxnet=_mx_reshape)
defvjp(
    reshape,
    lambda ans, x, newshape, order="C": _reshape_vjp(x.shape, _order(x, order, "reshape")),
)
defjvp(
    reshape,
    lambda t, ans, x, newshape, order="C": reshape(t, newshape, order=_order(x, order, "reshape")),
)

ravel = Function(
    "ravel",
    arrays=1,
    is_view=True,
    mxnet=lambda F, x, order="C": _mx_reshape(F, x, (-1,), order),
)
defvjp(ravel, lambda ans, x, order="C": _reshape_vjp(x.shape, _order(x, order, "ravel")))
defjvp(ravel, lambda t, ans, x, order="C": ravel(t, order=_order(x, order, "ravel")))

transpose = Function(
    "transpose",
    arrays=1,
    is_view=True,
    mxnet=lambda F, x, axes=None: (
        F.transposed(x) if axes is None else F("_np_transpose", x, axes=axes)
    ),
)


def _inverse(order: Any) -> tuple[int, ...]:
    """Return the permutation of axes that undoes another."""
    return tuple(int(i) for i in numpy.argsort(order))


def _transpose_vjp(ans: Any, x: ndarray, axes: Any = None) -> Any:
    if axes is None:
        return lambda g: transpose(g)
    back = _inverse([a % x.ndim for a in axes])
    return lambda g: transpose(g, back)


defvjp(transpose, _transpose_vjp)

swapaxes = Function(
    "swapaxes",
    arrays=1,
    is_view=True,
    mxnet=lambda F, x, axis1, axis2: F("_npi_swapaxes", x, dim1=axis1, dim2=axis2),
)
defvjp(swapaxes, lambda ans, x, axis1, axis2: lambda g: swapaxes(g, axis1, axis2))


def _mx_moved(function: Any) -> Any:
    """Make the kernel of a function that puts axes in another order."""

    def kernel(F: Any, x: Any, *args: Any, **kwargs: Any) -> Any:
        # The order of the axes, read off a result whose axes are told apart by their lengths.
        stand_in = numpy.broadcast_to(0, range(len(x.shape)))
        return F("_np_transpose", x, axes=function(stand_in, *args, **kwargs).shape)

    return kernel


moveaxis = Function("moveaxis", arrays=1, is_view=True, mxnet=_mx_moved(numpy.moveaxis))
defvjp(moveaxis, lambda ans, x, source, destination: lambda g: moveaxis(g, destination, source))

rollaxis = Function("rollaxis", arrays=1, is_view=True, mxnet=_mx_moved(numpy.rollaxis))


def _rollaxis_vjp(ans: Any, x: ndarray, axis: int, start: int = 0) -> Any:
    # The order of the axes, read off a result whose axes are told apart by their lengths.
    stand_in = numpy.broadcast_to(0, range(x.ndim))
    back = _inverse(numpy.rollaxis(stand_in, axis, start).shape)
    return lambda g: transpose(g, back)


defvjp(rollaxis, _rollaxis_vjp)

squeeze = Function(
    "squeeze",
    arrays=1,
    is_view=True,
    mxnet=lambda F, x, axis=None: F("_np_squeeze", x, axis=axis),
)


def _mx_expand_dims(F: Any, x: Any, axis: Any) -> Any:
    return F("_np_reshape", x, newshape=shape_of(numpy.expand_dims, x.shape, axis))


expand_dims = Function("expand_dims", arrays=1, is_view=True, mxnet=_mx_expand_dims)
for _op in (squeeze, expand_dims):
    defvjp(_op, lambda ans, x, axis=None: _reshape_vjp(x.shape))


def _mx_flip(F: Any, x: Any, axis: Any = None) -> Any:
    axes = tuple(range(len(x.shape))) if axis is None else axis
    axes = tuple(int(a) for a in (axes if isinstance(axes, tuple) else (axes,)))
    if not axes or 0 in x.shape or any(not -len(x.shape) <= a < len(x.shape) for a in axes):
        raise runtime.Unsupported("left to NumPy")
    return F("reverse", x, axis=tuple(a % len(x.shape) for a in axes))


flip = Function("flip", arrays=1, is_view=True, mxnet=_mx_flip)
defvjp(flip, lambda ans, x, axis=None: lambda g: flip(g, axis))
fliplr = Function("fliplr", arrays=1, is_view=True, mxnet=rearranging(numpy.fliplr))
flipud = Function("flipud", arrays=1, is_view=True, mxnet=rearranging(numpy.flipud))
defvjp(fliplr, lambda ans, x: lambda g: fliplr(g))
defvjp(flipud, lambda ans, x: lambda g: flipud(g))
rot90 = Function("rot90", arrays=1, is_view=True, mxnet=rearranging(numpy.rot90))
defvjp(rot90, lambda ans, x, k=1, axes=(0, 1): lambda g: rot90(g, -k, axes))
roll = Function("roll", arrays=1, mxnet=rearranging(numpy.roll))
defvjp(
    roll,
    lambda ans, x, shift, axis=None: lambda g: roll(g, _negated(shift), axis),
)


def _negated(shift: Any) -> Any:
    return tuple(-s for s in shift) if isinstance(shift, tuple | list) else -shift


diagonal = Function("diagonal", arrays=1, is_view=True, mxnet=rearranging(numpy.diagonal))


def _diagonal_vjp(ans: Any, x: ndarray, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    shape = x.shape
    a, b = axis1 % x.ndim, axis2 % x.ndim
    steps = numpy.arange(ans.shape[-1])
    rows, columns = steps + max(-offset, 0), steps + max(offset, 0)
    rest = [i for i in range(len(shape)) if i not in (a, b)]
    index = (*[slice(None)] * len(rest), rows, columns)

    def vjp(g: Any) -> Any:
        moved = scatter_add(g, index, tuple(shape[i] for i in [*rest, a, b]))
        return transpose(moved, _inverse([*rest, a, b]))

    return vjp


defvjp(diagonal, _diagonal_vjp)


@composition("trace", arrays=1)
def trace(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1, dtype: Any = None) -> Any:
    """Return the sum along a diagonal, as `numpy.trace`."""
    return registry["sum"](diagonal(as_ndarray(a), offset, axis1, axis2), -1, dtype=dtype)


def _mx_triangle(function: Any) -> Any:
    """Make the kernel of ``triu`` or ``tril``."""

    def kernel(F: Any, m: Any, k: int = 0) -> Any:
        mx.require_floats("a triangle", m)
        if 0 in m.shape or len(m.shape) < 2:
            raise runtime.Unsupported("left to NumPy")
        kept = function(numpy.ones(m.shape, bool), k)
        return F("_npi_where", constant(F, kept, m), m, F("zeros_like", m))

    return kernel


triu = Function("triu", arrays=1, mxnet=_mx_triangle(numpy.triu))
tril = Function("tril", arrays=1, mxnet=_mx_triangle(numpy.tril))
defvjp(triu, lambda ans, x, k=0: lambda g: triu(g, k))
defvjp(tril, lambda ans, x, k=0: lambda g: tril(g, k))


def _mx_among_zeros(function: Any) -> Any:
    """Make the kernel of a function that moves elements and puts zeros between."""

    def kernel(F: Any, v: Any, k: int = 0) -> Any:
        mx.require_floats("a diagonal", v)
        places = function(numpy.arange(1, math.prod(v.shape) + 1).reshape(v.shape), k)
        found = gathered(F, v, numpy.maximum(places, 1) - 1)
        return F("_npi_where", constant(F, places > 0, v), found, F("zeros_like", found))

    return kernel


diag = Function("diag", arrays=1, is_view=True, mxnet=_mx_among_zeros(numpy.diag))
diagflat = Function("diagflat", arrays=1, mxnet=_mx_among_zeros(numpy.diagflat))


def _diag_vjp(ans: Any, x: ndarray, k: int = 0) -> Any:
    shape = x.shape
    if len(shape) == 1:
        return lambda g: diag(g, k)
    steps = numpy.arange(ans.shape[0])
    index = (steps + max(-k, 0), steps + max(k, 0))
    return lambda g: scatter_add(g, index, shape)


defvjp(diag, _diag_vjp)
defvjp(diagflat, lambda ans, x, k=0: lambda g: reshape(diagonal(g, k), x.shape))

for _op in (transpose, swapaxes, moveaxis, rollaxis, squeeze, expand_dims, flip, fliplr, flipud):
    def_linear(_op)
for _op in (rot90, roll, diagonal, triu, tril, diag, diagflat):
    def_linear(_op)


def shape(a: Any) -> tuple[int, ...]:
    """Return the length of each axis, as `numpy.shape`."""
    return a.shape if isinstance(a, ndarray) else numpy.shape(a)


def size(a: Any, axis: int | None = None) -> int:
    """Return the number of elements, or the length of an axis, as `numpy.size`."""
    lengths = shape(a)
    return int(numpy.prod(lengths, dtype=int)) if axis is None else lengths[axis]


def ndim(a: Any) -> int:
    """Return the number of axes, as `numpy.ndim`."""
    return len(shape(a))


# --- joining --------------------------------------------------------------------------------------


def _concatenate_kernel(*arrays: Any, axis: Any = 0, **kwargs: Any) -> numpy.ndarray:
    return numpy.concatenate(arrays, axis=axis, **kwargs)


def _alike(name: str, arrays: Any) -> None:
    if len({numpy.dtype(a.dtype) for a in arrays}) > 1:
        raise runtime.Unsupported(f"MXNet's {name} takes arrays of one dtype")


def _mx_concatenate(F: Any, *arrays: Any, axis: Any = 0, **kwargs: Any) -> Any:
    if kwargs:
        raise runtime.Unsupported("MXNet's concatenate takes no dtype")
    _alike("concatenate", arrays)
    return F("_npi_concatenate", *arrays, num_args=len(arrays), axis=str(axis))


_concatenate = Primitive("_concatenate", _concatenate_kernel, mxnet=_mx_concatenate)


def _concatenate_vjp(argnums: tuple, ans: Any, args: tuple, kwargs: dict) -> Any:
    axis, ndim = kwargs.get("axis", 0), ans.ndim
    kinds = [(a.shape, a.dtype) for a in args]

    def vjp(g: Any) -> tuple:
        # Worked out here and not above: a forward pass that is never gone back costs less.
        shapes, dtypes = zip(*kinds, strict=True)
        at = 0 if axis is None else axis % ndim
        lengths = [math.prod(s) if axis is None else s[axis] for s in shapes]
        starts = [0, *itertools.accumulate(lengths)]

        def one(i: int) -> Any:
            part = g[(slice(None),) * at + (slice(starts[i], starts[i + 1]),)]
            if part.dtype != dtypes[i]:
                part = astype(part, dtypes[i])
            return reshape(part, shapes[i]) if axis is None else part

        return tuple(one(i) for i in argnums)

    return vjp


defvjp_argnums(_concatenate, _concatenate_vjp)


def _joined_jvp(operation: Primitive) -> Any:
    def jvp(argnums: tuple, tangents: tuple, ans: Any, args: tuple, kwargs: dict) -> Any:
        given = [zeros_like(a) for a in args]
        for i, t in zip(argnums, tangents, strict=True):
            given[i] = t
        return operation(*given, **kwargs)

    return jvp


defjvp_argnums(_concatenate, _joined_jvp(_concatenate))


def _sequence(arrays: Any, by: str) -> Any:
    """Refuse what can be gone through once only, as NumPy does."""
    if hasattr(arrays, "__getitem__"):
        return list(arrays) if isinstance(arrays, ndarray) else arrays
    raise TypeError(
        f'{by}: arrays to stack must be passed as a "sequence" type such as list or tuple, got '
        f"{type(arrays).__name__}"
    )


def _several(arrays: Any, by: str) -> list[Any]:
    if type(arrays) is not list and type(arrays) is not tuple:
        arrays = _sequence(arrays, by)
    made = [a if type(a) is ndarray else as_ndarray(a) for a in arrays]
    if not made:
        raise ValueError(f"{by}: need at least one array")
    return made


def _converting(dtype: Any, casting: str) -> dict[str, Any]:
    """Return the keywords about a conversion that say something."""
    given = {} if dtype is None else {"dtype": dtype}
    return given if casting == "same_kind" else {**given, "casting": casting}


def concatenate(
    arrays: Any,
    /,
    axis: int | None = 0,
    out: Any = None,
    *,
    dtype: Any = None,
    casting: str = "same_kind",
) -> Any:
    """Join arrays along an existing axis, as `numpy.concatenate`."""
    if dtype is not None and out is not None:
        raise TypeError("concatenate() only takes `out` or `dtype` as an argument, but both given")
    joined = _several(arrays, "concatenate")
    if type(axis) is int and axis == 0 and dtype is None and casting == "same_kind":
        made = _concatenate(*joined)
    else:
        made = _concatenate(*joined, axis=axis, **_converting(dtype, casting))
    return made if out is None else overwrite(out, made, casting, "concatenate", broadcasts=False)


def _stack_kernel(*arrays: Any, axis: int = 0, **kwargs: Any) -> numpy.ndarray:
    return numpy.stack(arrays, axis=axis, **kwargs)


def _mx_stack(F: Any, *arrays: Any, axis: int = 0, **kwargs: Any) -> Any:
    if kwargs:
        raise runtime.Unsupported("MXNet's stack takes no dtype")
    return F("_npi_stack", *arrays, axis=axis, num_args=len(arrays))


_stack = Primitive("stack", _stack_kernel, mxnet=_mx_stack)


def _stack_vjp(argnums: tuple, ans: Any, args: tuple, kwargs: dict) -> Any:
    lead = (slice(None),) * (kwargs.get("axis", 0) % ans.ndim)
    dtypes = [getattr(a, "dtype", None) for a in args]

    def one(i: int, g: Any) -> Any:
        part = g[(*lead, i)]
        return part if part.dtype == dtypes[i] else astype(part, dtypes[i])

    return lambda g: tuple(one(i, g) for i in argnums)


defvjp_argnums(_stack, _stack_vjp)
defjvp_argnums(_stack, _joined_jvp(_stack))


def stack(
    arrays: Any,
    axis: int = 0,
    out: Any = None,
    *,
    dtype: Any = None,
    casting: str = "same_kind",
) -> Any:
    """Join arrays of one shape along a new axis, as `numpy.stack`."""
    if dtype is not None and out is not None:
        raise TypeError("stack() only takes `out` or `dtype` as an argument, but both given")
    made = _several(arrays, "stack")
    if type(axis) is int and axis == 0 and dtype is None and casting == "same_kind":
        made = _stack(*made)
    else:
        made = _stack(*made, axis=axis, **_converting(dtype, casting))
    return made if out is None else overwrite(out, made, casting, "stack", broadcasts=False)


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


def atleast_1d(*arys: Any) -> Any:
    """Return arrays with at least one axis, as `numpy.atleast_1d`."""
    made = [_at_least(1, a) for a in arys]
    return made[0] if len(made) == 1 else made


def atleast_2d(*arys: Any) -> Any:
    """Return arrays with at least two axes, as `numpy.atleast_2d`."""
    made = [_at_least(2, a) for a in arys]
    return made[0] if len(made) == 1 else made


def atleast_3d(*arys: Any) -> Any:
    """Return arrays with at least three axes, as `numpy.atleast_3d`."""
    made = [_at_least(3, a) for a in arys]
    return made[0] if len(made) == 1 else made


def vstack(tup: Any, *, dtype: Any = None, casting: str = "same_kind") -> Any:
    """Join arrays by rows, as `numpy.vstack`."""
    return concatenate(
        [_at_least(2, a) for a in _sequence(tup, "vstack")], 0, dtype=dtype, casting=casting
    )


row_stack = vstack


def hstack(tup: Any, *, dtype: Any = None, casting: str = "same_kind") -> Any:
    """Join arrays by columns, as `numpy.hstack`."""
    made = [_at_least(1, a) for a in _sequence(tup, "hstack")]
    axis = 0 if made and made[0].ndim == 1 else 1
    return concatenate(made, axis, dtype=dtype, casting=casting)


def dstack(tup: Any) -> Any:
    """Join arrays along the third axis, as `numpy.dstack`."""
    return concatenate([_at_least(3, a) for a in _sequence(tup, "dstack")], 2)


def column_stack(tup: Any) -> Any:
    """Join 1-D arrays as columns, as `numpy.column_stack`."""
    made = [as_ndarray(a) for a in _sequence(tup, "column_stack")]
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
        cuts = [0, *[operator.index(i) for i in indices_or_sections], length]
    else:
        sections = int(indices_or_sections)
        if sections <= 0:
            raise ValueError("number sections must be larger than 0.")
        each, extra = divmod(length, sections)
        sizes = [each + 1] * extra + [each] * (sections - extra)
        cuts = [0, *numpy.cumsum(sizes).tolist()]
    lead = (slice(None),) * (axis % ary.ndim)
    return [ary[(*lead, slice(a, b))] for a, b in itertools.pairwise(cuts)]


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


# --- repeating, inserting, deleting, padding ------------------------------------------------------


def _mx_tile(F: Any, A: Any, reps: Any) -> Any:
    counts = tuple(int(n) for n in (reps if isinstance(reps, tuple | list) else (reps,)))
    if not counts or any(n < 1 for n in counts) or 0 in A.shape or not A.shape:
        raise runtime.Unsupported("left to NumPy")
    return F("_npi_tile", A, reps=counts)


tile = Function("tile", arrays=1, mxnet=_mx_tile)


def _tile_vjp(ans: Any, x: ndarray, reps: Any) -> Any:
    times = (reps,) if numpy.ndim(reps) == 0 else tuple(reps)
    ndim = max(len(times), x.ndim)
    times = (1,) * (ndim - len(times)) + times
    shape = (1,) * (ndim - x.ndim) + x.shape
    split_up = tuple(int(n) for pair in zip(times, shape, strict=True) for n in pair)
    copies = tuple(range(0, 2 * ndim, 2))
    return lambda g: reshape(registry["sum"](reshape(g, split_up), copies), x.shape)


defvjp(tile, _tile_vjp)

repeat = Function("repeat", arrays=1, mxnet=rearranging(numpy.repeat))


def _repeat_vjp(ans: Any, x: ndarray, repeats: Any, axis: int | None = None) -> Any:
    length = x.size if axis is None else x.shape[axis]
    source = numpy.repeat(numpy.arange(length), numpy.asarray(repeats))
    shape = x.shape
    if axis is None:
        return lambda g: reshape(scatter_add(g, source, (length,)), shape)
    index = (slice(None),) * (axis % x.ndim) + (source,)
    return lambda g: scatter_add(g, index, shape)


defvjp(repeat, _repeat_vjp)


def _places(shape: tuple[int, ...]) -> numpy.ndarray:
    """Return an array of each element's place in the flattened array."""
    return numpy.arange(int(numpy.prod(shape, dtype=int))).reshape(shape)


def _moving_vjp(name: str) -> Any:
    """Make the rule of a function that moves and repeats elements: sent back whence they came."""
    kernel = getattr(numpy, name)

    def rule(ans: Any, x: ndarray, *args: Any, **kwargs: Any) -> Any:
        shape, source = x.shape, kernel(_places(x.shape), *args, **kwargs)
        return lambda g: reshape(
            scatter_add(g, source, (int(numpy.prod(shape, dtype=int)),)), shape
        )

    return rule


delete = Function("delete", arrays=1, mxnet=rearranging(numpy.delete))
defvjp(delete, _moving_vjp("delete"))
for _op in (tile, repeat, delete):
    def_linear(_op)


@composition("resize", arrays=1)
def resize(a: Any, new_shape: Any) -> Any:
    """Return the elements, repeated as often as needed, in another shape, as `numpy.resize`."""
    a = as_ndarray(a)
    source = numpy.resize(_places(a.shape), new_shape)
    return ravel(a)[source] if a.size else zeros_like(a, shape=source.shape)


@composition("insert", arrays=1)
def insert(arr: Any, obj: Any, values: Any, axis: int | None = None) -> Any:
    """Insert values before given places, as `numpy.insert`; gradients reach both arrays."""
    arr = as_ndarray(arr)
    values = as_ndarray(values, arr.dtype)
    obj = read_value(obj) if isinstance(obj, ndarray) else obj
    # NumPy works out the places; the elements are then picked from both arrays, end to end.
    places = numpy.insert(_places(arr.shape), obj, arr.size + _places(values.shape), axis)
    return concatenate([ravel(arr), ravel(values)])[places]


def block(arrays: Any) -> Any:
    """Join nested lists of blocks into one array, as `numpy.block`."""
    depth = _depth(arrays)
    return _block(arrays, depth, max(depth, _deepest(arrays)))


def _depth(arrays: Any) -> int:
    return 1 + _depth(arrays[0]) if isinstance(arrays, list) and arrays else 0


def _deepest(arrays: Any) -> int:
    if isinstance(arrays, list):
        return max([_deepest(a) for a in arrays], default=0)
    return ndim(arrays)


def _block(arrays: Any, depth: int, result_ndim: int) -> Any:
    if isinstance(arrays, tuple):
        raise TypeError("block: got a tuple among the blocks; blocks are arranged by lists only")
    if depth == 0:
        if isinstance(arrays, list):
            raise ValueError("List depths are mismatched, or a list is empty")
        a = as_ndarray(arrays)
        return reshape(a, (1,) * (result_ndim - a.ndim) + a.shape)
    if not isinstance(arrays, list) or not arrays:
        raise ValueError("List depths are mismatched, or a list is empty")
    return concatenate([_block(a, depth - 1, result_ndim) for a in arrays], axis=-depth)


_COPYING_PADS = ("constant", "empty", "edge", "reflect", "symmetric", "wrap")


def copies_only(mode: Any, options: dict) -> bool:
    """Say whether padding puts copies of elements and constants around an array, no results."""
    return mode in _COPYING_PADS and options.get("reflect_type", "even") == "even"


def _pad_kernel(array: Any, pad_width: Any, mode: Any = "constant", **kwargs: Any) -> Any:
    return numpy.pad(array, pad_width, mode, **kwargs)


_mx_copying_pad = rearranging(_pad_kernel)


def _mx_pad(F: Any, array: Any, pad_width: Any, mode: Any = "constant", **kwargs: Any) -> Any:
    if mode not in ("constant", "empty"):
        return _mx_copying_pad(F, array, pad_width, mode, **kwargs)
    number = kwargs.get("constant_values", 0)
    mx.require_floats("pad", array)
    widths = pad_widths(pad_width, len(array.shape))
    if not isinstance(number, mx.NUMBER) or 0 in array.shape or not array.shape:
        raise runtime.Unsupported("MXNet pads an array that isn't empty with one number")
    if any(n < 0 for pair in widths for n in pair):
        raise runtime.Unsupported("left to NumPy, which raises the right error")
    return F("_npi_pad", array, pad_width=tuple(widths), mode="constant", constant_value=number)


# Copies alone: `minpy.numpy.padding.pad` is this, and the modes that compute what they put there.
pad = Function("pad_by_copying", _pad_kernel, arrays=1, mxnet=_mx_pad, doc=numpy.pad.__doc__)


def pad_widths(pad_width: Any, ndim: int) -> list[tuple[int, int]]:
    """Return how much is added before and behind each axis."""
    return [(int(a), int(b)) for a, b in numpy.broadcast_to(numpy.asarray(pad_width), (ndim, 2))]


def _pad_vjp(ans: Any, x: ndarray, pad_width: Any, mode: Any = "constant", **kwargs: Any) -> Any:
    shape = x.shape
    if mode in ("constant", "empty"):
        widths = pad_widths(pad_width, x.ndim)
        inside = tuple(slice(a, a + n) for (a, _), n in zip(widths, shape, strict=True))
        return lambda g: g[inside]
    # Every element of the result is a copy of one of x: read off which.
    source = numpy.pad(_places(shape), pad_width, mode, **kwargs)
    return lambda g: reshape(scatter_add(g, source, (int(numpy.prod(shape)),)), shape)


def _pad_jvp(t: Any, ans: Any, x: Any, pad_width: Any, mode: Any = "constant", **kwargs: Any):
    if mode in ("constant", "empty"):
        return pad(t, pad_width)
    return pad(t, pad_width, mode, **kwargs)


defvjp(pad, _pad_vjp)
defjvp(pad, _pad_jvp)
