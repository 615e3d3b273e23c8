"""What a model's training has brought about so far: buffers, the optimizer's slots, epochs, seed.

Makes it when it is needed, takes it along in copies and backups. It must not know of the loops
that change it (`minpy.models.trainer`).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy

from minpy import random, runtime
from minpy.array import as_ndarray
from minpy.autograd.containers import map_leaves
from minpy.config import settings
from minpy.context import current_context
from minpy.layers.parameter import collect_updates, structure
from minpy.models import saving
from minpy.models.compilable import Compilable
from minpy.models.compiled_step import CompiledStep
from minpy.models.device_step import DeviceStep
from minpy.models.flat_buffers import FlatBuffers
from minpy.models.step import EagerStep
from minpy.policy import current_policy

__all__ = ["TrainingState"]


class TrainingState(Compilable):
    """A model with weights in flat buffers, and all that its training goes on from."""

    def _prepare(self) -> None:
        if "_parameters" not in self.__dict__:
            super()._prepare()
            self._buffers: FlatBuffers | None = None
            self._ready_at: tuple[int, Any, Any] = (-1, None, True)
            self._seed: int | None = None
            self._epochs_done = 0
            self._gradient_scale = 1.0
            self._resume: tuple[int, int, dict[str, float], Any] | None = None

    # --- making ready ---------------------------------------------------------------------------

    def _ready(self, x: Any) -> None:
        """Make the weights for a batch, bring them into flat buffers, size the slots."""
        # A model that is but trained, by steps of its own, needs no `call`.
        if (
            self._is_callable()
            and self._ready_at[0] != structure.version
            and (not self.built or any(not layer.built for layer in self._all_inside()))
        ):
            self._build_on(x)
        self._ready_to_train()

    def _is_callable(self) -> bool:
        return True

    def _build_on(self, x: Any) -> None:
        """Run the model once, so that every layer inside it makes its weights."""
        # What a layer remembers of a trial (the state of a recurrent one) doesn't count.
        with random.scope(0, 0), collect_updates(), runtime.postponed():
            self(map_leaves(lambda a: as_ndarray(a[:1]), x), training=False)

    def _ready_to_train(self) -> None:
        # Looking through a deep model for its weights takes longer than a small one's prediction.
        state = (structure.version, self._optimizer, (self._compiles(), current_context()))
        if state == self._ready_at and self._step is not None:
            self._buffers.rewrap()
            return
        if state[2] != self._ready_at[2]:
            self._step = None
        self._make_ready()
        self._ready_at = state

    def _bring_back(self) -> None:
        """Let the host's memory hold what steps on a device have made of the weights."""
        if isinstance(self._step, DeviceStep):
            self._step.fetch()

    @contextlib.contextmanager
    def _back_on_host(self) -> Iterator[None]:
        """Bring the weights back at the end of a block, however it ends."""
        try:
            yield
        finally:
            self._bring_back()

    def _compiles(self) -> bool:
        """Say whether steps may be compiled, as things are set now."""
        takes_graphs = current_policy() in ("auto", "prefer_mxnet") or not runtime.installed()
        return self._jit and settings.jit and takes_graphs

    def _make_ready(self) -> None:
        self.weights  # noqa: B018  (gives each weight its path)
        trained, others = self.trainable_weights, self.non_trainable_weights
        if self._buffers is None or not self._buffers.fits(trained, others):
            before = self._buffers
            saved = self._slots_by_weight() if before is not None else None
            self._buffers = FlatBuffers(trained, others)
            self._step = None
            if self._optimizer is not None and self._optimizer.built:
                self._optimizer.reset_slots()
                self._size_optimizer()
                if saved is not None:
                    self._set_slots(saved)
        self._buffers.rewrap()
        if self._optimizer is not None:
            self._size_optimizer()
        if self._step is None:
            context = current_context()
            if not context.on_host:
                self._step = DeviceStep(self, self._buffers, context)
            elif self._compiles():
                self._step = CompiledStep(self, self._buffers)
            else:
                self._step = EagerStep(self, self._buffers)
        if self._seed is None:
            self._seed = random.new_seed()

    def _size_optimizer(self) -> None:
        blocks = self._buffers.blocks
        if len(blocks) > 1:
            found = ", ".join(f"{b.dtype} ({b.parameters[0].path}, …)" for b in blocks)
            raise TypeError(f"{self.name}: trained weights must have one dtype, got {found}")
        if blocks and not self._optimizer.built:
            block = blocks[0]
            self._optimizer.build_on(
                block.parameters, block.values.size, block.dtype, block.values, block.segments
            )
        if blocks:
            self._optimizer.hold(blocks[0].parameters, blocks[0].segments)

    # --- the optimizer's part -------------------------------------------------------------------

    def _slots_by_weight(self) -> dict[str, dict[str, numpy.ndarray]]:
        """Return the optimizer's slots, cut into one array a weight."""
        if self._optimizer is None or not self._optimizer.built or not self._buffers.blocks:
            return {}
        block = self._buffers.blocks[0]
        return {
            slot: {
                p.path: part.copy()
                for p, part in zip(block.parameters, block.part(buffer), strict=True)
            }
            for slot, buffer in self._optimizer.slots.items()
        }

    def _set_slots(self, saved: dict[str, dict[str, numpy.ndarray]]) -> None:
        block = self._buffers.blocks[0]
        for slot, buffer in self._optimizer.slots.items():
            for p, part in zip(block.parameters, block.part(buffer), strict=True):
                if p.path in saved.get(slot, {}):
                    numpy.copyto(part, saved[slot][p.path])

    def gradients(self) -> dict[str, numpy.ndarray]:
        """Return the gradients of the last training step, by the weights' paths."""
        if self._buffers is None or self._optimizer is None or not self._optimizer.batches:
            return {}
        return {
            p.path: view / view.dtype.type(self._gradient_scale)
            for block in self._buffers.blocks
            for p, view in zip(block.parameters, block.gradient_views, strict=True)
        }

    def swap_moving_average(self) -> None:
        """Let the weights and the optimizer's moving average of them change places."""
        for block in self._buffers.blocks:
            self._optimizer.swap_moving_average(block.values)

    # --- copies and backups ---------------------------------------------------------------------

    def __getstate__(self) -> dict[str, Any]:
        """Return what pickle and `copy.deepcopy` take along: no compiled code, no buffers."""
        slots = {} if self._buffers is None else self._slots_by_weight()
        fresh = dict.fromkeys(("_step", "_own_gradients", "_buffers"))
        fresh["_ready_at"] = (-1, None, True)
        return {**self.__dict__, **fresh, "_slots": slots}

    def __setstate__(self, state: dict[str, Any]) -> None:
        slots = state.pop("_slots", {})
        self.__dict__.update(state)
        if slots:
            self._ready_to_train()
            self._set_slots(slots)

    def resume_at(self, epoch: int, step: int, logs: dict[str, float], metrics: Any = None) -> None:
        """Let the ``fit`` that begins go on in the middle; for a callback's ``on_train_begin``.

        Parameters
        ----------
        epoch, step
            The first epoch and its first batch, from 0.
        logs
            Those of the epoch before.
        metrics
            The running loss and metrics of the batches before `step`.
        """
        self._resume = (epoch, step, dict(logs), metrics if step else None)

    def save_backup(
        self, filepath: Any, details: dict[str, Any], arrays: dict[str, numpy.ndarray]
    ) -> None:
        """Write all that training goes on from, and what a callback adds; all or nothing."""
        saving.save_backup(
            self, filepath, {**details, "metrics": self._metrics.get_state()}, arrays
        )

    def restore_backup(self, filepath: Any, check: Any) -> tuple[dict[str, Any], Any]:
        """Read a backup into the model; return details and arrays that `save_backup` was given.

        ``check(details)`` is called before anything is changed, and may raise.
        """
        return saving.restore_backup(self, filepath, check)
