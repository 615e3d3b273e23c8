"""minpy.array_api is the array API standard: names, keywords, and what differs from NumPy 1.26.

The consortium's own suite is run by hand: docs/arrays.md says how, array_api_skips.txt what is left
out.
"""

from __future__ import annotations

import inspect
import math

import numpy
import pytest

import minpy
import minpy.array_api as xp
from minpy.context import cpu

# The functions of version 2023.12, from the pages of the standard.
FUNCTIONS = """
    abs acos acosh add all any arange argmax argmin argsort asarray asin asinh astype atan atan2
    atanh bitwise_and bitwise_invert bitwise_left_shift bitwise_or bitwise_right_shift bitwise_xor
    broadcast_arrays broadcast_to can_cast ceil clip concat conj copysign cos cosh cumulative_sum
    divide empty empty_like equal exp expand_dims expm1 eye finfo flip floor floor_divide
    from_dlpack full full_like greater greater_equal hypot iinfo imag isdtype isfinite isinf isnan
    less less_equal linspace log log10 log1p log2 logaddexp logical_and logical_not logical_or
    logical_xor matmul matrix_transpose max maximum mean meshgrid min minimum moveaxis multiply
    negative nonzero not_equal ones ones_like permute_dims positive pow prod real remainder repeat
    reshape result_type roll round searchsorted sign signbit sin sinh sort sqrt square squeeze
    stack std subtract sum take tan tanh tensordot tile tril triu trunc unique_all unique_counts
    unique_inverse unique_values unstack var vecdot where zeros zeros_like
"""
LINALG = """
    cholesky cross det diagonal eigh eigvalsh inv matmul matrix_norm matrix_power matrix_rank
    matrix_transpose outer pinv qr slogdet solve svd svdvals tensordot trace vecdot vector_norm
"""
FFT = """
    fft fftfreq fftn fftshift hfft ifft ifftn ifftshift ihfft irfft irfftn rfft rfftfreq rfftn
"""
CREATED = "arange asarray empty empty_like eye full full_like linspace ones ones_like zeros"


@pytest.mark.parametrize(("module", "names"), [("", FUNCTIONS), ("linalg", LINALG), ("fft", FFT)])
def test_all_functions_of_the_standard_are_there(module, names):
    namespace = getattr(xp, module) if module else xp
    for name in names.split():
        assert callable(getattr(namespace, name)), name
        assert name in namespace.__all__
    assert {"e", "inf", "nan", "newaxis", "pi"} <= set(xp.__all__)
    assert xp.__array_api_version__ == "2023.12"


@pytest.mark.parametrize("name", CREATED.split())
def test_arrays_are_made_on_a_device(name):
    assert "device" in inspect.signature(getattr(xp, name)).parameters
    like = xp.ones(2)
    arguments = {"full": ((2,), 1.0), "linspace": (0, 1, 3), "eye": (2,), "asarray": ([1.0],)}
    arguments |= {"empty_like": (like,), "ones_like": (like,), "full_like": (like, 2.0)}
    made = getattr(xp, name)(*arguments.get(name, (3,)), device=cpu())
    assert made.device == cpu() and made.to_device("cpu") is made
    with pytest.raises(ValueError, match="expected a minpy context"):
        getattr(xp, name)(*arguments.get(name, (3,)), device="tpu")


def test_an_array_knows_its_namespace():
    x = xp.ones(2)
    assert x.__array_namespace__() is xp
    assert x.__array_namespace__(api_version="2022.12") is xp
    with pytest.raises(ValueError, match="2019"):
        x.__array_namespace__(api_version="2019.01")


def test_inspection():
    info = xp.__array_namespace_info__()
    assert info.capabilities() == {"boolean indexing": True, "data-dependent shapes": True}
    assert info.default_device() == cpu() and cpu() in info.devices()
    assert info.default_dtypes()["real floating"] == xp.float32
    minpy.set_default_dtype("float64")
    assert info.default_dtypes()["complex floating"] == xp.complex128
    assert set(info.dtypes(kind="signed integer")) == {"int8", "int16", "int32", "int64"}
    assert len(info.dtypes()) == 13


