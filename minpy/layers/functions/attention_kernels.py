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

from minpy.layers.functions import panels, threaded_kernels, vector_formulas
from minpy.layers.functions.panels import (
    WIDTH,
    copy,
    floats,
    pack,
    pack_transposed,
    panels_of,
    product,
)
from minpy.layers.functions.threaded_kernels import (
    SIZE,
    address_of,
    entry,
    fetch_add,
    longs,
    run,
    scratch_memory,
    threads_for,
    told_numbers,
)
from minpy.layers.functions.vector_formulas import LANES, expm1, formula

__all__ = ["attend", "attend_back"]

_ANY_ORDER = {"error_model": "numpy", "fastmath": {"reassoc", "nsz", "contract", "arcp"}}


@numba.njit(error_model="numpy")
def _times(a, a_row, a_step, depth, rows, panels, count, c, c_row):
    """Multiply a matrix, of any strides, with all panels of another one."""
    product(a, a_row, a_step, depth, a, 0, 0, rows, panels, count, c, c_row, 0)


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
    scale, p = expm1(e.load(at).within(-87.0, 0.0))
    e.store(at, scale * p + scale)


_exp = formula(_exponential, 1)


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
    factor = numba.carray(floats(told[16]), (1,))[0]
    counter = told.ctypes.data
    scratch = told[17] + told[18] * fetch_add(counter) * 4
    begun = counter + 8 * (SIZE - 1)
    of_keys, of_width = (keys + WIDTH - 1) // WIDTH, (width + WIDTH - 1) // WIDTH
    scores = scratch
    panels = scores + queries * of_keys * WIDTH * 4
    result = panels + max(of_keys * depth, of_width * keys) * WIDTH * 4
    nothing = numba.carray(floats(scratch), (0,))
    while True:
        head = fetch_add(begun)
        if head >= batch * heads:
            break
        b, h = head // heads, head % heads
        pack_transposed(k + (b * keys * heads + h) * depth * 4, heads * depth, keys, depth, panels)
        _times(q + (b * queries * heads + h) * depth * 4, heads * depth, 1, depth, queries, panels,
               of_keys, scores, of_keys * WIDTH)  # fmt: skip
        for i in range(queries):
            at = scores + i * of_keys * WIDTH * 4
            keeps = nothing
            if mask:
                place = mask + (b * mask_batch + h * mask_head + i * mask_query) * 4
                keeps = numba.carray(floats(place), (keys,))
            _softmax(numba.carray(floats(at), (keys,)), at, factor, keeps)
            if weights:
                copy(at, weights + (head * queries + i) * keys * 4, keys)
        pack(v + (b * keys * heads + h) * width * 4, heads * width, keys, width, panels, 0, keys)
        _times(scores, of_keys * WIDTH, 1, keys, queries, panels, of_width, result,
               of_width * WIDTH)  # fmt: skip
        for i in range(queries):
            to = out + ((b * queries + i) * heads + h) * width * 4
            copy(result + i * of_width * WIDTH * 4, to, width)


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
    factor = numba.carray(floats(told[16]), (1,))[0]
    counter = told.ctypes.data
    scratch = told[17] + told[18] * fetch_add(counter) * 4
    begun = counter + 8 * (SIZE - 1)
    on_keys, on_width = (keys + WIDTH - 1) // WIDTH, (width + WIDTH - 1) // WIDTH
    on_depth = (depth + WIDTH - 1) // WIDTH
    scores = scratch
    panels = scores + queries * on_keys * WIDTH * 4
    room = max(on_keys * width, max(on_width, on_depth) * max(queries, keys))
    result = panels + room * WIDTH * 4
    line = on_keys * WIDTH
    while True:
        head = fetch_add(begun)
        if head >= batch * heads:
            break
        b, h = head // heads, head % heads
        of_query = (b * queries * heads + h) * 4
        of_key = (b * keys * heads + h) * 4
        back, used = g + of_query * width, weights + head * queries * keys * 4
        # The values' gradients: weightsᵀ · g.
        pack(back, heads * width, queries, width, panels, 0, queries)
        _times(used, 1, keys, queries, keys, panels, on_width, result, on_width * WIDTH)
        for j in range(keys):
            to = of_v + of_key * width + j * heads * width * 4
            copy(result + j * on_width * WIDTH * 4, to, width)
        # The scores' gradients, by way of the weights': g · valuesᵀ.
        pack_transposed(v + of_key * width, heads * width, keys, width, panels)
        _times(back, heads * width, 1, width, queries, panels, on_keys, scores, line)
        for i in range(queries):
            found = numba.carray(floats(scores + i * line * 4), (keys,))
            _softmax_back(found, numba.carray(floats(used + i * keys * 4), (keys,)), factor)
        # The queries' gradients: scores' · keys.
        pack(k + of_key * depth, heads * depth, keys, depth, panels, 0, keys)
        _times(scores, line, 1, keys, queries, panels, on_depth, result, on_depth * WIDTH)
        for i in range(queries):
            to = of_q + of_query * depth + i * heads * depth * 4
            copy(result + i * on_depth * WIDTH * 4, to, depth)
        # The keys' gradients: scores'ᵀ · queries.
        pack(q + of_query * depth, heads * depth, queries, depth, panels, 0, queries)
        _times(scores, 1, line, queries, keys, panels, on_depth, result, on_depth * WIDTH)
        for j in range(keys):
            to = of_k + of_key * depth + j * heads * depth * 4
            copy(result + j * on_depth * WIDTH * 4, to, depth)


_entry = entry(vector_formulas, panels, threaded_kernels)


@_entry
def _run_forward(pointer):
    _forward(numba.carray(longs(pointer), (SIZE,)))


@_entry
def _run_backward(pointer):
    _backward(numba.carray(longs(pointer), (SIZE,)))


def _call(kernel: Any, numbers: list[int], factor: float, room: int) -> None:
    batch, heads, queries, keys, depth, width = numbers[:6]
    work = batch * heads * queries * keys * (depth + width)
    threads = min(threads_for(work), batch * heads)
    told = told_numbers(0, *numbers)
    scale = numpy.array([factor], "float32")
    told[16:19] = address_of(scale), address_of(scratch_memory.get(room * threads)), room
    run(kernel, told, threads)


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
    lines, across = panels_of(keys), panels_of(width)
    room = queries * lines + max(lines * depth, across * keys) + queries * across
    addresses = map(address_of, (q, k, v, mask, out, weights))
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
    across = max(panels_of(width), panels_of(depth))
    longest = max(queries, keys)
    panels = max(panels_of(keys) * width, across * longest)
    room = queries * panels_of(keys) + panels + longest * across
    addresses = map(address_of, (q, k, v, g, weights, *found))
    numbers = [batch, heads, queries, keys, depth, width, *addresses]
    _call(_run_backward, numbers, factor, room * WIDTH)
