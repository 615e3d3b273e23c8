"""Every public layer, loss, metric, optimizer, schedule and activation has numbers of Keras."""

from __future__ import annotations

import inspect
import json
import pathlib

import pytest

from minpy import activations, layers, losses, metrics, optimizers
from minpy.optimizers import schedules

HERE = pathlib.Path(__file__).parent
# Parts of what the files hold that are rows of [name, arguments, ..., values].
ROWS = {
    "losses": ("losses", [("values", "losses"), ("losses", "losses")]),
    "metrics": ("metrics", [("values", "metrics")]),
    "optimizers": ("optimizers", [("values", "optimizers"), ("optimizers", "optimizers")]),
    "schedules": ("schedules", [("values", "schedules")]),
    "activations": ("activations", [("values", "activations")]),
}
FAMILIES = (
    "activations",
    "attention",
    "convolutional",
    "core",
    "merging",
    "normalization",
    "pooling",
    "recurrent",
    "reshaping",
    "spectrograms",
)
RANDOM = "its values are random; tests of its own compare their statistics"
DATA = "no derivative, and no weights"
NOT_KERAS = "Keras 3 has none"
BASE = "a base class, or made from the user's own function"

# What has no numbers of Keras, and why not.
WITHOUT_NUMBERS = {
    "layers": {
        **dict.fromkeys(("AlphaDropout", "Dropout", "GaussianDropout", "GaussianNoise"), RANDOM),
        **dict.fromkeys((f"SpatialDropout{rank}D" for rank in (1, 2, 3)), RANDOM),
        **dict.fromkeys(("AugMix", "RandAugment", "RandomColorJitter"), RANDOM),
        **dict.fromkeys(("RandomCrop", "RandomFlip"), RANDOM),
        "RandomElasticTransform": "draws while it changes images; compared with SciPy's numbers",
        **dict.fromkeys(("InputLayer", "Lambda", "Layer", "Operation", "Wrapper"), BASE),
        "Pipeline": "calls other layers, one after the other",
        "StackedRNNCells": "an RNN over a list of cells makes one: keras_recurrent.json",
    },
    "losses": {
        **dict.fromkeys(("Contrastive", "TripletHard", "TripletSemiHard"), NOT_KERAS),
        "FunctionLoss": BASE,
    },
    "metrics": {
        **dict.fromkeys(("CohenKappa", "ConfusionMatrix"), NOT_KERAS),
        "AccuracyByShape": "chooses one of the others",
        "MeanMetricWrapper": BASE,
    },
    "optimizers": {
        "LossScaleOptimizer": "in the part 'loss scale' of keras_optimizers.json",
        "MultiOptimizer": "in the part 'several' of keras_optimizers.json",
    },
    "schedules": {
        "OneCycle": "PyTorch's, in keras_optimizers.json",
        "WarmUp": NOT_KERAS,
    },
    "activations": {"sparsemax": "that of Keras 3.15 returns rows that don't add up to one"},
}
# Layers whose numbers have no gradients and no training.
VALUES_ONLY = {
    **dict.fromkeys(
        (
            "CategoryEncoding",
            "Discretization",
            "HashedCrossing",
            "Hashing",
            "IntegerLookup",
            "StringLookup",
            "TextVectorization",
        ),
        DATA,
    ),
    **dict.fromkeys(
        (
            "RandomBrightness",
            "RandomContrast",
            "RandomRotation",
            "RandomTranslation",
            "RandomZoom",
        ),
        "random, but for one factor; compared at that one",
    ),
    **dict.fromkeys(
        (
            case["kind"]
            for case in json.loads((HERE / "keras_image_layers.json").read_text())["cases"]
        ),
        "changes images before a model; compared for given transformations",
    ),
}
# Layers that Keras hands on as they are, so that there is nothing to train.
UNTRAINED = {
    "ActivityRegularization": "its output is its input; keras_arguments.json has such terms",
    "Identity": "its output is its input",
    "Masking": "multiplies by zeros and ones",
    "MelSpectrogram": "no weights; its gradients are compared",
    "SimpleRNNCell": "SimpleRNN, which is trained, runs it",
}


def stored(topic):
    return json.loads((HERE / f"keras_{topic}.json").read_text())


def names_in(described):
    """Return the layers that a layer's description names: itself, and those inside."""
    if isinstance(described, dict):
        own = [described[k] for k in ("kind", "layer", "class_name") if k in described]
        inside = [name for part in described.values() for name in names_in(part)]
        return [*[name for name in own if isinstance(name, str)], *inside]
    if isinstance(described, list):
        return [name for part in described for name in names_in(part)]
    return []


def layers_with():
    """Return which layers have outputs, which have gradients, and which 20 steps of training."""
    outputs, gradients, training = set(), set(), set()
    for family in FAMILIES:
        for case in stored(family)["cases"]:
            described = case.get("of") or {k: case[k] for k in ("kind", "settings")}
            names = set(names_in(described))
            outputs |= names
            if {"of_input", "input_gradient", "input_gradients"} & set(case):
                gradients |= names
            if len(case.get("losses") or ()) == 20:
                training |= names
    # Losses of training through a layer hold its gradient at 20 places.
    through = {case["kind"] for case in stored("training")["layers"] if len(case["losses"]) == 20}
    prepared = stored("preprocessing")
    outputs |= {
        case["kind"] for part in ("lookups", "numbers", "images") for case in prepared[part]
    }
    outputs |= {case["kind"] for case in stored("image_layers")["cases"]}
    return outputs, gradients | through, training | through


def classes(module, base):
    found = {c.__name__ for c in vars(module).values() if inspect.isclass(c)}
    return {name for name in found if issubclass(getattr(module, name, object), base)} - {
        base.__name__
    }


PUBLIC = {
    "losses": classes(losses, losses.Loss),
    "metrics": classes(metrics, metrics.Metric),
    "optimizers": classes(optimizers, optimizers.Optimizer),
    "schedules": classes(schedules, schedules.LearningRateSchedule),
    "activations": {
        function.__name__
        for name, function in vars(activations).items()
        if inspect.isfunction(function) and not name.startswith("_")
    }
    - {"as_ndarray", "deserialize", "get", "serialize"},
}


@pytest.mark.parametrize("topic", PUBLIC)
def test_every_public_name_has_numbers_of_keras(topic):
    name, parts = ROWS[topic]
    rows = {row[0] for file, part in parts for row in stored(file)[part]}
    assert PUBLIC[topic] - rows == set(WITHOUT_NUMBERS[name])


def test_every_layer_has_outputs_gradients_and_training_of_keras():
    public = {kind.__name__ for kind in layers._CLASSES} | {"Layer"}
    outputs, gradients, training = layers_with()
    assert public - outputs == set(WITHOUT_NUMBERS["layers"])
    assert outputs - gradients == set(VALUES_ONLY)
    assert outputs - training == set(VALUES_ONLY) | set(UNTRAINED)


@pytest.mark.parametrize("topic", ["losses", "activations"])
def test_every_loss_and_activation_that_has_numbers_has_twenty_steps_of_training(topic):
    trained = {row[0] for row in stored("training")[topic] if len(row[-1]) == 20}
    assert PUBLIC[topic] - trained == set(WITHOUT_NUMBERS[topic])


def test_the_files_say_which_keras_gave_their_numbers():
    for path in sorted(HERE.glob("keras_*.json")):
        assert json.loads(path.read_text())["keras"].startswith("3."), path.name
