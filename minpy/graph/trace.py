"""Tracing: runs a function on real values, and builds the graph of what it does beside them.

It must not know models or optimizers.
"""

from __future__ import annotations

import os
import traceback
import weakref
from typing import Any

import numpy

from minpy import runtime
from minpy.array import capture, is_tracked, ndarray, numpy_value
from minpy.autograd.trace import Token, Trace, box
from minpy.primitives import Primitive

__all__ = [
    "SAME_ELEMENTS",
    "Recording",
    "SymbolTrace",
    "Untraceable",
    "count_work",
    "refuse_reading",
    "worth_sharing",
]


# Below so many multiplications a step is over sooner on one thread than two threads take to meet
# at each operation.
_WORTH_SHARING = 4_000_000

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep


class Untraceable(Exception):
    """What a function did can't be part of a graph; the message says what it was."""

    def explain(self) -> str:
        """Return the reason, with the user's line that it happened on."""
        line = None
        for frame, number in traceback.walk_tb(self.__traceback__):
            file = frame.f_code.co_filename
            if not file.startswith(_PACKAGE):
                line = f"{os.path.basename(file)}, line {number}"
        return f"{self} ({line})" if line else str(self)


def refuse_reading() -> None:
    """Raise `Untraceable` for a number that a trace reads: it would be the same at every run."""
    raise Untraceable(
        "it reads a number that depends on its input (a branch, print, float or asnumpy)"
    )


# Operations that change the shape or the dtype of an array, and none of its numbers.
SAME_ELEMENTS = frozenset(["astype", "expand_dims", "ravel", "reshape", "squeeze"])


class Node:
    """What a symbol trace records about an array."""

    __slots__ = ("symbol", "trace")

    def __init__(self, trace: SymbolTrace, symbol: runtime.SymbolValue) -> None:
        self.trace = trace
        self.symbol = symbol

    def refuse(self) -> None:
        """Raise `Untraceable`: a number that is read now would be the same at every run."""
        refuse_reading()