def test_dtypes_and_kinds():
    assert xp.isdtype(xp.int8, "integral") and not xp.isdtype(xp.bool, "numeric")
    assert xp.isdtype(xp.float32, (xp.float64, "real floating"))
    with pytest.raises(ValueError, match="expected one of"):
        xp.isdtype(xp.int8, "integer")
    assert isinstance(xp.finfo(xp.float32).eps, float)
    assert xp.iinfo(xp.ones(1, dtype=xp.int8)).max == 127
    assert xp.result_type(xp.ones((), dtype=xp.float64), xp.float32) == xp.float64
    assert xp.can_cast(xp.int8, xp.int16) and not xp.can_cast(xp.ones(1), xp.int8)
    assert xp.can_cast(xp.float32, xp.complex64) and not xp.can_cast(xp.int8, xp.float64)
    zero_d = xp.asarray(1, dtype=xp.int64)
    assert xp.add(xp.ones(2, dtype=xp.int8), zero_d).dtype == xp.int64
    assert xp.bitwise_and(zero_d, xp.ones(2, dtype=xp.uint8)).dtype == xp.int64
    with pytest.raises(TypeError, match="complex"):
        xp.astype(xp.ones(1, dtype=xp.complex64), xp.float32)


def test_order_from_the_largest_on_keeps_equal_elements_in_place():
    x = xp.asarray([1.0, 3.0, 1.0, 3.0])
    assert xp.argsort(x, descending=True).tolist() == [1, 3, 0, 2]
    assert xp.sort(x, descending=True).tolist() == [3, 3, 1, 1]
    assert xp.argsort(x).tolist() == [0, 2, 1, 3]
    assert xp.searchsorted(xp.sort(x), xp.asarray([2.0])).tolist() == [2]


def test_nan_are_distinct_elements():
    x = xp.asarray([[math.nan, 1.0], [1.0, math.nan]])
    assert xp.unique_values(x).shape == (3,)
    assert xp.unique_counts(x).counts.tolist() == [2, 1, 1]
    assert xp.unique_inverse(x).inverse_indices.shape == x.shape
    found = xp.unique_all(xp.asarray([2, 1, 2]))
    assert [v.tolist() for v in found] == [[1, 2], [1, 0], [1, 0, 1], [1, 2]]


def test_sums_of_small_integers_are_wide():
    x = xp.asarray([200, 100], dtype=xp.uint8)
    assert xp.sum(x).dtype == xp.uint64 and int(xp.sum(x)) == 300
    assert xp.prod(xp.asarray([2, 3], dtype=xp.int8)).dtype == xp.int64
    assert xp.cumulative_sum(x, include_initial=True).tolist() == [0, 200, 300]
    assert xp.linalg.trace(xp.ones((2, 2), dtype=xp.int8)).dtype == xp.int64
    with pytest.raises(ValueError, match="axis"):
        xp.cumulative_sum(xp.ones((2, 2)))
    assert float(xp.var(xp.asarray([1.0, 3.0]), correction=1)) == 2.0
    assert float(xp.std(xp.asarray([1.0, 3.0]))) == 1.0


def test_rounding_keeps_integers():
    x = xp.asarray([1, 2], dtype=xp.int16)
    for function in (xp.floor, xp.ceil, xp.trunc, xp.round):
        assert function(x).dtype == xp.int16
    assert xp.clip(x).tolist() == [1, 2] and xp.clip(x, 2).dtype == xp.int16


def test_shapes():
    x = xp.reshape(xp.arange(6), (2, 3))
    assert xp.matrix_transpose(x).shape == x.mT.shape == (3, 2)
    assert [v.tolist() for v in xp.unstack(x)] == [[0, 1, 2], [3, 4, 5]]
    assert xp.take(x, xp.asarray([1]), axis=1).tolist() == [[1], [4]]
    view = xp.reshape(x, (6,), copy=False)
    view[0] = 9
    assert int(x[0, 0]) == 9
    refused = (
        lambda: xp.reshape(x.T, (6,), copy=False),
        lambda: xp.take(x, xp.asarray([1])),
        lambda: xp.matrix_transpose(xp.ones(2)),
        lambda: xp.unstack(xp.asarray(1.0)),
        lambda: xp.nonzero(xp.asarray(1.0)),
        lambda: xp.asarray([1.0], copy=False),
        lambda: xp.vecdot(xp.ones(2), xp.ones(3)),
        lambda: xp.linalg.cross(xp.ones(2), xp.ones(2)),
        lambda: xp.linalg.outer(x, x),
    )
    for call in refused:
        with pytest.raises(ValueError, match=r"expected|needs a copy|can't be shared|lengths"):
            call()


