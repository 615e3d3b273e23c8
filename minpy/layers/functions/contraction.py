"""Sums of products over named axes, by the matrix products that kernels are fast at.

An equation as einsum's is carried out in three steps: axes are put in order, the operands become
two matrices (or two stacks of them), and the product gets its axes back. It must not know layers.
"""

from __future__ import annotations

import math
import re
from typing import Any

import numpy

from minpy.array import ndarray
from minpy.autograd.rules import def_linear, defvjp
from minpy.errors import ShapeError
from minpy.layers.functions.affine import affine, product
from minpy.layers.functions.operands import refuse_unsupported
from minpy.numpy.broadcasting import broadcast_to
from minpy.numpy.shaping import reshape, transpose
from minpy.primitives import Primitive

__all__ = ["batch_product", "contract", "mean_of_rows", "parse_equation"]


# --- products of stacks of matrices ---------------------------------------------------------------


def _batch_product(
    x: numpy.ndarray, y: numpy.ndarray, transpose_x: bool, transpose_y: bool
) -> numpy.ndarray:
    return numpy.matmul(
        x.swapaxes(1, 2) if transpose_x else x, y.swapaxes(1, 2) if transpose_y else y
    )


def _mx_batch_product(F: Any, x: Any, y: Any, transpose_x: bool, transpose_y: bool) -> Any:
    refuse_unsupported(x, y)
    return F("batch_dot", x, y, transpose_a=transpose_x, transpose_b=transpose_y)


# batch_product(x, y, transpose_x, transpose_y): of stacks (n, rows, inner), (n, inner, columns).
batch_product = Primitive(
    "batch_product", _batch_product, arrays=2, mxnet=_mx_batch_product, faster_on_mxnet=False
)
defvjp(
    batch_product,
    lambda ans, x, y, tx, ty: (
        lambda g: batch_product(y, g, ty, True) if tx else batch_product(g, y, False, not ty)
    ),
    lambda ans, x, y, tx, ty: (
        lambda g: batch_product(g, x, True, tx) if ty else batch_product(x, g, not tx, False)
    ),
)
def_linear(batch_product, 0, 1)


# --- means over rows ------------------------------------------------------------------------------


def _mx_mean_of_rows(F: Any, x: Any) -> Any:
    # MXNet's mean takes 3.7 ms for 128 stacks of 64×128 on two Zen 5 cores, this product 0.2.
    refuse_unsupported(x)
    if not F.symbolic:
        return F("mean", x, axis=1)
    stacks, rows, _ = x.shape
    share = F.scratch(numpy.full((stacks, 1, rows), 1.0 / rows, x.dtype))
    return F("Reshape", F("batch_dot", share, x), shape=(stacks, -1))


# mean_of_rows(x): of a stack of matrices (n, rows, columns), one row each.
mean_of_rows = Primitive(
    "mean_of_rows", lambda x: x.mean(1), arrays=1, mxnet=_mx_mean_of_rows, faster_on_mxnet=False
)
defvjp(
    mean_of_rows,
    lambda ans, x: (
        lambda g: broadcast_to(reshape(g, (len(g), 1, g.shape[1])), x.shape) * (1.0 / x.shape[1])
    ),
)
def_linear(mean_of_rows)


# --- equations ------------------------------------------------------------------------------------

_FORMS = (
    re.compile(r"(?P<x>[a-zA-Z]+),(?P<y>[a-zA-Z]+)->(?P<out>[a-zA-Z]+)"),
    re.compile(r"\.\.\.(?P<x>[a-zA-Z]+),(?P<y>[a-zA-Z]+)->\.\.\.(?P<out>[a-zA-Z]+)"),
    re.compile(r"(?P<x>[a-zA-Z]{2,})\.\.\.,(?P<y>[a-zA-Z]+)->(?P<out>[a-zA-Z]+)\.\.\."),
)


