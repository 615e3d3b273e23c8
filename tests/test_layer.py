"""What all layers share: building, weights and their paths, settings as configurations, calls."""

from __future__ import annotations

import copy
import json
import pickle

import numpy
import pytest

import minpy.numpy as np
from minpy import grad, regularizers
from minpy.layers import (
    BatchNormalization,
    Dense,
    Dropout,
    Input,
    InputSpec,
    Layer,
    register_serializable,
)
from minpy.layers.serialization import deserialize, serialize
from minpy.models import Model, Sequential

X = numpy.random.default_rng(1).normal(size=(4, 3)).astype("float32")


# --- building -------------------------------------------------------------------------------------


def test_build_and_compute_output_shape_may_name_the_shapes_of_several_tensors():
    seen = {}

    class Pair(Layer):
        def build(self, query_shape, value_shape):
            seen["build"] = query_shape, value_shape
            self.w = self.add_weight(shape=(query_shape[-1], value_shape[-1]))

        def call(self, query, value, scale=1.0):
            return np.matmul(np.matmul(query, self.w), value.T) * scale

        def compute_output_shape(self, query_shape, value_shape):
            return (query_shape[0], value_shape[0])

    assert Pair()(np.ones((2, 3)), value=np.ones((5, 4))).shape == (2, 5)
    assert seen["build"] == ((None, 3), (None, 4))
    assert Pair()(Input((3,)), Input((4,), batch_size=6), scale=2.0).shape == (None, 6)


def test_build_of_lists_and_dicts_gets_lists_and_dicts_of_shapes():
    seen = []

    class Sum(Layer):
        def build(self, input_shape):
            seen.append(input_shape)

        def call(self, xs):
            return sum(xs.values() if isinstance(xs, dict) else xs)

    Sum()([np.ones((2, 3)), np.ones((2, 1))])
    Sum()({"a": np.ones((2, 3)), "b": np.ones((2, 1))})
    Sum()([np.ones((2, 3))])
    assert seen == [
        [(None, 3), (None, 1)],
        {"a": (None, 3), "b": (None, 1)},
        [(None, 3)],
    ]


def test_a_layer_that_was_built_by_hand_is_not_built_again():
    layer = Dense(2)
    layer.build((None, 3))
    assert layer.built
    before = layer.get_weights()
    layer(X)
    assert all((a == b).all() for a, b in zip(before, layer.get_weights(), strict=True))


def test_build_that_wants_an_unknown_argument_says_what_the_call_has():
    class Odd(Layer):
        def build(self, left_shape, right_shape):
            pass

        def call(self, a, b):
            return a + b

    with pytest.raises(ValueError, match=r"wants left_shape, right_shape, and the call has.* a, b"):
        Odd()(np.ones((2, 3)), np.ones((2, 3)))


# --- weights --------------------------------------------------------------------------------------


def test_add_weight_takes_keras_order_and_names_weights_by_their_attributes():
    class Linear(Layer):
        def build(self, input_shape):
            self.w = self.add_weight((input_shape[-1], 2), "ones")
            self.b = self.add_weight(shape=(2,), initializer="zeros", trainable=False)
            self.named = self.add_weight("own", (2,), "ones")

        def call(self, x):
            return np.matmul(x, self.w) + self.b + self.named

    layer = Linear(name="linear")
    numpy.testing.assert_allclose(
        layer(X).asnumpy(), X.sum(axis=1, keepdims=True) @ numpy.ones((1, 2)) + 1, rtol=1e-5
    )
    assert [w.path for w in layer.weights] == ["w", "b", "own"]
    assert [w.path for w in layer.non_trainable_weights] == ["b"]


def test_add_weight_takes_all_of_keras_arguments_by_place():
    layer = Layer()
    weight = layer.add_weight(
        (2, 3), "ones", "float64", False, True, regularizers.L2(0.5), "nonneg", "none", "own"
    )
    assert (weight.name, weight.shape, weight.dtype) == ("own", (2, 3), "float64")
    assert not weight.trainable
    assert (weight.regularizer.l2, type(weight.constraint).__name__) == (0.5, "NonNeg")
    scalar = layer.add_weight((), "ones", name="scalar")
    assert (scalar.name, scalar.shape, float(scalar.value)) == ("scalar", (), 1.0)


def test_integers_and_booleans_start_as_zeros():
    layer = Layer()
    assert not layer.add_weight((2,), dtype="int32").numpy().any()
    assert not layer.add_weight((2,), dtype="bool", name="b").numpy().any()


