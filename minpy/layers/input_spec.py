"""What a layer expects of its inputs: rank, dtype, lengths of axes; knows no layer."""

from __future__ import annotations

from typing import Any

import numpy

from minpy.errors import ShapeError

__all__ = ["InputSpec"]


class InputSpec:
    """Rank, dtype and lengths that a layer's input must have; a layer's ``input_spec``.

    Parameters
    ----------
    dtype
        Element type.
    shape
        Length of each axis, None for any.
    ndim, max_ndim, min_ndim
        Number of axes.
    axes
        Axis → length.
    allow_last_axis_squeeze
        Whether a last axis of length one may be missing, or be too many.
    name
        For messages.
    optional
        Whether None may stand in the input's place.

    Raises
    ------
    ValueError
        If an axis isn't below `max_ndim`.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import InputSpec, Layer
    >>> class Rows(Layer):
    ...     input_spec = InputSpec(ndim=2)
    ...     def call(self, x):
    ...         return x
    >>> Rows()(np.zeros(3))
    Traceback (most recent call last):
    ...
    minpy.errors.ShapeError: Rows 'rows': expected input with ndim 2, got shape (None,)
    """

    def __init__(
        self,
        dtype: Any = None,
        shape: Any = None,
        ndim: int | None = None,
        max_ndim: int | None = None,
        min_ndim: int | None = None,
        axes: dict[int, int | None] | None = None,
        allow_last_axis_squeeze: bool = False,
        name: str | None = None,
        optional: bool = False,
    ) -> None:
        self.dtype = None if dtype is None else numpy.dtype(dtype)
        self.shape = None if shape is None else tuple(shape)
        self.ndim = len(self.shape) if self.shape is not None else ndim
        self.max_ndim = max_ndim
        self.min_ndim = min_ndim
        self.axes = {int(axis): length for axis, length in (axes or {}).items()}
        self.allow_last_axis_squeeze = allow_last_axis_squeeze
        self.name = name
        self.optional = optional
        most = self.ndim if self.ndim is not None else max_ndim
        if self.axes and most is not None and max(self.axes) >= most:
            raise ValueError(f"InputSpec: axis {max(self.axes)} isn't below the rank, {most}")

    def __repr__(self) -> str:
        told = {
            name: value
            for name, value in vars(self).items()
            if value is not None and value is not False and value != {}
        }
        return f"InputSpec({', '.join(f'{name}={value}' for name, value in told.items())})"

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal one."""
        return {**vars(self), "dtype": None if self.dtype is None else self.dtype.name}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> InputSpec:
        """Make one of what `get_config` returned."""
        return cls(**config)

    def check(self, shape: Any, dtype: Any, who: str) -> None:
        """Raise `ShapeError` or `TypeError` if an input doesn't fit."""
        if shape is None:
            if not self.optional:
                raise ShapeError(f"{who}: expected an input, got None")
            return
        wanted = self.shape
        if self.allow_last_axis_squeeze and wanted:
            if len(shape) == len(wanted) + 1 and shape[-1] == 1:
                shape = shape[:-1]
            elif len(shape) == len(wanted) - 1 and wanted[-1] == 1:
                shape = (*shape, 1)
        rank = len(shape)
        problems = [
            (self.ndim is not None and rank != self.ndim, f"ndim {self.ndim}"),
            (self.max_ndim is not None and rank > (self.max_ndim or 0), f"ndim <= {self.max_ndim}"),
            (self.min_ndim is not None and rank < (self.min_ndim or 0), f"ndim >= {self.min_ndim}"),
        ]
        for axis, length in (*self.axes.items(), *enumerate(wanted or ())):
            if length is None:
                continue
            there = -rank <= axis < rank
            bad = not there or shape[axis] not in (length, None)
            problems.append((bad, f"length {length} of axis {axis}"))
        for bad, what in problems:
            if bad:
                raise ShapeError(f"{who}: expected input with {what}, got shape {tuple(shape)}")
        if self.dtype is not None and dtype is not None and numpy.dtype(dtype) != self.dtype:
            raise TypeError(f"{who}: expected input of dtype {self.dtype}, got {dtype}")
