"""Training steps of one's own: their losses become programs, and mean what they say."""

from __future__ import annotations

import copy
import warnings

import numpy
import pytest

import minpy
import minpy.numpy as np
from minpy import layers, losses, random
from minpy.callbacks import Callback
from minpy.errors import DifferentiationError
from minpy.graph import native
from minpy.layers import BatchNormalization, Dense, Dropout, Embedding, Input
from minpy.models import Model, Sequential
from minpy.optimizers import SGD, Adam

compiles = pytest.mark.skipif(not native.available(), reason="programs are made by numba")
RATE = 0.5


def batch(count=8, seed=0):
    rng = numpy.random.default_rng(seed)
    return rng.normal(size=(count, 4)).astype("float32"), rng.integers(0, 3, count)


class Plain(Sequential):
    """A step that says what `fit` does by itself."""

    def train_step(self, data):
        x, y = data

        def loss():
            predictions = self(x, training=True)
            return self.compute_loss(x, y, predictions), predictions

        (value, predictions), gradients = self.value_and_gradients(loss)
        self.apply_gradients(gradients)
        return self.compute_metrics(x, y, predictions, loss=value)


def network(kind=Plain, jit="auto", parts=None):
    random.seed(3)
    model = kind(
        parts
        or [
            Input((4,)),
            Dense(16, activation="tanh"),
            BatchNormalization(),
            Dropout(0.3),
            Dense(3, activation="softmax"),
        ]
    )
    model.compile(
        SGD(0.1, momentum=0.9), "sparse_categorical_crossentropy", metrics=["accuracy"], jit=jit
    )
    return model


def trained(kind, jit, parts=None, callbacks=None, epochs=3):
    model = network(kind, jit, parts() if parts else None)
    x, y = batch(44)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        history = model.fit(x, y, batch_size=16, epochs=epochs, verbose=0, callbacks=callbacks)
    return model, history.history


def assert_alike(one, other):
    (a, told), (b, expected) = one, other
    assert told.keys() == expected.keys()
    for name in told:
        numpy.testing.assert_allclose(told[name], expected[name], rtol=2e-5, atol=1e-6)
    for v, w in zip(a.get_weights(), b.get_weights(), strict=True):
        numpy.testing.assert_allclose(v, w, rtol=1e-4, atol=1e-6)


@compiles
def test_a_compiled_step_is_the_eager_one_and_fits_own():
    found = trained(Plain, "auto")
    assert found[0].jit_status == "compiled"
    eager = trained(Plain, False)
    assert eager[0].jit_status != "compiled"
    assert_alike(found, eager)
    # Draws are a function of seed and step in both, the metrics those of the same predictions.
    assert_alike(found, trained(Sequential, "auto"))


class Annealed(Plain):
    beta = 1.0

    def train_step(self, data):
        x, y = data
        part = self.part
        _, gradients = self.value_and_gradients(
            lambda: RATE * part * self.beta * self.compute_loss(x, y, self(x, training=True))
        )
        self.apply_gradients(gradients)
        return {"loss": 0.0}

    part = 1.0


class Anneal(Callback):
    def __init__(self, name, values):
        super().__init__()
        self.name, self.values = name, values

    def on_epoch_begin(self, epoch, logs=None):
        if self.name == "RATE":
            globals()["RATE"] = self.values[epoch]
        else:
            setattr(self.model, self.name, self.values[epoch])


@compiles
@pytest.mark.parametrize("name", ["beta", "part", "RATE"])
def test_numbers_that_a_step_reads_may_change(name, monkeypatch):
    monkeypatch.setitem(globals(), "RATE", 0.5)
    anneal = [Anneal(name, [0.5, 1.0, 0.25])]
    found = trained(Annealed, "auto", callbacks=anneal)
    assert found[0].jit_status == "compiled"
    assert_alike(found, trained(Annealed, False, callbacks=anneal))


class Counted(Plain):
    def train_step(self, data):
        x, y = data
        step = float(self.optimizer.batches)
        _, gradients = self.value_and_gradients(
            lambda: self.compute_loss(x, y, self(x, training=True)) / (1.0 + step)
        )
        self.apply_gradients(gradients)
        return {"loss": 0.0}


@compiles
def test_a_number_that_is_another_at_each_step_makes_it_run_operation_by_operation():
    x, y = batch(44)
    model = network(Counted)
    with pytest.warns(UserWarning, match="step is another at each step"):
        told = model.fit(x, y, batch_size=16, epochs=4, verbose=0).history
    assert "step is another at each step" in model.jit_status
    assert_alike((model, told), trained(Counted, False, epochs=4))


