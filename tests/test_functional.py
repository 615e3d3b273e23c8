"""Functional models: graphs of symbolic tensors; their values, shapes, names, files and errors."""

from __future__ import annotations

import json

import numpy
import pytest

import minpy.numpy as np
from minpy import random
from minpy.layers import (
    Activation,
    BatchNormalization,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    Input,
    Layer,
    register_serializable,
)
from minpy.models import Model, Sequential, clone_model, load_model

RNG = numpy.random.default_rng(0)
X = RNG.normal(size=(12, 6)).astype("float32")
Y = RNG.normal(size=(12, 2)).astype("float32")


def layers():
    return [Dense(5, activation="relu"), Dropout(0.3), BatchNormalization(), Dense(2)]


def chain(made):
    x = value = Input((6,))
    for layer in made:
        value = layer(value)
    return Model(x, value)


def three():
    first, second = Dense(5, name="first"), Activation("relu", name="second")
    return chain([first, second, Dense(2, name="last")])


# --- values ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("jit", [False, "auto"])
def test_a_chain_is_the_sequential_of_the_same_layers_bit_for_bit(jit):
    found = []
    for make in (lambda: Sequential([Input((6,)), *layers()]), lambda: chain(layers())):
        random.seed(3)
        model = make()
        model.compile("adam", "mse", jit=jit)
        history = model.fit(X, Y, batch_size=4, epochs=3, verbose=0).history
        found.append((history["loss"], model.predict(X, verbose=0), model.get_weights()))
    assert found[0][0] == found[1][0]
    assert (found[0][1] == found[1][1]).all()
    assert all((a == b).all() for a, b in zip(found[0][2], found[1][2], strict=True))


def test_a_shared_layer_has_one_set_of_weights_and_the_gradients_of_both_uses():
    a, b = Input((6,), name="a"), Input((6,), name="b")
    shared = Dense(2, use_bias=False, name="shared")
    model = Model([a, b], shared(a) - shared(b))
    assert model.count_params() == 12
    model.compile("sgd", "mse", jit=False)
    model.train_on_batch([X, 2 * X], Y)
    kernel_before = model.get_weights()[0]
    model.train_on_batch([X, 2 * X], Y)
    d = -X @ kernel_before - Y
    expected = -X.T @ (2 * d / d.size)
    numpy.testing.assert_allclose(
        model.gradients()["shared/kernel"], expected, rtol=1e-4, atol=1e-6
    )


def test_operations_on_symbolic_tensors_compute_what_they_do_on_arrays():
    def f(a, b):
        c = np.concatenate([a, b * 2], axis=1)
        d = 1 / (np.exp(c[:, 1:3]) + 1) ** 2 - c[:, :2] % 3
        e = np.where(d > 0, d, -d) @ numpy.ones((2, 4), "float32")
        s = np.stack([e, 3 - e], axis=-1).sum(axis=-1) + abs(-e).mean(axis=1, keepdims=True)
        parts = np.split(s, 2, axis=1)
        return (
            parts[0].reshape((-1, 2))
            + np.transpose(parts[1]).T
            + np.maximum(0.5, np.clip(s, 0, 1))[:, 2:]
        )

    a, b = Input((3,)), Input((3,))
    model = Model([a, b], f(a, b))
    assert model.output_shape == (None, 2)
    given = [np.array(X[:, :3]), np.array(X[:, 3:])]
    assert (model(given).asnumpy() == f(*given).asnumpy()).all()


def test_numpys_own_functions_are_recorded_too():
    x = Input((3,))
    y = numpy.concatenate([numpy.tanh(x), numpy.ones((1, 3), "float32") + x[:1]], axis=0)
    model = Model(x, numpy.mean(y, axis=0, keepdims=True))
    expected = numpy.concatenate([numpy.tanh(X[:, :3]), 1 + X[:1, :3]]).mean(axis=0, keepdims=True)
    numpy.testing.assert_allclose(model(X[:, :3]).asnumpy(), expected, rtol=1e-5)


