"""Asks Keras what some arguments do that many classes share.

KERAS_BACKEND=jax python tests/keras_arguments.py
"""

from __future__ import annotations

import json
import os
import pathlib

import numpy
from keras_layer_values import called, listed, numbers, weights_of

L2 = {"class_name": "L2", "config": {"l2": 0.1}}

# What an activity regularizer adds to the loss: class, settings, shapes, how it is called.
ACTIVITY = [
    ("Dense", {"units": 3, "activation": "tanh"}, [(4, 5)], "one"),
    ("LayerNormalization", {}, [(4, 5)], "one"),
    ("Embedding", {"input_dim": 3, "output_dim": 2}, [(2, 3)], "one"),
    ("Add", {}, [(4, 5), (4, 5)], "list"),
    ("LSTM", {"units": 2, "return_state": True}, [(3, 4, 2)], "one"),
    ("LSTM", {"units": 2, "return_sequences": True}, [(3, 4, 2)], "one"),
    ("GRU", {"units": 2}, [(3, 4, 2)], "one"),
    ("MultiHeadAttention", {"num_heads": 2, "key_dim": 2}, [(2, 3, 4), (2, 3, 4)], "args"),
    ("GroupQueryAttention", {"head_dim": 2, "num_query_heads": 2, "num_key_value_heads": 1},
     [(2, 3, 4), (2, 3, 4)], "args"),
]  # fmt: skip

# Optimizers whose `apply` leaves weights out: class, settings.
OPTIMIZERS = [
    ("SGD", {"learning_rate": 0.1, "momentum": 0.9}),
    ("Adam", {"learning_rate": 0.1, "weight_decay": 0.1}),
    ("RMSprop", {"learning_rate": 0.1, "clipnorm": 0.5, "momentum": 0.5}),
    ("Adagrad", {"learning_rate": 0.1, "global_clipnorm": 0.5}),
    ("Lion", {"learning_rate": 0.1}),
]
SHAPES = [(2, 3), (3,)]
# Which weights have a gradient in each step.
STEPS = [(0, 1), (0,), (1,), (0, 1)]

# Initializers with axes: settings, shape.
FANS = [
    ({"mode": "fan_in", "input_axes": [0, 1], "output_axes": [2]}, (3, 4, 5)),
    ({"mode": "fan_out", "input_axes": [0], "output_axes": [1, 2]}, (3, 4, 5)),
    ({"mode": "fan_avg", "input_axes": [-1], "output_axes": [0]}, (6, 2)),
]


def made_of(case, library):
    """Return a case's layer with a regularizer, its weights, and what its call returned."""
    kind, settings, shapes, how = case
    regularizer = library.regularizers.deserialize(L2)
    layer = getattr(library.layers, kind)(**settings, activity_regularizer=regularizer)
    inputs = [numbers(shape, seed=i + 1) for i, shape in enumerate(shapes)]
    if kind == "Embedding":
        inputs = [numpy.abs(inputs[0] * 2.9).astype("int32")]
    called(layer, how, inputs, {})
    layer.set_weights(weights_of([tuple(w.shape) for w in layer.weights]))
    return layer, called(layer, how, inputs, {})


def gradients(step):
    """Return the gradients of a step, None for weights without one."""
    return [
        numbers(shape, seed=10 * step + i) if i in STEPS[step] else None
        for i, shape in enumerate(SHAPES)
    ]


def main():
    import keras
    from keras.src.initializers.random_initializers import compute_fans

    assert os.environ.get("KERAS_BACKEND") == "jax", "set KERAS_BACKEND=jax"
    found = {"keras": keras.__version__, "activity": [], "apply": [], "fans": []}
    for case in ACTIVITY:
        layer, _ = made_of(case, keras)
        found["activity"].append(float(f"{sum(float(term) for term in layer.losses):.7g}"))
    for kind, settings in OPTIMIZERS:
        weights = [keras.Variable(v) for v in weights_of(SHAPES)]
        optimizer = getattr(keras.optimizers, kind)(**settings)
        optimizer.build(weights)
        values = []
        for step in range(len(STEPS)):
            optimizer.apply(gradients(step), weights)
            values.append([listed(keras.ops.convert_to_numpy(w)) for w in weights])
        found["apply"].append(values)
    for settings, shape in FANS:
        fans = compute_fans(shape, settings["input_axes"], settings["output_axes"])
        found["fans"].append(list(fans))
    text = json.dumps(found)
    pathlib.Path(__file__).with_suffix(".json").write_text(text + "\n")


if __name__ == "__main__":
    main()
