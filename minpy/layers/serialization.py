"""Layers and models as configurations, and back: a table of classes; executes nothing."""

from __future__ import annotations

import contextlib
import difflib
import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from minpy import by_name

__all__ = ["class_named", "deserialize", "register_serializable", "registered_name", "serialize"]

# What names stand for everywhere, for layers, losses and the like: a user's.
named = by_name._registered

_CLASSES: dict[str, Any] = {}  # and functions
_NAMES: dict[Any, str] = {}


def register_serializable(package: str = "Custom", name: str | None = None) -> Callable[[Any], Any]:
    """Return a decorator that lets files refer to a class by ``package>name``.

    Parameters
    ----------
    package
        Keeps your names apart from others'.
    name
        The class's own by default.

    Examples
    --------
    >>> from minpy.layers import Layer, register_serializable
    >>> @register_serializable('mine')
    ... class Double(Layer):
    ...     def call(self, x):
    ...         return x * 2
    """

    def register(kind: Any) -> Any:
        full = f"{package}>{name or kind.__name__}"
        known = _CLASSES.get(full)
        if known is not None and known is not kind and known.__module__ != kind.__module__:
            raise ValueError(f"register_serializable: {full!r} is {known!r} already")
        _CLASSES[full] = kind
        _NAMES[kind] = full
        by_name.register(full, kind)  # losses, metrics and the like have tables of their own
        return kind

    return register


def add_builtin(kind: type) -> None:
    """Let files refer to a class of minpy's by its own name."""
    _CLASSES[kind.__name__] = kind
    _NAMES[kind] = kind.__name__


def function_named(name: str) -> Callable[..., Any] | None:
    """Return a function that was registered under a name, or None."""
    found = find(name)
    return None if isinstance(found, type) else found


def registered_name(kind: Any) -> str:
    """Return the name under which files refer to a class."""
    return _NAMES.get(kind) or getattr(kind, "__name__", type(kind).__name__)


def find(name: str, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """Return the class or function that a name stands for, None where it stands for none."""
    short = name.rpartition(">")[2]
    for table in (custom_objects or {}, named, _CLASSES):
        for key in (name, short):
            if key in table:
                return table[key]
    return None


@contextlib.contextmanager
def scope(custom_objects: Mapping[str, Any]) -> Iterator[None]:
    """Let names stand for classes and functions for a ``with`` block."""
    before = dict(named)
    named.update(custom_objects)
    try:
        yield
    finally:
        named.clear()
        named.update(before)


def class_named(name: str, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """Return the class that a file refers to.

    Raises
    ------
    ValueError
        If nobody registered it.
    """
    found = find(name, custom_objects)
    if found is not None:
        return found
    short = name.rpartition(">")[2]
    near = difflib.get_close_matches(short, [*_CLASSES, *(custom_objects or {})], 1)
    raise ValueError(
        f"unknown class {name!r}"
        + (f" (did you mean {near[0]!r}?)" if near else "")
        + f"; pass custom_objects={{{short!r}: {short}}} or decorate it with "
        "@minpy.layers.register_serializable()"
    )


def serialize(layer: Any) -> dict[str, Any]:
    """Return the class's name and configuration of a layer."""
    return {"class_name": registered_name(type(layer)), "config": layer.get_config()}


def deserialize(config: Mapping[str, Any], custom_objects: Mapping[str, Any] | None = None) -> Any:
    """Make a layer of what `serialize` returned.

    Raises
    ------
    ValueError
        If the class is unknown, or its constructor doesn't take the configuration.
    """
    if not isinstance(config, Mapping) or not {"class_name", "config"} <= set(config):
        raise ValueError(f"expected class_name and config, got {config!r}")
    kind = class_named(config["class_name"], custom_objects)
    try:
        if "custom_objects" in _parameters(kind.from_config):
            return kind.from_config(dict(config["config"]), custom_objects=custom_objects)
        return kind.from_config(dict(config["config"]))
    except TypeError as error:
        raise ValueError(f"{config['class_name']}: its constructor refused {error}") from error


def layers_made(value: Any, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """Return a configuration with layers in the place of their configurations."""
    if isinstance(value, list | tuple):
        return [layers_made(part, custom_objects) for part in value]
    if not isinstance(value, Mapping):
        return value
    if set(value) == {"class_name", "config"} and _is_layer(value["class_name"], custom_objects):
        return deserialize(value, custom_objects)
    return {name: layers_made(part, custom_objects) for name, part in value.items()}


def _is_layer(name: str, custom_objects: Mapping[str, Any] | None) -> bool:
    """Say whether a class of that name is known and makes layers, not losses or initializers."""
    from minpy.layers.layer import Layer

    short = name.rpartition(">")[2]
    found = find(name, custom_objects) or find(short, custom_objects)
    return isinstance(found, type) and issubclass(found, Layer)


def _parameters(function: Any) -> Any:
    return inspect.signature(function).parameters
