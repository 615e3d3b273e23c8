"""A traced function as a program for the compiled loop: records operations, and lowers them.

It records the operations of a whole step, derivatives too, because these are operations like any
others; then each becomes an instruction or two over memory that is laid out once. What there is no
instruction for makes the trace fail, and the step runs as a graph of MXNet's. Everything is
float32; class numbers are, too, which is exact below 2**24. It must not know models.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy

from minpy.array import is_tracked, ndarray, numpy_value
from minpy.autograd.trace import Trace, box
from minpy.graph.native.blas import sgemm
from minpy.graph.native.instructions import BINARY, COLUMNS, OTHER, UNARY
from minpy.graph.trace import SAME_ELEMENTS, Untraceable, count_work, refuse_reading
from minpy.primitives import Primitive

__all__ = ["Program", "ProgramTrace", "available"]

_FLOAT = numpy.dtype("float32")
_BOOL = numpy.dtype("bool")


def available() -> bool:
    """Say whether programs can run here: numba, and a matrix product that NumPy is linked to."""
    try:
        import numba
    except ImportError:
        return False
    return not numba.config.DISABLE_JIT and sgemm() is not None


# --- recording ------------------------------------------------------------------------------------


class Value:
    """An array of the program: an input, a constant, or the result of an operation."""

    __slots__ = ("constant", "dtype", "memory", "origin", "shape", "trace", "turned")

    def __init__(self, trace: ProgramTrace | None, array: numpy.ndarray) -> None:
        self.trace = trace
        self.shape = array.shape
        self.dtype = array.dtype
        self.memory: numpy.ndarray | None = None  # where it lies, contiguous
        self.turned = False  # whether the memory holds the matrix's columns one after the other
        self.constant: numpy.ndarray | None = None
        self.origin: Value | None = None  # the input that it has the elements of

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    def refuse(self) -> None:
        """Raise `Untraceable`: a number that is read now would be the same at every run."""
        refuse_reading()


class ProgramTrace(Trace):
    """Records the operations that its arrays go through, in order.

    Attributes
    ----------
    operations
        ``(name, arguments, keywords, results)``; arrays among the arguments are `Value` objects.
    draws
        Input → function that draws its value anew at each run.
    class_numbers
        Input → number of classes, for inputs whose elements are taken as class numbers.
    work
        Multiplications and elements of all results together.
    """

    __slots__ = ("class_numbers", "draws", "operations", "work")

    def __init__(self, level: int, token: Any) -> None:
        super().__init__(level, token)
        self.operations: list[tuple[str, list[Any], dict, list[Value]]] = []
        self.draws: dict[Value, Callable[[], ndarray]] = {}
        self.class_numbers: dict[Value, int] = {}
        self.work = 0

    def input(self, array: ndarray, memory: numpy.ndarray, turned: bool = False) -> ndarray:
        """Return an array that stands for an input that lies in `memory` at each run."""
        value = Value(self, numpy_value(array))
        value.memory, value.turned, value.origin = memory, turned, value
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
            array = numpy_value(array)
        return _constant(array)

    def process(self, operation: Primitive, args: tuple, kwargs: dict) -> Any:
        """Run `operation` on the values, and record it."""
        inner, given = [], []
        limit = len(args) if operation.arrays < 0 else operation.arrays
        for i, a in enumerate(args):
            own = type(a) is ndarray and a._box is not None and a._box.trace is self
            inner.append(a._inner if own else a)
            arrays = type(a) is ndarray or isinstance(a, numpy.ndarray)
            given.append(self.value_of(a) if own or (arrays and i < limit) else a)
        name = operation.name
        if name not in _LOWERINGS:
            raise Untraceable(f"{name} has no instruction")
        ans = operation(*inner, **kwargs)
        if type(ans) is not ndarray:
            raise Untraceable(f"{name} has several results")
        self.work += count_work(inner, ans)
        if ans.size == 0 or any(isinstance(a, Value) and a.size == 0 for a in given):
            raise Untraceable("an array without elements has no instructions")
        result = Value(self, numpy_value(ans))
        if name in ("ones_like", "zeros_like") or not any(
            isinstance(a, Value) and a.constant is None for a in given
        ):
            result.constant = numpy.array(numpy_value(ans), _FLOAT)
        else:
            # Inputs may become integers: then they are good for class numbers alone.
            numbers = name == "astype" and ans.dtype.kind in "iu" and given[0].origin is not None
            compared = ans.dtype == _BOOL and name in _COMPARISONS
            if ans.dtype != _FLOAT and not numbers and not compared:
                raise Untraceable(f"{name} gives {ans.dtype}; only float32 has instructions")
            self._check_integers(operation, given)
            self.operations.append((name, given, kwargs, [result]))
        if name in SAME_ELEMENTS and isinstance(given[0], Value):
            result.origin = given[0].origin
        return box(ans, result)

    def _check_integers(self, operation: Primitive, given: list[Any]) -> None:
        labels = _LABELS.get(operation.name)
        for i, a in enumerate(given):
            if not isinstance(a, Value) or a.dtype == _FLOAT:
                continue
            if i == labels or a.constant is not None or operation.name == "astype":
                continue
            if a.dtype != _BOOL or operation.name not in _TAKE_BOOLS:
                raise Untraceable(f"{operation.name} of {a.dtype}; only float32 has instructions")
        if labels is None:
            return
        origin = given[labels].origin
        if origin is None or origin.memory is None:
            raise Untraceable("class numbers that are computed can't be checked")
        rows = given[0] if operation.name == "place" else given[labels - 1]
        if operation.name != "place" and (len(rows.shape) != 2 or given[labels].shape[1:]):
            raise Untraceable(f"{operation.name} of other than rows has no instruction")
        classes = given[2] if operation.name == "place" else rows.shape[-1]
        self.class_numbers[origin] = min(classes, self.class_numbers.get(origin, classes))


def _constant(array: Any) -> Value:
    value = Value(None, numpy.asarray(array))
    if value.dtype.kind not in "biuf":
        raise Untraceable(f"an array of {value.dtype} has no instructions")
    value.constant = numpy.array(array, _FLOAT)
    return value


def aligned(shape: tuple[int, ...]) -> numpy.ndarray:
    """Return float32 zeros that begin on a cache line."""
    size = math.prod(shape)
    raw = numpy.zeros(size + 16, _FLOAT)
    start = -(raw.ctypes.data // 4) % 16
    return raw[start : start + size].reshape(shape)


# --- lowering -------------------------------------------------------------------------------------


class Program:
    """Operations as instructions over memory that is laid out once.

    Parameters
    ----------
    trace
        Which has recorded them.
    results
        The arrays to compute.
    targets
        For each result the memory that it is to lie in and whether it lies there turned round, or
        None for memory of the program's own.

    Attributes
    ----------
    results
        The memory of each result, which the next run overwrites.
    """

    def __init__(
        self,
        trace: ProgramTrace,
        results: Sequence[Any],
        targets: Sequence[tuple[numpy.ndarray, bool] | None],
    ) -> None:
        self._rows: list[list[int]] = []
        self._numbers: list[float] = []
        self._kept: list[numpy.ndarray] = []
        self._straight: dict[int, numpy.ndarray] = {}
        values = [trace.value_of(r) for r in results]
        self._place_results(trace, values, targets)
        needed = {id(v) for v in values}
        live = []
        for operation in reversed(trace.operations):
            _, given, _, made = operation
            if any(id(v) in needed for v in made):
                live.append(operation)
                needed.update(id(a) for a in given if isinstance(a, Value))
        for name, given, kwargs, (made,) in reversed(live):
            try:
                _LOWERINGS[name](self, made, *given, **kwargs)
            except TypeError as reason:  # an argument that the instruction knows nothing of
                raise Untraceable(f"{name}: {reason}") from None
        self.results: list[numpy.ndarray] = []
        for value, target in zip(values, targets, strict=True):
            if target is None:
                self.results.append(self.straight(value))
                continue
            memory, turned = target
            if value.memory is not memory:
                self._move(value, memory, turned)
            self.results.append(memory)
        product = sgemm()
        assert product is not None
        self._product = product
        self._table = numpy.array(self._rows, numpy.int64).reshape(-1, COLUMNS)
        self._factors = numpy.array(self._numbers, _FLOAT)
        from minpy.graph.native.kernels import run

        self._run = run

    def __len__(self) -> int:
        return len(self._rows)

    def run(self) -> None:
        """Compute the results of what the inputs' memory holds."""
        self._run(self._table, self._factors, self._product.address, self._product.integer)

    def _place_results(self, trace: ProgramTrace, values: list, targets: Sequence) -> None:
        """Let results be computed where they are to lie in the end, where that can be."""
        makers = {id(made[0]): name for name, _, _, made in trace.operations}
        for value, target in zip(values, targets, strict=True):
            name = makers.get(id(value))
            if target is None or name is None or name in _ALIASES or value.memory is not None:
                continue
            memory, turned = target
            if not turned or name in _PRODUCTS:
                value.memory, value.turned = memory, turned

    def _move(self, value: Value, memory: numpy.ndarray, turned: bool) -> None:
        if turned:
            source = self.straight(value)
            self.emit(OTHER["transpose"], memory, source, sizes=source.shape)
        else:
            self.emit(UNARY["copy"], memory, self.straight(value), sizes=(1, value.size))

    # --- memory and instructions ----------------------------------------------------------------

    def memory(self, value: Value) -> numpy.ndarray:
        """Return where a value lies, turned or not."""
        if value.memory is None:
            if value.constant is not None:
                value.memory = numpy.ascontiguousarray(value.constant)
            else:
                value.memory = aligned(value.shape)
        return value.memory

    def straight(self, value: Any) -> numpy.ndarray:
        """Return where a value or a number lies with its rows one after the other."""
        if not isinstance(value, Value):
            value = _constant(value)
        memory = self.memory(value)
        if not value.turned:
            return memory
        found = self._straight.get(id(value))
        if found is None:
            self._straight[id(value)] = found = aligned(value.shape)
            self._kept.append(value)  # an identity is one only while the object lives
            self.emit(OTHER["transpose"], found, memory, sizes=memory.shape)
        return found

    def emit(
        self,
        code: int,
        out: numpy.ndarray,
        *operands: numpy.ndarray,
        sizes: Sequence[int] = (),
        flags: int = 0,
        number: float = 0.0,
    ) -> None:
        """Add an instruction."""
        arrays = [out, *operands]
        self._kept += arrays
        addresses = [a.ctypes.data for a in arrays]
        addresses += [0] * (4 - len(addresses))
        fields = [*sizes] + [0] * (3 - len(sizes)) + [flags]
        row = [code, *addresses, *fields]
        self._rows.append(row + [0] * (COLUMNS - len(row)))
        self._numbers.append(number)


