"""Single operations: what a call costs, and how fast large ones are, library by library.

`python -m benchmarks.worker benchmarks.operations` is one library's process; LIBRARIES lists them.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable
from typing import Any

import numpy

from benchmarks.peers import OURS, THEIRS


def chain(tanh: Callable, total: Callable, x: Any) -> Any:
    """61 operations on a small matrix: what a tape costs beside arithmetic."""
    y = x
    for _ in range(20):
        y = tanh(y * x + x)
    return total(y)


def _numpy_like(np: Any, array: Callable, value_and_grad: Callable | None) -> dict[str, Callable]:
    rng = numpy.random.default_rng(0)
    small, large = (array(rng.standard_normal((n, n)).astype("float32") * 0.5) for n in (4, 1024))
    calls = {
        "add 4×4": lambda: np.add(small, small),
        "dot 1024³": lambda: np.dot(large, large),
        "exp 1024²": lambda: np.exp(large),
        "tanh 1024²": lambda: np.tanh(large),
        "add 1024²": lambda: np.add(large, large),
        "sum 1024²": lambda: np.sum(large),
        "sum 1024², axis 1": lambda: np.sum(large, axis=1),
    }
    if value_and_grad is not None:
        run = value_and_grad(lambda x: chain(np.tanh, np.sum, x))
        calls["value and gradient of 61 operations, 4×4"] = lambda: run(small)
    return calls


def _numpy() -> dict[str, Callable]:
    return _numpy_like(numpy, lambda a: a, None)


def _autograd() -> dict[str, Callable]:
    import autograd
    import autograd.numpy as np

    return _numpy_like(np, lambda a: a, autograd.value_and_grad)


def _minpy() -> dict[str, Callable]:
    import minpy
    import minpy.numpy as np

    return _numpy_like(np, np.array, minpy.value_and_grad)


def _torch() -> dict[str, Callable]:
    import torch

    rng = numpy.random.default_rng(0)
    small, large = (
        torch.from_numpy(rng.standard_normal((n, n)).astype("float32") * 0.5) for n in (4, 1024)
    )
    tracked = small.clone().requires_grad_()

    def gradient() -> Any:
        value = chain(torch.tanh, torch.sum, tracked)
        return value, torch.autograd.grad(value, tracked)

    return {
        "add 4×4": lambda: torch.add(small, small),
        "dot 1024³": lambda: torch.mm(large, large),
        "exp 1024²": lambda: torch.exp(large),
        "tanh 1024²": lambda: torch.tanh(large),
        "add 1024²": lambda: torch.add(large, large),
        "sum 1024²": lambda: torch.sum(large),
        "sum 1024², axis 1": lambda: torch.sum(large, 1),
        "value and gradient of 61 operations, 4×4": gradient,
    }


# name → (environment, module, what makes its calls)
LIBRARIES = {
    "minpy": (OURS, "minpy", _minpy),
    "numpy": (OURS, "numpy", _numpy),
    "autograd": (OURS, "autograd", _autograd),
    "torch": (THEIRS, "torch", _torch),
}


class Bench:
    """Times each operation of one library, a turn at a time."""

    def __init__(self, module: Any, library: str) -> None:
        self.calls = LIBRARIES[library][2]()
        for call in self.calls.values():
            call()

    def measure(self, seconds: float) -> dict[str, Any]:
        """Return µs a call by operation: the mean over about `seconds` each."""
        return {"us": {name: _time(call, seconds) for name, call in self.calls.items()}}


def _time(call: Callable, seconds: float) -> float:
    start = time.perf_counter()
    call()
    once = max(time.perf_counter() - start, 1e-7)
    number = max(3, round(seconds / once / 2))
    start = time.perf_counter()
    for _ in range(number):
        call()
    return (time.perf_counter() - start) / number * 1e6


def versions() -> dict[str, str]:
    """Nothing: the library isn't known before ``setup``."""
    return {}


def available(library: str) -> bool:
    """Return whether a library can be imported here."""
    try:
        importlib.import_module(LIBRARIES[library][1])
    except ImportError:
        return False
    return True
