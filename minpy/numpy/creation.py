"""Making arrays: from data, constants, ranges and grids, on the current context.

It must not know about operations on arrays beyond copying, moving between devices and joining.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

import numpy

from minpy import runtime
from minpy.array import (
    NotNumericError,
    as_ndarray,
    from_numpy,
    is_tracked,
    ndarray,
    read_value,
)
from minpy.autograd.rules import def_linear, defvjp
from minpy.config import settings
from minpy.context import Context, current_context
from minpy.numpy.broadcasting import broadcast_to
from minpy.numpy.elementwise import positive, where
from minpy.numpy.fallback import arrays_in, plain, wrapped
from minpy.numpy.function import Function, composition
from minpy.numpy.shaping import concatenate, moveaxis, reshape
from minpy.primitives import Primitive, default_precision

__all__ = [
    "arange",
    "array",
    "asanyarray",
    "asarray",
    "ascontiguousarray",
    "c_",
    "copy",
    "empty",
    "empty_like",
    "eye",
    "from_dlpack",
    "full",
    "full_like",
    "geomspace",
    "identity",
    "linspace",
    "logspace",
    "meshgrid",
    "mgrid",
    "ogrid",
    "ones",
    "r_",
    "tri",
    "vander",
    "zeros",
]


def _place(value: numpy.ndarray, ctx: Context | None) -> ndarray:
    if value.dtype.hasobject:
        return value  # minpy has no arrays of Python objects: such stay NumPy's
    return from_numpy(value, current_context() if ctx is None else ctx)


def _default(value: numpy.ndarray, dtype: Any, given: Any = ()) -> numpy.ndarray:
    """Give a float result that nobody chose a dtype for the default one."""
    return default_precision(value, given) if dtype is None else value


# Of NumPy's own classes, for which minpy makes its arrays as for anything of NumPy's.
_NUMPYS = numpy.ndarray.__array_function__


def _dispatched(make: Callable[..., Any]) -> Callable[..., Any]:
    """Let ``like=`` decide whose array is made: a class' own, by NumPy's function of the name."""

    @functools.wraps(make)
    def function(*args: Any, **kwargs: Any) -> Any:
        like = kwargs.pop("like", None)
        if like is None:
            return make(*args, **kwargs)
        if isinstance(like, ndarray):
            if placed:
                kwargs.setdefault("ctx", like.context)
        elif getattr(type(like), "__array_function__", None) is not _NUMPYS:
            return getattr(numpy, make.__name__)(*args, like=like, **kwargs)
        return make(*args, **kwargs)

    placed = "ctx" in inspect.signature(make).parameters
    return function


# --- from data ------------------------------------------------------------------------------------


@_dispatched
def array(
    object: Any,
    dtype: Any = None,
    *,
    copy: bool | None = True,
    order: str = "K",
    subok: bool = False,
    ndmin: int = 0,
    like: Any = None,
    ctx: Context | None = None,
) -> ndarray:
    """Make an array of data, as `numpy.array`.

    Parameters
    ----------
    object
        Numbers, nested lists of them (which may hold minpy arrays, differentiated ones too),
        NumPy, minpy or MXNet arrays, or anything with ``__array__``.
    dtype
        Element type. By default that of the data; Python floats get the default float dtype.
    copy
        False shares memory with a NumPy array where that is possible.
    order
        Memory layout, as in NumPy.
    ndmin
        The least number of axes; axes of length one are put in front.
    like
        An array of a class with ``__array_function__``, which then makes the array; by a minpy
        array the new one lies on the same device. So it is in all functions that take it.
    ctx
        Device; the current context by default, that of the data where it is a minpy array.

    Returns
    -------
    ndarray
        One of NumPy's where the elements are Python objects, which minpy's arrays don't hold.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> np.array([[1, 2], [3, 4]]).dtype
    dtype('int64')
    >>> np.array([1.0, 2.0]).dtype
    dtype('float32')
    """
    if type(dtype) is ndarray:
        raise TypeError("Cannot construct a dtype from an array")
    if not isinstance(order, str) or order not in ("K", "A", "C", "F"):
        numpy.array(0, order=plain(order))  # NumPy says what is wrong, if anything is
    try:
        made = as_ndarray(object, dtype, ctx)
    except (NotNumericError, ValueError) as wrong:
        of_objects = dtype is not None and numpy.dtype(dtype).hasobject
        if not (of_objects or isinstance(wrong, NotNumericError)):
            raise
        if any(is_tracked(a) for a in arrays_in(object)):
            raise
        return numpy.array(plain(object), dtype, copy=copy, order=order, ndmin=ndmin)
    if type(made) is not ndarray:
        return made
    if ctx is not None and made.context != ctx:
        made = made.as_in_context(ctx)
    if is_tracked(made):
        if order in ("C", "F") and made._np is not None and not made._np.flags[order]:
            made = _copy(made, order=order)
        elif copy and made is object:
            made = positive(made)
    elif made._np is not None:
        value = read_value(made)
        kept = order in ("K", "A") or (order in ("C", "F") and value.flags[order])
        if not kept or (copy and (made is object or value.base is not None or value is object)):
            made = from_numpy(value.copy(order=order), made.context)
    elif copy and made is object:
        made = positive(made)
    return made if made.ndim >= ndmin else reshape(made, (1,) * (ndmin - made.ndim) + made.shape)


@_dispatched
def asarray(
    a: Any,
    dtype: Any = None,
    order: str | None = None,
    *,
    copy: bool | None = None,
    like: Any = None,
    ctx: Context | None = None,
) -> ndarray:
    """Return the data as an array, without a copy where it is one already, as `numpy.asarray`."""
    return array(a, dtype, copy=bool(copy), order=order or "K", ctx=ctx)


@_dispatched
def asanyarray(a: Any, dtype: Any = None, order: str | None = None, *, like: Any = None) -> ndarray:
    """Return the data as an array, as `minpy.numpy.asarray`."""
    return asarray(a, dtype, order)


@_dispatched
def ascontiguousarray(a: Any, dtype: Any = None, *, like: Any = None) -> ndarray:
    """Return an array whose memory is contiguous, as `numpy.ascontiguousarray`."""
    made = asarray(a, dtype, "C")
    if type(made) is not ndarray:
        return numpy.ascontiguousarray(made)
    return made if made.ndim else reshape(made, (1,))


def from_dlpack(x: Any, /) -> ndarray:
    """Return an array over the memory of another library's, as `numpy.from_dlpack`.

    Parameters
    ----------
    x
        Anything with ``__dlpack__``: an array of NumPy, PyTorch, JAX, TensorFlow…
    """
    return x if type(x) is ndarray else from_numpy(numpy.from_dlpack(x), current_context())


def _mx_copy(F: Any, x: Any, order: str = "K") -> Any:
    if order not in ("C", "K") and F is runtime.eager:  # in a graph nobody sees how it lies
        raise runtime.Unsupported(f"MXNet lays arrays out by rows, asked for order={order!r}")
    return positive.mxnet(F, x)


_copy = Primitive(
    "copy",
    lambda x, order="K": numpy.array(x, order=order),
    arrays=1,
    mxnet=_mx_copy,
    faster_on_mxnet=False,
)
defvjp(_copy, lambda ans, x, order="K": lambda g: g)
def_linear(_copy)


def copy(a: Any, order: str = "K", subok: bool = False) -> ndarray:
    """Return a copy, as `numpy.copy`; gradients flow through it."""
    kept = isinstance(order, str) and order == "K"
    return _copy(as_ndarray(a)) if kept else _copy(as_ndarray(a), order=order)


# --- of one value ---------------------------------------------------------------------------------


def _shaped(name: str, fill: Callable[..., numpy.ndarray]) -> Callable[..., ndarray]:
    def make(
        shape: Any,
        dtype: Any = None,
        order: str = "C",
        *,
        like: Any = None,
        ctx: Context | None = None,
    ) -> ndarray:
        dtype = settings.float_dtype if dtype is None else dtype
        return _place(fill(plain(shape), dtype, order=order), ctx)

    make.__name__ = make.__qualname__ = name
    make.__doc__ = f"""Make a new array, as `numpy.{name}`, of the default float dtype.

    Parameters
    ----------
    shape
        Length of each axis.
    dtype
        Element type; the default float dtype if not given.
    ctx
        Device; the current context by default.
    """
    return _dispatched(make)


zeros = _shaped("zeros", numpy.zeros)
ones = _shaped("ones", numpy.ones)
empty = _shaped("empty", numpy.empty)
empty_like = Function("empty_like", arrays=1, differentiable=False)


@_dispatched
def full(
    shape: Any,
    fill_value: Any,
    dtype: Any = None,
    order: str = "C",
    *,
    like: Any = None,
    ctx: Context | None = None,
) -> ndarray:
    """Make an array of one value, as `numpy.full`; gradients flow into the value."""
    shape = plain(shape)
    try:
        value = as_ndarray(fill_value, dtype)
    except NotNumericError:
        return numpy.full(shape, plain(fill_value), dtype, order)
    if type(value) is not ndarray:
        return numpy.full(shape, value, dtype, order)
    if is_tracked(value):
        return _copy(broadcast_to(value, shape))
    return _place(numpy.full(shape, read_value(value), value.dtype, order), ctx)


def full_like(
    a: Any,
    fill_value: Any,
    dtype: Any = None,
    order: str = "K",
    subok: bool = True,
    shape: Any = None,
) -> ndarray:
    """Make an array of one value with the shape and dtype of another, as `numpy.full_like`."""
    if type(dtype) is ndarray:
        raise TypeError("Cannot construct a dtype from an array")
    like = as_ndarray(a)
    dtype = like.dtype if dtype is None else dtype
    if type(fill_value) is ndarray and is_tracked(fill_value):
        return full(like.shape if shape is None else shape, fill_value, dtype, ctx=like.context)
    made = numpy.full_like(read_value(like), plain(fill_value), dtype, order, shape=plain(shape))
    return from_numpy(made, like.context)


@_dispatched
def eye(
    N: int,
    M: int | None = None,
    k: int = 0,
    dtype: Any = None,
    order: str = "C",
    *,
    like: Any = None,
    ctx: Context | None = None,
) -> ndarray:
    """Make a matrix with ones on a diagonal, as `numpy.eye`."""
    return _place(numpy.eye(N, M, k, settings.float_dtype if dtype is None else dtype, order), ctx)


@_dispatched
def identity(n: int, dtype: Any = None, *, like: Any = None, ctx: Context | None = None) -> ndarray:
    """Make a square matrix with ones on the main diagonal, as `numpy.identity`."""
    return eye(n, dtype=dtype, ctx=ctx)


@_dispatched
def tri(
    N: int,
    M: int | None = None,
    k: int = 0,
    dtype: Any = None,
    *,
    like: Any = None,
    ctx: Context | None = None,
) -> ndarray:
    """Make a matrix with ones at and below a diagonal, as `numpy.tri`."""
    return _place(numpy.tri(N, M, k, settings.float_dtype if dtype is None else dtype), ctx)


# --- ranges ---------------------------------------------------------------------------------------


@_dispatched
def arange(
    *args: Any, dtype: Any = None, like: Any = None, ctx: Context | None = None, **kwargs: Any
) -> ndarray:
    """Make evenly spaced values in a half-open interval, as `numpy.arange`."""
    if len(args) == 4:
        *args, dtype = args
    if _any_tracked(*args, *kwargs.values()):
        return _tracked_arange(args, kwargs, dtype)
    given = plain([*args, *kwargs.values()])
    return _place(
        _default(numpy.arange(*plain(args), dtype=dtype, **plain(kwargs)), dtype, given), ctx
    )


def _tracked_arange(args: Any, kwargs: dict[str, Any], dtype: Any) -> ndarray:
    """Return ``start + step * n``, for as many n as there are before the stop."""
    count = len(numpy.arange(*plain(args), **plain(kwargs)))
    ends = {**dict(zip(("start", "stop", "step"), args, strict=False)), **kwargs}
    start = 0 if ends.get("stop") is None else ends.get("start", 0)
    step = 1 if ends.get("step") is None else ends["step"]
    tracked = next(v for v in ends.values() if type(v) is ndarray and is_tracked(v))
    made = start + step * numpy.arange(count).astype(tracked.dtype)
    made = made if type(made) is ndarray else as_ndarray(made)
    return made if dtype is None else made.astype(dtype)


def logspace(
    start: Any,
    stop: Any,
    num: int = 50,
    endpoint: bool = True,
    base: Any = 10.0,
    dtype: Any = None,
    axis: int = 0,
    *,
    ctx: Context | None = None,
) -> Any:
    """Make powers of a base, as `numpy.logspace`; gradients reach the ends and the base."""
    if _any_tracked(start, stop, base):
        made = base ** linspace(start, stop, num, endpoint, axis=axis)
        return made if dtype is None else made.astype(dtype)
    given = plain((start, stop, base))
    made = numpy.logspace(*given[:2], num, endpoint, given[2], dtype, axis)
    return _place(_default(made, dtype, given), ctx)


def geomspace(
    start: Any,
    stop: Any,
    num: int = 50,
    endpoint: bool = True,
    dtype: Any = None,
    axis: int = 0,
    *,
    ctx: Context | None = None,
) -> Any:
    """Make values of constant ratio, as `numpy.geomspace`; gradients reach both ends."""
    if _any_tracked(start, stop):
        start, stop = as_ndarray(start), as_ndarray(stop)
        share = numpy.linspace(0.0, 1.0, num, endpoint).astype(start.dtype)
        share = share.reshape((-1,) + (1,) * max(start.ndim, stop.ndim))
        made = moveaxis(start * (stop / start) ** share, 0, axis)
        return made if dtype is None else made.astype(dtype)
    given = plain((start, stop))
    made = numpy.geomspace(*given, num, endpoint, dtype, axis)
    return _place(_default(made, dtype, given), ctx)


def _any_tracked(*values: Any) -> bool:
    return any(type(v) is ndarray and is_tracked(v) for v in values)


def linspace(
    start: Any,
    stop: Any,
    num: int = 50,
    endpoint: bool = True,
    retstep: bool = False,
    dtype: Any = None,
    axis: int = 0,
    *,
    ctx: Context | None = None,
) -> Any:
    """Make evenly spaced values, as `numpy.linspace`; gradients reach both ends."""
    if _any_tracked(start, stop):
        return _tracked_linspace(start, stop, num, endpoint, retstep, dtype, axis)
    given = plain((start, stop))
    made, step = numpy.linspace(*given, num, endpoint, True, dtype, axis)
    made = _place(_default(made, dtype, given), ctx)
    return (made, wrapped(step, made.context, given)) if retstep else made


def _tracked_linspace(
    start: Any, stop: Any, num: int, endpoint: bool, retstep: bool, dtype: Any, axis: int
) -> Any:
    """Do NumPy's arithmetic in NumPy's order, on arrays that a derivative is taken through."""
    given = start, stop
    start, stop = (as_ndarray(numpy.asarray(a) if numpy.isscalar(a) else a) for a in given)
    computed = numpy.result_type(_blank(start), _blank(stop), float(num))
    start, stop = start.astype(computed), stop.astype(computed)
    count = num - 1 if endpoint else num
    counted = numpy.arange(num, dtype=computed)
    counted = counted.reshape((-1,) + (1,) * max(start.ndim, stop.ndim))
    reach = stop - start
    step = reach / max(count, 1)
    # As NumPy: where a step is too small for its dtype, all are counted in another order.
    exact, careful = counted * step, counted / max(count, 1) * reach
    made = where((step == 0).any(), careful, exact) + start
    if endpoint and num > 1:
        last = broadcast_to(stop, made.shape[1:])
        made = concatenate([made[:-1], reshape(last, (1, *made.shape[1:]))])
    if dtype is None:
        dtype = default_precision(numpy.empty(0, computed), given).dtype
    made = moveaxis(made, 0, axis).astype(dtype)
    return (made, step) if retstep else made


def _blank(a: ndarray) -> numpy.ndarray:
    """Return zeros that NumPy computes with in the dtype that it does for an array."""
    dtype = a.dtype if a.dtype.kind in "fc" else numpy.float64
    return numpy.broadcast_to(numpy.zeros((), dtype), a.shape)


# --- grids ----------------------------------------------------------------------------------------


def meshgrid(*xi: Any, copy: bool = True, sparse: bool = False, indexing: str = "xy") -> list[Any]:
    """Return coordinate matrices of coordinate vectors, as `numpy.meshgrid`."""
    if indexing not in ("xy", "ij"):
        raise ValueError("Valid values for `indexing` are 'xy' and 'ij'.")
    arrays = [as_ndarray(x) for x in xi]
    order = list(range(len(arrays)))
    if indexing == "xy" and len(arrays) > 1:
        order[:2] = [1, 0]
    shape = tuple(arrays[i].size for i in order)
    grids = []
    for i, x in enumerate(arrays):
        at = order[i]
        grid = reshape(x, tuple(-1 if axis == at else 1 for axis in range(len(arrays))))
        if not sparse:
            grid = broadcast_to(grid, shape)
            grid = _copy(grid, order="C") if copy else grid
        elif copy:
            grid = _copy(grid)
        grids.append(grid)
    return grids


@composition("vander", arrays=1)
def vander(x: Any, N: int | None = None, increasing: bool = False) -> ndarray:
    """Make the matrix of the powers of a vector, as `numpy.vander`."""
    x = as_ndarray(x)
    if x.ndim != 1:
        raise ValueError("x must be a one-dimensional array or sequence.")
    powers = numpy.arange(x.size if N is None else N)
    return x[:, None] ** (powers if increasing else powers[::-1])


class _Brackets:
    """One of NumPy's objects that make an array of what stands in their brackets."""

    def __init__(self, name: str) -> None:
        self._numpy = getattr(numpy, name)
        self.__doc__ = f"As `numpy.{name}`; makes minpy arrays."

    def __getitem__(self, key: Any) -> Any:
        parts = key if type(key) is tuple else (key,)
        if any(type(part) is ndarray and is_tracked(part) for part in parts):
            return _joined(key, self._numpy)
        return wrapped(self._numpy[plain(key)], current_context(), plain(parts))