@pytest.mark.parametrize("held", [True, False])
def test_a_weight_and_a_layer_inside_may_have_one_name(held):
    class Outer(Layer):
        def __init__(self):
            super().__init__()
            made = self.add_weight((1,), "ones", name="inner")
            if held:
                self.own = made
            self.inner = Dense(2)

    outer = Outer()
    assert type(outer.inner) is Dense
    assert [w.path for w in outer.weights] == ["inner"]
    outer.inner.build((None, 3))
    assert [w.path for w in outer.weights] == ["inner", "inner/kernel", "inner/bias"]
    if held:
        assert float(outer.own[0]) == 1.0


def test_a_weight_made_in_call_is_refused():
    class Growing(Layer):
        def call(self, x):
            self.w = self.add_weight((), "zeros")
            return x + self.w

    layer = Growing(name="growing")
    with pytest.raises(ValueError, match="Growing 'growing': add_weight was called in call"):
        layer(X)
    assert not layer.weights


def test_layers_inside_may_be_built_in_call():
    class Lazy(Layer):
        def __init__(self):
            super().__init__()
            self.inner = Dense(2)

        def call(self, x):
            return self.inner(x)

    layer = Lazy()
    layer(X)
    assert len(layer.weights) == 2


@pytest.mark.parametrize("value", ["yes", 1, None])
def test_trainable_is_true_or_false(value):
    with pytest.raises(ValueError, match=f"expected trainable to be True or False, got {value!r}"):
        Dense(2, trainable=value)


def test_add_weight_given_a_name_twice_says_so():
    with pytest.raises(TypeError, match="name by place and by name"):
        Layer().add_weight("a", (2,), name="b")


def test_weights_in_a_list_take_part_in_derivatives():
    class Powers(Layer):
        def build(self, input_shape):
            self.factors = [self.add_weight(f"f{i}", (), "ones") for i in range(3)]

        def call(self, x):
            a, b, c = self.factors
            return a * x + x**2 * b + (-c) * x**3 + c / 2.0

    layer = Powers()
    model = Sequential([Input((1,)), layer])
    model.compile("sgd", "mse", jit=False)
    x = numpy.array([[2.0]], "float32")
    model.train_on_batch(x, numpy.zeros((1, 1), "float32"))
    y = 2.0 + 4.0 - 8.0 + 0.5
    found = model.gradients()
    expected = {"f0": 2 * y * 2, "f1": 2 * y * 4, "f2": 2 * y * (-8 + 0.5)}
    for name, value in expected.items():
        assert found[f"powers/{name}"] == pytest.approx(value)


def test_layers_in_lists_and_dicts_are_known_also_when_put_in_later():
    class Net(Model):
        def __init__(self):
            super().__init__()
            self.blocks = []
            for _ in range(2):
                self.blocks.append(Dense(3))
            self.heads = {"a": Dense(1)}
            self.heads["b"] = Dense(2)
            self.pairs = [[Dense(3), Dense(3)]]

        def call(self, x):
            for block in [*self.blocks, *self.pairs[0]]:
                x = block(x)
            return {name: head(x) for name, head in self.heads.items()}

    net = Net()
    net(X)
    assert [w.path for w in net.weights if w.name == "kernel"] == [
        "blocks_0/kernel",
        "blocks_1/kernel",
        "heads_a/kernel",
        "heads_b/kernel",
        "pairs_0_0/kernel",
        "pairs_0_1/kernel",
    ]
    last = net.blocks.pop()
    assert last not in net.layers and len(net.layers) == 5
    net.blocks[0] = Dense(3, name="new")
    del net.heads["a"]
    net(X)
    assert [layer.name for layer in net.layers] == ["new", "heads_b", "pairs_0_0", "pairs_0_1"]


def test_a_layer_put_into_a_list_after_training_is_trained_from_then_on():
    class Net(Model):
        def __init__(self):
            super().__init__()
            self.blocks = [Dense(3)]

        def call(self, x):
            for block in self.blocks:
                x = block(x)
            return x

    net = Net()
    net.compile("sgd", "mse", jit=False)
    net.train_on_batch(X, X)
    net.blocks.append(Dense(3))
    net(X)
    before = net.get_weights()
    net.train_on_batch(X, X)
    changed = [not (a == b).all() for a, b in zip(before, net.get_weights(), strict=True)]
    assert changed == [True] * 4


