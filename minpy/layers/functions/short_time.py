"""Signals in windows, and Fourier transforms of each; knows no layer."""

from __future__ import annotations

import functools
from typing import Any

import numpy

import minpy.numpy as np
from minpy.array import as_ndarray
from minpy.autograd.rules import defjvp, defvjp
from minpy.errors import ShapeError
from minpy.initializers.short_time_fourier import window_values
from minpy.primitives import Primitive

__all__ = ["covering", "extract_sequences", "istft", "stft"]


def covering(places: numpy.ndarray, count: int) -> numpy.ndarray:
    """Return, for each of `count` places, where it is named; ``len(places)`` in the rest of a row.

    With them a sum over what lies at a place is a gather, which graphs have.
    """
    order = numpy.argsort(places, kind="stable")
    often = numpy.bincount(places, minlength=count)
    table = numpy.full((count, int(often.max())), len(places))
    table[numpy.arange(table.shape[1]) < often[:, None]] = order
    return table


def extract_sequences(x: Any, sequence_length: int, sequence_stride: int) -> Any:
    """Return the windows of a signal, which may share elements.

    Parameters
    ----------
    x
        Signals, of shape (…, samples).
    sequence_length
        Elements of a window.
    sequence_stride
        From one window's first element to the next's.

    Returns
    -------
    array
        Of shape (…, windows, sequence_length).

    Examples
    --------
    >>> from minpy import ops
    >>> ops.extract_sequences([1, 2, 3, 4, 5, 6], 3, 2)
    array([[1, 2, 3],
           [3, 4, 5]])
    """
    who, x = "extract_sequences", as_ndarray(x)
    for name, value in (("sequence_length", sequence_length), ("sequence_stride", sequence_stride)):
        _expect_count(value, name, who)
    if not x.ndim or x.shape[-1] < sequence_length:
        raise ShapeError(
            f"{who}: no window of {sequence_length} elements fits into signals of shape {x.shape}"
        )
    starts = numpy.arange(0, x.shape[-1] - sequence_length + 1, sequence_stride)
    return np.take(x, starts[:, None] + numpy.arange(sequence_length), axis=-1)


def _expect_count(value: Any, name: str, who: str) -> None:
    if not isinstance(value, int | numpy.integer) or isinstance(value, bool) or value < 1:
        raise ValueError(f"{who}: expected {name} as a whole number from 1, got {value!r}")


def _window(
    window: Any, sequence_length: int, sequence_stride: int, fft_length: int, who: str
) -> numpy.ndarray:
    """Return a window in the middle of zeros, as long as a transform."""
    _expect_count(sequence_length, "sequence_length", who)
    _expect_count(sequence_stride, "sequence_stride", who)
    if fft_length < sequence_length:
        raise ValueError(
            f"{who}: expected fft_length from sequence_length, {sequence_length}, on, got "
            f"{fft_length}"
        )
    if window is None:
        return numpy.ones(fft_length)  # Keras' too is as long as the transform
    if isinstance(window, str) and window not in ("hann", "hamming"):
        raise ValueError(
            f"{who}: expected window 'hann', 'hamming', an array or None, got {window!r}"
        )
    before = (fft_length - sequence_length) // 2
    around = (before, fft_length - sequence_length - before)
    return numpy.pad(window_values(window, sequence_length, True, who), around)


@functools.lru_cache(maxsize=16)
def _fourier_matrix(length: int, dtype: str) -> numpy.ndarray:
    """Return what a row of samples is multiplied with: cosines, then minus sines."""
    count = length // 2 + 1
    turns = numpy.arange(length)[:, None] * numpy.arange(count) % length
    angles = (2.0 * numpy.pi / length) * turns
    matrix = numpy.concatenate([numpy.cos(angles), -numpy.sin(angles)], axis=1).astype(dtype)
    matrix.setflags(write=False)
    return matrix


def _spectrum_kernel(x: numpy.ndarray, matrix: numpy.ndarray) -> numpy.ndarray:
    found = numpy.fft.rfft(x)
    return numpy.concatenate([found.real, found.imag], axis=-1).astype(x.dtype, copy=False)


def _transposed_kernel(g: numpy.ndarray, matrix: numpy.ndarray) -> numpy.ndarray:
    count, length = g.shape[-1] // 2, matrix.shape[0]
    found = numpy.fft.ifft(g[..., :count] + 1j * g[..., count:], length, norm="forward")
    return found.real.astype(g.dtype, copy=False)


# Transforms of real rows, real parts beside imaginary ones: fast transforms on the host, and in
# MXNet's graphs, which have none, the product with a matrix.
_spectrum = Primitive(
    "short_time.spectrum", _spectrum_kernel, arrays=2, mxnet=lambda F, x, matrix: F.dot(x, matrix)
)
_transposed = Primitive(
    "short_time.transposed_spectrum",
    _transposed_kernel,
    arrays=2,
    mxnet=lambda F, g, matrix: F.dot(g, matrix, transpose_b=True),
)
defvjp(_spectrum, lambda ans, x, matrix: lambda g: _transposed(g, matrix), argnums=(0,))
defvjp(_transposed, lambda ans, g, matrix: lambda h: _spectrum(h, matrix), argnums=(0,))
defjvp(_spectrum, lambda t, ans, x, matrix: _spectrum(t, matrix), argnums=(0,))
defjvp(_transposed, lambda t, ans, g, matrix: _transposed(t, matrix), argnums=(0,))


