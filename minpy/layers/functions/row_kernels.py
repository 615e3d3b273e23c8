"""Compiled loops of row normalisation, one row at a time while it lies in the nearest cache.

Imported only where numba is wanted: importing it takes half a second. It must not know arrays of
minpy's, or why rows are normalised.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy

__all__ = ["gradients", "gradients_of_groups", "normalise", "normalise_groups"]

# Sums may be made in any order, so that LLVM vectorizes them; NaN and infinity stay what they are.
_FLAGS = {
    "nogil": True,
    "error_model": "numpy",
    "fastmath": {"reassoc", "nsz", "contract", "arcp"},
}


@numba.njit(**_FLAGS)
def _statistics(row: Any, eps: Any, centred: bool) -> Any:  # pragma: no cover (compiled)
    zero = eps - eps
    one = zero + 1
    inverse_count = one / row.size
    mean = zero
    if centred:
        for j in range(row.size):
            mean += row[j]
        mean *= inverse_count
    total = zero
    for j in range(row.size):
        off = row[j] - mean
        total += off * off
    return mean, one / numpy.sqrt(total * inverse_count + eps)


def _normalise(
    x: Any, gamma: Any, beta: Any, eps: Any, centred: bool, out: Any
) -> None:  # pragma: no cover (compiled)
    for i in range(x.shape[0]):
        row, result = x[i], out[i]
        mean, scale = _statistics(row, eps, centred)
        for j in range(row.size):
            result[j] = (row[j] - mean) * scale * gamma[j] + beta[j]


def _gradients(
    g: Any, x: Any, gamma: Any, eps: Any, centred: bool, of_x: Any, of_gamma: Any, of_beta: Any
) -> None:  # pragma: no cover (compiled)
    zero = eps - eps
    inverse_count = (zero + 1) / x.shape[1]
    of_gamma[:] = zero
    of_beta[:] = zero
    for i in range(x.shape[0]):
        row, back, result = x[i], g[i], of_x[i]
        mean, scale = _statistics(row, eps, centred)
        total, along = zero, zero
        for j in range(row.size):
            scaled = back[j] * gamma[j]
            total += scaled
            along += scaled * ((row[j] - mean) * scale)
        for j in range(row.size):
            of_gamma[j] += back[j] * ((row[j] - mean) * scale)
            of_beta[j] += back[j]
        total = total * inverse_count if centred else zero
        along *= inverse_count
        for j in range(row.size):
            normal = (row[j] - mean) * scale
            result[j] = (back[j] * gamma[j] - total - normal * along) * scale


def _compiled(loop: Any, arguments: Any) -> Any:
    """Compile a loop for float32 and float64; the machine code is kept on disk where it can be."""
    signatures = [arguments(numba.float32), arguments(numba.float64)]
    try:
        return numba.njit(signatures, cache=True, **_FLAGS)(loop)
    except RuntimeError:  # no folder that could be written to
        return numba.njit(signatures, **_FLAGS)(loop)


# normalise(x, gamma, beta, eps, centred, out), of matrices and vectors without gaps.
normalise = _compiled(
    _normalise,
    lambda f: numba.void(f[:, ::1], f[::1], f[::1], f, numba.boolean, f[:, ::1]),
)
# gradients(g, x, gamma, eps, centred, of_x, of_gamma, of_beta).
gradients = _compiled(
    _gradients,
    lambda f: numba.void(f[:, ::1], f[:, ::1], f[::1], f, numba.boolean, f[:, ::1], f[::1], f[::1]),
)


# --- groups of channels ---------------------------------------------------------------------------


def _normalise_groups(
    x: Any, gamma: Any, beta: Any, groups: int, eps: Any, out: Any
) -> None:  # pragma: no cover (compiled)
    samples, channels, places = x.shape
    each = channels // groups
    for n in range(samples):
        for group in range(groups):
            first = group * each
            mean, scale = _statistics(x[n, first : first + each].reshape(-1), eps, True)
            for c in range(first, first + each):
                row, result = x[n, c], out[n, c]
                factor = scale * gamma[c]
                shift = beta[c] - mean * factor
                for j in range(places):
                    result[j] = row[j] * factor + shift


def _gradients_of_groups(
    g: Any, x: Any, gamma: Any, groups: int, eps: Any, of_x: Any, of_gamma: Any, of_beta: Any
) -> None:  # pragma: no cover (compiled)
    samples, channels, places = x.shape
    each = channels // groups
    zero = eps - eps
    inverse_count = (zero + 1) / (each * places)
    of_gamma[:] = zero
    of_beta[:] = zero
    for n in range(samples):
        for group in range(groups):
            first = group * each
            mean, scale = _statistics(x[n, first : first + each].reshape(-1), eps, True)
            total, along = zero, zero
            for c in range(first, first + each):
                row, back = x[n, c], g[n, c]
                plain, normal = zero, zero
                for j in range(places):
                    plain += back[j]
                    normal += back[j] * (row[j] - mean)
                normal *= scale
                of_beta[c] += plain
                of_gamma[c] += normal
                total += plain * gamma[c]
                along += normal * gamma[c]
            total *= inverse_count
            along *= inverse_count * scale
            for c in range(first, first + each):
                row, back, result = x[n, c], g[n, c], of_x[n, c]
                for j in range(places):
                    result[j] = (back[j] * gamma[c] - total - (row[j] - mean) * along) * scale


# normalise_groups(x, gamma, beta, groups, eps, out), of (samples, channels, places).
normalise_groups = _compiled(
    _normalise_groups,
    lambda f: numba.void(f[:, :, ::1], f[::1], f[::1], numba.int64, f, f[:, :, ::1]),
)
# gradients_of_groups(g, x, gamma, groups, eps, of_x, of_gamma, of_beta).
gradients_of_groups = _compiled(
    _gradients_of_groups,
    lambda f: numba.void(
        f[:, :, ::1], f[:, :, ::1], f[::1], numba.int64, f, f[:, :, ::1], f[::1], f[::1]
    ),
)
