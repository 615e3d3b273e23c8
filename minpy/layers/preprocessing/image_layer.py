"""The base of layers that change images, in batches or alone; knows no transform."""

from __future__ import annotations

from typing import Any

from minpy import random
from minpy.errors import ShapeError
from minpy.layers.images import data_format_of, from_channels_first, to_channels_first
from minpy.layers.layer import Layer

__all__ = ["ImageLayer", "RandomImageLayer", "bounds_of"]


def bounds_of(factor: Any, what: str, least: float, most: float) -> tuple[float, float]:
    """Return the lower and upper end of a factor: of a number those of both its signs."""
    pair = (-abs(factor), abs(factor)) if isinstance(factor, int | float) else tuple(factor)
    if len(pair) != 2 or not all(least <= f <= most for f in pair):
        raise ValueError(
            f"{what}: expected a number from {least} to {most}, or two of them, got {factor!r}"
        )
    return float(min(pair)), float(max(pair))


class ImageLayer(Layer):
    """A layer of images (batch, channels, height, width), or of one without the batch axis."""

    def __init__(self, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.data_format = data_format_of(data_format, type(self).__name__)

    def check_input(self, shape: Any) -> None:
        """Raise `ShapeError` unless the input is a batch of images, or one image."""
        if not isinstance(shape, tuple) or len(shape) not in (3, 4):
            first = self.data_format == "channels_first"
            axes = "channels, height, width" if first else "height, width, channels"
            raise ShapeError(
                f"{type(self).__name__} {self.name!r}: expected images of shape (batch, {axes}), "
                f"or one without the batch axis ({self.data_format}), got {shape}"
            )

    def _sides(self, shape: Any) -> tuple[int, int]:
        return tuple(shape[-2:] if self.data_format == "channels_first" else shape[-3:-1])

    def _with_sides(self, shape: Any, height: int | None, width: int | None) -> tuple:
        shape = tuple(shape)
        if self.data_format == "channels_first":
            return (*shape[:-2], height, width)
        return (*shape[:-3], height, width, shape[-1])

    def call(self, x: Any, training: bool = False) -> Any:
        """Compute the output."""
        self.check_input(x.shape)
        if x.dtype.kind != "f":
            x = x.astype(self.dtype)
        alone = x.ndim == 3
        images = to_channels_first(x.reshape((1, *x.shape)) if alone else x, self.data_format)
        images = from_channels_first(self._changed(images, training), self.data_format)
        return images.reshape(images.shape[1:]) if alone else images

    def _changed(self, images: Any, training: bool) -> Any:
        """Return what becomes of images (batch, channels, height, width)."""
        raise NotImplementedError

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shape of the output."""
        return tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer."""
        return {**super().get_config(), "data_format": self.data_format}


class RandomImageLayer(ImageLayer):
    """A layer that changes images at random while training, each one otherwise.

    Called on data without `training`, outside of ``evaluate`` and ``predict``, it changes them too:
    that is how a data set is augmented. What it draws follows from the seed and the step of the
    model that trains. Called outside of any, its n-th call draws from `seed` and n if it has a
    seed, else from minpy's global seed.
    """

    def __init__(self, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.seed = seed
        self._calls = 0

    def call(self, x: Any, training: bool = True) -> Any:
        """Compute the output."""
        return super().call(x, training)

    def _changed(self, images: Any, training: bool) -> Any:
        if not training:
            return self._at_test(images)
        if self.seed is None or random.in_scope():
            return self._transformed(images)
        self._calls += 1
        with random.scope(self.seed, self._calls - 1):
            return self._transformed(images)

    def _at_test(self, images: Any) -> Any:
        return images

    def _transformed(self, images: Any) -> Any:
        """Return images (batch, channels, height, width) changed at random."""
        raise NotImplementedError

    def _drawn(self, images: Any, low: float, high: float) -> Any:
        """Draw a number for each image, (batch, 1, 1, 1)."""
        return random.uniform((images.shape[0], 1, 1, 1), low, high, images.dtype)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer."""
        return {**super().get_config(), "seed": self.seed}
