"""Ends training when a metric has stopped improving; must not know how training is done."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from minpy.callbacks.callback import Logs
from minpy.callbacks.console import say
from minpy.callbacks.monitor_callback import MonitorCallback


class EarlyStopping(MonitorCallback):
    """Stop training when the monitored metric has stopped improving.

    Parameters
    ----------
    monitor : str
        A name in the epoch's logs.
    min_delta : float
        A change smaller than this is no improvement.
    patience : int
        Epochs without improvement after which training stops.
    verbose : {0, 1}
        1 prints when training is stopped and which weights are restored.
    mode : {'auto', 'min', 'max'}
        Whether lower or higher is better; ``'auto'`` goes by the metric.
    baseline : float, optional
        Patience is renewed only by values better than this.
    restore_best_weights : bool
        Put back the weights of the best epoch when training ends, also when it ends by another
        callback, by Ctrl-C or after all epochs.
    start_from_epoch : int
        Epochs before this one are not looked at.

    Attributes
    ----------
    stopped_epoch : int
        The epoch (from 0) that training stopped at; 0 if it didn't.
    best_epoch : int
        The epoch (from 0) with the best value.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> model = SimpleNamespace(stop_training=False)
    >>> stop = EarlyStopping(monitor='loss', patience=2)
    >>> stop.set_model(model)
    >>> stop.on_train_begin()
    >>> for epoch, loss in enumerate([3.0, 2.0, 2.5, 2.4, 2.3]):
    ...     if not model.stop_training:
    ...         stop.on_epoch_end(epoch, {'loss': loss})
    >>> stop.stopped_epoch, stop.best_epoch
    (3, 1)
    """

    state_attributes: ClassVar = {
        **MonitorCallback.state_attributes,
        "wait": int,
        "stopped_epoch": int,
        "best_epoch": int,
    }

    def __init__(
        self,
        monitor: str = "val_loss",
        min_delta: float = 0,
        patience: int = 0,
        verbose: int = 0,
        mode: str = "auto",
        baseline: float | None = None,
        restore_best_weights: bool = False,
        start_from_epoch: int = 0,
    ) -> None:
        super().__init__(monitor, mode, min_delta)
        self.patience = patience
        self.verbose = verbose
        self.baseline = baseline
        self.restore_best_weights = restore_best_weights
        self.start_from_epoch = start_from_epoch
        self._reset()

    def _reset(self) -> None:
        self.best = None
        self.best_epoch = 0
        self.best_weights: list[np.ndarray] | None = None
        self.wait = 0
        self.stopped_epoch = 0

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Forget the last training, unless its state was restored to go on with."""
        if self._starts_afresh():
            self._reset()
        elif self.stopped_epoch and self.wait >= self.patience:
            # It was cut off after the decision to stop and before its end.
            self.model.stop_training = True
        super().on_train_begin(logs)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Compare with the best epoch, and stop when patience has run out."""
        current = self.current_value(logs, "Without it training is not stopped early.")
        if current is None or epoch < self.start_from_epoch:
            return
        if self.restore_best_weights and self.best_weights is None:
            # Even if it never improves (NaN from the start), there is something to put back.
            self._remember(epoch)
        self.wait += 1
        if self.improves(current, self.best):
            self.best = current
            self._remember(epoch)
            if self.baseline is None or self.improves(current, self.baseline):
                self.wait = 0
        elif self.wait >= self.patience and epoch > 0:
            self.stopped_epoch = epoch
            self.model.stop_training = True

    def _remember(self, epoch: int) -> None:
        self.best_epoch = epoch
        if self.restore_best_weights:
            # Copies: the model may hand out views of buffers that the next step overwrites.
            self.best_weights = [np.array(weight) for weight in self.model.get_weights()]

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Put the best weights back, if asked to."""
        if self.verbose and self.stopped_epoch:
            say(f"Epoch {self.stopped_epoch + 1}: early stopping")
        if self.best_weights is not None:
            if self.verbose:
                say(f"Restoring the weights of the best epoch: {self.best_epoch + 1}")
            self.model.set_weights(self.best_weights)

    def get_arrays(self) -> dict[str, np.ndarray]:
        """Return the best epoch's weights, where they are kept."""
        weights = self.best_weights or ()
        return {f"best_weights/{i}": weight for i, weight in enumerate(weights)}

    def set_arrays(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Take the best epoch's weights back."""
        self.best_weights = [
            np.array(arrays[f"best_weights/{i}"]) for i in range(len(arrays))
        ] or None
