"""What files may refer to by name, under Keras' names: ``keras.saving`` for minpy.

>>> from minpy.saving import register_keras_serializable
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

from minpy.layers.serialization import deserialize as deserialize_keras_object
from minpy.layers.serialization import (
    named,
    register_serializable,
    registered_name,
    scope,
)
from minpy.layers.serialization import serialize as serialize_keras_object
from minpy.models.saving import load_model

__all__ = [
    "CustomObjectScope",
    "custom_object_scope",
    "deserialize_keras_object",
    "get_custom_objects",
    "get_registered_name",
    "get_registered_object",
    "load_model",
    "load_weights",
    "register_keras_serializable",
    "register_serializable",
    "save_model",
    "save_weights",
    "serialize_keras_object",
]

register_keras_serializable = register_serializable
get_registered_name = registered_name


@contextlib.contextmanager
def custom_object_scope(custom_objects: Mapping[str, Any]) -> Iterator[None]:
    """Let files and configurations refer to classes and functions for a ``with`` block.

    Parameters
    ----------
    custom_objects
        Name → class or function.

    Examples
    --------
    >>> from minpy.layers import Layer
    >>> from minpy.models import Sequential, model_from_json
    >>> class Twice(Layer):
    ...     def call(self, x):
    ...         return 2 * x
    >>> text = Sequential([Twice()]).to_json()
    >>> with custom_object_scope({'Twice': Twice}):
    ...     model_from_json(text).layers
    [<Twice 'twice'>]
    """
    with scope(custom_objects):
        yield


CustomObjectScope = custom_object_scope


def get_custom_objects() -> dict[str, Any]:
    """Return the table of names that hold everywhere; entries put into it hold from then on.

    Examples
    --------
    >>> from minpy.layers import Layer
    >>> class Thrice(Layer):
    ...     pass
    >>> get_custom_objects()['Thrice'] = Thrice
    >>> get_registered_object('Thrice') is Thrice
    True
    >>> del get_custom_objects()['Thrice']
    """
    return named


def get_registered_object(
    name: str,
    custom_objects: Mapping[str, Any] | None = None,
    module_objects: Mapping[str, Any] | None = None,
) -> Any:
    """Return the class or function of a name, None where there is none.

    Parameters
    ----------
    name
        As `get_registered_name` returns it, ``'package>Name'``.
    custom_objects
        Looked into first.
    module_objects
        Looked into last.
    """
    from minpy.layers.serialization import find

    found = find(name, custom_objects)
    return (module_objects or {}).get(name) if found is None else found


def save_model(model: Any, filepath: Any, overwrite: bool = True) -> None:
    """Write a model to a file; as ``model.save``."""
    model.save(filepath, overwrite)


def save_weights(model: Any, filepath: Any, overwrite: bool = True) -> None:
    """Write a model's weights to a file; as ``model.save_weights``."""
    model.save_weights(filepath, overwrite)


def load_weights(
    model: Any, filepath: Any, skip_mismatch: bool = False, *, strict: bool = True
) -> None:
    """Read weights from a file; as ``model.load_weights``."""
    model.load_weights(filepath, skip_mismatch, strict=strict)
