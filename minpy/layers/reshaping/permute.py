"""Reordering of a sample's axes."""

from __future__ import annotations

from typing import Any

from minpy.errors import ShapeError
from minpy.layers.layer import Layer
from minpy.numpy.shaping import transpose

__all__ = ["Permute"]


class Permute(Layer):
    """Puts the axes of each sample in another order.

    Parameters
    ----------
    dims
        The axes in their new order, counted from 1: the batch axis stays and isn't counted.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import Permute
    >>> Permute((2, 1))(np.zeros((5, 10, 64))).shape
    (5, 64, 10)
    """

    def __init__(self, dims: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.dims = tuple(int(d) for d in dims)
        if sorted(self.dims) != list(range(1, len(self.dims) + 1)):
            raise ValueError(
                f"Permute: expected each axis from 1 to {len(self.dims)} once, got {dims!r}"
            )

    def check_input(self, shape: Any) -> None:
        """Raise `ShapeError` unless a sample has as many axes as are named."""
        if not isinstance(shape, tuple) or len(shape) != len(self.dims) + 1:
            raise ShapeError(
                f"Permute {self.name!r}: expected samples with {len(self.dims)} axes for "
                f"dims={self.dims}, got input of shape {shape}"
            )

    def call(self, x: Any) -> Any:
        """Compute the output."""
        self.check_input(x.shape)
        return transpose(x, (0, *self.dims))

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shape of the output."""
        self.check_input(tuple(input_shape))
        return (input_shape[0], *(input_shape[d] for d in self.dims))

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer."""
        return {**super().get_config(), "dims": list(self.dims)}
