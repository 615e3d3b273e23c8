"""Adafactor: the mean square of a matrix of gradients by its rows and columns."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy

from minpy.arguments import also_by_place
from minpy.optimizers.arguments import SHARED_ARGUMENTS
from minpy.optimizers.norms import norm
from minpy.optimizers.optimizer import Optimizer

__all__ = ["Adafactor"]


class Adafactor(Optimizer):
    """Divides gradients by a mean square that is known by row and by column only.

    Parameters
    ----------
    learning_rate
        As of `Optimizer`; never more than 1/√step, and relative to the weight's own size.
    beta_2_decay
        The mean keeps ``1 − step ^ beta_2_decay`` of itself; negative.
    epsilon_1
        Added to squared gradients.
    epsilon_2
        Smallest size of a weight that the rate is relative to.
    clip_threshold
        Largest root mean square of a step before the rate.
    relative_step
        Kept for Keras' sake, where it changes nothing either: the rate is at most 1/√step anyway.
    weight_decay, clipnorm, clipvalue, global_clipnorm, **shared
        As of `Optimizer`.

    Notes
    -----
    Shazeer and Stern, 2018, algorithms 4 and 5. Rows and columns are those of a weight's last two
    axes, as in Keras; their means lie at the beginning of the weight's part of the slot, whose rest
    takes no memory. A matrix of one row or column, and a vector, has a mean for each element. It
    runs in NumPy, weight by weight.

    Examples
    --------
    >>> import numpy
    >>> w = numpy.ones(4, 'float32')
    >>> Adafactor(0.1).step(w, numpy.full(4, 5., 'float32'), [(0, 4, 'kernel', True, (2, 2))])
    >>> w
    array([0.9, 0.9, 0.9, 0.9], dtype=float32)
    """

    by_weight = True

    @also_by_place(**SHARED_ARGUMENTS)
    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_2_decay: float = -0.8,
        epsilon_1: float = 1e-30,
        epsilon_2: float = 1e-3,
        clip_threshold: float = 1.0,
        relative_step: bool = True,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        **shared: Any,
    ) -> None:
        super().__init__(
            learning_rate, weight_decay, clipnorm, clipvalue, global_clipnorm, **shared
        )
        if beta_2_decay > 0:
            raise ValueError(f"Adafactor: expected beta_2_decay ≤ 0, got {beta_2_decay}")
        if not clip_threshold > 0:
            raise ValueError(f"Adafactor: expected clip_threshold > 0, got {clip_threshold}")
        self.beta_2_decay = beta_2_decay
        self.epsilon_1 = epsilon_1
        self.epsilon_2 = epsilon_2
        self.clip_threshold = clip_threshold
        self.relative_step = relative_step

    @property
    def slot_names(self) -> tuple[str, ...]:
        """Names of the slots."""
        return ("velocity",)

    def scalars(self, rate: float, step: int) -> dict[str, float]:
        """Return the numbers of a step."""
        return {
            "rate": min(rate, 1.0 / math.sqrt(step)),
            "rest": float(step) ** self.beta_2_decay,
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
        kept, rest = number(1.0 - scalars["rest"]), number(scalars["rest"])
        scales, decays = self._scales(g, layout, scale), self._decays(layout, rate)
        velocity = self.slots["velocity"]
        with numpy.errstate(all="ignore"):
            for segment, factor, decay in zip(layout.segments, scales, decays, strict=True):
                part = slice(segment.start, segment.stop)
                if segment.start == segment.stop:
                    continue
                # Views where nothing has to be changed first.
                weight = w[part].astype(number, copy=False)
                if decay:
                    weight = weight - weight * decay
                gradient = g[part].astype(number, copy=False)
                if factor != 1:
                    gradient = gradient * factor
                if self.clipvalue is not None:
                    gradient = numpy.clip(gradient, -self.clipvalue, self.clipvalue)
                step = self._divided(gradient, velocity[part], segment.shape, kept, rest)
                longest = max(1.0, _root_mean_square(step) / self.clip_threshold)
                size = max(self.epsilon_2, _root_mean_square(weight))
                step *= number(size * scalars["rate"] / longest)
                numpy.subtract(weight, step, out=step)
                w[part] = step
        return False

    def _divided(
        self, g: numpy.ndarray, mean: numpy.ndarray, shape: Any, kept: Any, rest: Any
    ) -> numpy.ndarray:
        """Update a weight's mean square, in place, and return its gradient over the root of it."""
        epsilon = g.dtype.type(self.epsilon_1)
        places = _rows_and_columns(shape)
        if places is None:
            mean *= kept
            mean += (g * g + epsilon) * rest
            return g / numpy.sqrt(mean)
        rows, columns = shape[-2:]
        matrices = g.reshape(-1, rows, columns)
        by_row = mean[places[0]].reshape(-1, rows)
        by_column = mean[places[1]].reshape(-1, columns)
        # Sums of squares in one pass each, without a matrix of squares.
        by_row *= kept
        by_row += (numpy.einsum("bij,bij->bi", matrices, matrices) / columns + epsilon) * rest
        by_column *= kept
        by_column += (numpy.einsum("bij,bij->bj", matrices, matrices) / rows + epsilon) * rest
        rows_alone = by_row / by_row.mean(-1, keepdims=True)
        step = matrices / numpy.sqrt(rows_alone)[:, :, None]
        step /= numpy.sqrt(by_column)[:, None, :]
        return step.reshape(-1)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal optimizer, without its state."""
        return {
            **super().get_config(),
            "beta_2_decay": self.beta_2_decay,
            "epsilon_1": self.epsilon_1,
            "epsilon_2": self.epsilon_2,
            "clip_threshold": self.clip_threshold,
            "relative_step": self.relative_step,
        }


def _root_mean_square(x: numpy.ndarray) -> float:
    return norm(x) / math.sqrt(x.size)


def _rows_and_columns(shape: Any) -> tuple[slice, slice] | None:
    """Return where the means of rows and of columns lie in a slot; None for a mean an element.

    They take the first places of the weight's part of the slot, whose other pages are never
    touched and take no memory. A matrix of one row or column has no room for both.
    """
    if shape is None or len(shape) < 2:
        return None
    *leading, rows, columns = shape
    matrices = math.prod(leading)
    if rows + columns > rows * columns:
        return None
    between, end = matrices * rows, matrices * (rows + columns)
    return slice(0, between), slice(between, end)
