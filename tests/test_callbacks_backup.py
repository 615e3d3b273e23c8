"""Trainings that are cut off anywhere and started again end as those that never were."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap

import numpy
import pytest

import minpy
from minpy import optimizers
from minpy.callbacks import (
    BackupAndRestore,
    Callback,
    CallbackList,
    CSVLogger,
    EarlyStopping,
    LearningRateScheduler,
    ModelCheckpoint,
    ReduceLROnPlateau,
    SwapEMAWeights,
)
from minpy.errors import CheckpointMismatchError
from minpy.layers import GRU, LSTM, BatchNormalization, Bidirectional, Dense, Dropout
from minpy.models import Sequential
from minpy.runtime import available

RNG = numpy.random.default_rng(0)
X = RNG.standard_normal((50, 4)).astype("float32")
Y = (X[:, 0] + 0.3 * RNG.standard_normal(50) > 0).astype("float32")
BATCHES = 4  # of 40 samples, the last ten validate
EPOCHS = 6


class Cut(Exception):
    pass


class CutAt(Callback):
    """Raises after so many calls of hooks: what a kill looks like from the inside."""

    def __init__(self, calls):
        super().__init__()
        self.left = calls

    def tick(self):
        self.left -= 1
        if self.left == 0:
            raise Cut

    def on_epoch_begin(self, epoch, logs=None):
        self.tick()

    def on_train_batch_end(self, batch, logs=None):
        self.tick()

    def on_epoch_end(self, epoch, logs=None):
        self.tick()

    def on_test_end(self, logs=None):
        self.tick()


def train(
    folder,
    calls=0,
    save_freq=1,
    seed=3,
    optimizer=None,
    epochs=EPOCHS,
    swap=False,
    execution=1,
    **backup,
):
    """Train anew, or go on from what lies in the folder."""
    model = Sequential(
        [
            Dense(6, activation="tanh", input_shape=(4,)),
            BatchNormalization(),
            Dropout(0.3),
            Dense(1, activation="sigmoid"),
        ]
    )
    if seed is not None:
        model._seed = seed
        drawn = numpy.random.default_rng(1)
        model.set_weights(
            [drawn.standard_normal(w.shape) * 0.5 if w.ndim > 1 else w for w in model.get_weights()]
        )
    model.compile(
        optimizer() if optimizer else "adam",
        "binary_crossentropy",
        metrics=["accuracy", "auc"],
        jit=False,
        steps_per_execution=execution,
    )
    best = ModelCheckpoint(folder / "best.h5", monitor="val_loss", save_best_only=True)
    stop = EarlyStopping("val_loss", patience=2, restore_best_weights=True)
    callbacks = [
        BackupAndRestore(folder / "backup", save_freq=save_freq, **backup),
        *([SwapEMAWeights(swap_on_epoch=True)] if swap else []),
        LearningRateScheduler(lambda epoch, rate: rate * 0.9 if epoch else 0.05),
        ReduceLROnPlateau("val_loss", patience=1),
        best,
        stop,
        CSVLogger(folder / "log.csv"),
        *([CutAt(calls)] if calls else []),
    ]
    history = model.fit(
        X, Y, batch_size=10, epochs=epochs, validation_split=0.2, callbacks=callbacks, verbose=0
    )
    return {
        "weights": [w.tobytes() for w in model.get_weights()],
        "history": history.history,
        "epoch": history.epoch,
        "best": (best.best, stop.best, stop.best_epoch, stop.stopped_epoch, stop.wait),
        "rate": model.optimizer.learning_rate,
        "steps": model.optimizer.iterations,
        "log": (folder / "log.csv").read_text(),
        "best file": best_weights(folder),
    }


def best_weights(folder):
    from minpy import checkpoint

    found = checkpoint.read(folder / "best.h5")
    return {name: part.tobytes() for name, part in found.sections["weights"].items()}


def train_with_cuts(folder, calls, **options):
    """Cut the training off again and again, each time after so many calls, until it ends."""
    for attempt in range(200):
        try:
            return train(folder, calls + attempt % 3, **options), attempt
        except Cut:
            continue
    raise AssertionError("it never ended")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return train(tmp_path_factory.mktemp("whole"))


def assert_same(found, expected):
    assert found["history"] == expected["history"]
    assert found == expected


@pytest.mark.parametrize("calls", [4, 9])
def test_a_training_cut_off_again_and_again_ends_the_same(whole, tmp_path, calls):
    found, cuts = train_with_cuts(tmp_path, calls)
    assert cuts >= 2
    assert_same(found, whole)
    assert not (tmp_path / "backup").exists()


@pytest.mark.parametrize("save_freq", ["epoch", 3])
def test_steps_since_the_last_backup_are_done_again_in_the_same_way(whole, tmp_path, save_freq):
    found, cuts = train_with_cuts(tmp_path, 13, save_freq=save_freq)
    assert cuts >= 1
    assert_same(found, whole)


def test_a_cut_at_any_moment_of_the_second_epoch(whole, tmp_path):
    for calls in (8, 10, 12, 13, 15):
        folder = tmp_path / str(calls)
        folder.mkdir()
        with pytest.raises(Cut):
            train(folder, calls, save_freq=2)
        assert_same(train(folder, save_freq=2), whole)


def test_without_a_seed_the_order_of_the_first_start_is_kept(tmp_path):
    with pytest.raises(Cut):
        train(tmp_path, 9, seed=None)
    kept = (tmp_path / "backup" / "backup.h5").read_bytes()
    first = train(tmp_path, seed=None)
    (tmp_path / "backup").mkdir()
    (tmp_path / "backup" / "backup.h5").write_bytes(kept)
    second = train(tmp_path, seed=None)
    for part in ("weights", "history", "best"):
        assert first[part] == second[part]


OPTIONS = {
    "accumulation and average": lambda: optimizers.Adam(
        0.05, gradient_accumulation_steps=3, use_ema=True, ema_momentum=0.8
    ),
    "loss scale": lambda: optimizers.LossScaleOptimizer(
        optimizers.SGD(0.05, momentum=0.9), dynamic_growth_steps=5
    ),
    "schedule": lambda: optimizers.Muon(0.05),
}


@pytest.mark.parametrize("name", OPTIONS)
def test_every_part_of_an_optimizer_is_kept(tmp_path, name):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    whole = train(tmp_path / "a", optimizer=OPTIONS[name])
    found, cuts = train_with_cuts(tmp_path / "b", 7, optimizer=OPTIONS[name])
    assert cuts >= 2
    assert_same(found, whole)


def test_several_batches_an_execution_are_gone_on_with(whole, tmp_path):
    found, cuts = train_with_cuts(tmp_path, 6, execution=3)
    assert cuts >= 1
    assert found == {**whole, "log": found["log"]}


def test_weights_that_change_places_with_their_average_are_kept_apart(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    options = {"optimizer": OPTIONS["accumulation and average"], "swap": True}
    whole = train(tmp_path / "a", **options)
    found, cuts = train_with_cuts(tmp_path / "b", 7, **options)
    assert cuts >= 2
    assert_same(found, whole)


def test_ctrl_c_keeps_the_backup_and_the_end_deletes_it(tmp_path):
    class Interrupt(Callback):
        def on_train_batch_end(self, batch, logs=None):
            if batch == 2:
                raise KeyboardInterrupt

    model = Sequential([Dense(1, input_shape=(4,))])
    model.compile("sgd", "mse", jit=False)
    keep = BackupAndRestore(tmp_path / "backup", save_freq=1)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, Y[:, None], callbacks=[Interrupt(), keep], batch_size=10, verbose=0)
    assert (tmp_path / "backup" / "backup.h5").exists()
    model.fit(X, Y[:, None], callbacks=[keep], batch_size=10, verbose=0)
    assert not (tmp_path / "backup").exists()


def test_a_kept_backup_lets_a_longer_training_go_on(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    whole = train(tmp_path / "a", epochs=3)
    train(tmp_path / "b", epochs=2, delete_checkpoint=False)
    longer = train(tmp_path / "b", epochs=3, delete_checkpoint=False)
    for part in ("history", "epoch", "best", "steps", "log"):
        assert longer[part] == whole[part]


def test_a_damaged_backup_gives_way_to_the_one_before(whole, tmp_path):
    with pytest.raises(Cut):
        train(tmp_path, 11, double_checkpoint=True)
    path = tmp_path / "backup" / "backup.h5"
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.warns(UserWarning, match="the backup before it"):
        assert_same(train(tmp_path, double_checkpoint=True), whole)


def test_a_backup_of_another_training_is_refused_and_changes_nothing(tmp_path):
    with pytest.raises(Cut):
        train(tmp_path, 9)
    with pytest.raises(CheckpointMismatchError, match="trained with Adam"):
        train(tmp_path, optimizer=optimizers.SGD)
    model = Sequential([Dense(2, input_shape=(4,))])
    model.compile("adam", "mse", jit=False)
    before = model.get_weights()
    with pytest.raises(CheckpointMismatchError, match="kernel"):
        model.fit(
            X, numpy.zeros((50, 2)), callbacks=[BackupAndRestore(tmp_path / "backup")], verbose=0
        )
    for a, b in zip(model.get_weights(), before, strict=True):
        numpy.testing.assert_array_equal(a, b)


def test_another_batch_size_in_the_middle_of_an_epoch_is_refused(tmp_path):
    def fit(batch_size, *more):
        model = Sequential([Dense(1, input_shape=(4,))])
        model.compile("sgd", "mse", jit=False)
        keep = BackupAndRestore(tmp_path / "backup", save_freq=1)
        model.fit(X, Y[:, None], batch_size=batch_size, callbacks=[keep, *more], verbose=0)

    with pytest.raises(Cut):
        fit(10, CutAt(4))
    with pytest.raises(CheckpointMismatchError, match="5 batches, this one has 10"):
        fit(5)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"backup_dir": ""}, "backup_dir"),
        ({"backup_dir": "b", "save_freq": 0}, "save_freq"),
        ({"backup_dir": "b", "save_freq": True}, "save_freq"),
        ({"backup_dir": "b", "save_freq": "batch"}, "save_freq"),
    ],
)
def test_arguments_that_mean_nothing_are_refused(arguments, text):
    with pytest.raises(ValueError, match=text):
        BackupAndRestore(**arguments)


def test_backups_are_made_every_so_many_batches_however_many_a_call_stands_for(tmp_path):
    saved = []

    class Model:
        stop_training = False

        def save_backup(self, path, details, arrays):
            saved.append((details["epoch"], details["step"]))

    keep = BackupAndRestore(tmp_path / "backup", save_freq=4, delete_checkpoint=False)
    run = CallbackList([keep], model=Model(), epochs=2, steps=9)
    run.on_train_begin()
    for epoch in range(2):
        run.on_epoch_begin(epoch)
        for batch in (2, 5, 8):  # the last of three each
            run.on_train_batch_end(batch)
        run.on_epoch_end(epoch, {})
    assert saved == [(0, 6), (1, 0), (1, 6), (2, 0)]


# --- what training goes on from beside weights and slots ------------------------------------------


def cut_and_go_on(tmp_path, fit, moments):
    """Train whole, and again and again until a run isn't cut; return both runs' results."""
    whole = fit(tmp_path / "whole", [])
    for moment in moments:
        with pytest.raises(Cut):
            fit(tmp_path / "cut", [CutAt(moment)])
    return whole, fit(tmp_path / "cut", [])


@pytest.mark.parametrize("jit", ["auto", False])
def test_states_of_recurrent_layers_are_gone_on_from(tmp_path, jit):
    x, y = X[:48].reshape(24, 2, 4), Y[:24]

    def fit(folder, callbacks):
        minpy.random.seed(5)
        model = Sequential(
            [
                Bidirectional(LSTM(3, return_sequences=True, stateful=True), input_shape=(2, 4)),
                GRU(2, stateful=True),
                Dense(1),
            ]
        )
        model.compile("adam", "mse", jit=jit)
        callbacks = [BackupAndRestore(folder, save_freq=1), *callbacks]
        history = model.fit(
            x, y, batch_size=4, epochs=2, shuffle=False, verbose=0, callbacks=callbacks
        )
        return history.history, [w.tolist() for w in model.get_weights()]

    whole, found = cut_and_go_on(tmp_path, fit, [4, 3, 6])
    assert found == whole


def test_a_generator_is_read_up_to_where_training_goes_on(tmp_path):
    def batches(seed):
        drawn = numpy.random.default_rng(seed)
        while True:
            rows = drawn.integers(0, 50, 8)
            yield X[rows], Y[rows]

    def fit(folder, callbacks):
        minpy.random.seed(5)
        model = Sequential([Dense(1, activation="sigmoid", input_shape=(4,))])
        model.compile("adam", "binary_crossentropy")
        callbacks = [BackupAndRestore(folder, save_freq=1), *callbacks]
        history = model.fit(
            batches(1),
            steps_per_epoch=5,
            epochs=4,
            validation_data=batches(2),
            validation_steps=2,
            validation_freq=2,
            verbose=0,
            callbacks=callbacks,
        )
        return history.history, [w.tolist() for w in model.get_weights()]

    whole, found = cut_and_go_on(tmp_path, fit, [4, 3, 12])
    assert found == whole


# --- processes that are killed --------------------------------------------------------------------

PROGRAM = """
import json, os, signal, sys, threading, time
import numpy
import minpy
from minpy.callbacks import *
from minpy.layers import *
from minpy.models import Sequential

