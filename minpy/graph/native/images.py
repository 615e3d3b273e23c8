"""Convolution, pooling and batch normalization as kernels of oneDNN's.

Each function takes the program, the results, and the operation's arguments. Images stay in the
layout that the convolutions like best. It must not know layers.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

from minpy.graph.native.instructions import BINARY
from minpy.graph.native.lowerings import lowers
from minpy.graph.native.program import Program
from minpy.graph.native.recording import ON_ONEDNN, Value
from minpy.graph.trace import Untraceable
from minpy.runtime import onednn
from minpy.runtime.onednn import Layout, OneDNN, Recipe

__all__: list[str] = []


def _lowers(*names: str) -> Callable[[Callable], Callable]:
    ON_ONEDNN.update(names)
    return lowers(*names)


# --- convolution ----------------------------------------------------------------------------------


def _weight_shape(geometry: Any) -> tuple[int, ...]:
    shape = geometry.weight_shape
    if geometry.groups == 1:
        return shape
    return (geometry.groups, shape[0] // geometry.groups, *shape[1:])


def _steps(geometry: Any) -> tuple[Any, ...]:
    """Return what recipes are told of strides, dilation and padding."""
    return (
        geometry.stride,
        tuple(d - 1 for d in geometry.dilation),
        tuple(before for before, _ in geometry.pads),
        tuple(after for _, after in geometry.pads),
    )


def _precision(p: Program, n: int, geometry: Any) -> str:
    return p.precision(n * geometry.multiplications)


def _forward_recipe(
    p: Program, n: int, geometry: Any, x: Layout, biased: bool, then: str | None = None
) -> Recipe:
    assert p.library is not None
    library = p.library
    return library.recipe(
        "convolution_forward",
        onednn.TRAINING,
        onednn.DIRECT,
        x,
        library.any(_weight_shape(geometry), x.dtype),
        library.strided((geometry.filters,)) if biased else None,
        library.any((n, geometry.filters, *geometry.after)),
        *_steps(geometry),
        after=then,
    )


def _input_shape(n: int, geometry: Any) -> tuple[int, ...]:
    return (n, geometry.channels, *geometry.size)


def _image_layout(p: Program, x: Value, geometry: Any) -> Layout:
    """Return the layout in which a convolution is to read images: of few channels, as they lie."""
    assert p.library is not None
    dtype = _precision(p, x.shape[0], geometry)
    if geometry.channels < 8 and x.layout is None and dtype == "float32":
        return p.library.strided(x.shape)
    return p.library.any(x.shape, dtype)


@_lowers("convolution")
def _convolution(
    p: Program, out: Value, x: Value, w: Value, b: Any, geometry: Any, then: str | None = None
) -> None:
    assert p.library is not None
    biased, dtype = b is not None, _precision(p, x.shape[0], geometry)
    recipe = _forward_recipe(p, x.shape[0], geometry, _image_layout(p, x, geometry), biased, then)
    given = {
        "src": (x, recipe.layout("src", x.shape, dtype)),
        "weights": (w, recipe.layout("weights", _weight_shape(geometry), dtype)),
    }
    if biased:
        given["bias"] = (b, p.library.strided((geometry.filters,)))
    p.call(recipe, given, {"dst": (out, recipe.layout("dst", out.shape))})


@_lowers("convolution_to_input")
def _to_input(p: Program, out: Value, y: Value, w: Value, geometry: Any) -> None:
    assert p.library is not None
    shape, dtype = _input_shape(y.shape[0], geometry), _precision(p, y.shape[0], geometry)
    hint = _forward_recipe(p, y.shape[0], geometry, p.library.any(shape, dtype), False)
    recipe = p.library.recipe(
        "convolution_backward_data",
        onednn.DIRECT,
        p.library.any(shape),
        p.library.any(_weight_shape(geometry), dtype),
        p.laid_as(y, y.shape, dtype),
        *_steps(geometry),
        hint,
    )
    p.call(
        recipe,
        {
            "diff_dst": (y, recipe.layout("diff_dst", y.shape, dtype)),
            "weights": (w, recipe.layout("weights", _weight_shape(geometry), dtype)),
        },
        {"diff_src": (out, recipe.layout("diff_src", shape))},
    )


@_lowers("convolution_to_weights")
def _to_weights(p: Program, out: Value, x: Value, y: Value, geometry: Any) -> None:
    _weight_gradient(p, out, None, x, y, geometry)


def _weight_gradient(
    p: Program, dw: Value, db: Value | None, x: Value, y: Value, geometry: Any
) -> None:
    assert p.library is not None
    library = p.library
    row = library.strided((geometry.filters,))
    dtype, images = _precision(p, x.shape[0], geometry), _image_layout(p, x, geometry)
    if not images.plain:
        images = p.laid_as(x, x.shape, dtype)
    hint = _forward_recipe(p, x.shape[0], geometry, library.any(x.shape, dtype), db is not None)
    weights, bias = library.any(_weight_shape(geometry)), None if db is None else row
    anywhere = library.any(y.shape, dtype)
    recipe = library.first_recipe(
        "convolution_backward_weights",
        *[
            (onednn.DIRECT, inner, weights, bias, outer, *_steps(geometry), hint)
            for inner, outer in (
                (images, p.laid_as(y, y.shape, dtype)),
                (images, anywhere),
                (library.any(x.shape, dtype), anywhere),
            )
        ],
    )
    made = {"diff_weights": (dw, recipe.layout("diff_weights", _weight_shape(geometry)))}
    if db is not None:
        made["diff_bias"] = (db, row)
    p.call(
        recipe,
        {
            "src": (x, recipe.layout("src", x.shape, dtype)),
            "diff_dst": (y, recipe.layout("diff_dst", y.shape, dtype)),
        },
        made,
    )


@_lowers("convolution_gradients")
def _gradients(p: Program, *args: Any) -> None:
    *made, y, x, w, geometry, with_input = args
    if with_input and made[0] in p.wanted:
        _to_input(p, made[0], y, w, geometry)
    dw, db = made[-2:]
    _weight_gradient(p, dw, db if db in p.wanted else None, x, y, geometry)


@lowers("biased")
def _biased(p: Program, out: Value, x: Value, b: Value) -> None:
    # Few channels in rows are added to by NumPy: oneDNN has only its reference for them.
    if p.library is None:
        raise Untraceable("no oneDNN")
    given = p.lies(x)
    row = p.library.strided((1, x.shape[1], *(1,) * (len(x.shape) - 2)))
    recipe = p.library.recipe("binary", onednn.BINARY["add"], given, row, given)
    p.call(recipe, {"src": (x, given), "src1": (p.straight(b), row)}, {"dst": (out, given)})


# --- pooling --------------------------------------------------------------------------------------


def _pooled(p: Program, out: Value, x: Value, geometry: Any, kind: str, training: bool) -> None:
    assert p.library is not None
    given = p.lies(x)
    recipe = _pooling_recipe(p, given, out.shape, geometry, kind, training)
    made: dict[str, Any] = {"dst": (out, recipe.layout("dst", out.shape))}
    if training and kind == "max":
        # Where each maximum was, for the gradient.
        where = recipe.layout("workspace", out.shape)
        memory = onednn.empty(where)
        made["workspace"] = (memory, where)
        p.remembered(("pooled", id(out)), lambda: (out, recipe, given, memory, where))
    p.call(recipe, {"src": (x, given)}, made)


def _pooling_recipe(
    p: Program, x: Layout, after: tuple[int, ...], geometry: Any, kind: str, training: bool
) -> Recipe:
    assert p.library is not None
    return p.library.recipe(
        "pooling_forward",
        onednn.TRAINING if training else onednn.INFERENCE,
        onednn.POOLING[kind],
        x,
        p.library.any(after),
        *_windows(geometry),
    )


def _windows(geometry: Any) -> tuple[Any, ...]:
    return (
        geometry.stride,
        geometry.window,
        (0,) * len(geometry.window),
        tuple(before for before, _ in geometry.pads),
        tuple(after for _, after in geometry.pads),
    )


def _kind(geometry: Any) -> str:
    return "average" if geometry.count_padding else "average_inside"


@_lowers("max_pool")
def _max_pool(p: Program, out: Value, x: Value, geometry: Any) -> None:
    _pooled(p, out, x, geometry, "max", _is_learnt(p, out))


def _is_learnt(p: Program, out: Value) -> bool:
    """Say whether the program has the gradient of a maximum pooling."""
    where = {"max_pool_to_input": 2, "pooled_convolution_gradients": 1}
    return any(o.name in where and o.given[where[o.name]] is out for o in p.operations)


@_lowers("max_pool_to_input")
def _max_pool_to_input(p: Program, out: Value, g: Value, x: Value, y: Value, geometry: Any) -> None:
    assert p.library is not None

    def unknown() -> Any:
        raise Untraceable("the gradient of a maximum pooling that isn't in the program")

    _, forward, given, memory, where = p.remembered(("pooled", id(y)), unknown)
    recipe = p.library.recipe(
        "pooling_backward",
        onednn.POOLING["max"],
        given,
        forward.layout("dst", y.shape),
        *_windows(geometry),
        forward,
    )
    p.call(
        recipe,
        {"diff_dst": (g, recipe.layout("diff_dst", g.shape)), "workspace": (memory, where)},
        {"diff_src": (out, recipe.layout("diff_src", x.shape))},
    )


@_lowers("avg_pool")
def _avg_pool(p: Program, out: Value, x: Value, geometry: Any) -> None:
    _pooled(p, out, x, geometry, _kind(geometry), False)


@_lowers("avg_pool_to_input")
def _avg_pool_to_input(p: Program, out: Value, g: Value, geometry: Any) -> None:
    assert p.library is not None
    kind, given = _kind(geometry), p.library.any(out.shape)
    # Channels in blocks of 16 where that is how convolutions want them.
    if g.layout is None and out.shape[1] % 16 == 0:
        given = p.library.blocked(out.shape)
    forward = _pooling_recipe(p, given, g.shape, geometry, kind, True)
    recipe = p.library.recipe(
        "pooling_backward",
        onednn.POOLING[kind],
        given,
        forward.layout("dst", g.shape),
        *_windows(geometry),
        forward,
    )
    p.call(
        recipe,
        {"diff_dst": (g, recipe.layout("diff_dst", g.shape))},
        {"diff_src": (out, recipe.layout("diff_src", out.shape))},
    )


# --- convolution and pooling ----------------------------------------------------------------------

# Bytes of what lies between the two at a time. Two cores of a Zen 5 with 512 images of 28×28, ms:
# at once 12.0 to predict and 31 to train; 6 MB at a time 10.1 and 29; 3 MB 9.3 and 29, 1.5 MB 9.4
# and 30. Each time there are two meetings of the threads more.
_NEAR = 3_000_000


@_lowers("pooled_convolution")
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
        _convolution(p, between, *given, then)
        (_max_pool if pooling == "max_pool" else _avg_pool)(p, out, between, windows)
        p.release(between)


def _block(p: Program, shape: tuple[int, ...], geometry: Any) -> int:
    """Return how many images to convolve at a time, 0 for all of them."""
    count = max(1, shape[0] * _NEAR // (4 * math.prod(shape)))
    precise = _precision(p, shape[0], geometry) == "float32"
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
    learnt = pooling == "max_pool" and _is_learnt(p, out)
    kind = "max" if pooling == "max_pool" else _kind(windows)
    as_it_lies = _image_layout(p, x, geometry).plain

    def kernels(count: int) -> _Pooled:
        before, after = (count, *x.shape[1:]), (count, *out.shape[1:])
        images = library.strided(before) if as_it_lies else library.any(before)
        first = _forward_recipe(p, count, geometry, images, b is not None, then)
        between = first.layout("dst", (count, *shape[1:]))
        second = _pooling_recipe(p, between, after, windows, kind, learnt)
        return _Pooled(
            first,
            second,
            first.layout("src", before),
            first.layout("weights", _weight_shape(geometry)),
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


@_lowers("pooled_convolution_gradients")
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
        _max_pool_to_input(p, between, g, between, pooled, windows)
        _weight_gradient(p, dw, bias, x, between, geometry)
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
    images = library.strided(x.shape) if _image_layout(p, x, geometry).plain else None
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
        there = _pooling_recipe(p, between, after, windows, "max", True)
        outer = there.layout("dst", after)
        positions = there.layout("workspace", after)
        if (
            not _is_one_after_the_other(library, outer, all_outer)
            or positions.bytes * n != all_where.bytes * count
        ):
            return None
        back = library.recipe(
            "pooling_backward", onednn.POOLING["max"], between, outer, *_windows(windows), there
        )
        hint = _forward_recipe(p, count, geometry, library.any(before), db is not None)
        weights = library.recipe(
            "convolution_backward_weights",
            onednn.DIRECT,
            few,
            library.any(_weight_shape(geometry)),
            None if db is None else row,
            between,
            *_steps(geometry),
            hint,
        )
        learnt = weights.layout("diff_weights", _weight_shape(geometry))
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


# --- batch normalization --------------------------------------------------------------------------

_SCALED = onednn.NORMALIZATION["scale"] | onednn.NORMALIZATION["shift"]


def _by_channel(p: Program, x: Value, axis: int) -> Layout:
    """Return the layout in which channels are the second axis."""
    assert p.library is not None
    ndim = len(x.shape)
    if axis == 1:
        return p.lies(x)
    if axis == ndim - 1 and x.layout is None and not x.turned:
        return p.library.strided((x.size // x.shape[-1], x.shape[-1]))
    raise Untraceable("batch normalization of an axis in the middle has no instruction")


def _normalization(
    p: Program, kind: int, layout: Layout, eps: float, then: str | None, flags: int = 0
) -> Recipe:
    assert p.library is not None
    flags |= _SCALED | (onednn.NORMALIZATION["relu"] if then == "relu" else 0)
    return p.library.recipe("batch_normalization_forward", kind, layout, layout, float(eps), flags)


@_lowers("batch_norm")
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


@_lowers("batch_norm_gradients")
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


@_lowers("normalize")
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
