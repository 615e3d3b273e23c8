"""Making arrays: from data, constants and ranges, on the current context with the default dtype."""

from __future__ import annotations

from typing import Any

import numpy

from minpy.array import as_ndarray, from_numpy, is_tracked, ndarray, numpy_value
from minpy.autograd.rules import def_linear, defvjp
from minpy.config import settings
from minpy.context import Context, current_context
from minpy.primitives import Primitive, registry

__all__ = [
    "arange",
    "array",
    "asarray",
    "ascontiguousarray",
    "copy",
    "empty",
    "empty_like",
    "eye",
    "full",
    "full_like",
    "identity",
    "linspace",
    "logspace",
    "ones",
    "zeros",
]


def _place(value: numpy.ndarray, ctx: Context | None) -> ndarray:
    return from_numpy(value, current_context() if ctx is None else ctx)


def _default(value: numpy.ndarray, dtype: Any) -> numpy.ndarray:
    """Give a float result that nobody chose a dtype for the default one."""
    if dtype is None and settings.narrows:
        if value.dtype == numpy.float64:
            return value.astype(settings.float_dtype)
        if value.dtype == numpy.complex128:
            return value.astype(settings.complex_dtype)
    return value


def array(
    object: Any,
    dtype: Any = None,
    *,
    copy: bool | None = True,
    order: str = "K",
    subok: bool = False,
    ndmin: int = 0,
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
    ctx
        Device; the current context by default.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> np.array([[1, 2], [3, 4]]).dtype
    dtype('int64')
    >>> np.array([1.0, 2.0]).dtype
    dtype('float32')
    """
    made = as_ndarray(object, dtype, ctx)
    if ctx is not None and made.context != ctx:
        made = made.as_in_context(ctx)
    shares = made is object or (made._np is not None and isinstance(object, numpy.ndarray))
    if copy and shares:
        if is_tracked(made):
            made = registry["positive"](made)
        else:
            made = from_numpy(numpy_value(made).copy(order=order), made.context)
    elif order in ("C", "F") and made._np is not None and not is_tracked(made):
        made = from_numpy(numpy.asarray(made._np, order=order), made.context)
    while made.ndim < ndmin:
        made = made[None]
    return made


def asarray(
    a: Any,
    dtype: Any = None,
    order: str | None = None,
    *,
    copy: bool | None = None,
    ctx: Context | None = None,
) -> ndarray:
    """Return the data as an array, without a copy where it is one already, as `numpy.asarray`."""
    return array(a, dtype, copy=bool(copy), order=order or "K", ctx=ctx)


asanyarray = asarray


def ascontiguousarray(a: Any, dtype: Any = None) -> ndarray:
    """Return an array whose memory is contiguous, as `numpy.ascontiguousarray`."""
    made = as_ndarray(a, dtype)
    if made._np is None or is_tracked(made) or (made._np.flags.c_contiguous and made.ndim):
        return made
    return from_numpy(numpy.ascontiguousarray(made._np), made.context)


_copy = Primitive("copy", lambda x, order="K": numpy.array(x, order=order), arrays=1)


def copy(a: Any, order: str = "K", subok: bool = False) -> ndarray:
    """Return a copy, as `numpy.copy`; gradients flow through it."""
    return _copy(as_ndarray(a)) if order == "K" else _copy(as_ndarray(a), order=order)


def _shaped(name: str, fill: Any) -> Any:
    def make(
        shape: Any, dtype: Any = None, order: str = "C", *, ctx: Context | None = None
    ) -> ndarray:
        dtype = settings.float_dtype if dtype is None else dtype
        return _place(fill(_plain_shape(shape), dtype, order=order), ctx)

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
    return make


def _plain_shape(shape: Any) -> Any:
    if isinstance(shape, ndarray):
        return tuple(int(n) for n in numpy_value(shape).ravel())
    return shape


zeros = _shaped("zeros", numpy.zeros)
ones = _shaped("ones", numpy.ones)
empty = _shaped("empty", numpy.empty)


def empty_like(prototype: Any, dtype: Any = None, order: str = "K", **kwargs: Any) -> ndarray:
    """Make an uninitialised array like another, as `numpy.empty_like`."""
    like = as_ndarray(prototype)
    return _place(numpy.empty_like(numpy_value(like), dtype, order, **kwargs), like.context)


def full(
    shape: Any, fill_value: Any, dtype: Any = None, order: str = "C", *, ctx: Context | None = None
) -> ndarray:
    """Make an array of one value, as `numpy.full`; gradients flow into the value."""
    value = as_ndarray(fill_value, dtype)
    shape = _plain_shape(shape)
    if is_tracked(value):
        shape = (shape,) if isinstance(shape, int) else tuple(shape)
        return registry["broadcast_to"](value, shape)
    return _place(numpy.full(shape, numpy_value(value), value.dtype, order), ctx)


def full_like(a: Any, fill_value: Any, dtype: Any = None, order: str = "K", **kw: Any) -> ndarray:
    """Make an array of one value with the shape and dtype of another, as `numpy.full_like`."""
    like = as_ndarray(a)
    shape = kw.get("shape") or like.shape
    return full(shape, fill_value, like.dtype if dtype is None else dtype, ctx=like.context)


def arange(*args: Any, dtype: Any = None, ctx: Context | None = None, **kwargs: Any) -> ndarray:
    """Make evenly spaced values in a half-open interval, as `numpy.arange`."""
    plain = [a.item() if isinstance(a, ndarray) else a for a in args]
    return _place(_default(numpy.arange(*plain, dtype=dtype, **kwargs), dtype), ctx)


def _spaced(name: str) -> Any:
    function = getattr(numpy, name)

    def make(start: Any, stop: Any, *args: Any, ctx: Context | None = None, **kwargs: Any) -> Any:
        start, stop = (numpy_value(v) if isinstance(v, ndarray) else v for v in (start, stop))
        result = function(start, stop, *args, **kwargs)
        dtype = kwargs.get("dtype")
        if isinstance(result, tuple):  # with the step
            return _place(_default(result[0], dtype), ctx), float(result[1])
        return _place(_default(result, dtype), ctx)

    make.__name__ = make.__qualname__ = name
    make.__doc__ = f"Make spaced values over an interval, as `numpy.{name}`."
    return make


logspace = _spaced("logspace")
geomspace = _spaced("geomspace")
_plain_linspace = _spaced("linspace")


def linspace(start: Any, stop: Any, num: int = 50, **kwargs: Any) -> Any:
    """Make evenly spaced values over an interval, as `numpy.linspace`; gradients reach both ends."""
    if not any(isinstance(v, ndarray) and is_tracked(v) for v in (start, stop)):
        return _plain_linspace(start, stop, num, **kwargs)
    endpoint, axis = kwargs.get("endpoint", True), kwargs.get("axis", 0)
    start, stop = as_ndarray(start), as_ndarray(stop)
    ndim = max(start.ndim, stop.ndim)
    share = numpy.linspace(0.0, 1.0, num, endpoint=endpoint).astype(start.dtype)
    share = share.reshape((-1,) + (1,) * ndim)
    made = start + (stop - start) * share
    return made if axis in (0, -made.ndim) else registry["moveaxis"](made, 0, axis)


def eye(
    N: int,
    M: int | None = None,
    k: int = 0,
    dtype: Any = None,
    order: str = "C",
    *,
    ctx: Context | None = None,
) -> ndarray:
    """Make a matrix with ones on a diagonal, as `numpy.eye`."""
    return _place(numpy.eye(N, M, k, settings.float_dtype if dtype is None else dtype, order), ctx)


def identity(n: int, dtype: Any = None, *, ctx: Context | None = None) -> ndarray:
    """Make a square matrix with ones on the main diagonal, as `numpy.identity`."""
    return eye(n, dtype=dtype, ctx=ctx)


defvjp(_copy, lambda ans, x, order="K": lambda g: g)
def_linear(_copy)


def _as_in_context(x: numpy.ndarray, context: Context) -> numpy.ndarray:
    return x


class _Move(Primitive):
    """Copies an array to a device: the one operation whose result lies elsewhere than its input."""

    def _apply_policy(self, policy: str) -> None:
        self._direct = False

    def _run(self, args: tuple, kwargs: dict) -> ndarray:
        source, context = args
        self.ran_numpy += 1
        return from_numpy(numpy_value(source), context)


_move = _Move("as_in_context", _as_in_context, arrays=1)
defvjp(_move, lambda ans, x, context: lambda g: _move(g, x.context))
def_linear(_move)
