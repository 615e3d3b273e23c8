"""Long short-term memory: the cell and the layer."""

from __future__ import annotations

from typing import Any

import numpy

from minpy import activations, initializers
from minpy.arguments import also_by_place
from minpy.layers.functions.recurrent import lstm
from minpy.layers.recurrent.cell import CELL_ARGUMENTS, LAYER_ARGUMENTS, LAYER_FLAGS, RecurrentCell
from minpy.layers.recurrent.fused_rnn import FusedRNN

__all__ = ["LSTM", "LSTMCell", "UnitForgetBias"]


class UnitForgetBias:
    """An initializer of biases that starts the forget gate's at 1."""

    def __init__(self, rest: Any) -> None:
        self.rest = rest

    def __call__(self, shape: Any, dtype: Any = None) -> numpy.ndarray:
        """Return the biases of the four gates."""
        units = shape[0] // 4
        parts = [initializers.make(self.rest, (n * units,), dtype) for n in (1, 2)]
        return numpy.concatenate((parts[0], numpy.ones(units, parts[0].dtype), parts[1]))


class LSTMCell(RecurrentCell):
    """One step of a long short-term memory.

    Parameters
    ----------
    units
        Length of the output and of the cell.
    activation, recurrent_activation
        Of the candidate and the output, and of the gates.
    use_bias, kernel_initializer, recurrent_initializer, bias_initializer, …
        As of `LSTM`.

    Notes
    -----
    ``call(x, [h, c])`` returns ``h, [h, c]``.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import LSTMCell
    >>> h, (h, c) = LSTMCell(4)(np.ones((2, 3)), [np.zeros((2, 4)), np.zeros((2, 4))])
    >>> h.shape, c.shape
    ((2, 4), (2, 4))
    """

    gates = 4

    @also_by_place(**CELL_ARGUMENTS, seed=None)
    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        recurrent_activation: Any = "sigmoid",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        unit_forget_bias: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            units,
            activation,
            use_bias,
            kernel_initializer,
            recurrent_initializer,
            bias_initializer,
            **kwargs,
        )
        self.recurrent_activation = activations.get(recurrent_activation)
        self.unit_forget_bias = bool(unit_forget_bias)

    @property
    def state_size(self) -> list[int]:
        """Lengths of output and cell."""
        return [self.units, self.units]

    def _bias_initializer(self) -> Any:
        return (
            UnitForgetBias(self.bias_initializer)
            if self.unit_forget_bias
            else self.bias_initializer
        )

    def call(self, inputs: Any, states: Any, training: bool = False) -> tuple[Any, list[Any]]:
        """Compute output and new states of a step."""
        h, c = states
        x, h = self._dropped(inputs, h, training)
        z = x @ self.kernel + h @ self.recurrent_kernel
        if self.bias is not None:
            z = z + self.bias
        n = self.units
        gate = self.recurrent_activation
        i, f, o = gate(z[:, :n]), gate(z[:, n : 2 * n]), gate(z[:, 3 * n :])
        c = f * c + i * self.activation(z[:, 2 * n : 3 * n])
        h = o * self.activation(c)
        return h, [h, c]

    def fuses(self, training: bool) -> bool:
        """Say whether `run` computes what `call` does."""
        return (
            self.activation is activations.get("tanh")
            and self.recurrent_activation is activations.get("sigmoid")
            and not (training and self.recurrent_dropout)
        )

    def run(self, x: Any, states: Any, mask: Any, sequences: bool) -> tuple[Any, list[Any]]:
        """Return the outputs of all steps and the last states."""
        h0, c0 = states
        hs, h, c = lstm(x, self.kernel, self.recurrent_kernel, self.bias, h0, c0, mask, sequences)
        return hs, [h, c]

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal cell."""
        return {
            **super().get_config(),
            "recurrent_activation": activations.serialize(self.recurrent_activation),
            "unit_forget_bias": self.unit_forget_bias,
        }


class LSTM(FusedRNN):
    """Long short-term memory.

    Parameters
    ----------
    units
        Length of the output.
    activation, recurrent_activation
        Of the candidate and the output, and of the gates. With the defaults, and without dropout of
        the state, a kernel for whole sequences runs; else a loop over `LSTMCell`.
    use_bias
        Whether a bias is added.
    kernel_initializer, recurrent_initializer, bias_initializer
        How the weights start.
    unit_forget_bias
        Whether the forget gate's bias starts at 1 (Jozefowicz et al., 2015).
    kernel_regularizer, recurrent_regularizer, bias_regularizer, activity_regularizer
        Loss terms of the weights and of the output.
    kernel_constraint, recurrent_constraint, bias_constraint
        What is done to the weights after each step.
    dropout, recurrent_dropout
        The fractions of the input and of the state that are dropped while training, the same ones
        at all steps of a sequence (Gal and Ghahramani, 2016).
    seed
        Makes the dropout the same at each call; by default it follows from the global seed.
    return_sequences, return_state, go_backwards, stateful, unroll, zero_output_for_mask
        As of `RNN`.

    Notes
    -----
    Hochreiter and Schmidhuber, 1997. Input ``(batch, time, features)``; the kernel is
    ``(features, 4 units)``: input gate, forget gate, cell, output gate. Called with
    ``initial_state=[h, c]`` it starts there.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import LSTM
    >>> LSTM(4)(np.zeros((2, 5, 3))).shape
    (2, 4)
    >>> sequences, h, c = LSTM(4, return_sequences=True, return_state=True)(np.zeros((2, 5, 3)))
    >>> sequences.shape, c.shape
    ((2, 5, 4), (2, 4))
    """

    cell_class = LSTMCell
    cell_name = "lstm_cell"

    @also_by_place(**LAYER_ARGUMENTS, seed=None, **LAYER_FLAGS, unroll=False, use_cudnn="auto")
    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        recurrent_activation: Any = "sigmoid",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        unit_forget_bias: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            {
                "units": units,
                "activation": activation,
                "recurrent_activation": recurrent_activation,
                "use_bias": use_bias,
                "kernel_initializer": kernel_initializer,
                "recurrent_initializer": recurrent_initializer,
                "bias_initializer": bias_initializer,
                "unit_forget_bias": unit_forget_bias,
            },
            **kwargs,
        )
