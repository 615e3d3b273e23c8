"""Arguments that many of Keras' classes share do what they do there: values of Keras itself."""

from __future__ import annotations

import inspect
import json
import pathlib
import warnings

import keras_arguments
import numpy
import pytest
from keras_arguments import ACTIVITY, FANS, OPTIMIZERS, SHAPES, STEPS, gradients, made_of
from keras_layer_values import weights_of

import minpy
from minpy import callbacks, initializers, layers, optimizers
from minpy.arguments import also_by_place
from minpy.layers import Dense
from minpy.layers.parameter import Parameter

STORED = json.loads(pathlib.Path(keras_arguments.__file__).with_suffix(".json").read_text())


@pytest.mark.parametrize("number", range(len(ACTIVITY)), ids=[case[0] for case in ACTIVITY])
def test_an_activity_regularizer_adds_what_it_adds_in_keras(number):
    layer, _ = made_of(ACTIVITY[number], minpy)
    found = sum(float(term) for term in layer.losses)
    assert found == pytest.approx(STORED["activity"][number], rel=1e-5)


def test_an_activity_regularizer_of_a_cell_counts_at_each_step():
    # Keras counts it too, the first step twice (torch), or loses it (jax)
    cell = layers.GRUCell(2, activity_regularizer="l2")
    layer = layers.RNN([cell, layers.SimpleRNNCell(1)], return_sequences=True)
    layer(minpy.numpy.ones((3, 4, 2)))
    assert len(layer.losses) == 2 * 4  # of output and state


@pytest.mark.parametrize("number", range(len(OPTIMIZERS)), ids=[kind for kind, _ in OPTIMIZERS])
def test_weights_without_gradients_are_left_out_as_in_keras(number):
    kind, settings = OPTIMIZERS[number]
    weights = [Parameter(f"w{i}", v) for i, v in enumerate(weights_of(SHAPES))]
    optimizer = getattr(optimizers, kind)(**settings)
    optimizer.build(weights)
    for step, expected in enumerate(STORED["apply"][number]):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            optimizer.apply(gradients(step), weights)
        for weight, value in zip(weights, expected, strict=True):
            numpy.testing.assert_allclose(
                weight.numpy().ravel(), value["values"], rtol=1e-5, atol=5e-6
            )
    assert len(STEPS) == len(STORED["apply"][number])


@pytest.mark.parametrize("number", range(len(FANS)))
def test_axes_of_inputs_and_outputs_make_the_fans(number):
    settings, shape = FANS[number]
    made = initializers.VarianceScaling(distribution="uniform", seed=1, **settings)
    plain = initializers.VarianceScaling(1.0, settings["mode"], "uniform", seed=1)
    numpy.testing.assert_array_equal(made(shape), plain(shape, fans=STORED["fans"][number]))
    again = initializers.VarianceScaling.from_config(made.get_config())
    numpy.testing.assert_array_equal(made(shape), again(shape))
    named = initializers.HeNormal(2, settings["input_axes"], settings["output_axes"])
    assert named.get_config() == {"seed": 2, **{k: v for k, v in settings.items() if k != "mode"}}


def test_axes_that_do_not_fit_are_told():
    with pytest.raises(ValueError, match="together"):
        initializers.GlorotUniform(input_axes=[0])
    with pytest.raises(ValueError, match="has no axes"):
        initializers.GlorotUniform(input_axes=[4], output_axes=[0])((2, 3))


# --- arguments by place ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "name", "value"),
    [
        (lambda: Dense(3, "relu", False, "ones"), "kernel_initializer", initializers.Ones),
        (
            lambda: layers.Conv2DTranspose(2, 3, 1, "valid", None, None, 1, "tanh", False, "ones"),
            "kernel_initializer",
            initializers.Ones,
        ),
        (
            lambda: layers.Conv3DTranspose(2, 3, 2, "same", "channels_last", 1),
            "output_padding",
            tuple,
        ),
        (lambda: layers.BatchNormalization(-1, 0.9, 1e-3, True, True, "ones"),
         "beta_initializer", initializers.Ones),
        (lambda: layers.LayerNormalization(-1, 1e-3, True, True, "ones"),
         "beta_initializer", initializers.Ones),
    ],
)  # fmt: skip
def test_keras_order_of_arguments_holds_by_place(make, name, value):
    assert isinstance(getattr(make(), name), value)


def test_recurrent_layers_and_optimizers_take_the_rest_by_place():
    layer = layers.GRU(2, "tanh", "sigmoid", True, "ones", "ones", "zeros", *[None] * 7, 0.5)
    assert layer.cell.dropout == 0.5
    layer = layers.SimpleRNN(2, "tanh", True, "ones", "ones", "zeros", *[None] * 7, 0.0, 0.0, True)
    assert layer.return_sequences
    cell = layers.GRUCell(2, "tanh", "sigmoid", True, *["zeros"] * 3, *[None] * 6, 0.0, 0.0, False)
    assert not cell.reset_after
    optimizer = optimizers.SGD(0.1, 0.0, False, None, None, None, None, True, 0.5)
    assert (optimizer.use_ema, optimizer.ema_momentum) == (True, 0.5)
    muon = optimizers.Muon(0.1, *[0.9, 0.999, None, 1e-7, None], *[None] * 3, *[False, 0.9],
                           *[None] * 3, "own", ["head"], False)  # fmt: skip
    assert (muon.name, muon.exclude_layers, muon.exclude_embeddings) == ("own", ["head"], False)


