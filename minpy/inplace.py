"""In-place writes: plain where the memory is free, a new value where a tape needs the old one.

A write is *free* when the array isn't tracked, nothing tracked is written, and no live tape has
captured its memory. Then NumPy writes into the memory, and all who share it see it. Otherwise the
write is an operation like any other: it makes a new value, the array's root is bound to that, and
the views of the root catch up when they are next used. Gradients flow through it by the rules of
the one primitive ``updated``.

It must not know any operation's rule, nor what is written where beyond the index.
"""

from __future__ import annotations

from typing import Any

import numpy

from minpy.array import (
    _LAID_OUT,
    adopt,
    as_ndarray,
    follows,
    holds_arrays,
    is_captured,
    is_scalar,
    is_tracked,
    ndarray,
    numpy_value,
    read_value,
    registry,
)
from minpy.primitives import Primitive

__all__ = ["assign", "augment", "is_free", "overwrite", "plain_index", "rebind"]


def is_free(target: ndarray) -> bool:
    """Say whether the memory of an array may be written to."""
    return not is_tracked(target) and target._np is not None and not is_captured(target)


def rebind(target: ndarray, new: ndarray) -> None:
    """Give an array, and through its root all that share its memory, a new value."""
    memory = target._np
    if memory is not None and not memory.flags.writeable:
        raise ValueError("assignment destination is read-only")
    view = target._view
    if view is None:
        target._generation += 1
        target._captured = new._captured
        adopt(target, new)
    elif not follows(target):
        raise ValueError(_LAID_OUT)
    else:
        # The view takes its new value from the base when it is next used, and shares memory again.
        updated = registry["updated"]
        rebind(view.base, updated(view.base, new, view.operation, view.args, view.kwargs))


def assign(target: ndarray, index: Any, value: Any) -> None:
    """Do ``target[index] = value``."""
    if isinstance(value, list | tuple):
        value = as_ndarray(value) if holds_arrays(value) else numpy.asarray(value)
    if not (type(value) is ndarray and is_tracked(value)) and is_free(target):
        index = plain_index(index, keep=False)
        target._np[index] = numpy_value(value) if type(value) is ndarray else value
    else:
        _update(target, value, plain_index(index, keep=True))


def _update(target: ndarray, value: Any, index: Any) -> None:
    """Write a value by an operation that is recorded."""
    if type(value) is ndarray and value._context != target._context:
        value = value.as_in_context(target._context)
    if target._view is not None:
        target, index, value = _beneath(target, index, value)
    rebind(target, registry["updated"](target, value, registry["getitem"], (index,), {}))


def _beneath(target: ndarray, index: Any, value: Any) -> tuple[ndarray, Any, Any]:
    """Return where to write instead, if elements of a view stand in several places of it.

    A value for the whole view doesn't say which of those places has been written to.
    """
    root, views = target, []
    while root._view is not None:
        views.append(root._view)
        root = root._view.base
    if not any(view.operation is registry["spread"] for view in views):
        return target, index, value
    memory = target._np
    if memory is not None and not memory.flags.writeable:
        raise ValueError("assignment destination is read-only")
    places = numpy.arange(root.size).reshape(root.shape)
    for view in reversed(views):
        places = view.operation.kernel(places, *view.args, **view.kwargs)
    at = numpy.array(places[index])
    if type(value) is not ndarray or value.shape != at.shape:
        value = registry["broadcast_to"](as_ndarray(value), at.shape)
    return root, numpy.unravel_index(at, root.shape), value


def overwrite(
    target: Any,
    value: ndarray,
    casting: str = "same_kind",
    by: str | None = None,
    broadcasts: bool = True,
) -> Any:
    """Write a whole value into an array, which keeps its shape and dtype; return the array.

    Parameters
    ----------
    target
        A minpy array, or a NumPy array where `value` isn't tracked.
    value
        Of a shape that broadcasts to that of `target`.
    casting
        Which conversions to the dtype of `target` are allowed, as in `numpy.can_cast`.
    by
        The operation that writes, for messages.
    broadcasts
        False where `value` must have the shape of `target`.
    """
    if not isinstance(target, ndarray | numpy.ndarray):
        raise TypeError(f"return arrays must be of ArrayType, got {type(target).__name__}")
    if not broadcasts and value.shape != numpy.shape(target):
        raise ValueError(
            f"{by}: expected out of shape {value.shape}, got one of {numpy.shape(target)}"
        )
    if type(target) is not ndarray:
        return _overwrite_numpy(target, value, casting, by)
    if value.shape != target.shape and (
        numpy.broadcast_shapes(value.shape, target.shape) != target.shape
    ):
        raise ValueError(
            f"non-broadcastable output operand with shape {target.shape} doesn't match the "
            f"broadcast shape {value.shape}"
        )
    if not numpy.can_cast(value.dtype, target.dtype, casting):
        raise TypeError(
            f"Cannot cast output from {value.dtype!r} to {target.dtype!r} "
            f"with casting rule {casting!r}"
        )
    if not is_tracked(value) and is_free(target):
        numpy.copyto(target._np, numpy_value(value), casting="unsafe")
    else:
        _update(target, value, Ellipsis)
    return target


def _overwrite_numpy(target: Any, value: ndarray, casting: str, by: str | None) -> Any:
    if is_tracked(value):
        raise TypeError(
            (f"{by}: " if by else "") + "out is a NumPy array, which can't hold the history of an "
            "array that is being differentiated; make it a minpy array, or leave it out"
        )
    numpy.copyto(target, numpy_value(value), casting=casting)
    return target


def augment(operation: Primitive, target: ndarray, value: Any) -> ndarray:
    """Do ``target += value`` and the like, for the ufunc `operation`.

    Where NumPy has a scalar, the name gets a new value, and others for the same value keep it.
    """
    if not target.shape and is_scalar(target):
        return operation(target, value)
    if operation._direct and is_free(target):
        kind = type(value)
        if kind is ndarray:
            plain = None if value._np is None or is_tracked(value) else value._np
        else:
            plain = None if kind is list or kind is tuple else value
        if plain is not None:
            operation.kernel(target._np, plain, out=target._np, casting="same_kind")
            operation.ran_numpy += 1
            return target
    return overwrite(target, operation(target, value))


def plain_index(index: Any, keep: bool) -> Any:
    """Return an index without minpy arrays in it.

    Parameters
    ----------
    index
        Anything that NumPy takes between brackets, with minpy arrays too.
    keep
        Whether a tape may keep the index: then arrays in it are copied.
    """
    if isinstance(index, tuple):
        return tuple([_plain_part(part, keep) for part in index])
    return _plain_part(index, keep)


def _plain_part(part: Any, keep: bool) -> Any:
    kind = type(part)
    if kind is slice:
        if type(part.start) is ndarray or type(part.stop) is ndarray or type(part.step) is ndarray:
            ends = (part.start, part.stop, part.step)
            return slice(*[p.__index__() if type(p) is ndarray else p for p in ends])
        return part
    if kind is ndarray:
        part = read_value(part)
    elif kind is list:
        part = numpy.asarray(read_value(as_ndarray(part)) if part else numpy.zeros(0, int))
    elif not isinstance(part, numpy.ndarray):
        return part
    if part.ndim == 0 and part.dtype.kind in "iu":
        return int(part)
    return part.copy() if keep else part
