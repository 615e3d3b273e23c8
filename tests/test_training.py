"""fit, evaluate, predict and single batches: what they compute, what they refuse, how they stop."""

from __future__ import annotations

import os
import signal
import threading
import warnings

import numpy
import pytest

import minpy
import minpy.numpy as np
from minpy import runtime
from minpy.callbacks import Callback, EarlyStopping, LambdaCallback
from minpy.errors import ShapeError
from minpy.layers import (
    BatchNormalization,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    Layer,
    MaxPooling2D,
)
from minpy.losses import SparseCategoricalCrossentropy
from minpy.models import Model, Sequential
from minpy.optimizers import SGD, Adam

needs_mxnet = pytest.mark.skipif(not runtime.available(), reason="mxnet can't be used here")


def line(n=64, seed=0):
    rng = numpy.random.default_rng(seed)
    x = rng.standard_normal((n, 3)).astype("float32")
    return x, (x @ [[1.0], [-2.0], [0.5]] + 0.3).astype("float32")


def classes(n=96, seed=0):
    rng = numpy.random.default_rng(seed)
    y = rng.integers(0, 3, n)
    return (rng.standard_normal((n, 4)) * 0.3 + y[:, None]).astype("float32"), y


def compiled(layers, loss="mse", optimizer=None, **kwargs):
    model = Sequential(layers)
    model.compile(optimizer or SGD(0.1), loss, **kwargs)
    return model


def test_one_sgd_step_is_the_closed_form_of_linear_regression():
    x, y = line(16)
    model = compiled([Dense(1, input_shape=(3,))])
    w, b = model.get_weights()
    model.fit(x, y, batch_size=16, epochs=1, shuffle=False, verbose=0)
    error = x @ w + b - y
    expected_w = w - 0.1 * 2 * x.T @ error / 16
    expected_b = b - 0.1 * 2 * error.mean(axis=0)
    new_w, new_b = model.get_weights()
    numpy.testing.assert_allclose(new_w, expected_w, rtol=1e-5, atol=1e-6)
    numpy.testing.assert_allclose(new_b, expected_b, rtol=1e-5, atol=1e-6)


def test_linear_regression_finds_the_least_squares_solution():
    x, y = line(64)
    model = compiled([Dense(1, input_shape=(3,))])
    model.fit(x, y, epochs=60, verbose=0)
    exact = numpy.linalg.lstsq(numpy.c_[x, numpy.ones(64)], y, rcond=None)[0]
    w, b = model.get_weights()
    numpy.testing.assert_allclose(numpy.r_[w, b[:, None]], exact, atol=1e-4)


def test_a_last_smaller_batch_counts_by_its_samples():
    x, y = line(10)
    model = compiled([Dense(1, input_shape=(3,))], optimizer=SGD(0.0), metrics=["mae"])
    history = model.fit(x, y, batch_size=4, epochs=1, verbose=0).history
    residual = model.predict(x, verbose=0) - y
    assert history["loss"][0] == pytest.approx((residual**2).mean(), rel=1e-5)
    assert history["mae"][0] == pytest.approx(numpy.abs(residual).mean(), rel=1e-5)
    loss, mae = model.evaluate(x, y, batch_size=3, verbose=0)
    assert (loss, mae) == pytest.approx((history["loss"][0], history["mae"][0]), rel=1e-5)


def test_history_has_training_and_validation_logs_an_epoch_each():
    x, y = classes()
    model = compiled(
        [Dense(3, activation="softmax", input_shape=(4,))],
        "sparse_categorical_crossentropy",
        SGD(0.5),
        metrics=["accuracy"],
    )
    history = model.fit(x, y, epochs=3, shuffle=False, validation_split=0.25, verbose=0)
    assert sorted(history.history) == ["accuracy", "loss", "val_accuracy", "val_loss"]
    assert all(len(values) == 3 for values in history.history.values())
    assert history is model.history
    assert history.history["loss"][-1] < history.history["loss"][0]


def test_validation_split_is_the_end_of_the_data_before_shuffling():
    x, y = line(20)
    seen = []
    model = compiled([Dense(1, input_shape=(3,))], optimizer=SGD(0.0))
    model.fit(x, y, validation_split=0.2, epochs=1, verbose=0)
    residual = model.predict(x[16:], verbose=0) - y[16:]
    seen.append(model.history.history["val_loss"][0])
    assert seen[0] == pytest.approx((residual**2).mean(), rel=1e-5)


