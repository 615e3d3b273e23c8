"""Keeps a backup of a running training and goes on from it; must not know the file's format."""

from __future__ import annotations

import contextlib
import os
import warnings
from typing import Any

from minpy.callbacks.callback import Callback, Logs
from minpy.errors import CheckpointError, CheckpointMismatchError

_FILE = "backup.h5"


class BackupAndRestore(Callback):
    """Make a training that was killed end as if it had never been.

    The backup holds all that training goes on from: weights, the optimizer's slots and steps, the
    states of stateful recurrent layers, where in which epoch it was, the running loss and metrics,
    the seed, and the state of every callback (history, best checkpoint, patience, …). Start the
    same program again, with the same `backup_dir`: ``fit`` goes on after the last step that was
    backed up, and ends with the same bits. When training has ended the backup is deleted.

    Parameters
    ----------
    backup_dir : str or path
        A folder for this training alone; it is made.
    save_freq : 'epoch' or int
        After each epoch, or after every so many batches and at the end of each epoch too.
    double_checkpoint : bool
        Keep the backup before the last one as well, for a disk that loses what it has written.
    delete_checkpoint : bool
        Delete the backup when training has ended.

    Raises
    ------
    ValueError
        If `backup_dir` is empty, or `save_freq` is neither.
    CheckpointMismatchError
        When training begins, if the backup is of another model, optimizer or number of batches.

    Notes
    -----
    It may stand anywhere among the callbacks: it is called first when training begins and after
    the others at every other hook, so that a backup holds what they have just decided. A generator
    that nobody has read yet, as in a program that is started again, is read up to where training
    goes on. What the backup can't hold: the state of generators of random numbers that you draw
    from yourself, and of a data source that changes with each epoch by itself.

    Examples
    --------
    >>> import numpy, tempfile
    >>> from minpy.layers import Dense
    >>> from minpy.models import Sequential
    >>> folder = tempfile.TemporaryDirectory()
    >>> def train(epochs):
    ...     model = Sequential([Dense(1, input_shape=(2,))])
    ...     model.compile('sgd', 'mse')
    ...     keep = BackupAndRestore(folder.name, delete_checkpoint=False)
    ...     return model.fit(numpy.ones((8, 2)), numpy.ones((8, 1)), epochs=epochs, verbose=0,
    ...                      callbacks=[keep]).epoch
    >>> train(2)
    [0, 1]
    >>> train(3)
    [0, 1, 2]
    >>> folder.cleanup()
    """

    reads_batch_logs = False
    runs_last = True

    def __init__(
        self,
        backup_dir: str | os.PathLike[str],
        save_freq: str | int = "epoch",
        double_checkpoint: bool = False,
        delete_checkpoint: bool = True,
    ) -> None:
        super().__init__()
        if not os.fspath(backup_dir):
            raise ValueError("BackupAndRestore: expected a folder as backup_dir, got ''")
        if save_freq != "epoch" and (
            isinstance(save_freq, bool) or not isinstance(save_freq, int) or save_freq < 1
        ):
            raise ValueError(
                "BackupAndRestore: save_freq must be 'epoch' or a number of batches of at least "
                f"1, got {save_freq!r}"
            )
        self.backup_dir = os.fspath(backup_dir)
        self.save_freq = save_freq
        self.double_checkpoint = double_checkpoint
        self.delete_checkpoint = delete_checkpoint
        self._path = os.path.join(self.backup_dir, _FILE)
        self._previous = self._path + ".previous"
        self._forget()

    def _forget(self) -> None:
        self._epoch = 0
        self._last_batch = -1
        self._since_save = 0
        self._finished = False
        # Of a backup in the middle of an epoch, until that epoch has begun again.
        self._restored: dict[str, Any] | None = None

    def uses(self, hook: str) -> bool:
        """Tell whether the hook does anything: that of a batch only with an integer `save_freq`."""
        if hook == "on_train_batch_end" and self.save_freq == "epoch":
            return False
        return super().uses(hook)

    # --- going on ---------------------------------------------------------------------------

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Go on from the backup, if there is one."""
        self._forget()
        os.makedirs(self.backup_dir, exist_ok=True)
        for path in (self._path, self._previous):
            if not os.path.exists(path):
                continue
            try:
                self._restore(path)
                return
            except CheckpointMismatchError:
                raise
            except CheckpointError as error:
                if path == self._previous or not os.path.exists(self._previous):
                    raise
                warnings.warn(
                    f"BackupAndRestore: {error}; going on from the backup before it", stacklevel=2
                )

    def _restore(self, path: str) -> None:
        model = self.model

        def check(details: dict[str, Any]) -> None:
            steps = (self.params or {}).get("steps")
            if details["step"] and details["steps"] != steps:
                raise CheckpointMismatchError(
                    f"{path}: was made in the middle of an epoch of {details['steps']} batches, "
                    f"this one has {steps}; train on the same data with the same batch_size, or "
                    f"delete {self.backup_dir!r} to start anew"
                )
            self.run.set_state(details["callbacks"])

        details, arrays = model.restore_backup(path, check)
        self.run.set_arrays(arrays)
        model.stop_training = details["stop_training"]
        model.resume_at(details["epoch"], details["step"], details["logs"], details["metrics"])
        self._finished = details["stop_training"] or details["epoch"] >= self._epochs()
        self._last_batch = details["step"] - 1
        if details["step"]:
            self._restored = {**details, "optimizer": model.optimizer.get_state()}

    def _epochs(self) -> int:
        return (self.params or {}).get("epochs") or 0

    # --- keeping ----------------------------------------------------------------------------

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Note the epoch; undo what its second beginning has changed, as a learning rate."""
        self._epoch = epoch
        restored, self._restored = self._restored, None
        if restored is not None:
            self.model.optimizer.set_state(restored["optimizer"])
            self.run.set_state(restored["callbacks"])

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Back up after every `save_freq` batches."""
        # Several batches may run between two calls.
        before = self._last_batch if batch > self._last_batch else -1
        self._since_save += batch - before
        self._last_batch = batch
        # One that ends training is not backed up: what follows is done again, and so decided again.
        if self._since_save >= self.save_freq and not self.model.stop_training:
            self._save(self._epoch, batch + 1, {})

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Back up after the epoch."""
        self._last_batch = -1
        self._finished = self.model.stop_training or epoch + 1 >= self._epochs()
        self._save(epoch + 1, 0, {name: float(value) for name, value in (logs or {}).items()})

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Delete the backup, unless training was cut short by an error or Ctrl-C."""
        if self._finished and self.delete_checkpoint:
            for path in (self._path, self._previous):
                with contextlib.suppress(FileNotFoundError):
                    os.remove(path)
            with contextlib.suppress(OSError):  # something else lies there too
                os.rmdir(self.backup_dir)

    def _save(self, epoch: int, step: int, logs: dict[str, float]) -> None:
        if self.double_checkpoint and os.path.exists(self._path):
            # By another name for the same file: there is a whole one under each at any moment.
            new = self._previous + ".new"
            with contextlib.suppress(FileNotFoundError):
                os.remove(new)
            os.link(self._path, new)
            os.replace(new, self._previous)
        details = {
            "epoch": epoch,
            "step": step,
            "steps": (self.params or {}).get("steps"),
            "logs": logs,
            "stop_training": bool(self.model.stop_training),
            "callbacks": self.run.get_state(),
        }
        self.model.save_backup(self._path, details, self.run.get_arrays())
        self._since_save = 0
