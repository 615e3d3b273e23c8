"""minpy.jit by programs: what they read, keep and leave alone; derivatives; threads."""

from __future__ import annotations

import subprocess
import sys
import threading

import numpy
import pytest
from hypothesis import given, settings
from test_inplace import run, steps

import minpy
import minpy.numpy as np
from minpy import random
from minpy.graph import native
from minpy.graph.program_call import ProgramCall
from minpy.layers.functions import dropout, softmax_cross_entropy

pytestmark = pytest.mark.skipif(not native.available(), reason="numba is missing")


def some(*shape, seed=0):
    rng = numpy.random.default_rng([seed, *shape])
    return np.array((rng.random(shape) * 0.8 + 0.1).astype("float32"))


def traced(compiled):
    """Return what a function was traced to, its only signature."""
    (call,) = compiled._calls.values()
    return call


def test_a_function_of_floats_is_a_program_and_its_gradient_another():
    compiled = minpy.jit(lambda x, w: np.sum(np.tanh(x @ w)))
    x, w = some(3, 4), some(4, 2)
    gradient = minpy.grad(compiled, (0, 1))(x, w)
    assert type(traced(compiled)) is ProgramCall
    y = numpy.tanh(x.asnumpy() @ w.asnumpy())
    back = 1 - y**2
    numpy.testing.assert_allclose(float(compiled(x, w)), y.sum(), rtol=1e-6)
    numpy.testing.assert_allclose(gradient[0].asnumpy(), back @ w.asnumpy().T, rtol=1e-5)
    numpy.testing.assert_allclose(gradient[1].asnumpy(), x.asnumpy().T @ back, rtol=1e-5)


def test_a_gradient_may_be_compiled_as_a_whole():
    compiled = minpy.jit(minpy.value_and_grad(lambda x: np.sum(x**3)))
    value, gradient = compiled(some(5))
    assert type(traced(compiled)) is ProgramCall
    x = some(5).asnumpy()
    numpy.testing.assert_allclose(float(value), (x**3).sum(), rtol=1e-6)
    numpy.testing.assert_allclose(gradient.asnumpy(), 3 * x**2, rtol=1e-6)


def test_an_enclosing_array_is_seen_as_it_is_in_memory():
    scale, shift, places = some(3), np.array(2.0), np.array([2, 0, 1])
    compiled = minpy.jit(lambda x: np.take(x, places) * scale + shift)
    x = some(3, seed=1)

    def check():
        expected = x.asnumpy()[places.asnumpy()] * scale.asnumpy() + shift.asnumpy()
        numpy.testing.assert_allclose(compiled(x).asnumpy(), expected, rtol=1e-6)

    check()
    scale[1] = 7.0
    check()
    shift[...] = -1.0
    check()
    places[:] = np.array([0, 0, 1])
    check()


def test_arguments_are_left_alone_and_results_are_the_callers():
    compiled = minpy.jit(lambda x: (x, x * 2))
    x = some(3)
    same, double = compiled(x)
    same[0] = 9.0
    double[0] = 9.0
    numpy.testing.assert_array_equal(x.asnumpy(), some(3).asnumpy())
    numpy.testing.assert_array_equal(compiled(x)[1].asnumpy(), 2 * x.asnumpy())


def test_large_arguments_are_read_where_they_are():
    compiled = minpy.jit(lambda x, y: x * 2 + y)
    for seed in range(3):
        x, y = some(300, 200, seed=seed), some(200, 300, seed=seed).T
        expected = x.asnumpy() * 2 + y.asnumpy()
        numpy.testing.assert_allclose(compiled(x, y).asnumpy(), expected, rtol=1e-6)


def test_several_results_and_arguments_without_a_part_in_them():
    compiled = minpy.jit(lambda x, y, z: {"a": x * y, "b": (np.exp(x), 5)})
    x, y, z = some(2), some(2, seed=1), some(2, seed=2)

    def total(f):
        return lambda *args: np.sum(f(*args)["a"]) + np.sum(f(*args)["b"][0] * 3)

    assert compiled(x, y, z)["b"][1] == 5
    found = minpy.grad(total(compiled), (0, 1, 2))(x, y, z)
    numpy.testing.assert_allclose(found[0].asnumpy(), (y + 3 * np.exp(x)).asnumpy(), rtol=1e-6)
    numpy.testing.assert_allclose(found[1].asnumpy(), x.asnumpy(), rtol=1e-6)
    assert found[2].asnumpy().tolist() == [0.0, 0.0]


def test_a_derivative_that_reads_numbers_runs_operation_by_operation():
    compiled = minpy.jit(lambda x: np.sum(np.sort(x) * np.array([1.0, 2.0, 3.0])))
    x = np.array([0.3, 0.1, 0.2])
    assert minpy.grad(compiled)(x).asnumpy().tolist() == [3.0, 1.0, 2.0]
    assert minpy.grad(compiled)(x[::-1]).asnumpy().tolist() == [2.0, 1.0, 3.0]


def test_each_call_draws_anew_and_its_derivative_takes_the_same_draws():
    def f(x):
        return dropout(x, 0.5)

    compiled = minpy.jit(f)
    x = np.ones((8, 8))
    random.seed(3)
    expected = [f(x).asnumpy() for _ in range(3)]
    random.seed(3)
    for e in expected:
        numpy.testing.assert_array_equal(compiled(x).asnumpy(), e)
    random.seed(3)
    for e in expected:
        found = minpy.grad(lambda x: np.sum(compiled(x)))(x)
        numpy.testing.assert_array_equal(found.asnumpy(), e)