class Keeps(Plain):
    """Predictions leave the function by another way than its result."""

    way = "nonlocal"

    def train_step(self, data):
        x, y = data
        kept, predictions = [], None

        def loss():
            nonlocal predictions
            found = self(x, training=True)
            if self.way == "nonlocal":
                predictions = found
            elif self.way == "list":
                kept.append(found)
            else:
                self.found = found
            return self.compute_loss(x, y, found)

        value, gradients = self.value_and_gradients(loss)
        self.apply_gradients(gradients)
        if self.way == "list":
            predictions = kept[0]
        elif self.way == "attribute":
            predictions = self.found
        return self.compute_metrics(x, y, np.array(predictions.asnumpy()), loss=value)


@compiles
@pytest.mark.parametrize(
    ("way", "words"),
    [("nonlocal", "sets predictions"), ("list", "changes a list"), ("attribute", "Keeps.found")],
)
def test_what_leaves_the_function_on_the_side_is_right(way, words, monkeypatch):
    monkeypatch.setattr(Keeps, "way", way)
    model = network(Keeps)
    x, y = batch(44)
    with pytest.warns(UserWarning, match="operation by operation"):
        told = model.fit(x, y, batch_size=16, epochs=3, verbose=0).history
    assert words in model.jit_status
    assert_alike((model, told), trained(Plain, False))


@compiles
def test_another_models_weights_are_those_it_has_now():
    x, y = batch(16)
    found = {}
    for jit in ("auto", False):
        teacher = network(Sequential)

        class Distilled(Plain):
            def train_step(self, data, teacher=teacher):
                x, _ = data
                value, gradients = self.value_and_gradients(
                    lambda: losses.KLDivergence()(
                        teacher(x, training=False), self(x, training=True)
                    )
                )
                self.apply_gradients(gradients)
                return {"loss": value}

        model = network(Distilled, jit)
        told = [model.train_on_batch(x, y)]
        teacher.set_weights([w * 2 for w in teacher.get_weights()])
        told.append(model.train_on_batch(x, y))
        teacher.fit(x, y, verbose=0)  # which moves its weights into buffers of its own
        told.append(model.train_on_batch(x, y))
        assert (model.jit_status == "compiled") == bool(jit)
        found[jit] = told
    numpy.testing.assert_allclose(found["auto"], found[False], rtol=1e-5)


@compiles
def test_two_models_train_against_each_other():
    class Pair(Model):
        def __init__(self):
            super().__init__()
            self.one = Sequential([Input((4,)), Dense(8, activation="relu"), Dense(4)])
            self.two = Sequential([Input((4,)), Dense(8), Dropout(0.4), Dense(1)])
            self.built = True

        def train_step(self, x):
            made = self.one(x, training=True)
            a, gradients = self.two.value_and_gradients(
                lambda: (self.two(made, training=True) ** 2).mean()
            )
            self.two.apply_gradients(gradients)
            b, gradients = self.one.value_and_gradients(
                lambda: ((self.two(self.one(x, training=True), training=True) - 1) ** 2).mean()
            )
            self.one.apply_gradients(gradients)
            return {"a": a, "b": b}

    found = []
    for jit in ("auto", False):
        random.seed(0)
        pair = Pair()
        pair.compile()
        pair.one.compile(Adam(0.01), jit=jit)
        pair.two.compile(SGD(0.1), jit=jit)
        told = pair.fit(batch(40)[0], batch_size=16, epochs=4, verbose=0).history
        assert (pair.one.jit_status == "compiled") == bool(jit)
        assert (pair.two.jit_status == "compiled") == bool(jit)
        found.append((pair, told))
    assert_alike(*found)


@compiles
def test_a_derivative_inside_of_the_loss():
    class Penalized(Plain):
        def train_step(self, data):
            x, y = data

            def loss():
                slope = minpy.grad(lambda a: self(a, training=True)[:, 0].sum())(x)
                return self.compute_loss(x, y, self(x, training=True)) + 0.1 * (slope**2).sum()

            value, gradients = self.value_and_gradients(loss)
            self.apply_gradients(gradients)
            return {"loss": value}

    def parts():
        return [Input((4,)), Dense(8, activation="tanh"), Dense(3, activation="softmax")]

    found = trained(Penalized, "auto", parts)
    assert found[0].jit_status == "compiled"
    assert_alike(found, trained(Penalized, False, parts))


