"""Batch normalization and its gradients as kernels of oneDNN's.

It must not know layers.
"""

from __future__ import annotations

from typing import Any

from minpy.graph.native.lowerings import lowers_on_onednn
from minpy.graph.native.program import Program
from minpy.graph.native.recording import Value
from minpy.graph.trace import Untraceable
from minpy.runtime import onednn
from minpy.runtime.onednn import Layout, Recipe

__all__: list[str] = []


_SCALED = onednn.NORMALIZATION["scale"] | onednn.NORMALIZATION["shift"]


def _by_channel(p: Program, x: Value, axis: int) -> Layout:
    """Return the layout in which channels are the second axis."""
    assert p.library is not None
    ndim = len(x.shape)
    if axis == 1:
        layout = p.lies(x)
        try:
            _normalization(p, onednn.TRAINING, layout, 1e-5, None)
        except onednn.Refused:  # blocks of eight channels, as convolutions in groups give
            return p.library.strided(x.shape)
        return layout
    if axis == ndim - 1 and x.layout is None and not x.turned:
        return p.library.strided((x.size // x.shape[-1], x.shape[-1]))
    raise Untraceable("batch normalization of an axis in the middle has no instruction")


def _normalization(
    p: Program, kind: int, layout: Layout, eps: float, then: str | None, flags: int = 0
) -> Recipe:
    assert p.library is not None
    flags |= _SCALED | (onednn.NORMALIZATION["relu"] if then == "relu" else 0)
    return p.library.recipe("batch_normalization_forward", kind, layout, layout, float(eps), flags)


@lowers_on_onednn("batch_norm")
def _batch_norm(
    p: Program,
    out: Value,
    mean: Value,
    var: Value,
    x: Value,
    gamma: Any,
    beta: Any,
    eps: float,
    axis: int,
    then: str | None = None,
) -> None:
    assert p.library is not None
    layout, row = _by_channel(p, x, axis), p.library.strided(mean.shape)
    recipe = _normalization(p, onednn.TRAINING, layout, eps, then)
    made: dict[str, Any] = {"dst": (out, layout), "mean": (mean, row), "variance": (var, row)}
    if then == "relu":
        # Which elements it let through, for the gradient.
        where = recipe.layout("workspace", layout.shape)
        memory = onednn.empty(where)
        made["workspace"] = (memory, where)
        p.remembered(("normal", x, gamma), lambda: (memory, where))
    given = {
        "src": (x, layout),
        "scale": (p.straight(gamma), row),
        "shift": (p.straight(beta), row),
    }
    p.call(recipe, given, made)


@lowers_on_onednn("batch_norm_gradients")
def _batch_norm_gradients(
    p: Program,
    dx: Value,
    dgamma: Value,
    dbeta: Value,
    g: Value,
    x: Value,
    gamma: Any,
    mean: Value,
    var: Value,
    eps: float,
    axis: int,
    then: str | None = None,
) -> None:
    assert p.library is not None
    layout, row = _by_channel(p, x, axis), p.library.strided(mean.shape)
    forward = _normalization(p, onednn.TRAINING, layout, eps, then)
    flags = _SCALED | (onednn.NORMALIZATION["relu"] if then == "relu" else 0)
    recipe = p.library.recipe(
        "batch_normalization_backward",
        onednn.BACKWARD,
        layout,
        layout,
        layout,
        float(eps),
        flags,
        forward,
    )
    given: dict[str, Any] = {
        "src": (x, layout),
        "diff_dst": (g, layout),
        "mean": (mean, row),
        "variance": (var, row),
        "scale": (p.straight(gamma), row),
    }
    if then == "relu":
        given["workspace"] = p.remembered(("normal", x, gamma), dict)
    made = {"diff_src": (dx, layout), "diff_scale": (dgamma, row), "diff_shift": (dbeta, row)}
    p.call(recipe, given, made)


@lowers_on_onednn("normalize")
def _normalize(
    p: Program,
    out: Value,
    x: Value,
    gamma: Any,
    beta: Any,
    mean: Any,
    var: Any,
    eps: float,
    axis: int,
    then: str | None = None,
) -> None:
    assert p.library is not None
    layout, row = _by_channel(p, x, axis), p.library.strided((x.shape[axis],))
    recipe = _normalization(p, onednn.INFERENCE, layout, eps, then, onednn.NORMALIZATION["global"])
    given: dict[str, Any] = {"src": (x, layout)}
    for name, value in {"scale": gamma, "shift": beta, "mean": mean, "variance": var}.items():
        given[name] = (p.straight(value), row)
    p.call(recipe, given, {"dst": (out, layout)})
