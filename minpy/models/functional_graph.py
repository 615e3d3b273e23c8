"""The graph of a functional model: which layer is called on what, in which order.

Knows nodes and layers, and nothing of training.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from minpy.array import as_ndarray, ndarray
from minpy.autograd.containers import flatten, leaves_with_paths
from minpy.errors import ShapeError
from minpy.layers.core.input_layer import InputLayer
from minpy.layers.layer import Layer
from minpy.layers.layer_tree import unique_names
from minpy.layers.symbolic import KerasTensor, Node, map_symbolic

__all__ = ["FunctionalGraph", "advice"]


class FunctionalGraph:
    """The calls that lead from some symbolic tensors to others.

    Parameters
    ----------
    inputs, outputs
        Symbolic tensors, alone or in lists and dicts; the entries of a dict are in the order of its
        keys, as in Keras, whatever order they were written in.
    owner
        Of whom messages speak.
    losses
        Symbolic tensors that are terms of the loss.

    Attributes
    ----------
    inputs, outputs
        The symbolic tensors in order.
    nodes
        The calls, each after those it depends on.
    operations
        The layers, in Keras' order: the farthest from the outputs first.
    names
        Layer's identity → a name that occurs once here.
    """

    def __init__(self, inputs: Any, outputs: Any, owner: str, losses: Any = ()) -> None:
        self.owner = owner
        _check_symbolic(inputs, owner, "inputs")
        _check_symbolic(outputs, owner, "outputs")
        inputs, outputs = _in_order_of_keys(inputs), _in_order_of_keys(outputs)
        self.given_struct = inputs
        self._given = flatten(inputs)[0]
        if len({id(t) for t in self._given}) != len(self._given):
            raise ValueError(f"{owner}: an input is given twice; each input may occur once")
        # An input from the middle of another graph gets an Input of its own.
        self.inputs = [_as_input(t) for t in self._given]
        self.input_struct = flatten(inputs)[1](self.inputs)
        self.output_struct = outputs
        self.outputs = flatten(outputs)[0]
        self.losses = list(losses)
        self.nodes, self.operations, self.depths = self._sorted()
        _give_names(self.operations, owner)
        self.names = {id(layer): name for name, layer in unique_names(self.operations)}
        self._input_paths = [path for path, _ in leaves_with_paths(inputs)]

    def _sorted(self) -> tuple[list[Node], list[Layer], dict[int, int]]:
        """Return the nodes in the order of running, and the layers in Keras' order."""
        starts = {id(t) for t in self._given}
        order: list[Node] = []
        met: dict[int, int] = {}  # layer → when the walk from the outputs came by
        done: set[int] = set()
        # Depth first without recursion: a deep network has more layers than Python has frames.
        for output in [*self.outputs, *self.losses]:
            stack: list[tuple[KerasTensor, bool]] = [(output, False)]
            while stack:
                tensor, finished = stack.pop()
                node = tensor._node
                if finished:
                    if id(node) not in done:
                        done.add(id(node))
                        order.append(node)
                    continue
                if id(tensor) in starts:
                    node = self._input_node(tensor)
                    tensor = node.outputs
                elif node is None or isinstance(node.layer, InputLayer):
                    raise ValueError(self._disconnected(tensor))
                if id(node) in done:
                    continue
                met.setdefault(id(node.layer), len(met))
                stack.append((tensor, True))
                if not isinstance(node.layer, InputLayer):
                    stack.extend((t, False) for t in reversed(node.input_tensors))
        depths: dict[int, int] = {}
        layer_depths: dict[int, int] = {}
        for node in reversed(order):
            depth = max(depths.get(id(node), 0), layer_depths.get(id(node.layer), 0))
            depths[id(node)] = layer_depths[id(node.layer)] = depth
            for parent in self._parents(node):
                depths[id(parent)] = max(depth + 1, depths.get(id(parent), 0))
        for given in self._given:  # inputs that no output depends on
            node = self._input_node(given)
            if id(node) not in done:
                order.insert(0, node)
                met[id(node.layer)] = -1
                depths[id(node)] = layer_depths[id(node.layer)] = 0
        layers = list({id(n.layer): n.layer for n in order}.values())
        layers.sort(key=lambda layer: (-layer_depths[id(layer)], met[id(layer)]))
        return order, layers, depths

    def _input_node(self, given: KerasTensor) -> Node:
        at = next(i for i, t in enumerate(self._given) if t is given)
        return self.inputs[at]._node

    def _parents(self, node: Node) -> list[Node]:
        if isinstance(node.layer, InputLayer):
            return []
        starts = {id(t) for t in self._given}
        found = [self._input_node(t) if id(t) in starts else t._node for t in node.input_tensors]
        return list({id(n): n for n in found}.values())

    def _disconnected(self, tensor: KerasTensor) -> str:
        named = ", ".join(repr(t.name) for t in self._given)
        return (
            f"{self.owner}: the graph is disconnected: the outputs depend on the input "
            f"{tensor.name!r} of shape {tensor.shape}, which is not among the inputs ({named}). "
            "Add it to the inputs; if it belongs to another model, call that model on one of "
            "these inputs instead of using its tensors"
        )

    def source(self, tensor: KerasTensor) -> Node:
        """Return the call that a tensor comes from in this graph: an input's, if it is one."""
        for own, given in zip(self.inputs, self._given, strict=True):
            if tensor is own or tensor is given:
                return own._node
        return tensor._node

    def sources_of(self, layer: Layer) -> list[str]:
        """Return the names of the layers that a layer's inputs come from, each once."""
        found = [
            self.source(tensor).layer
            for node in self.nodes
            if node.layer is layer and not isinstance(layer, InputLayer)
            for tensor in node.input_tensors
        ]
        return list(dict.fromkeys(self.names[id(one)] for one in found))

    # --- running --------------------------------------------------------------------------------

    def run(
        self,
        values: list[Any],
        call: Callable[[Node, tuple, dict], Any] | None = None,
        unpack: bool = True,
        add_loss: Callable[[Any], Any] | None = None,
    ) -> Any:
        """Return the outputs for values of the inputs, in their containers.

        Parameters
        ----------
        values
            One an input.
        call
            What to do for a node, with the values of its arguments; calls the layer by default.
        unpack
            Whether an output that is alone in its list comes without the list.
        add_loss
            Called with the value of each loss term of the graph.
        """
        known: dict[int, Any] = {}
        for tensor, given, value in zip(self.inputs, self._given, values, strict=True):
            known[id(tensor)] = known[id(given)] = value

        def value_of(tensor: KerasTensor) -> Any:
            return known[id(tensor)]

        for node in self.nodes:
            if isinstance(node.layer, InputLayer):
                continue
            args, kwargs = map_symbolic(value_of, node.args), node.kwargs
            if kwargs:
                kwargs = map_symbolic(value_of, kwargs)
            found = node.layer(*args, **kwargs) if call is None else call(node, args, kwargs)
            tensors = node.output_tensors
            if len(tensors) == 1:
                known[id(tensors[0])] = (
                    found if isinstance(node.outputs, KerasTensor) else (flatten(found)[0][0])
                )
                continue
            for tensor, value in zip(tensors, flatten(found)[0], strict=True):
                known[id(tensor)] = value
        for loss in self.losses if add_loss is not None else ():
            add_loss(known[id(loss)])
        outputs = map_symbolic(value_of, self.output_struct)
        if unpack and isinstance(outputs, list | tuple) and len(outputs) == 1:
            return outputs[0]
        return outputs

    def arrange(self, given: Any) -> list[Any]:
        """Return what a model was called with as a list, one value an input.

        Raises
        ------
        ValueError
            If inputs are missing or there are too many.
        """
        names = [t.name for t in self.inputs]
        struct = self.input_struct
        if isinstance(given, Mapping):
            keys = list(struct) if isinstance(struct, Mapping) else names
            missing = [key for key in keys if key not in given]
            if missing:
                raise ValueError(
                    f"{self.owner}: expected inputs named {_listed(keys)}, got "
                    f"{_listed(given)}; missing: {_listed(missing)}"
                )
            found = flatten({key: _like(struct, key, given) for key in keys})[0]
        elif isinstance(struct, KerasTensor) or isinstance(given, list | tuple):
            found = flatten(given)[0]
        else:
            found = [given]
        if len(found) != len(self.inputs):
            raise ValueError(
                f"{self.owner}: expected {len(self.inputs)} input"
                f"{'s' if len(self.inputs) > 1 else ''} ({_listed(names)}), got {len(found)}; "
                "pass one array an input, in a list or in a dict by name"
            )
        return found

    def fitted(self, values: list[Any]) -> list[Any]:
        """Return values with the dtypes and ranks of the inputs; masks stay on them.

        Raises
        ------
        ShapeError
            If one has another shape than its input.
        """
        return [self._fit(t, v) for t, v in zip(self.inputs, values, strict=True)]

    def _fit(self, tensor: KerasTensor, value: Any) -> Any:
        if type(value) is KerasTensor:
            self._check_shape(tensor, value.shape)
            return value
        if value is None:
            if not tensor._node.layer.optional:
                raise ValueError(
                    f"{self.owner}: input {tensor.name!r} expected an array, got None; "
                    "Input(…, optional=True) takes None"
                )
            return None
        value = as_ndarray(value)
        mask = getattr(value, "_keras_mask", None)
        fitted = value
        if value.ndim == tensor.ndim + 1 and value.shape[-1] == 1:
            fitted = fitted.reshape(value.shape[:-1])
        elif value.ndim == tensor.ndim - 1 and tensor.shape[-1] == 1:
            fitted = fitted.reshape((*value.shape, 1))
        self._check_shape(tensor, fitted.shape, value.shape)
        if fitted.dtype != tensor.dtype and fitted.dtype.kind in "biufc":
            fitted = fitted.astype(tensor.dtype)
        if mask is not None and fitted is not value and type(fitted) is ndarray:
            fitted._keras_mask = mask
        return fitted

    def _check_shape(self, tensor: KerasTensor, shape: tuple, shown: tuple | None = None) -> None:
        fits = len(shape) == tensor.ndim and all(
            n is None or m is None or n == m for n, m in zip(tensor.shape, shape, strict=True)
        )
        if not fits:
            raise ShapeError(
                f"{self.owner}: input {tensor.name!r} expected shape {tensor.shape}, got "
                f"{shape if shown is None else shown}{advice(tensor.shape, shape)}"
            )

    # --- shapes ---------------------------------------------------------------------------------

    def specs(self, values: list[Any]) -> Any:
        """Return symbolic outputs for symbolic inputs of other shapes than the graph's own."""
        if all(t.shape == v.shape for t, v in zip(self.inputs, values, strict=True)):
            return map_symbolic(lambda t: KerasTensor(t.shape, t.dtype), self.unpacked_outputs)

        def spec(node: Node, args: tuple, kwargs: dict) -> Any:
            return node.layer.compute_output_spec(*args, **kwargs)

        return self.run(values, spec)

    @property
    def unpacked_outputs(self) -> Any:
        """The outputs in their container; one alone where the container holds only one."""
        struct = self.output_struct
        single = isinstance(struct, list | tuple) and len(struct) == 1
        return struct[0] if single else struct

    # --- configuration --------------------------------------------------------------------------

    def get_config(self) -> dict[str, Any]:
        """Return layers and calls as JSON can hold them."""
        from minpy.layers.serialization import serialize

        places: dict[int, list[int]] = {}
        calls = []
        for i, node in enumerate(self.nodes):
            for j, tensor in enumerate(node.output_tensors):
                places[id(tensor)] = [i, j]
        for tensor, given in zip(self.inputs, self._given, strict=True):
            places[id(given)] = places[id(tensor)]
        for node in self.nodes:
            call: dict[str, Any] = {"layer": self.names[id(node.layer)]}
            if not isinstance(node.layer, InputLayer):
                call["args"] = _to_json(node.args, places, node)
                call["kwargs"] = _to_json(node.kwargs, places, node)
            calls.append(call)
        layers = []
        for layer in self.operations:
            layers.append({"name": self.names[id(layer)], **serialize(layer)})
        return {
            "layers": layers,
            "calls": calls,
            "inputs": _to_json(self.input_struct, places),
            "outputs": _to_json(self.output_struct, places),
            "losses": _to_json(self.losses, places),
        }


