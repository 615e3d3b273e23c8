"""What layers that make one array of several share: the check of the shapes, and the masks."""

from __future__ import annotations

from typing import Any

from minpy.array import as_ndarray, ndarray
from minpy.autograd.containers import map_leaves
from minpy.errors import ShapeError
from minpy.layers.functions.masks import either
from minpy.layers.layer import Layer
from minpy.numpy.shaping import expand_dims

__all__ = ["Merge", "merged"]


class Merge(Layer):
    """A layer of a list of arrays, which are brought to one number of axes and then merged."""

    supports_masking = True
    # How many inputs there may be; None is any number from the first on.
    _inputs: tuple[int, int | None] = (1, None)

    def check_input(self, shape: Any) -> None:
        """Raise `ShapeError` unless there is a list of shapes that can be merged."""
        self._check_list(shape)
        self.compute_output_shape(shape)

    def _check_list(self, shapes: Any) -> None:
        least, most = self._inputs
        several = isinstance(shapes, list | tuple) and all(
            isinstance(s, list | tuple) for s in shapes
        )
        if not several or len(shapes) < least or (most is not None and len(shapes) > most):
            wanted = f"{least} arrays" if least == most else "arrays"
            got = "one array" if not several else f"{len(shapes)}"
            raise ShapeError(
                f"{type(self).__name__} {self.name!r}: expected a list of {wanted}, got {got} "
                f"(shape {shapes})"
            )
        if len({s[0] for s in shapes} - {None}) > 1:
            raise ShapeError(
                f"{type(self).__name__} {self.name!r}: expected arrays of one batch, got {shapes}"
            )

    def call(self, inputs: Any, mask: Any = None) -> Any:
        """Compute the output of a list of arrays, and of their masks if they have any."""
        if isinstance(inputs, ndarray) or len(inputs) == 0:
            self._check_list(getattr(inputs, "shape", ()))
        self._check_batch(inputs)
        ndim = max(x.ndim for x in inputs)
        masks = [None] * len(inputs) if mask is None else list(mask)
        return self._merge([_with_axes(x, ndim) for x in inputs], masks)

    def _check_batch(self, inputs: Any) -> None:
        if len({x.shape[0] for x in inputs} - {1}) > 1:
            raise ShapeError(
                f"{type(self).__name__} {self.name!r}: expected arrays of one batch, got shapes "
                f"{[x.shape for x in inputs]}"
            )

    def _merge(self, inputs: list[Any], masks: list[Any]) -> Any:
        raise NotImplementedError

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shape of the output: the inputs', broadcast."""
        ndim = max(len(s) for s in input_shape)
        found = []
        for lengths in zip(
            *((s[0], *[1] * (ndim - len(s)), *s[1:]) for s in input_shape), strict=True
        ):
            known = {n for n in lengths if n not in (None, 1)}
            if len(known) > 1:
                raise ShapeError(
                    f"{type(self).__name__} {self.name!r}: expected arrays of one shape, or with "
                    f"axes of length 1, got {list(input_shape)}"
                )
            found.append(known.pop() if known else None if None in lengths else 1)
        return tuple(found)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """Return the output's mask: where one of the inputs' masks holds; None if one has none."""
        if mask is None:
            return None
        self._check_masks(inputs, mask)
        if any(m is None for m in mask):
            return None
        found = mask[0]
        for m in mask[1:]:
            found = either(found, m)
        return found

    def _check_masks(self, inputs: Any, mask: Any) -> None:
        if not isinstance(inputs, list | tuple):
            raise ValueError(
                f"{type(self).__name__} {self.name!r}: expected a list of inputs, got {inputs!r}"
            )
        if not isinstance(mask, list | tuple) or len(mask) != len(inputs):
            raise ValueError(
                f"{type(self).__name__} {self.name!r}: expected a list of {len(inputs)} masks, one "
                f"for each input, got {mask!r}"
            )


def _with_axes(x: Any, ndim: int) -> Any:
    """Give an array axes of length 1 behind the batch's."""
    while x.ndim < ndim:
        x = expand_dims(x, 1)
    return x


def merged(layer: Layer, inputs: Any) -> Any:
    """Call a layer on a list of arrays, or of what arrays can be made of."""
    from minpy.layers.symbolic import is_symbolic

    if is_symbolic([inputs]):
        return layer(inputs)
    return layer(map_leaves(as_ndarray, list(inputs)))
