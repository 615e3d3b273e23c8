"""Every call of the table gives what NumPy gives: values bit for bit, shapes, dtypes, structure."""

from __future__ import annotations

import copy
import warnings
from typing import Any

import numpy
import pytest
from numpy_calls import CALLS, Call

import minpy
import minpy.numpy as np


def to_minpy(value: Any) -> Any:
    if isinstance(value, numpy.ndarray):
        return np.array(value)
    if type(value) in (list, tuple):
        return type(value)(to_minpy(v) for v in value)
    return value


def by_numpy(call: Call) -> Any:
    args, kwargs = copy.deepcopy((call.args, call.kwargs))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return call.function_of(numpy)(*args, **kwargs)


def by_minpy(call: Call) -> Any:
    kwargs = {name: to_minpy(value) for name, value in call.kwargs.items()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return call.function_of(np)(*to_minpy(call.args), **kwargs)


def assert_same(found: Any, expected: Any, exact: bool = True) -> None:
    if isinstance(expected, numpy.ndarray | numpy.generic):
        assert type(found) is np.ndarray
        assert found.shape == expected.shape
        if exact:
            assert found.dtype == expected.dtype
            numpy.testing.assert_array_equal(found.asnumpy(), expected)
        else:
            numpy.testing.assert_allclose(found.asnumpy(), expected, rtol=2e-5, atol=2e-5)
    elif isinstance(expected, list | tuple):
        assert isinstance(found, list if isinstance(expected, list) else tuple)
        assert getattr(type(found), "_fields", None) == getattr(type(expected), "_fields", None)
        for f, e in zip(found, expected, strict=True):
            assert_same(f, e, exact)
    else:
        assert found == expected


@pytest.fixture
def float64():
    minpy.set_default_dtype("float64")
    yield
    minpy.set_default_dtype("float32")


@pytest.mark.parametrize("call", CALLS, ids=str)
def test_equals_numpy_bit_for_bit_with_default_float64(call, float64):
    if call.path == "empty_like":
        assert by_minpy(call).shape == by_numpy(call).shape
    else:
        assert_same(by_minpy(call), by_numpy(call))


def single(value: Any) -> Any:
    """Give doubles single precision."""
    if isinstance(value, numpy.ndarray) and value.dtype.char in "dD":
        return value.astype("float32" if value.dtype.kind == "f" else "complex64")
    if type(value) in (list, tuple):
        return type(value)(single(v) for v in value)
    return value


def _dtypes(value: Any) -> list[str]:
    if isinstance(value, list | tuple):
        return [d for v in value for d in _dtypes(v)]
    return [str(value.dtype)] if hasattr(value, "dtype") else []


@pytest.mark.parametrize("call", CALLS, ids=str)
def test_no_double_precision_where_the_arguments_are_single(call):
    asks = [a for a in call.args if isinstance(a, str) and a == "float32"]
    if {"dtype", "out"} & call.kwargs.keys() or asks or call.path == "result_type":
        return
    args, kwargs = single(call.args), {k: single(v) for k, v in call.kwargs.items()}
    narrow = Call(call.path, args, kwargs)
    found = by_minpy(narrow)
    if call.path in ("nextafter", "spacing", "array_str", "linalg.matrix_rank", "empty_like"):
        return  # they say something about the precision itself
    assert not {"float64", "complex128"} & set(_dtypes(found))
    assert_same(found, by_numpy(narrow), exact=False)


def test_the_namespace_has_every_public_name_of_numpy():
    public = {name for name in numpy.__all__ if not name.startswith("_")}
    assert {name for name in public if not hasattr(np, name)} == set()
    assert public <= set(dir(np))


def test_star_import_brings_no_stray_names():
    names: dict[str, Any] = {}
    exec("from minpy.numpy import *", names)
    names.pop("__builtins__")
    assert sorted(names) == sorted(np.__all__)
    assert not {"Any", "numpy", "runtime", "Primitive", "registry", "unbroadcast"} & set(names)


@pytest.mark.parametrize("name", sorted({c.path for c in CALLS if "." not in c.path}))
def test_functions_have_a_name_and_a_text(name):
    function = getattr(np, name)
    assert function.__doc__ and function.__name__