# Each takes the program, the result, and the operation's arguments.
_LOWERINGS: dict[str, Callable[..., None]] = {}
_COMPARISONS = frozenset(["greater", "greater_equal", "less", "less_equal", "equal", "not_equal"])
# Operations whose result is a float where one operand is; ones and zeros stand for a bool then.
_TAKE_BOOLS = frozenset([*BINARY, "where"])
# The argument that has the class numbers.
_LABELS = {
    "pick": 1,
    "place": 1,
    "softmax_cross_entropy": 1,
    "softmax_cross_entropy_gradient": 2,
}
_ALIASES = frozenset([*SAME_ELEMENTS, "transpose"])
_PRODUCTS = frozenset(["matrix_product", "dot", "matmul"])


def _lowers(*names: str) -> Callable[[Callable], Callable]:
    def register(function: Callable) -> Callable:
        _LOWERINGS.update(dict.fromkeys(names, function))
        return function

    return register


def _unary(name: str) -> Callable[..., None]:
    def lower(p: Program, out: Value, x: Value) -> None:
        p.emit(UNARY[name], p.memory(out), p.straight(x), sizes=(1, out.size))

    return lower


for _name in UNARY:
    if _name != "copy":
        _LOWERINGS[_name] = _unary(_name)
_LOWERINGS["abs"] = _LOWERINGS["absolute"]


