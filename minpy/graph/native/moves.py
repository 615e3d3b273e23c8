"""Elements put elsewhere as they are: slices, joins, writes to a part, axes in another order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy

from minpy.graph.native.instructions import OTHER, UNARY
from minpy.graph.native.lowerings import lowers
from minpy.graph.native.parts import is_view_of_slices
from minpy.graph.native.program import Program
from minpy.graph.native.recording import LOWERINGS, Value
from minpy.graph.native.strided_copies import emit_copy, part_of, repeated, whole
from minpy.graph.trace import Untraceable
from minpy.numpy.shaping import pad_widths
from minpy.primitives import Primitive, registry


def _seen(name: str) -> Callable[..., None]:
    operation = registry[name]

    def lower(p: Program, out: Value, x: Value, *args: Any, **kwargs: Any) -> None:
        source = part_of(x.shape, lambda stand_in: operation.kernel(stand_in, *args, **kwargs))
        emit_copy(p, p.memory(out), whole(out.shape), p.straight(x), source)

    return lower


for _name in ("diagonal", "flip", "fliplr", "flipud", "moveaxis", "rollaxis", "rot90", "swapaxes"):
    LOWERINGS[_name] = _seen(_name)


@lowers("getitem")
def _getitem(p: Program, out: Value, x: Value, index: Any) -> None:
    parts = index if isinstance(index, tuple) else (index,)
    if not any(part is Ellipsis for part in parts):
        parts = (*parts, ...)  # so that a single element is a view too
    source = part_of(x.shape, lambda stand_in: stand_in[parts])
    emit_copy(p, p.memory(out), whole(out.shape), p.straight(x), source)


# --- joins ----------------------------------------------------------------------------------------


@lowers("_concatenate")
def _concatenate(p: Program, out: Value, *arrays: Value, axis: int | None = 0) -> None:
    if axis is None:
        axis, shapes = 0, [(a.size,) for a in arrays]
    else:
        axis, shapes = axis % len(out.shape), [a.shape for a in arrays]
    start, memory = 0, p.memory(out)
    for a, shape in zip(arrays, shapes, strict=True):
        index = (slice(None),) * axis + (slice(start, start + shape[axis]),)
        to = part_of(out.shape, lambda x, i=index: x[i])
        emit_copy(p, memory, to, p.straight(a), whole(shape))
        start += shape[axis]


@lowers("stack")
def _stack(p: Program, out: Value, *arrays: Value, axis: int = 0) -> None:
    before, memory = (slice(None),) * (axis % len(out.shape)), p.memory(out)
    for i, a in enumerate(arrays):
        to = part_of(out.shape, lambda x, i=(*before, i): x[i])
        emit_copy(p, memory, to, p.straight(a), whole(a.shape))


# --- writes to a part -----------------------------------------------------------------------------


def _fill(p: Program, out: numpy.ndarray, number: float) -> None:
    p.emit(OTHER["repeat"], out, p.straight(number), sizes=(1, out.size, 1))


@lowers("scatter_add")
def _scatter_add(p: Program, out: Value, g: Value, index: Any, shape: tuple[int, ...]) -> None:
    _scatter(p, out, g, indices=[index], shape=shape)


@lowers("scatter_several")
def _scatter(p: Program, out: Value, *given: Value, indices: list[Any], shape: Any) -> None:
    if not all(map(is_view_of_slices, indices)):
        raise Untraceable("a sum at other places than slices has no instruction")
    parts = [part_of(out.shape, lambda x, i=index: x[i]) for index in indices]
    if any(part.shape != g.shape for part, g in zip(parts, given, strict=True)):
        raise Untraceable("a sum of repeated elements has no instruction")
    written = numpy.zeros(out.shape, numpy.int32)
    for index in indices:
        written[index] += 1
    memory, overlap = p.memory(out), bool((written > 1).any())
    if overlap or not written.all():
        _fill(p, memory, 0.0)
    for g, part in zip(given, parts, strict=True):
        emit_copy(p, memory, part, p.straight(g), whole(g.shape), add=overlap)


@lowers("updated")
def _updated(
    p: Program, out: Value, base: Value, value: Any, operation: Primitive, args: tuple, kwargs: dict
) -> None:
    to = part_of(base.shape, lambda stand_in: operation.kernel(stand_in, *args, **kwargs))
    if not isinstance(value, Value) and not isinstance(value, int | float):
        raise Untraceable("a write of other than an array or a number has no instruction")
    memory = p.memory(out)
    p.emit(UNARY["copy"], memory, p.straight(base), sizes=(1, out.size))
    source = repeated(value.shape if isinstance(value, Value) else (), to.shape)
    emit_copy(p, memory, to, p.straight(value), source)


def _framed(p: Program, out: Value, x: Value, starts: Sequence[int], number: float = 0.0) -> None:
    """Emit that an array is put into a larger one of a number, so far behind its beginning."""
    index = tuple(slice(a, a + n) for a, n in zip(starts, x.shape, strict=True))
    to = part_of(out.shape, lambda stand_in: stand_in[index])
    _fill(p, p.memory(out), number)
    emit_copy(p, p.memory(out), to, p.straight(x), whole(x.shape))


@lowers("zero_padded")
def _zero_padded(p: Program, out: Value, x: Value, pads: Any) -> None:
    _framed(p, out, x, [0] * (len(x.shape) - len(pads)) + [before for before, _ in pads])


@lowers("pad_by_copying")
def _padded(
    p: Program,
    out: Value,
    x: Value,
    pad_width: Any,
    mode: Any = "constant",
    constant_values: Any = 0,
) -> None:
    if mode != "constant" or not isinstance(constant_values, int | float):
        raise Untraceable("padding with other than one number has no instruction")
    _framed(
        p, out, x, [before for before, _ in pad_widths(pad_width, len(x.shape))], constant_values
    )
