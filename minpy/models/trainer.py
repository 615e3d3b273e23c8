"""The training loop that all models share: compile, fit, evaluate, predict, and single batches.

It must not know what a forward pass computes, how gradients are made (`minpy.models.step`), or
how an optimizer changes a weight.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import numpy

from minpy import losses, optimizers, random, runtime
from minpy.array import as_ndarray
from minpy.autograd.containers import flatten, map_leaves
from minpy.callbacks import CallbackList
from minpy.config import settings
from minpy.data import ArrayBatches, Batch, class_weights, split_validation
from minpy.errors import ShapeError
from minpy.layers.layer import Layer
from minpy.layers.parameter import collect_updates, structure
from minpy.models import saving
from minpy.models.compiled_step import CompiledStep
from minpy.models.denormals import flushed_denormals
from minpy.models.flat_buffers import FlatBuffers
from minpy.models.interrupts import BetweenSteps
from minpy.models.metric_set import MetricSet
from minpy.models.step import EagerStep
from minpy.policy import current_policy

__all__ = ["Trainer"]


class Trainer(Layer):
    """What a model can do with data. Subclasses say what the model computes."""

    # Whether integer inputs stay integers; models of layers turn them into floats.
    _keeps_integers = True

    def _prepare(self) -> None:
        if "_parameters" not in self.__dict__:
            super()._prepare()
            self.stop_training = False
            self.history: Any = None
            self._optimizer: Any = None
            self._loss: Any = None
            self._metrics: MetricSet | None = None
            self._compile_arguments: dict[str, Any] | None = None
            self._buffers: FlatBuffers | None = None
            self._step: EagerStep | CompiledStep | None = None
            self._jit = True
            self._seed: int | None = None
            self._ready_at: tuple[int, Any, bool] = (-1, None, True)
            self._epochs_done = 0
            self._gradient_scale = 1.0
            self._resume: tuple[int, int, dict[str, float], Any] | None = None

    # --- compile --------------------------------------------------------------------------------

    def compile(
        self,
        optimizer: Any = "rmsprop",
        loss: Any = None,
        metrics: Any = None,
        weighted_metrics: Any = None,
        jit: str | bool = "auto",
    ) -> None:
        """Say how to train.

        Parameters
        ----------
        optimizer
            A name or an `Optimizer`.
        loss
            A name, a `Loss`, or a function of ``(y_true, y_pred)``.
        metrics
            Names, `Metric` objects or functions to report beside the loss.
        weighted_metrics
            The same, with the sample weights counted in.
        jit
            ``'auto'`` compiles the model's forward pass and loss into a graph where that can be
            done, and runs it operation by operation otherwise; False never compiles.

        Raises
        ------
        ValueError
            If a name doesn't exist; the model stays as it was.

        Examples
        --------
        >>> from minpy.models import Sequential
        >>> from minpy.layers import Dense
        >>> model = Sequential([Dense(3, input_shape=(4,))])
        >>> model.compile('adam', 'mse', metrics=['mae'])
        """
        chosen = optimizers.get(optimizer)
        loss_function = None if loss is None else losses.get(loss)
        metric_set = MetricSet(metrics, weighted_metrics)
        metric_set.check()
        if jit not in ("auto", True, False):
            raise ValueError(f"compile: expected jit='auto', True or False, got {jit!r}")
        self._prepare()
        self._jit = bool(jit)
        self._optimizer = chosen
        self._loss = loss_function
        self._metrics = metric_set
        self._compile_arguments = {
            "loss": loss,
            "metrics": metrics,
            "weighted_metrics": weighted_metrics,
        }
        self._step = None

    @property
    def optimizer(self) -> Any:
        """The optimizer, None before `compile`."""
        return self._optimizer

    @optimizer.setter
    def optimizer(self, value: Any) -> None:
        self._optimizer = value

    @property
    def compiled(self) -> bool:
        """Whether `compile` was called."""
        return self._compile_arguments is not None

    @property
    def jit_status(self) -> str:
        """``'compiled'``, or why the last step ran operation by operation."""
        return "not run yet" if self._step is None else self._step.status

    def _compile_by_default(self) -> bool:
        """Compile a model that says itself how it is trained; False for those that don't."""
        return False

    def _require_compiled(self, what: str, loss: bool = True) -> None:
        if not self.compiled and not self._compile_by_default():
            raise RuntimeError(
                f"{self.name}: call compile(optimizer, loss) before {what}, for example "
                "model.compile('adam', 'sparse_categorical_crossentropy', metrics=['accuracy'])"
            )
        if loss and self._loss is None and not self._has_own_loss():
            raise RuntimeError(f"{self.name}: {what} needs a loss; compile(optimizer, loss=…)")

    def _has_own_loss(self) -> bool:
        return False

    # --- loss -----------------------------------------------------------------------------------

    def compute_loss(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """Return the loss of a batch as one number; a subclass may compute its own."""
        return self._loss(y, y_pred, sample_weight=sample_weight)

    def total_loss(self, x: Any, y: Any, y_pred: Any, sample_weight: Any, extra: list[Any]) -> Any:
        """Return the loss with the terms of layers and regularizers."""
        total = as_ndarray(self.compute_loss(x, y, y_pred, sample_weight))
        for term in (*extra, *self.regularization_losses()):
            total = total + term
        return total

    # --- making ready ---------------------------------------------------------------------------

    def _ready(self, x: Any) -> None:
        """Make the weights for a batch, bring them into flat buffers, size the slots."""
        if self._ready_at[0] != structure.version and (
            not self.built or any(not layer.built for layer in self._all_layers())
        ):
            self._build_on(x)
        self._ready_to_train()

    def _ready_for(self, data: ArrayBatches) -> None:
        self._ready(data.first().x)

    def _build_on(self, x: Any) -> None:
        """Run the model once, so that every layer inside it makes its weights."""
        # What a layer remembers of a trial (the state of a recurrent one) doesn't count.
        with random.scope(0, 0), collect_updates():
            self(map_leaves(lambda a: as_ndarray(a[:1]), x), training=False)

    def _all_layers(self) -> Iterator[Layer]:
        stack = self._children()
        while stack:
            layer = stack.pop()
            yield layer
            stack.extend(layer._children())

    def _ready_to_train(self) -> None:
        # Looking through a deep model for its weights takes longer than a small one's prediction.
        state = (structure.version, self._optimizer, self._compiles())
        if state == self._ready_at and self._step is not None:
            self._buffers.rewrap()
            return
        if state[2] != self._ready_at[2]:
            self._step = None
        self._make_ready()
        self._ready_at = state

    def _compiles(self) -> bool:
        """Say whether steps may be compiled, as things are set now."""
        takes_graphs = current_policy() in ("auto", "prefer_mxnet") or not runtime.installed()
        return self._jit and settings.jit and takes_graphs

    def _make_ready(self) -> None:
        self.weights  # noqa: B018  (gives each weight its path)
        trained, others = self.trainable_weights, self.non_trainable_weights
        if self._buffers is None or not self._buffers.fits(trained, others):
            before = self._buffers
            saved = self._slots_by_weight() if before is not None else None
            self._buffers = FlatBuffers(trained, others)
            self._step = None
            if self._optimizer is not None and self._optimizer.built:
                self._optimizer.reset_slots()
                self._size_optimizer()
                if saved is not None:
                    self._set_slots(saved)
        self._buffers.rewrap()
        if self._optimizer is not None:
            self._size_optimizer()
        if self._step is None:
            if self._compiles():
                runtime.available()  # loads mxnet, before anything is timed or its threads set up
                self._step = CompiledStep(self, self._buffers)
            else:
                self._step = EagerStep(self, self._buffers)
        if self._seed is None:
            self._seed = random.new_seed()

    def _size_optimizer(self) -> None:
        blocks = self._buffers.blocks
        if len(blocks) > 1:
            found = ", ".join(f"{b.dtype} ({b.parameters[0].path}, …)" for b in blocks)
            raise TypeError(f"{self.name}: trained weights must have one dtype, got {found}")
        if blocks and not self._optimizer.built:
            self._optimizer.build(blocks[0].values.size, blocks[0].dtype, blocks[0].values)

    def _slots_by_weight(self) -> dict[str, dict[str, numpy.ndarray]]:
        """Return the optimizer's slots, cut into one array a weight."""
        if self._optimizer is None or not self._optimizer.built or not self._buffers.blocks:
            return {}
        block = self._buffers.blocks[0]
        return {
            slot: {
                p.path: part.copy()
                for p, part in zip(block.parameters, block.part(buffer), strict=True)
            }
            for slot, buffer in self._optimizer.slots.items()
        }

    def _set_slots(self, saved: dict[str, dict[str, numpy.ndarray]]) -> None:
        block = self._buffers.blocks[0]
        for slot, buffer in self._optimizer.slots.items():
            for p, part in zip(block.parameters, block.part(buffer), strict=True):
                if p.path in saved.get(slot, {}):
                    numpy.copyto(part, saved[slot][p.path])

    # --- one batch ------------------------------------------------------------------------------

    def _train_step(self, batch: Batch) -> tuple[float, Any]:
        optimizer = self._optimizer
        scale = self._gradient_scale = optimizer.loss_scale
        # By batches, not steps: those whose gradients are added up draw dropout of their own.
        loss, predictions, updates = self._step.gradients(
            batch, self._seed, optimizer.batches, scale
        )
        # From here on nothing can fail: the step happens whole or not at all.
        if self._buffers.blocks:
            block = self._buffers.blocks[0]
            optimizer.apply(block.values, block.gradients, block.segments)
            for p in block.parameters:
                if p.constraint is not None:
                    p.assign(p.constraint(p.value))
        for p, value in updates:
            p.assign(value)
        return loss, predictions

    def gradients(self) -> dict[str, numpy.ndarray]:
        """Return the gradients of the last training step, by the weights' paths."""
        if self._buffers is None or self._optimizer is None or not self._optimizer.batches:
            return {}
        return {
            p.path: view / view.dtype.type(self._gradient_scale)
            for block in self._buffers.blocks
            for p, view in zip(block.parameters, block.gradient_views, strict=True)
        }

    def train_on_batch(
        self,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        class_weight: dict[int, float] | None = None,
        return_dict: bool = False,
    ) -> Any:
        """Train on one batch; return the loss, or the loss and the metrics since the last reset.

        Parameters
        ----------
        x, y, sample_weight, class_weight
            As in `fit`.
        return_dict
            Whether to return names and values instead of a list.
        """
        self._require_compiled("train_on_batch")
        if class_weight is not None:
            sample_weight = class_weights(y, class_weight, sample_weight)
        batch = self._one_batch(x, y, sample_weight)
        self._ready(batch.x)
        loss, predictions = self._train_step(batch)
        self._metrics.update(loss, batch, predictions)
        return self._result(return_dict)

    def test_on_batch(
        self, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False
    ) -> Any:
        """Evaluate one batch; return as `train_on_batch`."""
        self._require_compiled("test_on_batch")
        batch = self._one_batch(x, y, sample_weight)
        self._ready(batch.x)
        loss, predictions = self._step.evaluate(batch)
        self._metrics.update(loss, batch, predictions)
        return self._result(return_dict)

    def predict_on_batch(self, x: Any) -> Any:
        """Return the predictions for one batch, as NumPy arrays."""
        batch = self._one_batch(x, None, None)
        self._ready(batch.x)
        return self._step.evaluate(batch)[1]

    def _one_batch(self, x: Any, y: Any, sample_weight: Any) -> Batch:
        return self._data(x, y, sample_weight, batch_size=2**62).first()

    def _result(self, return_dict: bool) -> Any:
        values = dict(self._metrics)
        if return_dict:
            return values
        return values["loss"] if len(values) == 1 else list(values.values())

    def reset_metrics(self) -> None:
        """Set the running loss and metrics to zero."""
        if self._metrics is not None:
            self._metrics.reset()

    def _data(self, x: Any, y: Any, sample_weight: Any, **options: Any) -> ArrayBatches:
        return ArrayBatches(x, y, sample_weight, keep_integers=self._keeps_integers, **options)

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
        validation_freq: int = 1,
    ) -> Any:
        """Train on data.

        Parameters
        ----------
        x
            Inputs with the samples along the first axis: an array, or a list or dict of them.
            Floats of other widths, and the integers of models of layers, are cast to the default
            float dtype a batch at a time.
        y
            Targets of the same length.
        batch_size
            Samples a step; 32 if not given. The last batch of an epoch may be smaller.
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
            ``(x, y)`` or ``(x, y, sample_weight)`` to validate on after each epoch.
        shuffle
            Whether the samples come in another order each epoch, a function of seed and epoch.
        class_weight
            Class number → weight of its samples in the loss.
        sample_weight
            Weight of each sample in the loss.
        initial_epoch
            The number of the first epoch.
        steps_per_epoch, validation_steps
            At most so many batches an epoch.
        validation_batch_size
            Samples a validation step; `batch_size` if not given.
        validation_freq
            Validate after every so many epochs.

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
        self._require_compiled("fit")
        if x is None:
            raise ValueError("fit: expected data, got x=None")
        if y is None and not self._has_own_loss():
            raise ValueError("fit: expected targets, got y=None")
        if validation_split and validation_data is None:
            (x, y, sample_weight), validation_data = split_validation(
                x, y, sample_weight, validation_split
            )
        if class_weight is not None:
            sample_weight = class_weights(y, class_weight, sample_weight)
        batch_size = 32 if batch_size is None else batch_size
        if self._seed is None:
            self._seed = random.new_seed()
        data = self._data(
            x, y, sample_weight, batch_size=batch_size, shuffle=shuffle, seed=self._seed
        )
        validation = None
        if validation_data is not None:
            validation = self._validation(validation_data, validation_batch_size or batch_size)
        self._ready_for(data)
        steps = len(data) if steps_per_epoch is None else min(len(data), steps_per_epoch)

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
        with flushed_denormals(), run, BetweenSteps() as interrupt:
            run.on_train_begin()
            first_epoch, start, logs, counted = self._resume or (initial_epoch, 0, {}, None)
            self._resume = None
            data.seed = self._seed  # a restored one
            for epoch in range(first_epoch, epochs):
                if self.stop_training:  # a resumed callback may have decided so before
                    break
                run.on_epoch_begin(epoch)
                self._metrics.reset()
                if counted is not None:
                    self._metrics.set_state(counted)
                with closing(data.batches(self._epochs_done, start)) as batches:
                    for step, batch in enumerate(batches, start):
                        if step == steps:
                            break
                        run.on_train_batch_begin(step)
                        loss, predictions = self._train_step(batch)
                        self._metrics.update(loss, batch, predictions)
                        run.on_train_batch_end(step, self._metrics)
                        interrupt.check()
                        if self.stop_training:
                            break
                start, counted = 0, None
                self._epochs_done += 1
                logs = dict(self._metrics)
                if validation is not None and (epoch - initial_epoch + 1) % validation_freq == 0:
                    found = self._run_evaluation(validation, run, validation_steps, interrupt)
                    logs.update({f"val_{name}": value for name, value in found.items()})
                run.on_epoch_end(epoch, logs)
                if self.stop_training:
                    break
            for block in self._buffers.blocks:
                self._optimizer.finalize_variable_values(block.values)
            run.on_train_end(logs)
        return self.history

    def resume_at(self, epoch: int, step: int, logs: dict[str, float], metrics: Any = None) -> None:
        """Let the ``fit`` that begins go on in the middle; for a callback's ``on_train_begin``.

        Parameters
        ----------
        epoch, step
            The first epoch and its first batch, from 0.
        logs
            Those of the epoch before.
        metrics
            The running loss and metrics of the batches before `step`.
        """
        self._resume = (epoch, step, dict(logs), metrics if step else None)

    def save_backup(
        self, filepath: Any, details: dict[str, Any], arrays: dict[str, numpy.ndarray]
    ) -> None:
        """Write all that training goes on from, and what a callback adds; all or nothing."""
        saving.save_backup(
            self, filepath, {**details, "metrics": self._metrics.get_state()}, arrays
        )

    def restore_backup(self, filepath: Any, check: Any) -> tuple[dict[str, Any], Any]:
        """Read a backup into the model; return details and arrays that `save_backup` was given.

        ``check(details)`` is called before anything is changed, and may raise.
        """
        return saving.restore_backup(self, filepath, check)

    def swap_moving_average(self) -> None:
        """Let the weights and the optimizer's moving average of them change places."""
        for block in self._buffers.blocks:
            self._optimizer.swap_moving_average(block.values)

    def _validation(self, data: Any, batch_size: int) -> ArrayBatches:
        if not isinstance(data, tuple | list) or len(data) not in (2, 3):
            raise ValueError(
                "validation_data: expected (x, y) or (x, y, sample_weight), got "
                f"{type(data).__name__}"
                + (f" of {len(data)}" if isinstance(data, tuple | list) else "")
            )
        x, y, *rest = data
        return self._data(x, y, rest[0] if rest else None, batch_size=batch_size)

    # --- evaluate and predict -------------------------------------------------------------------

    def _run_evaluation(
        self, data: ArrayBatches, run: Any, steps: int | None, interrupt: BetweenSteps | None
    ) -> dict[str, float]:
        self._metrics.reset()
        run.on_test_begin()
        with closing(data.batches()) as batches:
            for step, batch in enumerate(batches):
                if step == steps:
                    break
                run.on_test_batch_begin(step)
                loss, predictions = self._step.evaluate(batch)
                self._metrics.update(loss, batch, predictions)
                run.on_test_batch_end(step, self._metrics)
                if interrupt is not None:
                    interrupt.check()
        logs = dict(self._metrics)
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
        self._require_compiled("evaluate")
        if x is None or (y is None and not self._has_own_loss()):
            raise ValueError("evaluate: expected inputs and targets")
        data = self._data(x, y, sample_weight, batch_size=batch_size or 32)
        self._ready_for(data)
        run = CallbackList(
            callbacks,
            add_progbar=verbose != 0,
            model=self,
            verbose=verbose,
            epochs=1,
            steps=len(data) if steps is None else min(steps, len(data)),
        )
        with run:
            self._run_evaluation(data, run, steps, None)
        return self._result(return_dict)

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
        data = self._data(x, None, None, batch_size=batch_size or 32)
        self._ready_for(data)
        run = CallbackList(
            callbacks,
            add_progbar=verbose != 0,
            model=self,
            verbose=verbose,
            epochs=1,
            steps=len(data) if steps is None else min(steps, len(data)),
        )
        whole = _Outputs(data.samples, steps, data.batch_size)
        with run, closing(data.batches()) as batches:
            run.on_predict_begin()
            for step, batch in enumerate(batches):
                if step == steps:
                    break
                run.on_predict_batch_begin(step)
                leaves, unflatten = flatten(self._step.evaluate(batch)[1])
                self._check_length(leaves, batch.size)
                whole.add(leaves)
                run.on_predict_batch_end(step, {"outputs": leaves})
            run.on_predict_end()
        return unflatten(whole.leaves)

    def _check_length(self, leaves: list[numpy.ndarray], samples: int) -> None:
        for leaf in leaves:
            if leaf.shape[:1] != (samples,):
                raise ShapeError(
                    f"{self.name}: {samples} samples gave an output of shape {leaf.shape}; the "
                    "output's first axis must be the samples'"
                )


class _Outputs:
    """The outputs of all samples, filled batch by batch where they will lie in the end."""

    def __init__(self, samples: int, steps: int | None, batch_size: int) -> None:
        self._samples = samples if steps is None else min(samples, steps * batch_size)
        self._filled = 0
        self.leaves: list[numpy.ndarray] = []

    def add(self, leaves: list[numpy.ndarray]) -> None:
        """Copy the outputs of one batch to their place."""
        if not self.leaves:
            self.leaves = [numpy.empty((self._samples, *a.shape[1:]), a.dtype) for a in leaves]
        after = self._filled + leaves[0].shape[0]
        for out, a in zip(self.leaves, leaves, strict=True):
            if a.shape[1:] != out.shape[1:]:
                raise ShapeError(
                    f"predict: a batch gave an output of shape {a.shape}, those before it "
                    f"(batch, {', '.join(map(str, out.shape[1:]))})"
                )
            out[self._filled : after] = a
        self._filled = after
