"""Gradient descent, with momentum if asked for."""

from __future__ import annotations

from typing import Any

from minpy.arguments import also_by_place
from minpy.optimizers.arguments import SHARED_ARGUMENTS, check_fraction
from minpy.optimizers.optimizer import Optimizer

__all__ = ["SGD"]


class SGD(Optimizer):
    """Goes down the gradient, with a memory of the way so far if `momentum` isn't 0.

    Parameters
    ----------
    learning_rate
        As of `Optimizer`.
    momentum
        How much of the last step goes into the next, 0 to 1.
    nesterov
        Whether to look ahead along the momentum before the gradient is applied.
    weight_decay, clipnorm, clipvalue, global_clipnorm, **shared
        As of `Optimizer`.

    Notes
    -----
    Polyak, 1964; Nesterov's variant as in Sutskever et al., 2013.

    Examples
    --------
    >>> import numpy
    >>> optimizer = SGD(0.1, momentum=0.9)
    >>> w, g = numpy.zeros(1, 'float32'), numpy.ones(1, 'float32')
    >>> for _ in range(2):
    ...     optimizer.step(w, g)
    >>> w
    array([-0.29], dtype=float32)
    """

    @also_by_place(**SHARED_ARGUMENTS)
    def __init__(
        self,
        learning_rate: Any = 0.01,
        momentum: float = 0.0,
        nesterov: bool = False,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        **shared: Any,
    ) -> None:
        super().__init__(
            learning_rate, weight_decay, clipnorm, clipvalue, global_clipnorm, **shared
        )
        check_fraction(self, "momentum", momentum)
        self.momentum = momentum
        self.nesterov = nesterov

    @property
    def rule(self) -> str:
        """Name of the row of the table."""
        return ("sgd_nesterov" if self.nesterov else "sgd_momentum") if self.momentum else "sgd"

    def scalars(self, rate: float, step: int) -> dict[str, float]:
        """Return the row's scalars for a step."""
        return {"rate": rate, "decay": self.momentum}

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal optimizer, without its state."""
        return {**super().get_config(), "momentum": self.momentum, "nesterov": self.nesterov}
