"""Initializers without randomness: constants and the identity matrix."""

from __future__ import annotations

from typing import Any

import numpy

from minpy.errors import ShapeError
from minpy.initializers.initializer import Initializer

__all__ = ["Constant", "Identity", "Ones", "Zeros"]


class Zeros(Initializer):
    """Starts a weight at zero.

    Examples
    --------
    >>> Zeros()((2,))
    array([0., 0.], dtype=float32)
    """

    def draw(self, shape: Any, dtype: Any, fans: Any, generator: Any) -> Any:
        """Return zeros."""
        return numpy.zeros(shape, dtype)


class Ones(Initializer):
    """Starts a weight at one.

    Examples
    --------
    >>> Ones()((2,))
    array([1., 1.], dtype=float32)
    """

    def draw(self, shape: Any, dtype: Any, fans: Any, generator: Any) -> Any:
        """Return ones."""
        return numpy.ones(shape, dtype)


class Constant(Initializer):
    """Starts a weight at given values.

    Parameters
    ----------
    value
        A number, or an array of the weight's shape (or one that broadcasts to it).

    Examples
    --------
    >>> Constant(0.5)((2,))
    array([0.5, 0.5], dtype=float32)
    """

    def __init__(self, value: Any = 0.0) -> None:
        self.value = value

    def draw(self, shape: Any, dtype: Any, fans: Any, generator: Any) -> Any:
        """Return the value, repeated where it has fewer axes."""
        value = numpy.asarray(self.value)
        try:
            return numpy.broadcast_to(value, shape).astype(dtype)
        except ValueError:
            raise ShapeError(
                f"Constant: a value of shape {value.shape} doesn't fit a weight of shape {shape}"
            ) from None

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal initializer."""
        value = self.value
        return {"value": value if isinstance(value, int | float) else numpy.asarray(value).tolist()}


class Identity(Initializer):
    """Starts a matrix at a multiple of the identity.

    Parameters
    ----------
    gain
        The factor.

    Examples
    --------
    >>> Identity(2.)((2, 3))
    array([[2., 0., 0.],
           [0., 2., 0.]], dtype=float32)
    """

    def __init__(self, gain: float = 1.0) -> None:
        self.gain = gain

    def draw(self, shape: Any, dtype: Any, fans: Any, generator: Any) -> Any:
        """Return the matrix."""
        if len(shape) != 2:
            raise ShapeError(f"Identity: expected a matrix (two axes), got shape {shape}")
        return self.gain * numpy.eye(*shape, dtype=dtype)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal initializer."""
        return {"gain": self.gain}
