"""Nadam: Adam with Nesterov momentum."""

from __future__ import annotations

from typing import Any

from minpy.arguments import also_by_place
from minpy.optimizers.arguments import SHARED_ARGUMENTS, check_fraction
from minpy.optimizers.optimizer import Optimizer

__all__ = ["Nadam"]


class Nadam(Optimizer):
    """Adam that looks ahead along its momentum.

    Parameters
    ----------
    learning_rate
        As of `Optimizer`.
    beta_1, beta_2
        How much of the running means of the gradient and of its square a step keeps, 0 to 1.
    epsilon
        Added to the root of the second mean; the ε̂ of the paper's section 2.1.
    weight_decay, clipnorm, clipvalue, global_clipnorm, **shared
        As of `Optimizer`.

    Notes
    -----
    Dozat, 2016, with the momentum schedule of its section 2: β₁(1 − ½ · 0.96ᵗ).
    """

    @also_by_place(**SHARED_ARGUMENTS)
    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
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
        check_fraction(self, "beta_1", beta_1)
        check_fraction(self, "beta_2", beta_2)
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self._product = (0, 1.0)  # of the momenta of the steps so far

    def _momentum(self, step: int) -> float:
        return self.beta_1 * (1.0 - 0.5 * 0.96**step)

    def _product_of(self, step: int) -> float:
        """Return the product of the momenta up to a step, from the last one that was asked for."""
        done, product = self._product
        if done > step:
            done, product = 0, 1.0
        while done < step and product:
            done += 1
            product *= self._momentum(done)
        self._product = (step, product)
        return product

    @property
    def rule(self) -> str:
        """Name of the row of the table."""
        return "nadam"

    def scalars(self, rate: float, step: int) -> dict[str, float]:
        """Return the row's scalars for a step."""
        now, following = self._momentum(step), self._momentum(step + 1)
        product = self._product_of(step)
        return {
            "rate": rate,
            "rest_1": 1.0 - self.beta_1,
            "rest_2": 1.0 - self.beta_2,
            "weight_m": following / (1.0 - product * following),
            "weight_g": (1.0 - now) / (1.0 - product),
            "correction": 1.0 / (1.0 - self.beta_2**step),
            "epsilon": self.epsilon,
        }

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal optimizer, without its state."""
        return {
            **super().get_config(),
            "beta_1": self.beta_1,
            "beta_2": self.beta_2,
            "epsilon": self.epsilon,
        }
