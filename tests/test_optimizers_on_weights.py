"""Optimizers on weights that lie anywhere, as Keras' are used, and their state as variables."""

from __future__ import annotations

import copy
import pickle

import numpy
import pytest

import minpy.numpy as np
from minpy import losses, optimizers
from minpy.autograd import value_and_grad
from minpy.errors import ShapeError
from minpy.layers import Dense, Layer
from minpy.models import Sequential

OPTIMIZERS = {
    "SGD": {"momentum": 0.9, "nesterov": True},
    "Adam": {"weight_decay": 0.1, "clipnorm": 0.5},
    "Adafactor": {},
    "Muon": {},
    "Lamb": {},
    "RMSprop": {"global_clipnorm": 0.3, "use_ema": True},
    "Ftrl": {"gradient_accumulation_steps": 2},
}


def dense(seed=0, units=3, features=4):
    layer = Dense(units, name="dense")
    layer.build((None, features))
    rng = numpy.random.default_rng(seed)
    layer.set_weights([rng.normal(size=w.shape).astype("float32") for w in layer.weights])
    layer.weights  # noqa: B018  (gives each weight its path)
    return layer


def gradients(step):
    rng = numpy.random.default_rng(100 + step)
    return [rng.normal(size=s).astype("float32") for s in ((4, 3), (3,))]


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_apply_does_what_a_step_on_buffers_does(name):
    layer = dense()
    optimizer = getattr(optimizers, name)(0.1, **OPTIMIZERS[name])
    kernel, bias = (w.numpy() for w in layer.weights)
    # the kernel of a dense layer lies by columns
    buffer = numpy.concatenate([kernel.T.ravel(), numpy.zeros(4, "float32"), bias])
    segments = [(0, 12, "kernel", True, (3, 4)), (16, 19, "bias", True, (3,))]
    other = getattr(optimizers, name)(0.1, **OPTIMIZERS[name])
    other.build(19, "float32", buffer, segments)
    for step in range(4):
        g = gradients(step)
        steps = optimizer.apply_gradients(zip(g, layer.trainable_weights, strict=True))
        flat = numpy.concatenate([g[0].T.ravel(), numpy.zeros(4, "float32"), g[1]])
        other.step(buffer, flat, segments)
    assert steps == other.iterations
    numpy.testing.assert_allclose(layer.kernel.asnumpy(), buffer[:12].reshape(3, 4).T, rtol=1e-6)
    numpy.testing.assert_allclose(layer.bias.asnumpy(), buffer[16:], rtol=1e-6)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_weight_without_a_gradient_and_its_state_stay(name):
    layer = dense()
    optimizer = getattr(optimizers, name)(0.1, **OPTIMIZERS[name])
    optimizer.build(layer.trainable_weights)
    for step in range(2):
        optimizer.apply(gradients(step))
    bias = layer.bias.asnumpy().copy()
    state = {v.path: v.numpy() for v in optimizer.variables}
    with pytest.warns(UserWarning, match="no gradient of bias"):
        optimizer.apply([gradients(2)[0], None], layer.trainable_weights)
    optimizer.apply([gradients(3)[0]], layer.trainable_weights[:1])
    numpy.testing.assert_array_equal(layer.bias.asnumpy(), bias)
    for v in optimizer.variables:
        if "bias" in v.path:
            numpy.testing.assert_array_equal(v.numpy(), state[v.path])
    assert any((state[v.path] != v.numpy()).any() for v in optimizer.variables)


