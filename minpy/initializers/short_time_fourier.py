"""Starts the kernel of a convolution as a short-time Fourier transform; knows no layer."""

from __future__ import annotations

import warnings
from typing import Any

import numpy

from minpy.errors import ShapeError
from minpy.initializers.initializer import Initializer

__all__ = ["STFT", "window_values"]

# How much of a cosine is taken from the middle of a window: the generalized Hamming windows.
_COSINE = {"hann": 0.5, "hamming": 0.46}
_SCALINGS = ("density", "spectrum", None)


def window_values(window: Any, length: int, periodic: bool, who: str) -> numpy.ndarray:
    """Return the weights of a window.

    Parameters
    ----------
    window
        A name of ``scipy.signal.get_window``'s, of which ``'hann'`` and ``'hamming'`` are there
        without SciPy, or the weights themselves.
    length
        How many weights.
    periodic
        Whether a window is one period, and not symmetric.
    who
        Begins the message of an error.

    Raises
    ------
    ValueError
        If there is no window of that name.
    ShapeError
        If weights are of another shape.
    """
    if isinstance(window, str):
        if window in _COSINE:
            share, whole = _COSINE[window], length if periodic else length - 1
            if length == 1:
                return numpy.ones(1)
            return 1 - share - share * numpy.cos(2 * numpy.pi * numpy.arange(length) / whole)
        try:
            from scipy.signal import get_window
        except ImportError as error:
            raise ImportError(
                f"{who}: windows but 'hann' and 'hamming' need SciPy, which can't be imported here "
                f"({error}); pip install scipy"
            ) from error
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                return get_window(window, length, periodic)
            except ValueError as error:
                raise ValueError(f"{who}: no window {window!r}: {error}") from None
    weights = numpy.asarray(window, "float64")
    if weights.shape != (length,):
        raise ShapeError(f"{who}: expected a window of shape ({length},), got {weights.shape}")
    return weights


class STFT(Initializer):
    """Starts a kernel so that a convolution gives one part of a short-time Fourier transform.

    Parameters
    ----------
    side
        ``'real'`` or ``'imag'``: which part of the complex numbers.
    window
        A name (see `window_values`), the weights, or None for none.
    scaling
        ``'density'`` divides a window by the root of the sum of its squares, ``'spectrum'`` by its
        sum, None doesn't.
    periodic
        Whether a named window is one period, and not symmetric.

    Notes
    -----
    The kernel is (frame_length, 1, frequencies), for transforms of ``2 (frequencies - 1)``
    elements: ``cos(2π t f)`` or ``-sin(2π t f)``, times the window.

    Examples
    --------
    >>> STFT('real', window=None)((2, 1, 2))[:, 0]
    array([[ 1.,  1.],
           [ 1., -1.]], dtype=float32)
    """

    def __init__(
        self,
        side: str = "real",
        window: Any = "hann",
        scaling: str | None = "density",
        periodic: bool = False,
    ) -> None:
        if side not in ("real", "imag"):
            raise ValueError(f"STFT: expected side 'real' or 'imag', got {side!r}")
        if scaling not in _SCALINGS:
            raise ValueError(
                f"STFT: expected scaling 'density', 'spectrum' or None, got {scaling!r}"
            )
        if isinstance(window, str):
            window_values(window, 1, periodic, "STFT")
        self.side, self.window, self.scaling, self.periodic = side, window, scaling, periodic

    def draw(self, shape: Any, dtype: Any, fans: Any, generator: Any) -> Any:
        """Return the kernel."""
        if len(shape) != 3:
            raise ShapeError(
                f"STFT: expected a kernel (frame_length, channels, frequencies), got shape {shape}"
            )
        frame, _, frequencies = shape
        turns = numpy.arange(frame)[:, None] * numpy.arange(frequencies)
        period = 2 * (frequencies - 1)
        angles = -2 * numpy.pi * ((turns % period) / period if period else turns)
        kernel = numpy.cos(angles) if self.side == "real" else numpy.sin(angles)
        if self.window is not None:
            window = window_values(self.window, frame, self.periodic, "STFT")
            if self.scaling == "density":
                window = window / numpy.sqrt(numpy.sum(window**2))
            elif self.scaling == "spectrum":
                window = window / numpy.sum(numpy.abs(window))
            kernel = kernel * window[:, None]
        return numpy.broadcast_to(kernel[:, None], shape).astype(dtype)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal initializer."""
        window = self.window
        return {
            "side": self.side,
            "window": window
            if window is None or isinstance(window, str)
            else numpy.asarray(window).tolist(),
            "scaling": self.scaling,
            "periodic": self.periodic,
        }
