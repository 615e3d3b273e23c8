"""Fixed points of functions, differentiated by the implicit function theorem; knows no rules."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from minpy.array import as_ndarray, ndarray
from minpy.autograd.composite import Composite
from minpy.autograd.containers import flatten
from minpy.autograd.forward import push
from minpy.autograd.operators import filled
from minpy.autograd.reverse import record
from minpy.primitives import registry

__all__ = ["fixed_point"]


def fixed_point(
    f: Callable[[Any], Callable[[Any], Any]],
    a: Any,
    x0: Any,
    distance: Callable[[Any, Any], Any],
    tol: float,
) -> Any:
    """Return the x with x = f(a)(x), by iteration; its derivative keeps none of the iterations.

    The derivative solves a linear fixed-point equation with the same `distance` and `tol`, so it
    converges where the iteration does.

    Parameters
    ----------
    f
        ``f(a)(x)``: one step of the iteration, a contraction in x.
    a
        What to differentiate with respect to: an array, a float, or a container of them.
    x0
        Where to begin, of the structure of x. The result's derivative with respect to it is zero.
    distance
        ``distance(x, x_before)``: how far apart two iterates are.
    tol
        The iteration ends when their distance is at most this.

    References
    ----------
    B. Christianson, "Reverse accumulation and attractive fixed points" (1994).

    Examples
    --------
    >>> import minpy, minpy.numpy as np
    >>> from minpy.autograd import fixed_point
    >>> newton = lambda a: lambda x: 0.5 * (x + a / x)
    >>> far = lambda x, y: np.abs(x - y)
    >>> float(minpy.grad(lambda a: fixed_point(newton, a, 1.0, far, 1e-6))(4.0))
    0.25
    """
    parameters, rebuild_a = flatten(a)
    start, rebuild_x = flatten(x0)
    count = len(parameters)

    def step(leaves: list[ndarray]) -> list[ndarray]:
        moved = f(rebuild_a(leaves[:count]))(rebuild_x(leaves[count:]))
        return [as_ndarray(part) for part in flatten(moved)[0]]

    leaves = [as_ndarray(part) for part in (*parameters, *start)]
    found = _iterate(step, leaves, count, distance, tol, rebuild_x)
    return rebuild_x(list(found))


def _iterate(
    step: Callable[[list], list],
    leaves: list[ndarray],
    count: int,
    distance: Callable[[Any, Any], Any],
    tol: float,
    rebuild_x: Callable[[list], Any],
) -> tuple:
    """Iterate on the leaves of x, the ones from `count` on, and give the result its derivative."""

    def run(*given: ndarray) -> tuple:
        fixed, before = list(given[:count]), list(given[count:])
        after = step(fixed + before)
        while distance(rebuild_x(after), rebuild_x(before)) > tol:
            after, before = step(fixed + after), after
        return tuple(after)

    def solve(derived: Callable[[list], list], constants: list, offset: list) -> tuple:
        """Return t = derived(t) + offset, where `derived` is linear and made of `constants`."""
        given = [*constants, *offset]
        n = len(given)
        zeros = [registry["zeros_like"](part) for part in offset]

        def linear(inner: list[ndarray]) -> list[ndarray]:
            made = derived(inner[: len(constants)], inner[n:])
            add = registry["add"]
            return [add(m, o) for m, o in zip(made, inner[len(constants) : n], strict=True)]

        return _iterate(linear, given + zeros, n, distance, tol, rebuild_x)

    def vjp(argnums: tuple, ans: tuple, given: tuple, kwargs: dict) -> Callable[[Any], Any]:
        fixed, x = list(given[:count]), list(ans)

        def through_x(constants: list, g: list) -> list:
            at, there = constants[:count], constants[count:]
            _, tape = record(lambda y: step(at + y), there)
            return filled(tape.back(g, once=True), there)

        def back(g: tuple) -> list[Any]:
            total = list(solve(through_x, fixed + x, list(g)))
            _, tape = record(lambda p: step(p + x), fixed)
            gradients = tape.back(total, once=True)
            return [gradients[i] if i < count else None for i in argnums]

        return back

    def jvp(argnums: tuple, tangents: tuple, ans: tuple, given: tuple, kwargs: dict) -> Any:
        fixed, x = list(given[:count]), list(ans)
        by_number = dict(zip(argnums, tangents, strict=True))
        _, pushed = push(lambda p: step(p + x), fixed, [by_number.get(i) for i in range(count)])

        def through_x(constants: list, t: list) -> list:
            at, there = constants[:count], constants[count:]
            outputs, moved = push(lambda y: step(at + y), there, t)
            return filled(moved, outputs)

        return solve(through_x, fixed + x, filled(pushed, x))

    return Composite("fixed_point", run, vjp, jvp)(*leaves)
