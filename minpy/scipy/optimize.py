"""``scipy.optimize``: SciPy's own functions, given functions that return minpy arrays.

Some of SciPy's methods, L-BFGS-B for one, take NumPy arrays and nothing else from the functions
that they call. Here those functions are `minpy.grad`, `minpy.value_and_grad`, `minpy.hessian`: what
they return is handed on as NumPy arrays. It must not know any method.

>>> import minpy, minpy.numpy as np, numpy
>>> from minpy.scipy.optimize import minimize
>>> loss = lambda x: np.sum((x - 3.0) ** 2)
>>> found = minimize(minpy.value_and_grad(loss), numpy.zeros(2), jac=True, method='L-BFGS-B')
>>> found.x.round(3)
array([3., 3.])
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from minpy.array import ndarray
from minpy.numpy.fallback import plain
from minpy.scipy.kernels import scipy_module

__all__: list[str] = []


def _given(value: Any) -> Any:
    """Return an argument for SciPy: functions in it return NumPy arrays."""
    kind = type(value)
    if kind is ndarray:
        return plain(value)
    if kind in (tuple, list):
        return kind(_given(part) for part in value)
    if kind is dict:  # a constraint, say
        return {name: _given(part) for name, part in value.items()}
    if callable(value) and not isinstance(value, type):
        return _returning_numpy(value)
    return value


def _returning_numpy(function: Callable[..., Any]) -> Callable[..., Any]:
    def called(*args: Any, **kwargs: Any) -> Any:
        return plain(function(*args, **kwargs))

    return functools.update_wrapper(called, function)


def __getattr__(name: str) -> Any:
    if name.startswith("_"):
        raise AttributeError(f"module 'minpy.scipy.optimize' has no attribute {name!r}")
    found = getattr(scipy_module("optimize", f"optimize.{name}"), name)
    if isinstance(found, type) or not callable(found):
        return found

    @functools.wraps(found)
    def called(*args: Any, **kwargs: Any) -> Any:
        return found(*_given(args), **_given(kwargs))

    globals()[name] = called
    return called


def __dir__() -> list[str]:
    return sorted({*globals(), *scipy_module("optimize", "optimize").__all__})
