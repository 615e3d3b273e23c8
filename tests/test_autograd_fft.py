"""Transforms: NumPy's values bit for bit, and derivatives of any length, axis and scaling."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy
import pytest

import minpy
import minpy.numpy as np

_rng = numpy.random.default_rng(0)
REAL = _rng.normal(size=(3, 4))
ODD = _rng.normal(size=(2, 5))
COMPLEX = _rng.normal(size=(3, 4)) + 1j * _rng.normal(size=(3, 4))

_OF_REAL = ("rfft", "rfft2", "rfftn", "ihfft")
_ONE_AXIS = [{}, {"n": 3}, {"n": 6, "axis": 0}, {"n": 1}]
_TWO_AXES = [{}, {"s": (2, 6)}, {"s": (4, 3), "axes": (1, 0)}, {"axes": (0, 0)}]
_SHIFTS = [{}, {"axes": 0}, {"axes": (0, -1)}]


def _options(name: str) -> list[dict[str, Any]]:
    if "shift" in name:
        return _SHIFTS
    kinds = _TWO_AXES if name[-1] in "2n" else _ONE_AXIS
    kinds = [*kinds, {"axes": (-1,)}] if name[-1] == "n" else kinds
    return [{**kind, **norm} for kind, norm in product(kinds, ({}, {"norm": "ortho"}))] + [
        {"norm": "forward"},
        {"norm": "backward"},
    ]


CASES = [
    (name, x, options)
    for name in np.fft.__all__
    for x in (REAL, ODD, COMPLEX)
    for options in _options(name)
    if not (x is COMPLEX and name in _OF_REAL)
]


@pytest.fixture(autouse=True)
def _double():
    minpy.set_default_dtype("float64")


@pytest.mark.parametrize("name", np.fft.__all__)
def test_values_are_numpys_with_and_without_a_tape(name):
    for _, x, options in [case for case in CASES if case[0] == name]:
        expected = getattr(numpy.fft, name)(x, **options)
        f = lambda x, name=name, options=options: getattr(np.fft, name)(x, **options)  # noqa: E731
        for found in (f(np.array(x)), minpy.make_vjp(f)(x)[1]):
            assert found.dtype == expected.dtype
            assert found.asnumpy().tobytes() == expected.tobytes()


@pytest.mark.parametrize("name", np.fft.__all__)
def test_derivatives_agree_with_finite_differences(name):
    for _, x, options in [case for case in CASES if case[0] == name]:
        f = lambda x, name=name, options=options: getattr(np.fft, name)(x, **options)  # noqa: E731
        minpy.check_grads(f, order=1, tol=1e-6, rtol=1e-6)(x)
    minpy.check_grads(lambda x: np.absolute(getattr(np.fft, name)(x)) ** 3, order=2, tol=1e-4)(REAL)


@pytest.mark.parametrize("name", ["fft", "ifft", "fft2", "fftn", "ifftn", "rfft", "irfft", "rfftn"])
def test_gradients_are_those_of_hips(name):
    hips = pytest.importorskip("autograd")
    anp = pytest.importorskip("autograd.numpy")

    def loss(xp):
        return lambda x: xp.sum(xp.abs(getattr(xp.fft, name)(x) - 0.3) ** 3)

    x = REAL if name in _OF_REAL else COMPLEX
    found = minpy.grad(loss(np))(x).asnumpy()
    numpy.testing.assert_allclose(found, hips.grad(loss(anp))(x), rtol=1e-10)


def test_parseval():
    f = lambda x: np.sum(np.absolute(np.fft.fft(x, norm="ortho")) ** 2)  # noqa: E731
    numpy.testing.assert_allclose(minpy.grad(f)(REAL).asnumpy(), 2 * REAL, rtol=1e-12)


def test_precision_is_that_of_the_argument():
    x = np.array(REAL.astype("float32"))
    minpy.set_default_dtype("float32")
    assert np.fft.fft(x).dtype == "complex64"
    gradient = minpy.grad(lambda x: np.sum(np.absolute(np.fft.rfft(x, 8))))(x)
    assert gradient.dtype == "float32"
    assert gradient.shape == x.shape


def test_out_of_range_arguments_are_numpys_errors():
    with pytest.raises(ValueError, match="Invalid number of FFT data points"):
        minpy.grad(lambda x: np.sum(np.absolute(np.fft.fft(x, n=0))))(REAL)
    with pytest.raises(ValueError, match="Shape and axes have different lengths"):
        minpy.grad(lambda x: np.sum(np.absolute(np.fft.fftn(x, s=(2,), axes=(0, 1)))))(REAL)
