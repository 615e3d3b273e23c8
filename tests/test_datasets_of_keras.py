"""Keras' data sets from small files in their official formats: Keras' results, checks, fetching."""

from __future__ import annotations

import io
import json
import pathlib

import keras_datasets
import numpy
import pytest
from keras_datasets import CALLS, arrays, plain
from official_files_server import (
    _number,
    _string,
    official,
    python2_array,
    serving,
    tar_bytes,
)

from minpy import datasets
from minpy.datasets.official_files import SOURCES, OfficialFile, Source
from minpy.errors import DatasetError

STORED = json.loads(pathlib.Path(keras_datasets.__file__).with_suffix(".json").read_text())
PREPARED = ("imdb", "reuters", "boston_housing", "california_housing")
WORDS = {"the": 1, "film": 2}


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setenv("MINPY_DATA", str(tmp_path / "cache"))
    return tmp_path / "cache"


def npz_bytes(**stored):
    target = io.BytesIO()
    numpy.savez(target, **stored)
    return target.getvalue()


@pytest.fixture
def server(monkeypatch):
    """A server with small files, which the table of official files describes."""
    files = {f"{name}.npz": npz_bytes(**arrays(name)) for name in PREPARED}
    indices = {f"{name}_word_index.json": json.dumps(WORDS).encode() for name in PREPARED[:2]}
    with serving({**files, **indices}) as server:
        for name in PREPARED:
            own = {n: c for n, c in server.files.items() if n.startswith(name)}
            # As in the real table, the size isn't known.
            known = [OfficialFile(f.name, sha256=f.sha256) for f in official(own)]
            monkeypatch.setitem(SOURCES, name, Source((server.url,), tuple(known)))
        yield server


def hundred(rows):
    """Return CIFAR-100's two batches as its authors pickled them, and what is in them."""
    random = numpy.random.default_rng(5)
    batches, contents = {}, {}
    for name, count in (("train", rows), ("test", 3)):
        images = random.integers(0, 256, (count, 3, 32, 32), numpy.uint8)
        fine, coarse = random.integers(0, 100, count), random.integers(0, 20, count)
        items = [
            _string("filenames") + b"](" + b"".join(_string(f"{i}.png") for i in fine) + b"e",
            _string("batch_label") + _string("training batch 1 of 1"),
            _string("fine_labels") + b"](" + b"".join(_number(int(n)) for n in fine) + b"e",
            _string("coarse_labels") + b"](" + b"".join(_number(int(n)) for n in coarse) + b"e",
            _string("data") + python2_array(images.reshape(count, -1)),
        ]
        batches[name] = b"\x80\x02}(" + b"".join(items) + b"u."
        contents[name] = {"images": images, "fine": fine, "coarse": coarse}
    return tar_bytes(batches, folder="cifar-100-python/"), contents


@pytest.mark.parametrize("number", range(len(CALLS)))
def test_texts_and_prices_are_those_of_keras(number, server, cache):
    name, options = CALLS[number]
    found = getattr(datasets, name)(**options)
    for split, expected in zip(found, STORED["cases"][number], strict=True):
        for array, stored in zip(split, expected, strict=True):
            assert plain(array) == stored
    assert [file.name for file in (cache / name).iterdir()] == [f"{name}.npz"]
    again = getattr(datasets, name).load_data(**options)
    assert plain(again[0][0]) == plain(found[0][0])
    assert len(server.requests) == 1


def test_texts_are_objects_and_prices_numbers(server):
    (x, y), _ = datasets.imdb()
    assert (x.dtype, y.dtype, type(x[0])) == (object, "int64", list)
    (x, y), _ = datasets.boston_housing()
    assert (x.dtype, x.shape[1], y.dtype) == ("float64", 13, "float64")


def test_words_and_topics(server, cache):
    for load in (datasets.imdb, datasets.reuters):
        assert load.get_word_index() == load.get_word_index() == WORDS
    assert len(server.requests) == 2
    names = datasets.reuters.get_label_names()
    assert (len(names), names[0], names[3], names[45]) == (46, "cocoa", "earn", "lead")


@pytest.mark.parametrize("way", ["file", "folder", "name"])
def test_a_file_that_is_there_is_read(way, server, cache, tmp_path):
    folder = cache / "reuters" if way == "name" else tmp_path / "mine"
    folder.mkdir(parents=True)
    (folder / "reuters.npz").write_bytes(server.files["reuters.npz"])
    path = {"file": folder / "reuters.npz", "folder": folder, "name": "reuters.npz"}[way]
    (x, _), _ = datasets.reuters(path)
    assert plain(x) == STORED["cases"][5][0][0]
    assert server.requests == []


@pytest.mark.parametrize("name", PREPARED)
def test_another_file_is_not_even_opened(name, server, tmp_path):
    class Harmful:
        def __reduce__(self):
            return (open, (str(tmp_path / "made"), "w"))

    bad = numpy.array([Harmful()], dtype=object)
    (tmp_path / f"{name}.npz").write_bytes(npz_bytes(x=bad, x_train=bad, x_test=bad))
    with pytest.raises(DatasetError, match=f"isn't the official {name}.npz"):
        getattr(datasets, name)(path=tmp_path)
    assert not (tmp_path / "made").exists()
    server.behaviour = "wrong content"
    with pytest.raises(DatasetError, match=r"SHA-256 is [0-9a-f]{64}, expected"):
        getattr(datasets, name)()


@pytest.mark.parametrize("mode", ["fine", "coarse"])
@pytest.mark.parametrize("layout", ["channels_first", "channels_last"])
def test_cifar100_is_fetched_and_read(mode, layout, cache, monkeypatch):
    archive, contents = hundred(rows=4)
    files = {"cifar-100-python.tar.gz": archive}
    with serving(files) as server:
        monkeypatch.setitem(SOURCES, "cifar100", Source((server.url,), official(files)))
        found = datasets.cifar100(mode, data_format=layout)
        keras = datasets.cifar100.load_data(mode, data_format=layout)
    for split, (_, column), expected in zip(found, keras, contents.values(), strict=True):
        images = expected["images"]
        if layout == "channels_last":
            images = images.transpose(0, 2, 3, 1)
        numpy.testing.assert_array_equal(split[0], images)
        numpy.testing.assert_array_equal(split[1], expected[mode])
        numpy.testing.assert_array_equal(column, expected[mode][:, None])
    assert [file.name for file in (cache / "cifar100").iterdir()] == list(files)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: datasets.cifar100("middle"), "'fine' or 'coarse'"),
        (lambda: datasets.california_housing("tiny"), "'large' or 'small'"),
        (lambda: datasets.boston_housing(test_split=1.0), "from 0 to below 1"),
        (lambda: datasets.reuters(test_split=-0.1), "from 0 to below 1"),
        (lambda: datasets.imdb(maxlen=2), "no text is shorter than maxlen=2"),
    ],
)
def test_what_is_wrong_is_said(call, words, server):
    with pytest.raises(ValueError, match=words):
        call()
