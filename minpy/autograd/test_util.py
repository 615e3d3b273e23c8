"""HIPS autograd's ``test_util``, under its name and with its signatures; compares, defines no rule.

`minpy.check_grads` is for new programs: it checks all of the arguments.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy

from minpy.array import as_ndarray
from minpy.autograd import check
from minpy.autograd.containers import leaves_with_paths
from minpy.autograd.operators import ArgNum, differentiated

__all__ = ["check_equivalent", "check_grads", "combo_check", "scalar_close"]

TOL = 1e-6
RTOL = 1e-6


def check_grads(
    fun: Callable,
    argnum: ArgNum = 0,
    modes: Sequence[str] | None = None,
    order: int = 2,
) -> Callable[..., None]:
    """Return a function that compares `fun`'s derivatives in one argument with finite differences.

    Parameters
    ----------
    fun
        Any function of arrays.
    argnum
        Which argument to differentiate, or several.
    modes
        ``'fwd'`` for forward mode, ``'rev'`` for reverse mode; both by default.
    order
        The highest order to check.

    Returns
    -------
    function
        Of `fun`'s arguments; returns None, or raises `AssertionError` with both numbers.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.autograd.test_util import check_grads
    >>> check_grads(lambda x, y: np.sin(x) * np.floor(y))(1.0, 3.0)
    """

    def checked(*args: Any, **kwargs: Any) -> None:
        differentiated(args, argnum, "check_grads")
        numbers = (argnum,) if isinstance(argnum, int) else tuple(argnum)

        @functools.wraps(fun)
        def of_chosen(*chosen: Any) -> Any:
            whole = list(args)
            for n, value in zip(numbers, chosen, strict=True):
                whole[n] = value
            return fun(*whole, **kwargs)

        modes_ = ("fwd", "rev") if modes is None else modes
        check.check_grads(of_chosen, modes_, order, TOL, RTOL)(*[args[n] for n in numbers])

    return checked


def combo_check(fun: Callable, *args: Any, **kwargs: Any) -> Callable[..., None]:
    """Return a function that runs `check_grads` on all combinations of the arguments that it lists.

    Parameters
    ----------
    fun
        Any function of arrays.
    args, kwargs
        `check_grads`' other arguments.

    Returns
    -------
    function
        Takes a list of values for each of `fun`'s arguments, by position and by name.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.autograd.test_util import combo_check
    >>> combo_check(np.sum, 0)([np.ones(2), np.ones((2, 3))], axis=[None, 0])
    """
    check_one = check_grads(fun, *args, **kwargs)

    def checked(*values: Iterable[Any], **named_values: Iterable[Any]) -> None:
        # Each is read many times, and may be an iterator.
        by_name = [[(name, value) for value in given] for name, given in named_values.items()]
        for chosen in itertools.product(*values):
            for chosen_by_name in itertools.product(*by_name):
                check_one(*chosen, **dict(chosen_by_name))

    return checked


def scalar_close(a: Any, b: Any) -> bool:
    """Say whether two numbers differ by less than 1e-6, or by less than that of their sum."""
    return bool(abs(a - b) < TOL or abs(a - b) / abs(a + b) < RTOL)


def check_equivalent(x: Any, y: Any) -> None:
    """Raise `AssertionError` unless two containers have one structure, equal shapes, close numbers.

    Parameters
    ----------
    x, y
        Arrays, numbers, or nested tuples, lists and dicts of them. Real numbers are not
        equivalent to complex ones.
    """
    ours, theirs = leaves_with_paths(x), leaves_with_paths(y)
    if [path for path, _ in ours] != [path for path, _ in theirs]:
        raise AssertionError(
            f"check_equivalent: structures differ: {[path for path, _ in ours]} and "
            f"{[path for path, _ in theirs]}"
        )
    for (path, a), (_, b) in zip(ours, theirs, strict=True):
        a, b = as_ndarray(a).asnumpy(), as_ndarray(b).asnumpy()
        if a.shape != b.shape or numpy.iscomplexobj(a) != numpy.iscomplexobj(b):
            raise AssertionError(
                f"check_equivalent: {path or 'arrays'}: {a.dtype} of shape {a.shape} and "
                f"{b.dtype} of shape {b.shape}"
            )
        if not numpy.allclose(a, b, rtol=RTOL, atol=TOL):
            raise AssertionError(f"check_equivalent: {path or 'arrays'} differ: {a} and {b}")
