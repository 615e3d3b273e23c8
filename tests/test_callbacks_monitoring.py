"""The callbacks that follow a metric: which way is better, what is missing, rates, saved files."""

import math
import warnings
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from training_stand_in import TwoLayers

from minpy.callbacks import (
    CallbackList,
    EarlyStopping,
    LearningRateScheduler,
    ModelCheckpoint,
    ReduceLROnPlateau,
)


def _watched(callback, logs_by_epoch, model=None):
    """Let the callback see these logs; return the epochs it let run."""
    model = model or TwoLayers()
    callback.set_model(model)
    callback.on_train_begin()
    for epoch, logs in enumerate(logs_by_epoch):
        callback.on_epoch_end(epoch, dict(logs))
        if model.stop_training:
            break
    callback.on_train_end()
    return epoch + 1


# --- which way is better ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("monitor", "direction"),
    [
        ("loss", "min"),
        ("val_loss", "min"),
        ("val_accuracy", "max"),
        ("acc", "max"),
        ("val_mse", "min"),
        ("hinge", "min"),
        ("f1_score", "max"),
        ("val_auc", "max"),
        ("auc_1", "max"),
        ("val_mean_absolute_error", "min"),
        ("digit_sparse_categorical_accuracy", "max"),
        ("val_digit_loss", "min"),
        ("mean_io_u", "max"),
        ("false_positives", "min"),
    ],
)
def test_the_direction_follows_from_the_name(monitor, direction):
    assert EarlyStopping(monitor).direction() == direction


def test_a_metric_of_the_model_may_say_its_direction_itself():
    stop = EarlyStopping("val_money")
    stop.set_model(SimpleNamespace(metrics=[SimpleNamespace(name="money", direction="up")]))
    assert stop.direction() == "max"
    stop.set_model(SimpleNamespace(metrics=[SimpleNamespace(name="money", _direction="down")]))
    assert stop.direction() == "min"


def test_a_metric_without_a_known_direction_is_refused():
    stop = EarlyStopping("val_money")
    with pytest.raises(ValueError, match=r"val_money.*mode='max' or mode='min'"):
        _watched(stop, [{"val_money": 3.0}])
    model = SimpleNamespace(metrics=[SimpleNamespace(name="money")])
    stop.set_model(model)
    with pytest.raises(ValueError, match="val_money"):  # not after an hour of training
        stop.on_train_begin()
    assert _watched(EarlyStopping("val_money", mode="max"), [{"val_money": 3.0}]) == 1


@pytest.mark.parametrize("kind", [EarlyStopping, ReduceLROnPlateau])
def test_an_unknown_mode_is_refused(kind):
    with pytest.raises(ValueError, match="'auto', 'min' or 'max'"):
        kind(mode="maximum")


# --- what is missing --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "callback",
    [
        EarlyStopping("val_acuracy"),
        ReduceLROnPlateau("val_acuracy"),
    ],
)
def test_a_metric_that_is_not_there_is_a_warning_once_that_names_what_is(callback):
    with pytest.warns(UserWarning, match="which is not available") as caught:
        epochs = _watched(callback, [{"loss": 1.0, "val_accuracy": 0.5}] * 3)
    assert epochs == 3
    (warning,) = caught
    assert "'val_acuracy'" in str(warning.message)
    assert "loss, val_accuracy" in str(warning.message)


def test_saving_the_best_without_the_metric_warns_once_and_saves_each(tmp_path):
    model = TwoLayers()
    checkpoint = ModelCheckpoint(
        tmp_path / "{epoch}.h5", "val_acuracy", save_best_only=True, initial_value_threshold=0.5
    )
    with pytest.warns(UserWarning, match="available are: loss.*every model is saved") as caught:
        _watched(checkpoint, [{"loss": 1.0}] * 3, model)
    assert len(caught) == 1
    assert len(model.saved) == 3


def test_epochs_without_validation_in_between_are_no_reason_to_warn():
    stop = EarlyStopping("val_loss", patience=1)
    logs = [{"val_loss": 3.0}, {"loss": 1.0}, {"val_loss": 2.0}, {"loss": 1.0}, {"val_loss": 2.5}]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert _watched(stop, logs) == 5


def test_a_metric_that_is_an_array_is_refused():
    with pytest.raises(ValueError, match=r"array of shape \(2, 2\)"):
        _watched(EarlyStopping("matrix", mode="max"), [{"matrix": np.eye(2)}])
    stop = EarlyStopping("loss")
    _watched(stop, [{"loss": np.array([0.5], np.float32)}])
    assert stop.best == 0.5


# --- EarlyStopping ----------------------------------------------------------------------------


