"""Initializers that draw every element from one distribution, whatever the fans."""

from __future__ import annotations

from typing import Any

import numpy

from minpy.initializers.initializer import RandomInitializer, float_of

__all__ = ["RandomNormal", "RandomUniform", "TruncatedNormal", "truncated_normal"]


def truncated_normal(
    generator: numpy.random.Generator, shape: tuple[int, ...], dtype: Any
) -> numpy.ndarray:
    """Draw from the standard normal distribution, again wherever a value is beyond ±2."""
    values = generator.standard_normal(shape, dtype).reshape(-1)
    beyond = numpy.flatnonzero(numpy.abs(values) > 2)
    while beyond.size:
        again = generator.standard_normal(beyond.size, dtype)
        values[beyond] = again
        beyond = beyond[numpy.abs(again) > 2]
    return values.reshape(shape)


class RandomNormal(RandomInitializer):
    """Draws from a normal distribution.

    Parameters
    ----------
    mean, stddev
        Of the distribution.
    seed
        See `RandomInitializer`.

    Examples
    --------
    >>> RandomNormal(stddev=0.01, seed=1)((784, 10)).std()
    0.01
    """

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, seed: int | None = None) -> None:
        super().__init__(seed)
        self.mean = mean
        self.stddev = stddev

    def draw(self, shape: Any, dtype: Any, fans: Any, generator: Any) -> Any:
        """Return normal values."""
        values = self.generator(generator).standard_normal(shape, float_of(dtype))
        return values * self.stddev + self.mean

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal initializer."""
        return {"mean": self.mean, "stddev": self.stddev, "seed": self.seed}


class TruncatedNormal(RandomNormal):
    """Draws from a normal distribution without values more than two deviations away.

    Parameters
    ----------
    mean, stddev
        Of the distribution before the cut; after it the deviation is 0.88 `stddev`.
    seed
        See `RandomInitializer`.

    Examples
    --------
    >>> abs(TruncatedNormal(stddev=1., seed=1)((100, 100))).max() <= 2
    True
    """

    def draw(self, shape: Any, dtype: Any, fans: Any, generator: Any) -> Any:
        """Return truncated normal values."""
        values = truncated_normal(self.generator(generator), shape, float_of(dtype))
        return values * self.stddev + self.mean


class RandomUniform(RandomInitializer):
    """Draws uniformly from an interval.

    Parameters
    ----------
    minval, maxval
        Its ends; the upper one is never drawn.
    seed
        See `RandomInitializer`.

    Examples
    --------
    >>> values = RandomUniform(0., 1., seed=1)((100,))
    >>> 0 <= values.min() and values.max() < 1
    True
    """

    def __init__(
        self, minval: float = -0.05, maxval: float = 0.05, seed: int | None = None
    ) -> None:
        super().__init__(seed)
        self.minval = minval
        self.maxval = maxval

    def draw(self, shape: Any, dtype: Any, fans: Any, generator: Any) -> Any:
        """Return uniform values."""
        values = self.generator(generator).random(shape, float_of(dtype))
        return values * (self.maxval - self.minval) + self.minval

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal initializer."""
        return {"minval": self.minval, "maxval": self.maxval, "seed": self.seed}
