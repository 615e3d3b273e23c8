"""Records what each epoch's logs held; must not print or write anything."""

from __future__ import annotations

from typing import Any, ClassVar

from minpy.callbacks.callback import Callback


class History(Callback):
    """The losses and metrics of every epoch; ``fit`` returns one.

    Passed to a second ``fit`` it goes on where it was.

    Attributes
    ----------
    epoch : list of int
        The epochs recorded, from 0.
    history : dict of str to list
        One value an epoch for each name in the logs.

    Examples
    --------
    >>> record = History()
    >>> record.on_epoch_end(0, {'loss': 0.5, 'val_loss': 0.6})
    >>> record.on_epoch_end(1, {'loss': 0.4, 'val_loss': 0.5})
    >>> record.history
    {'loss': [0.5, 0.4], 'val_loss': [0.6, 0.5]}
    """

    state_attributes: ClassVar = {"epoch": list, "history": dict}

    def __init__(self) -> None:
        super().__init__()
        self.epoch: list[int] = []
        self.history: dict[str, list[Any]] = {}

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Append the epoch's values."""
        self.epoch.append(epoch)
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(value)
