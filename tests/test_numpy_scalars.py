"""What NumPy returns as a scalar, minpy as an array without axes, is a value as a scalar is."""

from __future__ import annotations

import copy
import pickle

import numpy
import pytest

import minpy
import minpy.numpy as np
from minpy import runtime
from minpy.policy import use_policy


def _before_and_after(make, module, change):
    """Return a value after another name for it was changed by an augmented assignment."""
    value = make(module)
    other = value
    other = change(other)
    return value, other


def _add(x):
    x += 1
    return x


def _multiply(x):
    x *= 2.5
    return x


def _power(x):
    x **= 2
    return x


SCALARS = {
    "a reduction": lambda np: np.sum(np.ones(3)),
    "a product of a shape": lambda np: np.prod((2, 3)),
    "an element": lambda np: np.arange(4)[2],
    "a method": lambda np: np.ones((2, 2)).max(),
    "a function of a number": lambda np: np.exp(0.0),
    "a random number": lambda np: np.random.RandomState(0).uniform(),
    "an inner product": lambda np: np.dot(np.ones(2), np.ones(2)),
    "a determinant": lambda np: np.linalg.det(np.eye(2)),
    "through the fall-back": lambda np: np.ma.count(np.ones(3)),
}
ARRAYS = {
    "array": lambda np: np.array(2.0),
    "zeros": lambda np: np.zeros(()),
    "a copy": lambda np: np.ones(3)[1].copy(),
    "a view": lambda np: np.ones(3)[1, ...],
    "reshape": lambda np: np.ones(1).reshape(()),
    "ones_like": lambda np: np.ones_like(np.array(1.0)),
}


@pytest.mark.parametrize("change", [_add, _multiply, _power])
@pytest.mark.parametrize("what", SCALARS)
def test_an_augmented_assignment_leaves_the_other_name_alone(what, change):
    minpy.set_default_dtype("float64")
    found = _before_and_after(SCALARS[what], np, change)
    expected = _before_and_after(SCALARS[what], numpy, change)
    for ours, theirs in zip(found, expected, strict=True):
        assert ours == theirs
        assert numpy.asarray(ours).dtype == numpy.asarray(theirs).dtype


@pytest.mark.parametrize("what", [w for w in ARRAYS if w != "a copy"])
def test_an_array_without_axes_is_written_to(what):
    value, other = _before_and_after(ARRAYS[what], np, _add)
    assert other is value
    theirs = _before_and_after(ARRAYS[what], numpy, _add)[0]
    assert value == theirs


def test_a_view_without_axes_writes_into_its_base():
    x = np.zeros(3)
    element, view = x[0], x[1, ...]
    element += 5
    view += 5
    assert x.tolist() == [0.0, 5.0, 0.0]


def test_positions_counted_up_are_slices():
    """As programs number the parts of a vector of parameters."""
    total, parts = 0, {}
    for name, shape in {"w": (3, 2), "b": (2,)}.items():
        start = total
        total += np.prod(shape)
        parts[name] = slice(start, total)
    assert np.arange(8)[parts["w"]].tolist() == [0, 1, 2, 3, 4, 5]
    assert np.arange(8)[parts["b"]].tolist() == [6, 7]


def test_under_differentiation_too():
    def f(x):
        y = np.sum(x**2)
        z = y
        z += x[0]
        w = x[1]
        w *= 3.0
        return y * z + x[1]

    x = numpy.array([1.0, 2.0])
    # y (y + x₀) + x₁, y = x₀² + x₁²
    y = 5.0
    expected = (2 * y + x[0]) * 2 * x + numpy.array([y, 1.0])
    numpy.testing.assert_allclose(minpy.grad(f)(x).asnumpy(), expected)

    def of_a_number(x):
        y = x
        x *= 2.0
        return x * y

    assert minpy.grad(of_a_number)(3.0) == 12.0
    assert minpy.grad(minpy.grad(of_a_number))(3.0) == 4.0
    assert minpy.autograd.deriv(of_a_number)(3.0) == 12.0
    assert minpy.jit(lambda x: of_a_number(np.sum(x)))(np.ones(3)) == 18.0


def test_a_value_of_the_operators_stays_what_it_was():
    value, gradient = minpy.value_and_grad(lambda x: x**2)(3.0)
    total = value
    total += gradient
    assert (value, total) == (9.0, 15.0)


@pytest.mark.skipif(not runtime.available(), reason="mxnet is missing")
def test_on_mxnets_kernels_too():
    with use_policy("prefer_mxnet"):
        value = np.sum(np.ones(3))
        total = value
        total += 1.0
    assert (value, total) == (3.0, 4.0)


def test_they_are_keys():
    labels = np.array([2, 0, 2])
    names = {0: "zero", 2: "two"}
    assert [names[k] for k in labels] == ["two", "zero", "two"]
    assert {np.sum(labels)} == {4}
    assert hash(np.mean(np.array([0.5, 1.5]))) == hash(1.0)
    assert minpy.grad(lambda x: x * {2.0: 5.0}[x])(2.0) == 5.0
    for array in (labels, np.array(2), np.ones(2)[0, ...]):
        with pytest.raises(TypeError, match="unhashable type: 'ndarray'"):
            hash(array)


_VALUES_OF_A_SCALAR = {
    "astype": lambda s: s.astype(s.dtype),
    "copy": lambda s: s.copy(),
    "copy.copy": copy.copy,
    "copy.deepcopy": copy.deepcopy,
    "real": lambda s: s.real,
    "T": lambda s: s.T,
    "squeeze": lambda s: s.squeeze(),
    "reshape": lambda s: s.reshape(()),
    "view": lambda s: s.view(),
    "[()]": lambda s: s[()],
}


@pytest.mark.parametrize("name", _VALUES_OF_A_SCALAR)
def test_what_is_made_of_a_scalar_is_a_value_too(name):
    make = _VALUES_OF_A_SCALAR[name]

    def program(x):
        total = xp.sum(x)
        made = again = make(total)
        assert {made: 1}[total] == 1
        made += 1
        return made * 100 + again * 10 + total

    for xp in (numpy, np):
        x = xp.array([1.0, 2.0, 3.0])
        assert program(x) == 766
    assert minpy.grad(program)(x).tolist() == [111, 111, 111]


def test_arrays_made_of_a_scalar_have_memory_of_their_own():
    for xp in (numpy, np):
        total = xp.sum(xp.array([1.0, 2.0]))
        for made in (total.reshape(1), total[None], xp.atleast_1d(total), total.ravel()):
            made[0] = 9
        assert total == 3


def test_pickles_and_copies_keep_scalars_that_are_keys():
    total = np.sum(np.ones(3))
    for back in (pickle.loads(pickle.dumps({total: 1})), copy.deepcopy({total: 1})):
        assert back[total] == 1
    with pytest.raises(TypeError, match="unhashable"):
        hash(pickle.loads(pickle.dumps(np.zeros(()))))
