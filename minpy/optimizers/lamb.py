"""LAMB: Adam whose steps are as long as the weight that they change."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy

from minpy.aligned import aligned_full
from minpy.arguments import also_by_place
from minpy.optimizers.arguments import SHARED_ARGUMENTS, check_fraction
from minpy.optimizers.norms import norm
from minpy.optimizers.optimizer import Optimizer
from minpy.optimizers.rules import rules, with_average

__all__ = ["Lamb"]


class Lamb(Optimizer):
    """Adam whose step in a weight is scaled to that weight's length, for very large batches.

    Parameters
    ----------
    learning_rate
        As of `Optimizer`.
    beta_1, beta_2
        How much of the running means of the gradient and of its square a step keeps, 0 to 1.
    epsilon
        Added to the root of the second mean.
    weight_decay, clipnorm, clipvalue, global_clipnorm, **shared
        As of `Optimizer`.

    Notes
    -----
    You et al., 2020, algorithm 2, with weight decay before the step as in Keras.

    Examples
    --------
    A step is the learning rate times the length of the weight:

    >>> import numpy
    >>> w = numpy.array([3., 4.], 'float32')
    >>> Lamb(0.1).step(w, numpy.array([1., -1.], 'float32'), [(0, 2)])
    >>> float(numpy.round(numpy.linalg.norm(w - [3, 4]), 4))
    0.5
    """

    by_weight = True

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
        self._direction: numpy.ndarray | None = None

    @property
    def rule(self) -> str:
        """Name of the row of the table."""
        return "lamb"

    @property
    def slot_names(self) -> tuple[str, ...]:
        """Names of the slots; the direction is written anew at each step, and no slot."""
        return ("momentum", "velocity")

    def scalars(self, rate: float, step: int) -> dict[str, float]:
        """Return the row's scalars for a step."""
        return {
            "rest_1": 1.0 - self.beta_1,
            "rest_2": 1.0 - self.beta_2,
            "correction_1": 1.0 / (1.0 - self.beta_1**step),
            "correction_2": 1.0 / (1.0 - self.beta_2**step),
            "epsilon": self.epsilon,
        }

    def _update(
        self,
        w: numpy.ndarray,
        g: numpy.ndarray,
        layout: Any,
        scalars: Mapping[str, float],
        rate: float,
        scale: float,
        keep: float | None,
    ) -> bool:
        number = self._computed
        row, descent = rules["lamb"], rules["descend"]
        if self._direction is None or self._direction.size != w.size:
            self._direction = aligned_full(w.size, number, 0.0)
        direction = self._direction
        self._pass(
            row,
            w,
            g,
            [self.slots["momentum"], self.slots["velocity"], direction],
            [number(scalars[name]) for name in row.scalars],
            layout.bounds,
            self._scales(g, layout, scale),
            self._decays(layout, rate),
            number(math.inf if self.clipvalue is None else self.clipvalue),
            self._race,
        )
        ratios = [_ratio(w[s.start : s.stop], direction[s.start : s.stop]) for s in layout.segments]
        slots, told = [], [number(rate)]
        if keep is not None:
            descent = with_average(descent)
            slots.append(self.slots["moving_average"])
            told += [number(keep), number(1.0 - keep)]
        self._pass(
            descent,
            w,
            direction,
            slots,
            told,
            layout.bounds,
            numpy.array(ratios, number),
            numpy.zeros(len(ratios), number),
            number(math.inf),
            self._race,
        )
        return True

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal optimizer, without its state."""
        return {
            **super().get_config(),
            "beta_1": self.beta_1,
            "beta_2": self.beta_2,
            "epsilon": self.epsilon,
        }


def _ratio(weight: numpy.ndarray, step: numpy.ndarray) -> float:
    """Return the weight's length over the step's; 1 where one of them is zero."""
    length, other = norm(weight), norm(step)
    return length / other if length > 0 and other > 0 else 1.0
