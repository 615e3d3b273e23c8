"""Functions of minpy.numpy in graphs: the values and derivatives are those of the operations."""

from __future__ import annotations

import types
import warnings
from typing import Any

import numpy
import pytest

import minpy
import minpy.numpy as np
from minpy import runtime
from minpy.numpy import mxnet_gather

pytestmark = [
    pytest.mark.skipif(not runtime.available(), reason="mxnet can't be used here"),
    pytest.mark.usefixtures("by_program_and_by_graph"),
]


def some(*shape: int, seed: int = 0) -> Any:
    rng = numpy.random.default_rng([seed, *shape])
    return np.array((rng.random(shape) * 0.8 + 0.1).astype("float32"))


X, M, V = some(2, 3, 4), some(4, 4), some(5)
AT = np.array([2, 0, -1])
ALONG = np.array([[1, -1], [0, 0], [2, 3]])
MASK = numpy.arange(24).reshape(2, 3, 4) % 5 == 0


def write_slices(x):
    x = x * 1
    x[0, 1:] = 0.5
    x[:, 0] += x[:, 1]
    return x


def write_by_arrays(x, v):
    x = x * 1
    x[[0, 3, 0]] = v  # the last of those that write to an element counts
    x[np.array([True, False, True, False, False])] *= 2
    return x


def write_through_views(x):
    x = x * 1
    rows = x.reshape(6, 4)
    rows[2] = rows[1] * 3
    x.T[0] = 1.0
    return x


def cross_entropy(x, labels):
    logs = x - np.log(np.sum(np.exp(x), 1, keepdims=True))
    return -np.mean(logs[np.arange(3), labels])


