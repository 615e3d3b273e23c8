"""Layers that change the colours of images of red, green and blue."""

from __future__ import annotations

from typing import Any

from minpy.config import epsilon
from minpy.errors import ShapeError
from minpy.layers.preprocessing.transformations import (
    Tonal,
    TransformingLayer,
    either,
    for_images,
    share_of,
)
from minpy.numpy.elementwise import clip, floor, maximum, minimum, where
from minpy.numpy.shaping import concatenate

__all__ = ["RandomColorDegeneration", "RandomGrayscale", "RandomHue", "RandomSaturation"]


def _planes(images: Any) -> tuple[Any, Any, Any]:
    return images[:, 0:1], images[:, 1:2], images[:, 2:3]


def _grey(images: Any) -> Any:
    """Return the luma of Rec. 601 of images, in one channel."""
    if images.shape[1] == 1:
        return images
    red, green, blue = _planes(images)
    return 0.2989 * red + 0.587 * green + 0.114 * blue


def _to_hsv(images: Any) -> tuple[Any, Any, Any]:
    """Return hue, saturation and value (Smith, "Color gamut transform pairs", 1978)."""
    red, green, blue = _planes(images)
    value = maximum(maximum(red, green), blue)
    spread = value - minimum(minimum(red, green), blue)
    saturation = where(value > 0, spread / where(value > 0, value, 1.0), 0.0)
    sixth = 1.0 / (6.0 * where(spread > 0, spread, 1.0))
    hue = where(value == green, sixth * (blue - red) + 2.0 / 6.0, sixth * (red - green) + 4.0 / 6.0)
    hue = where(value == red, sixth * (green - blue), hue)
    return where(hue < 0, hue + 1.0, hue) * (spread > 0), saturation, value


def _from_hsv(hue: Any, saturation: Any, value: Any) -> Any:
    """Return images of a hue, a saturation and a value."""
    place = (hue - floor(hue)) * 6.0
    pure = (
        clip(abs(place - 3.0) - 1.0, 0.0, 1.0),
        clip(2.0 - abs(place - 2.0), 0.0, 1.0),
        clip(2.0 - abs(place - 4.0), 0.0, 1.0),
    )
    return concatenate([value * (1.0 - saturation + saturation * p) for p in pure], axis=1)


class _OfColours(TransformingLayer):
    _CHANNELS: tuple[int, ...] = (3,)

    def check_input(self, shape: Any) -> None:
        """Raise `ShapeError` unless the input is images of red, green and blue."""
        super().check_input(shape)
        images = shape["images"] if isinstance(shape, dict) else shape
        channels = images[-3 if self.data_format == "channels_first" else -1]
        if channels is not None and channels not in self._CHANNELS:
            raise ShapeError(
                f"{type(self).__name__} {self.name!r}: expected images of "
                f"{' or '.join(map(str, self._CHANNELS))} channels ({self.data_format}), "
                f"got {images}"
            )


