"""Convolution of signals, images and volumes."""

from __future__ import annotations

from math import prod
from typing import Any

from minpy.arguments import also_by_place
from minpy.errors import ShapeError
from minpy.layers.convolutional.base import ConvolutionalLayer, positive
from minpy.layers.functions import conv
from minpy.layers.images import expect_images, from_channels_first, spatial, to_channels_first
from minpy.layers.weighted import KERNEL_ARGUMENTS

__all__ = ["Conv1D", "Conv2D", "Conv3D"]


def _pads(padding: str, window: tuple[int, ...], dilation: tuple[int, ...]) -> Any:
    """Return a layer's padding as `conv` takes it: ``'causal'`` pads before the first step only."""
    if padding != "causal":
        return padding
    return (((window[0] - 1) * dilation[0], 0),)


class _Convolution(ConvolutionalLayer):
    @also_by_place(**KERNEL_ARGUMENTS)
    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Any = 1,
        groups: int = 1,
        activation: Any = None,
        use_bias: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            kernel_size,
            strides,
            padding,
            data_format,
            dilation_rate,
            activation=activation,
            use_bias=use_bias,
            **kwargs,
        )
        kind = type(self).__name__
        self.filters = positive(filters, f"{kind}: filters")
        self.groups = positive(groups, f"{kind}: groups")
        if filters % groups:
            raise ValueError(
                f"{kind}: expected a positive number of filters, a multiple of groups={groups}, "
                f"got {filters!r}"
            )

    def check_input(self, shape: Any) -> None:
        """Raise `ShapeError` unless the window fits in and the channels make equal groups."""
        super().check_input(shape)
        channels = self._channels(shape)
        if channels % self.groups:
            raise ShapeError(
                f"{type(self).__name__} {self.name!r}: {channels} input channels can't be split "
                f"into {self.groups} groups; shape {shape}, {self.data_format}"
            )

    def build(self, input_shape: Any) -> None:
        """Make kernel and bias."""
        each = self._channels(input_shape) // self.groups
        area = prod(self.kernel_size)
        self._make_kernel(
            (self.filters, each, *self.kernel_size),
            (each * area, self.filters * area),
            self.filters,
        )

    def call(self, x: Any) -> Any:
        """Compute the output."""
        expect_images(self, x.shape, self.kernel.shape[1] * self.groups)
        y = conv(
            to_channels_first(x, self.data_format),
            self.kernel,
            self.bias,
            self.strides,
            _pads(self.padding, self.kernel_size, self.dilation_rate),
            self.dilation_rate,
            self.groups,
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
        return {**super().get_config(), "filters": self.filters, "groups": self.groups}


class Conv1D(_Convolution):
    """One-dimensional convolution of signals and sequences.

    Parameters
    ----------
    filters, strides, dilation_rate, groups, activation, use_bias, …
        As in `Conv2D`.
    kernel_size
        Length of the kernel.
    data_format
        ``'channels_last'`` (batch, steps, channels), the default of all one-dimensional layers,
        whatever that of images is: sequences come so from `Embedding` and `LSTM` too. Or
        ``'channels_first'`` (batch, channels, steps).
    padding
        ``'valid'``, ``'same'``, or ``'causal'``: all before the first step, so that no output
        depends on later steps (van den Oord et al., "WaveNet", 2016).

    Notes
    -----
    The kernel is ``(filters, channels / groups, kernel_size)`` in either data format.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import Conv1D
    >>> Conv1D(8, 3, padding='causal')(np.zeros((2, 20, 4))).shape
    (2, 20, 8)
    """

    rank = 1
    _paddings = ("valid", "same", "causal")


class Conv2D(_Convolution):
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

    rank = 2


class Conv3D(_Convolution):
    """Three-dimensional convolution of volumes, or of images over time.

    Parameters
    ----------
    filters, kernel_size, strides, padding, data_format, dilation_rate, groups, activation, …
        As in `Conv2D`, with three axes: depth, height and width.

    Notes
    -----
    The kernel is ``(filters, channels / groups, depth, height, width)`` in either data format.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import Conv3D
    >>> Conv3D(8, 3, strides=2)(np.zeros((2, 1, 9, 9, 9))).shape
    (2, 8, 4, 4, 4)
    """

    rank = 3
