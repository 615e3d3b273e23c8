"""Spectrograms beside Keras': outputs, gradients, training of kernels, configurations."""

from __future__ import annotations

import numpy
import pytest
from keras_layer_checks import (
    cases_of,
    check_configuration,
    check_training,
    check_values,
    is_trained,
)

from minpy.errors import ShapeError
from minpy.initializers import STFT
from minpy.layers import Input, MelSpectrogram, STFTSpectrogram
from minpy.models import Sequential

CASES = cases_of("spectrograms")
TRAINED = [p for p in CASES if is_trained(p)]


def needs_scipy(case):
    if case["settings"].get("window") == "blackman":
        pytest.importorskip("scipy")


@pytest.mark.parametrize("case", CASES)
def test_values_and_gradients_are_those_of_keras(case):
    needs_scipy(case)
    check_values(case, tol=5e-5)


@pytest.mark.parametrize("jit", ["auto", False])
@pytest.mark.parametrize("case", TRAINED)
def test_twenty_steps_of_training_are_those_of_keras(case, jit):
    check_training(case, jit)


@pytest.mark.parametrize("case", CASES)
def test_a_configuration_makes_an_equal_layer(case, tmp_path):
    needs_scipy(case)
    check_configuration(case, tmp_path)


def test_there_are_cases_that_are_trained():
    assert len(TRAINED) == 6


@pytest.mark.parametrize("window", ["hann", "hamming"])
@pytest.mark.parametrize("periodic", [False, True])
@pytest.mark.parametrize("scaling", ["density", "spectrum", None])
def test_kernels_are_the_windowed_transform_of_unit_vectors(window, periodic, scaling):
    signal = pytest.importorskip("scipy.signal")
    weights = signal.get_window(window, 6, periodic)
    scale = {"density": numpy.sqrt((weights**2).sum()), "spectrum": weights.sum(), None: 1.0}
    expected = numpy.fft.rfft(numpy.diag(weights / scale[scaling]), 8)
    for side in ("real", "imag"):
        found = STFT(side, window, scaling, periodic)((6, 1, 5), dtype="float64")
        numpy.testing.assert_allclose(found[:, 0], getattr(expected, side), atol=1e-12)


def test_a_tone_is_loudest_in_its_band():
    seconds = numpy.arange(4000) / 8000
    layer = MelSpectrogram(512, 128, sampling_rate=8000, num_mel_bins=20)
    loud = [
        numpy.asarray(layer(numpy.sin(2 * numpy.pi * f * seconds).astype("float32")))[:, 4:-4]
        for f in (200.0, 1000.0, 3000.0)
    ]
    bands = [set(found.argmax(0)) for found in loud]
    assert all(len(band) == 1 for band in bands)
    assert [band.pop() for band in bands] == sorted(int(f.argmax(0)[0]) for f in loud)
    assert all(found.max() - found.min() <= 80.0 + 1e-3 for found in loud)


def test_one_signal_is_a_batch_of_one():
    x = numpy.linspace(-1, 1, 60, dtype="float32") ** 3
    layer = MelSpectrogram(16, 4, num_mel_bins=4)
    found = numpy.asarray(layer(x))
    assert found.shape == layer.compute_output_shape((60,))
    numpy.testing.assert_array_equal(found, layer(x[None])[0])


def test_shapes_of_unknown_lengths():
    model = Sequential(
        [Input((None, 1)), STFTSpectrogram(frame_length=8, data_format="channels_last")]
    )
    assert model.output_shape == (None, None, 5)
    assert MelSpectrogram(num_mel_bins=7).compute_output_shape((None, None)) == (None, 7, None)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: STFTSpectrogram("loud"), "'log' or 'magnitude'"),
        (lambda: STFTSpectrogram(frame_length=8, frame_step=9), "frame_step from 1"),
        (lambda: STFTSpectrogram(frame_length=8, fft_length=4), "fft_length from frame_length"),
        (lambda: STFTSpectrogram(scaling="loud"), "scaling 'density'"),
        (lambda: STFTSpectrogram(window="no such"), "no window 'no such'|need SciPy"),
        (lambda: STFTSpectrogram(frame_length=8)(numpy.ones((2, 1, 4))), "8 samples or more"),
        (lambda: STFTSpectrogram()(numpy.ones((2, 400))), "batch, samples, channels"),
        (lambda: MelSpectrogram(8, sequence_length=9), "fft_length from sequence_length"),
        (lambda: MelSpectrogram(min_freq=10.0, max_freq=5.0), "min_freq < max_freq"),
        (lambda: MelSpectrogram(window="blackman"), "'hann' or 'hamming'"),
        (lambda: MelSpectrogram(8)(numpy.ones((1, 2, 40))), "expected signals"),
        (lambda: STFT("left"), "side 'real' or 'imag'"),
    ],
)
def test_what_is_wrong_is_said(call, words):
    with pytest.raises((ValueError, ShapeError, ImportError), match=words):
        call()
