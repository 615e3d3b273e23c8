"""CTC, and losses of embeddings: by Keras, by definition, in compiled steps, with bad input."""

from __future__ import annotations

import itertools
import json
import pathlib
import warnings

import keras_losses as ask
import numpy
import pytest

import minpy.numpy as np
from minpy import autograd, losses, runtime
from minpy.errors import DifferentiationError, ShapeError
from minpy.layers import Dense
from minpy.models import Sequential

EXPECTED = json.loads(pathlib.Path(__file__).with_name("keras_losses.json").read_text())


def name_of(case):
    return f"{case[0]}-{json.dumps(case[1])}"


def gradient(function, x):
    return numpy.asarray(autograd.grad(lambda p: np.sum(function(p)))(np.array(x)))


@pytest.mark.parametrize("case", EXPECTED["losses"], ids=name_of)
def test_loss_and_gradient_are_those_of_keras(case):
    name, arguments, kind, expected = case
    true, predicted = ask.targets(kind)
    loss = getattr(losses, name)(**arguments)
    numpy.testing.assert_allclose(float(loss(true, predicted)), expected["value"], rtol=2e-5)
    found = gradient(lambda p: loss(true, p), predicted)
    numpy.testing.assert_allclose(found, expected["gradient"], rtol=2e-4, atol=2e-5)


@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "sum", "none"])
@pytest.mark.parametrize("case", EXPECTED["losses"], ids=name_of)
def test_weighted_losses_are_those_of_keras(case, reduction):
    name, arguments, kind, expected = case
    true, predicted = ask.targets(kind)
    loss = getattr(losses, name)(reduction=reduction, **arguments)
    found = loss(true, predicted, sample_weight=ask.weights(len(true)))
    numpy.testing.assert_allclose(numpy.asarray(found), expected[reduction], rtol=3e-5, atol=1e-6)


# --- CTC ------------------------------------------------------------------------------------------


def merged(path):
    return tuple(k for k, _ in itertools.groupby(path) if k)


@pytest.mark.parametrize("label", [(1,), (2, 1), (1, 1), (2, 2, 1), ()])
def test_ctc_adds_up_all_alignments(label):
    logits = numpy.random.default_rng(0).standard_normal((1, 5, 3))
    p = numpy.exp(logits[0]) / numpy.exp(logits[0]).sum(-1, keepdims=True)
    total = sum(
        numpy.prod([p[t, k] for t, k in enumerate(path)])
        for path in itertools.product(range(3), repeat=5)
        if merged(path) == label
    )
    row = numpy.array([list(label) + [0] * (4 - len(label))])
    numpy.testing.assert_allclose(float(losses.ctc(row, logits)[0]), -numpy.log(total), rtol=1e-12)


def test_the_derivative_of_ctc_is_that_of_differences():
    logits = numpy.random.default_rng(1).standard_normal((3, 6, 4))
    labels = numpy.array([[1, 1, 2], [3, 0, 0], [0, 0, 0]])
    weights = numpy.array([1.0, -2.0, 0.5])

    def function(x):
        return losses.ctc(labels, x) * weights

    found = gradient(function, logits)
    step = 1e-5
    for index in itertools.product(range(3), (0, 3, 5), range(4)):
        moved = [logits.copy(), logits.copy()]
        moved[0][index] += step
        moved[1][index] -= step
        high, low = (float(np.sum(function(np.array(m)))) for m in moved)
        assert found[index] == pytest.approx((high - low) / (2 * step), abs=1e-8)
    # Forward mode gives the same.
    direction = numpy.random.default_rng(2).standard_normal(logits.shape)
    _, slope = autograd.make_jvp(lambda x: np.sum(function(x)))(np.array(logits))(
        np.array(direction)
    )
    assert float(slope) == pytest.approx(float((found * direction).sum()), rel=1e-10)


def test_a_second_derivative_of_ctc_is_refused():
    def slope(x):
        return np.sum(autograd.grad(lambda p: np.sum(losses.ctc(np.array([[1]]), p)))(x) ** 2)

    with pytest.raises(DifferentiationError, match="ctc"):
        autograd.grad(slope)(np.zeros((1, 2, 3)))


def test_ctc_of_logits_far_apart_is_finite():
    logits = numpy.full((1, 4, 3), -1e4)
    logits[:, :, 1] = 1e4
    assert float(losses.ctc(numpy.array([[1, 0]]), logits)[0]) == pytest.approx(0.0)
    assert float(losses.ctc(numpy.array([[2, 0]]), logits)[0]) == pytest.approx(
        8e4 - numpy.log(10)  # ten alignments, each of four steps
    )
    assert numpy.isfinite(gradient(lambda x: losses.ctc(numpy.array([[2, 0]]), x), logits)).all()


@pytest.mark.parametrize(
    ("labels", "shape", "error", "text"),
    [
        ([[1, 5]], (1, 4, 3), ValueError, "from 1 to 2"),
        ([[0, 1]], (1, 4, 3), ValueError, "zeros at the end"),
        ([[1, 1]], (1, 2, 3), ValueError, "needs 3 steps"),
        ([1, 1], (2, 4, 3), ShapeError, r"\(batch, symbols\)"),
        ([[1, 1]], (2, 4, 3), ShapeError, r"\(batch, steps, classes\)"),
    ],
)
def test_labels_that_ctc_cannot_take(labels, shape, error, text):
    with pytest.raises(error, match=text):
        losses.ctc(numpy.array(labels), numpy.zeros(shape))


