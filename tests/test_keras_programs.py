"""Programs as Keras' users write them, `minpy` for `keras`: they run, learn, train compiled."""

import numpy as np
import pytest

import minpy as keras
from minpy import layers, ops, runtime


@pytest.fixture(autouse=True)
def images_as_keras_has_them():
    before = keras.config.image_data_format()
    keras.config.set_image_data_format("channels_last")
    keras.utils.set_random_seed(7)
    yield
    keras.config.set_image_data_format(before)


RANDOM = np.random.RandomState(3)


def as_asked(model, jit="auto"):
    """Say whether a model trains compiled, if it is to and there is a compiler."""
    return not runtime.available() or (model.jit_status == "compiled") == (jit == "auto")


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
    assert as_asked(model)


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


@pytest.mark.parametrize("jit", ["auto", False])
def test_weights_assigned_to_in_call_are_seen_by_the_rest_of_the_call_and_stay(jit):
    class Counter(layers.Layer):
        def __init__(self, features):
            super().__init__()
            self.total = self.add_weight(shape=(features,), initializer="zeros", trainable=False)
            self.calls = keras.Variable(0.0, trainable=False)

        def call(self, x):
            self.total.assign_add(ops.sum(x, axis=0))
            self.calls.assign_add(1.0)
            return x * self.calls

    counter = Counter(2)
    model = keras.Sequential([counter, layers.Dense(1, kernel_initializer="ones")])
    model.compile(keras.optimizers.SGD(0.0), "mse", jit=jit)
    data = np.ones((8, 2), "float32")
    history = model.fit(data, np.zeros(8), batch_size=4, epochs=2, verbose=0).history
    np.testing.assert_allclose(history["loss"], [(2**2 + 4**2) / 2, (6**2 + 8**2) / 2])
    assert as_asked(model, jit)
    np.testing.assert_array_equal(counter.total, [16, 16])
    assert float(counter.calls) == 4
    assert [w.path for w in counter.weights] == ["total", "calls"]


def test_weights_read_from_a_layer_are_assigned_to():
    dense = layers.Dense(2)
    dense.build((None, 3))
    dense.kernel.assign(np.ones((3, 2)))
    dense.bias.assign_sub([1, 2])
    np.testing.assert_array_equal(dense.get_weights()[0], np.ones((3, 2)))
    np.testing.assert_array_equal(dense(np.ones((1, 3))), [[2, 1]])
    with pytest.raises(keras.errors.ShapeError, match=r"expected shape \(3, 2\)"):
        dense.kernel.assign(np.ones((2, 2)))
    with pytest.raises(TypeError, match="isn't the value of a weight"):
        ops.ones(3).assign(2)


