"""Counts of right and wrong, positive and negative predictions at thresholds, and their ratios."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

import numpy

from minpy.errors import ShapeError
from minpy.metrics.accuracy import same_rank
from minpy.metrics.metric import Metric, value_of

__all__ = [
    "FalseNegatives",
    "FalsePositives",
    "Precision",
    "PrecisionAtRecall",
    "Recall",
    "RecallAtPrecision",
    "SensitivityAtSpecificity",
    "SpecificityAtSensitivity",
    "TrueNegatives",
    "TruePositives",
]


def ratio(part: Any, rest: Any) -> numpy.ndarray:
    """Return ``part / (part + rest)``, 0 where both are."""
    whole = numpy.asarray(part + rest, numpy.float64)
    return numpy.divide(part, whole, out=numpy.zeros_like(whole), where=whole != 0)


def even_thresholds(count: int) -> list[float]:
    """Return so many thresholds from 0 to 1, 0.5 for one."""
    return [0.5] if count == 1 else [i / (count - 1) for i in range(count)]


class ThresholdMetric(Metric):
    """The base of metrics that count, for each threshold, the four kinds of predictions.

    A prediction is positive if it is above the threshold. Attributes ``true_positives`` … have an
    element for each threshold.

    Parameters
    ----------
    thresholds
        Rising or not; a list of numbers.
    name, dtype
        As of `Metric`.
    """

    sums = ("true_positives", "false_positives", "true_negatives", "false_negatives")

    def __init__(self, thresholds: Sequence[float], name: str | None, dtype: Any = None) -> None:
        super().__init__(dtype, name)
        self.thresholds = list(thresholds)
        self._order = numpy.argsort(self.thresholds, kind="stable")
        self._sorted = numpy.asarray(self.thresholds, numpy.float64)[self._order]
        self.reset_state()

    def reset_state(self) -> None:
        """Forget all batches."""
        for own in self.sums:
            setattr(self, own, numpy.zeros(len(self.thresholds)))

    def count(self, y_true: Any, y_pred: Any, weights: Any = None) -> None:
        """Count predictions, each with its weight, all elements as one sequence."""
        positive = y_true.astype(bool).ravel()
        if weights is None:
            weights = numpy.ones(positive.shape)
        else:
            weights = numpy.broadcast_to(weights, y_pred.shape).ravel().astype(numpy.float64)
        # How many of the sorted thresholds a prediction is above; it is positive for those.
        above = numpy.searchsorted(self._sorted, y_pred.ravel(), side="left")
        above[numpy.isnan(y_pred.ravel())] = 0
        size = len(self.thresholds) + 1
        of_true = numpy.bincount(above, weights * positive, size)
        of_false = numpy.bincount(above, weights * ~positive, size)
        # Positive for threshold i are the predictions above more than i thresholds.
        tp = of_true[::-1].cumsum()[::-1][1:]
        fp = of_false[::-1].cumsum()[::-1][1:]
        back = numpy.empty_like(self._order)
        back[self._order] = numpy.arange(len(back))
        self.true_positives = self.true_positives + tp[back]
        self.false_positives = self.false_positives + fp[back]
        self.false_negatives = self.false_negatives + (of_true.sum() - tp)[back]
        self.true_negatives = self.true_negatives + (of_false.sum() - fp)[back]

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Count one batch."""
        y_true, y_pred = same_rank(self.name, y_true, y_pred)
        self.count(*self.select(y_true, y_pred, _as_column(sample_weight, y_pred)))

    def select(self, y_true: Any, y_pred: Any, weights: Any) -> tuple[Any, Any, Any]:
        """Return what of a batch counts."""
        return y_true, y_pred, weights

    def one_or_all(self, values: numpy.ndarray) -> Any:
        """Return a number where there is one threshold."""
        return float(values[0]) if len(self.thresholds) == 1 else values


def _as_column(weights: Any, like: numpy.ndarray) -> Any:
    """Give weights of samples the axes of predictions."""
    if weights is None:
        return None
    weights = value_of(weights)
    if weights.ndim < like.ndim:
        weights = weights.reshape(weights.shape + (1,) * (like.ndim - weights.ndim))
    try:
        numpy.broadcast_to(weights, like.shape)
    except ValueError:
        raise ShapeError(
            f"sample_weight: expected one weight a sample for predictions of shape {like.shape}, "
            f"got shape {weights.shape}"
        ) from None
    return weights


