"""Recurrent layers: kernel and loop, state, dropout, masks, configuration, graphs, refusals."""

import pathlib
import re

import numpy
import pytest

import minpy
import minpy.numpy as np
from minpy import layers, models
from minpy.errors import ShapeError
from minpy.layers.serialization import deserialize, serialize

needs_mxnet = pytest.mark.skipif(not minpy.runtime.available(), reason="needs mxnet")
KINDS = [layers.LSTM, layers.GRU, layers.SimpleRNN]


def wave(*shape, shift=0.0):
    size = int(numpy.prod(shape))
    return numpy.sin(numpy.arange(size) * 1.7 + shift).reshape(shape).astype("float32")


def alike(layer, other, x):
    """Give two layers equal weights."""
    layer(x)
    other(x)
    other.set_weights(layer.get_weights())


def loop(layer):
    """Return a layer over the same cell that has no kernel for sequences."""
    config = {**layer.get_config()}
    kept = {name: config[name] for name in ("return_sequences", "go_backwards", "stateful")}
    return layers.RNN(type(layer.cell).from_config(layer.cell.get_config()), **kept)


# --- the kernel and the loop ----------------------------------------------------------------------


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_the_kernel_and_the_loop_over_the_cell_agree(kind, backwards, masked):
    x = np.array(wave(3, 6, 4))
    mask = np.array(wave(3, 6, shift=2) > -0.3) if masked else None
    fused = kind(5, return_sequences=True, go_backwards=backwards)
    unfused = loop(fused)
    alike(fused, unfused, x)
    numpy.testing.assert_allclose(
        fused(x, mask=mask).asnumpy(), unfused(x, mask=mask).asnumpy(), rtol=1e-5, atol=1e-6
    )


def test_equal_draws_drop_the_same_in_the_kernel_and_in_the_loop():
    x = np.array(wave(3, 6, 4))
    fused = layers.LSTM(5, dropout=0.5, return_sequences=True)
    unfused = loop(fused)
    alike(fused, unfused, x)
    with minpy.random.scope(1, 2):
        a = fused(x, training=True)
    with minpy.random.scope(1, 2):
        b = unfused(x, training=True)
    numpy.testing.assert_allclose(a.asnumpy(), b.asnumpy(), rtol=1e-5, atol=1e-6)
    assert abs(a - fused(x)).max() > 1e-3


@needs_mxnet
@pytest.mark.parametrize("kind", KINDS)
def test_where_only_mxnet_may_run_the_loop_does(kind):
    x = np.array(wave(3, 4, 5))
    layer = kind(6, return_sequences=True)
    expected = layer(x).asnumpy()
    with minpy.policy.use_policy("only_mxnet"):
        found = layer(x).asnumpy()
    numpy.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


# --- dropout --------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_dropout_takes_the_same_features_at_each_step_of_a_sequence(kind):
    minpy.random.seed(5)
    layer = kind(2, dropout=0.5, return_sequences=True, activation=None, use_bias=False)
    x = np.ones((40, 4, 6))
    layer(x)
    kernel, recurrent = layer.get_weights()
    layer.set_weights([kernel * 0 + 1, recurrent * 0])
    if kind is not layers.SimpleRNN:
        return  # gates hide the sum
    sums = layer(x, training=True).asnumpy()[:, :, 0]
    assert (sums == sums[:, :1]).all()
    assert len(set(sums[:, 0].tolist())) > 2
    assert abs(sums.mean() - 6) < 1


def test_dropout_of_the_state_is_drawn_once_a_sequence_and_not_at_test_time():
    minpy.random.seed(6)
    layer = layers.SimpleRNN(
        8, recurrent_dropout=0.5, activation=None, use_bias=False, return_sequences=True
    )
    x = np.concatenate([np.ones((4, 1, 8)), np.zeros((4, 5, 8))], 1)
    layer(x)
    layer.set_weights([numpy.eye(8, dtype="float32")] * 2)
    found = layer(x, training=True).asnumpy()
    kept = found[:, 1] != 0
    assert 0.2 < kept.mean() < 0.8
    # The same units are kept: each step doubles them once more.
    for t in range(1, 6):
        numpy.testing.assert_array_equal(found[:, t], kept * 2.0**t)
    numpy.testing.assert_array_equal(layer(x).asnumpy(), numpy.ones((4, 6, 8)))


