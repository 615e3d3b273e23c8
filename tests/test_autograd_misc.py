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


def test_checks_have_the_signatures_of_hips():
    from minpy.autograd.test_util import check_equivalent, check_grads, combo_check, scalar_close

    def f(x, y, scale=1.0):
        return np.sin(x) * y * scale

    check_grads(f)(X, 2.0)
    check_grads(f, (0, 1), modes=["rev"], order=1)(X, 2.0)
    check_grads(f, argnum=1, modes=None)(X, 2.0)
    combo_check(f, (0, 1))([X, 0.5], [2.0, X], scale=[1.0, 3.0])

    check_grads(lambda p, i: p["w"] ** 2 * p["b"][i][0], 0)({"w": X, "b": [(2.0,)]}, 0)

    # Wrong in the second argument alone, and only for a scale that isn't one.
    half = minpy.primitive(lambda x, y, scale=1.0: x * y * scale, name="half")
    minpy.defvjp(
        half,
        lambda ans, x, y, scale=1.0: lambda g: g * y * scale,
        lambda ans, x, y, scale=1.0: lambda g: g * x,
    )
    check_grads(half, 0, ["rev"])(0.5, 2.0, scale=3.0)
    combo_check(half, 1, modes=["rev"])([0.5], [2.0], scale=[1.0])
    with pytest.raises(AssertionError, match="derivative rev of half"):
        check_grads(half, 1, ["rev"])(0.5, 2.0, scale=3.0)
    with pytest.raises(AssertionError):
        combo_check(half, (0, 1), modes=["rev"])([0.5], [2.0], scale=[1.0, 3.0])
    with pytest.raises(TypeError, match="no argument 2"):
        check_grads(half, 2)(0.5, 2.0)

    assert scalar_close(1.0, 1.0 + 1e-7)
    assert not scalar_close(1.0, 1.001)
    check_equivalent({"a": (X, 1.0)}, {"a": (np.array(X), numpy.float64(1.0))})
    for other in (X + 1e-3, X[:2], X + 0j, (X,), {"a": X}):
        with pytest.raises(AssertionError):
            check_equivalent(X, other)


def test_misc_has_the_function_flatten():
    from minpy.autograd.misc import flatten as function

    assert function is flatten
    assert importlib.import_module("minpy.autograd.misc.flatten").flatten is flatten


def test_autograd_has_the_names_for_containers():
    from minpy.autograd import dict as its_dict
    from minpy.autograd import isinstance as its_isinstance
    from minpy.autograd import list as its_list
    from minpy.autograd import tuple as its_tuple
    from minpy.autograd import type as its_type

    def f(x):
        made = its_tuple((x, 2.0))
        assert its_isinstance(made, its_tuple)
        assert its_type(made) is tuple
        assert its_isinstance(its_list([x]), list)
        return its_dict(a=made)["a"][0] * 3.0

    assert minpy.grad(f)(1.0) == 3.0


def test_a_function_that_traces_leave_out():
    from minpy.autograd.extend import notrace_primitive

    seen = []

    @notrace_primitive
    def sizes(x, axis):
        seen.append(type(x))
        return x.shape[axis]

    def f(x):
        return np.sum(x) * sizes(x, axis=0)

    assert minpy.grad(f)(X).tolist() == [3.0, 3.0, 3.0]
    assert minpy.grad(minpy.grad(lambda x: x**2 * sizes(x * np.ones(2), 0)))(1.0) == 4.0
    assert seen == [numpy.ndarray, numpy.ndarray]
