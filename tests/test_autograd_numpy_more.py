"""Polynomials, counting, functions on parts, conversions: NumPy's values, and derivatives."""

from __future__ import annotations

import warnings
from typing import Any

import numpy
import pytest

import minpy
import minpy.numpy as np
from minpy.errors import NoDerivativeError

_rng = numpy.random.default_rng(31)


def real(*shape: int) -> numpy.ndarray:
    return _rng.normal(size=shape) + 0.1


X = numpy.linspace(-1.0, 2.0, 7)
BINS = numpy.array([0, 2, 1, 2, 4])


def parts(xp: Any) -> Any:
    return lambda x: xp.piecewise(
        x, [x < -0.2, x > 0.3], [lambda v: v**2, lambda v: xp.sin(v), 0.5]
    )


# A function of the namespace; the arguments that it is differentiated in.
CASES: dict[str, tuple] = {
    "polyadd": (lambda xp: xp.polyadd, real(3), real(2)),
    "polyadd shorter first": (lambda xp: xp.polyadd, real(1), real(3)),
    "polysub": (lambda xp: xp.polysub, real(2), real(4)),
    "polymul": (lambda xp: xp.polymul, real(3), real(2)),
    "polydiv": (lambda xp: lambda u, v: list(xp.polydiv(u, v)), real(5), real(3)),
    "polydiv by a longer one": (lambda xp: lambda u, v: list(xp.polydiv(u, v)), real(2), real(3)),
    "polydiv by a number": (lambda xp: lambda u, v: list(xp.polydiv(u, v)), real(3), real(1)),
    "polyder": (lambda xp: xp.polyder, real(4)),
    "polyder twice": (lambda xp: lambda p: xp.polyder(p, 2), real(4)),
    "polyder of a constant": (lambda xp: lambda p: xp.polyder(p, 1), real(1)),
    "polyint": (lambda xp: xp.polyint, real(3)),
    "polyint twice": (lambda xp: lambda p, k: xp.polyint(p, 2, k), real(3), real(2)),
    "polyint, one constant": (lambda xp: lambda p, k: xp.polyint(p, 3, k), real(2), real(1)),
    "poly": (lambda xp: xp.poly, real(3)),
    "poly of a matrix": (lambda xp: xp.poly, real(3, 3)),
    "poly of none": (lambda xp: xp.poly, numpy.zeros(0)),
    "roots": (lambda xp: xp.roots, numpy.array([1.0, -2.0, -5.0, 6.0])),
    "roots, complex": (lambda xp: xp.roots, numpy.array([1.0, 0.3, 2.0])),
    "roots with zeros": (
        lambda xp: lambda p: xp.roots(xp.concatenate([[0.0], p, [0.0, 0.0]])),
        numpy.array([1.0, -3.0, 2.0]),
    ),
    "roots of a constant": (lambda xp: xp.roots, numpy.array([2.0])),
    "polyfit": (lambda xp: lambda x, y: xp.polyfit(x, y, 2), X, real(7)),
    "polyfit of several": (lambda xp: lambda x, y: xp.polyfit(x, y, 1), X, real(7, 2)),
    "polyfit weighted": (
        lambda xp: lambda x, y, w: xp.polyfit(x, y, 2, w=w),
        X,
        real(7),
        numpy.abs(real(7)) + 0.5,
    ),
    "bincount": (lambda xp: lambda w: xp.bincount(BINS, w), real(5)),
    "bincount, more": (lambda xp: lambda w: xp.bincount(BINS, weights=w, minlength=8), real(5)),
    "histogram": (lambda xp: lambda w: xp.histogram(X, bins=3, weights=w)[0], numpy.abs(real(7))),
    "histogram, edges": (
        lambda xp: lambda w: xp.histogram(X, bins=[-0.5, 0.0, 2.0], weights=w)[0],
        real(7),
    ),
    "histogram, density": (
        lambda xp: lambda w: xp.histogram(X, 4, (-1.0, 1.5), True, w)[0],
        numpy.abs(real(7)),
    ),
    "histogram2d": (
        lambda xp: lambda w: xp.histogram2d(X, X**2, bins=3, weights=w)[0],
        numpy.abs(real(7)),
    ),
    "histogram2d, edges, density": (
        lambda xp: lambda w: xp.histogram2d(X, X**2, [-1.0, 0.5, 2.0], None, True, w)[0],
        numpy.abs(real(7)),
    ),
    "histogramdd": (
        lambda xp: lambda w: xp.histogramdd(numpy.stack([X, -X, X**2], 1), (2, 3, 1), weights=w)[0],
        real(7),
    ),
    "union1d": (lambda xp: xp.union1d, real(4), real(2)),
    "setdiff1d": (lambda xp: xp.setdiff1d, real(2, 2), real(3)),
    "setxor1d": (lambda xp: xp.setxor1d, real(3), real(2)),
    "apply_along_axis": (
        lambda xp: lambda x: xp.apply_along_axis(lambda v: v * xp.sum(v), 0, x),
        real(3, 2),
    ),
    "apply_along_axis to numbers": (
        lambda xp: lambda x: xp.apply_along_axis(lambda v, k: xp.sum(v**k), -1, x, 3),
        real(2, 3),
    ),
    "apply_along_axis to matrices": (
        lambda xp: lambda x: xp.apply_along_axis(lambda v: xp.outer(v, v), 1, x),
        real(2, 3, 2),
    ),
    "apply_over_axes": (lambda xp: lambda x: xp.apply_over_axes(xp.sum, x, [0, -1]), real(2, 3, 2)),
    "piecewise": (parts, numpy.array([-1.0, -0.5, 0.0, 0.5, 1.0])),
    "piecewise of one": (
        lambda xp: lambda x: xp.piecewise(x, x > 0, [lambda v, k: v * k, -1.0], 3.0),
        real(4),
    ),
    "piecewise of a number": (
        lambda xp: lambda x: xp.piecewise(x, [x > 0], [lambda v: v**3]),
        numpy.array(2.0),
    ),
    "i0": (lambda xp: xp.i0, real(2, 3) * 3.0),
    "i0 of a large number": (lambda xp: lambda x: xp.i0(x) * 1e-40, numpy.array([100.0, -90.0])),
    "kaiser": (lambda xp: lambda b: xp.kaiser(5, b), numpy.array(8.6)),
    "kaiser of one": (lambda xp: lambda b: xp.kaiser(1, b), numpy.array(8.6)),
    "asfortranarray": (lambda xp: lambda x: xp.asfortranarray(x) ** 2, real(2, 3)),
    "asarray_chkfinite": (lambda xp: lambda x: xp.asarray_chkfinite(x) ** 2, real(2, 3)),
    "require": (lambda xp: lambda x: xp.require(x, requirements="F") ** 2, real(2, 3)),
    "asfarray": (lambda xp: lambda x: xp.asfarray(x) ** 2, real(2, 3)),
    "sort_complex": (lambda xp: lambda x: xp.sort_complex(x) ** 2, real(2, 3)),
    "sort_complex of complex": (lambda xp: xp.sort_complex, real(4) + 1j * real(4)),
    "trim_zeros": (
        lambda xp: lambda x: xp.trim_zeros(xp.concatenate([[0.0], x, [0.0]])) ** 2,
        real(3),
    ),
}


