"""Preprocessing layers: Keras' numbers and vocabularies, saving, compiled models, bad input."""

from __future__ import annotations

import json
import pathlib

import numpy
import pytest

import minpy
from minpy import layers, runtime
from minpy.errors import ShapeError
from minpy.layers import serialization
from minpy.models import Sequential, load_model
from minpy.optimizers import SGD

EXPECTED = json.loads(pathlib.Path(__file__).with_name("keras_preprocessing.json").read_text())
LOOKUPS, NUMBERS = EXPECTED["lookups"], EXPECTED["numbers"]


def names(cases):
    return [f"{c['kind']}-{i}" for i, c in enumerate(cases)]


def array(stored):
    return numpy.array(stored["values"], "float32").reshape(stored["shape"])


def looking_up(case):
    layer = getattr(layers, case["kind"])(**case["settings"])
    if case["adapt"] is not None:
        layer.adapt(numpy.array(case["adapt"]))
    return layer


def output(layer, inputs):
    found = layer(inputs)
    return found if isinstance(found, numpy.ndarray) else numpy.asarray(found)


# --- lookups, texts, hashes -----------------------------------------------------------------------


@pytest.mark.parametrize("case", LOOKUPS, ids=names(LOOKUPS))
def test_lookups_texts_and_hashes_are_those_of_keras(case):
    layer = looking_up(case)
    if "vocabulary" in case:
        assert layer.get_vocabulary() == case["vocabulary"]
    found, expected = output(layer, case["inputs"]), numpy.array(case["output"])
    if expected.dtype.kind == "f":
        numpy.testing.assert_allclose(found, expected, rtol=1e-6)
    else:
        numpy.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("case", LOOKUPS, ids=names(LOOKUPS))
def test_configurations_hold_the_vocabulary(case):
    layer = looking_up(case)
    again = serialization.deserialize(json.loads(json.dumps(serialization.serialize(layer))))
    assert again.get_config() == layer.get_config()
    numpy.testing.assert_array_equal(output(again, case["inputs"]), output(layer, case["inputs"]))


def test_batches_are_counted_together():
    whole, parts = layers.TextVectorization(), layers.TextVectorization()
    texts = ["a b c", "b c", "c", "d d d d"]
    whole.adapt(numpy.array(texts))
    parts.adapt(numpy.array(texts[i : i + 2]) for i in (0, 2))
    assert parts.get_vocabulary() == whole.get_vocabulary() == ["", "[UNK]", "d", "c", "b", "a"]
    parts.adapt((numpy.array(texts[i : i + 2]) for i in (0, 2)), steps=1)
    assert parts.get_vocabulary() == ["", "[UNK]", "c", "b", "a"]


def test_texts_may_be_split_and_cleaned_by_functions():
    layer = layers.TextVectorization(
        standardize=numpy.char.lower, split=lambda texts: [text.split(",") for text in texts]
    )
    layer.adapt(["Ä,b", "ä"])
    assert layer.get_vocabulary() == ["", "[UNK]", "ä", "b"]
    with pytest.raises(ValueError, match="standardize is a function, which no configuration holds"):
        layer.get_config()


def test_bytes_objects_and_single_strings_are_texts_too():
    layer = layers.StringLookup(vocabulary=["ä", "b"])
    for given in (["ä".encode(), b"b"], numpy.array(["ä", "b"], object), ["ä", "b"]):
        assert layer(given).tolist() == [1, 2]
    assert layers.StringLookup(vocabulary=["a"])("a").tolist() == 1


def test_a_vocabulary_may_come_from_a_file(tmp_path):
    file = tmp_path / "words.txt"
    file.write_text("fox\ndog\n")
    layer = layers.StringLookup(vocabulary=str(file))
    file.unlink()  # the layer holds the words, not the path
    again = layers.StringLookup.from_config(layer.get_config())
    assert again(["dog", "cat"]).tolist() == [2, 0]


