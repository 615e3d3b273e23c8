"""Functions of `np.emath` and windows by strides: NumPy's values, and derivatives."""

from __future__ import annotations

import numpy
import pytest

import minpy
import minpy.numpy as np


@pytest.fixture(autouse=True)
def _double():
    minpy.set_default_dtype("float64")
    yield
    minpy.set_default_dtype("float32")


INSIDE, OUTSIDE = numpy.array([0.3, 0.4, 0.7]), numpy.array([0.3, -0.4, 1.7, -2.2])
_OF_ONE = ["sqrt", "log", "log2", "log10", "arccos", "arcsin", "arctanh"]
_CALLS = {
    **{name: lambda x, m, name=name: getattr(m.emath, name)(x) for name in _OF_ONE},
    "power": lambda x, m: m.emath.power(x, 1.5),
    "power, negative": lambda x, m: m.emath.power(x, -2),
    "logn": lambda x, m: m.emath.logn(2.5, x),
    "logn, base": lambda x, m: m.emath.logn(x, 3.0),
}


@pytest.mark.parametrize("name", _CALLS)
@pytest.mark.parametrize("x", [INSIDE, OUTSIDE], ids=["inside", "outside"])
def test_the_complex_continuation_has_numpys_values_and_derivatives(name, x):
    f = _CALLS[name]
    ours, theirs = f(np.array(x), np), f(x, numpy)
    assert ours.dtype == theirs.dtype
    numpy.testing.assert_array_equal(ours.asnumpy(), theirs)
    minpy.check_grads(lambda x: np.real(f(x, np)) + 2 * np.imag(f(x, np)), order=2)(x)


@pytest.mark.parametrize("name", ["arcsin", "arccos"])
def test_slopes_on_a_cut_are_those_of_the_side_that_the_value_is_on(name):
    f = getattr(np, name)
    for z in (complex(1.7, 0.0), complex(1.7, -0.0), complex(-1.7, 0.0), complex(-1.7, -0.0)):
        slope = complex(minpy.autograd.holomorphic_grad(f)(z))
        ends = [complex(z.real + step, z.imag) for step in (-1e-6, 1e-6)]  # z + step has no -0j
        along = (f(np.array(ends[1])) - f(np.array(ends[0]))) / 2e-6
        assert slope == pytest.approx(complex(along), rel=1e-6)


def test_windows_share_memory_and_have_derivatives():
    windows = np.lib.stride_tricks.sliding_window_view
    x = np.arange(5.0)
    seen = windows(x, 3)
    x[1] = 9
    assert seen.tolist() == [[0, 9, 2], [9, 2, 3], [2, 3, 4]]
    assert not seen.flags.writeable
    y = numpy.random.default_rng(0).normal(size=(3, 4))
    minpy.check_grads(lambda y: np.sin(windows(y, (2, 2))), order=2)(y)
    minpy.check_grads(lambda y: windows(y, 2, axis=-1) ** 2, order=2)(y)
    with pytest.raises(ValueError, match="writeable"):
        minpy.grad(lambda y: np.sum(windows(y, 2, 0, writeable=True)))(y)
