"""In-place writes: plain where the memory is free, a new value where a tape still needs the old one.

A write is *free* when the array isn't tracked, nothing tracked is written, and no live tape saw its
memory. Then NumPy writes into the memory, and everybody who shares it sees it. Otherwise the write
is an operation like any other: it makes a new value, the array's root is bound to that, and the views
of the root catch up when they are next used. Gradients flow through it by `updated`'s rules.
"""

from __future__ import annotations

from typing import Any

import numpy

from minpy.array import as_ndarray, is_tracked, ndarray, numpy_value, refresh, root_of
from minpy.autograd.rules import defjvp, defvjp
from minpy.primitives import Primitive, registry

__all__ = ["assign", "augment", "overwrite", "updated"]


def _updated(
    base: numpy.ndarray, value: Any, operation: Primitive, args: tuple, kwargs: dict
) -> numpy.ndarray:
    new = base.copy(order="K")
    if operation is registry["getitem"]:
        new[args[0]] = value
    else:
        operation.kernel(new, *args, **kwargs)[...] = value
    return new


# updated(base, value, operation, args, kwargs): a copy of `base` in which the part that
# ``operation(base, *args, **kwargs)`` returns is `value`. Linear in both.
updated = Primitive("updated", _updated, arrays=2)


def _written_last(shape: tuple[int, ...], operation: Primitive, args: tuple) -> Any:
    """Return which elements of the value survive, where an index names an element twice."""
    if operation is not registry["getitem"] or not _may_repeat(args[0]):
        return None
    places = numpy.arange(int(numpy.prod(shape))).reshape(shape)[args[0]]
    order = numpy.full(int(numpy.prod(shape)), -1)
    order[places.ravel()] = numpy.arange(places.size)
    last = order[places.ravel()].reshape(places.shape) == numpy.arange(places.size).reshape(
        places.shape
    )
    return None if last.all() else last


def _may_repeat(index: Any) -> bool:
    parts = index if isinstance(index, tuple) else (index,)
    return any(
        isinstance(p, list | numpy.ndarray | ndarray) and numpy.asarray(p).dtype.kind in "iu"
        for p in parts
    )


def _value_vjp(ans, base, value, operation, args, kwargs):
    from minpy.numpy.broadcasting import unbroadcast_f

    last = _written_last(base.shape, operation, args)

    def vjp(g: Any) -> Any:
        part = operation(g, *args, **kwargs)
        return part if last is None else registry["where"](last, part, 0.0)

    return unbroadcast_f(value, vjp)


defvjp(
    updated,
    lambda ans, base, value, operation, args, kwargs: (
        lambda g: updated(g, 0.0, operation, args, kwargs)
    ),
    _value_vjp,
)
defjvp(
    updated,
    lambda t, ans, base, value, operation, args, kwargs: updated(t, 0.0, operation, args, kwargs),
    lambda t, ans, base, value, operation, args, kwargs: updated(
        registry["zeros_like"](ans), t, operation, args, kwargs
    ),
)


def _is_free(target: ndarray) -> bool:
    """Say whether the memory of an array may be written to."""
    if is_tracked(target) or target._np is None:
        return False
    captured = root_of(target)._captured
    return captured is None or captured() is None


def rebind(target: ndarray, new: ndarray) -> None:
    """Give an array, and through its root all that share its memory, a new value."""
    view = target._view
    if view is not None:
        refresh(target)
        rebind(view.base, updated(view.base, new, view.operation, view.args, view.kwargs))
        view.generation = view.root._generation
    else:
        target._generation += 1
        target._captured = new._captured
    target._np, target._nd = new._np, new._nd
    target._box, target._inner = new._box, new._inner


def assign(target: ndarray, index: Any, value: Any) -> None:
    """Do ``target[index] = value``."""
    index = _plain_index(index)
    tracked = type(value) is ndarray and is_tracked(value)
    if not tracked:
        # A list may hold tracked arrays.
        if isinstance(value, list | tuple):
            value = as_ndarray(value)
            tracked = is_tracked(value)
        if not tracked and _is_free(target):
            target._np[index] = numpy_value(value) if type(value) is ndarray else value
            return
    made = updated(target, value, registry["getitem"], (index,), {})
    rebind(target, made)


def overwrite(target: ndarray, value: ndarray, casting: str = "same_kind") -> ndarray:
    """Write a whole value into an array, which keeps its shape and dtype; return the array."""
    if value.shape != target.shape:
        value_shape = value.shape
        if numpy.broadcast_shapes(value_shape, target.shape) != target.shape:
            raise ValueError(
                f"non-broadcastable output operand with shape {target.shape} doesn't match the "
                f"broadcast shape {value_shape}"
            )
        value = registry["broadcast_to"](value, target.shape)
    if value.dtype != target.dtype:
        if not numpy.can_cast(value.dtype, target.dtype, casting):
            raise TypeError(
                f"Cannot cast output from {value.dtype!r} to {target.dtype!r} "
                f"with casting rule {casting!r}"
            )
        value = registry["astype"](value, target.dtype)
    if not is_tracked(value) and _is_free(target):
        numpy.copyto(target._np, numpy_value(value))
    else:
        rebind(target, value)
    return target


def augment(operation: Primitive, target: ndarray, value: Any) -> ndarray:
    """Do ``target += value`` and the like, for the ufunc `operation`."""
    if not (type(value) is ndarray and (value._box is not None or value._np is None)) and _is_free(
        target
    ):
        plain = numpy_value(value) if type(value) is ndarray else value
        if not isinstance(plain, list | tuple):
            operation.kernel(target._np, plain, out=target._np, casting="same_kind")
            operation.ran_numpy += 1
            return target
    return overwrite(target, operation(target, value))


def _plain_index(index: Any) -> Any:
    """Return an index without minpy arrays in it."""
    if type(index) is ndarray:
        return numpy_value(index)
    if isinstance(index, tuple):
        return tuple(numpy_value(i) if type(i) is ndarray else i for i in index)
    if isinstance(index, list):
        return numpy.asarray([numpy_value(i) if type(i) is ndarray else i for i in index])
    return index
