"""Asks Keras for outputs, gradients and 20 steps of training of convolutional layers.

Run it where Keras and JAX are installed, which the tests themselves don't need:

    KERAS_BACKEND=jax python tests/keras_convolutional.py
"""

from __future__ import annotations

import json
import os
import pathlib

import numpy

STEPS = 20


def numbers(shape, seed=0, low=-1.0, high=1.0):
    """Return numbers that look random and are the same everywhere: no generator, no library."""
    count = int(numpy.prod(shape))
    i = numpy.arange(count, dtype=numpy.int64)
    mixed = ((i * i * 31 + i * 7919 + seed * 104729 + 12345) * 48271) % 2147483647
    return (low + (high - low) * (mixed % 10007) / 10007.0).reshape(shape).astype("float32")


def listed(values):
    """Return an array as JSON holds it: its shape, and its numbers to seven digits."""
    values = numpy.asarray(values, "float64")
    return {"shape": values.shape, "values": [float(f"{v:.7g}") for v in values.ravel()]}


def record(kind, settings, shape):
    """Return what a layer of Keras' gives: output, gradients, and losses while it is trained."""
    import jax
    import keras

    x = numbers(shape, seed=1)
    layer = getattr(keras.layers, kind)(**settings)
    layer.build(shape)
    weights = [numbers(w.shape, seed=i + 2) for i, w in enumerate(layer.weights)]
    layer.set_weights(weights)

    def output(trained, x):
        return layer.stateless_call(trained, [], x)[0]

    y = output(weights, x)
    given = numbers(y.shape, seed=9)
    to_weights, to_x = jax.grad(lambda *a: (output(*a) * given).sum(), argnums=(0, 1))(weights, x)
    found = {
        "kind": kind,
        "settings": settings,
        "shape": shape,
        "output": listed(y),
        "input_gradient": listed(to_x),
        "weight_gradients": [listed(g) for g in to_weights],
    }
    if weights:
        model = keras.Sequential([keras.Input(shape[1:]), layer])
        model.compile(keras.optimizers.SGD(0.05), "mse", jit_compile=False)
        target = numbers(y.shape, seed=10)
        found["losses"] = [float(f"{model.train_on_batch(x, target):.7g}") for _ in range(STEPS)]
    return found


def write(path, cases):
    """Write what Keras gives for cases, and which Keras it was."""
    import keras

    assert os.environ.get("KERAS_BACKEND") == "jax", "set KERAS_BACKEND=jax"
    made = {"keras": keras.__version__, "cases": [record(*case) for case in cases]}
    pathlib.Path(path).with_suffix(".json").write_text(json.dumps(made) + "\n")


