"""Small steps as programs of our own: the same numbers as operation by operation, or no program."""

from __future__ import annotations

import numpy
import pytest

import minpy
import minpy.numpy as np
from minpy import activations, losses, random, runtime
from minpy.autograd.trace import open_trace
from minpy.graph.native import Program, ProgramTrace, available
from minpy.graph.trace import Untraceable
from minpy.layers import Dense, Dropout, Flatten
from minpy.models import Model, Sequential
from minpy.models.program_replay import ProgramReplay

pytestmark = pytest.mark.skipif(not available(), reason="numba or a BLAS to call is missing")

rng = numpy.random.default_rng(0)


def some(*shape):
    return rng.standard_normal(shape).astype("float32")


def run_as_program(function, *arrays):
    """Return a function's result by a program, on other values than it was traced with."""
    memories = [numpy.zeros(a.shape, "float32") for a in arrays]
    with open_trace(ProgramTrace) as trace:
        traced = [trace.input(np.array(a), m) for a, m in zip(arrays, memories, strict=True)]
        result = function(*traced)
        program = Program(trace, [result], [None])
    for memory, a in zip(memories, arrays, strict=True):
        memory[...] = a
    program.run()
    return program.results[0]


X, POSITIVE = some(7, 5), numpy.abs(some(7, 5)) + 0.1
AWKWARD = numpy.array(
    [0.0, -0.0, 1e-3, -1e-3, 0.6249, 0.6251, -9.5, 9.5, 30, -30, 88.7, -88.7, 200, -200, -87.4,
     numpy.inf, -numpy.inf, numpy.nan, 1e-30, -1e30, 3e38],
    "float32",
)  # fmt: skip

ONE_ARRAY = {
    "negative": np.negative, "exp": np.exp, "tanh": np.tanh, "square": np.square,
    "absolute": np.abs, "sign": np.sign, "floor": np.floor,
    "relu": activations.relu, "sigmoid": activations.sigmoid, "softplus": activations.softplus,
    "gelu": lambda x: activations.gelu(x, approximate=False),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(ONE_ARRAY))
def test_functions_of_one_number(name):
    f = ONE_ARRAY[name]
    for x in (X, 20 * X, AWKWARD):
        with numpy.errstate(all="ignore"):
            expected = f(np.array(x.astype("float64"))).asnumpy().astype("float32")
            found = run_as_program(f, x)
        # What is denormal may be zero, and what is within 1e-7 of an overflow may have overflown.
        numpy.testing.assert_allclose(found, expected, rtol=4e-7, atol=2e-38, equal_nan=True)


@pytest.mark.parametrize("f", [np.log, np.sqrt, np.log1p, np.reciprocal, np.expm1])
def test_functions_of_positive_numbers(f):
    found = run_as_program(f, POSITIVE)
    numpy.testing.assert_allclose(found, f(np.array(POSITIVE)).asnumpy(), rtol=3e-7)


SHAPES = [
    ((4, 3), (4, 3)), ((4, 3), (3,)), ((4, 1), (4, 3)), ((4, 3), ()), ((), (4, 3)), ((5,), (5,)),
    ((2, 3, 4), (3, 4)), ((2, 3, 4), (2, 1, 1)), ((4, 1), (1, 3)), ((1, 1), (1,)),
    ((2, 3, 4), (2, 3, 1)), ((1, 4), (3, 1)),
]  # fmt: skip


@pytest.mark.parametrize(
    "f",
    [np.add, np.subtract, np.multiply, np.true_divide, np.maximum, np.minimum],
    ids=lambda f: f.__name__,
)
def test_functions_of_two_numbers_broadcast(f):
    for a, b in SHAPES:
        x, y = some(*a), some(*b)
        numpy.testing.assert_allclose(
            run_as_program(f, x, y), f(np.array(x), np.array(y)).asnumpy(), rtol=2e-7
        )


