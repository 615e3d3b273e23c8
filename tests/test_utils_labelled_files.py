"""Folders of texts and sounds as data sets: what is read, in which order, with which labels."""

from __future__ import annotations

import wave

import numpy
import pytest

from minpy.layers import Dense, GlobalAveragePooling1D, STFTSpectrogram
from minpy.models import Sequential
from minpy.utils import audio_dataset_from_directory, text_dataset_from_directory

SILENT = {"verbose": False}


@pytest.fixture
def texts(tmp_path):
    for name, count in (("bad", 4), ("good", 6)):
        (tmp_path / name / "more").mkdir(parents=True)
        for i in range(count):
            place = tmp_path / name / ("more" if i % 2 else "")
            (place / f"{i}.txt").write_text(f"{name} {i} ü", encoding="utf-8")
    (tmp_path / "good" / "notes.md").write_text("no text")
    (tmp_path / ".hidden").mkdir()
    return tmp_path


def write_sound(path, samples, rate=8000, width=2):
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as sound:
        sound.setparams((samples.shape[1], width, rate, 0, "NONE", ""))
        whole = numpy.round(samples * (2.0 ** (8 * width - 1) - 1)).astype("<i4")
        raw = whole.view("u1").reshape(*whole.shape, 4)[..., :width]
        if width == 1:
            raw = raw + numpy.uint8(128)
        sound.writeframes(raw.tobytes())


def flat(data):
    batches = list(data)
    return [str(t) for x, _ in batches for t in x], [y for _, ys in batches for y in ys.tolist()]


def test_texts_come_by_class_and_place_with_their_labels(texts, capsys):
    data = text_dataset_from_directory(texts, shuffle=False, batch_size=4)
    found, labels = flat(data)
    order = [0, 2, 1, 3], [0, 2, 4, 1, 3, 5]
    assert found == [f"{n} {i} ü" for n, o in zip(("bad", "good"), order, strict=True) for i in o]
    assert labels == [0] * 4 + [1] * 6
    assert data.class_names == ["bad", "good"]
    assert [len(y) for _, y in data] == [4, 4, 2]
    assert capsys.readouterr().out == "Found 10 files of 2 classes.\n"
    ((x, y), *_) = data
    assert (x.dtype.kind, y.dtype) == ("U", "int32")


@pytest.mark.parametrize(
    ("options", "label"),
    [
        ({"label_mode": "categorical"}, [0.0, 1.0]),
        ({"label_mode": "binary"}, [1.0]),
        ({"class_names": ["good"]}, 0),
        ({"class_names": ["good", "bad"]}, 0),
        ({"labels": list(range(10))}, None),
    ],
)
def test_labels_of_each_kind(options, label, texts):
    found, labels = flat(text_dataset_from_directory(texts, shuffle=False, **options, **SILENT))
    place = found.index("good 0 ü")
    assert labels[place] == (place if label is None else label)


def test_without_labels_and_batches_and_cut_off(texts):
    for options in ({"labels": None}, {"label_mode": None}):
        data = text_dataset_from_directory(
            texts, shuffle=False, batch_size=None, max_length=3, **options, **SILENT
        )
        assert {str(text) for text in data} == {"bad", "goo"}
    assert len(list(data)) == 10


def test_another_order_each_epoch_and_parts_that_share_nothing(texts):
    data = text_dataset_from_directory(texts, seed=3, **SILENT)
    orders = []
    for epoch in (0, 1):
        data.set_epoch(epoch)
        orders.append(flat(data)[0])
    assert orders[0] != orders[1]
    assert sorted(orders[0]) == sorted(orders[1])
    found, labels = flat(data)
    assert [text.startswith("good") for text in found] == [bool(y) for y in labels]
    options = {"validation_split": 0.3, "seed": 3, **SILENT}
    both = text_dataset_from_directory(texts, subset="both", **options)
    parts = [set(flat(part)[0]) for part in both]
    assert [len(part) for part in parts] == [7, 3]
    assert not parts[0] & parts[1]
    for subset, part in zip(("training", "validation"), parts, strict=True):
        assert set(flat(text_dataset_from_directory(texts, subset=subset, **options))[0]) == part


