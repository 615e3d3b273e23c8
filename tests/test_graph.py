"""minpy.jit: programs and graphs give the values and derivatives of what they trace."""

from __future__ import annotations

import re
import warnings

import numpy
import pytest

import minpy
import minpy.numpy as np
from minpy import runtime
from minpy.errors import DifferentiationError
from minpy.layers import functions

pytestmark = pytest.mark.usefixtures("by_program_and_by_graph")


def some(*shape, seed=0):
    rng = numpy.random.default_rng([seed, *shape])
    return np.array((rng.random(shape) * 0.8 + 0.1).astype("float32"))


UNARY = [
    *[
        "absolute",
        "arccos",
        "arcsin",
        "arcsinh",
        "arctan",
        "arctanh",
        "cbrt",
        "ceil",
        "cos",
        "cosh",
    ],
    *["cosh", "deg2rad", "degrees", "exp", "expm1", "floor", "log", "log10", "log1p", "log2"],
    *[
        "negative",
        "rad2deg",
        "radians",
        "reciprocal",
        "sign",
        "sin",
        "sinh",
        "sqrt",
        "square",
        "tan",
    ],
    *["tanh", "trunc"],
]
BINARY = "add arctan2 hypot maximum minimum multiply power subtract true_divide"
SHAPES = [((2, 3), (2, 3)), ((2, 3), (3,)), ((2, 1), (1, 3)), ((), (2, 3))]
REDUCTIONS = ["sum", "mean", "prod", "max", "min"]
AXES = [None, 0, -1, (0, 2)]
WITH_NUMBERS = ["add", "maximum", "minimum", "multiply", "power", "subtract", "true_divide"]
LABELS = np.array([0, 2, 1, 1])


def with_numbers(function):
    """Return the sum of a function with a number on its right and one on its left."""
    return lambda x: function(x, 0.7) + function(2, x)


def reduction(function, axis, keep):
    return lambda x: function(x, axis=axis, keepdims=keep)


CASES = {
    **{name: (getattr(np, name), some(2, 3)) for name in UNARY},
    **{
        f"{name} {i}": (getattr(np, name), some(*a), some(*b, seed=1))
        for name in BINARY.split()
        for i, (a, b) in enumerate(SHAPES)
    },
    **{f"{name} number": (with_numbers(getattr(np, name)), some(2, 3)) for name in WITH_NUMBERS},
    **{
        f"{name} {axis} {keep}": (reduction(getattr(np, name), axis, keep), some(2, 3, 4))
        for name in REDUCTIONS
        for axis in AXES
        for keep in (False, True)
    },
    "where": (lambda x, y: np.where(x > 0.5, x, y), some(2, 3), some(2, 3, seed=1)),
    "where right": (lambda x: np.where(x > 0.5, x, 0.0), some(2, 3)),
    "where left": (lambda x: np.where(x > 0.5, 1.5, x), some(2, 3)),
    "clip": (lambda x: np.clip(x, 0.3, 0.6), some(2, 3)),
    "reshape": (lambda x: np.reshape(x, (6, 4)), some(2, 3, 4)),
    "transpose": (lambda x: np.transpose(x, (1, 0, 2)), some(2, 3, 4)),
    "reversed axes": (lambda x: x.T.T.T, some(2, 3)),
    "swapaxes": (lambda x: np.swapaxes(x, 0, 2), some(2, 3, 4)),
    "squeeze": (np.squeeze, some(2, 1, 3)),
    "expand_dims": (lambda x: np.expand_dims(x, 1), some(2, 3)),
    "broadcast_to": (lambda x: np.broadcast_to(x, (5, 2, 3)), some(2, 3)),
    "concatenate": (lambda x, y: np.concatenate([x, y], 1), some(2, 3), some(2, 4)),
    "stack": (lambda x, y: np.stack([x, y], 1), some(2, 3), some(2, 3, seed=1)),
    "split": (lambda x: tuple(np.split(x, 2, 1)), some(2, 4)),
    "slices": (lambda x: x[0, 1:, ::2], some(2, 3, 4)),
    "last": (lambda x: x[..., -1], some(2, 3, 4)),
    "matmul": (np.matmul, some(2, 3), some(3, 4)),
    "matmul batched": (np.matmul, some(5, 2, 3), some(5, 3, 4)),
    "matmul vectors": (np.matmul, some(3), some(3, 4)),
    "dot": (np.dot, some(2, 3, 4), some(4, 2)),
    "tensordot": (lambda x, y: np.tensordot(x, y, ([0], [1])), some(2, 3), some(4, 2)),
    "einsum": (lambda x, y: np.einsum("ij,kj->ik", x, y), some(2, 3), some(4, 3)),
    "astype": (lambda x: x.astype("float64"), some(2, 3)),
    "the argument itself": (lambda x: x, some(2, 3)),
    "affine": (functions.affine, some(4, 3), some(3, 5), some(5)),
    "cross-entropy": (lambda x: functions.softmax_cross_entropy(x, LABELS), some(4, 3)),
}


# What programs refuse: results of float64, class numbers that no argument holds.
ONLY_GRAPHS = ("astype", "cross-entropy")


