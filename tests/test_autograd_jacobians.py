"""Jacobians, Hessians and products with them: HIPS autograd's own, closed forms, and each other."""

from __future__ import annotations

from typing import Any

import numpy
import pytest

import minpy
import minpy.autograd as ours
import minpy.numpy as np

hips = pytest.importorskip("autograd")
hnp = pytest.importorskip("autograd.numpy")
theirs = pytest.importorskip("autograd.differential_operators")

_rng = numpy.random.default_rng(3)
X = _rng.normal(size=3)
M = _rng.normal(size=(2, 3))
V = _rng.normal(size=3)


@pytest.fixture(autouse=True)
def _double():
    minpy.set_default_dtype("float64")


def vector(xp):
    return lambda x, scale=1.0: xp.tanh(xp.dot(xp.sin(x), M.T)) * scale + x[0] * x[1]


def matrix(xp):
    return lambda x: xp.outer(xp.sin(x), x * x)


def scalar(xp):
    return lambda x: xp.sum(xp.sin(x) * x**2) * xp.prod(x)


def close(found, expected):
    numpy.testing.assert_allclose(numpy.asarray(found), expected, rtol=1e-10, atol=1e-12)


# The name of the operator, the function, what it is called with.
SAME = [
    ("jacobian", vector, (X,)),
    ("jacobian", matrix, (X,)),
    ("hessian", scalar, (X,)),
    ("hessian_tensor_product", scalar, (X, V)),
    ("hessian_vector_product", scalar, (X, V)),
    ("tensor_jacobian_product", vector, (X, numpy.array([1.0, 2.0]))),
    ("tensor_jacobian_product", matrix, (X, _rng.normal(size=(3, 3)))),
    ("tensor_jacobian_product", matrix, (X, V)),
    ("vector_jacobian_product", vector, (X, numpy.array([1.0, 2.0]))),
    ("vector_jacobian_product", matrix, (X, V)),
    ("elementwise_grad", vector, (X,)),
    ("deriv", vector, (X,)),
    ("deriv", matrix, (X,)),
    ("value_and_grad", scalar, (X,)),
]


@pytest.mark.parametrize(("name", "function", "args"), SAME)
def test_the_operator_is_that_of_hips(name, function, args):
    found = getattr(ours, name)(function(np))(*args)
    expected = getattr(theirs, name)(function(hnp))(*args)
    if isinstance(expected, tuple):
        for a, b in zip(found, expected, strict=True):
            close(a, b)
    else:
        close(found, expected)


MAKERS = [
    ("make_hvp", scalar, V, lambda made: made[0]),
    ("make_jvp_reversemode", vector, V, lambda made: made),
    ("make_ggnvp", vector, V, lambda made: made),
]


@pytest.mark.parametrize(("name", "function", "v", "pick"), MAKERS)
def test_what_is_made_at_a_point_is_that_of_hips_and_can_be_used_again(name, function, v, pick):
    found = pick(getattr(ours, name)(function(np))(X))
    expected = pick(getattr(theirs, name)(function(hnp))(X))
    for direction in (v, 2.0 * v, numpy.eye(3)[1]):
        close(found(direction), expected(direction))


def test_the_gauss_newton_product_with_a_loss_of_ones_own():
    def loss(xp):
        return lambda y: xp.sum(xp.log(1.0 + xp.exp(y)))

    found = ours.make_ggnvp(vector(np), loss(np))(X)(V)
    close(found, theirs.make_ggnvp(vector(hnp), loss(hnp))(X)(V))
    jac = hips.jacobian(vector(hnp))(X)
    close(found, jac.T @ hips.hessian(loss(hnp))(vector(hnp)(X)) @ jac @ V)


def test_signatures_are_those_of_hips():
    assert ours.make_hvp(scalar(np))(X)[1].shape == (3,)
    f = lambda a, b, **kw: np.sum(a * b**2) * kw.get("k", 1.0)  # noqa: E731
    close(ours.hessian_vector_product(f, 1)(X, V, X, k=2.0), 4.0 * X * X)
    close(ours.jacobian_vector_product(lambda a, b: a * b, 1)(X, V, X), X * X)
    close(ours.grad_named(f, "b")(X, V), 2.0 * X * V)
    gradient, extra = ours.grad_and_aux(lambda x: (np.sum(x * x), {"twice": x * 2.0}))(X)
    close(gradient, 2.0 * X)
    close(extra["twice"], 2.0 * X)


