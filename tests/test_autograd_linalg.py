"""Linear algebra: derivatives of real and complex matrices, stacks, singular and empty ones."""

from __future__ import annotations

import warnings
from typing import Any

import numpy
import pytest

import minpy
import minpy.numpy as np
from minpy.errors import NoDerivativeError

L = np.linalg
_rng = numpy.random.default_rng(5)


def real(*shape: int) -> numpy.ndarray:
    return _rng.normal(size=shape)


def cplx(*shape: int) -> numpy.ndarray:
    return real(*shape) + 1j * real(*shape)


def well(*shape: int) -> numpy.ndarray:
    return real(*shape) + 3.0 * numpy.eye(shape[-2], shape[-1])


def hermitian(a: Any) -> Any:
    return (a + np.conj(np.swapaxes(a, -1, -2))) * 0.5


def positive(a: Any) -> Any:
    return np.matmul(a, np.conj(np.swapaxes(a, -1, -2))) + 3.0 * numpy.eye(a.shape[-1])


def floats(parts: Any) -> list[Any]:
    return [p for p in parts if p.dtype.kind in "fc"]


def sizes(parts: Any, which: tuple[int, ...]) -> list[Any]:
    """Take the absolute value of vectors that are known up to a factor of size one."""
    return [np.absolute(p) if i in which else p for i, p in enumerate(parts)]


def thin_svd(a: Any) -> Any:
    return L.svd(a, full_matrices=False)


def rebuilt(a: Any) -> Any:
    u, s, vh = thin_svd(a)
    return np.matmul(u * s[..., None, :], vh)


