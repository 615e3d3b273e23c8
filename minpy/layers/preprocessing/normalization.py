"""Features brought to mean 0 and variance 1, by statistics of the data."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy

from minpy.config import epsilon
from minpy.errors import ShapeError
from minpy.layers.preprocessing.adapting import as_numpy, batches_of
from minpy.layers.preprocessing.numeric_layer import NumericLayer
from minpy.numpy.elementwise import maximum, sqrt

__all__ = ["Normalization"]


class Normalization(NumericLayer):
    """Computes ``(x - mean) / sqrt(variance)`` with statistics that `adapt` finds in data.

    Parameters
    ----------
    axis
        The axis, or axes, whose elements have statistics of their own; None for one mean and
        variance of everything.
    mean, variance
        Known statistics, in place of `adapt`.
    invert
        Computes ``x * sqrt(variance) + mean`` instead.

    Notes
    -----
    What `adapt` finds is kept in two weights that no optimizer changes, and saved with the model.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import Normalization
    >>> layer = Normalization()
    >>> layer.adapt(np.array([[0., 1.], [2., 5.]]))
    >>> layer(np.array([[0., 5.]]))
    array([[-1.,  1.]])
    """

    def __init__(
        self,
        axis: Any = -1,
        mean: Any = None,
        variance: Any = None,
        invert: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True
        if (mean is None) != (variance is None):
            raise ValueError(
                "Normalization: expected both mean and variance, or neither and a call of adapt, "
                f"got mean={mean!r} and variance={variance!r}"
            )
        axes = () if axis is None else (axis,) if isinstance(axis, int) else tuple(axis)
        if not all(isinstance(a, int) and not isinstance(a, bool) for a in axes) or 0 in axes:
            raise ValueError(
                "Normalization: expected axis as an integer, several, or None, and not the batch "
                f"axis 0, got {axis!r}"
            )
        self.axis = axis if axis is None or isinstance(axis, int) else list(axes)
        self._axes = axes
        self._given = None
        if mean is not None:
            self._given = numpy.asarray(mean, "float64"), numpy.asarray(variance, "float64")
            if (self._given[1] < 0).any():
                raise ValueError(f"Normalization: a variance can't be negative, got {variance!r}")
        self.invert = bool(invert)

    def _kept(self, ndim: int) -> list[int]:
        return sorted(a % ndim for a in self._axes)

    def check_input(self, shape: Any) -> None:
        """Raise `ShapeError` unless the axes exist and their lengths are known."""
        who = f"Normalization {self.name!r}"
        ndim = len(shape)
        if any(not -ndim <= a < ndim or a % ndim == 0 for a in self._axes):
            raise ShapeError(f"{who}: axis={self.axis} is no axis of a sample of shape {shape}")
        lengths = [shape[a] for a in self._kept(ndim)]
        if None in lengths:
            raise ShapeError(f"{who}: expected known lengths along axis={self.axis}, got {shape}")
        if self._given is not None:
            for values in self._given:
                try:
                    numpy.broadcast_to(values.squeeze() if prod(lengths) == 1 else values, lengths)
                except ValueError:
                    raise ShapeError(
                        f"{who}: mean and variance of shape {values.shape} don't fit an input of "
                        f"shape {shape} with axis={self.axis}"
                    ) from None

    def build(self, input_shape: Any) -> None:
        """Make room for the statistics."""
        kept = self._kept(len(input_shape))
        lengths = tuple(input_shape[a] for a in kept)
        if self._given is None:
            self.mean = self.add_weight("mean", lengths, "zeros", trainable=False)
            self.variance = self.add_weight("variance", lengths, "ones", trainable=False)
        else:
            for name, values in zip(("mean", "variance"), self._given, strict=True):
                values = values.squeeze() if prod(lengths) == 1 else values
                setattr(self, name, numpy.broadcast_to(values, lengths).astype(self.dtype))

    def adapt(self, data: Any, steps: int | None = None) -> None:
        """Set mean and variance to those of data.

        Parameters
        ----------
        data
            An array (its first axis counts samples), or an iterable of batches.
        steps
            How many batches to take of an iterable.

        Raises
        ------
        ValueError
            If there is no data, or the layer was given its statistics.
        ShapeError
            If the data doesn't fit the layer.
        """
        if self._given is not None:
            raise ValueError(
                f"Normalization {self.name!r}: it was given mean and variance, so it can't adapt"
            )
        count, mean, squares = 0, 0.0, 0.0
        for batch in batches_of(data, f"Normalization {self.name!r}", steps):
            x = as_numpy(batch).astype("float64")
            x = x[:, None] if x.ndim == 1 and self._axes else x
            if self.built:
                self._expect(x.shape)
            else:
                self._build_once((None, *x.shape[1:]))
            kept = self._kept(x.ndim)
            gone = tuple(a for a in range(x.ndim) if a not in kept)
            # Chan, Golub and LeVeque, 1979: the sums of squares of two parts from their means.
            added = prod(x.shape[a] for a in gone)
            new, total = x.mean(gone), count + added
            distance = new - mean
            squares = squares + x.var(gone) * added + distance**2 * (count * added / total)
            mean, count = mean + distance * (added / total), total
        for name, value in (("mean", mean), ("variance", squares / count)):
            self._parameters[name].assign(numpy.asarray(value, self.dtype))

    def _expect(self, shape: Any) -> None:
        lengths = tuple(shape[a] for a in self._kept(len(shape)))
        if lengths != self.mean.shape:
            raise ShapeError(
                f"Normalization {self.name!r}: expected data with {self.mean.shape} elements along "
                f"axis={self.axis}, got shape {shape}"
            )

    def call(self, x: Any) -> Any:
        """Compute the output."""
        self._expect(x.shape)
        if x.dtype.kind != "f":
            x = x.astype(self.dtype)
        kept = self._kept(x.ndim)
        across = tuple(n if a in kept else 1 for a, n in enumerate(x.shape))
        mean = self.mean.reshape(across)
        # As in Keras a feature that never varies is not divided by zero.
        deviation = maximum(sqrt(self.variance), epsilon()).reshape(across)
        return x * deviation + mean if self.invert else (x - mean) / deviation

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shape of the output."""
        return tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer."""
        mean, variance = (None, None) if self._given is None else self._given
        return {
            **super().get_config(),
            "axis": self.axis,
            "mean": None if mean is None else mean.tolist(),
            "variance": None if variance is None else variance.tolist(),
            "invert": self.invert,
        }
