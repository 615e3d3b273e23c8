"""Writes docs/keras.md: what minpy has of Keras, name by name and argument by argument.

Run from the repository: ``python tools/keras_page.py``. What is here is found out, by importing
each name and looking at its arguments; what isn't has its reason in the tables of this file. Keras'
names come from ``tests/keras_names.json``, which ``tests/keras_names.py`` wrote where Keras is
installed.
"""

from __future__ import annotations

import ast
import importlib
import json
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "keras.md"
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from keras_names import NAMES, arguments_of  # noqa: E402

HEAD = """# Keras in minpy

Written by `python tools/keras_page.py` for Keras {version}; a test fails when this page is out of
date, or when a name is neither here nor explained.

- **here**: the name to import, with Keras' arguments and defaults but for what the last column
  says, and for the arguments that the first table lists;
- **different**: there, but not quite that;
- **left out**: not there, and why.

{count} names of Keras: {here} are here, {different} different, {left} left out.

What holds everywhere:

- Images are `channels_first` unless `data_format` or `minpy.config` says otherwise; axes of
  channels follow.
- `import minpy as keras` gives `keras.Model`, `keras.layers`, `keras.ops`, ...; a program in
  Keras' layout of images begins with `keras.config.set_image_data_format("channels_last")`.
- Keras' way to gradients is its backend's. Here a `train_step` calls
  `self.value_and_gradients(function)`, which any model has, and `optimizer.apply_gradients`.
- Kernels of convolutions lie as MXNet has them in both layouts of images: (filters, channels, rows,
  columns). `get_weights` and `set_weights` give and take them so.
- Layers of a class of one's own are named after their attributes; `dense`, `dense_1`, ... are
  counted for each model anew, and paths of weights begin inside the model.
- `layer.kernel` is an array that takes `assign`, `assign_add` and `assign_sub`; `layer.weights`
  are the weights themselves, with `trainable` and `path`.
- Layers compute on minpy arrays. There is one backend, so no names that choose or hide one.
- `*`: from there on by keyword only.
- `compile(loss=…)` takes a loss for each output, none for several in a container together.
- `steps_per_epoch` of arrays cuts each epoch short; the next begins anew and not where it ended.
- Dicts of a graph's inputs and outputs are sorted by key, and `evaluate` lists losses and metrics
  in Keras' order. Logs, `History` and `evaluate(return_dict=True)` begin with the loss, where Keras
  sorts all names; `input_shape` and `output_shape` of dicts are dicts, where Keras' are lists.
- With `steps_per_execution` the end of a shorter last execution names the last step there was.
- Where Keras 3.16 computes otherwise than 3.15 (`Tversky`'s `alpha` and `beta` are exchanged,
  `R2Score` counts rows, `ignore_class` in metrics), 3.15 holds.
- The operations that NumPy has too are NumPy's: by place they take what Keras' do, by name what
  NumPy's do.
"""

# Where Keras' modules and classes are here, if not under their own names.
MODULES = {"preprocessing.image": "utils", "preprocessing.sequence": "utils"}
CLASSES = {
    "Model": "models.Model",
    "Sequential": "models.Sequential",
    "Layer": "layers.Layer",
    "Metric": "metrics.Metric",
    "Optimizer": "optimizers.Optimizer",
    "Callback": "callbacks.Callback",
}
# Keras' name → (the name here, what is different). A reason alone stands in the next table.
DIFFERENT = {
    "models.save_model": ("saving.save_model", "or `model.save`"),
    "config.dtype_policy": ("config.default_dtype", "weights and activations have one dtype"),
    "config.set_dtype_policy": ("config.set_default_dtype", "float16, float32 or float64"),
    "config.enable_traceback_filtering": (
        "config.enable_traceback_filtering",
        "tracebacks are shown whole; only the setting is kept",
    ),
    "utils.Progbar": ("callbacks.ProgressBar", "a callback; `fit` has one by itself"),
    "utils.standardize_dtype": ("numpy.dtype", ""),
}