# --- state ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_a_stateful_layer_goes_on_where_the_last_batch_ended(kind):
    x = np.array(wave(2, 6, 3))
    plain = kind(4, return_sequences=True)
    stateful = kind(4, return_sequences=True, stateful=True)
    alike(plain, stateful, x)
    stateful.reset_state()
    halves = [stateful(x[:, :3]), stateful(x[:, 3:])]
    numpy.testing.assert_allclose(
        np.concatenate(halves, 1).asnumpy(), plain(x).asnumpy(), rtol=1e-5, atol=1e-6
    )
    stateful.reset_state()
    again = stateful(x[:, :3])
    numpy.testing.assert_array_equal(again.asnumpy(), halves[0].asnumpy())
    with pytest.raises(ShapeError, match="from 2 samples"):
        stateful(x[:1])


def test_states_that_were_returned_can_be_the_next_initial_ones():
    x = np.array(wave(2, 6, 3))
    layer = layers.LSTM(4, return_state=True)
    whole = layer(x)
    _, h, c = layer(x[:, :2])
    rest = layer(x[:, 2:], initial_state=[h, c])
    for a, b in zip(whole, rest, strict=True):
        numpy.testing.assert_allclose(a.asnumpy(), b.asnumpy(), rtol=1e-5, atol=1e-6)
    with pytest.raises(ShapeError, match="2 initial states, got 1"):
        layer(x, initial_state=[h])


@needs_mxnet
def test_a_stateful_model_trains_compiled_as_it_does_eagerly():
    x, y = wave(8, 4, 3), wave(8, 2)
    found = {}
    for jit in (False, "auto"):
        minpy.random.seed(1)
        model = models.Sequential([layers.GRU(5, stateful=True), layers.Dense(2)])
        model.compile("sgd", "mse", jit=jit)
        model.fit(x, y, batch_size=4, epochs=3, shuffle=False, verbose=0)
        found[jit] = [*model.get_weights(), model.layers[0].states[0].asnumpy()]
    assert model.jit_status == "compiled"
    assert abs(found[False][-1]).max() > 0
    for a, b in zip(*found.values(), strict=True):
        numpy.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("jit", ["auto", False])
@pytest.mark.parametrize("kind", KINDS)
def test_a_stateful_model_goes_on_while_it_predicts_and_is_evaluated(kind, jit):
    x = wave(4, 6, 3)
    model = models.Sequential([kind(3, stateful=True)])
    model.compile("sgd", "mse", jit=jit)
    model.predict(x[:, :2], verbose=0)
    plain = kind(3, return_sequences=True)
    plain(x)
    plain.set_weights(model.get_weights())
    whole = plain(x).asnumpy()
    model.layers[0].reset_state()
    for part in (0, 1):
        found = model.predict(x[:, 2 * part : 2 * part + 2], verbose=0)
        numpy.testing.assert_allclose(found, whole[:, 2 * part + 1], rtol=1e-5, atol=1e-6)
    loss = model.evaluate(x[:, 4:], numpy.zeros((4, 3)), verbose=0)
    assert loss == pytest.approx((whole[:, 5] ** 2).mean(), rel=1e-5)
    with pytest.raises(ShapeError, match="from 4 samples, got a batch of 1"):
        model.predict(x[:1], verbose=0)


@pytest.mark.parametrize("jit", ["auto", False])
def test_batches_of_another_size_after_a_reset_have_a_state_of_their_own(jit):
    x, rest = wave(4, 6, 3), wave(2, 6, 3, shift=0.5)
    model = models.Sequential([layers.GRU(3, stateful=True)])
    model.compile("sgd", "mse", jit=jit)
    layer = model.layers[0]
    first = [model.predict(part, verbose=0) for part in (x[:, :3], x[:, 3:])]
    layer.reset_state()
    model.predict(rest, verbose=0)
    assert layer.states[0].shape == (2, 3)
    layer.reset_state()
    again = [model.predict(part, verbose=0) for part in (x[:, :3], x[:, 3:])]
    numpy.testing.assert_array_equal(layer.states[0].asnumpy(), again[1])
    numpy.testing.assert_array_equal(first, again)


