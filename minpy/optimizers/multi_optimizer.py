"""Several optimizers for one model: which weights go to which, by their paths."""

from __future__ import annotations

import copy
import itertools
import math
import re
from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from typing import Any

import numpy

from minpy.aligned import aligned_full
from minpy.errors import ShapeError
from minpy.optimizers.layout import Segment
from minpy.optimizers.loss_scale_optimizer import LossScaleOptimizer
from minpy.optimizers.norms import norm
from minpy.optimizers.optimizer import Optimizer

__all__ = ["MultiOptimizer", "OptimizerMap"]


class OptimizerMap(MutableMapping):
    """Which optimizer a weight's path stands for.

    Parameters
    ----------
    default_optimizer
        For paths that no key stands for.
    optimizer_map
        Path, or regular expression for a whole path → optimizer.

    Examples
    --------
    >>> from minpy.optimizers import SGD, Adam
    >>> chosen = OptimizerMap(SGD())
    >>> chosen['encoder/.*'] = Adam()
    >>> chosen['encoder/kernel'].name, chosen['head/kernel'].name
    ('adam', 'sgd')
    """

    def __init__(
        self, default_optimizer: Optimizer, optimizer_map: Mapping[str, Optimizer] | None = None
    ) -> None:
        _check(default_optimizer)
        self.default_optimizer = default_optimizer
        self._chosen: dict[str, Optimizer] = {}
        for key, optimizer in (optimizer_map or {}).items():
            self[key] = optimizer

    def __getitem__(self, key: str) -> Optimizer:
        if key in self._chosen:
            return self._chosen[key]
        matching = [pattern for pattern in self._chosen if re.fullmatch(pattern, key)]
        if len(matching) > 1:
            raise ValueError(
                f"OptimizerMap: {key!r} is meant by {' and '.join(map(repr, matching))}; make the "
                "patterns apart, or name the weight itself"
            )
        return self._chosen[matching[0]] if matching else self.default_optimizer

    def __setitem__(self, key: str, optimizer: Optimizer) -> None:
        if key in self._chosen:
            raise ValueError(f"OptimizerMap: {key!r} has an optimizer already")
        try:
            re.compile(key)
        except (re.error, TypeError) as error:
            raise ValueError(
                f"OptimizerMap: expected a path or a regular expression, got {key!r}: {error}"
            ) from None
        _check(optimizer)
        self._chosen[key] = optimizer

    def __delitem__(self, key: str) -> None:
        del self._chosen[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._chosen)

    def __len__(self) -> int:
        return len(self._chosen)

    def __call__(self, variable: Any) -> Optimizer:
        """Return the optimizer of a weight."""
        return self[variable.path]

    def get_config(self) -> dict[str, Any]:
        """Return what makes an equal map."""
        from minpy import optimizers

        return {
            "default_optimizer": optimizers.serialize(self.default_optimizer),
            "optimizer_map": {k: optimizers.serialize(o) for k, o in self._chosen.items()},
        }

    @classmethod
    def from_config(
        cls, config: dict[str, Any], custom_objects: Mapping[str, Any] | None = None
    ) -> OptimizerMap:
        """Make a map of what `get_config` returned."""
        from minpy import optimizers

        made = {
            key: optimizers.deserialize(inner, custom_objects)
            for key, inner in config["optimizer_map"].items()
        }
        return cls(optimizers.deserialize(config["default_optimizer"], custom_objects), made)


def _check(optimizer: Any) -> None:
    if not isinstance(optimizer, Optimizer) or isinstance(
        optimizer, LossScaleOptimizer | MultiOptimizer
    ):
        raise ValueError(
            "MultiOptimizer: expected optimizers that do steps by themselves, got "
            f"{optimizer!r}; put a LossScaleOptimizer around the MultiOptimizer instead"
        )


class _Weight:
    """What a function that chooses an optimizer is shown of a weight."""

    def __init__(self, segment: Segment) -> None:
        self.path = segment.name
        self.name = segment.name.rpartition("/")[2]
        self.shape = segment.shape or (segment.stop - segment.start,)


class _Group:
    """Neighbouring weights of one optimizer: a part of each buffer, and who does their steps."""

    def __init__(self, index: int, segments: list[Segment], start: int, stop: int) -> None:
        self.index = index
        self.part = slice(start, stop)
        self.segments = [s._replace(start=s.start - start, stop=s.stop - start) for s in segments]
        self.worker: Optimizer | None = None