def test_numbers_of_python_and_comparisons():
    def f(x):
        return np.where(x > 0.5, 2 * x, 1 - x / 3) * (x <= 1) + np.maximum(x, 0.25) ** 2

    numpy.testing.assert_allclose(run_as_program(f, X), f(np.array(X)).asnumpy(), rtol=3e-7)


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("axis", [None, 0, 1, 2, -1, (0, 1), (1, 2)])
def test_sums_and_means(axis, keepdims):
    x = some(3, 4, 5)
    for f in (np.sum, np.mean):

        def g(x, f=f):
            return f(x, axis=axis, keepdims=keepdims)

        found, expected = run_as_program(g, x), g(np.array(x)).asnumpy()
        assert found.shape == expected.shape
        numpy.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("axis", [None, 0, -1, ()])
def test_sums_of_a_number(axis):
    for f in (np.sum, np.max, np.min, np.prod):
        found = run_as_program(lambda x, f=f: f(np.sum(x * x), axis=axis), X)
        numpy.testing.assert_allclose(found, numpy.square(X).sum(), rtol=1e-6)


def test_products_of_matrices_that_lie_either_way():
    a, b = some(6, 4), some(6, 5)
    for f in (lambda a, b: np.dot(a.T, b), lambda a, b: b.T @ a, lambda a, b: (a.T @ b).T):
        numpy.testing.assert_allclose(
            run_as_program(f, a, b), f(np.array(a), np.array(b)).asnumpy(), rtol=1e-5, atol=1e-5
        )


def test_what_has_no_instruction_is_refused():
    for f in (
        lambda x: np.unique(x),
        lambda x: np.sum(x, axis=0) if float(np.sum(x)) > 0 else x,
        lambda x: x.astype("float64"),
        lambda x: x[:0],
    ):
        with pytest.raises(Untraceable):
            run_as_program(f, X)


# --- whole steps ----------------------------------------------------------------------------------


class Residual(Model):
    """Adds what it has computed to its input, and has a weight that is used twice."""

    def __init__(self):
        super().__init__()
        self.first = Dense(6, activation="tanh")
        self.last = Dense(3)

    def call(self, x, training=False):
        h = self.first(x)
        h = h + np.tanh(self.first(h))
        return self.last(np.maximum(h, -0.5))


class Writing(Model):
    """Writes into arrays that it has computed, through views of them too."""

    def __init__(self):
        super().__init__()
        self.first = Dense(6, activation="tanh")
        self.last = Dense(3)

    def call(self, x, training=False):
        h = self.first(x)
        h[:, 0] *= 2.0
        left = h[:, 1:4]
        left[:, 0] = left[:, 2] + h[:, 5]
        left += 0.5
        h.T[5] = 1.0
        return self.last(h)


def dense(*activation):
    return lambda: Sequential([*(Dense(6, activation=a) for a in activation), Dense(3)])


def sparse(y):
    return numpy.abs(y.sum(1) * 10).astype("int64") % 3


MODELS = {
    "tanh": (dense("tanh", "tanh"), "mse", None),
    "relu": (dense("relu", "relu"), losses.SparseCategoricalCrossentropy(from_logits=True), sparse),
    "sigmoid, probabilities": (
        lambda: Sequential([Dense(6, activation="sigmoid"), Dense(3, activation="softmax")]),
        "sparse_categorical_crossentropy",
        sparse,
    ),
    "gelu, elu, silu": (dense("gelu", "silu", "softplus"), "mae", None),
    "dropout": (
        lambda: Sequential([Dense(8, activation="relu"), Dropout(0.4), Dense(3)]), "mse", None
    ),
    "regularized": (
        lambda: Sequential([Dense(5, kernel_regularizer="l2", activation="tanh"), Dense(3)]),
        "huber",
        None,
    ),
    "residual": (Residual, "mse", None),
    "writing": (Writing, "mse", None),
    "flattened": (lambda: Sequential([Flatten(), Dense(4, use_bias=False), Dense(3)]), "mse", None),
}  # fmt: skip


def trained(make, loss, labels, jit, monkeypatch, program):
    """Train 50 steps and a smaller last batch each epoch; return losses, weights, predictions."""
    if not program:
        monkeypatch.setattr("minpy.graph.native.available", lambda: False)
    random.seed(3)
    model = make()
    model.compile("adam", loss, jit=jit)
    data = numpy.random.default_rng(1)
    x, y = (data.standard_normal((150, n)).astype("float32") for n in (6, 3))
    y = y if labels is None else labels(y)
    history = model.fit(x, y, batch_size=32, epochs=10, verbose=0)
    if jit:
        assert model.jit_status == "compiled"
        kinds = {type(replay) is ProgramReplay for replay in model._step._graphs.values()}
        assert kinds == {program}
    found = history.history["loss"], model.get_weights(), model.predict(x, verbose=0)
    evaluated = model.evaluate(x, y, verbose=0)
    monkeypatch.undo()
    return *found, evaluated


