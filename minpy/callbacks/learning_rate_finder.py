"""Tries rising learning rates to find a good one; leaves the model as it was."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np

from minpy.callbacks.callback import Callback, Logs


class LearningRateFinder(Callback):
    """Raise the learning rate with each batch until the loss explodes, and suggest one.

    The rate goes from `min_rate` to `max_rate` in equal ratios. Training stops after `steps`
    batches, or when the smoothed loss is `stop_factor` times its smallest value; weights,
    optimizer and learning rate are then as they were before.

    Parameters
    ----------
    min_rate, max_rate : float
        First and last learning rate.
    steps : int
        Number of batches between them.
    smoothing : float
        How much of a running mean of the loss a batch keeps, 0 to 1.
    stop_factor : float
        Multiple of the smallest loss that counts as exploded.
    apply : bool
        Set the optimizer's learning rate to the suggestion at the end.

    Attributes
    ----------
    rates, losses : list of float
        Learning rate and smoothed loss of each batch.
    suggestion : float or None
        The rate at which the loss fell fastest with the rate's logarithm; None if it never fell.

    Raises
    ------
    ValueError
        If the rates don't rise, or `steps` is too small for a curve.

    Notes
    -----
    Smith, 2017, section 3.3. Pass enough epochs for `steps` batches.

    Examples
    --------
    >>> import numpy
    >>> from minpy.layers import Dense
    >>> from minpy.models import Sequential
    >>> model = Sequential([Dense(1, input_shape=(3,))])
    >>> model.compile('sgd', 'mse')
    >>> x = numpy.random.default_rng(0).standard_normal((320, 3))
    >>> find = LearningRateFinder(1e-4, 10.0, steps=60)
    >>> history = model.fit(x, x @ [[1.], [2.], [3.]], epochs=6, verbose=0, callbacks=[find])
    >>> 1e-2 < find.suggestion < 1.0
    True
    """

    def __init__(
        self,
        min_rate: float = 1e-7,
        max_rate: float = 10.0,
        steps: int = 100,
        smoothing: float = 0.9,
        stop_factor: float = 4.0,
        apply: bool = False,
    ) -> None:
        super().__init__()
        if not 0 < min_rate < max_rate:
            raise ValueError(
                f"LearningRateFinder: expected 0 < min_rate < max_rate, got {min_rate} and "
                f"{max_rate}"
            )
        if not isinstance(steps, int) or steps < 5:
            raise ValueError(f"LearningRateFinder: expected at least 5 steps, got {steps!r}")
        if not 0 <= smoothing < 1 or not stop_factor > 1:
            raise ValueError(
                "LearningRateFinder: expected smoothing from 0 to 1 and stop_factor > 1, got "
                f"{smoothing} and {stop_factor}"
            )
        self.min_rate = min_rate
        self.max_rate = max_rate
        self.steps = steps
        self.smoothing = smoothing
        self.stop_factor = stop_factor
        self.apply = apply
        self._reset()

    def _reset(self) -> None:
        self.rates: list[float] = []
        self.losses: list[float] = []
        self.suggestion: float | None = None
        self._mean = 0.0
        self._total = 0.0
        self._exploded = False
        self._before: dict[str, Any] | None = None

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Remember the model and its optimizer."""
        self._reset()
        optimizer = self.model.optimizer
        self._before = {
            "weights": [np.array(weight) for weight in self.model.get_weights()],
            "slots": {name: slot.copy() for name, slot in optimizer.slots.items()},
            "state": optimizer.get_state(),
        }
        # A schedule refuses a number here, before anything has been trained.
        optimizer.learning_rate = self.min_rate

    def on_train_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Set the batch's learning rate."""
        ratio = self.max_rate / self.min_rate
        rate = self.min_rate * ratio ** (len(self.rates) / (self.steps - 1))
        self.rates.append(rate)
        self.model.optimizer.learning_rate = rate

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Record the batch's loss, and stop when it has exploded."""
        # Logs hold the epoch's mean so far.
        total = float((logs or {})["loss"]) * (batch + 1)
        loss = total - (self._total if batch else 0.0)
        self._total = total
        if not math.isfinite(loss):
            self.rates.pop()
            self._exploded = True
            self.model.stop_training = True
            return
        count = len(self.losses) + 1
        self._mean = self.smoothing * self._mean + (1 - self.smoothing) * loss
        smooth = self._mean / (1 - self.smoothing**count)
        self.losses.append(smooth)
        self._exploded = count > 1 and smooth > self.stop_factor * min(self.losses)
        if self._exploded or count >= self.steps:
            self.model.stop_training = True

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Suggest a rate, and put everything back."""
        self.suggestion = self._steepest()
        if len(self.losses) < self.steps and not self._exploded:
            warnings.warn(
                f"LearningRateFinder: training ended after {len(self.losses)} of {self.steps} "
                f"batches, and rates above {max(self.rates, default=0.0):.2g} weren't tried; fit "
                "for more epochs, or pass a smaller number of steps",
                stacklevel=2,
            )
        before, self._before = self._before, None
        if before is None:
            return
        optimizer = self.model.optimizer
        self.model.set_weights(before["weights"])
        for name, slot in before["slots"].items():
            optimizer.slots[name][...] = slot
        optimizer.set_state(before["state"])
        if self.apply and self.suggestion is not None:
            optimizer.learning_rate = self.suggestion

    def _steepest(self) -> float | None:
        if len(self.losses) < 5:
            return None
        # What comes after the smallest loss is the explosion.
        last = max(int(np.argmin(self.losses)) + 1, 5)
        slopes = np.gradient(np.array(self.losses[:last]), np.log(self.rates[:last]))
        # Over several batches: the loss of a single one goes up and down by chance.
        width = max(3, self.steps // 10)
        slopes = np.convolve(slopes, np.full(width, 1 / width), "same")[: len(slopes)]
        # A running mean of few batches is theirs: what it does at first is chance as well.
        first = min(round(1 / (1 - self.smoothing)), last // 3)
        fastest = first + int(np.argmin(slopes[first:]))
        return float(self.rates[fastest]) if slopes[fastest] < 0 else None