def test_paths_are_unique_also_where_names_are_not():
    class Net(Model):
        def __init__(self):
            super().__init__()
            self.a, self.b = Dense(2, name="same"), Dense(2, name="same")

        def call(self, x):
            return self.b(self.a(x))

    net = Net()
    net(X)
    assert [w.path for w in net.weights] == [
        "same/kernel",
        "same/bias",
        "same_1/kernel",
        "same_1/bias",
    ]


def test_freezing_reaches_inner_layers_and_stops_batch_normalization():
    inner = Sequential([Input((3,)), Dense(3), BatchNormalization()])
    assert len(inner.trainable_weights) == 4
    inner.trainable = False
    assert not inner.trainable_weights and len(inner.non_trainable_weights) == 6
    before = inner.get_weights()
    inner(X, training=True)
    assert all((a == b).all() for a, b in zip(before, inner.get_weights(), strict=True))


def test_set_weights_refuses_other_shapes_and_changes_nothing():
    layer = Dense(2)
    layer(X)
    before = layer.get_weights()
    with pytest.raises(ValueError, match=r"'bias' expected shape \(2,\), got \(3,\)"):
        layer.set_weights([numpy.zeros((3, 2)), numpy.zeros(3)])
    assert all((a == b).all() for a, b in zip(before, layer.get_weights(), strict=True))


# --- losses ---------------------------------------------------------------------------------------


def test_losses_of_the_last_call_can_be_read():
    class Adds(Layer):
        def call(self, x):
            self.add_loss(np.sum(x))
            return x

    model = Sequential([Adds(), Adds(), Dense(2, kernel_regularizer="l2")])
    for _ in range(2):
        model(X)
    found = [float(term) for term in model.losses]
    penalty = 0.01 * float((model.get_weights()[0] ** 2).sum())
    assert found == pytest.approx([X.sum(), X.sum(), penalty], rel=1e-5)


