"""Every exception type that minpy raises by itself; knows about nothing else in the package.

Each type also derives from the builtin that NumPy or Keras users would catch, so that
``except ValueError`` written against those libraries goes on working.
"""

from __future__ import annotations


class MinpyError(Exception):
    """Base class of all errors that minpy defines."""


class ContextError(MinpyError, RuntimeError):
    """A device was asked for that this machine or this build of mxnet doesn't have."""


class PolicyError(MinpyError, RuntimeError):
    """The policy in force forbids the only kernel that an operation has."""


class DifferentiationError(MinpyError, TypeError):
    """A derivative was asked of something that has none."""


class NoDerivativeError(DifferentiationError, NotImplementedError):
    """The function is differentiable in principle, but no rule is registered for it."""


class ShapeError(MinpyError, ValueError):
    """An array has a shape that the operation or layer can't take."""


class CheckpointError(MinpyError, OSError):
    """A checkpoint can't be written, or can't be read as one."""


class CheckpointCorruptError(CheckpointError, ValueError):
    """A checkpoint file is damaged: truncated, altered, or with parts missing."""


class CheckpointFormatError(CheckpointError, ValueError):
    """A file is no minpy checkpoint, is of a newer format, or holds what is not allowed."""


class CheckpointMismatchError(CheckpointError, ValueError):
    """A readable checkpoint doesn't fit the model: a weight is missing, extra or misshapen."""


class DatasetError(MinpyError, OSError):
    """A data set can't be found, fetched, verified or parsed."""
