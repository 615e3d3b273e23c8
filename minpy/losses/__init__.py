"""What training makes small: Keras' losses, as functions of a sample and as classes of a batch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from minpy.by_name import NameTable
from minpy.losses.crossentropy import (
    BinaryCrossentropy,
    BinaryFocalCrossentropy,
    CategoricalCrossentropy,
    CategoricalFocalCrossentropy,
    CategoricalGeneralizedCrossEntropy,
    KLDivergence,
    Poisson,
    SparseCategoricalCrossentropy,
    binary_crossentropy,
    binary_focal_crossentropy,
    categorical_crossentropy,
    categorical_focal_crossentropy,
    categorical_generalized_cross_entropy,
    crossentropy,
    kl_divergence,
    poisson,
    sparse_categorical_crossentropy,
)
from minpy.losses.ctc import CTC, ctc
from minpy.losses.hinge_losses import (
    CategoricalHinge,
    Hinge,
    SquaredHinge,
    categorical_hinge,
    hinge,
    squared_hinge,
)
from minpy.losses.loss import FunctionLoss, Loss
from minpy.losses.metric_learning import (
    Circle,
    Contrastive,
    TripletHard,
    TripletSemiHard,
    circle,
    contrastive,
    triplet_hard,
    triplet_semi_hard,
)
from minpy.losses.overlap import Dice, Tversky, dice, tversky
from minpy.losses.regression import (
    CosineSimilarity,
    Huber,
    LogCosh,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanSquaredError,
    MeanSquaredLogarithmicError,
    cosine_similarity,
    huber,
    log_cosh,
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_squared_error,
    mean_squared_logarithmic_error,
)

_table = NameTable(
    "loss",
    [
        SparseCategoricalCrossentropy,
        CategoricalCrossentropy,
        BinaryCrossentropy,
        MeanSquaredError,
        MeanAbsoluteError,
        MeanAbsolutePercentageError,
        MeanSquaredLogarithmicError,
        Huber,
        LogCosh,
        CosineSimilarity,
        KLDivergence,
        Poisson,
        Hinge,
        SquaredHinge,
        CategoricalHinge,
        BinaryFocalCrossentropy,
        CategoricalFocalCrossentropy,
        Dice,
        Tversky,
        CTC,
        CategoricalGeneralizedCrossEntropy,
        Circle,
        Contrastive,
        TripletHard,
        TripletSemiHard,
    ],
    aliases={
        "mse": "MeanSquaredError",
        "mae": "MeanAbsoluteError",
        "mape": "MeanAbsolutePercentageError",
        "msle": "MeanSquaredLogarithmicError",
        "bce": "BinaryCrossentropy",
        "kld": "KLDivergence",
        "kullback_leibler_divergence": "KLDivergence",
        "huber_loss": "Huber",
        "sparse_categorical_cross_entropy": "SparseCategoricalCrossentropy",
        "categorical_cross_entropy": "CategoricalCrossentropy",
        "binary_cross_entropy": "BinaryCrossentropy",
    },
    folder="minpy.losses",
)


def get(identifier: Any, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """Return the loss that an identifier stands for.

    Parameters
    ----------
    identifier
        A name (``'crossentropy'`` and ``'ce'`` choose theirs by the shapes), a configuration as
        `serialize` returns it, a `Loss`, a loss class, or a function of
        ``(y_true, y_pred)`` that returns a loss for each sample.
    custom_objects
        Classes and functions of your own, by name.

    Returns
    -------
    Loss
        To be called with ``(y_true, y_pred, sample_weight=None)``; None for None. Functions come
        back as a `FunctionLoss`, which takes the mean over the samples.

    Examples
    --------
    >>> get('mse')
    MeanSquaredError(name='mean_squared_error', reduction='sum_over_batch_size')
    """
    if isinstance(identifier, str) and identifier.lower() in ("ce", "crossentropy"):
        return FunctionLoss(crossentropy)
    return _as_loss(_table.get(identifier, custom_objects))


def serialize(loss: Any) -> Any:
    """Return the name of a loss function, or the name and configuration of a loss."""
    return _table.serialize(loss.function if type(loss) is FunctionLoss else loss)


def deserialize(config: Any, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """Return the loss that `serialize` was given."""
    return _as_loss(_table.deserialize(config, custom_objects))


def _as_loss(found: Any) -> Any:
    if found is None or isinstance(found, Loss):
        return found
    return FunctionLoss(found)
