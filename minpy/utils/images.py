"""Images as files, as Pillow's objects and as arrays: Keras' functions between them."""

from __future__ import annotations

import io
import os
from typing import Any

import numpy

from minpy.array import ndarray, numpy_value
from minpy.config import image_data_format, settings
from minpy.errors import ShapeError

__all__ = ["array_to_img", "img_to_array", "load_img", "save_img", "smart_resize"]

_MODES = {"rgb": "RGB", "rgba": "RGBA", "grayscale": "L"}
_FILTERS = ("nearest", "bilinear", "bicubic", "hamming", "box", "lanczos")


def _pillow() -> Any:
    try:
        from PIL import Image
    except ImportError:
        raise ModuleNotFoundError(
            "images need Pillow, which isn't installed: pip install pillow"
        ) from None
    return Image


def _one_of(what: str, value: Any, known: Any) -> Any:
    if value not in known:
        raise ValueError(f"{what}: expected one of {', '.join(known)}, got {value!r}")
    return value


def _format(data_format: str | None) -> str:
    chosen = image_data_format() if data_format is None else data_format
    return _one_of("data_format", chosen, ("channels_first", "channels_last"))


def array_to_img(
    x: Any, data_format: str | None = None, scale: bool = True, dtype: Any = None
) -> Any:
    """Return Pillow's image of an array.

    Parameters
    ----------
    x
        Of three axes, with 1, 3 or 4 channels.
    data_format
        ``'channels_first'`` or ``'channels_last'``; `minpy.config`'s if not given.
    scale
        Whether the least number is to be black and the largest white; else numbers are taken as
        0 to 255.
    dtype
        In which it is scaled; the default float dtype if not given.

    Raises
    ------
    ShapeError
        If `x` has other axes or channels.

    Examples
    --------
    >>> import numpy
    >>> from minpy.utils import array_to_img
    >>> array_to_img(numpy.zeros((1, 4, 6))).size
    (6, 4)
    """
    image = _pillow()
    layout = _format(data_format)
    plain = numpy_value(x) if type(x) is ndarray else x
    x = numpy.asarray(plain, settings.float_dtype if dtype is None else dtype)
    if x.ndim != 3:
        raise ShapeError(f"array_to_img: expected an image of three axes, got {x.shape}")
    if layout == "channels_first":
        x = x.transpose(1, 2, 0)
    if scale:
        x = x - x.min()
        largest = x.max()
        x = x / (largest if largest else 1) * 255
    channels = x.shape[2]
    if channels not in (1, 3, 4):
        raise ShapeError(
            f"array_to_img: expected 1, 3 or 4 channels, got {channels}; {layout}, say data_format"
        )
    if channels == 1:
        x = x[:, :, 0]
        # more than a byte holds
        return image.fromarray(x.astype("int32" if x.max(initial=0) > 255 else "uint8"))
    return image.fromarray(x.astype("uint8"))


def img_to_array(img: Any, data_format: str | None = None, dtype: Any = None) -> numpy.ndarray:
    """Return the array of Pillow's image, its numbers as they are.

    Parameters
    ----------
    img
        What `load_img` returns.
    data_format
        ``'channels_first'`` or ``'channels_last'``; `minpy.config`'s if not given.
    dtype
        Of the array; the default float dtype if not given.

    Examples
    --------
    >>> import numpy
    >>> from minpy.utils import array_to_img, img_to_array
    >>> img_to_array(array_to_img(numpy.ones((3, 4, 6)))).shape
    (3, 4, 6)
    """
    layout = _format(data_format)
    x = numpy.asarray(img, settings.float_dtype if dtype is None else dtype)
    if x.ndim == 2:
        x = x[:, :, None]
    if x.ndim != 3:
        raise ShapeError(f"img_to_array: expected an image, got an array of shape {x.shape}")
    return numpy.ascontiguousarray(x.transpose(2, 0, 1)) if layout == "channels_first" else x


def load_img(
    path: Any,
    color_mode: str = "rgb",
    target_size: tuple[int, int] | None = None,
    interpolation: str = "nearest",
    keep_aspect_ratio: bool = False,
) -> Any:
    """Return Pillow's image of a file.

    Parameters
    ----------
    path
        Of the file, or a file that is open for reading bytes.
    color_mode
        ``'rgb'``, ``'rgba'`` or ``'grayscale'``.
    target_size
        (height, width) to bring it to; as it is if not given.
    interpolation
        ``'nearest'``, ``'bilinear'``, ``'bicubic'``, ``'hamming'``, ``'box'`` or ``'lanczos'``.
    keep_aspect_ratio
        Whether the largest part in the middle that has the wanted sides' ratio is taken.
    """
    image = _pillow()
    mode = _MODES[_one_of("color_mode", color_mode, _MODES)]
    resample = getattr(image.Resampling, _one_of("interpolation", interpolation, _FILTERS).upper())
    if isinstance(path, io.IOBase | str | os.PathLike):
        with image.open(path) as file:
            img = file.copy()
    else:
        raise TypeError(f"load_img: expected a path or an open file, got {type(path).__name__}")
    # Sixteen-bit greys stay what they are, as in Keras.
    if not (mode == "L" and img.mode in ("I;16", "I;16B", "I;16L", "I")) and img.mode != mode:
        img = img.convert(mode)
    if target_size is None:
        return img
    height, width = target_size
    if img.size == (width, height):
        return img
    if not keep_aspect_ratio:
        return img.resize((width, height), resample)
    own_width, own_height = img.size
    part_height = min(own_height, own_width * height // width)
    part_width = min(own_width, own_height * width // height)
    left, top = (own_width - part_width) // 2, (own_height - part_height) // 2
    box = (left, top, left + part_width, top + part_height)
    return img.resize((width, height), resample, box)


def save_img(
    path: Any,
    x: Any,
    data_format: str | None = None,
    file_format: str | None = None,
    scale: bool = True,
    **kwargs: Any,
) -> None:
    """Write an array as an image file.

    Parameters
    ----------
    path
        Where to; an existing file is replaced.
    x, data_format, scale
        As of `array_to_img`.
    file_format
        Pillow's name of the format; by the path's ending if not given.
    kwargs
        For Pillow's ``Image.save``.
    """
    img = array_to_img(x, data_format, scale)
    ending = (file_format or os.path.splitext(str(path))[1].lstrip(".")).lower()
    if img.mode == "RGBA" and ending in ("jpg", "jpeg"):
        img = img.convert("RGB")  # the format has no transparency
    img.save(path, format=file_format, **kwargs)


def smart_resize(
    x: Any,
    size: tuple[int, int],
    interpolation: str = "bilinear",
    data_format: str = "channels_last",
) -> Any:
    """Return images of another size, cut to its ratio of sides and not stretched.

    Parameters
    ----------
    x
        One image, or a batch of them.
    size
        (height, width) of the result.
    interpolation
        As of `minpy.layers.Resizing`.
    data_format
        ``'channels_first'`` or ``'channels_last'``.

    Returns
    -------
    ndarray
        NumPy's if `x` is.
    """
    from minpy.layers import Resizing

    if not isinstance(size, tuple | list) or len(size) != 2:
        raise ValueError(f"smart_resize: expected size as (height, width), got {size!r}")
    layer = Resizing(
        *size, interpolation=interpolation, data_format=data_format, crop_to_aspect_ratio=True
    )
    made = layer(x)
    return made.asnumpy() if isinstance(x, numpy.ndarray) else made
