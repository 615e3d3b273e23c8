"""Activation functions by name against Keras' values and gradients."""

from __future__ import annotations

import json
import pathlib

import keras_values as ask
import numpy
import pytest

import minpy
import minpy.numpy as np
from minpy import activations

EXPECTED = json.loads(pathlib.Path(__file__).with_name("keras_values.json").read_text())


def name_of(case):
    return f"{case[0]}-{json.dumps(case[1])}"


@pytest.mark.parametrize("case", EXPECTED["activations"], ids=name_of)
def test_activation_and_its_gradient_are_those_of_keras(case):
    name, arguments, (value, gradient) = case
    function = activations.get(name)
    x = np.array(ask.activation_points().astype("float32"))
    y = function(x, **arguments)
    numpy.testing.assert_allclose(y.asnumpy(), value, rtol=3e-6, atol=3e-6)
    given = np.array(ask.numbers(y.shape, 4).astype("float32"))
    g = minpy.grad(lambda x: np.sum(function(x, **arguments) * given))(x)
    numpy.testing.assert_allclose(g.asnumpy(), gradient, rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("name", sorted(set(activations.__all__) - {"get", "serialize"}))
def test_large_inputs_give_no_nan(name):
    if name in ("deserialize", "threshold"):
        return
    function = getattr(activations, name)
    x = np.array([[-1e4, -50.0, 0.0, 50.0, 80.0, 1e4]])
    if name == "exponential":
        x = x / 1e4
    y, g = minpy.value_and_grad(lambda x: np.sum(function(x)))(x)
    assert not numpy.isnan(float(y)) and not numpy.isnan(g.asnumpy()).any()


def test_sparsemax_is_the_nearest_point_of_the_simplex():
    x = numpy.random.default_rng(0).normal(size=(50, 6)) * 2
    y = activations.sparsemax(np.array(x)).asnumpy()
    for row, found in zip(x, y, strict=True):
        low, high = row.min() - 1, row.max()
        for _ in range(100):  # the level at which max(x - level, 0) adds up to one
            level = (low + high) / 2
            low, high = (level, high) if numpy.maximum(row - level, 0).sum() > 1 else (low, level)
        numpy.testing.assert_allclose(found, numpy.maximum(row - low, 0), atol=1e-9)
    minpy.check_grads(activations.sparsemax, order=1)(np.array(x[:5]))
    numpy.testing.assert_allclose(
        activations.sparsemax(np.array(x.T), axis=0).asnumpy(), y.T, atol=1e-12
    )


def test_names():
    assert activations.get(None) is activations.linear
    assert activations.get("swish") is activations.silu
    assert activations.get("hard_swish") is activations.hard_silu
    for name in ("relu", "leaky_relu", "log_softmax"):
        function = activations.get(name)
        assert activations.serialize(function) == name
        assert activations.deserialize(activations.serialize(function)) is function

    def own(x):
        return x * 2

    assert activations.get(own) is own
    assert activations.deserialize(activations.serialize(own), {"own": own}) is own
    with pytest.raises(ValueError, match="did you mean 'relu'"):
        activations.get("rely")
    with pytest.raises(ValueError, match="has no name to be saved under"):
        activations.serialize(lambda x: x)
    with pytest.raises(TypeError, match="an activation"):
        activations.get(3)


def test_glu_needs_an_even_axis():
    with pytest.raises(ValueError, match="even length"):
        activations.glu(np.zeros((2, 3)))
