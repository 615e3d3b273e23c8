"""Any object as a configuration and back: losses, metrics, optimizers, containers of them."""

from __future__ import annotations

import json

import numpy
import pytest

import minpy.numpy as np
from minpy import (
    activations,
    constraints,
    initializers,
    layers,
    losses,
    metrics,
    optimizers,
    regularizers,
)
from minpy.optimizers import schedules
from minpy.saving import (
    custom_object_scope,
    deserialize_keras_object,
    register_keras_serializable,
    serialize_keras_object,
)


def classes(module, base):
    found = (getattr(module, name) for name in dir(module))
    kinds = {k for k in found if isinstance(k, type) and issubclass(k, base) and k is not base}
    return sorted(kinds, key=lambda k: k.__name__)


NEED = {
    "MeanIoU": {"num_classes": 3},
    "OneHotMeanIoU": {"num_classes": 3},
    "IoU": {"num_classes": 3, "target_class_ids": [0]},
    "OneHotIoU": {"num_classes": 3, "target_class_ids": [0]},
    "CohenKappa": {"num_classes": 3},
    "ConfusionMatrix": {"num_classes": 3},
    "PrecisionAtRecall": {"recall": 0.5},
    "RecallAtPrecision": {"precision": 0.5},
    "SensitivityAtSpecificity": {"specificity": 0.5},
    "SpecificityAtSensitivity": {"sensitivity": 0.5},
    "PiecewiseConstantDecay": {"boundaries": [2], "values": [1.0, 0.5]},
    "ExponentialDecay": {"initial_learning_rate": 0.1, "decay_steps": 5, "decay_rate": 0.5},
    "InverseTimeDecay": {"initial_learning_rate": 0.1, "decay_steps": 5, "decay_rate": 0.5},
    "PolynomialDecay": {"initial_learning_rate": 0.1, "decay_steps": 5},
    "CosineDecay": {"initial_learning_rate": 0.1, "decay_steps": 5},
    "CosineDecayRestarts": {"initial_learning_rate": 0.1, "first_decay_steps": 5},
    "OneCycle": {"max_learning_rate": 0.1, "total_steps": 5},
    "WarmUp": {"after": 0.1, "warmup_steps": 5},
    "OrthogonalRegularizer": {"mode": "rows"},
}
FAMILIES = [
    (losses, losses.Loss),
    (metrics, metrics.Metric),
    (optimizers, optimizers.Optimizer),
    (schedules, schedules.LearningRateSchedule),
    (initializers, initializers.Initializer),
    (regularizers, regularizers.Regularizer),
    (constraints, constraints.Constraint),
]
# What others are made with.
ABSTRACT = {
    "FunctionLoss",
    "LossFunctionWrapper",
    "LossScaleOptimizer",
    "MeanMetricWrapper",
    "MultiOptimizer",
    "RandomInitializer",
}
KINDS = [
    kind
    for module, base in FAMILIES
    for kind in classes(module, base)
    if kind.__name__ not in ABSTRACT
]


def through_json(thing):
    return deserialize_keras_object(json.loads(json.dumps(serialize_keras_object(thing))))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_an_object_comes_back(kind):
    thing = kind(**NEED.get(kind.__name__, {}))
    again = through_json(thing)
    assert type(again) is kind
    assert again.get_config() == thing.get_config()


def test_what_has_one_name_in_two_families_is_told_apart():
    assert type(through_json(losses.MeanSquaredError())) is losses.MeanSquaredError
    assert type(through_json(metrics.MeanSquaredError())) is metrics.MeanSquaredError


def test_a_layer_comes_back():
    layer = layers.Dense(3, "relu", kernel_regularizer=regularizers.L2(0.1))
    assert through_json(layer).get_config() == layer.get_config()


def test_containers_arrays_and_numbers():
    thing = {
        "rate": 0.1,
        "shape": (3, (4, None)),
        "losses": [losses.Huber(delta=2.0), None, "mse"],
        "table": np.array([[1, 2], [3, 4]]),
        "one": numpy.float32(0.5),
    }
    again = through_json(thing)
    assert again["shape"] == (3, (4, None))
    assert again["losses"][0].get_config() == thing["losses"][0].get_config()
    assert again["losses"][1:] == [None, "mse"]
    assert again["table"].tolist() == [[1, 2], [3, 4]]
    assert (again["rate"], again["one"]) == (0.1, 0.5)


def double(x):
    return 2 * x


def test_functions():
    assert through_json(activations.relu) is activations.relu
    config = serialize_keras_object(double)
    with pytest.raises(ValueError, match="unknown function"):
        deserialize_keras_object(config)
    assert deserialize_keras_object(config, {"double": double}) is double
    with custom_object_scope({"double": double}):
        assert deserialize_keras_object(config) is double


def test_objects_of_classes_of_ones_own():
    @register_keras_serializable("tests")
    class Pair:
        def __init__(self, first, second):
            self.first, self.second = first, second

        def get_config(self):
            return {"first": self.first, "second": self.second}

    @register_keras_serializable("tests")
    class Cubes(losses.Loss):
        def call(self, y_true, y_pred):
            return np.abs(y_true - y_pred) ** 3

    again = through_json(Pair(1, "b"))
    assert (type(again), again.first, again.second) == (Pair, 1, "b")
    assert type(through_json(Cubes())) is Cubes


def test_what_is_nothing_of_these_is_refused():
    with pytest.raises(TypeError, match="got object"):
        serialize_keras_object(object())
    with pytest.raises(ValueError, match="Huuber"):
        deserialize_keras_object({"module": "minpy.losses", "class_name": "Huuber", "config": {}})
