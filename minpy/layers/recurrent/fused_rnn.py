"""What `LSTM`, `GRU` and `SimpleRNN` share: a kernel for whole sequences; knows no formula."""

from __future__ import annotations

from typing import Any

from minpy.errors import ShapeError
from minpy.layers.recurrent.cell import SETTINGS
from minpy.layers.recurrent.rnn import RNN
from minpy.numpy.elementwise import where
from minpy.numpy.shaping import expand_dims, stack
from minpy.policy import current_policy

__all__ = ["FusedRNN"]

# What Keras' layers show of their cells.
_OF_THE_CELL = frozenset(
    [
        *SETTINGS,
        "activation",
        "bias",
        "dropout",
        "filters",
        "kernel",
        "kernel_size",
        "padding",
        "recurrent_activation",
        "recurrent_dropout",
        "recurrent_kernel",
        "reset_after",
        "seed",
        "strides",
        "data_format",
        "dilation_rate",
        "unit_forget_bias",
        "units",
        "use_bias",
    ]
)
_OF_THE_LAYER = (
    "name",
    "trainable",
    "dtype",
    "autocast",
    "activity_regularizer",
    "input_shape",
    "input_dim",
)


class FusedRNN(RNN):
    """An `RNN` over a cell of its own, by the cell's whole-sequence function where that applies."""

    _on_floats = True
    cell_class: Any = None
    cell_name = "cell"

    def __init__(
        self,
        arguments: dict[str, Any],
        *,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        zero_output_for_mask: bool = False,
        **kwargs: Any,
    ) -> None:
        kwargs.pop("use_cudnn", None)  # Keras' word for the kernel; here it is always taken
        kwargs.pop("implementation", None)
        own = {k: v for k, v in kwargs.items() if k in _OF_THE_LAYER}
        rest = {k: v for k, v in kwargs.items() if k not in _OF_THE_LAYER}
        if "dtype" in own:
            rest["dtype"] = own["dtype"]
        if not own.get("trainable", True):
            rest["trainable"] = False
        cell = self.cell_class(**arguments, **rest, name=self.cell_name)
        super().__init__(
            cell,
            return_sequences,
            return_state,
            go_backwards,
            stateful,
            unroll,
            zero_output_for_mask,
            **own,
        )

    def __getattr__(self, name: str) -> Any:
        cell = self.__dict__.get("_sublayers", {}).get("cell")
        if cell is not None and name in _OF_THE_CELL and hasattr(cell, name):
            return getattr(cell, name)
        return super().__getattr__(name)

    def check_input(self, shape: Any) -> None:
        """Raise `ShapeError` unless the input is (batch, time, features)."""
        super().check_input(shape)
        if len(shape) != 3:
            raise ShapeError(
                f"{type(self).__name__} {self.name!r}: expected input of shape "
                f"(batch, time, features), got {shape}"
            )

    def _over_time(
        self, sequences: Any, states: Any, mask: Any, training: bool, carried: bool
    ) -> tuple[Any, Any, Any]:
        cell = self.cell
        # The kernels are for the host's memory, and no operators of MXNet's.
        here = sequences.context.on_host and current_policy() != "only_mxnet"
        if not (here and cell.fuses(training)) or 0 in sequences.shape:
            return super()._over_time(sequences, states, mask, training, carried)
        if training and cell.dropout:
            # One draw a sequence, the same for all of its steps.
            sequences = sequences * expand_dims(cell.mask("dropout", sequences[:, 0]), 1)
        given = states if carried else [None] * len(states)
        outputs, states = cell.run(sequences, given, mask, self.return_sequences)
        last = states[0]
        if mask is not None and (carried or self.zero_output_for_mask):
            outputs, last = self._masked(outputs, last, mask)
        return outputs, last, states

    def _masked(self, outputs: Any, last: Any, mask: Any) -> tuple[Any, Any]:
        """Return the outputs as Keras masks them.

        Before the first step that counts the output is 0, whatever the state was then.
        """
        counts = mask if mask.dtype == bool else mask != 0
        if not self.zero_output_for_mask:
            so_far, seen = [], None
            for t in range(counts.shape[1]):
                now = counts[:, t].astype(last.dtype)
                seen = now if seen is None else seen + now
                so_far.append(seen)
            counts = stack(so_far, 1) > 0
        last = where(expand_dims(counts[:, -1], 1), last, 0.0)
        return where(expand_dims(counts, 2), outputs, 0.0), last

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer."""
        config = super().get_config()
        config.pop("cell")
        own = self.cell.get_config()
        for name in ("name", "trainable", "dtype"):
            own.pop(name, None)
        return {**config, **own}
