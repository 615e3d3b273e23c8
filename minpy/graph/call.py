"""A function traced for one signature, as one operation with a derivative.

Who runs it, a graph of MXNet's or a program of our own, is for `graph_call` and `program_call` to
say.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy

from minpy import random
from minpy.array import as_ndarray, is_tracked, ndarray, numpy_value, wrap
from minpy.autograd.containers import flatten
from minpy.autograd.rules import defvjp_argnums
from minpy.autograd.trace import Trace, open_trace
from minpy.graph.trace import Untraceable
from minpy.primitives import Primitive

__all__ = ["Call"]


class Call:
    """What a function does with arguments of one signature, as a primitive.

    Parameters
    ----------
    function
        Of arrays, containers of them, and anything else.
    leaves, unflatten
        The arguments of the call that is traced, and what puts leaves into its containers.

    Raises
    ------
    Untraceable
        If what the function did can't be repeated without it.
    """

    trace_class: type[Trace]
    on_mxnet = False

    def __init__(self, function: Callable, leaves: list[Any], unflatten: Callable) -> None:
        self._function, self._fill = function, unflatten
        # The places of arrays among the arguments, and what else stands there.
        self._arrays = [isinstance(a, ndarray | numpy.ndarray) for a in leaves]
        self._others = [None if x else a for a, x in zip(leaves, self._arrays, strict=True)]
        values = [numpy_value(as_ndarray(a)) for a in leaves if isinstance(a, _ARRAYS)]
        with (
            open_trace(self.trace_class) as trace,
            random.observed(trace.draw),  # type: ignore[attr-defined]
            random.rehearsal(),
        ):
            inputs = [self._input(trace, i, wrap(value)) for i, value in enumerate(values)]
            outputs, self._unflatten = self._called(inputs)
            results: list[ndarray] = []
            self._places: list[int | _Constant] = []
            for out in outputs:
                if _belongs(out, trace):
                    self._places.append(len(results))
                    results.append(out)
                else:
                    self._places.append(_Constant(out))
            if not results:
                raise Untraceable("its result doesn't depend on any array among its arguments")
            self._several = len(results) > 1
            # What a run draws are inputs too: the pass back takes the same ones.
            self._draws = list(trace.draws.values())  # type: ignore[attr-defined]
            self._compile(trace, results)
        name = getattr(function, "__name__", "function")
        self._operation = _Operation(f"jit({name})", self._run, register=False)
        self._operation.on_mxnet = self.on_mxnet
        defvjp_argnums(self._operation, self._vjp)

    def __call__(self, arrays: list[ndarray]) -> Any:
        """Return what the function returns for arguments with these arrays."""
        drawn = [as_ndarray(again()) for again in self._draws]
        results = self._operation(*arrays, *drawn)
        results = results if self._several else (results,)
        return self._unflatten(
            [p.value if isinstance(p, _Constant) else results[p] for p in self._places]
        )

    @property
    def current(self) -> bool:
        """Whether what was traced still holds."""
        return True

    def _called(self, arrays: list[Any]) -> tuple[list[Any], Callable]:
        """Call the function on arrays in the places of the arguments' own."""
        given = iter(arrays)
        leaves = [next(given) if x else a for a, x in zip(self._others, self._arrays, strict=True)]
        args, kwargs = self._fill(leaves)
        return flatten(self._function(*args, **kwargs))

    def _vjp(self, argnums: tuple, ans: Any, args: tuple, kwargs: dict) -> Any:
        def vjp(g: Any) -> tuple:
            heads = [numpy_value(head) for head in (g if self._several else (g,))]
            values = [numpy_value(a) for a in args]
            return tuple(wrap(found) for found in self._gradients(argnums, values, heads))

        return vjp

    # --- what a kind of call does -----------------------------------------------------------------

    def _input(self, trace: Any, number: int, value: ndarray) -> ndarray:
        raise NotImplementedError

    def _compile(self, trace: Any, results: list[ndarray]) -> None:
        raise NotImplementedError

    def _run(self, *values: numpy.ndarray) -> Any:
        raise NotImplementedError

    def _gradients(
        self, argnums: tuple, values: list[numpy.ndarray], heads: list[numpy.ndarray]
    ) -> list[numpy.ndarray]:
        raise NotImplementedError


_ARRAYS = (ndarray, numpy.ndarray)


def _belongs(value: Any, trace: Trace) -> bool:
    return type(value) is ndarray and is_tracked(value) and value._box.trace is trace


class _Operation(Primitive):
    """A call as one operation: its results have the dtypes that the function gave them."""

    on_mxnet = False

    def _apply_policy(self, policy: str) -> None:
        self._direct = False

    def _run(self, args: tuple, kwargs: dict) -> Any:
        if self.on_mxnet:
            self.ran_mxnet += 1
        else:
            self.ran_numpy += 1
        results = self.kernel(*[numpy_value(a) for a in args])
        return tuple(map(wrap, results)) if type(results) is tuple else wrap(results)


class _Constant:
    """A result that no argument has a part in."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value
