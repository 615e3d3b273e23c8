"""Takes samples off the end of the data for validation."""

from __future__ import annotations

from typing import Any

from minpy.autograd.containers import flatten, map_leaves
from minpy.data.source import tidy

__all__ = ["split_validation"]


def split_validation(x: Any, y: Any, sample_weight: Any, share: float) -> tuple[tuple, tuple]:
    """Take the last part of the samples for validation, before any shuffling, as Keras does.

    Returns
    -------
    train, validation
        Each ``(x, y, sample_weight)``.
    """
    if not 0 < share < 1:
        raise ValueError(f"validation_split: expected a number between 0 and 1, got {share!r}")
    given = {"x": x, "y": y, "sample_weight": sample_weight}
    found = [None if data is None else tidy(data, what) for what, data in given.items()]
    count = flatten(found[0])[0][0].shape[0]
    cut = int(count * (1 - share))
    if cut == 0 or cut == count:
        raise ValueError(
            f"validation_split={share} leaves no samples for "
            f"{'training' if cut == 0 else 'validation'} out of {count}"
        )

    def part(rows: slice) -> tuple:
        return tuple(
            None if data is None else map_leaves(lambda a: a[rows], data) for data in found
        )

    return part(slice(0, cut)), part(slice(cut, None))
