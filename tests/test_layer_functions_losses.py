"""Losses against their formulas in double precision, finite differences, and known numbers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from layer_references import NEEDS_MXNET, POLICIES

import minpy
import minpy.numpy as mnp
from minpy.errors import ShapeError
from minpy.layers import functions as F
from minpy.policy import use_policy


def log_softmax(x):
    x = x - x.max(-1, keepdims=True)
    return x - np.log(np.exp(x).sum(-1, keepdims=True))


def one_hot(labels, classes):
    return np.eye(classes)[labels]


@st.composite
def classified(draw, scale=3.0):
    lead = tuple(draw(st.lists(st.integers(1, 4), min_size=1, max_size=3)))
    classes = draw(st.integers(2, 6))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return rng.standard_normal((*lead, classes)) * scale, rng.integers(0, classes, lead)


@pytest.mark.parametrize("policy", POLICIES)
@given(case=classified())
@settings(max_examples=30, deadline=None)
def test_cross_entropy_is_minus_the_log_probability_of_the_label(policy, case):
    x, labels = case
    expected = -np.take_along_axis(log_softmax(x), labels[..., None], -1)[..., 0]
    hot = one_hot(labels, x.shape[-1])
    with use_policy(policy):
        for dtype, tol in (("float32", 1e-5), ("float64", 1e-13)):
            for given_labels in (
                labels,
                labels[..., None],
                labels.astype("uint8"),
                labels.astype("float32"),
                hot,
                hot.astype("int32"),
                mnp.array(labels),
            ):
                out = F.softmax_cross_entropy(x.astype(dtype), given_labels)
                assert out.shape == labels.shape and out.dtype == dtype
                np.testing.assert_allclose(out.asnumpy(), expected, rtol=tol, atol=tol)


@given(case=classified(), seed=st.integers(0, 99))
@settings(max_examples=20, deadline=None)
def test_cross_entropy_with_probabilities(case, seed):
    x, _ = case
    p = np.random.default_rng(seed).random(x.shape)
    p /= p.sum(-1, keepdims=True)
    expected = -(p * log_softmax(x)).sum(-1)
    np.testing.assert_allclose(F.softmax_cross_entropy(x, p).asnumpy(), expected, rtol=1e-12)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("order", [2, 3])
def test_cross_entropy_derivatives_are_those_of_finite_differences(policy, order):
    rng = np.random.default_rng(0)
    x, labels = rng.standard_normal((4, 3)), np.array([0, 2, 1, 2])
    p = rng.random((4, 3))
    with use_policy(policy):
        check = {"order": order, "tol": 1e-3, "rtol": 1e-3}
        minpy.check_grads(lambda x: F.softmax_cross_entropy(x, labels), **check)(x)
        minpy.check_grads(lambda x: F.softmax_loss(x, labels) ** 2, **check)(x)
        if order == 2:
            minpy.check_grads(F.softmax_cross_entropy, **check)(x, p)


def test_the_gradient_of_softmax_loss_is_probability_minus_label_over_the_batch():
    rng = np.random.default_rng(0)
    for shape in ((5, 4), (64, 1000)):  # both kernels under the default policy
        x = rng.standard_normal(shape).astype("float32")
        labels = rng.integers(0, shape[1], shape[0])
        expected = (np.exp(log_softmax(x)) - one_hot(labels, shape[1])) / shape[0]
        for given_labels in (labels, one_hot(labels, shape[1])):
            g = minpy.grad(lambda x, y=given_labels: F.softmax_loss(x, y))(mnp.array(x))
            assert g.dtype == np.float32
            np.testing.assert_allclose(g.asnumpy(), expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("policy", POLICIES)
def test_logits_of_ten_thousand_give_finite_losses_and_derivatives(policy):
    rows = [[1e4, -1e4, 0.0], [-1e4, 1e4, 1e4], [1e4, 1e4, 1e4]]
    x, labels = mnp.array(np.array(rows, "float32")), np.array([1, 0, 2])
    hot = one_hot(labels, 3).astype("float32")
    z = mnp.array(np.array([1e4, -1e4, 1e4, -1e4], "float32"))
    bits = np.array([0.0, 1.0, 1.0, 0.0], "float32")
    losses = [
        (lambda x: F.softmax_loss(x, labels), x),
        (lambda x: F.softmax_loss(x, hot), x),
        (lambda x: F.svm_loss(x, labels), x),
        (lambda z: mnp.sum(F.binary_cross_entropy(z, bits)), z),
    ]
    with use_policy(policy), np.errstate(over="raise", invalid="raise", divide="raise"):
        for loss, at in losses:
            value, gradient = minpy.value_and_grad(loss)(at)
            curvature = minpy.hessian(loss)(at) if loss is not losses[2][0] else gradient
            for found in (value, gradient, curvature):
                assert np.isfinite(found.asnumpy()).all()
        exact = F.softmax_cross_entropy(x, labels).asnumpy()
        np.testing.assert_allclose(exact, [2e4, 2e4 + np.log(2), np.log(3)], rtol=1e-5)
        exact = F.binary_cross_entropy(z, bits).asnumpy()
        assert exact.tolist() == [1e4, 1e4, 0.0, 0.0]


@pytest.mark.skipif(NEEDS_MXNET, reason="mxnet is not installed")
@given(case=classified())
@settings(max_examples=20, deadline=None)
def test_both_kernels_give_the_same_gradients_and_hessians(case):
    x, labels = case
    x = x.astype("float32")
    found = []
    for policy in POLICIES:
        with use_policy(policy):
            g = minpy.grad(lambda x: F.softmax_loss(x, labels))(mnp.array(x))
            v = mnp.array(np.cos(np.arange(x.size)).reshape(x.shape).astype("float32"))
            hv = minpy.grad(
                lambda x, v=v: mnp.sum(v * minpy.grad(lambda x: F.softmax_loss(x, labels))(x))
            )(mnp.array(x))
            found.append((g.asnumpy(), hv.asnumpy()))
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


def test_binary_cross_entropy_is_its_formula_and_exact_in_the_tails():
    rng = np.random.default_rng(0)
    z, y = rng.standard_normal(50) * 4, rng.random(50)
    p = 1 / (1 + np.exp(-z))
    expected = -y * np.log(p) - (1 - y) * np.log(1 - p)
    np.testing.assert_allclose(F.binary_cross_entropy(z, y).asnumpy(), expected, rtol=1e-10)
    # log1p(exp(-50)), far below float32's step at 50.
    tail = F.binary_cross_entropy(np.array([50.0], "float32"), np.ones(1)).asnumpy()[0]
    assert tail == pytest.approx(np.exp(-50), rel=1e-5)
    for policy in POLICIES:
        with use_policy(policy):
            minpy.check_grads(F.binary_cross_entropy, tol=1e-4, rtol=1e-4)(z[:6], y[:6])
            found = F.binary_cross_entropy(z.astype("float32"), y).asnumpy()
            np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


def test_a_column_of_logits_takes_a_vector_of_labels_without_broadcasting():
    z, y = np.array([[1.0], [-2.0]]), np.array([1.0, 0.0])
    out = F.binary_cross_entropy(z, y)
    assert out.shape == (2, 1)
    np.testing.assert_allclose(out.asnumpy()[:, 0], F.binary_cross_entropy(z[:, 0], y).asnumpy())


def test_published_numbers_of_cross_entropy_and_hinge():
    # Stanford's CS231n notes on linear classification: scores (-2.85, 0.86, 0.28), right class 2.
    x, label = np.array([[-2.85, 0.86, 0.28]]), np.array([2])
    assert float(F.svm_loss(x, label)) == pytest.approx(1.58, abs=0.005)
    assert float(F.softmax_loss(x, label)) == pytest.approx(1.04, abs=0.005)
    # Keras' documentation of SparseCategoricalCrossentropy: probabilities and two labels.
    p = np.array([[0.05, 0.95, 0.0001], [0.1, 0.8, 0.1]])
    p /= p.sum(-1, keepdims=True)
    found = F.softmax_cross_entropy(np.log(p), np.array([1, 2])).asnumpy()
    np.testing.assert_allclose(found, [0.051, 2.303], atol=1e-3)
    # Keras' documentation of BinaryCrossentropy with from_logits=True: mean 0.865.
    mean = F.binary_cross_entropy(
        np.array([-18.6, 0.51, 2.94, -12.8]), np.array([0.0, 1.0, 0.0, 0.0])
    ).asnumpy()
    assert mean.mean() == pytest.approx(0.865, abs=5e-4)


@given(case=classified())
@settings(max_examples=20, deadline=None)
def test_svm_loss_is_the_sum_of_the_violations(case):
    x, labels = case
    rows, flat = x.reshape(-1, x.shape[-1]), labels.ravel()
    total = sum(
        max(0.0, row[j] - row[y] + 1.0)
        for row, y in zip(rows, flat, strict=True)
        for j in range(len(row))
        if j != y
    )
    for given_labels in (labels, one_hot(labels, x.shape[-1])):
        found = float(F.svm_loss(x, given_labels))
        assert found == pytest.approx(total / len(flat), rel=1e-9, abs=1e-9)
    wide = float(F.svm_loss(x, labels, margin=0.0))
    assert wide <= found + 1e-12
    minpy.check_grads(lambda x: F.svm_loss(x, labels), order=1)(x)


def test_l2_loss_sums_over_a_sample_and_averages_over_the_batch():
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((4, 3, 2)), rng.standard_normal((4, 3, 2))
    assert float(F.l2_loss(x, y)) == pytest.approx(((x - y) ** 2).sum() / 4)
    scores, labels = rng.standard_normal((4, 3)), np.array([0, 2, 1, 1])
    expected = ((scores - one_hot(labels, 3)) ** 2).sum() / 4
    assert float(F.l2_loss(scores, labels)) == pytest.approx(expected)
    # A column against a vector: no broadcasting to a square.
    assert float(F.l2_loss(scores[:, :1], scores[:, 0])) == 0.0
    minpy.check_grads(F.l2_loss)(x, y)


BAD_LABELS = [
    (np.array([0, 3]), ValueError, "from 0 to 2"),
    (np.array([-1, 0]), ValueError, "got -1 to 0"),
    (np.array([0.5, 1.0]), ValueError, "fractions"),
    (np.array([0, 1, 2]), ShapeError, r"got \(3,\)"),
    (np.zeros((2, 4)), ShapeError, r"\(2, 3\) \(a number"),
    (np.array(1), ShapeError, "labels of shape"),
]


@pytest.mark.parametrize(("labels", "error", "message"), BAD_LABELS)
@pytest.mark.parametrize("loss", [F.softmax_cross_entropy, F.softmax_loss, F.svm_loss])
def test_labels_that_are_none_are_refused(loss, labels, error, message):
    with pytest.raises(error, match=message):
        loss(np.zeros((2, 3)), labels)


def test_other_bad_arguments_are_refused():
    with pytest.raises(ShapeError, match="batch, classes"):
        F.softmax_loss(np.zeros(3), np.array([1]))
    with pytest.raises(TypeError, match="float dtype"):
        F.softmax_loss(np.zeros((2, 3), int), np.array([0, 1]))
    with pytest.raises(ValueError, match="one-hot"):
        F.svm_loss(np.zeros((1, 2)), np.array([[0.5, 0.5]]))
    with pytest.raises(ShapeError, match="like the scores"):
        F.l2_loss(np.zeros((2, 3)), np.zeros((2, 4)))
    with pytest.raises(ShapeError, match="like the scores"):
        F.binary_cross_entropy(np.zeros((2, 2)), np.zeros(2))
    with pytest.raises(ValueError, match="from 0 to 1, got -1 to 1"):
        F.binary_cross_entropy(np.zeros(2), np.array([-1, 1]))


def test_an_empty_batch_has_no_losses():
    assert F.softmax_cross_entropy(np.zeros((0, 3)), np.zeros(0, int)).shape == (0,)
    assert F.binary_cross_entropy(np.zeros(0), np.zeros(0)).shape == (0,)
    with pytest.raises(ShapeError, match="without samples"):
        F.svm_loss(np.zeros((0, 3)), np.zeros(0, int))
