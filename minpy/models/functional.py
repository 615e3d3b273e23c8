"""Models made of symbolic tensors: what ``Model(inputs, outputs)`` returns; knows no node."""

from __future__ import annotations

from typing import Any

from minpy.models.model import Model

__all__ = ["Functional"]


class Functional(Model):
    """A model that is the graph between its inputs and its outputs; made by `Model`.

    Parameters
    ----------
    inputs, outputs, name, trainable
        As of `Model`.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import Dense, Input
    >>> from minpy.models import Model
    >>> a, b = Input((2,), name='a'), Input((3,), name='b')
    >>> model = Model({'a': a, 'b': b}, np.concatenate([a, b], axis=1))
    >>> model({'a': np.ones((1, 2)), 'b': np.zeros((1, 3))})
    array([[1., 1., 0., 0., 0.]])
    """

    _handles_masks = False

    def __init__(self, inputs: Any, outputs: Any, name: str | None = None, **kwargs: Any) -> None:
        super().__init__(inputs, outputs, name=name, **kwargs)
