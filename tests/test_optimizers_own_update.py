"""Optimizers that define Keras' ``build(variables)`` and ``update_step``, against built-in ones."""

import copy
import pickle

import numpy
import pytest

import minpy
from minpy import ops
from minpy.layers import BatchNormalization, Dense, register_serializable
from minpy.models import Sequential, load_model
from minpy.optimizers import SGD, Adam, LossScaleOptimizer, Optimizer


@register_serializable("tests.own_update")
class OwnAdam(Optimizer):
    """Adam, as somebody writes it who knows Keras 3."""

    def __init__(self, learning_rate=0.001, beta_1=0.9, beta_2=0.999, **kwargs):
        super().__init__(learning_rate=learning_rate, **kwargs)
        self.beta_1, self.beta_2 = beta_1, beta_2

    def build(self, variables):
        if self.built:
            return
        super().build(variables)
        self.means, self.squares = self.add_optimizer_variables(variables, ["mean", "square"])
        self.product = self.add_variable(initializer="ones", name="product")

    def update_step(self, gradient, variable, learning_rate):
        i = self._get_variable_index(variable)
        step = ops.cast(self.iterations + 1, variable.dtype)
        lr = ops.cast(learning_rate, variable.dtype)
        if i == 0:
            self.assign(self.product, self.product * self.beta_1)
        self.assign_add(self.means[i], (gradient - self.means[i]) * (1 - self.beta_1))
        self.assign_add(self.squares[i], (gradient * gradient - self.squares[i]) * 1e-3)
        corrected = ops.sqrt(1 - ops.power(self.beta_2, step)) / (1 - self.product.value)
        self.assign_sub(
            variable,
            lr * corrected * self.means[i].value / (ops.sqrt(self.squares[i].value) + 1e-7),
        )

    def get_config(self):
        return {**super().get_config(), "beta_1": self.beta_1, "beta_2": self.beta_2}


class Descent(Optimizer):
    def update_step(self, gradient, variable, learning_rate):
        self.assign_sub(variable, learning_rate * gradient)


def data(n=48):
    x = numpy.sin(numpy.arange(n * 6).reshape(n, 6)).astype("float32")
    return x, (x[:, :1] * x[:, 1:2] > 0).astype("float32")


def trained(optimizer, epochs=3, **arguments):
    minpy.random.seed(3)
    model = Sequential([Dense(5, activation="tanh"), BatchNormalization(), Dense(1)])
    model.compile(optimizer, "mse", **arguments)
    model.fit(*data(), epochs=epochs, batch_size=16, shuffle=False, verbose=0)
    return model


def agree(a, b, rtol=2e-5):
    for p, q in zip(a.get_weights(), b.get_weights(), strict=True):
        numpy.testing.assert_allclose(p, q, rtol=rtol, atol=2e-6)


OPTIONS = {
    "plain": {},
    "weight decay": {"weight_decay": 0.05},
    "clipnorm": {"clipnorm": 0.05},
    "clipvalue": {"clipvalue": 0.01},
    "global_clipnorm": {"global_clipnorm": 0.05},
    "average": {"use_ema": True, "ema_momentum": 0.8, "ema_overwrite_frequency": 2},
    "accumulation": {"gradient_accumulation_steps": 2},
    "loss scale": {"loss_scale_factor": 64.0},
}


@pytest.mark.parametrize("option", OPTIONS)
def test_an_update_of_ones_own_trains_as_the_built_in_one(option):
    own, built_in = (kind(0.05, **OPTIONS[option]) for kind in (OwnAdam, Adam))
    for optimizer in (own, built_in):
        optimizer.exclude_from_weight_decay(var_names=["bias"])
    agree(trained(own), trained(built_in), rtol=2e-4)


@pytest.mark.parametrize("option", OPTIONS)
def test_without_variables_of_its_own(option):
    agree(trained(Descent(0.05, **OPTIONS[option])), trained(SGD(0.05, **OPTIONS[option])))


def test_the_model_stays_compiled(recwarn):
    model = trained(Descent(0.05))
    if minpy.runtime.available():
        assert model.jit_status == "compiled"
    agree(model, trained(Descent(0.05), jit=False))


def test_weights_of_layers_outside_models():
    def run(optimizer):
        minpy.random.seed(1)
        layer = Dense(3)
        layer.build((None, 4))
        for step in range(4):
            g = [
                ops.array(numpy.cos(numpy.arange(w.size) + step).reshape(w.shape), "float32")
                for w in layer.trainable_weights
            ]
            optimizer.apply_gradients(zip(g, layer.trainable_weights, strict=True))
        return layer

    agree(run(OwnAdam(0.1)), run(Adam(0.1)))


def test_a_model_goes_on_where_its_file_ends(tmp_path):
    straight = trained(OwnAdam(0.05), epochs=4)
    half = trained(OwnAdam(0.05), epochs=2)
    half.save(tmp_path / "model.h5")
    loaded = load_model(tmp_path / "model.h5")
    names = {v.name for v in loaded.optimizer.variables}
    assert {"iteration", "learning_rate", "product"} < names
    loaded.fit(*data(), epochs=2, batch_size=16, shuffle=False, verbose=0)
    agree(loaded, straight, rtol=1e-6)


@pytest.mark.parametrize("way", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_copies_go_on_with_state_of_their_own(way):
    model = trained(OwnAdam(0.05), epochs=2)
    before = model.optimizer.slots["mean"].copy()
    twin = way(model)
    for m in (twin, model):
        m.fit(*data(), epochs=1, batch_size=16, shuffle=False, verbose=0)
        assert (m.optimizer.slots["mean"] != before).any()
    agree(model, twin, rtol=1e-6)


def test_a_copied_optimizer_writes_into_its_own_slots():
    layer = Dense(2)
    layer.build((None, 3))
    optimizer = OwnAdam(0.1)
    g = [numpy.ones(w.shape, "float32") for w in layer.trainable_weights]
    optimizer.apply(g, layer.trainable_weights)
    twin = copy.deepcopy(optimizer)
    held = optimizer.slots["mean"].copy()
    twin.apply(g, twin._weights)
    assert (twin.slots["mean"][: layer.kernel.size] > held[: layer.kernel.size]).all()
    assert (optimizer.slots["mean"] == held).all()


def test_what_is_wrong_is_said():
    class Forgets(Descent):
        def build(self, variables):
            pass

    with pytest.raises(TypeError, match=r"must call super\(\)\.build\(variables\)"):
        trained(Forgets())
    with pytest.raises(TypeError, match=r"takes weights"):
        Descent().step(numpy.zeros(2), numpy.zeros(2))
    with pytest.raises(TypeError, match=r"inside no other optimizer"):
        trained(LossScaleOptimizer(Descent()))
    with pytest.raises(NotImplementedError, match=r"nor update_step"):
        Optimizer().update_step(None, None, 0.1)
    with pytest.raises(ValueError, match=r"before add_variable"):
        Descent().add_variable()

    class Twice(Descent):
        def build(self, variables):
            super().build(variables)
            for _ in range(2):
                self.add_variable_from_reference(variables[0], "mean")

    with pytest.raises(ValueError, match=r"has a variable 'mean' already"):
        trained(Twice())
