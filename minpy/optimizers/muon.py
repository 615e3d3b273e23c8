"""Muon: steps of matrices whose singular values are all about one."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy

from minpy.aligned import aligned_full
from minpy.arguments import also_by_place
from minpy.optimizers.arguments import SHARED_ARGUMENTS, check_fraction
from minpy.optimizers.layout import Segment
from minpy.optimizers.norms import norm
from minpy.optimizers.optimizer import Optimizer
from minpy.optimizers.rules import rules

__all__ = ["Muon"]


class Muon(Optimizer):
    """Moves matrices by their momentum made orthogonal, and everything else by AdamW.

    Parameters
    ----------
    learning_rate
        As of `Optimizer`.
    adam_beta_1, adam_beta_2, epsilon
        Of Adam, for weights that aren't matrices or are left out.
    adam_weight_decay
        Weight decay of those.
    weight_decay
        Weight decay of the matrices.
    clipnorm, clipvalue, global_clipnorm, **shared
        As of `Optimizer`.
    exclude_layers
        Regular expressions; a matrix whose path has one of them anywhere follows Adam. Name the
        output layer here.
    exclude_embeddings
        Whether matrices with ``embedding`` in their path follow Adam.
    muon_a, muon_b, muon_c
        Coefficients of the iteration.
    adam_lr_ratio
        Adam's learning rate, as a multiple of the other.
    momentum
        How much of the momentum a step keeps, 0 to 1.
    ns_steps
        Number of iterations.
    nesterov
        Whether to look ahead along the momentum.
    rms_rate
        Steps are scaled to this root mean square of their elements, that of Adam's steps; None
        leaves them as they are.

    Notes
    -----
    Jordan et al., 2024; the scale by `rms_rate`: Liu et al., 2025, section 2.2.

    Examples
    --------
    >>> import numpy
    >>> w, g = numpy.zeros(4), numpy.array([2., 0., 0., 1.])
    >>> optimizer = Muon(1.0, weight_decay=None, rms_rate=None, ns_steps=10)
    >>> optimizer.step(w, g, [(0, 4, 'kernel', True, (2, 2))])
    >>> bool(numpy.abs(w.reshape(2, 2) + numpy.eye(2)).max() < 0.35)
    True
    """

    by_weight = True

    @also_by_place(
        **SHARED_ARGUMENTS,
        exclude_layers=None,
        exclude_embeddings=True,
        muon_a=3.4445,
        muon_b=-4.7750,
        muon_c=2.0315,
        adam_lr_ratio=1.0,
        momentum=0.95,
        ns_steps=5,
        nesterov=True,
        rms_rate=0.2,
    )
    def __init__(
        self,
        learning_rate: Any = 0.001,
        adam_beta_1: float = 0.9,
        adam_beta_2: float = 0.999,
        adam_weight_decay: float | None = 0.004,
        epsilon: float = 1e-7,
        weight_decay: float | None = 0.004,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        *,
        exclude_layers: Sequence[str] | None = None,
        exclude_embeddings: bool = True,
        muon_a: float = 3.4445,
        muon_b: float = -4.7750,
        muon_c: float = 2.0315,
        adam_lr_ratio: float = 1.0,
        momentum: float = 0.95,
        ns_steps: int = 5,
        nesterov: bool = True,
        rms_rate: float | None = 0.2,
        **shared: Any,
    ) -> None:
        super().__init__(
            learning_rate, weight_decay, clipnorm, clipvalue, global_clipnorm, **shared
        )
        for name, value in (
            ("adam_beta_1", adam_beta_1),
            ("adam_beta_2", adam_beta_2),
            ("momentum", momentum),
        ):
            check_fraction(self, name, value)
        if not isinstance(ns_steps, int) or ns_steps < 1:
            raise ValueError(f"Muon: expected ns_steps ≥ 1, got {ns_steps!r}")
        self.adam_beta_1 = adam_beta_1
        self.adam_beta_2 = adam_beta_2
        self.adam_weight_decay = adam_weight_decay
        self.epsilon = epsilon
        self.exclude_layers = list(exclude_layers or [])
        self.exclude_embeddings = exclude_embeddings
        self.muon_a = muon_a
        self.muon_b = muon_b
        self.muon_c = muon_c
        self.adam_lr_ratio = adam_lr_ratio
        self.momentum = momentum
        self.ns_steps = ns_steps
        self.nesterov = nesterov
        self.rms_rate = rms_rate
        self._direction: numpy.ndarray | None = None

    @property
    def slot_names(self) -> tuple[str, ...]:
        """Names of the slots: those of Adam; matrices leave the second at zero."""
        return ("momentum", "velocity")

    def scalars(self, rate: float, step: int) -> dict[str, float]:
        """Return the scalars of the two rows for a step."""
        corrected = math.sqrt(1.0 - self.adam_beta_2**step) / (1.0 - self.adam_beta_1**step)
        return {
            "rate": rate * self.adam_lr_ratio * corrected,
            "rest_1": 1.0 - self.adam_beta_1,
            "rest_2": 1.0 - self.adam_beta_2,
            "epsilon": self.epsilon,
            "keep": self.momentum,
            "of_gradient": 1.0 if self.nesterov else 0.0,
            "of_momentum": self.momentum if self.nesterov else 1.0,
        }

    def _is_matrix(self, segment: Segment) -> bool:
        return (
            segment.shape is not None
            and len(segment.shape) == 2
            and not (self.exclude_embeddings and "embedding" in segment.name.lower())
            and not any(re.search(pattern, segment.name) for pattern in self.exclude_layers)
        )

    def _decays(self, layout: Any, rate: float) -> numpy.ndarray:
        both = ((self.adam_weight_decay or 0.0) * rate, (self.weight_decay or 0.0) * rate)
        chosen = [both[self._is_matrix(segment)] for segment in layout.segments]
        return (layout.decayed * chosen).astype(self._computed)

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
        if self._direction is None or self._direction.size != w.size:
            self._direction = aligned_full(w.size, number, 0.0)
        scales, decays = self._scales(g, layout, scale), self._decays(layout, rate)
        clip = number(math.inf if self.clipvalue is None else self.clipvalue)
        buffers = {**self.slots, "direction": self._direction}
        # Neighbours that follow the same row go through it in one pass.
        runs = range(len(layout.segments))
        for matrix, group in itertools.groupby(
            runs, lambda run: self._is_matrix(layout.segments[run])
        ):
            chosen = list(group)
            first, last = chosen[0], chosen[-1] + 1
            start, stop = (int(layout.bounds[i]) for i in (first, last))
            row = rules["muon" if matrix else "adam"]
            self._pass(
                row,
                w[start:stop],
                g[start:stop],
                [buffers[name][start:stop] for name in row.slots],
                [number(scalars[name]) for name in row.scalars],
                layout.bounds[first : last + 1] - start,
                scales[first:last],
                decays[first:last],
                clip,
            )
            if matrix:
                for run in chosen:
                    self._move(w, layout.segments[run], rate)
        return False

    def _move(self, w: numpy.ndarray, segment: Segment, rate: float) -> None:
        part = slice(segment.start, segment.stop)
        step = self._orthogonal(self._direction[part].reshape(segment.shape))
        if self.rms_rate is not None:
            rate = rate * math.sqrt(max(segment.shape)) * self.rms_rate
        w[part] -= (step * self._computed(rate)).ravel()

    def _orthogonal(self, x: numpy.ndarray) -> numpy.ndarray:
        """Return about U·Vᵀ of the singular value decomposition, by a quintic iteration."""
        number = self._computed
        a, b, c = number(self.muon_a), number(self.muon_b), number(self.muon_c)
        # The products are of the shorter side squared.
        tall = x.shape[0] > x.shape[1]
        x = x.T if tall else x
        x = x / number(norm(numpy.ascontiguousarray(x).ravel()) + 1e-7)
        for _ in range(self.ns_steps):
            square = x @ x.T
            x = a * x + (b * square + c * (square @ square)) @ x
        return x.T if tall else x

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal optimizer, without its state."""
        return {
            **super().get_config(),
            "adam_beta_1": self.adam_beta_1,
            "adam_beta_2": self.adam_beta_2,
            "adam_weight_decay": self.adam_weight_decay,
            "epsilon": self.epsilon,
            "exclude_layers": self.exclude_layers,
            "exclude_embeddings": self.exclude_embeddings,
            "muon_a": self.muon_a,
            "muon_b": self.muon_b,
            "muon_c": self.muon_c,
            "adam_lr_ratio": self.adam_lr_ratio,
            "momentum": self.momentum,
            "ns_steps": self.ns_steps,
            "nesterov": self.nesterov,
            "rms_rate": self.rms_rate,
        }
