"""What image layers share: data formats, checks of image shapes, sizes after a window."""

from __future__ import annotations

from typing import Any

from minpy.errors import ShapeError
from minpy.numpy.shaping import transpose

__all__ = ["expect_images", "from_channels_first", "pair", "spatial", "to_channels_first"]


def pair(value: Any, what: str) -> tuple[int, int]:
    """Return two positive integers of one or two."""
    values = (value, value) if isinstance(value, int) else tuple(value)
    if len(values) != 2 or not all(isinstance(v, int) and v > 0 for v in values):
        raise ValueError(f"{what}: expected one or two positive integers, got {value!r}")
    return values


def to_channels_first(x: Any, data_format: str) -> Any:
    """Bring images to (batch, channels, height, width)."""
    return x if data_format == "channels_first" else transpose(x, (0, 3, 1, 2))


def from_channels_first(x: Any, data_format: str) -> Any:
    """Bring images from (batch, channels, height, width) to a layer's data format."""
    return x if data_format == "channels_first" else transpose(x, (0, 2, 3, 1))


def expect_images(layer: Any, shape: Any, channels: int | None = None) -> None:
    """Raise `ShapeError` unless `shape` is that of a batch of images."""
    first = layer.data_format == "channels_first"
    c = "channels" if channels is None else channels
    wanted = f"(batch, {c}, height, width)" if first else f"(batch, height, width, {c})"
    who = f"{type(layer).__name__} {layer.name!r}"
    if not isinstance(shape, tuple) or len(shape) != 4:
        raise ShapeError(
            f"{who}: expected images of shape {wanted} ({layer.data_format}), got {shape}; "
            f"gray images need a channel axis, x[{':, None' if first else '..., None'}]"
        )
    got = shape[1] if first else shape[-1]
    if channels is not None and got != channels:
        other = shape[-1] if first else shape[1]
        hint = ""
        if other == channels:
            swapped = "channels_last" if first else "channels_first"
            hint = f"; the images look like data_format={swapped!r}"
        raise ShapeError(f"{who}: expected images of shape {wanted}, got {shape}{hint}")


def spatial(
    layer: Any,
    shape: Any,
    window: tuple[int, int],
    strides: tuple[int, int],
    padding: str,
    dilation: tuple[int, int] = (1, 1),
    channels: int | None = None,
) -> tuple:
    """Return the shape after a window has moved over images.

    Raises
    ------
    ShapeError
        If the window is larger than the image.
    """
    first = layer.data_format == "channels_first"
    batch = shape[0]
    sides = shape[2:] if first else shape[1:-1]
    before = shape[1] if first else shape[-1]
    new = []
    for length, w, s, d in zip(sides, window, strides, dilation, strict=True):
        if length is None:
            new.append(None)
            continue
        reach = (w - 1) * d + 1
        if padding == "same":
            new.append(-(-length // s))
        elif length < reach:
            raise ShapeError(
                f"{type(layer).__name__} {layer.name!r}: a window of {window} (dilation "
                f"{dilation}) doesn't fit into images of {tuple(sides)} (shape {shape}, "
                f"{layer.data_format}); "
                "use padding='same' or fewer layers"
            )
        else:
            new.append((length - reach) // s + 1)
    channels = before if channels is None else channels
    return (batch, channels, *new) if first else (batch, *new, channels)