def total(function):
    """Return a function whose gradient weighs every element of the results differently."""

    def weighed(*args):
        results = function(*args)
        results = results if isinstance(results, tuple) else (results,)
        out = 0.0
        for r in results:
            weights = numpy.linspace(0.5, 1.5, r.size).reshape(r.shape).astype("float32")
            out = out + np.sum(r * np.array(weights))
        return out

    return weighed


@pytest.mark.parametrize("name", CASES)
def test_graphs_give_the_values_and_gradients_of_the_operations(name):
    if name in ONLY_GRAPHS and not runtime.available():
        pytest.skip("graphs are MXNet's")
    function, *args = CASES[name]
    compiled = minpy.jit(function)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found, expected = compiled(*args), function(*args)
    assert compiled.jit_status == "compiled"
    pairs = zip(found, expected, strict=True) if isinstance(found, tuple) else [(found, expected)]
    for a, b in pairs:
        assert (a.shape, a.dtype) == (b.shape, b.dtype)
        numpy.testing.assert_allclose(a.asnumpy(), b.asnumpy(), rtol=2e-5, atol=1e-6)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # piecewise constants: the gradient is zero
        numbers = tuple(range(len(args)))
        got = minpy.grad(total(compiled), numbers)(*args)
        wanted = minpy.grad(total(function), numbers)(*args)
    for a, b in zip(got, wanted, strict=True):
        numpy.testing.assert_allclose(a.asnumpy(), b.asnumpy(), rtol=1e-4, atol=1e-5)


def test_one_graph_a_signature():
    traced = []

    @minpy.jit
    def f(x, scale, flag=True):
        traced.append((x.shape, scale, flag))
        return x * scale if flag else x + scale

    x = some(2, 3)
    for _ in range(3):
        f(x, 2.0)
    assert len(traced) == 1
    numpy.testing.assert_allclose(f(x, 3.0).asnumpy(), 3 * x.asnumpy())
    numpy.testing.assert_allclose(f(x, 3.0, flag=False).asnumpy(), 3 + x.asnumpy(), rtol=1e-6)
    numpy.testing.assert_allclose(f(some(5), 3.0).asnumpy(), 3 * some(5).asnumpy())
    assert len(traced) == 4


def test_containers_go_in_and_come_out():
    @minpy.jit
    def f(p, xs):
        return {"a": p["w"] * xs[0], "b": (xs[1] + 1, 7)}

    out = f({"w": some(3)}, [some(3), some(2)])
    numpy.testing.assert_allclose(out["a"].asnumpy(), some(3).asnumpy() ** 2, rtol=1e-6)
    assert out["b"][1] == 7


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (lambda x: x * 2 if x.sum() > 0 else x, "reads a number"),
        (lambda x: x * float(x[0]), "reads a number"),
        (lambda x: np.unique(x), "reads a number"),
    ],
    ids=["branch", "float", "operation"],
)
def test_what_cannot_be_traced_runs_eagerly_with_one_warning(function, reason):
    compiled = minpy.jit(function)
    with pytest.warns(UserWarning, match="operation by operation") as caught:
        first = compiled(some(3))
    assert len(caught) == 1
    numpy.testing.assert_array_equal(first.asnumpy(), function(some(3)).asnumpy())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        compiled(some(3))
    assert re.search(reason, compiled.jit_status)
    assert "test_graph.py, line" in compiled.jit_status


def test_higher_orders_and_forward_mode_are_right():
    def f(x):
        return np.sum(np.tanh(x) ** 3)

    compiled = minpy.jit(f)
    x = some(3)
    numpy.testing.assert_allclose(
        minpy.hessian(compiled)(x).asnumpy(), minpy.hessian(f)(x).asnumpy(), rtol=1e-5
    )
    _, tangent = minpy.make_jvp(compiled)(x)(some(3, seed=1))
    expected = minpy.make_jvp(f)(x)(some(3, seed=1))
    numpy.testing.assert_allclose(float(tangent), float(expected[1]), rtol=1e-5)


def test_gradients_through_a_closure_are_not_lost():
    x = some(3)

    def loss(w):
        @minpy.jit
        def inner(y):
            return np.sum(y * w)

        return inner(x)

    with pytest.warns(UserWarning, match="enclosing derivative"):
        found = minpy.grad(loss)(some(3, seed=1))
    numpy.testing.assert_allclose(found.asnumpy(), x.asnumpy())


def test_a_method_and_numpy_arguments():
    class Scaler:
        @minpy.jit
        def scale(self, x):
            return x * 2

    out = Scaler().scale(numpy.ones(3, "float32"))
    assert out.asnumpy().tolist() == [2, 2, 2]


def test_results_are_not_overwritten_by_the_next_call():
    f = minpy.jit(lambda x: x * 2)
    first = f(some(3))
    kept = first.asnumpy()
    f(some(3, seed=5))
    numpy.testing.assert_array_equal(first.asnumpy(), kept)


@pytest.mark.filterwarnings("ignore:.*operation by operation")
def test_a_number_written_to_stays_one():
    def f(x):
        x *= 2.0
        x[...] = x + 1
        return x

    found = minpy.jit(f)(np.array(3.0))
    assert (found.shape, float(found)) == ((), 7.0)


def test_integers_can_not_be_differentiated_through_a_graph_either():
    f = minpy.jit(lambda x: np.sum(x * 1.0))
    with pytest.raises(DifferentiationError, match="int"):
        minpy.grad(f)(np.array([1, 2]))
