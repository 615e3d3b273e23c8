"""Activations are instructions of programs, for few elements and for many."""

from __future__ import annotations

import numpy
import pytest

import minpy
import minpy.numpy as np
from minpy import layers, random
from minpy.graph import native
from minpy.layers import Dense, Input
from minpy.layers import functions as F
from minpy.models import Model, Sequential
from minpy.optimizers import SGD
from minpy.policy import use_policy
from minpy.runtime import onednn

pytestmark = pytest.mark.skipif(not native.available(), reason="programs are made by numba")
here = pytest.mark.skipif(onednn.library() is None, reason="there is no oneDNN to call")

FUNCTIONS = {
    "leaky_relu": lambda x: F.leaky_relu(x, 0.1),
    "leaky_relu, steep": lambda x: F.leaky_relu(x, 1.5),
    "leaky_relu, down": lambda x: F.leaky_relu(x, -0.2),
    "elu": lambda x: F.elu(x, 0.7),
    "selu": F.selu,
    "softsign": F.softsign,
    "hard_sigmoid": F.hard_sigmoid,
    "gelu": F.gelu,
}


@pytest.fixture(params=["few", pytest.param("many", marks=here)])
def size(request, monkeypatch):
    if request.param == "many":
        monkeypatch.setattr("minpy.graph.native.lowerings._MANY_ELEMENTS", 1)
        monkeypatch.setattr("minpy.graph.runnable.worth_sharing", lambda work: True)
    return request.param


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_program_computes_an_activation_and_its_derivative(name, size):
    f = FUNCTIONS[name]
    x = np.array(numpy.random.default_rng(0).normal(size=(40, 30)).astype("float32") * 3)

    def slope(x):
        return minpy.grad(lambda x: np.sum(np.sin(f(x))))(x)

    for g in (f, slope):
        compiled = minpy.jit(g)
        found = compiled(x).asnumpy()
        assert compiled.jit_status == "compiled"
        with use_policy("only_numpy"):
            expected = g(np.array(x.asnumpy().astype("float64"))).asnumpy()
        numpy.testing.assert_allclose(found, expected, rtol=2e-5, atol=2e-6)


@here
def test_large_networks_with_such_activations_are_programs():
    # Operations that MXNet is faster at than NumPy are no reason for a graph of its.
    random.seed(0)
    x = Input((8, 32, 32))
    y = layers.Conv2D(16, 3, padding="same")(x)
    for layer in (layers.LeakyReLU(0.2), layers.ELU(), layers.Activation("hard_sigmoid")):
        y = layer(y)
    model = Model(x, Dense(2)(layers.GlobalAveragePooling2D()(y)))
    model.compile(SGD(0.1), "mse")
    data = numpy.random.default_rng(0).normal(size=(32, 8, 32, 32)).astype("float32")
    model.train_on_batch(data, numpy.ones((32, 2), "float32"))
    (replay,) = model._step._graphs.values()
    names = {o.name for o in replay._program.operations}
    assert {"leaky_relu", "leaky_relu_gradient", "elu", "hard_sigmoid"} <= names


CASES = {
    "convolution of a signal, by threes": (
        (100, 64),
        lambda: [layers.Conv1D(64, 7, strides=3, activation="relu"), layers.Flatten()],
    ),
    "means of what is scaled, channels at the end": (
        (16, 16, 32),
        lambda: [
            layers.Conv2D(32, 3, padding="same", data_format="channels_last"),
            layers.LeakyReLU(0.1),
            layers.AveragePooling2D(2, data_format="channels_last"),
            layers.SpatialDropout2D(0.1, data_format="channels_last"),
            layers.GlobalMaxPooling2D(data_format="channels_last"),
        ],
    ),
    "means of a few channels": (
        (3, 16, 16),
        lambda: [layers.Conv2D(5, 3), layers.AveragePooling2D(2), layers.Flatten()],
    ),
}


@here
@pytest.mark.parametrize("name", CASES)
def test_gradients_of_images_that_lie_otherwise(name):
    shape, stack = CASES[name]
    data = numpy.random.default_rng(0).normal(size=(16, *shape)).astype("float32")
    found = {}
    for jit in ("auto", False):
        random.seed(0)
        # The first layer makes the gradient by the images wanted.
        first = layers.Conv1D if len(shape) == 2 else layers.Conv2D
        told = {} if len(shape) == 2 or shape[0] == 3 else {"data_format": "channels_last"}
        model = Sequential(
            [Input(shape), first(shape[0] if shape[0] == 3 else shape[-1], 1, **told), *stack(),
             Dense(2)]
        )  # fmt: skip
        model.compile(SGD(0.01), "mse", jit=jit)
        told = [model.train_on_batch(data, numpy.ones((16, 2), "float32")) for _ in range(3)]
        found[jit] = told, model
    (replay,) = found["auto"][1]._step._graphs.values()
    assert type(replay).__name__ == "ProgramReplay"
    numpy.testing.assert_allclose(found["auto"][0], found[False][0], rtol=1e-4)
    for a, b in zip(*(m.get_weights() for _, m in found.values()), strict=True):
        numpy.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5)
