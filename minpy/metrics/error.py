"""Means of the loss functions, and other measures of how far predictions are from targets."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy

from minpy import losses
from minpy.config import epsilon
from minpy.errors import ShapeError
from minpy.metrics.accuracy import same_rank
from minpy.metrics.metric import Mean, Metric, metric_class, value_of

__all__ = [
    "BinaryCrossentropy",
    "CategoricalCrossentropy",
    "CategoricalHinge",
    "ConcordanceCorrelation",
    "CosineSimilarity",
    "Hinge",
    "KLDivergence",
    "LogCoshError",
    "MeanAbsoluteError",
    "MeanAbsolutePercentageError",
    "MeanSquaredError",
    "MeanSquaredLogarithmicError",
    "PearsonCorrelation",
    "Poisson",
    "R2Score",
    "RootMeanSquaredError",
    "SparseCategoricalCrossentropy",
    "SquaredHinge",
    "concordance_correlation",
    "cosine_similarity",
    "pearson_correlation",
]

MeanSquaredError = metric_class(losses.mean_squared_error, "MeanSquaredError")
MeanAbsoluteError = metric_class(losses.mean_absolute_error, "MeanAbsoluteError")
MeanAbsolutePercentageError = metric_class(
    losses.mean_absolute_percentage_error, "MeanAbsolutePercentageError"
)
MeanSquaredLogarithmicError = metric_class(
    losses.mean_squared_logarithmic_error, "MeanSquaredLogarithmicError"
)
LogCoshError = metric_class(losses.log_cosh, "LogCoshError", "logcosh")
KLDivergence = metric_class(losses.kl_divergence, "KLDivergence")
Poisson = metric_class(losses.poisson, "Poisson")
Hinge = metric_class(losses.hinge, "Hinge")
SquaredHinge = metric_class(losses.squared_hinge, "SquaredHinge")
CategoricalHinge = metric_class(losses.categorical_hinge, "CategoricalHinge")
BinaryCrossentropy = metric_class(
    losses.binary_crossentropy, "BinaryCrossentropy", options=("from_logits", "label_smoothing")
)
CategoricalCrossentropy = metric_class(
    losses.categorical_crossentropy,
    "CategoricalCrossentropy",
    options=("from_logits", "label_smoothing", "axis"),
)
SparseCategoricalCrossentropy = metric_class(
    losses.sparse_categorical_crossentropy,
    "SparseCategoricalCrossentropy",
    options=("from_logits", "ignore_class", "axis"),
)


# --- similarity: large is good, where the loss is its negative ------------------------------------


def cosine_similarity(y_true: Any, y_pred: Any, axis: int = -1) -> Any:
    """Cosine of the angle between targets and predictions; 1 is the same direction.

    Parameters
    ----------
    y_true, y_pred
        Of one shape.
    axis
        Along which the vectors lie.
    """
    return -losses.cosine_similarity(y_true, y_pred, axis)


def pearson_correlation(y_true: Any, y_pred: Any, axis: int = -1) -> numpy.ndarray:
    """Pearson's correlation of targets and predictions, -1 to 1.

    Parameters
    ----------
    y_true, y_pred
        Of one shape.
    axis
        Along which they are correlated.
    """
    true, predicted = _doubles("pearson_correlation", y_true, y_pred)
    true = true - true.mean(axis, keepdims=True)
    predicted = predicted - predicted.mean(axis, keepdims=True)
    with numpy.errstate(invalid="ignore", divide="ignore"):
        return (true * predicted).mean(axis) / (true.std(axis) * predicted.std(axis))


def concordance_correlation(y_true: Any, y_pred: Any, axis: int = -1) -> numpy.ndarray:
    """Lin's concordance correlation: Pearson's, less what the means and scales differ.

    Parameters
    ----------
    y_true, y_pred
        Of one shape.
    axis
        Along which they are correlated.

    Notes
    -----
    Lin, 1989, with Keras' `epsilon` in the denominator.
    """
    true, predicted = _doubles("concordance_correlation", y_true, y_pred)
    apart = true.mean(axis) - predicted.mean(axis)
    common = ((true - true.mean(axis, keepdims=True)) * predicted).mean(axis)
    return 2 * common / (true.var(axis) + predicted.var(axis) + apart**2 + epsilon())


def _doubles(name: str, y_true: Any, y_pred: Any) -> tuple[numpy.ndarray, numpy.ndarray]:
    true, predicted = same_rank(name, y_true, y_pred)
    return true.astype(numpy.float64), predicted.astype(numpy.float64)


CosineSimilarity = metric_class(cosine_similarity, "CosineSimilarity", options=("axis",))
PearsonCorrelation = metric_class(pearson_correlation, "PearsonCorrelation", options=("axis",))
ConcordanceCorrelation = metric_class(
    concordance_correlation, "ConcordanceCorrelation", options=("axis",)
)


# --- not a mean over samples ----------------------------------------------------------------------


class RootMeanSquaredError(Mean):
    """The root of the mean of ``(y_true - y_pred)²`` over all samples.

    Parameters
    ----------
    name, dtype
        As of `Metric`.

    Examples
    --------
    >>> metric = RootMeanSquaredError()
    >>> metric.update_state([0., 0.], [3., 4.])
    >>> metric.result()
    3.5355
    """

    def __init__(self, name: str = "root_mean_squared_error", dtype: Any = None) -> None:
        super().__init__(name, dtype)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Count one batch."""
        true, predicted = same_rank(self.name, y_true, y_pred)
        super().update_state(numpy.square(predicted - true), sample_weight)

    def result(self) -> float:
        """Return the root of the mean."""
        return math.sqrt(super().result())


