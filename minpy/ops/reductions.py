"""Keras' reductions: NumPy's functions, with ``keepdims`` behind ``axis``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import minpy.numpy as np

_NAMES_TEXT = """
    all amax amin any argmax argmin count_nonzero max mean median min nanargmax nanargmin
    nanmax nanmean nanmedian nanmin nanprod nanstd nansum nanvar prod std sum var
"""
_NAMES = _NAMES_TEXT.split()
_QUANTILES = ("nanpercentile", "nanquantile", "percentile", "quantile")

__all__ = [*_NAMES, *_QUANTILES]


def _reduction(name: str) -> Callable[..., Any]:
    function = getattr(np, name)

    def reduce(x: Any, axis: Any = None, keepdims: bool = False, **options: Any) -> Any:
        if type(axis) is list:
            axis = tuple(axis)
        return function(x, axis=axis, keepdims=keepdims, **options)

    return _named(reduce, name)


def _quantile(name: str) -> Callable[..., Any]:
    function = getattr(np, name)

    def reduce(
        x: Any, q: Any, axis: Any = None, method: str = "linear", keepdims: bool = False
    ) -> Any:
        if type(axis) is list:
            axis = tuple(axis)
        return function(x, q, axis=axis, method=method, keepdims=keepdims)

    return _named(reduce, name)


def _named(function: Callable[..., Any], name: str) -> Callable[..., Any]:
    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"Reduce along axes, as `minpy.numpy.{name}` does."
    return function


globals().update({name: _reduction(name) for name in _NAMES})
globals().update({name: _quantile(name) for name in _QUANTILES})
