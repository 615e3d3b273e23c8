"""Einstein sums in MXNet, which has slow loops for them: as transposed matrix products.

An operand is its node, its letters and its shape: inside a graph a node doesn't know its shape.
It must not know any derivative.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy

from minpy import runtime
from minpy.numpy.mxnet_gather import rearranging

__all__ = ["einsum"]


class _Operand(NamedTuple):
    node: Any
    letters: str
    shape: tuple[int, ...]


def einsum(F: Any, subscripts: str, operands: Any) -> Any:
    """Return the sum of products that subscripts describe.

    Parameters
    ----------
    subscripts
        Written out: no ellipsis, with an output.
    operands
        Arrays of floats of one dtype.
    """
    given, _, output = subscripts.partition("->")
    terms = given.split(",")
    sizes: dict[str, int] = {}
    for x, term in zip(operands, terms, strict=True):
        if len(x.shape) != len(term) or 0 in x.shape:
            raise runtime.Unsupported("left to NumPy")
        for letter, length in zip(term, x.shape, strict=True):
            if sizes.setdefault(letter, length) != length:
                raise runtime.Unsupported("MXNet's products broadcast no axis of length 1")
    if len(set(output)) != len(output) or not set(output) <= set(sizes):
        raise runtime.Unsupported("left to NumPy, which raises the right error")
    parts = [
        _distinct(F, _Operand(x, term, tuple(x.shape)))
        for x, term in zip(operands, terms, strict=True)
    ]
    single = all(numpy.dtype(x.dtype) == numpy.float32 for x in operands)
    for pair in _order(subscripts, parts, sizes):
        chosen = [parts[i] for i in pair]
        parts = [p for i, p in enumerate(parts) if i not in pair]
        wanted = set(output).union(*[p.letters for p in parts])
        parts.append(_product(F, *chosen, wanted, single) if len(chosen) == 2 else chosen[0])
    (last,) = parts
    return _arranged(F, _summed(F, last, set(output)), output).node


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


def _distinct(F: Any, x: _Operand) -> _Operand:
    """Take the diagonal where a letter occurs twice."""
    letters = "".join(dict.fromkeys(x.letters))
    if letters == x.letters:
        return x
    diagonal = f"{x.letters}->{letters}"
    node = rearranging(lambda places: numpy.einsum(diagonal, places))(F, x.node)
    lengths = dict(zip(x.letters, x.shape, strict=True))
    return _Operand(node, letters, tuple(lengths[c] for c in letters))


def _summed(F: Any, x: _Operand, wanted: set[str]) -> _Operand:
    """Sum over the letters that nothing else wants."""
    axes = tuple(i for i, c in enumerate(x.letters) if c not in wanted)
    if not axes:
        return x
    kept = [i for i in range(len(x.shape)) if i not in axes]
    return _Operand(
        F("_np_sum", x.node, axis=axes, keepdims=False),
        "".join(x.letters[i] for i in kept),
        tuple(x.shape[i] for i in kept),
    )


def _arranged(F: Any, x: _Operand, letters: str) -> _Operand:
    """Put the axes in another order."""
    if letters == x.letters:
        return x
    axes = tuple(x.letters.index(c) for c in letters)
    shape = tuple(x.shape[a] for a in axes)
    return _Operand(F("_np_transpose", x.node, axes=axes), letters, shape)


def _reshaped(F: Any, x: _Operand, shape: tuple[int, ...]) -> Any:
    return x.node if shape == x.shape else F("_np_reshape", x.node, newshape=shape)


def _product(F: Any, x: _Operand, y: _Operand, wanted: set[str], single: bool) -> _Operand:
    """Multiply two operands, and sum over the letters of both that nothing else wants."""
    x = _summed(F, x, wanted | set(y.letters))
    y = _summed(F, y, wanted | set(x.letters))
    lengths = dict(zip(x.letters + y.letters, x.shape + y.shape, strict=True))
    common = [c for c in x.letters if c in y.letters]
    batch = "".join(c for c in common if c in wanted)
    inner = "".join(c for c in common if c not in wanted)
    left = "".join(c for c in x.letters if c not in common)
    right = "".join(c for c in y.letters if c not in common)
    b, i, n, m = (math.prod(lengths[c] for c in part) for part in (batch, inner, left, right))
    x, y = _arranged(F, x, batch + left + inner), _arranged(F, y, batch + right + inner)
    if not left and not right and inner:  # rows by rows: no matrix product
        rows = F("_npi_multiply", _reshaped(F, x, (b, i)), _reshaped(F, y, (b, i)))
        node = F("_np_sum", rows, axis=(1,), keepdims=False)
        made: tuple[int, ...] = (b,)
    elif not inner:
        node = F("_npi_multiply", _reshaped(F, x, (b, n, 1)), _reshaped(F, y, (b, 1, m)))
        made = (b, n, m)
    elif batch:
        stacks = _reshaped(F, x, (b, n, i)), _reshaped(F, y, (b, m, i))
        node = F("batch_dot", *stacks, transpose_b=True)
        made = (b, n, m)
    else:
        node = _matrix_product(F, _reshaped(F, x, (n, i)), _reshaped(F, y, (m, i)), m, single)
        made = (n, m)
    letters = batch + left + right
    shape = tuple(lengths[c] for c in letters)
    product = _Operand(node, letters, made)
    return _Operand(_reshaped(F, product, shape), letters, shape)


def _matrix_product(F: Any, x: Any, y: Any, columns: int, single: bool) -> Any:
    """Return the product of a matrix with the transpose of another, by oneDNN where it can."""
    if not single:
        return F("dot", x, y, transpose_b=True)
    return F("FullyConnected", x, y, num_hidden=columns, no_bias=True, flatten=False)
