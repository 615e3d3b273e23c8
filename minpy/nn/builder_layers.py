"""The layers that ``minpy.nn.model_builder`` had up to minpy 0.3.3, which its tutorials use.

They are reached as ``minpy.nn.model_builder.Affine`` and so on. Each works on batches; shapes in
arguments are those of one sample. `minpy.nn.modules` has those that 0.3.4 brought instead.

>>> import minpy.numpy as np
>>> import minpy.nn.model_builder as builder
>>> hidden = builder.Sequential(builder.Affine(8), builder.ReLU())
>>> net = builder.Sequential(builder.Flatten(), hidden, builder.Affine(3))
>>> model = builder.Model(net, 'softmax', (2, 5))
>>> sorted(p.shape for p in model.params.values())
[(3,), (8,), (8, 3), (10, 8)]
>>> model.forward(np.ones((4, 2, 5)), mode='test').shape
(4, 3)
"""

from __future__ import annotations

import math
from typing import Any

import minpy.numpy as np
from minpy.nn import layers
from minpy.nn.builder_parts import Layer

__all__ = [
    "Affine",
    "BatchNormalization",
    "Convolution",
    "Dropout",
    "Export",
    "Flatten",
    "Identity",
    "Pooling",
    "ReLU",
    "Reshape",
    "Sigmoid",
    "SpatialBatchNormalization",
    "Tanh",
]


class _Weighted(Layer):
    """A layer with a weight and a bias.

    Parameters
    ----------
    initializer
        How they start: ``{'weight': {'init_rule': …, 'init_config': …}, 'bias': …}``.
    """

    def __init__(self, initializer: dict[str, dict[str, Any]] | None = None) -> None:
        super().__init__(("weight", "bias"))
        flat = {
            key: {"init_rule": config["init_rule"], **config.get("init_config", {})}
            for key, config in (initializer or {}).items()
        }
        self._register_init_configs(flat)


class Affine(_Weighted):
    """A fully connected layer of `hidden_number` units."""

    _module_name = "affine"

    def __init__(self, hidden_number: int, initializer: Any = None) -> None:
        super().__init__(initializer)
        self.hidden_number = hidden_number

    def param_shapes(self, input_shape: tuple) -> dict[str, tuple]:
        """Return the shapes of weight and bias."""
        features = math.prod(input_shape[1:])
        return {self.weight: (features, self.hidden_number), self.bias: (self.hidden_number,)}

    def forward(self, inputs: Any) -> Any:
        """Return ``inputs @ weight + bias``."""
        return layers.affine(inputs, *self._get_params(self.weight, self.bias))


class Convolution(_Weighted):
    """A convolution with `kernel_number` kernels of a shape (height, width)."""

    _module_name = "convolution"

    def __init__(
        self,
        kernel_shape: tuple[int, int],
        kernel_number: int,
        stride: tuple[int, int] = (1, 1),
        pad: tuple[int, int] = (0, 0),
        initializer: Any = None,
    ) -> None:
        super().__init__(initializer)
        self.kernel_shape, self.kernel_number = tuple(kernel_shape), kernel_number
        self.stride, self.pad = stride, pad

    def param_shapes(self, input_shape: tuple) -> dict[str, tuple]:
        """Return the shapes of weight and bias."""
        if len(input_shape) != 4:
            raise ValueError(
                f"{self.name}: expected images (batch, channels, height, width), got shape "
                f"{input_shape}; put builder.Reshape((channels, height, width)) before it"
            )
        weight = (self.kernel_number, input_shape[1], *self.kernel_shape)
        return {self.weight: weight, self.bias: (self.kernel_number,)}

    def forward(self, inputs: Any) -> Any:
        """Convolve a batch of images."""
        weight, bias = self._get_params(self.weight, self.bias)
        return layers.conv(inputs, weight, bias, stride=self.stride, pad=self.pad)


class Pooling(Layer):
    """Windows of images as one number each: ``'max'``, ``'avg'`` or ``'sum'``."""

    _module_name = "pooling"

    def __init__(
        self,
        mode: str,
        kernel_shape: tuple[int, int],
        stride: tuple[int, int] = (1, 1),
        pad: tuple[int, int] = (0, 0),
    ) -> None:
        super().__init__()
        if mode not in ("max", "avg", "sum"):
            raise ValueError(f"Pooling: expected mode 'max', 'avg' or 'sum', got {mode!r}")
        self.mode, self.kernel_shape, self.stride, self.pad = mode, kernel_shape, stride, pad

    def forward(self, inputs: Any) -> Any:
        """Pool a batch of images."""
        if self.mode == "max":
            return layers.max_pool(inputs, self.kernel_shape, self.stride, self.pad)
        # As in MXNet, padding counts as zeros.
        out = layers.avg_pool(inputs, self.kernel_shape, self.stride, self.pad, True)
        return out * math.prod(self.kernel_shape) if self.mode == "sum" else out


