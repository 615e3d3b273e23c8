"""Names, order, shapes and summaries of models are Keras'."""

from __future__ import annotations

import json
import types

import pytest
from keras_models import EXPECTED, MODELS, describe

import minpy.numpy as np
from minpy import layers, models
from minpy.models import Model, ModelBase, Sequential

API = types.SimpleNamespace(
    **{
        name: getattr(layers, name)
        for name in ("Activation", "BatchNormalization", "Dense", "Dropout", "Input")
    },
    Model=models.Model,
    Sequential=models.Sequential,
    concatenate=np.concatenate,
)
KERAS = json.loads(EXPECTED.read_text())


@pytest.mark.parametrize("make", MODELS, ids=lambda make: make.__name__)
def test_a_model_is_described_as_keras_describes_it(make):
    found = json.loads(json.dumps(describe(make(API))))
    expected = KERAS[make.__name__]
    for mine, theirs in zip(found.pop("summaries"), expected.pop("summaries"), strict=True):
        assert "\n".join(mine) == "\n".join(theirs)
    assert found == expected


def test_a_range_of_layers():
    lines = []
    model = Sequential([layers.Dense(2, name=name) for name in ("a", "b", "c", "d")])
    model.build((None, 3))
    model.summary(print_fn=lines.append, layer_range=("c", "b"))
    text = "\n".join(lines)
    assert "b (Dense)" in text and "c (Dense)" in text
    assert "a (Dense)" not in text and "d (Dense)" not in text
    with pytest.raises(ValueError, match="no layer matches 'e'"):
        model.summary(layer_range=("a", "e"))


def test_parameters_of_the_models_own_are_rows():
    class Line(ModelBase):
        def __init__(self):
            super().__init__()
            self.add_param("w", (3, 2))

    lines = []
    Line().summary(print_fn=lines.append)
    assert any("w (Parameter)" in line and "(3, 2)" in line and " 6 " in line for line in lines)


def test_a_line_that_is_too_narrow():
    model = Sequential([layers.Dense(2, input_shape=(3,))])
    with pytest.raises(ValueError, match="too narrow"):
        model.summary(line_length=8)
    with pytest.raises(ValueError, match="expected 3 positions"):
        model.summary(positions=[0.5, 1.0])


def test_a_model_of_ones_own_is_built_from_a_shape():
    class Net(Model):
        def __init__(self):
            super().__init__()
            self.hidden, self.out = layers.Dense(4), layers.Dense(2)

        def call(self, x):
            return self.out(self.hidden(x))

    model = Net()
    model.build((None, 3))
    assert [w.path for w in model.weights] == [
        "hidden/kernel",
        "hidden/bias",
        "out/kernel",
        "out/bias",
    ]
    assert model.get_layer("out").output_shape == (None, 2)
