"""The rest of NumPy: its own functions on minpy arrays, where minpy has none; knows none by name.

A function reached this way gets NumPy arrays, and the arrays among its results become minpy arrays
on the context of its arguments, of the default float dtype where no argument was of double
precision. It has no derivative.
"""

from __future__ import annotations

import functools
import importlib
import importlib.machinery
import importlib.util
import inspect
import sys
import types
import typing
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy

from minpy.array import (
    as_ndarray,
    from_numpy,
    is_tracked,
    makes_array_of_ours,
    ndarray,
    read_value,
)
from minpy.context import CPU, Context
from minpy.errors import NoDerivativeError, PolicyError
from minpy.inplace import is_free, overwrite
from minpy.numpy.signatures import signature_of
from minpy.policy import state as policy_state
from minpy.primitives import _PLAIN, Primitive, default_precision, link_view, registry

__all__ = ["Fallback", "arrays_in", "by_path", "leaves", "operands", "plain", "reach", "wrapped"]


def arrays_in(value: Any) -> Iterator[ndarray]:
    """Yield the minpy arrays in nested tuples, lists and dicts."""
    return (leaf for leaf in leaves(value) if type(leaf) is ndarray)


def leaves(value: Any) -> Iterator[Any]:
    """Yield everything in nested tuples, lists and dicts that is none of them."""
    kind = type(value)
    if kind is tuple or kind is list:
        for part in value:
            yield from leaves(part)
    elif kind is dict:
        for part in value.values():
            yield from leaves(part)
    else:
        yield value


def plain(value: Any) -> Any:
    """Return nested tuples, lists and dicts with NumPy arrays in the place of minpy's."""
    kind = type(value)
    if kind is ndarray:
        return read_value(value)
    if kind is tuple or kind is list:
        return kind(plain(part) for part in value)
    if kind is dict:
        return {name: plain(part) for name, part in value.items()}
    if kind not in _PLAIN and makes_array_of_ours(value):
        return plain(value.__array__())
    return value


def wrapped(value: Any, context: Context, given: Sequence[Any] = ()) -> Any:
    """Return what a NumPy function returned with minpy arrays in the place of NumPy's.

    Parameters
    ----------
    value
        Arrays and anything else, nested in tuples, lists and dicts.
    context
        Where the arrays are to lie.
    given
        What the function was given, which decides about the precision of the result.
    """
    if type(value) is numpy.ndarray or isinstance(value, numpy.number | numpy.bool_):
        array = numpy.asarray(value)
        if array.dtype.hasobject:
            return value
        made = from_numpy(default_precision(array, given), context)
        if array is not value:
            made._scalar = True
        return made
    if isinstance(value, tuple):
        parts = [wrapped(part, context, given) for part in value]
        return type(value)(*parts) if hasattr(value, "_fields") else tuple(parts)
    if type(value) is list:
        return [wrapped(part, context, given) for part in value]
    if type(value) is dict:
        return {name: wrapped(part, context, given) for name, part in value.items()}
    return value


def operands(args: tuple, kwargs: dict) -> list[Any]:
    """Return what decides about the precision of a result: arrays, numbers, a dtype asked for."""
    found = list(leaves((args, kwargs)))
    if kwargs.get("dtype") is not None:
        found.insert(0, numpy.dtype(kwargs["dtype"]))
    return found


def _has_floats(value: Any) -> bool:
    if isinstance(value, numpy.ndarray | numpy.generic):
        return value.dtype.kind in "fc"
    if isinstance(value, tuple | list):
        return any(_has_floats(part) for part in value)
    if isinstance(value, dict):
        return any(_has_floats(part) for part in value.values())
    return isinstance(value, float | complex)


_METHODS = ("reduce", "accumulate", "reduceat", "outer", "at")
_RETURN_MASKS = ("ma.getmask", "ma.make_mask", "ma.mask_or")


