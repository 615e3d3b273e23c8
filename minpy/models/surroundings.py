"""What a traced function of the user's reads beside its arguments: numbers, globals, attributes.

A program holds them as they were. Here they are remembered, so that the program isn't run once
they are others. It must not know what runs.
"""

from __future__ import annotations

import dis
import functools
import types
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy

from minpy.array import ndarray
from minpy.autograd.containers import flatten
from minpy.layers.layer_tree import LayerTree

__all__ = ["Patience", "Surroundings", "layers_among"]

_LIBRARIES = frozenset(["minpy", "numpy", "builtins", "abc", "typing", "collections", "scipy"])
_NO_VALUES = (type, types.ModuleType, types.FunctionType, types.BuiltinFunctionType)
_PLAIN = (bool, int, float, complex, str, bytes, type(None), numpy.generic)
# The methods that a forward pass and a loss begin with.
_ENTRIES = frozenset(["__call__", "call", "forward", "loss", "compute_loss"])
# Traces after which there have to be runs enough for each to have been worth it.
_FEW_TRACES = 8
_RUNS_A_TRACE = 20
# Containers with more in them are taken for data.
_LARGEST = 64
_DEEPEST = 4


class Surroundings:
    """Plain values that functions may read, as they were when this was made.

    Parameters
    ----------
    functions
        The user's. Those that layers among the objects have as attributes count too.
    objects
        Of those, and of the layers inside, the attributes that are looked at are those whose names
        occur in the functions' code, or in that of the methods which a forward pass may call.
    """

    def __init__(self, functions: Iterable[types.FunctionType], objects: Iterable[Any]) -> None:
        every = list(_with_layers_inside(objects))
        own = [o for o in every if _is_users(type(o))]
        held = (v for o in every if isinstance(o, LayerTree) for v in vars(o).values())
        called = [v for v in held if isinstance(v, types.FunctionType)]
        found, attributes = _reached([*functions, *called], list(dict.fromkeys(map(type, own))))
        self._known: dict[tuple[Any, str], tuple] = {}
        for f in found:
            for name in _names(f.__code__, _GLOBAL) & f.__globals__.keys():
                self._remember(f.__globals__, name, name)
            for name, cell in zip(f.__code__.co_freevars, f.__closure__ or (), strict=True):
                self._remember(_Cell(cell), name, name)
        seen: set[int] = set()
        for o in own:
            self._look_into(o, attributes, type(o).__name__, seen, 0)

    def _look_into(self, o: Any, names: set[str], where: str, seen: set[int], depth: int) -> None:
        attributes = getattr(o, "__dict__", None)
        if id(o) in seen or depth > _DEEPEST or type(attributes) is not dict:
            return
        seen.add(id(o))
        for name in names & attributes.keys():
            place = f"{where}.{name}"
            self._remember(attributes, name, place)
            value = attributes[name]
            if _is_users(type(value)) and not isinstance(value, type | types.ModuleType):
                self._look_into(value, names, place, seen, depth + 1)

    def _remember(self, holder: Any, name: str, place: str) -> None:
        value = holder.get(name)
        if not isinstance(value, _NO_VALUES):
            frozen = _frozen(value) if isinstance(value, list | tuple | dict) else None
            key = id(holder._cell if isinstance(holder, _Cell) else holder)
            self._known[key, name] = (holder, name, value, frozen, place)

    def change(self) -> str | None:
        """Return where something is another than it was, None if nothing is."""
        for holder, name, known, frozen, place in self._known.values():
            value = holder.get(name)
            if value is known:
                if frozen is None or _frozen(value) == frozen:
                    continue
            elif _frozen(value) == (frozen or _frozen(known)):
                continue
            return place
        return None

    def where(self, is_meant: Callable[[Any], bool]) -> str | None:
        """Return where an array lies that is meant, None if none is."""
        for _, _, value, _, place in self._known.values():
            if any(is_meant(leaf) for leaf in flatten(value)[0]):
                return place
        return None


