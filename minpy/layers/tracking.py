"""Lists and dicts that tell their owner when they change; knows no layer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

__all__ = ["TrackedDict", "TrackedList", "leaves_by_key", "tracked"]


class TrackedList(list):
    """A list that calls a function after each change to it."""

    _changed: Callable[[], None] | None = None


class TrackedDict(dict):
    """A dict that calls a function after each change to it."""

    _changed: Callable[[], None] | None = None


def _tell(kind: type, name: str) -> None:
    method = getattr(kind.__base__, name)

    def changing(self: Any, *args: Any, **kwargs: Any) -> Any:
        result = method(self, *args, **kwargs)
        if self._changed is not None:
            self._changed()
        return self if name in ("__iadd__", "__ior__") else result

    changing.__name__, changing.__doc__ = name, method.__doc__
    setattr(kind, name, changing)


_LIST = "append extend insert pop remove clear sort reverse __setitem__ __delitem__ __iadd__"
_DICT = "pop popitem clear update setdefault __setitem__ __delitem__ __ior__"
for _kind, _names in ((TrackedList, _LIST), (TrackedDict, _DICT)):
    for _name in _names.split():
        _tell(_kind, _name)


def tracked(value: Any, changed: Callable[[], None]) -> Any:
    """Return a list or dict, and those inside of it, as ones that tell of changes."""
    if isinstance(value, list):
        made: Any = TrackedList(tracked(part, changed) for part in value)
    elif isinstance(value, dict):
        made = TrackedDict((key, tracked(part, changed)) for key, part in value.items())
    else:
        return value
    made._changed = changed
    return made


def leaves_by_key(value: Any, kind: type, key: str) -> Iterator[tuple[str, Any]]:
    """Yield the objects of a class in nested lists, tuples and dicts, each with its place."""
    if isinstance(value, kind):
        yield key, value
    elif isinstance(value, list | tuple):
        for i, part in enumerate(value):
            yield from leaves_by_key(part, kind, f"{key}.{i}")
    elif isinstance(value, dict):
        for name, part in value.items():
            yield from leaves_by_key(part, kind, f"{key}.{name}")