def test_threads_may_call_one_function():
    compiled = minpy.jit(lambda x: np.cumsum(np.tanh(x @ x)))
    given = [some(16, 16, seed=i) for i in range(8)]
    expected = [compiled(x).asnumpy() for x in given]
    found = {}

    def call(i):
        for _ in range(50):
            found[i] = compiled(given[i]).asnumpy()
            assert (found[i] == expected[i]).all()

    threads = [threading.Thread(target=call, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for i, e in enumerate(expected):
        numpy.testing.assert_array_equal(found[i], e)


def test_writes_through_views_count():
    def f(x):
        y = x * 1.0
        rows = y.reshape(2, 2)
        rows[0] *= 3.0
        y[1:][0] = 5.0
        rows.T[0] += 1.0
        return y

    compiled = minpy.jit(f)
    x = some(4)
    for _ in range(2):
        numpy.testing.assert_array_equal(compiled(x).asnumpy(), f(x).asnumpy())
    assert type(traced(compiled)) is ProgramCall
    weights = np.array([1.0, 2.0, 3.0, 4.0])
    found = minpy.grad(lambda x: np.sum(compiled(x) * weights))(x)
    expected = minpy.grad(lambda x: np.sum(f(x) * weights))(x)
    numpy.testing.assert_array_equal(found.asnumpy(), expected.asnumpy())


def test_class_numbers_may_be_arguments():
    def loss(w, x, labels):
        return np.mean(softmax_cross_entropy(x @ w, labels))

    compiled = minpy.jit(minpy.value_and_grad(loss))
    outside = minpy.value_and_grad(minpy.jit(loss))
    w, x = some(4, 3), some(5, 4)
    for labels in ([0, 1, 2, 1, 0], [2, 2, 0, 1, 1]):
        expected = minpy.value_and_grad(loss)(w, x, np.array(labels))
        for f in (compiled, outside):
            found = f(w, x, np.array(labels))
            numpy.testing.assert_allclose(float(found[0]), float(expected[0]), rtol=1e-6)
            numpy.testing.assert_allclose(
                found[1].asnumpy(), expected[1].asnumpy(), rtol=1e-5, atol=1e-7
            )
    assert type(traced(compiled)) is ProgramCall
    for wrong in ([0, 1, 3, 0, 0], [0, -1, 0, 0, 0]):
        try:
            expected = minpy.value_and_grad(loss)(w, x, np.array(wrong))
        except Exception as error:
            for f in (compiled, outside):
                with pytest.raises(type(error)):
                    f(w, x, np.array(wrong))
        else:
            found = compiled(w, x, np.array(wrong))
            numpy.testing.assert_allclose(float(found[0]), float(expected[0]), rtol=1e-6)


def test_whole_numbers_that_float32_has_not_are_compared_as_they_are():
    compiled = minpy.jit(lambda x, i: np.where(i > 2**24, x, 0.0))
    x = np.ones(2)
    assert compiled(x, np.array([5, 6])).tolist() == [0.0, 0.0]
    assert compiled(x, np.array([2**24, 2**24 + 1])).tolist() == [0.0, 1.0]
    assert compiled(x, np.array([-(2**40), 2**40])).tolist() == [0.0, 1.0]


def test_boolean_arguments():
    compiled = minpy.jit(lambda x, mask: np.sum(np.where(mask, x, 2.0)))
    x = some(3)
    for mask in ([True, False, True], [False, False, True]):
        found = compiled(x, np.array(mask))
        expected = numpy.where(mask, x.asnumpy(), 2.0).sum()
        numpy.testing.assert_allclose(float(found), expected, rtol=1e-6)
        slope = minpy.grad(compiled)(x, np.array(mask))
        assert slope.tolist() == numpy.array(mask, float).tolist()


class _Single:
    """minpy.numpy, whose arrays of numbers are float32."""

    def __getattr__(self, name):
        return getattr(np, name)

    def array(self, values):
        return np.array(numpy.asarray(values, "float32"))


@settings(max_examples=30, deadline=None)
@given(steps)
@pytest.mark.filterwarnings("ignore:.*operation by operation")
def test_programs_that_write_leave_what_numpy_leaves(program):
    compiled = minpy.jit(lambda x: run(program, x, _Single()))
    for scale in (1.0, 0.5, 1.5):
        x = (numpy.linspace(0.3, 1.4, 12).reshape(3, 4) * scale).astype("float32")
        found = compiled(np.array(x))
        expected = run(program, x.astype("float64"), numpy)
        for f, e in zip(found, expected, strict=True):
            numpy.testing.assert_allclose(f.asnumpy(), e, rtol=2e-5, atol=1e-6)

    def total(f):
        return lambda x: sum(np.sum(y * y) for y in f(x))

    slope = minpy.grad(total(compiled))(np.array(x))
    wanted = minpy.grad(total(lambda x: run(program, x, _Single())))(np.array(x))
    scale = numpy.abs(wanted.asnumpy()).max() + 1
    numpy.testing.assert_allclose(slope.asnumpy(), wanted.asnumpy(), rtol=1e-4, atol=1e-5 * scale)


def test_nothing_of_mxnet_is_needed():
    program = (
        "import sys; import minpy, minpy.numpy as np;"
        "f = minpy.jit(lambda x: np.sum(np.exp(x)));"
        "print(float(minpy.grad(f)(np.zeros(2))[0]), f.jit_status, 'mxnet' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.split() == ["1.0", "compiled", "False"], done.stderr
