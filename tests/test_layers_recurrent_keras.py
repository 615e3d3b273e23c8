"""Recurrent layers compared with Keras 3.15: outputs, gradients, 20 steps of training."""

import importlib.util
import json
import pathlib

import numpy
import pytest

import minpy
import minpy.numpy as np
from minpy import layers, models
from minpy.autograd.containers import flatten
from minpy.layers.parameter import bound

HERE = pathlib.Path(__file__).parent
spec = importlib.util.spec_from_file_location("keras_recurrent", HERE / "keras_recurrent.py")
generator = importlib.util.module_from_spec(spec)
spec.loader.exec_module(generator)
EXPECTED = json.loads((HERE / "keras_recurrent.json").read_text())
CASES = EXPECTED["cases"]
numbers = generator.numbers


def label(told):
    inner = told["of"]["arguments"]
    parts = [f"{k}={v}" for k, v in inner.items() if not isinstance(v, dict | list)]
    return "-".join(
        [told["of"]["layer"], *parts, *(k for k in ("masked", "initial") if told.get(k))]
    )


each = pytest.mark.parametrize("told", CASES, ids=[label(c) for c in CASES])
trained = [c for c in CASES if "losses" in c]


def keras_shape(parameter):
    """Return the shape that a weight has in Keras: there the channels of kernels come last."""
    shape = parameter.shape
    return (*shape[2:], shape[1], shape[0]) if len(shape) > 2 else shape


def ours(values, parameter):
    values = numpy.asarray(values, "float64").reshape(keras_shape(parameter))
    return numpy.moveaxis(values, (-1, -2), (0, 1)) if values.ndim > 2 else values


def first_weights(layer):
    return [ours(0.8 * numbers(keras_shape(p), 10 + i), p) for i, p in enumerate(layer.weights)]


def mask_of(told):
    samples, steps = told["shape"][:2]
    mask = numpy.ones((samples, steps), bool)
    mask[1, [1, steps - 1]] = False
    mask[2, :2] = False
    return mask


def ready(told, dtype):
    with_dtype = json.loads(json.dumps(told["of"]))
    layer = generator.build(with_dtype, layers)
    layer._build_once((None, *told["shape"][1:]))
    layer.set_weights(first_weights(layer))
    return layer


@each
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_outputs_and_gradients_are_keras(told, dtype):
    minpy.set_default_dtype(dtype)
    try:
        layer = ready(told, dtype)
        x = numbers(told["shape"], 1)
        options = {}
        if told.get("masked"):
            mask = mask_of(told)
            x = x * mask.reshape(*mask.shape, *[1] * (x.ndim - 2))
            options["mask"] = np.array(mask)
        if told.get("initial"):
            count = 2 if told["of"]["layer"] == "LSTM" else 1
            shape = (told["shape"][0], told["of"]["arguments"]["units"])
            options["initial_state"] = [
                np.array(numbers(shape, 40 + i).astype(dtype)) for i in range(count)
            ]
        parameters = layer.weights
        found = []

        def loss(x, *values):
            with bound(parameters, list(values)):
                outputs = flatten(layer(x, **options))[0]
            found[:] = outputs
            return sum(
                np.sum(o * numbers(o.shape, 50 + i).astype(dtype)) for i, o in enumerate(outputs)
            )

        given = [np.array(x.astype(dtype)), *[p.value for p in parameters]]
        loss(*given)
        outputs = [o.asnumpy() for o in found]
        gradients = minpy.grad(loss, tuple(range(len(given))))(*given)
    finally:
        minpy.set_default_dtype("float32")
    close = {"rtol": 1e-6, "atol": 1e-6} if dtype == "float64" else {"rtol": 2e-5, "atol": 2e-5}
    assert len(outputs) == len(told["outputs"])
    for a, b in zip(outputs, told["outputs"], strict=True):
        assert list(a.shape) == b["shape"]
        numpy.testing.assert_allclose(a.ravel(), b["values"], **close)
    numpy.testing.assert_allclose(gradients[0].asnumpy().ravel(), told["of_input"], **close)
    for g, p, expected in zip(gradients[1:], parameters, told["of_weights"], strict=True):
        numpy.testing.assert_allclose(g.asnumpy(), ours(expected, p), **close)


@pytest.mark.parametrize("jit", [False, "auto"], ids=["eager", "compiled"])
@pytest.mark.parametrize("told", trained, ids=[label(c) for c in trained])
def test_twenty_steps_of_training_are_keras(told, jit):
    layer = ready(told, "float32")
    x = numbers(told["shape"], 1)
    stack = [layer]
    if told.get("masked"):
        mask = mask_of(told)
        x = x * mask.reshape(*mask.shape, *[1] * (x.ndim - 2))
        stack = [layers.Masking(), layer]
    shape = told["outputs"][0]["shape"]
    model = models.Sequential(stack)
    model.compile(minpy.optimizers.SGD(generator.RATE), "mse", jit=jit)
    history = model.fit(
        x.astype("float32"),
        numbers(shape, 60).astype("float32"),
        batch_size=len(x),
        epochs=generator.EPOCHS,
        shuffle=False,
        verbose=0,
    )
    if jit and minpy.runtime.available():
        assert model.jit_status == "compiled"
    numpy.testing.assert_allclose(history.history["loss"], told["losses"], rtol=3e-5, atol=1e-6)
    for p, expected in zip(layer.weights, told["trained"], strict=True):
        numpy.testing.assert_allclose(p.numpy(), ours(expected, p), rtol=2e-4, atol=2e-5)
