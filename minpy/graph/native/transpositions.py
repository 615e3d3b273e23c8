"""Leaves out transpositions that undo each other, and lets the others wait.

Layers whose channels come last turn their input round, and what they give back again; the next one
does so too. A function of single elements doesn't mind which way they lie, so that a transposition
may as well happen behind it. It must not know how operations are computed.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from typing import Any

import numpy

from minpy.graph.native.instructions import BINARY, UNARY
from minpy.graph.native.recording import Operation, Value

__all__ = ["with_fewer_transpositions"]

_OF_ELEMENTS = frozenset(
    [*UNARY, *BINARY, "abs", "elu", "gelu", "gelu_gradient", "hard_sigmoid", "leaky_relu",
     "leaky_relu_gradient", "softsign", "where"]
)  # fmt: skip


def with_fewer_transpositions(
    operations: list[Operation], results: Collection[Value]
) -> list[Operation]:
    """Return operations with the same results; some that are in there nobody needs any more."""
    # What a value is the transposition of, and by which axes; and which value it is no other than.
    turned: dict[Value, tuple[Value, tuple[int, ...]]] = {}
    same: dict[Value, Value] = {}
    wanted, out = set(results), []
    for operation in operations:
        given = [same.get(a, a) if isinstance(a, Value) else a for a in operation.given]
        made = operation.made[0]
        operation = _as_transposition(dataclasses.replace(operation, given=given))
        if operation.name == "transpose" and len(made.shape) > 2:
            source, axes = _composed(turned, given[0], _axes(operation, len(made.shape)))
            if axes == tuple(range(len(axes))) and made not in wanted:
                same[made] = source
                continue
            turned[made] = source, axes
            out.append(Operation("transpose", [source, axes], [made], {}, numpy.transpose))
            continue
        found = _turned_operands(operation, turned)
        if found is None:
            out.append(operation)
            continue
        sources, axes = found
        shape = tuple(made.shape[axes.index(i)] for i in range(len(axes)))
        inner = Value(made.trace, shape, made.dtype)
        out.append(dataclasses.replace(operation, given=sources, made=[inner]))
        out.append(Operation("transpose", [inner, axes], [made], {}, numpy.transpose))
        turned[made] = inner, axes
    return out


def _as_transposition(operation: Operation) -> Operation:
    """Write an exchange of two axes as what it is."""
    if operation.name != "swapaxes" or len(operation.given) != 3 or operation.told:
        return operation
    x, a, b = operation.given
    axes = list(range(len(x.shape)))
    axes[a], axes[b] = axes[b], axes[a]
    return Operation("transpose", [x, tuple(axes)], operation.made, {}, numpy.transpose)


def _axes(operation: Operation, ndim: int) -> tuple[int, ...]:
    axes = operation.told.get("axes", operation.given[1] if len(operation.given) > 1 else None)
    return tuple(reversed(range(ndim))) if axes is None else tuple(a % ndim for a in axes)


def _composed(
    turned: dict[Value, tuple[Value, tuple[int, ...]]], x: Value, axes: tuple[int, ...]
) -> tuple[Value, tuple[int, ...]]:
    """Return what a transposition of a value is the transposition of, and how."""
    source, before = turned.get(x, (x, tuple(range(len(axes)))))
    return source, tuple(before[a] for a in axes)


def _turned_operands(
    operation: Operation, turned: dict[Value, tuple[Value, tuple[int, ...]]]
) -> tuple[list[Any], tuple[int, ...]] | None:
    """Return what the operands of a function of single elements are the transpositions of.

    None where they are of different ones, or of none.
    """
    if operation.name not in _OF_ELEMENTS or len(operation.made) != 1 or operation.on_host:
        return None
    sources: list[Any] = []
    axes: tuple[int, ...] | None = None
    for a in operation.given:
        if not isinstance(a, Value) or a.size == 1:
            sources.append(a)
            continue
        source, how = turned.get(a, (a, None))
        if how is None or a.shape != operation.made[0].shape or axes not in (None, how):
            return None
        sources.append(source)
        axes = how
    return None if axes is None else (sources, axes)
