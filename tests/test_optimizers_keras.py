"""Optimizers and schedules against 20 steps of Keras and PyTorch (values: keras_values.py)."""

from __future__ import annotations

import json
import pathlib

import keras_values as ask
import numpy
import pytest

from minpy import optimizers
from minpy.optimizers import Segment, schedules

EXPECTED = json.loads(pathlib.Path(__file__).with_name("keras_values.json").read_text())


def flat(arrays):
    return numpy.concatenate([numpy.asarray(a, "float32").ravel() for a in arrays])


def segments():
    found, start = [], 0
    for name, shape in ask.SHAPES.items():
        stop = start + int(numpy.prod(shape))
        found.append(Segment(start, stop, name))
        start = stop
    return found


def train(optimizer, dtype="float32"):
    w = flat(ask.initial_weights().values()).astype(dtype)
    own = segments()
    seen = {}
    for step in range(ask.STEPS):
        g = flat(ask.gradients(step).values()).astype(dtype)
        optimizer.step(w, g, own)
        seen[str(step + 1)] = w.astype("float32")
    return seen


def name_of(case):
    return f"{case[0]}-{json.dumps(case[1])}"


@pytest.mark.parametrize("fused", [True, False], ids=["compiled", "numpy"])
@pytest.mark.parametrize("case", EXPECTED["optimizers"], ids=name_of)
def test_optimizer_takes_the_steps_that_keras_takes(case, fused):
    name, arguments, expected = case
    optimizer = getattr(optimizers, name)(**arguments)
    optimizer.fused = fused
    seen = train(optimizer)
    for step, weights in expected.items():
        numpy.testing.assert_allclose(seen[step], flat(weights), rtol=2e-6, atol=2e-6)


@pytest.mark.parametrize("case", EXPECTED["without decay of biases"], ids=name_of)
def test_excluded_weights_are_not_decayed(case):
    name, arguments, expected = case
    optimizer = getattr(optimizers, name)(**arguments)
    optimizer.exclude_from_weight_decay(var_names=["bias"])
    seen = train(optimizer)
    for step, weights in expected.items():
        numpy.testing.assert_allclose(seen[step], flat(weights), rtol=2e-6, atol=2e-6)


@pytest.mark.parametrize("case", EXPECTED["torch optimizers"], ids=name_of)
def test_optimizer_takes_the_steps_that_pytorch_takes(case):
    name, arguments, expected = case
    seen = train(getattr(optimizers, name)(**arguments))
    numpy.testing.assert_allclose(seen[str(ask.STEPS)], flat(expected), rtol=5e-6, atol=5e-6)


@pytest.mark.parametrize("case", EXPECTED["optimizers"], ids=name_of)
def test_float64_and_float16_weights_follow_the_same_path(case):
    name, arguments, expected = case
    reached = flat(expected[str(ask.STEPS)])
    for dtype, tolerance in (("float64", 2e-5), ("float16", 3e-2)):
        seen = train(getattr(optimizers, name)(**arguments), dtype)
        numpy.testing.assert_allclose(seen[str(ask.STEPS)], reached, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("case", EXPECTED["schedules"], ids=name_of)
def test_schedule_has_the_rates_that_keras_has(case):
    name, arguments, expected = case
    schedule = getattr(schedules, name)(**arguments)
    rates = [schedule(step) for step in ask.SCHEDULE_STEPS]
    # Keras computes in float32, where a step of 40 and a power leave a relative error of 1e-5.
    numpy.testing.assert_allclose(rates, expected, rtol=2e-5, atol=1e-8)
    again = schedules.deserialize(json.loads(json.dumps(schedules.serialize(schedule))))
    assert [again(step) for step in ask.SCHEDULE_STEPS] == rates
