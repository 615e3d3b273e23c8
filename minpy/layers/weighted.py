"""What layers with a kernel and a bias share: their initial values, regularizers, constraints."""

from __future__ import annotations

from typing import Any

from minpy import activations, constraints, initializers, regularizers
from minpy.layers.layer import Layer

__all__ = ["KERNEL_ARGUMENTS", "KernelLayer"]

# What constructors of layers with a kernel take by place behind their own arguments: Keras' order.
KERNEL_ARGUMENTS = {
    "kernel_initializer": "glorot_uniform",
    "bias_initializer": "zeros",
    "kernel_regularizer": None,
    "bias_regularizer": None,
    "activity_regularizer": None,
    "kernel_constraint": None,
    "bias_constraint": None,
}

_SETTINGS = {
    "kernel_initializer": initializers,
    "bias_initializer": initializers,
    "kernel_regularizer": regularizers,
    "bias_regularizer": regularizers,
    "kernel_constraint": constraints,
    "bias_constraint": constraints,
}


class KernelLayer(Layer):
    """A layer that multiplies by a kernel, adds a bias and applies an activation."""

    def __init__(
        self,
        *,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.activation = activations.get(activation)
        self.use_bias = bool(use_bias)
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.bias_constraint = constraints.get(bias_constraint)

    def _make_kernel(
        self,
        shape: tuple[int, ...],
        fans: tuple[int, int],
        outputs: int,
        transposed: bool = False,
    ) -> None:
        self.kernel = self.add_weight(
            "kernel",
            shape,
            self.kernel_initializer,
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
            fans=fans,
            transposed=transposed,
        )
        if self.use_bias:
            self.bias = self.add_weight(
                "bias",
                (outputs,),
                self.bias_initializer,
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
            )
        else:
            self.bias = None

    def _finish(self, y: Any) -> Any:
        # Somebody may have taken it away from a layer: layer.activation = None.
        return y if self.activation is None else self.activation(y)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer."""
        config = super().get_config()
        config["activation"] = activations.serialize(self.activation)
        config["use_bias"] = self.use_bias
        for name, module in _SETTINGS.items():
            value = getattr(self, name)
            config[name] = None if value is None else module.serialize(value)
        return config
