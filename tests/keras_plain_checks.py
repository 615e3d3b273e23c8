"""Compares layers without weights, from one array to another, with what Keras gave for them."""

from __future__ import annotations

import json
import pathlib

import numpy
from keras_convolutional import numbers

import minpy
from minpy import layers
from minpy.autograd import make_vjp
from minpy.layers import serialization
from minpy.models import Sequential
from minpy.optimizers import SGD


def cases_of(name):
    """Return a family's cases, each with what Keras gave, as pytest's parameters."""
    import pytest

    path = pathlib.Path(__file__).with_name(f"keras_{name}.json")
    found = json.loads(path.read_text())["cases"]
    return [pytest.param(case, id=f"{case['kind']}-{i}") for i, case in enumerate(found)]


def array_of(stored):
    return numpy.array(stored["values"], "float32").reshape(stored["shape"])


def made(case):
    """Return the case's layer."""
    return getattr(layers, case["kind"])(**case["settings"])


def check_values(case, tol=1e-6):
    """Compare output, its shape as told before, and the gradient of the input."""
    layer, expected = made(case), array_of(case["output"])
    x = minpy.numpy.array(numbers(case["shape"], seed=1))
    assert layer.compute_output_shape((None, *x.shape[1:])) == (None, *expected.shape[1:])
    vjp, y = make_vjp(layer)(x)
    assert y.shape == expected.shape
    numpy.testing.assert_allclose(numpy.asarray(y), expected, rtol=1e-5, atol=1e-6)
    to_x = vjp(minpy.numpy.array(numbers(expected.shape, seed=9)))
    numpy.testing.assert_allclose(
        numpy.asarray(to_x), array_of(case["input_gradient"]), rtol=1e-5, atol=tol
    )


def check_compiled_training(stack, x, y):
    """Compare the losses of layers that train in a graph with those outside of one.

    `stack` makes them anew, from the first to the one in front of the output.
    """

    def run(jit):
        minpy.random.seed(1)
        model = Sequential([*stack(), layers.Flatten(), layers.Dense(2)])
        model.compile(SGD(0.01), "mse", jit=jit)
        losses = model.fit(x, y, 4, 5, verbose=0, shuffle=False).history["loss"]
        return losses, model

    eager, _ = run(False)
    compiled, model = run("auto")
    assert model.jit_status == "compiled"
    numpy.testing.assert_allclose(compiled, eager, rtol=1e-5)


def check_configuration(case):
    """Check that the configuration makes an equal layer."""
    layer = made(case)
    again = serialization.deserialize(json.loads(json.dumps(serialization.serialize(layer))))
    assert again.get_config() == layer.get_config()
    x = numbers(case["shape"], seed=1)
    numpy.testing.assert_array_equal(numpy.asarray(again(x)), numpy.asarray(layer(x)))
