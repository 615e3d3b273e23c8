"""An array has the methods and attributes of NumPy's."""

from __future__ import annotations

import io
import pickle

import numpy
import pytest

import minpy
import minpy.numpy as np
from minpy import runtime
from minpy.context import cpu
from minpy.errors import DifferentiationError


def test_an_element_can_not_be_deleted():
    for x in (numpy.ones(2), np.ones(2)):
        with pytest.raises(ValueError, match="cannot delete array elements"):
            del x[0]


def test_the_shape_can_be_set():
    x, plain = np.arange(6.0), numpy.arange(6.0)
    for array in (x, plain):
        array.shape = (2, 3)
        array[1, 0] = -1.0
    assert x.shape == (2, 3) and x.tolist() == plain.tolist()
    with pytest.raises(ValueError, match="cannot reshape"):
        x.shape = (4,)
    with pytest.raises(AttributeError, match="ncompatible shape"):
        x[:, :2].shape = (4,)
    with pytest.raises(AttributeError, match="reshape"):
        minpy.grad(lambda y: setattr(y, "shape", (6,)) or np.sum(y))(x)


def test_a_value_can_be_waited_for():
    x = np.ones(3)
    x.wait_to_read()
    if runtime.available():
        with cpu(1):
            x = np.exp(np.ones(3))
        x.wait_to_read()
    assert x.shape == (3,)


@pytest.mark.skipif(not runtime.available(), reason="needs a device")
def test_writing_to_an_array_on_a_device_can_not_be_forbidden():
    x = np.ones(3, ctx=cpu(1))
    with pytest.raises(ValueError, match="setflags"):
        x.setflags(write=False)
    x[0] = 2.0
    assert x.tolist() == [2.0, 1.0, 1.0]


@pytest.mark.skipif(not runtime.available(), reason="needs a device")
def test_values_from_another_device_are_written():
    x, v = np.ones(3, ctx=cpu(1)), np.array([4.0, 5.0])
    x[1:] = v
    assert x.context == cpu(1) and x.tolist() == [1.0, 4.0, 5.0]
    y = np.ones(3)
    y[:2] = v.as_in_context(cpu(1))
    assert y.context == cpu() and y.tolist() == [4.0, 5.0, 1.0]


def test_operators_of_a_class_that_takes_no_arrays_are_its_own():
    class Own:
        __array_ufunc__ = None

        def __radd__(self, other):
            return "radd"

        def __rpow__(self, other):
            return "rpow"

        def __add__(self, other):
            return NotImplemented

        def __gt__(self, other):
            return "gt"

    x, own = np.ones(2), Own()
    for array in (x, numpy.ones(2)):
        assert (array + own, array**own, array < own) == ("radd", "rpow", "gt")
        with pytest.raises(TypeError):
            own + array
        with pytest.raises(TypeError, match="does not support ufuncs"):
            array += own  # the result is to be written, not what Own makes of it
        with pytest.raises(TypeError):
            array += None


def test_a_subclass_of_numpy_arrays_is_an_operand_like_its_base():
    class Tagged(numpy.ndarray):
        pass

    x, tagged = np.array([1.0, 2.0]), numpy.array([3.0, 2.0]).view(Tagged)
    for found, expected in (
        (x + tagged, [4.0, 4.0]),
        (x**tagged, [1.0, 4.0]),
        (x < tagged, [True, False]),
    ):
        assert type(found) is np.ndarray and found.tolist() == expected


def test_numpy_reads_values_as_another_dtype():
    found = numpy.asarray(np.array([1.5, 2.0]), "int32")
    assert found.dtype == "int32" and found.tolist() == [1, 2]
    assert numpy.asarray(np.array([[1.5, 2.0]]).flat, "int32").tolist() == [1, 2]


def test_bytes_in_the_other_order():
    x, plain = np.array([1, 258], "int16"), numpy.array([1, 258], "int16")
    swapped = x.newbyteorder()
    assert swapped.tolist() == plain.newbyteorder().tolist() == [256, 513]
    assert swapped.dtype == plain.newbyteorder().dtype
    x[0] = 2  # a view
    assert swapped.tolist() == [512, 513]
    assert x.newbyteorder("=").tolist() == [2, 258]


def test_fields_of_elements_can_be_set():
    x, plain = np.array([1, 258], "int16"), numpy.array([1, 258], "int16")
    view = x[1:]
    for array in (x, plain):
        array.setfield([3, 4], "int8", 1)
    assert x.tolist() == plain.tolist()
    assert view.tolist() == plain[1:].tolist()


@pytest.mark.parametrize(
    "method",
    [
        lambda x: x.byteswap(),
        lambda x: x.getfield("int32"),
        lambda x: x.newbyteorder(),
        lambda x: x.setfield(1, "int32"),
        lambda x: x.view("int32"),
    ],
)
def test_bytes_have_no_derivative(method):
    with pytest.raises(DifferentiationError, match="have no derivative"):
        minpy.grad(lambda x: np.sum(x * method(x)))(np.ones(2))


