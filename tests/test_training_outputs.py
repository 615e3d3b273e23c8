"""Several outputs, steps of one's own, and what else `compile` and `fit` can be told."""

from __future__ import annotations

import numpy
import pytest

import minpy.numpy as np
from minpy import losses, random
from minpy.callbacks import Callback, LambdaCallback
from minpy.layers import Dense, Input
from minpy.models import Model, Sequential, load_model

rng = numpy.random.default_rng(0)
X = rng.random((48, 3)).astype("float32")
A, B = rng.random((48, 1)).astype("float32"), rng.integers(0, 2, 48)
CROSS_ENTROPY = losses.SparseCategoricalCrossentropy(from_logits=True)


def two_outputs(kind="list"):
    random.seed(2)
    x = Input((3,))
    h = Dense(5, activation="tanh")(x)
    a, b = Dense(1, name="a")(h), Dense(2, name="b")(h)
    return Model(x, {"a": a, "b": b} if kind == "dict" else [a, b])


def by_hand(predictions, factors):
    a, b = predictions.values() if isinstance(predictions, dict) else predictions
    mse = float(((a - A) ** 2).mean())
    shifted = b - b.max(1, keepdims=True)
    logs = shifted - numpy.log(numpy.exp(shifted).sum(1, keepdims=True))
    entropy = float(-logs[numpy.arange(48), B].mean())
    return factors[0] * mse + factors[1] * entropy, mse, entropy


@pytest.mark.parametrize("jit", [True, False])
@pytest.mark.parametrize("kind", ["list", "dict"])
def test_each_output_has_its_loss_weight_and_metrics(kind, jit):
    model = two_outputs(kind)
    told = {
        "list": {"loss": ["mse", CROSS_ENTROPY], "loss_weights": [2.0, 0.5],
                 "metrics": [["mae"], ["accuracy"]]},
        "dict": {"loss": {"a": "mse", "b": CROSS_ENTROPY}, "loss_weights": {"a": 2.0, "b": 0.5},
                 "metrics": {"a": "mae", "b": ["accuracy"]}},
    }[kind]  # fmt: skip
    model.compile("sgd", **told, jit=jit)
    y = {"a": A, "b": B} if kind == "dict" else [A, B]
    predictions = model.predict(X, verbose=0)
    total, mse, entropy = by_hand(predictions, (2.0, 0.5))
    found = model.evaluate(X, y, batch_size=20, verbose=0, return_dict=True)
    assert list(found) == ["loss", "a_loss", "b_loss", "a_mae", "b_accuracy"]
    a, b = predictions.values() if kind == "dict" else predictions
    expected = [total, mse, entropy, numpy.abs(a - A).mean(), (b.argmax(1) == B).mean()]
    numpy.testing.assert_allclose(list(found.values()), expected, rtol=1e-5)
    history = model.fit(X, y, epochs=20, verbose=0).history
    assert history["loss"][-1] < history["loss"][0]
    numpy.testing.assert_allclose(
        history["loss"],
        2 * numpy.array(history["a_loss"]) + 0.5 * numpy.array(history["b_loss"]),
        rtol=1e-5,
    )
    assert (model.jit_status == "compiled") == jit


def test_an_output_without_a_loss_needs_no_target():
    model = two_outputs("dict")
    model.compile("sgd", loss={"a": "mse"})
    found = model.evaluate(X, {"a": A}, verbose=0, return_dict=True)
    assert list(found) == ["loss"]  # as Keras has it: the only one is the loss
    model.fit(X, {"a": A}, verbose=0)


def test_one_loss_serves_all_outputs():
    model = two_outputs()
    model.compile("sgd", "mse")
    y = [A, rng.random((48, 2)).astype("float32")]
    a, b = model.predict(X, verbose=0)
    expected = ((a - y[0]) ** 2).mean() + ((b - y[1]) ** 2).mean()
    assert model.evaluate(X, y, verbose=0)[0] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ({"loss": {"a": "mse", "c": "mse"}}, "no output 'c'"),
        ({"loss": ["mse"]}, "list of 1"),
        ({"loss": "mse", "loss_weights": ["accuracy", 1]}, "metrics="),
        ({"loss": "mse", "steps_per_execution": 0}, "steps_per_execution"),
        ({"loss": {"a": "meen_squared"}}, "meen_squared"),
    ],
)
def test_what_compile_is_told_must_fit_the_outputs(told, message):
    model = two_outputs()
    with pytest.raises(ValueError, match=message):
        model.compile("sgd", **told)
    assert not model.compiled


