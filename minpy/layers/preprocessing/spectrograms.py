"""Signals as spectrograms: which frequencies they have, and when; knows no files of sound."""

from __future__ import annotations

import functools
import math
import warnings
from typing import Any

import numpy

import minpy.numpy as np
from minpy.config import epsilon
from minpy.errors import ShapeError
from minpy.initializers.short_time_fourier import STFT, window_values
from minpy.layers.functions import conv
from minpy.layers.functions.short_time import stft
from minpy.layers.images import data_format_of, one_of
from minpy.layers.layer import Layer
from minpy.layers.preprocessing.numeric_layer import NumericLayer

__all__ = ["MelSpectrogram", "STFTSpectrogram"]


def _whole(value: Any, what: str, least: int = 1) -> int:
    if not isinstance(value, int | numpy.integer) or isinstance(value, bool) or value < least:
        raise ValueError(f"{what}: expected a whole number from {least}, got {value!r}")
    return int(value)


def _stored(window: Any) -> Any:
    return window if window is None or isinstance(window, str) else numpy.asarray(window).tolist()


# --- by convolution -------------------------------------------------------------------------------

_MODES = ("log", "magnitude", "psd", "real", "imag", "angle", "stft")


class STFTSpectrogram(Layer):
    """Short-time Fourier transform of signals by a convolution, whose kernels may be trained.

    Parameters
    ----------
    mode
        What is given of the complex numbers: ``'log'`` (the logarithm of the magnitude),
        ``'magnitude'``, ``'psd'`` (the power, twice that of frequencies which stand for two),
        ``'real'``, ``'imag'``, ``'angle'``, or ``'stft'``: real parts, then imaginary ones.
    frame_length
        Samples of a window.
    frame_step
        From one window to the next; half a window if not given.
    fft_length
        Of the transforms, from `frame_length`; the next power of two if not given.
    window, periodic, scaling
        As of `minpy.initializers.STFT`.
    padding
        ``'valid'`` or ``'same'``.
    expand_dims
        Whether channels keep an axis of their own, as those of images.
    data_format
        ``'channels_first'`` or ``'channels_last'``: the layout of signals, (batch, channels,
        samples) or (batch, samples, channels); the latter if not given.

    Notes
    -----
    The output is (batch, windows, channels × frequencies) in the layout ``'channels_last'``, with
    `expand_dims` (batch, windows, frequencies, channels); else (batch, channels × frequencies,
    windows) or (batch, channels, windows, frequencies). Models with it train compiled.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import STFTSpectrogram
    >>> layer = STFTSpectrogram(frame_length=8, data_format='channels_last', trainable=False)
    >>> layer(np.ones((2, 40, 1))).shape
    (2, 9, 5)
    """

    def __init__(
        self,
        mode: str = "log",
        frame_length: int = 256,
        frame_step: int | None = None,
        fft_length: int | None = None,
        window: Any = "hann",
        periodic: bool = False,
        scaling: str | None = "density",
        padding: str = "valid",
        expand_dims: bool = False,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        who = "STFTSpectrogram"
        _whole(frame_length, f"{who}: frame_length")
        one_of(mode, _MODES, f"{who}: mode")
        one_of(padding, ("valid", "same"), f"{who}: padding")
        if frame_step is not None and not 1 <= frame_step <= frame_length:
            raise ValueError(
                f"{who}: expected frame_step from 1 to frame_length, {frame_length}, got "
                f"{frame_step}"
            )
        if fft_length is not None and fft_length < frame_length:
            raise ValueError(
                f"{who}: expected fft_length from frame_length, {frame_length}, on, got "
                f"{fft_length}"
            )
        STFT("real", window, scaling, periodic)  # says what is wrong with them
        if fft_length is not None and fft_length & (fft_length - 1):
            warnings.warn(
                f"{who}: fft_length {fft_length} is no power of two, which is recommended",
                stacklevel=2,
            )
        super().__init__(**kwargs)
        self.mode, self.frame_length, self.frame_step = mode, frame_length, frame_step
        self.fft_length, self.window, self.periodic = fft_length, window, periodic
        self.scaling, self.padding, self.expand_dims = scaling, padding, expand_dims
        self.data_format = data_format_of(data_format, who, 1)

    @property
    def _step(self) -> int:
        return self.frame_step or max(self.frame_length // 2, 1)

    @property
    def _frequencies(self) -> int:
        return (self.fft_length or 1 << math.ceil(math.log2(self.frame_length))) // 2 + 1

    def build(self, input_shape: Any) -> None:
        """Make the kernels of the real and the imaginary part, those that the mode needs."""
        shape = (self.frame_length, 1, self._frequencies)
        for side in ("real", "imag"):
            if self.mode not in ("real", "imag") or self.mode == side:
                start = STFT(side, self.window, self.scaling, self.periodic)
                kernel = self.add_weight(shape=shape, initializer=start, name=f"{side}_kernel")
                setattr(self, f"{side}_kernel", kernel)

    def check_input(self, shape: Any) -> None:
        """Raise `ShapeError` unless the input is a batch of signals, long enough for a window."""
        samples = None
        if len(shape) == 3:
            samples = shape[1 if self.data_format == "channels_last" else 2]
        least = self.frame_length if self.padding == "valid" else 1
        if len(shape) != 3 or (samples is not None and samples < least):
            layout = (
                "(batch, samples, channels)"
                if self.data_format == "channels_last"
                else "(batch, channels, samples)"
            )
            raise ShapeError(
                f"STFTSpectrogram {self.name!r}: expected signals {layout} of {least} samples or "
                f"more, got shape {tuple(shape)}"
            )

    def _transformed(self, x: Any, kernel: Any) -> Any:
        """Return (batch, channels, frequencies, windows) of signals (batch, channels, samples)."""
        channels, samples = x.shape[1:]
        each = np.reshape(x, (-1, 1, samples))
        kernel = np.transpose(kernel, (2, 1, 0)).astype(x.dtype)
        y = conv(each, kernel, None, self._step, self.padding)
        return np.reshape(y, (-1, channels, *y.shape[1:]))

    def call(self, x: Any) -> Any:
        """Compute the spectrogram."""
        if x.dtype.kind != "f":
            raise TypeError(
                f"STFTSpectrogram {self.name!r}: expected signals of floats, got {x.dtype}"
            )
        self.check_input(x.shape)
        last = self.data_format == "channels_last"
        x = np.swapaxes(x, 1, 2) if last else x
        parts = {
            side: self._transformed(x, getattr(self, f"{side}_kernel"))
            for side in ("real", "imag")
            if self.mode not in ("real", "imag") or self.mode == side
        }
        y = self._shown(**parts)
        _, channels, frequencies, windows = y.shape
        if self.expand_dims:
            return np.transpose(y, (0, 3, 2, 1) if last else (0, 1, 3, 2))
        y = np.reshape(y, (-1, channels * frequencies, windows))
        return np.swapaxes(y, 1, 2) if last else y

    def _shown(self, real: Any = None, imag: Any = None) -> Any:
        """Return what the mode says of real and imaginary parts."""
        if self.mode in ("real", "imag"):
            return real if self.mode == "real" else imag
        if self.mode == "angle":
            return np.arctan2(imag, real)
        if self.mode == "stft":
            return np.concatenate([real, imag], axis=2)
        power = np.square(real) + np.square(imag)
        if self.mode == "psd":
            # All frequencies but the first and the last stand for their mirrored ones too.
            count = power.shape[2]
            twice = numpy.full((count, 1), 2.0, power.dtype)
            twice[[0, -1]] = 1.0
            return power * twice
        magnitude = np.sqrt(np.maximum(power, epsilon()))
        return magnitude if self.mode == "magnitude" else np.log(np.maximum(magnitude, epsilon()))

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shape of the output."""
        last = self.data_format == "channels_last"
        batch, samples, channels = (
            input_shape if last else (input_shape[0], input_shape[2], input_shape[1])
        )
        frequencies = self._frequencies * (2 if self.mode == "stft" else 1)
        windows = samples
        if samples is not None:
            reach = samples if self.padding == "same" else samples - self.frame_length + 1
            windows = -(-reach // self._step)
        if self.expand_dims:
            inner = (windows, frequencies, channels) if last else (channels, windows, frequencies)
            return (batch, *inner)
        depth = None if channels is None else frequencies * channels
        return (batch, windows, depth) if last else (batch, depth, windows)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer."""
        return {
            **super().get_config(),
            "mode": self.mode,
            "frame_length": self.frame_length,
            "frame_step": self.frame_step,
            "fft_length": self.fft_length,
            "window": _stored(self.window),
            "periodic": self.periodic,
            "scaling": self.scaling,
            "padding": self.padding,
            "expand_dims": self.expand_dims,
            "data_format": self.data_format,
        }


# --- on the mel scale -----------------------------------------------------------------------------


def _mel(hertz: Any) -> Any:
    """Return how high a frequency sounds: O'Shaughnessy, "Speech communication" (1987), p. 150."""
    return 1127.0 * numpy.log(1.0 + numpy.asarray(hertz, "float64") / 700.0)


@functools.lru_cache(maxsize=32)
def _mel_weights(
    bands: int, frequencies: int, rate: float, lowest: float, highest: float, dtype: str
) -> numpy.ndarray:
    """Return triangles on the mel scale, one a column, as far as frequencies lie in them."""
    hertz = _mel(numpy.linspace(0.0, rate / 2.0, frequencies)[1:])[:, None]
    edges = numpy.linspace(_mel(lowest), _mel(highest), bands + 2)
    low, middle, high = edges[:-2], edges[1:-1], edges[2:]
    rising, falling = (hertz - low) / (middle - low), (high - hertz) / (high - middle)
    weights = numpy.maximum(0.0, numpy.minimum(rising, falling))
    weights = numpy.pad(weights, [(1, 0), (0, 0)]).astype(dtype)  # nothing of frequency zero
    weights.setflags(write=False)
    return weights


class MelSpectrogram(NumericLayer):
    """Spectrogram of signals in bands of the mel scale, in decibels: what one hears of them.

    Parameters
    ----------
    fft_length
        Of each transform.
    sequence_stride
        Samples from one window to the next.
    sequence_length
        Samples of a window; `fft_length` if not given.
    window
        ``'hann'``, ``'hamming'``, an array (sequence_length,), or None for none.
    sampling_rate
        Samples a second.
    num_mel_bins
        How many bands.
    min_freq, max_freq
        Where the bands begin and end, in hertz; up to half of `sampling_rate` if not given.
    power_to_db
        Whether the output is in decibels.
    top_db
        How far below the largest number of the whole output the smallest may be, in decibels.
    mag_exp
        Power of the magnitude: 2 for the power, 1 for the magnitude itself.
    min_power
        The least power that counts.
    ref_power
        The power that is 0 decibels.

    Notes
    -----
    Signals are (samples,) or (batch, samples), the output (…, num_mel_bins, windows). MXNet's
    graphs have no Fourier transforms: a compiled model multiplies with a matrix instead, which is
    slower. Where nothing before it is trained, call the layer on the data.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import MelSpectrogram
    >>> layer = MelSpectrogram(num_mel_bins=16, sampling_rate=8000, sequence_stride=64,
    ...                        fft_length=256)
    >>> layer(np.ones((2, 1600))).shape
    (2, 16, 26)
    """

    def __init__(
        self,
        fft_length: int = 2048,
        sequence_stride: int = 512,
        sequence_length: int | None = None,
        window: Any = "hann",
        sampling_rate: int = 16000,
        num_mel_bins: int = 128,
        min_freq: float = 20.0,
        max_freq: float | None = None,
        power_to_db: bool = True,
        top_db: float = 80.0,
        mag_exp: float = 2.0,
        min_power: float = 1e-10,
        ref_power: float = 1.0,
        **kwargs: Any,
    ) -> None:
        who = "MelSpectrogram"
        self_length = sequence_length or fft_length
        for name, value in (
            ("fft_length", fft_length),
            ("sequence_stride", sequence_stride),
            ("sequence_length", self_length),
            ("num_mel_bins", num_mel_bins),
        ):
            _whole(value, f"{who}: {name}")
        if fft_length < self_length:
            raise ValueError(
                f"{who}: expected fft_length from sequence_length, {self_length}, on, got "
                f"{fft_length}"
            )
        highest = max_freq or int(sampling_rate / 2)
        if not 0 <= min_freq < highest:
            raise ValueError(
                f"{who}: expected frequencies 0 <= min_freq < max_freq, got "
                f"{min_freq} and {highest}"
            )
        if isinstance(window, str):
            one_of(window, ("hann", "hamming"), f"{who}: window")
        elif window is not None:
            window_values(window, self_length, True, who)
        super().__init__(**kwargs)
        self.fft_length, self.sequence_stride = fft_length, sequence_stride
        self.sequence_length, self.window = self_length, window
        self.sampling_rate, self.num_mel_bins = sampling_rate, num_mel_bins
        self.min_freq, self.max_freq = min_freq, highest
        self.power_to_db, self.top_db, self.mag_exp = power_to_db, top_db, mag_exp
        self.min_power, self.ref_power = min_power, ref_power

    def check_input(self, shape: Any) -> None:
        """Raise `ShapeError` unless the input is a signal or a batch of them."""
        if len(shape) not in (1, 2):
            raise ShapeError(
                f"MelSpectrogram {self.name!r}: expected signals (samples,) or (batch, samples), "
                f"got shape {tuple(shape)}"
            )

    def call(self, x: Any) -> Any:
        """Compute the spectrogram."""
        self.check_input(x.shape)
        if x.dtype.name not in ("float32", "float64"):
            x = x.astype("float64" if self.dtype == "float64" else "float32")
        real, imag = stft(
            x, self.sequence_length, self.sequence_stride, self.fft_length, self.window
        )
        power = np.square(real) + np.square(imag)
        if self.mag_exp != 2:
            power = np.power(power, self.mag_exp / 2)
        weights = _mel_weights(
            self.num_mel_bins,
            power.shape[-1],
            float(self.sampling_rate),
            float(self.min_freq),
            float(self.max_freq),
            x.dtype.name,
        )
        y = np.matmul(power, weights)
        if self.power_to_db:
            reference = 10.0 * math.log10(max(abs(self.ref_power), self.min_power))
            y = 10.0 * np.log10(np.maximum(y, self.min_power)) - reference
            y = np.maximum(y, np.max(y) - self.top_db)
        return np.swapaxes(y, -1, -2).astype(self.dtype)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shape of the output."""
        samples = input_shape[-1]
        windows = None if samples is None else self._windows(samples)
        return (*input_shape[:-1], self.num_mel_bins, windows)

    def _windows(self, samples: int) -> int:
        around = 2 * (self.fft_length // 2)
        return (samples + around - self.fft_length) // self.sequence_stride + 1

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer."""
        return {
            **super().get_config(),
            "fft_length": self.fft_length,
            "sequence_stride": self.sequence_stride,
            "sequence_length": self.sequence_length,
            "window": _stored(self.window),
            "sampling_rate": self.sampling_rate,
            "num_mel_bins": self.num_mel_bins,
            "min_freq": self.min_freq,
            "max_freq": self.max_freq,
            "power_to_db": self.power_to_db,
            "top_db": self.top_db,
            "mag_exp": self.mag_exp,
            "min_power": self.min_power,
            "ref_power": self.ref_power,
        }
