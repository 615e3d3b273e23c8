"""The running loss and metrics of a pass over data, read only when somebody looks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy

from minpy import metrics as metric_table
from minpy.array import ndarray, numpy_value
from minpy.autograd.containers import map_leaves
from minpy.data.batch import Batch
from minpy.models.outputs import Outputs, output_names, parts_of, per_output, targets_of
from minpy.models.tracked_metrics import CompiledMetrics, LossTracker

__all__ = ["MetricSet"]


class _Entry(NamedTuple):
    """One metric: its name in the logs, and the output that it looks at, None for the only one."""

    name: str
    metric: Any
    weighted: bool
    output: int | None


class MetricSet(Mapping):
    """Loss and metrics so far, as a mapping from name to value.

    Parameters
    ----------
    model
        Whose outputs they are of.
    given
        What ``compile(metrics=…)`` got: a list, or for several outputs a dict or a list of lists.
    weighted
        What ``compile(weighted_metrics=…)`` got: these count the sample weights.
    """

    def __init__(self, model: Any, given: Any, weighted: Any = None) -> None:
        self._model = model
        self._given = given, weighted
        self._metrics: list[_Entry] | None = None
        self._names: list[str] | None = None  # of the outputs
        self._loss = 0.0
        self._loss_weight = 0.0
        self._weight = 0
        self._parts: dict[str, float] = {}
        self._part_names: list[str] = []  # in the order of the outputs, not of the dict of losses
        self._added: dict[str, float] = {}  # what layers reported
        self._shapes: Any = None
        self._tracked: list[Any] = []  # metrics that are attributes of layers
        # What a `metrics` property of the model's own class leaves out is in no logs.
        self._shows_loss = self._shows_compiled = True
        self._trackers: dict[str, Any] = {}

    def reset(self) -> None:
        """Forget everything that was counted."""
        self._loss, self._loss_weight, self._weight = 0.0, 0.0, 0
        self._parts = dict.fromkeys(self._parts, 0.0)
        self._added = dict.fromkeys(self._added, 0.0)
        for entry in self._metrics or ():
            entry.metric.reset_state()
        trackers, listed = self.trackers(), self._model.metrics
        compiled = {id(metric) for metric in trackers}
        self._tracked = [m for m in listed if id(m) not in compiled]
        if _lists_its_own(type(self._model)):
            self._shows_loss = any(metric is trackers[0] for metric in listed)
            self._shows_compiled = any(isinstance(metric, CompiledMetrics) for metric in listed)
        for metric in self._tracked:
            metric.reset_state()

    @property
    def entries(self) -> list[_Entry]:
        """The metrics, none before the first batch."""
        return self._metrics or []

    @property
    def reads_predictions(self) -> bool:
        """Whether a batch's predictions are for anything but the loss."""
        return self._metrics is None or bool(self._metrics)

    def trackers(self) -> list[Any]:
        """Return the loss, the metrics together and the losses of outputs, as metrics."""
        names = ["loss", *self._parts]
        for name in names:
            if name not in self._trackers:
                self._trackers[name] = LossTracker(self, name)
        first, *rest = (self._trackers[name] for name in names)
        if any(given is not None for given in self._given):
            rest = [self._trackers.setdefault("compile_metrics", CompiledMetrics(self)), *rest]
        return [first, *rest]

    def count_loss(self, total: float, weight: float, name: str = "loss") -> None:
        """Add to the loss, or to that of an output, without counting a batch in the metrics."""
        if name == "loss":
            self._loss += total
            self._loss_weight += weight
        else:
            self._parts[name] += total

    def forget_loss(self, name: str) -> None:
        """Set the loss, or that of an output, to zero."""
        if name == "loss":
            self._loss, self._loss_weight = 0.0, 0.0
        else:
            self._parts[name] = 0.0

    def update(self, loss: float | None, batch: Batch, outputs: Outputs) -> None:
        """Count one batch; a loss that is None is counted elsewhere."""
        size = batch.size
        if loss is not None:
            self._loss += loss * size
            self._loss_weight += size
        self._weight += size
        if self._metrics is None:
            self._resolve(batch.y, outputs)
        if outputs.parts:
            for name, part in zip(self._part_names, outputs.parts, strict=True):
                self._parts[name] += float(part) * size
        for name, value in outputs.added.items():
            self._added[name] = self._added.get(name, 0.0) + float(value) * size
        if self._metrics and (y := batch.y) is not None:
            predictions, weights = outputs.predictions, batch.sample_weight
            if self._names is None:
                mask = outputs.masks.get(0)
                for entry in self._metrics:
                    weight = _masked(weights if entry.weighted else None, mask)
                    entry.metric.update_state(y, predictions, weight)
            else:
                self._update_each(y, predictions, weights, outputs.masks)

    def count_predictions(self, y: Any, predictions: Any, weights: Any) -> None:
        """Count predictions in the metrics alone."""
        parts = (map_leaves(_plain, part) for part in (None, y, weights))
        self.update(None, Batch.of(*parts), Outputs(map_leaves(_plain, predictions), ()))

    def _update_each(self, y: Any, predictions: Any, weights: Any, masks: dict) -> None:
        names = self._names
        predicted, targets = (
            parts_of(predictions, names, "predictions"),
            _by_name(y, names, self._model),
        )
        if isinstance(weights, Mapping | list | tuple):
            weights = per_output(weights, names, "sample_weight")
        else:
            weights = [weights] * len(names)
        for entry in self._metrics:
            i = entry.output
            weight = _masked(weights[i] if entry.weighted else None, masks.get(i))
            entry.metric.update_state(targets[i], predicted[i], weight)

    def _resolve(self, y: Any, outputs: Outputs) -> None:
        """Make the metrics: what 'accuracy' means depends on the shapes."""
        predictions = outputs.predictions
        self._names = output_names(self._model, predictions)
        if self._names is None:
            shapes = [(None if y is None else numpy.shape(_only(y)), numpy.shape(predictions))]
        else:
            targets = (
                [None] * len(self._names) if y is None else _by_name(y, self._names, self._model)
            )
            predicted = parts_of(predictions, self._names, "predictions")
            shapes = [
                (None if t is None else numpy.shape(t), numpy.shape(p))
                for t, p in zip(targets, predicted, strict=True)
            ]
        self._make(self._names, shapes, len(outputs.parts))

    def _make(self, names: list[str] | None, shapes: list, parts: int) -> None:
        self._names, self._shapes = names, (names, shapes, parts)
        if names is not None and parts:
            with_loss = self._model._losses_of(names)
            self._part_names = [f"{name}_loss" for name in with_loss]
            listed = self._model._losses_listed(with_loss)
            self._parts = dict.fromkeys((f"{name}_loss" for name in listed), 0.0)
        self._metrics = []
        unweighted: set[str] = set()
        for given, weighted in zip(self._given, (False, True), strict=True):
            if names is None:
                each = [_flat(given)]
            else:
                what = "weighted_metrics" if weighted else "metrics"
                each = [_listed(v) for v in per_output(given, names, what)]
            for i, specs in enumerate(each):
                for spec in specs:
                    metric = metric_table.get(spec, *shapes[i])
                    name = spec if isinstance(spec, str) else metric.name
                    before = "" if names is None or len(names) == 1 else f"{names[i]}_"
                    if weighted and before + name in unweighted:
                        name = f"weighted_{name}"
                    output = None if names is None else i
                    self._metrics.append(_Entry(before + name, metric, weighted, output))
            unweighted = {entry.name for entry in self._metrics}
        if names is not None and len(names) > 1:  # the order of what `evaluate` returns in Keras
            self._metrics.sort(key=lambda entry: entry.name)

    def get_state(self) -> dict[str, Any]:
        """Return what was counted, as JSON can hold it."""
        return {
            "loss": self._loss,
            "loss_weight": self._loss_weight,
            "weight": self._weight,
            "parts": list(self._parts.values()),
            "added": self._added,
            "shapes": self._shapes,
            "metrics": [entry.metric.get_state() for entry in self._metrics or ()],
            "tracked": [metric.get_state() for metric in self._tracked],
        }

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Go on from what `get_state` returned."""
        self._loss, self._weight = state["loss"], state["weight"]
        self._loss_weight = state.get("loss_weight", self._weight)
        if self._metrics is None and state["shapes"] is not None:
            self._make(*state["shapes"])
        self._parts = dict(zip(self._parts, state["parts"], strict=True))
        self._added = dict(state.get("added", {}))
        for entry, own in zip(self._metrics or (), state["metrics"], strict=True):
            entry.metric.set_state(own)
        for metric, own in zip(self._tracked, state.get("tracked", ()), strict=False):
            metric.set_state(own)

    def check(self) -> None:
        """Raise `ValueError` for a metric that doesn't exist."""
        for given in self._given:
            for spec in _flat(given):
                metric_table.get(spec, None, None)

    # --- reading --------------------------------------------------------------------------------

    def __getitem__(self, name: str) -> float:
        if name == "loss" and (self._shows_loss or all(m.name != name for m in self._tracked)):
            return self._loss / self._loss_weight if self._loss_weight else 0.0
        if name in self._parts:
            return self._parts[name] / self._weight if self._weight else 0.0
        for entry in self._metrics or ():
            if entry.name == name:
                return float(entry.metric.result())
        if name in self._added:
            return self._added[name] / self._weight if self._weight else 0.0
        for metric in self._tracked:
            if metric.name == name:
                return float(metric.result())
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        if self._shows_loss:
            yield "loss"
            yield from self._parts
        several = self._names is not None and len(self._names) > 1
        own = [*self._added, *(metric.name for metric in self._tracked)]
        if several:
            yield from own
        if self._shows_compiled:
            for entry in self._metrics or ():
                yield entry.name
        if not several:
            yield from own

    def __len__(self) -> int:
        return sum(1 for _ in self)


