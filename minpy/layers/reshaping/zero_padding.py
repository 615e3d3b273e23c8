"""Zeros around signals, images and volumes."""

from __future__ import annotations

from typing import Any

from minpy.layers.functions.padding import zero_padded
from minpy.layers.functions.windows import Pads, padding
from minpy.layers.images import (
    data_format_of,
    expect_images,
    from_channels_first,
    spatial_axes,
    to_channels_first,
)
from minpy.layers.layer import Layer

__all__ = ["ZeroPadding1D", "ZeroPadding2D", "ZeroPadding3D", "edges"]


def edges(value: Any, rank: int, what: str) -> Pads:
    """Return (before, after) for each axis, of a number, a number or a pair for each axis.

    Along a single axis a pair is its two ends.
    """
    if rank == 1 and isinstance(value, list | tuple) and len(value) == 2:
        value = (value,)
    elif rank == 1 and isinstance(value, list | tuple) and not _is_pair(value):
        raise ValueError(f"{what}: expected an integer or two of them, got {value!r}")
    if isinstance(value, str):
        raise ValueError(f"{what}: expected integers from 0, got {value!r}")
    ones = (1,) * rank
    return padding(value, ones, ones, ones, what)


def _is_pair(value: Any) -> bool:
    """Say whether there is a pair, and nothing else, in a list: what a configuration holds."""
    return len(value) == 1 and isinstance(value[0], list | tuple)


class _ZeroPadding(Layer):
    rank: int

    def __init__(self, padding: Any = 1, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        kind = type(self).__name__
        self.padding = edges(padding, self.rank, f"{kind}: padding")
        self.data_format = data_format_of(data_format, kind, self.rank)

    def check_input(self, shape: Any) -> None:
        """Raise `ShapeError` unless the input is a batch of this rank."""
        expect_images(self, shape)

    def call(self, x: Any) -> Any:
        """Compute the output."""
        self.check_input(x.shape)
        y = zero_padded(to_channels_first(x, self.data_format), self.padding)
        return from_channels_first(y, self.data_format)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shape of the output."""
        new = list(input_shape)
        for axis, pad in zip(spatial_axes(self), self.padding, strict=True):
            new[axis] = None if new[axis] is None else new[axis] + sum(pad)
        return tuple(new)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer."""
        return {
            **super().get_config(),
            "padding": [list(pad) for pad in self.padding],
            "data_format": self.data_format,
        }


class ZeroPadding1D(_ZeroPadding):
    """Zeros before and after signals.

    Parameters
    ----------
    padding
        How many at each end, or a pair (start, end).
    data_format
        As in `Conv1D`.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import ZeroPadding1D
    >>> ZeroPadding1D((1, 2))(np.ones((2, 3, 4))).shape
    (2, 6, 4)
    """

    rank = 1


class ZeroPadding2D(_ZeroPadding):
    """Zeros around images.

    Parameters
    ----------
    padding
        How many at each edge; one number for height and one for width; or
        ``((top, bottom), (left, right))``.
    data_format
        As in `Conv2D`.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import ZeroPadding2D
    >>> ZeroPadding2D(((1, 0), (2, 2)))(np.zeros((2, 3, 8, 8))).shape
    (2, 3, 9, 12)
    """

    rank = 2


class ZeroPadding3D(_ZeroPadding):
    """Zeros around volumes.

    Parameters
    ----------
    padding, data_format
        As in `ZeroPadding2D`, with three axes: depth, height and width.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import ZeroPadding3D
    >>> ZeroPadding3D(2)(np.zeros((2, 3, 4, 5, 6))).shape
    (2, 3, 8, 9, 10)
    """

    rank = 3
