"""Which lengths of a recorded pass are the batch's: two passes of unlike batch sizes tell.

Where the two differ, the length is the batch size, or a multiple of it: the heads of all samples
side by side. It must not know what the operations do.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy

from minpy.exporting.recording import Constant, Operation, Pass, Value

__all__ = ["TRIALS", "Extent", "FixedBatchError", "joined"]

# The batch sizes that are compared: more than one, which broadcasts, and so far apart that what is
# no multiple of the size (half of it, say) grows by what their difference doesn't divide.
TRIALS = (3, 8)


class FixedBatchError(Exception):
    """A pass does with another batch size what can't be told by lengths of axes."""


@dataclass(frozen=True)
class Extent:
    """A length that changes with the batch size: ``times * batch + more``."""

    times: int
    more: int = 0

    def __repr__(self) -> str:
        return f"{self.times} * batch + {self.more}"


def joined(first: Pass, second: Pass) -> Pass:
    """Return the pass of any batch size of which two are passes of the sizes `TRIALS`.

    Raises
    ------
    FixedBatchError
        If they differ in more than lengths.
    """
    return _Joining().passes(first, second)


class _Joining:
    """Joins two passes value by value."""

    def __init__(self) -> None:
        self._values: dict[int, tuple[Value, Value]] = {}
        self._where = ""

    def passes(self, first: Pass, second: Pass) -> Pass:
        for a, b in zip([*first.inputs, *first.weights], [*second.inputs, *second.weights],
                        strict=True):  # fmt: skip
            self._value(a, b)
        if [o.name for o in first.operations] != [o.name for o in second.operations]:
            raise FixedBatchError("it does other operations on a batch of another size")
        operations = []
        for a, b in zip(first.operations, second.operations, strict=True):
            self._where = f"{a.name} of {a.layer or 'the model'}"
            given = self._joined(a.given, b.given)
            told = self._joined(a.told, b.told)
            if len(a.made) != len(b.made):
                raise FixedBatchError(f"{self._where} has as many results as there are samples")
            made = tuple(self._value(x, y) for x, y in zip(a.made, b.made, strict=True))
            operations.append(Operation(a.name, given, told, made, a.primitive, a.layer))
        self._where = "its output"
        if len(first.outputs) != len(second.outputs):
            raise FixedBatchError("it has as many outputs as there are samples")
        outputs = [self._joined(a, b) for a, b in zip(first.outputs, second.outputs, strict=True)]
        return Pass(first.inputs, first.weights, operations, outputs, first.unflatten)

    def _value(self, a: Value, b: Value) -> Value:
        self._values[id(a)] = (a, b)
        if len(a.shape) != len(b.shape) or a.dtype != b.dtype:
            raise FixedBatchError(f"{self._where} has results of another kind")
        a.shape = tuple(self._joined(m, n) for m, n in zip(a.shape, b.shape, strict=True))
        return a

    def _joined(self, a: Any, b: Any) -> Any:
        if type(a) is not type(b):
            raise FixedBatchError(f"{self._where} is told {a!r} or {b!r}")
        if isinstance(a, Value):
            if self._values.get(id(a), (a, None))[1] is not b:
                raise FixedBatchError(f"{self._where} takes other values")
            return a
        if isinstance(a, Constant):
            return self._constant(a.array, b.array)
        if isinstance(a, numpy.ndarray):
            same = a.shape == b.shape and numpy.array_equal(a, b, equal_nan=a.dtype.kind in "fc")
            if not same:
                raise FixedBatchError(f"{self._where} is told arrays that depend on it")
            return a
        if isinstance(a, dict):
            if a.keys() != b.keys():
                raise FixedBatchError(f"{self._where} is told other things")
            return {key: self._joined(a[key], b[key]) for key in a}
        if isinstance(a, tuple | list):
            if len(a) != len(b):
                raise FixedBatchError(f"{self._where} is told {a!r} or {b!r}")
            parts = [self._joined(x, y) for x, y in zip(a, b, strict=True)]
            return type(a)(parts) if type(a) in (tuple, list) else a
        if isinstance(a, slice):
            ends = ("start", "stop", "step")
            return slice(*[self._joined(getattr(a, e), getattr(b, e)) for e in ends])
        return self._number(a, b)

    def _number(self, a: Any, b: Any) -> Any:
        if a is b or a == b or (a != a and b != b):
            return a
        if isinstance(a, int | numpy.integer) and not isinstance(a, bool):
            times, rest = divmod(int(b) - int(a), TRIALS[1] - TRIALS[0])
            more = int(a) - times * TRIALS[0]
            # The square of the size would be several times it, less something.
            if not rest and times > 0 and (times == 1 or more >= 0):
                return Extent(times, more)
        told = type(a).__name__ if dataclasses.is_dataclass(a) else repr(a)
        raise FixedBatchError(f"{self._where} is told {told}, which depends on it")

    def _constant(self, a: numpy.ndarray, b: numpy.ndarray) -> Constant:
        """Return a constant that is the same for all samples, once and with its lengths."""
        if a.ndim != b.ndim or a.dtype != b.dtype:
            raise FixedBatchError(f"{self._where} takes numbers that depend on it")
        shape = tuple(self._joined(m, n) for m, n in zip(a.shape, b.shape, strict=True))
        lengths = [isinstance(n, Extent) for n in shape]
        if not any(lengths) and (a is b or numpy.array_equal(a, b, equal_nan=a.dtype.kind in "fc")):
            return Constant(a, shape)
        index = tuple(slice(0, 1) if varies else slice(None) for varies in lengths)
        one = a[index]
        for whole in (a, b):
            repeated = numpy.broadcast_to(one, whole.shape)
            if not numpy.array_equal(repeated, whole, equal_nan=a.dtype.kind in "fc"):
                raise FixedBatchError(f"{self._where} takes numbers that depend on it")
        return Constant(one, shape)
