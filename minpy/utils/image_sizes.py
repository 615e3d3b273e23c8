"""Pixels of one image brought to a size as Keras' data sets do; knows no file and no layer."""

from __future__ import annotations

import numpy

from minpy.layers.functions.resampling import METHODS, interpolating

__all__ = ["INTERPOLATIONS", "cropped_to", "padded_to", "stretched_to"]

INTERPOLATIONS = (*METHODS, "area", "gaussian", "mitchellcubic")


def stretched_to(
    pixels: numpy.ndarray, height: int, width: int, interpolation: str = "bilinear"
) -> numpy.ndarray:
    """Return pixels (height, width, channels) as float32 of another size.

    Parameters
    ----------
    pixels
        Of any real dtype.
    height, width
        The size.
    interpolation
        One of `INTERPOLATIONS`. No filter goes before it where images get smaller, as in Keras.
    """
    pixels = pixels.astype("float32")
    for axis, after in ((0, height), (1, width)):
        before = pixels.shape[axis]
        if before != after:
            matrix = interpolating(before, after, interpolation, "float32")
            pixels = numpy.moveaxis(numpy.tensordot(matrix, pixels, ((0,), (axis,))), 0, axis)
    return pixels


def cropped_to(
    pixels: numpy.ndarray, height: int, width: int, interpolation: str = "bilinear"
) -> numpy.ndarray:
    """Return the largest middle part that has the size's aspect ratio, resized."""
    tall, wide = pixels.shape[:2]
    rows = max(min(tall, int(wide * height / width)), 1)
    columns = max(min(wide, int(tall * width / height)), 1)
    top, left = int((tall - rows) / 2), int((wide - columns) / 2)
    part = pixels[top : top + rows, left : left + columns]
    return stretched_to(part, height, width, interpolation)


def padded_to(
    pixels: numpy.ndarray, height: int, width: int, interpolation: str = "bilinear"
) -> numpy.ndarray:
    """Return pixels resized by one factor, with zeros around to fill the size."""
    tall, wide = pixels.shape[:2]
    factor = max(tall / height, wide / width)
    rows, columns = tall / factor, wide / factor
    inside = stretched_to(
        pixels, max(int(rows + 1e-6), 1), max(int(columns + 1e-6), 1), interpolation
    )
    out = numpy.zeros((height, width, pixels.shape[2]), "float32")
    top, left = max(int((height - rows) / 2), 0), max(int((width - columns) / 2), 0)
    out[top : top + inside.shape[0], left : left + inside.shape[1]] = inside
    return out
