"""Several arrays one after the other, along an axis."""

from __future__ import annotations

from typing import Any

import numpy

from minpy.array import as_ndarray
from minpy.errors import ShapeError
from minpy.layers.merging.merge import Merge, merged
from minpy.numpy.shaping import concatenate as joined

__all__ = ["Concatenate", "concatenate"]


class Concatenate(Merge):
    """Puts a list of arrays one after the other.

    Parameters
    ----------
    axis
        Along which; the others must agree.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import Concatenate
    >>> Concatenate()([np.ones((1, 2)), np.zeros((1, 1))])
    array([[1., 1., 0.]])
    """

    def __init__(self, axis: int = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not isinstance(axis, int):
            raise ValueError(f"Concatenate: expected axis to be a number, got {axis!r}")
        self.axis = axis

    def call(self, inputs: Any, mask: Any = None) -> Any:
        """Compute the output of a list of arrays."""
        self._check_list([x.shape for x in inputs] if type(inputs) in (list, tuple) else ())
        return joined(list(inputs), self.axis)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shape of the output: the lengths along the axis add up."""
        who = f"Concatenate {self.name!r}"
        ndim = len(input_shape[0])
        if any(len(s) != ndim for s in input_shape):
            raise ShapeError(f"{who}: expected arrays with equally many axes, got {input_shape}")
        if not -ndim <= self.axis < ndim:
            raise ShapeError(f"{who}: axis {self.axis} is no axis of arrays with {ndim} axes")
        at = self.axis % ndim
        found = []
        for i, lengths in enumerate(zip(*input_shape, strict=True)):
            known = {n for n in lengths if n is not None}
            if i == at:
                found.append(None if None in lengths else sum(lengths))
            elif len(known) > 1:
                raise ShapeError(
                    f"{who}: expected arrays that differ along axis {self.axis} only, "
                    f"got {list(input_shape)}"
                )
            else:
                found.append(known.pop() if known else None)
        return tuple(found)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """Return the masks one after the other; along the features, where one of them holds."""
        if mask is None:
            return None
        self._check_masks(inputs, mask)
        if all(m is None for m in mask):
            return None
        if self.axis % inputs[0].ndim == inputs[0].ndim - 1:
            found = super().compute_mask(inputs, mask)
            return _everywhere(inputs[0]) if found is None else found
        parts = [_everywhere(x) if m is None else m for x, m in zip(inputs, mask, strict=True)]
        return joined(parts, self.axis % inputs[0].ndim)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer."""
        return {**super().get_config(), "axis": self.axis}


def _everywhere(x: Any) -> Any:
    """Return a mask that leaves nothing of an array out."""
    return as_ndarray(numpy.ones(x.shape[:-1], bool))


def concatenate(inputs: Any, axis: int = -1, **kwargs: Any) -> Any:
    """Return a list of arrays one after the other; see `Concatenate`.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy import layers
    >>> layers.concatenate([np.ones((1, 2)), np.zeros((1, 2))], axis=0)
    array([[1., 1.],
           [0., 0.]])
    """
    return merged(Concatenate(axis=axis, **kwargs), inputs)
