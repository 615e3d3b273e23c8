"""minpy: layers and `fit`, compiled (as it is by itself) or operation by operation."""

from __future__ import annotations

from typing import Any

import numpy

import minpy
from benchmarks import nodes
from benchmarks.nodes import channels_first_rows, of_node, walk
from benchmarks.peers import NotYet
from benchmarks.workloads import ADAM_EPSILON, LEARNING_RATE
from minpy import layers, losses, models, optimizers

# Whoever has no such layer has `NotYet` raised for it: the workload joins when the layer exists.
_LAYERS = {
    nodes.Dense: ("Dense", lambda n: {"units": n.units, "activation": n.activation}),
    nodes.Conv: (
        "Conv2D",
        lambda n: {
            "filters": n.filters,
            "kernel_size": n.size,
            "strides": n.stride,
            "padding": n.padding,
            "activation": n.activation,
        },
    ),
    nodes.MaxPool: ("MaxPooling2D", lambda n: {"pool_size": n.size}),
    nodes.Flatten: ("Flatten", lambda n: {}),
    nodes.Activation: ("Activation", lambda n: {"activation": n.kind}),
    nodes.BatchNorm: (
        "BatchNormalization",
        lambda n: {"momentum": nodes.BATCH_NORM_MOMENTUM, "epsilon": nodes.EPSILON},
    ),
    nodes.LayerNorm: ("LayerNormalization", lambda n: {"epsilon": nodes.EPSILON}),
    nodes.LSTM: ("LSTM", lambda n: {"units": n.units}),
    nodes.Embedding: ("Embedding", lambda n: {"input_dim": n.words, "output_dim": n.width}),
}


def _layer(name: str) -> Any:
    if not hasattr(layers, name):
        raise NotYet(f"minpy.layers.{name}")
    return getattr(layers, name)


class Residual(layers.Layer):
    """A body and a shortcut, added."""

    def __init__(self, body: list, shortcut: list, activation: str | None) -> None:
        super().__init__()
        self.body, self.shortcut = body, shortcut
        self.activation = minpy.activations.get(activation)

    def call(self, x: Any, training: bool = False) -> Any:
        y = x
        for layer in self.body:
            y = layer(y, training=training)
        for layer in self.shortcut:
            x = layer(x, training=training)
        return self.activation(x + y)


class SelfAttention(layers.Layer):
    """Attention of a sequence to itself."""

    def __init__(self, heads: int, width: int) -> None:
        super().__init__()
        self.attention = _layer("MultiHeadAttention")(num_heads=heads, key_dim=width // heads)

    def call(self, x: Any) -> Any:
        return self.attention(x, x)


class _Stack:
    """The layers of a workload, and the weights that each starts with."""

    def __init__(self, weights: dict[str, numpy.ndarray]) -> None:
        self.weights = weights
        self.given: list[tuple[Any, list[numpy.ndarray]]] = []

    def make(self, listed: tuple, shape: tuple, under: str = "") -> list[Any]:
        made: list[Any] = []
        flattened = None
        for path, node, before in walk(listed, shape, under):
            values = of_node(self.weights, path)
            if isinstance(node, nodes.Residual):
                body = self.make(node.body, before, f"{path}.body.")
                shortcut = self.make(node.shortcut, before, f"{path}.shortcut.")
                layer = Residual(body, shortcut, node.activation)
            elif isinstance(node, nodes.Attention):
                layer = SelfAttention(node.heads, before[-1])
            elif isinstance(node, nodes.GlobalAveragePool):
                layer = _layer(f"GlobalAveragePooling{len(before) - 1}D")()
            else:
                name, arguments = _LAYERS[type(node)]
                layer = _layer(name)(**arguments(node))
            if isinstance(node, nodes.Conv):
                values[0] = values[0].transpose(3, 2, 0, 1)
            if isinstance(node, nodes.Dense) and flattened:
                values[0] = channels_first_rows(values[0], flattened)
            is_image = isinstance(node, nodes.Flatten) and len(before) == 3
            flattened = before if is_image else None
            if values:
                self.given.append((layer, values))
            made.append(layer)
        return made

    def set(self) -> None:
        for layer, values in self.given:
            own = [w.shape for w in layer.weights]
            layer.set_weights([v.reshape(s) for v, s in zip(values, own, strict=True)])


class Training:
    """A model that `fit` trains."""

    def __init__(self, workload, batch, x, y, weights, jit) -> None:
        self.batch, self.jit = batch, jit
        self.x = x.transpose(0, 3, 1, 2).copy() if x.ndim == 4 else x
        self.y = y
        stack = _Stack(weights)
        self.model = models.Sequential(stack.make(workload.nodes, workload.shape))
        self.model.compile(
            optimizers.Adam(LEARNING_RATE, epsilon=ADAM_EPSILON),
            losses.SparseCategoricalCrossentropy(from_logits=True)
            if workload.loss == "crossentropy"
            else "mse",
            jit=jit,
        )
        self.model(self.x[:1])
        stack.set()

    def _fit(self, n: int, **options: Any) -> list[float]:
        x, y = self.x[:n], self.y[:n]
        return self.model.fit(x, y, batch_size=self.batch, verbose=0, **options).history["loss"]

    def first_step(self) -> None:
        self._fit(self.batch)

    def train(self, epochs: int, shuffle: bool) -> list[float]:
        return self._fit(len(self.x), epochs=epochs, shuffle=shuffle)

    def predict(self) -> numpy.ndarray:
        return self.model.predict(self.x, batch_size=self.batch, verbose=0)

    def note(self) -> str:
        """Say whether the model really was compiled, where it should be."""
        return self.model.jit_status if self.jit else ""


def build(workload, batch, x, y, weights, jit) -> Training:
    return Training(workload, batch, x, y, weights, jit)


def versions() -> dict[str, str]:
    import mxnet

    return {"minpy": minpy.__version__, "mxnet": mxnet.__version__, "numpy": numpy.__version__}
