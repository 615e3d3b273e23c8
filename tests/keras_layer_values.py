"""Asks Keras what a layer gives: outputs, gradients, and 20 steps of training; knows no layer.

The cases of each family are in a module of its own, which also says how to run it.
"""

from __future__ import annotations

import json
import os
import pathlib

import numpy

STEPS = 20
RATE = 0.05


def numbers(shape, seed=0, low=-1.0, high=1.0):
    """Return numbers that look random and are the same everywhere: no generator, no library."""
    count = int(numpy.prod(shape))
    i = numpy.arange(count, dtype=numpy.int64)
    mixed = ((i * i * 31 + i * 7919 + seed * 104729 + 12345) * 48271) % 2147483647
    return (low + (high - low) * (mixed % 10007) / 10007.0).reshape(shape).astype("float32")


def mask_of(shape, seed):
    """Return a mask that leaves about a third out."""
    return numbers(shape, seed=seed) > -0.35


def options_of(described):
    """Return a call's options: a list ``['mask', shape, seed]`` describes a mask."""
    if isinstance(described, list) and described and described[0] == "mask":
        return mask_of(tuple(described[1]), described[2])
    if isinstance(described, list):
        return [options_of(part) for part in described]
    if isinstance(described, dict):
        return {name: options_of(value) for name, value in described.items()}
    return described


def listed(values):
    """Return an array as JSON holds it: its shape, and its numbers to seven digits."""
    values = numpy.asarray(values, "float64")
    return {"shape": values.shape, "values": [float(f"{v:.7g}") for v in values.ravel()]}


def case(kind, settings, shapes, call="one", options=None, scale=1.0, **more):
    """Describe a case.

    Parameters
    ----------
    kind, settings
        The layer's class, and its arguments.
    shapes
        Of the inputs.
    call
        ``'one'``: one input; ``'list'``: a list of them; ``'args'``: one argument each.
    options
        Further arguments of the call, as for `options_of`.
    scale
        The inputs lie between ``-scale`` and ``scale``.
    more
        ``low``: the least input, where it isn't ``-scale``; ``whole``: whether inputs are whole.
    """
    return {
        "kind": kind,
        "settings": settings,
        "shapes": [list(shape) for shape in shapes],
        "call": call,
        "options": options or {},
        "scale": scale,
        **more,
    }


def inputs_of(described):
    """Return a case's inputs."""
    high = described["scale"]
    low = described.get("low", -high)
    found = [
        numbers(tuple(shape), seed=i + 1, low=low, high=high)
        for i, shape in enumerate(described["shapes"])
    ]
    return [numpy.round(x) for x in found] if described.get("whole") else found


def weights_of(shapes):
    """Return values for weights of given shapes, from 0.2 to 1: none of them is a scale of 0."""
    return [numbers(shape, seed=i + 20, low=-0.6, high=1.0) for i, shape in enumerate(shapes)]


def called(layer, how, inputs, options):
    """Call a layer of either library."""
    if how == "one":
        return layer(inputs[0], **options)
    return layer(*inputs, **options) if how == "args" else layer(list(inputs), **options)


def record(described):
    """Return a case with what Keras gives for it."""
    import jax
    import jax.numpy as jnp
    import keras

    inputs, options = inputs_of(described), options_of(described["options"])
    settings = dict(described["settings"])
    if "layer" in settings:
        inner = settings.pop("layer")
        settings["layer"] = getattr(keras.layers, inner["class_name"])(**inner["config"])
    layer = getattr(keras.layers, described["kind"])(**settings)
    called(layer, described["call"], inputs, options)
    fresh = [keras.ops.convert_to_numpy(w) for w in layer.non_trainable_variables]
    trained = weights_of([tuple(w.shape) for w in layer.trainable_variables])

    def output(trained, others, inputs):
        def run(*inputs):
            return layer.stateless_call(trained, others, *inputs, **options)

        if described["call"] == "list":
            return layer.stateless_call(trained, others, list(inputs), **options)
        return run(*inputs)

    y, _ = output(trained, fresh, inputs)
    y = y[0] if isinstance(y, tuple) else y
    given = numbers(y.shape, seed=9)

    def weighted(trained, inputs):
        y, _ = output(trained, fresh, inputs)
        return ((y[0] if isinstance(y, tuple) else y) * given).sum()

    to_weights, to_inputs = jax.grad(weighted, argnums=(0, 1))(trained, inputs)
    found = {
        **described,
        "weights": [list(w.shape) for w in layer.trainable_variables],
        "others": [listed(w) for w in fresh],
        "output": listed(y),
        "input_gradients": [listed(g) for g in to_inputs],
        "weight_gradients": [listed(g) for g in to_weights],
    }
    if isinstance(output(trained, fresh, inputs)[0], tuple):
        found["second_output"] = listed(output(trained, fresh, inputs)[0][1])
    if trained:
        target = numbers(y.shape, seed=10)

        @jax.jit
        def step(trained, others):
            def loss(trained):
                y, others_now = output(trained, others, inputs)
                y = y[0] if isinstance(y, tuple) else y
                return jnp.mean((y - target) ** 2), others_now

            (value, others), gradients = jax.value_and_grad(loss, has_aux=True)(trained)
            return value, [w - RATE * g for w, g in zip(trained, gradients, strict=True)], others

        found["losses"], others = [], fresh
        for _ in range(STEPS):
            value, trained, others = step(trained, others)
            found["losses"].append(float(f"{value:.7g}"))
    return found


def write(path, cases):
    """Write what Keras gives for cases, and which Keras it was."""
    import keras

    assert os.environ.get("KERAS_BACKEND") == "jax", "set KERAS_BACKEND=jax"
    made = {"keras": keras.__version__, "cases": [record(described) for described in cases]}
    pathlib.Path(path).with_suffix(".json").write_text(json.dumps(made) + "\n")
