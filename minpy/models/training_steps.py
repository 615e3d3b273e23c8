"""One batch: the steps that a model trains, is evaluated and predicts with, and those of one's own.

It must not know where batches come from (`minpy.models.trainer`), nor how gradients are made
(`minpy.models.step`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy

from minpy import random
from minpy.array import as_ndarray, numpy_value
from minpy.autograd.containers import map_leaves
from minpy.data import Batch, unpack_x_y_sample_weight
from minpy.data.streams import pack_x_y_sample_weight
from minpy.errors import ShapeError
from minpy.layers.forward_pass import added_metrics
from minpy.models.data_checks import tell_of_nan
from minpy.models.device_step import DeviceStep
from minpy.models.outputs import Outputs, masks_of_outputs
from minpy.models.own_gradients import OwnGradients
from minpy.models.training_state import TrainingState

__all__ = ["TrainingSteps"]

_OWN_STEPS: dict[type, dict[str, bool]] = {}


class TrainingSteps(TrainingState):
    """A model that trains on one batch at a time; a subclass may write the steps itself."""

    def _prepare(self) -> None:
        if "_parameters" not in self.__dict__:
            super()._prepare()
            self._told_of_nan = False
            # Loss and outputs, while a subclass' `compute_metrics` counts them.
            self._counting: tuple[float | None, Outputs] | None = None

    # --- a batch, counted -----------------------------------------------------------------------

    def _count_training(self, batch: Batch) -> Mapping[str, float]:
        """Train on a batch and count it; return the logs so far."""
        if self._own_steps["train_step"]:
            return self._run_own_step("train_step", batch)
        return self._train_step(batch)

    def _count_test(self, batch: Batch) -> Mapping[str, float]:
        """Evaluate a batch and count it; return the logs so far."""
        if self._own_steps["test_step"]:
            return self._run_own_step("test_step", batch)
        return self._counted(*self._evaluated(batch), batch)

    def _predict(self, batch: Batch) -> Any:
        if self._own_steps["predict_step"]:
            found = self._run_own_step("predict_step", batch)
            return map_leaves(lambda a: numpy_value(as_ndarray(a)), found)
        return self._evaluated(batch)[1].predictions

    def reset_metrics(self) -> None:
        """Set the running loss and metrics to zero."""
        if self._metrics is not None:
            self._metrics.reset()

    # --- a batch --------------------------------------------------------------------------------

    def _train_step(self, batch: Batch) -> Mapping[str, float]:
        self._buffers.take_back()
        optimizer = self._optimizer
        scale = self._gradient_scale = optimizer.loss_scale
        # By batches, not steps: those whose gradients are added up draw dropout of their own.
        loss, outputs, updates = self._step.gradients(batch, self._seed, optimizer.batches, scale)
        if loss != loss and not self._told_of_nan:
            self._told_of_nan = True
            tell_of_nan(self, batch)
        if self._metrics.reads_predictions:  # the next step overwrites them
            outputs = outputs._replace(predictions=map_leaves(numpy.array, outputs.predictions))
        # Before the weights change: a metric that the output doesn't fit leaves them as they were.
        logs = self._counted(loss, outputs, batch)
        if isinstance(self._step, DeviceStep):
            self._step.update(updates)
        else:
            self._update_weights(updates)
        return logs

    def _counted(self, loss: float | None, outputs: Outputs, batch: Batch) -> Mapping[str, float]:
        """Count a batch in the metrics, as a subclass may do itself; return the logs so far."""
        if not self._own_steps["compute_metrics"]:
            self._metrics.update(loss, batch, outputs)
            return self._metrics
        leaves = [as_ndarray(leaf.copy()) for leaf in batch.leaves]
        x, y, sample_weight = (batch.layout.part(i, leaves) for i in range(3))
        predictions = map_leaves(lambda a: as_ndarray(numpy.array(a)), outputs.predictions)
        self._counting = loss, outputs
        try:
            found = self.compute_metrics(x, y, predictions, sample_weight)
        finally:
            self._counting = None
        return _as_numbers(found, f"{self.name}: compute_metrics")

    def _evaluated(self, batch: Batch) -> tuple[float, Outputs]:
        self._buffers.take_back()  # from a model that was run since: a callback's, say
        return self._step.evaluate(batch)

    def _update_weights(self, updates: list[tuple[Any, Any]]) -> None:
        # From here on nothing can fail: the step happens whole or not at all.
        optimizer = self._optimizer
        if self._buffers.blocks:
            block = self._buffers.blocks[0]
            optimizer.step(block.values, block.gradients, block.segments)
            for p in block.parameters:
                if p.constraint is not None:
                    p.assign(p.constraint(p.value))
        for p, value in updates:
            p.assign(value)

    # --- steps of one's own ---------------------------------------------------------------------

    @property
    def _own_steps(self) -> dict[str, bool]:
        """Which of the steps a subclass has written itself."""
        found = _OWN_STEPS.get(type(self))
        if found is None:
            names = ("train_step", "test_step", "predict_step", "compute_metrics")
            found = {n: getattr(type(self), n) is not getattr(TrainingSteps, n) for n in names}
            _OWN_STEPS[type(self)] = found
        return found

    def _run_own_step(self, name: str, batch: Batch) -> Any:
        leaves = [as_ndarray(leaf.copy()) for leaf in batch.leaves]
        data = pack_x_y_sample_weight(*(batch.layout.part(i, leaves) for i in range(3)))
        self._buffers.take_back()
        # Such a step may train models inside by their own optimizers, and not this one by its.
        trainers = (m for m in (self, *self._all_inside()) if isinstance(m, TrainingSteps))
        step = sum(m._optimizer.batches for m in trainers if m._optimizer is not None)
        with random.scope(self._seed, step):
            found = getattr(self, name)(data)
        return found if name == "predict_step" else _as_numbers(found, f"{self.name}: {name}")

    def train_step(self, data: Any) -> Mapping[str, Any]:
        """Train on one batch, and return the logs; a subclass may write its own.

        Parameters
        ----------
        data
            ``(x, y)``, ``(x, y, sample_weight)``, or x alone, as `fit` was given it.

        Returns
        -------
        dict
            Name → number, shown and recorded as they are.

        Notes
        -----
        `value_and_gradients`, which compiles, and `apply_gradients` are what one's own is written
        with; what else it does runs operation by operation.

        Examples
        --------
        >>> import numpy
        >>> from minpy.layers import Dense
        >>> from minpy.models import Sequential
        >>> class Halving(Sequential):
        ...     def train_step(self, data):
        ...         x, y = data
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
        return dict(self._train_step(batch))

    def test_step(self, data: Any) -> Mapping[str, Any]:
        """Evaluate one batch, and return the logs; a subclass may write its own."""
        batch = Batch.of(*(map_leaves(_plain, part) for part in unpack_x_y_sample_weight(data)))
        return dict(self._counted(*self._evaluated(batch), batch))

    def predict_step(self, data: Any) -> Any:
        """Return the predictions for one batch; a subclass may write its own."""
        return self(unpack_x_y_sample_weight(data)[0], training=False)

    def value_and_gradients(self, function: Callable[[], Any]) -> tuple[Any, list[Any]]:
        """Return what a function of the weights computes, one number, and its gradients.

        Parameters
        ----------
        function
            Takes nothing and uses the model, for a `train_step` of one's own. It returns one
            number, or a tuple of it and anything else: predictions, say.

        Returns
        -------
        value, gradients
            What the function returned; and the gradients, in the order of `trainable_weights`,
            zeros for weights that have no part in the number.

        Notes
        -----
        The function becomes a program, as models do in `fit`: it is traced at its first call, and
        replayed when a function of the same code comes that captures arrays of the same shapes.
        Other values that it captures, or reads from attributes and global variables, are looked at
        each time: a new one means a new trace. What it does beside computing happens only then.
        `jit_status` says which line kept it from being traced; ``compile(jit=False)`` runs it
        operation by operation.
        """
        compiles = self._compiles()
        if self._own_gradients is None:
            self._own_gradients = OwnGradients(self)
        return self._own_gradients(function, compiles)

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
        given = list(gradients)
        self._ready_to_train()
        trained = self._buffers.trained
        if len(given) != len(trained):
            raise ShapeError(
                f"{self.name}: apply_gradients expected {len(trained)} gradients, got {len(given)}"
            )
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
        self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None, loss: Any = None
    ) -> dict[str, float]:
        """Count a batch in the metrics, and return the logs so far; for a step of one's own.

        Parameters
        ----------
        x, y, y_pred, sample_weight
            Of the batch.
        loss
            Of the batch; None where ``metrics[0].update_state`` is told it.

        Notes
        -----
        A subclass that writes its own is asked by ``fit`` and ``evaluate``, too, which take what it
        returns as the logs; called from there this one knows the loss.
        """
        if self._counting is not None and loss is None:
            loss, outputs = self._counting
            parts = (map_leaves(_plain, part) for part in (x, y, sample_weight))
            told = outputs._replace(predictions=map_leaves(_plain, y_pred))
            self._metrics.update(loss, Batch.of(*parts), told)
            return dict(self._metrics)
        plain = (map_leaves(_plain, part) for part in (x, y, sample_weight))
        plain_outputs = Outputs(y_pred, (), added_metrics(), masks_of_outputs(y_pred))
        outputs = map_leaves(_plain, plain_outputs)
        self._metrics.update(None if loss is None else float(loss), Batch.of(*plain), outputs)
        return dict(self._metrics)


def _plain(value: Any) -> Any:
    return None if value is None else numpy_value(as_ndarray(value))


def _as_numbers(found: Any, by: str) -> dict[str, float]:
    """Return the logs that a method of the user's gives, those in dicts beside the others."""
    if not isinstance(found, Mapping):
        raise TypeError(f"{by} must return a dict of names and numbers, got {type(found).__name__}")
    for key, value in [*found.items()]:
        if isinstance(value, Mapping):  # of several metrics together
            found = {**{k: v for k, v in found.items() if k != key}, **value}
    return {key: float(value) for key, value in found.items()}
