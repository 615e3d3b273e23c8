"""Models with several outputs: what belongs to which, and the sum of their losses."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy

from minpy import losses
from minpy.array import as_ndarray
from minpy.autograd.containers import flatten

__all__ = [
    "OutputLosses",
    "Outputs",
    "declared_names",
    "map_nested",
    "output_names",
    "parts_of",
    "per_output",
    "targets_of",
]


class Outputs(NamedTuple):
    """What a step computes beside the loss.

    Attributes
    ----------
    predictions
        The model's output.
    parts
        The loss of each output that has one, where several have.
    added
        Name → number, of what layers reported with ``add_metric``.
    masks
        Number of an output → 1 where its steps count and 0 elsewhere, for those with a mask.
    """

    predictions: Any
    parts: tuple
    added: dict = {}  # noqa: RUF012 (nobody writes to it)
    masks: dict = {}  # noqa: RUF012


def masks_of_outputs(predictions: Any) -> dict[int, Any]:
    """Return the masks that travelled with predictions, by the number of the output."""
    leaves = flatten(predictions)[0]
    masks = {i: getattr(leaf, "_keras_mask", None) for i, leaf in enumerate(leaves)}
    return {i: mask.astype("float32") for i, mask in masks.items() if mask is not None}


def declared_names(model: Any) -> list[str] | None:
    """Return the names that a graph of layers gives its outputs: those of `output_names`."""
    graph = getattr(model, "_graph", None)
    if graph is None:
        return None
    struct = graph.output_struct
    if isinstance(struct, Mapping) and len(struct) == len(graph.outputs):
        return list(struct)
    return list(model.output_names)


def output_names(model: Any, predictions: Any) -> list[str] | None:
    """Return the names of a model's outputs; None where there is one."""
    if isinstance(predictions, Mapping):
        return list(predictions)
    if isinstance(predictions, list | tuple):
        if getattr(model, "_graph", None) is not None:
            return list(model.output_names)
        return [f"output_{i}" for i in range(len(predictions))]
    return None


def parts_of(value: Any, names: list[str], what: str) -> list[Any]:
    """Return what belongs to each output: of a dict by name, of a list by place.

    Raises
    ------
    ValueError
        If an output has none, or there are too many.
    """
    if isinstance(value, Mapping):
        missing = [n for n in names if n not in value]
        if missing:
            raise ValueError(
                f"{what}: nothing for the output {missing[0]!r}; the outputs are {names}, given "
                f"were {list(value)}"
            )
        return [value[n] for n in names]
    if isinstance(value, list | tuple) and len(value) == len(names):
        return list(value)
    if len(names) == 1 and not isinstance(value, list | tuple):
        return [value]
    given = f"{len(value)}" if isinstance(value, list | tuple) else "one array"
    raise ValueError(
        f"{what}: the model has {len(names)} outputs, {names}; expected a list or dict with as "
        f"many arrays, got {given}"
    )


def per_output(given: Any, names: list[str], what: str) -> list[Any]:
    """Return what was told to `compile` for each output, None where nothing was.

    Raises
    ------
    ValueError
        If an output doesn't exist, or a list has another length.
    """
    if given is None:
        return [None] * len(names)
    if isinstance(given, Mapping):
        for name in given:
            if name not in names:
                near = difflib.get_close_matches(str(name), names, 1)
                hint = f"; did you mean {near[0]!r}?" if near else ""
                raise ValueError(f"{what}: there is no output {name!r} among {names}{hint}")
        return [given.get(name) for name in names]
    if isinstance(given, list | tuple):
        if len(given) != len(names):
            raise ValueError(
                f"{what}: the model has {len(names)} output{'s' * (len(names) > 1)}, {names}, got "
                f"a list of {len(given)}"
            )
        return list(given)
    return [given] * len(names)