# Name → function, arguments.
MOVED = {
    "take": (lambda x, i: np.take(x, i, 1), X, AT),
    "take flattened": (np.take, X, AT),
    "take one": (lambda x, i: np.take(x, i, 1), X, np.array(-1)),
    "take listed": (lambda x: np.take(x, [2, 0, -1], 1), X),
    "take wrapped": (lambda x, i: np.take(x, i, 0, mode="wrap"), X, AT),
    "take clipped": (lambda x, i: np.take(x, i, 0, mode="clip"), X, AT),
    "take_along_axis": (lambda x, i: np.take_along_axis(x, i, 1), some(3, 4), ALONG),
    "take_along_axis first": (lambda x, i: np.take_along_axis(x, i, 0), some(4, 2), ALONG),
    "rows": (lambda x: x[np.array([1, 0, 1, -1])], X),
    "rows in two axes": (lambda x: x[[[1, 0], [1, 1]]], X),
    "arrays and slices": (lambda x: x[:, [1, 2], ::2], X),
    "two arrays": (lambda x: x[[0, 1], [2, 0]], X),
    "a mask": (lambda x: x[MASK], X),
    "new axes": (lambda x: x[None, ..., 1, None], X),
    "only a new axis": (lambda x: x[None], X),
    "negative steps": (lambda x: x[::-1, :, ::-2], X),
    "an input as index": (lambda x, i: x[i], V, AT),
    "an input as index of the second axis": (lambda x, i: x[:, i], X, AT),
    "an input among indices": (lambda x, i: x[np.arange(3), i], some(3, 4), AT),
    "an input first": (lambda x, i: x[i, [0, 1, 2]], some(3, 3, 2), AT),
    "one-hot rows": (lambda w, i: np.eye(3)[i] * w, some(3), AT),
    "cross-entropy": (cross_entropy, some(3, 4), AT),
    "flip": (np.flip, X),
    "flip last": (lambda x: np.flip(x, -1), X),
    "fliplr": (np.fliplr, X),
    "flipud": (np.flipud, X),
    "rot90": (lambda x: np.rot90(x, 3), X),
    "roll": (lambda x: np.roll(x, (1, 2), (0, 2)), X),
    "tile": (lambda x: np.tile(x, (2, 1, 2)), X),
    "repeat": (lambda x: np.repeat(x, 2, 1), X),
    "repeat each its times": (lambda x: np.repeat(x, [1, 2], 0), X),
    "delete": (lambda x: np.delete(x, 1, 1), X),
    "insert": (lambda x: np.insert(x, 1, 0.5, 1), X),
    "resize": (lambda x: np.resize(x, (5, 6)), X),
    "moveaxis": (lambda x: np.moveaxis(x, 0, -1), X),
    "rollaxis": (lambda x: np.rollaxis(x, 2), X),
    "expand_dims": (lambda x: np.expand_dims(x, (0, -1)), X),
    "array_split": (lambda x: tuple(np.array_split(x, 3, 2)), X),
    "diagonal": (lambda x: np.diagonal(x, 1), M),
    "diag of a matrix": (np.diag, M),
    "diag of a vector": (lambda x: np.diag(x, 1), V),
    "diagflat": (np.diagflat, V),
    "trace": (np.trace, M),
    "triu": (np.triu, X),
    "tril": (lambda x: np.tril(x, -1), M),
    "pad": (lambda x: np.pad(x, ((1, 0), (0, 2), (0, 0)), constant_values=2.5), X),
    **{
        f"pad {mode}": (lambda x, mode=mode: np.pad(x, ((0, 1), (2, 1), (0, 0)), mode), X)
        for mode in ("edge", "reflect", "symmetric", "wrap")
    },
    "write slices": (write_slices, X),
    "write by arrays": (write_by_arrays, V, some(3)),
    "write through views": (write_through_views, X),
}
REDUCED = {
    "cumsum": (np.cumsum, X),
    "cumsum along": (lambda x: np.cumsum(x, 1), X),
    "var": (np.var, X),
    "var along": (lambda x: np.var(x, (0, 2), ddof=1, keepdims=True), X),
    "std": (lambda x: np.std(x, -1), X),
    "std of equal numbers": (lambda x: np.std(x * 0 + 1, -1), X),
    "ptp": (lambda x: np.ptp(x, 1), X),
    "average": (lambda x, w: np.average(x, 1, weights=w), some(2, 3), some(3)),
    "argmax": (lambda x: np.argmax(x, 1), X),
    "argmin": (lambda x: np.argmin(x), X),
    "any": (lambda x: np.any(x > 0.5, 1), X),
    "all": (lambda x: np.all(x > 0.1), X),
    "where of numbers": (lambda x: np.where(x > 0.5, 1.0, 0.0) * x, X),
    "logaddexp": (np.logaddexp, some(2, 3), some(3, seed=1)),
    "logaddexp of equals": (lambda x: np.logaddexp(x, x), V),
    "logical": (lambda x: np.logical_and(x > 0.3, x < 0.6) | np.logical_not(x > 0.2), X),
    "xor": (lambda x: ((x > 0.3) ^ (x > 0.5)) & ~(x > 0.7), X),
    "positive": (lambda x: +x, X),
    "exp2": (np.exp2, X),
    "sort": (np.sort, X),
    "sort first": (lambda x: np.sort(x, 0), X),
    "argsort": (lambda x: np.argsort(x, 1), X),
    "nan_to_num": (lambda x: np.nan_to_num(np.log(x - 0.5), nan=7.0), X),
    "masks": (lambda x: (x > 0.5) * x - (x < 0.3), X),
    "outer": (np.outer, some(2), some(3)),
    "inner": (np.inner, some(2, 3), some(4, 3)),
    "kron": (np.kron, some(2), some(3)),
    "cross": (np.cross, some(2, 3), some(2, 3, seed=1)),
    "diff": (np.diff, X),
    "trapz": (np.trapz, X),
    "norm": (np.linalg.norm, X),
    "norm along": (lambda x: np.linalg.norm(x, axis=1), X),
}
EINSUMS = {
    "ij,jk->ik": [(2, 3), (3, 4)],
    "ii": [(3, 3)],
    "ii->i": [(3, 3)],
    "ij->": [(2, 3)],
    "ij->ji": [(2, 3)],
    "...ij,...jk->...ik": [(4, 2, 3), (3, 2)],
    "ij,jk,kl->il": [(2, 3), (3, 2), (2, 4)],
    "iij,j->i": [(2, 2, 3), (3,)],
    "i,j->ij": [(2,), (3,)],
    "bij,bjk->ki": [(2, 3, 4), (2, 4, 2)],
    "i,i": [(3,), (3,)],
    "ij,ij->": [(2, 3), (2, 3)],
    "ij,ij->ij": [(2, 3), (2, 3)],
    "bhqd,bkhd->bhqk": [(2, 3, 4, 5), (2, 6, 3, 5)],
    "bqk,bk->bq": [(2, 3, 4), (2, 4)],
    "ab,cd->": [(2, 3), (4, 5)],
    "a,b,c->abc": [(2,), (3,), (4,)],
    "i,->i": [(3,), ()],
    "ijk,kl,jm->ilm": [(2, 3, 4), (4, 5), (3, 2)],
}
CASES = {
    **MOVED,
    **REDUCED,
    **{
        f"einsum {text}": (
            lambda *arrays, text=text: np.einsum(text, *arrays),
            *[some(*shape, seed=i) for i, shape in enumerate(shapes)],
        )
        for text, shapes in EINSUMS.items()
    },
}


def total(function):
    """Return a function whose gradient weighs every element of the results differently."""

    def weighed(*args):
        results = function(*args)
        out = 0.0
        for r in results if isinstance(results, tuple) else (results,):
            weights = numpy.linspace(0.5, 1.5, r.size).reshape(r.shape).astype("float32")
            out = out + np.sum(r * np.array(weights))
        return out

    return weighed


