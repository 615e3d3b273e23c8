"""Graphs of MXNet's operators: built node by node, compiled, run, and differentiated.

It must not know who traces them, nor what their inputs are.
"""

from __future__ import annotations

import contextlib
import ctypes
import itertools
import threading
from collections.abc import Sequence
from typing import Any

import numpy

from minpy.runtime import loading
from minpy.runtime.loading import SYNCHRONOUS, library, quiet_stderr
from minpy.runtime.memory import Memory, Unsupported, view
from minpy.runtime.operators import encode, operator

__all__ = ["Graph", "SymbolValue", "backward", "mark", "symbolic", "variable"]


class SymbolValue:
    """A node of a graph under construction, with the shape and dtype that it has there."""

    __slots__ = (
        "dtype",
        "is_variable",
        "origin",
        "relu_of",
        "shape",
        "symbol",
        "transpose_of",
    )

    def __init__(self, symbol: Any, shape: tuple[int, ...] | None = None, dtype: Any = None):
        self.symbol = symbol
        self.shape = shape
        self.dtype = dtype
        self.transpose_of: SymbolValue | None = None
        self.relu_of: SymbolValue | None = None
        self.is_variable = False
        self.origin: str | None = None  # the input that it has the elements of


class _Scratch(threading.local):
    def __init__(self) -> None:
        self.arrays: dict[str, numpy.ndarray] = {}


class _Symbolic:
    """Builds graph nodes; MXNet kernels get it as their argument ``F`` while they are traced.

    Its inputs and results are `SymbolValue`; a result has no shape yet, the tracer knows it from
    the value that it has computed beside.
    """

    symbolic = True

    def __init__(self) -> None:
        self._scratch = _Scratch()

    def scratch(self, value: numpy.ndarray) -> SymbolValue:
        """Return a variable for an operator that wants memory to write to, starting as `value`."""
        name = f"scratch{next(_node_numbers)}"
        self._scratch.arrays[name] = value
        return variable(name, value.shape, value.dtype)

    def take_scratch(self) -> dict[str, numpy.ndarray]:
        """Return the memory asked for in this thread since the last call."""
        taken, self._scratch.arrays = self._scratch.arrays, {}
        return taken

    def __call__(self, name: str, *inputs: Any, **attrs: Any) -> Any:
        mx = library()
        handle = operator(name)
        count, keys, values = encode(attrs)
        made = ctypes.c_void_p()
        lib = loading.lib
        mx.base.check_call(
            lib.MXSymbolCreateAtomicSymbol(handle, count, keys, values, ctypes.byref(made))
        )
        symbol = mx.sym.Symbol(made)
        given = (ctypes.c_void_p * len(inputs))(*[i.symbol.handle for i in inputs])
        node_name = f"{name.lower().lstrip('_')}{next(_node_numbers)}"
        mx.base.check_call(
            lib.NNSymbolCompose(symbol.handle, node_name.encode(), len(inputs), None, given)
        )
        outputs = len(symbol.list_outputs())
        if outputs == 1:
            return SymbolValue(symbol)
        return tuple(SymbolValue(symbol[i]) for i in range(outputs))

    def into(self, name: str, inputs: Any, outputs: Any, **attrs: Any) -> None:
        """Refuse: a graph works out the shapes of all of its nodes by itself."""
        raise Unsupported(f"{name} can't be part of a graph")

    def transposed(self, x: SymbolValue) -> SymbolValue:
        """Return the node with its axes reversed; two in a row cancel."""
        if x.transpose_of is not None:
            return x.transpose_of
        made = self("transpose", x)
        made.transpose_of = x
        return made


# MXNet tells the nodes of a graph apart by their names.
_node_numbers = itertools.count()

symbolic = _Symbolic()


def variable(name: str, shape: tuple[int, ...], dtype: Any) -> SymbolValue:
    """Return an input of a graph."""
    made = SymbolValue(library().sym.Variable(name), shape, dtype)
    made.is_variable = True
    return made


