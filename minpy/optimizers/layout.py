"""Where weights lie in flat buffers, and which parts of these a step treats alike.

It must not know what a step does.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy

from minpy.errors import ShapeError

__all__ = ["Excluded", "Layout", "Segment"]

_MANY_CONSTANTS = 16


class Segment(NamedTuple):
    """Where a weight lies in the flat buffers, and what is special about it.

    Parameters
    ----------
    start, stop
        Its first element, and the one after its last.
    name
        Its path, for `Optimizer.exclude_from_weight_decay`.
    decay
        False leaves it out of weight decay.
    shape
        Its axes, for optimizers that look at whole matrices (Muon, Adafactor); one axis if None.
    """

    start: int
    stop: int
    name: str = ""
    decay: bool = True
    shape: tuple[int, ...] | None = None


class Excluded:
    """Which weights no weight decay acts on: by path, or by a pattern in it."""

    def __init__(self, paths: Sequence[str] = (), names: Sequence[str] = ()) -> None:
        self.paths = frozenset(paths)
        self.names = tuple(names)
        self._pattern = re.compile("|".join(self.names)) if self.names else None

    def __bool__(self) -> bool:
        return bool(self.paths or self.names)

    def __contains__(self, path: str) -> bool:
        return path in self.paths or bool(self._pattern and self._pattern.search(path))

    def get_state(self) -> dict[str, Any]:
        """Return the arguments that make an equal one; JSON can hold them."""
        return {"paths": sorted(self.paths), "names": list(self.names)}


class Layout:
    """Runs of the buffer that are treated alike, between rising bounds.

    Attributes
    ----------
    segments
        The weights, as they were given.
    bounds
        Where the runs begin and end, int64, one more than runs.
    decayed
        1 for a run with weight decay, 0 for one without.
    """

    def __init__(
        self,
        size: int,
        segments: Sequence[tuple] | None,
        each: bool,
        excluded: Excluded,
        owner: Any,
    ) -> None:
        if segments is None:
            if each or excluded:
                what = (
                    "the update"
                    if owner.by_weight
                    else "clipnorm"
                    if each
                    else "exclude_from_weight_decay"
                )
                raise ValueError(
                    f"{owner.name}: {what} needs to be told the segments of the weights"
                )
            segments = [(0, size)]
        bounds, decayed = [0], []
        before = 0
        self.segments: list[Segment] = []
        for given in segments:
            segment = Segment(*given)
            if segment.shape is not None and math.prod(segment.shape) != (
                segment.stop - segment.start
            ):
                raise ShapeError(
                    f"{owner.name}: segment {segment.name!r} has {segment.stop - segment.start} "
                    f"elements and not those of shape {segment.shape}"
                )
            self.segments.append(segment)
            if not before <= segment.start <= segment.stop <= size:
                raise ShapeError(
                    f"{owner.name}: expected rising segments within {size} elements, got "
                    f"({segment.start}, {segment.stop}) after {before}"
                )
            before = segment.stop
            decays = segment.decay and segment.name not in excluded
            # A run ends where the next begins: padding belongs to the weight before it.
            if decayed and not each and decayed[-1] == decays:
                bounds[-1] = segment.stop
                continue
            if decayed:
                bounds[-1] = segment.start
            bounds.append(segment.stop)
            decayed.append(decays)
        bounds[-1] = size
        self.bounds = numpy.array(bounds if decayed else [0, size], numpy.int64)
        self.decayed = numpy.array(decayed or [True], numpy.float64)
        self._constant: dict[tuple[Any, float], numpy.ndarray] = {}

    def constant(self, number: float, dtype: Any) -> numpy.ndarray:
        """Return a number for each run, to be read only."""
        key = dtype, number
        found = self._constant.get(key)
        if found is None:
            if len(self._constant) > _MANY_CONSTANTS:  # a loss scale that changes all the time
                self._constant.clear()
            found = self._constant[key] = numpy.full(len(self.decayed), number, dtype)
        return found
