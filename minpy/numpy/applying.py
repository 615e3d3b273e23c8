"""Functions that call a function on parts of an array: derivatives go through what it does.

It must not know which functions it is given.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy

from minpy.array import as_ndarray, is_tracked, ndarray
from minpy.context import current_context
from minpy.errors import NoDerivativeError
from minpy.inplace import assign
from minpy.numpy.broadcasting import broadcast_arrays
from minpy.numpy.creation import zeros
from minpy.numpy.fallback import arrays_in, operands, plain, wrapped
from minpy.numpy.shaping import expand_dims, moveaxis, ravel, reshape, stack

__all__ = ["apply_along_axis", "apply_over_axes", "piecewise", "vectorize"]


def apply_along_axis(
    func1d: Callable[..., Any], axis: int, arr: Any, *args: Any, **kwargs: Any
) -> ndarray:
    """Apply a function to vectors along an axis, as `numpy.apply_along_axis`.

    Parameters
    ----------
    func1d
        Of a vector, `args` and `kwargs`; returns an array or a number.
    axis
        Along which the vectors lie.
    arr
        The array.

    Returns
    -------
    ndarray
        With the axes of what `func1d` returns in the place of `axis`.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> np.apply_along_axis(np.sum, 0, np.ones((2, 3)))
    array([2., 2., 2.])
    """
    arr = as_ndarray(arr)
    if not -arr.ndim <= axis < arr.ndim:
        raise numpy.AxisError(axis, arr.ndim)
    axis %= arr.ndim
    rows = moveaxis(arr, axis, -1)
    outside = rows.shape[:-1]
    if 0 in outside:
        raise ValueError("Cannot apply_along_axis when any iteration dimensions are 0")
    flat = reshape(rows, (math.prod(outside), rows.shape[-1]))
    found = [as_ndarray(func1d(flat[i], *args, **kwargs)) for i in range(flat.shape[0])]
    inside = found[0].ndim
    made = reshape(stack(found), outside + found[0].shape)
    before = len(outside)
    return moveaxis(made, range(before, before + inside), range(axis, axis + inside))


def apply_over_axes(func: Callable[..., Any], a: Any, axes: int | Sequence[int]) -> ndarray:
    """Apply a reduction over one axis after the other, as `numpy.apply_over_axes`.

    Parameters
    ----------
    func
        ``func(a, axis)`` returns an array of as many axes, or of one fewer.
    a, axes
        The array, and the axes in order.
    """
    value = as_ndarray(a)
    n = value.ndim
    for axis in (axes,) if isinstance(axes, int) else axes:
        axis = axis + n if axis < 0 else axis
        made = as_ndarray(func(value, axis))
        if made.ndim != value.ndim:
            made = expand_dims(made, axis)
            if made.ndim != value.ndim:
                raise ValueError("function is not returning an array of the correct shape")
        value = made
    return value


def piecewise(x: Any, condlist: Any, funclist: Sequence[Any], *args: Any, **kw: Any) -> ndarray:
    """Evaluate a function defined by parts, as `numpy.piecewise`.

    Parameters
    ----------
    x
        Where.
    condlist
        Boolean arrays, or one: where each part holds, the last one that does.
    funclist
        A function or a number for each, and one more for where no condition holds (0 otherwise).

    Examples
    --------
    >>> import minpy, minpy.numpy as np
    >>> hat = lambda x: np.sum(np.piecewise(x, [x < 0, x >= 0], [lambda x: -x, lambda x: x ** 2]))
    >>> minpy.grad(hat)(np.array([-1., 3.]))
    array([-1.,  6.])
    """
    x = as_ndarray(x)
    count = len(funclist)
    if not isinstance(condlist, list | tuple) or (
        not isinstance(condlist[0], list | tuple | ndarray | numpy.ndarray) and x.ndim != 0
    ):
        condlist = [condlist]
    masks = [
        numpy.asarray(numpy.broadcast_to(as_ndarray(c).asnumpy(), x.shape), bool) for c in condlist
    ]
    if count == len(masks) + 1:
        masks = [~numpy.any(masks, axis=0), *masks]
        funclist = [funclist[-1], *funclist[:-1]]
    elif count != len(masks):
        raise ValueError(
            f"with {len(masks)} condition(s), either {len(masks)} or {len(masks) + 1} functions "
            "are expected"
        )
    made = zeros(x.shape, dtype=x.dtype)
    for mask, part in zip(masks, funclist, strict=True):
        if not callable(part):
            assign(made, mask, part)
        elif mask.any():
            assign(made, mask, part(x[mask], *args, **kw))
    return made


class vectorize(numpy.vectorize):
    """A function of numbers as one of arrays, as `numpy.vectorize`; gradients flow through it.

    Where a derivative is taken, the function gets arrays without dimensions, one after the other.

    Parameters
    ----------
    pyfunc, otypes, doc, excluded, cache, signature
        As in NumPy.

    Examples
    --------
    >>> import minpy
    >>> import minpy.numpy as np
    >>> larger = np.vectorize(lambda a, b: a * b if a > b else a)
    >>> larger(np.array([1., 3.]), 2.0)
    array([1., 6.])
    >>> minpy.grad(lambda x: np.sum(larger(x, 2.0)))(np.array([1., 3.]))
    array([1., 2.])
    """

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Apply the function to each element of the arguments, broadcast against each other."""
        if self.pyfunc is numpy._NoValue:  # a decorator that was given options
            return super().__call__(*args, **kwargs)
        arrays = tuple(arrays_in((args, kwargs)))
        if any(is_tracked(a) for a in arrays):
            return self._tracked(args, kwargs)
        context = arrays[0].context if arrays else current_context()
        return wrapped(
            super().__call__(*plain(args), **plain(kwargs)), context, operands(args, kwargs)
        )

    def _tracked(self, args: tuple, kwargs: dict) -> Any:
        if self.signature is not None or self.excluded & {*kwargs, *range(len(args))}:
            raise NoDerivativeError(
                "vectorize: no derivative with a signature or excluded arguments; call the "
                "function on each part and join the results with stack"
            )
        names = list(kwargs)
        parts = [ravel(a) for a in broadcast_arrays(*args, *kwargs.values())]
        shape = numpy.broadcast_shapes(*[numpy.shape(a) for a in (*args, *kwargs.values())])
        made = []
        for values in zip(*parts, strict=True):
            given = dict(zip(names, values[len(args) :], strict=True))
            made.append(self.pyfunc(*values[: len(args)], **given))
        if not made:
            raise ValueError("cannot call `vectorize` on size 0 inputs unless `otypes` is set")
        several = isinstance(made[0], tuple)
        results = zip(*made, strict=True) if several else [made]
        joined = [reshape(stack([as_ndarray(v) for v in of]), shape) for of in results]
        if self.otypes:
            joined = [j.astype(t) for j, t in zip(joined, self.otypes, strict=True)]
        return tuple(joined) if several else joined[0]
