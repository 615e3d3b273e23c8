"""Windows that move over images and signals: padding, strides, dilation and the sizes that follow.

It must not know what is done in a window, nor any array: it deals in numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy

from minpy.errors import ShapeError

__all__ = ["Pads", "hashable", "one_per_axis", "padding", "size_after"]

Pads = tuple[tuple[int, int], ...]


def hashable(value: Any) -> Any:
    """Return a setting with its lists as tuples: geometries are cached by their settings."""
    return tuple(hashable(v) for v in value) if isinstance(value, list | tuple) else value


def _is_whole(value: Any) -> bool:
    return isinstance(value, int | numpy.integer) and not isinstance(value, bool)


def one_per_axis(value: Any, axes: int, what: str, least: int = 1) -> tuple[int, ...]:
    """Return an integer for each axis, of one for all or of one for each."""
    values = (value,) * axes if _is_whole(value) else value
    if (
        not isinstance(values, Sequence)
        or isinstance(values, str)
        or len(values) != axes
        or not all(_is_whole(v) and v >= least for v in values)
    ):
        wanted = "an integer" if axes == 1 else f"one or {axes} integers"
        raise ValueError(f"{what}: expected {wanted} from {least}, got {value!r}")
    return tuple(int(v) for v in values)


def padding(
    value: Any,
    sizes: tuple[int, ...],
    reaches: tuple[int, ...],
    strides: tuple[int, ...],
    what: str,
) -> Pads:
    """Return how many elements are added before and after each axis.

    Parameters
    ----------
    value
        An integer for all sides, an integer or a pair (before, after) for each axis, ``'valid'``
        for none, or ``'same'``: as much as makes ``ceil(size / stride)`` windows fit, and where
        that is odd one more after than before, which is Keras' and TensorFlow's rule.
    sizes
        Lengths of the axes.
    reaches
        Elements from the first to the last of a window, dilation included.
    strides
        Steps of the window.
    what
        Name of the argument, for messages.
    """
    axes = len(sizes)
    if value == "valid":
        return ((0, 0),) * axes
    if value == "same":
        pads = []
        for size, reach, stride in zip(sizes, reaches, strides, strict=True):
            total = max((-(-size // stride) - 1) * stride + reach - size, 0)
            pads.append((total // 2, total - total // 2))
        return tuple(pads)
    given = (value,) * axes if _is_whole(value) else value
    if isinstance(given, Sequence) and not isinstance(given, str) and len(given) == axes:
        pairs = [(v, v) if _is_whole(v) else v for v in given]
        if all(
            isinstance(p, Sequence) and len(p) == 2 and all(_is_whole(v) and v >= 0 for v in p)
            for p in pairs
        ):
            return tuple((int(before), int(after)) for before, after in pairs)
    raise ValueError(
        f"{what}: expected an integer from 0, 'valid', 'same', or for each of {axes} axes an "
        f"integer or a pair (before, after), got {value!r}"
    )


def size_after(
    sizes: tuple[int, ...],
    pads: Pads,
    reaches: tuple[int, ...],
    strides: tuple[int, ...],
    by: str,
) -> tuple[int, ...]:
    """Return how many windows fit along each axis.

    Raises
    ------
    ShapeError
        If none does.
    """
    after = tuple(
        (size + sum(pad) - reach) // stride + 1
        for size, pad, reach, stride in zip(sizes, pads, reaches, strides, strict=True)
    )
    if min(after) < 1:
        raise ShapeError(
            f"{by}: a window that reaches over {reaches} elements doesn't fit into an input of "
            f"size {sizes} padded by {pads}; pad more, or make the window or its dilation smaller"
        )
    return after
