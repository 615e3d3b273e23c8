"""SciPy's optimisers with derivatives by minpy."""

from __future__ import annotations

import numpy
import pytest

import minpy
import minpy.numpy as np

sp = pytest.importorskip("scipy.optimize")
optimize = pytest.importorskip("minpy.scipy.optimize")

START = numpy.array([-1.2, 1.0, 0.5])


def rosenbrock(x):
    return np.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)


@pytest.mark.parametrize("method", ["BFGS", "CG", "L-BFGS-B", "SLSQP", "trust-constr"])
def test_value_and_gradient_together(method):
    found = optimize.minimize(minpy.value_and_grad(rosenbrock), START, jac=True, method=method)
    assert type(found.x) is numpy.ndarray
    numpy.testing.assert_allclose(found.x, 1.0, atol=1e-3)


@pytest.mark.parametrize("method", ["Newton-CG", "trust-ncg", "trust-exact", "trust-krylov"])
def test_hessians_and_their_products(method):
    options = {"jac": minpy.grad(rosenbrock), "hess": minpy.hessian(rosenbrock), "method": method}
    if method == "Newton-CG":
        options["hessp"] = minpy.autograd.hessian_vector_product(rosenbrock)
        del options["hess"]
    found = optimize.minimize(rosenbrock, np.array(START), **options)
    numpy.testing.assert_allclose(found.x, 1.0, atol=1e-4)


def test_constraints_bounds_and_arguments():
    circle = lambda x: 1.0 - np.sum(x**2)  # noqa: E731
    f = lambda x, a: -np.dot(a, x)  # noqa: E731
    found = optimize.minimize(
        f,
        numpy.array([0.5, 0.1]),
        args=(np.array([3.0, 4.0]),),
        jac=minpy.grad(f),
        method="SLSQP",
        bounds=optimize.Bounds([0.0, 0.0], [1.0, 0.7]),
        constraints=[{"type": "ineq", "fun": circle, "jac": minpy.grad(circle)}],
    )
    numpy.testing.assert_allclose(found.x, [numpy.sqrt(0.51), 0.7], atol=1e-6)


def test_roots_and_least_squares():
    f = lambda x: np.stack([x[0] ** 2 - 2.0, x[0] * x[1] - 1.0])  # noqa: E731
    found = optimize.root(f, numpy.ones(2), jac=minpy.jacobian(f)).x
    numpy.testing.assert_allclose(found, [2**0.5, 2**-0.5])
    found = optimize.least_squares(f, numpy.ones(2), jac=minpy.jacobian(f)).x
    numpy.testing.assert_allclose(found, [2**0.5, 2**-0.5])
    t = numpy.linspace(0.0, 1.0, 20)
    model = lambda t, a, b: a * np.exp(-b * t)  # noqa: E731
    fitted, _ = optimize.curve_fit(model, t, 2.0 * numpy.exp(-3.0 * t))
    numpy.testing.assert_allclose(fitted, [2.0, 3.0], rtol=1e-5)


def test_names_are_scipys():
    assert optimize.Bounds is sp.Bounds
    assert "minimize" in dir(optimize)
    with pytest.raises(AttributeError):
        optimize.no_such_thing  # noqa: B018
    with pytest.raises(AttributeError, match="has no attribute '_hidden'"):
        optimize._hidden  # noqa: B018
