"""Random changes of images while a model trains: what makes a small data set larger."""

from __future__ import annotations

from math import pi
from typing import Any

import numpy

from minpy import random
from minpy.arguments import also_by_place
from minpy.layers.convolutional.base import positive
from minpy.layers.functions.resampling import multiplied_along
from minpy.layers.functions.sampling import FILL_MODES, METHODS, sampled
from minpy.layers.images import one_of
from minpy.layers.preprocessing.image_layer import RandomImageLayer, bounds_of
from minpy.layers.preprocessing.resizing import fitting_part, resized
from minpy.numpy.elementwise import clip, cos, equal, floor, sin, where

__all__ = [
    "RandomBrightness",
    "RandomContrast",
    "RandomCrop",
    "RandomFlip",
    "RandomRotation",
    "RandomTranslation",
    "RandomZoom",
]

_FLIPS = {"horizontal": (3,), "vertical": (2,), "horizontal_and_vertical": (3, 2)}


class RandomFlip(RandomImageLayer):
    """Mirrors each image, or doesn't, with equal probability.

    Parameters
    ----------
    mode
        ``'horizontal'``: left and right change places. ``'vertical'``: top and bottom.
        ``'horizontal_and_vertical'``: each of the two by itself.
    seed
        As in `RandomRotation`.
    data_format
        As in `Conv2D`.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import RandomFlip
    >>> RandomFlip('horizontal', seed=3)(np.array([[[[1., 2.]]]]), training=False)
    array([[[[1., 2.]]]])
    """

    def __init__(
        self,
        mode: str = "horizontal_and_vertical",
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(seed=seed, data_format=data_format, **kwargs)
        self.mode = one_of(mode, tuple(_FLIPS), "RandomFlip: mode")

    def _transformed(self, images: Any) -> Any:
        for axis in _FLIPS[self.mode]:
            flipped = images[(slice(None),) * axis + (slice(None, None, -1),)]
            chosen = self._drawn(images, 0.0, 1.0) < 0.5
            images = where(chosen, flipped, images)
        return images

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer."""
        return {**super().get_config(), "mode": self.mode}


class _Moving(RandomImageLayer):
    """Base of the layers whose pixels come from other places of the image."""

    def __init__(
        self,
        fill_mode: str,
        interpolation: str,
        seed: int | None,
        fill_value: float,
        data_format: str | None,
        **kwargs: Any,
    ) -> None:
        super().__init__(seed=seed, data_format=data_format, **kwargs)
        kind = type(self).__name__
        self.fill_mode = one_of(fill_mode, FILL_MODES, f"{kind}: fill_mode")
        self.interpolation = one_of(interpolation, METHODS, f"{kind}: interpolation")
        self.fill_value = float(fill_value)

    def _transformed(self, images: Any) -> Any:
        height, width = images.shape[2:]
        rows = numpy.arange(height, dtype=images.dtype)[:, None]
        columns = numpy.arange(width, dtype=images.dtype)[None, :]
        from_rows, from_columns = self._places(images, rows, columns)
        still = numpy.zeros((height, width), images.dtype)
        return sampled(
            images,
            from_rows + still,
            from_columns + still,
            self.fill_mode,
            self.interpolation,
            self.fill_value,
        )

    def _places(self, images: Any, rows: Any, columns: Any) -> tuple[Any, Any]:
        """Return where the pixels at rows and columns come from, (batch, height, width)."""
        raise NotImplementedError

    def _drawn(self, images: Any, low: float, high: float) -> Any:
        return random.uniform((images.shape[0], 1, 1), low, high, images.dtype)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer."""
        return {
            **super().get_config(),
            "fill_mode": self.fill_mode,
            "interpolation": self.interpolation,
            "fill_value": self.fill_value,
        }


class RandomRotation(_Moving):
    """Turns each image about its middle by a random angle.

    Parameters
    ----------
    factor
        Largest angle as a part of a full turn, either way: 0.1 is 36 degrees. A pair is the two
        ends; positive angles turn against the clock.
    fill_mode
        What lies beyond the edges: ``'reflect'`` (d c b a | a b c d), ``'wrap'`` (a b c d | a b c
        d), ``'nearest'`` (a a a a | a b c d) or ``'constant'``.
    interpolation
        ``'nearest'`` or ``'bilinear'``.
    seed
        Makes calls outside of a training model repeat: call n draws from the seed and n. While a
        model trains, its own seed and step decide, so that a run can be repeated and resumed.
    fill_value
        For ``fill_mode='constant'``.
    data_format
        As in `Conv2D`.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import RandomRotation
    >>> quarter = RandomRotation((0.25, 0.25))
    >>> quarter(np.array([[[[1., 2.], [3., 4.]]]]), training=True).round(3)
    array([[[[2., 4.],
             [1., 3.]]]])
    """

    def __init__(
        self,
        factor: Any,
        fill_mode: str = "reflect",
        interpolation: str = "bilinear",
        seed: int | None = None,
        fill_value: float = 0.0,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(fill_mode, interpolation, seed, fill_value, data_format, **kwargs)
        self.factor = bounds_of(factor, "RandomRotation: factor", -1, 1)

    def _places(self, images: Any, rows: Any, columns: Any) -> tuple[Any, Any]:
        angle = self._drawn(images, *(2 * pi * f for f in self.factor))
        turned, straight = sin(angle), cos(angle)
        down, across = (images.shape[2] - 1) / 2, (images.shape[3] - 1) / 2
        rows, columns = rows - down, columns - across
        return (
            turned * columns + straight * rows + down,
            straight * columns - turned * rows + across,
        )

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer."""
        return {**super().get_config(), "factor": list(self.factor)}


class RandomZoom(_Moving):
    """Makes each image larger or smaller about its middle, at random.

    Parameters
    ----------
    height_factor
        Largest change of the height that is seen, as a part of it: positive sees more, so things
        get smaller. A number stands for both signs, a pair is the two ends.
    width_factor
        The same of the width; None keeps the aspect ratio.
    fill_mode, interpolation, seed, fill_value, data_format
        As in `RandomRotation`.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import RandomZoom
    >>> twice = RandomZoom((-0.5, -0.5))
    >>> twice(np.array([[[[0., 2., 4.], [0., 2., 4.], [0., 2., 4.]]]]), training=True)[0, 0, 0]
    array([1., 2., 3.])
    """

    def __init__(
        self,
        height_factor: Any,
        width_factor: Any = None,
        fill_mode: str = "reflect",
        interpolation: str = "bilinear",
        seed: int | None = None,
        fill_value: float = 0.0,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(fill_mode, interpolation, seed, fill_value, data_format, **kwargs)
        self.height_factor = bounds_of(height_factor, "RandomZoom: height_factor", -0.9999, 1)
        self.width_factor = None
        if width_factor is not None:
            self.width_factor = bounds_of(width_factor, "RandomZoom: width_factor", -0.9999, 1)

    def _places(self, images: Any, rows: Any, columns: Any) -> tuple[Any, Any]:
        tall = wide = self._drawn(images, *(1 + f for f in self.height_factor))
        if self.width_factor is not None:
            wide = self._drawn(images, *(1 + f for f in self.width_factor))
        down, across = (images.shape[2] - 1) / 2, (images.shape[3] - 1) / 2
        return tall * (rows - down) + down, wide * (columns - across) + across

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer."""
        width = self.width_factor
        return {
            **super().get_config(),
            "height_factor": list(self.height_factor),
            "width_factor": None if width is None else list(width),
        }


class RandomTranslation(_Moving):
    """Moves each image up or down and left or right, at random.

    Parameters
    ----------
    height_factor, width_factor
        Largest distances as parts of height and width, either way; positive is down, and right. A
        pair is the two ends.
    fill_mode, interpolation, seed, fill_value, data_format
        As in `RandomRotation`.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import RandomTranslation
    >>> right = RandomTranslation(0, (0.5, 0.5), fill_mode='constant')
    >>> right(np.array([[[[1., 2.], [3., 4.]]]]), training=True)
    array([[[[0., 1.],
             [0., 3.]]]])
    """

    def __init__(
        self,
        height_factor: Any,
        width_factor: Any,
        fill_mode: str = "reflect",
        interpolation: str = "bilinear",
        seed: int | None = None,
        fill_value: float = 0.0,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(fill_mode, interpolation, seed, fill_value, data_format, **kwargs)
        self.height_factor = bounds_of(height_factor, "RandomTranslation: height_factor", -1, 1)
        self.width_factor = bounds_of(width_factor, "RandomTranslation: width_factor", -1, 1)

    def _places(self, images: Any, rows: Any, columns: Any) -> tuple[Any, Any]:
        height, width = images.shape[2:]
        down = self._drawn(images, *(f * height for f in self.height_factor))
        right = self._drawn(images, *(f * width for f in self.width_factor))
        return rows - down, columns - right

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer."""
        return {
            **super().get_config(),
            "height_factor": list(self.height_factor),
            "width_factor": list(self.width_factor),
        }


class RandomCrop(RandomImageLayer):
    """Cuts a part of a size out of images, at a random place that is the same for a whole batch.

    Parameters
    ----------
    height, width
        The size.
    seed
        As in `RandomRotation`.
    data_format
        As in `Conv2D`.

    Notes
    -----
    At test time, and where an image is too small, it is the largest middle part with the aspect
    ratio of the size, resampled to it.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import RandomCrop
    >>> RandomCrop(2, 3)(np.zeros((4, 3, 8, 8)), training=True).shape
    (4, 3, 2, 3)
    """

    @also_by_place(name=None)
    def __init__(
        self,
        height: int,
        width: int,
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(seed=seed, data_format=data_format, **kwargs)
        self.height = positive(height, "RandomCrop: height")
        self.width = positive(width, "RandomCrop: width")

    def _at_test(self, images: Any) -> Any:
        part = fitting_part(images, self.height, self.width)
        return resized(part, self.height, self.width)

    def _transformed(self, images: Any) -> Any:
        sides = images.shape[2:]
        if any(n < after for n, after in zip(sides, (self.height, self.width), strict=True)):
            return self._at_test(images)
        # A graph has no slices that start where a draw says, so rows and columns are picked by
        # products with matrices of zeros and ones.
        for axis, after in ((2, self.height), (3, self.width)):
            n = images.shape[axis]
            start = floor(random.uniform((1, 1), 0.0, n - after + 1, images.dtype))
            places = numpy.arange(n)[:, None] - numpy.arange(after)[None, :]
            picks = equal(places.astype(images.dtype), start).astype(images.dtype)
            images = multiplied_along(images, picks, axis)
        return images

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shape of the output."""
        return self._with_sides(input_shape, self.height, self.width)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer."""
        return {**super().get_config(), "height": self.height, "width": self.width}


class _Toning(RandomImageLayer):
    """Base of the layers whose pixels keep their places and stay in a range."""

    def __init__(
        self, value_range: Any, seed: int | None, data_format: str | None, **kwargs: Any
    ) -> None:
        super().__init__(seed=seed, data_format=data_format, **kwargs)
        ends = tuple(float(v) for v in value_range)
        if len(ends) != 2 or ends[0] >= ends[1]:
            raise ValueError(
                f"{type(self).__name__}: expected a value_range (lowest, highest), "
                f"got {value_range!r}"
            )
        self.value_range = ends

    def _transformed(self, images: Any) -> Any:
        return clip(self._toned(images), *self.value_range)

    def _toned(self, images: Any) -> Any:
        raise NotImplementedError

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer."""
        return {**super().get_config(), "value_range": list(self.value_range)}


class RandomContrast(_Toning):
    """Moves the pixels of each image away from their channel's mean, or towards it.

    Parameters
    ----------
    factor
        The distance is multiplied by a number from ``1 - factor`` to ``1 + factor``; a pair
        (lower, upper) has one for each end.
    value_range
        What the results are clipped to.
    seed
        As in `RandomRotation`.
    data_format
        As in `Conv2D`.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import RandomContrast
    >>> layer = RandomContrast(0.5, value_range=(0, 1), seed=1)
    >>> layer(np.full((1, 1, 2, 2), 0.25), training=True)
    array([[[[0.25, 0.25],
             [0.25, 0.25]]]])
    """

    def __init__(
        self,
        factor: Any,
        value_range: Any = (0, 255),
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(value_range, seed, data_format, **kwargs)
        pair = (factor, factor) if isinstance(factor, int | float) else tuple(factor)
        if len(pair) != 2 or not all(0 <= f <= 1 for f in pair):
            raise ValueError(
                f"RandomContrast: expected a factor from 0 to 1, or two of them, got {factor!r}"
            )
        self.factor = tuple(float(f) for f in pair)

    def _toned(self, images: Any) -> Any:
        drawn = self._drawn(images, 1 - self.factor[0], 1 + self.factor[1])
        mean = images.mean(axis=(2, 3), keepdims=True)
        return (images - mean) * drawn + mean

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer."""
        return {**super().get_config(), "factor": list(self.factor)}


class RandomBrightness(_Toning):
    """Makes each image lighter or darker by a random amount.

    Parameters
    ----------
    factor
        Largest amount as a part of the value range, either way; a pair is the two ends.
    value_range
        What the pixels are in, and the results are clipped to.
    seed
        As in `RandomRotation`.
    data_format
        As in `Conv2D`.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import RandomBrightness
    >>> layer = RandomBrightness((0.25, 0.25), value_range=(0, 1))
    >>> layer(np.array([[[[0., 0.5, 1.]]]]), training=True)
    array([[[[0.25, 0.75, 1.  ]]]])
    """

    def __init__(
        self,
        factor: Any,
        value_range: Any = (0, 255),
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(value_range, seed, data_format, **kwargs)
        self.factor = bounds_of(factor, "RandomBrightness: factor", -1, 1)

    def _toned(self, images: Any) -> Any:
        low, high = self.value_range
        return images + self._drawn(images, *(f * (high - low) for f in self.factor))

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer."""
        return {**super().get_config(), "factor": list(self.factor)}
