"""`jit`: a function traced once a signature and replayed as one operation, differentiable.

Small functions, and all that oneDNN has kernels for, become programs of our own; what those have no
instruction for becomes a graph of MXNet's. It must not know models.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy

from minpy import policy, runtime
from minpy.array import as_ndarray, is_tracked, ndarray
from minpy.autograd.containers import flatten
from minpy.config import settings
from minpy.graph import native
from minpy.graph.call import Call
from minpy.graph.graph_call import GraphCall
from minpy.graph.program_call import ProgramCall
from minpy.graph.trace import Untraceable

__all__ = ["Jitted", "jit"]


def jit(function: Callable[..., Any]) -> Jitted:
    """Return a function that is traced at its first call and replayed as one operation afterwards.

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
    There is a program or a graph for each signature: shapes, dtypes, and values of what is no
    array. Arrays of the enclosing scope are seen as they are in memory; one that is rebound to
    another array is not, and one between brackets is read once. Derivatives of the first order are
    compiled too; those of higher order, and forward mode, run operation by operation.
    ``jit(grad(f))`` is one program, and faster than ``grad(jit(f))``, whose pass back computes `f`
    again.

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
    """A function with what was traced of it; made by `jit`."""

    def __init__(self, function: Callable[..., Any]) -> None:
        functools.update_wrapper(self, function)
        self.function = function
        self.jit_status = "not called yet"
        self._calls: dict[Any, Call | None] = {}
        self._warned = False

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        return self if instance is None else functools.partial(self, instance)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function, compiled where that can be done."""
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
            call = self._calls[signature]
            if call is not None and not call.current:
                raise KeyError
        except KeyError:
            call = self._calls[signature] = self._trace(leaves, unflatten)
        except TypeError:  # an argument that can't be a key
            self.jit_status = "an argument is neither an array nor hashable"
            return self.function(*args, **kwargs)
        if call is None:
            return self.function(*args, **kwargs)
        self.jit_status = "compiled"
        return call(arrays)

    def _compiles(self, arrays: list[ndarray]) -> bool:
        """Say whether a traced call may be used here: derivatives of the first order are."""
        if not settings.jit:
            self.jit_status = "minpy.config.set_jit(False)"
            return False
        # Without MXNet that is the policy which nobody chose.
        if policy.current_policy() == "only_numpy" and runtime.installed():
            self.jit_status = "policy only_numpy"
            return False
        for a in arrays:
            if not a.context.on_host:
                self.jit_status = f"an argument lies on {a.context!r}"
                return False
            if is_tracked(a) and (not hasattr(a._box, "vjps") or is_tracked(a._inner)):
                self.jit_status = "a derivative of higher order, or in forward mode"
                return False
        return True

    def _trace(self, leaves: list[Any], unflatten: Callable) -> Call | None:
        """Trace a call of a new signature; None where that can't be done."""
        for kind in self._kinds():
            try:
                return kind(self.function, leaves, unflatten)
            except Untraceable as reason:
                self.jit_status = reason.explain()
        if not self._warned:
            self._warned = True
            name = getattr(self.function, "__name__", repr(self.function))
            warnings.warn(
                f"{name} runs operation by operation, not as a compiled graph: {self.jit_status}",
                stacklevel=4,
            )
        return None

    def _kinds(self) -> Iterator[type[Call]]:
        """Give the kinds of calls to try, the faster ones first."""
        if native.available() and policy.current_policy() not in ("prefer_mxnet", "only_mxnet"):
            yield ProgramCall
        if runtime.available():
            yield GraphCall
        elif not native.available():
            self.jit_status = "neither numba nor mxnet can be used"


def _structure(value: Any) -> Any:
    """Return the containers of arguments, as a key."""
    if isinstance(value, dict):
        return (type(value), tuple((k, _structure(v)) for k, v in value.items()))
    if isinstance(value, list | tuple):
        return (type(value), tuple(_structure(v) for v in value))
    return None
