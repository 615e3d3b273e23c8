"""The base of layers of one's own around another layer."""

from __future__ import annotations

from typing import Any

from minpy.layers.layer import Layer
from minpy.layers.serialization import serialize

__all__ = ["Wrapper"]


class Wrapper(Layer):
    """A layer around another one; a subclass writes ``call``.

    Parameters
    ----------
    layer
        The layer inside, found as ``self.layer``.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import Dense, Wrapper
    >>> class Doubled(Wrapper):
    ...     def call(self, x):
    ...         return 2 * self.layer(x)
    >>> Doubled(Dense(1, kernel_initializer='ones'))(np.ones((1, 3)))
    array([[6.]])
    """

    def __init__(self, layer: Layer, **kwargs: Any) -> None:
        if not isinstance(layer, Layer):
            raise ValueError(f"{type(self).__name__}: expected a layer, got {layer!r}")
        super().__init__(**kwargs)
        self.layer = layer

    def build(self, input_shape: Any = None) -> None:
        """Make the weights of the layer inside."""
        self.layer._build_once(input_shape)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer."""
        return {**super().get_config(), "layer": serialize(self.layer)}
