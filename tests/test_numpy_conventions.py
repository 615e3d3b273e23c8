"""What NumPy's own tests found: conventions of arrays that programs lean on without a thought.

``tools/numpy_suite.py`` runs those tests; here is, in our own words, what came of it.
"""

from __future__ import annotations

from fractions import Fraction

import numpy
import pytest

import minpy
import minpy.numpy as np


@pytest.fixture(autouse=True)
def _float64():
    minpy.set_default_dtype("float64")


# --- arrays of Python objects are NumPy's ---------------------------------------------------------

HALVES = [Fraction(1, 2), Fraction(3, 2)]


@pytest.mark.parametrize(
    "make",
    [
        lambda xp: xp.array(HALVES),
        lambda xp: xp.asarray([1, 2], dtype=object),
        lambda xp: xp.ascontiguousarray(HALVES),
        lambda xp: xp.array([None, 1], ndmin=2),
        lambda xp: xp.zeros(2, dtype=object),
        lambda xp: xp.ones(2, dtype=object),
        lambda xp: xp.full(2, Fraction(1, 2)),
        lambda xp: xp.full(2, 1, dtype=object),
        lambda xp: xp.arange(3).astype(object),
        lambda xp: xp.zeros_like(xp.arange(3), object),
        lambda xp: xp.array(xp.arange(3), dtype=object),
        lambda xp: xp.add(xp.array([1, 2]), numpy.array(HALVES)),
        lambda xp: numpy.array(HALVES) * xp.array([1, 2]),
    ],
)
def test_python_objects_are_in_arrays_of_numpys(make):
    made, expected = make(np), make(numpy)
    assert type(made) is numpy.ndarray and made.dtype == object
    assert made.shape == expected.shape and (made == expected).all()


# --- layout set in place --------------------------------------------------------------------------


def test_shape_and_dtype_can_be_set_in_place():
    x = np.arange(6)
    x.shape = 2, -1
    assert x.tolist() == [[0, 1, 2], [3, 4, 5]]
    x.dtype = "int32"
    assert x.shape == (2, 6) and x[1, 2] == 4
    with pytest.raises(AttributeError, match="shape"):
        x.T.shape = (12,)
    with pytest.raises(TypeError):
        x.dtype = "no dtype"
    assert x.shape == (2, 6)


def test_views_keep_their_layout_when_the_shape_of_their_base_is_set():
    x = np.arange(6)
    part = x[2:4]
    x.shape = 2, 3
    assert part.tolist() == [2, 3]
    part[0] = 9
    assert x.tolist() == [[0, 1, 9], [3, 4, 5]]
    part.shape = 1, 2
    x[1] = 7
    assert part.tolist() == [[9, 7]]


def test_a_write_with_a_derivative_and_a_layout_set_in_place_don_t_go_together():
    def f(x, through):
        y = np.zeros(4)
        part = y[1:3]
        y.shape = 2, 2
        (y[0] if through == "base" else part)[0] = x
        return y.sum() + part.sum()

    for through in ("base", "view"):
        with pytest.raises(ValueError, match="set in place"):
            minpy.grad(f)(2.0, through)
    with pytest.raises(AttributeError, match="differentiated"):
        minpy.grad(lambda x: setattr(x, "shape", (4,)))(np.ones((2, 2)))


def test_an_array_whose_shape_was_set_takes_writes_with_a_derivative():
    def f(x):
        y = np.zeros(4)
        y.shape = 2, 2
        y[1] = x
        return (y * y).sum()

    assert minpy.grad(f)(np.array([1.0, 2.0])).tolist() == [2, 4]


def test_an_array_with_memory_of_its_own_can_be_resized():
    for xp in (numpy, np):
        x = xp.array([[0, 1], [2, 3]])
        x.resize(2, 3)
        assert x.tolist() == [[0, 1, 2], [3, 0, 0]]
        x.resize((2,))
        x.resize()
        x.resize(None)
        assert x.tolist() == [0, 1]
        with pytest.raises((TypeError, ValueError)):
            x.resize(-1)
        with pytest.raises((TypeError, ValueError)):
            x.resize("text")
        part = x[1:]
        with pytest.raises(ValueError, match="does not own"):
            part.resize(3)
        with pytest.raises(ValueError, match="referenced"):
            x.resize(3)
        del part
        x.resize(3)
        assert x.tolist() == [0, 1, 0]


def test_views_keep_the_memory_of_an_array_that_was_resized_regardless():
    x = np.arange(4)
    part = x[1:]
    x.resize(8, refcheck=False)
    x[2] = 9
    assert part.tolist() == [1, 2, 3]

    def f(v):
        y = np.zeros(2)
        y[0] = v
        y.resize(3)
        return y.sum()

    with pytest.raises(ValueError, match="derivative"):
        minpy.grad(f)(1.0)


def test_arrays_are_made_over_memory_and_say_how_they_lie_in_it():
    memory = bytearray(range(16))
    x = np.ndarray((2, 2), "uint8", buffer=memory, offset=4, strides=(4, 1))
    assert x.tolist() == [[4, 5], [8, 9]]
    x[0, 0] = 77
    assert memory[4] == 77
    over = np.ndarray(3, "int64", np.arange(6), order="F", offset=8)
    assert over.tolist() == [1, 2, 3]
    y = np.arange(6).reshape(3, 2)
    y.strides = 8, 16
    assert y.tolist() == [[0, 2], [1, 3], [2, 4]]
    with pytest.raises(ValueError, match="strides"):
        y.strides = 80, 16


def test_the_memory_can_be_asked_for_as_numpys():
    class Struct:
        def __init__(self, array):
            self.__array_struct__ = array.__array_struct__
            self.array = array

    x = np.arange(3.0)
    seen = numpy.asarray(Struct(x))
    seen[0] = 5
    assert x.tolist() == [5, 1, 2]
    assert np.ones(1000).__sizeof__() > 8000 > x[1:].__sizeof__()


def test_a_class_may_make_minpy_arrays_of_itself():
    class Temperatures:
        def __array__(self, dtype=None):
            return np.array([1.0, 2.0], dtype)

    assert np.asarray(Temperatures()).tolist() == [1, 2]
    assert np.add(Temperatures(), 1).tolist() == [2, 3]
    assert np.array(Temperatures(), dtype="int32").dtype == "int32"
