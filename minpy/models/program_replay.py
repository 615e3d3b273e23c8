"""A small training step as a program of our own: forward pass, loss and gradients in one call."""

from __future__ import annotations

from typing import Any

import numpy

from minpy import random, runtime
from minpy.array import as_ndarray, ndarray, numpy_value
from minpy.autograd.containers import flatten
from minpy.autograd.reverse import record
from minpy.autograd.trace import open_trace
from minpy.config import settings
from minpy.data.batch import Batch
from minpy.graph.native import Program, ProgramTrace, aligned
from minpy.graph.trace import Untraceable, worth_sharing
from minpy.layers.layer import forward_pass
from minpy.layers.parameter import Parameter, bound, collect_updates
from minpy.models.flat_buffers import FlatBuffers
from minpy.models.graph_replay import check_class_numbers
from minpy.primitives import registry
from minpy.runtime import onednn

__all__ = ["ProgramReplay"]

_FLOAT = numpy.dtype("float32")
# Elements of an input from which it costs less to tell the program where they are than to copy.
_WORTH_READING = 30_000


class ProgramReplay:
    """A step recorded as a program.

    Parameters
    ----------
    model, buffers
        As in `EagerStep`.
    batch
        The first of its signature.
    training
        Whether to compute gradients.
    any_size
        Whether to make programs of large steps too where there is no oneDNN for them: MXNet's
        graphs are faster then.

    Raises
    ------
    Untraceable
        If there is no program for it, or it is too large for one to pay.
    """

    def __init__(
        self, model: Any, buffers: FlatBuffers, batch: Batch, training: bool, any_size: bool
    ) -> None:
        self._flat = buffers
        self._training = training
        parameters = [*buffers.trained, *buffers.others]
        if any(p.dtype != _FLOAT and p.dtype.kind not in "iu" for p in parameters):
            raise Untraceable("weights are float32 or whole numbers in programs")
        if sum(p.size for p in parameters) * batch.size >= 2**62:
            raise Untraceable("the step is too large for a program")
        self._inputs = [aligned(leaf.shape) for leaf in batch.leaves]
        with open_trace(ProgramTrace) as trace, random.observed(trace.draw):
            inputs = [
                trace.input(as_ndarray(leaf.copy()), memory)
                for leaf, memory in zip(batch.leaves, self._inputs, strict=True)
            ]
            x, y, w = (batch.layout.part(i, inputs) for i in range(3))
            weights = [trace.input(p.value, p.storage, p.transposed) for p in parameters]
            kept: list[Any] = []

            def forward(trained: list[Any]) -> list[Any]:
                values = [*trained, *weights[len(buffers.trained) :]]
                with bound(parameters, values), forward_pass(training) as extra:
                    predictions = model(x, training=training)
                    found = []
                    if model.has_total_loss(y, training):
                        found.append(as_ndarray(model.total_loss(x, y, predictions, w, extra)))
                    kept.append(model.outputs_of_step(predictions))
                    return found

            gradients: list[Any] = []
            with collect_updates() as updates:
                if training:
                    loss, tape = record(forward, weights[: len(buffers.trained)])
                else:
                    loss = forward(weights[: len(buffers.trained)])
            self._shared = worth_sharing(trace.work)
            if self._shared and not any_size and onednn.library() is None:
                raise Untraceable("the step is large")
            if training:
                if loss[0].size != 1:
                    raise Untraceable("the loss isn't one number")
                gradients = tape.back([registry["ones_like"](loss[0])], once=True)
            self._lower(trace, batch, inputs, loss, kept[0], updates, gradients)

    def _lower(
        self,
        trace: ProgramTrace,
        batch: Batch,
        inputs: list[ndarray],
        loss: list[Any],
        predictions: Any,
        updates: list[tuple[Parameter, Any]],
        gradients: list[Any],
    ) -> None:
        buffers = self._flat
        leaves, self._unflatten = flatten(predictions)
        predicted = [as_ndarray(a) for a in leaves]
        self._dtypes = [a.dtype for a in predicted]
        results = [*loss, *predicted, *(as_ndarray(v) for _, v in updates)]
        targets: list[Any] = [None] * len(results)
        views = {
            id(p): view
            for block in buffers.blocks
            for p, view in zip(block.parameters, block.gradient_views, strict=True)
        }
        self._unused = []
        for p, g in zip(buffers.trained, gradients, strict=bool(gradients)):
            view = views[id(p)]
            if g is None:
                self._unused.append(view)
            else:
                results.append(g)
                targets.append((view.T if p.transposed else view, p.transposed))
        with runtime.one_thread(not self._shared):  # which kernels are made for
            self._program = Program(trace, results, targets, self._shared, settings.products)
        self._alone = self._program.has_threads and not self._shared
        memory = self._program.results
        start = len(loss)
        self._loss = memory[0] if loss else None
        self._predictions = memory[start : start + len(leaves)]
        self._nested = self._unflatten(self._predictions)
        first = start + len(leaves)
        self._updates = [(p, memory[first + i]) for i, (p, _) in enumerate(updates)]
        self._states = buffers.beside([p for p, _ in updates])
        values = {a._box: m for a, m in zip(inputs, self._inputs, strict=True)}
        self._class_numbers = [(values[v], n) for v, n in trace.class_numbers.items()]
        whole = self._program.whole
        self.draws = [(v.memory, whole.pop(v, None), again) for v, again in trace.draws.items()]
        at = {id(m): i for i, m in enumerate(self._inputs)}
        self._whole = [(exact, at[id(v.memory)]) for v, exact in whole.items()]
        checked = {id(m) for m, _ in self._class_numbers}
        # Which large inputs are read where the batch has them; the others are copied.
        self._elsewhere = [
            m.size >= _WORTH_READING
            and id(m) not in checked
            and leaf.dtype == _FLOAT
            and self._program.reads_anywhere(m)
            for m, leaf in zip(self._inputs, batch.leaves, strict=True)
        ]

    def _run(self, batch: Batch) -> float | None:
        for memory, leaf, elsewhere in zip(
            self._inputs, batch.leaves, self._elsewhere, strict=True
        ):
            if elsewhere and leaf.flags.c_contiguous:
                self._program.read_from(memory, leaf.ctypes.data)
                continue
            numpy.copyto(memory, leaf, casting="unsafe")
            if elsewhere:
                self._program.read_from(memory, memory.ctypes.data)
        for labels, classes in self._class_numbers:
            check_class_numbers(labels, classes)
        for exact, i in self._whole:
            numpy.copyto(exact, batch.leaves[i], casting="unsafe")
        for memory, exact, again in self.draws:
            drawn = numpy_value(again())
            numpy.copyto(memory, drawn)
            if exact is not None:
                numpy.copyto(exact, drawn)
        if self._alone:
            with runtime.one_thread():
                self._program.run()
        else:
            self._program.run()
        return None if self._loss is None else float(self._loss.reshape(()))

    def gradients(self, batch: Batch, scale: float = 1.0) -> tuple[float, Any, list]:
        """Fill the gradient buffers; see `EagerStep.gradients`.

        The next step overwrites the predictions.
        """
        loss = self._run(batch)
        for view in self._unused:
            view[...] = 0
        if scale != 1.0:
            for block in self._flat.blocks:
                block.gradients *= block.dtype.type(scale)
        return loss, self._nested, [(p, value.copy()) for p, value in self._updates]

    def evaluate(self, batch: Batch) -> tuple[float | None, Any]:
        """Return loss and predictions; see `EagerStep.evaluate`."""
        loss = self._run(batch)
        for p, value in self._updates:  # the state of a recurrent layer
            p.assign(value)
        found = zip(self._predictions, self._dtypes, strict=True)
        return loss, self._unflatten([a.astype(dtype) for a, dtype in found])

    @property
    def outdated(self) -> bool:
        """Whether a layer keeps its state elsewhere by now: for another number of samples."""
        return any(not p.in_use for p in self._states)
