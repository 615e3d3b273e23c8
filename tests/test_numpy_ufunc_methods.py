"""The methods and attributes of every ufunc are NumPy's: values bit for bit, errors by type."""

from __future__ import annotations

import copy
import warnings

import numpy
import pytest
from test_numpy_errors import alike
from test_numpy_keywords import outcome, same, to_minpy

import minpy
import minpy.numpy as np

UFUNCS = sorted(n for n in dir(numpy) if isinstance(getattr(numpy, n), numpy.ufunc))
ATTRIBUTES = ("nin", "nout", "nargs", "ntypes", "types", "identity", "signature")
_FLOATS = numpy.array([[1.5, -2.0, 3.0], [0.5, 4.0, -1.0]])
_WHOLE = numpy.array([[3, 1, 2], [5, 4, 6]])
OPERANDS = {"floats": _FLOATS, "integers": _WHOLE, "booleans": _WHOLE > 2}
_MASK = numpy.arange(6).reshape(2, 3) % 2 == 0


def calls(x):
    """Return method → arguments, of which some are wrong."""
    out, square = numpy.zeros(3, x.dtype), numpy.zeros((3, 3), x.dtype)
    return {
        "reduce": [
            *[((x, axis), {}) for axis in (0, -1, None, (0, 1), 5, "a")],
            ((x,), {"keepdims": True}),
            *[((x,), {"initial": initial}) for initial in (2, None)],
            *[((x,), {"where": _MASK, **more}) for more in ({}, {"initial": 1})],
            *[((x,), {"dtype": dtype}) for dtype in ("float32", "nonsense")],
            *[((x,), {"out": o}) for o in (out, (out,), numpy.zeros(7), 3)],
            ((x, 0, None, out), {}),
            ((x, -1, "float64", None, True), {}),
            *[((a,), {}) for a in (x[:0], x[0], 3.0)],
            ((x,), {"nonsense": 1}),
        ],
        "accumulate": [
            *[((x, axis), {}) for axis in (0, -1, 5, None)],
            ((x,), {"dtype": "float32"}),
            ((x,), {"out": numpy.zeros(x.shape, x.dtype)}),
            ((3.0,), {}),
        ],
        "reduceat": [
            ((x, [0, 1]), {}),
            ((x, numpy.array([0, 2, 1]), 1), {}),
            ((x, [0, 9]), {}),
            ((x, [1, 0], 0, "float32"), {}),
            ((x, [0, 1]), {"out": numpy.zeros((2, 3), x.dtype)}),
        ],
        "outer": [
            *[((a, b), {}) for a, b in ((x, x[0]), (x[0], 2), (2, 3))],
            ((x, x), {"dtype": "float32"}),
            ((x[0], x[1]), {"out": square}),
            ((x[0], x[1]), {"where": False, "out": square}),
        ],
    }


@pytest.mark.parametrize("name", UFUNCS)
def test_attributes(name):
    theirs, ours = getattr(numpy, name), getattr(np, name)
    for attribute in ATTRIBUTES:
        assert getattr(ours, attribute) == getattr(theirs, attribute), attribute


@pytest.mark.parametrize("name", UFUNCS)
def test_methods_that_return_an_array(name):
    minpy.set_default_dtype("float64")
    for what, x in OPERANDS.items():
        for method, every in calls(x).items():
            for args, kwargs in every:
                theirs, ours = (getattr(getattr(m, name), method) for m in (numpy, np))
                expected = outcome(theirs, *copy.deepcopy((args, kwargs)))
                given = {key: to_minpy(value) for key, value in kwargs.items()}
                found = outcome(ours, to_minpy(args), given)
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    assert alike(found, expected), (what, method, args, kwargs, found, expected)


@pytest.mark.parametrize("name", UFUNCS)
def test_at(name):
    minpy.set_default_dtype("float64")
    theirs, ours = getattr(numpy, name), getattr(np, name)
    for x in OPERANDS.values():
        second = x[1][:1]
        for args in [([0, 1, 0], second), ([0, 0], 1), ([9], 1), (numpy.array([0, 0]),), (1, 2)]:
            plain, array = x[0].copy(), np.array(x[0])
            expected = outcome(theirs.at, (plain, *copy.deepcopy(args)), {})
            found = outcome(ours.at, (array, *to_minpy(args)), {})
            assert same(found, expected), (args, found, expected)
            assert same(array, plain), (args, array, plain)