def test_gradients_of_all_arguments_by_name():
    def f(a, /, b, *rest, c=3.0, **more):
        return a * b**2 * c * rest[0] * more["d"]

    found = ours.multigrad_dict(f)(2.0, 3.0, 5.0, d=7.0)
    assert list(found) == ["a", "b", "rest", "c", "more"]
    total = 2.0 * 9.0 * 3.0 * 5.0 * 7.0
    close(found["a"], total / 2)
    close(found["b"], total * 2 / 3)
    close(found["rest"][0], total / 5)
    close(found["c"], total / 3)
    close(found["more"]["d"], total / 7)

    def loss(weights, inputs):
        return np.sum(np.dot(inputs, weights) ** 2)

    found = ours.multigrad_dict(loss)(X, M)
    close(found["inputs"], 2 * numpy.outer(M @ X, X))
    close(found["weights"], 2 * M.T @ (M @ X))


def test_holomorphic_functions():
    z = 0.3 + 0.7j
    for function, slope in (
        (lambda z: z**3, 3 * z**2),
        (np.exp, numpy.exp(z)),
        (lambda z: np.sin(z) / z, numpy.cos(z) / z - numpy.sin(z) / z**2),
    ):
        close(ours.holomorphic_grad(function)(z), slope)
    close(ours.holomorphic_grad(ours.holomorphic_grad(lambda z: z**3))(z), 6 * z)
    expected = theirs.holomorphic_grad(lambda z: hnp.sinh(z) * z)(z)
    close(ours.holomorphic_grad(lambda z: np.sinh(z) * z)(z), expected)
    with pytest.warns(UserWarning, match="is not complex"):
        close(ours.holomorphic_grad(lambda x: x**2)(3.0), 6.0)


# --- containers -----------------------------------------------------------------------------------


def _of_containers(p: Any) -> Any:
    return {"prod": p["w"] * p["b"][0], "sum": (np.sum(p["w"]), p["b"][1] ** 2)}


POINT = {"w": X, "b": [2.0, 5.0]}


def test_the_jacobian_of_containers_has_the_structure_of_both():
    found = minpy.jacobian(_of_containers)(POINT)
    close(found["prod"]["w"], 2.0 * numpy.eye(3))
    close(found["prod"]["b"][0], X)
    close(found["prod"]["b"][1], numpy.zeros(3))
    close(found["sum"][0]["w"], numpy.ones(3))
    close(found["sum"][1]["b"][1], 10.0)


def test_the_hessian_of_containers_is_a_container_of_containers():
    found = minpy.hessian(lambda p: np.sum(p["w"] ** 2) * p["b"][0])(POINT)
    close(found["w"]["w"], 4.0 * numpy.eye(3))
    close(found["w"]["b"][0], 2.0 * X)
    close(found["b"][0]["w"], 2.0 * X)
    close(found["b"][1]["b"][1], 0.0)


def test_products_of_containers():
    direction = {"w": V, "b": [1.0, -1.0]}
    jacobian = minpy.jacobian(_of_containers)(POINT)
    pushed = ours.jacobian_vector_product(_of_containers)(POINT, direction)
    by_hand = (
        numpy.asarray(jacobian["prod"]["w"]) @ V + numpy.asarray(jacobian["prod"]["b"][0]) * 1.0
    )
    close(pushed["prod"], by_hand)
    again = ours.make_jvp_reversemode(_of_containers)(POINT)(direction)
    close(again["prod"], by_hand)
    close(again["sum"][1], pushed["sum"][1])
    close(ours.deriv(lambda p: p["w"] * p["b"][1])(POINT), 5.0 + X)
    f = lambda p: np.sum(p["w"] ** 3) * p["b"][0]  # noqa: E731
    hvp, gradient = ours.make_hvp(f)(POINT)
    close(gradient["w"], 3 * X**2 * 2.0)
    close(hvp(direction)["w"], 12.0 * X * V + 3 * X**2)
    close(ours.hessian_vector_product(f)(POINT, direction)["w"], 12.0 * X * V + 3 * X**2)


def test_empty_results_and_arguments_have_empty_jacobians():
    assert minpy.jacobian(lambda x: x[:0])(X).shape == (0, 3)
    assert minpy.jacobian(lambda x: np.sum(x) * np.ones(2))(numpy.zeros(0)).shape == (2, 0)


@pytest.mark.parametrize("modes", ["ff", "fr", "rf", "rr", "frf", "rfr"])
def test_operators_nest_in_any_mixture(modes):
    operators = {"f": minpy.autograd.deriv, "r": minpy.grad}
    f = lambda x: np.sin(x) * np.exp(2.0 * x)  # noqa: E731
    for mode in modes:
        f = operators[mode](f)
    order = len(modes)
    exact = ((2 + 1j) ** order * numpy.exp((2 + 1j) * 0.3)).imag
    close(f(0.3), exact)
