"""``keras.ops.image``: images resampled, cut, padded and taken apart; knows no layer."""

from __future__ import annotations

from typing import Any

import minpy.numpy as np
from minpy.array import as_ndarray
from minpy.errors import ShapeError
from minpy.layers.functions.resampling import METHODS, interpolating, multiplied_along
from minpy.layers.functions.windows import one_per_axis
from minpy.layers.images import data_format_of, one_of
from minpy.ops.operation import operation

__all__ = ["crop_images", "extract_patches", "pad_images", "resize", "rgb_to_grayscale"]


def _image_axes(x: Any, data_format: str | None, who: str) -> tuple[int, int]:
    """Return where the rows and columns are, of one image or a batch."""
    if x.ndim not in (3, 4):
        raise ShapeError(f"{who}: expected images of 3 or 4 axes, got shape {x.shape}")
    first = x.ndim - (2 if data_format_of(data_format, who) == "channels_first" else 3)
    return first, first + 1


@operation(name="image.resize")
def resize(
    images: Any,
    size: Any,
    interpolation: str = "bilinear",
    antialias: bool = False,
    crop_to_aspect_ratio: bool = False,
    pad_to_aspect_ratio: bool = False,
    fill_mode: str = "constant",
    fill_value: float = 0.0,
    data_format: str | None = None,
) -> Any:
    """Resample images to another size.

    Parameters
    ----------
    images
        One, of three axes, or a batch.
    size
        (height, width) after it.
    interpolation
        ``'nearest'``, ``'bilinear'``, ``'bicubic'``, ``'lanczos3'`` or ``'lanczos5'``.
    antialias
        Whether to average over as much as becomes one pixel where images get smaller.
    crop_to_aspect_ratio, pad_to_aspect_ratio, fill_mode, fill_value
        As in the layer `Resizing`.
    data_format
        ``'channels_first'`` or ``'channels_last'``; `minpy.config`'s if not given.

    Examples
    --------
    >>> import numpy
    >>> from minpy import ops
    >>> ops.image.resize(numpy.ones((2, 3, 8, 8)), (4, 6), data_format='channels_first').shape
    (2, 3, 4, 6)
    """
    x = as_ndarray(images)
    axes = _image_axes(x, data_format, "resize")
    one_of(interpolation, METHODS, "resize: interpolation")
    if len(tuple(size)) != 2:
        raise ValueError(f"resize: expected a size (height, width), got {size!r}")
    if crop_to_aspect_ratio or pad_to_aspect_ratio:
        from minpy.layers.preprocessing.resizing import Resizing

        layer = Resizing(
            *size, interpolation, crop_to_aspect_ratio, pad_to_aspect_ratio, fill_mode, fill_value,
            antialias, data_format,
        )  # fmt: skip
        return layer(x)
    kind = x.dtype
    if kind.kind != "f":
        x = x.astype("float32")
    for axis, after in zip(axes, size, strict=True):
        if x.shape[axis] != after:
            matrix = interpolating(
                x.shape[axis], int(after), interpolation, x.dtype.name, antialias
            )
            x = multiplied_along(x, matrix, axis)
    return x if kind.kind == "f" else np.round(x).astype(kind)