folder, after, jit = sys.argv[1], float(sys.argv[2]), sys.argv[3] == 'jit'

class Kill(Callback):
    # From the first batch on, at a moment that falls anywhere: in a step, a save, a hook.
    def on_train_batch_begin(self, batch, logs=None):
        if after and not hasattr(self, 'timer'):
            self.timer = threading.Timer(after, os.kill, (os.getpid(), signal.SIGKILL))
            self.timer.daemon = True
            self.timer.start()

minpy.random.seed(4)
drawn = numpy.random.default_rng(0)
x = drawn.standard_normal((300, 16)).astype('float32')
y = drawn.integers(0, 3, 300)
model = Sequential([Dense(32, activation='tanh', input_shape=(16,)), BatchNormalization(),
                    Dropout(0.2), Dense(3, activation='softmax')])
model.compile('adam', 'sparse_categorical_crossentropy', metrics=['accuracy'],
              jit='auto' if jit else False)
best = ModelCheckpoint(folder + '/best.h5', monitor='val_accuracy', save_best_only=True)
stop = EarlyStopping('val_loss', patience=3, restore_best_weights=True)
history = model.fit(
    x, y, batch_size=8, epochs=5, validation_split=0.2, verbose=0,
    callbacks=[Kill(), BackupAndRestore(folder + '/backup', save_freq=5), best, stop])
