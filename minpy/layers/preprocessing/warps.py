"""Layers that shear and bend images and turn them in space."""

from __future__ import annotations

from typing import Any

import numpy

from minpy import random
from minpy.layers.functions.sampling import FILL_MODES, METHODS, sampled
from minpy.layers.images import one_of
from minpy.layers.preprocessing.blurs import blurred
from minpy.layers.preprocessing.transformations import (
    TransformingLayer,
    either,
    share_of,
    value_range_of,
)
from minpy.numpy.elementwise import clip, floor, where
from minpy.numpy.shaping import concatenate

__all__ = ["RandomElasticTransform", "RandomPerspective", "RandomShear"]


def _grid(images: Any) -> tuple[numpy.ndarray, numpy.ndarray]:
    """Return the rows (1, height, 1) and the columns (1, 1, width) of images."""
    height, width = images.shape[2:]
    rows = numpy.arange(height, dtype=images.dtype)[None, :, None]
    return rows, numpy.arange(width, dtype=images.dtype)[None, None, :]


class _Warping(TransformingLayer):
    """Base of the layers whose pixels come from other places."""

    def __init__(
        self,
        interpolation: str,
        fill_value: float,
        seed: int | None,
        data_format: str | None,
        **kwargs: Any,
    ) -> None:
        super().__init__(seed=seed, data_format=data_format, **kwargs)
        kind = type(self).__name__
        self.interpolation = one_of(interpolation, METHODS, f"{kind}: interpolation")
        self.fill_value = float(fill_value)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer."""
        return {
            **super().get_config(),
            "interpolation": self.interpolation,
            "fill_value": self.fill_value,
        }


class RandomShear(_Warping):
    """Moves rows and columns of images by random parts of their distance from the first ones.

    Parameters
    ----------
    x_factor, y_factor
        The parts are drawn from the negative of this to this, or between a pair; then both, of half
        of the images, change sign.
    interpolation, fill_mode, fill_value
        As in `RandomRotation`.
    data_format
        As in `Conv2D`.
    seed
        As in `RandomRotation`.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import RandomShear
    >>> layer = RandomShear(fill_mode='constant')
    >>> layer.transform_images(
    ...     np.array([[[[1., 2.], [3., 4.]]]]), {'shear_factor': np.array([[1., 0.]])}
    ... )
    array([[[[1., 2.],
             [4., 0.]]]])
    """

    def __init__(
        self,
        x_factor: Any = 0.0,
        y_factor: Any = 0.0,
        interpolation: str = "bilinear",
        fill_mode: str = "reflect",
        fill_value: float = 0.0,
        data_format: str | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(interpolation, fill_value, seed, data_format, **kwargs)
        self.x_factor = self._ends(x_factor, "x_factor")
        self.y_factor = self._ends(y_factor, "y_factor")
        self.fill_mode = one_of(fill_mode, FILL_MODES, "RandomShear: fill_mode")

    @staticmethod
    def _ends(factor: Any, name: str) -> tuple[float, float]:
        return share_of(factor, f"RandomShear: {name}", -1, 1)

    def _drawn_for(self, images: Any) -> dict[str, Any]:
        sign = where(self._each(images) > 0.5, -1.0, 1.0)
        across = self._each(images, *self.x_factor) * sign
        down = self._each(images, *self.y_factor) * sign
        return {"shear_factor": concatenate([across[:, None], down[:, None]], axis=1)}

    def _applied(self, images: Any, transformation: Any) -> Any:
        if transformation is None:
            return images
        rows, columns = _grid(images)
        factor = transformation["shear_factor"]
        across, down = (factor[:, i].reshape((-1, 1, 1)) for i in (0, 1))
        return sampled(
            images,
            down * columns + rows,
            columns + across * rows,
            self.fill_mode,
            self.interpolation,
            self.fill_value,
        )

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer."""
        return {
            **super().get_config(),
            "x_factor": list(self.x_factor),
            "y_factor": list(self.y_factor),
            "fill_mode": self.fill_mode,
        }