def parse_equation(equation: str, ndim: int) -> tuple[str, str, str]:
    """Return the axes' letters of input, kernel and result; an ellipsis gets letters of its own.

    Parameters
    ----------
    equation
        ``'ab,bc->ac'``, ``'...ab,bc->...ac'`` or ``'ab...,bc->ac...'``.
    ndim
        How many axes the input has.

    Raises
    ------
    ValueError
        If it has another form, or a letter comes from nowhere.
    """
    text = equation.replace(" ", "") if isinstance(equation, str) else ""
    for form in _FORMS:
        found = form.fullmatch(text)
        if found:
            break
    else:
        raise ValueError(
            f"expected an equation of the form 'ab,bc->ac', '...ab,bc->...ac' or 'ab...,bc->ac...',"
            f" got {equation!r}"
        )
    x, y, out = found["x"], found["y"], found["out"]
    for letters in (x, y, out):
        if len(set(letters)) != len(letters):
            raise ValueError(f"equation {equation!r}: a letter occurs twice in {letters!r}")
    unknown = sorted(set(out) - set(x) - set(y))
    if unknown:
        raise ValueError(f"equation {equation!r}: {unknown[0]!r} is neither in {x!r} nor in {y!r}")
    more = ndim - len(x)
    if more < 0 or (more and form is _FORMS[0]):
        raise ShapeError(f"equation {equation!r}: expected an input with {len(x)} axes, got {ndim}")
    free = [c for c in "zyxwvutsrqponmlkjihgfedcbaZYXWVUTSRQPONMLKJIHGFEDCBA" if c not in x + y]
    hidden = "".join(free[:more])
    if form is _FORMS[2]:
        return x + hidden, y, out + hidden
    return hidden + x, y, hidden + out


def contract(x: ndarray, y: ndarray, letters: tuple[str, str, str], bias: Any = None) -> ndarray:
    """Return the sum of products that letters for the axes of `x`, `y` and the result describe.

    Parameters
    ----------
    x, y
        Arrays of one dtype.
    letters
        As from `parse_equation`. What is in one operand only, and not in the result, is summed.
    bias
        Added: one number a combination of the axes that `y` alone brings in, in their order in `y`;
        only where `x` and `y` share no letter with the result.
    """
    of_x, of_y, of_out = letters
    for letter in [c for c in of_x if c not in of_y and c not in of_out]:
        x = x.sum(of_x.index(letter))
        of_x = of_x.replace(letter, "")
    for letter in [c for c in of_y if c not in of_x and c not in of_out]:
        y = y.sum(of_y.index(letter))
        of_y = of_y.replace(letter, "")
    lengths = dict(zip(of_x + of_y, x.shape + y.shape, strict=True))
    shared = "".join(c for c in of_x if c in of_y and c in of_out)
    inner = "".join(c for c in of_x if c in of_y and c not in of_out)
    rows = "".join(c for c in of_x if c not in of_y)
    columns = "".join(c for c in of_y if c not in of_x)

    def count(some: str) -> int:
        return math.prod(lengths[c] for c in some)

    def ordered(a: Any, of_a: str, wanted: str) -> Any:
        return a if of_a == wanted else transpose(a, tuple(of_a.index(c) for c in wanted))

    if shared:
        turned_x = of_x == shared + inner + rows
        turned_y = of_y == shared + columns + inner
        x = ordered(x, of_x, of_x if turned_x else shared + rows + inner)
        y = ordered(y, of_y, of_y if turned_y else shared + inner + columns)
        n, r, i, c = count(shared), count(rows), count(inner), count(columns)
        out = batch_product(
            reshape(x, (n, i, r) if turned_x else (n, r, i)),
            reshape(y, (n, c, i) if turned_y else (n, i, c)),
            turned_x,
            turned_y,
        )
    else:
        x = reshape(ordered(x, of_x, rows + inner), (count(rows), count(inner)))
        turned_y = of_y == columns + inner != inner + columns
        if turned_y and bias is None:
            y = reshape(y, (count(columns), count(inner)))
            out = product(x, y, False, True)
        else:
            y = reshape(ordered(y, of_y, inner + columns), (count(inner), count(columns)))
            out = affine(x, y, None if bias is None else reshape(bias, (count(columns),)))
    found = shared + rows + columns
    out = reshape(out, tuple(lengths[c] for c in found))
    return ordered(out, found, of_out)
