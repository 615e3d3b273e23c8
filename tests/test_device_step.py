"""Training on a device: what is computed there, what comes back, and when.

On ``cpu(1)``, a device of MXNet's apart from the host, beside the same training on the host.
"""

from __future__ import annotations

import numpy
import pytest

from minpy import random, runtime
from minpy.callbacks import BackupAndRestore, EarlyStopping, LambdaCallback
from minpy.constraints import MaxNorm
from minpy.context import cpu, gpu, num_gpus
from minpy.errors import ContextError
from minpy.layers import (
    LSTM,
    BatchNormalization,
    Conv2D,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    Input,
    Layer,
)
from minpy.models import Model, Sequential
from minpy.optimizers import SGD, Adafactor, Adam, LossScaleOptimizer, on_mxnet

pytestmark = pytest.mark.skipif(not runtime.available(), reason="needs mxnet")

rng = numpy.random.default_rng(0)
X = rng.random((48, 6)).astype("float32")
IMAGES = rng.random((48, 2, 6, 6)).astype("float32")
WORDS = rng.integers(0, 10, (48, 5))
Y = rng.random((48, 2)).astype("float32")


def frozen():
    model = Sequential([Dense(8, activation="tanh"), Dense(2)])
    model(X[:1])
    model.layers[0].trainable = False
    return model


def two_paths():
    inputs = Input((6,))
    shared = Dense(6, activation="relu", kernel_regularizer="l2")
    return Model(inputs, Dense(2)(shared(shared(inputs))))


MODELS = {
    "dense": (X, lambda: Sequential([Dense(8, activation="relu"), Dropout(0.5), Dense(2)])),
    "batch_norm": (
        X,
        lambda: Sequential([Dense(8, use_bias=False), BatchNormalization(), Dense(2)]),
    ),
    "convolution": (
        IMAGES,
        lambda: Sequential([Conv2D(3, 3, activation="relu"), Flatten(), Dense(2)]),
    ),
    "embedding": (WORDS, lambda: Sequential([Embedding(10, 4), Flatten(), Dense(2)])),
    "recurrent": (X.reshape(48, 3, 2), lambda: Sequential([LSTM(4), Dense(2)])),
    "constraint": (X, lambda: Sequential([Dense(8, kernel_constraint=MaxNorm(0.5)), Dense(2)])),
    "frozen": (X, frozen),
    "functional": (X, two_paths),
}


def trained(make, x, context, optimizer=None, **fit):
    random.seed(3)
    model = make()
    model.compile(optimizer or Adam(0.01), "mse", metrics=["mae"], jit=False)
    with context:
        history = model.fit(x, Y, 20, epochs=3, verbose=0, validation_data=(x, Y), **fit).history
    return model, history


def agree(model, other, tolerance=1e-5):
    for a, b in zip(model.get_weights(), other.get_weights(), strict=True):
        numpy.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)
    assert model.optimizer.iterations == other.optimizer.iterations
    for name, slot in model.optimizer.slots.items():
        numpy.testing.assert_allclose(
            other.optimizer.slots[name], slot, rtol=1e-3, atol=tolerance, err_msg=name
        )


@pytest.mark.parametrize("name", MODELS)
def test_a_training_on_a_device_is_that_of_the_host(name):
    x, make = MODELS[name]
    host, expected = trained(make, x, cpu())
    device, found = trained(make, x, cpu(1))
    assert "cpu(1)" in device.jit_status
    assert found.keys() == expected.keys()
    for log, values in expected.items():
        numpy.testing.assert_allclose(found[log], values, rtol=1e-4, atol=1e-6)
    agree(host, device)
    for weight in device.weights:
        assert weight.value.context == cpu()
    # And it goes on there.
    for model in (host, device):
        random.seed(4)
        model.fit(x, Y, 20, verbose=0)
    assert "cpu(1)" not in device.jit_status
    agree(host, device, 1e-4)


@pytest.mark.parametrize(
    "make", [lambda: Adafactor(0.01), lambda: LossScaleOptimizer(Adam(0.01), 64.0)]
)
def test_optimizers_that_step_on_the_host_train_models_on_a_device(make):
    x, layers = MODELS["dense"]
    host, _ = trained(layers, x, cpu(), make())
    device, _ = trained(layers, x, cpu(1), make())
    agree(host, device)


def test_forward_backward_and_update_run_on_the_device(monkeypatch):
    seen, operators = set(), set()

    class Looking(Layer):
        def call(self, x):
            seen.add(x.context)
            return x

    run = on_mxnet._run

    def noted(name, inputs, output, **attrs):
        operators.add((name, str(output.context)))
        run(name, inputs, output, **attrs)

    monkeypatch.setattr(on_mxnet, "_run", noted)
    trained(lambda: Sequential([Dense(3), Looking(), Dense(2)]), X, cpu(1))
    assert cpu(1) in seen
    assert operators == {("adam_update", "cpu(1)")}


