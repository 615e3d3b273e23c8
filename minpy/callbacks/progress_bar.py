"""Shows how far a run has come, in a terminal, a notebook or a log; must not compute any metric."""

from __future__ import annotations

import functools
import importlib.util
import logging
import sys
import time
from typing import Any

from minpy.callbacks.callback import Callback, Logs
from minpy.callbacks.console import columns, in_notebook, is_terminal
from minpy.config import settings

REFRESH_SECONDS = 0.1
_SILENT, _BAR, _LINES = 0, 1, 2
_FORMAT = "{desc} {n_fmt}/{total_fmt} {bar:20} {status}"
_WIDGET_FORMAT = "{desc} {n_fmt}/{total_fmt} {bar} {status}"
_FORMAT_UNKNOWN_LENGTH = "{desc} {n_fmt} steps {status}"


class ProgressBar(Callback):
    """A bar for each epoch, with loss, metrics and the time a step; ``fit`` adds one by itself.

    The bar is drawn at most ten times a second, and metrics are read only when it is drawn.
    The time a step is that of training alone; the time before it includes validation.

    Parameters
    ----------
    verbose : 'auto', 0, 1, 2 or None
        0 is silent, 1 draws a bar, 2 prints one line an epoch. ``'auto'`` is 1 in a terminal or
        a notebook and 2 otherwise. None takes the setting of the run (``fit(verbose=...)``).

    Raises
    ------
    ValueError
        If `verbose` is something else.

    Examples
    --------
    >>> lines = ProgressBar(verbose=2)
    >>> lines.set_params({'epochs': 3, 'steps': 10})
    >>> lines.on_epoch_begin(0)
    >>> lines.on_epoch_end(0, {'loss': 0.25})  # doctest: +ELLIPSIS
    Epoch 1/3 - ...s - loss: 0.2500
    """

    def __init__(self, verbose: str | int | None = None) -> None:
        super().__init__()
        self.verbose = verbose
        self._style = _style_of(verbose)
        self._bar: Any = None
        self._in_fit = False
        self._earlier_steps: int | None = None
        self._next_draw = 0.0
        self._begin("")

    def set_params(self, params: dict[str, Any]) -> None:
        """Take the number of epochs and steps, and `verbose` unless it was given."""
        super().set_params(params)
        if self.verbose is None:
            self._style = _style_of(params.get("verbose"))

    def uses(self, hook: str) -> bool:
        """Tell whether the hook does anything: none does when silent."""
        return self._style != _SILENT and super().uses(hook)

    @property
    def reads_batch_logs(self) -> bool:
        """True where a bar is drawn; lines are printed at the end of an epoch only."""
        return self._style == _BAR

    # --- fit --------------------------------------------------------------------------------

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Note that evaluations from now on are validations."""
        self._in_fit = True
        self._earlier_steps = None

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Start an epoch's bar and clock."""
        epochs = (self.params or {}).get("epochs")
        self._begin(f"Epoch {epoch + 1}" + (f"/{epochs}" if epochs else ""))
        self._draw_if_due()

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Move the bar."""
        self._advance(batch, logs)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Finish the epoch's bar with all of its metrics, or print its line."""
        self._earlier_steps = self._seen or self._earlier_steps
        self._finish(logs)

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Leave the bar of an interrupted epoch as it is, and end its line."""
        self._in_fit = False
        self._close()

    # --- evaluate and predict ---------------------------------------------------------------

    def on_test_begin(self, logs: Logs | None = None) -> None:
        """Start the bar of an evaluation."""
        if not self._in_fit:
            self._begin("Evaluate")

    def on_test_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Move the bar of an evaluation; inside ``fit`` say that validation runs."""
        if self._in_fit:
            self._draw_if_due(note="validating")
        else:
            self._advance(batch, logs)

    def on_test_end(self, logs: Logs | None = None) -> None:
        """Finish the bar of an evaluation."""
        if not self._in_fit:
            self._finish(logs)

    def on_predict_begin(self, logs: Logs | None = None) -> None:
        """Start the bar of a prediction."""
        self._begin("Predict")

    def on_predict_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Move the bar of a prediction, whose logs hold arrays and no metric."""
        self._advance(batch, None)

    def on_predict_end(self, logs: Logs | None = None) -> None:
        """Finish the bar of a prediction."""
        self._finish(None)

    # --- inside -----------------------------------------------------------------------------

    def _begin(self, title: str) -> None:
        self._close()
        self._title = title
        self._seen = 0
        self._metrics: list[str] = []  # as last drawn, of the training batches
        self._started = self._last_step = time.perf_counter()

    def _advance(self, batch: int, logs: Logs | None) -> None:
        self._seen = batch + 1
        self._last_step = time.perf_counter()
        self._draw_if_due(logs)

    def _draw_if_due(self, logs: Logs | None = None, note: str | None = None) -> None:
        now = time.perf_counter()
        if self._style == _BAR and now >= self._next_draw:
            self._next_draw = now + REFRESH_SECONDS
            if logs is not None:
                self._metrics = _metric_texts(logs)
            self._draw(self._metrics if note is None else [*self._metrics, note])

    def _draw(self, texts: list[str]) -> None:
        status = " - ".join([" ".join(self._timing()), *texts])
        total = (self.params or {}).get("steps") or self._earlier_steps
        if self._bar is None:
            bar_class, known_length = _bar_class(in_notebook())
            self._bar = bar_class(
                desc=self._title,
                total=total,
                initial=self._seen,
                status=status,
                bar_format=known_length if total else _FORMAT_UNKNOWN_LENGTH,
                file=sys.stdout,
            )
            return
        if self._bar.total is not None:
            self._bar.total = max(self._bar.total, self._seen)
        self._bar.n = self._seen
        self._bar.status = status
        self._bar.refresh()

    def _finish(self, logs: Logs | None) -> None:
        if self._style == _BAR:
            self._draw(_metric_texts(logs))
            self._next_draw = time.perf_counter() + REFRESH_SECONDS
            self._close()
        else:
            line = " - ".join([self._title, *self._timing(), *_metric_texts(logs)])
            if settings.interactive_logging:
                print(line, flush=True)
            else:
                logging.getLogger("minpy").info(line)

    def _timing(self) -> list[str]:
        """'0.4s' since the beginning and, after a step, '3.1ms/step' without validation."""
        texts = [_seconds(time.perf_counter() - self._started)]
        if self._seen:
            texts.append(_step_time((self._last_step - self._started) / self._seen))
        return texts

    def _close(self) -> None:
        bar, self._bar = self._bar, None
        if bar is not None:
            bar.close()


def _style_of(verbose: str | int | None) -> int:
    if verbose in (None, "auto", _BAR) and not settings.interactive_logging:
        return _LINES  # a log has no bars
    if verbose is None or verbose == "auto":
        return _BAR if in_notebook() or is_terminal(sys.stdout) else _LINES
    if verbose in (_SILENT, _BAR, _LINES):
        return int(verbose)
    raise ValueError(
        f"verbose: got {verbose!r}, expected 'auto', 0 (silent), 1 (a bar) or 2 (one line an epoch)"
    )


def _metric_texts(logs: Logs | None) -> list[str]:
    texts = []
    for name, value in (logs or {}).items():
        try:
            number = float(value)
        except (TypeError, ValueError):  # a confusion matrix, say, has no place on a line
            continue
        shown = f"{number:.4f}" if abs(number) > 1e-3 or number == 0 else f"{number:.4e}"
        texts.append(f"{name}: {shown}")
    return texts


def _seconds(seconds: float) -> str:
    if seconds < 10:
        return f"{seconds:.1f}s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}h{minutes:02d}m"
    return f"{minutes}m{rest:02d}s" if minutes else f"{rest}s"


def _step_time(seconds: float) -> str:
    units = (("s", 1.0), ("ms", 1e-3), ("us", 1e-6))
    unit, size = next((unit for unit in units if seconds >= unit[1]), units[-1])
    value = seconds / size
    return f"{value:.1f}{unit}/step" if value < 10 else f"{value:.0f}{unit}/step"


@functools.cache
def _bar_class(notebook: bool) -> tuple[type, str]:
    """Make tqdm's bar for a notebook or a terminal, which shows a text of ours, and its format."""
    widget = notebook and importlib.util.find_spec("ipywidgets") is not None
    if widget:
        from tqdm.notebook import tqdm
    else:
        from tqdm import tqdm
    # tqdm draws nothing where it is told of 0 rows, as a pseudo-terminal without a size does.
    size = {"dynamic_ncols": True} if widget else {"ncols": 80, "nrows": 24}

    class EpochBar(tqdm):
        monitor_interval = 0  # no thread: each draw is ours

        def __init__(self, *, status: str, **options: Any) -> None:
            self.status = status
            super().__init__(**size, **options)

        @property
        def format_dict(self) -> dict[str, Any]:
            width = None if widget else columns(self.fp)
            return {**super().format_dict, "status": self.status, "ncols": width}

    return EpochBar, _WIDGET_FORMAT if widget else _FORMAT
