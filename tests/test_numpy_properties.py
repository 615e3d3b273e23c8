"""Properties: for generated arrays and arguments minpy does what NumPy does, errors included."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import minpy
import minpy.numpy as np

# The same examples in every run, however slow the machine is.
QUICK = settings(max_examples=60, deadline=None, derandomize=True, database=None)

_REAL = ["float64", "float32", "float16", "int64", "int32", "int8", "uint8", "uint64", "bool"]
DTYPES = st.sampled_from([*_REAL, "complex64", "complex128"])
SHAPES = arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3)


@st.composite
def some_array(draw: Any, shape: Any = SHAPES, dtype: Any = DTYPES) -> numpy.ndarray:
    """Arrays with few different values, so that ties and equal elements occur."""
    made = draw(dtype) if isinstance(dtype, st.SearchStrategy) else dtype
    kind = numpy.dtype(made).kind
    if kind == "b":
        elements = st.booleans()
    elif kind == "u":
        elements = st.integers(0, 5)
    elif kind == "i":
        elements = st.integers(-4, 5)
    else:
        elements = st.sampled_from([-2.5, -1.0, -0.5, 0.0, 0.25, 1.0, 3.0])
    return numpy.asarray(draw(arrays.arrays(made, shape, elements=elements)))


def outcome(call: Callable[[], Any]) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return call()
        except Exception as error:
            return error


def to_minpy(value: Any) -> Any:
    if isinstance(value, numpy.ndarray):
        return np.array(value)
    if type(value) in (list, tuple):
        return type(value)(to_minpy(v) for v in value)
    return value


def narrowed(value: Any) -> Any:
    """Give doubles the default float dtype."""
    if isinstance(value, numpy.ndarray | numpy.generic) and minpy.default_dtype() != numpy.float64:
        return value.astype({"d": "f", "D": "F"}.get(value.dtype.char, value.dtype.char))
    return value


def assert_same(found: Any, expected: Any, given_doubles: bool) -> None:
    if isinstance(expected, Exception):
        assert isinstance(found, Exception), (found, expected)
        assert isinstance(found, type(expected)) or isinstance(expected, type(found)), (
            found,
            expected,
        )
        return
    assert not isinstance(found, Exception), found
    if isinstance(expected, list | tuple):
        for f, e in zip(found, expected, strict=True):
            assert_same(f, e, given_doubles)
    elif isinstance(expected, numpy.ndarray | numpy.generic):
        expected = numpy.asarray(expected if given_doubles else narrowed(expected))
        assert isinstance(found, np.ndarray)
        assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
        numpy.testing.assert_array_equal(found.asnumpy(), expected)
    else:
        assert found == expected


def has_doubles(*values: Any) -> bool:
    return any(isinstance(v, numpy.ndarray) and v.dtype.char in "dD" for v in values)


def agree(function: Callable[[Any, Any], Any], *args: Any) -> None:
    """Compare ``function(module, *args)`` of NumPy and of minpy, under both default dtypes."""
    copies = [a.copy() if isinstance(a, numpy.ndarray) else a for a in args]
    expected = outcome(lambda: function(numpy, *copies))
    for default in ("float64", "float32"):
        minpy.set_default_dtype(default)
        found = outcome(lambda: function(np, *[to_minpy(a) for a in args]))
        assert_same(found, expected, default == "float64" or has_doubles(*args))


# --- creation -------------------------------------------------------------------------------------


@QUICK
@given(SHAPES, DTYPES, st.sampled_from(["zeros", "ones", "full"]))
def test_arrays_of_one_value(shape, dtype, name):
    extra = (3,) if name == "full" else ()
    agree(lambda m: getattr(m, name)(shape, *extra))
    made = getattr(np, name)(shape, *extra, dtype=dtype)
    assert_same(made, getattr(numpy, name)(shape, *extra, dtype=dtype), True)


@QUICK
@given(
    st.one_of(st.integers(-5, 5), st.sampled_from([-1.5, 0.5, 2.0])),
    st.one_of(st.none(), st.integers(-5, 5), st.sampled_from([2.5, 4.0])),
    st.sampled_from([1, 2, -1, 0.5, 0]),
)
def test_ranges(start, stop, step):
    agree(lambda m: m.arange(start) if stop is None else m.arange(start, stop, step))
    agree(lambda m: m.linspace(start, stop or 0, 5, endpoint=bool(step)))
    agree(lambda m: m.linspace(start, stop or 0, 3, retstep=True))


_NUMBERS = st.one_of(st.integers(-3, 3), st.booleans(), st.sampled_from([0.5, -1.25, 1j]))
_NESTED = st.recursive(_NUMBERS, lambda inner: st.lists(inner, max_size=3), max_leaves=6)


@QUICK
@given(_NESTED)
def test_arrays_of_nested_lists(data):
    agree(lambda m: m.array(data))
    agree(lambda m: m.asarray(data, dtype="float32"))


@QUICK
@given(some_array(), st.sampled_from(["C", "F", "K"]), st.integers(0, 4))
def test_arrays_of_arrays(x, order, ndmin):
    agree(lambda m, x: m.array(x, order=order, ndmin=ndmin), x)
    assert (
        np.array(x, order=order).flags.c_contiguous
        == numpy.array(x, order=order).flags.c_contiguous
    )


@QUICK
@given(st.integers(0, 4), st.integers(0, 4), st.integers(-4, 4))
def test_matrices(n, m_, k):
    agree(lambda m: m.eye(n, m_, k))
    agree(lambda m: m.tri(n, m_, k))
    agree(lambda m: m.identity(n))


@QUICK
@given(some_array(), DTYPES)
def test_arrays_like_others_and_casts(x, dtype):
    for name in ("zeros_like", "ones_like"):
        agree(lambda m, x, name=name: getattr(m, name)(x), x)
    agree(lambda m, x: m.full_like(x, 2), x)
    for cast in (
        lambda m, x: m.zeros_like(x, dtype=dtype),
        lambda m, x: x.astype(dtype),
        lambda m, x: x.astype(dtype, casting="safe"),
    ):
        assert_same(
            outcome(lambda c=cast: c(np, np.array(x))), outcome(lambda c=cast: c(numpy, x)), True
        )


@QUICK
@given(st.lists(some_array(shape=arrays.array_shapes(max_dims=1, max_side=3)), max_size=3))
def test_grids(vectors):
    for indexing in ("xy", "ij"):
        agree(lambda m, *v, indexing=indexing: m.meshgrid(*v, indexing=indexing), *vectors)
        agree(lambda m, *v: m.meshgrid(*v, sparse=True), *vectors)


# --- element by element ---------------------------------------------------------------------------

_UNARY = (
    "negative absolute square sign exp sin sqrt log floor rint conjugate reciprocal isnan invert"
)
_UNARY += " logical_not tanh real imag isfinite signbit cbrt"
_BINARY = "add subtract multiply true_divide floor_divide remainder power maximum minimum arctan2"
_BINARY += (
    " equal less greater_equal not_equal logical_and bitwise_and hypot copysign fmax left_shift"
)
_OPERATORS: list[Callable[[Any, Any], Any]] = [
    lambda a, b: a + b,
    lambda a, b: a - b,
    lambda a, b: a * b,
    lambda a, b: a / b,
    lambda a, b: a // b,
    lambda a, b: a % b,
    lambda a, b: a**b,
    lambda a, b: a == b,
    lambda a, b: a < b,
    lambda a, b: a & b,
    lambda a, b: a >> b,
    divmod,
]


@QUICK
@given(some_array(), st.sampled_from(_UNARY.split()))
def test_functions_of_one_array(x, name):
    agree(lambda m, x: getattr(m, name)(x), x)


@QUICK
@given(some_array(), some_array(), st.sampled_from(_BINARY.split()))
def test_functions_of_two_arrays(x, y, name):
    agree(lambda m, x, y: getattr(m, name)(x, y), x, y)


@settings(QUICK, max_examples=150)
@given(some_array(), some_array(), st.sampled_from(_OPERATORS))
def test_operators_on_two_arrays(x, y, operator):
    agree(lambda m, x, y: operator(x, y), x, y)
    if isinstance(outcome(lambda: operator(x, y)), Exception):
        return
    mixed = outcome(lambda: operator(np.array(x), y))
    assert not isinstance(mixed, Exception)


@settings(QUICK, max_examples=150)
@given(
    some_array(),
    st.sampled_from([2, -1, 0, True, 0.5, -2.5, 1j, 300]),
    st.sampled_from(_OPERATORS),
    st.booleans(),
)
def test_operators_with_python_numbers(x, number, operator, left):
    def call(m, x):
        return operator(number, x) if left else operator(x, number)

    minpy.set_default_dtype("float64")
    assert_same(outcome(lambda: call(np, np.array(x))), outcome(lambda: call(numpy, x)), True)
    minpy.set_default_dtype("float32")
    found = outcome(lambda: call(np, np.array(x)))
    if isinstance(found, np.ndarray) and x.dtype.char not in "dD":
        assert found.dtype.char not in "dD"


@QUICK
@given(some_array(), some_array(), st.sampled_from(["+=", "-=", "*=", "/=", "//=", "**=", "%="]))
def test_augmented_assignment(x, y, operator):
    def call(m, x, y):
        names = {"x": x, "y": y}
        exec(f"x {operator} y", {}, names)
        return names["x"]

    copies = x.copy(), y.copy()
    expected = outcome(lambda: call(numpy, *copies))
    minpy.set_default_dtype("float64")
    found = outcome(lambda: call(np, np.array(x), np.array(y)))
    assert_same(found, expected, True)


# --- reductions -----------------------------------------------------------------------------------

_REDUCTIONS = "sum prod max min mean var std any all argmax argmin cumsum cumprod ptp median sort"
_REDUCTIONS += " argsort count_nonzero nansum nanmax"


@settings(QUICK, max_examples=200)
@given(
    some_array(),
    st.sampled_from(_REDUCTIONS.split()),
    st.one_of(st.none(), st.integers(-3, 2), st.just((0, 1)), st.just((0, 0))),
    st.booleans(),
)
def test_reductions(x, name, axis, keepdims):
    options = {"keepdims": True} if keepdims and name not in _WITHOUT_KEEPDIMS else {}
    agree(lambda m, x: getattr(m, name)(x, axis=axis, **options), x)
    if hasattr(x, name) and name != "sort":
        agree(lambda m, x: getattr(x, name)(axis=axis, **options), x)


_WITHOUT_KEEPDIMS = ("cumsum", "cumprod", "sort", "argsort")


@QUICK
@given(some_array(dtype="float64"), st.data())
def test_reductions_under_a_mask(x, data):
    mask = data.draw(arrays.arrays(bool, x.shape))
    for name, options in (
        ("sum", {}),
        ("prod", {}),
        ("mean", {}),
        ("max", {"initial": -1.0}),
        ("any", {}),
    ):
        agree(lambda m, x, k, n=name, o=options: getattr(m, n)(x, where=k, **o), x, mask)


# --- indexing -------------------------------------------------------------------------------------


@st.composite
def array_and_index(draw: Any) -> tuple[numpy.ndarray, Any]:
    x = draw(some_array(dtype=st.sampled_from(["float64", "int64"])))
    kind = draw(st.sampled_from(["basic", "basic", "integers", "mask", "mixed", "wrong"]))
    if kind == "basic":
        return x, draw(arrays.basic_indices(x.shape, allow_newaxis=True))
    if kind == "mask":
        return x, draw(arrays.arrays(bool, x.shape))
    if kind == "wrong":
        bad = [7, (0, 0, 0, 0), 0.5, "a", numpy.zeros(5, bool), numpy.array([9]), [[0], [1, 2]]]
        return x, draw(st.sampled_from(bad))
    if 0 in x.shape or not x.shape:
        return x, Ellipsis
    shape = draw(arrays.array_shapes(max_dims=2, max_side=3))

    def along(length: int) -> Any:
        places = arrays.arrays("int64", shape, elements=st.integers(-length, length - 1))
        if kind == "integers":
            return draw(places)
        return draw(st.one_of(places, st.just(slice(None)), st.integers(0, length - 1)))

    count = draw(st.integers(1, x.ndim))
    return x, tuple(along(x.shape[i]) for i in range(count))


@settings(QUICK, max_examples=250)
@given(array_and_index())
def test_reading_by_index(case):
    x, index = case
    agree(lambda m, x: x[index], x)
    if isinstance(index, tuple):
        agree(lambda m, x: x[tuple(to_minpy(i) if m is np else i for i in index)], x)
    elif isinstance(index, numpy.ndarray):
        agree(lambda m, x, i: x[i], x, index)


@settings(QUICK, max_examples=250)
@given(array_and_index(), st.sampled_from([3, 0.5, "same", "wrong shape", "list"]))
def test_assigning_by_index(case, what):
    x, index = case
    part = outcome(lambda: x[index])

    def value() -> Any:
        if what == "same" and isinstance(part, numpy.ndarray):
            return part + 1
        if what == "wrong shape":
            return numpy.ones((5, 7))
        if what == "list" and isinstance(part, numpy.ndarray):
            return (part * 2).tolist()
        return what if isinstance(what, int | float) else 2

    def call(m, x):
        x[index] = to_minpy(value()) if m is np else value()
        return x

    agree(call, x)


@QUICK
@given(some_array(), some_array(dtype="int64"), st.sampled_from([None, 0, -1, 5]), st.data())
def test_take_and_relatives(x, places, axis, data):
    mode = data.draw(st.sampled_from(["raise", "clip", "wrap"]))
    agree(lambda m, x, i: m.take(x, i, axis=axis, mode=mode), x, places)
    agree(lambda m, x, i: m.take_along_axis(x, i, axis), x, places)
    mask = data.draw(arrays.arrays(bool, data.draw(st.integers(0, 4))))
    agree(lambda m, x, k: m.compress(k, x, axis=axis), x, mask)


@QUICK
@given(some_array())
def test_where_things_are(x):
    for name in ("nonzero", "argwhere", "flatnonzero"):
        agree(lambda m, x, name=name: getattr(m, name)(x), x)
    agree(lambda m, x: m.where(x), x)


# --- shapes ---------------------------------------------------------------------------------------


@QUICK
@given(
    some_array(),
    st.one_of(st.integers(-1, 9), st.lists(st.integers(-1, 4), max_size=3).map(tuple)),
    st.sampled_from("CFA"),
)
def test_reshape(x, shape, order):
    agree(lambda m, x: m.reshape(x, shape, order=order), x)
    agree(lambda m, x: x.reshape(shape), x)
    agree(lambda m, x: x.T.ravel(order), x)


@QUICK
@given(some_array(), st.permutations(range(3)), st.integers(-4, 3), st.integers(-4, 3))
def test_moving_axes(x, axes, first, second):
    agree(lambda m, x: m.transpose(x, axes), x)
    agree(lambda m, x: x.transpose(*axes), x)
    for name in ("swapaxes", "moveaxis", "rollaxis"):
        agree(lambda m, x, name=name: getattr(m, name)(x, first, second), x)
    for name in ("expand_dims", "squeeze", "flip"):
        agree(lambda m, x, name=name: getattr(m, name)(x, first), x)
    for name in ("squeeze", "flip", "atleast_1d", "atleast_2d", "atleast_3d", "diag", "tril"):
        agree(lambda m, x, name=name: getattr(m, name)(x), x)
    agree(lambda m, x: m.roll(x, first, axis=second), x)
    agree(lambda m, x: m.diagonal(x, first), x)
    agree(lambda m, x: m.trace(x, second), x)
    agree(lambda m, x: m.rot90(x, first), x)


@QUICK
@given(
    st.lists(some_array(shape=arrays.array_shapes(max_dims=2, max_side=2)), max_size=3), st.data()
)
def test_joining(parts, data):
    axis = data.draw(st.sampled_from([0, 1, -1, 3, None]))
    agree(lambda m, *p: m.concatenate(list(p), axis=axis), *parts)
    agree(lambda m, *p: m.stack(p, axis=axis or 0), *parts)
    for name in ("vstack", "hstack", "dstack", "column_stack"):
        agree(lambda m, *p, name=name: getattr(m, name)(p), *parts)
    agree(lambda m, *p: m.block(list(p)), *parts)


@QUICK
@given(
    some_array(),
    st.one_of(st.integers(-1, 3), st.lists(st.integers(0, 4), max_size=2)),
    st.integers(-3, 2),
)
def test_splitting(x, where, axis):
    for name in ("split", "array_split"):
        agree(lambda m, x, name=name: getattr(m, name)(x, where, axis=axis), x)
    for name in ("hsplit", "vsplit", "dsplit"):
        agree(lambda m, x, name=name: getattr(m, name)(x, where), x)


@QUICK
@given(some_array(), st.one_of(st.integers(0, 3), st.lists(st.integers(0, 2), max_size=3)))
def test_repeating(x, reps):
    agree(lambda m, x: m.tile(x, reps), x)
    for axis in (None, 0, 1):
        agree(lambda m, x, axis=axis: m.repeat(x, reps, axis=axis), x)
        agree(lambda m, x, axis=axis: m.delete(x, 0, axis=axis), x)
        agree(lambda m, x, axis=axis: m.insert(x, 0, 2, axis=axis), x)
    agree(lambda m, x: m.pad(x, 1, mode="edge"), x)
    agree(lambda m, x: m.pad(x, 2), x)
    agree(lambda m, x: m.resize(x, (2, 3)), x)


@QUICK
@given(some_array(), SHAPES)
def test_broadcasting(x, shape):
    agree(lambda m, x: m.broadcast_to(x, shape), x)
    agree(lambda m, x: m.broadcast_arrays(x, m.zeros(shape, dtype="int8")), x)
    agree(lambda m, x: m.broadcast_shapes(x.shape, shape), x)


# --- products -------------------------------------------------------------------------------------

_SMALL = arrays.array_shapes(min_dims=0, max_dims=3, min_side=1, max_side=3)
_EXACT = st.sampled_from(["float64", "int64", "bool", "complex128"])


@settings(QUICK, max_examples=150)
@given(some_array(shape=_SMALL, dtype=_EXACT), some_array(shape=_SMALL, dtype=_EXACT))
def test_products(x, y):
    for name in ("dot", "matmul", "inner", "outer", "kron", "vdot"):
        agree(lambda m, x, y, name=name: getattr(m, name)(x, y), x, y)
    agree(lambda m, x, y: m.tensordot(x, y, axes=1), x, y)
    agree(lambda m, x, y: x @ y, x, y)


# --- errors ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "call",
    [
        lambda m: m.array([[1, 2], [3]]),
        lambda m: m.zeros(-1),
        lambda m: m.zeros((2, "a")),
        lambda m: m.ones(3).reshape(2),
        lambda m: m.concatenate([]),
        lambda m: m.concatenate([m.ones(2), m.ones((2, 2))]),
        lambda m: m.stack([m.ones(2), m.ones(3)]),
        lambda m: m.sum(m.ones(2), axis=1),
        lambda m: m.max(m.zeros(0)),
        lambda m: m.argmax(m.zeros(0)),
        lambda m: m.sum(m.ones(2), axis="x"),
        lambda m: m.transpose(m.ones((2, 2)), (0, 0)),
        lambda m: m.squeeze(m.ones(2), 0),
        lambda m: m.einsum("ij,jk", m.ones((2, 3)), m.ones((2, 3))),
        lambda m: m.einsum("ij", m.ones(2)),
        lambda m: m.linalg.inv(m.zeros((2, 2))),
        lambda m: m.linalg.inv(m.ones((2, 3))),
        lambda m: m.linalg.cholesky(-m.eye(2)),
        lambda m: m.ones(2).astype("nonsense"),
        lambda m: m.arange(0, 3, 0),
        lambda m: m.linspace(0, 1, -1),
        lambda m: m.clip(m.ones(2)),
        lambda m: m.ones(2).clip(),
        lambda m: m.where(m.ones(2), 1),
        lambda m: m.split(m.ones(3), 2),
        lambda m: m.sin(m.ones(2), m.zeros(3)),
        lambda m: m.add(m.ones(2)),
        lambda m: m.add(m.ones(2), 1, m.ones(2), m.ones(2)),
        lambda m: m.add(m.ones(2), 1.5, out=m.zeros(2, "int64")),
        lambda m: m.take(m.ones(2), 5),
        lambda m: len(m.array(1.0)),
        lambda m: list(m.array(1.0)),
        lambda m: hash(m.ones(2)),
        lambda m: m.ones((2, 2)).item(),
        lambda m: m.ones(2).nonsense,
        lambda m: m.nonsense,
        lambda m: m.logaddexp(1j, m.ones(2)),
        lambda m: m.floor(m.ones(2) * 1j),
        lambda m: m.random.normal(scale=-1.0),
        lambda m: m.random.choice(3, 5, replace=False),
        lambda m: m.percentile(m.ones(3), 150),
        lambda m: m.searchsorted(m.ones((2, 2)), 1.0),
        lambda m: m.cross(m.ones(4), m.ones(4)),
        lambda m: m.fft.fft(m.ones(3), axis=4),
    ],
)
def test_errors_are_of_numpys_type(call):
    expected, found = outcome(lambda: call(numpy)), outcome(lambda: call(np))
    assert isinstance(expected, Exception)
    public = next(kind for kind in type(expected).__mro__ if not kind.__name__.startswith("_"))
    public = TypeError if public.__name__ == "UFuncTypeError" else public
    assert isinstance(found, public), (found, expected)
