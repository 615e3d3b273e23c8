"""Policies choose kernels, and say what they did."""

from __future__ import annotations

import subprocess
import sys
import threading

import numpy
import pytest

import minpy
import minpy.numpy as np
from minpy import runtime
from minpy.errors import MinpyError, PolicyError
from minpy.policy import (
    current_policy,
    operation_counts,
    reset_operation_counts,
    set_global_policy,
    use_policy,
    wrap_policy,
)
from minpy.primitives import Primitive

needs_mxnet = pytest.mark.skipif(not runtime.available(), reason="needs mxnet")


@pytest.fixture(autouse=True)
def _policy_as_it_was():
    before = current_policy()
    yield
    set_global_policy(before)


@pytest.fixture
def both():
    """A primitive whose kernels can be told apart by their results."""

    def on_mxnet(F, x, refuse=False):
        if refuse:
            raise runtime.Unsupported("it was told to")
        return F("_npi_multiply_scalar", x, scalar=2.0, is_int=False)

    return Primitive(
        "doubled", lambda x, refuse=False: x * 2.0 + 0.5, mxnet=on_mxnet, register=False
    )


def test_the_default_is_auto():
    assert current_policy() == ("auto" if runtime.installed() else "only_numpy")


@needs_mxnet
def test_each_policy_runs_its_kernel(both):
    x = np.ones(2)
    for policy, expected in (
        ("auto", 2.5),
        ("prefer_mxnet", 2.0),
        ("only_mxnet", 2.0),
        ("only_numpy", 2.5),
    ):
        set_global_policy(policy)
        assert current_policy() == policy
        assert both(x)[0] == expected


@needs_mxnet
def test_auto_asks_which_is_faster():
    def build(faster):
        return Primitive(
            "asked",
            lambda x: x * 2.0 + 0.5,
            mxnet=lambda F, x: F("_npi_multiply_scalar", x, scalar=2.0, is_int=False),
            faster_on_mxnet=faster,
            register=False,
        )

    small, large = np.ones(2), np.ones(100)
    assert build(True)(small)[0] == 2.0
    by_size = build(lambda x: x.size > 10)
    assert by_size(small)[0] == 2.5
    assert by_size(large)[0] == 2.0


@needs_mxnet
def test_a_kernel_that_refuses_leaves_it_to_numpy_or_is_an_error(both):
    x = np.ones(2)
    with use_policy("prefer_mxnet"):
        assert both(x, refuse=True)[0] == 2.5
    with use_policy("only_mxnet"), pytest.raises(PolicyError, match="doubled: it was told to"):
        both(x, refuse=True)


@needs_mxnet
def test_only_mxnet_names_the_operation_it_has_no_kernel_for():
    with use_policy("only_mxnet"):
        with pytest.raises(PolicyError, match="partition has no MXNet kernel"):
            np.partition(np.ones(2), 1)
        with pytest.raises(PolicyError, match=r"fft\.fft has no MXNet kernel"):
            np.fft.fft(np.ones(2))
        with pytest.raises(PolicyError, match="int64"):
            np.arange(3) + np.arange(3)
    assert issubclass(PolicyError, RuntimeError) and issubclass(PolicyError, MinpyError)


@needs_mxnet
def test_wrong_arguments_raise_numpys_error_under_every_policy():
    for policy in ("auto", "prefer_mxnet", "only_mxnet", "only_numpy"):
        with use_policy(policy):
            with pytest.raises(ValueError, match="broadcast"):
                np.ones(3) + np.ones(2)
            with pytest.raises(ValueError, match="mismatch"):
                np.ones((2, 3)) @ np.ones((2, 3))
            with pytest.raises(numpy.AxisError):
                np.sum(np.ones(3), axis=1)


@needs_mxnet
@pytest.mark.parametrize("policy", ["auto", "prefer_mxnet", "only_mxnet", "only_numpy"])
def test_views_and_writes_are_numpys_on_the_host_under_every_policy(policy):
    with use_policy(policy):
        x = np.zeros((2, 3))
        row, column, flat = x[1], x.T[0], x.reshape(6)
        row[0] = 1.0
        flat[1:3] = 5.0
        column += 0.5
        assert x.tolist() == [[0.5, 5, 5], [1.5, 0, 0]]
        assert row.tolist() == [1.5, 0, 0]


