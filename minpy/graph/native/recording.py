"""A traced step as a list of operations: the forward pass, the loss and the derivatives alike.

Derivatives are operations like any others, so that a program is made of one list. What no program
can do makes the trace fail, and the step runs as a graph of MXNet's. Everything is float32; class
numbers are, too, which is exact below 2**24. It must not know models.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy

from minpy import runtime
from minpy.array import is_tracked, ndarray, numpy_value
from minpy.autograd.trace import box
from minpy.graph.native.instructions import BINARY
from minpy.graph.trace import SAME_ELEMENTS, Recording, Untraceable, count_work, refuse_reading
from minpy.primitives import Primitive
from minpy.runtime import onednn

if TYPE_CHECKING:
    from minpy.runtime.onednn import Layout

__all__ = [
    "EXPRESSIONS",
    "LOWERINGS",
    "ON_ONEDNN",
    "Operation",
    "ProgramTrace",
    "Value",
    "aligned",
    "constant",
]

FLOAT = numpy.dtype("float32")
_BOOL = numpy.dtype("bool")

# Operation → what turns it into instructions: takes the program, the results, and the operation's
# arguments. `lowerings` and the modules of single operations fill it.
LOWERINGS: dict[str, Callable[..., None]] = {}
# Operation → the same in other operations, None where these arguments have no such.
EXPRESSIONS: dict[str, Callable[..., Any]] = {}
# Those that need oneDNN.
ON_ONEDNN: set[str] = set()

_COMPARISONS = frozenset(["greater", "greater_equal", "less", "less_equal", "equal", "not_equal"])
# Operations that move elements, whatever they are.
_ANY_DTYPE = frozenset([*SAME_ELEMENTS, "transpose"])
_GIVE_BOOLS = _COMPARISONS | _ANY_DTYPE
# Operations whose result is a float where one operand is; ones and zeros stand for a bool then.
_TAKE_BOOLS = frozenset([*BINARY, "where"])
# After so many multiplications in a trial MXNet is imported for the others: it is that much faster.
_WORTH_LOADING = 50_000_000_000
# The whole numbers up to here are float32's.
_WHOLE = 2**24
# Their results have as many elements as the data say.
_SHAPED_BY_DATA = frozenset(
    ["argwhere", "bincount", "compress", "delete", "extract", "flatnonzero", "histogram",
     "intersect1d", "nonzero", "repeat", "setdiff1d", "setxor1d", "trim_zeros", "union1d",
     "unique"]
)  # fmt: skip
# The argument that has the class numbers.
_LABELS = {
    "embedding": 1,
    "embedding_gradient": 1,
    "pick": 1,
    "place": 1,
    "softmax_cross_entropy": 1,
    "softmax_cross_entropy_gradient": 2,
}


class Value:
    """An array of the program: an input, a constant, or the result of an operation."""

    __slots__ = (
        "constant",
        "dtype",
        "layout",
        "memory",
        "native",
        "origin",
        "shape",
        "source",
        "trace",
        "turned",
    )

    def __init__(
        self, trace: ProgramTrace | None, shape: tuple[int, ...], dtype: numpy.dtype
    ) -> None:
        self.trace = trace
        self.shape = shape
        self.dtype = dtype
        self.memory: numpy.ndarray | None = None  # where it lies, contiguous
        self.source: numpy.ndarray | None = None  # the array that a constant is a copy of
        self.native = False  # whether it lies in its own dtype: whole numbers that NumPy works on
        self.turned = False  # whether the memory holds the matrix's columns one after the other
        self.layout: Layout | None = None  # how it lies there, where neither by rows nor by columns
        self.constant: numpy.ndarray | None = None
        self.origin: Value | None = None  # the input that it has the elements of

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    def refuse(self) -> None:
        """Raise `Untraceable`: a number that is read now would be the same at every run."""
        refuse_reading()


@dataclass(eq=False, slots=True)
class Operation:
    """A recorded operation; arrays among its arguments are `Value` objects."""

    name: str
    given: list[Any]
    made: list[Value]
    told: dict[str, Any] = field(default_factory=dict)
    kernel: Callable[..., Any] | None = None  # NumPy's, where nothing is faster
    into: Callable[..., None] | None = None  # one that fills given memory
    on_host: bool = False  # whether it has no instruction


class ProgramTrace(Recording):
    """Records the operations that its arrays go through, in order.

    Attributes
    ----------
    operations
        What was done.
    draws
        Input → function that draws its value anew at each run.
    class_numbers
        Input → number of classes, for inputs whose elements are taken as class numbers.
    memories
        Of the inputs and draws, in their order.
    work
        Multiplications and elements of all results together.
    """

    __slots__ = ("class_numbers", "draws", "memories", "operations", "work")

    def __init__(self, level: int, token: Any) -> None:
        super().__init__(level, token)
        self.operations: list[Operation] = []
        self.draws: dict[Value, Callable[[], ndarray]] = {}
        self.memories: list[numpy.ndarray] = []
        self.class_numbers: dict[Value, int] = {}
        self.work = 0

    def input(self, array: ndarray, memory: numpy.ndarray, turned: bool = False) -> ndarray:
        """Return an array that stands for an input that lies in `memory` at each run."""
        value = Value(self, array.shape, array.dtype)
        value.memory, value.turned, value.origin = memory, turned, value
        value.native = memory.dtype != FLOAT
        self.memories.append(memory)
        return box(array, value)

    def draw(self, array: ndarray, again: Callable[[], ndarray]) -> ndarray:
        """Return an array that stands for a random draw, made anew by `again` at each run."""
        made = self.input(array, aligned(array.shape))
        self.draws[made._box] = again
        return made

    def value_of(self, array: Any) -> Value:
        """Return what an array is in the program: a constant where it isn't of this trace."""
        if type(array) is ndarray:
            if is_tracked(array):  # which looks through what ended tapes know of it
                if array._box.trace is not self:
                    raise Untraceable("it uses an array that an enclosing derivative follows")
                return array._box
            self.keep(array)
            array = numpy_value(array)
        return constant(array)

    def process(self, operation: Primitive, args: tuple, kwargs: dict) -> Any:
        """Run `operation` on the values, and record it."""
        expression = EXPRESSIONS.get(operation.name)
        if expression is not None:
            found = expression(*args, **kwargs)
            if found is not None:
                return found
        inner, given = [], []
        limit = len(args) if operation.arrays < 0 else operation.arrays
        for i, a in enumerate(args):
            own = type(a) is ndarray and a._box is not None and a._box.trace is self
            inner.append(a._inner if own else a)
            arrays = type(a) is ndarray or isinstance(a, numpy.ndarray)
            given.append(self.value_of(a) if own or (arrays and i < limit) else a)
        name = operation.name
        host = name not in LOWERINGS or _odd_operand(operation, given) is not None
        if name in _SHAPED_BY_DATA or (name in ON_ONEDNN and (host or onednn.library() is None)):
            raise Untraceable(f"{name} has no instruction")
        if host and _is_mxnets(operation, inner, kwargs):
            raise Untraceable(f"{name} has no instruction, and MXNet is faster at it")
        if self.work > _WORTH_LOADING:
            runtime.load()  # what remains takes NumPy longer than this
        ans = operation(*inner, **kwargs)
        results = ans if type(ans) is tuple else (ans,)
        if any(type(r) is not ndarray for r in results):
            raise Untraceable(f"{name} has results that are no arrays")
        if name in ("ones_like", "zeros_like") or not any(
            isinstance(a, Value) and a.constant is None for a in given
        ):
            return ans  # it will be the same at every run
        self.work += count_work(inner, ans)
        if any(r.size == 0 for r in results) or any(
            isinstance(a, Value) and a.size == 0 for a in given
        ):
            raise Untraceable("an array without elements has no instructions")
        if name in SAME_ELEMENTS and given[0].origin is None and results[0].dtype.kind in "iu":
            host = True  # whole numbers that are computed, and no input's
        self._check_integers(operation, given, host)
        made = [Value(self, r.shape, r.dtype) for r in results]
        for value in made:
            # Inputs may become integers: then they are good for class numbers alone.
            whole = value.dtype.kind in "iu"
            numbers = whole and not host and name in SAME_ELEMENTS and given[0].origin is not None
            compared = value.dtype == _BOOL and (host or name in _GIVE_BOOLS)
            value.native = whole and host
            if value.dtype != FLOAT and not numbers and not compared and not value.native:
                raise Untraceable(f"{name} gives {value.dtype}; only float32 has instructions")
        # What MXNet is faster at must not end up here unseen.
        mine = host or not (name in ON_ONEDNN or _is_mxnets(operation, inner, kwargs))
        kernel = operation.kernel if mine else None
        self.operations.append(Operation(name, given, made, kwargs, kernel, operation.into, host))
        if name in SAME_ELEMENTS and isinstance(given[0], Value):
            made[0].origin = given[0].origin
        boxed = tuple(self.boxed(r, value, args) for r, value in zip(results, made, strict=True))
        return boxed if type(ans) is tuple else boxed[0]

    def _check_integers(self, operation: Primitive, given: list[Any], host: bool) -> None:
        labels = _LABELS.get(operation.name)
        if host:
            at = operation.class_numbers
            if at is not None and isinstance(given[at], Value) and given[at].constant is None:
                self._check_class_numbers(
                    given[at], given[0].shape[getattr(operation, "class_axis", -1)]
                )
            return
        if labels is None or operation.name == "embedding_gradient":
            return
        if operation.name == "embedding":
            if given[1].constant is None:
                self._check_class_numbers(given[1], given[0].shape[0])
            return
        rows = given[0] if operation.name == "place" else given[labels - 1]
        if operation.name != "place" and (len(rows.shape) != 2 or given[labels].shape[1:]):
            raise Untraceable(f"{operation.name} of other than rows has no instruction")
        classes = given[2] if operation.name == "place" else rows.shape[-1]
        self._check_class_numbers(given[labels], classes)

    def _check_class_numbers(self, labels: Value, classes: int) -> None:
        """Have an input's elements checked at each run, before anything is computed."""
        origin = labels.origin
        if classes > _WHOLE:
            raise Untraceable("so many classes have no numbers in float32")
        if origin is None or origin.memory is None or origin.native:
            raise Untraceable("class numbers that are computed can't be checked")
        self.class_numbers[origin] = min(classes, self.class_numbers.get(origin, classes))


