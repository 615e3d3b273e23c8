"""A training step as a graph of MXNet's: replayed on memory that its inputs are copied into."""

from __future__ import annotations

from typing import Any

import numpy

from minpy import runtime
from minpy.aligned import aligned_full
from minpy.array import as_ndarray, is_tracked, ndarray
from minpy.autograd.containers import flatten
from minpy.data.batch import Batch
from minpy.graph.trace import SymbolTrace, worth_sharing
from minpy.layers.parameter import Parameter
from minpy.models.flat_buffers import FlatBuffers

__all__ = ["GraphReplay", "check_class_numbers"]


def check_class_numbers(labels: numpy.ndarray, classes: int) -> None:
    """Raise `ValueError` unless all class numbers are of classes that there are."""
    low, high = labels.min(), labels.max()
    if not (low >= 0 and high < classes):  # written so that NaN fails too
        raise ValueError(
            f"expected class numbers from 0 to {classes - 1}, below the number of the model's "
            f"outputs (or an Embedding's input_dim), got {low:g} to {high:g}"
        )


class GraphReplay:
    """A traced step: the graph, and the memory that its inputs are copied into."""

    def __init__(
        self,
        trace: SymbolTrace,
        buffers: FlatBuffers,
        inputs: list[ndarray],
        loss: Any,
        predictions: Any,
        updates: list[tuple[Parameter, Any]],
        weights: dict[str, Any],
    ) -> None:
        self.buffers = buffers
        leaves, self._unflatten = flatten(predictions)
        heads = []
        if loss is not None:
            heads.append(_symbol(trace, as_ndarray(loss)))
        self._has_loss = loss is not None
        # Only the loss is differentiated; the other results must not be.
        rest = [as_ndarray(leaf) for leaf in leaves]
        rest += [as_ndarray(value) for _, value in updates]
        heads += [runtime.symbolic("BlockGrad", _symbol(trace, a)) for a in rest]
        self._predictions = len(leaves)
        self._updated = [p for p, _ in updates]
        self._states = buffers.beside(self._updated)
        self._graph = runtime.Graph(heads)
        self._alone = not worth_sharing(trace.work)
        self._buffers = [_buffer(a._inner) for a in inputs]
        self.draws = []
        arrays = dict(weights)
        for i, buffer in enumerate(self._buffers):
            arrays[f"input{i}"] = runtime.borrow(buffer)
        for name, again in trace.draws.items():
            buffer = _buffer(as_ndarray(again()))
            self.draws.append((buffer, again))
            arrays[name] = runtime.borrow(buffer)
        for name, array in trace.constants.items():
            arrays[name] = runtime.borrow(array)
        self._class_numbers = [
            (self._buffers[int(name.removeprefix("input"))], classes)
            for name, classes in trace.class_numbers.items()
            if name.startswith("input")
        ]
        self._arrays = arrays
        self._scale: tuple[numpy.ndarray, Any] | None = None
        self._bound = self._graph.bind(arrays)
        used = set(self._graph.inputs)
        self._trains = any(f"weight{i}" in used for i in range(len(buffers.trained)))
        self._unused = [
            view
            for i, p in enumerate([*buffers.trained])
            if f"weight{i}" not in used
            for view in [_gradient_view(buffers, p)]
        ]

    def _run(self, batch: Batch, record: bool, scale: float = 1.0) -> list[Any]:
        for buffer, leaf in zip(self._buffers, batch.leaves, strict=True):
            numpy.copyto(buffer, leaf)
        for labels, classes in self._class_numbers:
            check_class_numbers(labels, classes)
        for buffer, again in self.draws:
            numpy.copyto(buffer, again())
        with runtime.one_thread(self._alone):
            results = self._graph.run(self._bound, record)
            if record:
                runtime.backward(
                    results[:1], None if scale == 1.0 else [self._head(results, scale)]
                )
        return results

    def _head(self, results: list[Any], scale: float) -> Any:
        """Return what the loss counts with, where that isn't one."""
        if self._scale is None:
            buffer = _buffer(self._graph.view(results, 0))
            self._scale = buffer, runtime.borrow(buffer)
        self._scale[0][...] = scale
        return self._scale[1]

    def gradients(self, batch: Batch, scale: float = 1.0) -> tuple[float, Any, list]:
        """Fill the gradient buffers; see `EagerStep.gradients`."""
        results = self._run(batch, record=self._trains, scale=scale)
        for view in self._unused:
            view[...] = 0
        loss, predictions = self._read(results)
        first = 1 + self._predictions
        updates = [(p, self._graph.view(results, first + i)) for i, p in enumerate(self._updated)]
        return loss, predictions, updates

    def evaluate(self, batch: Batch) -> tuple[float | None, Any]:
        """Return loss and predictions; see `EagerStep.evaluate`."""
        results = self._run(batch, record=False)
        first = int(self._has_loss) + self._predictions
        for i, p in enumerate(self._updated):  # the state of a recurrent layer
            p.assign(self._graph.view(results, first + i))
        return self._read(results)

    @property
    def outdated(self) -> bool:
        """Whether a layer keeps its state elsewhere by now: for another number of samples."""
        return any(not p.in_use for p in self._states)

    def _read(self, results: list[Any]) -> tuple[float | None, Any]:
        start = int(self._has_loss)
        view = self._graph.view
        loss = float(view(results, 0)) if self._has_loss else None
        leaves = [view(results, start + i) for i in range(self._predictions)]
        return loss, self._unflatten(leaves)


def _symbol(trace: SymbolTrace, array: ndarray) -> runtime.SymbolValue:
    if is_tracked(array) and array._box.trace is trace:
        return array._box.symbol
    return trace.constant(array)


def _buffer(value: Any) -> numpy.ndarray:
    buffer = aligned_full(value.size, value.dtype).reshape(value.shape)
    numpy.copyto(buffer, numpy.asarray(value))
    return buffer


def _gradient_view(buffers: FlatBuffers, parameter: Parameter) -> numpy.ndarray:
    for block in buffers.blocks:
        for p, view in zip(block.parameters, block.gradient_views, strict=True):
            if p is parameter:
                return view
    raise KeyError(parameter.path)
