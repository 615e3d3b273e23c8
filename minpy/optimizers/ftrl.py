"""FTRL: follow the regularized leader, for sparse linear models."""

from __future__ import annotations

from typing import Any, ClassVar

from minpy.arguments import also_by_place
from minpy.optimizers.arguments import SHARED_ARGUMENTS
from minpy.optimizers.optimizer import Optimizer

__all__ = ["Ftrl"]

_NOT_NEGATIVE = (
    "initial_accumulator_value",
    "l1_regularization_strength",
    "l2_regularization_strength",
    "l2_shrinkage_regularization_strength",
    "beta",
)


class Ftrl(Optimizer):
    """Follows the regularized leader: weights are a function of the sum of all gradients.

    Parameters
    ----------
    learning_rate
        As of `Optimizer`.
    learning_rate_power
        How the rate falls with the sum of squared gradients, at most 0; -0.5 is the root.
    initial_accumulator_value
        What that sum starts at, at least 0.
    l1_regularization_strength, l2_regularization_strength
        Penalties on the weights, at least 0; the first makes weights exactly zero.
    l2_shrinkage_regularization_strength
        A penalty that acts on the gradient only, at least 0.
    beta
        The β of the paper, at least 0.
    weight_decay, clipnorm, clipvalue, global_clipnorm, **shared
        As of `Optimizer`.

    Notes
    -----
    McMahan et al., 2013, algorithm 1.
    """

    @also_by_place(**SHARED_ARGUMENTS)
    def __init__(
        self,
        learning_rate: Any = 0.001,
        learning_rate_power: float = -0.5,
        initial_accumulator_value: float = 0.1,
        l1_regularization_strength: float = 0.0,
        l2_regularization_strength: float = 0.0,
        l2_shrinkage_regularization_strength: float = 0.0,
        beta: float = 0.0,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        **shared: Any,
    ) -> None:
        super().__init__(
            learning_rate, weight_decay, clipnorm, clipvalue, global_clipnorm, **shared
        )
        self.learning_rate_power = learning_rate_power
        self.initial_accumulator_value = initial_accumulator_value
        self.l1_regularization_strength = l1_regularization_strength
        self.l2_regularization_strength = l2_regularization_strength
        self.l2_shrinkage_regularization_strength = l2_shrinkage_regularization_strength
        self.beta = beta
        if learning_rate_power > 0:
            raise ValueError(f"Ftrl: expected learning_rate_power ≤ 0, got {learning_rate_power}")
        for key in _NOT_NEGATIVE:
            if getattr(self, key) < 0:
                raise ValueError(f"Ftrl: expected {key} ≥ 0, got {getattr(self, key)}")

    initial_values: ClassVar = {"accumulator": "initial_accumulator_value"}

    @property
    def rule(self) -> str:
        """Name of the row of the table."""
        return "ftrl" if self.learning_rate_power == -0.5 else "ftrl_power"

    def scalars(self, rate: float, step: int) -> dict[str, float]:
        """Return the row's scalars for a step."""
        if not rate:
            raise ValueError("Ftrl: the learning rate must not be 0, which it divides by")
        return {
            "inverse_rate": 1.0 / rate,
            "power": -self.learning_rate_power,
            "l1": self.l1_regularization_strength,
            "twice_l2": 2.0 * self.l2_regularization_strength + self.beta / rate,
            "shrinkage": 2.0 * self.l2_shrinkage_regularization_strength,
        }

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal optimizer, without its state."""
        own = {key: getattr(self, key) for key in ("learning_rate_power", *_NOT_NEGATIVE)}
        return {**super().get_config(), **own}
