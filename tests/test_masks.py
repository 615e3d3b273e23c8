"""Masks: they travel with values through stacks, graphs and calls, and reach the loss."""

from __future__ import annotations

import warnings

import numpy
import pytest

import minpy.numpy as np
from minpy import losses
from minpy.layers import Dense, Input, Layer, register_serializable
from minpy.models import Model, Sequential, load_model


@register_serializable("test_masks")
class Lookup(Layer):
    """Takes rows of a table by number, and masks number zero, as Keras' Embedding does."""

    def __init__(self, rows, width, **kwargs):
        super().__init__(**kwargs)
        self.rows, self.width = rows, width

    def build(self, input_shape):
        self.table = self.add_weight("table", (self.rows, self.width), "uniform")

    def call(self, x):
        # MXNet compares floats only.
        rows = numpy.arange(self.rows, dtype="float32")
        picked = np.equal(np.expand_dims(x.astype("float32"), -1), rows)
        return np.matmul(picked.astype("float32"), self.table)

    def compute_mask(self, inputs, previous_mask=None):
        return np.not_equal(inputs.astype("float32"), 0.0)

    def compute_output_shape(self, input_shape):
        return (*input_shape, self.width)

    def get_config(self):
        return {**super().get_config(), "rows": self.rows, "width": self.width}


@register_serializable("test_masks")
class MaskedMean(Layer):
    """Averages the steps that count."""

    def call(self, x, mask=None):
        if mask is None:
            return np.mean(x, axis=1)
        counts = np.expand_dims(mask.astype("float32"), -1)
        return np.sum(x * counts, axis=1) / np.sum(counts, axis=1)


