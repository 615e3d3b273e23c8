"""JAX and optax: pure functions written by hand, the whole training step under one `jax.jit`."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import numpy
import optax
from jax import lax
from jax import numpy as jnp

from benchmarks import nodes
from benchmarks.nodes import of_node, walk
from benchmarks.workloads import ADAM_EPSILON, LEARNING_RATE

_ACTIVATIONS = {
    None: lambda x: x,
    "relu": jax.nn.relu,
    "tanh": jnp.tanh,
    "sigmoid": jax.nn.sigmoid,
    "gelu": partial(jax.nn.gelu, approximate=False),
}


def _dense(node, w, x):
    return _ACTIVATIONS[node.activation](x @ w[0] + w[1])


def _conv(node, w, x):
    y = lax.conv_general_dilated(
        x,
        w[0],
        (node.stride, node.stride),
        node.padding.upper(),
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )
    return _ACTIVATIONS[node.activation](y + w[1])


def _max_pool(node, w, x):
    window = (1, node.size, node.size, 1)
    return lax.reduce_window(x, -jnp.inf, lax.max, window, window, "VALID")


def _layer_norm(node, w, x):
    mean = x.mean(-1, keepdims=True)
    variance = x.var(-1, keepdims=True)
    return (x - mean) * lax.rsqrt(variance + nodes.EPSILON) * w[0] + w[1]


def _lstm(node, w, x):
    kernel, recurrent, bias = w
    projected = (x @ kernel + bias).swapaxes(0, 1)
    start = jnp.zeros((x.shape[0], node.units))

    def step(state, part):
        h, c = state
        i, f, g, o = jnp.split(part + h @ recurrent, 4, axis=-1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        return (jax.nn.sigmoid(o) * jnp.tanh(c), c), None

    return lax.scan(step, (start, start), projected)[0][0]


def _attention(node, w, x):
    query, query_bias, key, key_bias, value, value_bias, output, output_bias = w
    batch, length, width = x.shape

    def heads(kernel, bias):
        return (x @ kernel + bias).reshape(batch, length, node.heads, width // node.heads)

    q, k, v = heads(query, query_bias), heads(key, key_bias), heads(value, value_bias)
    scores = jnp.einsum("bqhd,bkhd->bhqk", q, k) / (width // node.heads) ** 0.5
    mixed = jnp.einsum("bhqk,bkhd->bqhd", jax.nn.softmax(scores), v)
    return mixed.reshape(batch, length, width) @ output + output_bias


_LAYERS = {
    nodes.Dense: _dense,
    nodes.Conv: _conv,
    nodes.MaxPool: _max_pool,
    nodes.GlobalAveragePool: lambda node, w, x: x.mean(tuple(range(1, x.ndim - 1))),
    nodes.Flatten: lambda node, w, x: x.reshape(len(x), -1),
    nodes.Activation: lambda node, w, x: _ACTIVATIONS[node.kind](x),
    nodes.LayerNorm: _layer_norm,
    nodes.LSTM: _lstm,
    nodes.Embedding: lambda node, w, x: w[0][x],
    nodes.Attention: _attention,
}


def _forward(listed, shape, weights, state, x, training, under=""):
    """Return the output, and the new running statistics by path."""
    moved: dict[str, Any] = {}
    for path, node, before in walk(listed, shape, under):
        if isinstance(node, nodes.Residual):
            run = partial(_forward, shape=before, weights=weights, state=state, training=training)
            body, one = run(node.body, x=x, under=f"{path}.body.")
            shortcut, two = run(node.shortcut, x=x, under=f"{path}.shortcut.")
            moved |= one | two
            x = _ACTIVATIONS[node.activation](body + shortcut)
        elif isinstance(node, nodes.BatchNorm):
            mean, variance = state[path]
            if training:
                keep = nodes.BATCH_NORM_MOMENTUM
                axes = tuple(range(x.ndim - 1))
                own = x.mean(axes), x.var(axes)
                moved[path] = tuple(
                    keep * a + (1 - keep) * b for a, b in zip((mean, variance), own, strict=True)
                )
                mean, variance = own
            gamma, beta = weights[path]
            x = (x - mean) * (lax.rsqrt(variance + nodes.EPSILON) * gamma) + beta
        else:
            x = _LAYERS[type(node)](node, weights.get(path), x)
    return x, moved


def _split(weights: dict) -> tuple[dict, dict]:
    """Part the weights by node into those that train and running statistics."""
    trained, state = {}, {}
    for path in dict.fromkeys(name.rpartition("/")[0] for name in weights):
        values = [jnp.asarray(a) for a in of_node(weights, path)]
        if f"{path}/variance" in weights:
            trained[path], state[path] = values[:2], tuple(values[2:])
        else:
            trained[path] = values
    return trained, state


class Training:
    """A jitted step, with its weights given away to it, over batches that NumPy gathers."""

    def __init__(self, workload, batch, x, y, weights) -> None:
        self.x, self.y, self.batch = x, y, batch
        self.weights, self.state = _split(weights)
        optimizer = optax.adam(LEARNING_RATE, eps=ADAM_EPSILON)
        self.slots = optimizer.init(self.weights)
        forward = partial(_forward, workload.nodes, workload.shape)

        def loss(weights, state, x, y):
            out, state = forward(weights, state, x, True)
            if workload.loss == "crossentropy":
                each = optax.softmax_cross_entropy_with_integer_labels(out, y)
                return each.mean(), state
            return ((out - y) ** 2).mean(), state

        @partial(jax.jit, donate_argnums=(0, 1, 2, 3))
        def step(weights, state, slots, total, x, y):
            (value, state), slopes = jax.value_and_grad(loss, has_aux=True)(weights, state, x, y)
            updates, slots = optimizer.update(slopes, slots)
            return optax.apply_updates(weights, updates), state, slots, total + value

        self.step = step
        self.forward = jax.jit(lambda weights, state, x: forward(weights, state, x, False)[0])

    def _epoch(self, order: numpy.ndarray) -> float:
        total = jnp.zeros(())
        for start in range(0, len(order), self.batch):
            chosen = order[start : start + self.batch]
            self.weights, self.state, self.slots, total = self.step(
                self.weights, self.state, self.slots, total, self.x[chosen], self.y[chosen]
            )
        return float(total) / (len(order) // self.batch)

    def first_step(self) -> None:
        self._epoch(numpy.arange(self.batch))

    def train(self, epochs: int, shuffle: bool) -> list[float]:
        order = numpy.random.permutation if shuffle else numpy.arange
        return [self._epoch(order(len(self.x))) for _ in range(epochs)]

    def predict(self) -> numpy.ndarray:
        starts = range(0, len(self.x), self.batch)
        parts = [self.forward(self.weights, self.state, self.x[i : i + self.batch]) for i in starts]
        return numpy.concatenate([numpy.asarray(part) for part in parts])


build = Training


def versions() -> dict[str, str]:
    return {"jax": jax.__version__, "optax": optax.__version__}
