"""Sums, means, variances and extremes along axes."""

from __future__ import annotations

import math
from typing import Any

import numpy

from minpy.graph.native.instructions import BINARY, OTHER, UNARY
from minpy.graph.native.lowerings import emit_unary, is_large, lowers
from minpy.graph.native.program import Program
from minpy.graph.native.recording import LOWERINGS, Value
from minpy.graph.trace import Untraceable


def _axes(x: Value, axis: Any) -> list[int]:
    if axis is None or not x.shape:  # NumPy takes axis 0 of a number
        return list(range(len(x.shape)))
    given = axis if isinstance(axis, tuple | list) else (axis,)
    return sorted(int(i) % len(x.shape) for i in given)


def _count(x: Value, axis: Any) -> int:
    """Return how many elements a reduction makes one of."""
    return math.prod(x.shape[i] for i in _axes(x, axis))


def _reduced(p: Program, out: Value, x: Value, axis: Any, factor: float = 1.0) -> None:
    """Emit the sum along axes, times a number."""
    axes = _axes(x, axis)
    # Runs of axes that are summed over, or stay.
    runs: list[tuple[bool, int]] = []
    for i, n in enumerate(x.shape):
        if n == 1:
            continue
        if runs and runs[-1][0] == (i in axes):
            runs[-1] = (runs[-1][0], runs[-1][1] * n)
        else:
            runs.append((i in axes, n))
    summed = [i for i, (gone, _) in enumerate(runs) if gone]
    given = p.straight(x)
    if not summed:
        p.emit(UNARY["copy"], p.memory(out), given, sizes=(1, out.size))
        if factor != 1.0:
            _scale(p, p.memory(out), factor)
    # From the last axes to the first: the array becomes smaller each time.
    for i in reversed(summed):
        before = math.prod(n for _, n in runs[:i])
        after = math.prod(n for gone, n in runs[i + 1 :] if not gone)
        last = i == summed[0]
        made = p.memory(out) if last else p.temporary((before * after,))
        number = factor if last else 1.0
        if after == 1:
            p.emit(OTHER["sum_columns"], made, given, sizes=(before, runs[i][1]), number=number)
        else:
            sizes = (before, runs[i][1], after)
            p.emit(OTHER["sum_rows"], made, given, sizes=sizes, number=number)
        given = made


def _scale(p: Program, out: numpy.ndarray, factor: float) -> None:
    p.emit(BINARY["multiply"], out, out, p.straight(factor), sizes=(1, out.size, 1))


@lowers("sum")
def _sum(p: Program, out: Value, x: Value, axis: Any = None, keepdims: Any = False) -> None:
    _reduced(p, out, x, axis)


@lowers("mean")
def _mean(p: Program, out: Value, x: Value, axis: Any = None, keepdims: Any = False) -> None:
    _reduced(p, out, x, axis, 1.0 / _count(x, axis))


@lowers("mean_of_rows")
def _mean_of_rows(p: Program, out: Value, x: Value) -> None:
    _reduced(p, out, x, 1, 1.0 / x.shape[1])


@lowers("var")
def _var(
    p: Program, out: Value, x: Value, axis: Any = None, ddof: float = 0, keepdims: Any = False
) -> None:
    if _count(x, axis) <= ddof:
        raise Untraceable("a variance without degrees of freedom has no instruction")
    axes = _axes(x, axis)
    kept = tuple(1 if i in axes else n for i, n in enumerate(x.shape))
    center, apart = (Value(out.trace, shape, x.dtype) for shape in (kept, x.shape))
    center.memory, apart.memory = p.temporary(kept), p.temporary(x.shape)
    _reduced(p, center, x, axis, 1.0 / _count(x, axis))
    LOWERINGS["subtract"](p, apart, x, center)
    emit_unary(p, "square", apart.memory, apart.memory, is_large(p, x))
    _reduced(p, out, apart, axis, 1.0 / (_count(x, axis) - ddof))


@lowers("std")
def _std(p: Program, out: Value, x: Value, *args: Any, **kwargs: Any) -> None:
    _var(p, out, x, *args, **kwargs)
    p.emit(UNARY["sqrt"], p.memory(out), p.memory(out), sizes=(1, out.size))


@lowers("max", "amax")
def _max(p: Program, out: Value, x: Value, axis: Any = None, keepdims: Any = False) -> None:
    _emit_max(p, p.memory(out), x, p.straight(x), axis)


@lowers("min", "amin")
def _min(p: Program, out: Value, x: Value, axis: Any = None, keepdims: Any = False) -> None:
    # The least is what is largest of the others' negatives.
    turned, memory = p.temporary(x.shape), p.memory(out)
    p.emit(UNARY["negative"], turned, p.straight(x), sizes=(1, x.size))
    _emit_max(p, memory, x, turned, axis)
    p.emit(UNARY["negative"], memory, memory, sizes=(1, out.size))


def _emit_max(p: Program, out: numpy.ndarray, x: Value, given: numpy.ndarray, axis: Any) -> None:
    axes, ndim = _axes(x, axis), len(x.shape)
    if axes != list(range(ndim - len(axes), ndim)):
        raise Untraceable("a maximum over axes in the middle has no instruction")
    count = math.prod(x.shape[i] for i in axes)
    sizes = (x.size // count, count)
    p.emit(OTHER["maximum_columns"], out, given, sizes=sizes)
