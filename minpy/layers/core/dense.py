"""The densely connected layer."""

from __future__ import annotations

from typing import Any

from minpy.arguments import also_by_place
from minpy.errors import ShapeError
from minpy.layers.functions import affine
from minpy.layers.weighted import KERNEL_ARGUMENTS, KernelLayer

__all__ = ["Dense"]


class Dense(KernelLayer):
    """Densely connected layer: ``activation(x @ kernel + bias)``.

    Parameters
    ----------
    units
        Number of outputs.
    activation
        Name or function; None is the identity.
    use_bias
        Whether a bias is added.
    kernel_initializer, bias_initializer
        How the weights start.
    kernel_regularizer, bias_regularizer, activity_regularizer
        Loss terms of the weights and of the output.
    kernel_constraint, bias_constraint
        What is done to the weights after each step.

    Notes
    -----
    Input ``(batch, …, features)``, output ``(batch, …, units)``; the kernel is
    ``(features, units)``.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import Dense
    >>> Dense(2, kernel_initializer='ones')(np.array([[1., 2., 3.]]))
    array([[6., 6.]])
    """

    @also_by_place(**KERNEL_ARGUMENTS)
    def __init__(self, units: int, activation: Any = None, use_bias: bool = True, **kwargs: Any):
        super().__init__(activation=activation, use_bias=use_bias, **kwargs)
        if not isinstance(units, int) or units <= 0:
            raise ValueError(f"Dense: expected a positive number of units, got {units!r}")
        self.units = units
        self.supports_masking = True

    def check_input(self, shape: Any) -> None:
        """Raise `ShapeError` unless there are a batch axis and a known feature axis."""
        if not isinstance(shape, tuple) or len(shape) < 2 or shape[-1] is None:
            raise ShapeError(
                f"Dense {self.name!r}: expected input of shape (batch, features), got {shape}; "
                "a single sample needs a batch axis, x[None, :]"
            )

    def build(self, input_shape: Any) -> None:
        """Make kernel and bias."""
        features = input_shape[-1]
        shape = (features, self.units)
        self._make_kernel(shape, shape, self.units, transposed=True)

    def call(self, x: Any) -> Any:
        """Compute the output."""
        features = self.kernel.shape[0]
        if x.shape[-1] != features:
            raise ShapeError(
                f"Dense {self.name!r}: expected input of shape (batch, {features}), got {x.shape}"
                + ("; flatten it first" if x.ndim > 2 else "")
            )
        if x.ndim > 2:
            rows = x.reshape((-1, features))
            y = affine(rows, self.kernel, self.bias)
            return self._finish(y.reshape((*x.shape[:-1], self.units)))
        return self._finish(affine(x, self.kernel, self.bias))

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shape of the output."""
        return (*input_shape[:-1], self.units)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer."""
        return {**super().get_config(), "units": self.units}
