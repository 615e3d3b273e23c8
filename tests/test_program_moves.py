"""Slices, joins, writes, sums and products of stacks are instructions of programs."""

from __future__ import annotations

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minpy
import minpy.numpy as np
from minpy import layers, random
from minpy.graph import native
from minpy.graph.native import Program
from minpy.layers import GRU, Dense, Layer
from minpy.models import Sequential
from minpy.policy import use_policy
from minpy.runtime import onednn

pytestmark = pytest.mark.skipif(not native.available(), reason="programs are made by numba")
needs_onednn = pytest.mark.skipif(onednn.library() is None, reason="there is no oneDNN to call")

rng = numpy.random.default_rng(0)


@pytest.fixture(autouse=True)
def _same_numbers_in_any_order():
    global rng
    rng = numpy.random.default_rng(0)


def some(*shape):
    return rng.standard_normal(shape).astype("float32")


@pytest.fixture
def stops(monkeypatch):
    """The operations at which a program stops for a kernel of NumPy's."""
    names = []
    call_back = Program._call_back
    monkeypatch.setattr(
        Program,
        "_call_back",
        lambda self, operation: (names.append(operation.name), call_back(self, operation))[1],
    )
    return names


def check(f, *arrays, rtol=2e-5):
    """Compare a function and its derivatives with float64, operation by operation."""

    def slopes(*arrays):
        def total(*arrays):
            return np.sum(np.tanh(f(*arrays)))

        return minpy.grad(total, tuple(range(len(arrays))))(*arrays)

    for g in (lambda *a: (f(*a),), slopes):
        compiled = minpy.jit(g)
        single = [np.array(a) for a in arrays]
        compiled(*[np.ones(a.shape, "float32") for a in arrays])  # other numbers first
        found = compiled(*single)
        assert compiled.jit_status == "compiled"
        with use_policy("only_numpy"):
            expected = g(*[np.array(a.astype("float64")) for a in arrays])
        for one, other in zip(found, expected, strict=True):
            other = other.asnumpy()
            atol = rtol * max(1.0, numpy.abs(other).max(initial=0.0))
            assert one.shape == other.shape
            numpy.testing.assert_allclose(one.asnumpy(), other, rtol=rtol, atol=atol)


# --- parts of arrays ------------------------------------------------------------------------------


@st.composite
def sliced(draw):
    shape = tuple(draw(st.lists(st.integers(1, 5), min_size=1, max_size=4)))
    parts = []
    for n in shape[: draw(st.integers(0, len(shape)))]:
        if draw(st.booleans()):
            parts.append(draw(st.integers(-n, n - 1)))
        else:
            start = draw(st.integers(0, n - 1))
            stop = draw(st.integers(start + 1, n))
            if draw(st.booleans()):
                parts.append(slice(start, stop, draw(st.integers(1, 3))))
            else:  # from the end to the front
                parts.append(slice(stop - 1, start - 1 if start else None, -1))
    if draw(st.booleans()):
        parts.insert(draw(st.integers(0, len(parts))), None)
    if draw(st.booleans()) and len(parts) <= len(shape):
        parts.append(...)
    return shape, tuple(parts)


@settings(max_examples=40, deadline=None)
@given(sliced())
def test_reading_a_part_and_its_derivative(case):
    shape, index = case
    check(lambda x: x[index] * 2, some(*shape))


@settings(max_examples=25, deadline=None)
@given(sliced())
def test_writing_to_a_part_and_its_derivatives(case):
    shape, index = case

    def f(x, v):
        y = x * 2
        y[index] = v
        return y

    check(f, some(*shape), some(*numpy.empty(shape)[index].shape))


def test_writing_a_number_and_what_repeats():
    def f(x, v):
        y = np.exp(x)
        y[1:, ::2] = v
        y[0] = 3.0
        y[:, -1:] += v[:, None][:1]
        return y

    check(f, some(4, 6), some(3))


MOVES = {
    "joined": (lambda x, y: np.concatenate([x, y * 2, x], 1), (3, 4, 2), (3, 1, 2)),
    "joined flat": (lambda x, y: np.concatenate([x, y], None), (3, 4), (5,)),
    "stacked": (lambda x, y: np.stack([x, y, x], -1), (3, 4), (3, 4)),
    "split": (lambda x, y: np.split(x, 3, 1)[1] + y, (4, 6), (4, 2)),
    "turned round": (lambda x, y: np.flip(x, 0) * y[::-1, ::-1], (3, 4), (3, 4)),
    "axes moved": (lambda x, y: np.moveaxis(x, 0, -1) + y, (2, 3, 4), (3, 4, 2)),
    "five axes in another order": (
        lambda x, y: np.transpose(x, (3, 0, 2, 4, 1)) * y,
        (2, 3, 4, 2, 3),
        (2, 2, 4, 3, 3),
    ),
    "a sum of parts": (lambda x, y: x[:, :2] * x[:, 2:4] + x[:, 1:3] * y, (3, 4), (3, 2)),
    "padded": (lambda x, y: np.pad(x * y, ((1, 2), (0, 3))) * 2, (3, 4), (3, 4)),
    "padded with a number": (
        lambda x, y: np.pad(x, 1, constant_values=-2.5) * np.pad(y, 1),
        (2, 3, 4),
        (2, 3, 4),
    ),
    "broadcast": (lambda x, y: np.multiply(*np.broadcast_arrays(x, y)), (3, 1, 4), (2, 1)),
    "steps along an axis": (
        lambda x, y: np.stack([np.tanh(x[:, t] @ y) for t in range(4)], 1),
        (3, 4, 5),
        (5, 5),
    ),
}


