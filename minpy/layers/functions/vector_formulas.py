"""Element-wise formulas of float32, exponentials included, as machine code on whole vectors.

A formula is written as Python on `Value` objects and becomes a function that numba's compiled code
calls, a vector of `LANES` numbers at a time. It must not know what is computed with them. Importing
this module imports numba.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import llvmlite.binding
import numba
import numpy
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

__all__ = [
    "CONTRACT",
    "FLOAT",
    "LANES",
    "LONG",
    "VECTOR",
    "Lanes",
    "Value",
    "expm1",
    "formula",
    "long",
    "offsets",
    "sigmoid",
    "splat",
    "tanh",
]


def _lanes() -> int:
    """Return how many float32 a vector has, without which a block would not fit the registers."""
    features = llvmlite.binding.get_host_cpu_features()
    # LLVM uses half of AVX-512's width on Intel's processors, as they slow down with all of it.
    wide = features.get("avx512f") and llvmlite.binding.get_host_cpu_name().startswith("znver")
    return 16 if wide else 8


LANES = _lanes()

FLOAT, INT, LONG = ir.FloatType(), ir.IntType(32), ir.IntType(64)
VECTOR, INTS = ir.VectorType(FLOAT, LANES), ir.VectorType(INT, LANES)
CONTRACT = ("contract",)


def splat(builder: Any, scalar: Any) -> Any:
    """Return a vector of one number, repeated."""
    undefined = ir.Constant(VECTOR, ir.Undefined)
    one = builder.insert_element(undefined, scalar, ir.Constant(INT, 0))
    return builder.shuffle_vector(one, undefined, ir.Constant(INTS, [0] * LANES))


def long(value: int) -> Any:
    """Return an integer of addresses' width."""
    return ir.Constant(LONG, value)


# --- a vector ------------------------------------------------------------------------------------


class Lanes:
    """Writes the instructions of element-wise formulas on a vector."""

    def __init__(self, builder: Any, count: Any) -> None:
        self.builder = builder
        places = ir.Constant(INTS, list(range(LANES)))
        undefined = ir.Constant(INTS, ir.Undefined)
        one = builder.insert_element(undefined, builder.trunc(count, INT), ir.Constant(INT, 0))
        limit = builder.shuffle_vector(one, undefined, ir.Constant(INTS, [0] * LANES))
        # The last vector of a row may be shorter than the others.
        self.inside = builder.icmp_signed("<", places, limit)

    def _pointer(self, address: Any) -> Any:
        return self.builder.inttoptr(address, VECTOR.as_pointer())

    def load(self, address: Any) -> Value:
        """Return what lies at an address."""
        kind = ir.FunctionType(VECTOR, [VECTOR.as_pointer(), INT, self.inside.type, VECTOR])
        name = f"llvm.masked.load.v{LANES}f32.p0v{LANES}f32"
        function = numba.core.cgutils.get_or_insert_function(self.builder.module, kind, name)
        zero = ir.Constant(VECTOR, None)
        given = [self._pointer(address), ir.Constant(INT, 4), self.inside, zero]
        return Value(self, self.builder.call(function, given))

    def load_if(self, address: Any) -> Value:
        """Return what is at an address, zeros if the address is zero."""
        builder = self.builder
        before = builder.block
        there = builder.icmp_signed("!=", address, long(0))
        with builder.if_then(there):
            found = self.load(address).value
            inside = builder.block
        chosen = builder.phi(VECTOR)
        chosen.add_incoming(ir.Constant(VECTOR, None), before)
        chosen.add_incoming(found, inside)
        return Value(self, chosen)

    def store(self, address: Any, value: Value) -> None:
        """Write a vector to an address."""
        kind = ir.FunctionType(ir.VoidType(), [VECTOR, VECTOR.as_pointer(), INT, self.inside.type])
        name = f"llvm.masked.store.v{LANES}f32.p0v{LANES}f32"
        function = numba.core.cgutils.get_or_insert_function(self.builder.module, kind, name)
        given = [value.value, self._pointer(address), ir.Constant(INT, 4), self.inside]
        self.builder.call(function, given)

    def constant(self, number: float) -> Any:
        """Return a vector of one number."""
        return ir.Constant(VECTOR, [float(numpy.float32(number))] * LANES)


