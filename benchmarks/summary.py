"""Numbers from turns: medians, spread, ratios to the best peer, whether loss curves agree."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence


def median(samples: Sequence[float]) -> float | None:
    """Return the median, None of nothing."""
    return statistics.median(samples) if samples else None


def spread(samples: Sequence[float]) -> float | None:
    """Return half the distance from least to most, as a share of the median."""
    if not samples:
        return None
    return (max(samples) - min(samples)) / 2 / statistics.median(samples)


def best(values: Mapping[str, float | None]) -> str | None:
    """Return the name with the least value; those without one don't count."""
    measured = {name: value for name, value in values.items() if value is not None}
    return min(measured, key=measured.__getitem__) if measured else None


def ratio_to_best(
    values: Mapping[str, float | None], ours: str, peers: Sequence[str]
) -> tuple[float, str] | None:
    """Return how many times our time is the best peer's, and that peer; below 1 we are faster."""
    peer = best({name: values.get(name) for name in peers})
    if peer is None or values.get(ours) is None:
        return None
    return values[ours] / values[peer], peer


def curve_deviations(curves: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """Return how far each loss curve is from the median curve: the largest relative distance.

    All libraries start from the same weights and see the same batches in the same order while the
    curve is taken, so they must agree to rounding, amplified by a few hundred steps.
    """
    if not curves:
        return {}
    middle = [statistics.median(epoch) for epoch in zip(*curves.values(), strict=True)]
    return {
        name: max(abs(a - b) / max(abs(b), 1e-12) for a, b in zip(curve, middle, strict=True))
        for name, curve in curves.items()
    }
