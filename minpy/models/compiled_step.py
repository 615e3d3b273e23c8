"""A training step as a compiled graph: traced once a signature, then replayed.

What can't be traced runs by the tape (`EagerStep`), with one warning that says why.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy

from minpy import random, runtime
from minpy.array import as_ndarray, is_tracked, ndarray, wrap
from minpy.autograd.containers import flatten
from minpy.autograd.trace import open_trace
from minpy.data.batch import Batch
from minpy.graph.trace import SymbolTrace, Untraceable
from minpy.layers.layer import forward_pass
from minpy.layers.parameter import Parameter, bound, collect_updates
from minpy.models.flat_buffers import FlatBuffers, aligned_zeros
from minpy.models.step import EagerStep
from minpy.numpy.shaping import transpose

__all__ = ["CompiledStep"]


# Below so many multiplications a step is over sooner on one thread than two threads take to meet
# at each operation.
_WORTH_SHARING = 4_000_000


class CompiledStep:
    """Runs a model's forward pass, loss and derivative as one graph a signature.

    Parameters
    ----------
    model, buffers
        As in `EagerStep`.

    Attributes
    ----------
    status
        ``'compiled'``, or why the model runs operation by operation.
    """

    def __init__(self, model: Any, buffers: FlatBuffers) -> None:
        self.model = model
        self.buffers = buffers
        self.eager = EagerStep(model, buffers)
        self.status = "not traced yet"
        self._graphs: dict[tuple, _Replay | None] = {}
        self._weights: dict[str, Any] | None = None

    def gradients(
        self, batch: Batch, seed: int, step: int, scale: float = 1.0
    ) -> tuple[float, Any, list]:
        """Fill the gradient buffers; see `EagerStep.gradients`."""
        try:
            replay = self._graphs[True, batch.signature]
        except KeyError:
            with random.scope(seed, step):  # what the trace draws is drawn again by the step
                replay = self._replay(batch, training=True)
        if replay is None:
            return self.eager.gradients(batch, seed, step, scale)
        if replay.draws:
            with random.scope(seed, step):
                return replay.gradients(batch, scale)
        return replay.gradients(batch, scale)

    def evaluate(self, batch: Batch) -> tuple[float | None, Any]:
        """Return loss and predictions; see `EagerStep.evaluate`."""
        try:
            replay = self._graphs[False, batch.signature]
        except KeyError:
            replay = self._replay(batch, training=False)
        if replay is None:
            return self.eager.evaluate(batch)
        return replay.evaluate(batch)

    def _replay(self, batch: Batch, training: bool) -> _Replay | None:
        """Trace a batch of a new signature; None where that can't be done."""
        replay = None
        try:
            replay = self._trace(batch, training)
            self.status = "compiled"
        except Untraceable as reason:
            self.status = reason.explain()
            warnings.warn(
                f"{self.model.name} runs operation by operation, not as a compiled graph: "
                f"{self.status}",
                stacklevel=4,
            )
        self._graphs[training, batch.signature] = replay
        return replay

    def _trace(self, batch: Batch, training: bool) -> _Replay:
        if not runtime.available():
            raise Untraceable(f"mxnet can't be used: {runtime.why_unavailable()}")
        model, parameters = self.model, [*self.buffers.trained, *self.buffers.others]
        with open_trace(SymbolTrace) as trace, random.observed(trace.draw):
            # Values of their own: the batch's memory is reused.
            inputs = [
                trace.input(f"input{i}", as_ndarray(leaf.copy()))
                for i, leaf in enumerate(batch.leaves)
            ]
            tx, ty, tw = (batch.layout.part(i, inputs) for i in range(3))
            values = [_weight(trace, f"weight{i}", p) for i, p in enumerate(parameters)]
            with (
                collect_updates() as updates,
                bound(parameters, values),
                forward_pass(training) as extra,
            ):
                predictions = model(tx, training=training)
                loss = None
                if ty is not None:
                    loss = model.total_loss(tx, ty, predictions, tw, extra)
            return _Replay(trace, self.buffers, inputs, loss, predictions, updates, self._handles())

    def _handles(self) -> dict[str, Any]:
        """Return MXNet's handles on the weights, with the gradients marked."""
        if self._weights is None:
            parameters = [*self.buffers.trained, *self.buffers.others]
            self._weights = {
                f"weight{i}": runtime.borrow(p.storage) for i, p in enumerate(parameters)
            }
            views = {
                id(p): view
                for block in self.buffers.blocks
                for p, view in zip(block.parameters, block.gradient_views, strict=True)
            }
            trained = [
                (self._weights[f"weight{i}"], runtime.borrow(p.seen(views[id(p)])))
                for i, p in enumerate(parameters)
                if id(p) in views
            ]
            if trained:
                runtime.mark(*zip(*trained, strict=True))
            self._gradients = [g for _, g in trained]  # MXNet holds only the variables
        return self._weights


class _Replay:
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
        self._graph = runtime.Graph(heads)
        # By the size of the work and not by a clock: equal runs give equal bits.
        self._alone = trace.work < _WORTH_SHARING
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
            if labels.min() < 0 or labels.max() >= classes:
                raise ValueError(
                    f"expected class numbers from 0 to {classes - 1}, one less than the model's "
                    f"outputs, got {labels.min():g} to {labels.max():g}"
                )
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
        results = self._run(batch, record=True, scale=scale)
        for view in self._unused:
            view[...] = 0
        loss, predictions = self._read(results)
        first = 1 + self._predictions
        updates = [(p, self._graph.view(results, first + i)) for i, p in enumerate(self._updated)]
        return loss, predictions, updates

    def evaluate(self, batch: Batch) -> tuple[float | None, Any]:
        return self._read(self._run(batch, record=False))

    def _read(self, results: list[Any]) -> tuple[float | None, Any]:
        start = int(self._has_loss)
        view = self._graph.view
        loss = float(view(results, 0)) if self._has_loss else None
        leaves = [view(results, start + i) for i in range(self._predictions)]
        return loss, self._unflatten(leaves)


def _weight(trace: SymbolTrace, name: str, parameter: Parameter) -> ndarray:
    """Return the array that stands for a weight: its storage, turned round where it lies so."""
    stored = trace.input(name, wrap(parameter.storage))
    return transpose(stored) if parameter.transposed else stored


def _symbol(trace: SymbolTrace, array: ndarray) -> runtime.SymbolValue:
    if is_tracked(array) and array._box.trace is trace:
        return array._box.symbol
    return trace.constant(array)


def _buffer(value: Any) -> numpy.ndarray:
    buffer = aligned_zeros(value.size, value.dtype).reshape(value.shape)
    numpy.copyto(buffer, numpy.asarray(value))
    return buffer


def _gradient_view(buffers: FlatBuffers, parameter: Parameter) -> numpy.ndarray:
    for block in buffers.blocks:
        for p, view in zip(block.parameters, block.gradient_views, strict=True):
            if p is parameter:
                return view
    raise KeyError(parameter.path)
