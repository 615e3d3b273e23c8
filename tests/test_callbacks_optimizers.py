"""Callbacks about optimizers and servers: averages, rate finding, gradients, remote logs."""

from __future__ import annotations

import http.server
import json
import subprocess
import sys
import threading
import urllib.parse

import numpy
import pytest

from minpy import optimizers
from minpy.callbacks import (
    Callback,
    EarlyStopping,
    GradientMonitor,
    LearningRateFinder,
    ModelCheckpoint,
    ProgbarLogger,
    RemoteMonitor,
    SwapEMAWeights,
    TerminateOnNaN,
)
from minpy.layers import Dense
from minpy.models import Sequential

RNG = numpy.random.default_rng(0)
X = RNG.standard_normal((64, 5)).astype("float32")
Y = X @ RNG.standard_normal((5, 2)) + 0.1


def make(optimizer="sgd", seed=1):
    model = Sequential([Dense(8, activation="tanh", input_shape=(5,), name="hidden"), Dense(2)])
    drawn = numpy.random.default_rng(seed)
    model.set_weights([drawn.standard_normal(w.shape) * 0.4 for w in model.get_weights()])
    model._seed = 2
    model.compile(optimizer, "mse", jit=False)
    return model


def assert_weights(model, expected):
    for found, wanted in zip(model.get_weights(), expected, strict=True):
        numpy.testing.assert_array_equal(found, wanted)


# --- averaged weights -----------------------------------------------------------------------------


class Watch(Callback):
    """Keeps the weights at chosen moments."""

    def __init__(self):
        super().__init__()
        self.seen = {}

    def note(self, what):
        self.seen.setdefault(what, []).append(self.model.get_weights())

    def on_train_batch_end(self, batch, logs=None):
        self.note("batch")

    def on_test_batch_end(self, batch, logs=None):
        self.note("test")

    def on_epoch_end(self, epoch, logs=None):
        self.note("epoch")


def average_of(history, momentum):
    average = history[0]
    for weights in history[1:]:
        average = [momentum * a + (1 - momentum) * w for a, w in zip(average, weights, strict=True)]
    return average


def averaging(momentum=0.7):
    return optimizers.SGD(0.05, use_ema=True, ema_momentum=momentum)


@pytest.mark.parametrize("on_epoch", [False, True])
def test_validation_sees_the_average_and_training_does_not(on_epoch):
    plain, watched = Watch(), Watch()
    make(optimizers.SGD(0.05)).fit(X, Y, epochs=3, callbacks=[plain], verbose=0)
    model = make(averaging())
    model.fit(
        X,
        Y,
        epochs=3,
        callbacks=[SwapEMAWeights(swap_on_epoch=on_epoch), watched],
        validation_data=(X, Y),
        verbose=0,
    )
    for ours, theirs in zip(watched.seen["batch"], plain.seen["batch"], strict=True):
        for a, b in zip(ours, theirs, strict=True):
            numpy.testing.assert_array_equal(a, b)
    expected = average_of(plain.seen["batch"], 0.7)
    for a, b in zip(watched.seen["test"][-1], expected, strict=True):
        numpy.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)
    for a, b in zip(model.get_weights(), expected, strict=True):
        numpy.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)
    last_of_epoch = watched.seen["epoch"][-1]
    wanted = expected if on_epoch else plain.seen["batch"][-1]
    for a, b in zip(last_of_epoch, wanted, strict=True):
        numpy.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


def test_a_checkpoint_after_the_exchange_holds_the_average(tmp_path):
    model = make(averaging())
    keep = ModelCheckpoint(tmp_path / "{epoch}.h5", save_weights_only=True)
    model.fit(X, Y, epochs=2, callbacks=[SwapEMAWeights(True), keep], verbose=0)
    other = make(seed=9)
    other.load_weights(tmp_path / "2.h5")
    assert_weights(other, model.get_weights())


def test_training_that_stops_early_ends_with_the_average_too():
    def run(*callbacks):
        model = make(averaging())
        stop = EarlyStopping("loss", patience=0, min_delta=100.0)
        model.fit(X, Y, epochs=9, callbacks=[*callbacks, stop], verbose=0)
        return model

    assert_weights(run(SwapEMAWeights(swap_on_epoch=True)), run().get_weights())


def test_an_error_leaves_the_weights_and_not_the_average_in_the_model():
    class Fail(Callback):
        def on_test_batch_end(self, batch, logs=None):
            raise RuntimeError("no")

    model, plain = make(averaging()), make(optimizers.SGD(0.05))
    with pytest.raises(RuntimeError, match="no"):
        model.fit(X, Y, callbacks=[SwapEMAWeights(), Fail()], validation_data=(X, Y), verbose=0)
    plain.fit(X, Y, verbose=0)
    assert_weights(model, plain.get_weights())


