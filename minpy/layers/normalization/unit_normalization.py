"""Unit normalization."""

from __future__ import annotations

from typing import Any

from minpy.errors import ShapeError
from minpy.layers.functions.layer_norm import checked_axes, unit_norm
from minpy.layers.layer import Layer

__all__ = ["UnitNormalization"]


class UnitNormalization(Layer):
    """Divides each sample by its length: the root of the sum of its squares is then 1.

    Parameters
    ----------
    axis
        The axes of a sample's numbers; the last one by default.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import UnitNormalization
    >>> UnitNormalization()(np.array([[3., 4.]]))
    array([[0.6, 0.8]])
    """

    _on_floats = True
    supports_masking = True

    def __init__(self, axis: Any = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        several = isinstance(axis, list | tuple) and len(axis) > 0
        if not isinstance(axis, int) and not (several and all(isinstance(a, int) for a in axis)):
            raise TypeError(
                f"UnitNormalization: expected axis to be a number or a list of them, got {axis!r}"
            )
        self.axis = axis if isinstance(axis, int) else list(axis)

    def check_input(self, shape: Any) -> None:
        """Raise `ShapeError` unless the axes are there."""
        who = f"UnitNormalization {self.name!r}"
        if not isinstance(shape, tuple):
            raise ShapeError(f"{who}: expected one input, got shapes {shape}")
        checked_axes(who, self.axis, len(shape))

    def call(self, x: Any) -> Any:
        """Compute the output."""
        return unit_norm(x, self.axis)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shape of the output."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer."""
        return {**super().get_config(), "axis": self.axis}
