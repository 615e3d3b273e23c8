"""Gated recurrent units: the cell and the layer."""

from __future__ import annotations

from typing import Any

from minpy import activations
from minpy.arguments import also_by_place
from minpy.layers.functions.recurrent import gru
from minpy.layers.recurrent.cell import (
    CELL_ARGUMENTS,
    LAYER_ARGUMENTS,
    LAYER_FLAGS,
    RecurrentCell,
    only_state,
)
from minpy.layers.recurrent.fused_rnn import FusedRNN

__all__ = ["GRU", "GRUCell"]


class GRUCell(RecurrentCell):
    """One step of gated recurrent units.

    Parameters
    ----------
    units
        Length of the output.
    activation, recurrent_activation
        Of the candidate, and of the gates.
    reset_after
        As of `GRU`.
    use_bias, kernel_initializer, recurrent_initializer, bias_initializer, …
        As of `GRU`.

    Notes
    -----
    ``call(x, h)`` returns ``h, h``; with the state in a list, the new one comes in a list too.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import GRUCell
    >>> h, state = GRUCell(4)(np.ones((2, 3)), np.zeros((2, 4)))
    >>> h.shape
    (2, 4)
    """

    gates = 3

    @also_by_place(**CELL_ARGUMENTS, reset_after=True, seed=None)
    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        recurrent_activation: Any = "sigmoid",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        *,
        reset_after: bool = True,
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
        self.reset_after = bool(reset_after)

    def _bias_shape(self) -> tuple[int, ...]:
        columns = 3 * self.units
        return (2, columns) if self.reset_after else (columns,)

    def _biases(self) -> tuple[Any, Any]:
        if self.bias is None:
            return None, None
        return (self.bias[0], self.bias[1]) if self.reset_after else (self.bias, None)

    def call(self, inputs: Any, states: Any, training: bool = False) -> tuple[Any, Any]:
        """Compute output and new state of a step."""
        before = only_state(states)
        x, h = self._dropped(inputs, before, training)
        n, gate = self.units, self.recurrent_activation
        bias, inner_bias = self._biases()
        x = x @ self.kernel
        if bias is not None:
            x = x + bias
        if self.reset_after:
            inner = h @ self.recurrent_kernel
            if inner_bias is not None:
                inner = inner + inner_bias
        else:
            inner = h @ self.recurrent_kernel[:, : 2 * n]
        update = gate(x[:, :n] + inner[:, :n])
        reset = gate(x[:, n : 2 * n] + inner[:, n : 2 * n])
        if self.reset_after:
            candidate = reset * inner[:, 2 * n :]
        else:
            candidate = (reset * h) @ self.recurrent_kernel[:, 2 * n :]
        new = self.activation(x[:, 2 * n :] + candidate)
        h = update * before + (1 - update) * new
        return h, [h] if isinstance(states, list | tuple) else h

    def fuses(self, training: bool) -> bool:
        """Say whether `run` computes what `call` does."""
        return (
            self.reset_after
            and self.activation is activations.get("tanh")
            and self.recurrent_activation is activations.get("sigmoid")
            and not (training and self.recurrent_dropout)
        )

    def run(self, x: Any, states: Any, mask: Any, sequences: bool) -> tuple[Any, list[Any]]:
        """Return the outputs of all steps and the last state."""
        bias, inner = self._biases()
        hs, h = gru(x, self.kernel, self.recurrent_kernel, bias, inner, states[0], mask, sequences)
        return hs, [h]

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal cell."""
        return {
            **super().get_config(),
            "recurrent_activation": activations.serialize(self.recurrent_activation),
            "reset_after": self.reset_after,
        }


class GRU(FusedRNN):
    """Gated recurrent units.

    Parameters
    ----------
    units
        Length of the output.
    activation, recurrent_activation
        Of the candidate, and of the gates. With the defaults, without dropout of the state and with
        `reset_after`, a kernel for whole sequences runs; else a loop over `GRUCell`.
    use_bias
        Whether biases are added.
    kernel_initializer, recurrent_initializer, bias_initializer
        How the weights start.
    reset_after
        Whether the reset gate is applied to the product of the state with its kernel, as cuDNN does
        it, and not to the state; there are then two biases.
    kernel_regularizer, recurrent_regularizer, bias_regularizer, activity_regularizer
        Loss terms of the weights and of the output.
    kernel_constraint, recurrent_constraint, bias_constraint
        What is done to the weights after each step.
    dropout, recurrent_dropout, seed
        As of `LSTM`.
    return_sequences, return_state, go_backwards, stateful, unroll, zero_output_for_mask
        As of `RNN`.

    Notes
    -----
    Cho et al., 2014. Input ``(batch, time, features)``; the kernel is ``(features, 3 units)``:
    update gate, reset gate, candidate.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import GRU
    >>> GRU(4, return_sequences=True)(np.zeros((2, 5, 3))).shape
    (2, 5, 4)
    """

    cell_class = GRUCell
    cell_name = "gru_cell"

    @also_by_place(
        **LAYER_ARGUMENTS,
        seed=None,
        **LAYER_FLAGS,
        unroll=False,
        reset_after=True,
        use_cudnn="auto",
    )
    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        recurrent_activation: Any = "sigmoid",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        *,
        reset_after: bool = True,
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
                "reset_after": reset_after,
            },
            **kwargs,
        )
