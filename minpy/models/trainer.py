"""The loops over data that all models share: fit, evaluate, predict, and single batches.

What stands below it, each knowing only those before it: `compilable` (what a model is told),
`training_state` (buffers, slots, backups), `training_steps` (one batch). It must not know what a
forward pass computes, how gradients are made (`minpy.models.step`), or how an optimizer changes a
weight.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from contextlib import closing, nullcontext
from itertools import islice
from typing import Any

import numpy

from minpy import random
from minpy.autograd.containers import flatten
from minpy.callbacks import CallbackList
from minpy.config import settings
from minpy.data import (
    ArrayBatches,
    Batch,
    Casting,
    Source,
    class_weights,
    refuse_stream,
    source_of,
    split_validation,
)
from minpy.data.streams import ran_out
from minpy.errors import ShapeError
from minpy.layers.calls import is_shape
from minpy.models.data_checks import check_counts, check_frequency, check_targets, look_through
from minpy.models.denormals import flushed_denormals
from minpy.models.interrupts import BetweenSteps
from minpy.models.outputs import declared_names
from minpy.models.predictions import Predictions
from minpy.models.training_steps import TrainingSteps

__all__ = ["Trainer"]


class Trainer(TrainingSteps):
    """What a model can do with data. Subclasses say what the model computes."""

    # Whether integer inputs stay integers; models of layers turn them into floats.
    _keeps_integers = True

    def _prepare(self) -> None:
        if "_parameters" not in self.__dict__:
            super()._prepare()
            self.stop_training = False
            self.stop_evaluating = False
            self.stop_predicting = False
            self.history: Any = None

    # --- fit ------------------------------------------------------------------------------------

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: str | int = "auto",
        callbacks: Any = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: bool = True,
        class_weight: dict[int, float] | None = None,
        sample_weight: Any = None,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        validation_batch_size: int | None = None,
        validation_freq: int | Sequence[int] = 1,
    ) -> Any:
        """Train on data.

        Parameters
        ----------
        x
            Inputs with the samples along the first axis: an array, or a list or dict of them.
            Floats of other widths, and the integers of models of layers, are cast to the default
            float dtype a batch at a time. Memory-mapped arrays and h5py data sets are read in
            place; pandas frames are taken as arrays. Or a data set that yields batches: a
            generator or iterable of ``(x, y)`` or ``(x, y, sample_weight)``, a `PyDataset`, a
            PyTorch ``DataLoader``, an iterator of MXNet's.
        y
            Targets of the same length, where x are arrays.
        batch_size
            Samples a step; 32 if not given. The last batch of an epoch may be smaller. Data sets
            make their batches themselves.
        epochs
            The epoch to train up to; with ``initial_epoch=3``, ``epochs=5`` trains two.
        verbose
            0 silent, 1 a progress bar, 2 a line an epoch; ``'auto'``: a bar in a terminal or
            notebook, lines elsewhere.
        callbacks
            `Callback` objects.
        validation_split
            The share of the samples, from the end, to validate on instead.
        validation_data
            ``(x, y)`` or ``(x, y, sample_weight)`` to validate on after each epoch, or a data set
            of any kind that `x` may be.
        shuffle
            Whether the samples come in another order each epoch, a function of seed and epoch.
        class_weight
            Class number → weight of its samples in the loss; 1 for a class that isn't there.
        sample_weight
            Weight of each sample in the loss, or of each time step, of shape (samples, steps).
        initial_epoch
            The number of the first epoch.
        steps_per_epoch, validation_steps
            At most so many batches an epoch. A generator that never ends needs it.
        validation_batch_size
            Samples a validation step; `batch_size` if not given.
        validation_freq
            Validate after every so many epochs, or after those that are listed, from 1.

        Returns
        -------
        History
            Its ``history`` maps each log's name to its values, an epoch each.

        Notes
        -----
        Ctrl-C ends training between two steps: callbacks are closed, the weights are those of
        the last finished step, and `KeyboardInterrupt` goes on to the caller. An error in a step
        leaves the weights as they were before it.

        Examples
        --------
        >>> import numpy
        >>> from minpy.models import Sequential
        >>> from minpy.layers import Dense
        >>> model = Sequential([Dense(1)])
        >>> model.compile('sgd', 'mse')
        >>> x = numpy.linspace(-1, 1, 64).reshape(-1, 1)
        >>> history = model.fit(x, 3 * x, epochs=2, verbose=0)
        >>> sorted(history.history)
        ['loss']
        """
        self._require_compiled("fit", loss=not self._own_steps["train_step"])
        if x is None:
            raise ValueError("fit: expected data, got x=None")
        check_counts(
            epochs=(epochs, 0),
            initial_epoch=(initial_epoch, 0),
            steps_per_epoch=(steps_per_epoch, 1),
            validation_steps=(validation_steps, 1),
        )
        check_frequency(validation_freq)
        if settings.max_epochs is not None and settings.max_epochs < epochs:
            warnings.warn(
                f"fit: {settings.max_epochs} of {epochs} epochs: minpy.config.set_max_epochs",
                stacklevel=2,
            )
            epochs = settings.max_epochs
        if validation_split and validation_data is None:
            refuse_stream(x)
            (x, y, sample_weight), validation_data = split_validation(
                x, y, sample_weight, validation_split
            )
        if self._seed is None:
            self._seed = random.new_seed()
        data = self._data(
            x,
            y,
            sample_weight,
            batch_size=batch_size,
            shuffle=shuffle,
            seed=self._seed,
            class_weight=class_weight,
        )
        check_targets(self, data, "fit")
        steps_per_epoch = _limited(data, steps_per_epoch)
        data.check_ends(steps_per_epoch, "steps_per_epoch")
        steps = _fewer(data.steps, steps_per_epoch)
        if steps is not None:
            data.limit = steps * max(0, epochs - initial_epoch)
        validation = None
        if validation_data is not None:
            validation = self._validation(validation_data, validation_batch_size or batch_size)
            times = sum(_is_due(validation_freq, e) for e in range(initial_epoch, epochs))
            _check_lasts(validation, validation_steps, times)
            if validation_steps is not None:
                validation.limit = validation_steps * times
        every = self._steps_per_execution
        self._ready_for(data)
        self._told_of_nan = look_through(self, data, validation)

        self.stop_training = False
        run = CallbackList(
            callbacks,
            add_history=True,
            add_progbar=verbose != 0,
            model=self,
            verbose=verbose,
            epochs=epochs,
            steps=steps,
        )
        logs: dict[str, float] = {}
        with (
            closing(data),
            closing(validation) if validation is not None else nullcontext(),
            flushed_denormals(),
            run,
            self._back_on_host(),
            BetweenSteps() as interrupt,
        ):
            run.on_train_begin()
            first_epoch, start, logs, counted = self._resume or (initial_epoch, 0, {}, None)
            self._resume = None
            data.seed = self._seed  # a restored one
            if first_epoch > initial_epoch or start:
                before = range(initial_epoch, first_epoch)
                data.skip((steps or 0) * len(before) + start)
                if validation is not None:
                    often = sum(_is_due(validation_freq, epoch) for epoch in before)
                    validation.skip((_fewer(validation.steps, validation_steps) or 0) * often)
            for epoch in range(first_epoch, epochs):
                if self.stop_training:  # a resumed callback may have decided so before
                    break
                run.on_epoch_begin(epoch)
                self._metrics.reset()
                if counted is not None:
                    self._metrics.set_state(counted)
                found: Mapping[str, float] = self._metrics
                done = told = start
                with closing(data.batches(self._epochs_done, start)) as batches:
                    left = None if steps is None else max(0, steps - start)
                    for step, batch in enumerate(islice(batches, left), start):
                        if step % every == 0 or step == start:
                            run.on_train_batch_begin(step)
                        found = self._count_training(batch)
                        done = step + 1
                        if done % every == 0 or done == steps:
                            if callbacks:  # may look at the weights
                                self._bring_back()
                            run.on_train_batch_end(step, found)
                            told = done
                        interrupt.check()
                        if self.stop_training:
                            break
                if told < done:  # the data ended in the middle of an execution
                    if callbacks:
                        self._bring_back()
                    run.on_train_batch_end(done - 1, found)
                if done < (steps or 1) and not self.stop_training:
                    ran_out(
                        steps or 1,
                        done,
                        "the training ends here; a generator must yield steps_per_epoch × epochs "
                        "batches, or repeat",
                    )
                    self.stop_training = True
                    if done == start:
                        break
                self._bring_back()
                start, counted = 0, None
                self._epochs_done += 1
                logs = dict(found)
                if validation is not None and _is_due(validation_freq, epoch):
                    on_test = self._run_evaluation(validation, run, validation_steps, interrupt)
                    logs.update({f"val_{name}": value for name, value in on_test.items()})
                run.on_epoch_end(epoch, logs)
                if self.stop_training:
                    break
            for block in self._buffers.blocks:
                self._optimizer.finalize_variable_values(block.values)
            run.on_train_end(logs)
        return self.history

    def _validation(self, data: Any, batch_size: int | None) -> Source:
        if isinstance(data, tuple | list):
            if len(data) not in (2, 3):
                raise ValueError(
                    "validation_data: expected (x, y) or (x, y, sample_weight), got a "
                    f"{type(data).__name__} of {len(data)}"
                )
            x, y, *rest = data
            return self._data(x, y, rest[0] if rest else None, batch_size=batch_size)
        found = self._data(data, None, None)
        if isinstance(found, ArrayBatches):
            raise ValueError(
                "validation_data: expected (x, y), (x, y, sample_weight) or a data set that yields "
                f"batches of them, got {type(data).__name__}"
            )
        return found

    # --- evaluate and predict -------------------------------------------------------------------

    def _run_evaluation(
        self, data: Source, run: Any, steps: int | None, interrupt: BetweenSteps | None
    ) -> dict[str, float]:
        self._metrics.reset()
        found: Mapping[str, float] = self._metrics
        done, every = 0, self._steps_per_execution
        last = _fewer(data.steps, steps)
        self.stop_evaluating = False
        run.on_test_begin()
        with closing(data.batches()) as batches:
            told = 0
            for step, batch in enumerate(islice(batches, steps)):
                done = step + 1
                if step % every == 0:
                    run.on_test_batch_begin(step)
                found = self._count_test(batch)
                if done % every == 0 or done == last:
                    run.on_test_batch_end(step, found)
                    told = done
                if interrupt is not None:
                    interrupt.check()
                if self.stop_evaluating:
                    break
            if told < done:
                run.on_test_batch_end(done - 1, found)
        if not done:
            raise ValueError(
                "there is no batch to evaluate: the data set was used up by the validations "
                "before; a generator must yield validation_steps batches for each, or repeat"
            )
        asked = last or done
        if done < asked and not self.stop_evaluating:
            ran_out(asked, done, "loss and metrics are of these; a generator must yield as many", 4)
        logs = dict(found)
        run.on_test_end(logs)
        return logs

    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        verbose: str | int = "auto",
        sample_weight: Any = None,
        steps: int | None = None,
        callbacks: Any = None,
        return_dict: bool = False,
    ) -> Any:
        """Return loss and metrics on data.

        Parameters
        ----------
        x, y, batch_size, verbose, sample_weight, callbacks
            As in `fit`.
        steps
            At most so many batches.
        return_dict
            Whether to return names and values; otherwise a list, or the loss alone.
        """
        self._require_compiled("evaluate", loss=not self._own_steps["test_step"])
        if x is None:
            raise ValueError("evaluate: expected data, got x=None")
        data = self._data(x, y, sample_weight, batch_size=batch_size)
        check_targets(self, data, "evaluate")
        steps = _limited(data, steps)
        data.check_ends(steps, "steps")
        self._ready_for(data)
        run = CallbackList(
            callbacks,
            add_progbar=verbose != 0,
            model=self,
            verbose=verbose,
            epochs=1,
            steps=_fewer(data.steps, steps),
        )
        with closing(data), run, self._back_on_host():
            found = self._run_evaluation(data, run, steps, None)
        return _as_asked(found, return_dict)

    def predict(
        self,
        x: Any,
        batch_size: int | None = None,
        verbose: str | int = "auto",
        steps: int | None = None,
        callbacks: Any = None,
    ) -> Any:
        """Return the model's output for inputs, as NumPy arrays.

        Parameters
        ----------
        x, batch_size, verbose, callbacks
            As in `fit`.
        steps
            At most so many batches.
        """
        data = self._data(x, None, None, batch_size=batch_size)
        steps = _limited(data, steps)
        data.check_ends(steps, "steps")
        self._ready_for(data)
        run = CallbackList(
            callbacks,
            add_progbar=verbose != 0,
            model=self,
            verbose=verbose,
            epochs=1,
            steps=_fewer(data.steps, steps),
        )
        whole = Predictions()
        left, done, every = data.samples, 0, self._steps_per_execution
        last = _fewer(data.steps, steps)
        since: list[list[numpy.ndarray]] = []  # what the batches of an execution gave
        self.stop_predicting = False
        with closing(data), run, self._back_on_host(), closing(data.batches()) as batches:
            run.on_predict_begin()
            for step, batch in enumerate(islice(batches, steps)):
                if step % every == 0:
                    run.on_predict_batch_begin(step)
                if not self._own_steps["predict_step"]:
                    batch = batch.without_targets()
                leaves, unflatten = flatten(self._predict(batch))
                self._check_length(leaves, batch.size)
                if left is not None and steps is not None:
                    left = min(left, steps * batch.size) if step == 0 else left
                whole.add(leaves, left)
                since.append(leaves)
                done = step + 1
                if done % every == 0 or done == last:
                    run.on_predict_batch_end(step, {"outputs": _together(since)})
                    since = []
                if self.stop_predicting:
                    break
            if since:
                run.on_predict_batch_end(done - 1, {"outputs": _together(since)})
            if done < (last or 0) and not self.stop_predicting:
                ran_out(last, done, "there are predictions for these only")
            run.on_predict_end()
        joined = whole.joined()
        return unflatten(joined)

    def _check_length(self, leaves: list[numpy.ndarray], samples: int) -> None:
        for leaf in leaves:
            if leaf.shape[:1] != (samples,):
                raise ShapeError(
                    f"{self.name}: {samples} samples gave an output of shape {leaf.shape}; the "
                    "output's first axis must be the samples'"
                )

    # --- single batches -------------------------------------------------------------------------

    def train_on_batch(
        self,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        class_weight: dict[int, float] | None = None,
        return_dict: bool = False,
    ) -> Any:
        """Train on one batch; return its loss, or its loss and metrics.

        A model with a `train_step` of its own does that.

        Parameters
        ----------
        x, y, sample_weight, class_weight
            As in `fit`.
        return_dict
            Whether to return names and values instead of a list.
        """
        self._require_compiled("train_on_batch", loss=not self._own_steps["train_step"])
        if class_weight is not None:
            sample_weight = class_weights(y, class_weight, sample_weight)
        batch = self._one_batch(x, y, sample_weight)
        self._ready(batch.x)
        self._metrics.reset()
        with self._back_on_host():
            return _as_asked(self._count_training(batch), return_dict)

    def test_on_batch(
        self, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False
    ) -> Any:
        """Evaluate one batch; return as `train_on_batch`."""
        self._require_compiled("test_on_batch", loss=not self._own_steps["test_step"])
        batch = self._one_batch(x, y, sample_weight)
        self._ready(batch.x)
        self._metrics.reset()
        with self._back_on_host():
            return _as_asked(self._count_test(batch), return_dict)

    def predict_on_batch(self, x: Any) -> Any:
        """Return the predictions for one batch, as NumPy arrays."""
        batch = self._one_batch(x, None, None)
        self._ready(batch.x)
        with self._back_on_host():
            return self._predict(batch)

    def _one_batch(self, x: Any, y: Any, sample_weight: Any) -> Batch:
        casting = Casting(self._keeps_integers)
        batch = casting.batch(x, y, sample_weight)
        if batch.size == 0:
            raise ValueError("the batch is empty: x has no samples")
        return batch

    # --- data -----------------------------------------------------------------------------------

    def _data(self, x: Any, y: Any, sample_weight: Any, **options: Any) -> Source:
        return source_of(x, y, sample_weight, keep_integers=self._keeps_integers, **options)

    def _ready_for(self, data: Source) -> None:
        self._ready(data.first().x)

    def _outputs_known(self) -> tuple[list[str] | None, list[Any]]:
        """Return the outputs' names and shapes, None where they aren't known."""
        if getattr(self, "_graph", None) is not None:
            return declared_names(self), [tensor.shape for tensor in self.outputs]
        shape = self.output_shape
        return None, [shape if is_shape(shape) else None]


def _together(parts: list[list[numpy.ndarray]]) -> list[numpy.ndarray]:
    """Return the outputs of several batches, one after the other."""
    if len(parts) == 1:
        return parts[0]
    return [numpy.concatenate(leaves) for leaves in zip(*parts, strict=True)]


def _limited(data: Source, steps: int | None) -> int | None:
    """Return how many batches are asked for, no more than the configuration allows."""
    limit, asked = settings.max_steps_per_epoch, _fewer(data.steps, steps)
    if limit is None or (asked is not None and asked <= limit):
        return steps
    warnings.warn(
        f"{limit} of {'an unknown number of' if asked is None else asked} batches: "
        "minpy.config.set_max_steps_per_epoch",
        stacklevel=3,
    )
    return limit


def _fewer(first: int | None, second: int | None) -> int | None:
    given = [n for n in (first, second) if n is not None]
    return min(given) if given else None


def _check_lasts(validation: Source, steps: int | None, times: int) -> None:
    """Raise `ValueError` if there isn't enough to validate on so many times."""
    validation.check_ends(steps, "validation_steps")
    if validation.once and steps is None and times > 1:
        raise ValueError(
            f"validation_data: a generator is used up by the first of {times} validations; "
            "give validation_steps, or a data set that can be read again"
        )


def _is_due(frequency: int | Sequence[int], epoch: int) -> bool:
    """Say whether to validate after an epoch, counted from 0."""
    if isinstance(frequency, int | numpy.integer):
        return (epoch + 1) % frequency == 0
    return epoch + 1 in frequency


def _as_asked(logs: Mapping[str, float], return_dict: bool) -> Any:
    values = dict(logs)
    if return_dict:
        return values
    return next(iter(values.values())) if len(values) == 1 else list(values.values())
