"""Containers of arrays as one vector and back, differentiably, as HIPS autograd's ``flatten``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy

from minpy.array import as_ndarray, ndarray
from minpy.autograd import containers
from minpy.autograd.operators import ArgNum
from minpy.primitives import registry

__all__ = ["flatten", "flatten_func"]


def flatten(value: Any) -> tuple[ndarray, Callable[[Any], Any]]:
    """Return the numbers of a container of arrays as one vector, and what puts them back.

    Parameters
    ----------
    value
        An array, a number, or nested tuples, lists and dicts of them.

    Returns
    -------
    vector, unflatten
        ``unflatten(vector)`` has the structure and shapes of `value`.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.autograd.misc.flatten import flatten
    >>> vector, unflatten = flatten({'w': np.ones((2, 2)), 'b': 3.0})
    >>> vector
    array([1., 1., 1., 1., 3.])
    >>> unflatten(vector * 2)['b']
    array(6.)
    """
    leaves, rebuild = containers.flatten(value)
    leaves = [as_ndarray(leaf) for leaf in leaves]
    shapes = [leaf.shape for leaf in leaves]
    sizes = [leaf.size for leaf in leaves]
    reshape = registry["reshape"]
    parts = [reshape(leaf, (leaf.size,)) for leaf in leaves]
    vector = registry["_concatenate"](*parts, axis=0) if parts else as_ndarray(numpy.zeros(0))

    def unflatten(vector: Any) -> Any:
        vector = as_ndarray(vector)
        if vector.shape != (sum(sizes),):
            raise ValueError(
                f"unflatten: expected a vector of {sum(sizes)} numbers, got shape {vector.shape}"
            )
        parts, start = [], 0
        for shape, size in zip(shapes, sizes, strict=True):
            parts.append(reshape(vector[start : start + size], shape))
            start += size
        return rebuild(parts)

    return vector, unflatten


def flatten_func(func: Callable, example: Any, argnum: ArgNum = 0) -> tuple[Callable, Any, ndarray]:
    """Return a function of a vector in the place of a container, as HIPS autograd's.

    Parameters
    ----------
    func
        A function whose first argument is a container.
    example
        A container of that structure.
    argnum
        0: HIPS autograd's function takes no other.

    Returns
    -------
    function, unflatten, vector
        The function returns vectors in the place of containers too.
    """
    if argnum != 0:
        raise ValueError(f"flatten_func: expected argnum 0, got {argnum}")
    vector, unflatten = flatten(example)

    def of_vector(given: Any, *args: Any, **kwargs: Any) -> ndarray:
        return flatten(func(unflatten(given), *args, **kwargs))[0]

    return of_vector, unflatten, vector
