"""Convolutional layers: Keras' outputs, gradients and training; compiled as eager; bad input."""

from __future__ import annotations

import json
import math
import pathlib

import numpy
import pytest
from keras_convolutional import numbers

import minpy
from minpy import layers, runtime
from minpy.autograd import make_vjp
from minpy.errors import ShapeError
from minpy.layers import serialization
from minpy.models import Sequential, load_model
from minpy.optimizers import SGD

EXPECTED = json.loads(pathlib.Path(__file__).with_name("keras_convolutional.json").read_text())
CASES = EXPECTED["cases"]
NAMES = [f"{c['kind']}-{i}" for i, c in enumerate(CASES)]


def array(stored):
    return numpy.array(stored["values"], "float32").reshape(stored["shape"])


def from_keras(kind, name, weight):
    """Return a weight of Keras', (*window, channels, filters), as ours lies."""
    if weight.ndim == 1:
        return weight
    if "Depthwise" in kind or name == "depthwise_kernel":
        # (*window, channels, multiplier), the outputs of a channel side by side.
        moved = numpy.moveaxis(weight, (-2, -1), (0, 1))
        return moved.reshape(-1, 1, *weight.shape[:-2])
    return numpy.moveaxis(weight, (-1, -2), (0, 1))


def built(case):
    """Return a layer with the weights that Keras' had."""
    layer = getattr(layers, case["kind"])(**case["settings"])
    layer.build((None, *case["shape"][1:]))
    layer.built = True
    given = [numbers(g["shape"], seed=i + 2) for i, g in enumerate(case["weight_gradients"])]
    layer.set_weights(
        [from_keras(case["kind"], p.name, w) for p, w in zip(layer.weights, given, strict=True)]
    )
    return layer


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_outputs_and_gradients_are_those_of_keras(case):
    layer = built(case)
    x = minpy.numpy.array(numbers(case["shape"], seed=1))
    expected = array(case["output"])
    assert layer.compute_output_shape((None, *x.shape[1:])) == (None, *expected.shape[1:])

    def run(x, *values):
        with minpy.layers.parameter.bound(layer.weights, list(values)):
            return layer(x)

    vjp, y = make_vjp(run, tuple(range(len(layer.weights) + 1)))(
        x, *[p.value for p in layer.weights]
    )
    numpy.testing.assert_allclose(numpy.asarray(y), expected, rtol=2e-5, atol=2e-5)
    to_x, *to_weights = vjp(minpy.numpy.array(numbers(expected.shape, seed=9)))
    numpy.testing.assert_allclose(
        numpy.asarray(to_x), array(case["input_gradient"]), rtol=2e-5, atol=2e-5
    )
    for p, found, stored in zip(layer.weights, to_weights, case["weight_gradients"], strict=True):
        numpy.testing.assert_allclose(
            numpy.asarray(found),
            from_keras(case["kind"], p.name, array(stored)),
            rtol=2e-5,
            atol=4e-5,
        )


def trained(case, jit):
    model = Sequential([built(case)])
    model.compile(SGD(0.05), "mse", jit=jit)
    x, target = numbers(case["shape"], seed=1), numbers(case["output"]["shape"], seed=10)
    run = model.fit(x, target, len(x), len(case["losses"]), verbose=0, shuffle=False)
    losses = run.history["loss"]
    return losses, model


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_twenty_steps_of_training_are_those_of_keras(case):
    losses, _ = trained(case, jit=False)
    numpy.testing.assert_allclose(losses, case["losses"], rtol=2e-5)


@pytest.mark.skipif(not runtime.available(), reason="compiled steps are MXNet's")
@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_compiled_training_is_that_of_keras(case):
    losses, model = trained(case, jit="auto")
    numpy.testing.assert_allclose(losses, case["losses"], rtol=2e-5)
    assert model.jit_status == "compiled"


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_configurations_make_equal_layers(case):
    layer = built(case)
    again = serialization.deserialize(json.loads(json.dumps(serialization.serialize(layer))))
    assert again.get_config() == layer.get_config()
    again.build((None, *case["shape"][1:]))
    again.built = True
    again.set_weights(layer.get_weights())
    x = numbers(case["shape"], seed=1)
    numpy.testing.assert_array_equal(numpy.asarray(again(x)), numpy.asarray(layer(x)))


MODELS = [
    lambda: [
        layers.Conv1D(4, 3, padding="causal", data_format="channels_last", input_shape=(9, 3)),
        layers.SeparableConv1D(4, 2, data_format="channels_last", pointwise_regularizer="l2"),
        layers.Conv1DTranspose(2, 3, strides=2, data_format="channels_last"),
    ],
    lambda: [
        layers.Conv2D(4, 3, padding="same", strides=2, groups=2, input_shape=(2, 9, 8)),
        layers.DepthwiseConv2D(
            3, depth_multiplier=2, padding="same", depthwise_constraint="max_norm"
        ),
        layers.SeparableConv2D(3, 2, activation="relu", bias_initializer="ones"),
        layers.Conv2DTranspose(2, 3, strides=2, padding="same", output_padding=1),
    ],
    lambda: [
        layers.Conv3D(4, 2, padding="same", strides=(1, 2, 2), input_shape=(2, 4, 5, 6)),
        layers.Conv3DTranspose(2, 2, strides=2),
    ],
]


