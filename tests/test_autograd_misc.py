"""HIPS autograd's smaller modules, under their names: the numbers are its own."""

from __future__ import annotations

import importlib

import numpy
import pytest

import minpy
import minpy.numpy as np
from minpy.autograd.misc.flatten import flatten, flatten_func

X = numpy.array([0.5, -1.0, 2.0])
POINT = {"w": X, "b": [numpy.array([[1.0, 2.0]]), 3.0]}


@pytest.fixture(autouse=True)
def _double():
    minpy.set_default_dtype("float64")


@pytest.mark.parametrize("name", ["sgd", "rmsprop", "adam"])
def test_optimizers_take_the_steps_of_hips(name):
    theirs = pytest.importorskip("autograd.misc.optimizers")
    ours = importlib.import_module("minpy.autograd.misc.optimizers")

    def gradient(p, i):
        return {"w": 2.0 * p["w"] + 0.1 * i, "b": [p["b"][0] ** 3, p["b"][1] - 1.0]}

    seen = []
    for module in (ours, theirs):
        steps = []

        def note(p, i, g, steps=steps):
            steps.append((i, float(p["b"][1]), float(g["w"][0])))

        found = getattr(module, name)(gradient, POINT, note, num_iters=7, step_size=0.05)
        seen.append((found, steps))
    (found, steps), (expected, expected_steps) = seen
    numpy.testing.assert_allclose(found["w"].asnumpy(), expected["w"], rtol=1e-12)
    numpy.testing.assert_allclose(found["b"][0].asnumpy(), expected["b"][0], rtol=1e-12)
    numpy.testing.assert_allclose(steps, expected_steps, rtol=1e-12)
    assert len(steps) == 7


def test_a_container_as_a_vector_and_back():
    vector, unflatten = flatten(POINT)
    assert vector.tolist() == [0.5, -1.0, 2.0, 1.0, 2.0, 3.0]
    back = unflatten(2.0 * vector)
    assert back["b"][0].tolist() == [[2.0, 4.0]]
    assert flatten([])[0].shape == (0,)
    with pytest.raises(ValueError, match=r"a vector of 6 numbers, got shape \(5,\)"):
        unflatten(vector[:5])
    g = minpy.grad(lambda p: np.sum(flatten(p)[0] ** 2))(POINT)
    numpy.testing.assert_allclose(g["w"].asnumpy(), 2 * X)
    assert g["b"][1].tolist() == 6.0


def test_a_function_of_a_container_as_one_of_a_vector():
    f, unflatten, vector = flatten_func(lambda p, k: {"a": p["w"] * k, "b": p["b"][1]}, POINT)
    assert f(vector, 2.0).tolist() == [1.0, -2.0, 4.0, 3.0]
    assert unflatten(vector)["b"][1].tolist() == 3.0
    assert minpy.jacobian(f)(vector, 2.0).shape == (4, 6)
    with pytest.raises(ValueError, match="expected argnum 0"):
        flatten_func(f, POINT, argnum=1)


@pytest.mark.parametrize("name", ["extend", "builtins", "test_util", "misc.fixed_points"])
def test_programs_find_the_names_where_hips_has_them(name):
    ours = importlib.import_module(f"minpy.autograd.{name}")
    theirs = pytest.importorskip(f"autograd.{name}")
    for public in ours.__all__:
        if public not in ("register_container", "def_linear"):
            assert hasattr(theirs, public)
        assert getattr(ours, public) is not None


def test_a_program_of_hips_runs_with_its_imports_changed():
    program = """
import autograd.numpy as np
from autograd import grad, elementwise_grad
from autograd.builtins import tuple, dict
from autograd.extend import primitive, defvjp
from autograd.misc.optimizers import adam
from autograd.test_util import check_grads
import autograd.scipy.stats.norm as norm

@primitive
def logsumexp(x):
    m = x.max()
    return m + np.log(np.sum(np.exp(x - m)))

defvjp(logsumexp, lambda ans, x: lambda g: g * np.exp(x - ans))
check_grads(logsumexp, modes=["rev"], order=2)(np.array([1.0, 2.0, 0.5]))

def loss(params, i):
    mean, log_std = params
    return -np.sum(norm.logpdf(data, mean, np.exp(log_std))) + 0.1 * logsumexp(mean * np.ones(2))

data = np.array([1.0, 2.0, 4.0])
found = adam(grad(loss), tuple((0.0, 0.0)), num_iters=50, step_size=0.1)
"""
    results = []
    for package in ("autograd", "minpy"):
        pytest.importorskip(package)
        text = program
        if package == "minpy":
            text = program.replace("autograd.numpy", "minpy.numpy")
            text = text.replace("autograd.scipy", "minpy.scipy")
            text = text.replace("from autograd", "from minpy.autograd")
        names: dict = {}
        exec(text, names)
        results.append([float(part) for part in names["found"]])
    numpy.testing.assert_allclose(results[1], results[0], rtol=1e-8)
