"""Every derivative rule agrees with finite differences, in both modes and to second order."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
from numpy_calls import CALLS, Call

import minpy
import minpy.numpy as np
from minpy.autograd.containers import flatten

# Vectors of a decomposition are known up to their sign: compare without it.
_SIGNLESS = {"linalg.eigh": (1,), "linalg.svd": (0, 2)}


def as_function(call: Call) -> Any:
    """Return the call as a function of the arguments that it has a derivative in."""

    def function(*smooth: Any) -> Any:
        args = list(call.args)
        for i, value in zip(call.smooth, smooth, strict=True):
            if call.symmetric:
                value = (value + np.swapaxes(value, -1, -2)) / 2
            args[i] = value
        kwargs = {k: np.array(v) if k == "out" else v for k, v in call.kwargs.items()}
        result = call.function_of(np)(*args, **kwargs)
        if isinstance(result, tuple | list):
            signless = _SIGNLESS.get(call.path, ()) if len(result) > 1 else ()
            result = [np.absolute(r) if i in signless else r for i, r in enumerate(result)]
            return [r for r in result if isinstance(r, np.ndarray) and r.dtype.kind == "f"]
        return result

    return function


@pytest.mark.parametrize("call", [c for c in CALLS if c.smooth], ids=str)
def test_agrees_with_finite_differences_to_second_order(call):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        check = minpy.check_grads(as_function(call), order=2, tol=2e-5, rtol=2e-5)
        check(*[call.args[i] for i in call.smooth])


@pytest.mark.parametrize("call", [c for c in CALLS if c.smooth], ids=str)
def test_gradients_have_the_shape_and_dtype_of_the_argument(call):
    def narrow(value: Any) -> Any:
        if isinstance(value, list):
            return [narrow(v) for v in value]
        return np.array(value.astype("float32"))

    def total(*smooth: Any) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            result = as_function(call)(*smooth)
        parts = result if isinstance(result, list) else [result]
        return sum(np.sum(part) for part in parts)

    smooth = [narrow(call.args[i]) for i in call.smooth]
    gradients = minpy.grad(total, range(len(smooth)))(*smooth)
    for x, g in zip(flatten(smooth)[0], flatten(gradients)[0], strict=True):
        assert g.shape == x.shape
        assert g.dtype == x.dtype
        g += 1.0  # it is the caller's own memory
