"""A call gives what NumPy gives whichever way it takes: kernels, devices, under a derivative.

What runs a call depends on the policy, on where the arrays lie and on whether a derivative is
taken. These expressions are at the edges, where one way hands over to another or refuses.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import numpy
import pytest
from numpy_expressions import ARRAYS, TOOLS
from test_numpy_expressions import evaluate

import minpy
import minpy.numpy as np
from minpy import runtime
from minpy.context import cpu
from minpy.errors import NoDerivativeError, PolicyError
from minpy.policy import use_policy

# By topic, in the names of numpy_expressions.py: A, B, P vectors, X 3x3, I, J, U integers, K
# booleans, Z complex, E of shape (0, 3).
EXPRESSIONS: dict[str, list[str]] = {
    "averages": [
        "np.average(X, weights=A)",
        "np.average(X, axis=0, weights=X[0:2])",
        "np.average(X, axis=0, weights=[1.0, 2.0])",
        "np.average(A, weights=[1.0, -1.0, 0.0])",
        "np.var(A, ddof=3)",
        "np.var(A[0], ddof=0)",
        "np.mean(E, -1)",
        "np.nansum(I)",
        "np.nanmean(I)",
        "np.argmax(E, 0)",
        "np.argmax(E, 1)",
        "np.cov(A, ddof=1.5)",
        "np.cov(np.ones((2, 2, 2)))",
        "np.cov(X, aweights=P[:3], ddof=0)",
        "np.cov(X, aweights=P[:3], ddof=1)",
        "np.corrcoef(A)",
        "np.nanpercentile(np.array([[1.0, 2.0, 4.0], [np.nan, np.nan, np.nan]]), 30, axis=1)",
        "np.percentile(np.array([[1.0, 2.0, 4.0], [np.nan, 1.0, 3.0]]), 30, axis=1)",
        "np.histogram_bin_edges(E)",
        "np.argsort(A, 5)",
    ],
    "differences": [
        "np.diff(A, 0)",
        "np.diff(A, -1)",
        "np.diff(A[0])",
        "np.gradient(X, A, A, A)",
        "np.trapz(X, X)",
        "np.trapz(X, X, axis=0)",
        "np.cross(P, P)",
        "np.inner(A, 2.0)",
    ],
    "polynomials": [
        "np.polyadd(A, B)",
        "np.polydiv([1.0, 5.0, 8.0, 4.0], A * 0 + np.array([1.0, 3.0, 2.0]))",
        "np.polydiv(np.array([1.0, 3.0, 2.0]) + 0 * A, [1.0, 1.0])",
        "np.poly(Z)",
        "np.polyfit(P[:3], A, 1, rcond=1e-9)",
        "np.vander(X)",
    ],
    "products": [
        "np.convolve(A[:0], A)",
        "np.convolve(A, A[:0])",
        "np.convolve(X, A)",
        "np.convolve(A, B, 'other')",
        "np.einsum('i,i', A)",
        "np.einsum('ijk->i', X)",
        "np.einsum('ij->j', E)",
        "np.einsum('i,i', A, A[:1])",
        "np.einsum('i->ii', A)",
        "np.einsum('i->j', A)",
        "np.einsum('i,i', A, B, dtype='float32', casting='unsafe')",
        "np.linalg.matrix_power(E, 2)",
        "np.linalg.multi_dot([X])",
        "np.linalg.multi_dot([X, A])",
        "np.linalg.multi_dot([X, X[None], X])",
        "np.linalg.norm(A, 'fro')",
        "np.linalg.norm(np.ones((2, 2, 2)) * A[0], 2)",
        "np.linalg.norm(X, axis=(1, 1))",
        "np.linalg.norm(X, 7)",
    ],
    "making": [
        "np.array(A)",
        "np.array(A, order='F')",
        "np.array(X, order='F')",
        "np.array(X, order='other')",
        "np.array(X, order=A)",
        "np.array(X, order=None)",
        "np.full_like(A, 1.0, dtype=A)",
        "np.arange(0, 3, 1, 'float32')",
        "np.meshgrid(A, B, indexing='zz')",
        "np.meshgrid(A, B, copy=False)",
        "np.meshgrid(A, B, copy=False, indexing='ij')",
        "np.r_[A, 0.5, B]",
        "np.r_[A, 0:3]",
        "np.r_['0,2', A, B]",
        "np.r_[A]",
        "np.c_[A, B]",
        "np.c_[A]",
    ],
    "elementwise": [
        "np.clip(A, 2.0, 1.0)",
        "np.clip(A, np.nan, 1.0)",
        "np.clip(A, 0.0, 1.0, out=(A.copy(),))",
        "np.clip(A.astype('float16'), -1e30, 1e30)",
        "np.where(K, 1, 2)",
        "np.where(K, 1.5, 2)",
        "np.where(K, np.float32(1), 2.0)",
        "np.where(K, A.astype('float32'), 1e300)",
        "np.where(K, I, 0.5)",
        "A.astype('complex64')",
        "A.astype('int32') * A",
        "np.add(A, B, out=(None, None))",
        "np.exp(A, dtype='complex128')",
        "np.multiply(I, 2, dtype='float64')",
        "np.add.reduce(X, dtype='float32')",
        "np.add.reduce(I, dtype='float64')",
        "did(np.add.at, A, [0, 0], 1.0)",
        "did(np.negative.at, A, [2])",
    ],
    "reading": [
        "X[I[:0]]",
        "X[:, I[:0]]",
        "X[K[:0]]",
        "X[7]",
        "X[0, 0, 0]",
        "X[I]",
        "X[[0, -1]]",
        "X[..., None, ...]",
        "E[I[:0]]",
        "E[[0]]",
        "np.take(A[0], [0, 0])",
        "np.take(A, I[:0])",
        "np.take(E, I, 1)",
        "np.take(E, [0, 2], 1)",
        "np.take(X, A)",
        "np.take(X, [1, 2], 5)",
        "np.take(X, 1, 1)",
        "np.take_along_axis(X, J[:1, None], 5)",
        "np.take_along_axis(X, I % 3, 1)",
        "np.take_along_axis(X, I[:1, None] % 3, 1)",
        "np.take_along_axis(X, X, 1)",
        "np.take_along_axis(X, X.astype(int)[:, :0], 1)",
        "np.choose([0, 5, 1], [A, B])",
        "np.choose(I, [A, B], mode='wrap')",
        "np.choose(I, [A, B], mode='clip')",
        "np.select([], [])",
        "np.select([A], [A])",
        "np.select([K, ~K], [A, B], 0.25)",
    ],
    "writing": [
        "did(np.put, X, [7, -99, 20], A, mode='clip')",
        "did(np.put, X, [7, -5, 10], A, mode='wrap')",
        "did(np.put, X, [7, 9], A)",
        "did(np.put, X, [], A)",
        "did(np.place, X, X > 99, A)",
        "did(np.place, X, X > 0, A)",
        "did(np.putmask, X, X > 99, A)",
        "did(np.copyto, A, Z)",
        "did(np.copyto, I, A)",
        "did(np.copyto, A, B, where=K)",
        "did(np.put_along_axis, X, np.array([0, 4, 8]), A, None)",
        "did(np.put_along_axis, X, np.array([[0], [2], [1]]), 9.0, 1)",
        "did(lambda x: x.__setitem__(slice(None, None, -1), A), X)",
        "did(lambda x: x.__setitem__(slice(2, 2), A), X)",
        "did(lambda x: x.__setitem__((slice(None), [1, 1]), A[:2]), X)",
        "did(lambda x: x.__setitem__(slice(0, 2), A.astype('float32')), X)",
        "did(lambda x: x.__setitem__(0, A[None]), X)",
        "did(lambda x: x.__setitem__([0, 2], (X * 2)[None, :2]), X)",
        "did(lambda x: x.__setitem__([], A), X)",
        "did(lambda x: x.__setitem__(9, A), X)",
        "did(lambda x: x.__setitem__((0, 0, 0), 1.0), X)",
        "did(lambda x: x.__setitem__(slice(I[1], I[0]), 0.5), X)",
        "did(lambda x: x.put([0], 3.0), A)",
        "did(lambda x: x.itemset(1, 5.0), A)",
        "did(lambda x: x.itemset(5, 5.0), X)",
        "did(lambda x: x.itemset((1, 2), 5.0), X)",
        "did(lambda x: x.itemset(1, 2, 5.0), X)",
        "did(lambda x: x.itemset(5.0), A[0:1].reshape(()))",
    ],
    "shapes": [
        "np.reshape(X, (-2, 3))",
        "np.reshape(X, (-2, -1))",
        "np.ravel(X, 'K')",
        "np.ravel(X.T, 'K')",
        "np.ravel(X.T, 'A')",
        "np.ravel(X, 'F')",
        "np.reshape(X.T, 9, order='A')",
        "np.flip(E)",
        "np.flip(X, 5)",
        "np.flip(X, ())",
        "np.tril(E)",
        "np.tril(A)",
        "np.concatenate([A, B], dtype='float32')",
        "np.stack([A, B], dtype='float32')",
        "np.stack([A, B], out=np.zeros((2, 3)), dtype='float64')",
        "np.repeat(A[0], 3)",
        "np.resize(A[0], (2, 2))",
        "np.tile(A, 0)",
        "np.tile(A, ())",
        "np.tile(E, 2)",
        "np.block([A, ()])",
        "np.block([])",
        "np.block([[A], []])",
        "np.block((A,))",
        "np.pad(A, 1, 'linear_ramp')",
        "np.pad(A, 2, 'reflect', reflect_type='odd')",
        "np.pad(A, 1, constant_values=(1, 2))",
        "np.pad(A, 1, constant_values=2)",
        "np.pad(A, -1)",
        "np.pad(E, 1)",
    ],
    "parts": [
        "np.apply_over_axes(lambda a, i: np.sum(a, i, keepdims=True), X, [0, 1])",
        "np.apply_over_axes(lambda a, i: np.sum(a, i), X, 0)",
        "np.apply_over_axes(lambda a, i: a[None, None], X, 0)",
        "np.piecewise(A, [A > 99, A <= 99], [np.sin, np.cos])",
        "np.piecewise(A, [A > 0], [np.sin, np.cos, np.tan])",
    ],
    "methods": [
        "I.byteswap()",
        "did(lambda x: x.byteswap(True), I)",
        "A.compress(K)",
        "X.compress(K, 1)",
        "X.flatten()",
        "X.flatten('F')",
        "X.T.flatten('A')",
        "np.asarray(X.flat)",
        "np.asarray(X.flat, 'float32')",
        "np.asarray(X.flat[1:3])",
        "did(lambda x: (x.setflags(write=False), x.__setitem__(0, 1.0)), A)",
        "A ** np.array([2, 1, 3])",
        "A ** (2, 1, 3)",
        "2.0 ** A",
        "A < np.array(['a', 'b', 'c'])",
        "A == 'a text'",
        "A != 'a text'",
        "X == None",
        "A == [1.25, 0.0, 3.5]",
    ],
}
CASES = [text for texts in EXPRESSIONS.values() for text in texts]

# Arrays on a device lie in C order, views of others too.
_IN_MEMORY_ORDER = {"np.ravel(X.T, 'K')", "np.ravel(X.T, 'A')", "X.T.flatten('A')"}
_IN_MEMORY_ORDER |= {"np.reshape(X.T, 9, order='A')"}


def leaves(value: Any) -> list[Any]:
    if isinstance(value, list | tuple):
        return [leaf for part in value for leaf in leaves(part)]
    return [value]


def assert_same(found: Any, expected: Any) -> None:
    if isinstance(expected, Exception):
        kind = next(c for c in type(expected).__mro__ if not c.__name__.startswith("_UFunc"))
        assert isinstance(found, TypeError if kind.__name__ == "UFuncTypeError" else kind), found
        return
    assert not isinstance(found, Exception), repr(found)
    for f, e in zip(leaves(found), leaves(expected), strict=True):
        if isinstance(e, numpy.ndarray | numpy.generic):
            assert (f.shape, f.dtype) == (e.shape, e.dtype)
            rtol = 1e-5 if e.dtype == "float32" else 1e-12
            numpy.testing.assert_allclose(f.asnumpy(), e, rtol=rtol, atol=rtol)
        else:
            assert f == e


def policy(name: str) -> Callable[[], contextlib.AbstractContextManager]:
    return lambda: use_policy(name)


WAYS = {
    "as it comes": contextlib.nullcontext,
    "only_numpy": policy("only_numpy"),
    "prefer_mxnet": policy("prefer_mxnet"),
    "only_mxnet": policy("only_mxnet"),
    "a device": lambda: cpu(1),
}


@pytest.mark.parametrize("expression", CASES)
def test_a_call_equals_numpy_by_every_way(expression):
    minpy.set_default_dtype("float64")
    expected = evaluate(expression, numpy)
    for name, way in WAYS.items():
        if name not in ("as it comes", "only_numpy") and not runtime.available():
            continue
        if name == "a device" and expression in _IN_MEMORY_ORDER:
            continue
        with way():
            found = evaluate(expression, np)
        if name == "only_mxnet" and isinstance(found, PolicyError):
            continue
        assert_same(found, expected)


def floats(value: Any) -> list[Any]:
    kinds = [(v, getattr(getattr(v, "dtype", None), "kind", "")) for v in leaves(value)]
    return [v for v, kind in kinds if kind and kind in "fc"]


@pytest.mark.parametrize("expression", CASES)
def test_a_call_equals_numpy_under_a_derivative(expression):
    minpy.set_default_dtype("float64")
    expected = evaluate(expression, numpy)
    names = [name for name, value in ARRAYS.items() if value.dtype.kind in "fc"]
    constants = {n: np.array(v) for n, v in ARRAYS.items() if n not in names}

    def function(*given: Any) -> list[Any]:
        arrays = dict(zip(names, given, strict=True))
        return floats(eval(expression, {"np": np, **constants, **arrays, **TOOLS}))

    points = [np.array(ARRAYS[name]) for name in names]
    try:
        with numpy.errstate(all="ignore"):
            _, found = minpy.make_vjp(function, range(len(names)))(*points)
    except NoDerivativeError:
        return
    except Exception as error:
        assert_same(error, expected)
        return
    assert_same(found, expected if isinstance(expected, Exception) else floats(expected))
