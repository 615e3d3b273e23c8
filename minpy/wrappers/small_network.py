"""The network that an estimator trains when it was given none; knows nothing of scikit-learn."""

from __future__ import annotations

from typing import Any

import numpy

from minpy.layers import Dense, Flatten, Input, Normalization, Rescaling
from minpy.models import Sequential
from minpy.optimizers import Adam

__all__ = ["small_network"]


def small_network(X: numpy.ndarray, y: numpy.ndarray, loss: str, activation: str | None) -> Any:
    """Return a compiled network with one hidden layer, on inputs brought to mean 0, variance 1.

    Parameters
    ----------
    X
        Inputs, samples along the first axis.
    y
        Targets of shape (samples, outputs).
    loss
        A loss's name.
    activation
        That of the last layer. With None it computes numbers, on the scale of the targets.

    Examples
    --------
    >>> import numpy
    >>> small_network(numpy.ones((8, 3)), numpy.ones((8, 2)), 'mse', None).output_shape
    (None, 2)
    """
    flat = numpy.reshape(X, (len(X), -1)).astype("float64")
    layers: list[Any] = [
        Input(X.shape[1:]),
        Flatten(),
        Normalization(mean=flat.mean(axis=0), variance=flat.var(axis=0)),
        Dense(32, activation="relu"),
        Dense(y.shape[1], activation=activation),
    ]
    if activation is None:
        spread = y.std(axis=0)
        scales = numpy.where(spread > 0, spread, 1.0)
        layers.append(Rescaling(scales.tolist(), y.mean(axis=0).tolist()))
    model = Sequential(layers)
    model.compile(Adam(0.01), loss)
    return model
