"""Pooling: the maximum or the average of windows that move over images, signals or volumes.

It must not know about layers or data formats: channels come first.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy

from minpy import runtime
from minpy.array import ndarray
from minpy.autograd.rules import def_linear, defjvp, defvjp
from minpy.errors import ShapeError
from minpy.layers.functions.operands import (
    array_of_floats,
    is_float32,
    refuse_unsupported,
    training,
)
from minpy.layers.functions.padding import inside, mx_padded, padded
from minpy.layers.functions.windows import Pads, hashable, one_per_axis, padding, size_after
from minpy.primitives import Primitive, registry

__all__ = ["avg_pool", "global_avg_pool", "global_max_pool", "max_pool"]


@dataclass(frozen=True)
class PoolingGeometry:
    """All numbers of a pooling but those of batch and channels, which go through unchanged."""

    size: tuple[int, ...]
    window: tuple[int, ...]
    stride: tuple[int, ...]
    pads: Pads
    count_padding: bool  # whether an average counts the padding
    after: tuple[int, ...]  # size of the output

    @functools.cached_property
    def padded(self) -> tuple[int, ...]:
        """Size with padding."""
        return tuple(n + sum(pad) for n, pad in zip(self.size, self.pads, strict=True))

    @functools.cached_property
    def inside(self) -> tuple:
        """Index of what was there before padding."""
        return inside(self.pads, self.size)

    def shares(self, dtype: numpy.dtype) -> numpy.ndarray:
        """Return what an average's sums are multiplied by, one number a window."""
        out = numpy.ones(())
        for n, w, t, (before, _), count in zip(
            self.size, self.window, self.stride, self.pads, self.after, strict=True
        ):
            start = numpy.arange(count) * t - before
            if self.count_padding:
                counted = numpy.full(count, w)
            else:
                counted = numpy.minimum(start + w, n) - numpy.maximum(start, 0)
            out = out[..., None] / counted
        return out.astype(dtype)

    @functools.cached_property
    def attributes(self) -> dict[str, Any] | None:
        """What MXNet's operators are told; None where they can't pad so."""
        told = {"kernel": self.window, "stride": self.stride}
        if all(before == after for before, after in self.pads):
            return {**told, "pad": tuple(before for before, _ in self.pads)}
        # Its other convention lets the last window hang over the end.
        before = tuple(pad[0] for pad in self.pads)
        hanging = tuple(
            -(-(n + 2 * p - w) // t) + 1
            for n, p, w, t in zip(self.size, before, self.window, self.stride, strict=True)
        )
        fits = all(n + 2 * p >= w for n, p, w in zip(self.size, before, self.window, strict=True))
        if fits and hanging == self.after and not self.count_padding:
            return {**told, "pad": before, "pooling_convention": "full"}
        return None


def _step(offset: int, axis: int, geometry: PoolingGeometry) -> tuple:
    """Return the index of the elements that all windows have at one place along one axis."""
    t, count = geometry.stride[axis], geometry.after[axis]
    return (
        ...,
        slice(offset, offset + t * (count - 1) + 1, t),
        *[slice(None)] * (len(geometry.window) - 1 - axis),
    )


def _places(geometry: PoolingGeometry) -> Iterator[tuple]:
    """Return, for each place in a window, the index of the elements that all windows have there."""
    for offsets in itertools.product(*map(range, geometry.window)):
        yield (
            ...,
            *[
                slice(o, o + t * (count - 1) + 1, t)
                for o, t, count in zip(offsets, geometry.stride, geometry.after, strict=True)
            ],
        )


# --- maximum --------------------------------------------------------------------------------------


def _max_pool(x: numpy.ndarray, geometry: PoolingGeometry) -> numpy.ndarray:
    # The maximum of a window is that of its rows' maxima: one axis after the other.
    out = padded(x, geometry.pads, -numpy.inf)
    for axis, places in enumerate(geometry.window):
        first = out[_step(0, axis, geometry)]
        if places == 1:
            out = first
            continue
        best = numpy.maximum(first, out[_step(1, axis, geometry)])
        for offset in range(2, places):
            numpy.maximum(best, out[_step(offset, axis, geometry)], out=best)
        out = best
    return out.copy() if out.base is not None or out is x else out


def _winners(
    x: numpy.ndarray, y: numpy.ndarray, geometry: PoolingGeometry
) -> Iterator[tuple[tuple, numpy.ndarray]]:
    """Return, place by place, which windows have their maximum there: the first one of equals."""
    xp = padded(x, geometry.pads, -numpy.inf)
    waiting = numpy.ones(y.shape, bool)
    for place in _places(geometry):
        hit = xp[place] == y
        hit &= waiting
        waiting ^= hit
        yield place, hit


def _max_pool_to_input(
    g: numpy.ndarray, x: numpy.ndarray, y: numpy.ndarray, geometry: PoolingGeometry
) -> numpy.ndarray:
    out = numpy.zeros((*x.shape[:2], *geometry.padded), g.dtype)
    for place, hit in _winners(x, y, geometry):
        out[place] += g * hit
    return numpy.ascontiguousarray(out[geometry.inside])


def _max_pool_select(
    t: numpy.ndarray, x: numpy.ndarray, y: numpy.ndarray, geometry: PoolingGeometry
) -> numpy.ndarray:
    tp = padded(t, geometry.pads)
    out = numpy.zeros(y.shape, t.dtype)
    for place, hit in _winners(x, y, geometry):
        out += tp[place] * hit
    return out


def _attributes(x: Any, geometry: PoolingGeometry) -> dict[str, Any]:
    refuse_unsupported(x)
    if geometry.attributes is None:
        raise runtime.Unsupported(f"MXNet's pooling can't pad by {geometry.pads}")
    return geometry.attributes


def _covering(geometry: PoolingGeometry) -> tuple[dict[str, Any], list[int]] | None:
    """Return how MXNet's pooling pads so that our windows are among its own, and where they begin.

    None if there is no such padding, which is the same on both sides of an axis.
    """
    pad, begin = [], []
    for n, w, t, (before, after), count in zip(
        geometry.size,
        geometry.window,
        geometry.stride,
        geometry.pads,
        geometry.after,
        strict=True,
    ):
        # With stride 1 some windows more at the start do no harm: they are left away.
        both = max(before, after) if t == 1 else before
        first = both - before
        if n + 2 * both < w or first + count > -(-(n + 2 * both - w) // t) + 1:
            return None
        pad.append(both)
        begin.append(first)
    # The last windows may hang over the end.
    return {**_unpadded(geometry), "pad": tuple(pad), "pooling_convention": "full"}, begin


def _unpadded(geometry: PoolingGeometry) -> dict[str, Any]:
    return {"kernel": geometry.window, "stride": geometry.stride}


def _mx_pool(F: Any, x: Any, geometry: PoolingGeometry, **kind: Any) -> Any:
    """Return the pooling where MXNet has the padding, or one with more windows; None if neither."""
    if geometry.attributes is not None:
        return F("Pooling", x, **kind, **geometry.attributes)
    covering = None if geometry.count_padding else _covering(geometry)
    if covering is None:
        return None
    told, begin = covering
    end = tuple(b + n for b, n in zip(begin, geometry.after, strict=True))
    out = F("Pooling", x, **kind, **told)
    return F("slice", out, begin=(None, None, *begin), end=(None, None, *end))


def _mx_max_pool(F: Any, x: Any, geometry: PoolingGeometry) -> Any:
    refuse_unsupported(x)
    before = getattr(x, "relu_of", None)
    if before is not None:
        # The same numbers and gradients, and a quarter of the work for windows of 2×2: the larger
        # relu drops out of the graph where nobody else wants it.
        return F("Activation", _mx_max_pool(F, before, geometry), act_type="relu")
    out = _mx_pool(F, x, geometry, pool_type="max")
    if out is None:
        x = mx_padded(F, x, geometry.pads, -math.inf)
        out = F("Pooling", x, pool_type="max", **_unpadded(geometry))
    return out


def _mx_max_pool_to_input(F: Any, g: Any, x: Any, y: Any, geometry: PoolingGeometry) -> Any:
    told = _attributes(x, geometry)
    if F.symbolic or len(geometry.window) == 1:
        raise runtime.Unsupported("the gradient of max pooling can't be part of a graph")
    # oneDNN remembers in a second output where the maxima were, in a layout of its own.
    where = runtime.library().nd.empty(y.shape, ctx=x.context, dtype="int32")
    again, out = F.empty(y.shape, y), F.empty(x.shape, x)
    with training(F):
        F.into("Pooling", [x], [again, where], pool_type="max", **told)
        F.into("_backward_Pooling", [g, where, x, again, where], [out], pool_type="max", **told)
    return out


def _mx_max_pool_select(F: Any, t: Any, x: Any, y: Any, geometry: PoolingGeometry) -> Any:
    refuse_unsupported(t, x, y)
    if geometry.padded != geometry.size:
        # It has no padding with minus infinity that the comparison with `y` would go through.
        raise runtime.Unsupported("MXNet has no selection from padded windows")
    out = waiting = None
    for offsets in itertools.product(*map(range, geometry.window)):
        there, moved = x, t
        for axis, (o, s, count) in enumerate(
            zip(offsets, geometry.stride, geometry.after, strict=True)
        ):
            end = o + s * (count - 1) + 1
            span = {
                "begin": (None,) * (axis + 2) + (o,),
                "end": (None,) * (axis + 2) + (end,),
                "step": (None,) * (axis + 2) + (s,),
            }
            there, moved = F("slice", there, **span), F("slice", moved, **span)
        hit = F("broadcast_equal", there, y)
        if waiting is None:
            waiting = F("ones_like", hit)
        hit = F("elemwise_mul", hit, waiting)
        waiting = F("elemwise_sub", waiting, hit)
        part = F("elemwise_mul", moved, hit)
        out = part if out is None else F("elemwise_add", out, part)
    return out


# Measured on two cores of a Zen 5, float32 (oneDNN, NumPy; ms):
#   images             window  maximum      its gradient  average      its gradient
#   (1, 16, 8, 8)      2       0.032 0.004  0.118 0.021   0.030        0.077
#   (32, 32, 26, 26)   2       0.18  0.22   0.43  1.1     0.16         0.21
#   (128, 32, 26, 26)  2       0.63  0.92   1.5   5.4     0.53         0.59
#   (32, 64, 56, 56)   3 by 2  1.6   5.7    3.6   57      1.3          1.5
_FEW = 100_000


def _worth_it(*args: Any) -> bool:
    """Say whether there are many elements to pool; batch and channels come with any array."""
    batch, channels = args[0].shape[:2]
    return batch * channels * math.prod(args[-1].size) >= _FEW and is_float32(args[0])


max_pool_primitive = Primitive(
    "max_pool", _max_pool, arrays=1, mxnet=_mx_max_pool, faster_on_mxnet=_worth_it
)
# to_input(g, x, y, geometry): moves each window's gradient to where the maximum `y` was in `x`.
max_pool_to_input = Primitive(
    "max_pool_to_input",
    _max_pool_to_input,
    arrays=3,
    mxnet=_mx_max_pool_to_input,
    faster_on_mxnet=_worth_it,
)
# select(t, x, y, geometry): the element of each window of `t` where `x` has its maximum `y`.
max_pool_select = Primitive(
    "max_pool_select", _max_pool_select, arrays=3, mxnet=_mx_max_pool_select
)

defvjp(
    max_pool_primitive,
    lambda ans, x, geometry: lambda g: max_pool_to_input(g, x, ans, geometry),
)
defjvp(max_pool_primitive, lambda t, ans, x, geometry: max_pool_select(t, x, ans, geometry))
# Where the maximum is doesn't change with small changes of x: no derivative in x and y.
defvjp(
    max_pool_to_input,
    lambda ans, g, x, y, geometry: lambda h: max_pool_select(h, x, y, geometry),
    None,
    None,
)
defvjp(
    max_pool_select,
    lambda ans, t, x, y, geometry: lambda h: max_pool_to_input(h, x, y, geometry),
    None,
    None,
)
for _op in (max_pool_to_input, max_pool_select):
    def_linear(_op)
    defjvp(_op, None, None, argnums=(1, 2))

# --- average --------------------------------------------------------------------------------------


def _wide(dtype: numpy.dtype) -> numpy.dtype:
    return numpy.promote_types(dtype, numpy.float32)


def _avg_pool(x: numpy.ndarray, geometry: PoolingGeometry) -> numpy.ndarray:
    dtype = _wide(x.dtype)
    out = padded(x, geometry.pads).astype(dtype, copy=False)
    for axis, places in enumerate(geometry.window):
        total = out[_step(0, axis, geometry)]
        if places > 1:
            total = total + out[_step(1, axis, geometry)]
            for offset in range(2, places):
                total += out[_step(offset, axis, geometry)]
        out = total
    return (out * geometry.shares(dtype)).astype(x.dtype, copy=False)


def _avg_pool_to_input(g: numpy.ndarray, geometry: PoolingGeometry) -> numpy.ndarray:
    dtype = _wide(g.dtype)
    out = g * geometry.shares(dtype)
    lead = out.shape[:2]
    for axis in reversed(range(len(geometry.window))):
        shape = (*lead, *geometry.after[:axis], *geometry.padded[axis:])
        spread = numpy.zeros(shape, dtype)
        for offset in range(geometry.window[axis]):
            spread[_step(offset, axis, geometry)] += out
        out = spread
    return numpy.ascontiguousarray(out[geometry.inside], g.dtype)


def _mx_avg_pool(F: Any, x: Any, geometry: PoolingGeometry) -> Any:
    refuse_unsupported(x)
    told = {"pool_type": "avg", "count_include_pad": geometry.count_padding}
    out = _mx_pool(F, x, geometry, **told)
    if out is not None:
        return out
    out = F("Pooling", mx_padded(F, x, geometry.pads), pool_type="avg", **_unpadded(geometry))
    if geometry.count_padding:
        return out
    # Divided by how much of each window lies in the image.
    where = {} if F.symbolic else {"ctx": str(x.context)}
    dtype = numpy.dtype(x.dtype).name
    ones = mx_padded(
        F, F("_ones", shape=(1, 1, *geometry.size), dtype=dtype, **where), geometry.pads
    )
    return F("broadcast_div", out, F("Pooling", ones, pool_type="avg", **_unpadded(geometry)))


def _mx_avg_pool_to_input(F: Any, g: Any, geometry: PoolingGeometry) -> Any:
    told = _attributes(g, geometry)
    if F.symbolic:
        raise runtime.Unsupported("the gradient of average pooling can't be part of a graph")
    # It asks for input and output too, and reads neither.
    out = F.empty((*g.shape[:2], *geometry.size), g)
    told = {**told, "pool_type": "avg", "count_include_pad": geometry.count_padding}
    F.into("_backward_Pooling", [g, out, g], [out], **told)
    return out


avg_pool_primitive = Primitive(
    "avg_pool", _avg_pool, arrays=1, mxnet=_mx_avg_pool, faster_on_mxnet=_worth_it
)
avg_pool_to_input = Primitive(
    "avg_pool_to_input",
    _avg_pool_to_input,
    arrays=1,
    mxnet=_mx_avg_pool_to_input,
    faster_on_mxnet=_worth_it,
)
defvjp(avg_pool_primitive, lambda ans, x, geometry: lambda g: avg_pool_to_input(g, geometry))
defvjp(avg_pool_to_input, lambda ans, g, geometry: lambda h: avg_pool_primitive(h, geometry))
def_linear(avg_pool_primitive)
def_linear(avg_pool_to_input)


# --- public functions -----------------------------------------------------------------------------


@functools.lru_cache(maxsize=1024)
def _geometry(
    by: str, size: tuple[int, ...], pool: Any, stride: Any, pad: Any, count_padding: bool
) -> PoolingGeometry:
    axes = len(size)
    window = one_per_axis(pool, axes, f"{by}: pool")
    strides = window if stride is None else one_per_axis(stride, axes, f"{by}: stride")
    pads = padding(pad, size, window, strides, f"{by}: pad")
    if any(max(sides) >= w for sides, w in zip(pads, window, strict=True)):
        raise ValueError(
            f"{by}: expected padding smaller than the window {window}, got {pad!r}: "
            "a window must not lie in the padding alone"
        )
    after = size_after(size, pads, window, strides, by)
    return PoolingGeometry(size, window, strides, pads, count_padding, after)


def _pooled(operation: Primitive, by: str, x: Any, *settings: Any) -> ndarray:
    x = array_of_floats(x, by)
    if x.ndim not in (3, 4, 5):
        raise ShapeError(
            f"{by}: expected x of shape (batch, channels, height, width), or with one or three "
            f"axes in place of those two, got {x.shape}"
        )
    pool, stride, pad, count_padding = settings
    geometry = _geometry(
        by, x.shape[2:], hashable(pool), hashable(stride), hashable(pad), bool(count_padding)
    )
    return operation(x, geometry)


def max_pool(x: Any, pool: Any = 2, stride: Any = None, pad: Any = 0) -> ndarray:
    """Return the maximum of each window.

    Parameters
    ----------
    x
        Float array of shape (batch, channels, height, width), or with one or three axes in place
        of height and width.
    pool
        Size of the window: an integer, or one for each axis.
    stride
        Its step; its size if not given.
    pad
        As in `conv`, smaller than the window. Padding is never a maximum.

    Returns
    -------
    ndarray
        Of shape (batch, channels, …).

    Notes
    -----
    Of equal maxima in a window the first, in row order, gets the gradient.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers.functions import max_pool
    >>> max_pool(np.arange(16.).reshape(1, 1, 4, 4))
    array([[[[ 5.,  7.],
             [13., 15.]]]])
    """
    return _pooled(max_pool_primitive, "max_pool", x, pool, stride, pad, False)


def avg_pool(
    x: Any, pool: Any = 2, stride: Any = None, pad: Any = 0, count_include_pad: bool = False
) -> ndarray:
    """Return the average of each window.

    Parameters
    ----------
    x, pool, stride, pad
        As in `max_pool`.
    count_include_pad
        Whether padding counts as zeros. By default the average is of what lies in the image, as
        in Keras; PyTorch's default is the other one.

    Returns
    -------
    ndarray
        Of shape (batch, channels, …).

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers.functions import avg_pool
    >>> avg_pool(np.arange(16.).reshape(1, 1, 4, 4))
    array([[[[ 2.5,  4.5],
             [10.5, 12.5]]]])
    """
    return _pooled(avg_pool_primitive, "avg_pool", x, pool, stride, pad, count_include_pad)


def _global(operation: str, by: str, x: Any, keepdims: bool) -> ndarray:
    x = array_of_floats(x, by)
    if x.ndim < 3:
        raise ShapeError(f"{by}: expected x of shape (batch, channels, …), got {x.shape}")
    count = math.prod(x.shape[2:])
    if not count:
        raise ShapeError(f"{by}: expected images with elements, got shape {x.shape}")
    flat = registry["reshape"](x, (*x.shape[:2], count))
    out = registry[operation](flat, 2)
    return registry["reshape"](out, (*x.shape[:2], *(1,) * (x.ndim - 2))) if keepdims else out


def global_avg_pool(x: Any, keepdims: bool = False) -> ndarray:
    """Return the average of each channel of each sample.

    Parameters
    ----------
    x
        Float array of shape (batch, channels, …).
    keepdims
        Whether the other axes stay, with length 1.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers.functions import global_avg_pool
    >>> global_avg_pool(np.arange(8.).reshape(1, 2, 2, 2))
    array([[1.5, 5.5]])
    """
    return _global("mean", "global_avg_pool", x, keepdims)


def global_max_pool(x: Any, keepdims: bool = False) -> ndarray:
    """Return the maximum of each channel of each sample.

    Parameters
    ----------
    x, keepdims
        As in `global_avg_pool`.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers.functions import global_max_pool
    >>> global_max_pool(np.arange(8.).reshape(1, 2, 2, 2))
    array([[3., 7.]])
    """
    return _global("max", "global_max_pool", x, keepdims)
