"""Products of two arrays' samples."""

from __future__ import annotations

import string
from typing import Any

from minpy.errors import ShapeError
from minpy.layers.functions.contraction import contract
from minpy.layers.functions.layer_norm import unit_norm
from minpy.layers.functions.operands import floats
from minpy.layers.merging.merge import Merge, merged
from minpy.numpy.shaping import reshape

__all__ = ["Dot", "dot"]


class Dot(Merge):
    """Multiplies two arrays, sample by sample, and sums along an axis of each.

    Parameters
    ----------
    axes
        The axis of both, or one of each; not the batch axis, 0.
    normalize
        Whether vectors along the axes are divided by their lengths first: the result is then the
        cosine of the angle between them.

    Notes
    -----
    The result has the batch axis, the other axes of the first array, then those of the second; or
    the shape (batch, 1) where there are none.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import Dot
    >>> Dot(axes=1)([np.array([[1., 2.]]), np.array([[3., 4.]])])
    array([[11.]])
    >>> Dot(axes=(2, 1))([np.ones((5, 3, 4)), np.ones((5, 4, 2))]).shape
    (5, 3, 2)
    """

    _on_floats = True
    _inputs = (2, 2)

    def __init__(self, axes: Any, normalize: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        pair = isinstance(axes, list | tuple) and len(axes) == 2
        if not isinstance(axes, int) and not (pair and all(isinstance(a, int) for a in axes)):
            raise ValueError(f"Dot: expected axes to be a number or two numbers, got {axes!r}")
        self.axes = axes if isinstance(axes, int) else list(axes)
        self.normalize = bool(normalize)

    def _axes(self, shapes: Any) -> tuple[int, int]:
        told = (self.axes, self.axes) if isinstance(self.axes, int) else self.axes
        found = []
        for axis, shape in zip(told, shapes, strict=True):
            if not -len(shape) < axis < len(shape) or axis == 0:
                raise ShapeError(
                    f"Dot {self.name!r}: axis {axis} is no axis of a sample of shape {shape}, or "
                    "the batch's"
                )
            found.append(axis % len(shape))
        x, y = shapes[0][found[0]], shapes[1][found[1]]
        if x != y and None not in (x, y):
            raise ShapeError(
                f"Dot {self.name!r}: expected equal lengths along axes {self.axes}, got {x} and "
                f"{y} (shapes {list(shapes)})"
            )
        return found[0], found[1]

    def call(self, inputs: Any, mask: Any = None) -> Any:
        """Compute the output of two arrays."""
        self._check_list([x.shape for x in inputs] if type(inputs) in (list, tuple) else ())
        self._check_batch(inputs)
        x, y = floats("Dot", x=inputs[0], y=inputs[1])
        at_x, at_y = self._axes((x.shape, y.shape))
        if self.normalize:
            x, y = unit_norm(x, at_x), unit_norm(y, at_y)
        letters = string.ascii_letters
        of_x = letters[: x.ndim]
        of_y = letters[0] + letters[x.ndim : x.ndim + y.ndim - 1]
        of_y = of_y[:at_y] + of_x[at_x] + of_y[at_y + 1 :]
        rest = of_x[:at_x] + of_x[at_x + 1 :] + (of_y[:at_y] + of_y[at_y + 1 :])[1:]
        out = contract(x, y, (of_x, of_y, rest))
        return reshape(out, (x.shape[0], 1)) if out.ndim == 1 else out

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shape of the output."""
        at_x, at_y = self._axes(input_shape)
        x, y = input_shape
        rest = (*x[:at_x], *x[at_x + 1 :], *y[1:at_y], *y[at_y + 1 :])
        return rest if len(rest) > 1 else (*rest, 1)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """Return None: the output's axes are others than the masks'."""
        return None

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer."""
        return {**super().get_config(), "axes": self.axes, "normalize": self.normalize}


def dot(inputs: Any, axes: Any = -1, normalize: bool = False, **kwargs: Any) -> Any:
    """Return the products of two arrays' samples; see `Dot`."""
    return merged(Dot(axes=axes, normalize=normalize, **kwargs), inputs)