class Value:
    """A vector in a formula."""

    def __init__(self, lanes: Lanes, value: Any) -> None:
        self.lanes = lanes
        self.value = value

    def _with(self, operation: str, other: Any, swapped: bool = False) -> Value:
        theirs = other.value if isinstance(other, Value) else self.lanes.constant(other)
        pair = (theirs, self.value) if swapped else (self.value, theirs)
        return Value(self.lanes, getattr(self.lanes.builder, operation)(*pair, flags=CONTRACT))

    def __add__(self, other: Any) -> Value:
        return self._with("fadd", other)

    def __mul__(self, other: Any) -> Value:
        return self._with("fmul", other)

    def __sub__(self, other: Any) -> Value:
        return self._with("fsub", other)

    def __rsub__(self, other: Any) -> Value:
        return self._with("fsub", other, swapped=True)

    def __truediv__(self, other: Any) -> Value:
        return self._with("fdiv", other)

    def __rtruediv__(self, other: Any) -> Value:
        return self._with("fdiv", other, swapped=True)

    __radd__, __rmul__ = __add__, __mul__

    def where_positive(self, of: Value) -> Value:
        """Return this where `of` is above 0, else 0."""
        builder = self.lanes.builder
        zero = ir.Constant(VECTOR, None)
        above = builder.fcmp_ordered("<=", of.value, zero)
        return Value(self.lanes, builder.select(above, zero, self.value))

    def within(self, low: float, high: float) -> Value:
        """Return it no further than two bounds; NaN stays NaN."""
        builder, value = self.lanes.builder, self.value
        for sign, bound in (("<", low), (">", high)):
            limit = self.lanes.constant(bound)
            value = builder.select(builder.fcmp_ordered(sign, value, limit), limit, value)
        return Value(self.lanes, value)


# --- formulas ------------------------------------------------------------------------------------

# ln 2 in two parts, the first with few bits, so that a multiple of it is exact.
_LN2_HIGH, _LN2_LOW = 0.693145751953125, 1.42860682030941723e-6
_ROUNDING = 12582912.0  # 1.5 * 2**23: adding it rounds to an integer, in the lowest bits


def expm1(x: Value) -> tuple[Value, Value]:
    """Return a power of two s, and p: exp(x) = s + s * p, where p is exp(r) - 1 for a small r."""
    builder = x.lanes.builder
    shifted = x * 1.4426950408889634 + _ROUNDING
    n = shifted - _ROUNDING
    r = (x - n * _LN2_HIGH) - n * _LN2_LOW
    tail = r * (1 / 5040) + 1 / 720
    for coefficient in (1 / 120, 1 / 24, 1 / 6, 1 / 2):
        tail = tail * r + coefficient
    p = tail * (r * r) + r
    bits = builder.bitcast(shifted.value, INTS)
    bias = int(numpy.float32(_ROUNDING).view("int32")) - 127
    exponent = builder.sub(bits, ir.Constant(INTS, [bias] * LANES))
    power = builder.shl(exponent, ir.Constant(INTS, [23] * LANES))
    return Value(x.lanes, builder.bitcast(power, VECTOR)), p


def sigmoid(x: Value) -> Value:
    """Return 1 / (1 + exp(-x))."""
    scale, p = expm1((0.0 - x).within(-87.0, 87.0))
    return 1.0 / (scale * p + scale + 1.0)


def tanh(x: Value) -> Value:
    """Return the hyperbolic tangent."""
    # By exp - 1, which is as precise near 0 as elsewhere.
    scale, p = expm1((x + x).within(-40.0, 40.0))
    e = scale * p + (scale - 1.0)
    return e / (e + 2.0)


def formula(body: Callable[..., None], arguments: int) -> Callable[..., Any]:
    """Return ``f(count, *addresses)``, which applies a formula to `count` elements, one vector."""
    names = ", ".join(f"a{i}" for i in range(arguments))
    scope: dict[str, Any] = {"types": types, "Lanes": Lanes, "body": body}
    # numba wants to see the arguments.
    exec(
        f"def formula(typing, count, {names}):\n"
        "    def generate(context, builder, signature, args):\n"
        "        body(Lanes(builder, args[0]), *args[1:])\n"
        "        return context.get_dummy_value()\n"
        f"    return types.void(*[types.intp] * {arguments + 1}), generate\n",
        scope,
    )
    return intrinsic(scope["formula"])


def offsets(lanes: Lanes, address: Any, step: Any, count: int) -> list[Any]:
    """Return addresses that lie `step` floats apart."""
    builder = lanes.builder
    size = builder.mul(step, long(4))
    found = [address]
    for _ in range(count - 1):
        found.append(builder.add(found[-1], size))
    return found
