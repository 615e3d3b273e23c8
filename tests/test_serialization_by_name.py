"""Tables of names: spelling, suggestions, custom objects, configurations that don't fit."""

from __future__ import annotations

import json

import pytest

import minpy.numpy as np
from minpy import activations, constraints, initializers, losses, metrics, optimizers, regularizers
from minpy.by_name import NameTable, snake_case
from minpy.layers import register_serializable


class Halve:
    def __init__(self, times=1):
        self.times = times

    def __call__(self, x):
        return x / 2**self.times

    def get_config(self):
        return {"times": self.times}

    @classmethod
    def from_config(cls, config):
        return cls(**config)


class NeedsOne:
    def __init__(self, one):
        self.one = one


def double(x):
    return 2 * x


table = NameTable("change", [Halve, NeedsOne], [double], {"twice": "double"}, folder="changes")


@pytest.mark.parametrize(
    ("name", "snake"),
    [
        ("Dense", "dense"),
        ("HeNormal", "he_normal"),
        ("KLDivergence", "kl_divergence"),
        ("L1L2", "l1l2"),
        ("Conv2DTranspose", "conv2d_transpose"),
        ("RMSNormalization", "rms_normalization"),
        ("MeanIoU", "mean_io_u"),
        ("TopKCategoricalAccuracy", "top_k_categorical_accuracy"),
        ("F1Score", "f1_score"),
        ("AUC", "auc"),
        ("double", "double"),
    ],
)
def test_class_names_in_lower_case(name, snake):
    assert snake_case(name) == snake


def test_case_and_underscores_make_no_difference():
    for name in ("halve", "Halve", "HALVE", "ha_lve"):
        assert isinstance(table.get(name), Halve)
    assert table.get("twice") is double is table.get("Double")


def test_objects_classes_configurations_and_none():
    own = Halve(3)
    assert table.get(own) is own
    assert isinstance(table.get(Halve), Halve)
    assert table.get(None) is None
    assert table.get({"class_name": "halve", "config": {"times": 4}}).times == 4
    assert table.get({"class_name": "Halve"}).times == 1
    with pytest.raises(TypeError, match="expected the name of a change"):
        table.get(3)


def test_what_is_written_can_be_read():
    for thing in (Halve(5), double, None):
        again = table.deserialize(json.loads(json.dumps(table.serialize(thing))))
        assert again is thing or again.times == 5


def test_custom_objects_come_first_and_by_name_only():
    class Other(Halve):
        pass

    config = table.serialize(Other(2))
    assert config == {"class_name": "Other", "config": {"times": 2}}
    with pytest.raises(ValueError, match="unknown change 'Other'"):
        table.deserialize(config)
    assert type(table.deserialize(config, {"Other": Other})) is Other
    assert type(table.deserialize({"class_name": "mine>Other"}, {"Other": Other})) is Other
    assert table.get("halve", {"halve": Other}).times == 1


def test_registered_classes_and_functions_are_found_without_custom_objects():
    @register_serializable("tests")
    class Thirds(Halve):
        pass

    @register_serializable("tests")
    def distance(y_true, y_pred):
        return np.sum(np.absolute(y_true - y_pred), axis=-1)

    config = json.loads(json.dumps(table.serialize(Thirds(2))))
    assert config["class_name"] == "tests>Thirds"
    assert type(table.deserialize(config)) is Thirds
    loss = losses.deserialize(json.loads(json.dumps(losses.serialize(losses.get(distance)))))
    assert float(loss(np.array([[1.0]]), np.array([[3.0]]))) == 2.0
    metric = metrics.deserialize(json.loads(json.dumps(metrics.serialize(distance))))
    assert metric.name == "distance"


def test_a_near_name_is_suggested_and_otherwise_all_are_shown():
    with pytest.raises(ValueError, match="unknown change 'halv'; did you mean 'halve'"):
        table.get("halv")
    with pytest.raises(ValueError, match="there are halve, needs_one, double"):
        table.get("xyzzy")
    with pytest.raises(ValueError, match="did you mean 'thirds'"):
        table.get("third", {"thirds": Halve})


def test_what_cannot_be_made_says_why():
    with pytest.raises(ValueError, match=r"can't be made from its name alone .*NeedsOne"):
        table.get("needs_one")
    assert table.deserialize({"class_name": "NeedsOne", "config": {"one": 1}}).one == 1
    with pytest.raises(ValueError, match="refused the configuration"):
        table.deserialize({"class_name": "Halve", "config": {"often": 1}})
    with pytest.raises(ValueError, match="class_name and config"):
        table.deserialize({"name": "Halve"})
    with pytest.raises(ValueError, match="has no name to be saved under"):
        table.serialize(lambda x: x)


@pytest.mark.parametrize(
    ("module", "name", "near"),
    [
        (activations, "sigmoyd", "sigmoid"),
        (constraints, "unit_nrm", "unit_norm"),
        (initializers, "he_norml", "he_normal"),
        (losses, "binary_crossentrpy", "binary_crossentropy"),
        (metrics, "sparse_categorical_acuracy", "sparse_categorical_accuracy"),
        (optimizers, "rmsporp", "rmsprop"),
        (regularizers, "l1_l3", "l1_l2"),
    ],
)
def test_every_table_suggests(module, name, near):
    with pytest.raises(ValueError, match=f"did you mean '{near}'"):
        module.get(name)
