"""Asks Keras for what preprocessing layers give, and for the vocabularies that they adapt to.

Run it where Keras, TensorFlow and JAX are installed, which the tests themselves don't need:

    KERAS_BACKEND=jax python tests/keras_preprocessing.py
"""

from __future__ import annotations

import json
import os
import pathlib

import numpy
from keras_convolutional import FIRST, LAST, listed, numbers

TEXTS = [
    "The quick brown fox, jumps over the LAZY dog!",
    "the dog sleeps;  the fox doesn't",
    "Äpfel & Birnen: the end",
    "",
    "one two two three three three",
]
WORDS = [["fire", "earth", "water"], ["water", "wind", "water"], ["fire", "wind", ""]]
INTEGERS = [[12, 36, 12], [1138, 42, 12], [36, 42, 7]]
LONG = ["x" * n for n in (0, 3, 4, 8, 15, 16, 17, 31, 33, 63, 64, 65, 130, 200)] + ["Straße"]

# kind, settings, what it adapts to (or None), inputs
LOOKUPS = [
    ("StringLookup", {}, WORDS, WORDS),
    ("StringLookup", {"mask_token": ""}, WORDS, WORDS),
    ("StringLookup", {"max_tokens": 4, "num_oov_indices": 2}, WORDS, WORDS),
    ("StringLookup", {"vocabulary": ["a", "b"], "num_oov_indices": 3}, None, [["b", "x", "yz"]]),
    (
        "StringLookup",
        {"vocabulary": ["a", "b"], "num_oov_indices": 5, "salt": [3, 4]},
        None,
        [["b", "x", "yz"]],
    ),
    *[
        ("StringLookup", {"output_mode": mode, **more}, WORDS, WORDS)
        for mode in ("one_hot", "multi_hot", "count", "tf_idf")
        for more in ({}, {"max_tokens": 8, "pad_to_max_tokens": True, "mask_token": ""})
    ],
    ("StringLookup", {"output_mode": "multi_hot"}, WORDS, ["fire", "water", "none"]),
    ("StringLookup", {"output_mode": "one_hot"}, WORDS, [["fire"], ["none"]]),
    (
        "StringLookup",
        {"vocabulary": ["a", "b"], "idf_weights": [0.5, 0.25], "output_mode": "tf_idf"},
        None,
        [["a", "a", "c"], ["b", "a", "a"]],
    ),
    ("IntegerLookup", {}, INTEGERS, INTEGERS),
    ("IntegerLookup", {"mask_token": 0, "num_oov_indices": 2}, INTEGERS, [[12, 0, 5], [6, 42, -3]]),
    (
        "IntegerLookup",
        {"vocabulary": [10, 20], "num_oov_indices": 4, "oov_method": "farmhash"},
        None,
        [[10, 11, 12, 13]],
    ),
    ("IntegerLookup", {"vocabulary": [10, 20], "invert": True}, None, [[2, 1, 0, 5]]),
    ("IntegerLookup", {"output_mode": "count", "max_tokens": 4}, INTEGERS, INTEGERS),
    ("TextVectorization", {}, TEXTS, TEXTS),
    ("TextVectorization", {"output_sequence_length": 4, "max_tokens": 6}, TEXTS, TEXTS),
    ("TextVectorization", {"standardize": None, "output_sequence_length": 12}, TEXTS, TEXTS),
    ("TextVectorization", {"standardize": "lower"}, TEXTS, TEXTS),
    ("TextVectorization", {"standardize": "strip_punctuation"}, TEXTS, TEXTS),
    ("TextVectorization", {"split": "character", "max_tokens": 20}, TEXTS, TEXTS),
    ("TextVectorization", {"ngrams": 2}, TEXTS, TEXTS),
    ("TextVectorization", {"ngrams": [1, 3]}, TEXTS, TEXTS),
    ("TextVectorization", {"split": None, "standardize": None}, ["a", "b", "a"], ["b", "a", "c"]),
    *[
        ("TextVectorization", {"output_mode": mode, **more}, TEXTS, TEXTS)
        for mode in ("multi_hot", "count", "tf_idf")
        for more in ({}, {"max_tokens": 40, "pad_to_max_tokens": True})
    ],
    ("Hashing", {"num_bins": 7}, None, [[text] for text in LONG]),
    ("Hashing", {"num_bins": 1000, "salt": 1337}, None, [[text] for text in LONG]),
    ("Hashing", {"num_bins": 1000, "salt": [133, 137]}, None, [[text] for text in LONG]),
    ("Hashing", {"num_bins": 100, "mask_value": 0}, None, [[0, 1, 2], [-5, 10**12, 0]]),
    ("Hashing", {"num_bins": 5, "mask_value": ""}, None, [["", "a", "b"]]),
    *[
        ("Hashing", {"num_bins": 4, "output_mode": mode}, None, [["a", "b", "c"], ["d", "a", "a"]])
        for mode in ("one_hot", "multi_hot", "count")
    ],
    (
        "HashedCrossing",
        {"num_bins": 50},
        None,
        [["A", "B", "A", "long string of more than 32 bytes, yes"], [101, 101, 102, -3]],
    ),
    (
        "HashedCrossing",
        {"num_bins": 6, "output_mode": "one_hot"},
        None,
        [[["A"], ["B"]], [["x"], ["y"]], [[1], [2]]],
    ),
]

