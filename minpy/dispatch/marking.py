"""``grad`` and ``grad_and_loss`` of minpy 0.3.4: arguments are marked, however they are reached.

In the original, `grad_and_loss` marked the arrays that it was given, and everything computed from
them was recorded, also where the function ignored its parameters and read the same arrays from a
model. Its solvers depend on that. The new operators give the function arrays of their own instead,
so here the caller's arrays are those while the function runs, and themselves again afterwards.

The original also took integers and functions with any number of results: it differentiated the sum.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy

from minpy import runtime
from minpy.array import as_ndarray, ndarray, numpy_value, snapshot
from minpy.autograd.containers import flatten
from minpy.autograd.reverse import record
from minpy.autograd.trace import unshared
from minpy.config import settings
from minpy.errors import DifferentiationError
from minpy.primitives import registry

__all__ = ["convert_args", "grad", "grad_and_loss", "minpy_to_numpy", "numpy_to_minpy"]

ArgNum = int | Sequence[int]


def numpy_to_minpy(var: Any) -> Any:
    """Return minpy arrays for NumPy arrays, also inside tuples, lists and dicts.

    Parameters
    ----------
    var
        An array, anything else, or containers of them; what is no array stays what it is.

    Examples
    --------
    >>> import numpy
    >>> numpy_to_minpy({'w': numpy.ones(2, 'float32')})
    {'w': array([1., 1.])}
    """
    leaves, rebuild = flatten(var)
    return rebuild([as_ndarray(leaf) if _is_foreign(leaf) else leaf for leaf in leaves])


def _is_foreign(value: Any) -> bool:
    return isinstance(value, numpy.ndarray | numpy.generic) or runtime.is_ndarray(value)


def minpy_to_numpy(var: Any) -> Any:
    """Return NumPy arrays for minpy arrays, also inside tuples, lists and dicts.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> minpy_to_numpy([np.ones(2), 3])
    [array([1., 1.], dtype=float32), 3]
    """
    leaves, rebuild = flatten(var)
    return rebuild([leaf.asnumpy() if type(leaf) is ndarray else leaf for leaf in leaves])


def convert_args(func: Callable) -> Callable:
    """Return a function that turns NumPy arrays among its arguments into minpy's."""

    @functools.wraps(func)
    def converted(*args: Any, **kwargs: Any) -> Any:
        return func(*numpy_to_minpy(args), **numpy_to_minpy(kwargs))

    return converted


def return_numpy(func: Callable) -> Callable:
    """Return a function that turns minpy arrays in its result into NumPy's."""

    @functools.wraps(func)
    def converted(*args: Any, **kwargs: Any) -> Any:
        return minpy_to_numpy(func(*args, **kwargs))

    return converted


def _float_array(value: Any, by: str) -> ndarray:
    """Return an argument that can be differentiated: an array of floats."""
    try:
        array = None if isinstance(value, str | bytes) else as_ndarray(value)
    except TypeError:
        array = None
    if array is None:
        raise DifferentiationError(
            f"{by}: expected an array or a number to differentiate with respect to, "
            f"got {type(value).__name__}"
        )
    if array.dtype.kind in "iub":
        array = array.astype(settings.float_dtype)
    if array.dtype.kind not in "fc":
        raise DifferentiationError(f"{by}: no derivative with respect to dtype {array.dtype}")
    return array


@contextmanager
def _marked(arrays: list[ndarray], tracked: list[ndarray]) -> Iterator[list[ndarray]]:
    """Let array objects be recorded ones for a ``with`` block; yields the objects to use.

    An object that stands twice among the arguments can only be one of them.
    """
    used, before = [], []
    for array, boxed in zip(arrays, tracked, strict=True):
        if any(array is known for known, _, _ in before):
            used.append(boxed)
            continue
        before.append((array, dict(vars(array)), boxed))
        array._np, array._box, array._inner = boxed._np, boxed._box, boxed._inner
        array._view = None
        used.append(array)
    try:
        yield used
    finally:
        for array, state, boxed in before:
            written = None if array._box is boxed._box else snapshot(array)
            captured = vars(array).get("_captured")
            vars(array).clear()
            vars(array).update(state)
            if captured is not None:
                array._captured = captured
            if written is not None:  # an in-place operation on an argument: the caller sees it
                array[...] = numpy_value(written)


def grad_and_loss(func: Callable, argnum: ArgNum = 0) -> Callable:
    """Return a function that gives ``(gradient, value)``.

    Parameters
    ----------
    func
        Returns an array, or several; the sum of all elements is differentiated.
    argnum
        Which argument to differentiate, or several.

    Returns
    -------
    function
        Of `func`'s arguments, which may be minpy's or NumPy's arrays or numbers; returns the
        gradient, or a tuple of them for several arguments, and what `func` returned.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy import core
    >>> params = {'w': np.array([1., 2.])}
    >>> def loss(*_):
    ...     return np.sum(params['w'] ** 2)     # by closure: still the array that is marked
    >>> core.grad_and_loss(loss, argnum=range(1))(*params.values())
    (array([2., 4.]), array(5.))
    """

    @functools.wraps(func)
    def derived(*args: Any, **kwargs: Any) -> tuple[Any, Any]:
        by = getattr(func, "__name__", "function")
        numbers = [argnum] if isinstance(argnum, int) else list(argnum)
        for n in numbers:
            if not -len(args) <= n < len(args):
                raise TypeError(f"{by}: no argument {n}, the function was given {len(args)}")
        given = list(numpy_to_minpy(args))
        chosen, rebuild = flatten(tuple(given[n] for n in numbers))
        arrays = [_float_array(leaf, by) for leaf in chosen]
        unflatten: list[Any] = []

        def run(tracked: list[ndarray]) -> list[ndarray]:
            with _marked(arrays, tracked) as used:
                for n, value in zip(numbers, rebuild(used), strict=True):
                    given[n] = value
                leaves, back = flatten(func(*given, **kwargs))
                unflatten.append(back)
                return [snapshot(as_ndarray(leaf)) for leaf in leaves]

        outputs, tape = record(run, arrays)
        found = tape.back([registry["ones_like"](out) for out in outputs], once=True)
        zeros = registry["zeros_like"]
        gradients = unshared(
            [zeros(a) if g is None else g for g, a in zip(found, arrays, strict=True)]
        )
        made = rebuild(gradients)
        return (made[0] if len(made) == 1 else made), unflatten[0](outputs)

    return derived


def grad(func: Callable, argnum: ArgNum = 0) -> Callable:
    """Return a function that gives the gradient; see `grad_and_loss`.

    Examples
    --------
    >>> from minpy import core
    >>> core.grad(lambda x: x * x)(3)
    array(6.)
    """
    both = grad_and_loss(func, argnum)

    @functools.wraps(func)
    def derived(*args: Any, **kwargs: Any) -> Any:
        return both(*args, **kwargs)[0]

    return derived
