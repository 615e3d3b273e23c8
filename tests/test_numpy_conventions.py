"""What NumPy's own tests found: conventions of arrays that programs lean on without a thought.

``tools/numpy_suite.py`` runs those tests; here is, in our own words, what came of it.
"""

from __future__ import annotations

import gc
import pickle
import sys
import weakref
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


@pytest.fixture
def untraced():
    """Run without a tracer: it keeps references to local names, for which NumPy won't resize."""
    tracer = sys.gettrace()
    sys.settrace(None)
    yield
    sys.settrace(tracer)


@pytest.mark.usefixtures("untraced")
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


def test_the_size_of_an_array_is_that_of_the_memory_that_it_owns():
    x = np.ones(1000)
    assert x.__sizeof__() > 8000 > x[1:].__sizeof__()


def test_a_class_may_make_minpy_arrays_of_itself():
    class Temperatures:
        def __array__(self, dtype=None):
            return np.array([1.0, 2.0], dtype)

    assert np.asarray(Temperatures()).tolist() == [1, 2]
    assert np.add(Temperatures(), 1).tolist() == [2, 3]
    assert np.array(Temperatures(), dtype="int32").dtype == "int32"
    assert np.intersect1d(Temperatures(), [2, 3]).tolist() == [2]


# --- classes that answer for themselves -----------------------------------------------------------


class Quantity:
    """Answers every function of NumPy's with the function's name."""

    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        return ufunc.__name__, method

    def __array_function__(self, func, types, args, kwargs):
        return func.__name__


@pytest.mark.parametrize(
    ("call", "answer"),
    [
        (lambda q: np.add(np.ones(2), q), ("add", "__call__")),
        (lambda q: np.multiply(q, 2), ("multiply", "__call__")),
        (lambda q: np.exp(q), ("exp", "__call__")),
        (lambda q: np.add.reduce(q), ("add", "reduce")),
        (lambda q: np.sum(q, axis=0), "sum"),
        (lambda q: np.mean(q), "mean"),
        (lambda q: np.dot(np.ones(2), q), "dot"),
        (lambda q: np.var(q), "var"),
    ],
)
def test_a_class_with_numpys_protocols_answers_for_itself(call, answer):
    assert call(Quantity()) == answer


def test_a_class_that_opts_out_of_ufuncs_is_refused():
    class Apart:
        __array_ufunc__ = None

    with pytest.raises(TypeError, match="does not support ufuncs"):
        np.add(np.ones(2), Apart())


def test_the_exponential_of_a_series_is_a_series():
    pandas = pytest.importorskip("pandas")
    series = pandas.Series([0.0, 1.0], index=["a", "b"])
    found = np.exp(series)
    assert type(found) is pandas.Series and found["b"] == numpy.e


# --- ufuncs of other libraries and of functions ---------------------------------------------------


def test_a_ufunc_made_of_a_function_has_its_methods():
    def larger(a, b):
        return max(a, b)

    for xp in (numpy, np):
        made = [xp.frompyfunc(larger, 2, 1) for _ in range(2)][1]
        x = xp.array([3, 1, 2])
        assert made.reduce(x) == 3
        assert list(made.accumulate(x)) == [3, 3, 3]
        assert made.outer(x, x)[1][2] == 2


def test_ufuncs_of_scipy_with_a_name_of_numpys_work_on_arrays():
    special = pytest.importorskip("scipy.special")
    x = np.array([0.0, 3.0])
    assert type(special.exp2(x)) is np.ndarray
    assert special.exp2(x).tolist() == [1, 8]
    special.cbrt.at(x, [1])
    assert x.tolist() == [0, pytest.approx(3 ** (1 / 3))]
    with pytest.raises(TypeError, match="derivative"):
        minpy.grad(lambda y: special.cbrt.at(y, [1]))(x)


def test_reduce_takes_all_its_arguments_by_position():
    x = numpy.arange(6.0).reshape(2, 3)
    mask = numpy.array([True, False, True])
    expected = numpy.add.reduce(x, 1, "float32", None, True, 10, mask)
    found = np.add.reduce(np.array(x), 1, "float32", None, True, 10, mask)
    assert found.dtype == expected.dtype and found.tolist() == expected.tolist()
    float32 = numpy.dtype("float32")
    dtypes = (numpy.dtype("int8"), float32, None)
    assert np.add.resolve_dtypes(dtypes) == numpy.add.resolve_dtypes(dtypes)


# --- random numbers -------------------------------------------------------------------------------


def test_seeds_may_be_arrays():
    seed, plain = np.arange(3), numpy.arange(3)
    for name in ("MT19937", "PCG64", "PCG64DXSM", "Philox", "SFC64"):
        ours = np.random.Generator(getattr(np.random, name)(seed))
        theirs = numpy.random.Generator(getattr(numpy.random, name)(plain))
        assert ours.integers(1000, size=5).tolist() == theirs.integers(1000, size=5).tolist()
    assert (
        np.random.SeedSequence(seed).generate_state(2).tolist()
        == numpy.random.SeedSequence(plain).generate_state(2).tolist()
    )


