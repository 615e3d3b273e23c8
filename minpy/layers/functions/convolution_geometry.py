"""The numbers of a convolution, worked out once from shapes and settings, and checked.

It must not know arrays, nor how a convolution is computed.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Any

from minpy.errors import ShapeError
from minpy.layers.functions.windows import Pads, one_per_axis, padding, size_after

__all__ = ["ConvolutionGeometry", "check_ranks", "geometry_of", "transposed_geometry_of"]


@dataclass(frozen=True)
class ConvolutionGeometry:
    """All numbers of a convolution but the batch size, which no kernel but the input's knows."""

    channels: int
    size: tuple[int, ...]
    filters: int
    window: tuple[int, ...]
    stride: tuple[int, ...]
    pads: Pads
    dilation: tuple[int, ...]
    groups: int
    after: tuple[int, ...]  # size of the output

    @functools.cached_property
    def reach(self) -> tuple[int, ...]:
        """Elements from the first to the last of a window."""
        return _reach(self.window, self.dilation)

    @functools.cached_property
    def weight_shape(self) -> tuple[int, ...]:
        """Shape of the kernel."""
        return (self.filters, self.channels // self.groups, *self.window)

    @functools.cached_property
    def multiplications(self) -> int:
        """Multiplications for one sample."""
        return math.prod(self.weight_shape) * math.prod(self.after)

    @functools.cached_property
    def common_pad(self) -> tuple[int, ...]:
        """Padding on both sides of each axis, all that MXNet's operators have."""
        return tuple(min(pad) for pad in self.pads)

    @functools.cached_property
    def extra_pads(self) -> Pads:
        """What is left to pad explicitly."""
        return tuple(
            (before - common, after - common)
            for (before, after), common in zip(self.pads, self.common_pad, strict=True)
        )

    @functools.cached_property
    def attributes(self) -> dict[str, Any]:
        """What MXNet's operators are told."""
        return {
            "kernel": self.window,
            "stride": self.stride,
            "pad": self.common_pad,
            "dilate": self.dilation,
            "num_group": self.groups,
        }


def _reach(window: tuple[int, ...], dilation: tuple[int, ...]) -> tuple[int, ...]:
    return tuple((w - 1) * d + 1 for w, d in zip(window, dilation, strict=True))


@functools.lru_cache(maxsize=1024)
def geometry_of(
    sample: tuple[int, ...],
    weights: tuple[int, ...],
    stride: Any,
    pad: Any,
    dilation: Any,
    groups: int,
) -> ConvolutionGeometry:
    """Return the geometry of a convolution of samples of a shape with kernels of a shape."""
    filters, each, *window = weights
    channels, *size = sample
    axes = len(window)
    strides = one_per_axis(stride, axes, "conv: stride")
    dilations = one_per_axis(dilation, axes, "conv: dilation")
    _check_groups("conv", groups, channels, each, filters, weights)
    window, size = tuple(window), tuple(size)
    reach = _reach(window, dilations)
    pads = padding(pad, size, reach, strides, "conv: pad")
    after = size_after(size, pads, reach, strides, "conv")
    return ConvolutionGeometry(
        channels, size, filters, window, strides, pads, dilations, groups, after
    )


@functools.lru_cache(maxsize=1024)
def transposed_geometry_of(
    sample: tuple[int, ...],
    weights: tuple[int, ...],
    stride: Any,
    pad: Any,
    dilation: Any,
    groups: int,
    output_padding: Any,
) -> ConvolutionGeometry:
    """Return the geometry of the convolution from our output to our input."""
    by = "conv_transpose"
    filters, each, *window = weights
    channels, *after = sample
    axes = len(window)
    window, after = tuple(window), tuple(after)
    strides = one_per_axis(stride, axes, f"{by}: stride")
    dilations = one_per_axis(dilation, axes, f"{by}: dilation")
    if channels != filters:
        raise ShapeError(
            f"{by}: weights of shape {weights} take {filters} channels, got {channels}; "
            "channels come first, x of shape (batch, channels, …)"
        )
    _check_groups(by, groups, each * groups, each, filters, weights)
    reach = _reach(window, dilations)
    if pad == "same":
        size = tuple(n * t for n, t in zip(after, strides, strict=True))
        pads = padding("same", size, reach, strides, f"{by}: pad")
    elif pad == "valid":
        size = tuple(n * t + max(r - t, 0) for n, t, r in zip(after, strides, reach, strict=True))
        pads = ((0, 0),) * axes
    else:
        pads = padding(pad, after, reach, strides, f"{by}: pad")
        extra = one_per_axis(output_padding, axes, f"{by}: output_padding", least=0)
        size = tuple(
            (n - 1) * t + r - sum(p) + e
            for n, t, r, p, e in zip(after, strides, reach, pads, extra, strict=True)
        )
        if min(size) < 1:
            raise ShapeError(f"{by}: padding {pads} leaves nothing of an input of size {after}")
        if size_after(size, pads, reach, strides, by) != after:
            raise ValueError(
                f"{by}: expected output_padding below the stride {strides}, got {output_padding!r}"
            )
    return ConvolutionGeometry(
        each * groups, size, filters, window, strides, pads, dilations, groups, after
    )


def _check_groups(
    by: str, groups: int, channels: int, each: int, filters: int, weights: tuple[int, ...]
) -> None:
    if not isinstance(groups, int) or groups < 1 or filters % groups:
        raise ValueError(
            f"{by}: expected groups that divide the {filters} filters of weights {weights}, "
            f"got {groups!r}"
        )
    if channels != each * groups:
        raise ShapeError(
            f"{by}: weights of shape {weights} in {groups} groups take {each * groups} channels, "
            f"got {channels}; channels come first, x of shape (batch, channels, …)"
        )


_AXES = {1: "length", 2: "height, width", 3: "depth, height, width"}


def check_ranks(by: str, x: Any, w: Any, layout: str) -> None:
    """Raise `ShapeError` unless an input has as many axes as kernels, of which there are some."""
    axes = w.ndim - 2
    if axes not in _AXES:
        raise ShapeError(
            f"{by}: expected weights of shape ({layout}, height, width), or with one or three axes "
            f"in place of those two, got {w.shape}"
        )
    if x.ndim != w.ndim:
        raise ShapeError(
            f"{by}: expected x of shape (batch, channels, {_AXES[axes]}) for weights of shape "
            f"{w.shape}, got {x.shape}"
        )
    if 0 in w.shape:
        raise ShapeError(f"{by}: expected weights with elements, got shape {w.shape}")
