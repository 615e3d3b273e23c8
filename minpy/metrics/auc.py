"""The area under a curve of two rates over all thresholds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy

from minpy.config import epsilon
from minpy.errors import ShapeError
from minpy.metrics.accuracy import same_rank
from minpy.metrics.confusion import ThresholdMetric, even_thresholds, ratio
from minpy.metrics.metric import Metric, value_of

__all__ = ["AUC"]

_CURVES = ("ROC", "PR", "PRGAIN")
_HEIGHTS = {
    "interpolation": lambda a, b: (a + b) / 2,
    "minoring": numpy.minimum,
    "majoring": numpy.maximum,
}


class AUC(Metric):
    """The area under the ROC or the precision-recall curve.

    Parameters
    ----------
    num_thresholds
        How many points of the curve are computed.
    curve
        ``'ROC'`` (true over false positive rate), ``'PR'`` (precision over recall) or ``'PRGAIN'``.
    summation_method
        Between two points: ``'interpolation'``, or a rectangle of the lower (``'minoring'``) or of
        the higher one (``'majoring'``). On the PR curve interpolation is that of the counts (Davis
        and Goadrich, 2006, section 5).
    name, dtype
        As of `Metric`.
    thresholds
        Thresholds between 0 and 1 to use instead of `num_thresholds` even ones.
    multi_label
        Whether ``(batch, labels)`` has a curve for each label; the result is their mean.
    num_labels
        Number of labels, needed only by who wants it checked.
    label_weights
        Weights of the labels: in the mean, or of their predictions in the one curve.
    from_logits
        Whether the predictions are logits.

    Examples
    --------
    >>> metric = AUC()
    >>> metric.update_state([0, 0, 1, 1], [0., 0.5, 0.3, 0.9])
    >>> metric.result()
    0.75
    """

    def __init__(
        self,
        num_thresholds: int = 200,
        curve: str = "ROC",
        summation_method: str = "interpolation",
        name: str | None = None,
        dtype: Any = None,
        thresholds: Sequence[float] | None = None,
        multi_label: bool = False,
        num_labels: int | None = None,
        label_weights: Sequence[float] | None = None,
        from_logits: bool = False,
    ) -> None:
        super().__init__(dtype, name)
        curve, summation_method = curve.upper(), summation_method.lower()
        if curve not in _CURVES:
            raise ValueError(f"AUC: expected curve to be one of {_CURVES}, got {curve!r}")
        if summation_method not in _HEIGHTS:
            raise ValueError(
                f"AUC: expected summation_method to be one of {tuple(_HEIGHTS)}, "
                f"got {summation_method!r}"
            )
        if thresholds is None and num_thresholds < 2:
            raise ValueError(f"AUC: expected num_thresholds ≥ 2, got {num_thresholds}")
        if num_labels and not multi_label:
            raise ValueError("AUC: num_labels goes with multi_label=True")
        self._given = None if thresholds is None else sorted(float(t) for t in thresholds)
        inner = even_thresholds(num_thresholds)[1:-1] if self._given is None else self._given
        # Beyond 0 and 1, so that predictions of exactly 0 and 1 are on a known side.
        self.thresholds = [-epsilon(), *inner, 1.0 + epsilon()]
        self.num_thresholds = len(self.thresholds)
        self.curve = curve
        self.summation_method = summation_method
        self.multi_label = multi_label
        self.num_labels = num_labels
        self.label_weights = None if label_weights is None else [float(x) for x in label_weights]
        self.from_logits = from_logits
        # One set of counts, or one for each label; how many labels there are the first batch says
        # where nothing else does.
        sets = (num_labels or 0) if multi_label else 1
        self._counts = [ThresholdMetric(self.thresholds, self.name) for _ in range(sets)]

    @property
    def variables(self) -> list[Any]:
        """The counts at each threshold, of all labels together or one after the other."""
        return [variable for counts in self._counts for variable in counts.variables]

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Count one batch."""
        y_true, y_pred = same_rank(self.name, y_true, y_pred)
        if self.from_logits:
            y_pred = 1.0 / (1.0 + numpy.exp(-y_pred.astype(numpy.float64)))
        weights = None if sample_weight is None else value_of(sample_weight)
        if self.multi_label:
            self._count_labels(y_true, y_pred, weights)
            return
        if weights is not None and weights.ndim < y_pred.ndim:
            weights = weights.reshape(weights.shape + (1,) * (y_pred.ndim - weights.ndim))
        if self.label_weights is not None:
            weights = numpy.asarray(self.label_weights) * (1.0 if weights is None else weights)
        self._counts[0].count(y_true, y_pred, weights)

    def _count_labels(self, y_true: Any, y_pred: Any, weights: Any) -> None:
        labels = self.num_labels or (len(self._counts) or None)
        if y_pred.ndim != 2 or (labels is not None and y_pred.shape[1] != labels):
            raise ShapeError(
                f"AUC: multi_label expects predictions of shape (batch, {labels or 'labels'}), "
                f"got {y_pred.shape}"
            )
        if not self._counts:
            self._counts = [
                ThresholdMetric(self.thresholds, self.name) for _ in range(y_pred.shape[1])
            ]
        for i, counts in enumerate(self._counts):
            own = weights[:, i] if weights is not None and weights.ndim == 2 else weights
            counts.count(y_true[:, i], y_pred[:, i], own)

    def result(self) -> float:
        """Return the area; 0 if nothing was counted."""
        if not self._counts:
            return 0.0
        areas = [self._area(counts) for counts in self._counts]
        if not self.multi_label:
            return areas[0]
        return float(numpy.average(areas, weights=self.label_weights))

    def _area(self, counts: ThresholdMetric) -> float:
        tp, fp = counts.true_positives, counts.false_positives
        tn, fn = counts.true_negatives, counts.false_negatives
        if self.curve == "PR" and self.summation_method == "interpolation":
            return _interpolated_precision_recall(tp, fp, fn)
        recall = ratio(tp, fn)
        if self.curve == "ROC":
            x, y = ratio(fp, tn), recall
        elif self.curve == "PR":
            x, y = recall, ratio(tp, fp)
        else:
            # Flach and Kull, 2015: gains over the classifier that says yes always.
            odds = _quotient(tp + fn, tn + fp)
            x = numpy.maximum(numpy.where(tp == 0, 0.0, 1.0 - odds * _quotient(fn, tp)), 0.0)
            y = numpy.where(tp == 0, 1.0, 1.0 - odds * _quotient(fp, tp))
        heights = _HEIGHTS[self.summation_method](y[:-1], y[1:])
        return float(((x[:-1] - x[1:]) * heights).sum())

    def reset_state(self) -> None:
        """Forget all batches."""
        for counts in self._counts:
            counts.reset_state()

    def get_state(self) -> dict[str, Any]:
        """Return the counts, as JSON can hold them."""
        return {"counts": [counts.get_state() for counts in self._counts]}

    def set_state(self, state: Any) -> None:
        """Go on from what `get_state` returned."""
        self._counts = [ThresholdMetric(self.thresholds, self.name) for _ in state["counts"]]
        for counts, own in zip(self._counts, state["counts"], strict=True):
            counts.set_state(own)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal metric."""
        return {
            **super().get_config(),
            "num_thresholds": self.num_thresholds,
            "curve": self.curve,
            "summation_method": self.summation_method,
            "thresholds": self._given,
            "multi_label": self.multi_label,
            "num_labels": self.num_labels,
            "label_weights": self.label_weights,
            "from_logits": self.from_logits,
        }


def _quotient(a: Any, b: Any) -> numpy.ndarray:
    b = numpy.asarray(b, numpy.float64)
    return numpy.divide(a, b, out=numpy.zeros_like(b), where=b != 0)


def _interpolated_precision_recall(tp: Any, fp: Any, fn: Any) -> float:
    """Sum ∫ (intercept + slope · p) / p dp over the positive predictions p between two points."""
    positive = tp + fp
    found = tp[:-1] - tp[1:]
    slope = _quotient(found, numpy.maximum(positive[:-1] - positive[1:], 0))
    intercept = tp[1:] - slope * positive[1:]
    both = (positive[:-1] > 0) & (positive[1:] > 0)
    growth = numpy.where(both, _quotient(positive[:-1], positive[1:]), 1.0)
    parts = slope * (found + intercept * numpy.log(growth))
    return float(_quotient(parts, tp[1:] + fn[1:]).sum())