def test_predict_and_evaluate_use_the_average_and_put_the_weights_back():
    model = make(averaging())
    for step in range(4):
        model.train_on_batch(X[16 * step : 16 * step + 16], Y[16 * step : 16 * step + 16])
    before = model.get_weights()
    averaged = model.predict(X, callbacks=[SwapEMAWeights()], verbose=0)
    assert_weights(model, before)
    assert numpy.abs(averaged - model.predict(X, verbose=0)).max() > 1e-4
    model.optimizer.finalize_variable_values(model._buffers.blocks[0].values)
    numpy.testing.assert_array_equal(model.predict(X, verbose=0), averaged)


def test_without_an_average_there_is_nothing_to_exchange():
    with pytest.raises(ValueError, match="use_ema=True"):
        make().fit(X, Y, callbacks=[SwapEMAWeights()], verbose=0)


# --- learning rates -------------------------------------------------------------------------------


def test_the_search_for_a_rate_leaves_no_trace():
    model, other = make(optimizers.SGD(0.01, momentum=0.9)), make(optimizers.SGD(0.01, 0.9))
    find = LearningRateFinder(1e-4, 100.0, steps=40)
    for fitted in (model, other):
        fitted.fit(X, Y, batch_size=8, verbose=0)
    before = model.get_weights()
    model.fit(X, Y, batch_size=8, epochs=10, callbacks=[find], verbose=0)
    assert_weights(model, before)
    assert model.optimizer.get_state() == other.optimizer.get_state()
    for slot in model.optimizer.slots:
        numpy.testing.assert_array_equal(model.optimizer.slots[slot], other.optimizer.slots[slot])


def test_rates_rise_in_equal_ratios_and_the_explosion_ends_it():
    model = make()
    find = LearningRateFinder(1e-3, 1e4, steps=50)
    model.fit(X, Y, batch_size=8, epochs=20, callbacks=[find], verbose=0)
    assert len(find.losses) < 50
    ratios = numpy.divide(find.rates[1:], find.rates[:-1])
    numpy.testing.assert_allclose(ratios, 1e7 ** (1 / 49), rtol=1e-9)
    assert 1e-3 < find.suggestion < 1.0
    assert model.optimizer.learning_rate == 0.01


def test_the_suggestion_is_applied_if_asked_for_and_trains_well():
    model = make()
    find = LearningRateFinder(1e-4, 100.0, steps=60, apply=True)
    model.fit(X, Y, batch_size=8, epochs=10, callbacks=[find], verbose=0)
    assert model.optimizer.learning_rate == find.suggestion
    losses = model.fit(X, Y, batch_size=8, epochs=5, verbose=0).history["loss"]
    assert losses[-1] < 0.5 * losses[0]


def test_a_training_too_short_for_all_rates_says_how_far_it_came():
    find = LearningRateFinder(1e-4, 1.0, steps=20)
    with pytest.warns(UserWarning, match=r"after 4 of 20 batches, and rates above 0.00043 weren't"):
        make().fit(X[:32], Y[:32], batch_size=8, callbacks=[find], verbose=0)


def test_smoothed_losses_are_those_of_single_batches():
    model = make(optimizers.SGD(0.0))
    find = LearningRateFinder(1e-30, 2e-30, steps=8, smoothing=0.0)
    model.fit(X, Y, batch_size=8, shuffle=False, callbacks=[find], verbose=0)
    expected = [model.evaluate(X[i : i + 8], Y[i : i + 8], verbose=0) for i in range(0, 64, 8)]
    numpy.testing.assert_allclose(find.losses, expected, rtol=1e-4)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"min_rate": 0.1, "max_rate": 0.01}, "min_rate < max_rate"),
        ({"steps": 3}, "5 steps"),
        ({"smoothing": 1.0}, "smoothing"),
        ({"stop_factor": 1.0}, "stop_factor"),
    ],
)
def test_a_search_that_cannot_be_is_refused(arguments, text):
    with pytest.raises(ValueError, match=text):
        LearningRateFinder(**arguments)


# --- gradients ------------------------------------------------------------------------------------


