"""A layer as a function of its weights: what JAX' users train with; knows no layer's formula."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from minpy.array import as_ndarray
from minpy.errors import ShapeError
from minpy.layers.added_losses import AddsLosses
from minpy.layers.forward_pass import call_context, forward_pass
from minpy.layers.parameter import bound, collect_updates

__all__ = ["Stateless"]


class Stateless(AddsLosses):
    """A layer that can be called with other weights than its own."""

    def stateless_call(
        self,
        trainable_variables: Sequence[Any],
        non_trainable_variables: Sequence[Any],
        *args: Any,
        return_losses: bool = False,
        **kwargs: Any,
    ) -> tuple[Any, ...]:
        """Call the layer with weights that are given, and change none of its own.

        Parameters
        ----------
        trainable_variables, non_trainable_variables
            Arrays: one for each of the layer's weights of that name, of its shape. Derivatives
            follow them.
        *args, **kwargs
            What the layer is called with.
        return_losses
            Whether to return the loss terms of layers and regularizers too.

        Returns
        -------
        tuple
            Outputs, what ``non_trainable_variables`` are after the call (running statistics), and
            with `return_losses` a list of loss terms.

        Raises
        ------
        ValueError
            If the layer has no weights yet, or there are more or fewer than it has.
        ShapeError
            If one has another shape.

        Notes
        -----
        Layers that draw random numbers draw as in any call: their state is no weight here
        (`minpy.random`).

        Examples
        --------
        >>> import minpy, minpy.numpy as np
        >>> from minpy.layers import Dense
        >>> layer = Dense(1, use_bias=False)
        >>> layer.build((None, 2))
        >>> def total(weights, x):
        ...     return layer.stateless_call(weights, [], x)[0].sum()
        >>> minpy.grad(total)([np.ones((2, 1))], np.array([[2., 3.]]))[0].ravel()
        array([2., 3.])
        """
        if not self.built:
            raise ValueError(
                f"stateless_call: {self.name!r} has no weights yet; call it on data, or build it"
            )
        own = self.trainable_variables, self.non_trainable_variables
        given = list(trainable_variables), list(non_trainable_variables)
        for what, mine, values in zip(("", "non_"), own, given, strict=True):
            if len(mine) != len(values):
                raise ValueError(
                    f"stateless_call: {self.name!r} has {len(mine)} {what}trainable_variables, "
                    f"got {len(values)}"
                )
        weights, values = own[0] + own[1], [as_ndarray(v) for v in given[0] + given[1]]
        for weight, value in zip(weights, values, strict=True):
            if weight.shape != value.shape:
                raise ShapeError(
                    f"stateless_call: {weight.path!r} has shape {weight.shape}, got {value.shape}"
                )
        with (
            collect_updates() as updates,
            bound(weights, values),
            forward_pass(call_context.training),
        ):
            outputs = self(*args, **kwargs)
            terms = self.losses if return_losses else []
        after = {id(weight): as_ndarray(value) for weight, value in updates}
        changed = [
            after.get(id(weight), value)
            for weight, value in zip(own[1], values[len(own[0]) :], strict=True)
        ]
        return (outputs, changed, terms) if return_losses else (outputs, changed)

    @property
    def metrics_variables(self) -> list[Any]:
        """The sums of the metrics in here."""
        return [variable for metric in self.metrics for variable in metric.variables]
