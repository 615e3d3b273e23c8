"""HIPS autograd's ``extend``, under its name: what one writes own derivatives with."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from minpy.array import ndarray, read_value
from minpy.autograd.containers import register_container
from minpy.autograd.rules import (
    def_linear,
    defjvp,
    defjvp_argnum,
    defjvp_argnums,
    defvjp,
    defvjp_argnum,
    defvjp_argnums,
)
from minpy.primitives import primitive

__all__ = [
    "def_linear",
    "defjvp",
    "defjvp_argnum",
    "defjvp_argnums",
    "defvjp",
    "defvjp_argnum",
    "defvjp_argnums",
    "notrace_primitive",
    "primitive",
    "register_container",
]


def notrace_primitive(function: Callable[..., Any]) -> Callable[..., Any]:
    """Make a function that derivatives don't look into: its result is a constant to them.

    Parameters
    ----------
    function
        Gets NumPy arrays where it is called with minpy arrays, and may return anything.

    Examples
    --------
    >>> import minpy, minpy.numpy, numpy
    >>> from minpy.autograd.extend import notrace_primitive
    >>> largest = notrace_primitive(lambda x: float(numpy.max(x)))
    >>> minpy.grad(lambda x: (x / largest(x)).sum())(minpy.numpy.array([1.0, 2.0]))
    array([0.5, 0.5])
    """

    def value(a: Any) -> Any:
        return read_value(a) if type(a) is ndarray else a

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        return function(*map(value, args), **{name: value(a) for name, a in kwargs.items()})

    return call
