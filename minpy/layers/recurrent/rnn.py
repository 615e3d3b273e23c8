"""The layer that takes a cell over time; knows no particular cell."""

from __future__ import annotations

import contextlib
import math
from typing import Any

import numpy

from minpy.array import as_ndarray, ndarray
from minpy.autograd.containers import flatten, map_leaves
from minpy.errors import ShapeError
from minpy.layers.calls import signature_of
from minpy.layers.layer import Layer
from minpy.layers.parameter import Parameter
from minpy.layers.recurrent.cell import RecurrentCell, zeros
from minpy.layers.recurrent.stacked_rnn_cells import StackedRNNCells
from minpy.layers.serialization import deserialize, serialize
from minpy.numpy.elementwise import where
from minpy.numpy.shaping import expand_dims, reshape, stack

__all__ = ["RNN"]

_FLAGS = (
    "return_sequences",
    "return_state",
    "go_backwards",
    "stateful",
    "unroll",
    "zero_output_for_mask",
)


class RNN(Layer):
    """Takes a cell over the steps of sequences.

    Parameters
    ----------
    cell
        A layer whose ``call(x, states)`` returns an output and the new states, with ``state_size``
        (and ``output_size``, where it isn't the first state's); or a list of such cells, each fed
        with the output of the one before.
    return_sequences
        Whether the outputs of all steps are returned, and not the last one only.
    return_state
        Whether the states after the last step are returned behind the output.
    go_backwards
        Whether the sequences are read from their end; outputs come in the order of reading.
    stateful
        Whether sample i of a batch goes on from the state of sample i of the batch before.
        `reset_state` starts again. All batches must then have the same number of samples.
    unroll
        Taken for Keras' sake: a compiled graph holds every step anyway.
    zero_output_for_mask
        Whether the output of a masked step is 0, and not that of the step before.
    activity_regularizer
        Loss term of the output.

    Notes
    -----
    Input ``(batch, time, …)``. A step that the mask leaves out changes no state. Compiled, a loop
    over a cell is a graph with that many copies of the cell; `LSTM`, `GRU` and `SimpleRNN` have a
    kernel for the whole sequence.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import RNN, LSTMCell
    >>> layer = RNN([LSTMCell(4), LSTMCell(3)], return_sequences=True)
    >>> layer(np.zeros((2, 5, 6))).shape
    (2, 5, 3)
    """

    def __init__(
        self,
        cell: Any,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        zero_output_for_mask: bool = False,
        **kwargs: Any,
    ) -> None:
        given = dict(locals())
        if isinstance(cell, list | tuple):
            cell = StackedRNNCells(cell)
        for name in ("call", "state_size"):
            if not hasattr(cell, name):
                raise ValueError(
                    f"{type(self).__name__}: expected a cell with {name!r}, got {cell!r}"
                )
        super().__init__(**kwargs)
        self.cell = cell
        for name in _FLAGS:
            setattr(self, name, bool(given[name]))
        self.supports_masking = True
        self._state_parameters: list[Parameter] | None = None
        size = cell.state_size
        self.state_size = list(size) if isinstance(size, list | tuple) else [size]

    # --- shapes ---------------------------------------------------------------------------------

    @property
    def output_size(self) -> int:
        """Length of the output of a step."""
        size = getattr(self.cell, "output_size", None)
        if size is None:
            size = self.state_size[0]
            size = size[0] if isinstance(size, list | tuple) else size
        return size

    def check_input(self, shape: Any) -> None:
        """Raise `ShapeError` unless there are time steps with a known number of features."""
        if not isinstance(shape, tuple) or len(shape) < 3 or shape[-1] is None:
            raise ShapeError(
                f"{type(self).__name__} {self.name!r}: expected input of shape "
                f"(batch, time, features), got {shape}; one feature a step needs an axis, "
                "x[:, :, None]"
            )

    def compute_output_shape(self, sequences_shape: Any, initial_state_shape: Any = None) -> Any:
        """Return the shape of the output, and those of the states where they are returned."""
        batch = sequences_shape[0]
        time = (sequences_shape[1],) if self.return_sequences else ()
        output = (batch, *time, self.output_size)
        if not self.return_state:
            return output

        def of(size: Any) -> Any:
            return [of(s) for s in size] if isinstance(size, list | tuple) else (batch, size)

        return (output, *[of(size) for size in self.state_size])

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """Return the mask of the output: the input's, if all steps are returned."""
        found = flatten(mask)[0] if mask is not None else []
        output = found[0] if found and self.return_sequences else None
        return [output, *[None] * len(self.state_size)] if self.return_state else output

    def build(self, sequences_shape: Any, initial_state_shape: Any = None) -> None:
        """Make the cell's weights."""
        step = (sequences_shape[0], *sequences_shape[2:])
        if isinstance(self.cell, Layer):
            self.cell._build_once(step)

    # --- states ---------------------------------------------------------------------------------

    def get_initial_state(self, batch_size: int) -> list[Any]:
        """Return the states before the first step."""
        made = getattr(self.cell, "get_initial_state", None)
        if made is None:
            return zeros(batch_size, self.state_size, self.__dict__["dtype"])
        states = made(batch_size=batch_size)
        return list(states) if isinstance(states, list | tuple) else [states]

    @property
    def states(self) -> Any:
        """The states that a stateful layer goes on from; None before its first batch."""
        if self._state_parameters is None:
            return None
        values = iter([p.value for p in self._state_parameters])
        return map_leaves(lambda _: next(values), self._state_structure)

    def _make_states(self, batch_size: int) -> None:
        structure = self.get_initial_state(batch_size)
        leaves = flatten(structure)[0]
        self._state_structure = map_leaves(lambda leaf: 0, structure)
        made = []
        for i, leaf in enumerate(leaves):
            value = leaf.asnumpy() if type(leaf) is ndarray else numpy.asarray(leaf)
            parameter = Parameter(f"state_{i}", value, trainable=False)
            # Not among the weights, as in Keras: a file of weights fits any number of samples.
            made.append(parameter)
        for parameter in self._state_parameters or ():
            parameter.in_use = False  # a graph that was traced with it is not to be run again
        object.__setattr__(self, "_state_parameters", made)

    def reset_state(self, states: Any = None) -> None:
        """Make a stateful layer start again, from zeros or from given states."""
        if states is not None:
            self._make_states(flatten(states)[0][0].shape[0])
        elif self._state_parameters is None:
            return
        if states is None:
            given: list[Any] = [numpy.zeros(p.shape, p.dtype) for p in self._state_parameters]
        else:
            given = flatten(states)[0]
        for parameter, value in zip(self._state_parameters, given, strict=True):
            parameter.assign(value)

    reset_states = reset_state

    def _unused_for(self, samples: int) -> bool:
        """Say whether the states are for another number of samples, and nothing but zeros."""
        own = self._state_parameters
        return own[0].shape[0] != samples and not any(p.memory.any() for p in own)

    def _first_states(self, samples: int, initial_state: Any) -> list[Any]:
        if initial_state is not None:
            given = initial_state if isinstance(initial_state, list | tuple) else [initial_state]
            if len(given) != len(self.state_size):
                raise ShapeError(
                    f"{type(self).__name__} {self.name!r}: expected {len(self.state_size)} "
                    f"initial states, got {len(given)}"
                )
            return [map_leaves(as_ndarray, state) for state in given]
        if self.stateful:
            if self._state_parameters is None or self._unused_for(samples):
                self._make_states(samples)
            known = self._state_parameters[0].shape[0]
            if known != samples:
                raise ShapeError(
                    f"{type(self).__name__} {self.name!r} is stateful and goes on from {known} "
                    f"samples, got a batch of {samples}; give it batches of one size, or "
                    "call reset_state() in between"
                )
            return self.states
        return self.get_initial_state(samples)

    # --- calling --------------------------------------------------------------------------------

    def call(
        self,
        sequences: Any,
        initial_state: Any = None,
        mask: Any = None,
        training: bool = False,
    ) -> Any:
        """Compute the outputs of all steps or of the last one, and the states.

        Parameters
        ----------
        sequences
            Of shape (batch, time, …).
        initial_state
            The states before the first step, a list; None for zeros, or where a stateful layer
            stands.
        mask
            Of shape (batch, time), False where a step is left out.
        training
            Whether dropout is in force.
        """
        if isinstance(mask, list | tuple):
            mask = mask[0]
        states = self._first_states(sequences.shape[0], initial_state)
        if self.go_backwards:
            sequences = reversed_in_time(sequences)
            mask = None if mask is None else mask[:, ::-1]
        carried = initial_state is not None or self.stateful
        outputs, last, states = self._over_time(sequences, states, mask, training, carried)
        if self.stateful:
            for parameter, value in zip(self._state_parameters, flatten(states)[0], strict=True):
                parameter.update(value)
        output = outputs if self.return_sequences else last
        return (output, *states) if self.return_state else output

    def _over_time(
        self, sequences: Any, states: Any, mask: Any, training: bool, carried: bool
    ) -> tuple[Any, Any, Any]:
        """Return the outputs of all steps (None if nobody wants them), the last one, the states."""
        steps = sequences.shape[1]
        outputs: list[Any] = []
        last = None
        with contextlib.ExitStack() as stack_of_cells:
            for cell in _cells(self.cell):
                stack_of_cells.enter_context(cell.sequence())
            sequences = self._prepared(sequences, training)
            one = (sequences.shape[0], *sequences.shape[2:])
            flat = flat_steps(sequences)
            for t in range(steps):
                x = flat[:, t]
                x = x if sequences is flat else reshape(x, one)
                output, new = self._step(x, states, training)
                new = list(new) if isinstance(new, list | tuple) else [new]
                if mask is not None:
                    counts = mask[:, t]
                    before = last
                    if before is None or self.zero_output_for_mask:
                        before = as_ndarray(numpy.zeros(output.shape, output.dtype))
                    output = _chosen(counts, output, before)
                    new = map_leaves(lambda a, b, m=counts: _chosen(m, a, b), new, states)
                last, states = output, new
                if self.return_sequences:
                    outputs.append(output)
        return (_stacked(outputs) if outputs else None), last, states

    def _prepared(self, sequences: Any, training: bool) -> Any:
        """Return what the steps are taken from: a subclass may do there what takes no state."""
        return sequences

    def _step(self, x: Any, states: Any, training: bool) -> tuple[Any, Any]:
        cell = self.cell
        if getattr(cell, "activity_regularizer", None) is not None:
            return cell(x, states, training=training)
        if isinstance(cell, Layer) and signature_of(type(cell)).takes_training:
            return cell.call(x, states, training=training)
        return cell.call(x, states)

    # --- configuration --------------------------------------------------------------------------

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer."""
        config = {**super().get_config(), "cell": serialize(self.cell)}
        return {**config, **self._flags()}

    def _flags(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in _FLAGS}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> RNN:
        """Make a layer of what `get_config` returned."""
        config = dict(config)
        if "cell" in config:
            config["cell"] = deserialize(config["cell"], custom_objects)
        return cls(**config)


def _cells(cell: Any) -> list[RecurrentCell]:
    """Return the cells with dropout among a cell and those inside it."""
    if isinstance(cell, StackedRNNCells):
        return [found for one in cell.cells for found in _cells(one)]
    return [cell] if isinstance(cell, RecurrentCell) else []


def flat_steps(x: Any) -> Any:
    """Return (batch, time, …) with one axis behind time: MXNet slices arrays of at most 5 axes."""
    return x if x.ndim <= 3 else reshape(x, (*x.shape[:2], math.prod(x.shape[2:])))


def reversed_in_time(x: Any) -> Any:
    """Return sequences from their end to their start."""
    return reshape(flat_steps(x)[:, ::-1], x.shape)


def _stacked(steps: list[Any]) -> Any:
    shape = steps[0].shape
    if len(shape) > 2:
        steps = [reshape(step, (shape[0], math.prod(shape[1:]))) for step in steps]
    return reshape(stack(steps, 1), (shape[0], len(steps), *shape[1:]))


def _chosen(counts: Any, new: Any, old: Any) -> Any:
    """Return the new value of the samples whose step counts, the old one of the others."""
    for _ in range(new.ndim - 1):
        counts = expand_dims(counts, -1)
    return where(counts != 0 if counts.dtype != bool else counts, new, old)
