"""Operations that move numbers between axes, channels and places; know no layer."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

import numpy

import minpy.numpy as np
from minpy.array import as_ndarray
from minpy.errors import ShapeError
from minpy.layers.functions.short_time import covering
from minpy.layers.functions.windows import one_per_axis
from minpy.layers.images import one_of
from minpy.ops.operation import operation

__all__ = ["depth_to_space", "fold", "rearrange", "space_to_depth", "unfold"]

_FORMATS = ("channels_first", "channels_last")


def _checked(x: Any, block_size: int, data_format: str, who: str) -> Any:
    x = as_ndarray(x)
    one_of(data_format, _FORMATS, f"{who}: data_format")
    if x.ndim != 4:
        raise ShapeError(f"{who}: expected images of four axes, got shape {x.shape}")
    if block_size < 2:
        raise ValueError(f"{who}: expected a block_size from 2 on, got {block_size}")
    return x


@operation
def depth_to_space(x: Any, block_size: int, data_format: str = "channels_last") -> Any:
    """Make each pixel's channels a block of pixels: sub-pixel convolution.

    Parameters
    ----------
    x
        Images, (batch, height, width, channels); channels are a multiple of ``block_size**2``.
    block_size
        Height and width of a block.
    data_format
        ``'channels_last'`` or ``'channels_first'``.

    Notes
    -----
    Shi et al., "Real-Time Single Image and Video Super-Resolution", CVPR 2016, section 3.2.

    Examples
    --------
    >>> import numpy
    >>> from minpy import ops
    >>> ops.depth_to_space(numpy.arange(4, dtype='float32').reshape(1, 1, 1, 4), 2)[0, :, :, 0]
    array([[0., 1.],
           [2., 3.]])
    """
    x, n = _checked(x, block_size, data_format, "depth_to_space"), block_size
    last = data_format == "channels_last"
    channels = x.shape[3 if last else 1]
    if channels % (n * n):
        raise ShapeError(f"depth_to_space: {channels} channels don't make blocks of {n} × {n}")
    depth = channels // (n * n)
    if last:
        _, height, width, _ = x.shape
        x = np.reshape(x, (-1, height, width, n, n, depth))
        x = np.transpose(x, (0, 1, 3, 2, 4, 5))
        return np.reshape(x, (-1, height * n, width * n, depth))
    _, _, height, width = x.shape
    x = np.reshape(x, (-1, n, n, depth, height, width))
    x = np.transpose(x, (0, 3, 4, 1, 5, 2))
    return np.reshape(x, (-1, depth, height * n, width * n))


@operation
def space_to_depth(x: Any, block_size: int, data_format: str = "channels_last") -> Any:
    """Make each block of pixels channels of one pixel; arguments as of `depth_to_space`."""
    x, n = _checked(x, block_size, data_format, "space_to_depth"), block_size
    last = data_format == "channels_last"
    height, width = x.shape[1:3] if last else x.shape[2:]
    if height % n or width % n:
        raise ShapeError(f"space_to_depth: blocks of {n} don't fill images of {height} × {width}")
    if last:
        depth = x.shape[3]
        x = np.reshape(x, (-1, height // n, n, width // n, n, depth))
        x = np.transpose(x, (0, 1, 3, 2, 4, 5))
        return np.reshape(x, (-1, height // n, width // n, n * n * depth))
    depth = x.shape[1]
    x = np.reshape(x, (-1, depth, height // n, n, width // n, n))
    x = np.transpose(x, (0, 3, 5, 1, 2, 4))
    return np.reshape(x, (-1, n * n * depth, height // n, width // n))


# --- windows of images ----------------------------------------------------------------------------


def _windows(
    size: Sequence[int], kernel: Any, dilation: Any, padding: Any, stride: Any, who: str
) -> tuple[numpy.ndarray, tuple[int, ...], tuple[int, ...]]:
    """Return the places that windows cover in a padded flat image: (in a window, windows).

    With them the sizes of a window, and of the padding.
    """
    window = one_per_axis(kernel, 2, f"{who}: kernel_size")
    rates = one_per_axis(dilation, 2, f"{who}: dilation")
    pads = one_per_axis(padding, 2, f"{who}: padding", least=0)
    steps = one_per_axis(stride, 2, f"{who}: stride")
    along = []
    for n, k, rate, pad, step in zip(size, window, rates, pads, steps, strict=True):
        room = n + 2 * pad - rate * (k - 1) - 1
        if room < 0:
            raise ShapeError(
                f"{who}: no window of {window} fits into images of {tuple(size)} with padding "
                f"{pads} and dilation {rates}"
            )
        along.append(rate * numpy.arange(k)[:, None] + step * numpy.arange(room // step + 1))
    rows, columns = along
    width = size[1] + 2 * pads[1]
    places = rows[:, None, :, None] * width + columns[None, :, None, :]
    return places.reshape(window[0] * window[1], -1), window, pads


@operation
def unfold(x: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Any:
    """Return the windows of images as columns: what a convolution multiplies its kernel with.

    Parameters
    ----------
    x
        Images, of shape (batch, channels, height, width).
    kernel_size, dilation, padding, stride
        Of the windows, as of a convolution: a number, or one for height and width.

    Returns
    -------
    array
        Of shape (batch, channels × height × width of a window, windows).

    Examples
    --------
    >>> from minpy import ops
    >>> ops.unfold(ops.reshape(ops.arange(9.), (1, 1, 3, 3)), 2)[0]
    array([[0., 1., 3., 4.],
           [1., 2., 4., 5.],
           [3., 4., 6., 7.],
           [4., 5., 7., 8.]])
    """
    x = as_ndarray(x)
    if x.ndim != 4:
        raise ShapeError(
            f"unfold: expected images (batch, channels, height, width), got shape {x.shape}"
        )
    places, _, pads = _windows(x.shape[2:], kernel_size, dilation, padding, stride, "unfold")
    if any(pads):
        x = np.pad(x, [(0, 0), (0, 0), *((pad, pad) for pad in pads)])
    batch, channels = x.shape[:2]
    found = np.take(np.reshape(x, (batch, channels, -1)), places.ravel(), axis=2)
    return np.reshape(found, (batch, channels * places.shape[0], places.shape[1]))


@operation
def fold(
    x: Any,
    output_size: Any,
    kernel_size: Any,
    dilation: Any = 1,
    padding: Any = 0,
    stride: Any = 1,
) -> Any:
    """Return images as the sums of their windows: the transpose of `unfold`.

    Parameters
    ----------
    x
        Windows, of shape (batch, channels × height × width of a window, windows).
    output_size
        Height and width of the images, or one number for both.
    kernel_size, dilation, padding, stride
        As of `unfold`.

    Examples
    --------
    >>> from minpy import ops
    >>> ops.fold(ops.ones((1, 4, 4)), 3, 2)[0, 0]
    array([[1., 2., 1.],
           [2., 4., 2.],
           [1., 2., 1.]])
    """
    x = as_ndarray(x)
    size = one_per_axis(output_size, 2, "fold: output_size")
    places, window, pads = _windows(size, kernel_size, dilation, padding, stride, "fold")
    inside, count = places.shape
    if x.ndim != 3 or x.shape[1] % inside or x.shape[2] != count:
        raise ShapeError(
            f"fold: expected windows (batch, a multiple of {inside}, {count}) for windows of "
            f"{window} in images of {size}, got shape {x.shape}"
        )
    batch, channels = x.shape[0], x.shape[1] // inside
    height, width = (n + 2 * pad for n, pad in zip(size, pads, strict=True))
    parts = np.reshape(x, (batch, channels, inside * count))
    parts = np.concatenate([parts, np.zeros_like(parts[:, :, :1])], axis=2)
    table = covering(places.ravel(), height * width)
    whole = np.sum(np.take(parts, table, axis=2), axis=3)
    images = np.reshape(whole, (batch, channels, height, width))
    return images[:, :, pads[0] : pads[0] + size[0], pads[1] : pads[1] + size[1]]


# --- axes by their names --------------------------------------------------------------------------


def _named_axes(side: str, pattern: str) -> list[list[str]]:
    """Return the names of each axis of one side of a pattern: several where it joins axes."""
    if not re.fullmatch(r"\s*((\w+|\(\s*\w+(\s+\w+)*\s*\))\s*)*", side):
        raise ValueError(
            f"rearrange: expected names of axes, and groups of them in parentheses, on each side "
            f"of '->', got {pattern!r}"
        )
    return [group.strip("()").split() for group in re.findall(r"\w+|\([^)]*\)", side)]


@operation
def rearrange(tensor: Any, pattern: str, **axes_lengths: int) -> Any:
    """Split, join and order axes, as a pattern says.

    Parameters
    ----------
    tensor
        An array.
    pattern
        The axes' names before and after ``->``; those in parentheses are one axis together.
    axes_lengths
        How long axes are that share one before; of each group one may be left out.

    Examples
    --------
    >>> import numpy
    >>> from minpy import ops
    >>> images = numpy.zeros((2, 6, 8, 3))
    >>> ops.rearrange(images, 'b h w c -> b c h w').shape
    (2, 3, 6, 8)
    >>> ops.rearrange(images, 'b (y h) (x w) c -> (b y x) (h w c)', y=2, x=4).shape
    (16, 18)
    """
    x = as_ndarray(tensor)
    sides = pattern.split("->")
    if len(sides) != 2:
        raise ValueError(f"rearrange: expected a pattern with one '->', got {pattern!r}")
    before, after = (_named_axes(side, pattern) for side in sides)
    names, wanted = ([name for group in side for name in group] for side in (before, after))
    if len(set(names)) != len(names) or sorted(names) != sorted(wanted):
        raise ValueError(
            f"rearrange: expected each name once before and once after '->', got {pattern!r}"
        )
    unknown = sorted(set(axes_lengths) - set(names))
    if unknown:
        raise ValueError(f"rearrange: {pattern!r} has no axes {', '.join(unknown)}")
    if len(before) != x.ndim:
        raise ShapeError(
            f"rearrange: {pattern!r} is of {len(before)} axes, got an array of shape {x.shape}"
        )
    lengths = {}
    for length, group in zip(x.shape, before, strict=True):
        known = {name: int(axes_lengths[name]) for name in group if name in axes_lengths}
        missing = [name for name in group if name not in known]
        product = math.prod(known.values())
        if len(missing) > 1 or product == 0 or length % product:
            raise ShapeError(
                f"rearrange: an axis of length {length} doesn't split into ({' '.join(group)}) "
                f"with {known or 'no lengths given'}; give all lengths but one"
            )
        known |= dict.fromkeys(missing, length // product)
        if math.prod(known.values()) != length:
            raise ShapeError(f"rearrange: an axis of length {length} doesn't split into {known}")
        lengths |= known
    x = np.reshape(x, [lengths[name] for name in names])
    x = np.transpose(x, [names.index(name) for name in wanted])
    return np.reshape(x, [math.prod(lengths[name] for name in group) for group in after])
