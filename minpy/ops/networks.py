"""Keras' operations of neural networks: activations, convolution, pooling, norms, losses.

They are the functions of `minpy.activations` and `minpy.layers.functions`, with Keras' arguments:
kernels (…, channels, filters), images as ``data_format`` says.
"""

from __future__ import annotations

from typing import Any

import minpy.numpy as np
from minpy import activations
from minpy.array import as_ndarray
from minpy.config import image_data_format
from minpy.errors import ShapeError
from minpy.layers import functions
from minpy.layers.images import from_channels_first, to_channels_first
from minpy.ops.operation import operation

__all__ = [
    "adaptive_average_pool",
    "adaptive_max_pool",
    "average_pool",
    "batch_normalization",
    "binary_crossentropy",
    "categorical_crossentropy",
    "conv",
    "conv_transpose",
    "depthwise_conv",
    "dot_product_attention",
    "gelu",
    "layer_normalization",
    "max_pool",
    "psnr",
    "rms_normalization",
    "separable_conv",
    "sparse_categorical_crossentropy",
]

_ACTIVATIONS = (
    "celu",
    "elu",
    "glu",
    "hard_shrink",
    "hard_sigmoid",
    "hard_silu",
    "hard_swish",
    "hard_tanh",
    "leaky_relu",
    "log_sigmoid",
    "log_softmax",
    "relu",
    "relu6",
    "selu",
    "sigmoid",
    "silu",
    "soft_shrink",
    "softmax",
    "softplus",
    "softsign",
    "sparse_plus",
    "sparse_sigmoid",
    "sparsemax",
    "squareplus",
    "swish",
    "tanh_shrink",
    "threshold",
)
globals().update({name: operation(getattr(activations, name)) for name in _ACTIVATIONS})
__all__ += _ACTIVATIONS


@operation
def gelu(x: Any, approximate: bool = True) -> Any:
    """Return the Gaussian error linear unit, by its tanh approximation unless told otherwise."""
    return activations.gelu(x, approximate)


# --- windows --------------------------------------------------------------------------------------


def _layout(data_format: str | None) -> str:
    return image_data_format() if data_format is None else data_format


def _padding(padding: Any, who: str) -> Any:
    if padding not in ("valid", "same"):
        raise ValueError(f"{who}: expected padding 'valid' or 'same', got {padding!r}")
    return padding


