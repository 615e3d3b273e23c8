"""A layer applied to each time step."""

from __future__ import annotations

from typing import Any

from minpy.errors import ShapeError
from minpy.layers.calls import signature_of
from minpy.layers.layer import Layer
from minpy.layers.serialization import deserialize, serialize
from minpy.numpy.shaping import reshape, stack

__all__ = ["TimeDistributed"]


class TimeDistributed(Layer):
    """Applies one layer to every time step.

    Parameters
    ----------
    layer
        The layer.

    Notes
    -----
    Input ``(batch, time, …)``. All steps go through the layer at once, as so many samples; a layer
    that keeps statistics while training (batch normalization) is applied step after step.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import Dense, TimeDistributed
    >>> TimeDistributed(Dense(4))(np.zeros((2, 5, 3))).shape
    (2, 5, 4)
    """

    def __init__(self, layer: Any, **kwargs: Any) -> None:
        if not isinstance(layer, Layer):
            raise ValueError(f"TimeDistributed: expected a layer, got {layer!r}")
        super().__init__(**kwargs)
        self.layer = layer
        self.supports_masking = True

    def check_input(self, shape: Any) -> None:
        """Raise `ShapeError` unless there is a time axis."""
        if not isinstance(shape, tuple) or len(shape) < 3:
            raise ShapeError(
                f"TimeDistributed {self.name!r}: expected input of shape (batch, time, features), "
                f"got {shape}"
            )

    def build(self, input_shape: Any) -> None:
        """Make the layer's weights."""
        self.layer._build_once((input_shape[0], *input_shape[2:]))

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """Compute the layer's output for all steps."""
        if mask is not None and tuple(mask.shape[:2]) != tuple(inputs.shape[:2]):
            raise ShapeError(
                f"TimeDistributed {self.name!r}: expected a mask of shape {inputs.shape[:2]}, "
                f"got {mask.shape}"
            )
        takes_mask = mask is not None and signature_of(type(self.layer)).takes_mask
        samples, steps = inputs.shape[:2]
        if training and self.layer.non_trainable_weights and self.layer.trainable:
            outputs = [
                self.layer(
                    inputs[:, t], training=training, **({"mask": mask[:, t]} if takes_mask else {})
                )
                for t in range(steps)
            ]
            return stack(outputs, 1)
        merged = reshape(inputs, (samples * steps, *inputs.shape[2:]))
        options = {}
        if takes_mask:
            options["mask"] = reshape(mask, (samples * steps, *mask.shape[2:]))
        output = self.layer(merged, training=training, **options)
        return reshape(output, (samples, steps, *output.shape[1:]))

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shape of the output."""
        inner = self.layer.compute_output_shape((input_shape[0], *input_shape[2:]))
        return (inner[0], input_shape[1], *inner[1:])

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer."""
        return {**super().get_config(), "layer": serialize(self.layer)}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> TimeDistributed:
        """Make a layer of what `get_config` returned."""
        config = dict(config)
        return cls(deserialize(config.pop("layer"), custom_objects), **config)
