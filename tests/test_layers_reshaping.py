"""Reshaping layers: Keras' outputs and gradients; compiled as eager; bad input."""

from __future__ import annotations

import numpy
import pytest
from keras_convolutional import numbers
from keras_plain_checks import (
    cases_of,
    check_compiled_training,
    check_configuration,
    check_values,
    made,
)

from minpy import layers, runtime
from minpy.errors import ShapeError
from minpy.models import Sequential, load_model

CASES = cases_of("reshaping")


@pytest.mark.parametrize("case", CASES)
def test_outputs_and_gradients_are_those_of_keras(case):
    check_values(case, 2e-6)


@pytest.mark.skipif(not runtime.available(), reason="graphs are MXNet's")
@pytest.mark.parametrize("case", CASES)
def test_training_through_a_reshaping_layer_compiles_and_is_that_of_eager_steps(case):
    inside = case["shape"][1:]
    check_compiled_training(
        lambda: [layers.Dense(int(numpy.prod(inside))), layers.Reshape(inside), made(case)],
        numbers((4, 3), seed=1),
        numbers((4, 2), seed=2),
    )


@pytest.mark.parametrize("case", CASES)
def test_configurations_make_equal_layers(case):
    check_configuration(case)


def test_saved_models_reshape_as_before(tmp_path):
    model = Sequential(
        [
            layers.ZeroPadding2D(((1, 0), (0, 2)), input_shape=(2, 4, 4)),
            layers.UpSampling2D((1, 2), interpolation="bilinear"),
            layers.Cropping2D((1, 2)),
            layers.Permute((2, 3, 1)),
            layers.Flatten(),
            layers.RepeatVector(2),
            layers.Dense(2),
        ]
    )
    x = numbers((2, 2, 4, 4))
    model.save(tmp_path / "model.h5")
    again = load_model(tmp_path / "model.h5")
    numpy.testing.assert_array_equal(again.predict(x, verbose=0), model.predict(x, verbose=0))


@pytest.mark.parametrize(
    ("layer", "shape", "message"),
    [
        (lambda: layers.Permute((2, 1)), (1, 2, 3, 4), "expected samples with 2 axes"),
        (lambda: layers.RepeatVector(2), (1, 2, 3), r"expected input of shape \(batch, features\)"),
        (lambda: layers.Reshape((4, 4)), (1, 3, 5), r"\(15 elements\) can't become \(4, 4\)"),
        (lambda: layers.Reshape((4, -1)), (1, 3, 5), "can't become"),
        (lambda: layers.Cropping1D((2, 3)), (1, 5, 2), "leaves nothing"),
        (lambda: layers.Cropping2D(2), (1, 2, 4, 5), "crop less"),
        (lambda: layers.Cropping3D(1), (1, 2, 4, 5), "expected volumes of shape"),
        (lambda: layers.ZeroPadding2D(1), (1, 2, 4), "expected images of shape"),
        (lambda: layers.UpSampling1D(2), (1, 2, 4, 3), "expected signals of shape"),
    ],
)
def test_inputs_that_do_not_fit_are_refused(layer, shape, message):
    with pytest.raises(ShapeError, match=message):
        layer()(numpy.zeros(shape, "float32"))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: layers.Permute((0, 1)), "expected each axis from 1 to 2 once"),
        (lambda: layers.RepeatVector(0), "expected a positive number of steps"),
        (lambda: layers.Reshape((-1, -1)), "at most one of them -1"),
        (lambda: layers.Cropping2D(-1), "cropping: expected an integer from 0"),
        (lambda: layers.ZeroPadding2D("same"), "padding: expected integers from 0"),
        (lambda: layers.UpSampling2D(0), "size: expected one or 2 integers from 1"),
        (lambda: layers.UpSampling2D(2, interpolation="area"), "interpolation: expected 'nearest'"),
    ],
)
def test_settings_that_make_no_sense_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
