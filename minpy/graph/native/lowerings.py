"""What each operation becomes: an instruction or two of the compiled loop, or a kernel of oneDNN's.

Each function takes the program, the results, and the operation's arguments. Where threads share a
program's work, large operations go to oneDNN.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy

from minpy.graph.native.instructions import BINARY, OTHER, UNARY
from minpy.graph.native.program import Program
from minpy.graph.native.recording import FLOAT, LOWERINGS, ON_ONEDNN, Value
from minpy.graph.native.strided_copies import emit_copy, part_of, repeated, whole
from minpy.graph.trace import Untraceable
from minpy.runtime import onednn
from minpy.runtime.onednn import Layout

__all__ = [
    "dense",
    "emit_unary",
    "flat_layout",
    "is_large",
    "laid_or_straight",
    "lowers",
    "lowers_on_onednn",
    "room_for",
]

# Above so many elements two threads are faster than one.
_MANY_ELEMENTS = 30_000


def lowers(*names: str) -> Callable[[Callable], Callable]:
    """Register a function as what turns these operations into instructions."""

    def register(function: Callable) -> Callable:
        LOWERINGS.update(dict.fromkeys(names, function))
        return function

    return register


def lowers_on_onednn(*names: str) -> Callable[[Callable], Callable]:
    """Register a function as what turns these operations, which need oneDNN, into its kernels."""
    ON_ONEDNN.update(names)
    return lowers(*names)


# --- one element at a time ------------------------------------------------------------------------


def dense(value: Value) -> Layout | None:
    """Return a value's layout if it is one without padding: any order of elements does then."""
    if value.layout is not None and value.layout.bytes == 4 * value.size:
        return value.layout
    return None


def laid_or_straight(p: Program, value: Value, layout: Layout | None) -> numpy.ndarray:
    """Return where a value lies in a layout, or by rows."""
    return p.straight(value) if layout is None else p.laid(value, layout)


def room_for(p: Program, out: Value, layout: Layout | None) -> numpy.ndarray:
    """Return memory for a result that is to lie in a layout, or by rows."""
    if layout is None:
        return p.memory(out)
    out.layout = layout
    out.memory = p.room(out.size)[: out.size]
    return out.memory


def is_large(p: Program, out: Value) -> bool:
    """Say whether threads are to share the work on so many elements."""
    return p.shared and out.size >= _MANY_ELEMENTS


def flat_layout(p: Program, size: int) -> Layout:
    """Return the layout of elements whose order doesn't matter."""
    assert p.library is not None
    library = p.library
    return p.remembered(("flat", size), lambda: library.strided((size,)))


def _unary(name: str) -> Callable[..., None]:
    def lower(p: Program, out: Value, x: Value) -> None:
        # Where the result is expected somewhere it is expected by rows.
        layout = dense(x) if out.memory is None else None
        given = laid_or_straight(p, x, layout)
        emit_unary(p, name, room_for(p, out, layout), given, is_large(p, out))

    return lower


def emit_unary(p: Program, name: str, out: numpy.ndarray, given: numpy.ndarray, many: bool) -> None:
    """Emit a function of one array, a kernel of oneDNN's for a large one."""
    if not many or name not in onednn.ELTWISE:
        p.emit(UNARY[name], out, given, sizes=(1, given.size))
        return
    assert p.library is not None
    flat = flat_layout(p, given.size)
    recipe = p.library.recipe(
        "eltwise_forward", onednn.INFERENCE, onednn.ELTWISE[name], flat, flat, 0.0, 0.0
    )
    p.call(recipe, {"src": (given, flat)}, {"dst": (out, flat)})


for _name in UNARY:
    if _name != "copy":
        LOWERINGS[_name] = _unary(_name)
LOWERINGS["abs"] = LOWERINGS["absolute"]


