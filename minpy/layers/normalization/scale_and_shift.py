"""What normalizing layers share: the scale and the shift that they learn."""

from __future__ import annotations

from typing import Any

from minpy import constraints, initializers, regularizers
from minpy.layers.layer import Layer

__all__ = ["SCALE_AND_SHIFT", "ScaleAndShift"]

_SETTINGS = {
    "beta_initializer": (initializers, "zeros"),
    "gamma_initializer": (initializers, "ones"),
    "beta_regularizer": (regularizers, None),
    "gamma_regularizer": (regularizers, None),
    "beta_constraint": (constraints, None),
    "gamma_constraint": (constraints, None),
}
# What constructors take by place behind their own arguments: Keras' order.
SCALE_AND_SHIFT = {name: default for name, (_, default) in _SETTINGS.items()}


class ScaleAndShift(Layer):
    """A normalizing layer with weights gamma, if it scales, and beta, if it centers."""

    _on_floats = True
    supports_masking = True

    def __init__(
        self, *, epsilon: float, center: bool = True, scale: bool = True, **kwargs: Any
    ) -> None:
        given = {name: kwargs.pop(name, default) for name, (_, default) in _SETTINGS.items()}
        super().__init__(**kwargs)
        if not epsilon >= 0:
            raise ValueError(f"{type(self).__name__}: expected epsilon from 0, got {epsilon!r}")
        self.epsilon = float(epsilon)
        self.center = bool(center)
        self.scale = bool(scale)
        for name, value in given.items():
            setattr(self, name, _SETTINGS[name][0].get(value))

    def _make_weights(self, shape: tuple[int, ...]) -> None:
        for name, used in (("gamma", self.scale), ("beta", self.center)):
            weight = None
            if used:
                weight = self.add_weight(
                    name,
                    shape,
                    getattr(self, f"{name}_initializer"),
                    regularizer=getattr(self, f"{name}_regularizer"),
                    constraint=getattr(self, f"{name}_constraint"),
                )
            setattr(self, name, weight)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shape of the output."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer."""
        config = {
            **super().get_config(),
            "epsilon": self.epsilon,
            "center": self.center,
            "scale": self.scale,
        }
        for name, (module, _) in _SETTINGS.items():
            value = getattr(self, name)
            config[name] = None if value is None else module.serialize(value)
        return config
