"""``minpy.nn.layers`` of minpy 0.3.4: the layer functions, with what differs there.

They are those of `minpy.layers.functions`, except `softmax_cross_entropy`, which takes
probabilities here, and biases and scales of shape (1, n) or (batch, 1) and class numbers of any
dtype, which are accepted here.
"""

from __future__ import annotations

from typing import Any

import minpy.numpy as np
from minpy.array import as_ndarray, ndarray
from minpy.layers import functions
from minpy.layers.functions import *  # noqa: F403
from minpy.layers.functions import __all__ as _functions
from minpy.layers.functions import sigmoid

_RECURRENT = [
    "gru_step",
    "lstm_step",
    "lstm_temporal",
    "rnn_step",
    "rnn_temporal",
    "temporal_affine",
    "temporal_softmax_loss",
]

__all__ = sorted({*_functions, *_RECURRENT})


def affine(x: Any, w: Any, b: Any = None) -> ndarray:
    """Return ``x @ w + b``; see `minpy.layers.functions.affine`.

    Parameters
    ----------
    x
        Samples, of shape (batch, …).
    w
        Weights, of shape (features, units).
    b
        Biases: of shape (units,), or anything that broadcasts to the result.
    """
    if b is None or np.ndim(b) == 1:
        return functions.affine(x, w, b)
    return functions.affine(x, w) + b


def batchnorm(
    x: Any,
    gamma: Any,
    beta: Any,
    mode: str = "train",
    eps: float = 1e-5,
    momentum: float = 0.9,
    running_mean: Any = None,
    running_var: Any = None,
) -> tuple[ndarray, ndarray, ndarray]:
    """Normalize over a batch; see `minpy.layers.functions.batchnorm`.

    Parameters
    ----------
    x
        Of shape (batch, features).
    gamma, beta
        Of shape (features,) or (1, features).
    mode, eps, momentum, running_mean, running_var
        As there.

    Returns
    -------
    out, running_mean, running_var
        The result, and the statistics to give to the next call.
    """
    gamma, beta = as_ndarray(gamma).reshape((-1,)), as_ndarray(beta).reshape((-1,))
    return functions.batchnorm(x, gamma, beta, mode, eps, momentum, running_mean, running_var)


def softmax_cross_entropy(prob: Any, label: Any) -> ndarray:
    """Return the mean cross-entropy between labels and probabilities.

    Parameters
    ----------
    prob
        Probabilities, of shape (batch, classes). Zeros count as the smallest normal number.
    label
        Class numbers, of shape (batch,), or one-hot vectors, of the shape of `prob`.

    Notes
    -----
    `minpy.layers.functions.softmax_cross_entropy` takes scores and returns a number a sample;
    `softmax_loss` is the one to use for scores.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> softmax_cross_entropy(np.array([[0.5, 0.5], [1.0, 0.0]]), np.array([1, 0]))
    array(0.3465736)
    """
    prob = as_ndarray(prob)
    # The softmax of the logarithms of probabilities is the probabilities, so this is their
    # cross-entropy, and the labels are checked in one place.
    logs = np.log(np.maximum(prob, float(np.finfo(prob.dtype).tiny)))
    label = as_ndarray(label)
    if label.ndim == 2:
        return -np.sum(logs * label) / prob.shape[0]
    picked = np.take_along_axis(logs, _class_numbers(label, prob.shape[1]).reshape((-1, 1)), 1)
    return -np.sum(picked) / prob.shape[0]


def l2_loss(x: Any, label: Any) -> ndarray:
    """Return the squared error, summed over each sample and averaged over the batch.

    Parameters
    ----------
    x
        Predictions, of shape (batch, classes).
    label
        Targets of the same shape, or class numbers of shape (batch,), of any dtype.
    """
    x, label = as_ndarray(x), as_ndarray(label)
    if x.ndim == 2 and x.shape[1] > 1 and label.ndim == 1:
        label = _class_numbers(label, x.shape[1])
    return functions.l2_loss(x, label)


def _class_numbers(label: ndarray, classes: int) -> ndarray:
    """Return class numbers as integers; iterators give them as floats."""
    numbers = label.astype("int64")
    values = numbers.asnumpy()
    if values.size and not (values.min() >= 0 and values.max() < classes):
        raise ValueError(
            f"expected class numbers from 0 to {classes - 1}, got {values.min()} to {values.max()}"
        )
    return numbers


def rnn_step(x: Any, prev_h: Any, Wx: Any, Wh: Any, b: Any) -> ndarray:
    """Return the next state of a vanilla RNN, ``tanh(x @ Wx + h @ Wh + b)``.

    Parameters
    ----------
    x
        Inputs of this step, of shape (batch, features).
    prev_h
        State, of shape (batch, units).
    Wx, Wh, b
        Of shapes (features, units), (units, units) and (units,).

    Returns
    -------
    ndarray
        Of shape (batch, units).
    """
    return np.tanh(np.dot(x, Wx) + np.dot(prev_h, Wh) + b)


