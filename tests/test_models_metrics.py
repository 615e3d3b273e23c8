"""`Model.metrics` and steps of one's own that count in them, as Keras' users write them."""

from __future__ import annotations

import numpy
import pytest

import minpy.numpy as np
from minpy import losses, metrics, random
from minpy.layers import Dense, Input, Layer
from minpy.models import Model, Sequential
from minpy.utils import pack_x_y_sample_weight

X = numpy.linspace(-1, 1, 30, dtype="float32").reshape(10, 3)
Y = X.sum(1, keepdims=True)


def stack(kind=Sequential, **options):
    model = kind([Dense(2, "tanh", **options), Dense(1)])
    model.build((None, 3))
    model.set_weights([numpy.full(w.shape, 0.1 * i) for i, w in enumerate(model.weights, 1)])
    return model


def test_metrics_are_those_that_keras_lists():
    # names and order as in Keras 3.15
    model = stack()
    assert model.metrics == []
    model.compile("sgd", "mse", metrics=["mae"])
    assert model.metrics_names == ["loss", "compile_metrics"]
    history = model.fit(X, Y, epochs=2, verbose=0).history
    assert model.metrics_names == ["loss", "compile_metrics"]
    assert [m.name for m in model.metrics[1].metrics] == ["mean_absolute_error"]
    assert list(model.get_metrics_result()) == ["loss", "mae"]
    assert model.get_metrics_result() == {"loss": history["loss"][1], "mae": history["mae"][1]}
    assert model.metrics[0] is model.metrics[0]
    model.reset_metrics()
    assert model.get_metrics_result() == {"loss": 0.0, "mae": 0.0}


def test_several_outputs_have_losses_of_their_own():
    x = Input((3,))
    model = Model(x, [Dense(1, name="a")(x), Dense(1, name="b")(x)])
    model.compile("sgd", "mse", metrics=[["mae"], ["mse"]])
    model.fit(X, [Y, Y], verbose=0)
    assert model.metrics_names == ["loss", "compile_metrics", "a_loss", "b_loss"]
    found = model.get_metrics_result()
    assert list(found) == ["loss", "a_mae", "b_mse", "a_loss", "b_loss"]
    assert found["loss"] == pytest.approx(found["a_loss"] + found["b_loss"], rel=1e-6)


class Guide(Sequential):
    """The training step of Keras' guides."""

    def train_step(self, data):
        x, y = data
        kept = []

        def loss():
            kept[:] = [self(x, training=True)]
            return self.compute_loss(y=y, y_pred=kept[0])

        value, gradients = self.value_and_gradients(loss)
        self.optimizer.apply_gradients(zip(gradients, self.trainable_variables, strict=True))
        for metric in self.metrics:
            if metric.name == "loss":
                metric.update_state(value)
            else:
                metric.update_state(y, kept[0])
        return {m.name: m.result() for m in self.metrics}


@pytest.mark.parametrize("regularizer", [None, "l2"])
def test_the_step_of_keras_guides_does_what_fit_does(regularizer):
    found = []
    for kind in (Sequential, Guide):
        model = stack(kind, kernel_regularizer=regularizer, activity_regularizer=regularizer)
        model.compile("adam", "mse", metrics=["mae"])
        history = model.fit(X, Y, batch_size=5, epochs=3, shuffle=False, verbose=0).history
        found.append((history, model.get_weights()))
    for name in ("loss", "mae"):
        numpy.testing.assert_allclose(found[0][0][name], found[1][0][name], rtol=1e-5)
    for a, b in zip(found[0][1], found[1][1], strict=True):
        numpy.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