def _parts(made: Any) -> list[Any]:
    return list(made) if isinstance(made, list | tuple) else [made]


@pytest.mark.parametrize("name", CASES)
def test_values_are_numpys_with_and_without_a_tape(name):
    minpy.set_default_dtype("float64")
    make, *args = CASES[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = _parts(make(numpy)(*args))
        plain = _parts(make(np)(*[np.array(a) for a in args]))
        taped = _parts(minpy.make_vjp(lambda *a: make(np)(*a), range(len(args)))(*args)[1])
    for found in (plain, taped):
        for a, b in zip(found, expected, strict=True):
            assert isinstance(a, np.ndarray)
            assert a.shape == numpy.shape(b)
            numpy.testing.assert_allclose(a.asnumpy(), b, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("name", CASES)
def test_agrees_with_finite_differences_in_both_modes_to_second_order(name):
    make, *args = CASES[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        minpy.check_grads(make(np), order=2, tol=5e-5, rtol=5e-5)(*args)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda xp, x: xp.polyder(x, -1), ValueError, "must be positive"),
        (lambda xp, x: xp.polyint(x, -1), ValueError, "must be positive"),
        (lambda xp, x: xp.polyint(x, 3, [1.0, 2.0]), ValueError, "k must be a scalar"),
        (lambda xp, x: xp.poly(xp.stack([x, x])), ValueError, "1d or non-empty square"),
        (lambda xp, x: xp.roots(xp.stack([x, x])), ValueError, "rank-1"),
        (lambda xp, x: xp.polyfit(x, x[:2], 1), TypeError, "same length"),
        (lambda xp, x: xp.apply_along_axis(xp.sum, 3, x), numpy.AxisError, "out of bounds"),
        (lambda xp, x: xp.apply_along_axis(xp.sum, 0, xp.ones((2, 0)) * x[0]), ValueError, "are 0"),
        (
            lambda xp, x: xp.apply_over_axes(lambda a, k: a[0, 0], xp.stack([x, x]), 0),
            ValueError,
            "not returning an array of the correct shape",
        ),
        (lambda xp, x: xp.piecewise(x, [x > 0], [1, 2, 3]), ValueError, "with 1 condition"),
        (lambda xp, x: xp.asarray_chkfinite(x / 0.0), ValueError, "infs or NaNs"),
        (lambda xp, x: xp.histogram(numpy.ones(4), weights=x), ValueError, "same shape"),
    ],
)
def test_errors_are_numpys_with_and_without_a_tape(call, error, message):
    x = numpy.array([1.0, 2.0, 3.0])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(error, match=message):
            call(numpy, x)
        with pytest.raises(error, match=message):
            call(np, np.array(x))
        with pytest.raises(error, match=message):
            minpy.grad(lambda x: np.sum(call(np, x)))(x)


