"""Gluon, MXNet's own training interface, with MXNet as it comes: its default engine and threads."""

from __future__ import annotations

import numpy

if "bool" not in vars(numpy):  # mxnet 1.9.1 reads the alias that numpy 1.24 removed
    numpy.bool = numpy.bool_
import mxnet
from mxnet import autograd, gluon
from mxnet.gluon import nn, rnn

from benchmarks import nodes
from benchmarks.nodes import channels_first_rows, of_node, walk
from benchmarks.workloads import ADAM_EPSILON, LEARNING_RATE


def _activation(kind: str) -> gluon.HybridBlock:
    return nn.GELU() if kind == "gelu" else nn.Activation(kind)


class Residual(gluon.HybridBlock):
    def __init__(self, body, shortcut, activation) -> None:
        super().__init__()
        self.body, self.shortcut = body, shortcut
        self.activation = _activation(activation) if activation else None

    def hybrid_forward(self, F, x):
        y = self.body(x) + (self.shortcut(x) if len(self.shortcut) else x)
        return self.activation(y) if self.activation else y


class LastStep(gluon.HybridBlock):
    def __init__(self, recurrent) -> None:
        super().__init__()
        self.recurrent = recurrent

    def hybrid_forward(self, F, x):
        steps = self.recurrent(x)
        return F.reshape(F.slice_axis(steps, axis=1, begin=-1, end=None), (0, -1))