def test_what_a_loop_of_ones_own_does_is_what_fit_does():
    rng = numpy.random.default_rng(0)
    x = rng.normal(size=(32, 4)).astype("float32")
    y = (x @ [[1.0], [-1.0], [0.5], [2.0]]).astype("float32")
    first = Sequential([Dense(5, "tanh"), Dense(1)])
    first.build((None, 4))
    again = Sequential([Dense(5, "tanh"), Dense(1)])
    again.build((None, 4))
    again.set_weights(first.get_weights())
    first.compile(optimizers.Adam(0.05), "mse")
    first.fit(x, y, batch_size=8, epochs=2, shuffle=False, verbose=0)
    optimizer = optimizers.Adam(0.05)
    loss = losses.MeanSquaredError()
    for _ in range(2):
        for i in range(0, 32, 8):
            _, grads = again.value_and_gradients(
                lambda i=i: loss(np.array(y[i : i + 8]), again(np.array(x[i : i + 8])))
            )
            optimizer.apply_gradients(zip(grads, again.trainable_weights, strict=True))
    for a, b in zip(first.get_weights(), again.get_weights(), strict=True):
        numpy.testing.assert_allclose(a, b, rtol=2e-5, atol=1e-6)
    assert optimizer.iterations == first.optimizer.iterations == 8


@pytest.mark.parametrize("way", ["apply_gradients", "apply"])
def test_the_optimizer_of_a_compiled_model_goes_on_with_the_slots_of_fit(way):
    class Own(Sequential):
        def train_step(self, data):
            x, y = data

            def loss():
                return self.compute_loss(x, y, self(x, training=True))

            value, grads = self.value_and_gradients(loss)
            if way == "apply":
                self.optimizer.apply(grads, self.trainable_variables)
            else:
                self.optimizer.apply_gradients(zip(grads, self.trainable_variables, strict=True))
            return {"loss": float(value)}

    x = numpy.linspace(-1, 1, 24, dtype="float32").reshape(8, 3)
    y = x.sum(1, keepdims=True)
    models = []
    for kind in (Sequential, Own):
        model = kind([Dense(4, "tanh", kernel_constraint="non_neg"), Dense(1)])
        model.build((None, 3))
        model.set_weights([numpy.full(w.shape, 0.1 * i) for i, w in enumerate(model.weights, 1)])
        model.compile(optimizers.SGD(0.1, momentum=0.9), "mse")
        model.fit(x, y, batch_size=4, epochs=3, shuffle=False, verbose=0)
        models.append(model)
    for a, b in zip(*(m.get_weights() for m in models), strict=True):
        numpy.testing.assert_allclose(a, b, rtol=2e-5, atol=1e-6)
    a, b = (m.optimizer.variables for m in models)
    assert [v.path for v in a] == [v.path for v in b]
    assert [v.path for v in a][:3] == [
        "sgd/iteration",
        "sgd/learning_rate",
        "sgd/dense_kernel_momentum",
    ]
    for v, w in zip(a, b, strict=True):
        numpy.testing.assert_allclose(v.numpy(), w.numpy(), rtol=2e-5, atol=1e-6)


def test_variables_are_read_and_set_where_they_lie():
    layer = dense()
    optimizer = optimizers.SGD(0.1, momentum=0.5)
    optimizer.build(layer.trainable_weights)
    names = [v.name for v in optimizer.variables]
    assert names == ["iteration", "learning_rate", "kernel_momentum", "bias_momentum"]
    iteration, rate, kernel, bias = optimizer.variables
    assert kernel.shape == (4, 3)
    assert bias.dtype == numpy.float32
    rate.assign(0.25)
    iteration.assign(7)
    assert (optimizer.learning_rate, optimizer.iterations, int(iteration)) == (0.25, 7, 7)
    kernel.assign(numpy.arange(12).reshape(4, 3))
    before = layer.kernel.asnumpy().copy()
    optimizer.apply([numpy.zeros((4, 3)), numpy.zeros(3)])
    moved = layer.kernel.asnumpy() - before
    numpy.testing.assert_allclose(moved, 0.5 * numpy.arange(12).reshape(4, 3), rtol=1e-5)
    with pytest.raises(ShapeError, match=r"expected shape \(4, 3\), got \(3, 4\)"):
        kernel.assign(numpy.zeros((3, 4)))


