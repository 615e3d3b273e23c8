"""Traces and their levels: what nesting of derivatives means; knows no rule and no direction.

Every differential operator opens a trace one level above the traces that are open in its thread.
An array that belongs to a trace carries a box of it; an operation goes to the highest level among
its arguments, which runs it again on the arrays as the next lower level sees them. That is what keeps
``grad(lambda x: x * grad(lambda y: x + y)(1.))`` from confusing the two derivatives.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from minpy.array import ndarray, root_of

__all__ = ["Trace", "Token", "box", "open_trace"]

_new = ndarray.__new__


class _Depth(threading.local):
    depth = 0


_local = _Depth()


class Token:
    """Stands for a tape that still needs the memory of what it recorded.

    Arrays that a tape saw hold a weak reference to its token. While the token lives, a write into
    such an array gives the array new memory instead.
    """

    __slots__ = ("__weakref__",)


class Trace:
    """One differentiation in progress.

    Subclasses say what it means to record an operation in `process`.
    """

    __slots__ = ("alive", "level", "token")

    def __init__(self, level: int, token: Any) -> None:
        self.level = level
        self.alive = True
        self.token = token  # weak reference to a Token, or None

    def process(self, operation: Any, args: tuple, kwargs: dict) -> Any:
        """Run `operation` on arguments at least one of which belongs to this trace."""
        raise NotImplementedError

    def capture(self, array: ndarray) -> None:
        """Keep the memory of an array as it is while this trace's tape lives."""
        root_of(array)._captured = self.token


@contextmanager
def open_trace(kind: type[Trace], token: Any = None) -> Iterator[Any]:
    """Open a trace above all others of this thread; its boxes are dead when the block ends."""
    _local.depth += 1
    trace = kind(_local.depth, token)
    try:
        yield trace
    finally:
        trace.alive = False
        _local.depth -= 1


def box(inner: ndarray, record: Any) -> ndarray:
    """Return an array with the value of `inner` that carries a record of a trace."""
    array = _new(ndarray)
    array._np, array._nd, array._context = inner._np, inner._nd, inner._context
    array._box = record
    array._inner = inner
    return array