def test_operations_train_compiled():
    pytest.importorskip("mxnet")
    x = Input((6,))
    h = Dense(4)(x)
    y = np.concatenate([h[:, :2] * 2 + 1, np.tanh(h[:, 2:]) / 2], axis=-1)
    model = Model(x, Dense(2)(np.mean(np.stack([y, -y + h], axis=1), axis=1)))
    model.compile("sgd", "mse")
    model.fit(X, Y, verbose=0)
    assert model.jit_status == "compiled"


@pytest.mark.parametrize("container", ["list", "dict"])
def test_several_inputs_and_outputs_in_lists_and_dicts(container):
    a, b = Input((2,), name="a"), Input((4,), name="b")
    total, product = a + b[:, :2], a * b[:, 2:]
    if container == "list":
        model = Model([a, b], [total, product])
        given = [X[:, :2], X[:, 2:]]
        expected_type = list
    else:
        model = Model({"a": a, "b": b}, {"sum": total, "product": product})
        given = {"b": X[:, 2:], "a": X[:, :2]}
        expected_type = dict
    found = model.predict(given, batch_size=5, verbose=0)
    assert type(found) is expected_type
    sums, products = found if container == "list" else (found["sum"], found["product"])
    numpy.testing.assert_array_equal(sums, X[:, :2] + X[:, 2:4])
    numpy.testing.assert_array_equal(products, X[:, :2] * X[:, 4:])


def test_a_list_of_inputs_takes_a_dict_by_name():
    a, b = Input((2,), name="a"), Input((2,), name="b")
    model = Model([a, b], a - b)
    found = model({"b": X[:, 2:4], "a": X[:, :2], "more": X})
    numpy.testing.assert_array_equal(found.asnumpy(), X[:, :2] - X[:, 2:4])


def test_models_are_layers_of_models():
    inner = Sequential([Input((6,)), Dense(4, activation="tanh")], name="inner")
    x = Input((6,))
    middle = Model(x, inner(x) * 2, name="middle")
    z = Input((6,))
    model = Model(z, Dense(2)(middle(z)) + Dense(2)(middle(-z)))
    assert [w.path for w in model.weights] == [
        "middle/inner/dense/kernel",
        "middle/inner/dense/bias",
        "dense/kernel",
        "dense/bias",
        "dense_1/kernel",
        "dense_1/bias",
    ]
    k, c, w1, b1, w2, b2 = model.get_weights()
    h = 2 * numpy.tanh(X @ k + c), 2 * numpy.tanh(-X @ k + c)
    numpy.testing.assert_allclose(
        model(X).asnumpy(), h[0] @ w1 + b1 + h[1] @ w2 + b2, rtol=1e-4, atol=1e-5
    )


def test_a_part_of_a_model_is_a_model_with_the_same_weights():
    model = chain(
        [Dense(5, name="first"), Activation("relu", name="second"), Dense(2, name="last")]
    )
    features = Model(model.input, model.get_layer("second").output)
    head = Model(model.get_layer("second").output, model.output)
    whole = model(X).asnumpy()
    numpy.testing.assert_array_equal(head(features(X)).asnumpy(), whole)
    features.get_layer("first").set_weights([numpy.zeros((6, 5)), numpy.ones(5)])
    assert (model.get_weights()[1] == 1).all()


def test_a_sequential_has_symbolic_inputs_and_outputs():
    model = Sequential([Dense(5, input_shape=(6,)), Dense(2)])
    features = Model(model.inputs, model.layers[0].output)
    assert features.output_shape == (None, 5)
    numpy.testing.assert_array_equal(
        Model(model.input, model.output)(X).asnumpy(), model(X).asnumpy()
    )
    model.pop()
    assert model.output.shape == (None, 5)
    model.add(Dense(3))
    assert model.output.shape == (None, 3)


def test_a_subclass_with_a_graph_computes_it_and_keeps_its_class():
    class Net(Model):
        def __init__(self):
            x = Input((6,))
            super().__init__(x, Dense(2)(x))
            self.more = 3

    model = Net()
    assert type(model) is Net and model.output_shape == (None, 2)
    model.compile("sgd", "mse")
    assert numpy.isfinite(model.fit(X, Y, verbose=0).history["loss"][0])