@pytest.mark.parametrize("patience", [0, 1, 2, 3])
def test_training_stops_after_patience_epochs_without_improvement(patience):
    losses = [10.0, 9.0, 8.0, 9.0, 8.9, 8.8, 8.7, 8.6, 8.5]
    stop = EarlyStopping("loss", patience=patience)
    _watched(stop, [{"loss": loss} for loss in losses])
    assert stop.stopped_epoch == 2 + max(patience, 1)
    assert stop.best_epoch == 2 and stop.best == 8.0


def test_an_improvement_of_just_min_delta_is_none():
    # These differences are exact in binary.
    values = [{"loss": value} for value in (1.0, 0.75, 0.75, 0.75)]
    assert _watched(EarlyStopping("loss", min_delta=0.25, patience=2), values) == 3
    assert _watched(EarlyStopping("loss", min_delta=0.125, patience=2), values) == 4


def test_epochs_before_start_from_epoch_do_not_count():
    values = [{"loss": value} for value in (0.1, 0.2, 5.0, 4.0, 4.5, 4.6, 4.7)]
    stop = EarlyStopping("loss", patience=2, start_from_epoch=2)
    assert _watched(stop, values) == 6
    assert (stop.best, stop.best_epoch) == (4.0, 3)


def test_patience_is_renewed_only_beyond_the_baseline():
    # Improving all the time, but never below 0.5: three epochs are all it gets... and one of
    # those is always an improvement, so only the first that is not one stops it.
    values = [{"loss": v} for v in (0.9, 0.8, 0.7, 0.75, 0.74)]
    assert _watched(EarlyStopping("loss", patience=3, baseline=0.5), values) == 4
    assert _watched(EarlyStopping("loss", patience=3), values) == 5


def _fit_with_marks(callbacks, losses):
    """Train where the weights after epoch e are all e, through one buffer that is overwritten."""
    model = TwoLayers()
    with CallbackList(callbacks, model=model) as run:
        run.on_train_begin()
        for epoch, loss in enumerate(losses):
            for weight in model.weights:
                weight.value[...] = epoch
            run.on_epoch_end(epoch, {"val_loss": loss})
            if model.stop_training:
                break
        run.on_train_end()
    (mark,) = {float(v) for w in model.get_weights() for v in w.ravel()}
    return mark


def test_the_best_weights_come_back_when_it_stops():
    losses = [0.2, 0.15, 0.1, 0.11, 0.12, 0.05]
    stop = EarlyStopping(patience=2, restore_best_weights=True)
    assert _fit_with_marks(stop, losses) == 2
    assert stop.stopped_epoch == 4
    assert _fit_with_marks(EarlyStopping(patience=2), losses) == 4


def test_the_best_weights_come_back_when_all_epochs_ran():
    stop = EarlyStopping(patience=9, restore_best_weights=True)
    assert _fit_with_marks(stop, [0.3, 0.1, 0.2]) == 1
    assert stop.stopped_epoch == 0


def test_the_best_weights_come_back_when_no_epoch_reaches_the_baseline():
    stop = EarlyStopping(patience=5, baseline=0.5, restore_best_weights=True)
    assert _fit_with_marks(stop, [0.9, 0.8, 0.7, 0.71, 0.72, 0.73]) == 2
    assert stop.stopped_epoch == 4


def test_the_best_weights_come_back_after_ctrl_c():
    model = TwoLayers()
    stop = EarlyStopping("loss", patience=9, restore_best_weights=True)
    run = CallbackList(stop, model=model)
    run.on_train_begin()
    for epoch, loss in enumerate([2.0, 1.0, 3.0]):
        for weight in model.weights:
            weight.value[...] = epoch
        run.on_epoch_end(epoch, {"loss": loss})
    assert run.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None) is None  # goes on upwards
    assert all((w == 1).all() for w in model.get_weights())


def test_a_loss_of_nan_is_never_the_best():
    stop = EarlyStopping("loss", patience=3, restore_best_weights=True)
    _watched(stop, [{"loss": v} for v in (math.nan, 2.0, math.nan, 1.0)])
    assert (stop.best, stop.best_epoch) == (1.0, 3)


@given(st.lists(st.floats(0, 10), min_size=1, max_size=30), st.integers(1, 4))
def test_it_stops_at_the_first_run_of_patience_epochs_that_beat_nothing(values, patience):
    def beats_all_before(i):
        return all(values[i] < earlier for earlier in values[:i])

    expected = next(
        (
            i + 1
            for i in range(patience, len(values))
            if not any(beats_all_before(j) for j in range(i - patience + 1, i + 1))
        ),
        len(values),
    )
    stop = EarlyStopping("loss", patience=patience)
    assert _watched(stop, [{"loss": v} for v in values]) == expected