class MultiOptimizer(Optimizer):
    """Sends each weight to one of several optimizers.

    Parameters
    ----------
    optimizer_map
        An `OptimizerMap`, or a function of a weight (with ``path``, ``name`` and ``shape``) that
        returns its optimizer, the same object for all weights that go together.
    loss_scale_factor
        What the loss is multiplied by; takes the place of those of the optimizers.
    name
        For messages and files.

    Attributes
    ----------
    optimizers
        Those that have weights, or are in the map.

    Notes
    -----
    Weights that lie side by side and go to one optimizer take one pass. There is no common learning
    rate: set those of `optimizers`.

    Examples
    --------
    >>> import numpy
    >>> from minpy.optimizers import SGD
    >>> both = MultiOptimizer(OptimizerMap(SGD(0.1), {'.*bias': SGD(0.5)}))
    >>> w = numpy.zeros(2, 'float32')
    >>> both.step(w, numpy.ones(2, 'float32'), [(0, 1, 'kernel'), (1, 2, 'bias')])
    >>> w
    array([-0.1, -0.5], dtype=float32)
    """

    by_weight = True

    def __init__(
        self,
        optimizer_map: OptimizerMap | Callable[[Any], Optimizer],
        loss_scale_factor: float | None = None,
        name: str | None = None,
    ) -> None:
        if not callable(optimizer_map):
            raise TypeError(
                "MultiOptimizer: expected an OptimizerMap, or a function of a weight, got "
                f"{optimizer_map!r}"
            )
        self.optimizers: list[Optimizer] = []
        self._groups: list[_Group] | None = None
        super().__init__(0.0, loss_scale_factor=loss_scale_factor, name=name)
        self.optimizer_map = optimizer_map
        if isinstance(optimizer_map, OptimizerMap):
            for optimizer in (*optimizer_map._chosen.values(), optimizer_map.default_optimizer):
                self._index(optimizer)

    def _index(self, optimizer: Any) -> int:
        _check(optimizer)
        for i, known in enumerate(self.optimizers):
            if known is optimizer:
                return i
        # Its own would be divided by twice.
        optimizer.loss_scale_factor = None
        self.optimizers.append(optimizer)
        return len(self.optimizers) - 1

    # --- what there is one of for each ----------------------------------------------------------

    @property
    def learning_rate(self) -> float:
        """There is none: each of `optimizers` has its own."""
        raise AttributeError(
            f"{self.name}: has no learning rate; use those of {self.name}.optimizers"
        )

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        raise AttributeError(
            f"{self.name}: has no learning rate to set; set those of {self.name}.optimizers"
        )

    @property
    def rule(self) -> str:
        """There is none."""
        raise NotImplementedError(f"{self.name}: each of its optimizers has a rule")

    def exclude_from_weight_decay(self, var_list: Any = None, var_names: Any = None) -> None:
        """Leave weights out of weight decay in each of the optimizers."""
        for optimizer in self.optimizers:
            optimizer.exclude_from_weight_decay(var_list, var_names)

    # --- buffers --------------------------------------------------------------------------------

    @property
    def slot_names(self) -> tuple[str, ...]:
        """Names of the slots of all optimizers; weights share a slot's buffer."""
        return tuple(dict.fromkeys(n for o in self.optimizers for n in o._all_slot_names()))

    def _all_slot_names(self) -> tuple[str, ...]:
        return self.slot_names

    def _forget_buffers(self) -> None:
        super()._forget_buffers()
        self._groups = None

    def build(
        self,
        size: int | Sequence[Any],
        dtype: Any = "float32",
        values: numpy.ndarray | None = None,
        segments: Sequence[tuple] | None = None,
    ) -> None:
        """Make the slots, as `Optimizer.build`; `segments` lets them begin as they should."""
        if isinstance(size, list | tuple):
            self.build_for(size)
            return
        super().build(size, dtype)
        self._unfilled = ()  # each part begins as its optimizer's does
        if segments is not None and values is not None and self._groups is None:
            self._divide(values, [Segment(*s) for s in segments], fresh=True)

    def _divide(self, w: numpy.ndarray, segments: list[Segment], fresh: bool) -> None:
        chosen = [self._index(self.optimizer_map(_Weight(s))) for s in segments]
        for name in self.slot_names:  # of optimizers that a function has just made known
            if name not in self.slots:
                self.slots[name] = aligned_full(self._size, self._computed, 0.0)
        groups, at = [], 0
        for index, members in itertools.groupby(range(len(segments)), chosen.__getitem__):
            own = [segments[i] for i in members]
            at += len(own)
            stop = segments[at].start if at < len(segments) else self._size
            groups.append(_Group(index, own, own[0].start, stop))
        for group in groups:
            worker = group.worker = copy.copy(self.optimizers[group.index])
            worker._forget_buffers()
            part = group.part
            worker.build(part.stop - part.start, self._dtype, w[part])
            for name, slot in worker.slots.items():
                shared = self.slots[name][part]
                if fresh:
                    shared[...] = slot
                worker.slots[name] = shared
        self._groups = groups
        self._divided: Any = segments

    # --- a step ---------------------------------------------------------------------------------

    def step(
        self,
        w: numpy.ndarray,
        g: numpy.ndarray,
        segments: Sequence[tuple] | None = None,
        scale: float = 1.0,
    ) -> None:
        """Count one batch in each optimizer, as `Optimizer.step`; needs the segments."""
        if not self.built:
            self.build(w.size, w.dtype)
        self._check(w, g)
        layout = self._layout_of(segments)
        if self._groups is None:
            self._divide(w, layout.segments, fresh=not self.batches)
        elif self._divided is not layout.segments and self._divided != layout.segments:
            raise ShapeError(
                f"{self.name}: the weights are others than those that build() was told; call "
                "reset_slots() first"
            )
        self._divided = layout.segments  # the same list at the next step, which is seen at once
        if self.loss_scale_factor is not None:
            scale = scale / self.loss_scale_factor
        scales = self._scales_of_groups(g, scale)
        for group, own in zip(self._groups, scales, strict=True):
            worker, optimizer = group.worker, self.optimizers[group.index]
            # What the user sees and sets is the optimizer; the worker has buffers of its own.
            worker._learning_rate = optimizer._learning_rate
            worker.weight_decay = optimizer.weight_decay
            worker.fused = optimizer.fused and self.fused
            if worker._excluded is not optimizer._excluded:
                worker._excluded = optimizer._excluded
                worker._segments = worker._layout = None
            worker.batches = optimizer.batches
            worker.global_clipnorm = None
            worker.step(w[group.part], g[group.part], group.segments, own)
        for index in {group.index for group in self._groups}:
            self.optimizers[index].batches += 1
        self.batches += 1

    def _scales_of_groups(self, g: numpy.ndarray, scale: float) -> list[float]:
        """Return each group's factor: a global norm is that of all weights of an optimizer."""
        lengths: dict[int, list[float]] = {}
        for group in self._groups:
            if self.optimizers[group.index].global_clipnorm is not None:
                lengths.setdefault(group.index, []).append(norm(g[group.part]) * scale)
        factors = {}
        for index, parts in lengths.items():
            longest, length = self.optimizers[index].global_clipnorm, math.hypot(*parts)
            factors[index] = longest / length if length > longest else 1.0
            if not math.isfinite(length):
                factors[index] = math.nan
        return [scale * factors.get(group.index, 1.0) for group in self._groups]

    # --- averages -------------------------------------------------------------------------------

    @property
    def use_ema(self) -> bool:
        """Whether one of the optimizers keeps a moving average."""
        return any(optimizer.use_ema for optimizer in self.optimizers)

    @use_ema.setter
    def use_ema(self, value: bool) -> None:
        if value:
            raise ValueError(f"{self.name}: set use_ema where {self.name}.optimizers are made")

    def _averaged(self) -> list[_Group]:
        return [g for g in self._groups or () if self.optimizers[g.index].use_ema]

    def finalize_variable_values(self, w: Any) -> None:
        """Put the moving averages, where there are any, in the place of the weights."""
        if not isinstance(w, numpy.ndarray):
            self._finalize(w)
            return
        for group in self._averaged():
            group.worker.finalize_variable_values(w[group.part])
        self.average_in_weights = False

    def swap_moving_average(self, w: numpy.ndarray) -> None:
        """Let weights and moving averages, where there are any, change places."""
        for group in self._averaged():
            group.worker.swap_moving_average(w[group.part])
        self.average_in_weights = not self.average_in_weights

    # --- state and configuration ----------------------------------------------------------------

    def get_state(self) -> dict[str, Any]:
        """Return the states of all optimizers."""
        state: dict[str, Any] = {
            "iterations": self.batches,
            "optimizers": [optimizer.get_state() for optimizer in self.optimizers],
        }
        if self.average_in_weights:
            state["average_in_weights"] = True
        return state

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Go on from what `get_state` returned."""
        states = state.get("optimizers")
        if not isinstance(states, list) or len(states) != len(self.optimizers):
            raise ValueError(
                f"{self.name}: expected the states of {len(self.optimizers)} optimizers, got "
                f"{states!r}"
            )
        before = [optimizer.get_state() for optimizer in self.optimizers]
        try:
            for optimizer, own in zip(self.optimizers, states, strict=True):
                optimizer.set_state(own)
        except ValueError:
            for optimizer, own in zip(self.optimizers, before, strict=True):
                optimizer.set_state(own)
            raise
        self.batches = int(state["iterations"])
        self.average_in_weights = bool(state.get("average_in_weights", False))
        for group in self._averaged():
            group.worker.average_in_weights = self.average_in_weights

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal optimizer, without its state."""
        if not isinstance(self.optimizer_map, OptimizerMap):
            raise ValueError(
                f"{self.name}: a function that chooses optimizers can't be saved; use an "
                "OptimizerMap"
            )
        return {
            "optimizer_map": self.optimizer_map.get_config(),
            "loss_scale_factor": self.loss_scale_factor,
            "name": self.name,
        }

    @classmethod
    def from_config(
        cls, config: dict[str, Any], custom_objects: Mapping[str, Any] | None = None
    ) -> MultiOptimizer:
        """Make an optimizer of what `get_config` returned."""
        config = dict(config)
        chosen = OptimizerMap.from_config(config.pop("optimizer_map"), custom_objects)
        return cls(chosen, **config)

    def __repr__(self) -> str:
        return f"<MultiOptimizer of {self.optimizers!r}>"
