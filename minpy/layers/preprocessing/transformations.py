"""The base of image layers that draw a change first and make it then; knows no change."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

from minpy import random
from minpy.array import as_ndarray
from minpy.errors import ShapeError
from minpy.layers.images import from_channels_first, to_channels_first
from minpy.layers.preprocessing.image_layer import RandomImageLayer
from minpy.numpy.elementwise import where

__all__ = ["Tonal", "TransformingLayer", "either", "for_images", "share_of", "value_range_of"]


def share_of(factor: Any, what: str, least: float = 0.0, most: float = 1.0) -> tuple[float, float]:
    """Return the lower and upper end of a factor: a number ends at itself, and its negative.

    Neither end leaves the bounds: where they are 0 and 1, the lower end of a number is 0.
    """
    alone = isinstance(factor, int | float)
    pair = (factor,) if alone else tuple(factor)
    if len(pair) != 2 - alone or not all(least <= f <= most for f in pair):
        raise ValueError(
            f"{what}: expected a number from {least} to {most}, or two of them, got {factor!r}"
        )
    if alone:
        pair = (max(-abs(factor), least), abs(factor))
    return float(min(pair)), float(max(pair))


def value_range_of(given: Any, by: str) -> tuple[float, float]:
    """Return the lowest and the highest value of pixels."""
    ends = tuple(float(v) for v in given)
    if len(ends) != 2 or ends[0] >= ends[1]:
        raise ValueError(f"{by}: expected a value_range (lowest, highest), got {given!r}")
    return ends


def for_images(drawn: Any) -> Any:
    """Return numbers for each image as (batch, 1, 1, 1)."""
    return drawn.reshape((-1, 1, 1, 1))


class TransformingLayer(RandomImageLayer):
    """A random image layer whose change can be had and made apart.

    Called on a dictionary of ``'images'`` and ``'labels'`` it returns one. `_LIKE_IMAGES` names the
    parts of a transformation that have the axes of images.
    """

    _LIKE_IMAGES: tuple[str, ...] = ()

    def check_input(self, shape: Any) -> None:
        """Raise `ShapeError` unless the input is images, or a dictionary with them."""
        if isinstance(shape, dict):
            if "images" not in shape or set(shape) - {"images", "labels"}:
                raise ShapeError(
                    f"{type(self).__name__} {self.name!r}: expected a dictionary of 'images' and "
                    f"'labels', got {sorted(shape)}"
                )
            shape = shape["images"]
        super().check_input(shape)

    def call(self, x: Any, training: bool = True) -> Any:
        """Compute the output."""
        if not isinstance(x, dict):
            return super().call(x, training)
        self.check_input({name: value.shape for name, value in x.items()})
        transformation = self.get_random_transformation(x, training)
        images = self.transform_images(x["images"], transformation, training)
        if "labels" not in x:
            return {"images": images}
        labels = x["labels"]
        alone = len(x["images"].shape) == 3
        batch = labels.reshape((1, *labels.shape)) if alone else labels
        changed = self.transform_labels(batch, transformation, training)
        return {"images": images, "labels": changed.reshape(labels.shape)}

    def get_random_transformation(
        self, data: Any, training: bool = True, seed: int | None = None
    ) -> dict[str, Any] | None:
        """Draw a change for images.

        Parameters
        ----------
        data
            Images, or a dictionary that has them.
        training
            Without it nothing is drawn.
        seed
            Draws the same each time; by default the layer's own seed and calls decide.

        Returns
        -------
        dict or None
            What `transform_images` takes.
        """
        x = as_ndarray(data["images"] if isinstance(data, dict) else data)
        self.check_input(x.shape)
        if not training:
            return None
        with self._draws(seed):
            drawn = self._drawn_for(self._batch(x))
        if drawn is None:
            return None
        return {
            name: from_channels_first(value, self.data_format)
            if name in self._LIKE_IMAGES and getattr(value, "ndim", 0) == 4
            else value
            for name, value in drawn.items()
        }

    def transform_images(
        self, images: Any, transformation: dict[str, Any] | None = None, training: bool = True
    ) -> Any:
        """Return images changed as `get_random_transformation` drew it."""
        x = as_ndarray(images)
        self.check_input(x.shape)
        batch = self._batch(x)
        if training:
            if transformation is not None:
                transformation = {
                    name: to_channels_first(value, self.data_format)
                    if name in self._LIKE_IMAGES and getattr(value, "ndim", 0) == 4
                    else value
                    for name, value in transformation.items()
                }
            batch = self._applied(batch, transformation)
        else:
            batch = self._at_test(batch)
        out = from_channels_first(batch, self.data_format)
        return out.reshape(out.shape[1:]) if x.ndim == 3 else out

    def transform_labels(
        self, labels: Any, transformation: dict[str, Any] | None = None, training: bool = True
    ) -> Any:
        """Return labels that fit the changed images: most changes leave them as they are."""
        return labels

    def _batch(self, x: Any) -> Any:
        if x.dtype.kind != "f":
            x = x.astype(self.dtype)
        return to_channels_first(x.reshape((1, *x.shape)) if x.ndim == 3 else x, self.data_format)

    def _draws(self, seed: int | None) -> AbstractContextManager[None]:
        """Return the scope that draws come from."""
        if seed is not None:
            return random.scope(seed)
        if self.seed is None or random.in_scope():
            return nullcontext()
        self._calls += 1
        return random.scope(self.seed, self._calls - 1)

    def _transformed(self, images: Any) -> Any:
        return self._applied(images, self._drawn_for(images))

    def _drawn_for(self, images: Any) -> dict[str, Any] | None:
        """Draw a change for images (batch, channels, height, width)."""
        return None

    def _applied(self, images: Any, transformation: Any) -> Any:
        """Return images (batch, channels, height, width) changed as was drawn."""
        raise NotImplementedError

    def _each(self, images: Any, low: float = 0.0, high: float = 1.0) -> Any:
        """Draw a number for each image, (batch,)."""
        return random.uniform((images.shape[0],), low, high, images.dtype)

    def _chosen(self, images: Any, factor: tuple[float, float]) -> Any:
        """Draw which images are changed, with a probability that is drawn from a factor."""
        likely = self._each(images, *factor)
        return self._each(images) < likely

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shape of the output."""
        return dict(input_shape) if isinstance(input_shape, dict) else tuple(input_shape)


class Tonal(TransformingLayer):
    """Base of the layers whose pixels keep their places and lie in a value range."""

    def __init__(self, value_range: Any = (0, 255), **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.value_range = value_range_of(value_range, type(self).__name__)

    def _as_bytes(self, images: Any) -> Any:
        """Return images of the value range in 0 to 255."""
        low, high = self.value_range
        return images if (low, high) == (0, 255) else (images - low) * (255.0 / (high - low))

    def _from_bytes(self, images: Any) -> Any:
        """Return images in 0 to 255 in the value range."""
        low, high = self.value_range
        return images if (low, high) == (0, 255) else images * ((high - low) / 255.0) + low

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer."""
        return {**super().get_config(), "value_range": list(self.value_range)}


def either(chosen: Any, changed: Any, images: Any) -> Any:
    """Return the changed one of each image that is chosen."""
    return where(for_images(chosen), changed, images)