def _patterns(shape: tuple[int, ...], *operands: tuple[int, ...]) -> list[tuple[int, tuple]]:
    """Return runs of axes along which the same operands move on, as (length, which)."""
    runs: list[tuple[int, tuple]] = []
    for axis, length in enumerate(shape):
        if length == 1:
            continue
        moves = []
        for given in operands:
            at = axis - len(shape) + len(given)
            moves.append(at >= 0 and given[at] != 1)
        if runs and runs[-1][1] == tuple(moves):
            runs[-1] = (runs[-1][0] * length, runs[-1][1])
        else:
            runs.append((length, tuple(moves)))
    return runs


def _shape(value: Any) -> tuple[int, ...]:
    return value.shape if isinstance(value, Value) else numpy.shape(value)


def _emit_binary(p: Program, name: str, out: Value, a: Any, b: Any) -> None:
    _emit_binary_into(p, name, p.memory(out), out.shape, a, b)


def _emit_binary_into(
    p: Program, name: str, out: numpy.ndarray, shape: tuple[int, ...], a: Any, b: Any
) -> None:
    runs = _patterns(shape, _shape(a), _shape(b))
    if len(runs) > 2:
        raise Untraceable(f"{name} of shapes {_shape(a)} and {_shape(b)} has no instruction")
    runs = [(1, (False, False))] * (2 - len(runs)) + runs
    (rows, (a_rows, b_rows)), (columns, (a_columns, b_columns)) = runs
    moves = a_columns + 2 * b_columns + 4 * a_rows + 8 * b_rows
    given = p.straight(a), p.straight(b)
    p.emit(BINARY[name], out, *given, sizes=(rows, columns, moves))


