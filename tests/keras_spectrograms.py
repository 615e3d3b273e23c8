"""Asks Keras for spectrograms: outputs, gradients and training of their kernels.

Run it where Keras and JAX are installed, which the tests themselves don't need:

    KERAS_BACKEND=jax python tests/keras_spectrograms.py
"""

from __future__ import annotations

from keras_layer_values import case, write

LAST = {"data_format": "channels_last"}
FIRST = {"data_format": "channels_first"}
FIXED = {"trainable": False}
SHORT = {"frame_length": 6, "frame_step": 2}

CASES = [
    *[
        case("STFTSpectrogram", {"mode": mode, **SHORT, **LAST, **FIXED}, [(2, 15, 2)])
        for mode in ("log", "magnitude", "psd", "real", "imag", "angle", "stft")
    ],
    *[
        case("STFTSpectrogram", {"mode": mode, "frame_length": 4, **layout}, [shape])
        for mode in ("magnitude", "psd", "stft")
        for layout, shape in ((LAST, (2, 9, 2)), (FIRST, (2, 2, 9)))
    ],
    case(
        "STFTSpectrogram",
        {"expand_dims": True, "window": "hamming", "periodic": True, **SHORT, **LAST, **FIXED},
        [(2, 12, 3)],
    ),
    case(
        "STFTSpectrogram",
        {"expand_dims": True, "scaling": "spectrum", "padding": "same", **SHORT, **FIRST, **FIXED},
        [(2, 3, 12)],
    ),
    case(
        "STFTSpectrogram",
        {"fft_length": 16, "window": None, "padding": "same", **SHORT, **LAST, **FIXED},
        [(2, 13, 1)],
    ),
    case(
        "STFTSpectrogram",
        {"window": "blackman", "scaling": None, "mode": "magnitude", **SHORT, **LAST, **FIXED},
        [(2, 13, 1)],
    ),
    case("MelSpectrogram", {"fft_length": 16, "sequence_stride": 5, "num_mel_bins": 3}, [(2, 31)]),
    case(
        "MelSpectrogram",
        {
            "fft_length": 32,
            "sequence_length": 20,
            "sequence_stride": 7,
            "num_mel_bins": 5,
            "sampling_rate": 8000,
            "window": "hamming",
            "max_freq": 3000.0,
            "top_db": 6.0,
            "ref_power": 2.0,
        },
        [(2, 50)],
    ),
    case(
        "MelSpectrogram",
        {"fft_length": 16, "sequence_stride": 4, "num_mel_bins": 4, "power_to_db": False},
        [(1, 40)],
    ),
    case(
        "MelSpectrogram",
        {
            "fft_length": 16,
            "sequence_stride": 4,
            "num_mel_bins": 4,
            "mag_exp": 1.0,
            "power_to_db": False,
            "window": None,
        },
        [(2, 40)],
    ),
]

if __name__ == "__main__":
    write(__file__, CASES)
