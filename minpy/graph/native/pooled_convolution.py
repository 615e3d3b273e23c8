"""A convolution and the pooling behind it, some images at a time, there and back.

What lies between the two is the largest array of a small network; so it doesn't leave the caches.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from minpy.graph.native.convolution import (
    convolution,
    forward_recipe,
    image_layout,
    precision,
    steps,
    weight_gradient,
    weight_shape,
)
from minpy.graph.native.instructions import BINARY
from minpy.graph.native.lowerings import lowers_on_onednn
from minpy.graph.native.pooling import (
    avg_pool,
    is_learnt,
    kind_of,
    max_pool,
    max_pool_to_input,
    pooling_recipe,
    windows_of,
)
from minpy.graph.native.program import Program
from minpy.graph.native.recording import Value
from minpy.runtime import onednn
from minpy.runtime.onednn import Layout, OneDNN, Recipe

__all__: list[str] = []


# Bytes of what lies between the two at a time. Two cores of a Zen 5 with 512 images of 28×28, ms:
# at once 12.0 to predict and 31 to train; 6 MB at a time 10.1 and 29; 3 MB 9.3 and 29, 1.5 MB 9.4
# and 30. Each time there are two meetings of the threads more.
_NEAR = 3_000_000


@lowers_on_onednn("pooled_convolution")
def _pooled_convolution(
    p: Program,
    out: Value,
    x: Value,
    w: Value,
    b: Any,
    geometry: Any,
    pooling: str,
    pooled: tuple[tuple[int, ...], Any],
    then: str | None = None,
) -> None:
    """Convolve and pool, some images at a time where all are more than the caches take."""
    shape, windows = pooled
    given = (x, w, b, geometry)
    if not _pooled_in_blocks(p, out, given, pooling, shape, windows, then):
        between = Value(out.trace, shape, out.dtype)
        convolution(p, between, *given, then)
        (max_pool if pooling == "max_pool" else avg_pool)(p, out, between, windows)
        p.release(between)


def _block(p: Program, shape: tuple[int, ...], geometry: Any) -> int:
    """Return how many images to convolve at a time, 0 for all of them."""
    count = max(1, shape[0] * _NEAR // (4 * math.prod(shape)))
    precise = precision(p, shape[0], geometry) == "float32"
    return count if 2 * count <= shape[0] and precise else 0


def _pooled_in_blocks(
    p: Program,
    out: Value,
    given: tuple[Value, Value, Any, Any],
    pooling: str,
    shape: tuple[int, ...],
    windows: Any,
    then: str | None,
) -> bool:
    """Emit the kernels for some images after the others; say whether there are such."""
    assert p.library is not None
    library, (x, w, b, geometry), n = p.library, given, shape[0]
    at_once = _block(p, shape, geometry)
    if not at_once or out.memory is not None:
        return False
    learnt = pooling == "max_pool" and is_learnt(p, out)
    kind = "max" if pooling == "max_pool" else kind_of(windows)
    as_it_lies = image_layout(p, x, geometry).plain

    def kernels(count: int) -> _Pooled:
        before, after = (count, *x.shape[1:]), (count, *out.shape[1:])
        images = library.strided(before) if as_it_lies else library.any(before)
        first = forward_recipe(p, count, geometry, images, b is not None, then)
        between = first.layout("dst", (count, *shape[1:]))
        second = pooling_recipe(p, between, after, windows, kind, learnt)
        return _Pooled(
            first,
            second,
            first.layout("src", before),
            first.layout("weights", weight_shape(geometry)),
            between,
            second.layout("dst", after),
            second.layout("workspace", after) if learnt else None,
        )

    try:
        whole = kernels(n)
        parts = {count: kernels(count) for count in {at_once, n % at_once} if count}
    except onednn.Refused:
        return False
    if not all(_are_images_of(library, part, whole, count) for count, part in parts.items()):
        return False
    images, weights = p.laid(x, whole.images), p.laid(w, whole.weights)
    bias = None if b is None else p.straight(b)
    row = library.strided((geometry.filters,))
    made = p.place(out, whole.result)
    where = None if whole.where is None else onednn.empty(whole.where)
    if where is not None:
        remembered = (out, whole.second, whole.between, where, whole.where)
        p.remembered(("pooled", id(out)), lambda: remembered)
    near = p.temporary((parts[at_once].between.bytes // 4,))
    compiled = {
        count: (library.kernel(part.first), library.kernel(part.second))
        for count, part in parts.items()
    }
    for start in range(0, n, at_once):
        count = min(at_once, n - start)
        part, (first, second) = parts[count], compiled[count]
        arguments = {"src": (images, part.images), "weights": (weights, part.weights)}
        if bias is not None:
            arguments["bias"] = (bias, row)
        p.kernel(
            first,
            {**arguments, "dst": (near, part.between)},
            {"src": start * (whole.images.bytes // n)},
        )
        arguments = {"src": (near, part.between), "dst": (made, part.result)}
        starts = {"dst": start * (whole.result.bytes // n)}
        if where is not None and part.where is not None and whole.where is not None:
            arguments["workspace"] = (where, part.where)
            starts["workspace"] = start * (whole.where.bytes // n)
        p.kernel(second, arguments, starts)
    return True


class _Pooled(NamedTuple):
    """A convolution and the pooling behind it, for so many images."""

    first: Recipe
    second: Recipe
    images: Layout
    weights: Layout
    between: Layout
    result: Layout
    where: Layout | None


def _are_images_of(library: OneDNN, part: _Pooled, whole: _Pooled, count: int) -> bool:
    """Say whether arrays of all images are those of some, one after the other."""
    if not library.same(part.weights, whole.weights):
        return False
    pairs = [(part.images, whole.images), (part.between, whole.between)]
    pairs.append((part.result, whole.result))
    if not all(_is_one_after_the_other(library, few, all_) for few, all_ in pairs):
        return False
    if part.where is None or whole.where is None:
        return part.where is whole.where
    return part.where.bytes * whole.images.shape[0] == whole.where.bytes * count


def _is_one_after_the_other(library: OneDNN, few: Layout, all_: Layout) -> bool:
    plain = few.plain and all_.plain
    blocked = library.same(few, library.blocked(few.shape)) and library.same(
        all_, library.blocked(all_.shape)
    )
    return few.bytes * all_.shape[0] == all_.bytes * few.shape[0] and (plain or blocked)


@lowers_on_onednn("pooled_convolution_gradients")
def _pooled_gradients(
    p: Program,
    dw: Value,
    db: Value,
    g: Value,
    pooled: Value,
    x: Value,
    w: Value,
    geometry: Any,
    shape: tuple[int, ...],
    windows: Any,
) -> None:
    """Go back through a pooling and a convolution, some images at a time as in the way there."""
    bias = db if db in p.wanted else None
    if not _pooled_gradients_in_blocks(p, dw, bias, g, pooled, x, geometry, shape, windows):
        between = Value(dw.trace, shape, dw.dtype)
        max_pool_to_input(p, between, g, between, pooled, windows)
        weight_gradient(p, dw, bias, x, between, geometry)
        p.release(between)


def _pooled_gradients_in_blocks(
    p: Program,
    dw: Value,
    db: Value | None,
    g: Value,
    pooled: Value,
    x: Value,
    geometry: Any,
    shape: tuple[int, ...],
    windows: Any,
) -> bool:
    """Emit the kernels for some images after the others; say whether there are such."""
    assert p.library is not None
    library, n, at_once = p.library, shape[0], _block(p, shape, geometry)
    known = p.remembered(("pooled", id(pooled)), lambda: None)
    images = library.strided(x.shape) if image_layout(p, x, geometry).plain else None
    if images is None:
        images = p.laid_as(x, x.shape)
    if not at_once or known is None or not images.bytes:
        return False
    _, forward, all_between, where, all_where = known
    all_outer = forward.layout("dst", pooled.shape)
    row = library.strided((geometry.filters,))

    def kernels(count: int) -> _PooledGradients | None:
        before, middle = (count, *x.shape[1:]), (count, *shape[1:])
        after = (count, *pooled.shape[1:])
        few = library.strided(before) if images.plain else library.blocked(before)
        between = library.strided(middle) if all_between.plain else library.blocked(middle)
        if not _is_one_after_the_other(library, few, images) or not _is_one_after_the_other(
            library, between, all_between
        ):
            return None
        there = pooling_recipe(p, between, after, windows, "max", True)
        outer = there.layout("dst", after)
        positions = there.layout("workspace", after)
        if (
            not _is_one_after_the_other(library, outer, all_outer)
            or positions.bytes * n != all_where.bytes * count
        ):
            return None
        back = library.recipe(
            "pooling_backward", onednn.POOLING["max"], between, outer, *windows_of(windows), there
        )
        hint = forward_recipe(p, count, geometry, library.any(before), db is not None)
        weights = library.recipe(
            "convolution_backward_weights",
            onednn.DIRECT,
            few,
            library.any(weight_shape(geometry)),
            None if db is None else row,
            between,
            *steps(geometry),
            hint,
        )
        learnt = weights.layout("diff_weights", weight_shape(geometry))
        return _PooledGradients(back, weights, few, between, outer, positions, learnt)

    try:
        parts = {count: kernels(count) for count in {at_once, n % at_once} if count}
    except onednn.Refused:
        return False
    first = parts[at_once]
    if first is None or any(
        part is None or not library.same(part.learnt, first.learnt) for part in parts.values()
    ):
        return False
    given, outer = p.laid(x, images), p.laid(g, all_outer)
    near = p.temporary((first.between.bytes // 4,))
    floats = first.learnt.bytes // 4
    sums = {"diff_weights": (p.place(dw, first.learnt), first.learnt)}
    addends = {"diff_weights": (p.temporary((floats,)), first.learnt)}
    if db is not None:
        sums["diff_bias"] = (p.place(db, row), row)
        addends["diff_bias"] = (p.temporary((geometry.filters,)), row)
    compiled = {
        count: (library.kernel(part.back), library.kernel(part.weights))
        for count, part in parts.items()
        if part is not None
    }
    for start in range(0, n, at_once):
        count = min(at_once, n - start)
        part = parts[count]
        assert part is not None
        p.kernel(
            compiled[count][0],
            {
                "diff_dst": (outer, part.outer),
                "workspace": (where, part.where),
                "diff_src": (near, part.between),
            },
            {
                "diff_dst": start * (all_outer.bytes // n),
                "workspace": start * (all_where.bytes // n),
            },
        )
        made = addends if start else sums
        p.kernel(
            compiled[count][1],
            {"src": (given, part.images), "diff_dst": (near, part.between), **made},
            {"src": start * (images.bytes // n)},
        )
        if start:
            for name, (total, layout) in sums.items():
                size = (1, layout.bytes // 4, 3)
                p.emit(BINARY["add"], total, total, addends[name][0], sizes=size)
    for value, name in ((dw, "diff_weights"), (db, "diff_bias")):
        if value is not None and value.memory is not sums[name][0]:
            memory, layout = sums[name]
            p.reorder(layout, memory, p.lies(value, layout.shape), value.memory)
    return True


class _PooledGradients(NamedTuple):
    """The ways back through a pooling and to a convolution's weights, for so many images."""

    back: Recipe
    weights: Recipe
    images: Layout
    between: Layout
    outer: Layout
    where: Layout
    learnt: Layout