@pytest.mark.parametrize("width", [1, 2, 3, 4])
def test_sounds_of_each_width_are_from_minus_one_to_one(width, tmp_path):
    samples = numpy.stack([numpy.linspace(-1, 1, 9), numpy.linspace(0.5, 0, 9)], 1)
    write_sound(tmp_path / "a" / "1.wav", samples, width=width)
    ((x, y),) = audio_dataset_from_directory(tmp_path, **SILENT)
    assert (x.shape, x.dtype, y.tolist()) == ((1, 9, 2), "float32", [0])
    numpy.testing.assert_allclose(x[0], samples, atol=2.0 ** (2 - 8 * min(width, 3)))


def test_short_sounds_are_filled_and_long_ones_cut(tmp_path):
    for i, count in enumerate((5, 8)):
        write_sound(tmp_path / "a" / f"{i}.wav", numpy.full((count, 1), 0.5))
    for length, expected in ((None, [5, 8]), (6, [5, 6]), (10, [5, 8])):
        ((x, _),) = audio_dataset_from_directory(
            tmp_path, shuffle=False, output_sequence_length=length, **SILENT
        )
        assert x.shape == (2, length or 8, 1)
        assert (x[..., 0] > 0).sum(1).tolist() == expected


@pytest.mark.parametrize("rate", [4000, 12000, 7000])
def test_a_tone_stays_itself_at_another_rate(rate, tmp_path):
    def tone(rate):
        return 0.5 * numpy.sin(2 * numpy.pi * 500 * numpy.arange(rate // 50) / rate)[:, None]

    write_sound(tmp_path / "a" / "1.wav", tone(8000))
    ((x, _),) = audio_dataset_from_directory(tmp_path, sampling_rate=rate, **SILENT)
    numpy.testing.assert_allclose(x[0], tone(rate), atol=1e-3)


def test_a_model_learns_which_tone_it_hears(tmp_path):
    for name, pitch in (("high", 2000), ("low", 300)):
        for i in range(6):
            samples = numpy.sin(2 * numpy.pi * (pitch + 10 * i) * numpy.arange(256) / 8000)
            write_sound(tmp_path / name / f"{i}.wav", 0.5 * samples[:, None])
    data = audio_dataset_from_directory(tmp_path, label_mode="binary", seed=1, **SILENT)
    spectrogram = STFTSpectrogram(
        frame_length=64, mode="magnitude", data_format="channels_last", trainable=False
    )
    model = Sequential([spectrogram, GlobalAveragePooling1D(), Dense(1, "sigmoid")])
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    model.optimizer.learning_rate = 0.05
    model.fit(data, epochs=30, verbose=0)
    assert model.evaluate(data, verbose=0)[1] == 1.0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"labels": "given"}, "'inferred', None or one for each file"),
        ({"labels": [1, 2]}, "got 2 for 10 files"),
        ({"labels": None, "class_names": ["bad"]}, "labels='inferred' only"),
        ({"label_mode": "one"}, "label_mode: got 'one'"),
        ({"class_names": ["ugly"]}, r"\['ugly'\].* has \['bad', 'good'\]"),
        ({"class_names": ["bad"], "label_mode": "binary"}, "needs two classes"),
        ({"validation_split": 0.2}, "give both, or neither"),
        ({"validation_split": 0.2, "subset": "both"}, "give a seed"),
        ({"validation_split": 2.0, "subset": "both", "seed": 1}, "between 0 and 1"),
        ({"validation_split": 0.01, "subset": "both", "seed": 1}, "nothing for validation"),
        ({"max_length": 0}, "max_length"),
    ],
)
def test_what_is_wrong_is_said(options, words, texts):
    with pytest.raises(ValueError, match=words):
        text_dataset_from_directory(texts, **options, **SILENT)


def test_what_is_wrong_with_sounds_is_said(texts):
    with pytest.raises(ValueError, match=r"has no \.wav files in folders"):
        audio_dataset_from_directory(texts)
    with pytest.raises(ValueError, match="expected a folder"):
        audio_dataset_from_directory(texts / "nowhere")
    with pytest.raises(ValueError, match="ragged"):
        audio_dataset_from_directory(texts, ragged=True)
    with pytest.raises(ValueError, match="sampling_rate"):
        audio_dataset_from_directory(texts, sampling_rate=0)
    (texts / "bad" / "1.wav").write_bytes(b"RIFF")
    with pytest.raises(ValueError, match=r"1\.wav: not a WAV file"):
        list(audio_dataset_from_directory(texts, **SILENT))
