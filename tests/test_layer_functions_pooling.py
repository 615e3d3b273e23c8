"""Pooling against loops and finite differences, on both kernels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from layer_references import NEEDS_MXNET, POLICIES, same_pads
from layer_references import pool as looped_pool

import minpy
import minpy.numpy as mnp
from minpy.errors import ShapeError
from minpy.layers import functions as F
from minpy.policy import use_policy

quick = settings(max_examples=40, deadline=None)


@st.composite
def poolings(draw):
    n = draw(st.integers(1, 3))
    window = tuple(draw(st.integers(1, 3)) for _ in range(n))
    strides = tuple(draw(st.integers(1, 3)) for _ in range(n))
    pads = tuple((draw(st.integers(0, w - 1)), draw(st.integers(0, w - 1))) for w in window)
    if draw(st.booleans()):
        pads = tuple((before, before) for before, _ in pads)
    most = {1: 10, 2: 7, 3: 5}[n]
    size = tuple(
        draw(st.integers(max(w - sum(p), 1), most)) for w, p in zip(window, pads, strict=True)
    )
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    # Few different values: ties in most windows.
    shape = (draw(st.integers(1, 2)), draw(st.integers(1, 3)), *size)
    x = rng.integers(-3, 4, shape).astype("float32")
    return x, window, strides, pads


@pytest.mark.parametrize("policy", POLICIES)
@given(case=poolings(), count_padding=st.booleans())
@quick
def test_pooling_is_that_of_the_loops(policy, case, count_padding):
    x, window, strides, pads = case
    with use_policy(policy):
        highest = F.max_pool(x, window, strides, pads)
        average = F.avg_pool(x, window, strides, pads, count_padding)
    assert highest.dtype == average.dtype == np.float32
    np.testing.assert_array_equal(highest.asnumpy(), looped_pool(x, "max", window, strides, pads))
    np.testing.assert_allclose(
        average.asnumpy(),
        looped_pool(x, "average", window, strides, pads, count_padding),
        rtol=1e-5,
        atol=1e-6,
    )


@pytest.mark.parametrize("policy", POLICIES)
@given(case=poolings())
@quick
def test_the_first_of_equal_maxima_gets_the_gradient(policy, case):
    x, window, strides, pads = case
    rng = np.random.default_rng(0)
    with use_policy(policy):
        vjp, out = minpy.make_vjp(lambda x: F.max_pool(x, window, strides, pads))(mnp.array(x))
        g = rng.standard_normal(out.shape).astype("float32")
        found = vjp(mnp.array(g)).asnumpy()
    # Make the first of equals the only maximum: later elements a little lower.
    places = np.arange(x[0, 0].size).reshape(x.shape[2:])
    lower = x - places * 1e-3
    expected = np.zeros(x.size)
    best = looped_pool(lower, "max", window, strides, pads)
    everywhere = (lower + 100 * _sample(x)).ravel()
    for v, part in zip((best + 100 * _sample(best)).ravel(), g.ravel(), strict=True):
        expected[np.abs(everywhere - v).argmin()] += part
    np.testing.assert_allclose(found.ravel(), expected, rtol=1e-4, atol=1e-5)


def _sample(x):
    """Return which sample and channel each element belongs to, to keep them apart."""
    n, c = x.shape[:2]
    return np.broadcast_to(np.arange(n * c).reshape(n, c, *(1,) * (x.ndim - 2)), x.shape)


@pytest.mark.parametrize("policy", POLICIES)
@given(case=poolings(), kind=st.sampled_from([F.max_pool, F.avg_pool]))
@settings(max_examples=6, deadline=None)
def test_derivatives_to_second_order_are_those_of_finite_differences(policy, case, kind):
    x, window, strides, pads = case
    # No ties: at one the maximum has no derivative.
    x = np.random.default_rng(1).permutation(x.size).reshape(x.shape) * 0.1
    with use_policy(policy):
        minpy.check_grads(lambda x: mnp.tanh(kind(x, window, strides, pads)), tol=1e-4, rtol=1e-4)(
            x
        )


@pytest.mark.skipif(NEEDS_MXNET, reason="mxnet is not installed")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@given(case=poolings(), count_padding=st.booleans())
@quick
def test_both_kernels_give_the_same_gradients(dtype, case, count_padding):
    x, window, strides, pads = case
    x = x.astype(dtype)
    found = []
    for policy in POLICIES:
        with use_policy(policy):
            found.append(
                [
                    minpy.grad(lambda x, f=f: mnp.sum(f(x) ** 2))(mnp.array(x)).asnumpy()
                    for f in (
                        lambda x: F.max_pool(x, window, strides, pads),
                        lambda x: F.avg_pool(x, window, strides, pads, count_padding),
                    )
                ]
            )
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4)


@given(size=st.integers(1, 12), window=st.integers(1, 4), stride=st.integers(1, 4))
@quick
def test_same_padding_is_keras_rule_and_not_counted(size, window, stride):
    x = np.random.default_rng(size).standard_normal((1, 2, size, size)).astype("float32")
    pads = (same_pads(size, window, stride),) * 2
    for policy in POLICIES:
        with use_policy(policy):
            highest = F.max_pool(x, window, stride, "same")
            average = F.avg_pool(x, window, stride, "same")
        assert highest.shape == (1, 2, -(-size // stride), -(-size // stride))
        settled = (window,) * 2, (stride,) * 2, pads
        np.testing.assert_allclose(highest.asnumpy(), looped_pool(x, "max", *settled))
        np.testing.assert_allclose(
            average.asnumpy(), looped_pool(x, "average", *settled), rtol=1e-5, atol=1e-6
        )


def test_average_of_a_padded_corner_by_both_counts():
    x = np.ones((1, 1, 2, 2))
    assert F.avg_pool(x, 2, 1, 1).asnumpy()[0, 0, 0, 0] == 1.0
    assert F.avg_pool(x, 2, 1, 1, count_include_pad=True).asnumpy()[0, 0, 0, 0] == 0.25


def test_global_pooling_is_numpys_reduction_of_each_channel():
    x = np.random.default_rng(0).standard_normal((3, 4, 5, 6))
    np.testing.assert_allclose(F.global_avg_pool(x).asnumpy(), x.mean((2, 3)))
    np.testing.assert_allclose(F.global_max_pool(x).asnumpy(), x.max((2, 3)))
    assert F.global_avg_pool(x, keepdims=True).shape == (3, 4, 1, 1)
    assert F.global_max_pool(x[..., 0], keepdims=True).shape == (3, 4, 1)
    minpy.check_grads(F.global_avg_pool)(x)
    minpy.check_grads(F.global_max_pool)(x)


@pytest.mark.skipif(NEEDS_MXNET, reason="mxnet is not installed")
def test_large_float32_pooling_runs_on_onednn_without_a_word(capfd):
    with use_policy("auto"):
        x = mnp.ones((8, 16, 32, 32))
        minpy.policy.reset_operation_counts()
        minpy.grad(lambda x: mnp.sum(F.max_pool(x)) + mnp.sum(F.avg_pool(x)))(x)
        F.max_pool(x[:1, :1])
        counts = minpy.policy.operation_counts()
    for operation in ("max_pool_to_input", "avg_pool", "avg_pool_to_input"):
        assert counts[operation] == {"numpy": 0, "mxnet": 1}
    assert counts["max_pool"] == {"numpy": 1, "mxnet": 1}
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("kind", [F.max_pool, F.avg_pool])
def test_what_does_not_fit_is_refused(kind):
    x = np.ones((1, 1, 4, 4))
    with pytest.raises(ShapeError, match="doesn't fit"):
        kind(x, 5)
    with pytest.raises(ShapeError, match="batch, channels, height, width"):
        kind(x[0, 0])
    with pytest.raises(ValueError, match="padding alone"):
        kind(x, 2, pad=2)
    with pytest.raises(ValueError, match="pool"):
        kind(x, (2, 2, 2))
    with pytest.raises(TypeError, match="float dtype"):
        kind(x.astype(int))


@pytest.mark.parametrize("kind", [F.max_pool, F.avg_pool])
def test_an_empty_batch_and_float16_go_through(kind):
    for policy in POLICIES:
        with use_policy(policy):
            assert kind(np.zeros((0, 2, 4, 4))).shape == (0, 2, 2, 2)
            out = kind(np.arange(16, dtype="float16").reshape(1, 1, 4, 4))
            assert out.dtype == np.float16
            g = minpy.grad(lambda x: mnp.sum(kind(x)))(mnp.ones((1, 1, 4, 4), "float16"))
            assert g.dtype == np.float16 and g.asnumpy().sum() == 4


def test_a_pooled_array_shares_no_memory_with_its_input():
    x = mnp.ones((1, 1, 2, 2))
    y = F.max_pool(x, 1)
    y[...] = 5
    assert x.asnumpy().max() == 1
