"""Differential equations: derivatives in the start, the times and the parameters."""

from __future__ import annotations

import numpy
import pytest

import minpy
import minpy.numpy as np
from minpy.errors import DifferentiationError
from minpy.scipy.integrate import odeint

sp = pytest.importorskip("scipy.integrate")

TIMES = numpy.array([0.1, 0.5, 0.9, 1.6])
PRECISE = {"rtol": 1e-10, "atol": 1e-10}


@pytest.fixture(autouse=True)
def _double():
    minpy.set_default_dtype("float64")


def close(found, expected, rtol=1e-6):
    numpy.testing.assert_allclose(numpy.asarray(found), numpy.asarray(expected), rtol, 1e-7)


def pendulum(y, t, friction, pull):
    return np.stack([y[1], -pull["g"] * np.sin(y[0]) - friction * y[1] + 0.3 * t])


START = numpy.array([0.4, -0.2])
ARGS = (0.3, {"g": numpy.array(1.7)})


def test_values_are_scipys():
    found = odeint(pendulum, START, TIMES, ARGS, **PRECISE)
    expected = sp.odeint(
        lambda y, t: [y[1], -1.7 * numpy.sin(y[0]) - 0.3 * y[1] + 0.3 * t], START, TIMES, **PRECISE
    )
    close(found, expected, rtol=1e-9)
    assert isinstance(found, np.ndarray)


def test_exponential_growth_has_the_derivatives_of_the_exponential():
    def grown(y0, t, k):
        return odeint(lambda y, t, k: k * y, y0, t, (k,), **PRECISE)

    y0, k, weights = numpy.array([2.0, 3.0]), 0.7, numpy.arange(8.0).reshape(4, 2)
    loss = lambda *a: np.sum(grown(*a) * weights)  # noqa: E731

    def exact(y0, t, k):
        return np.sum(y0 * np.exp(k * (t - t[0]))[:, None] * weights)

    for n in range(3):
        close(minpy.grad(loss, n)(y0, TIMES, k), minpy.grad(exact, n)(y0, TIMES, k))
    close(
        minpy.grad(minpy.grad(loss, 2), 2)(y0, TIMES, k),
        minpy.grad(minpy.grad(exact, 2), 2)(y0, TIMES, k),
    )
    close(
        minpy.jacobian(minpy.grad(loss, 2), 0)(y0, TIMES, k),
        minpy.jacobian(minpy.grad(exact, 2), 0)(y0, TIMES, k),
    )


@pytest.mark.parametrize("mode", ["rev", "fwd"])
def test_derivatives_agree_with_finite_differences(mode):
    f = lambda y0, t, friction, pull: odeint(  # noqa: E731
        pendulum, y0, t, (friction, pull), **PRECISE
    )
    check = minpy.check_grads(f, modes=[mode], order=1, tol=1e-5, rtol=1e-5, eps=1e-4)
    check(START, TIMES, *ARGS)


def test_forward_over_reverse():
    f = lambda y0: np.sum(odeint(pendulum, y0, TIMES[:2], ARGS, **PRECISE) ** 2)  # noqa: E731
    hvp = minpy.autograd.hessian_vector_product(f)(START, numpy.array([1.0, 0.5]))
    gradient = minpy.grad(f)
    eps = 1e-4 * numpy.array([1.0, 0.5])
    difference = (gradient(START + eps).asnumpy() - gradient(START - eps).asnumpy()) / 2e-4
    close(hvp, difference, rtol=1e-4)


def test_gradients_are_those_of_hips():
    hips = pytest.importorskip("autograd")
    anp = pytest.importorskip("autograd.numpy")
    theirs = pytest.importorskip("autograd.scipy.integrate").odeint

    boxes = pytest.importorskip("autograd.builtins").tuple

    def loss(xp, solve, pack):
        def right(y, t, a, b):
            return xp.array([y[1] * a[0], -xp.sin(y[0]) * b - a[1] * y[1]])

        return lambda y0, a: xp.sum(solve(right, y0, TIMES, pack((a, 1.3))) ** 2)

    a = numpy.array([1.1, 0.4])
    for n in (0, 1):
        found = minpy.grad(loss(np, odeint, tuple), n)(START, a)
        close(found, hips.grad(loss(anp, theirs, boxes), n)(START, a), rtol=1e-5)


def test_one_argument_needs_no_tuple():
    f = lambda k: odeint(lambda y, t, k: k * y, [1.0], [0.0, 1.0], k, **PRECISE)[1, 0]  # noqa: E731
    close(minpy.grad(f)(0.5), numpy.exp(0.5))


def test_one_time_and_falling_times():
    f = lambda y0: np.sum(odeint(lambda y, t: -y, y0, TIMES[:1]))  # noqa: E731
    close(minpy.grad(f)(START), [1.0, 1.0])
    g = minpy.grad(lambda y0: odeint(lambda y, t: -y, y0, [1.0, 0.0], **PRECISE)[1, 0])(START)
    close(g, [numpy.e, 0.0])


def test_dtypes_of_gradients_are_those_of_the_arguments():
    minpy.set_default_dtype("float32")
    y0, k = np.array([1.0]), np.array(0.5)
    loss = lambda y0, k: np.sum(odeint(lambda y, t, k: k * y, y0, [0.0, 1.0], (k,)))  # noqa: E731
    assert [g.dtype for g in minpy.grad(loss, (0, 1))(y0, k)] == ["float32", "float32"]


def test_what_cannot_be_right_is_an_error():
    with pytest.raises(DifferentiationError, match="pass it in args"):
        minpy.grad(lambda k: np.sum(odeint(lambda y, t: k * y, [1.0], [0.0, 1.0])))(2.0)
    with pytest.raises(ValueError, match=r"one dimension, got shapes \(1, 1\) and \(1,\)"):
        odeint(lambda y, t: y, [[1.0]], [0.0])
    with pytest.raises(ValueError, match="full_output isn't supported"):
        odeint(lambda y, t: y, [1.0], [0.0], full_output=True)
