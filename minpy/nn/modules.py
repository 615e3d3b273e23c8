"""``minpy.nn.modules`` of minpy 0.3.4: modules for `minpy.nn.model_builder`.

Those with parameters of their own are MXNet symbols, and take MXNet's arguments.
"""

from __future__ import annotations

import math
from typing import Any

import minpy.numpy as np
from minpy import runtime
from minpy.core import Function
from minpy.nn import layers
from minpy.nn.builder_parts import Layer

__all__ = [
    "LSTM",
    "RNN",
    "BatchFlatten",
    "BatchNorm",
    "BatchReshape",
    "Convolution",
    "Dropout",
    "Embedding",
    "Flatten",
    "FullyConnected",
    "Identity",
    "Logistic",
    "Pooling",
    "ReLU",
    "Reshape",
    "Symbolic",
    "Tanh",
    "Variable",
]


class Variable(Layer):
    """A parameter alone; called without arguments it gives its value."""

    _module_name = "variable"

    def __init__(
        self, shape: Any, init_configs: Any = None, update_configs: Any = None, name: Any = None
    ) -> None:
        super().__init__(("variable",), None, name)
        self._shape = tuple(shape)
        self._register_init_configs(init_configs)
        self._register_update_configs(update_configs)

    def forward(self) -> Any:
        """Return the value."""
        return self._get_param(self.variable)

    def param_shapes(self, *args: Any) -> dict[str, tuple]:
        """Return the shape."""
        return {self.variable: self._shape}


class _Function(Layer):
    """A module without parameters."""

    def __init__(self, name: str | None = None) -> None:
        super().__init__(name=name)


class Identity(_Function):
    """The input itself."""

    _module_name = "identity"

    def forward(self, X: Any) -> Any:
        """Return the input."""
        return X


class ReLU(_Function):
    """Rectified linear unit."""

    _module_name = "ReLU"

    def forward(self, X: Any, *args: Any) -> Any:
        """Return ``max(X, 0)``."""
        return layers.relu(X)


class Logistic(_Function):
    """The logistic function."""

    _module_name = "logistic"

    def forward(self, X: Any, *args: Any) -> Any:
        """Return ``1 / (1 + exp(-X))``."""
        return layers.sigmoid(X)


class Tanh(_Function):
    """The hyperbolic tangent."""

    _module_name = "tanh"

    def forward(self, X: Any, *args: Any) -> Any:
        """Return ``tanh(X)``."""
        return np.tanh(X)


class Dropout(_Function):
    """Sets each element to zero with probability `p` in training."""

    _module_name = "dropout"

    def __init__(self, p: float, name: str | None = None) -> None:
        super().__init__(name)
        self._p = p

    def forward(self, data: Any) -> Any:
        """Return `data`, a part of it zero in training."""
        return layers.dropout(data, self._p, "train" if self._mode == "training" else "test")


class Reshape(_Function):
    """The input in another shape."""

    _module_name = "reshape"

    def __init__(self, shape: Any, name: str | None = None) -> None:
        super().__init__(name)
        self._shape = tuple(shape)

    def forward(self, X: Any, *args: Any) -> Any:
        """Return `X` in the shape."""
        return np.reshape(X, self._shape)


class BatchReshape(Reshape):
    """Each sample of the input in another shape."""

    _module_name = "batch_reshape"

    def forward(self, X: Any, *args: Any) -> Any:
        """Return `X` in the shape (batch, …)."""
        return np.reshape(X, (X.shape[0], *self._shape))


class Flatten(_Function):
    """The input as a vector."""

    _module_name = "flatten"

    def forward(self, X: Any) -> Any:
        """Return `X` with one axis."""
        return np.reshape(X, (math.prod(X.shape),))


class BatchFlatten(_Function):
    """Each sample as a vector."""

    _module_name = "batch_flatten"

    def forward(self, X: Any) -> Any:
        """Return `X` in the shape (batch, features)."""
        return np.reshape(X, (X.shape[0], math.prod(X.shape[1:])))