def test_going_there_and_back_gives_the_same_strings():
    words = ["c", "a", "b"]
    there = layers.StringLookup(vocabulary=words)
    back = layers.StringLookup(vocabulary=there.get_vocabulary(), invert=True)
    assert back(there(["b", "c", "?"])).tolist() == ["b", "c", "[UNK]"]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: layers.StringLookup(vocabulary=["a", "a"]), "expected each token once"),
        (lambda: layers.StringLookup(vocabulary=["a", "[UNK]"]), "can't be tokens"),
        (lambda: layers.StringLookup(vocabulary=["a", "b"], max_tokens=2), "more than max_tokens"),
        (lambda: layers.StringLookup(vocabulary=[]), "expected a vocabulary with tokens"),
        (lambda: layers.StringLookup(max_tokens=1), "max_tokens from 2"),
        (lambda: layers.StringLookup(pad_to_max_tokens=True), "needs max_tokens"),
        (lambda: layers.StringLookup(output_mode="ints"), "output_mode: expected 'int' or"),
        (lambda: layers.StringLookup(invert=True, output_mode="count"), "invert goes with"),
        (lambda: layers.StringLookup(vocabulary=["a"], idf_weights=[1.0]), "idf_weights go with"),
        (lambda: layers.StringLookup(sparse=True), "no sparse"),
        (lambda: layers.IntegerLookup(salt=3), "a salt goes with"),
        (lambda: layers.TextVectorization(split="words"), "expected split as"),
        (lambda: layers.TextVectorization(ngrams=0), "expected ngrams"),
        (
            lambda: layers.TextVectorization(output_mode="count", output_sequence_length=4),
            "expected output_sequence_length",
        ),
        (lambda: layers.Hashing(0), "num_bins: expected a positive integer"),
        (lambda: layers.Hashing(3, salt=(1, 2, 3)), "one or two integers"),
    ],
)
def test_settings_that_make_no_sense_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: layers.StringLookup()(["a"]), ValueError, "no vocabulary yet; call adapt"),
        (lambda: layers.StringLookup(vocabulary=["a"])([1]), TypeError, "expected strings, got 1"),
        (
            lambda: layers.StringLookup(vocabulary=["a"], num_oov_indices=0)(["b"]),
            ValueError,
            r"\['b'\] aren't in the vocabulary; set num_oov_indices=1",
        ),
        (lambda: layers.IntegerLookup(vocabulary=[1])([1.5]), TypeError, "expected integers"),
        (
            lambda: layers.StringLookup(vocabulary=["a"], invert=True)(["a"]),
            TypeError,
            "it expects integers",
        ),
        (lambda: layers.TextVectorization().adapt([]), ValueError, "given no data"),
        (
            lambda: layers.TextVectorization(vocabulary=["a"])([["a", "b"]]),
            ValueError,
            r"shape \(batch,\) or \(batch, 1\), got \(1, 2\)",
        ),
        (lambda: layers.HashedCrossing(3)(["a"]), ValueError, "at least two features"),
        (lambda: layers.HashedCrossing(3)((["a"], [1, 2])), ShapeError, "features of one shape"),
        (
            lambda: layers.StringLookup(vocabulary=["a"])(layers.Input((1,))),
            TypeError,
            "call it on the data first",
        ),
    ],
)
def test_data_that_does_not_fit_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()


# --- numbers --------------------------------------------------------------------------------------


def computing(case):
    layer = getattr(layers, case["kind"])(**case["settings"])
    if case["adapt"] is not None:
        layer.adapt(array(case["adapt"]))
    return layer


@pytest.mark.parametrize("case", NUMBERS, ids=names(NUMBERS))
def test_computed_numbers_are_those_of_keras(case):
    layer, expected = computing(case), array(case["output"])
    x = array(case["inputs"])
    found = layer(x)
    assert layer.compute_output_shape(x.shape) == expected.shape
    numpy.testing.assert_allclose(numpy.asarray(found), expected, rtol=2e-5, atol=1e-5)
    if "bin_boundaries" in case:
        numpy.testing.assert_allclose(layer.bin_boundaries, case["bin_boundaries"], rtol=1e-6)


@pytest.mark.parametrize("case", NUMBERS, ids=names(NUMBERS))
def test_configurations_and_weights_make_equal_layers(case):
    layer, x = computing(case), array(case["inputs"])
    before = numpy.asarray(layer(x))
    again = serialization.deserialize(json.loads(json.dumps(serialization.serialize(layer))))
    assert again.get_config() == layer.get_config()
    again._build_once((None, *x.shape[1:]))
    again.set_weights(layer.get_weights())
    numpy.testing.assert_array_equal(numpy.asarray(again(x)), before)


# An integer output, and one whose samples lie along axis 0, have no place in a model.
INSIDE = [
    c
    for c in NUMBERS
    if c["kind"] != "CategoryEncoding"
    and 0.0 not in numpy.ravel(c["settings"].get("variance", 1.0))
]


@pytest.mark.skipif(not runtime.available(), reason="graphs are MXNet's")
@pytest.mark.parametrize("case", INSIDE, ids=names(INSIDE))
def test_layers_in_a_model_compile_and_are_saved_with_it(case, tmp_path):
    x, expected = array(case["inputs"]), array(case["output"])

    def run(jit):
        minpy.random.seed(0)
        layer = computing(case)
        whole = layer.get_config().get("output_mode") == "int"
        behind = [layers.Embedding(6, 2)] if whole else []
        model = Sequential([layer, *behind, layers.Flatten(), layers.Dense(1)])
        model.compile(SGD(0.01), "mse", jit=jit)
        y = numpy.ones((len(x), 1), "float32")
        return model.fit(x, y, len(x), 3, verbose=0, shuffle=False).history["loss"], model

    eager, _ = run(False)
    compiled, model = run("auto")
    assert model.jit_status == "compiled"
    numpy.testing.assert_allclose(compiled, eager, rtol=1e-5)
    model.save(tmp_path / "model.h5")
    again = load_model(tmp_path / "model.h5")
    numpy.testing.assert_allclose(again.predict(x), model.predict(x), rtol=1e-6)
    found = numpy.asarray(again.layers[0](x))
    numpy.testing.assert_allclose(found, expected, rtol=2e-5, atol=1e-5)


