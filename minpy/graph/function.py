"""`jit`: a function traced once a signature and replayed as one operation, differentiable.

It must not know models.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from typing import Any

import numpy

from minpy import policy, random, runtime
from minpy.array import as_ndarray, is_tracked, ndarray, numpy_value, wrap
from minpy.autograd.containers import flatten
from minpy.autograd.rules import defvjp_argnums
from minpy.autograd.trace import open_trace
from minpy.config import settings
from minpy.graph.trace import SymbolTrace, Untraceable
from minpy.primitives import Primitive

__all__ = ["Jitted", "jit"]


def jit(function: Callable[..., Any]) -> Jitted:
    """Return a function that is traced at its first call and replayed as a graph afterwards.

    Parameters
    ----------
    function
        A function of arrays, and tuples, lists and dicts of them; other arguments (numbers,
        strings) are part of the signature. It must compute the same operations for equal
        signatures: what it does beside (attributes it changes) happens only while it is traced.

    Returns
    -------
    Jitted
        Called like the function. Its ``jit_status`` says whether the last call was compiled, or
        which line stopped the trace and why; then the call runs operation by operation, with the
        same result and one warning.

    Notes
    -----
    There is a graph for each signature: shapes, dtypes, and values of what is no array. Arrays of
    the enclosing scope are seen as they are in memory; one that is rebound to another array is
    not. Derivatives of the first order run in the graph too; those of higher order, and forward
    mode, operation by operation.

    Examples
    --------
    >>> import minpy, minpy.numpy as np
    >>> @minpy.jit
    ... def f(x):
    ...     return np.sum(np.tanh(x) ** 2)
    >>> x = np.array([0., 1.])
    >>> float(f(x)) == float(f(x))
    True
    >>> minpy.grad(f)(x).shape
    (2,)
    """
    return Jitted(function)


class Jitted:
    """A function with its graphs; made by `jit`."""

    def __init__(self, function: Callable[..., Any]) -> None:
        functools.update_wrapper(self, function)
        self.function = function
        self.jit_status = "not called yet"
        self._graphs: dict[Any, _Graph | None] = {}
        self._warned = False

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        return self if instance is None else functools.partial(self, instance)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function, as a graph where that can be done."""
        leaves, unflatten = flatten((args, kwargs))
        arrays, key = [], [settings.float_dtype, policy.current_policy()]
        for leaf in leaves:
            if isinstance(leaf, ndarray | numpy.ndarray):
                leaf = as_ndarray(leaf)
                arrays.append(leaf)
                key.append((leaf.shape, leaf.dtype.char))
            else:
                key.append((type(leaf), leaf))
        if not self._compiles(arrays):
            return self.function(*args, **kwargs)
        try:
            signature = (_structure((args, kwargs)), tuple(key))
            graph = self._graphs[signature]
        except KeyError:
            graph = self._graphs[signature] = self._trace(leaves, unflatten)
        except TypeError:  # an argument that can't be a key
            self.jit_status = "an argument is neither an array nor hashable"
            return self.function(*args, **kwargs)
        if graph is None:
            return self.function(*args, **kwargs)
        self.jit_status = "compiled"
        return graph(arrays)

    def _compiles(self, arrays: list[ndarray]) -> bool:
        """Say whether a graph may be used here: not for derivatives that MXNet doesn't have."""
        if not settings.jit:
            self.jit_status = "minpy.config.set_jit(False)"
            return False
        if policy.current_policy() == "only_numpy" or not runtime.available():
            self.jit_status = "policy only_numpy" if runtime.installed() else "mxnet can't be used"
            return False
        for a in arrays:
            if not a.context.on_host:
                self.jit_status = f"an argument lies on {a.context!r}"
                return False
            if is_tracked(a) and (not hasattr(a._box, "vjps") or is_tracked(a._inner)):
                self.jit_status = "a derivative of higher order, or in forward mode"
                return False
        return True

    def _trace(self, leaves: list[Any], unflatten: Callable) -> _Graph | None:
        try:
            return _Graph(self.function, leaves, unflatten)
        except Untraceable as reason:
            self.jit_status = reason.explain()
            if not self._warned:
                self._warned = True
                name = getattr(self.function, "__name__", repr(self.function))
                warnings.warn(
                    f"{name} runs operation by operation, not as a compiled graph: "
                    f"{self.jit_status}",
                    stacklevel=4,
                )
            return None


