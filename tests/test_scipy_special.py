"""Special functions: SciPy's values, derivatives against finite differences and HIPS autograd."""

from __future__ import annotations

import importlib
import warnings
from typing import Any

import numpy
import pytest

import minpy
import minpy.numpy as np
from minpy.errors import NoDerivativeError
from minpy.scipy import special

sp = pytest.importorskip("scipy.special")

_rng = numpy.random.default_rng(11)


def normal(*shape: int) -> numpy.ndarray:
    return _rng.normal(size=shape) * 1.5


def positive(*shape: int) -> numpy.ndarray:
    return _rng.uniform(0.4, 4.0, shape)


def unit(*shape: int) -> numpy.ndarray:
    return _rng.uniform(0.05, 0.95, shape)


def inside(*shape: int) -> numpy.ndarray:
    return _rng.uniform(-0.9, 0.9, shape)


_UNARY = {
    normal: "expm1 exp2 exp10 erf erfc erfcx dawsn ndtr log_ndtr psi digamma gamma gammaln rgamma "
    "j0 j1 i0 i1 i0e i1e expit log_expit softmax log_softmax logsumexp",
    positive: "cbrt y0 y1 k0 k1 k0e k1e exp1 expi entr loggamma",
    unit: "logit erfcinv ndtri",
    inside: "erfinv",
}
_OF_ORDER = "jv yv iv kv ive kve"
_OF_INTEGER_ORDER = "jn yn kn"

# name, arguments, the numbers of those that it has a derivative in
CALLS: list[tuple[str, tuple, tuple[int, ...]]] = [
    (name, (make(*shape),), (0,))
    for make, names in _UNARY.items()
    for name in names.split()
    for shape in ((), (3,), (2, 3))
]
CALLS += [
    (name, (order, positive(*shape)), (1,))
    for name in _OF_ORDER.split()
    for order, shape in ((0, (3,)), (2.5, ()), (numpy.array([[0.5], [3.0]]), (2,)))
]
CALLS += [
    (name, (order, positive(3)), (1,)) for name in _OF_INTEGER_ORDER.split() for order in (0, 1, 3)
]
CALLS += [
    ("beta", (positive(3), positive(2, 1)), (0, 1)),
    ("betaln", (positive(2, 3), positive(3)), (0, 1)),
    ("betaln", (positive(3), 2.0), (0,)),
    ("binom", (positive(3) + 4.0, positive(3)), (0, 1)),
    ("zeta", (3.0, positive(3)), (1,)),
    ("xlogy", (normal(3), positive(2, 1)), (0, 1)),
    ("xlog1py", (normal(3), positive(2, 1)), (0, 1)),
    ("rel_entr", (positive(3), positive(3)), (0, 1)),
    ("kl_div", (positive(3), positive(3)), (0, 1)),
    ("gammainc", (2.5, positive(2, 3)), (1,)),
    ("gammainc", (positive(3), 7.5 * positive(2, 1)), (0, 1)),
    ("gammaincc", (7.5 * positive(3), 7.5 * positive(2, 1)), (0, 1)),
    ("gammaincinv", (positive(3), unit(2, 1)), (0, 1)),
    ("gammainccinv", (positive(3), unit(2, 1)), (0, 1)),
    ("betainc", (positive(3), 2.0, unit(2, 3)), (0, 2)),
    ("betainc", (5.0 * positive(3), positive(2, 1), unit(2, 3)), (0, 1, 2)),
    ("betaincc", (positive(3), 2.0, unit(2, 3)), (0, 2)),
    ("betaincinv", (positive(3), positive(3), unit(3)), (0, 1, 2)),
    ("stdtr", (positive(3), normal(2, 1)), (0, 1)),
    ("polygamma", (0, positive(3)), (1,)),
    ("polygamma", (numpy.array([[1], [2]]), positive(3)), (1,)),
    ("multigammaln", (positive(3) + 2.0, 3), (0,)),
    ("multigammaln", (3.5, 2), (0,)),
    ("logsumexp", (normal(2, 3), 0), (0,)),
    ("logsumexp", (normal(2, 3), (0, -1), None, True), (0,)),
    ("logsumexp", (normal(2, 3), -1, positive(3)), (0, 2)),
    ("logsumexp", (normal(2, 3), None, positive(2, 1)), (0, 2)),
    ("softmax", (normal(2, 3), 1), (0,)),
    ("log_softmax", (normal(2, 3), (0, 1)), (0,)),
]


