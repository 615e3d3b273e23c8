"""MXNet kernels of a common shape, and the arguments for which MXNet can be trusted.

Each runs on NDArrays and on Symbols. MXNet has rules of its own for integers, unlike dtypes and
some corner cases: those are left to NumPy by raising `minpy.runtime.Unsupported`.

It must not know any operation's derivative.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy

from minpy.config import settings
from minpy.runtime import Unsupported

__all__ = [
    "NUMBER",
    "binary",
    "comparison",
    "exp2",
    "inverted",
    "keeps_dtype",
    "logical",
    "logical_not",
    "reduction",
    "require_floats",
    "scaling",
    "tanh",
    "unary",
]

NUMBER = bool | int | float | numpy.generic

_FLOATS = frozenset(["float16", "float32", "float64"])
_INTEGERS = frozenset(["int32", "int64"])

Kernel = Callable[..., Any]


def require_floats(op: str, *arrays: Any) -> None:
    """Raise `Unsupported` unless all are arrays of floats of one dtype."""
    dtypes = {numpy.dtype(getattr(a, "dtype", "object")).name for a in arrays}
    if len(dtypes) > 1 or not dtypes <= _FLOATS:
        raise Unsupported(f"{op} takes floats of one dtype, got {', '.join(sorted(dtypes))}")


def _require_no_options(op: str, options: dict[str, Any]) -> None:
    if options:
        raise Unsupported(f"{op} takes no {', '.join(options)}")


def unary(op: str) -> Kernel:
    """Make the kernel of an operator of one array."""

    def kernel(F: Any, x: Any, **options: Any) -> Any:
        _require_no_options(op, options)
        require_floats(op, x)
        return F(op, x)

    return kernel


def tanh(F: Any, x: Any, **options: Any) -> Any:
    """Return the kernel's result from oneDNN where it can: 0.15 ms a million, `_npi_tanh` 12.5."""
    if options or numpy.dtype(x.dtype) != numpy.float32 or 0 in x.shape or not x.shape:
        return unary("_npi_tanh")(F, x, **options)
    return F("Activation", x, act_type="tanh")


def exp2(F: Any, x: Any, **options: Any) -> Any:
    """Return the kernel's result: a power of two."""
    _require_no_options("exp2", options)
    require_floats("exp2", x)
    return F("_npi_rpower_scalar", x, scalar=2.0, is_int=False)


def scaling(factor: float) -> Kernel:
    """Make the kernel of a product with a number."""

    def kernel(F: Any, x: Any, **options: Any) -> Any:
        _require_no_options("_npi_multiply_scalar", options)
        require_floats("_npi_multiply_scalar", x)
        return F("_npi_multiply_scalar", x, scalar=factor, is_int=False)

    return kernel


def binary(op: str, scalar: str | None = None, reflected: str | None = None) -> Kernel:
    """Make the kernel of an operator of two arrays, or of an array and a number on either side.

    Parameters
    ----------
    op
        The operator for two arrays.
    scalar
        The one for a number on the right, ``op + '_scalar'`` by default; ``''`` if there is none.
    reflected
        The one for a number on the left; by default that for a number on the right.
    """
    scalar = f"{op}_scalar" if scalar is None else scalar
    reflected = reflected or scalar

    def kernel(F: Any, x: Any, y: Any, **options: Any) -> Any:
        _require_no_options(op, options)
        for name, array, number in ((scalar, x, y), (reflected, y, x)):
            if isinstance(number, NUMBER):
                require_floats(op, array)
                if not name or not keeps_dtype(array, number):
                    raise Unsupported(f"{op} takes no number {number!r} here")
                # As text: the attributes are kept, and -0.0 is equal to 0.0.
                return F(name, array, scalar=repr(float(number)), is_int=isinstance(number, int))
        if _is_bool(x) != _is_bool(y):  # as a mask, 0 or 1
            mask, other = (x, y) if _is_bool(x) else (y, x)
            require_floats(op, other)
            mask = F("Cast", mask, dtype=numpy.dtype(other.dtype).name)
            return F(op, mask, y) if _is_bool(x) else F(op, x, mask)
        require_floats(op, x, y)
        return F(op, x, y)

    return kernel