def test_state_goes_from_one_optimizer_to_another():
    first, second = dense(), dense()
    optimizer, other = optimizers.Adam(0.1), optimizers.Adam(0.3)
    optimizer.apply(gradients(0), first.trainable_weights)
    other.apply(gradients(5), second.trainable_weights)
    second.set_weights(first.get_weights())
    store = {}
    optimizer.save_own_variables(store)
    other.load_own_variables(store)
    for step in (1, 2):
        optimizer.apply(gradients(step), first.trainable_weights)
        other.apply(gradients(step), second.trainable_weights)
    for a, b in zip(first.get_weights(), second.get_weights(), strict=True):
        numpy.testing.assert_array_equal(a, b)
    with pytest.raises(ShapeError, match="expected 6 arrays, got 1"):
        optimizer.set_weights([1])


def test_setting_the_learning_rate_counts_from_the_next_step():
    layer = dense()
    optimizer = optimizers.SGD(1.0)
    before = layer.bias.asnumpy().copy()
    optimizer.apply([numpy.ones(3)], [layer.weights[1]])
    optimizer.learning_rate = 0.25
    optimizer.apply([numpy.ones(3)], [layer.weights[1]])
    numpy.testing.assert_allclose(layer.bias.asnumpy(), before - 1.25, rtol=1e-6)


def test_a_loss_scale_is_divided_by():
    layer = dense()
    optimizer = optimizers.LossScaleOptimizer(optimizers.SGD(1.0), initial_scale=8.0)
    before = layer.bias.asnumpy().copy()
    optimizer.apply([8 * numpy.ones(3)], [layer.weights[1]])
    numpy.testing.assert_allclose(layer.bias.asnumpy(), before - 1, rtol=1e-6)
    optimizer.apply([numpy.full(3, numpy.inf)], [layer.weights[1]])
    numpy.testing.assert_allclose(layer.bias.asnumpy(), before - 1, rtol=1e-6)
    assert optimizer.loss_scale == 4.0


def test_gradients_of_a_function_of_weights_from_the_tape():
    layer = dense()
    x = np.array(numpy.ones((2, 4), "float32"))

    def loss(kernel):
        return ((x @ kernel) ** 2).sum()

    value, grad = value_and_grad(loss)(layer.kernel)
    optimizers.SGD(0.001).apply([grad], [layer.weights[0]])
    assert float(loss(layer.kernel)) < float(value)


def test_copies_and_pickles_have_weights_of_their_own():
    model = Sequential([Dense(2)])
    model.build((None, 3))
    model.compile("adam", "mse")
    x = numpy.ones((4, 3), "float32")
    model.fit(x, x[:, :2], verbose=0)
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        other.fit(x, x[:, :2], verbose=0)
        ones = [numpy.ones(w.shape) for w in other.trainable_weights]
        before = model.get_weights()
        other.optimizer.apply(ones, other.trainable_weights)
        for a, b in zip(before, model.get_weights(), strict=True):
            numpy.testing.assert_array_equal(a, b)
        assert other.optimizer.iterations == 3


BAD = {
    "an array": (lambda w: (numpy.ones(3), w), TypeError, "flat buffers are for step"),
    "too few": (lambda w: ([numpy.ones((4, 3))], w), ShapeError, "got 1 and 2"),
    "a shape": (lambda w: ([numpy.ones(3), numpy.ones(3)], w), ShapeError, "'kernel' has shape"),
    "none": (lambda w: ([None, None], w), ValueError, "no weight has a gradient"),
    "no weights": (lambda w: ([numpy.ones(3)],), ValueError, "expected the weights too"),
    "arrays": (lambda w: ([numpy.ones(3)], [numpy.ones(3)]), TypeError, "weights of layers"),
    "twice": (lambda w: ([numpy.ones(3)] * 2, [w[1], w[1]]), ValueError, "more than once"),
}


@pytest.mark.parametrize("what", BAD)
def test_what_is_wrong_is_said_and_nothing_changes(what):
    make, error, words = BAD[what]
    layer = dense()
    before = layer.get_weights()
    optimizer = optimizers.Adam()
    with pytest.raises(error, match=words):
        optimizer.apply(*make(layer.trainable_weights))
    assert not optimizer.built
    for a, b in zip(before, layer.get_weights(), strict=True):
        numpy.testing.assert_array_equal(a, b)