def _id(call: Any) -> str:
    shapes = ",".join(str(numpy.shape(a)).replace(" ", "") for a in call[1])
    return f"{call[0]}[{shapes}]"


def of(name: str, args: tuple, smooth: tuple[int, ...]) -> Any:
    def function(*values: Any) -> Any:
        given = list(args)
        for i, value in zip(smooth, values, strict=True):
            given[i] = value
        return getattr(special, name)(*given)

    return function


@pytest.mark.parametrize("call", CALLS, ids=_id)
def test_values_are_scipys(call):
    minpy.set_default_dtype("float64")
    name, args, _ = call
    expected = getattr(sp, name)(*args)
    given = [np.array(a) if isinstance(a, numpy.ndarray) else a for a in args]
    found = getattr(special, name)(*given)
    assert isinstance(found, np.ndarray)
    assert found.shape == numpy.shape(expected)
    numpy.testing.assert_allclose(found.asnumpy(), expected, rtol=1e-13)


@pytest.mark.parametrize("call", CALLS, ids=_id)
def test_agrees_with_finite_differences_in_both_modes_to_second_order(call):
    _, args, smooth = call
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        minpy.check_grads(of(*call), order=2, tol=2e-5, rtol=2e-5)(*[args[i] for i in smooth])


@pytest.mark.parametrize("call", CALLS, ids=_id)
def test_gradients_are_those_of_hips(call):
    hips = pytest.importorskip("autograd")
    theirs = pytest.importorskip("autograd.scipy.special")
    name, args, smooth = call
    if not hasattr(theirs, name) or (name == "logsumexp" and len(args) > 2):
        pytest.skip("HIPS autograd has no derivative of it")
    if (name in ("iv", "ive", "polygamma") and numpy.ndim(args[0])) or name == "multigammaln":
        pytest.skip("HIPS autograd takes no account of broadcasting there")
    if name in ("gammainc", "gammaincc", "betainc", "betaincc"):
        smooth = smooth[-1:]  # HIPS autograd has the upper limit only
    for number in smooth:

        def total(module, name=name, args=args, number=number):
            def function(value):
                return getattr(module, name)(*args[:number], value, *args[number + 1 :]) ** 2

            return function

        found = minpy.elementwise_grad(total(special))(args[number])
        expected = hips.elementwise_grad(total(theirs))(args[number])
        numpy.testing.assert_allclose(found.asnumpy(), expected, rtol=1e-9)


def test_every_public_name_is_in_the_table():
    tested = {name for name, _, _ in CALLS} | {"gammasgn"}
    assert tested == set(special.__all__)


INF = numpy.inf