# --- graphs ---------------------------------------------------------------------------------------


def builders():
    def of(*stack):
        return lambda: models.Sequential([make() for make in stack])

    def dense():
        return layers.Dense(2)

    return {
        "dropout": of(lambda: layers.LSTM(5, dropout=0.3), dense),
        "recurrent dropout": of(lambda: layers.GRU(5, recurrent_dropout=0.3, dropout=0.2), dense),
        "two layers": of(
            lambda: layers.GRU(5, return_sequences=True), lambda: layers.LSTM(4), dense
        ),
        "both directions": of(
            lambda: layers.Bidirectional(layers.LSTM(3, return_sequences=True)),
            lambda: layers.Bidirectional(layers.SimpleRNN(3), "mul"),
            dense,
        ),
        "every step": of(
            lambda: layers.TimeDistributed(layers.Dense(3, activation="relu")),
            lambda: layers.SimpleRNN(4, activation="relu"),
            dense,
        ),
        "stacked cells": of(
            lambda: layers.RNN([layers.LSTMCell(3, dropout=0.2), layers.GRUCell(4)]), dense
        ),
        "masked": of(lambda: layers.Masking(0.5), lambda: layers.LSTM(4), dense),
        "regularized": of(
            lambda: layers.LSTM(
                4, kernel_regularizer="l2", recurrent_regularizer="l1", activity_regularizer="l2"
            ),
            dense,
        ),
    }


@needs_mxnet
@pytest.mark.parametrize("name", builders())
def test_compiled_training_is_eager_training(name):
    x, y = wave(12, 5, 3), wave(12, 2, shift=1)
    x[::3, 3:] = 0.5
    found = {}
    for jit in (False, "auto"):
        minpy.random.seed(2)
        model = builders()[name]()
        model.compile("adam", "mse", jit=jit)
        history = model.fit(x, y, batch_size=4, epochs=6, verbose=0)
        found[jit] = [history.history["loss"], *model.get_weights(), model.predict(x, verbose=0)]
    assert model.jit_status == "compiled"
    for a, b in zip(*found.values(), strict=True):
        numpy.testing.assert_allclose(a, b, rtol=2e-3, atol=2e-5)


@needs_mxnet
@pytest.mark.parametrize("kind", KINDS)
def test_graphs_large_enough_for_threads_give_what_numpy_gives(kind, monkeypatch):
    x, y = wave(64, 8, 20), wave(64, 3)
    found = {}
    for compiled in (False, True):
        minpy.random.seed(3)
        model = models.Sequential([kind(48, return_sequences=True), kind(32), layers.Dense(3)])
        if not compiled:
            from minpy.layers.functions import recurrent

            monkeypatch.setattr(recurrent, "compiled_kernels", lambda *args: None)
        model.compile("sgd", "mse", jit=compiled)
        model.fit(x, y, epochs=3, batch_size=32, verbose=0)
        found[compiled] = model.get_weights()
        monkeypatch.undo()
    for a, b in zip(*found.values(), strict=True):
        numpy.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


# --- masks ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_padding_behind_an_embedding_changes_nothing(kind):
    minpy.random.seed(4)
    model = models.Sequential([layers.Embedding(9, 3, mask_zero=True), kind(4)])
    short = numpy.array([[5, 3, 8], [1, 2, 7]])
    padded = numpy.concatenate([short, numpy.zeros((2, 4), int)], 1)
    a = model.predict(short, verbose=0)
    b = model.predict(padded, verbose=0)
    numpy.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
    unmasked = models.Sequential([layers.Embedding(9, 3), kind(4)])
    unmasked.predict(short, verbose=0)
    unmasked.set_weights(model.get_weights())
    assert abs(unmasked.predict(padded, verbose=0) - b).max() > 1e-3


def test_masks_are_passed_on_where_all_steps_are():
    mask = np.array([[True, False]])
    for layer, expected in (
        (layers.LSTM(2), None),
        (layers.LSTM(2, return_sequences=True), mask),
        (layers.Bidirectional(layers.GRU(2, return_sequences=True)), mask),
        (layers.TimeDistributed(layers.Dense(2)), mask),
    ):
        assert layer.supports_masking
        assert layer.compute_mask(None, mask) is expected
    with_state = layers.LSTM(2, return_sequences=True, return_state=True).compute_mask(None, mask)
    assert with_state == [mask, None, None]