def test_weights_assigned_to_in_build_keep_it_when_fit_builds():
    class Fixed(layers.Layer):
        def build(self, input_shape):
            self.scale = self.add_weight(shape=(input_shape[-1],), trainable=False)
            self.scale.assign(ops.arange(input_shape[-1], dtype="float32"))

        def call(self, x):
            return x * self.scale

    model = keras.Sequential([Fixed(), layers.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(np.ones((4, 3)), np.ones(4), verbose=0)
    np.testing.assert_array_equal(model.layers[0].scale, [0, 1, 2])


def test_a_variable_of_an_initializer_needs_a_shape():
    assert keras.Variable("ones", shape=(2, 3)).shape == (2, 3)
    assert keras.Variable(np.arange(3), dtype="int32").dtype == np.int32
    with pytest.raises(ValueError, match="needs a shape"):
        keras.Variable(keras.initializers.RandomNormal())


def test_layers_of_a_sequential_model_have_outputs_before_anyone_asks_the_model():
    model = keras.Sequential(
        [keras.Input((8, 8, 1)), layers.Conv2D(2, 3), layers.Flatten(), layers.Dense(3)]
    )
    outputs = [layer.output for layer in model.layers]
    assert [tuple(t.shape) for t in outputs] == [(None, 6, 6, 2), (None, 72), (None, 3)]
    features = keras.Model(model.inputs, outputs)(np.ones((2, 8, 8, 1)))
    np.testing.assert_array_equal(features[-1].numpy(), model(np.ones((2, 8, 8, 1))))


def test_a_model_with_a_train_step_of_its_own_needs_no_call():
    class Autoencoder(keras.Model):
        def __init__(self, encoder, decoder):
            super().__init__()
            self.encoder, self.decoder = encoder, decoder
            self.loss_tracker = keras.metrics.Mean(name="loss")

        @property
        def metrics(self):
            return [self.loss_tracker]

        def train_step(self, data):
            def loss():
                return ops.mean(ops.square(self.decoder(self.encoder(data)) - data))

            value, gradients = self.value_and_gradients(loss)
            self.optimizer.apply_gradients(zip(gradients, self.trainable_weights, strict=True))
            self.loss_tracker.update_state(value)
            return {m.name: m.result() for m in self.metrics}

    encoder = keras.Sequential([keras.Input((4,)), layers.Dense(2)])
    decoder = keras.Sequential([keras.Input((2,)), layers.Dense(4)])
    model = Autoencoder(encoder, decoder)
    model.compile(optimizer=keras.optimizers.Adam(0.02))
    x = RANDOM.randn(64, 2) @ RANDOM.randn(2, 4)
    loss = model.fit(x, epochs=60, verbose=0).history["loss"]
    assert loss[-1] < loss[0] / 20


def test_an_activation_taken_away_from_a_layer_is_none():
    model = keras.Sequential([keras.Input((3,)), layers.Dense(2, activation="softmax")])
    x = RANDOM.rand(4, 3)
    model.layers[-1].activation = None
    np.testing.assert_allclose(
        model(x), x.astype("float32") @ model.layers[0].get_weights()[0], rtol=1e-5
    )


def test_a_lambda_of_several_inputs_takes_the_shape_of_its_output():
    a, b = keras.Input((3,)), keras.Input((3,))
    found = layers.Lambda(lambda ab: ops.sum(ab[0] * ab[1], 1, keepdims=True), (1,))([a, b])
    assert tuple(found.shape) == (None, 1)
    x, y = RANDOM.rand(2, 5, 3).astype("float32")
    np.testing.assert_allclose(keras.Model([a, b], found)([x, y])[:, 0], (x * y).sum(1), rtol=1e-6)


def test_handwriting_is_trained_by_a_layer_that_adds_the_ctc_loss():
    class CTCLayer(layers.Layer):
        def call(self, labels, logits):
            rows = ops.ones((ops.shape(labels)[0],), dtype="int32")
            steps, length = ops.shape(logits)[1], ops.shape(labels)[1]
            self.add_loss(ops.mean(ops.ctc_loss(labels, logits, length * rows, steps * rows)))
            return logits

    images = keras.Input((12, 8, 1), name="image")
    labels = keras.Input((3,), name="label", dtype="int32")
    x = layers.Conv2D(4, 3, padding="same", activation="relu")(images)
    x = layers.Reshape((12, 32))(x)
    x = layers.Bidirectional(layers.LSTM(8, return_sequences=True))(x)
    outputs = CTCLayer()(labels, layers.Dense(5, name="logits")(x))
    model = keras.Model([images, labels], outputs)
    model.compile(optimizer=keras.optimizers.Adam(0.02))
    data = {"image": RANDOM.rand(16, 12, 8, 1), "label": RANDOM.randint(1, 5, (16, 3))}
    history = model.fit(data, epochs=12, verbose=0).history["loss"]
    assert history[-1] < history[0] * 0.7
    assert as_asked(model)
    reader = keras.Model(model.inputs[0], model.get_layer("logits").output)
    decoded, _ = ops.ctc_decode(reader.predict(data["image"], verbose=0), np.full(16, 12))
    assert decoded.shape == (1, 16, 12)


def test_a_target_network_is_a_clone_that_follows_slowly():
    def first(x):
        return ops.transpose(x, (0, 2, 3, 1))

    network = keras.Sequential(
        [
            keras.Input((4, 8, 8)),
            layers.Lambda(lambda x: first(x), output_shape=(8, 8, 4)),
            layers.Conv2D(4, 3, strides=2, activation="relu"),
            layers.Flatten(),
            layers.Dense(3),
        ]
    )
    target = keras.models.clone_model(network)
    target.set_weights(network.get_weights())
    states = RANDOM.rand(8, 4, 8, 8).astype("float32")
    actions, rewards = RANDOM.randint(0, 3, 8), RANDOM.rand(8)
    wanted = rewards + 0.9 * ops.amax(target.predict(states, verbose=0), axis=1)
    chosen = ops.one_hot(actions, 3)
    optimizer = keras.optimizers.Adam(0.01, clipnorm=1.0)
    huber = keras.losses.Huber()
    losses = []
    for _ in range(20):
        loss, gradients = network.value_and_gradients(
            lambda: huber(wanted, ops.sum(ops.multiply(network(states), chosen), axis=1))
        )
        optimizer.apply_gradients(zip(gradients, network.trainable_variables, strict=True))
        losses.append(float(loss))
    assert losses[-1] < losses[0] / 2
    before = target.get_weights()
    for slow, fast in zip(target.variables, network.variables, strict=True):
        slow.assign(fast * 0.25 + slow * 0.75)
    for old, new, fast in zip(before, target.get_weights(), network.get_weights(), strict=True):
        np.testing.assert_allclose(new, 0.25 * fast + 0.75 * old, rtol=1e-5, atol=1e-7)


def test_one_array_is_the_target_of_the_one_output_that_has_a_loss():
    inputs = keras.Input((6,), dtype="int32")
    hidden = layers.Embedding(9, 8)(inputs)
    model = keras.Model(inputs, [layers.Dense(9, name="logits")(hidden), hidden])
    crossentropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.05), loss=[crossentropy, None], metrics=[["acc"], None])
    x = RANDOM.randint(0, 9, (32, 6))
    history = model.fit(x, (x + 1) % 9, epochs=20, verbose=0).history
    assert history["loss"][-1] < history["loss"][0] / 5
    assert history["logits_acc"][-1] > 0.95
    assert as_asked(model)


