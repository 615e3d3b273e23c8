"""Adam: steps by running means of the gradient and of its square."""

from __future__ import annotations

import math
from typing import Any

from minpy.arguments import also_by_place
from minpy.optimizers.arguments import SHARED_ARGUMENTS, check_fraction
from minpy.optimizers.optimizer import Optimizer

__all__ = ["Adam"]


class Adam(Optimizer):
    """Divides a running mean of the gradient by the root of one of its square.

    Parameters
    ----------
    learning_rate
        As of `Optimizer`.
    beta_1, beta_2
        How much of the running means of the gradient and of its square a step keeps, 0 to 1.
    epsilon
        Added to the root of the second mean; the ε̂ of the paper's section 2.1.
    amsgrad
        Whether to divide by the largest second mean so far.
    weight_decay, clipnorm, clipvalue, global_clipnorm, **shared
        As of `Optimizer`.

    Notes
    -----
    Kingma and Ba, 2015; AMSGrad: Reddi, Kale and Kumar, 2018.

    Examples
    --------
    The first step is the learning rate, whatever the size of the gradient:

    >>> import numpy
    >>> w = numpy.zeros(2, 'float32')
    >>> Adam(0.1).step(w, numpy.array([1e-3, -1e3], 'float32'))
    >>> w
    array([-0.1, 0.1], dtype=float32)
    """

    @also_by_place(**SHARED_ARGUMENTS)
    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
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
        self.amsgrad = amsgrad

    @property
    def rule(self) -> str:
        """Name of the row of the table."""
        return "adam_amsgrad" if self.amsgrad else "adam"

    def scalars(self, rate: float, step: int) -> dict[str, float]:
        """Return the row's scalars for a step."""
        corrected = math.sqrt(1.0 - self.beta_2**step) / (1.0 - self.beta_1**step)
        return {
            "rate": rate * corrected,
            "rest_1": 1.0 - self.beta_1,
            "rest_2": 1.0 - self.beta_2,
            "epsilon": self.epsilon,
        }

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal optimizer, without its state."""
        return {
            **super().get_config(),
            "beta_1": self.beta_1,
            "beta_2": self.beta_2,
            "epsilon": self.epsilon,
            "amsgrad": self.amsgrad,
        }
