"""One batch: the arrays of inputs, targets and sample weights, flat, and how they nest."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy

from minpy.autograd.containers import flatten, leaves_with_paths

__all__ = ["Batch", "Layout"]


class Layout:
    """How the leaves of a batch make up ``x``, ``y`` and ``sample_weight``.

    It is worked out once a data set and shared by its batches.

    Parameters
    ----------
    x, y, sample_weight
        Anything nested as the data are; None where there is none.
    """

    __slots__ = ("_of_inputs", "_rebuild", "inputs", "names", "spans")

    def __init__(self, x: Any, y: Any = None, sample_weight: Any = None) -> None:
        self.spans: list[tuple[int, int] | None] = []
        self._rebuild: list[Callable[[list], Any] | None] = []
        self.names: list[str] = []
        start = 0
        for what, data in (("x", x), ("y", y), ("sample_weight", sample_weight)):
            if data is None:
                self.spans.append(None)
                self._rebuild.append(None)
                continue
            leaves, rebuild = flatten(data)
            self.spans.append((start, start + len(leaves)))
            self._rebuild.append(rebuild)
            self.names += [what + path for path, _ in leaves_with_paths(data)]
            start += len(leaves)
        self.inputs = self.spans[0][1] if self.spans[0] else 0
        self._of_inputs: Layout | None = None

    def part(self, which: int, leaves: list[Any]) -> Any:
        """Return x (0), y (1) or the sample weights (2), nested as they were."""
        span = self.spans[which]
        return None if span is None else self._rebuild[which](leaves[span[0] : span[1]])

    def of_inputs(self) -> Layout:
        """Return the layout of x alone."""
        if self._of_inputs is None:
            self._of_inputs = Layout(self.part(0, list(range(self.inputs))))
        return self._of_inputs


class Batch:
    """The arrays of one step.

    Attributes
    ----------
    leaves
        The arrays of x, then those of y, then those of the sample weights. They may lie in memory
        that the next batch reuses.
    layout
        How they nest.
    size
        Number of samples.
    signature
        Shapes and dtypes, which decide the graph that takes the batch.

    Examples
    --------
    >>> import numpy
    >>> from minpy.data import Batch
    >>> batch = Batch.of({'a': numpy.ones((2, 3))}, numpy.zeros(2))
    >>> batch.size, list(batch.x), batch.y.shape, batch.sample_weight
    (2, ['a'], (2,), None)
    """

    __slots__ = ("layout", "leaves", "signature", "size")

    def __init__(
        self, leaves: list[numpy.ndarray], layout: Layout, signature: tuple | None = None
    ) -> None:
        self.leaves = leaves
        self.layout = layout
        self.size = leaves[0].shape[0] if leaves and leaves[0].ndim else 0
        self.signature = signature or tuple([(a.shape, a.dtype.char) for a in leaves])

    @classmethod
    def of(cls, x: Any, y: Any = None, sample_weight: Any = None) -> Batch:
        """Return the batch of arrays that nest in lists, tuples and dicts."""
        leaves = [
            leaf for part in (x, y, sample_weight) if part is not None for leaf in flatten(part)[0]
        ]
        return cls(leaves, Layout(x, y, sample_weight))

    @property
    def x(self) -> Any:
        """The inputs."""
        return self.layout.part(0, self.leaves)

    @property
    def y(self) -> Any:
        """The targets, None where there are none."""
        return self.layout.part(1, self.leaves)

    @property
    def sample_weight(self) -> Any:
        """A weight a sample, None where there is none."""
        return self.layout.part(2, self.leaves)

    def without_targets(self) -> Batch:
        """Return the batch of the inputs alone."""
        if len(self.leaves) == self.layout.inputs:
            return self
        return Batch(self.leaves[: self.layout.inputs], self.layout.of_inputs())