def test_draws_go_into_an_array_as_numpy_lets_them():
    rng, theirs = np.random.default_rng(0), numpy.random.default_rng(0)
    out = np.empty(3)
    assert rng.random(out=out) is out
    assert out.tolist() == theirs.random(3).tolist()
    x = np.arange(12).reshape(3, 4)
    assert rng.permuted(x, axis=1, out=x) is x
    assert x.tolist() == theirs.permuted(numpy.arange(12).reshape(3, 4), axis=1).tolist()
    for wrong in (np.empty((3, 4))[:, ::2], np.empty((3, 2), dtype="int64"), np.empty(4)):
        with pytest.raises((ValueError, TypeError)):
            rng.standard_normal((3, 2), out=wrong)
    with pytest.raises(TypeError, match="Cannot cast"):
        rng.permuted(x, out=np.empty((3, 4), dtype="int8"))


def test_a_draw_into_memory_that_a_derivative_needs_leaves_it_alone():
    rng = np.random.default_rng(0)

    def f(x):
        y = x * 1.0
        z = np.ones(2)
        product = y * z
        rng.random(out=z)
        return product.sum()

    assert minpy.grad(f)(np.ones(2)).tolist() == [1, 1]


def test_a_draw_is_equal_to_itself():
    rng = np.random.default_rng(0)
    assert rng.normal == rng.normal and rng.normal in (rng.gamma, rng.normal)
    assert rng.normal != np.random.default_rng(1).normal
    assert np.random.mtrand.normal is not None
    assert np.random.get_state()[0] == "MT19937"


# --- memory that results share with arguments -----------------------------------------------------


@pytest.mark.parametrize(
    "share",
    [
        lambda x: np.einsum("ii->i", x),
        lambda x: np.einsum("ij->ji", x),
        lambda x: np.require(x[0], requirements=["W"]),
        lambda x: np.trim_zeros(x[0]),
        lambda x: np.asfarray(x),
        lambda x: np.asarray_chkfinite(x),
        lambda x: np.asfortranarray(x.T).T,
        lambda x: np.real_if_close(x),
    ],
)
def test_writes_through_a_shared_result_are_seen_and_spare_what_a_derivative_needs(share):
    x = np.array([[1.0, 2.0], [3.0, 4.0]])
    share(x)[...] = 7
    assert x[0, 0] == 7

    def f(y):
        held = np.array([[1.0, 2.0], [3.0, 4.0]])
        product = (y * held).sum()
        share(held)[...] = 7
        assert held[0, 0] == 7
        return product

    assert minpy.grad(f)(np.ones((2, 2))).tolist() == [[1, 2], [3, 4]]


# --- products, choices, shapes --------------------------------------------------------------------


def test_einsum_converts_as_it_is_told():
    left = np.array([[1.5, 2.0]])
    for xp in (numpy, np):
        out = xp.zeros((1, 1), dtype="int8")
        a = xp.array([[1.5, 2.0]])
        xp.einsum("ij,kj", a, a, out=out, dtype="float64", casting="unsafe")
        assert out.tolist() == [[6]]
        with pytest.raises(ValueError, match="valid range"):
            xp.einsum(a, [0, 52])
    with pytest.raises(TypeError, match="safe"):
        np.einsum("ij,kj", left, left, out=np.zeros((1, 1), dtype="int8"))


def test_choices_have_the_common_dtype_of_arrays_and_numbers():
    for xp in (numpy, np):
        assert xp.choose([0], (1000, xp.array([1], dtype="uint8"))).dtype == "uint16"
        x = xp.array(1.0, dtype="float64")
        assert xp.choose([1], (x, xp.array([1], dtype="float32"))).dtype == "float32"
        which = xp.array([1, 0, 2])
        assert which.choose([xp.arange(3), xp.arange(3) + 10, 5]).tolist() == [10, 1, 5]
        assert which.choose([1, 2, 3]).tolist() == [2, 1, 3]


def test_elements_in_order_can_t_be_deleted_nor_the_place_set():
    for xp in (numpy, np):
        flat = xp.arange(3).flat
        next(flat)
        assert flat.index == 1
        with pytest.raises(AttributeError):
            flat.index = 0
        with pytest.raises(TypeError, match="Cannot delete"):
            del flat[0]


def test_functions_are_applied_along_an_axis_without_elements():
    for xp in (numpy, np):
        made = xp.apply_along_axis(lambda row: 1.0 if len(row) else -1.0, 0, xp.ones((0, 3)))
        assert made.tolist() == [-1, -1, -1]


def test_axes_may_be_an_array():
    x = np.ones((2, 3, 4))
    assert x.transpose(np.array([2, 0, 1])).shape == (4, 2, 3)
    assert x.transpose(numpy.array([1, 0, 2])).shape == (3, 2, 4)


