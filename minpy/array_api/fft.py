"""The standard's Fourier transforms: NumPy's, in the precision of the argument."""

from __future__ import annotations

from typing import Any

import numpy

import minpy.numpy as np
from minpy.array import ndarray
from minpy.array_api.devices import created

_TRANSFORMS = "fft fftn hfft ifft ifftn ihfft irfft irfftn rfft rfftn"
_SHIFTS = "fftshift ifftshift"

__all__ = [*_TRANSFORMS.split(), *_SHIFTS.split(), "fftfreq", "rfftfreq"]


def _transform(name: str) -> Any:
    function = getattr(np.fft, name)

    def transform(x: ndarray, /, **options: Any) -> ndarray:
        made = function(x, **options)
        single = x.dtype in (numpy.float32, numpy.complex64)
        return made.astype("complex64" if made.dtype.kind == "c" else "float32") if single else made

    transform.__name__ = transform.__qualname__ = name
    transform.__doc__ = f"As `minpy.numpy.fft.{name}`, single precision where `x` is."
    return transform


for _name in _TRANSFORMS.split():
    globals()[_name] = _transform(_name)
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
