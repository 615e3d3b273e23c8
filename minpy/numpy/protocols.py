"""How NumPy's own functions find minpy's: ``numpy.sin(x)`` of a minpy array, ``a += x``.

It must not know any function by name: NumPy's says where it lives, and minpy's lives there too.
"""

from __future__ import annotations

import importlib
from typing import Any

import numpy
from numpy.ma import MaskedArray

from minpy.array import NotNumericError, is_tracked, ndarray
from minpy.errors import DifferentiationError
from minpy.numpy.fallback import Fallback, arrays_in, plain

_counterparts: dict[Any, Any] = {}


def counterpart(function: Any) -> Any:
    """Return minpy's function for one of NumPy's, or the fall-back to NumPy's itself."""
    try:
        return _counterparts[function]
    except KeyError:
        found = _find(function)
        # What programs make of functions of theirs, one after the other, must not pile up here.
        if not function.__name__.endswith("(vectorized)"):
            _counterparts[function] = found
        return found


def _find(function: Any) -> Any:
    name = function.__name__
    module = "numpy" if isinstance(function, numpy.ufunc) else function.__module__ or ""
    own = theirs = None
    if module.split(".")[0] == "numpy":
        theirs = getattr(importlib.import_module(module), name, None)
        own = importlib.import_module("minpy.numpy")
        for part in [*module.split(".")[1:], name]:
            own = getattr(own, part, None)
    if own is None or theirs is not function:  # a ufunc of scipy's, say
        return Fallback(name, function, register=not name.endswith("(vectorized)"))
    return own


def _defers(kind: type, method: str) -> bool:
    """Say whether a class wants to handle NumPy's functions by itself: a data frame, say."""
    if issubclass(kind, ndarray) or not hasattr(kind, method):
        return False
    return getattr(kind, method) is not getattr(numpy.ndarray, method)


def _known(arguments: Any) -> Any:
    """Refuse tracked arrays next to a masked one, whose result can't hold their history."""
    if any(is_tracked(a) for a in arrays_in(arguments)):
        raise DifferentiationError(
            "a masked array can't hold the history of an array that is being differentiated; use "
            "minpy.numpy.where with the mask"
        )
    return arguments


def _array_function(self: ndarray, func: Any, types: Any, args: tuple, kwargs: dict) -> Any:
    if any(_defers(kind, "__array_function__") for kind in types):
        return NotImplemented
    if any(issubclass(kind, MaskedArray) for kind in types):
        return func(*plain(_known(args)), **plain(_known(kwargs)))
    try:
        return counterpart(func)(*args, **kwargs)
    except NotNumericError:
        if any(is_tracked(a) for a in arrays_in((args, kwargs))):
            raise
        return func(*plain(args), **plain(kwargs))


def _array_ufunc(self: ndarray, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
    if any(isinstance(x, MaskedArray) for x in inputs):
        return getattr(ufunc, method)(*plain(_known(inputs)), **plain(kwargs))
    out = kwargs.pop("out", ())
    others = [x for x in (*inputs, *out) if _defers(type(x), "__array_ufunc__")]
    if others:
        return _asked(others, ufunc, method, inputs, {**kwargs, **({"out": out} if out else {})})
    function = counterpart(ufunc)
    if method != "__call__":
        function = getattr(function, method)
    if not any(isinstance(o, numpy.ndarray) for o in out):
        return function(*inputs, **kwargs, **({"out": out} if out else {}))
    result = function(*inputs, **kwargs)
    results = result if type(result) is tuple else (result,)
    written = tuple(
        r if o is None else _into(o, r, ufunc, inputs) for o, r in zip(out, results, strict=True)
    )
    return written if type(result) is tuple else written[0]


def _asked(others: list[Any], ufunc: Any, method: str, inputs: tuple, kwargs: dict) -> Any:
    """Return what other classes make of our arrays, or else of NumPy's in their place."""
    for other in others:
        found = other.__array_ufunc__(ufunc, method, *inputs, **kwargs)
        if found is not NotImplemented:
            return found
    if any(is_tracked(a) for a in arrays_in((inputs, kwargs))):
        return NotImplemented
    return getattr(ufunc, method)(*plain(inputs), **plain(kwargs))


def _into(out: Any, result: ndarray, ufunc: Any, inputs: tuple) -> Any:
    """Write a result into a NumPy array."""
    if not is_tracked(result):
        numpy.copyto(out, result.asnumpy(), casting="same_kind")
        return out
    if inputs and inputs[0] is out:
        # ``a += x`` binds the name `a` to what is returned here: a minpy array from now on.
        return result
    raise DifferentiationError(
        f"numpy.{ufunc.__name__}: out is a NumPy array, which can't hold the history of an array "
        "that is being differentiated; make it a minpy array, or leave it out"
    )


ndarray.__array_function__ = _array_function
ndarray.__array_ufunc__ = _array_ufunc


def _torch_function(
    cls: type, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None
) -> Any:
    """Give a function of PyTorch's tensors in the place of our arrays, over the same memory."""
    import torch

    def tensors(value: Any) -> Any:
        if isinstance(value, ndarray):
            return torch.as_tensor(value)
        if type(value) in (list, tuple):
            return type(value)(map(tensors, value))
        return value

    kwargs = kwargs or {}
    others = [a for a in (*args, *kwargs.values()) if isinstance(a, torch.Tensor)]
    if others and any(is_tracked(a) for a in arrays_in((args, kwargs))):
        return NotImplemented  # then our own operator gets its turn, and keeps the derivative
    return func(*tensors(args), **{name: tensors(value) for name, value in kwargs.items()})


ndarray.__torch_function__ = classmethod(_torch_function)
