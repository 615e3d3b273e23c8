"""The progress bar under Keras' name."""

from __future__ import annotations

from minpy.callbacks.progress_bar import ProgressBar


class ProgbarLogger(ProgressBar):
    """A `ProgressBar` with the run's ``verbose``, by the name and arguments that Keras gives it.

    ``fit`` adds a bar by itself; pass one where it should stand among other callbacks.

    Examples
    --------
    >>> from minpy.callbacks import CallbackList
    >>> run = CallbackList([ProgbarLogger()], add_progbar=True)
    >>> len(run)
    1
    """

    def __init__(self) -> None:
        super().__init__()
