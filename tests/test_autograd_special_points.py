"""Derivatives at kinks, ties, zeros and ends of domains: as documented, never a silent nan."""

from __future__ import annotations

import warnings

import numpy
import pytest

import minpy
import minpy.numpy as np

INF = numpy.inf


@pytest.fixture(autouse=True)
def _double():
    minpy.set_default_dtype("float64")


def gradient(function, *args):
    """Return the reverse-mode gradient, having checked that forward mode agrees."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        args = [numpy.asarray(a, "float64") for a in args]
        numbers = tuple(range(len(args)))
        found = minpy.grad(lambda *a: np.sum(function(*a)), numbers)(*args)
        for n, (arg, g) in enumerate(zip(args, found, strict=True)):
            for place in numpy.ndindex(arg.shape):
                direction = numpy.zeros(arg.shape)
                direction[place] = 1.0
                push = minpy.make_jvp(lambda *a: np.sum(function(*a)), n)(*args)
                assert float(push(direction)[1]) == pytest.approx(g[place].item(), nan_ok=True)
    return [g.tolist() for g in found]


@pytest.mark.parametrize(
    ("function", "args", "expected"),
    [
        (np.absolute, [0.0], [0.0]),
        (np.fabs, [0.0], [0.0]),
        (np.sinc, [0.0], [0.0]),
        (np.sqrt, [0.0], [INF]),
        (np.cbrt, [0.0], [INF]),
        (np.arcsin, [1.0], [INF]),
        (np.arctan2, [0.0, 0.0], [0.0, 0.0]),
        (np.hypot, [0.0, 0.0], [0.0, 0.0]),
        (np.maximum, [2.0, 2.0], [0.5, 0.5]),
        (np.minimum, [2.0, 2.0], [0.5, 0.5]),
        (np.fmax, [2.0, 2.0], [0.5, 0.5]),
        (np.maximum, [[1.0, 3.0], [3.0, 1.0]], [[0.0, 1.0], [1.0, 0.0]]),
        (np.logaddexp, [-INF, -INF], [0.0, 0.0]),
        (np.logaddexp, [-INF, 1.0], [0.0, 1.0]),
        (np.logaddexp, [800.0, 0.0], [1.0, 0.0]),
        (lambda x: np.clip(x, 0.0, 1.0), [[-1.0, 0.0, 0.5, 1.0, 2.0]], [[0.0, 1, 1, 1, 0.0]]),
        (lambda x: np.clip(x, 2.0, 1.0), [[0.0, 1.5, 3.0]], [[0.0, 0.0, 0.0]]),
        (lambda x: x**0, [0.0], [0.0]),
        (lambda x: x**1, [0.0], [1.0]),
        (lambda x: x**2, [0.0], [0.0]),
        (lambda x: x**3, [-2.0], [12.0]),
        (lambda x: x**0.5, [0.0], [INF]),
        (np.power, [0.0, 2.0], [0.0, 0.0]),
        (np.power, [0.0, 0.0], [0.0, 0.0]),
        (np.max, [[1.0, 3.0, 3.0]], [[0.0, 0.5, 0.5]]),
        (np.min, [[1.0, 1.0, 1.0, 1.0]], [[0.25] * 4]),
        (lambda x: np.max(x, axis=0), [[[1.0, 5.0], [1.0, 2.0]]], [[[0.5, 1.0], [0.5, 0.0]]]),
        (np.ptp, [[2.0, 2.0]], [[0.0, 0.0]]),
        (np.prod, [[0.0, 2.0, 3.0]], [[6.0, 0.0, 0.0]]),
        (np.prod, [[0.0, 0.0, 3.0]], [[0.0, 0.0, 0.0]]),
        (np.cumprod, [[2.0, 0.0, 3.0]], [[1.0, 2.0 + 6.0, 0.0]]),
        (np.std, [[2.0, 2.0, 2.0]], [[0.0, 0.0, 0.0]]),
        (np.var, [[2.0, 2.0]], [[0.0, 0.0]]),
        (np.linalg.norm, [[0.0, 0.0]], [[0.0, 0.0]]),
        (lambda x: np.linalg.norm(x, 3), [[0.0, 0.0]], [[0.0, 0.0]]),
        (lambda x: np.linalg.norm(x, 1), [[0.0, -2.0]], [[0.0, -1.0]]),
        (lambda x: np.linalg.norm(x, INF), [[-2.0, 2.0]], [[-0.5, 0.5]]),
        (np.sort, [[1.0, 1.0]], [[1.0, 1.0]]),
        (lambda x: np.sort(x)[0], [[1.0, 1.0]], [[1.0, 0.0]]),
        (np.median, [[1.0, 1.0, 1.0]], [[0.0, 1.0, 0.0]]),
        (lambda x: np.unique(x), [[3.0, 1.0, 3.0]], [[1.0, 1.0, 0.0]]),
        (np.remainder, [3.0, 2.0], [1.0, -1.0]),
        (np.nan_to_num, [[numpy.nan, INF, 2.0]], [[0.0, 0.0, 1.0]]),
        (np.nanmax, [[numpy.nan, 2.0, 2.0]], [[0.0, 0.5, 0.5]]),
        (np.nansum, [[numpy.nan, 2.0]], [[0.0, 1.0]]),
        (lambda x: np.copysign(x, -1.0), [0.0], [0.0]),
        (np.sum, [numpy.zeros((0, 3))], [[]]),
        (np.prod, [numpy.zeros(0)], [[]]),
        (lambda x: np.concatenate([x, numpy.ones(2)]), [numpy.zeros(0)], [[]]),
        (lambda x: np.dot(x, numpy.zeros((0, 2))), [numpy.zeros((2, 0))], [[[], []]]),
    ],
)
def test_the_documented_derivative(function, args, expected):
    assert gradient(function, *args) == expected


def test_a_branch_not_taken_makes_no_nan():
    x = numpy.array([0.0, 4.0])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for function, slope in (
            (lambda x: np.log(x, where=x > 0, out=np.zeros(2)), [0.0, 0.25]),
            (lambda x: np.sqrt(x, where=x > 0, out=np.zeros(2)), [0.0, 0.25]),
            (lambda x: np.divide(1.0, x, where=x > 0, out=np.zeros(2)), [0.0, -1 / 16]),
            (lambda x: np.power(x, -0.5, where=np.array([False, True])), [0.0, -1 / 16]),
        ):
            total = lambda x, function=function: np.sum(function(x))  # noqa: E731
            assert minpy.grad(total)(x).tolist() == slope
            assert numpy.isfinite(minpy.hessian(total)(x).asnumpy()).all()


def test_second_derivatives_at_the_origin_are_finite():
    zero = numpy.zeros(3)
    for function in (
        np.linalg.norm,
        np.std,
        lambda x: np.hypot(x[0], x[1]),
        lambda x: np.arctan2(x[0], x[1]),
        lambda x: np.prod(x),
        lambda x: np.sum(np.sinc(x)),
        lambda x: np.sum(np.absolute(x)),
        lambda x: np.sum(x**3),
    ):
        assert numpy.isfinite(minpy.hessian(function)(zero).asnumpy()).all()


def test_repeated_eigenvalues_and_singular_values_give_no_nan():
    eye = numpy.eye(3)
    assert (
        minpy.grad(lambda a: np.sum(np.linalg.eigvalsh(a) ** 2))(eye).tolist() == (2 * eye).tolist()
    )
    for function in (
        lambda a: np.sum(np.linalg.eigh(a)[1]),
        lambda a: np.sum(np.linalg.svd(a)[0]),
        lambda a: np.linalg.norm(a, "nuc"),
        lambda a: np.linalg.norm(a, 2),
    ):
        assert numpy.isfinite(minpy.grad(function)(eye).asnumpy()).all()


def test_infinite_derivatives_warn_as_numpy_does():
    with pytest.warns(RuntimeWarning, match="divide by zero"):
        minpy.grad(np.sqrt)(0.0)


def test_a_singular_matrix_is_numpys_error():
    for function in (np.linalg.inv, lambda a: np.linalg.slogdet(a)[1]):
        with pytest.raises(np.linalg.LinAlgError, match="Singular"):
            minpy.grad(lambda a, function=function: np.sum(function(a)))(numpy.zeros((2, 2)))
