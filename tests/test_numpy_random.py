"""``minpy.numpy.random`` draws NumPy's numbers, as minpy arrays of the default float dtype."""

from __future__ import annotations

import pickle

import numpy
import pytest

import minpy
import minpy.numpy as np
from minpy.context import cpu
from minpy.errors import NoDerivativeError

DRAWS = [
    ("rand", (2, 3), {}),
    ("randn", (4,), {}),
    ("randint", (5,), {"size": 3}),
    ("uniform", (-1.0, 2.0), {"size": (2, 2)}),
    ("normal", (), {"loc": 1.0, "scale": 2.0, "size": 5}),
    ("standard_normal", ((2, 1),), {}),
    ("exponential", (2.0, 3), {}),
    ("gamma", (2.0,), {"size": 3}),
    ("beta", (1.0, 2.0, 4), {}),
    ("binomial", (10, 0.5, 4), {}),
    ("poisson", (3.0, 4), {}),
    ("choice", (10,), {"size": 4, "replace": False}),
    ("permutation", (6,), {}),
    ("multivariate_normal", ([0.0, 0.0], [[1.0, 0.0], [0.0, 1.0]]), {}),
    ("dirichlet", ([1.0, 2.0],), {}),
    ("random_sample", (3,), {}),
    ("random", (3,), {}),
    ("chisquare", (2.0, 3), {}),
    ("f", (3.0, 4.0, 3), {}),
    ("geometric", (0.4, 3), {}),
    ("gumbel", (0.5, 2.0, 3), {}),
    ("hypergeometric", (5, 4, 3, 4), {}),
    ("laplace", (0.5, 2.0, 3), {}),
    ("logistic", (0.5, 2.0, 3), {}),
    ("lognormal", (0.5, 0.2, 3), {}),
    ("logseries", (0.6, 3), {}),
    ("multinomial", (6, [0.2, 0.3, 0.5], 2), {}),
    ("negative_binomial", (4, 0.3, 3), {}),
    ("noncentral_chisquare", (2.0, 1.5, 3), {}),
    ("noncentral_f", (3.0, 4.0, 1.5, 3), {}),
    ("pareto", (2.0, 3), {}),
    ("power", (2.0, 3), {}),
    ("ranf", (3,), {}),
    ("random_integers", (1, 5, 4), {}),
    ("rayleigh", (2.0, 3), {}),
    ("sample", (3,), {}),
    ("standard_cauchy", (3,), {}),
    ("standard_exponential", (3,), {}),
    ("standard_gamma", (2.0, 3), {}),
    ("standard_t", (4.0, 3), {}),
    ("triangular", (0.0, 1.0, 2.0, 3), {}),
    ("vonmises", (0.5, 2.0, 3), {}),
    ("wald", (0.5, 2.0, 3), {}),
    ("weibull", (2.0, 3), {}),
    ("zipf", (2.5, 3), {}),
]
# Of a Generator, which draws some by other algorithms and has draws of its own.
OF_GENERATORS = [d for d in DRAWS if hasattr(numpy.random.Generator, d[0])]
OF_GENERATORS += [
    ("integers", (0, 9), {"size": 4, "endpoint": True}),
    ("multivariate_hypergeometric", ([3, 4, 5], 6), {"size": 2}),
    ("permuted", (numpy.arange(6.0).reshape(2, 3),), {"axis": 1}),
    ("bytes", (4,), {}),
]


def assert_drawn_alike(found, expected):
    if isinstance(expected, bytes):
        assert found == expected
        return
    assert type(found) is np.ndarray
    assert found.dtype == (numpy.float32 if expected.dtype == float else expected.dtype)
    assert found.asnumpy().tolist() == expected.astype(found.dtype).tolist()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(("name", "args", "kwargs"), DRAWS, ids=lambda v: str(v)[:20])
def test_legacy_functions_draw_numpys_numbers(name, args, kwargs):
    np.random.seed(3)
    found = getattr(np.random, name)(*args, **kwargs)
    numpy.random.seed(3)
    assert_drawn_alike(found, getattr(numpy.random, name)(*args, **kwargs))


@pytest.mark.parametrize(("name", "args", "kwargs"), OF_GENERATORS, ids=lambda v: str(v)[:20])
def test_generators_draw_numpys_numbers(name, args, kwargs):
    found = getattr(np.random.default_rng(3), name)(*args, **kwargs)
    expected = getattr(numpy.random.default_rng(3), name)(*args, **kwargs)
    if name == "permuted":  # of an array in double precision, which it keeps
        assert found.tolist() == expected.tolist() and found.dtype == expected.dtype
        return
    assert_drawn_alike(found, expected)


def test_every_function_of_the_module_is_drawn_from_here():
    drawn = {name for name, _, _ in DRAWS}
    others = {"bytes", "shuffle", "seed", "get_state", "set_state", "default_rng"}
    functions = {n for n in numpy.random.__all__ if not isinstance(getattr(numpy.random, n), type)}
    assert functions - drawn - others == set()
    np.random.seed(0)
    first = np.random.bytes(3)
    np.random.seed(0)
    assert numpy.random.bytes(3) == first


def test_the_default_float_dtype_is_that_of_the_draws():
    minpy.set_default_dtype("float64")
    try:
        assert np.random.rand(2).dtype == numpy.float64
        assert np.random.default_rng(0).normal(size=2).dtype == numpy.float64
    finally:
        minpy.set_default_dtype("float32")
    assert np.random.default_rng(0).random(3, dtype="float64").dtype == numpy.float64
    assert np.random.normal(np.zeros(2, "float64")).dtype == numpy.float64


