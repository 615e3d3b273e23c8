"""Layers around other layers, and the embedding that leads back."""

from __future__ import annotations

import json

import numpy
import pytest

import minpy.numpy as np
from minpy import config, utils
from minpy.layers import (
    CenterCrop,
    Dense,
    Dropout,
    Input,
    Pipeline,
    Rescaling,
    ReversibleEmbedding,
    StringLookup,
    Wrapper,
    register_serializable,
)
from minpy.layers.serialization import deserialize, serialize
from minpy.models import Model, Sequential

NUMBERS = numpy.array([[1, 2, 0], [4, 0, 0]])


@register_serializable("test_layers_around_others")
class Doubled(Wrapper):
    """Twice what the layer inside gives."""

    def call(self, x):
        return 2 * self.layer(x)


def test_a_wrapper_builds_trains_and_saves_the_layer_inside():
    layer = Doubled(Dense(2, kernel_initializer="ones", name="inner"))
    model = Sequential([layer])
    model.build((None, 3))
    assert [w.path for w in model.weights] == ["doubled/inner/kernel", "doubled/inner/bias"]
    x = np.ones((1, 3))
    assert layer(x).tolist() == [[6.0, 6.0]]
    again = deserialize(json.loads(json.dumps(serialize(layer))))
    assert again(x).tolist() == [[6.0, 6.0]]
    with pytest.raises(ValueError, match="expected a layer"):
        Doubled(3)


def test_a_pipeline_transforms_as_in_training_and_takes_strings():
    images = np.ones((2, 3, 6, 6))
    pipeline = Pipeline([CenterCrop(4, 4), Rescaling(0.5), Dropout(0.5, seed=1)], "prepare")
    found = pipeline(images).asnumpy()
    assert set(numpy.unique(found)) == {0.0, 1.0}
    assert (pipeline(images, training=False).asnumpy() == 0.5).all()
    assert (pipeline.name, len(pipeline.layers)) == ("prepare", 3)
    assert pipeline.compute_output_shape((None, 3, 6, 6)) == (None, 3, 4, 4)
    again = deserialize(json.loads(json.dumps(serialize(pipeline))))
    assert [type(layer) for layer in again.layers] == [CenterCrop, Rescaling, Dropout]
    words = Pipeline([StringLookup(vocabulary=["a", "b"])])
    assert words([["b", "z"]]).tolist() == [[2, 0]]
    with pytest.raises(TypeError, match="expected layers"):
        Pipeline([3])


@pytest.mark.parametrize("tied", [True, False])
def test_an_embedding_leads_back(tied):
    layer = ReversibleEmbedding(5, 3, tied, mask_zero=True, logit_soft_cap=2.0)
    vectors = layer(np.array(NUMBERS))
    numpy.testing.assert_array_equal(numpy.asarray(vectors._keras_mask), NUMBERS != 0)
    table = layer.embeddings.asnumpy()
    back = table.T if tied else layer.reverse_embeddings.asnumpy()
    assert len(layer.weights) == (1 if tied else 2)
    scores = layer(vectors, reverse=True)
    expected = numpy.tanh(table[NUMBERS] @ back / 2) * 2
    numpy.testing.assert_allclose(scores.asnumpy(), expected, rtol=1e-5, atol=1e-6)
    config = json.loads(json.dumps(serialize(layer)))
    assert json.loads(json.dumps(serialize(deserialize(config)))) == config


def test_both_ways_of_an_embedding_in_one_model():
    layer = ReversibleEmbedding(5, 4, embeddings_initializer="glorot_uniform")
    x = Input((3,), dtype="int32")
    scores = layer(Dense(4, "tanh")(layer(x)), reverse=True)
    assert scores.shape == (None, 3, 5)
    model = Model(x, scores)
    loss = "sparse_categorical_crossentropy"
    model.compile("adam", loss)
    from minpy.losses import SparseCategoricalCrossentropy

    model.compile("adam", SparseCategoricalCrossentropy(from_logits=True))
    losses = model.fit(NUMBERS, NUMBERS, epochs=20, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    # the table learns by both ways
    assert len(model.trainable_weights) == 3


def test_names_of_keras_configuration():
    assert (config.floatx(), config.backend(), config.epsilon()) == ("float32", "minpy", 1e-7)
    config.set_floatx("float64")
    try:
        assert config.floatx() == "float64"
        assert Dense(2).dtype == numpy.float64
    finally:
        config.set_floatx("float32")


def test_graphs_for_graphviz_have_names_unless_told_otherwise():
    model = Sequential([Dense(2, input_shape=(3,), name="named")])
    assert "named" in utils.model_to_dot(model)
    assert "named" not in utils.model_to_dot(model, show_layer_names=False)
