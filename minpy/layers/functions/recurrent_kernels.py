"""Recurrences over time as machine code: float32, all cores; knows no layers and no graphs.

A step of a recurrence is a product with the recurrent kernel and some element-wise work. A library
call for each of them costs more than the work at the sizes that recurrent layers have, so both are
here: a product whose right operand was brought into panels once for all time steps (`panels`), and
the element-wise part on vectors, its exponentials included (`vector_formulas`). Threads take groups
of samples from a counter, go through all time steps by themselves and never wait for each other.
What a group gives doesn't depend on who takes it, so results don't depend on the number of threads.

numba compiles it and keeps the machine code on disk. Importing this module imports numba.
"""

from __future__ import annotations

import numba
import numpy

from minpy.layers.functions import panels, threaded_kernels, vector_formulas
from minpy.layers.functions.panels import (
    WIDTH,
    block8,
    copy,
    fill,
    floats,
    pack,
    pack_rows,
    pack_transposed,
    panels_of,
    product,
)
from minpy.layers.functions.threaded_kernels import (
    SIZE,
    address_of,
    entry,
    fetch_add,
    give_way,
    load_acquire,
    longs,
    longs_at,
    run,
    scratch_memory,
    threads_for,
    told_numbers,
)
from minpy.layers.functions.vector_formulas import LANES, formula, offsets, sigmoid, tanh

__all__ = ["gru_backward", "gru_forward", "lstm_backward", "lstm_forward", "rnn_backward",
           "rnn_forward"]  # fmt: skip

# Samples that a thread takes at a time: few, so that a thread that comes late finds some left, and
# more where the weights are too many for the second cache.
GROUP, LARGE_GROUP, LARGE = 8, 32, 200_000
DEPTH = 64  # rows that are read into the first cache at a time, for sums over all steps


# --- one step of each kind, a vector at a time ---------------------------------------------------


def _lstm_step(e, bias, z, gates, before, c, h, units):
    bias, z, gates = (offsets(e, a, units, 4) for a in (bias, z, gates))
    i, f, g, o = (e.load(bias[k]) + e.load(z[k]) for k in range(4))
    i, f, g, o = sigmoid(i), sigmoid(f), tanh(g), sigmoid(o)
    cell = f * e.load(before) + i * g
    for k, value in enumerate((i, f, g, o)):
        e.store(gates[k], value)
    e.store(c, cell)
    e.store(h, o * tanh(cell))


def _lstm_back(e, g_h, dh, dc, gates, before, c, dx, units):
    gates, dx = offsets(e, gates, units, 4), offsets(e, dx, units, 4)
    i, f, g, o = (e.load(a) for a in gates)
    cell = tanh(e.load(c))
    of_h = e.load(dh) + e.load_if(g_h)
    of_c = e.load(dc) + of_h * o * (1.0 - cell * cell)
    e.store(dx[0], of_c * g * i * (1.0 - i))
    e.store(dx[1], of_c * e.load(before) * f * (1.0 - f))
    e.store(dx[2], of_c * i * (1.0 - g * g))
    e.store(dx[3], of_h * cell * o * (1.0 - o))
    e.store(dc, of_c * f)
    e.store(dh, of_h * 0.0)


def _gru_step(e, bias, inner_bias, z, inner, kept, before, h, units):
    bias, inner_bias = offsets(e, bias, units, 3), offsets(e, inner_bias, units, 3)
    z, inner, kept = (offsets(e, a, units, n) for a, n in ((z, 3), (inner, 3), (kept, 4)))
    x = [e.load(z[k]) + e.load(bias[k]) for k in range(3)]
    y = [e.load(inner[k]) + e.load(inner_bias[k]) for k in range(3)]
    update, reset = sigmoid(x[0] + y[0]), sigmoid(x[1] + y[1])
    new = tanh(x[2] + reset * y[2])
    for k, value in enumerate((update, reset, new, y[2])):
        e.store(kept[k], value)
    e.store(h, new + update * (e.load(before) - new))


def _gru_back(e, g_h, dh, kept, before, dx, dz, units):
    kept = offsets(e, kept, units, 4)
    dx, dz = offsets(e, dx, units, 3), offsets(e, dz, units, 3)
    update, reset, new, inner = (e.load(a) for a in kept)
    of_h = e.load(dh) + e.load_if(g_h)
    of_update = of_h * (e.load(before) - new) * update * (1.0 - update)
    of_new = of_h * (1.0 - update) * (1.0 - new * new)
    of_reset = of_new * inner * reset * (1.0 - reset)
    for k, value in enumerate((of_update, of_reset, of_new)):
        e.store(dx[k], value)
    for k, value in enumerate((of_update, of_reset, of_new * reset)):
        e.store(dz[k], value)
    e.store(dh, of_h * update)