FEATURES = numbers((20, 3), seed=4, low=-3.0, high=9.0)
# kind, settings, what it adapts to (or None), inputs
NUMBERS = [
    ("Rescaling", {"scale": 0.5, "offset": -1.0}, None, FEATURES[:4]),
    ("Rescaling", {"scale": [1.0, 2.0, 0.5], "offset": [0.0, 1.0, 2.0]}, None, FEATURES[:4]),
    ("Normalization", {}, FEATURES, FEATURES[:5]),
    ("Normalization", {"invert": True}, FEATURES, FEATURES[:5]),
    ("Normalization", {"axis": None}, FEATURES, FEATURES[:5]),
    ("Normalization", {"axis": 1}, numbers((5, 3, 4), 5), numbers((2, 3, 4), 6)),
    ("Normalization", {"axis": [1, 2]}, numbers((5, 3, 4), 5), numbers((2, 3, 4), 6)),
    ("Normalization", {"mean": 3.0, "variance": 4.0}, None, FEATURES[:5]),
    ("Normalization", {"mean": [1.0, 2.0, 3.0], "variance": [1.0, 4.0, 0.0]}, None, FEATURES[:5]),
    ("Discretization", {"bin_boundaries": [-1.0, 0.0, 2.5]}, None, FEATURES[:5]),
    ("Discretization", {"num_bins": 4}, FEATURES, FEATURES[:5]),
    ("Discretization", {"num_bins": 5, "epsilon": 0.1}, FEATURES, FEATURES[:5]),
    ("Discretization", {"num_bins": 3}, numbers((700, 2), 7), FEATURES[:5]),
    *[
        ("Discretization", {"bin_boundaries": [0.0, 3.0], "output_mode": mode}, None, FEATURES[:5])
        for mode in ("one_hot", "multi_hot", "count")
    ],
    *[
        ("CategoryEncoding", {"num_tokens": 4, "output_mode": mode}, None, x)
        for mode in ("one_hot", "multi_hot", "count")
        for x in (numpy.array([[3, 2], [0, 0]]), numpy.array([[1], [3]]), numpy.array([2, 1, 2]))
    ],
]
METHODS = ("nearest", "bilinear", "bicubic", "lanczos3", "lanczos5")
IMAGES = [
    *[
        ("Resizing", {"height": h, "width": w, "interpolation": method, **LAST}, (1, 5, 6, 2))
        for method in METHODS
        for h, w in ((3, 9), (8, 4))
    ],
    *[
        (
            "Resizing",
            {"height": 3, "width": 4, "interpolation": method, "antialias": True, **FIRST},
            (1, 1, 7, 9),
        )
        for method in METHODS
        if method != "nearest"
    ],
    ("Resizing", {"height": 4, "width": 3, "crop_to_aspect_ratio": True, **LAST}, (2, 7, 8, 1)),
    ("Resizing", {"height": 3, "width": 6, "crop_to_aspect_ratio": True, **FIRST}, (2, 1, 7, 8)),
    (
        "Resizing",
        {"height": 4, "width": 8, "pad_to_aspect_ratio": True, "fill_value": 0.5, **LAST},
        (1, 7, 8, 1),
    ),
    ("Resizing", {"height": 6, "width": 3, "pad_to_aspect_ratio": True, **FIRST}, (1, 1, 5, 8)),
    ("Resizing", {"height": 4, "width": 3, **LAST}, (5, 6, 2)),
    ("CenterCrop", {"height": 3, "width": 4, **LAST}, (2, 6, 7, 1)),
    ("CenterCrop", {"height": 4, "width": 3, **FIRST}, (1, 2, 5, 6)),
    ("CenterCrop", {"height": 6, "width": 3, **LAST}, (1, 4, 7, 1)),
    ("CenterCrop", {"height": 2, "width": 3, **LAST}, (5, 6, 2)),
]