@pytest.mark.parametrize("make", MODELS)
def test_saved_models_load_with_their_weights_and_settings(make, tmp_path):
    minpy.random.seed(0)
    model = Sequential(make())
    x = numbers((3, *model.layers[0].input_shape[1:]))
    y = model.predict(x, verbose=0)
    model.save(tmp_path / "model.h5")
    again = load_model(tmp_path / "model.h5")
    numpy.testing.assert_array_equal(again.predict(x, verbose=0), y)
    assert again.get_config() == model.get_config()


def test_causal_outputs_depend_on_no_later_step():
    layer = layers.Conv1D(2, 3, padding="causal", dilation_rate=2, data_format="channels_first")
    x = numbers((1, 2, 9))
    before = numpy.asarray(layer(x))
    changed = x.copy()
    changed[..., 5:] += 1
    after = numpy.asarray(layer(changed))
    numpy.testing.assert_array_equal(after[..., :5], before[..., :5])
    assert (after[..., 5:] != before[..., 5:]).all()


def test_a_transposed_convolution_is_the_transpose_of_the_convolution():
    # <conv(x), y> = <x, transposed(y)> with the same kernel.
    there = layers.Conv2D(3, 3, strides=2, padding="same", use_bias=False)
    back = layers.Conv2DTranspose(2, 3, strides=2, padding="same", use_bias=False)
    x, y = numbers((2, 2, 8, 6)), numbers((2, 3, 4, 3), seed=1)
    there(x), back(y)
    back.set_weights(there.get_weights())
    left = (numpy.asarray(there(x), "float64") * y).sum()
    right = (numpy.asarray(back(y), "float64") * x).sum()
    assert math.isclose(left, right, rel_tol=1e-5)


@pytest.mark.parametrize(
    ("layer", "fan_in", "fan_out"),
    [
        (lambda init: layers.Conv2D(64, 3, groups=2, kernel_initializer=init), 32 * 9, 64 * 9),
        (lambda init: layers.Conv2DTranspose(32, 3, kernel_initializer=init), 32 * 9, 64 * 9),
        (lambda init: layers.DepthwiseConv2D(3, depthwise_initializer=init), 64 * 9, 9),
    ],
)
def test_initial_kernels_scale_with_the_fans_that_keras_counts(layer, fan_in, fan_out):
    minpy.random.seed(0)
    for mode, fan in [("fan_in", fan_in), ("fan_out", fan_out)]:
        scaling = minpy.initializers.VarianceScaling(1.0, mode, "untruncated_normal")
        made = layer(scaling)
        made.build((None, 64, 8, 8))
        kernel = made.get_weights()[0]
        assert math.isclose(kernel.std(), fan**-0.5, rel_tol=0.12)


@pytest.mark.parametrize(
    ("layer", "shape", "message"),
    [
        (lambda: layers.Conv1D(4, 3), (2, 3, 5, 5), r"expected signals of shape \(batch, steps, c"),
        (lambda: layers.Conv2D(4, 3), (2, 5, 5), "need a channel axis"),
        (lambda: layers.Conv3D(4, 3), (2, 3, 5, 5), r"volumes of shape \(batch, channels, depth"),
        (lambda: layers.Conv2D(4, 6), (2, 3, 5, 5), "use padding='same' or fewer layers"),
        (lambda: layers.Conv2D(4, 3, groups=2), (2, 3, 5, 5), "can't be split into 2 groups"),
        (lambda: layers.SeparableConv2D(4, 9), (2, 3, 5, 5), "doesn't fit into images"),
        (lambda: layers.DepthwiseConv1D(2), (2, 3), "expected signals"),
        (
            lambda: layers.Conv2DTranspose(4, 4, padding="same", output_padding=0),
            (2, 3, 1, 1),
            "a larger output_padding",
        ),
        (lambda: layers.Conv2DTranspose(4, 3, padding="same"), (2, 3, 0, 4), "nothing is left"),
    ],
)
def test_inputs_that_do_not_fit_are_refused_before_anything_is_built(layer, shape, message):
    made = layer()
    with pytest.raises(ShapeError, match=message):
        made(numpy.zeros(shape, "float32"))
    assert not made.built
    assert not made.weights


def test_another_number_of_channels_than_built_for_is_refused():
    for layer in (
        layers.Conv2D(4, 3),
        layers.DepthwiseConv2D(3),
        layers.SeparableConv2D(4, 3),
        layers.Conv2DTranspose(4, 3),
    ):
        layer(numpy.zeros((1, 3, 5, 7), "float32"))
        with pytest.raises(ShapeError, match="look like data_format='channels_last'"):
            layer(numpy.zeros((1, 5, 7, 3), "float32"))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: layers.Conv2D(0, 3), "filters: expected a positive integer, got 0"),
        (lambda: layers.Conv2D(3, 3, groups=2), "a multiple of groups=2"),
        (lambda: layers.Conv2D(3, (3, 3, 3)), "expected one or 2 integers"),
        (lambda: layers.Conv2D(3, 3, padding="causal"), "padding: expected 'valid' or 'same'"),
        (lambda: layers.Conv2D(3, 3, data_format="NCHW"), "data_format: expected 'channels_first'"),
        (lambda: layers.Conv2D(3, 3, strides=0), "strides: expected one or 2 integers from 1"),
        (lambda: layers.DepthwiseConv2D(3, depth_multiplier=0), "depth_multiplier: expected"),
        (lambda: layers.Conv1DTranspose(3, 3, 2, output_padding=2), "below the strides"),
    ],
)
def test_settings_that_make_no_sense_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
