"""The training loop that all models share: compile, fit, evaluate, predict, and single batches.

It must not know what a forward pass computes, how gradients are made (`minpy.models.step`), or
how an optimizer changes a weight.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from itertools import islice
from typing import Any

import numpy

from minpy import optimizers, random, runtime
from minpy.array import as_ndarray, numpy_value
from minpy.autograd.containers import flatten, map_leaves
from minpy.autograd.reverse import record
from minpy.callbacks import CallbackList
from minpy.config import settings
from minpy.data import (
    ArrayBatches,
    Batch,
    Casting,
    Source,
    class_weights,
    source_of,
    split_validation,
    unpack_x_y_sample_weight,
)
from minpy.data.finite import found_in_arrays, found_in_batch
from minpy.data.streams import ran_out
from minpy.errors import DifferentiationError, ShapeError
from minpy.layers.calls import is_shape
from minpy.layers.layer import Layer, added_metrics, forward_pass
from minpy.layers.parameter import bound, collect_updates, structure
from minpy.models import saving
from minpy.models.compiled_step import CompiledStep
from minpy.models.denormals import flushed_denormals
from minpy.models.flat_buffers import FlatBuffers
from minpy.models.interrupts import BetweenSteps
from minpy.models.metric_set import MetricSet
from minpy.models.outputs import OutputLosses, Outputs, masks_of_outputs
from minpy.models.step import EagerStep
from minpy.policy import current_policy
from minpy.primitives import registry

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
            self._steps_per_execution = 1
            self._loss_parts: list[Any] = []
            self._seed: int | None = None
            self._ready_at: tuple[int, Any, bool] = (-1, None, True)
            self._epochs_done = 0
            self._gradient_scale = 1.0
            self._told_of_nan = False
            self._resume: tuple[int, int, dict[str, float], Any] | None = None

    # The layers inside do it, each for its own dtype.
    autocast = False

    # --- copies ---------------------------------------------------------------------------------

    def __getstate__(self) -> dict[str, Any]:
        """Return what pickle and `copy.deepcopy` take along: no compiled code, no buffers."""
        slots = {} if self._buffers is None else self._slots_by_weight()
        fresh = {"_step": None, "_buffers": None, "_ready_at": (-1, None, True)}
        return {**self.__dict__, **fresh, "_slots": slots}

    def __setstate__(self, state: dict[str, Any]) -> None:
        slots = state.pop("_slots", {})
        self.__dict__.update(state)
        if slots:
            self._ready_to_train()
            self._set_slots(slots)

    # --- compile --------------------------------------------------------------------------------

    def compile(
        self,
        optimizer: Any = "rmsprop",
        loss: Any = None,
        loss_weights: Any = None,
        metrics: Any = None,
        weighted_metrics: Any = None,
        run_eagerly: bool = False,
        steps_per_execution: int = 1,
        jit_compile: str | bool = "auto",
        jit: str | bool | None = None,
    ) -> None:
        """Say how to train.

        Parameters
        ----------
        optimizer
            A name or an `Optimizer`.
        loss
            A name, a `Loss`, or a function of ``(y_true, y_pred)``; for several outputs one for
            all, or a list or dict of them. The total is their sum.
        loss_weights
            A list or dict of numbers that the losses of several outputs count with.
        metrics
            Names, `Metric` objects or functions to report beside the loss; for several outputs
            a dict of them, or a list of lists.
        weighted_metrics
            The same, with the sample weights counted in.
        run_eagerly
            True runs the model operation by operation: Keras' word for ``jit=False``.
        steps_per_execution
            Callbacks see every so many batches as one.
        jit_compile, jit
            ``'auto'`` compiles the model's forward pass and loss into a graph where that can be
            done, and runs it operation by operation otherwise; False never compiles. The second is
            the short name of the first.

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
        loss_function = None if loss is None else OutputLosses(loss, loss_weights)
        metric_set = MetricSet(self, metrics, weighted_metrics)
        metric_set.check()
        jit = jit_compile if jit is None else jit
        if jit not in ("auto", True, False):
            raise ValueError(f"compile: expected jit='auto', True or False, got {jit!r}")
        if not isinstance(steps_per_execution, int) or steps_per_execution < 1:
            raise ValueError(
                "compile: expected a positive integer as steps_per_execution, got "
                f"{steps_per_execution!r}"
            )
        self._prepare()
        if loss_function is not None and getattr(self, "_graph", None) is not None:
            loss_function.check(self.output_names)
        self._jit = bool(jit) and not run_eagerly
        self._steps_per_execution = steps_per_execution
        self._optimizer = chosen
        self._loss = loss_function
        self._metrics = metric_set
        self._compile_arguments = {
            "loss": loss,
            "loss_weights": loss_weights,
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
        return self._loss(self, y, y_pred, sample_weight, self._loss_parts)

    def _losses_of(self, names: list[str]) -> list[str]:
        """Return the names of those outputs that have a loss."""
        return [] if self._loss is None else self._loss.outputs_with_one(names)

    def outputs_of_step(self, predictions: Any) -> Outputs:
        """Return a forward pass's predictions, with the losses of each output that it added up."""
        parts, self._loss_parts[:] = tuple(self._loss_parts), []
        return Outputs(predictions, parts, added_metrics(), masks_of_outputs(predictions))

    def total_loss(self, x: Any, y: Any, y_pred: Any, sample_weight: Any, extra: list[Any]) -> Any:
        """Return the loss with the terms of layers and regularizers."""
        self._loss_parts.clear()
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

    def _ready_for(self, data: Source) -> None:
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
            block = blocks[0]
            self._optimizer.build(block.values.size, block.dtype, block.values, block.segments)

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

    def _train_step(self, batch: Batch) -> tuple[float, Outputs]:
        self._buffers.take_back()
        optimizer = self._optimizer
        scale = self._gradient_scale = optimizer.loss_scale
        # By batches, not steps: those whose gradients are added up draw dropout of their own.
        loss, outputs, updates = self._step.gradients(batch, self._seed, optimizer.batches, scale)
        self._update_weights(updates)
        return loss, outputs

    def _evaluated(self, batch: Batch) -> tuple[float, Outputs]:
        self._buffers.take_back()  # from a model that was run since: a callback's, say
        return self._step.evaluate(batch)

    def _update_weights(self, updates: list[tuple[Any, Any]]) -> None:
        # From here on nothing can fail: the step happens whole or not at all.
        optimizer = self._optimizer
        if self._buffers.blocks:
            block = self._buffers.blocks[0]
            optimizer.apply(block.values, block.gradients, block.segments)
            for p in block.parameters:
                if p.constraint is not None:
                    p.assign(p.constraint(p.value))
        for p, value in updates:
            p.assign(value)

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
        return _as_asked(self._count_training(batch), return_dict)

    def test_on_batch(
        self, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False
    ) -> Any:
        """Evaluate one batch; return as `train_on_batch`."""
        self._require_compiled("test_on_batch", loss=not self._own_steps["test_step"])
        batch = self._one_batch(x, y, sample_weight)
        self._ready(batch.x)
        self._metrics.reset()
        return _as_asked(self._count_test(batch), return_dict)

    def predict_on_batch(self, x: Any) -> Any:
        """Return the predictions for one batch, as NumPy arrays."""
        batch = self._one_batch(x, None, None)
        self._ready(batch.x)
        return self._predict(batch)

    def _count_training(self, batch: Batch) -> Mapping[str, float]:
        """Train on a batch and count it; return the logs so far."""
        if self._own_steps["train_step"]:
            return self._run_own_step("train_step", batch)
        loss, outputs = self._train_step(batch)
        if loss != loss and not self._told_of_nan:
            self._tell_of_nan(batch)
        self._metrics.update(loss, batch, outputs)
        return self._metrics

    def _count_test(self, batch: Batch) -> Mapping[str, float]:
        """Evaluate a batch and count it; return the logs so far."""
        if self._own_steps["test_step"]:
            return self._run_own_step("test_step", batch)
        loss, outputs = self._evaluated(batch)
        self._metrics.update(loss, batch, outputs)
        return self._metrics

    def _predict(self, batch: Batch) -> Any:
        if self._own_steps["predict_step"]:
            found = self._run_own_step("predict_step", batch)
            return map_leaves(lambda a: numpy_value(as_ndarray(a)), found)
        return self._evaluated(batch)[1].predictions

    # --- steps of one's own ---------------------------------------------------------------------

    @property
    def _own_steps(self) -> dict[str, bool]:
        """Which of the steps a subclass has written itself."""
        found = _OWN_STEPS.get(type(self))
        if found is None:
            names = ("train_step", "test_step", "predict_step")
            found = {n: getattr(type(self), n) is not getattr(Trainer, n) for n in names}
            _OWN_STEPS[type(self)] = found
        return found

    def _run_own_step(self, name: str, batch: Batch) -> Any:
        leaves = [as_ndarray(leaf.copy()) for leaf in batch.leaves]
        data = tuple(batch.layout.part(i, leaves) for i in range(3))
        self._buffers.take_back()
        # Such a step may train models inside by their own optimizers, and not this one by its.
        trainers = (m for m in (self, *self._all_layers()) if isinstance(m, Trainer))
        step = sum(m._optimizer.batches for m in trainers if m._optimizer is not None)
        with random.scope(self._seed, step):
            found = getattr(self, name)(data)
        if name != "predict_step":
            if not isinstance(found, Mapping):
                raise TypeError(
                    f"{self.name}: {name} must return a dict of names and numbers, got "
                    f"{type(found).__name__}"
                )
            found = {key: float(value) for key, value in found.items()}
        return found

    def train_step(self, data: Any) -> Mapping[str, Any]:
        """Train on one batch, and return the logs; a subclass may write its own.

        Parameters
        ----------
        data
            ``(x, y, sample_weight)``, None where there is none.

        Returns
        -------
        dict
            Name → number, shown and recorded as they are.

        Notes
        -----
        `value_and_gradients` and `apply_gradients` are what one's own is written with. It runs
        operation by operation.

        Examples
        --------
        >>> import numpy
        >>> from minpy.layers import Dense
        >>> from minpy.models import Sequential
        >>> class Halving(Sequential):
        ...     def train_step(self, data):
        ...         x, y, _ = data
        ...         loss, gradients = self.value_and_gradients(
        ...             lambda: self.compute_loss(x, y, self(x, training=True)))
        ...         self.apply_gradients([g / 2 for g in gradients])
        ...         return {'loss': loss}
        >>> model = Halving([Dense(1)])
        >>> model.compile('sgd', 'mse')
        >>> x = numpy.linspace(-1, 1, 64).reshape(-1, 1)
        >>> history = model.fit(x, 3 * x, epochs=9, shuffle=False, verbose=0).history
        >>> history['loss'][8] < history['loss'][0]
        True
        """
        batch = Batch.of(*(map_leaves(_plain, part) for part in unpack_x_y_sample_weight(data)))
        loss, outputs = self._train_step(batch)
        self._metrics.update(loss, batch, outputs)
        return dict(self._metrics)

    def test_step(self, data: Any) -> Mapping[str, Any]:
        """Evaluate one batch, and return the logs; a subclass may write its own."""
        batch = Batch.of(*(map_leaves(_plain, part) for part in unpack_x_y_sample_weight(data)))
        loss, outputs = self._evaluated(batch)
        self._metrics.update(loss, batch, outputs)
        return dict(self._metrics)

    def predict_step(self, data: Any) -> Any:
        """Return the predictions for one batch; a subclass may write its own."""
        return self(unpack_x_y_sample_weight(data)[0], training=False)

    def value_and_gradients(self, function: Callable[[], Any]) -> tuple[Any, list[Any]]:
        """Return what a function of the weights computes, one number, and its gradients.

        Parameters
        ----------
        function
            Takes nothing and uses the model, for a `train_step` of one's own.

        Returns
        -------
        value, gradients
            The gradients in the order of `trainable_weights`, zeros for weights that have no part
            in the value.
        """
        trained = self.trainable_weights

        def with_weights(weights: list[Any]) -> list[Any]:
            with bound(trained, weights), forward_pass(training=True):
                return [as_ndarray(function())]

        with collect_updates() as updates:
            (value,), tape = record(with_weights, [p.value for p in trained])
        if value.size != 1:
            raise DifferentiationError(
                f"{self.name}: expected a function that returns one number, got shape {value.shape}"
            )
        found = tape.back([registry["ones_like"](value)], once=True)
        for p, new in updates:
            p.assign(numpy_value(as_ndarray(new)))
        pairs = zip(trained, found, strict=True)
        return value, [registry["zeros_like"](p.value) if g is None else g for p, g in pairs]

    def apply_gradients(self, gradients: Any) -> None:
        """Let the optimizer do a step, for a `train_step` of one's own.

        Parameters
        ----------
        gradients
            In the order of `trainable_weights`.

        Raises
        ------
        ShapeError
            If one has another shape than its weight; nothing is changed then.
        """
        trained, given = self.trainable_weights, list(gradients)
        if len(given) != len(trained):
            raise ShapeError(
                f"{self.name}: apply_gradients expected {len(trained)} gradients, got {len(given)}"
            )
        self._ready_to_train()
        plain = [_plain(g) for g in given]
        for p, g in zip(trained, plain, strict=True):
            if g.shape != p.shape:
                raise ShapeError(
                    f"{self.name}: the gradient of {p.path!r} has shape {g.shape}, the weight "
                    f"{p.shape}"
                )
        by_parameter = {id(p): g for p, g in zip(trained, plain, strict=True)}
        for block in self._buffers.blocks:
            for p, view in zip(block.parameters, block.gradient_views, strict=True):
                numpy.multiply(by_parameter[id(p)], self._optimizer.loss_scale, out=view,
                               casting="same_kind")  # fmt: skip
        self._gradient_scale = self._optimizer.loss_scale
        self._update_weights([])

    def compute_metrics(
        self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None, loss: Any = 0.0
    ) -> dict[str, float]:
        """Count a batch in the metrics, and return the logs so far; for a step of one's own."""
        plain = (map_leaves(_plain, part) for part in (x, y, sample_weight))
        plain_outputs = Outputs(y_pred, (), added_metrics(), masks_of_outputs(y_pred))
        outputs = map_leaves(_plain, plain_outputs)
        self._metrics.update(float(loss), Batch.of(*plain), outputs)
        return dict(self._metrics)

    def _one_batch(self, x: Any, y: Any, sample_weight: Any) -> Batch:
        casting = Casting(self._keeps_integers)
        batch = casting.batch(x, y, sample_weight)
        if batch.size == 0:
            raise ValueError("the batch is empty: x has no samples")
        return batch

    def reset_metrics(self) -> None:
        """Set the running loss and metrics to zero."""
        if self._metrics is not None:
            self._metrics.reset()

    def _data(self, x: Any, y: Any, sample_weight: Any, **options: Any) -> Source:
        return source_of(x, y, sample_weight, keep_integers=self._keeps_integers, **options)

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
            Class number → weight of its samples in the loss.
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
        if validation_split and validation_data is None:
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
        self._check_targets(data, "fit")
        data.check_ends(steps_per_epoch, "steps_per_epoch")
        steps = _fewer(data.steps, steps_per_epoch)
        if steps is not None:
            data.limit = steps * max(0, epochs - initial_epoch)
        validation = None
        if validation_data is not None:
            validation = self._validation(validation_data, validation_batch_size or batch_size)
            validation.check_ends(validation_steps, "validation_steps")
            times = sum(_is_due(validation_freq, e) for e in range(initial_epoch, epochs))
            if validation.once and validation_steps is None and times > 1:
                raise ValueError(
                    f"validation_data: a generator is used up by the first of {times} validations; "
                    "give validation_steps, or a data set that can be read again"
                )
        every = self._steps_per_execution
        self._ready_for(data)
        self._look_through(data, validation)

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
        with closing(data), flushed_denormals(), run, BetweenSteps() as interrupt:
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
                found: Mapping[str, float] = self._metrics
                done = start
                with closing(data.batches(self._epochs_done, start)) as batches:
                    left = None if steps is None else max(0, steps - start)
                    for step, batch in enumerate(islice(batches, left), start):
                        if step % every == 0 or step == start:
                            run.on_train_batch_begin(step)
                        found = self._count_training(batch)
                        done = step + 1
                        if done % every == 0 or done == steps:
                            run.on_train_batch_end(step, found)
                        interrupt.check()
                        if self.stop_training:
                            break
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

    def _check_targets(self, data: Source, what: str) -> None:
        """Raise `ValueError` if there is nothing to compare with."""
        needed = not self._has_own_loss() and not self._own_steps["train_step"]
        if needed and data.first().y is None:
            raise ValueError(f"{what}: expected targets, got y=None")

    def _look_through(self, data: Source, validation: Source | None) -> None:
        """Say what can be known of the data before the first step.

        Raises
        ------
        ValueError
            If a loss can't be trained on the targets: numbers of classes that there aren't.
        """
        self._told_of_nan = False
        own = self._own_steps["train_step"]
        if not self._buffers.blocks and not own:
            warnings.warn(
                f"{self.name}: no weight of the model trains, so fit changes nothing; add layers "
                "with weights, or set trainable = True",
                stacklevel=3,
            )
        for source, what in ((data, ""), (validation, "validation_data: ")):
            if not isinstance(source, ArrayBatches):
                continue
            if self._loss is not None and source.y is not None and not own:
                names, shapes = self._outputs_known()
                self._loss.check(names)
                try:
                    self._loss.check_targets(names or ["output"], shapes, source.y)
                except ValueError as error:
                    raise ValueError(f"{what}{error}") from None
            found = found_in_arrays(source)
            if found:
                self._told_of_nan = True
                warnings.warn(f"{what}{found}; {_WITHOUT_NAN}", stacklevel=3)

    def _outputs_known(self) -> tuple[list[str] | None, list[Any]]:
        """Return the outputs' names and shapes, None where they aren't known."""
        if getattr(self, "_graph", None) is not None:
            return self.output_names, [tensor.shape for tensor in self.outputs]
        shape = self.output_shape
        return None, [shape if is_shape(shape) else None]

    def _tell_of_nan(self, batch: Batch) -> None:
        """Say once what a loss that is NaN comes from."""
        self._told_of_nan = True
        found = found_in_batch(batch)
        why = (
            f"in this batch {found}; {_WITHOUT_NAN}"
            if found
            else "the batch is finite, so the weights have grown beyond measure: lower the "
            "learning rate, clip gradients (clipnorm=1.0), scale the inputs, or start from other "
            "weights"
        )
        warnings.warn(
            f"{self.name}: the loss is NaN in step {self._optimizer.batches}; {why}. "
            "callbacks.TerminateOnNaN() ends the training there",
            stacklevel=4,
        )

    # --- evaluate and predict -------------------------------------------------------------------

    def _run_evaluation(
        self, data: Source, run: Any, steps: int | None, interrupt: BetweenSteps | None
    ) -> dict[str, float]:
        self._metrics.reset()
        found: Mapping[str, float] = self._metrics
        done = 0
        run.on_test_begin()
        with closing(data.batches()) as batches:
            for step, batch in enumerate(islice(batches, steps)):
                done = step + 1
                run.on_test_batch_begin(step)
                found = self._count_test(batch)
                run.on_test_batch_end(step, found)
                if interrupt is not None:
                    interrupt.check()
        if not done:
            raise ValueError(
                "there is no batch to evaluate: the data set was used up by the validations "
                "before; a generator must yield validation_steps batches for each, or repeat"
            )
        asked = _fewer(data.steps, steps) or done
        if done < asked:
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
        self._check_targets(data, "evaluate")
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
        with closing(data), run:
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
        whole = _Outputs()
        left, done = data.samples, 0
        with closing(data), run, closing(data.batches()) as batches:
            run.on_predict_begin()
            for step, batch in enumerate(islice(batches, steps)):
                run.on_predict_batch_begin(step)
                leaves, unflatten = flatten(self._predict(batch))
                self._check_length(leaves, batch.size)
                if left is not None and steps is not None:
                    left = min(left, steps * batch.size) if step == 0 else left
                whole.add(leaves, left)
                done = step + 1
                run.on_predict_batch_end(step, {"outputs": leaves})
            asked = _fewer(data.steps, steps) or 0
            if done < asked:
                ran_out(asked, done, "there are predictions for these only")
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


class _Outputs:
    """The outputs of all samples, filled batch by batch where they will lie in the end."""

    def __init__(self) -> None:
        self._filled = 0
        self._whole: list[numpy.ndarray] = []

    def add(self, leaves: list[numpy.ndarray], samples: int | None) -> None:
        """Copy the outputs of one batch to their place; `samples` is how many there will be."""
        after = self._filled + leaves[0].shape[0]
        if not self._whole:
            length = after if samples is None else samples
            self._whole = [numpy.empty((length, *a.shape[1:]), a.dtype) for a in leaves]
        for i, a in enumerate(leaves):
            out = self._whole[i]
            if a.shape[1:] != out.shape[1:]:
                raise ShapeError(
                    f"predict: a batch gave an output of shape {a.shape}, those before it "
                    f"(batch, {', '.join(map(str, out.shape[1:]))})"
                )
            if after > out.shape[0]:  # nobody knew how many there would be
                larger = numpy.empty((max(after, 2 * out.shape[0]), *out.shape[1:]), out.dtype)
                larger[: self._filled] = out[: self._filled]
                self._whole[i] = out = larger
            out[self._filled : after] = a
        self._filled = after

    def joined(self) -> list[numpy.ndarray]:
        """Return the outputs of all samples."""
        if not self._whole:
            raise ValueError("predict: the data set is empty")
        return [
            out if out.shape[0] == self._filled else out[: self._filled].copy()
            for out in self._whole
        ]


_WITHOUT_NAN = (
    "a loss that is NaN makes all weights NaN: leave those samples out, or replace the numbers "
    "(numpy.nan_to_num)"
)

_OWN_STEPS: dict[type, dict[str, bool]] = {}


def _plain(value: Any) -> Any:
    return None if value is None else numpy_value(as_ndarray(value))


def _fewer(first: int | None, second: int | None) -> int | None:
    given = [n for n in (first, second) if n is not None]
    return min(given) if given else None


def _is_due(frequency: int | Sequence[int], epoch: int) -> bool:
    """Say whether to validate after an epoch, counted from 0."""
    if isinstance(frequency, int):
        return (epoch + 1) % frequency == 0
    return epoch + 1 in frequency


def _as_asked(logs: Mapping[str, float], return_dict: bool) -> Any:
    values = dict(logs)
    if return_dict:
        return values
    return next(iter(values.values())) if len(values) == 1 else list(values.values())