# --- embeddings -----------------------------------------------------------------------------------


def distances(x):
    return numpy.sqrt(((x[:, None] - x[None]) ** 2).sum(-1))


def hard_by_definition(labels, x, margin):
    d, n = distances(x), len(x)
    found = []
    for i in range(n):
        farthest = max(d[i, j] for j in range(n) if labels[j] == labels[i])
        nearest = min((d[i, j] for j in range(n) if labels[j] != labels[i]), default=numpy.inf)
        found.append(max(farthest - nearest + margin, 0.0))
    return found


def semi_hard_by_definition(labels, x, margin):
    d, n = distances(x), len(x)
    found = []
    for i in range(n):
        strangers = [d[i, k] for k in range(n) if labels[k] != labels[i]]
        own = []
        for j in range(n):
            if j == i or labels[j] != labels[i]:
                continue
            farther = [s for s in strangers if s > d[i, j]]
            if strangers:
                other = min(farther) if farther else max(strangers)
                own.append(max(d[i, j] - other + margin, 0.0))
        found.append(sum(own) / len(own) if own else 0.0)
    return found


@pytest.mark.parametrize("labels", [[0, 1, 0, 2, 1, 0, 3], [0, 0, 0, 0], [0, 1, 2, 3]])
@pytest.mark.parametrize("margin", [0.2, 1.0])
def test_triplets_are_chosen_as_defined(labels, margin):
    x = numpy.random.default_rng(len(labels)).standard_normal((len(labels), 3))
    y = numpy.array(labels)
    hard = numpy.asarray(losses.triplet_hard(y, x, margin))
    numpy.testing.assert_allclose(hard, hard_by_definition(labels, x, margin), atol=2e-6)
    semi = numpy.asarray(losses.triplet_semi_hard(y, x, margin))
    numpy.testing.assert_allclose(semi, semi_hard_by_definition(labels, x, margin), atol=2e-6)
    for function in (losses.triplet_hard, losses.triplet_semi_hard):
        slope = gradient(lambda p, f=function: f(y, p, margin), x)
        assert numpy.isfinite(slope).all()


def test_circle_takes_references_of_its_own():
    true, predicted = ask.targets("embeddings")
    whole = numpy.asarray(losses.circle(true, predicted, remove_diagonal=False))
    part = losses.circle(true[:3], predicted[:3], true, predicted, remove_diagonal=False)
    numpy.testing.assert_allclose(numpy.asarray(part), whole[:3], rtol=1e-6)


def test_a_class_of_one_sample_costs_nothing():
    found = losses.circle(numpy.array([0, 1]), numpy.eye(2))
    numpy.testing.assert_array_equal(numpy.asarray(found), 0.0)


def test_embeddings_and_labels_must_fit():
    for name in ("circle", "triplet_hard", "triplet_semi_hard"):
        with pytest.raises(ShapeError, match="expected labels of shape"):
            getattr(losses, name)(numpy.zeros((4, 2)), numpy.zeros((4, 3)))


def test_generalized_cross_entropy_refuses_what_it_cannot_take():
    with pytest.raises(ValueError, match=r"q in \(0, 1\)"):
        losses.categorical_generalized_cross_entropy([0], [[0.5, 0.5]], 1.5)
    with pytest.raises(ValueError, match="from 0 to 1"):
        losses.categorical_generalized_cross_entropy([2], [[0.5, 0.5]])


# --- all of them ----------------------------------------------------------------------------------

CASES = [
    ("CTC", {}, "sequences"),
    ("Circle", {"gamma": 4.0}, "embeddings"),
    ("TripletHard", {}, "embeddings"),
    ("TripletHard", {"soft": True}, "embeddings"),
    ("TripletSemiHard", {}, "embeddings"),
    ("CategoricalGeneralizedCrossEntropy", {"q": 0.7}, "labels"),
]


def train(case, jit):
    name, arguments, kind = case
    y, x = ask.targets(kind)
    x = x.astype("float32")
    activation = "softmax" if kind == "labels" else None
    model = Sequential([Dense(x.shape[-1], activation=activation, input_shape=x.shape[1:])])
    model.set_weights([numpy.eye(x.shape[-1]), numpy.zeros(x.shape[-1])])
    # Not Adam: the bias gets no gradient but rounding, which it would scale up.
    model.compile("sgd", getattr(losses, name)(**arguments), jit=jit)
    found = [model.train_on_batch(x, y) for _ in range(20)]
    return found, model.get_weights(), model.jit_status


@pytest.mark.skipif(not runtime.available(), reason="needs MXNet")
@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_a_compiled_step_gives_the_numbers_of_the_eager_one(case):
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # a step that can't be traced warns
        compiled, weights, status = train(case, "auto")
    assert status == "compiled"
    eager, expected, _ = train(case, False)
    numpy.testing.assert_allclose(compiled, eager, rtol=5e-5, atol=1e-6)
    for a, b in zip(weights, expected, strict=True):
        numpy.testing.assert_allclose(a, b, rtol=1e-4, atol=2e-5)


@pytest.mark.parametrize("case", [*CASES, ("Contrastive", {"margin": 0.5}, "")], ids=name_of)
def test_losses_are_found_by_name_and_saved(case):
    name, arguments, _ = case
    loss = getattr(losses, name)(reduction="sum", **arguments)
    again = losses.deserialize(json.loads(json.dumps(losses.serialize(loss))))
    assert type(again) is type(loss)
    assert again.get_config() == loss.get_config()
    assert type(losses.get(loss.name)) is type(loss)
