"""Every layer takes what Keras' `Layer` takes: name, dtype, trainable, autocast, a regularizer."""

from __future__ import annotations

import json

import numpy
import pytest
from test_functional_layers import APART, KINDS, case, data_for

import minpy.numpy as np
from minpy import layers, regularizers
from minpy.autograd.containers import flatten
from minpy.initializers import GlorotNormal
from minpy.layers import Dense, Layer
from minpy.layers.serialization import deserialize, serialize
from minpy.models import Sequential

ARGUMENTS = {"name": "own", "dtype": "float32", "trainable": False, "autocast": False}
# Not one whose arguments make the regularizer, nor those that give theirs to the layers inside.
REGULARIZED = [
    kind
    for kind in KINDS
    if kind is not layers.ActivityRegularization and kind.__name__ not in APART
]


@pytest.mark.parametrize("kind", REGULARIZED, ids=lambda kind: kind.__name__)
def test_every_layer_takes_what_the_base_class_takes(kind):
    shapes, options = case(kind.__name__)
    layer = kind(**options, **ARGUMENTS, activity_regularizer=regularizers.L2(0.25))
    assert (layer.name, layer.trainable, layer.autocast) == ("own", False, False)
    assert layer.dtype == numpy.float32
    data = data_for(shapes)
    data = [np.array(x) for x in data] if isinstance(data, list) else np.array(data)
    outputs = flatten(layer(data))[0]
    added = [float(term) for term in layer.losses]
    expected = [0.25 * numpy.square(y.asnumpy()).sum() / y.shape[0] for y in outputs]
    numpy.testing.assert_allclose(added, expected, rtol=1e-5)
    assert not layer.trainable_weights
    again = deserialize(json.loads(json.dumps(serialize(layer))))
    assert again.get_config() == layer.get_config()
    assert again.activity_regularizer.l2 == 0.25


@pytest.mark.parametrize("name", ["IntegerLookup", "StringLookup", "TextVectorization", "Hashing"])
def test_layers_on_data_take_it_too(name):
    options = {"num_bins": 3} if name == "Hashing" else {}
    layer = getattr(layers, name)(**options, name="own", trainable=False, activity_regularizer="l2")
    assert layer.get_config()["activity_regularizer"] == regularizers.serialize(
        regularizers.get("l2")
    )


def test_an_activity_regularizer_is_trained_alike_compiled_and_eagerly():
    x = numpy.linspace(-1, 1, 24, dtype="float32").reshape(8, 3)
    losses = {}
    for jit in (False, "auto"):
        model = Sequential(
            [
                Dense(4, "tanh", kernel_initializer=GlorotNormal(seed=3)),
                layers.LayerNormalization(activity_regularizer="l2"),
                layers.ReLU(activity_regularizer=regularizers.L1(0.1)),
            ]
        )
        model.compile("sgd", "mse", jit=jit)
        losses[jit] = model.fit(x, x @ numpy.ones((3, 4), "float32"), epochs=3, verbose=0).history
    numpy.testing.assert_allclose(losses[False]["loss"], losses["auto"]["loss"], rtol=1e-5)
    assert losses["auto"]["loss"][2] < losses["auto"]["loss"][0]


@pytest.mark.parametrize(
    ("given", "own", "autocast", "got"),
    [
        ("float64", "float32", True, "float32"),
        ("float16", "float32", True, "float32"),
        ("float32", "float64", True, "float64"),
        ("float64", "float32", False, "float64"),
        ("int32", "float32", True, "int32"),
    ],
)
def test_floats_become_the_layers_own_unless_told_otherwise(given, own, autocast, got):
    seen = []

    class Sees(Layer):
        def call(self, x, other=None):
            seen.extend([x["a"].dtype, x["a"]._keras_mask, other.dtype])
            return x["a"] * 2

    x = np.array([[1, 2]], dtype=given)
    x._keras_mask = "mask"
    with pytest.warns(UserWarning, match="mask"):
        Sees(dtype=own, autocast=autocast)({"a": x}, other=np.array([1, 2], dtype=given))
    assert seen == [numpy.dtype(got), "mask", numpy.dtype(got)]


def test_layers_of_several_dtypes_in_a_model_each_take_their_own():
    model = Sequential([Dense(2, dtype="float64"), Dense(1, dtype="float32")])
    x = numpy.linspace(0, 1, 6).reshape(2, 3)
    assert model(np.array(x)).dtype == numpy.float32
    first = model.layers[0]
    out = first(np.array(x))
    assert out.dtype == numpy.float64
    kernel = first.get_weights()[0]
    numpy.testing.assert_allclose(out.asnumpy(), x @ kernel, rtol=1e-14)


def test_input_dim_is_input_shape_of_one_axis():
    model = Sequential([Dense(2, input_dim=3)])
    assert model.built
    assert model.input_shape == (None, 3)


@pytest.mark.parametrize(("kind", "terms"), [("MultiHeadAttention", 4), ("GroupQueryAttention", 5)])
def test_attention_gives_its_activity_regularizer_to_its_projections(kind, terms):
    # How many terms Keras 3.15 has for the same layer.
    shapes, options = case(kind)
    layer = getattr(layers, kind)(**options, activity_regularizer=regularizers.L2(0.25))
    y = layer(*(np.array(x) for x in data_for(shapes))).asnumpy()
    assert len(layer.losses) == terms
    own = 0.25 * numpy.square(y).sum() / len(y)
    numpy.testing.assert_allclose(float(layer.losses[0]), own, rtol=1e-5)
