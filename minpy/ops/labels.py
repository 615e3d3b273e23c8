"""Connectionist temporal classification as operations: the loss, and what was most likely said."""

from __future__ import annotations

from typing import Any

import numpy

import minpy.numpy as np
from minpy.array import as_ndarray, numpy_value, wrap
from minpy.errors import ShapeError
from minpy.layers.functions.ctc import ctc
from minpy.ops.operation import operation

__all__ = ["ctc_decode", "ctc_loss"]


@operation
def ctc_loss(
    target: Any, output: Any, target_length: Any, output_length: Any, mask_index: int = 0
) -> Any:
    """Return minus the log likelihood of each sample's labels, over all their alignments.

    Parameters
    ----------
    target
        Labels, of shape (batch, labels).
    output
        Logits, of shape (batch, steps, classes).
    target_length, output_length
        How many labels and steps of each sample count.
    mask_index
        The class that stands for no label.

    Notes
    -----
    Graves et al., "Connectionist temporal classification", ICML 2006.

    Examples
    --------
    >>> import numpy
    >>> from minpy import ops
    >>> ops.ctc_loss([[1]], numpy.zeros((1, 1, 2), 'float32'), [1], [1])
    array([0.6931472])
    """
    target, output = as_ndarray(target), as_ndarray(output)
    if output.ndim != 3 or target.ndim != 2 or len(target) != len(output):
        raise ShapeError(
            "ctc_loss: expected labels (batch, labels) and logits (batch, steps, classes), got "
            f"{target.shape} and {output.shape}"
        )
    target = target.astype("float32")  # in graphs numbers are floats
    classes, steps, labels = output.shape[2], output.shape[1], target.shape[1]
    if mask_index % classes:
        blank = mask_index % classes
        order = [blank, *(i for i in range(classes) if i != blank)]
        output = np.concatenate([output[:, :, i : i + 1] for i in order], axis=2)
        target = np.where(target < blank, target + 1, target)
    counts = np.reshape(as_ndarray(target_length), (-1, 1))
    target = np.where(np.arange(labels)[None] < counts, target, 0.0)
    # A step that doesn't count says nothing for certain: that leaves the likelihood as it is.
    counts = np.reshape(as_ndarray(output_length), (-1, 1, 1))
    nothing = np.where(np.arange(classes) == 0, 0.0, -1e9).astype(output.dtype)
    output = np.where(np.arange(steps)[None, :, None] < counts, output, nothing)
    return ctc(output, target)


def ctc_decode(
    inputs: Any,
    sequence_lengths: Any,
    strategy: str = "greedy",
    beam_width: int = 100,
    top_paths: int = 1,
    merge_repeated: bool = True,
    mask_index: int = 0,
) -> tuple[Any, Any]:
    """Return the labels of the likeliest class at each step, and how likely they are.

    Parameters
    ----------
    inputs
        Scores, of shape (batch, steps, classes).
    sequence_lengths
        How many steps of each sample count.
    strategy
        ``'greedy'``.
    beam_width, top_paths
        Of a search along beams, which isn't there.
    merge_repeated
        Whether a class at steps in succession is one label.
    mask_index
        The class that stands for no label.

    Returns
    -------
    labels, scores
        Of shape (1, batch, steps), with -1 behind the labels; and (batch, 1), minus the sum of the
        largest scores.

    Examples
    --------
    >>> import numpy
    >>> from minpy import ops
    >>> said = numpy.eye(4)[[[2, 2, 0, 2, 3]]]
    >>> ops.ctc_decode(said, [5])[0]
    array([[[ 2,  2,  3, -1, -1]]])
    """
    if strategy != "greedy":
        raise ValueError(f"ctc_decode: expected strategy 'greedy', got {strategy!r}")
    scores = numpy_value(as_ndarray(inputs))
    if scores.ndim != 3:
        raise ShapeError(f"ctc_decode: expected (batch, steps, classes), got {scores.shape}")
    steps = scores.shape[1]
    counts = numpy.arange(steps) < numpy.asarray(sequence_lengths).reshape(-1, 1)
    best = numpy.where(counts, scores.argmax(2), mask_index)
    labelled = best != mask_index
    if merge_repeated:
        labelled[:, 1:] &= best[:, 1:] != best[:, :-1]
    found = numpy.full(best.shape, -1)
    rows = numpy.nonzero(labelled)[0]
    places = (labelled.cumsum(1) - 1)[labelled]
    found[rows, places] = best[labelled]
    total = -numpy.where(counts, scores.max(2), 0.0).sum(1, keepdims=True)
    return wrap(found[None]), wrap(total.astype(scores.dtype))