def test_sample_weights_and_class_weights_weigh_the_loss():
    x, y = classes(30)
    model = compiled(
        [Dense(3, activation="softmax", input_shape=(4,))], "sparse_categorical_crossentropy"
    )
    p = model.predict(x, verbose=0)
    each = -numpy.log(p[numpy.arange(30), y])
    weights = numpy.array([1.0, 3.0, 0.5])[y]
    loss = model.evaluate(x, y, sample_weight=weights, batch_size=30, verbose=0)
    assert loss == pytest.approx((each * weights).mean(), rel=1e-4)
    model.compile(SGD(0.0), "sparse_categorical_crossentropy")
    history = model.fit(
        x, y, class_weight={0: 1.0, 1: 3.0, 2: 0.5}, batch_size=30, epochs=1, verbose=0
    )
    assert history.history["loss"][0] == pytest.approx((each * weights).mean(), rel=1e-4)


def test_a_class_without_a_weight_counts_one_as_in_keras():
    x, y = classes(30)
    losses = []
    for weights in ({1: 3.0}, {0: 1.0, 1: 3.0, 2: 1.0, 7: 5.0}):
        minpy.random.seed(1)
        model = compiled(
            [Dense(3, activation="softmax", input_shape=(4,))], "sparse_categorical_crossentropy"
        )
        losses.append(model.fit(x, y, class_weight=weights, verbose=0).history["loss"])
    assert losses[0] == losses[1]


@pytest.mark.parametrize("jit", ["auto", False])
def test_the_same_seed_gives_the_same_run(jit):
    x, y = classes()

    def run():
        minpy.random.seed(7)
        model = Sequential(
            [Dense(8, activation="relu"), Dropout(0.5), BatchNormalization(), Dense(3)]
        )
        model.compile(Adam(0.01), "mse", jit=jit)
        model.fit(x, numpy.eye(3, dtype="float32")[y], epochs=3, verbose=0)
        return model.get_weights()

    for a, b in zip(run(), run(), strict=True):
        numpy.testing.assert_array_equal(a, b)


def test_shuffling_gives_each_epoch_another_order_and_every_sample_once():
    orders = []

    class Watch(Layer):
        def call(self, x, training=False):
            if training:
                orders.append(x.asnumpy().ravel())
            return x

    x = numpy.arange(10, dtype="float32").reshape(-1, 1)
    model = Sequential([Watch(), Dense(1)])
    model.compile("sgd", "mse", jit=False)
    model.fit(x, x, batch_size=10, epochs=3, verbose=0)
    assert len(orders) == 3
    assert all(sorted(order) == list(range(10)) for order in orders)
    assert not numpy.array_equal(orders[0], orders[1])


def test_predict_gives_numpy_arrays_in_order_for_any_batch_size():
    x, _ = line(11)
    model = Sequential([Dense(2, input_shape=(3,))])
    whole = model.predict(x, batch_size=11, verbose=0)
    assert type(whole) is numpy.ndarray
    numpy.testing.assert_allclose(model.predict(x, batch_size=4, verbose=0), whole, rtol=1e-5)
    w, b = model.get_weights()
    numpy.testing.assert_allclose(whole, x @ w + b, rtol=1e-5, atol=1e-6)


def test_inputs_of_other_dtypes_are_cast():
    x = numpy.arange(12, dtype="uint8").reshape(4, 3)
    model = Sequential([Dense(2, input_shape=(3,))])
    for given in (x, x.astype("int64"), x.astype("float64"), np.array(x), x.tolist()):
        out = model.predict(given, verbose=0)
        assert out.dtype == numpy.float32
        numpy.testing.assert_allclose(out, model.predict(x.astype("float32"), verbose=0))


def test_train_and_test_on_batch_report_and_train():
    x, y = line(8)
    model = compiled([Dense(1, input_shape=(3,))])
    first = model.test_on_batch(x, y)
    model.reset_metrics()
    assert model.train_on_batch(x, y, return_dict=True) == {"loss": pytest.approx(first)}
    model.reset_metrics()
    assert model.test_on_batch(x, y) < first


