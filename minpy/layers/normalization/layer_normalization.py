"""Layer normalization and root-mean-square normalization."""

from __future__ import annotations

from typing import Any

from minpy.arguments import also_by_place
from minpy.errors import ShapeError
from minpy.layers.functions.layer_norm import checked_axes, layer_norm, rms_norm
from minpy.layers.layer import Layer
from minpy.layers.normalization.scale_and_shift import SCALE_AND_SHIFT, ScaleAndShift
from minpy.numpy.shaping import reshape

__all__ = ["LayerNormalization", "RMSNormalization"]


def _as_axis(axis: Any, who: str) -> Any:
    """Return an axis, or several as a list, as a configuration holds them."""
    if isinstance(axis, int) and not isinstance(axis, bool):
        return axis
    if isinstance(axis, list | tuple) and axis and all(isinstance(a, int) for a in axis):
        return list(axis)
    raise TypeError(f"{who}: expected axis to be a number or a list of them, got {axis!r}")


def _lengths(layer: Layer, shape: Any) -> tuple[int, ...]:
    """Return how long the normalized axes of an input are."""
    who = f"{type(layer).__name__} {layer.name!r}"
    if not isinstance(shape, tuple) or len(shape) < 2:
        raise ShapeError(f"{who}: expected input of shape (batch, …), got {shape}")
    checked_axes(who, layer.axis, len(shape))
    axes = [layer.axis] if isinstance(layer.axis, int) else layer.axis
    found = tuple(shape[a] for a in axes)
    if None in found:
        raise ShapeError(f"{who}: the length of axis {layer.axis} must be known, got {shape}")
    return found


def _in_order(layer: Layer, x: Any, weight: Any) -> Any:
    """Return a weight in the shape of the input's axes in ascending order.

    Keras makes the shape in the order in which the axes are given, and then takes the numbers as
    they come.
    """
    if weight is None or weight.ndim == 1:
        return weight
    return reshape(weight, tuple(x.shape[a] for a in checked_axes("", layer.axis, x.ndim)))


class LayerNormalization(ScaleAndShift):
    """Normalizes each sample along axes to mean 0 and variance 1, and scales and shifts it.

    Parameters
    ----------
    axis
        The axes of a sample's numbers; the last one by default.
    epsilon
        Added to the variance.
    center, scale
        Whether a shift and a scale are learnt, numbers for each place along `axis`.
    beta_initializer, gamma_initializer, beta_regularizer, gamma_regularizer
        How the weights start, and their loss terms.
    beta_constraint, gamma_constraint
        What is done to the weights after each step.

    Notes
    -----
    Ba et al., 2016.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import LayerNormalization
    >>> LayerNormalization(epsilon=0.)(np.array([[1., 3.], [5., 1.]]))
    array([[-1.,  1.],
           [ 1., -1.]])
    """

    @also_by_place(**SCALE_AND_SHIFT)
    def __init__(
        self,
        axis: Any = -1,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(epsilon=epsilon, center=center, scale=scale, **kwargs)
        self.axis = _as_axis(axis, "LayerNormalization")

    def check_input(self, shape: Any) -> None:
        """Raise `ShapeError` unless the normalized axes are there and of known length."""
        _lengths(self, shape)

    def build(self, input_shape: Any) -> None:
        """Make scale and shift."""
        self._make_weights(_lengths(self, input_shape))

    def call(self, x: Any) -> Any:
        """Compute the output."""
        gamma, beta = _in_order(self, x, self.gamma), _in_order(self, x, self.beta)
        return layer_norm(x, gamma, beta, self.axis, self.epsilon)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shape of the output: the input's, which must have the axes."""
        checked_axes(f"LayerNormalization {self.name!r}", self.axis, len(input_shape))
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer."""
        return {**super().get_config(), "axis": self.axis}


class RMSNormalization(Layer):
    """Divides each sample by the root of the mean of its squares along axes, and scales it.

    Parameters
    ----------
    axis
        The axes of a sample's numbers; the last one by default.
    epsilon
        Added to the mean of the squares.

    Notes
    -----
    Zhang and Sennrich, 2019.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import RMSNormalization
    >>> RMSNormalization(epsilon=0.)(np.array([[3., 4., 0., 0.]]))
    array([[1.2, 1.6, 0. , 0. ]])
    """

    _on_floats = True
    supports_masking = True

    def __init__(self, axis: Any = -1, epsilon: float = 1e-6, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not epsilon >= 0:
            raise ValueError(f"RMSNormalization: expected epsilon from 0, got {epsilon!r}")
        self.axis = _as_axis(axis, "RMSNormalization")
        self.epsilon = float(epsilon)

    def check_input(self, shape: Any) -> None:
        """Raise `ShapeError` unless the normalized axes are there and of known length."""
        _lengths(self, shape)

    def build(self, input_shape: Any) -> None:
        """Make the scale."""
        self.scale = self.add_weight("scale", _lengths(self, input_shape), "ones")

    def call(self, x: Any) -> Any:
        """Compute the output."""
        return rms_norm(x, _in_order(self, x, self.scale), self.axis, self.epsilon)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shape of the output."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer."""
        return {**super().get_config(), "axis": self.axis, "epsilon": self.epsilon}
