"""Pooling of whole images."""

from __future__ import annotations

from typing import Any

from minpy.config import image_data_format
from minpy.layers.images import expect_images
from minpy.layers.layer import Layer

__all__ = ["GlobalAveragePooling2D", "GlobalMaxPooling2D"]


class _GlobalPooling2D(Layer):
    def __init__(
        self, data_format: str | None = None, keepdims: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.data_format = data_format or image_data_format()
        self.keepdims = bool(keepdims)

    @property
    def _axes(self) -> tuple[int, int]:
        return (2, 3) if self.data_format == "channels_first" else (1, 2)

    def check_input(self, shape: Any) -> None:
        """Raise `ShapeError` unless the input is a batch of images."""
        expect_images(self, shape)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shape of the output."""
        if self.keepdims:
            return tuple(1 if i in self._axes else n for i, n in enumerate(input_shape))
        return tuple(n for i, n in enumerate(input_shape) if i not in self._axes)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer."""
        return {
            **super().get_config(),
            "data_format": self.data_format,
            "keepdims": self.keepdims,
        }


class GlobalAveragePooling2D(_GlobalPooling2D):
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

    def call(self, x: Any) -> Any:
        """Compute the output."""
        return x.mean(axis=self._axes, keepdims=self.keepdims)


class GlobalMaxPooling2D(_GlobalPooling2D):
    """Maximum of each channel over the whole image.

    Parameters
    ----------
    data_format, keepdims
        As in `GlobalAveragePooling2D`.
    """

    def call(self, x: Any) -> Any:
        """Compute the output."""
        return x.max(axis=self._axes, keepdims=self.keepdims)
