"""Pooling to an output of a given size, whatever the input's."""

from __future__ import annotations

from typing import Any

from minpy.errors import ShapeError
from minpy.layers.functions import max_pool
from minpy.layers.functions.resampling import averaging, equal_parts, multiplied_along
from minpy.layers.functions.windows import one_per_axis
from minpy.layers.images import (
    data_format_of,
    expect_images,
    from_channels_first,
    spatial_axes,
    to_channels_first,
    with_sizes,
)
from minpy.layers.layer import Layer
from minpy.numpy.shaping import concatenate

__all__ = [
    "AdaptiveAveragePooling1D",
    "AdaptiveAveragePooling2D",
    "AdaptiveAveragePooling3D",
    "AdaptiveMaxPooling1D",
    "AdaptiveMaxPooling2D",
    "AdaptiveMaxPooling3D",
]


class _AdaptivePooling(Layer):
    _on_floats = True
    rank: int

    def __init__(self, output_size: Any, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        kind = type(self).__name__
        self.output_size = one_per_axis(output_size, self.rank, f"{kind}: output_size")
        self.data_format = data_format_of(data_format, kind, self.rank)

    def check_input(self, shape: Any) -> None:
        """Raise `ShapeError` unless the input is a batch of this rank, with elements."""
        expect_images(self, shape)
        if 0 in [shape[axis] for axis in spatial_axes(self)]:
            raise ShapeError(
                f"{type(self).__name__} {self.name!r}: expected lengths from 1, got shape {shape}"
            )

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shape of the output."""
        return with_sizes(self, input_shape, self.output_size)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer."""
        return {
            **super().get_config(),
            "output_size": list(self.output_size),
            "data_format": self.data_format,
        }


class _AdaptiveAverage(_AdaptivePooling):
    def call(self, x: Any) -> Any:
        """Compute the output."""
        self.check_input(x.shape)
        # A window's average is that of its rows' averages: one axis after the other.
        for axis, after in zip(spatial_axes(self), self.output_size, strict=True):
            if x.shape[axis] != after:
                x = multiplied_along(x, averaging(x.shape[axis], after, x.dtype.name), axis)
        return x


class _AdaptiveMax(_AdaptivePooling):
    def call(self, x: Any) -> Any:
        """Compute the output."""
        self.check_input(x.shape)
        sizes = tuple(x.shape[axis] for axis in spatial_axes(self))
        if all(n % after == 0 for n, after in zip(sizes, self.output_size, strict=True)):
            window = tuple(n // after for n, after in zip(sizes, self.output_size, strict=True))
            y = max_pool(to_channels_first(x, self.data_format), window)
            return from_channels_first(y, self.data_format)
        for axis, after in zip(spatial_axes(self), self.output_size, strict=True):
            if x.shape[axis] != after:
                before = (slice(None),) * axis
                parts = [
                    x[(*before, slice(start, end))].max(axis=axis, keepdims=True)
                    for start, end in equal_parts(x.shape[axis], after)
                ]
                x = concatenate(parts, axis=axis) if after > 1 else parts[0]
        return x


class AdaptiveAveragePooling1D(_AdaptiveAverage):
    """Average of as many windows of signals as the output shall have steps.

    Parameters
    ----------
    output_size
        Number of steps of the output.
    data_format
        As in `Conv1D`.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import AdaptiveAveragePooling1D
    >>> AdaptiveAveragePooling1D(2)(np.arange(5.).reshape(1, 5, 1))
    array([[[1.],
            [3.]]])
    """

    rank = 1


class AdaptiveAveragePooling2D(_AdaptiveAverage):
    """Average of as many windows of images as the output shall have rows and columns.

    Parameters
    ----------
    output_size
        Height and width of the output, or one number for both.
    data_format
        As in `Conv2D`.

    Notes
    -----
    Window ``i`` of ``m`` on an axis of ``n`` elements is those from ``floor(i n / m)`` to before
    ``ceil((i + 1) n / m)``, as in Keras and PyTorch: windows may share elements.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import AdaptiveAveragePooling2D
    >>> AdaptiveAveragePooling2D(7)(np.zeros((2, 3, 10, 20))).shape
    (2, 3, 7, 7)
    """

    rank = 2


class AdaptiveAveragePooling3D(_AdaptiveAverage):
    """Average of as many windows of volumes as the output has elements along each axis.

    Parameters
    ----------
    output_size, data_format
        As in `AdaptiveAveragePooling2D`, with three axes: depth, height and width.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import AdaptiveAveragePooling3D
    >>> AdaptiveAveragePooling3D((1, 2, 3))(np.zeros((2, 4, 5, 5, 5))).shape
    (2, 4, 1, 2, 3)
    """

    rank = 3


class AdaptiveMaxPooling1D(_AdaptiveMax):
    """Maximum of as many windows of signals as the output shall have steps.

    Parameters
    ----------
    output_size
        Number of steps of the output.
    data_format
        As in `Conv1D`.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import AdaptiveMaxPooling1D
    >>> AdaptiveMaxPooling1D(2)(np.arange(5.).reshape(1, 5, 1))
    array([[[2.],
            [4.]]])
    """

    rank = 1


class AdaptiveMaxPooling2D(_AdaptiveMax):
    """Maximum of as many windows of images as the output shall have rows and columns.

    Parameters
    ----------
    output_size, data_format
        As in `AdaptiveAveragePooling2D`.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import AdaptiveMaxPooling2D
    >>> AdaptiveMaxPooling2D(1)(np.arange(4.).reshape(1, 1, 2, 2))
    array([[[[3.]]]])
    """

    rank = 2


class AdaptiveMaxPooling3D(_AdaptiveMax):
    """Maximum of as many windows of volumes as the output has elements along each axis.

    Parameters
    ----------
    output_size, data_format
        As in `AdaptiveAveragePooling2D`, with three axes: depth, height and width.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import AdaptiveMaxPooling3D
    >>> AdaptiveMaxPooling3D(2)(np.zeros((2, 4, 5, 5, 5))).shape
    (2, 4, 2, 2, 2)
    """

    rank = 3
