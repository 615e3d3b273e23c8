"""Normalizing layers in graphs, and what they refuse; `test_layers_keras` has Keras' numbers."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from layer_references import NEEDS_MXNET

import minpy
import minpy.numpy as mnp
from minpy import layers
from minpy.errors import ShapeError
from minpy.layers import functions as F
from minpy.models import Sequential, load_model


def some(*shape, dtype="float64", seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype) * 2 + 1


FUNCTIONS = {
    "layer": (lambda x, g, b: F.layer_norm(x, g, b, eps=0.1), 6),
    "layer, two axes": (lambda x, g, b: F.layer_norm(x, g, b, axis=(1, 2), eps=0.1), (4, 6)),
    "layer, first axis": (lambda x, g, b: F.layer_norm(x, g, b, axis=1, eps=0.1), 4),
    "root mean square": (lambda x, g, b: F.rms_norm(x, g, eps=0.1) + b, 6),
    "group": (lambda x, g, b: F.group_norm(x, 2, g, b, eps=0.1), 4),
    "group, last axis": (lambda x, g, b: F.group_norm(x, 3, g, b, axis=-1, eps=0.1), 6),
    "unit": (lambda x, g, b: F.unit_norm(x, (1, 2)) * g + b, 6),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_derivatives_to_second_order_are_those_of_finite_differences(name):
    function, shape = FUNCTIONS[name]
    g, b = some(*np.atleast_1d(shape), seed=1), some(*np.atleast_1d(shape), seed=2)
    minpy.check_grads(lambda *a: mnp.tanh(function(*a)), tol=1e-4, rtol=1e-4)(some(2, 4, 6), g, b)


@pytest.mark.usefixtures("by_program_and_by_graph")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["layer", "root mean square", "group"])
def test_the_compiled_loops_the_simple_steps_and_the_graph_agree(name, dtype, monkeypatch):
    function = FUNCTIONS[name][0]
    shape = (40, 16, 64)
    channels = shape[1] if name == "group" else shape[2]
    arrays = [mnp.array(some(*s, dtype=dtype, seed=i))
              for i, s in enumerate((shape, (channels,), (channels,)))]  # fmt: skip

    def found(f):
        out = f(*arrays)
        return [out, *minpy.grad(lambda *a: mnp.sum(f(*a) ** 3), (0, 1, 2))(*arrays)]

    results = [found(function)]
    if not NEEDS_MXNET:
        compiled = minpy.jit(function)
        results.append(found(compiled))
        assert compiled.jit_status == "compiled"
    for module in ("layer_norm", "group_norm"):
        monkeypatch.setattr(sys.modules[f"minpy.layers.functions.{module}"], "compiled_loops",
                            lambda *a: None)  # fmt: skip
    results.append(found(function))
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            tol = 2e-4 if dtype == "float32" else 1e-11
            np.testing.assert_allclose(
                a.asnumpy(), b.asnumpy(), rtol=tol, atol=tol * abs(b.asnumpy()).max()
            )


def test_statistics_of_float16_are_made_in_float32():
    x = (some(64, 1000, dtype="float32") * 100).astype("float16")
    out = F.layer_norm(x)
    assert out.dtype == np.float16
    np.testing.assert_allclose(out.asnumpy().astype("float32").std(1), 1, rtol=1e-2)


def test_normalized_samples_have_mean_0_and_variance_1_or_length_1():
    x = mnp.array(some(5, 4, 6))
    for layer, axes in [
        (layers.LayerNormalization(epsilon=0, axis=[1, 2]), (1, 2)),
        (layers.LayerNormalization(epsilon=0), 2),
        (layers.GroupNormalization(1, epsilon=0), (1, 2)),
    ]:
        out = layer(x).asnumpy()
        np.testing.assert_allclose(out.mean(axes), 0, atol=1e-6)
        np.testing.assert_allclose(out.var(axes), 1, rtol=1e-5)
    out = layers.RMSNormalization(epsilon=0)(x).asnumpy()
    np.testing.assert_allclose((out**2).mean(-1), 1, rtol=1e-6)
    out = layers.UnitNormalization()(x).asnumpy()
    np.testing.assert_allclose(np.linalg.norm(out, axis=-1), 1, rtol=1e-6)


def test_spectral_normalization_keeps_the_largest_singular_value_at_1():
    for inner, shape in [
        (layers.Dense(4), (3, 6)),
        (layers.Conv2D(4, 3), (2, 3, 5, 5)),
    ]:
        x = mnp.array(some(*shape, dtype="float32"))
        layer = layers.SpectralNormalization(inner, power_iterations=50)
        layer(x, training=True)
        kernel = inner.kernel.asnumpy()
        matrix = kernel if kernel.ndim == 2 else kernel.reshape(kernel.shape[0], -1)
        expected = inner(x).asnumpy() / np.linalg.norm(matrix, 2)  # the biases are 0
        np.testing.assert_allclose(layer(x, training=True).asnumpy(), expected, rtol=1e-3)
        # As in training, with the vector that the training left; and the kernel stays as it is.
        np.testing.assert_allclose(layer(x).asnumpy(), expected, rtol=1e-3)
        np.testing.assert_array_equal(inner.kernel.asnumpy(), kernel)


def test_padding_does_not_count_in_the_statistics_of_batch_normalization():
    x = some(4, 5, 3, dtype="float32")
    mask = np.arange(5) < np.array([5, 2, 3, 1])[:, None]
    layer = layers.BatchNormalization(axis=-1, momentum=0.0)
    layer(mnp.array(x), training=True, mask=mnp.array(mask))
    np.testing.assert_allclose(layer.moving_mean.asnumpy(), x[mask].mean(0), rtol=1e-5)
    np.testing.assert_allclose(layer.moving_variance.asnumpy(), x[mask].var(0), rtol=1e-5)


def test_all_of_them_in_one_model_are_saved_loaded_and_trained_compiled(tmp_path):
    model = Sequential([
        layers.LayerNormalization(input_shape=(4, 6)),
        layers.SpectralNormalization(layers.Dense(6)),
        layers.RMSNormalization(),
        layers.GroupNormalization(3),
        layers.BatchNormalization(axis=-1, synchronized=True),
        layers.UnitNormalization(axis=[1, 2]),
    ])  # fmt: skip
    model.compile("adam", "mse")
    x = some(8, 4, 6, dtype="float32")
    model.fit(x, x, epochs=2, batch_size=4, verbose=0)
    assert NEEDS_MXNET or model.jit_status == "compiled"
    model.save(tmp_path / "model.h5")
    again = load_model(tmp_path / "model.h5")
    np.testing.assert_array_equal(again.predict(x, verbose=0), model.predict(x, verbose=0))
    assert again.get_config() == model.get_config()


def test_settings_and_inputs_that_make_no_sense_are_refused_before_a_weight_is_made():
    x = mnp.ones((2, 3, 4))
    for layer, message in [
        (layers.LayerNormalization(axis=3), r"axes of an input with 3 axes, got 3"),
        (layers.LayerNormalization(axis=[1, -2]), "names one axis twice"),
        (layers.RMSNormalization(axis=5), "axes of an input with 3 axes, got 5"),
        (layers.GroupNormalization(3), r"multiple of 3 groups, got 4 of an input"),
        (layers.GroupNormalization(2, axis=4), "axis 4 is no axis of channels"),
        (layers.UnitNormalization(axis=4), "axes of an input with 3 axes, got 4"),
        (layers.SpectralNormalization(layers.Flatten()), "neither a kernel nor embeddings"),
    ]:
        with pytest.raises(ShapeError, match=message):
            layer(x)
        assert not layer.weights
    with pytest.raises(ValueError, match="epsilon from 0, got -1"):
        layers.LayerNormalization(epsilon=-1)
    with pytest.raises(TypeError, match="axis to be a number or a list of them, got 'last'"):
        layers.LayerNormalization(axis="last")
    with pytest.raises(ValueError, match="positive number of groups, or -1, got 0"):
        layers.GroupNormalization(0)
    with pytest.raises(ValueError, match="power_iterations from 1, got 0"):
        layers.SpectralNormalization(layers.Dense(2), power_iterations=0)
    with pytest.raises(TypeError, match="expected a layer, got 'dense'"):
        layers.SpectralNormalization("dense")
    with pytest.raises(TypeError, match="layer_norm: expected x of a float dtype, got int64"):
        F.layer_norm(np.ones((2, 3), "int64"))
    with pytest.raises(ShapeError, match=r"gamma of shape \(3,\), got \(2,\)"):
        F.layer_norm(np.ones((2, 3)), np.ones(2))
