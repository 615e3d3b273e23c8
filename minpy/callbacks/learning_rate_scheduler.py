"""Sets the learning rate of each epoch from a function; must not know any optimizer class."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from numbers import Real
from typing import Any, ClassVar

from minpy.callbacks.callback import Callback, Logs
from minpy.callbacks.console import say


class LearningRateScheduler(Callback):
    """Ask a function for the learning rate before each epoch.

    Adds ``learning_rate`` to the epoch's logs.

    Parameters
    ----------
    schedule : callable
        Takes the epoch (from 0) and the current learning rate, or the epoch alone, and returns
        the learning rate for this epoch.
    verbose : {0, 1}
        1 prints each epoch's rate.

    Raises
    ------
    TypeError
        If `schedule` can't be called.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> model = SimpleNamespace(optimizer=SimpleNamespace(learning_rate=0.1))
    >>> halve = LearningRateScheduler(lambda epoch, rate: rate / 2 if epoch else rate)
    >>> halve.set_model(model)
    >>> for epoch in range(3):
    ...     halve.on_epoch_begin(epoch)
    >>> model.optimizer.learning_rate
    0.025
    """

    state_attributes: ClassVar = {
        "epoch": (int, type(None)),
        "learning_rate": (Real, type(None)),
    }

    def __init__(self, schedule: Callable[..., float], verbose: int = 0) -> None:
        super().__init__()
        if not callable(schedule):
            raise TypeError(
                f"LearningRateScheduler: schedule must be a function of (epoch, learning_rate), "
                f"got {schedule!r}"
            )
        self.schedule = schedule
        self.verbose = verbose
        self.epoch: int | None = None
        self.learning_rate: float | None = None
        self._resumed_epoch: int | None = None

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Go on from a state; an epoch that had begun keeps the rate that it began with."""
        super().set_state(state)
        # Asked again, a schedule that builds on the current rate would apply its step twice.
        self._resumed_epoch = self.epoch

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Set the rate of the epoch.

        Raises
        ------
        ValueError
            If the schedule doesn't return a finite number of at least 0.
        """
        optimizer = self.model.optimizer
        resumed, self._resumed_epoch = self._resumed_epoch, None
        if resumed == epoch and self.learning_rate is not None:
            rate = self.learning_rate
        else:
            rate = _as_rate(self._ask(epoch, float(optimizer.learning_rate)), epoch)
        optimizer.learning_rate = rate
        self.epoch, self.learning_rate = epoch, rate
        if self.verbose:
            say(f"Epoch {epoch + 1}: LearningRateScheduler sets the learning rate to {rate:.6g}")

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Add the rate to the logs."""
        if logs is not None:
            logs["learning_rate"] = float(self.model.optimizer.learning_rate)

    def _ask(self, epoch: int, rate: float) -> Any:
        try:
            inspect.signature(self.schedule).bind(epoch, rate)
        except TypeError:
            return self.schedule(epoch)
        except ValueError:  # some builtins have no signature to look at
            pass
        return self.schedule(epoch, rate)


def _as_rate(value: Any, epoch: int) -> float:
    try:
        rate = float(value)
    except (TypeError, ValueError):
        rate = math.nan
    if not (math.isfinite(rate) and rate >= 0):
        raise ValueError(
            f"LearningRateScheduler: the schedule returned {value!r} for epoch {epoch}; "
            "expected a finite number of at least 0"
        )
    return rate
