"""Convolution and its transpose against loops, finite differences, and each kernel the other."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from layer_references import NEEDS_MXNET, POLICIES, same_pads
from layer_references import conv as looped_conv

import minpy
import minpy.numpy as mnp
from minpy.errors import ShapeError
from minpy.layers import functions as F
from minpy.layers.functions.convolution import convolution, gradients
from minpy.policy import use_policy

quick = settings(max_examples=40, deadline=None)


@st.composite
def convolutions(draw, dtype="float64"):
    n = draw(st.integers(1, 3))
    groups = draw(st.integers(1, 3))
    each, per_group = draw(st.integers(1, 2)), draw(st.integers(1, 2))
    most = {1: 12, 2: 7, 3: 5}[n]
    window = tuple(draw(st.integers(1, 3)) for _ in range(n))
    dilations = tuple(draw(st.integers(1, 2)) for _ in range(n))
    strides = tuple(draw(st.integers(1, 3)) for _ in range(n))
    pads = tuple((draw(st.integers(0, 2)), draw(st.integers(0, 2))) for _ in range(n))
    reach = [(w - 1) * d + 1 for w, d in zip(window, dilations, strict=True)]
    size = tuple(
        draw(st.integers(max(r - sum(p), 1), max(most, r)))
        for r, p in zip(reach, pads, strict=True)
    )
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    x = rng.standard_normal((draw(st.integers(1, 3)), groups * each, *size)).astype(dtype)
    w = rng.standard_normal((groups * per_group, each, *window)).astype(dtype)
    b = rng.standard_normal(groups * per_group).astype(dtype) if draw(st.booleans()) else None
    return x, w, b, strides, pads, dilations, groups


@pytest.mark.parametrize("policy", POLICIES)
@given(case=convolutions(dtype="float32"))
@quick
def test_convolution_is_that_of_the_loops(policy, case):
    x, w, b, strides, pads, dilations, groups = case
    with use_policy(policy):
        out = F.conv(x, w, b, strides, pads, dilations, groups)
    expected = looped_conv(x.astype("float64"), w, b, strides, pads, dilations, groups)
    assert out.dtype == np.float32
    np.testing.assert_allclose(out.asnumpy(), expected, rtol=1e-4, atol=1e-4)


@given(case=convolutions())
@quick
def test_a_float64_convolution_keeps_double_precision(case):
    x, w, b, strides, pads, dilations, groups = case
    expected = looped_conv(x, w, b, strides, pads, dilations, groups)
    for policy in POLICIES:
        with use_policy(policy):
            out = F.conv(x, w, b, strides, pads, dilations, groups)
        assert out.dtype == np.float64
        np.testing.assert_allclose(out.asnumpy(), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("policy", POLICIES)
@given(case=convolutions())
@settings(max_examples=6, deadline=None)
def test_derivatives_to_second_order_are_those_of_finite_differences(policy, case):
    x, w, b, strides, pads, dilations, groups = case
    arrays = (x, w) if b is None else (x, w, b)

    def f(*given):
        return F.conv(*given, stride=strides, pad=pads, dilation=dilations, groups=groups)

    with use_policy(policy):
        minpy.check_grads(f, order=2, tol=1e-4, rtol=1e-4)(*arrays)


@pytest.mark.parametrize("order", ["fwd", "rev"])
def test_derivatives_of_a_nonlinear_function_of_a_convolution_to_third_order(order):
    rng = np.random.default_rng(0)
    x, w, b = rng.standard_normal((2, 2, 4, 4)), rng.standard_normal((2, 2, 2, 2)), np.ones(2)

    def f(x, w, b):
        return mnp.tanh(F.conv(x, w, b, stride=2, pad="same")) * 2

    minpy.check_grads(f, modes=[order], order=3, tol=1e-4, rtol=1e-4)(x, w, b)


@pytest.mark.skipif(NEEDS_MXNET, reason="mxnet is not installed")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@given(data=st.data())
@quick
def test_both_kernels_give_the_same_gradients(dtype, data):
    case = data.draw(convolutions(dtype))
    x, w, b, strides, pads, dilations, groups = case

    def loss(x, w, b):
        return mnp.sum(F.conv(x, w, b, strides, pads, dilations, groups) ** 2)

    found = []
    for policy in POLICIES:
        with use_policy(policy):
            argnum = (0, 1) if b is None else (0, 1, 2)
            arrays = [mnp.array(a) if a is not None else None for a in (x, w, b)]
            of_all = minpy.grad(loss, argnum)(*arrays)
            # One argument alone takes other primitives than all together.
            of_x, of_w = minpy.grad(loss, 0)(*arrays), minpy.grad(loss, 1)(*arrays)
        tol = {"rtol": 1e-3, "atol": 1e-3 if dtype == "float32" else 1e-10}
        np.testing.assert_allclose(of_x.asnumpy(), of_all[0].asnumpy(), **tol)
        np.testing.assert_allclose(of_w.asnumpy(), of_all[1].asnumpy(), **tol)
        found.append(of_all)
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a.asnumpy(), b.asnumpy(), **tol)


@given(size=st.integers(1, 11), window=st.integers(1, 5), stride=st.integers(1, 4), extra=st.data())
@quick
def test_same_padding_is_tensorflows_rule(size, window, stride, extra):
    x = np.random.default_rng(size).standard_normal((1, 1, size, 6))
    w = np.random.default_rng(window).standard_normal((1, 1, window, 2))
    out = F.conv(x, w, stride=(stride, 1), pad="same")
    assert out.shape == (1, 1, -(-size // stride), 6)
    pads = (same_pads(size, window, stride), (0, 1))
    expected = looped_conv(x, w, None, (stride, 1), pads, (1, 1), 1)
    np.testing.assert_allclose(out.asnumpy(), expected, atol=1e-12)


def test_a_worked_example_of_stride_and_padding():
    # Dumoulin and Visin, "A guide to convolution arithmetic", 2016, figures 1.1 and 1.2.
    x = np.array(
        [[3, 3, 2, 1, 0], [0, 0, 1, 3, 1], [3, 1, 2, 2, 3], [2, 0, 0, 2, 2], [2, 0, 0, 0, 1]], float
    )
    w = np.array([[0, 1, 2], [2, 2, 0], [0, 1, 2]], float)
    out = F.conv(x[None, None], w[None, None])
    assert out.asnumpy()[0, 0].tolist() == [[12, 12, 17], [10, 17, 19], [9, 6, 14]]
    out = F.conv(x[None, None], w[None, None], stride=2, pad=1)
    assert out.asnumpy()[0, 0].tolist() == [[6, 17, 3], [8, 17, 13], [6, 4, 4]]


@pytest.mark.parametrize("policy", POLICIES)
@given(case=convolutions(dtype="float32"), rest=st.integers(0, 2))
@quick
def test_the_transpose_is_the_adjoint_of_the_convolution(policy, case, rest):
    # <conv(x), y> = <x, conv_transpose(y)> for every x and y defines it.
    x, w, _, strides, pads, dilations, groups = case
    y = F.conv(x, w, None, strides, pads, dilations, groups)
    y = np.random.default_rng(rest).standard_normal(y.shape).astype("float32")
    over = tuple(
        (n + sum(p) - (k - 1) * d - 1) % t
        for n, p, k, d, t in zip(x.shape[2:], pads, w.shape[2:], dilations, strides, strict=True)
    )
    with use_policy(policy):
        back = F.conv_transpose(y, w, None, strides, pads, dilations, groups, over)
        out = F.conv(x, w, None, strides, pads, dilations, groups).asnumpy()
    assert back.shape == x.shape
    left = np.sum(out.astype("float64") * y)
    assert np.sum(back.asnumpy().astype("float64") * x) == pytest.approx(left, rel=1e-3, abs=1e-3)


def test_transposed_convolution_takes_keras_two_paddings():
    x, w = np.ones((1, 2, 5)), np.ones((2, 3, 4))
    assert F.conv_transpose(x, w, stride=2, pad="same").shape == (1, 3, 10)
    assert F.conv_transpose(x, w, stride=2, pad="valid").shape == (1, 3, 12)
    # The middle of an upsampling by 2 with a window of 4 gets two contributions a channel.
    out = F.conv_transpose(x, w, np.array([0.0, 1.0, 2.0]), stride=2, pad="same").asnumpy()
    assert out[0, :, 4].tolist() == [4.0, 5.0, 6.0]
    minpy.check_grads(lambda x, w: F.conv_transpose(x, w, stride=2, pad="same"))(x, w)


@pytest.mark.skipif(NEEDS_MXNET, reason="mxnet is not installed")
def test_weights_keep_their_memory_through_onednn():
    # Outside of training mode oneDNN writes a layout of its own over the weights that it is lent.
    rng = np.random.default_rng(0)
    x = rng.standard_normal((8, 32, 13, 13)).astype("float32")
    w = rng.standard_normal((64, 32, 3, 3)).astype("float32")
    before = w.copy()
    weights = mnp.array(w, copy=False)
    with use_policy("prefer_mxnet"):
        first = F.conv(x, weights).asnumpy()
        second = F.conv(x, weights).asnumpy()
        F.conv_transpose(first, weights)
        dense = rng.standard_normal((256, 512)).astype("float32")
        kept = dense.copy()
        F.affine(x[:, :, :4, :2].copy(), mnp.array(dense, copy=False))
    assert convolution.ran_mxnet > 0
    assert np.shares_memory(w, np.asarray(weights))
    np.testing.assert_array_equal(w, before)
    np.testing.assert_array_equal(dense, kept)
    np.testing.assert_array_equal(first, second)


@pytest.mark.skipif(NEEDS_MXNET, reason="mxnet is not installed")
def test_large_float32_convolutions_run_on_onednn_and_small_and_double_ones_do_not():
    large = np.ones((16, 16, 16, 16), "float32"), np.ones((32, 16, 3, 3), "float32")
    with use_policy("auto"):
        for arrays, counted in (
            (large, "mxnet"),
            ([a[:1, :2] for a in large], "numpy"),
            ([a.astype("float64") for a in large], "numpy"),
        ):
            minpy.policy.reset_operation_counts()
            minpy.grad(lambda x, w: mnp.sum(F.conv(x, w)), (0, 1))(*map(mnp.array, arrays))
            counts = minpy.policy.operation_counts()
            for operation in ("convolution", "convolution_gradients"):
                assert counts[operation][counted] == 1, (operation, counts)


def test_a_first_layer_computes_no_gradient_of_its_input(monkeypatch):
    seen = []
    kernel = gradients.kernel

    def spy(*args):
        seen.append(args[-1])
        return kernel(*args)

    monkeypatch.setattr(gradients, "kernel", spy)
    x, w, b = mnp.ones((1, 1, 4, 4)), mnp.ones((1, 1, 2, 2)), mnp.ones(1)
    with use_policy("only_numpy"):
        minpy.grad(lambda w, b: mnp.sum(F.conv(x, w, b)), (0, 1))(w, b)
        minpy.grad(lambda x, w: mnp.sum(F.conv(x, w, b)), (0, 1))(x, w)
    assert seen == [False, True]


def test_float16_is_computed_in_float32_and_comes_back_as_float16():
    rng = np.random.default_rng(0)
    x, w = rng.random((2, 64, 6, 6)), rng.random((4, 64, 3, 3))
    half = F.conv(x.astype("float16"), w.astype("float16"))
    assert half.dtype == np.float16
    exact = F.conv(x.astype("float16").astype("float64"), w.astype("float16").astype("float64"))
    np.testing.assert_allclose(half.asnumpy(), exact.asnumpy(), rtol=1e-3)


def test_mixed_float_dtypes_are_promoted_and_gradients_come_back_in_their_own():
    x, w = mnp.ones((1, 1, 3, 3)), mnp.array(np.ones((1, 1, 2, 2)))
    assert (x.dtype, w.dtype) == (np.float32, np.float64)
    assert F.conv(x, w).dtype == np.float64
    of_x, of_w = minpy.grad(lambda x, w: mnp.sum(F.conv(x, w)), (0, 1))(x, w)
    assert (of_x.dtype, of_w.dtype) == (np.float32, np.float64)


@pytest.mark.parametrize("policy", POLICIES)
def test_an_empty_batch_goes_through_and_back(policy):
    x, w, b = mnp.zeros((0, 2, 5, 5)), mnp.ones((3, 2, 3, 3)), mnp.ones(3)
    with use_policy(policy):
        assert F.conv(x, w, b).shape == (0, 3, 3, 3)
        of_x, of_w, of_b = minpy.grad(lambda *a: mnp.sum(F.conv(*a)), (0, 1, 2))(x, w, b)
    assert of_x.shape == x.shape
    assert not of_w.asnumpy().any() and not of_b.asnumpy().any()


def test_arrays_that_are_not_contiguous_are_read_right():
    rng = np.random.default_rng(1)
    x = rng.standard_normal((5, 6, 2, 3)).transpose(3, 2, 0, 1)[:, :, ::-1]
    w = rng.standard_normal((2, 2, 2, 4)).transpose(3, 0, 1, 2)[::2]
    for dtype in ("float32", "float64"):
        for policy in POLICIES:
            with use_policy(policy):
                out = F.conv(
                    mnp.array(x.astype(dtype), copy=False), mnp.array(w.astype(dtype), copy=False)
                )
            expected = looped_conv(x, w, None, (1, 1), ((0, 0), (0, 0)), (1, 1), 1)
            np.testing.assert_allclose(out.asnumpy(), expected, atol=1e-4)


BAD = [
    (((2, 3, 8, 8), (4, 2, 3, 3)), {}, ShapeError, "take 2 channels, got 3"),
    (((2, 8, 8, 3), (4, 3, 3, 3)), {}, ShapeError, "channels come first"),
    (((8, 8, 3), (4, 3, 3, 3)), {}, ShapeError, r"\(batch, channels, height, width\)"),
    (((2, 3, 8, 8), (4, 3)), {}, ShapeError, "filters, channels"),
    (((2, 3, 2, 8), (4, 3, 3, 3)), {}, ShapeError, "doesn't fit"),
    (((2, 3, 4, 4), (4, 3, 3, 3)), {"dilation": 2}, ShapeError, "dilation"),
    (((2, 3, 8, 8), (4, 3, 3, 3)), {"stride": 0}, ValueError, "stride"),
    (((2, 3, 8, 8), (4, 3, 3, 3)), {"stride": (1, 2, 3)}, ValueError, "one or 2 integers"),
    (((2, 3, 8, 8), (4, 3, 3, 3)), {"pad": "full"}, ValueError, "'valid', 'same'"),
    (((2, 3, 8, 8), (4, 3, 3, 3)), {"pad": -1}, ValueError, "pad"),
    (((2, 3, 8, 8), (4, 1, 3, 3)), {"groups": 3}, ValueError, "divide the 4 filters"),
    (((2, 3, 8, 8), (4, 3, 3, 3)), {"b": np.ones(3)}, ShapeError, r"biases of shape \(4,\)"),
]


@pytest.mark.parametrize(("shapes", "options", "error", "message"), BAD)
def test_what_does_not_fit_is_refused_with_what_was_expected(shapes, options, error, message):
    with pytest.raises(error, match=message):
        F.conv(*[np.ones(s) for s in shapes], **options)


def test_integers_are_refused_with_what_to_do():
    with pytest.raises(TypeError, match=r"x\.astype\('float32'\)"):
        F.conv(np.ones((1, 1, 3, 3), "uint8"), np.ones((1, 1, 2, 2)))


def test_output_padding_from_the_stride_on_is_refused():
    with pytest.raises(ValueError, match="output_padding"):
        F.conv_transpose(np.ones((1, 1, 3)), np.ones((1, 1, 2)), stride=2, output_padding=2)