def _from_square(corners: Any) -> list:
    """Return the matrix, row by row, that maps the unit square's corners to those given.

    Heckbert, "Fundamentals of texture mapping and image warping", 1989, section 2.2.3.
    """
    (x0, y0), (x1, y1), (x2, y2), (x3, y3) = (
        [corners[:, i, k].reshape((-1, 1, 1)) for k in (0, 1)] for i in range(4)
    )
    across1, across2, across = x1 - x3, x2 - x3, x0 - x1 - x2 + x3
    down1, down2, down = y1 - y3, y2 - y3, y0 - y1 - y2 + y3
    size = across1 * down2 - across2 * down1
    g = (across * down2 - across2 * down) / size
    h = (across1 * down - across * down1) / size
    return [
        [x1 - x0 + g * x1, x2 - x0 + h * x2, x0],
        [y1 - y0 + g * y1, y2 - y0 + h * y2, y0],
        [g, h, x0 * 0.0 + 1.0],
    ]


def _adjugate(m: list) -> list:
    """Return the inverse of matrices of three rows, but for a factor."""
    return [
        [
            m[(j + 1) % 3][(i + 1) % 3] * m[(j + 2) % 3][(i + 2) % 3]
            - m[(j + 1) % 3][(i + 2) % 3] * m[(j + 2) % 3][(i + 1) % 3]
            for j in range(3)
        ]
        for i in range(3)
    ]


