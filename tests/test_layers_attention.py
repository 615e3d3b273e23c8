"""Attention layers in graphs, and what they refuse; `test_layers_keras` has Keras' numbers."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from keras_layer_values import numbers
from layer_references import NEEDS_MXNET

import minpy
import minpy.numpy as mnp
from minpy import layers
from minpy.errors import ShapeError
from minpy.layers import functions as F
from minpy.layers.functions.contraction import contract, parse_equation
from minpy.models import Model, load_model


def ones(*shape):
    return mnp.ones(shape)


def test_a_query_that_may_attend_to_nothing_gets_the_bias_of_the_output():
    layer = layers.MultiHeadAttention(2, 3)
    x = mnp.array(numbers((2, 4, 6)))
    mask = np.ones((2, 4), bool)
    mask[0, 1:] = False
    out = layer(x, x)
    layer.output_dense.bias = numbers((6,), seed=3)
    out, weights = layer(x, x, query_mask=mnp.array(mask), return_attention_scores=True)
    np.testing.assert_allclose(out.asnumpy()[0, 1:], np.tile(numbers((6,), seed=3), (3, 1)))
    assert not weights.asnumpy()[0, :, 1:].any()
    np.testing.assert_allclose(weights.asnumpy()[1].sum(-1), 1, rtol=1e-6)


def test_no_number_after_a_query_changes_what_a_causal_mask_lets_through():
    for layer in (layers.MultiHeadAttention(2, 3), layers.GroupQueryAttention(3, 4, 2)):
        x = numbers((1, 5, 6))
        before = layer(mnp.array(x), mnp.array(x), use_causal_mask=True).asnumpy()
        x[0, 3:] += 1.0
        after = layer(mnp.array(x), mnp.array(x), use_causal_mask=True).asnumpy()
        np.testing.assert_array_equal(before[0, :3], after[0, :3])
        assert (before[0, 3:] != after[0, 3:]).any()


def test_dropout_drops_attention_weights_in_training_only():
    layer = layers.MultiHeadAttention(2, 3, dropout=0.5, seed=1)
    x = mnp.array(numbers((2, 4, 6)))
    np.testing.assert_array_equal(layer(x, x).asnumpy(), layer(x, x).asnumpy())
    first, second = (layer(x, x, training=True).asnumpy() for _ in range(2))
    assert (first != second).any()
    out = layers.Attention(dropout=0.5)([x, x], training=True)
    assert (out != layers.Attention()([x, x])).any()


def test_the_function_is_the_published_formula_to_second_order():
    rng = np.random.default_rng(0)
    q, k, v = (rng.standard_normal((2, n, d)) for n, d in ((3, 4), (5, 4), (5, 2)))
    mask = rng.random((2, 3, 5)) > 0.3
    mask[:, :, 0] = True
    out, weights = F.dot_product_attention(q, k, v, mask)
    scores = np.where(mask, q @ k.swapaxes(1, 2) / 2.0, -np.inf)
    expected = np.exp(scores - scores.max(-1, keepdims=True))
    expected /= expected.sum(-1, keepdims=True)
    np.testing.assert_allclose(weights.asnumpy(), expected, rtol=1e-12)
    np.testing.assert_allclose(out.asnumpy(), expected @ v, rtol=1e-12)
    minpy.check_grads(lambda *a: F.dot_product_attention(*a, mask)[0])(q, k, v)
    # Groups of queries that share keys.
    grouped, _ = F.dot_product_attention(np.stack([q, 2 * q], 1), k, v)
    for i, factor in enumerate((1, 2)):
        alone, _ = F.dot_product_attention(factor * q, k, v)
        np.testing.assert_allclose(grouped.asnumpy()[:, i], alone.asnumpy(), rtol=1e-12)


@pytest.mark.parametrize("equation", ["abc,bcd->abd", "abc,cd->adb", "abc,bd->adc", "abc,dbc->ab"])
def test_contractions_are_einsums_to_second_order(equation):
    rng = np.random.default_rng(0)
    lengths = {"a": 2, "b": 3, "c": 4, "d": 5}
    x, y = (rng.standard_normal([lengths[c] for c in part])
            for part in equation.split("->")[0].split(","))  # fmt: skip
    letters = parse_equation(equation, 3)
    found = contract(mnp.array(x), mnp.array(y), letters)
    np.testing.assert_allclose(found.asnumpy(), np.einsum(equation, x, y), rtol=1e-12)
    minpy.check_grads(lambda x, y: contract(x, y, letters))(x, y)


def test_all_of_them_in_one_model_are_saved_loaded_and_trained_compiled(tmp_path):
    words = layers.Input((5, 6))
    mha = layers.MultiHeadAttention(2, 3, name="mha")(words, words, use_causal_mask=True)
    gqa = layers.GroupQueryAttention(3, 4, 2)(mha, words)
    dense = layers.EinsumDense("abc,cd->abd", (None, 6), bias_axes="d")(gqa)
    out = layers.AdditiveAttention()([layers.Attention(use_scale=True)([dense, words]), words])
    model = Model(words, out)
    assert model.output_shape == (None, 5, 6)
    model.compile("adam", "mse")
    x = numbers((8, 5, 6), seed=2)
    model.fit(x, x, epochs=2, batch_size=4, verbose=0)
    assert NEEDS_MXNET or model.jit_status == "compiled"
    model.save(tmp_path / "model.h5")
    again = load_model(tmp_path / "model.h5")
    np.testing.assert_array_equal(again.predict(x, verbose=0), model.predict(x, verbose=0))
    assert again.get_config() == model.get_config()


def test_settings_that_make_no_sense_are_refused():
    for name in ("num_heads", "key_dim", "value_dim"):
        with pytest.raises(ValueError, match=f"{name} to be a positive number, got 0"):
            layers.MultiHeadAttention(**{"num_heads": 1, "key_dim": 1, name: 0})
    with pytest.raises(ValueError, match="dropout from 0 to below 1, got 1"):
        layers.MultiHeadAttention(1, 1, dropout=1)
    with pytest.raises(ValueError, match="no flash attention here"):
        layers.MultiHeadAttention(1, 1, flash_attention=True)
    with pytest.raises(ValueError, match="sliding_window to be None or a positive number, got 0"):
        layers.GroupQueryAttention(1, 2, 1, sliding_window=0)
    with pytest.raises(ValueError, match="multiple of num_key_value_heads, got 3 and 2"):
        layers.GroupQueryAttention(4, 3, 2)
    with pytest.raises(ValueError, match="score_mode 'dot' or 'concat', got 'cat'"):
        layers.Attention(score_mode="cat")
    with pytest.raises(ValueError, match=r"form 'ab,bc->ac'.*got 'ab-bc'"):
        layers.EinsumDense("ab-bc", 4)
    with pytest.raises(ValueError, match="'d' is neither in 'ab' nor in 'bc'"):
        layers.EinsumDense("ab,bc->ad", 4)
    with pytest.raises(ValueError, match="bias_axes 'z' has 'z'"):
        layers.EinsumDense("ab,bc->ac", 4, bias_axes="z")


def test_inputs_that_do_not_fit_are_refused_before_a_weight_is_made():
    mha = layers.MultiHeadAttention(2, 3, name="mha")
    for given, message in [
        ((ones(2, 4, 6),), "expected a query and a value"),
        ((ones(2, 6), ones(2, 6)), r"query of shape \(batch, length, features\), got \(None, 6\)"),
        ((ones(2, 4, 6), ones(2, 3, 6), ones(2, 5, 6)), "as many values as keys"),
        ((ones(2, 4, 6), ones(2, 3, 3, 6)), "equally many axes"),
    ]:
        with pytest.raises((ShapeError, TypeError), match=message):
            mha(*given)
        assert not mha.weights
    with pytest.raises(ShapeError, match=r"attention_axes between.*got \(3,\)"):
        layers.MultiHeadAttention(2, 3, attention_axes=3)(ones(2, 4, 5, 6), ones(2, 4, 5, 6))
    attention = layers.Attention(use_scale=True)
    for given, message in [
        (ones(2, 4, 6), r"list \[query, value\]"),
        ([ones(2, 4, 6)], r"list \[query, value\]"),
        ([ones(2, 4, 6), ones(2, 3, 5)], "query and key of equal depth"),
        ([ones(2, 4, 6), ones(2, 3, 5), ones(2, 4, 6)], "as many values as keys"),
        ([ones(2, 6), ones(2, 6)], r"arrays \(batch, length, features\)"),
    ]:
        with pytest.raises(ShapeError, match=message):
            attention(given)
        assert not attention.weights
    with pytest.raises(ValueError, match=r"mask to be a list \[query_mask, value_mask\]"):
        layers.Attention()([ones(2, 4, 6), ones(2, 3, 6)], mask=ones(2, 4))
    with pytest.raises(ShapeError, match="expected an input with 2 axes, got 3"):
        layers.EinsumDense("ab,bc->ac", 4)(ones(2, 3, 4))
    with pytest.raises(ShapeError, match=r"output_shape of 2 numbers, one for each of 'bd'"):
        layers.EinsumDense("abc,cd->abd", 4)(ones(2, 3, 4))
    with pytest.raises(ShapeError, match="axis 'b' has length 3 in the input and 7"):
        layers.EinsumDense("abc,cd->abd", (7, 4))(ones(2, 3, 4))
    dense = layers.EinsumDense("abc,cd->abd", (None, 4))
    dense(ones(2, 3, 4))
    with pytest.raises(ShapeError, match=r"expected 4 for axis 'c'.*got an input of.*\(2, 3, 5\)"):
        dense(ones(2, 3, 5))
    with pytest.raises(ShapeError, match="equal depth of query and key"):
        F.dot_product_attention(ones(2, 3, 4), ones(2, 5, 3), ones(2, 5, 3))


def heads_by_formula(q, k, v, mask, factor):
    q, k, v = (a.swapaxes(1, 2).astype("float64") for a in (q, k, v))
    scores = np.exp(q @ k.swapaxes(2, 3) * factor) * (1 if mask is None else mask)
    total = scores.sum(-1, keepdims=True)
    return (scores / np.where(total == 0, 1, total) @ v).swapaxes(1, 2)


# batch, queries, keys, heads, depth, width: also such as fill no vector, and single ones.
SIZES = [(2, 5, 7, 3, 4, 6), (2, 64, 64, 2, 32, 32), (1, 33, 65, 2, 17, 40), (2, 1, 1, 1, 1, 1)]


@pytest.mark.usefixtures("by_program_and_by_graph")
@pytest.mark.parametrize("mask_axes", [None, (1, 1, 0, 0), (1, 0, 1, 0), (0, 1, 1, 1)])
@pytest.mark.parametrize("sizes", SIZES)
def test_heads_by_machine_code_by_numpy_and_in_a_graph_are_the_formula(
    sizes, mask_axes, monkeypatch
):
    batch, queries, keys, heads, depth, width = sizes
    rng = np.random.default_rng(0)
    q, k, v = (
        rng.standard_normal((batch, n, heads, d)).astype("float32")
        for n, d in ((queries, depth), (keys, depth), (keys, width))
    )
    mask = None
    if mask_axes is not None:
        full = (batch, heads, queries, keys)
        shape = [1 if short else n for short, n in zip(mask_axes, full, strict=True)]
        mask = rng.random(shape) > 0.4
    expected = heads_by_formula(q, k, v, mask, 0.3)
    module = sys.modules["minpy.layers.functions.heads"]
    g = mnp.array(rng.standard_normal(expected.shape).astype("float32"))

    def found(function):
        arrays = [mnp.array(a) for a in (q, k, v)]
        loss = minpy.grad(lambda *a: mnp.sum(function(*a) * g), (0, 1, 2))
        return [a.asnumpy() for a in (function(*arrays), *loss(*arrays))]

    def function(*a):
        return F.heads_attention(*a, mask, scale=0.3)

    by_numpy = found(function)
    np.testing.assert_allclose(by_numpy[0], expected, rtol=1e-4, atol=1e-5)
    monkeypatch.setattr(module, "_WORTH_LOADING", 0)
    ways = [function]
    if not NEEDS_MXNET:
        ways.append(minpy.jit(function))
    for way in ways:
        for a, b in zip(found(way), by_numpy, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5 * max(1, abs(b).max()))
    if not NEEDS_MXNET:
        assert ways[1].jit_status == "compiled"


@pytest.mark.parametrize("masked", [False, True])
def test_heads_have_derivatives_to_second_order(masked):
    rng = np.random.default_rng(0)
    q, k, v = (rng.standard_normal(s) for s in ((2, 3, 2, 4), (2, 5, 2, 4), (2, 5, 2, 3)))
    mask = rng.random((2, 1, 3, 5)) > 0.3 if masked else None
    minpy.check_grads(lambda *a: mnp.tanh(F.heads_attention(*a, mask)))(q, k, v)


def test_nan_in_a_query_stays_with_its_own_row():
    q, k, v = (numbers((2, 40, 2, 32), seed=i) for i in (1, 2, 3))
    q[0, 3, 1, 0] = np.nan
    out = F.heads_attention(*map(mnp.array, (q, k, v))).asnumpy()
    assert np.isnan(out[0, 3, 1]).all()
    assert np.isfinite(np.delete(out, 3, 1)).all() and np.isfinite(out[0, 3, 0]).all()


def test_heads_that_do_not_fit_are_refused():
    x = mnp.ones((2, 3, 4, 5))
    with pytest.raises(ShapeError, match=r"expected arrays of shape \(batch, queries or keys"):
        F.heads_attention(x[0], x, x)
    with pytest.raises(ShapeError, match="don't fit"):
        F.heads_attention(x, x[:, :, :3], x)
    with pytest.raises(ShapeError, match=r"mask that broadcasts to \(2, 4, 3, 3\), got \(3, 3\)"):
        F.heads_attention(x, x, x, np.ones((3, 3), bool))