_BOXES = "no bounding boxes"
_QUANTIZED = "no quantized weights"
_STATELESS = "`stateless_call`, and a loss of its outputs; states are lists of arrays"
_ONE_BACKEND = "there is one backend"
_ONE_DTYPE = "weights and activations have one dtype, `minpy.config.default_dtype()`"
_FLASH = "the kernel for attention is chosen by itself"

# Reason → names.
REASONS = {
    "another library's code in a model: wrap it with `minpy.primitive` in a layer of your own": """
        layers.FlaxLayer layers.JaxLayer layers.TFSMLayer layers.TorchModuleWrapper""",
    _BOXES: "layers.MaxNumBoundingBoxes utils.bounding_boxes",
    "code of Keras 2": "optimizers.legacy utils.legacy",
    "writes with Orbax, which is JAX'": "callbacks.OrbaxCheckpoint",
    "files here are HDF5; `h5py` edits them": "saving.KerasFileEditor",
    _ONE_BACKEND: "config.set_backend config.is_nnx_enabled",
    _FLASH: """config.disable_flash_attention config.enable_flash_attention
        config.is_flash_attention_enabled""",
    "files never run code": "config.enable_unsafe_deserialization",
    _QUANTIZED: "*.quantize *.quantization_mode *.quantized_build *.quantized_call "
    "*.get_quantization_layer_structure",
    _STATELESS: "*.stateless_compute_loss *.get_state_tree *.set_state_tree",
    "`minpy.autograd.checkpoint` on a function": "*.rematerialized_call",
    _ONE_DTYPE: "*.dtype_policy",
    "`minpy.jit`, and `fit`'s graph": """*.make_predict_function *.make_test_function
        *.make_train_function""",
    "only models are compiled": "Layer.compile",
}
LEFT_OUT = {name: reason for reason, names in REASONS.items() for name in names.split()}
DIFFERENT |= {
    "*.path": ("layers.Layer.name", "weights have a `path`"),
}

# Arguments that no class has, and why; those of one kind of class are after the dot.
ARGUMENTS = {
    "factor": "Keras' own base class takes it",
    "bounding_box_format": _BOXES,
    "lora_rank": "no low-rank adapters",
    "lora_alpha": "no low-rank adapters",
    "quantization_config": _QUANTIZED,
    "gptq_unpacked_column_size": _QUANTIZED,
    "overwrite_with_gradient": _QUANTIZED,
    "zipped": "one file holds everything",
    "max_shard_size": "one file holds everything",
}
ARGUMENTS |= {
    "format": "a `minpy.data.Dataset` comes back",
    "preferred_backend": "a `minpy.data.Dataset` comes back",
}
# Those that so many lack that their rows don't say so, only the table of arguments.
EVERYWHERE = {
    "bounding_box_format",
    "factor",
    "lora_alpha",
    "lora_rank",
}

# Something to make an object with, where an argument is required.
SAMPLES = {
    "units": 2,
    "filters": 2,
    "kernel_size": 3,
    "num_heads": 2,
    "key_dim": 2,
    "head_dim": 2,
    "num_query_heads": 2,
    "num_key_value_heads": 2,
    "height": 4,
    "width": 4,
    "factor": 0.5,
    "num_bins": 3,
    "num_tokens": 3,
    "equation": "ab,bc->ac",
    "output_shape": 3,
    "output_size": 2,
    "height_factor": 0.5,
    "width_factor": 0.5,
    "rate": 0.5,
    "shape": (2,),
    "input_dim": 2,
    "output_dim": 2,
}

Names = dict[str, Any]
_OF_OBJECTS = "an attribute of objects"


def stored() -> dict[str, Any]:
    """Return Keras' names and arguments, as they were written down."""
    return json.loads(NAMES.read_text())


