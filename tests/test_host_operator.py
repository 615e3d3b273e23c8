"""Functions of ours as nodes of MXNet's graphs: results, gradients that add up, and failures."""

from __future__ import annotations

import numpy as np
import pytest
from layer_references import NEEDS_MXNET

import minpy
import minpy.numpy as mnp
from minpy.host_operator import HostOperator
from minpy.primitives import Primitive

pytestmark = pytest.mark.skipif(NEEDS_MXNET, reason="mxnet is not installed")


@pytest.fixture(autouse=True)
def _graphs(monkeypatch):
    """Compile to MXNet's graphs: programs call NumPy's kernels themselves."""
    monkeypatch.setattr("minpy.graph.native.available", lambda: False)


def forward(inputs, results, power):
    results[0][...] = inputs[0] ** power * inputs[1]


def backward(gradients, inputs, results, found, power):
    (g,), (x, y) = gradients, inputs
    for into, value in zip(found, (power * x ** (power - 1) * y, x**power), strict=True):
        if into is not None:
            into[...] = g * value


node = HostOperator("test_power", forward, backward, lambda shapes, power: shapes[:1])
power = Primitive(
    "test_power",
    lambda x, y, power: x**power * y,
    arrays=2,
    mxnet=lambda F, x, y, power: node(F, x, y, power=power),
    register=False,
)
minpy.defvjp(
    power,
    lambda ans, x, y, p: lambda g: g * p * x ** (p - 1) * y,
    lambda ans, x, y, p: lambda g: g * x**p,
)

X, Y = (np.random.default_rng(i).random((3, 4)).astype("float32") + 0.5 for i in (0, 1))


@pytest.mark.parametrize(
    "function",
    [
        lambda x, y: mnp.sum(power(x, y, 3)),
        lambda x, y: mnp.sum(power(x, x, 2) * y + x),  # gradients of one input add up
        lambda x, y: mnp.sum(power(power(x, y, 2), mnp.exp(y), 3)),
        lambda x, y: mnp.sum(power(x, mnp.array(Y), 3)) + mnp.sum(y),  # a constant has no gradient
    ],
)
def test_values_and_gradients_in_a_graph_are_those_outside_of_it(function):
    compiled = minpy.jit(function)
    for _ in range(2):  # a second run finds memory that the first has used
        value, found = minpy.value_and_grad(compiled, (0, 1))(mnp.array(X), mnp.array(Y))
        expected, gradients = minpy.value_and_grad(function, (0, 1))(mnp.array(X), mnp.array(Y))
        assert float(value) == pytest.approx(float(expected), rel=1e-5)
        for a, b in zip(found, gradients, strict=True):
            np.testing.assert_allclose(a.asnumpy(), b.asnumpy(), rtol=1e-5)
    assert compiled.jit_status == "compiled"


def test_an_error_inside_of_a_node_is_raised_and_the_next_graph_runs(capfd):
    def fails(inputs, results):
        raise RuntimeError("not today")

    broken = HostOperator("test_broken", fails, fails, lambda shapes: shapes)
    op = Primitive(
        "test_broken", lambda x: x + 0, arrays=1, mxnet=lambda F, x: broken(F, x), register=False
    )
    compiled = minpy.jit(lambda x: op(x) * 2)
    with pytest.raises(Exception, match="Check failed"):
        # The first call may only trace.
        _ = [compiled(mnp.array(X)) for _ in range(2)]
    assert "not today" in "".join(capfd.readouterr())
    again = minpy.jit(lambda x, y: power(x, y, 2))
    np.testing.assert_allclose(again(mnp.array(X), mnp.array(Y)).asnumpy(), X**2 * Y, rtol=1e-6)
