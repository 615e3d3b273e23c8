"""Layers that change how light pixels are, each channel by itself."""

from __future__ import annotations

from typing import Any

import numpy

from minpy import random
from minpy.layers.preprocessing.transformations import Tonal, either, for_images, share_of
from minpy.numpy.elementwise import clip, floor, where

__all__ = ["AutoContrast", "RandomInvert", "RandomPosterization", "Solarization", "Unseeded"]


class Unseeded(Tonal):
    """Base of the layers that draw nothing, and work at test time too."""

    def __init__(self, value_range: Any, data_format: str | None, **kwargs: Any) -> None:
        super().__init__(value_range, data_format=data_format, **kwargs)

    def _at_test(self, images: Any) -> Any:
        return self._applied(images, None)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer."""
        config = super().get_config()
        del config["seed"]
        return config


class AutoContrast(Unseeded):
    """Stretches each channel of each image over the whole value range, at test time too.

    Parameters
    ----------
    value_range
        The lowest and the highest value of pixels.
    data_format
        As in `Conv2D`.

    Notes
    -----
    Keras 3.15 looks for extremes along the axes 1 and 2 in ``'channels_first'`` too, which are the
    channels and the height; here they are height and width in both formats.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import AutoContrast
    >>> AutoContrast(value_range=(0, 1))(np.array([[[[0.2, 0.4, 0.6]]]])).round(3)
    array([[[[0. , 0.5, 1. ]]]])
    """

    def __init__(
        self, value_range: Any = (0, 255), data_format: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(value_range, data_format, **kwargs)

    def _applied(self, images: Any, transformation: Any) -> Any:
        low = images.min(axis=(2, 3), keepdims=True)
        width = images.max(axis=(2, 3), keepdims=True) - low
        flat = width == 0  # a channel of one value stays
        least, most = self.value_range
        scale = (most - least) / where(flat, 1.0, width)
        return where(flat, images, clip((images - low) * scale + least, least, most))


class Solarization(Tonal):
    """Inverts the pixels from a random threshold on, after adding a random number.

    Parameters
    ----------
    addition_factor, threshold_factor
        Largest number added, and largest threshold, as parts of the value range; a pair is the two
        ends.
    value_range
        The lowest and the highest value of pixels.
    seed
        As in `RandomRotation`.
    data_format
        As in `Conv2D`.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import Solarization
    >>> Solarization()(np.array([[[[0., 100., 255.]]]]), training=True)
    array([[[[255., 155.,   0.]]]])
    """

    def __init__(
        self,
        addition_factor: Any = 0.0,
        threshold_factor: Any = 0.0,
        value_range: Any = (0, 255),
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(value_range, seed=seed, data_format=data_format, **kwargs)
        self.addition_factor = share_of(addition_factor, "Solarization: addition_factor")
        self.threshold_factor = share_of(threshold_factor, "Solarization: threshold_factor")

    def _drawn_for(self, images: Any) -> dict[str, Any]:
        # The lower ends are in the units of pixels, as they are in Keras.
        return {
            name: self._drawn(images, factor[0], factor[1] * 255)
            for name, factor in (
                ("additions", self.addition_factor),
                ("thresholds", self.threshold_factor),
            )
        }

    def _applied(self, images: Any, transformation: Any) -> Any:
        if transformation is None:
            return images
        lit = clip(self._as_bytes(images) + for_images(transformation["additions"]), 0, 255)
        below = lit < for_images(transformation["thresholds"])
        return self._from_bytes(where(below, lit, 255 - lit))

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer."""
        return {
            **super().get_config(),
            "addition_factor": list(self.addition_factor),
            "threshold_factor": list(self.threshold_factor),
        }


class RandomInvert(Tonal):
    """Makes negatives of some images: the highest value less each pixel.

    Parameters
    ----------
    factor
        The probability is drawn from 0 to this; a pair is the two ends.
    value_range
        The lowest and the highest value of pixels.
    seed
        As in `RandomRotation`.
    data_format
        As in `Conv2D`.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import RandomInvert
    >>> RandomInvert((1, 1))(np.array([[[[0., 55., 255.]]]]), training=True)
    array([[[[255., 200.,   0.]]]])
    """

    def __init__(
        self,
        factor: Any = 1.0,
        value_range: Any = (0, 255),
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(value_range, seed=seed, data_format=data_format, **kwargs)
        self.factor = share_of(factor, "RandomInvert: factor")

    def _drawn_for(self, images: Any) -> dict[str, Any]:
        return {"apply_inversion": self._chosen(images, self.factor)}

    def _applied(self, images: Any, transformation: Any) -> Any:
        return either(transformation["apply_inversion"], self.value_range[1] - images, images)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer."""
        return {**super().get_config(), "factor": list(self.factor)}


class RandomPosterization(Tonal):
    """Keeps a random number of each pixel's eight bits, the highest ones.

    Parameters
    ----------
    factor
        The number of bits is drawn from 1 to below this; of a pair, from the first to below the
        second, or it is both.
    value_range
        The lowest and the highest value of pixels.
    seed
        As in `RandomRotation`.
    data_format
        As in `Conv2D`.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import RandomPosterization
    >>> RandomPosterization((2, 2))(np.array([[[[63., 64., 255.]]]]), training=True)
    array([[[[  0.,  64., 192.]]]])
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
        self.factor = share_of(factor, "RandomPosterization: factor", 1, 8)

    def _drawn_for(self, images: Any) -> dict[str, Any]:
        least, most = self.factor
        shape = (images.shape[0],)
        if least == most:
            return {"shift_factor": numpy.full(shape, 8 - least, images.dtype)}
        return {"shift_factor": 8 - floor(random.uniform(shape, least, most, images.dtype))}

    def _applied(self, images: Any, transformation: Any) -> Any:
        step = 2.0 ** for_images(transformation["shift_factor"])
        return self._from_bytes(floor(floor(self._as_bytes(images)) / step) * step)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer."""
        return {**super().get_config(), "factor": list(self.factor)}