class Graph:
    """A compiled graph (MXNet's CachedOp) on the CPU or a GPU.

    Parameters
    ----------
    outputs
        Its results.
    static
        Whether what it computes on the way lies in the same memory at each run. Results never do.
    """

    def __init__(self, outputs: Sequence[SymbolValue], static: bool = True) -> None:
        mx = library()
        group = mx.sym.Group([o.symbol for o in outputs])
        self._group = group
        self.inputs: list[str] = group.list_inputs()
        self.count = len(outputs)
        flags = [("static_alloc", static), ("static_shape", static)]
        self._op = mx.nd.CachedOp(group, flags)
        self._lib = loading.lib
        self._ran = False
        self._layouts: list[tuple | None] = [None] * self.count

    @property
    def operators(self) -> list[str]:
        """The operators of its nodes, in order."""
        import json  # here, as a millisecond is a lot for `import minpy`

        nodes = json.loads(self._group.tojson())["nodes"]
        return [node["op"] for node in nodes if node["op"] != "null"]

    def bind(self, arrays: dict[str, Any]) -> Any:
        """Return the C list of the inputs' handles, to be kept and given to `run`."""
        handles = [arrays[name].handle for name in self.inputs]
        return (ctypes.c_void_p * len(handles))(*handles)

    def run(self, bound: Any, record: bool) -> list[Any]:
        """Run the graph; with `record`, `backward` may follow. Returns NDArrays.

        MXNet always believes that it trains: otherwise oneDNN brings the weights into a layout of
        its own in place, and NumPy, which shares their memory, reads that. No operator of a graph
        of ours depends on the mode. Shapes are taken as NumPy means them.
        """
        # This is called at each training step: nothing here that can be done once.
        lib = self._lib
        before, shapes = ctypes.c_int(), ctypes.c_int()
        reference = ctypes.byref(before)
        count = ctypes.c_int(0)
        made = ctypes.POINTER(ctypes.c_void_p)()
        stypes = ctypes.POINTER(ctypes.c_int)()
        lib.MXSetIsNumpyShape(1, ctypes.byref(shapes))
        lib.MXAutogradSetIsTraining(1, reference)
        lib.MXAutogradSetIsRecording(int(record), reference)
        try:
            # At its first run oneDNN remarks on pooling that isn't going to be differentiated.
            with _NOTHING if self._ran else quiet_stderr():
                status = lib.MXInvokeCachedOpEx(
                    self._op.handle,
                    len(bound),
                    bound,
                    ctypes.byref(count),
                    ctypes.byref(made),
                    ctypes.byref(stypes),
                )
            self._ran = True
        finally:
            lib.MXAutogradSetIsRecording(0, reference)
            lib.MXAutogradSetIsTraining(0, reference)
            lib.MXSetIsNumpyShape(shapes.value, reference)
        loading.mx.base.check_call(status)
        NDArray = loading.mx.nd.NDArray
        return [NDArray(ctypes.c_void_p(made[i])) for i in range(count.value)]

    def view(self, results: Sequence[Any], number: int) -> numpy.ndarray:
        """Return a NumPy array over the memory of one of the results of a static graph's run."""
        layout = self._layouts[number]
        if layout is None or not SYNCHRONOUS:
            found = view(results[number])
            if found.size and type(found.base) is Memory:
                memory = ctypes.c_char * found.nbytes
                self._layouts[number] = (memory, found.shape, found.dtype)
            return found
        memory, shape, dtype = layout
        pointer = ctypes.c_void_p()
        nd = results[number]
        self._lib.MXNDArrayGetData(nd.handle, ctypes.byref(pointer))
        block = memory.from_address(pointer.value)
        block.owner = nd  # NumPy keeps the block alive, and that the memory
        return numpy.ndarray(shape, dtype, block)


_NOTHING = contextlib.nullcontext()


def backward(heads: Sequence[Any], gradients: Sequence[Any] | None = None) -> None:
    """Run the derivatives of recorded results back, into the gradients that were marked.

    Without `gradients` each head counts with ones.
    """
    n = len(heads)
    lib = loading.lib
    handles = (ctypes.c_void_p * n)(*[nd.handle for nd in heads])
    given = None
    if gradients is not None:
        given = (ctypes.c_void_p * n)(*[nd.handle for nd in gradients])
    shapes, after = ctypes.c_int(), ctypes.c_int()
    lib.MXSetIsNumpyShape(1, ctypes.byref(shapes))
    try:
        status = lib.MXAutogradBackwardEx(n, handles, given, 0, None, 0, 0, 1, None, None)
    finally:
        lib.MXSetIsNumpyShape(shapes.value, ctypes.byref(after))
    loading.mx.base.check_call(status)


def mark(variables: Sequence[Any], gradients: Sequence[Any]) -> None:
    """Say where `backward` writes the gradients of variables."""
    library().autograd.mark_variables(list(variables), list(gradients), "write")