def _tanh_step(e, bias, z, h):
    e.store(h, tanh(e.load(bias) + e.load(z)))


def _relu_step(e, bias, z, h):
    value = e.load(bias) + e.load(z)
    e.store(h, value.where_positive(value))


def _tanh_back(e, g_h, dh, h, dx):
    y, of_h = e.load(h), e.load(dh) + e.load_if(g_h)
    e.store(dx, of_h * (1.0 - y * y))
    e.store(dh, of_h * 0.0)


def _relu_back(e, g_h, dh, h, dx):
    of_h = e.load(dh) + e.load_if(g_h)
    e.store(dx, of_h.where_positive(e.load(h)))
    e.store(dh, of_h * 0.0)


_lstm_step, _lstm_back = formula(_lstm_step, 7), formula(_lstm_back, 8)
_gru_step, _gru_back = formula(_gru_step, 8), formula(_gru_back, 7)
_tanh_step, _relu_step = formula(_tanh_step, 3), formula(_relu_step, 3)
_tanh_back, _relu_back = formula(_tanh_back, 4), formula(_relu_back, 4)


# --- the recurrences -----------------------------------------------------------------------------

LSTM, GRU, TANH, RELU = range(4)


@numba.njit(error_model="numpy", nogil=True)
def _forward(told):
    kind, samples, steps, features, units = told[1], told[2], told[3], told[4], told[5]
    gates, group, x, weights, kernel = told[6], told[7], told[10], told[11], told[12]
    bias, inner_bias, h0, c0, mask = told[13], told[14], told[15], told[16], told[17]
    hs, h, c, kept, cs = told[18], told[19], told[20], told[21], told[22]
    counter = told.ctypes.data
    scratch = told[8] + told[9] * fetch_add(counter) * 4
    begun = counter + 8 * (SIZE - 1)
    columns = gates * units
    count = (columns + WIDTH - 1) // WIDTH
    wide = count * WIDTH
    panels = scratch
    of_h = panels + wide * features * 4  # a GRU's two products are apart
    z = of_h + wide * units * 4
    inner = z + group * wide * 4
    ready = False
    while True:
        first = fetch_add(begun) * group
        if first >= samples:
            break
        if not ready:
            if kind == GRU:
                pack(weights, columns, features, columns, panels, 0, features)
                pack(kernel, columns, units, columns, of_h, 0, units)
            else:
                pack(weights, columns, features, columns, panels, 0, features + units)
                pack(kernel, columns, units, columns, panels, features, features + units)
            ready = True
        rows = min(group, samples - first)
        for t in range(steps):
            if t:
                before, row = hs + (first * steps + t - 1) * units * 4, steps * units
            else:
                before, row = h0 + first * units * 4, units
            start = x + (first * steps + t) * features * 4
            if kind == GRU:
                product(start, steps * features, 1, features, start, 0, 0, rows, panels, count, z,
                         wide, 0)  # fmt: skip
                product(before, row, 1, units, before, 0, 0, rows, of_h, count, inner, wide, 0)
            else:
                product(start, steps * features, 1, features, before, row, units, rows, panels,
                         count, z, wide, 0)  # fmt: skip
            for m in range(rows):
                at = (first + m) * steps + t
                to, was = hs + at * units * 4, before + m * row * 4
                zm, innerm = z + m * wide * 4, inner + m * wide * 4
                keptm = kept + at * 4 * units * 4
                of_c = cs + (at - 1) * units * 4 if t else c0 + (first + m) * units * 4
                if mask:
                    flag = numba.carray(floats(mask + at * 4), (1,))[0]
                    if flag == 0:  # the state stays
                        copy(was, to, units)
                        if kind == LSTM:
                            copy(of_c, cs + at * units * 4, units)
                        if kept:
                            fill(keptm, numba.float32(0), 4 * units)
                        continue
                for j in range(0, units, LANES):
                    n, o = min(LANES, units - j), j * 4
                    if kind == LSTM:
                        _lstm_step(n, bias + o, zm + o, keptm + o, of_c + o,
                                   cs + at * units * 4 + o, to + o, units)  # fmt: skip
                    elif kind == GRU:
                        _gru_step(n, bias + o, inner_bias + o, zm + o, innerm + o, keptm + o,
                                  was + o, to + o, units)  # fmt: skip
                    elif kind == TANH:
                        _tanh_step(n, bias + o, zm + o, to + o)
                    else:
                        _relu_step(n, bias + o, zm + o, to + o)
        for m in range(first, first + rows):
            end = ((m + 1) * steps - 1) * units * 4
            copy(hs + end, h + m * units * 4, units)
            if kind == LSTM:
                copy(cs + end, c + m * units * 4, units)