class _Cell:
    """A variable of an enclosing function, read as a dict's."""

    __slots__ = ("_cell",)

    def __init__(self, cell: types.CellType) -> None:
        self._cell = cell

    def get(self, name: str) -> Any:
        try:
            return self._cell.cell_contents
        except ValueError:  # nothing is assigned to it
            return None


class Patience:
    """Counts runs, and the traces that something else made necessary: there may be too many."""

    def __init__(self) -> None:
        self.runs = 0
        self.traces = 0

    def is_over(self) -> bool:
        """Count a trace, and say whether the runs so far haven't been worth those before it."""
        self.traces += 1
        return self.traces > _FEW_TRACES and self.runs < self.traces * _RUNS_A_TRACE


def layers_among(
    functions: Iterable[types.FunctionType], objects: Iterable[Any]
) -> list[LayerTree]:
    """Return the layers and models that functions capture or find under a global name."""
    found = [o for o in objects if isinstance(o, LayerTree)]
    for f in functions:
        for name in _names(f.__code__, _GLOBAL):
            value = f.__globals__.get(name)
            if isinstance(value, LayerTree):
                found.append(value)
    return list({id(layer): layer for layer in found}.values())


def _reached(functions: list[Any], kinds: list[type]) -> tuple[list[types.FunctionType], set[str]]:
    """Return all functions that some may call, and the names of the attributes that they read.

    They may call what they find under global names, and methods of the given classes.
    """
    methods: dict[str, list[types.FunctionType]] = {}
    for kind in kinds:
        for name, method in _methods(kind):
            methods.setdefault(name, []).append(method)
    found: dict[int, types.FunctionType] = {}
    attributes: set[str] = set()
    waiting = [*functions, *(m for name in _ENTRIES for m in methods.get(name, ()))]
    while waiting:
        f = waiting.pop()
        if id(f) in found or (f.__module__ or "").partition(".")[0] in _LIBRARIES:
            continue
        found[id(f)] = f
        read = _names(f.__code__, _ATTRIBUTE)
        attributes |= read
        waiting.extend(m for name in read for m in methods.get(name, ()))
        values = (f.__globals__.get(name) for name in _names(f.__code__, _GLOBAL))
        waiting.extend(g for g in values if isinstance(g, types.FunctionType))
    return list(found.values()), attributes


def _with_layers_inside(objects: Iterable[Any]) -> Iterator[Any]:
    for o in objects:
        yield o
        if isinstance(o, LayerTree):
            yield from o._all_inside()


def _is_users(kind: type) -> bool:
    """Say whether a class, or one that it is made from, is none of this library's or Python's."""
    return any(base.__module__.partition(".")[0] not in _LIBRARIES for base in kind.__mro__)


def _methods(kind: type) -> Iterator[tuple[str, types.FunctionType]]:
    for base in kind.__mro__:
        if base.__module__.partition(".")[0] in _LIBRARIES:
            continue
        for name, value in vars(base).items():
            value = getattr(value, "fget", None) or getattr(value, "__func__", value)
            if isinstance(value, types.FunctionType):
                yield name, value


_GLOBAL = ("LOAD_GLOBAL", "LOAD_NAME")
_ATTRIBUTE = ("LOAD_ATTR", "LOAD_METHOD", "STORE_ATTR")


@functools.lru_cache(maxsize=4096)
def _names(code: types.CodeType, operations: tuple[str, ...]) -> frozenset[str]:
    """Return the names that instructions of some kinds have, in a function and those in it."""
    found = {i.argval for i in dis.get_instructions(code) if i.opname in operations}
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            found |= _names(constant, operations)
    return frozenset(found)


def _frozen(value: Any) -> Any:
    """Return what stands for a value: equal ones for equal plain values, else its identity."""
    kind = type(value)
    if isinstance(value, _PLAIN):
        return (kind, value)
    if isinstance(value, list | tuple) and len(value) <= _LARGEST:
        return (kind, *map(_frozen, value))
    if isinstance(value, dict) and len(value) <= _LARGEST:
        return (kind, *((k, _frozen(v)) for k, v in value.items()))
    if isinstance(value, ndarray | numpy.ndarray):
        return (kind, id(value), value.shape)
    return (kind, id(value))
