"""The base of layers that take numbers as arrays or as nested lists, on data and inside models."""

from __future__ import annotations

from typing import Any

from minpy.array import as_ndarray
from minpy.layers.layer import Layer

__all__ = ["NumericLayer"]


class NumericLayer(Layer):
    """A layer of one input: a list is an array to it, and not several inputs."""

    def __call__(self, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        """Compute the output for an array, a list of numbers or a symbolic tensor."""
        if isinstance(inputs, list | tuple):
            inputs = as_ndarray(inputs)
        return super().__call__(inputs, *args, **kwargs)
