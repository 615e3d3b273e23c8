"""The running loss and metrics of a pass over data, read only when somebody looks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy

from minpy import metrics as metric_table
from minpy.autograd.containers import flatten
from minpy.data.batch import Batch

__all__ = ["MetricSet"]


class MetricSet(Mapping):
    """Loss and metrics so far, as a mapping from name to value.

    Parameters
    ----------
    given
        What ``compile(metrics=…)`` got.
    weighted
        What ``compile(weighted_metrics=…)`` got: these count the sample weights.
    """

    def __init__(self, given: Any, weighted: Any = None) -> None:
        self._given = [(spec, False) for spec in _listed(given)]
        self._given += [(spec, True) for spec in _listed(weighted)]
        self._metrics: list[tuple[str, Any, bool]] | None = None
        self._loss = 0.0
        self._weight = 0
        self._shapes: tuple[Any, Any] | None = None

    def reset(self) -> None:
        """Forget everything that was counted."""
        self._loss, self._weight = 0.0, 0
        for _, metric, _ in self._metrics or ():
            metric.reset_state()

    def update(self, loss: float, batch: Batch, predictions: Any) -> None:
        """Count one batch."""
        self._loss += loss * batch.size
        self._weight += batch.size
        if self._metrics is None:
            self._resolve(batch.y, predictions)
        if self._metrics and (y := batch.y) is not None:
            sample_weight = batch.sample_weight
            for _, metric, weighted in self._metrics:
                metric.update_state(y, predictions, sample_weight if weighted else None)

    def _resolve(self, y: Any, predictions: Any) -> None:
        """Make the metrics: what 'accuracy' means depends on the shapes."""
        y_shape = numpy.shape(flatten(y)[0][0]) if y is not None else None
        shape = numpy.shape(flatten(predictions)[0][0])
        self._make(y_shape, shape)

    def _make(self, y_shape: Any, shape: Any) -> None:
        self._shapes = y_shape, shape
        self._metrics = []
        for spec, weighted in self._given:
            metric = metric_table.get(spec, y_shape, shape)
            name = spec if isinstance(spec, str) else metric.name
            self._metrics.append((name, metric, weighted))

    def get_state(self) -> dict[str, Any]:
        """Return what was counted, as JSON can hold it."""
        counted = [metric.get_state() for _, metric, _ in self._metrics or ()]
        return {
            "loss": self._loss,
            "weight": self._weight,
            "shapes": self._shapes,
            "metrics": counted,
        }

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Go on from what `get_state` returned."""
        self._loss, self._weight = state["loss"], state["weight"]
        if self._metrics is None and state["shapes"] is not None:
            self._make(*state["shapes"])
        for (_, metric, _), own in zip(self._metrics or (), state["metrics"], strict=True):
            metric.set_state(own)

    def check(self) -> None:
        """Raise `ValueError` for a metric that doesn't exist."""
        for spec, _ in self._given:
            metric_table.get(spec, None, None)

    # --- reading --------------------------------------------------------------------------------

    def __getitem__(self, name: str) -> float:
        if name == "loss":
            return self._loss / self._weight if self._weight else 0.0
        for known, metric, _ in self._metrics or ():
            if known == name:
                return float(metric.result())
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        yield "loss"
        for name, _, _ in self._metrics or ():
            yield name

    def __len__(self) -> int:
        return 1 + len(self._metrics or ())


def _listed(given: Any) -> list[Any]:
    if given is None:
        return []
    return list(given) if isinstance(given, list | tuple) else [given]
