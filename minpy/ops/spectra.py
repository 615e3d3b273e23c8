"""Fourier transforms of complex numbers that are pairs of arrays, real and imaginary parts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import minpy.numpy as np
from minpy.array import as_ndarray
from minpy.errors import ShapeError
from minpy.ops.operation import operation

__all__ = ["fft", "fft2", "ifft2", "irfft", "rfft"]


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