def test_frozen_layers_keep_their_weights():
    x, y = line()
    frozen = Dense(4, input_shape=(3,))
    model = compiled([frozen, Dense(1)])
    frozen.trainable = False
    before = model.get_weights()
    model.fit(x, y, epochs=2, verbose=0)
    after = model.get_weights()
    numpy.testing.assert_array_equal(before[0], after[0])
    assert not numpy.array_equal(before[2], after[2])
    frozen.trainable = True
    model.fit(x, y, epochs=1, verbose=0)
    assert not numpy.array_equal(model.get_weights()[0], before[0])


def test_regularizers_and_added_losses_count():
    class Extra(Layer):
        def call(self, x):
            self.add_loss(np.mean(x * x))
            return x

    x, y = line(8)
    model = compiled([Extra(), Dense(1, kernel_regularizer="l2")], optimizer=SGD(0.0))
    loss = model.evaluate(x, y, verbose=0)
    w, b = model.get_weights()
    expected = ((x @ w + b - y) ** 2).mean() + (x * x).mean() + 0.01 * (w**2).sum()
    assert loss == pytest.approx(expected, rel=1e-5)


def test_constraints_hold_after_each_step():
    x, y = line()
    model = compiled([Dense(1, kernel_constraint="non_neg", input_shape=(3,))])
    model.fit(x, y, epochs=3, verbose=0)
    assert model.get_weights()[0].min() >= 0


def test_a_callback_stops_training_within_an_epoch():
    x, y = line(64)
    steps = []

    class Stop(Callback):
        def on_train_batch_end(self, batch, logs=None):
            steps.append(batch)
            if batch == 1:
                self.model.stop_training = True

    compiled([Dense(1)]).fit(x, y, batch_size=8, epochs=5, verbose=0, callbacks=[Stop()])
    assert steps == [0, 1]


def test_early_stopping_restores_the_best_weights():
    x, y = line()
    model = compiled([Dense(1, input_shape=(3,))], optimizer=SGD(1.5))  # diverges
    stopper = EarlyStopping(monitor="loss", patience=2, restore_best_weights=True)
    start = model.evaluate(x, y, verbose=0)
    history = model.fit(x, y, epochs=50, verbose=0, callbacks=[stopper])
    assert len(history.history["loss"]) < 50
    assert numpy.isfinite(model.evaluate(x, y, verbose=0)) and start > 0


def test_predicting_leaves_the_weights_memory_as_it_is():
    # oneDNN reorders weights in place for inference, in memory that NumPy shares.
    rng = numpy.random.default_rng(0)
    x = rng.standard_normal((64, 16, 8, 8)).astype("float32")
    model = Sequential([Conv2D(32, 3, input_shape=(16, 8, 8)), Flatten(), Dense(64), Dense(3)])
    before = model.get_weights()
    first = model.predict(x, verbose=0)
    for a, b in zip(model.get_weights(), before, strict=True):
        numpy.testing.assert_array_equal(a, b)
    numpy.testing.assert_array_equal(model.predict(x, verbose=0), first)


@needs_mxnet
@pytest.mark.parametrize("seed", range(3))
def test_compiled_and_eager_training_agree_to_rounding(seed):
    rng = numpy.random.default_rng(seed)
    x = rng.standard_normal((72, 2, 8, 8)).astype("float32")
    y = rng.integers(0, 3, 72)

    def run(jit):
        minpy.random.seed(seed)
        model = Sequential(
            [
                Conv2D(4, 3, padding="same", activation="relu", input_shape=(2, 8, 8)),
                BatchNormalization(),
                MaxPooling2D(2),
                Dropout(0.3),
                Flatten(),
                Dense(8, activation="tanh", kernel_regularizer="l2"),
                Dense(3),
            ]
        )
        model.compile(SGD(0.05), SparseCategoricalCrossentropy(from_logits=True), jit=jit)
        weights = 0.5 + (numpy.arange(72) % 3)
        history = model.fit(x, y, sample_weight=weights, epochs=5, batch_size=16, verbose=0)
        return model, history.history["loss"]

    with warnings.catch_warnings():
        warnings.simplefilter("error")  # nothing falls back
        (compiled, a), (eager, b) = run(True), run(False)
    assert compiled.jit_status == "compiled"
    numpy.testing.assert_allclose(a, b, rtol=1e-4)
    for p, q in zip(compiled.weights, eager.weights, strict=True):
        numpy.testing.assert_allclose(p.numpy(), q.numpy(), rtol=1e-3, atol=1e-4, err_msg=p.path)