def _listed(owner: str, thresholds: Any, default: float) -> list[float]:
    if thresholds is None:
        return [default]
    listed = list(thresholds) if isinstance(thresholds, list | tuple) else [thresholds]
    wrong = [t for t in listed if t is None or not 0 <= t <= 1]
    if wrong:
        raise ValueError(f"{owner}: expected thresholds from 0 to 1, got {wrong}")
    return [float(t) for t in listed]


# --- counts ---------------------------------------------------------------------------------------


class _Count(ThresholdMetric):
    counted = ""

    def __init__(self, thresholds: Any = None, name: str | None = None, dtype: Any = None) -> None:
        self._given = thresholds
        super().__init__(_listed(type(self).__name__, thresholds, 0.5), name, dtype)

    def result(self) -> Any:
        """Return the count, for each threshold if there are several."""
        return self.one_or_all(getattr(self, self.counted))

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal metric."""
        return {**super().get_config(), "thresholds": self._given}


def _count_class(name: str, counted: str, what: str) -> type:
    doc = f"""Counts {what}.

    Parameters
    ----------
    thresholds
        A number or several, 0.5 if not given: a prediction above it is positive.
    name, dtype
        As of `Metric`.

    Examples
    --------
    >>> metric = {name}()
    >>> metric.update_state([1, 1, 0, 0], [0.9, 0.2, 0.8, 0.1])
    >>> metric.result()
    1.0
    """
    return type(name, (_Count,), {"counted": counted, "__doc__": doc, "__module__": __name__})


TruePositives = _count_class("TruePositives", "true_positives", "positive predictions of 1")
TrueNegatives = _count_class("TrueNegatives", "true_negatives", "negative predictions of 0")
FalsePositives = _count_class("FalsePositives", "false_positives", "positive predictions of 0")
FalseNegatives = _count_class("FalseNegatives", "false_negatives", "negative predictions of 1")


# --- precision and recall -------------------------------------------------------------------------


class _OfClasses(ThresholdMetric):
    """Counts at thresholds, of the k best predictions, of one class only."""

    def __init__(
        self,
        thresholds: Any = None,
        top_k: int | None = None,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        self._given = thresholds
        self.top_k = top_k
        self.class_id = class_id
        default = 0.5 if top_k is None else -numpy.inf
        super().__init__(_listed(type(self).__name__, thresholds, default), name, dtype)

    def select(self, y_true: Any, y_pred: Any, weights: Any) -> tuple[Any, Any, Any]:
        """Return the class that counts, and make all but the k best predictions negative."""
        if self.top_k is not None:
            best = numpy.argsort(-y_pred, axis=-1, kind="stable")[..., : self.top_k]
            kept = numpy.full(y_pred.shape, -numpy.inf)
            numpy.put_along_axis(kept, best, numpy.take_along_axis(y_pred, best, -1), -1)
            y_pred = kept
        if self.class_id is not None:
            if y_pred.ndim < 2 or not -y_pred.shape[-1] <= self.class_id < y_pred.shape[-1]:
                raise ShapeError(
                    f"{self.name}: class_id {self.class_id} needs predictions of shape "
                    f"(batch, classes) with more classes, got {y_pred.shape}"
                )
            pick = (..., slice(self.class_id, (self.class_id + 1) or None))
            y_true, y_pred = y_true[pick], y_pred[pick]
            if weights is not None and weights.shape[-1] != 1:
                weights = weights[pick]
        return y_true, y_pred, weights

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal metric."""
        return {
            **super().get_config(),
            "thresholds": self._given,
            "top_k": self.top_k,
            "class_id": self.class_id,
        }


class Precision(_OfClasses):
    """The share of positive predictions that are right.

    Parameters
    ----------
    thresholds
        A number or several, 0.5 if not given: a prediction above it is positive.
    top_k
        Count only the k best predictions of a sample as positive.
    class_id
        Count only this class of ``(batch, classes)``.
    name, dtype
        As of `Metric`.

    Examples
    --------
    >>> metric = Precision()
    >>> metric.update_state([1, 1, 0, 0], [0.9, 0.2, 0.8, 0.7])
    >>> metric.result()
    0.333
    """

    def result(self) -> Any:
        """Return the precision, for each threshold if there are several."""
        return self.one_or_all(ratio(self.true_positives, self.false_positives))


