"""Compares named arrays with the shapes and dtypes that someone expects; changes neither.

Knows nothing of files but the name that the messages give.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy

from minpy.errors import CheckpointMismatchError

_KINDS = {
    "b": "booleans",
    "i": "integers",
    "u": "integers",
    "f": "floats",
    "c": "complex numbers",
}
_SUGGESTIONS = 10  # finding a near name among thousands takes 0.1 s: none after so many problems


def match(
    given: Mapping[str, Any],
    expected: Mapping[str, tuple[tuple[int, ...], Any]],
    *,
    path: str,
    section: str,
    strict: bool = True,
) -> tuple[dict[str, Any], list[str]]:
    """Check that arrays from a checkpoint fit what they are to be loaded into.

    An array fits where there is one expected of its name and shape, and of the same kind of
    dtype: floats for floats whatever their width, integers for integers, and so on. Values that
    the expected dtype can't hold, such as 300 for uint8 or 1e300 for float32, don't fit either.

    Parameters
    ----------
    given : mapping of str to array
    expected : mapping of str to (shape, dtype)
    path, section : str
        Where `given` comes from, for the messages.
    strict : bool
        Raise if there is any problem; else leave out what doesn't fit.

    Returns
    -------
    usable : dict of str to array
        The arrays that fit, as they were given, in the order of `expected`.
    problems : list of str
        What is wrong with the rest; empty if `strict`.

    Raises
    ------
    CheckpointMismatchError
        If `strict` and there is a problem; the message lists them all.

    Examples
    --------
    >>> given = {"kernel": numpy.zeros((2, 3)), "offset": numpy.zeros(3)}
    >>> expected = {"kernel": ((3, 2), "float32"), "offset": ((3,), "float32")}
    >>> usable, problems = match(given, expected, path="net.h5", section="weights", strict=False)
    >>> list(usable), problems
    (['offset'], ["'kernel': expected shape (3, 2), the file has (2, 3)"])
    """
    usable, problems = {}, []
    unclaimed = [name for name in given if name not in expected]
    for name, (shape, dtype) in expected.items():
        if name not in given:
            near = _near(name, unclaimed) if len(problems) < _SUGGESTIONS else ""
            problems.append(
                f"{name!r}: missing, expected {tuple(shape)} {numpy.dtype(dtype)}{near}"
            )
            continue
        found = list(_differences(numpy.asarray(given[name]), tuple(shape), numpy.dtype(dtype)))
        problems += [f"{name!r}: {difference}" for difference in found]
        if not found:
            usable[name] = given[name]
    absent = [name for name in expected if name not in given]
    for name in unclaimed:
        near = _near(name, absent) if len(problems) < _SUGGESTIONS else ""
        problems.append(f"{name!r}: not expected here{near}")
    if strict and problems:
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        raise CheckpointMismatchError(
            f"checkpoint {path!r}, {section}: doesn't fit, {count}:\n  " + "\n  ".join(problems)
        )
    return usable, problems


def _near(name: str, others: list[str]) -> str:
    close = difflib.get_close_matches(name, others, n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def _differences(array: numpy.ndarray, shape: tuple[int, ...], dtype: numpy.dtype) -> Iterator[str]:
    if array.shape != shape:
        yield f"expected shape {shape}, the file has {array.shape}"
    kinds = [_KINDS.get(kind, "objects") for kind in (dtype.kind, array.dtype.kind)]
    if kinds[0] != kinds[1]:
        yield f"expected {kinds[0]} ({dtype}), the file has {kinds[1]} ({array.dtype})"
    elif not numpy.can_cast(array.dtype, dtype) and _overflows(array, dtype):
        yield f"has values that {dtype} can't hold, the file has {array.dtype}"


def _overflows(array: numpy.ndarray, dtype: numpy.dtype) -> bool:
    with numpy.errstate(over="ignore", invalid="ignore"):
        cast = array.astype(dtype)
    if dtype.kind in "iu":
        return bool((cast.astype(object) != array.astype(object)).any())
    return bool((numpy.isfinite(array) & ~numpy.isfinite(cast)).any())
