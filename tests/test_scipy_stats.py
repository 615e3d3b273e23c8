"""Distributions: SciPy's values, and derivatives in the value and in all parameters."""

from __future__ import annotations

import warnings
from typing import Any

import numpy
import pytest

import minpy
import minpy.numpy as np
from minpy.scipy import stats

sp = pytest.importorskip("scipy.stats")

_rng = numpy.random.default_rng(17)


def normal(*shape: int) -> numpy.ndarray:
    return _rng.normal(size=shape)


def positive(*shape: int) -> numpy.ndarray:
    return _rng.uniform(0.5, 3.0, shape)


def unit(*shape: int) -> numpy.ndarray:
    return _rng.uniform(0.1, 0.9, shape)


# A value inside of the support, and parameters: shapes, location, scale.
POINTS = {
    "norm": (normal(2, 3), normal(3), positive(2, 1)),
    "t": (normal(2, 3), positive(3), normal(2, 1), positive(3)),
    "gamma": (positive(2, 3) + 1.0, positive(3), unit(2, 1), positive(3)),
    "chi2": (positive(2, 3) + 1.0, positive(3), unit(2, 1), positive(3)),
    "beta": (unit(2, 3) + 0.1, positive(3), positive(2, 1), 0.1, 1.0),
}
FUNCTIONS = ("pdf", "logpdf", "cdf", "logcdf", "sf", "logsf")
CASES = [(family, name) for family in POINTS for name in FUNCTIONS]


@pytest.fixture(autouse=True)
def _double():
    minpy.set_default_dtype("float64")


def close(found, expected, rtol=1e-10):
    numpy.testing.assert_allclose(numpy.asarray(found), expected, rtol=rtol, atol=1e-300)


@pytest.mark.parametrize(("family", "name"), CASES)
def test_values_are_scipys(family, name):
    point = POINTS[family]
    ours, theirs = getattr(getattr(stats, family), name), getattr(getattr(sp, family), name)
    close(ours(*point), theirs(*point))
    shapes = point[1:-2]
    close(ours(point[0], *shapes), theirs(point[0], *shapes))
    close(
        ours(0.7, *[2.5 for _ in shapes], scale=2.0), theirs(0.7, *[2.5] * len(shapes), scale=2.0)
    )


@pytest.mark.parametrize(("family", "name"), CASES)
def test_outside_of_the_support_and_of_what_is_allowed_values_are_scipys(family, name):
    ours, theirs = getattr(getattr(stats, family), name), getattr(getattr(sp, family), name)
    shapes = [2.5] * (len(POINTS[family]) - 3)
    x = numpy.array([-numpy.inf, -50.0, -1.0, 0.0, 1.0, 1.5, 60.0, numpy.nan, numpy.inf])
    if family in ("gamma", "chi2") and "pdf" in name:
        assert float(ours(numpy.inf, *shapes)) in (0.0, -numpy.inf)
        x = x[:-1]  # SciPy gives nan for infinity
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        close(ours(x, *shapes), theirs(x, *shapes), rtol=1e-8)
        close(ours(0.5, *shapes, scale=-1.0), numpy.nan)
        for i in range(len(shapes)):
            close(ours(0.5, *[-1.0 if k == i else s for k, s in enumerate(shapes)]), numpy.nan)


@pytest.mark.parametrize(("family", "name"), CASES)
def test_derivatives_agree_with_finite_differences(family, name):
    point = POINTS[family]
    smooth = range(len(point))

    def function(*values: Any) -> Any:
        given = list(point)
        for i, value in zip(smooth, values, strict=True):
            given[i] = value
        return getattr(getattr(stats, family), name)(*given)

    minpy.check_grads(function, order=2, tol=1e-4, rtol=1e-4)(*[point[i] for i in smooth])


