"""Fourier transforms of complex numbers that are pairs of arrays, real and imaginary parts.

And what makes complex arrays of real ones, and the other way.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy

import minpy.numpy as np
from minpy.array import as_ndarray
from minpy.errors import ShapeError
from minpy.initializers.short_time_fourier import window_values
from minpy.ops.operation import operation
from minpy.ops.rearranging import covering

__all__ = [
    "extract_sequences",
    "fft",
    "fft2",
    "ifft2",
    "irfft",
    "istft",
    "polar",
    "rfft",
    "stft",
    "view_as_complex",
    "view_as_real",
]


def _complex(x: Any, who: str) -> Any:
    parts = [as_ndarray(part) for part in x] if isinstance(x, tuple | list) else []
    if len(parts) != 2 or parts[0].shape != parts[1].shape:
        raise ShapeError(
            f"{who}: expected a pair (real, imaginary) of arrays of one shape, got "
            f"{[part.shape for part in parts] or type(x).__name__}"
        )
    return parts[0] + 1j * parts[1]


def _parts(z: Any, like: Any) -> tuple[Any, Any]:
    dtype = as_ndarray(like).dtype
    return np.real(z).astype(dtype), np.imag(z).astype(dtype)


def _transform(name: str, what: str) -> Callable[..., Any]:
    def transform(x: Any) -> tuple[Any, Any]:
        return _parts(getattr(np.fft, name)(_complex(x, name)), x[0])

    transform.__name__ = transform.__qualname__ = name
    transform.__doc__ = f"Return the {what}, of a pair (real, imaginary), as one."
    return operation(transform)


fft = _transform("fft", "discrete Fourier transform along the last axis")
fft2 = _transform("fft2", "discrete Fourier transform along the last two axes")
ifft2 = _transform("ifft2", "inverse Fourier transform along the last two axes")


@operation
def rfft(x: Any, fft_length: int | None = None) -> tuple[Any, Any]:
    """Return the non-negative frequencies of a real signal, as a pair (real, imaginary).

    Examples
    --------
    >>> from minpy import ops
    >>> real, imaginary = ops.rfft(ops.array([1.0, 0.0, 0.0, 0.0]))
    >>> real
    array([1., 1., 1.])
    """
    return _parts(np.fft.rfft(as_ndarray(x), fft_length), x)


@operation
def irfft(x: Any, fft_length: int | None = None) -> Any:
    """Return the real signal that has the given non-negative frequencies."""
    return np.fft.irfft(_complex(x, "irfft"), fft_length).astype(as_ndarray(x[0]).dtype)


# --- complex arrays -------------------------------------------------------------------------------


@operation
def view_as_complex(x: Any) -> Any:
    """Return the complex numbers whose parts are along the last axis.

    Parameters
    ----------
    x
        Of shape (…, 2): real and imaginary parts.

    Examples
    --------
    >>> from minpy import ops
    >>> ops.view_as_complex([[1., 2.], [3., 4.]])
    array([1.+2.j, 3.+4.j], dtype=complex64)
    """
    x = as_ndarray(x)
    if not x.ndim or x.shape[-1] != 2:
        raise ShapeError(
            f"view_as_complex: expected real and imaginary parts (…, 2), got shape {x.shape}"
        )
    return _complex((x[..., 0], x[..., 1]), "view_as_complex")


@operation
def view_as_real(x: Any) -> Any:
    """Return the real and imaginary parts of complex numbers, along a new last axis.

    Examples
    --------
    >>> from minpy import ops
    >>> ops.view_as_real([1 + 2j])
    array([[1., 2.]])
    """
    x = as_ndarray(x)
    return np.stack([np.real(x), np.imag(x)], axis=-1)


@operation
def polar(abs_: Any, angle: Any) -> Any:
    """Return the complex numbers of given absolute values and angles in radians.

    Examples
    --------
    >>> from minpy import ops
    >>> ops.polar([2.0], [0.0])
    array([2.+0.j], dtype=complex64)
    """
    abs_, angle = as_ndarray(abs_), as_ndarray(angle)
    return abs_ * np.cos(angle) + 1j * (abs_ * np.sin(angle))


# --- short times ----------------------------------------------------------------------------------


@operation
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


@operation
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
    return _parts(np.fft.rfft(frames), x)


@operation
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
    spectrum = _complex(x, "istft")
    weights = _window(window, sequence_length, sequence_stride, fft_length, "istft")
    if spectrum.ndim < 2 or spectrum.shape[-1] != fft_length // 2 + 1:
        raise ShapeError(
            f"istft: expected a pair of shape (…, windows, {fft_length // 2 + 1}), got "
            f"{spectrum.shape}"
        )
    dtype = as_ndarray(x[0]).dtype
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
