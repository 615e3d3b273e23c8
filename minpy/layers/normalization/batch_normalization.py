"""Batch normalization."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy

from minpy import constraints, initializers, regularizers
from minpy.arguments import also_by_place
from minpy.config import epsilon, image_data_format
from minpy.errors import ShapeError
from minpy.layers.functions import batchnorm, stop_gradient
from minpy.layers.functions.layer_norm import back_from_the_end, to_the_end
from minpy.layers.layer import Layer
from minpy.numpy.broadcasting import broadcast_to
from minpy.numpy.elementwise import maximum, minimum, sqrt
from minpy.numpy.shaping import expand_dims, reshape

__all__ = ["BatchNormalization"]

_SETTINGS = {
    "beta_initializer": (initializers, "zeros"),
    "gamma_initializer": (initializers, "ones"),
    "moving_mean_initializer": (initializers, "zeros"),
    "moving_variance_initializer": (initializers, "ones"),
    "beta_regularizer": (regularizers, None),
    "gamma_regularizer": (regularizers, None),
    "beta_constraint": (constraints, None),
    "gamma_constraint": (constraints, None),
}
_DEFAULTS = {name: default for name, (_, default) in _SETTINGS.items()}
_LIMITS = ("rmin", "rmax", "dmax")


class BatchNormalization(Layer):
    """Normalizes each channel over the batch, and scales and shifts it.

    Parameters
    ----------
    axis
        The channels' axis. By default that of `minpy.config.image_data_format` for images (1 with
        ``'channels_first'``), and the last one for inputs of other ranks.
    momentum
        How much of the running statistics a step keeps.
    epsilon
        Added to the variance.
    center, scale
        Whether a shift and a scale are learnt.
    beta_initializer, gamma_initializer, …
        How the weights start, their loss terms and constraints.
    renorm
        Whether training corrects the batch's statistics towards running ones (Ioffe, 2017), which
        small batches gain by.
    renorm_clipping
        Limits of the corrections: ``{'rmin': …, 'rmax': …, 'dmax': …}``, each may be left out.
    renorm_momentum
        How much of the running statistics of the corrections a step keeps.
    synchronized
        Whether replicas share their statistics; there is one, so it changes nothing.

    Notes
    -----
    Ioffe and Szegedy, 2015. While training, the statistics are the batch's, and the running ones
    move towards them; at test time the running ones are used.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import BatchNormalization
    >>> layer = BatchNormalization(epsilon=0.)
    >>> layer(np.array([[1.], [3.]]), training=True)
    array([[-1.],
           [ 1.]])
    """

    _on_floats = True
    supports_masking = True

    @also_by_place(
        **_DEFAULTS, renorm=False, renorm_clipping=None, renorm_momentum=0.99, synchronized=False
    )
    def __init__(
        self,
        axis: int | None = None,
        momentum: float = 0.99,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        *,
        renorm: bool = False,
        renorm_clipping: Mapping[str, float] | None = None,
        renorm_momentum: float = 0.99,
        synchronized: bool = False,
        **kwargs: Any,
    ) -> None:
        given = {name: kwargs.pop(name, default) for name, (_, default) in _SETTINGS.items()}
        super().__init__(**kwargs)
        if not 0 <= momentum <= 1:
            raise ValueError(f"BatchNormalization: expected momentum in [0, 1], got {momentum!r}")
        self.axis = axis
        self.momentum = float(momentum)
        self.epsilon = float(epsilon)
        self.center = bool(center)
        self.scale = bool(scale)
        self.synchronized = bool(synchronized)
        self.renorm = bool(renorm)
        self.renorm_clipping = _limits(renorm_clipping) if renorm else None
        self.renorm_momentum = float(renorm_momentum)
        if not 0 <= renorm_momentum <= 1:
            raise ValueError(
                f"BatchNormalization: expected renorm_momentum in [0, 1], got {renorm_momentum!r}"
            )
        for name, value in given.items():
            setattr(self, name, _SETTINGS[name][0].get(value))

    def _channel_axis(self, ndim: int) -> int:
        if self.axis is not None:
            return self.axis % ndim
        return 1 if ndim == 4 and image_data_format() == "channels_first" else ndim - 1

    def check_input(self, shape: Any) -> None:
        """Raise `ShapeError` unless the number of channels is known."""
        if not isinstance(shape, tuple) or len(shape) < 2:
            raise ShapeError(
                f"BatchNormalization {self.name!r}: expected input of shape (batch, …), got {shape}"
            )
        if shape[self._channel_axis(len(shape))] is None:
            raise ShapeError(
                f"BatchNormalization {self.name!r}: the number of channels (axis "
                f"{self._channel_axis(len(shape))}) must be known, got {shape}"
            )

    def build(self, input_shape: Any) -> None:
        """Make scale, shift and running statistics."""
        shape = (input_shape[self._channel_axis(len(input_shape))],)
        for name, used, part in (("gamma", self.scale, "gamma"), ("beta", self.center, "beta")):
            if used:
                weight = self.add_weight(
                    name,
                    shape,
                    getattr(self, f"{part}_initializer"),
                    regularizer=getattr(self, f"{part}_regularizer"),
                    constraint=getattr(self, f"{part}_constraint"),
                )
                setattr(self, name, weight)
            else:
                setattr(self, name, None)
        self.moving_mean = self.add_weight(
            "moving_mean", shape, self.moving_mean_initializer, trainable=False
        )
        self.moving_variance = self.add_weight(
            "moving_variance", shape, self.moving_variance_initializer, trainable=False
        )
        if self.renorm:
            for name, initializer in (
                ("moving_stddev", self._first_deviation),
                ("renorm_mean", self.moving_mean_initializer),
                ("renorm_stddev", self._first_deviation),
            ):
                setattr(self, name, self.add_weight(name, shape, initializer, trainable=False))

    def _first_deviation(self, shape: Any, dtype: Any = None) -> numpy.ndarray:
        return numpy.sqrt(initializers.make(self.moving_variance_initializer, shape, dtype))

    def call(self, x: Any, training: bool = False, mask: Any = None) -> Any:
        """Compute the output; while training, move the running statistics.

        Where a mask is False, numbers don't count in them: (batch, …, without the channels), or
        what broadcasts to that.
        """
        axis = self._channel_axis(x.ndim)
        if (mask is not None or self.renorm) and training and self.trainable:
            return self._by_steps(x, mask, axis)
        others = tuple(a for a in range(1, x.ndim) if a != axis)
        moved = x if axis == 1 else to_the_end(x, others)
        # Frozen, a layer doesn't learn its statistics either (Keras' rule).
        train = training and self.trainable
        out, mean, variance = batchnorm(
            moved,
            self.gamma,
            self.beta,
            mode="train" if train else "test",
            eps=self.epsilon,
            momentum=self.momentum,
            running_mean=self.moving_mean,
            running_var=self.moving_variance,
        )
        if train:
            self.moving_mean, self.moving_variance = mean, variance
        return out if axis == 1 else back_from_the_end(out, others)

    def _by_steps(self, x: Any, mask: Any, axis: int) -> Any:
        """Normalize by the statistics of what a mask leaves in, and move the running ones."""
        others = tuple(a for a in range(x.ndim) if a != axis)
        if mask is None:
            mean = x.mean(others, keepdims=True)
            off = x - mean
            var = (off * off).mean(others, keepdims=True)
        else:
            weights = expand_dims(mask, -1).astype(x.dtype)
            whole = (*x.shape[:-1], 1)
            if tuple(weights.shape) != whole:
                weights = broadcast_to(weights, whole)
            # What Keras adds, to divide by where nothing is left in.
            count = weights.sum(others, keepdims=True) + epsilon()
            mean = (x * weights).sum(others, keepdims=True) / count
            off = x - mean
            var = (off * off * weights).sum(others, keepdims=True) / count
        along = tuple(n if a == axis else 1 for a, n in enumerate(x.shape))
        channels = (x.shape[axis],)
        deviation = sqrt(var + self.epsilon)
        out = off / deviation
        if self.renorm:
            r, d = self._corrections(reshape(mean, channels), reshape(deviation, channels))
            out = out * reshape(r, along) + reshape(d, along)
        if self.gamma is not None:
            out = out * reshape(self.gamma, along)
        if self.beta is not None:
            out = out + reshape(self.beta, along)
        mean, var = reshape(mean, channels), reshape(var, channels)
        kept, new = self.momentum, 1.0 - self.momentum
        self.moving_mean = self.moving_mean * kept + mean * new
        if self.renorm:
            deviation = reshape(deviation, channels)
            moved = self.moving_stddev * kept + deviation * new
            self.moving_stddev = moved
            self.moving_variance = maximum(moved * moved - self.epsilon, 0.0)
            kept, new = self.renorm_momentum, 1.0 - self.renorm_momentum
            self.renorm_mean = self.renorm_mean * kept + mean * new
            self.renorm_stddev = self.renorm_stddev * kept + deviation * new
        else:
            self.moving_variance = self.moving_variance * kept + var * new
        return out

    def _corrections(self, mean: Any, deviation: Any) -> tuple[Any, Any]:
        """Return what a batch's statistics are moved by, towards the running ones: r and d."""
        limits = self.renorm_clipping
        running = maximum(self.renorm_stddev, self.epsilon**0.5)
        r, d = deviation / running, (mean - self.renorm_mean) / running
        if "rmin" in limits:
            r = maximum(r, limits["rmin"])
        if "rmax" in limits:
            r = minimum(r, limits["rmax"])
        if "dmax" in limits:
            d = minimum(maximum(d, -limits["dmax"]), limits["dmax"])
        return stop_gradient(r), stop_gradient(d)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shape of the output."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer."""
        config = {
            **super().get_config(),
            "axis": self.axis,
            "momentum": self.momentum,
            "epsilon": self.epsilon,
            "center": self.center,
            "scale": self.scale,
        }
        if self.synchronized:
            config["synchronized"] = True
        if self.renorm:
            config["renorm"] = True
            config["renorm_clipping"] = dict(self.renorm_clipping)
            config["renorm_momentum"] = self.renorm_momentum
        for name, (module, _) in _SETTINGS.items():
            value = getattr(self, name)
            config[name] = None if value is None else module.serialize(value)
        return config


def _limits(given: Mapping[str, float] | None) -> dict[str, float]:
    """Return the limits of the corrections, those that are None left out."""
    found = {name: value for name, value in (given or {}).items() if value is not None}
    if set(found) - set(_LIMITS):
        raise ValueError(
            f"BatchNormalization: expected renorm_clipping with {', '.join(_LIMITS)}, got "
            f"{', '.join(map(repr, given))}"
        )
    if found.get("rmin", 0) > found.get("rmax", float("inf")) or found.get("dmax", 0) < 0:
        raise ValueError(
            f"BatchNormalization: expected renorm_clipping with rmin ≤ rmax and dmax ≥ 0, got "
            f"{dict(given)!r}"
        )
    return found