CASES = {
    "inv complex": (L.inv, cplx(2, 3, 3)),
    "det complex": (L.det, cplx(2, 3, 3)),
    "slogdet complex": (lambda a: list(L.slogdet(a)), cplx(2, 3, 3)),
    "solve complex": (L.solve, cplx(3, 3), cplx(3, 2)),
    "solve of a stack and one": (L.solve, well(2, 3, 3), cplx(1, 3, 2)),
    "pinv complex": (L.pinv, cplx(2, 4, 2)),
    "pinv hermitian": (lambda a: L.pinv(hermitian(a), hermitian=True), cplx(3, 3)),
    "pinv of a stack": (L.pinv, real(2, 2, 3)),
    "eig to complex": (lambda a: list(L.eig(a)), numpy.diag([1.0, 2.0], 1) + real(3, 3)),
    "eig to real": (lambda a: list(L.eig(a)), real(3, 3) * 0.1 + numpy.diag([1.0, 3.0, 5.0])),
    "eig complex": (lambda a: list(L.eig(a)), cplx(2, 3, 3)),
    "eigvals": (L.eigvals, real(2, 3, 3)),
    "eigvals complex": (L.eigvals, cplx(3, 3)),
    "eigvalsh complex": (lambda a: L.eigvalsh(hermitian(a)), cplx(2, 3, 3)),
    "eigh complex": (lambda a: sizes(L.eigh(hermitian(a)), (1,)), cplx(3, 3)),
    "cholesky complex": (lambda a: L.cholesky(positive(a)), cplx(2, 3, 3)),
    "svd complex": (lambda a: sizes(thin_svd(a), (0, 2)), cplx(4, 3)),
    "svd rebuilt": (rebuilt, cplx(2, 3, 4)),
    "svd hermitian": (lambda a: L.svd(hermitian(a), compute_uv=False, hermitian=True), cplx(3, 3)),
    "qr complex": (lambda a: list(L.qr(a)), cplx(4, 3)),
    "qr wide complex": (lambda a: list(L.qr(a)), cplx(2, 4)),
    "qr complete and square": (lambda a: list(L.qr(a, mode="complete")), real(3, 3)),
    "matrix_power complex": (lambda a: L.matrix_power(a, -3), cplx(3, 3)),
    "multi_dot complex": (lambda *a: L.multi_dot(a), cplx(2, 3), cplx(3, 4), cplx(4, 2)),
    "tensorinv": (L.tensorinv, real(4, 6, 8, 3)),
    "tensorinv of one index": (lambda a: L.tensorinv(a, ind=1), real(6, 3, 2)),
    "tensorsolve": (L.tensorsolve, real(3, 2, 6), real(3, 2)),
    "tensorsolve by axes": (lambda a, b: L.tensorsolve(a, b, axes=(0, 2)), real(2, 6, 3), real(6)),
    "norm complex, p": (lambda a: L.norm(a, 3), cplx(4)),
    **{
        f"norm complex, {o}": (lambda a, o=o: L.norm(a, o), cplx(3, 3))
        for o in (None, "fro", "nuc", 1, -1, 2, -2, numpy.inf, -numpy.inf)
    },
    **{
        f"cond {p}": (lambda a, p=p: L.cond(a, p), well(3, 3))
        for p in (None, 2, -2, "fro", "nuc", 1, -1, numpy.inf, -numpy.inf)
    },
    "cond of a stack": (L.cond, real(2, 3, 4)),
    **{
        f"lstsq {m}x{n}, {b}": (
            lambda a, b: floats(L.lstsq(a, b, rcond=None)),
            real(m, n),
            real(*b),
        )
        for m, n in ((4, 3), (3, 4), (3, 3))
        for b in ((m,), (m, 2))
    },
    "lstsq complex": (lambda a, b: floats(L.lstsq(a, b, rcond=1e-10)), cplx(4, 3), cplx(4)),
    # where there is no inverse
    "det of rank n - 1": (L.det, real(3, 2) @ real(2, 3)),
    "det of rank 1": (L.det, real(4, 1) @ real(1, 4)),
    "det of zeros": (L.det, numpy.zeros((3, 3))),
    "det of zeros, 1x1": (L.det, numpy.zeros((1, 1))),
    "det of a stack with zeros": (L.det, numpy.stack([numpy.zeros((3, 3)), real(3, 3)])),
    # empty
    "det of 0x0": (L.det, numpy.zeros((0, 0))),
    **{
        f"{name} of {shape}": (getattr(L, name), numpy.zeros(shape))
        for name, shape in (
            ("inv", (0, 0)),
            ("inv", (0, 3, 3)),
            ("det", (0, 3, 3)),
            ("cholesky", (0, 0)),
            ("cholesky", (0, 3, 3)),
            ("eigvalsh", (0, 0)),
            ("eigvalsh", (0, 2, 2)),
            ("pinv", (0, 3)),
            ("norm", (0,)),
            ("norm", (0, 3)),
        )
    },
    "solve of 0x0": (L.solve, numpy.zeros((0, 0)), numpy.zeros((0, 2))),
    "svd of 0x3": (lambda a: list(thin_svd(a)), numpy.zeros((0, 3))),
    "qr of 3x0": (lambda a: list(L.qr(a)), numpy.zeros((3, 0))),
}