def stft(
    x: Any,
    sequence_length: int,
    sequence_stride: int,
    fft_length: int,
    window: Any = "hann",
    center: bool = True,
) -> tuple[Any, Any]:
    """Return the short-time Fourier transform of real signals, as a pair (real, imaginary).

    Parameters
    ----------
    x
        Signals, of shape (…, samples).
    sequence_length
        Samples of a window.
    sequence_stride
        From one window to the next.
    fft_length
        Of each transform; windows are in the middle of zeros.
    window
        ``'hann'``, ``'hamming'``, an array (sequence_length,), or None for none.
    center
        Whether signals are continued on both sides by their mirror image, so that window `t` is
        around sample ``t * sequence_stride``.

    Returns
    -------
    real, imaginary
        Of shape (…, windows, fft_length // 2 + 1).

    Examples
    --------
    >>> from minpy import ops
    >>> real, _ = ops.stft(ops.array([1., 2., 3., 4.]), 2, 2, 2, window=None, center=False)
    >>> real
    array([[ 3., -1.],
           [ 7., -1.]])
    """
    x = as_ndarray(x)
    if x.dtype.kind != "f":
        raise TypeError(f"stft: expected real signals of floats, got {x.dtype}")
    weights = _window(window, sequence_length, sequence_stride, fft_length, "stft")
    if center:
        if not x.ndim or x.shape[-1] <= fft_length // 2:
            raise ShapeError(
                f"stft: signals of shape {x.shape} are too short to be mirrored by "
                f"{fft_length // 2} samples; give longer ones, or center=False"
            )
        x = np.pad(x, [(0, 0)] * (x.ndim - 1) + [(fft_length // 2,) * 2], mode="reflect")
    frames = extract_sequences(x, fft_length, sequence_stride) * weights.astype(x.dtype)
    both = _spectrum(frames, _fourier_matrix(fft_length, x.dtype.name))
    count = fft_length // 2 + 1
    return both[..., :count], both[..., count:]


def istft(
    x: Any,
    sequence_length: int,
    sequence_stride: int,
    fft_length: int,
    length: int | None = None,
    window: Any = "hann",
    center: bool = True,
) -> Any:
    """Return the signals that have given short-time Fourier transforms.

    Parameters
    ----------
    x
        A pair (real, imaginary) of shape (…, windows, fft_length // 2 + 1).
    sequence_length, sequence_stride, fft_length, window, center
        As of the `stft` that made it.
    length
        Samples of the result; without it as many as there are windows for.

    Notes
    -----
    Windows are added where they overlap and divided by the sum of the squares of their weights:
    the least-squares estimate of D. Griffin and J. Lim, "Signal estimation from modified short-time
    Fourier transform" (1984). Samples that no window saw are zero. Where backends of Keras give
    something else (without a window), this undoes `stft`.

    Examples
    --------
    >>> from minpy import ops
    >>> x = ops.array([0., 1., 2., 3., 4.])
    >>> ops.istft(ops.stft(x, 1, 1, 1), 1, 1, 1)
    array([0., 1., 2., 3., 4.])
    """
    parts = [as_ndarray(part) for part in x] if isinstance(x, tuple | list) else []
    if len(parts) != 2 or parts[0].shape != parts[1].shape:
        raise ShapeError(
            f"istft: expected a pair (real, imaginary) of arrays of one shape, got "
            f"{[part.shape for part in parts] or type(x).__name__}"
        )
    spectrum, dtype = parts[0] + 1j * parts[1], parts[0].dtype
    weights = _window(window, sequence_length, sequence_stride, fft_length, "istft")
    if spectrum.ndim < 2 or spectrum.shape[-1] != fft_length // 2 + 1:
        raise ShapeError(
            f"istft: expected a pair of shape (…, windows, {fft_length // 2 + 1}), got "
            f"{spectrum.shape}"
        )
    count = spectrum.shape[-2]
    samples = fft_length + sequence_stride * (count - 1)
    frames = np.fft.irfft(spectrum, fft_length).astype(dtype) * weights.astype(dtype)
    places = (numpy.arange(count)[:, None] * sequence_stride + numpy.arange(fft_length)).ravel()
    squares = numpy.bincount(places, numpy.tile(weights**2, count), samples)
    share = numpy.where(squares > 1e-10, 1.0 / numpy.maximum(squares, 1e-10), 1.0)
    frames = np.reshape(frames, (*frames.shape[:-2], count * fft_length))
    frames = np.concatenate([frames, np.zeros_like(frames[..., :1])], axis=-1)
    y = np.sum(np.take(frames, covering(places, samples), axis=-1), axis=-1) * share.astype(dtype)
    start = fft_length // 2 if center else 0
    end = samples - start if length is None else start + length
    y = y[..., start:end]
    missing = 0 if length is None else length - y.shape[-1]
    return np.pad(y, [(0, 0)] * (y.ndim - 1) + [(0, missing)]) if missing > 0 else y
