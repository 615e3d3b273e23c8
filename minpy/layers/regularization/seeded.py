"""What layers that draw random numbers share: a seed of their own, if they have one."""

from __future__ import annotations

from typing import Any

from minpy import random
from minpy.layers.layer import Layer

__all__ = ["SeededLayer"]


class SeededLayer(Layer):
    """A layer that draws in training and leaves shapes as they are."""

    supports_masking = True

    def __init__(self, *, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if seed is not None and (isinstance(seed, bool) or not isinstance(seed, int) or seed < 0):
            raise ValueError(
                f"{type(self).__name__}: expected seed to be None or a number from 0, got {seed!r}"
            )
        self.seed = seed

    @property
    def _step_seed(self) -> random.StepSeed | None:
        return None if self.seed is None else random.StepSeed(self.seed)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shape of the output."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer."""
        config = super().get_config()
        return config if self.seed is None else {**config, "seed": self.seed}
