"""Weights in contiguous memory: one block for the values, one for the gradients.

An update is then one pass over a block, clipping one norm, a checkpoint one copy. Each weight is a
view of the block. Knows no layer, model or optimizer.
"""

from __future__ import annotations

import itertools

import numpy

from minpy.aligned import ALIGNMENT, aligned_full
from minpy.layers.parameter import Parameter

__all__ = ["Block", "FlatBuffers"]

# How often weights were moved into other memory, in all models.
_moves = itertools.count(1)
_last_move = [0]


class Block:
    """The weights of one dtype.

    Attributes
    ----------
    values, gradients
        1-D arrays of equal length; weights begin on cache lines, the gaps are zero.
    parameters
        The weights.
    spans
        ``(start, stop)`` of each weight.
    segments
        ``(start, stop, path, True, shape as it lies)`` of each, for the optimizer.
    """

    def __init__(self, parameters: list[Parameter], with_gradients: bool) -> None:
        self.parameters = parameters
        self.dtype = parameters[0].dtype
        step = max(1, ALIGNMENT // self.dtype.itemsize)
        self.spans: list[tuple[int, int]] = []
        end = 0
        for p in parameters:
            self.spans.append((end, end + p.size))
            end += -(-p.size // step) * step
        self.segments = [
            (a, b, p.path, True, p.storage.shape)
            for p, (a, b) in zip(parameters, self.spans, strict=True)
        ]
        self.values = aligned_full(end, self.dtype)
        self.gradients = aligned_full(end, self.dtype) if with_gradients else None
        for p, (a, b) in zip(parameters, self.spans, strict=True):
            storage = self.values[a:b].reshape(p.storage.shape)
            numpy.copyto(storage, p.storage)
            p.move(storage)
        self.gradient_views = self.part(self.gradients) if self.gradients is not None else []

    def part(self, buffer: numpy.ndarray) -> list[numpy.ndarray]:
        """Return the view of each weight on a buffer of the block's length."""
        return [
            p.seen(buffer[a:b].reshape(p.storage.shape))
            for p, (a, b) in zip(self.parameters, self.spans, strict=True)
        ]


class FlatBuffers:
    """All weights of a model in blocks: the trained ones with their gradients, and the others."""

    def __init__(self, trained: list[Parameter], others: list[Parameter]) -> None:
        self.trained = trained
        self.others = others
        self.blocks = [Block(group, True) for group in _by_dtype(trained)]
        self.fixed = [Block(group, False) for group in _by_dtype(others)]
        self._homes = [(p, p.memory) for p in (*trained, *others)]
        self._seen = _last_move[0] = next(_moves)

    def fits(self, trained: list[Parameter], others: list[Parameter]) -> bool:
        """Say whether these are still the weights of the buffers, each in its place."""
        return _same(self.trained, trained) and _same(self.others, others)

    def beside(self, parameters: list[Parameter]) -> list[Parameter]:
        """Return those that are none of the weights: what layers remember, as a state."""
        own = {id(p) for p in (*self.trained, *self.others)}
        return [p for p in parameters if id(p) not in own]

    def rewrap(self) -> None:
        """Let every weight be seen in its place again, whatever was bound to it since.

        Another model that has the weight too may have moved it into a block of its own.
        """
        moved = sum(p.return_to(home) for p, home in self._homes)
        if moved:
            _last_move[0] = next(_moves)
        self._seen = _last_move[0]

    def take_back(self) -> None:
        """Do as `rewrap` does where another model may have taken weights away since."""
        if self._seen != _last_move[0]:
            self.rewrap()


def _same(a: list[Parameter], b: list[Parameter]) -> bool:
    return len(a) == len(b) and all(p is q for p, q in zip(a, b, strict=True))


def _by_dtype(parameters: list[Parameter]) -> list[list[Parameter]]:
    groups: dict[numpy.dtype, list[Parameter]] = {}
    for p in parameters:
        groups.setdefault(p.dtype, []).append(p)
    return list(groups.values())
