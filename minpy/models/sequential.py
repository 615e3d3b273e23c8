"""A stack of layers as a model."""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Mapping
from typing import Any

from minpy.array import as_ndarray
from minpy.autograd.containers import map_leaves
from minpy.by_name import snake_case
from minpy.errors import ShapeError
from minpy.layers.calls import is_shape
from minpy.layers.core.input_layer import Input, InputLayer
from minpy.layers.layer import Layer, stacks
from minpy.layers.serialization import deserialize, serialize
from minpy.layers.symbolic import KerasTensor
from minpy.models.functional_graph import FunctionalGraph, advice
from minpy.models.model import Model

__all__ = ["Sequential"]


class Sequential(Model):
    """A stack of layers, each fed with the output of the one before.

    Parameters
    ----------
    layers
        The layers, from the input on. With an `Input` first, or ``input_shape`` on the first
        layer, the weights exist at once; otherwise they are made at the first use.

    Examples
    --------
    >>> from minpy.models import Sequential
    >>> from minpy.layers import Dense
    >>> model = Sequential([Dense(16, activation='relu', input_shape=(8,)), Dense(3)])
    >>> model.count_params()
    195
    """

    _handles_masks = False

    def __init__(
        self, layers: Any = None, trainable: bool = True, name: str | None = None, **kwargs: Any
    ) -> None:
        if isinstance(trainable, str):  # Sequential(layers, 'name')
            trainable, name = True, trainable if name is None else name
        super().__init__(name=name, trainable=trainable, **kwargs)
        self._stack: list[Layer]
        object.__setattr__(self, "_stack", [])
        for layer in [] if layers is None else layers:
            self.add(layer)

    @property
    def _keeps_integers(self) -> bool:
        # Numbers of rows stay integers: float32 holds them only up to 2**24.
        return bool(self.layers) and getattr(self.layers[0], "takes_integers", False)

    @property
    def layers(self) -> list[Layer]:
        """The layers of the stack, without the `Input`."""
        return [layer for layer in self._stack if not isinstance(layer, InputLayer)]

    def add(self, layer: Any, rebuild: bool = True) -> None:
        """Put a layer on top of the stack.

        Parameters
        ----------
        layer
            The layer, or what `Input` returns, as the first.
        rebuild
            Kept for Keras' sake: weights are made when the model is called or built.

        Raises
        ------
        TypeError
            If it is no layer.
        ValueError
            If its name is taken.
        ShapeError
            If it can't take the output of the one below; it is then not added.
        """
        if type(layer) is KerasTensor and isinstance(layer._node and layer._node.layer, InputLayer):
            layer = layer._node.layer
        if isinstance(layer, type) or not isinstance(layer, Layer):
            hint = f"; make one: {layer.__name__}(…)" if isinstance(layer, type) else ""
            raise TypeError(f"{self.name}: expected a layer, got {layer!r}{hint}")
        taken = {other.name for other in self._stack}
        before = layer.name, layer._named
        if not layer._named:
            base = snake_case(type(layer).__name__)
            number = 0
            layer.name = base
            while layer.name in taken:
                number += 1
                layer.name = f"{base}_{number}"
            layer._named = "automatically"
        elif any(layer is other for other in self._stack):
            raise ValueError(
                f"{self.name}: layer {layer.name!r} is in the stack already; a layer is used twice "
                "in a model of symbolic tensors, Model(inputs, outputs)"
            )
        elif layer.name in taken:
            raise ValueError(
                f"{self.name}: a layer named {layer.name!r} exists already; give each its own name"
            )
        try:
            shape = self._output_so_far()
            if not self._stack and layer._declared_shape is not None:
                shape = layer._declared_shape
            if shape is not None:
                layer._build_once(shape)
                self._try_out(layer, shape, self._stack[-1] if self._stack else layer)
        except ShapeError:
            layer.name, layer._named = before
            raise
        self._stack.append(layer)
        object.__setattr__(self, "_graph", None)
        self._sublayers[layer.name] = layer
        stacks[layer] = weakref.ref(self)
        self.built = all(one.built for one in self._stack)
        if self.built and shape is not None:
            self.input_shape = self._stack[0].input_shape or self._stack[0]._declared_shape
            self.output_shape = layer.output_shape
        else:
            self.built = False

    # --- as a graph -----------------------------------------------------------------------------

    def _needs_graph(self, what: str) -> FunctionalGraph:
        """Return the stack as a graph, made when it is first asked for."""
        if self._graph is None:
            shape = self.input_shape
            if not self._stack or not is_shape(shape):
                raise ValueError(
                    f"{self.name} has no {what} yet: its input's shape isn't known; begin it with "
                    "an Input, or call it on data first"
                )
            first = self._stack[0]
            if isinstance(first, InputLayer):
                value = first.output
            else:
                name = f"{first.name}_input"
                value = Input(batch_shape=shape, dtype=first.__dict__["dtype"], name=name)
            start = value
            for layer in self._stack[isinstance(first, InputLayer) :]:
                value = layer(value)
            object.__setattr__(self, "_graph", FunctionalGraph(start, value, self.name))
        return self._graph

    def _children(self) -> list[Layer]:
        return Layer._children(self)

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
        """Return a symbolic tensor of the shape that a call on a symbolic tensor gives."""
        value = args[0] if args else kwargs["x"]
        for layer in self._stack:
            value = layer.compute_output_spec(value)
        return value

    def _try_out(self, layer: Layer, shape: Any, before: Layer) -> None:
        """Run a layer that can't tell its output's shape on zeros, as `Model` does."""
        unknown = layer.output_shape is None or any(not one.built for one in layer._all_inside())
        if not unknown or not is_shape(shape):
            return
        zeros = KerasTensor(shape, before.__dict__["dtype"])
        # What it has to say of zeros isn't said: it may work on what is trained on.
        with contextlib.suppress(Exception):
            layer.output_shape = map_leaves(lambda t: t.shape, layer._run_on_zeros((zeros,), {}))

    def _output_so_far(self) -> Any:
        if not self._stack or not self._stack[-1].built:
            return None
        return self._stack[-1].output_shape

    def pop(self, rebuild: bool = True) -> Layer:
        """Take the top layer off the stack and return it; `rebuild` is as of `add`."""
        if not self._stack:
            raise ValueError(f"{self.name}: there is no layer to take off")
        layer = self._stack.pop()
        del self._sublayers[layer.name]
        object.__setattr__(self, "_graph", None)
        self.built = bool(self._stack) and all(one.built for one in self._stack)
        self.output_shape = self._output_so_far() if self.built else None
        return layer

    def check_input(self, shape: Any) -> None:
        """Raise `ShapeError` if the first layer can't take inputs of this shape."""
        if not self._stack:
            raise ValueError(f"{self.name}: the model has no layers; add some with add(layer)")

    def build(self, input_shape: Any = None) -> None:
        """Make the weights of all layers for an input's shape, its batch axis None.

        The shape may be left out where the first layer knows it.

        Raises
        ------
        ValueError
            If it doesn't.
        """
        if input_shape is None:
            input_shape = self._stack[0]._declared_shape if self._stack else None
            if input_shape is None:
                raise ValueError(
                    f"{self.name}: build needs an input_shape, or an Input as the first layer"
                )
        shape = input_shape
        before = self._stack[0]
        for layer in self._stack:
            layer._build_once(shape)
            if self._tries_out:
                self._try_out(layer, shape, before)
            before, shape = layer, layer.output_shape
            if shape is None:  # a layer that can't tell: the first batch will
                return
        self.built = True
        self.input_shape, self.output_shape = input_shape, shape

    # Whether `build` runs layers that can't tell their output's shape on zeros.
    _tries_out = True

    def _build_for(self, tensors: Any) -> None:
        self._tries_out = False  # it is about to be called on data, which tell more than zeros
        try:
            super()._build_for(tensors)
        finally:
            del self._tries_out

    def call(self, x: Any, training: bool | None = None, mask: Any = None) -> Any:
        """Compute the output."""
        if not self._stack:
            raise ValueError(f"{self.name}: the model has no layers; add some with add(layer)")
        if mask is not None:
            x._keras_mask = as_ndarray(mask)
        x = self._as_declared(x)
        for layer in self._stack:
            x = layer(x, training=training)
        return x

    def _as_declared(self, x: Any) -> Any:
        """Return an input with the axes that the `Input`, or ``input_shape``, promises.

        Raises
        ------
        ShapeError
            If it has others; a last axis of length one may be there or not, as in Keras.
        """
        first = self._stack[0]
        declared, shape = first._declared_shape, getattr(x, "shape", None)
        if not is_shape(declared) or not is_shape(shape):
            return x
        if len(shape) == len(declared) - 1 and declared[-1] == 1:
            x = x.reshape((*shape, 1))
        elif len(shape) == len(declared) + 1 and shape[-1] == 1:
            x = x.reshape(shape[:-1])
        fits = x.ndim == len(declared)
        if fits and isinstance(first, InputLayer):  # others look at the lengths themselves
            pairs = zip(declared[1:], x.shape[1:], strict=True)
            fits = all(n is None or n == m for n, m in pairs)
        if not fits:
            whose = "Input" if isinstance(first, InputLayer) else "first layer's input_shape"
            raise ShapeError(
                f"{self.name}: expected input of shape "
                f"({', '.join(['batch', *map(str, declared[1:])])}), as the {whose} says, got "
                f"{tuple(shape)}{advice(declared, tuple(shape))}"
            )
        return x

    def _outputs_known(self) -> tuple[list[str] | None, list[Any]]:
        shape = self.output_shape
        return [self._stack[-1].name], [shape if is_shape(shape) else None]

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shape of the output."""
        for layer in self._stack:
            input_shape = layer.compute_output_shape(input_shape)
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Return the layers' configurations."""
        return {
            "name": self.name,
            "layers": [serialize(layer) for layer in self._stack],
            "build_shape": None if self.input_shape is None else list(self.input_shape),
        }

    @classmethod
    def from_config(
        cls, config: dict[str, Any], custom_objects: Mapping[str, Any] | None = None
    ) -> Sequential:
        """Make a model of what `get_config` returned."""
        model = cls([deserialize(c, custom_objects) for c in config["layers"]], config["name"])
        if config.get("build_shape") is not None and not model.built:
            model.build(tuple(config["build_shape"]))
        return model
