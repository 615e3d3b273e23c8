"""Collects what is predicted batch by batch into whole arrays; knows no model."""

from __future__ import annotations

import numpy

from minpy.errors import ShapeError

__all__ = ["Predictions"]


class Predictions:
    """The outputs of all samples, filled batch by batch where they will lie in the end."""

    def __init__(self) -> None:
        self._filled = 0
        self._whole: list[numpy.ndarray] = []

    def add(self, leaves: list[numpy.ndarray], samples: int | None) -> None:
        """Copy the outputs of one batch to their place; `samples` is how many there will be."""
        after = self._filled + leaves[0].shape[0]
        if not self._whole:
            length = after if samples is None else samples
            self._whole = [numpy.empty((length, *a.shape[1:]), a.dtype) for a in leaves]
        for i, a in enumerate(leaves):
            out = self._whole[i]
            if a.shape[1:] != out.shape[1:]:
                raise ShapeError(
                    f"predict: a batch gave an output of shape {a.shape}, those before it "
                    f"(batch, {', '.join(map(str, out.shape[1:]))})"
                )
            if after > out.shape[0]:  # nobody knew how many there would be
                larger = numpy.empty((max(after, 2 * out.shape[0]), *out.shape[1:]), out.dtype)
                larger[: self._filled] = out[: self._filled]
                self._whole[i] = out = larger
            out[self._filled : after] = a
        self._filled = after

    def joined(self) -> list[numpy.ndarray]:
        """Return the outputs of all samples."""
        if not self._whole:
            raise ValueError("predict: the data set is empty")
        return [
            out if out.shape[0] == self._filled else out[: self._filled].copy()
            for out in self._whole
        ]
