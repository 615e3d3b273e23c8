"""Calls many callbacks as one and ends each whatever happens; knows nothing of their work."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from minpy.callbacks.callback import Callback, Logs
from minpy.callbacks.history import History
from minpy.callbacks.progress_bar import ProgressBar

_PHASES = ("train", "test", "predict")
_HOOKS = (
    "on_epoch_begin",
    "on_epoch_end",
    *(f"on_{phase}_{event}" for phase in _PHASES for event in ("batch_begin", "batch_end")),
)


class CallbackList:
    """The callbacks of one run, behind the same hooks as a single one.

    Used as a context manager it ends every callback that has begun, also after an error or
    Ctrl-C, so that files are closed::

        with CallbackList(callbacks, add_history=True, model=model, epochs=3) as run:
            run.on_train_begin()
            ...
            run.on_train_end(logs)

    Parameters
    ----------
    callbacks : Callback, list of Callback, CallbackList or None
        May be nested.
    add_history : bool
        Add a `History` where there is none.
    add_progbar : bool
        Add a `ProgressBar` where there is none.
    model
        Handed to each callback's ``set_model``; its ``history`` becomes the `History`.
    **params
        ``epochs``, ``steps`` and ``verbose``, handed to each callback's ``set_params``.

    Attributes
    ----------
    callbacks : list of Callback
        In the order in which they are called.
    history : History or None
        The callback that records the run.
    needs_batch_logs : bool
        False when no callback looks at the metrics of a training batch.
    needs_test_batch_logs : bool
        The same for the batches of an evaluation.

    Raises
    ------
    TypeError
        If something is not a callback.

    Examples
    --------
    >>> with CallbackList(add_history=True, epochs=1) as run:
    ...     run.on_train_begin()
    ...     run.on_epoch_end(0, {'loss': 0.5})
    >>> run.history.history
    {'loss': [0.5]}
    """

    def __init__(
        self,
        callbacks: Any = None,
        add_history: bool = False,
        add_progbar: bool = False,
        model: Any = None,
        **params: Any,
    ) -> None:
        self.callbacks: list[Callback] = list(_flatten(callbacks))
        self.model: Any = None
        self.params: dict[str, Any] = {}
        # Last, so that they see what the user's callbacks add to the logs of an epoch.
        if add_history and self._first(History) is None:
            self.callbacks.append(History())
        if add_progbar and self._first(ProgressBar) is None:
            self.callbacks.append(ProgressBar())
        self.callbacks.sort(key=_runs_last)
        self._open: dict[str, list[Callback]] = {}
        self._last_epoch_logs: Logs = {}
        self._bound: dict[str, tuple[Callable[..., None], ...]] = {}
        self.needs_batch_logs = False
        self.needs_test_batch_logs = False
        self.set_model(model)
        self.set_params(params)

    def __iter__(self) -> Iterator[Callback]:
        return iter(self.callbacks)

    def __len__(self) -> int:
        return len(self.callbacks)

    @property
    def history(self) -> History | None:
        """The `History` among the callbacks."""
        return self._first(History)

    def append(self, callback: Callback) -> None:
        """Add a callback at the end, with the model and settings of the others."""
        for added in _flatten(callback):
            self.callbacks.append(added)
            if self.model is not None:
                added.set_model(self.model)
            if self.params:
                added.set_params(self.params)
        self.callbacks.sort(key=_runs_last)
        self._bind()

    def set_params(self, params: dict[str, Any]) -> None:
        """Hand the settings of the run to each callback."""
        self.params = params
        if params:
            for callback in self.callbacks:
                callback.set_params(params)
        self._bind()

    def set_model(self, model: Any) -> None:
        """Hand the model to each callback."""
        if model is None:
            return
        self.model = model
        if self.history is not None:
            model.history = self.history
        for callback in self.callbacks:
            callback.set_model(model)
        self._bind()

    # --- hooks ------------------------------------------------------------------------------

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Begin training."""
        self._last_epoch_logs = {}
        self._begin("train", logs)

    def on_train_end(self, logs: Logs | None = None) -> None:
        """End training for each callback, also where one of them raises."""
        self._end("train", logs)

    def on_test_begin(self, logs: Logs | None = None) -> None:
        """Begin an evaluation or validation."""
        self._begin("test", logs)

    def on_test_end(self, logs: Logs | None = None) -> None:
        """End an evaluation or validation."""
        self._end("test", logs)

    def on_predict_begin(self, logs: Logs | None = None) -> None:
        """Begin a prediction."""
        self._begin("predict", logs)

    def on_predict_end(self, logs: Logs | None = None) -> None:
        """End a prediction."""
        self._end("predict", logs)

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Begin an epoch."""
        self._call("on_epoch_begin", epoch, logs)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """End an epoch; callbacks may add to `logs`, and later ones see it."""
        logs = {} if logs is None else logs
        self._last_epoch_logs = logs
        self._call("on_epoch_end", epoch, logs)

    def on_train_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Begin a training batch."""
        self._call("on_train_batch_begin", batch, logs)

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """End a training batch."""
        self._call("on_train_batch_end", batch, logs)

    def on_test_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Begin a batch of an evaluation."""
        self._call("on_test_batch_begin", batch, logs)

    def on_test_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """End a batch of an evaluation."""
        self._call("on_test_batch_end", batch, logs)

    def on_predict_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Begin a batch of a prediction."""
        self._call("on_predict_batch_begin", batch, logs)

    def on_predict_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """End a batch of a prediction."""
        self._call("on_predict_batch_end", batch, logs)

    on_batch_begin = on_train_batch_begin
    on_batch_end = on_train_batch_end

    # --- ending whatever happens ------------------------------------------------------------

    def __enter__(self) -> CallbackList:
        return self

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        try:
            self.close()
        except Exception as failure:
            if error is None:
                raise
            # The error that ended the run is the one to show.
            warnings.warn(f"Ending the callbacks failed as well: {failure!r}", stacklevel=2)

    def close(self) -> None:
        """End each callback that has begun and not ended; does nothing after a normal end.

        Raises
        ------
        BaseException
            The first error of an ending hook, after all of them were called.
        """
        error: BaseException | None = None
        for phase in reversed(list(self._open)):
            try:
                self._end(phase, self._last_epoch_logs if phase == "train" else {})
            except BaseException as failure:
                error = error or failure
        if error is not None:
            raise error

    # --- what a checkpoint keeps ------------------------------------------------------------

    def get_state(self) -> dict[str, dict[str, Any]]:
        """Return the state of each callback that has one.

        Returns
        -------
        dict
            Class name (with ``_2``, ``_3`` … for further ones of the same class) to state, of
            values that JSON can hold.
        """
        states = {key: callback.get_state() for key, callback in self._named().items()}
        return {key: state for key, state in states.items() if state}

    def set_state(self, states: Mapping[str, Mapping[str, Any]]) -> None:
        """Let each callback go on from the state that was saved under its name.

        A callback without a saved state starts afresh; a state without a callback is left out,
        with a warning.

        Raises
        ------
        CheckpointMismatchError
            If a state doesn't fit its callback; no callback is changed then.
        """
        named = self._named()
        fitting = {key: state for key, state in states.items() if key in named}
        for key, state in fitting.items():
            named[key].check_state(state)
        for key, state in fitting.items():
            named[key].set_state(state)
        left_out = sorted(set(states) - set(named))
        if left_out:
            warnings.warn(
                f"The checkpoint has states of callbacks that this run doesn't have: "
                f"{', '.join(left_out)}. Pass the same callbacks to go on exactly.",
                stacklevel=2,
            )

    def get_arrays(self) -> dict[str, np.ndarray]:
        """Return the arrays of all callbacks' states, named ``callback/array``."""
        return {
            f"{key}/{name}": array
            for key, callback in self._named().items()
            for name, array in callback.get_arrays().items()
        }

    def set_arrays(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Hand the arrays that `get_arrays` returned back to the callbacks of those names."""
        for key, callback in self._named().items():
            prefix = f"{key}/"
            own = {
                name.removeprefix(prefix): array
                for name, array in arrays.items()
                if name.startswith(prefix)
            }
            if own:
                callback.set_arrays(own)

    # --- inside -----------------------------------------------------------------------------

    def _first(self, kind: type) -> Any:
        return next((callback for callback in self.callbacks if isinstance(callback, kind)), None)

    def _named(self) -> dict[str, Callback]:
        named: dict[str, Callback] = {}
        seen: dict[str, int] = {}
        for callback in self.callbacks:
            name = type(callback).__name__
            seen[name] = seen.get(name, 0) + 1
            named[name if seen[name] == 1 else f"{name}_{seen[name]}"] = callback
        return named

    def _bind(self) -> None:
        """Find out once who uses which hook, so that a batch pays only for those."""
        for callback in self.callbacks:
            if callback.runs_last:
                callback.run = self
        self._bound = {
            hook: tuple(getattr(cb, hook) for cb in self.callbacks if cb.uses(hook))
            for hook in _HOOKS
        }
        self.needs_batch_logs, self.needs_test_batch_logs = (
            any(cb.reads_batch_logs and cb.uses(hook) for cb in self.callbacks)
            for hook in ("on_train_batch_end", "on_test_batch_end")
        )

    def _call(self, hook: str, index: int, logs: Logs | None) -> None:
        for method in self._bound[hook]:
            method(index, {} if logs is None else logs)

    def _begin(self, phase: str, logs: Logs | None) -> None:
        if phase in self._open:  # a run that was never ended
            self.close()
        self._bind()
        begun = self._open[phase] = []
        hook = f"on_{phase}_begin"
        for callback in sorted(self.callbacks, key=_runs_last, reverse=True):
            if callback.uses(hook):
                getattr(callback, hook)({} if logs is None else logs)
            begun.append(callback)

    def _end(self, phase: str, logs: Logs | None) -> None:
        hook = f"on_{phase}_end"
        error: BaseException | None = None
        for callback in sorted(self._open.pop(phase, self.callbacks), key=_runs_last):
            try:
                if callback.uses(hook):
                    getattr(callback, hook)({} if logs is None else logs)
            except BaseException as failure:  # Ctrl-C too: the others have files to close
                if error is None:
                    error = failure
                else:
                    warnings.warn(f"{type(callback).__name__}: {failure!r}", stacklevel=3)
            if phase == "train":
                callback._resumed = False
        if error is not None:
            raise error


def _runs_last(callback: Callback) -> bool:
    return callback.runs_last


def _flatten(callbacks: Any) -> Iterator[Callback]:
    if callbacks is None:
        return
    if isinstance(callbacks, Callback):
        yield callbacks
    elif isinstance(callbacks, (list, tuple, CallbackList)):
        for item in callbacks:
            yield from _flatten(item)
    else:
        given = callbacks.__name__ if isinstance(callbacks, type) else repr(callbacks)
        advice = (
            f"make one: {given}(...)"
            if isinstance(callbacks, type)
            else "derive it from minpy.callbacks.Callback, or use LambdaCallback for a function"
        )
        raise TypeError(f"callbacks: {given} is not a callback; {advice}")
