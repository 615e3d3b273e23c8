"""Scaled dot-product attention as machine code: float32, a head at a time, on all cores.

The products of a head are too small for a library: OpenBLAS takes 375 µs for 128 products of 64×32
with 32×64, on one core. Here a head's queries, keys and values lie in the nearest cache while its
scores, their softmax and the weighted sum are made. Threads take heads from a counter.

numba compiles it and keeps the machine code on disk. Importing this module imports numba. It must
not know arrays of minpy's, nor graphs.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy
from numba import types

from minpy import runtime
from minpy.layers.functions.recurrent_kernels import (
    LANES,
    WIDTH,
    _block1,
    _block2,
    _block4,
    _block8,
    _copy,
    _expm1,
    _fill,
    _floats,
    _formula,
    _longs,
    _next,
    _pack_rows,
    _run,
    _scratch,
)

__all__ = ["attend", "attend_back"]

_SIZE = 32  # numbers that a kernel is told
_WORTH_SHARING = 1_000_000  # multiplications, from which a second thread pays

_ANY_ORDER = {"error_model": "numpy", "fastmath": {"reassoc", "nsz", "contract", "arcp"}}


@numba.njit(error_model="numpy")
def _times(a, a_row, a_step, depth, rows, panels, count, c, c_row):
    """Multiply a matrix, of any strides, with all panels of another one."""
    for p in range(count):
        panel, to = panels + p * depth * WIDTH * 4, c + p * WIDTH * 4
        m = 0
        while m + 8 <= rows:
            at = a + m * a_row * 4
            _block8(at, a_row, a_step, depth, at, 0, 0, panel, to + m * c_row * 4, c_row, 0)
            m += 8
        if m + 4 <= rows:
            at = a + m * a_row * 4
            _block4(at, a_row, a_step, depth, at, 0, 0, panel, to + m * c_row * 4, c_row, 0)
            m += 4
        if m + 2 <= rows:
            at = a + m * a_row * 4
            _block2(at, a_row, a_step, depth, at, 0, 0, panel, to + m * c_row * 4, c_row, 0)
            m += 2
        if m < rows:
            at = a + m * a_row * 4
            _block1(at, a_row, a_step, depth, at, 0, 0, panel, to + m * c_row * 4, c_row, 0)


@numba.njit(error_model="numpy")
def _pack(matrix, step, rows, columns, panels):
    """Lay a matrix, whose rows lie `step` floats apart, out in panels."""
    for p in range((columns + WIDTH - 1) // WIDTH):
        wide = min(WIDTH, columns - p * WIDTH)
        _pack_rows(matrix + p * WIDTH * 4, step, rows, wide, panels + p * rows * WIDTH * 4)


@numba.njit(error_model="numpy")
def _pack_transposed(matrix, step, rows, columns, panels):
    """Lay the transpose of a matrix, whose rows lie `step` floats apart, out in panels."""
    for p in range((rows + WIDTH - 1) // WIDTH):
        wide = min(WIDTH, rows - p * WIDTH)
        to = panels + p * columns * WIDTH * 4
        if wide < WIDTH:
            _fill(to, numba.float32(0), columns * WIDTH)
        b = numba.carray(_floats(to), (columns, WIDTH))
        for j in range(wide):
            row = numba.carray(_floats(matrix + (p * WIDTH + j) * step * 4), (columns,))
            for k in range(columns):
                b[k, j] = row[k]


@numba.njit(**_ANY_ORDER)
def _largest(row):
    found = row[0]
    for j in range(1, row.size):
        found = max(found, row[j])
    return found


@numba.njit(**_ANY_ORDER)
def _total(row):
    found = numba.float32(0)
    for j in range(row.size):
        found += row[j]
    return found


@numba.njit(**_ANY_ORDER)
def _inner(a, b):
    found = numba.float32(0)
    for j in range(a.size):
        found += a[j] * b[j]
    return found


def _exponential(e: Any, at: Any) -> None:
    scale, p = _expm1(e.load(at).within(-87.0, 0.0))
    e.store(at, scale * p + scale)


_exp = _formula(_exponential, 1)


@numba.njit(**_ANY_ORDER)
def _softmax(row, address, factor, keeps):
    """Make a row of scores one of weights; where `keeps` has 0, and all of it if all are 0, 0."""
    never = numba.float32(-3e38)
    for j in range(row.size):
        row[j] = row[j] * factor
    if keeps.size:
        for j in range(row.size):
            row[j] = row[j] if keeps[j] != 0 else never
    top = _largest(row)
    for j in range(row.size):
        row[j] -= top
    for j in range(0, row.size, LANES):
        _exp(min(LANES, row.size - j), address + j * 4)
    if keeps.size:
        for j in range(row.size):
            row[j] = row[j] if keeps[j] != 0 else numba.float32(0)
    total = _total(row)
    if total == 0:
        return
    inverse = numba.float32(1) / total
    for j in range(row.size):
        row[j] *= inverse


@numba.njit(error_model="numpy", nogil=True)
def _forward(told):
    batch, heads, queries, keys, depth, width = told[1], told[2], told[3], told[4], told[5], told[6]
    q, k, v, mask, out, weights = told[7], told[8], told[9], told[10], told[11], told[12]
    mask_batch, mask_head, mask_query = told[13], told[14], told[15]
    factor = numba.carray(_floats(told[16]), (1,))[0]
    counter = told.ctypes.data
    scratch = told[17] + told[18] * _next(counter) * 4
    begun = counter + 8 * (_SIZE - 1)
    of_keys, of_width = (keys + WIDTH - 1) // WIDTH, (width + WIDTH - 1) // WIDTH
    scores = scratch
    panels = scores + queries * of_keys * WIDTH * 4
    result = panels + max(of_keys * depth, of_width * keys) * WIDTH * 4
    nothing = numba.carray(_floats(scratch), (0,))
    while True:
        head = _next(begun)
        if head >= batch * heads:
            break
        b, h = head // heads, head % heads
        _pack_transposed(k + (b * keys * heads + h) * depth * 4, heads * depth, keys, depth, panels)
        _times(q + (b * queries * heads + h) * depth * 4, heads * depth, 1, depth, queries, panels,
               of_keys, scores, of_keys * WIDTH)  # fmt: skip
        for i in range(queries):
            at = scores + i * of_keys * WIDTH * 4
            keeps = nothing
            if mask:
                place = mask + (b * mask_batch + h * mask_head + i * mask_query) * 4
                keeps = numba.carray(_floats(place), (keys,))
            _softmax(numba.carray(_floats(at), (keys,)), at, factor, keeps)
            if weights:
                _copy(at, weights + (head * queries + i) * keys * 4, keys)
        _pack(v + (b * keys * heads + h) * width * 4, heads * width, keys, width, panels)
        _times(scores, of_keys * WIDTH, 1, keys, queries, panels, of_width, result,
               of_width * WIDTH)  # fmt: skip
        for i in range(queries):
            to = out + ((b * queries + i) * heads + h) * width * 4
            _copy(result + i * of_width * WIDTH * 4, to, width)


@numba.njit(**_ANY_ORDER)
def _softmax_back(found, weights, factor):
    """Make a row of the weights' gradients one of the scores', times a factor."""
    total = _inner(found, weights)
    for j in range(found.size):
        found[j] = (found[j] - total) * weights[j] * factor


@numba.njit(error_model="numpy", nogil=True)
def _backward(told):
    batch, heads, queries, keys, depth, width = told[1], told[2], told[3], told[4], told[5], told[6]
    q, k, v, g, weights = told[7], told[8], told[9], told[10], told[11]
    of_q, of_k, of_v = told[12], told[13], told[14]
    factor = numba.carray(_floats(told[16]), (1,))[0]
    counter = told.ctypes.data
    scratch = told[17] + told[18] * _next(counter) * 4
    begun = counter + 8 * (_SIZE - 1)
    on_keys, on_width = (keys + WIDTH - 1) // WIDTH, (width + WIDTH - 1) // WIDTH
    on_depth = (depth + WIDTH - 1) // WIDTH
    scores = scratch
    panels = scores + queries * on_keys * WIDTH * 4
    room = max(on_keys * width, max(on_width, on_depth) * max(queries, keys))
    result = panels + room * WIDTH * 4
    line = on_keys * WIDTH
    while True:
        head = _next(begun)
        if head >= batch * heads:
            break
        b, h = head // heads, head % heads
        of_query = (b * queries * heads + h) * 4
        of_key = (b * keys * heads + h) * 4
        back, used = g + of_query * width, weights + head * queries * keys * 4
        # The values' gradients: weightsᵀ · g.
        _pack(back, heads * width, queries, width, panels)
        _times(used, 1, keys, queries, keys, panels, on_width, result, on_width * WIDTH)
        for j in range(keys):
            to = of_v + of_key * width + j * heads * width * 4
            _copy(result + j * on_width * WIDTH * 4, to, width)
        # The scores' gradients, by way of the weights': g · valuesᵀ.
        _pack_transposed(v + of_key * width, heads * width, keys, width, panels)
        _times(back, heads * width, 1, width, queries, panels, on_keys, scores, line)
        for i in range(queries):
            found = numba.carray(_floats(scores + i * line * 4), (keys,))
            _softmax_back(found, numba.carray(_floats(used + i * keys * 4), (keys,)), factor)
        # The queries' gradients: scores' · keys.
        _pack(k + of_key * depth, heads * depth, keys, depth, panels)
        _times(scores, line, 1, keys, queries, panels, on_depth, result, on_depth * WIDTH)
        for i in range(queries):
            to = of_q + of_query * depth + i * heads * depth * 4
            _copy(result + i * on_depth * WIDTH * 4, to, depth)
        # The keys' gradients: scores'ᵀ · queries.
        _pack(q + of_query * depth, heads * depth, queries, depth, panels)
        _times(scores, 1, line, queries, keys, panels, on_depth, result, on_depth * WIDTH)
        for j in range(keys):
            to = of_k + of_key * depth + j * heads * depth * 4
            _copy(result + j * on_depth * WIDTH * 4, to, depth)


_entry = numba.cfunc(types.void(types.voidptr), cache=True, error_model="numpy")


@_entry
def _run_forward(pointer):
    _forward(numba.carray(_longs(pointer), (_SIZE,)))


@_entry
def _run_backward(pointer):
    _backward(numba.carray(_longs(pointer), (_SIZE,)))


def _panels(columns: int) -> int:
    return -(-columns // WIDTH)


def _call(entry: Any, numbers: list[int], factor: float, room: int) -> None:
    batch, heads, queries, keys, depth, width = numbers[:6]
    shared = batch * heads * queries * keys * (depth + width) >= _WORTH_SHARING
    threads = min(runtime.threads(), batch * heads) if shared else 1
    told = numpy.zeros(_SIZE, "int64")
    told[1 : 1 + len(numbers)] = numbers
    scale = numpy.array([factor], "float32")
    scratch = _scratch.get(room * threads)
    told[16:19] = scale.ctypes.data, scratch.ctypes.data, room
    _run(entry, told, threads)


def attend(
    q: numpy.ndarray,
    k: numpy.ndarray,
    v: numpy.ndarray,
    mask: numpy.ndarray | None,
    factor: float,
    out: numpy.ndarray,
    weights: numpy.ndarray | None,
) -> None:
    """Fill the result, (batch, queries, heads, width), and the weights of a softmax of scores.

    Parameters
    ----------
    q, k, v
        Of shape (batch, queries or keys, heads, depth or width), float32 without gaps.
    mask
        Numbers that are 0 where a key is not seen, (1 or batch, 1 or heads, 1 or queries, keys).
    factor
        Of the scores.
    out, weights
        To be filled; the weights, None if nobody wants them, are (batch, heads, queries, keys).
    """
    batch, queries, heads, depth = q.shape
    keys, width = k.shape[1], v.shape[3]
    steps = [0, 0, 0]
    if mask is not None:
        each = mask.shape[2] * keys
        steps = [
            each * mask.shape[1] * (mask.shape[0] > 1),
            each * (mask.shape[1] > 1),
            keys * (mask.shape[2] > 1),
        ]
    lines = _panels(keys)
    room = queries * lines + max(lines * depth, _panels(width) * keys) + queries * _panels(width)
    addresses = [0 if a is None else a.ctypes.data for a in (q, k, v, mask, out, weights)]
    numbers = [batch, heads, queries, keys, depth, width, *addresses, *steps]
    _call(_run_forward, numbers, factor, room * WIDTH)


def attend_back(
    g: numpy.ndarray,
    q: numpy.ndarray,
    k: numpy.ndarray,
    v: numpy.ndarray,
    weights: numpy.ndarray,
    factor: float,
    found: tuple[numpy.ndarray, numpy.ndarray, numpy.ndarray],
) -> None:
    """Fill the gradients of queries, keys and values for the result's, `g`."""
    batch, queries, heads, depth = q.shape
    keys, width = k.shape[1], v.shape[3]
    across = max(_panels(width), _panels(depth))
    longest = max(queries, keys)
    panels = max(_panels(keys) * width, across * longest)
    room = queries * _panels(keys) + panels + longest * across
    addresses = [a.ctypes.data for a in (q, k, v, g, weights, *found)]
    numbers = [batch, heads, queries, keys, depth, width, *addresses]
    _call(_run_backward, numbers, factor, room * WIDTH)
