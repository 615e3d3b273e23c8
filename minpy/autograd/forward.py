"""Forward mode: values that carry a tangent; knows no operation's rule."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from minpy.array import ndarray
from minpy.autograd.reverse import no_rule, record
from minpy.autograd.trace import Trace, open_trace, released
from minpy.errors import NoDerivativeError
from minpy.primitives import registry

__all__ = ["Dual", "ForwardTrace", "push"]


class Dual:
    """What the forward trace records about an array: its tangent."""

    __slots__ = ("tangent", "trace")

    def __init__(self, trace: Trace, tangent: Any) -> None:
        self.trace = trace
        self.tangent = tangent


class ForwardTrace(Trace):
    """Carries tangents through each operation, by its jvp rule or by the transpose of its vjp."""

    __slots__ = ()

    def process(self, operation: Any, args: tuple, kwargs: dict) -> Any:
        """Run an operation, and push the tangents of its arguments through it."""
        inner, argnums, tangents = [], [], []
        for i, a in enumerate(args):
            if type(a) is ndarray and a._box is not None and a._box.trace is self:
                argnums.append(i)
                tangents.append(a._box.tangent)
                a = a._inner
            inner.append(a)
        ans = operation(*inner, **kwargs)
        if not operation.differentiable or (type(ans) is ndarray and ans.dtype.kind not in "fc"):
            return ans
        tangent = _tangent(operation, ans, inner, kwargs, argnums, tangents)
        if tangent is None:
            return ans
        if type(ans) is tuple:
            return tuple(
                self.boxed(a, Dual(self, t), args) if t is not None and a.dtype.kind in "fc" else a
                for a, t in zip(ans, tangent, strict=True)
            )
        return self.boxed(ans, Dual(self, tangent), args)


def _tangent(operation, ans, inner, kwargs, argnums, tangents):
    if operation.jvp_all is not None:
        return operation.jvp_all(tuple(argnums), tuple(tangents), ans, tuple(inner), kwargs)
    total: Any = None
    by_transpose = []
    for i, t in zip(argnums, tangents, strict=True):
        rule = operation.jvp_rules.get(i)
        if rule is None:
            by_transpose.append((i, t))
            continue
        total = _add(total, rule(t, ans, *inner, **kwargs))
    if by_transpose:
        total = _add(total, _transposed(operation, ans, inner, kwargs, by_transpose))
    return total


def _add(a: Any, b: Any) -> Any:
    if a is None or b is None:
        return b if a is None else a
    if type(a) is tuple:
        return tuple(_add(x, y) for x, y in zip(a, b, strict=True))
    return registry["add"](a, b)


def _transposed(operation, ans, inner, kwargs, wanted):
    """Push tangents through the vjp rule: it is linear in g, and its transpose is the jvp."""
    argnums = tuple(i for i, _ in wanted)
    if operation.vjp_all is not None:
        joint = operation.vjp_all(argnums, ans, tuple(inner), kwargs)
    else:
        for i in argnums:
            if i not in operation.vjp_rules:
                raise NoDerivativeError(no_rule(operation, i))
        vjps = [operation.vjp_rules[i](ans, *inner, **kwargs) for i in argnums]

        def joint(g: Any) -> list[Any]:
            return [vjp(g) for vjp in vjps]

    zeros_like = registry["zeros_like"]
    several = type(ans) is tuple
    starts = [zeros_like(a) for a in ans] if several else [zeros_like(ans)]

    def backward(g: list[ndarray]) -> list[Any]:
        return list(joint(tuple(g) if several else g[0]))

    _, tape = record(backward, starts)
    found = tape.back([t for _, t in wanted])
    return tuple(found) if several else found[0]


def push(
    function: Callable[[list[ndarray]], list[Any]], inputs: list[ndarray], tangents: list[Any]
) -> tuple[list[Any], list[Any]]:
    """Run a function of a list of arrays with a tangent for each.

    Returns
    -------
    outputs, tangents
        Lists of the same length; a tangent is None where the output depends on no input.
    """
    with open_trace(ForwardTrace) as trace:
        duals = [None if t is None else Dual(trace, t) for t in tangents]
        boxed = [a if d is None else trace.start(a, d) for a, d in zip(inputs, duals, strict=True)]
        outputs, pushed = [], []
        for out in function(boxed):
            if trace.owns(out):
                pushed.append(out._box.tangent)
                outputs.append(released(out, out._box in duals))
            else:
                pushed.append(None)
                outputs.append(out)
    return outputs, pushed