print(json.dumps({
    'weights': [w.astype('float64').tolist() for w in model.get_weights()],
    'history': history.history, 'best': best.best, 'wait': stop.wait,
    'stopped': stop.stopped_epoch, 'best_epoch': stop.best_epoch,
}))
"""


def run_program(folder, after, jit):
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(PROGRAM), str(folder), str(after), jit],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "PYTHONWARNINGS": "ignore"},
    )
    if done.returncode == -signal.SIGKILL:
        return None
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def killed_at_random(tmp_path, jit, kills, seed):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    whole = run_program(tmp_path / "a", 0, jit)
    moments = numpy.random.default_rng(seed).uniform(0.005, 0.15, kills)
    killed = 0
    for moment in moments:
        found = run_program(tmp_path / "b", moment, jit)
        if found is not None:
            break
        killed += 1
    else:
        found = run_program(tmp_path / "b", 0, jit)
    assert killed
    assert found == whole
    for name, part in best_weights(tmp_path / "a").items():
        assert best_weights(tmp_path / "b")[name] == part


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL")
def test_a_process_killed_at_random_moments_ends_the_same(tmp_path):
    killed_at_random(tmp_path, "eager", kills=2, seed=None)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("jit", ["jit", "eager"] if available() else ["eager"])
def test_a_process_killed_many_times_ends_the_same(tmp_path, jit, seed):
    killed_at_random(tmp_path, jit, kills=12, seed=seed)