@needs_mxnet
@pytest.mark.parametrize("policy", ["auto", "prefer_mxnet", "only_mxnet", "only_numpy"])
def test_gradients_are_the_same_under_every_policy(policy):
    def f(w, x):
        h = np.tanh(np.dot(x, w))
        return np.sum(np.where(h > 0, h * h, np.exp(h)) / (1.0 + np.square(h)))

    w, x = np.array([[0.3, -0.2], [0.5, 0.7]]), np.array([[1.0, -2.0], [0.4, 3.0], [1.0, 1.0]])
    with use_policy("only_numpy"):
        expected = minpy.grad(f)(w, x).asnumpy()
    with use_policy(policy):
        numpy.testing.assert_allclose(minpy.grad(f)(w, x).asnumpy(), expected, rtol=1e-5)


def test_unknown_names_are_refused_and_change_nothing():
    before = current_policy()
    for refused in (lambda: set_global_policy("fast"), lambda: wrap_policy("fast")):
        with pytest.raises(ValueError, match=r"expected one of auto, .*'fast'"):
            refused()
    assert current_policy() == before


def test_use_policy_and_wrap_policy_put_the_old_one_back():
    set_global_policy("only_numpy")

    @wrap_policy("auto")
    def inside():
        """Say which."""
        return current_policy()

    assert inside() == ("auto" if runtime.installed() else "only_numpy")
    assert inside.__name__ == "inside" and inside.__doc__ == "Say which."
    assert current_policy() == "only_numpy"

    @wrap_policy("auto")
    def fails():
        raise KeyError

    with pytest.raises(KeyError):
        fails()
    assert current_policy() == "only_numpy"


def test_a_policy_is_the_processs():
    seen = []
    with use_policy("only_numpy"):
        thread = threading.Thread(target=lambda: seen.append(current_policy()))
        thread.start()
        thread.join()
    assert seen == ["only_numpy"]


def test_counts_say_which_operation_ran_where():
    reset_operation_counts()
    assert operation_counts() == {}
    x = np.ones(3)
    y = x + x * 2.0
    y += x
    np.fft.fft(x)
    np.median(x)
    counts = operation_counts()
    assert counts["add"] == {"numpy": 2, "mxnet": 0}
    assert counts["multiply"] == {"numpy": 1, "mxnet": 0}
    assert counts["fft.fft"] == {"numpy": 1, "mxnet": 0}
    assert counts["median"] == {"numpy": 1, "mxnet": 0}
    assert "subtract" not in counts


@needs_mxnet
def test_counts_tell_mxnet_from_numpy():
    x = np.ones(3)
    reset_operation_counts()
    with use_policy("prefer_mxnet"):
        x + x
        np.partition(x, 1)
    assert operation_counts() == {
        "add": {"numpy": 0, "mxnet": 1},
        "partition": {"numpy": 1, "mxnet": 0},
    }


@needs_mxnet
def test_a_primitive_of_ones_own_may_have_two_kernels():
    @minpy.primitive(mxnet=lambda F, x: F("_npi_square", x))
    def own_square(x):
        return x * x

    minpy.defvjp(own_square, lambda ans, x: lambda g: 2 * g * x)
    x = np.array([1.0, -3.0])
    for policy in ("only_numpy", "only_mxnet"):
        with use_policy(policy):
            assert own_square(x).tolist() == [1, 9]
            assert minpy.grad(lambda x: np.sum(own_square(x)))(x).tolist() == [2, -6]
    assert (own_square.ran_numpy, own_square.ran_mxnet) == (2, 2)


def test_without_mxnet_everything_is_numpys():
    program = """
import sys
sys.modules["mxnet"] = None
import minpy, minpy.numpy as np
assert minpy.current_policy() == "only_numpy"
minpy.set_global_policy("auto")
assert minpy.current_policy() == "only_numpy"
for name in ("prefer_mxnet", "only_mxnet"):
    try:
        minpy.set_global_policy(name)
    except minpy.errors.PolicyError as error:
        assert "needs mxnet" in str(error)
    else:
        raise AssertionError(name)
assert minpy.grad(lambda x: np.sum(np.tanh(np.dot(x, x))))(np.ones((2, 2))).shape == (2, 2)
try:
    minpy.context.cpu(1).check()
except minpy.errors.ContextError as error:
    assert "cpu(1) can't be used" in str(error)
else:
    raise AssertionError
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
