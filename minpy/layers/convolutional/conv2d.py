"""Two-dimensional convolution."""

from __future__ import annotations

from typing import Any

from minpy.config import image_data_format
from minpy.errors import ShapeError
from minpy.layers.functions import conv
from minpy.layers.images import expect_images, from_channels_first, pair, spatial, to_channels_first
from minpy.layers.weighted import KernelLayer

__all__ = ["Conv2D"]


class Conv2D(KernelLayer):
    """Two-dimensional convolution of images.

    Parameters
    ----------
    filters
        Number of output channels.
    kernel_size
        Height and width of the kernel, or one number for both.
    strides
        Step along height and width.
    padding
        ``'valid'``: none; ``'same'``: as much as keeps the size at stride 1.
    data_format
        ``'channels_first'`` (batch, channels, height, width), what minpy starts with, or
        ``'channels_last'``; see `minpy.config.set_image_data_format`.
    dilation_rate
        Distance between the kernel's elements.
    groups
        Number of groups that the channels are split into.
    activation, use_bias, kernel_initializer, …
        As in `Dense`.

    Notes
    -----
    The kernel is ``(filters, channels / groups, height, width)`` in either data format.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import Conv2D
    >>> Conv2D(8, 3, padding='same')(np.zeros((2, 1, 28, 28))).shape
    (2, 8, 28, 28)
    """

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = (1, 1),
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Any = (1, 1),
        groups: int = 1,
        activation: Any = None,
        use_bias: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(activation=activation, use_bias=use_bias, **kwargs)
        if not isinstance(filters, int) or filters <= 0 or filters % groups:
            raise ValueError(
                f"Conv2D: expected a positive number of filters, a multiple of groups={groups}, "
                f"got {filters!r}"
            )
        if padding not in ("valid", "same"):
            raise ValueError(f"Conv2D: expected padding 'valid' or 'same', got {padding!r}")
        self.filters = filters
        self.kernel_size = pair(kernel_size, "Conv2D: kernel_size")
        self.strides = pair(strides, "Conv2D: strides")
        self.padding = padding
        self.data_format = data_format or image_data_format()
        self.dilation_rate = pair(dilation_rate, "Conv2D: dilation_rate")
        self.groups = groups

    def check_input(self, shape: Any) -> None:
        """Raise `ShapeError` unless the input is a batch of images."""
        expect_images(self, shape)

    def _channels(self, shape: Any) -> int:
        return shape[1] if self.data_format == "channels_first" else shape[-1]

    def build(self, input_shape: Any) -> None:
        """Make kernel and bias."""
        channels = self._channels(input_shape)
        if channels is None or channels % self.groups:
            raise ShapeError(
                f"Conv2D {self.name!r}: {channels} input channels can't be split into "
                f"{self.groups} groups"
            )
        height, width = self.kernel_size
        area = height * width
        self.compute_output_shape(input_shape)
        self._make_kernel(
            (self.filters, channels // self.groups, height, width),
            (channels // self.groups * area, self.filters // self.groups * area),
            self.filters,
        )

    def call(self, x: Any) -> Any:
        """Compute the output."""
        expect_images(self, x.shape, self.kernel.shape[1] * self.groups)
        x = to_channels_first(x, self.data_format)
        y = conv(
            x, self.kernel, self.bias, self.strides, self.padding, self.dilation_rate, self.groups
        )
        return from_channels_first(self._finish(y), self.data_format)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shape of the output."""
        return spatial(
            self,
            input_shape,
            self.kernel_size,
            self.strides,
            self.padding,
            self.dilation_rate,
            self.filters,
        )

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer."""
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_size": list(self.kernel_size),
            "strides": list(self.strides),
            "padding": self.padding,
            "data_format": self.data_format,
            "dilation_rate": list(self.dilation_rate),
            "groups": self.groups,
        }
