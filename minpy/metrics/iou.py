"""Counts of which class was taken for which, and what follows from them: overlaps, agreement."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy

from minpy.errors import ShapeError
from minpy.metrics.metric import Metric, value_of

__all__ = [
    "BinaryIoU",
    "CohenKappa",
    "ConfusionMatrix",
    "IoU",
    "MeanIoU",
    "OneHotIoU",
    "OneHotMeanIoU",
]


class IoU(Metric):
    """The mean, over classes, of how much of prediction and target together is in both.

    Parameters
    ----------
    num_classes
        Number of classes.
    target_class_ids
        The classes that the mean is over; those that never occur don't count.
    name, dtype
        As of `Metric`.
    ignore_class
        A label that doesn't count.
    sparse_y_true, sparse_y_pred
        Whether targets and predictions are classes rather than rows with a number for each class.
    axis
        The classes' axis of such rows.

    Examples
    --------
    >>> metric = IoU(num_classes=2, target_class_ids=[0])
    >>> metric.update_state([0, 0, 1, 1], [0, 1, 0, 1])
    >>> metric.result()
    0.333
    """

    sums = ("total_cm",)

    def __init__(
        self,
        num_classes: int,
        target_class_ids: Sequence[int],
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_true: bool = True,
        sparse_y_pred: bool = True,
        axis: int = -1,
    ) -> None:
        super().__init__(dtype, name)
        wrong = [i for i in target_class_ids if not 0 <= i < num_classes]
        if wrong:
            raise ValueError(
                f"{type(self).__name__}: expected target_class_ids from 0 to {num_classes - 1}, "
                f"got {wrong}"
            )
        self.num_classes = num_classes
        self.target_class_ids = list(target_class_ids)
        self.ignore_class = ignore_class
        self.sparse_y_true = sparse_y_true
        self.sparse_y_pred = sparse_y_pred
        self.axis = axis
        # Targets by row, predictions by column.
        self.total_cm = numpy.zeros((num_classes, num_classes))

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Count one batch; classes out of range don't count."""
        true, predicted = value_of(y_true), value_of(y_pred)
        shapes = f"{true.shape} and {predicted.shape}"
        true = true if self.sparse_y_true else true.argmax(self.axis)
        predicted = predicted if self.sparse_y_pred else predicted.argmax(self.axis)
        true, predicted = true.ravel(), predicted.ravel()
        if true.shape != predicted.shape:
            raise ShapeError(
                f"{self.name}: expected as many targets as predictions, got {true.size} and "
                f"{predicted.size}, of shapes {shapes}; sparse_y_true says whether targets "
                "are numbers of classes, sparse_y_pred whether predictions are"
            )
        weights = 1.0 if sample_weight is None else value_of(sample_weight).ravel()
        try:
            weights = numpy.broadcast_to(weights, true.shape)
        except ValueError:
            raise ShapeError(
                f"{self.name}: expected a weight for each of {true.size} targets, "
                f"got {numpy.size(weights)}; one-hot targets need sparse_y_true=False"
            ) from None
        n = self.num_classes
        counts = (true >= 0) & (true < n) & (predicted >= 0) & (predicted < n)
        if self.ignore_class is not None:
            counts &= true != self.ignore_class
        place = true[counts].astype(numpy.int64) * n + predicted[counts].astype(numpy.int64)
        added = numpy.bincount(place, weights[counts].astype(numpy.float64), n * n)
        self.total_cm = self.total_cm + added.reshape(n, n)

    def result(self) -> float:
        """Return the mean over the classes that occur; 0 if none does."""
        both = numpy.diagonal(self.total_cm)
        either = self.total_cm.sum(0) + self.total_cm.sum(1) - both
        ids = [i for i in self.target_class_ids if either[i] > 1e-9]
        return float(numpy.mean(both[ids] / either[ids])) if ids else 0.0

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal metric."""
        return {
            **super().get_config(),
            "num_classes": self.num_classes,
            "target_class_ids": self.target_class_ids,
            "ignore_class": self.ignore_class,
            "sparse_y_true": self.sparse_y_true,
            "sparse_y_pred": self.sparse_y_pred,
            "axis": self.axis,
        }


def _without(config: dict[str, Any], *names: str) -> dict[str, Any]:
    return {k: v for k, v in config.items() if k not in names}


class MeanIoU(IoU):
    """`IoU` over all classes.

    Parameters
    ----------
    num_classes, name, dtype, ignore_class, sparse_y_true, sparse_y_pred, axis
        As of `IoU`.
    """

    def __init__(
        self,
        num_classes: int,
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_true: bool = True,
        sparse_y_pred: bool = True,
        axis: int = -1,
    ) -> None:
        super().__init__(
            num_classes,
            range(num_classes),
            name,
            dtype,
            ignore_class,
            sparse_y_true,
            sparse_y_pred,
            axis,
        )

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal metric."""
        return _without(super().get_config(), "target_class_ids")


