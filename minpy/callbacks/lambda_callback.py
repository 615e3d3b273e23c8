"""Makes a callback of plain functions; must not know what they do."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from typing import Any

from minpy.callbacks.callback import Callback


class LambdaCallback(Callback):
    """A callback whose hooks are functions given by name.

    Parameters
    ----------
    on_epoch_begin, on_epoch_end : callable, optional
        Called with ``(epoch, logs)``.
    on_train_begin, on_train_end : callable, optional
        Called with ``(logs)``.
    on_train_batch_begin, on_train_batch_end : callable, optional
        Called with ``(batch, logs)``.
    **kwargs : callable
        Any other hook of `Callback`, such as ``on_test_end``.

    Raises
    ------
    TypeError
        If a name is no hook, or a value can't be called.

    Examples
    --------
    >>> shout = LambdaCallback(on_epoch_end=lambda epoch, logs: print(epoch, logs['loss']))
    >>> shout.on_epoch_end(3, {'loss': 0.5})
    3 0.5
    """

    def __init__(
        self,
        on_epoch_begin: Callable[..., Any] | None = None,
        on_epoch_end: Callable[..., Any] | None = None,
        on_train_begin: Callable[..., Any] | None = None,
        on_train_end: Callable[..., Any] | None = None,
        on_train_batch_begin: Callable[..., Any] | None = None,
        on_train_batch_end: Callable[..., Any] | None = None,
        **kwargs: Callable[..., Any] | None,
    ) -> None:
        super().__init__()
        functions = {
            "on_epoch_begin": on_epoch_begin,
            "on_epoch_end": on_epoch_end,
            "on_train_begin": on_train_begin,
            "on_train_end": on_train_end,
            "on_train_batch_begin": on_train_batch_begin,
            "on_train_batch_end": on_train_batch_end,
            **kwargs,
        }
        hooks = [name for name in dir(Callback) if name.startswith("on_")]
        for name, function in functions.items():
            if name not in hooks:
                near = difflib.get_close_matches(name, hooks, n=1)
                advice = f"did you mean {near[0]!r}?" if near else f"expected one of {hooks}"
                raise TypeError(f"LambdaCallback: {name!r} is no hook; {advice}")
            if function is not None and not callable(function):
                raise TypeError(f"LambdaCallback: {name} must be a function, got {function!r}")
        # On the instance, so that a hook that wasn't given counts as not overridden.
        vars(self).update({name: f for name, f in functions.items() if f is not None})
