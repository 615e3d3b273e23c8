"""The loop that goes through a program's instructions, compiled by numba and kept on disk.

Everything is float32. The loops over elements are written so that LLVM turns them into vector
code: exponentials and hyperbolic tangents are polynomials (those of the Cephes library) without
branches, a few units in the last place from the C library's, and NaN stays NaN. This module must
be imported only when a program runs: numba takes half a second.
"""

from __future__ import annotations

import math
from typing import Any

import numba
import numpy
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from minpy.graph.native.instructions import BINARY, OTHER, UNARY

__all__ = ["run"]

_F = numpy.float32
_I = numpy.int32


# --- what numba has no words for ------------------------------------------------------------------


@intrinsic
def _floats(typing_context: Any, address: Any) -> Any:
    """Return the address of an array as a pointer to its elements."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.inttoptr(args[0], ir.FloatType().as_pointer())

    return types.CPointer(types.float32)(types.int64), code


@intrinsic
def _integers(typing_context: Any, address: Any) -> Any:
    """Return the address of an array of int64 as a pointer to its elements."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.inttoptr(args[0], ir.IntType(64).as_pointer())

    return types.CPointer(types.int64)(types.int64), code


@intrinsic
def _bits_as_float(typing_context: Any, bits: Any) -> Any:
    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.bitcast(args[0], ir.FloatType())

    return types.float32(types.int32), code


def _product_by(width: int) -> Any:
    """Return an intrinsic that calls a ``cblas_sgemm`` whose integers have so many bits."""

    @intrinsic
    def call(typing_context: Any, address: Any, ta: Any, tb: Any, m: Any, n: Any, k: Any,
             a: Any, lda: Any, b: Any, ldb: Any, beta: Any, c: Any, ldc: Any) -> Any:  # fmt: skip
        def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            real, code_type = ir.FloatType(), ir.IntType(32)
            integer, pointer = ir.IntType(width), ir.FloatType().as_pointer()
            kind = ir.FunctionType(
                ir.VoidType(),
                [code_type, code_type, code_type, integer, integer, integer, real, pointer,
                 integer, pointer, integer, real, pointer, integer],
            )  # fmt: skip
            function = builder.inttoptr(args[0], kind.as_pointer())

            def size(value: Any) -> Any:
                return value if width == 64 else builder.trunc(value, integer)

            def transposed(value: Any) -> Any:  # CblasNoTrans is 111, CblasTrans 112
                return builder.add(builder.trunc(value, code_type), code_type(111))

            _, ta, tb, m, n, k, a, lda, b, ldb, beta, c, ldc = args
            builder.call(
                function,
                [code_type(101), transposed(ta), transposed(tb), size(m), size(n), size(k),
                 real(1.0), builder.inttoptr(a, pointer), size(lda), builder.inttoptr(b, pointer),
                 size(ldb), beta, builder.inttoptr(c, pointer), size(ldc)],
            )  # fmt: skip
            return context.get_dummy_value()

        i = types.int64
        return types.void(i, i, i, i, i, i, i, i, i, i, types.float32, i, i), code

    return call


_product64, _product32 = _product_by(64), _product_by(32)


@intrinsic
def _product_of_onednn(typing_context: Any, address: Any, ta: Any, tb: Any, m: Any, n: Any, k: Any,
                       a: Any, lda: Any, b: Any, ldb: Any, beta: Any, c: Any,
                       ldc: Any) -> Any:  # fmt: skip
    """Call ``dnnl_sgemm``, which has characters for what is transposed."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        character, integer, real = ir.IntType(8), ir.IntType(64), ir.FloatType()
        pointer = real.as_pointer()
        kind = ir.FunctionType(
            ir.IntType(32),
            [character, character, integer, integer, integer, real, pointer, integer, pointer,
             integer, real, pointer, integer],
        )  # fmt: skip
        function = builder.inttoptr(args[0], kind.as_pointer())

        def transposed(value: Any) -> Any:  # 'N' is 78, 'T' 84
            value = builder.trunc(value, character)
            return builder.add(builder.mul(value, character(6)), character(78))

        _, ta, tb, m, n, k, a, lda, b, ldb, beta, c, ldc = args
        builder.call(
            function,
            [transposed(ta), transposed(tb), m, n, k, real(1.0), builder.inttoptr(a, pointer), lda,
             builder.inttoptr(b, pointer), ldb, beta, builder.inttoptr(c, pointer), ldc],
        )  # fmt: skip
        return context.get_dummy_value()

    i = types.int64
    return types.void(i, i, i, i, i, i, i, i, i, i, types.float32, i, i), code


@intrinsic
def _execute(typing_context: Any, address: Any, kernel: Any, stream: Any, n: Any, a: Any) -> Any:
    """Call oneDNN's function that runs a kernel; return its status."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        status, pointer = ir.IntType(32), ir.IntType(8).as_pointer()
        kind = ir.FunctionType(status, [pointer, pointer, status, pointer])
        function = builder.inttoptr(args[0], kind.as_pointer())
        _, kernel, stream, n, a = args
        given = [builder.inttoptr(kernel, pointer), builder.inttoptr(stream, pointer),
                 builder.trunc(n, status), builder.inttoptr(a, pointer)]  # fmt: skip
        return builder.sext(builder.call(function, given), ir.IntType(64))

    i = types.int64
    return i(i, i, i, i, i), code