def _lists_its_own(kind: type) -> bool:
    """Say whether the class of a model has a `metrics` property that isn't minpy's."""
    owner = next(k for k in kind.__mro__ if "metrics" in k.__dict__)
    return not owner.__module__.startswith("minpy.")


def _plain(x: Any) -> Any:
    return numpy_value(x) if type(x) is ndarray else x


def _masked(weights: Any, mask: Any) -> Any:
    """Return sample weights that are 0 where a mask leaves out."""
    if weights is None or mask is None:
        return weights if mask is None else mask
    weights = numpy.asarray(weights)
    if weights.ndim > mask.ndim and weights.shape[-1] == 1:
        weights = weights.reshape(weights.shape[:-1])
    return weights.reshape(weights.shape + (1,) * (mask.ndim - weights.ndim)) * mask


def _by_name(y: Any, names: list[str], model: Any) -> list[Any]:
    """Return the targets of each output, None for those that have none."""
    if isinstance(y, Mapping):
        return [y.get(n) for n in names]
    if isinstance(y, list | tuple) and len(y) == len(names):
        return list(y)
    used = model._losses_of(names)
    if not used:
        return parts_of(y, names, "y")
    found = dict(zip(used, targets_of(y, names, used), strict=True))
    return [found.get(n) for n in names]


def _only(y: Any) -> Any:
    if isinstance(y, Mapping):
        return next(iter(y.values()))
    return y[0] if isinstance(y, list | tuple) and len(y) == 1 else y


def _listed(given: Any) -> list[Any]:
    if given is None:
        return []
    return list(given) if isinstance(given, list | tuple) else [given]


def _flat(given: Any) -> list[Any]:
    """Return all metrics of nested lists and dicts."""
    if isinstance(given, Mapping):
        return [spec for value in given.values() for spec in _flat(value)]
    if isinstance(given, list | tuple):
        return [spec for value in given for spec in _flat(value)]
    return _listed(given)
