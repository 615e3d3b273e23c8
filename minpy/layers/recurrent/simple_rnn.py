"""The simple recurrence: the cell and the layer."""

from __future__ import annotations

from typing import Any

from minpy import activations
from minpy.arguments import also_by_place
from minpy.layers.functions.recurrent import simple_rnn
from minpy.layers.recurrent.cell import LAYER_ARGUMENTS, LAYER_FLAGS, RecurrentCell, only_state
from minpy.layers.recurrent.fused_rnn import FusedRNN

__all__ = ["SimpleRNN", "SimpleRNNCell"]

_FUSED = ("tanh", "relu")


class SimpleRNNCell(RecurrentCell):
    """One step of the simple recurrence: ``activation(x @ kernel + h @ recurrent_kernel + bias)``.

    Parameters
    ----------
    units
        Length of the output.
    activation
        Name or function; None is the identity.
    use_bias, kernel_initializer, recurrent_initializer, bias_initializer, …
        As of `SimpleRNN`.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import SimpleRNNCell
    >>> h, state = SimpleRNNCell(4)(np.ones((2, 3)), np.zeros((2, 4)))
    >>> h.shape
    (2, 4)
    """

    def call(self, inputs: Any, states: Any, training: bool = False) -> tuple[Any, Any]:
        """Compute output and new state of a step."""
        x, h = self._dropped(inputs, only_state(states), training)
        z = x @ self.kernel + h @ self.recurrent_kernel
        if self.bias is not None:
            z = z + self.bias
        h = self.activation(z)
        return h, [h] if isinstance(states, list | tuple) else h

    def _fused_activation(self) -> str | None:
        return next((a for a in _FUSED if self.activation is activations.get(a)), None)

    def fuses(self, training: bool) -> bool:
        """Say whether `run` computes what `call` does."""
        return self._fused_activation() is not None and not (training and self.recurrent_dropout)

    def run(self, x: Any, states: Any, mask: Any, sequences: bool) -> tuple[Any, list[Any]]:
        """Return the outputs of all steps and the last state."""
        hs, h = simple_rnn(
            x,
            self.kernel,
            self.recurrent_kernel,
            self.bias,
            states[0],
            mask,
            self._fused_activation(),
            sequences,
        )
        return hs, [h]


class SimpleRNN(FusedRNN):
    """The simple recurrence: ``h = activation(x @ kernel + h @ recurrent_kernel + bias)``.

    Parameters
    ----------
    units
        Length of the output.
    activation
        Name or function. With ``'tanh'`` and ``'relu'``, and without dropout of the state, a kernel
        for whole sequences runs; else a loop over `SimpleRNNCell`.
    use_bias
        Whether a bias is added.
    kernel_initializer, recurrent_initializer, bias_initializer
        How the weights start.
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
    Elman, 1990. Input ``(batch, time, features)``.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import SimpleRNN
    >>> SimpleRNN(4)(np.zeros((2, 5, 3))).shape
    (2, 4)
    """

    cell_class = SimpleRNNCell
    cell_name = "simple_rnn_cell"

    @also_by_place(**LAYER_ARGUMENTS, **LAYER_FLAGS, unroll=False, seed=None)
    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        **kwargs: Any,
    ) -> None:
        super().__init__(
            {
                "units": units,
                "activation": activation,
                "use_bias": use_bias,
                "kernel_initializer": kernel_initializer,
                "recurrent_initializer": recurrent_initializer,
                "bias_initializer": bias_initializer,
            },
            **kwargs,
        )
