"""Layers that draw noise: their statistics, their seeds, and that graphs draw the same."""

from __future__ import annotations

import json

import numpy as np
import pytest
from layer_references import NEEDS_MXNET

import minpy
import minpy.numpy as mnp
from minpy import layers, random
from minpy.errors import ShapeError
from minpy.layers import serialization
from minpy.models import Sequential

MANY = (200, 500)
RANDOM = {
    "Dropout": ({"rate": 0.3}, MANY),
    "SpatialDropout1D": ({"rate": 0.3}, (50, 7, 40)),
    "SpatialDropout2D": ({"rate": 0.3}, (50, 40, 3, 3)),
    "SpatialDropout3D": ({"rate": 0.3}, (50, 40, 2, 3, 2)),
    "GaussianNoise": ({"stddev": 0.5}, MANY),
    "GaussianDropout": ({"rate": 0.2}, MANY),
    "AlphaDropout": ({"rate": 0.25}, MANY),
}
EACH = [pytest.param(name, *RANDOM[name], id=name) for name in RANDOM]


def made(name, settings, **more):
    return getattr(layers, name)(**settings, **more)


@pytest.mark.parametrize(("name", "settings", "shape"), EACH)
def test_outside_of_training_nothing_happens(name, settings, shape):
    x = mnp.array(np.random.default_rng(0).standard_normal(shape).astype("float32"))
    layer = made(name, settings)
    np.testing.assert_array_equal(layer(x).asnumpy(), x.asnumpy())
    assert layer.compute_output_shape(shape) == shape


@pytest.mark.parametrize(("name", "settings", "shape"), EACH)
def test_a_layers_own_seed_gives_the_same_draws_in_the_same_step_and_others_in_the_next(
    name, settings, shape
):
    x = mnp.ones(shape)
    first, second = made(name, settings, seed=5), made(name, settings, seed=5)
    other, none = made(name, settings, seed=6), made(name, settings)

    def draw(layer, step, seed=1):
        with random.scope(seed, step):
            return layer(x, training=True).asnumpy()

    np.testing.assert_array_equal(draw(first, 3), draw(second, 3))
    np.testing.assert_array_equal(draw(first, 3), draw(first, 3, seed=2))
    np.testing.assert_array_equal(draw(none, 3), draw(none, 3))
    for a, b in [
        (draw(first, 3), draw(first, 4)),
        (draw(first, 3), draw(other, 3)),
        (draw(none, 3), draw(none, 3, seed=2)),
        (draw(none, 3), draw(none, 4)),
    ]:
        assert (a != b).any()
    # Two calls in one step, and calls outside of any, draw anew.
    with random.scope(1, 3):
        assert (first(x, training=True) != first(x, training=True)).any()
    assert (first(x, training=True) != first(x, training=True)).any()


@pytest.mark.skipif(NEEDS_MXNET, reason="mxnet is not installed")
@pytest.mark.parametrize("seed", [None, 5])
@pytest.mark.parametrize(("name", "settings", "shape"), EACH)
def test_a_compiled_training_run_draws_what_an_eager_one_does(name, settings, shape, seed):
    small = (6, *(min(n, 5) for n in shape[1:]))
    x = np.random.default_rng(0).standard_normal(small).astype("float32")
    losses = []
    for jit in ("auto", False):
        random.seed(3)
        model = Sequential([made(name, settings, seed=seed), layers.Flatten(), layers.Dense(1)])
        model.compile("sgd", "mse", jit=jit)
        history = model.fit(x, np.ones((6, 1)), epochs=5, batch_size=3, verbose=0).history
        losses.append(history["loss"])
        if jit == "auto":
            assert model.jit_status == "compiled"
    np.testing.assert_allclose(*losses, rtol=1e-4)
    assert len(set(losses[0])) == 5