def test_weights_without_slots_are_named():
    optimizer = optimizers.SGD(0.1)
    first, second = dense(), dense(1)
    optimizer.apply(gradients(0), first.trainable_weights)
    with pytest.raises(ValueError, match="no slots for kernel, bias"):
        optimizer.apply(gradients(0), second.trainable_weights)
    with pytest.raises(ValueError, match="slots for other weights"):
        optimizer.build(second.trainable_weights)
    with pytest.raises(TypeError, match="pairs of a gradient and a weight"):
        optimizer.apply_gradients(gradients(0))


def test_weights_of_two_dtypes_are_told_before_anything_changes():
    class Two(Layer):
        def build(self, input_shape):
            self.a = self.add_weight("a", (2,), "ones")
            self.b = self.add_weight("b", (2,), "ones", dtype="float64")

    layer = Two()
    layer.build((None, 2))
    with pytest.raises(TypeError, match="one dtype, got float32"):
        optimizers.SGD().apply([numpy.ones(2)] * 2, layer.trainable_weights)


def test_learning_rate_and_steps_are_numbers_that_can_be_assigned():
    optimizer = optimizers.SGD(0.5)
    rate, steps = optimizer.learning_rate, optimizer.iterations
    assert (rate, repr(rate), rate * 2, float(rate)) == (0.5, "0.5", 1.0, 0.5)
    rate.assign(0.25)
    assert optimizer.learning_rate == rate.value == rate.numpy() == 0.25
    rate.assign_sub(0.125)
    assert optimizer.learning_rate == 0.125
    steps.assign_add(3)
    assert optimizer.iterations == 3 == int(optimizer.iterations.numpy())
    assert isinstance(optimizer.iterations, int)
    assert type(optimizer.get_config()["learning_rate"]) is float
    for copied in (copy.deepcopy(rate), pickle.loads(pickle.dumps(rate))):
        assert type(copied) is float
    with pytest.raises(ValueError, match="finite number"):
        optimizer.learning_rate.assign(-1.0)


def test_what_a_schedule_says_cannot_be_assigned():
    optimizer = optimizers.SGD(optimizers.schedules.ExponentialDecay(0.5, 1, 0.5))
    optimizer.iterations.assign(1)
    assert optimizer.learning_rate.numpy() == 0.25
    with pytest.raises(TypeError, match="schedule"):
        optimizer.learning_rate.assign(0.1)


def test_state_variables_compare_by_value():
    optimizer = optimizers.SGD(0.5)
    assert optimizer.variables[0] == 0
    assert optimizer.variables[1] == 0.5
    assert optimizer.variables[1] != 0.25


@pytest.mark.parametrize("wrap", ["plain", "scaled", "several"])
def test_the_moving_average_is_put_in_the_place_of_weights(wrap):
    layer = dense()
    inner = optimizers.SGD(0.1, use_ema=True, ema_momentum=0.5)
    optimizer = {
        "plain": lambda: inner,
        "scaled": lambda: optimizers.LossScaleOptimizer(inner),
        "several": lambda: optimizers.MultiOptimizer(lambda weight: inner),
    }[wrap]()
    weights = layer.trainable_weights
    average = None
    for step in range(3):
        given = [g * optimizer.loss_scale for g in gradients(step)]
        optimizer.apply_gradients(zip(given, weights, strict=True))
        now = [w.numpy() for w in weights]
        # As in Keras it begins with the weights after the first step.
        average = (
            now if average is None else [(a + w) / 2 for a, w in zip(average, now, strict=True)]
        )
    with pytest.raises(ValueError, match="expected the weights that were trained"):
        optimizer.finalize_variable_values(dense().trainable_weights)
    optimizer.finalize_variable_values(weights)
    for a, w, last in zip(average, weights, now, strict=True):
        numpy.testing.assert_allclose(w.numpy(), a, rtol=1e-5)
        assert not numpy.allclose(a, last)
