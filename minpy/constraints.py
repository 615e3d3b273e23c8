"""What is done to a weight after each step: Keras' constraints; knows no layer or optimizer."""

from __future__ import annotations

from typing import Any

import minpy.numpy as np
from minpy.by_name import NameTable
from minpy.config import epsilon

__all__ = [
    "Constraint",
    "MaxNorm",
    "MinMaxNorm",
    "NonNeg",
    "UnitNorm",
    "deserialize",
    "get",
    "max_norm",
    "min_max_norm",
    "non_neg",
    "serialize",
    "unit_norm",
]


class Constraint:
    """The base of constraints: a function of a weight's value that returns the value allowed.

    A subclass writes ``__call__(w)``, and ``get_config()`` if it takes arguments.
    """

    def __call__(self, w: Any) -> Any:
        """Return the value that the weight may have."""
        raise NotImplementedError(f"{type(self).__name__} has no __call__(w)")

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal constraint."""
        return {}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Constraint:
        """Make a constraint of what `get_config` returned."""
        return cls(**config)


def _norms(w: Any, axis: Any) -> Any:
    axis = tuple(axis) if isinstance(axis, list) else axis
    return np.sqrt(np.sum(np.square(w), axis=axis, keepdims=True))


class NonNeg(Constraint):
    """Sets negative weights to zero.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> NonNeg()(np.array([-1., 2.]))
    array([0., 2.])
    """

    def __call__(self, w: Any) -> Any:
        """Return the weight without its negative part."""
        return np.maximum(w, 0.0)


class MinMaxNorm(Constraint):
    """Moves the norms of a weight's vectors into an interval.

    Parameters
    ----------
    min_value, max_value
        The interval.
    rate
        How much of the way they move in a step, 0 to 1.
    axis
        The axis, or axes, of a vector: 0 for a dense kernel ``(inputs, outputs)``, so that what
        is measured is the vector of one output; ``(1, 2, 3)`` for a 2-D convolution's kernel
        ``(outputs, inputs, height, width)``.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> MinMaxNorm(0., 1.)(np.array([[3.], [4.]]))
    array([[0.6],
           [0.8]])
    """

    def __init__(
        self,
        min_value: float = 0.0,
        max_value: float = 1.0,
        rate: float = 1.0,
        axis: Any = 0,
    ) -> None:
        self.min_value = min_value
        self.max_value = max_value
        self.rate = rate
        self.axis = axis

    def __call__(self, w: Any) -> Any:
        """Return the weight with its norms moved."""
        norms = _norms(w, self.axis)
        desired = np.minimum(np.maximum(norms, self.min_value), self.max_value)
        if self.rate != 1.0:
            desired = self.rate * desired + (1.0 - self.rate) * norms
        return w * (desired / (norms + epsilon()))

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal constraint."""
        return {
            "min_value": self.min_value,
            "max_value": self.max_value,
            "rate": self.rate,
            "axis": _plain(self.axis),
        }


class MaxNorm(MinMaxNorm):
    """Shortens a weight's vectors that are longer than allowed.

    Parameters
    ----------
    max_value
        The longest.
    axis
        As of `MinMaxNorm`.
    """

    def __init__(self, max_value: float = 2, axis: Any = 0) -> None:
        super().__init__(0.0, max_value, axis=axis)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal constraint."""
        return {"max_value": self.max_value, "axis": _plain(self.axis)}


class UnitNorm(Constraint):
    """Gives a weight's vectors the length one.

    Parameters
    ----------
    axis
        As of `MinMaxNorm`.
    """

    def __init__(self, axis: Any = 0) -> None:
        self.axis = axis

    def __call__(self, w: Any) -> Any:
        """Return the weight with its vectors of length one."""
        return w / (_norms(w, self.axis) + epsilon())

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal constraint."""
        return {"axis": _plain(self.axis)}


def _plain(axis: Any) -> Any:
    return list(axis) if isinstance(axis, tuple | list) else axis


_table = NameTable(
    "constraint",
    [MaxNorm, MinMaxNorm, NonNeg, UnitNorm],
    folder="minpy.constraints",
)

get = _table.get
serialize = _table.serialize
deserialize = _table.deserialize

max_norm = MaxNorm
min_max_norm = MinMaxNorm
non_neg = NonNeg
unit_norm = UnitNorm
