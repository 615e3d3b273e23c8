"""Devices as the standard has them: minpy's contexts; knows no functions of arrays."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

from minpy.context import Context, cpu, current_context

__all__ = ["context_of", "created"]


def context_of(device: Any) -> Context:
    """Return the context of a device: a context, ``'cpu'``, or None for the current one."""
    if device is None:
        return current_context()
    if device == "cpu":
        return cpu()
    if not isinstance(device, Context):
        raise ValueError(f"device: expected a minpy context such as minpy.cpu(), got {device!r}")
    return device


# What the standard's functions don't take.
_OF_NUMPY = ("ctx", "like", "order", "subok")


def created(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a function that makes an array the keyword ``device``."""

    @functools.wraps(function)
    def make(*args: Any, device: Any = None, **kwargs: Any) -> Any:
        if device is None:
            return function(*args, **kwargs)
        context = context_of(device)
        with context:
            return function(*args, **kwargs).as_in_context(context)

    signature = inspect.signature(function)
    kept = [p for name, p in signature.parameters.items() if name not in _OF_NUMPY]
    device = inspect.Parameter("device", inspect.Parameter.KEYWORD_ONLY, default=None)
    make.__signature__ = signature.replace(parameters=[*kept, device])  # type: ignore[attr-defined]
    return make
