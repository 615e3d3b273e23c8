"""Lowers the learning rate when a metric stops improving; must not know any optimizer class."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from minpy.callbacks.callback import Logs
from minpy.callbacks.console import say
from minpy.callbacks.monitor_callback import MonitorCallback


class ReduceLROnPlateau(MonitorCallback):
    """Multiply the learning rate by a factor whenever the metric stops improving.

    Adds ``learning_rate`` to the epoch's logs.

    Parameters
    ----------
    monitor : str
        A name in the epoch's logs.
    factor : float
        Below 1; the new rate is the old one times this.
    patience : int
        Epochs without improvement after which the rate is lowered.
    verbose : {0, 1}
        1 prints each change.
    mode : {'auto', 'min', 'max'}
        Whether lower or higher is better; ``'auto'`` goes by the metric.
    min_delta : float
        A change smaller than this is no improvement.
    cooldown : int
        Epochs to wait after lowering before counting again.
    min_lr : float
        The rate is never set below this.

    Raises
    ------
    ValueError
        If `factor` is 1 or more, or negative.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> model = SimpleNamespace(optimizer=SimpleNamespace(learning_rate=1.0))
    >>> reduce = ReduceLROnPlateau(monitor='loss', factor=0.5, patience=2)
    >>> reduce.set_model(model)
    >>> reduce.on_train_begin()
    >>> for epoch, loss in enumerate([3.0, 2.0, 2.0, 2.0]):
    ...     reduce.on_epoch_end(epoch, {'loss': loss})
    >>> model.optimizer.learning_rate
    0.5
    """

    state_attributes: ClassVar = {
        **MonitorCallback.state_attributes,
        "wait": int,
        "cooldown_counter": int,
    }

    def __init__(
        self,
        monitor: str = "val_loss",
        factor: float = 0.1,
        patience: int = 10,
        verbose: int = 0,
        mode: str = "auto",
        min_delta: float = 1e-4,
        cooldown: int = 0,
        min_lr: float = 0.0,
    ) -> None:
        super().__init__(monitor, mode, min_delta)
        if not 0 <= factor < 1:
            raise ValueError(
                f"ReduceLROnPlateau: factor must be at least 0 and below 1, got {factor}"
            )
        self.factor = factor
        self.patience = patience
        self.verbose = verbose
        self.cooldown = cooldown
        self.min_lr = min_lr
        self._reset()

    def _reset(self) -> None:
        self.best = None
        self.wait = 0
        self.cooldown_counter = 0

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Forget the last training, unless its state was restored to go on with."""
        if self._starts_afresh():
            self._reset()
        super().on_train_begin(logs)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Compare with the best epoch, and lower the rate when patience has run out."""
        logs = {} if logs is None else logs
        logs["learning_rate"] = float(self.model.optimizer.learning_rate)
        current = self.current_value(logs, "Without it the learning rate is not lowered.")
        if current is None:
            return
        if self.in_cooldown():
            self.cooldown_counter -= 1
            self.wait = 0
        if self.improves(current, self.best):
            self.best = current
            self.wait = 0
        elif not self.in_cooldown():
            self.wait += 1
            if self.wait >= self.patience:
                self._lower(epoch)

    def in_cooldown(self) -> bool:
        """Tell whether the rate was lowered less than `cooldown` epochs ago."""
        return self.cooldown_counter > 0

    def _lower(self, epoch: int) -> None:
        optimizer = self.model.optimizer
        old = float(optimizer.learning_rate)
        # In float32, as an optimizer may hold it: a rate at the minimum must compare as equal.
        if np.float32(old) <= np.float32(self.min_lr):
            return
        new = max(old * self.factor, self.min_lr)
        optimizer.learning_rate = new
        self.cooldown_counter = self.cooldown
        self.wait = 0
        if self.verbose:
            say(f"Epoch {epoch + 1}: ReduceLROnPlateau sets the learning rate to {new:.6g}")