def test_products_conjugate_the_first_operand():
    z = xp.asarray([1 + 1j, 2j])
    assert complex(xp.vecdot(z, z)) == 6 + 0j
    x = xp.reshape(xp.arange(6, dtype=xp.float64), (2, 3))
    assert xp.vecdot(x, x, axis=0).tolist() == [9, 17, 29]


def test_linear_algebra_by_name():
    rng = numpy.random.default_rng(0)
    plain = rng.normal(size=(2, 3, 3)) + 3 * numpy.eye(3)
    x = xp.asarray(plain)
    numpy.testing.assert_allclose(
        (xp.linalg.qr(x).Q @ xp.linalg.qr(x).R).asnumpy(), plain, rtol=1e-12
    )
    parts = xp.linalg.svd(x)
    numpy.testing.assert_allclose(
        (parts.U @ (parts.S[..., None] * parts.Vh)).asnumpy(), plain, rtol=1e-12, atol=1e-12
    )
    assert xp.linalg.matrix_rank(x).tolist() == [3, 3]
    assert xp.linalg.solve(x, xp.ones(3, dtype=xp.float64)).shape == (2, 3)
    assert xp.linalg.eigh(x @ x.mT).eigenvalues.shape == (2, 3)
    upper = xp.linalg.cholesky(x @ x.mT, upper=True)
    numpy.testing.assert_allclose((upper.mT @ upper).asnumpy(), (x @ x.mT).asnumpy(), rtol=1e-12)
    numpy.testing.assert_allclose(
        xp.linalg.vector_norm(x, axis=(0, 2), keepdims=True).asnumpy(),
        numpy.sqrt((plain**2).sum((0, 2), keepdims=True)),
    )
    numpy.testing.assert_allclose(
        xp.linalg.matrix_norm(x).asnumpy(), numpy.linalg.norm(plain, axis=(1, 2))
    )
    numpy.testing.assert_allclose((xp.linalg.pinv(x) @ x).asnumpy()[0], numpy.eye(3), atol=1e-12)
    assert xp.linalg.slogdet(x).sign.shape == (2,)
    assert xp.linalg.diagonal(x, offset=1).shape == (2, 2)
    assert float(xp.linalg.vector_norm(xp.zeros((0,)))) == 0.0


def test_transforms_keep_the_precision_of_their_argument():
    for default in ("float32", "float64"):
        minpy.set_default_dtype(default)
        assert xp.fft.fft(xp.ones(4, dtype=xp.float32)).dtype == xp.complex64
        assert xp.fft.rfft(xp.ones(4, dtype=xp.float64)).dtype == xp.complex128
        assert xp.fft.irfftn(xp.ones((2, 3), dtype=xp.complex64)).dtype == xp.float32
    assert xp.fft.fftfreq(4, d=0.5, device=cpu()).tolist() == [0, 0.5, -1, -0.5]
    assert xp.fft.rfftfreq(4, dtype=xp.float32).dtype == xp.float32


def test_memory_goes_both_ways_by_dlpack():
    x = xp.ones(3)
    shared = numpy.from_dlpack(x)
    x[0] = 5.0
    assert shared.tolist() == [5, 1, 1]
    own = xp.from_dlpack(numpy.arange(3.0), copy=True, device=cpu())
    assert own.tolist() == [0, 1, 2]
    assert x.__dlpack_device__() == (1, 0) and x.__dlpack__(max_version=(1, 0), copy=True)
    with pytest.raises(TypeError, match="stream"):
        x.__dlpack__(stream=1)
    with pytest.raises(BufferError, match="host"):
        x.__dlpack__(dl_device=(2, 0))


def test_derivatives_go_through_the_standards_functions():
    def f(x):
        return xp.sum(xp.linalg.vector_norm(xp.permute_dims(x, (1, 0)), axis=0) ** 2)

    x = xp.asarray([[1.0, 2.0], [3.0, 4.0]])
    numpy.testing.assert_allclose(minpy.grad(f)(x).asnumpy(), 2 * x.asnumpy(), rtol=1e-6)
