"""What callbacks have in common: who is called when, ending after errors, states, small ones."""

import csv
import json
import math
import subprocess
import sys
import warnings

import numpy as np
import pytest
from training_stand_in import CountedLogs, TwoLayers

from minpy.callbacks import (
    Callback,
    CallbackList,
    CSVLogger,
    EarlyStopping,
    History,
    LambdaCallback,
    LearningRateScheduler,
    ModelCheckpoint,
    ProgressBar,
    ReduceLROnPlateau,
    TensorBoard,
    TerminateOnNaN,
)
from minpy.errors import CheckpointMismatchError


class Recorder(Callback):
    """Notes every hook that is called, through the class's own names."""

    def __init__(self):
        super().__init__()
        self.calls = []


def _note(name):
    def hook(self, *arguments):
        self.calls.append((name, *arguments[:-1]))

    return hook


for _name in [name for name in dir(Callback) if name.startswith("on_")]:
    if _name not in ("on_batch_begin", "on_batch_end"):
        setattr(Recorder, _name, _note(_name))


def test_hooks_are_called_in_keras_order():
    seen = Recorder()
    TwoLayers().fit(seen, epochs=1, steps=2)
    test = [("on_test_batch_begin", 0), ("on_test_batch_end", 0)]
    test += [("on_test_batch_begin", 1), ("on_test_batch_end", 1)]
    assert seen.calls == [
        ("on_train_begin",),
        ("on_epoch_begin", 0),
        ("on_train_batch_begin", 0),
        ("on_train_batch_end", 0),
        ("on_train_batch_begin", 1),
        ("on_train_batch_end", 1),
        ("on_test_begin",),
        *test,
        ("on_test_end",),
        ("on_epoch_end", 0),
        ("on_train_end",),
    ]


def test_a_callback_gets_the_model_and_the_settings_of_the_run():
    seen, model = Recorder(), TwoLayers()
    model.fit(seen, epochs=3, steps=4)
    assert seen.model is model
    assert seen.params == {"epochs": 3, "steps": 4, "verbose": 0}


def test_the_older_batch_hooks_are_called_too():
    class Old(Callback):
        batches = ()

        def on_batch_end(self, batch, logs=None):
            self.batches += (batch,)

    old = Old()
    TwoLayers().fit(old, steps=3)
    assert old.batches == (0, 1, 2)


def test_a_subclass_may_forget_to_call_init():
    class Forgetful(Callback):
        def __init__(self):
            self.losses = []

        def on_epoch_end(self, epoch, logs=None):
            self.losses.append(logs["loss"])

    forgetful = Forgetful()
    TwoLayers().fit(forgetful, epochs=2)
    assert len(forgetful.losses) == 2


def test_hooks_that_nobody_overrides_are_not_bound():
    run = CallbackList([EarlyStopping(), History(), Callback()], model=TwoLayers())
    assert run._bound["on_train_batch_begin"] == ()
    assert run._bound["on_train_batch_end"] == ()
    assert len(run._bound["on_epoch_end"]) == 2
    assert not run.needs_batch_logs


class CountsBatches(Callback):
    reads_batch_logs = False

    def on_train_batch_end(self, batch, logs=None):
        pass


@pytest.mark.parametrize(
    ("callback", "needed"),
    [
        (TerminateOnNaN(), True),
        (CountsBatches(), False),
        (ModelCheckpoint("a.h5"), False),
        (ModelCheckpoint("a.h5", save_freq=3), False),
        (ModelCheckpoint("{loss}.h5", save_freq=3), True),
        (ModelCheckpoint("a.h5", save_freq=3, save_best_only=True), True),
        (TensorBoard(), False),
        (TensorBoard(update_freq=10), True),
        (ProgressBar(verbose=0), False),
        (ProgressBar(verbose=1), True),
        (ProgressBar(verbose=2), False),
        (LambdaCallback(on_train_batch_end=print), True),
        (LambdaCallback(on_train_batch_end=None), False),
    ],
)
def test_the_list_knows_whether_a_batchs_metrics_are_read(callback, needed):
    assert CallbackList(callback).needs_batch_logs is needed


