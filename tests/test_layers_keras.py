"""Layers beside Keras': outputs, gradients, training in graphs and outside, configurations."""

from __future__ import annotations

import pytest
from keras_layer_checks import (
    cases_of,
    check_configuration,
    check_training,
    check_values,
    is_trained,
)

CASES = cases_of("activations", "attention", "core", "merging", "normalization")
TRAINED = [p for p in CASES if is_trained(p)]


@pytest.mark.parametrize("case", CASES)
def test_values_and_gradients_are_those_of_keras(case):
    check_values(case)


@pytest.mark.parametrize("jit", ["auto", False])
@pytest.mark.parametrize("case", TRAINED)
def test_twenty_steps_of_training_are_those_of_keras(case, jit):
    check_training(case, jit)


@pytest.mark.parametrize("case", CASES)
def test_a_configuration_makes_an_equal_layer(case, tmp_path):
    check_configuration(case, tmp_path)