class RandomPerspective(_Warping):
    """Moves the corners of some images at random, as if they were seen from the side.

    Parameters
    ----------
    factor
        The probability is drawn from 0 to this; a pair is the two ends.
    scale
        Corners move by up to half of this part of their distance from the first pixel.
    interpolation, fill_value, seed
        As in `RandomRotation`.
    data_format
        As in `Conv2D`.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import RandomPerspective
    >>> RandomPerspective(scale=0.)(np.array([[[[1., 2.], [3., 4.]]]]), training=True)
    array([[[[1., 2.],
             [3., 4.]]]])
    """

    def __init__(
        self,
        factor: Any = 1.0,
        scale: float = 1.0,
        interpolation: str = "bilinear",
        fill_value: float = 0.0,
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(interpolation, fill_value, seed, data_format, **kwargs)
        self.factor = share_of(factor, "RandomPerspective: factor")
        if not isinstance(scale, int | float) or not 0 <= scale <= 1:
            raise ValueError(f"RandomPerspective: expected a scale from 0 to 1, got {scale!r}")
        self.scale = float(scale)

    def _drawn_for(self, images: Any) -> dict[str, Any]:
        bottom, right = (n - 1 for n in images.shape[2:])
        start = numpy.array([[[0, 0], [right, 0], [0, bottom], [right, bottom]]], images.dtype)
        start = numpy.repeat(start, images.shape[0], 0)
        chosen = self._chosen(images, self.factor)
        moved = random.uniform(start.shape, -0.5, 0.5, images.dtype) * self.scale
        return {
            "apply_perspective": chosen,
            "start_points": start,
            "end_points": start + start * moved,
        }

    def _applied(self, images: Any, transformation: Any) -> Any:
        if transformation is None or min(images.shape[2:]) < 2:
            return images
        rows, columns = _grid(images)
        place = [columns, rows, 1.0]
        # A pixel goes back to the unit square, and from there to where it comes from.
        for matrix in (
            _adjugate(_from_square(transformation["end_points"])),
            _from_square(transformation["start_points"]),
        ):
            place = [sum(m * p for m, p in zip(row, place, strict=True)) for row in matrix]
        out = sampled(
            images,
            place[1] / place[2],
            place[0] / place[2],
            "constant",
            self.interpolation,
            self.fill_value,
        )
        return either(transformation["apply_perspective"], out, images)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer."""
        return {**super().get_config(), "factor": list(self.factor), "scale": self.scale}


def _mirrored(places: Any, size: int) -> Any:
    """Return places inside of d c b | a b c d | c b a, whose edges are in the middle of pixels."""
    period = 2 * max(size - 1, 1)
    around = places - floor(places / period) * period
    return where(around > size - 1, period - around, around)


class RandomElasticTransform(_Warping):
    """Bends some images: pixels move by a random field that is smooth.

    Parameters
    ----------
    factor
        The probability is drawn from 0 to this; a pair is the two ends.
    scale
        How much is drawn from 0 to this, or between a pair, once a batch. Of 1 pixels move by about
        a tenth of the larger side, and the field changes over a twentieth of the smaller one.
    interpolation, fill_value, seed
        As in `RandomRotation`.
    fill_mode
        As in `RandomRotation`, or ``'mirror'`` (d c b | a b c d | c b a).
    value_range
        What the results are clipped to.
    data_format
        As in `Conv2D`.

    Notes
    -----
    The formula is that of Simard et al., "Best practices for convolutional neural networks applied
    to visual document analysis", 2003, with Keras' numbers. A transformation holds the noise that
    is made smooth, ``'noise'`` (2, batch, height, width): x comes first.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import RandomElasticTransform
    >>> RandomElasticTransform(scale=0.)(np.array([[[[1., 2.], [3., 4.]]]]), training=True)
    array([[[[1., 2.],
             [3., 4.]]]])
    """

    def __init__(
        self,
        factor: Any = 1.0,
        scale: Any = 1.0,
        interpolation: str = "bilinear",
        fill_mode: str = "reflect",
        fill_value: float = 0.0,
        value_range: Any = (0, 255),
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(interpolation, fill_value, seed, data_format, **kwargs)
        self.factor = share_of(factor, "RandomElasticTransform: factor")
        self.scale = share_of(scale, "RandomElasticTransform: scale")
        modes = (*FILL_MODES, "mirror")
        self.fill_mode = one_of(fill_mode, modes, "RandomElasticTransform: fill_mode")
        self.value_range = value_range_of(value_range, "RandomElasticTransform")

    def _drawn_for(self, images: Any) -> dict[str, Any] | None:
        if self.scale[1] == 0 or self.factor[1] == 0:
            return None
        return {
            "apply_transform": self._chosen(images, self.factor),
            "distortion_factor": random.uniform((1,), *self.scale, images.dtype),
            "noise": random.normal((2, images.shape[0], *images.shape[2:]), dtype=images.dtype),
        }

    def _applied(self, images: Any, transformation: Any) -> Any:
        if transformation is None:
            return images
        height, width = images.shape[2:]
        factor = transformation["distortion_factor"].reshape((1,))
        sigma = min(height, width) * 0.05 * factor
        distance = max(height, width) * 0.1 * factor
        # Keras' kernel of the largest odd size up to 6 sigma, which is drawn, as a mask.
        radius = floor(3 * sigma), int(3 * min(height, width) * 0.05 * self.scale[1]) + 1
        safe = where(sigma > 1e-6, sigma, 1e-6)
        field = transformation["noise"] * sigma.reshape((1, 1, 1, 1))
        for axis in (2, 3):
            field = blurred(field, safe, axis, radius)
        rows, columns = _grid(images)
        rows = rows + distance.reshape((1, 1, 1)) * field[1]
        columns = columns + distance.reshape((1, 1, 1)) * field[0]
        mode = self.fill_mode
        if mode == "mirror":
            rows, columns, mode = _mirrored(rows, height), _mirrored(columns, width), "nearest"
        out = sampled(images, rows, columns, mode, self.interpolation, self.fill_value)
        return clip(either(transformation["apply_transform"], out, images), *self.value_range)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer."""
        return {
            **super().get_config(),
            "factor": list(self.factor),
            "scale": list(self.scale),
            "fill_mode": self.fill_mode,
            "value_range": list(self.value_range),
        }
