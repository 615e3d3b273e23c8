"""Layers one behind the other that are a layer and no model."""

from __future__ import annotations

from typing import Any

from minpy.layers.calls import signature_of
from minpy.layers.layer import Layer
from minpy.layers.serialization import serialize

__all__ = ["Pipeline"]


class Pipeline(Layer):
    """Applies layers one behind the other: transforms of images or texts, mostly.

    Unlike a `Sequential` model it takes what its first layer takes, strings too, and transforms
    as in training unless told otherwise.

    Parameters
    ----------
    layers
        The layers.
    name
        Its name.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import CenterCrop, Pipeline, Rescaling
    >>> prepare = Pipeline([CenterCrop(4, 4), Rescaling(1 / 255)])
    >>> prepare(np.ones((2, 3, 6, 6))).shape
    (2, 3, 4, 4)
    """

    _convert_input_args = False
    _handles_masks = False
    _builds_all = False

    def __init__(self, layers: Any, name: str | None = None, **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)
        found = list(layers)
        for layer in found:
            if not isinstance(layer, Layer):
                raise TypeError(f"Pipeline: expected layers, got {layer!r}")
        self._stack = found

    @property
    def layers(self) -> list[Layer]:
        """The layers, in order."""
        return list(self._stack)

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Compute the output."""
        for layer in self._stack:
            options = {"training": training} if signature_of(type(layer)).takes_training else {}
            inputs = layer(inputs, **options)
        return inputs

    def __call__(self, inputs: Any, training: bool | None = True, **kwargs: Any) -> Any:
        """Compute the output; as in training unless told otherwise."""
        return super().__call__(inputs, training=training, **kwargs)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shape of the output."""
        for layer in self._stack:
            input_shape = layer.compute_output_shape(input_shape)
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer."""
        return {**super().get_config(), "layers": [serialize(layer) for layer in self._stack]}