def _odd_operand(operation: Primitive, given: list[Any]) -> Value | None:
    """Return an operand that is neither float32 nor what the instruction takes beside that."""
    name = operation.name
    for a in given:
        if isinstance(a, Value) and a.native:
            return a
    if name in _ANY_DTYPE:
        return None
    for i, a in enumerate(given):
        if not isinstance(a, Value) or a.dtype == FLOAT or a.constant is not None:
            continue
        if i != _LABELS.get(name) and (a.dtype != _BOOL or name not in _TAKE_BOOLS):
            return a
    return None


def _is_mxnets(operation: Primitive, args: list[Any], kwargs: dict) -> bool:
    """Say whether MXNet does an operation faster than NumPy: then a graph of MXNet's is better."""
    faster = operation.faster_on_mxnet
    if operation.mxnet is None or faster is False or not runtime.installed():
        return False
    return faster if isinstance(faster, bool) else faster(*args, **kwargs)


def constant(array: Any) -> Value:
    """Return an array or a number as a value that no run computes.

    An array of float32 is read where it lies, at each run: states of layers are such arrays.
    """
    given = numpy.asarray(array)
    value = Value(None, given.shape, given.dtype)
    if value.dtype.kind not in "biuf":
        raise Untraceable(f"an array of {value.dtype} has no instructions")
    if given.dtype == FLOAT and given.flags.c_contiguous and given.ndim:
        value.constant = value.memory = given
    else:
        value.constant = numpy.array(given, FLOAT)
        value.source = array if isinstance(array, numpy.ndarray) else None
    return value


def aligned(shape: tuple[int, ...]) -> numpy.ndarray:
    """Return float32 zeros that begin on a cache line."""
    size = math.prod(shape)
    raw = numpy.zeros(size + 16, FLOAT)
    start = -(raw.ctypes.data // 4) % 16
    return raw[start : start + size].reshape(shape)