def test_a_codebook_learns_through_straight_through_gradients_compiled():
    class VectorQuantizer(layers.Layer):
        def __init__(self, codes, size, **kwargs):
            super().__init__(**kwargs)
            self.codes, self.size = codes, size
            start = keras.initializers.RandomUniform(seed=1)(shape=(size, codes))
            self.embeddings = keras.Variable(start, trainable=True, name="embeddings")

        def call(self, x):
            flat = ops.reshape(x, (-1, self.size))
            distances = ops.sum(self.embeddings**2, axis=0) - 2 * ops.matmul(flat, self.embeddings)
            chosen = ops.one_hot(ops.argmin(distances, axis=1), self.codes)
            quantized = ops.reshape(
                ops.matmul(chosen, ops.transpose(self.embeddings)), ops.shape(x)
            )
            self.add_loss(0.25 * ops.mean((ops.stop_gradient(quantized) - x) ** 2))
            self.add_loss(ops.mean((quantized - ops.stop_gradient(x)) ** 2))
            return x + ops.stop_gradient(quantized - x)

    x = RANDOM.rand(32, 4, 4, 1).astype("float32")
    histories = []
    for jit in ("auto", False):
        keras.utils.set_random_seed(5)
        inputs = keras.Input((4, 4, 1))
        h = layers.Conv2D(4, 2, strides=2, padding="same")(inputs)
        h = VectorQuantizer(8, 4, name="quantizer")(h)
        model = keras.Model(inputs, layers.Conv2DTranspose(1, 2, strides=2, padding="same")(h))
        model.compile(keras.optimizers.Adam(0.01), "mse", jit=jit)
        histories.append(model.fit(x, x, epochs=10, shuffle=False, verbose=0).history["loss"])
        assert as_asked(model, jit)
    assert histories[0][-1] < histories[0][0] * 0.85
    np.testing.assert_allclose(histories[0], histories[1], rtol=1e-4)
    assert [w.path for w in model.get_layer("quantizer").weights] == ["embeddings"]


def test_positions_of_a_short_table_are_looked_up_for_lengths_not_known_yet():
    class PositionalEmbedding(layers.Layer):
        def __init__(self, length, words, size, **kwargs):
            super().__init__(**kwargs)
            self.words = layers.Embedding(words, size)
            self.positions = layers.Embedding(length, size)

        def call(self, inputs):
            positions = ops.arange(0, ops.shape(inputs)[-1], 1)
            return self.words(inputs) + self.positions(positions)

        def compute_mask(self, inputs, mask=None):
            return ops.not_equal(inputs, 0)

    inputs = keras.Input((None,), dtype="int64")
    x = PositionalEmbedding(10, 12, 8)(inputs)
    x = layers.LayerNormalization()(x + layers.MultiHeadAttention(2, 4)(x, x, use_causal_mask=True))
    model = keras.Model(inputs, layers.Dense(12)(x))
    assert tuple(model.output_shape) == (None, None, 12)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=0)
    model.compile(keras.optimizers.Adam(0.02), loss, metrics=["accuracy"])
    x = np.arange(1, 11) + RANDOM.randint(0, 2, (32, 1))
    history = model.fit(x[:, :-1], x[:, 1:], epochs=15, verbose=0).history
    assert history["loss"][-1] < history["loss"][0] / 4
    assert as_asked(model)
    with pytest.raises(IndexError, match="table of 10 rows"):
        model.predict(np.ones((1, 11), int), verbose=0)


@pytest.mark.parametrize("dtype", ["int32", "int64"])
def test_comparisons_of_integers_are_parts_of_compiled_steps(dtype):
    class Comparisons(layers.Layer):
        def call(self, x):
            first, second = x[:, :3], x[:, 3:]
            found = [first == second, first != second, first < second, first >= second]
            found += [first > 1, first <= 1, first != 3, ops.greater(2, first), ops.equal(0, first)]
            return ops.concatenate([ops.cast(each, "float32") for each in found], axis=1)

    x = RANDOM.randint(0, 4, (40, 6)).astype(dtype)
    y = RANDOM.rand(40, 1)
    histories = []
    for jit in ("auto", False):
        inputs = keras.Input((6,), dtype=dtype)
        outputs = layers.Dense(1, kernel_initializer="ones")(Comparisons()(inputs))
        model = keras.Model(inputs, outputs)
        model.compile(keras.optimizers.SGD(0.01), "mse", jit=jit)
        histories.append(model.fit(x, y, epochs=2, shuffle=False, verbose=0).history["loss"])
        assert as_asked(model, jit)
    np.testing.assert_allclose(histories[0], histories[1], rtol=1e-5)
