"""Compares layers with what Keras gave for them: `keras_layer_values` describes a case."""

from __future__ import annotations

import json
import pathlib

import numpy as np
from keras_layer_values import (
    RATE,
    called,
    inputs_of,
    numbers,
    options_of,
    weights_of,
)
from layer_references import NEEDS_MXNET

import minpy
import minpy.numpy as mnp
from minpy import layers
from minpy.autograd import value_and_grad
from minpy.layers import serialization
from minpy.layers.parameter import bound
from minpy.models import Model

HERE = pathlib.Path(__file__).parent


def cases_of(*families):
    """Return families' cases, each with what Keras gave, as pytest's parameters."""
    import pytest

    return [
        pytest.param(each, id=f"{family}-{i}-{each['kind']}")
        for family in families
        for i, each in enumerate(json.loads((HERE / f"keras_{family}.json").read_text())["cases"])
    ]


def is_trained(parameters):
    """Say whether a case has losses of training, in training's mode."""
    case = parameters.values[0]
    return "losses" in case and case["options"].get("training", True)


def made(case):
    """Return the case's layer, built, with its weights; and arguments to call it with."""
    settings = dict(case["settings"])
    if "layer" in settings:
        settings["layer"] = serialization.deserialize(settings["layer"])
    layer = getattr(layers, case["kind"])(**settings)
    inputs = [mnp.array(x) for x in inputs_of(case)]
    options = options_of(case["options"])
    options = {
        name: [None if v is None else mnp.array(v) for v in value]
        if isinstance(value, list)
        else mnp.array(value)
        if isinstance(value, np.ndarray)
        else value
        for name, value in options.items()
    }
    called(
        layer,
        case["call"],
        inputs,
        {**options, "training": False} if options.pop("training", None) is not None else options,
    )
    options = {**options, **{k: v for k, v in case["options"].items() if k == "training"}}
    trained = layer.trainable_weights
    assert [list(p.shape) for p in trained] == case["weights"]
    for p, value in zip(trained, weights_of(case["weights"]), strict=True):
        p.assign(value)
    for p, value in zip(layer.non_trainable_weights, case["others"], strict=True):
        p.assign(array_of(value))
    return layer, inputs, options


def array_of(stored):
    return np.array(stored["values"], "float32").reshape(stored["shape"])


def close(found, stored, tol=2e-5, what=""):
    expected = array_of(stored)
    np.testing.assert_allclose(
        np.asarray(found),
        expected,
        rtol=tol,
        atol=tol * max(1.0, abs(expected).max(initial=0)),
        err_msg=what,
    )


def check_values(case, tol=2e-5):
    """Compare outputs, and gradients of inputs and weights."""
    layer, inputs, options = made(case)
    trained = layer.trainable_weights
    others = [p.numpy() for p in layer.non_trainable_weights]
    out = called(layer, case["call"], inputs, options)
    out, second = out if isinstance(out, tuple) else (out, None)
    assert out.dtype == np.float32
    close(out, case["output"], tol, "output")
    if second is not None:
        close(second, case["second_output"], tol, "second output")
    shapes = [(None, *x.shape[1:]) for x in inputs]
    expected = {
        "one": lambda: layer.compute_output_shape(shapes[0]),
        "args": lambda: layer.compute_output_shape(*shapes),
        "list": lambda: layer.compute_output_shape(shapes),
    }[case["call"]]()
    assert tuple(expected)[1:] == out.shape[1:]
    for p, value in zip(layer.non_trainable_weights, others, strict=True):
        p.assign(value)
    given = mnp.array(numbers(out.shape, seed=9))

    def weighted(values, inputs):
        with bound(trained, values):
            y = called(layer, case["call"], inputs, options)
            return mnp.sum((y[0] if isinstance(y, tuple) else y) * given)

    whole = case["kind"].endswith("Embedding")  # indices have no derivative; Keras gives zeros
    _, (to_weights, *to_inputs) = value_and_grad(weighted, (0,) if whole else (0, 1))(
        [p.value for p in trained], inputs
    )
    to_inputs = [mnp.zeros_like(x) for x in inputs] if whole else to_inputs[0]
    for i, (g, stored) in enumerate(zip(to_inputs, case["input_gradients"], strict=True)):
        close(g, stored, tol, f"gradient of input {i}")
    for p, g, stored in zip(trained, to_weights, case["weight_gradients"], strict=True):
        close(g, stored, tol, f"gradient of {p.path}")


class Wrapped(Model):
    """A model of one layer, called as a case says."""

    def __init__(self, layer, how, inputs, options):
        super().__init__()
        self.layer, self.how, self.taken, self.options = layer, how, inputs, options

    def call(self, x):
        # Masks are inputs of the model too, behind the layer's.
        x = list(x) if isinstance(x, list | tuple) else [x]
        masks = iter(x[self.taken :])

        def filled(value):
            if isinstance(value, list):
                return [filled(part) for part in value]
            return next(masks) if isinstance(value, mnp.ndarray) else value

        options = {name: filled(value) for name, value in self.options.items()}
        y = called(self.layer, self.how, x[: self.taken], options)
        # A result of an operation has no mask; the loss would take it.
        return (y[0] if isinstance(y, tuple) else y) * 1.0


def masks_in(value):
    """Return the arrays among a call's options, in order."""
    if isinstance(value, mnp.ndarray):
        return [value]
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [mask for part in parts for mask in masks_in(part)]


def check_training(case, jit, tol=1e-4):
    """Compare the losses of 20 steps; compiled ones must have been compiled."""
    layer, inputs, options = made(case)
    options.pop("training", None)
    model = Wrapped(layer, case["call"], len(inputs), options)
    model.compile(minpy.optimizers.SGD(RATE), "mse", jit=jit)
    x = [np.asarray(x) for x in (*inputs, *masks_in(options))]
    y = numbers(tuple(case["output"]["shape"]), seed=10)
    found = []
    for _ in case["losses"]:
        model.reset_metrics()  # else it would be the mean of all steps
        loss = model.train_on_batch(x if len(x) > 1 else x[0], y)
        found.append(loss[0] if isinstance(loss, list) else loss)
    np.testing.assert_allclose(found, case["losses"], rtol=tol, atol=1e-6)
    if jit == "auto" and not NEEDS_MXNET:
        assert model.jit_status == "compiled"


def check_configuration(case, tmp_path):
    """Check that the configuration makes an equal layer, and that a file keeps it."""
    layer, inputs, options = made(case)
    config = json.loads(json.dumps(serialization.serialize(layer)))
    again = serialization.deserialize(config)
    assert json.loads(json.dumps(serialization.serialize(again))) == config
    options = {name: value for name, value in options.items() if name != "training"}
    called(again, case["call"], inputs, options)
    again.set_weights(layer.get_weights())
    first, second = (called(one, case["call"], inputs, options) for one in (layer, again))
    first, second = (y[0] if isinstance(y, tuple) else y for y in (first, second))
    np.testing.assert_array_equal(np.asarray(first), np.asarray(second))
