"""What the cells of recurrent layers share: weights, dropout, configuration; knows no formula."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy

from minpy import activations, constraints, initializers, random, regularizers
from minpy.array import as_ndarray
from minpy.errors import ShapeError
from minpy.layers.layer import Layer

__all__ = ["SETTINGS", "RecurrentCell", "zeros"]

_PARTS = {"initializer": initializers, "regularizer": regularizers, "constraint": constraints}

# Argument → what makes an object of it.
SETTINGS = {
    f"{weight}_{part}": module
    for part, module in _PARTS.items()
    for weight in ("kernel", "recurrent", "bias")
}


def zeros(samples: int, size: Any, dtype: Any) -> Any:
    """Return the state before the first step for a size, or for a list of them."""
    if isinstance(size, list | tuple):
        return [zeros(samples, one, dtype) for one in size]
    return as_ndarray(numpy.zeros((samples, size), dtype))


# What constructors of cells and layers take by place behind their own arguments: Keras' order.
CELL_ARGUMENTS = {
    "kernel_regularizer": None,
    "recurrent_regularizer": None,
    "bias_regularizer": None,
    "kernel_constraint": None,
    "recurrent_constraint": None,
    "bias_constraint": None,
    "dropout": 0.0,
    "recurrent_dropout": 0.0,
}
LAYER_ARGUMENTS = {
    "kernel_regularizer": None,
    "recurrent_regularizer": None,
    "bias_regularizer": None,
    "activity_regularizer": None,
    "kernel_constraint": None,
    "recurrent_constraint": None,
    "bias_constraint": None,
    "dropout": 0.0,
    "recurrent_dropout": 0.0,
}
LAYER_FLAGS = {
    "return_sequences": False,
    "return_state": False,
    "go_backwards": False,
    "stateful": False,
}


class RecurrentCell(Layer):
    """A step of a recurrence with a kernel, a recurrent kernel and a bias."""

    gates = 1

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None,
        bias_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        given = dict(locals())
        kind = type(self).__name__
        if isinstance(units, bool) or not isinstance(units, int | numpy.integer) or units <= 0:
            raise ValueError(f"{kind}: expected a positive number of units, got {units!r}")
        for name in ("dropout", "recurrent_dropout"):
            if not 0 <= given[name] < 1:
                raise ValueError(f"{kind}: expected {name} from 0 to below 1, got {given[name]!r}")
        super().__init__(**kwargs)
        self.units = int(units)
        self.activation = activations.get(activation)
        self.use_bias = bool(use_bias)
        for name, module in SETTINGS.items():
            setattr(self, name, module.get(given[name]))
        self.dropout = float(dropout)
        self.recurrent_dropout = float(recurrent_dropout)
        self.seed = seed
        self._masks: dict[str, Any] | None = None

    @property
    def state_size(self) -> Any:
        """Length of the state, or a list of lengths."""
        return self.units

    @property
    def output_size(self) -> int:
        """Length of the output."""
        return self.units

    def check_input(self, shape: Any) -> None:
        """Raise `ShapeError` unless the number of features is known."""
        if not isinstance(shape, tuple) or len(shape) != 2 or shape[-1] is None:
            raise ShapeError(
                f"{type(self).__name__} {self.name!r}: expected one step of shape "
                f"(batch, features), got {shape}"
            )

    def _bias_shape(self) -> tuple[int, ...]:
        return (self.gates * self.units,)

    def _bias_initializer(self) -> Any:
        return self.bias_initializer

    def build(self, input_shape: Any) -> None:
        """Make kernel, recurrent kernel and bias."""
        columns = self.gates * self.units
        self.kernel = self.add_weight(
            "kernel",
            (input_shape[-1], columns),
            self.kernel_initializer,
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
        )
        self.recurrent_kernel = self.add_weight(
            "recurrent_kernel",
            (self.units, columns),
            self.recurrent_initializer,
            regularizer=self.recurrent_regularizer,
            constraint=self.recurrent_constraint,
        )
        if self.use_bias:
            self.bias = self.add_weight(
                "bias",
                self._bias_shape(),
                self._bias_initializer(),
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
            )
        else:
            self.bias = None

    def get_initial_state(self, batch_size: int) -> list[Any]:
        """Return the state before the first step: zeros."""
        size = self.state_size
        sizes = size if isinstance(size, list) else [size]
        return zeros(batch_size, sizes, self.__dict__["dtype"])

    # --- dropout --------------------------------------------------------------------------------

    @contextlib.contextmanager
    def sequence(self) -> Iterator[None]:
        """Keep what is drawn at the first step of a ``with`` block for all of its steps."""
        self._masks = {}
        try:
            yield
        finally:
            self._masks = None

    def mask(self, which: str, x: Any) -> Any:
        """Return what the input (``'dropout'``) or the state is multiplied by in training."""
        drawn = {} if self._masks is None else self._masks
        if which not in drawn:
            drawn[which] = random.dropout_mask(x.shape, getattr(self, which), x.dtype, self.seed)
        return drawn[which]

    def _dropped(self, x: Any, h: Any, training: bool) -> tuple[Any, Any]:
        if training and self.dropout:
            x = x * self.mask("dropout", x)
        if training and self.recurrent_dropout:
            h = h * self.mask("recurrent_dropout", h)
        return x, h

    # --- configuration --------------------------------------------------------------------------

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal cell."""
        config = {
            **super().get_config(),
            "units": self.units,
            "activation": activations.serialize(self.activation),
            "use_bias": self.use_bias,
        }
        for name, module in SETTINGS.items():
            value = getattr(self, name)
            config[name] = None if value is None else module.serialize(value)
        return {
            **config,
            "dropout": self.dropout,
            "recurrent_dropout": self.recurrent_dropout,
            "seed": self.seed,
        }


def only_state(states: Any) -> Any:
    """Return the one state of a cell, given as it is or in a list."""
    return states[0] if isinstance(states, list | tuple) else states
