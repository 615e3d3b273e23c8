"""Keras 3, on the backend that KERAS_BACKEND names: functional model and `fit`."""

from __future__ import annotations

from typing import Any

import keras
import numpy
from keras import layers

from benchmarks import nodes
from benchmarks.nodes import of_node, walk
from benchmarks.workloads import ADAM_EPSILON, LEARNING_RATE

_LAYERS = {
    nodes.Dense: lambda n: layers.Dense(n.units, activation=n.activation),
    nodes.Conv: lambda n: layers.Conv2D(
        n.filters, n.size, strides=n.stride, padding=n.padding, activation=n.activation
    ),
    nodes.MaxPool: lambda n: layers.MaxPooling2D(n.size),
    nodes.Flatten: lambda n: layers.Flatten(),
    nodes.Activation: lambda n: layers.Activation(n.kind),
    nodes.BatchNorm: lambda n: layers.BatchNormalization(
        momentum=nodes.BATCH_NORM_MOMENTUM, epsilon=nodes.EPSILON
    ),
    nodes.LayerNorm: lambda n: layers.LayerNormalization(epsilon=nodes.EPSILON),
    nodes.LSTM: lambda n: layers.LSTM(n.units),
    nodes.Embedding: lambda n: layers.Embedding(n.words, n.width),
}


def _connect(listed: tuple, shape: tuple, x: Any, weights: dict, under: str = "") -> Any:
    for path, node, before in walk(listed, shape, under):
        if isinstance(node, nodes.Residual):
            body = _connect(node.body, before, x, weights, f"{path}.body.")
            shortcut = _connect(node.shortcut, before, x, weights, f"{path}.shortcut.")
            x = layers.Add()([body, shortcut])
            if node.activation:
                x = layers.Activation(node.activation)(x)
            continue
        if isinstance(node, nodes.Attention):
            layer = layers.MultiHeadAttention(node.heads, before[-1] // node.heads)
            x = layer(x, x)
        else:
            if isinstance(node, nodes.GlobalAveragePool):
                two = len(before) == 3
                layer = layers.GlobalAveragePooling2D() if two else layers.GlobalAveragePooling1D()
            else:
                layer = _LAYERS[type(node)](node)
            x = layer(x)
        own = layer.get_weights()
        given = of_node(weights, path)
        layer.set_weights([a.reshape(w.shape) for a, w in zip(given, own, strict=True)])
    return x


class Training:
    """A model that `fit` trains."""

    def __init__(self, workload, batch, x, y, weights) -> None:
        self.x, self.y, self.batch = x, y, batch
        inputs = keras.Input(workload.shape, dtype=str(x.dtype))
        outputs = _connect(workload.nodes, workload.shape, inputs, weights)
        self.model = keras.Model(inputs, outputs)
        self.model.compile(
            keras.optimizers.Adam(LEARNING_RATE, epsilon=ADAM_EPSILON),
            keras.losses.SparseCategoricalCrossentropy(from_logits=True)
            if workload.loss == "crossentropy"
            else "mse",
        )

    def _fit(self, n: int, **options: Any) -> list[float]:
        x, y = self.x[:n], self.y[:n]
        history = self.model.fit(x, y, batch_size=self.batch, verbose=0, **options)
        return history.history["loss"]

    def first_step(self) -> None:
        self._fit(self.batch)

    def train(self, epochs: int, shuffle: bool) -> list[float]:
        return self._fit(len(self.x), epochs=epochs, shuffle=shuffle)

    def predict(self) -> numpy.ndarray:
        return self.model.predict(self.x, batch_size=self.batch, verbose=0)


build = Training


def versions() -> dict[str, str]:
    backend = keras.backend.backend()
    module = __import__(backend)
    return {"keras": keras.__version__, backend: module.__version__}
