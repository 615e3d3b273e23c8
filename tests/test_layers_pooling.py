"""Pooling layers: Keras' outputs and gradients; compiled as eager; bad input."""

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

import minpy
from minpy import jit, layers, runtime
from minpy.autograd import make_vjp
from minpy.errors import ShapeError
from minpy.layers.functions import avg_pool, max_pool
from minpy.models import Sequential, load_model
from minpy.optimizers import SGD

CASES = cases_of("pooling")


@pytest.mark.parametrize("case", CASES)
def test_outputs_and_gradients_are_those_of_keras(case):
    check_values(case)


@pytest.mark.skipif(not runtime.available(), reason="graphs are MXNet's")
@pytest.mark.parametrize("case", CASES)
def test_training_through_a_pooling_layer_compiles_and_is_that_of_eager_steps(case):
    # A convolution in front, so that the pooling's gradient matters.
    convolution = getattr(layers, f"Conv{len(case['shape']) - 2}D")
    format_ = case["settings"]["data_format"]
    check_compiled_training(
        lambda: [convolution(2, 2, padding="same", data_format=format_), made(case)],
        numbers((4, *case["shape"][1:]), seed=1),
        numbers((4, 2), seed=2),
    )


@pytest.mark.parametrize("case", CASES)
def test_configurations_make_equal_layers(case):
    check_configuration(case)


@pytest.mark.usefixtures("by_program_and_by_graph")
@pytest.mark.skipif(not runtime.available(), reason="graphs are MXNet's")
@pytest.mark.parametrize(
    ("pool", "extra"), [(max_pool, {}), (avg_pool, {}), (avg_pool, {"count_include_pad": True})]
)
@pytest.mark.parametrize("pad", [((0, 1), (1, 0)), ((2, 0), (0, 2)), ((1, 2), (0, 0))])
def test_padding_that_differs_from_side_to_side_runs_in_a_graph(pool, extra, pad):
    x = minpy.numpy.array(numbers((2, 3, 6, 7)) - 2.0)  # negative: zeros would show
    function = jit(lambda x: pool(x, 3, 2, pad, **extra))
    expected = pool(x, 3, 2, pad, **extra)
    for _ in range(2):
        numpy.testing.assert_allclose(
            numpy.asarray(function(x)), numpy.asarray(expected), rtol=1e-6
        )
    g = minpy.numpy.array(numbers(expected.shape, seed=3))
    found = make_vjp(function)(x)[0](g)
    wanted = make_vjp(lambda x: pool(x, 3, 2, pad, **extra))(x)[0](g)
    numpy.testing.assert_allclose(numpy.asarray(found), numpy.asarray(wanted), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("data_format", ["channels_first", "channels_last"])
def test_global_average_counts_the_steps_that_a_mask_keeps(data_format):
    x = numbers((2, 4, 3))
    mask = numpy.array([[True, True, False, False], [True, True, True, True]])
    expected = numpy.stack([x[0, :2].mean(0), x[1].mean(0)])
    given = x if data_format == "channels_last" else x.transpose(0, 2, 1)
    layer = layers.GlobalAveragePooling1D(data_format=data_format)
    found = layer(given, mask=minpy.numpy.array(mask))
    numpy.testing.assert_allclose(numpy.asarray(found), expected, rtol=1e-6)


def test_padding_of_texts_does_not_count_in_their_average():
    minpy.random.seed(0)
    model = Sequential(
        [layers.Embedding(5, 3, mask_zero=True), layers.GlobalAveragePooling1D(), layers.Dense(1)]
    )
    model.compile(SGD(0.1), "mse")
    texts = numpy.array([[3, 1, 0, 0], [2, 2, 4, 1]])
    y = numpy.array([[1.0], [0.0]], "float32")
    for _ in range(2):
        loss = model.evaluate(texts, y, verbose=0)
        words, kernel, bias = model.get_weights()
        average = numpy.stack([words[[3, 1]].mean(0), words[[2, 2, 4, 1]].mean(0)])
        expected = ((average @ kernel + bias - y) ** 2).mean()
        assert numpy.isclose(loss, expected, rtol=1e-5)
        model.fit(texts, y, epochs=1, verbose=0)
    if runtime.available():
        assert model.jit_status == "compiled"


def test_saved_models_pool_as_before(tmp_path):
    model = Sequential(
        [
            layers.MaxPooling2D(3, 2, "same", input_shape=(2, 9, 8)),
            layers.AdaptiveAveragePooling2D((3, 2)),
            layers.GlobalMaxPooling2D(),
            layers.Dense(2),
        ]
    )
    x = numbers((2, 2, 9, 8))
    model.save(tmp_path / "model.h5")
    again = load_model(tmp_path / "model.h5")
    numpy.testing.assert_array_equal(again.predict(x, verbose=0), model.predict(x, verbose=0))


@pytest.mark.parametrize(
    ("layer", "shape", "message"),
    [
        (lambda: layers.MaxPooling2D(3), (1, 1, 2, 5), "doesn't fit into images"),
        (lambda: layers.AveragePooling3D(3), (1, 1, 5, 5), "expected volumes of shape"),
        (lambda: layers.MaxPooling1D(), (1, 5), "signals of one channel need a channel axis"),
        (lambda: layers.GlobalMaxPooling1D(), (1, 5, 3, 3), "expected signals"),
        (lambda: layers.GlobalAveragePooling2D(), (1, 5, 0, 3), "expected lengths from 1"),
        (lambda: layers.AdaptiveMaxPooling2D(2), (1, 5, 0, 3), "expected lengths from 1"),
    ],
)
def test_inputs_that_do_not_fit_are_refused(layer, shape, message):
    with pytest.raises(ShapeError, match=message):
        layer()(numpy.zeros(shape, "float32"))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: layers.MaxPooling2D((2, 2, 2)), "pool_size: expected one or 2 integers"),
        (lambda: layers.MaxPooling2D(2, padding="full"), "expected 'valid' or 'same'"),
        (lambda: layers.AdaptiveMaxPooling3D(0), "output_size: expected one or 3 integers from 1"),
        (lambda: layers.GlobalMaxPooling2D("last"), "data_format: expected"),
    ],
)
def test_settings_that_make_no_sense_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
