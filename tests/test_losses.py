"""Losses against values and gradients of Keras, closed forms, reductions, shapes that misfit."""

from __future__ import annotations

import json
import math
import pathlib

import keras_values as ask
import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minpy
import minpy.numpy as np
from minpy import losses
from minpy.errors import ShapeError
from minpy.layers import Dense
from minpy.models import Sequential

EXPECTED = json.loads(pathlib.Path(__file__).with_name("keras_values.json").read_text())["losses"]
SAMPLEWISE = [case for case in EXPECTED if "none" in case[3]]


def name_of(case):
    return f"{case[0]}-{json.dumps(case[1])}-{case[2]}"


def problem(kind):
    true, predicted = ask.targets(kind)
    true = np.array(true) if true.dtype.kind == "i" else np.array(true.astype("float32"))
    return true, np.array(predicted.astype("float32"))


def sample_weights(kind, batch):
    weight = ask.weights(batch)
    if kind == "sequence":
        weight = numpy.stack([weight, weight[::-1], weight + 0.5], 1)
    return np.array(weight.astype("float32"))


# --- Keras' values --------------------------------------------------------------------------------


@pytest.mark.parametrize("case", EXPECTED, ids=name_of)
def test_loss_and_its_gradient_are_those_of_keras(case):
    name, arguments, kind, expected = case
    loss = getattr(losses, name)(**arguments)
    true, predicted = problem(kind)
    value, gradient = minpy.value_and_grad(lambda p: np.sum(loss(true, p)))(predicted)
    numpy.testing.assert_allclose(float(value), numpy.sum(expected["value"]), rtol=2e-6)
    numpy.testing.assert_allclose(gradient.asnumpy(), expected["gradient"], rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("case", SAMPLEWISE, ids=name_of)
def test_reductions_with_sample_weights_are_those_of_keras(case):
    name, arguments, kind, expected = case
    true, predicted = problem(kind)
    weight = sample_weights(kind, len(true))
    for reduction in ask.REDUCTIONS:
        loss = getattr(losses, name)(reduction=reduction, **arguments)
        value = loss(true, predicted, sample_weight=weight)
        numpy.testing.assert_allclose(float(value), expected[reduction], rtol=3e-6)
    loss = getattr(losses, name)(reduction="none", **arguments)
    numpy.testing.assert_allclose(
        loss(true, predicted).asnumpy(), expected["none"], rtol=2e-6, atol=2e-6
    )


@pytest.mark.parametrize("case", EXPECTED, ids=name_of)
def test_gradients_in_float64_are_those_of_finite_differences(case):
    name, arguments, kind, _ = case
    loss = getattr(losses, name)(**arguments)
    true, predicted = ask.targets(kind)
    minpy.check_grads(lambda p: np.sum(loss(true, p)), order=1)(np.array(predicted))


@pytest.mark.parametrize("case", EXPECTED, ids=name_of)
def test_configuration_makes_an_equal_loss(case):
    name, arguments, kind, _ = case
    loss = getattr(losses, name)(reduction="sum", name="mine", **arguments)
    again = losses.deserialize(json.loads(json.dumps(losses.serialize(loss))))
    assert type(again) is type(loss) and again.name == "mine"
    true, predicted = problem(kind)
    assert float(again(true, predicted)) == float(loss(true, predicted))


# --- closed forms ---------------------------------------------------------------------------------


@given(st.integers(1, 6), st.integers(2, 7), st.floats(0.1, 1e4), st.integers(0, 10**6))
@settings(max_examples=40, deadline=None)
def test_cross_entropy_of_logits_is_finite_and_right_for_logits_of_any_size(n, k, size, seed):
    generator = numpy.random.default_rng(seed)
    logits = generator.uniform(-size, size, (n, k))
    labels = generator.integers(0, k, n)
    top = logits.max(1)
    exact = top + numpy.log(numpy.exp(logits - top[:, None]).sum(1)) - logits[range(n), labels]
    sparse = losses.SparseCategoricalCrossentropy(from_logits=True)
    value, gradient = minpy.value_and_grad(lambda x: sparse(labels, x))(np.array(logits))
    numpy.testing.assert_allclose(float(value), exact.mean(), rtol=1e-9, atol=1e-12)
    p = numpy.exp(logits - top[:, None])
    p /= p.sum(1, keepdims=True)
    numpy.testing.assert_allclose(
        gradient.asnumpy(), (p - numpy.eye(k)[labels]) / n, rtol=1e-9, atol=1e-12
    )
    dense = losses.CategoricalCrossentropy(from_logits=True)
    numpy.testing.assert_allclose(
        float(dense(numpy.eye(k)[labels], np.array(logits))), exact.mean(), rtol=1e-9, atol=1e-12
    )


def test_binary_cross_entropy_of_huge_logits_is_finite():
    loss = losses.BinaryCrossentropy(from_logits=True)
    value, gradient = minpy.value_and_grad(lambda x: loss(np.array([[1.0, 0.0]]), x))(
        np.array([[1e4, 1e4]])
    )
    assert float(value) == pytest.approx(5000)
    numpy.testing.assert_allclose(gradient.asnumpy(), [[0, 0.5]])


def test_probabilities_of_exactly_zero_and_one_give_a_finite_loss():
    for loss in (losses.get("categorical_crossentropy"), losses.get("binary_crossentropy")):
        value = float(loss(np.array([[1.0, 0.0]]), np.array([[0.0, 1.0]])))
        assert math.isfinite(value)
        assert value == pytest.approx(-math.log(1e-7), rel=0.02)


def test_perfect_predictions_have_no_loss():
    y = numpy.array([[0.0, 1.0], [1.0, 0.0]])
    for name in ("mse", "mae", "mape", "msle", "huber", "log_cosh", "kl_divergence"):
        assert float(losses.get(name)(y, np.array(y))) == pytest.approx(0, abs=1e-6), name
    assert float(losses.get("cosine_similarity")(y, np.array(y))) == pytest.approx(-1)


def test_a_vector_of_length_zero_has_a_gradient():
    loss = losses.CosineSimilarity()
    g = minpy.grad(lambda p: loss(np.array([[1.0, 0.0]]), p))(np.array([[0.0, 0.0]]))
    assert numpy.isfinite(g.asnumpy()).all()


def test_second_derivatives_exist():
    loss = losses.SparseCategoricalCrossentropy(from_logits=True)
    x = np.array([[0.3, -0.2, 0.5]])
    h = minpy.hessian(lambda x: loss(np.array([1]), x))(x).asnumpy().reshape(3, 3)
    p = numpy.exp(x.asnumpy()[0]) / numpy.exp(x.asnumpy()[0]).sum()
    numpy.testing.assert_allclose(h, numpy.diag(p) - numpy.outer(p, p), rtol=1e-5, atol=1e-7)


def test_ignored_labels_neither_add_nor_count_nor_have_a_gradient():
    loss = losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=-1)
    logits = np.array([[1.0, 2.0], [5.0, -5.0], [0.0, 0.0]])
    value, gradient = minpy.value_and_grad(lambda x: loss(np.array([0, -1, 1]), x))(logits)
    alone = losses.SparseCategoricalCrossentropy(from_logits=True)(
        np.array([0, 1]), np.array([[1.0, 2.0], [0.0, 0.0]])
    )
    assert float(value) == pytest.approx(float(alone))
    assert not gradient.asnumpy()[1].any()