@needs_mxnet
def test_what_cannot_be_compiled_runs_all_the_same_and_says_why():
    class Branches(Layer):
        def call(self, x):
            return x * 2 if float(x.sum()) > 0 else x

    x, y = line(8)
    model = compiled([Branches(), Dense(1)])
    with pytest.warns(UserWarning, match=r"reads a number that depends on its input.*line"):
        model.fit(x, y, epochs=1, verbose=0)
    assert numpy.isfinite(model.history.history["loss"][0])


# --- stopping and failing -------------------------------------------------------------------------


def test_ctrl_c_closes_callbacks_and_leaves_the_weights_of_the_last_step():
    x, y = line(4096)
    model = compiled([Dense(16), Dense(1)], optimizer=SGD(1e-4))
    ended, at_end = [], []

    class Watch(Callback):
        def on_train_begin(self, logs=None):
            threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()

        def on_train_batch_end(self, batch, logs=None):
            at_end[:] = self.model.get_weights()

        def on_train_end(self, logs=None):
            ended.append(True)

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        model.fit(x, y, batch_size=2, epochs=10_000, verbose=0, callbacks=[Watch()])
    assert ended == [True]
    assert signal.getsignal(signal.SIGINT) is before
    for a, b in zip(model.get_weights(), at_end, strict=True):
        numpy.testing.assert_array_equal(a, b)
    assert numpy.isfinite(model.predict(x[:4], verbose=0)).all()


def test_a_failing_step_leaves_the_weights_as_they_were():
    class Fails(Layer):
        armed = False

        def call(self, x):
            if self.armed:
                raise ArithmeticError("on purpose")
            return x

    x, y = line(8)
    fails = Fails()
    model = Sequential([Dense(4), BatchNormalization(), fails, Dense(1)])
    model.compile(Adam(), "mse", jit=False)
    model.fit(x, y, epochs=1, verbose=0)
    before, iterations = model.get_weights(), model.optimizer.iterations
    fails.armed = True
    with pytest.raises(ArithmeticError, match="on purpose"):
        model.fit(x, y, epochs=1, verbose=0)
    assert model.optimizer.iterations == iterations
    for a, b in zip(model.get_weights(), before, strict=True):
        numpy.testing.assert_array_equal(a, b)


def test_an_error_in_a_callback_ends_the_others():
    x, y = line(8)
    ended = []

    def fail(epoch, logs):
        raise RuntimeError("callback")

    with pytest.raises(RuntimeError, match="callback"):
        compiled([Dense(1)]).fit(
            x,
            y,
            verbose=0,
            callbacks=[
                LambdaCallback(on_train_end=lambda logs: ended.append(1)),
                LambdaCallback(on_epoch_end=fail),
            ],
        )
    assert ended == [1]


def test_fit_works_in_another_thread():
    x, y = line()
    model = compiled([Dense(1)])
    found = []
    worker = threading.Thread(target=lambda: found.append(model.fit(x, y, epochs=2, verbose=0)))
    worker.start()
    worker.join(60)
    assert len(found[0].history["loss"]) == 2


# --- what is refused ------------------------------------------------------------------------------


