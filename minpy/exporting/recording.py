"""A forward pass as a list of operations on arrays of one batch size; it must not know any format.

Unlike what is recorded for a compiled step, operations of any dtype are, and the weights are inputs
with names: who writes the list down wants to find them again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy

from minpy.array import as_ndarray, is_tracked, ndarray, numpy_value
from minpy.autograd.containers import flatten
from minpy.autograd.trace import box, open_trace
from minpy.graph.trace import Recording, Untraceable, refuse_reading
from minpy.layers.forward_pass import call_context, forward_pass
from minpy.layers.parameter import bound, collect_updates
from minpy.primitives import Primitive
from minpy.random import observed

__all__ = ["Constant", "ForwardTrace", "Operation", "Pass", "Value", "record_forward"]


@dataclass(eq=False)
class Value:
    """An array that an operation made, an input, or a weight: its name is then not None."""

    trace: ForwardTrace
    shape: tuple[Any, ...]
    dtype: numpy.dtype
    name: str | None = None
    memory: numpy.ndarray | None = None  # a weight's numbers

    def refuse(self) -> None:
        """Raise `Untraceable`: a number that is read now would be the same at every run."""
        try:
            refuse_reading()
        except Untraceable as reason:
            raise Untraceable(f"{_place()}{reason}") from None


def _place() -> str:
    """Return which layer is running, for messages."""
    running = call_context.running
    return "" if running is None else f"in layer {running.name!r} "


@dataclass(eq=False)
class Constant:
    """An array that no input has a part in.

    Attributes
    ----------
    array
        Its numbers.
    shape
        Its lengths, of which some may change with the batch size: along those the array has one
        element, to be repeated.
    """

    array: numpy.ndarray
    shape: tuple[Any, ...]

    @property
    def dtype(self) -> numpy.dtype:
        """Element type."""
        return self.array.dtype


@dataclass(eq=False)
class Operation:
    """A recorded operation; arrays among its arguments are `Value` and `Constant` objects."""

    name: str
    given: tuple[Any, ...]
    told: dict[str, Any]
    made: tuple[Value, ...]
    primitive: Primitive
    layer: str  # what it was done in, for names and messages


@dataclass(eq=False)
class Pass:
    """What a forward pass did: from inputs and weights to outputs."""

    inputs: list[Value]
    weights: list[Value]
    operations: list[Operation]
    outputs: list[Any]  # values and constants
    unflatten: Callable[[list[Any]], Any]


class ForwardTrace(Recording):
    """Records the operations that its arrays go through, in order."""

    __slots__ = ("operations",)

    def __init__(self, level: int, token: Any) -> None:
        super().__init__(level, token)
        self.operations: list[Operation] = []

    def input(self, array: ndarray, name: str, memory: numpy.ndarray | None = None) -> ndarray:
        """Return an array that stands for an input, or for a weight that lies in `memory`."""
        return box(array, Value(self, array.shape, array.dtype, name, memory))

    def draw(self, array: ndarray, again: Callable[[], ndarray]) -> ndarray:
        """Raise `Untraceable`: what was drawn now would be the same at every run."""
        raise Untraceable(f"{_place()}it draws random numbers")

    def value_of(self, array: Any) -> Value | Constant:
        """Return what stands for an array: a constant where it isn't of this trace."""
        if type(array) is ndarray:
            if is_tracked(array):  # which looks through what ended tapes know of it
                if array._box.trace is not self:
                    raise Untraceable("it uses an array that an enclosing derivative follows")
                return array._box
            self.keep(array)
            array = numpy_value(array)
        array = numpy.asarray(array)
        return Constant(array, array.shape)

    def process(self, operation: Primitive, args: tuple, kwargs: dict) -> Any:
        """Run `operation` on the values, and record it."""
        inner, given = [], []
        for a in args:
            own = type(a) is ndarray and a._box is not None and a._box.trace is self
            inner.append(a._inner if own else a)
            arrays = type(a) is ndarray or isinstance(a, numpy.ndarray)
            given.append(self.value_of(a) if arrays else a)
        ans = operation(*inner, **kwargs)
        results = ans if isinstance(ans, tuple | list) else (ans,)
        if any(type(r) is not ndarray for r in results):
            raise Untraceable(f"{operation.name} has results that are no arrays")
        made = tuple(Value(self, r.shape, r.dtype) for r in results)
        running = call_context.running
        layer = "" if running is None else running.name
        self.operations.append(
            Operation(operation.name, tuple(given), kwargs, made, operation, layer)
        )
        boxed = [self.boxed(r, value, args) for r, value in zip(results, made, strict=True)]
        return type(ans)(boxed) if isinstance(ans, tuple | list) else boxed[0]


def record_forward(model: Any, given: Any, names: list[str]) -> Pass:
    """Return what a model's forward pass in inference mode does.

    Parameters
    ----------
    model
        A model whose weights are made.
    given
        NumPy arrays in the structure that the model takes; it is run on them.
    names
        Of the arrays, in order.

    Raises
    ------
    Untraceable
        If the pass depends on its inputs in another way than by operations on arrays.
    """
    leaves, unflatten = flatten(given)
    weights = list({id(p): p for p in model.weights}.values())
    with (
        open_trace(ForwardTrace) as trace,
        observed(trace.draw),
        numpy.errstate(all="ignore"),
        collect_updates(),
        forward_pass(False),
    ):
        inputs = [
            trace.input(as_ndarray(leaf), name) for leaf, name in zip(leaves, names, strict=True)
        ]
        boxes = [trace.input(p.value, p.path, p.memory) for p in weights]
        with bound(weights, boxes):
            found = model(unflatten(inputs), training=False)
            outputs, unflatten_outputs = flatten(found)
        return Pass(
            [a._box for a in inputs],
            [b._box for b in boxes],
            trace.operations,
            [trace.value_of(out) for out in outputs],
            unflatten_outputs,
        )
