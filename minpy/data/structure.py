"""Elements of a data set: tuples and dicts of leaves, taken apart and stacked; knows no data set.

Lists are leaves here: ``[1, 2, 3]`` is an array that wasn't made yet.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy

from minpy.array import ndarray, numpy_value

__all__ = ["opened", "stack", "to_numpy"]


def opened(item: Any, path: str = "") -> tuple[list[Any], list[str], Callable[[list], Any]]:
    """Return the leaves of nested tuples and dicts, their paths, and how to put in new ones.

    Examples
    --------
    >>> leaves, paths, rebuild = opened(({'a': 1, 'b': 2}, 3))
    >>> leaves, paths
    ([1, 2, 3], ["[0]['a']", "[0]['b']", '[1]'])
    >>> rebuild([4, 5, 6])
    ({'a': 4, 'b': 5}, 6)
    """
    if isinstance(item, dict):
        names: list[Any] = list(item)
        parts = list(item.values())
    elif isinstance(item, tuple):
        names, parts = list(range(len(item))), list(item)
    else:
        return [item], [path], lambda leaves: leaves[0]
    inside = [opened(part, f"{path}[{name!r}]") for name, part in zip(names, parts, strict=True)]
    ends = [0]
    for leaves, _, _ in inside:
        ends.append(ends[-1] + len(leaves))

    def rebuild(new: list) -> Any:
        made = [inside[i][2](new[ends[i] : ends[i + 1]]) for i in range(len(inside))]
        return _like(item, made)

    return (
        [leaf for leaves, _, _ in inside for leaf in leaves],
        [name for _, paths, _ in inside for name in paths],
        rebuild,
    )


def _like(item: Any, parts: list[Any]) -> Any:
    """Return a dict or tuple of an element's kind with other parts."""
    if isinstance(item, dict):
        return dict(zip(item, parts, strict=True))
    return type(item)(*parts) if hasattr(item, "_fields") else tuple(parts)


def to_numpy(item: Any) -> Any:
    """Turn minpy's arrays in an element into NumPy's, which can wait and be stacked anywhere."""
    if type(item) is ndarray:
        return numpy_value(item)
    if isinstance(item, dict):
        return {key: to_numpy(part) for key, part in item.items()}
    if isinstance(item, tuple):
        return _like(item, [to_numpy(part) for part in item])
    return item


def stack(group: list[Any], number: int = 0, path: str = "") -> Any:
    """Stack elements of one structure along a new first axis.

    Parameters
    ----------
    group
        The elements.
    number
        Of the first of them in its data set, for errors.
    path
        Where in its element each of them is, for errors.

    Raises
    ------
    ValueError
        If they differ in structure, in shape, or in being text.

    Examples
    --------
    >>> stack([(1, 'a'), (2, 'b')])
    (array([1, 2]), array(['a', 'b'], dtype='<U1'))
    """
    first = group[0]
    if isinstance(first, dict | tuple):
        expected = _outline(first)
        for i, item in enumerate(group):
            if _outline(item) != expected:
                raise _differs(number + i, path, _told(item), number, _told(first))
        keys = first if isinstance(first, dict) else range(len(first))
        return _like(
            first, [stack([item[k] for item in group], number, f"{path}[{k!r}]") for k in keys]
        )
    for i, item in enumerate(group):
        if isinstance(item, dict | tuple):
            raise _differs(number + i, path, _told(item), number, _told(first))
    arrays = [numpy.asarray(to_numpy(item)) for item in group]
    shape, text = arrays[0].shape, arrays[0].dtype.kind in "USO"
    for i, array in enumerate(arrays):
        if array.shape != shape:
            raise _differs(number + i, path, _told(array), number, _told(arrays[0]))
        if (array.dtype.kind in "USO") != text:
            raise _differs(
                number + i, path, f"dtype {array.dtype}", number, f"dtype {arrays[0].dtype}"
            )
    return numpy.stack(arrays)


def _outline(item: Any) -> Any:
    """Return what the outermost level of an element looks like."""
    if isinstance(item, dict):
        return frozenset(item)
    return len(item) if isinstance(item, tuple) else None


def _told(item: Any) -> str:
    if isinstance(item, dict):
        return f"a dict of {sorted(item, key=str)}"
    if isinstance(item, tuple):
        return f"a tuple of {len(item)}"
    return f"an array of shape {numpy.shape(item)}"


def _differs(number: int, path: str, got: str, first: int, expected: str) -> ValueError:
    return ValueError(
        f"batch: element {number} has {got}{' at ' + path if path else ''}, element {first} has "
        f"{expected}; map them to one structure and shape, or filter them"
    )
