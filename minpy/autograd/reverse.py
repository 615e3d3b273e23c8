"""Reverse mode: the tape, and the pass back over it; knows no operation's rule.

Source: HIPS autograd's design (Maclaurin, Duvenaud and Adams, 2015), with the pass ordered by the
numbers of the nodes instead of a graph search, so that the length of a tape is no limit.
"""

from __future__ import annotations

import heapq
import itertools
import weakref
from collections.abc import Callable
from typing import Any

from minpy.array import View, is_tracked, ndarray, root_of
from minpy.autograd.trace import Token, Trace, box, open_trace
from minpy.errors import NoDerivativeError
from minpy.primitives import registry

__all__ = ["Node", "ReverseTrace", "Tape", "record"]

_new = ndarray.__new__
_count = itertools.count(1).__next__


class Node:
    """One recorded operation: where its gradient goes, and through which functions."""

    __slots__ = ("index", "like", "output", "parents", "source", "trace", "vjps")

    def __init__(self, trace: Trace, parents: tuple, vjps: tuple, source: Any = None) -> None:
        self.trace = trace
        self.parents = parents
        self.vjps = vjps  # a function a parent; one function for all where there is one less
        self.index = _count()
        self.source = source  # the node of all outputs, where this is one of several outputs
        self.output = 0
        self.like: Any = None


class ReverseTrace(Trace):
    """Records each operation as a node with the functions that carry gradients back."""

    __slots__ = ()

    def process(self, operation: Any, args: tuple, kwargs: dict) -> Any:
        inner, argnums, parents = [], [], []
        token = self.token
        for i, a in enumerate(args):
            if type(a) is ndarray:
                b = a._box
                if b is not None and b.trace is self:
                    argnums.append(i)
                    parents.append(b)
                    a = a._inner
                else:
                    # The rules may keep this array: its memory must stay as it is.
                    view = a._view
                    (a if view is None else view.root)._captured = token
            inner.append(a)
        ans = operation(*inner, **kwargs)
        if not operation.differentiable:
            return ans
        if type(ans) is tuple:
            return self._record_tuple(operation, ans, inner, kwargs, argnums, parents, args)
        if ans.dtype.kind not in "fc":  # a cast to integers, say: constant
            return ans
        node = Node(self, tuple(parents), _vjps(operation, ans, inner, kwargs, argnums))
        return self._boxed(ans, node, args)

    def _boxed(self, ans: ndarray, node: Node, args: tuple) -> ndarray:
        out = _new(ndarray)
        out._np = ans._np
        if out._np is None:
            out._nd, out._context = ans._nd, ans._context
        out._box = node
        out._inner = ans
        ans._captured = out._captured = self.token
        view = ans._view
        if view is not None:
            # The tracked result is a view of the tracked argument, and writes through it count.
            out._view = View(args[0], view.operation, view.args, view.kwargs)
        return out

    def _record_tuple(self, operation, ans, inner, kwargs, argnums, parents, args):
        whole = Node(self, tuple(parents), _vjps(operation, ans, inner, kwargs, argnums))
        whole.like = ans
        outputs = []
        for i, a in enumerate(ans):
            if a.dtype.kind not in "fc":  # an index among the outputs
                outputs.append(a)
                continue
            part = Node(self, (whole,), (), source=whole)
            part.output = i
            outputs.append(self._boxed(a, part, args))
        return tuple(outputs)


def _vjps(operation: Any, ans: Any, inner: list, kwargs: dict, argnums: list[int]) -> tuple:
    if operation.vjp_all is not None:
        joint = operation.vjp_all(tuple(argnums), ans, tuple(inner), kwargs)
        return (joint,) if len(argnums) > 1 else (lambda g: joint(g)[0],)
    rules = operation.vjp_rules
    try:
        if len(argnums) == 1:
            return (rules[argnums[0]](ans, *inner, **kwargs),)
        return tuple([rules[i](ans, *inner, **kwargs) for i in argnums])
    except KeyError as missing:
        if missing.args[0] not in argnums or missing.args[0] in rules:
            raise  # an error of the rule itself
        raise NoDerivativeError(_no_rule(operation, missing.args[0])) from None


