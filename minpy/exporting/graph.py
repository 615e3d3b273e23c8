"""A graph of ONNX nodes in the making: names, initializers, lengths that depend on the batch.

It must not know any operation of minpy's. `minpy.exporting.operators` does.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy

from minpy.exporting.batch_axis import Extent
from minpy.exporting.recording import Constant, Operation, Value

__all__ = ["OPSET", "Graph", "NotExportable"]

# LayerNormalization came with 17, reductions that take their axes as an input and Split by a number
# of parts with 18; onnxruntime reads it from 1.14 on.
OPSET = 18

# Constants up to so many elements are compared with those that there are already.
_SMALL = 64


class NotExportable(Exception):
    """ONNX has no counterpart of what an operation does with these arguments."""


class Graph:
    """Nodes, in order, and the arrays that they use.

    Parameters
    ----------
    onnx
        The package.
    taken
        Names that nothing else may have: those of inputs and outputs.
    around
        The graph that this one is a loop's step in: it has the constants, and names are unlike its.

    Attributes
    ----------
    nodes, initializers, formals
        What an ONNX graph is made of; `formals` are the inputs of a step.
    sized
        An input whose first axis is the batch; None where its size is fixed.
    """

    def __init__(self, onnx: Any, taken: Iterable[str] = (), around: Graph | None = None) -> None:
        self.onnx = onnx
        self.around = around
        self.nodes: list[Any] = []
        self.initializers: list[Any] = []
        self.formals: list[Any] = []
        self.sized: str | None = None
        self._names: set[str] = set(taken) if around is None else around._names
        self._by_content: dict[Any, str] = {}
        self._by_identity: dict[int, str] = {}
        self._tensors: dict[int, str] = {}
        self._layer = "" if around is None else around._layer

    # --- names ----------------------------------------------------------------------------------

    def unique(self, name: str) -> str:
        """Return a name that nothing has."""
        found, number = name, 0
        while found in self._names:
            number += 1
            found = f"{name}_{number}"
        self._names.add(found)
        return found

    def inside(self, layer: str) -> None:
        """Name the nodes that follow after a layer."""
        self._layer = layer

    # --- nodes ----------------------------------------------------------------------------------

    def op(self, kind: str, *inputs: str, outputs: int = 1, **attributes: Any) -> Any:
        """Add a node; return the name of its result, or a tuple of names."""
        stem = self.unique(f"{self._layer}/{kind}" if self._layer else kind)
        made = [self.unique(f"{stem}:{i}") for i in range(outputs)]
        told = {k: v for k, v in attributes.items() if v is not None}
        self.nodes.append(self.onnx.helper.make_node(kind, list(inputs), made, name=stem, **told))
        return made[0] if outputs == 1 else tuple(made)

    def scan(
        self, body: Graph, states: Sequence[str], scanned: Sequence[str], made: Sequence[str]
    ) -> tuple[str, ...]:
        """Add a loop over the first axis of arrays.

        Parameters
        ----------
        body
            The step: its inputs, given by `formal` in order, are the states and a row of each.
        states, scanned
            What the states begin as, and the arrays.
        made
            In the body: the new states, and the results of a step.
        """
        inner = self.onnx.helper.make_graph(
            body.nodes,
            self.unique("step"),
            body.formals,
            [self.onnx.helper.make_empty_tensor_value_info(name) for name in made],
        )
        return self.op(
            "Scan",
            *states,
            *scanned,
            outputs=len(made),
            body=inner,
            num_scan_inputs=len(scanned),
        )

    def body(self, formals: Sequence[tuple[str, numpy.dtype]]) -> tuple[Graph, list[str]]:
        """Return a graph inside of this one, whose nodes may use this one's arrays."""
        inner = Graph(self.onnx, around=self)
        names = [self.unique(f"step/{name}") for name, _ in formals]
        inner.formals = [
            self.onnx.helper.make_tensor_value_info(n, self.element_type(dtype), None)
            for n, (_, dtype) in zip(names, formals, strict=True)
        ]
        return inner, names

    def element_type(self, dtype: Any) -> int:
        """Return ONNX's number of an element type."""
        try:
            return self.onnx.helper.np_dtype_to_tensor_dtype(numpy.dtype(dtype))
        except (KeyError, ValueError):
            raise NotExportable(f"arrays of {numpy.dtype(dtype)}") from None

    # --- arrays ---------------------------------------------------------------------------------

    def constant(self, array: Any, dtype: Any = None) -> str:
        """Return the name of an array of numbers."""
        if self.around is not None:
            return self.around.constant(array, dtype)
        array = numpy.asarray(array, dtype)
        if array.dtype.hasobject or array.dtype.kind in "USV":
            raise NotExportable(f"arrays of {array.dtype}")
        key = (array.shape, array.dtype.str, array.tobytes()) if array.size <= _SMALL else None
        if key is not None and key in self._by_content:
            return self._by_content[key]
        name = self.initializer("constant", array)
        if key is not None:
            self._by_content[key] = name
        return name

    def initializer(self, name: str, array: numpy.ndarray) -> str:
        """Add an array under a name; return the name that it got."""
        name = self.unique(name)
        self.element_type(array.dtype)
        kept = numpy.ascontiguousarray(array).reshape(array.shape)
        self.initializers.append(self.onnx.numpy_helper.from_array(kept, name))
        return name

    def define(self, value: Value, tensor: str) -> None:
        """Say which tensor a recorded value is."""
        self._tensors[id(value)] = tensor

    def tensor(self, operand: Any, dtype: Any = None) -> str:
        """Return the name of an operand: a recorded value, a constant or a number.

        Parameters
        ----------
        operand
            What it is.
        dtype
            Of the elements that are wanted; the operand's own if not given.
        """
        if isinstance(operand, Value):
            if id(operand) not in self._tensors:
                self.define(operand, self.initializer(operand.name, operand.memory))
            return self.cast(self._tensors[id(operand)], operand.dtype, dtype)
        if isinstance(operand, Constant):
            array = operand.array if dtype is None else operand.array.astype(dtype)
            name = self._kept(operand.array, array)
            if any(isinstance(n, Extent) for n in operand.shape):
                name = self.op("Expand", name, self.lengths(operand.shape))
            return name
        if isinstance(operand, Extent):
            scalar = self.op("Reshape", self.lengths((operand,)), self.constant([], "int64"))
            return self.cast(scalar, numpy.dtype("int64"), dtype)
        return self.constant(operand, dtype)

    def _kept(self, source: numpy.ndarray, array: numpy.ndarray) -> str:
        if source is not array and source.dtype != array.dtype:
            return self.constant(array)
        if id(source) not in self._by_identity:
            self._by_identity[id(source)] = self.constant(array)
        return self._by_identity[id(source)]

    def cast(self, tensor: str, dtype: Any, wanted: Any) -> str:
        """Return a tensor of a dtype with the elements of another dtype."""
        if wanted is None or numpy.dtype(wanted) == dtype:
            return tensor
        return self.op("Cast", tensor, to=self.element_type(wanted))

    # --- lengths --------------------------------------------------------------------------------

    def lengths(self, shape: Sequence[Any]) -> str:
        """Return a vector of lengths, some of which may depend on the batch size."""
        if not any(isinstance(n, Extent) for n in shape):
            return self.constant(numpy.array(shape, "int64").reshape(-1))
        parts, run = [], []
        for n in shape:
            if isinstance(n, Extent):
                if run:
                    parts.append(self.constant(run, "int64"))
                    run = []
                parts.append(self._extent(n))
            else:
                run.append(n)
        if run:
            parts.append(self.constant(run, "int64"))
        return parts[0] if len(parts) == 1 else self.op("Concat", *parts, axis=0)

    def _extent(self, n: Extent) -> str:
        if self.sized is None:
            raise NotExportable("a length that depends on the batch, and no input with one")
        key = ("extent", n)
        if key not in self._by_content:
            if n == Extent(1):
                found = self.op("Shape", self.sized, start=0, end=1)
            else:
                found = self._extent(Extent(1))
            if n.times != 1:
                found = self.op("Mul", found, self.constant([n.times], "int64"))
            if n.more:
                found = self.op("Add", found, self.constant([n.more], "int64"))
            self._by_content[key] = found
        return self._by_content[key]

    def reshaped(self, tensor: str, shape: Sequence[Any]) -> str:
        """Return a tensor's elements in another shape."""
        varying = [n for n in shape if isinstance(n, Extent)]
        if len(varying) == 1 and 0 not in shape:
            shape = [-1 if isinstance(n, Extent) else n for n in shape]
        return self.op("Reshape", tensor, self.lengths(shape))

    def transposed(self, tensor: str, axes: Sequence[int]) -> str:
        """Return a tensor with its axes in another order."""
        if list(axes) == list(range(len(axes))):
            return tensor
        return self.op("Transpose", tensor, perm=[int(a) for a in axes])

    def slice(self, tensor: str, axis: int, start: int, stop: int, step: int = 1) -> str:
        """Return a part of a tensor along one axis."""
        spans = [self.constant([n], "int64") for n in (start, stop, axis, step)]
        return self.op("Slice", tensor, *spans)

    def split(self, tensor: str, axis: int, lengths: Sequence[int]) -> tuple[str, ...]:
        """Return the parts of a tensor along one axis."""
        if len(lengths) == 1:
            return (tensor,)
        return self.op(
            "Split", tensor, self.constant(lengths, "int64"), outputs=len(lengths), axis=axis
        )

    def done(self, operation: Operation, made: Any) -> None:
        """Define an operation's results."""
        names = made if isinstance(made, tuple) else (made,)
        for value, name in zip(operation.made, names, strict=False):
            if name is not None:
                self.define(value, name)
