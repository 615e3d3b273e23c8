"""A model: layers with the training loop, a summary, and saving."""

from __future__ import annotations

import difflib
import inspect
import json
import warnings
from collections.abc import Mapping
from typing import Any

import numpy

import minpy.numpy as np
from minpy.array import as_ndarray
from minpy.autograd.containers import flatten, map_leaves
from minpy.layers.calls import map_shapes, shape_of
from minpy.layers.core.operation import Operation
from minpy.layers.layer import _AUTOMATIC, Layer
from minpy.layers.parameter import structure
from minpy.layers.symbolic import KerasTensor, is_symbolic
from minpy.models import saving
from minpy.models.compilable import Compilable
from minpy.models.functional_graph import FunctionalGraph, graph_from_config
from minpy.models.summary import print_summary
from minpy.models.trainer import Trainer

__all__ = ["Model"]


class Model(Trainer):
    """A model: a graph of layers between inputs and outputs, or a class of one's own.

    ``Model(inputs, outputs)`` is the function that leads from symbolic tensors (`Input`) to what
    layers made of them. A subclass makes its layers in ``__init__`` and uses them in ``call``; or
    it calls ``super().__init__(inputs, outputs)``, and has the graph for its ``call``.

    Parameters
    ----------
    inputs, outputs
        Symbolic tensors, alone or in lists and dicts; the model takes and returns arrays in the
        same containers.
    name
        Its name; the class's if not given.
    trainable
        False keeps the optimizer from changing the weights.

    Raises
    ------
    ValueError
        If the outputs depend on an input that isn't given, or something given isn't symbolic.

    Examples
    --------
    >>> import numpy
    >>> from minpy.models import Model
    >>> from minpy.layers import Dense, Input
    >>> x = Input((3,))
    >>> hidden = Dense(8, activation='relu', name='hidden')(x)
    >>> model = Model(x, Dense(1)(hidden))
    >>> model.count_params()
    41
    >>> Model(model.input, model.get_layer('hidden').output).output_shape
    (None, 8)

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

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        """Make a `Functional` where inputs and outputs are given."""
        if cls is Model and (args or "inputs" in kwargs or "outputs" in kwargs):
            from minpy.models.functional import Functional

            return super().__new__(Functional, *args, **kwargs)
        return super().__new__(cls, *args, **kwargs)

    def __init__(
        self,
        inputs: Any = None,
        outputs: Any = None,
        *,
        name: str | None = None,
        trainable: bool = True,
        **kwargs: Any,
    ) -> None:
        if isinstance(inputs, str) and outputs is None and name is None:
            inputs, name = None, inputs  # Model('name')
        super().__init__(name=name, **kwargs)
        if inputs is not None or outputs is not None:
            self._set_graph(inputs, outputs)
        if not trainable:
            self.trainable = False

    def _prepare(self) -> None:
        if "_parameters" not in self.__dict__:
            super()._prepare()
            object.__setattr__(self, "_graph", None)

    # --- a graph, if the model is one -----------------------------------------------------------

    def _set_graph(self, inputs: Any, outputs: Any) -> None:
        if inputs is None or outputs is None:
            raise ValueError(
                f"{self.name}: expected Model(inputs, outputs), got "
                f"{'outputs' if inputs is None else 'inputs'} only"
            )
        graph = FunctionalGraph(inputs, outputs, self.name)
        object.__setattr__(self, "_graph", graph)
        self.input_shape = map_leaves(lambda t: t.shape, graph.input_struct)
        self.output_shape = map_leaves(lambda t: t.shape, graph.unpacked_outputs)
        self.built = True

    def _needs_graph(self, what: str) -> FunctionalGraph:
        if self._graph is None:
            raise ValueError(
                f"{self.name} has no {what}: it isn't made of symbolic tensors; "
                "Model(inputs, outputs) is, and Sequential with an Input"
            )
        return self._graph

    @property
    def input(self) -> Any:
        """The symbolic inputs, in the container that they were given in."""
        return self._needs_graph("input").input_struct

    @property
    def output(self) -> Any:
        """The symbolic outputs, in the container that they were given in."""
        return self._needs_graph("output").output_struct

    @property
    def inputs(self) -> list[Any]:
        """The symbolic inputs in order."""
        return self._needs_graph("inputs").inputs

    @property
    def outputs(self) -> list[Any]:
        """The symbolic outputs in order."""
        return self._needs_graph("outputs").outputs

    @property
    def input_names(self) -> list[str]:
        """The names of the inputs."""
        return [t.name for t in self.inputs]

    @property
    def output_names(self) -> list[str]:
        """The names of the layers that the outputs come from."""
        return [t._node.layer.name for t in self.outputs]

    @property
    def _keeps_integers(self) -> bool:
        # A graph whose inputs are all floats gets its integers as floats, a batch at a time.
        return self._graph is None or any(t.dtype.kind != "f" for t in self._graph.inputs)

    def _is_callable(self) -> bool:
        return self._graph is not None or type(self).call is not Model.call

    def call(self, inputs: Any, training: bool = False, mask: Any = None) -> Any:
        """Compute the outputs."""
        if self._graph is None:
            raise NotImplementedError(
                f"{type(self).__name__} has no call(x): write one, or make the model of symbolic "
                "tensors, Model(inputs, outputs)"
            )
        graph = self._graph
        values = graph.fitted(graph.arrange(inputs))
        if mask is not None:
            for value, one in zip(values, flatten(mask)[0], strict=True):
                if one is not None:
                    value._keras_mask = as_ndarray(one)
        return graph.run(values, add_loss=self.add_loss)

    def add_loss(self, loss: Any) -> None:
        """Add a term to the loss.

        Parameters
        ----------
        loss
            In ``call``: an array, a term of this call. Beside it, on a functional model: a symbolic
            tensor made of the model's own, a term of every call. Its mean, where it isn't one
            number.

        Raises
        ------
        ValueError
            If a symbolic term depends on an input that the model doesn't have.

        Examples
        --------
        >>> import minpy.numpy as np
        >>> from minpy.models import Model
        >>> from minpy.layers import Dense, Input
        >>> x = Input((3,))
        >>> hidden = Dense(2)(x)
        >>> model = Model(x, Dense(1)(hidden))
        >>> model.add_loss(0.1 * np.sum(hidden ** 2))
        >>> len(model.losses), model(np.ones((1, 3))).shape, len(model.losses)
        (0, (1, 1), 1)
        """
        terms = flatten(loss)[0]
        if not is_symbolic(terms):
            for term in terms:
                value = as_ndarray(term)
                super().add_loss(np.mean(value) if value.ndim else value)
            return
        graph = self._needs_graph("graph to add a symbolic loss to")
        for term in terms:
            if type(term) is not KerasTensor:
                raise ValueError(
                    f"{self.name}: expected symbolic tensors as loss terms, got {term!r}"
                )
        grown = FunctionalGraph(
            graph.given_struct, graph.output_struct, self.name, [*graph.losses, *terms]
        )
        object.__setattr__(self, "_graph", grown)
        structure.version += 1

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
        """Return symbolic tensors of the shapes that a call on symbolic tensors gives."""
        if self._graph is None or type(self).call is not Model.call:
            return super().compute_output_spec(*args, **kwargs)
        values = self._graph.fitted(self._graph.arrange(args[0] if args else kwargs["inputs"]))
        return self._graph.specs(values)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shape of the output for an input's, the batch axis None."""
        if self._graph is None:
            raise NotImplementedError(f"{type(self).__name__} has no compute_output_shape")
        dtypes = iter([t.dtype for t in self.inputs])
        given = map_shapes(lambda shape: KerasTensor(shape, next(dtypes)), input_shape)
        return map_leaves(lambda t: t.shape, self.compute_output_spec(given))

    # --- layers ---------------------------------------------------------------------------------

    _builds_all = False

    def build(self, input_shape: Any = None) -> None:
        """Make the weights of all layers for an input's shape, its batch axis None.

        Parameters
        ----------
        input_shape
            A shape, or lists and dicts of shapes as ``call`` takes arrays.
        """
        if self._graph is None and input_shape is not None:
            given = map_shapes(KerasTensor, input_shape)
            self.built = True
            self._run_on_zeros((given,), {})
            self.input_shape = input_shape
        self.built = True

    def _build_for(self, tensors: Any) -> None:
        if type(self).build is not Model.build:
            super()._build_for(tensors)
            return
        # The layers inside are built when they are called, which comes next.
        self.built = True
        self.input_shape = shape_of(next(iter(tensors.values()))) if tensors else None

    def _children(self) -> list[Layer]:
        if self._graph is None:
            return super()._children()
        both = [*self._graph.operations, *super()._children()]
        return list({id(layer): layer for layer in both}.values())

    @property
    def operations(self) -> list[Layer]:
        """The layers directly inside the model, and the operations between them."""
        return self._children()

    @property
    def layers(self) -> list[Layer]:
        """The layers directly inside the model."""
        return [layer for layer in self._children() if not isinstance(layer, Operation)]

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
        if name is None:
            raise ValueError(f"{self.name}: get_layer expects a name or an index")
        named = dict(self._named_children())
        if name in named:
            return named[name]
        near = difflib.get_close_matches(str(name), named, 1)
        raise ValueError(
            f"{self.name}: no layer named {name!r}; "
            + (f"did you mean {near[0]!r}? There are " if near else "there are ")
            + ", ".join(repr(layer.name) for layer in layers)
        )

    def summary(
        self,
        line_length: int | None = None,
        positions: Any = None,
        print_fn: Any = None,
        expand_nested: bool = False,
        show_trainable: bool = False,
        layer_range: Any = None,
    ) -> None:
        """Print a table of the layers with their output shapes and numbers of weights.

        Parameters
        ----------
        line_length
            Width in characters; as wide as the terminal allows, if not given.
        positions
            Where each column ends, as shares of the line.
        print_fn
            Called with each line instead of `print`.
        expand_nested
            Whether the layers of models inside the model are shown.
        show_trainable
            Whether to tell which layers are trained.
        layer_range
            Names, or patterns, of the first and the last layer to show.

        Examples
        --------
        >>> from minpy.models import Sequential
        >>> from minpy.layers import Dense
        >>> Sequential([Dense(2, input_shape=(3,))]).summary(line_length=52)
        Model: "sequential"
        ┏━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━┳━━━━━━━━━━┓
        ┃ Layer (type)         ┃ Output Shape   ┃  Param # ┃
        ┡━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━╇━━━━━━━━━━┩
        │ dense (Dense)        │ (None, 2)      │        8 │
        └──────────────────────┴────────────────┴──────────┘
         Total params: 8 (32.00 B)
         Trainable params: 8 (32.00 B)
         Non-trainable params: 0 (0.00 B)
        """
        print_summary(
            self, line_length, positions, print_fn, expand_nested, show_trainable, layer_range
        )

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

    def export(
        self,
        filepath: Any,
        format: str = "onnx",
        verbose: bool | int | None = None,
        input_signature: Any = None,
        **kwargs: Any,
    ) -> None:
        """Write the forward pass in inference mode to a file that other programs run.

        Parameters
        ----------
        filepath
            Where to; an old file stays as it was if the export fails.
        format
            ``'onnx'``, the one that there is: a model for onnxruntime and all else that reads ONNX.
            It needs the package onnx, ``pip install 'minpy[export]'``.
        verbose
            Whether to print what was written.
        input_signature
            A shape, `InputSpec` or symbolic tensor for each input, in the structure that the model
            takes, or a list of one; needed where the model doesn't know. None as the first length
            stands for any number of samples, a number for that many.

        Raises
        ------
        ValueError
            If there is no such format, or nobody has told the inputs' shapes.
        ImportError
            If the package is missing.
        NotExportable
            If ONNX has no counterpart of what a layer does; the message names it.

        Examples
        --------
        >>> from minpy.models import Sequential
        >>> from minpy.layers import Dense
        >>> Sequential([Dense(2, input_shape=(3,))]).export('model', format='tf_saved_model')
        Traceback (most recent call last):
        ...
        ValueError: sequential: export: expected format 'onnx', the one that there is, got ...
        """
        from minpy.exporting import export

        export(self, filepath, format, verbose, input_signature, **kwargs)

    def save_weights(self, filepath: Any, overwrite: bool = True) -> None:
        """Write the weights alone to one HDF5 file; raises as `save`."""
        saving.save_weights(self, filepath, overwrite)

    def load_weights(
        self, filepath: Any, skip_mismatch: bool = False, *, strict: bool = True
    ) -> None:
        """Read weights from a file that `save` or `save_weights` wrote.

        Parameters
        ----------
        filepath
            Where from.
        skip_mismatch
            Whether to take the weights that fit by name and shape, and warn of the others.
        strict
            False is another way to say so.

        Raises
        ------
        CheckpointError
            If the file is damaged or doesn't fit; the model is then as it was.
        """
        saving.load_weights(self, filepath, strict and not skip_mismatch)

    def load(self, filepath: Any) -> None:
        """Go on from a file that `save` wrote: weights, optimizer, and where training stood.

        Raises
        ------
        CheckpointError
            If the file is damaged or doesn't fit; the model is then as it was.
        """
        saving.restore(self, filepath)

    def get_compile_config(self) -> dict[str, Any]:
        """Return what `compile` was told as JSON can hold it; empty before `compile`.

        `save` writes it, and `load_model` calls `compile_from_config` with it: a class with a
        `compile` of its own writes both.

        Raises
        ------
        ValueError
            If a loss or metric is a function without a name.
        """
        return saving.compile_config(self)

    def compile_from_config(self, config: Mapping[str, Any] | None) -> None:
        """Compile with what `get_compile_config` returned.

        A class with a `compile` of its own, which may take anything, is left as it is, with a
        warning.

        Raises
        ------
        ValueError
            If it refers to a class or function that isn't known.

        Examples
        --------
        >>> from minpy.models import Sequential
        >>> from minpy.layers import Dense
        >>> model, other = Sequential([Dense(1)]), Sequential([Dense(1)])
        >>> model.compile('adam', 'mse', metrics=['mae'])
        >>> other.compile_from_config(model.get_compile_config())
        >>> type(other.optimizer).__name__
        'Adam'
        """
        if not config:
            return
        if type(self).compile is not Compilable.compile:
            warnings.warn(
                f"{type(self).__name__} has a compile of its own, so the model isn't compiled; "
                "write get_compile_config and compile_from_config in it too, or call compile",
                stacklevel=2,
            )
            return
        saving.compile_from_config(self, config)

    # --- state that files hold ------------------------------------------------------------------

    def _weights_by_path(self) -> dict[str, numpy.ndarray]:
        return {p.path: p.memory for p in self.weights}

    def get_config(self) -> dict[str, Any]:
        """Return what makes an equal model: the graph, or the arguments of its class.

        Raises
        ------
        ValueError
            If an argument can't be written as JSON; the class then has to write ``get_config``.
        """
        if self._graph is not None and type(self)._takes_graph():
            config = {"name": self.name, "trainable": self._trainable}
            return {**config, **self._graph.get_config()}
        return self._remembered_config()

    @classmethod
    def from_config(
        cls, config: dict[str, Any], custom_objects: Mapping[str, Any] | None = None
    ) -> Any:
        """Make a model of what `get_config` returned."""
        if "calls" not in config or not cls._takes_graph():
            return super().from_config(config, custom_objects)
        inputs, outputs, losses = graph_from_config(config, custom_objects)
        model = cls(inputs, outputs, name=config["name"])
        if losses:
            model.add_loss(losses)
        model.__dict__["_trainable"] = config.get("trainable", True)
        if not model._trainable:  # those of its layers that train were set to
            for layer in model._children():
                layer._thawed = layer._trainable
        return model

    @classmethod
    def _takes_graph(cls) -> bool:
        """Say whether the constructor is that of `Model`: inputs, outputs, a name."""
        parameters = inspect.signature(cls.__init__).parameters
        kinds = {p.kind for p in parameters.values()}
        passes_on = {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD} <= kinds
        return passes_on or list(parameters)[1:3] == ["inputs", "outputs"]


_AUTOMATIC.add(Model)
