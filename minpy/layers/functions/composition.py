"""Derivatives of a fused primitive by way of the same function written in simple ones.

A fused kernel computes in one go what a composition of element-wise operations and reductions
computes in ten. Its first derivative has a fused kernel too; derivatives of that, which are rare,
come from the composition. It must not know any function by name.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from minpy.autograd.forward import push
from minpy.autograd.reverse import record
from minpy.autograd.rules import defjvp_argnums, defvjp_argnums
from minpy.primitives import Primitive

__all__ = ["differentiate_forward_as", "differentiate_reverse_as"]


def _of_some(composition: Callable[..., Any], argnums: tuple, args: tuple) -> Any:
    """Return the composition as a function from a list of some arguments to a list of results."""

    def run(given: list[Any]) -> list[Any]:
        full = list(args)
        for i, value in zip(argnums, given, strict=True):
            full[i] = value
        out = composition(*full)
        return list(out) if type(out) is tuple else [out]

    return run


def differentiate_reverse_as(operation: Primitive, composition: Callable[..., Any]) -> None:
    """Give a primitive the reverse-mode rule of a function that computes the same."""

    def vjpmaker(argnums: tuple, ans: Any, args: tuple, kwargs: dict) -> Callable[[Any], Any]:
        _, tape = record(_of_some(composition, argnums, args), [args[i] for i in argnums])
        return lambda g: tuple(tape.back(list(g) if type(g) is tuple else [g]))

    defvjp_argnums(operation, vjpmaker)


def differentiate_forward_as(operation: Primitive, composition: Callable[..., Any]) -> None:
    """Give a primitive the forward-mode rule of a function that computes the same."""

    def jvpmaker(argnums: tuple, tangents: tuple, ans: Any, args: tuple, kwargs: dict) -> Any:
        run = _of_some(composition, argnums, args)
        _, pushed = push(run, [args[i] for i in argnums], list(tangents))
        return tuple(pushed) if type(ans) is tuple else pushed[0]

    defjvp_argnums(operation, jvpmaker)
