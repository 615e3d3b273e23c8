"""Edges cut off signals, images and volumes."""

from __future__ import annotations

from typing import Any

from minpy.errors import ShapeError
from minpy.layers.images import data_format_of, expect_images, spatial_axes
from minpy.layers.layer import Layer
from minpy.layers.reshaping.zero_padding import edges

__all__ = ["Cropping1D", "Cropping2D", "Cropping3D"]


class _Cropping(Layer):
    rank: int

    def __init__(self, cropping: Any = 1, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        kind = type(self).__name__
        self.cropping = edges(cropping, self.rank, f"{kind}: cropping")
        self.data_format = data_format_of(data_format, kind, self.rank)

    def check_input(self, shape: Any) -> None:
        """Raise `ShapeError` unless something is left of the input."""
        expect_images(self, shape)
        for axis, cut in zip(spatial_axes(self), self.cropping, strict=True):
            if shape[axis] is not None and shape[axis] <= sum(cut):
                raise ShapeError(
                    f"{type(self).__name__} {self.name!r}: cropping {self.cropping} leaves nothing "
                    f"of an input of shape {shape} ({self.data_format}); crop less"
                )

    def call(self, x: Any) -> Any:
        """Compute the output."""
        self.check_input(x.shape)
        index = [slice(None)] * x.ndim
        for axis, (before, after) in zip(spatial_axes(self), self.cropping, strict=True):
            index[axis] = slice(before, x.shape[axis] - after)
        return x[tuple(index)]

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shape of the output."""
        self.check_input(tuple(input_shape))
        new = list(input_shape)
        for axis, cut in zip(spatial_axes(self), self.cropping, strict=True):
            new[axis] = None if new[axis] is None else new[axis] - sum(cut)
        return tuple(new)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer."""
        return {
            **super().get_config(),
            "cropping": [list(cut) for cut in self.cropping],
            "data_format": self.data_format,
        }


class Cropping1D(_Cropping):
    """Cuts steps off the start and the end of signals.

    Parameters
    ----------
    cropping
        How many at each end, or a pair (start, end).
    data_format
        As in `Conv1D`.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import Cropping1D
    >>> Cropping1D((1, 2))(np.zeros((2, 10, 3))).shape
    (2, 7, 3)
    """

    rank = 1


class Cropping2D(_Cropping):
    """Cuts rows and columns off the edges of images.

    Parameters
    ----------
    cropping
        How many at each edge; one number for height and one for width; or
        ``((top, bottom), (left, right))``.
    data_format
        As in `Conv2D`.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import Cropping2D
    >>> Cropping2D(((2, 2), (4, 4)))(np.zeros((2, 3, 28, 28))).shape
    (2, 3, 24, 20)
    """

    rank = 2

    def __init__(
        self, cropping: Any = ((0, 0), (0, 0)), data_format: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(cropping, data_format, **kwargs)


class Cropping3D(_Cropping):
    """Cuts the edges off volumes.

    Parameters
    ----------
    cropping, data_format
        As in `Cropping2D`, with three axes: depth, height and width.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import Cropping3D
    >>> Cropping3D(2)(np.zeros((2, 3, 8, 9, 10))).shape
    (2, 3, 4, 5, 6)
    """

    rank = 3

    def __init__(
        self,
        cropping: Any = ((1, 1), (1, 1), (1, 1)),
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(cropping, data_format, **kwargs)