@compiles
def test_weights_that_are_frozen_between_steps_stay():
    x, y = batch(16)
    found = {}
    for jit in ("auto", False):
        model = network(jit=jit)
        for _ in range(2):
            model.train_on_batch(x, y)
        model.layers[0].trainable = False
        before = model.layers[0].get_weights()
        for _ in range(2):
            model.train_on_batch(x, y)
        for v, w in zip(before, model.layers[0].get_weights(), strict=True):
            numpy.testing.assert_array_equal(v, w)
        model.layers[0].trainable = True
        model.train_on_batch(x, y)
        assert (model.layers[0].get_weights()[0] != before[0]).any()
        found[jit] = model, {}
    assert found["auto"][0].jit_status == "compiled"
    assert_alike(found["auto"], found[False])


def test_class_numbers_are_checked_before_anything_changes():
    def parts():
        return [Input((2,), dtype="int32"), Embedding(5, 3), layers.Flatten(), Dense(3)]

    model = network(Plain, "auto", parts())
    y = numpy.array([0, 1])
    model.train_on_batch(numpy.array([[0, 1], [4, 2]]), y)
    before = model.get_weights()
    with pytest.raises(IndexError):
        model.train_on_batch(numpy.array([[0, 1], [5, 2]]), y)
    for v, w in zip(before, model.get_weights(), strict=True):
        numpy.testing.assert_array_equal(v, w)


@pytest.mark.parametrize("jit", ["auto", False])
def test_gradients_are_the_callers_and_zeros_where_there_is_none(jit):
    model = network(jit=jit)
    x = np.array(batch()[0])

    def loss():
        return (model.layers[0](x) ** 2).mean()

    _, first = model.value_and_gradients(loss)
    kept = [g.asnumpy().copy() for g in first]
    x *= 2.0
    _, second = model.value_and_gradients(loss)
    for g, before in zip(first, kept, strict=True):
        numpy.testing.assert_array_equal(g.asnumpy(), before)
    assert (second[0].asnumpy() != kept[0]).any()
    assert [bool((g != 0).any()) for g in second] == [True, True, *[False] * (len(second) - 2)]
    second[0][...] = 0.0  # it may be written to


@pytest.mark.parametrize("jit", ["auto", False])
def test_a_function_that_writes_into_an_array_around_it_writes_there(jit):
    model = network(jit=jit)
    x, total = np.array(batch()[0]), np.zeros((1,))

    def loss():
        value = (model.layers[0](x) ** 2).mean()
        total[0] = 7.0
        return value

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(2):
            total[0] = 0.0
            model.value_and_gradients(loss)
            assert float(total[0]) == 7.0


@pytest.mark.parametrize("jit", ["auto", False])
def test_more_than_one_number_has_no_gradients(jit):
    model = network(jit=jit)
    x = np.array(batch()[0])
    with pytest.raises(DifferentiationError, match=r"one number.*\(8, 3\)"):
        model.value_and_gradients(lambda: model(x))


@compiles
def test_arrays_of_float64_are_computed_with_as_they_are():
    model = network()
    x = np.array(batch()[0])
    weight = np.array([1.0, 2.0, 3.0], dtype="float64")
    with pytest.warns(UserWarning, match=r"weight\.astype"):
        value, _ = model.value_and_gradients(lambda: (model(x) * weight).sum())
    assert value.dtype == "float64"


@compiles
def test_masks_come_back_with_what_has_them():
    random.seed(0)
    x = np.array([[1, 2, 0], [3, 0, 0]])
    found = []
    for jit in ("auto", False):
        random.seed(0)
        model = Sequential(
            [Input((3,)), Embedding(5, 4, mask_zero=True), layers.LSTM(2, return_sequences=True)]
        )
        model.compile("sgd", "mse", jit=jit)

        def loss(model=model):
            y = model(x, training=True)
            return (y**2).sum(), {"y": y, "count": 3}

        (value, told), _ = model.value_and_gradients(loss)
        assert told["count"] == 3
        found.append((float(value), told["y"].asnumpy(), told["y"]._keras_mask.asnumpy()))
    for a, b in zip(*found, strict=True):
        numpy.testing.assert_allclose(a, b, rtol=1e-6)


@compiles
def test_a_copy_of_a_model_compiles_anew():
    model = network()
    x, y = batch(16)
    model.train_on_batch(x, y)
    again = copy.deepcopy(model)
    told = [m.train_on_batch(x, y) for m in (model, again)]
    assert told[0] == told[1]
    assert again.jit_status == "compiled"