def _binary(name: str) -> Callable[..., None]:
    def lower(p: Program, out: Value, a: Any, b: Any) -> None:
        _emit_binary(p, name, out, a, b)

    return lower


for _name in BINARY:
    _LOWERINGS[_name] = _binary(_name)


@_lowers("broadcast_to")
def _broadcast_to(p: Program, out: Value, x: Value, shape: Any) -> None:
    _emit_binary(p, "multiply", out, x, 1.0)


@_lowers("reshape", "ravel", "expand_dims", "squeeze", "astype")
def _same_elements(p: Program, out: Value, x: Value, *args: Any, **kwargs: Any) -> None:
    if kwargs.get("order", "C") != "C" or "F" in args:
        raise Untraceable("reshape in Fortran's order has no instruction")
    out.memory = p.straight(x).reshape(out.shape)


@_lowers("transpose")
def _transpose(p: Program, out: Value, x: Value, axes: Any = None) -> None:
    if len(x.shape) != 2 or (axes is not None and tuple(axes) != (1, 0)):
        raise Untraceable("transpose of other than two axes has no instruction")
    out.memory, out.turned = p.memory(x), not x.turned


@_lowers("ones_like", "zeros_like")
def _filled(p: Program, out: Value, *args: Any, **kwargs: Any) -> None:
    raise AssertionError("is a constant")


def _axes(x: Value, axis: Any) -> list[int]:
    if axis is None:
        return list(range(len(x.shape)))
    given = axis if isinstance(axis, tuple | list) else (axis,)
    return sorted(int(i) % len(x.shape) for i in given)


def _reduced(p: Program, out: Value, x: Value, axis: Any, mean: bool) -> None:
    axes, ndim = _axes(x, axis), len(x.shape)
    count = math.prod(x.shape[i] for i in axes)
    rest = x.size // max(count, 1)
    factor = 1.0 / count if mean else 1.0
    if axes == list(range(ndim - len(axes), ndim)):
        given = p.straight(x)
        p.emit(OTHER["sum_columns"], p.memory(out), given, sizes=(rest, count), number=factor)
    elif axes == list(range(len(axes))):
        p.emit(OTHER["sum_rows"], p.memory(out), p.straight(x), sizes=(count, rest))
        if mean:
            mine = p.memory(out)
            number = p.straight(factor)
            p.emit(BINARY["multiply"], mine, mine, number, sizes=(1, rest, 1))
    else:
        raise Untraceable("a sum over axes in the middle has no instruction")


@_lowers("sum")
def _sum(p: Program, out: Value, x: Value, axis: Any = None, keepdims: Any = False) -> None:
    _reduced(p, out, x, axis, mean=False)


@_lowers("mean")
def _mean(p: Program, out: Value, x: Value, axis: Any = None, keepdims: Any = False) -> None:
    _reduced(p, out, x, axis, mean=True)


def _emit_product(
    p: Program, out: Value, a: Value, b: Value, ta: bool, tb: bool, start: bool = False
) -> None:
    """Emit ``out = op(a) op(b)``, added to what is there if `start`."""
    for given in (a, b):
        if len(given.shape) != 2:
            raise Untraceable("a product of other than matrices has no instruction")
    m, k = a.shape[::-1] if ta else a.shape
    n = b.shape[0] if tb else b.shape[1]
    first, second = p.memory(a), p.memory(b)
    ta, tb = ta != a.turned, tb != b.turned
    memory = p.memory(out)
    if out.turned:  # the transpose of a product is that of the factors the other way round
        first, second, ta, tb, m, n = second, first, not tb, not ta, n, m
    p.emit(
        OTHER["product"],
        memory,
        first,
        second,
        sizes=(m, n, k),
        flags=ta + 2 * tb,
        number=float(start),
    )


