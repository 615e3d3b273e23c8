"""Masking: time steps whose features all have one value are left out by the layers behind."""

from __future__ import annotations

from typing import Any

from minpy.errors import ShapeError
from minpy.layers.layer import Layer
from minpy.numpy.elementwise import where
from minpy.numpy.reductions import max as maximum_of
from minpy.numpy.shaping import expand_dims

__all__ = ["Masking"]


class Masking(Layer):
    """Marks time steps to be left out: those in which every feature is `mask_value`.

    Parameters
    ----------
    mask_value
        What padding is filled with.

    Notes
    -----
    Input ``(batch, time, features)``; what is left out comes out as 0.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import LSTM, Masking
    >>> x = np.array([[[1.], [2.], [-1.]]])
    >>> Masking(-1.)(x).tolist()
    [[[1.0], [2.0], [0.0]]]
    >>> Masking(-1.).compute_mask(x).tolist()
    [[True, True, False]]
    """

    def __init__(self, mask_value: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.mask_value = float(mask_value)
        self.supports_masking = True

    def check_input(self, shape: Any) -> None:
        """Raise `ShapeError` unless there are a batch axis and features."""
        if not isinstance(shape, tuple) or len(shape) < 2:
            raise ShapeError(
                f"Masking {self.name!r}: expected input of shape (batch, time, features), "
                f"got {shape}"
            )

    def call(self, inputs: Any) -> Any:
        """Set to 0 what is left out."""
        return where(expand_dims(self.compute_mask(inputs), -1), inputs, 0.0)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """Return which steps count."""
        different = (inputs != self.mask_value).astype("float32")
        return maximum_of(different, -1) > 0

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shape of the output."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer."""
        return {**super().get_config(), "mask_value": self.mask_value}
