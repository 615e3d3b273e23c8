"""What of a model goes into a checkpoint, and how it comes back; knows nothing of the file.

Everything is read and checked before the first weight is written: a load that fails leaves the
model as it was.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy

from minpy import checkpoint, losses, metrics, optimizers
from minpy.array import numpy_value
from minpy.autograd.containers import flatten
from minpy.errors import CheckpointError, CheckpointFormatError, CheckpointMismatchError
from minpy.layers.layer_tree import LayerTree
from minpy.layers.recurrent.rnn import RNN
from minpy.layers.serialization import deserialize, named, scope, serialize
from minpy.models.outputs import map_nested

__all__ = ["load_model", "load_weights", "restore", "save_model", "save_weights"]

# What `compile` takes and files hold as it is.
_SETTINGS = ("run_eagerly", "jit_compile", "auto_scale_loss")
_SUFFIXES = (".h5", ".hdf5", ".minpy", ".keras", ".ckpt")


def checkpoint_path(filepath: Any) -> str:
    """Return the file's path: the original minpy's prefixes get an ending."""
    path = os.fspath(filepath)
    return path if path.endswith(_SUFFIXES) or os.path.exists(path) else f"{path}.h5"


def _refuse_to_replace(path: str, overwrite: bool) -> None:
    if not overwrite and os.path.exists(path):
        raise CheckpointError(f"{path}: exists already; pass overwrite=True or another name")


# --- writing --------------------------------------------------------------------------------------


def save_weights(model: Any, filepath: Any, overwrite: bool = True) -> None:
    """Write a model's weights."""
    path = checkpoint_path(filepath)
    _refuse_to_replace(path, overwrite)
    _require_weights(model, "save_weights")
    sections = {"weights": model._weights_by_path(), **_written_by_layers(model)}
    checkpoint.write(path, sections, {"kind": "weights"})


def save_model(model: Any, filepath: Any, overwrite: bool = True) -> None:
    """Write a whole model."""
    path = checkpoint_path(filepath)
    _refuse_to_replace(path, overwrite)
    _require_weights(model, "save")
    sections, training = _state(model)
    metadata: dict[str, Any] = {
        "kind": "model",
        "model": serialize(model),
        "compile": model.get_compile_config() or None,
        "input_shape": list(model.input_shape) if isinstance(model.input_shape, tuple) else None,
        "training": training,
    }
    checkpoint.write(path, sections, metadata)


def save_backup(
    model: Any, path: str, details: dict[str, Any], arrays: Mapping[str, numpy.ndarray]
) -> None:
    """Write what training goes on from, without what the program that goes on makes itself."""
    sections, training = _state(model)
    sections["callbacks"] = dict(arrays)
    sections["states"] = {
        f"{i}/{k}": numpy_value(leaf)
        for i, layer in _stateful(model)
        for k, leaf in enumerate(flatten(layer.states or [])[0])
    }
    metadata = {
        "kind": "backup",
        "optimizer": type(model._optimizer).__name__,
        "training": training,
        "backup": details,
    }
    checkpoint.write(path, sections, metadata)


def _stateful(model: Any) -> list[tuple[int, Any]]:
    """Return the recurrent layers that go on from the batch before, and their numbers."""
    inside = enumerate(model._all_inside())
    return [(i, layer) for i, layer in inside if isinstance(layer, RNN) and layer.stateful]


def _state(model: Any) -> tuple[dict[str, dict[str, numpy.ndarray]], dict[str, Any]]:
    """Return the arrays by section, and the numbers, that training goes on from."""
    sections: dict[str, dict[str, numpy.ndarray]] = {
        "weights": model._weights_by_path(),
        **_written_by_layers(model),
    }
    training: dict[str, Any] = {"epochs_done": model._epochs_done, "seed": model._seed}
    optimizer = model._optimizer
    if optimizer is not None:
        training["optimizer"] = optimizer.get_state()
        if optimizer.built and model._buffers is not None:
            slots = model._slots_by_weight()
            sections["optimizer"] = {
                f"{slot}/{name}": part
                for slot, parts in slots.items()
                for name, part in parts.items()
            }
    return sections, training


def _layers_writing(model: Any, method: str) -> dict[str, Any]:
    """Return the layers whose class has a method of its own, by their places in the model."""
    found: dict[str, Any] = {}

    def walk(layer: Any, path: str) -> None:
        if getattr(type(layer), method) is not getattr(LayerTree, method):
            found[path] = layer
        for name, child in layer._named_children():
            walk(child, f"{path}{name}/")

    walk(model, "")
    return found


def _written_by_layers(model: Any) -> dict[str, dict[str, numpy.ndarray]]:
    """Return the section of what layers with a `save_own_variables` of their own write."""
    section: dict[str, numpy.ndarray] = {}
    for path, layer in _layers_writing(model, "save_own_variables").items():
        store: dict[str, Any] = {}
        layer.save_own_variables(store)
        section |= {f"{path}{name}": numpy.asarray(value) for name, value in store.items()}
    return {"own": section} if section else {}