@needs_onednn
@pytest.mark.parametrize("name", MOVES)
def test_elements_are_moved_by_instructions(name, stops):
    f, *shapes = MOVES[name]
    check(f, *[some(*shape) for shape in shapes])
    assert not stops


def test_gradients_of_slices_lie_in_one_array():
    x = some(3, 40)
    counted = []
    lower = Program._emit_operation

    def count(self, operation):
        counted.append(operation.name)
        lower(self, operation)

    def f(x):
        return sum(np.sum(np.sin(x[:, i : i + 4])) for i in range(0, 40, 4))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Program, "_emit_operation", count)
        check(f, x)
    assert counted.count("scatter_several") == 1
    assert "scatter_add" not in counted


def test_an_index_of_numbers_is_still_numpys():
    numbers = numpy.array([2, 0, 2])
    check(lambda x: x[numbers] * 2, some(4, 3))


@pytest.mark.filterwarnings("ignore:.*runs operation by operation")
def test_a_mask_made_of_the_data_is_a_mask_and_no_numbers():
    compiled = minpy.jit(lambda x: x[:, x[0] > 0] * 2)
    x = some(3, 8)
    for _ in range(3):
        numpy.testing.assert_array_equal(compiled(np.array(x)).asnumpy(), x[:, x[0] > 0] * 2)


# --- reductions -----------------------------------------------------------------------------------

REDUCTIONS = {
    "var": lambda x: np.var(x, axis=-1, keepdims=True),
    "var of all": lambda x: np.var(x),
    "var with ddof": lambda x: np.var(x, (0, 2), ddof=1),
    "std": lambda x: np.std(x, axis=(1, 2)),
    "min": lambda x: np.min(x, axis=-1),
    "min of all": lambda x: np.min(x) * x,
    "normalized": lambda x: (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1),
    "softmax": lambda x: np.exp(x - x.max(-1, keepdims=True)) / np.exp(x).sum(-1, keepdims=True),
}


@pytest.mark.parametrize("many", [False, pytest.param(True, marks=needs_onednn)])
@pytest.mark.parametrize("name", REDUCTIONS)
def test_reductions_are_instructions(name, many, stops, monkeypatch):
    if many:
        monkeypatch.setattr("minpy.graph.native.lowerings._MANY_ELEMENTS", 1)
        monkeypatch.setattr("minpy.graph.runnable.worth_sharing", lambda work: True)
    check(REDUCTIONS[name], some(4, 5, 6))
    assert not stops


# --- products -------------------------------------------------------------------------------------

PRODUCTS = {
    "rows of a stack": (lambda x, y: x @ y, (4, 5, 6), (6, 3)),
    "rows of a stack, by dot": (lambda x, y: np.dot(x, y), (2, 4, 5, 6), (6, 3)),
    "stacks": (lambda x, y: x @ y, (4, 5, 6), (4, 6, 3)),
    "stacks that repeat": (lambda x, y: x @ y, (2, 1, 5, 6), (3, 6, 4)),
    "a matrix and a stack": (lambda x, y: x @ y, (5, 6), (3, 6, 4)),
    "turned round": (lambda x, y: x @ np.swapaxes(y, -1, -2), (2, 3, 5, 6), (2, 3, 4, 6)),
    "of heads": (
        lambda x, y: np.transpose(x, (0, 2, 1, 3)) @ np.transpose(y, (0, 2, 3, 1)),
        (2, 5, 3, 6),
        (2, 4, 3, 6),
    ),
    "einsum of heads": (
        lambda x, y: np.einsum("bqhd,bkhd->bhqk", x, y),
        (2, 5, 3, 6),
        (2, 4, 3, 6),
    ),
    "einsum of rows": (lambda x, y: np.einsum("...i,ij->...j", x, y), (2, 5, 6), (6, 3)),
    "einsum, nothing summed": (lambda x, y: np.einsum("ij,ik->ijk", x, y), (5, 6), (5, 4)),
    "einsum of a sum": (lambda x, y: np.einsum("ij,kj->k", x, y), (8, 6), (7, 6)),
    "tensordot": (lambda x, y: np.tensordot(x, y, ([0, 2], [1, 0])), (4, 5, 6), (6, 4, 3)),
    "tensordot of all": (lambda x, y: np.tensordot(x, y, 2) * x, (8, 9), (8, 9)),
}


