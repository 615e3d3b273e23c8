"""How derivative rules are given to primitives; knows the table's columns and none of its rows.

The forms are HIPS autograd's. A vjp rule makes the function that carries a gradient from the result
back to one argument; a jvp rule carries a tangent from one argument forward to the result::

    defvjp(multiply, lambda ans, x, y: lambda g: g * y,
                     lambda ans, x, y: lambda g: g * x)
    defjvp(multiply, lambda g, ans, x, y: g * y,
                     lambda g, ans, x, y: x * g)

Rules are written in primitives, so derivatives of any order come for free. A primitive without a
jvp rule is differentiated forward through its vjp rule, which is linear in ``g``: its transpose.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from minpy.primitives import Primitive

__all__ = [
    "def_linear",
    "defjvp",
    "defjvp_argnum",
    "defjvp_argnums",
    "defvjp",
    "defvjp_argnum",
    "defvjp_argnums",
]


def _check(operation: Any, by: str) -> Primitive:
    if not isinstance(operation, Primitive):
        name = getattr(operation, "__name__", repr(operation))
        raise TypeError(f"{by}: expected a primitive, got {name}; decorate it with @primitive")
    return operation


def _numbered(rules: tuple, argnums: Sequence[int] | None, by: str) -> list[tuple[int, Any]]:
    numbers = range(len(rules)) if argnums is None else tuple(argnums)
    if len(numbers) != len(rules):
        raise ValueError(f"{by}: {len(rules)} rules for {len(numbers)} argument numbers")
    return list(zip(numbers, rules, strict=True))


def defvjp(
    operation: Primitive,
    *vjpmakers: Callable[..., Any] | None,
    argnums: Sequence[int] | None = None,
) -> None:
    """Give a primitive its reverse-mode rules, one an argument.

    Parameters
    ----------
    operation
        The primitive.
    vjpmakers
        ``vjpmaker(ans, *args, **kwargs)`` returns ``vjp(g)``: for a result's gradient `g` (shape of
        `ans`), the argument's gradient (shape of the argument). None: the derivative is zero.
    argnums
        Which arguments the rules are for; 0, 1, … by default.

    Examples
    --------
    >>> import minpy, numpy
    >>> square = minpy.primitive(lambda x: numpy.square(x), name='my_square')
    >>> minpy.defvjp(square, lambda ans, x: lambda g: 2 * g * x)
    >>> float(minpy.grad(square)(3.0))
    6.0
    """
    _check(operation, "defvjp")
    for argnum, maker in _numbered(vjpmakers, argnums, "defvjp"):
        operation.vjp_rules[argnum] = maker if maker is not None else _zero_vjp


def _zero_vjp(ans: Any, *args: Any, **kwargs: Any) -> Callable[[Any], Any]:
    return lambda g: None


def defvjp_argnums(operation: Primitive, vjpmaker: Callable[..., Any]) -> None:
    """Give a primitive one reverse-mode rule for all arguments together.

    Parameters
    ----------
    operation
        The primitive.
    vjpmaker
        ``vjpmaker(argnums, ans, args, kwargs)`` returns ``vjp(g)``, which returns the gradients of
        the arguments `argnums`, in that order.
    """
    _check(operation, "defvjp_argnums").vjp_all = vjpmaker


def defvjp_argnum(operation: Primitive, vjpmaker: Callable[..., Any]) -> None:
    """Give a primitive one reverse-mode rule that is told the argument's number.

    Parameters
    ----------
    operation
        The primitive.
    vjpmaker
        ``vjpmaker(argnum, ans, args, kwargs)`` returns ``vjp(g)``.
    """

    def all_arguments(argnums: tuple, ans: Any, args: tuple, kwargs: dict) -> Callable[[Any], Any]:
        vjps = [vjpmaker(argnum, ans, args, kwargs) for argnum in argnums]
        return lambda g: tuple(vjp(g) for vjp in vjps)

    _check(operation, "defvjp_argnum").vjp_all = all_arguments


def defjvp(
    operation: Primitive,
    *jvps: Callable[..., Any] | str | None,
    argnums: Sequence[int] | None = None,
) -> None:
    """Give a primitive its forward-mode rules, one an argument.

    Parameters
    ----------
    operation
        The primitive.
    jvps
        ``jvp(g, ans, *args, **kwargs)`` returns the tangent of the result for the argument's
        tangent `g`. ``'same'``: the operation is linear in this argument, its own derivative.
        None: the derivative is zero.
    argnums
        Which arguments the rules are for; 0, 1, … by default.
    """
    _check(operation, "defjvp")
    for argnum, rule in _numbered(jvps, argnums, "defjvp"):
        if rule is None:
            operation.jvp_rules[argnum] = lambda g, ans, *args, **kwargs: None
        elif rule == "same":
            operation.jvp_rules[argnum] = _linear_rule(operation, argnum)
        elif callable(rule):
            operation.jvp_rules[argnum] = rule
        else:
            raise ValueError(f"defjvp: expected a function, 'same' or None, got {rule!r}")


def _linear_rule(operation: Primitive, argnum: int) -> Callable[..., Any]:
    def rule(g: Any, ans: Any, *args: Any, **kwargs: Any) -> Any:
        return operation(*args[:argnum], g, *args[argnum + 1 :], **kwargs)

    return rule


def defjvp_argnums(operation: Primitive, jvpmaker: Callable[..., Any]) -> None:
    """Give a primitive one forward-mode rule: ``jvpmaker(argnums, gs, ans, args, kwargs)``."""
    _check(operation, "defjvp_argnums").jvp_all = jvpmaker


def defjvp_argnum(operation: Primitive, jvpmaker: Callable[..., Any]) -> None:
    """Give a primitive one forward-mode rule: ``jvpmaker(argnum, g, ans, args, kwargs)``."""

    def all_arguments(argnums: tuple, gs: tuple, ans: Any, args: tuple, kwargs: dict) -> Any:
        total = None
        for argnum, g in zip(argnums, gs, strict=True):
            part = jvpmaker(argnum, g, ans, args, kwargs)
            total = part if total is None else total + part
        return total

    _check(operation, "defjvp_argnum").jvp_all = all_arguments


def def_linear(operation: Primitive, *argnums: int) -> None:
    """Say that a primitive is linear in its first argument (or in each of `argnums` by itself)."""
    _check(operation, "def_linear")
    for argnum in argnums or (0,):
        operation.jvp_rules[argnum] = _linear_rule(operation, argnum)
