"""`Model.export`: a trained model as a file that other programs run; knows no operation by name."""

from __future__ import annotations

import math
import os
import re
import warnings
from collections.abc import Callable
from typing import Any

import numpy

from minpy.autograd.containers import flatten, map_leaves
from minpy.checkpoint.atomic import replace_file
from minpy.exporting.batch_axis import TRIALS, Extent, FixedBatchError, joined
from minpy.exporting.graph import OPSET, Graph, NotExportable
from minpy.exporting.operators import OPERATORS
from minpy.exporting.recording import Constant, Operation, Pass, Value, record_forward
from minpy.graph.trace import Untraceable

__all__ = ["export"]

# Of the file's own layout: the first that knows this set of operators.
_IR_VERSION = 8
# Bytes of weights; protocol buffers end at 2 GiB.
_LARGEST = 2**31 - 2**24


def export(
    model: Any,
    filepath: Any,
    format: str = "onnx",
    verbose: Any = None,
    input_signature: Any = None,
    **options: Any,
) -> None:
    """Write a model's forward pass to a file; see `minpy.models.Model.export`."""
    if format not in _FORMATS:
        raise ValueError(
            f"{model.name}: export: expected format 'onnx', the one that there is, got {format!r}; "
            "to go on in minpy save the model with model.save"
        )
    if options:
        raise TypeError(f"{model.name}: export: unknown arguments {', '.join(sorted(options))}")
    _FORMATS[format](model, filepath, verbose, input_signature)


def _export_onnx(model: Any, filepath: Any, verbose: Any, signature: Any) -> None:
    onnx = _package()
    path = os.fspath(filepath)
    size = sum(p.memory.nbytes for p in model.weights)
    if size > _LARGEST:
        raise NotExportable(
            f"{model.name} can't be exported: its weights are {size / 1e9:.1f} GB, and an ONNX "
            "file holds 2 GB"
        )
    recorded, inputs = _recorded(model, signature)
    proto = _Writer(onnx, model, recorded, inputs).model()
    onnx.checker.check_model(proto, full_check=True)
    content = proto.SerializeToString()
    replace_file(path, [content], len(content))
    if verbose:
        print(f"Saved {model.name} to {path}: {len(proto.graph.node)} nodes, opset {OPSET}")


_FORMATS: dict[str, Callable[..., None]] = {"onnx": _export_onnx}


def _package() -> Any:
    try:
        import onnx
        import onnx.checker
        import onnx.helper
        import onnx.numpy_helper
    except ImportError as error:
        raise ImportError(
            "export(format='onnx') needs the package onnx; install it with "
            "pip install 'minpy[export]'"
        ) from error
    return onnx


# --- inputs ---------------------------------------------------------------------------------------


class _Input:
    """A leaf of the structure that the model takes: name, shape (None: the batch) and dtype."""

    def __init__(self, name: str, shape: Any, dtype: Any) -> None:
        self.name = name
        self.shape = tuple(shape)
        self.dtype = None if dtype is None else numpy.dtype(dtype)

    def samples(self, batch: int) -> numpy.ndarray:
        """Return a batch to run the model on: above zero, and as class numbers all zero."""
        shape = [batch if n is None else n for n in self.shape]
        turns = numpy.arange(math.prod(shape), dtype="float64").reshape(shape)
        return (0.5 + 0.4 * numpy.sin(turns)).astype(self.dtype)


def _is_shape(value: Any) -> bool:
    return isinstance(value, tuple | list) and all(
        n is None or isinstance(n, int | numpy.integer) for n in value
    )


def _is_graph(model: Any) -> bool:
    """Say whether a model is made of symbolic tensors, which have names."""
    try:
        return bool(model.inputs)
    except ValueError:
        return False


