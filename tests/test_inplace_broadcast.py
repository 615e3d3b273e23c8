"""Writing to what np.broadcast_arrays and np.broadcast_to return, as NumPy 1.26 has it."""

from __future__ import annotations

import warnings

import numpy
import pytest

import minpy
import minpy.numpy as np

X, W = numpy.array([1.5, 2.0, 3.0]), numpy.array([[2.0], [5.0]])


def test_results_of_broadcast_arrays_can_be_written_to_with_numpys_warning():
    found = []
    for xp in (numpy, np):
        x = xp.ones(3)
        first, _ = xp.broadcast_arrays(x, xp.ones((2, 1)))
        with pytest.warns(DeprecationWarning, match="writing to an array"):
            first[0, 1] = 5.0
        found.append((x.tolist(), first.tolist()))
    assert found[0] == found[1]


def test_arrays_of_one_shape_are_themselves():
    x, y = np.ones(3), np.zeros(3)
    assert all(a is b for a, b in zip(np.broadcast_arrays(x, y), (x, y), strict=True))


def test_reading_what_broadcast_arrays_returns_warns_of_nothing():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        x = np.arange(3.0)
        a, b = np.broadcast_arrays(x, np.ones((2, 1)))
        again, _ = np.broadcast_arrays(a, np.ones((4, 1, 1)))
        assert again.sum().item() == 4 * a.sum().item() == 24
        assert minpy.jit(lambda v: v * 2)(b).sum().item() == 12
        slope = minpy.grad(lambda v: np.sum(v * np.broadcast_arrays(v, b)[1]))(x)
        assert slope.tolist() == [2.0, 2.0, 2.0]
        fixed, _ = np.broadcast_arrays(np.broadcast_to(x, (2, 3)), np.ones((4, 1, 1)))
        assert fixed.shape == (4, 2, 3) and not fixed.flags.writeable


def test_results_of_broadcast_to_are_read_only():
    x = np.ones(3)
    for shape in ((2, 3), (3,)):
        with pytest.raises(ValueError, match="read-only"):
            np.broadcast_to(x, shape)[0] = 2.0
        with pytest.raises(ValueError, match="read-only"):
            minpy.grad(lambda a, shape=shape: assigned(np.broadcast_to(a, shape)).sum())(x)


def assigned(a):
    a[0] = 2.0
    return a


@pytest.mark.parametrize(
    "statements",
    [
        "a[0] = 2 * w[0]",
        "a[1] = 3 * x",
        "b[0, 1] = x[2]; b += 1",
        "a += b",
        "b[...] = a * b",
        "c = b[:, 1:]; c[0] = x[1:]; a[:] = a * c[1, 0]",
        "a.T[1] = w[:, 0]",
        "a[0, 0] = w[1, 0] * x[1]",
    ],
)
def test_a_write_reaches_every_place_of_an_element_with_its_derivative(statements):
    def loss(xp, x, w):
        x, w = x * 1.0, w * 1.0
        a, b = xp.broadcast_arrays(x, w)
        exec(statements, {"x": x, "w": w, "a": a, "b": b})
        return xp.sum(2 * x**2) + xp.sum(w**2) + xp.sum(a**3) + xp.sum(b**2)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        x, w = np.array(X), np.array(W)
        assert loss(np, x, w).item() == pytest.approx(loss(numpy, X, W), rel=1e-12)
        slope = minpy.grad(lambda a: loss(np, a, w))(x).asnumpy()
        for i, step in enumerate(numpy.eye(3) * 1e-6):
            expected = (loss(numpy, X + step, W) - loss(numpy, X - step, W)) / 2e-6
            assert slope[i] == pytest.approx(expected, rel=1e-6, abs=1e-6)
        minpy.check_grads(lambda a: loss(np, a, w), modes=["fwd", "rev"], order=2)(x)
        minpy.check_grads(lambda a: loss(np, x, a), modes=["fwd", "rev"], order=2)(w)
