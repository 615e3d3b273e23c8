"""A function of arrays that traces see as one operation, with a derivative of its own.

It must not know what is done with it: recomputation, implicit derivatives.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from minpy.array import as_ndarray, is_tracked, ndarray, snapshot
from minpy.autograd.forward import ForwardTrace
from minpy.autograd.reverse import ReverseTrace
from minpy.errors import DifferentiationError

__all__ = ["Composite"]


class Composite:
    """One call of a function, as an operation.

    A primitive's kernel gets NumPy arrays; this function gets minpy arrays, as the next lower level
    of differentiation sees them. So it may itself differentiate.

    Parameters
    ----------
    name
        Its name in messages.
    run
        ``run(*leaves)`` returns an array or a tuple of arrays.
    vjp
        ``vjp(argnums, ans, leaves, kwargs)`` returns a function of `ans`'s gradient.
    jvp
        ``jvp(argnums, tangents, ans, leaves, kwargs)`` returns `ans`'s tangent.
    """

    differentiable = True
    arrays = -1
    mxnet = None

    def __init__(
        self,
        name: str,
        run: Callable[..., Any],
        vjp: Callable[..., Callable[[Any], Any]],
        jvp: Callable[..., Any],
    ) -> None:
        self.name = name
        self.run = run
        self.vjp_all = vjp
        self.jvp_all = jvp
        self._lowest: int | None = None  # level of the lowest trace that the arguments are of

    def __call__(self, *leaves: ndarray, **kwargs: Any) -> Any:
        """Run on the level that the arguments are of; `kwargs` is empty, as traces hand it on."""
        traces = [a._box.trace for a in leaves if is_tracked(a)]
        top = max(traces, key=lambda trace: trace.level, default=None)
        if top is None:
            return self._run(leaves)
        if not isinstance(top, ReverseTrace | ForwardTrace):
            # A graph is made of what the function does.
            return self.run(*leaves)
        self._lowest = top.level
        return top.process(self, leaves, {})

    def _run(self, leaves: tuple) -> Any:
        result = self.run(*leaves)
        if type(result) is not tuple:
            return self._checked(result)
        return tuple(self._checked(part) for part in result)

    def _checked(self, part: Any) -> ndarray:
        part = as_ndarray(part)
        if is_tracked(part) and self._lowest is not None and part._box.trace.level >= self._lowest:
            raise DifferentiationError(
                f"{self.name} uses an array that is being differentiated and isn't one of its "
                "arguments, but captured from an enclosing function; pass it as an argument"
            )
        return snapshot(part)
