"""Inputs of functional models that may be None: called, trained, predicted and saved."""

from __future__ import annotations

import numpy
import pytest

import minpy
from minpy.data import Dataset
from minpy.layers import Dense, Input, Layer, register_serializable
from minpy.models import Model, load_model

X = numpy.linspace(-1, 1, 24, dtype="float32").reshape(8, 3)
Y = X[:, :2] * 2


@register_serializable(package="optional_inputs")
class Added(Layer):
    """One input, and another one where it is given."""

    def call(self, x, other=None):
        return x if other is None else x + other


def model(jit="auto"):
    minpy.random.seed(1)
    first, second = Input((3,), name="first"), Input((3,), optional=True, name="second")
    made = Model([first, second], Dense(2)(Added()(first, second)))
    made.compile("sgd", "mse", jit=jit)
    return made


def of_one(jit="auto"):
    minpy.random.seed(1)
    first = Input((3,))
    made = Model(first, Dense(2)(first))
    made.compile("sgd", "mse", jit=jit)
    return made


@pytest.mark.parametrize("jit", ["auto", False])
@pytest.mark.parametrize("how", [lambda x: [x, None], lambda x: {"first": x, "second": None}])
def test_none_trains_as_a_model_without_the_input(how, jit):
    given, plain = model(jit), of_one(jit)
    options = {"epochs": 3, "batch_size": 4, "shuffle": False, "verbose": 0}
    losses = given.fit(how(X), Y, validation_split=0.25, **options).history
    expected = plain.fit(X, Y, validation_split=0.25, **options).history
    for name in ("loss", "val_loss"):
        numpy.testing.assert_allclose(losses[name], expected[name], rtol=1e-5)
    for data in (how(X), how(X[:3])):
        first = data["first"] if isinstance(data, dict) else data[0]
        numpy.testing.assert_allclose(
            given.predict(data, verbose=0), plain.predict(first, verbose=0), rtol=1e-5
        )
    assert given.evaluate(how(X), Y, verbose=0) == pytest.approx(plain.evaluate(X, Y, verbose=0))
    assert given.train_on_batch(how(X), Y) == pytest.approx(plain.train_on_batch(X, Y))


def test_the_same_model_goes_on_with_the_input_given():
    made = model()
    made.fit([X, None], Y, verbose=0)
    with_it = made.predict([X, X], verbose=0)
    kernel, bias = made.get_weights()
    numpy.testing.assert_allclose(with_it, 2 * X @ kernel + bias, rtol=1e-5, atol=1e-6)
    made.fit([X, X], Y, verbose=0)
    made.fit([None, X][::-1], Y, verbose=0)


def test_batches_of_a_data_set_may_have_none():
    batches = [(([X[:4], None]), Y[:4]), (([X[4:], None]), Y[4:])]
    made, plain = model(), of_one()
    made.fit((batch for batch in batches), verbose=0)
    plain.fit(Dataset.from_tensor_slices((X, Y)).batch(4), verbose=0)
    for a, b in zip(made.get_weights(), plain.get_weights(), strict=True):
        numpy.testing.assert_allclose(a, b, rtol=1e-5)


def test_a_file_keeps_that_an_input_is_optional(tmp_path):
    made = model()
    made.save(tmp_path / "a.h5")
    again = load_model(tmp_path / "a.h5")
    numpy.testing.assert_array_equal(
        again.predict([X, None], verbose=0), made.predict([X, None], verbose=0)
    )


def test_an_input_that_must_be_given_says_so():
    with pytest.raises(ValueError, match="expected an array, got None"):
        model().predict([None, X], verbose=0)
    with pytest.raises(TypeError, match="expected an array of numbers"):
        model().predict([None, None], verbose=0)
