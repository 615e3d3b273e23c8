"""Comparison of derivatives with finite differences, to any order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy

from minpy.array import as_ndarray
from minpy.autograd.containers import flatten, map_leaves
from minpy.autograd.operators import make_jvp, make_vjp
from minpy.config import default_dtype, set_default_dtype

__all__ = ["check_grads"]


def check_grads(
    fun: Callable,
    modes: Sequence[str] = ("fwd", "rev"),
    order: int = 2,
    tol: float = 1e-6,
    rtol: float = 1e-6,
    eps: float = 1e-6,
) -> Callable[..., None]:
    """Return a function that compares `fun`'s derivatives with finite differences.

    Each order is checked along a random direction, against the central difference of the order
    below, in float64.

    Parameters
    ----------
    fun
        Any function of arrays, differentiated with respect to all of its positional arguments.
    modes
        ``'fwd'`` for forward mode, ``'rev'`` for reverse mode.
    order
        The highest order to check.
    tol, rtol
        Absolute and relative tolerance.
    eps
        Step of the finite difference.

    Returns
    -------
    function
        Of `fun`'s arguments; returns None, or raises `AssertionError` with both numbers.

    Examples
    --------
    >>> import minpy, minpy.numpy as np
    >>> minpy.check_grads(lambda x, y: np.sin(x) * y, order=2)(np.array([1., 2.]), 3.0)
    """
    unknown = set(modes) - {"fwd", "rev"}
    if unknown:
        raise ValueError(f"check_grads: expected modes 'fwd' and 'rev', got {sorted(unknown)}")

    def check(*args: Any, **kwargs: Any) -> None:
        before = default_dtype()
        set_default_dtype("float64")
        try:
            point = map_leaves(_as_double, args)
            rng = numpy.random.default_rng(0)
            what = f" of {fun.__name__}" if hasattr(fun, "__name__") else ""
            _check(lambda x: fun(*x, **kwargs), point, modes, order, tol, rtol, eps, rng, "", what)
        finally:
            set_default_dtype(before)

    return check


def _as_double(leaf: Any) -> Any:
    value = numpy.asarray(leaf.asnumpy() if hasattr(leaf, "asnumpy") else leaf)
    return as_ndarray(value.astype("complex128" if value.dtype.kind == "c" else "float64"))


def _values(container: Any) -> list[numpy.ndarray]:
    return [as_ndarray(leaf).asnumpy() for leaf in flatten(container)[0]]


def _inner(a: Any, b: Any) -> float:
    return float(sum(numpy.real(x * y).sum() for x, y in zip(_values(a), _values(b), strict=True)))


def _random_like(value: Any, rng: numpy.random.Generator) -> Any:
    def draw(leaf: Any) -> Any:
        leaf = as_ndarray(leaf)
        drawn = rng.standard_normal(leaf.shape)
        if leaf.dtype.kind == "c":
            drawn = drawn + 1j * rng.standard_normal(leaf.shape)
        return as_ndarray(numpy.asarray(drawn, leaf.dtype))

    return map_leaves(draw, value)


def _check(fun, x, modes, order, tol, rtol, eps, rng, path, what):
    v = _random_like(x, rng)
    ahead = fun(map_leaves(lambda a, d: a + d * eps / 2, x, v))
    behind = fun(map_leaves(lambda a, d: a - d * eps / 2, x, v))
    slope = [(a - b) / eps for a, b in zip(_values(ahead), _values(behind), strict=True)]
    g = _random_like(fun(x), rng)
    expected = sum(numpy.real(s * w).sum() for s, w in zip(slope, _values(g), strict=True))
    for mode in modes:
        name = f"{path}{mode}"
        if mode == "rev":
            vjp, _ = make_vjp(fun)(x)
            found = _inner(vjp(g), v)

            def derived(both):
                return make_vjp(fun)(both[0])[0](both[1])

            at = (x, g)
        else:
            _, tangent = make_jvp(fun)(x)(v)
            found = _inner(tangent, g)

            def derived(both):
                return make_jvp(fun)(both[0])(both[1])[1]

            at = (x, v)
        scale = max(abs(found), abs(expected))
        if not abs(found - expected) <= tol + rtol * scale:
            raise AssertionError(
                f"check_grads: derivative {name}{what} is {found!r}, finite differences give "
                f"{expected!r}"
            )
        if order > 1:
            _check(derived, at, modes, order - 1, tol, rtol, eps, rng, f"{name}-of-", what)
