"""Batch normalisation against its formula, finite differences and published behaviour."""

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


@st.composite
def batches(draw, dtype="float64"):
    shape = tuple(draw(st.lists(st.integers(1, 4), min_size=2, max_size=4)))
    axis = draw(st.integers(-len(shape), len(shape) - 1))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    c = shape[axis]
    x = (rng.standard_normal(shape) * 3 + 5).astype(dtype)
    gamma, beta = rng.standard_normal((2, c)).astype(dtype)
    mean, var = rng.standard_normal(c).astype(dtype), rng.random(c).astype(dtype)
    return x, gamma, beta, mean, var, axis


def by_formula(x, gamma, beta, mean, var, eps, axis):
    moved = np.moveaxis(x.astype("float64"), axis, -1)
    out = gamma * (moved - mean) / np.sqrt(var + eps) + beta
    return np.moveaxis(out, -1, axis)


def statistics(x, axis):
    others = tuple(i for i in range(x.ndim) if i != axis % x.ndim)
    return x.mean(others, dtype="float64"), x.var(others, dtype="float64")


@pytest.mark.parametrize("policy", POLICIES)
@given(case=batches("float32"))
@settings(max_examples=40, deadline=None)
def test_training_normalises_by_the_batch_and_moves_the_averages(policy, case):
    x, gamma, beta, mean, var, axis = case
    with use_policy(policy):
        out, new_mean, new_var = F.batchnorm(x, gamma, beta, "train", 1e-3, 0.8, mean, var, axis)
    of_batch = statistics(x, axis)
    expected = by_formula(x, gamma, beta, *of_batch, 1e-3, axis)
    np.testing.assert_allclose(out.asnumpy(), expected, rtol=1e-3, atol=2e-3)
    np.testing.assert_allclose(
        new_mean.asnumpy(), 0.8 * mean + 0.2 * of_batch[0], rtol=1e-5, atol=1e-5
    )
    np.testing.assert_allclose(
        new_var.asnumpy(), 0.8 * var + 0.2 * of_batch[1], rtol=1e-4, atol=1e-4
    )
    assert out.dtype == new_mean.dtype == np.float32


@pytest.mark.parametrize("policy", POLICIES)
@given(case=batches("float32"))
@settings(max_examples=30, deadline=None)
def test_testing_normalises_by_the_averages_and_leaves_them(policy, case):
    x, gamma, beta, mean, var, axis = case
    with use_policy(policy):
        out, same_mean, same_var = F.batchnorm(x, gamma, beta, "test", 1e-3, 0.8, mean, var, axis)
    expected = by_formula(x, gamma, beta, mean, var, 1e-3, axis)
    np.testing.assert_allclose(out.asnumpy(), expected, rtol=1e-3, atol=1e-3)
    np.testing.assert_array_equal(same_mean.asnumpy(), mean)
    np.testing.assert_array_equal(same_var.asnumpy(), var)


@pytest.mark.parametrize("mode", ["train", "test"])
@given(case=batches())
@settings(max_examples=8, deadline=None)
def test_derivatives_to_second_order_are_those_of_finite_differences(mode, case):
    x, gamma, beta, mean, var, axis = case

    def f(*given):
        # All three results, so that gradients through the statistics count too.
        out, *averages = F.batchnorm(*given[:3], mode, 0.1, 0.5, *given[3:], axis)
        return mnp.tanh(out), averages

    minpy.check_grads(f, tol=1e-4, rtol=1e-4)(x, gamma, beta, mean, var + 0.5)


@pytest.mark.skipif(NEEDS_MXNET, reason="mxnet is not installed")
@pytest.mark.parametrize(("dtype", "tol"), [("float32", 1e-2), ("float64", 1e-8)])
@given(data=st.data(), mode=st.sampled_from(["train", "test"]))
@settings(max_examples=25, deadline=None)
def test_both_kernels_give_the_same_gradients(dtype, tol, data, mode):
    x, gamma, beta, mean, var, axis = data.draw(batches(dtype))
    weights = np.random.default_rng(0).standard_normal(x.shape).astype(dtype)

    def loss(x, gamma, beta):
        out, _, _ = F.batchnorm(x, gamma, beta, mode, 0.01, 0.9, mean, var, axis)
        return mnp.sum(mnp.array(weights) * out**2)

    found = []
    for policy in POLICIES:
        with use_policy(policy):
            gradients = minpy.grad(loss, (0, 1, 2))(*map(mnp.array, (x, gamma, beta)))
            found.append([g.asnumpy() for g in gradients])
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a, b, rtol=tol, atol=tol)


