"""Categories as numbers: one-hot rows, and the bins that numbers fall into; knows no layer.

Neither has a derivative: they are steps.
"""

from __future__ import annotations

from typing import Any

import numpy

from minpy import runtime
from minpy.autograd.rules import defjvp, defvjp
from minpy.primitives import Primitive

__all__ = ["digitized", "one_hot_rows"]


def _one_hot(x: numpy.ndarray, depth: int, dtype: str) -> numpy.ndarray:
    return (x[..., None] == numpy.arange(depth)).astype(dtype)


def _mx_one_hot(F: Any, x: Any, depth: int, dtype: str) -> Any:
    if not x.shape or 0 in x.shape:
        raise runtime.Unsupported("MXNet's one_hot takes no numbers alone and no empty arrays")
    return F("one_hot", x, depth=depth, dtype=dtype)


# one_hot_rows(x, depth, dtype): a row for each number, all zeros where there is no such category.
one_hot_rows = Primitive("one_hot_rows", _one_hot, arrays=1, mxnet=_mx_one_hot)


def _digitized(x: numpy.ndarray, boundaries: numpy.ndarray, dtype: str) -> numpy.ndarray:
    return numpy.digitize(x, boundaries).astype(dtype)


def _mx_digitized(F: Any, x: Any, boundaries: Any, dtype: str) -> Any:
    if not x.shape or 0 in x.shape:
        raise runtime.Unsupported("MXNet's comparison takes no numbers alone and no empty arrays")
    reached = F("broadcast_greater_equal", F("expand_dims", x, axis=-1), boundaries)
    return F("Cast", F("sum", reached, axis=-1), dtype=dtype)


# digitized(x, boundaries, dtype): how many boundaries each number has reached.
digitized = Primitive("digitized", _digitized, arrays=2, mxnet=_mx_digitized)

for _step, _arrays in ((one_hot_rows, 1), (digitized, 2)):
    defvjp(_step, *(None,) * _arrays)
    defjvp(_step, *(None,) * _arrays)
