"""Optimisers that take a gradient function, as HIPS autograd's; for models, `minpy.optimizers`.

Each takes ``grad(x, iteration)`` and a container of arrays to begin with, and returns the container
after its steps.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from minpy.array import ndarray
from minpy.autograd.misc.flatten import flatten
from minpy.primitives import registry

__all__ = ["adam", "rmsprop", "sgd"]

Step = Callable[[ndarray, int], ndarray]


def _minimized(
    grad: Callable[[Any, int], Any],
    x0: Any,
    callback: Callable[[Any, int, Any], None] | None,
    num_iters: int,
    step: Step,
) -> Any:
    """Take steps from `x0`, each ``step(gradient, iteration)`` as vectors."""
    x, unflatten = flatten(x0)
    for i in range(num_iters):
        g = flatten(grad(unflatten(x), i))[0]
        if callback:
            callback(unflatten(x), i, unflatten(g))
        x = x - step(g, i)
    return unflatten(x)


def sgd(
    grad: Callable[[Any, int], Any],
    x0: Any,
    callback: Callable[[Any, int, Any], None] | None = None,
    num_iters: int = 200,
    step_size: float = 0.1,
    mass: float = 0.9,
) -> Any:
    """Minimise by gradient descent with momentum.

    Parameters
    ----------
    grad
        ``grad(x, iteration)`` returns the gradient.
    x0
        Where to begin: an array, or a container of arrays.
    callback
        ``callback(x, iteration, gradient)``, before each step.
    num_iters, step_size, mass
        Number of steps, their size, and how much of the velocity is kept.

    Examples
    --------
    >>> import minpy, minpy.numpy as np
    >>> from minpy.autograd.misc.optimizers import sgd
    >>> loss = lambda x, i: np.sum((x - 3.0) ** 2)
    >>> float(sgd(minpy.grad(loss), np.zeros(1))[0])
    3.0
    """
    velocity: Any = 0.0

    def step(g: ndarray, i: int) -> ndarray:
        nonlocal velocity
        velocity = mass * velocity - (1.0 - mass) * g
        return -step_size * velocity

    return _minimized(grad, x0, callback, num_iters, step)


def rmsprop(
    grad: Callable[[Any, int], Any],
    x0: Any,
    callback: Callable[[Any, int, Any], None] | None = None,
    num_iters: int = 100,
    step_size: float = 0.1,
    gamma: float = 0.9,
    eps: float = 1e-8,
) -> Any:
    """Minimise by RMSprop (Tieleman and Hinton, 2012); parameters as of `sgd`."""
    average: Any = 1.0

    def step(g: ndarray, i: int) -> ndarray:
        nonlocal average
        average = average * gamma + g * g * (1.0 - gamma)
        return step_size * g / (registry["sqrt"](average) + eps)

    return _minimized(grad, x0, callback, num_iters, step)


def adam(
    grad: Callable[[Any, int], Any],
    x0: Any,
    callback: Callable[[Any, int, Any], None] | None = None,
    num_iters: int = 100,
    step_size: float = 0.001,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-8,
) -> Any:
    """Minimise by Adam (Kingma and Ba, 2015); parameters as of `sgd`."""
    first: Any = 0.0
    second: Any = 0.0

    def step(g: ndarray, i: int) -> ndarray:
        nonlocal first, second
        first = (1.0 - b1) * g + b1 * first
        second = (1.0 - b2) * g * g + b2 * second
        corrected = second / (1.0 - b2 ** (i + 1))
        return step_size * (first / (1.0 - b1 ** (i + 1))) / (registry["sqrt"](corrected) + eps)

    return _minimized(grad, x0, callback, num_iters, step)
