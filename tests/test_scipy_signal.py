"""Convolution: SciPy's and HIPS autograd's values, derivatives in both arrays."""

from __future__ import annotations

import numpy
import pytest

import minpy
import minpy.numpy as np
from minpy.scipy.signal import convolve

sp = pytest.importorskip("scipy.signal")

_rng = numpy.random.default_rng(29)
MODES = ("full", "valid", "same")


def real(*shape: int) -> numpy.ndarray:
    return _rng.normal(size=shape)


SIZES = [
    ((5,), (3,)),
    ((5,), (2,)),
    ((3,), (5,)),
    ((4, 5), (2, 3)),
    ((2, 3), (4, 5)),
    ((4, 3), (2, 3)),
]
MIXED = ((2, 5), (3, 2))
# shapes of A and B, axes, dot_axes
ALONG_AXES = [
    ((2, 6), (3, 3), ([1], [1]), ([], [])),
    ((2, 3, 6), (3, 4, 3), ([2], [2]), ([1], [0])),
    ((5, 2, 6, 5), (2, 3, 2, 3), ([2, 3], [2, 3]), ([1], [0])),
    ((6, 2), (3, 2), ([0], [0]), ([1], [1])),
    ((2, 3), (3, 4), ([], []), ([1], [0])),
]


@pytest.fixture(autouse=True)
def _double():
    minpy.set_default_dtype("float64")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("shapes", [*SIZES, MIXED], ids=str)
def test_values_and_derivatives_without_axes(shapes, mode):
    a, b = real(*shapes[0]), real(*shapes[1])
    if shapes is MIXED and mode == "valid":
        with pytest.raises(ValueError, match="at least as large as the other"):
            convolve(a, b, mode=mode)
        return
    expected = sp.convolve(a, b, mode)
    for found in (convolve(np.array(a), b, mode=mode), convolve(a, b, mode)):
        numpy.testing.assert_allclose(found.asnumpy(), expected, rtol=1e-10, atol=1e-12)
    minpy.check_grads(lambda a, b: convolve(a, b, mode=mode), order=2, tol=1e-5)(a, b)


@pytest.mark.parametrize("mode", ["full", "valid"])
@pytest.mark.parametrize("case", ALONG_AXES, ids=str)
def test_values_and_derivatives_along_axes_are_those_of_hips(case, mode):
    theirs = pytest.importorskip("autograd.scipy.signal").convolve
    hips = pytest.importorskip("autograd")
    anp = pytest.importorskip("autograd.numpy")
    a, b = real(*case[0]), real(*case[1])
    options = {"axes": case[2], "dot_axes": case[3], "mode": mode}
    if case[2][0]:
        numpy.testing.assert_allclose(
            convolve(a, b, **options).asnumpy(), theirs(a, b, **options), rtol=1e-10, atol=1e-12
        )
        for n in (0, 1):
            found = minpy.grad(lambda a, b: np.sum(convolve(a, b, **options) ** 2), n)(a, b)
            expected = hips.grad(lambda a, b: anp.sum(theirs(a, b, **options) ** 2), n)(a, b)
            numpy.testing.assert_allclose(found.asnumpy(), expected, rtol=1e-9, atol=1e-11)
    else:
        numpy.testing.assert_allclose(convolve(a, b, **options).asnumpy(), a @ b, rtol=1e-12)
    minpy.check_grads(lambda a, b: convolve(a, b, **options), order=2, tol=1e-5, rtol=1e-5)(a, b)


def test_complex_signals():
    a, b = real(5) + 1j * real(5), real(3) - 1j * real(3)
    numpy.testing.assert_allclose(convolve(a, b).asnumpy(), sp.convolve(a, b), rtol=1e-10)
    minpy.check_grads(convolve, order=2, tol=1e-5, rtol=1e-5)(a, b)


def test_arguments_are_checked():
    with pytest.raises(ValueError, match="expected mode 'full', 'valid' or 'same', got 'half'"):
        convolve(real(3), real(3), mode="half")
    with pytest.raises(ValueError, match="as many dimensions each, got 1 and 2"):
        convolve(real(3), real(3, 3))
    with pytest.raises(ValueError, match="as many axes of each array"):
        convolve(real(3, 3), real(3, 3), axes=([0], [0, 1]))
    with pytest.raises(ValueError, match="is empty"):
        convolve(real(0), real(3))
