"""A recurrent layer in both directions."""

from __future__ import annotations

from typing import Any

from minpy.layers.layer import Layer
from minpy.layers.recurrent.rnn import reversed_in_time
from minpy.layers.serialization import deserialize, serialize
from minpy.numpy.shaping import concatenate

__all__ = ["Bidirectional"]

# How the two outputs become one.
_MERGED = {
    "concat": lambda a, b: concatenate([a, b], -1),
    "sum": lambda a, b: a + b,
    "ave": lambda a, b: (a + b) / 2,
    "mul": lambda a, b: a * b,
    None: lambda a, b: (a, b),
}
_ALIKE = ("stateful", "return_sequences", "return_state")


class Bidirectional(Layer):
    """Runs a recurrent layer forwards and another one backwards, and merges their outputs.

    Parameters
    ----------
    layer
        An `RNN` layer, or one with its flags ``go_backwards``, ``return_sequences``,
        ``return_state`` and ``stateful``. Layers like it are made: its weights aren't taken over.
    merge_mode
        ``'concat'``, ``'sum'``, ``'ave'``, ``'mul'``, or None, which returns both outputs.
    weights
        Weights to start with: the forward layer's, then the other's.
    backward_layer
        The layer for the other direction; one like `layer` if not given.

    Notes
    -----
    Schuster and Paliwal, 1997. Both outputs are in the order of time. An output of a step that the
    mask leaves out is 0. ``initial_state`` has the forward layer's states, then the other's; the
    states that are returned too.

    Examples
    --------
    >>> import minpy.numpy as np
    >>> from minpy.layers import LSTM, Bidirectional
    >>> Bidirectional(LSTM(4, return_sequences=True))(np.zeros((2, 5, 3))).shape
    (2, 5, 8)
    """

    def __init__(
        self,
        layer: Any,
        merge_mode: str | None = "concat",
        weights: Any = None,
        backward_layer: Any = None,
        **kwargs: Any,
    ) -> None:
        for what, value in (("layer", layer), ("backward_layer", backward_layer)):
            if not isinstance(value, Layer) and not (value is None and what != "layer"):
                raise ValueError(f"Bidirectional: expected a layer as {what}, got {value!r}")
        if merge_mode not in _MERGED:
            raise ValueError(
                f"Bidirectional: expected merge_mode 'concat', 'sum', 'ave', 'mul' or None, "
                f"got {merge_mode!r}"
            )
        for flag in ("go_backwards", *_ALIKE):
            if not hasattr(layer, flag):
                raise ValueError(
                    f"Bidirectional: {layer!r} is no recurrent layer, it has no {flag}"
                )
        super().__init__(**kwargs)
        self.forward_layer = _alike(layer, "forward", layer.go_backwards)
        self.backward_layer = (
            _alike(layer, "backward", not layer.go_backwards)
            if backward_layer is None
            else backward_layer
        )
        if self.forward_layer.go_backwards == self.backward_layer.go_backwards:
            raise ValueError(
                "Bidirectional: expected layers in different directions, got go_backwards="
                f"{self.forward_layer.go_backwards} for both"
            )
        for flag in _ALIKE:
            values = [getattr(one, flag) for one in (self.forward_layer, self.backward_layer)]
            if values[0] != values[1]:
                raise ValueError(
                    f"Bidirectional: expected layers with one {flag}, got {values[0]} forwards "
                    f"and {values[1]} backwards"
                )
            setattr(self, flag, values[0])
        for one in (self.forward_layer, self.backward_layer):
            if hasattr(one, "zero_output_for_mask"):
                one.zero_output_for_mask = self.return_sequences
        self.merge_mode = merge_mode
        self._own_backward = backward_layer is not None
        self._first_weights = weights
        self.supports_masking = True

    @property
    def go_backwards(self) -> bool:
        """Whether the forward layer reads from the end."""
        return self.forward_layer.go_backwards

    def check_input(self, shape: Any) -> None:
        """Raise `ShapeError` unless the layers can take the input."""
        self.forward_layer.check_input(shape)

    def build(self, sequences_shape: Any, initial_state_shape: Any = None) -> None:
        """Make the weights of both layers."""
        for layer in (self.forward_layer, self.backward_layer):
            layer._build_once(sequences_shape)
        if self._first_weights is not None:
            half = len(self._first_weights) // 2
            self.forward_layer.set_weights(self._first_weights[:half])
            self.backward_layer.set_weights(self._first_weights[half:])

    def call(
        self,
        sequences: Any,
        initial_state: Any = None,
        mask: Any = None,
        training: bool = False,
    ) -> Any:
        """Compute both layers' outputs and merge them."""
        first = second = None
        if initial_state is not None:
            half = len(initial_state) // 2
            first, second = initial_state[:half], initial_state[half:]
        options = {"mask": mask, "training": training}
        y = self.forward_layer(sequences, initial_state=first, **options)
        back = self.backward_layer(sequences, initial_state=second, **options)
        states: tuple = ()
        if self.return_state:
            states = (*y[1:], *back[1:])
            y, back = y[0], back[0]
        if self.return_sequences:
            back = reversed_in_time(back)
        output = _MERGED[self.merge_mode](y, back)
        if not self.return_state:
            return output
        return (*output, *states) if self.merge_mode is None else (output, *states)

    def compute_output_shape(self, sequences_shape: Any, initial_state_shape: Any = None) -> Any:
        """Return the shape of the output."""
        shape = self.forward_layer.compute_output_shape(sequences_shape)
        states: tuple = ()
        if self.return_state:
            shape, states = shape[0], tuple(shape[1:])
        if self.merge_mode == "concat":
            shape = (*shape[:-1], 2 * shape[-1])
        outputs = (shape, shape) if self.merge_mode is None else (shape,)
        if self.return_state:
            return (*outputs, *states, *states)
        return outputs if self.merge_mode is None else shape

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """Return the mask of the output: the input's, if all steps are returned."""
        if isinstance(mask, list | tuple):
            mask = mask[0]
        found = mask if self.return_sequences else None
        outputs = (found, found) if self.merge_mode is None else (found,)
        if self.return_state:
            return (*outputs, *[None] * (2 * len(self.forward_layer.state_size)))
        return outputs if self.merge_mode is None else found

    def reset_state(self) -> None:
        """Make stateful layers start again."""
        self.forward_layer.reset_state()
        self.backward_layer.reset_state()

    reset_states = reset_state

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer."""
        config = {**super().get_config(), "layer": serialize(self.forward_layer)}
        config["merge_mode"] = self.merge_mode
        if self._own_backward:
            config["backward_layer"] = serialize(self.backward_layer)
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Bidirectional:
        """Make a layer of what `get_config` returned."""
        config = dict(config)
        for name in ("layer", "backward_layer"):
            if config.get(name) is not None:
                config[name] = deserialize(config[name], custom_objects)
        return cls(**config)


def _alike(layer: Any, direction: str, go_backwards: bool) -> Any:
    """Return a new layer with the settings of another, for one direction."""
    told = serialize(layer)
    name = layer.name.removeprefix("forward_").removeprefix("backward_")
    config = {**told["config"], "name": f"{direction}_{name}", "go_backwards": go_backwards}
    return deserialize({**told, "config": config}, {told["class_name"]: type(layer)})
