"""What `Model.metrics` lists: loss and compiled metrics as objects; knows no model or step.

They show what a `minpy.models.metric_set.MetricSet` counts, and count into it: a training step of
one's own goes through them with ``update_state``.
"""

from __future__ import annotations

from typing import Any

import numpy

from minpy.array import ndarray, numpy_value
from minpy.metrics.metric import Metric

__all__ = ["CompiledMetrics", "LossTracker"]


class LossTracker(Metric):
    """The mean loss so far, of a model or of one of its outputs.

    Parameters
    ----------
    counts
        The set that it shows.
    name
        ``'loss'``, or an output's.
    """

    def __init__(self, counts: Any, name: str = "loss") -> None:
        super().__init__(name=name)
        self._counts = counts

    def update_state(self, values: Any, sample_weight: Any = None) -> None:
        """Count losses: their mean, with weights if there are any."""
        values = _plain(values).astype(float)
        weights = numpy.ones_like(values)
        if sample_weight is not None:
            weights = numpy.broadcast_to(_plain(sample_weight), values.shape)
        self._counts.count_loss(float((values * weights).sum()), float(weights.sum()), self.name)

    def result(self) -> float:
        """Return the mean so far, 0 before anything is counted."""
        return self._counts[self.name]

    def reset_state(self) -> None:
        """Start anew."""
        self._counts.forget_loss(self.name)


class CompiledMetrics(Metric):
    """The metrics that ``compile`` was told, together.

    Parameters
    ----------
    counts
        The set that it shows.
    """

    def __init__(self, counts: Any) -> None:
        super().__init__(name="compile_metrics")
        self._counts = counts

    @property
    def metrics(self) -> list[Any]:
        """The metrics; none before the first batch, which tells what ``'accuracy'`` means."""
        return [entry.metric for entry in self._counts.entries]

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Count one batch in each of them."""
        self._counts.count_predictions(y_true, y_pred, sample_weight)

    def result(self) -> dict[str, float]:
        """Return what each of them says, by its name in the logs."""
        return {entry.name: float(entry.metric.result()) for entry in self._counts.entries}

    def reset_state(self) -> None:
        """Start anew."""
        for entry in self._counts.entries:
            entry.metric.reset_state()


def _plain(x: Any) -> numpy.ndarray:
    return numpy_value(x) if type(x) is ndarray else numpy.asarray(x)