@pytest.mark.parametrize(
    ("function", "at", "slope"),
    [
        (special.erf, [0.0, INF], [2 / numpy.sqrt(numpy.pi), 0.0]),
        (special.expit, [-800.0, 0.0, 800.0], [0.0, 0.25, 0.0]),
        (special.expit, [40.0], [numpy.exp(-40.0)]),  # no cancellation in 1 - expit(x)
        (special.log_expit, [-800.0, 800.0], [1.0, 0.0]),
        (special.log_ndtr, [-40.0], [40.0249688]),  # the tail: x + 1/x
        (special.logit, [0.5], [4.0]),
        (special.rgamma, [0.0, -1.0, -2.0], [1.0, -1.0, 2.0]),  # (-1)^n n!, where psi has poles
        (special.i0, [0.0], [0.0]),
        (special.i1, [0.0], [0.5]),
        (special.j0, [0.0], [0.0]),
        (special.j1, [0.0], [0.5]),
        (special.i0e, [0.0], [0.0]),
        (lambda x: special.jv(2, x), [0.0], [0.0]),
        (lambda x: special.ive(1, x), [0.0], [0.5]),
        (lambda x: special.xlogy(0.0, x), [0.0], [0.0]),
        (lambda x: special.xlogy(x, 2.0), [0.0], [numpy.log(2.0)]),
        (lambda x: special.gammainc(1.0, x), [0.0], [1.0]),
        (lambda x: special.betainc(1.0, 1.0, x), [0.0, 1.0], [1.0, 1.0]),
        (lambda a: special.gammainc(a, 0.0), [1.0], [0.0]),
        (lambda a: special.betainc(a, 1.0, 0.0), [1.0], [0.0]),
        (lambda a: special.betainc(a, 1.0, 1.0), [1.0], [0.0]),
        (lambda df: special.stdtr(df, 0.0), [1.0], [0.0]),
        (lambda x: special.logsumexp(x, axis=None), [INF, 0.0], [1.0, 0.0]),
        (lambda x: special.logsumexp(x), [INF, INF], [0.5, 0.5]),
        (lambda x: special.logsumexp(x), [-INF, -INF], [0.0, 0.0]),
        (lambda x: special.logsumexp(x), [-INF, 1.0], [0.0, 1.0]),
        (lambda x: special.logsumexp(x), [1e4, 1e4], [0.5, 0.5]),
        (special.softmax, [1e4, -1e4], [0.0, 0.0]),
        (special.gammasgn, [1.5], [0.0]),
    ],
)
def test_derivatives_at_awkward_points(function, at, slope):
    minpy.set_default_dtype("float64")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = minpy.grad(lambda x: np.sum(function(x)))(numpy.array(at))
    numpy.testing.assert_allclose(found.asnumpy(), slope, rtol=1e-7, atol=1e-300)


@pytest.mark.parametrize(
    ("name", "args", "number"),
    [
        ("gammainc", (50.0, 60.0), 0),
        ("gammainc", (1e4, 1.01e4), 0),
        ("gammainc", (0.01, 0.1), 0),
        ("gammainc", (0.5, 1e-8), 0),
        ("betainc", (100.0, 0.5, 0.99), 1),
        ("betainc", (1e3, 2e3, 0.34), 0),
        ("betainc", (0.1, 0.1, 0.999), 0),
        ("betainc", (20.0, 0.01, 0.95), 1),
        ("betainc", (1e4, 0.5, 0.9999), 1),
        ("stdtr", (1.0, 1e3), 0),
        ("stdtr", (200.0, -3.0), 0),
        ("stdtr", (0.3, 0.01), 0),
        ("stdtr", (3.0, -1e-3), 0),
        ("stdtr", (1e3, 0.5), 0),
    ],
)
def test_derivatives_in_shapes_at_extreme_values(name, args, number):
    minpy.set_default_dtype("float64")
    found = float(minpy.grad(getattr(special, name), number)(*args))
    h = 1e-3 * max(args[number], 1e-2)

    def value(step):
        moved = [a + step * h if i == number else a for i, a in enumerate(args)]
        return getattr(sp, name)(*moved)

    # Five points: an error of the fourth order in h.
    slope = (8 * (value(1) - value(-1)) - (value(2) - value(-2))) / (12 * h)
    assert found == pytest.approx(slope, rel=1e-5)