def comparison(op: str, reflected: str | None = None) -> Kernel:
    """Make the kernel of a comparison: of floats, and of integers of one dtype or with a number.

    Parameters
    ----------
    op, reflected
        As of `binary`.
    """
    of_floats = binary(op, reflected=reflected)
    scalars = (f"{op}_scalar", reflected or f"{op}_scalar")

    def kernel(F: Any, x: Any, y: Any, **options: Any) -> Any:
        arrays = [a for a in (x, y) if not isinstance(a, NUMBER)]
        dtypes = {numpy.dtype(getattr(a, "dtype", "object")).name for a in arrays}
        if options or not dtypes <= _INTEGERS:
            return of_floats(F, x, y, **options)
        for name, array, number in zip(scalars, (x, y), (y, x), strict=True):
            if type(number) is int and abs(number) < 2**31:
                return F(name, array, scalar=repr(float(number)), is_int=True)
        if len(dtypes) > 1 or isinstance(x, NUMBER) or isinstance(y, NUMBER):
            return of_floats(F, x, y)  # which says what it takes
        return F(op, x, y)

    return kernel


def _is_bool(x: Any) -> bool:
    return numpy.dtype(getattr(x, "dtype", "object")) == bool


def logical(op: str, of_floats: bool) -> Kernel:
    """Make the kernel of a logical operator of two arrays.

    Parameters
    ----------
    op
        MXNet's operator for two arrays of booleans.
    of_floats
        Whether floats are taken too, for true where they aren't zero.
    """

    def kernel(F: Any, x: Any, y: Any, **options: Any) -> Any:
        _require_no_options(op, options)
        given = []
        for operand in (x, y):
            if isinstance(operand, NUMBER):
                raise Unsupported(f"{op} takes two arrays")
            if not _is_bool(operand):
                if not of_floats:
                    raise Unsupported(f"{op} takes booleans")
                require_floats(op, operand)
                operand = F("_npi_not_equal_scalar", operand, scalar=0.0)
            given.append(operand)
        return F(op, *given)

    return kernel


def logical_not(F: Any, x: Any, **options: Any) -> Any:
    """Return the kernel's result for booleans and floats."""
    _require_no_options("logical_not", options)
    if not _is_bool(x):
        require_floats("logical_not", x)
    return F("_npi_logical_not", x)


def inverted(F: Any, x: Any, **options: Any) -> Any:
    """Return the kernel's result of ``~`` for booleans."""
    if not _is_bool(x):
        raise Unsupported("MXNet inverts booleans only")
    return logical_not(F, x, **options)


def keeps_dtype(array: Any, number: Any) -> bool:
    """Say whether the result with a number has the array's dtype by NumPy's rules and minpy's."""
    dtype = numpy.dtype(array.dtype)
    if isinstance(number, numpy.generic) and number.dtype != dtype:
        return False
    if settings.narrows:
        return True
    stand_in = numpy.empty((1,) * len(array.shape), dtype)
    return numpy.result_type(stand_in, number) == dtype


def reduction(op: str, empty: bool = True) -> Kernel:
    """Make the kernel of a reduction along axes.

    Parameters
    ----------
    op
        The operator.
    empty
        Whether it gives the right result where it reduces nothing.
    """

    def kernel(
        F: Any, x: Any, axis: Any = None, dtype: Any = None, keepdims: Any = False, **options: Any
    ) -> Any:
        _require_no_options(op, options if dtype is None else {"dtype": dtype, **options})
        require_floats(op, x)
        if not empty and 0 in x.shape:
            raise Unsupported(f"{op} takes no empty arrays")
        if axis is not None and not isinstance(axis, int):
            axis = tuple(axis)
        if not x.shape and axis in (0, -1):  # which NumPy takes of a number
            axis = None
        return F(op, x, axis=axis, keepdims=bool(keepdims))

    return kernel
