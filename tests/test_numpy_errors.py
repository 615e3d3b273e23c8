"""Every function raises what NumPy raises, for arguments of many kinds that may not suit it."""

from __future__ import annotations

import copy
import warnings
from typing import Any

import numpy
import pytest
from numpy_names import functions, module_of
from test_numpy_keywords import outcome, same, to_minpy

import minpy
import minpy.numpy as np

_A = numpy.array([1.5, -2.0, 3.0])
_X = numpy.arange(6.0).reshape(2, 3)
ARGUMENTS: dict[str, tuple[tuple, dict[str, Any]]] = {
    "nothing": ((), {}),
    "thirty numbers": (tuple(range(30)), {}),
    "an unknown keyword": ((), {"nonsense": 1}),
    "an array and an unknown keyword": ((_A,), {"nonsense": 1}),
    "a text": (("text",), {}),
    "a text and a number": (("a", 3), {}),
    "an array and a text": ((_A, "a"), {}),
    "an axis that isn't there": ((_A,), {"axis": 7}),
    "an axis that is a text": ((_A,), {"axis": "x"}),
    "shapes that don't match": ((_A, numpy.ones(2)), {}),
    "matrices that don't match": ((_X, numpy.ones((4, 5))), {}),
    "an array": ((_A,), {}),
    "three dimensions": ((numpy.ones((2, 2, 2)),), {}),
    "no dimension": ((numpy.array(1.5),), {}),
    "a negative number": ((-3,), {}),
    "no elements in two dimensions": ((numpy.zeros((0, 3)),), {}),
    "no elements": ((numpy.zeros(0),), {}),
    "complex numbers": ((numpy.array([1j, 2]),), {}),
    "booleans": ((numpy.array([True, False]),), {}),
    "texts": ((numpy.array(["a", "b"]),), {}),
    "an array and 5": ((_A, 5), {}),
    "an array and -5": ((_A, -5), {}),
    "an array and 1.5": ((_A, 1.5), {}),
    "a matrix and 0": ((_X, 0), {}),
    "a matrix and 7": ((_X, 7), {}),
    "a matrix and None": ((_X, None), {}),
    "nan": ((numpy.array([numpy.nan, 1.0]),), {}),
}

# These set or print something for the whole process: called in two ways only, which are wrong.
_SETS_OR_PRINTS = {
    *["add_docstring", "add_newdoc", "add_newdoc_ufunc", "deprecate", "deprecate_with_doc"],
    *["disp", "fromfile", "info", "lookfor", "nested_iters", "printoptions", "safe_eval"],
    *["set_numeric_ops", "set_printoptions", "set_string_function", "setbufsize", "seterr"],
    *["seterrcall", "seterrobj", "show_config", "show_runtime", "source", "who"],
    *["polynomial.set_default_printstyle", "random.seed", "random.set_state"],
}
_WRONG = ("an unknown keyword", "thirty numbers")

_OBJECTS = "NumPy makes an array of Python objects, which minpy has none of"
# (function, arguments) → why the outcome isn't NumPy's.
DELIBERATE: dict[tuple[str, str], str] = {
    **{
        (name, "a matrix and None"): _OBJECTS
        for name in (
            *[
                "append",
                "atleast_1d",
                "atleast_2d",
                "atleast_3d",
                "broadcast_arrays",
                "extract",
                "meshgrid",
            ],
        )
    },
    ("linalg.lstsq", "a matrix and None"): _OBJECTS,
    ("where", "a matrix and None"): "None stands for an argument that isn't given",
    ("nan_to_num", "a matrix and None"): "copy=None, which NumPy 2 takes",
    ("array_split", "a text and a number"): "a text is an array without dimensions",
    ("split", "a text and a number"): "a text is an array without dimensions",
    ("from_dlpack", "texts"): "an array of ours is returned as it is",
}
# Addresses, memory that holds anything, and an object that draws arrays of ours.
_VALUES_DIFFER = {"byte_bounds", "empty", "empty_like", "ma.empty", "ma.empty_like"}
_VALUES_DIFFER |= {"random.default_rng"}


def call(function: Any, args: tuple, kwargs: dict) -> Any:
    numpy.random.seed(1)
    result = outcome(function, args, dict(kwargs))
    enter = getattr(result, "__enter__", None)
    return outcome(enter, (), {}) if enter else result


def alike(found: Any, expected: Any) -> bool:
    """Say whether results are equal: a Python number may be an array without dimensions."""
    if found is expected:
        return True
    if isinstance(found, Exception) or isinstance(expected, Exception):
        return isinstance(expected, Exception) and same(found, expected)
    if isinstance(expected, list | tuple):
        return len(found) == len(expected) and all(map(alike, found, expected))
    if isinstance(expected, numpy.ndarray | numpy.generic):
        plain = type(expected) is numpy.ndarray or isinstance(expected, numpy.generic)
        # What isn't numbers, matrices and masked arrays: test_numpy_expressions.py compares them.
        return not plain or expected.dtype.kind not in "biufc" or same(found, expected)
    if type(expected) in (bool, int, float) and type(found) is np.ndarray:
        return found.shape == () and found.item() == expected
    return type(found) is type(expected)


@pytest.mark.parametrize("path", functions())
def test_what_numpy_raises_is_raised(path, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)  # some write files
    minpy.set_default_dtype("float64")
    theirs, ours = module_of(numpy, path), module_of(np, path)
    if ours is theirs:
        return
    raised = 0
    for what in _WRONG if path in _SETS_OR_PRINTS else ARGUMENTS:
        args, kwargs = ARGUMENTS[what]
        expected = call(theirs, copy.deepcopy(args), kwargs)
        raised += isinstance(expected, Exception)
        if (path, what) in DELIBERATE:
            continue
        found = call(ours, to_minpy(copy.deepcopy(args)), kwargs)
        if path in _VALUES_DIFFER and not isinstance(expected, Exception):
            assert not isinstance(found, Exception), (what, found)
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            assert alike(found, expected), (what, found, expected)
    assert raised or path == "set_numeric_ops"  # which takes anything
