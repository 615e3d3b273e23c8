"""A function of arrays as a layer: what NumPy operations on symbolic tensors become."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from minpy.array import ndarray
from minpy.by_name import snake_case
from minpy.layers.layer import Layer
from minpy.layers.symbolic import NOT_SYMBOLIC
from minpy.numpy.fallback import Fallback
from minpy.primitives import Primitive, registry

__all__ = ["Operation"]

# The names that Keras gives operations, where they aren't the function's.
_KERAS_NAMES = {
    "getitem": "get_item",
    "remainder": "mod",
}


class Operation(Layer):
    """A function of arrays as a layer of a functional model.

    Operators, ``minpy.numpy``'s functions and array methods make one where an argument is a
    symbolic tensor. What the function is called with belongs to the call, not to the layer.

    Parameters
    ----------
    operation
        A function, or the name of one: of ``minpy.numpy``, of a registered primitive, or
        ``'ndarray.reshape'``, a method of arrays.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import Input
    >>> from minpy.models import Model
    >>> a, b = Input((2,)), Input((3,))
    >>> model = Model([a, b], np.concatenate([a, b * 2], axis=1))
    >>> [layer.name for layer in model.operations]
    ['input_layer_1', 'input_layer', 'multiply', 'concatenate']
    >>> model([np.ones((1, 2)), np.ones((1, 3))])
    array([[1., 1., 2., 2., 2.]])
    """

    _handles_masks = False
    _convert_input_args = False

    def __init__(self, operation: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.operation, self._function = _resolve(operation)
        if not self._named:
            short = self.operation.rpartition(".")[2]
            self.name = _KERAS_NAMES.get(short, snake_case(short).strip("_<>"))
        self.built = True

    @property
    def label(self) -> str:
        """The name as that of a class, for tables and plots: ``GetItem``."""
        short = self.operation.rpartition(".")[2]
        words = _KERAS_NAMES.get(short, snake_case(short)).split("_")
        return "".join(word[:1].upper() + word[1:] for word in words)

    def call(self, *args: Any, **kwargs: Any) -> Any:
        """Compute the function."""
        return self._function(*args, **kwargs)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer.

        Raises
        ------
        ValueError
            If the function can't be found by its name.
        """
        try:
            _resolve(self.operation)
        except ValueError:
            raise ValueError(
                f"{self.name}: the function {self.operation!r} can't be found by its name, so a "
                "file can't refer to it; give it one with "
                "@minpy.layers.register_serializable(), or write a layer"
            ) from None
        return {**super().get_config(), "operation": self.operation}


def _resolve(operation: Any) -> tuple[str, Callable[..., Any]]:
    """Return a function's name and the function.

    A file holds names: what is found here must do nothing but compute.
    """
    from minpy import numpy as namespace
    from minpy.layers import serialization

    if callable(operation):
        name = getattr(operation, "operation_name", None)
        if name is not None:
            return name, operation
        name = serialization.registered_name(operation)
        if isinstance(operation, Primitive):
            name = operation.name
        return name, operation
    if not isinstance(operation, str):
        raise TypeError(f"expected a function or the name of one, got {operation!r}")
    if operation.startswith("ndarray."):
        name = operation.removeprefix("ndarray.")
        found = inspect.getattr_static(ndarray, name, None)
        if isinstance(found, property) and name not in NOT_SYMBOLIC:
            return operation, found.fget
        if found is not None and not name.startswith("_") and name not in NOT_SYMBOLIC:
            return operation, found
    elif operation.startswith("ops."):
        from minpy import ops

        found = ops
        for part in operation.removeprefix("ops.").split("."):
            found = getattr(found, part, None)
        if getattr(found, "operation_name", None) == operation:
            return operation, found
    elif operation in namespace.__all__:
        return operation, getattr(namespace, operation)
    elif operation in registry and not isinstance(registry[operation], Fallback):
        # What falls back to NumPy may read and write files; it joins the registry when it is used.
        return operation, registry[operation]
    elif operation in namespace.linalg.__all__:
        return operation, getattr(namespace.linalg, operation)
    else:
        found = serialization.function_named(operation)
        if found is not None:
            return operation, found
    raise ValueError(
        f"unknown operation {operation!r}: expected the name of a function of minpy.numpy, or of "
        "one marked with @minpy.layers.register_serializable()"
    )