def test_fit_before_compile_says_what_to_do():
    with pytest.raises(RuntimeError, match="call compile"):
        Sequential([Dense(1)]).fit(*line())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"x": numpy.zeros((4, 3)), "y": numpy.zeros(5)}, "x has 4, y has 5"),
        ({"x": numpy.zeros((0, 3)), "y": numpy.zeros(0)}, "empty"),
        ({"x": numpy.zeros((4, 3)), "y": None}, "targets"),
        ({"x": None, "y": None}, "x=None"),
        ({"x": numpy.zeros((4, 3)), "y": numpy.zeros(4), "batch_size": 0}, "batch_size"),
        (
            {"x": numpy.zeros((4, 3)), "y": numpy.zeros(4), "validation_split": 1.5},
            "between 0 and 1",
        ),
        (
            {"x": numpy.zeros((4, 3)), "y": numpy.zeros(4), "validation_data": (1,)},
            "validation_data",
        ),
    ],
)
def test_bad_data_is_refused_before_the_first_step(arguments, message):
    model = compiled([Dense(1, input_shape=(3,))])
    before = model.get_weights()
    with pytest.raises(ValueError, match=message):
        model.fit(**arguments, verbose=0)
    numpy.testing.assert_array_equal(model.get_weights()[0], before[0])


@pytest.mark.parametrize("jit", [True, False])
@pytest.mark.parametrize("shape", [(-1,), (-1, 1)])
def test_labels_beyond_the_outputs_are_refused_in_any_batch(jit, shape):
    model = Sequential([Dense(3, input_shape=(4,))])
    loss = SparseCategoricalCrossentropy(from_logits=True)
    model.compile(SGD(0.1), loss, jit=jit)
    x, y = classes(64)
    model.fit(x, y.reshape(shape), verbose=0)
    before = model.get_weights()
    y[40] = 3
    with pytest.raises(ValueError, match=r"class numbers from 0 to 2|label"):
        model.fit(x[32:], y[32:].reshape(shape), shuffle=False, verbose=0)
    numpy.testing.assert_array_equal(model.get_weights()[0], before[0])


def test_strings_as_labels_say_how_to_number_them():
    model = compiled([Dense(3, input_shape=(3,))], "sparse_categorical_crossentropy")
    with pytest.raises(TypeError, match="number the classes"):
        model.fit(numpy.zeros((3, 3)), numpy.array(["a", "b", "c"]), verbose=0)


def test_wrong_features_name_the_layer_and_both_shapes():
    model = compiled([Dense(1, input_shape=(3,), name="fc")])
    with pytest.raises(ShapeError, match=r"Dense 'fc': expected input of shape \(batch, 3\)"):
        model.fit(numpy.zeros((4, 5)), numpy.zeros((4, 1)), verbose=0)


def test_unknown_names_suggest_the_nearest():
    model = Sequential([Dense(1)])
    with pytest.raises(ValueError, match="adam"):
        model.compile("adamm", "mse")
    with pytest.raises(ValueError, match="accuracy"):
        model.compile("adam", "mse", metrics=["acuracy"])
    assert not model.compiled


def test_a_loss_that_is_no_number_says_so():
    model = Sequential([Dense(1, input_shape=(3,))])
    model.compile("sgd", lambda y, p: (y - p) ** 2)
    x, y = line(4)
    model.fit(x, y, verbose=0)  # Keras takes the mean of what a function returns


# --- models of one's own --------------------------------------------------------------------------


class TwoPaths(Model):
    def __init__(self):
        super().__init__()
        self.wide = Dense(1)
        self.deep = [Dense(8, activation="relu"), Dense(1)]

    def call(self, x):
        h = x
        for layer in self.deep:
            h = layer(h)
        return self.wide(x) + h


def test_a_subclassed_model_trains_and_names_its_weights_by_attributes():
    x, y = line()
    model = TwoPaths()
    model.compile(SGD(0.05), "mse")
    history = model.fit(x, y, epochs=10, verbose=0).history["loss"]
    assert history[-1] < history[0]
    assert [p.path for p in model.weights] == [
        "wide/kernel",
        "wide/bias",
        "deep_0/kernel",
        "deep_0/bias",
        "deep_1/kernel",
        "deep_1/bias",
    ]


def test_several_inputs_as_a_dict():
    class Sum(Model):
        def __init__(self):
            super().__init__()
            self.a, self.b = Dense(1), Dense(1)

        def call(self, inputs):
            return self.a(inputs["left"]) + self.b(inputs["right"])

    x, y = line()
    model = Sum()
    model.compile(SGD(0.1), "mse")
    data = {"left": x[:, :1], "right": x[:, 1:]}
    losses = model.fit(data, y, epochs=20, verbose=0).history["loss"]
    assert losses[-1] < losses[0] / 10
