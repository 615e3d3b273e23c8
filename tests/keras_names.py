"""Writes down Keras' public names and what each can be called with.

Run it where Keras is installed, which the tests themselves don't need:

    KERAS_BACKEND=torch python tests/keras_names.py
"""

from __future__ import annotations

import ast
import inspect
import json
import pathlib
import textwrap
from typing import Any

NAMES = pathlib.Path(__file__).with_suffix(".json")
MODULES = [
    "layers",
    "losses",
    "metrics",
    "optimizers",
    "optimizers.schedules",
    "callbacks",
    "initializers",
    "regularizers",
    "constraints",
    "activations",
    "models",
    "saving",
    "utils",
    "preprocessing.image",
    "preprocessing.sequence",
    "datasets",
    "random",
    "ops",
    "config",
    "wrappers",
]
CLASSES = {
    "Model": "Model",
    "Sequential": "Sequential",
    "Layer": "layers.Layer",
    "Metric": "metrics.Metric",
    "Optimizer": "optimizers.Optimizer",
    "Callback": "callbacks.Callback",
}
PARAMETER = inspect.Parameter
REQUIRED = "required"


def arguments_of(function: Any) -> list[list[str]] | None:
    """Return [name, kind, default] of each argument; those passed on to base classes too.

    `kind` is "positional" or "keyword"; `default` is "required", the text of a simple value, or
    "…" for another. None: it can't be found out.
    """
    if not inspect.isclass(function):
        return _listed(function)
    found: dict[str, list[str]] = {}
    given: set[str] = set()  # by a subclass, to its base
    passed_on = False
    for base in function.__mro__:
        if base is object or "__init__" not in vars(base):
            continue
        listed = _listed(base.__init__)
        if listed is None:
            return None
        for place, (name, kind, default) in enumerate(listed):
            fixed = name in given or str(place) in given
            if name not in ("*", "**") and name not in found and not fixed:
                found[name] = [name, "keyword" if passed_on else kind, default]
        if not any(name == "**" for name, _, _ in listed):
            break
        handed = _handed_on(base.__init__)
        if handed is None:
            break
        given = handed | {name for name in given if not name.isdigit()}
        passed_on = not any(name == "*" for name, _, _ in listed)
    return list(found.values())


def _handed_on(function: Any) -> set[str] | None:
    """Return the names, or the places, of what a constructor gives its base beside ``**kwargs``.

    None: it doesn't give it the ``**kwargs``. Without a source nothing is given.
    """
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, TypeError):
        return set()
    own = {a.kwarg.arg for a in ast.walk(tree) if isinstance(a, ast.arguments) and a.kwarg}
    for call in ast.walk(tree):
        if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute)):
            continue
        if call.func.attr != "__init__":
            continue
        rest = {ast.unparse(k.value) for k in call.keywords if k.arg is None}
        if rest & own:
            places = {str(i) for i, a in enumerate(call.args) if not isinstance(a, ast.Starred)}
            return places | {k.arg for k in call.keywords if k.arg is not None}
    return None


def _listed(function: Any) -> list[list[str]] | None:
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return None
    return [_argument(p) for p in parameters if p.name != "self"]


def _argument(parameter: inspect.Parameter) -> list[str]:
    if parameter.kind in (PARAMETER.VAR_POSITIONAL, PARAMETER.VAR_KEYWORD):
        return ["*" if parameter.kind == PARAMETER.VAR_POSITIONAL else "**", "rest", REQUIRED]
    kind = "keyword" if parameter.kind == PARAMETER.KEYWORD_ONLY else "positional"
    return [parameter.name, kind, _default(parameter.default)]


def _default(value: Any) -> str:
    if value is PARAMETER.empty:
        return REQUIRED
    if isinstance(value, list):
        value = tuple(value)
    simple = (bool, int, float, str, type(None))
    parts = value if isinstance(value, tuple) else (value,)
    return repr(value) if all(isinstance(v, simple) for v in parts) else "…"


def of_module(package: Any, path: str) -> dict[str, list[list[str]] | None]:
    """Return the public names of a module, with arguments where there are any."""
    module = package
    for part in path.split("."):
        module = getattr(module, part)
    names = [n for n in dir(module) if not n.startswith("_")]
    return {n: _of(getattr(module, n)) for n in names}


def _of(value: Any) -> list[list[str]] | None:
    return arguments_of(value) if callable(value) else None


def of_class(package: Any, path: str, hidden: set[str]) -> dict[str, list[list[str]] | None]:
    """Return the public methods and attributes of a class, without `hidden`."""
    found = package
    for part in path.split("."):
        found = getattr(found, part)
    names = [n for n in dir(found) if not n.startswith("_") and n not in hidden]
    return {n: _of(getattr(found, n)) for n in names}


def main() -> None:
    import keras
    import torch

    # with this backend a layer is a module of torch's too; its methods aren't Keras'
    keras_own = {n for c in (keras.Operation, keras.Model) for n in vars(c)}
    for base in keras.Model.__mro__:
        if base.__module__.startswith("keras.src") and "backend.torch" not in base.__module__:
            keras_own |= set(vars(base))
    hidden = {n for n in dir(torch.nn.Module) if n not in keras_own} | {"torch_params"}
    hidden |= {n for n in dir(keras.Model) if n in ("T_destination", "dump_patches")}
    found = {
        "keras": keras.__version__,
        "modules": {path: of_module(keras, path) for path in MODULES},
        "classes": {name: of_class(keras, path, hidden) for name, path in CLASSES.items()},
    }
    text = json.dumps(found, ensure_ascii=False, separators=(",", ":"))
    NAMES.write_text(text.replace('}},"', '}},\n"').replace("]],", "]],\n") + "\n")


if __name__ == "__main__":
    main()
