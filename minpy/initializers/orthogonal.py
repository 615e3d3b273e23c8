"""Starts a weight as a matrix with orthonormal rows or columns."""

from __future__ import annotations

from typing import Any

import numpy

from minpy.errors import ShapeError
from minpy.initializers.initializer import RandomInitializer

__all__ = ["Orthogonal"]


class Orthogonal(RandomInitializer):
    """Draws uniformly among matrices with orthonormal columns, or rows where there are fewer.

    Parameters
    ----------
    gain
        The factor on the matrix.
    seed
        See `RandomInitializer`.

    Notes
    -----
    Saxe et al., 2014. A weight ``(inputs, outputs)`` is the matrix; one with more axes is
    ``(outputs, inputs, *window)``, and its matrix has a row for each output.

    Examples
    --------
    >>> q = Orthogonal(seed=1)((4, 3))
    >>> numpy.allclose(q.T @ q, numpy.eye(3), atol=1e-6)
    True
    """

    def __init__(self, gain: float = 1.0, seed: int | None = None) -> None:
        super().__init__(seed)
        self.gain = gain

    def draw(self, shape: Any, dtype: Any, fans: Any, generator: Any) -> Any:
        """Return the matrix in the weight's shape."""
        if len(shape) < 2:
            raise ShapeError(f"Orthogonal: expected at least two axes, got shape {shape}")
        if 0 in shape:
            return numpy.zeros(shape, dtype)
        rows = shape[0]
        columns = int(numpy.prod(shape[1:]))
        tall = (max(rows, columns), min(rows, columns))
        q, r = numpy.linalg.qr(self.generator(generator).standard_normal(tall))
        # QR alone prefers some matrices; the signs of r's diagonal make it uniform.
        q *= numpy.where(numpy.diagonal(r) < 0, -1.0, 1.0)
        return self.gain * (q if rows >= columns else q.T).reshape(shape)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal initializer."""
        return {"gain": self.gain, "seed": self.seed}