def test_a_view_of_as_many_elements_is_resized():
    for xp in (numpy, np):
        view = xp.zeros((10, 0))[...]
        view.resize((0, 10))
        assert view.shape == (0, 10)


def test_what_is_chosen_has_memory_of_its_own():
    chosen = np.arange(3).choose([np.zeros(3), np.ones(3), np.ones(3)])
    assert chosen.flags.owndata and chosen.tolist() == [0, 1, 1]
    assert minpy.grad(lambda x: np.choose([1, 0], [x, 2 * x]).sum())(np.ones(2)).tolist() == [2, 1]


def test_no_numbers_are_counted_as_integers():
    assert np.bincount([], minlength=2).tolist() == [0, 0]
    with pytest.raises(TypeError, match="Cannot cast"):
        np.bincount(np.array([], dtype="float64"))


def test_functions_of_other_libraries_write_to_arrays():
    special = pytest.importorskip("scipy.special")
    x, out = np.array([0.0, 1.0]), np.zeros(2)
    assert special.cbrt(x, out=out) is out and out.tolist() == [0, 1]
    sine, cosine = np.zeros(2), np.zeros(2)
    assert special.fresnel(x, out=(sine, cosine))[1] is cosine
    assert cosine.tolist() == special.fresnel(x.asnumpy())[1].tolist()

    def f(y):
        held = np.ones(2)
        product = (y * held).sum()
        special.cbrt(np.zeros(2), out=held)
        return product

    assert minpy.grad(f)(x).tolist() == [1, 1]


def test_functions_made_ufuncs_are_let_go():
    made = weakref.WeakSet()

    class Half:
        def __call__(self, x):
            return x / 2

    for _ in range(3):
        half = Half()
        made.add(half)
        assert np.frompyfunc(half, 1, 1)(np.ones(2))[0] == 0.5
        numpy.add(numpy.frompyfunc(half, 1, 1)(np.ones(2)), 1)
    del half
    gc.collect()
    assert not len(made)


def test_bit_generators_of_numpys_are_of_our_classes():
    assert isinstance(np.random.default_rng(0).bit_generator, np.random.PCG64)
    assert not isinstance(np.random.default_rng(0).bit_generator, np.random.MT19937)
    generator = np.random.Philox(np.arange(3))
    copied = pickle.loads(pickle.dumps(generator))
    assert copied.random_raw() == generator.random_raw()
    seed = np.arange(5)[3]
    assert np.random.PCG64(seed).random_raw() == numpy.random.PCG64(3).random_raw()
    assert np.random.RandomState(seed).randint(99) == numpy.random.RandomState(3).randint(99)
    assert np.random.default_rng(seed).random() == numpy.random.default_rng(3).random()


def test_an_instance_of_a_class_derived_from_ours_is_no_endless_question():
    class Derived(np.ndarray):
        pass

    with pytest.raises((TypeError, ValueError)):
        np.ones(2).view(Derived)
    assert np.kron(Derived((2, 2)), np.ones((2, 2))).shape == (4, 4)


def test_classes_of_dtypes_are_numpys():
    assert np.dtypes.Int8DType is numpy.dtypes.Int8DType
    with pytest.raises(AttributeError, match="NoDType"):
        np.dtypes.NoDType  # noqa: B018


def test_einsum_lays_its_result_out_as_it_is_told():
    for xp in (numpy, np):
        a, b = xp.ones((2, 3), order="F"), xp.ones((3, 4), order="F")
        assert xp.einsum("ij,jk->ik", a, b, order="a").flags.f_contiguous
        assert xp.einsum("ij,jk->ik", a, b, order="f").flags.f_contiguous
        assert xp.einsum("ij,jk->ik", a, xp.ones((3, 4)), order="A").flags.c_contiguous
        with pytest.raises(ValueError, match="order"):
            xp.einsum("ij->ij", a, order="W")


def test_einsum_of_python_objects_is_numpys():
    halves = np.array(HALVES)
    found = np.einsum("i,i->", halves, np.array([1, 2]))
    assert found == Fraction(7, 2)


@pytest.mark.parametrize(
    ("left", "right"), [((4, 4), (4, 1)), ((2, 4, 4), (4, 1)), ((4, 1), (1, 4))]
)
def test_a_product_of_another_shape_can_t_be_written_to_its_first_factor(left, right):
    for xp in (numpy, np):
        x = xp.ones(left)
        with pytest.raises(ValueError, match="matmul"):
            x @= xp.ones(right)
        assert x.tolist() == numpy.ones(left).tolist()


def test_masks_go_into_a_masked_array_given_as_out():
    first = numpy.ma.array([1.0, 2.0], mask=[True, False])
    out = numpy.ma.zeros(2)
    assert np.add(first, first, out=out) is out
    assert out.mask.tolist() == [True, False] and out[1] == 4