FIRST, LAST = {"data_format": "channels_first"}, {"data_format": "channels_last"}
CONV = [
    # kind, settings, shape
    ("Conv1D", {"filters": 4, "kernel_size": 3, **LAST}, (2, 7, 3)),
    ("Conv1D", {"filters": 4, "kernel_size": 3, "padding": "same", **FIRST}, (2, 3, 7)),
    (
        "Conv1D",
        {"filters": 4, "kernel_size": 4, "padding": "same", "strides": 2, **LAST},
        (2, 7, 3),
    ),
    ("Conv1D", {"filters": 4, "kernel_size": 3, "padding": "causal", **LAST}, (2, 7, 3)),
    (
        "Conv1D",
        {"filters": 4, "kernel_size": 3, "padding": "causal", "dilation_rate": 2, **FIRST},
        (2, 3, 7),
    ),
    (
        "Conv1D",
        {"filters": 4, "kernel_size": 2, "padding": "causal", "strides": 2, **LAST},
        (2, 8, 3),
    ),
    (
        "Conv1D",
        {"filters": 4, "kernel_size": 2, "groups": 2, "use_bias": False, **LAST},
        (2, 6, 4),
    ),
    ("Conv2D", {"filters": 4, "kernel_size": 3, **LAST}, (2, 5, 6, 3)),
    ("Conv2D", {"filters": 4, "kernel_size": [2, 3], "activation": "tanh", **FIRST}, (2, 3, 5, 6)),
    (
        "Conv2D",
        {"filters": 4, "kernel_size": [3, 2], "padding": "same", "strides": [2, 1], **FIRST},
        (2, 3, 6, 5),
    ),
    (
        "Conv2D",
        {"filters": 4, "kernel_size": 3, "padding": "same", "strides": 2, **LAST},
        (2, 6, 5, 3),
    ),
    (
        "Conv2D",
        {"filters": 4, "kernel_size": 3, "padding": "same", "dilation_rate": [1, 2], **FIRST},
        (2, 2, 5, 6),
    ),
    ("Conv2D", {"filters": 6, "kernel_size": 2, "groups": 3, **FIRST}, (2, 6, 4, 4)),
    (
        "Conv2D",
        {
            "filters": 2,
            "kernel_size": 2,
            "kernel_regularizer": "l2",
            "bias_regularizer": "l1",
            "kernel_constraint": "non_neg",
            **LAST,
        },
        (2, 4, 4, 2),
    ),
    ("Conv3D", {"filters": 3, "kernel_size": 2, **LAST}, (2, 3, 4, 3, 2)),
    (
        "Conv3D",
        {"filters": 3, "kernel_size": [2, 3, 2], "padding": "same", "strides": [1, 2, 2], **FIRST},
        (2, 2, 3, 4, 4),
    ),
    (
        "Conv3D",
        {"filters": 4, "kernel_size": 2, "dilation_rate": 2, "groups": 2, **FIRST},
        (1, 2, 4, 4, 4),
    ),
]
TRANSPOSED = [
    ("Conv1DTranspose", {"filters": 4, "kernel_size": 3, "strides": 2, **LAST}, (2, 5, 3)),
    ("Conv1DTranspose", {"filters": 4, "kernel_size": 2, "strides": 3, **FIRST}, (2, 3, 4)),
    *[
        (
            "Conv1DTranspose",
            {
                "filters": 2,
                "kernel_size": kernel,
                "strides": 3,
                "padding": padding,
                "output_padding": extra,
                **FIRST,
            },
            (1, 2, 4),
        )
        for kernel in (2, 3, 4, 5)
        for padding in ("same", "valid")
        for extra in (None, 0, 1, 2)
    ],
    ("Conv2DTranspose", {"filters": 4, "kernel_size": 3, **LAST}, (2, 4, 3, 3)),
    (
        "Conv2DTranspose",
        {"filters": 4, "kernel_size": [3, 2], "strides": 2, "padding": "same", **FIRST},
        (2, 3, 4, 3),
    ),
    (
        "Conv2DTranspose",
        {
            "filters": 3,
            "kernel_size": 4,
            "strides": 2,
            "padding": "same",
            "output_padding": [1, 0],
            **LAST,
        },
        (2, 3, 3, 2),
    ),
    (
        "Conv2DTranspose",
        {"filters": 3, "kernel_size": 3, "padding": "same", "dilation_rate": 2, **FIRST},
        (2, 2, 4, 4),
    ),
    (
        "Conv3DTranspose",
        {"filters": 2, "kernel_size": 2, "strides": [1, 2, 2], **FIRST},
        (1, 2, 3, 2, 2),
    ),
    (
        "Conv3DTranspose",
        {"filters": 2, "kernel_size": 3, "strides": 2, "padding": "same", **LAST},
        (1, 2, 2, 3, 2),
    ),
    (
        "Conv3DTranspose",
        {"filters": 2, "kernel_size": 2, "dilation_rate": 2, **FIRST},
        (1, 2, 2, 3, 2),
    ),
]
DEPTHWISE = [
    ("DepthwiseConv1D", {"kernel_size": 3, "padding": "same", **LAST}, (2, 6, 3)),
    (
        "DepthwiseConv1D",
        {"kernel_size": 2, "strides": 2, "depth_multiplier": 2, **FIRST},
        (2, 3, 7),
    ),
    ("DepthwiseConv2D", {"kernel_size": 3, "depth_multiplier": 2, **LAST}, (2, 5, 4, 3)),
    (
        "DepthwiseConv2D",
        {"kernel_size": [3, 2], "strides": 2, "padding": "same", "use_bias": False, **FIRST},
        (2, 3, 6, 5),
    ),
    ("DepthwiseConv2D", {"kernel_size": 2, "dilation_rate": 2, **FIRST}, (2, 3, 5, 5)),
    ("SeparableConv1D", {"filters": 4, "kernel_size": 3, **LAST}, (2, 6, 3)),
    (
        "SeparableConv1D",
        {"filters": 4, "kernel_size": 2, "dilation_rate": 2, "depth_multiplier": 2, **LAST},
        (2, 6, 3),
    ),
    (
        "SeparableConv2D",
        {"filters": 4, "kernel_size": 3, "padding": "same", "strides": 2, **LAST},
        (2, 6, 5, 3),
    ),
    (
        "SeparableConv2D",
        {"filters": 4, "kernel_size": 2, "depth_multiplier": 2, "activation": "relu", **FIRST},
        (2, 3, 5, 4),
    ),
]

if __name__ == "__main__":
    write(__file__, [*CONV, *TRANSPOSED, *DEPTHWISE])