class SelfAttention(gluon.HybridBlock):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads, self.scale = heads, (width // heads) ** -0.5
        self.parts = [nn.Dense(width, flatten=False, in_units=width) for _ in range(4)]
        for part in self.parts:
            self.register_child(part)

    def hybrid_forward(self, F, x):
        def split(y):
            # (batch, length, width) → (batch × heads, length, width / heads)
            y = F.transpose(F.reshape(y, (0, 0, self.heads, -1)), (0, 2, 1, 3))
            return F.reshape(y, (-3, 0, 0))

        query, key, value = (split(part(x)) for part in self.parts[:3])
        scores = F.batch_dot(query * self.scale, key, transpose_b=True)
        mixed = F.batch_dot(F.softmax(scores), value)
        mixed = F.transpose(F.reshape(mixed, (-4, -1, self.heads, 0, 0)), (0, 2, 1, 3))
        return self.parts[3](F.reshape(mixed, (0, 0, -3)))


class Mean(gluon.HybridBlock):
    def __init__(self, axes) -> None:
        super().__init__()
        self.axes = axes

    def hybrid_forward(self, F, x):
        return F.mean(x, axis=self.axes)


class SamePadded(gluon.HybridBlock):
    """A strided convolution that pads as TensorFlow and JAX do: more at the end."""

    def __init__(self, conv, before: int, after: int) -> None:
        super().__init__()
        self.conv, self.width = conv, (0, 0, 0, 0, before, after, before, after)

    def hybrid_forward(self, F, x):
        return self.conv(F.pad(x, mode="constant", pad_width=self.width, constant_value=0))


def _set(block, parameters: list, values: list) -> None:
    block.initialize()
    for parameter, value in zip(parameters, values, strict=True):
        parameter.set_data(mxnet.nd.array(numpy.ascontiguousarray(value)))


def _conv(node, shape, given):
    same = node.padding == "same"
    even = node.stride == 1 or node.size == 1
    padding = node.size // 2 if same and even else 0
    conv = nn.Conv2D(node.filters, node.size, node.stride, padding, in_channels=shape[-1])
    _set(conv, [conv.weight, conv.bias], [given[0].transpose(3, 2, 0, 1), given[1]])
    if same and not even:
        total = max(node.size - node.stride, 0)
        return SamePadded(conv, total // 2, total - total // 2)
    return conv


def _batch_norm(node, shape, given):
    layer = nn.BatchNorm(
        momentum=nodes.BATCH_NORM_MOMENTUM, epsilon=nodes.EPSILON, in_channels=shape[-1]
    )
    _set(layer, [layer.gamma, layer.beta, layer.running_mean, layer.running_var], given)
    return layer


def _layer_norm(node, shape, given):
    layer = nn.LayerNorm(epsilon=nodes.EPSILON, in_channels=shape[-1])
    _set(layer, [layer.gamma, layer.beta], given)
    return layer


def _lstm(node, shape, given):
    layer = rnn.LSTM(node.units, layout="NTC", input_size=shape[-1])
    kernel, recurrent, bias = given
    own = [layer.l0_i2h_weight, layer.l0_h2h_weight, layer.l0_i2h_bias, layer.l0_h2h_bias]
    _set(layer, own, [kernel.T, recurrent.T, bias, 0 * bias])
    return LastStep(layer)


def _embedding(node, shape, given):
    layer = nn.Embedding(node.words, node.width)
    _set(layer, [layer.weight], given)
    return layer


def _attention(node, shape, given):
    layer = SelfAttention(shape[-1], node.heads)
    own = [p for part in layer.parts for p in (part.weight, part.bias)]
    _set(layer, own, [a.T for a in given])
    return layer


_LAYERS = {
    nodes.Conv: _conv,
    nodes.MaxPool: lambda node, shape, given: nn.MaxPool2D(node.size),
    nodes.GlobalAveragePool: lambda node, shape, given: Mean((2, 3) if len(shape) == 3 else (1,)),
    nodes.Flatten: lambda node, shape, given: nn.Flatten(),
    nodes.Activation: lambda node, shape, given: _activation(node.kind),
    nodes.BatchNorm: _batch_norm,
    nodes.LayerNorm: _layer_norm,
    nodes.LSTM: _lstm,
    nodes.Embedding: _embedding,
    nodes.Attention: _attention,
}


def _stack(listed, shape, weights, under=""):
    stack = nn.HybridSequential()
    flattened = None
    for path, node, before in walk(listed, shape, under):
        given = of_node(weights, path)
        if isinstance(node, nodes.Residual):
            body = _stack(node.body, before, weights, f"{path}.body.")
            shortcut = _stack(node.shortcut, before, weights, f"{path}.shortcut.")
            stack.add(Residual(body, shortcut, node.activation))
        elif isinstance(node, nodes.Dense):
            layer = nn.Dense(node.units, flatten=False, in_units=before[-1])
            kernel = channels_first_rows(given[0], flattened) if flattened else given[0]
            _set(layer, [layer.weight, layer.bias], [kernel.T, given[1]])
            stack.add(layer)
        else:
            stack.add(_LAYERS[type(node)](node, before, given))
        if getattr(node, "activation", None) and not isinstance(node, nodes.Residual):
            stack.add(_activation(node.activation))
        flattened = before if isinstance(node, nodes.Flatten) and len(before) == 3 else None
    return stack


class WithLoss(gluon.HybridBlock):
    """Model and loss as one graph."""

    def __init__(self, model, crossentropy: bool) -> None:
        super().__init__()
        self.model = model
        # Gluon's L2Loss is half of the mean squared error.
        self.loss = gluon.loss.SoftmaxCrossEntropyLoss() if crossentropy else gluon.loss.L2Loss(2)

    def hybrid_forward(self, F, x, y):
        return F.mean(self.loss(self.model(x), y))


class Training:
    """A training loop as Gluon's tutorials have it, hybridized."""

    def __init__(self, workload, batch, x, y, weights) -> None:
        self.x = x.transpose(0, 3, 1, 2).copy() if x.ndim == 4 else x
        self.y, self.batch = y.astype("float32"), batch
        self.model = _stack(workload.nodes, workload.shape, weights)
        self.net = WithLoss(self.model, workload.loss == "crossentropy")
        self.net.hybridize(static_alloc=True, static_shape=True)
        self.trainer = gluon.Trainer(
            self.net.collect_params(),
            "adam",
            {"learning_rate": LEARNING_RATE, "epsilon": ADAM_EPSILON},
            kvstore=None,
        )

    def _epoch(self, order: numpy.ndarray) -> float:
        total = mxnet.nd.zeros((1,))
        for start in range(0, len(order), self.batch):
            chosen = order[start : start + self.batch]
            x, y = mxnet.nd.array(self.x[chosen]), mxnet.nd.array(self.y[chosen])
            with autograd.record():
                loss = self.net(x, y)
            loss.backward()
            self.trainer.step(1)  # the loss is a mean already
            total += loss
        return total.asscalar().item() / (len(order) // self.batch)

    def first_step(self) -> None:
        self._epoch(numpy.arange(self.batch))

    def train(self, epochs: int, shuffle: bool) -> list[float]:
        order = numpy.random.permutation if shuffle else numpy.arange
        return [self._epoch(order(len(self.x))) for _ in range(epochs)]

    def predict(self) -> numpy.ndarray:
        starts = range(0, len(self.x), self.batch)
        parts = [self.model(mxnet.nd.array(self.x[i : i + self.batch])) for i in starts]
        return mxnet.nd.concat(*parts, dim=0).asnumpy()


build = Training


def versions() -> dict[str, str]:
    return {"mxnet": mxnet.__version__, "numpy": numpy.__version__}