@operation(name="image.extract_patches")
def extract_patches(
    images: Any,
    size: Any,
    strides: Any = None,
    dilation_rate: Any = 1,
    padding: str = "valid",
    data_format: str | None = None,
) -> Any:
    """Return windows of images, each as one vector: rows, columns and channels of the window.

    Parameters
    ----------
    images
        One, of three axes, or a batch.
    size
        Of a window: a number, or (height, width).
    strides
        From one window to the next; `size` if not given.
    dilation_rate
        From one row or column of a window to the next.
    padding
        ``'valid'``: windows inside of the image; ``'same'``: those at its edges too, with zeros.
    data_format
        ``'channels_first'`` or ``'channels_last'``; `minpy.config`'s if not given. The vectors lie
        where the channels do.

    Examples
    --------
    >>> import numpy
    >>> from minpy import ops
    >>> image = numpy.arange(16, dtype='float32').reshape(4, 4, 1)
    >>> ops.image.extract_patches(image, 2, data_format='channels_last')[0]
    array([[0., 1., 4., 5.],
           [2., 3., 6., 7.]])
    """
    who = "extract_patches"
    x = as_ndarray(images)
    axes = _image_axes(x, data_format, who)
    sizes = one_per_axis(size, 2, f"{who}: size")
    steps = sizes if strides is None else one_per_axis(strides, 2, f"{who}: strides")
    rates = one_per_axis(dilation_rate, 2, f"{who}: dilation_rate")
    one_of(padding, ("valid", "same"), f"{who}: padding")
    pads, places = [(0, 0)] * x.ndim, []
    for axis, window, step, rate in zip(axes, sizes, steps, rates, strict=True):
        reach, length = (window - 1) * rate + 1, x.shape[axis]
        if padding == "same":
            count = -(-length // step)
            missing = max((count - 1) * step + reach - length, 0)
            pads[axis] = (missing // 2, missing - missing // 2)
        else:
            count = (length - reach) // step + 1
        if count < 1:
            raise ShapeError(f"{who}: no window of {sizes} fits into images of shape {x.shape}")
        starts = [i * rate for i in range(window)]
        places.append([slice(start, start + (count - 1) * step + 1, step) for start in starts])
    if any(map(any, pads)):
        x = np.pad(x, pads)
    channels = x.ndim - 1 if axes[0] == x.ndim - 3 else x.ndim - 3
    parts = []
    for rows in places[0]:
        for columns in places[1]:
            index: list[Any] = [slice(None)] * x.ndim
            index[axes[0]], index[axes[1]] = rows, columns
            parts.append(x[tuple(index)])
    return np.concatenate(parts, axis=channels)


def _two_of_three(before: Any, after: Any, target: Any, who: str, axis: str) -> None:
    if [before, after, target].count(None) != 1:
        raise ValueError(
            f"{who}: expected two of {axis}, and the third follows; got {before}, {after} and "
            f"target {target}"
        )


def _ends(length: int, before: Any, after: Any, target: Any, sign: int) -> tuple[int, int]:
    """Return what goes at each end; `sign` is 1 where it is added, -1 where it is cut off."""
    if before is None:
        before = sign * (target - length) - after
    elif after is None:
        after = sign * (target - length) - before
    return int(before), int(after)


@operation(name="image.pad_images")
def pad_images(
    images: Any,
    top_padding: int | None = None,
    left_padding: int | None = None,
    bottom_padding: int | None = None,
    right_padding: int | None = None,
    target_height: int | None = None,
    target_width: int | None = None,
    data_format: str | None = None,
) -> Any:
    """Put zeros around images; of both ends and the target two are given, for each axis.

    Examples
    --------
    >>> import numpy
    >>> from minpy import ops
    >>> image = numpy.ones((3, 4, 1))
    >>> ops.image.pad_images(image, 1, 2, target_height=6, target_width=8,
    ...                      data_format='channels_last').shape
    (6, 8, 1)
    """
    x, who = as_ndarray(images), "pad_images"
    axes = _image_axes(x, data_format, who)
    _two_of_three(top_padding, bottom_padding, target_height, who, "top, bottom and height")
    _two_of_three(left_padding, right_padding, target_width, who, "left, right and width")
    pads = [(0, 0)] * x.ndim
    pads[axes[0]] = _ends(x.shape[axes[0]], top_padding, bottom_padding, target_height, 1)
    pads[axes[1]] = _ends(x.shape[axes[1]], left_padding, right_padding, target_width, 1)
    if min(map(min, pads)) < 0:
        raise ValueError(f"{who}: images of shape {x.shape} are larger than the target")
    return np.pad(x, pads)


@operation(name="image.crop_images")
def crop_images(
    images: Any,
    top_cropping: int | None = None,
    left_cropping: int | None = None,
    bottom_cropping: int | None = None,
    right_cropping: int | None = None,
    target_height: int | None = None,
    target_width: int | None = None,
    data_format: str | None = None,
) -> Any:
    """Cut images at their edges; of both ends and the target two are given, for each axis."""
    x, who = as_ndarray(images), "crop_images"
    axes = _image_axes(x, data_format, who)
    _two_of_three(top_cropping, bottom_cropping, target_height, who, "top, bottom and height")
    _two_of_three(left_cropping, right_cropping, target_width, who, "left, right and width")
    index: list[Any] = [slice(None)] * x.ndim
    for axis, before, after, target in (
        (axes[0], top_cropping, bottom_cropping, target_height),
        (axes[1], left_cropping, right_cropping, target_width),
    ):
        start, end = _ends(x.shape[axis], before, after, target, -1)
        if start < 0 or end < 0 or start + end >= x.shape[axis]:
            raise ValueError(
                f"{who}: can't cut {start} and {end} off {x.shape[axis]} rows or columns"
            )
        index[axis] = slice(start, x.shape[axis] - end)
    return x[tuple(index)]


@operation(name="image.rgb_to_grayscale")
def rgb_to_grayscale(images: Any, data_format: str | None = None) -> Any:
    """Return images of one channel, the luma of Rec. 601: 0.2989 R + 0.587 G + 0.114 B."""
    x = as_ndarray(images)
    rows, _ = _image_axes(x, data_format, "rgb_to_grayscale")
    axis = x.ndim - 1 if rows == x.ndim - 3 else x.ndim - 3
    if x.shape[axis] != 3:
        raise ShapeError(f"rgb_to_grayscale: expected three channels, got shape {x.shape}")
    red, green, blue = np.split(x, 3, axis)
    return 0.2989 * red + 0.587 * green + 0.114 * blue
