"""A dict whose keys are attributes, and which can be frozen."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, MutableMapping
from typing import Any

__all__ = ["Config"]


class Config(MutableMapping):
    """Named values: a dict whose keys are attributes too, and which can be frozen.

    Parameters
    ----------
    values
        What it begins with.

    Examples
    --------
    >>> config = Config(learning_rate=0.1)
    >>> config.momentum = 0.9
    >>> config['learning_rate'], config.momentum
    (0.1, 0.9)
    >>> config.freeze()
    >>> config.momentum = 0.5
    Traceback (most recent call last):
    ...
    ValueError: the config is frozen; unfreeze() lets it change
    >>> config.to_json()
    '{"learning_rate": 0.1, "momentum": 0.9}'
    """

    def __init__(self, **values: Any) -> None:
        self.__dict__.update(_values=dict(values), _frozen=False)

    @property
    def frozen(self) -> bool:
        """Whether it can't change."""
        return self._frozen

    def freeze(self) -> None:
        """Let it change no more."""
        self.__dict__["_frozen"] = True

    def unfreeze(self) -> None:
        """Let it change again."""
        self.__dict__["_frozen"] = False

    def as_dict(self) -> dict[str, Any]:
        """Return the values as a dict of their own."""
        return dict(self._values)

    def to_json(self) -> str:
        """Return the values as JSON."""
        return json.dumps(self._values)

    def _changed(self) -> dict[str, Any]:
        if self._frozen:
            raise ValueError("the config is frozen; unfreeze() lets it change")
        return self._values

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def __setitem__(self, name: str, value: Any) -> None:
        self._changed()[name] = value

    def __delitem__(self, name: str) -> None:
        del self._changed()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._values))

    def __len__(self) -> int:
        return len(self._values)

    def __getattr__(self, name: str) -> Any:
        values = self.__dict__.get("_values", {})
        if name in values:
            return values[name]
        near = difflib.get_close_matches(name, values, 1, 0.7)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise AttributeError(f"the config has no {name!r}{hint}")

    def __setattr__(self, name: str, value: Any) -> None:
        if hasattr(type(self), name):
            raise AttributeError(
                f"{name!r} is an attribute of every config; name the value otherwise"
            )
        self[name] = value

    def __delattr__(self, name: str) -> None:
        if name not in self._values:
            raise AttributeError(f"the config has no {name!r}")
        del self[name]

    def __repr__(self) -> str:
        return f"<Config {self._values}>"
