"""Learning rates that rise first: a warm-up before any schedule, and one cycle of up and down."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from minpy.optimizers.schedules.schedule import LearningRateSchedule, positive_steps

__all__ = ["OneCycle", "WarmUp"]


class WarmUp(LearningRateSchedule):
    """Rises in a straight line, then follows a schedule from its beginning.

    Parameters
    ----------
    after
        What follows: a `LearningRateSchedule`, or a number. Its first rate is where the rise ends.
    warmup_steps
        Steps of the rise.
    initial_learning_rate
        At step 0.
    name
        For messages.

    Notes
    -----
    Goyal et al., 2017, section 2.2. Keras has no such class; `CosineDecay` warms up by itself.

    Examples
    --------
    >>> from minpy.optimizers.schedules import ExponentialDecay
    >>> rate = WarmUp(ExponentialDecay(0.1, 100, 0.5), warmup_steps=10)
    >>> rate(0), rate(5), rate(10), rate(110)
    (0.0, 0.05, 0.1, 0.05)
    """

    def __init__(
        self,
        after: Any,
        warmup_steps: int,
        initial_learning_rate: float = 0.0,
        name: str = "WarmUp",
    ) -> None:
        positive_steps(self, "warmup_steps", warmup_steps)
        if not isinstance(after, LearningRateSchedule | int | float) or isinstance(after, bool):
            raise TypeError(
                f"WarmUp: expected a LearningRateSchedule or a number to follow, got {after!r}"
            )
        self.after = after
        self.warmup_steps = warmup_steps
        self.initial_learning_rate = initial_learning_rate
        self.name = name

    def __call__(self, step: int) -> float:
        """Return the learning rate of a step."""
        constant = not isinstance(self.after, LearningRateSchedule)
        if step >= self.warmup_steps:
            return float(self.after if constant else self.after(step - self.warmup_steps))
        top = self.after if constant else self.after(0)
        start = self.initial_learning_rate
        return start + (top - start) * step / self.warmup_steps

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal schedule."""
        from minpy.optimizers import schedules

        after = self.after
        if isinstance(after, LearningRateSchedule):
            after = schedules.serialize(after)
        return {
            "after": after,
            "warmup_steps": self.warmup_steps,
            "initial_learning_rate": self.initial_learning_rate,
            "name": self.name,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> WarmUp:
        """Make a schedule of what `get_config` returned."""
        from minpy.optimizers import schedules

        config = dict(config)
        if isinstance(config["after"], Mapping):
            config["after"] = schedules.deserialize(config["after"])
        return cls(**config)


class OneCycle(LearningRateSchedule):
    """Rises to a rate that is almost too large, then falls to next to nothing.

    Parameters
    ----------
    max_learning_rate
        The top.
    total_steps
        Steps of the whole training; the rate stays at its end after them.
    rising
        Share of the steps in which it rises, 0 to 1.
    div_factor
        The first rate is the top divided by this.
    final_div_factor
        The last rate is the first divided by this.
    shape
        ``'cosine'``, or ``'linear'``: the way between them.
    name
        For messages.

    Notes
    -----
    Smith and Topin, 2018. The two phases and defaults of PyTorch's ``OneCycleLR``; Keras has no
    such class.

    Examples
    --------
    >>> rate = OneCycle(0.1, total_steps=101, rising=0.5, div_factor=10., shape='linear')
    >>> round(rate(0), 6), round(rate(49.5), 6), round(rate(100), 9)
    (0.01, 0.1, 1e-06)
    """

    def __init__(
        self,
        max_learning_rate: float,
        total_steps: int,
        rising: float = 0.3,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        shape: str = "cosine",
        name: str = "OneCycle",
    ) -> None:
        positive_steps(self, "total_steps", total_steps)
        positive_steps(self, "div_factor", div_factor)
        positive_steps(self, "final_div_factor", final_div_factor)
        if not 0 <= rising <= 1:
            raise ValueError(f"OneCycle: expected rising from 0 to 1, got {rising!r}")
        if shape not in ("cosine", "linear"):
            raise ValueError(f"OneCycle: expected shape 'cosine' or 'linear', got {shape!r}")
        self.max_learning_rate = max_learning_rate
        self.total_steps = total_steps
        self.rising = rising
        self.div_factor = div_factor
        self.final_div_factor = final_div_factor
        self.shape = shape
        self.name = name

    def __call__(self, step: float) -> float:
        """Return the learning rate of a step."""
        first = self.max_learning_rate / self.div_factor
        top = self.rising * self.total_steps - 1
        if step <= top:
            return self._between(first, self.max_learning_rate, step / top)
        last = self.total_steps - 1
        passed = min((step - top) / (last - top), 1.0) if last > top else 1.0
        return self._between(self.max_learning_rate, first / self.final_div_factor, passed)

    def _between(self, start: float, end: float, passed: float) -> float:
        if self.shape == "cosine":
            passed = 0.5 - 0.5 * math.cos(math.pi * passed)
        return start + (end - start) * passed

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal schedule."""
        return {
            "max_learning_rate": self.max_learning_rate,
            "total_steps": self.total_steps,
            "rising": self.rising,
            "div_factor": self.div_factor,
            "final_div_factor": self.final_div_factor,
            "shape": self.shape,
            "name": self.name,
        }
