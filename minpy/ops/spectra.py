"""Fourier transforms of complex numbers that are pairs of arrays, real and imaginary parts.

And what makes complex arrays of real ones, and the other way.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import minpy.numpy as np
from minpy.array import as_ndarray
from minpy.errors import ShapeError
from minpy.layers.functions import short_time
from minpy.ops.operation import operation

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

extract_sequences = operation(short_time.extract_sequences)
stft = operation(short_time.stft)
istft = operation(short_time.istft)
