"""Every keyword of every function does what NumPy's does, or raises what NumPy raises.

Each call of the table is made anew with each keyword that it has not: ``out=``, ``where=``,
``axis=``, ``keepdims=``, ``dtype=``, ``order=``, ``casting=`` and what else the signature names,
with values that are right and values that are wrong.
"""

from __future__ import annotations

import copy
import inspect
import warnings
from collections.abc import Iterator
from typing import Any

import numpy
import pytest
from numpy_calls import CALLS, Call

import minpy
import minpy.numpy as np
from minpy.numpy.signatures import signature_of

VALUES: dict[str, tuple] = {
    "axis": (0, -1, None, (0,), 5, 1.5, "a"),
    "keepdims": (True, False),
    "dtype": ("float32", "complex128", "int64", "float64", "nonsense"),
    "order": ("C", "F", "K", "A", "X"),
    "casting": ("no", "safe", "unsafe", "equiv", "bad"),
    "subok": (True, False),
    "ddof": (1, 2.5),
    "initial": (1.0, None),
    "mode": ("wrap", "bad"),
    "like": (None,),
}


def to_minpy(value: Any) -> Any:
    if isinstance(value, numpy.ndarray):
        return np.array(value)
    if type(value) in (list, tuple):
        return type(value)(to_minpy(v) for v in value)
    return value


def outcome(function: Any, args: tuple, kwargs: dict) -> Any:
    """Return what a call returns, or the exception that it raises."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return function(*args, **kwargs)
        except Exception as error:
            return error


def public(error: Exception) -> type:
    """Return the class of an exception, or of what a private one of NumPy's stands for."""
    return next(c for c in type(error).__mro__ if not c.__name__.startswith("_UFunc"))


def same(found: Any, expected: Any) -> bool:
    if isinstance(expected, Exception):
        kind = public(expected)
        return isinstance(found, TypeError if kind.__name__ == "UFuncTypeError" else kind)
    if isinstance(expected, numpy.ndarray | numpy.generic):
        if type(found) is not np.ndarray or found.dtype != expected.dtype:
            return False
        return found.shape == expected.shape and numpy.array_equal(
            found.asnumpy(), expected, equal_nan=expected.dtype.kind in "fc"
        )
    if isinstance(expected, list | tuple):
        return len(found) == len(expected) and all(map(same, found, expected))
    return type(found) is type(expected) and (found == expected or found != found)


def outs(like: Any) -> Iterator[dict]:
    """Yield what results could be written to, and could not."""
    if isinstance(like, numpy.ndarray | numpy.generic):
        like = numpy.asarray(like)
        yield {"out": numpy.zeros(like.shape, like.dtype)}
        yield {"out": numpy.zeros(like.shape, "int8")}
        yield {"out": numpy.zeros((*like.shape, 2))}
        yield {"out": numpy.zeros((3, *like.shape), like.dtype)}
        yield {"out": 3}


def masks(call: Call, result: Any) -> Iterator[dict]:
    if not isinstance(result, numpy.ndarray | numpy.generic):
        return
    yield {"where": True}
    if isinstance(call.function_of(numpy), numpy.ufunc):
        result = numpy.asarray(result)
        mask = numpy.arange(result.size).reshape(result.shape) % 2 == 0
        yield {"where": mask, "out": numpy.full(result.shape, 2, result.dtype)}
        return
    shape = numpy.shape(call.args[0])
    yield {"where": numpy.arange(numpy.prod(shape, dtype=int)).reshape(shape) % 2 == 0}
    yield {"where": numpy.ones((7, 7), bool)}


def trials(call: Call) -> Iterator[dict]:
    """Yield keywords that a call has not."""
    signature = signature_of(call.function_of(numpy))
    given = {*signature.bind(*call.args, **call.kwargs).arguments, *call.kwargs}
    free = [
        p
        for p in signature.parameters.values()
        if p.name not in given and p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)
    ]
    result = outcome(call.function_of(numpy), *copy.deepcopy((call.args, call.kwargs)))
    for p in free:
        if p.name == "out":
            yield from outs(result)
        elif p.name == "where":
            yield from masks(call, result)
        else:
            yield from ({p.name: value} for value in VALUES.get(p.name, ()))
    yield {p.name: p.default for p in free if p.default is not numpy._NoValue}
    yield {"nonsense": 1}


