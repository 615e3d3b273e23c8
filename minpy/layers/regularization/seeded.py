"""What layers that draw random numbers share: a seed of their own, if they have one."""

from __future__ import annotations

from typing import Any

from minpy import random
from minpy.layers.layer import Layer

__all__ = ["SeededLayer", "checked_seed", "step_seed"]


def checked_seed(who: str, seed: Any) -> int | None:
    """Return a layer's seed.

    Raises
    ------
    ValueError
        If it is neither None nor a number from 0.
    """
    if seed is not None and (isinstance(seed, bool) or not isinstance(seed, int) or seed < 0):
        raise ValueError(f"{who}: expected seed to be None or a number from 0, got {seed!r}")
    return seed


def step_seed(seed: int | None) -> random.StepSeed | None:
    """Return what makes the draws of a layer with a seed differ from step to step."""
    return None if seed is None else random.StepSeed(seed)


class SeededLayer(Layer):
    """A layer that draws in training and leaves shapes as they are."""

    supports_masking = True

    def __init__(self, *, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.seed = checked_seed(type(self).__name__, seed)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shape of the output."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer."""
        config = super().get_config()
        return config if self.seed is None else {**config, "seed": self.seed}
