"""Batch normalization."""

from __future__ import annotations

from typing import Any

from minpy import constraints, initializers, regularizers
from minpy.config import image_data_format
from minpy.errors import ShapeError
from minpy.layers.functions import batchnorm
from minpy.layers.functions.layer_norm import back_from_the_end, to_the_end
from minpy.layers.layer import Layer
from minpy.numpy.elementwise import sqrt
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
    synchronized
        Whether replicas share their statistics; there is one, so it changes nothing.
    beta_initializer, gamma_initializer, …
        How the weights start, their loss terms and constraints.

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

    supports_masking = True

    def __init__(
        self,
        axis: int | None = None,
        momentum: float = 0.99,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
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

    def call(self, x: Any, training: bool = False, mask: Any = None) -> Any:
        """Compute the output; while training, move the running statistics.

        Where a mask (batch, …, without the channels) is False, numbers don't count in them.
        """
        axis = self._channel_axis(x.ndim)
        if mask is not None and training and self.trainable:
            return self._masked(x, mask, axis)
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

    def _masked(self, x: Any, mask: Any, axis: int) -> Any:
        """Normalize by the statistics of what a mask leaves in, and move the running ones."""
        others = tuple(a for a in range(x.ndim) if a != axis)
        weights = expand_dims(mask, -1).astype(x.dtype)
        # What Keras adds, to divide by where nothing is left in.
        count = weights.sum(others, keepdims=True) + 1e-7
        mean = (x * weights).sum(others, keepdims=True) / count
        off = x - mean
        var = (off * off * weights).sum(others, keepdims=True) / count
        along = tuple(n if a == axis else 1 for a, n in enumerate(x.shape))
        scale = 1.0 / sqrt(var + self.epsilon)
        if self.gamma is not None:
            scale = scale * reshape(self.gamma, along)
        out = off * scale
        if self.beta is not None:
            out = out + reshape(self.beta, along)
        kept, channels = self.momentum, (x.shape[axis],)
        new = 1.0 - kept
        self.moving_mean = self.moving_mean * kept + reshape(mean, channels) * new
        self.moving_variance = self.moving_variance * kept + reshape(var, channels) * new
        return out

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
        for name, (module, _) in _SETTINGS.items():
            value = getattr(self, name)
            config[name] = None if value is None else module.serialize(value)
        return config
