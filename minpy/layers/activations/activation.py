"""Activation functions as layers."""

from __future__ import annotations

from typing import Any

from minpy import activations
from minpy.layers.functions import relu, softmax
from minpy.layers.layer import Layer

__all__ = ["Activation", "ReLU", "Softmax"]


class _Elementwise(Layer):
    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shape of the output."""
        return input_shape


class Activation(_Elementwise):
    """Applies an activation function.

    Parameters
    ----------
    activation
        Its name, or a function of an array.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import Activation
    >>> Activation('relu')(np.array([-1., 2.]))
    array([0., 2.])
    """

    def __init__(self, activation: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.activation = activations.get(activation)

    def call(self, x: Any) -> Any:
        """Compute the output."""
        return self.activation(x)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer."""
        return {**super().get_config(), "activation": activations.serialize(self.activation)}


class ReLU(_Elementwise):
    """Rectified linear unit, with Keras' three variations.

    Parameters
    ----------
    max_value
        Upper limit; None for none.
    negative_slope
        Slope below the threshold.
    threshold
        Below it the unit is off.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import ReLU
    >>> ReLU(max_value=6)(np.array([-1., 2., 9.]))
    array([0., 2., 6.])
    """

    def __init__(
        self,
        max_value: float | None = None,
        negative_slope: float = 0.0,
        threshold: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if max_value is not None and max_value < 0:
            raise ValueError(f"ReLU: expected max_value from 0, got {max_value!r}")
        if negative_slope < 0:
            raise ValueError(f"ReLU: expected negative_slope from 0, got {negative_slope!r}")
        self.max_value = max_value
        self.negative_slope = negative_slope
        self.threshold = threshold

    def call(self, x: Any) -> Any:
        """Compute the output."""
        from minpy.numpy.elementwise import minimum, where

        if not self.threshold and not self.negative_slope:
            y = relu(x)
        else:
            below = (x - self.threshold) * self.negative_slope
            y = where(x >= self.threshold, x, below)
        return y if self.max_value is None else minimum(y, self.max_value)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer."""
        return {
            **super().get_config(),
            "max_value": self.max_value,
            "negative_slope": self.negative_slope,
            "threshold": self.threshold,
        }


class Softmax(_Elementwise):
    """Softmax along an axis.

    Parameters
    ----------
    axis
        Along which the outputs sum to 1.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import Softmax
    >>> Softmax()(np.array([[0., 0.]]))
    array([[0.5, 0.5]])
    """

    def __init__(self, axis: int = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axis = axis

    def call(self, x: Any) -> Any:
        """Compute the output."""
        return softmax(x, self.axis)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer."""
        return {**super().get_config(), "axis": self.axis}