def test_recorded_lengths_are_those_of_the_gradients():
    model = make(optimizers.SGD(0.05, loss_scale_factor=128.0))
    watch = GradientMonitor(freq=1)
    lengths = []

    class Look(Callback):
        def on_train_batch_end(self, batch, logs=None):
            lengths.append([numpy.linalg.norm(g) for g in self.model.gradients().values()])

    history = model.fit(X, Y, batch_size=16, callbacks=[Look(), watch], verbose=0)
    found = numpy.array(list(watch.norms.values())).T
    numpy.testing.assert_allclose(found, lengths, rtol=1e-5)
    assert watch.steps == [1, 2, 3, 4]
    # The last of mse by its definition, at the weights before the last step.
    numpy.testing.assert_allclose(
        history.history["gradient_norm"], [numpy.linalg.norm(lengths[-1])], rtol=1e-5
    )
    plain = make(optimizers.SGD(0.05))
    again = GradientMonitor(freq=1)
    plain.fit(X, Y, batch_size=16, callbacks=[again], verbose=0)
    numpy.testing.assert_allclose(found, numpy.array(list(again.norms.values())).T, rtol=1e-5)


def test_nan_and_vanished_gradients_are_told_once_a_weight():
    model = make()
    bad = X.copy()
    bad[3] = numpy.nan
    with pytest.warns(UserWarning, match=r"'hidden/kernel' is not finite") as told:
        model.fit(bad, Y, epochs=3, callbacks=[GradientMonitor()], verbose=0)
    assert sum("hidden/kernel" in str(w.message) for w in told) == 1
    with pytest.warns(UserWarning, match="has vanished"):
        make().fit(X, Y, callbacks=[GradientMonitor(vanished=1e6)], verbose=0)


# --- a server -------------------------------------------------------------------------------------


@pytest.fixture
def server():
    received = []

    class Handler(http.server.BaseHTTPRequestHandler):
        status = 200

        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            received.append((self.path, dict(self.headers), body))
            self.send_response(Handler.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *arguments):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as made:
        thread = threading.Thread(target=made.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{made.server_port}", received, Handler
        made.shutdown()
        thread.join()


@pytest.mark.parametrize("as_json", [False, True])
def test_each_epoch_is_posted(server, as_json):
    address, received, _ = server
    told = RemoteMonitor(
        address, path="/events", field="what", headers={"X-Key": "k"}, send_as_json=as_json
    )
    history = make().fit(X, Y, epochs=2, callbacks=[told], verbose=0).history
    assert len(received) == 2
    for epoch, (path, headers, body) in enumerate(received):
        assert path == "/events"
        assert headers["X-Key"] == "k"
        if not as_json:
            (body,) = urllib.parse.parse_qs(body)["what"]
        assert json.loads(body) == {"epoch": epoch, "loss": history["loss"][epoch]}


def test_a_server_that_refuses_or_is_away_does_not_stop_training(server):
    address, received, handler = server
    handler.status = 500
    with pytest.warns(UserWarning, match="500"):
        make().fit(X, Y, callbacks=[RemoteMonitor(address)], verbose=0)
    assert len(received) == 1
    away = RemoteMonitor("http://127.0.0.1:9")
    with pytest.warns(UserWarning, match="127.0.0.1:9 can't be told"):
        history = make().fit(X, Y, epochs=2, callbacks=[away], verbose=0)
    assert len(history.history["loss"]) == 2
    with pytest.raises(ValueError, match="expected root"):
        RemoteMonitor("ftp://somewhere")


def test_the_bar_by_its_keras_name_is_the_only_bar(capsys):
    make().fit(X, Y, epochs=2, verbose=2, callbacks=[ProgbarLogger()])
    assert capsys.readouterr().out.count("Epoch") == 2


def test_a_callback_may_ask_numpy_for_the_limits_of_floats():
    # In a process of its own: NumPy measures them once.
    code = """
import warnings, numpy
from minpy.callbacks import LambdaCallback
from minpy.layers import Dense
from minpy.models import Sequential
warnings.simplefilter('error')
found = []
look = LambdaCallback(
    on_epoch_end=lambda epoch, logs: found.append(numpy.finfo('float32').smallest_subnormal))
model = Sequential([Dense(1, input_shape=(2,))])
model.compile('sgd', 'mse', jit=False)
model.fit(numpy.ones((4, 2)), numpy.ones((4, 1)), verbose=0, callbacks=[look])
print(found[0] > 0)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == "True", done.stderr


def test_a_loss_that_is_nan_can_be_an_error():
    model = make()
    bad = X.copy()
    bad[0] = numpy.nan
    with pytest.raises(RuntimeError, match="Batch 0: the loss is nan"):
        model.fit(bad, Y, shuffle=False, verbose=0, callbacks=[TerminateOnNaN(raise_error=True)])
    history = make().fit(bad, Y, epochs=3, verbose=0, callbacks=[TerminateOnNaN()])
    assert len(history.history["loss"]) == 1
