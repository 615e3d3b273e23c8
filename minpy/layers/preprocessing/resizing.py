"""Images brought to a size: by resampling, or by cutting out their middle."""

from __future__ import annotations

from typing import Any

from minpy.layers.convolutional.base import positive
from minpy.layers.functions.padding import zero_padded
from minpy.layers.functions.resampling import METHODS, interpolating, multiplied_along
from minpy.layers.images import one_of
from minpy.layers.preprocessing.image_layer import ImageLayer

__all__ = ["CenterCrop", "Resizing", "fitting_part", "resized"]


def resized(
    x: Any, height: int, width: int, method: str = "bilinear", antialias: bool = False
) -> Any:
    """Return images (batch, channels, height, width) resampled to another size."""
    for axis, after in ((2, height), (3, width)):
        if x.shape[axis] != after:
            matrix = interpolating(x.shape[axis], after, method, x.dtype.name, antialias)
            x = multiplied_along(x, matrix, axis)
    return x


def fitting_part(x: Any, height: int, width: int) -> Any:
    """Return the largest middle part of images that has the aspect ratio of a size."""
    tall, wide = x.shape[2:]
    rows = max(min(tall, int(wide * height / width)), 1)
    columns = max(min(wide, int(tall * width / height)), 1)
    top, left = int((tall - rows) / 2), int((wide - columns) / 2)
    return x[:, :, top : top + rows, left : left + columns]


class _Sized(ImageLayer):
    def __init__(self, height: int, width: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.height = positive(height, f"{type(self).__name__}: height")
        self.width = positive(width, f"{type(self).__name__}: width")

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shape of the output."""
        return self._with_sides(input_shape, self.height, self.width)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer."""
        return {**super().get_config(), "height": self.height, "width": self.width}


class Resizing(_Sized):
    """Resamples images to a size.

    Parameters
    ----------
    height, width
        The size.
    interpolation
        ``'nearest'``, ``'bilinear'``, ``'bicubic'``, ``'lanczos3'`` or ``'lanczos5'``.
    crop_to_aspect_ratio
        Cuts off what doesn't fit the new aspect ratio, so that nothing is distorted.
    pad_to_aspect_ratio
        Adds `fill_value` around instead.
    antialias
        Averages over as much as becomes one pixel where images get smaller.
    data_format
        As in `Conv2D`.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import Resizing
    >>> Resizing(1, 4)(np.array([[[[0., 8.]]]]))
    array([[[[0., 2., 6., 8.]]]])
    """

    def __init__(
        self,
        height: int,
        width: int,
        interpolation: str = "bilinear",
        crop_to_aspect_ratio: bool = False,
        pad_to_aspect_ratio: bool = False,
        fill_mode: str = "constant",
        fill_value: float = 0.0,
        antialias: bool = False,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(height, width, data_format=data_format, **kwargs)
        self.interpolation = one_of(interpolation, METHODS, "Resizing: interpolation")
        self.fill_mode = one_of(fill_mode, ("constant",), "Resizing: fill_mode")
        if crop_to_aspect_ratio and pad_to_aspect_ratio:
            raise ValueError(
                "Resizing: expected crop_to_aspect_ratio or pad_to_aspect_ratio, not both"
            )
        self.crop_to_aspect_ratio = bool(crop_to_aspect_ratio)
        self.pad_to_aspect_ratio = bool(pad_to_aspect_ratio)
        self.fill_value = float(fill_value)
        self.antialias = bool(antialias)

    def _changed(self, images: Any, training: bool) -> Any:
        if self.crop_to_aspect_ratio:
            images = fitting_part(images, self.height, self.width)
        elif self.pad_to_aspect_ratio:
            images = self._padded(images)
        return resized(images, self.height, self.width, self.interpolation, self.antialias)

    def _padded(self, images: Any) -> Any:
        tall, wide = images.shape[2:]
        rows = max(tall, int(wide * self.height / self.width))
        columns = max(wide, int(tall * self.width / self.height))
        # The same on both sides, as in Keras: of an odd rest one row is left out.
        pads = (((rows - tall) // 2,) * 2, ((columns - wide) // 2,) * 2)
        if not any(map(any, pads)):
            return images
        return zero_padded(images - self.fill_value, pads) + self.fill_value

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer."""
        return {
            **super().get_config(),
            "interpolation": self.interpolation,
            "crop_to_aspect_ratio": self.crop_to_aspect_ratio,
            "pad_to_aspect_ratio": self.pad_to_aspect_ratio,
            "fill_mode": self.fill_mode,
            "fill_value": self.fill_value,
            "antialias": self.antialias,
        }


class CenterCrop(_Sized):
    """Cuts out the middle of images; of smaller ones it resamples the part that fits the size.

    Parameters
    ----------
    height, width
        The size.
    data_format
        As in `Conv2D`.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import CenterCrop
    >>> CenterCrop(1, 2)(np.arange(12.).reshape(1, 1, 3, 4))
    array([[[[5., 6.]]]])
    """

    def __init__(
        self, height: int, width: int, data_format: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(height, width, data_format=data_format, **kwargs)

    def _changed(self, images: Any, training: bool) -> Any:
        tall, wide = images.shape[2:]
        if tall < self.height or wide < self.width:
            part = fitting_part(images, self.height, self.width)
            return resized(part, self.height, self.width)
        top, left = (tall - self.height) // 2, (wide - self.width) // 2
        return images[:, :, top : top + self.height, left : left + self.width]
