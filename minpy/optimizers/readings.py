"""Numbers of an optimizer that can be written too, as Keras' variables; knows no buffers.

``optimizer.learning_rate`` is a float that also says ``numpy()`` and takes ``assign(0.1)``.
"""

from __future__ import annotations

from typing import Any

import numpy

__all__ = ["Count", "Rate"]


class _Reading:
    """What both have: the number as it was read, and where to write another."""

    _dtype: Any = None
    _owner: Any = None
    _attribute: str = ""

    def numpy(self) -> Any:
        """Return the number as NumPy's scalar, as it is now."""
        return self._dtype(getattr(self._owner, self._attribute))

    @property
    def value(self) -> Any:
        """The number as NumPy's scalar, as it is now."""
        return self.numpy()

    @property
    def shape(self) -> tuple[int, ...]:
        """That of a scalar, ``()``."""
        return ()

    @property
    def dtype(self) -> numpy.dtype:
        """Element type of `value`."""
        return numpy.dtype(self._dtype)

    def assign(self, value: Any) -> None:
        """Set the number: ``optimizer.learning_rate.assign(0.1)``."""
        setattr(self._owner, self._attribute, value)

    def assign_add(self, value: Any) -> None:
        """Add to the number."""
        self.assign(self.numpy() + value)

    def assign_sub(self, value: Any) -> None:
        """Subtract from the number."""
        self.assign(self.numpy() - value)


class Rate(_Reading, float):
    """A learning rate.

    Examples
    --------
    >>> from minpy.optimizers import SGD
    >>> optimizer = SGD(0.5)
    >>> optimizer.learning_rate.assign(0.25)
    >>> optimizer.learning_rate, optimizer.learning_rate.numpy() == 0.25
    (0.25, True)
    """

    _dtype = numpy.float64
    _attribute = "learning_rate"

    def __new__(cls, value: float, owner: Any) -> Rate:
        """Read `value`, which `owner` has."""
        made = super().__new__(cls, value)
        made._owner = owner
        return made

    def __reduce__(self) -> tuple:  # a copy is a number, and belongs to nobody
        return float, (float(self),)


class Count(_Reading, int):
    """Steps done."""

    _dtype = numpy.int64
    _attribute = "iterations"

    def __new__(cls, value: int, owner: Any) -> Count:
        """Read `value`, which `owner` has."""
        made = super().__new__(cls, value)
        made._owner = owner
        return made

    def __reduce__(self) -> tuple:
        return int, (int(self),)
