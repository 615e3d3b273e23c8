"""Dropout."""

from __future__ import annotations

from typing import Any

from minpy.layers.functions import dropout
from minpy.layers.layer import Layer

__all__ = ["Dropout"]


class Dropout(Layer):
    """Sets a random part of the input to zero while training, and scales up the rest.

    Parameters
    ----------
    rate
        The part that is set to zero, from 0 to 1 (excluded).

    Notes
    -----
    Inverted dropout (Srivastava et al., 2014): the rest is divided by ``1 - rate``, so nothing
    changes at test time. Which elements go is a function of the seed and the training step.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import Dropout
    >>> Dropout(0.5)(np.ones(3))
    array([1., 1., 1.])
    """

    def __init__(self, rate: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not 0 <= rate < 1:
            raise ValueError(f"Dropout: expected a rate from 0 to below 1, got {rate!r}")
        self.rate = float(rate)

    def call(self, x: Any, training: bool = False) -> Any:
        """Compute the output."""
        return dropout(x, self.rate, mode="train") if training and self.rate else x

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shape of the output."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer."""
        return {**super().get_config(), "rate": self.rate}
