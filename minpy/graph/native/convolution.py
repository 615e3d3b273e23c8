"""Convolution and its gradients as kernels of oneDNN's.

Each function takes the program, the results, and the operation's arguments. Images stay in the
layout that the kernels like best. It must not know layers.
"""

from __future__ import annotations

from typing import Any

from minpy.graph.native.lowerings import lowers, lowers_on_onednn
from minpy.graph.native.program import Program
from minpy.graph.native.recording import Value
from minpy.graph.trace import Untraceable
from minpy.runtime import onednn
from minpy.runtime.onednn import Layout, Recipe

__all__ = [
    "convolution",
    "forward_recipe",
    "image_layout",
    "precision",
    "steps",
    "weight_gradient",
    "weight_shape",
]


def weight_shape(geometry: Any) -> tuple[int, ...]:
    """Return the shape that oneDNN knows the weights by: groups have an axis of their own."""
    shape = geometry.weight_shape
    if geometry.groups == 1:
        return shape
    return (geometry.groups, shape[0] // geometry.groups, *shape[1:])


def steps(geometry: Any) -> tuple[Any, ...]:
    """Return what recipes are told of strides, dilation and padding."""
    return (
        geometry.stride,
        tuple(d - 1 for d in geometry.dilation),
        tuple(before for before, _ in geometry.pads),
        tuple(after for _, after in geometry.pads),
    )


def precision(p: Program, n: int, geometry: Any) -> str:
    """Return what the convolution of so many images is computed in."""
    return p.precision(n * geometry.multiplications)


def forward_recipe(
    p: Program, n: int, geometry: Any, x: Layout, biased: bool, then: str | None = None
) -> Recipe:
    """Return the recipe of a convolution, in the layout that it likes best but for the images."""
    assert p.library is not None
    library = p.library
    return library.recipe(
        "convolution_forward",
        onednn.TRAINING,
        onednn.DIRECT,
        x,
        library.any(weight_shape(geometry), x.dtype),
        library.strided((geometry.filters,)) if biased else None,
        library.any((n, geometry.filters, *geometry.after)),
        *steps(geometry),
        after=then,
    )


def _input_shape(n: int, geometry: Any) -> tuple[int, ...]:
    return (n, geometry.channels, *geometry.size)


def image_layout(p: Program, x: Value, geometry: Any) -> Layout:
    """Return the layout in which a convolution is to read images: of few channels, as they lie."""
    assert p.library is not None
    dtype = precision(p, x.shape[0], geometry)
    if geometry.channels < 8 and x.layout is None and dtype == "float32":
        return p.library.strided(x.shape)
    return p.library.any(x.shape, dtype)


@lowers_on_onednn("convolution")
def convolution(
    p: Program, out: Value, x: Value, w: Value, b: Any, geometry: Any, then: str | None = None
) -> None:
    """Convolve."""
    assert p.library is not None
    biased, dtype = b is not None, precision(p, x.shape[0], geometry)
    recipe = forward_recipe(p, x.shape[0], geometry, image_layout(p, x, geometry), biased, then)
    given = {
        "src": (x, recipe.layout("src", x.shape, dtype)),
        "weights": (w, recipe.layout("weights", weight_shape(geometry), dtype)),
    }
    if biased:
        given["bias"] = (b, p.library.strided((geometry.filters,)))
    p.call(recipe, given, {"dst": (out, recipe.layout("dst", out.shape))})


@lowers_on_onednn("convolution_to_input")
def _to_input(p: Program, out: Value, y: Value, w: Value, geometry: Any) -> None:
    assert p.library is not None
    shape, dtype = _input_shape(y.shape[0], geometry), precision(p, y.shape[0], geometry)
    hint = forward_recipe(p, y.shape[0], geometry, p.library.any(shape, dtype), False)
    recipe = p.library.first_recipe(
        "convolution_backward_data",
        *[
            (
                onednn.DIRECT,
                p.library.any(shape),
                p.library.any(weight_shape(geometry), dtype),
                outer,
                *steps(geometry),
                hint,
            )
            for outer in (p.laid_as(y, y.shape, dtype), p.library.any(y.shape, dtype))
        ],
    )
    p.call(
        recipe,
        {
            "diff_dst": (y, recipe.layout("diff_dst", y.shape, dtype)),
            "weights": (w, recipe.layout("weights", weight_shape(geometry), dtype)),
        },
        {"diff_src": (out, recipe.layout("diff_src", shape))},
    )


@lowers_on_onednn("convolution_to_weights")
def _to_weights(p: Program, out: Value, x: Value, y: Value, geometry: Any) -> None:
    weight_gradient(p, out, None, x, y, geometry)


def weight_gradient(
    p: Program, dw: Value, db: Value | None, x: Value, y: Value, geometry: Any
) -> None:
    """Sum the gradients by the weights, and by the bias if they are wanted, over all images."""
    assert p.library is not None
    library = p.library
    row = library.strided((geometry.filters,))
    dtype, images = precision(p, x.shape[0], geometry), image_layout(p, x, geometry)
    if not images.plain:
        images = p.laid_as(x, x.shape, dtype)
    hint = forward_recipe(p, x.shape[0], geometry, library.any(x.shape, dtype), db is not None)
    weights, bias = library.any(weight_shape(geometry)), None if db is None else row
    anywhere = library.any(y.shape, dtype)
    recipe = library.first_recipe(
        "convolution_backward_weights",
        *[
            (onednn.DIRECT, inner, weights, bias, outer, *steps(geometry), hint)
            for inner, outer in (
                (images, p.laid_as(y, y.shape, dtype)),
                (images, anywhere),
                (library.any(x.shape, dtype), anywhere),
            )
        ],
    )
    made = {"diff_weights": (dw, recipe.layout("diff_weights", weight_shape(geometry)))}
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


@lowers_on_onednn("convolution_gradients")
def _gradients(p: Program, *args: Any) -> None:
    *made, y, x, w, geometry, with_input = args
    if with_input and made[0] in p.wanted:
        _to_input(p, made[0], y, w, geometry)
    dw, db = made[-2:]
    weight_gradient(p, dw, db if db in p.wanted else None, x, y, geometry)


@lowers("biased")
def _biased(p: Program, out: Value, x: Value, b: Value) -> None:
    # Few channels in rows are added to by NumPy: oneDNN has only its reference for them.
    if p.library is None:
        raise Untraceable("no oneDNN")
    given = p.lies(x)
    row = p.library.strided((1, x.shape[1], *(1,) * (len(x.shape) - 2)))
    recipe = p.library.recipe("binary", onednn.BINARY["add"], given, row, given)
    p.call(recipe, {"src": (x, given), "src1": (p.straight(b), row)}, {"dst": (out, given)})