@pytest.mark.parametrize("family", POINTS)
def test_derivatives_outside_of_the_support_are_zero_and_not_nan(family):
    shapes = [2.5] * (len(POINTS[family]) - 3)
    distribution = getattr(stats, family)
    lower = {"norm": -numpy.inf, "t": -numpy.inf}.get(family, -1.0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in FUNCTIONS:
            f = lambda x, loc, scale, name=name: getattr(distribution, name)(  # noqa: E731
                x, *shapes, loc=loc, scale=scale
            )
            for x in (lower, numpy.inf if family != "beta" else 2.0):
                if not numpy.isfinite(x):
                    assert float(minpy.grad(f)(x, 0.0, 1.0)) == 0.0
                else:
                    assert [float(g) for g in minpy.grad(f, (0, 1))(x, 0.0, 1.0)] == [0.0, 0.0]


@pytest.mark.parametrize(
    ("family", "name", "point"),
    [("norm", name, (0.3, 0.1, 1.2)) for name in ("pdf", "logpdf", "cdf", "logcdf", "sf", "logsf")]
    + [("t", name, (0.3, 2.5, 0.1, 1.2)) for name in ("pdf", "logpdf")]
    + [("gamma", name, (0.8, 2.5)) for name in ("pdf", "logpdf")]
    + [("beta", name, (0.3, 2.5, 1.5)) for name in ("pdf", "logpdf")]
    + [("chi2", name, (0.8, 3.0)) for name in ("pdf", "logpdf")],
)
def test_gradients_are_those_of_hips(family, name, point):
    hips = pytest.importorskip("autograd")
    theirs = getattr(pytest.importorskip(f"autograd.scipy.stats.{family}"), name)
    # HIPS autograd takes all of chi2 for constant unless df is whole, and in df even then.
    for n in range(1 if family == "chi2" else len(point)):
        found = minpy.grad(getattr(getattr(stats, family), name), n)(*point)
        close(found, hips.grad(theirs, n)(*point))


def test_the_normal_far_from_its_mean():
    close(minpy.grad(stats.norm.logcdf)(-50.0), 50.0199840383, rtol=1e-8)
    close(minpy.grad(stats.norm.logsf)(50.0), -50.0199840383, rtol=1e-8)
    close(minpy.grad(stats.norm.logpdf)(1e8), -1e8)


def test_where_a_probability_is_lost_to_rounding_its_logarithm_is_constant():
    close(stats.gamma.logcdf(1e-200, 5.0), -numpy.inf)
    for f in (lambda x: stats.gamma.logcdf(x, 5.0), lambda x: stats.beta.logsf(1 - x, 1.0, 30.0)):
        assert float(minpy.grad(f)(1e-200)) == 0.0
    assert float(minpy.grad(lambda mu: stats.poisson.logsf(200, mu))(1e-3)) == 0.0


def test_arguments_are_checked():
    with pytest.raises(
        TypeError, match="StudentT distribution: no value for the shape parameter 'df'"
    ):
        stats.t.pdf(0.0)
    with pytest.raises(TypeError, match="'mean' is unknown; it takes loc, scale"):
        stats.norm.pdf(0.0, mean=1.0)
    with pytest.raises(TypeError, match="'loc' is given twice"):
        stats.norm.pdf(0.0, 1.0, loc=1.0)
    with pytest.raises(TypeError, match="expected x and at most loc, scale, got 3"):
        stats.norm.pdf(0.0, 1.0, 1.0, 1.0)


# --- Poisson --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["pmf", "logpmf", "cdf", "logcdf", "sf", "logsf"])
def test_poisson(name):
    k = numpy.array([-1.0, 0.0, 1.0, 4.0, 2.5, numpy.nan])
    mu = numpy.array([[0.5], [3.0]])
    ours, theirs = getattr(stats.poisson, name), getattr(sp.poisson, name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        close(ours(k, mu), theirs(k, mu))
        close(ours(k, mu, loc=1), theirs(k, mu, loc=1))
        close(ours(3, -1.0), numpy.nan)
        inside = numpy.array([0.0, 1.0, 4.0])
        minpy.check_grads(lambda mu: ours(inside, mu), order=2, tol=1e-5, rtol=1e-5)(mu)
        assert float(minpy.grad(lambda mu: ours(-1.0, mu))(2.0)) == 0.0
    close(minpy.grad(lambda mu: stats.poisson.cdf(2, mu))(3.0), -sp.poisson.pmf(2, 3.0))


# --- multivariate normal --------------------------------------------------------------------------

_ROOT = normal(3, 3)
COV = _ROOT @ _ROOT.T + numpy.eye(3)
MEAN = normal(3)
X = normal(4, 3)


def symmetric(a):
    return (a + np.transpose(a)) * 0.5


@pytest.mark.parametrize("name", ["pdf", "logpdf"])
def test_the_multivariate_normals_density(name):
    ours = getattr(stats.multivariate_normal, name)
    theirs = getattr(sp.multivariate_normal, name)
    close(ours(X, MEAN, COV), theirs(X, MEAN, COV))
    close(ours(X[0], MEAN, COV), theirs(X[0], MEAN, COV))
    close(ours(X, cov=COV), theirs(X, cov=COV))
    close(ours(X, MEAN, 2.0), theirs(X, MEAN, 2.0))
    close(ours(X, MEAN, positive(3) * 0 + 2.0), theirs(X, MEAN, numpy.full(3, 2.0)))
    close(ours(X[0], 0.5, 2.0), theirs(X[0], 0.5, 2.0))  # one dimension
    close(ours(0.3), theirs(0.3))
    close(ours([0.3], cov=COV), theirs([0.3] * 3, cov=COV))  # the same for all components
    close(ours([1, 2, 3], cov=COV), theirs([1, 2, 3], cov=COV))
    f = lambda x, m, c: ours(x, m, symmetric(c))  # noqa: E731
    minpy.check_grads(f, order=2, tol=1e-4, rtol=1e-4)(X, MEAN, COV)


def test_the_gradient_of_the_multivariate_normal_is_that_of_hips():
    hips = pytest.importorskip("autograd")
    theirs = pytest.importorskip("autograd.scipy.stats.multivariate_normal")
    for n in range(3):
        total = lambda *a: stats.multivariate_normal.logpdf(*a)  # noqa: E731
        close(minpy.grad(total, n)(X[0], MEAN, COV), hips.grad(theirs.logpdf, n)(X[0], MEAN, COV))
    close(stats.multivariate_normal.entropy(MEAN, COV), sp.multivariate_normal.entropy(MEAN, COV))
    minpy.check_grads(lambda c: stats.multivariate_normal.entropy(MEAN, symmetric(c)))(COV)


def test_a_singular_covariance():
    flat = normal(3, 2)
    cov, inside = flat @ flat.T, flat @ normal(2)
    ours, theirs = stats.multivariate_normal.logpdf, sp.multivariate_normal.logpdf
    for x in (inside, inside + normal(3)):
        close(ours(x, None, cov, True), theirs(x, None, cov, True), rtol=1e-6)
    f = lambda z, a: ours(np.dot(a, z), None, np.dot(a, a.T), True)  # noqa: E731
    z = numpy.linalg.lstsq(flat, inside, rcond=None)[0]
    found = minpy.grad(f)(z, flat)  # within the subspace: that of a standard normal z
    close(found, -z, rtol=1e-6)
    with pytest.raises(np.linalg.LinAlgError, match="allow_singular=True"):
        ours(inside, None, numpy.diag([1.0, 0.0, 1.0]))
    with pytest.raises(ValueError, match="positive semidefinite"):
        ours(inside, None, numpy.diag([1.0, -1.0, 1.0]), True)


def test_the_multivariate_normals_distribution_function():
    cdf = stats.multivariate_normal.cdf
    x2, cov2 = X[:, :2], COV[:2, :2]
    close(cdf(x2, MEAN[:2], cov2), sp.multivariate_normal.cdf(x2, MEAN[:2], cov2), rtol=1e-7)
    close(cdf(0.4, 0.1, 2.0), sp.norm.cdf(0.4, 0.1, numpy.sqrt(2.0)))
    f = lambda x, m, c: stats.multivariate_normal.logcdf(x, m, symmetric(c))  # noqa: E731
    minpy.check_grads(f, order=2, tol=1e-4, rtol=1e-4)(x2, MEAN[:2], cov2)


def test_the_distribution_function_of_three_dimensions():
    # Independent components: a product of one-dimensional ones, with a closed derivative.
    x, variances = normal(3), positive(3)
    exact = lambda x, v: np.prod(stats.norm.cdf(x, scale=np.sqrt(v)))  # noqa: E731
    found = minpy.grad(lambda x, v: stats.multivariate_normal.cdf(x, None, v), (0, 1))(x, variances)
    expected = minpy.grad(exact, (0, 1))(x, variances)
    close(found[0], expected[0].asnumpy(), rtol=1e-3)
    close(found[1], expected[1].asnumpy(), rtol=1e-3)
    # The covariance: against the difference of SciPy's values, at its precision.
    g = minpy.grad(lambda c: stats.multivariate_normal.cdf(x, None, c))(COV).asnumpy()
    step = numpy.zeros((3, 3))
    step[0, 1] = step[1, 0] = 0.2
    precise = {"maxpts": 2_000_000, "abseps": 1e-8, "releps": 1e-8}
    ahead, behind = (
        sp.multivariate_normal.cdf(x, None, COV + s * step, **precise) for s in (0.5, -0.5)
    )
    assert float((g * step).sum()) == pytest.approx(ahead - behind, rel=0.02)
    # A component at infinity leaves the others alone.
    at = numpy.array([x[0], numpy.inf, x[2]])
    rest = minpy.grad(lambda x: stats.multivariate_normal.cdf(x, None, variances))(at).tolist()
    assert rest[1] == 0.0
    pair = minpy.grad(lambda x: stats.multivariate_normal.cdf(x, None, variances[[0, 2]]))(
        x[[0, 2]]
    )
    close([rest[0], rest[2]], pair.asnumpy(), rtol=1e-3)


def test_shapes_that_do_not_fit_are_errors():
    with pytest.raises(ValueError, match=r"covariance of shape \(3, 3\).*got \(2, 2\)"):
        stats.multivariate_normal.pdf(X, MEAN, numpy.eye(2))
    with pytest.raises(ValueError, match=r"points of 3 components, got shape \(4, 2\)"):
        stats.multivariate_normal.pdf(X[:, :2], MEAN, COV)


# --- Dirichlet ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["pdf", "logpdf"])
def test_dirichlet(name):
    ours, theirs = getattr(stats.dirichlet, name), getattr(sp.dirichlet, name)
    alpha, x = positive(3), _rng.dirichlet(numpy.ones(3), 4).T
    close(ours(x, alpha), theirs(x, alpha))
    close(ours(x[:, 0], alpha), theirs(x[:, 0], alpha))
    close(ours(x[:-1], alpha), theirs(x[:-1], alpha))
    f = lambda w, alpha: ours(w / np.sum(w, 0), alpha)  # noqa: E731
    minpy.check_grads(f, order=2, tol=1e-4, rtol=1e-4)(x, alpha)
    hips = pytest.importorskip("autograd")
    module = pytest.importorskip("autograd.scipy.stats.dirichlet")
    total = hips.grad(lambda a: getattr(module, name)(x[:, 0], a))(alpha)
    close(minpy.grad(lambda a: ours(x[:, 0], a))(alpha), total)


def test_proportions_are_checked():
    with pytest.raises(ValueError, match=r"sum to one, got sum 1\.5; normalise"):
        stats.dirichlet.pdf(numpy.array([0.5, 1.0]), numpy.ones(2))
    with pytest.raises(ValueError, match="positive alpha"):
        stats.dirichlet.pdf(numpy.array([0.5, 0.5]), numpy.array([1.0, -1.0]))
    with pytest.raises(ValueError, match="expected 4 proportions"):
        stats.dirichlet.pdf(numpy.array([0.5, 0.5]), numpy.ones(4))
