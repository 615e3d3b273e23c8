"""Asks Keras on PyTorch for losses of sequences and pairs, and their gradients.

Run it where both are installed, which the tests themselves don't need:

    KERAS_BACKEND=torch python tests/keras_losses.py
"""

from __future__ import annotations

import json
import os
import pathlib

import numpy
from keras_values import numbers, plain, weights

EXPECTED = pathlib.Path(__file__).with_suffix(".json")


def targets(kind):
    """Return targets and predictions of a kind of problem."""
    if kind == "sequences":
        labels = numpy.array([[1, 2, 3, 0], [2, 2, 0, 0], [3, 0, 0, 0], [1, 1, 1, 2], [0, 0, 0, 0]])
        return labels, 3.0 * numbers((5, 8, 4), 3)
    if kind == "embeddings":
        vectors = numbers((7, 3), 4)
        return (
            numpy.array([0, 1, 0, 2, 1, 0, 3]),
            vectors / numpy.linalg.norm(vectors, axis=1, keepdims=True),
        )
    scores = numbers((5, 4), 2, 0.05, 1.0)
    return numpy.array([0, 3, 1, 1, 2]), scores / scores.sum(1, keepdims=True)


LOSSES = [
    ("CTC", {}, "sequences"),
    ("Circle", {}, "embeddings"),
    ("Circle", {"gamma": 5.0, "margin": 0.2, "remove_diagonal": False}, "embeddings"),
    ("CategoricalGeneralizedCrossEntropy", {}, "labels"),
    ("CategoricalGeneralizedCrossEntropy", {"q": 0.9}, "labels"),
]
REDUCTIONS = ["sum_over_batch_size", "sum", "mean_with_sample_weight", "none"]


def by_keras(name, arguments, kind):
    import keras
    import torch

    true, predicted = targets(kind)
    # A tensor, as in fit: an array of labels stays on NumPy's side of the comparison.
    true = torch.tensor(true)
    found = {}
    leaf = torch.tensor(predicted, dtype=torch.float32, requires_grad=True)
    value = getattr(keras.losses, name)(**arguments)(true, leaf)
    value.backward()
    found["value"], found["gradient"] = plain(value.detach().numpy()), plain(leaf.grad.numpy())
    for reduction in REDUCTIONS:
        loss = getattr(keras.losses, name)(reduction=reduction, **arguments)
        given = torch.tensor(weights(len(true)), dtype=torch.float32)
        found[reduction] = plain(loss(true, leaf.detach(), sample_weight=given).numpy())
    return found


def main():
    import keras

    rows = ",\n".join(json.dumps([*case, by_keras(*case)]) for case in LOSSES)
    version = json.dumps(keras.__version__)
    EXPECTED.write_text(f'{{\n"keras": {version},\n"losses": [\n{rows}\n]\n}}\n')


if __name__ == "__main__":
    os.environ.setdefault("KERAS_BACKEND", "torch")
    main()
