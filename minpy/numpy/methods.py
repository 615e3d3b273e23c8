"""The methods and operators of `ndarray`: attaches the functions of this package to the class."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy

from minpy import inplace
from minpy.array import as_ndarray, ndarray, numpy_value, read_value
from minpy.numpy import elementwise as e
from minpy.numpy import indexing, products, reductions, shaping
from minpy.numpy.creation import _copy

# --- operators ------------------------------------------------------------------------------------

_BINARY = {
    "add": e.add,
    "sub": e.subtract,
    "mul": e.multiply,
    "truediv": e.true_divide,
    "floordiv": e.floor_divide,
    "mod": e.remainder,
    "pow": e.power,
    "matmul": products.matmul,
    "and": e.bitwise_and,
    "or": e.bitwise_or,
    "xor": e.bitwise_xor,
    "lshift": e.left_shift,
    "rshift": e.right_shift,
}
_COMPARISONS = {
    "eq": e.equal,
    "ne": e.not_equal,
    "lt": e.less,
    "le": e.less_equal,
    "gt": e.greater,
    "ge": e.greater_equal,
}
_UNARY = {
    "neg": e.negative,
    "pos": e.positive,
    "abs": e.absolute,
    "invert": e.invert,
}


def _binary(operation: Any) -> tuple[Callable, Callable, Callable]:
    def forward(self: ndarray, other: Any) -> Any:
        if other is None or type(other) is str:
            return NotImplemented
        return operation(self, other)

    def reflected(self: ndarray, other: Any) -> Any:
        if other is None or type(other) is str:
            return NotImplemented
        return operation(other, self)

    def augmented(self: ndarray, other: Any) -> ndarray:
        return inplace.augment(operation, self, other)

    return forward, reflected, augmented


for _name, _operation in _BINARY.items():
    _forward, _reflected, _augmented = _binary(_operation)
    setattr(ndarray, f"__{_name}__", _forward)
    setattr(ndarray, f"__r{_name}__", _reflected)
    setattr(ndarray, f"__i{_name}__", _augmented)


def _compare(operation: Any, name: str) -> Callable:
    def compare(self: ndarray, other: Any) -> Any:
        if other is None or type(other) is str:
            return NotImplemented
        return operation(self, other)

    return compare


for _name, _operation in _COMPARISONS.items():
    setattr(ndarray, f"__{_name}__", _compare(_operation, _name))
ndarray.__hash__ = None  # as NumPy's: equality is element by element

for _name, _operation in _UNARY.items():
    setattr(ndarray, f"__{_name}__", lambda self, _op=_operation: _op(self))


def _divmod(self: ndarray, other: Any) -> tuple:
    return e.floor_divide(self, other), e.remainder(self, other)


ndarray.__divmod__ = _divmod
ndarray.__rdivmod__ = lambda self, other: _divmod(as_ndarray(other), self)

# --- indexing and iteration -----------------------------------------------------------------------


def _getitem(self: ndarray, index: Any) -> Any:
    kind = type(index)
    if kind is ndarray or kind is tuple or kind is list:
        index = inplace._plain_index(index)
    return indexing.getitem(self, index)


def _iterate(self: ndarray) -> Iterator[ndarray]:
    if not self.shape:
        raise TypeError("iteration over a 0-d array")
    return (self[i] for i in range(self.shape[0]))


def _length(self: ndarray) -> int:
    if not self.shape:
        raise TypeError("len() of unsized object")
    return self.shape[0]


ndarray.__getitem__ = _getitem
ndarray.__setitem__ = inplace.assign
ndarray.__iter__ = _iterate
ndarray.__len__ = _length
ndarray.__contains__ = lambda self, value: bool((self == value).any())

# --- Python numbers -------------------------------------------------------------------------------

for _name in ("__float__", "__int__", "__complex__", "__bool__", "__index__"):
    setattr(ndarray, _name, lambda self, _name=_name: getattr(read_value(self), _name)())


def _repr(self: ndarray) -> str:
    text = repr(read_value(self))
    dtype = self.dtype
    # The default dtype goes unsaid, as NumPy leaves out its own.
    from minpy.config import settings

    if settings.narrows:
        if dtype == settings.float_dtype:
            text = text.replace(f", dtype={dtype.name})", ")")
        elif dtype == numpy.float64 and "dtype=" not in text:
            text = f"{text[:-1]}, dtype=float64)"
    return text if self.context.is_cpu else f"{text[:-1]}, ctx={self.context!r})"


ndarray.__repr__ = _repr
ndarray.__str__ = lambda self: str(read_value(self))
ndarray.__format__ = lambda self, spec: (
    format(read_value(self).item(), spec) if self.ndim == 0 else format(read_value(self), spec)
)

# --- methods --------------------------------------------------------------------------------------

# Methods that are the function with the array as first argument.
_METHODS = {
    "sum": reductions.sum,
    "mean": reductions.mean,
    "prod": reductions.prod,
    "max": reductions.max,
    "min": reductions.min,
    "var": reductions.var,
    "std": reductions.std,
    "cumsum": reductions.cumsum,
    "cumprod": reductions.cumprod,
    "any": reductions.any,
    "all": reductions.all,
    "argmax": reductions.argmax,
    "argmin": reductions.argmin,
    "dot": products.dot,
    "take": indexing.take,
    "repeat": shaping.repeat,
    "ravel": shaping.ravel,
    "squeeze": shaping.squeeze,
    "swapaxes": shaping.swapaxes,
    "diagonal": shaping.diagonal,
    "trace": shaping.trace,
    "conj": e.conjugate,
    "conjugate": e.conjugate,
    "nonzero": shaping.nonzero,
    "argsort": shaping.argsort,
}


def _method(name: str, function: Any) -> Callable:
    def method(self: ndarray, *args: Any, **kwargs: Any) -> Any:
        return function(self, *args, **kwargs)

    method.__name__ = name
    method.__qualname__ = f"ndarray.{name}"
    method.__doc__ = f"Return ``{name}`` of the array; see `minpy.numpy.{name}`."
    return method


for _name, _function in _METHODS.items():
    setattr(ndarray, _name, _method(_name, _function))


def _astype(
    self: ndarray,
    dtype: Any,
    order: str = "K",
    casting: str = "unsafe",
    subok: bool = True,
    copy: bool = True,
) -> ndarray:
    """Return the array with another element type."""
    dtype = numpy.dtype(dtype)
    if dtype == self.dtype and not copy:
        return self
    if not numpy.can_cast(self.dtype, dtype, casting):
        raise TypeError(
            f"Cannot cast array data from {self.dtype!r} to {dtype!r} according to "
            f"the rule {casting!r}"
        )
    return e.astype(self, dtype)


def _one_shape(shape: tuple) -> Any:
    return shape[0] if len(shape) == 1 else shape


def _reshape(self: ndarray, *shape: Any, order: str = "C") -> ndarray:
    """Return the array with another shape; a view where NumPy makes one."""
    new = _one_shape(shape)
    return shaping.reshape(self, new) if order == "C" else shaping.reshape(self, new, order=order)


def _transpose(self: ndarray, *axes: Any) -> ndarray:
    """Return a view with the axes in another order."""
    if not axes or axes == (None,):
        return shaping.transpose(self)
    return shaping.transpose(self, axes[0] if len(axes) == 1 else axes)


def _flatten(self: ndarray, order: str = "C") -> ndarray:
    """Return a one-dimensional copy."""
    return _copy(shaping.ravel(self) if order == "C" else shaping.ravel(self, order=order))


def _item(self: ndarray, *args: Any) -> Any:
    """Return one element as a Python number."""
    return read_value(self).item(*args)


def _fill(self: ndarray, value: Any) -> None:
    """Set every element to a value."""
    inplace.assign(self, Ellipsis, value)


def _put(self: ndarray, indices: Any, values: Any, mode: str = "raise") -> None:
    """Set elements by their place in the flattened array."""
    where = numpy.asarray(inplace._plain_index(indices))
    if mode == "clip":
        where = numpy.clip(where, 0, self.size - 1)
    elif mode == "wrap":
        where = where % self.size
    values = as_ndarray(values, None if isinstance(values, ndarray) else self.dtype).ravel()
    if where.size and values.size != where.size:
        values = values[numpy.arange(where.size) % values.size]
    self[numpy.unravel_index(where.ravel(), self.shape)] = values


def _sort(self: ndarray, axis: int = -1, kind: Any = None, order: Any = None) -> None:
    """Sort the array in place."""
    inplace.overwrite(self, shaping.sort(self, axis, kind))


def _clip(self: ndarray, min: Any = None, max: Any = None) -> ndarray:
    """Return the array with its values limited."""
    out = self if min is None else e.maximum(self, min)
    return out if max is None else e.minimum(out, max)


def _round(self: ndarray, decimals: int = 0) -> ndarray:
    """Return the array rounded; its derivative is zero."""
    return as_ndarray(numpy.round(read_value(self), decimals))


def _copy_method(self: ndarray, order: str = "C") -> ndarray:
    """Return a copy; gradients flow through it."""
    return _copy(self)


for _name, _function in {
    "astype": _astype,
    "reshape": _reshape,
    "transpose": _transpose,
    "flatten": _flatten,
    "item": _item,
    "fill": _fill,
    "put": _put,
    "sort": _sort,
    "clip": _clip,
    "round": _round,
    "copy": _copy_method,
    "__copy__": _copy_method,
}.items():
    setattr(ndarray, _name, _function)

ndarray.tolist = lambda self: read_value(self).tolist()
ndarray.tobytes = lambda self, order="C": read_value(self).tobytes(order)
ndarray.T = property(lambda self: shaping.transpose(self), doc="View with the axes reversed.")
ndarray.real = property(lambda self: e.real(self), doc="Real part.")
ndarray.imag = property(lambda self: e.imag(self), doc="Imaginary part.")
ndarray.strides = property(lambda self: numpy_value(self).strides, doc="Bytes to step an axis.")
ndarray.flags = property(lambda self: numpy_value(self).flags, doc="Memory layout.")
ndarray.flat = property(lambda self: iter(self.ravel()), doc="Iterator over the elements.")
ndarray.base = property(
    lambda self: None if self._view is None else self._view.base,
    doc="The array whose memory this one shares, or None.",
)