def _patterns(shape: tuple[int, ...], *operands: tuple[int, ...]) -> list[tuple[int, tuple]]:
    """Return runs of axes along which the same operands move on, as (length, which)."""
    runs: list[tuple[int, tuple]] = []
    for axis, length in enumerate(shape):
        if length == 1:
            continue
        moves = []
        for given in operands:
            at = axis - len(shape) + len(given)
            moves.append(at >= 0 and given[at] != 1)
        if runs and runs[-1][1] == tuple(moves):
            runs[-1] = (runs[-1][0] * length, runs[-1][1])
        else:
            runs.append((length, tuple(moves)))
    return runs


def _shape(value: Any) -> tuple[int, ...]:
    return value.shape if isinstance(value, Value) else numpy.shape(value)


def _size(value: Any) -> int:
    return math.prod(_shape(value))


def _emit_binary_into(
    p: Program, name: str, out: numpy.ndarray, shape: tuple[int, ...], a: Any, b: Any
) -> None:
    """Emit a function of two arrays or numbers that lie by rows."""
    runs = _patterns(shape, _shape(a), _shape(b))
    if len(runs) > 2:
        for given in (a, b):
            if _shape(given) != shape:
                full = Value(None, shape, FLOAT)
                full.memory = p.temporary(shape)
                source = repeated(_shape(given), shape)
                emit_copy(p, full.memory, whole(shape), p.straight(given), source)
                a, b = (full, b) if given is a else (a, full)
        runs = _patterns(shape, shape, shape)
    runs = [(1, (False, False))] * (2 - len(runs)) + runs
    (rows, (a_rows, b_rows)), (columns, (a_columns, b_columns)) = runs
    moves = a_columns + 2 * b_columns + 4 * a_rows + 8 * b_rows
    given = p.straight(a), p.straight(b)
    p.emit(BINARY[name], out, *given, sizes=(rows, columns, moves))


def _binary(name: str) -> Callable[..., None]:
    def lower(p: Program, out: Value, a: Any, b: Any, then: str | None = None) -> None:
        if not _alike(p, name, out, a, b, then) and not _by_onednn(p, name, out, a, b, then):
            _emit_binary_into(p, name, p.memory(out), out.shape, a, b)
            if then is not None:
                p.emit(UNARY[then], p.memory(out), p.memory(out), sizes=(1, out.size))

    return lower


def _alike(p: Program, name: str, out: Value, a: Any, b: Any, then: str | None) -> bool:
    """Emit a function of two arrays of one shape, or of one and a number; say whether it was."""
    full = [v for v in (a, b) if isinstance(v, Value) and v.shape == out.shape]
    if not full or any(v not in full and _size(v) != 1 for v in (a, b)):
        return False
    layout = None
    if out.memory is None:
        layout = next((v for v in map(dense, full) if v is not None), None)
    given = [laid_or_straight(p, v, layout) if v in full else p.straight(v) for v in (a, b)]
    memory = room_for(p, out, layout)
    many = is_large(p, out)
    if many and name in onednn.BINARY and a in full:
        assert p.library is not None
        flat = flat_layout(p, out.size)
        other = flat if b in full else p.library.strided((1,))
        recipe = p.library.recipe("binary", onednn.BINARY[name], flat, other, flat, after=then)
        p.call(
            recipe, {"src": (given[0], flat), "src1": (given[1], other)}, {"dst": (memory, flat)}
        )
        return True
    moves = (a in full) + 2 * (b in full)
    p.emit(BINARY[name], memory, *given, sizes=(1, out.size, moves))
    if then is not None:
        emit_unary(p, then, memory, memory, many)
    return True


