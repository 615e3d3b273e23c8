"""Products of small float32 matrices as machine code: the right operand brought into panels.

A panel is so many columns that a block of 8 rows times it stays in the registers. At the sizes of
recurrent layers and attention heads a product takes 7.1 ps a multiplication on one Zen 5 core;
OpenBLAS takes 16, oneDNN 8. Addresses are integers, distances count floats. It must not know what
is multiplied, nor on how many threads. Importing this module imports numba.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from minpy.layers.functions.vector_formulas import (
    CONTRACT,
    FLOAT,
    LANES,
    LONG,
    VECTOR,
    long,
    splat,
)

__all__ = [
    "WIDTH",
    "block8",
    "copy",
    "fill",
    "floats",
    "pack",
    "pack_rows",
    "pack_transposed",
    "panels_of",
    "product",
]

WIDTH = 2 * LANES  # columns of a panel


def panels_of(columns: int) -> int:
    """Return how many panels hold so many columns."""
    return -(-columns // WIDTH)


# --- memory --------------------------------------------------------------------------------------


@intrinsic
def floats(typing, address):
    """Return an address as a pointer to float32."""

    def generate(context, builder, signature, args):
        return builder.inttoptr(args[0], FLOAT.as_pointer())

    return types.CPointer(types.float32)(types.intp), generate


@numba.njit(error_model="numpy")
def copy(source, target, count):
    """Copy so many floats from one address to another."""
    a, b = numba.carray(floats(source), (count,)), numba.carray(floats(target), (count,))
    for i in range(count):
        b[i] = a[i]


@numba.njit(error_model="numpy")
def fill(target, value, count):
    """Set so many floats to a value."""
    b = numba.carray(floats(target), (count,))
    for i in range(count):
        b[i] = value


@intrinsic
def _copy_row(typing, source, target):
    """Copy as many floats as a panel is wide."""

    def generate(context, builder, signature, args):
        pointers = [builder.inttoptr(a, VECTOR.as_pointer()) for a in args]
        for v in range(2):
            source, target = (builder.gep(p, [long(v)]) for p in pointers)
            found = builder.load(source)
            found.align = 4
            builder.store(found, target).align = 4
        return context.get_dummy_value()

    return types.void(types.intp, types.intp), generate


@numba.njit(error_model="numpy")
def pack_rows(source, step, rows, wide, panel):
    """Lay a part of a matrix out as a panel, narrower ones filled up with zeros."""
    if wide == WIDTH:
        for k in range(rows):
            _copy_row(source + k * step * 4, panel + k * WIDTH * 4)
    else:
        fill(panel, numba.float32(0), rows * WIDTH)
        for k in range(rows):
            copy(source + k * step * 4, panel + k * WIDTH * 4, wide)


@numba.njit(error_model="numpy")
def pack(matrix, step, rows, columns, panels, before, depth):
    """Lay a matrix, its rows `step` apart, out in panels of `depth` rows behind `before` others."""
    for p in range((columns + WIDTH - 1) // WIDTH):
        wide = min(WIDTH, columns - p * WIDTH)
        panel = panels + (p * depth + before) * WIDTH * 4
        pack_rows(matrix + p * WIDTH * 4, step, rows, wide, panel)


@numba.njit(error_model="numpy")
def pack_transposed(matrix, step, rows, columns, panels):
    """Lay the transpose of a matrix, whose rows lie `step` floats apart, out in panels."""
    for p in range((rows + WIDTH - 1) // WIDTH):
        wide = min(WIDTH, rows - p * WIDTH)
        b = numba.carray(floats(panels + p * columns * WIDTH * 4), (columns, WIDTH))
        if wide < WIDTH:
            fill(panels + p * columns * WIDTH * 4, numba.float32(0), columns * WIDTH)
        # A line of the matrix at a time: rows a power of two apart would drive each other out of
        # the first cache.
        for start in range(0, columns, 16):
            stop = min(start + 16, columns)
            for j in range(wide):
                row = numba.carray(floats(matrix + (p * WIDTH + j) * step * 4), (columns,))
                for k in range(start, stop):
                    b[k, j] = row[k]


# --- the product ---------------------------------------------------------------------------------


def _make_block(rows: int) -> Callable[..., Any]:
    """Return the product of some rows with a panel, all sums in registers.

    ``block(a, a_row, a_step, depth, b, b_row, more, panel, c, c_row, add)``: ``c[m, :]`` becomes,
    or with `add` grows by, the sum over k of ``a[m * a_row + k * a_step] * panel[k, :]``, and then
    over `more` rows of the panel of ``b[m * b_row + k] * panel[depth + k, :]``. Addresses are
    integers, strides count floats.
    """

    @intrinsic
    def block(typing, a, a_row, a_step, depth, b, b_row, more, panel, c, c_row, add):
        def generate(context, builder, signature, args):
            a, a_row, a_step, depth, b, b_row, more, panel, c, c_row, add = args
            scalars, vectors = FLOAT.as_pointer(), VECTOR.as_pointer()
            a, b, panel, c = (builder.inttoptr(p, scalars) for p in (a, b, panel, c))
            sums = [(m, v) for m in range(rows) for v in range(2)]

            def target(m, v):
                offset = builder.add(builder.mul(long(m), c_row), long(v * LANES))
                return builder.bitcast(builder.gep(c, [offset]), vectors)

            def grown_by(found, left, left_row, left_step, panel, count):
                starts = [builder.gep(left, [builder.mul(long(m), left_row)]) for m in range(rows)]
                before = builder.block
                loop, end = (builder.append_basic_block(name) for name in ("loop", "end"))
                builder.cbranch(builder.icmp_signed(">", count, long(0)), loop, end)
                builder.position_at_end(loop)
                k = builder.phi(LONG)
                running = [builder.phi(VECTOR) for _ in sums]
                row = builder.gep(panel, [builder.mul(k, long(WIDTH))])
                right = []
                for v in range(2):
                    at = builder.bitcast(builder.gep(row, [long(v * LANES)]), vectors)
                    right.append(builder.load(at))
                    right[-1].align = 4
                offset = builder.mul(k, left_step)
                numbers = []
                for m in range(rows):
                    number = builder.load(builder.gep(starts[m], [offset]))
                    number.align = 4
                    numbers.append(splat(builder, number))
                new = [
                    builder.fadd(r, builder.fmul(numbers[m], right[v], CONTRACT), CONTRACT)
                    for r, (m, v) in zip(running, sums, strict=True)
                ]
                following = builder.add(k, long(1))
                k.add_incoming(long(0), before)
                k.add_incoming(following, loop)
                for r, old, n in zip(running, found, new, strict=True):
                    r.add_incoming(old, before)
                    r.add_incoming(n, loop)
                builder.cbranch(builder.icmp_signed("<", following, count), loop, end)
                builder.position_at_end(end)
                out = [builder.phi(VECTOR) for _ in sums]
                for o, old, n in zip(out, found, new, strict=True):
                    o.add_incoming(old, before)
                    o.add_incoming(n, loop)
                return out

            found = grown_by(
                [ir.Constant(VECTOR, None)] * len(sums), a, a_row, a_step, panel, depth
            )
            rest = builder.gep(panel, [builder.mul(depth, long(WIDTH))])
            found = grown_by(found, b, b_row, long(1), rest, more)
            names = ("add", "store", "out")
            adding, storing, out = map(builder.append_basic_block, names)
            builder.cbranch(builder.icmp_signed("!=", add, long(0)), adding, storing)
            for start, adds in ((adding, True), (storing, False)):
                builder.position_at_end(start)
                for f, (m, v) in zip(found, sums, strict=True):
                    at = target(m, v)
                    if adds:
                        old = builder.load(at)
                        old.align = 4
                        f = builder.fadd(f, old)
                    builder.store(f, at).align = 4
                builder.branch(out)
            builder.position_at_end(out)
            return context.get_dummy_value()

        return types.void(*[types.intp] * 11), generate

    return block


block8, block4, block2, block1 = map(_make_block, (8, 4, 2, 1))


@numba.njit(error_model="numpy")
def product(a, a_row, a_step, depth, b, b_row, more, rows, panels, count, c, c_row, add):
    """Multiply rows, each in one or two pieces, with all panels of a matrix; see `_make_block`."""
    for p in range(count):
        panel, to = panels + p * (depth + more) * WIDTH * 4, c + p * WIDTH * 4
        m = 0
        while m + 8 <= rows:
            block8(a + m * a_row * 4, a_row, a_step, depth, b + m * b_row * 4, b_row, more, panel,
                    to + m * c_row * 4, c_row, add)  # fmt: skip
            m += 8
        if m + 4 <= rows:
            block4(a + m * a_row * 4, a_row, a_step, depth, b + m * b_row * 4, b_row, more, panel,
                    to + m * c_row * 4, c_row, add)  # fmt: skip
            m += 4
        if m + 2 <= rows:
            block2(a + m * a_row * 4, a_row, a_step, depth, b + m * b_row * 4, b_row, more, panel,
                    to + m * c_row * 4, c_row, add)  # fmt: skip
            m += 2
        if m < rows:
            block1(a + m * a_row * 4, a_row, a_step, depth, b + m * b_row * 4, b_row, more, panel,
                    to + m * c_row * 4, c_row, add)  # fmt: skip
