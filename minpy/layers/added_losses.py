"""What a layer adds to the loss and to the logs, in a forward pass and by its weights.

It must not know how a layer is called.
"""

from __future__ import annotations

from typing import Any

from minpy.array import as_ndarray, ndarray
from minpy.autograd.containers import flatten
from minpy.layers.forward_pass import call_context
from minpy.layers.layer_tree import LayerTree

__all__ = ["AddsLosses"]


class AddsLosses(LayerTree):
    """A tree of layers that may add terms to a loss, and numbers to the logs."""

    def add_loss(self, loss: Any) -> None:
        """Add a term to the loss of the forward pass that is running.

        Called in ``call`` or beside a training step; outside of one the terms of the last call are
        in `losses`.
        """
        for term in flatten(loss)[0]:
            value = as_ndarray(term)
            if call_context.losses is not None:
                call_context.losses.append(value)
            else:
                self.__dict__.setdefault("_losses", []).append(value)

    def add_metric(self, value: Any, name: str | None = None) -> None:
        """Report a number of the forward pass that is running beside loss and metrics.

        Parameters
        ----------
        value
            An array made in ``call``; its mean counts. Over batches it is the mean over samples.
        name
            Its name in the logs; the layer's if not given. Numbers of one name are averaged.

        Raises
        ------
        ValueError
            If the name is that of the loss.
        """
        name = name or self.name
        if name == "loss":
            raise ValueError(f"{self.name}: add_metric can't report under the name 'loss'")
        if call_context.losses is not None and call_context.metrics is not None:
            value = as_ndarray(value)
            if value.ndim:
                value = value.mean()
            call_context.metrics.setdefault(name, []).append(value)

    @property
    def losses(self) -> list[ndarray]:
        """The loss terms of the last call, and those of the weights' regularizers."""
        if call_context.losses is not None:
            return [*call_context.losses, *self.regularization_losses()]
        found = [*self.__dict__.get("_losses", ())]
        for layer in self._all_inside():
            found.extend(layer.__dict__.get("_losses", ()))
        return [*found, *self.regularization_losses()]

    @property
    def metrics(self) -> list[Any]:
        """The metrics that are attributes of the layer and of layers inside it, alone or listed."""
        from minpy.metrics.metric import metrics_in

        found: dict[int, Any] = {}
        for layer in (self, *self._all_inside()):
            for name, value in vars(layer).items():
                if name != "_compile_arguments":
                    found.update((id(metric), metric) for metric in metrics_in(value))
        return list(found.values())

    def _forget_losses(self) -> None:
        self.__dict__.pop("_losses", None)
        if self._sublayers:
            for layer in self._all_inside():
                layer.__dict__.pop("_losses", None)

    def regularization_losses(self) -> list[ndarray]:
        """Return the loss terms of the weights' regularizers."""
        return [
            p.regularizer(p.value)
            for _, p, trains in self._owned()
            if trains and p.regularizer is not None
        ]
