"""Follows one number of the epoch's logs and decides what is better; must not act on it."""

from __future__ import annotations

import re
import warnings
from numbers import Real
from typing import Any, ClassVar

from minpy.callbacks.callback import Callback, Logs

# The names by which Keras' metrics and losses appear in the logs, by which way is better.
# A metric of one output of several has the output's name before it: 'digit_accuracy'.
_HIGHER_IS_BETTER = (
    "acc",
    "accuracy",
    "binary_accuracy",
    "categorical_accuracy",
    "sparse_categorical_accuracy",
    "top_k_categorical_accuracy",
    "sparse_top_k_categorical_accuracy",
    "auc",
    "precision",
    "recall",
    "f1",
    "f1_score",
    "fbeta_score",
    "average_precision",
    "specificity",
    "sensitivity",
    "precision_at_recall",
    "recall_at_precision",
    "sensitivity_at_specificity",
    "specificity_at_sensitivity",
    "true_positives",
    "true_negatives",
    "iou",
    "io_u",
    "mean_iou",
    "mean_io_u",
    "binary_iou",
    "binary_io_u",
    "one_hot_iou",
    "one_hot_io_u",
    "one_hot_mean_iou",
    "one_hot_mean_io_u",
    "cosine_similarity",
    "r2",
    "r2_score",
    "pearson_correlation",
    "concordance_correlation",
    "cohen_kappa",
)
_LOWER_IS_BETTER = (
    "loss",
    "error",
    "mse",
    "mae",
    "mape",
    "msle",
    "rmse",
    "mean_squared_error",
    "mean_absolute_error",
    "root_mean_squared_error",
    "mean_absolute_percentage_error",
    "mean_squared_logarithmic_error",
    "crossentropy",
    "binary_crossentropy",
    "categorical_crossentropy",
    "sparse_categorical_crossentropy",
    "binary_focal_crossentropy",
    "categorical_focal_crossentropy",
    "kl_divergence",
    "poisson",
    "logcosh",
    "log_cosh",
    "huber",
    "hinge",
    "squared_hinge",
    "categorical_hinge",
    "perplexity",
    "false_positives",
    "false_negatives",
)
_DIRECTIONS = dict.fromkeys(_HIGHER_IS_BETTER, "max") | dict.fromkeys(_LOWER_IS_BETTER, "min")
_SPELLED = {"down": "min", "up": "max", "min": "min", "max": "max"}


class MonitorCallback(Callback):
    """Base of the callbacks that watch a metric and care whether it improved.

    Parameters
    ----------
    monitor : str
        A name in the epoch's logs, such as ``'val_loss'``.
    mode : {'auto', 'min', 'max'}
        Whether lower or higher is better; ``'auto'`` goes by the metric.
    min_delta : float
        A change smaller than this is no improvement (its sign doesn't matter).

    Attributes
    ----------
    best : float or None
        The best value so far.
    """

    state_attributes: ClassVar = {"best": (Real, type(None))}

    def __init__(self, monitor: str = "val_loss", mode: str = "auto", min_delta: float = 0) -> None:
        super().__init__()
        if mode not in ("auto", "min", "max"):
            raise ValueError(
                f"{type(self).__name__}: mode {mode!r} is unknown; expected 'auto', 'min' or 'max'"
            )
        self.monitor = monitor
        self.mode = mode
        self.min_delta = abs(min_delta)
        self.best: float | None = None
        self._direction: str | None = None
        self._found = False
        self._warned = False

    def set_model(self, model: Any) -> None:
        """Take the model, whose metrics may say which way is better."""
        super().set_model(model)
        self._direction = None

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Refuse here, not after an epoch, a metric known to have no known direction."""
        self._found = self._warned = False
        names = {getattr(metric, "name", None) for metric in self._model_metrics()}
        if self.monitor.removeprefix("val_") in names:
            self.direction()

    def direction(self) -> str:
        """Return ``'min'`` or ``'max'``: which way the monitored value gets better.

        Raises
        ------
        ValueError
            If `mode` is ``'auto'`` and neither the metric nor its name tells.
        """
        if self._direction is None:
            self._direction = self.mode if self.mode != "auto" else self._infer_direction()
        return self._direction

    def current_value(self, logs: Logs | None, consequence: str) -> float | None:
        """Return the monitored value, or None after a warning (once) that it isn't there.

        Parameters
        ----------
        logs : mapping
            The epoch's logs.
        consequence : str
            What the callback does without it, for the warning.
        """
        logs = {} if logs is None else logs
        value = logs.get(self.monitor)
        if value is None:
            # Found before: this epoch had no validation, which is nothing to warn of.
            if not (self._found or self._warned):
                self._warned = True
                warnings.warn(
                    f"{type(self).__name__} monitors {self.monitor!r}, which is not available; "
                    f"available are: {', '.join(logs) or 'none'}. {consequence}",
                    stacklevel=3,
                )
            return None
        if getattr(value, "ndim", 0):
            if value.size != 1:
                raise ValueError(
                    f"{type(self).__name__} monitors {self.monitor!r}, which is an array of shape "
                    f"{value.shape}; expected a single number"
                )
            value = value.item()
        self._found = True
        return float(value)

    def improves(self, value: float, reference: float | None) -> bool:
        """Tell whether `value` is better than `reference` by more than `min_delta`.

        Anything finite is better than no reference; NaN is never better.
        """
        if self.direction() == "min":
            return value + self.min_delta < (float("inf") if reference is None else reference)
        return value - self.min_delta > (float("-inf") if reference is None else reference)

    def _model_metrics(self) -> list[Any]:
        return list(getattr(self.model, "metrics", None) or ())

    def _infer_direction(self) -> str:
        name = self.monitor.removeprefix("val_")
        for metric in self._model_metrics():
            if getattr(metric, "name", None) == name:
                told = getattr(metric, "direction", getattr(metric, "_direction", None))
                if told in _SPELLED:
                    return _SPELLED[told]
        words = re.sub(r"_\d+$", "", name).split("_")  # 'auc_1' is the second auc
        for start in range(len(words)):
            ending = "_".join(words[start:])
            if ending in _DIRECTIONS:
                return _DIRECTIONS[ending]
        raise ValueError(
            f"{type(self).__name__}: can't tell whether {self.monitor!r} gets better by going up "
            "or down; pass mode='max' or mode='min'"
        )