def test_what_it_does_is_printed_on_request(capsys):
    stop = EarlyStopping(patience=1, restore_best_weights=True, verbose=1)
    _fit_with_marks(stop, [0.1, 0.2])
    assert capsys.readouterr().out.splitlines() == [
        "Epoch 2: early stopping",
        "Restoring the weights of the best epoch: 1",
    ]


# --- learning rates ---------------------------------------------------------------------------


def _rates(callback, model, epochs):
    record = model.fit(callback, epochs=epochs)
    return record.history["learning_rate"]


@pytest.mark.parametrize(
    ("schedule", "closed_form"),
    [
        (lambda epoch, rate: rate * 0.5, lambda e: 0.02 * 0.5 ** (e + 1)),
        (lambda epoch, rate: rate * math.exp(-0.1) if epoch >= 3 else rate, None),
        (lambda epoch: 0.02 / (1 + epoch), lambda e: 0.02 / (1 + e)),
        (lambda epoch: np.float32(0.0078125), lambda e: 0.0078125),
        (lambda epoch, *, base=0.03: base / 2**epoch, lambda e: 0.03 / 2**e),
    ],
)
def test_each_epoch_trains_at_the_rate_that_the_schedule_gives(schedule, closed_form):
    if closed_form is None:

        def closed_form(epoch):
            return 0.02 * math.exp(-0.1 * max(0, epoch - 2))

    rates = _rates(LearningRateScheduler(schedule), TwoLayers(), epochs=6)
    assert rates == pytest.approx([closed_form(epoch) for epoch in range(6)])


def test_a_schedule_is_given_the_epochs_number_and_the_current_rate():
    seen = []

    def schedule(epoch, rate):
        seen.append((epoch, rate))
        return 1.0 / (epoch + 60)

    model = TwoLayers()
    model.fit(LearningRateScheduler(schedule), epochs=5, initial_epoch=3)
    assert seen == [(3, 0.02), (4, 1 / 63)]
    assert model.optimizer.learning_rate == 1 / 64


def test_an_epoch_that_had_begun_keeps_its_rate_when_resumed():
    model = TwoLayers()
    halve = LearningRateScheduler(lambda epoch, rate: rate / 2)
    halve.set_model(model)
    halve.on_epoch_begin(0)
    halve.on_epoch_begin(1)
    state = halve.get_state()
    again = LearningRateScheduler(lambda epoch, rate: rate / 2)
    again.set_state(state)
    again.set_model(model)
    again.on_epoch_begin(1)  # cut off in the middle of epoch 1
    assert model.optimizer.learning_rate == 0.02 / 4
    again.on_epoch_begin(2)
    assert model.optimizer.learning_rate == 0.02 / 8


@pytest.mark.parametrize("value", [math.nan, math.inf, -0.1, "fast", None])
def test_a_rate_that_makes_no_sense_is_refused_and_not_set(value):
    model = TwoLayers()
    with pytest.raises(ValueError, match="for epoch 0"):
        model.fit(LearningRateScheduler(lambda epoch: value))
    assert model.optimizer.learning_rate == 0.02


def test_an_error_inside_the_schedule_is_shown_as_it_is():
    def schedule(epoch, rate):
        raise TypeError("mine")

    with pytest.raises(TypeError, match="mine"):
        TwoLayers().fit(LearningRateScheduler(schedule))
    with pytest.raises(TypeError, match="must be a function"):
        LearningRateScheduler(0.1)


def test_the_rate_is_lowered_after_patience_and_never_below_the_minimum():
    model = TwoLayers()
    model.optimizer.learning_rate = 1.0
    reduce = ReduceLROnPlateau("loss", factor=0.1, patience=2, min_lr=0.05)
    reduce.set_model(model)
    reduce.on_train_begin()
    rates = []
    for epoch in range(8):
        logs = {"loss": 1.0}
        reduce.on_epoch_end(epoch, logs)
        rates.append(logs["learning_rate"])  # the rate that the epoch was trained at
    assert rates == pytest.approx([1, 1, 1, 0.1, 0.1, 0.05, 0.05, 0.05])


def test_cooldown_waits_before_counting_again():
    model = TwoLayers()
    model.optimizer.learning_rate = 1.0
    reduce = ReduceLROnPlateau("loss", factor=0.5, patience=1, cooldown=2)
    rates = []
    reduce.set_model(model)
    reduce.on_train_begin()
    for epoch in range(7):
        reduce.on_epoch_end(epoch, {"loss": 1.0})
        rates.append(model.optimizer.learning_rate)
    # Epoch 1 lowers. Epoch 2 is cooling; epoch 3 ends the cooling and counts one, which lowers.
    assert rates == [1, 0.5, 0.5, 0.25, 0.25, 0.125, 0.125]


@pytest.mark.parametrize("factor", [1.0, 2, -0.1])
def test_a_factor_that_does_not_lower_is_refused(factor):
    with pytest.raises(ValueError, match="factor"):
        ReduceLROnPlateau(factor=factor)


