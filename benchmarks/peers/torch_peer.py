"""PyTorch with a training loop of its own, eager or through `torch.compile`; fused Adam."""

from __future__ import annotations

import numpy
import torch
from torch import nn

from benchmarks import nodes
from benchmarks.nodes import channels_first_rows, of_node, walk
from benchmarks.workloads import ADAM_EPSILON, LEARNING_RATE

_ACTIVATIONS = {"relu": nn.ReLU, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid, "gelu": nn.GELU}


class Residual(nn.Module):
    def __init__(self, body: nn.Module, shortcut: nn.Module, activation: str | None) -> None:
        super().__init__()
        self.body, self.shortcut = body, shortcut
        self.activation = _ACTIVATIONS[activation]() if activation else nn.Identity()

    def forward(self, x):
        return self.activation(self.body(x) + self.shortcut(x))


class LastStep(nn.Module):
    def __init__(self, recurrent: nn.Module) -> None:
        super().__init__()
        self.recurrent = recurrent

    def forward(self, x):
        return self.recurrent(x)[0][:, -1]


class SelfAttention(nn.Module):
    def __init__(self, attention: nn.Module) -> None:
        super().__init__()
        self.attention = attention

    def forward(self, x):
        return self.attention(x, x, x, need_weights=False)[0]


class Mean(nn.Module):
    def __init__(self, axes: tuple[int, ...]) -> None:
        super().__init__()
        self.axes = axes

    def forward(self, x):
        return x.mean(self.axes)


class SamePadded(nn.Module):
    """A strided convolution that pads as TensorFlow and JAX do: more at the end."""

    def __init__(self, conv: nn.Module, before: int, after: int) -> None:
        super().__init__()
        self.conv, self.pad = conv, (before, after, before, after)

    def forward(self, x):
        return self.conv(nn.functional.pad(x, self.pad))


def _set(parameters: list, values: list[numpy.ndarray]) -> None:
    with torch.no_grad():
        for parameter, value in zip(parameters, values, strict=True):
            parameter.copy_(torch.from_numpy(numpy.ascontiguousarray(value)))