def found(path: str) -> Any:
    """Return what a path under ``minpy.`` names, None where there is nothing.

    A module is nothing: Keras' names are classes, functions and values.
    """
    parts = path.split(".")
    for split in range(len(parts), 0, -1):
        try:
            value = importlib.import_module(".".join(["minpy", *parts[:split]]))
        except ImportError:
            continue
        for part in parts[split:]:
            value = getattr(value, part, None)
        if value is not None and split < len(parts):
            return value
        kind, _, attribute = path.rpartition(".")
        if kind in CLASSES.values() and hasattr(_object(kind), attribute):
            return _OF_OBJECTS
    return None


def _object(kind: str) -> Any:
    """Return an object of a class; some attributes are its alone."""
    concrete = {"metrics.Metric": "metrics.Mean", "optimizers.Optimizer": "optimizers.SGD"}
    return found(concrete.get(kind, kind))()


def explained(path: str, table: Names) -> Any:
    """Return what a table says of a path, or of its last part after ``*.``."""
    return table.get(path, table.get(f"*.{path.rpartition('.')[2]}"))


def of_argument(path: str, name: str) -> str | None:
    """Return why an argument isn't taken, None where nothing says so."""
    return ARGUMENTS.get(f"{path.split('.')[0]}.{name}", ARGUMENTS.get(name))


def differences(path: str, theirs: Any, ours: Any) -> Iterator[tuple[str, str]]:
    """Yield (kind, text) of what differs in the arguments: left out, a default, by keyword."""
    if theirs is None or not callable(ours):
        return
    own = arguments_of(ours)
    if own is None or (path.startswith("ops.") and _is_numpys(path)):
        return
    names = {a[0]: a for a in own}
    if "**" in names:  # handed on to another function
        return
    first = theirs[0][0] if theirs and theirs[0][2] == "required" else None
    for name, _, default in theirs:
        # One required argument, whatever it is called.
        if name in ("*", "**", "self") or (name == first and own and own[0][2] == "required"):
            continue
        if name not in names:
            if not takes(ours, own, name, default):
                yield "without", name
        elif names[name][2] != default and not equal(names[name][2], default):
            if names[name][2] == "required":
                yield "default", f"`{name}` must be given"
            else:
                yield "default", f"`{name}={names[name][2]}`, not {default}"
    yield from by_place(theirs, own, first)


def _is_numpys(path: str) -> bool:
    """Say whether an operation is the function of `minpy.numpy` of that name."""
    ops = importlib.import_module("minpy.ops")
    name = path.removeprefix("ops.")
    return name in ops._NUMPY or name in ops._LINALG or name in ops._OTHER


def by_place(theirs: Any, own: Any, first: str | None) -> Iterator[tuple[str, str]]:
    """Yield the first argument that isn't where it is in Keras' order; those left out aside."""
    names = {a[0] for a in own}
    given = [a[0] for a in own if a[1] == "positional" and a[0] != "self"]
    wanted = [a[0] for a in theirs if a[1] == "positional" and a[0] != "self"]
    if wanted and wanted[0] == first and first not in names and own[0][2] == "required":
        wanted[0] = given[0]  # one required argument, whatever it is called
    wanted = [name for name in wanted if name in names]
    for place, name in enumerate(wanted):
        if place >= len(given) or given[place] != name:
            yield "keyword", name
            return


# Defaults that are written in two ways.
_SAME = {
    ("()", "None"),  # a shape
    ("'glorot_uniform'", "None"),  # what Keras takes for weights
    ("'zeros'", "None"),  # and for the sums of a metric
    ("'farmhash'", "'floormod'"),  # which Keras' base class takes for integers only
}


def equal(ours: str, theirs: str) -> bool:
    """Say whether two defaults mean the same: ``2`` and ``(2, 2)``, ``'zeros'`` and ``'Zeros'``."""
    if "…" in (ours, theirs):
        return True
    if (ours, theirs) in _SAME:
        return True
    if "required" in (ours, theirs):
        return ours != "required"  # an argument that needn't be given, here
    ours, theirs = ast.literal_eval(ours), ast.literal_eval(theirs)
    if isinstance(ours, str) and isinstance(theirs, str):
        return ours.lower() == theirs.lower()
    return ours == theirs or (isinstance(theirs, tuple) and all(part == ours for part in theirs))