_FLAGS = {"cache": True, "nogil": True, "error_model": "numpy"}
_inlined = numba.njit(inline="never", nogil=True, error_model="numpy")


# --- functions of one number ----------------------------------------------------------------------


@numba.njit(nogil=True, error_model="numpy")
def exp32(x: Any) -> Any:
    """Return e**x: Cephes' expf."""
    inside = x
    if inside > _F(88.72):
        inside = _F(88.72)
    if inside < _F(-87.3):
        inside = _F(-87.3)
    n = math.floor(inside * _F(1.44269504088896341) + _F(0.5))
    r = inside - n * _F(0.693359375)
    r = r + n * _F(2.12194440e-4)
    p = _F(1.9875691500e-4)
    p = p * r + _F(1.3981999507e-3)
    p = p * r + _F(8.3334519073e-3)
    p = p * r + _F(4.1665795894e-2)
    p = p * r + _F(1.6666665459e-1)
    p = p * r + _F(5.0000001201e-1)
    y = p * (r * r) + r + _F(1.0)
    # Two factors: 2**128 has no float of its own.
    half = _I(n) >> _I(1)
    y = y * _bits_as_float(_I((half + _I(127)) << _I(23)))
    y = y * _bits_as_float(_I((_I(n) - half + _I(127)) << _I(23)))
    y = _F(numpy.inf) if x > _F(88.722839) else y
    return _F(0.0) if x < _F(-87.33654) else y


@numba.njit(nogil=True, error_model="numpy")
def tanh32(x: Any) -> Any:
    """Return the hyperbolic tangent: Cephes' tanhf."""
    z = abs(x)
    s = x * x
    p = _F(-5.70498872745e-3)
    p = p * s + _F(2.06390887954e-2)
    p = p * s + _F(-5.37397155531e-2)
    p = p * s + _F(1.33314422036e-1)
    p = p * s + _F(-3.33332819422e-1)
    near = p * s * x + x
    far = _F(1.0) - _F(2.0) / (exp32(z + z) + _F(1.0))
    far = -far if x < _F(0.0) else far
    return near if z < _F(0.625) else far


@numba.njit(nogil=True, error_model="numpy")
def sigmoid32(x: Any) -> Any:
    """Return the logistic function."""
    return _F(1.0) / (_F(1.0) + exp32(-x))


def _unary_loops() -> dict[int, Any]:
    """Return a loop over an array for each function of one number."""

    def looped(f: Any) -> Any:
        f = numba.njit(nogil=True, error_model="numpy")(f) if not hasattr(f, "py_func") else f

        @numba.njit(nogil=True, error_model="numpy")
        def loop(out: Any, a: Any, n: Any) -> None:
            for i in range(n):
                out[i] = f(a[i])

        return loop

    functions = {
        "copy": lambda x: x,
        "negative": lambda x: -x,
        "exp": exp32,
        "log": lambda x: _F(math.log(x)),
        "tanh": tanh32,
        "sigmoid": sigmoid32,
        "relu": lambda x: x if not x <= _F(0.0) else _F(0.0),
        "square": lambda x: x * x,
        "sqrt": lambda x: _F(math.sqrt(x)),
        "absolute": lambda x: abs(x),
        "sign": lambda x: _F(1.0) if x > _F(0.0) else (_F(-1.0) if x < _F(0.0) else x * _F(0.0)),
        "reciprocal": lambda x: _F(1.0) / x,
        "log1p": lambda x: _F(math.log1p(x)),
        "expm1": lambda x: _F(math.expm1(x)),
        "softplus": lambda x: _F(math.log1p(exp32(-abs(x)))) + (x if not x <= _F(0.0) else _F(0.0)),
        "normal_cdf": lambda x: _F(0.5 * math.erfc(-float(x) * 0.7071067811865476)),
        "floor": lambda x: numpy.floor(x),
    }
    return {number: looped(functions[name]) for name, number in UNARY.items()}


