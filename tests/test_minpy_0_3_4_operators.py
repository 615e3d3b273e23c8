"""MXNet's operators under ``minpy.numpy``, as minpy 0.3.4 had them."""

from __future__ import annotations

import subprocess
import sys

import numpy
import pytest

import minpy
import minpy.numpy as np
from minpy import runtime
from minpy.dispatch.mxnet_operators import NAMES

needs_mxnet = pytest.mark.skipif(not runtime.available(), reason="needs mxnet")

rng = numpy.random.RandomState(0)
A, B = rng.randn(2, 3, 4).astype("float32"), rng.randn(2, 4, 5).astype("float32")
M = A[0]

# What MXNet computes, and the same in NumPy's functions.
SAME = {
    "slice_axis": (
        lambda: np.slice_axis(np.array(M), axis=1, begin=1, end=3),
        lambda: M[:, 1:3],
    ),
    "slice_axis by position": (lambda: np.slice_axis(np.array(M), 1, 1, None), lambda: M[:, 1:]),
    "batch_dot": (lambda: np.batch_dot(A, B), lambda: A @ B),
    "concat of any number": (
        lambda: np.concat(np.array(M), M, np.array(M), dim=1),
        lambda: numpy.concatenate([M, M, M], 1),
    ),
    "broadcast_plus": (
        lambda: np.broadcast_plus(np.array(M), np.array(M[:1])),
        lambda: M + M[:1],
    ),
    "one_hot": (lambda: np.one_hot(np.array([2, 0]), depth=3), lambda: numpy.eye(3)[[2, 0]]),
    "pick": (
        lambda: np.pick(np.array(M), np.array([1.0, 0.0, 3.0]), axis=1),
        lambda: M[range(3), [1, 0, 3]],
    ),
    "Reshape": (lambda: np.Reshape(np.array(M), shape=[2, 6]), lambda: M.reshape(2, 6)),
    "argmax_channel": (lambda: np.argmax_channel(np.array(M)), lambda: M.argmax(1)),
    "FullyConnected without a bias given": (
        lambda: np.FullyConnected(np.array(M), np.array(B[0].T), num_hidden=5),
        lambda: M @ B[0],
    ),
}


@needs_mxnet
@pytest.mark.parametrize("name", SAME)
def test_the_operator_is_mxnets(name):
    ours, expected = SAME[name]
    found = ours()
    assert type(found) is np.ndarray
    numpy.testing.assert_allclose(found.asnumpy(), expected(), rtol=1e-5)


@needs_mxnet
def test_gradients_flow_through_them():
    g = minpy.grad(lambda x: np.sum(np.slice_axis(x, axis=1, begin=1, end=3) ** 2))(np.array(M))
    expected = numpy.zeros_like(M)
    expected[:, 1:3] = 2 * M[:, 1:3]
    numpy.testing.assert_allclose(g.asnumpy(), expected, rtol=1e-6)
    g, h = minpy.grad(lambda a, b: np.sum(np.batch_dot(a, b)), (0, 1))(np.array(A), np.array(B))
    numpy.testing.assert_allclose(
        g.asnumpy(), numpy.broadcast_to(B.sum(2)[:, None], A.shape), rtol=1e-5
    )
    numpy.testing.assert_allclose(
        h.asnumpy(), numpy.broadcast_to(A.sum(1)[:, :, None], B.shape), rtol=1e-5
    )
    x = np.array([2.0, 3.0])
    assert minpy.grad(lambda x: np.sum(x * np.stop_gradient(x)))(x).tolist() == [2.0, 3.0]
    g = minpy.grad(lambda x: np.sum(x) * np.argmax_channel(x.reshape((1, 2)))[0])(x)
    assert g.tolist() == [1.0, 1.0]


@needs_mxnet
def test_all_names_are_operators_of_mxnet_and_none_of_numpys():
    import mxnet

    assert {name for name in NAMES if hasattr(numpy, name)} == set()
    assert {name for name in NAMES if not hasattr(mxnet.sym, name)} == set()
    assert np.batch_dot is np.batch_dot


@needs_mxnet
def test_mistakes_are_named():
    with pytest.raises(TypeError, match="slice_axis: takes data, axis, begin, end"):
        np.slice_axis(np.array(M), 1, 0, 1, 7)
    with pytest.raises(ValueError, match="batch_dot"):
        np.batch_dot(np.ones((2, 3, 4)), np.ones((2, 3, 4)))


def test_without_mxnet_they_are_not_there(monkeypatch):
    monkeypatch.setattr(runtime, "available", lambda: False)
    assert not hasattr(np, "slice_axis")


def test_asking_for_a_name_that_is_not_there_does_not_import_mxnet():
    code = (
        "import sys, minpy.numpy as np\n"
        "assert not hasattr(np, 'no_such_name')\n"
        "print(type(sys.modules.get('mxnet')).__name__)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "NoneType\n", done.stderr
