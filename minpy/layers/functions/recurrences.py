"""One step of each recurrence, in NumPy and in operations of minpy's, and what tells them apart.

It must not know how steps follow each other, nor layers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy

from minpy.array import ndarray
from minpy.primitives import registry

__all__ = ["KINDS", "Recurrence"]


def _sigmoid(x: numpy.ndarray) -> numpy.ndarray:
    # By tanh, which doesn't overflow.
    return 0.5 * numpy.tanh(0.5 * x) + 0.5


# --- one step, in NumPy ---------------------------------------------------------------------------
# step(x, y, h, c) → h, c, kept: of the products of the input and of the state, both with bias.
# back(of_h, of_c, h, c, new_h, new_c, kept) → of_x, of_y, of_h, of_c.


def _lstm_step(x: Any, y: Any, h: Any, c: Any) -> tuple:
    i, f, g, o = numpy.split(x + y, 4, -1)
    i, f, g, o = _sigmoid(i), _sigmoid(f), numpy.tanh(g), _sigmoid(o)
    c = f * c + i * g
    return o * numpy.tanh(c), c, numpy.concatenate((i, f, g, o), -1)


def _lstm_back(of_h: Any, of_c: Any, h: Any, c: Any, new_h: Any, new_c: Any, kept: Any) -> tuple:
    i, f, g, o = numpy.split(kept, 4, -1)
    tanh = numpy.tanh(new_c)
    of_c = of_c + of_h * o * (1 - tanh * tanh)
    parts = (
        of_c * g * i * (1 - i),
        of_c * c * f * (1 - f),
        of_c * i * (1 - g * g),
        of_h * tanh * o * (1 - o),
    )
    z = numpy.concatenate(parts, -1)
    return z, z, numpy.zeros_like(of_h), of_c * f


def _gru_step(x: Any, y: Any, h: Any, c: Any) -> tuple:
    (x_update, x_reset, x_new), (update, reset, inner) = (
        numpy.split(x, 3, -1),
        numpy.split(y, 3, -1),
    )
    update, reset = _sigmoid(x_update + update), _sigmoid(x_reset + reset)
    new = numpy.tanh(x_new + reset * inner)
    kept = numpy.concatenate((update, reset, new, inner), -1)
    return new + update * (h - new), c, kept


def _gru_back(of_h: Any, of_c: Any, h: Any, c: Any, new_h: Any, new_c: Any, kept: Any) -> tuple:
    update, reset, new, inner = numpy.split(kept, 4, -1)
    of_update = of_h * (h - new) * update * (1 - update)
    of_new = of_h * (1 - update) * (1 - new * new)
    of_reset = of_new * inner * reset * (1 - reset)
    of_x = numpy.concatenate((of_update, of_reset, of_new), -1)
    of_y = numpy.concatenate((of_update, of_reset, of_new * reset), -1)
    return of_x, of_y, of_h * update, of_c


def _tanh_step(x: Any, y: Any, h: Any, c: Any) -> tuple:
    return numpy.tanh(x + y), c, None


def _tanh_back(of_h: Any, of_c: Any, h: Any, c: Any, new_h: Any, new_c: Any, kept: Any) -> tuple:
    z = of_h * (1 - new_h * new_h)
    return z, z, numpy.zeros_like(of_h), of_c


def _relu_step(x: Any, y: Any, h: Any, c: Any) -> tuple:
    return numpy.maximum(x + y, 0), c, None


def _relu_back(of_h: Any, of_c: Any, h: Any, c: Any, new_h: Any, new_c: Any, kept: Any) -> tuple:
    z = of_h * (new_h > 0)
    return z, z, numpy.zeros_like(of_h), of_c


# --- one step, in operations ----------------------------------------------------------------------


def _parts(x: ndarray, count: int) -> list[ndarray]:
    units = x.shape[-1] // count
    return [x[..., k * units : (k + 1) * units] for k in range(count)]


def _composed_lstm(x: Any, y: Any, h: Any, c: Any) -> tuple:
    sigmoid, tanh = registry["sigmoid"], registry["tanh"]
    i, f, g, o = _parts(x + y, 4)
    c = sigmoid(f) * c + sigmoid(i) * tanh(g)
    return sigmoid(o) * tanh(c), c


def _composed_gru(x: Any, y: Any, h: Any, c: Any) -> tuple:
    sigmoid, tanh = registry["sigmoid"], registry["tanh"]
    (x_update, x_reset, x_new), (update, reset, inner) = _parts(x, 3), _parts(y, 3)
    update, reset = sigmoid(x_update + update), sigmoid(x_reset + reset)
    new = tanh(x_new + reset * inner)
    return new + update * (h - new), c


def _composed_tanh(x: Any, y: Any, h: Any, c: Any) -> tuple:
    return registry["tanh"](x + y), c


def _composed_relu(x: Any, y: Any, h: Any, c: Any) -> tuple:
    return registry["relu"](x + y), c


# --- which recurrences there are ------------------------------------------------------------------


@dataclass(frozen=True)
class Recurrence:
    """What tells one recurrence from another."""

    name: str
    gates: int
    step: Callable[..., tuple]
    back: Callable[..., tuple]
    composed: Callable[..., tuple]
    cell: bool = False  # whether there is a state beside the output
    inner: bool = False  # whether the product with the state has a bias of its own
    keeps: bool = False  # whether four numbers a unit are kept for the way back
    relu: bool = False

    def arguments(self, masked: bool) -> tuple[int, ...]:
        """Return the numbers of the arguments that there are."""
        there = (True, True, True, True, self.inner, True, self.cell, masked)
        return tuple(i for i, given in enumerate(there) if given)

    def shapes(self, samples: int, steps: int, units: int) -> list[tuple[int, ...]]:
        """Return the shapes of the results: last state and cell, all states, what is kept."""
        state, states = (samples, units), (samples, steps, units)
        return [
            state,
            *([state] if self.cell else []),
            states,
            *([(samples, steps, 4 * units)] if self.keeps else []),
            *([states] if self.cell else []),
        ]

    def named(self, results: Any) -> tuple:
        """Return results as h, c, hs, kept, cs, with None for what isn't there."""
        given = iter(results)
        h = next(given)
        c = next(given) if self.cell else None
        hs = next(given)
        kept = next(given) if self.keeps else None
        return h, c, hs, kept, next(given) if self.cell else None


KINDS = (
    Recurrence("lstm", 4, _lstm_step, _lstm_back, _composed_lstm, cell=True, keeps=True),
    Recurrence("gru", 3, _gru_step, _gru_back, _composed_gru, inner=True, keeps=True),
    Recurrence("tanh_rnn", 1, _tanh_step, _tanh_back, _composed_tanh),
    Recurrence("relu_rnn", 1, _relu_step, _relu_back, _composed_relu, relu=True),
)
