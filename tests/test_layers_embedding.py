"""Embedding: rows by number, its gradient, integers in a model, padding."""

import numpy
import pytest

import minpy
import minpy.numpy as np
from minpy import layers, models
from minpy.layers import functions

needs_mxnet = pytest.mark.skipif(not minpy.runtime.available(), reason="needs mxnet")


def table(rows=5, width=3):
    return numpy.cos(numpy.arange(rows * width, dtype="float32")).reshape(rows, width)


@pytest.mark.parametrize("dtype", ["int32", "int64", "uint8", "float32"])
def test_rows_are_those_of_numpys_indexing(dtype):
    ids = numpy.array([[0, 4, 4], [2, 1, 0]], dtype)
    found = functions.embedding(np.array(ids), np.array(table()))
    numpy.testing.assert_array_equal(found.asnumpy(), table()[ids.astype(int)])


def test_the_gradient_adds_up_the_uses_of_a_row():
    ids = numpy.array([[0, 4, 4], [2, 4, 0]])
    g = numpy.sin(numpy.arange(18.0, dtype="float32")).reshape(2, 3, 3)
    weights = np.array(table())
    found = minpy.grad(lambda w: np.sum(functions.embedding(ids, w) * g))(weights)
    expected = numpy.zeros((5, 3), "float32")
    numpy.add.at(expected, ids, g)
    numpy.testing.assert_allclose(found.asnumpy(), expected, rtol=1e-6)


def test_second_derivatives_exist():
    ids = numpy.array([0, 1, 1])

    def f(w):
        return np.sum(functions.embedding(ids, w) ** 3)

    inner = minpy.grad(lambda w: np.sum(minpy.grad(f)(w) ** 2))
    w = numpy.array([[2.0], [3.0]])
    # f = a^3 + 2 b^3, f' = (3a^2, 6b^2), d|f'|^2 = (2*3a^2*6a, 2*6b^2*12b)
    expected = [[36 * 2.0**3], [144 * 3.0**3]]
    numpy.testing.assert_allclose(inner(np.array(w)).asnumpy(), expected, rtol=1e-6)


@pytest.mark.parametrize("ids", [[0, 5], [-1, 2]])
def test_a_number_out_of_range_is_refused(ids):
    with pytest.raises(IndexError, match="from 0 to 4"):
        functions.embedding(np.array(ids), np.array(table()))


def test_bad_arguments_are_refused():
    with pytest.raises(ValueError, match="input_dim"):
        layers.Embedding(0, 3)
    with pytest.raises(ValueError, match="output_dim"):
        layers.Embedding(3, True)
    with pytest.raises(TypeError, match="whole numbers"):
        functions.embedding(np.array([True]), np.array(table()))


def test_weights_set_the_table():
    layer = layers.Embedding(5, 3, weights=table())
    numpy.testing.assert_array_equal(layer.get_weights()[0], table())
    numpy.testing.assert_array_equal(layer(np.array([[1]])).asnumpy(), table()[[[1]]])


def test_zero_is_masked_where_it_is_padding():
    ids = np.array([[3, 0], [0, 1]])
    assert layers.Embedding(5, 2).compute_mask(ids) is None
    mask = layers.Embedding(5, 2, mask_zero=True).compute_mask(ids)
    assert mask.tolist() == [[True, False], [False, True]]


def test_the_configuration_makes_an_equal_layer():
    layer = layers.Embedding(
        7, 2, "ones", embeddings_regularizer="l2", embeddings_constraint="non_neg", mask_zero=True
    )
    again = layers.Embedding.from_config(layer.get_config())
    assert again.get_config() == layer.get_config()


def classifier():
    minpy.random.seed(3)
    model = models.Sequential(
        [layers.Embedding(50, 4), layers.Flatten(), layers.Dense(2, activation="softmax")]
    )
    return model


def words():
    x = (numpy.arange(64 * 6) * 7919 % 50).reshape(64, 6)
    return x, (x[:, 0] % 2).astype("int64")


@needs_mxnet
def test_eager_and_compiled_training_agree():
    x, y = words()
    trained = {}
    for jit in (False, "auto"):
        model = classifier()
        model.compile("adam", "sparse_categorical_crossentropy", jit=jit)
        model.fit(x, y, epochs=5, batch_size=16, verbose=0, shuffle=False)
        trained[jit] = model.get_weights()
    assert model.jit_status == "compiled"
    for a, b in zip(*trained.values(), strict=True):
        numpy.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("jit", [False, "auto"])
def test_numbers_above_what_float32_holds_reach_the_layer_as_they_are(jit):
    seen = []

    class Look(layers.Layer):
        takes_integers = True

        def call(self, x):
            seen.append(x.dtype)
            return x.astype("float32") * 0

    model = models.Sequential([Look()])
    model.predict(numpy.array([[2**24 + 1]]), verbose=0)
    assert seen[0] == numpy.int64


@needs_mxnet
def test_a_compiled_model_refuses_numbers_out_of_range():
    x, y = words()
    model = classifier()
    model.compile("sgd", "sparse_categorical_crossentropy")
    model.fit(x, y, verbose=0)
    bad = x.copy()
    bad[0, 0] = 50
    before = model.get_weights()
    with pytest.raises((ValueError, IndexError), match="from 0 to 49"):
        model.train_on_batch(bad[:32], y[:32])
    for a, b in zip(before, model.get_weights(), strict=True):
        numpy.testing.assert_array_equal(a, b)
