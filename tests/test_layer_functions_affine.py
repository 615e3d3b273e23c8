"""The affine map and its products, flattening, and dropout."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from layer_references import NEEDS_MXNET, POLICIES

import minpy
import minpy.numpy as mnp
from minpy import random
from minpy.errors import ShapeError
from minpy.layers import functions as F
from minpy.layers.functions.affine import _affine_map, product
from minpy.policy import use_policy

sizes = st.integers(1, 6)


@pytest.mark.parametrize("policy", POLICIES)
@given(n=sizes, d=sizes, m=sizes, bias=st.booleans(), seed=st.integers(0, 99))
@settings(max_examples=25, deadline=None)
def test_affine_is_numpys_product_and_sum(policy, n, d, m, bias, seed):
    rng = np.random.default_rng(seed)
    x, w, b = rng.standard_normal((n, d)), rng.standard_normal((d, m)), rng.standard_normal(m)
    b = b if bias else None
    for dtype, tol in (("float32", 1e-5), ("float64", 1e-13)):
        with use_policy(policy):
            given = [a if a is None else a.astype(dtype) for a in (x, w, b)]
            out = F.affine(*given)
        assert out.dtype == dtype
        np.testing.assert_allclose(
            out.asnumpy(), x @ w + (0 if b is None else b), rtol=tol, atol=tol
        )


@pytest.mark.parametrize("policy", POLICIES)
def test_derivatives_to_third_order_are_those_of_finite_differences(policy):
    rng = np.random.default_rng(0)
    x, w, b = rng.standard_normal((3, 2, 2)), rng.standard_normal((4, 3)), np.ones(3)
    with use_policy(policy):
        minpy.check_grads(lambda *a: F.affine(*a) ** 2, order=2, tol=1e-4, rtol=1e-4)(x, w, b)
        minpy.check_grads(F.affine, order=3, modes=["rev"], tol=1e-3, rtol=1e-3)(x, w, b)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("transpose_x", [False, True])
@pytest.mark.parametrize("transpose_y", [False, True])
def test_products_of_matrices_in_either_orientation(policy, transpose_x, transpose_y):
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((3, 4)), rng.standard_normal((4, 2))
    x, y = x.T if transpose_x else x, y.T if transpose_y else y

    def f(x, y):
        return product(x, y, transpose_x, transpose_y)

    expected = (x.T if transpose_x else x) @ (y.T if transpose_y else y)
    with use_policy(policy):
        np.testing.assert_allclose(f(mnp.array(x), mnp.array(y)).asnumpy(), expected)
        minpy.check_grads(f)(x, y)


@pytest.mark.skipif(NEEDS_MXNET, reason="mxnet is not installed")
def test_large_float32_products_are_mxnets_where_there_is_no_onednn_to_call(monkeypatch):
    monkeypatch.setattr(_affine_map, "fast", None)
    monkeypatch.setattr(product, "fast", None)
    with use_policy("auto"):
        for n, kernel in ((256, "mxnet"), (16, "numpy")):
            x, w, b = mnp.ones((n, 640)), mnp.ones((640, 512)), mnp.ones(512)
            minpy.policy.reset_operation_counts()
            gradients = minpy.grad(lambda *a: mnp.sum(F.affine(*a)), (0, 1, 2))(x, w, b)
            counts = minpy.policy.operation_counts()
            assert counts["affine"][kernel] == 1
            assert counts["matrix_product"][kernel] == 2
            assert [float(g.ravel()[0]) for g in gradients] == [512.0, n, n]


def test_samples_with_several_axes_are_flattened():
    x = np.arange(12.0).reshape(2, 3, 2)
    w = np.random.default_rng(0).standard_normal((6, 4))
    np.testing.assert_allclose(F.affine(x, w).asnumpy(), x.reshape(2, 6) @ w)
    assert F.flatten(x).shape == (2, 6)
    assert F.flatten(np.zeros((0, 3, 2))).shape == (0, 6)
    assert F.flatten(np.zeros(5)).shape == (5, 1)


def test_integers_take_the_weights_dtype():
    out = F.affine(np.eye(3, dtype="int64"), np.ones((3, 2), "float32"))
    assert out.dtype == np.float32
    assert out.asnumpy().tolist() == [[1, 1]] * 3


def test_what_does_not_fit_is_refused_with_what_was_expected():
    w = np.ones((6, 2))
    with pytest.raises(ShapeError, match=r"6 features .* got x of shape \(2, 5\)"):
        F.affine(np.ones((2, 5)), w)
    with pytest.raises(ShapeError, match="12 features a sample"):
        F.affine(np.ones((2, 3, 4)), w)
    with pytest.raises(ShapeError, match=r"x\[None, :\]"):
        F.affine(np.ones(6), w)
    with pytest.raises(ShapeError, match=r"biases of shape \(2,\)"):
        F.affine(np.ones((1, 6)), w, np.ones(3))
    with pytest.raises(ShapeError, match="features, units"):
        F.affine(np.ones((1, 6)), np.ones(6))
    with pytest.raises(TypeError, match="w of a float dtype"):
        F.affine(np.ones((1, 6)), np.ones((6, 2), int))


def test_an_empty_batch_goes_through_and_back():
    x, w, b = mnp.zeros((0, 3)), mnp.ones((3, 2)), mnp.ones(2)
    for policy in POLICIES:
        with use_policy(policy):
            assert F.affine(x, w, b).shape == (0, 2)
    gradients = minpy.grad(lambda *a: mnp.sum(F.affine(*a)), (0, 1, 2))(x, w, b)
    assert [g.shape for g in gradients] == [(0, 3), (3, 2), (2,)]
    assert not gradients[1].asnumpy().any()


# --- dropout --------------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [0.1, 0.25, 0.5, 0.9])
def test_dropout_drops_its_share_and_keeps_the_mean(rate):
    x = np.ones((400, 500), "float32")
    out = F.dropout(x, rate, seed=3).asnumpy()
    dropped = (out == 0).mean()
    # Four standard deviations of a binomial share.
    assert abs(dropped - rate) < 4 * np.sqrt(rate * (1 - rate) / x.size)
    np.testing.assert_allclose(out[out != 0], 1 / (1 - rate), rtol=1e-6)
    assert out.mean() == pytest.approx(1.0, abs=0.02)


def test_dropout_does_nothing_in_a_test_or_at_rate_0():
    x = mnp.ones((3, 3))
    for out in (F.dropout(x, 0.5, "test"), F.dropout(x, 0.5, False), F.dropout(x, 0.0)):
        assert (out.asnumpy() == 1).all()


def test_the_gradient_goes_where_the_values_went():
    x = mnp.array(np.random.default_rng(0).standard_normal((20, 20)))
    with random.scope(1, 2):
        out = F.dropout(x, 0.3)
    with random.scope(1, 2):
        g = minpy.grad(lambda x: mnp.sum(F.dropout(x, 0.3)))(x)
    np.testing.assert_allclose(g.asnumpy() * x.asnumpy(), out.asnumpy())
    minpy.check_grads(lambda x: F.dropout(x, 0.3, seed=1) ** 3)(x)


def test_a_seed_drops_the_same_at_each_call_and_no_seed_drops_anew():
    x = np.ones(200)
    one, two = F.dropout(x, 0.5, seed=1).asnumpy(), F.dropout(x, 0.5, seed=2).asnumpy()
    assert (one == F.dropout(x, 0.5, seed=1).asnumpy()).all()
    assert (one != two).any()
    assert (F.dropout(x, 0.5).asnumpy() != F.dropout(x, 0.5).asnumpy()).any()


@pytest.mark.parametrize("rate", [-0.1, 1.1, 1.5, float("nan"), True])
def test_a_rate_outside_of_0_to_1_is_refused(rate):
    with pytest.raises(ValueError, match="from 0 to 1"):
        F.dropout(np.ones(3), rate)


def test_a_mode_that_is_none_is_refused():
    with pytest.raises(ValueError, match="'train' or 'test'"):
        F.dropout(np.ones(3), 0.5, "predict")