def _by_onednn(p: Program, name: str, out: Value, a: Any, b: Any, then: str | None) -> bool:
    """Emit a function of an array and one that is repeated, where oneDNN has to or is faster."""
    if p.library is None or name not in onednn.BINARY or not out.shape:
        return False
    if name in ("add", "multiply", "maximum", "minimum") and _shape(a) != out.shape:
        a, b = b, a
    if not isinstance(a, Value) or a.shape != out.shape:
        return False
    runs = _patterns(out.shape, _shape(a), _shape(b))
    if len(runs) <= 2 and a.layout is None and not is_large(p, out):
        return False
    if len(runs) <= 2 and a.layout is None:
        # As a matrix: oneDNN has no kernel for some repetitions along more axes.
        lengths = [n for n, _ in runs]
        given = p.library.strided(lengths)
        other = p.library.strided([n if moves else 1 for n, (_, moves) in runs])
        operands: tuple[Any, Any] = p.straight(a), p.memory(out)
    else:
        given = p.lies(a)
        shape = (1,) * (len(out.shape) - len(_shape(b))) + _shape(b)
        other, operands = p.library.strided(shape), (a, out)
    recipe = p.library.recipe("binary", onednn.BINARY[name], given, other, given, after=then)
    told = {"src": (operands[0], given), "src1": (p.straight(b), other)}
    p.call(recipe, told, {"dst": (operands[1], given)})
    return True


for _name in BINARY:
    LOWERINGS[_name] = _binary(_name)


def _by_result(name: str) -> Callable[..., None]:
    def lower(p: Program, out: Value, g: Value, y: Value) -> None:
        layout = dense(g) or dense(y) if out.memory is None else None
        given = laid_or_straight(p, g, layout), laid_or_straight(p, y, layout)
        memory = room_for(p, out, layout)
        if not is_large(p, out):
            p.emit(BINARY[f"{name}_gradient"], memory, *given, sizes=(1, out.size, 3))
            return
        assert p.library is not None
        flat, kind = flat_layout(p, out.size), onednn.BY_RESULT[name]
        forward = p.library.recipe("eltwise_forward", onednn.TRAINING, kind, flat, flat, 0.0, 0.0)
        recipe = p.library.recipe("eltwise_backward", kind, flat, flat, flat, 0.0, 0.0, forward)
        told = {"diff_dst": (given[0], flat), "dst": (given[1], flat)}
        p.call(recipe, told, {"diff_src": (memory, flat)})

    return lower


for _name in onednn.BY_RESULT:
    LOWERINGS[f"{_name}_gradient"] = _by_result(_name)


@lowers("broadcast_to", "spread")
def _broadcast_to(p: Program, out: Value, x: Value, shape: Any) -> None:
    given, before, inside = p.straight(x), x.size, 1
    runs = [(n, moves) for n, (moves,) in _patterns(out.shape, x.shape)]
    repeated = [i for i, (_, moves) in enumerate(runs) if not moves]
    if not repeated:
        p.emit(UNARY["copy"], p.memory(out), given, sizes=(1, out.size))
    # From the last axes to the first: each run of axes that repeats makes the array larger.
    for i, (length, moves) in reversed(list(enumerate(runs))):
        if moves:
            before //= length
        else:
            last = i == repeated[0]
            made = p.memory(out) if last else p.temporary((before * length * inside,))
            p.emit(OTHER["repeat"], made, given, sizes=(before, length, inside))
            given = made
        inside *= length


@lowers("where")
def _where(p: Program, out: Value, condition: Value, a: Any, b: Any) -> None:
    given = []
    for v in (condition, a, b):
        if _shape(v) == out.shape:
            given.append(p.straight(v))
        elif _size(v) == 1:
            repeated = p.temporary(out.shape)
            p.emit(OTHER["repeat"], repeated, p.straight(v), sizes=(1, out.size, 1))
            given.append(repeated)
        else:
            raise Untraceable("where of several shapes has no instruction")
    p.emit(OTHER["where"], p.memory(out), *given, sizes=(1, out.size))


# --- other shapes ---------------------------------------------------------------------------------


@lowers("astype", "conjugate", "expand_dims", "positive", "ravel", "real", "reshape", "squeeze")
def _same_elements(p: Program, out: Value, x: Value, *args: Any, **kwargs: Any) -> None:
    if kwargs.get("order", "C") != "C" or "F" in args:
        raise Untraceable("reshape in Fortran's order has no instruction")
    out.memory = p.straight(x).reshape(out.shape)
    p.share(out)