def test_dropout_drops_its_rate_and_keeps_the_mean():
    y = layers.Dropout(0.3)(mnp.ones(MANY), training=True).asnumpy()
    assert set(np.unique(y)) == {0.0, np.float32(1 / 0.7)}
    # Six standard deviations of the mean of 100,000 such numbers.
    assert abs((y == 0).mean() - 0.3) < 6 * np.sqrt(0.3 * 0.7 / y.size)


def test_a_noise_shape_of_1_drops_along_the_whole_axis():
    y = layers.Dropout(0.5, noise_shape=(None, 1, 6))(mnp.ones((50, 4, 6)), training=True).asnumpy()
    assert (y == y[:, :1]).all()
    assert 0 < (y == 0).mean() < 1
    y = layers.AlphaDropout(0.5, noise_shape=[50, 1])(mnp.ones((50, 4)), training=True).asnumpy()
    assert (y == y[:, :1]).all() and len(np.unique(y)) == 2


@pytest.mark.parametrize(
    ("name", "shape", "axes", "settings"),
    [
        ("SpatialDropout1D", (40, 7, 30), (1,), {}),
        ("SpatialDropout2D", (40, 30, 3, 4), (2, 3), {}),
        ("SpatialDropout2D", (40, 3, 4, 30), (1, 2), {"data_format": "channels_last"}),
        ("SpatialDropout3D", (40, 30, 2, 3, 4), (2, 3, 4), {"data_format": "channels_first"}),
        ("SpatialDropout3D", (40, 2, 3, 4, 30), (1, 2, 3), {"data_format": "channels_last"}),
    ],
)
def test_spatial_dropout_drops_whole_maps(name, shape, axes, settings):
    y = getattr(layers, name)(0.25, **settings)(mnp.ones(shape), training=True).asnumpy()
    assert (y.min(axes) == y.max(axes)).all()
    dropped = (y.max(axes) == 0).mean()
    assert abs(dropped - 0.25) < 6 * np.sqrt(0.25 * 0.75 / 1200)


def test_gaussian_noise_has_its_standard_deviation_and_leaves_the_mean():
    x = mnp.array(np.full(MANY, 2.0, "float32"))
    y = layers.GaussianNoise(0.5)(x, training=True).asnumpy()
    assert abs(y.mean() - 2) < 6 * 0.5 / np.sqrt(y.size)
    assert y.std() == pytest.approx(0.5, rel=0.02)
    # Each element by itself: as far apart as two independent draws.
    assert np.abs(np.corrcoef(y[:, 0], y[:, 1])[0, 1]) < 0.4


def test_gaussian_dropout_multiplies_by_noise_of_dropouts_variance():
    x = mnp.array(np.full(MANY, 2.0, "float32"))
    y = layers.GaussianDropout(0.2)(x, training=True).asnumpy() / 2
    assert abs(y.mean() - 1) < 6 * 0.5 / np.sqrt(y.size)
    assert y.var() == pytest.approx(0.2 / 0.8, rel=0.03)


def test_alpha_dropout_keeps_mean_0_and_variance_1():
    x = np.random.default_rng(0).standard_normal((1000, 500)).astype("float32")
    y = layers.AlphaDropout(0.25)(mnp.array(x), training=True).asnumpy()
    assert y.mean() == pytest.approx(0, abs=0.01)
    assert y.var() == pytest.approx(1, rel=0.02)
    # What is dropped has one value: a * floor + b of the paper's section 3, for this rate.
    values, counts = np.unique(y, return_counts=True)
    floor = -1.0507009873554805 * 1.6732632423543772
    a = (0.75 * (1 + 0.25 * floor**2)) ** -0.5
    assert values[counts.argmax()] == pytest.approx(a * floor - a * floor * 0.25, rel=1e-5)
    assert counts.max() / y.size == pytest.approx(0.25, abs=0.01)


