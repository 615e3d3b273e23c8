"""What goes wrong in a training: each does what the documentation says, and leaves nothing half."""

from __future__ import annotations

import gc
import os
import threading
import time
import warnings

import numpy
import pytest

import minpy.numpy as np
from minpy import optimizers, random, runtime
from minpy.layers import Dense, Dropout, Flatten, Layer
from minpy.models import Model, Sequential
from minpy.models.denormals import flushed_denormals

rng = numpy.random.default_rng(0)
X, Y = rng.random((50, 4)).astype("float32"), rng.random((50, 2)).astype("float32")


class Counting(Layer):
    """Changes an attribute and prints each time that Python runs it."""

    def __init__(self):
        super().__init__()
        self.calls = 0

    def call(self, x):
        self.calls += 1
        print("called")
        return x * 2


def test_what_a_layer_does_beside_computing_happens_while_it_is_traced_only(capsys):
    random.seed(0)
    layer = Counting()
    model = Sequential([layer, Dense(2)])
    model.compile("sgd", "mse")
    model.fit(X, Y, batch_size=10, epochs=1, verbose=0)
    traced = layer.calls
    capsys.readouterr()
    model.fit(X, Y, batch_size=10, epochs=3, verbose=0)
    assert model.jit_status == "compiled"
    assert layer.calls == traced
    assert capsys.readouterr().out == ""
    # Operation by operation it happens at each of the 15 steps.
    model.compile("sgd", "mse", jit=False)
    model.fit(X, Y, batch_size=10, epochs=3, verbose=0)
    assert layer.calls == traced + 15


class Branching(Model):
    def __init__(self):
        super().__init__()
        self.dense = Dense(2)

    def call(self, x):
        y = self.dense(x)
        if float(np.sum(y)) > 0:  # of the data
            return y
        return 2 * y


@pytest.mark.skipif(not runtime.available(), reason="nothing is said where nothing is compiled")
def test_a_branch_on_data_runs_eagerly_and_says_which_line():
    random.seed(0)
    model = Branching()
    model.compile("sgd", "mse")
    with pytest.warns(UserWarning, match=r"reads a number.*test_training_trouble.py, line"):
        loss = model.fit(X, Y, epochs=2, shuffle=False, verbose=0).history["loss"]
    random.seed(0)
    other = Branching()
    other.compile("sgd", "mse", jit=False)
    assert other.fit(X, Y, epochs=2, shuffle=False, verbose=0).history["loss"] == loss


@pytest.mark.usefixtures("by_program_and_by_graph")
def test_last_batches_of_other_sizes_have_graphs_of_their_own():
    model = Sequential([Dense(2)])
    model.compile("sgd", "mse")
    for size in (16, 7, 50):
        model.fit(X, Y, batch_size=size, verbose=0)
        assert model.predict(X, batch_size=size, verbose=0).shape == (50, 2)
    assert model.jit_status == "compiled"


class HalfUsed(Model):
    def __init__(self):
        super().__init__()
        self.used, self.idle = Dense(2), Dense(2)

    def call(self, x):
        self.idle(x)
        return self.used(x)


@pytest.mark.parametrize("jit", [True, False])
@pytest.mark.usefixtures("by_program_and_by_graph")
def test_a_weight_that_gets_no_gradient_stays_as_it_is(jit):
    model = HalfUsed()
    model.compile(optimizers.SGD(0.1, momentum=0.9), "mse", jit=jit)
    model.train_on_batch(X, Y)
    before = model.idle.get_weights()
    model.fit(X, Y, epochs=2, verbose=0)
    for a, b in zip(before, model.idle.get_weights(), strict=True):
        numpy.testing.assert_array_equal(a, b)
    assert all((g == 0).all() for path, g in model.gradients().items() if "idle" in path)


@pytest.mark.parametrize("jit", [True, False])
@pytest.mark.usefixtures("by_program_and_by_graph")
def test_a_loss_that_turns_nan_is_reported_as_nan(jit):
    model = Sequential([Dense(2)])
    model.compile("sgd", "mse", jit=jit)
    x = X.copy()
    x[40] = numpy.nan
    loss = model.fit(x, Y, batch_size=10, shuffle=False, verbose=0).history["loss"]
    assert numpy.isnan(loss).all()


