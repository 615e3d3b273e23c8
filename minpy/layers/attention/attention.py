"""Attention between given queries, keys and values, without projections."""

from __future__ import annotations

from typing import Any

from minpy.errors import ShapeError
from minpy.layers.calls import signature_of
from minpy.layers.functions.contraction import batch_product
from minpy.layers.functions.dropout import dropout
from minpy.layers.functions.masks import both, causal_mask
from minpy.layers.functions.probabilities import softmax
from minpy.layers.layer import Layer
from minpy.layers.regularization.seeded import checked_seed, step_seed
from minpy.numpy.elementwise import tanh, where
from minpy.numpy.shaping import expand_dims, reshape

__all__ = ["AdditiveAttention", "Attention"]

_MODES = ("dot", "concat")


def _product(x: Any, y: Any, transposed: bool = False) -> Any:
    """Return the products of the matrices in the last two axes, the second perhaps transposed."""
    if x.ndim == 3:
        return batch_product(x, y, False, transposed)
    stacks = [reshape(m, (-1, *m.shape[-2:])) for m in (x, y)]
    made = batch_product(*stacks, False, transposed)
    return reshape(made, (*x.shape[:-2], *made.shape[1:]))


def output_and_scores(layer: Layer, plain: Any, args: tuple, kwargs: dict) -> Any:
    """Return what a symbolic call gives: `plain` tells it unless scores are asked for too."""
    given = {**dict(zip(signature_of(type(layer)).names, args, strict=False)), **kwargs}
    if given.get("return_attention_scores"):
        return layer._run_on_zeros(args, kwargs)
    return plain(*args, **kwargs)


