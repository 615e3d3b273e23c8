"""Numbers of categories as one-hot rows, multi-hot rows or counts."""

from __future__ import annotations

from typing import Any

from minpy.arguments import also_by_place
from minpy.array import as_ndarray, is_tracked, read_value
from minpy.layers.convolutional.base import positive
from minpy.layers.functions.categories import one_hot_rows
from minpy.layers.images import one_of
from minpy.layers.preprocessing.numeric_layer import NumericLayer

__all__ = ["CategoryEncoding", "encoded", "encoded_shape", "mode_named"]

# Names that Keras 2 had.
_OLD = {"binary": "multi_hot", "tf-idf": "tf_idf"}


def mode_named(name: str, modes: tuple[str, ...], by: str) -> str:
    """Return an output mode by its name, or the one that it had in Keras 2."""
    return one_of(_OLD.get(name, name), modes, f"{by}: output_mode")


def encoded(x: Any, mode: str, depth: int, dtype: str, count_weights: Any = None) -> Any:
    """Return category numbers as rows of `depth` elements.

    Parameters
    ----------
    x
        Array of numbers; of one that is (…, 1) ``'one_hot'`` drops the last axis.
    mode
        ``'one_hot'``: a row a number. ``'multi_hot'``, ``'count'``: a row a sample, that is along
        axis 1 (or 0 of a vector), with ones, or with how often each number occurs.
    depth, dtype
        Of the result.
    count_weights
        What each number counts, in place of 1.
    """
    if x.ndim == 0:
        x = x.reshape((1,))
    if mode == "one_hot":
        if x.ndim > 1 and x.shape[-1] == 1:
            x = x.reshape(x.shape[:-1])
        return one_hot_rows(x, depth, dtype)
    rows = one_hot_rows(x, depth, dtype)
    across = 1 if x.ndim > 1 else 0
    if mode == "multi_hot":
        return rows.max(axis=across)
    if count_weights is not None:
        rows = rows * count_weights.reshape((*count_weights.shape, 1))
    return rows.sum(axis=across)


def encoded_shape(shape: Any, mode: str, depth: int) -> tuple:
    """Return the shape of `encoded` for an input's."""
    shape = tuple(shape)
    if mode == "one_hot":
        return (*(shape[:-1] if len(shape) > 1 and shape[-1] == 1 else shape), depth)
    return (*shape[:1], *shape[2:], depth) if len(shape) > 1 else (depth,)


class CategoryEncoding(NumericLayer):
    """Turns category numbers into one-hot rows, multi-hot rows or counts.

    Parameters
    ----------
    num_tokens
        Number of categories; the numbers are from 0 to below it.
    output_mode
        ``'one_hot'``: a row for each number. ``'multi_hot'``: a row for each sample, ones for the
        categories in it. ``'count'``: how often each occurs.

    Notes
    -----
    ``layer(x, count_weights=w)`` counts each number as `w` says.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import CategoryEncoding
    >>> CategoryEncoding(4, output_mode='count')(np.array([[0, 1], [3, 3]]))
    array([[1., 1., 0., 0.],
           [0., 0., 0., 2.]])
    """

    @also_by_place(sparse=False)
    def __init__(
        self, num_tokens: int | None = None, output_mode: str = "multi_hot", **kwargs: Any
    ) -> None:
        if kwargs.pop("sparse", False):
            raise ValueError("CategoryEncoding: there are no sparse arrays here, leave sparse away")
        super().__init__(**kwargs)
        if num_tokens is None:
            raise ValueError(
                "CategoryEncoding: expected num_tokens; IntegerLookup finds out by itself how many "
                "there are, adapt(data)"
            )
        self.num_tokens = positive(num_tokens, "CategoryEncoding: num_tokens")
        self.output_mode = mode_named(
            output_mode, ("one_hot", "multi_hot", "count"), "CategoryEncoding"
        )

    def call(self, x: Any, count_weights: Any = None) -> Any:
        """Compute the output."""
        if count_weights is not None and self.output_mode != "count":
            raise ValueError(
                f"CategoryEncoding {self.name!r}: count_weights are for output_mode='count', "
                f"this is {self.output_mode!r}"
            )
        if not is_tracked(x) and x.size:
            values = read_value(x)
            if values.min() < 0 or values.max() >= self.num_tokens:
                raise ValueError(
                    f"CategoryEncoding {self.name!r}: expected numbers from 0 to "
                    f"{self.num_tokens - 1}, got {values.min()} to {values.max()}; set num_tokens "
                    "to one more than the largest"
                )
        if count_weights is not None:
            count_weights = as_ndarray(count_weights).astype(self.dtype)
        return encoded(x, self.output_mode, self.num_tokens, self.dtype.name, count_weights)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shape of the output."""
        return encoded_shape(input_shape, self.output_mode, self.num_tokens)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer."""
        return {
            **super().get_config(),
            "num_tokens": self.num_tokens,
            "output_mode": self.output_mode,
        }