def test_masked_steps_may_hold_anything():
    x = wave(2, 4, 3)
    mask = numpy.array([[1, 1, 0, 1], [0, 1, 1, 0]], bool)
    layer = layers.GRU(4, return_sequences=True)
    clean = layer(np.array(x), mask=np.array(mask)).asnumpy()
    x[~mask] = 1e20
    dirty = layer(np.array(x), mask=np.array(mask)).asnumpy()
    numpy.testing.assert_array_equal(clean, dirty)


# --- cells of one's own ---------------------------------------------------------------------------


@minpy.layers.register_serializable("tests")
class Minimal(layers.Layer):
    """A cell as Keras' documentation writes them."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.state_size = units

    def build(self, input_shape):
        self.kernel = self.add_weight("kernel", (input_shape[-1], self.units))
        self.again = self.add_weight("again", (self.units, self.units))

    def call(self, inputs, states):
        h = inputs @ self.kernel + states[0] @ self.again
        return h, [h]

    def get_config(self):
        return {**super().get_config(), "units": self.units}


def test_a_cell_of_ones_own_runs_and_comes_back_from_its_configuration():
    layer = layers.RNN(Minimal(3), return_sequences=True)
    x = np.array(wave(2, 4, 5))
    y = layer(x)
    assert y.shape == (2, 4, 3)
    kernel, again = layer.get_weights()
    h = numpy.zeros((2, 3))
    for t in range(4):
        h = x.asnumpy()[:, t] @ kernel + h @ again
    numpy.testing.assert_allclose(y.asnumpy()[:, -1], h, rtol=1e-5, atol=1e-5)
    other = deserialize(serialize(layer))
    alike(layer, other, x)
    numpy.testing.assert_array_equal(other(x).asnumpy(), y.asnumpy())


# --- configuration --------------------------------------------------------------------------------


def settings():
    recurrent = {
        "use_bias": False,
        "kernel_initializer": "he_normal",
        "recurrent_regularizer": "l2",
        "bias_constraint": "max_norm",
        "dropout": 0.1,
        "recurrent_dropout": 0.2,
        "return_sequences": True,
        "return_state": True,
        "go_backwards": True,
        "zero_output_for_mask": True,
        "activation": "relu",
        "seed": 3,
        "name": "named",
    }
    return [
        layers.LSTM(3, unit_forget_bias=False, recurrent_activation="hard_sigmoid", **recurrent),
        layers.GRU(3, reset_after=False, **recurrent),
        layers.SimpleRNN(3, stateful=True, **recurrent),
        layers.LSTMCell(3, dropout=0.5),
        layers.RNN([layers.GRUCell(2), layers.LSTMCell(3, activation="relu")], return_state=True),
        layers.Bidirectional(layers.LSTM(3), merge_mode="ave"),
        layers.Bidirectional(
            layers.LSTM(3), backward_layer=layers.LSTM(3, go_backwards=True, activation="relu")
        ),
        layers.TimeDistributed(layers.Dense(3, activation="tanh")),
        layers.ConvLSTM2D(3, (2, 3), padding="same", data_format="channels_last", dropout=0.2),
        layers.Masking(-1.0),
        layers.Identity(),
    ]


@pytest.mark.parametrize("layer", settings(), ids=lambda one: type(one).__name__)
def test_the_configuration_makes_an_equal_layer(layer):
    told = serialize(layer)
    again = deserialize(told)
    assert type(again) is type(layer)
    assert serialize(again) == told


def test_a_saved_model_predicts_the_same(tmp_path):
    minpy.random.seed(8)
    model = models.Sequential(
        [
            layers.Embedding(20, 4, mask_zero=True, input_shape=(6,)),
            layers.Bidirectional(layers.LSTM(3, return_sequences=True)),
            layers.RNN([layers.GRUCell(4), layers.SimpleRNNCell(3)], return_sequences=True),
            layers.TimeDistributed(layers.Dense(2)),
            layers.GRU(3),
        ]
    )
    x = numpy.arange(12).reshape(2, 6) % 7
    before = model.predict(x, verbose=0)
    model.save(tmp_path / "model.h5")
    again = models.load_model(tmp_path / "model.h5")
    numpy.testing.assert_array_equal(again.predict(x, verbose=0), before)


def test_weights_have_keras_names_and_shapes():
    layer = layers.GRU(3)
    layer(np.zeros((1, 2, 4)))
    assert [(w.name, w.shape) for w in layer.weights] == [
        ("kernel", (4, 9)),
        ("recurrent_kernel", (3, 9)),
        ("bias", (2, 9)),
    ]
    assert next(w.path for w in layer.weights) == "gru_cell/kernel"
    assert layer.units == 3 and layer.bias.shape == (2, 9) and layer.reset_after
    with pytest.raises(AttributeError, match="no attribute 'unitz'"):
        _ = layer.unitz
    lstm = layers.LSTM(2)
    lstm(np.zeros((1, 2, 4)))
    assert lstm.get_weights()[2].tolist() == [0, 0, 1, 1, 0, 0, 0, 0]
    recurrent = lstm.get_weights()[1]
    numpy.testing.assert_allclose(recurrent @ recurrent.T, numpy.eye(2), atol=1e-6)


# --- functions as layers --------------------------------------------------------------------------


@minpy.layers.register_serializable("tests")
def scaled(x, factor=2.0, training=False):
    return x * factor + (1 if training else 0)


def test_a_named_function_comes_back_from_its_configuration():
    layer = layers.Lambda(scaled, arguments={"factor": 3.0})
    x = np.array([1.0, 2.0])
    assert layer(x).tolist() == [3.0, 6.0]
    assert layer(x, training=True).tolist() == [4.0, 7.0]
    again = deserialize(serialize(layer))
    assert again(x).tolist() == [3.0, 6.0]


def test_a_function_without_a_name_is_not_saved():
    with pytest.raises(ValueError, match="has no name"):
        layers.Lambda(lambda x: x).get_config()


# --- refusals -------------------------------------------------------------------------------------


def test_bad_settings_are_refused():
    with pytest.raises(ValueError, match="positive number of units"):
        layers.LSTM(0)
    with pytest.raises(ValueError, match="dropout from 0 to below 1"):
        layers.GRU(2, dropout=1.5)
    with pytest.raises(TypeError, match="unknown argument 'unitz'"):
        layers.LSTM(2, unitz=3)
    with pytest.raises(ValueError, match="merge_mode"):
        layers.Bidirectional(layers.LSTM(2), merge_mode="max")
    with pytest.raises(ValueError, match="no recurrent layer"):
        layers.Bidirectional(layers.Dense(2))
    with pytest.raises(ValueError, match="different directions"):
        layers.Bidirectional(layers.LSTM(2), backward_layer=layers.LSTM(2))
    with pytest.raises(ValueError, match="state_size"):
        layers.RNN(layers.Dense(2))
    with pytest.raises(ValueError, match="expected a layer"):
        layers.TimeDistributed(numpy.tanh)


@pytest.mark.parametrize("kind", KINDS)
def test_a_wrong_rank_is_refused_with_what_was_expected(kind):
    with pytest.raises(ShapeError, match=r"\(batch, time, features\)"):
        kind(2)(np.zeros((3, 4)))
    with pytest.raises(ShapeError, match=r"\(batch, time, features\)"):
        kind(2)(np.zeros((3, 4, 5, 6)))


def test_a_batch_norm_inside_takes_the_statistics_of_each_step():
    x = wave(6, 3, 4)
    inside = layers.TimeDistributed(layers.BatchNormalization())
    found = inside(np.array(x), training=True).asnumpy()
    for t in range(3):
        numpy.testing.assert_allclose(found[:, t].mean(0), 0, atol=1e-5)


def test_the_pages_example_runs(capsys):
    page = pathlib.Path(__file__).parents[1] / "docs" / "recurrent.md"
    code = re.search(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)[1]
    exec(compile(code, str(page), "exec"), {})
    assert capsys.readouterr().out == "(2, 1)\n"
