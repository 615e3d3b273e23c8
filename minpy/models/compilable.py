"""What a model is told before it trains: optimizer, loss, metrics, and whether to make a graph.

It must not know of data, buffers or steps (`minpy.models.training_state` and those above it).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from minpy import optimizers
from minpy.array import as_ndarray
from minpy.layers.forward_pass import added_metrics
from minpy.layers.layer import Layer
from minpy.models.metric_set import MetricSet
from minpy.models.outputs import OutputLosses, Outputs, declared_names, masks_of_outputs

__all__ = ["Compilable"]


class Compilable(Layer):
    """A model that is told how to train, and can say what its loss on a batch is."""

    # The layers inside do it, each for its own dtype.
    autocast = False

    def _prepare(self) -> None:
        if "_parameters" not in self.__dict__:
            super()._prepare()
            self._optimizer: Any = None
            self._loss: Any = None
            self._metrics: MetricSet | None = None
            self._compile_arguments: dict[str, Any] | None = None
            self._jit = True
            self._steps_per_execution = 1
            self._loss_parts: list[Any] = []
            self._step: Any = None  # what runs the steps; made when they begin
            self._own_gradients: Any = None  # what makes the gradients of steps of one's own

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
        auto_scale_loss: bool = True,
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
        auto_scale_loss
            Kept for Keras' sake, where it concerns weights of float32 beside computations in
            float16: there are none here. A `LossScaleOptimizer` scales the loss of float16 weights.

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
            loss_function.check(declared_names(self))
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
            "run_eagerly": bool(run_eagerly),
            "jit_compile": jit,
            "auto_scale_loss": bool(auto_scale_loss),
        }
        self._step = self._own_gradients = None

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
        if self._own_gradients is not None:  # of a training step of one's own
            return self._own_gradients.status
        return "not run yet" if self._step is None else self._step.status

    @property
    def run_eagerly(self) -> bool:
        """Whether steps run operation by operation and not as a graph; it may be set."""
        return not self._jit

    @run_eagerly.setter
    def run_eagerly(self, value: bool) -> None:
        self._set_jit(not value)

    @property
    def jit_compile(self) -> bool:
        """Whether steps become a graph where they can; it may be set. `jit_status` says if so."""
        return self._jit

    @jit_compile.setter
    def jit_compile(self, value: str | bool) -> None:
        self._set_jit(bool(value))

    def _set_jit(self, jit: bool) -> None:
        self._jit, self._step, self._own_gradients = jit, None, None
        if self._compile_arguments is not None:
            self._compile_arguments |= {"run_eagerly": not jit, "jit_compile": "auto"}

    @property
    def metrics(self) -> list[Any]:
        """Loss and compiled metrics, and the metrics that are attributes of layers."""
        own = super().metrics
        return own if self._metrics is None else [*self._metrics.trackers(), *own]

    @property
    def metrics_names(self) -> list[str]:
        """The names of `metrics`."""
        return [metric.name for metric in self.metrics]

    def get_metrics_result(self) -> dict[str, Any]:
        """Return what each of `metrics` says, by its name in the logs."""
        found: dict[str, Any] = {}
        for metric in self.metrics:
            result = metric.result()
            found.update(result if isinstance(result, Mapping) else {metric.name: result})
        return found

    def _compile_by_default(self) -> bool:
        """Compile a model that says itself how it is trained; False for those that don't."""
        return False

    def _require_compiled(self, what: str, loss: bool = True) -> None:
        if not self.compiled and not self._compile_by_default():
            raise RuntimeError(
                f"{self.name}: call compile(optimizer, loss) before {what}, for example "
                "model.compile('adam', 'sparse_categorical_crossentropy', metrics=['accuracy'])"
            )
        if loss and self._loss is None and not self._has_own_loss() and not self._may_add_losses():
            raise RuntimeError(f"{self.name}: {what} needs a loss; compile(optimizer, loss=…)")

    def _may_add_losses(self) -> bool:
        """Say whether layers may give all the loss: by `add_loss` or a regularizer of outputs."""
        return bool(self.losses) or any(
            not type(layer).__module__.startswith("minpy.")
            or type(layer).__name__ == "ActivityRegularization"
            or getattr(layer, "activity_regularizer", None) is not None
            for layer in (self, *self._all_inside())
        )

    def _has_own_loss(self) -> bool:
        return False

    # --- loss -----------------------------------------------------------------------------------

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        """Return the loss of a batch as one number; a subclass may compute its own.

        Parameters
        ----------
        x
            The inputs, for losses that look at them.
        y, y_pred, sample_weight
            Targets, what the model made of the inputs, and what the samples count.
        training
            Whether a weight is to learn of it.

        Notes
        -----
        The terms of layers and regularizers, `losses`, are in it.
        """
        total = 0.0
        if self._loss is not None and y is not None:
            total = self._loss(self, y, y_pred, sample_weight, self._loss_parts)
        return self._with_terms(total)

    def _with_terms(self, loss: Any) -> Any:
        total = as_ndarray(loss)
        for term in self.losses:
            total = total + term
        return total

    def _losses_of(self, names: list[str]) -> list[str]:
        """Return the names of those outputs that have a loss."""
        return [] if self._loss is None else self._loss.outputs_with_one(names)

    def _losses_listed(self, names: list[str]) -> list[str]:
        """Return names of outputs in the order in which their losses are listed."""
        return names if self._loss is None else self._loss.listed(self, names)

    def outputs_of_step(self, predictions: Any) -> Outputs:
        """Return a forward pass's predictions, with the losses of each output that it added up."""
        parts, self._loss_parts[:] = tuple(self._loss_parts), []
        return Outputs(predictions, parts, added_metrics(), masks_of_outputs(predictions))

    def has_total_loss(self, y: Any, training: bool) -> bool:
        """Say whether a forward pass just made has a loss: of targets, or added by layers alone."""
        return y is not None or training or (self._loss is None and bool(self.losses))

    def total_loss(self, x: Any, y: Any, y_pred: Any, sample_weight: Any, extra: list[Any]) -> Any:
        """Return the loss with the terms of layers and regularizers."""
        self._loss_parts.clear()
        loss = as_ndarray(self.compute_loss(x, y, y_pred, sample_weight))
        own = self._has_own_loss() or type(self).compute_loss is not Compilable.compute_loss
        if self._loss is None and not own and not self.losses:
            raise RuntimeError(
                f"{self.name}: there is nothing to minimize: no loss was given to compile, and no "
                "layer added one"
            )
        return loss
