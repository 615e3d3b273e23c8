"""Losses of embeddings: samples of a class shall lie near each other, others apart."""

from __future__ import annotations

from typing import Any

import numpy

import minpy.numpy as np
from minpy.array import as_ndarray, ndarray
from minpy.config import settings
from minpy.errors import ShapeError
from minpy.layers.functions.activations import softplus
from minpy.losses.loss import FunctionLoss, Loss, loss_class, prepare

__all__ = [
    "Circle",
    "Contrastive",
    "TripletHard",
    "TripletSemiHard",
    "circle",
    "contrastive",
    "triplet_hard",
    "triplet_semi_hard",
]

# Stands for minus infinity where that would make a derivative NaN; its exponential is zero.
_NEVER = -1e9
# Added to squared distances: the root's derivative at zero is infinite.
_TINY = 1e-12


def _pairs(name: str, y_true: Any, y_pred: Any) -> tuple[ndarray, ndarray]:
    """Return labels as a row of floats, which graphs compare, and embeddings as a matrix."""
    labels, embeddings = as_ndarray(y_true), as_ndarray(y_pred)
    if embeddings.dtype.kind != "f":
        embeddings = embeddings.astype(settings.float_dtype)
    if embeddings.ndim != 2 or labels.shape not in ((len(embeddings),), (len(embeddings), 1)):
        raise ShapeError(
            f"{name}: expected labels of shape (batch,) and embeddings of shape (batch, size), got "
            f"{labels.shape} and {embeddings.shape}"
        )
    return np.reshape(labels, (-1,)).astype(embeddings.dtype), embeddings


def _same(labels: ndarray, others: ndarray) -> ndarray:
    """Return 1 where a pair has one label and 0 elsewhere."""
    rows, columns = np.reshape(labels, (-1, 1)), np.reshape(others, (1, -1))
    return (rows == columns).astype(labels.dtype)


def _log_sum_exp(x: ndarray, mask: ndarray) -> ndarray:
    masked = x * mask + _NEVER * (1.0 - mask)
    top = np.max(masked, axis=1, keepdims=True)
    return np.log(np.sum(np.exp(masked - top), axis=1)) + np.reshape(top, (-1,))


def circle(
    y_true: Any,
    y_pred: Any,
    ref_labels: Any = None,
    ref_embeddings: Any = None,
    remove_diagonal: bool = True,
    gamma: float = 80.0,
    margin: float = 0.4,
) -> ndarray:
    """Weight each pair of embeddings by how far it is from where it should be.

    Parameters
    ----------
    y_true
        Class numbers, ``(batch,)`` or ``(batch, 1)``.
    y_pred
        Embeddings of length one, ``(batch, size)``.
    ref_labels, ref_embeddings
        What they are compared with; themselves if not given.
    remove_diagonal
        Whether a sample's likeness to itself is left out.
    gamma
        Scale of the likenesses.
    margin
        How near pairs should be, or apart.

    Notes
    -----
    Sun et al., 2020, equation 7, in distances as in Keras.
    """
    labels, embeddings = _pairs("circle", y_true, y_pred)
    others, references = labels, embeddings
    if ref_embeddings is not None or ref_labels is not None:
        others, references = _pairs(
            "circle: reference",
            y_true if ref_labels is None else ref_labels,
            y_pred if ref_embeddings is None else ref_embeddings,
        )
    distances = np.maximum(1.0 - np.matmul(embeddings, np.transpose(references)), 0.0)
    positive = _same(labels, others)
    negative = 1.0 - positive
    if remove_diagonal:
        off = 1.0 - numpy.eye(len(embeddings), len(references), dtype=embeddings.dtype)
        positive = positive * off
    towards = gamma * np.maximum(margin + distances, 0.0) * (distances - margin)
    apart = gamma * np.maximum(1.0 + margin - distances, 0.0) * (1.0 - margin - distances)
    return softplus(_log_sum_exp(towards, positive) + _log_sum_exp(apart, negative))