def test_an_optimizer_that_keeps_float32_is_not_lowered_for_ever():
    class Optimizer:
        _rate = np.float32(0.3)
        sets = 0

        @property
        def learning_rate(self):
            return float(self._rate)

        @learning_rate.setter
        def learning_rate(self, value):
            self._rate = np.float32(value)
            self.sets += 1

    model = SimpleNamespace(optimizer=Optimizer(), stop_training=False)
    _watched(ReduceLROnPlateau("loss", patience=1, min_lr=0.3), [{"loss": 1.0}] * 5, model)
    assert model.optimizer.sets == 0


# --- ModelCheckpoint --------------------------------------------------------------------------


def test_the_name_is_filled_in_from_epoch_and_logs(tmp_path):
    model = TwoLayers()
    record = model.fit(
        ModelCheckpoint(tmp_path / "run" / "{epoch:02d}-{val_loss:.2f}.h5"), epochs=2
    )
    expected = [f"{e + 1:02d}-{record.history['val_loss'][e]:.2f}.h5" for e in range(2)]
    assert sorted(p.name for p in (tmp_path / "run").iterdir()) == expected


def test_saving_every_few_batches_counts_across_epochs(tmp_path):
    model = TwoLayers()
    model.fit(ModelCheckpoint(tmp_path / "{epoch}-{batch}.h5", save_freq=4), epochs=3, steps=5)
    assert [p.rsplit("/", 1)[1] for p in model.saved] == ["1-4.h5", "2-3.h5", "3-2.h5"]


def test_saving_the_best_by_batch_reads_the_batchs_metric(tmp_path):
    checkpoint = ModelCheckpoint(tmp_path / "{loss}.h5", "loss", save_best_only=True, save_freq=1)
    model = TwoLayers()
    checkpoint.set_model(model)
    checkpoint.on_train_begin()
    checkpoint.on_epoch_begin(0)
    for batch, loss in enumerate([3.0, 4.0, 2.0]):
        checkpoint.on_train_batch_end(batch, {"loss": loss})
    assert [p.rsplit("/", 1)[1] for p in model.saved] == ["3.0.h5", "2.0.h5"]


def test_only_weights_are_saved_on_request():
    saved = []
    checkpoint = ModelCheckpoint("w{epoch}.h5", save_weights_only=True)
    checkpoint.set_model(SimpleNamespace(save_weights=saved.append))
    checkpoint.on_epoch_end(0, {})
    assert saved == ["w1.h5"]


def test_a_second_fit_does_not_overwrite_a_better_model(tmp_path):
    checkpoint = ModelCheckpoint(tmp_path / "{epoch}.h5", "loss", save_best_only=True)
    model = TwoLayers()
    _watched(checkpoint, [{"loss": 1.0}], model)
    _watched(checkpoint, [{"loss": 2.0}, {"loss": 0.5}], model)
    assert [p.rsplit("/", 1)[1] for p in model.saved] == ["1.h5", "2.h5"]


def test_a_path_that_cannot_be_is_refused_before_training(tmp_path):
    model = TwoLayers()
    with pytest.raises(IsADirectoryError, match="give the name of a file"):
        model.fit(ModelCheckpoint(tmp_path))
    assert model.optimizer.iterations == 0
    for malformed in ("", "{epoch", "{0}.h5", "{}.h5", "{epoch.real}.h5"):
        with pytest.raises(ValueError, match="filepath"):
            ModelCheckpoint(malformed)
    for frequency in ("batch", 0, -3, 2.5, True):
        with pytest.raises(ValueError, match="save_freq"):
            ModelCheckpoint("a.h5", save_freq=frequency)


def test_a_name_that_asks_for_a_missing_metric_says_what_there_is(tmp_path):
    checkpoint = ModelCheckpoint(tmp_path / "{val_acc:.2f}.h5")
    checkpoint.set_model(TwoLayers())
    with pytest.raises(KeyError, match="available are: epoch, loss, val_accuracy"):
        checkpoint.on_epoch_end(0, {"loss": 1.0, "val_accuracy": 0.5})


def test_what_is_saved_is_printed_on_request(tmp_path, capsys):
    path = tmp_path / "best.h5"
    checkpoint = ModelCheckpoint(path, "loss", verbose=1, save_best_only=True)
    _watched(checkpoint, [{"loss": 2.0}, {"loss": 3.0}, {"loss": 1.0}])
    assert capsys.readouterr().out.splitlines() == [
        f"Epoch 1: loss improved to 2.00000, saved to {path}",
        "Epoch 2: loss did not improve from 2.00000",
        f"Epoch 3: loss improved from 2.00000 to 1.00000, saved to {path}",
    ]
