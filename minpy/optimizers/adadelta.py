"""Adadelta: steps in the units of the weights, without a rate to tune."""

from __future__ import annotations

from typing import Any

from minpy.arguments import also_by_place
from minpy.optimizers.arguments import SHARED_ARGUMENTS, check_fraction
from minpy.optimizers.optimizer import Optimizer

__all__ = ["Adadelta"]


class Adadelta(Optimizer):
    """Scales the gradient by the ratio of running mean squares of steps and gradients.

    Parameters
    ----------
    learning_rate
        As of `Optimizer`; 1 is the paper's method.
    rho
        How much of the means a step keeps, 0 to 1.
    epsilon
        Added to the means before the roots.
    weight_decay, clipnorm, clipvalue, global_clipnorm, **shared
        As of `Optimizer`.

    Notes
    -----
    Zeiler, 2012, algorithm 1.
    """

    @also_by_place(**SHARED_ARGUMENTS)
    def __init__(
        self,
        learning_rate: Any = 0.001,
        rho: float = 0.95,
        epsilon: float = 1e-7,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        **shared: Any,
    ) -> None:
        super().__init__(
            learning_rate, weight_decay, clipnorm, clipvalue, global_clipnorm, **shared
        )
        check_fraction(self, "rho", rho)
        self.rho = rho
        self.epsilon = epsilon

    @property
    def rule(self) -> str:
        """Name of the row of the table."""
        return "adadelta"

    def scalars(self, rate: float, step: int) -> dict[str, float]:
        """Return the row's scalars for a step."""
        return {"rate": rate, "rho": self.rho, "rest": 1.0 - self.rho, "epsilon": self.epsilon}

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal optimizer, without its state."""
        return {**super().get_config(), "rho": self.rho, "epsilon": self.epsilon}