@numba.njit(error_model="numpy", nogil=True)
def _weights(told, scratch):
    """Sum the products of what each step reads and the gradients of that step.

    What it reads are `features` numbers of the input, `units` of the state before, and a one, for
    the bias.
    """
    samples, steps, features, units = told[1], told[2], told[3], told[4]
    columns, share, x, h0, hs = told[5], told[6], told[7], told[8], told[9]
    dz, dweights, dkernel, dbias = told[10], told[11], told[12], told[13]
    begun = told.ctypes.data + 8 * (SIZE - 1)
    read = features + units + 1
    blocks = (read + 7) // 8
    row = blocks * 8
    left, panel = scratch, scratch + row * DEPTH * 4
    sums = panel + DEPTH * WIDTH * 4
    a = numba.carray(floats(left), (DEPTH, row))
    total = samples * steps
    panels = (columns + WIDTH - 1) // WIDTH
    while True:
        taken = fetch_add(begun) * share
        if taken >= panels:
            break
        fill(left, numba.float32(0), row * DEPTH)
        for k in range(DEPTH):
            a[k, read - 1] = 1
        for start in range(0, total, DEPTH):
            depth = min(DEPTH, total - start)
            n, t = start // steps, start % steps
            for k in range(depth):
                to = left + k * row * 4
                if features:
                    copy(x + (start + k) * features * 4, to, features)
                if units:
                    was = hs + (start + k - 1) * units * 4 if t else h0 + n * units * 4
                    copy(was, to + features * 4, units)
                t += 1
                if t == steps:
                    n, t = n + 1, 0
            for p in range(taken, min(taken + share, panels)):
                wide = min(WIDTH, columns - p * WIDTH)
                source = dz + (start * columns + p * WIDTH) * 4
                pack_rows(source, columns, depth, wide, panel)
                for m in range(blocks):
                    c = sums + ((p - taken) * blocks + m) * 8 * WIDTH * 4
                    block8(left + m * 32, 1, row, depth, left, 0, 0, panel, c, WIDTH, start)
        for p in range(taken, min(taken + share, panels)):
            wide = min(WIDTH, columns - p * WIDTH)
            for m in range(read):
                c = sums + ((p - taken) * blocks * 8 + m) * WIDTH * 4
                if m < features:
                    into = dweights + m * columns * 4
                elif m < read - 1:
                    into = dkernel + (m - features) * columns * 4
                else:
                    into = dbias
                copy(c, into + p * WIDTH * 4, wide)


