"""Writes what TensorBoard shows of a run; must not know the format of the files."""

from __future__ import annotations

import os
import time
from typing import Any, ClassVar

import numpy as np

from minpy.callbacks.callback import Callback, Logs
from minpy.callbacks.event_file import EventFile
from minpy.callbacks.kernel_image import kernel_image
from minpy.callbacks.model_graph import graph_def

_TRAIN, _VALIDATION = "train", "validation"


class TensorBoard(Callback):
    """Log curves, histograms, pictures and the model's graph for TensorBoard.

    Look at them with ``tensorboard --logdir logs``. Files are written below ``log_dir/train`` and
    ``log_dir/validation``, complete after each epoch, and closed however training ends.

    =============================  ===========================================================
    tag                            what, and at which step
    =============================  ===========================================================
    ``epoch_loss`` …               loss, metrics and learning rate by epoch
    ``batch_loss`` …               the same by iteration of the optimizer (`update_freq`)
    ``evaluation_loss_vs_…``       each evaluation and validation, by iteration
    ``dense/kernel/histogram``     weights by epoch (`histogram_freq`)
    ``dense/kernel/gradient``      gradients of the epoch's last step
    ``conv/kernel/image``          the first layer's kernels by epoch (`write_images`)
    ``model``                      the text of the summary, and the graph (`write_graph`)
    =============================  ===========================================================

    A second ``fit`` goes on where the curves ended: iterations go on in the optimizer, and epochs
    that begin at 0 again are counted on from the last one.

    Parameters
    ----------
    log_dir : str or path
        Where to write; use one folder a run.
    histogram_freq : int
        Write histograms every so many epochs; 0 for none.
    write_graph : bool
        Write the model as a graph, and the text of its summary.
    write_images : bool
        Write the kernels of the first convolution (or of a first dense layer over pictures) as an
        image, in the epochs that have histograms, or in each epoch if none has.
    write_steps_per_second : bool
        Write the speed of training, by epoch and with `update_freq`.
    update_freq : 'epoch', 'batch' or int
        ``'batch'``, or a number of batches, also writes ``batch_*`` that often.
    profile_batch, embeddings_freq, embeddings_metadata
        Keras has them; anything but the default is an error here.

    Raises
    ------
    ValueError
        If an argument isn't one of these.
    NotADirectoryError
        When training or evaluation begins, if `log_dir` is a file.

    Examples
    --------
    >>> import os, tempfile
    >>> from types import SimpleNamespace
    >>> optimizer = SimpleNamespace(learning_rate=0.1, iterations=20)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     board = TensorBoard(folder)
    ...     board.set_model(SimpleNamespace(optimizer=optimizer, weights=[]))
    ...     board.on_train_begin()
    ...     board.on_epoch_begin(0)
    ...     board.on_epoch_end(0, {'loss': 0.5, 'val_loss': 0.6})
    ...     board.on_train_end()
    ...     print(sorted(os.listdir(folder)))
    ['train', 'validation']
    """

    state_attributes: ClassVar = {"_epoch_offset": int, "_last_epoch": int}

    def __init__(
        self,
        log_dir: str | os.PathLike[str] = "logs",
        histogram_freq: int = 0,
        write_graph: bool = True,
        write_images: bool = False,
        write_steps_per_second: bool = False,
        update_freq: str | int = "epoch",
        profile_batch: int = 0,
        embeddings_freq: int = 0,
        embeddings_metadata: None = None,
    ) -> None:
        super().__init__()
        absent = {
            "profile_batch": profile_batch,
            "embeddings_freq": embeddings_freq,
            "embeddings_metadata": embeddings_metadata,
        }
        for name, value in absent.items():
            if value:
                raise ValueError(
                    f"TensorBoard: {name} is not available; leave it out (got {value!r})"
                )
        if not _is_count(histogram_freq, 0):
            raise ValueError(
                f"TensorBoard: histogram_freq must be a count of epochs, got {histogram_freq!r}"
            )
        if update_freq not in ("epoch", "batch") and not _is_count(update_freq, 1):
            raise ValueError(
                "TensorBoard: update_freq must be 'epoch', 'batch' or a number of batches of at "
                f"least 1, got {update_freq!r}"
            )
        self.log_dir = os.fspath(log_dir)
        self.histogram_freq = histogram_freq
        self.write_graph = write_graph
        self.write_images = write_images
        self.write_steps_per_second = write_steps_per_second
        self.update_freq = 1 if update_freq == "batch" else update_freq
        self._files: dict[str, EventFile] = {}
        self._training = False
        self._new_fit = True
        self._described = False
        self._epoch_clock = self._batch_clock = _Clock(None)
        self._epoch_offset = 0
        self._last_epoch = -1

    def set_model(self, model: Any) -> None:
        """Take the model; another one than before starts its epochs and graph anew."""
        if self.model is not None and model is not self.model:
            self._described = False
            self._epoch_offset, self._last_epoch = 0, -1
        super().set_model(model)

    def uses(self, hook: str) -> bool:
        """Tell whether the hook does anything: that of a batch only where `update_freq` asks."""
        if hook == "on_train_batch_end" and self.update_freq == "epoch":
            return False
        return super().uses(hook)

    # --- training ---------------------------------------------------------------------------

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Write what is known of the model before it trains."""
        self._check_folder()
        self._training = True
        self._new_fit = self._starts_afresh()
        self._describe_model()

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Find out where the epoch lies on the curves."""
        if self._new_fit:
            # Epochs that start over (a second fit) would draw a zigzag over the first.
            self._epoch_offset = 0 if epoch > self._last_epoch else self._last_epoch + 1 - epoch
            self._new_fit = False
        self._epoch_clock = self._batch_clock = _Clock(self.model)

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Write the batch's metrics, if it is its turn."""
        iteration = int(self.model.optimizer.iterations)
        if iteration % self.update_freq:
            return
        values = _numbers(logs)
        values["learning_rate"] = float(self.model.optimizer.learning_rate)
        if self.write_steps_per_second:
            values["steps_per_second"] = self._batch_clock.steps_per_second()
            self._batch_clock = _Clock(self.model)
        self._file(_TRAIN).scalars({f"batch_{k}": v for k, v in values.items()}, iteration)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Write the epoch's metrics, histograms and pictures, through to the files."""
        self._describe_model()
        step = epoch + self._epoch_offset
        self._last_epoch = max(self._last_epoch, step)
        values = _numbers(logs)
        validation = {k: values.pop(k) for k in list(values) if k.startswith("val_")}
        optimizer = getattr(self.model, "optimizer", None)
        if optimizer is not None:
            values["learning_rate"] = float(optimizer.learning_rate)
            if self.write_steps_per_second:
                values["steps_per_second"] = self._epoch_clock.steps_per_second()
        self._file(_TRAIN).scalars({f"epoch_{k}": v for k, v in values.items()}, step)
        if validation:
            self._file(_VALIDATION).scalars(
                {f"epoch_{k.removeprefix('val_')}": v for k, v in validation.items()}, step
            )
        if self.histogram_freq and epoch % self.histogram_freq == 0:
            self._write_histograms(step)
        if self.write_images and epoch % (self.histogram_freq or 1) == 0:
            self._write_kernels(step)
        for file in self._files.values():
            file.flush()

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Close the files."""
        self._training = False
        self._close()

    # --- evaluation -------------------------------------------------------------------------

    def on_test_begin(self, logs: Logs | None = None) -> None:
        """Refuse a folder that can't be one before time is spent on evaluation."""
        self._check_folder()

    def on_test_end(self, logs: Logs | None = None) -> None:
        """Write the evaluation at the iteration that the weights are from."""
        optimizer = getattr(self.model, "optimizer", None)
        values = _numbers(logs)
        if optimizer is not None and values:
            self._file(_VALIDATION).scalars(
                {f"evaluation_{k}_vs_iterations": v for k, v in values.items()},
                int(optimizer.iterations),
            )
        if not self._training:
            self._close()

    # --- inside -----------------------------------------------------------------------------

    def _check_folder(self) -> None:
        if os.path.exists(self.log_dir) and not os.path.isdir(self.log_dir):
            raise NotADirectoryError(
                f"TensorBoard: log_dir {self.log_dir!r} is a file; give the name of a folder"
            )

    def _file(self, name: str) -> EventFile:
        """Return the file of a curve's colour, made when something is first written to it."""
        if name not in self._files:
            self._files[name] = EventFile(os.path.join(self.log_dir, name))
        return self._files[name]

    def _close(self) -> None:
        files, self._files = self._files, {}
        for file in files.values():
            file.close()

    def _describe_model(self) -> None:
        """Write graph and summary once; they have shapes only after the first batch at times."""
        if not self.write_graph or self._described or not self.model.weights:
            return
        self._described = True
        lines: list[str] = []
        self.model.summary(print_fn=lines.append)
        # Indented by four spaces, Markdown leaves a table's columns as they are.
        text = "\n".join(f"    {line}" for line in "\n".join(lines).splitlines())
        file = self._file(_TRAIN)
        file.graph(graph_def(self.model))
        file.text("model", text, 0)

    def _write_histograms(self, step: int) -> None:
        file = self._file(_TRAIN)
        for weight in self.model.weights:
            file.histogram(f"{_tag(weight.name)}/histogram", weight.numpy(), step)
        for name, gradient in self.model.gradients().items():
            file.histogram(f"{_tag(name)}/gradient", np.asarray(gradient), step)

    def _write_kernels(self, step: int) -> None:
        weights = list(self.model.weights)
        convolutions = [weight for weight in weights if len(weight.shape) == 4]
        for weight in (convolutions or weights)[:1]:
            pixels = kernel_image(np.asarray(weight.numpy()))
            if pixels is not None:
                self._file(_TRAIN).image(f"{_tag(weight.name)}/image", pixels, step)


class _Clock:
    """Measures steps a second since it was made."""

    def __init__(self, model: Any) -> None:
        self._optimizer = getattr(model, "optimizer", None)
        self._iteration = self._now()
        self._started = time.perf_counter()

    def _now(self) -> int:
        return 0 if self._optimizer is None else int(self._optimizer.iterations)

    def steps_per_second(self) -> float:
        """Return the average over all steps since then."""
        return (self._now() - self._iteration) / max(time.perf_counter() - self._started, 1e-9)


def _is_count(value: Any, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _numbers(logs: Logs | None) -> dict[str, float]:
    """Return what can be a point of a curve; a confusion matrix, say, can't."""
    numbers = {}
    for name, value in (logs or {}).items():
        if np.ndim(value) == 0:
            try:
                numbers[name] = float(value)
            except (TypeError, ValueError):
                continue
    return numbers


def _tag(name: str) -> str:
    """Make a weight's name a tag: TensorBoard groups by what comes before a slash."""
    return name.replace(":", "_").replace(" ", "_").lstrip("/")
