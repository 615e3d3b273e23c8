"""What has no derivative in minpy.scipy is SciPy's own function on minpy arrays, and says so."""

from __future__ import annotations

import pickle

import numpy
import pytest

import minpy
import minpy.numpy as np
from minpy import runtime
from minpy.errors import PolicyError
from minpy.policy import use_policy

pytest.importorskip("scipy")
import scipy.linalg
import scipy.signal
import scipy.special
import scipy.stats

import minpy.scipy.linalg as ours
from minpy.scipy import signal, special, stats

A = numpy.array([[4.0, 1.0], [2.0, 3.0]])

CALLS = {
    "linalg.block_diag": (ours.block_diag, scipy.linalg.block_diag, (A, numpy.ones((1, 3)))),
    "linalg.toeplitz": (ours.toeplitz, scipy.linalg.toeplitz, ([1.0, 2.0, 3.0],)),
    "linalg.logm": (ours.logm, scipy.linalg.logm, (A,)),
    "linalg.lu_factor": (ours.lu_factor, scipy.linalg.lu_factor, (A,)),
    "special.exprel": (special.exprel, scipy.special.exprel, (A,)),
    "special.spherical_jn": (special.spherical_jn, scipy.special.spherical_jn, (2, A)),
    "signal.detrend": (signal.detrend, scipy.signal.detrend, (A,)),
    "stats.norm.ppf": (stats.norm.ppf, scipy.stats.norm.ppf, (numpy.array([0.1, 0.7]),)),
    "stats.zscore": (stats.zscore, scipy.stats.zscore, (A,)),
}


@pytest.mark.parametrize("name", CALLS)
def test_the_numbers_are_those_of_scipy(name):
    function, expected_from, args = CALLS[name]
    found = function(*[np.array(a) if isinstance(a, numpy.ndarray) else a for a in args])
    expected = expected_from(*args)
    several = isinstance(expected, tuple)
    for part, value in zip(*((found, expected) if several else ([found], [expected])), strict=True):
        assert type(part) is np.ndarray
        numpy.testing.assert_array_equal(part.asnumpy(), value)
    assert repr(function) == f"<scipy.{name}, by the fall-back>"


def test_single_precision_is_kept():
    assert ours.block_diag(np.ones((1, 1))).dtype == "float32"
    assert ours.block_diag(np.array(A)).dtype == "float64"


def test_random_draws_of_distributions():
    alpha = np.array([1.0, 2.0, 3.0])
    drawn = stats.dirichlet.rvs(alpha, size=4, random_state=3)
    expected = scipy.stats.dirichlet.rvs(alpha.asnumpy(), size=4, random_state=3)
    assert type(drawn) is np.ndarray
    numpy.testing.assert_allclose(drawn.asnumpy(), expected, rtol=1e-6)
    assert stats.norm.rvs(size=3).shape == (3,)


def test_a_gradient_through_it_is_an_error_that_names_it():
    with pytest.raises(NotImplementedError, match=r"scipy\.linalg\.logm has no derivative"):
        minpy.grad(lambda a: np.sum(ours.logm(a)))(np.array(A))
    with pytest.raises(NotImplementedError, match=r"scipy\.stats\.norm\.ppf has no derivative"):
        minpy.grad(stats.norm.ppf)(0.3)
    # Integers, here the number of rows, lose no gradient.
    assert minpy.grad(lambda a: a[0, 0] * ours.bandwidth(a)[0])(np.array(A))[0, 0] == 1.0


def test_classes_and_constants_are_those_of_scipy():
    assert ours.LinAlgError is scipy.linalg.LinAlgError
    with pytest.raises(AttributeError, match=r"'minpy.scipy.linalg' has no attribute 'nothing'"):
        _ = ours.nothing
    with pytest.raises(AttributeError, match=r"'minpy.scipy.stats.norm' has no attribute '_x'"):
        _ = stats.norm._x
    assert {"block_diag", "sqrtm"} <= set(dir(ours))
    assert {"rvs", "logpdf"} <= set(dir(stats.norm))
    assert {"uniform", "norm"} <= set(dir(stats))


def test_other_distributions_are_those_of_scipy():
    assert stats.uniform is scipy.stats.uniform


def test_they_can_be_pickled():
    for function in (ours.block_diag, stats.norm.ppf):
        assert pickle.loads(pickle.dumps(function)) is function


@pytest.mark.skipif(not runtime.available(), reason="mxnet is missing")
def test_the_policy_only_mxnet_refuses_them():
    with (
        use_policy("only_mxnet"),
        pytest.raises(PolicyError, match=r"scipy\.linalg\.toeplitz has no MXNet kernel"),
    ):
        ours.toeplitz([1.0, 2.0])
