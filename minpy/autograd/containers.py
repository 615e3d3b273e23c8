"""Nested tuples, lists and dicts of arrays, as a flat list and back; knows no derivatives."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

__all__ = ["flatten", "leaves_with_paths", "map_leaves", "register_container"]

_REGISTERED: dict[type, tuple[Callable[[Any], Iterable[Any]], Callable[[Any, list], Any]]] = {}


def register_container(
    kind: type, parts: Callable[[Any], Iterable[Any]], rebuild: Callable[[Any, list], Any]
) -> None:
    """Make derivatives look inside a container type.

    Parameters
    ----------
    kind
        The class.
    parts
        Returns a container's parts, in a fixed order.
    rebuild
        ``rebuild(container, parts)`` makes one like `container` of new parts.

    Examples
    --------
    >>> import minpy, minpy.numpy as np
    >>> class Pair:
    ...     def __init__(self, a, b):
    ...         self.a, self.b = a, b
    >>> minpy.autograd.register_container(
    ...     Pair, lambda p: [p.a, p.b], lambda p, parts: Pair(*parts))
    >>> g = minpy.grad(lambda p: p.a * p.b)(Pair(2.0, 3.0))
    >>> float(g.a), float(g.b)
    (3.0, 2.0)
    """
    _REGISTERED[kind] = (parts, rebuild)


def _open(value: Any) -> tuple[list[tuple[str, Any]], Callable[[list], Any]] | None:
    """Return a container's parts with their names, and how to rebuild it; None for a leaf."""
    kind = type(value)
    if kind in _REGISTERED:
        parts, rebuild = _REGISTERED[kind]
        return [(f".{i}", p) for i, p in enumerate(parts(value))], lambda new: rebuild(value, new)
    if isinstance(value, dict):
        keys = list(value)

        def fill(new: list) -> Any:
            filled = dict(zip(keys, new, strict=True))
            return filled if kind is dict else kind(filled)

        return [(f"[{k!r}]", value[k]) for k in keys], fill
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return [(f".{f}", p) for f, p in zip(value._fields, value, strict=True)], (
            lambda new: kind(*new)
        )
    if isinstance(value, list | tuple):
        return [(f"[{i}]", p) for i, p in enumerate(value)], lambda new: kind(new)
    return None


def leaves_with_paths(value: Any, path: str = "") -> list[tuple[str, Any]]:
    """Return the leaves of a nested container, each with how one would write its place."""
    opened = _open(value)
    if opened is None:
        return [(path, value)]
    found = []
    for name, part in opened[0]:
        found.extend(leaves_with_paths(part, path + name))
    return found


def flatten(value: Any) -> tuple[list[Any], Callable[[list], Any]]:
    """Return the leaves of a nested container, and the function that puts new ones in place."""
    opened = _open(value)
    if opened is None:
        return [value], lambda leaves: leaves[0]
    parts, fill = opened[0], opened[1]
    leaves: list[Any] = []
    rebuilders: list[tuple[int, int, Callable[[list], Any] | None]] = []
    for _, part in parts:
        inside, rebuild = flatten(part)
        is_leaf = len(inside) == 1 and inside[0] is part
        rebuilders.append((len(leaves), len(leaves) + len(inside), None if is_leaf else rebuild))
        leaves.extend(inside)
    if all(rebuild is None for _, _, rebuild in rebuilders):
        return leaves, fill

    def unflatten(new: list) -> Any:
        return fill(
            [new[a] if rebuild is None else rebuild(new[a:b]) for a, b, rebuild in rebuilders]
        )

    return leaves, unflatten


def map_leaves(function: Callable[..., Any], value: Any, *others: Any) -> Any:
    """Apply a function to each leaf of a container, with those of others of the same structure."""
    leaves, unflatten = flatten(value)
    rest = [flatten(other)[0] for other in others]
    for other in rest:
        if len(other) != len(leaves):
            raise ValueError(
                f"expected containers of equal structure: {len(leaves)} leaves, got {len(other)}"
            )
    return unflatten([function(*given) for given in zip(leaves, *rest, strict=True)])
