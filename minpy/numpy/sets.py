"""Sets of the elements of arrays: a derivative goes where an element came from.

It must not know how NumPy finds them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy

from minpy.array import as_ndarray, ndarray, read_value
from minpy.numpy.function import composition
from minpy.numpy.indexing import take
from minpy.numpy.shaping import concatenate, ravel

__all__ = ["intersect1d", "setdiff1d", "setxor1d", "union1d"]


def _chosen(choose: Callable[..., Any], *sets: Any) -> tuple[ndarray, Any]:
    """Return what a function of NumPy's chooses, taken from the first place that it is at."""
    arrays = [ravel(as_ndarray(a)) for a in sets]
    everything = concatenate(arrays)
    values = read_value(everything)
    made = choose(*[read_value(a) for a in arrays])
    chosen = made[0] if isinstance(made, tuple) else made
    order = numpy.argsort(values, kind="stable")
    places = order[numpy.searchsorted(values[order], chosen)]
    return take(everything, places), made


@composition("union1d", arrays=0)
def union1d(ar1: Any, ar2: Any) -> ndarray:
    """Return the sorted elements of either array, as `numpy.union1d`."""
    return _chosen(numpy.union1d, ar1, ar2)[0]


@composition("setdiff1d", arrays=0)
def setdiff1d(ar1: Any, ar2: Any, assume_unique: bool = False) -> ndarray:
    """Return the elements of one array that another one lacks, as `numpy.setdiff1d`."""
    return _chosen(lambda a, b: numpy.setdiff1d(a, b, assume_unique), ar1, ar2)[0]


@composition("setxor1d", arrays=0)
def setxor1d(ar1: Any, ar2: Any, assume_unique: bool = False) -> ndarray:
    """Return the elements of one array alone of two, as `numpy.setxor1d`."""
    return _chosen(lambda a, b: numpy.setxor1d(a, b, assume_unique), ar1, ar2)[0]


@composition("intersect1d", arrays=0)
def intersect1d(
    ar1: Any, ar2: Any, assume_unique: bool = False, return_indices: bool = False
) -> Any:
    """Return the elements that are in both arrays, as `numpy.intersect1d`: those of the first."""
    found, made = _chosen(
        lambda a, b: numpy.intersect1d(a, b, assume_unique, return_indices), ar1, ar2
    )
    return (found, *[as_ndarray(at) for at in made[1:]]) if return_indices else found
