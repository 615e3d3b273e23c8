"""Weighted harmonic means of precision and recall."""

from __future__ import annotations

from typing import Any

import numpy

from minpy.errors import ShapeError
from minpy.metrics.confusion import ratio
from minpy.metrics.metric import Metric, value_of

__all__ = ["F1Score", "FBetaScore"]


class FBetaScore(Metric):
    """The harmonic mean of precision and recall, in which recall counts beta² times.

    Parameters
    ----------
    average
        How classes become one number: None for a number a class, ``'micro'`` from the counts of all
        classes, ``'macro'`` the mean, ``'weighted'`` the mean weighted by how often each occurs.
    beta
        Positive.
    threshold
        What a prediction must be above to be positive; None takes the largest of a sample.
    name, dtype
        As of `Metric`.

    Examples
    --------
    >>> metric = FBetaScore(average='macro', beta=2.0, threshold=0.5)
    >>> metric.update_state([[1, 0], [1, 1]], [[0.9, 0.1], [0.2, 0.8]])
    >>> metric.result()
    0.777
    """

    sums = ("true_positives", "false_positives", "false_negatives", "occurrences")

    def __init__(
        self,
        average: str | None = None,
        beta: float = 1.0,
        threshold: float | None = None,
        name: str = "fbeta_score",
        dtype: Any = None,
    ) -> None:
        super().__init__(dtype, name)
        if average not in (None, "micro", "macro", "weighted"):
            raise ValueError(
                f"{type(self).__name__}: expected average to be None, 'micro', 'macro' or "
                f"'weighted', got {average!r}"
            )
        if not isinstance(beta, float | int) or isinstance(beta, bool) or not beta > 0:
            raise ValueError(f"{type(self).__name__}: expected a number beta > 0, got {beta!r}")
        number = isinstance(threshold, float | int) and not isinstance(threshold, bool)
        if threshold is not None and not (number and 0 < threshold <= 1):
            raise ValueError(
                f"{type(self).__name__}: expected a threshold above 0 and at most 1, or None, got "
                f"{threshold!r}"
            )
        self.average = average
        self.beta = beta
        self.threshold = threshold

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Count one batch."""
        y_true, y_pred = value_of(y_true), value_of(y_pred)
        if y_pred.ndim != 2 or y_true.shape != y_pred.shape:
            raise ShapeError(
                f"{self.name}: expected targets and predictions of shape (batch, classes), got "
                f"{y_true.shape} and {y_pred.shape}"
            )
        if self.threshold is None:
            positive = (y_pred >= y_pred.max(-1, keepdims=True)) & (numpy.abs(y_pred) > 1e-9)
        else:
            positive = y_pred > self.threshold
        true = y_true.astype(numpy.float64)
        positive = positive.astype(numpy.float64)
        weights = numpy.ones(()) if sample_weight is None else value_of(sample_weight)
        weights = weights[:, None] if weights.ndim == 1 else weights
        axis = None if self.average == "micro" else 0
        self.true_positives = self.true_positives + (weights * positive * true).sum(axis)
        self.false_positives = self.false_positives + (weights * positive * (1 - true)).sum(axis)
        self.false_negatives = self.false_negatives + (weights * (1 - positive) * true).sum(axis)
        self.occurrences = self.occurrences + (weights * true).sum(axis)

    def result(self) -> Any:
        """Return the score, or one for each class."""
        squared = self.beta**2
        right = (1 + squared) * self.true_positives
        scores = ratio(right, squared * self.false_negatives + self.false_positives)
        if self.average == "weighted":
            total = numpy.sum(self.occurrences)
            return float((scores * self.occurrences).sum() / total) if total else 0.0
        return scores if self.average is None else float(numpy.mean(scores))

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal metric."""
        return {
            **super().get_config(),
            "average": self.average,
            "beta": self.beta,
            "threshold": self.threshold,
        }


class F1Score(FBetaScore):
    """The harmonic mean of precision and recall.

    Parameters
    ----------
    average, threshold, name, dtype
        As of `FBetaScore`.

    Examples
    --------
    >>> metric = F1Score(threshold=0.5)
    >>> metric.update_state([[1, 0], [1, 1]], [[0.9, 0.1], [0.2, 0.8]])
    >>> metric.result()
    array([0.667, 1. ])
    """

    def __init__(
        self,
        average: str | None = None,
        threshold: float | None = None,
        name: str = "f1_score",
        dtype: Any = None,
    ) -> None:
        super().__init__(average, 1.0, threshold, name, dtype)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal metric."""
        config = super().get_config()
        del config["beta"]
        return config
