"""Large products of float32 matrices: the numbers are NumPy's, however the operands lie."""

from __future__ import annotations

import multiprocessing

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minpy
import minpy.numpy as np
from minpy.layers.functions.affine import affine, product
from minpy.policy import use_policy
from minpy.runtime import onednn, sgemm

here = pytest.mark.skipif(onednn.library() is None, reason="there is no oneDNN to call")
LAYOUTS = {
    "rows": lambda x: x,
    "columns": lambda x: numpy.asfortranarray(x),
    "part of rows": lambda x: numpy.concatenate([x, x], axis=1)[:, : x.shape[1]],
    "part of columns": lambda x: numpy.asfortranarray(numpy.concatenate([x, x]))[: x.shape[0]],
    "every second row": lambda x: numpy.repeat(x, 2, axis=0)[::2],
    "backwards": lambda x: x[::-1].copy()[::-1],
    "every second column": lambda x: numpy.repeat(x, 2, axis=1)[:, ::2],
}
# What oneDNN takes as it lies; the others are NumPy's.
TAKEN = {"rows", "columns", "part of rows", "part of columns", "every second row"}


def numbers(*shape):
    return numpy.random.default_rng(sum(shape)).normal(size=shape).astype("float32")


@here
@pytest.mark.parametrize("right", LAYOUTS)
@pytest.mark.parametrize("left", LAYOUTS)
def test_a_product_is_numpys_however_the_operands_lie(left, right):
    x, y = LAYOUTS[left](numbers(70, 80)), LAYOUTS[right](numbers(80, 90))
    found = sgemm.product(x, y)
    assert (found is not None) == (left in TAKEN and right in TAKEN)
    expected = x.astype("float64") @ y.astype("float64")
    for result in (found, np.dot(x, np.array(y)).asnumpy(), (np.array(x) @ y).asnumpy()):
        if result is not None:
            assert result.dtype == "float32" and result.flags.c_contiguous
            numpy.testing.assert_allclose(result, expected, rtol=1e-4, atol=1e-4)


@here
@settings(max_examples=25, deadline=None)
@given(st.integers(1, 700), st.integers(1, 700), st.integers(1, 700))
def test_products_of_any_shape(m, k, n):
    x, y = numbers(m, k), numbers(k, n)
    found = sgemm.product(x, y)
    assert (found is not None) == (m * k * n >= sgemm.WORTH_A_CALL)
    numpy.testing.assert_allclose(np.matmul(x, y).asnumpy(), x @ y, rtol=1e-3, atol=1e-3)


@here
def test_the_memory_of_the_result_is_not_read_and_what_is_not_finite_stays():
    x, y = numbers(100, 100), numbers(100, 100)
    expected = x @ y
    for _ in range(5):
        numpy.full((100, 100), numpy.nan, "float32")  # what the next result may lie in
        numpy.testing.assert_allclose(sgemm.product(x, y), expected, rtol=1e-4, atol=1e-4)
    x[3, 4], y[4, 5], y[7, 8] = numpy.inf, 0.0, numpy.nan
    with numpy.errstate(invalid="ignore"):
        expected = x @ y
    found = sgemm.product(x, y)
    numpy.testing.assert_array_equal(numpy.isnan(found), numpy.isnan(expected))
    numpy.testing.assert_array_equal(numpy.isinf(found), numpy.isinf(expected))


def test_who_asks_for_numpy_gets_its_bits():
    x, y = numbers(70, 80), numbers(80, 90)
    with use_policy("only_numpy"):
        numpy.testing.assert_array_equal(np.dot(x, np.array(y)).asnumpy(), x @ y)
        numpy.testing.assert_array_equal((np.array(x) @ np.array(y)).asnumpy(), x @ y)


def test_other_dtypes_and_ranks_are_numpys():
    x, y = numbers(70, 80), numbers(80, 90)
    for a, b in (
        (x.astype("float64"), y.astype("float64")),
        (x, y.astype("float64")),
        (numpy.round(x).astype("int64"), numpy.round(y).astype("int64")),
        (numpy.stack([x, x]), numpy.stack([y, y])),
        (x, numpy.stack([y, y])),
        (x, y[:, 0]),
    ):
        assert sgemm.product(a, b) is None
        found = np.matmul(a, np.array(b))
        assert found.dtype == (a @ b).dtype
        numpy.testing.assert_array_equal(found.asnumpy(), a @ b)
    with pytest.raises(ValueError, match="80"):
        np.matmul(np.array(y), np.array(y))


@here
@pytest.mark.parametrize("product", ["matmul", "dot"])
def test_a_stack_of_matrices_is_multiplied_by_one_as_all_of_its_rows(product):
    x, y = numbers(2, 3, 40, 80), numbers(80, 90)
    expected = getattr(numpy, product)(x.astype("float64"), y.astype("float64"))
    numpy.testing.assert_allclose(sgemm.product(x, y), expected, rtol=1e-5, atol=1e-5)
    for a in (x, x[:, ::-1], x.transpose(1, 0, 2, 3)):
        found = getattr(np, product)(np.array(a), np.array(y)).asnumpy()
        wanted = getattr(numpy, product)(a.astype("float64"), y.astype("float64"))
        assert found.dtype == "float32"
        numpy.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)
    assert sgemm.product(x[:0], y) is None


@here
def test_derivatives_of_large_products():
    x, w, b = numbers(130, 60), numbers(60, 70), numbers(70)

    def f(xp, affine_map):
        def g(x, w, b):
            return xp.sum(xp.sin(affine_map(x, w, b)))

        return g

    found = minpy.grad(f(np, affine), (0, 1, 2))(*map(np.array, (x, w, b)))
    slope = numpy.cos(x.astype("float64") @ w + b)
    for g, expected in zip(found, (slope @ w.T, x.T @ slope, slope.sum(0)), strict=True):
        numpy.testing.assert_allclose(g.asnumpy(), expected, rtol=1e-3, atol=1e-3)
    turned = np.array(numpy.ascontiguousarray(w.T)).T
    gradient = minpy.grad(lambda w: np.sum(np.sin(affine(np.array(x), w))))(turned)
    slope = numpy.cos(x.astype("float64") @ w)
    numpy.testing.assert_allclose(gradient.asnumpy(), x.T @ slope, rtol=1e-3, atol=1e-3)
    for tx in (False, True):
        for ty in (False, True):
            a, c = (x.T if tx else x), (w.T if ty else w)
            numpy.testing.assert_allclose(
                product(np.array(a), np.array(c), tx, ty).asnumpy(), x @ w, rtol=1e-4, atol=1e-4
            )


def _product_in_a_fork(results):
    x, y = numbers(70, 80), numbers(80, 90)
    results.put(bool(numpy.allclose((np.array(x) @ np.array(y)).asnumpy(), x @ y, atol=1e-4)))


def test_a_fork_multiplies_without_the_threads_that_it_does_not_have():
    numbers(70, 80) @ np.array(numbers(80, 90))
    context = multiprocessing.get_context("fork")
    results = context.Queue()
    child = context.Process(target=_product_in_a_fork, args=(results,))
    child.start()
    assert results.get(timeout=60)
    child.join()