def test_frozen_layers_do_not_change_also_when_frozen_after_compile():
    model = chain([Dense(5, name="first"), Dense(2, name="last")])
    model.compile("sgd", "mse")
    model.fit(X, Y, verbose=0)
    model.get_layer("first").trainable = False
    before = model.get_weights()
    model.fit(X, Y, verbose=0)
    after = model.get_weights()
    assert [(a == b).all() for a, b in zip(before, after, strict=True)] == [
        True,
        True,
        False,
        False,
    ]
    assert [w.path for w in model.trainable_weights] == ["last/kernel", "last/bias"]


@pytest.mark.parametrize("jit", [False, "auto"])
def test_a_symbolic_loss_counts_in_training_and_comes_back_from_files(jit, tmp_path):
    x = Input((6,))
    hidden = Dense(3, name="hidden")(x)
    model = Model(x, Dense(2, name="out")(hidden))
    model.add_loss(0.5 * np.sum(hidden**2) / 12.0)
    model.add_loss([np.abs(hidden)])
    model.compile("sgd", "mse", jit=jit)
    k, b, w, c = model.get_weights()
    h = X @ k + b
    terms = [0.5 * (h**2).sum() / 12, numpy.abs(h).mean()]
    expected = ((h @ w + c - Y) ** 2).mean() + sum(terms)
    assert model.test_on_batch(X, Y) == pytest.approx(expected, rel=1e-5)
    model(X)
    assert [float(term) for term in model.losses] == pytest.approx(terms, rel=1e-5)
    model.save(tmp_path / "a.h5")
    again = load_model(tmp_path / "a.h5")
    assert again.test_on_batch(X, Y) == pytest.approx(expected, rel=1e-5)
    copy = clone_model(model)
    copy.set_weights(model.get_weights())
    copy.compile("sgd", "mse")
    assert copy.test_on_batch(X, Y) == pytest.approx(expected, rel=1e-5)
    with pytest.raises(ValueError, match="disconnected"):
        model.add_loss(np.sum(Input((2,))))


def test_two_tensors_from_the_middle_become_two_inputs():
    x = Input((6,))
    layer = Dense(3, name="hidden")
    a, b = layer(x), layer(-x)
    model = Model([a, b], a + b)
    assert model.input_names == ["hidden_input", "hidden_input_1"]
    assert model([numpy.ones((1, 3)), numpy.ones((1, 3))]).tolist() == [[2.0, 2.0, 2.0]]


def test_integers_stay_integers_where_an_input_wants_them():
    x = Input((2,), dtype="int32")
    model = Model(x, x * 2)
    found = model.predict(numpy.array([[2**24 + 1, 3]]), verbose=0)
    assert found.dtype == numpy.int32
    assert found.tolist() == [[2**25 + 2, 6]]
    outputs = [x, x[:, ::-1], np.reshape(x, (-1, 1, 2)), x > 3]
    found = Model(x, outputs).predict(numpy.array([[2**24 + 1, 3]]), verbose=0)
    assert [f.dtype for f in found] == ["int32", "int32", "int32", "bool"]
    assert [f.tolist() for f in found] == [
        [[2**24 + 1, 3]], [[3, 2**24 + 1]], [[[2**24 + 1, 3]]], [[True, False]]
    ]  # fmt: skip


# --- shapes ---------------------------------------------------------------------------------------


def test_shapes_are_known_before_there_is_data():
    x = Input((3, 8, 8))
    y = Conv2D(4, 3)(x)
    assert (y.shape, y.dtype) == ((None, 4, 6, 6), numpy.dtype("float32"))
    assert Flatten()(y).shape == (None, 144)
    assert np.mean(y, axis=(2, 3)).shape == (None, 4)
    assert np.sum(y).shape == ()
    assert y.reshape((-1, 4)).shape == (None, 4)
    assert (y > 0).dtype == bool
    assert Input((3,), batch_size=5).shape == (5, 3)
    assert Dense(2)(Input((3,), batch_size=5)).shape == (5, 2)


