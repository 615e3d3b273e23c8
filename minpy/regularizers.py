"""Loss terms of a weight's or an activation's value: Keras' regularizers; knows no layer."""

from __future__ import annotations

import math
from typing import Any

import minpy.numpy as np
from minpy.by_name import NameTable, snake_case
from minpy.errors import ShapeError

__all__ = [
    "L1",
    "L1L2",
    "L2",
    "OrthogonalRegularizer",
    "Regularizer",
    "deserialize",
    "get",
    "l1",
    "l1_l2",
    "l2",
    "orthogonal_regularizer",
    "serialize",
]


def _strength(owner: Any, name: str, value: Any) -> float:
    if not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
        raise ValueError(
            f"{type(owner).__name__}: expected {name} to be a number ≥ 0, got {value!r}"
        )
    return float(value)


class Regularizer:
    """The base of regularizers: a function of a value that returns a loss term.

    A subclass writes ``__call__(x)``, and ``get_config()`` if it is to be saved.
    """

    def __call__(self, x: Any) -> Any:
        """Return the loss term of a value."""
        raise NotImplementedError(f"{type(self).__name__} has no __call__(x)")

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal regularizer."""
        return {}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Regularizer:
        """Make a regularizer of what `get_config` returned."""
        return cls(**config)


class L1L2(Regularizer):
    """Adds ``l1 · Σ|x| + l2 · Σx²`` to the loss.

    Parameters
    ----------
    l1, l2
        Strengths, at least 0.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> float(L1L2(l1=0.1, l2=0.01)(np.array([1., -2.])))
    0.35
    """

    def __init__(self, l1: float = 0.0, l2: float = 0.0) -> None:
        self.l1 = _strength(self, "l1", 0.0 if l1 is None else l1)
        self.l2 = _strength(self, "l2", 0.0 if l2 is None else l2)

    def __call__(self, x: Any) -> Any:
        """Return the loss term."""
        term = 0.0
        if self.l1:
            term = self.l1 * np.sum(np.absolute(x))
        if self.l2:
            term = self.l2 * np.sum(np.square(x)) + term
        return term

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal regularizer."""
        return {"l1": self.l1, "l2": self.l2}


class L1(L1L2):
    """Adds ``l1 · Σ|x|`` to the loss: prefers values that are zero.

    Parameters
    ----------
    l1
        Strength, at least 0.
    """

    def __init__(self, l1: float = 0.01) -> None:
        super().__init__(l1=0.01 if l1 is None else l1)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal regularizer."""
        return {"l1": self.l1}


class L2(L1L2):
    """Adds ``l2 · Σx²`` to the loss: prefers values that are small.

    Parameters
    ----------
    l2
        Strength, at least 0.
    """

    def __init__(self, l2: float = 0.01) -> None:
        super().__init__(l2=0.01 if l2 is None else l2)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal regularizer."""
        return {"l2": self.l2}


class OrthogonalRegularizer(Regularizer):
    """Adds the mean absolute cosine between the rows, or columns, of a matrix.

    Parameters
    ----------
    factor
        Strength, at least 0.
    mode
        ``'rows'`` or ``'columns'``.

    Notes
    -----
    As in Keras the mean is over pairs, ``factor · Σ_{i≠j} |cos(i, j)| / (n (n - 1))``.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> float(OrthogonalRegularizer(1.)(np.array([[1., 0.], [1., 1.]])))
    0.707
    """

    def __init__(self, factor: float = 0.01, mode: str = "rows") -> None:
        self.factor = _strength(self, "factor", factor)
        if mode not in ("rows", "columns"):
            raise ValueError(
                f"OrthogonalRegularizer: expected mode 'rows' or 'columns', got {mode!r}"
            )
        self.mode = mode

    def __call__(self, x: Any) -> Any:
        """Return the loss term of a matrix."""
        if x.ndim != 2:
            raise ShapeError(
                f"OrthogonalRegularizer: expected a matrix (two axes), got shape {x.shape}"
            )
        rows = x if self.mode == "rows" else x.T
        lengths = np.sqrt(np.maximum(np.sum(np.square(rows), axis=1, keepdims=True), 1e-12))
        rows = rows / lengths
        n = rows.shape[0]
        between = np.absolute(np.matmul(rows, rows.T)) * (1.0 - np.eye(n, dtype=x.dtype))
        return self.factor * np.sum(between) / max(n * (n - 1), 1)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal regularizer."""
        return {"factor": self.factor, "mode": self.mode}


_table = NameTable(
    "regularizer",
    [L1, L2, L1L2, OrthogonalRegularizer],
    aliases={"orthogonal": "OrthogonalRegularizer"},
    folder="minpy.regularizers",
    spell=lambda name: "l1_l2" if name == "L1L2" else snake_case(name),
)

get = _table.get
serialize = _table.serialize
deserialize = _table.deserialize

l1 = L1
l2 = L2
l1_l2 = L1L2
orthogonal_regularizer = OrthogonalRegularizer
