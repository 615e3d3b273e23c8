"""Einstein sums and contractions as transpositions and products of matrices.

NumPy's loops for them take ten times as long where the matrices are larger than a few numbers.
"""

from __future__ import annotations

import string
from typing import Any

import numpy

from minpy.array import ndarray
from minpy.graph.native.recording import EXPRESSIONS, FLOAT
from minpy.numpy import einsum_products
from minpy.primitives import registry
from minpy.runtime import Unsupported


def _turned(x: Any, axes: tuple[int, ...]) -> Any:
    return registry["transpose"](x, axes)


def _refused(x: Any, places: Any) -> Any:
    raise Unsupported("a diagonal is left to NumPy")


_BY = einsum_products.Algebra(
    sum=lambda x, axes: registry["sum"](x, axes),
    transpose=_turned,
    reshape=lambda x, shape: registry["reshape"](x, shape),
    multiply=lambda x, y: registry["multiply"](x, y),
    product=lambda x, y, rows: registry["matmul"](x, _turned(y, (1, 0))),
    stacks=lambda x, y: registry["matmul"](x, _turned(y, (0, 2, 1))),
    rearranged=_refused,
)


def _einsum(*operands: Any, subscripts: str, **options: Any) -> Any:
    if options.keys() - {"optimize"}:
        return None
    if not all(type(x) is ndarray and x.dtype == FLOAT for x in operands):
        return None
    try:
        return einsum_products.einsum(_BY, subscripts, operands)
    except Unsupported:
        return None


def _tensordot(x: Any, y: Any, axes: Any = 2) -> Any:
    if not (type(x) is type(y) is ndarray):
        return None
    if isinstance(axes, int | numpy.integer):
        pairs = [(x.ndim - axes + i, i) for i in range(axes)]
    else:
        a, b = ([v] if isinstance(v, int | numpy.integer) else list(v) for v in axes)
        pairs = [(i % x.ndim, j % y.ndim) for i, j in zip(a, b, strict=True)]
    letters = iter(string.ascii_letters)
    first = [next(letters) for _ in range(x.ndim)]
    second = [next(letters) for _ in range(y.ndim)]
    for i, j in pairs:
        second[j] = first[i]
    summed = {first[i] for i, _ in pairs}
    kept = [c for c in first + second if c not in summed]
    return _einsum(x, y, subscripts=f"{''.join(first)},{''.join(second)}->{''.join(kept)}")


EXPRESSIONS["einsum"] = _einsum
EXPRESSIONS["tensordot"] = _tensordot