@numba.njit(error_model="numpy", nogil=True)
def _backward(told):
    kind, samples, steps, features, units = told[1], told[2], told[3], told[4], told[5]
    gates, group, g_hs, g_h, g_c = told[6], told[7], told[10], told[11], told[12]
    weights, kernel, h0, c0, mask = told[13], told[14], told[15], told[16], told[17]
    hs, kept, cs, dz, inner = told[18], told[19], told[20], told[21], told[22]
    dx, dh0, dc0, first_sum, second_sum = told[23], told[24], told[25], told[26], told[27]
    counter = told.ctypes.data
    scratch = told[8] + told[9] * fetch_add(counter) * 4
    begun, finished = counter + 8 * (SIZE - 1), counter + 8 * (SIZE - 2)
    columns = gates * units
    count, count_x = (units + WIDTH - 1) // WIDTH, (features + WIDTH - 1) // WIDTH
    wide, wide_x = count * WIDTH, count_x * WIDTH
    of_h = scratch
    dh = of_h + wide * columns * 4
    dc = dh + group * wide * 4
    of_x = dc + group * wide * 4  # the rest is there only if dx is wanted
    dx_row = of_x + wide_x * columns * 4
    ready = False
    while True:
        first = fetch_add(begun) * group
        if first >= samples:
            break
        if not ready:
            pack_transposed(kernel, columns, units, columns, of_h)
            if dx:
                pack_transposed(weights, columns, features, columns, of_x)
            ready = True
        rows = min(group, samples - first)
        for m in range(rows):
            copy(g_h + (first + m) * units * 4, dh + m * wide * 4, units)
            if kind == LSTM:
                copy(g_c + (first + m) * units * 4, dc + m * wide * 4, units)
        for back in range(steps):
            t = steps - 1 - back
            for m in range(rows):
                at = (first + m) * steps + t
                if t:
                    was, of_c = hs + (at - 1) * units * 4, cs + (at - 1) * units * 4
                else:
                    was, of_c = h0 + (first + m) * units * 4, c0 + (first + m) * units * 4
                dhm, dcm = dh + m * wide * 4, dc + m * wide * 4
                g = g_hs + at * units * 4 if g_hs else 0
                dzm, innerm = dz + at * columns * 4, inner + at * columns * 4
                keptm = kept + at * 4 * units * 4
                if mask:
                    flag = numba.carray(floats(mask + at * 4), (1,))[0]
                    if flag == 0:
                        fill(dzm, numba.float32(0), columns)
                        if kind == GRU:
                            fill(innerm, numba.float32(0), columns)
                        if g:
                            a = numba.carray(floats(g), (units,))
                            b = numba.carray(floats(dhm), (units,))
                            for j in range(units):
                                b[j] += a[j]
                        continue
                for j in range(0, units, LANES):
                    n, o = min(LANES, units - j), j * 4
                    go = g + o if g else 0
                    if kind == LSTM:
                        _lstm_back(n, go, dhm + o, dcm + o, keptm + o, of_c + o,
                                   cs + at * units * 4 + o, dzm + o, units)  # fmt: skip
                    elif kind == GRU:
                        _gru_back(n, go, dhm + o, keptm + o, was + o, dzm + o, innerm + o, units)
                    elif kind == TANH:
                        _tanh_back(n, go, dhm + o, hs + at * units * 4 + o, dzm + o)
                    else:
                        _relu_back(n, go, dhm + o, hs + at * units * 4 + o, dzm + o)
            start = (first * steps + t) * columns * 4
            row = steps * columns
            product(inner + start, row, 1, columns, inner, 0, 0, rows, of_h, count, dh, wide, 1)
            if dx:
                product(dz + start, row, 1, columns, dz, 0, 0, rows, of_x, count_x, dx_row, wide_x,
                         0)  # fmt: skip
                for m in range(rows):
                    to = dx + ((first + m) * steps + t) * features * 4
                    copy(dx_row + m * wide_x * 4, to, features)
        for m in range(rows):
            copy(dh + m * wide * 4, dh0 + (first + m) * units * 4, units)
            if kind == LSTM:
                copy(dc + m * wide * 4, dc0 + (first + m) * units * 4, units)
        fetch_add(finished)
    # The sums over all steps wait for all groups, those that other threads have taken too. A thread
    # keeps its own scratch memory: another one may still be at the sum before.
    looks = 0
    while load_acquire(finished) < (samples + group - 1) // group:
        looks += 1
        if looks > 10_000:  # some microseconds: its core may be taken by another program
            give_way()
    _weights(numba.carray(longs_at(first_sum), (SIZE,)), scratch)
    if second_sum:
        _weights(numba.carray(longs_at(second_sum), (SIZE,)), scratch)


_entry = entry(vector_formulas, panels, threaded_kernels)


@_entry
def _run_forward(pointer):
    _forward(numba.carray(longs(pointer), (SIZE,)))


@_entry
def _run_backward(pointer):
    _backward(numba.carray(longs(pointer), (SIZE,)))


# --- calling them ---------------------------------------------------------------------------------


