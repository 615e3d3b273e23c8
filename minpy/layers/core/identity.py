"""The layer that does nothing."""

from __future__ import annotations

from typing import Any

from minpy.layers.layer import Layer

__all__ = ["Identity"]


class Identity(Layer):
    """Returns its input: holds the place of a layer that isn't needed.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import Identity
    >>> Identity()(np.array([1., 2.]))
    array([1., 2.])
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, inputs: Any) -> Any:
        """Return the input."""
        return inputs

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shape of the output."""
        return input_shape
