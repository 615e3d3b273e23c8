"""Masks do to losses and training what they do in Keras."""

from __future__ import annotations

import json
import types
import warnings

import keras_masks
import numpy
import pytest

from minpy import layers, losses, models, optimizers

KERAS = json.loads(keras_masks.EXPECTED.read_text())["cases"]


class Mean(layers.GlobalAveragePooling1D):
    """Averages the steps that count."""


API = types.SimpleNamespace(
    **{
        name: getattr(layers, name)
        for name in (
            *("Add", "Concatenate", "Dense", "Dropout", "Embedding"),
            *("GRU", "Input", "LSTM", "Masking"),
        )
    },
    Mean=Mean,
    Model=models.Model,
    SGD=optimizers.SGD,
    Sequential=models.Sequential,
    SparseCategoricalCrossentropy=losses.SparseCategoricalCrossentropy,
    cast=lambda x, dtype: x.astype(dtype),
)


def name_of(case):
    make, loss, _, weight = KERAS_CASES[case]
    shape = "" if weight is None else f"-weights{len(weight.shape)}d"
    return f"{make.__name__}-{loss}{shape}"


KERAS_CASES = keras_masks.CASES


@pytest.mark.parametrize("case", range(len(KERAS_CASES)), ids=name_of)
def test_twenty_steps_of_training_are_kerass(case):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = keras_masks.run(API, *KERAS_CASES[case])
    expected = KERAS[case]
    numpy.testing.assert_allclose(found["losses"], expected["losses"], rtol=2e-5, atol=2e-6)
    # Loss, metric and weighted metric.
    numpy.testing.assert_allclose(found["evaluated"], expected["evaluated"], rtol=2e-5, atol=2e-6)
    # What all logits have in common isn't held by a softmax: it drifts by the rounding.
    numpy.testing.assert_allclose(found["predicted"], expected["predicted"], atol=2e-5)
    for mine, theirs in zip(found["weights"], expected["weights"], strict=True):
        numpy.testing.assert_allclose(mine, theirs, atol=2e-5)
