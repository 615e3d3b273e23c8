"""One training step on a GPU, or another device of MXNet's: forward, backward and update there.

Weights, gradients and slots lie on the device while steps follow each other; `fetch` brings them
back to the host, whose memory is what everything else looks at.
"""

from __future__ import annotations

from typing import Any

import numpy

from minpy import runtime
from minpy.array import as_ndarray, ndarray, wrap_nd
from minpy.context import Context
from minpy.data.batch import Batch
from minpy.layers.parameter import Parameter, bound
from minpy.models.flat_buffers import Block, FlatBuffers
from minpy.models.step import EagerStep
from minpy.numpy.shaping import transpose
from minpy.optimizers.on_mxnet import OnDevice

__all__ = ["DeviceStep"]


class DeviceStep(EagerStep):
    """Runs a model operation by operation on a device, and the optimizer's update too.

    Parameters
    ----------
    model, buffers
        As in `EagerStep`.
    context
        The device.

    Raises
    ------
    ContextError
        If the device can't be used here.
    """

    def __init__(self, model: Any, buffers: FlatBuffers, context: Context) -> None:
        context.check()
        super().__init__(model, buffers)
        self.context = context
        self.status = f"steps on {context!r} run operation by operation"
        # Two flat arrays of a block of trained weights, and one array of each other weight.
        self._values: list[Any] | None = None
        self._gradients: list[Any] = []
        self._fixed: dict[int, Any] = {}
        self._updates: OnDevice | None = None
        self._changed = False

    # --- what `EagerStep` does, on the device ---------------------------------------------------

    def gradients(
        self, batch: Batch, seed: int, step: int, scale: float = 1.0
    ) -> tuple[float, Any, list]:
        """Compute the gradients, on the device; see `EagerStep.gradients`."""
        with bound(*self._bring()):
            return super().gradients(batch, seed, step, scale)

    def evaluate(self, batch: Batch) -> tuple[float | None, Any]:
        """Return loss and predictions; see `EagerStep.evaluate`."""
        with bound(*self._bring()):
            return super().evaluate(batch)

    def _keep(self, found: dict[int, Any]) -> None:
        for block, flat in zip(self.buffers.blocks, self._gradients, strict=True):
            for p, (start, stop) in zip(block.parameters, block.spans, strict=True):
                g = found[id(p)]
                if g is None:
                    flat[start:stop] = 0
                    continue
                lying = transpose(g) if p.transposed else g
                nd = self._on_device(lying)
                runtime.eager.into("_copyto", [nd.reshape((-1,))], [flat[start:stop]])

    def _on_device(self, array: ndarray) -> Any:
        return as_ndarray(array).as_in_context(self.context)._ndarray()

    # --- the update -----------------------------------------------------------------------------

    def update(self, updates: list[tuple[Parameter, Any]]) -> None:
        """Let the optimizer change the weights, and set those that it doesn't change."""
        optimizer = self.model.optimizer
        if self._updates is None or self._updates.optimizer is not optimizer:
            self._updates = OnDevice(optimizer, self.context)
        for block, values, gradients in zip(
            self.buffers.blocks, self._values, self._gradients, strict=True
        ):
            self._updates.step(values, gradients, block.segments)
            for p, (start, stop) in zip(block.parameters, block.spans, strict=True):
                if p.constraint is not None:
                    with bound([p], [self._seen(p, values[start:stop])]):
                        kept = self._on_device(p.constraint(p.value))
                    if p.transposed:
                        kept = runtime.eager("transpose", kept)
                    runtime.eager.into("_copyto", [kept.reshape((-1,))], [values[start:stop]])
        for p, value in updates:
            p.assign(value)
            self._fixed.pop(id(p), None)
        self._changed = True

    # --- there and back -------------------------------------------------------------------------

    def _bring(self) -> tuple[list[Parameter], list[ndarray]]:
        """Return all weights, and their values on the device."""
        if self._values is None:
            self._values = [self._upload(block.values) for block in self.buffers.blocks]
            self._gradients = [runtime.eager("zeros_like", v) for v in self._values]
        weights, values = [], []
        for block, flat in zip(self.buffers.blocks, self._values, strict=True):
            for p, (start, stop) in zip(block.parameters, block.spans, strict=True):
                weights.append(p)
                values.append(self._seen(p, flat[start:stop]))
        for p in self.buffers.others:
            if id(p) not in self._fixed:
                self._fixed[id(p)] = self._upload(numpy.ascontiguousarray(p.storage).reshape(-1))
            weights.append(p)
            values.append(self._seen(p, self._fixed[id(p)]))
        return weights, values

    def _seen(self, p: Parameter, flat: Any) -> ndarray:
        """Return a weight's part of a flat array, with the weight's axes."""
        array = wrap_nd(flat, self.context).reshape(p.storage.shape)
        return transpose(array) if p.transposed else array

    def _upload(self, array: numpy.ndarray) -> Any:
        where = self.context
        return runtime.copy_to(runtime.borrow(array), where.device_type, where.device_id)

    def fetch(self) -> None:
        """Bring back what steps have changed; the next step begins with what the host has then."""
        if self._changed:
            for block, values, gradients in self._by_block():
                block.values[...] = values.asnumpy()
                block.gradients[...] = gradients.asnumpy()
            self._updates.fetch()
        self._changed = False
        self._values, self._gradients, self._fixed = None, [], {}

    def _by_block(self) -> Any:
        return list[tuple[Block, Any, Any]](
            zip(self.buffers.blocks, self._values, self._gradients, strict=True)
        )