def test_single_numbers_are_python_numbers_as_in_numpy():
    assert isinstance(np.random.rand(), float)
    assert isinstance(np.random.randint(3), int)


def test_generator_and_random_state_draw_numpys_numbers():
    ours, theirs = np.random.default_rng(5), numpy.random.default_rng(5)
    for name, args in (("normal", (0, 1, 3)), ("integers", (0, 9, 4)), ("random", (2,))):
        found, expected = getattr(ours, name)(*args), getattr(theirs, name)(*args)
        assert type(found) is np.ndarray
        assert found.tolist() == expected.astype(found.dtype).tolist()
    ours, theirs = np.random.RandomState(5), numpy.random.RandomState(5)
    assert ours.rand(3).tolist() == theirs.rand(3).astype("float32").tolist()
    assert np.random.default_rng(ours_rng := np.random.default_rng(1)) is ours_rng
    assert type(ours_rng.bit_generator) is numpy.random.PCG64
    child, other = np.random.default_rng(1).spawn(2)
    assert child.random() != other.random()


def test_generators_pickle():
    for rng in (np.random.default_rng(2), np.random.RandomState(2)):
        rng.standard_normal(3)
        back = pickle.loads(pickle.dumps(rng))
        assert back.standard_normal(4).tolist() == rng.standard_normal(4).tolist()


def test_choice_and_permutation_of_a_minpy_array_keep_its_dtype():
    x = np.arange(4, dtype="float64")
    assert np.random.choice(x, 3).dtype == numpy.float64
    assert sorted(np.random.default_rng(0).permutation(x).tolist()) == [0, 1, 2, 3]
    assert np.random.permutation(np.arange(3)).dtype == numpy.int64


@pytest.mark.parametrize("axis", [0, 1])
def test_shuffle_in_place_is_numpys(axis):
    x, plain = np.arange(12.0).reshape(4, 3), numpy.arange(12.0).reshape(4, 3)
    view = x[1]
    assert np.random.default_rng(7).shuffle(x, axis=axis) is None
    numpy.random.default_rng(7).shuffle(plain, axis=axis)
    assert x.tolist() == plain.tolist()
    assert view.tolist() == plain[1].tolist()
    np.random.seed(1)
    np.random.shuffle(x)
    numpy.random.seed(1)
    numpy.random.shuffle(plain)
    assert x.tolist() == plain.tolist()
    names = ["a", "b", "c"]
    np.random.shuffle(names)
    assert sorted(names) == ["a", "b", "c"]


def test_gradients_flow_through_a_shuffle():
    weights = np.array([1.0, 2.0, 3.0, 4.0])

    def f(x):
        x = x * 1.0
        np.random.default_rng(3).shuffle(x)
        return np.sum(x * weights)

    order = numpy.arange(4)
    numpy.random.default_rng(3).shuffle(order)
    expected = numpy.zeros(4)
    expected[order] = [1, 2, 3, 4]
    assert minpy.grad(f)(np.zeros(4)).tolist() == expected.tolist()


def test_a_tape_keeps_what_a_shuffle_overwrites():
    constant = np.array([1.0, 2.0, 3.0])
    vjp, _ = minpy.make_vjp(lambda x: x * constant)(np.ones(3))
    np.random.default_rng(0).shuffle(constant)
    assert vjp(np.ones(3)).tolist() == [1, 2, 3]


def test_out_is_filled():
    out = np.zeros(3)
    assert np.random.default_rng(0).standard_normal(out=out) is out
    expected = numpy.random.default_rng(0).standard_normal(3, dtype="float32")
    assert out.tolist() == expected.tolist()


def test_parameters_that_are_differentiated_are_an_error():
    with pytest.raises(NoDerivativeError, match=r"random\.normal.*standard numbers"):
        minpy.grad(lambda m: np.sum(np.random.normal(m)))(np.zeros(3))


def test_draws_lie_on_the_current_context():
    pytest.importorskip("mxnet")
    with cpu(1):
        assert np.random.rand(2).context == cpu(1)
    assert np.random.rand(2).context == cpu()


def test_state_is_numpys():
    np.random.seed(4)
    state = np.random.get_state()
    first = np.random.rand(3)
    np.random.set_state(state)
    assert numpy.random.rand(3).astype("float32").tolist() == first.tolist()


def test_functions_and_generators_say_what_they_are():
    assert repr(np.random.normal) == "<draw normal>"
    rng = np.random.default_rng(3)
    assert repr(rng).startswith("minpy Generator(PCG64)")
    assert {"normal", "shuffle", "bit_generator"} <= set(dir(rng))
    assert not [name for name in dir(rng) if name.startswith("_")]


def test_a_draw_can_be_pickled():
    assert pickle.loads(pickle.dumps(np.random.normal)) is np.random.normal
    draw = np.random.default_rng(3).normal
    again = pickle.loads(pickle.dumps(draw))
    assert draw(size=3).tolist() == again(size=3).tolist()


def test_a_random_state_shuffles_and_starts_over():
    ours, theirs = np.random.RandomState(5), numpy.random.RandomState(5)
    x, plain = np.arange(10), numpy.arange(10)
    for _ in range(2):
        ours.shuffle(x)
        theirs.shuffle(plain)
        assert x.tolist() == plain.tolist()
        ours.seed(np.array(7))
        theirs.seed(7)
    assert ours.randint(100) == theirs.randint(100)
