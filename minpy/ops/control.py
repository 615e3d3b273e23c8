"""Keras' operations that take functions: branches and loops, in Python.

What they do is seen by derivatives. A graph has no branch on data: a model with one runs operation
by operation.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any

from minpy.array import as_ndarray
from minpy.autograd.containers import flatten, map_leaves
from minpy.autograd.rules import defvjp_argnums
from minpy.primitives import primitive

__all__ = [
    "associative_scan",
    "cond",
    "custom_gradient",
    "fori_loop",
    "jvp",
    "map",
    "scan",
    "switch",
    "vectorized_map",
    "while_loop",
]


def cond(pred: Any, true_fn: Callable[[], Any], false_fn: Callable[[], Any]) -> Any:
    """Return what the first function returns if something holds, else what the second does.

    Examples
    --------
    >>> from minpy import ops
    >>> ops.cond(3 > 2, lambda: 'yes', lambda: 'no')
    'yes'
    """
    return true_fn() if bool(pred) else false_fn()


def custom_gradient(f: Callable[..., tuple[Any, Callable[..., Any]]]) -> Callable[..., Any]:
    """Return a function whose gradient is written down instead of derived.

    Parameters
    ----------
    f
        Of arrays; returns the value and a function ``grad(*args, upstream)`` that makes the
        arguments' gradients of the value's.

    Notes
    -----
    A model with one in it runs operation by operation; second derivatives are those of what
    `grad` computes with `upstream` alone.

    Examples
    --------
    >>> import minpy
    >>> from minpy import ops
    >>> @ops.custom_gradient
    ... def softplus(x):
    ...     e = ops.exp(x)
    ...     def grad(*args, upstream=None):
    ...         return upstream * (1 - 1 / (1 + e))
    ...     return ops.log(1 + e), grad
    >>> float(minpy.grad(softplus)(100.0))
    1.0
    """

    @functools.wraps(f)
    def with_gradient(*args: Any) -> Any:
        made: dict[str, Any] = {}

        def value(*given: Any) -> Any:
            found, made["grad"] = f(*map_leaves(as_ndarray, given))
            return as_ndarray(found).asnumpy()

        def vjp(argnums: Any, ans: Any, given: Any, kwargs: Any) -> Callable[[Any], Any]:
            def gradients(g: Any) -> tuple:
                takes = inspect.signature(made["grad"]).parameters
                found = made["grad"](upstream=g) if "upstream" in takes else made["grad"](g)
                several = found if isinstance(found, tuple | list) else (found,)
                return tuple(as_ndarray(several[n]) for n in argnums)

            return gradients

        operation = primitive(value, name=f.__name__)
        defvjp_argnums(operation, vjp)
        return operation(*args)

    return with_gradient


def switch(index: Any, branches: Sequence[Callable[..., Any]], *operands: Any) -> Any:
    """Return what one of several functions makes of operands; numbers beyond mean the nearest."""
    number = min(max(int(index), 0), len(branches) - 1)
    return branches[number](*operands)


def while_loop(
    cond: Callable[..., Any],
    body: Callable[..., Any],
    loop_vars: Any,
    maximum_iterations: int | None = None,
) -> Any:
    """Change values as long as something holds of them.

    Parameters
    ----------
    cond, body
        Functions of the values; the second returns new ones.
    loop_vars
        The values to begin with: a tuple or list, or one.
    maximum_iterations
        After so many it ends.

    Examples
    --------
    >>> from minpy import ops
    >>> ops.while_loop(lambda i: i < 10, lambda i: (i + 4,), (1,))
    (13,)
    """
    several = isinstance(loop_vars, tuple | list)
    values = tuple(loop_vars) if several else (loop_vars,)
    done = 0
    while bool(cond(*values)) and (maximum_iterations is None or done < maximum_iterations):
        new = body(*values)
        values = tuple(new) if isinstance(new, tuple | list) else (new,)
        done += 1
    return values if several else values[0]


def fori_loop(lower: int, upper: int, body_fun: Callable[[int, Any], Any], init_val: Any) -> Any:
    """Change a value by a function of each number from `lower` to below `upper`, and of it.

    Examples
    --------
    >>> from minpy import ops
    >>> ops.fori_loop(0, 4, lambda i, total: total + i, 10)
    16
    """
    value = init_val
    for i in range(int(lower), int(upper)):
        value = body_fun(i, value)
    return value


def scan(
    f: Callable[[Any, Any], tuple[Any, Any]],
    init: Any,
    xs: Any = None,
    length: int | None = None,
    reverse: bool = False,
    unroll: int | bool = 1,
) -> tuple[Any, Any]:
    """Carry a value through a function of it and of each part along the first axis.

    Parameters
    ----------
    f
        Of the value and a part; returns the new value and an output.
    init
        The value to begin with.
    xs
        Arrays, in containers if several; None gives None as each part.
    length
        How many parts, where `xs` doesn't tell.
    reverse
        Whether the last part comes first; outputs lie as the parts do.
    unroll
        Kept for Keras' sake.

    Returns
    -------
    value, outputs
        The last value, and the outputs along a new first axis.
    """
    count = _count(xs, length)
    carried, outputs = init, []
    for i in reversed(range(count)) if reverse else range(count):
        carried, output = f(carried, _part(xs, i))
        outputs.append(output)
    return carried, _together(outputs[::-1] if reverse else outputs)


def associative_scan(
    f: Callable[[Any, Any], Any], elems: Any, reverse: bool = False, axis: int = 0
) -> Any:
    """Combine the parts along an axis, from the first to each, by an associative function.

    Parameters
    ----------
    f
        Of two such arrays or containers of them, part by part along `axis`; ``f(a, f(b, c))`` must
        be ``f(f(a, b), c)``.
    elems
        Arrays, in containers if several.
    reverse
        Whether parts are combined from the last one on.
    axis
        Along which the parts are.

    Returns
    -------
    array or container
        As `elems`. It takes about ``2 log2(parts)`` calls of the function.

    Notes
    -----
    G. Blelloch, "Prefix sums and their applications" (1990).

    Examples
    --------
    >>> from minpy import ops
    >>> ops.associative_scan(lambda a, b: a * b, ops.array([1., 2., 3., 4.]))
    array([ 1.,  2.,  6., 24.])
    """
    from minpy import numpy as np

    elems = map_leaves(as_ndarray, elems)
    leaves, unflatten = flatten(elems)
    if not leaves or len({leaf.shape[axis] for leaf in leaves}) != 1:
        raise ValueError(
            f"associative_scan: expected arrays of one length along axis {axis}, got shapes "
            f"{[leaf.shape for leaf in leaves]}"
        )

    def cut(parts: list[Any], *bounds: Any) -> list[Any]:
        return [part[(slice(None),) * (axis % part.ndim) + (slice(*bounds),)] for part in parts]

    def combined(first: list[Any], second: list[Any]) -> list[Any]:
        return [as_ndarray(x) for x in flatten(f(unflatten(first), unflatten(second)))[0]]

    def joined(first: list[Any], second: list[Any]) -> list[Any]:
        return [np.concatenate(pair, axis=axis) for pair in zip(first, second, strict=True)]

    def scanned(parts: list[Any]) -> list[Any]:
        count = parts[0].shape[axis]
        if count < 2:
            return parts
        odd = scanned(combined(cut(parts, 0, count - 1, 2), cut(parts, 1, None, 2)))
        even = cut(parts, 0, 1)
        if count > 2:
            even = joined(even, combined(cut(odd, 0, (count - 1) // 2), cut(parts, 2, None, 2)))
        # Those at even and odd places, which lie one behind the other, in turn.
        half = (count + 1) // 2
        order = [i // 2 + half * (i % 2) for i in range(count)]
        return [np.take(whole, order, axis=axis) for whole in joined(even, odd)]

    if reverse:
        leaves = [np.flip(leaf, axis) for leaf in leaves]
    found = scanned(leaves)
    return unflatten([np.flip(leaf, axis) for leaf in found] if reverse else found)


def jvp(fun: Callable[..., Any], primals: Any, tangents: Any, has_aux: bool = False) -> tuple:
    """Return a function's value and its derivative along tangents, forward.

    Parameters
    ----------
    fun
        Of as many arguments as there are primals.
    primals, tangents
        Tuples or lists: where the function is taken, and along what; the same shapes.
    has_aux
        Whether the function returns a pair, whose second is not derived.

    Returns
    -------
    tuple
        ``(value, tangent)``, or ``(value, tangent, aux)``.

    Examples
    --------
    >>> from minpy import ops
    >>> ops.jvp(lambda x, y: x * y, (2.0, 3.0), (1.0, 10.0))
    (array(6.), array(23.))
    """
    from minpy.autograd.operators import make_jvp

    for name, given in (("primals", primals), ("tangents", tangents)):
        if not isinstance(given, tuple | list):
            raise TypeError(f"jvp: expected {name} as a tuple or list, got {type(given).__name__}")
    if len(primals) != len(tangents):
        raise ValueError(
            f"jvp: expected a tangent for each primal, got {len(primals)} primals and "
            f"{len(tangents)} tangents"
        )
    aux: list[Any] = []

    def function(given: Any) -> Any:
        if not has_aux:
            return fun(*given)
        value, beside = fun(*given)
        aux.append(beside)
        return value

    value, tangent = make_jvp(function)(map_leaves(as_ndarray, tuple(primals)))(tuple(tangents))
    return (value, tangent, aux[-1]) if has_aux else (value, tangent)


def map(f: Callable[[Any], Any], xs: Any) -> Any:
    """Return what a function makes of each part along the first axis, together.

    Examples
    --------
    >>> from minpy import ops
    >>> ops.map(lambda row: row.sum(), ops.array([[1., 2.], [3., 4.]]))
    array([3., 7.])
    """
    return _together([f(_part(xs, i)) for i in range(_count(xs, None))])


def vectorized_map(function: Callable[[Any], Any], elements: Any) -> Any:
    """Do as `map`: each part goes through the function by itself."""
    return map(function, elements)


def _count(xs: Any, length: int | None) -> int:
    found = {as_ndarray(leaf).shape[0] for leaf in flatten(xs)[0] if leaf is not None}
    if length is not None:
        found.add(int(length))
    if len(found) != 1:
        raise ValueError(
            f"expected arrays of one length along the first axis, got {sorted(found) or 'none'}"
        )
    return found.pop()


def _part(xs: Any, i: int) -> Any:
    return map_leaves(lambda leaf: None if leaf is None else as_ndarray(leaf)[i], xs)


def _together(outputs: list[Any]) -> Any:
    from minpy import numpy as np

    if not outputs or outputs[0] is None:
        return None
    leaves = [flatten(output)[0] for output in outputs]
    unflatten = flatten(outputs[0])[1]
    return unflatten(
        [np.stack([as_ndarray(x) for x in each]) for each in zip(*leaves, strict=True)]
    )
