"""Recurrences over time as machine code: float32, all cores; knows no layers and no graphs.

A step of a recurrence is a product with the recurrent kernel and some element-wise work. A library
call for each of them costs more than the work at the sizes that recurrent layers have, so both are
here: a product whose right operand was brought into panels once for all time steps (7.1 ps a
multiplication on one Zen 5 core; OpenBLAS takes 16, oneDNN 8), and the element-wise part on
vectors, its exponentials included. Threads take groups of samples from a counter, go through all
time steps by themselves and never wait for each other. What a group gives doesn't depend on who
takes it, so results don't depend on the number of threads.

numba compiles it and keeps the machine code on disk. Importing this module imports numba.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable
from typing import Any

import llvmlite.binding
import numba
import numpy
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from minpy import runtime

__all__ = ["gru_backward", "gru_forward", "lstm_backward", "lstm_forward", "rnn_backward",
           "rnn_forward"]  # fmt: skip


def _lanes() -> int:
    """Return how many float32 a vector has, without which a block would not fit the registers."""
    features = llvmlite.binding.get_host_cpu_features()
    # LLVM uses half of AVX-512's width on Intel's processors, as they slow down with all of it.
    wide = features.get("avx512f") and llvmlite.binding.get_host_cpu_name().startswith("znver")
    return 16 if wide else 8


LANES = _lanes()
WIDTH = 2 * LANES  # columns of a panel
# Samples that a thread takes at a time: few, so that a thread that comes late finds some left, and
# more where the weights are too many for the second cache.
GROUP, LARGE_GROUP, LARGE = 8, 32, 200_000
DEPTH = 64  # rows that are read into the first cache at a time, for sums over all steps

_FLOAT, _INT, _LONG = ir.FloatType(), ir.IntType(32), ir.IntType(64)
_VECTOR, _INTS = ir.VectorType(_FLOAT, LANES), ir.VectorType(_INT, LANES)
_CONTRACT = ("contract",)


def _splat(builder: Any, scalar: Any) -> Any:
    undefined = ir.Constant(_VECTOR, ir.Undefined)
    one = builder.insert_element(undefined, scalar, ir.Constant(_INT, 0))
    return builder.shuffle_vector(one, undefined, ir.Constant(_INTS, [0] * LANES))


def _long(value: int) -> Any:
    return ir.Constant(_LONG, value)


# --- the product ----------------------------------------------------------------------------------


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
            floats, vectors = _FLOAT.as_pointer(), _VECTOR.as_pointer()
            a, b, panel, c = (builder.inttoptr(p, floats) for p in (a, b, panel, c))
            sums = [(m, v) for m in range(rows) for v in range(2)]

            def target(m, v):
                offset = builder.add(builder.mul(_long(m), c_row), _long(v * LANES))
                return builder.bitcast(builder.gep(c, [offset]), vectors)

            def grown_by(found, left, left_row, left_step, panel, count):
                starts = [builder.gep(left, [builder.mul(_long(m), left_row)]) for m in range(rows)]
                before = builder.block
                loop, end = (builder.append_basic_block(name) for name in ("loop", "end"))
                builder.cbranch(builder.icmp_signed(">", count, _long(0)), loop, end)
                builder.position_at_end(loop)
                k = builder.phi(_LONG)
                running = [builder.phi(_VECTOR) for _ in sums]
                row = builder.gep(panel, [builder.mul(k, _long(WIDTH))])
                right = []
                for v in range(2):
                    at = builder.bitcast(builder.gep(row, [_long(v * LANES)]), vectors)
                    right.append(builder.load(at))
                    right[-1].align = 4
                offset = builder.mul(k, left_step)
                numbers = []
                for m in range(rows):
                    number = builder.load(builder.gep(starts[m], [offset]))
                    number.align = 4
                    numbers.append(_splat(builder, number))
                new = [
                    builder.fadd(r, builder.fmul(numbers[m], right[v], _CONTRACT), _CONTRACT)
                    for r, (m, v) in zip(running, sums, strict=True)
                ]
                following = builder.add(k, _long(1))
                k.add_incoming(_long(0), before)
                k.add_incoming(following, loop)
                for r, old, n in zip(running, found, new, strict=True):
                    r.add_incoming(old, before)
                    r.add_incoming(n, loop)
                builder.cbranch(builder.icmp_signed("<", following, count), loop, end)
                builder.position_at_end(end)
                out = [builder.phi(_VECTOR) for _ in sums]
                for o, old, n in zip(out, found, new, strict=True):
                    o.add_incoming(old, before)
                    o.add_incoming(n, loop)
                return out

            found = grown_by(
                [ir.Constant(_VECTOR, None)] * len(sums), a, a_row, a_step, panel, depth
            )
            rest = builder.gep(panel, [builder.mul(depth, _long(WIDTH))])
            found = grown_by(found, b, b_row, _long(1), rest, more)
            names = ("add", "store", "out")
            adding, storing, out = map(builder.append_basic_block, names)
            builder.cbranch(builder.icmp_signed("!=", add, _long(0)), adding, storing)
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


_block8, _block4, _block2, _block1 = map(_make_block, (8, 4, 2, 1))


@numba.njit(error_model="numpy")
def _product(a, a_row, depth, b, b_row, more, rows, panels, count, c, c_row, add):
    """Multiply rows, each in one or two pieces, with all panels of a matrix."""
    for p in range(count):
        panel, to = panels + p * (depth + more) * WIDTH * 4, c + p * WIDTH * 4
        m = 0
        while m + 8 <= rows:
            _block8(a + m * a_row * 4, a_row, 1, depth, b + m * b_row * 4, b_row, more, panel,
                    to + m * c_row * 4, c_row, add)  # fmt: skip
            m += 8
        if m + 4 <= rows:
            _block4(a + m * a_row * 4, a_row, 1, depth, b + m * b_row * 4, b_row, more, panel,
                    to + m * c_row * 4, c_row, add)  # fmt: skip
            m += 4
        if m + 2 <= rows:
            _block2(a + m * a_row * 4, a_row, 1, depth, b + m * b_row * 4, b_row, more, panel,
                    to + m * c_row * 4, c_row, add)  # fmt: skip
            m += 2
        if m < rows:
            _block1(a + m * a_row * 4, a_row, 1, depth, b + m * b_row * 4, b_row, more, panel,
                    to + m * c_row * 4, c_row, add)  # fmt: skip


# --- element-wise work ----------------------------------------------------------------------------


class _Lanes:
    """Writes the instructions of element-wise formulas on a vector."""

    def __init__(self, builder: Any, count: Any) -> None:
        self.builder = builder
        places = ir.Constant(_INTS, list(range(LANES)))
        undefined = ir.Constant(_INTS, ir.Undefined)
        one = builder.insert_element(undefined, builder.trunc(count, _INT), ir.Constant(_INT, 0))
        limit = builder.shuffle_vector(one, undefined, ir.Constant(_INTS, [0] * LANES))
        # The last vector of a row may be shorter than the others.
        self.inside = builder.icmp_signed("<", places, limit)

    def _pointer(self, address: Any) -> Any:
        return self.builder.inttoptr(address, _VECTOR.as_pointer())

    def load(self, address: Any) -> _Value:
        kind = ir.FunctionType(_VECTOR, [_VECTOR.as_pointer(), _INT, self.inside.type, _VECTOR])
        name = f"llvm.masked.load.v{LANES}f32.p0v{LANES}f32"
        function = numba.core.cgutils.get_or_insert_function(self.builder.module, kind, name)
        zero = ir.Constant(_VECTOR, None)
        given = [self._pointer(address), ir.Constant(_INT, 4), self.inside, zero]
        return _Value(self, self.builder.call(function, given))

    def load_if(self, address: Any) -> _Value:
        """Return what is at an address, zeros if the address is zero."""
        builder = self.builder
        before = builder.block
        there = builder.icmp_signed("!=", address, _long(0))
        with builder.if_then(there):
            found = self.load(address).value
            inside = builder.block
        chosen = builder.phi(_VECTOR)
        chosen.add_incoming(ir.Constant(_VECTOR, None), before)
        chosen.add_incoming(found, inside)
        return _Value(self, chosen)

    def store(self, address: Any, value: _Value) -> None:
        kind = ir.FunctionType(
            ir.VoidType(), [_VECTOR, _VECTOR.as_pointer(), _INT, self.inside.type]
        )
        name = f"llvm.masked.store.v{LANES}f32.p0v{LANES}f32"
        function = numba.core.cgutils.get_or_insert_function(self.builder.module, kind, name)
        given = [value.value, self._pointer(address), ir.Constant(_INT, 4), self.inside]
        self.builder.call(function, given)

    def constant(self, number: float) -> Any:
        return ir.Constant(_VECTOR, [float(numpy.float32(number))] * LANES)


class _Value:
    """A vector in a formula."""

    def __init__(self, lanes: _Lanes, value: Any) -> None:
        self.lanes = lanes
        self.value = value

    def _with(self, operation: str, other: Any, swapped: bool = False) -> _Value:
        theirs = other.value if isinstance(other, _Value) else self.lanes.constant(other)
        pair = (theirs, self.value) if swapped else (self.value, theirs)
        return _Value(self.lanes, getattr(self.lanes.builder, operation)(*pair, flags=_CONTRACT))

    def __add__(self, other: Any) -> _Value:
        return self._with("fadd", other)

    def __mul__(self, other: Any) -> _Value:
        return self._with("fmul", other)

    def __sub__(self, other: Any) -> _Value:
        return self._with("fsub", other)

    def __rsub__(self, other: Any) -> _Value:
        return self._with("fsub", other, swapped=True)

    def __truediv__(self, other: Any) -> _Value:
        return self._with("fdiv", other)

    def __rtruediv__(self, other: Any) -> _Value:
        return self._with("fdiv", other, swapped=True)

    __radd__, __rmul__ = __add__, __mul__

    def where_positive(self, of: _Value) -> _Value:
        """Return this where `of` is above 0, else 0."""
        builder = self.lanes.builder
        zero = ir.Constant(_VECTOR, None)
        above = builder.fcmp_ordered("<=", of.value, zero)
        return _Value(self.lanes, builder.select(above, zero, self.value))

    def within(self, low: float, high: float) -> _Value:
        """Return it no further than two bounds; NaN stays NaN."""
        builder, value = self.lanes.builder, self.value
        for sign, bound in (("<", low), (">", high)):
            limit = self.lanes.constant(bound)
            value = builder.select(builder.fcmp_ordered(sign, value, limit), limit, value)
        return _Value(self.lanes, value)


# ln 2 in two parts, the first with few bits, so that a multiple of it is exact.
_LN2_HIGH, _LN2_LOW = 0.693145751953125, 1.42860682030941723e-6
_ROUNDING = 12582912.0  # 1.5 * 2**23: adding it rounds to an integer, in the lowest bits


def _expm1(x: _Value) -> tuple[_Value, _Value]:
    """Return a power of two s, and p: exp(x) = s + s * p, where p is exp(r) - 1 for a small r."""
    builder = x.lanes.builder
    shifted = x * 1.4426950408889634 + _ROUNDING
    n = shifted - _ROUNDING
    r = (x - n * _LN2_HIGH) - n * _LN2_LOW
    tail = r * (1 / 5040) + 1 / 720
    for coefficient in (1 / 120, 1 / 24, 1 / 6, 1 / 2):
        tail = tail * r + coefficient
    p = tail * (r * r) + r
    bits = builder.bitcast(shifted.value, _INTS)
    bias = int(numpy.float32(_ROUNDING).view("int32")) - 127
    exponent = builder.sub(bits, ir.Constant(_INTS, [bias] * LANES))
    power = builder.shl(exponent, ir.Constant(_INTS, [23] * LANES))
    return _Value(x.lanes, builder.bitcast(power, _VECTOR)), p


def _sigmoid(x: _Value) -> _Value:
    scale, p = _expm1((0.0 - x).within(-87.0, 87.0))
    return 1.0 / (scale * p + scale + 1.0)


def _tanh(x: _Value) -> _Value:
    # By exp - 1, which is as precise near 0 as elsewhere.
    scale, p = _expm1((x + x).within(-40.0, 40.0))
    e = scale * p + (scale - 1.0)
    return e / (e + 2.0)


def _formula(body: Callable[..., None], arguments: int) -> Callable[..., Any]:
    """Return ``f(count, *addresses)``, which applies a formula to `count` elements, one vector."""
    names = ", ".join(f"a{i}" for i in range(arguments))
    scope: dict[str, Any] = {"types": types, "_Lanes": _Lanes, "body": body}
    # numba wants to see the arguments.
    exec(
        f"def formula(typing, count, {names}):\n"
        "    def generate(context, builder, signature, args):\n"
        "        body(_Lanes(builder, args[0]), *args[1:])\n"
        "        return context.get_dummy_value()\n"
        f"    return types.void(*[types.intp] * {arguments + 1}), generate\n",
        scope,
    )
    return intrinsic(scope["formula"])


def _offsets(lanes: _Lanes, address: Any, step: Any, count: int) -> list[Any]:
    """Return addresses that lie `step` floats apart."""
    builder = lanes.builder
    size = builder.mul(step, _long(4))
    found = [address]
    for _ in range(count - 1):
        found.append(builder.add(found[-1], size))
    return found


def _lstm_step(e, bias, z, gates, before, c, h, units):
    bias, z, gates = (_offsets(e, a, units, 4) for a in (bias, z, gates))
    i, f, g, o = (e.load(bias[k]) + e.load(z[k]) for k in range(4))
    i, f, g, o = _sigmoid(i), _sigmoid(f), _tanh(g), _sigmoid(o)
    cell = f * e.load(before) + i * g
    for k, value in enumerate((i, f, g, o)):
        e.store(gates[k], value)
    e.store(c, cell)
    e.store(h, o * _tanh(cell))


def _lstm_back(e, g_h, dh, dc, gates, before, c, dx, units):
    gates, dx = _offsets(e, gates, units, 4), _offsets(e, dx, units, 4)
    i, f, g, o = (e.load(a) for a in gates)
    tanh = _tanh(e.load(c))
    of_h = e.load(dh) + e.load_if(g_h)
    of_c = e.load(dc) + of_h * o * (1.0 - tanh * tanh)
    e.store(dx[0], of_c * g * i * (1.0 - i))
    e.store(dx[1], of_c * e.load(before) * f * (1.0 - f))
    e.store(dx[2], of_c * i * (1.0 - g * g))
    e.store(dx[3], of_h * tanh * o * (1.0 - o))
    e.store(dc, of_c * f)
    e.store(dh, of_h * 0.0)


def _gru_step(e, bias, inner_bias, z, inner, kept, before, h, units):
    bias, inner_bias = _offsets(e, bias, units, 3), _offsets(e, inner_bias, units, 3)
    z, inner, kept = (_offsets(e, a, units, n) for a, n in ((z, 3), (inner, 3), (kept, 4)))
    x = [e.load(z[k]) + e.load(bias[k]) for k in range(3)]
    y = [e.load(inner[k]) + e.load(inner_bias[k]) for k in range(3)]
    update, reset = _sigmoid(x[0] + y[0]), _sigmoid(x[1] + y[1])
    new = _tanh(x[2] + reset * y[2])
    for k, value in enumerate((update, reset, new, y[2])):
        e.store(kept[k], value)
    e.store(h, new + update * (e.load(before) - new))


def _gru_back(e, g_h, dh, kept, before, dx, dz, units):
    kept = _offsets(e, kept, units, 4)
    dx, dz = _offsets(e, dx, units, 3), _offsets(e, dz, units, 3)
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
    e.store(h, _tanh(e.load(bias) + e.load(z)))


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


_lstm_step, _lstm_back = _formula(_lstm_step, 7), _formula(_lstm_back, 8)
_gru_step, _gru_back = _formula(_gru_step, 8), _formula(_gru_back, 7)
_tanh_step, _relu_step = _formula(_tanh_step, 3), _formula(_relu_step, 3)
_tanh_back, _relu_back = _formula(_tanh_back, 4), _formula(_relu_back, 4)


# The other threads' turn on this core, if there are more threads than cores.
_give_way = types.ExternalFunction("sched_yield", types.int32())


# --- memory ---------------------------------------------------------------------------------------


@intrinsic
def _next(typing, counter):
    """Return a counter's value and add one to it, no two threads alike."""

    def generate(context, builder, signature, args):
        at = builder.inttoptr(args[0], _LONG.as_pointer())
        return builder.atomic_rmw("add", at, _long(1), "acq_rel")

    return types.intp(types.intp), generate


