"""The hooks that a training loop calls, as the class to derive from; knows no model class.

What a callback may ask of the model it is given (`set_model`):

- ``model.stop_training``: set it to True to end training after the current batch;
- ``model.optimizer``: ``learning_rate`` (float, readable and writable), ``iterations`` (int);
- ``model.get_weights()``, ``model.set_weights(list)``, ``model.weights``, ``model.layers``;
- ``model.gradients()``: the gradients of the last step by weight name;
- ``model.swap_moving_average()``: the weights and their moving average change places;
- ``model.save_backup(…)``, ``model.restore_backup(…)``, ``model.resume_at(…)``: see `Trainer`;
- ``model.save(path)``, ``model.save_weights(path)``, ``model.summary(print_fn=...)``.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from minpy.errors import CheckpointMismatchError

Logs = Mapping[str, Any]

# The older name that Keras still calls where a callback overrides only that.
ALIASES: dict[str, str] = {
    "on_train_batch_begin": "on_batch_begin",
    "on_train_batch_end": "on_batch_end",
}


class Callback:
    """Base class of everything that is told how training goes; override the hooks you need.

    A hook that is not overridden costs nothing: `CallbackList` leaves it out.

    Attributes
    ----------
    model
        The model being trained, evaluated or asked to predict.
    params : dict
        ``epochs``, ``steps`` (batches an epoch, None when unknown) and ``verbose`` of this run.
    reads_batch_logs : bool
        Set it to False on a callback whose ``on_train_batch_end`` looks at no metric: where no
        callback does, the training loop need not compute them.
    runs_last : bool
        Set it to True on a callback that has to know what the others did: it is called first when
        training begins, after all others at every other hook, and `run` is the `CallbackList`.
    state_attributes : dict
        Names of the attributes that a checkpoint keeps, with the types that they may have.
        They must hold what JSON can hold.

    Examples
    --------
    >>> class LossOnly(Callback):
    ...     def on_epoch_end(self, epoch, logs=None):
    ...         print(epoch, logs['loss'])
    >>> LossOnly().on_epoch_end(0, {'loss': 0.5})
    0 0.5
    """

    # On the class, so that a subclass that forgets super().__init__() works as well.
    model: Any = None
    params: dict[str, Any] | None = None
    reads_batch_logs: bool = True
    runs_last: bool = False
    run: Any = None
    state_attributes: ClassVar[dict[str, type | tuple[type, ...]]] = {}
    _resumed: bool = False

    def set_params(self, params: dict[str, Any]) -> None:
        """Take the settings of the run: epochs, steps and verbose."""
        self.params = params

    def set_model(self, model: Any) -> None:
        """Take the model that the run is about."""
        self.model = model

    # --- hooks ------------------------------------------------------------------------------

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Called once, before the first epoch."""

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Called once after the last epoch, and also after an error or Ctrl-C."""

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Called before each epoch; epochs count from 0."""

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Called after each epoch and its validation, with loss, metrics and ``val_*``."""

    def on_train_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Called before each training batch; batches count from 0 in each epoch."""
        self.on_batch_begin(batch, logs)

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Called after each training batch.

        The metrics in `logs` may be computed when they are read: read only what you use.
        """
        self.on_batch_end(batch, logs)

    def on_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Older name of `on_train_batch_begin`."""

    def on_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Older name of `on_train_batch_end`."""

    def on_test_begin(self, logs: Logs | None = None) -> None:
        """Called before an evaluation, and before each validation inside ``fit``."""

    def on_test_end(self, logs: Logs | None = None) -> None:
        """Called after an evaluation or validation, with its loss and metrics."""

    def on_test_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Called before each batch of an evaluation."""

    def on_test_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Called after each batch of an evaluation."""

    def on_predict_begin(self, logs: Logs | None = None) -> None:
        """Called before a prediction."""

    def on_predict_end(self, logs: Logs | None = None) -> None:
        """Called after a prediction."""

    def on_predict_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Called before each batch of a prediction."""

    def on_predict_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Called after each batch of a prediction."""

    def uses(self, hook: str) -> bool:
        """Tell whether the hook of this name does anything here.

        Parameters
        ----------
        hook : str
            A hook's name, such as ``'on_train_batch_end'``.

        Returns
        -------
        bool
            True where the class, or the instance, overrides the hook (or its older name).

        Examples
        --------
        >>> Callback().uses('on_epoch_end')
        False
        """
        names = (hook, ALIASES[hook]) if hook in ALIASES else (hook,)
        return any(
            getattr(getattr(self, name), "__func__", None) is not getattr(Callback, name)
            for name in names
        )

    # --- what a checkpoint keeps ------------------------------------------------------------

    def get_state(self) -> dict[str, Any]:
        """Return what a resumed run needs to go on exactly, as values that JSON can hold.

        Returns
        -------
        dict
            A copy of the `state_attributes`; empty for a callback without any.
        """
        return {name: _plain(getattr(self, name)) for name in self.state_attributes}

    def check_state(self, state: Mapping[str, Any]) -> None:
        """Refuse a state that `set_state` couldn't take, before anything is changed.

        Raises
        ------
        CheckpointMismatchError
            If a name is missing or unknown, or a value has a type that it can't have.
        """
        problems = [f"{name!r} is missing" for name in self.state_attributes if name not in state]
        for name, value in state.items():
            if name not in self.state_attributes:
                problems.append(f"{name!r} is unknown")
            elif not isinstance(value, self.state_attributes[name]):
                problems.append(f"{name!r} can't be {value!r}")
        if problems:
            raise CheckpointMismatchError(
                f"{type(self).__name__} can't go on from this state: {', '.join(problems)}; it "
                f"expects {sorted(self.state_attributes)}. Did another class or version save it?"
            )

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Go on from what `get_state` returned; the next ``on_train_begin`` doesn't reset it.

        Raises
        ------
        CheckpointMismatchError
            If the state isn't one of this class; nothing is changed then.
        """
        self.check_state(state)
        for name in self.state_attributes:
            setattr(self, name, copy.deepcopy(state[name]))
        self._resumed = True

    def get_arrays(self) -> dict[str, np.ndarray]:
        """Return the part of the state that is arrays, by name; empty for most callbacks."""
        return {}

    def set_arrays(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Take back what `get_arrays` returned."""

    def _starts_afresh(self) -> bool:
        """Tell whether no state was restored for the training that begins; asking clears it."""
        afresh = not self._resumed
        self._resumed = False
        return afresh


def _plain(value: Any) -> Any:
    """Turn NumPy's scalars and arrays, at any depth, into what the json module writes."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value.tolist() if isinstance(value, (np.generic, np.ndarray)) else value