class Fallback(Primitive):
    """A function of NumPy's, on minpy arrays.

    Parameters
    ----------
    name
        How one writes it below ``numpy``: ``'fft.fft'``.
    kernel
        The function.
    """

    def __init__(self, name: str, kernel: Callable[..., Any], register: bool = True) -> None:
        # A function from elsewhere, a ufunc of scipy's, may have the name of one of NumPy's.
        super().__init__(name, kernel, register=register and name not in registry)

    @property
    def path(self) -> str:
        """How one writes it, the library in front."""
        return f"numpy.{self.name}"

    def __repr__(self) -> str:
        return f"<{self.path}, by the fall-back>"

    def __reduce__(self) -> Any:
        return (by_path, (f"minpy.numpy.{self.name}",))

    @property
    def __signature__(self) -> inspect.Signature:
        return signature_of(self.kernel)

    def __getattr__(self, name: str) -> Any:
        # The methods of a ufunc, the attributes of a function.
        if name.startswith("_"):
            raise AttributeError(name)
        if name in _METHODS and isinstance(self.kernel, numpy.ufunc):
            return functools.partial(self._method, name)
        return getattr(self.kernel, name)

    def _method(self, name: str, *args: Any, **kwargs: Any) -> Any:
        """Call a method of NumPy's ufunc, which given arrays of ours would ask us again."""
        method = Fallback(f"{self.name}.{name}", getattr(self.kernel, name), register=False)
        if name != "at" or type(args[0]) is not ndarray:
            return method(*args, **kwargs)
        if any(is_tracked(a) for a in arrays_in(args)):
            raise NoDerivativeError(f"{self.name}.at has no derivative in minpy")
        written = args[0] if is_free(args[0]) else args[0].copy()
        method(read_value(written), *args[1:])
        if written is not args[0]:
            overwrite(args[0], written)
        return None

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call NumPy's function with NumPy arrays in the place of minpy's."""
        if policy_state.name == "only_mxnet":
            raise PolicyError(f"{self.path} has no MXNet kernel; policy is only_mxnet")
        outs = kwargs.get("out")
        outs = outs if type(outs) is tuple else (outs,)
        written = any(type(o) is ndarray for o in outs)
        if written:
            # Where the memory is needed as it is, the function writes to a copy of it.
            spare = tuple(
                read_value(o).copy() if type(o) is ndarray and not is_free(o) else o for o in outs
            )
            kwargs["out"] = spare if type(kwargs["out"]) is tuple else spare[0]
        arrays = list(arrays_in((args, kwargs)))
        result = self.kernel(*plain(args), **plain(kwargs))
        self.ran_numpy += 1
        if _has_floats(result) and any(is_tracked(a) for a in arrays):
            raise NoDerivativeError(
                f"{self.path} has no derivative in minpy: write the function in those of "
                "minpy.numpy that have one, wrap it with minpy.primitive and give it a rule with "
                "minpy.defvjp, or take x.asnumpy() of its arguments where no gradient is wanted"
            )
        if written:
            results = result if type(result) is tuple else (result,)
            made = tuple(
                wrapped(r, CPU) if o is None else o if s is o else overwrite(o, as_ndarray(s))
                for o, s, r in zip(outs, spare, results, strict=True)
            )
            return made if type(result) is tuple else made[0]
        if result is numpy.ma.nomask and self.name in _RETURN_MASKS:
            return result  # which programs compare by identity
        context = self._context(tuple(arrays))
        shared = self._shared(result, arrays)
        if shared is not None:
            if args and args[0] is shared:
                return link_view(result, shared, self, args[1:], kwargs)
            result = result.copy()
        return wrapped(result, context, operands(args, kwargs))

    @staticmethod
    def _shared(result: Any, arrays: Sequence[ndarray]) -> ndarray | None:
        """Return the array whose memory the result lies in, if there is one."""
        if type(result) is not numpy.ndarray or not result.size:
            return None
        for a in arrays:
            if a._np is not None and numpy.may_share_memory(result, a._np):
                return a
        return None


def by_path(path: str) -> Any:
    """Return what a path with dots leads to from ``minpy.numpy`` on, imported by then or not."""
    found = importlib.import_module("minpy.numpy")
    for name in path.removeprefix("minpy.numpy.").split("."):
        found = getattr(found, name)
    return found


# --- modules --------------------------------------------------------------------------------------


def reach(path: str, own: Sequence[str] = ()) -> tuple[Callable[[str], Any], Callable[[], list]]:
    """Return ``__getattr__`` and ``__dir__`` for the module that mirrors a module of NumPy's.

    Parameters
    ----------
    path
        NumPy's module, ``'numpy.fft'``.
    own
        The names that minpy's module has by itself.
    """
    found: dict[str, Any] = {}

    def __getattr__(name: str) -> Any:
        if name in found:
            return found[name]
        mirror = path.replace("numpy", "minpy.numpy", 1)
        if name.startswith("_"):
            raise AttributeError(f"module {mirror!r} has no attribute {name!r}")
        module = importlib.import_module(path)
        try:
            value = getattr(module, name)
        except AttributeError as missing:
            raise AttributeError(str(missing).replace("'numpy", "'minpy.numpy")) from None
        found[name] = mirrored = _mirrored(mirror, name, value)
        return mirrored

    def __dir__() -> list[str]:
        module = importlib.import_module(path)
        public = getattr(module, "__all__", None) or [n for n in dir(module) if n[0] != "_"]
        return sorted({*own, *public})

    return __getattr__, __dir__


def _mirrored(mirror: str, name: str, value: Any) -> Any:
    if isinstance(value, types.ModuleType):
        return _mirrored_module(f"{mirror}.{name}", value)
    if isinstance(value, type) or not callable(value) or typing.get_origin(value) is not None:
        return value  # a class, a dtype, a constant, a type for annotations
    name = f"{mirror}.{name}".removeprefix("minpy.numpy.")
    known = registry.get(name)  # as np.char, say, which is np.core.defchararray
    return known if known is not None and known.kernel is value else Fallback(name, value)


def _mirrored_module(path: str, module: types.ModuleType) -> types.ModuleType:
    """Return minpy's module of that path, or one that reaches NumPy's."""
    if path in sys.modules:
        return sys.modules[path]
    parent = path.rpartition(".")[0]
    if hasattr(sys.modules.get(parent), "__path__") and importlib.util.find_spec(path):
        return importlib.import_module(path)
    sys.modules[path] = made = _made_module(path, module)
    return made


def _made_module(path: str, module: types.ModuleType) -> types.ModuleType:
    made = types.ModuleType(path, inspect.getdoc(module))
    made.__getattr__, made.__dir__ = reach(module.__name__)
    return made


class _Mirrors:
    """Finds ``minpy.numpy.lib.stride_tricks`` where a program imports it: the mirror of NumPy's.

    Python asks it last, for what has no file of its own.
    """

    def find_spec(self, path: str, folders: Any = None, target: Any = None) -> Any:
        if not path.startswith("minpy.numpy.") or "._" in path:
            return None
        try:
            module = importlib.import_module(path.removeprefix("minpy."))
        except ImportError:
            return None
        spec = importlib.machinery.ModuleSpec(path, self, is_package=hasattr(module, "__path__"))
        spec.loader_state = module
        return spec

    def create_module(self, spec: Any) -> types.ModuleType:
        return _made_module(spec.name, spec.loader_state)

    def exec_module(self, module: types.ModuleType) -> None:
        """Do nothing: what is in it is looked up when it is asked for."""


sys.meta_path.append(_Mirrors())
