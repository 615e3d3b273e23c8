"""Lion: steps of one size, by the sign of an averaged gradient."""

from __future__ import annotations

from typing import Any

from minpy.arguments import also_by_place
from minpy.optimizers.arguments import SHARED_ARGUMENTS, check_fraction
from minpy.optimizers.optimizer import Optimizer

__all__ = ["Lion"]


class Lion(Optimizer):
    """Moves every weight by the learning rate, in the direction of an averaged gradient.

    Parameters
    ----------
    learning_rate
        As of `Optimizer`; a third to a tenth of Adam's.
    beta_1
        Share of the momentum in the direction, above 0 and at most 1.
    beta_2
        How much of the momentum a step keeps, 0 to 1.
    weight_decay, clipnorm, clipvalue, global_clipnorm, **shared
        As of `Optimizer`.

    Notes
    -----
    Chen et al., 2023, algorithm 2.
    """

    @also_by_place(**SHARED_ARGUMENTS)
    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.99,
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
                "Lion: expected beta_1 > 0, got 0: that is the sign of the gradient alone"
            )
        self.beta_1 = beta_1
        self.beta_2 = beta_2

    @property
    def rule(self) -> str:
        """Name of the row of the table."""
        return "lion"

    def scalars(self, rate: float, step: int) -> dict[str, float]:
        """Return the row's scalars for a step."""
        return {
            "rate": rate,
            "beta_1": self.beta_1,
            "rest_1": 1.0 - self.beta_1,
            "beta_2": self.beta_2,
            "rest_2": 1.0 - self.beta_2,
        }

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal optimizer, without its state."""
        return {**super().get_config(), "beta_1": self.beta_1, "beta_2": self.beta_2}
