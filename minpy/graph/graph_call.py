"""A traced function as a graph of MXNet's, whose derivative MXNet makes."""

from __future__ import annotations

from typing import Any

import numpy

from minpy import runtime
from minpy.array import ndarray
from minpy.graph.call import Call
from minpy.graph.trace import SymbolTrace

__all__ = ["GraphCall"]


class GraphCall(Call):
    """A function of one signature as one graph; see `Call`."""

    trace_class = SymbolTrace
    on_mxnet = True

    def _input(self, trace: SymbolTrace, number: int, value: ndarray) -> ndarray:
        return trace.input(f"input{number}", value)

    def _compile(self, trace: SymbolTrace, results: list[ndarray]) -> None:
        symbols = [r._box.symbol for r in results]
        # MXNet can't differentiate an input that is a result.
        symbols = [runtime.symbolic("_copy", s) if s.is_variable else s for s in symbols]
        inputs = sum(self._arrays)
        self._names = [*(f"input{i}" for i in range(inputs)), *trace.draws]
        self._constants = {name: runtime.borrow(array) for name, array in trace.constants.items()}
        self._graph = runtime.Graph(symbols, static=False)

    def _handles(self, values: Any) -> dict[str, Any]:
        handles = dict(self._constants)
        for name, value in zip(self._names, values, strict=True):
            handles[name] = runtime.borrow(value)
        return handles

    def _run(self, *values: numpy.ndarray) -> Any:
        handles = self._handles(values)  # they must live while the graph runs
        with runtime.numpy_shapes():
            results = self._graph.run(self._graph.bind(handles), record=False)
        views = tuple(runtime.view(nd) for nd in results)
        return views if self._several else views[0]

    def _gradients(
        self, argnums: tuple, values: list[numpy.ndarray], heads: list[numpy.ndarray]
    ) -> list[numpy.ndarray]:
        handles = self._handles(values)
        wanted = [handles[self._names[i]] for i in argnums]
        gradients = [numpy.zeros_like(values[i]) for i in argnums]
        into = [runtime.borrow(g) for g in gradients]
        with runtime.numpy_shapes():
            runtime.mark(wanted, into)
            results = self._graph.run(self._graph.bind(handles), record=True)
            runtime.backward(results, [runtime.borrow(h) for h in heads])
        return gradients
