"""Settings that hold everywhere: epsilon, limits of training, tracebacks."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy
import pytest

from minpy import backend, config, losses
from minpy.layers import Dense, Normalization
from minpy.models import Sequential


@pytest.fixture(autouse=True)
def as_it_was():
    yield
    config.set_epsilon(1e-7)
    config.set_max_epochs(None)
    config.set_max_steps_per_epoch(None)
    config.disable_traceback_filtering()


def test_losses_and_layers_keep_as_far_from_zero_as_epsilon_says():
    assert backend.epsilon() == 1e-7
    config.set_epsilon(1e-2)
    assert backend.epsilon() == config.epsilon() == 1e-2
    y, p = numpy.array([[1.0, 0.0]]), numpy.array([[0.0, 1.0]])
    found = float(losses.CategoricalCrossentropy()(y, p))
    assert found == pytest.approx(-numpy.log(1e-2), rel=1e-6)
    layer = Normalization(mean=0.0, variance=0.0)
    assert float(layer(numpy.ones((1, 1)))[0, 0]) == pytest.approx(100, rel=1e-6)
    config.set_epsilon(1e-3)
    found = float(losses.CategoricalCrossentropy()(y, p))
    assert found == pytest.approx(-numpy.log(1e-3), rel=1e-6)


def model_and_data():
    model = Sequential([Dense(1, input_shape=(2,))])
    model.compile("sgd", "mse")
    return model, numpy.ones((12, 2), "float32"), numpy.ones((12, 1), "float32")


def test_runs_are_no_longer_than_the_configuration_allows():
    model, x, y = model_and_data()
    config.set_max_epochs(2)
    with pytest.warns(UserWarning, match="2 of 5 epochs"):
        assert len(model.fit(x, y, 4, epochs=5, verbose=0).history["loss"]) == 2
    assert len(model.fit(x, y, 4, epochs=1, verbose=0).history["loss"]) == 1
    config.set_max_epochs(None)
    config.set_max_steps_per_epoch(2)
    before = model.optimizer.iterations
    with pytest.warns(UserWarning, match="2 of 3 batches"):
        model.fit(x, y, 4, epochs=3, verbose=0)
    assert model.optimizer.iterations - before == 6
    with pytest.warns(UserWarning, match="2 of 3 batches"):
        assert model.predict(x, 4, verbose=0).shape == (8, 1)
    x[8:] = 100
    with pytest.warns(UserWarning, match="2 of 3 batches"):
        found = model.evaluate(x, y, 4, verbose=0)
    assert found == pytest.approx(model.evaluate(x[:8], y[:8], 4, verbose=0), rel=1e-6)
    model.fit(x[:8], y[:8], 4, verbose=0)  # as many as it may have: no warning


def test_limits_are_read_from_the_environment():
    told = "import minpy.config as c; print(c.max_epochs(), c.max_steps_per_epoch())"
    given = {**os.environ, "KERAS_MAX_EPOCHS": "3", "KERAS_MAX_STEPS_PER_EPOCH": "7"}
    done = subprocess.run(
        [sys.executable, "-c", told], env=given, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["3", "7"]


def test_bad_settings_say_what_to_give():
    for function, value in (
        (config.set_epsilon, -1.0),
        (config.set_epsilon, "small"),
        (config.set_max_epochs, 0),
        (config.set_max_steps_per_epoch, 1.5),
    ):
        with pytest.raises(ValueError, match=f"{function.__name__}: got"):
            function(value)
    assert (config.epsilon(), config.max_epochs(), config.max_steps_per_epoch()) == (
        1e-7,
        None,
        None,
    )


def test_whether_tracebacks_may_be_shortened_is_remembered():
    assert not config.is_traceback_filtering_enabled()
    config.enable_traceback_filtering()
    assert config.is_traceback_filtering_enabled()