@intrinsic
def _read(typing, counter):
    """Return a counter's value as other threads have left it."""

    def generate(context, builder, signature, args):
        at = builder.inttoptr(args[0], _LONG.as_pointer())
        return builder.load_atomic(at, "acquire", 8)

    return types.intp(types.intp), generate


@intrinsic
def _floats(typing, address):
    """Return an address as a pointer to float32."""

    def generate(context, builder, signature, args):
        return builder.inttoptr(args[0], _FLOAT.as_pointer())

    return types.CPointer(types.float32)(types.intp), generate


@numba.njit(error_model="numpy")
def _copy(source, target, count):
    a, b = numba.carray(_floats(source), (count,)), numba.carray(_floats(target), (count,))
    for i in range(count):
        b[i] = a[i]


@numba.njit(error_model="numpy")
def _fill(target, value, count):
    b = numba.carray(_floats(target), (count,))
    for i in range(count):
        b[i] = value


@intrinsic
def _copy_row(typing, source, target):
    """Copy as many floats as a panel is wide."""

    def generate(context, builder, signature, args):
        pointers = [builder.inttoptr(a, _VECTOR.as_pointer()) for a in args]
        for v in range(2):
            source, target = (builder.gep(p, [_long(v)]) for p in pointers)
            found = builder.load(source)
            found.align = 4
            builder.store(found, target).align = 4
        return context.get_dummy_value()

    return types.void(types.intp, types.intp), generate