def _binary_loops() -> dict[int, Any]:
    """Return a loop over rows and columns for each function of two numbers."""

    def looped(f: Any) -> Any:
        f = numba.njit(nogil=True, error_model="numpy")(f)

        @numba.njit(nogil=True, error_model="numpy")
        def loop(out: Any, a: Any, b: Any, rows: Any, columns: Any, strides: Any) -> None:
            # Bits of `strides`: whether a, then b, moves on from column to column; from row to row.
            for r in range(rows):
                o = r * columns
                x = 0
                if strides & 4:
                    x = r * columns if strides & 1 else r
                y = 0
                if strides & 8:
                    y = r * columns if strides & 2 else r
                if strides & 3 == 3:
                    for c in range(columns):
                        out[o + c] = f(a[x + c], b[y + c])
                elif strides & 1:
                    same = b[y]
                    for c in range(columns):
                        out[o + c] = f(a[x + c], same)
                elif strides & 2:
                    same = a[x]
                    for c in range(columns):
                        out[o + c] = f(same, b[y + c])
                else:
                    same = f(a[x], b[y])
                    for c in range(columns):
                        out[o + c] = same

        return loop

    one, zero = _F(1.0), _F(0.0)
    functions = {
        "add": lambda x, y: x + y,
        "subtract": lambda x, y: x - y,
        "multiply": lambda x, y: x * y,
        "true_divide": lambda x, y: x / y,
        # NaN wins, as in NumPy.
        "maximum": lambda x, y: x if (x > y or x != x) else y,
        "minimum": lambda x, y: x if (x < y or x != x) else y,
        "greater": lambda x, y: one if x > y else zero,
        "greater_equal": lambda x, y: one if x >= y else zero,
        "less": lambda x, y: one if x < y else zero,
        "less_equal": lambda x, y: one if x <= y else zero,
        "equal": lambda x, y: one if x == y else zero,
        "not_equal": lambda x, y: one if x != y else zero,
        "power": lambda x, y: _F(x**y),
        "relu_gradient": lambda g, y: g * (one if y > zero else zero),
        "sigmoid_gradient": lambda g, y: g * (y * (one - y)),
        "tanh_gradient": lambda g, y: g * (one - y * y),
    }
    return {number: looped(functions[name]) for name, number in BINARY.items()}


# --- instructions of other shapes -----------------------------------------------------------------


@numba.njit(nogil=True, error_model="numpy")
def _sum_rows(out: Any, a: Any, stacks: Any, rows: Any, columns: Any, factor: Any) -> None:
    for i in range(stacks):
        to, start = i * columns, i * rows * columns
        for c in range(columns):
            out[to + c] = a[start + c]
        for r in range(1, rows):
            o = start + r * columns
            for c in range(columns):
                out[to + c] += a[o + c]
        if factor != _F(1.0):
            for c in range(columns):
                out[to + c] *= factor


@numba.njit(nogil=True, error_model="numpy", fastmath={"reassoc", "contract"})
def _sum_columns(out: Any, a: Any, rows: Any, columns: Any, factor: Any) -> None:
    for r in range(rows):
        o = r * columns
        total = 0.0
        for c in range(columns):
            total += a[o + c]
        out[r] = _F(total) * factor


@numba.njit(nogil=True, error_model="numpy")
def _largest(a: Any, o: Any, columns: Any) -> Any:
    largest = a[o]
    for c in range(1, columns):
        v = a[o + c]
        largest = v if (v > largest or v != v) else largest
    return largest


@numba.njit(nogil=True, error_model="numpy")
def _softmax(out: Any, a: Any, rows: Any, columns: Any) -> None:
    for r in range(rows):
        o = r * columns
        largest = _largest(a, o, columns)
        total = _F(0.0)
        for c in range(columns):
            out[o + c] = exp32(a[o + c] - largest)
        for c in range(columns):
            total += out[o + c]
        for c in range(columns):
            out[o + c] /= total