def gru_step(x: Any, prev_h: Any, Wx: Any, Wh: Any, b: Any, Wxh: Any, Whh: Any, bh: Any) -> ndarray:
    """Return the next state of a gated recurrent unit.

    Parameters
    ----------
    x
        Inputs of this step, of shape (batch, features).
    prev_h
        State, of shape (batch, units).
    Wx, Wh, b
        Of the reset and the update gate, side by side: (features, 2·units), (units, 2·units),
        (2·units,).
    Wxh, Whh, bh
        Of the candidate: (features, units), (units, units), (units,).

    Returns
    -------
    ndarray
        Of shape (batch, units).

    Notes
    -----
    Jozefowicz, Zaremba and Sutskever, "An empirical exploration of recurrent network
    architectures", 2015, section 2.2: ``z * h + (1 - z) * candidate``.
    """
    units = prev_h.shape[1]
    gates = sigmoid(np.dot(x, Wx) + np.dot(prev_h, Wh) + b)
    r, z = gates[:, :units], gates[:, units:]
    candidate = np.tanh(np.dot(x, Wxh) + np.dot(r * prev_h, Whh) + bh)
    return z * prev_h + (1 - z) * candidate


def lstm_step(
    x: Any, prev_h: Any, prev_c: Any, Wx: Any, Wh: Any, b: Any
) -> tuple[ndarray, ndarray]:
    """Return the next state and cell of an LSTM.

    Parameters
    ----------
    x
        Inputs of this step, of shape (batch, features).
    prev_h, prev_c
        State and cell, of shape (batch, units).
    Wx, Wh, b
        Of the input, forget and output gates and the candidate, side by side in this order:
        (features, 4·units), (units, 4·units), (4·units,).

    Returns
    -------
    next_h, next_c
        Of shape (batch, units) each.
    """
    units = prev_c.shape[1]
    a = np.dot(x, Wx) + np.dot(prev_h, Wh) + b
    gates = sigmoid(a[:, : 3 * units])
    i, f, o = (gates[:, n * units : (n + 1) * units] for n in range(3))
    next_c = f * prev_c + i * np.tanh(a[:, 3 * units :])
    return o * np.tanh(next_c), next_c


def rnn_temporal(x: Any, h0: Any, Wx: Any, Wh: Any, b: Any) -> ndarray:
    """Return the states of a vanilla RNN at all steps.

    Parameters
    ----------
    x
        Of shape (batch, steps, features).
    h0
        State before the first step, of shape (batch, units).
    Wx, Wh, b
        See `rnn_step`.

    Returns
    -------
    ndarray
        Of shape (batch, steps, units).
    """
    h, states = h0, []
    for t in range(x.shape[1]):
        h = rnn_step(x[:, t, :], h, Wx, Wh, b)
        states.append(h)
    return np.stack(states, axis=1)


def lstm_temporal(x: Any, h0: Any, Wx: Any, Wh: Any, b: Any) -> ndarray:
    """Return the states of an LSTM at all steps; its cell starts at zero.

    Parameters
    ----------
    x
        Of shape (batch, steps, features).
    h0
        State before the first step, of shape (batch, units).
    Wx, Wh, b
        See `lstm_step`.

    Returns
    -------
    ndarray
        Of shape (batch, steps, units).
    """
    h, c, states = h0, np.zeros_like(h0), []
    for t in range(x.shape[1]):
        h, c = lstm_step(x[:, t, :], h, c, Wx, Wh, b)
        states.append(h)
    return np.stack(states, axis=1)


def temporal_affine(x: Any, w: Any, b: Any) -> ndarray:
    """Return ``x @ w + b`` at each step: (batch, steps, features) to (batch, steps, units)."""
    x = as_ndarray(x)
    batch, steps, features = x.shape
    out = functions.affine(x.reshape((batch * steps, features)), w, b)
    return out.reshape((batch, steps, -1))


def temporal_softmax_loss(x: Any, y: Any, mask: Any) -> ndarray:
    """Return the cross-entropy of scores at each step, summed over steps, averaged over the batch.

    Parameters
    ----------
    x
        Scores, of shape (batch, steps, classes).
    y
        Class numbers, of shape (batch, steps).
    mask
        Of shape (batch, steps): which steps count.

    Returns
    -------
    ndarray
        A single number.
    """
    losses = functions.softmax_cross_entropy(as_ndarray(x), y)
    return np.sum(losses * as_ndarray(mask).astype(losses.dtype)) / losses.shape[0]
