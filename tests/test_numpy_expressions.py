"""Expressions with every other function of NumPy give what NumPy gives, errors included."""

from __future__ import annotations

import warnings
from typing import Any

import numpy
import pytest
from numpy_expressions import ARRAYS, EXPRESSIONS, TOOLS

import minpy
import minpy.numpy as np


def evaluate(expression: str, module: Any) -> Any:
    """Return the value of an expression, or the exception that it raises."""
    names = {name: module.array(value) for name, value in ARRAYS.items()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return eval(expression, {"np": module, **names, **TOOLS})
        except Exception as error:
            return error


def assert_same(found: Any, expected: Any) -> None:
    if isinstance(expected, Exception):
        assert isinstance(found, type(expected)), (found, expected)
        return
    assert not isinstance(found, Exception), found
    if isinstance(expected, numpy.ma.MaskedArray):
        assert type(found) is type(expected) and found.dtype == expected.dtype
        assert numpy.ma.getmaskarray(found).tolist() == numpy.ma.getmaskarray(expected).tolist()
        numpy.testing.assert_array_equal(found.filled(0), expected.filled(0))
    elif isinstance(expected, numpy.ndarray | numpy.number | numpy.bool_):
        assert type(found) is np.ndarray
        assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
        numpy.testing.assert_array_equal(found.asnumpy(), expected)
    elif isinstance(expected, list | tuple):
        assert len(found) == len(expected)
        for f, e in zip(found, expected, strict=True):
            assert_same(f, e)
    elif isinstance(expected, dict):
        assert found.keys() == expected.keys()
        for key, value in expected.items():
            assert_same(found[key], value)
    else:
        assert found == expected or (found != found and expected != expected)


_CASES = [(path, text) for path, texts in EXPRESSIONS.items() for text in texts]


@pytest.mark.parametrize(("path", "expression"), _CASES, ids=[text for _, text in _CASES])
def test_equals_numpy_with_default_float64(path, expression):
    minpy.set_default_dtype("float64")
    expected = evaluate(expression, numpy)
    found = evaluate(expression, np)
    assert_same(found, expected)


def test_the_expressions_use_the_functions_that_they_are_listed_for():
    for path, texts in EXPRESSIONS.items():
        name = f"np.{path}"
        for text in texts:
            assert name in text or path in ("save", "savetxt", "ix_", "require"), text


@pytest.mark.parametrize(
    "function",
    [
        lambda m, x: m.linspace(x, 4.0, 3),
        lambda m, x: m.logspace(x, 1.0, 3),
        lambda m, x: m.logspace(0.0, 1.0, 3, True, x[0]),
        lambda m, x: m.geomspace(x, 9.0, 4, endpoint=False, axis=-1),
        lambda m, x: m.geomspace(2.0, x, 3),
    ],
)
def test_gradients_reach_the_ends_of_ranges(function):
    minpy.set_default_dtype("float64")
    x = numpy.array([0.75, 1.5])
    found = minpy.grad(lambda x: np.sum(function(np, x) ** 2))(np.array(x))
    step = 1e-6
    for i in range(2):
        moved = [x + sign * step * numpy.eye(2)[i] for sign in (1, -1)]
        high, low = (numpy.sum(function(numpy, m) ** 2) for m in moved)
        numpy.testing.assert_allclose(float(found[i]), (high - low) / (2 * step), rtol=1e-6)
