"""What is reported beside the loss: Keras' metrics, exact over batches of any sizes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from minpy.by_name import NameTable, snake_case
from minpy.losses import (
    FunctionLoss,
    Loss,
    binary_crossentropy,
    binary_focal_crossentropy,
    categorical_crossentropy,
    categorical_focal_crossentropy,
    categorical_hinge,
    crossentropy,
    hinge,
    huber,
    kl_divergence,
    log_cosh,
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_squared_error,
    mean_squared_logarithmic_error,
    poisson,
    sparse_categorical_crossentropy,
    squared_hinge,
)
from minpy.metrics.accuracy import (
    Accuracy,
    AccuracyByShape,
    BinaryAccuracy,
    CategoricalAccuracy,
    SparseCategoricalAccuracy,
    SparseTopKCategoricalAccuracy,
    TopKCategoricalAccuracy,
    accuracy,
    binary_accuracy,
    categorical_accuracy,
    kind_of_accuracy,
    sparse_categorical_accuracy,
    sparse_top_k_categorical_accuracy,
    top_k_categorical_accuracy,
)
from minpy.metrics.auc import AUC
from minpy.metrics.confusion import (
    FalseNegatives,
    FalsePositives,
    Precision,
    PrecisionAtRecall,
    Recall,
    RecallAtPrecision,
    SensitivityAtSpecificity,
    SpecificityAtSensitivity,
    TrueNegatives,
    TruePositives,
)
from minpy.metrics.error import (
    BinaryCrossentropy,
    CategoricalCrossentropy,
    CategoricalHinge,
    ConcordanceCorrelation,
    CosineSimilarity,
    Hinge,
    KLDivergence,
    LogCoshError,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanSquaredError,
    MeanSquaredLogarithmicError,
    PearsonCorrelation,
    Poisson,
    R2Score,
    RootMeanSquaredError,
    SparseCategoricalCrossentropy,
    SquaredHinge,
    concordance_correlation,
    cosine_similarity,
    pearson_correlation,
)
from minpy.metrics.f_score import F1Score, FBetaScore
from minpy.metrics.iou import (
    BinaryIoU,
    CohenKappa,
    ConfusionMatrix,
    IoU,
    MeanIoU,
    OneHotIoU,
    OneHotMeanIoU,
)
from minpy.metrics.metric import Mean, MeanMetricWrapper, Metric, Sum

_table = NameTable(
    "metric",
    [
        AccuracyByShape,
        BinaryAccuracy,
        CategoricalAccuracy,
        SparseCategoricalAccuracy,
        TopKCategoricalAccuracy,
        SparseTopKCategoricalAccuracy,
        MeanSquaredError,
        RootMeanSquaredError,
        MeanAbsoluteError,
        MeanAbsolutePercentageError,
        MeanSquaredLogarithmicError,
        LogCoshError,
        CosineSimilarity,
        R2Score,
        PearsonCorrelation,
        ConcordanceCorrelation,
        BinaryCrossentropy,
        CategoricalCrossentropy,
        SparseCategoricalCrossentropy,
        KLDivergence,
        Poisson,
        Hinge,
        SquaredHinge,
        CategoricalHinge,
        TruePositives,
        TrueNegatives,
        FalsePositives,
        FalseNegatives,
        Precision,
        Recall,
        AUC,
        SensitivityAtSpecificity,
        SpecificityAtSensitivity,
        PrecisionAtRecall,
        RecallAtPrecision,
        F1Score,
        FBetaScore,
        IoU,
        MeanIoU,
        BinaryIoU,
        OneHotIoU,
        OneHotMeanIoU,
        ConfusionMatrix,
        CohenKappa,
        Mean,
        Sum,
    ],
    aliases={
        "acc": "AccuracyByShape",
        "accuracy": "AccuracyByShape",
        "mse": "MeanSquaredError",
        "rmse": "RootMeanSquaredError",
        "mae": "MeanAbsoluteError",
        "mape": "MeanAbsolutePercentageError",
        "msle": "MeanSquaredLogarithmicError",
        "bce": "BinaryCrossentropy",
        "kld": "KLDivergence",
        "logcosh": "LogCoshError",
        "log_cosh": "LogCoshError",
        "r2": "R2Score",
        "f1": "F1Score",
    },
    folder="minpy.metrics",
    spell=lambda name: "accuracy" if name == "AccuracyByShape" else snake_case(name),
)

serialize = _table.serialize


def get(
    identifier: Any,
    y_true_shape: tuple[int, ...] | None = None,
    y_pred_shape: tuple[int, ...] | None = None,
    custom_objects: Mapping[str, Any] | None = None,
) -> Any:
    """Return the metric that an identifier stands for.

    Parameters
    ----------
    identifier
        A name, a configuration as `serialize` returns it, a `Metric`, a metric class, or a function
        of ``(y_true, y_pred)`` that returns a value for each sample.
    y_true_shape, y_pred_shape
        What ``'accuracy'`` and ``'acc'`` depend on: binary for one output a sample, sparse
        categorical for labels, categorical for one-hot rows. Without them the metric decides at
        its first batch.
    custom_objects
        Classes and functions of your own, by name.

    Returns
    -------
    Metric
        None for None.

    Raises
    ------
    ValueError
        If there is none of that name; the message suggests the nearest.

    Examples
    --------
    >>> get('accuracy', (32,), (32, 10))
    <SparseCategoricalAccuracy 'accuracy'>
    """
    if isinstance(identifier, str) and identifier.lower() in ("acc", "accuracy"):
        if y_true_shape is None or y_pred_shape is None:
            return AccuracyByShape(identifier)
        return kind_of_accuracy(y_true_shape, y_pred_shape)(identifier)
    if isinstance(identifier, str) and identifier.lower() in ("ce", "crossentropy"):
        return MeanMetricWrapper(crossentropy, identifier)
    return _as_metric(_table.get(identifier, custom_objects))


def deserialize(config: Any, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """Return the metric that `serialize` was given."""
    # Keras' Accuracy compares for equality; only its name in lower case depends on the shapes.
    if isinstance(config, Mapping) and config.get("class_name") == "Accuracy":
        return Accuracy(**config.get("config", {}))
    return _as_metric(_table.deserialize(config, custom_objects))


def _as_metric(found: Any) -> Any:
    if found is None or isinstance(found, Metric):
        return found
    if isinstance(found, Loss):
        call = found.function if isinstance(found, FunctionLoss) else found.call
        options = found.options if isinstance(found, FunctionLoss) else {}
        return MeanMetricWrapper(call, found.name, **options)
    if hasattr(found, "update_state"):
        return found
    return MeanMetricWrapper(found)
