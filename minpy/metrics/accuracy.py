"""How often predictions are right. Functions return whether each one is; classes take the mean."""

from __future__ import annotations

from typing import Any

import numpy

from minpy.errors import ShapeError
from minpy.metrics.metric import Metric, metric_class, value_of

__all__ = [
    "Accuracy",
    "AccuracyByShape",
    "BinaryAccuracy",
    "CategoricalAccuracy",
    "SparseCategoricalAccuracy",
    "SparseTopKCategoricalAccuracy",
    "TopKCategoricalAccuracy",
    "accuracy",
    "binary_accuracy",
    "categorical_accuracy",
    "kind_of_accuracy",
    "sparse_categorical_accuracy",
    "sparse_top_k_categorical_accuracy",
    "top_k_categorical_accuracy",
]


def same_rank(name: str, y_true: Any, y_pred: Any) -> tuple[numpy.ndarray, numpy.ndarray]:
    """Return targets and predictions as NumPy arrays of one shape.

    Raises
    ------
    ShapeError
        If they differ by more than a last axis of length one.
    """
    y_true, y_pred = value_of(y_true), value_of(y_pred)
    if y_true.shape == y_pred.shape:
        return y_true, y_pred
    if y_true.ndim == y_pred.ndim + 1 and y_true.shape[-1] == 1:
        y_pred = y_pred[..., None]
    elif y_pred.ndim == y_true.ndim + 1 and y_pred.shape[-1] == 1:
        y_true = y_true[..., None]
    if y_true.shape != y_pred.shape:
        raise ShapeError(
            f"{name}: expected y_true of shape {y_pred.shape}, as y_pred has, got {y_true.shape}"
        )
    return y_true, y_pred


def accuracy(y_true: Any, y_pred: Any) -> numpy.ndarray:
    """Whether predictions equal targets.

    Parameters
    ----------
    y_true, y_pred
        Of one shape.

    Examples
    --------
    >>> accuracy([1, 2, 3], [1, 0, 3])
    array([ True, False,  True])
    """
    y_true, y_pred = same_rank("accuracy", y_true, y_pred)
    return y_true == y_pred


def binary_accuracy(y_true: Any, y_pred: Any, threshold: float = 0.5) -> numpy.ndarray:
    """Whether predictions are on the targets' side of a threshold.

    Parameters
    ----------
    y_true
        0 and 1.
    y_pred
        Of the same shape; above the threshold means 1.
    threshold
        The threshold: 0.5 for probabilities, 0 for logits.

    Examples
    --------
    >>> binary_accuracy([1, 0], [0.7, 0.6])
    array([ True, False])
    """
    y_true, y_pred = same_rank("binary_accuracy", y_true, y_pred)
    return y_true == (y_pred > threshold)


def categorical_accuracy(y_true: Any, y_pred: Any) -> numpy.ndarray:
    """Whether the largest prediction is that of the one-hot row's class.

    Parameters
    ----------
    y_true, y_pred
        ``(batch, …, classes)``.

    Examples
    --------
    >>> categorical_accuracy([[0, 1], [1, 0]], [[0.1, 0.9], [0.2, 0.8]])
    array([ True, False])
    """
    y_true, y_pred = value_of(y_true), value_of(y_pred)
    if y_true.shape != y_pred.shape:
        raise ShapeError(
            f"categorical_accuracy: expected one-hot rows of shape {y_pred.shape}, as y_pred has, "
            f"got {y_true.shape}; for integer labels use 'sparse_categorical_accuracy'"
        )
    return y_true.argmax(-1) == y_pred.argmax(-1)


def sparse_categorical_accuracy(y_true: Any, y_pred: Any) -> numpy.ndarray:
    """Whether the largest prediction is that of the label's class.

    Parameters
    ----------
    y_true
        Labels, ``(batch, …)`` or ``(batch, …, 1)``.
    y_pred
        ``(batch, …, classes)``.

    Examples
    --------
    >>> sparse_categorical_accuracy([1, 0], [[0.1, 0.9], [0.2, 0.8]])
    array([ True, False])
    """
    y_true, y_pred = value_of(y_true), value_of(y_pred)
    best = y_pred.argmax(-1)
    return _labels("sparse_categorical_accuracy", y_true, y_pred) == best


