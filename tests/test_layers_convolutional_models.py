"""Layers of signals, images and volumes in nested functional models: called, saved and loaded."""

from __future__ import annotations

import json
import pathlib

import numpy
import pytest
from keras_convolutional import numbers

import minpy
from minpy import layers
from minpy.models import Model, load_model

HERE = pathlib.Path(__file__).parent


def first_of_each_kind():
    """Return the first case of each kind of layer that Keras was asked for."""
    found = {}
    for topic, key in [
        ("convolutional", "cases"),
        ("pooling", "cases"),
        ("reshaping", "cases"),
        ("preprocessing", "images"),
    ]:
        for case in json.loads((HERE / f"keras_{topic}.json").read_text())[key]:
            if len(case["shape"]) > 1 and numpy.prod(case["output"]["shape"][1:]) > 0:
                found.setdefault(case["kind"], case)
    return list(found.values())


CASES = first_of_each_kind()


def test_there_is_a_case_of_each_kind_of_layer():
    kinds = {case["kind"] for case in CASES}
    assert len(kinds) == 48
    assert {"Conv1D", "Conv3DTranspose", "SeparableConv2D", "AdaptiveMaxPooling3D"} <= kinds


@pytest.mark.parametrize("case", CASES, ids=[case["kind"] for case in CASES])
def test_a_layer_in_a_nested_functional_model_is_saved_and_loaded(case, tmp_path):
    minpy.random.seed(0)
    shape = tuple(case["shape"][1:])
    inside = layers.Input(shape)
    inner = Model(inside, getattr(layers, case["kind"])(**case["settings"])(inside), name="inner")
    outside = layers.Input(shape)
    y = layers.Dense(2)(layers.Flatten()(inner(outside)))
    model = Model(outside, y)
    x = numbers((3, *shape))
    expected = model.predict(x, verbose=0)
    assert inner.output_shape == (None, *case["output"]["shape"][1:])
    again = type(model).from_config(model.get_config())
    again.set_weights(model.get_weights())
    numpy.testing.assert_array_equal(again.predict(x, verbose=0), expected)
    model.save(tmp_path / "model.h5")
    loaded = load_model(tmp_path / "model.h5")
    numpy.testing.assert_array_equal(loaded.predict(x, verbose=0), expected)


@pytest.mark.parametrize("case", CASES, ids=[case["kind"] for case in CASES])
def test_a_layer_in_float64_stays_in_it_and_agrees(case):
    minpy.random.seed(0)
    x = numbers(case["shape"], seed=1)
    single = getattr(layers, case["kind"])(**case["settings"])
    y = numpy.asarray(single(x))
    double = getattr(layers, case["kind"])(**case["settings"], dtype="float64")
    double(x.astype("float64"))
    double.set_weights(single.get_weights())
    found = numpy.asarray(double(x.astype("float64")))
    assert found.dtype == "float64"
    numpy.testing.assert_allclose(y, found, rtol=1e-5, atol=1e-5)
