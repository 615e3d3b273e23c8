"""Spectral normalization: a wrapper that keeps the largest singular value of a kernel at 1."""

from __future__ import annotations

from typing import Any

from minpy import initializers
from minpy.array import ndarray
from minpy.errors import ShapeError
from minpy.layers import serialization
from minpy.layers.functions.affine import product
from minpy.layers.functions.layer_norm import unit_norm
from minpy.layers.functions.stop_gradient import stop_gradient
from minpy.layers.layer import Layer
from minpy.layers.parameter import Parameter, bound
from minpy.numpy.elementwise import where
from minpy.numpy.shaping import reshape, transpose

__all__ = ["SpectralNormalization"]

_WEIGHTS = ("kernel", "embeddings")


class SpectralNormalization(Layer):
    """Runs a layer with its kernel divided by the kernel's largest singular value.

    Parameters
    ----------
    layer
        A layer with a kernel, or an `Embedding`.
    power_iterations
        Steps of the power iteration that finds the singular value, in each training step.

    Notes
    -----
    Miyato et al., "Spectral normalization for generative adversarial networks", 2018, algorithm 1:
    the gradient goes through the division. In training the vector of the iteration moves on; at
    test time the kernel is divided by the value that the last one gives. (Keras runs the kernel as
    it is at test time, which its backends have normalized or not.)

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import Dense, SpectralNormalization
    >>> layer = SpectralNormalization(Dense(1, kernel_initializer='ones'))
    >>> layer(np.ones((1, 4)), training=True)
    array([[2.]])
    """

    supports_masking = True

    def __init__(self, layer: Layer, power_iterations: int = 1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not isinstance(layer, Layer):
            raise TypeError(f"SpectralNormalization: expected a layer, got {layer!r}")
        if isinstance(power_iterations, bool) or not isinstance(power_iterations, int):
            raise ValueError(
                f"SpectralNormalization: expected a number of iterations, got {power_iterations!r}"
            )
        if power_iterations < 1:
            raise ValueError(
                f"SpectralNormalization: expected power_iterations from 1, got {power_iterations}"
            )
        self.layer = layer
        self.power_iterations = power_iterations

    def check_input(self, shape: Any) -> None:
        """Raise `ShapeError` unless the layer inside can take inputs of this shape."""
        self.layer.check_input(shape)

    def build(self, input_shape: Any) -> None:
        """Make the layer's weights, and the vector of the iteration."""
        self.layer._build_once(input_shape)
        length = self._matrix(self._weight().value).shape[1]
        self.vector_u = self.add_weight(
            "vector_u", (1, length), initializers.TruncatedNormal(stddev=0.02), trainable=False
        )

    def _weight(self) -> Parameter:
        for name in _WEIGHTS:
            found = self.layer._parameters.get(name)
            if found is not None:
                return found
        raise ShapeError(
            f"SpectralNormalization {self.name!r}: {self.layer} has neither a kernel nor "
            "embeddings to normalize"
        )

    @staticmethod
    def _matrix(kernel: ndarray) -> ndarray:
        """Return a kernel as a matrix with a column an output."""
        if kernel.ndim == 2:
            return kernel
        # Kernels of convolutions count outputs in their first axis.
        return transpose(reshape(kernel, (kernel.shape[0], -1)), (1, 0))

    def call(self, x: Any, training: bool = False) -> Any:
        """Compute the output of the layer with its kernel normalized."""
        weight = self._weight()
        kernel = weight.value
        matrix = self._matrix(kernel)
        fixed, u = stop_gradient(matrix), self.vector_u
        for _ in range(self.power_iterations if training else 1):
            v = unit_norm(product(u, fixed, False, True))
            after = unit_norm(product(v, fixed, False, False))
            u = after if training else u
        if training:
            self.vector_u = u
        # The singular value for a given pair of vectors, which have no gradients of their own.
        sigma = reshape(product(product(v, matrix, False, False), after, False, True), ())
        scaled = kernel / where(sigma == 0, 1.0, sigma)
        with bound([weight], [scaled]):
            return self.layer(x, training=training)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shape of the output: the layer's."""
        return self.layer.compute_output_shape(input_shape)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer."""
        return {
            **super().get_config(),
            "layer": serialization.serialize(self.layer),
            "power_iterations": self.power_iterations,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        """Make a layer of what `get_config` returned."""
        inner = serialization.deserialize(config["layer"], custom_objects)
        return cls(**{**config, "layer": inner})