def test_what_a_function_on_parts_captures_is_differentiated():
    x = numpy.ones((2, 3))
    f = lambda w: np.sum(np.apply_along_axis(lambda v: v * w, 0, x))  # noqa: E731
    assert float(minpy.grad(f)(2.0)) == 6.0
    f = lambda w: np.sum(np.piecewise(x, [x > 0], [lambda v: v * w]))  # noqa: E731
    assert float(minpy.grad(f)(2.0)) == 6.0


def test_roots_of_nothing_and_repeated_roots():
    assert np.roots([0.0, 0.0]).shape == (0,)
    assert minpy.jacobian(np.roots)(numpy.zeros(2)).shape == (0, 2)
    g = minpy.grad(lambda p: np.sum(np.real(np.roots(p))))(numpy.array([1.0, -4.0, 4.0]))
    assert numpy.isfinite(g.asnumpy()).all()


def test_trim_zeros_of_zeros_is_empty():
    found = minpy.make_vjp(np.trim_zeros)(numpy.zeros(3))[1]
    assert found.shape == (0,)


def test_more_than_coefficients_of_a_fit_has_no_derivative():
    y = real(7)
    numpy.testing.assert_allclose(
        np.polyfit(X, np.array(y), 1, full=True)[0].asnumpy(), numpy.polyfit(X, y, 1), rtol=1e-6
    )
    with pytest.raises(NoDerivativeError, match="full=True or cov=True"):
        minpy.grad(lambda y: np.sum(np.polyfit(X, y, 1, cov=True)[0]))(y)


def test_numpys_polynomial_objects_are_taken():
    p = numpy.poly1d([1.0, 2.0])
    assert numpy.asarray(np.polymul(p, p)).tolist() == [1.0, 4.0, 4.0]
    assert numpy.asarray(np.polyadd(p, p)).tolist() == [2.0, 4.0]


