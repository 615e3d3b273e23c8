"""Adafactor: the mean square of a matrix of gradients by its rows and columns."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy

from minpy.optimizers.optimizer import Optimizer, norm

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
    axes, as in Keras; their means are kept as their product, in one slot as long as the weights:
    a matrix of rank one, whose own means over rows and columns are they. It runs in NumPy, weight
    by weight.

    Examples
    --------
    >>> import numpy
    >>> w = numpy.ones(4, 'float32')
    >>> Adafactor(0.1).apply(w, numpy.full(4, 5., 'float32'), [(0, 4, 'kernel', True, (2, 2))])
    >>> w
    array([0.9, 0.9, 0.9, 0.9], dtype=float32)
    """

    by_weight = True

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
                weight = w[part].astype(number)
                if decay:
                    weight -= weight * decay
                gradient = g[part].astype(number)
                if factor != 1:
                    gradient *= factor
                if self.clipvalue is not None:
                    numpy.clip(gradient, -self.clipvalue, self.clipvalue, out=gradient)
                squares = gradient * gradient
                squares += number(self.epsilon_1)
                mean = velocity[part]
                if segment.shape is not None and len(segment.shape) > 1:
                    self._factor(
                        mean.reshape(segment.shape), squares.reshape(segment.shape), kept, rest
                    )
                else:
                    mean *= kept
                    squares *= rest
                    mean += squares
                numpy.sqrt(mean, out=squares)
                gradient /= squares
                longest = max(1.0, _root_mean_square(gradient) / self.clip_threshold)
                size = max(self.epsilon_2, _root_mean_square(weight))
                gradient *= number(size * scalars["rate"] / longest)
                weight -= gradient
                w[part] = weight
        return False

    @staticmethod
    def _factor(mean: numpy.ndarray, squares: numpy.ndarray, kept: Any, rest: Any) -> None:
        """Move the product of row and column means towards that of new squares, in place."""
        rows = kept * mean.mean(-1) + rest * squares.mean(-1)
        columns = kept * mean.mean(-2) + rest * squares.mean(-2)
        rows /= rows.mean(-1, keepdims=True)
        numpy.multiply(rows[..., :, None], columns[..., None, :], out=mean)

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