def test_arguments_too_many_or_twice_are_told():
    with pytest.raises(TypeError, match="Dense: 1 arguments too many; the last one by place is"):
        Dense(3, None, True, *["zeros"] * 2, *[None] * 5, 7)
    with pytest.raises(TypeError, match="'kernel_initializer' is given twice"):
        Dense(3, None, True, "ones", kernel_initializer="zeros")
    with pytest.raises(TypeError, match="unknown argument 'colour'"):
        Dense(3, colour=1)


def test_a_signature_shows_what_is_taken_by_place():
    class One:
        @also_by_place(second=2, third=None)
        def __init__(self, first, *, third=None, **rest):
            self.given = first, third, rest

    assert str(inspect.signature(One)) == "(first, second=2, third=None, **rest)"
    assert One(1, 5, 6).given == (1, 6, {"second": 5})
    assert One(1, third=7).given == (1, 7, {})
    shown = inspect.signature(layers.LSTM).parameters
    assert list(shown)[-4:] == ["stateful", "unroll", "use_cudnn", "kwargs"]


# --- single ones ----------------------------------------------------------------------------------


def test_what_keras_refuses_is_refused():
    with pytest.raises(ValueError, match="IntegerLookup finds out by itself"):
        layers.CategoryEncoding()
    with pytest.raises(ValueError, match="oov_method"):
        layers.StringLookup(oov_method="floormod")
    assert layers.StringLookup(oov_method="farmhash").name == "string_lookup"
    for limits in ({"rmin": 2.0, "rmax": 1.0}, {"dmax": -1.0}, {"rnax": 1.0}):
        with pytest.raises(ValueError, match="renorm_clipping"):
            layers.BatchNormalization(renorm=True, renorm_clipping=limits)
    assert callbacks.ReduceLROnPlateau("loss", 0.5, 3, 0, "min", 0.1, 2, 0.01).min_lr == 0.01


def test_weights_are_made_with_keras_keywords():
    class Scale(layers.Layer):
        def build(self, input_shape):
            self.a = self.add_weight(
                shape=(input_shape[-1],), initializer="ones", trainable=True, autocast=False,
                aggregation="mean", name="first",
            )  # fmt: skip
            self.b = self.add_variable((), "zeros", "float64", False, name="second")
            self.c = self.add_weight(shape=None, initializer=None, dtype="int32", name="third")

        def call(self, x):
            return x * self.a

    layer = Scale()
    assert layer.get_build_config() is None
    layer(minpy.numpy.ones((2, 3)))
    found = [(w.name, w.shape, str(w.dtype), w.trainable) for w in layer.weights]
    assert found == [
        ("first", (3,), "float32", True),
        ("second", (), "float64", False),
        ("third", (), "int32", True),
    ]
    assert layer.get_build_config() == {"input_shape": (None, 3)}
    again = Scale(dtype="float64")
    again.build_from_config(json.loads(json.dumps(layer.get_build_config())))
    assert [w.shape for w in again.weights] == [(3,), (), ()]
    assert (again.compute_dtype, again.variable_dtype, again.input_dtype) == ("float64",) * 3


def test_sums_of_metrics_are_variables():
    mean = minpy.metrics.Mean()
    mean.update_state([1.0, 2.0])
    values = {v.name: float(v) for v in mean.variables}
    assert values == {"total": 3.0, "count": 2.0}
    mean.variables[0].assign(8.0)
    mean.variables[1].assign_add(2)
    assert mean.result() == 2.0

    class Own(minpy.metrics.Metric):
        def __init__(self):
            super().__init__()
            self.seen = self.add_variable((2,), "zeros", name="seen", aggregation="sum")

    assert [v.name for v in Own().variables] == ["seen"]


def test_a_stack_is_built_and_named_as_in_keras(tmp_path):
    model = minpy.models.Sequential([layers.Input((3,)), Dense(2)], False, "named")
    assert (model.name, model.trainable) == ("named", False)
    assert minpy.models.Sequential([Dense(1)], "named").name == "named"
    model.build()
    model.add(Dense(1), rebuild=False)
    model.pop(rebuild=True)
    assert model.count_params() == 8
    with pytest.raises(ValueError, match="needs an input_shape"):
        minpy.models.Sequential([Dense(1)]).build()
    model.save_weights(tmp_path / "a.weights.h5")
    other = minpy.models.Sequential([layers.Input((3,)), Dense(5), Dense(2)])
    with pytest.warns(UserWarning, match="not loaded"):
        other.load_weights(tmp_path / "a.weights.h5", skip_mismatch=True)
    model.compile("sgd", "mse", None, None, None, False, 1, False, True)
    assert model.run_eagerly
    model.save(tmp_path / "b.h5")
    assert minpy.saving.load_model(tmp_path / "b.h5", None, False, True).count_params() == 8


def test_inputs_that_are_sparse_are_refused():
    assert layers.Input((3,), 2, None, False, False, None, "x").shape == (2, 3)
    x = layers.Input((3,))
    assert layers.InputLayer(input_tensor=x).output.shape == (None, 3)
    for what in ("sparse", "ragged"):
        with pytest.raises(ValueError, match=f"{what}=True"):
            layers.Input((3,), **{what: True})
