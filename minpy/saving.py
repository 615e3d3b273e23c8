"""What files may refer to by name, under Keras' names: ``keras.saving`` for minpy.

>>> from minpy.saving import register_keras_serializable
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy

from minpy import (
    activations,
    constraints,
    initializers,
    layers,
    losses,
    metrics,
    optimizers,
    regularizers,
)
from minpy.array import ndarray
from minpy.layers.serialization import find, named, register_serializable, registered_name, scope
from minpy.models.saving import load_model
from minpy.optimizers import schedules

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


# Class → the module that makes its objects of their configurations.
_FAMILIES: dict[type, Any] = {
    losses.Loss: losses,
    metrics.Metric: metrics,
    optimizers.Optimizer: optimizers,
    schedules.LearningRateSchedule: schedules,
    initializers.Initializer: initializers,
    regularizers.Regularizer: regularizers,
    constraints.Constraint: constraints,
    layers.Layer: layers,
}
_MODULES = {module.__name__: module for module in _FAMILIES.values()}


def serialize_keras_object(obj: Any) -> Any:
    """Return what JSON can hold of an object; `deserialize_keras_object` makes it again.

    Parameters
    ----------
    obj
        A layer, model, loss, metric, optimizer, schedule, initializer, regularizer, constraint,
        registered class's object or function; a number, text, None, an array, or a list, tuple or
        dict of such.

    Raises
    ------
    TypeError
        If it is anything else.

    Examples
    --------
    >>> from minpy import losses
    >>> config = serialize_keras_object({'loss': losses.Huber(delta=2.0), 'shape': (3, 4)})
    >>> config['loss']['module'], config['loss']['class_name']
    ('minpy.losses', 'Huber')
    >>> deserialize_keras_object(config)['loss'].get_config()['delta']
    2.0
    """
    if obj is None or isinstance(obj, bool | int | float | str):
        return obj
    if isinstance(obj, list):
        return [serialize_keras_object(x) for x in obj]
    if isinstance(obj, tuple):
        return {"class_name": "__tuple__", "items": [serialize_keras_object(x) for x in obj]}
    if isinstance(obj, Mapping):
        return {k: serialize_keras_object(v) for k, v in obj.items()}
    if isinstance(obj, numpy.generic) and obj.ndim == 0 and obj.dtype.kind in "biuf":
        return obj.item()
    if isinstance(obj, numpy.ndarray | ndarray):
        data = numpy.asarray(obj)
        config = {"value": data.tolist(), "dtype": data.dtype.name}
        return {"class_name": "__numpy__", "config": config}
    if isinstance(obj, numpy.dtype):
        return obj.name
    if hasattr(obj, "get_config") and not isinstance(obj, type):
        module = next((m.__name__ for k, m in _FAMILIES.items() if isinstance(obj, k)), None)
        kind = type(obj)
        return {
            "module": module or kind.__module__,
            "class_name": registered_name(kind),
            "config": obj.get_config(),
        }
    if callable(obj) and hasattr(obj, "__name__"):
        name = registered_name(obj)
        if find(name) is not obj and getattr(activations, name, None) is not obj:
            name = f"{obj.__module__}>{obj.__name__}"
        return {"class_name": "function", "config": name}
    raise TypeError(
        f"serialize_keras_object: expected an object with get_config, a function, or numbers and "
        f"text in lists and dicts, got {type(obj).__name__}"
    )


def deserialize_keras_object(
    config: Any, custom_objects: Mapping[str, Any] | None = None, safe_mode: bool = True
) -> Any:
    """Make the object that `serialize_keras_object` described.

    Parameters
    ----------
    config
        What it returned.
    custom_objects
        Name → class or function, for those that nobody registered.
    safe_mode
        Accepted as in Keras; no code is ever executed that a configuration holds.

    Raises
    ------
    ValueError
        If a class or function is unknown, or refuses its configuration.
    """
    if isinstance(config, list):
        return [deserialize_keras_object(x, custom_objects) for x in config]
    if not isinstance(config, Mapping):
        return config
    kind = config.get("class_name")
    if kind is None:
        return {k: deserialize_keras_object(v, custom_objects) for k, v in config.items()}
    if kind == "__tuple__":
        return tuple(deserialize_keras_object(x, custom_objects) for x in config["items"])
    if kind == "__numpy__":
        return numpy.array(config["config"]["value"], config["config"]["dtype"])
    if kind == "function":
        return _function(config["config"], custom_objects)
    own = find(kind, custom_objects)
    if own is not None and not issubclass(own, tuple(_FAMILIES)):
        make = getattr(own, "from_config", None)
        return own(**config["config"]) if make is None else make(dict(config["config"]))
    made = {"class_name": kind, "config": config["config"]}
    module = _MODULES.get(config.get("module", ""))
    if module is None and own is not None:
        module = next(m for k, m in _FAMILIES.items() if issubclass(own, k))
    return (module or layers).deserialize(made, custom_objects)


def _function(name: str, custom_objects: Mapping[str, Any] | None) -> Any:
    found = find(name, custom_objects) or getattr(activations, name, None)
    if not callable(found):
        raise ValueError(
            f"unknown function {name!r}; pass custom_objects={{{name!r}: …}} or decorate it with "
            "@minpy.saving.register_keras_serializable()"
        )
    return found


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
