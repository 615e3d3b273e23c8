"""Checkpoints of a derivative: less memory for more time; knows no rules.

Not to be confused with a training run's checkpoint file (`minpy.checkpoint`).
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from minpy import random
from minpy.array import as_ndarray, ndarray
from minpy.autograd.composite import Composite
from minpy.autograd.containers import flatten
from minpy.autograd.forward import push
from minpy.autograd.operators import filled
from minpy.autograd.reverse import record

__all__ = ["checkpoint"]


def checkpoint(fun: Callable) -> Callable:
    """Return `fun` with a derivative that keeps its arguments, and computes the rest again.

    The values in between are dropped in the forward pass. The pass back runs `fun` a second time,
    with the same random draws (`minpy.random`), and goes back through that.

    Parameters
    ----------
    fun
        A function of arrays, numbers, and containers of them. What it depends on and is
        differentiated has to be an argument, not captured from an enclosing function.

    Returns
    -------
    function
        With the arguments, values and derivatives of `fun`, of any order.

    Raises
    ------
    DifferentiationError
        When called, if `fun` uses a differentiated array that isn't one of its arguments.

    References
    ----------
    T. Chen, B. Xu, C. Zhang and C. Guestrin, "Training deep nets with sublinear memory cost"
    (2016).

    Examples
    --------
    >>> import minpy, minpy.numpy as np
    >>> block = minpy.autograd.checkpoint(lambda x: np.tanh(np.tanh(x)))
    >>> float(minpy.grad(block)(0.0))
    1.0
    """
    name = f"checkpoint of {getattr(fun, '__name__', 'a function')}"

    @functools.wraps(fun)
    def checkpointed(*args: Any, **kwargs: Any) -> Any:
        given, unflatten = flatten((args, kwargs))
        places = [i for i, leaf in enumerate(given) if _is_array(leaf)]
        leaves = [as_ndarray(given[i]) for i in places]
        for i in places:
            given[i] = None  # the rules keep what they need of it
        rebuild: list[Any] = []

        def called(*inner: ndarray) -> Any:
            whole = list(given)
            for i, leaf in zip(places, inner, strict=True):
                whole[i] = leaf
            inner_args, inner_kwargs = unflatten(whole)
            outputs, rebuild_outputs = flatten(fun(*inner_args, **inner_kwargs))
            rebuild.append(rebuild_outputs)
            return tuple(as_ndarray(out) for out in outputs)

        operation = Composite(name, called, *_rules(called, random.bookmark()))
        return _rebuilt(operation(*leaves), rebuild)

    return checkpointed


def _rebuilt(outputs: tuple, rebuild: list[Any]) -> Any:
    return rebuild[0](list(outputs))


def _is_array(leaf: Any) -> bool:
    # Python's floats stay what they are: constants, as precise as what they meet.
    return getattr(getattr(leaf, "dtype", None), "kind", "") in ("f", "c")


def _rules(called: Callable[..., tuple], same_draws: Callable[[], Any]) -> tuple:
    def of_some(leaves: tuple, argnums: tuple) -> Callable[[list], list]:
        def function(boxed: list[ndarray]) -> list[Any]:
            whole = list(leaves)
            for i, leaf in zip(argnums, boxed, strict=True):
                whole[i] = leaf
            with same_draws():
                return list(called(*whole))

        return function

    def vjp(argnums: tuple, ans: tuple, leaves: tuple, kwargs: dict) -> Callable[[Any], Any]:
        def back(g: tuple) -> list[Any]:
            _, tape = record(of_some(leaves, argnums), [leaves[i] for i in argnums])
            return tape.back(list(g), once=True)

        return back

    def jvp(argnums: tuple, tangents: tuple, ans: tuple, leaves: tuple, kwargs: dict) -> tuple:
        function = of_some(leaves, argnums)
        outputs, pushed = push(function, [leaves[i] for i in argnums], list(tangents))
        return tuple(filled(pushed, outputs))

    return vjp, jvp