class Attention(Layer):
    """Dot-product attention; Luong et al., 2015.

    Parameters
    ----------
    use_scale
        Whether scores are multiplied by a number that is learnt.
    score_mode
        ``'dot'``: scores are the products of queries and keys. ``'concat'``: sums of the tanh of
        their sums.
    dropout
        The fraction of the weights that is dropped in training.
    seed
        Of the dropout; by default it follows from the global one.

    Notes
    -----
    Called on a list ``[query, value]`` or ``[query, value, key]`` of arrays (batch, queries, depth)
    and (batch, keys, depth); its ``mask`` is a list ``[query_mask, value_mask]`` of bool arrays
    (batch, queries) and (batch, keys), whose entries may be None.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import Attention
    >>> query, value = np.array([[[0., 0.]]]), np.array([[[1., 3.], [3., 5.]]])
    >>> Attention()([query, value])
    array([[[2., 4.]]])
    """

    supports_masking = True

    def __init__(
        self,
        use_scale: bool = False,
        score_mode: str = "dot",
        dropout: float = 0.0,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        who = type(self).__name__
        if score_mode not in _MODES:
            raise ValueError(f"{who}: expected score_mode 'dot' or 'concat', got {score_mode!r}")
        if not 0 <= dropout < 1:
            raise ValueError(f"{who}: expected dropout from 0 to below 1, got {dropout!r}")
        self.use_scale = bool(use_scale)
        self.score_mode = score_mode
        self.dropout = float(dropout)
        self.seed = checked_seed(who, seed)

    def check_input(self, shape: Any) -> None:
        """Raise `ShapeError` unless there are a query, a value, and perhaps a key, that fit."""
        who = f"{type(self).__name__} {self.name!r}"
        several = isinstance(shape, list | tuple) and all(
            isinstance(s, list | tuple) for s in shape
        )
        if not several or len(shape) not in (2, 3):
            raise ShapeError(
                f"{who}: expected a list [query, value] or [query, value, key], got {shape}"
            )
        if len({len(s) for s in shape}) != 1 or len(shape[0]) < 3:
            raise ShapeError(
                f"{who}: expected a list of arrays (batch, length, features), or with as many more "
                f"axes behind the batch's, got shapes {shape}"
            )
        query, value, key = shape[0], shape[1], shape[-1]
        keys = value[-2], key[-2]
        if query[-1] != key[-1] or (keys[0] != keys[1] and None not in keys):
            raise ShapeError(
                f"{who}: expected query and key of equal depth, and as many values as keys; "
                f"got query {query}, value {value}, key {key}"
            )

    def build(self, input_shape: Any) -> None:
        """Make the scales."""
        self.scale = self.add_weight("scale", (), "ones") if self.use_scale else None
        concat = self.score_mode == "concat"
        self.concat_score_weight = (
            self.add_weight("concat_score_weight", (), "ones") if concat else None
        )

    def _scores(self, query: Any, key: Any) -> Any:
        if self.score_mode == "dot":
            scores = _product(query, key, True)
            return scores if self.scale is None else scores * self.scale
        sums = expand_dims(query, -2) + expand_dims(key, -3)
        if self.scale is not None:
            sums = sums * self.scale
        return tanh(sums).sum(-1) * self.concat_score_weight

    def call(
        self,
        inputs: Any,
        mask: Any = None,
        training: bool = False,
        return_attention_scores: bool = False,
        use_causal_mask: bool = False,
    ) -> Any:
        """Compute the output.

        Parameters
        ----------
        inputs
            ``[query, value]`` or ``[query, value, key]``.
        mask
            ``[query_mask, value_mask]``, or None.
        training
            Whether dropout takes place.
        return_attention_scores
            Whether the weights, (batch, queries, keys), are returned too, as dropout left them.
        use_causal_mask
            Whether a query sees no key that is later than itself.
        """
        self._check_mask(mask)
        query, value, key = inputs[0], inputs[1], inputs[-1]
        query_mask, value_mask = (None, None) if mask is None else mask[:2]
        scores = self._scores(query, key)
        seen = None if value_mask is None else expand_dims(value_mask, -2)
        if use_causal_mask:
            seen = both(causal_mask(scores.shape[-2], scores.shape[-1]), seen)
        if seen is not None:
            # As Keras does: where nothing may be seen, all is seen.
            far = 65504.0 if scores.dtype == "float16" else 1e9
            scores = where(seen, scores, scores - far)
        weights = softmax(scores)
        rate = self.dropout if training else 0.0
        if rate:
            weights = dropout(weights, rate, "train", step_seed(self.seed))
        out = _product(weights, value)
        if query_mask is not None:
            out = where(expand_dims(query_mask, -1), out, 0.0)
        return (out, weights) if return_attention_scores else out

    def _check_mask(self, mask: Any) -> None:
        if mask is not None and (not isinstance(mask, list | tuple) or len(mask) < 2):
            raise ValueError(
                f"{type(self).__name__} {self.name!r}: expected mask to be a list "
                f"[query_mask, value_mask], got {type(mask).__name__}"
            )

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """Return the output's mask: the query's."""
        self._check_mask(mask)
        return None if mask is None else mask[0]

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
        """Return symbolic tensors for the output, and for the weights where they are asked for."""
        return output_and_scores(self, super().compute_output_spec, args, kwargs)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shape of the output."""
        return (*input_shape[0][:-1], input_shape[1][-1])

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer."""
        return {
            **super().get_config(),
            "use_scale": self.use_scale,
            "score_mode": self.score_mode,
            "dropout": self.dropout,
            "seed": self.seed,
        }


class AdditiveAttention(Attention):
    """Additive attention: scores are weighted sums of the tanh of query plus key.

    Parameters
    ----------
    use_scale
        Whether the weights of the sum are learnt, or 1.
    dropout
        The fraction of the attention's weights that is dropped in training.
    seed
        Of the dropout; by default it follows from the global one.

    Notes
    -----
    Bahdanau et al., 2015. Inputs and masks are those of `Attention`.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import AdditiveAttention
    >>> query, value = np.array([[[0., 0.]]]), np.array([[[1., 3.], [1., 5.]]])
    >>> AdditiveAttention(use_scale=False)([query, value, np.zeros((1, 2, 2))])
    array([[[1., 4.]]])
    """

    def __init__(
        self, use_scale: bool = True, dropout: float = 0.0, seed: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(use_scale=use_scale, dropout=dropout, seed=seed, **kwargs)

    def build(self, input_shape: Any) -> None:
        """Make the scale."""
        depth = (input_shape[0][-1],)
        self.scale = self.add_weight("scale", depth) if self.use_scale else None

    def _scores(self, query: Any, key: Any) -> Any:
        terms = tanh(expand_dims(query, -2) + expand_dims(key, -3))
        return (terms if self.scale is None else terms * self.scale).sum(-1)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer."""
        config = super().get_config()
        del config["score_mode"]
        return config