@pytest.mark.parametrize("jit", [True, False])
def test_an_array_changed_while_fit_reads_it_changes_the_batches_after(jit):
    x, seen = numpy.zeros((40, 4), "float32"), []

    class Watching(Sequential):
        def compute_metrics(self, *args, **kwargs):
            return super().compute_metrics(*args, **kwargs)

    from minpy.callbacks import LambdaCallback

    model = Watching([Dense(1, kernel_initializer="ones", trainable=False)])
    model.compile("sgd", "mse", jit=jit)

    def change(step, logs):
        seen.append(float(logs["loss"]))
        x[:] += 1

    callback = LambdaCallback(on_train_batch_end=change)
    model.fit(x, numpy.zeros((40, 1)), 10, shuffle=False, verbose=0, callbacks=[callback])
    # Losses so far: means of 0, 4² and 8² and 12².
    numpy.testing.assert_allclose(seen, [0, 8, 80 / 3, 56], rtol=1e-6)


def test_denormals_are_flushed_for_the_time_of_the_call_only():
    tiny = numpy.full(1000, 1e-30, "float32")
    inside = []

    class Looking(Layer):
        def call(self, x):
            inside.append(int(numpy.count_nonzero(tiny * numpy.float32(1e-10))))
            return x

    model = Sequential([Looking(), Dense(1)])
    model.compile("sgd", "mse", jit=False)
    model.fit(X, Y[:, :1], verbose=0)
    assert inside[-1] == 0
    assert numpy.count_nonzero(tiny * numpy.float32(1e-10)) == 1000


@pytest.mark.skipif(not runtime.available(), reason="mxnet is not installed")
def test_denormals_are_flushed_by_mxnets_threads_too():
    mx = runtime.library()
    tiny = mx.nd.array(numpy.full((2000, 1000), 1e-30, "float32"))

    def nonzero():
        return int(numpy.count_nonzero((tiny * 1e-10).asnumpy()))

    assert nonzero() == 2_000_000
    with flushed_denormals():
        assert nonzero() == 0
    assert nonzero() == 2_000_000


def memory():
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["program", "graph", "eager"])
def test_ten_thousand_steps_keep_their_pace_and_their_memory(kind):
    if kind == "graph":  # more arithmetic than a program takes
        layers = [Flatten(), Dense(512, activation="relu"), Dropout(0.2), Dense(512), Dense(2)]
    else:
        layers = [Flatten(), Dense(16, activation="relu"), Dropout(0.2), Dense(2)]
    model = Sequential(layers)
    model.compile("adam", "mse", metrics=["mae"], jit=kind != "eager")
    steps = 1000
    x = rng.random((32 * steps, 16)).astype("float32")
    y = numpy.zeros((32 * steps, 2), "float32")  # what is learnt dies away, into denormals
    threads = threading.active_count()
    spent, held = [], []
    for _ in range(11):
        gc.collect()
        held.append(memory())
        start = time.process_time()
        model.fit(x, y, verbose=0)
        spent.append(time.process_time() - start)
    assert model.optimizer.iterations == 11 * steps
    assert (model.jit_status == "compiled") == (kind != "eager")
    assert threading.active_count() <= threads + 1
    assert max(held[2:]) - held[1] < 8e6
    first, last = min(spent[1:4]), min(spent[-3:])
    assert last < 1.5 * first, spent


# --- operation by operation, and compiled ---------------------------------------------------------

OPTIMIZERS = sorted(
    name
    for name in dir(optimizers)
    if isinstance(getattr(optimizers, name), type)
    and issubclass(getattr(optimizers, name), optimizers.Optimizer)
    and name not in ("LossScaleOptimizer", "MultiOptimizer", "Optimizer")  # made of others
)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_fifty_steps_of_each_optimizer_are_the_same_compiled(name):
    found = []
    for jit in (True, False):
        random.seed(1)
        model = Sequential([Dense(6, activation="tanh"), Dense(2)])
        model.compile(getattr(optimizers, name)(), "mse", jit=jit)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            loss = model.fit(X, Y, batch_size=5, epochs=5, verbose=0).history["loss"]
        found.append((loss, model.get_weights()))
    numpy.testing.assert_allclose(found[0][0], found[1][0], rtol=1e-3)
    for a, b in zip(found[0][1], found[1][1], strict=True):
        numpy.testing.assert_allclose(a, b, rtol=1e-2, atol=1e-3)


@pytest.mark.parametrize("jit", [True, False])
@pytest.mark.usefixtures("by_program_and_by_graph")
def test_a_bias_learns_beside_a_frozen_kernel(jit):
    random.seed(0)
    layer = Dense(2, input_shape=(4,))
    model = Sequential([layer])
    model.weights[0].trainable = False
    model.compile(optimizers.SGD(0.1), "mse", jit=jit)
    kernel, bias = model.get_weights()
    p = X @ kernel + bias
    model.train_on_batch(X, Y)
    numpy.testing.assert_array_equal(model.get_weights()[0], kernel)
    expected = bias - 0.1 * (2 * (p - Y) / 2).mean(0)
    numpy.testing.assert_allclose(model.get_weights()[1], expected, rtol=1e-4, atol=1e-6)
