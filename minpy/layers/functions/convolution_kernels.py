"""Convolutions computed: by NumPy, the windows as columns of a matrix, and by MXNet's operators.

It must not know derivatives: what is each other's derivative is said in `convolution`.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterator
from typing import Any

import numpy

from minpy import runtime
from minpy.layers.functions.convolution_geometry import ConvolutionGeometry
from minpy.layers.functions.operands import refuse_unsupported, training
from minpy.layers.functions.padding import inside, mx_padded, padded
from minpy.layers.functions.windows import Pads

__all__ = [
    "biased",
    "forward",
    "gradients",
    "mx_biased",
    "mx_forward",
    "mx_gradients",
    "mx_to_input",
    "mx_to_weights",
    "to_input",
    "to_weights",
]


# --- NumPy ----------------------------------------------------------------------------------------
# Columns are made for a part of the batch at a time, this many bytes: they stay in the cache.
_PART = 1 << 20


def _compute_dtype(dtype: numpy.dtype) -> numpy.dtype:
    """Return what NumPy multiplies matrices fast in: not float16."""
    return numpy.promote_types(dtype, numpy.float32)


def _padded(x: numpy.ndarray, pads: Pads, dtype: numpy.dtype) -> numpy.ndarray:
    if not any(map(any, pads)):
        return numpy.ascontiguousarray(x, dtype)
    return padded(x.astype(dtype, copy=False), pads)


def _windows(xp: numpy.ndarray, geometry: ConvolutionGeometry) -> numpy.ndarray:
    """Return a view (batch, groups, channels of a group, *window, *after) of padded inputs."""
    g = geometry
    n, channels = xp.shape[:2]
    each = channels // g.groups
    batch, channel, *spatial = xp.strides
    return numpy.lib.stride_tricks.as_strided(
        xp,
        (n, g.groups, each, *g.window, *g.after),
        (
            batch,
            channel * each,
            channel,
            *[s * d for s, d in zip(spatial, g.dilation, strict=True)],
            *[s * t for s, t in zip(spatial, g.stride, strict=True)],
        ),
        writeable=False,
    )


def _parts(n: int, geometry: ConvolutionGeometry, dtype: numpy.dtype) -> Iterator[slice]:
    g = geometry
    sample = g.channels * math.prod(g.window) * math.prod(g.after) * dtype.itemsize
    step = max(1, _PART // max(sample, 1))
    return (slice(start, min(start + step, n)) for start in range(0, n, step))


def _is_pointwise(geometry: ConvolutionGeometry) -> bool:
    """Say whether the columns are the input itself."""
    g = geometry
    return set(g.window) == {1} and set(g.stride) == {1} and not any(map(any, g.pads))


def forward(
    x: numpy.ndarray, w: numpy.ndarray, b: numpy.ndarray | None, geometry: ConvolutionGeometry
) -> numpy.ndarray:
    """Convolve inputs with kernels, and add a number for each filter."""
    g = geometry
    n, dtype = x.shape[0], _compute_dtype(x.dtype)
    rows, inner, columns = g.filters // g.groups, math.prod(g.weight_shape[1:]), math.prod(g.after)
    matrix = numpy.ascontiguousarray(w, dtype).reshape(g.groups, rows, inner)
    out = numpy.empty((n, g.groups, rows, columns), dtype)
    xp = _padded(x, g.pads, dtype)
    if _is_pointwise(g):
        numpy.matmul(matrix, xp.reshape(n, g.groups, inner, columns), out=out)
    else:
        windows = _windows(xp, g)
        for part in _parts(n, g, dtype):
            moved = numpy.ascontiguousarray(windows[part])
            numpy.matmul(matrix, moved.reshape(-1, g.groups, inner, columns), out=out[part])
    out = out.reshape(n, g.filters, *g.after)
    if b is not None:
        out += b.astype(dtype, copy=False).reshape(-1, *(1,) * len(g.after))
    return out.astype(x.dtype, copy=False)


def to_input(y: numpy.ndarray, w: numpy.ndarray, geometry: ConvolutionGeometry) -> numpy.ndarray:
    """Apply the transpose of a convolution in its input."""
    g = geometry
    n, dtype = y.shape[0], _compute_dtype(y.dtype)
    rows, inner, columns = g.filters // g.groups, math.prod(g.weight_shape[1:]), math.prod(g.after)
    each = g.channels // g.groups
    matrix = numpy.ascontiguousarray(w, dtype).reshape(g.groups, rows, inner).swapaxes(1, 2)
    given = numpy.ascontiguousarray(y, dtype).reshape(n, g.groups, rows, columns)
    if _is_pointwise(g):
        out = numpy.matmul(matrix, given).reshape(n, g.channels, *g.size)
        return out.astype(y.dtype, copy=False)
    sizes = [size + sum(pad) for size, pad in zip(g.size, g.pads, strict=True)]
    out = numpy.zeros((n, g.groups, each, *sizes), dtype)
    for part in _parts(n, g, dtype):
        moved = numpy.matmul(matrix, given[part]).reshape(-1, g.groups, each, *g.window, *g.after)
        target = out[part]
        for offset in itertools.product(*map(range, g.window)):
            target[_moved(offset, g)] += moved[(slice(None),) * 3 + offset]
    out = out.reshape(n, g.channels, *sizes)[inside(g.pads, g.size)]
    return numpy.ascontiguousarray(out, y.dtype)


def _moved(offset: tuple[int, ...], geometry: ConvolutionGeometry) -> tuple:
    """Return the index of the elements that all windows have at one of their places."""
    g = geometry
    return (
        ...,
        *[
            slice(o * d, o * d + t * (a - 1) + 1, t)
            for o, d, t, a in zip(offset, g.dilation, g.stride, g.after, strict=True)
        ],
    )


def to_weights(x: numpy.ndarray, y: numpy.ndarray, geometry: ConvolutionGeometry) -> numpy.ndarray:
    """Apply the transpose of a convolution in its kernels."""
    g = geometry
    n, dtype = x.shape[0], _compute_dtype(x.dtype)
    rows, inner, columns = g.filters // g.groups, math.prod(g.weight_shape[1:]), math.prod(g.after)
    given = numpy.asarray(y, dtype).reshape(n, g.groups, rows, columns)
    xp = _padded(x, g.pads, dtype)
    windows = _windows(xp, g)
    axes = len(g.window)
    order = (1, 2, *range(3, 3 + axes), 0, *range(3 + axes, 3 + 2 * axes))
    out = numpy.zeros((g.groups, rows, inner), dtype)
    for part in _parts(n, g, dtype):
        # One product for all samples of the part: their windows lie side by side.
        moved = numpy.ascontiguousarray(windows[part].transpose(order))
        moved = moved.reshape(g.groups, inner, -1)
        left = numpy.ascontiguousarray(given[part].transpose(1, 2, 0, 3))
        out += numpy.matmul(left.reshape(g.groups, rows, -1), moved.swapaxes(1, 2))
    return out.reshape(g.weight_shape).astype(x.dtype, copy=False)


def _to_biases(y: numpy.ndarray) -> numpy.ndarray:
    flat = y.reshape(*y.shape[:2], math.prod(y.shape[2:]))
    return flat.sum(2, dtype=_compute_dtype(y.dtype)).sum(0).astype(y.dtype)


def gradients(
    y: numpy.ndarray,
    x: numpy.ndarray,
    w: numpy.ndarray,
    geometry: ConvolutionGeometry,
    with_input: bool,
) -> tuple[numpy.ndarray, ...]:
    """Return the gradients of the input (if wanted), the kernels and the biases."""
    rest = (to_weights(x, y, geometry), _to_biases(y))
    return (to_input(y, w, geometry), *rest) if with_input else rest


def biased(x: numpy.ndarray, b: numpy.ndarray) -> numpy.ndarray:
    """Add a number for each channel."""
    return x + b.reshape(-1, *(1,) * (x.ndim - 2))


# --- MXNet: oneDNN --------------------------------------------------------------------------------


def _mx_crop(F: Any, x: Any, geometry: ConvolutionGeometry) -> Any:
    extra = geometry.extra_pads
    if not any(map(any, extra)):
        return x
    for axis, ((before, _), size) in enumerate(zip(extra, geometry.size, strict=True)):
        x = F("slice_axis", x, axis=axis + 2, begin=before, end=before + size)
    return x


def mx_forward(F: Any, x: Any, w: Any, b: Any, geometry: ConvolutionGeometry) -> Any:
    """Do the same as `forward`."""
    refuse_unsupported(x, w, b)
    x = mx_padded(F, x, geometry.extra_pads)
    given = (x, w) if b is None else (x, w, b)
    with training(F):
        return F(
            "Convolution",
            *given,
            num_filter=geometry.filters,
            no_bias=b is None,
            **geometry.attributes,
        )


def _has_deconvolution(F: Any, y: Any, geometry: ConvolutionGeometry) -> bool:
    """Say whether MXNet's Deconvolution computes this.

    oneDNN's refuses dilation over three axes. MXNet's own, for float64 and on a GPU, has two axes
    at most, and its result is wrong where dilation meets a stride.
    """
    axes, dilated = len(geometry.window), set(geometry.dilation) != {1}
    on_cpu = F.symbolic or y.context.device_type == "cpu"
    if on_cpu and y.dtype == numpy.float32:
        return axes < 3 or not dilated
    return axes < 3 and not dilated


def mx_to_input(F: Any, y: Any, w: Any, geometry: ConvolutionGeometry) -> Any:
    """Do the same as `to_input`."""
    refuse_unsupported(y, w)
    g = geometry
    if _has_deconvolution(F, y, g):
        return _mx_deconvolution(F, y, w, g)
    if not F.symbolic:
        x = F("zeros_like", F.empty((y.shape[0], g.channels, *g.size), y))
        return mx_gradients(F, y, x, w, g, True)[0]
    undilated = dataclasses.replace(g, window=g.reach, dilation=(1,) * len(g.window))
    if not _has_deconvolution(F, y, undilated):
        raise runtime.Unsupported("MXNet has no such transposed convolution")
    return _mx_deconvolution(F, y, _mx_dilated(F, w, g), undilated)


def _mx_dilated(F: Any, w: Any, geometry: ConvolutionGeometry) -> Any:
    """Return the kernel that does undilated what `w` does: with zeros between its elements."""
    shape = list(geometry.weight_shape)
    for axis, (dilation, reach) in enumerate(
        zip(geometry.dilation, geometry.reach, strict=True), start=2
    ):
        if dilation > 1:
            zeros = [F("zeros_like", w)] * (dilation - 1)
            w = F("stack", w, *zeros, axis=axis + 1, num_args=dilation)
            shape[axis] *= dilation
            w = F("slice_axis", F("Reshape", w, shape=tuple(shape)), axis=axis, begin=0, end=reach)
            shape[axis] = reach
    return w


def _mx_deconvolution(F: Any, y: Any, w: Any, geometry: ConvolutionGeometry) -> Any:
    g = geometry
    sizes = [n + sum(e) for n, e in zip(g.size, g.extra_pads, strict=True)]
    # Sizes that leave a rest when divided by the stride come from the same output size.
    rest = tuple(
        (n + 2 * p - r) % t
        for n, p, r, t in zip(sizes, g.common_pad, g.reach, g.stride, strict=True)
    )
    with training(F):
        x = F("Deconvolution", y, w, num_filter=g.channels, adj=rest, no_bias=True, **g.attributes)
    return _mx_crop(F, x, g)


def mx_gradients(
    F: Any, y: Any, x: Any, w: Any, geometry: ConvolutionGeometry, with_input: bool
) -> Any:
    """Do the same as `gradients`; not in graphs."""
    if F.symbolic:
        raise runtime.Unsupported("a convolution's gradient can't be part of a graph")
    refuse_unsupported(y, x, w)
    g = geometry
    x = mx_padded(F, x, g.extra_pads)
    # It computes all three gradients whether they are wanted or not, and reads no bias.
    dx, dw = F.empty(x.shape, x), F.empty(g.weight_shape, x)
    b, db = F.empty((g.filters,), x), F.empty((g.filters,), x)
    with training(F):
        F.into(
            "_backward_Convolution",
            [y, x, w, b],
            [dx, dw, db],
            num_filter=g.filters,
            no_bias=False,
            **g.attributes,
        )
    return (_mx_crop(F, dx, g), dw, db) if with_input else (dw, db)


def mx_to_weights(F: Any, x: Any, y: Any, geometry: ConvolutionGeometry) -> Any:
    """Do the same as `to_weights`; not in graphs."""
    if F.symbolic:
        raise runtime.Unsupported("a convolution's gradient can't be part of a graph")
    w = F("zeros_like", F.empty(geometry.weight_shape, x))
    return mx_gradients(F, y, x, w, geometry, False)[0]


def mx_biased(F: Any, x: Any, b: Any) -> Any:
    """Do the same as `biased`."""
    refuse_unsupported(x, b)
    axes = len(x.shape) - 2
    if x.dtype != numpy.float32 or b.dtype != numpy.float32:
        return F("broadcast_add", x, F("Reshape", b, shape=(1, -1, *(1,) * axes)))
    # oneDNN's convolution of each channel by 1, and its derivative, take 4.2 ms for 2 million
    # elements where the sum and its derivative take 27.
    channels = x.shape[1]
    where = {} if F.symbolic else {"ctx": str(x.context)}
    ones = F("_ones", shape=(channels, 1, *(1,) * axes), dtype="float32", **where)
    told = {"kernel": (1,) * axes, "num_filter": channels, "num_group": channels}
    with training(F):
        return F("Convolution", x, ones, b, **told)
