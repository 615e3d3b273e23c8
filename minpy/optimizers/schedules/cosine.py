"""Learning rates that fall along half a cosine, once or again and again."""

from __future__ import annotations

import math
from typing import Any

from minpy.optimizers.schedules.schedule import LearningRateSchedule, positive_steps

__all__ = ["CosineDecay", "CosineDecayRestarts"]


class CosineDecay(LearningRateSchedule):
    """Rises in a straight line while it warms up, if asked to, then falls along half a cosine.

    Parameters
    ----------
    initial_learning_rate
        At step 0.
    decay_steps
        Steps of the fall.
    alpha
        What is left at its end, as a part of the rate that it began with.
    name
        Kept for Keras' sake.
    warmup_target
        Rate at the end of the warm-up; None leaves the warm-up out.
    warmup_steps
        Steps of the warm-up.

    Notes
    -----
    Loshchilov and Hutter, 2017, equation 5.

    Examples
    --------
    >>> rate = CosineDecay(0., decay_steps=100, warmup_target=0.1, warmup_steps=10)
    >>> rate(5), rate(10), rate(60), rate(110)
    (0.05, 0.1, 0.05, 0.0)
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: int,
        alpha: float = 0.0,
        name: str = "CosineDecay",
        warmup_target: float | None = None,
        warmup_steps: int = 0,
    ) -> None:
        positive_steps(self, "decay_steps", decay_steps)
        self.initial_learning_rate = initial_learning_rate
        self.decay_steps = decay_steps
        self.alpha = alpha
        self.name = name
        self.warmup_target = warmup_target
        self.warmup_steps = warmup_steps

    def __call__(self, step: int) -> float:
        """Return the learning rate of a step."""
        top = self.initial_learning_rate
        if self.warmup_target is not None:
            if step < self.warmup_steps:
                return top + (self.warmup_target - top) * step / self.warmup_steps
            step, top = step - self.warmup_steps, self.warmup_target
        passed = min(step, self.decay_steps) / self.decay_steps
        cosine = 0.5 * (1.0 + math.cos(math.pi * passed))
        return top * ((1.0 - self.alpha) * cosine + self.alpha)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal schedule."""
        return {
            "initial_learning_rate": self.initial_learning_rate,
            "decay_steps": self.decay_steps,
            "alpha": self.alpha,
            "name": self.name,
            "warmup_target": self.warmup_target,
            "warmup_steps": self.warmup_steps,
        }


class CosineDecayRestarts(LearningRateSchedule):
    """Falls along half a cosine, then starts anew, each time for longer and from lower.

    Parameters
    ----------
    initial_learning_rate
        At step 0.
    first_decay_steps
        Steps of the first fall.
    t_mul
        How much longer each fall is than the one before.
    m_mul
        How much lower each begins.
    alpha
        What is left at the end of a fall, as a part of the initial rate.
    name
        Kept for Keras' sake.

    Notes
    -----
    Loshchilov and Hutter, 2017 (SGDR).

    Examples
    --------
    >>> rate = CosineDecayRestarts(0.1, first_decay_steps=100)
    >>> rate(0), rate(50), rate(100), rate(200)
    (0.1, 0.05, 0.1, 0.05)
    """

    def __init__(
        self,
        initial_learning_rate: float,
        first_decay_steps: int,
        t_mul: float = 2.0,
        m_mul: float = 1.0,
        alpha: float = 0.0,
        name: str = "SGDRDecay",
    ) -> None:
        positive_steps(self, "first_decay_steps", first_decay_steps)
        if t_mul < 1:
            raise ValueError(f"CosineDecayRestarts: expected t_mul ≥ 1, got {t_mul}")
        self.initial_learning_rate = initial_learning_rate
        self.first_decay_steps = first_decay_steps
        self.t_mul = t_mul
        self.m_mul = m_mul
        self.alpha = alpha
        self.name = name

    def __call__(self, step: int) -> float:
        """Return the learning rate of a step."""
        passed = step / self.first_decay_steps
        if self.t_mul == 1:
            restarts = math.floor(passed)
            passed -= restarts
        else:
            grown = 1.0 + passed * (self.t_mul - 1.0)
            # Rounded up by a hair: at a restart the logarithm may come out just below a whole
            # number, and the step would be the end of the fall before instead of a new start.
            restarts = math.floor(math.log(grown) / math.log(self.t_mul) + 1e-12)
            factor = self.t_mul**restarts
            passed = (passed - (factor - 1.0) / (self.t_mul - 1.0)) / factor
        cosine = 0.5 * self.m_mul**restarts * (1.0 + math.cos(math.pi * passed))
        return self.initial_learning_rate * ((1.0 - self.alpha) * cosine + self.alpha)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal schedule."""
        return {
            "initial_learning_rate": self.initial_learning_rate,
            "first_decay_steps": self.first_decay_steps,
            "t_mul": self.t_mul,
            "m_mul": self.m_mul,
            "alpha": self.alpha,
            "name": self.name,
        }
