"""Saved models come back whole, training goes on exactly, and failures change nothing."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import numpy
import pytest

import minpy
from minpy import checkpoint
from minpy.callbacks import Callback
from minpy.errors import CheckpointError, CheckpointFormatError, CheckpointMismatchError
from minpy.layers import (
    AveragePooling2D,
    BatchNormalization,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePooling2D,
    Input,
    Layer,
    MaxPooling2D,
    ReLU,
    Reshape,
    Softmax,
    register_serializable,
)
from minpy.models import Model, ModelBase, Sequential, load_model
from minpy.optimizers import Adam

RESUMED = """
    import sys, numpy, minpy
    from minpy.layers import BatchNormalization, Dense, Dropout
    from minpy.models import Sequential, load_model
    from minpy.optimizers import Adam

    rng = numpy.random.default_rng(3)
    x = rng.standard_normal((100, 6)).astype("float32")
    y = (x.sum(axis=1) > 0).astype("int64")

    def fresh():
        minpy.random.seed(11)
        model = Sequential([
            Dense(16, activation="relu", input_shape=(6,)), Dropout(0.3), BatchNormalization(),
            Dense(2, activation="softmax"),
        ])
        model.compile(Adam(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"])
        return model

    def keep(model, path):
        numpy.savez(path, *model.get_weights(), *model.optimizer.slots.values(),
                    numpy.array([model.optimizer.iterations]))
"""


def run(program, *arguments):
    source = textwrap.dedent(RESUMED) + textwrap.dedent(program)
    done = subprocess.run(
        [sys.executable, "-c", source, *map(str, arguments)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_six_epochs_equal_three_saved_loaded_in_a_fresh_process_and_three_more(tmp_path):
    whole, part, file = tmp_path / "whole.npz", tmp_path / "part.npz", tmp_path / "model.h5"
    run(
        """
        model = fresh()
        model.fit(x, y, batch_size=16, epochs=6, verbose=0)
        keep(model, sys.argv[1])
        model = fresh()
        model.fit(x, y, batch_size=16, epochs=3, verbose=0)
        model.save(sys.argv[2])
        """,
        whole,
        file,
    )
    run(
        """
        minpy.random.seed(99)  # what the new process does with its own seed must not matter
        numpy.random.rand(3)
        model = load_model(sys.argv[1])
        model.fit(x, y, batch_size=16, epochs=6, initial_epoch=3, verbose=0)
        keep(model, sys.argv[2])
        """,
        file,
        part,
    )
    with numpy.load(whole) as a, numpy.load(part) as b:
        assert a.files == b.files and len(a.files) > 8
        for name in a.files:
            numpy.testing.assert_array_equal(a[name], b[name], err_msg=name)


def every_layer():
    return Sequential(
        [
            Input((2, 8, 8)),
            Conv2D(4, 3, padding="same", activation="relu", kernel_regularizer="l2"),
            BatchNormalization(),
            MaxPooling2D(2),
            Conv2D(4, (1, 3), strides=(1, 2), padding="same", use_bias=False, name="thin"),
            ReLU(max_value=3.0),
            AveragePooling2D(2, padding="same"),
            Dropout(0.1),
            Flatten(),
            Reshape((2, 4)),
            Flatten(),
            Dense(5, kernel_initializer="he_normal", kernel_constraint="max_norm"),
            Softmax(),
        ]
    )


def test_every_layer_comes_back_with_its_settings_and_weights(tmp_path):
    model = every_layer()
    x = numpy.random.default_rng(0).standard_normal((3, 2, 8, 8)).astype("float32")
    model.save(tmp_path / "m.h5")
    loaded = load_model(tmp_path / "m.h5")
    assert loaded.get_config() == model.get_config()
    assert [p.path for p in loaded.weights] == [p.path for p in model.weights]
    numpy.testing.assert_array_equal(loaded.predict(x, verbose=0), model.predict(x, verbose=0))


def test_compile_settings_come_back(tmp_path):
    model = Sequential([Dense(3, input_shape=(2,))])
    model.compile(Adam(0.003, beta_1=0.8), "mse", metrics=["mae"])
    model.save(tmp_path / "m.h5")
    loaded = load_model(tmp_path / "m.h5")
    assert loaded.optimizer.learning_rate == pytest.approx(0.003)
    assert loaded.optimizer.get_config() == model.optimizer.get_config()
    x, y = numpy.ones((4, 2)), numpy.zeros((4, 3))
    assert loaded.evaluate(x, y, verbose=0) == model.evaluate(x, y, verbose=0)
    assert not load_model(tmp_path / "m.h5", compile=False).compiled


def test_a_changed_learning_rate_comes_back(tmp_path):
    model = Sequential([Dense(1, input_shape=(2,))])
    model.compile(Adam(0.1), "mse")
    model.train_on_batch(numpy.ones((2, 2)), numpy.ones((2, 1)))
    model.optimizer.learning_rate = 0.025
    model.save(tmp_path / "m.h5")
    assert load_model(tmp_path / "m.h5").optimizer.learning_rate == pytest.approx(0.025)


class Doubled(Layer):
    def call(self, x):
        return x * 2

    def compute_output_shape(self, input_shape):
        return input_shape


@register_serializable("tests")
class Scaled(Layer):
    def __init__(self, by=1.0, **kwargs):
        super().__init__(**kwargs)
        self.by = by

    def call(self, x):
        return x * self.by

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "by": self.by}


def test_layers_of_ones_own(tmp_path):
    Sequential([Scaled(3.0, input_shape=(2,)), Dense(1)]).save(tmp_path / "registered.h5")
    assert load_model(tmp_path / "registered.h5").layers[0].by == 3.0
    Sequential([Doubled(input_shape=(2,)), Dense(1)]).save(tmp_path / "own.h5")
    with pytest.raises(CheckpointFormatError, match="custom_objects"):
        load_model(tmp_path / "own.h5")
    loaded = load_model(tmp_path / "own.h5", custom_objects={"Doubled": Doubled})
    assert type(loaded.layers[0]) is Doubled


class Net(Model):
    def __init__(self):
        super().__init__()
        self.hidden, self.out = Dense(4), Dense(1)

    def call(self, x):
        return self.out(self.hidden(x))


def test_a_subclassed_model_comes_back_through_custom_objects(tmp_path):
    model = Net()
    x = numpy.ones((2, 3), "float32")
    expected = model.predict(x, verbose=0)
    model.save(tmp_path / "net.h5")
    loaded = load_model(tmp_path / "net.h5", {"Net": Net})
    numpy.testing.assert_array_equal(loaded.predict(x, verbose=0), expected)


class Line(ModelBase):
    def __init__(self):
        super().__init__()
        self.add_param("w", (2, 1)).add_aux_param("seen", numpy.zeros(1))

    def forward(self, X, mode):
        return X @ self.params["w"]

    def loss(self, predict, y):
        return ((predict - y) ** 2).mean()


def test_model_base_comes_back_and_goes_on(tmp_path):
    x, y = numpy.ones((8, 2), "float32"), numpy.ones((8, 1), "float32")
    model = Line()
    model.fit(x, y, epochs=2, verbose=0)
    model.save(tmp_path / "line.h5")
    loaded = load_model(tmp_path / "line.h5", {"Line": Line})
    model.fit(x, y, epochs=2, verbose=0)
    loaded.fit(x, y, epochs=2, verbose=0)
    numpy.testing.assert_array_equal(loaded.params["w"].asnumpy(), model.params["w"].asnumpy())


# --- weights alone --------------------------------------------------------------------------------


def small(units=3):
    return Sequential([Dense(4, input_shape=(2,), name="first"), Dense(units, name="second")])


def test_weights_go_from_one_model_to_another(tmp_path):
    a, b = small(), small()
    a.save_weights(tmp_path / "w.h5")
    b.load_weights(tmp_path / "w.h5")
    for p, q in zip(a.get_weights(), b.get_weights(), strict=True):
        numpy.testing.assert_array_equal(p, q)


def test_strict_loading_names_what_does_not_fit_and_changes_nothing(tmp_path):
    small(3).save_weights(tmp_path / "w.h5")
    other = small(5)
    before = other.get_weights()
    with pytest.raises(CheckpointMismatchError, match="second/kernel") as error:
        other.load_weights(tmp_path / "w.h5")
    assert "w.h5" in str(error.value)
    for p, q in zip(before, other.get_weights(), strict=True):
        numpy.testing.assert_array_equal(p, q)
    with pytest.warns(UserWarning, match="second/kernel"):
        other.load_weights(tmp_path / "w.h5", strict=False)
    numpy.testing.assert_array_equal(
        other.get_weights()[0], load_weights_of(tmp_path / "w.h5")["first/kernel"]
    )


def load_weights_of(path):
    return checkpoint.read(path).sections["weights"]


def test_a_damaged_file_changes_nothing(tmp_path):
    path = tmp_path / "m.h5"
    model = small()
    model.compile("adam", "mse")
    model.train_on_batch(numpy.ones((2, 2)), numpy.ones((2, 3)))
    model.save(path)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    other = small()
    other.compile("adam", "mse")
    before = other.get_weights()
    for load in (other.load_weights, other.load, load_model):
        with pytest.raises(CheckpointError, match=r"m\.h5"):
            load(path)
    for p, q in zip(before, other.get_weights(), strict=True):
        numpy.testing.assert_array_equal(p, q)
    assert other.optimizer.iterations == 0


def test_a_checkpoint_of_another_optimizer_is_refused(tmp_path):
    model = small()
    model.compile("adam", "mse")
    model.save(tmp_path / "m.h5")
    other = small()
    other.compile("sgd", "mse")
    with pytest.raises(CheckpointMismatchError, match="Adam"):
        other.load(tmp_path / "m.h5")


def test_saving_refuses_to_replace_when_told_so(tmp_path):
    small().save(tmp_path / "m.h5")
    before = (tmp_path / "m.h5").read_bytes()
    with pytest.raises(CheckpointError, match="overwrite"):
        small().save(tmp_path / "m.h5", overwrite=False)
    assert (tmp_path / "m.h5").read_bytes() == before


def test_a_model_without_weights_can_not_be_saved(tmp_path):
    with pytest.raises(ValueError, match="no weights yet"):
        Sequential([Dense(3)]).save(tmp_path / "m.h5")
    assert not (tmp_path / "m.h5").exists()


def test_weights_only_files_are_no_models(tmp_path):
    small().save_weights(tmp_path / "w.h5")
    with pytest.raises(CheckpointFormatError, match="load_weights"):
        load_model(tmp_path / "w.h5")


def test_global_average_pooling_survives(tmp_path):
    model = Sequential(
        [GlobalAveragePooling2D(keepdims=True, input_shape=(2, 4, 4)), Flatten(), Dense(1)]
    )
    model.save(tmp_path / "m.h5")
    assert load_model(tmp_path / "m.h5").layers[0].keepdims is True
    assert minpy.models.load_model is load_model


def test_how_many_steps_an_execution_has_comes_back(tmp_path):
    model = Sequential([Dense(1, input_shape=(2,))])
    model.compile("sgd", "mse", steps_per_execution=3)
    model.save(tmp_path / "model.h5")
    told = []

    class Tell(Callback):
        def on_train_batch_end(self, batch, logs=None):
            told.append(batch)

    again = load_model(tmp_path / "model.h5")
    again.fit(numpy.ones((9, 2)), numpy.ones((9, 1)), 1, callbacks=[Tell()], verbose=0)
    assert told == [2, 5, 8]


def twice_wrong(y, p):
    return 2 * minpy.numpy.mean((y - p) ** 2, axis=-1)


def test_a_loaded_model_is_compiled_as_the_saved_one_was(tmp_path):
    model = Sequential([Dense(2, input_shape=(3,))])
    model.compile(
        minpy.optimizers.Adam(0.03, clipnorm=1.0),
        twice_wrong,
        metrics=["mae", minpy.metrics.RootMeanSquaredError(name="root")],
        weighted_metrics=[minpy.metrics.MeanSquaredError(name="weighted")],
        run_eagerly=True,
        steps_per_execution=2,
        auto_scale_loss=False,
    )
    x, y = numpy.sin(numpy.arange(24.0)).reshape(8, 3), numpy.ones((8, 2))
    weights = numpy.arange(8.0)
    model.fit(x, y, 4, sample_weight=weights, verbose=0, shuffle=False)
    model.save(tmp_path / "model.keras")
    again = load_model(tmp_path / "model.keras", custom_objects={"twice_wrong": twice_wrong})
    config = again.get_compile_config()
    assert config == model.get_compile_config()
    assert (config["run_eagerly"], config["steps_per_execution"]) == (True, 2)
    assert config["auto_scale_loss"] is False
    assert again.run_eagerly
    runs = [
        m.fit(x, y, 4, sample_weight=weights, epochs=2, verbose=0, shuffle=False).history
        for m in (model, again)
    ]
    assert set(runs[0]) == {"loss", "mae", "root", "weighted"}
    assert runs[0] == runs[1]
    for a, b in zip(model.get_weights(), again.get_weights(), strict=True):
        numpy.testing.assert_array_equal(a, b)
    assert type(again.optimizer).__name__ == "Adam"
    assert again.optimizer.iterations == model.optimizer.iterations


def test_whether_a_model_runs_eagerly_is_saved_as_it_was_set_last(tmp_path):
    model = Sequential([Dense(2, input_shape=(3,))])
    model.compile("sgd", "mse", jit_compile=False)
    assert model.get_compile_config()["jit_compile"] is False
    model.jit_compile = True
    model.save(tmp_path / "model.keras")
    assert not load_model(tmp_path / "model.keras").run_eagerly
    model.run_eagerly = True
    model.save(tmp_path / "model.keras")
    assert load_model(tmp_path / "model.keras").run_eagerly


class OfScale(Sequential):
    """Has a compile of its own."""

    def compile(self, optimizer, scale):
        super().compile(optimizer, "mse")
        self.scale = scale


class Restored(OfScale):
    """Says what it was compiled with, too."""

    def get_compile_config(self):
        return {"scale": self.scale}

    def compile_from_config(self, config):
        self.compile("sgd", config["scale"])


def test_a_compile_of_ones_own_is_called_by_a_compile_from_config_of_ones_own(tmp_path):
    known = {"OfScale": OfScale, "Restored": Restored}
    model = Restored([Dense(2, input_shape=(3,))])
    model.compile("sgd", 3.5)
    model.train_on_batch(numpy.ones((2, 3)), numpy.ones((2, 2)))
    model.save(tmp_path / "model.keras")
    again = load_model(tmp_path / "model.keras", custom_objects=known)
    assert again.scale == 3.5
    assert again.optimizer.iterations == 1
    other = Restored([Dense(2, input_shape=(3,))])
    other.load(tmp_path / "model.keras")
    assert other.scale == 3.5

    plain = OfScale([Dense(2, input_shape=(3,))])
    plain.compile("sgd", 1.0)
    plain.save(tmp_path / "plain.keras")
    with pytest.warns(UserWarning, match="compile of its own, so the model isn't compiled"):
        loaded = load_model(tmp_path / "plain.keras", custom_objects=known)
    assert not loaded.compiled
