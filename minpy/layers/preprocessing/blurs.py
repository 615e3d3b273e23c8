"""Layers that blur and sharpen images."""

from __future__ import annotations

from typing import Any

import numpy

from minpy import random
from minpy.layers.convolutional.base import positive
from minpy.layers.functions.resampling import multiplied_along
from minpy.layers.preprocessing.transformations import Tonal, either, for_images, share_of
from minpy.numpy.elementwise import clip, exp

__all__ = ["RandomGaussianBlur", "RandomSharpness", "blurred"]


def blurred(images: Any, sigma: Any, axis: int, radius: Any) -> Any:
    """Return images blurred along an axis; what lies beyond the edges is zero.

    Parameters
    ----------
    images
        (batch, channels, height, width).
    sigma
        Standard deviation of the Gaussian, in pixels, of one element.
    axis
        2 or 3.
    radius
        The Gaussian is cut off after so many pixels; an integer, or an array of one element and
        the integer that it never exceeds.
    """
    most = radius[1] if isinstance(radius, tuple) else radius
    n = images.shape[axis]
    offsets = numpy.arange(-most, most + 1).astype(images.dtype)
    between = numpy.abs(numpy.arange(n)[:, None] - numpy.arange(n)[None, :]).astype(images.dtype)
    sigma = sigma.reshape((1, 1))

    def weights(distances: numpy.ndarray) -> Any:
        out = exp(-0.5 * (distances / sigma) ** 2)
        if isinstance(radius, tuple):
            return out * (numpy.abs(distances) <= radius[0].reshape((1, 1)))
        return out * (numpy.abs(distances) <= radius).astype(images.dtype)

    matrix = weights(between) / weights(offsets[None]).sum()
    return multiplied_along(images, matrix, axis)


class RandomGaussianBlur(Tonal):
    """Blurs some images with a Gaussian of random width, the same for a whole batch.

    Parameters
    ----------
    factor
        The probability is drawn from 0 to this; a pair is the two ends.
    kernel_size
        Odd number of pixels, or one for width and one for height.
    sigma
        The standard deviations of both axes are drawn from 0 to this, or between a pair.
    value_range
        What the results are clipped to.
    data_format
        As in `Conv2D`.
    seed
        As in `RandomRotation`.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import RandomGaussianBlur
    >>> layer = RandomGaussianBlur((1, 1), sigma=(1, 1), value_range=(0, 1))
    >>> layer(np.array([[[[0., 0., 0.], [0., 1., 0.], [0., 0., 0.]]]]), training=True).round(3)
    array([[[[0.075, 0.124, 0.075],
             [0.124, 0.204, 0.124],
             [0.075, 0.124, 0.075]]]])
    """

    def __init__(
        self,
        factor: Any = 1.0,
        kernel_size: Any = 3,
        sigma: Any = 1.0,
        value_range: Any = (0, 255),
        data_format: str | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(value_range, seed=seed, data_format=data_format, **kwargs)
        self.factor = share_of(factor, "RandomGaussianBlur: factor")
        self.sigma = share_of(sigma, "RandomGaussianBlur: sigma")
        sizes = (kernel_size,) * 2 if isinstance(kernel_size, int) else tuple(kernel_size)
        self.kernel_size = tuple(positive(n, "RandomGaussianBlur: kernel_size") for n in sizes)
        if len(sizes) != 2 or not all(n % 2 for n in self.kernel_size):
            raise ValueError(
                "RandomGaussianBlur: expected an odd kernel_size, or two of them, "
                f"got {kernel_size!r}"
            )

    def _drawn_for(self, images: Any) -> dict[str, Any]:
        return {
            "should_apply_blur": self._chosen(images, self.factor),
            "blur_factor": random.uniform((2,), *self.sigma, images.dtype) + 1e-6,
        }

    def _applied(self, images: Any, transformation: Any) -> Any:
        if transformation is None:
            return images
        sigma = transformation["blur_factor"]
        out = blurred(images, sigma[0:1], 3, self.kernel_size[0] // 2)
        out = blurred(out, sigma[1:2], 2, self.kernel_size[1] // 2)
        return clip(either(transformation["should_apply_blur"], out, images), *self.value_range)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer."""
        return {
            **super().get_config(),
            "factor": list(self.factor),
            "kernel_size": list(self.kernel_size),
            "sigma": list(self.sigma),
        }


class RandomSharpness(Tonal):
    """Makes images sharper or softer, by a random amount.

    Parameters
    ----------
    factor
        How sharp is drawn from 0 to this, or between a pair: 0 is a blurred image, 0.5 the image as
        it is, 1 a sharpened one.
    value_range
        What the results are clipped to.
    data_format
        As in `Conv2D`.
    seed
        As in `RandomRotation`.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import RandomSharpness
    >>> RandomSharpness((0, 0))(np.full((1, 1, 3, 3), 13.), training=True)[0, 0].round(3)
    array([[ 8., 10.,  8.],
           [10., 13., 10.],
           [ 8., 10.,  8.]])
    """

    def __init__(
        self,
        factor: Any,
        value_range: Any = (0, 255),
        data_format: str | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(value_range, seed=seed, data_format=data_format, **kwargs)
        self.factor = share_of(factor, "RandomSharpness: factor")

    def _drawn_for(self, images: Any) -> dict[str, Any]:
        return {"factor": self._each(images, *self.factor)}

    def _applied(self, images: Any, transformation: Any) -> Any:
        around = images
        for axis in (2, 3):
            n = images.shape[axis]
            near = numpy.abs(numpy.arange(n)[:, None] - numpy.arange(n)[None, :]) <= 1
            around = multiplied_along(around, near.astype(images.dtype), axis)
        # The kernel has 1/13 everywhere but 5/13 in the middle.
        smooth = (around + 4.0 * images) * (1.0 / 13.0)
        sharp = 2.0 * for_images(transformation["factor"])
        return clip(images + (1.0 - sharp) * (smooth - images), *self.value_range)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer."""
        return {**super().get_config(), "factor": list(self.factor)}
