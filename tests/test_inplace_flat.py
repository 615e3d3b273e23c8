"""Writes to ``x.flat`` of what is read from the same memory: NumPy's numbers, derivatives."""

from __future__ import annotations

import numpy
import pytest

import minpy
import minpy.numpy as np

STATEMENTS = [
    "x.flat[1:] = x.flat[:-1]",
    "x.flat[:-1] = x.flat[1:]",
    "x.flat[[0, 1]] += x.flat[[1, 0]]",
    "x.flat[[0, 0, 1]] += x.flat[[1, 2, 3]]",
    "x.flat[1:] += x.flat[:-1]",
    "x.flat[1:] = x.ravel()[:-1]",
    "x.flat[::-1] = x.flat",
    "x.flat[2:] = x",
    "x.flat[1:] = x.T",
    "x.flat[1::3] = x[1:].flat",
    "x.flat[[5, 2, 5]] = x[0]",
    "x.flat = x[::-1]",
    "x.flat = x.T.flat",
    "x.T.flat = x",
    "x.T.flat[1:] = x.flat",
    "x.T.flat[2:] = x.flat[:-2]",
    "x[::2].flat[1:] = x.flat",
    "x[::-1].flat[1:] = x",
    "x[:, ::2].flat = x[:, 1::2]",
    "x.flat[x.flat[:] > 0] *= 2",
    "x.flat[:6] = x[1:2] * 2",
    "x.flat[3] += x.flat[2]; x.flat[2] -= x.flat[3]",
    "x.flat[2:5] = []",
    "x.flat[1:3] = [x[0, 0], x[1, 1], x[2, 2]]",
    "x[:1, :1].flat[0] = x.flat[7]",
]


def written(statement: str, x):
    exec(statement, {"x": x})
    return x


def some(*shape: int) -> numpy.ndarray:
    return numpy.random.RandomState(3).randn(*shape) * 5


@pytest.mark.parametrize("statement", STATEMENTS)
@pytest.mark.parametrize("shape", [(3, 4), (4, 3)])
def test_flat_reads_and_writes_in_numpys_order(statement, shape):
    for dtype in ("float64", "float32", "int16", "complex128"):
        x = some(*shape).astype(dtype)
        found = written(statement, np.array(x))
        numpy.testing.assert_array_equal(found.asnumpy(), written(statement, x.copy()))


@pytest.mark.parametrize("statement", STATEMENTS)
def test_flat_has_the_derivatives_of_what_numpy_writes(statement):
    x, seen = some(3, 4), []

    def squared(a):
        y = a * 1.0
        seen.append(written(statement, y))
        return y * y

    jacobian = minpy.jacobian(squared)(np.array(x)).asnumpy()
    numpy.testing.assert_array_equal(seen[0].asnumpy(), written(statement, x.copy()))
    for place in numpy.ndindex(x.shape):
        step = numpy.zeros_like(x)
        step[place] = 1e-6
        ahead, behind = (written(statement, x + s) ** 2 for s in (step, -step))
        numpy.testing.assert_allclose(
            jacobian[(..., *place)], (ahead - behind) / 2e-6, rtol=1e-5, atol=1e-5
        )
    minpy.check_grads(squared, modes=["fwd", "rev"], order=2)(np.array(x))


@pytest.mark.parametrize(
    "statement",
    [
        "x.flat[99] = 1.0",
        "x.flat[[0, 99]] = [1.0, 2.0]",
        "x.flat[1.5] = 2.0",
        "x.flat['a'] = 1.0",
        "x.flat[1] = [1.0, 2.0]",
        "x.flat[0] = x.flat[1:3]",
        "x.flat = [[1.0, 2.0], [3.0]]",
    ],
)
def test_what_numpy_refuses_is_refused_with_a_tape_and_without(statement):
    with pytest.raises((IndexError, ValueError)) as expected:
        written(statement, some(3, 4))
    with pytest.raises(expected.type):
        written(statement, np.array(some(3, 4)))
    with pytest.raises(expected.type):
        minpy.grad(lambda a: written(statement, a * 1.0).sum())(np.array(some(3, 4)))


def test_a_closure_keeps_what_it_was_before_a_write_to_flat():
    def f(x):
        y = x * 2.0
        kept = y * y  # its derivative needs y as it is now
        y.flat[1:] = y[:-1]
        return np.sum(kept) + np.sum(y)

    x = np.array([1.0, 2.0, 3.0])
    numpy.testing.assert_array_equal(minpy.grad(f)(x).asnumpy(), [8.0 + 6.0, 16.0, 24.0])