# --- shapes and dtypes ----------------------------------------------------------------------------


def test_column_and_vector_targets_mean_the_same():
    y, p = numpy.array([1.0, 0.0, 1.0]), np.array([[0.9], [0.2], [0.6]])
    for name in ("mse", "binary_crossentropy", "huber"):
        loss = losses.get(name)
        assert float(loss(y, p)) == pytest.approx(float(loss(y[:, None], p)))
    labels, scores = numpy.array([1, 0]), np.array([[0.2, 0.8], [0.3, 0.7]])
    sparse = losses.get("sparse_categorical_crossentropy")
    assert float(sparse(labels, scores)) == float(sparse(labels[:, None], scores))
    assert float(sparse(labels, scores)) == float(sparse(labels.astype("float32"), scores))


def test_classes_may_lie_on_another_axis():
    scores = numpy.random.default_rng(0).normal(size=(2, 3, 4)).astype("float32")
    labels = numpy.array([[0, 2, 1, 1], [2, 2, 0, 1]])
    first = losses.SparseCategoricalCrossentropy(from_logits=True, axis=1)
    last = losses.SparseCategoricalCrossentropy(from_logits=True)
    assert float(first(labels, np.array(scores))) == pytest.approx(
        float(last(labels, np.array(scores.swapaxes(1, 2))))
    )


