"""Operations that move numbers between channels and places; know no layer."""

from __future__ import annotations

from typing import Any

import minpy.numpy as np
from minpy.array import as_ndarray
from minpy.errors import ShapeError
from minpy.layers.images import one_of
from minpy.ops.operation import operation

__all__ = ["depth_to_space", "space_to_depth"]

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
