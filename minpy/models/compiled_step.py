"""A training step as a compiled graph: traced once a signature, then replayed.

What can't be traced runs by the tape (`EagerStep`), with one warning that says why.
"""

from __future__ import annotations

import types
import warnings
from typing import Any

import numpy

from minpy import random, runtime
from minpy.array import as_ndarray, ndarray, wrap
from minpy.autograd.containers import flatten
from minpy.autograd.trace import open_trace
from minpy.data.batch import Batch
from minpy.graph import native
from minpy.graph.trace import SymbolTrace, Untraceable
from minpy.layers.forward_pass import forward_pass
from minpy.layers.parameter import Parameter, bound, collect_updates
from minpy.models.flat_buffers import FlatBuffers
from minpy.models.graph_replay import GraphReplay
from minpy.models.program_replay import ProgramReplay
from minpy.models.step import EagerStep
from minpy.models.surroundings import Patience, Surroundings
from minpy.numpy.shaping import transpose
from minpy.policy import current_policy

__all__ = ["CompiledStep"]


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
        self._graphs: dict[tuple, GraphReplay | ProgramReplay | None] = {}
        self._weights: dict[str, Any] | None = None
        self._surroundings: Surroundings | None = None
        self._patience = Patience()
        self._unsteady: str | None = None

    def gradients(
        self, batch: Batch, seed: int, step: int, scale: float = 1.0
    ) -> tuple[float, Any, list]:
        """Fill the gradient buffers; see `EagerStep.gradients`."""
        self._look_around()
        try:
            replay = self._traced(True, batch)
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
        self._look_around()
        try:
            replay = self._traced(False, batch)
        except KeyError:
            replay = self._replay(batch, training=False)
        if replay is None:
            return self.eager.evaluate(batch)
        return replay.evaluate(batch)

    def _traced(self, training: bool, batch: Batch) -> GraphReplay | ProgramReplay | None:
        """Return what was made for such batches; `KeyError` if nothing was, or it is outdated."""
        key = training, batch.signature
        replay = self._graphs[key]
        if replay is not None and replay.outdated:
            raise KeyError(key)
        return replay

    def _look_around(self) -> None:
        """Forget what was traced once a number that the model's code reads is another."""
        self._patience.runs += 1
        change = None if self._surroundings is None else self._surroundings.change()
        if change is not None:
            self._graphs.clear()
            self._surroundings = None
            if self._patience.is_over():
                self._unsteady = f"{change} is another at each step"

    def _replay(self, batch: Batch, training: bool) -> GraphReplay | ProgramReplay | None:
        """Trace a batch of a new signature; None where that can't be done."""
        replay = None
        try:
            if self._unsteady is not None:
                raise Untraceable(self._unsteady)
            installed = runtime.installed()
            replay = self._program(batch, training)
            if replay is None and installed and not runtime.available():
                # It is installed and broken, which nobody knew before.
                replay = self._program(batch, training)
            replay = replay or self._trace(batch, training)
            self.status = "compiled"
        except Untraceable as reason:
            self.status = reason.explain()
            # Where there are NumPy's kernels only, that was said once.
            if self._unsteady is not None or runtime.available():
                self._warn()
        self._graphs[training, batch.signature] = replay
        if self._unsteady is None:
            told = flatten((self.model._compile_arguments or {}).get("loss"))[0]
            functions = [f for f in told if isinstance(f, types.FunctionType)]
            self._surroundings = Surroundings(functions, [self.model, *told])
        return replay

    def _warn(self) -> None:
        warnings.warn(
            f"{self.model.name} runs operation by operation, not as a compiled graph: "
            f"{self.status}",
            stacklevel=5,
        )

    def _program(self, batch: Batch, training: bool) -> ProgramReplay | None:
        """Return the step as a program of our own, None where MXNet has to, or is faster."""
        if not native.available() or current_policy() in ("prefer_mxnet", "only_mxnet"):
            return None
        # Without MXNet a large program is still faster than one operation after the other.
        alone = not runtime.installed()
        try:
            with random.rehearsal(), runtime.postponed():
                return ProgramReplay(self.model, self.buffers, batch, training, any_size=alone)
        except Untraceable:
            return None

    def _trace(self, batch: Batch, training: bool) -> GraphReplay:
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
                if model.has_total_loss(ty, training):
                    loss = model.total_loss(tx, ty, predictions, tw, extra)
                outputs = model.outputs_of_step(predictions)
            return GraphReplay(trace, self.buffers, inputs, loss, outputs, updates, self._handles())

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
            marked, beside = [], {id(p) for p in _frozen_beside(self.buffers)}
            for i, p in enumerate(parameters):
                gradient = views.get(id(p))
                if gradient is not None:
                    gradient = p.seen(gradient)
                elif id(p) in beside:
                    gradient = numpy.zeros_like(p.storage)  # nobody reads it
                if gradient is not None:
                    marked.append((self._weights[f"weight{i}"], runtime.borrow(gradient)))
            if marked:
                runtime.mark(*zip(*marked, strict=True))
            self._gradients = [g for _, g in marked]  # MXNet holds only the variables
        return self._weights


def _weight(trace: SymbolTrace, name: str, parameter: Parameter) -> ndarray:
    """Return the array that stands for a weight: its storage, turned round where it lies so."""
    stored = trace.input(name, wrap(parameter.storage))
    return transpose(stored) if parameter.transposed else stored


def _frozen_beside(buffers: FlatBuffers) -> list[Parameter]:
    """Return the kernels that aren't trained while something else in their layer is.

    MXNet's FullyConnected leaves the bias' gradient unwritten where the kernel's isn't asked for.
    """
    layers = {p.path.rpartition("/")[0] for p in buffers.trained}
    return [p for p in buffers.others if len(p.shape) > 1 and p.path.rpartition("/")[0] in layers]