class R2Score(Metric):
    """The share of the targets' variance that predictions explain; 1 is perfect.

    Parameters
    ----------
    class_aggregation
        How outputs become one number: ``'uniform_average'``, ``'variance_weighted_average'``, or
        None for a number an output.
    num_regressors
        Number of inputs of the model, for the adjusted score; 0 for the plain one.
    name, dtype
        As of `Metric`.

    Examples
    --------
    >>> metric = R2Score()
    >>> metric.update_state([[1.], [2.], [3.]], [[1.], [2.], [4.]])
    >>> metric.result()
    0.5
    """

    sums = ("weighted", "squared", "residual", "weights", "samples")

    def __init__(
        self,
        class_aggregation: str | None = "uniform_average",
        num_regressors: int = 0,
        name: str = "r2_score",
        dtype: Any = None,
    ) -> None:
        super().__init__(dtype, name)
        known = (None, "uniform_average", "variance_weighted_average")
        if class_aggregation not in known:
            raise ValueError(
                f"R2Score: expected class_aggregation to be one of {known}, "
                f"got {class_aggregation!r}"
            )
        if num_regressors < 0:
            raise ValueError(f"R2Score: expected num_regressors ≥ 0, got {num_regressors}")
        self.class_aggregation = class_aggregation
        self.num_regressors = num_regressors

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Count one batch."""
        true, predicted = _doubles(self.name, y_true, y_pred)
        if true.ndim == 1:
            true, predicted = true[:, None], predicted[:, None]
        if true.ndim != 2:
            raise ShapeError(f"R2Score: expected shape (batch, outputs), got {true.shape}")
        weights = numpy.ones(()) if sample_weight is None else value_of(sample_weight)
        weights = weights[:, None] if weights.ndim == 1 else weights
        weights = numpy.broadcast_to(weights, true.shape).astype(numpy.float64)
        self.weighted = self.weighted + (true * weights).sum(0)
        self.squared = self.squared + (true * true * weights).sum(0)
        self.residual = self.residual + ((true - predicted) ** 2 * weights).sum(0)
        self.weights = self.weights + weights.sum(0)
        self.samples = self.samples + true.size

    def result(self) -> Any:
        """Return the score."""
        if not self.samples:
            return 0.0
        variance = self.squared - self.weighted**2 / self.weights
        with numpy.errstate(divide="ignore", invalid="ignore"):
            scores = 1.0 - self.residual / variance
        scores = numpy.where(numpy.isinf(scores), 0.0, scores)
        if self.class_aggregation == "uniform_average":
            scores = scores.mean()
        elif self.class_aggregation == "variance_weighted_average":
            scores = (variance * scores).sum() / variance.sum()
        left = self.samples - self.num_regressors - 1
        if self.num_regressors and left <= 0:
            warnings.warn(
                f"R2Score: {self.num_regressors} regressors are too many for {self.samples:g} "
                "values; the score isn't adjusted",
                stacklevel=2,
            )
        elif self.num_regressors:
            scores = 1.0 - (1.0 - scores) * (self.samples - 1) / left
        return float(scores) if numpy.ndim(scores) == 0 else scores

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal metric."""
        return {
            **super().get_config(),
            "class_aggregation": self.class_aggregation,
            "num_regressors": self.num_regressors,
        }
