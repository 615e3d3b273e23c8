"""Regularizers and constraints against Keras' values, gradients, names, bad arguments."""

from __future__ import annotations

import json
import pathlib

import keras_values as ask
import numpy
import pytest

import minpy
import minpy.numpy as np
from minpy import constraints, regularizers
from minpy.errors import ShapeError

EXPECTED = json.loads(pathlib.Path(__file__).with_name("keras_values.json").read_text())
MATRIX = ask.numbers((3, 4), 5)


def name_of(case):
    return f"{case[0]}-{json.dumps(case[1])}"


@pytest.mark.parametrize("case", EXPECTED["regularizers"], ids=name_of)
def test_regularizer_has_the_value_that_keras_gives_and_a_gradient(case):
    name, arguments, expected = case
    made = getattr(regularizers, name)(**arguments)
    x = np.array(MATRIX.astype("float32"))
    assert float(made(x)) == pytest.approx(expected, rel=2e-6)
    minpy.check_grads(made, order=1)(np.array(MATRIX))
    again = regularizers.deserialize(json.loads(json.dumps(regularizers.serialize(made))))
    assert float(again(x)) == float(made(x))


@pytest.mark.parametrize("case", EXPECTED["constraints"], ids=name_of)
def test_constraint_allows_what_keras_allows(case):
    name, arguments, expected = case
    made = getattr(constraints, name)(**arguments)
    w = np.array(MATRIX.astype("float32"))
    numpy.testing.assert_allclose(made(w).asnumpy(), expected, rtol=2e-6, atol=1e-7)
    numpy.testing.assert_array_equal(w.asnumpy(), MATRIX.astype("float32"))
    again = constraints.deserialize(json.loads(json.dumps(constraints.serialize(made))))
    numpy.testing.assert_array_equal(again(w).asnumpy(), made(w).asnumpy())


def test_constraints_of_convolution_kernels_measure_the_axes_told():
    w = np.array(numpy.random.default_rng(0).normal(size=(4, 3, 2, 2)) * 5)
    norms = numpy.sqrt((constraints.MaxNorm(1.0, axis=(1, 2, 3))(w).asnumpy() ** 2).sum((1, 2, 3)))
    numpy.testing.assert_allclose(norms, 1.0, rtol=1e-6)
    config = constraints.serialize(constraints.MaxNorm(1.0, axis=(1, 2, 3)))
    again = constraints.deserialize(json.loads(json.dumps(config)))
    norms = numpy.sqrt((again(w).asnumpy() ** 2).sum((1, 2, 3)))
    numpy.testing.assert_allclose(norms, 1.0, rtol=1e-6)


def test_columns_of_zeros_stay_finite():
    w = np.zeros((3, 2))
    for made in (constraints.UnitNorm(), constraints.MaxNorm(), constraints.MinMaxNorm(0.5, 1.0)):
        assert numpy.isfinite(made(w).asnumpy()).all()
    value, gradient = minpy.value_and_grad(regularizers.OrthogonalRegularizer())(w)
    assert float(value) == 0 and numpy.isfinite(gradient.asnumpy()).all()


def test_a_regularizer_of_nothing_is_nothing():
    x = np.array([[1.0, -2.0]])
    assert float(regularizers.L1L2()(x)) == 0
    assert float(regularizers.get("l1_l2")(x)) == 0
    assert float(regularizers.OrthogonalRegularizer()(x)) == 0


def test_names_and_functions():
    assert type(regularizers.get("l2")) is regularizers.L2
    assert type(regularizers.get("L1L2")) is regularizers.L1L2
    assert type(constraints.get("max_norm")) is constraints.MaxNorm
    assert type(constraints.get("nonneg")) is constraints.NonNeg
    assert regularizers.get(None) is None and constraints.get(None) is None

    def own(x):
        return np.sum(x)

    assert regularizers.get(own) is own
    assert regularizers.deserialize(regularizers.serialize(own), {"own": own}) is own
    with pytest.raises(ValueError, match="did you mean 'l2'"):
        regularizers.get("l22")
    with pytest.raises(ValueError, match="did you mean 'max_norm'"):
        constraints.get("maxnrm")


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: regularizers.L2(-0.1), "l2"),
        (lambda: regularizers.L1(float("nan")), "l1"),
        (lambda: regularizers.L1L2(l1="much"), "l1"),
        (lambda: regularizers.OrthogonalRegularizer(mode="both"), "mode"),
    ],
)
def test_a_wrong_argument_is_named(make, text):
    with pytest.raises(ValueError, match=text):
        make()


def test_orthogonality_is_of_matrices():
    with pytest.raises(ShapeError, match="two axes"):
        regularizers.OrthogonalRegularizer()(np.zeros((2, 2, 2)))
