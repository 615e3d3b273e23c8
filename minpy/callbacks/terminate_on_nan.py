"""Ends training whose loss is no number any more; must not look at anything but the loss."""

from __future__ import annotations

import math

from minpy.callbacks.callback import Callback, Logs
from minpy.callbacks.console import say


class TerminateOnNaN(Callback):
    """Stop training after the first batch whose loss is NaN or infinite.

    It reads the loss after every batch.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> guard = TerminateOnNaN()
    >>> guard.set_model(SimpleNamespace(stop_training=False))
    >>> guard.on_train_batch_end(7, {'loss': float('nan')})
    Batch 7: the loss is nan, training is stopped
    >>> guard.model.stop_training
    True
    """

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Look at the loss."""
        loss = (logs or {}).get("loss")
        if loss is not None and not math.isfinite(float(loss)):
            say(f"Batch {batch}: the loss is {float(loss)}, training is stopped")
            self.model.stop_training = True
