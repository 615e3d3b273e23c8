"""A function as a layer."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from minpy.layers.calls import map_shapes
from minpy.layers.layer import Layer
from minpy.layers.serialization import class_named, registered_name

__all__ = ["Lambda"]

_FUNCTIONS = ("function", "output_shape", "mask")


class Lambda(Layer):
    """Applies a function of arrays; it has no weights.

    Parameters
    ----------
    function
        ``function(inputs, **arguments)``; may take ``mask`` and ``training`` too.
    output_shape
        Shape of the output without the batch axis, or a function of the input's shape; found by a
        trial on zeros if not given.
    mask
        Mask of the output, or a function of inputs and mask. Without it no mask is passed on.
    arguments
        Further arguments of the function.

    Notes
    -----
    A file of a model holds the function's name and no code: save one that was decorated with
    `register_serializable`, or pass it in ``custom_objects`` when the model is loaded. One without
    a name (a ``lambda``) can't be saved.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import Lambda
    >>> Lambda(lambda x: x ** 2)(np.array([1., 3.]))
    array([1., 9.])
    """

    def __init__(
        self,
        function: Callable[..., Any],
        output_shape: Any = None,
        mask: Any = None,
        arguments: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        if not callable(function):
            raise TypeError(f"Lambda: expected a function, got {function!r}")
        super().__init__(**kwargs)
        self.function = function
        self.arguments = dict(arguments or {})
        self.mask = mask
        self._given_shape = output_shape
        self.supports_masking = mask is not None
        parameters = inspect.signature(function).parameters
        self._takes = tuple(name for name in ("mask", "training") if name in parameters)

    def call(self, inputs: Any, mask: Any = None, training: bool = False) -> Any:
        """Apply the function."""
        given = {"mask": mask, "training": training}
        return self.function(inputs, **self.arguments, **{n: given[n] for n in self._takes})

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """Return the mask of the output."""
        return self.mask(inputs, mask) if callable(self.mask) else self.mask

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shape of the output, if it was given."""
        shape = self._given_shape
        if shape is None:
            raise NotImplementedError("Lambda: the output's shape wasn't given")
        if callable(shape):
            return shape(input_shape)
        shapes: list[tuple] = []
        map_shapes(shapes.append, input_shape)
        return (shapes[0][0], *((shape,) if isinstance(shape, int) else shape))

    def clone(self) -> Lambda:
        """Return an equal layer with the same functions, which need no name for that."""
        return type(self)(
            self.function, self._given_shape, self.mask, self.arguments, **super().get_config()
        )

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer; functions by their names."""
        config = super().get_config()
        given = {"function": self.function, "output_shape": self._given_shape, "mask": self.mask}
        for name, value in given.items():
            config[name] = {"function": self._name(name, value)} if callable(value) else value
        return {**config, "arguments": self.arguments}

    def _name(self, what: str, function: Any) -> str:
        name = registered_name(function)
        if name == "<lambda>":
            raise ValueError(
                f"Lambda {self.name!r}: its {what} has no name, and a configuration holds no "
                "code; define it with def, and register it with "
                "@minpy.layers.register_serializable() or pass it in custom_objects"
            )
        return name

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Lambda:
        """Make a layer of what `get_config` returned."""
        config = dict(config)
        for name in _FUNCTIONS:
            value = config.get(name)
            if isinstance(value, dict) and set(value) == {"function"}:
                config[name] = class_named(value["function"], custom_objects)
        return cls(**config)
