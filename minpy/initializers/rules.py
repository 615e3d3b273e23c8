"""The original minpy's initializers: ``init_rule`` and ``init_config`` of ``add_param``."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from minpy.initializers.constant import Constant
from minpy.initializers.initializer import Initializer, RandomInitializer, float_of
from minpy.initializers.random_values import RandomNormal, RandomUniform

__all__ = ["RULES", "Custom", "Xavier"]


class Xavier(RandomInitializer):
    """Draws from a normal distribution of variance 6 / (fan-in + fan-out), as minpy 0.3.4 did.

    That is √3 times the deviation of `GlorotNormal`. A vector has no fan-in.

    Parameters
    ----------
    seed
        See `RandomInitializer`.

    Examples
    --------
    >>> Xavier(seed=1)((500, 100)).std()
    0.1
    """

    def draw(self, shape: Any, dtype: Any, fans: Any, generator: Any) -> Any:
        """Return the values."""
        total = shape[0] if len(shape) == 1 else sum(fans)
        values = self.generator(generator).standard_normal(shape, float_of(dtype))
        return values * math.sqrt(6.0 / max(total, 1))


class Custom(Initializer):
    """Asks a function of the user's: gets a shape, returns the values.

    Parameters
    ----------
    function
        ``function(shape)``; zeros without one.
    """

    def __init__(self, function: Callable[[tuple[int, ...]], Any] | None = None) -> None:
        self.function = function

    def draw(self, shape: Any, dtype: Any, fans: Any, generator: Any) -> Any:
        """Return what the function returns."""
        return Constant(0.0 if self.function is None else self.function(shape)).draw(
            shape, dtype, fans, generator
        )

    def get_config(self) -> dict[str, Any]:
        """Return the function, which no file can hold."""
        return {"function": self.function}


def _gaussian(config: Mapping[str, Any]) -> Initializer:
    return RandomNormal(config.get("mu", 0.0), config.get("stdvar", 0.001), config.get("seed"))


def _uniform(config: Mapping[str, Any]) -> Initializer:
    low, high = config.get("range", (-0.05, 0.05))
    return RandomUniform(low, high, config.get("seed"))


# rule → (the keys that its configuration may have, the initializer it makes)
RULES: dict[str, tuple[frozenset[str], Callable[[Mapping[str, Any]], Initializer]]] = {
    "xavier": (frozenset({"seed"}), lambda config: Xavier(config.get("seed"))),
    "constant": (frozenset({"value"}), lambda config: Constant(config.get("value", 0.0))),
    "gaussian": (frozenset({"mu", "stdvar", "seed"}), _gaussian),
    "uniform": (frozenset({"range", "seed"}), _uniform),
    "custom": (frozenset({"function"}), lambda config: Custom(config.get("function"))),
}
