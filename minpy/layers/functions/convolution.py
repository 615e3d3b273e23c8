"""Convolution over one, two or three axes, its transpose, and the derivatives of both to any order.

Three bilinear operations are each other's derivatives: the convolution of an input with a kernel,
its transpose from outputs to inputs, and the gradient of the kernel. All three take the same
`ConvolutionGeometry`. It must not know about layers or data formats: channels come first.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy

from minpy import runtime
from minpy.array import ndarray
from minpy.autograd.rules import def_linear, defjvp_argnums, defvjp, defvjp_argnums
from minpy.errors import ShapeError
from minpy.layers.functions.operands import floats, is_float32, refuse_unsupported, training
from minpy.layers.functions.padding import inside, mx_padded, padded
from minpy.layers.functions.windows import Pads, hashable, one_per_axis, padding, size_after
from minpy.primitives import Primitive, registry

__all__ = ["conv", "conv_transpose"]


@dataclass(frozen=True)
class ConvolutionGeometry:
    """All numbers of a convolution but the batch size, which no kernel but the input's knows."""

    channels: int
    size: tuple[int, ...]
    filters: int
    window: tuple[int, ...]
    stride: tuple[int, ...]
    pads: Pads
    dilation: tuple[int, ...]
    groups: int
    after: tuple[int, ...]  # size of the output

    @functools.cached_property
    def reach(self) -> tuple[int, ...]:
        """Elements from the first to the last of a window."""
        return _reach(self.window, self.dilation)

    @functools.cached_property
    def weight_shape(self) -> tuple[int, ...]:
        """Shape of the kernel."""
        return (self.filters, self.channels // self.groups, *self.window)

    @functools.cached_property
    def multiplications(self) -> int:
        """Multiplications for one sample."""
        return math.prod(self.weight_shape) * math.prod(self.after)

    @functools.cached_property
    def common_pad(self) -> tuple[int, ...]:
        """Padding on both sides of each axis, all that MXNet's operators have."""
        return tuple(min(pad) for pad in self.pads)

    @functools.cached_property
    def extra_pads(self) -> Pads:
        """What is left to pad explicitly."""
        return tuple(
            (before - common, after - common)
            for (before, after), common in zip(self.pads, self.common_pad, strict=True)
        )

    @functools.cached_property
    def attributes(self) -> dict[str, Any]:
        """What MXNet's operators are told."""
        return {
            "kernel": self.window,
            "stride": self.stride,
            "pad": self.common_pad,
            "dilate": self.dilation,
            "num_group": self.groups,
        }


def _reach(window: tuple[int, ...], dilation: tuple[int, ...]) -> tuple[int, ...]:
    return tuple((w - 1) * d + 1 for w, d in zip(window, dilation, strict=True))


# --- NumPy kernels: the windows as columns of a matrix --------------------------------------------

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


def _forward(
    x: numpy.ndarray, w: numpy.ndarray, b: numpy.ndarray | None, geometry: ConvolutionGeometry
) -> numpy.ndarray:
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


def _to_input(y: numpy.ndarray, w: numpy.ndarray, geometry: ConvolutionGeometry) -> numpy.ndarray:
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


def _to_weights(x: numpy.ndarray, y: numpy.ndarray, geometry: ConvolutionGeometry) -> numpy.ndarray:
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


def _gradients(
    y: numpy.ndarray,
    x: numpy.ndarray,
    w: numpy.ndarray,
    geometry: ConvolutionGeometry,
    with_input: bool,
) -> tuple[numpy.ndarray, ...]:
    rest = (_to_weights(x, y, geometry), _to_biases(y))
    return (_to_input(y, w, geometry), *rest) if with_input else rest


# --- MXNet kernels: oneDNN ------------------------------------------------------------------------


def _mx_crop(F: Any, x: Any, geometry: ConvolutionGeometry) -> Any:
    extra = geometry.extra_pads
    if not any(map(any, extra)):
        return x
    for axis, ((before, _), size) in enumerate(zip(extra, geometry.size, strict=True)):
        x = F("slice_axis", x, axis=axis + 2, begin=before, end=before + size)
    return x


def _mx_forward(F: Any, x: Any, w: Any, b: Any, geometry: ConvolutionGeometry) -> Any:
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


def _mx_to_input(F: Any, y: Any, w: Any, geometry: ConvolutionGeometry) -> Any:
    refuse_unsupported(y, w)
    g = geometry
    if _has_deconvolution(F, y, g):
        return _mx_deconvolution(F, y, w, g)
    if not F.symbolic:
        x = F("zeros_like", F.empty((y.shape[0], g.channels, *g.size), y))
        return _mx_gradients(F, y, x, w, g, True)[0]
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


def _mx_gradients(
    F: Any, y: Any, x: Any, w: Any, geometry: ConvolutionGeometry, with_input: bool
) -> Any:
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


def _mx_to_weights(F: Any, x: Any, y: Any, geometry: ConvolutionGeometry) -> Any:
    if F.symbolic:
        raise runtime.Unsupported("a convolution's gradient can't be part of a graph")
    w = F("zeros_like", F.empty(geometry.weight_shape, x))
    return _mx_gradients(F, y, x, w, geometry, False)[0]


# --- primitives -----------------------------------------------------------------------------------

# Measured on two cores of a Zen 5, float32, kernel 3×3 (oneDNN, NumPy; ms):
#   images            filters  forward       to input      all gradients
#   (1, 8, 8, 8)      8        0.047 0.013   0.039 0.039   0.094 0.057
#   (8, 8, 14, 14)    16       0.060 0.085   0.079 0.14    0.16  0.24
#   (32, 1, 28, 28)   32       0.20  0.24    0.15  0.47    0.28  1.0
#   (32, 32, 13, 13)  64       0.41  2.1     0.39  2.7     0.76  4.6
#   (128, 32, 13, 13) 64       2.0   8.6     1.6   11      2.9   19
# In float64 NumPy takes 3.1 ms where MXNet, which has no oneDNN for it, takes 9.4.
_FEW = 500_000  # multiplications


def _on_onednn(geometry_at: int) -> Any:
    def faster(*args: Any) -> bool:
        work = args[0].shape[0] * args[geometry_at].multiplications
        return work >= _FEW and is_float32(args[0]) and is_float32(args[1])

    return faster


convolution = Primitive(
    "convolution", _forward, arrays=3, mxnet=_mx_forward, faster_on_mxnet=_on_onednn(3)
)
# to_input(y, w, geometry): the transpose of convolution in its input.
to_input = Primitive(
    "convolution_to_input",
    _to_input,
    arrays=2,
    mxnet=_mx_to_input,
    faster_on_mxnet=_on_onednn(2),
)
# to_weights(x, y, geometry): the transpose of convolution in its kernel.
to_weights = Primitive(
    "convolution_to_weights",
    _to_weights,
    arrays=2,
    mxnet=_mx_to_weights,
    faster_on_mxnet=_on_onednn(2),
)
# gradients(y, x, w, geometry, with_input): of input (if wanted), kernel and biases in one go.
gradients = Primitive(
    "convolution_gradients",
    _gradients,
    arrays=3,
    mxnet=_mx_gradients,
    faster_on_mxnet=_on_onednn(3),
)


def _mx_biased(F: Any, x: Any, b: Any) -> Any:
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


def _biased(x: numpy.ndarray, b: numpy.ndarray) -> numpy.ndarray:
    return x + b.reshape(-1, *(1,) * (x.ndim - 2))


# biased(x, b): x plus a number for each channel.
biased = Primitive("biased", _biased, arrays=2, mxnet=_mx_biased)


def _to_channels(y: Any) -> Any:
    """Return the gradient of the biases."""
    return registry["sum"](y, (0, *range(2, y.ndim)))


def _convolution_vjp(argnums: tuple, ans: Any, args: tuple, kwargs: dict) -> Any:
    x, w, _, geometry = args

    def vjp(g: Any) -> tuple:
        if 1 not in argnums:
            of = {0: lambda: to_input(g, w, geometry), 2: lambda: _to_channels(g)}
            return tuple(of[i]() for i in argnums)
        with_input = 0 in argnums
        found = gradients(g, x, w, geometry, with_input)
        return tuple(found[i if with_input else i - 1] for i in argnums)

    return vjp


def _convolution_jvp(argnums: tuple, tangents: tuple, ans: Any, args: tuple, kwargs: dict) -> Any:
    x, w, _, geometry = args
    of = dict(zip(argnums, tangents, strict=True))
    # A bias' tangent rides along with whichever convolution there is.
    bias = of.get(2)
    if 0 in of and 1 in of:
        return convolution(of[0], w, bias, geometry) + convolution(x, of[1], None, geometry)
    if 0 in of:
        return convolution(of[0], w, bias, geometry)
    if 1 in of:
        return convolution(x, of[1], bias, geometry)
    across = registry["reshape"](bias, (-1, *(1,) * len(geometry.size)))
    return registry["broadcast_to"](across, ans.shape)


defvjp_argnums(convolution, _convolution_vjp)
defjvp_argnums(convolution, _convolution_jvp)

defvjp(
    to_input,
    lambda ans, y, w, geometry: lambda g: convolution(g, w, None, geometry),
    lambda ans, y, w, geometry: lambda g: to_weights(g, y, geometry),
)
def_linear(to_input, 0, 1)

defvjp(
    to_weights,
    lambda ans, x, y, geometry: lambda g: to_input(y, g, geometry),
    lambda ans, x, y, geometry: lambda g: convolution(x, g, None, geometry),
)
def_linear(to_weights, 0, 1)


defvjp(biased, lambda ans, x, b: lambda g: g, lambda ans, x, b: _to_channels)


def _biased_jvp(argnums: tuple, tangents: tuple, ans: Any, args: tuple, kwargs: dict) -> Any:
    of = dict(zip(argnums, tangents, strict=True))
    if 1 not in of:
        return of[0]
    return biased(of[0] if 0 in of else registry["zeros_like"](ans), of[1])


defjvp_argnums(biased, _biased_jvp)


def _gradients_vjp(argnums: tuple, ans: Any, args: tuple, kwargs: dict) -> Any:
    y, x, w, geometry, with_input = args

    def vjp(parts: tuple) -> tuple:
        to_x, to_w, to_b = parts if with_input else (None, *parts)

        def of_y() -> Any:
            out = convolution(x, to_w, to_b, geometry)
            return out if to_x is None else out + convolution(to_x, w, None, geometry)

        of = {
            0: of_y,
            1: lambda: to_input(y, to_w, geometry),
            2: lambda: None if to_x is None else to_weights(to_x, y, geometry),
        }
        return tuple(of[i]() for i in argnums)

    return vjp


def _gradients_jvp(argnums: tuple, tangents: tuple, ans: Any, args: tuple, kwargs: dict) -> Any:
    y, x, w, geometry, with_input = args
    of = dict(zip(argnums, tangents, strict=True))

    def total(*terms: Any) -> Any:
        given = [t for t in terms if t is not None]
        return None if not given else functools.reduce(registry["add"], given)

    of_w = total(
        to_weights(x, of[0], geometry) if 0 in of else None,
        to_weights(of[1], y, geometry) if 1 in of else None,
    )
    of_b = _to_channels(of[0]) if 0 in of else None
    if not with_input:
        return of_w, of_b
    of_x = total(
        to_input(of[0], w, geometry) if 0 in of else None,
        to_input(y, of[2], geometry) if 2 in of else None,
    )
    return of_x, of_w, of_b


defvjp_argnums(gradients, _gradients_vjp)
defjvp_argnums(gradients, _gradients_jvp)


# --- public functions -----------------------------------------------------------------------------


@functools.lru_cache(maxsize=1024)
def _geometry(
    sample: tuple[int, ...],
    weights: tuple[int, ...],
    stride: Any,
    pad: Any,
    dilation: Any,
    groups: int,
) -> ConvolutionGeometry:
    filters, each, *window = weights
    channels, *size = sample
    axes = len(window)
    strides = one_per_axis(stride, axes, "conv: stride")
    dilations = one_per_axis(dilation, axes, "conv: dilation")
    _check_groups("conv", groups, channels, each, filters, weights)
    window, size = tuple(window), tuple(size)
    reach = _reach(window, dilations)
    pads = padding(pad, size, reach, strides, "conv: pad")
    after = size_after(size, pads, reach, strides, "conv")
    return ConvolutionGeometry(
        channels, size, filters, window, strides, pads, dilations, groups, after
    )


def _check_groups(
    by: str, groups: int, channels: int, each: int, filters: int, weights: tuple[int, ...]
) -> None:
    if not isinstance(groups, int) or groups < 1 or filters % groups:
        raise ValueError(
            f"{by}: expected groups that divide the {filters} filters of weights {weights}, "
            f"got {groups!r}"
        )
    if channels != each * groups:
        raise ShapeError(
            f"{by}: weights of shape {weights} in {groups} groups take {each * groups} channels, "
            f"got {channels}; channels come first, x of shape (batch, channels, …)"
        )


_AXES = {1: "length", 2: "height, width", 3: "depth, height, width"}


def _check_ranks(by: str, x: ndarray, w: ndarray, layout: str) -> None:
    axes = w.ndim - 2
    if axes not in _AXES:
        raise ShapeError(
            f"{by}: expected weights of shape ({layout}, height, width), or with one or three axes "
            f"in place of those two, got {w.shape}"
        )
    if x.ndim != w.ndim:
        raise ShapeError(
            f"{by}: expected x of shape (batch, channels, {_AXES[axes]}) for weights of shape "
            f"{w.shape}, got {x.shape}"
        )
    if 0 in w.shape:
        raise ShapeError(f"{by}: expected weights with elements, got shape {w.shape}")


def conv(
    x: Any,
    w: Any,
    b: Any = None,
    stride: Any = 1,
    pad: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> ndarray:
    """Convolve images, signals or volumes with kernels (as a cross-correlation, unflipped).

    Parameters
    ----------
    x
        Float array of shape (batch, channels, height, width), or with one or three axes in place
        of height and width.
    w
        Kernels, of shape (filters, channels / groups, height, width), or as many axes as `x` has.
    b
        Biases, of shape (filters,), or None.
    stride
        Step of the window: an integer, or one for each axis.
    pad
        Zeros added around: an integer, one for each axis, ((top, bottom), (left, right)), or
        ``'valid'`` for none and ``'same'`` for an output of ``ceil(size / stride)``. Where
        ``'same'`` needs an odd number, one more goes after than before, as in Keras.
    dilation
        Distance between the elements of a kernel.
    groups
        Number of groups that channels and filters are split into; each group sees its own.

    Returns
    -------
    ndarray
        Of shape (batch, filters, …), where an axis of size n becomes
        ``(n + padding - dilation * (kernel - 1) - 1) // stride + 1``.

    Raises
    ------
    ShapeError
        If the shapes don't fit, or the kernel doesn't fit into the padded input.
    TypeError
        If an array isn't of a float dtype.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers.functions import conv
    >>> conv(np.ones((1, 1, 3, 3)), np.ones((1, 1, 2, 2)))
    array([[[[4., 4.],
             [4., 4.]]]])
    >>> conv(np.ones((8, 3, 32, 32)), np.ones((16, 3, 3, 3)), stride=2, pad='same').shape
    (8, 16, 16, 16)
    """
    x, w, b = floats("conv", x=x, w=w, b=b)
    _check_ranks("conv", x, w, "filters, channels / groups")
    geometry = _geometry(
        x.shape[1:], w.shape, hashable(stride), hashable(pad), hashable(dilation), groups
    )
    if b is not None and b.shape != (geometry.filters,):
        raise ShapeError(f"conv: expected biases of shape ({geometry.filters},), got {b.shape}")
    return convolution(x, w, b, geometry)


@functools.lru_cache(maxsize=1024)
def _transposed_geometry(
    sample: tuple[int, ...],
    weights: tuple[int, ...],
    stride: Any,
    pad: Any,
    dilation: Any,
    groups: int,
    output_padding: Any,
) -> ConvolutionGeometry:
    """Return the geometry of the convolution from our output to our input."""
    by = "conv_transpose"
    filters, each, *window = weights
    channels, *after = sample
    axes = len(window)
    window, after = tuple(window), tuple(after)
    strides = one_per_axis(stride, axes, f"{by}: stride")
    dilations = one_per_axis(dilation, axes, f"{by}: dilation")
    if channels != filters:
        raise ShapeError(
            f"{by}: weights of shape {weights} take {filters} channels, got {channels}; "
            "channels come first, x of shape (batch, channels, …)"
        )
    _check_groups(by, groups, each * groups, each, filters, weights)
    reach = _reach(window, dilations)
    if pad == "same":
        size = tuple(n * t for n, t in zip(after, strides, strict=True))
        pads = padding("same", size, reach, strides, f"{by}: pad")
    elif pad == "valid":
        size = tuple(n * t + max(r - t, 0) for n, t, r in zip(after, strides, reach, strict=True))
        pads = ((0, 0),) * axes
    else:
        pads = padding(pad, after, reach, strides, f"{by}: pad")
        extra = one_per_axis(output_padding, axes, f"{by}: output_padding", least=0)
        size = tuple(
            (n - 1) * t + r - sum(p) + e
            for n, t, r, p, e in zip(after, strides, reach, pads, extra, strict=True)
        )
        if min(size) < 1:
            raise ShapeError(f"{by}: padding {pads} leaves nothing of an input of size {after}")
        if size_after(size, pads, reach, strides, by) != after:
            raise ValueError(
                f"{by}: expected output_padding below the stride {strides}, got {output_padding!r}"
            )
    return ConvolutionGeometry(
        each * groups, size, filters, window, strides, pads, dilations, groups, after
    )


def conv_transpose(
    x: Any,
    w: Any,
    b: Any = None,
    stride: Any = 1,
    pad: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
    output_padding: Any = 0,
) -> ndarray:
    """Apply the transpose of a convolution: a convolution with these settings, run backwards.

    Parameters
    ----------
    x
        Float array of shape (batch, channels, …).
    w
        Kernels, of shape (channels, filters / groups, …): those of the convolution that leads from
        the result's shape to that of `x`.
    b
        Biases, of shape (filters,), or None.
    stride, dilation, groups
        As in `conv`.
    pad
        What the convolution pads by, so what is cut off here: an integer, one or a pair for each
        axis; or ``'same'`` for a result of ``size * stride`` and ``'valid'`` for one of
        ``size * stride + max(kernel - stride, 0)``, Keras' two.
    output_padding
        Elements more at the end of each axis, below the stride; for a `pad` in numbers.

    Returns
    -------
    ndarray
        Of shape (batch, filters, …).

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers.functions import conv_transpose
    >>> conv_transpose(np.ones((1, 1, 2)), np.array([[[1., 10.]]]), stride=2)
    array([[[ 1., 10.,  1., 10.]]])
    """
    x, w, b = floats("conv_transpose", x=x, w=w, b=b)
    _check_ranks("conv_transpose", x, w, "channels, filters / groups")
    geometry = _transposed_geometry(
        x.shape[1:],
        w.shape,
        hashable(stride),
        hashable(pad),
        hashable(dilation),
        groups,
        hashable(output_padding),
    )
    out = to_input(x, w, geometry)
    if b is None:
        return out
    if b.shape != (geometry.channels,):
        raise ShapeError(
            f"conv_transpose: expected biases of shape ({geometry.channels},), got {b.shape}"
        )
    return biased(out, b)
