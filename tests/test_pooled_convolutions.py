"""Convolutions with a pooling behind them, some images at a time: the numbers of all at once."""

from __future__ import annotations

import numpy
import pytest

from minpy import random
from minpy.graph import native
from minpy.graph.native import pooled_convolution
from minpy.layers import (
    AveragePooling2D,
    Conv2D,
    Conv3D,
    Dense,
    Flatten,
    Input,
    MaxPooling2D,
    MaxPooling3D,
)
from minpy.models import Model, Sequential
from minpy.optimizers import SGD
from minpy.runtime import onednn

pytestmark = pytest.mark.skipif(
    not native.available() or onednn.library() is None, reason="oneDNN's programs only"
)
COUNT = 50  # images: blocks of 7 or so, and some that remain


def images_of(shape, count=COUNT):
    rng = numpy.random.default_rng(0)
    return rng.normal(size=(count, *shape)).astype("float32"), rng.integers(0, 3, count)


CASES = {
    "relu": ((1, 28, 28), [Conv2D, MaxPooling2D], {"activation": "relu"}, {}),
    "no bias": ((3, 28, 28), [Conv2D, MaxPooling2D], {"use_bias": False}, {}),
    "overlapping": ((4, 28, 28), [Conv2D, MaxPooling2D], {}, {"pool_size": 3, "strides": 2}),
    "padded": (
        (16, 20, 20),
        [Conv2D, MaxPooling2D],
        {"padding": "same", "strides": 2},
        {"padding": "same"},
    ),
    "average": ((2, 28, 28), [Conv2D, AveragePooling2D], {}, {}),
    "volumes": ((2, 8, 14, 14), [Conv3D, MaxPooling3D], {"activation": "relu"}, {}),
}


def trained(name, near, monkeypatch):
    monkeypatch.setattr(pooled_convolution, "_NEAR", near)
    shape, (convolution, pooling), settings, windows = CASES[name]
    random.seed(0)
    model = Sequential(
        [
            Input(shape),
            convolution(32, 3, **settings),
            pooling(**{"pool_size": 2, **windows}),
            Flatten(),
            Dense(3, activation="softmax"),
        ]
    )
    model.compile(SGD(0.01), "sparse_categorical_crossentropy")
    x, y = images_of(shape)
    losses = [model.train_on_batch(part, y) for part in (x, x[::-1].copy(), x + 0.5)]
    assert model.jit_status == "compiled"
    predicted = [model.predict(part, batch_size=COUNT, verbose=0) for part in (x, x - 1.0)]
    names = [o.name for o in next(iter(model._step._graphs.values()))._program.operations]
    assert "pooled_convolution" in names
    assert ("pooled_convolution_gradients" in names) == (pooling is not AveragePooling2D)
    return losses, predicted, model.get_weights(), model._step._graphs


@pytest.mark.parametrize("name", CASES)
def test_some_images_at_a_time_give_what_all_at_once_do(name, monkeypatch):
    at_once = trained(name, 10**9, monkeypatch)
    in_blocks = trained(name, 250_000, monkeypatch)
    kernels = [
        [sum(map(len, replay._program._tables.values())) for replay in run[3].values()]
        for run in (at_once, in_blocks)
    ]
    assert sum(kernels[0]) < sum(kernels[1])  # so there are blocks
    assert at_once[0][0] == in_blocks[0][0]  # the same arithmetic, but for the sums over images
    for a, b in zip(at_once[:3], in_blocks[:3], strict=True):
        for v, w in zip(a, b, strict=True):
            numpy.testing.assert_allclose(v, w, rtol=1e-4, atol=1e-5)


def test_what_else_is_done_with_a_convolutions_result_sees_it(monkeypatch):
    monkeypatch.setattr(pooled_convolution, "_NEAR", 100_000)
    found = {}
    for jit in ("auto", False):
        random.seed(0)
        x = Input((1, 28, 28))
        y = Conv2D(32, 3, activation="relu")(x)
        z = Flatten()(MaxPooling2D(2)(y))
        model = Model(x, [Dense(2)(z), y])
        model.compile(SGD(0.01), ["mse", "mse"], jit=jit)
        data, _ = images_of((1, 28, 28), 12)
        targets = [numpy.ones((12, 2), "float32"), numpy.zeros((12, 32, 26, 26), "float32")]
        told = [model.train_on_batch(data, targets) for _ in range(2)]
        found[jit] = told, model.predict(data, verbose=0)
    numpy.testing.assert_allclose(found["auto"][0], found[False][0], rtol=1e-5)
    for a, b in zip(found["auto"][1], found[False][1], strict=True):
        numpy.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)
