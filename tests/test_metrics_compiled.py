"""Each metric counts the same compiled, operation by operation, and over unequal batches."""

from __future__ import annotations

import numpy
import pytest

from minpy import metrics, random
from minpy.layers import Dense
from minpy.models import Sequential

SAMPLES, BATCH = 23, 5
X = numpy.cos(numpy.arange(SAMPLES * 4)).reshape(SAMPLES, 4).astype("float32")
LABELS = numpy.arange(SAMPLES) * 7 % 3
ONE_HOT = numpy.eye(3, dtype="float32")[LABELS]
YES = (numpy.arange(SAMPLES) * 5 % 3 > 0).astype("float32")[:, None]
WEIGHTS = (1.0 + numpy.arange(SAMPLES) % 4).astype("float32")

# Targets → (units, activation, loss, metrics of such targets with the arguments they need).
KINDS = {
    "labels": (
        LABELS,
        3,
        "softmax",
        "sparse_categorical_crossentropy",
        {
            "SparseCategoricalAccuracy": {},
            "SparseCategoricalCrossentropy": {},
            "SparseTopKCategoricalAccuracy": {"k": 2},
            "IoU": {"num_classes": 3, "target_class_ids": [0, 2], "sparse_y_pred": False},
            "MeanIoU": {"num_classes": 3, "sparse_y_pred": False},
        },
    ),
    "one-hot rows": (
        ONE_HOT,
        3,
        "softmax",
        "categorical_crossentropy",
        {
            "CategoricalAccuracy": {},
            "CategoricalCrossentropy": {},
            "CategoricalHinge": {},
            "F1Score": {"average": "macro"},
            "FBetaScore": {"average": "weighted", "beta": 0.5},
            "KLDivergence": {},
            "OneHotIoU": {"num_classes": 3, "target_class_ids": [1]},
            "OneHotMeanIoU": {"num_classes": 3},
            "TopKCategoricalAccuracy": {"k": 2},
        },
    ),
    "yes or no": (
        YES,
        1,
        "sigmoid",
        "binary_crossentropy",
        {
            "AUC": {},
            "BinaryAccuracy": {},
            "BinaryCrossentropy": {},
            "BinaryIoU": {},
            "FalseNegatives": {},
            "FalsePositives": {},
            "Hinge": {},
            "Precision": {},
            "PrecisionAtRecall": {"recall": 0.5},
            "Recall": {},
            "RecallAtPrecision": {"precision": 0.5},
            "SensitivityAtSpecificity": {"specificity": 0.5},
            "SpecificityAtSensitivity": {"sensitivity": 0.5},
            "SquaredHinge": {},
            "TrueNegatives": {},
            "TruePositives": {},
        },
    ),
    "numbers": (
        X[:, :2] * 2 + 1.5,
        2,
        None,
        "mse",
        {
            "ConcordanceCorrelation": {},
            "CosineSimilarity": {},
            "LogCoshError": {},
            "MeanAbsoluteError": {},
            "MeanAbsolutePercentageError": {},
            "MeanSquaredError": {},
            "MeanSquaredLogarithmicError": {},
            "PearsonCorrelation": {},
            "Poisson": {},
            "R2Score": {},
            "RootMeanSquaredError": {},
        },
    ),
}
# Bases, sums of what they are given, equality of labels; tables are in test_metrics_agreement.
OTHERS = {
    "Accuracy",
    "AccuracyByShape",
    "CohenKappa",
    "ConfusionMatrix",
    "Mean",
    "MeanMetricWrapper",
    "Metric",
    "Sum",
}


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_compiled_eager_and_all_at_once_are_one_number(kind, weighted):
    y, units, activation, loss, kinds = KINDS[kind]
    found = {}
    for jit in ("auto", False):
        random.seed(4)
        model = Sequential([Dense(5, activation="tanh"), Dense(units, activation=activation)])
        made = [getattr(metrics, name)(**told) for name, told in kinds.items()]
        told = {"weighted_metrics" if weighted else "metrics": made}
        model.compile("sgd", loss, jit=jit, **told)
        weights = WEIGHTS if weighted else None
        model.fit(X, y, BATCH, 2, verbose=0, shuffle=False, sample_weight=weights)
        arguments = {"sample_weight": weights, "verbose": 0, "return_dict": True}
        found[jit] = model.evaluate(X, y, batch_size=BATCH, **arguments)
        found["trained", jit] = {n: v for n, (*_, v) in model.history.history.items()}
        predicted = model.predict(X, verbose=0)
        for metric in made:
            metric.reset_state()
            metric.update_state(y, predicted, weights)
            expected = numpy.asarray(metric.result())
            got = found[jit][metric.name]
            numpy.testing.assert_allclose(got, expected, rtol=2e-5, err_msg=metric.name)
    for a, b in (
        (found["auto"], found[False]),
        (found["trained", "auto"], found["trained", False]),
    ):
        assert list(a) == list(b)
        for name in a:
            numpy.testing.assert_allclose(a[name], b[name], rtol=2e-5, err_msg=name)


def test_no_metric_is_forgotten():
    public = {
        name
        for name, value in vars(metrics).items()
        if isinstance(value, type) and issubclass(value, metrics.Metric)
    }
    tried = {name for *_, kinds in KINDS.values() for name in kinds}
    assert tried <= public
    assert public - tried - OTHERS == set()
