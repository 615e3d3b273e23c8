"""np.pad in the modes that compute: NumPy's numbers on a tape, derivatives, graphs."""

from __future__ import annotations

import warnings
from typing import Any

import numpy
import pytest

import minpy
import minpy.numpy as np


def doubled(vector: Any, widths: tuple[int, int], axis: int, options: dict) -> None:
    """Pad with multiples of the outermost elements, as NumPy's documentation says to."""
    before, behind = widths
    vector[:before] = options.get("by", 2.0) * vector[before]
    if behind:
        vector[-behind:] = vector[-behind - 1] * vector[-behind - 1]


MODES = {
    "mean": ("mean", {}),
    "mean of two": ("mean", {"stat_length": 2}),
    "mean of each its own": ("mean", {"stat_length": ((1, 2), (3, 2))}),
    "maximum": ("maximum", {}),
    "minimum of a part": ("minimum", {"stat_length": (2, 1)}),
    "median": ("median", {}),
    "median of three": ("median", {"stat_length": 3}),
    "ramp": ("linear_ramp", {}),
    "ramp to ends": ("linear_ramp", {"end_values": ((1, 2), (3, -2.5))}),
    "reflect odd": ("reflect", {"reflect_type": "odd"}),
    "symmetric odd": ("symmetric", {"reflect_type": "odd"}),
    "function": (doubled, {"by": 3.0}),
    "constants": ("constant", {"constant_values": ((1, 2), (3, 4))}),
}
each_mode = pytest.mark.parametrize(("mode", "options"), MODES.values(), ids=MODES)


def some(*shape: int) -> numpy.ndarray:
    return numpy.random.RandomState(sum(shape)).randn(*shape) * 3


@each_mode
@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
def test_a_tape_changes_no_bit_of_the_result(mode, options, dtype):
    for shape, widths in (((3, 4), ((1, 2), (0, 3))), ((1, 5), 2), ((2, 2), 7), ((3, 2), 0)):
        x = some(*shape).astype(dtype)
        expected = numpy.pad(x, widths, mode, **options)
        seen = []

        def kept(a, seen=seen, widths=widths):
            seen.append(np.pad(a, widths, mode, **options))
            return seen[0]

        minpy.make_vjp(kept)(np.array(x))
        for found in (seen[0], np.pad(np.array(x), widths, mode, **options)):
            assert found.dtype == expected.dtype
            numpy.testing.assert_array_equal(found.asnumpy(), expected)


@each_mode
@pytest.mark.parametrize(("shape", "widths"), [((3, 4), ((1, 2), (0, 3))), ((1, 3), (4, 1))])
def test_derivatives_are_those_of_finite_differences(mode, options, shape, widths):
    def squared(a):
        return np.pad(a, widths, mode, **options) ** 2

    minpy.check_grads(squared, modes=["fwd", "rev"], order=2)(np.array(some(*shape)))


def test_the_gradient_of_a_mean_counts_what_it_was_made_of():
    x = np.array([1.0, 2.0, 4.0])
    padded = minpy.grad(lambda a: np.pad(a, (2, 1), "mean", stat_length=(2, 1)).sum())(x)
    numpy.testing.assert_array_equal(padded.asnumpy(), [2.0, 2.0, 2.0])


@pytest.mark.parametrize("mode", ["constant", "linear_ramp"])
def test_gradients_reach_the_values_that_are_put_there(mode):
    x = np.array(some(2, 3))
    option = "constant_values" if mode == "constant" else "end_values"
    for options in (lambda c: c, lambda c: (c, 1.0), lambda c: [(c, 1.0), (2.0, c * c)]):

        def padded(c, options=options):
            return np.pad(x, 2, mode, **{option: options(c)}) ** 2

        minpy.check_grads(padded, modes=["fwd", "rev"], order=2)(np.array(1.5))


@each_mode
def test_a_jitted_function_pads_alike(mode, options):
    x = np.array(some(3, 4))

    def padded(a):
        return np.pad(a, ((1, 2), (2, 0)), mode, **options)

    def loss(a):
        return np.sum(padded(a) ** 2)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # medians and functions run operation by operation
        found, slopes = minpy.jit(padded)(x), minpy.jit(minpy.grad(loss))(x)
    numpy.testing.assert_allclose(found.asnumpy(), padded(x).asnumpy(), rtol=1e-6)
    numpy.testing.assert_allclose(slopes.asnumpy(), minpy.grad(loss)(x).asnumpy(), rtol=1e-5)


@pytest.mark.parametrize(
    ("shape", "args", "options"),
    [
        ((3,), (1, "mean"), {"reflect_type": "odd"}),
        ((3,), (1, "maximum"), {"stat_length": 0}),
        ((3,), (-1, "mean"), {}),
        ((3,), (1.5, "mean"), {}),
        ((3,), (1, "means"), {}),
        ((0, 2), (1, "mean"), {}),
    ],
)
def test_what_numpy_refuses_is_refused_on_a_tape_with_numpys_words(shape, args, options):
    with pytest.raises((ValueError, TypeError)) as expected:
        numpy.pad(numpy.ones(shape), *args, **options)
    with pytest.raises(expected.type) as found:
        minpy.grad(lambda x: np.pad(x, *args, **options).sum())(np.ones(shape))
    assert str(found.value) == str(expected.value)


def test_an_empty_array_is_padded_where_it_has_elements_to_take():
    x = np.ones((0, 2))
    assert minpy.grad(lambda a: np.pad(a, ((0, 0), (1, 2)), "mean").sum())(x).shape == (0, 2)


@pytest.mark.parametrize("endpoint", [True, False])
def test_linspace_on_a_tape_has_numpys_bits(endpoint):
    for start, stop in ((0.1, 7.3), (2.0, 2.0), (numpy.array([1.0, 3.0]), numpy.array([1.0, 9.7]))):
        seen = []

        def kept(a, seen=seen, stop=stop):
            seen.append(np.linspace(a, stop, 11, endpoint))
            return seen[0]

        minpy.make_vjp(kept)(np.array(numpy.asarray(start)))
        expected = numpy.linspace(start, stop, 11, endpoint)
        numpy.testing.assert_array_equal(seen[0].asnumpy(), expected)


def test_the_median_of_infinities_is_numpys_on_a_tape():
    x = np.array([numpy.inf, numpy.inf, numpy.inf, 1.0])
    value, _ = minpy.make_jvp(np.median)(x)(np.ones(4))
    assert value.item() == numpy.inf
