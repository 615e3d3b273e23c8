"""Pooling of images over windows: the maximum, or the average."""

from __future__ import annotations

from typing import Any

from minpy.config import image_data_format
from minpy.layers.functions import avg_pool, max_pool
from minpy.layers.images import expect_images, from_channels_first, pair, spatial, to_channels_first
from minpy.layers.layer import Layer

__all__ = ["AveragePooling2D", "MaxPooling2D"]


class _Pooling2D(Layer):
    _function: Any = None

    def __init__(
        self,
        pool_size: Any = (2, 2),
        strides: Any = None,
        padding: str = "valid",
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        kind = type(self).__name__
        if padding not in ("valid", "same"):
            raise ValueError(f"{kind}: expected padding 'valid' or 'same', got {padding!r}")
        self.pool_size = pair(pool_size, f"{kind}: pool_size")
        self.strides = self.pool_size if strides is None else pair(strides, f"{kind}: strides")
        self.padding = padding
        self.data_format = data_format or image_data_format()

    def check_input(self, shape: Any) -> None:
        """Raise `ShapeError` unless the input is a batch of images."""
        expect_images(self, shape)

    def call(self, x: Any) -> Any:
        """Compute the output."""
        expect_images(self, x.shape)
        self.compute_output_shape(x.shape)
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


class MaxPooling2D(_Pooling2D):
    """Maximum of each window of images.

    Parameters
    ----------
    pool_size
        Height and width of the window.
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

    _function = staticmethod(max_pool)


class AveragePooling2D(_Pooling2D):
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

    _function = staticmethod(avg_pool)