def test_an_element_of_both_arrays_is_that_of_the_first():
    total = lambda f: lambda a, b: np.sum(f(a, b) * 2.0)  # noqa: E731
    found = minpy.grad(total(np.union1d), (0, 1))(X[:4], X[2:])
    assert [g.tolist() for g in found] == [[2.0] * 4, [0.0, 0.0, 2.0, 2.0, 2.0]]
    assert minpy.grad(total(np.setdiff1d))(X[:4], X[2:]).tolist() == [2.0, 2.0, 0.0, 0.0]
    assert minpy.grad(total(np.setxor1d))(X[:4], X[2:]).tolist() == [2.0, 2.0, 0.0, 0.0]


def test_the_intersection_is_taken_from_the_first_array():
    found = minpy.grad(lambda a, b: np.sum(np.intersect1d(a, b) ** 2), (0, 1))(X[:4], X[2:])
    assert found[0].tolist() == [0.0, 0.0, 2 * X[2], 2 * X[3]]
    assert found[1].tolist() == [0.0] * 5
    at = minpy.make_vjp(lambda a: np.intersect1d(a, X[2:], return_indices=True)[1] * a[0])(X[:4])
    assert at[1].tolist() == [2 * X[0], 3 * X[0]]


# --- methods of ufuncs ----------------------------------------------------------------------------

P = numpy.array([[0.7, 1.9, 1.2], [2.3, 0.4, 1.6]])
B = numpy.array([0.8, 1.7, 1.1, 2.2])


def at(xp: Any, name: str, index: Any) -> Any:
    def function(x: Any, *b: Any) -> Any:
        y = x * 1.0
        getattr(xp, name).at(y, index, *b)
        return y * y

    return function


METHODS: dict[str, tuple] = {
    "logaddexp.reduce": (lambda xp: lambda x: xp.logaddexp.reduce(x, axis=1), P),
    "hypot.reduce of all": (lambda xp: lambda x: xp.hypot.reduce(x, axis=None, keepdims=True), P),
    "hypot.reduce of several": (
        lambda xp: lambda x: xp.hypot.reduce(x[None], axis=(0, 2), keepdims=True),
        P,
    ),
    "subtract.reduce from": (lambda xp: lambda x: xp.hypot.reduce(x, axis=-1, initial=0.5), P),
    "hypot.reduce of none": (lambda xp: lambda x: xp.hypot.reduce(x[:, :0], axis=1), P),
    "maximum.accumulate": (lambda xp: lambda x: xp.maximum.accumulate(x, axis=1), P),
    "power.accumulate": (lambda xp: lambda x: xp.power.accumulate(x, axis=0), P),
    "minimum.accumulate of none": (lambda xp: lambda x: xp.minimum.accumulate(x[:, :0], 1), P),
    "add.reduceat": (lambda xp: lambda x: xp.add.reduceat(x, [0, 2, 1], axis=1), P),
    "multiply.reduceat": (lambda xp: lambda x: xp.multiply.reduceat(x, [1, 0]), P),
    "multiply.at": (lambda xp: at(xp, "multiply", [0, 2, 0, 0]), P[0], B),
    "power.at of rows": (lambda xp: at(xp, "power", [1, 1]), P, B[:2, None]),
    "divide.at of a mask": (lambda xp: at(xp, "divide", P[0] > 1.0), P[0], B[0]),
    "maximum.at": (
        lambda xp: at(xp, "maximum", (numpy.array([0, 0]), numpy.array([1, 1]))),
        P,
        B[:2],
    ),
    "exp.at": (lambda xp: at(xp, "exp", [0, 0, 1]), 0.3 * P[0]),
    "multiply.at of none": (lambda xp: at(xp, "multiply", numpy.zeros(0, int)), P[0], B[0]),
}


@pytest.mark.parametrize("name", METHODS)
def test_methods_of_ufuncs(name):
    minpy.set_default_dtype("float64")
    make, *args = METHODS[name]
    expected = make(numpy)(*args)
    taped = minpy.make_vjp(lambda *a: make(np)(*a), range(len(args)))(*args)[1]
    for found in (make(np)(*[np.array(a) for a in args]), taped):
        assert found.shape == numpy.shape(expected)
        numpy.testing.assert_allclose(found.asnumpy(), expected, rtol=1e-12)
    minpy.check_grads(make(np), order=2, tol=5e-5, rtol=5e-5)(*args)