def test_the_gradient_is_the_factor_that_the_value_was_multiplied_by():
    x = mnp.array(np.random.default_rng(0).standard_normal((30, 30)).astype("float32"))
    for layer in (layers.Dropout(0.4), layers.GaussianDropout(0.4)):
        value, gradient = minpy.value_and_grad(
            lambda x, layer=layer: mnp.sum(layer(x, training=True))
        )(x)
        assert float(mnp.sum(gradient * x)) == pytest.approx(float(value), rel=1e-3, abs=1e-3)


@pytest.mark.parametrize("jit", ["auto", False])
def test_activity_regularization_adds_its_term_to_the_loss(jit):
    x = np.array([[1.0, -2.0], [3.0, 0.5]], "float32")
    model = Sequential([layers.ActivityRegularization(l1=0.1, l2=0.01)])
    model.compile("sgd", "mse", jit=jit)
    # A mean over the batch of the sums of 0.1 |x| + 0.01 x², by hand.
    expected = (0.1 * 6.5 + 0.01 * 14.25) / 2
    assert model.evaluate(x, x, verbose=0) == pytest.approx(expected, rel=1e-5)
    assert model.layers[0](mnp.array(x)).asnumpy() == pytest.approx(x)


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        *[(name, settings) for name, (settings, _) in RANDOM.items()],
        ("Dropout", {"rate": 0.1, "noise_shape": [None, 1], "seed": 4}),
        ("AlphaDropout", {"rate": 0.1, "noise_shape": [None, 1], "seed": 4}),
        ("SpatialDropout2D", {"rate": 0.1, "data_format": "channels_last"}),
        ("GaussianNoise", {"stddev": 0.1, "seed": 7}),
        ("ActivityRegularization", {"l1": 0.1, "l2": 0.2}),
    ],
)
def test_a_configuration_makes_an_equal_layer(name, settings):
    config = json.loads(json.dumps(serialization.serialize(made(name, settings))))
    assert settings.items() <= config["config"].items()
    again = serialization.deserialize(config)
    assert json.loads(json.dumps(serialization.serialize(again))) == config


def test_what_does_not_fit_is_refused_when_the_layer_is_made():
    for kind in (layers.Dropout, layers.SpatialDropout2D, layers.GaussianDropout):
        for rate in (-0.1, 1.5, 2, True):
            with pytest.raises(ValueError, match=r"expected a rate from 0 to (below )?1, got"):
                kind(rate)
    with pytest.raises(ValueError, match="stddev from 0, got -1"):
        layers.GaussianNoise(-1)
    with pytest.raises(ValueError, match=r"seed to be None or a number from 0, got 'x'"):
        layers.Dropout(0.5, seed="x")
    with pytest.raises(ValueError, match=r"noise_shape to be lengths.*got 'all'"):
        layers.Dropout(0.5, noise_shape="all")
    with pytest.raises(ValueError, match=r"noise_shape.*got \(0, 1\)"):
        layers.Dropout(0.5, noise_shape=(0, 1))
    with pytest.raises(ValueError, match="'channels_first' or 'channels_last', got 'first'"):
        layers.SpatialDropout2D(0.5, data_format="first")


def test_inputs_that_do_not_fit_are_refused_outside_of_training_too():
    with pytest.raises(ShapeError, match=r"Dropout .*noise_shape that broadcasts.*\(3, 1, 1\)"):
        layers.Dropout(0.5, noise_shape=(3, 1, 1))(mnp.ones((3, 4)))
    with pytest.raises(ShapeError, match=r"\(batch, channels, height, width\), got \(batch, 4\)"):
        layers.SpatialDropout2D(0.5)(mnp.ones((3, 4)))
    with pytest.raises(ShapeError, match=r"\(batch, length, channels\)"):
        layers.SpatialDropout1D(0.5)(mnp.ones((3, 4)))
    with pytest.raises(TypeError, match="GaussianNoise: expected x of a float dtype, got int"):
        layers.GaussianNoise(0.5)(mnp.ones((3, 4), dtype="int32"), training=True)
