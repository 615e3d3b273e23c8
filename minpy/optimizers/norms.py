"""Lengths of gradients, and what brings them to the longest allowed."""

from __future__ import annotations

import math

import numpy

__all__ = ["norm", "shorten"]


def norm(g: numpy.ndarray) -> float:
    """Return the Euclidean norm; in float64 where float32 overflows or loses everything."""
    squares = float(numpy.dot(g, g)) if g.dtype != numpy.float16 else math.inf
    if not 1e-30 < squares < 1e30 and g.dtype != numpy.float64:
        wide = g.astype(numpy.float64)
        squares = float(numpy.dot(wide, wide))
    return math.sqrt(squares) if squares == squares else math.nan


def shorten(norm: float, longest: float) -> float:
    """Return the factor that brings a gradient to the longest allowed; NaN and inf stay visible."""
    if not math.isfinite(norm):
        return math.nan
    return longest / norm if norm > longest else 1.0
