"""Traces and their levels: what nesting of derivatives means; knows no rule and no direction.

Every differential operator opens a trace one level above the traces that are open in its thread.
An array that belongs to a trace carries a box of it; an operation goes to the highest level among
its arguments, which runs it again on the arrays as the next lower level sees them. That is what
keeps ``grad(lambda x: x * grad(lambda y: x + y)(1.))`` from confusing the two derivatives.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy

from minpy.array import View, is_tracked, ndarray, root_of, snapshot, wrap

__all__ = ["Token", "Trace", "box", "open_trace", "released", "unshared"]

_new = ndarray.__new__


class _Depth(threading.local):
    depth = 0


_local = _Depth()


class Token:
    """Stands for a tape that still needs the memory of what it recorded.

    Arrays whose memory a tape captured hold a weak reference to its token. While the token lives, a
    write into such an array gives the array new memory instead.
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

    def release(self) -> None:
        """Let go of what only an open trace holds."""

    def boxed(self, ans: ndarray, record: Any, args: tuple) -> ndarray:
        """Return what the next lower level has as an operation's result, with a record."""
        out = _new(ndarray)
        out._np = ans._np
        if out._np is None:
            out._nd, out._context = ans._nd, ans._context
        out._box = record
        out._inner = ans
        view = ans._view
        if view is not None:
            # The tracked result is a view of the tracked argument, and writes through it count.
            out._view = View(args[0], view.operation, view.args, view.kwargs, view.layout)
        elif ans._captured is not None:
            out._captured = ans._captured
        return out

    def start(self, array: ndarray, record: Any) -> ndarray:
        """Return an argument of the differentiated function: an object of its own with a record."""
        out = box(snapshot(array), record)
        out._captured = root_of(array)._captured
        return out

    def owns(self, array: Any) -> bool:
        """Say whether a value is an array that this trace recorded something about."""
        return type(array) is ndarray and is_tracked(array) and array._box.trace is self


def box(inner: ndarray, record: Any) -> ndarray:
    """Return an array with the value of `inner` that carries a record of a trace."""
    out = snapshot(inner)
    out._box, out._inner = record, inner
    return out


def released(out: ndarray, is_argument: bool) -> ndarray:
    """Return a recorded result as the next lower level sees it, for the caller to keep.

    The tape keeps `out._inner`; the caller gets an object of its own to write to, and memory of its
    own where the result is one of the arguments or a view.
    """
    inner = out._inner
    own = snapshot(inner)
    if own._box is None and own._np is not None and (is_argument or inner._view is not None):
        own._np = own._np.copy(order="K")
    else:
        own._captured = root_of(inner)._captured
    return own


def unshared(gradients: list[Any], given: Sequence[Any] = ()) -> list[Any]:
    """Return derivatives for the caller to keep: writable, and none with another's memory.

    Rules hand gradients on as they are where they can, and repeat them without copying.
    """
    seen = {id(g) for g in given}
    own = []
    for g in gradients:
        memory = g._np
        if memory is not None and not is_tracked(g):
            if id(g) in seen or type(memory.base) is numpy.ndarray or not memory.flags.writeable:
                g = wrap(memory.copy())
            seen.add(id(g))
        own.append(g)
    return own


@contextmanager
def open_trace(kind: type[Trace], token: Any = None) -> Iterator[Any]:
    """Open a trace above all others of this thread; its boxes are dead when the block ends."""
    _local.depth += 1
    trace = kind(_local.depth, token)
    try:
        yield trace
    finally:
        trace.alive = False
        trace.release()
        _local.depth -= 1
