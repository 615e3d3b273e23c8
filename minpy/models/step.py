"""One training step by the tape: fills the gradient buffer and changes no weight."""

from __future__ import annotations

from typing import Any

import numpy

from minpy import random
from minpy.array import as_ndarray, numpy_value
from minpy.autograd.containers import map_leaves
from minpy.autograd.reverse import record
from minpy.data.batch import Batch
from minpy.errors import DifferentiationError
from minpy.layers.forward_pass import forward_pass
from minpy.layers.parameter import bound, collect_updates
from minpy.models.flat_buffers import FlatBuffers
from minpy.primitives import registry

__all__ = ["EagerStep"]


class EagerStep:
    """Runs a model's forward pass, loss and derivative operation by operation.

    Parameters
    ----------
    model
        Has ``__call__(x, training)`` and ``compute_loss(x, y, predictions, sample_weight)``.
    buffers
        Where its weights and their gradients lie.
    """

    status = "compile(jit=False), minpy.config.set_jit(False), or the policy takes no graphs"

    def __init__(self, model: Any, buffers: FlatBuffers) -> None:
        self.model = model
        self.buffers = buffers

    def gradients(
        self, batch: Batch, seed: int, step: int, scale: float = 1.0
    ) -> tuple[float, Any, list]:
        """Fill the gradient buffers.

        Parameters
        ----------
        batch
            What to train on.
        seed, step
            What dropout and other draws are a function of.
        scale
            What the gradients, and not the loss that is returned, are multiplied by.

        Returns
        -------
        loss, predictions, updates
            The loss as a float; the predictions as NumPy arrays; the updates of weights that
            aren't trained, which the caller applies once the step is sure.
        """
        model, kept = self.model, []
        x, y, sample_weight = _arrays(batch)

        def forward(weights: list[Any]) -> list[Any]:
            with bound(self.buffers.trained, weights), forward_pass(training=True) as extra:
                predictions = model(x, training=True)
                loss = model.total_loss(x, y, predictions, sample_weight, extra)
            kept.append(model.outputs_of_step(predictions))
            return [loss]

        with random.scope(seed, step), collect_updates() as updates:
            (loss,), tape = record(forward, [p.value for p in self.buffers.trained])
        if loss.size != 1:
            raise DifferentiationError(
                f"{model.name}: the loss must be one number, got shape {loss.shape}; take its mean"
            )
        seed_gradient = registry["ones_like"](loss)
        found = tape.back([seed_gradient if scale == 1.0 else seed_gradient * scale], once=True)
        self._keep({id(p): g for p, g in zip(self.buffers.trained, found, strict=True)})
        updates = [(p, numpy_value(as_ndarray(v))) for p, v in updates]
        return float(loss), map_leaves(_plain, kept[0]), updates

    def _keep(self, found: dict[int, Any]) -> None:
        """Fill the gradient buffers with what was found for each weight, None for nothing."""
        for block in self.buffers.blocks:
            for p, view in zip(block.parameters, block.gradient_views, strict=True):
                g = found[id(p)]
                if g is None:
                    view[...] = 0
                else:
                    numpy.copyto(view, numpy_value(g), casting="same_kind")

    def evaluate(self, batch: Batch) -> tuple[float | None, Any]:
        """Return loss (None without targets) and predictions, as NumPy arrays, of one batch."""
        model = self.model
        x, y, sample_weight = _arrays(batch)
        with forward_pass(training=False) as extra:
            predictions = model(x, training=False)
            loss = None
            if model.has_total_loss(y, False):
                loss = float(model.total_loss(x, y, predictions, sample_weight, extra))
            outputs = model.outputs_of_step(predictions)
        return loss, map_leaves(_plain, outputs)


def _arrays(batch: Batch) -> list[Any]:
    """Return x, y and sample weights as minpy arrays of their own: a batch's memory is reused."""
    leaves = [as_ndarray(leaf.copy()) for leaf in batch.leaves]
    return [batch.layout.part(i, leaves) for i in range(3)]


def _plain(value: Any) -> numpy.ndarray:
    return numpy_value(as_ndarray(value))
