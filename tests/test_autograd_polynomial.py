"""The functions of ``numpy.polynomial``'s six families have derivatives of any order."""

from __future__ import annotations

import importlib
import pickle
import subprocess
import sys

import numpy
import pytest

import minpy
import minpy.numpy as np
from minpy.errors import NoDerivativeError

FAMILIES = {
    "polynomial": "poly",
    "chebyshev": "cheb",
    "legendre": "leg",
    "hermite": "herm",
    "hermite_e": "herme",
    "laguerre": "lag",
}
_rng = numpy.random.default_rng(17)
A, B, P = numpy.array([1.25, -2.0, 3.5]), numpy.array([0.5, 2.0, -1.0, 0.75]), _rng.random(5)
X, Y = _rng.random(4) * 0.8, _rng.random(4) * 0.8
C2, C3 = _rng.normal(size=(3, 2)), _rng.normal(size=(2, 3, 2))
R = numpy.array([0.4, -1.1, 2.3])

# What to call with f, a function that finds a function by the family's name in front of it.
CALLS = {
    "add": (lambda f, a, b: f("{}add")(a, b), A, B),
    "sub": (lambda f, a, b: f("{}sub")(a, b), A, B),
    "mul": (lambda f, a, b: f("{}mul")(a, b), A, B),
    "mulx": (lambda f, a: f("{}mulx")(a), A),
    "quotient": (lambda f, a, b: f("{}div")(b, a)[0], A, B),
    "remainder": (lambda f, a, b: f("{}div")(b, a)[1], A, B),
    "quotient by a number": (lambda f, a, b: f("{}div")(b, a[:1])[0], A, B),
    "remainder alone": (lambda f, a, b: f("{}div")(a, b)[1], A, B),
    "pow": (lambda f, a: f("{}pow")(a, 3), A),
    "der": (lambda f, b: f("{}der")(b, 2, 1.5), B),
    "der along an axis": (lambda f, c: f("{}der")(c, axis=1), C3),
    "der of nothing left": (lambda f, c: f("{}der")(c, 7), B),
    "int": (lambda f, b, k: f("{}int")(b, 2, [k[0], k[1]], 0.5, 2.0), B, A),
    "int along an axis": (lambda f, c: f("{}int")(c, axis=-1, k=3.0), C3),
    "val": (lambda f, x, c: f("{}val")(x, c), X, B),
    "val of several": (lambda f, x, c: f("{}val")(x, c), X, C2),
    "val each": (lambda f, x, c: f("{}val")(x, c, tensor=False), X[:2], C2),
    "val2d": (lambda f, x, y, c: f("{}val2d")(x, y, c), X, Y, C2),
    "val3d": (lambda f, x, y, c: f("{}val3d")(x, y, x * y, c), X, Y, C3),
    "grid2d": (lambda f, x, y, c: f("{}grid2d")(x, y, c), X, Y[:3], C2),
    "grid3d": (lambda f, x, y, c: f("{}grid3d")(x, y, x[:2], c), X, Y[:3], C3),
    "vander": (lambda f, x: f("{}vander")(x, 3), X),
    "vander of constants": (lambda f, x: f("{}vander")(x, 0) * x[:, None], X),
    "vander2d": (lambda f, x, y: f("{}vander2d")(x, y, [1, 2]), X, Y),
    "vander3d": (lambda f, x, y: f("{}vander3d")(x, y, x + y, (1, 1, 2)), X, Y),
    "fromroots": (lambda f, r: f("{}fromroots")(r), R),
    "roots": (lambda f, r: f("{}roots")(f("{}fromroots")(r) * 1.5), R),
    "roots of coefficients": (lambda f, c: f("{}roots")(c), A * [1, 3, 1]),
    "companion": (lambda f, b: f("{}companion")(b), B),
    "companion of a line": (lambda f, b: f("{}companion")(b[:2]), B),
    "line": (lambda f, a: f("{}line")(a[0], a[1]), A),
    "trim": (lambda f, b: f("{}trim")(b, 0.9), B),
    "weight": (lambda f, x: f("{}weight")(x) * x, X),
    "to powers": (lambda f, b: f("{}2poly")(b), B),
    "from powers": (lambda f, b: f("poly2{}")(b), B),
    "fit": (lambda f, x, y: f("{}fit")(x + np.arange(4.0), y, 2), X, Y),
    "weighted fit": (lambda f, x, y: f("{}fit")(x + np.arange(4.0), y, [0, 2], w=y + 1.0), X, Y),
    "valfromroots": (lambda f, x, r: f("{}valfromroots")(x, r), X, R),
    "valfromroots each": (
        lambda f, x, r: f("{}valfromroots")(x[:2], r[:, None] * np.ones(2), tensor=False),
        *(X, R),
    ),
}