@numba.njit(nogil=True, error_model="numpy")
def _log_total(a: Any, o: Any, columns: Any, largest: Any) -> Any:
    total = _F(0.0)
    for c in range(columns):
        total += exp32(a[o + c] - largest)
    return _F(math.log(total))


@numba.njit(nogil=True, error_model="numpy")
def _log_softmax(out: Any, a: Any, rows: Any, columns: Any) -> None:
    for r in range(rows):
        o = r * columns
        largest = _largest(a, o, columns)
        total = _log_total(a, o, columns, largest)
        for c in range(columns):
            out[o + c] = (a[o + c] - largest) - total


@numba.njit(nogil=True, error_model="numpy")
def _cross_entropy(out: Any, a: Any, labels: Any, rows: Any, columns: Any) -> None:
    for r in range(rows):
        o = r * columns
        largest = _largest(a, o, columns)
        total = _log_total(a, o, columns, largest)
        out[r] = total - (a[o + int(labels[r])] - largest)


@numba.njit(nogil=True, error_model="numpy")
def _cross_entropy_gradient(out: Any, g: Any, p: Any, labels: Any, rows: Any, columns: Any) -> None:
    for r in range(rows):
        o = r * columns
        factor = g[r]
        for c in range(columns):
            out[o + c] = factor * p[o + c]
        out[o + int(labels[r])] -= factor


@numba.njit(nogil=True, error_model="numpy")
def _place(out: Any, g: Any, labels: Any, rows: Any, columns: Any) -> None:
    for r in range(rows):
        o = r * columns
        for c in range(columns):
            out[o + c] = _F(0.0)
        out[o + int(labels[r])] = g[r]


@numba.njit(nogil=True, error_model="numpy")
def _part(out: Any, a: Any, geometry: Any, add: Any) -> None:
    """Copy or add elements along five axes, each with a length and a stride in both arrays."""
    n, o_step, a_step = geometry[14], geometry[15], geometry[16]
    for i in range(geometry[2]):
        for j in range(geometry[5]):
            for k in range(geometry[8]):
                for m in range(geometry[11]):
                    o = geometry[0] + i * geometry[3] + j * geometry[6]
                    o += k * geometry[9] + m * geometry[12]
                    s = geometry[1] + i * geometry[4] + j * geometry[7]
                    s += k * geometry[10] + m * geometry[13]
                    if add:
                        for c in range(n):
                            out[o + c * o_step] += a[s + c * a_step]
                    elif o_step == 1 and a_step == 1:
                        for c in range(n):
                            out[o + c] = a[s + c]
                    else:
                        for c in range(n):
                            out[o + c * o_step] = a[s + c * a_step]


# --- the loop -------------------------------------------------------------------------------------


def _dispatcher(loops: dict[int, Any], signature: str) -> Any:
    """Return a compiled chain of branches that runs the loop of a number."""
    names = {f"loop{number}": loop for number, loop in loops.items()}
    lines = [f"def dispatch(code, {signature}):"]
    for i, number in enumerate(loops):
        lines.append(f"    {'elif' if i else 'if'} code == {number}:")
        lines.append(f"        loop{number}({signature})")
    scope = dict(names)
    exec(compile("\n".join(lines), __file__, "exec"), scope)
    return numba.njit(nogil=True, error_model="numpy")(scope["dispatch"])


_unary = _dispatcher(_unary_loops(), "out, a, n")
_binary = _dispatcher(_binary_loops(), "out, a, b, rows, columns, strides")

_FIRST_BINARY, _FIRST_OTHER = min(BINARY.values()), min(OTHER.values())
_PRODUCT, _SUM_ROWS, _SUM_COLUMNS = OTHER["product"], OTHER["sum_rows"], OTHER["sum_columns"]
_SOFTMAX, _LOG_SOFTMAX = OTHER["softmax"], OTHER["log_softmax"]
_CROSS_ENTROPY, _ITS_GRADIENT = OTHER["cross_entropy"], OTHER["cross_entropy_gradient"]
_PICK, _PLACE, _WHERE = OTHER["pick"], OTHER["place"], OTHER["where"]
_TRANSPOSE, _MAXIMUM_COLUMNS = OTHER["transpose"], OTHER["maximum_columns"]
_FILL_ROWS, _REPEAT, _KERNEL = OTHER["fill_rows"], OTHER["repeat"], OTHER["kernel"]
_GATHER, _SCATTER = OTHER["gather_rows"], OTHER["scatter_rows"]
_COPY_PART, _ADD_PART = OTHER["copy_part"], OTHER["add_part"]


