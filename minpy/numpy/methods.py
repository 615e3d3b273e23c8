"""The methods and operators of `ndarray`: attaches the functions of this package to the class."""

from __future__ import annotations

import builtins
import os
import pickle
import sys
import types
import warnings
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import Any

import numpy
from numpy.ma import MaskedArray

from minpy import inplace
from minpy.array import (
    _lay_out,
    as_ndarray,
    is_captured,
    is_scalar,
    is_tracked,
    ndarray,
    numpy_value,
    read_value,
)
from minpy.config import settings
from minpy.errors import DifferentiationError
from minpy.inplace import overwrite
from minpy.numpy import elementwise as e
from minpy.numpy import indexing, products, reductions, shaping, sorting
from minpy.numpy.creation import _copy, as_in_context, full
from minpy.numpy.fallback import plain
from minpy.numpy.flat import Flat
from minpy.primitives import Primitive, symbolic_types

# --- operators ------------------------------------------------------------------------------------

_BINARY = {
    "add": e.add,
    "sub": e.subtract,
    "mul": e.multiply,
    "truediv": e.true_divide,
    "floordiv": e.floor_divide,
    "mod": e.remainder,
    "divmod": e.divmod,
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
# What a comparison of numbers with a text, bytes or None says of each element.
_NEVER_EQUAL = {"eq": False, "ne": True}
_UNARY = {
    "neg": e.negative,
    "pos": e.positive,
    "abs": e.absolute,
    "invert": e.invert,
}

_OPERANDS = frozenset([ndarray, numpy.ndarray, int, float, bool, complex, list, tuple])


def _refuses(other: Any) -> bool:
    """Say whether an operand is nothing to make an array of, or wants to decide by itself."""
    if isinstance(other, str | bytes | dict | set) or other is None:
        return True
    if getattr(other, "__array_ufunc__", True) is None:
        return True
    # Anything else that has none of these would become an array of Python objects.
    return not any(
        hasattr(other, name) for name in ("__array__", "__float__", "__len__", "asnumpy")
    )


def _answers(array: ndarray, other: Any) -> bool:
    """Say whether the other operand's own operator is to be asked, as NumPy asks it.

    A data frame makes a data frame of the result, a masked array keeps its mask, and a sparse
    matrix does what it does without becoming an array. Where a derivative is taken through the
    array, whatever can be an array is one.
    """
    kind = type(other)
    own = getattr(kind, "__array_ufunc__", None)
    if own is None:
        can_be_array = hasattr(other, "__array__") or hasattr(other, "asnumpy")
        wanted = not can_be_array and getattr(other, "__array_priority__", 0) > 0
        return wanted and kind not in symbolic_types
    if own is numpy.ndarray.__array_ufunc__ and not issubclass(kind, numpy.matrix | MaskedArray):
        return False
    return issubclass(kind, MaskedArray) or not is_tracked(array)


def _attach_binary(name: str, operation: Any) -> None:
    def forward(self: ndarray, other: Any) -> Any:
        if type(other) not in _OPERANDS:
            if _refuses(other):
                return NotImplemented
            if _answers(self, other):
                return getattr(numpy.asarray(self), f"__{name}__")(other)
        return operation(self, other)

    def reflected(self: ndarray, other: Any) -> Any:
        if type(other) not in _OPERANDS and _refuses(other):
            return NotImplemented
        return operation(other, self)

    def augmented(self: ndarray, other: Any) -> Any:
        if type(other) not in _OPERANDS and _refuses(other):
            if getattr(other, "__array_ufunc__", True) is None:  # its result can't be written here
                raise TypeError(f"operand {type(other).__name__!r} does not support ufuncs")
            return NotImplemented
        return inplace.augment(operation, self, other)

    setattr(ndarray, f"__{name}__", forward)
    setattr(ndarray, f"__r{name}__", reflected)
    if name != "divmod":
        setattr(ndarray, f"__i{name}__", augmented)


def _attach_comparison(name: str, operation: Any) -> None:
    def compare(self: ndarray, other: Any) -> Any:
        if type(other) not in _OPERANDS:
            if name in _NEVER_EQUAL and (other is None or isinstance(other, str | bytes)):
                return full(self.shape, _NEVER_EQUAL[name], bool, ctx=self.context)
            if _refuses(other):
                return NotImplemented
            if _answers(self, other):
                return getattr(numpy.asarray(self), f"__{name}__")(other)
        return operation(self, other)

    setattr(ndarray, f"__{name}__", compare)


for _name, _operation in _BINARY.items():
    _attach_binary(_name, _operation)
# Exponents that NumPy's ** (not `numpy.power`) looks at, by the kind of the base: they leave its
# dtype alone, where it is one for numbers.
_PLAIN_EXPONENTS: dict[str, tuple] = dict.fromkeys("fc", (-1, 0, 0.5, 1, 2))
_PLAIN_EXPONENTS |= dict.fromkeys("iu", (2,))


def _exponent(base: ndarray, other: Any) -> Any:
    """Return an exponent, one of those above as a number of the dtype of the base."""
    kind, number = type(other), other
    if kind is ndarray or kind is numpy.ndarray:
        if other.shape or (kind is ndarray and is_tracked(other)):
            return other
        number = (read_value(other) if kind is ndarray else other).item()
    elif (base.shape and base.dtype != bool) or kind is list or kind is tuple:
        return other
    own = base.dtype if base.dtype != bool else numpy.dtype("int8")
    if type(number) not in (bool, int, float) or number not in _PLAIN_EXPONENTS.get(own.kind, ()):
        return other
    return own.type(number) if own.kind in "fc" or type(number) is int else other


# What NumPy's ** computes instead of a power, which differs in the last bit.
_SIMPLE = {-1: e.reciprocal, 0.5: e.sqrt, 1: e.positive, 2: e.square}
_NUMBERS = (int, float, numpy.number)


def _simple_power(base: ndarray, exponent: Any) -> Any:
    """Return the function that stands for a power."""
    if not isinstance(exponent, _NUMBERS):
        return None
    return _SIMPLE.get(exponent) if base.dtype.kind in "fc" else None


def _power(self: ndarray, other: Any) -> Any:
    if type(other) not in _OPERANDS:
        if _refuses(other):
            return NotImplemented
        if _answers(self, other):
            return numpy.asarray(self) ** other
    exponent = _exponent(self, other)
    simple = _simple_power(self, exponent)
    return e.power(self, exponent) if simple is None else simple(self)


def _augmented_power(self: ndarray, other: Any) -> Any:
    if type(other) not in _OPERANDS and _refuses(other):
        return NotImplemented
    if is_scalar(self):
        return _power(self, other)
    exponent = _exponent(self, other)
    simple = _simple_power(self, exponent)
    if simple is None:
        return inplace.augment(e.power, self, exponent)
    return overwrite(self, simple(self), by="power")


def _augmented_product(self: ndarray, other: Any) -> Any:
    if type(other) not in _OPERANDS and _refuses(other):
        return NotImplemented
    if not self.ndim or (other.ndim if hasattr(other, "ndim") else numpy.ndim(other)) < 2:
        raise ValueError(
            "inplace matrix multiplication requires the first operand to have at least one and the "
            "second at least two dimensions."
        )
    if numpy.shape(other)[-1] != self.shape[-1]:
        raise ValueError(
            f"matmul: the product of shapes {self.shape} and {numpy.shape(other)} can't be written "
            "to the first; use x = x @ y"
        )
    return inplace.augment(products.matmul, self, other)


ndarray.__pow__, ndarray.__ipow__ = _power, _augmented_power
ndarray.__imatmul__ = _augmented_product
for _name, _operation in _COMPARISONS.items():
    _attach_comparison(_name, _operation)
for _name, _operation in _UNARY.items():
    setattr(ndarray, f"__{_name}__", lambda self, _op=_operation: _op(self))


def _hash(self: ndarray) -> int:
    if not is_scalar(self):
        raise TypeError("unhashable type: 'ndarray'")  # as NumPy's: equality is by element
    return hash(read_value(self).item())


ndarray.__hash__ = _hash

# --- indexing and iteration -----------------------------------------------------------------------


_MAY_BE_TRACED = frozenset([ndarray, tuple])


def _getitem(self: ndarray, index: Any) -> Any:
    if type(index) is not int:
        if type(index) in _MAY_BE_TRACED and indexing.is_traced(index):
            found = indexing.getitem_by_traced(self, index)
            if found is not None:
                return found
        index = inplace.plain_index(index, keep=self._box is not None)
    return indexing.getitem(self, index)


def _delete(self: ndarray, index: Any) -> None:
    raise ValueError("cannot delete array elements")


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
ndarray.__delitem__ = _delete
ndarray.__iter__ = _iterate
ndarray.__len__ = _length
ndarray.__contains__ = lambda self, value: bool(numpy.any(plain(self == value)))

# --- Python numbers -------------------------------------------------------------------------------

for _name in ("__int__", "__bool__", "__index__"):
    setattr(ndarray, _name, lambda self, _name=_name: getattr(read_value(self), _name)())


def _attach_number(name: str) -> None:
    def number(self: ndarray) -> Any:
        value = read_value(self)
        if self._box is not None and is_tracked(self):
            # Somebody may go on to compute with it: math.sin(x), a NumPy array's x[i] = …
            warnings.warn(
                f"{name}() of an array that is being differentiated is a constant, through which "
                "no gradient flows; where that is meant, write x.item()",
                stacklevel=2,
            )
        return getattr(value, f"__{name}__")()

    setattr(ndarray, f"__{name}__", number)


_attach_number("float")
_attach_number("complex")


def _repr(self: ndarray) -> str:
    text = repr(read_value(self))
    if settings.narrows:  # the default dtype goes unsaid, as NumPy leaves out its own
        if self.dtype == settings.float_dtype:
            text = text.replace(f", dtype={self.dtype.name})", ")")
            text = text.replace(f",\n      dtype={self.dtype.name})", ")")
        elif self.dtype == numpy.float64 and "dtype=" not in text:
            text = f"{text[:-1]}, dtype=float64)"
    return text if self.context.on_host else f"{text[:-1]}, ctx={self.context!r})"


def _format(self: ndarray, spec: str) -> str:
    value = read_value(self)
    return format(value if value.ndim else value.item(), spec)


ndarray.__repr__ = _repr
ndarray.__str__ = lambda self: str(read_value(self))
ndarray.__format__ = _format

# --- methods --------------------------------------------------------------------------------------

# Methods that are the function with the array as first argument.
_METHODS = {
    "all": reductions.all,
    "any": reductions.any,
    "argmax": reductions.argmax,
    "argmin": reductions.argmin,
    "argpartition": sorting.argpartition,
    "argsort": sorting.argsort,
    "as_in_context": as_in_context,
    "choose": indexing.choose,
    "cumprod": reductions.cumprod,
    "cumsum": reductions.cumsum,
    "diagonal": shaping.diagonal,
    "dot": products.dot,
    "max": reductions.max,
    "mean": reductions.mean,
    "min": reductions.min,
    "nonzero": indexing.nonzero,
    "prod": reductions.prod,
    "ptp": reductions.ptp,
    "ravel": shaping.ravel,
    "repeat": shaping.repeat,
    "round": e.round,
    "searchsorted": sorting.searchsorted,
    "squeeze": shaping.squeeze,
    "std": reductions.std,
    "sum": reductions.sum,
    "swapaxes": shaping.swapaxes,
    "take": indexing.take,
    "trace": shaping.trace,
    "var": reductions.var,
}


def _attach_method(name: str, function: Any) -> None:
    def method(self: ndarray, *args: Any, **kwargs: Any) -> Any:
        return function(self, *args, **kwargs)

    method.__name__, method.__qualname__ = name, f"ndarray.{name}"
    method.__doc__ = f"Return ``{name}`` of the array; see `minpy.numpy.{name}`."
    method.__wrapped__ = function  # whose parameters it has, for `inspect` and `help`
    setattr(ndarray, name, method)


for _name, _function in _METHODS.items():
    _attach_method(_name, _function)


def _a_dtype(dtype: Any) -> numpy.dtype:
    if type(dtype) is ndarray:  # which has an attribute that NumPy would take
        raise TypeError("Cannot construct a dtype from an array")
    return numpy.dtype(dtype)


def _an_axis(axis: Any) -> Any:
    """Return the axis of a method that works in place, and so can't flatten the array."""
    if axis is None:
        raise TypeError("'NoneType' object cannot be interpreted as an integer")
    return axis


def _refuse_tracked(x: ndarray, by: str) -> None:
    if is_tracked(x):
        raise DifferentiationError(
            f"{by}: the bytes of an array taken for another dtype have no derivative; "
            "use astype to convert its values"
        )


_bytes_as = Primitive("view", lambda x, dtype: x.view(dtype), arrays=1, is_view=True)


def _as_scalar(made: ndarray) -> ndarray:
    made._scalar = True  # a copy of NumPy's scalar is one: a value, and a key
    return made


class _Methods:
    """Methods whose arguments differ from those of the function; their names are the class's."""

    def astype(
        self: ndarray,
        dtype: Any,
        order: str = "K",
        casting: str = "unsafe",
        subok: bool = True,
        copy: bool = True,
    ) -> ndarray:
        """Return the array with another element type."""
        dtype = _a_dtype(dtype)
        if dtype.hasobject:  # minpy has no arrays of Python objects: such stay NumPy's
            return numpy.asarray(self).astype(dtype, order, casting)
        if dtype == self.dtype and not copy:
            return self
        if casting != "unsafe" and not numpy.can_cast(
            self.dtype if self.ndim else numpy_value(self), dtype, casting
        ):
            raise TypeError(
                f"Cannot cast array data from {self.dtype!r} to {dtype!r} according to "
                f"the rule {casting!r}"
            )
        made = e.astype(self, dtype) if order == "K" else e.astype(self, dtype, order=order)
        return _as_scalar(made) if is_scalar(self) else made

    def byteswap(self: ndarray, inplace: bool = False) -> ndarray:
        """Return the array with the bytes of each element in the other order."""
        _refuse_tracked(self, "byteswap")
        swapped = as_ndarray(read_value(self).byteswap())
        return overwrite(self, swapped) if inplace else swapped

    def clip(
        self: ndarray, min: Any = None, max: Any = None, out: Any = None, **kwargs: Any
    ) -> ndarray:
        """Return the array with its values limited."""
        if min is None and max is None:
            raise ValueError("One of max or min must be given")
        return e.clip(self, min, max, out=out, **kwargs)

    def compress(self: ndarray, condition: Any, axis: int | None = None, out: Any = None) -> Any:
        """Return the slices along an axis where a condition holds."""
        return indexing.compress(condition, self, axis, out)

    def conj(self: ndarray, out: Any = None) -> ndarray:
        """Return the complex conjugate: of real numbers, as in NumPy, the array itself."""
        if out is None and self.dtype.kind != "c":
            return self
        return e.conjugate(self, out=out)

    conjugate = conj

    def copy(self: ndarray, order: str = "C") -> ndarray:
        """Return a copy; gradients flow through it."""
        made = _copy(self) if order == "K" else _copy(self, order=order)
        return _as_scalar(made) if is_scalar(self) else made

    def dump(self: ndarray, file: Any) -> None:
        """Write the array to a file by pickle."""
        with open(file, "wb") if isinstance(file, str | os.PathLike) else nullcontext(file) as f:
            pickle.dump(self, f, protocol=2)

    def dumps(self: ndarray) -> bytes:
        """Return the array's pickle."""
        return pickle.dumps(self, protocol=2)

    def fill(self: ndarray, value: Any) -> None:
        """Set every element to a value."""
        if not (type(value) is ndarray and is_tracked(value)):
            numpy.empty((), self.dtype).fill(plain(value))  # NumPy's error for what is no number
        inplace.assign(self, Ellipsis, value)

    def flatten(self: ndarray, order: str = "C") -> ndarray:
        """Return a one-dimensional copy."""
        flat = shaping.ravel(self) if order == "C" else shaping.ravel(self, order=order)
        return _copy(flat)

    def getfield(self: ndarray, dtype: Any, offset: int = 0) -> ndarray:
        """Return the bytes of each element from an offset on, as another dtype; a copy."""
        _refuse_tracked(self, "getfield")
        return as_ndarray(read_value(self).getfield(_a_dtype(dtype), offset).copy())

    def item(self: ndarray, *args: Any) -> Any:
        """Return one element as a Python number."""
        return read_value(self).item(*args)

    def itemset(self: ndarray, *args: Any) -> None:
        """Set one element: the last argument is the value, those before it the place."""
        *place, value = args
        if not place and self.size != 1:
            raise ValueError("can only convert an array of size 1 to a Python scalar")
        index = tuple(place[0]) if len(place) == 1 and isinstance(place[0], tuple) else tuple(place)
        if len(index) not in (0, 1, self.ndim):
            raise ValueError("incorrect number of indices for array")
        if len(index) == 1:
            if not -self.size <= index[0] < self.size:
                raise IndexError(f"index {index[0]} is out of bounds for size {self.size}")
            index = numpy.unravel_index(index[0] % self.size, self.shape)
        inplace.assign(self, tuple(int(i) for i in index) if self.ndim else (), value)

    def newbyteorder(self: ndarray, new_order: str = "S", /) -> ndarray:
        """Return a view that reads the bytes of each element in another order."""
        return self.view(self.dtype.newbyteorder(new_order))

    def partition(
        self: ndarray, kth: Any, axis: int = -1, kind: str = "introselect", order: Any = None
    ) -> None:
        """Put the kth element into its sorted place, in place."""
        inplace.overwrite(self, sorting.partition(self, kth, _an_axis(axis), kind, order))

    def put(self: ndarray, indices: Any, values: Any, mode: str = "raise") -> None:
        """Set elements by place in the flattened array."""
        indexing.put(self, indices, values, mode)

    def reshape(self: ndarray, *shape: Any, order: str = "C") -> ndarray:
        """Return the array with another shape; a view where NumPy makes one."""
        if not shape:
            raise TypeError("reshape() takes exactly 1 argument (0 given)")
        new = shape[0] if len(shape) == 1 else shape
        if order == "C":
            return shaping.reshape(self, new)
        return shaping.reshape(self, new, order=order)

    def resize(self: ndarray, *shape: Any, refcheck: bool = True) -> None:
        """Change shape and size in place: elements keep their place in memory, new ones are zero.

        As in NumPy the array must have its memory to itself. With ``refcheck=False`` views of it
        keep the memory that it had.
        """
        if not isinstance(refcheck, int):
            raise TypeError(f"resize: expected refcheck True or False, got {refcheck!r}")
        value = None if is_tracked(self) or is_captured(self) else self._np
        if value is None:
            raise ValueError(
                "cannot resize an array on a device or one that a derivative needs; use "
                "np.resize(x, shape), which repeats the elements, or np.pad"
            )
        resized = value.copy(order="K")
        resized.resize(*plain(shape), refcheck=False)  # NumPy says what is wrong with the shape
        if resized.size == value.size:
            self.shape = resized.shape
            return
        owner = value if value.base is None else value.base  # or a view of all, laid out otherwise
        whole = getattr(owner, "size", -1) == value.size and owner.base is None
        if self._view is not None or not whole:
            raise ValueError("cannot resize this array: it does not own its data")
        # `owner`, the call itself, and `value` or its base know the memory; others are views.
        if refcheck and sys.getrefcount(owner) > (4 if owner is value else 3):
            raise ValueError(
                "cannot resize an array that references or is referenced by another array in this "
                "way; use np.resize(x, shape), or refcheck=False"
            )
        self._np, self._nd = resized, None
        self._generation += 1
        self._laid_out = self._resized = self._generation

    def setfield(self: ndarray, val: Any, dtype: Any, offset: int = 0) -> None:
        """Set the bytes of each element from an offset on to those of values of another dtype."""
        _refuse_tracked(self, "setfield")
        value = read_value(self).copy()
        value.setfield(plain(val), _a_dtype(dtype), offset)
        overwrite(self, as_ndarray(value))

    def setflags(
        self: ndarray, write: bool | None = None, align: bool | None = None, uic: bool | None = None
    ) -> None:
        """Allow or forbid writing to the array."""
        if self._np is None:
            raise ValueError(f"setflags: writing to an array on {self.context} can't be forbidden")
        read_value(self).setflags(write, align, uic)

    def sort(self: ndarray, axis: int = -1, kind: Any = None, order: Any = None) -> None:
        """Sort the array in place."""
        inplace.overwrite(self, sorting.sort(self, _an_axis(axis), kind, order))

    def tobytes(self: ndarray, order: str = "C") -> bytes:
        """Return the elements' bytes."""
        return read_value(self).tobytes(order)

    def tostring(self: ndarray, order: str = "C") -> bytes:
        """Return the elements' bytes: an old name of `tobytes`."""
        return self.tobytes(order)

    def tofile(self: ndarray, fid: Any, sep: str = "", format: str = "%s") -> None:
        """Write the elements to a file, as text or binary."""
        read_value(self).tofile(fid, sep, format)

    def to_numpy(self: ndarray) -> numpy.ndarray:
        """Return the array as NumPy's, over the same memory: the name that other libraries ask."""
        return numpy.asarray(self)

    def tolist(self: ndarray) -> Any:
        """Return the elements as nested lists of Python numbers."""
        return read_value(self).tolist()

    def transpose(self: ndarray, *axes: Any) -> ndarray:
        """Return a view with the axes in another order."""
        if not axes or (len(axes) == 1 and axes[0] is None):
            return shaping.transpose(self)
        return shaping.transpose(self, axes[0] if len(axes) == 1 else axes)

    def view(self: ndarray, dtype: Any = None, type: Any = None) -> Any:
        """Return an array over the same memory, which may take its bytes for another dtype.

        With a class of NumPy's arrays as ``type``, or in the place of the dtype, it is one of
        those.
        """
        if isinstance(dtype, builtins.type) and issubclass(dtype, ndarray | numpy.ndarray):
            dtype, type = None, dtype
        if type is not None and type is not ndarray:
            given = {} if dtype is None else {"dtype": dtype}
            return numpy.asarray(self).view(type=type, **given)
        if dtype is None or _a_dtype(dtype) == self.dtype:
            return shaping.reshape(self, self.shape)
        _refuse_tracked(self, "view")
        return _bytes_as(self, numpy.dtype(dtype))


for _name, _function in vars(_Methods).items():
    if not _name.startswith("_"):
        _function.__qualname__ = f"ndarray.{_name}"
        setattr(ndarray, _name, _function)


# --- the array API standard -----------------------------------------------------------------------


def _array_namespace(self: ndarray, *, api_version: str | None = None) -> Any:
    """Return `minpy.array_api`, the module with the standard's functions."""
    from minpy import array_api

    if api_version not in (None, "2021.12", "2022.12", array_api.__array_api_version__):
        raise ValueError(f"minpy has version 2023.12 of the array API standard, not {api_version}")
    return array_api


def _to_device(self: ndarray, device: Any, /, *, stream: Any = None) -> ndarray:
    """Return the array on a device: a context, or ``'cpu'``."""
    from minpy.array_api.devices import context_of

    return as_in_context(self, context_of(device))


ndarray.__array_namespace__ = _array_namespace
ndarray.to_device = _to_device
ndarray.__bytes__ = lambda self: self.tobytes()
ndarray.__class_getitem__ = classmethod(types.GenericAlias)
ndarray.__copy__ = lambda self: self.copy("K")
ndarray.__deepcopy__ = lambda self, memo: self.copy("K")

# --- attributes -----------------------------------------------------------------------------------


for _name, _operation in _COMPARISONS.items():
    setattr(
        Flat,
        f"__{_name}__",
        lambda self, other, _op=_operation: _op(shaping.ravel(self.base), other),
    )


def _attribute(doc: str, read: Callable[[ndarray], Any], write: Any = None) -> property:
    return property(read, write, doc=doc)


ndarray.T = _attribute("View with the axes reversed.", shaping.transpose)
ndarray.mT = _attribute(
    "View with the last two axes swapped.", lambda self: shaping.swapaxes(self, -1, -2)
)
ndarray.device = _attribute("The context that the array lies on.", lambda self: self.context)
ndarray.real = _attribute(
    "Real part, a view.", e.real, lambda self, value: inplace.assign(e.real(self), Ellipsis, value)
)
ndarray.imag = _attribute(
    "Imaginary part, a view.",
    e.imag,
    lambda self, value: inplace.assign(e.imag(self), Ellipsis, value),
)
ndarray.flat = _attribute(
    "The elements in C order.",
    Flat,
    lambda self, value: Flat(self).fill(value),
)
ndarray.strides = _attribute(
    "Bytes to step an axis.",
    lambda self: read_value(self).strides,
    lambda self, strides: _lay_out(self, "strides", strides),
)
ndarray.flags = _attribute("Memory layout.", lambda self: read_value(self).flags)
ndarray.data = _attribute("The memory, as a buffer.", lambda self: self.__array__().data)
ndarray.ctypes = _attribute("The memory, for ctypes.", lambda self: read_value(self).ctypes)
ndarray.base = _attribute(
    "The array whose memory this one shares, or None.",
    lambda self: None if self._view is None else self._view.base,
)