@operation
def conv(
    inputs: Any,
    kernel: Any,
    strides: Any = 1,
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Any = 1,
) -> Any:
    """Convolve signals, images or volumes.

    Parameters
    ----------
    inputs
        Of shape (batch, channels, …) or (batch, …, channels).
    kernel
        Of shape (…, channels, filters); with fewer channels the inputs are taken in groups.
    strides, dilation_rate
        A number, or one for each axis.
    padding
        ``'valid'`` or ``'same'``.
    data_format
        ``'channels_first'`` or ``'channels_last'``; `minpy.config`'s if not given.

    Examples
    --------
    >>> import numpy
    >>> from minpy import ops
    >>> x, kernel = numpy.ones((1, 2, 5)), numpy.ones((3, 2, 4))
    >>> ops.conv(x, kernel, data_format='channels_first').shape
    (1, 4, 3)
    """
    x, w, layout = as_ndarray(inputs), as_ndarray(kernel), _layout(data_format)
    if w.ndim != x.ndim:
        raise ShapeError(f"conv: expected a kernel of {x.ndim} axes, got {w.shape}")
    x = to_channels_first(x, layout)
    if w.shape[-2] == 0 or x.shape[1] % w.shape[-2]:
        raise ShapeError(
            f"conv: {x.shape[1]} channels don't make groups of the kernel's {w.shape[-2]}"
        )
    pad = _padding(padding, "conv")
    w = np.transpose(w, (w.ndim - 1, w.ndim - 2, *range(w.ndim - 2)))
    y = functions.conv(x, w, None, strides, pad, dilation_rate, x.shape[1] // w.shape[1])
    return from_channels_first(y, layout)


@operation
def depthwise_conv(
    inputs: Any,
    kernel: Any,
    strides: Any = 1,
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Any = 1,
) -> Any:
    """Convolve each channel by itself; the kernel is (…, channels, multiplier), else as `conv`."""
    w = as_ndarray(kernel)
    channels, multiplier = w.shape[-2:]
    w = np.reshape(w, (*w.shape[:-2], 1, channels * multiplier))
    return conv(inputs, w, strides, padding, data_format, dilation_rate)


@operation
def separable_conv(
    inputs: Any,
    depthwise_kernel: Any,
    pointwise_kernel: Any,
    strides: Any = 1,
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Any = 1,
) -> Any:
    """Convolve each channel by itself, then mix the channels; kernels as of the two."""
    y = depthwise_conv(inputs, depthwise_kernel, strides, padding, data_format, dilation_rate)
    return conv(y, pointwise_kernel, data_format=data_format)


@operation
def conv_transpose(
    inputs: Any,
    kernel: Any,
    strides: Any = 1,
    padding: str = "valid",
    output_padding: Any = None,
    data_format: str | None = None,
    dilation_rate: Any = 1,
) -> Any:
    """Run a convolution backwards; the kernel is (…, filters, channels), else as `conv`.

    Parameters
    ----------
    output_padding
        None: a layer, as `minpy.layers.Conv2DTranspose`, takes others.

    Examples
    --------
    >>> import numpy
    >>> from minpy import ops
    >>> x, kernel = numpy.ones((1, 4, 2)), numpy.ones((3, 5, 2))
    >>> ops.conv_transpose(x, kernel, 2, 'same', data_format='channels_last').shape
    (1, 8, 5)
    """
    if output_padding is not None:
        raise ValueError("conv_transpose: give output_padding to a layer, as Conv2DTranspose")
    x, w, layout = as_ndarray(inputs), as_ndarray(kernel), _layout(data_format)
    if w.ndim != x.ndim:
        raise ShapeError(f"conv_transpose: expected a kernel of {x.ndim} axes, got {w.shape}")
    w = np.transpose(w, (w.ndim - 1, w.ndim - 2, *range(w.ndim - 2)))
    y = functions.conv_transpose(
        to_channels_first(x, layout),
        w,
        None,
        strides,
        _padding(padding, "conv_transpose"),
        dilation_rate,
    )
    return from_channels_first(y, layout)


@operation
def max_pool(
    inputs: Any,
    pool_size: Any,
    strides: Any = None,
    padding: str = "valid",
    data_format: str | None = None,
) -> Any:
    """Return the largest number of each window; layouts as of `conv`."""
    x, layout = as_ndarray(inputs), _layout(data_format)
    y = functions.max_pool(
        to_channels_first(x, layout), pool_size, strides, _padding(padding, "pooling")
    )
    return from_channels_first(y, layout)


@operation
def average_pool(
    inputs: Any,
    pool_size: Any,
    strides: Any = None,
    padding: str = "valid",
    data_format: str | None = None,
) -> Any:
    """Return the mean of each window, of what isn't padding; layouts as of `conv`."""
    x, layout = as_ndarray(inputs), _layout(data_format)
    y = functions.avg_pool(
        to_channels_first(x, layout), pool_size, strides, _padding(padding, "pooling")
    )
    return from_channels_first(y, layout)


def _adaptive(kind: str, inputs: Any, output_size: Any, data_format: str | None) -> Any:
    from minpy.layers.pooling import adaptive

    x = as_ndarray(inputs)
    if x.ndim not in (3, 4, 5):
        raise ShapeError(
            f"adaptive pooling: expected a batch of signals, images or volumes, got shape {x.shape}"
        )
    layer = getattr(adaptive, f"Adaptive{kind}Pooling{x.ndim - 2}D")
    return layer(output_size, _layout(data_format)).call(x)


@operation
def adaptive_average_pool(inputs: Any, output_size: Any, data_format: str | None = None) -> Any:
    """Return the means of as many windows as the output shall have places; layouts as of `conv`.

    Parameters
    ----------
    inputs
        Signals, images or volumes.
    output_size
        A number, or one for each axis.
    data_format
        ``'channels_first'`` or ``'channels_last'``; `minpy.config`'s if not given.

    Examples
    --------
    >>> from minpy import ops
    >>> ops.adaptive_average_pool([[[0., 1., 2., 3., 4.]]], 2, 'channels_first')
    array([[[1., 3.]]])
    """
    return _adaptive("Average", inputs, output_size, data_format)


@operation
def adaptive_max_pool(inputs: Any, output_size: Any, data_format: str | None = None) -> Any:
    """Return the largest numbers of windows; arguments as of `adaptive_average_pool`."""
    return _adaptive("Max", inputs, output_size, data_format)


# --- norms ----------------------------------------------------------------------------------------


@operation
def batch_normalization(
    x: Any,
    mean: Any,
    variance: Any,
    axis: int,
    offset: Any = None,
    scale: Any = None,
    epsilon: float = 1e-3,
) -> Any:
    """Normalize by given statistics of the channels, then scale and shift."""
    x = as_ndarray(x)
    along = [1] * x.ndim
    along[axis] = -1

    def seen(part: Any) -> Any:
        return np.reshape(as_ndarray(part), along)

    factor = 1.0 / np.sqrt(seen(variance) + epsilon)
    factor = factor if scale is None else factor * seen(scale)
    y = (x - seen(mean)) * factor
    return y if offset is None else y + seen(offset)


@operation
def layer_normalization(
    x: Any, gamma: Any = None, beta: Any = None, axis: Any = -1, epsilon: float | None = None
) -> Any:
    """Normalize each sample along axes, then scale and shift."""
    return functions.layer_norm(x, gamma, beta, axis, 1e-7 if epsilon is None else epsilon)


@operation
def rms_normalization(
    x: Any, scale: Any = None, axis: Any = -1, epsilon: float | None = None
) -> Any:
    """Divide by the root of the mean square along axes, then scale."""
    return functions.rms_norm(x, scale, axis, 1e-7 if epsilon is None else epsilon)


@operation
def dot_product_attention(
    query: Any,
    key: Any,
    value: Any,
    bias: Any = None,
    mask: Any = None,
    scale: float | None = None,
    is_causal: bool = False,
    flash_attention: bool | None = None,
    attn_logits_soft_cap: float | None = None,
) -> Any:
    """Return the values, weighted by how well keys fit queries.

    Parameters
    ----------
    query, key, value
        Of shape (batch, length, heads, features); keys and values may have fewer heads, which
        divide the queries'.
    bias
        Added to the scores, (batch, heads, queries, keys) or what broadcasts to it.
    mask
        False where a query doesn't see a key; as `bias`.
    scale
        Of the scores; one over the root of the number of features if not given.
    is_causal
        Whether a query sees no later keys.
    flash_attention
        Must be None or False.
    attn_logits_soft_cap
        Largest magnitude of a score, by a tanh.
    """
    if flash_attention:
        raise ValueError("dot_product_attention: there is no flash attention; leave it away")
    query, key, value = as_ndarray(query), as_ndarray(key), as_ndarray(value)
    for name, x in (("query", query), ("key", key), ("value", value)):
        if x.ndim != 4:
            raise ShapeError(
                f"dot_product_attention: expected {name} (batch, length, heads, features), got "
                f"{x.shape}"
            )
    times = query.shape[2] // key.shape[2]
    if times > 1:
        key, value = np.repeat(key, times, axis=2), np.repeat(value, times, axis=2)
    scale = query.shape[-1] ** -0.5 if scale is None else scale
    query, key, value = (np.transpose(x, (0, 2, 1, 3)) for x in (query, key, value))
    scores = np.matmul(query * scale, np.swapaxes(key, -1, -2))
    if attn_logits_soft_cap is not None:
        scores = attn_logits_soft_cap * np.tanh(scores / attn_logits_soft_cap)
    if bias is not None:
        scores = scores + bias
    lowest = float(np.finfo(scores.dtype).min) * 0.7  # what Keras puts where nothing is seen
    if is_causal:
        seen = np.tril(np.ones(scores.shape[-2:]))
        scores = np.where(seen > 0, scores, lowest)
    if mask is not None:
        scores = np.where(as_ndarray(mask).astype("bool"), scores, lowest)
    return np.transpose(np.matmul(functions.softmax(scores, -1), value), (0, 2, 1, 3))


# --- how alike signals are -----------------------------------------------------------------------


@operation
def psnr(x1: Any, x2: Any, max_val: Any) -> Any:
    """Return the peak signal-to-noise ratio of two signals, in decibels.

    Parameters
    ----------
    x1, x2
        Signals of one shape.
    max_val
        The largest value that a signal may have.

    Examples
    --------
    >>> from minpy import ops
    >>> float(ops.psnr([0.0, 1.0], [0.1, 0.9], 1.0))
    20.0
    """
    x1, x2 = as_ndarray(x1), as_ndarray(x2)
    if x1.shape != x2.shape:
        raise ShapeError(f"psnr: expected signals of one shape, got {x1.shape} and {x2.shape}")
    noise = np.mean(np.square(x1 - x2))
    return 20.0 * np.log10(as_ndarray(max_val).astype(noise.dtype)) - 10.0 * np.log10(noise)


# --- losses ---------------------------------------------------------------------------------------

_LEAST = 1e-7


def _checked(target: Any, output: Any, who: str) -> tuple[Any, Any]:
    target, output = as_ndarray(target), as_ndarray(output)
    if target.shape != output.shape:
        raise ShapeError(
            f"{who}: expected a target of the output's shape {output.shape}, got {target.shape}"
        )
    return target.astype(output.dtype), output


@operation
def binary_crossentropy(target: Any, output: Any, from_logits: bool = False) -> Any:
    """Return the binary cross entropy of each element.

    Parameters
    ----------
    target
        From 0 to 1.
    output
        Probabilities; with `from_logits` their logits.
    """
    target, output = _checked(target, output, "binary_crossentropy")
    if from_logits:
        return np.maximum(output, 0) - output * target + np.log1p(np.exp(-np.absolute(output)))
    output = np.clip(output, _LEAST, 1.0 - _LEAST)
    return -(target * np.log(output) + (1.0 - target) * np.log(1.0 - output))


@operation
def categorical_crossentropy(
    target: Any, output: Any, from_logits: bool = False, axis: int = -1
) -> Any:
    """Return the cross entropy of each sample, for targets that are probabilities."""
    target, output = _checked(target, output, "categorical_crossentropy")
    if from_logits:
        return -np.sum(target * functions.log_softmax(output, axis), axis)
    output = output / np.sum(output, axis, keepdims=True)
    return -np.sum(target * np.log(np.clip(output, _LEAST, 1.0 - _LEAST)), axis)


@operation
def sparse_categorical_crossentropy(
    target: Any, output: Any, from_logits: bool = False, axis: int = -1
) -> Any:
    """Return the cross entropy of each sample, for targets that are numbers of classes."""
    from minpy.ops.arrays import one_hot

    target, output = as_ndarray(target), as_ndarray(output)
    if target.ndim == output.ndim and target.shape[-1] == 1:
        target = np.squeeze(target, -1)
    known = one_hot(target, output.shape[axis], axis, output.dtype)
    if from_logits:
        return -np.sum(known * functions.log_softmax(output, axis), axis)
    output = output / np.sum(output, axis, keepdims=True)
    return -np.sum(known * np.log(np.clip(output, _LEAST, 1.0 - _LEAST)), axis)
