"""Attention whose heads share keys and values in groups."""

from __future__ import annotations

from typing import Any

from minpy.arguments import also_by_place
from minpy.errors import ShapeError
from minpy.layers.attention.projected import ProjectedAttention, is_count
from minpy.layers.functions.attention import dot_product_attention
from minpy.layers.regularization.seeded import step_seed
from minpy.layers.weighted import KERNEL_ARGUMENTS
from minpy.numpy.shaping import expand_dims, reshape, transpose

__all__ = ["GroupQueryAttention"]


class GroupQueryAttention(ProjectedAttention):
    """Attention by several heads, of which some share keys and values.

    Parameters
    ----------
    head_dim
        Length of a head's queries, keys and values.
    num_query_heads
        Number of heads.
    num_key_value_heads
        Number of different keys and values; divides `num_query_heads`.
    dropout, use_bias, sliding_window, use_gate, seed
        As of `MultiHeadAttention`.
    kernel_initializer, bias_initializer, kernel_regularizer, bias_regularizer, activity_regularizer
        Of the projections.
    kernel_constraint, bias_constraint
        Of the projections.

    Notes
    -----
    Ainslie et al., "GQA: training generalized multi-query transformer models", 2023, section 2.2.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import GroupQueryAttention
    >>> layer = GroupQueryAttention(head_dim=4, num_query_heads=6, num_key_value_heads=2)
    >>> x = np.ones((3, 5, 8))
    >>> layer(x, x).shape, layer.key_dense.kernel.shape
    ((3, 5, 8), (8, 2, 4))
    """

    @also_by_place(**KERNEL_ARGUMENTS, use_gate=False, seed=None)
    def __init__(
        self,
        head_dim: int,
        num_query_heads: int,
        num_key_value_heads: int,
        dropout: float = 0.0,
        use_bias: bool = True,
        sliding_window: int | None = None,
        flash_attention: bool | None = None,
        **kwargs: Any,
    ) -> None:
        told = {
            "head_dim": head_dim,
            "num_query_heads": num_query_heads,
            "num_key_value_heads": num_key_value_heads,
        }
        for name, value in told.items():
            if not is_count(value):
                raise ValueError(
                    f"GroupQueryAttention: expected {name} to be a positive number, got {value!r}"
                )
        if num_query_heads % num_key_value_heads:
            raise ValueError(
                "GroupQueryAttention: expected num_query_heads to be a multiple of "
                f"num_key_value_heads, got {num_query_heads} and {num_key_value_heads}"
            )
        super().__init__(
            dropout=dropout,
            use_bias=use_bias,
            sliding_window=sliding_window,
            flash_attention=flash_attention,
            **kwargs,
        )
        self.head_dim = head_dim
        self.num_query_heads = num_query_heads
        self.num_key_value_heads = num_key_value_heads

    def build(self, query_shape: Any, value_shape: Any = None, key_shape: Any = None) -> None:
        """Make the projections."""
        key_shape = self._check_inputs(query_shape, value_shape, key_shape)
        if len(query_shape) != 3:
            raise ShapeError(
                f"GroupQueryAttention {self.name!r}: expected a query of shape (batch, length, "
                f"features), got {query_shape}"
            )
        of_query = self.num_query_heads, self.head_dim
        shared = self.num_key_value_heads, self.head_dim
        self.query_dense = self._projection("query", query_shape, 1, of_query)
        self.key_dense = self._projection("key", key_shape, 1, shared)
        if self.use_gate:
            self.gate_dense = self._projection(
                "gate", query_shape, 1, of_query, activation="sigmoid"
            )
        self.value_dense = self._projection("value", value_shape, 1, shared)
        self.output_dense = self._projection(
            "attention_output", (*query_shape[:-1], *of_query), 2, (query_shape[-1],)
        )

    def _attend(
        self,
        query: Any,
        key: Any,
        value: Any,
        mask: Any,
        may_be_empty: bool,
        rate: float,
        scores: bool,
    ) -> tuple[Any, Any]:
        batch, queries, heads, depth = query.shape
        shared = self.num_key_value_heads
        groups = heads // shared
        if mask is not None and mask.ndim == 3:
            mask = expand_dims(expand_dims(mask, 1), 1)
        elif mask is not None and mask.ndim == 4:
            # Of each head, or of all of them.
            split = (shared, groups) if mask.shape[1] == heads else (1, 1)
            mask = reshape(mask, (mask.shape[0], *split, *mask.shape[2:]))
        grouped = reshape(query, (batch, queries, shared, groups, depth))
        out, weights = dot_product_attention(
            transpose(grouped, (0, 2, 3, 1, 4)),
            transpose(key, (0, 2, 1, 3)),
            transpose(value, (0, 2, 1, 3)),
            mask,
            may_be_empty=may_be_empty,
            rate=rate,
            seed=step_seed(self.seed),
        )
        out = reshape(transpose(out, (0, 3, 1, 2, 4)), (batch, queries, heads, depth))
        return out, reshape(weights, (batch, heads, queries, key.shape[1]))

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer."""
        return {
            **super().get_config(),
            "head_dim": self.head_dim,
            "num_query_heads": self.num_query_heads,
            "num_key_value_heads": self.num_key_value_heads,
        }
