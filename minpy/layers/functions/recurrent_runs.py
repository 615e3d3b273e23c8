"""Recurrences run over time, forward and back, on arrays: by NumPy, or by machine code.

It must not know derivatives of minpy's, nor graphs: it fills arrays that it is given.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy

from minpy.layers.functions.recurrences import Recurrence

__all__ = [
    "by_kernels",
    "by_kernels_back",
    "by_numpy",
    "by_numpy_back",
    "compiled_kernels",
    "kernels_of_numba",
]

_FLOAT32 = numpy.dtype("float32")


# --- by NumPy -------------------------------------------------------------------------------------


def by_numpy(kind: Recurrence, args: tuple, results: list) -> None:
    """Fill the results of a recurrence for its arguments."""
    x, weights, kernel, bias, inner, h, c, mask = args
    last_h, last_c, hs, kept, cs = kind.named(results)
    projected = x @ weights + bias
    for t in range(x.shape[1]):
        y = h @ kernel
        if inner is not None:
            y += inner
        new_h, new_c, keep = kind.step(projected[:, t], y, h, c)
        if mask is not None:
            counts = (mask[:, t] != 0)[:, None]
            new_h = numpy.where(counts, new_h, h)
            new_c = new_c if c is None else numpy.where(counts, new_c, c)
        h, c = new_h, new_c
        hs[:, t] = h
        if kept is not None:
            kept[:, t] = keep
        if cs is not None:
            cs[:, t] = c
    last_h[...] = h
    if last_c is not None:
        last_c[...] = c


def by_numpy_back(kind: Recurrence, gs: tuple, args: tuple, results: list, found: tuple) -> None:
    """Fill the gradients found for those of the last states and of all outputs."""
    x, weights, kernel, _, _, h0, c0, mask = args
    _, _, hs, kept, cs = kind.named(results)
    of_h, of_c, of_hs = gs
    samples, steps, features = x.shape
    units, columns = kernel.shape
    of_x, of_y = (numpy.zeros((samples, steps, columns), x.dtype) for _ in range(2))
    for t in reversed(range(steps)):
        if of_hs is not None:
            of_h = of_h + of_hs[:, t]
        h = hs[:, t - 1] if t else h0
        c = None if cs is None else cs[:, t - 1] if t else c0
        given = (hs[:, t], None if cs is None else cs[:, t], None if kept is None else kept[:, t])
        x_t, y_t, back_h, back_c = kind.back(of_h, of_c, h, c, *given)
        if mask is not None:
            counts = (mask[:, t] != 0)[:, None]
            x_t, y_t = x_t * counts, y_t * counts
            back_h = numpy.where(counts, back_h, of_h)
            back_c = back_c if c is None else numpy.where(counts, back_c, of_c)
        of_x[:, t], of_y[:, t] = x_t, y_t
        of_h, of_c = back_h + y_t @ kernel.T, back_c
    before = numpy.concatenate((h0[:, None], hs[:, :-1]), 1).reshape(-1, units)
    flat_x, flat_y = of_x.reshape(-1, columns), of_y.reshape(-1, columns)
    dx, dweights, dkernel, dbias, dinner, dh0, dc0 = found
    if dx is not None:
        dx[...] = of_x @ weights.T
    dweights[...] = x.reshape(-1, features).T @ flat_x
    dkernel[...] = before.T @ flat_y
    dbias[...] = flat_x.sum(0)
    if dinner is not None:
        dinner[...] = flat_y.sum(0)
    dh0[...] = of_h
    if dc0 is not None:
        dc0[...] = of_c


# --- as machine code ------------------------------------------------------------------------------

# Fewer multiplications than this NumPy does sooner than numba, which takes a second to import.
_WORTH_COMPILING = 1_000_000


@functools.cache
def kernels_of_numba() -> Any:
    """Return the module of compiled kernels, None where numba can't be used."""
    try:
        import numba

        if numba.config.DISABLE_JIT:
            return None
        from minpy.layers.functions import recurrent_kernels
    except Exception:  # numba is missing, or doesn't fit this Python, NumPy or processor
        return None
    return recurrent_kernels


def compiled_kernels(args: tuple, least: int = _WORTH_COMPILING) -> Any:
    """Return the compiled kernels if they can take the arguments and are worth it."""
    x, _, kernel = args[:3]
    work = x.shape[0] * x.shape[1] * (x.shape[2] + kernel.shape[0]) * kernel.shape[1]
    if work < max(least, 1) or any(a is not None and a.dtype != _FLOAT32 for a in args):
        return None
    return kernels_of_numba()


def by_kernels(kind: Recurrence, kernels: Any, args: tuple, results: list) -> None:
    """Do the same as `by_numpy`."""
    x, weights, kernel, bias, inner, h0, c0, mask = args
    h, c, hs, kept, cs = kind.named(results)
    if kind.name == "lstm":
        kernels.lstm_forward(x, weights, kernel, bias, h0, c0, mask, hs, h, c, kept, cs)
    elif kind.name == "gru":
        kernels.gru_forward(x, weights, kernel, bias, inner, h0, mask, hs, h, kept)
    else:
        kernels.rnn_forward(x, weights, kernel, bias, h0, mask, kind.relu, hs, h)


def by_kernels_back(
    kind: Recurrence, kernels: Any, gs: tuple, args: tuple, results: list, found: tuple, dz: Any
) -> None:
    """Do the same as `by_numpy_back`; `dz` is memory that may be written to, or None."""
    x, weights, kernel, _, _, h0, c0, mask = args
    _, _, hs, kept, cs = kind.named(results)
    g_h, g_c, g_hs = gs
    dx, dweights, dkernel, dbias, dinner, dh0, dc0 = found
    if kind.name == "lstm":
        kernels.lstm_backward(
            g_hs, g_h, g_c, x, weights, kernel, h0, c0, mask, hs, kept, cs,
            numpy.empty_like(kept) if dz is None else dz,
            dx, dweights, dkernel, dbias, dh0, dc0,
        )  # fmt: skip
    elif kind.name == "gru":
        kernels.gru_backward(
            g_hs, g_h, x, weights, kernel, h0, mask, hs, kept,
            dx, dweights, dkernel, dbias, dinner, dh0,
        )  # fmt: skip
    else:
        kernels.rnn_backward(
            g_hs, g_h, x, weights, kernel, h0, mask, kind.relu, hs,
            dx, dweights, dkernel, dbias, dh0,
        )  # fmt: skip
