"""Flattening of samples."""

from __future__ import annotations

from math import prod
from typing import Any

from minpy.layers.layer import Layer
from minpy.numpy.shaping import transpose

__all__ = ["Flatten"]


class Flatten(Layer):
    """Makes each sample one-dimensional.

    Parameters
    ----------
    data_format
        ``'channels_first'`` moves the channels last before it flattens, as Keras does, so that
        weights fit either layout. By default the elements stay in their order.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import Flatten
    >>> Flatten()(np.zeros((2, 3, 4))).shape
    (2, 12)
    """

    def __init__(self, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.data_format = data_format

    def call(self, x: Any) -> Any:
        """Compute the output."""
        if self.data_format == "channels_first" and x.ndim > 2:
            x = transpose(x, (0, *range(2, x.ndim), 1))
        return x.reshape((x.shape[0], prod(x.shape[1:])))

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shape of the output."""
        rest = input_shape[1:]
        return (input_shape[0], None if None in rest else prod(rest))

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer."""
        return {**super().get_config(), "data_format": self.data_format}
