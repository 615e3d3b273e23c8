"""Operators of a graph that run a function of ours on the host, over MXNet's memory.

MXNet computes some operators element by element on one core: the backward pass of its LayerNorm
takes 14.5 ms for 8192 × 128 numbers, a compiled loop 0.5. Such an operator is replaced, inside a
graph, by a node that calls a function with NumPy arrays over the node's inputs and results
(MXNet's ``Custom``). The call costs about 25 µs forward and 45 backward, and no copies.

It must not know any operator.
"""

from __future__ import annotations

import collections
import ctypes
import json
import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy

from minpy import runtime

__all__ = ["HostOperator"]

_lock = threading.Lock()


class HostOperator:
    """A function that graphs can call, with its derivative.

    Parameters
    ----------
    name
        Unique among MXNet's custom operators.
    forward
        ``forward(inputs, results, **attrs)`` fills the arrays `results`.
    backward
        ``backward(gradients, inputs, results, found, **attrs)`` fills `found`, the gradients of the
        inputs, of the gradients of the results; an entry of it is None where nobody asks for it.
    shapes
        ``shapes(input_shapes, **attrs)`` returns the shapes of the results, all of them of the
        first input's dtype.
    results
        How many there are.
    uses_results
        Whether `backward` reads `results`.
    kept
        How many of the results, the last ones, are there for `backward` only: nobody uses them, so
        they have no gradients.

    Notes
    -----
    For graphs on the host, whose operations have finished when their call returns; elsewhere
    `__call__` raises `minpy.runtime.Unsupported`.
    """

    def __init__(
        self,
        name: str,
        forward: Callable[..., None],
        backward: Callable[..., None],
        shapes: Callable[..., Sequence[tuple[int, ...]]],
        results: int = 1,
        uses_results: bool = False,
        kept: int = 0,
    ) -> None:
        self.name = f"minpy_{name}"
        self.forward = forward
        self.backward = backward
        self.shapes = shapes
        self.results = results
        self.uses_results = uses_results
        self.differentiated = results - kept
        self._registered = False

    def __call__(self, F: Any, *inputs: Any, **attrs: Any) -> Any:
        """Return the node for inputs that are nodes; `attrs` are what JSON can hold."""
        if not F.symbolic or not runtime.synchronous():
            raise runtime.Unsupported(f"{self.name} runs in graphs on the host only")
        with _lock:
            if not self._registered:
                _register(self)
                self._registered = True
        return F("Custom", *inputs, op_type=self.name, count=len(inputs), attrs=json.dumps(attrs))


def _forget_dependencies(registry: Any) -> None:
    """Make MXNet take all arrays that it hands to an operator's backward pass for dense ones.

    It remembers which of them a backward pass reads for the operator declared last only, and fails
    on those that it leaves out for another one with "unknown storage type: -1".
    """
    kind = type(registry)
    if not hasattr(kind, "result_deps"):
        nothing = property(lambda self: set(), lambda self, value: None)
        registry.__class__ = type(kind.__name__, (kind,), {"result_deps": nothing})


def _register(operator: HostOperator) -> None:
    """Make the operator known to MXNet."""
    mx = runtime.library()
    _forget_dependencies(mx.operator._registry)

    class Run(mx.operator.CustomOp):
        def __init__(self, attrs: dict[str, Any]) -> None:
            super().__init__()
            self.attrs = attrs
            self.views: dict[str, _Views] = collections.defaultdict(_Views)

        def forward(self, is_train, req, in_data, out_data, aux):
            see = self.views
            results = _Results(out_data, req, see["results"])
            operator.forward(see["inputs"](in_data), results.arrays, **self.attrs)
            results.store()

        def backward(self, req, out_grad, in_data, out_data, in_grad, aux):
            see = self.views
            found = _Results(in_grad, req, see["found"])
            operator.backward(
                see["gradients"](out_grad[: operator.differentiated]),
                see["inputs"](in_data),
                see["results"](out_data) if operator.uses_results else [],
                found.arrays,
                **self.attrs,
            )
            found.store()

    class Properties(mx.operator.CustomOpProp):
        def __init__(self, count: str, attrs: str) -> None:
            super().__init__(need_top_grad=True)
            self.count = int(count)
            self.attrs = {
                k: tuple(v) if type(v) is list else v for k, v in json.loads(attrs).items()
            }
            self.outputs = operator.results

        def list_arguments(self):
            return [f"input{i}" for i in range(self.count)]

        def list_outputs(self):
            return [f"result{i}" for i in range(self.outputs)]

        def infer_shape(self, in_shape):
            made = operator.shapes([tuple(s) for s in in_shape], **self.attrs)
            return in_shape, [list(s) for s in made], []

        def declare_backward_dependency(self, out_grad, in_data, out_data):
            return [
                *out_grad[: operator.differentiated],
                *in_data,
                *(out_data if operator.uses_results else ()),
            ]

        def create_operator(self, ctx, shapes, dtypes):
            return Run(self.attrs)

    mx.operator.register(operator.name)(Properties)


class _Views:
    """Sees MXNet's arrays as NumPy's; their shapes, those of a node, are asked for once."""

    __slots__ = ("layouts",)

    def __init__(self) -> None:
        self.layouts: dict[int, tuple[Any, tuple[int, ...], numpy.dtype]] = {}

    def __call__(self, arrays: Sequence[Any]) -> list[numpy.ndarray]:
        return [self.one(i, array) for i, array in enumerate(arrays)]

    def one(self, number: int, array: Any) -> numpy.ndarray:
        layout = self.layouts.get(number)
        if layout is None:
            found = runtime.view(array)
            if found.size:
                memory = ctypes.c_char * found.nbytes
                self.layouts[number] = (memory, found.shape, found.dtype)
            return found
        memory, shape, dtype = layout
        block = memory.from_address(runtime.address(array))
        block.owner = array  # NumPy keeps the block alive, and that the memory
        return numpy.ndarray(shape, dtype, block)


class _Results:
    """Arrays to be filled, as MXNet asks: not at all, over what is there, or added to it."""

    __slots__ = ("added", "arrays")

    def __init__(self, targets: Sequence[Any], requests: Sequence[str], views: _Views) -> None:
        self.arrays: list[numpy.ndarray | None] = []
        self.added: list[tuple[numpy.ndarray, numpy.ndarray]] = []
        for i, (target, request) in enumerate(zip(targets, requests, strict=True)):
            if request == "null":
                self.arrays.append(None)
                continue
            memory = views.one(i, target)
            if request == "add":
                part = numpy.empty_like(memory)
                self.added.append((memory, part))
                memory = part
            self.arrays.append(memory)

    def store(self) -> None:
        for memory, part in self.added:
            memory += part
