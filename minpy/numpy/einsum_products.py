"""Einstein sums as products of matrices, where the loops for them are slow: MXNet's and NumPy's.

An operand is its node, its letters and its shape: inside a graph a node doesn't know its shape.
It must not know any derivative, nor who multiplies the matrices.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy

from minpy import runtime
from minpy.numpy.mxnet_gather import rearranging

__all__ = ["Algebra", "einsum", "on_mxnet"]


class Algebra(NamedTuple):
    """What sums are made of.

    Attributes
    ----------
    sum
        ``sum(x, axes)``, without these axes then.
    transpose
        ``transpose(x, axes)``: the axes in another order.
    reshape
        ``reshape(x, shape)``: other axes for the same elements.
    multiply
        ``multiply(x, y)``, element by element, axes of length one repeated.
    product
        ``product(x, y, rows)``: a matrix by the transpose of one with so many rows.
    stacks
        ``stacks(x, y)``: each matrix of a stack by the transpose of its partner in another.
    rearranged
        ``rearranged(x, places)``: elements, picked as a function does in an array of their places.
    """

    sum: Callable[[Any, tuple[int, ...]], Any]
    transpose: Callable[[Any, tuple[int, ...]], Any]
    reshape: Callable[[Any, tuple[int, ...]], Any]
    multiply: Callable[[Any, Any], Any]
    product: Callable[[Any, Any, int], Any]
    stacks: Callable[[Any, Any], Any]
    rearranged: Callable[[Any, Callable[[numpy.ndarray], numpy.ndarray]], Any]


def on_mxnet(F: Any, single: bool) -> Algebra:
    """Return the algebra of MXNet's operators, on its arrays and inside a graph.

    Parameters
    ----------
    F
        Runs an operator by its name.
    single
        Whether the operands are float32, which oneDNN multiplies.
    """

    def product(x: Any, y: Any, rows: int) -> Any:
        if not single:
            return F("dot", x, y, transpose_b=True)
        return F("FullyConnected", x, y, num_hidden=rows, no_bias=True, flatten=False)

    return Algebra(
        sum=lambda x, axes: F("_np_sum", x, axis=axes, keepdims=False),
        transpose=lambda x, axes: F("_np_transpose", x, axes=axes),
        reshape=lambda x, shape: F("_np_reshape", x, newshape=shape),
        multiply=lambda x, y: F("_npi_multiply", x, y),
        product=product,
        stacks=lambda x, y: F("batch_dot", x, y, transpose_b=True),
        rearranged=lambda x, places: rearranging(places)(F, x),
    )


class _Operand(NamedTuple):
    node: Any
    letters: str
    shape: tuple[int, ...]


def einsum(by: Algebra, subscripts: str, operands: Any) -> Any:
    """Return the sum of products that subscripts describe.

    Parameters
    ----------
    by
        Who computes it.
    subscripts
        Written out: no ellipsis, with an output.
    operands
        Arrays of floats of one dtype.

    Raises
    ------
    Unsupported
        If NumPy would repeat an axis of length one, or raise an error.
    """
    given, _, output = subscripts.partition("->")
    terms = given.split(",")
    sizes: dict[str, int] = {}
    for x, term in zip(operands, terms, strict=True):
        if len(x.shape) != len(term) or 0 in x.shape:
            raise runtime.Unsupported("left to NumPy")
        for letter, length in zip(term, x.shape, strict=True):
            if sizes.setdefault(letter, length) != length:
                raise runtime.Unsupported("products of matrices broadcast no axis of length 1")
    if len(set(output)) != len(output) or not set(output) <= set(sizes):
        raise runtime.Unsupported("left to NumPy, which raises the right error")
    parts = [
        _distinct(by, _Operand(x, term, tuple(x.shape)))
        for x, term in zip(operands, terms, strict=True)
    ]
    for pair in _order(subscripts, parts, sizes):
        chosen = [parts[i] for i in pair]
        parts = [p for i, p in enumerate(parts) if i not in pair]
        wanted = set(output).union(*[p.letters for p in parts])
        parts.append(_product(by, *chosen, wanted) if len(chosen) == 2 else chosen[0])
    (last,) = parts
    return _arranged(by, _summed(by, last, set(output)), output).node


def _order(subscripts: str, parts: list[_Operand], sizes: dict[str, int]) -> list[tuple[int, ...]]:
    """Return which operands to multiply, pair by pair; each product goes to the end."""
    if len(parts) < 3:
        return [tuple(range(len(parts)))]
    output = subscripts.partition("->")[2]
    written = ",".join(p.letters for p in parts) + "->" + output
    stand_ins = [numpy.broadcast_to(0.0, p.shape) for p in parts]
    path = numpy.einsum_path(written, *stand_ins, optimize="greedy")[0][1:]
    if any(len(step) > 2 for step in path):
        return [(0, 1)] * (len(parts) - 1)
    return [tuple(step) for step in path]


def _distinct(by: Algebra, x: _Operand) -> _Operand:
    """Take the diagonal where a letter occurs twice."""
    letters = "".join(dict.fromkeys(x.letters))
    if letters == x.letters:
        return x
    diagonal = f"{x.letters}->{letters}"
    node = by.rearranged(x.node, lambda places: numpy.einsum(diagonal, places))
    lengths = dict(zip(x.letters, x.shape, strict=True))
    return _Operand(node, letters, tuple(lengths[c] for c in letters))


def _summed(by: Algebra, x: _Operand, wanted: set[str]) -> _Operand:
    """Sum over the letters that nothing else wants."""
    axes = tuple(i for i, c in enumerate(x.letters) if c not in wanted)
    if not axes:
        return x
    kept = [i for i in range(len(x.shape)) if i not in axes]
    return _Operand(
        by.sum(x.node, axes),
        "".join(x.letters[i] for i in kept),
        tuple(x.shape[i] for i in kept),
    )


def _arranged(by: Algebra, x: _Operand, letters: str) -> _Operand:
    """Put the axes in another order."""
    if letters == x.letters:
        return x
    axes = tuple(x.letters.index(c) for c in letters)
    shape = tuple(x.shape[a] for a in axes)
    return _Operand(by.transpose(x.node, axes), letters, shape)


def _reshaped(by: Algebra, x: _Operand, shape: tuple[int, ...]) -> Any:
    return x.node if shape == x.shape else by.reshape(x.node, shape)


def _product(by: Algebra, x: _Operand, y: _Operand, wanted: set[str]) -> _Operand:
    """Multiply two operands, and sum over the letters of both that nothing else wants."""
    x = _summed(by, x, wanted | set(y.letters))
    y = _summed(by, y, wanted | set(x.letters))
    lengths = dict(zip(x.letters + y.letters, x.shape + y.shape, strict=True))
    common = [c for c in x.letters if c in y.letters]
    batch = "".join(c for c in common if c in wanted)
    inner = "".join(c for c in common if c not in wanted)
    left = "".join(c for c in x.letters if c not in common)
    right = "".join(c for c in y.letters if c not in common)
    b, i, n, m = (math.prod(lengths[c] for c in part) for part in (batch, inner, left, right))
    x, y = _arranged(by, x, batch + left + inner), _arranged(by, y, batch + right + inner)
    if not left and not right and inner:  # rows by rows: no matrix product
        rows = by.multiply(_reshaped(by, x, (b, i)), _reshaped(by, y, (b, i)))
        node = by.sum(rows, (1,))
        made: tuple[int, ...] = (b,)
    elif not inner:
        node = by.multiply(_reshaped(by, x, (b, n, 1)), _reshaped(by, y, (b, 1, m)))
        made = (b, n, m)
    elif batch:
        stacks = _reshaped(by, x, (b, n, i)), _reshaped(by, y, (b, m, i))
        node = by.stacks(*stacks)
        made = (b, n, m)
    else:
        node = by.product(_reshaped(by, x, (n, i)), _reshaped(by, y, (m, i)), m)
        made = (n, m)
    letters = batch + left + right
    shape = tuple(lengths[c] for c in letters)
    product = _Operand(node, letters, made)
    return _Operand(_reshaped(by, product, shape), letters, shape)
