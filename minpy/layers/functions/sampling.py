"""Images sampled between their pixels: what rotations, zooms and translations are made of.

It must not know about layers, data formats or randomness: channels come first.
"""

from __future__ import annotations

import functools
import importlib.util
from typing import Any

import numpy

from minpy import runtime
from minpy.autograd.rules import defjvp, defvjp
from minpy.layers.functions.operands import is_float32, refuse_unsupported
from minpy.primitives import Primitive

__all__ = ["FILL_MODES", "METHODS", "sampled"]

METHODS = ("nearest", "bilinear")
# Places from which a compiled loop is faster, once it is loaded: 64 images of 32×32×3 take NumPy
# 9 ms, and the loop 0.8.
_WORTH_A_LOOP = 4096


def _reflected(index: numpy.ndarray, size: int) -> numpy.ndarray:
    """Return d c b a | a b c d | d c b a: the edges are between pixels."""
    around = index % (2 * size)
    return numpy.minimum(around, 2 * size - 1 - around)


# What lies beyond the edges: a function from any index to one inside.
_INSIDE = {
    "constant": lambda index, size: numpy.clip(index, 0, size - 1),
    "nearest": lambda index, size: numpy.clip(index, 0, size - 1),
    "wrap": lambda index, size: index % size,
    "reflect": _reflected,
}
FILL_MODES = tuple(_INSIDE)


def _neighbours(places: numpy.ndarray, size: int, mode: str, method: str) -> list:
    """Return the index and the weight of each pixel along one axis that a sample is made of."""
    if method == "nearest":
        weighted = [(numpy.rint(places), numpy.ones_like(places))]
    else:
        lower = numpy.floor(places)
        share = places - lower
        weighted = [(lower, 1 - share), (lower + 1, share)]
    found = []
    for index, weight in weighted:
        if mode == "constant":
            weight = weight * ((index >= 0) & (index < size))
        found.append((_INSIDE[mode](index.astype("int64"), size), weight))
    return found


def _corners(rows: Any, columns: Any, size: tuple[int, int], mode: str, method: str) -> list:
    """Return index and weight, of shape (batch, 1, places), of each pixel of a sample."""
    batch = len(rows)
    down = _neighbours(rows.reshape(batch, 1, -1), size[0], mode, method)
    across = _neighbours(columns.reshape(batch, 1, -1), size[1], mode, method)
    return [(r * size[1] + c, v * w) for r, v in down for c, w in across]


def _sampled(
    x: numpy.ndarray,
    rows: numpy.ndarray,
    columns: numpy.ndarray,
    mode: str,
    method: str,
    fill: float,
) -> numpy.ndarray:
    size = x.shape[2:]
    if rows.size >= _WORTH_A_LOOP and x.dtype == rows.dtype == columns.dtype == numpy.float32:
        found = _sampled_by_loop(x, rows, columns, mode, method, fill)
        if found is not None:
            return found
    flat = x.reshape(*x.shape[:2], -1)
    out = numpy.zeros((*x.shape[:2], rows[0].size), x.dtype)
    total = 0.0
    for index, weight in _corners(rows, columns, size, mode, method):
        out += numpy.take_along_axis(flat, index, 2) * weight
        total = total + weight
    if fill:
        out += (fill * (1 - total)).astype(x.dtype)
    return out.reshape(*x.shape[:2], *rows.shape[1:])


def _sampled_by_loop(
    x: numpy.ndarray,
    rows: numpy.ndarray,
    columns: numpy.ndarray,
    mode: str,
    method: str,
    fill: float,
) -> numpy.ndarray | None:
    """Return the samples, None where there is no numba to compile the loop."""
    try:
        from minpy.layers.functions import sampling_kernels
    except ImportError:
        return None
    if not (numpy.isfinite(rows).all() and numpy.isfinite(columns).all()):
        return None
    batch, places = len(rows), rows[0].size
    out = numpy.empty((*x.shape[:2], places), numpy.float32)
    given = [numpy.ascontiguousarray(a).reshape(batch, places) for a in (rows, columns)]
    number = sampling_kernels.MODES[mode]
    between = method == "bilinear"
    sampling_kernels.sample(numpy.ascontiguousarray(x), *given, number, between, fill, out)
    return out.reshape(*x.shape[:2], *rows.shape[1:])


