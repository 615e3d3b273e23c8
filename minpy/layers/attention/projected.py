"""What attention layers with learnt projections share: weights, masks, the result's projection."""

from __future__ import annotations

import string
from typing import Any

from minpy import constraints, initializers, regularizers
from minpy.array import as_ndarray
from minpy.errors import ShapeError
from minpy.layers.attention.attention import output_and_scores
from minpy.layers.core.einsum_dense import EinsumDense
from minpy.layers.functions.masks import (
    both,
    causal_mask,
    padding_mask,
    sliding_window_mask,
)
from minpy.layers.layer import Layer
from minpy.layers.regularization.seeded import checked_seed
from minpy.numpy.elementwise import multiply

__all__ = ["ProjectedAttention"]

_SETTINGS = {
    "kernel_initializer": (initializers, "glorot_uniform"),
    "bias_initializer": (initializers, "zeros"),
    "kernel_regularizer": (regularizers, None),
    "bias_regularizer": (regularizers, None),
    "activity_regularizer": (regularizers, None),
    "kernel_constraint": (constraints, None),
    "bias_constraint": (constraints, None),
}


def is_count(value: Any) -> bool:
    """Say whether a setting is a positive whole number."""
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


class ProjectedAttention(Layer):
    """Attention between projections of its inputs; `_attend` says how."""

    supports_masking = True

    def __init__(
        self,
        *,
        dropout: float = 0.0,
        use_bias: bool = True,
        sliding_window: int | None = None,
        flash_attention: bool | None = None,
        use_gate: bool = False,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        who = type(self).__name__
        if not 0 <= dropout < 1:
            raise ValueError(f"{who}: expected dropout from 0 to below 1, got {dropout!r}")
        if sliding_window is not None and not is_count(sliding_window):
            raise ValueError(
                f"{who}: expected sliding_window to be None or a positive number, "
                f"got {sliding_window!r}"
            )
        if flash_attention:
            raise ValueError(f"{who}: there is no flash attention here; leave flash_attention out")
        given = {name: kwargs.pop(name, default) for name, (_, default) in _SETTINGS.items()}
        super().__init__(**kwargs)
        self.dropout = float(dropout)
        self.use_bias = bool(use_bias)
        self.sliding_window = sliding_window
        self.use_gate = bool(use_gate)
        self.seed = checked_seed(who, seed)
        for name, value in given.items():
            setattr(self, name, _SETTINGS[name][0].get(value))

    # --- weights ----------------------------------------------------------------------------------

    def _check_inputs(self, query_shape: Any, value_shape: Any, key_shape: Any) -> Any:
        """Return the key's shape; raise `ShapeError` for inputs that don't fit each other."""
        who = f"{type(self).__name__} {self.name!r}"
        if value_shape is None:
            raise ShapeError(f"{who}: expected a query and a value, layer(query, value)")
        key_shape = value_shape if key_shape is None else key_shape
        shapes = {"query": query_shape, "value": value_shape, "key": key_shape}
        for name, shape in shapes.items():
            if not isinstance(shape, list | tuple) or len(shape) < 3 or shape[-1] is None:
                raise ShapeError(
                    f"{who}: expected {name} of shape (batch, length, features), got {shape}"
                )
        if len(value_shape) != len(key_shape) or any(
            None not in (v, k) and v != k
            for v, k in zip(value_shape[1:-1], key_shape[1:-1], strict=True)
        ):
            raise ShapeError(
                f"{who}: expected as many values as keys, got {value_shape}, {key_shape}"
            )
        if len(query_shape) != len(value_shape):
            raise ShapeError(
                f"{who}: expected query and value with equally many axes, "
                f"got {query_shape} and {value_shape}"
            )
        return key_shape

    def _projection(
        self, name: str, shape: Any, inner: int, units: tuple[int, ...], activation: Any = None
    ) -> EinsumDense:
        """Return a dense layer from an input's last `inner` axes to axes of lengths `units`."""
        letters = iter(string.ascii_lowercase)
        outer = "".join(next(letters) for _ in range(len(shape) - inner))
        summed = "".join(next(letters) for _ in range(inner))
        made = "".join(next(letters) for _ in units)
        layer = EinsumDense(
            f"{outer}{summed},{summed}{made}->{outer}{made}",
            output_shape=(*[None] * (len(outer) - 1), *units),
            bias_axes=made if self.use_bias else None,
            activation=activation,
            name=name,
            dtype=self.dtype,
            **{setting: getattr(self, setting) for setting in _SETTINGS},
        )
        layer._build_once(tuple(shape))
        return layer

    # --- masks ------------------------------------------------------------------------------------

    def _mask(
        self,
        query: Any,
        value: Any,
        query_mask: Any,
        value_mask: Any,
        key_mask: Any,
        attention_mask: Any,
        causal: bool,
    ) -> tuple[Any, bool]:
        """Return what may be attended to, and whether that may be nothing for a query."""
        fixed = causal_mask(query.shape[1], value.shape[1]) if causal else None
        if self.sliding_window is not None:
            near = sliding_window_mask(query.shape[1], value.shape[1], self.sliding_window)
            fixed = both(fixed, near)
        mask = padding_mask(query_mask, both(value_mask, key_mask))
        if attention_mask is not None:
            attention_mask = as_ndarray(attention_mask)
            if attention_mask.dtype.kind != "b":
                attention_mask = attention_mask != 0
            mask = both(mask, attention_mask)
        may_be_empty = mask is not None or (fixed is not None and not fixed.any(-1).all())
        return (fixed if mask is None else both(mask, fixed)), may_be_empty

    def compute_mask(self, query: Any, query_mask: Any = None, *rest: Any, **others: Any) -> Any:
        """Return the output's mask: the query's."""
        return query_mask

    def call(
        self,
        query: Any,
        value: Any,
        key: Any = None,
        query_mask: Any = None,
        value_mask: Any = None,
        key_mask: Any = None,
        attention_mask: Any = None,
        return_attention_scores: bool = False,
        training: bool = False,
        use_causal_mask: bool = False,
    ) -> Any:
        """Compute the output.

        Parameters
        ----------
        query, value, key
            Of shape (batch, queries, …), (batch, keys, …); the value is the key if none is given.
        query_mask, value_mask, key_mask
            bool, of shape (batch, queries) and (batch, keys): what isn't padding.
        attention_mask
            Which keys each query may attend to: broadcasts to (batch, queries, keys), or, with an
            axis more, to (batch, heads, queries, keys).
        return_attention_scores
            Whether the weights, (batch, heads, queries, keys), are returned too.
        training
            Whether dropout takes place.
        use_causal_mask
            Whether a query sees no key that is later than itself.
        """
        if key is None:
            key, key_mask = value, None
        mask, may_be_empty = self._mask(
            query, value, query_mask, value_mask, key_mask, attention_mask, use_causal_mask
        )
        attended, weights = self._attend(
            self.query_dense(query),
            self.key_dense(key),
            self.value_dense(value),
            mask,
            may_be_empty,
            self.dropout if training else 0.0,
            return_attention_scores,
        )
        if self.use_gate:
            attended = multiply(attended, self.gate_dense(query))
        out = self.output_dense(attended)
        return (out, weights) if return_attention_scores else out

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
        """Return symbolic tensors for the output, and for the weights where they are asked for."""
        return output_and_scores(self, super().compute_output_spec, args, kwargs)

    def compute_output_shape(
        self, query_shape: Any, value_shape: Any = None, key_shape: Any = None
    ) -> Any:
        """Return the shape of the output.

        Raises
        ------
        ShapeError
            If there aren't as many values as keys.
        """
        if value_shape is not None:
            self._check_inputs(query_shape, value_shape, key_shape)
        return (*query_shape[:-1], query_shape[-1])

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer."""
        config = {
            **super().get_config(),
            "dropout": self.dropout,
            "use_bias": self.use_bias,
            "sliding_window": self.sliding_window,
            "use_gate": self.use_gate,
            "seed": self.seed,
        }
        for name, (module, _) in _SETTINGS.items():
            value = getattr(self, name)
            config[name] = None if value is None else module.serialize(value)
        return config
