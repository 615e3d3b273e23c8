"""Decides when to save the model and under which name; must not know the file's format."""

from __future__ import annotations

import os
import string
from typing import Any, ClassVar

from minpy.callbacks.callback import Logs
from minpy.callbacks.console import say
from minpy.callbacks.monitor_callback import MonitorCallback


class ModelCheckpoint(MonitorCallback):
    """Save the model, or its weights, after each epoch or every so many batches.

    Parameters
    ----------
    filepath : str or path
        Where to save; may hold ``{epoch}`` (from 1), ``{batch}`` (from 1, with an integer
        `save_freq`) and names of the logs, with formats: ``'{epoch:02d}-{val_loss:.2f}.h5'``.
        Folders on the way are made.
    monitor : str
        A name in the logs, for `save_best_only`.
    verbose : {0, 1}
        1 prints what was saved, or why not.
    save_best_only : bool
        Save only when the monitored value is better than ever before.
    save_weights_only : bool
        Save by ``model.save_weights`` instead of ``model.save``.
    mode : {'auto', 'min', 'max'}
        Whether lower or higher is better; ``'auto'`` goes by the metric.
    save_freq : 'epoch' or int
        After each epoch, or after this many batches since the last time.
    initial_value_threshold : float, optional
        The best value so far, for instance that of an earlier training.

    Raises
    ------
    ValueError
        If `filepath` is empty or malformed, or `save_freq` is neither.
    IsADirectoryError
        When training begins, if `filepath` is an existing folder.
    KeyError
        When saving, if `filepath` names something that isn't in the logs.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> keep = ModelCheckpoint('{epoch:02d}-{loss:.2f}.h5')
    >>> keep.set_model(SimpleNamespace(save=print))
    >>> keep.on_epoch_end(0, {'loss': 0.512})
    01-0.51.h5
    """

    state_attributes: ClassVar = {
        **MonitorCallback.state_attributes,
        "_batches_since_save": int,
        "_last_batch": int,
    }

    def __init__(
        self,
        filepath: str | os.PathLike[str],
        monitor: str = "val_loss",
        verbose: int = 0,
        save_best_only: bool = False,
        save_weights_only: bool = False,
        mode: str = "auto",
        save_freq: str | int = "epoch",
        initial_value_threshold: float | None = None,
    ) -> None:
        super().__init__(monitor, mode)
        if save_freq != "epoch" and (
            isinstance(save_freq, bool) or not isinstance(save_freq, int) or save_freq < 1
        ):
            raise ValueError(
                "ModelCheckpoint: save_freq must be 'epoch' or a number of batches of at least 1, "
                f"got {save_freq!r}"
            )
        self.filepath = os.fspath(filepath)
        self._fields = _fields(self.filepath)
        self.verbose = verbose
        self.save_best_only = save_best_only
        self.save_weights_only = save_weights_only
        self.save_freq = save_freq
        self.best = initial_value_threshold
        self._epoch = 0
        self._batches_since_save = 0
        self._last_batch = -1

    def uses(self, hook: str) -> bool:
        """Tell whether the hook does anything: that of a batch only with an integer `save_freq`."""
        if hook == "on_train_batch_end" and self.save_freq == "epoch":
            return False
        return super().uses(hook)

    @property
    def reads_batch_logs(self) -> bool:
        """True where a batch's metric decides about saving or goes into the name."""
        return self.save_best_only or bool(self._fields - {"epoch", "batch"})

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Refuse a path that can't be a file before time is spent on training."""
        # The best value stays: a second fit must not overwrite a better model. So does a
        # restored state, which is why the mark is only cleared.
        self._starts_afresh()
        if not self._fields and os.path.isdir(self.filepath):
            raise IsADirectoryError(
                f"ModelCheckpoint: {self.filepath!r} is a folder; give the name of a file, such as "
                f"{os.path.join(self.filepath, '{epoch:02d}.h5')!r}"
            )
        if self.save_best_only:
            super().on_train_begin(logs)

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Note the epoch, which a batch isn't told."""
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Save after every `save_freq` batches."""
        # Several batches may run between two calls, and a new epoch counts from 0 again.
        first_of_epoch = batch <= self._last_batch
        self._batches_since_save += batch + 1 if first_of_epoch else batch - self._last_batch
        self._last_batch = batch
        if self._batches_since_save >= self.save_freq:
            self._batches_since_save = 0
            self._save_if_wanted(self._epoch, batch, logs)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Save after the epoch."""
        if self.save_freq == "epoch":
            self._save_if_wanted(epoch, None, logs)

    def _save_if_wanted(self, epoch: int, batch: int | None, logs: Logs | None) -> None:
        path = self._path(epoch, batch, logs)
        reason = ""
        if self.save_best_only:
            current = self.current_value(logs, "Without it every model is saved.")
            if current is not None:
                if not self.improves(current, self.best):
                    if self.verbose:
                        best = f"{self.best:.5f}"
                        say(f"Epoch {epoch + 1}: {self.monitor} did not improve from {best}")
                    return
                before = "" if self.best is None else f" from {self.best:.5f}"
                reason = f"{self.monitor} improved{before} to {current:.5f}, "
                self.best = current
        folder = os.path.dirname(path)
        if folder:
            os.makedirs(folder, exist_ok=True)
        (self.model.save_weights if self.save_weights_only else self.model.save)(path)
        if self.verbose:
            say(f"Epoch {epoch + 1}: {reason}saved to {path}")

    def _path(self, epoch: int, batch: int | None, logs: Logs | None) -> str:
        values: dict[str, Any] = {"epoch": epoch + 1}
        if batch is not None:
            values["batch"] = batch + 1
        logs = {} if logs is None else logs
        for name in self._fields - set(values):
            if name not in logs:
                raise KeyError(
                    f"ModelCheckpoint: {self.filepath!r} asks for {name!r}, which is missing; "
                    f"available are: {', '.join([*values, *logs])}"
                )
            values[name] = logs[name]
        return self.filepath.format(**values)


def _fields(template: str) -> set[str]:
    """Return the names in braces, or say what is wrong with them."""
    try:
        fields = {
            field for _, field, _, _ in string.Formatter().parse(template) if field is not None
        }
    except ValueError as problem:
        raise ValueError(
            f"ModelCheckpoint: filepath {template!r} is malformed: {problem}"
        ) from None
    unnamed = [field for field in fields if not field.isidentifier()]
    if unnamed or not template:
        raise ValueError(
            f"ModelCheckpoint: filepath {template!r} must be the name of a file, whose braces hold "
            "'epoch', 'batch' or a name of the logs"
        )
    return fields
