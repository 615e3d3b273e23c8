"""RMSprop: steps divided by the root of a running mean of squared gradients."""

from __future__ import annotations

from typing import Any

from minpy.arguments import also_by_place
from minpy.optimizers.arguments import SHARED_ARGUMENTS, check_fraction
from minpy.optimizers.optimizer import Optimizer

__all__ = ["RMSprop"]


class RMSprop(Optimizer):
    """Divides the gradient by the root of a running mean of its square.

    Parameters
    ----------
    learning_rate
        As of `Optimizer`.
    rho
        How much of the mean a step keeps, 0 to 1.
    momentum
        How much of the last step goes into the next, 0 to 1.
    epsilon
        Added to the mean before the root.
    centered
        Whether to divide by an estimate of the variance instead.
    weight_decay, clipnorm, clipvalue, global_clipnorm, **shared
        As of `Optimizer`.

    Notes
    -----
    Tieleman and Hinton, 2012; with momentum and centred as in Graves, 2013.

    Examples
    --------
    >>> import numpy
    >>> w = numpy.zeros(1, 'float32')
    >>> RMSprop(0.1).step(w, numpy.ones(1, 'float32'))
    >>> w
    array([-0.316], dtype=float32)
    """

    @also_by_place(**SHARED_ARGUMENTS)
    def __init__(
        self,
        learning_rate: Any = 0.001,
        rho: float = 0.9,
        momentum: float = 0.0,
        epsilon: float = 1e-7,
        centered: bool = False,
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
        check_fraction(self, "momentum", momentum)
        self.rho = rho
        self.momentum = momentum
        self.epsilon = epsilon
        self.centered = centered

    @property
    def rule(self) -> str:
        """Name of the row of the table."""
        return "_".join(
            ["rmsprop", *["centered"] * bool(self.centered), *["momentum"] * bool(self.momentum)]
        )

    def scalars(self, rate: float, step: int) -> dict[str, float]:
        """Return the row's scalars for a step."""
        return {
            "rate": rate,
            "rho": self.rho,
            "rest": 1.0 - self.rho,
            "epsilon": self.epsilon,
            "decay": self.momentum,
        }

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal optimizer, without its state."""
        return {
            **super().get_config(),
            "rho": self.rho,
            "momentum": self.momentum,
            "epsilon": self.epsilon,
            "centered": self.centered,
        }
