"""Pooling of whole signals, images and volumes."""

from __future__ import annotations

from typing import Any

from minpy.errors import ShapeError
from minpy.layers.functions import avg_pool
from minpy.layers.functions.contraction import mean_of_rows
from minpy.layers.images import data_format_of, expect_images, spatial_axes
from minpy.layers.layer import Layer

__all__ = [
    "GlobalAveragePooling1D",
    "GlobalAveragePooling2D",
    "GlobalAveragePooling3D",
    "GlobalMaxPooling1D",
    "GlobalMaxPooling2D",
    "GlobalMaxPooling3D",
]


class _GlobalPooling(Layer):
    rank: int

    def __init__(
        self, data_format: str | None = None, keepdims: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.data_format = data_format_of(data_format, type(self).__name__, self.rank)
        self.keepdims = bool(keepdims)

    def check_input(self, shape: Any) -> None:
        """Raise `ShapeError` unless the input is a batch of this rank, with elements."""
        expect_images(self, shape)
        if 0 in [shape[axis] for axis in spatial_axes(self)]:
            raise ShapeError(
                f"{type(self).__name__} {self.name!r}: expected lengths from 1, got shape {shape}"
            )

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shape of the output."""
        axes = spatial_axes(self)
        if self.keepdims:
            return tuple(1 if i in axes else n for i, n in enumerate(input_shape))
        return tuple(n for i, n in enumerate(input_shape) if i not in axes)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer."""
        return {
            **super().get_config(),
            "data_format": self.data_format,
            "keepdims": self.keepdims,
        }


class _GlobalAverage(_GlobalPooling):
    def call(self, x: Any) -> Any:
        """Compute the output."""
        self.check_input(x.shape)
        if self.data_format == "channels_first" and x.dtype == "float32":
            # One window over everything: oneDNN's pooling and its derivative are much faster than
            # a mean and its derivative.
            y = avg_pool(x, x.shape[2:])
            return y if self.keepdims else y.reshape(y.shape[:2])
        if self.data_format == "channels_first":
            return x.mean(axis=spatial_axes(self), keepdims=self.keepdims)
        y = mean_of_rows(x.reshape((x.shape[0], -1, x.shape[-1])))
        return y.reshape((y.shape[0], *[1] * self.rank, y.shape[1])) if self.keepdims else y


class _GlobalMax(_GlobalPooling):
    def call(self, x: Any) -> Any:
        """Compute the output."""
        self.check_input(x.shape)
        return x.max(axis=spatial_axes(self), keepdims=self.keepdims)


class GlobalAveragePooling1D(_GlobalAverage):
    """Average of each channel over all steps, or over those that a mask keeps.

    Parameters
    ----------
    data_format
        As in `Conv1D`.
    keepdims
        Whether the steps stay, as 1.

    Notes
    -----
    A mask, of shape (batch, steps), says which steps count, as `Embedding` and `Masking` make it.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import GlobalAveragePooling1D
    >>> GlobalAveragePooling1D()(np.arange(6.).reshape(1, 3, 2))
    array([[2., 3.]])
    """

    rank = 1
    supports_masking = True

    def call(self, x: Any, mask: Any = None) -> Any:
        """Compute the output."""
        if mask is None:
            return super().call(x)
        self.check_input(x.shape)
        (axis,) = spatial_axes(self)
        counted = mask.astype(x.dtype)
        spread = counted.reshape((*mask.shape, 1) if axis == 1 else (mask.shape[0], 1, -1))
        return (x * spread).sum(axis=axis, keepdims=self.keepdims) / spread.sum(
            axis=axis, keepdims=self.keepdims
        )

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """Return None: no steps are left that a mask could name."""
        return None


class GlobalAveragePooling2D(_GlobalAverage):
    """Average of each channel over the whole image.

    Parameters
    ----------
    data_format
        As in `Conv2D`.
    keepdims
        Whether height and width stay, as 1.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import GlobalAveragePooling2D
    >>> GlobalAveragePooling2D()(np.ones((2, 3, 4, 4))).shape
    (2, 3)
    """

    rank = 2


class GlobalAveragePooling3D(_GlobalAverage):
    """Average of each channel over the whole volume.

    Parameters
    ----------
    data_format, keepdims
        As in `GlobalAveragePooling2D`.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import GlobalAveragePooling3D
    >>> GlobalAveragePooling3D(keepdims=True)(np.ones((2, 3, 4, 4, 4))).shape
    (2, 3, 1, 1, 1)
    """

    rank = 3


class GlobalMaxPooling1D(_GlobalMax):
    """Maximum of each channel over all steps.

    Parameters
    ----------
    data_format, keepdims
        As in `GlobalAveragePooling1D`.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import GlobalMaxPooling1D
    >>> GlobalMaxPooling1D()(np.arange(6.).reshape(1, 3, 2))
    array([[4., 5.]])
    """

    rank = 1


class GlobalMaxPooling2D(_GlobalMax):
    """Maximum of each channel over the whole image.

    Parameters
    ----------
    data_format, keepdims
        As in `GlobalAveragePooling2D`.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import GlobalMaxPooling2D
    >>> GlobalMaxPooling2D()(np.ones((2, 3, 4, 4))).shape
    (2, 3)
    """

    rank = 2


class GlobalMaxPooling3D(_GlobalMax):
    """Maximum of each channel over the whole volume.

    Parameters
    ----------
    data_format, keepdims
        As in `GlobalAveragePooling2D`.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import GlobalMaxPooling3D
    >>> GlobalMaxPooling3D()(np.ones((2, 3, 4, 4, 4))).shape
    (2, 3)
    """

    rank = 3
