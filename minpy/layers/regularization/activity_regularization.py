"""A loss term of activations."""

from __future__ import annotations

from typing import Any

from minpy import regularizers
from minpy.layers.layer import Layer

__all__ = ["ActivityRegularization"]


class ActivityRegularization(Layer):
    """Returns its input, and adds a term to the loss that grows with it.

    Parameters
    ----------
    l1
        Factor of the sum of the absolute values.
    l2
        Factor of the sum of the squares.

    Notes
    -----
    The term is divided by the batch's size.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import ActivityRegularization
    >>> ActivityRegularization(l1=0.1)(np.ones((1, 3)))
    array([[1., 1., 1.]])
    """

    supports_masking = True

    def __init__(self, l1: float = 0.0, l2: float = 0.0, **kwargs: Any) -> None:
        super().__init__(activity_regularizer=regularizers.L1L2(l1, l2), **kwargs)
        self.l1 = float(l1)
        self.l2 = float(l2)

    def call(self, x: Any) -> Any:
        """Return the input."""
        return x

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shape of the output."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer."""
        config = super().get_config()
        del config["activity_regularizer"]
        return {**config, "l1": self.l1, "l2": self.l2}
