"""A function and the variables of the functions around it, as one thing that can be compared.

A training step makes such a function anew for each batch: the code is the same, and the arrays are
others. It must not know models.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Iterator
from typing import Any

import numpy

from minpy.array import ndarray
from minpy.graph.trace import Untraceable

__all__ = ["Closure", "Substituted"]

_PLAIN = (bool, int, float, complex, str, bytes, type(None), numpy.generic)


class Closure:
    """A function with what it captures, taken apart.

    Parameters
    ----------
    function
        Of the user's.

    Attributes
    ----------
    key
        Hashable, and equal for functions of the same code that have arrays of the same shapes and
        dtypes in the same places, and equal numbers, or the same objects, in the others.
    places
        How one would write the place of each part of the key.
    arrays
        Those that it captures, also in tuples, lists and dicts, and in functions of its own kind.
    names
        Of the arrays.
    objects
        What else it captures.
    functions
        It and those that it captures.
    """

    def __init__(self, function: Callable[[], Any]) -> None:
        self.function = function
        self.arrays: list[Any] = []
        self.names: list[str] = []
        self.objects: list[Any] = []
        self.functions: list[types.FunctionType] = []
        self.places: list[str] = []
        self._key: list[Any] = []
        self._seen: dict[int, int] = {}
        self._visit(function, getattr(function, "__name__", "function"))
        self.key = tuple(self._key)

    def _note(self, place: str, *key: Any) -> None:
        self._key.append(key)
        self.places.append(place)

    def _visit(self, value: Any, place: str) -> None:
        kind = type(value)
        if kind is ndarray or isinstance(value, numpy.ndarray):
            self._note(place, value.shape, value.dtype.char)
            self.arrays.append(value)
            self.names.append(place)
        elif isinstance(value, _PLAIN):
            self._note(place, kind, value)
        elif kind in (list, tuple, dict) or _is_named_tuple(value):
            names = tuple(value) if kind is dict else len(value)
            self._note(place, kind, names)
            for name, part in _parts(value):
                self._visit(part, f"{place}[{name!r}]")
        elif kind is types.FunctionType:
            if id(value) in self._seen:
                self._note(place, "again", self._seen[id(value)])
                return
            self._seen[id(value)] = len(self._seen)
            self._note(place, value.__code__)
            self.functions.append(value)
            for name, cell in _variables(value):
                if id(cell) in self._seen:
                    self._note(name, "again", self._seen[id(cell)])
                    continue
                self._seen[id(cell)] = len(self._seen)
                self._visit(_content(cell), name)
            for name, part in _defaults(value):
                self._visit(part, name)
        else:
            self._note(place, kind, id(value))
            self.objects.append(value)

    def with_arrays(self, arrays: list[Any]) -> Substituted:
        """Return the function with other arrays in the places of those that it captures."""
        return Substituted(self.function, arrays)


class Substituted:
    """A function that is another's code, and captures copies of what that captures."""

    def __init__(self, function: types.FunctionType, arrays: list[Any]) -> None:
        self._given = iter(arrays)
        self._arrays = [(a, a._box) for a in arrays]
        self._functions: dict[int, Any] = {}
        self._cells: dict[int, types.CellType] = {}
        self._filled: set[int] = set()
        self._put: list[tuple[types.CellType, str, Any]] = []
        self._copies: list[tuple[Any, list[Any]]] = []
        self._function = self._rebuilt(function)

    def _rebuilt(self, value: Any) -> Any:
        kind = type(value)
        if kind is ndarray or isinstance(value, numpy.ndarray):
            return next(self._given)
        if kind in (list, tuple, dict) or _is_named_tuple(value):
            parts = [self._rebuilt(part) for _, part in _parts(value)]
            if kind is dict:
                made: Any = dict(zip(value, parts, strict=True))
            else:
                made = kind(*parts) if _is_named_tuple(value) else kind(parts)
            if kind in (list, dict):
                self._copies.append((made, parts))
            return made
        if kind is types.FunctionType:
            return self._rebuilt_function(value)
        return value

    def _rebuilt_function(self, function: types.FunctionType) -> types.FunctionType:
        known = self._functions.get(id(function))
        if known is not None:
            return known
        cells = [self._cell_for(cell) for cell in function.__closure__ or ()]
        made = types.FunctionType(
            function.__code__, function.__globals__, function.__name__, None, tuple(cells)
        )
        self._functions[id(function)] = made
        # In the order in which `Closure` finds them.
        for (name, old), new in zip(_variables(function), cells, strict=True):
            if id(old) in self._filled:
                continue
            self._filled.add(id(old))
            value = self._rebuilt(_content(old))
            if value is not _EMPTY:
                new.cell_contents = value
            self._put.append((new, name, value))
        if function.__defaults__ is not None:
            made.__defaults__ = tuple(self._rebuilt(v) for v in function.__defaults__)
        if function.__kwdefaults__ is not None:
            made.__kwdefaults__ = {k: self._rebuilt(v) for k, v in function.__kwdefaults__.items()}
        return made

    def _cell_for(self, cell: types.CellType) -> types.CellType:
        return self._cells.setdefault(id(cell), types.CellType())

    def __call__(self) -> Any:
        """Call the copy."""
        return self._function()

    def check(self) -> None:
        """Raise `Untraceable` where the function has changed what it captures."""
        for cell, name, value in self._put:
            if _content(cell) is not value:
                raise Untraceable(
                    f"it sets {name}, a variable of the function around it; return it beside the "
                    "number"
                )
        for made, parts in self._copies:
            now = list(made.values()) if isinstance(made, dict) else made
            if len(now) != len(parts) or any(a is not b for a, b in zip(now, parts, strict=True)):
                raise Untraceable(
                    f"it changes a {type(made).__name__} of the function around it; return what it "
                    "puts there beside the number"
                )
        for array, record in self._arrays:
            if array._box is not record:
                raise Untraceable("it writes into an array of the function around it")


_EMPTY = object()


def _content(cell: types.CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # nothing was assigned to it yet
        return _EMPTY


def _variables(function: types.FunctionType) -> Iterator[tuple[str, Any]]:
    """Give the cells of a function by their names."""
    yield from zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)


def _defaults(function: types.FunctionType) -> Iterator[tuple[str, Any]]:
    """Give the defaults of a function's arguments by their names."""
    defaults = function.__defaults__ or ()
    count = function.__code__.co_argcount
    yield from zip(
        function.__code__.co_varnames[count - len(defaults) : count], defaults, strict=True
    )
    yield from (function.__kwdefaults__ or {}).items()


def _is_named_tuple(value: Any) -> bool:
    return isinstance(value, tuple) and hasattr(value, "_fields")


def _parts(value: Any) -> Iterator[tuple[Any, Any]]:
    return iter(value.items()) if isinstance(value, dict) else enumerate(value)