def _sharing(samples: int, steps: int, weights: int) -> tuple[int, int]:
    """Return how many threads to use, and how many samples one takes at a time."""
    threads = threads_for(samples * steps * weights)
    group = min(LARGE_GROUP if weights > LARGE else GROUP, max(4, -(-samples // threads)))
    return max(1, min(threads, -(-samples // group))), group


def _recur(kind, gates, x, weights, kernel, bias, inner, h0, c0, mask, hs, h, c, kept, cs) -> None:
    samples, steps, features = x.shape
    units, columns = kernel.shape
    threads, group = _sharing(samples, steps, (features + units) * columns)
    room = panels_of(columns) * WIDTH * (features + units + 2 * group)
    scratch = scratch_memory.get(room * threads)
    arrays = (scratch, x, weights, kernel, bias, inner, h0, c0, mask, hs, h, c, kept, cs)
    first, *rest = map(address_of, arrays)
    told = told_numbers(0, kind, samples, steps, features, units, gates, group, first, room, *rest)
    run(_run_forward, told, threads)


def _recur_back(
    kind, gates, g_hs, g_h, g_c, x, weights, kernel, h0, c0, mask, hs, kept, cs, dz, inner,
    dx, dweights, dkernel, dbias, dinner, dh0, dc0,
) -> None:  # fmt: skip
    samples, steps, features = x.shape
    units, columns = kernel.shape
    threads, group = _sharing(samples, steps, (features + units) * columns)
    room = panels_of(units) * WIDTH * (columns + 2 * group)
    if dx is not None:
        room += panels_of(features) * WIDTH * (columns + group)
    # Few shares of the sums: what they read is copied for each of them.
    share = -(-panels_of(columns) // threads)
    rows = -(-(features + units + 1) // 8) * 8
    room = max(room, rows * DEPTH + DEPTH * WIDTH + share * rows * WIDTH)
    scratch = address_of(scratch_memory.get(room * threads))

    def sums(x, h0, hs, dz, dweights, dkernel, dbias):
        sizes = 0 if x is None else features, 0 if hs is None else units
        arrays = map(address_of, (x, h0, hs, dz, dweights, dkernel, dbias))
        return told_numbers(0, samples, steps, *sizes, columns, share, *arrays)

    if dz is inner:
        parts = [sums(x, h0, hs, dz, dweights, dkernel, dbias)]
    else:
        parts = [
            sums(x, None, None, dz, dweights, None, dbias),
            sums(None, h0, hs, inner, None, dkernel, dinner),
        ]
    arrays = (g_hs, g_h, g_c, weights, kernel, h0, c0, mask, hs, kept, cs, dz, inner, dx, dh0, dc0)
    told = told_numbers(
        0, kind, samples, steps, features, units, gates, group, scratch, room,
        *map(address_of, arrays), *map(address_of, parts),
    )  # fmt: skip
    run(_run_backward, told, threads)


def lstm_forward(x, weights, kernel, bias, h0, c0, mask, hs, h, c, kept, cs) -> None:
    """Run an LSTM over time.

    Parameters
    ----------
    x
        Input, (samples, steps, features).
    weights, kernel, bias
        Kernel (features, 4 units), recurrent kernel (units, 4 units) and bias (4 units,): of input,
        forget, cell and output gate.
    h0, c0
        State before, (samples, units).
    mask
        (samples, steps), 0 where the state stays as it is; or None.
    hs, h, c, kept, cs
        Are filled: all states, the last one, the last cell state, the gates, all cell states.
    """
    _recur(LSTM, 4, x, weights, kernel, bias, None, h0, c0, mask, hs, h, c, kept, cs)


def lstm_backward(
    g_hs, g_h, g_c, x, weights, kernel, h0, c0, mask, hs, kept, cs, dz,
    dx, dweights, dkernel, dbias, dh0, dc0,
) -> None:  # fmt: skip
    """Fill the gradients of an LSTM's arguments.

    `g_hs` and `dx` may be None; `dz`, which is filled with the gradient of what the gates read, may
    be `kept`.
    """
    _recur_back(
        LSTM, 4, g_hs, g_h, g_c, x, weights, kernel, h0, c0, mask, hs, kept, cs, dz, dz,
        dx, dweights, dkernel, dbias, None, dh0, dc0,
    )  # fmt: skip


def gru_forward(x, weights, kernel, bias, inner, h0, mask, hs, h, kept) -> None:
    """Run a GRU over time, its reset gate behind the product.

    The gates are update, reset and new; `inner` is the bias of the product with the recurrent
    kernel. ``kept`` has 4 units a step.
    """
    _recur(GRU, 3, x, weights, kernel, bias, inner, h0, None, mask, hs, h, None, kept, None)


def gru_backward(
    g_hs, g_h, x, weights, kernel, h0, mask, hs, kept, dx, dweights, dkernel, dbias, dinner, dh0
) -> None:
    """Fill the gradients of a GRU's arguments."""
    dz = numpy.empty((*hs.shape[:2], kernel.shape[1]), "float32")
    _recur_back(
        GRU, 3, g_hs, g_h, None, x, weights, kernel, h0, None, mask, hs, kept, None, dz,
        numpy.empty_like(dz), dx, dweights, dkernel, dbias, dinner, dh0, None,
    )  # fmt: skip


def rnn_forward(x, weights, kernel, bias, h0, mask, relu, hs, h) -> None:
    """Run a simple recurrence over time, with tanh or relu."""
    kind = RELU if relu else TANH
    _recur(kind, 1, x, weights, kernel, bias, None, h0, None, mask, hs, h, None, None, None)


def rnn_backward(
    g_hs, g_h, x, weights, kernel, h0, mask, relu, hs, dx, dweights, dkernel, dbias, dh0
) -> None:
    """Fill the gradients of a simple recurrence's arguments."""
    dz = numpy.empty(hs.shape, "float32")
    _recur_back(
        RELU if relu else TANH, 1, g_hs, g_h, None, x, weights, kernel, h0, None, mask, hs, None,
        None, dz, dz, dx, dweights, dkernel, dbias, None, dh0, None,
    )  # fmt: skip
