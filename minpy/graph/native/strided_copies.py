"""Copies from a part of an array to a part of another, by strides.

Where NumPy would return a view its strides say what to copy; they are read off a view of an array
of bytes that nobody fills. It must not know which operation asks for what.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy

from minpy.graph.native.instructions import OTHER
from minpy.graph.native.program import Program
from minpy.graph.trace import Untraceable
from minpy.runtime.onednn import row_strides

__all__ = ["Part", "emit_copy", "part_of", "repeated", "whole"]

# The instruction goes through so many axes.
_AXES = 5


class Part(NamedTuple):
    """Where elements of an array lie: their first one, and how far it is along each axis."""

    start: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def whole(shape: Sequence[int]) -> Part:
    """Return all elements of an array that lies by rows."""
    return Part(0, tuple(shape), tuple(row_strides(shape)))


def part_of(shape: tuple[int, ...], look: Callable[[numpy.ndarray], Any]) -> Part:
    """Return where a view of an array of that shape has its elements."""
    stand_in = numpy.empty(shape, "int8")
    seen = look(stand_in)
    if not isinstance(seen, numpy.ndarray) or not numpy.may_share_memory(seen, stand_in):
        raise Untraceable("a copy by other than slices has no instruction")
    return Part(seen.ctypes.data - stand_in.ctypes.data, seen.shape, seen.strides)


def emit_copy(
    p: Program,
    out: numpy.ndarray,
    to: Part,
    given: numpy.ndarray,
    source: Part,
    add: bool = False,
) -> None:
    """Emit that elements of an array are copied, or added, to a part of another."""
    # Axes along which both go on as they did along the one before are one.
    runs: list[tuple[int, int, int]] = []
    for n, o, g in zip(to.shape, to.strides, source.strides, strict=True):
        if n == 1:
            continue
        if runs and runs[-1][1] == n * o and runs[-1][2] == n * g:
            runs[-1] = (runs[-1][0] * n, o, g)
        else:
            runs.append((n, o, g))
    if len(runs) > _AXES:
        raise Untraceable(f"a copy along {len(runs)} axes has no instruction")
    runs = [(1, 0, 0)] * (_AXES - len(runs)) + runs
    numbers = [to.start, source.start, *(number for run in runs for number in run)]
    geometry = numpy.array(numbers, numpy.int64)
    p.emit(OTHER["add_part" if add else "copy_part"], out, given, geometry)


def repeated(shape: Sequence[int], to: Sequence[int]) -> Part:
    """Return an array's elements as they are seen where it is repeated to a shape."""
    # Axes of length one in front of the others' are none.
    shape = tuple(shape)[max(0, len(shape) - len(to)) :]
    strides = [0 if n == 1 else s for n, s in zip(shape, row_strides(shape), strict=True)]
    return Part(0, tuple(to), (*[0] * (len(to) - len(shape)), *strides))
