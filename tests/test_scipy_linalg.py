"""Matrix functions and equations of special structure: SciPy's values, and derivatives."""

from __future__ import annotations

import warnings
from typing import Any

import numpy
import pytest

import minpy
import minpy.numpy as np
from minpy.scipy import linalg

sp = pytest.importorskip("scipy.linalg")

_rng = numpy.random.default_rng(23)


def real(*shape: int) -> numpy.ndarray:
    return _rng.normal(size=shape)


def cplx(*shape: int) -> numpy.ndarray:
    return real(*shape) + 1j * real(*shape)


def well(n: int) -> numpy.ndarray:
    return real(n, n) + 3.0 * numpy.eye(n)


def spd(n: int) -> numpy.ndarray:
    a = real(n, n)
    return a @ a.T + numpy.eye(n)


def triangular(name: str, **options: Any) -> Any:
    return lambda xp: lambda a, b: getattr(xp, name)(a, b, **options)


def plain(name: str, *rest: Any) -> Any:
    return lambda xp: lambda *args: getattr(xp, name)(*args, *rest)


CASES: dict[str, tuple] = {
    **{
        f"solve_triangular {trans} {lower} {unit} {b.shape} {a.dtype}": (
            triangular("solve_triangular", trans=trans, lower=lower, unit_diagonal=unit),
            a,
            b,
        )
        for trans, lower, unit, a, b in (
            (0, False, False, well(3), real(3)),
            (0, True, False, well(3), real(3, 2)),
            (1, False, True, well(3), real(3)),
            ("T", True, False, well(3), real(3, 2)),
            (2, False, False, well(3) + 0j, cplx(3)),
            ("C", True, True, well(3) + 1j * real(3, 3), cplx(3, 2)),
            ("N", True, False, well(3), cplx(3)),
        )
    },
    "solve_sylvester": (plain("solve_sylvester"), well(3), well(2), real(3, 2)),
    "solve_sylvester complex": (
        plain("solve_sylvester"),
        well(2) + 1j * real(2, 2),
        well(3) + 0.1j,
        cplx(2, 3),
    ),
    "sqrtm": (plain("sqrtm"), spd(3)),
    "sqrtm complex": (plain("sqrtm"), well(3) + 0.3j * real(3, 3)),
    "sqrtm of a real matrix with a complex root": (
        plain("sqrtm"),
        numpy.diag([1.0, -2.0]) + 0.1 * real(2, 2),
    ),
    "expm": (plain("expm"), real(3, 3)),
    "expm complex": (plain("expm"), 0.5 * cplx(2, 2)),
    **{
        f"solve_banded {below},{above} {b.shape}": (
            lambda xp, bands=(below, above): lambda ab, y: xp.solve_banded(bands, ab, y),
            numpy.concatenate(
                [
                    real(above, 5) * 0.3,
                    numpy.full((1, 5), 3.0) + real(1, 5) * 0.1,
                    real(below, 5) * 0.3,
                ]
            ),
            b,
        )
        for below, above, b in (
            (1, 1, real(5)),
            (2, 1, real(5, 2)),
            (0, 2, real(5)),
            (2, 0, real(5)),
            (4, 4, real(5, 1)),
            (0, 0, real(5)),
        )
    },
    "solve_banded complex": (
        lambda xp: lambda ab, b: xp.solve_banded((1, 1), ab, b),
        numpy.array([[0.3] * 4, [3.0] * 4, [0.2] * 4]) + 0.1 * cplx(3, 4),
        cplx(4),
    ),
    "cho_solve lower": (lambda xp: lambda c, b: xp.cho_solve((c, True), b), well(3), real(3)),
    "cho_solve upper": (lambda xp: lambda c, b: xp.cho_solve((c, False), b), well(3), real(3, 2)),
    "cholesky": (lambda xp: lambda a: xp.cholesky((a + a.T) / 2), spd(3)),
    "cholesky lower": (lambda xp: lambda a: xp.cholesky((a + a.T) / 2, lower=True), spd(3)),
    "a Gaussian process": (
        lambda xp: lambda k, y: xp.cho_solve(xp.cho_factor((k + k.T) / 2, lower=True), y),
        spd(3),
        real(3),
    ),
}


@pytest.fixture(autouse=True)
def _double():
    minpy.set_default_dtype("float64")


@pytest.mark.parametrize("name", CASES)
def test_values_are_scipys(name):
    make, *args = CASES[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = make(sp)(*args)
    found = make(linalg)(*[np.array(a) for a in args])
    numpy.testing.assert_allclose(found.asnumpy(), expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name", CASES)
def test_agrees_with_finite_differences_in_both_modes_to_second_order(name):
    make, *args = CASES[name]
    minpy.check_grads(make(linalg), order=2, tol=2e-5, rtol=2e-5)(*args)


@pytest.mark.parametrize(
    "name", [n for n in CASES if n.split()[0] in ("solve_sylvester", "sqrtm", "solve_triangular")]
)
def test_gradients_are_those_of_hips(name):
    hips = pytest.importorskip("autograd")
    anp = pytest.importorskip("autograd.numpy")
    theirs = pytest.importorskip("autograd.scipy.linalg")
    make, *args = CASES[name]
    if any(numpy.iscomplexobj(a) for a in args) or "complex root" in name:
        pytest.skip("HIPS autograd has the rule for real matrices")
    if "True (" in name:
        pytest.skip("HIPS autograd has no rule for unit diagonals")
    for n in range(len(args)):
        found = minpy.grad(lambda *a: np.sum(make(linalg)(*a) ** 3), n)(*args)
        expected = hips.grad(lambda *a: anp.sum(make(theirs)(*a) ** 3), n)(*args)
        numpy.testing.assert_allclose(found.asnumpy(), expected, rtol=1e-8, atol=1e-12)


def test_what_is_not_read_has_gradient_zero():
    g = minpy.grad(lambda a: np.sum(linalg.solve_triangular(a, np.ones(3), lower=True)))(well(3))
    assert (g.asnumpy()[numpy.triu_indices(3, 1)] == 0).all()
    ab = numpy.full((3, 4), 0.2) + numpy.array([[0.0], [2.0], [0.0]])
    g = minpy.grad(lambda ab: np.sum(linalg.solve_banded((1, 1), ab, np.ones(4))))(ab).asnumpy()
    assert g[0, 0] == 0.0 and g[2, 3] == 0.0 and g[0, 1] != 0.0


def test_a_sylvester_equation_of_real_and_complex_matrices_is_solved():
    for a, b, q in ((well(2), well(3), cplx(2, 3)), (well(2), well(3) + 0.1j, real(2, 3))):
        x = linalg.solve_sylvester(a, b, q).asnumpy()
        numpy.testing.assert_allclose(a @ x + x @ b, q, rtol=1e-10, atol=1e-12)


def test_arguments_are_checked():
    with pytest.raises(ValueError, match="expected trans 0, 1, 2, 'N', 'T' or 'C', got X"):
        linalg.solve_triangular(well(2), real(2), trans="X")
    with pytest.raises(ValueError, match="infs or NaNs"):
        linalg.cholesky(numpy.full((2, 2), numpy.nan))
    with pytest.raises(np.linalg.LinAlgError, match="singular"):
        linalg.solve_triangular(numpy.zeros((2, 2)), numpy.ones(2))