@lowers("transpose")
def _transpose(p: Program, out: Value, x: Value, axes: Any = None) -> None:
    ndim = len(x.shape)
    order = tuple(reversed(range(ndim))) if axes is None else tuple(a % ndim for a in axes)
    if order == (1, 0) and x.layout is None:
        out.memory, out.turned = p.memory(x), not x.turned
        p.share(out)
        return
    if p.library is None:
        source = part_of(x.shape, lambda stand_in: stand_in.transpose(order))
        emit_copy(p, p.memory(out), whole(out.shape), p.straight(x), source)
        return
    rows = onednn.row_strides(x.shape)
    if x.layout is None and not x.turned:
        # The same memory, read in another order.
        out.layout = p.library.strided(out.shape, [rows[a] for a in order])
        out.memory = p.memory(x).reshape(-1)
        p.share(out)
        return
    strides, inside = [0] * ndim, onednn.row_strides(out.shape)
    for i, a in enumerate(order):
        strides[a] = inside[i]
    out.memory = p.laid(x, p.library.strided(x.shape, strides))[: out.size].reshape(out.shape)
    p.share(out)


@lowers("ones_like", "zeros_like")
def _filled(p: Program, out: Value, *args: Any, **kwargs: Any) -> None:
    raise AssertionError("is a constant")


# --- tables ---------------------------------------------------------------------------------------


@lowers("embedding")
def _embedding(p: Program, out: Value, table: Value, ids: Value) -> None:
    sizes = (ids.size, table.shape[1])
    p.emit(OTHER["gather_rows"], p.memory(out), p.straight(table), p.straight(ids), sizes=sizes)


@lowers("embedding_gradient")
def _embedding_gradient(p: Program, out: Value, g: Value, ids: Value, rows: int) -> None:
    sizes = (ids.size, g.shape[-1], rows)
    p.emit(OTHER["scatter_rows"], p.memory(out), p.straight(g), p.straight(ids), sizes=sizes)


# --- losses ---------------------------------------------------------------------------------------


def _of_last_axis(name: str) -> Callable[..., None]:
    def lower(p: Program, out: Value, x: Value, axis: int = -1) -> None:
        if axis not in (-1, len(x.shape) - 1):
            raise Untraceable(f"{name} along another axis than the last has no instruction")
        sizes = (x.size // x.shape[-1], x.shape[-1])
        p.emit(OTHER[name], p.memory(out), p.straight(x), sizes=sizes)

    return lower


LOWERINGS["softmax"] = _of_last_axis("softmax")
LOWERINGS["log_softmax"] = _of_last_axis("log_softmax")


@lowers("softmax_cross_entropy")
def _cross_entropy(p: Program, out: Value, x: Value, labels: Value) -> None:
    given = p.straight(x), p.straight(labels)
    p.emit(OTHER["cross_entropy"], p.memory(out), *given, sizes=x.shape)


@lowers("softmax_cross_entropy_gradient")
def _cross_entropy_gradient(p: Program, out: Value, g: Value, q: Value, labels: Value) -> None:
    given = p.straight(g), p.straight(q), p.straight(labels)
    p.emit(OTHER["cross_entropy_gradient"], p.memory(out), *given, sizes=q.shape)


@lowers("pick")
def _pick(p: Program, out: Value, x: Value, labels: Value) -> None:
    p.emit(OTHER["pick"], p.memory(out), p.straight(x), p.straight(labels), sizes=x.shape)


@lowers("place")
def _place(p: Program, out: Value, g: Value, labels: Value, classes: int) -> None:
    p.emit(OTHER["place"], p.memory(out), p.straight(g), p.straight(labels), sizes=out.shape)


@lowers("sigmoid_cross_entropy")
def _sigmoid_cross_entropy(p: Program, out: Value, x: Value, y: Any) -> None:
    # max(x, 0) - x y + log(1 + exp(-|x|)), and the first and last of these are softplus(x)
    negative = p.temporary(x.shape)
    _emit_binary_into(p, "multiply", negative, x.shape, x, y)
    p.emit(UNARY["softplus"], p.memory(out), p.straight(x), sizes=(1, out.size))
    mine = p.memory(out)
    p.emit(BINARY["subtract"], mine, mine, negative, sizes=(1, out.size, 3))