@pytest.mark.parametrize("jit", [False, "auto"])
def test_losses_that_layers_add_count_in_functional_models_too(jit):
    class Adds(Layer):
        def call(self, x):
            self.add_loss(3.0 * np.mean(x**2))
            return x

    x = Input((3,))
    model = Model(x, Adds()(x))
    model.compile("sgd", "mse", jit=jit)
    expected = (X**2).mean() + 3 * (X**2).mean()
    assert model.test_on_batch(X, numpy.zeros_like(X)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("jit", [False, "auto"])
def test_numbers_that_layers_report_are_in_the_logs(jit):
    class Reports(Layer):
        def call(self, x):
            self.add_metric(np.abs(x), name="size")
            return x

    x = Input((3,))
    model = Model(x, Reports()(Reports()(x) * 3.0))
    model.compile("sgd", "mse", metrics=["mae"], jit=jit)
    data = numpy.arange(15, dtype="float32").reshape(5, 3)
    # Batches of 2, 2 and 1 samples: a mean over samples, of the two reports of each pass.
    history = model.fit(
        data, data, batch_size=2, epochs=2, validation_data=(-data, data), verbose=0
    )
    assert list(history.history) == ["loss", "mae", "size", "val_loss", "val_mae", "val_size"]
    assert history.history["size"] == pytest.approx([14.0, 14.0])
    assert history.history["val_size"] == pytest.approx([14.0, 14.0])
    assert model.evaluate(data[:1], data[:1], return_dict=True, verbose=0)["size"] == 2.0
    assert model.predict(data, verbose=0).shape == (5, 3)
    if jit and model.jit_status != "compiled":
        pytest.skip(model.jit_status)


def test_no_layer_may_report_a_loss():
    with pytest.raises(ValueError, match="'loss'"):
        Dense(1).add_metric(1.0, name="loss")


# --- calls ----------------------------------------------------------------------------------------


def test_training_reaches_inner_layers_and_an_explicit_one_wins():
    seen = []

    class Tells(Layer):
        def call(self, x, training=None):
            seen.append(bool(training))
            return x

    class Outer(Layer):
        def __init__(self):
            super().__init__()
            self.first, self.second = Tells(), Tells()

        def call(self, x):
            return self.second(self.first(x), training=False)

    outer = Outer()
    outer(X, training=True)
    outer(X)
    x = Input((3,))
    model = Model(x, Tells()(outer(x), training=True))
    seen.clear()
    outer(X, training=True)
    model(X)
    assert seen == [True, False, False, False, True]


def test_other_tensors_may_be_given_by_name_and_as_numpy_arrays():
    class Mix(Layer):
        def call(self, x, other, factor=1.0):
            return x + factor * other

    found = Mix()(x=X, other=X, factor=2.0)
    numpy.testing.assert_allclose(found.asnumpy(), 3 * X, rtol=1e-6)
    assert type(Mix()(X, X)) is np.ndarray
    with pytest.raises(TypeError, match="expected an input"):
        Mix()()


def test_gradients_flow_through_a_layer_called_by_hand():
    layer = Dense(1, use_bias=False)
    layer(X)
    found = grad(lambda x: np.sum(layer(x)))(np.array(X))
    numpy.testing.assert_allclose(
        found.asnumpy(), numpy.tile(layer.get_weights()[0].T, (4, 1)), rtol=1e-6
    )


@pytest.mark.parametrize(
    ("spec", "shape", "message"),
    [
        ({"ndim": 2}, (2, 3, 4), "ndim 2, got shape"),
        ({"min_ndim": 3}, (2, 3), "ndim >= 3"),
        ({"max_ndim": 2}, (2, 3, 4), "ndim <= 2"),
        ({"axes": {-1: 5}}, (2, 3), "length 5 of axis -1"),
        ({"shape": (None, 4)}, (2, 3), "length 4 of axis 1"),
    ],
)
def test_input_spec_is_checked_for_arrays_and_symbolic_tensors(spec, shape, message):
    class Picky(Layer):
        def call(self, x):
            return x

    layer = Picky()
    layer.input_spec = InputSpec(**spec)
    with pytest.raises(ValueError, match=message):
        layer(np.zeros(shape))
    with pytest.raises(ValueError, match=message):
        layer(Input(shape[1:]))


def test_input_spec_of_several_inputs():
    class Two(Layer):
        def __init__(self):
            super().__init__()
            self.input_spec = [InputSpec(ndim=2), InputSpec(dtype="int32")]

        def call(self, xs):
            return xs[0]

    Two()([X, numpy.zeros(3, "int32")])
    with pytest.raises(ValueError, match="expected 2 inputs, got 1"):
        Two()([X])
    with pytest.raises(TypeError, match="dtype int32, got float32"):
        Two()([X, X])


# --- configurations -------------------------------------------------------------------------------


@register_serializable("test_layer")
class Residual(Layer):
    """Has no get_config: its arguments are its configuration."""

    def __init__(self, inner, scale=1.0, sizes=(1, 2), **kwargs):
        super().__init__(**kwargs)
        self.inner, self.scale, self.sizes = inner, scale, list(sizes)

    def call(self, x):
        return x + self.scale * self.inner(x)


def test_a_layer_without_get_config_is_configured_by_its_arguments():
    layer = Residual(Dense(3, activation="relu"), 0.5, name="r", trainable=False)
    config = layer.get_config()
    assert json.loads(json.dumps(config)) == config
    again = deserialize(serialize(layer))
    assert type(again.inner) is Dense and again.inner.units == 3
    assert (again.scale, again.sizes, again.name, again.trainable) == (0.5, [1, 2], "r", False)
    assert again.get_config() == config


def test_a_constructor_need_not_take_what_all_layers_have():
    @register_serializable("test_layer")
    class Short(Layer):
        def __init__(self, factor):
            super().__init__()
            self.factor = factor

        def call(self, x):
            return x * self.factor

    layer = Short(3)
    layer.trainable = False
    copied = deserialize(serialize(layer))
    assert (copied.factor, copied.name, copied.trainable) == (3, "short", False)


def test_a_model_without_get_config_is_configured_by_its_arguments(tmp_path):
    from minpy.models import load_model

    @register_serializable("test_layer")
    class Tower(Model):
        def __init__(self, widths, rate=0.0):
            super().__init__()
            self.stack = [Dense(width) for width in widths]
            self.drop = Dropout(rate)

        def call(self, x):
            for layer in self.stack:
                x = self.drop(layer(x))
            return x

    x = Input((3,))
    model = Model(x, Tower([5, 2], rate=0.1)(x))
    model.save(tmp_path / "a.h5")
    again = load_model(tmp_path / "a.h5")
    assert (again.predict(X, verbose=0) == model.predict(X, verbose=0)).all()


def test_arguments_that_can_not_be_written_ask_for_get_config():
    layer = Residual(Dense(3), scale=lambda x: x)
    with pytest.raises(ValueError, match=r"scale=.*write get_config\(\)"):
        layer.get_config()


def test_registered_names_keep_packages_apart():
    @register_serializable("one")
    class Twin(Layer):
        def call(self, x):
            return x + 1.0

    first = Twin

    @register_serializable("two")
    class Twin(Layer):
        def call(self, x):
            return x + 2.0

    for kind, added in ((first, 1.0), (Twin, 2.0)):
        again = deserialize(serialize(kind()))
        assert type(again) is kind
        assert float(again(np.zeros((1, 1)))[0, 0]) == added


def test_copies_and_pickles_have_weights_of_their_own():
    x = Input((3,))
    model = Model(x, np.tanh(Dense(2)(x)) * 2)
    model(X)
    expected = model(X).asnumpy()
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert (other(X).asnumpy() == expected).all()
        other.set_weights([w * 0 for w in other.get_weights()])
    assert (model(X).asnumpy() == expected).all()


def test_names_hold_in_a_scope_and_everywhere():
    from minpy import saving
    from minpy.models import model_from_json

    class Local(Layer):
        def call(self, x):
            return x - 1.0

    def weird(y_true, y_pred):
        return np.mean(np.abs(y_true - y_pred), axis=-1)

    text = Sequential([Local()]).to_json()
    with saving.custom_object_scope({"Local": Local, "weird": weird}):
        assert type(model_from_json(text).layers[0]) is Local
        Sequential([Dense(1)]).compile("sgd", "weird")
    with pytest.raises(ValueError, match="unknown class 'Local'"):
        model_from_json(text)
    with pytest.raises(ValueError, match="weird"):
        Sequential([Dense(1)]).compile("sgd", "weird")
    saving.get_custom_objects()["Local"] = Local
    try:
        assert type(model_from_json(text).layers[0]) is Local
    finally:
        del saving.get_custom_objects()["Local"]
    assert saving.get_registered_object("test_layer>Residual") is Residual
    assert saving.get_registered_name(Residual) == "test_layer>Residual"
    assert saving.get_registered_object("Nobody") is None


def test_a_layer_set_to_train_inside_a_frozen_model_trains_as_in_keras():
    def inner():
        inputs = Input((3,))
        return Model(inputs, Dense(3, name="b")(Dense(3, name="a")(inputs)), name="inner")

    model = Sequential([Input((3,)), inner(), Dense(1, name="top")])
    base = model.layers[0]
    base.trainable = False
    base.get_layer("b").trainable = True
    names = ["inner/b/kernel", "inner/b/bias", "top/kernel", "top/bias"]
    assert [w.path for w in model.weights if w in model.trainable_weights] == names
    assert base.trainable_weights == []  # asked itself, a frozen model has none
    again = Sequential.from_config(model.get_config())
    assert len(again.trainable_weights) == len(model.trainable_weights) == 4
    before = model.get_weights()
    model.compile("sgd", "mse")
    model.fit(numpy.ones((4, 3)), numpy.ones((4, 1)), verbose=0)
    changed = [bool((a != b).any()) for a, b in zip(before, model.get_weights(), strict=True)]
    assert changed == [False, False, True, True, True, True]
    model.trainable = False
    assert model.trainable_weights == []
    base.trainable = True
    assert len(model.non_trainable_weights) == 6  # it is the whole that doesn't train


def test_a_stack_has_its_weights_at_once_whatever_layers_are_in_it():
    class Doubled(Layer):  # doesn't say what shape comes out
        def call(self, x):
            return np.concatenate([x, x], axis=-1)

    class Block(Layer):  # makes the weights of its layers when it is called
        def __init__(self):
            super().__init__()
            self.first = Dense(5)

        def call(self, x):
            return self.first(x)

    class Picky(Layer):  # doesn't work on zeros
        def call(self, x):
            if not np.any(x):
                raise ValueError("nothing there")
            return x

    model = Sequential([Input((3,)), Doubled(), Block(), Dense(2)])
    assert [w.shape for w in model.weights] == [(6, 5), (5,), (5, 2), (2,)]
    assert model.output_shape == (None, 2)
    assert model.built
    runs = []

    class Seen(Doubled):
        def call(self, x):
            runs.append(x.shape)
            return super().call(x)

    Sequential([Seen(), Dense(2)]).predict(numpy.ones((4, 3)), verbose=0)
    assert set(runs) <= {(1, 3), (4, 3)}  # where data come there is no trial of other lengths
    later = Sequential([Doubled(), Block(), Dense(2)])
    later.build((None, 3))
    assert later.count_params() == model.count_params() == 47
    picky = Sequential([Input((3,)), Picky(), Dense(2)])
    assert not picky.built
    assert picky.predict(numpy.ones((4, 3)), verbose=0).shape == (4, 2)