def test_targets_must_fit_the_outputs():
    model = two_outputs()
    model.compile("sgd", "mse")
    with pytest.raises(ValueError, match="2 outputs"):
        model.fit(X, A, verbose=0)


def test_a_model_with_several_losses_is_saved_and_loaded(tmp_path):
    model = two_outputs("dict")
    model.compile("adam", {"a": "mse", "b": CROSS_ENTROPY}, {"a": 3.0}, {"b": ["accuracy"]})
    y = {"a": A, "b": B}
    model.fit(X, y, verbose=0)
    model.save(tmp_path / "m.h5")
    again = load_model(tmp_path / "m.h5")
    assert again.evaluate(X, y, verbose=0) == model.evaluate(X, y, verbose=0)
    random.seed(5)
    first = model.fit(X, y, epochs=2, shuffle=False, verbose=0).history
    random.seed(5)
    assert again.fit(X, y, epochs=2, shuffle=False, verbose=0).history == first


# --- steps of one's own ---------------------------------------------------------------------------


class OwnSteps(Sequential):
    """Does by hand what `fit` does."""

    def train_step(self, data):
        x, y = data
        loss, gradients = self.value_and_gradients(
            lambda: np.mean((self(x, training=True) - y) ** 2)
        )
        self.apply_gradients(gradients)
        return self.compute_metrics(x, y, self(x), loss=loss)

    def test_step(self, data):
        x, y = data
        return {"distance": np.max(np.abs(self(x) - y))}

    def predict_step(self, data):
        return -self(data)


def test_a_step_of_ones_own_replaces_that_of_fit():
    found = []
    for kind in (OwnSteps, Sequential):
        random.seed(3)
        model = kind([Dense(4, activation="tanh"), Dense(1)])
        model.compile("adam", "mse", jit=False)
        loss = model.fit(X, A, epochs=3, verbose=0).history["loss"]
        found.append((loss, model.get_weights(), model))
    numpy.testing.assert_allclose(found[0][0], found[1][0], rtol=1e-5)
    for a, b in zip(found[0][1], found[1][1], strict=True):
        numpy.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)
    own = found[0][2]
    numpy.testing.assert_allclose(own.predict(X, verbose=0), -numpy.asarray(own(X)), rtol=1e-6)
    assert list(own.evaluate(X, A, verbose=0, return_dict=True)) == ["distance"]


def test_the_default_steps_can_be_called_by_a_subclass():
    class Counting(Sequential):
        steps = 0

        def train_step(self, data):
            self.steps += 1
            return super().train_step(data)

    random.seed(3)
    model, plain = Counting([Dense(1)]), None
    model.compile("sgd", "mse", metrics=["mae"])
    history = model.fit(X, A, epochs=2, verbose=0).history
    random.seed(3)
    plain = Sequential([Dense(1)])
    plain.compile("sgd", "mse", metrics=["mae"])
    assert history == plain.fit(X, A, epochs=2, verbose=0).history
    assert model.steps == 4


def test_a_step_that_returns_no_dict_is_told_so():
    class Silent(Sequential):
        def train_step(self, data):
            return None

    model = Silent([Dense(1)])
    model.compile("sgd", "mse")
    with pytest.raises(TypeError, match="must return a dict"):
        model.fit(X, A, verbose=0)


def test_gradients_of_a_wrong_shape_change_nothing():
    model = Sequential([Dense(1, input_shape=(3,))])
    model.compile("sgd", "mse")
    before = model.get_weights()
    with pytest.raises(ValueError, match="has shape"):
        model.apply_gradients([numpy.ones((3, 1)), numpy.ones(2)])
    with pytest.raises(ValueError, match="expected 2 gradients"):
        model.apply_gradients([numpy.ones((3, 1))])
    for a, b in zip(before, model.get_weights(), strict=True):
        numpy.testing.assert_array_equal(a, b)


# --- the rest -------------------------------------------------------------------------------------


