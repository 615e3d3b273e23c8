"""Models that have layers in common: each finds the weights where the other left them."""

from __future__ import annotations

import numpy
import pytest

import minpy
from minpy.callbacks import LambdaCallback
from minpy.layers import Dense, Input
from minpy.models import Model, Sequential

X = numpy.random.default_rng(0).normal(size=(32, 3)).astype("float32")
Y = X @ numpy.array([[1.0], [-2.0], [0.5]], "float32")


def whole_and_part():
    """Return a model, and its first layers as a model of their own."""
    minpy.random.seed(1)
    part = Sequential([Input((3,)), Dense(4, activation="tanh"), Dense(2)])
    x = Input((3,))
    whole = Model(x, Dense(1)(part(x)))
    whole.compile("adam", "mse")
    part.compile("sgd", "mse")
    return whole, part


@pytest.mark.parametrize("jit", ["auto", False])
def test_predicting_with_a_part_while_the_whole_trains_changes_nothing(jit):
    trained = []
    for watch in (False, True):
        whole, part = whole_and_part()
        whole.compile("adam", "mse", jit=jit)
        if watch:
            part.predict(X, verbose=0)
        look = LambdaCallback(
            on_train_batch_end=lambda batch, logs, part=part: part.predict(X, verbose=0)
        )
        callbacks = [look] if watch else []
        data = {"validation_data": (X, Y), "shuffle": False, "verbose": 0}
        history = whole.fit(X, Y, epochs=3, batch_size=8, callbacks=callbacks, **data).history
        shown = part.predict(X, verbose=0)
        assert numpy.allclose(shown, part(X, training=False).asnumpy(), atol=1e-6)
        trained.append((history, whole.get_weights()))
    assert trained[0][0] == trained[1][0]
    for a, b in zip(trained[0][1], trained[1][1], strict=True):
        assert numpy.array_equal(a, b)


def test_two_models_trained_in_turn_each_go_on_from_the_others_weights():
    whole, part = whole_and_part()
    target = numpy.tile(Y, 2)
    for _ in range(4):
        whole.train_on_batch(X, Y)
        part.train_on_batch(X, target)
    reference = by_hand(target)
    for found, expected in zip(whole.get_weights(), reference, strict=True):
        assert numpy.allclose(found, expected, atol=1e-5)


def by_hand(target):
    """Return the weights after the same steps, each with derivatives and rules written out."""
    import minpy.numpy as np

    weights = [w.astype("float64") for w in whole_and_part()[0].get_weights()]
    m, v = [numpy.zeros_like(w) for w in weights], [numpy.zeros_like(w) for w in weights]

    def hidden(w):
        return np.tanh(X.astype("float64") @ w[0] + w[1]) @ w[2] + w[3]

    def loss(*w):
        return np.mean((hidden(w) @ w[4] + w[5] - Y) ** 2)

    def part_loss(*w):
        return np.mean((hidden(w) - target) ** 2)

    for step in range(1, 5):
        found = minpy.grad(loss, argnum=list(range(6)))(*[np.array(w) for w in weights])
        for i, g in enumerate(g.asnumpy() for g in found):
            m[i] = 0.9 * m[i] + 0.1 * g
            v[i] = 0.999 * v[i] + 0.001 * g**2
            rate = 0.001 * numpy.sqrt(1 - 0.999**step) / (1 - 0.9**step)
            weights[i] = weights[i] - rate * m[i] / (numpy.sqrt(v[i]) + 1e-7)
        found = minpy.grad(part_loss, argnum=list(range(4)))(*[np.array(w) for w in weights[:4]])
        for i, g in enumerate(g.asnumpy() for g in found):
            weights[i] = weights[i] - 0.01 * g
    return weights
