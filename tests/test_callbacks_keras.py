"""Callbacks that follow a metric decide as Keras' did in 150 recorded runs."""

import json
import math

import keras_callback_decisions as recorded
import pytest

import minpy.callbacks

CASES = json.loads(recorded.EXPECTED.read_text())["cases"]


@pytest.mark.parametrize("name", ["EarlyStopping", "ReduceLROnPlateau", "ModelCheckpoint"])
def test_decides_as_keras_did(name, tmp_path):
    cases = [case for case in CASES if case[0] == name]
    assert len(cases) == 50
    for _, arguments, values, expected in cases:
        given = dict(arguments)
        if "filepath" in given:
            given["filepath"] = tmp_path / given["filepath"]
        callback = getattr(minpy.callbacks, name)(**given)
        outcome = recorded.run(callback, values, arguments["monitor"])
        context = f"{name}({arguments}) on {values}"
        assert outcome.pop("rates") == pytest.approx(expected.pop("rates")), context
        best, keras_best = outcome.pop("best"), expected.pop("best")
        if keras_best is None or not math.isfinite(keras_best):
            assert best is None, context  # Keras writes "nothing yet" as infinity at times
        else:
            assert best == keras_best, context
        assert outcome == expected, context
