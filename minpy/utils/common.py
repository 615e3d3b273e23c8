"""``minpy.utils.common`` of minpy 0.3.4: arguments made to be of one type."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

__all__ = ["enforce_type"]


def enforce_type(T: type, method: bool = False) -> Callable[[Callable], Callable]:
    """Return a decorator that makes all arguments of a function instances of `T`.

    Parameters
    ----------
    T
        The type; called with an argument that isn't one of it.
    method
        Whether the function is a method, whose first argument is left alone.

    Examples
    --------
    >>> enforce_type(float)(lambda a, b: (a, b))(1, b='2')
    (1.0, 2.0)
    """

    def decorate(func: Callable) -> Callable:
        def one(value: Any) -> Any:
            return value if isinstance(value, T) else T(value)

        @functools.wraps(func)
        def checked(*args: Any, **kwargs: Any) -> Any:
            kept = args[:1] if method else ()
            rest = args[len(kept) :]
            return func(*kept, *map(one, rest), **{k: one(v) for k, v in kwargs.items()})

        return checked

    return decorate
