"""Matrix products, of single matrices and of stacks of them, by oneDNN or NumPy's BLAS."""

from __future__ import annotations

from typing import Any

import numpy

from minpy.graph.native.instructions import OTHER, UNARY
from minpy.graph.native.lowerings import lowers
from minpy.graph.native.program import Program
from minpy.graph.native.recording import Value
from minpy.graph.trace import Untraceable
from minpy.runtime import onednn
from minpy.runtime.onednn import Layout

# Multiplications above which two threads are faster than one.
_MANY_PRODUCTS = 1_000_000
# Above so many a kernel of its own is faster than a call of a library's product.
_SOME_PRODUCTS = 30_000


def _emit_product(
    p: Program,
    out: Value,
    a: Value,
    b: Value,
    ta: bool,
    tb: bool,
    bias: Value | None = None,
    then: str | None = None,
) -> None:
    """Emit ``then(op(a) op(b) + bias)``."""
    for given in (a, b):
        if len(given.shape) != 2:
            raise Untraceable("a product of other than matrices has no instruction")
    m, k = a.shape[::-1] if ta else a.shape
    n = b.shape[0] if tb else b.shape[1]
    memory = p.memory(out)
    if bias is not None and (out.turned or not _multiplied_by_onednn(p, m, n, k)):
        if out.turned:
            raise Untraceable("a product by columns has no bias")
        p.emit(OTHER["fill_rows"], memory, p.straight(bias), sizes=out.shape)
    first, second = p.memory(a), p.memory(b)
    ta, tb = ta != a.turned, tb != b.turned
    if out.turned:  # the transpose of a product is that of the factors the other way round
        first, second, ta, tb, m, n = second, first, not tb, not ta, n, m
    if _multiplied_by_onednn(p, m, n, k):
        dtype = p.precision(m * n * k)
        if dtype != "float32":
            factors = (b, a) if out.turned else (a, b)
            first, second = (_rounded(p, value, dtype) for value in factors)
        _multiply(p, memory, first, second, ta, tb, (m, n, k), bias, then, dtype)
        return
    p.emit(
        OTHER["product"],
        memory,
        first,
        second,
        sizes=(m, n, k),
        flags=ta + 2 * tb,
        number=float(bias is not None),
    )
    if then is not None:
        p.emit(UNARY[then], memory, memory, sizes=(1, out.size))


def _rounded(p: Program, value: Value, dtype: str) -> numpy.ndarray:
    """Return where a matrix lies in another dtype, by rows or columns as it does in its own."""
    assert p.library is not None
    strides = (1, value.shape[0]) if value.turned else (value.shape[1], 1)
    return p.laid(value, p.library.strided(value.shape, strides, dtype))


def _multiplied_by_onednn(p: Program, m: int, n: int, k: int) -> bool:
    if p.library is None:
        return False
    # Alone, a kernel that is made for the sizes, the bias and the function after it is faster too.
    return m * n * k >= (_MANY_PRODUCTS if p.shared else _SOME_PRODUCTS)


def _multiply(
    p: Program,
    out: numpy.ndarray,
    a: numpy.ndarray,
    b: numpy.ndarray,
    ta: bool,
    tb: bool,
    sizes: tuple[int, int, int],
    bias: Value | None,
    then: str | None,
    dtype: str,
) -> None:
    assert p.library is not None
    m, n, k = sizes
    first = p.library.strided((m, k), (1, m) if ta else (k, 1), dtype)
    second = p.library.strided((k, n), (1, k) if tb else (n, 1), dtype)
    row, result = p.library.strided((1, n)), p.library.strided((m, n))
    recipe = p.library.recipe(
        "matmul", first, second, None if bias is None else row, result, after=then
    )
    given: dict[str, Any] = {"src": (a, first), "weights": (b, second)}
    if bias is not None:
        given["bias"] = (p.straight(bias), row)
    p.call(recipe, given, {"dst": (out, result)})


@lowers("matrix_product")
def _matrix_product(p: Program, out: Value, a: Value, b: Value, ta: bool, tb: bool) -> None:
    _emit_product(p, out, a, b, ta, tb)


@lowers("dot")
def _dot(p: Program, out: Value, a: Value, b: Value) -> None:
    if len(a.shape) > 2 and len(b.shape) == 2:
        _product_of_rows(p, out, a, b)
    else:
        _emit_product(p, out, a, b, False, False)


@lowers("matmul")
def _matmul(p: Program, out: Value, a: Value, b: Value) -> None:
    if len(b.shape) > 2 and len(a.shape) > 1:
        _product_of_stacks(p, out, a, b, False, False)
    else:
        _dot(p, out, a, b)


@lowers("batch_product")
def _batch_product(p: Program, out: Value, a: Value, b: Value, ta: bool, tb: bool) -> None:
    _product_of_stacks(p, out, a, b, ta, tb)


def _product_of_rows(p: Program, out: Value, a: Value, b: Value) -> None:
    """Emit the product of a stack of matrices and a matrix: that of all their rows with it."""
    rows = Value(out.trace, (a.size // a.shape[-1], a.shape[-1]), a.dtype)
    rows.memory = p.straight(a).reshape(rows.shape)
    made = Value(out.trace, (rows.shape[0], b.shape[-1]), out.dtype)
    made.memory = p.memory(out).reshape(made.shape)
    _emit_product(p, made, rows, b, False, False)


def _product_of_stacks(p: Program, out: Value, a: Value, b: Value, ta: bool, tb: bool) -> None:
    """Emit the products of two stacks of matrices."""
    if p.library is None:
        raise Untraceable("a product of stacks has no instruction")
    result = p.library.strided(out.shape)
    first, second = rows = [
        _stack_by_rows(p, *given, len(out.shape)) for given in ((a, ta), (b, tb))
    ]
    # A stack whose axes were put in another order can often be read as it lies.
    if not ta and a.layout is not None and a.layout.shape == first.shape:
        first = a.layout
    if not tb and b.layout is not None and b.layout.shape == second.shape:
        second = b.layout
    try:
        recipe = p.library.recipe("matmul", first, second, None, result)
    except onednn.Refused:
        first, second = rows
        recipe = p.library.recipe("matmul", first, second, None, result)
    given = {
        name: (p.laid(value, layout) if layout is value.layout else p.straight(value), layout)
        for name, value, layout in (("src", a, first), ("weights", b, second))
    }
    p.call(recipe, given, {"dst": (p.memory(out), result)})


def _stack_by_rows(p: Program, value: Value, turned: bool, ndim: int) -> Layout:
    """Return the layout of a stack whose matrices lie by rows, as it is or each turned round."""
    assert p.library is not None
    shape = (1,) * (ndim - len(value.shape)) + value.shape
    strides = onednn.row_strides(shape)
    if turned:
        shape = (*shape[:-2], shape[-1], shape[-2])
        strides = [*strides[:-2], strides[-1], strides[-2]]
    return p.library.strided(shape, strides)


@lowers("affine")
def _affine(
    p: Program, out: Value, x: Value, w: Value, b: Value | None, then: str | None = None
) -> None:
    _emit_product(p, out, x, w, False, False, b, then)
