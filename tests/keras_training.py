"""Asks Keras for 20 steps of training through what has no weights: layers, activations, losses.

Each input is multiplied by a weight of its own in front of the layer or the loss, so that it is
the gradient of the input that is followed.

    KERAS_BACKEND=jax python tests/keras_training.py
"""

from __future__ import annotations

import json
import os
import pathlib

import keras_activations
import keras_losses
import keras_merging
import keras_normalization
import keras_pooling
import keras_reshaping
import keras_values
import numpy
from keras_layer_values import (
    RATE,
    STEPS,
    called,
    case,
    inputs_of,
    numbers,
    options_of,
    weights_of,
)

EXPECTED = pathlib.Path(__file__).with_suffix(".json")

FIRST = {"data_format": "channels_first"}
IMAGES = [(2, 2, 5, 6)]
PREPROCESSING = [
    case("Rescaling", {"scale": 2.0, "offset": 0.5}, IMAGES),
    case("Normalization", {"mean": [1.0, 2.0, 3.0], "variance": [1.0, 4.0, 0.5]}, [(4, 3)]),
    case("Normalization", {"mean": 1.0, "variance": 4.0, "invert": True}, [(4, 3)]),
    case("Resizing", {"height": 7, "width": 4, **FIRST}, IMAGES),
    case("Resizing", {"height": 3, "width": 9, "interpolation": "nearest", **FIRST}, IMAGES),
    case("CenterCrop", {"height": 3, "width": 4, **FIRST}, IMAGES),
]


def layer_cases():
    """Return cases of each kind of layer without weights: its first, and its last."""
    found = {}
    plain = [*keras_pooling.CASES, *keras_reshaping.CASES]
    for described in [
        *keras_activations.CASES,
        *keras_merging.CASES,
        *keras_normalization.CASES,
        *[case(kind, settings, [shape]) for kind, settings, shape in plain],
        *PREPROCESSING,
    ]:
        kind = described["kind"]
        if kind not in ("PReLU", *TRAINED):
            found.setdefault(kind, []).append(described)
    return [
        described
        for kind, cases in found.items()
        for described in (
            cases if kind in ("Activation", "Normalization") else [cases[0], *cases[1:][-1:]]
        )
    ]


# Their own generator trains these: they have weights.
TRAINED = {
    "BatchNormalization",
    "GroupNormalization",
    "LayerNormalization",
    "RMSNormalization",
    "SpectralNormalization",
}

# An activation that gives what a loss expects of predictions.
IN_FRONT = {
    "one-hot": "softmax",
    "labels": "softmax",
    "sequence": "softmax",
    "yes or no": "sigmoid",
    "one number": "sigmoid",
    "positive": "softplus",
}
# Gradients of these are hundreds and more.
RATES = {"Circle": 1e-4, "MeanAbsolutePercentageError": 1e-4, "exponential": 1e-6}


def problem(name, arguments, kind):
    """Return a loss's targets, the inputs, the activation in front of it, and the rate."""
    asked = keras_losses if kind in ("sequences", "embeddings") else keras_values
    true, x = asked.targets(kind)
    true = true if true.dtype.kind == "i" else true.astype("float32")
    activation = "linear" if arguments.get("from_logits") else IN_FRONT.get(kind, "linear")
    return true, x.astype("float32"), activation, RATES.get(name, RATE)


def losses_of(loss_of, shapes, rate):
    """Return the losses of training weights of given shapes."""
    import jax

    weights = weights_of(shapes)
    step = jax.jit(jax.value_and_grad(loss_of))
    found = []
    for _ in range(STEPS):
        value, gradients = step(weights)
        weights = [w - rate * g for w, g in zip(weights, gradients, strict=True)]
        found.append(float(f"{value:.7g}"))
    return found


def through_layer(described):
    import jax.numpy as jnp
    import keras

    inputs, options = inputs_of(described), options_of(described["options"])
    layer = getattr(keras.layers, described["kind"])(**described["settings"])
    y = called(layer, described["call"], inputs, options)
    target = numbers(tuple(y.shape), seed=10)

    def loss_of(weights):
        scaled = [x * w for x, w in zip(inputs, weights, strict=True)]
        return jnp.mean((called(layer, described["call"], scaled, options) - target) ** 2)

    rate = RATES.get(described["settings"].get("activation"), RATE)
    losses = losses_of(loss_of, [x.shape[1:] for x in inputs], rate)
    return {**described, "output_shape": list(y.shape), "losses": losses}


def through_loss(name, arguments, kind):
    import keras

    true, x, activation, rate = problem(name, arguments, kind)
    loss = getattr(keras.losses, name)(**arguments)
    before = keras.activations.get(activation)
    return losses_of(lambda weights: loss(true, before(x * weights[0])).sum(), [x.shape[1:]], rate)


def through_activation(name, arguments):
    import jax.numpy as jnp
    import keras

    x = keras_values.activation_points().astype("float32")
    function = getattr(keras.activations, name)
    target = numbers(tuple(function(x, **arguments).shape), seed=10)
    return losses_of(
        lambda weights: jnp.mean((function(x * weights[0], **arguments) - target) ** 2),
        [x.shape[1:]],
        RATES.get(name, RATE),
    )


def main():
    import keras

    assert os.environ.get("KERAS_BACKEND") == "jax", "set KERAS_BACKEND=jax"
    losses = [*keras_values.LOSSES, *keras_losses.LOSSES]
    found = {
        "keras": keras.__version__,
        "layers": [through_layer(each) for each in layer_cases()],
        "losses": [[*each, through_loss(*each)] for each in losses],
        "activations": [[*each, through_activation(*each)] for each in keras_values.ACTIVATIONS],
    }
    rows = [[each["kind"], each["losses"]] for each in found["layers"]]
    for row in [*rows, *found["losses"], *found["activations"]]:
        assert numpy.isfinite(row[-1]).all(), row[0]
    EXPECTED.write_text(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
