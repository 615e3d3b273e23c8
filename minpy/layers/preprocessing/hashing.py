"""Values sorted into bins by a hash: no vocabulary, and now and then two in one bin."""

from __future__ import annotations

from typing import Any

import numpy

from minpy.arguments import also_by_place
from minpy.errors import ShapeError
from minpy.layers.convolutional.base import positive
from minpy.layers.preprocessing.adapting import as_numpy, as_text
from minpy.layers.preprocessing.category_encoding import encoded_shape, mode_named
from minpy.layers.preprocessing.fingerprints import combined, fingerprint
from minpy.layers.preprocessing.lookup import hashed, salt_of
from minpy.layers.preprocessing.python_layer import PythonLayer, as_result, numpy_encoded

__all__ = ["HashedCrossing", "Hashing"]


def _hashable(x: Any, by: str) -> numpy.ndarray:
    """Return integers or strings; floats lose what is behind the point."""
    values = as_numpy(x)
    if values.dtype.kind == "f":
        return values.astype("int64")
    return values if values.dtype.kind in "iub" else as_text(values, "utf-8", by)


class _Hashed(PythonLayer):
    _modes: tuple[str, ...]

    def __init__(self, num_bins: int, output_mode: str, sparse: bool, **kwargs: Any) -> None:
        kind = type(self).__name__
        self.output_mode = mode_named(output_mode, self._modes, kind)
        if self.output_mode == "int":
            kwargs.setdefault("dtype", "int64")
        super().__init__(**kwargs)
        self._check_dense(sparse)
        self.num_bins = positive(num_bins, f"{kind}: num_bins")

    def _encoded(self, bins: numpy.ndarray) -> Any:
        if self.output_mode == "int":
            return as_result(bins.astype(self.dtype))
        return as_result(numpy_encoded(bins, self.output_mode, self.num_bins, self.dtype))

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer."""
        return {
            **super().get_config(),
            "num_bins": self.num_bins,
            "output_mode": self.output_mode,
        }


class Hashing(_Hashed):
    """Sorts strings or integers into bins by a hash.

    Parameters
    ----------
    num_bins
        Number of bins, that for `mask_value` included.
    mask_value
        A value that gets bin 0 for itself; None for none.
    salt
        One or two integers: another salt sorts otherwise, by SipHash. Without one FarmHash sorts.
    output_mode
        ``'int'``: the bin's number; or as in `CategoryEncoding`.

    Notes
    -----
    It works on data, not inside a model. The bins are those of Keras.

    Examples
    --------
    >>> from minpy.layers import Hashing
    >>> Hashing(3)([['A'], ['B'], ['C'], ['D'], ['E']]).tolist()
    [[1], [0], [1], [1], [2]]
    """

    _modes = ("int", "one_hot", "multi_hot", "count")

    def __init__(
        self,
        num_bins: int,
        mask_value: Any = None,
        salt: Any = None,
        output_mode: str = "int",
        sparse: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(num_bins, output_mode, sparse, **kwargs)
        self.mask_value = mask_value
        self.salt = salt_of(salt, "Hashing")

    def call(self, inputs: Any) -> Any:
        """Compute the output."""
        values = _hashable(inputs, f"Hashing {self.name!r}")
        if self.mask_value is None or self.num_bins == 1:
            return self._encoded(hashed(values, self.num_bins, self.salt))
        bins = 1 + hashed(values, self.num_bins - 1, self.salt)
        return self._encoded(numpy.where(values == self.mask_value, 0, bins))

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shape of the output."""
        if self.output_mode == "int":
            return tuple(input_shape)
        return encoded_shape(input_shape, self.output_mode, self.num_bins)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer."""
        return {
            **super().get_config(),
            "mask_value": self.mask_value,
            "salt": None if self.salt is None else list(self.salt),
        }


class HashedCrossing(_Hashed):
    """Sorts combinations of several features into bins by a hash.

    Parameters
    ----------
    num_bins
        Number of bins.
    output_mode
        ``'int'``: the bin's number, or ``'one_hot'``: a row.

    Notes
    -----
    It works on data, not inside a model. The bins are those of Keras.

    Examples
    --------
    >>> from minpy.layers import HashedCrossing
    >>> HashedCrossing(5)((['A', 'B', 'A'], [101, 101, 102])).tolist()
    [1, 4, 3]
    """

    _modes = ("int", "one_hot")
    _START = 0xDECAFCAFFE  # the key that TensorFlow starts a cross with

    @also_by_place(name=None, dtype=None)
    def __init__(
        self, num_bins: int, output_mode: str = "int", sparse: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(num_bins, output_mode, sparse, **kwargs)

    def call(self, inputs: Any) -> Any:
        """Compute the output for a tuple of features of one shape, (batch,) or (batch, 1)."""
        who = f"HashedCrossing {self.name!r}"
        if not isinstance(inputs, list | tuple) or len(inputs) < 2:
            raise ValueError(f"{who}: expected a tuple of at least two features")
        features = [_hashable(x, who) for x in inputs]
        shapes = {f.shape for f in features}
        shape = features[0].shape
        if len(shapes) > 1 or len(shape) > 2 or (len(shape) == 2 and shape[1] != 1):
            raise ShapeError(
                f"{who}: expected features of one shape, (batch,) or (batch, 1), "
                f"got {[f.shape for f in features]}"
            )
        out = numpy.empty(features[0].size, "int64")
        for i, row in enumerate(zip(*(f.ravel().tolist() for f in features), strict=True)):
            state = self._START
            for value in row:
                part = fingerprint(value.encode()) if isinstance(value, str) else int(value)
                state = combined(state, part & (1 << 64) - 1)
            out[i] = state % self.num_bins
        return self._encoded(out.reshape(shape))

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shape of the output for the shapes of the features."""
        shape = tuple(input_shape[0])
        return (
            shape if self.output_mode == "int" else encoded_shape(shape, "one_hot", self.num_bins)
        )
