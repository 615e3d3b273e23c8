"""A layer that erases a random part of images, and the boxes that it shares with CutMix."""

from __future__ import annotations

from typing import Any

import numpy

from minpy import random
from minpy.layers.preprocessing.transformations import Tonal, either, share_of
from minpy.numpy.elementwise import clip, sqrt, where

__all__ = ["RandomErasing", "drawn_side", "inside"]


def drawn_side(share: Any, length: int) -> tuple[Any, Any]:
    """Return where boxes that take a share of a side start and end, at random; (batch,)."""
    box = share * length
    start = random.uniform(share.shape, dtype=share.dtype) * (length - box)
    return start, start + box


def inside(images: Any, across: tuple[Any, Any], down: tuple[Any, Any]) -> Any:
    """Return which pixels lie in boxes: (batch, channels, height, width)."""
    found = numpy.ones(images.shape, images.dtype)
    for axis, ends in ((2, down), (3, across)):
        shape = [1, 1, 1, 1]
        shape[axis] = images.shape[axis]
        places = numpy.arange(images.shape[axis], dtype=images.dtype).reshape(shape)
        start, end = (e.reshape((-1, 1, 1, 1)) for e in ends)
        found = where(places >= start, where(places < end, found, 0.0), 0.0)
    return found > 0.5


class RandomErasing(Tonal):
    """Replaces a random box of some images by a value, or by noise.

    Parameters
    ----------
    factor
        The probability is drawn from 0 to this; a pair is the two ends.
    scale
        The square of the box' share of each side is drawn between these.
    fill_value
        A number, or three for the channels; None draws from a normal distribution.
    value_range
        The lowest and the highest value of pixels; what is filled in is clipped to it.
    seed
        As in `RandomRotation`.
    data_format
        As in `Conv2D`.

    Notes
    -----
    Zhong et al., "Random erasing data augmentation", 2020.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import RandomErasing
    >>> layer = RandomErasing((1, 1), scale=(1, 1), fill_value=7)
    >>> layer(np.zeros((1, 1, 1, 3)), training=True)
    array([[[[7., 7., 7.]]]])
    """

    _LIKE_IMAGES = ("batch_masks", "fill_value")

    def __init__(
        self,
        factor: Any = 1.0,
        scale: Any = (0.02, 0.33),
        fill_value: Any = None,
        value_range: Any = (0, 255),
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(value_range, seed=seed, data_format=data_format, **kwargs)
        self.factor = share_of(factor, "RandomErasing: factor")
        self.scale = share_of(scale, "RandomErasing: scale")
        if fill_value is not None and not isinstance(fill_value, int | float):
            fill_value = [float(v) for v in fill_value]
            if len(fill_value) != 3:
                raise ValueError(
                    "RandomErasing: expected a fill_value of one number, of three or None, "
                    f"got {fill_value!r}"
                )
        self.fill_value = fill_value

    def _drawn_for(self, images: Any) -> dict[str, Any]:
        height, width = images.shape[2:]
        across = drawn_side(sqrt(self._each(images, *self.scale)), width)
        down = drawn_side(sqrt(self._each(images, *self.scale)), height)
        chosen = self._chosen(images, self.factor)
        if self.fill_value is None:
            fill = random.normal(images.shape, dtype=images.dtype) * self.value_range[1]
        else:
            fill = numpy.array(self.fill_value, images.dtype).reshape((1, -1, 1, 1))
            fill = numpy.broadcast_to(fill, images.shape)
        return {
            "apply_erasing": chosen,
            "batch_masks": inside(images, across, down),
            "fill_value": clip(fill, *self.value_range),
        }

    def _applied(self, images: Any, transformation: Any) -> Any:
        erased = where(transformation["batch_masks"], transformation["fill_value"], images)
        return either(transformation["apply_erasing"], erased, images)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer."""
        return {
            **super().get_config(),
            "factor": list(self.factor),
            "scale": list(self.scale),
            "fill_value": self.fill_value,
        }
