"""Records how long gradients are, weight by weight; must not change any."""

from __future__ import annotations

import math
import warnings
from typing import Any, ClassVar

import numpy as np

from minpy.callbacks.callback import Callback, Logs


class GradientMonitor(Callback):
    """Record the lengths of gradients, add the whole one's to the logs, warn of NaN.

    Parameters
    ----------
    freq : 'epoch' or int
        Look after the last batch of each epoch, or after every so many batches.
    vanished : float
        Warn, once a weight, of a gradient whose largest element is below this.
    verbose : {0, 1}
        0 only records.

    Attributes
    ----------
    steps : list of int
        The optimizer's steps at which it looked.
    norms : dict of str to list of float
        Euclidean length of each weight's gradient, by the weight's path, before clipping.

    Notes
    -----
    The epoch's logs get ``gradient_norm``, the length of all gradients together, when it last
    looked. Gradients are copied when it looks, which takes about as long as a step of an
    optimizer.

    Examples
    --------
    >>> import numpy
    >>> from minpy.layers import Dense
    >>> from minpy.models import Sequential
    >>> model = Sequential([Dense(1, use_bias=False, input_shape=(1,), name='line')])
    >>> model.set_weights([numpy.array([[1.]])])
    >>> model.compile('sgd', 'mse')
    >>> watch = GradientMonitor()
    >>> history = model.fit(numpy.ones((2, 1)), numpy.zeros((2, 1)), verbose=0, callbacks=[watch])
    >>> [round(norm, 6) for norm in watch.norms['line/kernel']]
    [2.0]
    """

    reads_batch_logs = False
    state_attributes: ClassVar = {"steps": list, "norms": dict, "_told": list}

    def __init__(self, freq: str | int = "epoch", vanished: float = 0.0, verbose: int = 1) -> None:
        super().__init__()
        if freq != "epoch" and (isinstance(freq, bool) or not isinstance(freq, int) or freq < 1):
            raise ValueError(
                f"GradientMonitor: freq must be 'epoch' or a number of batches ≥ 1, got {freq!r}"
            )
        self.freq = freq
        self.vanished = vanished
        self.verbose = verbose
        self._reset()

    def _reset(self) -> None:
        self.steps: list[int] = []
        self.norms: dict[str, list[float]] = {}
        self._told: list[str] = []

    def uses(self, hook: str) -> bool:
        """Tell whether the hook does anything: that of a batch only with an integer `freq`."""
        if hook == "on_train_batch_end" and self.freq == "epoch":
            return False
        return super().uses(hook)

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Forget the last training, unless it goes on."""
        if self._starts_afresh():
            self._reset()

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Look after every `freq` batches."""
        if (batch + 1) % self.freq == 0:
            self._look()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Look after the epoch, and add the whole length to the logs."""
        if self.freq == "epoch":
            self._look()
        if logs is not None and self.norms:
            # Not the root of a sum of squares: that overflows where the lengths don't.
            logs["gradient_norm"] = math.hypot(*(lengths[-1] for lengths in self.norms.values()))

    def _look(self) -> None:
        self.steps.append(int(self.model.optimizer.iterations))
        for path, gradient in self.model.gradients().items():
            largest = float(np.abs(gradient).max(initial=0.0))
            scaled = gradient / largest if 0 < largest < math.inf else gradient
            length = float(np.linalg.norm(scaled.ravel().astype(np.float64)))
            self.norms.setdefault(path, []).append(
                length * largest if 0 < largest < math.inf else length
            )
            if not math.isfinite(largest):
                self._tell(path, f"is not finite ({largest})")
            elif largest < self.vanished:
                self._tell(path, f"has vanished: its largest element is {largest:.3g}")

    def _tell(self, path: str, what: str) -> None:
        if self.verbose and path not in self._told:
            self._told.append(path)
            warnings.warn(f"GradientMonitor: the gradient of {path!r} {what}", stacklevel=4)