class Circle(FunctionLoss):
    """Weight each pair of embeddings by how far it is from where it should be.

    Parameters
    ----------
    gamma, margin, remove_diagonal
        As of `circle`. As in Keras, samples whose loss is zero don't count in a mean.
    reduction, name, dtype
        As of `Loss`.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> far = np.array([[1., 0.], [1., 0.], [0., 1.]])
    >>> near = np.array([[1., 0.], [0., 1.], [1., 0.]])
    >>> bool(Circle()(np.array([0, 0, 1]), far) < Circle()(np.array([0, 0, 1]), near))
    True
    """

    def __init__(
        self,
        gamma: float = 80.0,
        margin: float = 0.4,
        remove_diagonal: bool = True,
        reduction: str | None = "sum_over_batch_size",
        name: str = "circle",
        dtype: Any = None,
    ) -> None:
        options = {"gamma": gamma, "margin": margin, "remove_diagonal": remove_diagonal}
        super().__init__(circle, name, reduction, dtype, **options)

    def call(self, y_true: ndarray, y_pred: ndarray) -> Any:
        """Return the losses of the samples, and which of them count: those that aren't zero."""
        values = circle(y_true, y_pred, **self.options)
        return values, (values > 0).astype(values.dtype)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal loss."""
        return {**Loss.get_config(self), **self.options}


def contrastive(y_true: Any, y_pred: Any, margin: float = 1.0) -> ndarray:
    """Square of a distance for pairs of one kind, of what is missing to `margin` for others.

    Parameters
    ----------
    y_true
        1 for pairs that belong together, 0 for others.
    y_pred
        Distances of the pairs, of the same shape.
    margin
        The distance from which other pairs cost nothing.

    Notes
    -----
    Hadsell, Chopra and LeCun, 2006, equation 4, without the halves.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> contrastive(np.array([1., 0.]), np.array([0.5, 0.5]))
    array([0.25, 0.25])
    """
    y_true, y_pred = prepare("contrastive", y_true, y_pred)
    missing = np.maximum(margin - y_pred, 0.0)
    return y_true * y_pred * y_pred + (1.0 - y_true) * missing * missing


def _distances(embeddings: ndarray) -> ndarray:
    squares = np.sum(embeddings * embeddings, axis=1)
    products = np.matmul(embeddings, np.transpose(embeddings))
    total = np.reshape(squares, (-1, 1)) + np.reshape(squares, (1, -1)) - 2.0 * products
    # What rounding leaves on the diagonal is not a distance.
    off = 1.0 - numpy.eye(len(embeddings), dtype=embeddings.dtype)
    return np.sqrt(np.maximum(total, 0.0) * off + _TINY)


def triplet_hard(y_true: Any, y_pred: Any, margin: float = 1.0, soft: bool = False) -> ndarray:
    """Compare each sample's farthest fellow with its nearest stranger.

    Parameters
    ----------
    y_true
        Class numbers, ``(batch,)`` or ``(batch, 1)``.
    y_pred
        Embeddings, ``(batch, size)``.
    margin
        How much farther the stranger should be.
    soft
        Whether to take the softplus of the difference instead of what is above zero with the
        margin.

    Notes
    -----
    Hermans, Beyer and Leibe, 2017, equation 5. A sample without fellows is compared with itself,
    one without strangers costs nothing.
    """
    labels, embeddings = _pairs("triplet_hard", y_true, y_pred)
    distances, same = _distances(embeddings), _same(labels, labels)
    farthest = np.max(distances * same, axis=1)
    nearest = np.min(distances + same * -_NEVER, axis=1)
    difference = farthest - nearest
    return softplus(difference) if soft else np.maximum(difference + margin, 0.0)


def triplet_semi_hard(y_true: Any, y_pred: Any, margin: float = 1.0) -> ndarray:
    """Compare each pair of fellows with the nearest stranger that is farther than they are apart.

    Parameters
    ----------
    y_true
        Class numbers, ``(batch,)`` or ``(batch, 1)``.
    y_pred
        Embeddings, ``(batch, size)``.
    margin
        How much farther the stranger should be.

    Returns
    -------
    ndarray
        The mean over its pairs for each sample, ``(batch,)``; 0 for one without fellows.

    Notes
    -----
    Schroff, Kalenichenko and Philbin, 2015, section 3.2: where no stranger is farther, the
    farthest one is taken. Takes memory in the third power of the batch.
    """
    labels, embeddings = _pairs("triplet_semi_hard", y_true, y_pred)
    distances, same = _distances(embeddings), _same(labels, labels)
    strangers = 1.0 - same
    fellows = same * (1.0 - numpy.eye(len(embeddings), dtype=embeddings.dtype))
    count = len(embeddings)
    pair = np.reshape(distances, (count, count, 1))
    other = np.reshape(distances, (count, 1, count))
    allowed = np.reshape(strangers, (count, 1, count)) * (other > pair).astype(distances.dtype)
    outside = np.min(other * allowed + (1.0 - allowed) * -_NEVER, axis=2)
    inside = np.reshape(np.max(distances * strangers, axis=1), (count, 1))
    found = (outside < -_NEVER / 2).astype(distances.dtype)
    nearest = outside * found + inside * (1.0 - found)
    lonely = (np.sum(strangers, axis=1, keepdims=True) == 0).astype(distances.dtype)
    losses = np.maximum(distances - nearest + margin, 0.0) * fellows * (1.0 - lonely)
    return np.sum(losses, axis=1) / np.maximum(np.sum(fellows, axis=1), 1.0)


Contrastive = loss_class(contrastive, "Contrastive")
TripletHard = loss_class(triplet_hard, "TripletHard")
TripletSemiHard = loss_class(triplet_semi_hard, "TripletSemiHard")