class Symbolic(Layer):
    """An MXNet symbol, whose arguments are parameters except those that are `variables`.

    Parameters
    ----------
    symbol
        The symbol.
    variables
        Arguments that are inputs, ``('data',)`` by default.
    init_configs, update_configs
        Settings of the parameters; see `Layer`.
    name
        See `Module`.
    """

    _module_name = "symbolic"

    def __init__(
        self,
        symbol: Any,
        variables: Any = None,
        init_configs: Any = None,
        update_configs: Any = None,
        name: str | None = None,
    ) -> None:
        self._symbol = symbol
        self._variables = ("data",) if variables is None else tuple(variables)
        params = tuple(a for a in symbol.list_arguments() if a not in self._variables)
        super().__init__(params, tuple(symbol.list_auxiliary_states()), name)
        self._register_init_configs(init_configs)
        self._register_update_configs(update_configs)
        self._func = Function(symbol, name=self._name)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Compute the symbol on its variables, in their order or by their names."""
        named = {**dict(zip(self._variables, args, strict=False)), **kwargs}
        params = zip(self._module_param_names, self._get_params(*self._param_names), strict=True)
        named.update(params)
        aux = self._get_aux_params(*self._aux_param_names)
        named.update(zip(self._module_aux_param_names, aux, strict=True))
        self._func.is_train = self._mode == "training"
        return self._func(**named)

    def _inferred(self, shapes: tuple, named: dict[str, Any]) -> tuple[list, list, list]:
        return self._func._shapes({**dict(zip(self._variables, shapes, strict=False)), **named})

    def param_shapes(self, *args: Any, **kwargs: Any) -> dict[str, tuple]:
        """Return the shapes that MXNet finds."""
        shapes = dict(
            zip(self._symbol.list_arguments(), self._inferred(args, kwargs)[0], strict=True)
        )
        return {
            known: shapes[local]
            for local, known in zip(self._module_param_names, self._param_names, strict=True)
        }

    def aux_param_shapes(self, *args: Any, **kwargs: Any) -> dict[str, tuple]:
        """Return the shapes that MXNet finds."""
        return dict(zip(self._aux_param_names, self._inferred(args, kwargs)[2], strict=True))


class _Operator(Symbolic):
    """One of MXNet's operators on ``data``."""

    operator = ""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        mx = runtime.library()
        name = kwargs.pop("name", None)
        configs = {k: kwargs.pop(k, None) for k in ("init_configs", "update_configs")}
        # The name in the symbol is left out of the parameters' names: fullyconnected0_weight.
        symbol = getattr(mx.sym, self.operator)(mx.sym.Variable("data"), *args, name="op", **kwargs)
        super().__init__(symbol, None, name=name, **configs)
        for local, known in zip(self._module_param_names, self._param_names, strict=True):
            setattr(self, local.removeprefix("op_"), known)

    def _assign_param_names(self, *params: str) -> tuple[str, ...]:
        return tuple(f"{self._name}_{param.removeprefix('op_')}" for param in params)


class FullyConnected(_Operator):
    """``mxnet.sym.FullyConnected``: ``num_hidden``, ``no_bias`` and others."""

    _module_name = "fullyconnected"
    operator = "FullyConnected"


class Embedding(_Operator):
    """``mxnet.sym.Embedding``: ``input_dim``, ``output_dim``."""

    _module_name = "embedding"
    operator = "Embedding"


class Convolution(_Operator):
    """``mxnet.sym.Convolution``: ``kernel``, ``num_filter``, ``stride``, ``pad`` and others."""

    _module_name = "convolution"
    operator = "Convolution"


class Pooling(_Operator):
    """``mxnet.sym.Pooling``: ``pool_type``, ``kernel``, ``stride`` and others."""

    _module_name = "pooling"
    operator = "Pooling"


class BatchNorm(_Operator):
    """``mxnet.sym.BatchNorm``: ``fix_gamma``, ``momentum``, ``eps`` and others."""

    _module_name = "batchnorm"
    operator = "BatchNorm"


class RNN(Symbolic):
    """One step of an Elman network; its recurrent weight starts as the identity.

    Parameters
    ----------
    num_hidden
        Units of the state.
    act_type
        ``'relu'``, ``'sigmoid'``, ``'softrelu'`` or ``'tanh'``.
    """

    _module_name = "rnn"

    def __init__(self, num_hidden: int, act_type: str = "tanh") -> None:
        sym = runtime.library().sym
        data = sym.FullyConnected(
            sym.Variable("data"), num_hidden=num_hidden, no_bias=True, name="XH"
        )
        hidden = sym.FullyConnected(sym.Variable("hidden"), num_hidden=num_hidden, name="HH")
        super().__init__(sym.Activation(data + hidden, act_type=act_type), ("data", "hidden"))
        self._register_init_configs({"HH_weight": {"init_rule": "custom", "function": _identity}})
        self._num_hidden = num_hidden

    def __call__(self, data: Any, hidden: Any = None) -> Any:
        """Return the next state; the first one is zeros."""
        if hidden is None:
            hidden = np.zeros((data.shape[0], self._num_hidden))
        return super().__call__(data, hidden)


class LSTM(Symbolic):
    """One step of a long short-term memory.

    Parameters
    ----------
    num_hidden
        Units of the state.
    act_type
        What the cell goes through on its way out.
    """

    _module_name = "lstm"

    def __init__(self, num_hidden: int, act_type: str = "tanh") -> None:
        sym = runtime.library().sym
        data = sym.FullyConnected(
            sym.Variable("data"), num_hidden=4 * num_hidden, no_bias=True, name="XH"
        )
        hidden = sym.FullyConnected(sym.Variable("hidden"), num_hidden=4 * num_hidden, name="HH")
        parts = sym.SliceChannel(data + hidden, num_outputs=4, axis=1)
        i, f, o = (sym.Activation(parts[n], act_type="sigmoid") for n in range(3))
        g = sym.Activation(parts[3], act_type="tanh")
        cell = f * sym.Variable("cell") + i * g
        state = o * sym.Activation(cell, act_type=act_type)
        super().__init__(sym.Group([state, cell]), ("data", "hidden", "cell"))
        self._num_hidden = num_hidden

    def __call__(self, data: Any, hidden: Any = None, cell: Any = None) -> Any:
        """Return the next state and cell; the first ones are zeros."""
        start = (data.shape[0], self._num_hidden)
        hidden = np.zeros(start) if hidden is None else hidden
        cell = np.zeros(start) if cell is None else cell
        return super().__call__(data, hidden, cell)


def _identity(shape: Any) -> Any:
    return np.eye(*shape)