def test_methods_of_ufuncs_have_numpys_errors():
    for xp, x in ((numpy, P), (np, None)):

        def run(call, xp=xp, x=x):
            return call(xp, P) if x is not None else minpy.grad(lambda x: np.sum(call(xp, x)))(P)

        with pytest.raises(IndexError, match="out-of-bounds"):
            run(lambda xp, x: xp.hypot.reduceat(x, [3], axis=1))
        with pytest.raises(numpy.AxisError, match="out of bounds"):
            run(lambda xp, x: xp.hypot.accumulate(x, axis=2))
        with pytest.raises(ValueError, match="no identity"):
            run(lambda xp, x: xp.arctan2.reduce(x[:, :0], axis=1))


def test_methods_of_ufuncs_without_a_derivative_are_constant():
    f = lambda x: np.sum(np.floor_divide.accumulate(x, axis=1) * x)  # noqa: E731
    found = minpy.grad(f)(P).asnumpy()
    numpy.testing.assert_allclose(found, numpy.floor_divide.accumulate(P, axis=1))


@pytest.mark.parametrize("name", ["minimum", "maximum", "fmin", "fmax", "multiply", "arctan2"])
def test_a_ufunc_with_a_dtype_has_the_derivative_of_the_converted_arguments(name):
    minpy.set_default_dtype("float64")
    x, y = np.array([0.3, 0.6, 0.9]), np.array([0.4, 0.5, 0.9 - 1e-12])
    function = getattr(np, name)
    x32, y32 = x.astype("float32"), y.astype("float32")
    for argnum in (0, 1):
        found = minpy.grad(lambda a, b: np.sum(function(a, b, dtype="float32")), argnum)(x, y)
        expected = minpy.grad(lambda a, b: np.sum(function(a, b)), argnum)(x32, y32)
        assert found.dtype == numpy.float64
        numpy.testing.assert_allclose(found.asnumpy(), expected.asnumpy(), rtol=1e-6)
    with pytest.raises(TypeError):
        minpy.grad(lambda a: np.sum(np.multiply(a, a, dtype="float32", casting="safe")))(x)


_VALUES = numpy.array([0.3, 1.5, 2.25, 0.9, -0.4])
_WEIGHTS = numpy.array([0.5, 2.0, 1.1, 0.75, 1.6])  # none on the edge of a bin but the ends