def found_in(module, name):
    package = importlib.import_module(f"{module}.polynomial.{name}")
    return lambda form: getattr(package, form.format(FAMILIES[name]))


def exists(name, what):
    missing = {"valfromroots", "valfromroots each"} if name != "polynomial" else set()
    return what not in missing | ({"to powers", "from powers", "weight"} & {*_absent(name)})


def _absent(name):
    return ("to powers", "from powers", "weight") if name == "polynomial" else ()


_CASES = [(name, what) for name in FAMILIES for what in CALLS if exists(name, what)]


@pytest.mark.parametrize(("name", "what"), _CASES)
def test_values_and_derivatives(name, what):
    minpy.set_default_dtype("float64")
    call, *arrays = CALLS[what]
    given = [np.array(a) for a in arrays]
    ours, theirs = found_in("minpy.numpy", name), found_in("numpy", name)
    expected = call(theirs, *arrays)
    argnums = tuple(range(len(given)))
    tracked = minpy.make_vjp(lambda *a: call(ours, *a), argnums)(*given)[1]
    assert tracked.shape == expected.shape
    numpy.testing.assert_allclose(tracked.asnumpy(), expected, rtol=1e-9, atol=1e-9)
    minpy.check_grads(lambda *a: call(ours, *a) * 1.0, modes=["rev", "fwd"], order=2)(*given)


def test_single_precision_stays_single():
    c, x = np.array(B, "float32"), np.array(X, "float32")
    for name in FAMILIES:
        val = found_in("minpy.numpy", name)("{}val")
        assert minpy.grad(lambda c, val=val: np.sum(val(x, c)))(c).dtype == numpy.float32
        assert minpy.make_vjp(lambda c, val=val: val(x, c))(c)[1].dtype == numpy.float32


@pytest.mark.parametrize("name", FAMILIES)
def test_errors_are_numpys_where_a_derivative_is_taken(name):
    minpy.set_default_dtype("float64")
    ours = found_in("minpy.numpy", name)
    for function, kind in [
        (lambda c: ours("{}pow")(c, 99), ValueError),
        (lambda c: ours("{}pow")(c, -1), ValueError),
        (lambda c: ours("{}div")(c, c * 0.0), ZeroDivisionError),
        (lambda c: ours("{}add")(c[:, None], c), ValueError),
        (lambda c: ours("{}add")(c[:0], c), ValueError),
        (lambda c: ours("{}val2d")(c, c[:2], np.ones((2, 2))), ValueError),
        (lambda c: ours("{}companion")(c[:1]), ValueError),
        (lambda c: ours("{}fit")(c, c, -1), ValueError),
        (lambda c: ours("{}fit")(c, c, 1, full=True)[0], NoDerivativeError),
        (lambda c: ours("{}int")(c, lbnd=c[0]), NoDerivativeError),
        (lambda c: ours("{}der")(c, scl=c[0]), NoDerivativeError),
    ]:
        with pytest.raises(kind):
            minpy.grad(lambda c, function=function: np.sum(function(c)))(np.array(A))


def test_zeros_at_the_end_have_no_derivative_and_a_zero_series_stays_one():
    minpy.set_default_dtype("float64")
    add, mulx = np.polynomial.chebyshev.chebadd, np.polynomial.chebyshev.chebmulx
    cheb_trim, roots = np.polynomial.chebyshev.chebtrim, np.polynomial.chebyshev.chebroots
    c = np.array([1.0, 2.0, 0.0])
    assert minpy.grad(lambda c: np.sum(add(c, c)))(c).tolist() == [2, 2, 0]
    assert minpy.make_vjp(lambda c: mulx(c[2:]))(c)[1].tolist() == [0]
    assert minpy.make_vjp(lambda c: cheb_trim(c * 1.0, 5.0))(c)[1].tolist() == [0]
    assert minpy.make_vjp(lambda c: roots(c[:1]))(c)[1].shape == (0,)
    line, power = np.polynomial.chebyshev.chebline, np.polynomial.chebyshev.chebpow
    assert minpy.make_vjp(lambda c: line(c[0], 0.0))(c)[1].tolist() == [1]
    assert minpy.grad(lambda c: np.sum(power(c, 0)))(c).tolist() == [0, 0, 0]


def test_functions_pickle_where_their_module_was_not_imported():
    function = pickle.dumps(np.polynomial.legendre.legval)
    vander = pickle.dumps(np.polynomial.legendre.legvander)
    program = (
        "import pickle, minpy.numpy as np; "
        f"print(pickle.loads({function!r})(0.5, [1.0, 2.0]), pickle.loads({vander!r})(0.5, 1))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.split() == ["2.0", "[[1.", "0.5]]"], done.stderr