def test_views_of_another_class():
    x = np.arange(4.0).reshape(2, 2)
    assert type(x.view(np.ndarray)) is type(x.view(type=np.ndarray)) is np.ndarray
    for found in (x.view(numpy.ndarray), x.view(numpy.matrix), x.view(type=numpy.ma.MaskedArray)):
        found[0, 0] = 7.0
        assert x[0, 0] == 7.0
        x[0, 0] = 0.0
    assert type(found) is numpy.ma.MaskedArray
    assert type(x.view("int32", numpy.matrix)) is numpy.matrix
    with pytest.raises(ValueError, match="sub-type of ndarray"):
        x.view(type=5)
    with pytest.raises(DifferentiationError):
        minpy.grad(lambda x: x.view(numpy.ndarray).sum())(x)


def test_bytes():
    x, plain = np.array([[1, 2], [3, 4]], "int16"), numpy.array([[1, 2], [3, 4]], "int16")
    assert bytes(x) == bytes(plain) == x.tostring()
    assert x.tostring("F") == plain.tobytes("F")
    assert x.getfield("int8", 1).tolist() == plain.getfield("int8", 1).tolist()


def test_pickles_by_methods(tmp_path):
    x = np.arange(3.0)
    x.dump(tmp_path / "x")
    assert numpy.load(tmp_path / "x", allow_pickle=True).tolist() == [0, 1, 2]
    file = io.BytesIO()
    x.dump(file)
    for data in (file.getvalue(), x.dumps()):
        back = pickle.loads(data)
        assert type(back) is np.ndarray and back.tolist() == [0, 1, 2]
        assert back.dtype == x.dtype


@pytest.mark.parametrize("function", [lambda x: x**2, lambda x: 2.0 * x, lambda x: x.sum()])
def test_a_class_may_be_named_with_its_dtype(function):
    def annotated(x: np.ndarray[tuple[int], float]) -> np.ndarray:
        return function(x)

    assert annotated(np.ones(2)).dtype == np.ones(1).dtype


def test_repr_says_what_is_not_the_default():
    assert repr(np.array([1.5, 2.0])) == "array([1.5, 2. ])"
    assert repr(np.array([1.5], "float64")) == "array([1.5], dtype=float64)"
    assert repr(np.zeros((0, 2))) == "array([], shape=(0, 2))"
    minpy.set_default_dtype("float64")
    assert repr(np.array([1.5])) == "array([1.5])"
    assert repr(np.array([1.5], "float32")) == "array([1.5], dtype=float32)"


@pytest.mark.skipif(not runtime.available(), reason="needs mxnet")
def test_repr_says_on_which_device():
    with cpu(1):
        assert repr(np.array([1.5])) == "array([1.5], ctx=cpu(1))"


@pytest.mark.parametrize(
    ("base", "exponent", "dtype"),
    [
        (numpy.float32(1.5), numpy.array(2), "float32"),
        (numpy.array(3, "int8"), 2, "int8"),
        (numpy.array([True, False]), 2, "int8"),
        (numpy.array(2.0, "float32"), 1j, "complex128"),
        (numpy.array([2.0], "float32"), numpy.array([2]), "float64"),
    ],
)
def test_powers_have_the_dtype_of_numpys_operator(base, exponent, dtype):
    minpy.set_default_dtype("float64")
    ours = np.array(exponent) if isinstance(exponent, numpy.ndarray) else exponent
    found = np.array(base) ** ours
    expected = numpy.asarray(base) ** exponent
    assert found.dtype == expected.dtype
    assert found.tolist() == expected.tolist()
    assert str(found.dtype) == dtype or dtype == "complex128"


def test_flat_is_an_iterator_as_numpys():
    x, plain = np.arange(6.0).reshape(2, 3), numpy.arange(6.0).reshape(2, 3)
    ours, theirs = x.flat, plain.flat
    assert {n for n in dir(theirs) if n[0] != "_"} <= set(dir(ours))
    assert ours.base is x
    for _ in range(4):
        assert next(ours) == next(theirs)
        assert (ours.index, ours.coords) == (theirs.index, theirs.coords)
    assert [float(v) for v in ours] == list(theirs)
    with pytest.raises(StopIteration):
        next(ours)
    assert len(ours) == len(theirs) == 6
    assert ours.copy().tolist() == theirs.copy().tolist()
    for compare in (
        lambda flat: flat == 2,
        lambda flat: flat != 2,
        lambda flat: flat < 3,
        lambda flat: flat <= 3,
        lambda flat: flat > 3,
        lambda flat: flat >= 3,
    ):
        assert compare(x.flat).tolist() == compare(plain.flat).tolist()
    x.flat.copy()[0] = 9.0
    assert x[0, 0] == 0.0
    x.flat = [1.0, 2.0]
    assert x.tolist() == [[1, 2, 1], [2, 1, 2]]


