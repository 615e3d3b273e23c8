"""Transposed convolution: from the output of a convolution to its input."""

from __future__ import annotations

from math import prod
from typing import Any

from minpy.arguments import also_by_place
from minpy.errors import ShapeError
from minpy.layers.convolutional.base import ConvolutionalLayer, positive
from minpy.layers.functions import conv_transpose
from minpy.layers.functions.windows import one_per_axis
from minpy.layers.images import (
    expect_images,
    from_channels_first,
    spatial_axes,
    to_channels_first,
    with_sizes,
)
from minpy.layers.weighted import KERNEL_ARGUMENTS

__all__ = ["Conv1DTranspose", "Conv2DTranspose", "Conv3DTranspose"]


class _Transposed(ConvolutionalLayer):
    @also_by_place(**KERNEL_ARGUMENTS)
    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        output_padding: Any = None,
        data_format: str | None = None,
        dilation_rate: Any = 1,
        activation: Any = None,
        use_bias: bool = True,
        *,
        groups: int = 1,
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
        self.output_padding = None
        if output_padding is not None:
            extra = one_per_axis(output_padding, self.rank, f"{kind}: output_padding", least=0)
            if any(e >= s for e, s in zip(extra, self.strides, strict=True)):
                raise ValueError(
                    f"{kind}: expected an output_padding below the strides {self.strides}, "
                    f"got {output_padding!r}"
                )
            self.output_padding = extra

    def _cuts(self) -> Any:
        """Return what is cut off each end of each axis, and what is added at its end."""
        cuts, extra = [], []
        for k, d, e in zip(
            self.kernel_size,
            self.dilation_rate,
            self.output_padding or (0,) * self.rank,
            strict=True,
        ):
            reach = (k - 1) * d + 1
            # Keras keeps this much of the windows at the edges: an output of
            # (size - 1) * stride + reach % 2 + output_padding.
            kept = reach - 1 if self.padding == "valid" else (reach + reach % 2 - 2 + e + 1) // 2
            before = reach - 1 - min(kept, reach - 1)
            total = 0 if self.padding == "valid" else reach - reach % 2
            after = total - before
            cuts.append((before, max(after - e, 0)))
            extra.append(max(e - after, 0))
        return tuple(cuts), tuple(extra)

    def build(self, input_shape: Any) -> None:
        """Make kernel and bias."""
        channels, area = self._channels(input_shape), prod(self.kernel_size)
        self._make_kernel(
            (channels, self.filters // self.groups, *self.kernel_size),
            (self.filters * area, channels * area),
            self.filters,
        )

    def check_input(self, shape: Any) -> None:
        """Raise `ShapeError` unless something is left and the channels make equal groups."""
        super().check_input(shape)
        channels = self._channels(shape)
        if channels % self.groups:
            raise ShapeError(
                f"{type(self).__name__} {self.name!r}: {channels} input channels can't be split "
                f"into {self.groups} groups; shape {shape}, {self.data_format}"
            )

    def call(self, x: Any) -> Any:
        """Compute the output."""
        expect_images(self, x.shape, self.kernel.shape[0])
        pad, extra = (self.padding, 0) if self.output_padding is None else self._cuts()
        y = conv_transpose(
            to_channels_first(x, self.data_format),
            self.kernel,
            self.bias,
            self.strides,
            pad,
            self.dilation_rate,
            self.groups,
            extra,
        )
        return from_channels_first(self._finish(y), self.data_format)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shape of the output."""
        sides = [input_shape[axis] for axis in spatial_axes(self)]
        cuts, extra = self._cuts()
        new: list[int | None] = []
        for n, k, s, d, cut, e in zip(
            sides, self.kernel_size, self.strides, self.dilation_rate, cuts, extra, strict=True
        ):
            reach = (k - 1) * d + 1
            if n is None:
                new.append(None)
            elif self.output_padding is not None:
                new.append((n - 1) * s + reach - sum(cut) + e)
            else:
                new.append(n * s + (max(reach - s, 0) if self.padding == "valid" else 0))
        if any(n is not None and n < 1 for n in (*sides, *new)):
            raise ShapeError(
                f"{type(self).__name__} {self.name!r}: nothing is left of an input of shape "
                f"{input_shape} with padding={self.padding!r} and output_padding="
                f"{self.output_padding}; use padding='valid', or a larger output_padding"
            )
        return with_sizes(self, input_shape, new, self.filters)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer."""
        extra = self.output_padding
        return {
            **super().get_config(),
            "filters": self.filters,
            "output_padding": None if extra is None else list(extra),
            "groups": self.groups,
        }


class Conv1DTranspose(_Transposed):
    """One-dimensional transposed convolution.

    Parameters
    ----------
    filters, kernel_size, strides, padding, output_padding, dilation_rate, groups, …
        As in `Conv2DTranspose`, with one axis.
    data_format
        As in `Conv1D`.

    Notes
    -----
    The kernel is ``(channels, filters / groups, kernel_size)`` in either data format.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import Conv1DTranspose
    >>> Conv1DTranspose(8, 4, strides=2, padding='same')(np.zeros((2, 10, 3))).shape
    (2, 20, 8)
    """

    rank = 1


class Conv2DTranspose(_Transposed):
    """Two-dimensional transposed convolution: makes images larger, as in decoders and GANs.

    Parameters
    ----------
    filters
        Number of output channels.
    kernel_size, strides, dilation_rate
        Those of the convolution whose transpose this is: height and width, or one number for both.
    padding
        ``'valid'`` for an output of ``size * stride + max(kernel - stride, 0)``, ``'same'`` for
        ``size * stride``.
    output_padding
        Elements more at the end of each axis, below the stride: sets the size to
        ``(size - 1) * stride + kernel + output_padding`` for ``'valid'``, and with ``kernel % 2``
        in the kernel's place for ``'same'``.
    data_format
        As in `Conv2D`.
    groups
        Number of groups that channels and filters are split into.
    activation, use_bias, kernel_initializer, …
        As in `Dense`.

    Notes
    -----
    The kernel is ``(channels, filters / groups, height, width)`` in either data format.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import Conv2DTranspose
    >>> Conv2DTranspose(8, 3, strides=2, padding='same')(np.zeros((2, 4, 7, 7))).shape
    (2, 8, 14, 14)
    """

    rank = 2


class Conv3DTranspose(_Transposed):
    """Three-dimensional transposed convolution.

    Parameters
    ----------
    filters, kernel_size, strides, padding, output_padding, data_format, dilation_rate, …
        As in `Conv2DTranspose`, with three axes: depth, height and width.

    Notes
    -----
    The kernel is ``(channels, filters / groups, depth, height, width)`` in either data format.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import Conv3DTranspose
    >>> Conv3DTranspose(2, 2, strides=2)(np.zeros((1, 3, 4, 4, 4))).shape
    (1, 2, 8, 8, 8)
    """

    rank = 3

    @also_by_place(**KERNEL_ARGUMENTS)
    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: str | None = None,  # before the next one, in Keras, for volumes alone
        output_padding: Any = None,
        dilation_rate: Any = 1,
        activation: Any = None,
        use_bias: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            filters,
            kernel_size,
            strides,
            padding,
            output_padding,
            data_format,
            dilation_rate,
            activation,
            use_bias,
            **kwargs,
        )
