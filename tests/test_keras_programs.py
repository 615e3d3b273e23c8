"""Programs as Keras' users write them, with `minpy` for `keras`: they run, learn, train compiled."""

import numpy as np
import pytest

import minpy as keras
from minpy import layers, ops


@pytest.fixture(autouse=True)
def images_as_keras_has_them():
    before = keras.config.image_data_format()
    keras.config.set_image_data_format("channels_last")
    keras.utils.set_random_seed(7)
    yield
    keras.config.set_image_data_format(before)


RANDOM = np.random.RandomState(3)


def test_a_model_of_targets_and_a_layer_that_adds_the_loss_trains_without_a_loss():
    class Endpoint(layers.Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.loss_fn = keras.losses.MeanSquaredError()

        def call(self, targets, outputs):
            self.add_loss(self.loss_fn(targets, outputs))
            return outputs

    inputs, targets = keras.Input((3,), name="inputs"), keras.Input((1,), name="targets")
    model = keras.Model([inputs, targets], Endpoint()(targets, layers.Dense(1)(inputs)))
    model.compile(keras.optimizers.SGD(0.1))
    x = RANDOM.rand(32, 3).astype("float32")
    data = {"inputs": x, "targets": x.sum(1, keepdims=True)}
    before = model.evaluate(data, verbose=0)
    history = model.fit(data, epochs=20, verbose=0).history["loss"]
    assert model.evaluate(data, verbose=0) < before / 10
    assert history[-1] < history[0] / 10
    assert model.jit_status == "compiled"


@pytest.mark.parametrize("jit", [True, False])
def test_a_model_without_any_loss_says_so(jit):
    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(1)

        def call(self, x):
            return self.dense(x)

    model = keras.Sequential([layers.Dense(1)])
    model.compile("sgd", jit="auto" if jit else False)
    with pytest.raises(RuntimeError, match="fit needs a loss"):
        model.fit(np.ones((4, 2)), np.ones((4, 1)), verbose=0)
    model = Own()
    model.compile("sgd", jit="auto" if jit else False)
    with pytest.raises(RuntimeError, match="nothing to minimize"):
        model.fit(np.ones((4, 2)), np.ones((4, 1)), verbose=0)


def test_a_layer_that_insists_on_its_mask_is_called_symbolically_with_one():
    class TemporalSoftmax(layers.Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.supports_masking = True

        def call(self, inputs, mask=None):
            assert mask is not None
            mask = ops.expand_dims(ops.cast(mask, "float32"), -1)
            exponents = ops.exp(inputs) * mask
            return exponents / ops.sum(exponents, axis=1, keepdims=True)

    inputs = keras.Input(shape=(None,), dtype="int32")
    x = layers.Embedding(10, 4, mask_zero=True)(inputs)
    model = keras.Model(inputs, TemporalSoftmax()(layers.Dense(1)(x)))
    y = np.array(model(np.array([[3, 4, 0], [5, 0, 0]])))[:, :, 0]
    np.testing.assert_allclose(y.sum(1), 1, rtol=1e-6)
    assert (y[0, :2] > 0).all() and y[0, 2] == 0 and y[1, 0] == 1
    without = layers.Embedding(10, 4)(inputs)
    with pytest.raises(AssertionError):
        TemporalSoftmax()(layers.Dense(1)(without))
