"""Convolutions of each channel by itself: depthwise, and separable with 1×1 kernels behind."""

from __future__ import annotations

from math import prod
from typing import Any

from minpy import constraints, initializers, regularizers
from minpy.layers.convolutional.base import ConvolutionalLayer, positive
from minpy.layers.functions import conv
from minpy.layers.images import expect_images, from_channels_first, spatial, to_channels_first

__all__ = ["DepthwiseConv1D", "DepthwiseConv2D", "SeparableConv1D", "SeparableConv2D"]

_KINDS = ("initializer", "regularizer", "constraint")


class _Depthwise(ConvolutionalLayer):
    def __init__(
        self,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        depth_multiplier: int = 1,
        data_format: str | None = None,
        dilation_rate: Any = 1,
        activation: Any = None,
        use_bias: bool = True,
        depthwise_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        depthwise_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        depthwise_constraint: Any = None,
        bias_constraint: Any = None,
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
            kernel_initializer=depthwise_initializer,
            bias_initializer=bias_initializer,
            kernel_regularizer=depthwise_regularizer,
            bias_regularizer=bias_regularizer,
            activity_regularizer=activity_regularizer,
            kernel_constraint=depthwise_constraint,
            bias_constraint=bias_constraint,
            **kwargs,
        )
        self.depth_multiplier = positive(
            depth_multiplier, f"{type(self).__name__}: depth_multiplier"
        )

    def _depthwise(self, channels: int) -> tuple[tuple[int, ...], tuple[int, int]]:
        """Return the shape of the kernel, and its fan-in and fan-out as Keras counts them."""
        area = prod(self.kernel_size)
        shape = (channels * self.depth_multiplier, 1, *self.kernel_size)
        return shape, (channels * area, self.depth_multiplier * area)

    def build(self, input_shape: Any) -> None:
        """Make kernel and bias."""
        shape, fans = self._depthwise(self._channels(input_shape))
        self._make_kernel(shape, fans, shape[0])

    def call(self, x: Any) -> Any:
        """Compute the output."""
        channels = self.kernel.shape[0] // self.depth_multiplier
        expect_images(self, x.shape, channels)
        y = conv(
            to_channels_first(x, self.data_format),
            self.kernel,
            self.bias,
            self.strides,
            self.padding,
            self.dilation_rate,
            channels,
        )
        return from_channels_first(self._finish(y), self.data_format)

    def _outputs(self, channels: int) -> int:
        return channels * self.depth_multiplier

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shape of the output."""
        return spatial(
            self,
            input_shape,
            self.kernel_size,
            self.strides,
            self.padding,
            self.dilation_rate,
            self._outputs(self._channels(input_shape)),
        )

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer."""
        config = super().get_config()
        for kind in _KINDS:
            config[f"depthwise_{kind}"] = config.pop(f"kernel_{kind}")
        return {**config, "depth_multiplier": self.depth_multiplier}


class DepthwiseConv1D(_Depthwise):
    """One-dimensional convolution of each channel by itself.

    Parameters
    ----------
    kernel_size, strides, padding, depth_multiplier, dilation_rate, activation, …
        As in `DepthwiseConv2D`, with one axis.
    data_format
        As in `Conv1D`.

    Notes
    -----
    The kernel is ``(channels * depth_multiplier, 1, kernel_size)`` in either data format.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import DepthwiseConv1D
    >>> DepthwiseConv1D(3, depth_multiplier=2)(np.zeros((2, 10, 4))).shape
    (2, 8, 8)
    """

    rank = 1


class DepthwiseConv2D(_Depthwise):
    """Two-dimensional convolution of each channel by itself.

    Parameters
    ----------
    kernel_size, strides, padding, data_format, dilation_rate
        As in `Conv2D`.
    depth_multiplier
        Number of outputs of each channel.
    activation, use_bias
        As in `Dense`.
    depthwise_initializer, bias_initializer
        How the weights start.
    depthwise_regularizer, bias_regularizer, activity_regularizer
        Loss terms of the weights and of the output.
    depthwise_constraint, bias_constraint
        What is done to the weights after each step.

    Notes
    -----
    The kernel is ``(channels * depth_multiplier, 1, height, width)`` in either data format; the
    outputs of a channel lie side by side.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import DepthwiseConv2D
    >>> DepthwiseConv2D(3, padding='same', depth_multiplier=2)(np.zeros((2, 4, 9, 9))).shape
    (2, 8, 9, 9)
    """

    rank = 2


