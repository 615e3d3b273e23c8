"""Every loss inside a compiled training step: it can be traced, and gives the eager numbers."""

from __future__ import annotations

import json
import warnings

import keras_values as ask
import numpy
import pytest

from minpy import losses, random, runtime
from minpy.layers import Dense
from minpy.models import Sequential

# An activation that gives what the loss expects of predictions.
ACTIVATIONS = {
    "one-hot": "softmax",
    "labels": "softmax",
    "sequence": "softmax",
    "yes or no": "sigmoid",
    "positive": "softplus",
}


def name_of(case):
    return f"{case[0]}-{json.dumps(case[1])}-{case[2]}"


def train(case, jit, weighted):
    name, arguments, kind = case
    y, x = ask.targets(kind, 8)
    x, y = x.astype("float32"), y if y.dtype.kind == "i" else y.astype("float32")
    random.seed(0)
    activation = None if arguments.get("from_logits") else ACTIVATIONS.get(kind)
    model = Sequential([Dense(x.shape[-1], activation=activation)])
    model.compile("adam", getattr(losses, name)(**arguments), jit=jit)
    weight = ask.weights(8).astype("float32") if weighted else None
    found = [model.train_on_batch(x, y, weight) for _ in range(5)]
    return found, model.get_weights()


@pytest.mark.skipif(not runtime.available(), reason="not every loss has a program")
@pytest.mark.usefixtures("by_program_and_by_graph")
@pytest.mark.parametrize("case", ask.LOSSES, ids=name_of)
def test_a_compiled_step_gives_the_numbers_of_the_eager_one(case):
    # These give one number for the whole batch, or one for each output: no samples to weight.
    weighted = case[0] not in ("Dice", "Tversky") and case[1].get("axis") != 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # a step that can't be traced warns
        compiled, weights = train(case, True, weighted)
    eager, expected = train(case, False, weighted)
    numpy.testing.assert_allclose(compiled, eager, rtol=2e-5, atol=1e-6)
    for a, b in zip(weights, expected, strict=True):
        numpy.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)