class Tracks(Sequential):
    """Has metrics of its own, and lists them itself."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.loss_tracker = metrics.Mean(name="loss")
        self.distance = metrics.MeanAbsoluteError(name="distance")

    @property
    def metrics(self):
        return [self.loss_tracker, self.distance]

    def train_step(self, data):
        x, y = data
        y_pred = self(x, training=True)
        value, gradients = self.value_and_gradients(lambda: losses.MeanSquaredError()(y, self(x)))
        self.optimizer.apply(gradients, self.trainable_weights)
        self.loss_tracker.update_state(value)
        self.distance.update_state(y, y_pred)
        return {"loss": self.loss_tracker.result(), "distance": self.distance.result()}

    def test_step(self, data):
        x, y = data
        self.distance.update_state(y, self(x, training=False))
        return {"distance": self.distance.result()}


def test_metrics_of_a_models_own_begin_each_epoch_anew():
    model = stack(Tracks)
    model.compile("sgd")
    history = model.fit(
        X, Y, batch_size=5, epochs=3, shuffle=False, verbose=0, validation_data=(X, Y)
    ).history
    plain = stack()
    plain.compile("sgd", "mse", metrics=["mae"])
    expected = plain.fit(
        X, Y, batch_size=5, epochs=3, shuffle=False, verbose=0, validation_data=(X, Y)
    ).history
    numpy.testing.assert_allclose(history["distance"], expected["mae"], rtol=1e-5)
    numpy.testing.assert_allclose(history["loss"], expected["loss"], rtol=1e-5)
    numpy.testing.assert_allclose(history["val_distance"], expected["val_mae"], rtol=1e-5)


def test_metrics_of_layers_are_found_and_logged():
    class Watches(Layer):
        def __init__(self):
            super().__init__()
            self.seen = metrics.Sum(name="seen")
            self.more = [metrics.Mean(name="more")]

        def call(self, x):
            return x

    layer = Watches()
    model = Sequential([Dense(1), layer])
    assert layer.metrics == [layer.seen, layer.more[0]]
    model.compile("sgd", "mse")
    assert model.metrics_names == ["loss", "seen", "more"]

    class Counts(Sequential):
        def train_step(self, data):
            layer.seen.update_state(len(data[0]))
            return super().train_step(data)

    model = Counts([Dense(1), layer])
    model.compile("sgd", "mse")
    history = model.fit(X, Y, batch_size=4, epochs=2, verbose=0).history
    assert history["seen"] == [10.0, 10.0]


def test_weights_of_samples_come_third():
    seen = []

    class Looks(Sequential):
        def train_step(self, data):
            seen.append(len(data))
            return super().train_step(data)

        def predict_step(self, data):
            return super().predict_step(data)

    model = stack(Looks)
    model.compile("sgd", "mse")
    model.fit(X, Y, batch_size=10, verbose=0)
    model.fit(X, Y, sample_weight=numpy.ones(10), batch_size=10, verbose=0)
    assert seen == [2, 3]
    assert model.predict(X, verbose=0).shape == (10, 1)
    x = np.array(X)
    assert pack_x_y_sample_weight(x) is x
    assert pack_x_y_sample_weight([1, 2]) == ([1, 2],)
    assert pack_x_y_sample_weight(1, 2, 3) == (1, 2, 3)


def test_compute_metrics_without_a_loss_leaves_the_loss_alone():
    model = stack()
    model.compile("sgd", "mse", metrics=["mae"])
    model.build((None, 3))
    model.metrics[0].update_state(3.0)
    model.metrics[0].update_state([1.0, 2.0], sample_weight=[1.0, 0.0])
    found = model.compute_metrics(X, Y, Y + 1)
    assert found["loss"] == 2.0
    assert found["mae"] == pytest.approx(1.0, rel=1e-6)


def test_running_eagerly_is_read_and_set():
    model = stack()
    model.compile("sgd", "mse", run_eagerly=True)
    assert model.run_eagerly
    assert not model.jit_compile
    model.fit(X, Y, verbose=0)
    assert model.jit_status != "compiled"
    model.run_eagerly = False
    model.fit(X, Y, verbose=0)
    assert model.jit_status == "compiled" or "mxnet" in model.jit_status
    model.jit_compile = False
    assert model.run_eagerly


@pytest.mark.filterwarnings("ignore:.*runs operation by operation")
@pytest.mark.parametrize("jit", ["auto", False])
def test_a_metric_that_a_layer_updates_in_call_counts_every_step(jit):
    class Watched(Layer):
        def __init__(self):
            super().__init__()
            self.seen = metrics.Mean(name="seen")

        def call(self, x):
            self.seen.update_state(np.mean(x, axis=1))
            return x

    x = numpy.arange(24.0).reshape(12, 2)
    model = Sequential([Input((2,)), Watched(), Dense(1, kernel_initializer="zeros")])
    model.compile("sgd", "mse", jit=jit)
    history = model.fit(x, x[:, :1] * 0, batch_size=5, epochs=3, verbose=0).history
    assert history["seen"] == pytest.approx([x.mean()] * 3)
    found = model.evaluate(x[:4], x[:4, :1], verbose=0, return_dict=True)
    assert found["seen"] == pytest.approx(x[:4].mean())


@pytest.mark.parametrize("jit", ["auto", False])
def test_fit_and_evaluate_ask_a_compute_metrics_of_ones_own(jit):
    class Told(Sequential):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            self.largest = []

        def compute_metrics(self, x, y, y_pred, sample_weight=None):
            logs = super().compute_metrics(x, y, y_pred, sample_weight)
            self.largest.append(float(abs(y_pred - y).max()))
            return {**logs, "largest": self.largest[-1], "rows": len(x)}

    x = numpy.linspace(-1, 1, 40).reshape(20, 2).astype("float32")
    y = x.sum(1, keepdims=True)
    found = {}
    for kind in (Told, Sequential):
        random.seed(0)
        model = kind([Input((2,)), Dense(1)])
        model.compile("sgd", "mse", metrics=["mae"], jit=jit)
        told = model.fit(x, y, batch_size=8, epochs=2, validation_data=(x, y), verbose=0).history
        found[kind] = told, model
    told, model = found[Told]
    plain = found[Sequential][0]
    assert {k: v for k, v in told.items() if k in plain} == plain
    assert told["rows"] == [4, 4]
    assert told["val_rows"] == [4, 4]
    assert len(model.largest) == 2 * (3 + 3)
    evaluated = model.evaluate(x, y, batch_size=20, verbose=0, return_dict=True)
    assert evaluated["largest"] == pytest.approx(float(abs(model.predict(x, verbose=0) - y).max()))
    assert set(model.train_on_batch(x, y, return_dict=True)) == {"loss", "mae", "largest", "rows"}


@pytest.mark.parametrize("name", ["loss", "own"])
@pytest.mark.parametrize("others", [False, True])
def test_logs_have_what_a_metrics_property_of_ones_own_lists(name, others):
    class Listing(Model):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            self.tracker = metrics.Mean(name=name)

        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
            loss = np.mean((y - y_pred) ** 2)
            self.tracker.update_state(3 * loss)
            return loss

        @property
        def metrics(self):
            return [self.tracker] + (super().metrics if others else [])

    inputs = Input((3,))
    model = Listing(inputs, Dense(1)(inputs))
    model.compile("sgd", metrics=["mae"])
    x, y = numpy.ones((8, 3), "float32"), numpy.zeros((8, 1), "float32")
    model.fit(x, y, epochs=1, batch_size=4, verbose=0)
    predicted = model.predict(x, verbose=0)
    loss = (predicted**2).mean()
    told = model.evaluate(x, y, verbose=0, return_dict=True)
    if others:
        assert set(told) == {"loss", "mae", name}
        assert told["loss"] == pytest.approx(loss, rel=1e-5)
    else:  # as Keras 3.15 has it
        assert told == pytest.approx({name: 3 * loss}, rel=1e-5)
        assert model.evaluate(x, y, verbose=0) == pytest.approx(3 * loss, rel=1e-5)
        assert set(model.fit(x, y, verbose=0).history) == {name}