def graph_from_config(
    config: Mapping[str, Any], custom_objects: Mapping[str, Any] | None = None
) -> tuple[Any, Any, list[KerasTensor]]:
    """Return the inputs, outputs and loss terms of what `FunctionalGraph.get_config` returned."""
    from minpy.layers.serialization import deserialize

    by_name = {}
    for made in config["layers"]:
        layer = by_name[made["name"]] = deserialize(made, custom_objects)
        layer.name, layer._named = made["name"], True
    outputs: list[list[KerasTensor]] = []
    for call in config["calls"]:
        if call["layer"] not in by_name:
            raise ValueError(f"the configuration calls an unknown layer {call['layer']!r}")
        layer = by_name[call["layer"]]
        if isinstance(layer, InputLayer):
            made = layer.output
        else:
            args, kwargs = _from_json(call["args"], outputs), _from_json(call["kwargs"], outputs)
            made = layer(*args, **kwargs)
        outputs.append(flatten(made)[0])
    inputs, found = _from_json(config["inputs"], outputs), _from_json(config["outputs"], outputs)
    return inputs, found, _from_json(config.get("losses", []), outputs)


# --- pieces ---------------------------------------------------------------------------------------


def _in_order_of_keys(value: Any) -> Any:
    """Return nested containers whose dicts have their keys in order."""
    if isinstance(value, dict):
        keys = list(value)
        with contextlib.suppress(TypeError):  # of several types
            keys.sort()
        return {key: _in_order_of_keys(value[key]) for key in keys}
    if type(value) in (list, tuple):
        return type(value)(_in_order_of_keys(part) for part in value)
    return value


