"""``scipy.signal``: convolution over any axes, with derivatives; must not know layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy

from minpy.array import as_ndarray, ndarray
from minpy.autograd.rules import defjvp, defvjp
from minpy.numpy.broadcasting import unbroadcast
from minpy.numpy.function import Function
from minpy.numpy.shaping import flip, pad, reshape, transpose
from minpy.scipy.kernels import reach

__all__ = ["convolve"]

__getattr__, __dir__ = reach("signal", __all__)

Axes = Sequence[Sequence[int]]


# --- one primitive: correlation where the kernel lies inside --------------------------------------


def _correlate_kernel(x: Any, w: Any) -> numpy.ndarray:
    """Correlate x of shape (m, d, *n) with w of shape (k, d, *s): (m, k, *(n - s + 1))."""
    axes = tuple(range(2, x.ndim))
    if not axes:
        return numpy.tensordot(x, w, ((1,), (1,)))
    windows = numpy.lib.stride_tricks.sliding_window_view(x, w.shape[2:], axes)
    inside = tuple(range(x.ndim, windows.ndim))
    made = numpy.tensordot(windows, w, ((1, *inside), (1, *axes)))
    return numpy.moveaxis(made, -1, 1)


_correlate = Function("signal.correlate", _correlate_kernel, arrays=2)


def _mirrored(w: Any) -> Any:
    axes = tuple(range(2, w.ndim))
    return flip(w, axes) if axes else w


def _with_first_two_swapped(x: Any) -> Any:
    return transpose(x, (1, 0, *range(2, x.ndim)))


def _correlate_vjp_x(ans: Any, x: ndarray, w: Any) -> Any:
    def vjp(g: Any) -> Any:
        widths = [(0, 0), (0, 0), *[(s - 1, s - 1) for s in w.shape[2:]]]
        spread = _correlate(pad(g, widths), _with_first_two_swapped(_mirrored(as_ndarray(w))))
        return unbroadcast(spread, x.shape, x.dtype)

    return vjp


def _correlate_vjp_w(ans: Any, x: Any, w: ndarray) -> Any:
    def vjp(g: Any) -> Any:
        made = _correlate(_with_first_two_swapped(as_ndarray(x)), _with_first_two_swapped(g))
        return unbroadcast(_with_first_two_swapped(made), w.shape, w.dtype)

    return vjp


defvjp(_correlate, _correlate_vjp_x, _correlate_vjp_w)
defjvp(
    _correlate,
    lambda t, ans, x, w: _correlate(t, w),
    lambda t, ans, x, w: _correlate(x, t),
)


# --- what the caller sees -------------------------------------------------------------------------


def convolve(
    A: Any,
    B: Any,
    axes: Any = None,
    dot_axes: Axes = ((), ()),
    mode: str = "full",
    method: str = "auto",
) -> ndarray:
    """Convolve two arrays, as `scipy.signal.convolve`, with HIPS autograd's axes.

    Parameters
    ----------
    A, B
        The arrays. Without `axes`, of as many dimensions each.
    axes
        Two sequences: the axes of `A` and of `B` to convolve over; all by default. A string in its
        place is the mode, as in SciPy's signature.
    dot_axes
        Two sequences: axes to multiply and sum over.
    mode
        'full' for all places where they overlap, 'valid' where one lies inside of the other, 'same'
        for the middle of 'full', of the size of `A`.
    method
        Taken for SciPy's sake: the sum is always made directly.

    Returns
    -------
    ndarray
        Its axes are those of `A` that neither sequence names, those of `B`, and the convolved ones.

    Examples
    --------
    >>> import minpy, minpy.numpy as np
    >>> from minpy.scipy.signal import convolve
    >>> convolve(np.array([1., 2., 3.]), np.array([1., 10.]))
    array([ 1., 12., 23., 30.])
    >>> minpy.grad(lambda w: np.sum(convolve(np.ones(3), w, mode='valid')))(np.ones(2))
    array([2., 2.])
    """
    if isinstance(axes, str):
        axes, mode = None, axes
    if mode not in _MODES:
        raise ValueError(f"convolve: expected mode 'full', 'valid' or 'same', got {mode!r}")
    a, b = as_ndarray(A), as_ndarray(B)
    if axes is None:
        if a.ndim != b.ndim:
            raise ValueError(
                f"convolve: expected arrays of as many dimensions each, got {a.ndim} and {b.ndim}"
            )
        axes = (tuple(range(a.ndim)), tuple(range(b.ndim)))
    over = [tuple(k % v.ndim for k in which) for v, which in zip((a, b), axes, strict=True)]
    along = [tuple(k % v.ndim for k in which) for v, which in zip((a, b), dot_axes, strict=True)]
    if len(over[0]) != len(over[1]) or len(along[0]) != len(along[1]):
        raise ValueError(
            f"convolve: expected as many axes of each array, got {axes} and {dot_axes}"
        )
    x, left = _in_order(a, over[0], along[0])
    w, right = _in_order(b, over[1], along[1])
    if 0 in x.shape[2:] + w.shape[2:]:
        raise ValueError("convolve: an axis to convolve over is empty")
    made = _MODES[mode](x, _mirrored(w))
    return reshape(made, left + right + made.shape[2:])


def _in_order(v: ndarray, over: tuple, along: tuple) -> tuple[ndarray, tuple[int, ...]]:
    """Bring an array to the shape (other axes, summed axes, convolved ones)."""
    other = tuple(k for k in range(v.ndim) if k not in over and k not in along)
    v = transpose(v, other + along + over)
    shape = v.shape
    kept, summed = shape[: len(other)], shape[len(other) : len(other) + len(along)]
    sizes = tuple(int(numpy.prod(part, dtype=int)) for part in (kept, summed))
    return reshape(v, sizes + shape[len(other) + len(along) :]), kept


def _full(x: Any, w: Any) -> Any:
    return _correlate(pad(x, [(0, 0), (0, 0), *[(s - 1, s - 1) for s in w.shape[2:]]]), w)


def _same(x: Any, w: Any) -> Any:
    # The middle of the full convolution, computed there only: SciPy starts at (s - 1) // 2.
    widths = [(s - 1 - (s - 1) // 2, (s - 1) // 2) for s in w.shape[2:]]
    return _correlate(pad(x, [(0, 0), (0, 0), *widths]), w)


def _valid(x: Any, w: Any) -> Any:
    inside = [n >= s for n, s in zip(x.shape[2:], w.shape[2:], strict=True)]
    if all(inside):
        return _correlate(x, w)
    if any(n > s for n, s in zip(x.shape[2:], w.shape[2:], strict=True)):
        raise ValueError(
            "convolve: for mode 'valid' one array must be at least as large as the other along "
            f"every axis, got {x.shape[2:]} and {w.shape[2:]}"
        )
    return _with_first_two_swapped(_correlate(_mirrored(w), _mirrored(x)))


_MODES = {"full": _full, "same": _same, "valid": _valid}
