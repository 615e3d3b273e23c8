"""What makes a function of `minpy.ops` take symbolic tensors too; knows no function."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from minpy.layers.symbolic import is_symbolic

__all__ = ["operation"]


def operation(
    function: Callable[..., Any] | None = None, *, name: str | None = None
) -> Callable[..., Any]:
    """Return a function that is a part of a functional model where an argument is symbolic.

    Parameters
    ----------
    function
        Of arrays.
    name
        Where `minpy.ops` has it; by the function's name if not given.
    """
    if function is None:
        return functools.partial(operation, name=name)

    @functools.wraps(function)
    def called(*args: Any, **kwargs: Any) -> Any:
        if is_symbolic(args) or (kwargs and is_symbolic(kwargs.values())):
            from minpy.layers.core.operation import Operation

            return Operation(called)(*args, **kwargs)
        return function(*args, **kwargs)

    # By this name a file refers to it; `minpy.layers.core.operation` finds it again.
    called.operation_name = f"ops.{name or function.__name__}"
    return called
