"""Pooling over windows of signals, images and volumes: the maximum, or the average."""

from __future__ import annotations

from typing import Any

from minpy.arguments import also_by_place
from minpy.layers.functions import avg_pool, max_pool
from minpy.layers.functions.windows import one_per_axis
from minpy.layers.images import (
    data_format_of,
    expect_images,
    from_channels_first,
    one_of,
    spatial,
    to_channels_first,
)
from minpy.layers.layer import Layer

__all__ = [
    "AveragePooling1D",
    "AveragePooling2D",
    "AveragePooling3D",
    "MaxPooling1D",
    "MaxPooling2D",
    "MaxPooling3D",
]


class _Pooling(Layer):
    _on_floats = True
    rank: int
    _function: Any = None

    @also_by_place(name=None)
    def __init__(
        self,
        pool_size: Any = 2,
        strides: Any = None,
        padding: str = "valid",
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        kind = type(self).__name__
        self.pool_size = one_per_axis(pool_size, self.rank, f"{kind}: pool_size")
        self.strides = (
            self.pool_size
            if strides is None
            else one_per_axis(strides, self.rank, f"{kind}: strides")
        )
        self.padding = one_of(padding, ("valid", "same"), f"{kind}: padding")
        self.data_format = data_format_of(data_format, kind, self.rank)

    def check_input(self, shape: Any) -> None:
        """Raise `ShapeError` unless the input is a batch that the window fits into."""
        expect_images(self, shape)
        self.compute_output_shape(shape)

    def call(self, x: Any) -> Any:
        """Compute the output."""
        self.check_input(x.shape)
        x = to_channels_first(x, self.data_format)
        y = type(self)._function(x, self.pool_size, self.strides, self.padding)
        return from_channels_first(y, self.data_format)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shape of the output."""
        return spatial(self, input_shape, self.pool_size, self.strides, self.padding)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer."""
        return {
            **super().get_config(),
            "pool_size": list(self.pool_size),
            "strides": list(self.strides),
            "padding": self.padding,
            "data_format": self.data_format,
        }


class MaxPooling1D(_Pooling):
    """Maximum of each window of signals.

    Parameters
    ----------
    pool_size, strides, padding
        As in `MaxPooling2D`, with one axis.
    data_format
        As in `Conv1D`.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import MaxPooling1D
    >>> MaxPooling1D(2)(np.array([[[1., 8.], [3., 2.], [0., 5.], [4., 4.]]]))
    array([[[3., 8.],
            [4., 5.]]])
    """

    rank = 1
    _function = staticmethod(max_pool)


class MaxPooling2D(_Pooling):
    """Maximum of each window of images.

    Parameters
    ----------
    pool_size
        Height and width of the window, or one number for both.
    strides
        Step of the window; the window's own size if not given.
    padding
        ``'valid'`` or ``'same'``.
    data_format
        As in `Conv2D`.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import MaxPooling2D
    >>> MaxPooling2D(2)(np.arange(16.).reshape(1, 1, 4, 4))
    array([[[[ 5.,  7.],
             [13., 15.]]]])
    """

    rank = 2
    _function = staticmethod(max_pool)


class MaxPooling3D(_Pooling):
    """Maximum of each window of volumes.

    Parameters
    ----------
    pool_size, strides, padding, data_format
        As in `MaxPooling2D`, with three axes: depth, height and width.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import MaxPooling3D
    >>> MaxPooling3D((1, 2, 2))(np.zeros((2, 4, 6, 8, 8))).shape
    (2, 4, 6, 4, 4)
    """

    rank = 3
    _function = staticmethod(max_pool)


class AveragePooling1D(_Pooling):
    """Average of each window of signals; padding isn't counted.

    Parameters
    ----------
    pool_size, strides, padding
        As in `MaxPooling2D`, with one axis.
    data_format
        As in `Conv1D`.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import AveragePooling1D
    >>> AveragePooling1D(2)(np.array([[[1., 8.], [3., 2.], [0., 5.], [4., 4.]]]))
    array([[[2. , 5. ],
            [2. , 4.5]]])
    """

    rank = 1
    _function = staticmethod(avg_pool)


class AveragePooling2D(_Pooling):
    """Average of each window of images; padding isn't counted.

    Parameters
    ----------
    pool_size, strides, padding, data_format
        As in `MaxPooling2D`.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import AveragePooling2D
    >>> AveragePooling2D(2)(np.arange(16.).reshape(1, 1, 4, 4))
    array([[[[ 2.5,  4.5],
             [10.5, 12.5]]]])
    """

    rank = 2
    _function = staticmethod(avg_pool)


class AveragePooling3D(_Pooling):
    """Average of each window of volumes; padding isn't counted.

    Parameters
    ----------
    pool_size, strides, padding, data_format
        As in `MaxPooling2D`, with three axes: depth, height and width.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import AveragePooling3D
    >>> AveragePooling3D(2)(np.zeros((2, 4, 6, 8, 8))).shape
    (2, 4, 3, 4, 4)
    """

    rank = 3
    _function = staticmethod(avg_pool)