def _read_by_layers(model: Any, found: checkpoint.Checkpoint) -> None:
    """Hand layers with a `load_own_variables` of their own what they wrote."""
    section = found.sections.get("own", {})
    writers = _layers_writing(model, "load_own_variables")
    stores: dict[str, dict[str, numpy.ndarray]] = {path: {} for path in writers}
    for name, value in section.items():
        # The longest path that fits: a layer inside another has one of its own.
        path = max((p for p in writers if name.startswith(p)), key=len, default=None)
        if path is not None:
            stores[path][name.removeprefix(path)] = value
    for path, store in stores.items():
        if store:
            writers[path].load_own_variables(store)


def _require_weights(model: Any, what: str) -> None:
    unbuilt = not model.built or any(not layer.built for layer in model._all_inside())
    if not model.weights and unbuilt:
        raise ValueError(
            f"{model.name}: {what}: the model has no weights yet; call it on data first, or give "
            "the first layer an input_shape"
        )


def compile_config(model: Any) -> dict[str, Any]:
    """Return what `compile` was told; functions and classes of the user's go by name."""
    if model._compile_arguments is None:
        return {}
    arguments = model._compile_arguments
    return {
        "optimizer": optimizers.serialize(model._optimizer),
        "loss": map_nested(arguments["loss"], _loss_config),
        "loss_weights": arguments["loss_weights"],
        "metrics": map_nested(arguments["metrics"], lambda v: _by_name(metrics.serialize, v)),
        "weighted_metrics": map_nested(
            arguments["weighted_metrics"], lambda v: _by_name(metrics.serialize, v)
        ),
        "steps_per_execution": model._steps_per_execution,
        **{name: arguments[name] for name in _SETTINGS},
    }


def _loss_config(loss: Any) -> Any:
    return loss if isinstance(loss, str) else losses.serialize(losses.get(loss))


def _by_name(serialize: Any, value: Any) -> Any:
    return value if isinstance(value, str) else serialize(value)


# --- reading --------------------------------------------------------------------------------------


def _match_weights(model: Any, found: checkpoint.Checkpoint, strict: bool) -> dict[str, Any]:
    own = model.weights
    if not own and not model.built:
        raise CheckpointMismatchError(
            f"{found.path}: {model.name} has no weights yet to load into; call it on data first, "
            "or give the first layer an input_shape"
        )
    if "weights" not in found.sections:
        raise CheckpointFormatError(f"{found.path}: holds no weights")
    usable, problems = checkpoint.match(
        found.sections["weights"],
        {p.path: (p.shape, p.dtype) for p in own},
        path=found.path,
        section="weights",
        strict=strict,
    )
    if problems:
        warnings.warn(f"{found.path}: not loaded: {'; '.join(problems)}", stacklevel=4)
    return usable


def load_weights(model: Any, filepath: Any, strict: bool = True) -> None:
    """Read weights into a model."""
    path = checkpoint_path(filepath)
    wanted = [name for name in ("weights", "own") if name in checkpoint.describe(path).sections]
    found = checkpoint.read(path, sections=wanted)
    usable = _match_weights(model, found, strict)
    for p in model.weights:
        if p.path in usable:
            p.assign(usable[p.path])
    _read_by_layers(model, found)


def restore(model: Any, filepath: Any) -> None:
    """Read a whole checkpoint into a model that exists."""
    found = checkpoint.read(checkpoint_path(filepath))
    usable = _match_weights(model, found, strict=True)
    slots = _slots_of(found)
    compiled = found.metadata.get("compile")
    if compiled is not None and not model.compiled and not model._compile_by_default():
        _compile(model, compiled, found.path)
    state = found.metadata.get("training", {}).get("optimizer")
    named = (compiled or {}).get("optimizer")
    saved_as = named.get("class_name") if isinstance(named, Mapping) else None
    if state is not None and saved_as is not None and model.compiled:
        own = optimizers.serialize(model._optimizer)["class_name"]
        if own != saved_as:
            raise CheckpointMismatchError(
                f"{found.path}: was trained with {saved_as}, the model is compiled with {own}; "
                "compile it with the same optimizer, or use load_weights"
            )
    _apply(model, found, usable, slots)


def restore_backup(
    model: Any, path: str, check: Callable[[dict[str, Any]], None]
) -> tuple[dict[str, Any], Mapping[str, numpy.ndarray]]:
    """Read a backup into the model that is about to go on; return details and arrays."""
    found = checkpoint.read(path)
    if found.metadata.get("kind") != "backup":
        raise CheckpointMismatchError(
            f"{path}: is no backup of a training, but a {found.metadata.get('kind')!r}"
        )
    own = type(model._optimizer).__name__
    if own != found.metadata["optimizer"]:
        raise CheckpointMismatchError(
            f"{path}: was trained with {found.metadata['optimizer']}, the model is compiled with "
            f"{own}; compile it with the same optimizer, or delete the backup to start anew"
        )
    usable = _match_weights(model, found, strict=True)
    details = found.metadata["backup"]
    check(details)
    _apply(model, found, usable, _slots_of(found))
    states = found.sections.get("states", {})
    for i, layer in _stateful(model):
        own = [states[name] for name in _in_order(states, f"{i}/")]
        if own:
            layer.reset_state(own)
    return details, found.sections.get("callbacks", {})


