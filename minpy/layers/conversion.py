"""What a layer's arguments become before it is called: arrays, of its dtype, with their masks.

It must not know layers.
"""

from __future__ import annotations

from typing import Any

import numpy

from minpy.array import as_ndarray, ndarray
from minpy.autograd.containers import map_leaves
from minpy.layers.calls import masks_of
from minpy.layers.symbolic import is_symbolic

__all__ = ["as_floats", "cast", "numpy_to_array", "refuse_mixed", "to_array", "with_masks"]


def with_masks(signature: Any, args: tuple, kwargs: dict) -> dict:
    """Return the keyword arguments with the masks that travel with the tensors."""
    tensors = signature.tensors(args, kwargs)
    given = {*signature.names[: len(args)], *(n for n, v in kwargs.items() if v is not None)}
    if len(tensors) == 1:
        if signature.takes_mask and "mask" not in given:
            kwargs = {**kwargs, "mask": masks_of(next(iter(tensors.values())))}
        return kwargs
    for name, value in tensors.items():
        mask = signature.masks.get(name)
        if mask is not None and mask not in given:
            kwargs = {**kwargs, mask: masks_of(value)}
    return kwargs


def to_array(x: Any) -> Any:
    """Return anything but None as an array."""
    return x if x is None or type(x) is ndarray else as_ndarray(x)


def cast(x: Any, dtype: numpy.dtype) -> Any:
    """Return an array of floats, or a container of them, in a dtype; anything else as it is."""
    if type(x) is ndarray:
        own = x.dtype
        if own is dtype or own.kind != "f" or own == dtype:
            return x
        made, mask = x.astype(dtype), getattr(x, "_keras_mask", None)
        if mask is not None:
            made._keras_mask = mask
        return made
    if isinstance(x, tuple | list | dict) and x:
        return map_leaves(lambda leaf: cast(leaf, dtype) if type(leaf) is ndarray else leaf, x)
    return x


def as_floats(x: Any, dtype: numpy.dtype) -> Any:
    """Return an array of integers, or a container of them, in a dtype; anything else as it is."""
    if type(x) is ndarray:
        return x.astype(dtype) if x.dtype.kind in "iub" else x
    return map_leaves(lambda leaf: as_floats(leaf, dtype), x) if type(x) in (list, tuple) else x


def refuse_mixed(values: dict[str, Any], who: str) -> None:
    """Raise `TypeError` where symbolic tensors are among other things in one argument."""
    for name, value in values.items():
        if is_symbolic([value]):
            raise TypeError(
                f"{who}: {name} mixes symbolic tensors with other things; expected symbolic "
                "tensors and arrays only"
            )


def numpy_to_array(x: Any) -> Any:
    """Return NumPy's arrays of numbers, in containers too, as ours; anything else as it is."""
    if isinstance(x, numpy.ndarray) and x.dtype.kind in "biufc":
        return as_ndarray(x)
    if isinstance(x, tuple | list | dict) and x:
        return map_leaves(lambda a: as_ndarray(a) if isinstance(a, numpy.ndarray) else a, x)
    return x