def takes(function: Any, own: list[list[str]], name: str, default: str) -> bool:
    """Say whether a class can be made with an argument that its signature doesn't show."""
    if not isinstance(function, type) or default in ("required", "…"):
        return False
    needed = {a[0]: SAMPLES.get(a[0]) for a in own if a[2] == "required" and a[1] == "positional"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            function(**needed, **{name: ast.literal_eval(default)})
        except Exception:
            return False
    return True


def row(path: str, theirs: Any, here: str) -> tuple[str, str, str]:
    """Return the name here, whether it is here, different or left out, and what is to be said."""
    reason = explained(path, LEFT_OUT)
    told = explained(path, DIFFERENT)
    target = told[0] if told else here
    value = found(target)
    if value is None or (theirs is not None and not callable(value)):
        return "", "left out", reason or ""
    parts: dict[str, list[str]] = {"without": [], "default": [], "keyword": []}
    # A function of another library, or one of ours with arguments of its own, is told of in words.
    if not told:
        for kind, text in differences(path, theirs, value):
            parts[kind].append(text)
    said = [told[1]] if told and told[1] else []
    rare = [f"`{name}`" for name in parts["without"] if name not in EVERYWHERE]
    if rare:
        said.append("without " + ", ".join(rare))
    said += parts["default"]
    if parts["keyword"]:
        said.append(f"`*, {parts['keyword'][0]}`")
    return f"`minpy.{target}`", "different" if told and told[1] else "here", "; ".join(said)


def rows() -> Iterator[tuple[str, str, str, str, str]]:
    """Yield (section, Keras' name, name here, status, what is to be said), for every name."""
    names = stored()
    for module, members in names["modules"].items():
        for name, theirs in members.items():
            path = f"{module}.{name}"
            yield (
                f"keras.{module}",
                name,
                *row(path, theirs, f"{MODULES.get(module, module)}.{name}"),
            )
    for kind, members in names["classes"].items():
        for name, theirs in members.items():
            path = f"{kind}.{name}"
            yield f"Attributes of {kind}", name, *row(path, theirs, f"{CLASSES[kind]}.{name}")


def arguments_left_out() -> dict[str, set[str]]:
    """Return argument → the paths of those that are here and lack it."""
    left: dict[str, set[str]] = {}
    names = stored()
    for places, tables in ((MODULES, names["modules"]), (CLASSES, names["classes"])):
        for module, members in tables.items():
            for name, theirs in members.items():
                path = f"{module}.{name}"
                if explained(path, DIFFERENT) is None:
                    ours = found(f"{places.get(module, module)}.{name}")
                    for kind, argument in differences(path, theirs, ours):
                        if kind == "without":
                            left.setdefault(argument, set()).add(path)
    return left


def page() -> str:
    """Return the text of the page."""
    made = list(rows())
    counts = {s: sum(r[3] == s for r in made) for s in ("here", "different", "left out")}
    head = HEAD.format(
        version=stored()["keras"],
        count=len(made),
        here=counts["here"],
        different=counts["different"],
        left=counts["left out"],
    )
    parts = [head, "\n## Arguments that aren't taken\n", "| argument | why |", "| --- | --- |"]
    for argument, paths in sorted(arguments_left_out().items()):
        reasons = {of_argument(path, argument) or "" for path in paths}
        parts.append(f"| `{argument}` | {'; '.join(sorted(reasons))} |")
    section = None
    for title, name, here, status, said in made:
        if title != section:
            section = title
            parts += [f"\n## {title}\n", "| name | | in minpy | |", "| --- | --- | --- | --- |"]
        parts.append(f"| `{name}` | {status} | {here} | {said} |")
    return "\n".join(parts) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page())
