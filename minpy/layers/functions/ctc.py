"""Connectionist temporal classification: the likelihood of a label over all its alignments.

Class 0 is the blank. A label's alignments are the sequences of classes that become the label when
repetitions are merged and blanks dropped; their probabilities are added up step by step over the
label with blanks around its symbols (Graves et al., 2006, section 4.1). It knows no model.
"""

from __future__ import annotations

from typing import Any

import numpy

from minpy.autograd.rules import defjvp, defvjp
from minpy.errors import DifferentiationError
from minpy.layers.functions.operands import refuse_unsupported
from minpy.primitives import Primitive, registry

__all__ = ["ctc", "fitting"]

_NEVER = -numpy.inf


class _Alignments:
    """Log probabilities over the positions of extended labels: blank, symbol, blank, …, blank."""

    def __init__(self, x: numpy.ndarray, labels: numpy.ndarray) -> None:
        labels = labels.astype(numpy.int64)
        samples, steps, _ = x.shape
        top = x.max(-1, keepdims=True)
        shifted = x - top
        # In float64: a hundred steps of adding up small probabilities.
        self.log_softmax = shifted - numpy.log(numpy.exp(shifted).sum(-1, keepdims=True))
        self.lengths = (labels != 0).sum(1)
        self.positions = numpy.zeros((samples, 2 * labels.shape[1] + 1), numpy.int64)
        self.positions[:, 1::2] = labels
        self.scores = numpy.take_along_axis(
            self.log_softmax, numpy.repeat(self.positions[:, None], steps, 1), -1
        ).astype(numpy.float64)
        # From one symbol to the next without the blank between, where they differ.
        self.skips = numpy.zeros(self.positions.shape, bool)
        self.skips[:, 2:] = (self.positions[:, 2:] != 0) & (
            self.positions[:, 2:] != self.positions[:, :-2]
        )
        rows = numpy.arange(samples)
        self.ends = numpy.zeros(self.positions.shape, bool)
        self.ends[rows, 2 * self.lengths] = True
        self.ends[rows, numpy.maximum(2 * self.lengths - 1, 0)] = True

    def forward(self) -> numpy.ndarray:
        """Return the log probability of all beginnings that end at a step and position."""
        scores = self.scores
        before = numpy.full_like(scores, _NEVER)
        before[:, 0, :2] = scores[:, 0, :2]
        for t in range(1, scores.shape[1]):
            last = before[:, t - 1]
            total = last.copy()
            total[:, 1:] = numpy.logaddexp(total[:, 1:], last[:, :-1])
            jumped = numpy.where(self.skips[:, 2:], last[:, :-2], _NEVER)
            total[:, 2:] = numpy.logaddexp(total[:, 2:], jumped)
            before[:, t] = total + scores[:, t]
        return before

    def backward(self) -> numpy.ndarray:
        """Return the log probability of all ends that begin at a step and position."""
        scores = self.scores
        after = numpy.full_like(scores, _NEVER)
        after[:, -1] = numpy.where(self.ends, scores[:, -1], _NEVER)
        for t in range(scores.shape[1] - 2, -1, -1):
            following = after[:, t + 1]
            total = following.copy()
            total[:, :-1] = numpy.logaddexp(total[:, :-1], following[:, 1:])
            jumped = numpy.where(self.skips[:, 2:], following[:, 2:], _NEVER)
            total[:, :-2] = numpy.logaddexp(total[:, :-2], jumped)
            after[:, t] = total + scores[:, t]
        return after

    def log_likelihood(self, before: numpy.ndarray) -> numpy.ndarray:
        """Return a value a sample; minus infinity for a label that doesn't fit."""
        return numpy.logaddexp.reduce(numpy.where(self.ends, before[:, -1], _NEVER), axis=1)


def _ctc(x: numpy.ndarray, labels: numpy.ndarray) -> numpy.ndarray:
    with numpy.errstate(all="ignore"):
        alignments = _Alignments(x, labels)
        found = alignments.log_likelihood(alignments.forward())
    return numpy.where(numpy.isneginf(found), 0.0, -found).astype(x.dtype)


def _ctc_gradient(g: numpy.ndarray, x: numpy.ndarray, labels: numpy.ndarray) -> numpy.ndarray:
    with numpy.errstate(all="ignore"):
        alignments = _Alignments(x, labels)
        before = alignments.forward()
        likelihood = alignments.log_likelihood(before)[:, None, None]
        through = before + alignments.backward() - alignments.scores - likelihood
    fits = ~numpy.isneginf(likelihood)
    visits = numpy.where(fits & ~numpy.isnan(through), numpy.exp(through), 0.0)
    found = numpy.exp(alignments.log_softmax).astype(numpy.float64)
    samples, steps, _ = x.shape
    at = (
        numpy.arange(samples)[:, None, None],
        numpy.arange(steps)[:, None],
        alignments.positions[:, None],
    )
    numpy.subtract.at(found, at, visits)
    return (numpy.where(fits, found, 0.0) * g[:, None, None]).astype(x.dtype)


def _mx_ctc(F: Any, x: Any, labels: Any) -> Any:
    refuse_unsupported(x)
    return F("CTCLoss", F("transpose", x, axes=(1, 0, 2)), labels, blank_label="first")


# ctc(logits, labels): minus the log likelihood of each row of labels, which end in zeros; 0 for
# those that don't fit into the steps, as MXNet's operator has it.
ctc = Primitive("ctc", _ctc, arrays=2, mxnet=_mx_ctc)
# ctc_gradient(g, logits, labels): what the gradient of each sample's loss adds to the logits'.
ctc_gradient = Primitive("ctc_gradient", _ctc_gradient, arrays=3)


def _of_ones(ans: Any, x: Any, labels: Any) -> Any:
    return ctc_gradient(registry["ones_like"](ans), x, labels)


def _no_second_derivative(*_: Any) -> Any:
    raise DifferentiationError("ctc: has a first derivative only")


def _per_sample(a: Any) -> Any:
    return registry["sum"](a, (1, 2))


defvjp(ctc, lambda ans, x, labels: lambda g: ctc_gradient(g, x, labels), None)
defjvp(ctc, lambda t, ans, x, labels: _per_sample(_of_ones(ans, x, labels) * t), None)
defvjp(
    ctc_gradient,
    lambda ans, g, x, labels: (
        lambda h: _per_sample(h * ctc_gradient(registry["ones_like"](g), x, labels))
    ),
    _no_second_derivative,
    None,
)
defjvp(
    ctc_gradient,
    lambda t, ans, g, x, labels: ctc_gradient(t, x, labels),
    _no_second_derivative,
    None,
)


def fitting(labels: numpy.ndarray) -> numpy.ndarray:
    """Return how many steps each row of labels needs: a symbol each, and a blank in a repetition.

    Examples
    --------
    >>> fitting(numpy.array([[3, 3, 1, 0], [2, 0, 0, 0]]))
    array([4, 1])
    """
    repeated = (labels[:, 1:] == labels[:, :-1]) & (labels[:, 1:] != 0)
    return (labels != 0).sum(1) + repeated.sum(1)
