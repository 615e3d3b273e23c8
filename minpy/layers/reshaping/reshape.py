"""Reshaping of samples."""

from __future__ import annotations

from math import prod
from typing import Any

from minpy.errors import ShapeError
from minpy.layers.layer import Layer

__all__ = ["Reshape"]


class Reshape(Layer):
    """Gives each sample another shape.

    Parameters
    ----------
    target_shape
        Shape of a sample, without the batch axis; one length may be -1.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import Reshape
    >>> Reshape((3, -1))(np.zeros((2, 12))).shape
    (2, 3, 4)
    """

    def __init__(self, target_shape: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.target_shape = tuple(int(n) for n in target_shape)
        if self.target_shape.count(-1) > 1 or any(n < -1 for n in self.target_shape):
            raise ValueError(
                f"Reshape: expected lengths, at most one of them -1, got {self.target_shape}"
            )

    def call(self, x: Any) -> Any:
        """Compute the output."""
        return x.reshape(self.compute_output_shape(x.shape))

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shape of the output."""
        size = None if None in input_shape[1:] else prod(input_shape[1:])
        known = prod(n for n in self.target_shape if n != -1)
        fits = size is None or (
            size == known if -1 not in self.target_shape else known and size % known == 0
        )
        if not fits:
            raise ShapeError(
                f"Reshape {self.name!r}: a sample of shape {tuple(input_shape[1:])} ({size} "
                f"elements) can't become {self.target_shape}"
            )
        rest = (None if size is None else size // known) if -1 in self.target_shape else None
        return (input_shape[0], *(rest if n == -1 else n for n in self.target_shape))

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer."""
        return {**super().get_config(), "target_shape": list(self.target_shape)}
