"""How a layer is called: which arguments are tensors, their shapes and masks; knows no layer."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from minpy.array import ndarray
from minpy.autograd.containers import flatten, map_leaves
from minpy.errors import ShapeError
from minpy.layers.symbolic import KerasTensor

__all__ = ["CallSignature", "any_mask", "fitting_shapes", "masks_of", "shape_of", "signature_of"]

_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


class CallSignature:
    """The arguments of a layer class's ``call``.

    Attributes
    ----------
    names
        Of the positional arguments, without ``self``.
    takes_training, takes_mask
        Whether there are arguments of these names.
    needs_training
        Whether `training` has no default.
    masks
        Argument → that of its mask: ``query`` → ``query_mask``.
    """

    __slots__ = ("masks", "names", "needs_training", "takes_mask", "takes_training")

    def __init__(self, function: Callable[..., Any]) -> None:
        parameters = list(inspect.signature(function).parameters.values())[1:]
        every = {p.name for p in parameters}
        self.names = tuple(p.name for p in parameters if p.kind in _POSITIONAL)
        self.takes_training = "training" in every
        self.needs_training = any(p.name == "training" and p.default is p.empty for p in parameters)
        self.takes_mask = "mask" in every
        self.masks = {name: f"{name}_mask" for name in every if f"{name}_mask" in every}

    def tensors(self, args: tuple, kwargs: dict) -> dict[str, Any]:
        """Return the arguments that are tensors or containers of them, by name."""
        given = dict(zip(self.names, args, strict=False))
        given.update(kwargs)
        return {name: value for name, value in given.items() if _is_tensor(value)}

    def unclear(self, tensors: dict[str, Any], args: tuple, kwargs: dict) -> dict[str, Any]:
        """Return the arguments that aren't tensors, by name."""
        given = {**dict(zip(self.names, args, strict=False)), **kwargs}
        return {name: value for name, value in given.items() if name not in tensors}


_SIGNATURES: dict[type, CallSignature] = {}


def signature_of(kind: type) -> CallSignature:
    """Return the signature of a layer class's ``call``."""
    found = _SIGNATURES.get(kind)
    if found is None:
        found = _SIGNATURES[kind] = CallSignature(kind.call)
    return found


def _is_tensor(value: Any) -> bool:
    if type(value) is ndarray or type(value) is KerasTensor:
        return True
    if not isinstance(value, tuple | list | dict) or not value:
        return False
    leaves = flatten(value)[0]
    return any(leaf is not None for leaf in leaves) and all(
        leaf is None or type(leaf) is ndarray or type(leaf) is KerasTensor for leaf in leaves
    )


# --- shapes ---------------------------------------------------------------------------------------


def shape_of(value: Any) -> Any:
    """Return the shapes of tensors in their containers, the batch axis of arrays None."""
    if type(value) is ndarray:
        return (None, *value.shape[1:])
    if type(value) is KerasTensor:
        return value.shape
    return map_leaves(lambda leaf: None if leaf is None else shape_of(leaf), value)


def fitting_shapes(function: Callable[..., Any], tensors: dict[str, Any], who: str) -> dict:
    """Return the shapes that ``build`` or ``compute_output_shape`` wants, by its arguments' names.

    One with a single argument gets the shape of the first tensor; one with several gets those of
    the tensors that they are named after: ``query_shape`` is that of ``query``.
    """
    parameters = [
        p
        for p in inspect.signature(function).parameters.values()
        if p.kind in (*_POSITIONAL, inspect.Parameter.KEYWORD_ONLY)
    ]
    shapes = {f"{name}_shape": shape_of(t) for name, t in tensors.items() if name != "mask"}
    if len(parameters) == 1:
        return {parameters[0].name: next(iter(shapes.values()), None)}
    missing = [
        p.name for p in parameters if p.default is inspect.Parameter.empty and p.name not in shapes
    ]
    if missing and len(shapes) == 1 and missing == [parameters[0].name]:
        return {parameters[0].name: next(iter(shapes.values()))}
    if missing:
        raise ShapeError(
            f"{who}: {function.__name__} wants {', '.join(missing)}, and the call has tensors "
            f"{', '.join(tensors)}; name its arguments after those of call, followed by _shape"
        )
    return {p.name: shapes[p.name] for p in parameters if p.name in shapes}


def is_shape(value: Any) -> bool:
    """Say whether a value is one shape, and no container of shapes."""
    return isinstance(value, tuple | list) and all(n is None or isinstance(n, int) for n in value)


def map_shapes(function: Callable[[tuple], Any], value: Any) -> Any:
    """Apply a function to each shape in nested lists and dicts of shapes."""
    if is_shape(value):
        return function(tuple(value))
    if isinstance(value, dict):
        return {name: map_shapes(function, part) for name, part in value.items()}
    return type(value)(map_shapes(function, part) for part in value)


# --- masks ----------------------------------------------------------------------------------------


def masks_of(value: Any) -> Any:
    """Return the masks attached to tensors, in the tensors' containers."""
    if type(value) is ndarray or type(value) is KerasTensor:
        return getattr(value, "_keras_mask", None)
    return map_leaves(lambda leaf: getattr(leaf, "_keras_mask", None), value)


def any_mask(masks: Any) -> bool:
    """Say whether there is a mask among masks in their containers."""
    if masks is None:
        return False
    if type(masks) is ndarray:
        return True
    return any(mask is not None for mask in flatten(masks)[0])
