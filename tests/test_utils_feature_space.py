"""Columns of tables as features: Keras' results, data sets, models, files, and what is wrong."""

from __future__ import annotations

import json
import pathlib

import keras_feature_space
import numpy
import pytest
from keras_feature_space import SPACES, TABLE, arrays_of, space_of, table_of

from minpy.data import Dataset
from minpy.layers import Dense, Lambda
from minpy.models import Model
from minpy.utils import FeatureSpace

STORED = json.loads(pathlib.Path(keras_feature_space.__file__).with_suffix(".json").read_text())
ALL = (
    {"age": "float_normalized", "income": "float_discretized", "rooms": "integer_categorical",
     "city": "string_categorical"},
    {"num_discretization_bins": 3, "crosses": [["city", "rooms"]], "crossing_dim": 7},
)  # fmt: skip


def adapted(described):
    space = space_of(FeatureSpace, described)
    space.adapt(table_of(described))
    return space


@pytest.mark.parametrize("number", range(len(SPACES)))
def test_features_are_those_of_keras(number):
    space = adapted(SPACES[number])
    found = arrays_of(space(table_of(SPACES[number])))
    assert list(found) == list(STORED["cases"][number])
    for name, expected in STORED["cases"][number].items():
        numpy.testing.assert_allclose(found[name], expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("batched", [False, True])
def test_data_sets_teach_what_tables_do(batched, tmp_path):
    expected = adapted(ALL)(TABLE).asnumpy()
    data = Dataset.from_arrays(TABLE)
    space = space_of(FeatureSpace, ALL)
    space.adapt(data.batch(4) if batched else data)
    numpy.testing.assert_allclose(space(TABLE).asnumpy(), expected, rtol=1e-6)
    rows = [numpy.asarray(space(row)) for row in data]
    numpy.testing.assert_allclose(rows, expected, rtol=1e-6)
    batches = [numpy.asarray(batch) for batch in data.batch(4).map(space)]
    numpy.testing.assert_allclose(numpy.concatenate(batches), expected, rtol=1e-6)


@pytest.mark.parametrize("described", [*SPACES, ALL])
def test_a_file_keeps_what_was_learnt(described, tmp_path):
    space = adapted(described)
    space.save(tmp_path / "space.json")
    again = FeatureSpace.load(tmp_path / "space.json")
    assert again.get_config() == space.get_config()
    table = {name: column[:2] for name, column in table_of(described).items()}
    for name, part in arrays_of(again(table)).items():
        numpy.testing.assert_array_equal(part, arrays_of(space(table))[name])


def test_a_model_learns_from_features():
    space = adapted(ALL)
    features = space.get_encoded_features()
    assert features.shape == (None, space(TABLE).shape[1])
    model = Model(features, Dense(1, "sigmoid")(features))
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    model.optimizer.learning_rate = 0.1
    target = (TABLE["city"] == "Bern").astype("float32")
    data = Dataset.from_arrays((TABLE, target)).batch(3).map(lambda x, y: (space(x), y))
    model.fit(data, epochs=40, verbose=0)
    assert model.evaluate(data, verbose=0)[1] == 1.0


def test_features_apart_are_inputs_by_name():
    space = adapted(SPACES[-1])
    inputs, found = space.get_encoded_features(), space(table_of(SPACES[-1]))
    assert sorted(inputs) == sorted(found) == ["age", "city", "city_X_rooms", "rooms"]
    for name, array in found.items():
        assert inputs[name].shape[1:] == array.shape[1:]
    prepared = space.get_preprocessed_features(table_of(SPACES[-1]))
    assert prepared["city"].shape == (6, 1)
    assert prepared["city"].ravel().tolist() == [1, 2, 1, 3, 2, 1]


def test_unknown_categories_have_a_place_of_their_own():
    space = adapted(({"city": "string_categorical"}, {}))
    assert space({"city": "Oslo"}).tolist() == [1.0, 0.0, 0.0, 0.0]


def test_columns_that_have_nothing_to_learn_need_no_data():
    space = FeatureSpace({"a": "float", "b": "string_hashed"}, hashing_dim=3)
    assert space({"a": [1.0], "b": ["x"]}).shape == (1, 4)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: FeatureSpace({}), "expected features"),
        (lambda: FeatureSpace({"a": "number"}), "feature 'a': expected one of 'float'"),
        (lambda: FeatureSpace({"a": "float"}, output_mode="list"), "'concat', 'dict'"),
        (lambda: FeatureSpace({"a": "float"}, crosses=[["a", "b"]]), "two or more of the features"),
        (lambda: FeatureSpace.cross(["a", "b"], 3, "float"), "'int', 'one_hot'"),
        (lambda: FeatureSpace({"a": "float_normalized"})({"a": [1.0]}), "call adapt"),
        (lambda: FeatureSpace({"a": "float"})({"b": [1.0]}), r"columns \['a'\] too"),
        (lambda: FeatureSpace({"a": "float"})([1.0]), "dict of columns"),
        (lambda: FeatureSpace({"a": "float"}).adapt([1.0]), "Dataset of such dicts"),
        (
            lambda: FeatureSpace({"a": "float"}).adapt(Dataset.from_arrays(({"a": [1.0]}, [1]))),
            "without targets",
        ),
        (
            lambda: FeatureSpace({"a": FeatureSpace.integer_hashed(3, "int")})({"a": [1]}),
            "can't be joined",
        ),
        (
            lambda: FeatureSpace({"a": FeatureSpace.feature("int32", Lambda(abs), "one_hot")})(
                {"a": [1]}
            ),
            "isn't known|whole numbers",
        ),
    ],
)
def test_what_is_wrong_is_said(call, words):
    with pytest.raises(ValueError, match=words):
        call()