def _no_rule(operation: Any, argnum: int) -> str:
    if not operation.vjp_rules:
        return (
            f"{operation.name} has no derivative; register one with minpy.defvjp, or take "
            "x.asnumpy() of its arguments where no gradient is wanted"
        )
    return (
        f"{operation.name} has no derivative with respect to its argument {argnum}; "
        "register one with minpy.defvjp"
    )


class Tape:
    """What a function did to its arguments, and the pass back over it.

    The tape may be run back several times (a Jacobian does); `once` frees each step as it goes.
    """

    __slots__ = ("end", "inputs", "like", "token")

    def __init__(self, inputs: list[Node], end: Any, like: Any, token: Token) -> None:
        self.inputs = inputs
        self.end = end  # a node for each output, None where the output depends on no input
        self.like = like
        self.token = token

    def back(self, gradients: list[Any], once: bool = False) -> list[Any]:
        """Return the gradient of each input, None where no gradient reached it."""
        pending: dict[int, Any] = {}
        nodes: dict[int, Node] = {}
        heap: list[int] = []

        def add(node: Node, g: Any) -> None:
            index = node.index
            if index in pending:
                before = pending[index]
                pending[index] = g if before is None else _sum(before, g)
            else:
                pending[index] = g
                nodes[index] = node
                heapq.heappush(heap, -index)

        for node, g in zip(self.end, gradients, strict=True):
            if node is not None and g is not None:
                add(node, g)
        if once:
            self.end = ()
        wanted = {node.index for node in self.inputs}
        found: dict[int, Any] = {}
        while heap:
            index = -heapq.heappop(heap)
            node, g = nodes.pop(index), pending.pop(index)
            if index in wanted:
                found[index] = g
                continue
            source = node.source
            if source is not None:
                parts = pending.get(source.index)
                if parts is None:
                    parts = [None] * len(source.like)
                    pending[source.index] = parts
                    nodes[source.index] = source
                    heapq.heappush(heap, -source.index)
                at = node.output
                parts[at] = g if parts[at] is None else _sum(parts[at], g)
                continue
            if node.like is not None:
                zeros = registry["zeros_like"]
                g = tuple(
                    zeros(like) if part is None else part
                    for part, like in zip(g, node.like, strict=True)
                )
            parents, vjps = node.parents, node.vjps
            if once:
                node.parents = node.vjps = ()
            if len(vjps) == len(parents):
                for parent, vjp in zip(parents, vjps, strict=True):
                    part = vjp(g)
                    if part is not None:
                        add(parent, part)
            else:
                for parent, part in zip(parents, vjps[0](g), strict=True):
                    if part is not None:
                        add(parent, part)
        return [found.get(node.index) for node in self.inputs]


def record(function: Callable[[list[ndarray]], list[Any]], inputs: list[ndarray]) -> Any:
    """Run a function of a list of arrays under a new tape.

    Parameters
    ----------
    function
        Takes a list of arrays, returns a list of arrays.
    inputs
        The arrays to differentiate with respect to.

    Returns
    -------
    outputs, tape
        What the function returned, as the next lower level sees it, and the tape.
    """
    token = Token()
    with open_trace(ReverseTrace, weakref.ref(token)) as trace:
        starts = []
        for a in inputs:
            root_of(a)._captured = trace.token
            starts.append(Node(trace, (), ()))
        boxed = [box(a, node) for a, node in zip(inputs, starts, strict=True)]
        results = function(boxed)
        outputs, ends = [], []
        for out in results:
            if type(out) is ndarray and is_tracked(out) and out._box.trace is trace:
                ends.append(out._box)
                outputs.append(out._inner)
            else:
                ends.append(None)
                outputs.append(out)
    return outputs, Tape(starts, ends, outputs, token)


def _sum(a: Any, b: Any) -> Any:
    return registry["add"](a, b)