def test_lengths_that_are_not_known_stay_so():
    x = Input((None, 4))
    y = Dense(3)(x)
    assert y.shape == (None, None, 3)
    assert (y + 1)[:, 0].shape == (None, 3)
    assert np.concatenate([y, y], axis=1).shape == (None, None, 3)
    model = Model(x, np.sum(y, axis=1))
    assert model(np.ones((2, 7, 4))).shape == (2, 3)


def test_a_layer_without_compute_output_shape_is_tried_out_on_zeros():
    class Halves(Layer):
        def call(self, x):
            n = x.shape[1] // 2
            return {"left": x[:, :n], "right": x[:, n:].astype("int32")}

    y = Halves()(Input((6,)))
    assert y["left"].shape == (None, 3)
    assert y["right"].dtype == numpy.int32


def test_a_layer_that_builds_layers_in_its_call_has_its_weights_in_the_graph():
    class Block(Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.first, self.second = Dense(3), Dense(2)

        def call(self, x):
            return self.second(self.first(x))

        def compute_output_shape(self, input_shape):
            return (*input_shape[:-1], 2)

    x = Input((6,))
    model = Model(x, Block()(x))
    assert model.count_params() == 6 * 3 + 3 + 3 * 2 + 2


# --- names and places -----------------------------------------------------------------------------


def test_layers_are_named_in_the_order_in_which_they_were_made_whatever_came_before():
    for _ in range(2):
        x = Input((6,))
        first, second = Dense(3), Dense(3)
        model = Model(x, first(second(x)))
        assert [layer.name for layer in model.layers] == ["input_layer", "dense_1", "dense"]


def test_two_models_named_by_themselves_meet_in_one():
    x, z = Input((6,)), Input((6,))
    a, b = Model(x, Dense(2)(x)), Model(z, Dense(2)(z))
    both = Model([x, z], a.output + b.output)
    paths = [w.path for w in both.weights]
    assert len(set(paths)) == 4
    assert [w.path for w in a.weights] == [w.path for w in b.weights]


def test_get_layer_by_name_and_index():
    model = chain([Dense(5, name="first"), Dense(2, name="last")])
    assert model.get_layer("last") is model.get_layer(index=-1)
    with pytest.raises(ValueError, match="did you mean 'first'"):
        model.get_layer("frist")
    with pytest.raises(ValueError, match="no layer 7"):
        model.get_layer(index=7)


# --- files ----------------------------------------------------------------------------------------


@register_serializable("test_functional")
class Mix(Layer):
    """Two inputs and an option that belongs to the call."""

    def build(self, input_shape):
        self.factor = self.add_weight(shape=(input_shape[-1],), initializer="ones", name="factor")

    def call(self, x, other=None, sign=1.0):
        return x * self.factor + sign * other


def rich():
    a, b = Input((4,), name="a"), Input((4,), name="b")
    shared = Dense(4, name="shared")
    inner = Sequential([Input((4,)), Dense(4, activation="relu"), BatchNormalization()])
    mixed = Mix()(shared(a), other=inner(shared(b)), sign=-2.0)
    z = np.concatenate([mixed[:, 1:], mixed[..., :1] * numpy.array([3.0], "float32")], axis=1)
    w = np.mean(z.astype("float32"), axis=1, keepdims=True)
    return Model({"a": a, "b": b}, {"z": z, "w": np.where(w > 0, w, 0.1 * w)})


def test_a_rich_graph_comes_back_from_its_configuration_and_from_a_file(tmp_path):
    model = rich()
    given = {"a": X[:, :4], "b": X[:, 2:]}
    model.save(tmp_path / "a.h5")
    again = load_model(tmp_path / "a.h5")
    for key, value in model.predict(given, verbose=0).items():
        assert (again.predict(given, verbose=0)[key] == value).all()
    config = model.get_config()
    text = json.dumps(config)
    copy = type(model).from_config(json.loads(text))
    assert json.dumps(copy.get_config()) == text
    assert [w.path for w in copy.weights] == [w.path for w in model.weights]
    copy.set_weights(model.get_weights())
    numpy.testing.assert_array_equal(copy(given)["z"].asnumpy(), model(given)["z"].asnumpy())


def test_a_part_of_a_model_comes_back_from_a_file(tmp_path):
    model = chain(
        [Dense(5, name="first"), Activation("relu", name="second"), Dense(2, name="last")]
    )
    head = Model(model.get_layer("second").output, model.output)
    head.save(tmp_path / "head.h5")
    given = numpy.ones((2, 5), "float32")
    again = load_model(tmp_path / "head.h5")
    assert (again.predict(given, verbose=0) == head.predict(given, verbose=0)).all()


def test_compile_settings_go_from_one_model_to_another():
    from minpy import losses, metrics, optimizers

    first, second = chain([Dense(2)]), chain([Dense(2)])
    assert first.get_compile_config() == {}
    loss, mae = losses.Huber(delta=2.0), metrics.MeanAbsoluteError()
    first.compile(optimizers.SGD(0.5, momentum=0.9), loss, metrics=[mae])
    second.compile_from_config(json.loads(json.dumps(first.get_compile_config())))
    assert second.get_compile_config() == first.get_compile_config()
    second.set_weights(first.get_weights())
    assert first.train_on_batch(X, Y) == second.train_on_batch(X, Y)
    for a, b in zip(first.get_weights(), second.get_weights(), strict=True):
        assert (a == b).all()


def test_training_goes_on_after_loading_as_if_nothing_had_happened(tmp_path):
    model = chain([Dense(5, activation="tanh"), Dense(2)])
    model.compile("adam", "mse")
    model.fit(X, Y, epochs=2, verbose=0)
    model.save(tmp_path / "a.h5")
    again = load_model(tmp_path / "a.h5")
    for one in (model, again):
        one.fit(X, Y, epochs=2, verbose=0)
    assert all(
        (a == b).all() for a, b in zip(model.get_weights(), again.get_weights(), strict=True)
    )


@register_serializable("test_functional")
class Scaled(Model):
    """Has Model's constructor, and a step of its own."""

    def compute_loss(self, x, y, y_pred, sample_weight=None):
        return 3.0 * super().compute_loss(x, y, y_pred, sample_weight)


@register_serializable("test_functional")
class Counted(Model):
    """Passes its arguments on."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.calls = 0


@pytest.mark.parametrize("kind", [Scaled, Counted])
def test_a_subclass_that_is_given_a_graph_comes_back_with_it(kind, tmp_path):
    x = Input((6,))
    model = kind(x, Dense(2)(x), name="own")
    model.compile("sgd", "mse")
    plain = ((model(X).asnumpy() - Y) ** 2).mean()
    factor = 3.0 if kind is Scaled else 1.0
    assert model.test_on_batch(X, Y) == pytest.approx(factor * plain, rel=1e-5)
    model.save(tmp_path / "a.h5")
    again = load_model(tmp_path / "a.h5")
    assert type(again) is kind and again.name == "own"
    assert (again.predict(X, verbose=0) == model.predict(X, verbose=0)).all()
    z = Input((6,))
    nested = Model(z, model(z) * 2)
    copy = type(nested).from_config(nested.get_config())
    assert type(copy.get_layer("own")) is kind
    assert type(clone_model(model)) is kind


def test_a_function_without_a_name_can_not_be_saved():
    import minpy

    @minpy.primitive
    def strange(x):
        return x + 1

    x = Input((2,))
    model = Model(x, strange(x))
    assert model(np.zeros((1, 2))).tolist() == [[1.0, 1.0]]
    with pytest.raises(ValueError, match="register_serializable"):
        model.get_config()


def test_a_file_can_not_name_functions_that_do_more_than_compute():
    config = chain([Dense(2)]).get_config()
    assert np.save is not None  # a program that uses it must not make it available to files
    for name in ("save", "ndarray.tofile", "ndarray.__reduce__", "linalg.os", "os.system"):
        bad = {"class_name": "Operation", "name": "x", "config": {"operation": name}}
        changed = {**config, "layers": [*config["layers"], bad]}
        with pytest.raises(ValueError, match="unknown operation"):
            type(chain([Dense(2)])).from_config(changed)


# --- what goes wrong ------------------------------------------------------------------------------


def test_a_disconnected_graph_names_the_missing_input():
    a, b = Input((2,), name="a"), Input((2,), name="b")
    with pytest.raises(ValueError, match=r"disconnected.*'b'.*Add it to the inputs"):
        Model(a, a + b)


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (numpy.ones((2, 2)), "an array is given"),
        (Dense(2), "a layer is given: call it"),
        (None, "inputs"),
        ([], "expected inputs"),
    ],
)
def test_inputs_that_are_not_symbolic(inputs, message):
    x = Input((2,))
    with pytest.raises((ValueError, TypeError), match=message):
        Model(inputs, Dense(2)(x))


def test_an_output_that_is_not_symbolic():
    x = Input((2,))
    with pytest.raises(ValueError, match="outputs: expected a symbolic tensor, got Dense"):
        Model(x, Dense(2))


def test_a_wrong_number_of_inputs():
    a, b = Input((2,), name="a"), Input((2,), name="b")
    model = Model([a, b], a + b)
    with pytest.raises(ValueError, match=r"expected 2 inputs \('a', 'b'\), got 1"):
        model(X[:, :2])
    with pytest.raises(ValueError, match="missing: 'b'"):
        model({"a": X[:, :2]})
    with pytest.raises(ValueError, match=r"expected 2 inputs .* got 3"):
        model([X[:, :2]] * 3)


def test_an_input_of_another_shape():
    model = chain([Dense(2)])
    with pytest.raises(
        ValueError, match=r"'input_layer' expected shape \(None, 6\), got \(12, 5\)"
    ):
        model(X[:, :5])


def test_none_in_the_place_of_an_input():
    class Either(Layer):
        def call(self, x, other=None):
            return x if other is None else x + other

        def compute_output_shape(self, input_shape):
            return input_shape

    x, y = Input((3,), name="x"), Input((3,), name="y", optional=True)
    model = Model([x, y], Either()(x, y))
    assert model([numpy.ones((1, 3)), None]).tolist() == [[1.0, 1.0, 1.0]]
    assert model([numpy.ones((1, 3))] * 2).tolist() == [[2.0, 2.0, 2.0]]
    with pytest.raises(ValueError, match="'x' expected an array, got None"):
        model([None, numpy.ones((1, 3))])


def test_two_layers_of_one_name():
    x = Input((6,))
    with pytest.raises(ValueError, match="two layers are named 'same'"):
        Model(x, Dense(2, name="same")(Dense(2, name="same")(x)))


def test_what_needs_a_value_says_that_there_is_none():
    x = Input((3,), name="x")
    for use in (bool, float, len, list, numpy.asarray):
        with pytest.raises(TypeError, match="has no value"):
            use(x)
    with pytest.raises(AttributeError, match="asnumpy"):
        x.asnumpy()


def test_a_model_without_call_or_graph_says_what_to_do():
    with pytest.raises(NotImplementedError, match=r"Model\(inputs, outputs\)"):
        Model()(X)
    with pytest.raises(ValueError, match="has no input"):
        Model().input  # noqa: B018
    with pytest.raises(ValueError, match="no layers"):
        Sequential()(X)


def test_a_layer_called_twice_has_no_single_output():
    layer = Dense(2, name="shared")
    x = Input((6,))
    layer(x), layer(x * 2)
    with pytest.raises(ValueError, match="'shared' was called on 2 symbolic tensors"):
        layer.output  # noqa: B018


def test_a_layer_refuses_symbolic_inputs_that_do_not_fit_its_weights():
    layer = Dense(2)
    layer(Input((6,)))
    with pytest.raises(ValueError, match=r"\(batch, 6\)"):
        layer(Input((5,)))
