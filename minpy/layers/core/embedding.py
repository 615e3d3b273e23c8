"""The embedding layer: numbers become rows of a learnt table."""

from __future__ import annotations

from typing import Any

from minpy import constraints, initializers, regularizers
from minpy.layers.functions.embedding import embedding
from minpy.layers.layer import Layer

__all__ = ["Embedding"]


class Embedding(Layer):
    """Turns whole numbers (words, categories) into vectors, the rows of a learnt table.

    Parameters
    ----------
    input_dim
        How many different numbers there are: they run from 0 to ``input_dim - 1``.
    output_dim
        Length of the vectors.
    embeddings_initializer, embeddings_regularizer, embeddings_constraint
        How the table starts, its loss term, and what is done to it after each step.
    mask_zero
        Whether 0 stands for padding: layers behind that know masks then skip those steps.
    weights
        The table to start with, of shape ``(input_dim, output_dim)``, or a list with it.

    Notes
    -----
    Input of any shape, output of that shape with ``output_dim`` behind it. Integers stay integers
    where this is the first layer of a model; floats are taken for whole numbers, which float32
    holds exactly up to 2**24.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import Embedding
    >>> Embedding(1000, 64)(np.array([[3, 14, 15], [9, 2, 6]])).shape
    (2, 3, 64)
    """

    # Models leave integer inputs as they are where their first layer takes them.
    takes_integers = True

    def __init__(
        self,
        input_dim: int,
        output_dim: int,
        embeddings_initializer: Any = "uniform",
        embeddings_regularizer: Any = None,
        embeddings_constraint: Any = None,
        mask_zero: bool = False,
        weights: Any = None,
        **kwargs: Any,
    ) -> None:
        for name, value in (("input_dim", input_dim), ("output_dim", output_dim)):
            if isinstance(value, bool) or not isinstance(value, int) or value <= 0:
                raise ValueError(f"Embedding: expected a positive integer as {name}, got {value!r}")
        super().__init__(**kwargs)
        self.input_dim = input_dim
        self.output_dim = output_dim
        self.embeddings_initializer = initializers.get(embeddings_initializer)
        self.embeddings_regularizer = regularizers.get(embeddings_regularizer)
        self.embeddings_constraint = constraints.get(embeddings_constraint)
        self.mask_zero = bool(mask_zero)
        self.supports_masking = self.mask_zero
        if weights is not None:
            self._build_once((None,))
            self.set_weights(weights if isinstance(weights, list) else [weights])

    def build(self, input_shape: Any = None) -> None:
        """Make the table."""
        self.embeddings = self.add_weight(
            "embeddings",
            (self.input_dim, self.output_dim),
            self.embeddings_initializer,
            regularizer=self.embeddings_regularizer,
            constraint=self.embeddings_constraint,
        )

    def call(self, inputs: Any) -> Any:
        """Look the numbers up."""
        return embedding(inputs, self.embeddings)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """Return where the numbers aren't 0, if 0 stands for padding."""
        if not self.mask_zero:
            return None
        # MXNet compares floats only, and no integer but 0 becomes 0.0.
        return (inputs if inputs.dtype.kind == "f" else inputs.astype("float32")) != 0

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shape of the output."""
        return (*input_shape, self.output_dim)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer."""
        return {
            **super().get_config(),
            "input_dim": self.input_dim,
            "output_dim": self.output_dim,
            "embeddings_initializer": initializers.serialize(self.embeddings_initializer),
            "embeddings_regularizer": self.embeddings_regularizer
            and regularizers.serialize(self.embeddings_regularizer),
            "embeddings_constraint": self.embeddings_constraint
            and constraints.serialize(self.embeddings_constraint),
            "mask_zero": self.mask_zero,
        }
