"""Asks Keras what masks do to losses, metrics and training.

Run it where Keras is installed, which the tests themselves don't need:

    KERAS_BACKEND=torch python tests/keras_masks.py
"""

from __future__ import annotations

import json
import pathlib
import types

import numpy

EXPECTED = pathlib.Path(__file__).with_suffix(".json")
STEPS = 20
IDS = numpy.array([[1, 2, 0, 0], [3, 0, 0, 0], [1, 2, 3, 4]], "int32")
STEP_TARGETS = numpy.sin(numpy.arange(24)).reshape(3, 4, 2).astype("float32")
TARGETS = numpy.cos(numpy.arange(6)).reshape(3, 2).astype("float32")
CLASSES = numpy.array([[0, 1, 1, 0], [1, 1, 0, 0], [0, 0, 1, 1]], "int32")
SAMPLES = numpy.array([0.5, 2.0, 1.0], "float32")
EACH_STEP = numpy.linspace(0.25, 2.0, 12).reshape(3, 4).astype("float32")


def steps(api):
    """Predicts something for each step: the mask reaches the loss."""
    x = api.Input((4,), dtype="int32")
    h = api.Embedding(5, 3, mask_zero=True)(x)
    return api.Model(x, api.Dense(2)(api.Dense(4, activation="tanh")(h)))


def recurrent(api):
    """The mask ends in a recurrent layer."""
    x = api.Input((4,), dtype="int32")
    h = api.Embedding(5, 3, mask_zero=True)(x)
    h = api.GRU(4, return_sequences=True)(h)
    return api.Model(x, api.Dense(2)(api.LSTM(3)(h)))


def masking(api):
    """Steps of zeros are masked; an average of the others."""
    x = api.Input((4,), dtype="int32")
    h = api.Embedding(5, 3)(x) * api.cast(x[:, :, None] > 0, "float32")
    h = api.Masking()(h)
    h = api.Sequential([api.Input((4, 3)), api.Dropout(0.0), api.Dense(4)], name="inner")(h)
    return api.Model(x, api.Dense(2)(api.Mean()(h)))


def merging(api):
    """Masks of two inputs meet in a sum and a concatenation."""
    x = api.Input((4,), dtype="int32")
    first = api.Embedding(5, 3, mask_zero=True)(x)
    second = api.Embedding(5, 3, mask_zero=True)(4 - x)
    h = api.Concatenate()([api.Add()([first, second]), second])
    return api.Model(x, api.Dense(2)(h))


CASES = [
    (steps, "mse", STEP_TARGETS, None),
    # Weights of samples, (3,), don't go together with a mask (3, 4) in Keras.
    (steps, "mse", STEP_TARGETS, EACH_STEP),
    (steps, "mae", STEP_TARGETS, EACH_STEP),
    (steps, "from_logits", CLASSES, None),
    (steps, "from_logits", CLASSES, EACH_STEP),
    (recurrent, "mse", TARGETS, None),
    (masking, "mse", TARGETS, SAMPLES),
    (merging, "mse", STEP_TARGETS, None),
]


def weights_for(shapes):
    """Return weights that are the same everywhere."""
    counts = [numpy.arange(numpy.prod(shape)).reshape(shape) for shape in shapes]
    return [(0.5 * numpy.sin(1.0 + i + n)).astype("float32") for i, n in enumerate(counts)]


def run(api, make, loss, y, sample_weight):
    """Return losses of the steps, the weights after them, and an evaluation."""
    model = make(api)
    model.set_weights(weights_for([w.shape for w in model.weights]))
    model.compile(
        api.SGD(0.1),
        api.SparseCategoricalCrossentropy(from_logits=True) if loss == "from_logits" else loss,
        metrics=["accuracy" if loss == "from_logits" else "mae"],
        weighted_metrics=None if loss == "from_logits" else ["mse"],
    )
    losses = []
    for _ in range(STEPS):
        logs = model.train_on_batch(IDS, y, sample_weight=sample_weight, return_dict=True)
        losses.append(logs["loss"])
        model.reset_metrics()  # the loss is a mean over the steps since then
    return {
        "losses": [round(float(value), 7) for value in losses],
        "evaluated": [
            round(float(value), 7)
            for value in model.test_on_batch(IDS, y, sample_weight=sample_weight)
        ],
        "predicted": numpy.round(numpy.asarray(model.predict_on_batch(IDS)), 6).tolist(),
        "weights": [numpy.round(numpy.asarray(w), 6).ravel().tolist() for w in model.get_weights()],
    }


def main() -> None:
    """Write the file that the test reads."""
    import keras

    class Mean(keras.layers.GlobalAveragePooling1D):
        pass

    layers = ["Add", "Concatenate", "Dense", "Dropout", "Embedding", "GRU", "LSTM", "Masking"]
    api = types.SimpleNamespace(
        **{name: getattr(keras.layers, name) for name in layers},
        Input=keras.Input,
        Mean=Mean,
        Model=keras.Model,
        SGD=keras.optimizers.SGD,
        Sequential=keras.Sequential,
        SparseCategoricalCrossentropy=keras.losses.SparseCategoricalCrossentropy,
        cast=keras.ops.cast,
    )
    found = [run(api, *case) for case in CASES]
    text = json.dumps({"keras": keras.__version__, "cases": found}, indent=None)
    EXPECTED.write_text(text.replace('{"losses"', '\n{"losses"') + "\n")


if __name__ == "__main__":
    main()
