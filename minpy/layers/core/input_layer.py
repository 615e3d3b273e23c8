"""The declaration of a model's input."""

from __future__ import annotations

from typing import Any

from minpy.layers.layer import Layer

__all__ = ["Input", "InputLayer"]


class InputLayer(Layer):
    """Declares the shape of a model's input, so that its weights exist before any data.

    Parameters
    ----------
    shape
        Shape of one sample, without the batch axis.

    Examples
    --------
    >>> from minpy.models import Sequential
    >>> from minpy.layers import Dense, Input
    >>> Sequential([Input((4,)), Dense(2)]).count_params()
    10
    """

    def __init__(self, shape: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.shape = (shape,) if isinstance(shape, int) else tuple(shape)
        self._declared_shape = (None, *self.shape)
        self.built = True

    def call(self, x: Any) -> Any:
        """Return the input."""
        return x

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shape of the input."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer."""
        config = super().get_config()
        config.pop("input_shape", None)
        return {**config, "shape": list(self.shape)}


def Input(shape: Any, **kwargs: Any) -> InputLayer:
    """Declare a model's input; `shape` is that of one sample, without the batch axis."""
    return InputLayer(shape, **kwargs)
