"""``minpy.core``, ``minpy.primitive``, ``minpy.dispatch`` and ``minpy.utils`` as 0.3.4 has them."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy
import pytest

import minpy
import minpy.dispatch.policy as policy
import minpy.numpy as np
from minpy import core, runtime
from minpy.array import Array, Number, Value
from minpy.array_variants import ArrayType
from minpy.errors import DifferentiationError, NoDerivativeError
from minpy.primitive import customop
from minpy.utils import gradient_checker
from minpy.utils.log import get_logger
from minpy.utils.minprof import minprof

needs_mxnet = pytest.mark.skipif(not runtime.available(), reason="needs mxnet")
rng = numpy.random.RandomState(42)


# --- gradients ------------------------------------------------------------------------------------


def test_arguments_may_be_integers_and_results_constants():
    assert core.grad(lambda x: 1)(0) == 0.0
    assert core.grad(lambda x: x)(1) == 1.0
    x = numpy.array([[1, 2], [3, 4], [5, 6]])
    found = core.grad(lambda x: np.sum(x * x, axis=0))(x)
    numpy.testing.assert_array_equal(found.asnumpy(), 2 * x)


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("name", ["max", "min", "sum"])
def test_the_sum_of_the_result_is_differentiated(name, axis):
    x = rng.permutation(12).reshape(3, 4).astype("float64")
    found = core.grad(lambda x: getattr(np, name)(x, axis=axis, keepdims=True))(x).asnumpy()
    where = getattr(x, name)(axis=axis, keepdims=True)
    numpy.testing.assert_array_equal(found, numpy.ones((3, 4)) if name == "sum" else x == where)


def test_injected_gradients_come_back():
    injected = rng.rand(3, 2)
    g = core.grad(lambda x: x * injected)(rng.rand(3, 2))
    numpy.testing.assert_array_equal(g.asnumpy(), injected)


def test_an_rnn_step_has_the_gradients_derived_by_hand():
    shapes = [(4, 5), (4, 6), (5, 6), (6, 6), (6,)]
    x, h, Wx, Wh, b = arrays = [rng.randn(*shape) for shape in shapes]
    upstream = rng.randn(4, 6)

    @core.convert_args
    def step(x, h, Wx, Wh, b):
        return np.tanh(x.dot(Wx) + h.dot(Wh) + b) * core.numpy_to_minpy(upstream)

    gradients, out = core.return_numpy(core.grad_and_loss(step, range(5)))(*arrays)
    next_h = numpy.tanh(x @ Wx + h @ Wh + b)
    d = upstream * (1 - next_h**2)
    numpy.testing.assert_allclose(out, next_h * upstream)
    for found, expected in zip(
        gradients, [d @ Wx.T, d @ Wh.T, x.T @ d, h.T @ d, d.sum(0)], strict=True
    ):
        assert type(found) is numpy.ndarray
        numpy.testing.assert_allclose(found, expected, rtol=1e-12)


def test_parameters_read_by_closure_are_differentiated():
    params = {"w": np.array([1.0, 2.0]), "b": np.array([3.0])}

    def loss(*_):
        return np.sum(params["w"] ** 2) * params["b"][0]

    (gw, gb), value = core.grad_and_loss(loss, argnum=range(2))(*params.values())
    numpy.testing.assert_allclose(gw.asnumpy(), [6, 12])
    numpy.testing.assert_allclose(gb.asnumpy(), [5])
    assert float(value) == 15
    # Afterwards the arrays are plain ones, and writing to them changes no gradient.
    params["w"] -= 0.5 * gw
    numpy.testing.assert_allclose(params["w"].asnumpy(), [-2, -4])


def test_several_arguments_and_one_in_a_list():
    f = core.grad_and_loss(lambda a, b: a * b, [0, 1])
    (ga, gb), value = f(np.array(2.0), np.array(3.0))
    assert (float(ga), float(gb), float(value)) == (3, 2, 6)
    assert float(core.grad(lambda a: a * a, [0])(3.0)) == 6


def test_an_array_given_twice_has_a_gradient_for_each_place():
    x = np.array(2.0)
    gradients = core.grad(lambda a, b: a * a * b, [0, 1])(x, x)
    assert [float(g) for g in gradients] == [8, 4]


def test_views_are_views_again_after_a_gradient():
    base = np.arange(4.0)
    row = base.reshape((2, 2))[1]
    g = core.grad(lambda r: np.sum(r**2))(row)
    numpy.testing.assert_array_equal(g.asnumpy(), [4, 6])
    base[2] = 10
    assert float(row[0]) == 10


def test_an_argument_written_in_place_is_differentiated_and_seen_by_the_caller():
    x = np.array([1.0, 2.0])

    def f(x):
        x[0] = x[1] * 3
        return np.sum(x)

    numpy.testing.assert_array_equal(core.grad(f)(x).asnumpy(), [0, 4])
    numpy.testing.assert_array_equal(x.asnumpy(), [6, 2])


def test_an_error_in_the_function_leaves_the_arguments_as_they_were():
    x = np.array([1.0, 2.0])

    def broken(x):
        np.sum(x * x)
        raise KeyError("on the way")

    with pytest.raises(KeyError, match="on the way"):
        core.grad(broken)(x)
    assert numpy.asarray(x).tolist() == [1, 2]
    numpy.testing.assert_array_equal(core.grad(lambda x: x * x)(x).asnumpy(), [2, 4])


def test_gradients_nest():
    def inner(x):
        return core.grad(lambda y: np.sum(y**3))(x)

    numpy.testing.assert_allclose(core.grad(inner)(np.array([2.0, 3.0])).asnumpy(), [12, 18])


def test_an_argument_that_cant_be_differentiated_is_named():
    def loss(x):
        return x

    with pytest.raises(DifferentiationError, match=r"loss: .*str"):
        core.grad(loss)("text")
    with pytest.raises(TypeError, match="no argument 2"):
        core.grad(lambda a: a, 2)(1.0)


# --- symbols --------------------------------------------------------------------------------------


@pytest.fixture
def mx():
    return pytest.importorskip("mxnet")


def two_layers(mx):
    net = mx.sym.FullyConnected(mx.sym.Variable("x"), name="fc1", num_hidden=7)
    net = mx.sym.Activation(net, act_type="tanh")
    return mx.sym.FullyConnected(net, name="fc2", num_hidden=3)


def in_numpy(x, p):
    h = np.tanh(np.dot(x, p["fc1_weight"].T) + p["fc1_bias"])
    return np.dot(h, p["fc2_weight"].T) + p["fc2_bias"]


@pytest.fixture
def network(mx):
    f = core.Function(two_layers(mx), input_shapes={"x": (8, 5)}, name="net")
    params = {
        k: np.array(rng.randn(*c["shape"]).astype("float32")) for k, c in f.get_params().items()
    }
    return f, params


def test_a_symbol_knows_its_parameters_and_outputs(network):
    f, _ = network
    assert f.get_params() == {
        "fc1_weight": {"shape": (7, 5)},
        "fc1_bias": {"shape": (7,)},
        "fc2_weight": {"shape": (3, 7)},
        "fc2_bias": {"shape": (3,)},
    }
    assert f.get_output_shapes() == {"fc2_output": (8, 3)}
    assert f.get_one_output_shape() == (8, 3)


def test_a_symbol_has_numpys_value_and_gradients(network):
    f, params = network
    x = rng.randn(8, 5).astype("float32")

    def by(net):
        def loss(*values):
            p = dict(zip(params, values, strict=True))
            return np.sum(net(p) ** 2)

        return core.grad_and_loss(loss, range(len(params)))(*params.values())

    found, value = by(lambda p: f(x=x, **p))
    expected, reference = by(lambda p: in_numpy(np.array(x), p))
    numpy.testing.assert_allclose(value.asnumpy(), reference.asnumpy(), rtol=1e-5)
    for a, b in zip(found, expected, strict=True):
        numpy.testing.assert_allclose(a.asnumpy(), b.asnumpy(), rtol=1e-4, atol=1e-4)


def test_a_symbol_is_used_several_times_before_the_backward_pass(network):
    f, params = network
    x = rng.randn(8, 5).astype("float32")

    def loss(net):
        def total(w):
            p = {**params, "fc1_weight": w}
            # Other data, another batch size, and its own output fed back.
            return np.sum(net(x, p) * net(x[::-1] * 2, p)) + np.sum(net(x[:3], p) ** 2)

        return total

    w = params["fc1_weight"]
    found = core.grad(loss(lambda x, p: f(x=x, **p)))(w)
    expected = core.grad(loss(lambda x, p: in_numpy(np.array(x), p)))(w)
    numpy.testing.assert_allclose(found.asnumpy(), expected.asnumpy(), rtol=1e-4, atol=1e-4)


def test_an_argument_left_out_is_zeros_and_other_names_are_ignored(network):
    f, params = network
    x = rng.randn(8, 5).astype("float32")
    without = {k: v for k, v in params.items() if "bias" not in k}
    zeros = {k: v * 0 if "bias" in k else v for k, v in params.items()}
    numpy.testing.assert_array_equal(
        f(x=x, unrelated=3, **without).asnumpy(), f(x=x, **zeros).asnumpy()
    )


def test_shapes_come_from_the_first_call_where_none_are_given(mx):
    f = core.Function(two_layers(mx))
    with pytest.raises(core.MXNetSymbolError, match="input_shapes"):
        f.get_params()
    assert f(x=numpy.ones((2, 5))).shape == (2, 3)
    assert f.get_params()["fc1_weight"]["shape"] == (7, 5)


def test_shapes_that_dont_fit_are_named(mx, network, capfd):
    f, _ = network
    with pytest.raises(core.MXNetSymbolError, match=r"net: shapes .*'fc1_weight': \(7, 4\)"):
        f(x=numpy.ones((8, 5)), fc1_weight=numpy.ones((7, 4)))
    with pytest.raises(core.MXNetSymbolError, match="no argument 'data'"):
        core.Function(two_layers(mx), input_shapes={"data": (1, 2)})
    with pytest.raises(core.MXNetSymbolError, match="settle"):
        f(fc2_bias=numpy.ones(3))
    with pytest.raises(core.MXNetSymbolError, match="expected an MXNet symbol"):
        core.Function("net")
    assert capfd.readouterr().out == ""


def test_a_symbol_with_several_outputs_gives_a_tuple(mx):
    parts = mx.sym.SliceChannel(mx.sym.Variable("x"), num_outputs=2, axis=1)
    f = core.Function(parts, {"x": (2, 4)})
    x = np.array(rng.randn(2, 4))
    a, b = f(x=x)
    numpy.testing.assert_array_equal(numpy.hstack([a, b]), x.asnumpy().astype("float32"))
    # Only one of the outputs is used.
    g = core.grad(lambda x: np.sum(f(x=x)[1] ** 2))(x)
    expected = 2 * x.asnumpy()
    expected[:, :2] = 0
    numpy.testing.assert_allclose(g.asnumpy(), expected, rtol=1e-6)
    with pytest.raises(core.MXNetSymbolError, match="2 outputs"):
        f.get_one_output_shape()


def test_a_loss_symbol_has_the_gradient_of_its_loss(mx):
    net = mx.sym.FullyConnected(mx.sym.Variable("x"), name="fc", num_hidden=4)
    net = mx.sym.SoftmaxOutput(net, name="softmax", normalization="batch")
    f = core.Function(net, {"x": (6, 3), "softmax_label": (6,)})
    assert list(f.get_params()) == ["fc_weight", "fc_bias"]
    x, y, w = rng.randn(6, 3), rng.randint(0, 4, 6), rng.randn(4, 3)

    def expected(w):
        scores = np.dot(np.array(x), w.T)
        return minpy.layers.functions.softmax_loss(scores, y)

    found = core.grad(lambda w: f(x=x, softmax_label=y, fc_weight=w))(w)
    numpy.testing.assert_allclose(
        found.asnumpy(), core.grad(expected)(w).asnumpy(), rtol=1e-4, atol=1e-6
    )


def test_running_statistics_follow_backward_passes_in_training_only(mx):
    norm = mx.sym.BatchNorm(mx.sym.Variable("x"), name="bn", fix_gamma=False, momentum=0.5)
    f = core.Function(norm, {"x": (16, 3)})
    assert f.get_aux_shapes() == {"bn_moving_mean": (3,), "bn_moving_var": (3,)}
    x = rng.randn(16, 3).astype("float32") + 2
    given = {"bn_moving_mean": np.zeros(3), "bn_moving_var": np.ones(3)}
    gamma = np.ones(3)
    f(x=x, bn_gamma=gamma, **given)
    assert not given["bn_moving_mean"].asnumpy().any()
    core.grad(lambda g: f(x=x, bn_gamma=g, **given))(gamma)
    mean, var = x.mean(0) / 2, 0.5 + x.var(0) / 2
    numpy.testing.assert_allclose(given["bn_moving_mean"].asnumpy(), mean, rtol=1e-5)
    numpy.testing.assert_allclose(given["bn_moving_var"].asnumpy(), var, rtol=1e-5)
    f.is_train = False
    out = f(x=x, bn_gamma=gamma, **given)
    numpy.testing.assert_allclose(out.asnumpy(), (x - mean) / numpy.sqrt(var + 1e-3), rtol=1e-4)
    core.grad(lambda g: f(x=x, bn_gamma=g, **given))(gamma)
    numpy.testing.assert_allclose(given["bn_moving_mean"].asnumpy(), mean, rtol=1e-5)
    with pytest.raises(core.MXNetSymbolError, match="bn_moving_mean"):
        f(x=x, bn_moving_mean=np.zeros(4))


def test_running_statistics_that_no_call_gives_are_kept_in_the_function(mx):
    norm = mx.sym.BatchNorm(mx.sym.Variable("x"), name="bn", momentum=0.0)
    f = core.Function(norm, {"x": (16, 3)})
    x = rng.randn(16, 3).astype("float32") + 2
    core.grad(lambda x: f(x=x))(x)
    f.is_train = False
    numpy.testing.assert_allclose(f(x=x).asnumpy().mean(0), 0, atol=1e-5)


def test_inference_leaves_weights_as_they_are(mx):
    net = mx.sym.Convolution(mx.sym.Variable("x"), kernel=(3, 3), num_filter=16, name="conv")
    f = core.Function(net, {"x": (2, 16, 8, 8)})
    w = np.array(rng.randn(16, 16, 3, 3).astype("float32"))
    before = w.asnumpy()
    x = rng.randn(2, 16, 8, 8)
    f.is_train = False
    first = f(x=x, conv_weight=w).asnumpy()
    numpy.testing.assert_array_equal(w.asnumpy(), before)
    numpy.testing.assert_array_equal(f(x=x, conv_weight=w).asnumpy(), first)


def test_second_derivatives_of_a_symbol_are_refused(network):
    f, params = network
    x = numpy.ones((8, 5))

    def penalty(w):
        return np.sum(core.grad(lambda w: f(x=x, **{**params, "fc1_weight": w}))(w) ** 2)

    with pytest.raises(NoDerivativeError, match="net_gradient"):
        core.grad(penalty)(params["fc1_weight"])


def test_a_jacobian_runs_the_backward_pass_several_times(network):
    f, params = network
    x = rng.randn(2, 5)
    # The gradient of the bias alone, which oneDNN leaves unwritten where it is asked for alone.
    jacobian = minpy.jacobian(lambda b: f(x=x, **{**params, "fc2_bias": b}))(params["fc2_bias"])
    expected = numpy.broadcast_to(numpy.eye(3)[None], (2, 3, 3))
    numpy.testing.assert_allclose(jacobian.asnumpy(), expected, atol=1e-6)


@needs_mxnet
@pytest.mark.parametrize("name", ["only_numpy", "prefer_mxnet", "only_mxnet", "auto"])
def test_a_symbol_runs_under_every_policy(name, network):
    f, params = network
    x = np.array(rng.randn(8, 5).astype("float32"))
    expected = in_numpy(x, params).asnumpy()
    w = params["fc2_weight"]
    g = core.grad(lambda w: in_numpy(x, {**params, "fc2_weight": w}))(w).asnumpy()
    with minpy.policy.use_policy(name):
        found = f(x=x, **params)
        gradient = core.grad(lambda w: f(x=x, **{**params, "fc2_weight": w}))(w)
    numpy.testing.assert_allclose(found.asnumpy(), expected, rtol=1e-4, atol=1e-5)
    numpy.testing.assert_allclose(gradient.asnumpy(), g, rtol=1e-4, atol=1e-5)


@needs_mxnet
def test_gradients_on_a_device_of_its_own(network):
    f, params = network
    x = rng.randn(8, 5).astype("float32")
    expected = core.grad(lambda w: f(x=x, **{**params, "fc1_weight": w}))(params["fc1_weight"])
    with minpy.context.cpu(1):
        there = {k: v.as_in_context(minpy.context.cpu(1)) for k, v in params.items()}
        w = there["fc1_weight"]
        out, value = core.grad_and_loss(lambda *_: f(x=x, **there), range(1))(w)
        assert out.context == value.context == minpy.context.cpu(1)
        assert w.context == minpy.context.cpu(1)
        numpy.testing.assert_allclose(out.asnumpy(), expected.asnumpy(), rtol=1e-5)
        squared = core.grad(lambda w: np.sum(w * w))(w)
        numpy.testing.assert_allclose(squared.asnumpy(), 2 * w.asnumpy(), rtol=1e-6)


# --- operations of one's own ----------------------------------------------------------------------


@customop("numpy")
def mean_log_loss(x, y):
    p = numpy.exp(x - numpy.max(x, axis=1, keepdims=True))
    p /= numpy.sum(p, axis=1, keepdims=True)
    return -numpy.sum(numpy.log(p[numpy.arange(len(y)), y.astype(int)])) / len(y)


def mean_log_loss_gradient(ans, x, y):
    def gradient(g):
        p = numpy.exp(x - numpy.max(x, axis=1, keepdims=True))
        p /= numpy.sum(p, axis=1, keepdims=True)
        p[numpy.arange(len(y)), y.astype(int)] -= 1
        return g * p / len(y)

    return gradient


mean_log_loss.def_grad(mean_log_loss_gradient)


def test_a_custom_operation_has_the_gradient_that_it_was_given():
    minpy.set_default_dtype("float64")
    x, y = np.array(rng.randn(10, 5)), np.array(rng.randint(0, 5, 10))
    softmax_loss = minpy.layers.functions.softmax_loss
    assert abs(mean_log_loss(x, y) - softmax_loss(x, y)) < 1e-12
    found = core.grad(lambda x: 3 * mean_log_loss(x, y))(x)
    expected = 3 * core.grad(softmax_loss)(x, y).asnumpy()
    numpy.testing.assert_allclose(found.asnumpy(), expected, rtol=1e-9, atol=1e-12)


def test_an_argument_without_a_gradient_is_named():
    with pytest.raises(NoDerivativeError, match=r"mean_log_loss: .*argument 1.*def_grad"):
        core.grad(mean_log_loss, 1)(np.ones((2, 3)), np.ones(2))


def test_gradients_of_several_arguments_of_keywords_and_of_none():
    calls = []

    @customop("numpy")
    def f(a, b, c, scale=1.0):
        return a * b * scale + c

    def both(ans, a, b, c, scale=1.0):
        def gradient(g):
            calls.append(1)
            return g * b * scale, g * a * scale

        return gradient

    f.def_multiple_grad(both, (0, 1)).def_grad_zero(2)
    f.def_grad_kw(lambda ans, a, b, c, scale: lambda g: numpy.sum(g * a * b), "scale")
    a, b, c = (np.array(rng.randn(3)) for _ in range(3))
    ga, gb, gc = core.grad(f, range(3))(a, b, c)
    numpy.testing.assert_allclose(ga.asnumpy(), b.asnumpy())
    numpy.testing.assert_allclose(gb.asnumpy(), a.asnumpy())
    assert not gc.asnumpy().any() and gc.shape == (3,)
    assert len(calls) == 1  # one function for both
    gs = core.grad(lambda s: f(a, b, c, scale=s))(2.0)
    numpy.testing.assert_allclose(float(gs), (a.asnumpy() * b.asnumpy()).sum(), rtol=1e-5)
    assert f.gradable((0, 1, 2), ("scale",)) and not f.gradable((3,))


def test_an_operation_on_mxnets_arrays_gets_them(mx):
    @customop("mxnet")
    def cube(x):
        assert isinstance(x, mx.nd.NDArray)
        return x * x * x

    @cube.def_grad
    def gradient(ans, x):
        def back(g):
            assert isinstance(g, mx.nd.NDArray)
            return 3 * g * x * x

        return back

    x = np.array(rng.randn(4).astype("float32"))
    numpy.testing.assert_allclose(cube(x).asnumpy(), x.asnumpy() ** 3, rtol=1e-6)
    numpy.testing.assert_allclose(core.grad(cube)(x).asnumpy(), 3 * x.asnumpy() ** 2, rtol=1e-6)
    assert cube.typestr == "MXNet"


@needs_mxnet
def test_a_custom_operation_runs_where_only_mxnet_is_allowed():
    x, y = np.array(rng.randn(4, 3)), np.array([0, 1, 2, 0])
    expected = float(mean_log_loss(x, y))
    gradient = core.grad(mean_log_loss)(x, y).asnumpy()
    with minpy.policy.use_policy("only_mxnet"):
        assert mean_log_loss(x, y).shape == ()
        assert float(mean_log_loss(x, y)) == pytest.approx(expected)
        numpy.testing.assert_allclose(core.grad(mean_log_loss)(x, y).asnumpy(), gradient)


@needs_mxnet
def test_a_custom_operation_stays_on_the_device_of_its_arguments():
    x, y = rng.randn(4, 3), numpy.array([0, 1, 2, 0])
    gradient = core.grad(mean_log_loss)(x, y).asnumpy()
    with minpy.context.cpu(1):
        there = np.array(x)
        assert mean_log_loss(there, y).context == minpy.context.cpu(1)
        found = core.grad(mean_log_loss)(there, y)
        assert found.context == minpy.context.cpu(1)
    numpy.testing.assert_allclose(found.asnumpy(), gradient, rtol=1e-5)


def test_second_derivatives_of_a_custom_operation_are_refused():
    @customop("numpy")
    def square(x):
        return x * x

    square.def_grad(lambda ans, x: lambda g: 2 * g * x)
    with pytest.raises(NoDerivativeError, match="square_gradient"):
        core.grad(core.grad(square))(3.0)


@pytest.mark.parametrize("kind", ["numpy", "mxnet"])
def test_an_operation_with_several_results(kind):
    if kind == "mxnet":
        pytest.importorskip("mxnet")

    @customop(kind)
    def both(x, y):
        return x * y, x + y

    def gradients(ans, x, y):
        product, total = ans
        assert product.shape == total.shape == x.shape

        def back(g):
            return g[0] * y + g[1], g[0] * x + g[1]

        return back

    both.def_multiple_grad(gradients, (0, 1))
    x, y = (np.array(rng.randn(3).astype("float32")) for _ in range(2))

    def loss(f):
        def total(x, y):
            product, both_together = f(x, y)
            return np.sum(product * product) + np.sum(3 * both_together)

        return core.grad(total, [0, 1])(x, y)

    for found, expected in zip(loss(both), loss(lambda x, y: (x * y, x + y)), strict=True):
        numpy.testing.assert_allclose(found.asnumpy(), expected.asnumpy(), rtol=1e-5)


def test_arguments_that_are_no_arrays_are_handed_on():
    @customop("numpy")
    def scaled(x, factors, how="sum"):
        return x * sum(factors) if how == "sum" else (x, x * factors[0])

    scaled.def_grad(lambda ans, x, factors: lambda g: g * sum(factors))
    assert scaled(np.ones(2), [1, 2]).tolist() == [3, 3]
    assert scaled.call((np.ones(2), [1, 2]), {"how": "first"})[1].tolist() == [1, 1]
    assert "scaled" in repr(scaled)
    with pytest.raises(NoDerivativeError, match=r"scaled: .*functools.partial"):
        core.grad(scaled)(np.ones(2), [1, 2])


def test_wrong_definitions_are_errors():
    with pytest.raises(ValueError, match="'torch'"):
        customop("torch")
    with pytest.raises(TypeError, match="tuple"):
        mean_log_loss.def_multiple_grad(None, [0])
    with pytest.raises(ValueError, match="twice"):
        mean_log_loss.def_multiple_grad(None, (0, 0))


def test_minpy_primitive_is_a_function_and_a_module():
    assert minpy.primitive.customop is customop

    @minpy.primitive
    def cube(x):
        return x**3

    minpy.defvjp(cube, lambda ans, x: lambda g: 3 * g * x**2)
    assert float(minpy.grad(minpy.grad(cube))(2.0)) == 12

    @minpy.primitive(name="other")
    def f(x):
        return x

    assert "other" in repr(f)


# --- policies -------------------------------------------------------------------------------------


@needs_mxnet
def test_policies_are_objects_and_names():
    minpy.set_global_policy(policy.PreferMXNetPolicy())
    assert minpy.current_policy() == "prefer_mxnet"

    @minpy.wrap_policy(policy.OnlyNumPyPolicy())
    def f():
        return minpy.current_policy()

    @policy.wrap_policy("only_mxnet")
    def g():
        return minpy.current_policy()

    assert (f(), g(), minpy.current_policy()) == ("only_numpy", "only_mxnet", "prefer_mxnet")
    minpy.set_global_policy("only_numpy")
    assert isinstance(minpy.get_global_policy(), policy.OnlyNumPyPolicy)
    assert policy.create("auto").name == "auto"
    with pytest.raises(TypeError, match="only_numpy"):
        policy.create("fastest")
    assert policy.AutoBlacklistPolicy(gen_rule=True).name == "prefer_mxnet"


def test_counts_of_operations_are_printed(capsys):
    np.record_op_stat()
    np.ones(3) + np.ones(3)
    np.show_op_stat()
    out = capsys.readouterr().out
    assert "add : 1" in out and "in NumPy" in out


def test_names_that_numpy_has_removed_since():
    assert np.zeros(2, dtype=np.int).dtype.kind == "i" and np.ones(2, np.float).dtype == "float64"
    encoded = np.onehot_encode(np.array([2.0, 0.0]), np.ones((2, 3)))
    assert encoded.tolist() == [[0, 0, 1], [1, 0, 0]]
    with pytest.raises(ValueError, match="from 0 to 2"):
        np.onehot_encode([3, 0], np.ones((2, 3)))
    p = np.softmax_output(np.array([[0.0, numpy.log(3)]]), np.array([[0.0, 1.0]]))
    numpy.testing.assert_allclose(p.asnumpy(), [[0.25, 0.75]], rtol=1e-6)
    with pytest.raises(AttributeError, match="no attribute"):
        np.find  # noqa: B018


@needs_mxnet
def test_the_policy_of_the_namespace_is_the_global_one():
    np.set_policy(policy.OnlyNumPyPolicy())
    assert minpy.current_policy() == "only_numpy"


def test_the_classes_of_arrays():
    x = np.ones((2, 3))
    assert isinstance(x, Array) and isinstance(x, Value) and not isinstance(x, Number)
    assert isinstance(np.sum(x), Number) and not isinstance(3.0, Value)
    assert (ArrayType.NUMPY, ArrayType.MXNET) == (0, 1)
    with pytest.raises(AttributeError, match="no attribute"):
        minpy.array.Nothing  # noqa: B018


@needs_mxnet
def test_contexts_give_mxnets():
    context = minpy.context.Context(minpy.context.cpu())
    assert context == minpy.context.cpu()
    assert str(context.as_mxnet_context()) == "cpu(0)"


# --- minpy.utils ----------------------------------------------------------------------------------


def test_the_gradient_checker_sees_a_wrong_gradient(capsys):
    assert gradient_checker.quick_grad_check(lambda x: np.sum(np.tanh(x)), rng.randn(4), rs=rng)
    assert "OK" in capsys.readouterr().out

    @customop("numpy")
    def square(x):
        return numpy.sum(x * x)

    square.def_grad(lambda ans, x: lambda g: 3 * g * x)
    assert not gradient_checker.quick_grad_check(square, numpy.ones(4), rs=rng)
    assert "failed" in capsys.readouterr().out


def test_the_profiler_counts_a_recursion_once(capsys):
    minprof.reset()

    @minprof
    def down(i):
        return None if i == 0 else down(i - 1)

    with minprof():
        down(5)
    assert [(path, calls) for path, calls, _ in minprof.stats()] == [
        ("block", 1),
        ("block/down", 6),
    ]
    seconds = {path: s for path, _, s in minprof.stats()}
    assert seconds["block/down"] <= seconds["block"]
    minprof.print_stats()
    assert "down: 6 calls" in capsys.readouterr().out


def test_loggers_have_one_handler():
    logger = get_logger("minpy.tests.logger")
    assert get_logger("minpy.tests.logger") is logger and len(logger.handlers) == 1


def test_importing_the_old_names_needs_no_mxnet():
    code = (
        "import sys; sys.modules['mxnet'] = None\n"
        "import minpy.core, minpy.primitive, minpy.dispatch.policy, minpy.nn.solver, minpy.nn.io\n"
        "import minpy.nn.model_builder, minpy.visualization.writer, minpy.utils.gradient_checker\n"
        "print(minpy.core.grad(lambda x: x * x)(3))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=dict(os.environ)
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "6.0\n"


def test_the_arrays_of_both_libraries_behind_an_array():
    x = np.array([1.0, 2.0])
    assert minpy.array_variants.ArrayType is ArrayType
    assert type(x.get_data(ArrayType.NUMPY)) is numpy.ndarray
    x.get_data(ArrayType.NUMPY)[0] = 5.0
    assert x.tolist() == [5.0, 2.0]
    with pytest.raises(ValueError, match="get_data: expected ArrayType"):
        x.get_data("numpy")


@needs_mxnet
def test_the_array_of_mxnets_behind_an_array():
    import mxnet

    x = np.array([1.0, 2.0])
    nd = x.get_data(ArrayType.MXNET)
    assert type(nd) is mxnet.nd.NDArray
    nd.wait_to_read()
    assert nd.asnumpy().tolist() == [1.0, 2.0]


def test_policies_are_reached_from_minpy_itself():
    for name in ("AutoBlacklistPolicy", "OnlyMXNetPolicy", "OnlyNumPyPolicy", "PreferMXNetPolicy"):
        assert getattr(minpy, name) is getattr(policy, name)
    with pytest.raises(AttributeError, match="no attribute 'OtherPolicy'"):
        minpy.OtherPolicy  # noqa: B018
