"""Merging layers in graphs, and what they refuse; `test_layers_keras` has Keras' numbers."""

from __future__ import annotations

import numpy as np
import pytest
from keras_layer_values import numbers
from layer_references import NEEDS_MXNET

import minpy.numpy as mnp
from minpy import layers
from minpy.errors import ShapeError
from minpy.models import Model, load_model


def test_the_functions_are_the_layers():
    x, y = (mnp.array(numbers((2, 3), seed=i)) for i in (1, 2))
    for function, kind, expected in [
        (layers.add, "Add", x + y),
        (layers.subtract, "Subtract", x - y),
        (layers.multiply, "Multiply", x * y),
        (layers.average, "Average", (x + y) / 2),
        (layers.maximum, "Maximum", mnp.maximum(x, y)),
        (layers.minimum, "Minimum", mnp.minimum(x, y)),
        (layers.concatenate, "Concatenate", mnp.concatenate([x, y], -1)),
        (lambda pair: layers.dot(pair, axes=1), None, mnp.sum(x * y, 1, keepdims=True)),
    ]:
        np.testing.assert_allclose(function([x, y]).asnumpy(), expected.asnumpy(), rtol=1e-6)
        np.testing.assert_allclose(
            function([x.asnumpy(), y.asnumpy()]).asnumpy(), expected.asnumpy(), rtol=1e-6
        )
        if kind:
            np.testing.assert_array_equal(
                getattr(layers, kind)()([x, y]).asnumpy(), function([x, y]).asnumpy()
            )


def test_symbolic_inputs_make_a_model_that_is_saved_and_trained_compiled(tmp_path):
    x, y = layers.Input((3, 4)), layers.Input((3, 4))
    parts = [
        layers.add([x, y]),
        layers.subtract([x, y]),
        layers.multiply([x, y]),
        layers.average([x, y]),
        layers.maximum([x, y]),
        layers.minimum([x, y]),
        layers.dot([x, y], axes=(2, 2)),
    ]
    out = layers.concatenate(parts)
    assert out.shape == (None, 3, 27)
    model = Model([x, y], layers.Dense(2)(out))
    model.compile("sgd", "mse")
    data = [numbers((8, 3, 4), seed=i) for i in (1, 2)]
    model.fit(data, np.ones((8, 3, 2)), batch_size=4, verbose=0)
    assert NEEDS_MXNET or model.jit_status == "compiled"
    model.save(tmp_path / "model.h5")
    again = load_model(tmp_path / "model.h5")
    np.testing.assert_array_equal(again.predict(data, verbose=0), model.predict(data, verbose=0))


def masked_pair():
    x, y = (numbers((2, 3, 2), seed=i) for i in (1, 2))
    masks = np.array([[1, 1, 0], [1, 0, 0]], bool), np.array([[1, 0, 0], [1, 1, 0]], bool)
    return [mnp.array(x), mnp.array(y)], [mnp.array(m) for m in masks]


def test_the_mask_of_a_merged_array_holds_where_one_of_the_masks_does():
    pair, masks = masked_pair()
    expected = masks[0].asnumpy() | masks[1].asnumpy()
    for kind in ("Add", "Subtract", "Average", "Maximum", "Minimum", "Multiply", "Concatenate"):
        layer = getattr(layers, kind)()
        np.testing.assert_array_equal(layer.compute_mask(pair, masks).asnumpy(), expected)
        assert layer.compute_mask(pair, None) is None
    assert layers.Add().compute_mask(pair, [masks[0], None]) is None
    joined = layers.Concatenate(axis=1).compute_mask(pair, [masks[0], None]).asnumpy()
    np.testing.assert_array_equal(joined, np.hstack([masks[0].asnumpy(), np.ones((2, 3), bool)]))
    assert layers.Concatenate().compute_mask(pair, [masks[0], None]).asnumpy().all()
    assert layers.Dot(axes=(2, 2)).compute_mask(pair, masks) is None
    with pytest.raises(ValueError, match="list of 2 masks"):
        layers.Add().compute_mask(pair, masks[:1])


def test_what_a_mask_leaves_out_is_no_factor_and_no_extreme():
    pair, masks = masked_pair()
    x, y = (a.asnumpy() for a in pair)
    a, b = (m.asnumpy()[..., None] for m in masks)
    product = np.where(a | b, np.where(a, x, 1) * np.where(b, y, 1), 0)
    np.testing.assert_allclose(layers.Multiply()(pair, mask=masks).asnumpy(), product)
    largest = layers.Maximum()(pair, mask=masks).asnumpy()
    expected = np.where(a & b, np.maximum(x, y), np.where(a, x, y))
    np.testing.assert_array_equal(largest[np.squeeze(a | b)], expected[np.squeeze(a | b)])


def test_inputs_that_do_not_fit_are_refused():
    one = mnp.ones((2, 3))
    for layer, given, message in [
        (layers.Add(), one, r"list of arrays, got one array"),
        (layers.Add(), [one, mnp.ones((2, 4))], "arrays of one shape"),
        (layers.Add(), [one, mnp.ones((5, 3))], "one batch"),
        (layers.Subtract(), [one] * 3, "list of 2 arrays, got 3"),
        (layers.Dot(axes=1), [one], "list of 2 arrays, got 1"),
        (layers.Dot(axes=1), [one, mnp.ones((2, 4))], "equal lengths along axes 1, got 3 and 4"),
        (layers.Dot(axes=0), [one, one], "or the batch's"),
        (layers.Dot(axes=2), [one, one], "axis 2 is no axis of a sample"),
        (layers.Concatenate(), [one, mnp.ones((2, 3, 4))], "equally many axes"),
        (layers.Concatenate(axis=1), [mnp.ones((2, 3, 4)), mnp.ones((2, 3, 5))], "axis 1 only"),
        (layers.Concatenate(axis=2), [one, one], "axis 2 is no axis"),
    ]:
        with pytest.raises(ShapeError, match=message) as raised:
            layer(given)
        if not isinstance(given, list) or len({x.shape[0] for x in given}) == 1:
            assert layer.name in str(raised.value)
    with pytest.raises(ValueError, match=r"axes to be a number or two numbers, got \(1, 2, 3\)"):
        layers.Dot(axes=(1, 2, 3))
    with pytest.raises(ValueError, match="axis to be a number, got None"):
        layers.Concatenate(axis=None)
