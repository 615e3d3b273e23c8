"""Adagrad: steps divided by the root of the sum of squared gradients."""

from __future__ import annotations

from typing import Any, ClassVar

from minpy.arguments import also_by_place
from minpy.optimizers.arguments import SHARED_ARGUMENTS
from minpy.optimizers.optimizer import Optimizer

__all__ = ["Adagrad"]


class Adagrad(Optimizer):
    """Divides the gradient by the root of the sum of all its squares so far.

    Parameters
    ----------
    learning_rate
        As of `Optimizer`.
    initial_accumulator_value
        What the sum starts at, at least 0.
    epsilon
        Added to the sum before the root.
    weight_decay, clipnorm, clipvalue, global_clipnorm, **shared
        As of `Optimizer`.

    Notes
    -----
    Duchi, Hazan and Singer, 2011.
    """

    @also_by_place(**SHARED_ARGUMENTS)
    def __init__(
        self,
        learning_rate: Any = 0.001,
        initial_accumulator_value: float = 0.1,
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
        if initial_accumulator_value < 0:
            raise ValueError(
                f"Adagrad: expected initial_accumulator_value ≥ 0, got {initial_accumulator_value}"
            )
        self.initial_accumulator_value = initial_accumulator_value
        self.epsilon = epsilon

    initial_values: ClassVar = {"accumulator": "initial_accumulator_value"}

    @property
    def rule(self) -> str:
        """Name of the row of the table."""
        return "adagrad"

    def scalars(self, rate: float, step: int) -> dict[str, float]:
        """Return the row's scalars for a step."""
        return {"rate": rate, "epsilon": self.epsilon}

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal optimizer, without its state."""
        return {
            **super().get_config(),
            "initial_accumulator_value": self.initial_accumulator_value,
            "epsilon": self.epsilon,
        }