@pytest.mark.parametrize("name", CASES)
def test_graphs_give_the_values_and_gradients_of_the_operations(name):
    function, *args = CASES[name]
    compiled = minpy.jit(function)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        found, expected = compiled(*args), function(*args)
    assert compiled.jit_status == "compiled"
    found, expected = (v if isinstance(v, tuple) else (v,) for v in (found, expected))
    for a, b in zip(found, expected, strict=True):
        assert (a.shape, a.dtype) == (b.shape, b.dtype)
        numpy.testing.assert_allclose(a.asnumpy(), b.asnumpy(), rtol=2e-5, atol=1e-6)
    numbers = tuple(i for i, a in enumerate(args) if a.dtype.kind == "f")
    if all(b.dtype.kind == "f" for b in expected):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            got = minpy.grad(total(compiled), numbers)(*args)
            wanted = minpy.grad(total(function), numbers)(*args)
        for a, b in zip(got, wanted, strict=True):
            numpy.testing.assert_allclose(a.asnumpy(), b.asnumpy(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("function", "shape", "wrong"),
    [
        (lambda x, i: x[i], (4,), [0, 4]),
        (lambda x, i: x[i], (4,), [0, -5]),
        (lambda x, i: x[np.arange(2), i], (2, 4), [0, 4]),
        (lambda x, i: x[np.arange(2), i], (2, 4), [-5, 0]),
        (lambda x, i: np.take_along_axis(x, i[:, None], 1), (2, 4), [4, 0]),
        (lambda x, i: np.take_along_axis(x, i[:, None], 1), (2, 4), [0, -5]),
    ],
)
def test_numbers_that_are_out_of_range_are_an_error_in_a_later_run_too(function, shape, wrong):
    compiled = minpy.jit(function)
    compiled(some(*shape), np.array([0, 1]))
    assert compiled.jit_status == "compiled"
    with pytest.raises(Exception, match="out of bound"):
        compiled(some(*shape), np.array(wrong)).asnumpy()


def test_an_index_is_read_anew_at_each_run():
    compiled = minpy.jit(lambda x, i: x[i])
    x = some(4)
    for numbers in ([0, 1], [3, -1], [-4, 2]):
        assert compiled(x, np.array(numbers)).tolist() == x.asnumpy()[numbers].tolist()


def test_large_einsums_are_matrix_products():
    """MXNet's own einsum would take minutes."""
    x, y = some(8, 64, 12, 16), some(8, 64, 12, 16, seed=1)
    compiled = minpy.jit(lambda x, y: np.einsum("bqhd,bkhd->bhqk", x, y))
    found = compiled(x, y)
    assert compiled.jit_status == "compiled"
    expected = numpy.einsum("bqhd,bkhd->bhqk", x.asnumpy(), y.asnumpy(), optimize=True)
    numpy.testing.assert_allclose(found.asnumpy(), expected, rtol=1e-4)


def _loss(x, i):
    return np.sum(x[np.arange(2), i] ** 2)


@pytest.mark.parametrize(
    ("function", "args"),
    [
        (lambda x, i: x[i, 0], (some(3, 4), AT)),
        (lambda x, i: x[i, [0, 1, 2], 0], (some(3, 3, 2), AT)),
        (lambda x, i: np.take(x, i[:0]), (V, AT)),
        (lambda x, i: np.take_along_axis(x, i[:1, None], 1), (some(3, 4), AT)),
        (minpy.grad(_loss), (some(2, 4), np.array([3, -1]))),
        (lambda x: np.mean(x[:, :0], -1), (some(3, 4),)),
        (lambda x: np.var(x, ddof=60), (X,)),
        (lambda x: np.tile(x, 0), (X,)),
        (lambda x: np.pad(x, 1, "linear_ramp"), (V,)),
    ],
)
def test_what_a_graph_has_no_operation_for_is_computed_all_the_same(function, args):
    compiled = minpy.jit(function)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(2):
            found, expected = compiled(*args).asnumpy(), function(*args).asnumpy()
            assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
            numpy.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize(
    "take",
    [
        lambda x: mxnet_gather.rearranging(numpy.flip)(runtime.eager, x),
        lambda x: mxnet_gather.taken_along(
            runtime.eager, x, numpy.zeros((1, 2), int), 1, (x.shape[0], 2)
        ),
    ],
)
def test_places_that_32_bits_do_not_count_are_left_to_numpy(take):
    large = types.SimpleNamespace(shape=(2**16, 2**16))  # no such memory is needed to say so
    with pytest.raises(runtime.Unsupported, match="32 bits"):
        take(large)