@pytest.mark.skipif(not runtime.available(), reason="graphs are MXNet's")
@pytest.mark.parametrize("mode", ["one_hot", "multi_hot", "count"])
def test_category_rows_in_a_model_compile(mode):
    x = numpy.array([[0, 1], [2, 2], [3, 0]])

    def run(jit):
        minpy.random.seed(0)
        model = Sequential(
            [layers.CategoryEncoding(4, mode), layers.Flatten(), layers.Dense(1)],
        )
        model.compile(SGD(0.01), "mse", jit=jit)
        y = numpy.ones((3, 1), "float32")
        return model.fit(x, y, 3, 3, verbose=0, shuffle=False).history["loss"], model

    eager, _ = run(False)
    compiled, model = run("auto")
    assert model.jit_status == "compiled"
    numpy.testing.assert_allclose(compiled, eager, rtol=1e-5)


def test_statistics_of_batches_are_those_of_the_whole():
    x = numpy.random.default_rng(0).normal(5, 3, (1000, 4)).astype("float32")
    whole, parts = layers.Normalization(), layers.Normalization()
    whole.adapt(x)
    parts.adapt(x[i : i + 300] for i in range(0, 1000, 300))
    for a, b in zip(whole.get_weights(), parts.get_weights(), strict=True):
        numpy.testing.assert_allclose(a, b, rtol=1e-6)
    numpy.testing.assert_allclose(whole.get_weights()[0], x.mean(0), rtol=1e-6)
    numpy.testing.assert_allclose(whole.get_weights()[1], x.var(0), rtol=1e-5)
    pairs = layers.Normalization()
    pairs.adapt([(x[:500], None), (x[500:], None)])
    numpy.testing.assert_allclose(pairs.get_weights()[0], x.mean(0), rtol=1e-6)


def test_bins_hold_equally_many_elements():
    x = numpy.random.default_rng(0).exponential(size=10_000)
    layer = layers.Discretization(num_bins=8)
    layer.adapt(x[i : i + 1000] for i in range(0, 10_000, 1000))
    counts = numpy.bincount(numpy.asarray(layer(x)).ravel(), minlength=8)
    assert abs(counts / 10_000 - 1 / 8).max() < 0.02  # epsilon at both ends


def test_categories_count_as_much_as_their_weights_say():
    layer = layers.CategoryEncoding(3, "count")
    found = layer([[0, 1, 1]], count_weights=numpy.array([[0.5, 2.0, 1.0]]))
    assert found.tolist() == [[0.5, 3.0, 0.0]]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: layers.Normalization(mean=1.0), ValueError, "expected both mean and variance"),
        (lambda: layers.Normalization(axis=0), ValueError, "not the batch axis"),
        (lambda: layers.Normalization(mean=0.0, variance=-1.0), ValueError, "can't be negative"),
        (
            lambda: layers.Normalization(mean=0.0, variance=1.0).adapt(numpy.ones((2, 2))),
            ValueError,
            "so it can't adapt",
        ),
        (lambda: layers.Normalization(axis=3)(numpy.ones((2, 3))), ShapeError, "is no axis"),
        (
            lambda: layers.Normalization(mean=[1.0, 2.0], variance=[1.0, 2.0])(numpy.ones((2, 3))),
            ShapeError,
            "don't fit an input of shape",
        ),
        (lambda: layers.Discretization(), ValueError, "either bin_boundaries, or num_bins"),
        (lambda: layers.Discretization([1.0, 0.0]), ValueError, "boundaries that increase"),
        (lambda: layers.Discretization(num_bins=3)([1.0]), ValueError, "call adapt on data first"),
        (lambda: layers.CategoryEncoding(3)([[0, 3]]), ValueError, "numbers from 0 to 2, got 0 to"),
        (
            lambda: layers.CategoryEncoding(3)([[0]], count_weights=[[1.0]]),
            ValueError,
            "count_weights are for output_mode='count'",
        ),
        (
            lambda: layers.Rescaling([1.0, 2.0])(numpy.ones((2, 3))),
            ShapeError,
            "don't fit the last",
        ),
    ],
)
def test_numbers_that_do_not_fit_are_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()