def test_callbacks_see_several_steps_as_one():
    seen = []
    model = Sequential([Dense(1)])
    model.compile("sgd", "mse", steps_per_execution=4)
    callback = LambdaCallback(
        on_train_batch_begin=lambda step, logs=None: seen.append(("begin", step)),
        on_train_batch_end=lambda step, logs=None: seen.append(("end", step)),
    )
    model.fit(X, A, batch_size=8, verbose=0, callbacks=[callback])
    assert seen == [("begin", 0), ("end", 3), ("begin", 4), ("end", 5)]
    assert model.optimizer.iterations == 6


def test_validation_after_listed_epochs():
    model = Sequential([Dense(1)])
    model.compile("sgd", "mse")
    history = model.fit(
        X, A, epochs=5, verbose=0, validation_data=(X, A), validation_freq=[2, 5]
    ).history
    assert len(history["val_loss"]) == 2
    history = model.fit(X, A, epochs=5, verbose=0, validation_data=(X, A), validation_freq=2)
    assert len(history.history["val_loss"]) == 2


def test_each_time_step_can_have_a_weight():
    model = Sequential([Dense(1)])
    model.compile("sgd", "mse")
    x, y = rng.random((6, 4, 3)).astype("float32"), rng.random((6, 4, 1)).astype("float32")
    w = rng.random((6, 4)).astype("float32")
    p = model.predict(x, verbose=0)
    expected = (((p - y) ** 2)[..., 0] * w).mean()
    assert model.evaluate(x, y, sample_weight=w, verbose=0) == pytest.approx(expected, rel=1e-5)


def test_running_eagerly_is_keras_word_for_no_graph():
    model = Sequential([Dense(1)])
    model.compile("sgd", "mse", run_eagerly=True)
    model.fit(X, A, verbose=0)
    assert model.jit_status != "compiled"


# --- names and containers of outputs --------------------------------------------------------------


def named_outputs(container):
    x = Input((3,))
    a, b = Dense(1, name="first")(x), Dense(1, name="second")(x)
    made = {"dict": {"a": a, "b": b}, "list": [a, b], "dict of one": {"a": a}, "list of one": [a]}
    return Model(x, made[container])


def few_samples():
    x = numpy.cos(numpy.arange(24.0)).reshape(8, 3).astype("float32")
    return x, x[:, :1] * 2


def fitted(container, y, **arguments):
    random.seed(0)
    model = named_outputs(container)
    model.compile("sgd", **arguments)
    x, _ = few_samples()
    return list(model.fit(x, y, batch_size=4, verbose=0, shuffle=False).history)


def test_a_dict_of_outputs_is_known_by_its_keys_not_by_its_layers():
    _, y = few_samples()
    expected = ["loss", "a_loss", "b_loss"]
    assert fitted("dict", {"a": y, "b": y}, loss={"a": "mse", "b": "mae"}) == expected
    assert fitted("dict", {"b": y, "a": y}, loss="mse", loss_weights={"b": 2}) == expected
    assert fitted("dict", [y, y], loss=["mse", "mae"]) == expected
    got = fitted("dict", {"a": y, "b": y}, loss="mse", metrics={"b": ["mae"]})
    assert got == [*expected, "b_mae"]
    with pytest.raises(ValueError, match=r"there is no output 'first' among \['a', 'b'\]"):
        named_outputs("dict").compile("sgd", {"first": "mse"})


def test_targets_of_a_dict_of_outputs_find_theirs_by_name():
    x, y = few_samples()
    model = named_outputs("dict")
    model.compile("sgd", {"a": "mse", "b": "mse"})
    logs = model.evaluate(x, {"b": y, "a": y * 0}, verbose=0, return_dict=True)
    predicted = model.predict(x, verbose=0)
    numpy.testing.assert_allclose(logs["a_loss"], numpy.mean(predicted["a"] ** 2), rtol=1e-5)
    numpy.testing.assert_allclose(logs["b_loss"], numpy.mean((predicted["b"] - y) ** 2), rtol=1e-5)


@pytest.mark.parametrize("loss", ["mse", {"a": "mse"}, {"a": ["mse"]}, ["mse"]])
def test_one_output_in_a_dict_takes_an_array_of_targets(loss):
    _, y = few_samples()
    for given in (y, {"a": y}, [y]):
        got = fitted("dict of one", given, loss=loss, metrics={"a": ["mae"]})
        assert got == ["loss", "mae"]  # as Keras has it: no output's name where there is one