@numba.njit(
    "int64(int64[:, ::1], float32[::1], int64, int64, int64, int64)",
    cache=True,
    nogil=True,
    error_model="numpy",
)
def run(table: Any, numbers: Any, product: Any, integer: Any, multiply: Any, execute: Any) -> Any:
    """Go through a program.

    Parameters
    ----------
    table
        A row an instruction; see `instructions`.
    numbers
        A number for each instruction that has one.
    product
        The address of ``cblas_sgemm``.
    integer
        The bytes of its integers.
    multiply
        The address of ``dnnl_sgemm``, 0 if the program doesn't call it.
    execute
        The address of oneDNN's function that runs a kernel, 0 if the program has none.

    Returns
    -------
    int
        0, or one more than the row of a kernel that failed.
    """
    for i in range(table.shape[0]):
        code = table[i, 0]
        out = _floats(table[i, 1])
        a = _floats(table[i, 2])
        b = _floats(table[i, 3])
        m, n, k = table[i, 5], table[i, 6], table[i, 7]
        if code < _FIRST_BINARY:
            _unary(code, out, a, n)
        elif code < _FIRST_OTHER:
            _binary(code, out, a, b, m, n, k)
        elif code == _PRODUCT:
            ta, tb = table[i, 8] & 1, (table[i, 8] >> 1) & 1
            lda = m if ta else k
            ldb = k if tb else n
            if table[i, 8] & 4:
                _product_of_onednn(multiply, ta, tb, m, n, k, table[i, 2], lda, table[i, 3], ldb,
                                   numbers[i], table[i, 1], n)  # fmt: skip
            elif integer == 8:
                _product64(product, ta, tb, m, n, k, table[i, 2], lda, table[i, 3], ldb,
                           numbers[i], table[i, 1], n)  # fmt: skip
            else:
                _product32(product, ta, tb, m, n, k, table[i, 2], lda, table[i, 3], ldb,
                           numbers[i], table[i, 1], n)  # fmt: skip
        elif code == _KERNEL:
            if _execute(execute, table[i, 1], table[i, 3], table[i, 5], table[i, 2]) != 0:
                return i + 1
        elif code == _FILL_ROWS:
            for r in range(m):
                for c in range(n):
                    out[r * n + c] = a[c]
        elif code == _SUM_ROWS:
            _sum_rows(out, a, m, n, k, numbers[i])
        elif code == _SUM_COLUMNS:
            _sum_columns(out, a, m, n, numbers[i])
        elif code == _SOFTMAX:
            _softmax(out, a, m, n)
        elif code == _LOG_SOFTMAX:
            _log_softmax(out, a, m, n)
        elif code == _CROSS_ENTROPY:
            _cross_entropy(out, a, b, m, n)
        elif code == _ITS_GRADIENT:
            _cross_entropy_gradient(out, a, b, _floats(table[i, 4]), m, n)
        elif code == _PICK:
            for r in range(m):
                out[r] = a[r * n + int(b[r])]
        elif code == _PLACE:
            _place(out, a, b, m, n)
        elif code == _WHERE:
            other = _floats(table[i, 4])
            for e in range(n):
                out[e] = b[e] if a[e] != _F(0.0) else other[e]
        elif code == _GATHER:
            for r in range(m):
                start = int(b[r]) * n
                for c in range(n):
                    out[r * n + c] = a[start + c]
        elif code == _SCATTER:
            for e in range(k * n):
                out[e] = _F(0.0)
            for r in range(m):
                start = int(b[r]) * n
                for c in range(n):
                    out[start + c] += a[r * n + c]
        elif code == _REPEAT:
            for r in range(m):
                for j in range(n):
                    for c in range(k):
                        out[(r * n + j) * k + c] = a[r * k + c]
        elif code == _TRANSPOSE:
            for r in range(m):
                for c in range(n):
                    out[c * m + r] = a[r * n + c]
        elif code in (_COPY_PART, _ADD_PART):
            _part(out, a, _integers(table[i, 3]), code == _ADD_PART)
        elif code == _MAXIMUM_COLUMNS:
            for r in range(m):
                out[r] = _largest(a, r * n, n)
    return 0
