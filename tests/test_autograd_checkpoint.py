"""Checkpoints give the derivatives without keeping values; fixed points without iterations."""

from __future__ import annotations

import weakref

import numpy
import pytest

import minpy
import minpy.autograd as ours
import minpy.numpy as np
from minpy.errors import DifferentiationError

X = numpy.array([0.2, -0.4, 0.7])


@pytest.fixture(autouse=True)
def _double():
    minpy.set_default_dtype("float64")


def close(found, expected, rtol=1e-10):
    numpy.testing.assert_allclose(numpy.asarray(found), numpy.asarray(expected), rtol, 1e-12)


def block(x, w=None, scale=1.0):
    y = np.tanh(x * x) * scale
    y[0] = y[1] * x[2]
    return y if w is None else y * w["a"] + w["b"][0]


# --- checkpoint -----------------------------------------------------------------------------------


def test_a_checkpointed_function_has_the_values_and_derivatives_of_the_function():
    kept = ours.checkpoint(block)
    assert kept.__name__ == "block"
    w = {"a": X + 1.0, "b": (2.0,)}
    close(kept(X, w, scale=2.0), block(np.array(X), w, scale=2.0))
    total = lambda f: lambda x, w: np.sum(f(x * 2.0, w) ** 2)  # noqa: E731
    found = minpy.grad(total(kept), (0, 1))(X, w)
    expected = minpy.grad(total(block), (0, 1))(X, w)
    close(found[0], expected[0])
    close(found[1]["a"], expected[1]["a"])
    close(found[1]["b"][0], expected[1]["b"][0])
    close(minpy.jacobian(kept)(X), minpy.jacobian(block)(X))
    close(minpy.hessian(total(kept))(X, w), minpy.hessian(total(block))(X, w))
    push = minpy.make_jvp(kept)(X)(X)[1]
    close(push, minpy.make_jvp(block)(X)(X)[1])
    mixed = lambda f: ours.hessian_vector_product(lambda x: np.sum(f(x) ** 3))(X, X)  # noqa: E731
    close(mixed(kept), mixed(block))
    minpy.check_grads(kept, order=2)(X)


def test_a_keyword_and_several_results_are_differentiated():
    kept = ours.checkpoint(lambda x, y: {"sum": x + y, "parts": [x * y, 3]})

    def f(x, y):
        made = kept(x, y=y)
        return np.sum(made["sum"] * 2.0 + made["parts"][0]) * made["parts"][1]

    found = minpy.grad(f, (0, 1))(X, 2 * X)
    close(found[0], 3 * (2.0 + 2 * X))
    close(found[1], 3 * (2.0 + X))


def test_the_values_in_between_are_dropped_and_computed_again():
    seen = []

    def noting(x):
        y = np.exp(x)
        seen.append(weakref.ref(y))
        return np.sin(y)

    alive = []

    def f(x):
        y = ours.checkpoint(noting)(x)
        alive.append(seen[0]() is not None)
        return np.sum(y)

    close(minpy.grad(f)(X), numpy.cos(numpy.exp(X)) * numpy.exp(X))
    assert alive == [False]
    assert len(seen) == 2


def test_the_second_run_makes_the_same_random_draws():
    def noisy(x):
        return x * minpy.random.normal(x.shape, dtype="float64")

    kept = ours.checkpoint(noisy)
    values = []

    def f(x):
        y = kept(x)
        values.append(y)
        return np.sum(y)

    minpy.random.seed(0)
    close(minpy.grad(f)(X) * X, values[0].asnumpy())
    minpy.random.seed(0)
    close(noisy(np.array(X)), values[0].asnumpy())


