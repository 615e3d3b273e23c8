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

from minpy.array import capture, ndarray, snapshot
from minpy.autograd.origin import Place, located, place
from minpy.autograd.trace import Token, Trace, open_trace, released
from minpy.errors import NoDerivativeError
from minpy.primitives import registry

__all__ = ["Node", "ReverseTrace", "Tape", "record"]

_new = ndarray.__new__
_count = itertools.count(1).__next__


class Node:
    """One recorded operation: where its gradient goes, and through which functions."""

    __slots__ = (
        "index",
        "like",
        "operation",
        "output",
        "parents",
        "place",
        "source",
        "trace",
        "vjps",
    )

    def __init__(
        self,
        trace: Trace,
        parents: tuple,
        vjps: tuple,
        source: Any = None,
        operation: Any = None,
        made_at: Place | None = None,
    ) -> None:
        self.trace = trace
        self.operation = operation
        self.place = made_at  # the user's line
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
        """Run an operation, and record how gradients go back through it."""
        if not operation.differentiable:
            return operation(*[a._inner if self._recorded(a) else a for a in args], **kwargs)
        inner, argnums, parents = [], [], []
        for i, a in enumerate(args):
            if type(a) is ndarray:
                box = a._box
                if box is not None and box.trace is self:
                    argnums.append(i)
                    parents.append(box)
                    a = a._inner
                else:
                    a = self._held(a)
            inner.append(a)
        ans = operation(*inner, **kwargs)
        if type(ans) is tuple:
            return self._record_tuple(operation, ans, inner, kwargs, argnums, parents, args)
        if ans.dtype.kind not in "fc":  # a cast to integers, say: constant
            return ans
        vjps = _vjps(operation, ans, inner, kwargs, argnums)
        node = Node(self, tuple(parents), vjps, None, operation, place())
        return self._captured(ans, node, args)

    def _recorded(self, a: Any) -> bool:
        return type(a) is ndarray and a._box is not None and a._box.trace is self

    def _held(self, array: ndarray) -> ndarray:
        """Return a constant for the rules to keep: writes to the array don't reach it."""
        view = array._view
        root = array if view is None else view.root
        if root._captured is not self.token:
            capture(root, self.token)
        return snapshot(array)

    def _captured(self, ans: ndarray, node: Node, args: tuple) -> ndarray:
        if ans._view is not None or ans._captured is not None or ans._np is None:
            capture(ans, self.token)
            return self.boxed(ans, node, args)
        out = _new(ndarray)
        out._np = ans._np
        out._box = node
        out._inner = ans
        ans._captured = out._captured = self.token
        return out

    def _record_tuple(self, operation, ans, inner, kwargs, argnums, parents, args):
        vjps = _vjps(operation, ans, inner, kwargs, argnums)
        whole = Node(self, tuple(parents), vjps, None, operation, place())
        whole.like = ans
        outputs = []
        for i, a in enumerate(ans):
            if a.dtype.kind not in "fc":  # an index among the outputs
                outputs.append(a)
                continue
            part = Node(self, (whole,), (), source=whole)
            part.output = i
            outputs.append(self._captured(a, part, args))
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
        raise NoDerivativeError(no_rule(operation, missing.args[0])) from None


def no_rule(operation: Any, argnum: int) -> str:
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

    __slots__ = ("end", "inputs", "token")

    def __init__(self, inputs: list[Node], end: list[Node | None], token: Token) -> None:
        self.inputs = inputs
        self.end = end  # a node for each output, None where the output depends on no input
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
            try:
                if len(vjps) == len(parents):
                    for parent, vjp in zip(parents, vjps, strict=True):
                        part = vjp(g)
                        if part is not None:
                            add(parent, part)
                else:
                    for parent, part in zip(parents, vjps[0](g), strict=True):
                        if part is not None:
                            add(parent, part)
            except Exception as error:
                raise located(error, node.place, node.operation.name)  # noqa: B904
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
        starts, boxed = [], []
        for a in inputs:
            capture(a, trace.token)
            node = Node(trace, (), ())
            starts.append(node)
            boxed.append(trace.start(a, node))
        outputs, ends = [], []
        for out in function(boxed):
            if trace.owns(out):
                ends.append(out._box)
                outputs.append(released(out, out._box in starts))
            else:
                ends.append(None)
                outputs.append(out)
    return outputs, Tape(starts, ends, token)


def _sum(a: Any, b: Any) -> Any:
    return registry["add"](a, b)