def _structure(value: Any, key: str = "") -> Any:
    """Return a structure of shapes, specifications or arrays with an `_Input` for each."""
    if _is_shape(value):
        return _Input(key, value, None)
    if isinstance(value, dict):
        return {k: _structure(v, str(k)) for k, v in value.items()}
    if isinstance(value, tuple | list):
        return type(value)(_structure(v) for v in value)
    if getattr(value, "shape", None) is None:
        raise TypeError(
            "export: expected input_signature as shapes, InputSpec objects or symbolic tensors in "
            f"the structure that the model takes, got {value!r}"
        )
    return _Input(getattr(value, "name", None) or key, value.shape, getattr(value, "dtype", None))


def _inputs_of(model: Any, signature: Any) -> Any:
    """Return the structure of inputs that a model takes."""
    if signature is None:
        given = model.input if _is_graph(model) else model.input_shape
    else:
        given = signature
        single = isinstance(given, tuple | list) and len(given) == 1 and not _is_shape(given)
        if signature is not None and single:  # Keras' is a list of inputs, if of one
            given = given[0]
    if given is None:
        raise ValueError(
            f"{model.name}: export: nobody has told which shape its inputs have; give "
            "input_signature=[(None, …)], with None for the batch axis, or call it on data first"
        )
    structure = _structure(given)
    leaves = flatten(structure)[0]
    if signature is not None and _is_graph(model):
        own = flatten(_structure(model.input))[0]
        if len(own) == len(leaves):
            for leaf, symbolic in zip(leaves, own, strict=True):
                leaf.name = symbolic.name
                leaf.dtype = leaf.dtype or symbolic.dtype
    taken: set[str] = set()
    for i, leaf in enumerate(leaves):
        name = leaf.name or ("input" if len(leaves) == 1 else f"input_{i}")
        leaf.name = name if name not in taken else f"{name}_{i}"
        leaf.dtype = leaf.dtype or numpy.dtype("float32")
        taken.add(leaf.name)
        if None in leaf.shape[1:]:
            raise ValueError(
                f"{model.name}: export: input {leaf.name!r} has the shape {leaf.shape}, and only "
                "the batch axis may be of any length; give input_signature with the others' lengths"
            )
    return structure


def _recorded(model: Any, signature: Any) -> tuple[Pass, list[_Input]]:
    """Return the forward pass, of any batch size where there is one, and the inputs."""
    for layer in model._all_inside():
        if getattr(layer, "stateful", False):
            raise NotExportable(
                f"{model.name} can't be exported: layer {layer.name!r} is stateful, and a file "
                "keeps no states; make it with stateful=False and return_state=True"
            )
    structure = _inputs_of(model, signature)
    inputs = flatten(structure)[0]
    names = [leaf.name for leaf in inputs]

    def record(batch: int) -> Pass:
        given = map_leaves(lambda leaf: leaf.samples(batch), structure)
        try:
            return record_forward(model, given, names)
        except Untraceable as reason:
            raise NotExportable(f"{model.name} can't be exported: {reason.explain()}") from None

    if any(not layer.built for layer in [model, *model._all_inside()]):  # it gets its weights now
        with numpy.errstate(all="ignore"):
            model(map_leaves(lambda leaf: leaf.samples(1), structure), training=False)
    if not any(leaf.shape and leaf.shape[0] is None for leaf in inputs):
        return record(1), inputs
    try:
        first = record(TRIALS[0])
        return joined(first, record(TRIALS[1])), inputs
    except FixedBatchError as reason:
        warnings.warn(
            f"{model.name} is exported for batches of one sample: {reason}; for another size give "
            "input_signature with it",
            stacklevel=4,
        )
    for leaf in inputs:
        leaf.shape = tuple(1 if n is None else n for n in leaf.shape)
    return record(1), inputs


# --- the file -------------------------------------------------------------------------------------