def test_checkpoints_nest_and_see_constants_of_enclosing_functions():
    inner = ours.checkpoint(np.tanh)
    outer = ours.checkpoint(lambda x: inner(x) * inner(2.0 * x))
    plain = lambda x: np.tanh(x) * np.tanh(2.0 * x)  # noqa: E731
    close(
        minpy.hessian(lambda x: np.sum(outer(x)))(X), minpy.hessian(lambda x: np.sum(plain(x)))(X)
    )

    def f(c):  # a constant to the inner derivative, an argument of the outer one
        return np.sum(minpy.grad(lambda x: np.sum(ours.checkpoint(lambda z: z**3 * c)(x)))(X))

    close(minpy.grad(f)(2.0), 3 * numpy.sum(X**2))


def test_a_captured_array_that_is_differentiated_is_refused():
    def f(x):
        return np.sum(ours.checkpoint(lambda y: y * x)(x))

    with pytest.raises(DifferentiationError, match="captured from an enclosing function; pass it"):
        minpy.grad(f)(X)


@pytest.mark.usefixtures("by_program_and_by_graph")
def test_a_checkpointed_function_compiles():
    pytest.importorskip("mxnet")
    f = minpy.jit(lambda x: np.sum(ours.checkpoint(np.tanh)(x)))
    close(f(np.array(X)), numpy.tanh(X).sum(), rtol=1e-6)


# --- fixed points ---------------------------------------------------------------------------------


def newton(a):
    return lambda x: 0.5 * (x + a / x)


def distance(x, y):
    return np.max(np.abs(x - y))


def test_the_root_by_newtons_method_has_the_derivatives_of_the_root():
    def root(a):
        return ours.fixed_point(newton, a, np.ones(3), distance, 1e-12)

    a = X + 1.0
    close(root(np.array(a)), numpy.sqrt(a))
    close(minpy.grad(lambda a: np.sum(root(a)))(a), 0.5 / numpy.sqrt(a))
    close(minpy.make_jvp(root)(a)(X)[1], 0.5 * X / numpy.sqrt(a))
    second = -0.25 * a**-1.5
    total = lambda a: np.sum(root(a))  # noqa: E731
    close(minpy.hessian(total)(a), numpy.diag(second))
    close(ours.hessian_vector_product(total)(a, X), second * X)
    close(minpy.autograd.deriv(minpy.autograd.deriv(root))(a), second)


def test_a_linear_iteration_over_containers():
    def step(p):
        return lambda x: {"u": 0.5 * x["v"] * p["k"], "v": 0.25 * x["u"] + p["c"]}

    def far(x, y):
        return np.abs(x["u"] - y["u"]) + np.abs(x["v"] - y["v"])

    def solved(p):
        found = ours.fixed_point(step, p, {"u": 0.0, "v": 0.0}, far, 1e-14)
        return found["u"] * found["v"]

    def exact(p):  # v = c / (1 - k / 8), u = k v / 2
        v = p["c"] / (1 - p["k"] / 8)
        return 0.5 * p["k"] * v * v

    p = {"k": 1.5, "c": 2.0}
    close(solved(p), exact(p))
    found, expected = minpy.grad(solved)(p), minpy.grad(exact)(p)
    close(found["k"], expected["k"])
    close(found["c"], expected["c"])
    found, expected = minpy.hessian(solved)(p), minpy.hessian(exact)(p)
    close(found["k"]["k"], expected["k"]["k"], rtol=1e-9)
    close(found["k"]["c"], expected["k"]["c"], rtol=1e-9)


def test_a_fixed_point_is_that_of_hips():
    points = pytest.importorskip("autograd.misc.fixed_points")
    hips = pytest.importorskip("autograd")
    far = lambda x, y: abs(x - y)  # noqa: E731
    theirs = hips.grad(lambda a: points.fixed_point(newton, a, 1.0, far, 1e-10))(3.0)
    close(minpy.grad(lambda a: ours.fixed_point(newton, a, 1.0, far, 1e-10))(3.0), theirs)


def test_the_start_has_derivative_zero():
    f = lambda x0: ours.fixed_point(newton, 4.0, x0, distance, 1e-10) * x0  # noqa: E731
    close(minpy.grad(f)(1.5), 2.0)
