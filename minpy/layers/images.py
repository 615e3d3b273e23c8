"""What layers on images, signals and volumes share: data formats, checks of shapes, sizes after.

A layer's `rank` is the number of its axes beside batch and channels: 1 for a signal, 2 for an
image, 3 for a volume. It must not know any layer.
"""

from __future__ import annotations

from typing import Any

from minpy.config import image_data_format
from minpy.errors import ShapeError
from minpy.numpy.shaping import transpose

__all__ = [
    "AXES",
    "data_format_of",
    "expect_images",
    "from_channels_first",
    "one_of",
    "spatial",
    "spatial_axes",
    "to_channels_first",
    "with_sizes",
]

AXES = {1: ("steps",), 2: ("height", "width"), 3: ("depth", "height", "width")}
_WHAT = {1: "signals", 2: "images", 3: "volumes"}


def one_of(value: Any, choices: tuple[str, ...], what: str) -> str:
    """Return a setting that is one of a few names.

    Raises
    ------
    ValueError
        If it isn't.
    """
    if value not in choices:
        raise ValueError(f"{what}: expected {' or '.join(map(repr, choices))}, got {value!r}")
    return value


def data_format_of(value: str | None, by: str, rank: int = 2) -> str:
    """Return a data format; where it is None, that of minpy's images, or of sequences.

    Signals are (batch, steps, channels) as all sequences are: those of `Embedding` and `LSTM` too.
    """
    if value is None:
        return "channels_last" if rank == 1 else image_data_format()
    return one_of(value, ("channels_first", "channels_last"), f"{by}: data_format")


def to_channels_first(x: Any, data_format: str) -> Any:
    """Bring images to (batch, channels, height, width), and so signals and volumes."""
    if data_format == "channels_first":
        return x
    return transpose(x, (0, x.ndim - 1, *range(1, x.ndim - 1)))


def from_channels_first(x: Any, data_format: str) -> Any:
    """Bring images from (batch, channels, height, width) to a layer's data format."""
    if data_format == "channels_first":
        return x
    return transpose(x, (0, *range(2, x.ndim), 1))


def spatial_axes(layer: Any) -> tuple[int, ...]:
    """Return the axes that are neither batch nor channels."""
    first = 2 if layer.data_format == "channels_first" else 1
    return tuple(range(first, first + layer.rank))


def with_sizes(layer: Any, shape: Any, sizes: Any, channels: Any = None) -> tuple:
    """Return a shape with other lengths of the spatial axes, and another number of channels."""
    first = layer.data_format == "channels_first"
    channels = (shape[1] if first else shape[-1]) if channels is None else channels
    return (shape[0], channels, *sizes) if first else (shape[0], *sizes, channels)


def expect_images(layer: Any, shape: Any, channels: int | None = None) -> None:
    """Raise `ShapeError` unless `shape` is that of a batch of images (or signals, or volumes)."""
    first = layer.data_format == "channels_first"
    axes = ", ".join(AXES[layer.rank])
    c = "channels" if channels is None else channels
    wanted = f"(batch, {c}, {axes})" if first else f"(batch, {axes}, {c})"
    who, what = f"{type(layer).__name__} {layer.name!r}", _WHAT[layer.rank]
    if not isinstance(shape, tuple) or len(shape) != layer.rank + 2:
        raise ShapeError(
            f"{who}: expected {what} of shape {wanted} ({layer.data_format}), got {shape}; "
            f"{'gray ' if layer.rank == 2 else ''}{what} of one channel need a channel axis, "
            f"x[{':, None' if first else '..., None'}]"
        )
    got = shape[1] if first else shape[-1]
    if channels is not None and got != channels:
        other = shape[-1] if first else shape[1]
        hint = ""
        if other == channels:
            swapped = "channels_last" if first else "channels_first"
            hint = f"; the {what} look like data_format={swapped!r}"
        raise ShapeError(f"{who}: expected {what} of shape {wanted}, got {shape}{hint}")


def spatial(
    layer: Any,
    shape: Any,
    window: tuple[int, ...],
    strides: tuple[int, ...],
    padding: str,
    dilation: tuple[int, ...] | None = None,
    channels: int | None = None,
) -> tuple:
    """Return the shape after a window has moved over images, signals or volumes.

    Raises
    ------
    ShapeError
        If the window is larger than the image.
    """
    dilation = dilation or (1,) * layer.rank
    sides = [shape[axis] for axis in spatial_axes(layer)]
    new = []
    for length, w, s, d in zip(sides, window, strides, dilation, strict=True):
        reach = (w - 1) * d + 1
        if length is None:
            new.append(None)
        elif padding in ("same", "causal") and length:
            new.append(-(-length // s))
        elif length < reach:
            raise ShapeError(
                f"{type(layer).__name__} {layer.name!r}: a window of {window} (dilation "
                f"{dilation}) doesn't fit into {_WHAT[layer.rank]} of {tuple(sides)} (shape "
                f"{shape}, {layer.data_format}); "
                "use padding='same' or fewer layers"
            )
        else:
            new.append((length - reach) // s + 1)
    return with_sizes(layer, shape, new, channels)
