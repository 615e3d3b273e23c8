"""Cells behind each other, as one cell; knows no particular cell."""

from __future__ import annotations

from typing import Any

from minpy.layers.calls import signature_of
from minpy.layers.layer import Layer
from minpy.layers.recurrent.cell import zeros
from minpy.layers.serialization import deserialize, serialize

__all__ = ["StackedRNNCells"]


class StackedRNNCells(Layer):
    """Cells of which each is fed with the output of the one before.

    Parameters
    ----------
    cells
        The cells, from the input on.

    Examples
    --------
    >>> from minpy.layers import GRUCell, LSTMCell, StackedRNNCells
    >>> StackedRNNCells([GRUCell(4), LSTMCell(3)]).state_size
    [4, [3, 3]]
    """

    def __init__(self, cells: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        for cell in cells:
            for name in ("call", "state_size"):
                if not hasattr(cell, name):
                    raise ValueError(f"StackedRNNCells: expected cells with {name!r}, got {cell!r}")
        self.cells = list(cells)

    @property
    def state_size(self) -> list[Any]:
        """Lengths of the states of each cell."""
        return [cell.state_size for cell in self.cells]

    @property
    def output_size(self) -> int:
        """Length of the last cell's output."""
        return _output_size(self.cells[-1])

    def get_initial_state(self, batch_size: int) -> list[Any]:
        """Return the states before the first step, a list of each cell's."""
        return [
            cell.get_initial_state(batch_size=batch_size)
            if hasattr(cell, "get_initial_state")
            else zeros(batch_size, cell.state_size, self.__dict__["dtype"])
            for cell in self.cells
        ]

    def build(self, input_shape: Any) -> None:
        """Make the weights of all cells."""
        for cell in self.cells:
            if isinstance(cell, Layer):
                cell._build_once(tuple(input_shape))
            input_shape = (input_shape[0], _output_size(cell))

    def call(self, inputs: Any, states: Any, training: bool = False) -> tuple[Any, list[Any]]:
        """Compute the last cell's output and all new states."""
        new = []
        for cell, state in zip(self.cells, states, strict=True):
            several = isinstance(state, list | tuple)
            options = {}
            if isinstance(cell, Layer) and signature_of(type(cell)).takes_training:
                options["training"] = training
            # A call proper takes time, and does more only for this.
            regularized = getattr(cell, "activity_regularizer", None) is not None
            step = cell if regularized else cell.call
            inputs, state = step(inputs, list(state) if several else [state], **options)
            if not several and isinstance(state, list | tuple):
                state = state[0]
            new.append(list(state) if several and isinstance(state, tuple) else state)
        return inputs, new

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make equal cells."""
        return {**super().get_config(), "cells": [serialize(cell) for cell in self.cells]}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> StackedRNNCells:
        """Make cells of what `get_config` returned."""
        config = dict(config)
        config["cells"] = [deserialize(cell, custom_objects) for cell in config["cells"]]
        return cls(**config)


def _output_size(cell: Any) -> int:
    size = getattr(cell, "output_size", None)
    if size is None:
        size = cell.state_size
    return size[0] if isinstance(size, list | tuple) else size
