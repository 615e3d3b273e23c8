"""Adam with weight decay that is no part of the gradient."""

from __future__ import annotations

from typing import Any

from minpy.arguments import also_by_place
from minpy.optimizers.adam import Adam
from minpy.optimizers.arguments import SHARED_ARGUMENTS

__all__ = ["AdamW"]


class AdamW(Adam):
    """Adam whose steps take a part of each weight away, apart from the gradient.

    Parameters
    ----------
    learning_rate
        As of `Optimizer`.
    weight_decay
        A step takes ``weight_decay · learning_rate`` of a weight away.
    beta_1, beta_2, epsilon, amsgrad
        As of `Adam`.
    clipnorm, clipvalue, global_clipnorm, **shared
        As of `Optimizer`.

    Notes
    -----
    Loshchilov and Hutter, 2019, algorithm 2.

    Examples
    --------
    >>> import numpy
    >>> w = numpy.ones(1, 'float32')
    >>> AdamW(0.1, weight_decay=0.5).step(w, numpy.zeros(1, 'float32'))
    >>> w
    array([0.95], dtype=float32)
    """

    @also_by_place(**SHARED_ARGUMENTS)
    def __init__(
        self,
        learning_rate: Any = 0.001,
        weight_decay: float = 0.004,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        **shared: Any,
    ) -> None:
        super().__init__(
            learning_rate,
            beta_1,
            beta_2,
            epsilon,
            amsgrad,
            weight_decay,
            clipnorm,
            clipvalue,
            global_clipnorm,
            **shared,
        )
        if weight_decay is None:
            raise ValueError("AdamW: expected weight_decay to be a number, got None; use Adam")
