"""The standard's Fourier transforms: NumPy's, in the precision of the argument."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy

import minpy.numpy as np
from minpy.array import ndarray
from minpy.array_api.devices import created

_TRANSFORMS = "fft fftn hfft ifft ifftn ihfft irfft irfftn rfft rfftn"
_SHIFTS = "fftshift ifftshift"

__all__ = [*_TRANSFORMS.split(), *_SHIFTS.split(), "fftfreq", "rfftfreq"]


def _in_precision_of(x: ndarray, made: ndarray) -> ndarray:
    if x.dtype not in (numpy.float32, numpy.complex64):
        return made
    return made.astype("complex64" if made.dtype.kind == "c" else "float32", copy=False)


def _along_one_axis(name: str) -> Any:
    function = getattr(np.fft, name)

    def transform(
        x: ndarray, /, *, n: int | None = None, axis: int = -1, norm: str = "backward"
    ) -> ndarray:
        return _in_precision_of(x, function(x, n=n, axis=axis, norm=norm))

    return transform


def _along_axes(name: str) -> Any:
    function = getattr(np.fft, name)

    def transform(
        x: ndarray,
        /,
        *,
        s: Sequence[int] | None = None,
        axes: Sequence[int] | None = None,
        norm: str = "backward",
    ) -> ndarray:
        return _in_precision_of(x, function(x, s=s, axes=axes, norm=norm))

    return transform


for _name in _TRANSFORMS.split():
    _made = (_along_axes if _name.endswith("n") else _along_one_axis)(_name)
    _made.__name__ = _made.__qualname__ = _name
    _made.__doc__ = f"As `minpy.numpy.fft.{_name}`, in single precision where `x` is."
    globals()[_name] = _made
fftshift, ifftshift = np.fft.fftshift, np.fft.ifftshift


@created
def fftfreq(n: int, /, *, d: float = 1.0, dtype: Any = None) -> ndarray:
    """Return the frequencies of a transform's results."""
    made = np.fft.fftfreq(n, d)
    return made if dtype is None else made.astype(dtype)


@created
def rfftfreq(n: int, /, *, d: float = 1.0, dtype: Any = None) -> ndarray:
    """Return the frequencies of a real transform's results."""
    made = np.fft.rfftfreq(n, d)
    return made if dtype is None else made.astype(dtype)