def _like(struct: Any, key: Any, given: Any) -> Any:
    """Return an entry of a dict with the keys of dicts inside it in the order of a structure's."""
    inside = struct.get(key) if isinstance(struct, Mapping) else None
    part = given[key]
    if isinstance(inside, Mapping) and isinstance(part, Mapping) and set(inside) == set(part):
        return {name: _like(inside, name, part) for name in inside}
    return part


def _check_symbolic(tensors: Any, owner: str, what: str) -> None:
    leaves = leaves_with_paths(tensors)
    if not leaves:
        raise ValueError(f"{owner}: expected {what}, got {tensors!r}")
    for path, leaf in leaves:
        if type(leaf) is not KerasTensor:
            hint = "what Input(shape) or a layer called on such a value returns"
            if isinstance(leaf, Layer):
                hint = f"a layer is given: call it, {type(leaf).__name__}(…)(x)"
            elif isinstance(leaf, ndarray) or hasattr(leaf, "__array__"):
                hint = "an array is given: a graph is made of Input(shape=…), and called on arrays"
            raise ValueError(
                f"{owner}: {what}{path}: expected a symbolic tensor, got "
                f"{type(leaf).__name__}; {hint}"
            )


def _as_input(tensor: KerasTensor) -> KerasTensor:
    node = tensor._node
    if node is not None and isinstance(node.layer, InputLayer):
        return tensor
    layer = InputLayer(batch_shape=tensor.shape, dtype=tensor.dtype)
    if node is not None:
        layer.name = f"{tensor.name}_input"  # numbered where there are several
    return layer.output