class _Coloured(_OfColours, Tonal):
    """Base of the layers that have a factor and a value range."""

    _BOUNDS = (-1.0, 1.0)

    def __init__(
        self,
        factor: Any,
        value_range: Any = (0, 255),
        data_format: str | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(value_range, seed=seed, data_format=data_format, **kwargs)
        self.factor = share_of(factor, f"{type(self).__name__}: factor", *self._BOUNDS)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer."""
        return {**super().get_config(), "factor": list(self.factor)}


class RandomColorDegeneration(_Coloured):
    """Takes some of the colour out of images.

    Parameters
    ----------
    factor
        How much is drawn from the negative of this to this, or between a pair: 0 leaves images as
        they are, 1 makes them grey, below 0 colours are stronger.
    value_range
        What the results are clipped to.
    data_format
        As in `Conv2D`.
    seed
        As in `RandomRotation`.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import RandomColorDegeneration
    >>> layer = RandomColorDegeneration((1, 1))
    >>> layer(np.array([100., 0., 0.]).reshape(1, 3, 1, 1), training=True).ravel().round(2)
    array([29.89, 29.89, 29.89])
    """

    _CHANNELS = (1, 3)

    def _drawn_for(self, images: Any) -> dict[str, Any]:
        return {"factor": self._drawn(images, *self.factor)}

    def _applied(self, images: Any, transformation: Any) -> Any:
        mixed = images + for_images(transformation["factor"]) * (_grey(images) - images)
        return clip(mixed, *self.value_range)


class RandomHue(_Coloured):
    """Turns the hue of images by a random part of half the circle, either way.

    Parameters
    ----------
    factor
        How far is drawn from 0 to this, or between a pair; 1 is half the circle.
    value_range
        The lowest and the highest value of pixels.
    data_format
        As in `Conv2D`.
    seed
        As in `RandomRotation`.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import RandomHue
    >>> layer = RandomHue((1, 1))
    >>> layer(np.array([255., 0., 0.]).reshape(1, 3, 1, 1), training=True).ravel()
    array([  0., 255., 255.])
    """

    _BOUNDS = (0.0, 1.0)

    def _drawn_for(self, images: Any) -> dict[str, Any]:
        sign = where(self._each(images) > 0.5, -1.0, 1.0)
        return {"factor": sign * self._each(images, *self.factor) * 0.5}

    def _applied(self, images: Any, transformation: Any) -> Any:
        low, high = self.value_range
        hue, saturation, value = _to_hsv((images - low) * (1.0 / (high - low)))
        turned = _from_hsv(hue + for_images(transformation["factor"]), saturation, value)
        return clip(turned, 0.0, 1.0) * (high - low) + low


class RandomSaturation(_Coloured):
    """Multiplies the saturation of images by a random number.

    Parameters
    ----------
    factor
        A number f is drawn from the negative of this to this, or between a pair, and the saturation
        multiplied by ``f / (1 - f)``: 0 makes images grey, 0.5 leaves them as they are, 1 makes
        the colours as strong as can be.
    value_range
        What the saturation is clipped to.
    data_format
        As in `Conv2D`.
    seed
        As in `RandomRotation`.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import RandomSaturation
    >>> layer = RandomSaturation((0, 0))
    >>> layer(np.array([100., 50., 0.]).reshape(1, 3, 1, 1), training=True).ravel()
    array([100., 100., 100.])
    """

    def _drawn_for(self, images: Any) -> dict[str, Any]:
        drawn = self._each(images, *self.factor)
        return {"factor": drawn / (1.0 - drawn + epsilon())}

    def _applied(self, images: Any, transformation: Any) -> Any:
        hue, saturation, value = _to_hsv(images)
        stronger = saturation * for_images(transformation["factor"])
        return _from_hsv(hue, clip(stronger, *self.value_range), value)


class RandomGrayscale(_OfColours):
    """Makes some images grey; they keep their channels.

    Parameters
    ----------
    factor
        The probability.
    data_format
        As in `Conv2D`.
    seed
        As in `RandomRotation`.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import RandomGrayscale
    >>> layer = RandomGrayscale(1.0)
    >>> layer(np.array([100., 0., 0.]).reshape(1, 3, 1, 1), training=True).ravel().round(2)
    array([29.89, 29.89, 29.89])
    """

    _CHANNELS = (1, 3)

    def __init__(
        self,
        factor: float = 0.5,
        data_format: str | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(seed=seed, data_format=data_format, **kwargs)
        if not isinstance(factor, int | float) or not 0 <= factor <= 1:
            raise ValueError(f"RandomGrayscale: expected a factor from 0 to 1, got {factor!r}")
        self.factor = float(factor)

    def _drawn_for(self, images: Any) -> dict[str, Any]:
        return {"should_apply": self._each(images) < self.factor}

    def _applied(self, images: Any, transformation: Any) -> Any:
        grey = _grey(images) + images * 0.0
        return either(transformation["should_apply"], grey, images)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer."""
        return {**super().get_config(), "factor": self.factor}
