"""The arguments that an object was made with, as its configuration; knows no layer.

A class that writes no ``get_config`` can be made anew of what its ``__init__`` was given.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from typing import Any

import numpy

__all__ = ["config_of_arguments", "own_arguments", "unwanted"]

_PLAIN = (str, bool, int, float, type(None))


def own_arguments(kind: type, base: type, args: tuple, kwargs: dict) -> dict[str, Any]:
    """Return what the constructor of `kind` was given beyond what that of `base` takes."""
    try:
        bound = inspect.signature(kind.__init__).bind(None, *args, **kwargs)
    except TypeError:
        return {}
    known = inspect.signature(base.__init__).parameters
    found: dict[str, Any] = {}
    for name, value in list(bound.arguments.items())[1:]:
        parameter = bound.signature.parameters[name]
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            found.update({key: v for key, v in value.items() if key not in known})
        elif parameter.kind is inspect.Parameter.VAR_POSITIONAL:
            if value:
                found[f"*{name}"] = value
        elif name not in known:
            found[name] = value
    return found


def unwanted(kind: type, arguments: Mapping[str, Any], names: Iterable[str]) -> set[str]:
    """Return which of some names are among arguments that the constructor doesn't take."""
    parameters = inspect.signature(kind.__init__).parameters
    if any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters.values()):
        return set()
    return {name for name in names if name in arguments and name not in parameters}


def config_of_arguments(who: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return arguments as JSON can hold them.

    Raises
    ------
    ValueError
        If one of them can't be written.
    """
    return {name: _plain(value, who, name) for name, value in arguments.items()}


def _plain(value: Any, who: str, name: str) -> Any:
    from minpy.layers.layer import Layer
    from minpy.layers.serialization import serialize

    if isinstance(value, _PLAIN):
        return value
    if isinstance(value, numpy.bool_ | numpy.integer | numpy.floating):
        return value.item()
    if isinstance(value, list | tuple) and not name.startswith("*"):
        return [_plain(part, who, name) for part in value]
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {key: _plain(part, who, name) for key, part in value.items()}
    if isinstance(value, Layer):
        return serialize(value)
    raise ValueError(
        f"{who} was made with {name}={value!r}, which can't be written to a configuration; write "
        "get_config(), and from_config(config) where the arguments need work"
    )