@pytest.mark.parametrize("loss", ["mse", {"first": "mse"}, {"first": ["mse"]}, ["mse"], [["mse"]]])
def test_one_output_in_a_list_takes_an_array_of_targets(loss):
    _, y = few_samples()
    assert fitted("list of one", y, loss=loss) == fitted("list of one", [y], loss=loss) == ["loss"]


def test_lists_of_one_loss_for_each_output():
    _, y = few_samples()
    got = fitted("list", [y, y], loss=[["mse"], ["mae"]], metrics=[["mae"], []])
    assert got == ["loss", "first_loss", "second_loss", "first_mae"]
    with pytest.raises(ValueError, match=r"one for each output, got 2 for 'first'"):
        named_outputs("list").compile("sgd", {"first": ["mse", "mae"]})


def test_a_weighted_metric_has_a_name_of_its_own_where_it_is_told_unweighted_too():
    x, y = few_samples()
    got = fitted(
        "list",
        [y, y],
        loss="mse",
        metrics={"first": "mae", "second": ["mse"]},
        weighted_metrics={"first": ["mae"], "second": ["mae"]},
    )
    assert got[3:] == ["first_mae", "first_weighted_mae", "second_mae", "second_mse"]
    model = Sequential([Dense(1)])
    model.compile("sgd", "mse", metrics=["mae"], weighted_metrics=["mae"])
    weights = numpy.arange(8.0)
    logs = model.evaluate(x, y, sample_weight=weights, verbose=0, return_dict=True)
    errors = abs(model.predict(x, verbose=0) - y)[:, 0]
    numpy.testing.assert_allclose(logs["mae"], errors.mean(), rtol=1e-5)
    expected = (errors * weights).sum() / weights.sum()
    numpy.testing.assert_allclose(logs["weighted_mae"], expected, rtol=1e-5)


@pytest.mark.parametrize("y", ["array", "list of one"])
def test_targets_are_those_of_the_outputs_that_have_a_loss(y):
    x, target = few_samples()
    model = named_outputs("list")
    model.compile("sgd", [None, "mse"], metrics={"second": ["mae"]})
    given = target if y == "array" else [target]
    model.fit(x, given, verbose=0)
    logs = model.evaluate(x, given, verbose=0, return_dict=True)
    errors = model.predict(x, verbose=0)[1] - target
    numpy.testing.assert_allclose(logs["loss"], (errors**2).mean(), rtol=1e-5)
    numpy.testing.assert_allclose(logs["second_mae"], abs(errors).mean(), rtol=1e-5)


# --- what callbacks see, and stop -----------------------------------------------------------------


class Watch(Callback):
    def __init__(self, stop=None):
        super().__init__()
        self.seen, self.stop, self.sizes = [], stop, []

    def note(self, what, step):
        self.seen.append((what, step))
        if self.stop is not None and what == "end" and len(self.seen) // 2 == self.stop:
            self.model.stop_training = True
            self.model.stop_evaluating = self.model.stop_predicting = True

    on_train_batch_begin = on_test_batch_begin = on_predict_batch_begin = (
        lambda self, step, logs=None: self.note("begin", step)
    )
    on_train_batch_end = on_test_batch_end = lambda self, step, logs=None: self.note("end", step)

    def on_predict_batch_end(self, step, logs=None):
        self.sizes.append(len(logs["outputs"][0]))
        self.note("end", step)


def endless():
    x, y = few_samples()
    while True:
        yield x, y


@pytest.mark.parametrize("method", ["fit", "evaluate", "predict"])
def test_callbacks_see_several_steps_as_one_whatever_the_data_and_the_method(method):
    x, y = few_samples()
    model = named_outputs("list of one")
    model.compile("sgd", "mse", steps_per_execution=3)
    for source in ("arrays", "generator"):
        watch = Watch()
        if source == "arrays":
            given = (x,) if method == "predict" else (x, y)
            getattr(model, method)(*given, batch_size=2, verbose=0, callbacks=[watch])
        else:
            batches = ((x[i : i + 2], y[i : i + 2]) for i in range(0, 8, 2))
            getattr(model, method)(batches, verbose=0, callbacks=[watch])
        assert watch.seen == [("begin", 0), ("end", 2), ("begin", 3), ("end", 3)]
        assert watch.sizes == ([6, 2] if method == "predict" else [])


