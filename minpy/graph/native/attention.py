"""Layer normalization and attention over several heads as kernels of oneDNN's.

Each function takes the program, the results, and the operation's arguments. It must not know
layers.
"""

from __future__ import annotations

from typing import Any

import numpy

from minpy.graph.native.lowerings import lowers
from minpy.graph.native.program import Program
from minpy.graph.native.recording import Value
from minpy.graph.trace import Untraceable
from minpy.runtime import onednn
from minpy.runtime.onednn import Layout

__all__: list[str] = []

_SCALED = onednn.NORMALIZATION["scale"] | onednn.NORMALIZATION["shift"]


# --- layer normalization --------------------------------------------------------------------------


def _rows(p: Program, x: Value) -> tuple[Layout, Layout, Layout]:
    """Return the layouts of rows, of a number a row, and of a number a column."""
    assert p.library is not None
    columns = x.shape[-1]
    rows = x.size // columns
    make = p.library.strided
    return make((rows, columns)), make((rows,)), make((columns,))


@lowers("row_norm")
def _row_norm(
    p: Program, out: Value, x: Value, gamma: Any, beta: Any, eps: float, centred: bool
) -> None:
    if p.library is None or not centred:
        raise Untraceable("rows are divided by their root mean square on the host")
    layout, number, column = _rows(p, x)
    recipe = p.library.recipe(
        "layer_normalization_forward",
        onednn.TRAINING,
        layout,
        layout,
        number,
        float(eps),
        _SCALED,
    )
    mean, variance = (onednn.empty(number).view(numpy.float32) for _ in range(2))
    given = p.straight(x), p.straight(gamma), p.straight(beta)
    p.call(
        recipe,
        {"src": (given[0], layout), "scale": (given[1], column), "shift": (given[2], column)},
        {"dst": (p.memory(out), layout), "mean": (mean, number), "variance": (variance, number)},
    )
    p.remembered(("rows", x, eps), lambda: (recipe, mean, variance))


@lowers("row_norm_gradients")
def _row_norm_gradients(
    p: Program,
    dx: Value,
    dgamma: Value,
    dbeta: Value,
    g: Value,
    x: Value,
    gamma: Any,
    eps: float,
    centred: bool,
) -> None:
    def unknown() -> Any:
        raise Untraceable("the gradient of rows that weren't normalised in the program")

    if p.library is None or not centred:
        unknown()
    assert p.library is not None
    forward, mean, variance = p.remembered(("rows", x, eps), unknown)
    layout, number, column = _rows(p, x)
    recipe = p.library.recipe(
        "layer_normalization_backward",
        onednn.BACKWARD,
        layout,
        layout,
        layout,
        number,
        float(eps),
        _SCALED,
        forward,
    )
    p.call(
        recipe,
        {
            "src": (p.straight(x), layout),
            "diff_dst": (p.straight(g), layout),
            "mean": (mean, number),
            "variance": (variance, number),
            "scale": (p.straight(gamma), column),
            "shift": (p.straight(gamma), column),  # asked for, and not read
        },
        {
            "diff_src": (p.memory(dx), layout),
            "diff_scale": (p.memory(dgamma), column),
            "diff_shift": (p.memory(dbeta), column),
        },
    )


# --- attention ------------------------------------------------------------------------------------


def _heads(p: Program, value: Value, turned: bool = False) -> Layout:
    """Return the layout in which (batch, length, heads, depth) are matrices, one a head."""
    assert p.library is not None
    batch, length, heads, depth = value.shape
    by_length, by_depth = heads * depth, 1
    if turned:
        shape = (batch, heads, depth, length)
        strides = (length * heads * depth, depth, by_depth, by_length)
    else:
        shape = (batch, heads, length, depth)
        strides = (length * heads * depth, depth, by_length, by_depth)
    return p.library.strided(shape, strides)


def _turned(p: Program, value: Value) -> Layout:
    """Return the layout in which the matrices of (batch, heads, m, n) are their transposes."""
    assert p.library is not None
    batch, heads, m, n = value.shape
    return p.library.strided((batch, heads, n, m), (heads * m * n, m * n, 1, n))


def _product(
    p: Program,
    out: tuple[numpy.ndarray, Layout],
    a: tuple[numpy.ndarray, Layout],
    b: tuple[numpy.ndarray, Layout],
    factor: float = 1.0,
) -> None:
    assert p.library is not None
    after = None if factor == 1.0 else ("linear", factor)
    recipe = p.library.recipe("matmul", a[1], b[1], None, out[1], after=after)
    p.call(recipe, {"src": a, "weights": b}, {"dst": out})


@lowers("heads_attention")
def _attention(
    p: Program, out: Value, weights: Value, q: Value, k: Value, v: Value, mask: Any, factor: float
) -> None:
    if p.library is None or not p.shared:
        raise Untraceable("a little attention is paid on the host")
    hidden = None
    if mask is not None:
        if not isinstance(mask, Value) or mask.constant is None or mask.constant.ndim != 4:
            raise Untraceable("attention with a mask that is computed is paid on the host")
        if not mask.constant.any(-1).all():
            raise Untraceable("attention to nothing is paid on the host")
        hidden = numpy.where(mask.constant != 0, 0, -3e38).astype(numpy.float32)
    scores = p.library.strided(weights.shape)
    memory = p.memory(weights)
    _product(
        p,
        (memory, scores),
        (p.straight(q), _heads(p, q)),
        (p.straight(k), _heads(p, k, turned=True)),
        factor,
    )
    if hidden is not None:
        row = p.library.strided(hidden.shape)
        recipe = p.library.recipe("binary", onednn.BINARY["add"], scores, row, scores)
        given = {"src": (memory, scores), "src1": (p.straight(hidden), row)}
        p.call(recipe, given, {"dst": (memory, scores)})
    recipe = p.library.recipe("softmax_forward", onednn.TRAINING, onednn.SOFTMAX, scores, scores, 3)
    p.call(recipe, {"src": (memory, scores)}, {"dst": (memory, scores)})
    _product(p, (p.memory(out), _heads(p, out)), (memory, scores), (p.straight(v), _heads(p, v)))


@lowers("heads_attention_gradients")
def _attention_gradients(
    p: Program,
    dq: Value,
    dk: Value,
    dv: Value,
    g: Value,
    q: Value,
    k: Value,
    v: Value,
    weights: Value,
    factor: float,
) -> None:
    if p.library is None or not p.shared:
        raise Untraceable("a little attention is paid on the host")
    scores = p.library.strided(weights.shape)
    used, outer = p.straight(weights), (p.straight(g), _heads(p, g))
    _product(p, (p.memory(dv), _heads(p, dv)), (used, _turned(p, weights)), outer)
    back = p.temporary(weights.shape)
    _product(p, (back, scores), outer, (p.straight(v), _heads(p, v, turned=True)))
    hint = p.library.recipe("softmax_forward", onednn.TRAINING, onednn.SOFTMAX, scores, scores, 3)
    recipe = p.library.recipe("softmax_backward", onednn.SOFTMAX, scores, scores, scores, 3, hint)
    given = {"dst": (used, scores), "diff_dst": (back, scores)}
    p.call(recipe, given, {"diff_src": (back, scores)})
    keys, queries = (p.straight(k), _heads(p, k)), (p.straight(q), _heads(p, q))
    _product(p, (p.memory(dq), _heads(p, dq)), (back, scores), keys, factor)
    _product(p, (p.memory(dk), _heads(p, dk)), (back, _turned(p, weights)), queries, factor)
