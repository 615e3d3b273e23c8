"""Arguments that a constructor takes by place although it only hands them on by name.

Knows no class. Keras' constructors list every argument; here a base class takes what many have in
common, and this puts them into the signature, in Keras' order.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

__all__ = ["also_by_place"]

_BY_PLACE = inspect.Parameter.POSITIONAL_OR_KEYWORD


def also_by_place(**more: Any) -> Callable[[Callable], Callable]:
    """Return a decorator of ``__init__``: behind its own it takes these by place, too.

    Parameters
    ----------
    more
        Name → default, in their order. What the function takes by keyword only may be among them;
        the others go into its ``**kwargs``, and a default is left to whoever takes it at last.

    Examples
    --------
    >>> class Layer:
    ...     @also_by_place(name=None, dtype='float32')
    ...     def __init__(self, units, **rest):
    ...         self.given = units, rest
    >>> Layer(3, 'first').given
    (3, {'name': 'first'})
    >>> import inspect
    >>> inspect.signature(Layer)
    <Signature (units, name=None, dtype='float32', **rest)>
    """

    def decorate(function: Callable) -> Callable:
        told = inspect.signature(function)
        parameters = list(told.parameters.values())
        own = [p for p in parameters if p.kind is _BY_PLACE]
        after = [p for p in parameters if p.kind is not _BY_PLACE and p.name not in more]
        extra = [inspect.Parameter(n, _BY_PLACE, default=value) for n, value in more.items()]
        places = [p.name for p in (*own, *extra)]

        @functools.wraps(function)
        def taking(*args: Any, **kwargs: Any) -> None:
            if len(args) > len(own):
                _move(places[len(own) :], args[len(own) :], kwargs, type(args[0]).__name__)
                args = args[: len(own)]
            function(*args, **kwargs)

        taking.__signature__ = told.replace(parameters=[*own, *extra, *after])
        return taking

    return decorate


def _move(names: list[str], values: tuple, kwargs: dict[str, Any], who: str) -> None:
    """Put values under their names into keyword arguments."""
    if len(values) > len(names):
        raise TypeError(
            f"{who}: {len(values) - len(names)} arguments too many; the last one by place is "
            f"{names[-1]!r}"
        )
    for name, value in zip(names, values, strict=False):
        if name in kwargs:
            raise TypeError(f"{who}: {name!r} is given twice, by place and by name")
        kwargs[name] = value
