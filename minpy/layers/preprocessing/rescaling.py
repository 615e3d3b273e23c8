"""Numbers brought to another range."""

from __future__ import annotations

from typing import Any

import numpy

from minpy.errors import ShapeError
from minpy.layers.preprocessing.numeric_layer import NumericLayer

__all__ = ["Rescaling"]


def _number_or_list(value: Any, what: str) -> Any:
    values = numpy.asarray(value, "float64")
    if values.ndim > 1 or not values.size:
        raise ValueError(f"Rescaling: expected {what} as a number or one a channel, got {value!r}")
    return values.tolist()


class Rescaling(NumericLayer):
    """Computes ``x * scale + offset``: ``Rescaling(1 / 255)`` brings pixels to 0 … 1.

    Parameters
    ----------
    scale, offset
        Numbers, or lists with one for each element of the last axis.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import Rescaling
    >>> Rescaling(1 / 127.5, offset=-1)(np.array([0., 127.5, 255.]))
    array([-1.,  0.,  1.])
    """

    def __init__(self, scale: Any, offset: Any = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True
        self.scale = _number_or_list(scale, "scale")
        self.offset = _number_or_list(offset, "offset")

    def check_input(self, shape: Any) -> None:
        """Raise `ShapeError` unless there are as many channels as scales and offsets."""
        for values in (self.scale, self.offset):
            if isinstance(values, list) and len(values) not in (1, shape[-1]):
                raise ShapeError(
                    f"Rescaling {self.name!r}: {len(values)} scales or offsets don't fit the last "
                    f"axis of shape {shape}"
                )

    def _setting(self, values: Any) -> Any:
        return numpy.asarray(values, self.dtype) if isinstance(values, list) else values

    def call(self, x: Any) -> Any:
        """Compute the output."""
        if x.dtype.kind != "f":
            x = x.astype(self.dtype)
        return x * self._setting(self.scale) + self._setting(self.offset)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shape of the output."""
        return tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer."""
        return {**super().get_config(), "scale": self.scale, "offset": self.offset}