class _Separable(_Depthwise):
    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Any = 1,
        depth_multiplier: int = 1,
        activation: Any = None,
        use_bias: bool = True,
        depthwise_initializer: Any = "glorot_uniform",
        pointwise_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        depthwise_regularizer: Any = None,
        pointwise_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        depthwise_constraint: Any = None,
        pointwise_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            kernel_size,
            strides,
            padding,
            depth_multiplier,
            data_format,
            dilation_rate,
            activation,
            use_bias,
            depthwise_initializer,
            bias_initializer,
            depthwise_regularizer,
            bias_regularizer,
            activity_regularizer,
            depthwise_constraint,
            bias_constraint,
            **kwargs,
        )
        self.filters = positive(filters, f"{type(self).__name__}: filters")
        self.pointwise_initializer = initializers.get(pointwise_initializer)
        self.pointwise_regularizer = regularizers.get(pointwise_regularizer)
        self.pointwise_constraint = constraints.get(pointwise_constraint)

    def build(self, input_shape: Any) -> None:
        """Make both kernels and the bias."""
        shape, fans = self._depthwise(self._channels(input_shape))
        self.depthwise_kernel = self.add_weight(
            "depthwise_kernel",
            shape,
            self.kernel_initializer,
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
            fans=fans,
        )
        self.pointwise_kernel = self.add_weight(
            "pointwise_kernel",
            (self.filters, shape[0], *(1,) * self.rank),
            self.pointwise_initializer,
            regularizer=self.pointwise_regularizer,
            constraint=self.pointwise_constraint,
            fans=(shape[0], self.filters),
        )
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight(
                "bias",
                (self.filters,),
                self.bias_initializer,
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
            )

    def call(self, x: Any) -> Any:
        """Compute the output."""
        channels = self.depthwise_kernel.shape[0] // self.depth_multiplier
        expect_images(self, x.shape, channels)
        each = conv(
            to_channels_first(x, self.data_format),
            self.depthwise_kernel,
            None,
            self.strides,
            self.padding,
            self.dilation_rate,
            channels,
        )
        y = conv(each, self.pointwise_kernel, self.bias)
        return from_channels_first(self._finish(y), self.data_format)

    def _outputs(self, channels: int) -> int:
        return self.filters

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer."""
        config = {**super().get_config(), "filters": self.filters}
        for kind, module in zip(_KINDS, (initializers, regularizers, constraints), strict=True):
            value = getattr(self, f"pointwise_{kind}")
            config[f"pointwise_{kind}"] = None if value is None else module.serialize(value)
        return config


class SeparableConv1D(_Separable):
    """One-dimensional convolution of each channel, then across channels with kernels of length 1.

    Parameters
    ----------
    filters, kernel_size, strides, padding, dilation_rate, depth_multiplier, activation, …
        As in `SeparableConv2D`, with one axis.
    data_format
        As in `Conv1D`.

    Notes
    -----
    The kernels are ``(channels * depth_multiplier, 1, kernel_size)`` and
    ``(filters, channels * depth_multiplier, 1)``.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import SeparableConv1D
    >>> SeparableConv1D(6, 3)(np.zeros((2, 10, 4))).shape
    (2, 8, 6)
    """

    rank = 1


class SeparableConv2D(_Separable):
    """Two-dimensional convolution of each channel, then across channels with 1×1 kernels.

    Parameters
    ----------
    filters, kernel_size, strides, padding, data_format, dilation_rate
        As in `Conv2D`.
    depth_multiplier
        Number of outputs of each channel in the first step.
    activation, use_bias
        As in `Dense`.
    depthwise_initializer, pointwise_initializer, bias_initializer
        How the weights start.
    depthwise_regularizer, pointwise_regularizer, bias_regularizer, activity_regularizer
        Loss terms of the weights and of the output.
    depthwise_constraint, pointwise_constraint, bias_constraint
        What is done to the weights after each step.

    Notes
    -----
    The kernels are ``(channels * depth_multiplier, 1, height, width)`` and
    ``(filters, channels * depth_multiplier, 1, 1)`` (Chollet, "Xception", 2017).

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import SeparableConv2D
    >>> SeparableConv2D(8, 3)(np.zeros((2, 4, 9, 9))).shape
    (2, 8, 7, 7)
    """

    rank = 2