@pytest.mark.parametrize(
    "function",
    [
        lambda v, w: np.arange(v[0], 4.0, w[0]),
        lambda v, w: np.arange(start=v[0], stop=2.5, dtype="float64"),
        lambda v, w: np.arange(0.0, 2.2, step=w[0]),
        lambda v, w: np.histogram_bin_edges(v, 3),
        lambda v, w: np.histogram_bin_edges(v, 3, (v[0] - 2.0, w[1] + 3.0)),
        lambda v, w: np.histogram_bin_edges(v[:1], 2),
        lambda v, w: np.histogram_bin_edges(v, w[:2] + np.array([0.0, 3.0])),
        lambda v, w: np.histogram(v, 3, weights=w)[0],
        lambda v, w: np.histogram(v, 3)[1],
        lambda v, w: np.histogram(v, 3, density=True)[0],
        lambda v, w: np.histogram(v, 3, density=True, weights=w)[0],
        lambda v, w: np.histogram2d(v, w, 2, weights=w)[0],
        lambda v, w: np.histogram2d(v, w, [2, 3], density=True)[0],
        lambda v, w: np.histogram2d(v, w, [2, 3])[2],
        lambda v, w: np.histogramdd(np.stack([v, w], 1), 2, density=True, weights=w)[0],
        lambda v, w: np.fastCopyAndTranspose(np.outer(v, w)),
        lambda v, w: np.full_like(v, w[2]) * v,
        lambda v, w: np.kaiser(5, w[1]),
    ],
)
def test_derivatives_of_ranges_and_counts(function):
    minpy.set_default_dtype("float64")
    v, w = np.array(_VALUES), np.array(_WEIGHTS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        minpy.check_grads(lambda v, w: function(v, w) * 1.0, modes=["rev", "fwd"], order=2)(v, w)
        moved = minpy.make_vjp(lambda v, w: function(v, w), (0, 1))(v, w)[1]
        numpy.testing.assert_allclose(moved.asnumpy(), function(v, w).asnumpy(), rtol=1e-12)


def test_vectorize():
    minpy.set_default_dtype("float64")
    x, y = np.array([[0.5, 2.0], [1.5, -1.0]]), np.array([1.0, 1.25])

    @np.vectorize
    def smaller(a, b=2.0):
        return a * a if a < b else b / a

    minpy.check_grads(lambda x, y: smaller(x, y), modes=["rev", "fwd"], order=2)(x, y)
    minpy.check_grads(lambda x: smaller(x, b=1.0), modes=["rev", "fwd"], order=2)(x)
    pair = np.vectorize(lambda a, b: (a * b, a + b), otypes="dd")
    minpy.check_grads(lambda x, y: pair(x, y)[0] * pair(x, y)[1], modes=["rev", "fwd"])(x, y)
    single = np.vectorize(lambda a: a * 3, otypes=["float32"])
    assert minpy.grad(lambda x: np.sum(single(x)))(x).tolist() == [[3, 3], [3, 3]]
    assert np.vectorize(otypes="f")(lambda a: a)(3).dtype == numpy.float32
    with pytest.raises(NoDerivativeError, match="with a signature"):
        minpy.grad(np.vectorize(lambda a: a.sum(), signature="(n)->()"))(y)
    with pytest.raises(ValueError, match="size 0"):
        minpy.grad(lambda x: np.sum(smaller(x)))(np.zeros(0))


@pytest.mark.parametrize("edge_order", [1, 2])
def test_gradient_has_derivatives_in_the_spacing_and_the_coordinates(edge_order):
    f = numpy.random.default_rng(0).normal(size=(3, 4, 2))
    steps = numpy.array([0.3, 0.7, 0.4, 1.1])

    def along(f, s, m=np):
        return m.gradient(f, m.cumsum(s), axis=1, edge_order=edge_order)

    def apart(f, s, m=np):
        return m.gradient(f, s[0], m.cumsum(s), axis=(0, 1), edge_order=edge_order)[0]

    for fun in (along, apart):
        minpy.check_grads(fun, order=2)(f, steps)
        value = minpy.autograd.make_vjp(fun, (0, 1))(f, steps)[1]
        numpy.testing.assert_allclose(value.asnumpy(), fun(f, steps, numpy), rtol=1e-12)


def test_nan_to_num_drops_the_tangents_of_what_it_replaces():
    x = numpy.array([0.5, 2.0])
    mask = numpy.array([True, False])
    f = lambda x: np.nan_to_num(1 / np.where(mask, x, 0.0))  # noqa: E731
    with numpy.errstate(all="ignore"):
        _, tangent = minpy.autograd.make_jvp(f)(x)(numpy.ones(2))
        gradient = minpy.grad(lambda x: np.sum(np.where(mask, f(x), 0.0)))(x)
    assert tangent.tolist() == [-4.0, 0.0]
    assert gradient.tolist() == [-4.0, 0.0]


def test_powers_on_a_tape_have_numpys_bits():
    x, seen = real(7, 9) ** 2, []
    for exponent in (2, 2.0, -1, 0.5, 1, 3, 1.5):

        def power(a, exponent=exponent):
            seen.append(a**exponent)
            return seen[-1]

        minpy.make_vjp(power)(np.array(x))
        numpy.testing.assert_array_equal(seen[-1].asnumpy(), x**exponent)
        minpy.check_grads(power, modes=["fwd", "rev"], order=2)(np.array(x[0] + 0.5))
