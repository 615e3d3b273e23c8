"""``scipy.integrate``: ordinary differential equations, differentiated by their adjoints.

It must not know the solver, which is SciPy's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy

from minpy.array import as_ndarray, is_tracked, ndarray
from minpy.autograd.composite import Composite
from minpy.autograd.containers import flatten
from minpy.autograd.forward import push
from minpy.autograd.operators import filled
from minpy.autograd.reverse import record
from minpy.errors import DifferentiationError
from minpy.numpy.creation import zeros
from minpy.numpy.reductions import sum
from minpy.numpy.shaping import concatenate, reshape, stack
from minpy.scipy.kernels import reach, scipy_module

__all__ = ["odeint"]

__getattr__, __dir__ = reach("integrate", __all__)


def odeint(func: Callable[..., Any], y0: Any, t: Any, args: tuple = (), **options: Any) -> ndarray:
    """Solve dy/dt = func(y, t, *args), as `scipy.integrate.odeint`.

    Derivatives are taken in `y0`, in `t` and in `args`. The one backwards solves the adjoint
    equation from each time to the one before, and keeps nothing of the steps between them; the one
    forwards solves the equation of the tangent along with it. Both are as precise as the solution
    (`rtol`, `atol`), and may be differentiated again.

    Parameters
    ----------
    func
        The right-hand side: of y of shape (n,), t, and `args`; returns an array or a list of n.
    y0
        The state at the first time, of shape (n,).
    t
        Times, of shape (T,), in order, rising or falling.
    args
        What else `func` depends on: arrays, floats and containers of them. What is differentiated
        has to be here, not captured from an enclosing function.
    options
        Those of `scipy.integrate.odeint` that change how it is solved: `rtol`, `atol`, `mxstep`,
        `hmax`, ….

    Returns
    -------
    ndarray
        The states, of shape (T, n).

    Raises
    ------
    DifferentiationError
        If `func` uses a differentiated array that isn't one of its arguments.

    References
    ----------
    F. Fröhlich, C. Loos and J. Hasenauer, "Scalable inference of ordinary differential equation
    models of biochemical processes" (2017), section 2.4.2.

    Examples
    --------
    >>> import minpy, minpy.numpy as np
    >>> from minpy.scipy.integrate import odeint
    >>> grown = lambda rate: odeint(lambda y, t, k: k * y, [1.0], [0.0, 1.0], (rate,))[1, 0]
    >>> round(float(minpy.grad(grown)(1.0)), 3)
    2.718
    """
    if not isinstance(args, tuple):
        args = (args,)
    for name in ("full_output", "Dfun", "tfirst"):
        if options.pop(name, None):
            raise ValueError(f"odeint: {name} isn't supported; leave it out")
    parameters, rebuild = flatten(args)
    y0, t = as_ndarray(y0), as_ndarray(t)
    if y0.ndim != 1 or t.ndim != 1:
        raise ValueError(
            f"odeint: expected y0 and t of one dimension, got shapes {y0.shape} and {t.shape}"
        )

    def velocity(y: Any, at: Any, leaves: list) -> ndarray:
        return as_ndarray(func(y, at, *rebuild(leaves)))

    leaves = [as_ndarray(p) for p in parameters]
    return _solve(velocity, y0, t, leaves, options)


def _solve(velocity: Any, y0: Any, t: Any, parameters: list[ndarray], options: dict) -> Any:
    def run(y0: ndarray, t: ndarray, *leaves: ndarray) -> ndarray:
        held = list(leaves)

        def right(y: numpy.ndarray, at: float) -> numpy.ndarray:
            # SciPy reuses the memory of y.
            made = velocity(as_ndarray(y.copy()), as_ndarray(numpy.asarray(at)), held)
            if is_tracked(made):
                raise DifferentiationError(
                    "odeint: func uses an array that is being differentiated and isn't one of its "
                    "arguments, but captured from an enclosing function; pass it in args"
                )
            return made.asnumpy()

        solver = scipy_module("integrate", "integrate.odeint").odeint
        found = solver(right, y0.asnumpy(), t.asnumpy(), **options)
        return as_ndarray(found.astype(y0.dtype if y0.dtype.kind == "f" else found.dtype))

    def vjp(argnums: tuple, ans: ndarray, given: tuple, kwargs: dict) -> Callable[[Any], list]:
        return lambda g: _adjoint(velocity, ans, g, given, argnums, options)

    def jvp(argnums: tuple, tangents: tuple, ans: ndarray, given: tuple, kwargs: dict) -> ndarray:
        return _tangent(velocity, ans, dict(zip(argnums, tangents, strict=True)), given, options)

    return Composite("odeint", run, vjp, jvp)(y0, t, *parameters)


def _packed(parts: list[Any]) -> Any:
    return concatenate([reshape(p, (-1,)) for p in parts])


def _unpacked(flat: Any, like: list[ndarray]) -> list[Any]:
    parts, start = [], 0
    for leaf in like:
        parts.append(reshape(flat[start : start + leaf.size], leaf.shape))
        start += leaf.size
    return parts


def _adjoint(
    velocity: Any, ys: ndarray, g: Any, given: tuple, argnums: tuple, options: dict
) -> list[Any]:
    """Go back through the times; between two of them the gradients follow equations of their own.

    For a = gradient in y: da/dt = -aᵀ ∂f/∂y, and the gradient in a parameter p gathers aᵀ ∂f/∂p.
    """
    _, t, *parameters = given
    t, parameters = as_ndarray(t), [as_ndarray(p) for p in parameters]
    floats = [k for k, p in enumerate(parameters) if p.dtype.kind == "f"]
    chosen = [parameters[k] for k in floats]
    n = ys.shape[1]

    def joint(state: Any, minus_t: Any, leaves: list) -> Any:
        y, a = state[:n], state[n : 2 * n]
        inside = [leaves[k] for k in floats]

        def right(inner: list[ndarray]) -> list[ndarray]:
            whole = list(leaves)
            for k, leaf in zip(floats, inner[1:], strict=True):
                whole[k] = leaf
            return [velocity(inner[0], -minus_t, whole)]

        (f,), tape = record(right, [y, *inside])
        back = filled(tape.back([a], once=True), [y, *inside])
        return _packed([-f, *back])

    adjoint, gathered = g[-1], [zeros(p.shape, dtype=ys.dtype) for p in chosen]
    times: list[Any] = [None] * t.shape[0]
    for i in range(t.shape[0] - 1, 0, -1):
        times[i] = sum(velocity(ys[i], t[i], parameters) * g[i])
        state = _packed([ys[i], adjoint, *gathered])
        # Time runs backwards: the solver is given -t, which rises where t does.
        before = _solve(joint, state, stack([-t[i], -t[i - 1]]), parameters, options)[1]
        adjoint = before[n : 2 * n] + g[i - 1]
        gathered = _unpacked(before[2 * n :], chosen)
    by_parameter = {k: p.astype(parameters[k].dtype) for k, p in zip(floats, gathered, strict=True)}
    # A later first time is a later start from y0.
    times[0] = -sum(velocity(ys[0], t[0], parameters) * (adjoint - g[0]))
    found = {0: adjoint, 1: stack(times), **{2 + k: by_parameter[k] for k in floats}}
    return [found[k] for k in argnums]


def _tangent(
    velocity: Any, ys: ndarray, tangents: dict[int, Any], given: tuple, options: dict
) -> Any:
    """Solve for the tangent s along with y: ds/dt = ∂f/∂y s + ∂f/∂p dp."""
    y0, t, *parameters = (as_ndarray(part) for part in given)
    n = y0.shape[0]
    moving = [k for k in range(len(parameters)) if 2 + k in tangents]
    directions = [tangents[2 + k] for k in moving]

    def joint(state: Any, at: Any, leaves: list) -> Any:
        own, toward = leaves[: len(parameters)], leaves[len(parameters) :]
        y, s = state[:n], state[n:]

        def right(inner: list[ndarray]) -> list[ndarray]:
            whole = list(own)
            for k, leaf in zip(moving, inner[1:], strict=True):
                whole[k] = leaf
            return [velocity(inner[0], at, whole)]

        (f,), pushed = push(right, [y, *[own[k] for k in moving]], [s, *toward])
        return _packed([f, filled(pushed, [f])[0]])

    start = tangents.get(0)
    start = zeros(y0.shape, dtype=ys.dtype) if start is None else start
    t_tangent = tangents.get(1)
    if t_tangent is not None:  # a later start: the state at the old first time is another one
        start = start - velocity(y0, t[0], parameters) * t_tangent[0]
    both = _solve(joint, _packed([y0, start]), t, parameters + directions, options)
    moved = both[:, n:]
    if t_tangent is not None:
        rates = stack([velocity(ys[i], t[i], parameters) for i in range(t.shape[0])])
        moved = moved + rates * reshape(t_tangent, (-1, 1))
    return moved
