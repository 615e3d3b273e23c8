"""A table of vectors that also leads back, from vectors to scores of the numbers."""

from __future__ import annotations

from typing import Any

import minpy.numpy as np
from minpy.array import ndarray
from minpy.layers.core.embedding import Embedding
from minpy.layers.symbolic import KerasTensor

__all__ = ["ReversibleEmbedding"]


class ReversibleEmbedding(Embedding):
    """An `Embedding` that, with ``reverse=True``, multiplies vectors by its table.

    Parameters
    ----------
    input_dim, output_dim
        As of `Embedding`.
    tie_weights
        Whether the way back goes through the same table; else through a matrix of its own.
    embeddings_initializer, embeddings_regularizer, embeddings_constraint, mask_zero
        As of `Embedding`.
    reverse_dtype
        Element type of the way back; the layer's if not given.
    logit_soft_cap
        Largest magnitude of a score, by a tanh.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import ReversibleEmbedding
    >>> layer = ReversibleEmbedding(7, 3)
    >>> vectors = layer(np.array([[1, 2, 3, 4]]))
    >>> layer(vectors, reverse=True).shape
    (1, 4, 7)
    """

    _handles_masks = False  # the way back has none

    def __init__(
        self,
        input_dim: int,
        output_dim: int,
        tie_weights: bool = True,
        embeddings_initializer: Any = "uniform",
        embeddings_regularizer: Any = None,
        embeddings_constraint: Any = None,
        mask_zero: bool = False,
        reverse_dtype: Any = None,
        logit_soft_cap: float | None = None,
        **kwargs: Any,
    ) -> None:
        self.tie_weights = bool(tie_weights)
        self.reverse_dtype = reverse_dtype
        self.logit_soft_cap = logit_soft_cap
        super().__init__(
            input_dim,
            output_dim,
            embeddings_initializer,
            embeddings_regularizer,
            embeddings_constraint,
            mask_zero,
            **kwargs,
        )

    def build(self, input_shape: Any = None) -> None:
        """Make the table, and the matrix back if it is another."""
        super().build(input_shape)
        if not self.tie_weights:
            self.reverse_embeddings = self.add_weight(
                "reverse_embeddings",
                (self.output_dim, self.input_dim),
                self.embeddings_initializer,
            )

    def call(self, inputs: Any, reverse: bool = False) -> Any:
        """Look the numbers up, or compute scores of vectors."""
        if not reverse:
            found = super().call(inputs)
            mask = self.compute_mask(inputs)
            if mask is not None and type(found) is ndarray:
                found._keras_mask = mask
            return found
        back = np.transpose(self.embeddings) if self.tie_weights else self.reverse_embeddings
        if self.reverse_dtype is not None:
            inputs, back = inputs.astype(self.reverse_dtype), back.astype(self.reverse_dtype)
        scores = np.matmul(inputs, back)
        if self.logit_soft_cap is None:
            return scores
        return np.tanh(scores / self.logit_soft_cap) * self.logit_soft_cap

    def compute_output_shape(self, input_shape: Any, reverse: bool = False) -> Any:
        """Return the shape of the output."""
        if reverse:
            return (*input_shape[:-1], self.input_dim)
        return super().compute_output_shape(input_shape)

    def compute_output_spec(self, inputs: Any, reverse: bool = False) -> Any:
        """Return the symbolic output for a symbolic input."""
        shape = self.compute_output_shape(inputs.shape, reverse)
        dtype = self.reverse_dtype if reverse and self.reverse_dtype else self.dtype
        return KerasTensor(shape, dtype)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer."""
        return {
            **super().get_config(),
            "tie_weights": self.tie_weights,
            "reverse_dtype": self.reverse_dtype,
            "logit_soft_cap": self.logit_soft_cap,
        }