def _structure(value: Any) -> Any:
    """Return the containers of arguments, as a key."""
    if isinstance(value, dict):
        return (type(value), tuple((k, _structure(v)) for k, v in value.items()))
    if isinstance(value, list | tuple):
        return (type(value), tuple(_structure(v) for v in value))
    return None


class _Graph:
    """The graph of one signature, as a primitive with a derivative."""

    def __init__(self, function: Callable, leaves: list[Any], unflatten: Callable) -> None:
        with (
            open_trace(SymbolTrace) as trace,
            random.observed(trace.draw),
            random.rehearsal(),
        ):
            inside = []
            count = 0
            for leaf in leaves:
                if isinstance(leaf, ndarray | numpy.ndarray):
                    value = wrap(numpy_value(as_ndarray(leaf)))
                    leaf = trace.input(f"input{count}", value)
                    count += 1
                inside.append(leaf)
            args, kwargs = unflatten(inside)
            outputs, self._unflatten = flatten(function(*args, **kwargs))
            symbols, self._constants = [], {}
            self._places: list[int | Any] = []
            for out in outputs:
                if type(out) is ndarray and is_tracked(out) and out._box.trace is trace:
                    self._places.append(len(symbols))
                    symbol = out._box.symbol
                    if symbol.is_variable:  # MXNet can't differentiate an input that is a result
                        symbol = runtime.symbolic("_copy", symbol)
                    symbols.append(symbol)
                else:
                    self._places.append(_Constant(out))
        if not symbols:
            raise Untraceable("its result doesn't depend on any array among its arguments")
        self._count = count
        # What a run draws are inputs too: the pass back takes the same ones.
        self._names = [*(f"input{i}" for i in range(count)), *trace.draws]
        self._draws = list(trace.draws.values())
        self._constants = {name: runtime.borrow(array) for name, array in trace.constants.items()}
        self._several = len(symbols) > 1
        self._graph = runtime.Graph(symbols, static=False)
        name = getattr(function, "__name__", "function")
        self._operation = _Operation(f"jit({name})", self._run, register=False)
        defvjp_argnums(self._operation, self._vjp)

    def __call__(self, arrays: list[ndarray]) -> Any:
        drawn = [as_ndarray(again()) for again in self._draws]
        results = self._operation(*arrays, *drawn)
        results = results if self._several else (results,)
        return self._unflatten(
            [p.value if isinstance(p, _Constant) else results[p] for p in self._places]
        )

    def _handles(self, values: Any) -> dict[str, Any]:
        handles = dict(self._constants)
        for name, value in zip(self._names, values, strict=True):
            handles[name] = runtime.borrow(value)
        return handles

    def _run(self, *values: numpy.ndarray) -> Any:
        handles = self._handles(values)  # they must live while the graph runs
        with runtime.numpy_shapes():
            results = self._graph.run(self._graph.bind(handles), record=False)
        views = tuple(runtime.view(nd) for nd in results)
        return views if self._several else views[0]

    def _vjp(self, argnums: tuple, ans: Any, args: tuple, kwargs: dict) -> Any:
        def vjp(g: Any) -> tuple:
            heads = g if self._several else (g,)
            values = [numpy_value(a) for a in args]
            return tuple(
                wrap(found) for found in self._gradients(argnums, values, map(numpy_value, heads))
            )

        return vjp

    def _gradients(self, argnums: tuple, values: list, heads: Any) -> list[numpy.ndarray]:
        handles = self._handles(values)
        wanted = [handles[self._names[i]] for i in argnums]
        gradients = [numpy.zeros_like(values[i]) for i in argnums]
        into = [runtime.borrow(g) for g in gradients]
        with runtime.numpy_shapes():
            runtime.mark(wanted, into)
            results = self._graph.run(self._graph.bind(handles), record=True)
            runtime.backward(results, [runtime.borrow(h) for h in heads])
        return gradients


class _Operation(Primitive):
    """A graph as one operation: its results have the dtypes that the function gave them."""

    def _apply_policy(self, policy: str) -> None:
        self._direct = False

    def _run(self, args: tuple, kwargs: dict) -> Any:
        self.ran_mxnet += 1
        results = self.kernel(*[numpy_value(a) for a in args])
        return tuple(map(wrap, results)) if type(results) is tuple else wrap(results)


class _Constant:
    """A result that no argument has a part in."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value
