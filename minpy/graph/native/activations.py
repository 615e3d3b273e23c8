"""Activations of several instructions, or of one of oneDNN's kernels where there are many elements.

It must not know layers.
"""

from __future__ import annotations

import math
from typing import Any

from minpy.graph.native.instructions import BINARY, UNARY
from minpy.graph.native.lowerings import (
    dense,
    emit_unary,
    flat_layout,
    is_large,
    laid_or_straight,
    lowers,
    room_for,
)
from minpy.graph.native.program import Program
from minpy.graph.native.recording import Value
from minpy.graph.trace import Untraceable
from minpy.runtime import onednn

__all__: list[str] = []


def _operands(p: Program, out: Value, x: Value) -> tuple[Any, Any]:
    """Return memory for the result, and where the argument lies in the same order."""
    layout = dense(x) if out.memory is None else None
    given = laid_or_straight(p, x, layout)
    return room_for(p, out, layout), given


def _by_kernel(p: Program, kind: str, mine: Any, given: Any, alpha: float) -> None:
    assert p.library is not None
    row = flat_layout(p, given.size)
    recipe = p.library.recipe(
        "eltwise_forward", onednn.INFERENCE, onednn.ELTWISE[kind], row, row, alpha, 0.0
    )
    p.call(recipe, {"src": (given, row)}, {"dst": (mine, row)})


@lowers("leaky_relu")
def _leaky_relu(p: Program, out: Value, x: Value, slope: float) -> None:
    mine, given = _operands(p, out, x)
    if is_large(p, out):
        _by_kernel(p, "relu", mine, given, float(slope))
        return
    p.emit(BINARY["multiply"], mine, given, p.straight(slope), sizes=(1, out.size, 1))
    larger = "maximum" if slope <= 1 else "minimum"
    p.emit(BINARY[larger], mine, mine, given, sizes=(1, out.size, 3))


@lowers("leaky_relu_gradient")
def _leaky_relu_gradient(p: Program, out: Value, g: Value, x: Value, slope: float) -> None:
    given, mine = (p.straight(g), p.straight(x)), p.memory(out)
    if is_large(p, out):
        assert p.library is not None
        row, kind = flat_layout(p, out.size), onednn.ELTWISE["relu"]
        told = (kind, row, row)
        forward = p.library.recipe("eltwise_forward", onednn.TRAINING, *told, float(slope), 0.0)
        recipe = p.library.recipe(
            "eltwise_backward", kind, row, row, row, float(slope), 0.0, forward
        )
        p.call(
            recipe, {"diff_dst": (given[0], row), "src": (given[1], row)}, {"diff_src": (mine, row)}
        )
        return
    # slope + (1 - slope) where the argument is positive, and slope elsewhere
    one, both = (1, out.size, 1), (1, out.size, 3)
    p.emit(BINARY["greater"], mine, given[1], p.straight(0.0), sizes=one)
    p.emit(BINARY["multiply"], mine, mine, p.straight(1.0 - slope), sizes=one)
    p.emit(BINARY["add"], mine, mine, p.straight(slope), sizes=one)
    p.emit(BINARY["multiply"], mine, mine, given[0], sizes=both)


@lowers("elu")
def _elu(p: Program, out: Value, x: Value, alpha: float) -> None:
    mine, given = _operands(p, out, x)
    if is_large(p, out):
        _by_kernel(p, "elu", mine, given, float(alpha))
        return
    one, positive = (1, out.size, 1), p.temporary((out.size,))
    p.emit(BINARY["minimum"], mine, given, p.straight(0.0), sizes=one)
    p.emit(UNARY["expm1"], mine, mine, sizes=(1, out.size))
    p.emit(BINARY["multiply"], mine, mine, p.straight(alpha), sizes=one)
    p.emit(UNARY["relu"], positive, given, sizes=(1, out.size))
    p.emit(BINARY["add"], mine, mine, positive, sizes=(1, out.size, 3))


@lowers("softsign")
def _softsign(p: Program, out: Value, x: Value) -> None:
    mine, given = _operands(p, out, x)
    p.emit(UNARY["absolute"], mine, given, sizes=(1, out.size))
    p.emit(BINARY["add"], mine, mine, p.straight(1.0), sizes=(1, out.size, 1))
    p.emit(BINARY["true_divide"], mine, given, mine, sizes=(1, out.size, 3))


@lowers("hard_sigmoid")
def _hard_sigmoid(p: Program, out: Value, x: Value) -> None:
    mine, given = _operands(p, out, x)
    one = (1, out.size, 1)
    p.emit(BINARY["multiply"], mine, given, p.straight(1 / 6), sizes=one)
    for name, number in (("add", 0.5), ("maximum", 0.0), ("minimum", 1.0)):
        p.emit(BINARY[name], mine, mine, p.straight(number), sizes=one)


@lowers("gelu")
def _gelu(p: Program, out: Value, x: Value) -> None:
    given, mine = p.straight(x), p.memory(out)
    if is_large(p, out):
        emit_unary(p, "gelu", mine, given, True)
        return
    p.emit(UNARY["normal_cdf"], mine, given, sizes=(1, out.size))
    p.emit(BINARY["multiply"], mine, mine, given, sizes=(1, out.size, 3))


@lowers("gelu_gradient")
def _gelu_gradient(p: Program, out: Value, g: Value, x: Value) -> None:
    if out.shape != g.shape or g.shape != x.shape:
        raise Untraceable("gelu's gradient of several shapes has no instruction")
    given, mine = (p.straight(g), p.straight(x)), p.memory(out)
    if is_large(p, out):
        assert p.library is not None
        row, kind = flat_layout(p, out.size), onednn.ELTWISE["gelu"]
        forward = p.library.recipe("eltwise_forward", onednn.TRAINING, kind, row, row, 0.0, 0.0)
        recipe = p.library.recipe("eltwise_backward", kind, row, row, row, 0.0, 0.0, forward)
        told = {"diff_dst": (given[0], row), "src": (given[1], row)}
        p.call(recipe, told, {"diff_src": (mine, row)})
        return
    # The distribution function, and the argument times the density.
    one, cdf = (1, out.size, 1), p.temporary(out.shape)
    both = (1, out.size, 3)
    p.emit(UNARY["square"], mine, given[1], sizes=(1, out.size))
    p.emit(BINARY["multiply"], mine, mine, p.straight(-0.5), sizes=one)
    p.emit(UNARY["exp"], mine, mine, sizes=(1, out.size))
    p.emit(BINARY["multiply"], mine, mine, p.straight(1 / math.sqrt(2 * math.pi)), sizes=one)
    p.emit(BINARY["multiply"], mine, mine, given[1], sizes=both)
    p.emit(UNARY["normal_cdf"], cdf, given[1], sizes=(1, out.size))
    p.emit(BINARY["add"], mine, mine, cdf, sizes=both)
    p.emit(BINARY["multiply"], mine, mine, given[0], sizes=both)
