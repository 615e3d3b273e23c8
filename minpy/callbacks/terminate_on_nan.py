"""Ends training whose loss is no number any more; must not look at anything but the loss."""

from __future__ import annotations

import math

from minpy.callbacks.callback import Callback, Logs
from minpy.callbacks.console import say


class TerminateOnNaN(Callback):
    """Stop training after the first batch whose loss is NaN or infinite.

    It reads the loss after every batch.

    Parameters
    ----------
    raise_error : bool
        Raise instead of stopping, so that what comes after ``fit`` isn't run.

    Raises
    ------
    RuntimeError
        With `raise_error`, at the batch.

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

    def __init__(self, raise_error: bool = False) -> None:
        super().__init__()
        self.raise_error = raise_error

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Look at the loss."""
        loss = (logs or {}).get("loss")
        if loss is not None and not math.isfinite(float(loss)):
            if self.raise_error:
                raise RuntimeError(f"Batch {batch}: the loss is {float(loss)}")
            say(f"Batch {batch}: the loss is {float(loss)}, training is stopped")
            self.model.stop_training = True
