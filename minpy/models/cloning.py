"""Copies of models: the same layers with weights of their own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from minpy.autograd.containers import flatten
from minpy.layers.core.input_layer import InputLayer
from minpy.layers.core.lambda_layer import Lambda
from minpy.layers.layer import Layer
from minpy.layers.symbolic import KerasTensor

__all__ = ["clone_model"]


def clone_model(
    model: Any,
    input_tensors: Any = None,
    clone_function: Callable[[Layer], Layer] | None = None,
    call_function: Callable[..., Any] | None = None,
    recursive: bool = False,
) -> Any:
    """Return a model of the same layers, with weights of its own that start anew.

    Parameters
    ----------
    model
        A `Sequential`, a functional model, or a model of a class with ``get_config``.
    input_tensors
        Symbolic tensors to build the copy on; new inputs like the model's if not given.
    clone_function
        ``clone_function(layer)`` returns what stands in the place of a layer: the layer itself to
        share its weights, another layer to change the model. Makes a copy by ``get_config`` if not
        given.
    call_function
        ``call_function(layer, *args, **kwargs)`` calls a layer of the copy on symbolic tensors; may
        put others between. Functional models only.
    recursive
        Whether models inside the model are cloned with `clone_function` too.

    Returns
    -------
    Model
        Not compiled.

    Raises
    ------
    ValueError
        If the model's class has no graph, and functions are given.

    Examples
    --------
    >>> from minpy.models import Sequential, clone_model
    >>> from minpy.layers import Dense
    >>> model = Sequential([Dense(2, input_shape=(3,))])
    >>> copy = clone_model(model)
    >>> copy.set_weights(model.get_weights())
    >>> copy.layers[0] is model.layers[0], copy.count_params()
    (False, 8)
    """
    is_stack = hasattr(model, "_stack")
    if not is_stack and getattr(model, "_graph", None) is None:
        if clone_function is not None or call_function is not None or input_tensors is not None:
            raise ValueError(
                f"{model.name} is of a class of its own and has no graph; clone_model copies it "
                "by get_config and from_config, and takes no other arguments"
            )
        return type(model).from_config(model.get_config())
    if is_stack and call_function is not None:
        raise ValueError(f"{model.name} is a stack; call_function is for functional models only")
    copy_layer = _copier(clone_function, recursive)
    if is_stack:
        return _clone_stack(model, input_tensors, copy_layer)
    return _clone_graph(model, input_tensors, copy_layer, call_function)


def _copier(clone_function: Any, recursive: bool) -> Callable[[Layer], Layer]:
    own = _copy if clone_function is None else clone_function

    def copy_layer(layer: Layer) -> Layer:
        has_graph = hasattr(layer, "_stack") or getattr(layer, "_graph", None) is not None
        if recursive and has_graph:
            return clone_model(layer, clone_function=clone_function, recursive=True)
        made = own(layer)
        if not isinstance(made, Layer):
            raise TypeError(
                f"clone_model: clone_function returned {type(made).__name__} for the layer "
                f"{layer.name!r}; expected a layer"
            )
        return made

    return copy_layer


def _copy(layer: Layer) -> Layer:
    if type(layer) is Lambda:
        return layer.clone()
    if _needs_custom(layer):
        return type(layer).from_config(layer.get_config())
    from minpy.layers.serialization import deserialize, serialize

    return deserialize(serialize(layer), {type(layer).__name__: type(layer)})


def _needs_custom(layer: Layer) -> bool:
    import inspect

    return "custom_objects" not in inspect.signature(type(layer).from_config).parameters


def _clone_stack(model: Any, input_tensors: Any, copy_layer: Callable) -> Any:
    layers = [layer for layer in model._stack if not isinstance(layer, InputLayer)]
    inputs = [layer for layer in model._stack if isinstance(layer, InputLayer)]
    if input_tensors is not None:
        start = flatten(input_tensors)[0]
        if len(start) != 1 or type(start[0]) is not KerasTensor:
            raise ValueError(
                f"{model.name}: a stack has one input; expected one symbolic tensor as "
                f"input_tensors, got {input_tensors!r}"
            )
        inputs = [InputLayer(batch_shape=start[0].shape, dtype=start[0].dtype)]
    else:
        inputs = [InputLayer.from_config(layer.get_config()) for layer in inputs]
    copy = type(model)([*inputs, *map(copy_layer, layers)], name=model.name)
    if not copy.built and model.input_shape is not None:
        copy.build(model.input_shape)
    return copy


def _clone_graph(model: Any, input_tensors: Any, copy_layer: Callable, call_function: Any) -> Any:
    graph = model._graph
    if input_tensors is None:
        made = [InputLayer.from_config(t._node.layer.get_config()).output for t in graph.inputs]
        inputs = flatten(graph.input_struct)[1](made)
    else:
        inputs, made = input_tensors, graph.arrange(input_tensors)
        for tensor in made:
            if type(tensor) is not KerasTensor:
                raise ValueError(
                    f"{model.name}: expected symbolic tensors as input_tensors, got "
                    f"{type(tensor).__name__}"
                )
        made = graph.fitted(made)
    copies = {
        id(layer): copy_layer(layer)
        for layer in graph.operations
        if not isinstance(layer, InputLayer)
    }

    def call(node: Any, args: tuple, kwargs: dict) -> Any:
        layer = copies[id(node.layer)]
        if call_function is not None:
            return call_function(layer, *args, **kwargs)
        return layer(*args, **kwargs)

    losses: list[Any] = []
    outputs = graph.run(made, call, unpack=False, add_loss=losses.append)
    copy = type(model)(inputs, outputs, name=model.name)
    if losses:
        copy.add_loss(losses)
    return copy