def test_metrics_are_computed_for_those_who_read_them_only():
    CountedLogs.reads = 0
    TwoLayers().fit([EarlyStopping("loss"), ModelCheckpoint("x.h5", save_freq=10**6)], steps=20)
    assert CountedLogs.reads == 0
    TwoLayers().fit(TerminateOnNaN(), steps=20)
    assert CountedLogs.reads == 20


def test_lists_may_be_nested_and_appended_to():
    first, second, third = Recorder(), Recorder(), Recorder()
    inner = CallbackList(first)
    run = CallbackList([inner, [second]], model=TwoLayers(), epochs=1)
    run.append(third)
    run.on_epoch_begin(4)
    assert [c.calls for c in (first, second, third)] == [[("on_epoch_begin", 4)]] * 3
    assert third.model is run.model and third.params == {"epochs": 1}
    assert list(run) == [first, second, third] and len(run) == 3


@pytest.mark.parametrize(
    ("wrong", "advice"), [(EarlyStopping, r"make one: EarlyStopping"), (print, "LambdaCallback")]
)
def test_something_else_than_a_callback_is_refused(wrong, advice):
    with pytest.raises(TypeError, match=advice):
        CallbackList([History(), wrong])


def test_history_and_bar_are_added_once_and_at_the_end():
    mine = History()
    run = CallbackList([mine, EarlyStopping()], add_history=True, add_progbar=True)
    assert [type(c).__name__ for c in run] == ["History", "EarlyStopping", "ProgressBar"]
    assert run.history is mine
    model = TwoLayers()
    run.set_model(model)
    assert model.history is mine


# --- errors and Ctrl-C ------------------------------------------------------------------------


@pytest.mark.parametrize("error", [RuntimeError("broken"), KeyboardInterrupt()])
def test_after_an_error_every_callback_ends_once(error):
    class Fails(Recorder):
        def on_train_batch_end(self, batch, logs=None):
            if batch == 2:
                raise error

    first, fails, last = Recorder(), Fails(), Recorder()
    with pytest.raises(type(error)):
        TwoLayers().fit([first, fails, last], steps=5)
    for callback in (first, fails, last):
        assert callback.calls.count(("on_train_end",)) == 1
        assert callback.calls[-1] == ("on_train_end",)


def test_an_error_during_validation_ends_validation_then_training():
    class Fails(Callback):
        def on_test_batch_end(self, batch, logs=None):
            raise ZeroDivisionError

    seen = Recorder()
    with pytest.raises(ZeroDivisionError):
        TwoLayers().fit([seen, Fails()])
    assert seen.calls[-2:] == [("on_test_end",), ("on_train_end",)]


def test_a_callback_that_fails_at_the_end_does_not_keep_the_others_from_ending():
    class Fails(Callback):
        def on_train_end(self, logs=None):
            raise OSError("disk full")

    last = Recorder()
    with pytest.raises(OSError, match="disk full"):
        TwoLayers().fit([Fails(), last])
    assert last.calls.count(("on_train_end",)) == 1


def test_the_error_that_ended_the_run_is_the_one_shown():
    class Fails(Callback):
        def on_epoch_end(self, epoch, logs=None):
            raise ValueError("the cause")

        def on_train_end(self, logs=None):
            raise OSError("disk full")

    with pytest.warns(UserWarning, match="disk full"), pytest.raises(ValueError, match="the cause"):
        TwoLayers().fit(Fails())


def test_a_callback_that_could_not_begin_is_not_ended():
    class Fails(Recorder):
        def on_train_begin(self, logs=None):
            raise ValueError("not today")

    first, fails, last = Recorder(), Fails(), Recorder()
    with pytest.raises(ValueError, match="not today"):
        TwoLayers().fit([first, fails, last])
    assert first.calls == [("on_train_begin",), ("on_train_end",)]
    assert fails.calls == last.calls == []


