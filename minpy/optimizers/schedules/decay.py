"""Learning rates that fall along a curve: exponential, polynomial, inverse time, in pieces."""

from __future__ import annotations

import bisect
import math
from collections.abc import Sequence
from typing import Any

from minpy.optimizers.schedules.schedule import LearningRateSchedule, positive_steps

__all__ = ["ExponentialDecay", "InverseTimeDecay", "PiecewiseConstantDecay", "PolynomialDecay"]


class ExponentialDecay(LearningRateSchedule):
    """Multiplies the rate by a factor every so many steps: ``initial · rate ^ (step / steps)``.

    Parameters
    ----------
    initial_learning_rate
        At step 0.
    decay_steps
        Steps in which the rate falls by `decay_rate`.
    decay_rate
        The factor.
    staircase
        Whether it falls in jumps, at whole multiples of `decay_steps`.
    name
        Kept for Keras' sake.

    Examples
    --------
    >>> ExponentialDecay(0.1, decay_steps=100, decay_rate=0.5)(200)
    0.025
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: int,
        decay_rate: float,
        staircase: bool = False,
        name: str = "ExponentialDecay",
    ) -> None:
        positive_steps(self, "decay_steps", decay_steps)
        self.initial_learning_rate = initial_learning_rate
        self.decay_steps = decay_steps
        self.decay_rate = decay_rate
        self.staircase = staircase
        self.name = name

    def _passed(self, step: int) -> float:
        passed = step / self.decay_steps
        return math.floor(passed) if self.staircase else passed

    def __call__(self, step: int) -> float:
        """Return the learning rate of a step."""
        return self.initial_learning_rate * self.decay_rate ** self._passed(step)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal schedule."""
        return {
            "initial_learning_rate": self.initial_learning_rate,
            "decay_steps": self.decay_steps,
            "decay_rate": self.decay_rate,
            "staircase": self.staircase,
            "name": self.name,
        }


class InverseTimeDecay(ExponentialDecay):
    """Divides the rate by a number that grows with time: ``initial / (1 + rate · step / steps)``.

    Parameters
    ----------
    initial_learning_rate
        At step 0.
    decay_steps, decay_rate
        The divisor grows by `decay_rate` in `decay_steps` steps.
    staircase
        Whether it grows in jumps.
    name
        Kept for Keras' sake.

    Examples
    --------
    >>> InverseTimeDecay(0.1, decay_steps=100, decay_rate=0.5)(200)
    0.05
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: int,
        decay_rate: float,
        staircase: bool = False,
        name: str = "InverseTimeDecay",
    ) -> None:
        super().__init__(initial_learning_rate, decay_steps, decay_rate, staircase, name)

    def __call__(self, step: int) -> float:
        """Return the learning rate of a step."""
        return self.initial_learning_rate / (1.0 + self.decay_rate * self._passed(step))


class PolynomialDecay(LearningRateSchedule):
    """Goes from one rate to another along a power of the time that is left.

    Parameters
    ----------
    initial_learning_rate, end_learning_rate
        At step 0, and from `decay_steps` on.
    decay_steps
        Length of the way.
    power
        1 is a straight line.
    cycle
        Whether to start anew, each time on a way that ends at the next multiple of `decay_steps`.
    name
        Kept for Keras' sake.

    Examples
    --------
    >>> PolynomialDecay(0.1, decay_steps=100, end_learning_rate=0.)(25)
    0.075
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: int,
        end_learning_rate: float = 0.0001,
        power: float = 1.0,
        cycle: bool = False,
        name: str = "PolynomialDecay",
    ) -> None:
        positive_steps(self, "decay_steps", decay_steps)
        self.initial_learning_rate = initial_learning_rate
        self.decay_steps = decay_steps
        self.end_learning_rate = end_learning_rate
        self.power = power
        self.cycle = cycle
        self.name = name

    def __call__(self, step: int) -> float:
        """Return the learning rate of a step."""
        steps = self.decay_steps
        if self.cycle:
            steps = steps * max(1, math.ceil(step / steps))
        left = 1.0 - min(step, steps) / steps
        span = self.initial_learning_rate - self.end_learning_rate
        return span * left**self.power + self.end_learning_rate

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal schedule."""
        return {
            "initial_learning_rate": self.initial_learning_rate,
            "decay_steps": self.decay_steps,
            "end_learning_rate": self.end_learning_rate,
            "power": self.power,
            "cycle": self.cycle,
            "name": self.name,
        }


class PiecewiseConstantDecay(LearningRateSchedule):
    """Has one rate up to each of some steps, and another after it.

    Parameters
    ----------
    boundaries
        Rising steps at which the rate changes; a boundary is still of the piece before it.
    values
        Rates of the pieces, one more than boundaries.
    name
        Kept for Keras' sake.

    Examples
    --------
    >>> rate = PiecewiseConstantDecay([100, 200], [0.1, 0.05, 0.01])
    >>> rate(100), rate(101), rate(500)
    (0.1, 0.05, 0.01)
    """

    def __init__(
        self,
        boundaries: Sequence[float],
        values: Sequence[float],
        name: str = "PiecewiseConstant",
    ) -> None:
        boundaries, values = list(boundaries), list(values)
        if len(values) != len(boundaries) + 1:
            raise ValueError(
                "PiecewiseConstantDecay: expected one value more than boundaries, got "
                f"{len(values)} values and {len(boundaries)} boundaries"
            )
        if boundaries != sorted(boundaries):
            raise ValueError(
                f"PiecewiseConstantDecay: expected rising boundaries, got {boundaries}"
            )
        self.boundaries = boundaries
        self.values = values
        self.name = name

    def __call__(self, step: int) -> float:
        """Return the learning rate of a step."""
        return float(self.values[bisect.bisect_left(self.boundaries, step)])

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal schedule."""
        return {"boundaries": self.boundaries, "values": self.values, "name": self.name}
