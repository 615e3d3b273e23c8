"""Channels at the end cost no more than channels in front: transpositions cancel, numbers stay."""

from __future__ import annotations

import numpy
import pytest

import minpy
import minpy.numpy as np
from minpy import layers, random
from minpy.graph import native
from minpy.layers import Dense, Input
from minpy.models import Model
from minpy.optimizers import SGD
from minpy.runtime import onednn

pytestmark = pytest.mark.skipif(
    not native.available() or onednn.library() is None, reason="oneDNN's programs only"
)


def residual_network(data_format):
    """Two convolutions, normalized, with the input of the second added to its output."""
    first = data_format == "channels_first"
    told = {"data_format": data_format}
    axis = 1 if first else -1
    x = Input((3, 12, 12) if first else (12, 12, 3))
    y = layers.Conv2D(16, 3, padding="same", use_bias=False, **told)(x)
    y = layers.Activation("relu")(layers.BatchNormalization(axis=axis)(y))
    z = layers.Conv2D(16, 3, padding="same", **told)(y)
    z = layers.Activation("relu")(layers.Add()([layers.BatchNormalization(axis=axis)(z), y]))
    z = layers.Activation("tanh")(layers.MaxPooling2D(2, **told)(z) * 0.5)
    return Model(x, Dense(3, activation="softmax")(layers.GlobalAveragePooling2D(**told)(z)))


def trained(data_format, jit="auto"):
    random.seed(0)
    model = residual_network(data_format)
    model.compile(SGD(0.1), "sparse_categorical_crossentropy", jit=jit)
    rng = numpy.random.default_rng(1)
    x, y = rng.normal(size=(8, 3, 12, 12)).astype("float32"), rng.integers(0, 3, 8)
    if data_format == "channels_last":
        x = x.transpose(0, 2, 3, 1)
    told = [model.train_on_batch(x, y) for _ in range(4)]
    return told, model.predict(x, verbose=0), model


def test_a_network_with_channels_at_the_end_is_the_one_with_channels_in_front():
    told, predicted, model = trained("channels_last")
    assert model.jit_status == "compiled"
    for other in (trained("channels_first"), trained("channels_last", False)):
        numpy.testing.assert_allclose(told, other[0], rtol=1e-4)
        numpy.testing.assert_allclose(predicted, other[1], rtol=1e-3, atol=1e-5)


def test_only_the_ends_of_a_network_are_turned_round():
    _, _, model = trained("channels_last")
    training, prediction = (
        [o.name for o in replay._program.operations if o.name == "transpose"]
        for replay in model._step._graphs.values()
    )
    # The images; what is pooled over all places, and its gradient.
    assert len(training) <= 3
    assert len(prediction) <= 2


def _turned(x, rng, operations):
    """Apply functions of elements and transpositions, at random."""
    for _ in range(12):
        kind = rng.integers(6)
        axes = tuple(rng.permutation(3))
        if kind == 0:
            x = operations.transpose(x, axes)
        elif kind == 1:
            x = operations.transpose(operations.tanh(operations.transpose(x, axes)), axes)
        elif kind == 2:
            x = x * 0.5 + operations.exp(-x * x)
        elif kind == 3:
            x = operations.where(x > 0.1, x, -x)
        elif kind == 4:
            back = tuple(int(i) for i in numpy.argsort(axes))
            x = x + operations.transpose(operations.transpose(x, axes) * 1.5, back)
        else:
            x = operations.maximum(x, 0.2) - operations.sum(x, axis=0, keepdims=True) * 0.01
    return x


@pytest.mark.parametrize("seed", range(20))
def test_random_chains_of_transpositions_compute_what_numpy_does(seed):
    data = numpy.random.default_rng(seed).normal(size=(3, 4, 5)).astype("float32")

    def f(x):
        return _turned(x, numpy.random.default_rng(seed), np)

    def slope(x):
        return minpy.grad(lambda x: np.sum(np.sin(f(x))))(x)

    expected = _turned(data, numpy.random.default_rng(seed), numpy)
    compiled = minpy.jit(f)
    numpy.testing.assert_allclose(
        compiled(np.array(data)).asnumpy(), expected, rtol=1e-4, atol=1e-5
    )
    assert compiled.jit_status == "compiled"
    found = minpy.jit(slope)(np.array(data)).asnumpy()
    numpy.testing.assert_allclose(found, slope(np.array(data)).asnumpy(), rtol=1e-3, atol=1e-4)
