"""Initializers: statistics, fans, seeds, the original minpy's rules, shapes that don't fit."""

from __future__ import annotations

import json
import math

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minpy import initializers, random
from minpy.errors import ShapeError
from minpy.initializers import Constant, Initializer, VarianceScaling

# name → variance over the fans, and whether the values are bounded by √3 deviations (uniform)
FAMILIES = {
    "glorot_uniform": (lambda i, o: 2 / (i + o), True),
    "glorot_normal": (lambda i, o: 2 / (i + o), False),
    "he_uniform": (lambda i, o: 2 / i, True),
    "he_normal": (lambda i, o: 2 / i, False),
    "lecun_uniform": (lambda i, o: 1 / i, True),
    "lecun_normal": (lambda i, o: 1 / i, False),
}
LAYOUTS = {
    "dense": ((300, 200), None, (300, 200)),
    "convolution": ((64, 32, 5, 5), None, (32 * 25, 64 * 25)),
    "told": ((5, 5, 32, 64), (800, 1600), (800, 1600)),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", FAMILIES)
def test_variance_follows_from_the_fans(name, layout):
    shape, told, (fan_in, fan_out) = LAYOUTS[layout]
    random.seed(7)
    values = initializers.make(name, shape, "float64", told)
    variance, uniform = FAMILIES[name]
    expected = math.sqrt(variance(fan_in, fan_out))
    # The deviation of a sample of n has a relative error of about 1/√(2n).
    assert values.std() == pytest.approx(expected, rel=5 / math.sqrt(2 * values.size))
    assert abs(values.mean()) < 5 * expected / math.sqrt(values.size)
    if uniform:
        assert abs(values).max() <= math.sqrt(3) * expected
        assert abs(values).max() > 0.99 * math.sqrt(3) * expected
    else:  # cut at two deviations of the distribution before the cut
        assert abs(values).max() <= 2 * expected / 0.8796
        assert abs(values).max() > 1.9 * expected


def test_fans_of_shapes():
    assert initializers.fans_of((784, 10)) == (784, 10)
    assert initializers.fans_of((16, 8, 3)) == (24, 48)
    assert initializers.fans_of((16, 8, 3, 3)) == (72, 144)
    assert initializers.fans_of((7,)) == (7, 7)
    assert initializers.fans_of(()) == (1, 1)


@pytest.mark.parametrize(
    ("kind", "arguments", "mean", "deviation"),
    [
        ("RandomNormal", {"mean": 1.0, "stddev": 0.2}, 1.0, 0.2),
        ("TruncatedNormal", {"mean": -1.0, "stddev": 0.5}, -1.0, 0.5 * 0.8796),
        ("RandomUniform", {"minval": 1.0, "maxval": 3.0}, 2.0, 2 / math.sqrt(12)),
        (
            "VarianceScaling",
            {"scale": 3.0, "mode": "fan_out", "distribution": "untruncated_normal"},
            0.0,
            math.sqrt(3 / 200),
        ),
        ("Xavier", {}, 0.0, math.sqrt(6 / 500)),
    ],
)
def test_mean_and_deviation_are_those_told(kind, arguments, mean, deviation):
    values = getattr(initializers, kind)(seed=1, **arguments)((300, 200))
    n = values.size
    assert values.dtype == "float32"
    assert values.mean() == pytest.approx(mean, abs=5 * deviation / math.sqrt(n))
    assert values.std() == pytest.approx(deviation, rel=5 / math.sqrt(2 * n))


@given(
    st.lists(st.integers(1, 6), min_size=2, max_size=4),
    st.floats(0.5, 3.0),
    st.integers(0, 1000),
)
@settings(max_examples=40, deadline=None)
def test_orthogonal_has_orthonormal_rows_or_columns(shape, gain, seed):
    values = initializers.Orthogonal(gain, seed)(shape, "float64")
    assert values.shape == tuple(shape)
    matrix = values.reshape(shape[0], -1) / gain
    product = matrix @ matrix.T if matrix.shape[0] <= matrix.shape[1] else matrix.T @ matrix
    numpy.testing.assert_allclose(product, numpy.eye(len(product)), atol=1e-10)


def test_orthogonal_prefers_no_sign():
    signs = [initializers.Orthogonal(seed=i)((3, 3))[0, 0] > 0 for i in range(200)]
    assert 60 < sum(signs) < 140


def test_constants():
    numpy.testing.assert_array_equal(initializers.make("zeros", (2, 3)), numpy.zeros((2, 3)))
    numpy.testing.assert_array_equal(initializers.make("ones", 3), numpy.ones(3))
    numpy.testing.assert_array_equal(Constant([1, 2])((3, 2)), [[1, 2]] * 3)
    numpy.testing.assert_array_equal(initializers.Identity(2)((2, 2)), [[2, 0], [0, 2]])
    with pytest.raises(ShapeError, match=r"\(2,\).*\(3,\)"):
        Constant([1, 2])((3,))
    with pytest.raises(ShapeError, match="two axes"):
        initializers.make("identity", (2, 2, 2))
    with pytest.raises(ShapeError, match="two axes"):
        initializers.make("orthogonal", (2,))


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("name", [*FAMILIES, "zeros", "orthogonal", "random_normal"])
def test_values_have_the_dtype_and_shape_asked_for(name, dtype):
    values = initializers.make(name, (4, 6), dtype)
    assert values.dtype == dtype and values.shape == (4, 6)
    assert values.flags.c_contiguous and values.flags.writeable


# --- randomness -----------------------------------------------------------------------------------


def test_the_global_seed_fixes_values_and_each_call_draws_anew():
    random.seed(3)
    first = [initializers.make("he_normal", (5, 5)) for _ in range(2)]
    random.seed(3)
    again = [initializers.make("he_normal", (5, 5)) for _ in range(2)]
    numpy.testing.assert_array_equal(first, again)
    assert not numpy.array_equal(first[0], first[1])


def test_an_initializer_with_a_seed_always_draws_the_same():
    own = initializers.GlorotUniform(seed=5)
    numpy.testing.assert_array_equal(own((4, 4)), own((4, 4)))
    given_ = numpy.random.default_rng(1)
    assert not numpy.array_equal(own((4, 4), generator=given_), own((4, 4)))
    with pytest.raises(ValueError, match="seed"):
        initializers.GlorotUniform(seed="now")


# --- names, rules, functions ----------------------------------------------------------------------


def test_names_with_any_spelling():
    for name in ("glorot_uniform", "GlorotUniform", "glorotuniform"):
        assert type(initializers.get(name)) is initializers.GlorotUniform
    assert initializers.get(None) is None
    with pytest.raises(ValueError, match="did you mean 'glorot_uniform'"):
        initializers.get("glorot_unifrom")
    with pytest.raises(ValueError, match="needs an initializer"):
        initializers.make(None, (2,))


def test_configurations_make_equal_initializers():
    for made in (
        initializers.RandomNormal(0.1, 0.2, seed=3),
        initializers.VarianceScaling(2.0, "fan_out", "uniform", seed=4),
        initializers.HeNormal(seed=5),
        initializers.Orthogonal(0.5, seed=6),
        initializers.Identity(3.0),
        Constant(numpy.array([1.0, 2.0])),
    ):
        again = initializers.deserialize(json.loads(json.dumps(initializers.serialize(made))))
        assert type(again) is type(made)
        numpy.testing.assert_array_equal(again((2, 2)), made((2, 2)))


@pytest.mark.parametrize(
    ("rule", "config", "check"),
    [
        ("xavier", None, lambda v: abs(v.std() - math.sqrt(6 / 500)) < 2e-3),
        ("gaussian", None, lambda v: abs(v.std() - 0.001) < 1e-5),
        ("gaussian", {"mu": 2.0, "stdvar": 0.1}, lambda v: abs(v.mean() - 2) < 0.01),
        ("constant", None, lambda v: not v.any()),
        ("constant", {"value": 3.0}, lambda v: (v == 3).all()),
        ("uniform", {"range": (1, 2)}, lambda v: v.min() >= 1 and v.max() < 2),
        ("uniform", {"minval": 1.0, "maxval": 2.0}, lambda v: v.min() >= 1 and v.max() < 2),
        ("custom", {"function": lambda shape: numpy.full(shape, 7.0)}, lambda v: (v == 7).all()),
        ("custom", None, lambda v: not v.any()),
        ("he_normal", {"seed": 1}, lambda v: abs(v.std() - math.sqrt(2 / 300)) < 2e-3),
        ("zeros", None, lambda v: not v.any()),
    ],
)
def test_rules_of_the_original_minpy(rule, config, check):
    random.seed(0)
    given_ = None if config is None else dict(config)
    assert check(initializers.make(initializers.get_rule(rule, given_), (300, 200), "float64"))
    assert given_ is None or given_.keys() == config.keys()


def test_a_rule_says_which_arguments_it_takes():
    with pytest.raises(ValueError, match="takes mu, seed, stdvar; got sigma"):
        initializers.get_rule("gaussian", {"sigma": 1.0})
    with pytest.raises(ValueError, match="did you mean 'xavier'"):
        initializers.get_rule("xaver")
    with pytest.raises(ValueError, match="refused the configuration"):
        initializers.get_rule("he_normal", {"stddev": 1.0})
    with pytest.raises(ValueError, match="goes with the name"):
        initializers.get_rule(initializers.Zeros(), {"value": 1.0})


def test_functions_and_classes_of_the_users_own():
    def ramp(shape, dtype=None):
        return numpy.arange(math.prod(shape), dtype=dtype).reshape(shape)

    numpy.testing.assert_array_equal(initializers.make(ramp, (2, 2), "float32"), [[0, 1], [2, 3]])
    with pytest.raises(ShapeError, match=r"returned shape \(3,\) for a weight of shape \(2,\)"):
        initializers.make(lambda shape, dtype=None: numpy.zeros(3), (2,))

    class Fives(Initializer):
        def draw(self, shape, dtype, fans, generator):
            return numpy.full(shape, 5.0)

    assert (initializers.make(Fives(), (2,)) == 5).all()
    assert isinstance(initializers.deserialize({"class_name": "Fives"}, {"Fives": Fives}), Fives)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"scale": 0.0}, "scale > 0"),
        ({"mode": "fan_on"}, "mode"),
        ({"distribution": "cauchy"}, "distribution"),
    ],
)
def test_a_wrong_argument_is_named(arguments, text):
    with pytest.raises(ValueError, match=text):
        VarianceScaling(**arguments)