def _in_order(names: Any, prefix: str) -> list[str]:
    """Return the names that begin with a prefix, by the number behind it."""
    own = [name for name in names if name.startswith(prefix)]
    return sorted(own, key=lambda name: int(name.removeprefix(prefix)))


def _slots_of(found: checkpoint.Checkpoint) -> dict[str, dict[str, numpy.ndarray]]:
    slots: dict[str, dict[str, numpy.ndarray]] = {}
    for name, part in found.sections.get("optimizer", {}).items():
        slot, _, weight = name.partition("/")
        slots.setdefault(slot, {})[weight] = part
    return slots


def _apply(model: Any, found: checkpoint.Checkpoint, usable: Mapping, slots: Mapping) -> None:
    """Put everything in its place; whatever doesn't fit is found before the first write."""
    training = found.metadata.get("training", {})
    if model.compiled and training.get("optimizer") is not None:
        model._ready_to_train()
        block = model._buffers.blocks[0] if model._buffers.blocks else None
        if slots and block is not None:
            expected = {
                f"{slot}/{p.path}": (p.shape, block.dtype)
                for slot in model._optimizer.slots
                for p in block.parameters
            }
            given = {
                f"{s}/{name}": part for s, parts in slots.items() for name, part in parts.items()
            }
            checkpoint.match(given, expected, path=found.path, section="optimizer", strict=True)
        model._optimizer.set_state(training["optimizer"])
        if slots:
            model._set_slots(slots)
    for p in model.weights:
        p.assign(usable[p.path])
    _read_by_layers(model, found)
    model._epochs_done = int(training.get("epochs_done", 0))
    if training.get("seed") is not None:
        model._seed = int(training["seed"])


def _compile(model: Any, config: Mapping, path: str) -> None:
    try:
        model.compile_from_config(config)
    except ValueError as error:
        raise CheckpointFormatError(f"{path}: {error}") from error


def compile_from_config(model: Any, config: Mapping) -> None:
    """Compile a model with what `compile_config` returned."""
    model.compile(
        optimizer=optimizers.deserialize(config["optimizer"], named),
        loss=_made(config["loss"], losses.deserialize),
        loss_weights=config.get("loss_weights"),
        metrics=_made(config["metrics"], metrics.deserialize),
        weighted_metrics=_made(config["weighted_metrics"], metrics.deserialize),
        steps_per_execution=config.get("steps_per_execution", 1),
        **{name: config[name] for name in _SETTINGS if name in config},
    )


def _made(config: Any, deserialize: Any) -> Any:
    """Return what a configuration was made of: names, objects, and lists and dicts of them."""
    if isinstance(config, Mapping) and "class_name" not in config:
        return {name: _made(v, deserialize) for name, v in config.items()}
    if isinstance(config, list):
        return [_made(v, deserialize) for v in config]
    if config is None or isinstance(config, str):
        return config
    return deserialize(config, named)


def load_model(
    filepath: Any,
    custom_objects: Mapping[str, Any] | None = None,
    compile: bool = True,
    safe_mode: bool = True,
) -> Any:
    """Make the model that a file holds, ready to predict and to go on training.

    Parameters
    ----------
    filepath
        A file that ``model.save`` wrote.
    custom_objects
        Classes and functions of your own that the file refers to, by name.
    compile
        False leaves optimizer, loss and metrics out.
    safe_mode
        Kept for Keras' sake: reading a file never runs code that it brings along.

    Returns
    -------
    Model
        Of the class that was saved.

    Raises
    ------
    CheckpointError
        If the file is damaged, of another program, newer, or refers to a class that isn't known.
    """
    found = checkpoint.read(checkpoint_path(filepath))
    config = found.metadata.get("model")
    if config is None:
        raise CheckpointFormatError(
            f"{found.path}: holds weights only; make the model and call load_weights"
        )
    try:
        model = deserialize(config, custom_objects)
    except ValueError as error:
        raise CheckpointFormatError(f"{found.path}: {error}") from error
    if compile and found.metadata.get("compile") is not None:
        with scope(custom_objects or {}):
            _compile(model, found.metadata["compile"], found.path)
    if not model.weights:
        _build_from(model, found)
    _apply(model, found, _match_weights(model, found, strict=True), _slots_of(found))
    return model


def _build_from(model: Any, found: checkpoint.Checkpoint) -> None:
    """Make the weights of a model whose layers wait for their first input."""
    shape = found.metadata.get("input_shape")
    if shape is None:
        return
    sample = numpy.zeros([1 if n is None else n for n in shape], "float32")
    model._build_on(sample)
