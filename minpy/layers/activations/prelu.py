"""The rectified linear unit whose slope is learnt."""

from __future__ import annotations

from typing import Any

from minpy import constraints, initializers, regularizers
from minpy.errors import ShapeError
from minpy.layers.functions import relu
from minpy.layers.layer import Layer

__all__ = ["PReLU"]

_SETTINGS = {
    "alpha_initializer": (initializers, "zeros"),
    "alpha_regularizer": (regularizers, None),
    "alpha_constraint": (constraints, None),
}


class PReLU(Layer):
    """``x`` where it is positive, else ``alpha * x`` with an alpha that is learnt.

    Parameters
    ----------
    alpha_initializer, alpha_regularizer, alpha_constraint
        How alpha starts, its loss term, and what is done to it after each step.
    shared_axes
        Axes along which alpha is the same, counted with the batch axis as 0: ``[2, 3]`` for one
        number a channel of channels-first images.

    Notes
    -----
    He et al., 2015.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import PReLU
    >>> PReLU(alpha_initializer='ones', shared_axes=[1])(np.array([[-1., 2.]]))
    array([[-1.,  2.]])
    """

    supports_masking = True

    def __init__(
        self,
        alpha_initializer: Any = "zeros",
        alpha_regularizer: Any = None,
        alpha_constraint: Any = None,
        shared_axes: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.alpha_initializer = initializers.get(alpha_initializer)
        self.alpha_regularizer = regularizers.get(alpha_regularizer)
        self.alpha_constraint = constraints.get(alpha_constraint)
        shared = [shared_axes] if isinstance(shared_axes, int) else list(shared_axes or [])
        if not all(isinstance(a, int) and a > 0 for a in shared):
            raise ValueError(
                f"PReLU: expected shared_axes to be numbers from 1 (0 is the batch axis), "
                f"got {shared_axes!r}"
            )
        self.shared_axes = shared or None

    def check_input(self, shape: Any) -> None:
        """Raise `ShapeError` unless the axes that aren't shared are of known length."""
        if not isinstance(shape, tuple) or len(shape) < 2:
            raise ShapeError(
                f"PReLU {self.name!r}: expected input of shape (batch, …), got {shape}"
            )
        shared = self.shared_axes or []
        if shared and max(shared) >= len(shape):
            raise ShapeError(
                f"PReLU {self.name!r}: shared_axes {shared} names an axis that an input of shape "
                f"{shape} hasn't"
            )
        if any(n is None and i not in shared for i, n in enumerate(shape) if i):
            raise ShapeError(
                f"PReLU {self.name!r}: axes of unknown length must be among shared_axes, got an "
                f"input of shape {shape}"
            )

    def build(self, input_shape: Any) -> None:
        """Make alpha."""
        shared = self.shared_axes or []
        self.alpha = self.add_weight(
            "alpha",
            tuple(1 if i in shared else n for i, n in enumerate(input_shape) if i),
            self.alpha_initializer,
            regularizer=self.alpha_regularizer,
            constraint=self.alpha_constraint,
        )

    def call(self, x: Any) -> Any:
        """Compute the output."""
        return relu(x) - self.alpha * relu(-x)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shape of the output."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer."""
        config = {**super().get_config(), "shared_axes": self.shared_axes}
        for name, (module, _) in _SETTINGS.items():
            value = getattr(self, name)
            config[name] = None if value is None else module.serialize(value)
        return config
