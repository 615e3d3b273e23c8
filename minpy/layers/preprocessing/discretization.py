"""Numbers sorted into bins."""

from __future__ import annotations

from typing import Any

import numpy

from minpy.arguments import also_by_place
from minpy.layers.functions.categories import digitized
from minpy.layers.preprocessing.adapting import as_numpy, batches_of
from minpy.layers.preprocessing.category_encoding import encoded, encoded_shape, mode_named
from minpy.layers.preprocessing.numeric_layer import NumericLayer

__all__ = ["Discretization"]

_MODES = ("int", "one_hot", "multi_hot", "count")


class Discretization(NumericLayer):
    """Turns each number into that of the bin it falls into.

    Parameters
    ----------
    bin_boundaries
        Where one bin ends and the next begins, increasing: ``[0., 1.]`` makes the bins
        ``x < 0``, ``0 <= x < 1`` and ``1 <= x``.
    num_bins
        Number of bins with equally many elements, whose boundaries `adapt` finds.
    epsilon
        How exactly it finds them: the share of elements that may be in a neighbouring bin.
    output_mode
        ``'int'``: the bin's number; or as in `CategoryEncoding`.

    Notes
    -----
    What `adapt` finds is part of the configuration, and so saved with the model.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import Discretization
    >>> Discretization([0., 1.])(np.array([[-1.5, 0.5, 1.]]))
    array([[0, 1, 2]], dtype=int32)
    """

    @also_by_place(sparse=False, dtype=None, name=None)
    def __init__(
        self,
        bin_boundaries: Any = None,
        num_bins: int | None = None,
        epsilon: float = 0.01,
        output_mode: str = "int",
        **kwargs: Any,
    ) -> None:
        if kwargs.pop("sparse", False):
            raise ValueError("Discretization: there are no sparse arrays here, leave sparse away")
        super().__init__(**kwargs)
        if (bin_boundaries is None) == (num_bins is None):
            raise ValueError(
                "Discretization: expected either bin_boundaries, or num_bins and a call of adapt, "
                f"got bin_boundaries={bin_boundaries!r} and num_bins={num_bins!r}"
            )
        if num_bins is not None and (not isinstance(num_bins, int) or num_bins < 1):
            raise ValueError(f"Discretization: expected num_bins from 1, got {num_bins!r}")
        if not 0 < epsilon < 1:
            raise ValueError(f"Discretization: expected an epsilon between 0 and 1, got {epsilon}")
        self.num_bins = num_bins
        self.epsilon = float(epsilon)
        self.output_mode = mode_named(output_mode, _MODES, "Discretization")
        self.bin_boundaries = None
        if bin_boundaries is not None:
            self._set(bin_boundaries)

    def _set(self, boundaries: Any) -> None:
        values = numpy.asarray(boundaries, "float64")
        if values.ndim != 1 or (numpy.diff(values) < 0).any() or not numpy.isfinite(values).all():
            raise ValueError(
                f"Discretization: expected boundaries that increase, got {boundaries!r}"
            )
        self.bin_boundaries = values.tolist()

    def adapt(self, data: Any, steps: int | None = None) -> None:
        """Set the boundaries so that the bins hold equally many elements of data.

        Parameters
        ----------
        data
            An array, or an iterable of batches.
        steps
            How many batches to take of an iterable.

        Notes
        -----
        Each batch becomes a summary of at most ``1 / epsilon`` values with weights; summaries are
        merged, and shortened by interpolating their cumulative weights.
        """
        if self.num_bins is None:
            raise ValueError(
                f"Discretization {self.name!r}: it was given bin_boundaries, so it can't adapt; "
                "give num_bins instead"
            )
        summary = numpy.zeros((2, 0), "float32")
        for batch in batches_of(data, f"Discretization {self.name!r}", steps):
            merged = numpy.concatenate((self._summarized(as_numpy(batch)), summary), axis=1)
            summary = _shortened(merged[:, numpy.argsort(merged[0])], self.epsilon)
        self._set(_shortened(summary, 1 / self.num_bins)[0, :-1])

    def _summarized(self, values: numpy.ndarray) -> numpy.ndarray:
        ordered = numpy.sort(values.astype("float32"), axis=None)
        step = max(ordered.size * self.epsilon, 1)
        kept = ordered[int(step - 1) :: int(step)]
        return numpy.stack([kept, numpy.full_like(kept, step)])

    def call(self, x: Any) -> Any:
        """Compute the output."""
        if self.bin_boundaries is None:
            raise ValueError(
                f"Discretization {self.name!r}: it has no boundaries yet; call adapt on data first"
            )
        if x.dtype.kind != "f":
            x = x.astype(self.dtype)
        whole = self.output_mode == "int"
        bins = digitized(
            x,
            numpy.asarray(self.bin_boundaries, x.dtype),
            "int32" if whole else self.dtype.name,
        )
        if whole:
            return bins
        return encoded(bins, self.output_mode, len(self.bin_boundaries) + 1, self.dtype.name)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shape of the output."""
        if self.output_mode == "int":
            return tuple(input_shape)
        boundaries = self.bin_boundaries
        depth = self.num_bins if boundaries is None else len(boundaries) + 1
        return encoded_shape(input_shape, self.output_mode, depth)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer."""
        return {
            **super().get_config(),
            "bin_boundaries": self.bin_boundaries,
            "num_bins": self.num_bins,
            "epsilon": self.epsilon,
            "output_mode": self.output_mode,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Discretization:
        """Make a layer of what `get_config` returned, with the boundaries that `adapt` found."""
        config = dict(config)
        found = config.get("bin_boundaries")
        if config.get("num_bins") is not None:
            config["bin_boundaries"] = None
        made = cls(**config)
        if found is not None:
            made._set(found)
        return made


def _shortened(summary: numpy.ndarray, epsilon: float) -> numpy.ndarray:
    """Return a summary, values and weights in rows, of at most ``1 / epsilon`` values."""
    values, weights = summary
    if values.size * epsilon < 1:
        return summary
    wanted = epsilon + numpy.arange(0.0, 1.0, epsilon)
    total = weights.cumsum()
    shares = total / total[-1]
    reached = numpy.interp(wanted, shares, total)
    kept = numpy.interp(wanted, shares, values)
    return numpy.stack((kept, numpy.diff(reached, prepend=0))).astype("float32")