class OneHotIoU(IoU):
    """`IoU` of one-hot targets.

    Parameters
    ----------
    num_classes, target_class_ids, name, dtype, ignore_class, sparse_y_pred, axis
        As of `IoU`; predictions are rows unless told otherwise.
    """

    def __init__(
        self,
        num_classes: int,
        target_class_ids: Sequence[int],
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_pred: bool = False,
        axis: int = -1,
    ) -> None:
        super().__init__(
            num_classes, target_class_ids, name, dtype, ignore_class, False, sparse_y_pred, axis
        )

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal metric."""
        return _without(super().get_config(), "sparse_y_true")


class OneHotMeanIoU(MeanIoU):
    """`MeanIoU` of one-hot targets.

    Parameters
    ----------
    num_classes, name, dtype, ignore_class, sparse_y_pred, axis
        As of `IoU`; predictions are rows unless told otherwise.
    """

    def __init__(
        self,
        num_classes: int,
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_pred: bool = False,
        axis: int = -1,
    ) -> None:
        super().__init__(num_classes, name, dtype, ignore_class, False, sparse_y_pred, axis)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal metric."""
        return _without(super().get_config(), "sparse_y_true")


class BinaryIoU(IoU):
    """`IoU` of yes and no, predictions being probabilities.

    Parameters
    ----------
    target_class_ids
        ``(0, 1)`` for the mean of both, or one of them.
    threshold
        A prediction of at least this is yes.
    name, dtype
        As of `Metric`.
    """

    def __init__(
        self,
        target_class_ids: Sequence[int] = (0, 1),
        threshold: float = 0.5,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(2, target_class_ids, name, dtype)
        self.threshold = threshold

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Count one batch."""
        # In float32, as predictions are: 0.4 and the threshold 0.4 are then the same number.
        yes = value_of(y_pred).astype(numpy.float32) >= numpy.float32(self.threshold)
        super().update_state(y_true, yes.astype(numpy.int64), sample_weight)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal metric."""
        return {
            "name": self.name,
            "dtype": self.dtype,
            "target_class_ids": self.target_class_ids,
            "threshold": self.threshold,
        }


# --- tables and agreement -------------------------------------------------------------------------


class ConfusionMatrix(IoU):
    """Counts how often each class was taken for each.

    Keras has it as a function only. Its result is a matrix, so it stands by itself and not in
    ``compile(metrics=…)``, whose logs are numbers.

    Parameters
    ----------
    num_classes
        Number of classes.
    normalize
        None for counts; ``'true'``, ``'pred'`` or ``'all'`` for shares of a target's row, of a
        prediction's column, or of everything.
    name, dtype, ignore_class, sparse_y_true, sparse_y_pred, axis
        As of `IoU`.

    Examples
    --------
    >>> metric = ConfusionMatrix(num_classes=2)
    >>> metric.update_state([0, 0, 1], [0, 1, 1])
    >>> metric.result()
    array([[1., 1.],
           [0., 1.]])
    """

    def __init__(
        self,
        num_classes: int,
        normalize: str | None = None,
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_true: bool = True,
        sparse_y_pred: bool = True,
        axis: int = -1,
    ) -> None:
        if normalize not in (None, "true", "pred", "all"):
            raise ValueError(
                "ConfusionMatrix: expected normalize to be 'true', 'pred', 'all' or None, got "
                f"{normalize!r}"
            )
        super().__init__(
            num_classes, [], name, dtype, ignore_class, sparse_y_true, sparse_y_pred, axis
        )
        self.normalize = normalize

    def result(self) -> Any:
        """Return the table, targets by row and predictions by column; empty rows are zero."""
        counts = self.total_cm
        if self.normalize is None:
            return counts.copy()
        axis = {"true": 1, "pred": 0, "all": None}[self.normalize]
        total = counts.sum(axis, keepdims=True)
        return numpy.divide(counts, total, out=numpy.zeros_like(counts), where=total != 0)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal metric."""
        config = _without(super().get_config(), "target_class_ids")
        return {**config, "normalize": self.normalize}


class CohenKappa(IoU):
    """Agreement of predictions and targets beyond that of chance.

    Parameters
    ----------
    num_classes
        Number of classes.
    weightage
        None counts any disagreement alike, ``'linear'`` by the distance of the class numbers and
        ``'quadratic'`` by its square.
    name, dtype, ignore_class, sparse_y_true, sparse_y_pred, axis
        As of `IoU`.

    Notes
    -----
    Cohen, 1960, and 1968 for the weights. Keras 3 has no such class; the arguments are those that
    TensorFlow Addons gave it.

    Examples
    --------
    >>> metric = CohenKappa(num_classes=2)
    >>> metric.update_state([0, 0, 1, 1], [0, 1, 1, 1])
    >>> metric.result()
    0.5
    """

    def __init__(
        self,
        num_classes: int,
        weightage: str | None = None,
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_true: bool = True,
        sparse_y_pred: bool = True,
        axis: int = -1,
    ) -> None:
        if weightage not in (None, "linear", "quadratic"):
            raise ValueError(
                "CohenKappa: expected weightage to be 'linear', 'quadratic' or None, got "
                f"{weightage!r}"
            )
        super().__init__(
            num_classes, [], name, dtype, ignore_class, sparse_y_true, sparse_y_pred, axis
        )
        self.weightage = weightage

    def result(self) -> float:
        """Return one minus observed over expected disagreement; 0 where none is expected."""
        counts, classes = self.total_cm, numpy.arange(self.num_classes)
        apart = numpy.abs(classes[:, None] - classes).astype(numpy.float64)
        cost = {None: apart > 0, "linear": apart, "quadratic": apart**2}[self.weightage]
        total = counts.sum()
        expected = (cost * numpy.outer(counts.sum(1), counts.sum(0))).sum()
        return float(1.0 - (cost * counts).sum() * total / expected) if expected else 0.0

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal metric."""
        config = _without(super().get_config(), "target_class_ids")
        return {**config, "weightage": self.weightage}