def test_logsumexp_with_signs():
    a, b = normal(4), numpy.array([1.0, -3.0, 0.5, 0.0])
    expected = sp.logsumexp(a, b=b, return_sign=True)
    found = special.logsumexp(a, b=b, return_sign=True)
    numpy.testing.assert_allclose(found[0].asnumpy(), expected[0])
    assert float(found[1]) == expected[1]
    log_size = lambda a, b: special.logsumexp(a, b=b, return_sign=True)[0]  # noqa: E731
    minpy.check_grads(log_size, order=2, tol=1e-5)(a, b)
    assert numpy.isnan(float(special.logsumexp(a, b=-numpy.abs(b))))
    z = normal(3) + 1j * normal(3)
    minpy.check_grads(special.logsumexp, order=2, tol=1e-5)(z)
    assert float(special.logsumexp(np.array([0, 0]))) == pytest.approx(numpy.log(2.0))


def test_calling_conventions_of_ufuncs():
    x = np.array([0.5, -1.0])
    out = np.zeros(2)
    assert special.erf(x, out=out) is out
    assert special.erf(x, where=numpy.array([True, False]), out=np.ones(2))[1] == 1.0
    g = minpy.grad(lambda x: np.sum(special.gammaln(x, where=x > 0, out=np.zeros(2))))(x)
    numpy.testing.assert_allclose(g.asnumpy(), [sp.psi(0.5), 0.0], rtol=1e-6)
    assert special.erf.nin == 1
    assert special.beta.outer(x, x).shape == (2, 2)
    assert special.erf(x).dtype == x.dtype  # single precision stays it
    assert special.jv(1, x).dtype == x.dtype


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda v: special.jv(v, 1.0), "special.jv"),
        (lambda x: special.zeta(x, 1.0), "special.zeta"),
        (lambda n: special.polygamma(n, 1.0), "special.polygamma"),
    ],
)
def test_a_parameter_without_a_rule_is_an_error_and_not_zero(call, name):
    message = f"{name} has no derivative with respect to its argument"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(NoDerivativeError, match=message):
            minpy.grad(call)(1.5)


@pytest.mark.usefixtures("by_program_and_by_graph")
@pytest.mark.parametrize("name", ["erf", "erfinv", "gamma", "expit"])
def test_what_mxnet_has_is_compiled(name):
    pytest.importorskip("mxnet")
    function = getattr(special, name)
    x = numpy.linspace(0.05, 0.95, 7).astype("float32")
    for dtype in ("float32", "float64"):
        with minpy.policy.use_policy("only_mxnet"):
            found = function(np.array(x.astype(dtype)))
        expected = getattr(sp, name)(x.astype(dtype))
        numpy.testing.assert_allclose(found.asnumpy(), expected, rtol=2e-6)
    compiled = minpy.jit(lambda x: function(x) * 2.0)
    numpy.testing.assert_allclose(
        compiled(np.array(x)).asnumpy(), 2 * getattr(sp, name)(x), rtol=2e-6
    )


def test_shapes_too_far_apart_for_the_series_are_an_error():
    with pytest.raises(NoDerivativeError, match="the shapes are too far apart"):
        minpy.grad(lambda a: special.betainc(a, 0.5, 1.0 - 1e-7))(1e8)
    # Far beyond the middle it is constant, however many terms that would take.
    assert float(minpy.grad(lambda a: special.gammainc(a, 1e9))(2.0)) == 0.0


def test_without_scipy_the_error_says_what_to_install(monkeypatch):
    real_import = importlib.import_module

    def fail(name, *args):
        if name.startswith("scipy"):
            raise ImportError("No module named 'scipy'")
        return real_import(name, *args)

    monkeypatch.setattr(importlib, "import_module", fail)
    monkeypatch.setattr(special.erf.kernel, "_found", None)
    with pytest.raises(ImportError, match=r"special\.erf needs SciPy.*pip install scipy"):
        special.erf(0.5)


def test_importing_minpys_scipy_does_not_import_scipy():
    import subprocess
    import sys

    program = "import minpy.scipy, sys; print('scipy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip() == "False", done.stderr
