"""Models made of symbolic tensors: what ``Model(inputs, outputs)`` returns; knows no node."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from minpy.models.functional_graph import graph_from_config
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

    def get_config(self) -> dict[str, Any]:
        """Return the layers, and which is called on what."""
        return {"name": self.name, "trainable": self._trainable, **self._graph.get_config()}

    @classmethod
    def from_config(
        cls, config: dict[str, Any], custom_objects: Mapping[str, Any] | None = None
    ) -> Any:
        """Make a model of what `get_config` returned."""
        inputs, outputs, losses = graph_from_config(config, custom_objects)
        model = cls(inputs, outputs, name=config["name"])
        if losses:
            model.add_loss(losses)
        model.__dict__["_trainable"] = config.get("trainable", True)
        return model