class BatchNormalization(Layer):
    """Normalizes each feature, or each channel of images, over the batch."""

    _module_name = "BN"

    def __init__(self, epsilon: float = 1e-5, momentum: float = 0.9) -> None:
        super().__init__(("gamma", "beta"), ("running_mean", "running_var"))
        self.epsilon, self.momentum = epsilon, momentum

    def param_shapes(self, input_shape: tuple) -> dict[str, tuple]:
        """Return the shapes of scale and shift."""
        return {self.gamma: (input_shape[1],), self.beta: (input_shape[1],)}

    def aux_param_shapes(self, input_shape: tuple) -> dict[str, tuple]:
        """Return the shapes of the running statistics."""
        return dict.fromkeys(self._aux_param_names, (input_shape[1],))

    def forward(self, inputs: Any) -> Any:
        """Normalize by the batch's statistics in training, by the running ones in inference."""
        kept = self._model.aux_params
        mean, var = self._aux_param_names
        mode = "train" if self._mode == "training" else "test"
        out, new_mean, new_var = layers.batchnorm(
            inputs,
            *self._get_params(self.gamma, self.beta),
            mode=mode,
            eps=self.epsilon,
            momentum=self.momentum,
            running_mean=kept[mean],
            running_var=kept[var],
        )
        if mode == "train":
            kept[mean], kept[var] = new_mean, new_var
        return out


class SpatialBatchNormalization(BatchNormalization):
    """Normalizes each channel of images over the batch and all positions."""

    _module_name = "SpatialBN"


class Identity(Layer):
    """The input itself."""

    _module_name = "identity"

    def __init__(self) -> None:
        super().__init__()

    def forward(self, inputs: Any) -> Any:
        """Return the input."""
        return inputs


class Export(Identity):
    """The input itself, which is put into a dict on its way: ``storage[label]``."""

    _module_name = "export"

    def __init__(self, label: str, storage: dict[str, Any]) -> None:
        super().__init__()
        if label in storage:
            raise ValueError(f"Export: the storage has {label!r} already")
        self.label, self.storage = label, storage
        storage[label] = None

    def forward(self, inputs: Any) -> Any:
        """Keep the input and return it."""
        self.storage[self.label] = inputs
        return inputs


class ReLU(Identity):
    """Rectified linear unit."""

    _module_name = "relu"

    def forward(self, inputs: Any) -> Any:
        """Return ``max(inputs, 0)``."""
        return layers.relu(inputs)


class Sigmoid(Identity):
    """The logistic function."""

    _module_name = "sigmoid"

    def forward(self, inputs: Any) -> Any:
        """Return ``1 / (1 + exp(-inputs))``."""
        return layers.sigmoid(inputs)


class Tanh(Identity):
    """The hyperbolic tangent."""

    _module_name = "tanh"

    def forward(self, inputs: Any) -> Any:
        """Return ``tanh(inputs)``."""
        return np.tanh(inputs)


class Dropout(Layer):
    """Sets each element to zero with a probability, in training."""

    _module_name = "dropout"

    def __init__(self, p: float) -> None:
        super().__init__()
        self.probability = p

    def forward(self, inputs: Any) -> Any:
        """Return the input, a part of it zero in training."""
        mode = "train" if self._mode == "training" else "test"
        return layers.dropout(inputs, self.probability, mode)


class Reshape(Layer):
    """Each sample in another shape."""

    _module_name = "reshape"

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.shape = tuple(shape)

    def forward(self, inputs: Any) -> Any:
        """Return the samples in the shape."""
        return np.reshape(inputs, (inputs.shape[0], *self.shape))


class Flatten(Layer):
    """Each sample as a vector."""

    _module_name = "flatten"

    def __init__(self) -> None:
        super().__init__()

    def forward(self, inputs: Any) -> Any:
        """Return the samples as vectors."""
        return np.reshape(inputs, (inputs.shape[0], math.prod(inputs.shape[1:])))
