"""Twenty steps through layers without weights, activations and losses, as Keras takes them."""

from __future__ import annotations

import json
import pathlib

import keras_training as ask
import numpy
import pytest
from keras_layer_checks import masks_in
from keras_layer_values import called, inputs_of, numbers, options_of, weights_of
from layer_references import NEEDS_MXNET

import minpy.numpy as mnp
from minpy import activations, layers, losses
from minpy.layers import Layer
from minpy.models import Model, Sequential
from minpy.optimizers import SGD

EXPECTED = json.loads(pathlib.Path(ask.__file__).with_suffix(".json").read_text())
# Without MXNet there are no graphs to compare with, only programs.
JIT = [False] if NEEDS_MXNET else ["auto", False]


class Scaled(Layer):
    """Multiplies its input by a weight of its shape, and gives the product to a function."""

    def __init__(self, function, seed=0, **settings):
        super().__init__(**settings)
        self.function, self.seed = function, seed

    def build(self, input_shape):
        self.scale = self.add_weight(shape=input_shape[1:], name="scale")
        self.trainable_weights[0].assign(weights_of([input_shape[1:]] * (self.seed + 1))[self.seed])

    def call(self, x):
        return self.function(x * self.scale)


class Through(Model):
    """A layer, called as a case says, whose inputs are multiplied by weights first."""

    def __init__(self, layer, case, options):
        super().__init__()
        self.layer, self.case, self.options = layer, case, options
        self.scales = [Scaled(lambda x: x, i) for i in range(len(case["shapes"]))]

    def call(self, x):
        x = list(x) if isinstance(x, list | tuple) else [x]
        masks = iter(x[len(self.scales) :])
        options = {
            name: next(masks) if isinstance(value, mnp.ndarray) else value
            for name, value in self.options.items()
        }
        scaled = [scale(part) for scale, part in zip(self.scales, x, strict=False)]
        return called(self.layer, self.case["call"], scaled, options) * 1.0


def trained(model, x, y, jit, rate, loss):
    model.compile(SGD(rate), loss, jit=jit)
    found = []
    for _ in range(ask.STEPS):
        model.reset_metrics()
        value = model.train_on_batch(x, y)
        found.append(value[0] if isinstance(value, list) else value)
    if jit == "auto":
        assert model.jit_status == "compiled", model.jit_status
    return found


def name_of(case):
    return (
        f"{case['kind']}-{json.dumps(case['settings'])}"
        if isinstance(case, dict)
        else f"{case[0]}-{json.dumps(case[1])}"
    )


@pytest.mark.parametrize("jit", JIT)
@pytest.mark.parametrize("case", EXPECTED["layers"], ids=name_of)
def test_a_layer_without_weights_is_trained_through_as_in_keras(case, jit):
    layer = getattr(layers, case["kind"])(**case["settings"])
    options = {
        name: mnp.array(value) if isinstance(value, numpy.ndarray) else value
        for name, value in options_of(case["options"]).items()
    }
    x = [*inputs_of(case), *[numpy.asarray(mask) for mask in masks_in(options)]]
    y = numbers(tuple(case["output_shape"]), seed=10)
    model = Through(layer, case, options)
    rate = ask.RATES.get(case["settings"].get("activation"), ask.RATE)
    found = trained(model, x if len(x) > 1 else x[0], y, jit, rate, "mse")
    numpy.testing.assert_allclose(found, case["losses"], rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize("jit", JIT)
@pytest.mark.parametrize("case", EXPECTED["activations"], ids=name_of)
def test_an_activation_is_trained_through_as_in_keras(case, jit):
    name, arguments, expected = case
    function = getattr(activations, name)
    x = ask.keras_values.activation_points().astype("float32")
    y = numbers(function(mnp.array(x), **arguments).shape, seed=10)
    model = Sequential([Scaled(lambda x: function(x, **arguments))])
    found = trained(model, x, y, jit, ask.RATES.get(name, ask.RATE), "mse")
    numpy.testing.assert_allclose(found, expected, rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize("jit", JIT)
@pytest.mark.parametrize("case", EXPECTED["losses"], ids=name_of)
def test_a_loss_is_trained_as_in_keras(case, jit):
    name, arguments, kind, expected = case
    true, x, activation, rate = ask.problem(name, arguments, kind)
    model = Sequential([Scaled(activations.get(activation))])
    loss = getattr(losses, name)(**arguments)
    found = trained(model, x, true, jit, rate, loss)
    numpy.testing.assert_allclose(found, expected, rtol=2e-5, atol=2e-6)
