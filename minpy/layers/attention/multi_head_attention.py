"""Attention with several heads."""

from __future__ import annotations

import math
from typing import Any

from minpy.arguments import also_by_place
from minpy.errors import ShapeError
from minpy.layers.attention.projected import ProjectedAttention, is_count
from minpy.layers.functions.attention import dot_product_attention
from minpy.layers.functions.heads import heads_attention
from minpy.layers.regularization.seeded import step_seed
from minpy.layers.weighted import KERNEL_ARGUMENTS
from minpy.numpy.shaping import expand_dims, reshape, transpose

__all__ = ["MultiHeadAttention"]


class MultiHeadAttention(ProjectedAttention):
    """Attention by several heads, each with projections of its own.

    Parameters
    ----------
    num_heads
        Number of heads.
    key_dim
        Length of a head's queries and keys.
    value_dim
        Length of a head's values; `key_dim` if not given.
    dropout
        The fraction of the attention's weights that is dropped in training.
    use_bias
        Whether the projections have biases.
    output_shape
        Of what comes out instead of the query's last axis.
    attention_axes
        The axes along which queries and keys are counted; all but the first and the last if not
        given.
    sliding_window
        How near a key must be to a query: at most ``sliding_window - 1`` places away.
    use_gate
        Whether the heads' results are multiplied by a sigmoid of a projection of the query.
    seed
        Of the dropout; by default it follows from the global one.
    kernel_initializer, bias_initializer, kernel_regularizer, bias_regularizer, activity_regularizer
        Of the projections.
    kernel_constraint, bias_constraint
        Of the projections.

    Notes
    -----
    Vaswani et al., "Attention is all you need", 2017, section 3.2.2. A query that may attend to
    nothing gets the output projection's bias (Keras does so where it doesn't fuse the operations).

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import MultiHeadAttention
    >>> layer = MultiHeadAttention(num_heads=2, key_dim=4)
    >>> x = np.ones((3, 5, 6))
    >>> layer(x, x, use_causal_mask=True).shape
    (3, 5, 6)
    >>> layer(x, x[:, :2], return_attention_scores=True)[1].shape
    (3, 2, 5, 2)
    """

    @also_by_place(**KERNEL_ARGUMENTS, use_gate=False, seed=None)
    def __init__(
        self,
        num_heads: int,
        key_dim: int,
        value_dim: int | None = None,
        dropout: float = 0.0,
        use_bias: bool = True,
        output_shape: Any = None,
        attention_axes: Any = None,
        sliding_window: int | None = None,
        flash_attention: bool | None = None,
        **kwargs: Any,
    ) -> None:
        value_dim = key_dim if value_dim is None else value_dim
        told = {"num_heads": num_heads, "key_dim": key_dim, "value_dim": value_dim}
        for name, value in told.items():
            if not is_count(value):
                raise ValueError(
                    f"MultiHeadAttention: expected {name} to be a positive number, got {value!r}"
                )
        if output_shape is not None and not isinstance(output_shape, list | tuple):
            output_shape = (output_shape,)
        if output_shape is not None and not all(is_count(n) for n in output_shape):
            raise ValueError(
                "MultiHeadAttention: expected output_shape to be a number or numbers, "
                f"got {output_shape!r}"
            )
        if isinstance(attention_axes, int):
            attention_axes = (attention_axes,)
        super().__init__(
            dropout=dropout,
            use_bias=use_bias,
            sliding_window=sliding_window,
            flash_attention=flash_attention,
            **kwargs,
        )
        self.num_heads = num_heads
        self.key_dim = key_dim
        self.value_dim = value_dim
        self._told_shape = None if output_shape is None else tuple(output_shape)
        self.attention_axes = None if attention_axes is None else tuple(attention_axes)

    def _axes(self, ndim: int) -> tuple[int, ...]:
        """Return the axes along which queries and keys are counted, of inputs with `ndim` axes."""
        told = self.attention_axes
        axes = tuple(range(1, ndim - 1)) if told is None else tuple(a % ndim for a in told)
        if any(not 0 < a < ndim - 1 for a in axes) or len(set(axes)) != len(axes):
            raise ShapeError(
                f"MultiHeadAttention {self.name!r}: expected attention_axes between the batch axis "
                f"and the features of inputs with {ndim} axes, got {told}"
            )
        return tuple(sorted(axes))

    def _regularize(self, outputs: Any) -> None:
        """Add nothing: each projection adds the activity regularizer's term of its own output."""

    def build(self, query_shape: Any, value_shape: Any = None, key_shape: Any = None) -> None:
        """Make the projections."""
        key_shape = self._check_inputs(query_shape, value_shape, key_shape)
        self._axes(len(query_shape))
        heads = self.num_heads
        self.query_dense = self._projection("query", query_shape, 1, (heads, self.key_dim))
        self.key_dense = self._projection("key", key_shape, 1, (heads, self.key_dim))
        if self.use_gate:
            self.gate_dense = self._projection(
                "gate", query_shape, 1, (heads, self.value_dim), activation="sigmoid"
            )
        self.value_dense = self._projection("value", value_shape, 1, (heads, self.value_dim))
        self.output_dense = self._projection(
            "attention_output",
            (*query_shape[:-1], heads, self.value_dim),
            2,
            self._told_shape or (query_shape[-1],),
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
        # Projected: (batch, …, heads, depth). In front come the batch, the axes that aren't counted
        # along, and the heads; then those that are, in one, and the depth.
        ndim = query.ndim - 1
        axes = self._axes(ndim)
        if ndim == 3 and not rate and not scores and query.dtype == "float32":
            if mask is not None and mask.ndim < 4:
                mask = expand_dims(mask, 1) if mask.ndim == 3 else mask[None, None]
            return heads_attention(query, key, value, mask), None
        order = (*(a for a in range(ndim - 1) if a not in axes), ndim - 1, *axes, ndim)

        def by_head(x: Any) -> Any:
            x = transpose(x, order)
            outer = ndim - len(axes)
            return reshape(x, (*x.shape[:outer], math.prod(x.shape[outer:-1]), x.shape[-1]))

        counted = tuple(query.shape[a] for a in axes), tuple(key.shape[a] for a in axes)
        outer = ndim - len(axes)
        if mask is not None:
            # A mask lacks the heads' axis, and perhaps others behind the batch's.
            inner = 2 * len(axes)
            while 2 <= mask.ndim < outer + inner and mask.ndim >= inner:
                mask = expand_dims(mask, mask.ndim - inner)
            if len(axes) > 1:
                lengths = math.prod(counted[0]), math.prod(counted[1])
                if tuple(mask.shape[-inner:]) != (*counted[0], *counted[1]):
                    raise ShapeError(
                        f"MultiHeadAttention {self.name!r}: with attention_axes {axes} a mask must "
                        f"end with {(*counted[0], *counted[1])}, got {mask.shape}"
                    )
                mask = reshape(mask, (*mask.shape[:-inner], *lengths))
        out, weights = dot_product_attention(
            by_head(query),
            by_head(key),
            by_head(value),
            mask,
            may_be_empty=may_be_empty,
            rate=rate,
            seed=step_seed(self.seed),
        )
        out = reshape(out, (*out.shape[:outer], *counted[0], out.shape[-1]))
        weights = reshape(weights, (*weights.shape[:outer], *counted[0], *counted[1]))
        back = sorted(range(ndim + 1), key=order.__getitem__)
        return transpose(out, tuple(back)), weights

    def compute_output_shape(
        self, query_shape: Any, value_shape: Any = None, key_shape: Any = None
    ) -> Any:
        """Return the shape of the output; as many values as keys are expected."""
        plain = super().compute_output_shape(query_shape, value_shape, key_shape)
        return (*plain[:-1], *(self._told_shape or plain[-1:]))

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer."""
        axes, shape = self.attention_axes, self._told_shape
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "key_dim": self.key_dim,
            "value_dim": self.value_dim,
            "output_shape": None if shape is None else list(shape),
            "attention_axes": None if axes is None else list(axes),
        }