def test_integer_targets_and_predictions_of_another_dtype_are_taken():
    assert float(losses.get("mse")(numpy.array([[1, 2]]), np.array([[1.0, 4.0]]))) == 2.0
    half = losses.get("mse")(np.array([[1.0, 2.0]]), np.array([[1.0, 4.0]], dtype="float16"))
    assert half.dtype == "float16"
    assert losses.MeanSquaredError(dtype="float64")([[1.0]], np.array([[3.0]])).dtype == "float64"


@pytest.mark.parametrize(
    ("name", "true", "predicted", "text"),
    [
        ("mse", (4,), (4, 3), "end the model with one unit"),
        ("mse", (5, 3), (4, 3), "number of samples differs"),
        ("mae", (4, 2), (4, 3), "as many units"),
        ("categorical_crossentropy", (4,), (4, 3), "sparse_categorical_crossentropy"),
        ("sparse_categorical_crossentropy", (4, 3), (4, 3), "use 'categorical_crossentropy'"),
        ("sparse_categorical_crossentropy", (5,), (4, 3), r"labels of shape \(4,\)"),
        ("sparse_categorical_crossentropy", (4,), (4, 1), "binary_crossentropy"),
    ],
)
def test_shapes_that_do_not_fit_say_what_to_do(name, true, predicted, text):
    with pytest.raises(ShapeError, match=text):
        losses.get(name)(np.zeros(true), np.zeros(predicted))


def test_a_label_that_is_no_class_is_an_error():
    loss = losses.get("sparse_categorical_crossentropy")
    for labels in ([0, 3], [-1, 0]):
        with pytest.raises(ValueError, match="labels from 0 to 2, as the model has 3 outputs"):
            loss(np.array(labels), np.ones((2, 3)))


def test_weights_that_fit_no_sample_are_an_error():
    with pytest.raises(ShapeError, match="sample_weight"):
        losses.get("mse")(np.zeros((4, 3)), np.zeros((4, 3)), np.ones(5))


def test_weights_of_a_sample_count_for_each_of_its_steps():
    loss = losses.get("mse")
    y, p = np.zeros((2, 3, 1)), np.ones((2, 3, 1))
    assert float(loss(y, p, np.array([1.0, 0.0]))) == pytest.approx(0.5)
    assert float(loss(y, p, np.array([[1.0, 0, 0], [0, 0, 1.0]]))) == pytest.approx(1 / 3)


# --- names ----------------------------------------------------------------------------------------


def test_names_classes_and_functions_are_one_loss():
    y, p = np.array([[1.0, 2.0]]), np.array([[1.0, 4.0]])

    def mine(y_true, y_pred):
        return np.sum(np.square(y_true - y_pred), axis=-1)

    for identifier in ("mse", "MSE", "mean_squared_error", "MeanSquaredError"):
        assert float(losses.get(identifier)(y, p)) == 2.0
    assert float(losses.get(losses.mean_squared_error)(y, p)) == 2.0
    assert float(losses.get(mine)(y, p)) == 4.0
    assert losses.get(mine).name == "mine"
    assert losses.get(None) is None
    assert losses.serialize(losses.get(mine)) == "mine"
    assert float(losses.deserialize("mine", {"mine": mine})(y, p)) == 4.0