class _Writer:
    """Turns a recorded pass into an ONNX model."""

    def __init__(self, onnx: Any, model: Any, recorded: Pass, inputs: list[_Input]) -> None:
        self.onnx = onnx
        self.model_name = model.name
        self.recorded = recorded
        self.inputs = inputs
        self.outputs = _output_names(model, recorded, [leaf.name for leaf in inputs])

    def model(self) -> Any:
        """Return the model's protocol buffer."""
        helper, graph = (
            self.onnx.helper,
            Graph(self.onnx, [*(leaf.name for leaf in self.inputs), *self.outputs]),
        )
        for leaf, value in zip(self.inputs, self.recorded.inputs, strict=True):
            graph.define(value, leaf.name)
            if graph.sized is None and leaf.shape and leaf.shape[0] is None:
                graph.sized = leaf.name
        for operation in _needed(self.recorded):
            self._emit(graph, operation)
        graph.inside("")
        for name, out in zip(self.outputs, self.recorded.outputs, strict=True):
            graph.nodes.append(
                helper.make_node(
                    "Identity", [graph.tensor(out)], [name], name=graph.unique(f"{name}/Identity")
                )
            )
        described = [
            helper.make_tensor_value_info(
                name, graph.element_type(a.dtype), [_described(n) for n in a.shape]
            )
            for name, a in zip(self.outputs, self.recorded.outputs, strict=True)
        ]
        given = [
            helper.make_tensor_value_info(
                leaf.name,
                graph.element_type(leaf.dtype),
                ["batch" if n is None else n for n in leaf.shape],
            )
            for leaf in self.inputs
        ]
        made = helper.make_graph(
            graph.nodes, self.model_name, given, described, initializer=graph.initializers
        )
        proto = helper.make_model(
            made,
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=_IR_VERSION,
            producer_name="minpy",
        )
        return self.onnx.shape_inference.infer_shapes(proto)

    def _emit(self, graph: Graph, operation: Operation) -> None:
        emit = OPERATORS.get(operation.name)
        where = f"layer {operation.layer!r}" if operation.layer else "the model's own code"
        if emit is None:
            raise NotExportable(
                f"{self.model_name} can't be exported: {operation.name!r}, in {where}, has no "
                "counterpart in ONNX"
            )
        graph.inside(operation.layer)
        out: Any = operation.made if len(operation.made) > 1 else operation.made[0]
        try:
            graph.done(operation, emit(graph, out, *operation.given, **operation.told))
        except NotExportable as reason:
            raise NotExportable(
                f"{self.model_name} can't be exported: {operation.name!r}, in {where}, has no "
                f"counterpart in ONNX for {reason}"
            ) from None
        except TypeError as reason:  # arguments that the table's function doesn't take
            raise NotExportable(
                f"{self.model_name} can't be exported: {operation.name!r}, in {where}, has no "
                f"counterpart in ONNX for its arguments ({reason})"
            ) from reason


def _described(n: Any) -> Any:
    if not isinstance(n, Extent):
        return n
    return "batch" if n == Extent(1) else f"{n.times}*batch+{n.more}"


def _needed(recorded: Pass) -> list[Operation]:
    """Return the operations that the outputs depend on, in order."""
    wanted = {id(out) for out in recorded.outputs}
    kept = []
    for operation in reversed(recorded.operations):
        if any(id(value) in wanted for value in operation.made):
            kept.append(operation)
            leaves = [*operation.given, *operation.told.values()]
            wanted.update(id(a) for a in leaves if isinstance(a, Value | Constant))
    return kept[::-1]


def _output_names(model: Any, recorded: Pass, taken: list[str]) -> list[str]:
    """Return names of the outputs: the layers', the keys of a dict, or numbers."""
    count = len(recorded.outputs)
    structure = recorded.unflatten(list(range(count)))
    names = ["output"] if count == 1 else [f"output_{i}" for i in range(count)]
    if isinstance(structure, dict) and sorted(structure.values()) == list(range(count)):
        names = [str(key) for key, _ in sorted(structure.items(), key=lambda item: item[1])]
    elif _is_graph(model) and len(model.output_names) == count:
        names = list(model.output_names)
    used, found = set(taken), []
    for name in names:
        own, number = name, 0
        while own in used:
            number += 1
            own = re.sub(r"$", f"_{number}", name, count=1)
        used.add(own)
        found.append(own)
    return found
