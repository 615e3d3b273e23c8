"""Layers that add or multiply noise while training."""

from __future__ import annotations

import math
from typing import Any

from minpy import random
from minpy.layers.functions.dropout import shape_of_noise
from minpy.layers.functions.operands import array_of_floats
from minpy.layers.regularization.dropout import check_noise, checked_noise_shape
from minpy.layers.regularization.seeded import SeededLayer, step_seed

__all__ = ["AlphaDropout", "GaussianDropout", "GaussianNoise"]

# What selu tends to where its input is very negative; Klambauer et al., 2017.
_SELU_FLOOR = -1.6732632423543772 * 1.0507009873554805


def _checked_rate(layer: Any, rate: float) -> float:
    if isinstance(rate, bool) or not 0 <= rate < 1:
        raise ValueError(f"{type(layer).__name__}: expected a rate from 0 to below 1, got {rate!r}")
    return float(rate)


class GaussianNoise(SeededLayer):
    """Adds normal noise with mean 0 while training.

    Parameters
    ----------
    stddev
        The noise's standard deviation, from 0.
    seed
        Draw from this seed, and not from the training run's.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import GaussianNoise
    >>> GaussianNoise(0.1)(np.ones(3))
    array([1., 1., 1.])
    """

    def __init__(self, stddev: float, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(seed=seed, **kwargs)
        if isinstance(stddev, bool) or not stddev >= 0:
            raise ValueError(f"GaussianNoise: expected stddev from 0, got {stddev!r}")
        self.stddev = float(stddev)

    def call(self, x: Any, training: bool = False) -> Any:
        """Compute the output."""
        if not training or not self.stddev:
            return x
        x = array_of_floats(x, "GaussianNoise")
        return x + random.normal(
            x.shape, 0.0, self.stddev, x.dtype, step_seed(self.seed), x.context
        )

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer."""
        return {**super().get_config(), "stddev": self.stddev}


class GaussianDropout(SeededLayer):
    """Multiplies by normal noise with mean 1 while training.

    Parameters
    ----------
    rate
        From 0 to 1 (excluded); the noise's variance is that of `Dropout`'s with this rate,
        ``rate / (1 - rate)``.
    seed
        Draw from this seed, and not from the training run's.

    Notes
    -----
    Srivastava et al., 2014, section 10.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import GaussianDropout
    >>> GaussianDropout(0.1)(np.ones(3))
    array([1., 1., 1.])
    """

    def __init__(self, rate: float, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(seed=seed, **kwargs)
        self.rate = _checked_rate(self, rate)

    def call(self, x: Any, training: bool = False) -> Any:
        """Compute the output."""
        if not training or not self.rate:
            return x
        x = array_of_floats(x, "GaussianDropout")
        stddev = math.sqrt(self.rate / (1.0 - self.rate))
        return x * random.normal(x.shape, 1.0, stddev, x.dtype, step_seed(self.seed), x.context)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer."""
        return {**super().get_config(), "rate": self.rate}


class AlphaDropout(SeededLayer):
    """Dropout for selu: keeps mean 0 and variance 1 while training.

    Parameters
    ----------
    rate
        The part that is dropped, from 0 to 1 (excluded).
    noise_shape
        As of `Dropout`.
    seed
        Draw from this seed, and not from the training run's.

    Notes
    -----
    Klambauer et al., "Self-normalizing neural networks", 2017: what is dropped is set to the value
    that selu tends to, and all of it is scaled and shifted back to mean 0 and variance 1.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import AlphaDropout
    >>> AlphaDropout(0.1)(np.ones(3))
    array([1., 1., 1.])
    """

    def __init__(
        self, rate: float, noise_shape: Any = None, seed: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(seed=seed, **kwargs)
        self.rate = _checked_rate(self, rate)
        self.noise_shape = checked_noise_shape(noise_shape, "AlphaDropout")

    def check_input(self, shape: Any) -> None:
        """Raise `ShapeError` unless the noise broadcasts to the input."""
        check_noise(self, shape, self.noise_shape)

    def call(self, x: Any, training: bool = False) -> Any:
        """Compute the output."""
        if not training or not self.rate:
            return x
        x = array_of_floats(x, "AlphaDropout")
        told = self.noise_shape
        shape = x.shape if told is None else shape_of_noise("AlphaDropout", x.shape, told)
        rate, floor = self.rate, _SELU_FLOOR
        # The mask is 0 or 1 / (1 - rate).
        mask = random.dropout_mask(shape, rate, x.dtype, step_seed(self.seed), x.context)
        scale = ((1 - rate) * (1 + rate * floor**2)) ** -0.5
        kept = mask * ((1 - rate) * scale)
        return x * kept + (kept * -floor + (scale * floor - scale * floor * rate))

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer."""
        config = {**super().get_config(), "rate": self.rate}
        return (
            config
            if self.noise_shape is None
            else {**config, "noise_shape": list(self.noise_shape)}
        )
