"""Evaluates by averaged weights while training goes on with the others; keeps no average."""

from __future__ import annotations

from typing import Any, ClassVar

from minpy.callbacks.callback import Callback, Logs


class SwapEMAWeights(Callback):
    """Exchange the weights for their moving average while the model is evaluated or predicts.

    For an optimizer with ``use_ema=True``. The two change places in memory, so that neither is
    copied for long.

    Parameters
    ----------
    swap_on_epoch : bool
        Exchange them at the end of an epoch too, and back when the next one begins, so that
        callbacks after this one (`ModelCheckpoint`) see the average.

    Raises
    ------
    ValueError
        When training, evaluation or prediction begins, if the optimizer keeps no average.

    Examples
    --------
    >>> import numpy
    >>> from minpy.layers import Dense
    >>> from minpy.models import Sequential
    >>> from minpy.optimizers import SGD
    >>> model = Sequential([Dense(1, input_shape=(1,))])
    >>> model.compile(SGD(0.1, use_ema=True, ema_momentum=0.5), 'mse')
    >>> x, y = numpy.ones((4, 1)), numpy.ones((4, 1))
    >>> history = model.fit(x, y, validation_data=(x, y), verbose=0, callbacks=[SwapEMAWeights()])
    """

    reads_batch_logs = False
    state_attributes: ClassVar = {"_ema_weights_in_model": bool}

    def __init__(self, swap_on_epoch: bool = False) -> None:
        super().__init__()
        self.swap_on_epoch = swap_on_epoch
        self._ema_weights_in_model = False

    def _put(self, average: bool) -> None:
        if self._ema_weights_in_model != average:
            self.model.swap_moving_average()
            self._ema_weights_in_model = average

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Ask for an average before the first epoch."""
        if not getattr(self.model.optimizer, "use_ema", False):
            raise ValueError(
                "SwapEMAWeights: the optimizer keeps no moving average; make it with use_ema=True"
            )
        if self._starts_afresh():
            self._ema_weights_in_model = False

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Go on training with the weights themselves."""
        self._put(False)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Show the average to the callbacks after this one."""
        if self.swap_on_epoch:
            self._put(True)

    def on_test_begin(self, logs: Logs | None = None) -> None:
        """Evaluate the average."""
        self._put(True)

    def on_test_end(self, logs: Logs | None = None) -> None:
        """Put the weights back."""
        self._put(False)

    on_predict_begin = on_test_begin
    on_predict_end = on_test_end

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Note that a whole training ends with the average; put the weights back after a part."""
        if self._ema_weights_in_model and self.model.optimizer.average_in_weights:
            self._put(False)
        self._ema_weights_in_model = False
