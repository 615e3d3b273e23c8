"""Configurations as objects, and where it is told how far a run has come."""

from __future__ import annotations

import copy
import json
import logging
import pickle

import numpy
import pytest

import minpy
from minpy.layers import Dense
from minpy.models import Sequential
from minpy.utils import Config


def test_a_config_is_a_dict_with_attributes():
    config = Config(b=1, a=2)
    config.c = config["d"] = 3
    assert (config.a, config["b"], config.get("x", 7), "c" in config) == (2, 1, 7, True)
    assert list(config) == ["a", "b", "c", "d"]
    assert dict(config.items()) == config.as_dict() == json.loads(config.to_json())
    config.update({"e": 5}, f=6)
    del config["c"], config.d
    assert (config.pop("e"), len(config)) == (5, 3)
    for copied in (copy.deepcopy(config), pickle.loads(pickle.dumps(config))):
        assert copied == config
        copied.a = 9
        assert config.a == 2
    with pytest.raises(AttributeError, match="did you mean 'learning_rate'"):
        _ = Config(learning_rate=1).learning_rte
    with pytest.raises(AttributeError, match="name the value otherwise"):
        config.items = 3


def test_a_frozen_config_does_not_change():
    config = Config(a=1)
    config.freeze()
    for change in (
        lambda: setattr(config, "a", 2),
        lambda: config.update(b=1),
        lambda: config.pop("a"),
        lambda: config.__delitem__("a"),
    ):
        with pytest.raises(ValueError, match="frozen"):
            change()
    assert config.frozen
    assert config.as_dict() == {"a": 1}
    config.unfreeze()
    config.a = 2
    assert config.a == 2


@pytest.mark.parametrize("verbose", ["auto", 1, 2])
def test_without_interactive_logging_a_run_is_logged(verbose, caplog, capsys):
    assert minpy.config.is_interactive_logging_enabled()
    model = Sequential([Dense(1)])
    model.compile("sgd", "mse")
    x = numpy.ones((4, 2), "float32")
    minpy.utils.disable_interactive_logging()
    try:
        with caplog.at_level(logging.INFO, "minpy"):
            model.fit(x, x[:, :1], epochs=2, verbose=verbose)
            model.evaluate(x, x[:, :1], verbose=0)
        assert [record.message.partition(" - ")[0] for record in caplog.records] == [
            "Epoch 1/2",
            "Epoch 2/2",
        ]
        assert "loss: " in caplog.records[0].message
        assert capsys.readouterr().out == ""
    finally:
        minpy.utils.enable_interactive_logging()
    model.fit(x, x[:, :1], verbose=2)
    assert "Epoch 1/1" in capsys.readouterr().out
