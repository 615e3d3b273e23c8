"""Linear maps along one axis, as matrices: adaptive averages and interpolation.

It must not know about layers or data formats.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy

from minpy.numpy.products import tensordot
from minpy.numpy.shaping import transpose

__all__ = ["METHODS", "averaging", "equal_parts", "interpolating", "multiplied_along"]


def multiplied_along(x: Any, matrix: numpy.ndarray, axis: int) -> Any:
    """Return `x` with the vectors along an axis multiplied by a matrix (before, after)."""
    y = tensordot(x, matrix, ((axis,), (0,)))
    if axis == x.ndim - 1:
        return y
    return transpose(y, (*range(axis), x.ndim - 1, *range(axis, x.ndim - 1)))


def equal_parts(size: int, after: int) -> list[tuple[int, int]]:
    """Return where each of `after` windows over `size` elements starts and ends.

    Window ``i`` is from ``floor(i * size / after)`` to before ``ceil((i + 1) * size / after)``.
    """
    return [(i * size // after, -(-(i + 1) * size // after)) for i in range(after)]


@functools.lru_cache(maxsize=256)
def averaging(size: int, after: int, dtype: str) -> numpy.ndarray:
    """Return the matrix (size, after) that averages each of the windows of `equal_parts`."""
    out = numpy.zeros((size, after), dtype)
    for i, (start, end) in enumerate(equal_parts(size, after)):
        out[start:end, i] = 1 / (end - start)
    return out


@functools.lru_cache(maxsize=256)
def interpolating(
    size: int, after: int, method: str, dtype: str, antialias: bool = False
) -> numpy.ndarray:
    """Return the matrix (size, after) that interpolates between the middles of elements.

    Parameters
    ----------
    size, after
        Number of elements before and after.
    method
        ``'nearest'``: the element that the middle of the new one lies in. ``'bilinear'``: a line
        between the two nearest middles; beyond the outer ones their values go on. ``'bicubic'``:
        Keys' cubic convolution with a = -0.5 (Keys, 1981). ``'lanczos3'``, ``'lanczos5'``: a sinc
        under a wider sinc (Lanczos' window). ``'gaussian'``: a Gaussian of standard deviation 0.5,
        cut at 1.5. ``'mitchellcubic'``: the cubic filter of Mitchell and Netravali (1988) with
        B = C = 1/3. Where these reach over the end the other weights are scaled to a sum of one.
        ``'area'``: the mean over as much as becomes one element.
    dtype
        Of the matrix.
    antialias
        Stretches the weights over as many elements as become one where there are fewer after.
    """
    middles = (numpy.arange(after) + 0.5) * size / after
    if method == "nearest":
        nearest = numpy.floor(middles).astype(int)
        return (numpy.arange(size)[:, None] == nearest).astype(dtype)
    elements = numpy.arange(size)[:, None]
    if method == "area":
        ends = numpy.arange(after + 1) * size / after
        covered = numpy.minimum(elements + 1, ends[1:]) - numpy.maximum(elements, ends[:-1])
        return (numpy.maximum(covered, 0) * after / size).astype(dtype)
    distance = numpy.abs(elements + 0.5 - middles)
    if antialias:
        distance = distance / max(size / after, 1)
    out = _WEIGHTS[method](distance)
    return (out / out.sum(axis=0)).astype(dtype)


def _triangle(distance: numpy.ndarray) -> numpy.ndarray:
    return numpy.maximum(1 - distance, 0)


def _keys(distance: numpy.ndarray) -> numpy.ndarray:
    near = (1.5 * distance - 2.5) * distance**2 + 1
    far = ((-0.5 * distance + 2.5) * distance - 4) * distance + 2
    return numpy.where(distance <= 1, near, numpy.where(distance < 2, far, 0))


def _lanczos(radius: int) -> Callable[[numpy.ndarray], numpy.ndarray]:
    return lambda d: numpy.where(d < radius, numpy.sinc(d) * numpy.sinc(d / radius), 0)


def _gaussian(distance: numpy.ndarray) -> numpy.ndarray:
    return numpy.where(distance < 1.5, numpy.exp(-2 * distance**2), 0)


def _mitchell(distance: numpy.ndarray) -> numpy.ndarray:
    near = ((7 * distance - 12) * distance**2 + 16 / 3) / 6
    far = (((-7 / 3 * distance + 12) * distance - 20) * distance + 32 / 3) / 6
    return numpy.where(distance < 1, near, numpy.where(distance < 2, far, 0))


_WEIGHTS = {
    "bilinear": _triangle,
    "bicubic": _keys,
    "lanczos3": _lanczos(3),
    "lanczos5": _lanczos(5),
}
# What Keras' layers take; its data sets take the others too.
METHODS = ("nearest", *_WEIGHTS)
_WEIGHTS |= {"gaussian": _gaussian, "mitchellcubic": _mitchell}