def _joined(key: Any, source: Any) -> Any:
    """Join tracked arrays as NumPy joins the places of their elements."""
    parts = key if type(key) is tuple else (key,)
    places, flat, count = [], [], 0
    for part in parts:
        if isinstance(part, str):
            places.append(part)
            continue
        value = as_ndarray(numpy.r_[part] if isinstance(part, slice) else part)
        places.append(count + numpy.arange(value.size).reshape(value.shape))
        flat.append(reshape(value, (-1,)))
        count += value.size
    return concatenate(flat)[source[tuple(places) if len(places) > 1 else places[0]]]


mgrid, ogrid = _Brackets("mgrid"), _Brackets("ogrid")
r_, c_ = _Brackets("r_"), _Brackets("c_")

# --- between devices ------------------------------------------------------------------------------


class _Move(Primitive):
    """Copies an array to a device: the one operation whose result lies elsewhere than its input."""

    def _apply_policy(self, policy: str) -> None:
        self._direct = False

    def _run(self, args: tuple, kwargs: dict) -> ndarray:
        source, context = args
        self.ran_numpy += 1
        return from_numpy(read_value(source).copy(), context)


_move = _Move("as_in_context", lambda x, context: x, arrays=1)


def _move_vjp(ans: Any, x: ndarray, context: Context) -> Callable[[Any], Any]:
    back = x.context
    return lambda g: _move(g, back)


defvjp(_move, _move_vjp)
def_linear(_move)


def as_in_context(self: ndarray, context: Context) -> ndarray:
    """Return the array on a device: itself if it is there already, a copy otherwise.

    Parameters
    ----------
    context
        ``cpu()`` or ``gpu(i)``.
    """
    if context == self.context:
        return self
    context.check()
    return _move(self, context)