def _conv(node: nodes.Conv, shape: tuple, given: list) -> list[nn.Module]:
    same = node.padding == "same"
    even = node.stride == 1 or node.size == 1
    padding = node.size // 2 if same and even else 0
    conv = nn.Conv2d(shape[-1], node.filters, node.size, node.stride, padding)
    _set([conv.weight, conv.bias], [given[0].transpose(3, 2, 0, 1), given[1]])
    if same and not even:
        total = max(node.size - node.stride, 0)
        conv = SamePadded(conv, total // 2, total - total // 2)
    return [conv]


def _batch_norm(node, shape, given) -> list[nn.Module]:
    layer = nn.BatchNorm2d(shape[-1], nodes.EPSILON, 1 - nodes.BATCH_NORM_MOMENTUM)
    _set([layer.weight, layer.bias, layer.running_mean, layer.running_var], given)
    return [layer]


def _layer_norm(node, shape, given) -> list[nn.Module]:
    layer = nn.LayerNorm(shape[-1], nodes.EPSILON)
    _set([layer.weight, layer.bias], given)
    return [layer]


def _lstm(node, shape, given) -> list[nn.Module]:
    layer = nn.LSTM(shape[-1], node.units, batch_first=True)
    kernel, recurrent, bias = given
    own = [layer.weight_ih_l0, layer.weight_hh_l0, layer.bias_ih_l0, layer.bias_hh_l0]
    _set(own, [kernel.T, recurrent.T, bias, 0 * bias])
    layer.bias_hh_l0.requires_grad_(False)  # the others have one bias, and train one
    return [LastStep(layer)]


def _embedding(node, shape, given) -> list[nn.Module]:
    layer = nn.Embedding(node.words, node.width)
    _set([layer.weight], given)
    return [layer]


def _attention(node, shape, given) -> list[nn.Module]:
    layer = nn.MultiheadAttention(shape[-1], node.heads, batch_first=True)
    query, query_bias, key, key_bias, value, value_bias, output, output_bias = given
    own = [layer.in_proj_weight, layer.in_proj_bias, layer.out_proj.weight, layer.out_proj.bias]
    joined = numpy.concatenate([query.T, key.T, value.T])
    joined_bias = numpy.concatenate([query_bias, key_bias, value_bias])
    _set(own, [joined, joined_bias, output.T, output_bias])
    return [SelfAttention(layer)]


def _pool(node, shape, given) -> list[nn.Module]:
    return [Mean((2, 3) if len(shape) == 3 else (1,))]


_LAYERS = {
    nodes.Conv: _conv,
    nodes.MaxPool: lambda node, shape, given: [nn.MaxPool2d(node.size)],
    nodes.GlobalAveragePool: _pool,
    nodes.Flatten: lambda node, shape, given: [nn.Flatten()],
    nodes.Activation: lambda node, shape, given: [_ACTIVATIONS[node.kind]()],
    nodes.BatchNorm: _batch_norm,
    nodes.LayerNorm: _layer_norm,
    nodes.LSTM: _lstm,
    nodes.Embedding: _embedding,
    nodes.Attention: _attention,
}


def _stack(listed: tuple, shape: tuple, weights: dict, under: str = "") -> nn.Sequential:
    made: list[nn.Module] = []
    flattened = None
    for path, node, before in walk(listed, shape, under):
        given = of_node(weights, path)
        if isinstance(node, nodes.Residual):
            body = _stack(node.body, before, weights, f"{path}.body.")
            shortcut = _stack(node.shortcut, before, weights, f"{path}.shortcut.")
            made.append(Residual(body, shortcut, node.activation))
        elif isinstance(node, nodes.Dense):
            layer = nn.Linear(before[-1], node.units)
            kernel = channels_first_rows(given[0], flattened) if flattened else given[0]
            _set([layer.weight, layer.bias], [kernel.T, given[1]])
            made.append(layer)
        else:
            made += _LAYERS[type(node)](node, before, given)
        if getattr(node, "activation", None) and not isinstance(node, nodes.Residual):
            made.append(_ACTIVATIONS[node.activation]())
        flattened = before if isinstance(node, nodes.Flatten) and len(before) == 3 else None
    return nn.Sequential(*made)


class Training:
    """A training loop as PyTorch's tutorials have it."""

    def __init__(self, workload, batch, x, y, weights, compiled=False) -> None:
        x = x.transpose(0, 3, 1, 2).copy() if x.ndim == 4 else x
        self.x, self.y, self.batch = torch.from_numpy(x), torch.from_numpy(y), batch
        self.model = _stack(workload.nodes, workload.shape, weights)
        self.optimizer = torch.optim.Adam(
            self.model.parameters(), LEARNING_RATE, eps=ADAM_EPSILON, fused=True
        )
        crossentropy = workload.loss == "crossentropy"
        self.loss = nn.CrossEntropyLoss() if crossentropy else nn.MSELoss()
        if compiled:
            self.model = torch.compile(self.model, dynamic=False)

    def _epoch(self, order) -> float:
        self.model.train()
        total = torch.zeros(())
        for start in range(0, len(order), self.batch):
            chosen = order[start : start + self.batch]
            loss = self.loss(self.model(self.x[chosen]), self.y[chosen])
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            total += loss.detach() * len(chosen)
        return float(total) / len(order)

    def first_step(self) -> None:
        self._epoch(torch.arange(self.batch))

    def train(self, epochs: int, shuffle: bool) -> list[float]:
        n = len(self.x)
        order = torch.randperm if shuffle else torch.arange
        return [self._epoch(order(n)) for _ in range(epochs)]

    def predict(self) -> numpy.ndarray:
        self.model.eval()
        with torch.inference_mode():
            parts = [self.model(x) for x in self.x.split(self.batch)]
        return torch.cat(parts).numpy()


build = Training


def versions() -> dict[str, str]:
    return {"torch": torch.__version__}