def _give_names(layers: Iterable[Layer], owner: str) -> None:
    """Name the layers that have none yet, numbered in the order in which they were made."""
    layers = list(layers)
    given: dict[str, Layer] = {}
    for layer in layers:
        if layer._named is True and layer.name in given:
            raise ValueError(
                f"{owner}: two layers are named {layer.name!r}; layers of a model need names of "
                "their own"
            )
        if layer._named:
            given[layer.name] = layer
    taken = set(given)
    for layer in sorted(layers, key=lambda one: one._created):
        if not layer._named:
            base, number = layer.name, 0
            while layer.name in taken:
                number += 1
                layer.name = f"{base}_{number}"
            layer._named = "automatically"
            taken.add(layer.name)


def _listed(names: Iterable[Any]) -> str:
    return ", ".join(repr(name) for name in names)


def _to_json(value: Any, places: Mapping[int, list[int]], node: Node | None = None) -> Any:
    """Return the arguments of a call as JSON can hold them."""
    import numpy

    def inner(part: Any) -> Any:
        return _to_json(part, places, node)

    if type(value) is KerasTensor:
        return {"tensor": places[id(value)]}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list):
        return [inner(part) for part in value]
    if isinstance(value, tuple):
        return {"tuple": [inner(part) for part in value]}
    if isinstance(value, dict):
        return {"dict": [[inner(key), inner(part)] for key, part in value.items()]}
    if isinstance(value, slice):
        return {"slice": [inner(value.start), inner(value.stop), inner(value.step)]}
    if value is Ellipsis:
        return {"ellipsis": True}
    if isinstance(value, numpy.dtype) or (
        isinstance(value, type) and issubclass(value, numpy.generic | int | float | bool)
    ):
        return {"dtype": numpy.dtype(value).str}
    if isinstance(value, ndarray | numpy.ndarray | numpy.generic):
        array = numpy.asarray(value)
        return {"array": array.tolist(), "dtype": array.dtype.str, "shape": list(array.shape)}
    where = "" if node is None else f" in the call of {node.layer.name!r}"
    raise ValueError(f"{value!r}{where} can't be written to a configuration; write a layer for it")