def test_callbacks_see_the_weights_of_each_step_and_may_change_them():
    def kernels(context):
        found = []

        def look(step, logs=None):
            weights = callback.model.get_weights()
            found.append(weights[0].copy())
            if step == 1:
                callback.model.set_weights([w * 0.5 for w in weights])

        callback = LambdaCallback(on_train_batch_end=look)
        model, _ = trained(lambda: Sequential([Dense(2)]), X, context, SGD(0.1, 0.9),
                           callbacks=[callback])  # fmt: skip
        return model, found

    (host, expected), (device, found) = kernels(cpu()), kernels(cpu(1))
    numpy.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    agree(host, device)


def test_what_a_callback_puts_back_at_the_end_of_an_epoch_is_trained_on():
    def run(context):
        callback = EarlyStopping("loss", patience=0, restore_best_weights=True)
        return trained(lambda: Sequential([Dense(2)]), X, context, SGD(5.0), callbacks=[callback])

    (host, expected), (device, found) = run(cpu()), run(cpu(1))
    assert len(expected["loss"]) == len(found["loss"])
    agree(host, device, 1e-4)


def test_single_batches_evaluation_and_prediction():
    random.seed(0)
    model = Sequential([Dense(2)])
    model.compile(SGD(0.1), "mse")
    with cpu(1):
        first = model.train_on_batch(X, Y)
        loss = model.evaluate(X, Y, verbose=0)
        predictions = model.predict(X, verbose=0)
        assert model.test_on_batch(X, Y) == pytest.approx(loss)
        numpy.testing.assert_allclose(model.predict_on_batch(X), predictions, rtol=1e-6)
    assert loss < first
    assert type(predictions) is numpy.ndarray
    kernel, bias = model.get_weights()
    numpy.testing.assert_allclose(predictions, X @ kernel + bias, rtol=1e-4, atol=1e-5)
    assert any(numpy.abs(g).max() > 0 for g in model.gradients().values())


def test_an_error_in_a_step_leaves_the_weights_of_the_step_before():
    class Breaking(Layer):
        count = 0

        def call(self, x):
            type(self).count += 1
            if type(self).count == 4:
                raise OSError("the wire is cut")
            return x

    random.seed(0)
    model = Sequential([Dense(2), Breaking()])
    model.compile(SGD(0.1, 0.9), "mse")
    with cpu(1), pytest.raises(OSError, match="wire"):
        model.fit(X, Y, 16, epochs=3, verbose=0, shuffle=False)
    steps = model.optimizer.iterations
    assert steps > 0
    random.seed(0)
    other = Sequential([Dense(2)])
    other.compile(SGD(0.1, 0.9), "mse")
    for i in range(steps):
        other.train_on_batch(X[i * 16 : i * 16 + 16], Y[i * 16 : i * 16 + 16])
    agree(other, model)


def test_a_run_that_was_stopped_goes_on_there_bit_for_bit(tmp_path):
    def run(context, stop=None, folder=None):
        random.seed(0)
        model = Sequential([Dense(3, activation="tanh"), Dense(2)])
        optimizer = Adam(0.01, use_ema=True, gradient_accumulation_steps=2)
        model.compile(optimizer, "mse")

        def interrupt(step, logs):
            if optimizer.batches == stop:
                raise KeyboardInterrupt

        callbacks = [] if folder is None else [BackupAndRestore(folder, save_freq=3)]
        callbacks.append(LambdaCallback(on_train_batch_end=interrupt))
        with context:
            model.fit(X, Y, 16, epochs=4, verbose=0, callbacks=callbacks)
        return model

    whole = run(cpu(1))
    with pytest.raises(KeyboardInterrupt):
        run(cpu(1), 7, tmp_path / "backup")
    again = run(cpu(1), None, tmp_path / "backup")
    for a, b in zip(whole.get_weights(), again.get_weights(), strict=True):
        numpy.testing.assert_array_equal(a, b)
    agree(run(cpu()), again)


def test_a_training_step_of_ones_own_runs_in_the_context_too():
    class Halving(Sequential):
        def train_step(self, data):
            x, y = data
            loss, gradients = self.value_and_gradients(
                lambda: self.compute_loss(x, y, self(x, training=True))
            )
            self.apply_gradients([g / 2 for g in gradients])
            return {"loss": loss}

    (host, _), (device, _) = (trained(lambda: Halving([Dense(2)]), X, c) for c in (cpu(), cpu(1)))
    agree(host, device)


@pytest.mark.skipif(num_gpus() > 0, reason="this machine has a GPU")
def test_a_gpu_that_is_not_there_is_told_before_anything_is_trained():
    model = Sequential([Dense(2)])
    model.compile("sgd", "mse")
    with pytest.raises(ContextError, match=r"gpu\(0\) can't be used: .*(install|driver)"), gpu(0):
        model.fit(X, Y, verbose=0)
    assert not model.built


@pytest.mark.gpu
@pytest.mark.parametrize("name", MODELS)
def test_a_training_on_a_gpu_is_that_of_the_host(name):
    x, make = MODELS[name]
    host, _ = trained(make, x, cpu())
    device, _ = trained(make, x, gpu(0))
    agree(host, device, 1e-3)
