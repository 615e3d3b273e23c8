"""What all initializers share: the call, the seed, the fans of a shape; knows no distribution."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy

from minpy import random
from minpy.config import settings

__all__ = ["Initializer", "RandomInitializer", "fans_of"]


def fans_of(shape: Sequence[int]) -> tuple[int, int]:
    """Return how many inputs feed one output of a weight, and how many outputs one input feeds.

    Parameters
    ----------
    shape
        ``(inputs, outputs)`` of a matrix, or ``(outputs, inputs, *window)`` of a convolution, as
        MXNet lays its kernels out. A layer with another layout tells the fans itself.

    Returns
    -------
    tuple of int
        Fan-in and fan-out, at least 1 each.

    Examples
    --------
    >>> fans_of((784, 10)), fans_of((32, 3, 5, 5))
    ((784, 10), (75, 800))
    """
    shape = tuple(int(n) for n in shape)
    if len(shape) < 2:
        fan_in = fan_out = shape[0] if shape else 1
    elif len(shape) == 2:
        fan_in, fan_out = shape
    else:
        window = 1
        for n in shape[2:]:
            window *= n
        fan_in, fan_out = shape[1] * window, shape[0] * window
    return max(fan_in, 1), max(fan_out, 1)


class Initializer:
    """The base of initializers: a function of a shape that returns what a weight starts as.

    A subclass writes `draw`.
    """

    def __call__(
        self,
        shape: Sequence[int],
        dtype: Any = None,
        fans: tuple[int, int] | None = None,
        generator: numpy.random.Generator | None = None,
    ) -> numpy.ndarray:
        """Return the first values of a weight.

        Parameters
        ----------
        shape
            Length of each axis.
        dtype
            Element type; the default float dtype if not given.
        fans
            Fan-in and fan-out where they don't follow from the shape (see `fans_of`).
        generator
            Where random numbers come from; `minpy.random` if not given.

        Returns
        -------
        numpy.ndarray
            Of that shape and dtype.
        """
        shape = (shape,) if isinstance(shape, int) else tuple(int(n) for n in shape)
        dtype = settings.float_dtype if dtype is None else numpy.dtype(dtype)
        values = self.draw(shape, dtype, fans_of(shape) if fans is None else fans, generator)
        return numpy.ascontiguousarray(values, dtype).reshape(shape)

    def draw(
        self,
        shape: tuple[int, ...],
        dtype: numpy.dtype,
        fans: tuple[int, int],
        generator: numpy.random.Generator | None,
    ) -> Any:
        """Return the values, of this shape and of any dtype."""
        raise NotImplementedError(
            f"{type(self).__name__} has no draw(shape, dtype, fans, generator)"
        )

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal initializer."""
        return {}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Initializer:
        """Make an initializer of what `get_config` returned."""
        return cls(**config)

    def __repr__(self) -> str:
        told = ", ".join(f"{k}={v!r}" for k, v in self.get_config().items())
        return f"{type(self).__name__}({told})"


class RandomInitializer(Initializer):
    """The base of initializers that draw.

    Parameters
    ----------
    seed
        An integer makes every call return the same values, as in Keras. Without one each call
        draws anew from `minpy.random`.
    """

    def __init__(self, seed: int | None = None) -> None:
        if seed is not None and not isinstance(seed, int | numpy.integer):
            raise ValueError(
                f"{type(self).__name__}: expected seed to be an integer or None, got {seed!r}"
            )
        self.seed = seed

    def generator(self, given: numpy.random.Generator | None) -> numpy.random.Generator:
        """Return where the numbers of this call come from."""
        if given is not None:
            return given
        if self.seed is not None:
            return numpy.random.default_rng(self.seed)
        return random.generator("initializer")

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal initializer."""
        return {"seed": self.seed}


def float_of(dtype: numpy.dtype) -> type:
    """Return the dtype that NumPy's generators draw in for weights of a dtype."""
    return numpy.float64 if dtype == numpy.float64 else numpy.float32