@pytest.mark.parametrize("method", ["fit", "evaluate", "predict"])
def test_a_callback_ends_a_loop_over_endless_data(method):
    model = named_outputs("list of one")
    model.compile("sgd", "mse")
    for _ in range(2):  # the second is not stopped by what stopped the first
        watch = Watch(stop=3)
        getattr(model, method)(endless(), verbose=0, callbacks=[watch])
        assert watch.seen[-1] == ("end", 2)


def test_what_evaluate_lists_is_in_the_order_that_keras_has():
    inputs = Input((3,))
    model = Model(inputs, {"z": Dense(1, name="z")(inputs), "b": Dense(1, name="b")(inputs)})
    model.compile(
        "sgd", "mse", metrics={"z": ["mse", "mae"], "b": ["mae"]}, weighted_metrics={"z": ["mae"]}
    )
    x = rng.random((8, 3)).astype("float32")
    y = {"z": x[:, :1], "b": x[:, 1:2]}
    found = model.evaluate(x, y, verbose=0, return_dict=True)
    # Keras 3.15: the losses by output, whose names are sorted, then the metrics by name.
    names = ["loss", "b_loss", "z_loss", "b_mae", "z_mae", "z_mse", "z_weighted_mae"]
    assert model.evaluate(x, y, verbose=0) == [found[name] for name in names]
    assert len(set(found.values())) > 4


class TwoHeads(Model):
    """Returns a dict in an order of its own."""

    def __init__(self, order):
        super().__init__()
        self.order = order
        self.heads = {"alpha": Dense(1), "zeta": Dense(2)}

    def call(self, x):
        return {name: self.heads[name](x) for name in self.order}


# What Keras 3.15 lists first, by outputs' and losses' order.
ORDERS = [
    (("zeta", "alpha"), ("zeta", "alpha"), "zeta", "zeta"),
    (("zeta", "alpha"), ("alpha", "zeta"), "alpha", "alpha"),
    (("zeta", "alpha"), None, "alpha", "zeta"),
    (("alpha", "zeta"), ("zeta", "alpha"), "zeta", "zeta"),
    (("alpha", "zeta"), ("alpha", "zeta"), "alpha", "alpha"),
    (("alpha", "zeta"), None, "alpha", "alpha"),
]


@pytest.mark.parametrize(("outputs", "losses", "graph", "subclass"), ORDERS)
def test_losses_of_dicts_are_listed_in_the_order_that_keras_has(outputs, losses, graph, subclass):
    x = numpy.sin(numpy.arange(24.0)).reshape(8, 3).astype("float32")
    y = {"zeta": numpy.full((8, 2), 2.0), "alpha": numpy.ones((8, 1))}
    inputs = Input((3,))
    made = {"zeta": Dense(2)(inputs), "alpha": Dense(1)(inputs)}
    of_graph = Model(inputs, {name: made[name] for name in outputs})
    for first, model in ((graph, of_graph), (subclass, TwoHeads(outputs))):
        model.compile("sgd", "mse" if losses is None else dict.fromkeys(losses, "mse"))
        total, *parts = model.evaluate(x, y, verbose=0)
        predicted = model.predict(x, verbose=0)
        wanted = {k: ((numpy.asarray(predicted[k]) - y[k]) ** 2).mean() for k in predicted}
        last = "alpha" if first == "zeta" else "zeta"
        assert parts == pytest.approx([wanted[first], wanted[last]], rel=1e-5)
        assert total == pytest.approx(sum(parts), rel=1e-6)
        history = model.fit(x, y, verbose=0).history
        assert list(history) == ["loss", f"{first}_loss", f"{last}_loss"]


def test_a_graph_sorts_the_dicts_of_its_inputs_and_outputs():
    inputs = {"z": Input((3,)), "a": {"y": Input((2,)), "b": Input((1,))}}
    outputs = {"n": inputs["z"] + 1, "m": inputs["a"]["y"] * inputs["a"]["b"]}
    model = Model(inputs, outputs)
    assert [t.shape for t in model.inputs] == [(None, 1), (None, 2), (None, 3)]
    assert list(model.output) == ["m", "n"]
    data = {
        "z": numpy.ones((1, 3)),
        "a": {"y": numpy.full((1, 2), 5.0), "b": numpy.full((1, 1), 2)},
    }
    found = model(data)
    assert list(found) == ["m", "n"]
    assert found["m"].tolist() == [[10.0, 10.0]]
    assert model([data["a"]["b"], data["a"]["y"], data["z"]])["n"].tolist() == [[2.0, 2.0, 2.0]]
