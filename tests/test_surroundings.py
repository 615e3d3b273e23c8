"""What `fit` traced isn't run once the numbers that a model's code reads are others."""

from __future__ import annotations

import types
import warnings

import numpy
import pytest

from minpy import layers, random, runtime
from minpy.callbacks import LambdaCallback
from minpy.graph import native
from minpy.layers import Dense, Input, Layer
from minpy.losses import Loss
from minpy.models import Sequential
from minpy.optimizers import SGD

pytestmark = pytest.mark.skipif(
    not (native.available() or runtime.available()), reason="nothing is compiled"
)
GLOBAL = 1.0
X, Y = numpy.ones((8, 4), "float32"), numpy.zeros((8, 1), "float32")
DOUBLING = [16.0, 64.0, 256.0]  # the square of 4, 8 and 16


def doubled():
    return GLOBAL * 1.0


class FromGlobal(Layer):
    def call(self, x):
        return x * doubled()


class FromConfig(Layer):
    def __init__(self):
        super().__init__()
        self.told = types.SimpleNamespace(by=[{"factor": 1.0}])

    def call(self, x):
        return x * self.told.by[0]["factor"]


class FromProperty(Layer):
    def __init__(self):
        super().__init__()
        self.exponent = 0

    @property
    def factor(self):
        return 2.0**self.exponent

    def call(self, x):
        return x * self.factor


class OwnLoss(Loss):
    def __init__(self):
        super().__init__()
        self.weight = 1.0

    def call(self, y_true, y_pred):
        return (self.weight * (y_pred - y_true)) ** 2


def setting(name):
    """Return a model and its loss, and what doubles the number that one of them reads."""
    loss, first = "mse", layers.Identity()
    if name == "global":
        first = FromGlobal()

        def double():
            globals()["GLOBAL"] *= 2
    elif name == "config":
        first = FromConfig()

        def double():
            first.told.by[0]["factor"] *= 2
    elif name == "property":
        first = FromProperty()

        def double():
            first.exponent += 1
    elif name == "lambda":
        factor = 1.0
        first = layers.Lambda(lambda x: x * factor)

        def double():
            nonlocal factor
            factor *= 2
    elif name == "loss":
        loss = OwnLoss()

        def double():
            loss.weight *= 2
    else:
        by = 1.0

        def loss(y_true, y_pred):
            return (by * (y_pred - y_true)) ** 2

        def double():
            nonlocal by
            by *= 2

    model = Sequential([Input((4,)), first, Dense(1, kernel_initializer="ones")])
    model.compile(SGD(0.0), loss)
    return model, double


@pytest.mark.parametrize("name", ["global", "config", "property", "lambda", "loss", "function"])
def test_a_number_that_changes_between_epochs_is_noticed(name, monkeypatch):
    monkeypatch.setitem(globals(), "GLOBAL", 1.0)
    model, double = setting(name)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        told = model.fit(
            X, Y, epochs=3, verbose=0,
            callbacks=[LambdaCallback(on_epoch_end=lambda epoch, logs: double())],
        ).history["loss"]  # fmt: skip
    numpy.testing.assert_allclose(told, DOUBLING)
    assert model.jit_status == "compiled"
    # It is now 8 times what it was.
    assert model.evaluate(X, Y, verbose=0) == pytest.approx(32.0**2)


def test_a_number_that_changes_at_each_step_makes_the_model_run_operation_by_operation():
    model, _ = setting("property")

    def other(batch, logs):
        model.layers[0].exponent = batch % 4

    with pytest.warns(UserWarning, match=r"FromProperty\.exponent is another at each step"):
        told = model.fit(
            numpy.ones((64, 4), "float32"), numpy.zeros((64, 1), "float32"), batch_size=1,
            verbose=0, callbacks=[LambdaCallback(on_train_batch_begin=other)],
        ).history["loss"]  # fmt: skip
    assert told == [pytest.approx(16 * (1 + 4 + 16 + 64) / 4)]
    assert "another at each step" in model.jit_status
    model.layers[0].exponent = 3
    assert model.evaluate(X, Y, verbose=0) == pytest.approx(32.0**2)
    model.compile(SGD(0.0), "mse")  # and from then on it may be compiled again
    assert model.evaluate(X, Y, verbose=0) == pytest.approx(32.0**2)
    assert model.jit_status == "compiled"


def test_what_a_layer_counts_for_itself_is_no_reason_to_trace_again():
    class Counting(Layer):
        calls = 0

        def call(self, x):
            self.calls += 1
            return x

    random.seed(0)
    layer = Counting()
    model = Sequential([Input((4,)), layer, Dense(1)])
    model.compile("sgd", "mse")
    model.fit(X, Y, batch_size=2, epochs=3, validation_data=(X, Y), verbose=0)
    before = layer.calls
    model.fit(X, Y, batch_size=2, epochs=3, validation_data=(X, Y), verbose=0)
    assert layer.calls == before
    assert model.jit_status == "compiled"


def test_names_that_code_has_for_something_else_are_not_looked_at(monkeypatch):
    class Reporting(Layer):
        def __init__(self):
            super().__init__()
            self.total = 0.0

        def call(self, x):
            return x.sum(axis=-1, keepdims=True) * 1.0  # `sum` is an attribute here

        def report(self):  # which no forward pass calls
            return self.total

    layer = Reporting()
    model = Sequential([Input((4,)), layer, Dense(1)])
    model.compile("sgd", "mse")
    for i in range(30):
        monkeypatch.setitem(globals(), "sum", i)
        layer.total += 1.0
        model.train_on_batch(X, Y)
        assert model.jit_status == "compiled"
    assert layer.report() == 30