def test_flat_through_a_derivative():
    def f(x):
        y = x * 1.0
        y.flat[1] = y.flat[0] * 3.0
        return sum(v * v for v in y.flat)

    assert minpy.grad(f)(np.array([[1.0, 5.0], [2.0, 3.0]])).tolist() == [[20, 0], [4, 6]]


@pytest.mark.parametrize(
    "method",
    [
        lambda x: x.astype(x),
        lambda x: x.view(x),
        lambda x: x.getfield(x),
        lambda x: x.setfield(1.0, x),
        lambda x: x.fill(x),
        lambda x: x.fill("a"),
        lambda x: x.itemset(7.0),
        lambda x: x.itemset(0, 0, 0, 7.0),
        lambda x: x.itemset(9, 7.0),
        lambda x: x.reshape(),
        lambda x: x.reshape(order="F"),
        lambda x: x.sort(axis=None),
        lambda x: x.sort(order="a"),
        lambda x: x.partition(1, axis=None),
        lambda x: x[0].__imatmul__(x[0]),
        lambda x: x.__imatmul__([1.0, 2.0, 3.0]),
        lambda x: x.item(9),
        lambda x: x.item(),
        lambda x: x.choose([x, x]),
        lambda x: x.compress([[True]]),
        lambda x: x.transpose(0, 0),
        lambda x: x.transpose(3, 1),
        lambda x: x.swapaxes(0, 5),
        lambda x: x.squeeze(0),
        lambda x: x.diagonal(0, 0, 0),
        lambda x: x.clip(),
        lambda x: x.repeat(-1),
        lambda x: x.take(9),
        lambda x: x.take(0, mode="bad"),
        lambda x: x.put(9, 1.0),
        lambda x: x.searchsorted(1.0),
        lambda x: x.dot(x),
        lambda x: x.ravel("X"),
        lambda x: x.astype("no"),
        lambda x: x.astype(int, casting="safe"),
        lambda x: float(x),
        lambda x: int(x),
        lambda x: bool(x),
        lambda x: x.__index__(),
        lambda x: len(x[0, 0]),
        lambda x: iter(x[0, 0]),
        lambda x: hash(x),
        lambda x: x[5],
        lambda x: x[0, 0, 0],
        lambda x: x["a"],
        lambda x: x[1.5],
        lambda x: x[[True, False, True]],
        lambda x: x.__setitem__(5, 1.0),
        lambda x: x.__setitem__(0, [1.0, 2.0]),
        lambda x: x.__setitem__(0, "a"),
        lambda x: x + "a",
        lambda x: x @ x,
        lambda x: x | x,
        lambda x: ~x,
        lambda x: x << 1,
        lambda x: x + numpy.ones(2),
    ],
)
def test_methods_and_operators_raise_what_numpys_do(method):
    minpy.set_default_dtype("float64")
    plain = numpy.arange(6.0).reshape(2, 3)
    with pytest.raises(Exception) as theirs:  # noqa: PT011
        method(plain)
    ours = np.arange(6.0).reshape(2, 3)
    kind = next(c for c in theirs.type.__mro__ if c.__module__ in ("builtins", "numpy.exceptions"))
    with pytest.raises(kind):
        method(ours)
    assert ours.tolist() == plain.tolist() == numpy.arange(6.0).reshape(2, 3).tolist()


@pytest.mark.parametrize("dtype", ["float64", "float32", "complex128", "int64"])
def test_powers_are_those_of_numpys_operator_bit_for_bit(dtype):
    minpy.set_default_dtype("float64")
    start = (numpy.linspace(0.1, 7.0, 500) * 3).astype(dtype)
    for exponent in (-1, 0, 0.5, 1, 2, 2.0, 3, 2.5, numpy.float64(2), numpy.array(0.5), True):
        if dtype == "int64" and numpy.asarray(exponent) < 0:
            continue  # an error of NumPy's
        expected, found = start**exponent, np.array(start) ** exponent
        assert found.dtype == expected.dtype
        assert found.tolist() == expected.tolist()
        if expected.dtype == dtype:
            x, plain = np.array(start), start.copy()
            view = x[3:]
            x **= exponent
            plain **= exponent
            assert x.tolist() == plain.tolist() and view.tolist() == plain[3:].tolist()
    assert minpy.grad(lambda x: np.sum(x**2))(np.array([1.5, 0.0])).tolist() == [3, 0]


def test_an_augmented_matrix_product():
    minpy.set_default_dtype("float64")
    x, plain = np.arange(6.0).reshape(2, 3), numpy.arange(6.0).reshape(2, 3)
    for array in (x, plain):
        array @= numpy.arange(9.0).reshape(3, 3)
    assert x.tolist() == plain.tolist()
    assert slice(0, 1) not in x and "a" not in x and 18.0 in x
