"""Activation functions against closed forms and finite differences; softmax against its formula."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from layer_references import POLICIES

import minpy
import minpy.numpy as mnp
from minpy.layers import functions as F
from minpy.policy import use_policy


def phi(x):
    return 0.5 * math.erfc(-x / math.sqrt(2))


# The functions of one number, as the papers write them.
CLOSED_FORMS = {
    F.relu: lambda x: max(x, 0.0),
    F.sigmoid: lambda x: 1 / (1 + math.exp(-x)),
    F.tanh: math.tanh,
    F.softplus: lambda x: math.log1p(math.exp(-abs(x))) + max(x, 0.0),
    F.softsign: lambda x: x / (1 + abs(x)),
    F.elu: lambda x: x if x > 0 else math.expm1(x),
    F.selu: lambda x: 1.0507009873554805 * (x if x > 0 else 1.6732632423543772 * math.expm1(x)),
    F.leaky_relu: lambda x: x if x > 0 else 0.2 * x,
    F.gelu: lambda x: x * phi(x),
    F.silu: lambda x: x / (1 + math.exp(-x)),
    F.hard_sigmoid: lambda x: min(max(x / 6 + 0.5, 0.0), 1.0),
    F.exponential: math.exp,
    F.linear: lambda x: x,
}
ALL = list(CLOSED_FORMS)


def name(function):
    return getattr(function, "__name__", str(function))


@pytest.mark.parametrize("function", ALL, ids=name)
@pytest.mark.parametrize(("dtype", "rtol"), [("float64", 1e-13), ("float32", 2e-6)])
def test_numpy_kernels_are_the_closed_form_to_rounding(function, dtype, rtol):
    x = np.concatenate([np.linspace(-30, 30, 601), [0.0, 1e-8, -1e-8]]).astype(dtype)
    with use_policy("only_numpy"):
        found = function(mnp.array(x)).asnumpy()
    expected = np.array([CLOSED_FORMS[function](float(v)) for v in x])
    assert found.dtype == dtype
    # gelu's tail is the difference of what rounds in exp(-x²/2): relative precision goes with x².
    slack = 40 if function is F.gelu else 1
    np.testing.assert_allclose(found, expected, rtol=rtol * slack, atol=1e-38)


@pytest.mark.parametrize("function", ALL, ids=name)
def test_mxnet_kernels_agree_with_the_closed_form(function):
    x = np.random.default_rng(0).uniform(-8, 8, (300, 300)).astype("float32")
    expected = np.vectorize(CLOSED_FORMS[function])(x.astype("float64"))
    for policy in POLICIES:
        with use_policy(policy):
            found = function(mnp.array(x)).asnumpy()
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=2e-6)


@pytest.mark.parametrize("function", ALL, ids=name)
def test_float64_keeps_double_precision_under_every_policy(function):
    x = np.random.default_rng(0).uniform(-4, 4, 500)
    expected = np.vectorize(CLOSED_FORMS[function])(x)
    for policy in POLICIES:
        with use_policy(policy):
            found = function(mnp.array(x))
        assert found.dtype == np.float64
        np.testing.assert_allclose(found.asnumpy(), expected, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("function", ALL, ids=name)
@pytest.mark.parametrize("policy", POLICIES)
def test_derivatives_to_second_order_are_those_of_finite_differences(function, policy):
    # Away from the kinks of relu and its like.
    x = np.array([[-2.7, -1.1, -0.3], [0.4, 1.6, 2.9]])
    with use_policy(policy):
        minpy.check_grads(function, tol=1e-4, rtol=1e-4)(x)


@pytest.mark.filterwarnings("ignore:grad. the result doesn't depend")  # a slope without a bend
@pytest.mark.parametrize("function", ALL, ids=name)
def test_values_and_slopes_stay_finite_far_out(function):
    if function is F.exponential:
        pytest.skip("grows without bound")
    x = mnp.array(np.array([-1e4, -100.0, 100.0, 1e4], "float32"))
    with np.errstate(all="raise", under="ignore"):
        value = function(x).asnumpy()
        slope = minpy.grad(lambda x: mnp.sum(function(x)))(x).asnumpy()
        bend = minpy.grad(lambda x: mnp.sum(minpy.grad(lambda x: mnp.sum(function(x)))(x)))(x)
    assert np.isfinite(value).all() and np.isfinite(slope).all()
    assert np.isfinite(bend.asnumpy()).all()


def test_slopes_at_the_kinks_are_keras():
    x = np.zeros(1)
    for function, slope in ((F.relu, 0.0), (F.leaky_relu, 0.2), (F.elu, 1.0)):
        assert minpy.grad(lambda x, f=function: mnp.sum(f(x)))(mnp.array(x)).asnumpy()[0] == (
            pytest.approx(slope)
        )
    ends = mnp.array([-3.0, 3.0])
    assert not minpy.grad(lambda x: mnp.sum(F.hard_sigmoid(x)))(ends).asnumpy().any()


def test_settings_change_the_function():
    x = np.array([-2.0, 1.5])
    np.testing.assert_allclose(F.elu(x, 0.5).asnumpy(), [0.5 * math.expm1(-2), 1.5])
    np.testing.assert_allclose(F.leaky_relu(x, 0.01).asnumpy(), [-0.02, 1.5])
    # Hendrycks and Gimpel: 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x³))).
    inner = math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)
    np.testing.assert_allclose(
        F.gelu(x, approximate=True).asnumpy(), 0.5 * x * (1 + np.tanh(inner))
    )
    minpy.check_grads(lambda x: F.gelu(x, approximate=True))(x)
    assert F.swish is F.silu


@pytest.mark.parametrize("function", [f for f in ALL if f is not F.linear], ids=name)
def test_nan_goes_through(function):
    x = np.full((400, 400), np.nan, "float32")
    with use_policy("auto"):
        assert np.isnan(function(mnp.array(x)).asnumpy()).all()


@pytest.mark.parametrize("function", ALL, ids=name)
def test_integers_single_numbers_and_empty_arrays_are_taken(function):
    assert float(function(2)) == pytest.approx(CLOSED_FORMS[function](2.0), rel=1e-6)
    assert function(mnp.array([[1, 2]])).shape == (1, 2)
    assert function(np.zeros((0, 3))).shape == (0, 3)
    assert function(np.ones(2, "float16")).dtype == np.float16


# --- softmax --------------------------------------------------------------------------------------


@st.composite
def scores(draw):
    shape = tuple(draw(st.lists(st.integers(1, 5), min_size=1, max_size=4)))
    axis = draw(st.integers(-len(shape), len(shape) - 1))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return (rng.standard_normal(shape) * draw(st.sampled_from([1.0, 30.0]))), axis


@pytest.mark.parametrize("policy", POLICIES)
@given(case=scores())
@settings(max_examples=40, deadline=None)
def test_softmax_and_its_logarithm_follow_their_formula(policy, case):
    x, axis = case
    exact = np.exp(x - x.max(axis, keepdims=True))
    total = exact.sum(axis, keepdims=True)
    with use_policy(policy):
        for dtype, tol in (("float64", 1e-12), ("float32", 1e-4)):
            p = F.softmax(x.astype(dtype), axis)
            logp = F.log_softmax(x.astype(dtype), axis)
            assert p.dtype == logp.dtype == dtype
            np.testing.assert_allclose(p.asnumpy(), exact / total, rtol=tol, atol=tol)
            expected = x - x.max(axis, keepdims=True) - np.log(total)
            np.testing.assert_allclose(logp.asnumpy(), expected, rtol=tol, atol=tol)


@pytest.mark.parametrize("function", [F.softmax, F.log_softmax], ids=name)
@given(case=scores())
@settings(max_examples=10, deadline=None)
def test_softmax_derivatives_are_those_of_finite_differences(function, case):
    x, axis = case
    minpy.check_grads(lambda x: function(x, axis), tol=1e-4, rtol=1e-4)(x / 10)


def test_softmax_of_huge_scores_has_finite_derivatives():
    x = mnp.array(np.array([[1e4, -1e4, 0.0], [-1e4, -1e4, -1e4]], "float32"))
    for function in (F.softmax, F.log_softmax):
        j = minpy.jacobian(function)(x).asnumpy()
        assert np.isfinite(function(x).asnumpy()).all() and np.isfinite(j).all()
    np.testing.assert_allclose(F.softmax(x).asnumpy(), [[1, 0, 0], [1 / 3] * 3], rtol=1e-6)


def test_a_wrong_axis_is_refused():
    with pytest.raises(ValueError, match="axis 2"):
        F.softmax(np.ones((2, 2)), 2)
    with pytest.raises(ValueError, match="axis -1"):
        F.log_softmax(3.0)
