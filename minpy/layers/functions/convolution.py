"""Convolution over one, two or three axes, its transpose, and the derivatives of both to any order.

Three bilinear operations are each other's derivatives: the convolution of an input with a kernel,
its transpose from outputs to inputs, and the gradient of the kernel. All three take the same
`ConvolutionGeometry`. It must not know about layers or data formats: channels come first.
"""

from __future__ import annotations

import functools
from typing import Any

from minpy.array import ndarray
from minpy.autograd.rules import def_linear, defjvp_argnums, defvjp, defvjp_argnums
from minpy.errors import ShapeError
from minpy.layers.functions import convolution_kernels as kernels
from minpy.layers.functions.convolution_geometry import (
    check_ranks,
    geometry_of,
    transposed_geometry_of,
)
from minpy.layers.functions.operands import floats, is_float32
from minpy.layers.functions.windows import hashable
from minpy.primitives import Primitive, registry

__all__ = ["conv", "conv_transpose"]


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
    "convolution",
    kernels.forward,
    arrays=3,
    mxnet=kernels.mx_forward,
    faster_on_mxnet=_on_onednn(3),
)
# to_input(y, w, geometry): the transpose of convolution in its input.
to_input = Primitive(
    "convolution_to_input",
    kernels.to_input,
    arrays=2,
    mxnet=kernels.mx_to_input,
    faster_on_mxnet=_on_onednn(2),
)
# to_weights(x, y, geometry): the transpose of convolution in its kernel.
to_weights = Primitive(
    "convolution_to_weights",
    kernels.to_weights,
    arrays=2,
    mxnet=kernels.mx_to_weights,
    faster_on_mxnet=_on_onednn(2),
)
# gradients(y, x, w, geometry, with_input): of input (if wanted), kernel and biases in one go.
gradients = Primitive(
    "convolution_gradients",
    kernels.gradients,
    arrays=3,
    mxnet=kernels.mx_gradients,
    faster_on_mxnet=_on_onednn(3),
)


# biased(x, b): x plus a number for each channel.
biased = Primitive("biased", kernels.biased, arrays=2, mxnet=kernels.mx_biased)


# --- derivatives ----------------------------------------------------------------------------------


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
    check_ranks("conv", x, w, "filters, channels / groups")
    geometry = geometry_of(
        x.shape[1:], w.shape, hashable(stride), hashable(pad), hashable(dilation), groups
    )
    if b is not None and b.shape != (geometry.filters,):
        raise ShapeError(f"conv: expected biases of shape ({geometry.filters},), got {b.shape}")
    return convolution(x, w, b, geometry)


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
    check_ranks("conv_transpose", x, w, "channels, filters / groups")
    geometry = transposed_geometry_of(
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