class Recall(_OfClasses):
    """The share of targets of 1 that are found.

    Parameters
    ----------
    thresholds, top_k, class_id, name, dtype
        As of `Precision`.

    Examples
    --------
    >>> metric = Recall()
    >>> metric.update_state([1, 1, 0, 0], [0.9, 0.2, 0.8, 0.7])
    >>> metric.result()
    0.5
    """

    def result(self) -> Any:
        """Return the recall, for each threshold if there are several."""
        return self.one_or_all(ratio(self.true_positives, self.false_negatives))


# --- the best of one at a given other -------------------------------------------------------------

_RATES = {
    "sensitivity": ("true_positives", "false_negatives"),
    "specificity": ("true_negatives", "false_positives"),
    "precision": ("true_positives", "false_positives"),
    "recall": ("true_positives", "false_negatives"),
}


class _BestAt(ThresholdMetric):
    wanted = ""
    given = ""

    def __init__(
        self,
        value: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        own = type(self).__name__
        if not 0 <= value <= 1:
            raise ValueError(f"{own}: expected {self.given} from 0 to 1, got {value}")
        if num_thresholds < 1:
            raise ValueError(f"{own}: expected num_thresholds ≥ 1, got {num_thresholds}")
        self.num_thresholds = num_thresholds
        self.class_id = class_id
        setattr(self, self.given, value)
        super().__init__(even_thresholds(num_thresholds), name, dtype)

    select = _OfClasses.select
    top_k = None

    def result(self) -> float:
        """Return the best value among the thresholds at which the condition holds; 0 if none."""
        wanted = ratio(*(getattr(self, own) for own in _RATES[self.wanted]))
        given = ratio(*(getattr(self, own) for own in _RATES[self.given]))
        return float(numpy.where(given >= getattr(self, self.given), wanted, 0.0).max())

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal metric."""
        return {
            **super().get_config(),
            self.given: getattr(self, self.given),
            "num_thresholds": self.num_thresholds,
            "class_id": self.class_id,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Metric:
        """Make a metric of what `get_config` returned."""
        return cls(config.pop(cls.given), **config)


def _best_at_class(name: str, wanted: str, given: str) -> type:
    def __init__(
        self: Any,
        value: float | None = None,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
        **named: float,
    ) -> None:
        if value is None:
            value = named.pop(given, None)
        if named or value is None:
            raise TypeError(f"{type(self).__name__}: expected {given}, got {named or 'nothing'}")
        _BestAt.__init__(self, value, num_thresholds, class_id, name, dtype)

    # As Keras has it: the condition by its own name, and no default.
    own = [
        p.replace(name=given, default=p.empty) if p.name == "value" else p
        for p in inspect.signature(__init__).parameters.values()
        if p.kind is not p.VAR_KEYWORD
    ]
    __init__.__signature__ = inspect.Signature(own)  # type: ignore[attr-defined]
    doc = f"""The best {wanted} at thresholds where the {given} is at least a given one.

    Parameters
    ----------
    {given}
        The smallest {given} allowed, 0 to 1.
    num_thresholds
        How many thresholds from 0 to 1 are looked at.
    class_id
        Count only this class of ``(batch, classes)``.
    name, dtype
        As of `Metric`.
    """
    body = {
        "__init__": __init__,
        "wanted": wanted,
        "given": given,
        "__doc__": doc,
        "__module__": __name__,
    }
    return type(name, (_BestAt,), body)


SensitivityAtSpecificity = _best_at_class("SensitivityAtSpecificity", "sensitivity", "specificity")
SpecificityAtSensitivity = _best_at_class("SpecificityAtSensitivity", "specificity", "sensitivity")
PrecisionAtRecall = _best_at_class("PrecisionAtRecall", "precision", "recall")
RecallAtPrecision = _best_at_class("RecallAtPrecision", "recall", "precision")
