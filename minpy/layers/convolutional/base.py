"""What convolutional layers of any rank share: their settings and checks; computes nothing."""

from __future__ import annotations

from typing import Any

from minpy.errors import ShapeError
from minpy.layers.functions.windows import one_per_axis
from minpy.layers.images import data_format_of, expect_images, one_of
from minpy.layers.weighted import KernelLayer

__all__ = ["ConvolutionalLayer", "positive"]


def positive(value: Any, what: str) -> int:
    """Return a setting that must be a positive integer."""
    if not isinstance(value, int) or isinstance(value, bool) or value <= 0:
        raise ValueError(f"{what}: expected a positive integer, got {value!r}")
    return value


class ConvolutionalLayer(KernelLayer):
    """A layer whose kernel is a window with `rank` axes that moves over its input."""

    _on_floats = True
    rank: int
    _paddings: tuple[str, ...] = ("valid", "same")

    def __init__(
        self,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Any = 1,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        kind = type(self).__name__
        self.kernel_size = one_per_axis(kernel_size, self.rank, f"{kind}: kernel_size")
        self.strides = one_per_axis(strides, self.rank, f"{kind}: strides")
        self.padding = one_of(padding, self._paddings, f"{kind}: padding")
        self.data_format = data_format_of(data_format, kind, self.rank)
        self.dilation_rate = one_per_axis(dilation_rate, self.rank, f"{kind}: dilation_rate")

    def check_input(self, shape: Any) -> None:
        """Raise `ShapeError` unless the input is a batch that the window fits into."""
        expect_images(self, shape)
        if self._channels(shape) is None:
            raise ShapeError(
                f"{type(self).__name__} {self.name!r}: expected a known number of channels, "
                f"got {shape}"
            )
        self.compute_output_shape(shape)

    def _channels(self, shape: Any) -> int:
        return shape[1] if self.data_format == "channels_first" else shape[-1]

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer."""
        return {
            **super().get_config(),
            "kernel_size": list(self.kernel_size),
            "strides": list(self.strides),
            "padding": self.padding,
            "data_format": self.data_format,
            "dilation_rate": list(self.dilation_rate),
        }