def count_work(args: list, ans: Any) -> int:
    """Return about how many multiplications an operation takes: elements, or those of a product."""
    results = ans if type(ans) is tuple else (ans,)
    size = max((r.size for r in results), default=0)
    told = next((a for a in args if hasattr(a, "multiplications")), None)
    if told is not None:  # of one image; each gradient takes as many
        return args[0].shape[0] * told.multiplications * max(1, len(results) - 1)
    if any(hasattr(a, "window") for a in args):  # pooling multiplies nothing
        return size
    arrays = [a for a in args if type(a) is ndarray and a.ndim >= 2]
    if len(arrays) < 2 or arrays[1].shape == arrays[0].shape:
        return size
    # A product sums over what its second operand has beside one axis of the result's.
    return size * max(1, arrays[1].size // max(arrays[1].shape))


def worth_sharing(work: int) -> bool:
    """Say whether a step with so many multiplications is done sooner by several threads."""
    # By the size of the work and not by a clock: equal runs give equal bits.
    return work >= _WORTH_SHARING


class Recording(Trace):
    """A trace of operations that will be run again.

    Until it is closed, what writes into an array that it has read leaves that memory as it is and
    gives the array new memory: the operations before the write are to find what they found.
    """

    __slots__ = ("_open",)

    def __init__(self, level: int, token: Any) -> None:
        self._open: Token | None = Token()
        super().__init__(level, weakref.ref(self._open))

    def keep(self, array: ndarray) -> None:
        """Keep the memory of an array as it is until the trace is closed."""
        capture(array, self.token)

    def release(self) -> None:
        """Let writes into the arrays that were read be seen again."""
        self._open = None


class SymbolTrace(Recording):
    """Builds a graph of the operations that its arrays go through.

    Attributes
    ----------
    constants
        Name → array of values that the graph uses and no input holds.
    draws
        Name → function that draws the value anew at each run.
    work
        Multiplications and elements of all results together: how much the graph has to do.
    class_numbers
        Input → number of classes, for inputs whose elements the graph takes as class numbers:
        who runs it has to check them, MXNet doesn't.
    """

    __slots__ = ("_by_identity", "_held", "class_numbers", "constants", "draws", "work")

    def __init__(self, level: int, token: Any) -> None:
        super().__init__(level, token)
        self.constants: dict[str, Any] = {}
        self.draws: dict[str, Any] = {}
        self.class_numbers: dict[str, int] = {}
        self.work = 0
        self._by_identity: dict[int, runtime.SymbolValue] = {}
        self._held: list[Any] = []

    def input(self, name: str, value: ndarray) -> ndarray:
        """Return an array that stands for an input of the graph."""
        symbol = runtime.variable(name, value.shape, value.dtype)
        symbol.origin = name
        return box(value, Node(self, symbol))

    def draw(self, value: ndarray, again: Any) -> ndarray:
        """Return an array that stands for a random draw, made anew by `again` at each run."""
        name = f"draw{len(self.draws)}"
        self.draws[name] = again
        return self.input(name, value)

    def constant(self, value: Any) -> runtime.SymbolValue:
        """Return the node of an array that isn't an input."""
        known = self._by_identity.get(id(value))
        if known is None:
            if type(value) is ndarray and is_tracked(value):
                raise Untraceable(
                    "it uses an array that an enclosing derivative follows, and that isn't one of "
                    "its arguments"
                )
            if type(value) is ndarray:
                self.keep(value)
            array = numpy_value(value) if type(value) is ndarray else numpy.asarray(value)
            if not runtime.supports(array.dtype):
                raise Untraceable(f"MXNet has no dtype {array.dtype}")
            name = f"constant{len(self.constants)}"
            self.constants[name] = array
            known = runtime.variable(name, array.shape, array.dtype)
            self._by_identity[id(value)] = known
            self._held.append(value)  # an identity is one only while the object lives
        return known

    def process(self, operation: Primitive, args: tuple, kwargs: dict) -> Any:
        """Run `operation` on the values, and add it to the graph."""
        inner, given = [], []
        limit = len(args) if operation.arrays < 0 else operation.arrays
        for i, a in enumerate(args):
            if type(a) is ndarray:
                b = a._box
                if b is not None and b.trace is self:
                    given.append(b.symbol)
                    inner.append(a._inner)
                    continue
                given.append(self.constant(a) if i < limit else a)
            elif i < limit and isinstance(a, numpy.ndarray):
                given.append(self.constant(a))
            else:
                given.append(a)
            inner.append(a)
        if operation.mxnet is None:
            raise Untraceable(f"{operation.name} has no MXNet kernel")
        ans = operation(*inner, **kwargs)
        try:
            symbol = operation.mxnet(runtime.symbolic, *given, **kwargs)
        except runtime.Unsupported as reason:
            raise Untraceable(f"{operation.name}: {reason}") from None
        finally:
            self.constants.update(runtime.symbolic.take_scratch())
        at = operation.class_numbers
        if at is not None and isinstance(given[at], runtime.SymbolValue) and given[at].origin:
            axis = getattr(operation, "class_axis", -1)
            self.class_numbers[given[at].origin] = given[0].shape[axis]
        if operation.name in SAME_ELEMENTS and isinstance(symbol, runtime.SymbolValue):
            symbol.origin = given[0].origin
        self.work += count_work(inner, ans)
        if type(ans) is tuple:
            symbols = symbol if isinstance(symbol, tuple) else (symbol,)
            return tuple(self._boxed(a, s, args) for a, s in zip(ans, symbols, strict=True))
        return self._boxed(ans, symbol, args)

    def _boxed(self, ans: ndarray, symbol: runtime.SymbolValue, args: tuple) -> ndarray:
        symbol.shape, symbol.dtype = ans.shape, ans.dtype
        return self.boxed(ans, Node(self, symbol), args)  # linked, where it is a view
