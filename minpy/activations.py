"""Activation functions by name, with Keras' names, arguments and defaults; knows no layer.

What `minpy.layers.functions` has comes from there, with its fast kernels; the rest is composed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import minpy.numpy as np
from minpy.array import as_ndarray, ndarray
from minpy.by_name import NameTable
from minpy.layers.functions import activations as kernels
from minpy.layers.functions.activations import (
    elu,
    exponential,
    gelu,
    hard_sigmoid,
    leaky_relu,
    selu,
    sigmoid,
    silu,
    softplus,
    softsign,
    tanh,
)
from minpy.layers.functions.probabilities import log_softmax, softmax, sparsemax

__all__ = [
    "celu",
    "deserialize",
    "elu",
    "exponential",
    "gelu",
    "get",
    "glu",
    "hard_shrink",
    "hard_sigmoid",
    "hard_silu",
    "hard_swish",
    "hard_tanh",
    "leaky_relu",
    "linear",
    "log_sigmoid",
    "log_softmax",
    "mish",
    "relu",
    "relu6",
    "selu",
    "serialize",
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
    "tanh",
    "tanh_shrink",
    "threshold",
]


def linear(x: Any) -> Any:
    """Return x as it is."""
    return x


def _limit(x: Any, low: float, high: float) -> ndarray:
    return np.minimum(np.maximum(x, low), high)


def relu(
    x: Any,
    negative_slope: float = 0.0,
    max_value: float | None = None,
    threshold: float = 0.0,
) -> ndarray:
    """Return x above a threshold, and a slope times its distance to the threshold below.

    Parameters
    ----------
    x
        Array of any shape.
    negative_slope
        Slope below the threshold.
    max_value
        Largest value of the result.
    threshold
        Where the two parts meet.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> relu(np.array([-1., 2., 9.]), negative_slope=0.1, max_value=6.)
    array([-0.1, 2. , 6. ])
    """
    x = as_ndarray(x)
    if not threshold:
        y = leaky_relu(x, negative_slope) if negative_slope else kernels.relu(x)
    else:
        y = np.where(x > threshold, x, negative_slope * (x - threshold))
    return y if max_value is None else np.minimum(y, max_value)


def relu6(x: Any) -> ndarray:
    """Return x limited to [0, 6]."""
    return relu(x, max_value=6.0)


def celu(x: Any, alpha: float = 1.0) -> ndarray:
    """Return x where it is positive, else ``alpha (exp(x / alpha) - 1)`` (Barron, 2017)."""
    return elu(as_ndarray(x) / alpha) * alpha


def glu(x: Any, axis: int = -1) -> ndarray:
    """Return the first half along an axis, gated by the sigmoid of the second (Dauphin, 2017).

    Examples
    --------
    >>> import minpy.numpy as np
    >>> glu(np.array([3., 0.]))
    array([1.5])
    """
    x = as_ndarray(x)
    if x.shape[axis] % 2:
        raise ValueError(f"glu: expected an even length along axis {axis}, got shape {x.shape}")
    value, gate = np.split(x, 2, axis=axis)
    return value * sigmoid(gate)


def hard_silu(x: Any) -> ndarray:
    """Return ``x · hard_sigmoid(x)``, also called hard swish (Howard et al., 2019)."""
    x = as_ndarray(x)
    return x * hard_sigmoid(x)


def hard_tanh(x: Any) -> ndarray:
    """Return x limited to [-1, 1]."""
    return _limit(x, -1.0, 1.0)


def hard_shrink(x: Any, threshold: float = 0.5) -> ndarray:
    """Return x, or 0 where it is no further from 0 than a threshold."""
    x = as_ndarray(x)
    return np.where(np.absolute(x) > threshold, x, 0.0)


def soft_shrink(x: Any, threshold: float = 0.5) -> ndarray:
    """Return x moved towards 0 by a threshold, 0 where it is nearer than that."""
    x = as_ndarray(x)
    return x - _limit(x, -threshold, threshold)


def tanh_shrink(x: Any) -> ndarray:
    """Return ``x - tanh(x)``."""
    x = as_ndarray(x)
    return x - tanh(x)


def log_sigmoid(x: Any) -> ndarray:
    """Return the logarithm of `sigmoid`, for any x without underflow."""
    return -softplus(-as_ndarray(x))


def mish(x: Any) -> ndarray:
    """Return ``x · tanh(softplus(x))`` (Misra, 2019)."""
    x = as_ndarray(x)
    return x * tanh(softplus(x))


def sparse_plus(x: Any) -> ndarray:
    """Return 0 below -1, x above 1, and the parabola ``(x + 1)² / 4`` between.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> sparse_plus(np.array([-2., 0., 2.]))
    array([0. , 0.25, 2. ])
    """
    x = as_ndarray(x)
    return 0.25 * np.square(_limit(x, -1.0, 1.0) + 1.0) + np.maximum(x - 1.0, 0.0)


def sparse_sigmoid(x: Any) -> ndarray:
    """Return ``(x + 1) / 2`` limited to [0, 1]: the derivative of `sparse_plus`."""
    return 0.5 * _limit(x, -1.0, 1.0) + 0.5


def squareplus(x: Any, b: float = 4) -> ndarray:
    """Return ``(x + √(x² + b)) / 2`` (Barron, 2021)."""
    x = as_ndarray(x)
    return 0.5 * (x + np.sqrt(np.square(x) + b))


def threshold(x: Any, threshold: float, default_value: float) -> ndarray:
    """Return x where it is above a threshold, else a default value."""
    x = as_ndarray(x)
    return np.where(x > threshold, x, default_value)


_table = NameTable(
    "activation",
    functions=[
        linear,
        relu,
        relu6,
        leaky_relu,
        sigmoid,
        tanh,
        softmax,
        log_softmax,
        softplus,
        softsign,
        elu,
        selu,
        celu,
        gelu,
        silu,
        mish,
        glu,
        exponential,
        hard_sigmoid,
        hard_silu,
        hard_tanh,
        hard_shrink,
        soft_shrink,
        tanh_shrink,
        log_sigmoid,
        sparse_plus,
        sparse_sigmoid,
        sparsemax,
        squareplus,
        threshold,
    ],
    aliases={
        "swish": "silu",
        "hard_swish": "hard_silu",
        "identity": "linear",
        "exp": "exponential",
    },
    folder="minpy.activations",
)

serialize = _table.serialize

hard_swish = hard_silu
swish = silu


def get(identifier: Any, custom_objects: Mapping[str, Any] | None = None) -> Callable[..., Any]:
    """Return the activation function that an identifier stands for.

    Parameters
    ----------
    identifier
        A name, a function, or None, which means `linear`.
    custom_objects
        Functions of your own, by name.

    Raises
    ------
    ValueError
        If there is none of that name; the message suggests the nearest.

    Examples
    --------
    >>> get('relu').__name__, get(None).__name__
    ('relu', 'linear')
    """
    return linear if identifier is None else _table.get(identifier, custom_objects)


def deserialize(config: Any, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """Return the activation function that `serialize` was given."""
    return linear if config is None else _table.deserialize(config, custom_objects)
