"""Say which package a paragraph of documentation is from, with attention between its words.

    python examples/transformer_classifier.py [--small]

One block of Vaswani et al., 2017, as a layer of one's own: attention and a small network, each
with a residual connection and layer normalization; words and places both have vectors. The data
are those of ``text_classification.py``.
"""

import sys

import numpy
from text_classification import KINDS, WORDS, paragraphs

import minpy
import minpy.numpy as np
from minpy.layers import (
    Dense,
    Dropout,
    Embedding,
    GlobalAveragePooling1D,
    Input,
    Layer,
    LayerNormalization,
    MultiHeadAttention,
    TextVectorization,
)
from minpy.models import Model, Sequential


class TokenAndPosition(Layer):
    """Vectors of words plus vectors of their places."""

    def __init__(self, length, words, dim, **kwargs):
        super().__init__(**kwargs)
        self.length = length
        self.word = Embedding(words, dim, mask_zero=True)
        self.place = Embedding(length, dim)

    def call(self, x):
        return self.word(x) + self.place(np.arange(self.length))

    def compute_mask(self, inputs, previous_mask=None):
        return self.word.compute_mask(inputs)


class TransformerBlock(Layer):
    """Attention between all words, then the same small network for each."""

    def __init__(self, dim, heads, hidden, rate=0.1, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True
        self.attention = MultiHeadAttention(heads, dim // heads)
        self.network = Sequential([Dense(hidden, activation="relu"), Dense(dim)])
        self.norm1 = LayerNormalization(epsilon=1e-6)
        self.norm2 = LayerNormalization(epsilon=1e-6)
        self.dropout1 = Dropout(rate)
        self.dropout2 = Dropout(rate)

    def call(self, x, training=False):
        attended = self.dropout1(self.attention(x, x), training=training)
        x = self.norm1(x + attended)
        return self.norm2(x + self.dropout2(self.network(x), training=training))


def main(small=False):
    minpy.random.seed(0)
    (x_train, y_train), (x_test, y_test) = paragraphs(250 if small else 1000)
    words = TextVectorization(max_tokens=2000, output_sequence_length=WORDS)
    words.adapt(x_train)
    dim = 32
    inputs = Input((WORDS,), dtype="int32")
    x = TokenAndPosition(WORDS, words.vocabulary_size(), dim)(inputs)
    x = TransformerBlock(dim, heads=2, hidden=64)(x)
    x = GlobalAveragePooling1D()(x)
    x = Dropout(0.2)(x)
    outputs = Dense(len(KINDS), activation="softmax")(x)
    model = Model(inputs, outputs, name="transformer")
    model.compile(
        minpy.optimizers.Adam(3e-3), loss="sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    model.fit(words(x_train), y_train, epochs=5 if small else 10, verbose=0)
    result = model.evaluate(words(x_test), y_test, verbose=0, return_dict=True)
    counts = numpy.bincount(y_test) / len(y_test)
    print(f"the most frequent kind is {counts.max():.1%} of the held-out paragraphs")
    print(f"{result['accuracy']:.1%} of {len(x_test)} held-out paragraphs are right")
    print(f"training ran: {model.jit_status}")
    return result["accuracy"]


if __name__ == "__main__":
    main("--small" in sys.argv)