class OutputLosses:
    """A loss for each output, and what each counts with.

    Parameters
    ----------
    given
        A loss for all outputs, or a list or dict of losses; None leaves an output out.
    weights
        A list or dict of numbers; 1 by default.

    Raises
    ------
    ValueError
        If a loss doesn't exist.
    """

    def __init__(self, given: Any, weights: Any = None) -> None:
        self._given = _one_each(map_nested(given, losses.get), "loss")
        self._weights = _one_each(map_nested(weights, _number), "loss_weights")

    def check(self, names: list[str] | None) -> None:
        """Raise `ValueError` if something is told of an output that doesn't exist."""
        if names is not None:
            per_output(self._given, names, "loss")
            per_output(self._weights, names, "loss_weights")

    def check_targets(self, names: list[str], shapes: list[Any], y: Any) -> None:
        """Raise `ValueError` if a loss says that no model could be trained on its targets.

        Parameters
        ----------
        names, shapes
            Of the outputs; a shape that isn't known is None.
        y
            The targets of all samples, as the model is given them.
        """
        if len(names) == 1:
            given, used, targets = [_unpacked(self._given)], names, [_unpacked(y)]
        else:
            given = per_output(self._given, names, "loss")
            used = self.outputs_with_one(names)
            targets = targets_of(y, names, used)
        found = dict(zip(names, zip(given, shapes, strict=True), strict=True))
        for name, target in zip(used, targets, strict=True):
            loss, shape = found[name]
            check = getattr(loss, "check_targets", None)
            if check is None or type(target) is not numpy.ndarray:
                continue
            try:
                check(target, shape)
            except ValueError as error:
                if len(names) == 1:
                    raise
                raise ValueError(f"output {name!r}: {error}") from None

    def outputs_with_one(self, names: list[str]) -> list[str]:
        """Return the names of the outputs that have a loss."""
        chosen = per_output(self._given, names, "loss")
        return [n for n, loss in zip(names, chosen, strict=True) if loss is not None]

    def listed(self, model: Any, names: list[str]) -> list[str]:
        """Return names of outputs in the order in which `evaluate` lists their losses.

        As in Keras that is the order of a dict of losses where the model's outputs are a dict too.
        """
        graph = getattr(model, "_graph", None)
        in_dict = graph is None or isinstance(graph.output_struct, Mapping)
        if not isinstance(self._given, Mapping) or not in_dict:
            return names
        order = list(self._given)
        return sorted(names, key=lambda name: order.index(name) if name in order else len(order))

    def __call__(
        self, model: Any, y: Any, y_pred: Any, sample_weight: Any, parts: list[Any]
    ) -> Any:
        """Return the sum of the losses of all outputs, and put each into `parts`."""
        names = output_names(model, y_pred)
        if names is None:
            return self._single(y, y_pred, sample_weight)
        chosen = per_output(self._given, names, "loss")
        factors = per_output(self._weights, names, "loss_weights")
        predicted = parts_of(y_pred, names, "the model's output")
        used = self.outputs_with_one(names)
        if not used:
            raise ValueError(f"loss: none of the outputs {names} has one")
        targets = dict(zip(used, targets_of(y, names, used), strict=True))
        weights = [sample_weight] * len(names)
        if isinstance(sample_weight, Mapping | list | tuple):
            weights = per_output(sample_weight, names, "sample_weight")
        total: Any = None
        for name, loss, factor, p, w in zip(
            names, chosen, factors, predicted, weights, strict=True
        ):
            if loss is None:
                continue
            part = as_ndarray(loss(targets[name], p, sample_weight=w))
            if len(used) > 1:
                parts.append(part)
            term = part if factor is None else part * factor
            total = term if total is None else total + term
        return total

    def _single(self, y: Any, y_pred: Any, sample_weight: Any) -> Any:
        loss = self._given
        if isinstance(loss, list | tuple | Mapping):
            values = list(loss.values()) if isinstance(loss, Mapping) else list(loss)
            if len(values) != 1:
                raise ValueError(f"loss: the model has one output, got {len(values)} losses")
            loss = values[0]
        y = _unpacked(y)
        value = loss(y, y_pred, sample_weight=_unpacked(sample_weight))
        factor = self._weights
        if isinstance(factor, list | tuple | Mapping):
            factor = (list(factor.values()) if isinstance(factor, Mapping) else list(factor))[0]
        return value if factor is None else value * factor


def targets_of(y: Any, names: list[str], used: list[str]) -> list[Any]:
    """Return the targets of the outputs that have a loss: others need none."""
    if isinstance(y, Mapping):
        return parts_of(y, used, "y")
    if isinstance(y, list | tuple) and len(y) == len(used):
        return list(y)
    if len(used) == 1 and not isinstance(y, list | tuple):
        return [y]
    everything = dict(zip(names, parts_of(y, names, "y"), strict=True))
    return [everything[n] for n in used]


def _unpacked(value: Any) -> Any:
    """Return the array of a list or dict of one."""
    if isinstance(value, Mapping) and len(value) == 1:
        return next(iter(value.values()))
    if isinstance(value, list | tuple) and len(value) == 1:
        return value[0]
    return value


def _one_each(given: Any, what: str) -> Any:
    """Return what is told for several outputs with lists of one opened: ``{'a': ['mse']}``."""
    if not isinstance(given, Mapping | list | tuple):
        return given
    places = given.items() if isinstance(given, Mapping) else enumerate(given)
    for place, told in places:
        if isinstance(told, Mapping | list | tuple) and len(told) != 1:
            raise ValueError(
                f"{what}: expected one for each output, got {len(told)} for {place!r}; a function "
                "of (y_true, y_pred) can add several up"
            )
    if isinstance(given, Mapping):
        return {name: _unpacked(told) for name, told in given.items()}
    return [_unpacked(told) for told in given]


def _number(value: Any) -> float | None:
    if value is None or isinstance(value, int | float | numpy.number):
        return None if value is None else float(value)
    raise ValueError(
        f"loss_weights: expected numbers, got {value!r}; metrics are given as metrics=[…]"
    )


def map_nested(given: Any, function: Callable[[Any], Any]) -> Any:
    """Apply a function to what is in nested lists and dicts; None stays None."""
    if given is None:
        return None
    if isinstance(given, Mapping):
        return {name: map_nested(v, function) for name, v in given.items()}
    if isinstance(given, list | tuple):
        return [map_nested(v, function) for v in given]
    return function(given)