@pytest.mark.parametrize("name", CASES)
def test_agrees_with_finite_differences_in_both_modes_to_second_order(name):
    function, *args = CASES[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        minpy.check_grads(function, order=2, tol=5e-5, rtol=5e-5)(*args)


@pytest.mark.parametrize(
    ("name", "args", "kwargs"),
    [
        ("eig", (real(3, 3),), {}),
        ("eigvals", (real(2, 3, 3),), {}),
        ("lstsq", (real(4, 3), real(4)), {"rcond": None}),
        ("lstsq", (real(4, 2) @ real(2, 3), real(4, 2)), {"rcond": 1e-10}),
        ("tensorinv", (real(6, 3, 2),), {"ind": 1}),
        ("tensorsolve", (real(2, 6, 3), real(6)), {"axes": (0, 2)}),
        ("cond", (real(2, 3, 3),), {}),
        ("cond", (real(3, 3), 1), {}),
    ],
)
def test_values_are_numpys(name, args, kwargs):
    minpy.set_default_dtype("float64")
    expected = getattr(numpy.linalg, name)(*args, **kwargs)
    plain = getattr(L, name)(*[np.array(a) if hasattr(a, "shape") else a for a in args], **kwargs)
    taped: list[Any] = []

    def f(x):
        taped.append(getattr(L, name)(x, *args[1:], **kwargs))
        return np.sum(x)

    minpy.grad(f)(args[0])
    for found in (plain, taped[0]):
        pairs = (
            zip(found, expected, strict=True)
            if isinstance(expected, tuple)
            else [(found, expected)]
        )
        for a, b in pairs:
            numpy.testing.assert_allclose(numpy.asarray(a), b, rtol=1e-9, atol=1e-12)


def test_the_least_squares_solution_of_deficient_rank_moves_at_constant_rank():
    u, v, b = real(5, 2), real(2, 3), real(5)

    def solution(u, v):
        return L.lstsq(np.dot(u, v), b, rcond=1e-10)[0]

    minpy.check_grads(solution, order=2, tol=1e-4, rtol=1e-4)(u, v)


def test_the_gradient_of_a_singular_determinant_is_the_matrix_of_cofactors():
    found = minpy.grad(L.det)(numpy.diag([2.0, 0.0, 3.0]))
    assert found.tolist() == numpy.diag([0.0, 6.0, 0.0]).tolist()


def test_repeated_eigenvalues_give_no_nan():
    for a in (numpy.eye(3), numpy.zeros((3, 3))):
        for function in (
            lambda a: np.sum(np.absolute(L.eig(a)[1])),
            lambda a: np.sum(L.eigvals(a)),
        ):
            assert numpy.isfinite(minpy.grad(function)(a).asnumpy()).all()


def test_values_of_an_eigen_decomposition_carry_gradients_when_the_vectors_are_not_used():
    a = real(3, 3)
    found = minpy.grad(lambda a: np.sum(np.real(L.eig(a)[0])))(a)
    numpy.testing.assert_allclose(found.asnumpy(), numpy.eye(3), atol=1e-12)


def test_errors_are_numpys():
    x = np.array(real(3, 3))
    for module, value in ((L, x), (numpy.linalg, x.asnumpy())):
        with pytest.raises(ValueError, match="Invalid ind argument"):
            module.tensorinv(value, ind=0)
        with pytest.raises(numpy.linalg.LinAlgError):
            module.tensorsolve(value, value)
        with pytest.raises(numpy.linalg.LinAlgError, match="empty"):
            module.cond(value[:0])
    with pytest.raises(ValueError, match="Invalid ind argument"):
        minpy.grad(lambda x: np.sum(L.tensorinv(x, ind=0)))(x)
    with pytest.raises(numpy.linalg.LinAlgError, match="must satisfy the requirement"):
        minpy.grad(lambda x: np.sum(L.tensorsolve(x, x)))(x)
    with pytest.raises(numpy.linalg.LinAlgError, match="empty"):
        minpy.grad(lambda x: np.sum(L.cond(x[:0])))(x)


@pytest.mark.parametrize(
    ("decompose", "message"),
    [
        (lambda a: np.linalg.svd(a)[1], "full_matrices=False"),
        (lambda a: np.linalg.qr(a, "complete")[1], "use mode 'reduced'"),
    ],
)
def test_vectors_that_are_arbitrary_have_no_derivative(decompose, message):
    tall = np.array(numpy.random.default_rng(0).normal(size=(4, 2)))
    assert decompose(tall).shape in [(2,), (4, 2)]
    with pytest.raises(NoDerivativeError, match=message):
        minpy.grad(lambda a: np.sum(decompose(a)))(tall)
    pushed = minpy.make_jvp(decompose)(tall)
    with pytest.raises(NoDerivativeError, match=message):
        pushed(tall)