@_lowers("matrix_product")
def _matrix_product(p: Program, out: Value, a: Value, b: Value, ta: bool, tb: bool) -> None:
    _emit_product(p, out, a, b, ta, tb)


@_lowers("dot", "matmul")
def _dot(p: Program, out: Value, a: Value, b: Value) -> None:
    _emit_product(p, out, a, b, False, False)


@_lowers("affine")
def _affine(p: Program, out: Value, x: Value, w: Value, b: Value | None) -> None:
    if b is not None:
        p.emit(OTHER["fill_rows"], p.memory(out), p.straight(b), sizes=out.shape)
    _emit_product(p, out, x, w, False, False, start=b is not None)


def _of_last_axis(name: str) -> Callable[..., None]:
    def lower(p: Program, out: Value, x: Value, axis: int = -1) -> None:
        if axis not in (-1, len(x.shape) - 1):
            raise Untraceable(f"{name} along another axis than the last has no instruction")
        sizes = (x.size // x.shape[-1], x.shape[-1])
        p.emit(OTHER[name], p.memory(out), p.straight(x), sizes=sizes)

    return lower


_LOWERINGS["softmax"] = _of_last_axis("softmax")
_LOWERINGS["log_softmax"] = _of_last_axis("log_softmax")


@_lowers("max", "amax")
def _max(p: Program, out: Value, x: Value, axis: Any = None, keepdims: Any = False) -> None:
    axes, ndim = _axes(x, axis), len(x.shape)
    if axes != list(range(ndim - len(axes), ndim)):
        raise Untraceable("a maximum over axes in the middle has no instruction")
    count = math.prod(x.shape[i] for i in axes)
    sizes = (x.size // count, count)
    p.emit(OTHER["maximum_columns"], p.memory(out), p.straight(x), sizes=sizes)


@_lowers("softmax_cross_entropy")
def _cross_entropy(p: Program, out: Value, x: Value, labels: Value) -> None:
    given = p.straight(x), p.straight(labels)
    p.emit(OTHER["cross_entropy"], p.memory(out), *given, sizes=x.shape)


@_lowers("softmax_cross_entropy_gradient")
def _cross_entropy_gradient(p: Program, out: Value, g: Value, q: Value, labels: Value) -> None:
    given = p.straight(g), p.straight(q), p.straight(labels)
    p.emit(OTHER["cross_entropy_gradient"], p.memory(out), *given, sizes=q.shape)


@_lowers("pick")
def _pick(p: Program, out: Value, x: Value, labels: Value) -> None:
    p.emit(OTHER["pick"], p.memory(out), p.straight(x), p.straight(labels), sizes=x.shape)


@_lowers("place")
def _place(p: Program, out: Value, g: Value, labels: Value, classes: int) -> None:
    p.emit(OTHER["place"], p.memory(out), p.straight(g), p.straight(labels), sizes=out.shape)


@_lowers("gelu")
def _gelu(p: Program, out: Value, x: Value) -> None:
    given, mine = p.straight(x), p.memory(out)
    p.emit(UNARY["normal_cdf"], mine, given, sizes=(1, out.size))
    p.emit(BINARY["multiply"], mine, mine, given, sizes=(1, out.size, 3))


@_lowers("sigmoid_cross_entropy")
def _sigmoid_cross_entropy(p: Program, out: Value, x: Value, y: Any) -> None:
    # max(x, 0) - x y + log(1 + exp(-|x|)), and the first and last of these are softplus(x)
    negative = aligned(x.shape)
    _emit_binary_into(p, "multiply", negative, x.shape, x, y)
    p.emit(UNARY["softplus"], p.memory(out), p.straight(x), sizes=(1, out.size))
    mine = p.memory(out)
    p.emit(BINARY["subtract"], mine, mine, negative, sizes=(1, out.size, 3))


@_lowers("where")
def _where(p: Program, out: Value, condition: Value, a: Any, b: Any) -> None:
    if any(_shape(v) != out.shape for v in (condition, a, b)):
        raise Untraceable("where of several shapes has no instruction")
    given = p.straight(condition), p.straight(a), p.straight(b)
    p.emit(OTHER["where"], p.memory(out), *given, sizes=(1, out.size))