@pytest.mark.skipif(NEEDS_MXNET, reason="mxnet is not installed")
def test_large_image_batches_run_on_onednn_with_the_same_numbers():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((32, 32, 36, 36)).astype("float32") * 2 + 3
    gamma, beta = rng.random((2, 32)).astype("float32")
    g = rng.standard_normal(x.shape).astype("float32")
    found = []
    for policy in ("auto", "only_numpy"):
        with use_policy(policy):
            minpy.policy.reset_operation_counts()
            vjp, (out, mean, var) = minpy.make_vjp(
                lambda x, gamma, beta: F.batchnorm(x, gamma, beta), (0, 1, 2)
            )(mnp.array(x), mnp.array(gamma), mnp.array(beta))
            parts = vjp((mnp.array(g), mnp.zeros(32), mnp.zeros(32)))
            counts = minpy.policy.operation_counts()
        kernel = "mxnet" if policy == "auto" else "numpy"
        assert counts["batch_norm"][kernel] == counts["batch_norm_gradients"][kernel] == 1
        found.append([a.asnumpy() for a in (out, mean, var, *parts)])
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-2)


def test_the_whole_batch_has_mean_0_and_variance_1():
    x = np.random.default_rng(0).standard_normal((64, 5)) * 100 - 40
    out, _, _ = F.batchnorm(x, None, None, eps=1e-9)
    np.testing.assert_allclose(out.asnumpy().mean(0), 0, atol=1e-12)
    np.testing.assert_allclose(out.asnumpy().var(0), 1, rtol=1e-9)


def test_keras_example_of_moving_averages():
    # Keras' documentation: moving = moving * momentum + batch * (1 - momentum), starting at 0 and
    # 1, momentum 0.99 and epsilon 0.001 by default; the variance is that of the population.
    x = np.array([[1.0], [3.0]])
    out, mean, var = F.batchnorm(
        x, np.ones(1), np.zeros(1), True, 1e-3, 0.99, np.zeros(1), np.ones(1)
    )
    assert mean.asnumpy()[0] == pytest.approx(0.02)
    assert var.asnumpy()[0] == pytest.approx(0.99 + 0.01)
    assert out.asnumpy()[1, 0] == pytest.approx(1 / np.sqrt(1.001))


def test_arguments_are_as_in_minpy_0_3_4_and_nothing_is_written_to():
    x = np.array([[0.0, 1.0], [2.0, 5.0]])
    mean, var = np.zeros(2), np.zeros(2)
    gamma, beta = np.ones(2), np.ones(2)
    out, new_mean, new_var = F.batchnorm(x, gamma, beta, "train", 1e-5, 0.9, mean, var)
    np.testing.assert_allclose(out.asnumpy(), [[0, 0], [2, 2]], atol=1e-4)
    np.testing.assert_allclose(new_mean.asnumpy(), [0.1, 0.3])
    np.testing.assert_allclose(new_var.asnumpy(), [0.1, 0.4])
    assert not mean.any() and not var.any()
    _, started, _ = F.batchnorm(x, gamma, beta)
    np.testing.assert_allclose(started.asnumpy(), [0.1, 0.3])


def test_float16_keeps_its_statistics_in_float32():
    x = (np.random.default_rng(0).standard_normal((4096, 2)) + 100).astype("float16")
    out, mean, var = F.batchnorm(x, np.ones(2, "float16"), np.zeros(2, "float16"))
    assert out.dtype == np.float16
    assert mean.dtype == var.dtype == np.float32
    np.testing.assert_allclose(mean.asnumpy() * 10, x.mean(0, dtype="float64"), rtol=1e-5)


def test_what_does_not_fit_is_refused():
    x, one = np.ones((4, 3)), np.ones(3)
    with pytest.raises(ShapeError, match=r"gamma of shape \(3,\)"):
        F.batchnorm(x, np.ones(4), one)
    with pytest.raises(ShapeError, match="axis 2"):
        F.batchnorm(x, one, one, axis=2)
    with pytest.raises(ShapeError, match="batch, channels"):
        F.batchnorm(one, one, one)
    with pytest.raises(ShapeError, match="without elements"):
        F.batchnorm(x[:0], one, one)
    with pytest.raises(ValueError, match="'train' or 'test'"):
        F.batchnorm(x, one, one, mode="training")
    with pytest.raises(ValueError, match="needs running_mean"):
        F.batchnorm(x, one, one, mode="test")
    with pytest.raises(TypeError, match="float dtype"):
        F.batchnorm(x.astype(int), one, one)