def test_the_end_after_an_error_sees_the_last_epochs_logs():
    ended = []

    def stop(epoch, logs):
        if epoch == 2:
            raise KeyboardInterrupt

    watch = LambdaCallback(
        on_train_end=lambda logs: ended.append(logs["loss"]), on_epoch_begin=stop
    )
    record = History()
    with pytest.raises(KeyboardInterrupt):
        TwoLayers().fit([watch, record], epochs=5)
    assert ended == [record.history["loss"][1]]


# --- state ------------------------------------------------------------------------------------


def _callbacks(folder):
    return [
        EarlyStopping("val_loss", patience=4, restore_best_weights=True),
        ReduceLROnPlateau("val_loss", patience=1, factor=0.5, min_delta=0.05, cooldown=1),
        LearningRateScheduler(lambda epoch, rate: rate * 1.1),
        ModelCheckpoint(folder / "{epoch}.h5", save_best_only=True),
        ModelCheckpoint(folder / "b{epoch}-{batch}.h5", save_freq=7),
        History(),
    ]


@pytest.mark.parametrize("cut", [1, 4, 7])
def test_a_resumed_run_goes_on_exactly(tmp_path, cut):
    """Cut after `cut` epochs, carried over as JSON and arrays, continued by new objects."""
    whole = TwoLayers()
    whole_callbacks = _callbacks(tmp_path)
    whole.fit(whole_callbacks, epochs=12, steps=4)

    carried = {}

    def carry(run):
        carried["state"] = json.dumps(run.get_state(), allow_nan=False)
        carried["arrays"] = {k: v.copy() for k, v in run.get_arrays().items()}

    first = TwoLayers()
    at_cut = {}

    def keep(run):
        carry(run)
        at_cut["weights"] = [w.copy() for w in first.get_weights()]

    first.fit(_callbacks(tmp_path), epochs=cut, steps=4, after_epoch=keep)

    second = TwoLayers(seed=99)
    second.set_weights(at_cut["weights"])
    second.optimizer = first.optimizer
    resumed = _callbacks(tmp_path)
    run = CallbackList(resumed)
    run.set_state(json.loads(carried["state"]))
    run.set_arrays(carried["arrays"])
    second.fit(resumed, epochs=12, initial_epoch=cut, steps=4)

    assert resumed[-1].history == whole_callbacks[-1].history
    assert resumed[-1].epoch == whole_callbacks[-1].epoch
    assert first.saved + second.saved == whole.saved
    assert resumed[0].stopped_epoch == whole_callbacks[0].stopped_epoch
    for ours, theirs in zip(second.get_weights(), whole.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_run_cut_off_after_the_decision_to_stop_does_not_train_on():
    model = TwoLayers()
    stop = EarlyStopping("loss", mode="max", patience=1)
    state = {}
    record = model.fit(
        stop, epochs=50, after_epoch=lambda run: state.update(run.get_state()["EarlyStopping"])
    )
    assert stop.stopped_epoch and len(record.epoch) == stop.stopped_epoch + 1
    again = EarlyStopping("loss", mode="max", patience=1)
    again.set_state(state)
    assert model.fit(again, epochs=50, initial_epoch=stop.stopped_epoch + 1).epoch == []


def test_without_a_restored_state_a_second_fit_starts_afresh():
    model, stop = TwoLayers(), EarlyStopping("loss", mode="max", patience=2)
    lengths = [len(model.fit(stop, epochs=50).epoch) for _ in range(2)]
    fresh = len(TwoLayers().fit(EarlyStopping("loss", mode="max", patience=2), epochs=50).epoch)
    assert lengths[0] == fresh and lengths[1] >= 3


def test_a_state_set_during_training_is_not_taken_for_the_next_one():
    stop = EarlyStopping("loss", patience=1)
    state = {"best": -1e9, "wait": 0, "stopped_epoch": 0, "best_epoch": 0}
    TwoLayers().fit([stop, LambdaCallback(on_train_begin=lambda logs: stop.set_state(state))])
    assert stop.best == -1e9
    TwoLayers().fit(stop)
    assert stop.best > 0


@pytest.mark.parametrize(
    ("state", "problem"),
    [
        ({"wait": 0, "stopped_epoch": 0, "best_epoch": 0}, "'best' is missing"),
        (
            {"best": None, "wait": "3", "stopped_epoch": 0, "best_epoch": 0},
            "'wait' can't be '3'",
        ),
        (
            {"best": 1.0, "wait": 3, "stopped_epoch": 0, "best_epoch": 0, "more": 1},
            "'more' is unknown",
        ),
    ],
)
def test_a_state_that_does_not_fit_changes_nothing(state, problem):
    stop = EarlyStopping()
    before = stop.get_state()
    scheduler = LearningRateScheduler(lambda epoch: 1.0)
    run = CallbackList([scheduler, stop])
    states = {
        "LearningRateScheduler": {"epoch": 3, "learning_rate": 0.5},
        "EarlyStopping": state,
    }
    with pytest.raises(CheckpointMismatchError, match=problem):
        run.set_state(states)
    assert stop.get_state() == before
    assert scheduler.epoch is None


def test_states_are_matched_by_class_and_order():
    run = CallbackList([ModelCheckpoint("a.h5"), ModelCheckpoint("b.h5"), TerminateOnNaN()])
    assert sorted(run.get_state()) == ["ModelCheckpoint", "ModelCheckpoint_2"]
    run.callbacks[1].best = 0.25
    other = CallbackList([ModelCheckpoint("a.h5"), ModelCheckpoint("b.h5")])
    other.set_state(run.get_state())
    assert [c.best for c in other] == [None, 0.25]


def test_a_state_whose_callback_is_gone_is_named_in_a_warning():
    state = CallbackList([EarlyStopping(), History()]).get_state()
    with pytest.warns(UserWarning, match="EarlyStopping"):
        CallbackList([History()]).set_state(state)


# --- History, LambdaCallback, TerminateOnNaN ---------------------------------------------------


def test_history_records_each_epoch_and_goes_on_in_a_second_fit():
    record, model = History(), TwoLayers()
    assert model.fit(record, epochs=2) is record
    model.fit(record, epochs=5, initial_epoch=2)
    assert record.epoch == [0, 1, 2, 3, 4]
    assert set(record.history) == {"loss", "val_loss"}
    assert all(len(values) == 5 for values in record.history.values())


def test_history_of_array_metrics_is_json_able():
    record = History()
    record.on_epoch_end(0, {"loss": np.float32(0.5), "matrix": np.eye(2)})
    assert json.loads(json.dumps(record.get_state())) == {
        "epoch": [0],
        "history": {"loss": [0.5], "matrix": [[[1.0, 0.0], [0.0, 1.0]]]},
    }


def test_lambda_callback_calls_the_functions_it_was_given():
    seen = []
    TwoLayers().fit(
        LambdaCallback(
            on_epoch_begin=lambda epoch, logs: seen.append(("begin", epoch)),
            on_train_batch_end=lambda batch, logs: seen.append(("batch", batch)),
            on_test_end=lambda logs: seen.append(("test", set(logs))),
        ),
        epochs=1,
        steps=2,
    )
    assert seen == [("begin", 0), ("batch", 0), ("batch", 1), ("test", {"loss"})]


def test_lambda_callback_names_the_nearest_hook():
    with pytest.raises(TypeError, match="did you mean 'on_epoch_end'"):
        LambdaCallback(on_epochs_end=print)
    with pytest.raises(TypeError, match="must be a function"):
        LambdaCallback(on_epoch_end=3)


@pytest.mark.parametrize("loss", [math.nan, math.inf, -math.inf])
def test_training_ends_at_a_loss_that_is_no_number(loss, capsys):
    model, batches = TwoLayers(), []

    def spoil(batch, logs):
        batches.append(batch)
        if batch == 2:
            model.weights[0].value[...] = loss

    with np.errstate(all="ignore"):
        model.fit(
            [LambdaCallback(on_train_batch_begin=spoil), TerminateOnNaN()], epochs=3, steps=10
        )
    assert batches == [0, 1, 2]
    assert "Batch 2: the loss is" in capsys.readouterr().out


# --- CSVLogger --------------------------------------------------------------------------------


def _rows(path, delimiter=","):
    with open(path, newline="") as file:
        return list(csv.DictReader(file, delimiter=delimiter))


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_csv_holds_the_history_exactly(tmp_path, separator):
    path = tmp_path / "deep" / "log.csv"
    record = TwoLayers().fit(CSVLogger(path, separator=separator), epochs=3)
    rows = _rows(path, separator)
    assert list(rows[0]) == ["epoch", "loss", "val_loss"]
    assert [int(row["epoch"]) for row in rows] == [0, 1, 2]
    for name in ("loss", "val_loss"):
        assert [float(row[name]) for row in rows] == record.history[name]


def test_csv_is_complete_after_each_epoch_and_after_ctrl_c(tmp_path):
    path, rows_seen = tmp_path / "log.csv", []

    def stop(epoch, logs):
        rows_seen.append(len(_rows(path)))
        if epoch == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        TwoLayers().fit([CSVLogger(path), LambdaCallback(on_epoch_begin=stop)], epochs=9)
    assert rows_seen == [0, 1, 2]
    assert len(_rows(path)) == 2


def test_csv_appends_without_a_second_header_and_overwrites_otherwise(tmp_path):
    path, model = tmp_path / "log.csv", TwoLayers()
    model.fit(CSVLogger(path), epochs=2)
    model.fit(CSVLogger(path, append=True), epochs=4, initial_epoch=2)
    assert [row["epoch"] for row in _rows(path)] == ["0", "1", "2", "3"]
    model.fit(CSVLogger(path), epochs=1)
    assert [row["epoch"] for row in _rows(path)] == ["0"]


def test_csv_gets_a_column_for_a_metric_that_comes_later(tmp_path):
    path = tmp_path / "log.csv"
    logger = CSVLogger(path)
    logger.on_train_begin()
    logger.on_epoch_end(0, {"loss": 3.0})
    logger.on_epoch_end(1, {"loss": 2.0, "val_loss": 2.5})
    logger.on_epoch_end(2, {"loss": 1.0})
    logger.on_train_end()
    assert _rows(path) == [
        {"epoch": "0", "loss": "3.0", "val_loss": "NA"},
        {"epoch": "1", "loss": "2.0", "val_loss": "2.5"},
        {"epoch": "2", "loss": "1.0", "val_loss": "NA"},
    ]
    assert [p.name for p in tmp_path.iterdir()] == ["log.csv"]


def test_csv_goes_on_after_a_row_that_was_cut_off(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("epoch,loss,val_loss\n0,3.0,3.5\n1,2.")
    logger = CSVLogger(path, append=True)
    logger.on_train_begin()
    logger.on_epoch_end(2, {"loss": 1.0, "val_loss": 1.5})
    logger.on_train_end()
    assert _rows(path)[-1] == {"epoch": "2", "loss": "1.0", "val_loss": "1.5"}


def test_csv_quotes_what_holds_the_separator(tmp_path):
    path = tmp_path / "log.csv"
    logger = CSVLogger(path)
    logger.on_train_begin()
    logger.on_epoch_end(0, {"loss": np.float32(0.1), "recalls": np.array([0.5, 0.25])})
    logger.on_train_end()
    (row,) = _rows(path)
    assert float(row["loss"]) == np.float32(0.1)
    assert json.loads(row["recalls"]) == [0.5, 0.25]


def test_csv_that_cannot_be_written_is_an_error_before_training(tmp_path):
    model = TwoLayers()
    with pytest.raises(IsADirectoryError):
        model.fit(CSVLogger(tmp_path))
    assert model.optimizer.iterations == 0
    with pytest.raises(ValueError, match="single character"):
        CSVLogger(tmp_path / "log.csv", separator=", ")


def test_importing_the_callbacks_imports_neither_tqdm_nor_tensorboardx():
    code = (
        "import sys; before = set(sys.modules); import minpy; middle = set(sys.modules);"
        "import minpy.callbacks;"
        "new = set(sys.modules) - before;"
        "print(sorted({'tqdm', 'tensorboardX', 'google.protobuf'} & new))"
    )
    with warnings.catch_warnings():
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "[]\n", done.stderr
