"""Signals, images and volumes made larger by whole factors."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy

from minpy.layers.functions import conv_transpose
from minpy.layers.functions.resampling import METHODS, interpolating, multiplied_along
from minpy.layers.functions.windows import one_per_axis
from minpy.layers.images import data_format_of, expect_images, one_of, spatial_axes
from minpy.layers.layer import Layer
from minpy.numpy.shaping import concatenate

__all__ = ["UpSampling1D", "UpSampling2D", "UpSampling3D"]


def _repeated(x: Any, factor: int, axis: int) -> Any:
    """Return `x` with each element along an axis `factor` times."""
    shape = x.shape
    rows = x.reshape((prod(shape[: axis + 1]), 1, prod(shape[axis + 1 :])))
    made = concatenate([rows] * factor, axis=1)
    return made.reshape((*shape[:axis], shape[axis] * factor, *shape[axis + 1 :]))


class _UpSampling(Layer):
    rank: int
    interpolation = "nearest"

    def __init__(self, size: Any = 2, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        kind = type(self).__name__
        self.size = one_per_axis(size, self.rank, f"{kind}: size")
        self.data_format = data_format_of(data_format, kind, self.rank)

    def check_input(self, shape: Any) -> None:
        """Raise `ShapeError` unless the input is a batch of this rank."""
        expect_images(self, shape)

    def call(self, x: Any) -> Any:
        """Compute the output."""
        self.check_input(x.shape)
        nearest = self.interpolation == "nearest"
        if nearest and self.data_format == "channels_first" and x.dtype == "float32":
            # Each element times a window of ones: where rows are short, oneDNN's transposed
            # convolution is ten times as fast as writing each element several times.
            ones = numpy.ones((x.shape[1], 1, *self.size), "float32")
            return conv_transpose(x, ones, stride=self.size, groups=x.shape[1])
        for axis, factor in zip(spatial_axes(self), self.size, strict=True):
            if factor == 1:
                continue
            if nearest:
                x = _repeated(x, factor, axis)
            else:
                n = x.shape[axis]
                matrix = interpolating(n, n * factor, self.interpolation, x.dtype.name)
                x = multiplied_along(x, matrix, axis)
        return x

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shape of the output."""
        new = list(input_shape)
        for axis, factor in zip(spatial_axes(self), self.size, strict=True):
            new[axis] = None if new[axis] is None else new[axis] * factor
        return tuple(new)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer."""
        return {**super().get_config(), "size": list(self.size), "data_format": self.data_format}


class UpSampling1D(_UpSampling):
    """Repeats each step of signals.

    Parameters
    ----------
    size
        How often.
    data_format
        As in `Conv1D`.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import UpSampling1D
    >>> UpSampling1D(2)(np.array([[[1.], [2.]]])).tolist()
    [[[1.0], [1.0], [2.0], [2.0]]]
    """

    rank = 1

    def __init__(self, size: int = 2, data_format: str | None = None, **kwargs: Any) -> None:
        if not isinstance(size, int | numpy.integer | list | tuple) or isinstance(size, bool):
            raise TypeError(f"UpSampling1D: expected an integer size, got {size!r}")
        super().__init__(size, data_format, **kwargs)


class UpSampling2D(_UpSampling):
    """Makes images larger by whole factors.

    Parameters
    ----------
    size
        Factors of height and width, or one number for both.
    data_format
        As in `Conv2D`.
    interpolation
        ``'nearest'`` repeats rows and columns; ``'bilinear'``, ``'bicubic'``, ``'lanczos3'`` and
        ``'lanczos5'`` interpolate between the middles of pixels.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import UpSampling2D
    >>> UpSampling2D((1, 2), interpolation='bilinear')(np.array([[[[0., 4.]]]]))
    array([[[[0., 1., 3., 4.]]]])
    """

    rank = 2

    def __init__(
        self,
        size: Any = 2,
        data_format: str | None = None,
        interpolation: str = "nearest",
        **kwargs: Any,
    ) -> None:
        super().__init__(size, data_format, **kwargs)
        self.interpolation = one_of(interpolation, METHODS, "UpSampling2D: interpolation")

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer."""
        return {**super().get_config(), "interpolation": self.interpolation}


class UpSampling3D(_UpSampling):
    """Repeats the elements of volumes along each axis.

    Parameters
    ----------
    size, data_format
        As in `UpSampling2D`, with three axes: depth, height and width.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import UpSampling3D
    >>> UpSampling3D((1, 2, 3))(np.zeros((2, 3, 4, 4, 4))).shape
    (2, 3, 4, 8, 12)
    """

    rank = 3
