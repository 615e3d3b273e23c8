"""Describes a model's layers as the GraphDef that TensorBoard draws; must not run the model."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

_INPUT = "input"


def graph_def(model: Any) -> Any:
    """Build a TensorFlow GraphDef with a node for each layer and each of its weights.

    A layer's node has the layer's class as its operation, and its shapes and numbers of
    parameters as attributes. Its weights are nodes inside it. Edges are those of the layers'
    ``inbound`` (a list of layer names) where they have one, those of the graph in a functional
    model, else each layer follows the one before it. A model without layers is one node with all
    the weights.

    Parameters
    ----------
    model
        With ``layers`` (each with ``name``, ``weights``, ``input_shape``, ``output_shape``), or
        with ``weights`` alone.

    Returns
    -------
    tensorboardX.proto.graph_pb2.GraphDef
    """
    from tensorboardX.proto.graph_pb2 import GraphDef
    from tensorboardX.proto.versions_pb2 import VersionDef

    graph = getattr(model, "_graph", None)
    layers = list(getattr(model, "layers", None) or [model])
    if graph is not None and not hasattr(model, "_stack"):
        layers = graph.operations
    names = _unique_names([_name_of(layer) for layer in layers])
    # An edge names a layer as the model does; the node's name may have had to differ.
    node_of = {_name_of(layer): name for layer, name in zip(layers, names, strict=True)}
    nodes: dict[str, Any] = {}
    previous: list[str] = []
    for layer, name in zip(layers, names, strict=True):
        inbound = getattr(layer, "inbound", None)
        if graph is not None and layers is graph.operations:
            inbound = graph.sources_of(layer)
        if inbound is None:
            sources = previous
        else:
            sources = [node_of.get(source, _legal(source)) for source in inbound]
        if not sources and not _is_input(layer):
            sources = [_free_name(_INPUT, node_of.values())]
        for source in sources:  # what feeds the model without being a layer of it
            if source not in names and source not in nodes:
                shape = getattr(layer, "input_shape", None)
                nodes[source] = _node(source, "Placeholder", [], _shapes("shape", shape, shape))
        weights = list(getattr(layer, "weights", None) or ())
        weight_names = _unique_names(
            [f"{name}/{_legal(weight.name.rsplit('/', 1)[-1])}" for weight in weights]
        )
        for weight, weight_name in zip(weights, weight_names, strict=True):
            nodes[weight_name] = _variable(weight_name, weight)
        nodes[name] = _node(
            name,
            "Placeholder" if _is_input(layer) else getattr(layer, "label", type(layer).__name__),
            [*sources, *weight_names],
            _layer_attributes(layer, weights),
        )
        previous = [name]
    return GraphDef(node=nodes.values(), versions=VersionDef(producer=22))


def _name_of(layer: Any) -> str:
    return str(getattr(layer, "name", None) or type(layer).__name__)


def _is_input(layer: Any) -> bool:
    return type(layer).__name__ in ("Input", "InputLayer")


def _legal(name: str) -> str:
    """Keep what TensorFlow allows in a node's name; the first character is more restricted."""
    name = re.sub(r"[^A-Za-z0-9_.\-/]", "_", name).strip("/")
    return name if re.match(r"[A-Za-z0-9.]", name) else f"layer{name}"


def _unique_names(names: list[str]) -> list[str]:
    unique: list[str] = []
    for name in names:
        unique.append(_free_name(_legal(name), unique))
    return unique


def _free_name(name: str, taken: Any) -> str:
    taken, candidate, number = set(taken), name, 1
    while candidate in taken:
        candidate, number = f"{name}_{number}", number + 1
    return candidate


def _layer_attributes(layer: Any, weights: Sequence[Any]) -> dict[str, Any]:
    given, made = getattr(layer, "input_shape", None), getattr(layer, "output_shape", None)
    return {
        **_shapes("input_shape", given),
        **_shapes("output_shape", made, made),
        "parameters": {"i": sum(_size(weight) for weight in weights)},
        "trainable_parameters": {"i": sum(_size(w) for w in weights if w.trainable)},
    }


def _variable(name: str, weight: Any) -> Any:
    from tensorboardX.proto.types_pb2 import DataType

    attributes = {
        **_shapes("shape", weight.shape, weight.shape),
        "parameters": {"i": _size(weight)},
        "trainable": {"b": bool(weight.trainable)},
    }
    types = {"float16": "DT_HALF", "float32": "DT_FLOAT", "float64": "DT_DOUBLE"}
    dtype = types.get(str(getattr(weight, "dtype", "")))
    if dtype is not None:
        attributes["dtype"] = {"type": DataType.Value(dtype)}
    return _node(name, "Variable", [], attributes)


def _size(weight: Any) -> int:
    return math.prod(int(extent) for extent in weight.shape)


def _node(name: str, operation: str, inputs: Sequence[str], attributes: dict[str, Any]) -> Any:
    from tensorboardX.proto.attr_value_pb2 import AttrValue
    from tensorboardX.proto.node_def_pb2 import NodeDef

    attr = {key: AttrValue(**value) for key, value in attributes.items()}
    return NodeDef(name=name, op=operation, input=inputs, attr=attr)


def _shapes(key: str, shape: Any, output: Any = None) -> dict[str, Any]:
    """Return a shape, or the shapes of several tensors, as attributes; none if unknown.

    With `output` it is also what TensorBoard writes at the edges that leave the node.
    """
    attributes = {}
    shapes = _as_list(shape)
    if len(shapes) == 1:
        attributes[key] = {"shape": _shape(shapes[0])}
    elif shapes:
        attributes[key] = {"list": {"shape": [_shape(one) for one in shapes]}}
    if _as_list(output):
        attributes["_output_shapes"] = {"list": {"shape": [_shape(o) for o in _as_list(output)]}}
    return attributes


def _as_list(shape: Any) -> list[Any]:
    if shape is None:
        return []
    if isinstance(shape, dict):
        return list(shape.values())
    several = any(isinstance(part, (tuple, list)) for part in shape)
    return list(shape) if several else [shape]


def _shape(shape: Sequence[int | None]) -> dict[str, Any]:
    return {"dim": [{"size": -1 if extent is None else int(extent)} for extent in shape]}
