"""A loss scale that finds its own size: doubled while gradients are finite, halved when not."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy

from minpy.optimizers.optimizer import Optimizer

__all__ = ["LossScaleOptimizer"]


class LossScaleOptimizer(Optimizer):
    """Another optimizer, under a loss scale that keeps small gradients from vanishing.

    A batch whose gradients aren't finite changes no weight and halves the scale; after
    `dynamic_growth_steps` finite ones in a row it is doubled.

    Parameters
    ----------
    inner_optimizer
        Does the steps, with its clipping, weight decay and so on.
    initial_scale
        What the loss is multiplied by at first.
    dynamic_growth_steps
        Finite batches in a row after which the scale is doubled.
    name
        For messages and files.

    Notes
    -----
    Micikevicius et al., 2018, section 3.2; the schedule is Keras'.

    Examples
    --------
    >>> import numpy
    >>> from minpy.optimizers import SGD
    >>> optimizer = LossScaleOptimizer(SGD(0.1), initial_scale=4.0)
    >>> w = numpy.zeros(1, 'float32')
    >>> optimizer.step(w, numpy.array([numpy.inf], 'float32'))
    >>> w, optimizer.loss_scale
    (array([0.], dtype=float32), 2.0)
    """

    def __init__(
        self,
        inner_optimizer: Optimizer,
        initial_scale: float = 2.0**15,
        dynamic_growth_steps: int = 2000,
        name: str | None = None,
    ) -> None:
        if not isinstance(inner_optimizer, Optimizer):
            raise TypeError(
                "LossScaleOptimizer: expected inner_optimizer to be an Optimizer, got "
                f"{inner_optimizer!r}"
            )
        if not (math.isfinite(initial_scale) and initial_scale > 0):
            raise ValueError(
                f"LossScaleOptimizer: expected initial_scale > 0, got {initial_scale!r}"
            )
        if not isinstance(dynamic_growth_steps, int) or dynamic_growth_steps < 1:
            raise ValueError(
                "LossScaleOptimizer: expected dynamic_growth_steps ≥ 1, got "
                f"{dynamic_growth_steps!r}"
            )
        # Set first: most of what the base's constructor stores belongs to it.
        self.inner_optimizer = inner_optimizer
        # The scale is this one's; two would be divided by twice.
        inner_optimizer.loss_scale_factor = None
        self.name = name or type(self).__name__.lower()
        self.initial_scale = float(initial_scale)
        self.dynamic_growth_steps = dynamic_growth_steps
        self.dynamic_scale = self.initial_scale
        self.finite_batches = 0

    # Everything about steps, buffers and rates is the inner optimizer's.
    def __getattr__(self, name: str) -> Any:
        if name == "inner_optimizer" or name.startswith("__"):
            raise AttributeError(name)
        return getattr(self.inner_optimizer, name)

    @property
    def rule(self) -> str:
        """Name of the inner optimizer's row of the table."""
        return self.inner_optimizer.rule

    @property
    def slot_names(self) -> tuple[str, ...]:
        """Names of the inner optimizer's slots."""
        return self.inner_optimizer.slot_names

    @property
    def iterations(self) -> int:
        """Steps done."""
        return self.inner_optimizer.iterations

    @iterations.setter
    def iterations(self, value: int) -> None:
        self.inner_optimizer.iterations = value

    @property
    def learning_rate(self) -> float:
        """The inner optimizer's learning rate."""
        return self.inner_optimizer.learning_rate

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        self.inner_optimizer.learning_rate = value

    @property
    def built(self) -> bool:
        """Whether the slots exist."""
        return self.inner_optimizer.built

    def build(
        self,
        size: int | Sequence[Any],
        dtype: Any = "float32",
        values: numpy.ndarray | None = None,
        segments: Sequence[tuple] | None = None,
    ) -> None:
        """Make the slots, as `Optimizer.build`."""
        if isinstance(size, list | tuple):
            self.build_for(size)
            return
        self.inner_optimizer.build(size, dtype, values, segments)

    def reset_slots(self) -> None:
        """Drop the slots; `build` makes new ones."""
        self.inner_optimizer.reset_slots()
        self._weights = self._places = None

    def reset(self) -> None:
        """Start anew: no steps done, the scale as at first."""
        self.inner_optimizer.reset()
        self.dynamic_scale, self.finite_batches = self.initial_scale, 0

    def exclude_from_weight_decay(self, var_list: Any = None, var_names: Any = None) -> None:
        """Leave weights out of weight decay, as `Optimizer.exclude_from_weight_decay`."""
        self.inner_optimizer.exclude_from_weight_decay(var_list, var_names)

    @property
    def loss_scale(self) -> float:
        """What the loss of the next batch is to be multiplied by."""
        return self.dynamic_scale

    def finalize_variable_values(self, w: Any) -> None:
        """Put the moving average in the place of the weights, if the inner optimizer has one."""
        if not isinstance(w, numpy.ndarray):
            self._finalize(w)
            return
        self.inner_optimizer.finalize_variable_values(w)

    def swap_moving_average(self, w: numpy.ndarray) -> None:
        """Let the weights and the inner optimizer's average change places."""
        self.inner_optimizer.swap_moving_average(w)

    def step(
        self,
        w: numpy.ndarray,
        g: numpy.ndarray,
        segments: Sequence[tuple] | None = None,
        scale: float = 1.0,
    ) -> None:
        """Do one step, or halve the scale where a gradient isn't finite; as `Optimizer.step`."""
        if not self.built:
            self.build(w.size, w.dtype)
        self.inner_optimizer._check(w, g)
        # One product over the buffer; only where it overflows are the elements looked at.
        if not math.isfinite(float(numpy.dot(g, g))) and not numpy.isfinite(g).all():
            self.dynamic_scale, self.finite_batches = self.dynamic_scale * 0.5, 0
            return
        self.inner_optimizer.step(w, g, segments, scale / self.dynamic_scale)
        self.finite_batches += 1
        if self.finite_batches == self.dynamic_growth_steps:
            self.dynamic_scale, self.finite_batches = self.dynamic_scale * 2.0, 0

    def get_state(self) -> dict[str, Any]:
        """Return the inner optimizer's state and the scale's."""
        return {
            **self.inner_optimizer.get_state(),
            "dynamic_scale": self.dynamic_scale,
            "finite_batches": self.finite_batches,
        }

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Go on from what `get_state` returned."""
        scale, finite = state.get("dynamic_scale"), state.get("finite_batches")
        if not isinstance(scale, int | float) or not scale > 0 or not isinstance(finite, int):
            raise ValueError(
                f"{self.name}: expected a state with dynamic_scale and finite_batches, got "
                f"{dict(state)!r}"
            )
        self.inner_optimizer.set_state(state)
        self.dynamic_scale, self.finite_batches = float(scale), finite

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal optimizer, without its state."""
        from minpy import optimizers

        return {
            "name": self.name,
            "inner_optimizer": optimizers.serialize(self.inner_optimizer),
            "initial_scale": self.initial_scale,
            "dynamic_growth_steps": self.dynamic_growth_steps,
        }

    @classmethod
    def from_config(
        cls, config: dict[str, Any], custom_objects: Mapping[str, Any] | None = None
    ) -> LossScaleOptimizer:
        """Make an optimizer of what `get_config` returned."""
        from minpy import optimizers

        config = dict(config)
        inner = optimizers.deserialize(config.pop("inner_optimizer"), custom_objects)
        return cls(inner, **config)

    def __repr__(self) -> str:
        return f"<LossScaleOptimizer of {self.inner_optimizer!r} scale={self.dynamic_scale:g}>"