@pytest.mark.parametrize("name", sorted(MODELS))
def test_fifty_steps_are_those_of_operations_one_by_one(name, monkeypatch):
    case = MODELS[name]
    by_program = trained(*case, True, monkeypatch, program=True)
    one_by_one = trained(*case, False, monkeypatch, program=True)
    compiled = [by_program]
    if runtime.available():
        compiled.append(trained(*case, True, monkeypatch, program=False))
    for found in compiled:
        numpy.testing.assert_allclose(found[0], one_by_one[0], rtol=2e-4)
        for a, b in zip(found[1], one_by_one[1], strict=True):
            numpy.testing.assert_allclose(a, b, rtol=2e-3, atol=2e-4)
        numpy.testing.assert_allclose(found[2], one_by_one[2], rtol=2e-3, atol=5e-4)
        numpy.testing.assert_allclose(found[3], one_by_one[3], rtol=5e-4)


@pytest.mark.parametrize("name", sorted(MODELS))
def test_a_steps_gradients_are_those_of_operations_one_by_one(name):
    make, loss, labels = MODELS[name]
    x, y = some(16, 6), some(16, 3)
    y = y if labels is None else labels(y)
    found = []
    for jit in (True, False):
        random.seed(4)
        model = make()
        model.compile("sgd", loss, jit=jit)
        model.train_on_batch(x, y)
        found.append(model.gradients())
    assert found[0].keys() == found[1].keys()
    for path, gradient in found[0].items():
        numpy.testing.assert_allclose(gradient, found[1][path], rtol=2e-5, atol=2e-6, err_msg=path)


def test_equal_runs_give_equal_bits(monkeypatch):
    case = MODELS["dropout"]
    first, second = (trained(*case, True, monkeypatch, program=True) for _ in range(2))
    assert first[0] == second[0]
    for a, b in zip(first[1], second[1], strict=True):
        numpy.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("bad", [3, -1, numpy.nan])
def test_class_numbers_are_checked_before_anything_is_read_or_changed(bad):
    model = dense("relu")()
    model.compile("sgd", losses.SparseCategoricalCrossentropy(from_logits=True))
    y = numpy.zeros(16, "float32")
    model.train_on_batch(some(16, 6), y)
    before = model.get_weights()
    y[5] = bad
    with pytest.raises(ValueError, match="class numbers from 0 to 2"):
        model.train_on_batch(some(16, 6), y)
    for a, b in zip(before, model.get_weights(), strict=True):
        numpy.testing.assert_array_equal(a, b)


def test_a_loss_that_is_nan_is_nan():
    model = dense("tanh")()
    model.compile("sgd", "mse")
    x = some(16, 6)
    x[3, 2] = numpy.nan
    assert numpy.isnan(model.train_on_batch(x, some(16, 3)))


def test_results_that_a_caller_keeps_are_not_overwritten():
    model = dense("tanh")()
    model.compile("sgd", "mse")
    first = model.predict_on_batch(some(16, 6))
    kept = first.copy()
    model.predict_on_batch(some(16, 6))
    numpy.testing.assert_array_equal(first, kept)


def test_models_can_be_kept_from_being_compiled():
    model = dense("tanh")()
    model.compile("sgd", "mse")
    x, y = some(16, 6), some(16, 3)
    model.train_on_batch(x, y)
    assert model.jit_status == "compiled"
    minpy.config.set_jit(False)
    try:
        model.train_on_batch(x, y)
        assert "set_jit" in model.jit_status
        f = minpy.jit(np.tanh)
        f(np.array(x))
        assert "set_jit" in f.jit_status
    finally:
        minpy.config.set_jit(True)
    model.train_on_batch(x, y)
    assert model.jit_status == "compiled"
