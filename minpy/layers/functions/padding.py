"""Constant values around images, signals and volumes; knows no window, layer or data format."""

from __future__ import annotations

import itertools
from typing import Any

import numpy

from minpy.autograd.rules import def_linear, defvjp
from minpy.layers.functions.operands import refuse_unsupported
from minpy.layers.functions.windows import Pads
from minpy.primitives import Primitive, registry

__all__ = ["inside", "mx_padded", "padded", "zero_padded"]


def inside(pads: Pads, sizes: tuple[int, ...]) -> tuple:
    """Return the index of what was there before padding."""
    return (
        ...,
        *[slice(before, before + n) for (before, _), n in zip(pads, sizes, strict=True)],
    )


def padded(x: numpy.ndarray, pads: Pads, value: float = 0.0) -> numpy.ndarray:
    """Return `x` with a value around its last axes; itself where there is nothing to add."""
    if not any(map(any, pads)):
        return x
    sizes = x.shape[-len(pads) :]
    longer = [n + before + after for n, (before, after) in zip(sizes, pads, strict=True)]
    out = numpy.full((*x.shape[: -len(pads)], *longer), value, x.dtype)
    out[inside(pads, sizes)] = x
    return out


def mx_padded(F: Any, x: Any, pads: Pads, value: float = 0.0) -> Any:
    """Return an MXNet array of (batch, channels, …) with a value around the other axes."""
    if not any(map(any, pads)):
        return x
    # The operator takes four or five axes.
    short = len(pads) == 1
    if short:
        x, pads = F("expand_dims", x, axis=2), ((0, 0), *pads)
    width = (0, 0, 0, 0, *itertools.chain(*pads))
    x = F("Pad", x, mode="constant", pad_width=width, constant_value=value)
    return F("squeeze", x, axis=2) if short else x


def _mx_zero_padded(F: Any, x: Any, pads: Pads) -> Any:
    refuse_unsupported(x)
    return mx_padded(F, x, pads)


# zero_padded(x, pads): zeros around the axes after batch and channels.
zero_padded = Primitive(
    "zero_padded", lambda x, pads: padded(x, pads), arrays=1, mxnet=_mx_zero_padded
)
defvjp(
    zero_padded,
    lambda ans, x, pads: lambda g: registry["getitem"](g, inside(pads, x.shape[-len(pads) :])),
)
def_linear(zero_padded)