def _labels(name: str, y_true: numpy.ndarray, y_pred: numpy.ndarray) -> numpy.ndarray:
    shape = y_pred.shape[:-1]
    if y_true.shape == shape:
        return y_true
    if y_true.shape == (*shape, 1):
        return y_true[..., 0]
    raise ShapeError(
        f"{name}: expected labels of shape {shape}, one for each prediction of {y_pred.shape}, "
        f"got {y_true.shape}"
    )


def sparse_top_k_categorical_accuracy(
    y_true: Any, y_pred: Any, k: int = 5, from_sorted_ids: bool = False
) -> numpy.ndarray:
    """Whether the label's class is among the k largest predictions.

    Parameters
    ----------
    y_true
        Labels, ``(batch, …)``.
    y_pred
        ``(batch, …, classes)``.
    k
        How many.
    from_sorted_ids
        Whether the predictions are classes already, the best first.

    Notes
    -----
    Equal predictions share a place: a class counts if fewer than k are larger than it. A label
    that is no class, and a prediction that isn't finite, is wrong.
    """
    y_true, y_pred = value_of(y_true), value_of(y_pred)
    labels = _labels("sparse_top_k_categorical_accuracy", y_true, y_pred)
    if from_sorted_ids:
        return (y_pred[..., :k] == labels[..., None]).any(-1)
    classes = y_pred.shape[-1]
    known = (labels >= 0) & (labels < classes)
    at = numpy.where(known, labels, 0).astype(numpy.int64)
    own = numpy.take_along_axis(y_pred, at[..., None], -1)
    return known & ((y_pred > own).sum(-1) < k) & numpy.isfinite(own[..., 0])


def top_k_categorical_accuracy(y_true: Any, y_pred: Any, k: int = 5) -> numpy.ndarray:
    """Whether the one-hot row's class is among the k largest predictions.

    Parameters
    ----------
    y_true, y_pred
        ``(batch, …, classes)``.
    k
        How many.
    """
    return sparse_top_k_categorical_accuracy(value_of(y_true).argmax(-1), y_pred, k)


Accuracy = metric_class(accuracy, "Accuracy")
BinaryAccuracy = metric_class(binary_accuracy, "BinaryAccuracy", options=("threshold",))
CategoricalAccuracy = metric_class(categorical_accuracy, "CategoricalAccuracy")
SparseCategoricalAccuracy = metric_class(sparse_categorical_accuracy, "SparseCategoricalAccuracy")
TopKCategoricalAccuracy = metric_class(
    top_k_categorical_accuracy, "TopKCategoricalAccuracy", first=("k",)
)
SparseTopKCategoricalAccuracy = metric_class(
    sparse_top_k_categorical_accuracy,
    "SparseTopKCategoricalAccuracy",
    options=("from_sorted_ids",),
    first=("k",),
)


# --- 'accuracy' -----------------------------------------------------------------------------------


def kind_of_accuracy(true: tuple[int, ...], predicted: tuple[int, ...]) -> type:
    """Return the accuracy that 'accuracy' means for targets and predictions of these shapes.

    Examples
    --------
    >>> kind_of_accuracy((32,), (32, 10)).__name__
    'SparseCategoricalAccuracy'
    >>> kind_of_accuracy((32, 10), (32, 10)).__name__
    'CategoricalAccuracy'
    >>> kind_of_accuracy((32,), (32, 1)).__name__
    'BinaryAccuracy'
    """
    if len(predicted) < 2 or predicted[-1] == 1:
        return BinaryAccuracy
    if len(true) < len(predicted) or true[-1] == 1:
        return SparseCategoricalAccuracy
    return CategoricalAccuracy


class AccuracyByShape(Metric):
    """Binary, categorical or sparse categorical accuracy, as the first batch's shapes say.

    Parameters
    ----------
    name, dtype
        As of `Metric`.
    """

    sums = ("total", "count")

    def __init__(self, name: str = "accuracy", dtype: Any = None) -> None:
        super().__init__(dtype, name)
        self._kind: Any = None

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Count one batch."""
        if self._kind is None:
            self._kind = kind_of_accuracy(numpy.shape(y_true), numpy.shape(y_pred))(self.name)
        kind = self._kind
        kind.total, kind.count = self.total, self.count
        kind.update_state(y_true, y_pred, sample_weight)
        self.total, self.count = kind.total, kind.count

    def result(self) -> float:
        """Return the share of right predictions."""
        return float(self.total / self.count) if self.count else 0.0
