"""Schedule-free AdamW: an average of the way instead of a learning rate that falls."""

from __future__ import annotations

from typing import Any, ClassVar

from minpy.arguments import also_by_place
from minpy.optimizers.arguments import SHARED_ARGUMENTS, check_fraction
from minpy.optimizers.optimizer import Optimizer

__all__ = ["ScheduleFreeAdamW"]


class ScheduleFreeAdamW(Optimizer):
    """Adam's steps are done in one sequence, and the gradient is taken near the mean of it.

    Parameters
    ----------
    learning_rate
        As of `Optimizer`; constant, since the averaging does what a schedule would.
    beta_1
        How near to the mean the weights are, above 0 and at most 1.
    beta_2
        How much of the running mean of squared gradients a step keeps, 0 to 1.
    epsilon
        Added to the root of that mean.
    warmup_steps
        Steps in which the learning rate rises in a straight line to its value.
    weight_decay, clipnorm, clipvalue, global_clipnorm, **shared
        As of `Optimizer`.

    Notes
    -----
    Defazio et al., 2024, algorithm 1, with a plain mean as in Keras. The slot ``momentum`` is the
    sequence z that steps are done in; the mean is x = (w − (1−β₁)z) / β₁.

    Examples
    --------
    >>> import numpy
    >>> optimizer = ScheduleFreeAdamW(0.05)
    >>> w = numpy.ones(1)
    >>> for _ in range(300):
    ...     optimizer.step(w, 2 * w)
    >>> bool(abs(w[0]) < 0.02)
    True
    """

    initial_values: ClassVar = {"momentum": None}

    @also_by_place(**SHARED_ARGUMENTS)
    def __init__(
        self,
        learning_rate: Any = 0.0025,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        warmup_steps: int = 0,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        **shared: Any,
    ) -> None:
        super().__init__(
            learning_rate, weight_decay, clipnorm, clipvalue, global_clipnorm, **shared
        )
        check_fraction(self, "beta_1", beta_1)
        check_fraction(self, "beta_2", beta_2)
        if beta_1 == 0:
            raise ValueError(
                "ScheduleFreeAdamW: expected beta_1 > 0, got 0: the weights would know nothing of "
                "the mean"
            )
        if warmup_steps < 0:
            raise ValueError(f"ScheduleFreeAdamW: expected warmup_steps ≥ 0, got {warmup_steps!r}")
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.warmup_steps = warmup_steps

    @property
    def rule(self) -> str:
        """Name of the row of the table."""
        return "schedule_free_adamw"

    def scalars(self, rate: float, step: int) -> dict[str, float]:
        """Return the row's scalars for a step."""
        if self.warmup_steps:
            rate = rate * min(step / self.warmup_steps, 1.0)
        return {
            "rate": rate,
            "beta_1": self.beta_1,
            "rest_1": 1.0 - self.beta_1,
            "rest_2": 1.0 - self.beta_2,
            "correction": 1.0 / (1.0 - self.beta_2**step),
            "share": 1.0 / step,
            "rest_share": 1.0 - 1.0 / step,
            "epsilon": self.epsilon,
        }

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal optimizer, without its state."""
        return {
            **super().get_config(),
            "beta_1": self.beta_1,
            "beta_2": self.beta_2,
            "epsilon": self.epsilon,
            "warmup_steps": self.warmup_steps,
        }