def _from_json(value: Any, outputs: list[list[KerasTensor]]) -> Any:
    import numpy

    def inner(part: Any) -> Any:
        return _from_json(part, outputs)

    if isinstance(value, list):
        return [inner(part) for part in value]
    if not isinstance(value, dict):
        return value
    if "tensor" in value:
        call, place = value["tensor"]
        return outputs[call][place]
    if "tuple" in value:
        return tuple(inner(part) for part in value["tuple"])
    if "dict" in value:
        return {inner(key): inner(part) for key, part in value["dict"]}
    if "slice" in value:
        return slice(*(inner(part) for part in value["slice"]))
    if "ellipsis" in value:
        return Ellipsis
    if "array" in value:
        return numpy.array(value["array"], value["dtype"]).reshape(value["shape"])
    return numpy.dtype(value["dtype"])


def advice(declared: tuple, given: tuple) -> str:
    """Say what to do with an input of another shape than was declared, as far as one can guess.

    Examples
    --------
    >>> advice((None, 784), (32, 28, 28))
    '; bring it to that shape with x.reshape((-1, 784))'
    """
    expected, got = declared[1:], given[1:]
    if given == expected:
        return "; a single sample needs a batch axis, x[None]"
    if None in expected or expected == got:
        return ""
    if sorted(expected) == sorted(got):
        return "; its axes are in another order: numpy.moveaxis, or the layers' data_format"
    if math.prod(expected) == math.prod(got):
        lengths = ", ".join(map(str, (-1, *expected)))
        return f"; bring it to that shape with x.reshape(({lengths}))"
    return ""
