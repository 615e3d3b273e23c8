"""The words that workloads are written in: what each does to a shape, and which weights it has.

Knows no library: the files in `benchmarks/peers` say what each word is called there. Shapes are
those of one sample, images with their channels last, as in Keras; so are the weights.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy

Shape = tuple[int, ...]
Weights = dict[str, numpy.ndarray]

BATCH_NORM_MOMENTUM = 0.9
EPSILON = 1e-5  # of both normalisations


def uniform(rng: numpy.random.Generator, shape: Shape, fan_in: int, fan_out: int) -> numpy.ndarray:
    """Draw Glorot and Bengio's uniform initial values (2010, eq. 16)."""
    limit = math.sqrt(6 / (fan_in + fan_out))
    return rng.uniform(-limit, limit, shape).astype("float32")


def zeros(*shape: int) -> numpy.ndarray:
    return numpy.zeros(shape, "float32")


def ones(*shape: int) -> numpy.ndarray:
    return numpy.ones(shape, "float32")


class Node:
    """One layer: `output` is the shape after it, `weights` its initial values by name, in order."""

    def output(self, shape: Shape) -> Shape:
        return shape

    def weights(self, shape: Shape, rng: numpy.random.Generator) -> Weights:
        return {}


@dataclass(frozen=True)
class Dense(Node):
    units: int
    activation: str | None = None

    def output(self, shape: Shape) -> Shape:
        return (*shape[:-1], self.units)

    def weights(self, shape: Shape, rng: numpy.random.Generator) -> Weights:
        kernel = uniform(rng, (shape[-1], self.units), shape[-1], self.units)
        return {"kernel": kernel, "bias": zeros(self.units)}


@dataclass(frozen=True)
class Conv(Node):
    filters: int
    size: int
    stride: int = 1
    padding: str = "valid"
    activation: str | None = None

    def output(self, shape: Shape) -> Shape:
        lost = self.size - 1 if self.padding == "valid" else 0
        height, width = ((n - lost + self.stride - 1) // self.stride for n in shape[:2])
        return (height, width, self.filters)

    def weights(self, shape: Shape, rng: numpy.random.Generator) -> Weights:
        area, channels = self.size**2, shape[-1]
        size = (self.size, self.size, channels, self.filters)
        kernel = uniform(rng, size, area * channels, area * self.filters)
        return {"kernel": kernel, "bias": zeros(self.filters)}


@dataclass(frozen=True)
class MaxPool(Node):
    size: int

    def output(self, shape: Shape) -> Shape:
        return (shape[0] // self.size, shape[1] // self.size, shape[2])


@dataclass(frozen=True)
class GlobalAveragePool(Node):
    """The mean over all axes but the last: positions of an image, steps of a sequence."""

    def output(self, shape: Shape) -> Shape:
        return shape[-1:]


@dataclass(frozen=True)
class Flatten(Node):
    def output(self, shape: Shape) -> Shape:
        return (math.prod(shape),)


@dataclass(frozen=True)
class Activation(Node):
    kind: str


@dataclass(frozen=True)
class BatchNorm(Node):
    def weights(self, shape: Shape, rng: numpy.random.Generator) -> Weights:
        n = shape[-1]
        return {"gamma": ones(n), "beta": zeros(n), "mean": zeros(n), "variance": ones(n)}


@dataclass(frozen=True)
class LayerNorm(Node):
    def weights(self, shape: Shape, rng: numpy.random.Generator) -> Weights:
        return {"gamma": ones(shape[-1]), "beta": zeros(shape[-1])}


@dataclass(frozen=True)
class LSTM(Node):
    """Long short-term memory; the output is the last step's. Gates in the order i, f, c, o."""

    units: int

    def output(self, shape: Shape) -> Shape:
        return (self.units,)

    def weights(self, shape: Shape, rng: numpy.random.Generator) -> Weights:
        n, features = self.units, shape[-1]
        bias = zeros(4 * n)
        bias[n : 2 * n] = 1.0  # an open forget gate, Keras' default
        return {
            "kernel": uniform(rng, (features, 4 * n), features, n),
            "recurrent": uniform(rng, (n, 4 * n), n, n),
            "bias": bias,
        }


@dataclass(frozen=True)
class Embedding(Node):
    words: int
    width: int

    def output(self, shape: Shape) -> Shape:
        return (*shape, self.width)

    def weights(self, shape: Shape, rng: numpy.random.Generator) -> Weights:
        table = rng.uniform(-0.05, 0.05, (self.words, self.width))
        return {"table": table.astype("float32")}


@dataclass(frozen=True)
class Attention(Node):
    """Self-attention with several heads; Vaswani et al., 2017, section 3.2.2."""

    heads: int

    def weights(self, shape: Shape, rng: numpy.random.Generator) -> Weights:
        n = shape[-1]
        found = {}
        for part in ("query", "key", "value", "output"):
            found[f"{part}_kernel"] = uniform(rng, (n, n), n, n)
            found[f"{part}_bias"] = zeros(n)
        return found


@dataclass(frozen=True)
class Residual(Node):
    """``activation(body(x) + shortcut(x))``; without a shortcut the input itself is added."""

    body: tuple[Node, ...]
    shortcut: tuple[Node, ...] = ()
    activation: str | None = None

    def output(self, shape: Shape) -> Shape:
        for node in self.body:
            shape = node.output(shape)
        return shape


def walk(nodes: tuple[Node, ...], shape: Shape, under: str = "") -> Iterator[tuple]:
    """Give each node with its path and the shape before it; a branch's nodes come by its path."""
    for i, node in enumerate(nodes):
        yield f"{under}{i}", node, shape
        shape = node.output(shape)


def initial_weights(nodes: tuple[Node, ...], shape: Shape, seed: int, under: str = "") -> Weights:
    """Return all initial values, ``path/name`` → array; each a function of seed and path alone."""
    found: Weights = {}
    for path, node, before in walk(nodes, shape, under):
        if isinstance(node, Residual):
            found |= initial_weights(node.body, before, seed, f"{path}.body.")
            found |= initial_weights(node.shortcut, before, seed, f"{path}.shortcut.")
        rng = numpy.random.default_rng([seed, *path.encode()])
        found |= {f"{path}/{name}": a for name, a in node.weights(before, rng).items()}
    return found


def of_node(weights: Weights, path: str) -> list[numpy.ndarray]:
    """Return the weights of one node, in their order."""
    return [a for name, a in weights.items() if name.rpartition("/")[0] == path]


def channels_first_rows(kernel: numpy.ndarray, image: Shape) -> numpy.ndarray:
    """Reorder a dense kernel's rows for images that were flattened with their channels first."""
    rows = kernel.reshape(*image, -1)
    return rows.transpose(2, 0, 1, 3).reshape(kernel.shape).copy()
