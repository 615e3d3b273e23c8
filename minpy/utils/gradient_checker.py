"""``minpy.utils.gradient_checker`` of minpy 0.3.4; new programs use `minpy.check_grads`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy

from minpy.array import as_ndarray, ndarray
from minpy.dispatch.marking import grad

__all__ = ["quick_grad_check"]


def quick_grad_check(
    fun: Callable[..., Any],
    arg: Any,
    verbose: bool = True,
    eps: float = 1e-2,
    rtol: float = 1e-2,
    atol: float = 1e-2,
    rs: Any = None,
) -> bool:
    """Compare a gradient with a finite difference, along a random direction.

    Parameters
    ----------
    fun
        Returns one number for an array.
    arg
        Where to look: an array of floats.
    verbose
        Whether to print what was found.
    eps
        Length of the step, across which the central difference is taken.
    rtol, atol
        How far the two may differ.
    rs
        A ``numpy.random.RandomState`` to draw the direction from.

    Returns
    -------
    bool
        Whether they agree.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> quick_grad_check(lambda x: np.sum(x ** 2), np.ones(3), verbose=False)
    True
    """
    if rs is None:
        rs = numpy.random.RandomState()
    at = numpy.array(arg.asnumpy() if type(arg) is ndarray else arg, "float64")
    direction = rs.standard_normal(at.shape)
    direction = direction / numpy.sqrt(numpy.sum(direction * direction))

    def along(step: float) -> float:
        return float(as_ndarray(fun(as_ndarray(at + step * direction))).asnumpy().sum())

    numeric = (along(eps / 2) - along(-eps / 2)) / eps
    analytic = float(numpy.sum(as_ndarray(grad(fun)(as_ndarray(at))).asnumpy() * direction))
    passed = bool(numpy.allclose(numeric, analytic, rtol=rtol, atol=atol))
    if verbose:
        verdict = "Gradient projection OK" if passed else "Gradient check failed"
        print(f"{verdict} (numeric grad: {numeric}, analytic grad: {analytic})")
    return passed