FILLS = ("constant", "nearest", "wrap", "reflect")
# Factors that leave nothing to chance: kind, settings, shape
FIXED = [
    *[
        (
            "RandomRotation",
            {
                "factor": [0.1, 0.1],
                "fill_mode": mode,
                "interpolation": method,
                "fill_value": 0.5,
                **FIRST,
            },
            (1, 2, 4, 5),
        )
        for mode in FILLS
        for method in ("nearest", "bilinear")
    ],
    *[
        (
            "RandomTranslation",
            {
                "height_factor": [0.85, 0.85],
                "width_factor": [-0.6, -0.6],
                "fill_mode": mode,
                **LAST,
            },
            (1, 4, 5, 1),
        )
        for mode in FILLS
    ],
    ("RandomZoom", {"height_factor": [0.4, 0.4], **LAST}, (1, 4, 5, 2)),
    (
        "RandomZoom",
        {"height_factor": [-0.3, -0.3], "width_factor": [0.9, 0.9], "fill_mode": "wrap", **FIRST},
        (1, 1, 4, 5),
    ),
    ("RandomZoom", {"height_factor": [0.4, 0.4], **LAST}, (4, 5, 2)),
    ("RandomBrightness", {"factor": [0.2, 0.2], "value_range": [-1, 1], **FIRST}, (2, 1, 2, 3)),
    ("RandomContrast", {"factor": [0.0, 0.0], "value_range": [-1, 0.5], **FIRST}, (2, 1, 2, 3)),
]


def strings(values):
    """Return values as JSON holds them: bytes as text."""
    if isinstance(values, list):
        return [strings(v) for v in values]
    return values.decode() if isinstance(values, bytes) else values


def looked_up(kind, settings, data, inputs):
    import keras

    given = {
        k: tuple(v) if k == "ngrams" and isinstance(v, list) else v for k, v in settings.items()
    }
    layer = getattr(keras.layers, kind)(**given)
    if data is not None:
        layer.adapt(numpy.array(data))
    if kind == "HashedCrossing":
        output = layer(tuple(numpy.array(x) for x in inputs))
    else:
        output = layer(numpy.array(inputs))
    found = {"kind": kind, "settings": settings, "adapt": data, "inputs": inputs}
    found["output"] = strings(numpy.asarray(output).tolist())
    if hasattr(layer, "get_vocabulary"):
        found["vocabulary"] = [v if isinstance(v, str) else int(v) for v in layer.get_vocabulary()]
    return found


def computed(kind, settings, data, x):
    import keras

    layer = getattr(keras.layers, kind)(**settings)
    if data is not None:
        layer.adapt(data)
    found = {"kind": kind, "settings": settings, "adapt": None if data is None else listed(data)}
    found |= {"inputs": listed(x), "output": listed(layer(x))}
    if kind == "Discretization":
        found["bin_boundaries"] = [float(b) for b in layer.bin_boundaries]
    return found


def resized(kind, settings, shape):
    import keras

    layer = getattr(keras.layers, kind)(**settings)
    training = {"training": True} if kind.startswith("Random") else {}
    output = layer(numbers(shape, seed=1), **training)
    return {"kind": kind, "settings": settings, "shape": shape, "output": listed(output)}


if __name__ == "__main__":
    import keras

    assert os.environ.get("KERAS_BACKEND") == "jax", "set KERAS_BACKEND=jax"
    made = {
        "keras": keras.__version__,
        "lookups": [looked_up(*case) for case in LOOKUPS],
        "numbers": [computed(*case) for case in NUMBERS],
        "images": [resized(*case) for case in [*IMAGES, *FIXED]],
    }
    path = pathlib.Path(__file__).with_suffix(".json")
    path.write_text(json.dumps(made, ensure_ascii=False) + "\n")