def test_a_wrong_name_suggests_the_nearest_and_a_wrong_argument_shows_the_signature():
    with pytest.raises(ValueError, match="did you mean 'sparse_categorical_crossentropy'"):
        losses.get("sparse_categorical_crosentropy")
    with pytest.raises(TypeError, match="from_logits"):
        losses.SparseCategoricalCrossentropy(from_logit=True)
    with pytest.raises(ValueError, match="reduction"):
        losses.MeanSquaredError(reduction="average")
    with pytest.raises(TypeError, match="a loss"):
        losses.get(3)


def test_arguments_stand_where_keras_has_them():
    loss = losses.SparseCategoricalCrossentropy(True, 2, "sum", -1, "mine")
    assert loss.get_config() == {
        "name": "mine",
        "reduction": "sum",
        "from_logits": True,
        "ignore_class": 2,
        "axis": -1,
    }
    assert losses.Huber(0.5, "sum").options == {"delta": 0.5}


@pytest.mark.parametrize("name", ["crossentropy", "ce"])
@pytest.mark.parametrize("jit", [True, False])
def test_crossentropy_means_the_one_that_the_shapes_say(name, jit):
    x = numpy.cos(numpy.arange(24.0)).reshape(8, 3).astype("float32")
    labels = numpy.arange(8) % 4
    cases = [
        (1, "sigmoid", (labels > 1).astype("float32"), "binary_crossentropy"),
        (4, "softmax", labels, "sparse_categorical_crossentropy"),
        (4, "softmax", labels[:, None], "sparse_categorical_crossentropy"),
        (4, "softmax", numpy.eye(4, dtype="float32")[labels], "categorical_crossentropy"),
    ]
    for units, activation, y, meant in cases:
        logs = []
        for loss in (name, meant):
            minpy.random.seed(0)
            model = Sequential([Dense(units, activation=activation)])
            model.compile("sgd", loss, metrics=[loss], jit=jit)
            model.fit(x, y, verbose=0, shuffle=False, epochs=2)
            logs.append(list(model.evaluate(x, y, verbose=0)))
        numpy.testing.assert_allclose(logs[0], logs[1], rtol=1e-6)
    model = Sequential([Dense(2, activation="softmax")])
    model.compile("sgd", name, jit=jit)
    with pytest.raises(ValueError, match="expected class numbers from 0 to 1"):
        model.fit(x, labels, verbose=0)


# Of the program below with `from keras import ...`, Keras 3.15.0 on JAX.
ONE_NUMBER = {
    "a function": (2.195859909057617, [1.970571517944336, 1.8975566625595093], 1.0873893),
    "a class that sums": (26.350318908691406, [7.646429061889648, 6.577226161956787], 0.94306886),
}


@pytest.mark.parametrize("jit", [True, False])
@pytest.mark.parametrize("kind", ONE_NUMBER)
def test_a_loss_of_all_samples_together_counts_with_each_weight_as_in_keras(kind, jit):
    def together(y_true, y_pred):
        return np.mean((y_true - y_pred) ** 2)

    class Together(losses.Loss):
        def call(self, y_true, y_pred):
            return together(y_true, y_pred)

    rng = numpy.random.RandomState(0)
    x, y = rng.randn(12, 3).astype("float32"), rng.randn(12, 2).astype("float32")
    weights, kernel = rng.rand(12).astype("float32"), rng.randn(3, 2).astype("float32")
    model = Sequential([Dense(2)])
    model.build((None, 3))
    model.set_weights([kernel, numpy.zeros(2, "float32")])
    loss = together if kind == "a function" else Together(reduction="sum")
    model.compile("sgd", loss, jit=jit)
    evaluated, history, first = ONE_NUMBER[kind]
    found = model.evaluate(x, y, batch_size=12, sample_weight=weights, verbose=0)
    assert found == pytest.approx(evaluated, rel=1e-6)
    told = model.fit(
        x, y, batch_size=4, epochs=2, sample_weight=weights, shuffle=False, verbose=0
    ).history["loss"]
    assert told == pytest.approx(history, rel=1e-6)
    assert float(model.get_weights()[0][0, 0]) == pytest.approx(first, rel=1e-5)
