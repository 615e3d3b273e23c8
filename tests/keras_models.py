"""Asks Keras for the layers' names, order, shapes and summaries of models that tests make as well.

Run it where Keras is installed, which the tests themselves don't need:

    KERAS_BACKEND=torch python tests/keras_models.py
"""

from __future__ import annotations

import json
import pathlib
import types

import numpy

EXPECTED = pathlib.Path(__file__).with_suffix(".json")


def chain(api):
    """Four layers, one after the other."""
    x = api.Input((784,))
    h = api.Dropout(0.2)(api.Dense(64, activation="relu")(x))
    return api.Model(x, api.Dense(10)(h))


def frozen(api):
    """A layer is frozen, and the optimizer has state."""
    model = chain(api)
    model.layers[1].trainable = False
    model.compile("adam", "mse")
    model.train_on_batch(numpy.zeros((2, 784), "float32"), numpy.zeros((2, 10), "float32"))
    return model


def graph(api):
    """Two inputs, a shared layer, operations, a nested stack, two outputs."""
    a, b = api.Input((4,), name="a"), api.Input((4,), name="b")
    shared = api.Dense(3)
    z = api.concatenate([shared(a), shared(b)], axis=1)
    z = z[:, 1:] * 2
    # Inside of a model minpy counts anew, Keras goes on: names of its own.
    stack = api.Sequential([api.Dense(3, name="first"), api.Dense(2, name="second")])
    return api.Model([a, b], [z, stack(z)], name="graph")


def branches(api):
    """Branches of different lengths, and an input that comes in late."""
    x, late = api.Input((8,)), api.Input((2,), name="late")
    long = api.Dense(4, name="one")(x)
    long = api.Activation("relu")(long)
    long = api.Dense(4)(long)
    short = api.Dense(4)(x)
    y = api.concatenate([long + short, late], axis=-1)
    return api.Model([late, x], [api.Dense(1, name="out")(y), short])


def nested(api):
    """A model in a model in a model."""
    x = api.Input((4,), name="x")
    inner = api.Model(x, api.Dense(4, activation="tanh", name="h")(x), name="inner")
    z = api.Input((4,), name="z")
    middle = api.Model(z, inner(inner(z)), name="middle")
    stack = api.Sequential([api.Input((4,)), api.BatchNormalization(), middle], name="stack")
    y = api.Input((4,), name="y")
    return api.Model(y, api.Dense(1)(stack(y)), name="outer")


def unknown(api):
    """Lengths that aren't known."""
    x = api.Input((None, 4), batch_size=3)
    h = api.Dense(5)(x)
    return api.Model(x, h[:, -1])


def unbuilt(api):
    """A stack that has seen no data."""
    return api.Sequential([api.Dense(3), api.Dense(2)])


def long_names(api):
    """Names that are longer than their column."""
    x = api.Input((4,), name="the_input_with_a_name_that_is_much_longer_than_its_column_is")
    return api.Model(x, api.Dense(4, name="a_layer")(x), name="m")


MODELS = [chain, frozen, graph, branches, nested, unknown, unbuilt, long_names]
SUMMARIES = [
    {"line_length": 76},
    {"line_length": 90, "expand_nested": True, "show_trainable": True},
    {"line_length": 60, "positions": None, "expand_nested": True},
]


def describe(model):
    """Return what a test compares."""
    found = {"name": model.name, "summaries": []}
    for options in SUMMARIES:
        lines = []
        model.summary(print_fn=lines.append, **options)
        text = "\n".join(lines)
        found["summaries"].append([line.rstrip() for line in text.splitlines() if line.strip()])
    found["layers"] = [[layer.name, layer.trainable] for layer in model.layers]
    if model.built:
        found["params"] = model.count_params()
        found["output_shape"] = json.loads(json.dumps(model.output_shape))
    return found


def main() -> None:
    """Write the file that the test reads."""
    import os

    # Keras cuts the table where the terminal ends.
    os.environ["COLUMNS"] = "200"
    import keras

    api = types.SimpleNamespace(
        **{name: getattr(keras.layers, name) for name in ("Dense", "Dropout", "Activation")},
        BatchNormalization=keras.layers.BatchNormalization,
        Input=keras.Input,
        Model=keras.Model,
        Sequential=keras.Sequential,
        concatenate=keras.ops.concatenate,
    )
    expected = {"keras": keras.__version__}
    for make in MODELS:
        keras.utils.clear_session()
        expected[make.__name__] = describe(make(api))
    EXPECTED.write_text(json.dumps(expected, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
