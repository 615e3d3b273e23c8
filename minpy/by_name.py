"""Objects by name: one table for each kind (losses, optimizers, …), and its way to JSON and back.

It must not know what is in the tables. Names are compared without case and underscores, so
``'mean_squared_error'`` and ``'MeanSquaredError'`` are one name; a name that isn't there is
answered with the nearest that is.
"""

from __future__ import annotations

import difflib
import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

__all__ = ["NameTable", "nearest", "register", "snake_case"]

# What users registered, of any kind: ``package>name`` → class or function, and back.
_registered: dict[str, Any] = {}
_registered_names: dict[Any, str] = {}


def register(name: str, thing: Any) -> None:
    """Let every table find a class or function of a user's under a full name, ``package>name``."""
    _registered[name] = thing
    _registered_names[thing] = name


def snake_case(name: str) -> str:
    """Return a class's name as Keras writes it in lower case: ``HeNormal`` → ``he_normal``.

    Examples
    --------
    >>> snake_case('TopKCategoricalAccuracy')
    'top_k_categorical_accuracy'
    >>> snake_case('Conv2D'), snake_case('STFTSpectrogram'), snake_case('PReLU')
    ('conv2d', 'stft_spectrogram', 'p_re_lu')
    """
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", re.sub(r"\W+", "", name))
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the name that is probably meant, None if there is none.

    A name that leaves words out or cuts them short comes before one that is spelt alike.

    Examples
    --------
    >>> known = ['binary_crossentropy', 'sparse_categorical_crossentropy']
    >>> nearest('sparse_crossentropy', known), nearest('binery_crossentropy', known)
    ('sparse_categorical_crossentropy', 'binary_crossentropy')
    """
    known = list(known)
    if len(name) > 2:
        pattern = re.compile(".*_".join(f"{re.escape(word)}[^_]*" for word in name.split("_")))
        longer = [k for k in known if pattern.fullmatch(k)]
        if longer:
            return min(longer, key=len)
    return next(iter(difflib.get_close_matches(name, known, 1, 0.6)), None)


def _key(name: str) -> str:
    return name.replace("_", "").replace("-", "").lower()


class NameTable:
    """The objects of one kind that can be asked for by name.

    Parameters
    ----------
    kind
        What they are, in the singular, for messages: ``'loss'``.
    classes
        Classes, found under their own names.
    functions
        Functions, found under their own names.
    aliases
        Other name → name.
    folder
        Where a user finds them, for messages: ``'minpy.losses'``.
    spell
        How messages write a class's name.

    Examples
    --------
    >>> class Halve:
    ...     def get_config(self):
    ...         return {}
    >>> table = NameTable('change', [Halve], folder='changes')
    >>> table.serialize(table.get('halve'))
    {'class_name': 'Halve', 'config': {}}
    """

    def __init__(
        self,
        kind: str,
        classes: Iterable[type] = (),
        functions: Iterable[Callable[..., Any]] = (),
        aliases: Mapping[str, str] | None = None,
        folder: str = "minpy",
        spell: Callable[[str], str] = snake_case,
    ) -> None:
        self.kind = kind
        self._a_kind = f"{'an' if kind[0] in 'aeio' else 'a'} {kind}"
        self.folder = folder
        self._spell = spell
        self._entries: dict[str, Any] = {}
        self._names: list[str] = []
        self._aliases = list(aliases or ())
        for kind_of in classes:
            self._add(kind_of.__name__, kind_of)
        for function in functions:
            self._add(function.__name__, function)
        for alias, name in (aliases or {}).items():
            self._entries[_key(alias)] = self._entries[_key(name)]

    def _add(self, name: str, value: Any) -> None:
        self._entries[_key(name)] = value
        self._names.append(self._spell(name))

    def find(self, name: str, custom_objects: Mapping[str, Any] | None = None) -> Any:
        """Return the class or function of a name.

        Parameters
        ----------
        name
            In any case, with or without underscores; a package before ``>`` is ignored.
        custom_objects
            A user's own, name → class or function; they come first.

        Raises
        ------
        ValueError
            If there is none; the message suggests the nearest.
        """
        short = name.rpartition(">")[2]
        for own in (name, short):
            if custom_objects and own in custom_objects:
                return custom_objects[own]
        if name in _registered:
            return _registered[name]
        found = self._entries.get(_key(short))
        if found is not None:
            return found
        shown = [*self._names, *self._aliases, *(custom_objects or ())]
        near = nearest(self._spell(short), shown)
        hint = f"did you mean {near!r}?" if near else f"there are {', '.join(self._names)}"
        raise ValueError(
            f"unknown {self.kind} {name!r}; {hint} (Your own: pass it as an object, or by name in "
            "custom_objects.)"
        )

    def make(self, name: str, custom_objects: Mapping[str, Any] | None = None) -> Any:
        """Return an object of the class of a name with default arguments, or the function."""
        found = self.find(name, custom_objects)
        if not isinstance(found, type):
            return found
        try:
            return found()
        except TypeError as error:
            raise ValueError(
                f"{self.kind} {name!r} can't be made from its name alone ({error}); "
                f"pass {self.folder}.{found.__name__}(…)"
            ) from None

    def get(self, identifier: Any, custom_objects: Mapping[str, Any] | None = None) -> Any:
        """Return what an identifier stands for.

        Parameters
        ----------
        identifier
            A name, a configuration as `serialize` returns it, a class, or the object itself.
            None stays None.

        Raises
        ------
        ValueError
            If a name or a configuration isn't known.
        TypeError
            If it is none of those.
        """
        if identifier is None:
            return None
        if isinstance(identifier, str):
            return self.make(identifier, custom_objects)
        if isinstance(identifier, Mapping):
            return self.deserialize(identifier, custom_objects)
        if isinstance(identifier, type):
            return identifier()
        if callable(identifier) or hasattr(identifier, "get_config"):
            return identifier
        raise TypeError(
            f"expected the name of {self._a_kind}, its configuration or an object, "
            f"got {identifier!r}"
        )

    def serialize(self, thing: Any) -> Any:
        """Return a function's name, or a class's name and configuration, as JSON can hold it."""
        if thing is None or isinstance(thing, str):
            return thing
        if hasattr(thing, "get_config"):
            kind = type(thing)
            name = _registered_names.get(kind, kind.__name__)
            return {"class_name": name, "config": thing.get_config()}
        name = _registered_names.get(thing) or getattr(thing, "__name__", None)
        if name is None or name == "<lambda>":
            raise ValueError(
                f"{self.kind} {thing!r} has no name to be saved under; write it as a function "
                "with def, or as a class with get_config()"
            )
        return name

    def deserialize(self, config: Any, custom_objects: Mapping[str, Any] | None = None) -> Any:
        """Return what `serialize` was given.

        Raises
        ------
        ValueError
            If the name is unknown, or the class refuses its configuration.
        """
        if config is None:
            return None
        if isinstance(config, str):
            return self.make(config, custom_objects)
        if not isinstance(config, Mapping) or "class_name" not in config:
            raise ValueError(
                f"expected the configuration of {self._a_kind} with class_name and config, "
                f"got {config!r}"
            )
        found = self.find(config["class_name"], custom_objects)
        own = config.get("config") or {}
        if not isinstance(found, type):
            return found
        try:
            make = getattr(found, "from_config", None)
            if make is None:
                return found(**own)
            if "custom_objects" in inspect.signature(make).parameters:
                return make(dict(own), custom_objects=custom_objects)
            return make(dict(own))
        except TypeError as error:
            raise ValueError(
                f"{self.kind} {config['class_name']!r}: its constructor refused the configuration: "
                f"{error}"
            ) from error
