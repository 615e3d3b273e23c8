"""Pooling and its gradient as kernels of oneDNN's.

It must not know convolutions or layers.
"""

from __future__ import annotations

from typing import Any

from minpy.graph.native.lowerings import lowers_on_onednn
from minpy.graph.native.program import Program
from minpy.graph.native.recording import Value
from minpy.graph.trace import Untraceable
from minpy.runtime import onednn
from minpy.runtime.onednn import Layout, Recipe

__all__ = [
    "avg_pool",
    "is_learnt",
    "kind_of",
    "max_pool",
    "max_pool_to_input",
    "pooling_recipe",
    "windows_of",
]


def _pooled(p: Program, out: Value, x: Value, geometry: Any, kind: str, training: bool) -> None:
    assert p.library is not None
    given = p.lies(x)
    recipe = pooling_recipe(p, given, out.shape, geometry, kind, training)
    made: dict[str, Any] = {"dst": (out, recipe.layout("dst", out.shape))}
    if training and kind == "max":
        # Where each maximum was, for the gradient.
        where = recipe.layout("workspace", out.shape)
        memory = onednn.empty(where)
        made["workspace"] = (memory, where)
        p.remembered(("pooled", id(out)), lambda: (out, recipe, given, memory, where))
    p.call(recipe, {"src": (x, given)}, made)


def pooling_recipe(
    p: Program, x: Layout, after: tuple[int, ...], geometry: Any, kind: str, training: bool
) -> Recipe:
    """Return the recipe of a pooling, one that remembers the maxima for training."""
    assert p.library is not None
    return p.library.recipe(
        "pooling_forward",
        onednn.TRAINING if training else onednn.INFERENCE,
        onednn.POOLING[kind],
        x,
        p.library.any(after),
        *windows_of(geometry),
    )


def windows_of(geometry: Any) -> tuple[Any, ...]:
    """Return what recipes are told of strides, windows and padding."""
    return (
        geometry.stride,
        geometry.window,
        (0,) * len(geometry.window),
        tuple(before for before, _ in geometry.pads),
        tuple(after for _, after in geometry.pads),
    )


def kind_of(geometry: Any) -> str:
    """Return which mean an average pooling takes."""
    return "average" if geometry.count_padding else "average_inside"


@lowers_on_onednn("max_pool")
def max_pool(p: Program, out: Value, x: Value, geometry: Any) -> None:
    """Take the maximum of each window."""
    _pooled(p, out, x, geometry, "max", is_learnt(p, out))


def is_learnt(p: Program, out: Value) -> bool:
    """Say whether the program has the gradient of a maximum pooling."""
    where = {"max_pool_to_input": 2, "pooled_convolution_gradients": 1}
    return any(o.name in where and o.given[where[o.name]] is out for o in p.operations)


@lowers_on_onednn("max_pool_to_input")
def max_pool_to_input(p: Program, out: Value, g: Value, x: Value, y: Value, geometry: Any) -> None:
    """Give the gradient to where the maxima were."""
    assert p.library is not None

    def unknown() -> Any:
        raise Untraceable("the gradient of a maximum pooling that isn't in the program")

    _, forward, given, memory, where = p.remembered(("pooled", id(y)), unknown)
    recipe = p.library.recipe(
        "pooling_backward",
        onednn.POOLING["max"],
        given,
        forward.layout("dst", y.shape),
        *windows_of(geometry),
        forward,
    )
    p.call(
        recipe,
        {"diff_dst": (g, recipe.layout("diff_dst", g.shape)), "workspace": (memory, where)},
        {"diff_src": (out, recipe.layout("diff_src", x.shape))},
    )


@lowers_on_onednn("avg_pool")
def avg_pool(p: Program, out: Value, x: Value, geometry: Any) -> None:
    """Take the mean of each window."""
    _pooled(p, out, x, geometry, kind_of(geometry), False)


@lowers_on_onednn("avg_pool_to_input")
def _avg_pool_to_input(p: Program, out: Value, g: Value, geometry: Any) -> None:
    assert p.library is not None
    kind = kind_of(geometry)
    # Channels in blocks of 16 where that is how convolutions want them.
    in_blocks = out.shape[1] % 16 == 0
    given = (p.library.blocked if in_blocks else p.library.strided)(out.shape)
    forward = pooling_recipe(p, given, g.shape, geometry, kind, True)
    recipe = p.library.recipe(
        "pooling_backward",
        onednn.POOLING[kind],
        given,
        forward.layout("dst", g.shape),
        *windows_of(geometry),
        forward,
    )
    p.call(
        recipe,
        {"diff_dst": (g, recipe.layout("diff_dst", g.shape))},
        {"diff_src": (out, recipe.layout("diff_src", out.shape))},
    )