@needs_onednn
@pytest.mark.parametrize("name", PRODUCTS)
def test_products_of_stacks_are_kernels(name, stops):
    f, *shapes = PRODUCTS[name]
    check(f, *[some(*shape) for shape in shapes])
    assert not stops


def test_a_diagonal_in_a_sum_is_still_numpys():
    check(lambda x, y: np.einsum("iij,jk->ik", x, y), some(5, 5, 6), some(6, 3))


def test_the_gradient_of_a_matrix_is_one_product_not_a_stack_of_them():
    x, w = np.array(some(64, 32, 16)), np.array(some(16, 8))
    g = minpy.grad(lambda w: np.sum((x @ w) ** 2))(w)
    flat = x.asnumpy().reshape(-1, 16).astype("float64")
    expected = 2 * flat.T @ (flat @ w.asnumpy())
    numpy.testing.assert_allclose(g.asnumpy(), expected, rtol=1e-4, atol=0.01)


# --- whole numbers --------------------------------------------------------------------------------

WHOLE = {
    "an index": lambda x: np.argmax(x, 1),
    "the rows in order": lambda x: np.take(x, np.argsort(x[:, 0]), 0) * 2,
    "hits": lambda x: np.mean((np.argmax(x, 1) == np.argmin(x[::-1], 1)).astype("float32")),
    "counted": lambda x: np.cumsum(np.argmax(x, 1)) * 2,
    "made of floats": lambda x: np.floor(x * 9).astype("int64") // 2,
    "above float32's": lambda x: np.argmax(x, 1) + 2**40 + 1,
    "in another shape": lambda x: np.reshape(np.argmax(x, 1), (2, 4)).astype("float32") * x[0, 0],
    "beside floats": lambda x: (np.sum(x * x), np.argmax(x, 0), x > 0, np.exp(x)),
}


@pytest.mark.parametrize("name", WHOLE)
def test_whole_numbers_are_computed_inside_programs(name):
    f, compiled = WHOLE[name], minpy.jit(WHOLE[name])
    compiled(np.array(some(8, 3)))
    x = some(8, 3)
    found, expected = compiled(np.array(x)), f(np.array(x))
    assert compiled.jit_status == "compiled"
    several = isinstance(expected, tuple)
    for a, b in zip(found, expected, strict=True) if several else [(found, expected)]:
        assert a.dtype == b.dtype
        numpy.testing.assert_allclose(a.asnumpy(), b.asnumpy(), rtol=1e-6)


def test_gradients_go_past_whole_numbers():
    def f(x):
        best = np.argmax(x, 1)
        return np.sum(x[np.arange(8), best] ** 2) * (best[0] + 1), best

    x = np.array(some(8, 3))
    compiled = minpy.jit(f)
    expected = minpy.grad(lambda x: f(x)[0])(x).asnumpy()
    for g in (minpy.grad(lambda x: compiled(x)[0]), minpy.jit(minpy.grad(lambda x: f(x)[0]))):
        numpy.testing.assert_allclose(g(x).asnumpy(), expected, rtol=1e-6)


class Counting(Layer):
    """Counts its training steps."""

    def build(self, shape):
        self.steps = self.add_weight((), dtype="int32", trainable=False, initializer="zeros")
        super().build(shape)

    def call(self, x, training=False):
        if training:
            self.steps.assign_add(1)
        return x * 2


def test_a_model_with_a_counter_of_whole_numbers_trains_compiled():
    model = Sequential([Dense(4), Counting(), Dense(2)])
    model.compile("adam", "mse")
    model.fit(some(20, 3), some(20, 2), batch_size=5, epochs=3, verbose=0)
    assert model.jit_status == "compiled"
    steps = model.layers[1].steps.numpy()
    assert steps == 12
    assert steps.dtype == "int32"


# --- models ---------------------------------------------------------------------------------------


class Cell(Layer):
    """A recurrent layer as one writes it by hand."""

    def build(self, shape):
        self.w = self.add_weight((shape[-1], 6))
        self.u = self.add_weight((6, 6))
        super().build(shape)

    def call(self, x):
        h, seen = np.zeros((x.shape[0], 6)), []
        for t in range(x.shape[1]):
            h = np.tanh(x[:, t] @ self.w + h @ self.u)
            seen.append(h)
        return np.stack(seen, axis=1)


@needs_onednn
@pytest.mark.parametrize("layer", [lambda: Cell(), lambda: GRU(6, recurrent_dropout=0.3)])
def test_recurrent_cells_train_to_the_same_weights_either_way(layer, stops):
    x, y = some(20, 5, 4), some(20, 3)
    weights = []
    for jit in (True, False):
        random.seed(3)
        model = Sequential([layer(), layers.Flatten(), Dense(3)])
        model.compile("adam", "mse", jit=jit)
        model.fit(x, y, batch_size=10, epochs=3, shuffle=False, verbose=0)
        weights.append(model.get_weights())
    assert not stops
    for a, b in zip(*weights, strict=True):
        numpy.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)