_PATHS = sorted({c.path for c in CALLS})
_BY_PATH = {path: [c for c in CALLS if c.path == path] for path in _PATHS}
# The memory of `empty_like` holds anything; the others take no keywords that their text tells.
_WITHOUT = {"empty_like"}


def has_signature(path: str) -> bool:
    try:
        return path not in _WITHOUT and bool(signature_of(_BY_PATH[path][0].function_of(numpy)))
    except ValueError:
        return False


@pytest.mark.parametrize("path", [p for p in _PATHS if has_signature(p)])
def test_keywords_do_what_numpys_do(path):
    minpy.set_default_dtype("float64")
    for call in _BY_PATH[path]:
        for extra in trials(call):
            kwargs = {**call.kwargs, **extra}
            expected = outcome(call.function_of(numpy), *copy.deepcopy((call.args, kwargs)))
            given = {name: to_minpy(value) for name, value in kwargs.items()}
            found = outcome(call.function_of(np), to_minpy(call.args), given)
            assert same(found, expected), (str(call), extra, found, expected)


@pytest.mark.parametrize("path", [p for p in _PATHS if has_signature(p)])
def test_positional_arguments_have_numpys_names(path):
    minpy.set_default_dtype("float64")
    parameters = list(signature_of(_BY_PATH[path][0].function_of(numpy)).parameters.values())
    starred = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.POSITIONAL_ONLY)
    if any(p.kind in starred for p in parameters):
        return
    for call in _BY_PATH[path]:
        named = {p.name: a for p, a in zip(parameters, call.args, strict=False)} | call.kwargs
        expected = outcome(call.function_of(numpy), (), copy.deepcopy(named))
        found = outcome(call.function_of(np), (), {k: to_minpy(v) for k, v in named.items()})
        assert same(found, expected), (str(call), found, expected)


@pytest.mark.parametrize("path", ["concatenate", "arange"])
def test_keywords_that_no_signature_tells(path):
    minpy.set_default_dtype("float64")
    pair = [numpy.arange(6.0).reshape(2, 3), numpy.ones((2, 3), "float32")]
    made = [{"dtype": d, "casting": c} for d in VALUES["dtype"] for c in VALUES["casting"]]
    made += [{"out": numpy.zeros(s, d)} for s in ((4, 3), (3, 4), (1, 4, 3)) for d in ("f8", "i4")]
    made += [{"out": 3}, {"out": numpy.zeros((4, 3)), "dtype": "f8"}, {"axis": 2}, {"axis": None}]
    starts = [{"stop": 5}, {"start": 1, "stop": 5}, {"start": 1, "stop": 4, "step": 2}]
    starts += [{"start": 5}, {}, {"stop": "a"}, {"stop": 3, "dtype": "int8"}, {"nonsense": 1}]
    for kwargs in made if path == "concatenate" else starts:
        args = (pair,) if path == "concatenate" else ()
        expected = outcome(getattr(numpy, path), args, copy.deepcopy(kwargs))
        given = {name: to_minpy(value) for name, value in kwargs.items()}
        found = outcome(getattr(np, path), to_minpy(args), given)
        assert same(found, expected), (kwargs, found, expected)


# Our `resize` refuses, as NumPy's does where others refer to the memory; which we can't know.
_REFUSED = {"resize"}


def methods() -> list[str]:
    names = {c.path for c in CALLS if callable(getattr(numpy.ndarray, c.path, None))}
    return sorted(names - _REFUSED)


@pytest.mark.parametrize("name", methods())
def test_keywords_of_methods_do_what_numpys_do(name):
    minpy.set_default_dtype("float64")
    try:
        parameters = signature_of(getattr(numpy.ndarray, name)).parameters
    except ValueError:  # numpy.ndarray.dot has no text
        parameters = {"b": None, "out": None}
    for call in _BY_PATH[name]:
        if not isinstance(call.args[0], numpy.ndarray):
            continue
        for extra in ({}, *trials(call)):
            kwargs = {**call.kwargs, **extra}
            if not kwargs.keys() <= {*parameters, "nonsense"}:
                continue
            array, *rest = copy.deepcopy(call.args)
            expected = outcome(getattr(array, name), tuple(rest), copy.deepcopy(kwargs))
            ours, *args = to_minpy(call.args)
            given = {name: to_minpy(value) for name, value in kwargs.items()}
            found = outcome(getattr(ours, name), tuple(args), given)
            assert same(found, expected), (str(call), extra, found, expected)
            if expected is None:  # sorted in place, say
                assert same(ours, array), (str(call), extra, ours, array)