@numba.njit(error_model="numpy")
def _pack_rows(source, step, rows, wide, panel):
    """Lay a part of a matrix out as a panel, narrower ones filled up with zeros."""
    if wide == WIDTH:
        for k in range(rows):
            _copy_row(source + k * step * 4, panel + k * WIDTH * 4)
    else:
        _fill(panel, numba.float32(0), rows * WIDTH)
        for k in range(rows):
            _copy(source + k * step * 4, panel + k * WIDTH * 4, wide)


@numba.njit(error_model="numpy")
def _pack(matrix, rows, columns, panels, before, depth):
    """Lay a matrix out in panels of `depth` rows, behind `before` rows of other things."""
    for p in range((columns + WIDTH - 1) // WIDTH):
        wide = min(WIDTH, columns - p * WIDTH)
        panel = panels + (p * depth + before) * WIDTH * 4
        _pack_rows(matrix + p * WIDTH * 4, columns, rows, wide, panel)


@numba.njit(error_model="numpy")
def _pack_transposed(matrix, rows, columns, panels):
    """Lay the transpose of a matrix out in panels."""
    a = numba.carray(_floats(matrix), (rows, columns))
    for p in range((rows + WIDTH - 1) // WIDTH):
        wide = min(WIDTH, rows - p * WIDTH)
        b = numba.carray(_floats(panels + p * columns * WIDTH * 4), (columns, WIDTH))
        if wide < WIDTH:
            _fill(panels + p * columns * WIDTH * 4, numba.float32(0), columns * WIDTH)
        # A line of the matrix at a time: rows a power of two apart would drive each other out of
        # the first cache.
        for start in range(0, columns, 16):
            stop = min(start + 16, columns)
            for j in range(wide):
                row = a[p * WIDTH + j]
                for k in range(start, stop):
                    b[k, j] = row[k]


# --- the recurrences ------------------------------------------------------------------------------

# What a recurrence is told is an array of numbers and addresses: OpenMP hands over one pointer. The
# first counts the threads that have begun, the last the groups that were taken.
LSTM, GRU, TANH, RELU = range(4)
_SIZE = 32


@numba.njit(error_model="numpy", nogil=True)
def _forward(told):
    kind, samples, steps, features, units = told[1], told[2], told[3], told[4], told[5]
    gates, group, x, weights, kernel = told[6], told[7], told[10], told[11], told[12]
    bias, inner_bias, h0, c0, mask = told[13], told[14], told[15], told[16], told[17]
    hs, h, c, kept, cs = told[18], told[19], told[20], told[21], told[22]
    counter = told.ctypes.data
    scratch = told[8] + told[9] * _next(counter) * 4
    begun = counter + 8 * (_SIZE - 1)
    columns = gates * units
    count = (columns + WIDTH - 1) // WIDTH
    wide = count * WIDTH
    panels = scratch
    of_h = panels + wide * features * 4  # a GRU's two products are apart
    z = of_h + wide * units * 4
    inner = z + group * wide * 4
    ready = False
    while True:
        first = _next(begun) * group
        if first >= samples:
            break
        if not ready:
            if kind == GRU:
                _pack(weights, features, columns, panels, 0, features)
                _pack(kernel, units, columns, of_h, 0, units)
            else:
                _pack(weights, features, columns, panels, 0, features + units)
                _pack(kernel, units, columns, panels, features, features + units)
            ready = True
        rows = min(group, samples - first)
        for t in range(steps):
            if t:
                before, row = hs + (first * steps + t - 1) * units * 4, steps * units
            else:
                before, row = h0 + first * units * 4, units
            start = x + (first * steps + t) * features * 4
            if kind == GRU:
                _product(start, steps * features, features, start, 0, 0, rows, panels, count, z,
                         wide, 0)  # fmt: skip
                _product(before, row, units, before, 0, 0, rows, of_h, count, inner, wide, 0)
            else:
                _product(start, steps * features, features, before, row, units, rows, panels,
                         count, z, wide, 0)  # fmt: skip
            for m in range(rows):
                at = (first + m) * steps + t
                to, was = hs + at * units * 4, before + m * row * 4
                zm, innerm = z + m * wide * 4, inner + m * wide * 4
                keptm = kept + at * 4 * units * 4
                of_c = cs + (at - 1) * units * 4 if t else c0 + (first + m) * units * 4
                if mask:
                    flag = numba.carray(_floats(mask + at * 4), (1,))[0]
                    if flag == 0:  # the state stays
                        _copy(was, to, units)
                        if kind == LSTM:
                            _copy(of_c, cs + at * units * 4, units)
                        if kept:
                            _fill(keptm, numba.float32(0), 4 * units)
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
            _copy(hs + end, h + m * units * 4, units)
            if kind == LSTM:
                _copy(cs + end, c + m * units * 4, units)


@intrinsic
def _longs(typing, pointer):
    """Return a pointer to anything as one to int64."""

    def generate(context, builder, signature, args):
        return builder.bitcast(args[0], _LONG.as_pointer())

    return types.CPointer(types.int64)(types.voidptr), generate


@intrinsic
def _address_of_longs(typing, address):
    """Return an address as a pointer to int64."""

    def generate(context, builder, signature, args):
        return builder.inttoptr(args[0], _LONG.as_pointer())

    return types.CPointer(types.int64)(types.intp), generate


@numba.njit(error_model="numpy", nogil=True)
def _weights(told, scratch):
    """Sum the products of what each step reads and the gradients of that step.

    What it reads are `features` numbers of the input, `units` of the state before, and a one, for
    the bias.
    """
    samples, steps, features, units = told[1], told[2], told[3], told[4]
    columns, share, x, h0, hs = told[5], told[6], told[7], told[8], told[9]
    dz, dweights, dkernel, dbias = told[10], told[11], told[12], told[13]
    begun = told.ctypes.data + 8 * (_SIZE - 1)
    read = features + units + 1
    blocks = (read + 7) // 8
    row = blocks * 8
    left, panel = scratch, scratch + row * DEPTH * 4
    sums = panel + DEPTH * WIDTH * 4
    a = numba.carray(_floats(left), (DEPTH, row))
    total = samples * steps
    panels = (columns + WIDTH - 1) // WIDTH
    while True:
        taken = _next(begun) * share
        if taken >= panels:
            break
        _fill(left, numba.float32(0), row * DEPTH)
        for k in range(DEPTH):
            a[k, read - 1] = 1
        for start in range(0, total, DEPTH):
            depth = min(DEPTH, total - start)
            n, t = start // steps, start % steps
            for k in range(depth):
                to = left + k * row * 4
                if features:
                    _copy(x + (start + k) * features * 4, to, features)
                if units:
                    was = hs + (start + k - 1) * units * 4 if t else h0 + n * units * 4
                    _copy(was, to + features * 4, units)
                t += 1
                if t == steps:
                    n, t = n + 1, 0
            for p in range(taken, min(taken + share, panels)):
                wide = min(WIDTH, columns - p * WIDTH)
                source = dz + (start * columns + p * WIDTH) * 4
                _pack_rows(source, columns, depth, wide, panel)
                for m in range(blocks):
                    c = sums + ((p - taken) * blocks + m) * 8 * WIDTH * 4
                    _block8(left + m * 32, 1, row, depth, left, 0, 0, panel, c, WIDTH, start)
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
                _copy(c, into + p * WIDTH * 4, wide)


@numba.njit(error_model="numpy", nogil=True)
def _backward(told):
    kind, samples, steps, features, units = told[1], told[2], told[3], told[4], told[5]
    gates, group, g_hs, g_h, g_c = told[6], told[7], told[10], told[11], told[12]
    weights, kernel, h0, c0, mask = told[13], told[14], told[15], told[16], told[17]
    hs, kept, cs, dz, inner = told[18], told[19], told[20], told[21], told[22]
    dx, dh0, dc0, first_sum, second_sum = told[23], told[24], told[25], told[26], told[27]
    counter = told.ctypes.data
    scratch = told[8] + told[9] * _next(counter) * 4
    begun, finished = counter + 8 * (_SIZE - 1), counter + 8 * (_SIZE - 2)
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
        first = _next(begun) * group
        if first >= samples:
            break
        if not ready:
            _pack_transposed(kernel, units, columns, of_h)
            if dx:
                _pack_transposed(weights, features, columns, of_x)
            ready = True
        rows = min(group, samples - first)
        for m in range(rows):
            _copy(g_h + (first + m) * units * 4, dh + m * wide * 4, units)
            if kind == LSTM:
                _copy(g_c + (first + m) * units * 4, dc + m * wide * 4, units)
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
                    flag = numba.carray(_floats(mask + at * 4), (1,))[0]
                    if flag == 0:
                        _fill(dzm, numba.float32(0), columns)
                        if kind == GRU:
                            _fill(innerm, numba.float32(0), columns)
                        if g:
                            a = numba.carray(_floats(g), (units,))
                            b = numba.carray(_floats(dhm), (units,))
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
            _product(inner + start, row, columns, inner, 0, 0, rows, of_h, count, dh, wide, 1)
            if dx:
                _product(dz + start, row, columns, dz, 0, 0, rows, of_x, count_x, dx_row, wide_x,
                         0)  # fmt: skip
                for m in range(rows):
                    to = dx + ((first + m) * steps + t) * features * 4
                    _copy(dx_row + m * wide_x * 4, to, features)
        for m in range(rows):
            _copy(dh + m * wide * 4, dh0 + (first + m) * units * 4, units)
            if kind == LSTM:
                _copy(dc + m * wide * 4, dc0 + (first + m) * units * 4, units)
        _next(finished)
    # The sums over all steps wait for all groups, those that other threads have taken too. A thread
    # keeps its own scratch memory: another one may still be at the sum before.
    looks = 0
    while _read(finished) < (samples + group - 1) // group:
        looks += 1
        if looks > 10_000:  # some microseconds: its core may be taken by another program
            _give_way()
    _weights(numba.carray(_address_of_longs(first_sum), (_SIZE,)), scratch)
    if second_sum:
        _weights(numba.carray(_address_of_longs(second_sum), (_SIZE,)), scratch)


def _entry(function: Callable[[Any], None]) -> Any:
    """Compile a function that OpenMP can call; the machine code is kept where that can be done."""
    signature = types.void(types.voidptr)
    try:
        return numba.cfunc(signature, cache=True, error_model="numpy")(function)
    except RuntimeError:  # no folder to write to
        return numba.cfunc(signature, error_model="numpy")(function)


@_entry
def _run_forward(pointer):
    _forward(numba.carray(_longs(pointer), (_SIZE,)))


@_entry
def _run_backward(pointer):
    _backward(numba.carray(_longs(pointer), (_SIZE,)))


# --- calling them ---------------------------------------------------------------------------------

# Below so many multiplications a second thread comes too late to help.
_WORTH_SHARING = 1_000_000


# OpenMP's threads don't survive a fork: a child that uses them hangs. What was forked before this
# module was imported shows as a child of multiprocessing's.
_forked = multiprocessing.parent_process() is not None


def _after_fork() -> None:
    global _forked
    _forked = True


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


class _Scratch(threading.local):
    """Memory that calls of a thread use one after the other."""

    memory = numpy.empty(0, "float32")

    def get(self, size: int) -> numpy.ndarray:
        if self.memory.size < size:
            self.memory = numpy.empty(size, "float32")
        return self.memory


_scratch = _Scratch()


def _told(*numbers: int) -> numpy.ndarray:
    found = numpy.zeros(_SIZE, "int64")
    found[: len(numbers)] = numbers
    return found


def _run(entry: Any, told: numpy.ndarray, threads: int) -> None:
    """Run a recurrence on OpenMP's threads, those that MXNet's operators have just used."""
    region = runtime.parallel_region() if threads > 1 else None
    if region is None:
        entry.ctypes(told.ctypes.data)
    else:
        region(entry.address, told.ctypes.data, threads, 0)


def _address(array: numpy.ndarray | None) -> int:
    return 0 if array is None else array.ctypes.data


def _sharing(samples: int, steps: int, weights: int) -> tuple[int, int]:
    """Return how many threads to use, and how many samples one takes at a time."""
    shared = samples * steps * weights >= _WORTH_SHARING and not _forked
    threads = runtime.threads() if shared else 1
    group = min(LARGE_GROUP if weights > LARGE else GROUP, max(4, -(-samples // threads)))
    return max(1, min(threads, -(-samples // group))), group


def _panels(columns: int) -> int:
    return -(-columns // WIDTH)


def _recur(kind, gates, x, weights, kernel, bias, inner, h0, c0, mask, hs, h, c, kept, cs) -> None:
    samples, steps, features = x.shape
    units, columns = kernel.shape
    threads, group = _sharing(samples, steps, (features + units) * columns)
    room = _panels(columns) * WIDTH * (features + units + 2 * group)
    scratch = _scratch.get(room * threads)
    arrays = (scratch, x, weights, kernel, bias, inner, h0, c0, mask, hs, h, c, kept, cs)
    first, *rest = map(_address, arrays)
    told = _told(0, kind, samples, steps, features, units, gates, group, first, room, *rest)
    _run(_run_forward, told, threads)


def _recur_back(
    kind, gates, g_hs, g_h, g_c, x, weights, kernel, h0, c0, mask, hs, kept, cs, dz, inner,
    dx, dweights, dkernel, dbias, dinner, dh0, dc0,
) -> None:  # fmt: skip
    samples, steps, features = x.shape
    units, columns = kernel.shape
    threads, group = _sharing(samples, steps, (features + units) * columns)
    room = _panels(units) * WIDTH * (columns + 2 * group)
    if dx is not None:
        room += _panels(features) * WIDTH * (columns + group)
    # Few shares of the sums: what they read is copied for each of them.
    share = -(-_panels(columns) // threads)
    rows = -(-(features + units + 1) // 8) * 8
    room = max(room, rows * DEPTH + DEPTH * WIDTH + share * rows * WIDTH)
    scratch = _address(_scratch.get(room * threads))

    def sums(x, h0, hs, dz, dweights, dkernel, dbias):
        sizes = 0 if x is None else features, 0 if hs is None else units
        arrays = map(_address, (x, h0, hs, dz, dweights, dkernel, dbias))
        return _told(0, samples, steps, *sizes, columns, share, *arrays)

    if dz is inner:
        parts = [sums(x, h0, hs, dz, dweights, dkernel, dbias)]
    else:
        parts = [
            sums(x, None, None, dz, dweights, None, dbias),
            sums(None, h0, hs, inner, None, dkernel, dinner),
        ]
    arrays = (g_hs, g_h, g_c, weights, kernel, h0, c0, mask, hs, kept, cs, dz, inner, dx, dh0, dc0)
    told = _told(
        0, kind, samples, steps, features, units, gates, group, scratch, room,
        *map(_address, arrays), *map(_address, parts),
    )  # fmt: skip
    _run(_run_backward, told, threads)


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
