"""A vector repeated as a sequence."""

from __future__ import annotations

from typing import Any

import numpy

from minpy.layers.layer import Layer, expect_axes
from minpy.numpy.broadcasting import broadcast_to

__all__ = ["RepeatVector"]


class RepeatVector(Layer):
    """Repeats each sample, a vector, as all steps of a sequence.

    Parameters
    ----------
    n
        Number of steps.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import RepeatVector
    >>> RepeatVector(2)(np.array([[1., 2.]]))
    array([[[1., 2.],
            [1., 2.]]])
    """

    def __init__(self, n: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not isinstance(n, int | numpy.integer) or isinstance(n, bool):
            raise TypeError(f"RepeatVector: expected an integer number of steps, got {n!r}")
        if n < 1:
            raise ValueError(f"RepeatVector: expected a positive number of steps, got {n!r}")
        self.n = int(n)

    def check_input(self, shape: Any) -> None:
        """Raise `ShapeError` unless the input is a batch of vectors."""
        expect_axes(self, shape, 2, "(batch, features)")

    def call(self, x: Any) -> Any:
        """Compute the output."""
        self.check_input(x.shape)
        batch, features = x.shape
        return broadcast_to(x.reshape((batch, 1, features)), (batch, self.n, features))

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shape of the output."""
        return (input_shape[0], self.n, input_shape[1])

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer."""
        return {**super().get_config(), "n": self.n}