@register_serializable("test_masks")
class Passes(Layer):
    """Doubles, and lets masks through."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, x):
        return x * 2.0


IDS = numpy.array([[1, 2, 0, 0], [3, 0, 0, 0], [1, 2, 3, 4]])


def masked_mean(table, ids):
    rows = []
    for line in ids:
        rows.append(numpy.mean([2 * table[i] for i in line if i], axis=0))
    return numpy.array(rows)


def stack():
    return Sequential([Input((4,), dtype="int32"), Lookup(5, 3), Passes(), MaskedMean()])


def graph():
    x = Input((4,), dtype="int32")
    return Model(x, MaskedMean()(Passes()(Lookup(5, 3)(x))))


@pytest.mark.parametrize("make", [stack, graph])
def test_a_mask_travels_through_layers_that_support_it(make):
    model = make()
    table = model.get_weights()[0]
    numpy.testing.assert_allclose(
        model(np.array(IDS)).asnumpy(), masked_mean(table, IDS), rtol=1e-6
    )


@pytest.mark.parametrize("jit", [False, "auto"])
@pytest.mark.parametrize("make", [stack, graph])
def test_a_mask_is_computed_anew_for_each_batch_in_a_compiled_step(make, jit):
    model = make()
    model.compile("sgd", "mse", jit=jit)
    other = numpy.array([[0, 0, 1, 2], [4, 4, 4, 0], [0, 3, 0, 3]])
    for ids in (IDS, other):
        found = model.predict(ids, verbose=0)
        numpy.testing.assert_allclose(found, masked_mean(model.get_weights()[0], ids), rtol=1e-5)


def test_training_with_masks_is_the_same_compiled_and_by_the_tape():
    pytest.importorskip("mxnet")
    weights = []
    start = None
    for jit in (False, "auto"):
        model = graph()
        start = model.get_weights() if start is None else start
        model.set_weights(start)
        model.compile("adam", "mse", jit=jit)
        for step in range(20):
            model.train_on_batch(((IDS + step) % 4 + 1) * (IDS != 0), numpy.ones((3, 3), "float32"))
        weights.append(model.get_weights()[0])
    assert model.jit_status == "compiled"
    numpy.testing.assert_allclose(weights[0], weights[1], rtol=1e-4, atol=1e-6)


def test_a_layer_that_does_not_support_masks_says_so_and_drops_the_mask():
    class Blind(Layer):
        def call(self, x):
            return x + 1.0

    hidden = Lookup(5, 3)(np.array(IDS))
    with pytest.warns(UserWarning, match="'blind'.*doesn't support masks"):
        found = Blind()(hidden)
    assert getattr(found, "_keras_mask", None) is None


def test_layers_inside_of_one_that_sees_to_masks_do_not_warn():
    class Blind(Layer):
        def call(self, x):
            return x + 1.0

    class Outer(Layer):
        def __init__(self):
            super().__init__()
            self.inner = Blind()

        def call(self, x, mask=None):
            return self.inner(x) * np.expand_dims(mask.astype("float32"), -1)

    hidden = Lookup(5, 3)(np.array(IDS))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = Outer()(hidden).asnumpy()
    assert (found[IDS == 0] == 0).all() and (found[IDS != 0] != 0).any()
    with pytest.warns(UserWarning, match="'blind'"):
        Blind()(hidden)
    assert (Dense(2)(hidden)._keras_mask.asnumpy() == (IDS != 0)).all()


def test_a_mask_given_by_hand_wins_over_the_one_that_travels():
    hidden = Lookup(5, 3)(np.array(IDS))
    everything = np.array(numpy.ones((3, 4), bool))
    found = MaskedMean()(hidden, mask=everything)
    numpy.testing.assert_allclose(found.asnumpy(), hidden.asnumpy().mean(axis=1), rtol=1e-6)


def test_layers_of_several_inputs_get_a_mask_for_each():
    seen = {}

    class Pair(Layer):
        def call(self, query, value, query_mask=None, value_mask=None):
            seen.update(query=query_mask, value=value_mask)
            return query + value

    class Merge(Layer):
        def call(self, x, mask=None):
            seen["list"] = mask
            return x[0] + x[1]

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        hidden, plain = Lookup(5, 3)(np.array(IDS)), np.ones((3, 4, 3))
        Pair()(hidden, plain)
        Merge()([plain, hidden])
    numpy.testing.assert_array_equal(seen["query"].asnumpy(), IDS != 0)
    assert seen["value"] is None
    assert seen["list"][0] is None
    numpy.testing.assert_array_equal(seen["list"][1].asnumpy(), IDS != 0)


def test_a_mask_travels_into_and_out_of_a_nested_model():
    inner_in = Input((4, 3))
    inner = Model(inner_in, Passes()(inner_in))
    x = Input((4,), dtype="int32")
    lookup = Lookup(5, 3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = Model(x, MaskedMean()(inner(lookup(x))))
        found = model(np.array(IDS)).asnumpy()
    numpy.testing.assert_allclose(found, masked_mean(lookup.get_weights()[0], IDS), rtol=1e-6)


def test_the_loss_leaves_out_masked_steps_and_averages_over_the_others():
    # Keras 3.15: MeanSquaredError()(y, p) with p's mask [[1, 0], [1, 1]] and squares 1, 4, 9, 16
    # is (1 + 9 + 16) / 3.
    p = np.array([[[1.0], [2.0]], [[3.0], [4.0]]])
    p._keras_mask = np.array([[True, False], [True, True]])
    found = losses.MeanSquaredError()(np.zeros((2, 2, 1)), p)
    assert float(found) == pytest.approx(26 / 3)


@pytest.mark.parametrize("jit", [False, "auto"])
def test_the_mask_of_the_predictions_reaches_the_loss_in_training(jit):
    x = Input((4,), dtype="int32")
    model = Model(x, Passes()(Lookup(5, 1)(x)))
    model.compile("sgd", "mse", jit=jit)
    p = 2 * model.get_weights()[0][IDS, 0]
    expected = numpy.sum(numpy.where(IDS != 0, (p - 1) ** 2, 0)) / numpy.sum(IDS != 0)
    found = model.test_on_batch(IDS, numpy.ones((3, 4, 1), "float32"))
    assert found == pytest.approx(expected, rel=1e-5)


def test_masks_and_reported_numbers_reach_the_metrics_of_a_step_of_ones_own():
    class Own(Model):
        def train_step(self, data):
            x, y = data
            kept = []

            def loss():
                kept.append(self(x, training=True))
                return self.compute_loss(x, y, kept[0])

            value, gradients = self.value_and_gradients(loss)
            self.apply_gradients([0 * g for g in gradients])
            return self.compute_metrics(x, y, kept[0], loss=value)

    class Reports(Passes):
        def call(self, x):
            self.add_metric(np.max(x), name="largest")
            return x

    x = Input((4,), dtype="int32")
    model = Own(x, Reports()(Lookup(5, 1)(x)))
    model.compile("sgd", "mse", metrics=["mae"])
    p = model.get_weights()[0][IDS, 0]
    logs = model.train_on_batch(IDS, numpy.ones((3, 4, 1), "float32"), return_dict=True)
    counts = IDS != 0
    assert logs["loss"] == pytest.approx(((p - 1) ** 2)[counts].mean(), rel=1e-5)
    assert logs["mae"] == pytest.approx(numpy.abs(p - 1)[counts].mean(), rel=1e-5)
    assert logs["largest"] == pytest.approx(p.max(), rel=1e-5)


def test_a_model_with_masks_is_the_same_after_saving(tmp_path):
    model = graph()
    model.save(tmp_path / "a.h5")
    again = load_model(tmp_path / "a.h5")
    assert (again(np.array(IDS)).asnumpy() == model(np.array(IDS)).asnumpy()).all()


def test_a_mask_of_a_symbolic_tensor_can_be_given_to_a_layer():
    x = Input((4,), dtype="int32")
    lookup = Lookup(5, 3)
    hidden = Dense(3)(Input((4, 3)))  # without a mask of its own
    model = Model([x, hidden], MaskedMean()(hidden, mask=lookup.compute_mask(x)))
    values = numpy.arange(36, dtype="float32").reshape(3, 4, 3)
    found = model([np.array(IDS), np.array(values)]).asnumpy()
    expected = [v[line != 0].mean(axis=0) for v, line in zip(values, IDS, strict=True)]
    numpy.testing.assert_allclose(found, expected, rtol=1e-6)


@pytest.mark.parametrize("jit", ["auto", False])
def test_steps_that_are_masked_and_labels_that_are_ignored_both_count_nothing(jit):
    tokens = numpy.array([[1, 2, 3, 0], [4, 1, 0, 0]], "int32")
    labels = numpy.array([[1, 3, 2, 2], [3, 2, 1, 3]])
    inputs = Input((4,), dtype="int32")
    model = Model(inputs, Dense(4, activation="softmax")(Lookup(5, 3)(inputs)))
    model.compile("sgd", losses.SparseCategoricalCrossentropy(ignore_class=3), jit=jit)
    p = model.predict(tokens, verbose=0)
    counts = (tokens != 0) & (labels != 3)
    each = -numpy.log(numpy.take_along_axis(p, labels[..., None], -1)[..., 0])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        loss = model.fit(tokens, labels, verbose=0).history["loss"][0]
    assert loss == pytest.approx(each[counts].mean(), rel=1e-5)
