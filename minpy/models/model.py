"""A model: layers with the training loop, a summary, and saving."""

from __future__ import annotations

import json
from typing import Any

import numpy

from minpy.layers.layer import Layer
from minpy.models import saving
from minpy.models.summary import print_summary
from minpy.models.trainer import Trainer

__all__ = ["Model"]


class Model(Trainer):
    """A model of one's own: layers made in ``__init__``, used in ``call``.

    Parameters
    ----------
    name
        Its name; the class's if not given.

    Examples
    --------
    >>> import numpy
    >>> from minpy.models import Model
    >>> from minpy.layers import Dense
    >>> class Net(Model):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.hidden = Dense(8, activation='relu')
    ...         self.out = Dense(1)
    ...     def call(self, x):
    ...         return self.out(self.hidden(x))
    >>> model = Net()
    >>> model.compile('adam', 'mse')
    >>> x = numpy.zeros((4, 3))
    >>> model.predict(x, verbose=0).shape
    (4, 1)
    """

    def __init__(self, name: str | None = None, **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)

    def build(self, input_shape: Any) -> None:
        """Nothing of its own: the layers inside are built when they are called."""

    @property
    def layers(self) -> list[Layer]:
        """The layers directly inside the model."""
        return self._children()

    def get_layer(self, name: str | None = None, index: int | None = None) -> Layer:
        """Return a layer by its name or its place.

        Raises
        ------
        ValueError
            If there is none.
        """
        layers = self.layers
        if index is not None:
            if not -len(layers) <= index < len(layers):
                raise ValueError(f"{self.name}: no layer {index}, the model has {len(layers)}")
            return layers[index]
        for layer in layers:
            if layer.name == name:
                return layer
        raise ValueError(
            f"{self.name}: no layer named {name!r}; there are "
            + ", ".join(repr(layer.name) for layer in layers)
        )

    def summary(self, line_length: int | None = None, print_fn: Any = None) -> None:
        """Print a table of the layers with their output shapes and numbers of weights.

        Parameters
        ----------
        line_length
            Width in characters; 80 if not given.
        print_fn
            Called with each line instead of `print`.
        """
        print_summary(self, line_length, print_fn)

    def to_json(self, **kwargs: Any) -> str:
        """Return the model's class and configuration as JSON."""
        from minpy.layers.serialization import serialize

        return json.dumps(serialize(self), **kwargs)

    # --- files ----------------------------------------------------------------------------------

    def save(self, filepath: Any, overwrite: bool = True) -> None:
        """Write the model to one HDF5 file: architecture, weights, optimizer, where training stood.

        Parameters
        ----------
        filepath
            Where to.
        overwrite
            False refuses to replace a file.

        Raises
        ------
        CheckpointError
            If the file can't be written; an old file at that place stays as it was.

        Examples
        --------
        >>> import tempfile, os
        >>> from minpy.models import Sequential, load_model
        >>> from minpy.layers import Dense
        >>> path = os.path.join(tempfile.mkdtemp(), 'model.h5')
        >>> Sequential([Dense(2, input_shape=(3,))]).save(path)
        >>> load_model(path).count_params()
        8
        """
        saving.save_model(self, filepath, overwrite)

    def save_weights(self, filepath: Any, overwrite: bool = True) -> None:
        """Write the weights alone to one HDF5 file; raises as `save`."""
        saving.save_weights(self, filepath, overwrite)

    def load_weights(self, filepath: Any, strict: bool = True) -> None:
        """Read weights from a file that `save` or `save_weights` wrote.

        Parameters
        ----------
        filepath
            Where from.
        strict
            False takes the weights that fit by name and shape and warns of the others.

        Raises
        ------
        CheckpointError
            If the file is damaged or doesn't fit; the model is then as it was.
        """
        saving.load_weights(self, filepath, strict)

    def load(self, filepath: Any) -> None:
        """Go on from a file that `save` wrote: weights, optimizer, and where training stood.

        Raises
        ------
        CheckpointError
            If the file is damaged or doesn't fit; the model is then as it was.
        """
        saving.restore(self, filepath)

    # --- state that files hold ------------------------------------------------------------------

    def _weights_by_path(self) -> dict[str, numpy.ndarray]:
        return {p.path: p.memory for p in self.weights}

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal model; a subclass with some adds its own."""
        return {}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """Make a model of what `get_config` returned."""
        return cls(**config)
