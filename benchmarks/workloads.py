"""The workloads, as data: layers, input, loss, number of samples. Knows no library."""

from __future__ import annotations

from dataclasses import dataclass

import numpy

from benchmarks.nodes import (
    LSTM,
    Activation,
    Attention,
    BatchNorm,
    Conv,
    Dense,
    Embedding,
    Flatten,
    GlobalAveragePool,
    LayerNorm,
    MaxPool,
    Node,
    Residual,
)

LEARNING_RATE = 1e-3  # Adam's, everywhere
# Small, because libraries add it at two different places of the formula.
ADAM_EPSILON = 1e-8
# The share of labels that are drawn at random: it keeps losses and gradients from vanishing.
WRONG_LABELS = 0.2


@dataclass(frozen=True)
class Workload:
    """A model and the data that it learns.

    Parameters
    ----------
    name, title
        On the command line, and in tables.
    shape
        Of one sample, channels last; of words for `words` > 0.
    nodes
        The layers.
    loss
        ``'crossentropy'`` of logits and class numbers, or ``'mse'`` with targets of the output's
        shape.
    samples
        At least so many; there are always `least_steps` batches in an epoch.
    words
        Size of the vocabulary where samples are word numbers.
    batches
        The batch sizes that it is measured at.
    """

    name: str
    title: str
    shape: tuple[int, ...]
    nodes: tuple[Node, ...]
    loss: str = "crossentropy"
    samples: int = 2560
    least_steps: int = 5
    words: int = 0
    batches: tuple[int, ...] = (32, 128, 512)

    @property
    def output(self) -> tuple[int, ...]:
        """The shape of one sample's output."""
        shape = self.shape
        for node in self.nodes:
            shape = node.output(shape)
        return shape

    def count(self, batch: int) -> int:
        """Return the number of samples at a batch size: a whole number of batches."""
        return max(self.samples // batch, self.least_steps) * batch

    def data(self, batch: int, seed: int = 0) -> tuple[numpy.ndarray, numpy.ndarray]:
        """Return inputs and targets that can be learnt: noisy copies of a few patterns."""
        rng = numpy.random.default_rng([seed, *self.name.encode()])
        n, classes = self.count(batch), self.output[-1] if self.loss == "crossentropy" else 10
        y = rng.integers(0, classes, n)
        labels = numpy.where(rng.random(n) < WRONG_LABELS, rng.integers(0, classes, n), y)
        if self.words:
            # A class draws half of its words from its own part of the vocabulary.
            own = self.words // classes
            anywhere = rng.integers(0, self.words, (n, *self.shape))
            from_own = rng.integers(0, own, (n, *self.shape)) + y[:, None] * own
            chosen = rng.random((n, *self.shape)) < 0.5
            return numpy.where(chosen, from_own, anywhere).astype("int32"), labels
        # Patterns of 4×4 blocks where there are two axes: in white noise convolutions see nothing.
        axes = range(1, 3) if len(self.shape) > 1 else ()
        coarse = [n // 4 if axis in axes else n for axis, n in enumerate(self.shape, 1)]
        patterns = rng.random((classes, *coarse), "float32")
        for axis in axes:
            patterns = patterns.repeat(4, axis)
        x = 0.3 * patterns[y] + 0.7 * rng.random((n, *self.shape), "float32")
        if self.loss == "crossentropy":
            return x, labels
        return x, x if self.output == self.shape else x.reshape(n, -1)[:, : self.output[0]].copy()


def _resnet_block(filters: int, stride: int) -> Residual:
    body = (
        Conv(filters, 3, stride, "same"),
        BatchNorm(),
        Activation("relu"),
        Conv(filters, 3, 1, "same"),
        BatchNorm(),
    )
    shortcut = (Conv(filters, 1, stride, "same"), BatchNorm()) if stride > 1 else ()
    return Residual(body, shortcut, "relu")


def _encoder(width: int, heads: int, hidden: int) -> tuple[Node, ...]:
    return (
        Residual((LayerNorm(), Attention(heads))),
        Residual((LayerNorm(), Dense(hidden, "gelu"), Dense(width))),
    )


_ALL = (
    Workload(
        "mlp",
        "MLP 784-512-512-10",
        (784,),
        (Dense(512, "relu"), Dense(512, "relu"), Dense(10)),
        samples=12800,
    ),
    Workload(
        "cnn",
        "CNN, 2 × conv and pool, 28×28",
        (28, 28, 1),
        (
            Conv(32, 3, activation="relu"),
            MaxPool(2),
            Conv(64, 3, activation="relu"),
            MaxPool(2),
            Flatten(),
            Dense(128, "relu"),
            Dense(10),
        ),
    ),
    Workload(
        "resnet",
        "ResNet-20, 32×32×3",
        (32, 32, 3),
        (
            Conv(16, 3, 1, "same"),
            BatchNorm(),
            Activation("relu"),
            *[_resnet_block(16, 1) for _ in range(3)],
            *[_resnet_block(32, 2 if i == 0 else 1) for i in range(3)],
            *[_resnet_block(64, 2 if i == 0 else 1) for i in range(3)],
            GlobalAveragePool(),
            Dense(10),
        ),
        samples=512,
        least_steps=2,
    ),
    Workload("lstm", "LSTM 128, 28×28", (28, 28), (LSTM(128), Dense(10))),
    Workload(
        "text",
        "Embedding 64 + LSTM 64, 80 words",
        (80,),
        (Embedding(5000, 64), LSTM(64), Dense(2)),
        words=5000,
        samples=1280,
        least_steps=3,
    ),
    Workload(
        "transformer",
        "Transformer encoder, 2 × 128, 4 heads, length 64",
        (64, 32),
        (
            Dense(128),
            *_encoder(128, 4, 256),
            *_encoder(128, 4, 256),
            LayerNorm(),
            GlobalAveragePool(),
            Dense(10),
        ),
        samples=640,
        least_steps=2,
    ),
    Workload(
        "autoencoder",
        "Autoencoder 784-256-64-256-784",
        (784,),
        (Dense(256, "relu"), Dense(64, "relu"), Dense(256, "relu"), Dense(784, "sigmoid")),
        loss="mse",
        samples=6400,
    ),
    Workload(
        "deep",
        "14 × Dense 64, tanh",
        (64,),
        (*[Dense(64, "tanh") for _ in range(14)], Dense(10)),
        samples=12800,
        batches=(32,),
    ),
    Workload(
        "tiny",
        "Dense 4-1: what a step costs beside arithmetic",
        (4,),
        (Dense(1),),
        loss="mse",
        samples=32000,
        batches=(32,),
    ),
)

WORKLOADS = {workload.name: workload for workload in _ALL}
