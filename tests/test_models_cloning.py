"""Copies of models, and models of JSON."""

from __future__ import annotations

import json

import numpy
import pytest

import minpy.numpy as np
from minpy.layers import Activation, BatchNormalization, Dense, Dropout, Input, InputLayer, Layer
from minpy.models import Model, Sequential, clone_model, model_from_json

X = numpy.random.default_rng(0).normal(size=(5, 4)).astype("float32")


def stack():
    return Sequential([Input((4,)), Dense(3, activation="tanh"), BatchNormalization(), Dense(2)])


def graph():
    a, b = Input((4,), name="a"), Input((4,), name="b")
    shared, inner = Dense(3, name="shared"), Sequential([Dense(3, name="in")], name="inner")
    return Model([a, b], {"y": np.concatenate([shared(a), inner(shared(b))], axis=1)})


@pytest.mark.parametrize(("make", "data"), [(stack, X), (graph, [X, 2 * X])])
def test_a_copy_computes_the_same_with_the_same_weights_and_shares_none(make, data):
    model = make()
    copy = clone_model(model)
    assert type(copy) is type(model) and copy.get_config() == model.get_config()
    assert not {id(w) for w in copy.weights} & {id(w) for w in model.weights}
    copy.set_weights(model.get_weights())
    expected, found = model.predict(data, verbose=0), copy.predict(data, verbose=0)
    if isinstance(expected, dict):
        expected, found = expected["y"], found["y"]
    assert (expected == found).all()


def test_a_function_says_what_stands_in_the_place_of_a_layer():
    model = graph()

    def wider(layer):
        if isinstance(layer, Dense):
            return Dense(7, name=layer.name)
        return type(layer).from_config(layer.get_config())

    assert clone_model(model, clone_function=wider).output_shape == {"y": (None, 10)}
    deep = clone_model(model, clone_function=wider, recursive=True)
    assert deep.output_shape == {"y": (None, 14)}
    shared = clone_model(model, clone_function=lambda layer: layer)
    assert {id(w) for w in shared.weights} == {id(w) for w in model.weights}


def test_a_function_may_put_layers_between():
    model = clone_model(
        Model(x := Input((4,)), Dense(2, name="out")(x)),
        call_function=lambda layer, *args, **kwargs: Activation("relu")(layer(*args, **kwargs)),
    )
    assert [type(layer).__name__ for layer in model.layers] == ["InputLayer", "Dense", "Activation"]
    assert model(X).asnumpy().min() >= 0


def test_a_copy_on_other_inputs():
    x = Input((None, 4), name="sequence")
    copy = clone_model(Sequential([Input((6, 4)), Dense(2)]), input_tensors=x)
    assert copy.output_shape == (None, None, 2)
    z = Input((4,), name="z")
    copy = clone_model(graph(), input_tensors=[z, z * 2])
    assert len(copy.inputs) == 2


def test_what_can_not_be_cloned_so():
    class Net(Model):
        def __init__(self, units=3):
            super().__init__()
            self.units = units

        def call(self, x):
            return x

        def get_config(self):
            return {"units": self.units}

    assert clone_model(Net(5)).units == 5
    with pytest.raises(ValueError, match="class of its own"):
        clone_model(Net(), clone_function=lambda layer: layer)
    with pytest.raises(TypeError, match="returned NoneType for the layer 'dense'"):
        clone_model(stack(), clone_function=lambda layer: None)
    with pytest.raises(ValueError, match="one symbolic tensor"):
        clone_model(stack(), input_tensors=[X])


@pytest.mark.parametrize("make", [stack, graph])
def test_a_model_comes_back_from_json(make):
    model = make()
    model.trainable = False
    text = model.to_json()
    again = model_from_json(text)
    assert again.to_json() == text
    assert [w.path for w in again.weights] == [w.path for w in model.weights]
    assert again.trainable_weights == []


def test_a_frozen_layer_stays_frozen():
    model = stack()
    model.layers[0].trainable = False
    again = model_from_json(model.to_json())
    assert [layer.trainable for layer in again.layers] == [False, True, True]


def test_json_that_is_no_model():
    with pytest.raises(ValueError, match="to_json"):
        model_from_json("{")
    with pytest.raises(ValueError, match="class_name"):
        model_from_json("[1]")
    text = json.dumps({"class_name": "Sequantial", "config": {}})
    with pytest.raises(ValueError, match="did you mean 'Sequential'"):
        model_from_json(text)


def test_layers_of_ones_own_come_back_through_custom_objects():
    class Twice(Layer):
        def call(self, x):
            return x * 2

    model = Model(x := Input((4,)), Twice()(Dropout(0.5)(x)))
    with pytest.raises(ValueError, match="unknown class 'Twice'"):
        model_from_json(model.to_json())
    again = model_from_json(model.to_json(), custom_objects={"Twice": Twice})
    assert (again(X).asnumpy() == 2 * X).all()
    assert (clone_model(model)(X).asnumpy() == 2 * X).all()


def test_an_input_keeps_its_settings():
    layer = InputLayer(batch_shape=(3, None, 4), dtype="int32", name="ids")
    again = InputLayer.from_config(layer.get_config())
    assert again.output.shape == (3, None, 4)
    assert (again.output.dtype, again.name) == (numpy.dtype("int32"), "ids")