def _to_input(
    g: numpy.ndarray,
    rows: numpy.ndarray,
    columns: numpy.ndarray,
    size: tuple[int, int],
    mode: str,
    method: str,
) -> numpy.ndarray:
    batch, channels = g.shape[:2]
    count = size[0] * size[1]
    flat = g.reshape(batch, channels, -1)
    starts = (numpy.arange(batch * channels) * count).reshape(batch, channels, 1)
    out = numpy.zeros(batch * channels * count)
    for index, weight in _corners(rows, columns, size, mode, method):
        places = (starts + index).ravel()
        out += numpy.bincount(places, (flat * weight).ravel(), minlength=out.size)
    return out.reshape(batch, channels, *size).astype(g.dtype)


def _mx_modulo(F: Any, x: Any, period: float) -> Any:
    whole = F("floor", F("_mul_scalar", x, scalar=1 / period))
    return F("elemwise_sub", x, F("_mul_scalar", whole, scalar=period))


def _mx_folded(F: Any, x: Any, size: int, mode: str) -> Any:
    """Return places inside of the image, or next to it, that have the same samples."""
    if mode == "wrap":
        return _mx_modulo(F, x, size)
    if mode == "reflect":
        x = _mx_modulo(F, F("_plus_scalar", x, scalar=0.5), 2 * size)
        x = F("abs", F("_minus_scalar", x, scalar=size))
        x = F("_rminus_scalar", x, scalar=size - 0.5)
    return x if mode == "constant" else F("clip", x, a_min=0, a_max=size - 1)


def _mx_sampled(
    F: Any, x: Any, rows: Any, columns: Any, mode: str, method: str, fill: float
) -> Any:
    refuse_unsupported(x, rows, columns)
    size = x.shape[2:]
    if min(size) < 2:
        raise runtime.Unsupported("MXNet's sampler takes images of 2 by 2 pixels or more")
    places = []
    for axis, (given, length) in enumerate(zip((rows, columns), size, strict=True), start=2):
        if method == "nearest":
            given = F("rint", given)
        given = _mx_folded(F, given, length, mode)
        if mode == "wrap":  # between the last pixel and the first
            first = F("slice_axis", x, axis=axis, begin=0, end=1)
            x, length = F("Concat", x, first, dim=axis, num_args=2), length + 1
        # It counts from -1 at the first pixel to 1 at the last.
        given = F("_mul_scalar", given, scalar=2 / (length - 1))
        places.append(F("_minus_scalar", given, scalar=1.0))
    grid = F("stack", places[1], places[0], axis=1, num_args=2)
    if not fill:
        return F("BilinearSampler", x, grid)
    out = F("BilinearSampler", F("_minus_scalar", x, scalar=fill), grid)
    return F("_plus_scalar", out, scalar=fill)


@functools.cache
def _has_loop() -> bool:
    return importlib.util.find_spec("numba") is not None


def _worth_it(x: Any, rows: Any, columns: Any, *settings: Any) -> bool:
    """Say whether MXNet is faster: (64, 3, 224, 224) takes it 330 ms, NumPy 680, the loop 50."""
    large = is_float32(x) and x.size >= 1_000_000 and min(x.shape[2:]) > 1 and is_float32(rows)
    return large and not _has_loop()


# sampled(x, rows, columns, mode, method, fill): images (batch, channels, height, width) at the
# places (batch, height after, width after) of their rows and columns.
sampled = Primitive(
    "image_sampled", _sampled, arrays=3, mxnet=_mx_sampled, faster_on_mxnet=_worth_it
)
# The transpose in the images; there is no derivative in the places: they are drawn.
_sampled_to_input = Primitive("image_sampled_to_input", _to_input, arrays=3)

defvjp(
    sampled,
    lambda ans, x, rows, columns, mode, method, fill: (
        lambda g: _sampled_to_input(g, rows, columns, x.shape[2:], mode, method)
    ),
    None,
    None,
)
defjvp(
    sampled,
    lambda t, ans, x, rows, columns, mode, method, fill: sampled(
        t, rows, columns, mode, method, 0.0
    ),
    None,
    None,
)
defvjp(
    _sampled_to_input,
    lambda ans, g, rows, columns, size, mode, method: (
        lambda h: sampled(h, rows, columns, mode, method, 0.0)
    ),
    None,
    None,
)
defjvp(
    _sampled_to_input,
    lambda t, ans, g, rows, columns, size, mode, method: _sampled_to_input(
        t, rows, columns, size, mode, method
    ),
    None,
    None,
)
