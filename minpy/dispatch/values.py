"""The classes of minpy 0.3.4's ``minpy.array``, for ``isinstance``; there is one array class now.

>>> import minpy.numpy as np
>>> from minpy.array import Array, Number, Value
>>> isinstance(np.ones(3), Array), isinstance(np.ones(3), Number)
(True, False)
>>> isinstance(np.sum(np.ones(3)), Number), isinstance(np.ones(3), Value)
(True, True)
"""

from __future__ import annotations

from typing import Any

from minpy.array import as_ndarray, ndarray

__all__ = ["Array", "Number", "Value"]

Value = ndarray


class _Kind(type):
    """Tells arrays apart by their number of axes."""

    def __instancecheck__(cls, value: Any) -> bool:
        return type(value) is ndarray and (value.ndim == 0) == cls.without_axes

    def __call__(cls, value: Any, *_: Any) -> ndarray:
        return as_ndarray(value)


class Array(metaclass=_Kind):
    """An array with axes; called, it makes one of anything array-like."""

    without_axes = False


class Number(metaclass=_Kind):
    """An array without axes: 0.3.4 had a class of its own for single numbers."""

    without_axes = True
